/*
 * What is sealed, and what seals it (doc/PROTOCOL.md, sections 3 and 4): the plaintext of a copy, the leaf of
 * an entry in its log, and the HPKE info strings.
 */
#ifndef ENVELOPE_WIRE_H
#define ENVELOPE_WIRE_H

#include "envelope/merkle.h"
#include "envelope/party.h"

/* ---- heads seen ---- */

struct head_seen {
	uint64_t log;         /* 0 to LOG_MAX */
	uint64_t incarnation; /* from 1 */
	uint64_t size;        /* from 1: contiguous from position 0 */
};

struct heads_seen {
	size_t count;
	struct head_seen heads[HEADS_SEEN_MAX]; /* ascending by log, none twice */
};

/* ---- leaves ---- */

struct leaf {
	uint64_t position;
	uint8_t identity[IDENTITY_SIZE];
	uint8_t signatures_hash[32];
	struct heads_seen heads;
};

#define LEAF_SIZE_MAX (96 + HEADS_SEEN_MAX * 15)

void leaf_encode(const struct leaf *leaf, struct buffer *buffer);
enum error leaf_decode(struct bytes encoded, struct leaf *leaf);
/* Its hash in the tree is merkle_leaf_hash over what was encoded. */

/* ---- the plaintext of a copy ---- */

enum wire_kind {
	WIRE_ENTRY = 1,
	WIRE_STATEMENT = 2,
	WIRE_RETURNED = 3, /* an entry of the receiver's own log, given back by another post */
};

struct wire {
	enum wire_kind kind;
	bool has_tag; /* false only for statements without channel */
	uint8_t tag[CHANNEL_TAG_SIZE];
	uint64_t log;            /* WIRE_RETURNED: the receiver's log number */
	uint64_t incarnation;    /* WIRE_ENTRY, WIRE_RETURNED: of the author's log, from 1 */
	uint64_t position;       /* the same */
	struct heads_seen heads; /* the same: as in the leaf */
	uint64_t statement;      /* WIRE_STATEMENT: enum statement_kind */
	struct bytes cose;       /* one whole item; signed.h reads it */
};

/* The largest padded plaintext: the bucket of ENTRY_SIZE_MAX bytes. */
#define WIRE_SIZE_MAX 77824

/*
 * Writes the item and zero bytes up to its bucket (envelope/padding.h) into an empty buffer; WIRE_SIZE_MAX
 * bytes are enough for any entry and statement. ERROR_TOO_LARGE if the buffer is too small.
 */
enum error wire_encode(const struct wire *wire, struct buffer *buffer);

/*
 * Reads a padded plaintext, whole. ERROR_MALFORMED if what follows the item is not zero bytes up to exactly
 * its bucket; ERROR_UNSUPPORTED for a statement that is not known here; else the errors of base/cbor.h.
 * wire->cose is a view into `plaintext` and has only been checked to be one canonical item.
 */
enum error wire_decode(struct bytes plaintext, struct wire *wire);

/* ---- HPKE info ---- */

/* One end of a seal: a post by its party, slot and Ed25519 statement key. */
struct seal_end {
	uint8_t party[PARTY_ID_SIZE];
	uint64_t slot;
	uint8_t statement_key[PUBLIC_KEY_SIZE];
};

#define SEAL_INFO_SIZE_MAX 192

/* Appends the info of psk mode. has_epoch false: the last-resort key. */
void seal_info_encode(const struct seal_end *sender, const struct seal_end *receiver, bool has_epoch,
		      uint64_t epoch, struct buffer *buffer);

/* Appends the info of base mode, for cards. */
void card_info_encode(const uint8_t receiver_party[PARTY_ID_SIZE], uint64_t receiver_slot,
		      const uint8_t receiver_last_resort[PUBLIC_KEY_SIZE], struct buffer *buffer);

#endif
