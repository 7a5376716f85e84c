/*
 * Proof that the holder of a log key has shown two histories of one log (one incarnation: one origin).
 *
 * It is either two heads of equal size with different roots, or two heads of different sizes and a valid
 * consistency proof that the larger tree had, at the smaller size, another root than the smaller head says.
 * Each head carries the log key's signature. Nothing less is an accusation: a consistency proof that fails
 * proves nothing, since anyone can spoil one, and so a proof is made by whoever holds the larger tree's
 * nodes. It says that the log forked, never why.
 */
#ifndef ENVELOPE_EQUIVOCATION_H
#define ENVELOPE_EQUIVOCATION_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/error.h"
#include "envelope/ed25519.h"
#include "envelope/merkle.h"

/* A head of a log whose origin and key are known from elsewhere. */
struct signed_head {
	uint64_t size;
	struct merkle_hash root;
	uint8_t signature[ED25519_SIGNATURE_SIZE]; /* of the log key, over the checkpoint text */
};

/*
 * heads[0] is the smaller; of equal sizes, the one whose root comes first bytewise: so one fork has one form.
 * The other two are used where the sizes differ: proof leads from prefix_root, at heads[0].size, to heads[1].
 */
struct equivocation {
	struct signed_head heads[2];
	struct merkle_hash prefix_root;
	struct merkle_proof proof;
};

/* Bytes of the longest encoded proof: two heads, a root, and a consistency proof, with their CBOR heads. */
#define EQUIVOCATION_SIZE_MAX (1 + 2 * (1 + 9 + 34 + 66) + 1 + 34 + 2 + PROOF_HASHES_MAX * 34)

/*
 * Puts two heads, in any order, in their places. For equal sizes prefix_root and proof are not looked at; for
 * others they are the larger tree's root at the smaller size, and the consistency proof from there. Nothing
 * is checked: see equivocation_check.
 */
void equivocation_make(const struct signed_head *a, const struct signed_head *b,
		       const struct merkle_hash *prefix_root, const struct merkle_proof *proof,
		       struct equivocation *equivocation);

/*
 * ERROR_OK only if this proves that the log of this origin and key forked. ERROR_MALFORMED if the heads are
 * not in their order, or one and the same, or the origin is none; ERROR_BAD_SIGNATURE if either head is not
 * signed by this key; ERROR_BAD_PROOF if the consistency proof fails, or leads from the very root of the
 * smaller head; ERROR_OUT_OF_RANGE for sizes above MERKLE_SIZE_MAX, or a smaller size of 0, with which all
 * trees agree.
 */
enum error equivocation_check(struct bytes origin, const uint8_t log_key[ED25519_KEY_SIZE],
			      const struct equivocation *equivocation);

/*
 * Appends
 *     [[size, root: bstr32, signature: bstr64], [size, root, signature],
 *      ? [prefix_root: bstr32, [* bstr32]]]
 * with the third element where the sizes differ; at most EQUIVOCATION_SIZE_MAX bytes.
 */
void equivocation_write(const struct equivocation *equivocation, struct buffer *buffer);

/*
 * Reads that from a reader: form only, see equivocation_check. On error (in reader->error: as base/cbor.h,
 * and ERROR_WRONG_TYPE where a third element is missing or too many) *equivocation is zero.
 */
void equivocation_read(struct cbor_reader *reader, struct equivocation *equivocation);

#endif
