#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/derive.h"
#include "tests/unit/envelope/vectors.h"

static const uint8_t seed[ENTROPY_SEED_SIZE] = {9};
static const uint8_t root[DERIVE_SEED_SIZE] = {8};

static void entropy_is_the_key_stream_by_counter(void **state)
{
	struct entropy entropy = entropy_make(seed);
	static uint8_t large[ENTROPY_TAKE_SIZE_MAX];
	uint8_t out[32], hash[32];

	hex_reset();
	entropy_take(&entropy, out, 32);
	assert_hex(bytes_make(out, 32), "338956978e2445845b4d1896db0262c6f03262765ffbb58841fa99a5ea57dd35");
	entropy_take(&entropy, out, 16);
	assert_hex(bytes_make(out, 16), "12ad8f09a4d7dff21bbf9089c0dee128");
	entropy_take(&entropy, large, sizeof large);
	crypto_hash_sha256(hash, large, sizeof large);
	assert_hex(bytes_make(hash, 32), "a5356437cf90c62695415ab255cee225c95d69ba7645a92c446893f3482b7c17");
	entropy.counter = 0x0102030405060708;
	entropy_take(&entropy, out, 8);
	assert_hex(bytes_make(out, 8), "c42ef716d46c059c");
	assert_int_equal(entropy.counter, 0x0102030405060709);
}

static void an_event_can_be_replayed_and_no_bytes_come_twice(void **state)
{
	struct entropy first = entropy_make(seed), second = entropy_make(seed);
	uint8_t taken[64][32], again[32];

	for (size_t i = 0; i < 64; i++) {
		entropy_take(&first, taken[i], 32);
		entropy_take(&second, again, 32);
		assert_memory_equal(taken[i], again, 32);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(taken[i], taken[j], 32);
	}
	entropy_erase(&first);
	assert_true(sodium_is_zero((const uint8_t *)&first, sizeof first));
}

static void taking_nothing_counts_as_a_take(void **state)
{
	struct entropy entropy = entropy_make(seed);
	uint8_t out[16];

	hex_reset();
	entropy_take(&entropy, out, 0);
	entropy_take(&entropy, out, 16);
	assert_hex(bytes_make(out, 16), "12ad8f09a4d7dff21bbf9089c0dee128");
}

static void derived_seeds_are_fixed(void **state)
{
	uint8_t out[DERIVE_SEED_SIZE];

	hex_reset();
	derive_seed(root, "liaison log", bytes_of_text("channel"), out);
	assert_hex(bytes_make(out, sizeof out),
		   "568ebab7a168244e691756c60f7ec2e385b98f3509954066273f48a25aeb1f92");
	derive_seed(root, "liaison log", bytes_make(NULL, 0), out);
	assert_hex(bytes_make(out, sizeof out),
		   "04d6bf947e22721de6320ae52b37acd60fb86be69c3b2703a11270554d223fba");
	/* In place. */
	memcpy(out, root, sizeof out);
	derive_seed(out, "liaison log", bytes_make(NULL, 0), out);
	assert_hex(bytes_make(out, sizeof out),
		   "04d6bf947e22721de6320ae52b37acd60fb86be69c3b2703a11270554d223fba");
}

static void label_and_context_do_not_run_into_each_other(void **state)
{
	static uint8_t context[DERIVE_CONTEXT_SIZE_MAX];
	uint8_t a[DERIVE_SEED_SIZE], b[DERIVE_SEED_SIZE];

	derive_seed(root, "liaison", bytes_of_text("log"), a);
	derive_seed(root, "liaisonl", bytes_of_text("og"), b);
	assert_memory_not_equal(a, b, sizeof a);
	/* The longest that is allowed fits, wherever its bytes are. */
	derive_seed(root, "", bytes_make(context, sizeof context), a);
	derive_seed(root, "x", bytes_make(context, sizeof context - 1), b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entropy_is_the_key_stream_by_counter),
		cmocka_unit_test(an_event_can_be_replayed_and_no_bytes_come_twice),
		cmocka_unit_test(taking_nothing_counts_as_a_take),
		cmocka_unit_test(derived_seeds_are_fixed),
		cmocka_unit_test(label_and_context_do_not_run_into_each_other),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope derive", tests, NULL, NULL);
}
