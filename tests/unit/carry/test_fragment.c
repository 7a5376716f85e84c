#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "carry/fragment.h"

#define UNIT_SIZE 3000
#define PARTS_MAX 400

static uint8_t unit[UNIT_SIZE];
static uint8_t bundle_memory[BUNDLE_SIZE_MAX];
static uint8_t parts_memory[PARTS_MAX * 256];
static struct bytes parts[PARTS_MAX];
static size_t parts_count;
static uint8_t whole[UNIT_SIZE];
static uint64_t random_state = 1;

static size_t random_below(size_t bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % bound;
}

static struct bundle make_bundle(size_t size)
{
	struct bundle bundle;
	struct bundle_fields fields = {.creation_ms = 0, .sequence = 9, .lifetime_ms = 60000, .age_ms = 10};
	struct buffer buffer = buffer_make(bundle_memory, sizeof bundle_memory);
	for (size_t i = 0; i < sizeof unit; i++)
		unit[i] = (uint8_t)random_below(256);
	assert_int_equal(eid_from_text(bytes_of_text("ipn:1.2"), &fields.destination), ERROR_OK);
	assert_int_equal(eid_from_text(bytes_of_text("ipn:2.0"), &fields.source), ERROR_OK);
	assert_int_equal(bundle_create(&buffer, &fields, bytes_make(unit, size)), ERROR_OK);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &bundle), ERROR_OK);
	return bundle;
}

/* Cuts `bundle` into parts[], each of at most size_max bytes. */
static void cut(const struct bundle *bundle, size_t size_max)
{
	struct bundle_forwarding forwarding = {.age_ms = 20};
	struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
	size_t offset = 0;
	parts_count = 0;
	do {
		size_t start = buffer.size;
		assert_int_equal(fragment_next(&buffer, bundle, &forwarding, size_max, &offset), ERROR_OK);
		assert_true(buffer.size - start <= size_max);
		assert_true(parts_count < PARTS_MAX);
		parts[parts_count++] = bytes_make(parts_memory + start, buffer.size - start);
	} while (offset < bundle->payload.size);
}

static struct bundle read_part(size_t index)
{
	struct bundle part;
	assert_int_equal(bundle_read(parts[index], &part), ERROR_OK);
	return part;
}

static void shuffle(void)
{
	for (size_t i = parts_count; i > 1; i--) {
		size_t j = random_below(i);
		struct bytes kept = parts[i - 1];
		parts[i - 1] = parts[j];
		parts[j] = kept;
	}
}

static void a_bundle_that_fits_is_not_cut(void **state)
{
	struct bundle bundle = make_bundle(500);
	cut(&bundle, 700);
	assert_int_equal(parts_count, 1);
	struct bundle part = read_part(0);
	assert_int_equal(part.flags & BUNDLE_IS_FRAGMENT, 0);
	assert_int_equal(part.age_ms, 20);
	assert_int_equal(part.hop_count, 1);
}

static void fragments_say_where_they_belong(void **state)
{
	struct bundle bundle = make_bundle(500);
	cut(&bundle, 200);
	assert_true(parts_count > 1);
	uint64_t offset = 0;
	for (size_t i = 0; i < parts_count; i++) {
		struct bundle part = read_part(i);
		assert_true((part.flags & BUNDLE_IS_FRAGMENT) != 0);
		assert_int_equal(part.fragment_offset, offset);
		assert_int_equal(part.total_size, 500);
		assert_int_equal(part.sequence, 9);
		assert_true(part.has_age);
		assert_true(part.has_hop_count);
		assert_memory_equal(part.payload.data, unit + offset, part.payload.size);
		/* No room is left unused, but for what the length's head might have needed. */
		if (i + 1 < parts_count)
			assert_true(parts[i].size >= 196);
		offset += part.payload.size;
	}
	assert_int_equal(offset, 500);
}

static void a_fragment_can_be_cut_again(void **state)
{
	struct bundle bundle = make_bundle(1000);
	static uint8_t copy[600];
	struct reassembly reassembly;
	cut(&bundle, 500);
	memcpy(copy, parts[1].data, parts[1].size);
	struct bundle fragment;
	assert_int_equal(bundle_read(bytes_make(copy, parts[1].size), &fragment), ERROR_OK);
	uint64_t first = fragment.fragment_offset;
	assert_int_equal(reassembly_make(&reassembly, 1000, whole, sizeof whole), ERROR_OK);
	cut(&fragment, 180);
	assert_true(parts_count > 2);
	for (size_t i = 0; i < parts_count; i++) {
		struct bundle part = read_part(i);
		assert_int_equal(part.total_size, 1000);
		assert_int_equal(reassembly_add(&reassembly, 1000, part.fragment_offset, part.payload),
				 ERROR_OK);
	}
	assert_int_equal(reassembly.ranges.count, 1);
	assert_int_equal(reassembly.ranges.ranges[0].offset, first);
	assert_int_equal(reassembly.ranges.ranges[0].size, fragment.payload.size);
}

static void what_must_not_be_cut_is_not(void **state)
{
	struct bundle bundle = make_bundle(500);
	struct bundle_forwarding forwarding = {.age_ms = 20};
	struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
	size_t offset = 0;
	bundle.flags |= BUNDLE_MUST_NOT_FRAGMENT;
	assert_int_equal(fragment_next(&buffer, &bundle, &forwarding, 200, &offset), ERROR_UNSUPPORTED);
	bundle.flags = 0;
	bundle.has_security = true;
	assert_int_equal(fragment_next(&buffer, &bundle, &forwarding, 200, &offset), ERROR_UNSUPPORTED);
	assert_int_equal(buffer.size, 0);
	assert_int_equal(offset, 0);
	assert_int_equal(fragment_next(&buffer, &bundle, &forwarding, 2000, &offset), ERROR_OK);
}

static void there_is_a_least_size(void **state)
{
	struct bundle bundle = make_bundle(500);
	struct bundle_forwarding forwarding = {.age_ms = 20};
	size_t offset = 0;
	enum error error = ERROR_OK;
	size_t size_max = 300;
	for (; error == ERROR_OK; size_max--) {
		struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
		offset = 0;
		error = fragment_next(&buffer, &bundle, &forwarding, size_max, &offset);
		assert_true(error == ERROR_OK ? offset > 0 : offset == 0 && buffer.size == 0);
	}
	assert_int_equal(error, ERROR_TOO_LARGE);
	assert_true(size_max > 40 && size_max < 100);
}

static void shuffled_doubled_and_overlapping_fragments_make_the_unit(void **state)
{
	for (size_t round = 0; round < 200; round++) {
		size_t size = 1 + random_below(UNIT_SIZE);
		struct bundle bundle = make_bundle(size);
		struct reassembly reassembly;
		assert_int_equal(reassembly_make(&reassembly, size, whole, sizeof whole), ERROR_OK);
		memset(whole, 0, sizeof whole);
		/* Two cuts of different sizes; the second alone would do. */
		for (int pass = 0; pass < 2; pass++) {
			cut(&bundle, 150 + random_below(120));
			shuffle();
			size_t used = pass == 0 ? random_below(parts_count) : parts_count;
			for (size_t i = 0; i < used; i++) {
				struct bundle part = read_part(i);
				if ((part.flags & BUNDLE_IS_FRAGMENT) == 0)
					assert_int_equal(parts_count, 1);
				enum error error = reassembly_add(&reassembly, part.total_size,
								  part.fragment_offset, part.payload);
				assert_true(error == ERROR_OK || error == ERROR_DUPLICATE);
				assert_int_equal(reassembly_add(&reassembly, part.total_size,
								part.fragment_offset, part.payload),
						 ERROR_DUPLICATE);
			}
		}
		assert_true(reassembly_whole(&reassembly));
		assert_memory_equal(whole, unit, size);
	}
}

static void random_ranges_agree_with_a_map_of_bytes(void **state)
{
	struct fragment_ranges ranges;
	for (size_t round = 0; round < 500; round++) {
		bool held[200] = {false};
		fragment_ranges_make(&ranges, sizeof held);
		for (size_t step = 0; step < 60; step++) {
			size_t offset = random_below(sizeof held);
			size_t size = random_below(20);
			if (size > sizeof held - offset)
				size = sizeof held - offset;
			bool fresh = false;
			for (size_t i = offset; i < offset + size; i++)
				fresh = fresh || !held[i];
			assert_int_equal(fragment_ranges_add(&ranges, sizeof held, offset, size),
					 fresh ? ERROR_OK : ERROR_DUPLICATE);
			for (size_t i = offset; i < offset + size; i++)
				held[i] = true;
			/* The ranges are exactly the runs of held bytes. */
			size_t at = 0;
			for (size_t i = 0; i < ranges.count; i++) {
				for (; at < ranges.ranges[i].offset; at++)
					assert_false(held[at]);
				assert_true(ranges.ranges[i].size > 0);
				for (; at < ranges.ranges[i].offset + ranges.ranges[i].size; at++)
					assert_true(held[at]);
				assert_true(at == sizeof held || !held[at]);
			}
			for (; at < sizeof held; at++)
				assert_false(held[at]);
		}
	}
}

static void contradictions_are_refused_and_change_nothing(void **state)
{
	struct reassembly reassembly;
	assert_int_equal(reassembly_make(&reassembly, 10, whole, sizeof whole), ERROR_OK);
	assert_int_equal(reassembly_add(&reassembly, 10, 2, bytes_of_text("cdef")), ERROR_OK);
	assert_int_equal(reassembly_add(&reassembly, 11, 6, bytes_of_text("gh")), ERROR_MALFORMED);
	assert_int_equal(reassembly_add(&reassembly, 10, 5, bytes_of_text("Fgh")), ERROR_MALFORMED);
	assert_int_equal(reassembly_add(&reassembly, 10, 2, bytes_of_text("cdeF")), ERROR_MALFORMED);
	assert_int_equal(reassembly_add(&reassembly, 10, 8, bytes_of_text("ijk")), ERROR_MALFORMED);
	assert_int_equal(reassembly_add(&reassembly, 10, 11, bytes_of_text("")), ERROR_MALFORMED);
	assert_int_equal(reassembly_add(&reassembly, 10, UINT64_MAX, bytes_of_text("x")), ERROR_MALFORMED);
	assert_int_equal(reassembly.ranges.count, 1);
	assert_int_equal(reassembly_add(&reassembly, 10, 5, bytes_of_text("fghij")), ERROR_OK);
	assert_false(reassembly_whole(&reassembly));
	assert_int_equal(reassembly_add(&reassembly, 10, 0, bytes_of_text("abc")), ERROR_OK);
	assert_true(reassembly_whole(&reassembly));
	assert_memory_equal(whole, "abcdefghij", 10);
	assert_int_equal(reassembly_make(&reassembly, sizeof whole + 1, whole, sizeof whole),
			 ERROR_TOO_LARGE);
}

static void the_number_of_separate_parts_is_bounded(void **state)
{
	struct fragment_ranges ranges;
	fragment_ranges_make(&ranges, 1000);
	for (uint64_t i = 0; i < FRAGMENT_RANGES_MAX; i++)
		assert_int_equal(fragment_ranges_add(&ranges, 1000, 2 * i, 1), ERROR_OK);
	assert_int_equal(fragment_ranges_add(&ranges, 1000, 999, 1), ERROR_FULL);
	assert_int_equal(fragment_ranges_add(&ranges, 1000, 2, 1), ERROR_DUPLICATE);
	assert_int_equal(fragment_ranges_add(&ranges, 1000, 1, 1), ERROR_OK);
	assert_int_equal(fragment_ranges_add(&ranges, 1000, 999, 1), ERROR_OK);
	assert_int_equal(fragment_ranges_add(&ranges, 1000, 0, 999), ERROR_OK);
	assert_true(fragment_ranges_whole(&ranges));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_that_fits_is_not_cut),
		cmocka_unit_test(fragments_say_where_they_belong),
		cmocka_unit_test(a_fragment_can_be_cut_again),
		cmocka_unit_test(what_must_not_be_cut_is_not),
		cmocka_unit_test(there_is_a_least_size),
		cmocka_unit_test(shuffled_doubled_and_overlapping_fragments_make_the_unit),
		cmocka_unit_test(random_ranges_agree_with_a_map_of_bytes),
		cmocka_unit_test(contradictions_are_refused_and_change_nothing),
		cmocka_unit_test(the_number_of_separate_parts_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
