#include <string.h>

#include "base/cbor.h"
#include "carry/bundle.h"
#include "carry/crc.h"

#define VERSION           7
#define PRIMARY_ITEMS_MAX 11
#define REPORT_FLAGS                                                                                         \
	(BUNDLE_REPORT_RECEPTION | BUNDLE_REPORT_FORWARDING | BUNDLE_REPORT_DELIVERY | BUNDLE_REPORT_DELETION)
#define HOP_LIMIT_MAX 255

static const uint8_t zeros[4];

/* ---- checksums ---- */

static size_t crc_size(enum bundle_crc crc)
{
	return crc == BUNDLE_CRC_32C ? 4 : crc == BUNDLE_CRC_16 ? 2 : 0;
}

static enum bundle_crc read_crc_type(struct cbor_reader *reader)
{
	uint64_t type = cbor_read_uint(reader);
	if (type > BUNDLE_CRC_32C) {
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
		return BUNDLE_CRC_NONE;
	}
	return (enum bundle_crc)type;
}

/* Reads the block's last item, the checksum, made over the block with zeros in its place, and compares. */
static void read_crc(struct cbor_reader *reader, size_t start, enum bundle_crc type)
{
	uint8_t found[4] = {0};
	uint8_t expected[4];
	size_t size = crc_size(type);
	if (size == 0)
		return;
	cbor_read_bytes_exact(reader, found, size);
	if (cbor_reader_error(reader) != ERROR_OK)
		return;
	struct bytes before = bytes_make(reader->data + start, reader->at - size - start);
	struct bytes blank = bytes_make(zeros, size);
	if (type == BUNDLE_CRC_32C)
		store_u32(expected, crc32c_finish(crc32c_update(crc32c_update(CRC_START, before), blank)));
	else
		store_u16(expected, crc16_finish(crc16_update(crc16_update(CRC_START, before), blank)));
	if (memcmp(found, expected, size) != 0)
		cbor_reader_fail(reader, ERROR_BAD_CHECKSUM);
}

static struct bytes since(const struct cbor_reader *reader, size_t start)
{
	size_t size = reader->at - start;

	return size == 0 ? bytes_make(NULL, 0) : bytes_make(reader->data + start, size);
}

/* ---- the primary block (section 4.3.1) ---- */

static void check_flags(struct cbor_reader *reader, const struct bundle *bundle)
{
	bool reports = (bundle->flags & REPORT_FLAGS) != 0;
	bool is_fragment = (bundle->flags & BUNDLE_IS_FRAGMENT) != 0;
	bool must_not = (bundle->flags & BUNDLE_MUST_NOT_FRAGMENT) != 0;
	if ((bundle->flags & BUNDLE_IS_ADMINISTRATIVE) != 0 && reports)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	if (eid_is_null(&bundle->source) && (reports || !must_not))
		cbor_reader_fail(reader, ERROR_MALFORMED);
	if (is_fragment && must_not)
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

static void read_primary(struct cbor_reader *reader, struct bundle *bundle)
{
	size_t start = reader->at;
	size_t count = cbor_read_array(reader, PRIMARY_ITEMS_MAX);
	uint64_t version = cbor_read_uint(reader);
	if (cbor_reader_error(reader) == ERROR_OK && version != VERSION)
		cbor_reader_fail(reader, ERROR_BAD_VERSION);
	bundle->flags = cbor_read_uint(reader);
	bundle->crc = read_crc_type(reader);
	eid_read(reader, &bundle->destination);
	eid_read(reader, &bundle->source);
	eid_read(reader, &bundle->report_to);
	cbor_read_array_exact(reader, 2);
	bundle->creation_ms = cbor_read_uint(reader);
	bundle->sequence = cbor_read_uint(reader);
	bundle->lifetime_ms = cbor_read_uint(reader);
	bool is_fragment = (bundle->flags & BUNDLE_IS_FRAGMENT) != 0;
	if (is_fragment) {
		bundle->fragment_offset = cbor_read_uint(reader);
		bundle->total_size = cbor_read_uint(reader);
	}
	size_t expected = 8 + (is_fragment ? 2 : 0) + (bundle->crc != BUNDLE_CRC_NONE ? 1 : 0);
	if (cbor_reader_error(reader) == ERROR_OK && count != expected)
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	read_crc(reader, start, bundle->crc);
	bundle->primary = since(reader, start);
	check_flags(reader, bundle);
}

/* ---- canonical blocks (section 4.3.2) ---- */

static void read_block(struct cbor_reader *reader, struct bundle_block *block)
{
	size_t start = reader->at;
	size_t count = cbor_read_array(reader, 6);
	block->type = cbor_read_uint(reader);
	block->number = cbor_read_uint(reader);
	block->flags = cbor_read_uint(reader);
	block->crc = read_crc_type(reader);
	block->data = cbor_read_bytes(reader, BUNDLE_SIZE_MAX);
	if (cbor_reader_error(reader) == ERROR_OK && count != (block->crc == BUNDLE_CRC_NONE ? 5u : 6u))
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	read_crc(reader, start, block->crc);
	block->encoded = since(reader, start);
}

static enum error read_previous_node(struct bundle *bundle, const struct bundle_block *block)
{
	struct cbor_reader data = cbor_reader_make(block->data);
	if (bundle->has_previous_node)
		return ERROR_MALFORMED;
	bundle->has_previous_node = true;
	eid_read(&data, &bundle->previous_node);
	return cbor_read_end(&data);
}

static enum error read_age(struct bundle *bundle, const struct bundle_block *block)
{
	struct cbor_reader data = cbor_reader_make(block->data);
	if (bundle->has_age)
		return ERROR_MALFORMED;
	bundle->has_age = true;
	bundle->age_ms = cbor_read_uint(&data);
	return cbor_read_end(&data);
}

static enum error read_hop_count(struct bundle *bundle, const struct bundle_block *block)
{
	struct cbor_reader data = cbor_reader_make(block->data);
	if (bundle->has_hop_count)
		return ERROR_MALFORMED;
	bundle->has_hop_count = true;
	cbor_read_array_exact(&data, 2);
	bundle->hop_limit = cbor_read_uint_max(&data, HOP_LIMIT_MAX);
	bundle->hop_count = cbor_read_uint_max(&data, HOP_LIMIT_MAX); /* more is past every limit */
	enum error error = cbor_read_end(&data);
	return error == ERROR_OK && bundle->hop_limit == 0 ? ERROR_MALFORMED : error;
}

static enum error read_by_type(struct bundle *bundle, const struct bundle_block *block)
{
	switch (block->type) {
	case BLOCK_PAYLOAD:
		bundle->payload = block->data;
		return ERROR_OK;
	case BLOCK_PREVIOUS_NODE:
		return read_previous_node(bundle, block);
	case BLOCK_AGE:
		return read_age(bundle, block);
	case BLOCK_HOP_COUNT:
		return read_hop_count(bundle, block);
	case BLOCK_INTEGRITY:
	case BLOCK_CONFIDENTIALITY:
		bundle->has_security = true;
		return ERROR_OK;
	default:
		return ERROR_OK;
	}
}

/* The rules that concern one block among those before it. */
static enum error check_block(const struct bundle *bundle, const struct bundle_block *block)
{
	bool is_payload = block->type == BLOCK_PAYLOAD;
	bool no_reports = (bundle->flags & BUNDLE_IS_ADMINISTRATIVE) != 0 || eid_is_null(&bundle->source);
	if (block->type == 0 || block->number == 0 || (block->number == 1) != is_payload)
		return ERROR_MALFORMED;
	if (no_reports && (block->flags & BLOCK_REPORT) != 0)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < bundle->blocks_count; i++)
		if (bundle->blocks[i].number == block->number)
			return ERROR_MALFORMED;
	return ERROR_OK;
}

/* Reads blocks up to the break; the payload must be the one before it. */
static void read_blocks(struct cbor_reader *reader, struct bundle *bundle)
{
	bool payload_read = false;
	while (cbor_reader_error(reader) == ERROR_OK && !cbor_read_break(reader)) {
		if (payload_read) {
			cbor_reader_fail(reader, ERROR_MALFORMED);
			return;
		}
		if (bundle->blocks_count == BUNDLE_BLOCKS_MAX) {
			cbor_reader_fail(reader, ERROR_TOO_LARGE);
			return;
		}
		struct bundle_block *block = &bundle->blocks[bundle->blocks_count];
		read_block(reader, block);
		if (cbor_reader_error(reader) != ERROR_OK)
			return;
		enum error error = check_block(bundle, block);
		if (error == ERROR_OK)
			error = read_by_type(bundle, block);
		if (error != ERROR_OK) {
			cbor_reader_fail(reader, error);
			return;
		}
		bundle->blocks_count++;
		payload_read = block->type == BLOCK_PAYLOAD;
	}
	if (!payload_read)
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

/* ---- the whole ---- */

/* True if a Block Integrity Block names the primary block, number 0, as a target (RFC 9172, 3.6). */
static bool primary_is_protected(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->blocks_count; i++) {
		if (bundle->blocks[i].type != BLOCK_INTEGRITY)
			continue;
		struct cbor_reader data = cbor_reader_make(bundle->blocks[i].data);
		bool found = false;
		for (size_t left = cbor_read_array(&data, BUNDLE_BLOCKS_MAX + 1); left > 0; left--)
			found = cbor_read_uint(&data) == 0 || found;
		if (found && cbor_reader_error(&data) == ERROR_OK)
			return true;
	}
	return false;
}

static enum error check_whole(struct bundle *bundle)
{
	if (bundle->crc == BUNDLE_CRC_NONE && !primary_is_protected(bundle))
		return ERROR_MALFORMED;
	if (bundle->creation_ms == 0 && !bundle->has_age)
		return ERROR_MALFORMED;
	if ((bundle->flags & BUNDLE_IS_FRAGMENT) == 0) {
		bundle->total_size = bundle->payload.size;
		return ERROR_OK;
	}
	if (bundle->fragment_offset > bundle->total_size ||
	    bundle->payload.size > bundle->total_size - bundle->fragment_offset)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

enum error bundle_read(struct bytes bytes, struct bundle *bundle)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	memset(bundle, 0, sizeof(*bundle));
	if (bytes.size > BUNDLE_SIZE_MAX)
		return ERROR_TOO_LARGE;
	cbor_read_array_indefinite(&reader);
	read_primary(&reader, bundle);
	read_blocks(&reader, bundle);
	enum error error = cbor_read_end(&reader);
	return error == ERROR_OK ? check_whole(bundle) : error;
}

static bool is_processed_here(uint64_t type)
{
	return type == BLOCK_PAYLOAD || type == BLOCK_PREVIOUS_NODE || type == BLOCK_AGE ||
	       type == BLOCK_HOP_COUNT;
}

bool bundle_must_be_deleted(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->blocks_count; i++) {
		const struct bundle_block *block = &bundle->blocks[i];
		if (!is_processed_here(block->type) && (block->flags & BLOCK_DELETE_BUNDLE) != 0)
			return true;
	}
	return false;
}

uint64_t bundle_remaining_ms(const struct bundle *bundle, uint64_t dtn_now_ms)
{
	uint64_t lifetime = bundle->lifetime_ms;
	uint64_t age = 0;
	if (bundle->has_age)
		age = bundle->age_ms;
	else if (dtn_now_ms > bundle->creation_ms)
		age = dtn_now_ms - bundle->creation_ms;
	return age < lifetime ? lifetime - age : 0;
}

static void identify(const struct bundle *bundle, bool whole, struct bundle_identity *identity)
{
	struct buffer buffer = buffer_make(identity->bytes, sizeof(identity->bytes));
	eid_write(&buffer, &bundle->source);
	buffer_append_u64(&buffer, bundle->creation_ms);
	buffer_append_u64(&buffer, bundle->sequence);
	if (!whole && (bundle->flags & BUNDLE_IS_FRAGMENT) != 0) {
		buffer_append_u64(&buffer, bundle->fragment_offset);
		buffer_append_u64(&buffer, bundle->payload.size);
	}
	identity->size = buffer.size;
}

void bundle_identify(const struct bundle *bundle, struct bundle_identity *identity)
{
	identify(bundle, false, identity);
}

void bundle_identify_whole(const struct bundle *bundle, struct bundle_identity *identity)
{
	identify(bundle, true, identity);
}
