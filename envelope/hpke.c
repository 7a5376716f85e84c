#include "envelope/hpke.h"

#include <string.h>

#include <sodium.h>

#include "envelope/codepoints.h"
#include "envelope/hkdf.h"

#define KEY_SIZE crypto_aead_chacha20poly1305_ietf_KEYBYTES
#define NONCE_SIZE crypto_aead_chacha20poly1305_ietf_NPUBBYTES

_Static_assert(sizeof(((struct hpke_context *)0)->key) == KEY_SIZE, "Nk");
_Static_assert(sizeof(((struct hpke_context *)0)->base_nonce) == NONCE_SIZE, "Nn");
_Static_assert(HPKE_TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "Nt");

#define HIGH(number) ((uint8_t)((number) >> 8 & 0xff))
#define LOW(number) ((uint8_t)((number)&0xff))

/* suite_id of the KEM (section 4.1) and of the key schedule (section 5.1) */
#define BOTH(number) HIGH(number), LOW(number)
static const uint8_t suite_kem[] = {'K', 'E', 'M', BOTH(HPKE_KEM_X25519_HKDF_SHA256)};
static const uint8_t suite_hpke[] = {
	'H', 'P', 'K', 'E', BOTH(HPKE_KEM_X25519_HKDF_SHA256), BOTH(HPKE_KDF_HKDF_SHA256),
	BOTH(HPKE_AEAD_CHACHA20POLY1305),
};

static struct bytes kem_id(void)
{
	return bytes_make(suite_kem, sizeof suite_kem);
}

static struct bytes hpke_id(void)
{
	return bytes_make(suite_hpke, sizeof suite_hpke);
}

static const struct bytes nothing = {NULL, 0};

/* Section 4: LabeledExtract. */
static void labeled_extract(struct bytes suite, struct bytes salt, const char *label, struct bytes input,
			    uint8_t key[HKDF_KEY_SIZE])
{
	const struct bytes parts[] = {bytes_of_text("HPKE-v1"), suite, bytes_of_text(label), input};

	hkdf_extract(salt, parts, 4, key);
}

/* Section 4: LabeledExpand. */
static enum error labeled_expand(struct bytes suite, const uint8_t key[HKDF_KEY_SIZE], const char *label,
				 struct bytes info, uint8_t *out, size_t size)
{
	const uint8_t length[2] = {HIGH(size), LOW(size)};
	const struct bytes parts[] = {
		bytes_make(length, sizeof length),
		bytes_of_text("HPKE-v1"),
		suite,
		bytes_of_text(label),
		info,
	};

	if (size > HKDF_OUT_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;
	return hkdf_expand(key, parts, 5, out, size);
}

void hpke_derive_key_pair(const uint8_t seed[HPKE_SEED_SIZE], struct x25519_pair *pair)
{
	uint8_t key[HKDF_KEY_SIZE], secret[X25519_KEY_SIZE];

	labeled_extract(kem_id(), nothing, "dkp_prk", bytes_make(seed, HPKE_SEED_SIZE), key);
	labeled_expand(kem_id(), key, "sk", nothing, secret, sizeof secret);
	x25519_pair_from_secret(secret, pair);
	sodium_memzero(key, sizeof key);
	sodium_memzero(secret, sizeof secret);
}

/* Section 4.1: the KEM's shared secret, from `secret` with the other end's `key`. */
static enum error kem_shared_secret(const uint8_t secret[X25519_KEY_SIZE], const uint8_t key[X25519_KEY_SIZE],
				    const uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE],
				    const uint8_t receiver_key[X25519_KEY_SIZE], uint8_t shared_secret[32])
{
	uint8_t shared[X25519_KEY_SIZE], extracted[HKDF_KEY_SIZE];
	uint8_t kem_context[HPKE_ENCAPSULATED_SIZE + X25519_KEY_SIZE];
	enum error error = x25519_shared(secret, key, shared);

	if (error != ERROR_OK)
		return error;
	memcpy(kem_context, encapsulated, HPKE_ENCAPSULATED_SIZE);
	memcpy(kem_context + HPKE_ENCAPSULATED_SIZE, receiver_key, X25519_KEY_SIZE);
	labeled_extract(kem_id(), nothing, "eae_prk", bytes_make(shared, sizeof shared), extracted);
	error = labeled_expand(kem_id(), extracted, "shared_secret",
			       bytes_make(kem_context, sizeof kem_context), shared_secret, 32);
	sodium_memzero(shared, sizeof shared);
	sodium_memzero(extracted, sizeof extracted);
	return error;
}

void hpke_schedule_make(struct bytes info, struct bytes psk_id, struct hpke_schedule *schedule)
{
	schedule->context[0] = psk_id.size == 0 ? HPKE_MODE_BASE : HPKE_MODE_PSK;
	labeled_extract(hpke_id(), nothing, "psk_id_hash", psk_id, schedule->context + 1);
	labeled_extract(hpke_id(), nothing, "info_hash", info, schedule->context + 1 + HKDF_KEY_SIZE);
}

/* Section 5.1: KeySchedule, from the point where its context is made. */
static void key_schedule(struct bytes shared_secret, const struct hpke_schedule *schedule,
			 const struct hpke_psk *psk, struct hpke_context *context)
{
	const struct bytes schedule_context = bytes_make(schedule->context, sizeof schedule->context);
	uint8_t secret[HKDF_KEY_SIZE];

	labeled_extract(hpke_id(), shared_secret, "secret", psk == NULL ? nothing : psk->key, secret);
	labeled_expand(hpke_id(), secret, "key", schedule_context, context->key, sizeof context->key);
	labeled_expand(hpke_id(), secret, "base_nonce", schedule_context, context->base_nonce,
		       sizeof context->base_nonce);
	context->sequence = 0;
	sodium_memzero(secret, sizeof secret);
}

/* Section 5.1: VerifyPSKInputs; the type already rules out half a PSK. */
static enum error psk_check(const struct hpke_psk *psk, const struct hpke_schedule *schedule)
{
	if (schedule->context[0] != (psk == NULL ? HPKE_MODE_BASE : HPKE_MODE_PSK))
		return ERROR_BAD_ARGUMENT;
	if (psk != NULL && (psk->key.size < HPKE_PSK_SIZE_MIN || psk->id.size == 0))
		return ERROR_BAD_ARGUMENT;
	return ERROR_OK;
}

enum error hpke_setup_sender(const uint8_t receiver_key[X25519_KEY_SIZE],
			     const struct hpke_schedule *schedule, const struct hpke_psk *psk,
			     const uint8_t seed[HPKE_SEED_SIZE],
			     uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE], struct hpke_context *context)
{
	struct x25519_pair ephemeral;
	uint8_t shared_secret[32];
	enum error error = psk_check(psk, schedule);

	memset(context, 0, sizeof *context);
	if (error != ERROR_OK)
		return error;
	hpke_derive_key_pair(seed, &ephemeral);
	memcpy(encapsulated, ephemeral.key, HPKE_ENCAPSULATED_SIZE);
	error = kem_shared_secret(ephemeral.secret, receiver_key, encapsulated, receiver_key, shared_secret);
	x25519_pair_erase(&ephemeral);
	if (error != ERROR_OK)
		return error;
	key_schedule(bytes_make(shared_secret, sizeof shared_secret), schedule, psk, context);
	sodium_memzero(shared_secret, sizeof shared_secret);
	return ERROR_OK;
}

enum error hpke_setup_receiver(const uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE],
			       const struct x25519_pair *pair, const struct hpke_schedule *schedule,
			       const struct hpke_psk *psk, struct hpke_context *context)
{
	uint8_t shared_secret[32];
	enum error error = psk_check(psk, schedule);

	memset(context, 0, sizeof *context);
	if (error != ERROR_OK)
		return error;
	/* The only key here from outside is the encapsulated one: what is wrong is what was sent. */
	if (kem_shared_secret(pair->secret, encapsulated, encapsulated, pair->key, shared_secret) != ERROR_OK)
		return ERROR_CANNOT_OPEN;
	key_schedule(bytes_make(shared_secret, sizeof shared_secret), schedule, psk, context);
	sodium_memzero(shared_secret, sizeof shared_secret);
	return ERROR_OK;
}

void hpke_context_erase(struct hpke_context *context)
{
	sodium_memzero(context, sizeof *context);
}

/* Section 5.2: ComputeNonce. */
static void nonce_of(const struct hpke_context *context, uint8_t nonce[NONCE_SIZE])
{
	uint8_t sequence[8];

	store_u64(sequence, context->sequence);
	memcpy(nonce, context->base_nonce, NONCE_SIZE);
	for (size_t i = 0; i < sizeof sequence; i++)
		nonce[NONCE_SIZE - sizeof sequence + i] ^= sequence[i];
}

enum error hpke_context_seal(struct hpke_context *context, struct bytes aad, struct bytes plaintext,
			     struct buffer *ciphertext)
{
	uint8_t nonce[NONCE_SIZE];
	uint8_t *out;

	if (context->sequence == UINT64_MAX)
		return ERROR_OUT_OF_RANGE;
	if (plaintext.size > SIZE_MAX - HPKE_TAG_SIZE)
		return ERROR_TOO_LARGE;
	out = buffer_reserve(ciphertext, plaintext.size + HPKE_TAG_SIZE);
	if (out == NULL)
		return ERROR_TOO_LARGE;
	nonce_of(context, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.data, plaintext.size, aad.data,
						  aad.size, NULL, nonce, context->key);
	context->sequence++;
	return ERROR_OK;
}

enum error hpke_context_open(struct hpke_context *context, struct bytes aad, struct bytes ciphertext,
			     struct buffer *plaintext)
{
	uint8_t nonce[NONCE_SIZE];
	size_t before = plaintext->size;
	uint8_t *out;

	if (context->sequence == UINT64_MAX)
		return ERROR_OUT_OF_RANGE;
	if (ciphertext.size < HPKE_TAG_SIZE)
		return ERROR_CANNOT_OPEN;
	out = buffer_reserve(plaintext, ciphertext.size - HPKE_TAG_SIZE);
	if (out == NULL)
		return ERROR_TOO_LARGE;
	nonce_of(context, nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, ciphertext.data, ciphertext.size,
						      aad.data, aad.size, nonce, context->key) != 0) {
		plaintext->size = before;
		return ERROR_CANNOT_OPEN;
	}
	context->sequence++;
	return ERROR_OK;
}
