#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "carry/bundle.h"
#include "carry/crc.h"

static uint8_t memory[2 * BUNDLE_SIZE_MAX];
static uint8_t forwarded_memory[2 * BUNDLE_SIZE_MAX];

static struct eid eid_of(const char *text)
{
	struct eid eid;
	assert_int_equal(eid_from_text(bytes_of_text(text), &eid), ERROR_OK);
	return eid;
}

static struct bundle_fields fields(void)
{
	return (struct bundle_fields){
		.destination = eid_of("ipn:4294967295.4"),
		.source = eid_of("ipn:4294967294.0"),
		.creation_ms = 848000000000,
		.sequence = 70000,
		.lifetime_ms = 259200000,
		.age_ms = 5000,
	};
}

static struct bytes own_bundle(struct bytes payload)
{
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct bundle_fields example = fields();
	assert_int_equal(bundle_create(&buffer, &example, payload), ERROR_OK);
	return buffer_bytes(&buffer);
}

/* ---- our own bundles ---- */

static void the_checksums_have_their_published_check_values(void **state)
{
	struct bytes digits = bytes_of_text("123456789");
	assert_int_equal(crc16_finish(crc16_update(CRC_START, digits)), 0x906e);
	assert_int_equal(crc32c_finish(crc32c_update(CRC_START, digits)), 0xe3069283);
	/* RFC 3720, section B.4: 32 bytes of zeros. */
	static const uint8_t zeros[32];
	assert_int_equal(crc32c_finish(crc32c_update(CRC_START, bytes_make(zeros, 32))), 0x8a9136aa);
	uint32_t crc = crc32c_update(CRC_START, bytes_of_text("1234"));
	assert_int_equal(crc32c_finish(crc32c_update(crc, bytes_of_text("56789"))), 0xe3069283);
}

static void crc32c_of_four_bytes_is_that_of_each_after_the_other(void **state)
{
	for (unsigned i = 0; i < 4 * 256; i++) {
		uint8_t word[4] = {0};
		uint32_t each = CRC_START;
		word[i / 256] = (uint8_t)i;
		for (unsigned j = 0; j < 4; j++)
			each = crc32c_update(each, bytes_make(word + j, 1));
		assert_int_equal(crc32c_update(CRC_START, bytes_make(word, 4)), each);
	}
}

static void an_own_bundle_reads_back(void **state)
{
	struct bundle bundle;
	struct bundle_fields example = fields();
	struct bytes bytes = own_bundle(bytes_of_text("hello"));
	assert_int_equal(bundle_read(bytes, &bundle), ERROR_OK);
	assert_int_equal(bundle.flags, 0);
	assert_true(eid_equal(&bundle.destination, &example.destination));
	assert_true(eid_equal(&bundle.source, &example.source));
	assert_true(eid_is_null(&bundle.report_to));
	assert_int_equal(bundle.creation_ms, example.creation_ms);
	assert_int_equal(bundle.sequence, example.sequence);
	assert_int_equal(bundle.lifetime_ms, example.lifetime_ms);
	assert_int_equal(bundle.age_ms, 5000);
	assert_int_equal(bundle.hop_limit, BUNDLE_HOP_LIMIT);
	assert_int_equal(bundle.hop_count, 0);
	assert_false(bundle.has_previous_node);
	assert_int_equal(bundle.total_size, 5);
	assert_true(bytes_equal(bundle.payload, bytes_of_text("hello")));
	assert_int_equal(bundle.blocks_count, 3);
	assert_int_equal(eid_precedence(&bundle.destination), EID_SERVICE_FLASH);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(bundle.blocks[i].crc, BUNDLE_CRC_32C);
}

static void an_own_bundle_adds_at_most_100_bytes(void **state)
{
	static const uint8_t payload[400];
	size_t size = own_bundle(bytes_make(payload, sizeof payload)).size;
	print_message("# overhead of an own bundle: %zu bytes\n", size - sizeof payload);
	assert_true(size - sizeof payload <= 100);
}

static void the_bounds_of_bundle_h_hold_for_the_longest_endpoint_ids(void **state)
{
	char name[EID_SIZE_MAX];
	struct bundle bundle;
	struct bundle_fields example = {
		.creation_ms = UINT64_MAX, .sequence = UINT64_MAX, .lifetime_ms = UINT64_MAX};
	memset(name, 'n', sizeof name);
	memcpy(name, "dtn://", 6);
	name[126] = '/';
	assert_int_equal(eid_from_text(bytes_make(name, 127), &example.source), ERROR_OK);
	example.destination = eid_with_precedence(&example.source, 1);
	static const uint8_t payload[70000];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	assert_int_equal(bundle_create(&buffer, &example, bytes_make(payload, sizeof payload)), ERROR_OK);
	assert_true(buffer.size - sizeof payload <= BUNDLE_OVERHEAD_SIZE_MAX);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &bundle), ERROR_OK);
	struct buffer forwarded = buffer_make(forwarded_memory, sizeof forwarded_memory);
	struct bundle_forwarding whole = {&example.source, UINT64_MAX, 0, sizeof payload};
	assert_int_equal(bundle_forward(&forwarded, &bundle, &whole), ERROR_OK);
	assert_true(forwarded.size - buffer.size <= BUNDLE_GROWTH_SIZE_MAX);
	assert_int_equal(bundle_read(buffer_bytes(&forwarded), &bundle), ERROR_OK);
}

/* The worked example of doc/PROTOCOL.md. */
static void the_worked_example_is_exact(void **state)
{
	static const uint8_t expected[] = {
#include "tests/unit/carry/example_bundle.inc"
	};
	struct bundle_fields example = {
		.destination = eid_of("ipn:2.4"),
		.source = eid_of("ipn:1.0"),
		.creation_ms = 849153600000,
		.sequence = 7,
		.lifetime_ms = 86400000,
		.age_ms = 250,
	};
	struct buffer buffer = buffer_make(memory, sizeof memory);
	assert_int_equal(bundle_create(&buffer, &example, bytes_of_text("sealed bytes")), ERROR_OK);
	assert_int_equal(buffer.size, sizeof expected);
	assert_memory_equal(buffer.data, expected, sizeof expected);
}

static void each_truncation_and_each_bit_flip_is_refused(void **state)
{
	static uint8_t copy[400];
	struct bundle bundle;
	struct bytes bytes = own_bundle(bytes_of_text("a payload of some bytes"));
	for (size_t size = 0; size < bytes.size; size++) {
		memcpy(copy, bytes.data, size);
		assert_int_not_equal(bundle_read(bytes_make(copy, size), &bundle), ERROR_OK);
	}
	for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
		memcpy(copy, bytes.data, bytes.size);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(bundle_read(bytes_make(copy, bytes.size), &bundle), ERROR_OK);
	}
	copy[bytes.size] = 0;
	memcpy(copy, bytes.data, bytes.size);
	assert_int_equal(bundle_read(bytes_make(copy, bytes.size + 1), &bundle), ERROR_TRAILING);
}

static void random_bytes_never_pass(void **state)
{
	struct bundle bundle;
	uint64_t random = 1;
	static uint8_t copy[400];
	struct bytes bytes = own_bundle(bytes_of_text("a payload of some bytes"));
	for (size_t i = 0; i < 50000; i++) {
		memcpy(copy, bytes.data, bytes.size);
		for (int j = 0; j < 3; j++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			copy[(random >> 33) % bytes.size] = (uint8_t)(random >> 25);
		}
		if (memcmp(copy, bytes.data, bytes.size) != 0)
			assert_int_not_equal(bundle_read(bytes_make(copy, bytes.size), &bundle), ERROR_OK);
	}
}

/* ---- time, identity ---- */

static void a_bundle_lives_by_its_age_not_by_clocks(void **state)
{
	struct bundle bundle = {.creation_ms = 1000, .lifetime_ms = 500, .has_age = true, .age_ms = 100};
	assert_int_equal(bundle_remaining_ms(&bundle, 0), 400);
	assert_int_equal(bundle_remaining_ms(&bundle, 1000000), 400);
	bundle.age_ms = 500;
	assert_int_equal(bundle_remaining_ms(&bundle, 1), 0);
	bundle.age_ms = UINT64_MAX;
	assert_int_equal(bundle_remaining_ms(&bundle, 0), 0);
	bundle.has_age = false;
	assert_int_equal(bundle_remaining_ms(&bundle, 0), 500);
	assert_int_equal(bundle_remaining_ms(&bundle, 900), 500);
	assert_int_equal(bundle_remaining_ms(&bundle, 1200), 300);
	assert_int_equal(bundle_remaining_ms(&bundle, 1500), 0);
	assert_int_equal(bundle_remaining_ms(&bundle, UINT64_MAX), 0);
}

static void identities_tell_bundles_apart(void **state)
{
	struct bundle a = {.source = eid_of("ipn:1.0"), .creation_ms = 5, .sequence = 6};
	struct bundle bundles[7] = {a, a, a, a, a, a, a};
	bundles[1].source = eid_of("ipn:2.0");
	bundles[2].creation_ms = 6;
	bundles[3].sequence = 5;
	bundles[4].flags = BUNDLE_IS_FRAGMENT;
	bundles[5].flags = BUNDLE_IS_FRAGMENT;
	bundles[5].fragment_offset = 1;
	bundles[6].flags = BUNDLE_IS_FRAGMENT;
	bundles[6].payload.size = 1;
	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			struct bundle_identity one;
			struct bundle_identity other;
			bundle_identify(&bundles[i], &one);
			bundle_identify(&bundles[j], &other);
			bool same = one.size == other.size && memcmp(one.bytes, other.bytes, one.size) == 0;
			assert_int_equal(same, i == j);
		}
	}
	struct bundle_identity whole;
	struct bundle_identity expected;
	bundle_identify(&bundles[0], &expected);
	bundle_identify_whole(&bundles[6], &whole);
	assert_int_equal(whole.size, expected.size);
	assert_memory_equal(whole.bytes, expected.bytes, whole.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksums_have_their_published_check_values),
		cmocka_unit_test(crc32c_of_four_bytes_is_that_of_each_after_the_other),
		cmocka_unit_test(an_own_bundle_reads_back),
		cmocka_unit_test(an_own_bundle_adds_at_most_100_bytes),
		cmocka_unit_test(the_bounds_of_bundle_h_hold_for_the_longest_endpoint_ids),
		cmocka_unit_test(the_worked_example_is_exact),
		cmocka_unit_test(each_truncation_and_each_bit_flip_is_refused),
		cmocka_unit_test(random_bytes_never_pass),
		cmocka_unit_test(a_bundle_lives_by_its_age_not_by_clocks),
		cmocka_unit_test(identities_tell_bundles_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
