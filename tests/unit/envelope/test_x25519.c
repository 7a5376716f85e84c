#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/x25519.h"
#include "tests/unit/envelope/vectors.h"

static void rfc7748_key_agreement_holds(void **state)
{
	/* RFC 7748, section 6.1 */
	static const char *const secret_a =
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
	static const char *const key_a = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
	static const char *const secret_b =
		"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
	static const char *const key_b = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
	static const char *const agreed = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
	struct x25519_pair a, b;
	uint8_t shared[X25519_KEY_SIZE];

	hex_reset();
	x25519_pair_from_secret(hex(secret_a).data, &a);
	x25519_pair_from_secret(hex(secret_b).data, &b);
	assert_hex(bytes_make(a.key, sizeof a.key), key_a);
	assert_hex(bytes_make(b.key, sizeof b.key), key_b);
	assert_int_equal(x25519_shared(a.secret, b.key, shared), ERROR_OK);
	assert_hex(bytes_make(shared, sizeof shared), agreed);
	assert_int_equal(x25519_shared(b.secret, a.key, shared), ERROR_OK);
	assert_hex(bytes_make(shared, sizeof shared), agreed);
}

static size_t refused;

static void check_wycheproof(const json_t *group, const json_t *test)
{
	struct bytes key = bytes_of(test, "public"), secret = bytes_of(test, "private"), expected;
	uint8_t shared[X25519_KEY_SIZE];

	assert_int_equal(key.size, X25519_KEY_SIZE);
	assert_int_equal(secret.size, X25519_KEY_SIZE);
	expected = bytes_of(test, "shared");
	if (sodium_is_zero(expected.data, expected.size)) {
		assert_int_equal(x25519_shared(secret.data, key.data, shared), ERROR_BAD_KEY);
		assert_true(sodium_is_zero(shared, sizeof shared));
		assert_false(x25519_key_valid(key.data));
		refused++;
		return;
	}
	assert_int_equal(x25519_shared(secret.data, key.data, shared), ERROR_OK);
	assert_true(bytes_equal(bytes_make(shared, sizeof shared), expected));
}

static void wycheproof_holds_and_its_zero_results_are_refused(void **state)
{
	json_t *file = vectors_load("wycheproof/x25519_test.json");

	refused = 0;
	assert_int_equal(wycheproof_each(file, check_wycheproof), 518);
	assert_int_equal(refused, 31);
	json_decref(file);
}

static void keys_of_small_order_are_not_valid(void **state)
{
	static const char *const bad[] = {
		/* u = 0 and 1; the two of order 8; p - 1, of order 4 on the twist */
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		hex_reset();
		assert_false(x25519_key_valid(hex(bad[i]).data));
	}
}

static void a_key_has_one_encoding(void **state)
{
	uint8_t key[X25519_KEY_SIZE];

	/* The base point u = 9, then with the bit that X25519 ignores, then 9 + p, which it reduces. */
	hex_reset();
	memcpy(key, hex("0900000000000000000000000000000000000000000000000000000000000000").data, sizeof key);
	assert_true(x25519_key_valid(key));
	key[31] |= 0x80;
	assert_false(x25519_key_valid(key));
	assert_false(x25519_key_valid(
		hex("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").data));
	/* The largest canonical value, p - 1, is of small order; p - 2 is the largest valid candidate. */
	assert_true(x25519_key_valid(
		hex("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").data));
	assert_false(x25519_key_valid(
		hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").data));
}

static void keys_made_here_are_valid(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		uint8_t secret[X25519_KEY_SIZE] = {(uint8_t)i};
		struct x25519_pair pair;

		x25519_pair_from_secret(secret, &pair);
		assert_true(x25519_key_valid(pair.key));
		x25519_pair_erase(&pair);
		assert_true(sodium_is_zero((const uint8_t *)&pair, sizeof pair));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc7748_key_agreement_holds),
		cmocka_unit_test(wycheproof_holds_and_its_zero_results_are_refused),
		cmocka_unit_test(keys_of_small_order_are_not_valid),
		cmocka_unit_test(a_key_has_one_encoding),
		cmocka_unit_test(keys_made_here_are_valid),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope x25519", tests, NULL, NULL);
}
