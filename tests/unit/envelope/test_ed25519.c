#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/ed25519.h"
#include "tests/unit/envelope/vectors.h"

/* ---- RFC 8032, section 7.1 ---- */

struct rfc8032_case {
	const char *seed, *key, *message, *signature;
};

static const struct rfc8032_case rfc8032[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
	 "d25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
	 "387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
	 "4a7c15e9716ed28dc027beceea1ec40a"},
	{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	 "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
	 "454d4423643ce80e2a9ac94fa54ca49f",
	 "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
	 "3dca179c138ac17ad9bef1177331a704"},
};

static void rfc8032_cases_hold(void **state)
{
	for (size_t i = 0; i < sizeof rfc8032 / sizeof rfc8032[0]; i++) {
		const struct rfc8032_case *of = &rfc8032[i];
		struct ed25519_pair pair;
		uint8_t signature[ED25519_SIGNATURE_SIZE];
		struct bytes message;

		hex_reset();
		message = hex(of->message);
		ed25519_pair_from_seed(hex(of->seed).data, &pair);
		assert_hex(bytes_make(pair.key, sizeof pair.key), of->key);
		ed25519_sign(&pair, message, signature);
		assert_hex(bytes_make(signature, sizeof signature), of->signature);
		assert_int_equal(ed25519_verify(pair.key, message, signature), ERROR_OK);
		assert_true(ed25519_key_valid(pair.key));
	}
}

static void a_changed_bit_of_signature_key_or_message_is_refused(void **state)
{
	const struct rfc8032_case *of = &rfc8032[3];
	uint8_t key[32], message[64], signature[64];

	hex_reset();
	memcpy(key, hex(of->key).data, sizeof key);
	memcpy(message, hex(of->message).data, sizeof message);
	memcpy(signature, hex(of->signature).data, sizeof signature);
	for (size_t bit = 0; bit < 8 * 64; bit++) {
		uint8_t mask = (uint8_t)(1 << bit % 8);

		signature[bit / 8] ^= mask;
		assert_int_equal(ed25519_verify(key, bytes_make(message, 64), signature),
				 ERROR_BAD_SIGNATURE);
		signature[bit / 8] ^= mask;
		message[bit / 8] ^= mask;
		assert_int_equal(ed25519_verify(key, bytes_make(message, 64), signature),
				 ERROR_BAD_SIGNATURE);
		message[bit / 8] ^= mask;
		key[bit / 8 % 32] ^= mask;
		assert_int_equal(ed25519_verify(key, bytes_make(message, 64), signature),
				 ERROR_BAD_SIGNATURE);
		key[bit / 8 % 32] ^= mask;
	}
	assert_int_equal(ed25519_verify(key, bytes_make(message, 63), signature), ERROR_BAD_SIGNATURE);
	assert_int_equal(ed25519_verify(key, bytes_make(message, 64), signature), ERROR_OK);
}

static void an_erased_pair_is_zeros(void **state)
{
	struct ed25519_pair pair;

	hex_reset();
	ed25519_pair_from_seed(hex(rfc8032[0].seed).data, &pair);
	ed25519_pair_erase(&pair);
	assert_true(sodium_is_zero((const uint8_t *)&pair, sizeof pair));
}

/* ---- Wycheproof ---- */

static void check_wycheproof(const json_t *group, const json_t *test)
{
	struct bytes key = bytes_of(member_of(group, "publicKey"), "pk"), signature = bytes_of(test, "sig");
	bool valid = strcmp(text_of(test, "result"), "valid") == 0;

	assert_int_equal(key.size, ED25519_KEY_SIZE);
	/* The function takes 64 bytes: the COSE reader has refused every other size before. */
	if (signature.size != ED25519_SIGNATURE_SIZE) {
		assert_false(valid);
		return;
	}
	assert_int_equal(ed25519_verify(key.data, bytes_of(test, "msg"), signature.data),
			 valid ? ERROR_OK : ERROR_BAD_SIGNATURE);
}

static void wycheproof_holds(void **state)
{
	json_t *file = vectors_load("wycheproof/ed25519_test.json");

	assert_int_equal(wycheproof_each(file, check_wycheproof), 151);
	json_decref(file);
}

/* ---- C2SP CCTV: the set of edge cases, and which of them libsodium's rule accepts ---- */

static bool has_flag(const json_t *vector, const char *flag)
{
	const json_t *flags = member_of(vector, "flags");

	for (size_t i = 0; i < json_array_size(flags); i++)
		if (strcmp(json_string_value(json_array_get(flags, i)), flag) == 0)
			return true;
	return false;
}

/* What the rule says of a vector: components of small order may be there, all else is refused. */
static bool rule_accepts(const json_t *vector)
{
	static const char *const refused[] = {
		"low_order_A",     "low_order_R",       "non_canonical_A",
		"non_canonical_R", "low_order_residue", "reencoded_k",
	};

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (has_flag(vector, refused[i]))
			return false;
	return true;
}

/* A key may be accredited unless it is of small order, has a component of it, or is not canonical. */
static bool rule_accredits(const json_t *vector)
{
	return !has_flag(vector, "low_order_A") && !has_flag(vector, "low_order_component_A") &&
	       !has_flag(vector, "non_canonical_A");
}

/* A set of vectors: how many, and SHA-256 over their numbers in decimal, each with a line feed. */
struct set {
	crypto_hash_sha256_state state;
	size_t count;
};

static void set_add(struct set *set, const json_t *vector)
{
	char line[24];
	int size = snprintf(line, sizeof line, "%" JSON_INTEGER_FORMAT "\n",
			    json_integer_value(member_of(vector, "number")));

	crypto_hash_sha256_update(&set->state, (const uint8_t *)line, (size_t)size);
	set->count++;
}

static void assert_set(struct set *set, size_t count, const char *hash)
{
	uint8_t found[32];

	crypto_hash_sha256_final(&set->state, found);
	assert_int_equal(set->count, count);
	assert_hex(bytes_make(found, sizeof found), hash);
}

static void cctv_accepted_set_is_exactly_libsodiums(void **state)
{
	json_t *vectors = vectors_load("CCTV-ed25519/ed25519vectors.json");
	struct set accepted = {.count = 0}, accredited = {.count = 0}, both = {.count = 0};

	crypto_hash_sha256_init(&accepted.state);
	crypto_hash_sha256_init(&accredited.state);
	crypto_hash_sha256_init(&both.state);
	assert_int_equal(json_array_size(vectors), 914);
	for (size_t i = 0; i < json_array_size(vectors); i++) {
		const json_t *vector = json_array_get(vectors, i);
		struct bytes key, signature;
		bool verifies, valid;

		hex_reset();
		key = bytes_of(vector, "key");
		signature = bytes_of(vector, "sig");
		assert_int_equal(key.size, ED25519_KEY_SIZE);
		assert_int_equal(signature.size, ED25519_SIGNATURE_SIZE);
		verifies = ed25519_verify(key.data, bytes_of_text(text_of(vector, "msg")), signature.data) ==
			   ERROR_OK;
		valid = ed25519_key_valid(key.data);
		assert_int_equal(verifies, rule_accepts(vector));
		assert_int_equal(valid, rule_accredits(vector));
		if (verifies)
			set_add(&accepted, vector);
		if (valid)
			set_add(&accredited, vector);
		if (verifies && valid)
			set_add(&both, vector);
	}
	assert_set(&accepted, 43, "1d5bda7cd467d2d2a4d33e2dd71d7631d65949e7c9163c883e781060c53589ff");
	assert_set(&accredited, 28, "b25bb1be0088a2e0efe4c4f976b91b9716ee6bd78fb0c00de0c442921f27a800");
	assert_set(&both, 1, "fe104ef5b40ac5b1e9289404a366cbd505cb6d17e5161fb26105d55bfc5c1110");
	json_decref(vectors);
}

/* ---- the twelve cases of ed25519-speccheck ("Taming the many EdDSAs") ---- */

static void speccheck_cases_are_decided_as_libsodium_does(void **state)
{
	json_t *cases = vectors_load("ed25519-speccheck/cases.json");
	unsigned accepted = 0, accredited = 0;

	assert_int_equal(json_array_size(cases), 12);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *of = json_array_get(cases, i);
		struct bytes key, signature;

		hex_reset();
		key = bytes_of(of, "pub_key");
		signature = bytes_of(of, "signature");
		if (ed25519_verify(key.data, bytes_of(of, "message"), signature.data) == ERROR_OK)
			accepted |= 1U << i;
		if (ed25519_key_valid(key.data))
			accredited |= 1U << i;
	}
	/* The key of case 3 has a component of small order and is not accredited; 6 and 7: S too large. */
	assert_int_equal(accepted, 1U << 3);
	assert_int_equal(accredited, 1U << 6 | 1U << 7);
	json_decref(cases);
}

/* ---- which keys may be accredited ---- */

static void keys_outside_the_main_subgroup_are_not_accredited(void **state)
{
	/* The 8 points of small order; the two of order 1 and 2 come first. */
	static const char *const small[] = {
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	};
	struct ed25519_pair pair;

	hex_reset();
	ed25519_pair_from_seed(hex(rfc8032[0].seed).data, &pair);
	assert_true(ed25519_key_valid(pair.key));
	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
		struct bytes point = hex(small[i]);
		uint8_t mixed[ED25519_KEY_SIZE];

		assert_false(ed25519_key_valid(point.data));
		assert_int_equal(crypto_core_ed25519_add(mixed, pair.key, point.data), 0);
		/* i == 1, a component of order 2, is what libsodium before 1.0.18-1+deb12u1 let through. */
		assert_int_equal(ed25519_key_valid(mixed), i == 0);
	}
}

static void keys_that_are_no_canonical_point_are_not_accredited(void **state)
{
	static const char *const bad[] = {
		/* y = 2: not on the curve */
		"0200000000000000000000000000000000000000000000000000000000000000",
		/* y = p + 1, another form of 1; y = 2^255 - 1 */
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		/* y = 1 with x's sign set though x is 0 */
		"0100000000000000000000000000000000000000000000000000000000000080",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		hex_reset();
		assert_false(ed25519_key_valid(hex(bad[i]).data));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc8032_cases_hold),
		cmocka_unit_test(a_changed_bit_of_signature_key_or_message_is_refused),
		cmocka_unit_test(an_erased_pair_is_zeros),
		cmocka_unit_test(wycheproof_holds),
		cmocka_unit_test(cctv_accepted_set_is_exactly_libsodiums),
		cmocka_unit_test(speccheck_cases_are_decided_as_libsodium_does),
		cmocka_unit_test(keys_outside_the_main_subgroup_are_not_accredited),
		cmocka_unit_test(keys_that_are_no_canonical_point_are_not_accredited),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope ed25519", tests, NULL, NULL);
}
