/*
 * The examples of RFC 8949: all of appendix A, each accepted and written again to the same bytes, or refused
 * for what our profile leaves out; and those of appendix F, which are not well-formed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "tests/unit/base/cbor_copy.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/hex.h"

struct example {
	const char *hex;
	enum error expected;
};

static const struct example integers[] = {
	{ "00", ERROR_OK },
	{ "01", ERROR_OK },
	{ "0a", ERROR_OK },
	{ "17", ERROR_OK },
	{ "1818", ERROR_OK },
	{ "1819", ERROR_OK },
	{ "1864", ERROR_OK },
	{ "1903e8", ERROR_OK },
	{ "1a000f4240", ERROR_OK },
	{ "1b000000e8d4a51000", ERROR_OK },
	{ "1bffffffffffffffff", ERROR_OK },
	{ "c249010000000000000000", ERROR_UNSUPPORTED }, /* a bignum, 2^64 */
	{ "3bffffffffffffffff", ERROR_OK },
	{ "c349010000000000000000", ERROR_UNSUPPORTED }, /* a bignum, -2^64 - 1 */
	{ "20", ERROR_OK },
	{ "29", ERROR_OK },
	{ "3863", ERROR_OK },
	{ "3903e7", ERROR_OK },
};

static const struct example floats[] = {
	{ "f90000", ERROR_UNSUPPORTED },
	{ "f98000", ERROR_UNSUPPORTED },
	{ "f93c00", ERROR_UNSUPPORTED },
	{ "fb3ff199999999999a", ERROR_UNSUPPORTED },
	{ "f93e00", ERROR_UNSUPPORTED },
	{ "f97bff", ERROR_UNSUPPORTED },
	{ "fa47c35000", ERROR_UNSUPPORTED },
	{ "fa7f7fffff", ERROR_UNSUPPORTED },
	{ "fb7e37e43c8800759c", ERROR_UNSUPPORTED },
	{ "f90001", ERROR_UNSUPPORTED },
	{ "f90400", ERROR_UNSUPPORTED },
	{ "f9c400", ERROR_UNSUPPORTED },
	{ "fbc010666666666666", ERROR_UNSUPPORTED },
	{ "f97c00", ERROR_UNSUPPORTED },
	{ "f97e00", ERROR_UNSUPPORTED },
	{ "f9fc00", ERROR_UNSUPPORTED },
	{ "fa7f800000", ERROR_UNSUPPORTED },
	{ "fa7fc00000", ERROR_UNSUPPORTED },
	{ "faff800000", ERROR_UNSUPPORTED },
	{ "fb7ff0000000000000", ERROR_UNSUPPORTED },
	{ "fb7ff8000000000000", ERROR_UNSUPPORTED },
	{ "fbfff0000000000000", ERROR_UNSUPPORTED },
};

static const struct example simple_values[] = {
	{ "f4", ERROR_OK },
	{ "f5", ERROR_OK },
	{ "f6", ERROR_OK },
	{ "f7", ERROR_UNSUPPORTED },   /* undefined */
	{ "f0", ERROR_UNSUPPORTED },   /* simple(16) */
	{ "f8ff", ERROR_UNSUPPORTED }, /* simple(255) */
};

static const struct example tags[] = {
	{ "c074323031332d30332d32315432303a30343a30305a", ERROR_OK },
	{ "c11a514b67b0", ERROR_OK },
	{ "c1fb41d452d9ec200000", ERROR_UNSUPPORTED }, /* a float in a tag */
	{ "d74401020304", ERROR_OK },
	{ "d818456449455446", ERROR_OK },
	{ "d82076687474703a2f2f7777772e6578616d706c652e636f6d", ERROR_OK },
};

static const struct example strings[] = {
	{ "40", ERROR_OK },
	{ "4401020304", ERROR_OK },
	{ "60", ERROR_OK },
	{ "6161", ERROR_OK },
	{ "6449455446", ERROR_OK },
	{ "62225c", ERROR_OK },
	{ "62c3bc", ERROR_OK },
	{ "63e6b0b4", ERROR_OK },
	{ "64f0908591", ERROR_OK },
};

static const struct example containers[] = {
	{ "80", ERROR_OK },
	{ "83010203", ERROR_OK },
	{ "8301820203820405", ERROR_OK },
	{ "98190102030405060708090a0b0c0d0e0f101112131415161718181819", ERROR_OK },
	{ "a0", ERROR_OK },
	{ "a201020304", ERROR_OK },
	{ "a26161016162820203", ERROR_OK },
	{ "826161a161626163", ERROR_OK },
	{ "a56161614161626142616361436164614461656145", ERROR_OK },
};

static const struct example indefinite[] = {
	{ "5f42010243030405ff", ERROR_NOT_CANONICAL },
	{ "7f657374726561646d696e67ff", ERROR_NOT_CANONICAL },
	{ "9fff", ERROR_NOT_CANONICAL },
	{ "9f018202039f0405ffff", ERROR_NOT_CANONICAL },
	{ "9f01820203820405ff", ERROR_NOT_CANONICAL },
	{ "83018202039f0405ff", ERROR_NOT_CANONICAL },
	{ "83019f0203ff820405", ERROR_NOT_CANONICAL },
	{ "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", ERROR_NOT_CANONICAL },
	{ "bf61610161629f0203ffff", ERROR_NOT_CANONICAL },
	{ "826161bf61626163ff", ERROR_NOT_CANONICAL },
	{ "bf6346756ef563416d7421ff", ERROR_NOT_CANONICAL },
};

/* Appendix F, kind 1: the input ends too early. */
static const struct example too_little[] = {
	{ "18", ERROR_TRUNCATED },
	{ "19", ERROR_TRUNCATED },
	{ "1a", ERROR_TRUNCATED },
	{ "1b", ERROR_TRUNCATED },
	{ "1901", ERROR_TRUNCATED },
	{ "1a0102", ERROR_TRUNCATED },
	{ "1b01020304050607", ERROR_TRUNCATED },
	{ "38", ERROR_TRUNCATED },
	{ "58", ERROR_TRUNCATED },
	{ "78", ERROR_TRUNCATED },
	{ "98", ERROR_TRUNCATED },
	{ "9a01ff00", ERROR_TRUNCATED },
	{ "b8", ERROR_TRUNCATED },
	{ "d8", ERROR_TRUNCATED },
	{ "f8", ERROR_TRUNCATED },
	{ "f900", ERROR_UNSUPPORTED },
	{ "fa0000", ERROR_UNSUPPORTED },
	{ "fb000000", ERROR_UNSUPPORTED },
	{ "41", ERROR_TRUNCATED },
	{ "61", ERROR_TRUNCATED },
	{ "5affffffff00", ERROR_TRUNCATED },
	{ "5bffffffffffffffff010203", ERROR_TRUNCATED },
	{ "7affffffff00", ERROR_TRUNCATED },
	{ "7b7fffffffffffffff010203", ERROR_TRUNCATED },
	{ "81", ERROR_TRUNCATED },
	{ "818181818181818181", ERROR_TRUNCATED },
	{ "8200", ERROR_TRUNCATED },
	{ "a1", ERROR_TRUNCATED },
	{ "a20102", ERROR_TRUNCATED },
	{ "a100", ERROR_TRUNCATED },
	{ "a2000000", ERROR_TRUNCATED },
	{ "c0", ERROR_TRUNCATED },
	{ "5f4100", ERROR_NOT_CANONICAL },
	{ "7f6100", ERROR_NOT_CANONICAL },
	{ "9f", ERROR_NOT_CANONICAL },
	{ "9f0102", ERROR_NOT_CANONICAL },
	{ "bf", ERROR_NOT_CANONICAL },
	{ "bf01020102", ERROR_NOT_CANONICAL },
	{ "819f", ERROR_NOT_CANONICAL },
	{ "9f8000", ERROR_NOT_CANONICAL },
	{ "9f9f9f9f9fffffffff", ERROR_NOT_CANONICAL },
	{ "9f819f819f9fffffff", ERROR_NOT_CANONICAL },
};

/* Appendix F, kind 3: the bytes have no meaning. */
static const struct example syntax[] = {
	{ "1c", ERROR_MALFORMED },
	{ "1d", ERROR_MALFORMED },
	{ "1e", ERROR_MALFORMED },
	{ "3c", ERROR_MALFORMED },
	{ "3d", ERROR_MALFORMED },
	{ "3e", ERROR_MALFORMED },
	{ "5c", ERROR_MALFORMED },
	{ "5d", ERROR_MALFORMED },
	{ "5e", ERROR_MALFORMED },
	{ "7c", ERROR_MALFORMED },
	{ "7d", ERROR_MALFORMED },
	{ "7e", ERROR_MALFORMED },
	{ "9c", ERROR_MALFORMED },
	{ "9d", ERROR_MALFORMED },
	{ "9e", ERROR_MALFORMED },
	{ "bc", ERROR_MALFORMED },
	{ "bd", ERROR_MALFORMED },
	{ "be", ERROR_MALFORMED },
	{ "dc", ERROR_MALFORMED },
	{ "dd", ERROR_MALFORMED },
	{ "de", ERROR_MALFORMED },
	{ "fc", ERROR_MALFORMED },
	{ "fd", ERROR_MALFORMED },
	{ "fe", ERROR_MALFORMED },
	{ "f800", ERROR_MALFORMED },
	{ "f801", ERROR_MALFORMED },
	{ "f818", ERROR_MALFORMED },
	{ "f81f", ERROR_MALFORMED },
	{ "5f00ff", ERROR_NOT_CANONICAL },
	{ "5f21ff", ERROR_NOT_CANONICAL },
	{ "5f6100ff", ERROR_NOT_CANONICAL },
	{ "5f80ff", ERROR_NOT_CANONICAL },
	{ "5fa0ff", ERROR_NOT_CANONICAL },
	{ "5fc000ff", ERROR_NOT_CANONICAL },
	{ "5fe0ff", ERROR_NOT_CANONICAL },
	{ "7f4100ff", ERROR_NOT_CANONICAL },
	{ "5f5f4100ffff", ERROR_NOT_CANONICAL },
	{ "7f7f6100ffff", ERROR_NOT_CANONICAL },
	{ "ff", ERROR_MALFORMED },
	{ "81ff", ERROR_MALFORMED },
	{ "8200ff", ERROR_MALFORMED },
	{ "a1ff", ERROR_TRUNCATED },
	{ "a1ff00", ERROR_MALFORMED },
	{ "a100ff", ERROR_MALFORMED },
	{ "a20000ff", ERROR_TRUNCATED },
	{ "9f81ff", ERROR_NOT_CANONICAL },
	{ "9f829f819f9fffffffff", ERROR_NOT_CANONICAL },
	{ "bf00ff", ERROR_NOT_CANONICAL },
	{ "bf000000ff", ERROR_NOT_CANONICAL },
	{ "1f", ERROR_MALFORMED },
	{ "3f", ERROR_MALFORMED },
	{ "df", ERROR_MALFORMED },
};

static void check_example(const struct example *example)
{
	uint8_t memory[64];
	uint8_t copy_memory[64];
	struct bytes bytes = hex_decode(example->hex, memory, sizeof memory);
	struct buffer copy = buffer_make(copy_memory, sizeof copy_memory);
	struct cbor_reader reader = cbor_reader_make(bytes);
	enum error error = cbor_check(bytes);

	if (error != example->expected)
		fail_msg("%s gives %s, not %s", example->hex, error_name(error),
			error_name(example->expected));
	if (error != ERROR_OK)
		return;
	cbor_copy(&reader, &copy);
	if (cbor_read_end(&reader) != ERROR_OK || !bytes_equal(buffer_bytes(&copy), bytes))
		fail_msg("%s is not written again to the same bytes", example->hex);
}

#define CHECK_EACH(examples) \
	do { \
		for (size_t i = 0; i < sizeof(examples) / sizeof(examples)[0]; i++) \
			check_example(&(examples)[i]); \
	} while (0)

static void appendix_a_integers_are_read_and_bignums_refused(void **state)
{
	CHECK_EACH(integers);
}

static void appendix_a_floats_are_refused(void **state)
{
	CHECK_EACH(floats);
}

static void appendix_a_simple_values_other_than_false_true_null_are_refused(void **state)
{
	CHECK_EACH(simple_values);
}

static void appendix_a_tags_are_read(void **state)
{
	CHECK_EACH(tags);
}

static void appendix_a_strings_are_read(void **state)
{
	CHECK_EACH(strings);
}

static void appendix_a_arrays_and_maps_are_read(void **state)
{
	CHECK_EACH(containers);
}

static void appendix_a_indefinite_lengths_are_refused(void **state)
{
	CHECK_EACH(indefinite);
}

static void appendix_f_items_that_end_too_early_are_refused(void **state)
{
	CHECK_EACH(too_little);
}

static void appendix_f_items_without_meaning_are_refused(void **state)
{
	CHECK_EACH(syntax);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appendix_a_integers_are_read_and_bignums_refused),
		cmocka_unit_test(appendix_a_floats_are_refused),
		cmocka_unit_test(appendix_a_simple_values_other_than_false_true_null_are_refused),
		cmocka_unit_test(appendix_a_tags_are_read),
		cmocka_unit_test(appendix_a_strings_are_read),
		cmocka_unit_test(appendix_a_arrays_and_maps_are_read),
		cmocka_unit_test(appendix_a_indefinite_lengths_are_refused),
		cmocka_unit_test(appendix_f_items_that_end_too_early_are_refused),
		cmocka_unit_test(appendix_f_items_without_meaning_are_refused),
	};

	return cmocka_run_group_tests_name("base/cbor_vectors", tests, NULL, NULL);
}
