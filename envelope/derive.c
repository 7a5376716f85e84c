#include "envelope/derive.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/cbor.h"
#include "envelope/hkdf.h"

_Static_assert(ENTROPY_SEED_SIZE == crypto_stream_chacha20_ietf_KEYBYTES, "the seed is ChaCha20's key");
_Static_assert(DERIVE_SEED_SIZE == HKDF_KEY_SIZE, "a seed is a pseudorandom key");

struct entropy entropy_make(const uint8_t seed[ENTROPY_SEED_SIZE])
{
	struct entropy entropy = {.counter = 0};

	memcpy(entropy.seed, seed, sizeof entropy.seed);
	return entropy;
}

void entropy_take(struct entropy *entropy, uint8_t *out, size_t size)
{
	uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {0};

	assert(size <= ENTROPY_TAKE_SIZE_MAX && entropy->counter < UINT64_MAX);
	store_u64(nonce + sizeof nonce - 8, entropy->counter);
	crypto_stream_chacha20_ietf(out, size, nonce, entropy->seed);
	entropy->counter++;
}

void entropy_erase(struct entropy *entropy)
{
	sodium_memzero(entropy, sizeof *entropy);
}

void derive_seed(const uint8_t root[DERIVE_SEED_SIZE], const char *label, struct bytes context,
		 uint8_t out[DERIVE_SEED_SIZE])
{
	uint8_t memory[DERIVE_CONTEXT_SIZE_MAX + 8]; /* and the heads: 1, at most 3, at most 3 */
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct bytes info;

	assert(strlen(label) + context.size <= DERIVE_CONTEXT_SIZE_MAX);
	cbor_write_array(&buffer, 2);
	cbor_write_text(&buffer, bytes_of_text(label));
	cbor_write_bytes(&buffer, context);
	assert(buffer_error(&buffer) == ERROR_OK);
	info = buffer_bytes(&buffer);
	hkdf_expand(root, &info, 1, out, DERIVE_SEED_SIZE);
}
