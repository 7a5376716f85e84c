#include "envelope/wire.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/fields.h"
#include "envelope/padding.h"
#include "envelope/statement.h"

#define SEAL_CONTEXT "liaison seal"
#define CARD_CONTEXT "liaison card"

/* ---- heads seen ---- */

static void read_heads_seen(struct cbor_reader *reader, struct heads_seen *heads)
{
	size_t items = cbor_read_array(reader, HEADS_SEEN_MAX * 3);

	if (items % 3 != 0)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	heads->count = items / 3;
	for (size_t i = 0; i < heads->count; i++) {
		struct head_seen *head = &heads->heads[i];

		head->log = cbor_read_uint_max(reader, LOG_MAX);
		head->incarnation = fields_read_between(reader, 1, INCARNATIONS_MAX);
		head->size = fields_read_between(reader, 1, POSITION_MAX + 1);
		if (i > 0 && head->log <= heads->heads[i - 1].log)
			cbor_reader_fail(reader, ERROR_MALFORMED);
	}
}

static void write_heads_seen(const struct heads_seen *heads, struct buffer *buffer)
{
	assert(heads->count <= HEADS_SEEN_MAX);
	cbor_write_array(buffer, heads->count * 3);
	for (size_t i = 0; i < heads->count; i++) {
		cbor_write_uint(buffer, heads->heads[i].log);
		cbor_write_uint(buffer, heads->heads[i].incarnation);
		cbor_write_uint(buffer, heads->heads[i].size);
	}
}

/* ---- leaves ---- */

void leaf_encode(const struct leaf *leaf, struct buffer *buffer)
{
	cbor_write_array(buffer, 4);
	cbor_write_uint(buffer, leaf->position);
	fields_write_bytes(buffer, leaf->identity, sizeof(leaf->identity));
	fields_write_bytes(buffer, leaf->signatures_hash, sizeof(leaf->signatures_hash));
	write_heads_seen(&leaf->heads, buffer);
}

enum error leaf_decode(struct bytes encoded, struct leaf *leaf)
{
	struct cbor_reader reader = cbor_reader_make(encoded);

	memset(leaf, 0, sizeof(*leaf));
	cbor_read_array_exact(&reader, 4);
	leaf->position = cbor_read_uint_max(&reader, POSITION_MAX);
	cbor_read_bytes_exact(&reader, leaf->identity, sizeof(leaf->identity));
	cbor_read_bytes_exact(&reader, leaf->signatures_hash, sizeof(leaf->signatures_hash));
	read_heads_seen(&reader, &leaf->heads);
	return cbor_read_end(&reader);
}

/* ---- the plaintext of a copy ---- */

static void write_entry(const struct wire *wire, struct buffer *buffer)
{
	cbor_write_array(buffer, wire->kind == WIRE_RETURNED ? 6 : 5);
	fields_write_bytes(buffer, wire->tag, sizeof(wire->tag));
	if (wire->kind == WIRE_RETURNED)
		cbor_write_uint(buffer, wire->log);
	cbor_write_uint(buffer, wire->incarnation);
	cbor_write_uint(buffer, wire->position);
	write_heads_seen(&wire->heads, buffer);
}

static void write_statement(const struct wire *wire, struct buffer *buffer)
{
	cbor_write_array(buffer, 3);
	fields_write_bytes(buffer, wire->tag, wire->has_tag ? sizeof(wire->tag) : 0);
	cbor_write_uint(buffer, wire->statement);
}

enum error wire_encode(const struct wire *wire, struct buffer *buffer)
{
	assert(buffer->size == 0);
	if (wire->kind == WIRE_STATEMENT)
		write_statement(wire, buffer);
	else
		write_entry(wire, buffer);
	buffer_append(buffer, wire->cose);
	if (buffer_error(buffer) != ERROR_OK)
		return ERROR_TOO_LARGE;
	return padding_append(buffer);
}

/* The tag: of a channel, or for some statements none. */
static void read_tag(struct cbor_reader *reader, struct wire *wire)
{
	struct bytes tag = cbor_read_bytes(reader, CHANNEL_TAG_SIZE);

	if (tag.size == CHANNEL_TAG_SIZE) {
		wire->has_tag = true;
		memcpy(wire->tag, tag.data, CHANNEL_TAG_SIZE);
	} else if (tag.size != 0) {
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	}
}

static void read_entry(struct cbor_reader *reader, struct wire *wire, enum wire_kind kind)
{
	wire->kind = kind;
	if (kind == WIRE_RETURNED)
		wire->log = cbor_read_uint_max(reader, LOG_MAX);
	wire->incarnation = fields_read_between(reader, 1, INCARNATIONS_MAX);
	wire->position = cbor_read_uint_max(reader, POSITION_MAX);
	read_heads_seen(reader, &wire->heads);
	if (!wire->has_tag)
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

static void read_statement(struct cbor_reader *reader, struct wire *wire)
{
	wire->kind = WIRE_STATEMENT;
	wire->statement = cbor_read_uint(reader);
	switch (wire->statement) {
	case STATEMENT_RECEIPT:
	case STATEMENT_HEADS:
	case STATEMENT_MISSING:
		if (!wire->has_tag)
			cbor_reader_fail(reader, ERROR_MALFORMED);
		break;
	case STATEMENT_PREKEYS:
	case STATEMENT_CANNOT_OPEN:
		if (wire->has_tag)
			cbor_reader_fail(reader, ERROR_MALFORMED);
		break;
	default:
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
		break;
	}
}

enum error wire_decode(struct bytes plaintext, struct wire *wire)
{
	struct cbor_reader reader = cbor_reader_make(plaintext);
	size_t items = cbor_read_array(&reader, 6);

	memset(wire, 0, sizeof(*wire));
	if (items != 3 && items != 5 && items != 6)
		cbor_reader_fail(&reader, ERROR_WRONG_TYPE);
	read_tag(&reader, wire);
	if (items == 3)
		read_statement(&reader, wire);
	else
		read_entry(&reader, wire, items == 5 ? WIRE_ENTRY : WIRE_RETURNED);
	wire->cose = cbor_read_item(&reader);
	if (cbor_reader_error(&reader) != ERROR_OK)
		return cbor_reader_error(&reader);
	return padding_check(plaintext, reader.at);
}

/* ---- HPKE info ---- */

static void write_end(const struct seal_end *end, struct buffer *buffer)
{
	fields_write_bytes(buffer, end->party, sizeof(end->party));
	cbor_write_uint(buffer, end->slot);
	fields_write_bytes(buffer, end->statement_key, sizeof(end->statement_key));
}

void seal_info_encode(const struct seal_end *sender, const struct seal_end *receiver, bool has_epoch,
		      uint64_t epoch, struct buffer *buffer)
{
	cbor_write_array(buffer, 8);
	cbor_write_text(buffer, bytes_of_text(SEAL_CONTEXT));
	write_end(sender, buffer);
	write_end(receiver, buffer);
	if (has_epoch)
		cbor_write_uint(buffer, epoch);
	else
		cbor_write_null(buffer);
}

void card_info_encode(const uint8_t receiver_party[PARTY_ID_SIZE], uint64_t receiver_slot,
		      const uint8_t receiver_last_resort[PUBLIC_KEY_SIZE], struct buffer *buffer)
{
	cbor_write_array(buffer, 4);
	cbor_write_text(buffer, bytes_of_text(CARD_CONTEXT));
	fields_write_bytes(buffer, receiver_party, PARTY_ID_SIZE);
	cbor_write_uint(buffer, receiver_slot);
	fields_write_bytes(buffer, receiver_last_resort, PUBLIC_KEY_SIZE);
}
