/* Copies: from the post, cancelled, transferred. */
#include <assert.h>
#include <string.h>

#include "carry/queue_rows.h"
#include "carry/tcpcl.h"

/* ---- copies ---- */

struct place copy_place(struct bytes id, const struct copy *copy)
{
	bool own = copy_id_is_own(id);
	return (struct place){
		.pool = own ? QUEUE_POOL_OWN : QUEUE_POOL_OTHERS,
		.mark = own ? mark_of(copy->route) : mark_of_seen(bytes_make(id.data + 1, id.size - 1)),
		.precedence = copy->precedence,
	};
}

enum error copy_add(struct step *step, struct bytes id, struct copy *copy, struct bytes bundle)
{
	struct key key;
	struct place place = copy_place(id, copy);
	enum error error = pool_check(step, &place, bundle.size);
	if (error == ERROR_OK)
		error = pool_add(step, &place, bundle.size);
	if (error == ERROR_OK)
		error = route_add(step, copy->route, copy->precedence, bundle.size);
	if (error != ERROR_OK)
		return error;
	copy->state = COPY_WAITING;
	copy->number = ++step->totals.number;
	copy->arrived_ms = step->now_ms;
	copy->size = bundle.size;
	copy_put(step->rows, id, copy);
	rows_put(step->rows, key_waiting(&key, copy->route, copy->precedence, copy->number), id);
	rows_put(step->rows, key_bundle(&key, copy->number), bundle);
	rows_put(step->rows, key_timer(&key, TIMER_EXPIRE, copy->expires_ms, id), bytes_make(NULL, 0));
	return ERROR_OK;
}

enum error copy_remove(struct step *step, struct bytes id, const struct copy *copy)
{
	struct key key;
	struct place place = copy_place(id, copy);
	if (copy->state == COPY_CARRIED)
		return ERROR_MALFORMED;
	enum error error = pool_take(step, &place, copy->size);
	if (error == ERROR_OK)
		error = route_take(step, copy->route, copy->precedence, copy->size);
	if (error != ERROR_OK)
		return error;
	if (copy->state == COPY_WAITING)
		rows_delete(step->rows, key_waiting(&key, copy->route, copy->precedence, copy->number));
	else
		rows_delete(step->rows, key_timer(&key, TIMER_RETRY, copy->retry_ms, id));
	rows_delete(step->rows, key_bundle(&key, copy->number));
	rows_delete(step->rows, key_timer(&key, TIMER_EXPIRE, copy->expires_ms, id));
	rows_delete(step->rows, key_copy(&key, id));
	return ERROR_OK;
}

enum error carried_remove(struct step *step, struct bytes id, const struct copy *copy)
{
	struct key key;
	if (copy->state != COPY_CARRIED || step->totals.shown.carried_count == 0)
		return ERROR_MALFORMED;
	rows_delete(step->rows, key_timer(&key, TIMER_CARRIED, copy->expires_ms, id));
	rows_delete(step->rows, key_copy(&key, id));
	step->totals.shown.carried_count--;
	step->totals_changed = true;
	return ERROR_OK;
}

/* ---- the post's SEND and CANCEL ---- */

static void progress(struct step *step, const uint8_t id[LINK_ID_SIZE], enum link_copy_state state,
		     struct bytes route, enum error error)
{
	struct queue_action *action = step_act(step, QUEUE_ACTION_PROGRESS);
	memcpy(action->id, id, LINK_ID_SIZE);
	action->state = state;
	action->route = route;
	action->error = error;
}

static const struct queue_route *route_named(const struct queue_settings *settings, struct bytes name)
{
	for (size_t i = 0; i < settings->routes_count; i++)
		if (bytes_equal(settings->routes[i].name, name))
			return &settings->routes[i];
	return NULL;
}

/* Where the copy goes, and by which route. */
static enum error choose(const struct queue_settings *settings, const struct link_send *send,
			 struct eid *node, struct copy *copy)
{
	struct eid destination;
	enum error error = eid_from_text(send->destination, &destination);
	if (error != ERROR_OK)
		return error;
	*node = eid_node(&destination);
	if (eid_is_null(node) || eid_is_local(node) || eid_same_node(node, &settings->node))
		return ERROR_BAD_ARGUMENT;
	copy->route = route_to(settings, node);
	copy->pinned = send->pin.size > 0;
	if (!copy->pinned)
		return ERROR_OK;
	const struct queue_route *pin = route_named(settings, send->pin);
	if (pin == NULL)
		return ERROR_NOT_FOUND;
	copy->route = pin->name;
	return ERROR_OK;
}

static enum error send_new(struct step *step, struct bytes id, const struct eid *node, struct copy *copy)
{
	const struct link_send *send = &step->event->send;
	struct queue *queue = step->queue;
	uint64_t wall_ms = step->event->wall_ms;
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer destination = buffer_make(memory, sizeof(memory));
	struct buffer bundle = buffer_make(queue->bundle, sizeof(queue->bundle));
	assert(send->sealed.size <= SEALED_SIZE_MAX &&
	       send->lifetime_ms <= LIFETIME_MS_MAX); /* by link_decode */
	eid_write(&destination, node);
	copy->destination = buffer_bytes(&destination);
	copy->precedence = send->precedence;
	copy->expires_ms = step->now_ms + send->lifetime_ms;
	struct bundle_fields fields = {
		.destination = eid_with_precedence(node, send->precedence),
		.source = eid_node(&queue->settings.node),
		.creation_ms = wall_ms > BUNDLE_EPOCH_UNIX_MS ? wall_ms - BUNDLE_EPOCH_UNIX_MS : 0,
		.sequence = ++step->totals.sequence,
		.lifetime_ms = send->lifetime_ms,
	};
	enum error error = bundle_create(&bundle, &fields, send->sealed);
	assert(error == ERROR_OK);
	return copy_add(step, id, copy, buffer_bytes(&bundle));
}

static void not_taken(struct step *step, enum error error)
{
	progress(step, step->event->send.id, LINK_FAILED, bytes_make(NULL, 0), error);
	step_log(step, error, "a copy from the post is not taken into the queue");
}

enum error step_send(struct step *step)
{
	const struct link_send *send = &step->event->send;
	uint8_t memory[COPY_ID_SIZE_MAX];
	struct bytes id = copy_id_own(memory, send->id);
	struct eid node;
	struct copy copy;
	enum error error = copy_get(step->rows, id, &copy);
	if (error == ERROR_OK) {
		bool carried = copy.state == COPY_CARRIED;
		progress(step, send->id, carried ? LINK_CARRIED : LINK_QUEUED, copy.route, ERROR_OK);
		return ERROR_OK;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	error = choose(&step->queue->settings, send, &node, &copy);
	if (error != ERROR_OK) {
		not_taken(step, error);
		return ERROR_OK;
	}
	error = send_new(step, id, &node, &copy);
	if (error == ERROR_FULL) { /* of the pool; were it the rows', rows_keep would say so */
		not_taken(step, error);
		return ERROR_OK;
	}
	if (error == ERROR_OK)
		progress(step, send->id, LINK_QUEUED, bytes_make(NULL, 0), ERROR_OK);
	return error;
}

enum error step_cancel(struct step *step)
{
	uint8_t memory[COPY_ID_SIZE_MAX];
	struct bytes id = copy_id_own(memory, step->event->cancel);
	struct copy copy;
	enum error error = copy_get(step->rows, id, &copy);
	if (error == ERROR_NOT_FOUND)
		return ERROR_OK;
	if (error != ERROR_OK)
		return error;
	if (copy.state != COPY_CARRIED)
		return copy_remove(step, id, &copy);
	return carried_remove(step, id, &copy);
}

/* ---- transfers ---- */

/* The transfer of the event, its copy and its id. ERROR_NOT_FOUND: one is there no more. */
static enum error find(struct step *step, const struct queue_transfer **transfer, struct bytes *id,
		       struct copy *copy)
{
	struct queue *queue = step->queue;
	struct key key;
	uint64_t number = step->event->transfer.number;
	*transfer = NULL;
	for (size_t i = 0; i < queue->transfers_count; i++)
		if (queue->transfers[i].number == number)
			*transfer = &queue->transfers[i];
	if (*transfer == NULL)
		return ERROR_NOT_FOUND;
	step_act(step, QUEUE_ACTION_TRANSFER_ENDED)->number = number;
	struct bytes route = queue->settings.routes[(*transfer)->route].name;
	enum error error =
		rows_get(step->rows, key_waiting(&key, route, (*transfer)->precedence, number), id);
	if (error != ERROR_OK)
		return error;
	error = copy_get(step->rows, *id, copy);
	if (error == ERROR_NOT_FOUND || (error == ERROR_OK && copy->state != COPY_WAITING))
		return ERROR_MALFORMED;
	return error;
}

/* The copy of the post is with the neighbour: only its id is kept, to answer for. */
static enum error keep_carried(struct step *step, struct bytes id, struct copy *copy)
{
	struct key key;
	if (step->totals.shown.carried_count >= QUEUE_CARRIED_MAX) {
		struct copy oldest;
		struct timer first;
		enum error error = timer_first(step->rows, TIMER_CARRIED, &first);
		if (error == ERROR_OK)
			error = copy_get(step->rows, first.id, &oldest);
		if (error == ERROR_OK)
			error = carried_remove(step, first.id, &oldest);
		if (error != ERROR_OK)
			return error;
	}
	copy->state = COPY_CARRIED;
	copy_put(step->rows, id, copy);
	rows_put(step->rows, key_timer(&key, TIMER_CARRIED, copy->expires_ms, id), bytes_make(NULL, 0));
	step->totals.shown.carried_count++;
	progress(step, id.data + 1, LINK_CARRIED, copy->route, ERROR_OK);
	return ERROR_OK;
}

static enum error acknowledged(struct step *step)
{
	const struct queue_transfer *transfer;
	struct bytes id;
	struct copy copy;
	enum error error = find(step, &transfer, &id, &copy);
	if (error != ERROR_OK)
		return error;
	if (!transfer->last) {
		copy.offset = transfer->next_offset;
		copy.tries = 0;
		copy_put(step->rows, id, &copy);
		return ERROR_OK;
	}
	error = copy_remove(step, id, &copy);
	if (error != ERROR_OK || !copy_id_is_own(id))
		return error;
	return keep_carried(step, id, &copy);
}

/* The copy waits for `delay_ms` before it is tried again; 0: it waits in its place. */
static enum error retry(struct step *step, struct bytes id, struct copy *copy, uint64_t delay_ms)
{
	struct key key;
	if (delay_ms > 0) {
		rows_delete(step->rows, key_waiting(&key, copy->route, copy->precedence, copy->number));
		copy->state = COPY_RETRYING;
		copy->retry_ms = step->now_ms + delay_ms;
		rows_put(step->rows, key_timer(&key, TIMER_RETRY, copy->retry_ms, id), bytes_make(NULL, 0));
	}
	copy_put(step->rows, id, copy);
	return ERROR_OK;
}

uint64_t queue_retry_ms(unsigned precedence, uint64_t tries, uint64_t entropy)
{
	static const uint64_t max_ms[QUEUE_CLASSES] = {600000, 600000, 60000, 10000};
	assert(precedence >= 1 && precedence <= QUEUE_CLASSES && tries >= 1);
	uint64_t delay_ms = 1000ULL << (tries < 11 ? tries - 1 : 10);
	if (delay_ms > max_ms[precedence - 1])
		delay_ms = max_ms[precedence - 1];
	return delay_ms / 2 + entropy % (delay_ms / 2 + 1);
}

static enum error given_up(struct step *step, struct bytes id, const struct copy *copy)
{
	enum error error = copy_remove(step, id, copy);
	if (error != ERROR_OK)
		return error;
	if (copy_id_is_own(id))
		progress(step, id.data + 1, LINK_FAILED, copy->route, ERROR_UNSUPPORTED);
	step_log(step, ERROR_UNSUPPORTED, "the neighbour will not take this bundle: given up");
	return ERROR_OK;
}

static enum error refused(struct step *step)
{
	const struct queue_transfer *transfer;
	struct bytes id;
	struct copy copy;
	enum error error = find(step, &transfer, &id, &copy);
	if (error != ERROR_OK)
		return error;
	switch (step->event->transfer.reason) {
	case TCPCL_REFUSE_NOT_ACCEPTABLE:
		return given_up(step, id, &copy);
	case TCPCL_REFUSE_SESSION_TERMINATING:
		return ERROR_OK;
	default:
		copy.tries++;
		return retry(step, id, &copy,
			     queue_retry_ms(copy.precedence, copy.tries, step->event->entropy));
	}
}

static enum error failed(struct step *step)
{
	const struct queue_transfer *transfer;
	struct bytes id;
	struct copy copy;
	enum error error = find(step, &transfer, &id, &copy);
	if (error != ERROR_OK)
		return error;
	/* The first time it waits for a new session only; one that ends session after session gives way. */
	copy.tries++;
	uint64_t delay_ms = 0;
	if (copy.tries > 1)
		delay_ms = queue_retry_ms(copy.precedence, copy.tries - 1, step->event->entropy);
	return retry(step, id, &copy, delay_ms);
}

/* A transfer whose copy is gone (cancelled, expired) has nothing left to settle. */
static enum error settled(enum error error)
{
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error step_acknowledged(struct step *step)
{
	return settled(acknowledged(step));
}

enum error step_refused(struct step *step)
{
	if (step->event->transfer.reason == TCPCL_REFUSE_COMPLETED)
		return settled(acknowledged(step));
	return settled(refused(step));
}

enum error step_failed(struct step *step)
{
	return settled(failed(step));
}
