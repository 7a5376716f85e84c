/*
 * X25519 (RFC 7748, section 5). A result of all zeros, which only a key of small order gives, is an error
 * everywhere (RFC 7748, section 6.1; RFC 9180, section 7.1.4).
 */
#ifndef ENVELOPE_X25519_H
#define ENVELOPE_X25519_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define X25519_KEY_SIZE 32 /* a public key, a secret key, a shared secret */

/* A key pair. The caller erases it with x25519_pair_erase when it is done with it. */
struct x25519_pair {
	uint8_t key[X25519_KEY_SIZE];
	uint8_t secret[X25519_KEY_SIZE];
};

/* The pair of a secret key: any 32 bytes; the function itself clamps them. */
void x25519_pair_from_secret(const uint8_t secret[X25519_KEY_SIZE], struct x25519_pair *pair);
void x25519_pair_erase(struct x25519_pair *pair);

/* The shared secret. ERROR_BAD_KEY, and zeros, when `key` is of small order. */
enum error x25519_shared(const uint8_t secret[X25519_KEY_SIZE], const uint8_t key[X25519_KEY_SIZE],
			 uint8_t shared[X25519_KEY_SIZE]);

/*
 * True if `key` may be published as a prekey: below 2^255 - 19, so that one key has one encoding, and not
 * of small order. (Points of the twist pass; RFC 7748 makes them harmless.)
 */
bool x25519_key_valid(const uint8_t key[X25519_KEY_SIZE]);

#endif
