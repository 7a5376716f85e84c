/*
 * HPKE (RFC 9180), modes base and psk, of one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * ChaCha20Poly1305. The auth modes are not here: signatures authenticate, and those modes fall to a stolen
 * receiver's key.
 *
 * Randomness comes from the caller as the seed of the ephemeral key (ikmE of the RFC's test vectors). A
 * seed is used for one seal only and then erased: twice the same seed, receiver and info is twice the same
 * key and nonce.
 */
#ifndef ENVELOPE_HPKE_H
#define ENVELOPE_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "envelope/x25519.h"

#define HPKE_SEED_SIZE 32         /* of DeriveKeyPair (section 7.1.3): an ephemeral key's, or a prekey's */
#define HPKE_ENCAPSULATED_SIZE 32 /* Nenc, `enc` of the RFC */
#define HPKE_TAG_SIZE 16          /* a ciphertext is longer than its plaintext by this */
#define HPKE_PSK_SIZE_MIN 32      /* section 9.5 */

/* A pre-shared key. NULL in its place means base mode; both fields are there in psk mode. */
struct hpke_psk {
	struct bytes key; /* at least HPKE_PSK_SIZE_MIN bytes */
	struct bytes id;  /* at least 1 byte */
};

/*
 * key_schedule_context (section 5.1): the mode, and what the PSK's id and info come to. It is the same for
 * all seals under these, and not secret: made once for many, it saves two of a seal's nine hashes.
 */
struct hpke_schedule {
	uint8_t context[1 + 32 + 32];
};

/* One end's state after setup (section 5.2). The caller erases it with hpke_context_erase. */
struct hpke_context {
	uint8_t key[32];
	uint8_t base_nonce[12];
	uint64_t sequence;
};

/* DeriveKeyPair (section 7.1.3): the same pair always for a seed. */
void hpke_derive_key_pair(const uint8_t seed[HPKE_SEED_SIZE], struct x25519_pair *pair);

/* The schedule of `info`, in psk mode under this id, or in base mode with an id of no bytes. */
void hpke_schedule_make(struct bytes info, struct bytes psk_id, struct hpke_schedule *schedule);

/*
 * SetupBaseS and SetupPSKS (section 5.1): gives `encapsulated` to send, and the context. ERROR_BAD_KEY when
 * the receiver's key is of small order, ERROR_BAD_ARGUMENT when the PSK is too short or has no id, or the
 * schedule is of the other mode; the context is then zeros. That the schedule is of the PSK's id is the
 * caller's to see to: with another one nothing opens.
 */
enum error hpke_setup_sender(const uint8_t receiver_key[X25519_KEY_SIZE],
			     const struct hpke_schedule *schedule, const struct hpke_psk *psk,
			     const uint8_t seed[HPKE_SEED_SIZE],
			     uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE], struct hpke_context *context);

/*
 * SetupBaseR and SetupPSKR. ERROR_CANNOT_OPEN when `encapsulated` is of small order; the rest as for the
 * sender.
 */
enum error hpke_setup_receiver(const uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE],
			       const struct x25519_pair *pair, const struct hpke_schedule *schedule,
			       const struct hpke_psk *psk, struct hpke_context *context);

void hpke_context_erase(struct hpke_context *context);

/*
 * ContextS.Seal (section 5.2): appends plaintext.size + HPKE_TAG_SIZE bytes and counts the sequence on.
 * ERROR_TOO_LARGE when they do not fit (the buffer is then marked failed), ERROR_OUT_OF_RANGE at the end of
 * the sequence. The plaintext may not lie where they are written.
 */
enum error hpke_context_seal(struct hpke_context *context, struct bytes aad, struct bytes plaintext,
			     struct buffer *ciphertext);

/*
 * ContextR.Open: appends the plaintext and counts the sequence on. ERROR_CANNOT_OPEN, with nothing appended
 * and the sequence as it was, when the ciphertext is not one for this key, sequence and aad;
 * ERROR_TOO_LARGE and ERROR_OUT_OF_RANGE as above.
 */
enum error hpke_context_open(struct hpke_context *context, struct bytes aad, struct bytes ciphertext,
			     struct buffer *plaintext);

#endif
