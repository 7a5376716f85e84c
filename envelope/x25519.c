#include "envelope/x25519.h"

#include <string.h>

#include <sodium.h>

_Static_assert(X25519_KEY_SIZE == crypto_scalarmult_curve25519_BYTES, "a shared secret");
_Static_assert(X25519_KEY_SIZE == crypto_scalarmult_curve25519_SCALARBYTES, "a key");

void x25519_pair_from_secret(const uint8_t secret[X25519_KEY_SIZE], struct x25519_pair *pair)
{
	memcpy(pair->secret, secret, X25519_KEY_SIZE);
	crypto_scalarmult_curve25519_base(pair->key, pair->secret);
}

void x25519_pair_erase(struct x25519_pair *pair)
{
	sodium_memzero(pair, sizeof *pair);
}

enum error x25519_shared(const uint8_t secret[X25519_KEY_SIZE], const uint8_t key[X25519_KEY_SIZE],
			 uint8_t shared[X25519_KEY_SIZE])
{
	/* libsodium refuses a result of all zeros. */
	if (crypto_scalarmult_curve25519(shared, secret, key) != 0) {
		sodium_memzero(shared, X25519_KEY_SIZE);
		return ERROR_BAD_KEY;
	}
	return ERROR_OK;
}

/* The bytes, little-endian, are below 2^255 - 19. */
static bool is_canonical(const uint8_t key[X25519_KEY_SIZE])
{
	if (key[X25519_KEY_SIZE - 1] > 0x7f)
		return false;
	if (key[X25519_KEY_SIZE - 1] < 0x7f)
		return true;
	for (size_t i = X25519_KEY_SIZE - 2; i > 0; i--)
		if (key[i] != 0xff)
			return true;
	return key[0] < 0xed;
}

bool x25519_key_valid(const uint8_t key[X25519_KEY_SIZE])
{
	/* Clamping makes every secret a multiple of 8: it takes exactly the points of small order to zero. */
	static const uint8_t any_secret[X25519_KEY_SIZE] = {1};
	uint8_t shared[X25519_KEY_SIZE];

	return is_canonical(key) && x25519_shared(any_secret, key, shared) == ERROR_OK;
}
