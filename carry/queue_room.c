/* Room: what each pool holds, of whom, and whether there is room for more. */
#include "carry/queue_rows.h"

#define URGENT 3 /* IMMEDIATE, and FLASH */

static uint64_t pool_size(const struct totals *totals, enum queue_pool pool)
{
	uint64_t size = 0;
	for (size_t i = 0; i < QUEUE_CLASSES; i++)
		size += totals->shown.pools[pool][i].size;
	return size;
}

static enum error share_get(struct rows *rows, const struct place *place, uint64_t *size)
{
	struct key key;
	struct bytes value;
	enum error error = rows_get(rows, key_share(&key, place->pool, place->mark), &value);
	*size = 0;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	if (value.size != 8)
		return ERROR_MALFORMED;
	*size = load_u64(value.data);
	return ERROR_OK;
}

static void share_put(struct rows *rows, const struct place *place, uint64_t size)
{
	struct key key;
	uint8_t value[8];
	store_u64(value, size);
	if (size == 0)
		rows_delete(rows, key_share(&key, place->pool, place->mark));
	else
		rows_put(rows, key_share(&key, place->pool, place->mark), bytes_make(value, sizeof(value)));
}

/*
 * The parts are equal: one for each neighbour, and of the post's copies one for those without a way. So
 * nobody takes up another's room, neither by what it sends nor by what it does not take.
 */
static uint64_t parts_of(const struct queue_settings *settings, enum queue_pool pool)
{
	return settings->routes_count + (pool == QUEUE_POOL_OWN || settings->routes_count == 0 ? 1 : 0);
}

/* Whether it fits into its part of the pool, and that into so much room on the disk. */
static bool fits(const struct step *step, const struct place *place, uint64_t held, uint64_t charge,
		 uint64_t room)
{
	static const uint64_t shares[QUEUE_CLASSES] = {QUEUE_SHARE_ROUTINE, QUEUE_SHARE_PRIORITY,
						       QUEUE_SHARE_IMMEDIATE, QUEUE_SHARE_FLASH};
	const struct queue_settings *settings = &step->queue->settings;
	uint64_t all = pool_size(&step->totals, place->pool);
	uint64_t max = settings->pool_size_max;
	if (all < max && room < max - all)
		max = all + room;
	uint64_t share = max / parts_of(settings, place->pool) / 100 * shares[place->precedence - 1];
	/* Neighbours that the settings do not name any more hold some of all. */
	return all <= max && charge <= max - all && held <= share && charge <= share - held;
}

static uint64_t above(uint64_t room, uint64_t floor)
{
	return room > floor ? room - floor : 0;
}

/* A receipt, whatever its precedence, and an urgent message: the last that a full disk refuses. */
static bool is_last(const struct place *place, uint64_t size)
{
	return size <= (place->precedence >= URGENT ? QUEUE_URGENT_SIZE_MAX : QUEUE_SMALL_SIZE_MAX);
}

enum error pool_check(struct step *step, const struct place *place, uint64_t size)
{
	uint64_t reserve = step->queue->settings.disk_reserve_min;
	uint64_t room = step->event->disk_room;
	uint64_t charge = size + QUEUE_CHARGE;
	bool own = place->pool == QUEUE_POOL_OWN;
	uint64_t held;
	enum error error = share_get(step->rows, place, &held);
	if (error != ERROR_OK)
		return error;
	if (fits(step, place, held, charge, above(room, reserve)))
		return ERROR_OK;
	if (!is_last(place, size))
		return ERROR_FULL;
	/* Half of the reserve is the log's of the store. Of the other half all is for the post's copies. */
	uint64_t half = above(room, reserve / 2);
	uint64_t quarter = above(room, reserve / 4 * 3);
	if (fits(step, place, held, charge, own ? half : quarter))
		return ERROR_OK;
	/* Bulk that waited when the disk filled up leaves its neighbour no part: then it has a quarter. */
	bool filled_up = own && room < reserve && charge <= quarter;
	return filled_up && fits(step, place, held, charge, UINT64_MAX) ? ERROR_OK : ERROR_FULL;
}

enum error pool_add(struct step *step, const struct place *place, uint64_t size)
{
	struct queue_class *class = &step->totals.shown.pools[place->pool][place->precedence - 1];
	uint64_t held;
	enum error error = share_get(step->rows, place, &held);
	if (error != ERROR_OK)
		return error;
	share_put(step->rows, place, held + size + QUEUE_CHARGE);
	class->count++;
	class->size += size + QUEUE_CHARGE;
	step->totals_changed = true;
	return ERROR_OK;
}

enum error pool_take(struct step *step, const struct place *place, uint64_t size)
{
	struct queue_class *class = &step->totals.shown.pools[place->pool][place->precedence - 1];
	uint64_t held;
	enum error error = share_get(step->rows, place, &held);
	if (error != ERROR_OK)
		return error;
	if (class->count == 0 || class->size < size + QUEUE_CHARGE || held < size + QUEUE_CHARGE)
		return ERROR_MALFORMED;
	share_put(step->rows, place, held - size - QUEUE_CHARGE);
	class->count--;
	class->size -= size + QUEUE_CHARGE;
	step->totals_changed = true;
	return ERROR_OK;
}
