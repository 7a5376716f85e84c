/* Bundles from neighbours: delivered to the post, put together, sent on, or refused. */
#include <assert.h>
#include <string.h>

#include "carry/queue_rows.h"
#include "carry/tcpcl.h"

/* ---- answers ---- */

static enum error stored(struct step *step)
{
	step_act(step, QUEUE_ACTION_STORED);
	return ERROR_OK;
}

static enum error refuse(struct step *step, enum tcpcl_refuse reason, enum error error, const char *text)
{
	struct queue_action *action = step_act(step, QUEUE_ACTION_REFUSE);
	action->reason = (uint8_t)reason;
	action->error = error;
	step_log(step, error, text);
	return ERROR_OK;
}

static enum error refuse_full(struct step *step)
{
	return refuse(step, TCPCL_REFUSE_NO_RESOURCES, ERROR_FULL, "a bundle is refused: no room");
}

/* What pool_check says, if it is not ERROR_OK. */
static enum error no_room(struct step *step, enum error error)
{
	return error == ERROR_FULL ? refuse_full(step) : error;
}

/* ---- what was seen ---- */

enum error seen_remove(struct step *step, const struct timer *timer)
{
	struct key key;
	if (step->totals.shown.seen_count == 0)
		return ERROR_MALFORMED;
	rows_delete(step->rows, key_seen(&key, timer->id));
	rows_delete(step->rows, timer->key);
	step->totals.shown.seen_count--;
	step->totals_changed = true;
	return ERROR_OK;
}

/* Remembers the bundle for what is left of its life. Beyond the bound, the first to expire is forgotten. */
static enum error seen_add(struct step *step, struct bytes identity, uint64_t remaining_ms)
{
	struct key key;
	struct timer first;
	if (step->totals.shown.seen_count >= QUEUE_SEEN_MAX) {
		enum error error = timer_first(step->rows, TIMER_SEEN, &first);
		if (error == ERROR_OK)
			error = seen_remove(step, &first);
		if (error != ERROR_OK)
			return error;
	}
	rows_put(step->rows, key_seen(&key, identity), bytes_make(NULL, 0));
	rows_put(step->rows, key_timer(&key, TIMER_SEEN, step->now_ms + remaining_ms, identity),
		 bytes_make(NULL, 0));
	step->totals.shown.seen_count++;
	step->totals_changed = true;
	return ERROR_OK;
}

/* ERROR_OK: seen. ERROR_NOT_FOUND: not seen. */
static enum error seen_get(struct step *step, struct bytes identity)
{
	struct key key;
	struct bytes value;
	return rows_get(step->rows, key_seen(&key, identity), &value);
}

/* ---- deliveries ---- */

/* One bundle on its way through a step. */
struct arrival {
	struct bundle bundle;
	struct bundle_identity identity;
	struct bytes seen; /* what to remember it by: the neighbour's mark and the identity */
	uint8_t seen_memory[SEEN_SIZE_MAX];
	unsigned precedence;
	uint64_t remaining_ms;
};

static void remember_as(struct step *step, struct arrival *arrival)
{
	struct bytes route = step->queue->settings.routes[step->event->received.route].name;
	arrival->seen = seen_make(arrival->seen_memory, mark_of(route), &arrival->identity);
}

static struct place place_of(const struct arrival *arrival)
{
	return (struct place){
		.pool = QUEUE_POOL_OTHERS,
		.mark = mark_of_seen(arrival->seen),
		.precedence = arrival->precedence,
	};
}

static enum error deliver(struct step *step, const struct arrival *arrival, struct bytes payload)
{
	struct place place = place_of(arrival);
	struct key key;
	uint8_t memory[EID_SIZE_MAX];
	struct buffer source = buffer_make(memory, sizeof(memory));
	struct eid node = eid_node(&arrival->bundle.source);
	enum error error = pool_check(step, &place, payload.size);
	if (error != ERROR_OK)
		return no_room(step, error);
	error = pool_add(step, &place, payload.size);
	if (error == ERROR_OK)
		error = seen_add(step, arrival->seen, arrival->remaining_ms);
	if (error != ERROR_OK)
		return error;
	eid_append_text(&source, &node);
	uint64_t number = ++step->totals.number;
	struct delivery delivery = {
		.source = buffer_bytes(&source),
		.size = payload.size,
		.mark = place.mark,
	};
	delivery_put(step->rows, arrival->precedence, number, &delivery);
	rows_put(step->rows, key_payload(&key, number), payload);
	return stored(step);
}

/* ---- fragments ---- */

enum error unit_remove(struct step *step, struct bytes identity, const struct unit *unit)
{
	struct key key;
	struct key fragments;
	struct row row;
	struct bytes prefix = key_fragments(&fragments, identity);
	struct place place = {QUEUE_POOL_OTHERS, mark_of_seen(identity), unit->precedence};
	uint64_t left = unit->count;
	for (; left > 0; left--) {
		enum error error = rows_first(step->rows, prefix, &row);
		if (error == ERROR_OK)
			error = pool_take(step, &place, row.value.size);
		if (error != ERROR_OK)
			return error;
		rows_delete(step->rows, row.key);
	}
	rows_delete(step->rows, key_unit(&key, identity));
	rows_delete(step->rows, key_timer(&key, TIMER_UNIT, unit->expires_ms, identity));
	return ERROR_OK;
}

/* The unit that the fragment belongs to, or a new one. */
static enum error unit_find(struct step *step, const struct arrival *arrival, struct unit *unit)
{
	enum error error = unit_get(step->rows, arrival->seen, unit);
	if (error != ERROR_NOT_FOUND)
		return error;
	unit->expires_ms = step->now_ms + arrival->remaining_ms;
	unit->precedence = arrival->precedence;
	fragment_ranges_make(&unit->ranges, arrival->bundle.total_size);
	return ERROR_OK;
}

/* Puts the held fragments and the one that completes them together in the queue's `unit`. */
static enum error put_together(struct step *step, const struct arrival *arrival, const struct unit *unit)
{
	struct key fragments;
	struct row row;
	struct reassembly reassembly;
	const struct bundle *bundle = &arrival->bundle;
	struct bytes prefix = key_fragments(&fragments, arrival->seen);
	enum error error = reassembly_make(&reassembly, bundle->total_size, step->queue->unit,
					   sizeof(step->queue->unit));
	if (error == ERROR_OK)
		error = reassembly_add(&reassembly, bundle->total_size, bundle->fragment_offset,
				       bundle->payload);
	assert(error == ERROR_OK); /* the ranges were checked */
	error = rows_first(step->rows, prefix, &row);
	for (uint64_t left = unit->count; left > 0; left--) {
		if (error != ERROR_OK)
			return error;
		if (row.key.size != prefix.size + 16)
			return ERROR_MALFORMED;
		uint64_t offset = load_u64(row.key.data + row.key.size - 16);
		error = reassembly_add(&reassembly, bundle->total_size, offset, row.value);
		if (error != ERROR_OK && error != ERROR_DUPLICATE)
			return ERROR_BAD_CHECKSUM; /* two fragments disagree */
		error = rows_after(step->rows, prefix, row.key, &row);
	}
	return reassembly_whole(&reassembly) ? ERROR_OK : ERROR_MALFORMED;
}

static enum error unit_complete(struct step *step, const struct arrival *arrival, const struct unit *unit)
{
	/* What this fragment brings must fit; the others' room is what the delivery takes over. */
	struct place place = place_of(arrival);
	enum error room = pool_check(step, &place, arrival->bundle.payload.size);
	if (room != ERROR_OK)
		return no_room(step, room);
	enum error together = put_together(step, arrival, unit);
	if (together != ERROR_OK && together != ERROR_BAD_CHECKSUM)
		return together;
	enum error error = unit_remove(step, arrival->seen, unit);
	if (error != ERROR_OK)
		return error;
	if (together == ERROR_BAD_CHECKSUM)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_BAD_CHECKSUM,
			      "fragments of one bundle disagree: all are thrown away");
	return deliver(step, arrival, bytes_make(step->queue->unit, (size_t)arrival->bundle.total_size));
}

static enum error fragment_keep(struct step *step, const struct arrival *arrival, struct unit *unit)
{
	struct key key;
	const struct bundle *bundle = &arrival->bundle;
	uint64_t size = bundle->payload.size;
	struct place place = place_of(arrival);
	if (unit->count >= FRAGMENTS_MAX || unit->size + size > 2 * SEALED_SIZE_MAX)
		return refuse_full(step);
	enum error error = pool_check(step, &place, size);
	if (error != ERROR_OK)
		return no_room(step, error);
	error = pool_add(step, &place, size);
	if (error != ERROR_OK)
		return error;
	unit->count++;
	unit->size += size;
	unit_put(step->rows, arrival->seen, unit);
	rows_put(step->rows, key_fragment(&key, arrival->seen, bundle->fragment_offset, size),
		 bundle->payload);
	rows_put(step->rows, key_timer(&key, TIMER_UNIT, unit->expires_ms, arrival->seen),
		 bytes_make(NULL, 0));
	return stored(step);
}

static enum error receive_fragment(struct step *step, const struct arrival *arrival)
{
	struct unit unit;
	const struct bundle *bundle = &arrival->bundle;
	enum error error = unit_find(step, arrival, &unit);
	if (error != ERROR_OK)
		return error;
	if (unit.precedence != arrival->precedence)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_MALFORMED,
			      "a fragment is refused: the others have another destination");
	error = fragment_ranges_add(&unit.ranges, bundle->total_size, bundle->fragment_offset,
				    bundle->payload.size);
	if (error == ERROR_DUPLICATE)
		return stored(step);
	if (error == ERROR_FULL)
		return refuse_full(step);
	if (error != ERROR_OK)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, error,
			      "a fragment is refused: the others say another size");
	if (fragment_ranges_whole(&unit.ranges))
		return unit_complete(step, arrival, &unit);
	return fragment_keep(step, arrival, &unit);
}

/* ---- for this node ---- */

static enum error receive_here(struct step *step, struct arrival *arrival)
{
	const struct bundle *bundle = &arrival->bundle;
	if ((bundle->flags & BUNDLE_IS_ADMINISTRATIVE) != 0) {
		step_log(step, ERROR_UNSUPPORTED,
			 "an administrative record is thrown away: none is asked for");
		return stored(step);
	}
	if (arrival->precedence == 0)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_NOT_FOUND,
			      "a bundle is refused: no such service");
	if (bundle->payload.size == 0 || bundle->total_size > SEALED_SIZE_MAX)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_TOO_LARGE,
			      "a bundle is refused: empty, or too large for a sealed entry");
	bundle_identify_whole(bundle, &arrival->identity);
	remember_as(step, arrival);
	enum error error = seen_get(step, arrival->seen);
	if (error == ERROR_OK)
		return stored(step);
	if (error != ERROR_NOT_FOUND)
		return error;
	if ((bundle->flags & BUNDLE_IS_FRAGMENT) != 0)
		return receive_fragment(step, arrival);
	return deliver(step, arrival, bundle->payload);
}

/* ---- for another node ---- */

/* Puts the bundle into the queue, unless it is or was there. */
static enum error forward(struct step *step, struct arrival *arrival, struct bytes route,
			  const struct eid *node)
{
	uint8_t id_memory[COPY_ID_SIZE_MAX];
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer destination = buffer_make(memory, sizeof(memory));
	struct copy waiting;
	bundle_identify(&arrival->bundle, &arrival->identity);
	remember_as(step, arrival);
	struct bytes id = copy_id_forwarded(id_memory, arrival->seen);
	enum error error = seen_get(step, arrival->seen);
	if (error == ERROR_NOT_FOUND)
		error = copy_get(step->rows, id, &waiting); /* it may wait here and be forgotten as seen */
	if (error == ERROR_OK)
		return stored(step);
	if (error != ERROR_NOT_FOUND)
		return error;
	eid_write(&destination, node);
	struct copy copy = {
		.precedence = arrival->precedence != 0 ? arrival->precedence : EID_SERVICE_ROUTINE,
		.expires_ms = step->now_ms + arrival->remaining_ms,
		.route = route,
		.destination = buffer_bytes(&destination),
	};
	error = copy_add(step, id, &copy, step->event->received.bundle);
	if (error == ERROR_FULL)
		return refuse_full(step);
	if (error == ERROR_OK)
		error = seen_add(step, arrival->seen, arrival->remaining_ms);
	return error == ERROR_OK ? stored(step) : error;
}

static enum error receive_there(struct step *step, struct arrival *arrival)
{
	const struct queue_settings *settings = &step->queue->settings;
	struct eid node = eid_node(&arrival->bundle.destination);
	struct bytes route = route_to(settings, &node);
	if (route.size == 0 || bytes_equal(route, settings->routes[step->event->received.route].name))
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_NOT_FOUND,
			      "a bundle is refused: no way to its destination from here");
	if (step->event->received.bundle.size > BUNDLE_SIZE_MAX - BUNDLE_GROWTH_SIZE_MAX)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, ERROR_TOO_LARGE,
			      "a bundle is refused: too large to be sent on");
	return forward(step, arrival, route, &node);
}

/* ---- all ---- */

/* What is wrong with the bundle before it matters whom it is for. NULL: nothing. */
static const char *find_fault(const struct arrival *arrival, enum error *error)
{
	const struct bundle *bundle = &arrival->bundle;
	*error = ERROR_UNSUPPORTED;
	if (bundle_must_be_deleted(bundle))
		return "a bundle is refused: it asks for a block that is not known here";
	if (eid_is_null(&bundle->source) || eid_is_local(&bundle->source))
		return "a bundle is refused: it does not say from whom it is";
	if (eid_is_null(&bundle->destination) || eid_is_local(&bundle->destination))
		return "a bundle is refused: it is for nobody";
	*error = ERROR_TIMED_OUT;
	if (bundle->has_hop_count && bundle->hop_count > bundle->hop_limit)
		return "a bundle is refused: it has come too many hops";
	if (arrival->remaining_ms == 0)
		return "a bundle is refused: its lifetime is over";
	return NULL;
}

enum error step_received(struct step *step)
{
	const struct queue_settings *settings = &step->queue->settings;
	uint64_t wall_ms = step->event->wall_ms;
	uint64_t dtn_now_ms = 0;
	struct arrival arrival;
	enum error error = bundle_read(step->event->received.bundle, &arrival.bundle);
	assert(step->event->received.route < settings->routes_count);
	if (error != ERROR_OK)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, error,
			      "a bundle is refused: its form is wrong");
	if (settings->clock_is_right && wall_ms > BUNDLE_EPOCH_UNIX_MS)
		dtn_now_ms = wall_ms - BUNDLE_EPOCH_UNIX_MS;
	arrival.remaining_ms = bundle_remaining_ms(&arrival.bundle, dtn_now_ms);
	if (arrival.remaining_ms > LIFETIME_MS_MAX)
		arrival.remaining_ms = LIFETIME_MS_MAX;
	arrival.precedence = (unsigned)eid_precedence(&arrival.bundle.destination);
	const char *fault = find_fault(&arrival, &error);
	if (fault != NULL)
		return refuse(step, TCPCL_REFUSE_NOT_ACCEPTABLE, error, fault);
	if (eid_same_node(&arrival.bundle.destination, &settings->node))
		return receive_here(step, &arrival);
	return receive_there(step, &arrival);
}

/* ---- the post ---- */

/* What the post calls a delivery names its row: TAKEN needs no other index. */
static uint64_t delivery_of(unsigned precedence, uint64_t number)
{
	return number * QUEUE_CLASSES + (precedence - 1);
}

static unsigned delivery_precedence(uint64_t delivery)
{
	return (unsigned)(delivery % QUEUE_CLASSES) + 1;
}

static uint64_t delivery_number(uint64_t delivery)
{
	return delivery / QUEUE_CLASSES;
}

void queue_post_connected(struct queue *queue)
{
	memset(&queue->post_window, 0, sizeof(queue->post_window));
	memset(queue->given, 0, sizeof(queue->given));
	memset(queue->given_last, 0, sizeof(queue->given_last));
}

static bool may_give(const struct queue *queue, unsigned precedence, uint64_t size)
{
	return queue->given[precedence - 1].count < QUEUE_GIVEN_MAX &&
	       link_window_open(&queue->post_window, precedence, (size_t)size);
}

static enum error delivery_load(struct queue *queue, struct rows *rows, unsigned precedence,
				const struct row *row, struct link_received *delivery)
{
	struct key key;
	struct delivery held;
	uint64_t number;
	if (key_number(row->key, key_deliveries(&key, precedence).size, &number) != ERROR_OK ||
	    delivery_read(row->value, &held) != ERROR_OK)
		return ERROR_MALFORMED;
	delivery->source = held.source;
	if (!may_give(queue, precedence, held.size))
		return ERROR_NOT_NOW;
	delivery->delivery = delivery_of(precedence, number);
	delivery->precedence = precedence;
	enum error error = rows_get(rows, key_payload(&key, number), &delivery->sealed);
	if (error == ERROR_NOT_FOUND || (error == ERROR_OK && delivery->sealed.size != held.size))
		return ERROR_MALFORMED;
	return error;
}

enum error queue_next_delivery(struct queue *queue, struct rows *rows, struct link_received *delivery)
{
	struct key prefix;
	struct key key;
	struct row row;
	memset(delivery, 0, sizeof(*delivery));
	for (unsigned precedence = QUEUE_CLASSES; precedence >= 1; precedence--) {
		enum error error =
			rows_after(rows, key_deliveries(&prefix, precedence),
				   key_delivery(&key, precedence, queue->given_last[precedence - 1]), &row);
		if (error == ERROR_OK)
			return delivery_load(queue, rows, precedence, &row, delivery);
		if (error != ERROR_NOT_FOUND)
			return error;
	}
	return ERROR_NOT_FOUND;
}

void queue_delivery_given(struct queue *queue, const struct link_received *delivery)
{
	struct queue_given *given = &queue->given[delivery->precedence - 1];
	uint64_t number = delivery_number(delivery->delivery);
	assert(given->count < QUEUE_GIVEN_MAX);
	given->numbers[given->count] = number;
	given->sizes[given->count++] = delivery->sealed.size;
	queue->given_last[delivery->precedence - 1] = number;
	link_window_sent(&queue->post_window, delivery->precedence, delivery->sealed.size);
}

/* The post may answer twice, or before it was given anything: only what is listed is in the window. */
void delivery_answered(struct queue *queue, unsigned precedence, uint64_t number)
{
	struct queue_given *given = &queue->given[precedence - 1];
	for (size_t i = 0; i < given->count; i++) {
		if (given->numbers[i] != number)
			continue;
		link_window_answered(&queue->post_window, precedence, given->sizes[i]);
		given->count--;
		given->numbers[i] = given->numbers[given->count];
		given->sizes[i] = given->sizes[given->count];
		return;
	}
}

void queue_delivery_left(struct queue *queue, uint64_t delivery)
{
	delivery_answered(queue, delivery_precedence(delivery), delivery_number(delivery));
}

enum error step_taken(struct step *step)
{
	struct key key;
	struct bytes value;
	struct delivery delivery = {0};
	unsigned precedence = delivery_precedence(step->event->taken);
	uint64_t number = delivery_number(step->event->taken);
	enum error error = rows_get(step->rows, key_delivery(&key, precedence, number), &value);
	if (error == ERROR_NOT_FOUND)
		return ERROR_OK; /* it was taken before */
	if (error == ERROR_OK)
		error = delivery_read(value, &delivery);
	struct place place = {QUEUE_POOL_OTHERS, delivery.mark, precedence};
	if (error == ERROR_OK)
		error = pool_take(step, &place, delivery.size);
	if (error != ERROR_OK)
		return error;
	rows_delete(step->rows, key_delivery(&key, precedence, number));
	rows_delete(step->rows, key_payload(&key, number));
	struct queue_action *action = step_act(step, QUEUE_ACTION_DELIVERY_TAKEN);
	action->number = number;
	action->precedence = precedence;
	return ERROR_OK;
}
