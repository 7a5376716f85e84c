#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/unit/hex.h"

#define CHARACTER_MAX 0x10ffff

/* Encodes any number below 2^21 as UTF-8 would, surrogates too. */
static struct bytes encode(uint32_t character, uint8_t memory[4])
{
	if (character < 0x80) {
		memory[0] = (uint8_t)character;
		return bytes_make(memory, 1);
	}
	if (character < 0x800) {
		memory[0] = (uint8_t)(0xc0 | character >> 6);
		memory[1] = (uint8_t)(0x80 | (character & 0x3f));
		return bytes_make(memory, 2);
	}
	if (character < 0x10000) {
		memory[0] = (uint8_t)(0xe0 | character >> 12);
		memory[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
		memory[2] = (uint8_t)(0x80 | (character & 0x3f));
		return bytes_make(memory, 3);
	}
	memory[0] = (uint8_t)(0xf0 | character >> 18);
	memory[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
	memory[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
	memory[3] = (uint8_t)(0x80 | (character & 0x3f));
	return bytes_make(memory, 4);
}

/* The rule of base/text.h, written out once more, as differently as it can be. */
static bool is_plain(uint32_t c)
{
	switch (c) {
	case 0x7f: case 0xad: case 0x61c: case 0x180e: case 0x200b: case 0x200e: case 0x200f:
	case 0x2028: case 0x2029: case 0x202a: case 0x202b: case 0x202c: case 0x202d: case 0x202e:
	case 0x34f: case 0x115f: case 0x1160: case 0x17b4: case 0x17b5: case 0x3164: case 0xfeff: case 0xffa0:
	case 0x16fe4: case 0x1bca0: case 0x1bca1: case 0x1bca2: case 0x1bca3:
		return false;
	default:
		break;
	}
	if (c < 0x20)
		return c == 9 || c == 10;
	return !(c >= 0x80 && c < 0xa0) && !(c >= 0xfdd0 && c < 0xfdf0) && c % 0x10000 < 0xfffe &&
		c >> 4 != 0x206 && c >> 4 != 0x1343 && !(c >= 0xfff0 && c < 0xfffc) &&
		!(c >= 0x1d173 && c <= 0x1d17a) &&
		(c >> 12 != 0xe0 || (c >= 0xe0100 && c < 0xe01f0));
}

static void every_character_is_judged_by_the_rule(void **state)
{
	uint8_t memory[4];

	for (uint32_t character = 0; character <= CHARACTER_MAX; character++) {
		struct bytes text = encode(character, memory);
		bool valid = character < 0xd800 || character > 0xdfff;
		bool plain = valid && is_plain(character);
		bool line = plain && character != '\n' && character != '\t';

		if (text_is_utf8(text) != valid || text_is_plain(text) != plain ||
			text_is_plain_line(text) != line)
			fail_msg("U+%04X is judged wrongly", (unsigned)character);
	}
}

static void what_is_plain_and_invisible_is_blank(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} blank[] = { { "", 0 }, { "x", 0 }, { " \t\nx ", 3 }, { "\xc2\xa0\xe2\x80\x8c\xe2\x80\x8d", 8 },
		{ "\xe2\x80\x80\xe3\x80\x80\xe2\x80\xaf\xe2\x81\x9f\xe1\x9a\x80\xe2\xa0\x80-", 18 },
		{ "\xef\xb8\x80\xef\xb8\x8f\xf3\xa0\x84\x80\xf3\xa0\x87\xaf", 14 },
		{ "\xe1\xa0\x8b\xe1\xa0\x8f\xe1\xa0\x90", 6 }, { "\xef\xb7\xbf", 0 }, { "\xef\xb8", 0 },
		{ "\xe2\xb5\xbf\xf0\x91\x81\xbf\xf0\x9d\x85\x99", 11 }, { "\xe2\x80\x90", 0 },
		{ " \xff", 1 } };

	for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++)
		assert_int_equal(text_blank_size(bytes_of_text(blank[i].text)), blank[i].size);
}

static void every_sequence_of_two_bytes_is_judged_by_the_standard(void **state)
{
	for (unsigned first = 0; first < 256; first++) {
		for (unsigned second = 0; second < 256; second++) {
			uint8_t memory[2] = { (uint8_t)first, (uint8_t)second };
			bool valid = (first < 0x80 && second < 0x80) ||
				(first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf);

			assert_int_equal(text_is_utf8(bytes_make(memory, 2)), valid);
		}
	}
}

/* RFC 3629, section 4: the lead bytes, with the range that the second byte must be in. */
static bool begins_validly(const uint8_t *at, size_t size)
{
	switch (at[0]) {
	case 0xe0: return size == 3 && at[1] >= 0xa0 && at[1] <= 0xbf;
	case 0xed: return size == 3 && at[1] >= 0x80 && at[1] <= 0x9f;
	case 0xf0: return size == 4 && at[1] >= 0x90 && at[1] <= 0xbf;
	case 0xf4: return size == 4 && at[1] >= 0x80 && at[1] <= 0x8f;
	default:
		break;
	}
	if (at[1] < 0x80 || at[1] > 0xbf)
		return false;
	return size == 3 ? at[0] > 0xe0 && at[0] <= 0xef : at[0] > 0xf0 && at[0] < 0xf4;
}

static void longer_sequences_are_judged_by_the_standard(void **state)
{
	static const uint8_t last[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };

	for (unsigned start = 0; start < 0x2000; start++) {
		for (size_t i = 0; i < sizeof last * sizeof last; i++) {
			uint8_t third = last[i % sizeof last];
			uint8_t fourth = last[i / sizeof last];
			uint8_t memory[4] = { (uint8_t)(0xe0 | start >> 8), (uint8_t)start, third, fourth };
			bool third_valid = third == 0x80 || third == 0xbf;
			bool fourth_valid = fourth == 0x80 || fourth == 0xbf;

			assert_int_equal(text_is_utf8(bytes_make(memory, 3)),
				begins_validly(memory, 3) && third_valid);
			assert_int_equal(text_is_utf8(bytes_make(memory, 4)),
				(begins_validly(memory, 4) && third_valid && fourth_valid) ||
				(begins_validly(memory, 3) && third_valid && fourth < 0x80));
		}
	}
}

static void overlong_surrogate_and_too_large_forms_are_refused(void **state)
{
	static const char *const invalid[] = { "c080", "c1bf", "e08080", "e09fbf", "f0808080", "f08fbfbf",
		"eda080", "edbfbf", "f4908080", "f5808080", "f888808080", "fc8480808080", "fe", "ff", "80",
		"bf", "c2", "e180", "f18080", "c2c2", "e18041", "f1808041", "41c3" };
	uint8_t memory[8];

	for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
		assert_false(text_is_utf8(hex_decode(invalid[i], memory, sizeof memory)));
}

static void names_in_many_scripts_are_plain(void **state)
{
	static const char *const plain[] = { "", "headquarters", "Ministère des Affaires étrangères",
		"Посольство", "外交部", "وزارة الخارجية", "می‌خواهم", "विदेश मंत्रालय", "क्‍ष", "🕊" };

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		assert_true(text_is_plain_line(bytes_of_text(plain[i])));
	assert_true(text_is_plain(bytes_of_text("two\nlines\tand a tab")));
	assert_false(text_is_plain(bytes_of_text("\r\n")));
	assert_false(text_is_plain(bytes_of_text("cease \xe2\x80\xae" "erif")));
	assert_false(text_is_plain(bytes_of_text("\x1b[2J")));
	assert_false(text_is_plain(bytes_make("a\0b", 3)));
	assert_int_equal(text_plain_size(bytes_of_text("Посольство")), 20);
	assert_int_equal(text_plain_size(bytes_of_text("é\xe2\x80\xae" "erif")), 2);
	assert_int_equal(text_plain_size(bytes_of_text("\xff")), 0);
}

static void words_are_runs_between_spaces_tabs_and_lines(void **state)
{
	assert_int_equal(text_count_words(bytes_of_text("")), 0);
	assert_int_equal(text_count_words(bytes_of_text(" \t\n ")), 0);
	assert_int_equal(text_count_words(bytes_of_text("one")), 1);
	assert_int_equal(text_count_words(bytes_of_text("  one two\tthree\nfour  ")), 4);
	assert_int_equal(text_count_words(bytes_of_text("l'été, c'est-à-dire")), 2);
	assert_int_equal(text_count_words(bytes_of_text("a\xc2\xa0" "b")), 1);
}

static void assert_visible(struct bytes text, const char *expected)
{
	uint8_t memory[128];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	text_append_visible(&buffer, text);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of_text(expected)));
}

static void what_is_not_plain_is_shown_by_its_number(void **state)
{
	assert_visible(bytes_of_text("plain ü\n\t"), "plain ü\n\t");
	assert_visible(bytes_of_text("\x1b[2J\r"), "<U+001B>[2J<U+000D>");
	assert_visible(bytes_of_text("\xe2\x80\xaex"), "<U+202E>x");
	assert_visible(bytes_of_text("\xf3\xa0\x81\x81"), "<U+E0041>");
	assert_visible(bytes_of_text("\xf4\x8f\xbf\xbf"), "<U+10FFFF>");
	assert_visible(bytes_of_text("\xed\xa0\x80"), "<ED><A0><80>");
	assert_visible(bytes_of_text("a\xc3"), "a<C3>");
	assert_visible(bytes_of_text("\xe2\x82" "b\x0f\xff"), "<E2><82>b<U+000F><FF>");
	assert_visible(bytes_make("\0", 1), "<U+0000>");
	assert_visible(bytes_of_text(""), "");
}

static void what_is_shown_is_always_plain(void **state)
{
	uint8_t memory[4];
	uint8_t shown_memory[32];

	for (uint32_t character = 0; character <= CHARACTER_MAX; character++) {
		struct buffer shown = buffer_make(shown_memory, sizeof shown_memory);

		text_append_visible(&shown, encode(character, memory));
		if (buffer_error(&shown) != ERROR_OK || !text_is_plain(buffer_bytes(&shown)))
			fail_msg("U+%04X is shown as it is", (unsigned)character);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_judged_by_the_rule),
		cmocka_unit_test(what_is_plain_and_invisible_is_blank),
		cmocka_unit_test(every_sequence_of_two_bytes_is_judged_by_the_standard),
		cmocka_unit_test(longer_sequences_are_judged_by_the_standard),
		cmocka_unit_test(overlong_surrogate_and_too_large_forms_are_refused),
		cmocka_unit_test(names_in_many_scripts_are_plain),
		cmocka_unit_test(words_are_runs_between_spaces_tabs_and_lines),
		cmocka_unit_test(what_is_not_plain_is_shown_by_its_number),
		cmocka_unit_test(what_is_shown_is_always_plain),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
