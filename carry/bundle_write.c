#include <assert.h>

#include "base/cbor.h"
#include "carry/bundle.h"
#include "carry/crc.h"

#define VERSION 7

/* The block numbers of our own bundles; the payload's is 1 by the standard. */
#define PAYLOAD_NUMBER   1
#define AGE_NUMBER       2
#define HOP_COUNT_NUMBER 3

/* Ends the block that began at `start` with its CRC-32C, made with zeros in the checksum's place. */
static void write_crc(struct buffer *buffer, size_t start)
{
	cbor_write_bytes_head(buffer, 4);
	buffer_append_u32(buffer, 0);
	if (buffer_error(buffer) != ERROR_OK)
		return;
	struct bytes block = bytes_make(buffer->data + start, buffer->size - start);
	store_u32(buffer->data + buffer->size - 4, crc32c_finish(crc32c_update(CRC_START, block)));
}

/* The primary block anew, from the fields of `bundle`. */
static void write_primary(struct buffer *buffer, const struct bundle *bundle)
{
	bool is_fragment = (bundle->flags & BUNDLE_IS_FRAGMENT) != 0;
	size_t start = buffer->size;
	cbor_write_array(buffer, is_fragment ? 11 : 9);
	cbor_write_uint(buffer, VERSION);
	cbor_write_uint(buffer, bundle->flags);
	cbor_write_uint(buffer, BUNDLE_CRC_32C);
	eid_write(buffer, &bundle->destination);
	eid_write(buffer, &bundle->source);
	eid_write(buffer, &bundle->report_to);
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, bundle->creation_ms);
	cbor_write_uint(buffer, bundle->sequence);
	cbor_write_uint(buffer, bundle->lifetime_ms);
	if (is_fragment) {
		cbor_write_uint(buffer, bundle->fragment_offset);
		cbor_write_uint(buffer, bundle->total_size);
	}
	write_crc(buffer, start);
}

static void write_block(struct buffer *buffer, uint64_t type, uint64_t number, uint64_t flags,
			struct bytes data)
{
	size_t start = buffer->size;
	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, type);
	cbor_write_uint(buffer, number);
	cbor_write_uint(buffer, flags);
	cbor_write_uint(buffer, BUNDLE_CRC_32C);
	cbor_write_bytes(buffer, data);
	write_crc(buffer, start);
}

static void write_age(struct buffer *buffer, uint64_t number, uint64_t flags, uint64_t age_ms)
{
	uint8_t memory[9];
	struct buffer data = buffer_make(memory, sizeof(memory));
	cbor_write_uint(&data, age_ms);
	write_block(buffer, BLOCK_AGE, number, flags, buffer_bytes(&data));
}

static void write_hop_count(struct buffer *buffer, uint64_t number, uint64_t flags, uint64_t limit,
			    uint64_t count)
{
	uint8_t memory[19];
	struct buffer data = buffer_make(memory, sizeof(memory));
	cbor_write_array(&data, 2);
	cbor_write_uint(&data, limit);
	cbor_write_uint(&data, count);
	write_block(buffer, BLOCK_HOP_COUNT, number, flags, buffer_bytes(&data));
}

static void write_previous_node(struct buffer *buffer, uint64_t number, const struct eid *node)
{
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer data = buffer_make(memory, sizeof(memory));
	eid_write(&data, node);
	write_block(buffer, BLOCK_PREVIOUS_NODE, number, 0, buffer_bytes(&data));
}

enum error bundle_create(struct buffer *buffer, const struct bundle_fields *fields, struct bytes payload)
{
	struct bundle bundle = {
		.destination = fields->destination,
		.source = fields->source,
		.report_to = eid_none(),
		.creation_ms = fields->creation_ms,
		.sequence = fields->sequence,
		.lifetime_ms = fields->lifetime_ms,
	};
	cbor_write_array_indefinite(buffer);
	write_primary(buffer, &bundle);
	write_age(buffer, AGE_NUMBER, BLOCK_REPLICATE, fields->age_ms);
	write_hop_count(buffer, HOP_COUNT_NUMBER, BLOCK_REPLICATE, BUNDLE_HOP_LIMIT, 0);
	write_block(buffer, BLOCK_PAYLOAD, PAYLOAD_NUMBER, 0, payload);
	cbor_write_break(buffer);
	return buffer_error(buffer);
}

/* ---- forwarding ---- */

static bool is_whole(const struct bundle *bundle, const struct bundle_forwarding *forwarding)
{
	return forwarding->offset == 0 && forwarding->size == bundle->payload.size;
}

static void forward_primary(struct buffer *buffer, const struct bundle *bundle,
			    const struct bundle_forwarding *forwarding)
{
	if (is_whole(bundle, forwarding)) {
		buffer_append(buffer, bundle->primary);
		return;
	}
	struct bundle part = *bundle;
	part.flags |= BUNDLE_IS_FRAGMENT;
	part.fragment_offset += forwarding->offset;
	write_primary(buffer, &part);
}

/* A block number that no block of the bundle has: the old Previous Node block's may be taken again. */
static uint64_t free_number(const struct bundle *bundle)
{
	for (uint64_t number = PAYLOAD_NUMBER + 1;; number++) {
		bool used = false;
		for (size_t i = 0; i < bundle->blocks_count; i++)
			used = used || (bundle->blocks[i].number == number &&
					bundle->blocks[i].type != BLOCK_PREVIOUS_NODE);
		if (!used)
			return number;
	}
}

static void forward_block(struct buffer *buffer, const struct bundle *bundle,
			  const struct bundle_forwarding *forwarding, const struct bundle_block *block)
{
	bool everywhere =
		(block->flags & BLOCK_REPLICATE) != 0 || block->type == BLOCK_PAYLOAD ||
		block->type == BLOCK_AGE; /* without a clock at the source no part lives without it */
	if (forwarding->offset > 0 && !everywhere)
		return;
	switch (block->type) {
	case BLOCK_PREVIOUS_NODE:
		return;
	case BLOCK_AGE:
		write_age(buffer, block->number, block->flags, forwarding->age_ms);
		return;
	case BLOCK_HOP_COUNT:
		write_hop_count(buffer, block->number, block->flags, bundle->hop_limit,
				bundle->hop_count + 1);
		return;
	case BLOCK_PAYLOAD:
		if (is_whole(bundle, forwarding))
			buffer_append(buffer, block->encoded);
		else
			write_block(buffer, BLOCK_PAYLOAD, PAYLOAD_NUMBER, block->flags,
				    bytes_make(bundle->payload.data + forwarding->offset, forwarding->size));
		return;
	case BLOCK_INTEGRITY: /* where the primary block has nothing else to show that it is whole */
		if ((block->flags & BLOCK_DISCARD) == 0 || bundle->crc == BUNDLE_CRC_NONE)
			buffer_append(buffer, block->encoded);
		return;
	default:
		if ((block->flags & BLOCK_DISCARD) == 0)
			buffer_append(buffer, block->encoded);
		return;
	}
}

enum error bundle_forward(struct buffer *buffer, const struct bundle *bundle,
			  const struct bundle_forwarding *forwarding)
{
	size_t size = bundle->payload.size;
	assert(forwarding->offset <= size && forwarding->size <= size - forwarding->offset);
	assert(forwarding->size > 0 || size == 0);
	if (!is_whole(bundle, forwarding) &&
	    (bundle->has_security || (bundle->flags & BUNDLE_MUST_NOT_FRAGMENT) != 0))
		return ERROR_UNSUPPORTED;
	cbor_write_array_indefinite(buffer);
	forward_primary(buffer, bundle, forwarding);
	/* One block more than a node like this one reads would end the bundle's way there. */
	if (forwarding->previous_node != NULL &&
	    (bundle->has_previous_node || bundle->blocks_count < BUNDLE_BLOCKS_MAX))
		write_previous_node(buffer, free_number(bundle), forwarding->previous_node);
	for (size_t i = 0; i < bundle->blocks_count; i++)
		forward_block(buffer, bundle, forwarding, &bundle->blocks[i]);
	cbor_write_break(buffer);
	return buffer_error(buffer);
}
