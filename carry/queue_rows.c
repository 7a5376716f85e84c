#include "carry/queue_rows.h"

#include <assert.h>
#include <string.h>

#include "carry/crc.h"

#define TABLE_TOTALS   'T'
#define TABLE_COPY     'C'
#define TABLE_WAITING  'Q'
#define TABLE_BUNDLE   'B'
#define TABLE_ROUTE    'N'
#define TABLE_TIMER    'W'
#define TABLE_SEEN     'S'
#define TABLE_UNIT     'U'
#define TABLE_FRAGMENT 'F'
#define TABLE_DELIVERY 'D'
#define TABLE_PAYLOAD  'P'
#define TABLE_HEAD     'H'
#define TABLE_SHARE    'I'

#define OWN       1
#define FORWARDED 2

#define VALUE_SIZE_MAX 2048 /* a unit with FRAGMENT_RANGES_MAX ranges is the largest */

/* ---- keys ---- */

static struct buffer key_begin(struct key *key, uint8_t table)
{
	struct buffer buffer = buffer_make(key->memory, sizeof(key->memory));
	buffer_append_byte(&buffer, table);
	return buffer;
}

static struct bytes key_end(struct key *key, const struct buffer *buffer)
{
	assert(buffer_error(buffer) == ERROR_OK);
	key->size = buffer->size;
	return buffer_bytes(buffer);
}

static struct bytes key_of_bytes(struct key *key, uint8_t table, struct bytes rest)
{
	struct buffer buffer = key_begin(key, table);
	buffer_append(&buffer, rest);
	return key_end(key, &buffer);
}

static struct bytes key_of_number(struct key *key, uint8_t table, uint64_t number)
{
	struct buffer buffer = key_begin(key, table);
	buffer_append_u64(&buffer, number);
	return key_end(key, &buffer);
}

static uint8_t inverse(unsigned precedence)
{
	assert(precedence >= 1 && precedence <= QUEUE_CLASSES);
	return (uint8_t)(QUEUE_CLASSES - precedence);
}

static struct buffer key_begin_route(struct key *key, uint8_t table, struct bytes route)
{
	struct buffer buffer = key_begin(key, table);
	assert(route.size <= ROUTE_NAME_SIZE_MAX);
	buffer_append_byte(&buffer, (uint8_t)route.size);
	buffer_append(&buffer, route);
	return buffer;
}

struct bytes key_totals(struct key *key)
{
	return key_of_bytes(key, TABLE_TOTALS, bytes_make(NULL, 0));
}

struct bytes key_copy(struct key *key, struct bytes id)
{
	return key_of_bytes(key, TABLE_COPY, id);
}

struct bytes key_copies(struct key *key)
{
	return key_of_bytes(key, TABLE_COPY, bytes_make(NULL, 0));
}

struct bytes key_waiting(struct key *key, struct bytes route, unsigned precedence, uint64_t number)
{
	struct buffer buffer = key_begin_route(key, TABLE_WAITING, route);
	buffer_append_byte(&buffer, inverse(precedence));
	buffer_append_u64(&buffer, number);
	return key_end(key, &buffer);
}

struct bytes key_waiting_route(struct key *key, struct bytes route)
{
	struct buffer buffer = key_begin_route(key, TABLE_WAITING, route);
	return key_end(key, &buffer);
}

struct bytes key_bundle(struct key *key, uint64_t number)
{
	return key_of_number(key, TABLE_BUNDLE, number);
}

struct bytes key_route(struct key *key, struct bytes route)
{
	struct buffer buffer = key_begin_route(key, TABLE_ROUTE, route);
	return key_end(key, &buffer);
}

struct bytes key_timer(struct key *key, enum timer_kind kind, uint64_t time_ms, struct bytes id)
{
	struct buffer buffer = key_begin(key, TABLE_TIMER);
	buffer_append_byte(&buffer, (uint8_t)kind);
	buffer_append_u64(&buffer, time_ms);
	buffer_append(&buffer, id);
	return key_end(key, &buffer);
}

struct bytes key_timers(struct key *key, enum timer_kind kind)
{
	struct buffer buffer = key_begin(key, TABLE_TIMER);
	buffer_append_byte(&buffer, (uint8_t)kind);
	return key_end(key, &buffer);
}

struct bytes key_seen(struct key *key, struct bytes identity)
{
	return key_of_bytes(key, TABLE_SEEN, identity);
}

struct bytes key_unit(struct key *key, struct bytes identity)
{
	return key_of_bytes(key, TABLE_UNIT, identity);
}

struct bytes key_fragment(struct key *key, struct bytes identity, uint64_t offset, uint64_t size)
{
	struct buffer buffer = key_begin(key, TABLE_FRAGMENT);
	buffer_append(&buffer, identity);
	buffer_append_u64(&buffer, offset);
	buffer_append_u64(&buffer, size);
	return key_end(key, &buffer);
}

struct bytes key_fragments(struct key *key, struct bytes identity)
{
	return key_of_bytes(key, TABLE_FRAGMENT, identity);
}

struct bytes key_delivery(struct key *key, unsigned precedence, uint64_t number)
{
	struct buffer buffer = key_begin(key, TABLE_DELIVERY);
	buffer_append_byte(&buffer, inverse(precedence));
	buffer_append_u64(&buffer, number);
	return key_end(key, &buffer);
}

struct bytes key_deliveries(struct key *key, unsigned precedence)
{
	struct buffer buffer = key_begin(key, TABLE_DELIVERY);
	buffer_append_byte(&buffer, inverse(precedence));
	return key_end(key, &buffer);
}

struct bytes key_payload(struct key *key, uint64_t number)
{
	return key_of_number(key, TABLE_PAYLOAD, number);
}

struct bytes key_head(struct key *key, struct bytes origin)
{
	return key_of_bytes(key, TABLE_HEAD, origin);
}

struct bytes key_share(struct key *key, enum queue_pool pool, uint32_t mark)
{
	struct buffer buffer = key_begin(key, TABLE_SHARE);
	buffer_append_byte(&buffer, (uint8_t)pool);
	buffer_append_u32(&buffer, mark);
	return key_end(key, &buffer);
}

#define TIMER_HEAD_SIZE 10 /* table, kind, time */

enum error timer_first(struct rows *rows, enum timer_kind kind, struct timer *timer)
{
	struct key prefix;
	struct row row;
	enum error error = rows_first(rows, key_timers(&prefix, kind), &row);
	if (error != ERROR_OK)
		return error;
	if (row.key.size <= TIMER_HEAD_SIZE + MARK_SIZE || row.key.size > TIMER_HEAD_SIZE + COPY_ID_SIZE_MAX)
		return ERROR_MALFORMED;
	timer->key = row.key;
	timer->time_ms = load_u64(row.key.data + 2);
	timer->id = bytes_make(row.key.data + TIMER_HEAD_SIZE, row.key.size - TIMER_HEAD_SIZE);
	return ERROR_OK;
}

enum error key_number(struct bytes key, size_t prefix_size, uint64_t *number)
{
	if (key.size != prefix_size + 8)
		return ERROR_MALFORMED;
	*number = load_u64(key.data + prefix_size);
	return ERROR_OK;
}

uint32_t mark_of(struct bytes route)
{
	return crc32c_finish(crc32c_update(CRC_START, route));
}

uint32_t mark_of_seen(struct bytes seen)
{
	assert(seen.size > MARK_SIZE);
	return load_u32(seen.data);
}

struct bytes seen_make(uint8_t memory[SEEN_SIZE_MAX], uint32_t mark, const struct bundle_identity *identity)
{
	store_u32(memory, mark);
	memcpy(memory + MARK_SIZE, identity->bytes, identity->size);
	return bytes_make(memory, MARK_SIZE + identity->size);
}

struct bytes copy_id_own(uint8_t memory[COPY_ID_SIZE_MAX], const uint8_t id[LINK_ID_SIZE])
{
	memory[0] = OWN;
	memcpy(memory + 1, id, LINK_ID_SIZE);
	return bytes_make(memory, 1 + LINK_ID_SIZE);
}

struct bytes copy_id_forwarded(uint8_t memory[COPY_ID_SIZE_MAX], struct bytes seen)
{
	assert(seen.size <= SEEN_SIZE_MAX);
	memory[0] = FORWARDED;
	memcpy(memory + 1, seen.data, seen.size);
	return bytes_make(memory, 1 + seen.size);
}

bool copy_id_is_own(struct bytes id)
{
	return id.size == 1 + LINK_ID_SIZE && id.data[0] == OWN;
}

static bool copy_id_is_forwarded(struct bytes id)
{
	return id.size > 1 + MARK_SIZE && id.size <= COPY_ID_SIZE_MAX && id.data[0] == FORWARDED;
}

/* ---- values ---- */

/* What is not of our form in our own store is one error, whatever is wrong with it. */
static enum error own_row(struct cbor_reader *reader)
{
	return cbor_read_end(reader) == ERROR_OK ? ERROR_OK : ERROR_MALFORMED;
}

static enum error value_get(struct rows *rows, struct bytes key, struct cbor_reader *reader)
{
	struct bytes value;
	enum error error = rows_get(rows, key, &value);
	*reader = cbor_reader_make(value);
	return error;
}

static void value_put(struct rows *rows, struct bytes key, const struct buffer *value)
{
	assert(buffer_error(value) == ERROR_OK);
	rows_put(rows, key, buffer_bytes(value));
}

static void read_classes(struct cbor_reader *reader, struct queue_class classes[QUEUE_CLASSES])
{
	for (size_t i = 0; i < QUEUE_CLASSES; i++) {
		classes[i].count = cbor_read_uint(reader);
		classes[i].size = cbor_read_uint(reader);
	}
}

static void write_classes(struct buffer *value, const struct queue_class classes[QUEUE_CLASSES])
{
	for (size_t i = 0; i < QUEUE_CLASSES; i++) {
		cbor_write_uint(value, classes[i].count);
		cbor_write_uint(value, classes[i].size);
	}
}

#define TOTALS_ITEMS (8 + QUEUE_POOLS * QUEUE_CLASSES * 2)

enum error totals_get(struct rows *rows, struct totals *totals)
{
	struct key key;
	struct cbor_reader reader;
	memset(totals, 0, sizeof(*totals));
	enum error error = value_get(rows, key_totals(&key), &reader);
	if (error != ERROR_OK)
		return error;
	cbor_read_array_exact(&reader, TOTALS_ITEMS);
	for (size_t pool = 0; pool < QUEUE_POOLS; pool++)
		read_classes(&reader, totals->shown.pools[pool]);
	totals->shown.seen_count = cbor_read_uint(&reader);
	totals->shown.carried_count = cbor_read_uint(&reader);
	totals->number = cbor_read_uint(&reader);
	totals->sequence = cbor_read_uint(&reader);
	totals->paths = cbor_read_uint(&reader);
	totals->clock_ms = cbor_read_uint(&reader);
	totals->wall_ms = cbor_read_uint(&reader);
	totals->steady_ms = cbor_read_uint(&reader);
	return own_row(&reader);
}

void totals_put(struct rows *rows, const struct totals *totals)
{
	struct key key;
	uint8_t memory[VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	cbor_write_array(&value, TOTALS_ITEMS);
	for (size_t pool = 0; pool < QUEUE_POOLS; pool++)
		write_classes(&value, totals->shown.pools[pool]);
	cbor_write_uint(&value, totals->shown.seen_count);
	cbor_write_uint(&value, totals->shown.carried_count);
	cbor_write_uint(&value, totals->number);
	cbor_write_uint(&value, totals->sequence);
	cbor_write_uint(&value, totals->paths);
	cbor_write_uint(&value, totals->clock_ms);
	cbor_write_uint(&value, totals->wall_ms);
	cbor_write_uint(&value, totals->steady_ms);
	value_put(rows, key_totals(&key), &value);
}

enum error copy_get(struct rows *rows, struct bytes id, struct copy *copy)
{
	struct key key;
	struct cbor_reader reader;
	memset(copy, 0, sizeof(*copy));
	if (!copy_id_is_own(id) && !copy_id_is_forwarded(id))
		return ERROR_MALFORMED;
	enum error error = value_get(rows, key_copy(&key, id), &reader);
	if (error != ERROR_OK)
		return error;
	cbor_read_array_exact(&reader, 12);
	copy->state = (enum copy_state)cbor_read_uint_max(&reader, COPY_CARRIED);
	copy->precedence = (unsigned)cbor_read_uint_max(&reader, QUEUE_CLASSES);
	copy->number = cbor_read_uint(&reader);
	copy->arrived_ms = cbor_read_uint(&reader);
	copy->expires_ms = cbor_read_uint(&reader);
	copy->retry_ms = cbor_read_uint(&reader);
	copy->tries = cbor_read_uint(&reader);
	copy->offset = cbor_read_uint(&reader);
	copy->size = cbor_read_uint_max(&reader, ROW_VALUE_SIZE_MAX);
	copy->pinned = cbor_read_bool(&reader);
	copy->route = cbor_read_bytes(&reader, ROUTE_NAME_SIZE_MAX);
	copy->destination = cbor_read_bytes(&reader, EID_ENCODED_SIZE_MAX);
	if (copy->state == 0 || copy->precedence == 0 || copy->offset > copy->size)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	return own_row(&reader);
}

void copy_put(struct rows *rows, struct bytes id, const struct copy *copy)
{
	struct key key;
	uint8_t memory[VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	cbor_write_array(&value, 12);
	cbor_write_uint(&value, copy->state);
	cbor_write_uint(&value, copy->precedence);
	cbor_write_uint(&value, copy->number);
	cbor_write_uint(&value, copy->arrived_ms);
	cbor_write_uint(&value, copy->expires_ms);
	cbor_write_uint(&value, copy->retry_ms);
	cbor_write_uint(&value, copy->tries);
	cbor_write_uint(&value, copy->offset);
	cbor_write_uint(&value, copy->size);
	cbor_write_bool(&value, copy->pinned);
	cbor_write_bytes(&value, copy->route);
	cbor_write_bytes(&value, copy->destination);
	value_put(rows, key_copy(&key, id), &value);
}

static void read_ranges(struct cbor_reader *reader, struct fragment_ranges *ranges)
{
	uint64_t end = 0;
	fragment_ranges_make(ranges, cbor_read_uint_max(reader, SEALED_SIZE_MAX));
	for (size_t left = cbor_read_array(reader, 2 * FRAGMENT_RANGES_MAX); left >= 2; left -= 2) {
		struct fragment_range *range = &ranges->ranges[ranges->count++];
		range->offset = cbor_read_uint_max(reader, ranges->total);
		range->size = cbor_read_uint_max(reader, ranges->total - range->offset);
		if (range->size == 0 || (ranges->count > 1 && range->offset <= end))
			cbor_reader_fail(reader, ERROR_MALFORMED);
		end = range->offset + range->size;
	}
}

enum error unit_get(struct rows *rows, struct bytes identity, struct unit *unit)
{
	struct key key;
	struct cbor_reader reader;
	memset(unit, 0, sizeof(*unit));
	enum error error = value_get(rows, key_unit(&key, identity), &reader);
	if (error != ERROR_OK)
		return error;
	cbor_read_array_exact(&reader, 6);
	unit->expires_ms = cbor_read_uint(&reader);
	unit->count = cbor_read_uint_max(&reader, FRAGMENTS_MAX);
	unit->size = cbor_read_uint_max(&reader, 2 * SEALED_SIZE_MAX);
	unit->precedence = (unsigned)cbor_read_uint_max(&reader, QUEUE_CLASSES);
	read_ranges(&reader, &unit->ranges);
	if (unit->precedence == 0)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	return own_row(&reader);
}

void unit_put(struct rows *rows, struct bytes identity, const struct unit *unit)
{
	struct key key;
	uint8_t memory[VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	cbor_write_array(&value, 6);
	cbor_write_uint(&value, unit->expires_ms);
	cbor_write_uint(&value, unit->count);
	cbor_write_uint(&value, unit->size);
	cbor_write_uint(&value, unit->precedence);
	cbor_write_uint(&value, unit->ranges.total);
	cbor_write_array(&value, 2 * unit->ranges.count);
	for (size_t i = 0; i < unit->ranges.count; i++) {
		cbor_write_uint(&value, unit->ranges.ranges[i].offset);
		cbor_write_uint(&value, unit->ranges.ranges[i].size);
	}
	value_put(rows, key_unit(&key, identity), &value);
}

void delivery_put(struct rows *rows, unsigned precedence, uint64_t number, const struct delivery *delivery)
{
	struct key key;
	uint8_t memory[VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	cbor_write_array(&value, 3);
	cbor_write_bytes(&value, delivery->source);
	cbor_write_uint(&value, delivery->size);
	cbor_write_uint(&value, delivery->mark);
	value_put(rows, key_delivery(&key, precedence, number), &value);
}

enum error delivery_read(struct bytes value, struct delivery *delivery)
{
	struct cbor_reader reader = cbor_reader_make(value);
	cbor_read_array_exact(&reader, 3);
	delivery->source = cbor_read_bytes(&reader, EID_SIZE_MAX);
	delivery->size = cbor_read_uint_max(&reader, SEALED_SIZE_MAX);
	delivery->mark = (uint32_t)cbor_read_uint_max(&reader, UINT32_MAX);
	return own_row(&reader);
}

/* ---- what waits for a route ---- */

enum error route_get(struct rows *rows, struct bytes route, struct queue_class classes[QUEUE_CLASSES])
{
	struct key key;
	struct cbor_reader reader;
	memset(classes, 0, QUEUE_CLASSES * sizeof(classes[0]));
	enum error error = value_get(rows, key_route(&key, route), &reader);
	if (error == ERROR_NOT_FOUND)
		return ERROR_OK;
	if (error != ERROR_OK)
		return error;
	cbor_read_array_exact(&reader, 2 * QUEUE_CLASSES);
	read_classes(&reader, classes);
	return own_row(&reader);
}

static void route_put(struct rows *rows, struct bytes route, const struct queue_class classes[QUEUE_CLASSES])
{
	struct key key;
	uint8_t memory[VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	uint64_t count = 0;
	for (size_t i = 0; i < QUEUE_CLASSES; i++)
		count += classes[i].count;
	if (count == 0) {
		rows_delete(rows, key_route(&key, route));
		return;
	}
	cbor_write_array(&value, 2 * QUEUE_CLASSES);
	write_classes(&value, classes);
	value_put(rows, key_route(&key, route), &value);
}

enum error route_add(struct step *step, struct bytes route, unsigned precedence, uint64_t size)
{
	struct queue_class classes[QUEUE_CLASSES];
	enum error error = route_get(step->rows, route, classes);
	if (error != ERROR_OK)
		return error;
	classes[precedence - 1].count++;
	classes[precedence - 1].size += size + QUEUE_CHARGE;
	route_put(step->rows, route, classes);
	return ERROR_OK;
}

enum error route_take(struct step *step, struct bytes route, unsigned precedence, uint64_t size)
{
	struct queue_class classes[QUEUE_CLASSES];
	enum error error = route_get(step->rows, route, classes);
	if (error != ERROR_OK)
		return error;
	struct queue_class *class = &classes[precedence - 1];
	if (class->count == 0 || class->size < size + QUEUE_CHARGE)
		return ERROR_MALFORMED;
	class->count--;
	class->size -= size + QUEUE_CHARGE;
	route_put(step->rows, route, classes);
	return ERROR_OK;
}
