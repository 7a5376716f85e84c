/*
 * Bundles of the Bundle Protocol version 7 (RFC 9171): read to views, created, forwarded.
 *
 * Our own bundles (doc/PROTOCOL.md says why): flags 0, report-to dtn:none, the blocks Bundle Age (2), Hop
 * Count (3) and payload (1), in this order, CRC-32C on every block. Age and hop count are marked for every
 * fragment. With an ipn node number below 2^32 all this takes less than 100 bytes around a payload.
 *
 * Time. A DTN time is in milliseconds since 2000-01-01T00:00:00Z. No party's clock is trusted: our bundles
 * carry a Bundle Age block always, and a bundle with one lives until its age reaches its lifetime, whatever
 * its creation time says: the age that it came with, and the time that it then spent here by a clock that
 * only runs forward. The age block is rewritten each time it is sent. Only a bundle without that block is
 * judged by creation time, and only by a node whose clock is said to be right; else such a bundle lives its
 * whole lifetime from its arrival.
 */
#ifndef CARRY_BUNDLE_H
#define CARRY_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "carry/eid.h"

#define BUNDLE_EPOCH_UNIX_MS     946684800000ULL /* DTN time 0 */
#define BUNDLE_HOP_LIMIT         32              /* of our own bundles: longer routes make no sense */
#define BUNDLE_OVERHEAD_SIZE_MAX 512 /* our own bundle without its payload, with the longest endpoint ids */
#define BUNDLE_GROWTH_SIZE_MAX   192 /* bytes that forwarding adds at most */

/* Bundle processing control flags (section 4.2.3). */
#define BUNDLE_IS_FRAGMENT           0x000001u
#define BUNDLE_IS_ADMINISTRATIVE     0x000002u
#define BUNDLE_MUST_NOT_FRAGMENT     0x000004u
#define BUNDLE_ACKNOWLEDGMENT_WANTED 0x000020u
#define BUNDLE_STATUS_TIME_WANTED    0x000040u
#define BUNDLE_REPORT_RECEPTION      0x004000u
#define BUNDLE_REPORT_FORWARDING     0x010000u
#define BUNDLE_REPORT_DELIVERY       0x020000u
#define BUNDLE_REPORT_DELETION       0x040000u

/* Block processing control flags (section 4.2.4): what to do with a block that cannot be processed. */
#define BLOCK_REPLICATE     0x01u /* must stand in every fragment */
#define BLOCK_REPORT        0x02u /* send a status report: we never do (section 5.1) */
#define BLOCK_DELETE_BUNDLE 0x04u /* delete the bundle */
#define BLOCK_DISCARD       0x10u /* leave the block out when forwarding */

enum bundle_block_type {
	BLOCK_PAYLOAD = 1,
	BLOCK_PREVIOUS_NODE = 6,
	BLOCK_AGE = 7,
	BLOCK_HOP_COUNT = 10,
	BLOCK_INTEGRITY = 11,       /* RFC 9172; carried, never verified here */
	BLOCK_CONFIDENTIALITY = 12, /* RFC 9172; carried, never opened here */
};

enum bundle_crc {
	BUNDLE_CRC_NONE = 0,
	BUNDLE_CRC_16 = 1,
	BUNDLE_CRC_32C = 2,
};

struct bundle_block {
	uint64_t type;   /* enum bundle_block_type, or any other */
	uint64_t number; /* 1 for the payload; unique */
	uint64_t flags;
	enum bundle_crc crc;
	struct bytes data;    /* what the block's byte string holds */
	struct bytes encoded; /* the whole block */
};

/* A bundle as read. Every view points into the bytes that it was read from. */
struct bundle {
	uint64_t flags;
	enum bundle_crc crc; /* of the primary block */
	struct eid destination;
	struct eid source; /* node id */
	struct eid report_to;
	uint64_t creation_ms; /* DTN time; 0: the source had no clock */
	uint64_t sequence;
	uint64_t lifetime_ms;
	uint64_t fragment_offset; /* with BUNDLE_IS_FRAGMENT; else 0 */
	uint64_t total_size;  /* of the application data unit: that of the payload if this is no fragment */
	struct bytes primary; /* the whole primary block */

	struct bundle_block blocks[BUNDLE_BLOCKS_MAX]; /* the payload is the last */
	size_t blocks_count;
	struct bytes payload;

	bool has_age;
	bool has_hop_count;
	bool has_previous_node;
	bool has_security; /* a block of RFC 9172: it must not be fragmented */
	uint64_t age_ms;
	uint64_t hop_limit; /* 1 to 255 */
	uint64_t hop_count;
	struct eid previous_node;
};

/*
 * Reads exactly one bundle of at most BUNDLE_SIZE_MAX bytes (section 4.1), and checks: version 7; every
 * checksum; the primary block has one, or a Block Integrity Block that covers it; the payload block is the
 * last, once, with number 1; other numbers are unique and not 0 or 1; Previous Node, Bundle Age and Hop Count
 * stand at most once and hold what they must; the age is there if the creation time is 0; the flag rules of
 * sections 4.2.3 and 4.2.4; a fragment lies within its unit. Inner arrays and strings must be of definite
 * length, and at most BUNDLE_BLOCKS_MAX blocks.
 *
 * Errors: those of base/cbor.h for the form, ERROR_BAD_VERSION, ERROR_BAD_CHECKSUM, ERROR_TOO_LARGE,
 * ERROR_MALFORMED for a broken rule, ERROR_UNSUPPORTED for an unknown scheme or checksum. On failure *bundle
 * is not to be used.
 */
enum error bundle_read(struct bytes bytes, struct bundle *bundle);

/* True if a block that this node cannot process wants the bundle deleted (section 5.6, step 4). */
bool bundle_must_be_deleted(const struct bundle *bundle);

/* What is left of the bundle's life, in ms, at most its lifetime; 0: expired. dtn_now_ms is this node's DTN
 * time, or 0 if its clock is not said to be right. See "Time" above. */
uint64_t bundle_remaining_ms(const struct bundle *bundle, uint64_t dtn_now_ms);

/*
 * What tells bundles apart (section 4.2.7; fragments also by offset and payload size, section 5.8): the same
 * bytes for the same bundle however its endpoint ids were written, and none is the beginning of another's.
 */
#define BUNDLE_IDENTITY_SIZE_MAX (EID_ENCODED_SIZE_MAX + 32)

struct bundle_identity {
	uint8_t bytes[BUNDLE_IDENTITY_SIZE_MAX];
	size_t size;
};

void bundle_identify(const struct bundle *bundle, struct bundle_identity *identity);

/* The identity of the whole that a fragment is a part of; else the same as bundle_identify. */
void bundle_identify_whole(const struct bundle *bundle, struct bundle_identity *identity);

/* ---- writing ---- */

struct bundle_fields {
	struct eid destination;
	struct eid source;    /* own node id */
	uint64_t creation_ms; /* DTN time; 0: no clock */
	uint64_t sequence;    /* never used before with this creation_ms */
	uint64_t lifetime_ms;
	uint64_t age_ms;
};

/* Appends a bundle of our own form around `payload`. ERROR_TOO_LARGE if the buffer is too small. */
enum error bundle_create(struct buffer *buffer, const struct bundle_fields *fields, struct bytes payload);

struct bundle_forwarding {
	/* own node id for a Previous Node block; NULL: none. None either where it were one block too many */
	const struct eid *previous_node;
	uint64_t age_ms; /* the new age, if the bundle has an age block */
	size_t offset;   /* the part of the payload to send, as a fragment of the same unit; */
	size_t size;     /* all of it: offset 0 and the payload's size */
};

/*
 * Appends the bundle as this node sends it on (section 5.4): the primary block as it came, the Previous Node
 * block replaced or left out, age and hop count rewritten (the hop count one higher), blocks left out that
 * this node cannot process and that say so, all other blocks byte for byte. With a part of the payload, as a
 * fragment (section 5.8): the primary block says so, and blocks without BLOCK_REPLICATE stand only in the
 * part at offset 0.
 *
 * ERROR_UNSUPPORTED if a part is asked for and the bundle must not be fragmented or has security blocks;
 * ERROR_TOO_LARGE if the buffer is too small; then what it holds is not to be used. The part must lie within
 * the payload and not be empty (unless the payload is): assert.
 */
enum error bundle_forward(struct buffer *buffer, const struct bundle *bundle,
			  const struct bundle_forwarding *forwarding);

#endif
