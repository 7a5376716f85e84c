/*
 * Statements of a post about logs and keys: receipts (doc/PROTOCOL.md, section 6), heads (section 7),
 * prekeys and "cannot open" (section 8), "missing" (section 7). Signed with the post's statement key, filed
 * in no log.
 *
 * Decoding is strict and whole, and checks everything that can be checked without the record. Errors are
 * those of base/cbor.h, ERROR_OUT_OF_RANGE, and ERROR_MALFORMED for orders and counts.
 */
#ifndef ENVELOPE_STATEMENT_H
#define ENVELOPE_STATEMENT_H

#include <sodium.h>

#include "envelope/merkle.h"
#include "envelope/party.h"

/* The numbers on the wire (section 4). */
enum statement_kind {
	STATEMENT_RECEIPT = 1,
	STATEMENT_HEADS = 2,
	STATEMENT_PREKEYS = 3,
	STATEMENT_CANNOT_OPEN = 4,
	STATEMENT_MISSING = 5,
};

/* ---- receipts ---- */

struct held_range {
	uint64_t first; /* position */
	uint64_t count; /* at least 1 */
};

struct refused_range {
	uint64_t first;
	uint64_t count;
	uint64_t reason; /* 64 to REASON_NUMBER_MAX: a number of the error table, known here or not */
};

/* held_count + refused_count is 1 to RANGES_MAX; each list ascending, no position named twice. */
struct receipt {
	uint64_t by;          /* log number of the receiving post */
	uint64_t log;         /* log number of the author's post */
	uint64_t incarnation; /* of `log`, from 1 */
	size_t held_count;
	struct held_range held[RANGES_MAX];
	size_t refused_count;
	struct refused_range refused[RANGES_MAX];
	uint8_t digest[32];
	uint8_t registry[REGISTRY_SIZE];
	uint64_t time;
};

/* The largest encoded receipt. */
#define RECEIPT_SIZE_MAX (128 + RANGES_MAX * 17)

enum error receipt_decode(struct bytes payload, struct receipt *receipt);
void receipt_encode(const struct receipt *receipt, struct buffer *buffer);

/*
 * The digest of a receipt, position by position: first those held, then those refused, in order.
 *     receipt_digest_init; receipt_digest_add for each; receipt_digest_final
 */
struct receipt_digest {
	crypto_hash_sha256_state state;
};
void receipt_digest_init(struct receipt_digest *digest);
void receipt_digest_add(struct receipt_digest *digest, uint64_t position,
			const uint8_t identity[IDENTITY_SIZE]);
void receipt_digest_final(struct receipt_digest *digest, uint8_t result[32]);

/* The number of positions that a receipt names; at most RANGES_MAX * 2^32. */
uint64_t receipt_positions(const struct receipt *receipt);

/* ---- heads ---- */

struct head {
	uint64_t log;
	uint64_t incarnation; /* from 1 */
	uint64_t size;        /* 0 to POSITION_MAX + 1 */
	struct merkle_hash root;
	uint8_t signature[64]; /* of the log key, over the checkpoint text */
	bool has_cosignature;
	uint64_t cosigned_at;
	uint8_t cosignature[64]; /* of the author's cosigner key, over the C2SP cosignature text */
};

/*
 * heads[0] is the author's own, without cosignature, its log == by; then others, ascending by (log,
 * incarnation): of other logs, each cosigned, and of earlier incarnations of log `by`, without.
 */
struct heads_statement {
	uint64_t by;
	uint64_t time;
	size_t heads_count; /* 1 to HEADS_STATED_MAX */
	struct head heads[HEADS_STATED_MAX];
	bool has_proof;
	uint64_t old_size; /* 1 to heads[0].size: what the receiver last cosigned */
	struct merkle_proof proof;
};

/* The largest encoded statement of heads. */
#define HEADS_SIZE_MAX (64 + HEADS_STATED_MAX * 192 + PROOF_HASHES_MAX * 34)

enum error heads_decode(struct bytes payload, struct heads_statement *heads);
void heads_encode(const struct heads_statement *heads, struct buffer *buffer);

/* ---- prekeys ---- */

struct prekeys {
	uint64_t slot;   /* of the post that publishes them */
	uint64_t number; /* of this statement, from 1 */
	uint64_t first_epoch;
	uint64_t start;    /* Unix time at which first_epoch begins */
	uint64_t length_s; /* of each epoch: EPOCH_LENGTH_S_MIN to EPOCH_LENGTH_S_MAX */
	size_t keys_count; /* 1 to EPOCHS_AHEAD_MAX */
	uint8_t keys[EPOCHS_AHEAD_MAX][PUBLIC_KEY_SIZE]; /* X25519: first_epoch + i */
	uint8_t last_resort[PUBLIC_KEY_SIZE];
};

#define PREKEYS_SIZE_MAX (96 + EPOCHS_AHEAD_MAX * 34)

enum error prekeys_decode(struct bytes payload, struct prekeys *prekeys);
void prekeys_encode(const struct prekeys *prekeys, struct buffer *buffer);

/*
 * The key to seal with at `now` by the sender's clock: that of its epoch, clamped to those published, in
 * *epoch; or false where all of them ended more than a delay window ago: then the last-resort key is to be
 * used.
 */
bool prekeys_epoch_at(const struct prekeys *prekeys, uint64_t now, uint64_t delay_window_s, uint64_t *epoch);

/* The key of an epoch, or NULL if it is not among those published. */
const uint8_t *prekeys_key(const struct prekeys *prekeys, uint64_t epoch);

/* ---- cannot open ---- */

struct cannot_open {
	uint64_t slot;                  /* of the post that could not open them */
	size_t hashes_count;            /* 1 to RANGES_MAX */
	uint8_t hashes[RANGES_MAX][32]; /* SHA-256 of the sealed bytes of each copy */
};

#define CANNOT_OPEN_SIZE_MAX (16 + RANGES_MAX * 34)

enum error cannot_open_decode(struct bytes payload, struct cannot_open *cannot_open);
void cannot_open_encode(const struct cannot_open *cannot_open, struct buffer *buffer);

/* ---- missing ---- */

/*
 * What a post asks for of one incarnation of a log: its own, of which it has lost entries, or that of the
 * post that it asks. Ranges ascend and do not touch; one that ends at POSITION_MAX + 1 asks for all later
 * incarnations as well.
 */
struct missing_statement {
	uint64_t by; /* log number of the asking post */
	uint64_t log;
	uint64_t incarnation; /* from 1 */
	size_t ranges_count;  /* 1 to RANGES_MAX */
	struct held_range ranges[RANGES_MAX];
};

#define MISSING_SIZE_MAX (32 + RANGES_MAX * 18)

enum error missing_decode(struct bytes payload, struct missing_statement *missing);
void missing_encode(const struct missing_statement *missing, struct buffer *buffer);

#endif
