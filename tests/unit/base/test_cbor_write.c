#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "tests/unit/hex.h"

static uint8_t written[256];

static void assert_written(const struct buffer *buffer, const char *hex)
{
	uint8_t memory[256];

	assert_int_equal(buffer_error(buffer), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(buffer), hex_decode(hex, memory, sizeof memory)));
}

static void heads_are_in_their_shortest_form(void **state)
{
	static const struct {
		uint64_t value;
		const char *hex;
	} cases[] = {
		{ 0, "00" },
		{ 23, "17" },
		{ 24, "1818" },
		{ 255, "18ff" },
		{ 256, "190100" },
		{ 65535, "19ffff" },
		{ 65536, "1a00010000" },
		{ 0xffffffff, "1affffffff" },
		{ 0x100000000, "1b0000000100000000" },
		{ UINT64_MAX, "1bffffffffffffffff" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buffer buffer = buffer_make(written, sizeof written);

		cbor_write_uint(&buffer, cases[i].value);
		assert_written(&buffer, cases[i].hex);
		assert_int_equal(cbor_head_size(cases[i].value), buffer.size);
		/* Tags have the same heads but for the type. */
		buffer = buffer_make(written, sizeof written);
		cbor_write_tag(&buffer, cases[i].value);
		assert_int_equal(written[0] >> 5, CBOR_TAG);
		written[0] &= 0x1f;
		assert_written(&buffer, cases[i].hex);
	}
}

static void each_kind_of_item_is_written(void **state)
{
	struct buffer buffer = buffer_make(written, sizeof written);

	cbor_write_array(&buffer, 9);
	cbor_write_int(&buffer, 10);
	cbor_write_int(&buffer, -1);
	cbor_write_int(&buffer, INT64_MIN);
	cbor_write_bytes(&buffer, bytes_of_text("\x01\x02"));
	cbor_write_bytes_head(&buffer, 1);
	buffer_append_byte(&buffer, 0xee);
	cbor_write_text(&buffer, bytes_of_text("ü"));
	cbor_write_map(&buffer, 1);
	cbor_write_bool(&buffer, false);
	cbor_write_bool(&buffer, true);
	cbor_write_null(&buffer);
	cbor_write_array_indefinite(&buffer);
	cbor_write_break(&buffer);
	assert_written(&buffer, "89 0a 20 3b7fffffffffffffff 420102 41ee 62c3bc a1f4f5 f6 9fff");
}

static void an_item_that_does_not_fit_fails_the_buffer(void **state)
{
	struct buffer buffer = buffer_make(written, 4);

	cbor_write_bytes(&buffer, bytes_of_text("abcd"));
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	buffer = buffer_make(written, 4);
	cbor_write_uint(&buffer, 65536);
	assert_int_equal(buffer_error(&buffer), ERROR_TOO_LARGE);
	assert_int_equal(buffer.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_in_their_shortest_form),
		cmocka_unit_test(each_kind_of_item_is_written),
		cmocka_unit_test(an_item_that_does_not_fit_fails_the_buffer),
	};

	return cmocka_run_group_tests_name("base/cbor_write", tests, NULL, NULL);
}
