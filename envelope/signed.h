/*
 * Signed entries and statements: COSE objects (envelope/cose.h) over an aad (envelope/aad.h) and a payload.
 *
 * Wherever a `work` buffer is asked for it is room that is overwritten; SIGNED_WORK_SIZE bytes are always
 * enough.
 */
#ifndef ENVELOPE_SIGNED_H
#define ENVELOPE_SIGNED_H

#include "envelope/aad.h"
#include "envelope/content.h"
#include "envelope/cose.h"

#define SIGNED_WORK_SIZE (CONTENT_SIZE_MAX + AAD_SIZE_MAX + 128)

/* ---- signing ---- */

/*
 * Appends the exact bytes that each of `signer_count` signers (1 or 2) signs. ERROR_TOO_LARGE if they do
 * not fit.
 */
enum error signed_bytes(size_t signer_count, const struct aad *aad, struct bytes payload, struct buffer *out);

/* One signer's signature of them. ERROR_TOO_LARGE if the work buffer is too small. */
enum error signed_signature(const struct ed25519_pair *pair, size_t signer_count, const struct aad *aad,
			    struct bytes payload, struct buffer *work,
			    uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*
 * Signs alone: appends the COSE_Sign1. For entries of one signer, of the authority or of the post, and for
 * statements.
 */
enum error signed_alone(const struct ed25519_pair *pair, const struct aad *aad, struct bytes payload,
			struct buffer *work, struct buffer *out);

/*
 * Puts two signatures together, in the order of the content's signers: appends the COSE_Sign. The first
 * officer makes a signature with signed_signature (signer_count 2) and hands payload and signature to the
 * second, who does the same and calls this.
 */
enum error signed_by_two(struct bytes payload, const uint8_t first[ED25519_SIGNATURE_SIZE],
			 const uint8_t second[ED25519_SIGNATURE_SIZE], struct buffer *out);

/* ---- reading ---- */

/* An entry as it came: views into its bytes. */
struct signed_entry {
	struct cose_signed cose;
	struct content content;
};

/*
 * Reads a whole COSE object and its content. ERROR_REFUSED_KIND as content_decode, with everything else
 * filled in. ERROR_MALFORMED if the number of signatures is not what the content's signers need (two for
 * two, one otherwise). Other errors are those of cose_signed_decode and content_decode; *entry is then not
 * to be used. No signature is checked.
 */
enum error entry_decode(struct bytes cose, struct signed_entry *entry);

/* Public keys in the order of the content's signers. */
struct signer_keys {
	size_t count; /* 1 or 2 */
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE];
};

/*
 * Verifies every signature under this aad. ERROR_BAD_SIGNATURE (also where there are fewer or more keys than
 * signatures), ERROR_BAD_KEY (twice the same key), ERROR_TOO_LARGE (work).
 */
enum error entry_verify(const struct signed_entry *entry, const struct aad *aad,
			const struct signer_keys *keys, struct buffer *work);

/*
 * Reads a COSE_Sign1 (ERROR_MALFORMED if there are two signatures) and verifies its one signature under
 * this aad; the payload, still encoded, in *payload. For statements; errors as above.
 */
enum error statement_open(struct bytes cose, const struct aad *aad, const uint8_t key[ED25519_KEY_SIZE],
			  struct buffer *work, struct bytes *payload);

/* The signatures hash of a leaf: SHA-256 of the fourth element of the COSE array, as encoded. */
void signatures_hash(const struct cose_signed *cose, uint8_t hash[32]);

#endif
