#include "courier/courier.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#define ROWS_MEMORY_SIZE (4 * QUEUE_ROOM_MIN)
#define PENDING_SIZE_MAX                                                                                     \
	(1024 * 1024) /* bytes of events that wait; then the post waits, and batches run early */
#define COMPANY_MS 2 /* for so long events that can wait do so for others, to share their commit */
#define COMPANY_MAX 32 /* unless they are so many */
#define TICK_STEPS_MAX 8 /* of one TICK in one batch: a FLASH may have to wait for so much that falls due */

struct pending {
	struct pending *next;
	struct queue_event event;
	struct session *session; /* to be answered; NULL once it is gone */
	uint64_t transfer;
	uint8_t *owned; /* from malloc(), beside `memory` */
	size_t size;
	bool goes_on; /* a TICK that had its turn in a batch, and has more to do */
	uint8_t memory[];
};

/* ---- the list of events ---- */

static struct pending *make_pending(enum queue_event_kind kind, size_t memory_size)
{
	struct pending *pending = calloc(1, sizeof *pending + memory_size);

	if (pending == NULL)
		return NULL;
	pending->event.kind = kind;
	pending->size = sizeof *pending + memory_size;
	return pending;
}

/*
 * Nobody waits for what becomes of these, unless for the room they make in a window: they are the end of
 * something. Alone in a batch they would cost a sync of their own, and the next message would wait for that.
 * Nor does anybody for a TICK that goes on: however much falls due in one second, the loop has its turns.
 */
static bool can_wait(const struct pending *pending)
{
	switch (pending->event.kind) {
	case QUEUE_ACKNOWLEDGED:
	case QUEUE_CANCEL:
	case QUEUE_TAKEN:
	case QUEUE_HEAD:
		return true;
	case QUEUE_TICK:
		return pending->goes_on;
	default:
		return false;
	}
}

static void append(struct courier *courier, struct pending *pending)
{
	if (courier->pending_last == NULL)
		courier->pending_first = pending;
	else
		courier->pending_last->next = pending;
	pending->next = NULL;
	courier->pending_last = pending;
	courier->pending_size += pending->size;
	courier->pending_count++;
	courier->pressing_count += !can_wait(pending);
	courier->tick_waits = courier->tick_waits || pending->event.kind == QUEUE_TICK;
}

static void free_pending(struct pending *pending)
{
	free(pending->owned);
	free(pending);
}

static struct pending *take_first(struct courier *courier)
{
	struct pending *first = courier->pending_first;

	courier->pending_first = first->next;
	if (first->next == NULL)
		courier->pending_last = NULL;
	courier->pending_size -= first->size;
	courier->pending_count--;
	courier->pressing_count -= !can_wait(first);
	courier->tick_waits = courier->tick_waits && first->event.kind != QUEUE_TICK;
	return first;
}

/* Copies `bytes` to the event's memory at *at and returns a view of the copy. */
static struct bytes keep(struct pending *pending, size_t *at, struct bytes bytes)
{
	uint8_t *to = pending->memory + *at;

	if (bytes.size > 0)
		memcpy(to, bytes.data, bytes.size);
	*at += bytes.size;
	return bytes_make(to, bytes.size);
}

static bool note_send(struct courier *courier, const struct link_send *send)
{
	struct pending *pending = make_pending(
		QUEUE_SEND, send->destination.size + send->sealed.size + send->pin.size);
	size_t at = 0;

	if (pending == NULL)
		return false;
	pending->event.send = *send;
	pending->event.send.destination = keep(pending, &at, send->destination);
	pending->event.send.sealed = keep(pending, &at, send->sealed);
	pending->event.send.pin = keep(pending, &at, send->pin);
	append(courier, pending);
	return true;
}

static bool note_head(struct courier *courier, const struct link_head *head)
{
	struct pending *pending = make_pending(QUEUE_HEAD, head->origin.size);
	size_t at = 0;

	if (pending == NULL)
		return false;
	pending->event.head = *head;
	pending->event.head.origin = keep(pending, &at, head->origin);
	append(courier, pending);
	return true;
}

bool dispatch_note_message(struct courier *courier, const struct link_message *message)
{
	struct pending *pending;

	if (courier->pending_size > PENDING_SIZE_MAX || courier->starting_over)
		return false;
	if (message->type == LINK_SEND)
		return note_send(courier, &message->send);
	if (message->type == LINK_HEAD)
		return note_head(courier, &message->head);
	pending = make_pending(message->type == LINK_CANCEL ? QUEUE_CANCEL : QUEUE_TAKEN, 0);
	if (pending == NULL)
		return false;
	if (message->type == LINK_CANCEL)
		memcpy(pending->event.cancel, message->cancel.id, LINK_ID_SIZE);
	else
		pending->event.taken = message->taken.delivery;
	append(courier, pending);
	return true;
}

void dispatch_note_received(struct courier *courier, struct session *session, unsigned route,
	uint64_t transfer, uint8_t *bundle, size_t size)
{
	struct pending *pending = make_pending(QUEUE_RECEIVED, 0);

	if (pending == NULL) {
		free(bundle);
		session_refuse(session, transfer, TCPCL_REFUSE_NO_RESOURCES);
		return;
	}
	pending->session = session;
	pending->transfer = transfer;
	pending->owned = bundle;
	pending->size += size;
	pending->event.received.route = route;
	pending->event.received.bundle = bytes_make(bundle, size);
	append(courier, pending);
	if (courier->pending_size > PENDING_SIZE_MAX)
		dispatch_run(courier);
}

void dispatch_note_transfer(
	struct courier *courier, uint64_t number, enum queue_event_kind kind, uint8_t reason)
{
	struct pending *pending = make_pending(kind, 0);

	if (pending == NULL) {
		courier_fail(courier, "there is no memory left");
		return;
	}
	pending->event.transfer.number = number;
	pending->event.transfer.reason = reason;
	append(courier, pending);
}

void dispatch_note_settled(struct courier *courier, struct session *session, struct route *route,
	uint64_t transfer, enum queue_event_kind kind, uint8_t reason)
{
	for (unsigned i = 0; i < route->flight_count; i++) {
		const struct flight *flight = &route->flights[i];

		if (flight->session != session || flight->transfer != transfer)
			continue;
		dispatch_note_transfer(courier, flight->number, kind, reason);
		route->flights[i] = route->flights[--route->flight_count];
		break;
	}
}

void dispatch_note_closed(struct courier *courier, struct session *session)
{
	for (struct pending *pending = courier->pending_first; pending != NULL; pending = pending->next) {
		if (pending->session == session)
			pending->session = NULL;
	}
	for (unsigned i = 0; i < courier->outcome_count; i++) {
		if (courier->outcomes[i].session == session)
			courier->outcomes[i].session = NULL;
	}
	for (unsigned r = 0; r < courier->config.neighbour_count; r++) {
		struct route *route = &courier->routes[r];

		for (unsigned i = route->flight_count; i > 0; i--) {
			if (route->flights[i - 1].session != session)
				continue;
			dispatch_note_transfer(courier, route->flights[i - 1].number, QUEUE_FAILED, 0);
			route->flights[i - 1] = route->flights[--route->flight_count];
		}
	}
}

void dispatch_note_tick(struct courier *courier)
{
	struct pending *pending = courier->tick_waits ? NULL : make_pending(QUEUE_TICK, 0);

	if (pending != NULL)
		append(courier, pending);
}

/* ---- through the queue ---- */

uint64_t dispatch_disk_room(const struct courier *courier)
{
	struct statvfs status;

	if (fstatvfs(courier->directory, &status) != 0)
		return UINT64_MAX;
	return (uint64_t)status.f_bavail * status.f_frsize;
}

/* Goes on with nothing after that: what SQLite holds is not known to be on disk. */
static void fail_store(struct courier *courier)
{
	char why[160];

	snprintf(why, sizeof why,
		STORE_FILE ": %s; nothing was acknowledged that is not on disk: see to the disk, "
			   "then start again",
		store_problem(courier->store));
	courier_fail(courier, why);
}

bool dispatch_load(struct courier *courier)
{
	enum error error = store_load(courier->store, &courier->rows);

	if (error == ERROR_MALFORMED)
		courier_fail(courier, QUEUE_SPOILT);
	else if (error != ERROR_OK)
		fail_store(courier);
	return error == ERROR_OK;
}

/* One event, in the loop of base/rows.h. ERROR_CLOSED: the daemon has failed. */
static enum error step(struct courier *courier, const struct pending *pending, struct queue_actions *actions)
{
	enum error error;

	do {
		if (!dispatch_load(courier))
			return ERROR_CLOSED;
		rows_begin(&courier->rows);
		actions->count = 0;
		error = queue_step(&courier->queue, &courier->rows, &pending->event, actions);
		if (error == ERROR_OK)
			error = rows_keep(&courier->rows);
	} while (error == ERROR_NEEDS_ROWS);
	if (error != ERROR_OK)
		rows_undo(&courier->rows);
	else
		queue_kept(&courier->queue, actions);
	return error;
}

/* Keeps what is to be done after the commit. True if the event is to be given again. */
static bool keep_outcomes(
	struct courier *courier, const struct pending *pending, const struct queue_actions *actions)
{
	bool again = false;

	for (size_t i = 0; i < actions->count; i++) {
		const struct queue_action *action = &actions->actions[i];

		switch (action->kind) {
		case QUEUE_ACTION_AGAIN:
			again = true;
			break;
		case QUEUE_ACTION_PROGRESS:
		case QUEUE_ACTION_STORED:
		case QUEUE_ACTION_REFUSE:
		case QUEUE_ACTION_LOG:
			courier->outcomes[courier->outcome_count++] = (struct outcome){
				.action = *action,
				.session = pending->session,
				.transfer = pending->transfer,
			};
			break;
		default:
			break; /* for queue_kept */
		}
	}
	return again;
}

static bool batch_has_room(const struct courier *courier)
{
	return rows_room(&courier->rows) >= QUEUE_ROOM_MIN &&
		BATCH_ACTIONS_MAX - courier->outcome_count >= QUEUE_ACTIONS_MAX;
}

/* Random numbers, asked of the system for some events at a time. */
struct entropy {
	uint64_t numbers[16];
	size_t left;
};

static bool draw(struct courier *courier, struct entropy *entropy, uint64_t *number)
{
	if (entropy->left == 0) {
		if (getrandom(entropy->numbers, sizeof entropy->numbers, 0) != sizeof entropy->numbers) {
			courier_fail(courier, "the system gives no random numbers");
			return false;
		}
		entropy->left = sizeof entropy->numbers / sizeof entropy->numbers[0];
	}
	*number = entropy->numbers[--entropy->left];
	return true;
}

/* To the end of the list, as one that can wait. A START stays: its sweep goes before all transfers. */
static void put_off_tick(struct courier *courier)
{
	struct pending *tick = take_first(courier);

	tick->goes_on = true;
	append(courier, tick);
}

static void set_tick(struct courier *courier, struct queue_event *event)
{
	event->tick.post_is_full = !dispatch_can_report(courier);
	courier->ends_held = event->tick.post_is_full;
}

/*
 * Takes events through the queue until none is left but a TICK that had its turn, or the batch is full.
 * False: the daemon has failed.
 */
static bool step_batch(struct courier *courier)
{
	struct queue_actions actions;
	struct entropy entropy = {.left = 0};
	uint64_t room = dispatch_disk_room(courier);
	unsigned count = 0;
	unsigned tick_steps = 0;

	while (courier->pending_first != NULL && batch_has_room(courier) &&
		!(courier->pending_first->goes_on && tick_steps == TICK_STEPS_MAX)) {
		struct pending *pending = courier->pending_first;
		enum error error;

		pending->event.wall_ms = courier_wall_ms();
		pending->event.steady_ms = courier_steady_ms();
		pending->event.disk_room = room;
		if (!draw(courier, &entropy, &pending->event.entropy))
			return false;
		if (pending->event.kind == QUEUE_TICK)
			set_tick(courier, &pending->event);
		error = step(courier, pending, &actions);
		if (error == ERROR_FULL && count > 0)
			return true; /* it begins the next batch */
		if (error != ERROR_OK) {
			if (error != ERROR_CLOSED)
				courier_fail(courier,
					error == ERROR_MALFORMED ? QUEUE_SPOILT : error_text(error));
			return false;
		}
		count++;
		if (!keep_outcomes(courier, pending, &actions)) {
			free_pending(take_first(courier));
		} else if (pending->event.kind == QUEUE_TICK && ++tick_steps == TICK_STEPS_MAX) {
			put_off_tick(courier);
		}
	}
	return true;
}

/* One batch: steps, one commit, then what follows from it. False: nothing more can be done now. */
static bool run_batch(struct courier *courier)
{
	enum error error;

	courier->outcome_count = 0;
	courier->rows_used = true;
	courier->company_over = false;
	uv_timer_stop(&courier->company);
	if (!step_batch(courier))
		return false;
	error = store_commit(courier->store, &courier->rows);
	if (error == ERROR_FULL) {
		courier_start_over(courier);
		return false;
	}
	if (error != ERROR_OK) {
		fail_store(courier);
		return false;
	}
	dispatch_perform(courier);
	rows_settle(&courier->rows);
	return true;
}

static void on_company_over(uv_timer_t *timer)
{
	struct courier *courier = timer->data;

	courier->company_over = true;
}

bool dispatch_is_done(const struct courier *courier)
{
	return courier->pending_count == 0 ||
		(courier->pending_count == 1 && courier->pending_first->goes_on);
}

/* True if there are events, and some of them wait no longer for others to share a commit with. */
static bool batch_is_due(struct courier *courier)
{
	if (courier->pending_count == 0)
		return false;
	if (courier->pressing_count > 0 || courier->company_over)
		return true;
	if (!dispatch_is_done(courier) &&
		(courier->blocked || courier->pending_count >= COMPANY_MAX || courier->stopping ||
			courier->reloading))
		return true;
	if (!uv_is_active((uv_handle_t *)&courier->company))
		uv_timer_start(&courier->company, on_company_over, COMPANY_MS, 0);
	return false;
}

void dispatch_run(struct courier *courier)
{
	if (courier->running)
		return;
	courier->running = true;
	if (courier->ends_held && dispatch_can_report(courier)) {
		courier->ends_held = false;
		dispatch_note_tick(courier);
	}
	while (courier->exit_code == 0 && !courier->starting_over &&
		(courier->feeding || batch_is_due(courier))) {
		if (batch_is_due(courier)) {
			if (!run_batch(courier))
				break;
			courier->feeding = true;
		}
		dispatch_feed(courier);
		if (courier->post == NULL)
			continue;
		post_link_flush(courier->post);
		if (courier->pending_size <= PENDING_SIZE_MAX)
			post_link_resume(courier->post);
	}
	courier->running = false;
}

/* ---- making and unmaking ---- */

static struct eid node_of(const char *text)
{
	struct eid eid;
	enum error error = eid_from_text(bytes_of_text(text), &eid);

	/* The configuration was checked when it was read. */
	assert(error == ERROR_OK);
	return eid;
}

static enum error make_queue(struct courier *courier)
{
	const struct config *config = &courier->config;
	struct queue_settings settings = {
		.node = node_of(config->node),
		.routes = courier->queue_routes,
		.routes_count = config->neighbour_count,
		.paths = courier->queue_paths,
		.paths_count = config->path_count,
		.pool_size_max = QUEUE_POOL_SIZE_MAX,
		.disk_reserve_min = QUEUE_DISK_RESERVE_MIN,
		.clock_is_right = false,
	};
	struct pending *start;
	enum error error;

	for (unsigned i = 0; i < config->neighbour_count; i++) {
		courier->queue_routes[i].name = bytes_of_text(config->neighbours[i].name);
		courier->queue_routes[i].neighbour = node_of(config->neighbours[i].node);
		courier->queue_routes[i].whole = config->neighbours[i].fragments_none;
	}
	for (unsigned i = 0; i < config->path_count; i++) {
		courier->queue_paths[i].destination = node_of(config->paths[i].node);
		courier->queue_paths[i].route = config->paths[i].neighbour;
	}
	error = queue_make(&courier->queue, &settings);
	start = make_pending(QUEUE_START, 0);
	if (start == NULL)
		return ERROR_NO_MEMORY;
	append(courier, start);
	return error;
}

enum error dispatch_open(struct courier *courier)
{
	courier->rows_memory = mmap(
		NULL, ROWS_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (courier->rows_memory == MAP_FAILED) {
		courier->rows_memory = NULL;
		return ERROR_NO_MEMORY;
	}
	rows_make(&courier->rows, courier->rows_memory, ROWS_MEMORY_SIZE);
	return make_queue(courier);
}

static void forget_all(struct courier *courier)
{
	while (courier->pending_first != NULL)
		free_pending(take_first(courier));
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		courier->routes[i].flight_count = 0;
	courier->outcome_count = 0;
}

enum error dispatch_restart(struct courier *courier)
{
	forget_all(courier);
	rows_reset(&courier->rows);
	return make_queue(courier);
}

void dispatch_close(struct courier *courier)
{
	forget_all(courier);
	if (courier->rows_memory != NULL)
		munmap(courier->rows_memory, ROWS_MEMORY_SIZE);
}

void dispatch_rest(struct courier *courier)
{
	if (!courier->rows_used || courier->pending_first != NULL || courier->running)
		return;
	courier->rows_used = false;
	madvise(courier->rows_memory, ROWS_MEMORY_SIZE, MADV_DONTNEED);
	rows_make(&courier->rows, courier->rows_memory, ROWS_MEMORY_SIZE);
}
