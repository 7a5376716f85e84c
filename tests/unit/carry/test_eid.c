#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "carry/eid.h"

struct pair {
	const char *text;
	const char *encoded; /* hex */
};

/* RFC 9758, appendix A, and RFC 9171, section 4.2.5.1. */
static const struct pair pairs[] = {
	{"dtn:none", "820100"},
	{"dtn://node1/", "8201682f2f6e6f6465312f"},
	{"dtn://a.b-c_D/~group/x", "8201722f2f612e622d635f442f7e67726f75702f78"},
	{"ipn:0.0", "8202820000"},
	{"ipn:1.1", "8202820101"},
	{"ipn:100.1", "820282186401"},
	{"ipn:977000.100.1", "8202821b000ee8680000006401"},
	{"ipn:4294967295.7", "8202821affffffff07"},
	{"ipn:4294967295.4294967295.18446744073709551615", "8202821bffffffffffffffff1bffffffffffffffff"},
};

static uint8_t value_of_digit(char digit)
{
	return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static struct bytes from_hex(uint8_t *memory, const char *hex)
{
	size_t size = strlen(hex) / 2;
	for (size_t i = 0; i < size; i++)
		memory[i] = (uint8_t)(value_of_digit(hex[2 * i]) << 4 | value_of_digit(hex[2 * i + 1]));
	return bytes_make(memory, size);
}

static enum error decode(struct bytes bytes, struct eid *eid)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	eid_read(&reader, eid);
	return cbor_read_end(&reader);
}

static enum error decode_hex(const char *hex, struct eid *eid)
{
	static uint8_t memory[256]; /* the view of a dtn name stays valid */
	return decode(from_hex(memory, hex), eid);
}

static struct eid eid_of(const char *text)
{
	struct eid eid;
	assert_int_equal(eid_from_text(bytes_of_text(text), &eid), ERROR_OK);
	return eid;
}

static void assert_text(const struct eid *eid, const char *text)
{
	uint8_t memory[EID_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	eid_append_text(&buffer, eid);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_int_equal(buffer.size, strlen(text));
	assert_memory_equal(memory, text, buffer.size);
}

static void text_and_bytes_lead_to_each_other(void **state)
{
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		uint8_t expected_memory[256];
		uint8_t memory[EID_ENCODED_SIZE_MAX];
		struct buffer buffer = buffer_make(memory, sizeof memory);
		struct bytes expected = from_hex(expected_memory, pairs[i].encoded);
		struct eid eid = eid_of(pairs[i].text);
		eid_write(&buffer, &eid);
		assert_int_equal(buffer_error(&buffer), ERROR_OK);
		assert_true(bytes_equal(buffer_bytes(&buffer), expected));
		assert_text(&eid, pairs[i].text);
		struct eid read;
		assert_int_equal(decode(expected, &read), ERROR_OK);
		assert_true(eid_equal(&eid, &read));
		assert_text(&read, pairs[i].text);
	}
}

static void the_three_element_form_is_the_same_endpoint(void **state)
{
	struct eid eid;
	struct eid expected = eid_of("ipn:977000.100.1");
	assert_int_equal(decode_hex("8202831a000ee868186401", &eid), ERROR_OK);
	assert_true(eid_equal(&eid, &expected));
	assert_int_equal(decode_hex("820283001901000a", &eid), ERROR_OK);
	assert_text(&eid, "ipn:256.10");
}

static void each_truncation_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		uint8_t memory[256];
		struct bytes whole = from_hex(memory, pairs[i].encoded);
		for (size_t size = 0; size < whole.size; size++) {
			struct eid eid;
			assert_int_not_equal(decode(bytes_make(memory, size), &eid), ERROR_OK);
			assert_true(eid_is_null(&eid));
		}
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "ipn:",
					    "ipn:1",
					    "ipn:1.",
					    "ipn:.1",
					    "ipn:01.1",
					    "ipn:1.01",
					    "ipn:1.1.",
					    "ipn:1.1.1.1",
					    "ipn:4294967296.1",
					    "ipn:4294967296.1.1",
					    "ipn:1.18446744073709551616",
					    "ipn:-1.1",
					    "ipn:+1.1",
					    "ipn: 1.1",
					    "ipn:1.1 ",
					    "ipn:0x1.1",
					    "ipn:!",
					    "ipn:!.1.1",
					    "ipn:1.!",
					    "dtn:",
					    "dtn:none ",
					    "dtn:None",
					    "dtn:/a/",
					    "dtn://",
					    "dtn:///",
					    "dtn:///a",
					    "dtn://a",
					    "dtn://a b/",
					    "dtn://a/b c",
					    "dtn://a/b\x7f",
					    "dtn://\xc3\xa9/",
					    "dtn://a/\xc3\xa9",
					    "dtn://a\n/",
					    "dtn://a/\n"};
	struct eid eid;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		enum error error = eid_from_text(bytes_of_text(texts[i]), &eid);
		if (texts[i][0] != '\0')
			assert_int_equal(error, ERROR_MALFORMED);
		assert_int_not_equal(error, ERROR_OK);
		assert_true(eid_is_null(&eid));
	}
	assert_int_equal(eid_from_text(bytes_of_text("imc:1.1"), &eid), ERROR_UNSUPPORTED);
	assert_int_equal(eid_from_text(bytes_of_text("IPN:1.1"), &eid), ERROR_UNSUPPORTED);
}

static void other_bytes_are_refused(void **state)
{
	struct eid eid;
	assert_int_equal(decode_hex("820300", &eid), ERROR_UNSUPPORTED);
	assert_int_equal(decode_hex("8101", &eid), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("83010000", &eid), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("820101", &eid), ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_hex("820164"
				    "6e6f6e65",
				    &eid),
			 ERROR_MALFORMED);                                   /* "none" is the number 0 */
	assert_int_equal(decode_hex("8201632f2f61", &eid), ERROR_MALFORMED); /* no demux delimiter */
	assert_int_equal(decode_hex("8201652f2f612f0a", &eid), ERROR_MALFORMED);
	assert_int_equal(decode_hex("82028101", &eid), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("820280", &eid), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("82028400000001", &eid), ERROR_TOO_LARGE);
	assert_int_equal(decode_hex("8202831b00000001000000000101", &eid), ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_hex("820283011b000000010000000001", &eid), ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_hex("8202822001", &eid), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("82028218010a", &eid), ERROR_NOT_CANONICAL);
	assert_int_equal(decode_hex("9f02820101ff", &eid), ERROR_NOT_CANONICAL);
}

static void lengths_are_bounded(void **state)
{
	char text[EID_SIZE_MAX + 2];
	struct eid eid;
	memset(text, 'a', sizeof text);
	memcpy(text, "dtn://n/", 8);
	assert_int_equal(eid_from_text(bytes_make(text, EID_SIZE_MAX), &eid), ERROR_OK);
	assert_int_equal(eid_from_text(bytes_make(text, EID_SIZE_MAX + 1), &eid), ERROR_TOO_LARGE);

	memset(text, 'a', sizeof text);
	memcpy(text, "dtn://", 6);
	text[126] = '/';
	assert_int_equal(eid_from_text(bytes_make(text, 127), &eid), ERROR_OK);
	assert_int_equal(eid.name.size, 120);
	eid = eid_with_precedence(&eid, EID_SERVICE_FLASH);
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct eid read;
	eid_write(&buffer, &eid);
	assert_int_equal(decode(buffer_bytes(&buffer), &read), ERROR_OK);
	assert_int_equal(eid_precedence(&read), EID_SERVICE_FLASH);
	text[126] = 'a';
	text[127] = '/';
	assert_int_equal(eid_from_text(bytes_make(text, 128), &eid), ERROR_MALFORMED);

	uint8_t encoded[3 + 1 + EID_SIZE_MAX] = {0x82, 0x01, 0x78, EID_SIZE_MAX - 3};
	memset(encoded + 4, 'a', sizeof encoded - 4);
	memcpy(encoded + 4, "//n/", 4);
	assert_int_equal(decode(bytes_make(encoded, 4 + EID_SIZE_MAX - 3), &eid), ERROR_TOO_LARGE);
	encoded[3]--;
	assert_int_equal(decode(bytes_make(encoded, 4 + EID_SIZE_MAX - 4), &eid), ERROR_OK);
}

static void precedence_is_the_service_number(void **state)
{
	static const char *const ipn[] = {"ipn:5.1", "ipn:5.2", "ipn:5.3", "ipn:5.4"};
	static const char *const dtn[] = {"dtn://post/1", "dtn://post/2", "dtn://post/3", "dtn://post/4"};
	struct eid ipn_node = eid_of("ipn:5.0");
	struct eid dtn_node = eid_of("dtn://post/");
	for (uint64_t precedence = 1; precedence <= 4; precedence++) {
		struct eid a = eid_with_precedence(&ipn_node, precedence);
		struct eid b = eid_with_precedence(&dtn_node, precedence);
		assert_text(&a, ipn[precedence - 1]);
		assert_text(&b, dtn[precedence - 1]);
		assert_int_equal(eid_precedence(&a), precedence);
		assert_int_equal(eid_precedence(&b), precedence);
		struct eid node = eid_node(&a);
		assert_true(eid_equal(&node, &ipn_node));
		node = eid_node(&b);
		assert_true(eid_equal(&node, &dtn_node));
	}
	static const char *const others[] = {"ipn:5.0",      "ipn:5.5",      "ipn:5.257",     "dtn://post/",
					     "dtn://post/0", "dtn://post/5", "dtn://post/11", "dtn://post/a",
					     "dtn:none",     "ipn:0.0"};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct eid eid = eid_of(others[i]);
		assert_int_equal(eid_precedence(&eid), 0);
	}
}

static void endpoints_are_told_apart(void **state)
{
	static const char *const different[] = {"dtn:none", "ipn:1.1",   "ipn:1.2",   "ipn:2.1", "ipn:1.1.1",
						"dtn://a/", "dtn://a/1", "dtn://b/1", "ipn:!.1"};
	size_t count = sizeof different / sizeof different[0];
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			struct eid a = eid_of(different[i]);
			struct eid b = eid_of(different[j]);
			assert_int_equal(eid_equal(&a, &b), i == j);
		}
	}
	struct eid none = eid_of("dtn:none");
	struct eid zero = eid_of("ipn:0.0");
	assert_true(eid_equal(&none, &zero));
	assert_false(eid_same_node(&none, &zero));
	struct eid a = eid_of("ipn:1.1");
	struct eid b = eid_of("ipn:1.2");
	assert_true(eid_same_node(&a, &b));
	a = eid_of("ipn:!.2");
	assert_true(eid_is_local(&a));
	assert_false(eid_is_local(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_bytes_lead_to_each_other),
		cmocka_unit_test(the_three_element_form_is_the_same_endpoint),
		cmocka_unit_test(each_truncation_is_refused),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(other_bytes_are_refused),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(precedence_is_the_service_number),
		cmocka_unit_test(endpoints_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
