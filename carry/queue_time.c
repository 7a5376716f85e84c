/* What time brings: the start of a process, retries, and the end of lifetimes. */
#include <assert.h>
#include <string.h>

#include "carry/crc.h"
#include "carry/queue_rows.h"

/* ---- START: the clock, and copies whose route is another by new settings ---- */

static uint32_t add_eid(uint32_t crc, const struct eid *eid)
{
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	eid_write(&buffer, eid);
	return crc32c_update(crc, buffer_bytes(&buffer));
}

static uint32_t add_name(uint32_t crc, struct bytes name)
{
	uint8_t size = (uint8_t)name.size;
	return crc32c_update(crc32c_update(crc, bytes_make(&size, 1)), name);
}

/* What the choice of routes depends on. */
static uint64_t paths_checksum(const struct queue_settings *settings)
{
	uint32_t crc = CRC_START;
	for (size_t i = 0; i < settings->routes_count; i++)
		crc = add_eid(add_name(crc, settings->routes[i].name), &settings->routes[i].neighbour);
	for (size_t i = 0; i < settings->paths_count; i++)
		crc = add_eid(add_name(crc, settings->routes[settings->paths[i].route].name),
			      &settings->paths[i].destination);
	return crc32c_finish(crc);
}

static enum error choose_again(struct step *step, struct bytes id)
{
	struct key key;
	struct copy copy;
	struct eid node;
	enum error error = copy_get(step->rows, id, &copy);
	if (error != ERROR_OK)
		return error;
	if (copy.state == COPY_CARRIED || copy.pinned)
		return ERROR_OK;
	struct cbor_reader reader = cbor_reader_make(copy.destination);
	eid_read(&reader, &node);
	if (cbor_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	struct bytes route = route_to(&step->queue->settings, &node);
	if (bytes_equal(route, copy.route))
		return ERROR_OK;
	struct place place = copy_place(id, &copy);
	error = pool_take(step, &place, copy.size);
	if (error == ERROR_OK)
		error = route_take(step, copy.route, copy.precedence, copy.size);
	if (error == ERROR_OK)
		error = route_add(step, route, copy.precedence, copy.size);
	if (error == ERROR_OK && place.pool == QUEUE_POOL_OWN)
		place.mark = mark_of(route);
	if (error == ERROR_OK)
		error = pool_add(step, &place, copy.size);
	if (error != ERROR_OK)
		return error;
	if (copy.state == COPY_WAITING) {
		rows_delete(step->rows, key_waiting(&key, copy.route, copy.precedence, copy.number));
		rows_put(step->rows, key_waiting(&key, route, copy.precedence, copy.number), id);
	}
	copy.route = route;
	copy_put(step->rows, id, &copy);
	return ERROR_OK;
}

/* Goes on with the copies after the resident `sweep` key; *end where there are no more. */
static enum error sweep(struct step *step, bool *end)
{
	struct queue *queue = step->queue;
	struct key copies;
	struct row row;
	struct bytes prefix = key_copies(&copies);
	struct bytes at = queue->sweep_size > 0 ? bytes_make(queue->sweep, queue->sweep_size) : prefix;
	*end = false;
	for (size_t i = 0; i < QUEUE_SWEEP_MAX; i++) {
		enum error error = rows_after(step->rows, prefix, at, &row);
		*end = error == ERROR_NOT_FOUND;
		if (*end)
			break;
		if (error == ERROR_OK)
			error = choose_again(step, bytes_make(row.key.data + 1, row.key.size - 1));
		if (error != ERROR_OK)
			return error;
		at = row.key;
	}
	step_act(step, QUEUE_ACTION_SWEPT)->route = *end ? bytes_make(NULL, 0) : at;
	return ERROR_OK;
}

static void start_clock(struct step *step)
{
	struct totals *totals = &step->totals;
	uint64_t wall_ms = step->event->wall_ms;
	uint64_t down_ms = wall_ms > totals->wall_ms ? wall_ms - totals->wall_ms : 0;
	if (down_ms > QUEUE_DOWNTIME_MS_MAX)
		down_ms = QUEUE_DOWNTIME_MS_MAX;
	step->now_ms = totals->clock_ms + down_ms;
	step->totals_changed = true;
}

enum error step_start(struct step *step)
{
	uint64_t paths = paths_checksum(&step->queue->settings);
	bool end = true;
	if (!step->queue->started)
		start_clock(step);
	if (paths == step->totals.paths) {
		step_act(step, QUEUE_ACTION_SWEPT)->route = bytes_make(NULL, 0);
		return ERROR_OK;
	}
	enum error error = sweep(step, &end);
	if (error != ERROR_OK)
		return error;
	if (!end) {
		step_act(step, QUEUE_ACTION_AGAIN);
		return ERROR_OK;
	}
	step->totals.paths = paths;
	step->totals_changed = true;
	return ERROR_OK;
}

/* ---- TICK ---- */

static enum error retry_due(struct step *step, const struct timer *timer)
{
	struct key key;
	struct copy copy;
	struct bytes id = timer->id;
	enum error error = copy_get(step->rows, id, &copy);
	if (error != ERROR_OK)
		return error;
	if (copy.state != COPY_RETRYING)
		return ERROR_MALFORMED;
	copy.state = COPY_WAITING;
	copy_put(step->rows, id, &copy);
	rows_put(step->rows, key_waiting(&key, copy.route, copy.precedence, copy.number), id);
	rows_delete(step->rows, timer->key);
	return ERROR_OK;
}

static enum error copy_expired(struct step *step, const struct timer *timer)
{
	struct copy copy;
	struct bytes id = timer->id;
	enum error error = copy_get(step->rows, id, &copy);
	if (error == ERROR_OK)
		error = copy_remove(step, id, &copy);
	if (error != ERROR_OK)
		return error;
	if (copy_id_is_own(id)) {
		struct queue_action *action = step_act(step, QUEUE_ACTION_PROGRESS);
		memcpy(action->id, id.data + 1, LINK_ID_SIZE);
		action->state = LINK_EXPIRED;
		action->route = copy.route;
		action->error = ERROR_TIMED_OUT;
	}
	step_log(step, ERROR_TIMED_OUT, "a bundle's lifetime ended in the queue");
	return ERROR_OK;
}

static enum error carried_expired(struct step *step, const struct timer *timer)
{
	struct copy copy;
	struct bytes id = timer->id;
	enum error error = copy_get(step->rows, id, &copy);
	return error == ERROR_OK ? carried_remove(step, id, &copy) : error;
}

static enum error unit_expired(struct step *step, const struct timer *timer)
{
	struct unit unit;
	struct bytes identity = timer->id;
	enum error error = unit_get(step->rows, identity, &unit);
	if (error == ERROR_OK)
		error = unit_remove(step, identity, &unit);
	if (error == ERROR_OK)
		step_log(step, ERROR_TIMED_OUT, "fragments were forgotten: the others did not come in time");
	return error;
}

static enum error timer_due(struct step *step, enum timer_kind kind, const struct timer *timer)
{
	switch (kind) {
	case TIMER_RETRY:
		return retry_due(step, timer);
	case TIMER_EXPIRE:
		return copy_expired(step, timer);
	case TIMER_CARRIED:
		return carried_expired(step, timer);
	case TIMER_SEEN:
		return seen_remove(step, timer);
	case TIMER_UNIT:
		return unit_expired(step, timer);
	}
	return ERROR_MALFORMED;
}

/* The end of a copy of the post's is told once: it waits while the post cannot be told. Nothing sends it. */
static bool is_held(const struct step *step, enum timer_kind kind, const struct timer *timer)
{
	return kind == TIMER_EXPIRE && step->event->tick.post_is_full && copy_id_is_own(timer->id);
}

/* Handles what is due of one kind. A unit has many rows: its end is a step's whole work. */
static enum error timers_due(struct step *step, enum timer_kind kind, size_t *budget)
{
	struct timer first;
	while (*budget > 0) {
		enum error error = timer_first(step->rows, kind, &first);
		if (error == ERROR_NOT_FOUND || (error == ERROR_OK && first.time_ms > step->now_ms))
			return ERROR_OK;
		if (error == ERROR_OK && is_held(step, kind, &first))
			return ERROR_OK;
		if (error == ERROR_OK)
			error = timer_due(step, kind, &first);
		if (error != ERROR_OK)
			return error;
		*budget -= kind == TIMER_UNIT ? *budget : 1;
	}
	return ERROR_OK;
}

enum error step_tick(struct step *step)
{
	size_t budget = QUEUE_SWEEP_MAX;
	for (int kind = 1; kind <= TIMER_KINDS; kind++) {
		enum error error = timers_due(step, (enum timer_kind)kind, &budget);
		if (error != ERROR_OK)
			return error;
	}
	if (budget == 0)
		step_act(step, QUEUE_ACTION_AGAIN);
	if (step->now_ms - step->totals.clock_ms >= QUEUE_CLOCK_MS)
		step->totals_changed = true;
	return ERROR_OK;
}
