#include "record/schema.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"

/* ---- keys ---- */

struct row_key key_make(enum table table)
{
	struct row_key key;

	key.size = 1; /* what follows is not cleared: keys are made by the thousand */
	key.data[0] = (uint8_t)table;
	return key;
}

static uint8_t *key_reserve(struct row_key *key, size_t size)
{
	assert(size <= sizeof(key->data) - key->size);
	uint8_t *place = key->data + key->size;
	key->size += size;
	return place;
}

void key_u8(struct row_key *key, uint64_t value)
{
	assert(value <= UINT8_MAX);
	*key_reserve(key, 1) = (uint8_t)value;
}

void key_u16(struct row_key *key, uint64_t value)
{
	assert(value <= UINT16_MAX);
	store_u16(key_reserve(key, 2), (uint16_t)value);
}

void key_u32(struct row_key *key, uint64_t value)
{
	assert(value <= UINT32_MAX);
	store_u32(key_reserve(key, 4), (uint32_t)value);
}

void key_u64(struct row_key *key, uint64_t value)
{
	store_u64(key_reserve(key, 8), value);
}

void key_bytes(struct row_key *key, const void *data, size_t size)
{
	if (size > 0)
		memcpy(key_reserve(key, size), data, size);
}

struct bytes key_view(const struct row_key *key)
{
	return bytes_make(key->data, key->size);
}

struct key_reader key_reader_make(struct bytes key)
{
	if (key.size == 0)
		return (struct key_reader){.failed = true};
	return (struct key_reader){.rest = bytes_make(key.data + 1, key.size - 1)};
}

static const uint8_t *key_read(struct key_reader *reader, size_t size)
{
	if (reader->failed || reader->rest.size < size) {
		reader->failed = true;
		return NULL;
	}
	const uint8_t *data = reader->rest.data;
	reader->rest = bytes_make(data + size, reader->rest.size - size);
	return data;
}

uint64_t key_read_u8(struct key_reader *reader)
{
	const uint8_t *data = key_read(reader, 1);
	return data == NULL ? 0 : *data;
}

uint64_t key_read_u16(struct key_reader *reader)
{
	const uint8_t *data = key_read(reader, 2);
	return data == NULL ? 0 : load_u16(data);
}

uint64_t key_read_u32(struct key_reader *reader)
{
	const uint8_t *data = key_read(reader, 4);
	return data == NULL ? 0 : load_u32(data);
}

uint64_t key_read_u64(struct key_reader *reader)
{
	const uint8_t *data = key_read(reader, 8);
	return data == NULL ? 0 : load_u64(data);
}

enum error key_read_end(const struct key_reader *reader)
{
	return reader->failed || reader->rest.size != 0 ? ERROR_MALFORMED : ERROR_OK;
}

struct row_key key_party(uint64_t party)
{
	struct row_key key = key_make(TABLE_PARTY);
	key_u8(&key, party);
	return key;
}

struct row_key key_party_post(enum table table, uint64_t party, uint64_t slot)
{
	struct row_key key = key_make(table);
	key_u8(&key, party);
	key_u8(&key, slot);
	return key;
}

struct row_key key_channel(enum table table, uint64_t channel)
{
	struct row_key key = key_make(table);
	key_u16(&key, channel);
	return key;
}

struct row_key key_line(uint64_t channel, uint64_t log)
{
	struct row_key key = key_channel(TABLE_LINE, channel);
	key_u16(&key, log);
	return key;
}

struct row_key key_log(enum table table, uint64_t channel, uint64_t log, uint64_t incarnation)
{
	struct row_key key = key_channel(table, channel);
	key_u16(&key, log);
	key_u16(&key, incarnation);
	return key;
}

struct row_key key_entry(enum table table, const struct entry_key *entry)
{
	struct row_key key = key_log(table, entry->channel, entry->log, entry->incarnation);
	key_u32(&key, entry->position);
	return key;
}

struct row_key key_identity(const uint8_t identity[IDENTITY_SIZE])
{
	struct row_key key = key_make(TABLE_IDENTITY);
	key_bytes(&key, identity, IDENTITY_SIZE);
	return key;
}

struct row_key key_acknowledged(uint64_t channel, const uint8_t identity[IDENTITY_SIZE])
{
	struct row_key key = key_channel(TABLE_ACKNOWLEDGED, channel);
	key_bytes(&key, identity, IDENTITY_SIZE);
	return key;
}

struct row_key key_acknowledged_in(uint64_t channel, const uint8_t identity[IDENTITY_SIZE], uint64_t log,
				   uint64_t incarnation)
{
	struct row_key key = key_acknowledged(channel, identity);
	key_u16(&key, log);
	key_u16(&key, incarnation);
	return key;
}

/* ---- values ---- */

/* One line for each field; the struct's member decides the size. */
#define U(type, name) {SCHEMA_UINT, sizeof(((struct type *)0)->name), offsetof(struct type, name)}
#define T(type, name) {SCHEMA_BOOL, sizeof(((struct type *)0)->name), offsetof(struct type, name)}
#define F(type, name) {SCHEMA_FIXED, sizeof(((struct type *)0)->name), offsetof(struct type, name)}
#define V(type, name) {SCHEMA_VIEW, sizeof(((struct type *)0)->name), offsetof(struct type, name)}
#define K(type, name) \
	U(type, name.channel), U(type, name.log), U(type, name.incarnation), U(type, name.position)
#define C(type, name)                                                                                        \
	U(type, name state), U(type, name precedence), U(type, name urgency), U(type, name number),          \
		U(type, name turn), U(type, name due_ms), U(type, name sends), U(type, name seals),          \
		U(type, name told_full_ms), U(type, name told_refused_ms), T(type, name last_resort),        \
		T(type, name again), T(type, name sealed), F(type, name sha256)

#define SCHEMA(type, ...)                                               \
	static const struct schema_field type##_fields[] = {__VA_ARGS__}; \
	const struct schema schema_##type = {sizeof(type##_fields) / sizeof(type##_fields[0]), \
					     sizeof(struct type), type##_fields}

SCHEMA(number, U(number, number));
SCHEMA(counter, U(counter, count), U(counter, last_ms), V(counter, source));
SCHEMA(own_post, F(own_post, party_id), U(own_post, slot), U(own_post, kind), V(own_post, party_name),
	V(own_post, post_name), V(own_post, node), F(own_post, authority_key),
	F(own_post, statement_secret),
	F(own_post, statement_key), F(own_post, root_seed), F(own_post, last_resort_secret),
	F(own_post, last_resort_key));
SCHEMA(state, U(state, arrivals), U(state, numbers), U(state, parties), U(state, channels),
	U(state, session),
	U(state, prekeys_number), U(state, epoch_first), U(state, epoch_next), U(state, epoch_marked),
	U(state, epoch_start), U(state, epoch_origin), U(state, swept_ms), U(state, restored),
	U(state, anchored), U(state, requeue), U(state, heads_ms), U(state, unsure),
	U(state, awaited));
SCHEMA(slow_clock, U(slow_clock, slow_ms), U(slow_clock, steady_ms), U(slow_clock, wall_ms));
SCHEMA(anchor_line, U(anchor_line, incarnation), U(anchor_line, size), F(anchor_line, root));
SCHEMA(party, F(party, id), V(party, name), F(party, authority_key), F(party, successor), U(party, letters),
	F(party, head), U(party, keying));
SCHEMA(party_post, U(party_post, kind), V(party_post, name), V(party_post, node),
	F(party_post, statement_key),
	F(party_post, courier_pin), V(party_post, address));
SCHEMA(post_number, U(post_number, party), U(post_number, slot));
SCHEMA(channel, F(channel, id), V(channel, terms), F(channel, nonce), U(channel, state),
	U(channel, own_index),
	V(channel, parties), U(channel, opened), F(channel, registry), U(channel, proposer),
	U(channel, entries));
SCHEMA(line, F(line, log_key), F(line, cosigner_key), U(line, incarnation), U(line, head_incarnation),
	U(line, head_size), F(line, head_root), F(line, head_signature), U(line, cosigned_at),
	F(line, cosignature), U(line, theirs_incarnation), U(line, theirs_size), F(line, theirs_root),
	U(line, theirs_at), F(line, theirs_cosignature), U(line, heads_sent_ms), U(line, heads_sent_sum),
	U(line, heads_serial), U(line, disagrees), U(line, forked), U(line, asked), U(line, former_told),
	U(line, former_count), U(line, unsure), U(line, told), V(line, name), F(line, statement_key));
SCHEMA(chain, U(chain, letters), U(chain, officers), U(chain, agreed), F(chain, head));
SCHEMA(officer, V(officer, name), V(officer, title), F(officer, key),
	U(officer, highest_precedence), U(officer, agreed), F(officer, letter));
SCHEMA(quota, U(quota, start_ms), U(quota, count));
SCHEMA(entry_key, U(entry_key, channel), U(entry_key, log), U(entry_key, incarnation),
	U(entry_key, position));
SCHEMA(log, U(log, size), V(log, frontier), U(log, end), U(log, told), U(log, ask_ms), U(log, follows),
	U(log, follows_size));
SCHEMA(former_head, U(former_head, size), F(former_head, root), F(former_head, signature),
	U(former_head, cosigned_at), F(former_head, cosignature));
SCHEMA(missing, U(missing, asks), U(missing, asked_ms), U(missing, from), U(missing, given), T(missing, came),
	T(missing, open), T(missing, doubted));
SCHEMA(entry, F(entry, identity), V(entry, leaf), U(entry, kind),
	U(entry, precedence), U(entry, time), U(entry, signers), U(entry, state), U(entry, reason),
	U(entry, held_at_ms), U(entry, arrival), V(entry, subject), V(entry, times), U(entry, receipt),
	U(entry, received), U(entry, refused), U(entry, ack_by));
SCHEMA(seen, U(seen, incarnation), U(seen, size));
SCHEMA(arrival, K(arrival, key), U(arrival, kind), T(arrival, own), T(arrival, refused),
	T(arrival, again));
SCHEMA(receipt_row, U(receipt_row, channel), U(receipt_row, by), U(receipt_row, held_at_ms),
	V(receipt_row, cose));
SCHEMA(evidence, U(evidence, kind), U(evidence, held_at_ms), U(evidence, incarnation),
	U(evidence, position),
	V(evidence, first), V(evidence, second));
SCHEMA(epoch, F(epoch, secret), F(epoch, key), U(epoch, ends), U(epoch, ended_ms));
SCHEMA(psk, F(psk, id), F(psk, key), U(psk, keying));
SCHEMA(leaf_row, U(leaf_row, epoch), F(leaf_row, leaf), U(leaf_row, seen_epoch), U(leaf_row, seen_ms),
	U(leaf_row, keying));
SCHEMA(next_keying, U(next_keying, keying), F(next_keying, leaf), F(next_keying, last_leaf),
	U(next_keying, shown_ms));
SCHEMA(prekeys_row, U(prekeys_row, number), T(prekeys_row, cannot_open), U(prekeys_row, first_epoch),
	U(prekeys_row, start), U(prekeys_row, length_s), V(prekeys_row, keys), F(prekeys_row, last_resort),
	V(prekeys_row, cose));
SCHEMA(epoch_use, U(epoch_use, used), U(epoch_use, number), U(epoch_use, sent_ms));
SCHEMA(copy_key, U(copy_key, statement), K(copy_key, entry));
SCHEMA(copy, C(copy, ));
SCHEMA(statement_copy, C(statement_copy, copy.), T(statement_copy, next_keying),
	U(statement_copy, kind), U(statement_copy, channel), U(statement_copy, party),
	U(statement_copy, slot), V(statement_copy, cose), K(statement_copy, entry));
SCHEMA(pending, U(pending, routine), U(pending, priority), U(pending, immediate), U(pending, flash));

static void field_write(const struct schema_field *field, const uint8_t *at, struct buffer *buffer)
{
	uint64_t number;
	bool flag;
	struct bytes view;

	switch ((enum schema_type)field->type) {
	case SCHEMA_UINT:
		memcpy(&number, at, sizeof(number));
		cbor_write_uint(buffer, number);
		break;
	case SCHEMA_BOOL:
		memcpy(&flag, at, sizeof(flag));
		cbor_write_bool(buffer, flag);
		break;
	case SCHEMA_FIXED:
		cbor_write_bytes(buffer, bytes_make(at, field->size));
		break;
	case SCHEMA_VIEW:
		memcpy(&view, at, sizeof(view));
		cbor_write_bytes(buffer, view);
		break;
	}
}

void schema_write(const struct schema *schema, const void *value, struct buffer *buffer)
{
	cbor_write_array(buffer, schema->count);
	for (size_t i = 0; i < schema->count; i++)
		field_write(&schema->fields[i], (const uint8_t *)value + schema->fields[i].offset, buffer);
}

static void field_read(const struct schema_field *field, struct cbor_reader *reader, uint8_t *at)
{
	uint64_t number;
	bool flag;
	struct bytes view;

	switch ((enum schema_type)field->type) {
	case SCHEMA_UINT:
		number = cbor_read_uint(reader);
		memcpy(at, &number, sizeof(number));
		break;
	case SCHEMA_BOOL:
		flag = cbor_read_bool(reader);
		memcpy(at, &flag, sizeof(flag));
		break;
	case SCHEMA_FIXED:
		cbor_read_bytes_exact(reader, at, field->size);
		break;
	case SCHEMA_VIEW:
		view = cbor_read_bytes(reader, ROW_VALUE_SIZE_MAX);
		memcpy(at, &view, sizeof(view));
		break;
	}
}

enum error schema_read(const struct schema *schema, struct bytes bytes, void *value)
{
	memset(value, 0, schema->size);
	struct cbor_reader reader = cbor_reader_make(bytes);
	cbor_read_array_exact(&reader, schema->count);
	for (size_t i = 0; i < schema->count; i++)
		field_read(&schema->fields[i], &reader, (uint8_t *)value + schema->fields[i].offset);
	if (cbor_read_end(&reader) == ERROR_OK)
		return ERROR_OK;
	memset(value, 0, schema->size);
	return ERROR_MALFORMED;
}
