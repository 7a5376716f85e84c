#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/hex.h"

static uint8_t memory[256];

static struct cbor_reader reader_of(const char *hex)
{
	return cbor_reader_make(hex_decode(hex, memory, sizeof memory));
}

static enum error check(const char *hex)
{
	return cbor_check(hex_decode(hex, memory, sizeof memory));
}

static void each_type_is_read_by_its_own_function(void **state)
{
	struct cbor_reader reader =
		reader_of("8a 1903e8 3903e7 3bffffffffffffffff f5 f6 43010203 42aabb 62c3bc c101 a10002");
	int64_t previous = CBOR_KEY_NONE;
	uint8_t two[2];

	assert_int_equal(cbor_read_array(&reader, 10), 10);
	assert_int_equal(cbor_peek(&reader), CBOR_UINT);
	assert_int_equal(cbor_read_uint(&reader), 1000);
	assert_int_equal(cbor_read_int(&reader), -1000);
	assert_int_equal(cbor_read_negative(&reader), UINT64_MAX);
	assert_false(cbor_read_null(&reader));
	assert_true(cbor_read_bool(&reader));
	assert_true(cbor_read_null(&reader));
	assert_true(bytes_equal(cbor_read_bytes(&reader, 3), bytes_of_text("\x01\x02\x03")));
	cbor_read_bytes_exact(&reader, two, sizeof two);
	assert_memory_equal(two, "\xaa\xbb", 2);
	assert_true(bytes_equal(cbor_read_text(&reader, 2), bytes_of_text("ü")));
	assert_int_equal(cbor_read_tag(&reader), 1);
	assert_int_equal(cbor_read_uint_max(&reader, 1), 1);
	assert_int_equal(cbor_read_map(&reader, 1), 1);
	assert_int_equal(cbor_read_key(&reader, &previous), 0);
	assert_int_equal(cbor_read_uint_max(&reader, 2), 2);
	assert_int_equal(cbor_peek(&reader), CBOR_NONE);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
}

/* Reads `hex` with every function that reads a type, and expects the wrong type from all but those it has. */
static void check_types(const char *hex, unsigned accepted)
{
	uint8_t byte;

	for (unsigned type = 0; type < 9; type++) {
		struct cbor_reader reader = reader_of(hex);

		switch (type) {
		case 0: cbor_read_uint(&reader); break;
		case 1: cbor_read_negative(&reader); break;
		case 2: cbor_read_bytes(&reader, 9); break;
		case 3: cbor_read_text(&reader, 9); break;
		case 4: cbor_read_array(&reader, 9); break;
		case 5: cbor_read_map(&reader, 9); break;
		case 6: cbor_read_tag(&reader); break;
		case 7: cbor_read_bool(&reader); break;
		default: cbor_read_bytes_exact(&reader, &byte, 1); break;
		}
		if (accepted >> type & 1)
			assert_int_equal(cbor_reader_error(&reader), ERROR_OK);
		else
			assert_int_equal(cbor_reader_error(&reader), ERROR_WRONG_TYPE);
	}
}

static void another_type_is_refused_by_each_function(void **state)
{
	check_types("01", 1 << 0);
	check_types("20", 1 << 1);
	check_types("4101", 1 << 2 | 1 << 8);
	check_types("6101", 1 << 3);
	check_types("80", 1 << 4);
	check_types("a0", 1 << 5);
	check_types("c101", 1 << 6);
	check_types("f4", 1 << 7);
	check_types("f6", 0);
}

static void integers_outside_their_range_are_refused(void **state)
{
	struct cbor_reader reader;

	reader = reader_of("1b7fffffffffffffff");
	assert_int_equal(cbor_read_int(&reader), INT64_MAX);
	reader = reader_of("3b7fffffffffffffff");
	assert_int_equal(cbor_read_int(&reader), INT64_MIN);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	reader = reader_of("1b8000000000000000");
	assert_int_equal(cbor_read_int(&reader), 0);
	assert_int_equal(cbor_read_end(&reader), ERROR_OUT_OF_RANGE);
	reader = reader_of("3b8000000000000000");
	assert_int_equal(cbor_read_int(&reader), 0);
	assert_int_equal(cbor_read_end(&reader), ERROR_OUT_OF_RANGE);
	reader = reader_of("05");
	assert_int_equal(cbor_read_uint_max(&reader, 4), 0);
	assert_int_equal(cbor_read_end(&reader), ERROR_OUT_OF_RANGE);
}

static void forms_longer_than_the_shortest_are_refused(void **state)
{
	/* For each major type: the largest argument that fits the next shorter form, in each longer form. */
	static const char *const arguments[] = { "1817", "1900ff", "1a0000ffff", "1b00000000ffffffff" };

	for (unsigned type = 0; type < 7; type++) {
		for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
			struct bytes bytes = hex_decode(arguments[i], memory, sizeof memory);

			memory[0] |= (uint8_t)(type << 5);
			assert_int_equal(cbor_check(bytes), ERROR_NOT_CANONICAL);
		}
	}
	assert_int_equal(check("1818"), ERROR_OK);
	assert_int_equal(check("190100"), ERROR_OK);
	assert_int_equal(check("1a00010000"), ERROR_OK);
	assert_int_equal(check("1b0000000100000000"), ERROR_OK);
}

static void map_keys_must_ascend_bytewise(void **state)
{
	assert_int_equal(check("a2 00 00 01 00"), ERROR_OK);
	assert_int_equal(check("a2 01 00 00 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a2 01 00 01 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a3 1818 00 20 00 6161 00"), ERROR_OK);
	/* RFC 7049 sorted shorter keys first; RFC 8949 does not. */
	assert_int_equal(check("a2 20 00 1818 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a2 6162 00 6161 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a2 6162 00 626161 00"), ERROR_OK);
	assert_int_equal(check("a2 8101 00 820000 00"), ERROR_OK);
	assert_int_equal(check("a2 8102 00 8101 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a2 a10000 00 a10000 00"), ERROR_NOT_CANONICAL);
	/* Values between keys, and maps inside values, do not disturb the order. */
	assert_int_equal(check("a2 05 a2 01 00 02 00 06 00"), ERROR_OK);
	assert_int_equal(check("a2 05 a2 07 00 08 00 04 00"), ERROR_NOT_CANONICAL);
	assert_int_equal(check("a2 05 a2 07 00 06 00 08 00"), ERROR_NOT_CANONICAL);
}

static void typed_keys_must_ascend_too(void **state)
{
	struct { const char *hex; enum error error; } const cases[] = {
		{ "00 01 1818 1b7fffffffffffffff 20 3863 3b7ffffffffffffffe", ERROR_OK },
		{ "01 00", ERROR_NOT_CANONICAL },
		{ "01 01", ERROR_NOT_CANONICAL },
		{ "20 00", ERROR_NOT_CANONICAL },
		{ "21 20", ERROR_NOT_CANONICAL },
		{ "20 20", ERROR_NOT_CANONICAL },
		{ "3b7fffffffffffffff", ERROR_OUT_OF_RANGE },
		{ "6161", ERROR_WRONG_TYPE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cbor_reader reader = reader_of(cases[i].hex);
		int64_t previous = CBOR_KEY_NONE;

		while (cbor_peek(&reader) != CBOR_NONE)
			cbor_read_key(&reader, &previous);
		assert_int_equal(cbor_read_end(&reader), cases[i].error);
	}
}

/* cbor_check of an empty array inside `depth` containers that begin with the bytes `level`. */
static enum error check_nested(const char *level, size_t depth, size_t bytes_after_each)
{
	uint8_t item[3 * CBOR_DEPTH_MAX + 8];
	struct buffer buffer = buffer_make(item, sizeof item);

	for (size_t i = 0; i < depth; i++)
		buffer_append(&buffer, hex_decode(level, memory, sizeof memory));
	buffer_append_byte(&buffer, 0x80);
	for (size_t i = 0; i < depth * bytes_after_each; i++)
		buffer_append_byte(&buffer, 0x00);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return cbor_check(buffer_bytes(&buffer));
}

static void nesting_is_accepted_to_the_limit_and_no_deeper(void **state)
{
	assert_int_equal(check_nested("81", CBOR_DEPTH_MAX - 1, 0), ERROR_OK);
	assert_int_equal(check_nested("81", CBOR_DEPTH_MAX, 0), ERROR_TOO_DEEP);
	assert_int_equal(check_nested("c1", CBOR_DEPTH_MAX - 1, 0), ERROR_OK);
	assert_int_equal(check_nested("c1", CBOR_DEPTH_MAX, 0), ERROR_TOO_DEEP);
	/* A map's value, then a map's key, which has its value after it. */
	assert_int_equal(check_nested("a100", CBOR_DEPTH_MAX - 1, 0), ERROR_OK);
	assert_int_equal(check_nested("a100", CBOR_DEPTH_MAX, 0), ERROR_TOO_DEEP);
	assert_int_equal(check_nested("a1", CBOR_DEPTH_MAX - 1, 1), ERROR_OK);
	assert_int_equal(check_nested("a1", CBOR_DEPTH_MAX, 1), ERROR_TOO_DEEP);
}

static void a_megabyte_of_openings_is_refused_at_the_limit(void **state)
{
	static uint8_t openings[1 << 20];
	struct cbor_reader reader = cbor_reader_make(bytes_make(openings, sizeof openings));

	memset(openings, 0x81, sizeof openings);
	assert_int_equal(cbor_read_item(&reader).size, 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_DEEP);
	assert_true(reader.at <= CBOR_DEPTH_MAX + 1);
}

static void every_truncation_is_refused(void **state)
{
	struct bytes item = hex_decode("88 1903e8 3a000f4240 43010203 63e6b0b4 82f4f5 a201f60283010203"
		" d81841ff 1bffffffffffffffff", memory, sizeof memory);

	assert_int_equal(cbor_check(item), ERROR_OK);
	for (size_t size = 0; size < item.size; size++)
		assert_int_equal(cbor_check(bytes_make(item.data, size)), ERROR_TRUNCATED);
}

static void bytes_after_the_item_are_refused(void **state)
{
	struct cbor_reader reader;

	assert_int_equal(check("0000"), ERROR_TRAILING);
	assert_int_equal(check("8000"), ERROR_TRAILING);
	assert_int_equal(check(""), ERROR_TRUNCATED);
	reader = reader_of("0000");
	cbor_read_uint(&reader);
	assert_int_equal(cbor_read_end(&reader), ERROR_TRAILING);
}

static void sizes_and_counts_beyond_the_input_are_refused_before_any_loop(void **state)
{
	struct cbor_reader reader;

	assert_int_equal(check("9b0000000100000000 00"), ERROR_TRUNCATED);
	assert_int_equal(check("bb7fffffffffffffff 00"), ERROR_TRUNCATED);
	assert_int_equal(check("bb8000000000000000 00"), ERROR_TRUNCATED);
	assert_int_equal(check("9bffffffffffffffff"), ERROR_TRUNCATED);
	assert_int_equal(check("bbffffffffffffffff"), ERROR_TRUNCATED);
	assert_int_equal(check("5bffffffffffffffff 00"), ERROR_TRUNCATED);
	reader = reader_of("83 00 00");
	assert_int_equal(cbor_read_array(&reader, 10), 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TRUNCATED);
	reader = reader_of("a2 00 00 00");
	assert_int_equal(cbor_read_map(&reader, 10), 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TRUNCATED);
	reader = reader_of("82 00");
	cbor_read_array_exact(&reader, 2);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TRUNCATED);
}

static void sizes_and_counts_beyond_their_limit_are_refused(void **state)
{
	uint8_t filled[4] = { 1, 1, 1, 1 };
	struct cbor_reader reader;

	reader = reader_of("83000000");
	assert_int_equal(cbor_read_array(&reader, 2), 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	reader = reader_of("83000000");
	cbor_read_array_exact(&reader, 2);
	assert_int_equal(cbor_reader_error(&reader), ERROR_WRONG_TYPE);
	reader = reader_of("a200000100");
	assert_int_equal(cbor_read_map(&reader, 1), 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	reader = reader_of("43010203");
	assert_int_equal(cbor_read_bytes(&reader, 2).size, 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	reader = reader_of("63616263");
	assert_int_equal(cbor_read_text(&reader, 2).size, 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	char copy[4] = "xyz";
	reader = reader_of("63616263");
	cbor_read_text_copy(&reader, copy, 2);
	assert_string_equal(copy, "");
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	reader = reader_of("63616263");
	cbor_read_text_copy(&reader, copy, 3);
	assert_string_equal(copy, "abc");
	assert_int_equal(cbor_reader_error(&reader), ERROR_OK);
	reader = reader_of("43010203");
	cbor_read_bytes_exact(&reader, filled, 4);
	assert_int_equal(cbor_reader_error(&reader), ERROR_OUT_OF_RANGE);
	assert_memory_equal(filled, "\0\0\0\0", 4);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	assert_int_equal(check("61ff"), ERROR_NOT_TEXT);
	assert_int_equal(check("62c080"), ERROR_NOT_TEXT);
	assert_int_equal(check("63eda080"), ERROR_NOT_TEXT);
	/* A character cut by the string's own end, though its last byte follows. */
	assert_int_equal(check("8261c3 18bc"), ERROR_NOT_TEXT);
	assert_int_equal(check("82 62c3bc 00"), ERROR_OK);
}

static void the_first_error_stays_and_later_reads_give_nothing(void **state)
{
	struct cbor_reader reader = reader_of("82 6101 05");
	int64_t previous = CBOR_KEY_NONE;
	uint8_t byte = 7;

	cbor_read_array_exact(&reader, 2);
	cbor_read_uint(&reader);
	assert_int_equal(cbor_reader_error(&reader), ERROR_WRONG_TYPE);
	assert_int_equal(cbor_peek(&reader), CBOR_NONE);
	assert_int_equal(cbor_read_text(&reader, 9).size, 0);
	assert_int_equal(cbor_read_uint(&reader), 0);
	assert_int_equal(cbor_read_int(&reader), 0);
	assert_int_equal(cbor_read_array(&reader, 9), 0);
	assert_int_equal(cbor_read_map(&reader, 9), 0);
	assert_int_equal(cbor_read_key(&reader, &previous), 0);
	assert_int_equal(cbor_read_item(&reader).size, 0);
	assert_false(cbor_read_bool(&reader));
	assert_false(cbor_read_null(&reader));
	cbor_read_bytes_exact(&reader, &byte, 1);
	assert_int_equal(byte, 0);
	assert_int_equal(cbor_reader_fail(&reader, ERROR_TOO_DEEP), ERROR_WRONG_TYPE);
	assert_int_equal(cbor_read_end(&reader), ERROR_WRONG_TYPE);
}

static void what_the_caller_finds_wrong_is_an_error_too(void **state)
{
	struct cbor_reader reader = reader_of("00");

	assert_int_equal(cbor_reader_fail(&reader, ERROR_BAD_VERSION), ERROR_BAD_VERSION);
	assert_int_equal(cbor_read_end(&reader), ERROR_BAD_VERSION);
}

static void an_item_is_skipped_whole_and_returned(void **state)
{
	struct cbor_reader reader = reader_of("83 a1018202f6 c66161 07");

	cbor_read_array_exact(&reader, 3);
	assert_true(bytes_equal(cbor_read_item(&reader), bytes_of_text("\xa1\x01\x82\x02\xf6")));
	assert_true(bytes_equal(cbor_read_item(&reader), bytes_of_text("\xc6\x61\x61")));
	assert_int_equal(cbor_read_uint(&reader), 7);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
}

static void an_indefinite_array_is_read_only_where_asked_for(void **state)
{
	struct cbor_reader reader = reader_of("9f 01 02 ff");
	size_t count = 0;

	cbor_read_array_indefinite(&reader);
	while (!cbor_read_break(&reader))
		count += cbor_read_uint(&reader);
	assert_int_equal(count, 3);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	reader = reader_of("9f01ff");
	cbor_read_array(&reader, 9);
	assert_int_equal(cbor_reader_error(&reader), ERROR_NOT_CANONICAL);
	reader = reader_of("8101");
	cbor_read_array_indefinite(&reader);
	assert_int_equal(cbor_reader_error(&reader), ERROR_WRONG_TYPE);
	reader = reader_of("");
	cbor_read_array_indefinite(&reader);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TRUNCATED);
}

static void a_loop_to_a_break_that_never_comes_ends(void **state)
{
	struct cbor_reader reader = reader_of("9f 01 02");

	cbor_read_array_indefinite(&reader);
	while (!cbor_read_break(&reader))
		cbor_read_uint(&reader);
	assert_int_equal(cbor_read_end(&reader), ERROR_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_read_by_its_own_function),
		cmocka_unit_test(another_type_is_refused_by_each_function),
		cmocka_unit_test(integers_outside_their_range_are_refused),
		cmocka_unit_test(forms_longer_than_the_shortest_are_refused),
		cmocka_unit_test(map_keys_must_ascend_bytewise),
		cmocka_unit_test(typed_keys_must_ascend_too),
		cmocka_unit_test(nesting_is_accepted_to_the_limit_and_no_deeper),
		cmocka_unit_test(a_megabyte_of_openings_is_refused_at_the_limit),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bytes_after_the_item_are_refused),
		cmocka_unit_test(sizes_and_counts_beyond_the_input_are_refused_before_any_loop),
		cmocka_unit_test(sizes_and_counts_beyond_their_limit_are_refused),
		cmocka_unit_test(text_that_is_not_utf8_is_refused),
		cmocka_unit_test(the_first_error_stays_and_later_reads_give_nothing),
		cmocka_unit_test(what_the_caller_finds_wrong_is_an_error_too),
		cmocka_unit_test(an_item_is_skipped_whole_and_returned),
		cmocka_unit_test(an_indefinite_array_is_read_only_where_asked_for),
		cmocka_unit_test(a_loop_to_a_break_that_never_comes_ends),
	};

	return cmocka_run_group_tests_name("base/cbor_read", tests, NULL, NULL);
}
