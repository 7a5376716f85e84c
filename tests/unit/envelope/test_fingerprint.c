#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/fingerprint.h"

/* 00 11 22 ... ee: base32 AAISEM2EKVTHPCEZVK54ZXPO */
static const char words[] = "ALFA ALFA INDIA SIERRA\n"
			    "ECHO MIKE TWO ECHO\n"
			    "KILO VICTOR TANGO HOTEL\n"
			    "PAPA CHARLIE ECHO ZULU\n"
			    "VICTOR KILO FIVE FOUR\n"
			    "ZULU X-RAY PAPA OSCAR";

static uint8_t party[32];

static int fill_party(void **state)
{
	for (size_t i = 0; i < sizeof party; i++)
		party[i] = (uint8_t)(0x11 * i);
	return 0;
}

static void words_are_fixed(void **state)
{
	uint8_t memory[FINGERPRINT_TEXT_SIZE_MAX];
	struct buffer out = buffer_make(memory, sizeof memory);

	fingerprint_append(party, &out);
	assert_int_equal(buffer_error(&out), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&out), bytes_of_text(words)));
}

static void only_the_first_15_bytes_count(void **state)
{
	uint8_t other[32];

	memcpy(other, party, sizeof other);
	other[FINGERPRINT_SIZE] ^= 0xff;
	assert_true(fingerprint_matches(bytes_of_text(words), other));
	for (size_t bit = 0; bit < 8 * FINGERPRINT_SIZE; bit++) {
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(fingerprint_matches(bytes_of_text(words), other));
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void every_word_reads_back(void **state)
{
	for (unsigned first = 0; first < 256; first++) {
		uint8_t memory[FINGERPRINT_TEXT_SIZE_MAX], id[32], parsed[FINGERPRINT_SIZE];
		struct buffer out = buffer_make(memory, sizeof memory);

		for (size_t i = 0; i < sizeof id; i++)
			id[i] = (uint8_t)(first * (2 * i + 1) + i);
		fingerprint_append(id, &out);
		assert_int_equal(buffer_error(&out), ERROR_OK);
		assert_int_equal(fingerprint_parse(buffer_bytes(&out), parsed), ERROR_OK);
		assert_memory_equal(parsed, id, FINGERPRINT_SIZE);
	}
}

static void words_are_read_as_people_type_them(void **state)
{
	assert_true(fingerprint_matches(
		bytes_of_text("  alpha, Alfa. india / sierra\r\n\techo mike two echo  KILO victor tango "
			      "hotel, papa "
			      "charlie ECHO zulu victor kilo five four zulu xray papa oscar.\n"),
		party));
}

static void other_spellings_are_read(void **state)
{
	uint8_t parsed[FINGERPRINT_SIZE], again[FINGERPRINT_SIZE];
	const char *tail = " ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA ALFA "
			   "ALFA ALFA ALFA ALFA";
	uint8_t memory[256];
	struct buffer text = buffer_make(memory, sizeof memory);

	buffer_append(&text, bytes_of_text("Alpha Juliet Whisky XRay"));
	buffer_append(&text, bytes_of_text(tail));
	assert_int_equal(fingerprint_parse(buffer_bytes(&text), parsed), ERROR_OK);
	text = buffer_make(memory, sizeof memory);
	buffer_append(&text, bytes_of_text("ALFA JULIETT WHISKEY X-RAY"));
	buffer_append(&text, bytes_of_text(tail));
	assert_int_equal(fingerprint_parse(buffer_bytes(&text), again), ERROR_OK);
	assert_memory_equal(parsed, again, sizeof parsed);
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"ALFA",
		/* 23 words, 25 words */
		"ALFA INDIA SIERRA ECHO MIKE TWO ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU VICTOR "
		"KILO FIVE FOUR "
		"ZULU X-RAY PAPA OSCAR",
		"ALFA ALFA ALFA INDIA SIERRA ECHO MIKE TWO ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO "
		"ZULU VICTOR KILO "
		"FIVE FOUR ZULU X-RAY PAPA OSCAR",
		/* an unknown word, two run together, a digit, a word with more, a byte that is no text */
		"ALFA ALFA INDIA SIERRA ECHO MIKE TWO ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU "
		"VICTOR KILO FIVE "
		"FOUR ZULU X-RAY PAPA OSCARS",
		"ALFA ALFAINDIA SIERRA ECHO MIKE TWO ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU "
		"VICTOR KILO FIVE "
		"FOUR ZULU X-RAY PAPA OSCAR ALFA",
		"ALFA ALFA INDIA SIERRA ECHO MIKE 2 ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU "
		"VICTOR KILO FIVE "
		"FOUR ZULU X-RAY PAPA OSCAR",
		"ALFA ALFA INDIA SIERRA ECHO MIKE EIGHT ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU "
		"VICTOR KILO "
		"FIVE FOUR ZULU X-RAY PAPA OSCAR",
		"ALFA ALFA INDIA SIERRA ECHO MIKE TWO ECHO KILO VICTOR TANGO HOTEL PAPA CHARLIE ECHO ZULU "
		"VICTOR KILO FIVE "
		"FOUR ZULU X-RAY PAPA OSCA\xd2",
	};
	uint8_t parsed[FINGERPRINT_SIZE], zeros[32] = {0};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(parsed, 1, sizeof parsed);
		assert_int_equal(fingerprint_parse(bytes_of_text(bad[i]), parsed), ERROR_MALFORMED);
		assert_memory_equal(parsed, zeros, sizeof parsed);
		assert_false(fingerprint_matches(bytes_of_text(bad[i]), zeros));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_fixed),
		cmocka_unit_test(only_the_first_15_bytes_count),
		cmocka_unit_test(every_word_reads_back),
		cmocka_unit_test(words_are_read_as_people_type_them),
		cmocka_unit_test(other_spellings_are_read),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests_name("envelope fingerprint", tests, fill_party, NULL);
}
