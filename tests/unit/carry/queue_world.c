#include "tests/unit/carry/queue_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "carry/queue_rows.h"

static uint8_t rows_memory[4 * 1024 * 1024];

/* ---- the store ---- */

static struct bytes keep(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size + 1);
	assert_non_null(copy);
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	return bytes_make(copy, bytes.size);
}

static void drop(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

static size_t place_of(const struct world *world, struct bytes key)
{
	size_t low = 0;
	size_t high = world->store_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (bytes_compare(world->store[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct world_row *store_get(const struct world *world, struct bytes key)
{
	size_t place = place_of(world, key);
	if (place < world->store_count && bytes_equal(world->store[place].key, key))
		return &world->store[place];
	return NULL;
}

static void store_write(struct world *world, const struct rows_change *change)
{
	size_t place = place_of(world, change->key);
	bool there = place < world->store_count && bytes_equal(world->store[place].key, change->key);
	struct world_row *row = there ? &world->store[place] : NULL;
	if (there)
		drop(row->value);
	if (there && !change->deleted) {
		row->value = keep(change->value);
	} else if (there) {
		drop(row->key);
		world->store_count--;
		memmove(row, row + 1, (world->store_count - place) * sizeof(*row));
	} else if (!change->deleted) {
		if (world->store_count == world->store_room) {
			world->store_room = 2 * world->store_room + 64;
			world->store = realloc(world->store, world->store_room * sizeof(*row));
			assert_non_null(world->store);
		}
		row = &world->store[place];
		memmove(row + 1, row, (world->store_count - place) * sizeof(*row));
		world->store_count++;
		row->key = keep(change->key);
		row->value = keep(change->value);
	}
}

static void load(struct world *world, size_t index)
{
	struct rows_wanted wanted = rows_wanted(&world->rows, index);
	size_t low = place_of(world, wanted.low);
	size_t high = place_of(world, wanted.high);
	for (size_t i = 0; i < high - low; i++) {
		const struct world_row *row = &world->store[wanted.descending ? high - 1 - i : low + i];
		if (!rows_load(&world->rows, index, row->key, row->value))
			return;
	}
	rows_load_end(&world->rows, index);
}

static void load_all(struct world *world)
{
	for (size_t i = 0; i < rows_wanted_count(&world->rows); i++)
		load(world, i);
}

/* ---- time and crashes ---- */

uint64_t world_random(struct world *world, uint64_t bound)
{
	world->random = world->random * 6364136223846793005u + 1442695040888963407u;
	return (world->random >> 33) % bound;
}

void world_pass(struct world *world, uint64_t ms)
{
	world->wall_ms += ms;
	world->steady_ms += ms;
}

static struct eid ipn(uint64_t node)
{
	return (struct eid){.scheme = EID_IPN, .node = node};
}

static void start(struct world *world)
{
	struct queue_event event = {.kind = QUEUE_START};
	assert_int_equal(queue_make(&world->queue, &world->settings), ERROR_OK);
	rows_make(&world->rows, rows_memory, sizeof(rows_memory));
	do {
		world_step(world, &event);
	} while (world_action(world, QUEUE_ACTION_AGAIN) != NULL);
}

void world_make(struct world *world, uint64_t seed)
{
	memset(world, 0, sizeof(*world));
	world->random = seed;
	world->wall_ms = BUNDLE_EPOCH_UNIX_MS + 849153600000;
	world->steady_ms = 1000;
	world->disk_room = UINT64_MAX;
	world->routes[WORLD_ROUTE_B] = (struct queue_route){bytes_of_text("direct b"), ipn(2), false};
	world->routes[WORLD_ROUTE_C] = (struct queue_route){bytes_of_text("direct c"), ipn(3), false};
	world->paths[0] = (struct queue_path){ipn(9), WORLD_ROUTE_C};
	world->settings = (struct queue_settings){
		.node = ipn(1),
		.routes = world->routes,
		.routes_count = WORLD_ROUTES,
		.paths = world->paths,
		.paths_count = 1,
		.pool_size_max = 10000000,
	};
	start(world);
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->store_count; i++) {
		drop(world->store[i].key);
		drop(world->store[i].value);
	}
	free(world->store);
}

void world_crash(struct world *world, uint64_t down_ms)
{
	world->wall_ms += down_ms;
	world->steady_ms = world_random(world, 1000000);
	start(world);
}

/* ---- the shell's loop ---- */

/* Views of actions point into rows, which end with the batch. */
static void keep_actions(struct world *world)
{
	for (size_t i = 0; i < world->actions.count; i++) {
		struct bytes *route = &world->actions.actions[i].route;
		assert_true(route->size <= ROW_KEY_SIZE_MAX);
		if (route->size > 0)
			memcpy(world->kept[i], route->data, route->size);
		route->data = world->kept[i];
	}
}

void world_step(struct world *world, struct queue_event *event)
{
	enum error error;
	size_t rounds = 0;
	struct rows_change change;
	size_t at = 0;
	event->wall_ms = world->wall_ms;
	event->steady_ms = world->steady_ms;
	event->disk_room = world->disk_room;
	world->entropy = world_random(world, UINT32_MAX);
	event->entropy = world->entropy;
	do {
		load_all(world);
		rows_begin(&world->rows);
		error = queue_step(&world->queue, &world->rows, event, &world->actions);
		if (error == ERROR_OK)
			error = rows_keep(&world->rows);
		assert_true(++rounds < 200);
	} while (error == ERROR_NEEDS_ROWS);
	assert_int_equal(error, ERROR_OK);
	assert_true(sizeof(rows_memory) - rows_room(&world->rows) <= QUEUE_ROOM_MIN);
	if (world->crash_before_commit) {
		world->crash_before_commit = false;
		world->actions.count = 0;
		world_crash(world, world_random(world, 1000));
		world->actions.count = 0;
		return;
	}
	queue_kept(&world->queue, &world->actions);
	keep_actions(world);
	while (rows_next_write(&world->rows, &at, &change))
		store_write(world, &change);
	rows_reset(&world->rows);
}

const struct queue_action *world_action(const struct world *world, enum queue_action_kind kind)
{
	for (size_t i = 0; i < world->actions.count; i++)
		if (world->actions.actions[i].kind == kind)
			return &world->actions.actions[i];
	return NULL;
}

void world_tick(struct world *world)
{
	struct queue_event event = {.kind = QUEUE_TICK};
	do {
		world_step(world, &event);
	} while (world_action(world, QUEUE_ACTION_AGAIN) != NULL);
}

enum link_copy_state world_send(struct world *world, uint64_t id, uint64_t node, unsigned precedence,
				size_t size, uint64_t lifetime_ms, enum error *error)
{
	static uint8_t sealed[SEALED_SIZE_MAX];
	char destination[32] = "ipn:";
	struct queue_event event = {.kind = QUEUE_SEND};
	struct eid eid = ipn(node);
	struct buffer text = buffer_make(destination, sizeof(destination));
	eid_append_text(&text, &eid);
	memset(sealed, (int)(id & 0xff), size);
	store_u64(event.send.id, id);
	event.send.destination = buffer_bytes(&text);
	event.send.precedence = precedence;
	event.send.lifetime_ms = lifetime_ms;
	event.send.sealed = bytes_make(sealed, size);
	world_step(world, &event);
	const struct queue_action *action = world_action(world, QUEUE_ACTION_PROGRESS);
	if (action == NULL)
		return 0;
	assert_int_equal(load_u64(action->id), id);
	*error = action->error;
	return action->state;
}

void world_cancel(struct world *world, uint64_t id)
{
	struct queue_event event = {.kind = QUEUE_CANCEL};
	store_u64(event.cancel, id);
	world_step(world, &event);
}

enum error world_next(struct world *world, size_t route, size_t size_max)
{
	enum error error;
	struct queue_transfer transfer;
	size_t rounds = 0;
	do {
		struct buffer buffer = buffer_make(world->bundle_memory, sizeof(world->bundle_memory));
		load_all(world);
		rows_begin(&world->rows);
		error = queue_next(&world->queue, &world->rows, route, world->steady_ms, size_max, &transfer,
				   &buffer);
		world->bundle = buffer_bytes(&buffer);
		assert_true(++rounds < 200);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&world->rows);
	rows_reset(&world->rows);
	if (error == ERROR_OK || error == ERROR_TOO_LARGE || error == ERROR_UNSUPPORTED) {
		world->transfer = transfer;
		queue_begun(&world->queue, &transfer);
	}
	return error;
}

void world_settle(struct world *world, enum queue_event_kind kind, uint64_t number, uint8_t reason)
{
	struct queue_event event = {.kind = kind};
	event.transfer.number = number;
	event.transfer.reason = reason;
	world_step(world, &event);
}

bool world_receive(struct world *world, size_t route, struct bytes bundle)
{
	struct queue_event event = {.kind = QUEUE_RECEIVED};
	event.received.route = route;
	event.received.bundle = bundle;
	world_step(world, &event);
	bool stored = world_action(world, QUEUE_ACTION_STORED) != NULL;
	bool refused = world_action(world, QUEUE_ACTION_REFUSE) != NULL;
	assert_true(world->actions.count == 0 || stored != refused);
	return stored;
}

enum error world_next_delivery(struct world *world)
{
	enum error error;
	struct link_received next;
	size_t rounds = 0;
	do {
		load_all(world);
		rows_begin(&world->rows);
		error = queue_next_delivery(&world->queue, &world->rows, &next);
		assert_true(++rounds < 200);
	} while (error == ERROR_NEEDS_ROWS);
	if (error == ERROR_OK) {
		struct link_received *delivery = &world->delivery;
		*delivery = next;
		queue_delivery_given(&world->queue, delivery);
		memcpy(world->delivery_memory, delivery->sealed.data, delivery->sealed.size);
		delivery->sealed.data = world->delivery_memory;
		memcpy(world->source_memory, delivery->source.data, delivery->source.size);
		delivery->source.data = world->source_memory;
	}
	rows_undo(&world->rows);
	rows_reset(&world->rows);
	return error;
}

void world_read_heads(struct world *world, struct link_heads *heads)
{
	enum error error;
	size_t rounds = 0;
	rows_reset(&world->rows);
	do {
		load_all(world);
		rows_begin(&world->rows);
		error = queue_read_heads(&world->rows, heads);
		assert_true(++rounds < 400);
	} while (error == ERROR_NEEDS_ROWS);
	assert_int_equal(error, ERROR_OK);
	rows_undo(&world->rows);
}

enum error world_try(struct world *world, world_question *question, void *context)
{
	enum error error;
	size_t rounds = 0;
	rows_reset(&world->rows);
	do {
		load_all(world);
		rows_begin(&world->rows);
		error = question(world, context);
		assert_true(++rounds < 400);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&world->rows);
	rows_reset(&world->rows);
	return error;
}

void world_taken(struct world *world, uint64_t delivery)
{
	struct queue_event event = {.kind = QUEUE_TAKEN, .taken = delivery};
	world_step(world, &event);
}

/* ---- the audit ---- */

struct audit {
	struct world *world;
	size_t rows; /* of the store that are accounted for */
	struct queue_totals sums;
	struct queue_class routes[WORLD_ROUTES + 1][QUEUE_CLASSES];
	uint64_t shares[QUEUE_POOLS][WORLD_ROUTES + 1]; /* by route; the last: without one */
};

static struct bytes required(struct audit *audit, struct bytes key)
{
	const struct world_row *row = store_get(audit->world, key);
	assert_non_null(row);
	audit->rows++;
	return row->value;
}

static void add(struct queue_class classes[QUEUE_CLASSES], unsigned precedence, uint64_t size)
{
	classes[precedence - 1].count++;
	classes[precedence - 1].size += size + QUEUE_CHARGE;
}

/* The cache, filled with the whole row: the readers of queue_rows.h work on rows only. */
static void with_row(struct world *world, struct bytes key)
{
	struct bytes value;
	rows_reset(&world->rows);
	rows_begin(&world->rows);
	if (rows_get(&world->rows, key, &value) == ERROR_NEEDS_ROWS) {
		load_all(world);
		rows_begin(&world->rows);
	}
}

static size_t route_place(const struct world *world, struct bytes name)
{
	for (size_t i = 0; i < WORLD_ROUTES; i++)
		if (bytes_equal(world->routes[i].name, name))
			return i;
	assert_int_equal(name.size, 0);
	return WORLD_ROUTES;
}

static struct bytes route_name(const struct world *world, size_t route)
{
	return route < WORLD_ROUTES ? world->routes[route].name : bytes_make("", 0);
}

/* Adds to a pool, and to the part of the neighbour whose mark it is. */
static void add_place(struct audit *audit, const struct place *place, uint64_t size)
{
	add(audit->sums.pools[place->pool], place->precedence, size);
	for (size_t i = 0; i <= WORLD_ROUTES; i++)
		if (mark_of(route_name(audit->world, i)) == place->mark)
			audit->shares[place->pool][i] += size + QUEUE_CHARGE;
}

static void audit_copy(struct audit *audit, struct bytes id)
{
	struct key key;
	struct copy copy;
	with_row(audit->world, key_copy(&key, id));
	assert_int_equal(copy_get(&audit->world->rows, id, &copy), ERROR_OK);
	if (copy.state == COPY_CARRIED) {
		assert_true(copy_id_is_own(id));
		audit->sums.carried_count++;
		required(audit, key_timer(&key, TIMER_CARRIED, copy.expires_ms, id));
		return;
	}
	required(audit, key_timer(&key, TIMER_EXPIRE, copy.expires_ms, id));
	assert_int_equal(required(audit, key_bundle(&key, copy.number)).size, copy.size);
	if (copy.state == COPY_WAITING) {
		struct bytes waiting =
			required(audit, key_waiting(&key, copy.route, copy.precedence, copy.number));
		assert_true(bytes_equal(waiting, id));
	} else {
		required(audit, key_timer(&key, TIMER_RETRY, copy.retry_ms, id));
	}
	struct place place = copy_place(id, &copy);
	add_place(audit, &place, copy.size);
	add(audit->routes[route_place(audit->world, copy.route)], copy.precedence, copy.size);
}

static void audit_unit(struct audit *audit, struct bytes identity)
{
	struct key key;
	struct unit unit;
	uint64_t size = 0;
	struct place unit_place = {.pool = QUEUE_POOL_OTHERS, .mark = mark_of_seen(identity)};
	with_row(audit->world, key_unit(&key, identity));
	assert_int_equal(unit_get(&audit->world->rows, identity, &unit), ERROR_OK);
	required(audit, key_timer(&key, TIMER_UNIT, unit.expires_ms, identity));
	struct bytes prefix = key_fragments(&key, identity);
	size_t place = place_of(audit->world, prefix);
	for (uint64_t i = 0; i < unit.count; i++) {
		const struct world_row *row = &audit->world->store[place + i];
		assert_true(place + i < audit->world->store_count && row->key.size == prefix.size + 16);
		assert_memory_equal(row->key.data, prefix.data, prefix.size);
		unit_place.precedence = unit.precedence;
		add_place(audit, &unit_place, row->value.size);
		size += row->value.size;
		audit->rows++;
	}
	assert_int_equal(size, unit.size);
}

static void audit_delivery(struct audit *audit, const struct world_row *row)
{
	struct key key;
	struct delivery delivery;
	audit->rows++;
	assert_int_equal(delivery_read(row->value, &delivery), ERROR_OK);
	uint64_t number;
	assert_int_equal(key_number(row->key, 2, &number), ERROR_OK);
	assert_int_equal(required(audit, key_payload(&key, number)).size, delivery.size);
	struct place place = {QUEUE_POOL_OTHERS, delivery.mark, QUEUE_CLASSES - row->key.data[1]};
	add_place(audit, &place, delivery.size);
}

static void audit_row(struct audit *audit, const struct world_row *row)
{
	struct key key;
	struct bytes rest = bytes_make(row->key.data + 1, row->key.size - 1);
	switch (row->key.data[0]) {
	case 'C':
		audit->rows++;
		audit_copy(audit, rest);
		break;
	case 'S':
		audit->rows++;
		audit->sums.seen_count++;
		break;
	case 'U':
		audit->rows++;
		audit_unit(audit, rest);
		break;
	case 'D':
		audit_delivery(audit, row);
		break;
	case 'W':
		if (row->key.data[1] == TIMER_SEEN) {
			audit->rows++;
			assert_non_null(store_get(
				audit->world,
				key_seen(&key, bytes_make(row->key.data + 10, row->key.size - 10))));
		}
		break;
	case 'T':
	case 'N':
	case 'H': /* heads: they end with nothing */
		audit->rows++;
		break;
	default: /* counted with what it belongs to */
		break;
	}
}

void world_claim(struct world *world, int64_t seen_count, int64_t carried_count)
{
	struct key key;
	struct totals totals;
	struct rows_change change;
	size_t at = 0;
	with_row(world, key_totals(&key));
	assert_int_equal(totals_get(&world->rows, &totals), ERROR_OK);
	totals.shown.seen_count += (uint64_t)seen_count;
	totals.shown.carried_count += (uint64_t)carried_count;
	totals_put(&world->rows, &totals);
	assert_int_equal(rows_keep(&world->rows), ERROR_OK);
	while (rows_next_write(&world->rows, &at, &change))
		store_write(world, &change);
	rows_reset(&world->rows);
}

static void audit_shares(struct audit *audit)
{
	struct key key;
	for (size_t pool = 0; pool < QUEUE_POOLS; pool++) {
		for (size_t i = 0; i <= WORLD_ROUTES; i++) {
			struct bytes name = route_name(audit->world, i);
			struct bytes share = key_share(&key, (enum queue_pool)pool, mark_of(name));
			if (audit->shares[pool][i] == 0)
				assert_null(store_get(audit->world, share));
			else
				assert_int_equal(load_u64(required(audit, share).data),
						 audit->shares[pool][i]);
		}
	}
}

void world_audit(struct world *world)
{
	struct key key;
	struct totals totals;
	struct audit audit = {.world = world};
	size_t routes = 0;
	for (size_t i = 0; i < world->store_count; i++)
		audit_row(&audit, &world->store[i]);
	with_row(world, key_totals(&key));
	assert_int_equal(totals_get(&world->rows, &totals), ERROR_OK);
	assert_memory_equal(&totals.shown, &audit.sums, sizeof(audit.sums));
	for (size_t i = 0; i <= WORLD_ROUTES; i++) {
		struct queue_class classes[QUEUE_CLASSES];
		struct bytes name = i < WORLD_ROUTES ? world->routes[i].name : bytes_make(NULL, 0);
		with_row(world, key_route(&key, name));
		assert_int_equal(route_get(&world->rows, name, classes), ERROR_OK);
		assert_memory_equal(classes, audit.routes[i], sizeof(classes));
		routes += store_get(world, key_route(&key, name)) != NULL;
	}
	rows_undo(&world->rows);
	rows_reset(&world->rows);
	audit_shares(&audit);
	/* Every row is accounted for: nothing is left over from what has ended. */
	assert_int_equal(audit.rows, world->store_count);
	size_t named = 0;
	for (size_t i = 0; i < world->store_count; i++)
		named += world->store[i].key.data[0] == 'N';
	assert_int_equal(named, routes);
}
