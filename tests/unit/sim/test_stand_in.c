/* What the stand-ins of sim/stand_in.h must refuse, each shown with the real primitives too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/derive.h"
#include "envelope/ed25519.h"
#include "envelope/hkdf.h"
#include "envelope/hpke.h"
#include "envelope/x25519.h"
#include "sim/stand_in.h"

static const uint8_t text[] = "The line is open. So it stays, whoever else falls silent on it.";
#define TEXT bytes_make(text, sizeof(text))

/* Runs with the state of the test as which primitives are there. */
static int with_real(void **state)
{
	(void)state;
	stand_in_use(false);
	return sodium_init() < 0;
}

static int with_stand_in(void **state)
{
	(void)state;
	stand_in_use(true);
	return 0;
}

static struct ed25519_pair signer_of(uint8_t number)
{
	uint8_t seed[ED25519_SEED_SIZE] = {number};
	struct ed25519_pair pair;

	ed25519_pair_from_seed(seed, &pair);
	return pair;
}

static struct x25519_pair exchanger_of(uint8_t number)
{
	uint8_t secret[X25519_KEY_SIZE] = {8 * number, 1, 2, [X25519_KEY_SIZE - 1] = 64};
	struct x25519_pair pair;

	x25519_pair_from_secret(secret, &pair);
	return pair;
}

/* ---- hashes ---- */

static void a_hash_differs_where_one_bit_does(void **state)
{
	uint8_t changed[sizeof(text)];
	uint8_t hash[32];
	uint8_t other[32];

	(void)state;
	crypto_hash_sha256(hash, text, sizeof(text));
	for (size_t bit = 0; bit < 8 * sizeof(text); bit++) {
		memcpy(changed, text, sizeof(text));
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		crypto_hash_sha256(other, changed, sizeof(changed));
		assert_memory_not_equal(hash, other, sizeof(hash));
		assert_memory_not_equal(hash, other,
					8); /* nor are parts of it equal, which are used as ids */
		assert_memory_not_equal(hash + 24, other + 24, 8);
	}
}

static void a_hash_differs_by_size_alone(void **state)
{
	static const uint8_t zeros[100];
	uint8_t hashes[sizeof(zeros)][32];

	(void)state;
	for (size_t i = 0; i < sizeof(zeros); i++) {
		crypto_hash_sha256(hashes[i], zeros, i);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(hashes[i], hashes[j], 32);
	}
}

static void a_hash_is_the_same_however_it_is_fed(void **state)
{
	crypto_hash_sha256_state hash_state;
	uint8_t whole[32];
	uint8_t parts[32];

	(void)state;
	crypto_hash_sha256(whole, text, sizeof(text));
	for (size_t first = 0; first <= sizeof(text); first++) {
		for (size_t second = first; second <= sizeof(text); second++) {
			crypto_hash_sha256_init(&hash_state);
			crypto_hash_sha256_update(&hash_state, text, first);
			crypto_hash_sha256_update(&hash_state, text + first, second - first);
			crypto_hash_sha256_update(&hash_state, text + second, sizeof(text) - second);
			crypto_hash_sha256_final(&hash_state, parts);
			assert_memory_equal(whole, parts, sizeof(whole));
		}
	}
}

static void a_derived_key_depends_on_key_and_context(void **state)
{
	const struct bytes contexts[2] = {TEXT, bytes_make(text, sizeof(text) - 1)};
	uint8_t keys[2][HKDF_KEY_SIZE] = {{1}, {2}};
	uint8_t out[4][HKDF_KEY_SIZE];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(hkdf_expand(keys[i / 2], &contexts[i % 2], 1, out[i], sizeof(out[i])),
				 ERROR_OK);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(out[i], out[j], sizeof(out[i]));
}

static void entropy_never_repeats(void **state)
{
	uint8_t seeds[2][ENTROPY_SEED_SIZE] = {{1}, {2}};
	struct entropy entropy[2] = {entropy_make(seeds[0]), entropy_make(seeds[1])};
	uint8_t taken[16][16];

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		entropy_take(&entropy[i % 2], taken[i], sizeof(taken[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(taken[i], taken[j], sizeof(taken[i]));
	}
}

/* ---- signatures ---- */

static void a_signature_verifies_with_its_key_over_its_bytes_alone(void **state)
{
	struct ed25519_pair pair = signer_of(1);
	struct ed25519_pair other = signer_of(2);
	uint8_t signature[ED25519_SIGNATURE_SIZE];
	uint8_t changed[sizeof(text)];

	(void)state;
	ed25519_sign(&pair, TEXT, signature);
	assert_int_equal(ed25519_verify(pair.key, TEXT, signature), ERROR_OK);
	assert_int_equal(ed25519_verify(other.key, TEXT, signature), ERROR_BAD_SIGNATURE);
	assert_int_equal(ed25519_verify(pair.key, bytes_make(text, sizeof(text) - 1), signature),
			 ERROR_BAD_SIGNATURE);
	for (size_t bit = 0; bit < 8 * sizeof(text); bit++) {
		memcpy(changed, text, sizeof(text));
		changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(ed25519_verify(pair.key, bytes_make(changed, sizeof(changed)), signature),
				 ERROR_BAD_SIGNATURE);
	}
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(ed25519_verify(pair.key, TEXT, signature), ERROR_BAD_SIGNATURE);
		signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void another_secret_beside_a_public_key_signs_for_nobody(void **state)
{
	struct ed25519_pair pair = signer_of(1);
	struct ed25519_pair mixed = signer_of(2);
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	(void)state;
	memcpy(mixed.key, pair.key, sizeof(mixed.key));
	memcpy(mixed.secret + ED25519_SEED_SIZE, pair.key, sizeof(pair.key));
	ed25519_sign(&mixed, TEXT, signature);
	assert_int_equal(ed25519_verify(pair.key, TEXT, signature), ERROR_BAD_SIGNATURE);
}

static void what_is_no_key_is_told(void **state)
{
	static const uint8_t zeros[ED25519_KEY_SIZE];
	struct ed25519_pair pair = signer_of(1);
	struct x25519_pair exchanger = exchanger_of(1);

	(void)state;
	assert_true(ed25519_key_valid(pair.key));
	assert_false(ed25519_key_valid(zeros));
	assert_true(x25519_key_valid(exchanger.key));
	assert_false(x25519_key_valid(zeros));
}

/* ---- seals ---- */

static void two_pairs_agree_and_a_third_does_not(void **state)
{
	static const uint8_t zeros[X25519_KEY_SIZE];
	struct x25519_pair a = exchanger_of(1);
	struct x25519_pair b = exchanger_of(2);
	struct x25519_pair c = exchanger_of(3);
	uint8_t here[X25519_KEY_SIZE];
	uint8_t there[X25519_KEY_SIZE];

	(void)state;
	assert_int_equal(x25519_shared(a.secret, b.key, here), ERROR_OK);
	assert_int_equal(x25519_shared(b.secret, a.key, there), ERROR_OK);
	assert_memory_equal(here, there, sizeof(here));
	assert_int_equal(x25519_shared(c.secret, b.key, there), ERROR_OK);
	assert_memory_not_equal(here, there, sizeof(here));
	assert_int_equal(x25519_shared(a.secret, c.key, there), ERROR_OK);
	assert_memory_not_equal(here, there, sizeof(here));
	assert_int_equal(x25519_shared(a.secret, zeros, there), ERROR_BAD_KEY);
}

/* Everything that opens the sealed bytes. */
struct sealed {
	uint8_t key[32];
	uint8_t base_nonce[12];
	uint8_t aad[5];
	uint8_t bytes[sizeof(text) + HPKE_TAG_SIZE];
};

static enum error open_sealed(const struct sealed *sealed, uint8_t plain[sizeof(text)])
{
	struct hpke_context context = {.sequence = 0};
	struct buffer out = buffer_make(plain, sizeof(text));

	memcpy(context.key, sealed->key, sizeof(context.key));
	memcpy(context.base_nonce, sealed->base_nonce, sizeof(context.base_nonce));
	return hpke_context_open(&context, bytes_make(sealed->aad, sizeof(sealed->aad)),
				 bytes_make(sealed->bytes, sizeof(sealed->bytes)), &out);
}

static struct sealed seal(void)
{
	struct sealed sealed = {.key = {1}, .base_nonce = {2}, .aad = {3}};
	struct hpke_context context = {.sequence = 0};
	struct buffer out = buffer_make(sealed.bytes, sizeof(sealed.bytes));

	memcpy(context.key, sealed.key, sizeof(context.key));
	memcpy(context.base_nonce, sealed.base_nonce, sizeof(context.base_nonce));
	assert_int_equal(hpke_context_seal(&context, bytes_make(sealed.aad, sizeof(sealed.aad)), TEXT, &out),
			 ERROR_OK);
	return sealed;
}

static void sealed_bytes_open_with_all_that_sealed_them_alone(void **state)
{
	struct sealed sealed = seal();
	uint8_t plain[sizeof(text)];
	uint8_t *bytes = (uint8_t *)&sealed;

	(void)state;
	assert_memory_not_equal(sealed.bytes, text, sizeof(text));
	assert_int_equal(open_sealed(&sealed, plain), ERROR_OK);
	assert_memory_equal(plain, text, sizeof(text));
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(open_sealed(&sealed, plain), ERROR_CANNOT_OPEN);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void what_is_cut_off_does_not_open(void **state)
{
	struct sealed sealed = seal();
	struct hpke_context context = {.sequence = 0};
	uint8_t plain[sizeof(text)];

	(void)state;
	memcpy(context.key, sealed.key, sizeof(context.key));
	memcpy(context.base_nonce, sealed.base_nonce, sizeof(context.base_nonce));
	for (size_t size = 0; size < sizeof(sealed.bytes); size++) {
		struct buffer out = buffer_make(plain, sizeof(plain));
		assert_int_equal(hpke_context_open(&context, bytes_make(sealed.aad, sizeof(sealed.aad)),
						   bytes_make(sealed.bytes, size), &out),
				 ERROR_CANNOT_OPEN);
	}
}

static void the_stand_in_is_in_its_place(void **state)
{
	uint8_t real[32];
	uint8_t stand_in[32];

	(void)state;
	crypto_hash_sha256(stand_in, text, sizeof(text));
	stand_in_use(false);
	crypto_hash_sha256(real, text, sizeof(text));
	assert_memory_not_equal(real, stand_in, sizeof(real));
}

#define WITH_BOTH(test)                                                                                      \
	{"real: " #test, test, with_real, NULL, NULL},                                                       \
	{                                                                                                    \
		"stand-in: " #test, test, with_stand_in, NULL, NULL                                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOTH(a_hash_differs_where_one_bit_does),
		WITH_BOTH(a_hash_differs_by_size_alone),
		WITH_BOTH(a_hash_is_the_same_however_it_is_fed),
		WITH_BOTH(a_derived_key_depends_on_key_and_context),
		WITH_BOTH(entropy_never_repeats),
		WITH_BOTH(a_signature_verifies_with_its_key_over_its_bytes_alone),
		WITH_BOTH(another_secret_beside_a_public_key_signs_for_nobody),
		WITH_BOTH(what_is_no_key_is_told),
		WITH_BOTH(two_pairs_agree_and_a_third_does_not),
		WITH_BOTH(sealed_bytes_open_with_all_that_sealed_them_alone),
		WITH_BOTH(what_is_cut_off_does_not_open),
		cmocka_unit_test_setup(the_stand_in_is_in_its_place, with_stand_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
