#include "sim/stand_in.h"

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define BLOCK_SIZE 32
#define WORDS      (BLOCK_SIZE / 8)

/* The linker's names have no place for a parameter of ours. */
static struct {
	bool use;
} stand_in;

void stand_in_use(bool use)
{
	stand_in.use = use;
}

/* ---- the hash that all rests on ---- */

/* What a hash is for: two purposes never give one value. */
enum purpose {
	PURPOSE_HASH = 1,
	PURPOSE_MAC,
	PURPOSE_SIGNER,
	PURPOSE_SIGNATURE,
	PURPOSE_EXCHANGER,
	PURPOSE_SHARED,
	PURPOSE_STREAM,
	PURPOSE_TAG,
	PURPOSE_CHECK,
};

struct lanes {
	uint64_t words[WORDS];
};

static uint64_t rotated(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

/* One to one in the block and in the lanes: only what follows a difference can undo it. */
static void absorb(struct lanes *lanes, const uint8_t block[BLOCK_SIZE])
{
	static const uint64_t odd[WORDS] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9),
					    UINT64_C(0x94d049bb133111eb), UINT64_C(0xd6e8feb86659fd93)};
	uint64_t *words = lanes->words;

	for (size_t i = 0; i < WORDS; i++) {
		words[i] = (words[i] ^ load_u64(block + 8 * i)) * odd[i];
		words[i] ^= words[i] >> 32;
	}
	for (size_t i = 0; i < WORDS; i++)
		words[i] += rotated(words[(i + WORDS - 1) % WORDS], 23);
}

/* A hash under way, in the struct of libsodium's that the callers have: its own fields, used in our way. */
typedef crypto_hash_sha256_state hash_state;
_Static_assert(sizeof(((hash_state *)0)->state) == sizeof(struct lanes), "the lanes stand there");
_Static_assert(sizeof(((hash_state *)0)->buf) >= BLOCK_SIZE, "and a block that is not full");

static void hash_init(hash_state *state, enum purpose purpose)
{
	struct lanes lanes = {{UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
			       UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1)}};

	lanes.words[0] ^= purpose;
	memcpy(state->state, &lanes, sizeof(lanes));
	state->count = 0;
}

static void hash_update(hash_state *state, const uint8_t *data, uint64_t size)
{
	struct lanes lanes;
	size_t held = state->count % BLOCK_SIZE;

	state->count += size;
	if (held + size < BLOCK_SIZE) {
		if (size > 0)
			memcpy(state->buf + held, data, size);
		return;
	}
	memcpy(&lanes, state->state, sizeof(lanes));
	if (held > 0) {
		memcpy(state->buf + held, data, BLOCK_SIZE - held);
		absorb(&lanes, state->buf);
		data += BLOCK_SIZE - held;
		size -= BLOCK_SIZE - held;
	}
	for (; size >= BLOCK_SIZE; size -= BLOCK_SIZE, data += BLOCK_SIZE)
		absorb(&lanes, data);
	if (size > 0)
		memcpy(state->buf, data, size);
	memcpy(state->state, &lanes, sizeof(lanes));
}

static void hash_final(const hash_state *state, uint8_t out[BLOCK_SIZE])
{
	struct lanes lanes;
	uint8_t block[BLOCK_SIZE] = {0};

	memcpy(&lanes, state->state, sizeof(lanes));
	memcpy(block, state->buf, state->count % BLOCK_SIZE);
	absorb(&lanes, block);
	memset(block, 0, sizeof(block));
	store_u64(block, state->count);
	for (size_t i = 0; i < WORDS; i++) /* every word comes to depend on every other */
		absorb(&lanes, block);
	for (size_t i = 0; i < WORDS; i++)
		store_u64(out + 8 * i, lanes.words[i]);
}

/* A hash of parts, each with its size. */
static void hash_parts(enum purpose purpose, const struct bytes *parts, size_t count, uint8_t out[BLOCK_SIZE])
{
	hash_state state;
	uint8_t size[8];

	hash_init(&state, purpose);
	for (size_t i = 0; i < count; i++) {
		store_u64(size, parts[i].size);
		hash_update(&state, size, sizeof(size));
		hash_update(&state, parts[i].data, parts[i].size);
	}
	hash_final(&state, out);
}

/* ---- keys: the last bytes are a check on those before, so that a key is told from what is none ---- */

#define CHECK_SIZE 8
#define KEY_SIZE   BLOCK_SIZE

static void check_of(const uint8_t key[KEY_SIZE], uint8_t check[BLOCK_SIZE])
{
	struct bytes part = bytes_make(key, KEY_SIZE - CHECK_SIZE);

	hash_parts(PURPOSE_CHECK, &part, 1, check);
	check[CHECK_SIZE - 1] &= 0x3f; /* a key is a number below the field's prime, for either curve */
}

static void make_key(enum purpose purpose, const uint8_t secret[KEY_SIZE], uint8_t key[KEY_SIZE])
{
	struct bytes part = bytes_make(secret, KEY_SIZE);
	uint8_t check[BLOCK_SIZE];

	hash_parts(purpose, &part, 1, key);
	check_of(key, check);
	memcpy(key + KEY_SIZE - CHECK_SIZE, check, CHECK_SIZE);
}

static bool is_key(const uint8_t key[KEY_SIZE])
{
	uint8_t check[BLOCK_SIZE];

	check_of(key, check);
	return memcmp(key + KEY_SIZE - CHECK_SIZE, check, CHECK_SIZE) == 0;
}

/* ---- what the linker puts in the place of libsodium's ---- */

#define WRAPPED(result, name, ...)                                                                           \
	result __real_##name(__VA_ARGS__);                                                                   \
	result __wrap_##name(__VA_ARGS__);                                                                   \
	result __wrap_##name(__VA_ARGS__)

WRAPPED(int, crypto_hash_sha256_init, hash_state *state)
{
	if (!stand_in.use)
		return __real_crypto_hash_sha256_init(state);
	hash_init(state, PURPOSE_HASH);
	return 0;
}

WRAPPED(int, crypto_hash_sha256_update, hash_state *state, const unsigned char *in, unsigned long long size)
{
	if (!stand_in.use)
		return __real_crypto_hash_sha256_update(state, in, size);
	hash_update(state, in, size);
	return 0;
}

WRAPPED(int, crypto_hash_sha256_final, hash_state *state, unsigned char *out)
{
	if (!stand_in.use)
		return __real_crypto_hash_sha256_final(state, out);
	hash_final(state, out);
	return 0;
}

WRAPPED(int, crypto_hash_sha256, unsigned char *out, const unsigned char *in, unsigned long long size)
{
	hash_state state;

	if (!stand_in.use)
		return __real_crypto_hash_sha256(out, in, size);
	hash_init(&state, PURPOSE_HASH);
	hash_update(&state, in, size);
	hash_final(&state, out);
	return 0;
}

typedef crypto_auth_hmacsha256_state mac_state;

WRAPPED(int, crypto_auth_hmacsha256_init, mac_state *state, const unsigned char *key, size_t size)
{
	uint8_t encoded[8];

	if (!stand_in.use)
		return __real_crypto_auth_hmacsha256_init(state, key, size);
	memset(state, 0, sizeof(*state)); /* it is copied whole */
	hash_init(&state->ictx, PURPOSE_MAC);
	store_u64(encoded, size);
	hash_update(&state->ictx, encoded, sizeof(encoded));
	hash_update(&state->ictx, key, size);
	return 0;
}

WRAPPED(int, crypto_auth_hmacsha256_update, mac_state *state, const unsigned char *in,
	unsigned long long size)
{
	if (!stand_in.use)
		return __real_crypto_auth_hmacsha256_update(state, in, size);
	hash_update(&state->ictx, in, size);
	return 0;
}

WRAPPED(int, crypto_auth_hmacsha256_final, mac_state *state, unsigned char *out)
{
	if (!stand_in.use)
		return __real_crypto_auth_hmacsha256_final(state, out);
	hash_final(&state->ictx, out);
	return 0;
}

WRAPPED(int, crypto_sign_ed25519_seed_keypair, unsigned char *key, unsigned char *secret,
	const unsigned char *seed)
{
	if (!stand_in.use)
		return __real_crypto_sign_ed25519_seed_keypair(key, secret, seed);
	make_key(PURPOSE_SIGNER, seed, key);
	memmove(secret, seed, KEY_SIZE);
	memcpy(secret + KEY_SIZE, key, KEY_SIZE);
	return 0;
}

/* Both halves of a signature say the same of key and message, in two ways. */
static void sign(const uint8_t key[KEY_SIZE], struct bytes message, uint8_t signature[2 * BLOCK_SIZE])
{
	struct bytes parts[3] = {bytes_make(key, KEY_SIZE), message, bytes_make(signature, BLOCK_SIZE)};

	hash_parts(PURPOSE_SIGNATURE, parts, 2, signature);
	parts[1] = parts[2];
	hash_parts(PURPOSE_SIGNATURE, parts, 2, signature + BLOCK_SIZE);
}

WRAPPED(int, crypto_sign_ed25519_detached, unsigned char *signature, unsigned long long *size,
	const unsigned char *message, unsigned long long message_size, const unsigned char *secret)
{
	uint8_t key[KEY_SIZE];

	if (!stand_in.use)
		return __real_crypto_sign_ed25519_detached(signature, size, message, message_size, secret);
	/* From the secret half: a public key beside another secret signs for nobody. */
	make_key(PURPOSE_SIGNER, secret, key);
	sign(key, bytes_make(message, message_size), signature);
	if (size != NULL)
		*size = crypto_sign_ed25519_BYTES;
	return 0;
}

WRAPPED(int, crypto_sign_ed25519_verify_detached, const unsigned char *signature,
	const unsigned char *message, unsigned long long size, const unsigned char *key)
{
	uint8_t right[2 * BLOCK_SIZE];

	if (!stand_in.use)
		return __real_crypto_sign_ed25519_verify_detached(signature, message, size, key);
	sign(key, bytes_make(message, size), right);
	return is_key(key) && memcmp(right, signature, sizeof(right)) == 0 ? 0 : -1;
}

WRAPPED(int, crypto_core_ed25519_is_valid_point, const unsigned char *point)
{
	return stand_in.use ? is_key(point) : __real_crypto_core_ed25519_is_valid_point(point);
}

WRAPPED(int, crypto_scalarmult_curve25519_base, unsigned char *key, const unsigned char *secret)
{
	if (!stand_in.use)
		return __real_crypto_scalarmult_curve25519_base(key, secret);
	make_key(PURPOSE_EXCHANGER, secret, key);
	return 0;
}

/* The pair's own key and the other's, in the one order that both ends come to. */
WRAPPED(int, crypto_scalarmult_curve25519, unsigned char *shared, const unsigned char *secret,
	const unsigned char *key)
{
	uint8_t own[KEY_SIZE];

	if (!stand_in.use)
		return __real_crypto_scalarmult_curve25519(shared, secret, key);
	if (!is_key(key))
		return -1;
	make_key(PURPOSE_EXCHANGER, secret, own);
	bool own_first = memcmp(own, key, KEY_SIZE) < 0;
	struct bytes parts[2] = {bytes_make(own_first ? own : key, KEY_SIZE),
				 bytes_make(own_first ? key : own, KEY_SIZE)};
	hash_parts(PURPOSE_SHARED, parts, 2, shared);
	return 0;
}

/* ---- streams and seals ---- */

/* out = in with the stream over it; where `in` is NULL the stream itself. */
static void stream(uint8_t *out, const uint8_t *in, size_t size, struct bytes nonce,
		   const uint8_t key[KEY_SIZE])
{
	const struct bytes parts[2] = {bytes_make(key, KEY_SIZE), nonce};
	uint8_t start[BLOCK_SIZE];
	uint8_t word[8];

	hash_parts(PURPOSE_STREAM, parts, 2, start);
	for (size_t at = 0; at < size; at += sizeof(word)) {
		uint64_t mixed = load_u64(start + at % BLOCK_SIZE) + at * UINT64_C(0x9e3779b97f4a7c15);
		mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		store_u64(word, mixed ^ mixed >> 27);
		size_t take = size - at < sizeof(word) ? size - at : sizeof(word);
		for (size_t i = 0; i < take; i++)
			out[at + i] = in == NULL ? word[i] : in[at + i] ^ word[i];
	}
}

static void tag_of(struct bytes ciphertext, struct bytes aad, struct bytes nonce, const uint8_t key[KEY_SIZE],
		   uint8_t out[BLOCK_SIZE])
{
	const struct bytes parts[4] = {bytes_make(key, KEY_SIZE), nonce, aad, ciphertext};

	hash_parts(PURPOSE_TAG, parts, 4, out);
}

#define NONCE_SIZE crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define TAG_SIZE   crypto_aead_chacha20poly1305_ietf_ABYTES
_Static_assert(NONCE_SIZE == crypto_stream_chacha20_ietf_NONCEBYTES, "one nonce for both");

WRAPPED(int, crypto_stream_chacha20_ietf, unsigned char *out, unsigned long long size,
	const unsigned char *nonce, const unsigned char *key)
{
	if (!stand_in.use)
		return __real_crypto_stream_chacha20_ietf(out, size, nonce, key);
	stream(out, NULL, size, bytes_make(nonce, NONCE_SIZE), key);
	return 0;
}

WRAPPED(int, crypto_aead_chacha20poly1305_ietf_encrypt, unsigned char *out, unsigned long long *out_size,
	const unsigned char *message, unsigned long long size, const unsigned char *aad,
	unsigned long long aad_size, const unsigned char *secret_nonce, const unsigned char *nonce,
	const unsigned char *key)
{
	uint8_t tag[BLOCK_SIZE];

	if (!stand_in.use)
		return __real_crypto_aead_chacha20poly1305_ietf_encrypt(out, out_size, message, size, aad,
									aad_size, secret_nonce, nonce, key);
	stream(out, message, size, bytes_make(nonce, NONCE_SIZE), key);
	tag_of(bytes_make(out, size), bytes_make(aad, aad_size), bytes_make(nonce, NONCE_SIZE), key, tag);
	memcpy(out + size, tag, TAG_SIZE);
	if (out_size != NULL)
		*out_size = size + TAG_SIZE;
	return 0;
}

WRAPPED(int, crypto_aead_chacha20poly1305_ietf_decrypt, unsigned char *out, unsigned long long *out_size,
	unsigned char *secret_nonce, const unsigned char *ciphertext, unsigned long long ciphertext_size,
	const unsigned char *aad, unsigned long long aad_size, const unsigned char *nonce,
	const unsigned char *key)
{
	uint8_t tag[BLOCK_SIZE];

	if (!stand_in.use)
		return __real_crypto_aead_chacha20poly1305_ietf_decrypt(
			out, out_size, secret_nonce, ciphertext, ciphertext_size, aad, aad_size, nonce, key);
	if (out_size != NULL)
		*out_size = 0;
	if (ciphertext_size < TAG_SIZE)
		return -1;
	size_t size = ciphertext_size - TAG_SIZE;
	tag_of(bytes_make(ciphertext, size), bytes_make(aad, aad_size), bytes_make(nonce, NONCE_SIZE), key,
	       tag);
	if (memcmp(tag, ciphertext + size, TAG_SIZE) != 0)
		return -1;
	stream(out, ciphertext, size, bytes_make(nonce, NONCE_SIZE), key);
	if (out_size != NULL)
		*out_size = size;
	return 0;
}
