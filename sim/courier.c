/* A courier's process: the queue of carry/queue.h over a store, the stream to its post, and sessions by
 * network.c. */
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/check_courier.h"
#include "sim/rogue.h"

#define BATCH_EVENTS_MAX 8
#define ROWS_MEMORY_SIZE (8 * 1024 * 1024)
#define TRANSFER_SIZE    65536 /* what a neighbour takes in one transfer: larger bundles go in fragments */
#define POOL_SIZE        (64 * 1024 * 1024)

/* An action that is performed after the commit, and what it answers to. */
struct promised {
	struct queue_action action;
	uint8_t route[ROW_KEY_SIZE_MAX];
	struct courier_input *input; /* the bundle it is about, or NULL */
};

struct batch {
	size_t count;
	size_t count_max;
	struct promised *pending;
	size_t inputs_count;
	struct courier_input *inputs[BATCH_EVENTS_MAX];
};

static struct courier *courier_of(struct world *world, size_t node)
{
	return &world->nodes[node].courier;
}

/* ---- one event ---- */

static void keep(struct batch *batch, const struct queue_actions *actions, struct courier_input *input)
{
	for (size_t i = 0; i < actions->count; i++) {
		if (batch->count == batch->count_max) {
			batch->count_max = batch->count_max * 2 + 16;
			batch->pending = disk_must(
				realloc(batch->pending, batch->count_max * sizeof(*batch->pending)));
		}
		struct promised *pending = &batch->pending[batch->count++];
		pending->action = actions->actions[i];
		pending->input = input;
		if (pending->action.route.size > sizeof(pending->route))
			pending->action.route.size = sizeof(pending->route);
		if (pending->action.route.size > 0)
			memcpy(pending->route, pending->action.route.data, pending->action.route.size);
	}
}

static enum error give(struct world *world, size_t node, struct queue_event *event, struct batch *batch,
		       struct courier_input *input, bool *again)
{
	static struct queue_actions actions;
	struct courier *courier = courier_of(world, node);
	enum error error;

	event->wall_ms = world_wall_ms(world, node);
	event->steady_ms = world->now_ms - courier->started_ms;
	event->disk_room = courier->disk_room;
	event->entropy = random_next(&world->random);
	world->steps++;
	do {
		disk_load(&courier->disk, &courier->rows);
		rows_begin(&courier->rows);
		error = queue_step(courier->queue, &courier->rows, event, &actions);
		if (error == ERROR_OK)
			error = rows_keep(&courier->rows);
	} while (error == ERROR_NEEDS_ROWS);
	if (error != ERROR_OK) {
		rows_undo(&courier->rows);
		world_violation(world, "the queue handles every event", "event %u at %zu: %s", event->kind,
				node, error_name(error));
		return error;
	}
	queue_kept(courier->queue, &actions);
	*again = false;
	for (size_t i = 0; i < actions.count; i++)
		*again = *again || actions.actions[i].kind == QUEUE_ACTION_AGAIN;
	keep(batch, &actions, input);
	return ERROR_OK;
}

/* ---- to the post ---- */

static void to_post(struct world *world, size_t node, const struct link_message *message)
{
	static uint8_t memory[LINK_FRAME_SIZE_MAX + 4];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	if (!world->nodes[node].link_up)
		return;
	enum error error = link_encode(&buffer, LINK_COURIER, message);
	if (error != ERROR_OK) {
		world_violation(world, "a courier speaks the link's language", "type %u: %s", message->type,
				error_name(error));
		return;
	}
	frames_add(&world->nodes[node].to_post, buffer_bytes(&buffer));
	shell_wake(world, node);
}

static void perform(struct world *world, size_t node, const struct promised *pending)
{
	const struct queue_action *action = &pending->action;
	struct link_message message = {.type = LINK_PROGRESS};

	switch (action->kind) {
	case QUEUE_ACTION_PROGRESS:
		if (action->error != ERROR_OK)
			world_refused(world, action->error);
		memcpy(message.progress.id, action->id, sizeof(message.progress.id));
		message.progress.state = action->state;
		message.progress.route = bytes_make(pending->route, action->route.size);
		message.progress.reason = action->error;
		to_post(world, node, &message);
		break;
	case QUEUE_ACTION_STORED:
	case QUEUE_ACTION_REFUSE:
		if (pending->input->generation != 0)
			network_answer(world, node, pending->input, action->kind == QUEUE_ACTION_STORED,
				       action->reason);
		break;
	case QUEUE_ACTION_LOG:
		world_refused(world, action->error);
		world_trace(world, "courier %zu log %s: %s", node, error_name(action->error), action->text);
		break;
	default:
		break;
	}
}

/* After the post's HELLO, before all else. */
static void give_heads(struct world *world, size_t node)
{
	static struct link_message message;
	struct courier *courier = courier_of(world, node);
	enum error error;

	if (!world->nodes[node].link_up || world->nodes[node].greeted)
		return;
	world->nodes[node].greeted = true;
	message.type = LINK_HEADS;
	do {
		disk_load(&courier->disk, &courier->rows);
		rows_begin(&courier->rows);
		error = queue_read_heads(&courier->rows, &message.heads);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&courier->rows);
	if (rogue_hides_heads(world, node))
		message.heads.count = 0;
	if (error == ERROR_OK)
		to_post(world, node, &message);
	else
		world_violation(world, "the queue gives the heads it keeps", "%s", error_name(error));
	rows_reset(&courier->rows);
}

static void give_deliveries(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct link_message message = {.type = LINK_RECEIVED};
	enum error error = ERROR_OK;

	while (world->nodes[node].link_up && error == ERROR_OK) {
		do {
			disk_load(&courier->disk, &courier->rows);
			rows_begin(&courier->rows);
			error = queue_next_delivery(courier->queue, &courier->rows, &message.received);
		} while (error == ERROR_NEEDS_ROWS);
		rows_undo(&courier->rows);
		if (error == ERROR_OK) {
			to_post(world, node, &message);
			queue_delivery_given(courier->queue, &message.received);
		} else if (error != ERROR_NOT_FOUND && error != ERROR_NOT_NOW) {
			world_violation(world, "the queue gives its deliveries", "%s", error_name(error));
		}
		rows_settle(&courier->rows);
	}
}

/* ---- to the neighbours ---- */

static enum error next_transfer(struct world *world, size_t node, size_t route,
				struct queue_transfer *transfer, struct buffer *bundle)
{
	struct courier *courier = courier_of(world, node);
	enum error error;

	do {
		bundle->size = 0;
		disk_load(&courier->disk, &courier->rows);
		rows_begin(&courier->rows);
		error = queue_next(courier->queue, &courier->rows, route, world->now_ms - courier->started_ms,
				   TRANSFER_SIZE, transfer, bundle);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&courier->rows);
	return error;
}

static void pump(struct world *world, size_t node)
{
	static uint8_t memory[BUNDLE_SIZE_MAX + BUNDLE_OVERHEAD_SIZE_MAX];
	struct courier *courier = courier_of(world, node);

	for (size_t route = 0; route < courier->settings.routes_count; route++) {
		size_t peer = courier->node_of[route];
		while (courier->up && world->sessions[node][peer].up) {
			struct queue_transfer transfer;
			struct buffer bundle = buffer_make(memory, sizeof(memory));
			enum error error = next_transfer(world, node, route, &transfer, &bundle);
			if (error == ERROR_OK) {
				check_transfer(world, node, &transfer);
				queue_begun(courier->queue, &transfer);
				network_send(world, node, peer, transfer.number, buffer_bytes(&bundle));
			} else if (error != ERROR_NOT_FOUND && error != ERROR_NOT_NOW) {
				world_violation(world, "the queue gives what waits", "%s", error_name(error));
			}
			rows_settle(&courier->rows);
			if (error != ERROR_OK)
				break;
		}
	}
}

/* ---- inputs ---- */

static enum error give_frame(struct world *world, size_t node, struct batch *batch, const struct frame *frame)
{
	static struct link_message message;
	struct bytes content;
	size_t size;
	struct queue_event event = {.kind = QUEUE_SEND};
	bool again;

	enum error error = link_frame_next(bytes_make(frame->data, frame->size), &content, &size);
	if (error == ERROR_OK)
		error = link_decode(content, LINK_POST, &message);
	if (error != ERROR_OK) {
		world_violation(world, "a post speaks the link's language", "%s", error_name(error));
		return error;
	}
	switch (message.type) {
	case LINK_SEND:
		event.send = message.send;
		break;
	case LINK_HEAD:
		event.kind = QUEUE_HEAD;
		event.head = message.head;
		break;
	case LINK_LEFT:
		queue_delivery_left(courier_of(world, node)->queue, message.left.delivery);
		return ERROR_OK;
	case LINK_CANCEL:
		event.kind = QUEUE_CANCEL;
		memcpy(event.cancel, message.cancel.id, sizeof(event.cancel));
		break;
	default:
		event.kind = QUEUE_TAKEN;
		event.taken = message.taken.delivery;
		break;
	}
	return give(world, node, &event, batch, NULL, &again);
}

static enum error give_input(struct world *world, size_t node, struct batch *batch,
			     struct courier_input *input)
{
	struct courier *courier = courier_of(world, node);
	struct queue_event event = {.kind = input->kind};
	bool again;

	if (input->kind == QUEUE_RECEIVED) {
		event.received.route = courier->route_of[input->peer];
		event.received.bundle = bytes_make(input->data, input->size);
		return give(world, node, &event, batch, input, &again);
	}
	event.transfer.number = input->number;
	event.transfer.reason = input->reason;
	if (input->kind != QUEUE_FAILED)
		return give(world, node, &event, batch, input, &again);
	/* The session ended: all of its transfers. */
	enum error error = ERROR_OK;
	while (error == ERROR_OK &&
	       queue_in_transfer(courier->queue, courier->route_of[input->peer], &event.transfer.number))
		error = give(world, node, &event, batch, input, &again);
	return error;
}

static enum error give_repeated(struct world *world, size_t node, struct batch *batch,
				enum queue_event_kind kind)
{
	bool again = true;
	enum error error = ERROR_OK;

	while (again && error == ERROR_OK) {
		struct queue_event event = {.kind = kind};
		error = give(world, node, &event, batch, NULL, &again);
	}
	return error;
}

static enum error give_next(struct world *world, size_t node, struct batch *batch, bool *given)
{
	struct courier *courier = courier_of(world, node);
	struct frames *frames = &world->nodes[node].to_courier;
	enum error error = ERROR_OK;

	*given = true;
	if (courier->first != NULL && (frames->first == NULL || random_below(&world->random, 2) == 0)) {
		struct courier_input *input = courier->first;
		courier->first = input->next;
		batch->inputs[batch->inputs_count++] = input;
		error = give_input(world, node, batch, input);
	} else if (frames->first != NULL) {
		struct frame *frame = frames_take(frames);
		error = give_frame(world, node, batch, frame);
		free(frame);
	} else if (courier->wants_tick) {
		courier->wants_tick = false;
		error = give_repeated(world, node, batch, QUEUE_TICK);
	} else {
		*given = false;
	}
	return error;
}

/* ---- the batch ---- */

static bool may_die(struct world *world, size_t node, const char *where)
{
	if (!world_fault(world, FAULT_CRASH))
		return false;
	world_trace(world, "courier %zu dies %s", node, where);
	courier_crash(world, node);
	return true;
}

static void free_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->inputs_count; i++)
		free(batch->inputs[i]);
	free(batch->pending);
}

static void end_batch(struct world *world, size_t node, struct batch *batch)
{
	struct courier *courier = courier_of(world, node);

	if (may_die(world, node, "before its commit"))
		return;
	world_gather(world, &courier->rows);
	disk_commit(&courier->disk, &world->changes);
	rows_settle(&courier->rows);
	check_courier(world, node);
	for (size_t i = 0; i < batch->count; i++) {
		if (may_die(world, node, "among its actions"))
			return;
		perform(world, node, &batch->pending[i]);
	}
	give_heads(world, node);
	give_deliveries(world, node);
	pump(world, node);
}

void courier_run(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct batch batch = {0};
	size_t events_max = 1 + random_below(&world->random, BATCH_EVENTS_MAX);
	bool given = true;

	courier->scheduled = false;
	if (!courier->up)
		return;
	for (size_t i = 0; i < events_max && given && rows_room(&courier->rows) >= QUEUE_ROOM_MIN; i++)
		if (give_next(world, node, &batch, &given) != ERROR_OK)
			break;
	if (world->violation == NULL)
		end_batch(world, node, &batch);
	free_batch(&batch);
	if (courier->up && (courier->first != NULL || world->nodes[node].to_courier.first != NULL))
		courier_wake(world, node);
}

void courier_wake(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct event event = {.kind = EVENT_COURIER_RUN, .node = node};

	if (!courier->up || courier->scheduled)
		return;
	courier->scheduled = true;
	world_schedule(world, random_below(&world->random, 20), &event);
}

void courier_give(struct world *world, size_t node, struct courier_input *input)
{
	struct courier *courier = courier_of(world, node);

	input->next = NULL;
	if (courier->first == NULL)
		courier->last = &courier->first;
	*courier->last = input;
	courier->last = &input->next;
	courier_wake(world, node);
}

/* ---- life and death ---- */

static void set_routes(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct queue_settings *settings = &courier->settings;
	size_t count = 0;

	(void)eid_from_text(bytes_of_text(courier->node), &settings->node);
	for (size_t peer = 0; peer < world->settings.nodes; peer++) {
		if (peer == node)
			continue;
		snprintf(courier->route_names[count], sizeof(courier->route_names[count]), "to %zu", peer);
		courier->routes[count].name = bytes_of_text(courier->route_names[count]);
		(void)eid_from_text(bytes_of_text(world->nodes[peer].courier.node),
				    &courier->routes[count].neighbour);
		courier->route_of[peer] = count;
		courier->node_of[count] = peer;
		count++;
	}
	settings->routes = courier->routes;
	settings->routes_count = count;
	settings->pool_size_max = POOL_SIZE;
	settings->disk_reserve_min = QUEUE_DISK_RESERVE_MIN;
	courier->disk_room = UINT64_MAX;
}

void courier_make(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);

	courier->memory = disk_must(malloc(ROWS_MEMORY_SIZE));
	courier->queue = disk_must(malloc(sizeof(*courier->queue)));
	set_routes(world, node);
	courier_start(world, node);
}

static void drop_inputs(struct courier_input **inputs)
{
	while (*inputs != NULL) {
		struct courier_input *input = *inputs;
		*inputs = input->next;
		free(input);
	}
}

void courier_free(struct courier *courier)
{
	drop_inputs(&courier->first);
	drop_inputs(&courier->at_relays);
	disk_free(&courier->disk);
	free(courier->queue);
	free(courier->memory);
}

void courier_start(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct batch batch = {0};

	courier->up = true;
	courier->started_ms = world->now_ms - random_below(&world->random, 100000);
	rows_make(&courier->rows, courier->memory, ROWS_MEMORY_SIZE);
	if (queue_make(courier->queue, &courier->settings) != ERROR_OK)
		world_violation(world, "a courier starts", "node %zu", node);
	else if (give_repeated(world, node, &batch, QUEUE_START) == ERROR_OK)
		end_batch(world, node, &batch);
	free_batch(&batch);
	network_try_again(world, node);
	courier_wake(world, node);
}

void courier_crash(struct world *world, size_t node)
{
	struct courier *courier = courier_of(world, node);
	struct event event = {.kind = EVENT_COURIER_START, .node = node};

	courier->up = false;
	courier->wants_tick = false;
	drop_inputs(&courier->first);
	link_break(world, node);
	frames_clear(&world->nodes[node].to_courier); /* what it had not read of the stream ends with it */
	for (size_t peer = 0; peer < world->settings.nodes; peer++) {
		if (peer == node)
			continue;
		network_break(world, node, peer);
		network_break(world, peer, node);
	}
	world_schedule(world, random_span(&world->random, 10, DAY_MS), &event);
}
