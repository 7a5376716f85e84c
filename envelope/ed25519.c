#include "envelope/ed25519.h"

#include <sodium.h>

_Static_assert(ED25519_KEY_SIZE == crypto_sign_ed25519_PUBLICKEYBYTES, "a public key");
_Static_assert(ED25519_SEED_SIZE == crypto_sign_ed25519_SEEDBYTES, "a seed");
_Static_assert(ED25519_SEED_SIZE + ED25519_KEY_SIZE == crypto_sign_ed25519_SECRETKEYBYTES, "a secret key");
_Static_assert(ED25519_SIGNATURE_SIZE == crypto_sign_ed25519_BYTES, "a signature");

void ed25519_pair_from_seed(const uint8_t seed[ED25519_SEED_SIZE], struct ed25519_pair *pair)
{
	crypto_sign_ed25519_seed_keypair(pair->key, pair->secret, seed);
}

void ed25519_pair_erase(struct ed25519_pair *pair)
{
	sodium_memzero(pair, sizeof *pair);
}

void ed25519_sign(const struct ed25519_pair *pair, struct bytes message,
		  uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	crypto_sign_ed25519_detached(signature, NULL, message.data, message.size, pair->secret);
}

enum error ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], struct bytes message,
			  const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	if (crypto_sign_ed25519_verify_detached(signature, message.data, message.size, key) != 0)
		return ERROR_BAD_SIGNATURE;
	return ERROR_OK;
}

bool ed25519_key_valid(const uint8_t key[ED25519_KEY_SIZE])
{
	return crypto_core_ed25519_is_valid_point(key) == 1;
}
