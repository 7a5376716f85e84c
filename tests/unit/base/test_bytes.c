#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

static void appended_bytes_stand_in_order(void **state)
{
	uint8_t memory[19];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	static const uint8_t expected[] = { 'a', 'b', 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
		0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 'z' };

	buffer_append(&buffer, bytes_of_text("ab"));
	buffer_append_u16(&buffer, 0x0102);
	buffer_append_u32(&buffer, 0x03040506);
	buffer_append_u64(&buffer, 0x0708090a0b0c0d0e);
	buffer_append_byte(&buffer, 0x0f);
	*buffer_reserve(&buffer, 1) = 'z';
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_int_equal(buffer_bytes(&buffer).size, sizeof expected);
	assert_memory_equal(buffer_bytes(&buffer).data, expected, sizeof expected);
}

static void an_append_that_does_not_fit_changes_nothing_and_fails_all_later_ones(void **state)
{
	uint8_t memory[5] = { 9, 9, 9, 9, 9 };
	struct buffer buffer = buffer_make(memory, 4);

	buffer_append(&buffer, bytes_of_text("abc"));
	buffer_append_u16(&buffer, 0x6464);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	buffer_append_byte(&buffer, 'd');
	buffer_append(&buffer, bytes_of_text(""));
	assert_null(buffer_reserve(&buffer, 1));
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	assert_int_equal(buffer.size, 3);
	assert_memory_equal(memory, "abc\x09\x09", 5);
}

static void each_append_stops_at_the_bound(void **state)
{
	uint8_t memory[7] = { 0 };
	struct buffer buffer;

	buffer = buffer_make(memory, 1);
	buffer_append_u16(&buffer, 1);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	buffer = buffer_make(memory, 3);
	buffer_append_u32(&buffer, 1);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	buffer = buffer_make(memory, 7);
	buffer_append_u64(&buffer, 1);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	buffer = buffer_make(memory, 7);
	assert_null(buffer_reserve(&buffer, SIZE_MAX));
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	for (size_t i = 0; i < sizeof memory; i++)
		assert_int_equal(memory[i], 0);
}

static void a_buffer_without_memory_takes_nothing_but_nothing(void **state)
{
	struct buffer buffer = buffer_make(NULL, 0);

	buffer_append(&buffer, bytes_make(NULL, 0));
	buffer_consume(&buffer, 0);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	buffer_append_byte(&buffer, 1);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	assert_int_equal(buffer_bytes(&buffer).size, 0);
}

static void consume_moves_the_rest_to_the_front(void **state)
{
	uint8_t memory[6];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	buffer_append(&buffer, bytes_of_text("abcdef"));
	buffer_consume(&buffer, 0);
	assert_int_equal(buffer.size, 6);
	buffer_consume(&buffer, 2);
	assert_int_equal(buffer.size, 4);
	assert_memory_equal(memory, "cdef", 4);
	buffer_append(&buffer, bytes_of_text("gh"));
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_memory_equal(memory, "cdefgh", 6);
	buffer_consume(&buffer, 6);
	assert_int_equal(buffer.size, 0);
}

static void bytes_compare_by_content_then_by_size(void **state)
{
	assert_true(bytes_compare(bytes_of_text("a"), bytes_of_text("b")) < 0);
	assert_true(bytes_compare(bytes_of_text("b"), bytes_of_text("a")) > 0);
	assert_true(bytes_compare(bytes_of_text("a"), bytes_of_text("aa")) < 0);
	assert_true(bytes_compare(bytes_of_text("b"), bytes_of_text("aa")) > 0);
	assert_true(bytes_compare(bytes_of_text("aa"), bytes_of_text("a")) > 0);
	assert_true(bytes_compare(bytes_of_text("\x80"), bytes_of_text("\x7f")) > 0);
	assert_int_equal(bytes_compare(bytes_of_text("ab"), bytes_of_text("ab")), 0);
	assert_int_equal(bytes_compare(bytes_make(NULL, 0), bytes_of_text("")), 0);
	assert_true(bytes_compare(bytes_make(NULL, 0), bytes_of_text("a")) < 0);
}

static void bytes_are_equal_only_in_size_and_content(void **state)
{
	assert_true(bytes_equal(bytes_of_text("ab"), bytes_of_text("ab")));
	assert_false(bytes_equal(bytes_of_text("ab"), bytes_of_text("ac")));
	assert_false(bytes_equal(bytes_of_text("ab"), bytes_of_text("a")));
	assert_true(bytes_equal(bytes_make(NULL, 0), bytes_of_text("")));
}

static void stored_integers_load_again(void **state)
{
	uint8_t memory[8];

	store_u64(memory, 0xfedcba9876543210);
	assert_memory_equal(memory, "\xfe\xdc\xba\x98\x76\x54\x32\x10", 8);
	assert_int_equal(load_u64(memory), 0xfedcba9876543210);
	assert_int_equal(load_u32(memory), 0xfedcba98);
	assert_int_equal(load_u16(memory), 0xfedc);
}

static void errors_have_names_and_sentences(void **state)
{
	assert_string_equal(error_name(ERROR_OK), "OK");
	assert_string_equal(error_name(ERROR_REFUSED_KIND), "REFUSED_KIND");
	assert_string_equal(error_text(ERROR_TRUNCATED), "the bytes end before the item does");
	assert_string_equal(error_name((enum error)31), "UNKNOWN");
	assert_non_null(error_text((enum error)31));
}

static void reasons_have_the_numbers_of_the_protocol(void **state)
{
	static const struct {
		enum error error;
		int number;
	} reasons[] = {
		{ERROR_REFUSED_FORM, 64},     {ERROR_REFUSED_CHANNEL, 65},   {ERROR_REFUSED_SIGNER, 66},
		{ERROR_REFUSED_AGREMENT, 67}, {ERROR_REFUSED_SIGNATURE, 68}, {ERROR_REFUSED_LENGTH, 69},
		{ERROR_REFUSED_TEXT, 70},     {ERROR_REFUSED_CHAIN, 71},     {ERROR_REFUSED_AUTHORITY, 72},
		{ERROR_REFUSED_TERMS, 73},    {ERROR_REFUSED_REFERENCE, 74}, {ERROR_REFUSED_QUOTA, 75},
		{ERROR_REFUSED_FORK, 77},     {ERROR_REFUSED_SCOPE, 78},     {ERROR_REFUSED_KIND, 79},
		{ERROR_REFUSED_NUMBER, 80},   {ERROR_REFUSED_NAMED, 81},
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		assert_int_equal(reasons[i].error, reasons[i].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appended_bytes_stand_in_order),
		cmocka_unit_test(an_append_that_does_not_fit_changes_nothing_and_fails_all_later_ones),
		cmocka_unit_test(each_append_stops_at_the_bound),
		cmocka_unit_test(a_buffer_without_memory_takes_nothing_but_nothing),
		cmocka_unit_test(consume_moves_the_rest_to_the_front),
		cmocka_unit_test(bytes_compare_by_content_then_by_size),
		cmocka_unit_test(bytes_are_equal_only_in_size_and_content),
		cmocka_unit_test(stored_integers_load_again),
		cmocka_unit_test(errors_have_names_and_sentences),
		cmocka_unit_test(reasons_have_the_numbers_of_the_protocol),
	};

	return cmocka_run_group_tests_name("base/bytes", tests, NULL, NULL);
}
