/*
 * Ed25519 signatures (RFC 8032, section 5.1), with libsodium's rule for what verifies: S is below the group
 * order, R and the key are not points of small order, the key is canonically encoded, and the bytes of R are
 * those of [S]B - [k]A (no cofactor). Keys are further checked when they are accredited, see
 * ed25519_key_valid, so that no key verifies one signature for two texts.
 */
#ifndef ENVELOPE_ED25519_H
#define ENVELOPE_ED25519_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define ED25519_KEY_SIZE 32  /* a public key */
#define ED25519_SEED_SIZE 32 /* RFC 8032's private key */
#define ED25519_SIGNATURE_SIZE 64

/* A key pair. The caller erases it with ed25519_pair_erase when it is done with it. */
struct ed25519_pair {
	uint8_t key[ED25519_KEY_SIZE];
	uint8_t secret[ED25519_SEED_SIZE + ED25519_KEY_SIZE]; /* the seed, then the public key */
};

/* The pair that a seed makes; the same always. */
void ed25519_pair_from_seed(const uint8_t seed[ED25519_SEED_SIZE], struct ed25519_pair *pair);
void ed25519_pair_erase(struct ed25519_pair *pair);

/* The signature of `message`; deterministic (RFC 8032, section 5.1.6). */
void ed25519_sign(const struct ed25519_pair *pair, struct bytes message,
		  uint8_t signature[ED25519_SIGNATURE_SIZE]);

/* ERROR_OK, or ERROR_BAD_SIGNATURE. */
enum error ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct bytes message,
			  const uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*
 * True if `key` may be accredited: canonically encoded, on the curve, not of small order, and in the main
 * subgroup (no component of small order).
 */
bool ed25519_key_valid(const uint8_t key[ED25519_KEY_SIZE]);

#endif
