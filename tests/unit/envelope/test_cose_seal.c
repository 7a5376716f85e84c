#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/cose.h"
#include "envelope/padding.h"
#include "tests/unit/envelope/vectors.h"

static const uint8_t psk_key[32] = {4};
static const uint8_t psk_id[COSE_PSK_ID_SIZE] = {0xaa, 0xbb, 0xcc};
static const uint8_t seed_receiver[HPKE_SEED_SIZE] = {5};
static const uint8_t seed_ephemeral[HPKE_SEED_SIZE] = {6};

static struct hpke_psk psk_make(void)
{
	return (struct hpke_psk){bytes_make(psk_key, sizeof psk_key), bytes_make(psk_id, sizeof psk_id)};
}

static struct cose_seal_context context_make(void)
{
	return (struct cose_seal_context){.info = bytes_of_text("info"),
					  .external_aad = bytes_of_text("aad")};
}

static struct bytes seal(const struct hpke_psk *psk, struct bytes plaintext, uint8_t *memory, size_t size_max)
{
	struct cose_seal_context context = context_make();
	struct buffer out = buffer_make(memory, size_max);
	struct x25519_pair pair;

	hpke_derive_key_pair(seed_receiver, &pair);
	assert_int_equal(cose_seal(pair.key, psk, &context, seed_ephemeral, plaintext, &out), ERROR_OK);
	return buffer_bytes(&out);
}

/* Decodes and opens with the right keys. */
static enum error open_sealed(const struct hpke_psk *psk, struct bytes sealed, struct buffer *plaintext)
{
	struct cose_seal_context context = context_make();
	struct cose_sealed object;
	struct x25519_pair pair;
	enum error error = cose_sealed_decode(sealed, &object);

	hpke_derive_key_pair(seed_receiver, &pair);
	if (error != ERROR_OK) {
		assert_true(sodium_is_zero((const uint8_t *)&object, sizeof object));
		return error;
	}
	return cose_open(&object, &pair, psk, &context, plaintext);
}

static void sealed_bytes_are_fixed(void **state)
{
	struct hpke_psk psk = psk_make();
	uint8_t memory[256];

	hex_reset();
	assert_hex(seal(NULL, bytes_of_text("plaintext"), memory, sizeof memory),
		   "8344a101182aa1235820f009dd3e86ed62e52b7e1387ef786a9c0e729e0cf33f59d2c7ebf1947ce8"
		   "465f5819d0197b146bf11868f6fe156fd75b5900ea9d862c248e938ef9");
	assert_hex(seal(&psk, bytes_of_text("plaintext"), memory, sizeof memory),
		   "8344a101182aa2235820f009dd3e86ed62e52b7e1387ef786a9c0e729e0cf33f59d2c7ebf1947ce8"
		   "465f2443aabbcc5819199867249e60dfb085431c148fa8b8e3022605c48b62923b2b");
}

/* Sizes at which heads grow: 0, 23/24, 255/256, 65535/65536, and the largest payload. */
static const size_t sizes[] = {0, 1, 23, 24, 255, 256, 65535, 65536, CONTENT_SIZE_MAX};

static void what_is_sealed_opens_and_has_the_size_foretold(void **state)
{
	static uint8_t plaintext[CONTENT_SIZE_MAX], sealed[SEALED_SIZE_MAX], opened[CONTENT_SIZE_MAX];
	struct hpke_psk psk = psk_make();

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (unsigned mode = 0; mode < 2; mode++) {
			const struct hpke_psk *given = mode == 0 ? NULL : &psk;
			struct bytes text = bytes_make(plaintext, sizes[i]);
			struct bytes bytes = seal(given, text, sealed, sizeof sealed);
			struct buffer back = buffer_make(opened, sizeof opened);

			assert_int_equal(bytes.size,
					 cose_sealed_size(text.size, mode == 0 ? 0 : COSE_PSK_ID_SIZE));
			assert_int_equal(open_sealed(given, bytes, &back), ERROR_OK);
			assert_true(bytes_equal(buffer_bytes(&back), text));
		}
	}
}

static void the_largest_entry_fits_when_padded_and_sealed(void **state)
{
	assert_true(cose_sealed_size(padding_size(ENTRY_SIZE_MAX), COSE_PSK_ID_SIZE) <= SEALED_SIZE_MAX);
	assert_true(cose_signed_size(SIGNERS_MAX, CONTENT_SIZE_MAX) <= ENTRY_SIZE_MAX);
}

static void keys_can_be_looked_up_before_opening(void **state)
{
	struct hpke_psk psk = psk_make();
	uint8_t memory[256];
	struct cose_sealed object;
	struct x25519_pair ephemeral;

	hpke_derive_key_pair(seed_ephemeral, &ephemeral);
	assert_int_equal(cose_sealed_decode(seal(&psk, bytes_of_text("x"), memory, sizeof memory), &object),
			 ERROR_OK);
	assert_true(bytes_equal(object.psk_id, psk.id));
	assert_true(bytes_equal(object.encapsulated, bytes_make(ephemeral.key, sizeof ephemeral.key)));
	assert_int_equal(object.ciphertext.size, 1 + HPKE_TAG_SIZE);
	assert_int_equal(cose_sealed_decode(seal(NULL, bytes_of_text("x"), memory, sizeof memory), &object),
			 ERROR_OK);
	assert_int_equal(object.psk_id.size, 0);
}

static void any_changed_byte_of_a_sealed_object_is_refused(void **state)
{
	struct hpke_psk psk = psk_make();

	for (unsigned mode = 0; mode < 2; mode++) {
		const struct hpke_psk *given = mode == 0 ? NULL : &psk;
		uint8_t memory[256], opened[64];
		struct bytes bytes = seal(given, bytes_of_text("plaintext"), memory, sizeof memory);
		struct buffer back = buffer_make(opened, sizeof opened);

		for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
			/* X25519 ignores the highest bit of a key; HPKE binds the bytes as they were sent. */
			memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(open_sealed(given, bytes, &back), ERROR_OK);
			assert_int_equal(back.size, 0);
			memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t size = 0; size < bytes.size; size++)
			assert_int_equal(open_sealed(given, bytes_make(memory, size), &back),
					 ERROR_TRUNCATED);
		memory[bytes.size] = 0;
		assert_int_equal(open_sealed(given, bytes_make(memory, bytes.size + 1), &back),
				 ERROR_TRAILING);
		assert_int_equal(open_sealed(given, bytes, &back), ERROR_OK);
	}
}

static void opening_needs_exactly_the_mode_psk_key_and_context(void **state)
{
	static const uint8_t other_key[32] = {7}, other_id[COSE_PSK_ID_SIZE] = {8};
	struct hpke_psk psk = psk_make(), wrong_key = psk, wrong_id = psk;
	struct cose_seal_context context = context_make(), info = context, aad = context;
	uint8_t with[256], without[256], opened[64];
	struct buffer back = buffer_make(opened, sizeof opened);
	struct cose_sealed sealed, base;
	struct x25519_pair pair, other;

	wrong_key.key = bytes_make(other_key, sizeof other_key);
	wrong_id.id = bytes_make(other_id, sizeof other_id);
	info.info = bytes_of_text("other info");
	aad.external_aad = bytes_make(NULL, 0);
	hpke_derive_key_pair(seed_receiver, &pair);
	hpke_derive_key_pair(seed_ephemeral, &other);
	assert_int_equal(cose_sealed_decode(seal(&psk, bytes_of_text("x"), with, sizeof with), &sealed),
			 ERROR_OK);
	assert_int_equal(cose_sealed_decode(seal(NULL, bytes_of_text("x"), without, sizeof without), &base),
			 ERROR_OK);
	assert_int_equal(cose_open(&sealed, &pair, NULL, &context, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&base, &pair, &psk, &context, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&sealed, &pair, &wrong_key, &context, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&sealed, &pair, &wrong_id, &context, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&sealed, &pair, &psk, &info, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&sealed, &pair, &psk, &aad, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(cose_open(&sealed, &other, &psk, &context, &back), ERROR_CANNOT_OPEN);
	assert_int_equal(back.size, 0);
	assert_int_equal(cose_open(&sealed, &pair, &psk, &context, &back), ERROR_OK);
	assert_int_equal(cose_open(&base, &pair, NULL, &context, &back), ERROR_OK);
}

static void what_cannot_be_sealed_appends_nothing(void **state)
{
	static const uint8_t zeros[X25519_KEY_SIZE] = {0};
	static uint8_t aad[EXTERNAL_AAD_SIZE_MAX + 1];
	struct hpke_psk psk = psk_make(), long_id = psk, short_key = psk;
	struct cose_seal_context context = context_make(), large = context;
	size_t size = cose_sealed_size(1, COSE_PSK_ID_SIZE);
	uint8_t memory[256];
	struct buffer out = buffer_make(memory, sizeof memory), small = buffer_make(memory, size - 1);
	struct x25519_pair pair;

	long_id.id = bytes_of_text("four");
	short_key.key.size = HPKE_PSK_SIZE_MIN - 1;
	large.external_aad = bytes_make(aad, sizeof aad);
	hpke_derive_key_pair(seed_receiver, &pair);
	assert_int_equal(cose_seal(zeros, &psk, &context, seed_ephemeral, bytes_of_text("x"), &out),
			 ERROR_BAD_KEY);
	assert_int_equal(cose_seal(pair.key, &long_id, &context, seed_ephemeral, bytes_of_text("x"), &out),
			 ERROR_BAD_ARGUMENT);
	assert_int_equal(cose_seal(pair.key, &short_key, &context, seed_ephemeral, bytes_of_text("x"), &out),
			 ERROR_BAD_ARGUMENT);
	assert_int_equal(cose_seal(pair.key, &psk, &large, seed_ephemeral, bytes_of_text("x"), &out),
			 ERROR_TOO_LARGE);
	assert_int_equal(out.size, 0);
	assert_int_equal(cose_seal(pair.key, &psk, &context, seed_ephemeral, bytes_of_text("x"), &small),
			 ERROR_TOO_LARGE);
	assert_int_equal(small.size, 0);
	large.external_aad.size--;
	assert_int_equal(cose_seal(pair.key, &psk, &large, seed_ephemeral, bytes_of_text("x"), &out),
			 ERROR_OK);
	assert_int_equal(out.size, size);
}

struct refused_case {
	const char *why, *encoded;
	enum error error;
};

#define ZEROS16 "00000000000000000000000000000000"
#define EK "235820" ZEROS16 ZEROS16
#define TAG "50" ZEROS16

static const struct refused_case refused_sealed[] = {
	{"nothing", "", ERROR_TRUNCATED},
	{"a tag 16", "d08344a101182aa1" EK TAG, ERROR_WRONG_TYPE},
	{"HPKE-4 for key encryption", "8344a1011832a1" EK TAG, ERROR_UNSUPPORTED},
	{"HPKE-0", "8344a1011823a1" EK TAG, ERROR_UNSUPPORTED},
	{"no protected header", "8340a1" EK TAG, ERROR_UNSUPPORTED},
	{"no encapsulated key", "8344a101182aa0" TAG, ERROR_UNSUPPORTED},
	{"a kid before it", "8344a101182aa2044131" EK TAG, ERROR_UNSUPPORTED},
	{"a kid after it", "8344a101182aa2" EK "044131" TAG, ERROR_NOT_CANONICAL},
	{"another header after it", "8344a101182aa2" EK "2543aabbcc" TAG, ERROR_UNSUPPORTED},
	{"three headers", "8344a101182aa3" EK "2443aabbcc2500" TAG, ERROR_UNSUPPORTED},
	{"the key twice", "8344a101182aa2" EK EK TAG, ERROR_NOT_CANONICAL},
	{"a key of 31 bytes", "8344a101182aa123581f" ZEROS16 "000000000000000000000000000000" TAG,
	 ERROR_OUT_OF_RANGE},
	{"a key of 33 bytes", "8344a101182aa1235821" ZEROS16 ZEROS16 "00" TAG, ERROR_TOO_LARGE},
	{"a psk id of 2 bytes", "8344a101182aa2" EK "2442aabb" TAG, ERROR_OUT_OF_RANGE},
	{"a psk id of 4 bytes", "8344a101182aa2" EK "2444aabbccdd" TAG, ERROR_TOO_LARGE},
	{"an empty psk id", "8344a101182aa2" EK "2440" TAG, ERROR_OUT_OF_RANGE},
	{"a detached ciphertext", "8344a101182aa1" EK "f6", ERROR_WRONG_TYPE},
	{"a ciphertext shorter than its tag", "8344a101182aa1" EK "4f000000000000000000000000000000",
	 ERROR_OUT_OF_RANGE},
	{"recipients", "8444a101182aa1" EK TAG "80", ERROR_WRONG_TYPE},
};

static void other_forms_of_sealed_objects_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof refused_sealed / sizeof refused_sealed[0]; i++) {
		const struct refused_case *of = &refused_sealed[i];
		struct cose_sealed object;
		enum error error;

		hex_reset();
		error = cose_sealed_decode(hex(of->encoded), &object);
		if (error != of->error)
			fail_msg("%s: %s", of->why, error_name(error));
	}
}

/* Decodes a copy in a block of exactly its size, past which the sanitizer sees every read. */
static void decode_exact(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
	struct cose_sealed object;

	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.size);
	if (cose_sealed_decode(bytes_make(copy, bytes.size), &object) != ERROR_OK)
		assert_true(sodium_is_zero((const uint8_t *)&object, sizeof object));
	free(copy);
}

static void mutated_and_cut_objects_are_never_read_past_their_end(void **state)
{
	struct hpke_psk psk = psk_make();
	uint8_t memory[256], mutant[256];
	struct bytes object = seal(&psk, bytes_of_text("plaintext"), memory, sizeof memory);
	uint32_t random = 1;

	for (unsigned round = 0; round < 10000; round++) {
		size_t reach = round % 2 == 0 ? 12 : object.size;

		memcpy(mutant, memory, object.size);
		for (unsigned change = 0; change <= round % 4; change++) {
			random = random * 1664525 + 1013904223;
			mutant[(random >> 8) % reach] = (uint8_t)(random >> 24);
		}
		decode_exact(bytes_make(mutant, round % 8 < 6 ? object.size : (random >> 9) % object.size));
	}
}

static void a_sealed_object_above_the_limit_is_refused_unread(void **state)
{
	static const uint8_t memory[SEALED_SIZE_MAX + 1];
	struct cose_sealed object;

	assert_int_equal(cose_sealed_decode(bytes_make(memory, sizeof memory), &object), ERROR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_bytes_are_fixed),
		cmocka_unit_test(what_is_sealed_opens_and_has_the_size_foretold),
		cmocka_unit_test(the_largest_entry_fits_when_padded_and_sealed),
		cmocka_unit_test(keys_can_be_looked_up_before_opening),
		cmocka_unit_test(any_changed_byte_of_a_sealed_object_is_refused),
		cmocka_unit_test(opening_needs_exactly_the_mode_psk_key_and_context),
		cmocka_unit_test(what_cannot_be_sealed_appends_nothing),
		cmocka_unit_test(other_forms_of_sealed_objects_are_refused),
		cmocka_unit_test(mutated_and_cut_objects_are_never_read_past_their_end),
		cmocka_unit_test(a_sealed_object_above_the_limit_is_refused_unread),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope cose seal", tests, NULL, NULL);
}
