/*
 * Heads of logs: C2SP tlog-checkpoint (v1.0.0), signed as a signed note with Ed25519 (type 0x01), and dated
 * cosignatures over them, C2SP tlog-cosignature (type 0x04).
 *
 * The text of a head is three lines: origin, size, base64 of the root. The log's signature is over this
 * text; a cosignature is over "cosignature/v1", "time N" and this text. Both are made and verified from
 * (origin, size, root) directly, so that only signatures need to travel; whoever wants the note itself, to
 * check it with other tools, has it written from the same parts.
 *
 * Extension lines are refused: our logs have none, and a cosigner can say nothing about them.
 */
#ifndef ENVELOPE_CHECKPOINT_H
#define ENVELOPE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "envelope/ed25519.h"
#include "envelope/merkle.h"
#include "envelope/party.h"
#include "envelope/signed_note.h"

/* The longest text of a head, and the longest text that a cosignature covers. */
#define CHECKPOINT_TEXT_SIZE_MAX  (ORIGIN_SIZE_MAX + 1 + 19 + 1 + 44 + 1)
#define COSIGNATURE_TEXT_SIZE_MAX (15 + 5 + 19 + 1 + CHECKPOINT_TEXT_SIZE_MAX)

/* The latest time that a cosignature can bear (C2SP): 2^63 - 1. */
#define COSIGNATURE_TIME_MAX UINT64_C(0x7fffffffffffffff)

struct checkpoint {
	struct bytes origin; /* one line, 1 to ORIGIN_SIZE_MAX bytes of UTF-8 without controls */
	uint64_t size;       /* leaves, at most MERKLE_SIZE_MAX */
	struct merkle_hash root;
};

/* ---- names ---- */

#define CHECKPOINT_ORIGIN_SIZE   40 /* bytes of the origin of a log, and with NUL one more */
#define CHECKPOINT_COSIGNER_SIZE 49 /* bytes of a cosigner's name */

/*
 * The origin of a log, which names no party: "liaison/" and the lower-case hexadecimal of the first 16 bytes
 * of SHA-256 over the CBOR ["liaison log origin", channel id, party id, slot, incarnation]. With NUL.
 */
void checkpoint_origin(const uint8_t channel[CHANNEL_ID_SIZE], const uint8_t party[PARTY_ID_SIZE],
		       uint64_t slot, uint64_t incarnation, char origin[CHECKPOINT_ORIGIN_SIZE + 1]);

/*
 * The name of a post's cosigner key: "liaison/", the same of ["liaison cosigner", channel id, party id,
 * slot], and "/cosigner". With NUL.
 */
void checkpoint_cosigner(const uint8_t channel[CHANNEL_ID_SIZE], const uint8_t party[PARTY_ID_SIZE],
			 uint64_t slot, char name[CHECKPOINT_COSIGNER_SIZE + 1]);

/* ---- the text ---- */

/*
 * Appends the text of a head, at most CHECKPOINT_TEXT_SIZE_MAX bytes. ERROR_MALFORMED for an origin that is
 * not one line of text, ERROR_OUT_OF_RANGE for a size above MERKLE_SIZE_MAX, ERROR_TOO_LARGE if the buffer
 * has no room; nothing is appended for the first two.
 */
enum error checkpoint_write(const struct checkpoint *checkpoint, struct buffer *buffer);

/*
 * Reads such a text, whole; the origin is a view into it. ERROR_MALFORMED if it is not exactly of this form;
 * ERROR_OUT_OF_RANGE for a size above MERKLE_SIZE_MAX; ERROR_UNSUPPORTED if extension lines follow. On error
 * *checkpoint is zero.
 */
enum error checkpoint_parse(struct bytes text, struct checkpoint *checkpoint);

/* ---- signatures ---- */

/* The log's signature over the text of a head. Fails as checkpoint_write; the signature is then zero. */
enum error checkpoint_sign(const struct checkpoint *checkpoint, const struct ed25519_pair *pair,
			   uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* ERROR_BAD_SIGNATURE if the signature is not that of this key over this head; else as checkpoint_write. */
enum error checkpoint_verify(const struct checkpoint *checkpoint, const uint8_t key[ED25519_KEY_SIZE],
			     const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*
 * A cosignature: at this time (Unix, seconds) this head is consistent with, and the largest of, all that the
 * cosigner has seen of its origin. Fails as checkpoint_write, and ERROR_OUT_OF_RANGE for a time above
 * COSIGNATURE_TIME_MAX; the signature is then zero.
 */
enum error cosignature_sign(const struct checkpoint *checkpoint, uint64_t time,
			    const struct ed25519_pair *pair, uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* ERROR_BAD_SIGNATURE if the signature is not that of this key over this head at this time; else as above. */
enum error cosignature_verify(const struct checkpoint *checkpoint, uint64_t time,
			      const uint8_t key[ED25519_KEY_SIZE],
			      const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* ---- notes ---- */

/*
 * Appends the head as a signed note with the log's signature, whose name is the origin. ERROR_MALFORMED if
 * the origin cannot be a key's name; else as checkpoint_write. The signature is not verified.
 */
enum error checkpoint_note_write(const struct checkpoint *checkpoint, const uint8_t key[ED25519_KEY_SIZE],
				 const uint8_t signature[ED25519_SIGNATURE_SIZE], struct buffer *buffer);

/* Appends the line of one cosignature to such a note. ERROR_MALFORMED for a name that no key can have. */
enum error checkpoint_note_add(struct buffer *buffer, struct bytes name, const uint8_t key[ED25519_KEY_SIZE],
			       uint64_t time, const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*
 * Opens a note: ERROR_OK if it is the head of a log with this origin, signed by this log key. *checkpoint and
 * *note are views into it. ERROR_MALFORMED if two lines bear one name, or the origin is another;
 * ERROR_NOT_FOUND if the log key has not signed; ERROR_BAD_SIGNATURE; and as signed_note_parse and
 * checkpoint_parse. On error both are empty.
 */
enum error checkpoint_note_open(struct bytes bytes, struct bytes origin, const uint8_t key[ED25519_KEY_SIZE],
				struct signed_note *note, struct checkpoint *checkpoint);

/*
 * Looks in an opened note for the cosignature of this key: ERROR_OK and its *time if it is there and
 * verifies; ERROR_NOT_FOUND, ERROR_MALFORMED (of another length), ERROR_OUT_OF_RANGE (the time),
 * ERROR_BAD_SIGNATURE. On error *time is 0.
 */
enum error checkpoint_note_cosigned(const struct signed_note *note, const struct checkpoint *checkpoint,
				    struct bytes name, const uint8_t key[ED25519_KEY_SIZE], uint64_t *time);

#endif
