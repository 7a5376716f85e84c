#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/hkdf.h"
#include "tests/unit/envelope/vectors.h"

/* ---- RFC 5869, appendix A: the cases with SHA-256 ---- */

struct hkdf_case {
	const char *input, *salt, *info, *key, *out;
};

static const struct hkdf_case rfc5869[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	 "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
	 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
	 "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
	 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
	 "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
	 "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	 "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
	 "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
	 "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	 "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
	 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void rfc5869_cases_hold(void **state)
{
	for (size_t i = 0; i < sizeof rfc5869 / sizeof rfc5869[0]; i++) {
		const struct hkdf_case *of = &rfc5869[i];
		uint8_t key[HKDF_KEY_SIZE], out[128];
		struct bytes input, info;
		size_t size = strlen(of->out) / 2;

		hex_reset();
		input = hex(of->input);
		info = hex(of->info);
		hkdf_extract(hex(of->salt), &input, 1, key);
		assert_hex(bytes_make(key, sizeof key), of->key);
		assert_int_equal(hkdf_expand(key, &info, 1, out, size), ERROR_OK);
		assert_hex(bytes_make(out, size), of->out);
	}
}

/* ---- Wycheproof ---- */

static void check_hkdf(const json_t *group, const json_t *test)
{
	struct bytes input = bytes_of(test, "ikm"), info = bytes_of(test, "info");
	size_t size = (size_t)json_integer_value(member_of(test, "size"));
	uint8_t key[HKDF_KEY_SIZE], out[HKDF_OUT_SIZE_MAX];

	hkdf_extract(bytes_of(test, "salt"), &input, 1, key);
	if (strcmp(text_of(test, "result"), "valid") != 0) {
		assert_int_equal(hkdf_expand(key, &info, 1, out, size), ERROR_OUT_OF_RANGE);
		return;
	}
	assert_int_equal(hkdf_expand(key, &info, 1, out, size), ERROR_OK);
	assert_hex(bytes_make(out, size), text_of(test, "okm"));
}

static void wycheproof_hkdf_holds(void **state)
{
	json_t *file = vectors_load("wycheproof/hkdf_sha256_test.json");

	assert_int_equal(wycheproof_each(file, check_hkdf), 86);
	json_decref(file);
}

/* HKDF-Extract is HMAC with the salt as key. Tags of 128 bits are the first half. */
static void check_hmac(const json_t *group, const json_t *test)
{
	struct bytes message = bytes_of(test, "msg"), tag = bytes_of(test, "tag");
	bool valid = strcmp(text_of(test, "result"), "valid") == 0;
	uint8_t found[HKDF_KEY_SIZE];

	assert_true(tag.size == 16 || tag.size == 32);
	hkdf_extract(bytes_of(test, "key"), &message, 1, found);
	assert_int_equal(bytes_equal(bytes_make(found, tag.size), tag), valid);
}

static void wycheproof_hmac_holds(void **state)
{
	json_t *file = vectors_load("wycheproof/hmac_sha256_test.json");

	assert_int_equal(wycheproof_each(file, check_hmac), 174);
	json_decref(file);
}

/* ---- what the contract adds ---- */

static void parts_count_as_one_input(void **state)
{
	const struct bytes whole = bytes_of_text("one input in parts");
	const struct bytes parts[] = {bytes_of_text("one "), bytes_make(NULL, 0),
				      bytes_of_text("input in parts")};
	uint8_t a[HKDF_KEY_SIZE], b[HKDF_KEY_SIZE], out_a[70], out_b[70];

	hkdf_extract(bytes_of_text("salt"), &whole, 1, a);
	hkdf_extract(bytes_of_text("salt"), parts, 3, b);
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(hkdf_expand(a, &whole, 1, out_a, sizeof out_a), ERROR_OK);
	assert_int_equal(hkdf_expand(b, parts, 3, out_b, sizeof out_b), ERROR_OK);
	assert_memory_equal(out_a, out_b, sizeof out_a);
}

static void expanding_in_place_gives_the_same(void **state)
{
	const struct bytes info = bytes_of_text("info");
	uint8_t key[HKDF_KEY_SIZE] = {7}, out[HKDF_KEY_SIZE];

	assert_int_equal(hkdf_expand(key, &info, 1, out, sizeof out), ERROR_OK);
	assert_int_equal(hkdf_expand(key, &info, 1, key, sizeof key), ERROR_OK);
	assert_memory_equal(key, out, sizeof key);
}

static void more_than_255_blocks_are_refused_and_nothing_written(void **state)
{
	static uint8_t out[HKDF_OUT_SIZE_MAX + 1];
	const uint8_t key[HKDF_KEY_SIZE] = {7};

	assert_int_equal(hkdf_expand(key, NULL, 0, out, sizeof out), ERROR_OUT_OF_RANGE);
	assert_true(sodium_is_zero(out, sizeof out));
	assert_int_equal(hkdf_expand(key, NULL, 0, out, sizeof out - 1), ERROR_OK);
	assert_false(sodium_is_zero(out + HKDF_OUT_SIZE_MAX - 32, 32));
	assert_int_equal(out[HKDF_OUT_SIZE_MAX], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5869_cases_hold),
		cmocka_unit_test(wycheproof_hkdf_holds),
		cmocka_unit_test(wycheproof_hmac_holds),
		cmocka_unit_test(parts_count_as_one_input),
		cmocka_unit_test(expanding_in_place_gives_the_same),
		cmocka_unit_test(more_than_255_blocks_are_refused_and_nothing_written),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope hkdf", tests, NULL, NULL);
}
