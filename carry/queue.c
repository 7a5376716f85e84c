#include "carry/queue.h"

#include <assert.h>
#include <string.h>

#include "carry/queue_rows.h"

enum error queue_make(struct queue *queue, const struct queue_settings *settings)
{
	if (settings->routes_count > ROUTES_MAX || eid_is_null(&settings->node))
		return ERROR_BAD_ARGUMENT;
	for (size_t i = 0; i < settings->routes_count; i++) {
		struct bytes name = settings->routes[i].name;
		if (name.size == 0 || name.size > ROUTE_NAME_SIZE_MAX ||
		    eid_is_null(&settings->routes[i].neighbour))
			return ERROR_BAD_ARGUMENT;
		for (size_t j = 0; j < i; j++)
			if (bytes_equal(settings->routes[j].name, name))
				return ERROR_BAD_ARGUMENT;
	}
	for (size_t i = 0; i < settings->paths_count; i++)
		if (settings->paths[i].route >= settings->routes_count)
			return ERROR_BAD_ARGUMENT;
	memset(queue, 0, sizeof(*queue));
	queue->settings = *settings;
	return ERROR_OK;
}

struct bytes route_to(const struct queue_settings *settings, const struct eid *node)
{
	for (size_t i = 0; i < settings->paths_count; i++)
		if (eid_same_node(&settings->paths[i].destination, node))
			return settings->routes[settings->paths[i].route].name;
	for (size_t i = 0; i < settings->routes_count; i++)
		if (eid_same_node(&settings->routes[i].neighbour, node))
			return settings->routes[i].name;
	return bytes_make(NULL, 0);
}

/* ---- steps ---- */

struct queue_action *step_act(struct step *step, enum queue_action_kind kind)
{
	struct queue_actions *actions = step->actions;
	assert(actions->count < QUEUE_ACTIONS_MAX);
	struct queue_action *action = &actions->actions[actions->count++];
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

void step_log(struct step *step, enum error error, const char *text)
{
	struct queue_action *action = step_act(step, QUEUE_ACTION_LOG);
	action->error = error;
	action->text = text;
}

static uint64_t clock_now(const struct totals *totals, uint64_t steady_ms)
{
	uint64_t since = steady_ms > totals->steady_ms ? steady_ms - totals->steady_ms : 0;
	return totals->clock_ms + since;
}

static enum error dispatch(struct step *step)
{
	switch (step->event->kind) {
	case QUEUE_START:
		return step_start(step);
	case QUEUE_TICK:
		return step_tick(step);
	case QUEUE_SEND:
		return step_send(step);
	case QUEUE_CANCEL:
		return step_cancel(step);
	case QUEUE_TAKEN:
		return step_taken(step);
	case QUEUE_HEAD:
		return step_head(step);
	case QUEUE_RECEIVED:
		return step_received(step);
	case QUEUE_ACKNOWLEDGED:
		return step_acknowledged(step);
	case QUEUE_REFUSED:
		return step_refused(step);
	case QUEUE_FAILED:
		return step_failed(step);
	}
	return ERROR_BAD_ARGUMENT;
}

enum error queue_step(struct queue *queue, struct rows *rows, const struct queue_event *event,
		      struct queue_actions *actions)
{
	struct step step = {.queue = queue, .rows = rows, .event = event, .actions = actions};
	actions->count = 0;
	enum error error = totals_get(rows, &step.totals);
	if (error == ERROR_NOT_FOUND && event->kind == QUEUE_START)
		error = ERROR_OK; /* a new store: all sums are 0 */
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (event->kind != QUEUE_START && (!queue->started || error == ERROR_NOT_FOUND))
		return ERROR_NOT_NOW;
	step.now_ms = clock_now(&step.totals, event->steady_ms);
	error = dispatch(&step);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error; /* a row that had to be there */
	if (step.totals_changed) {
		step.totals.clock_ms = step.now_ms;
		step.totals.wall_ms = event->wall_ms;
		step.totals.steady_ms = event->steady_ms;
		totals_put(rows, &step.totals);
	}
	return ERROR_OK;
}

/* ---- resident state ---- */

static struct queue_transfer *find_transfer(struct queue *queue, uint64_t number)
{
	for (size_t i = 0; i < queue->transfers_count; i++)
		if (queue->transfers[i].number == number)
			return &queue->transfers[i];
	return NULL;
}

static void end_transfer(struct queue *queue, uint64_t number)
{
	struct queue_transfer *transfer = find_transfer(queue, number);
	if (transfer != NULL)
		*transfer = queue->transfers[--queue->transfers_count];
}

void queue_kept(struct queue *queue, const struct queue_actions *actions)
{
	for (size_t i = 0; i < actions->count; i++) {
		const struct queue_action *action = &actions->actions[i];
		switch (action->kind) {
		case QUEUE_ACTION_TRANSFER_ENDED:
			end_transfer(queue, action->number);
			break;
		case QUEUE_ACTION_DELIVERY_TAKEN:
			delivery_answered(queue, action->precedence, action->number);
			break;
		case QUEUE_ACTION_SWEPT:
			queue->started = true;
			queue->sweep_size = action->route.size;
			if (action->route.size > 0)
				memcpy(queue->sweep, action->route.data, action->route.size);
			break;
		default:
			break;
		}
	}
}

void queue_begun(struct queue *queue, const struct queue_transfer *transfer)
{
	assert(queue->transfers_count < QUEUE_TRANSFERS_MAX);
	assert(find_transfer(queue, transfer->number) == NULL);
	queue->transfers[queue->transfers_count++] = *transfer;
}

bool queue_in_transfer(const struct queue *queue, size_t route, uint64_t *number)
{
	for (size_t i = 0; i < queue->transfers_count; i++) {
		if (queue->transfers[i].route == route) {
			*number = queue->transfers[i].number;
			return true;
		}
	}
	return false;
}

/* ---- what to send ---- */

#define RESERVED_PER_CLASS 8 /* transfers of one route that only a higher precedence may begin */

struct in_flight {
	uint64_t numbers[TCPCL_OUTGOING_MAX];
	size_t count;
	struct link_window window;
};

static void collect_in_flight(const struct queue *queue, size_t route, struct in_flight *in_flight)
{
	memset(in_flight, 0, sizeof(*in_flight));
	for (size_t i = 0; i < queue->transfers_count; i++) {
		const struct queue_transfer *transfer = &queue->transfers[i];
		if (transfer->route != route)
			continue;
		assert(in_flight->count < TCPCL_OUTGOING_MAX);
		in_flight->numbers[in_flight->count++] = transfer->number;
		link_window_sent(&in_flight->window, transfer->precedence, transfer->size);
	}
}

static bool is_in_flight(const struct in_flight *in_flight, uint64_t number)
{
	for (size_t i = 0; i < in_flight->count; i++)
		if (in_flight->numbers[i] == number)
			return true;
	return false;
}

static bool may_begin(const struct queue *queue, const struct in_flight *in_flight, unsigned precedence,
		      size_t size)
{
	size_t reserved = RESERVED_PER_CLASS * (QUEUE_CLASSES - precedence);
	return queue->transfers_count + reserved < QUEUE_TRANSFERS_MAX &&
	       in_flight->count + reserved < TCPCL_OUTGOING_MAX &&
	       link_window_open(&in_flight->window, precedence, size);
}

/* The first copy of the route that waits, is not in transfer and has not expired. */
static enum error first_waiting(struct rows *rows, struct bytes route, const struct in_flight *in_flight,
				uint64_t now_ms, struct bytes *id, struct copy *copy)
{
	struct key key;
	struct row row;
	struct bytes prefix = key_waiting_route(&key, route);
	enum error error = rows_first(rows, prefix, &row);
	for (; error == ERROR_OK; error = rows_after(rows, prefix, row.key, &row)) {
		uint64_t number;
		error = key_number(row.key, prefix.size + 1, &number);
		if (error != ERROR_OK)
			return error;
		if (is_in_flight(in_flight, number))
			continue;
		*id = row.value;
		error = copy_get(rows, row.value, copy);
		if (error == ERROR_NOT_FOUND)
			return ERROR_MALFORMED;
		if (error != ERROR_OK || now_ms < copy->expires_ms)
			return error;
	}
	return error;
}

/* The size of one transfer. Segments of two do not mix: a FLASH waits for the end of what has begun. */
static size_t piece_max(const struct queue_route *route, unsigned precedence, size_t size_max)
{
	bool cut = precedence < EID_SERVICE_FLASH && !route->whole;
	return cut && size_max > WINDOW_SIZE_MAX ? WINDOW_SIZE_MAX : size_max;
}

/* What the next transfer of a copy takes of the window, at most (but for one that must not be cut). */
static size_t piece_estimate(const struct queue_route *route, const struct copy *copy, size_t size_max)
{
	uint64_t offset = route->whole ? 0 : copy->offset;
	uint64_t left = copy->size - offset + BUNDLE_GROWTH_SIZE_MAX;
	size_t max = piece_max(route, copy->precedence, size_max);
	return left < max ? (size_t)left : max;
}

/* All of the bundle, also what another route carried in fragments; or nothing. */
static enum error append_whole(struct buffer *buffer, const struct bundle *bundle,
			       const struct bundle_forwarding *forwarding, size_t size_max, size_t *offset)
{
	struct buffer part = buffer_make(buffer->data + buffer->size, size_max);
	struct bundle_forwarding all = *forwarding;
	all.offset = 0;
	all.size = bundle->payload.size;
	enum error error = bundle_forward(&part, bundle, &all);
	if (error != ERROR_OK)
		return error;
	buffer->size += part.size;
	*offset = bundle->payload.size;
	return ERROR_OK;
}

static enum error append_next(struct buffer *buffer, const struct queue_route *route,
			      const struct bundle *bundle, const struct bundle_forwarding *forwarding,
			      unsigned precedence, size_t size_max, size_t *offset)
{
	if (route->whole)
		return append_whole(buffer, bundle, forwarding, size_max, offset);
	enum error error =
		fragment_next(buffer, bundle, forwarding, piece_max(route, precedence, size_max), offset);
	/* It must not be cut: then it passes as it is, if the neighbour takes it. */
	return error == ERROR_UNSUPPORTED ? fragment_next(buffer, bundle, forwarding, size_max, offset)
					  : error;
}

static enum error write_next(struct queue *queue, struct rows *rows, struct bytes id, const struct copy *copy,
			     uint64_t now_ms, size_t size_max, struct queue_transfer *transfer,
			     struct buffer *buffer)
{
	struct key key;
	struct bytes stored;
	struct bundle bundle;
	enum error error = rows_get(rows, key_bundle(&key, copy->number), &stored);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (bundle_read(stored, &bundle) != ERROR_OK ||
	    (copy->offset >= bundle.payload.size && bundle.payload.size > 0))
		return ERROR_MALFORMED;
	uint64_t spent = now_ms - copy->arrived_ms;
	struct bundle_forwarding forwarding = {
		.previous_node = copy_id_is_own(id) ? NULL : &queue->settings.node,
		.age_ms = bundle.age_ms < UINT64_MAX - spent ? bundle.age_ms + spent : UINT64_MAX,
	};
	size_t start = buffer->size;
	size_t offset = (size_t)copy->offset;
	transfer->number = copy->number;
	transfer->precedence = copy->precedence;
	error = append_next(buffer, &queue->settings.routes[transfer->route], &bundle, &forwarding,
			    copy->precedence, size_max, &offset);
	transfer->size = buffer->size - start;
	transfer->next_offset = offset;
	transfer->last = offset == bundle.payload.size;
	return error;
}

enum error queue_next(struct queue *queue, struct rows *rows, size_t route, uint64_t steady_ms,
		      size_t size_max, struct queue_transfer *transfer, struct buffer *bundle)
{
	struct totals totals;
	struct in_flight in_flight;
	struct bytes id;
	struct copy copy;
	assert(route < queue->settings.routes_count);
	if (size_max > BUNDLE_SIZE_MAX)
		size_max = BUNDLE_SIZE_MAX;
	assert(bundle->size_max - bundle->size >= size_max);
	memset(transfer, 0, sizeof(*transfer));
	transfer->route = route;
	enum error error = totals_get(rows, &totals);
	if (error == ERROR_NOT_FOUND || !queue->started)
		return ERROR_NOT_NOW;
	if (error != ERROR_OK)
		return error;
	uint64_t now_ms = clock_now(&totals, steady_ms);
	collect_in_flight(queue, route, &in_flight);
	error = first_waiting(rows, queue->settings.routes[route].name, &in_flight, now_ms, &id, &copy);
	if (error != ERROR_OK)
		return error;
	if (!may_begin(queue, &in_flight, copy.precedence,
		       piece_estimate(&queue->settings.routes[route], &copy, size_max)))
		return ERROR_NOT_NOW;
	return write_next(queue, rows, id, &copy, now_ms, size_max, transfer, bundle);
}

/* ---- for status ---- */

enum error queue_read_route(const struct queue *queue, struct rows *rows, size_t route,
			    struct queue_class classes[QUEUE_CLASSES])
{
	assert(route < queue->settings.routes_count);
	return route_get(rows, queue->settings.routes[route].name, classes);
}
