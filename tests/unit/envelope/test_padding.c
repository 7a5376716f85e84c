#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "envelope/padding.h"

static void buckets_are_fixed(void **state)
{
	static const size_t pairs[][2] = {
		{1, 16},          {16, 16},
		{17, 32},         {160, 160},
		{161, 176},       {511, 512},
		{513, 528},       {1007, 1008},
		{1008, 1008},     {1009, 1024},
		{1023, 1024},     {1024, 1024},
		{1025, 1088},     {1088, 1088},
		{2047, 2048},     {2048, 2048},
		{2049, 2176},     {4097, 4352},
		{65535, 65536},   {65536, 65536},
		{65537, 69632},   {73728, 73728},
		{75776, 77824},   {131071, 131072},
		{131073, 139264}, {(size_t)1 << 30, (size_t)1 << 30},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		assert_int_equal(padding_size(pairs[i][0]), pairs[i][1]);
}

static void buckets_grow_hold_the_item_and_add_less_than_a_sixteenth(void **state)
{
	size_t before = 0, buckets = 0;

	for (size_t size = 1; size <= SEALED_SIZE_MAX; size++) {
		size_t bucket = padding_size(size);

		assert_true(bucket >= size && bucket >= before);
		assert_int_equal(padding_size(bucket), bucket);
		assert_true(size < 1024 ? bucket - size < 16 : (bucket - size) * 16 < size);
		if (bucket != before)
			buckets++;
		before = bucket;
	}
	/* 64 up to 1,024; 16 for each of the six doublings to 65,536; then steps of 4,096. */
	assert_int_equal(buckets, 64 + 6 * 16 + 4);
}

static void padding_is_zeros_up_to_the_bucket(void **state)
{
	uint8_t memory[48];
	struct buffer buffer;

	for (size_t size = 1; size <= 32; size++) {
		memset(memory, 0xff, sizeof memory);
		buffer = buffer_make(memory, 32);
		buffer_reserve(&buffer, size);
		assert_int_equal(padding_append(&buffer), ERROR_OK);
		assert_int_equal(buffer.size, size <= 16 ? 16 : 32);
		for (size_t i = 0; i < sizeof memory; i++)
			assert_int_equal(memory[i], i >= size && i < buffer.size ? 0 : 0xff);
		assert_int_equal(padding_check(buffer_bytes(&buffer), size), ERROR_OK);
	}
}

static void padding_that_does_not_fit_is_an_error(void **state)
{
	uint8_t memory[31];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	buffer_reserve(&buffer, 17);
	assert_int_equal(padding_append(&buffer), ERROR_TOO_LARGE);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	assert_int_equal(padding_append(&buffer), ERROR_TOO_LARGE);
}

static void every_other_size_is_refused(void **state)
{
	static const uint8_t zeros[2304];

	for (size_t item = 1; item <= 2100; item += item < 40 ? 1 : 37)
		for (size_t size = item; size <= sizeof zeros; size++)
			assert_int_equal(padding_check(bytes_make(zeros, size), item),
					 size == padding_size(item) ? ERROR_OK : ERROR_MALFORMED);
}

static void padding_carries_nothing(void **state)
{
	uint8_t memory[64] = {0};

	for (size_t i = 0; i < sizeof memory; i++) {
		memory[i] = 0x80;
		assert_int_equal(padding_check(bytes_make(memory, sizeof memory), 49),
				 i < 49 ? ERROR_OK : ERROR_MALFORMED);
		memory[i] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_fixed),
		cmocka_unit_test(buckets_grow_hold_the_item_and_add_less_than_a_sixteenth),
		cmocka_unit_test(padding_is_zeros_up_to_the_bucket),
		cmocka_unit_test(padding_that_does_not_fit_is_an_error),
		cmocka_unit_test(every_other_size_is_refused),
		cmocka_unit_test(padding_carries_nothing),
	};

	return cmocka_run_group_tests_name("envelope padding", tests, NULL, NULL);
}
