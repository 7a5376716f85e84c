/*
 * What is signed and what is sealed: COSE (RFC 9052) in one exact, untagged form each, deterministic CBOR.
 *
 *     one signer    COSE_Sign1    [h'a10127', {}, payload: bstr, signature: bstr64]
 *     two signers   COSE_Sign     [h'', {}, payload: bstr, [2 * [h'a10127', {}, signature: bstr64]]]
 *     sealed        COSE_Encrypt0 [h'a101182a', {-4: enc bstr32, ? -5: psk_id bstr3}, ciphertext: bstr]
 *
 * Nothing else is read: no tag, no other header, no detached payload, no COSE_Sign of one. So an object has
 * one encoding, and decoding and encoding again gives the same bytes. Errors of the decoders: those of
 * base/cbor.h for what is not of that shape, and ERROR_UNSUPPORTED for a header that is well formed but
 * another.
 *
 * Some functions take a `work` buffer: room that they overwrite from its start, for the bytes to be signed.
 */
#ifndef ENVELOPE_COSE_H
#define ENVELOPE_COSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/error.h"
#include "base/limits.h"
#include "envelope/ed25519.h"
#include "envelope/hpke.h"

/* ---- signed: EdDSA with Ed25519 (RFC 9053, section 2.2) ---- */

/* A signed object. The payload is borrowed from what was decoded. */
struct cose_signed {
	struct bytes payload;
	size_t signer_count; /* 1 to SIGNERS_MAX */
	uint8_t signatures[SIGNERS_MAX][ED25519_SIGNATURE_SIZE];
};

/*
 * The Sig_structure (RFC 9052, section 4.4) of a COSE_Sign1 and of one signer of a COSE_Sign, for any
 * protected headers, which are given encoded (none: no bytes). Appended to `out`; check it with buffer_error.
 */
void cose_sign1_structure(struct bytes body_protected, struct bytes external_aad, struct bytes payload,
			  struct buffer *out);
void cose_sign_structure(struct bytes body_protected, struct bytes signer_protected,
			 struct bytes external_aad, struct bytes payload, struct buffer *out);

/*
 * The bytes that each of `signer_count` signers (1 to SIGNERS_MAX) signs in our form; two signers sign the
 * same bytes, which differ from those that one alone would sign. For signatures made elsewhere, on another
 * machine or by an agent: sign these with Ed25519, then put the signatures into a struct cose_signed.
 * Appended to `out`; ERROR_TOO_LARGE if they do not fit.
 */
enum error cose_to_be_signed(size_t signer_count, struct bytes external_aad, struct bytes payload,
			     struct buffer *out);
/* Exactly how many bytes that appends: the room that a work buffer needs. */
size_t cose_to_be_signed_size(size_t signer_count, size_t external_aad_size, size_t payload_size);

/*
 * One signer's signature in an object of `signer_count` signers. ERROR_TOO_LARGE if the work buffer is too
 * small.
 */
enum error cose_sign(const struct ed25519_pair *pair, size_t signer_count, struct bytes external_aad,
		     struct bytes payload, struct buffer *work, uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* Appends the encoded object; ERROR_TOO_LARGE if it does not fit. */
enum error cose_signed_encode(const struct cose_signed *object, struct buffer *out);
/* Exactly how many bytes that appends. */
size_t cose_signed_size(size_t signer_count, size_t payload_size);

/* Reads a whole object, its payload at most CONTENT_SIZE_MAX bytes; checks no signature. Zeros on error. */
enum error cose_signed_decode(struct bytes bytes, struct cose_signed *object);
/* As cose_signed_decode, of the next item of a reader, whose error is set on failure. */
void cose_signed_read(struct cbor_reader *reader, struct cose_signed *object);

/*
 * SHA-256 of the encoded fourth element of the object: one signature, or the array of signers. What a log's
 * leaf holds of the signatures.
 */
void cose_signatures_hash(const struct cose_signed *object, uint8_t hash[32]);

/*
 * Verifies every signature, keys in the order of the signatures. ERROR_BAD_SIGNATURE when one does not
 * match, or key_count is not the number of signatures; ERROR_BAD_KEY when two keys are the same (two
 * signatures of one person are not two persons'); ERROR_TOO_LARGE if the work buffer is too small. The
 * caller has checked the keys with ed25519_key_valid when they were accredited.
 */
enum error cose_signed_verify(const struct cose_signed *object, struct bytes external_aad,
			      const uint8_t (*keys)[ED25519_KEY_SIZE], size_t key_count, struct buffer *work);

/* ---- sealed: HPKE in integrated encryption (draft-ietf-cose-hpke-21, section 3.2) ---- */

#define COSE_PSK_ID_SIZE 3

/* A sealed object before it is opened, for looking up keys: views of what was decoded. */
struct cose_sealed {
	struct bytes encapsulated; /* HPKE_ENCAPSULATED_SIZE bytes */
	struct bytes psk_id;       /* COSE_PSK_ID_SIZE bytes; none: base mode */
	struct bytes ciphertext;   /* at least HPKE_TAG_SIZE bytes */
};

/* What both ends know and nobody sends. */
struct cose_seal_context {
	struct bytes info;         /* HPKE's info */
	struct bytes external_aad; /* at most EXTERNAL_AAD_SIZE_MAX bytes */
	/* hpke_schedule_make of `info` and the PSK's id, where it is at hand: `info` is not read then */
	const struct hpke_schedule *schedule;
};

/* Exactly how many bytes a sealed object takes; psk_id_size is 0 in base mode, else COSE_PSK_ID_SIZE. */
size_t cose_sealed_size(size_t plaintext_size, size_t psk_id_size);

/*
 * Seals `plaintext` to the receiver's key and appends the encoded object; psk is NULL in base mode. The
 * seed is fresh for each seal. ERROR_BAD_KEY when the receiver's key is of small order; ERROR_BAD_ARGUMENT
 * when the PSK is too short, its id not of COSE_PSK_ID_SIZE bytes or the schedule of the other mode;
 * ERROR_TOO_LARGE when the object or external_aad does not fit. On an error nothing is appended.
 */
enum error cose_seal(const uint8_t receiver_key[X25519_KEY_SIZE], const struct hpke_psk *psk,
		     const struct cose_seal_context *context, const uint8_t seed[HPKE_SEED_SIZE],
		     struct bytes plaintext, struct buffer *out);

/* Reads a whole encoded object of at most SEALED_SIZE_MAX bytes (ERROR_TOO_LARGE). Zeros on error. */
enum error cose_sealed_decode(struct bytes bytes, struct cose_sealed *object);

/*
 * Opens it and appends the plaintext. ERROR_CANNOT_OPEN, with nothing appended, when it was not sealed to
 * this pair under exactly this PSK (NULL: base mode) and context; a PSK given for an object of base mode
 * does not open it, nor does none for one of psk mode. ERROR_TOO_LARGE when the plaintext does not fit,
 * ERROR_BAD_ARGUMENT as for cose_seal.
 */
enum error cose_open(const struct cose_sealed *object, const struct x25519_pair *pair,
		     const struct hpke_psk *psk, const struct cose_seal_context *context,
		     struct buffer *plaintext);

#endif
