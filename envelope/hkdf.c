#include "envelope/hkdf.h"

#include <string.h>

#include <sodium.h>

_Static_assert(HKDF_KEY_SIZE == crypto_auth_hmacsha256_BYTES, "HKDF-SHA256 rests on HMAC-SHA256");

static void hmac_update(crypto_auth_hmacsha256_state *state, struct bytes bytes)
{
	crypto_auth_hmacsha256_update(state, bytes.data, bytes.size);
}

void hkdf_extract(struct bytes salt, const struct bytes *parts, size_t part_count, uint8_t key[HKDF_KEY_SIZE])
{
	static const uint8_t no_salt[1] = {0}; /* a key of no bytes must still be an address */
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, salt.size == 0 ? no_salt : salt.data, salt.size);
	for (size_t i = 0; i < part_count; i++)
		hmac_update(&state, parts[i]);
	crypto_auth_hmacsha256_final(&state, key);
	sodium_memzero(&state, sizeof state);
}

enum error hkdf_expand(const uint8_t key[HKDF_KEY_SIZE], const struct bytes *parts, size_t part_count,
		       uint8_t *out, size_t size)
{
	crypto_auth_hmacsha256_state keyed, state;
	uint8_t block[crypto_auth_hmacsha256_BYTES];

	if (size > HKDF_OUT_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;

	/* The key is read once, here: out may be where it stands. */
	crypto_auth_hmacsha256_init(&keyed, key, HKDF_KEY_SIZE);
	for (size_t at = 0, number = 1; at < size; number++) {
		size_t take = size - at < sizeof block ? size - at : sizeof block;
		uint8_t counter = (uint8_t)number;

		state = keyed;
		if (number > 1)
			hmac_update(&state, bytes_make(block, sizeof block));
		for (size_t i = 0; i < part_count; i++)
			hmac_update(&state, parts[i]);
		hmac_update(&state, bytes_make(&counter, 1));
		crypto_auth_hmacsha256_final(&state, block);
		memcpy(out + at, block, take);
		at += take;
	}
	sodium_memzero(&keyed, sizeof keyed);
	sodium_memzero(&state, sizeof state);
	sodium_memzero(block, sizeof block);
	return ERROR_OK;
}
