#include "base/text.h"

#include <stdint.h>

struct range {
	uint32_t first;
	uint32_t last;
};

/*
 * What text_is_plain refuses, in ascending order. Line feed and tab lie between the first two ranges and are
 * refused on one line only. Noncharacters at the end of each plane are a rule, in character_is_plain.
 */
static const struct range hidden[] = {
	{ 0x0000, 0x0008 },   /* C0 controls before TAB */
	{ 0x000b, 0x001f },   /* C0 controls after LF */
	{ 0x007f, 0x009f },   /* DEL and C1 controls */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x034f, 0x034f },   /* combining grapheme joiner */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200b },   /* zero width space */
	{ 0x200e, 0x200f },   /* left-to-right and right-to-left marks */
	{ 0x2028, 0x202e },   /* line and paragraph separators, embeddings and overrides */
	{ 0x2060, 0x206f },   /* word joiner, invisible operators, isolates, deprecated format characters */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfdd0, 0xfdef },   /* noncharacters */
	{ 0xfeff, 0xfeff },   /* zero width no-break space */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* invisible ones to come, interlinear annotation */
	{ 0x13430, 0x1343f }, /* format controls of hieroglyphs */
	{ 0x16fe4, 0x16fe4 }, /* Khitan filler */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical beams and slurs */
	{ 0xe0000, 0xe00ff }, /* tags, invisible ones to come */
	{ 0xe01f0, 0xe0fff }, /* invisible ones to come */
};

/*
 * What text_is_plain lets pass and nobody sees: spaces, and those of Default_Ignorable_Code_Point (Unicode
 * 15.0, DerivedCoreProperties.txt) that scripts and signs need: joiners and variation selectors. Three more
 * have no such property, and nothing to be seen.
 */
static const struct range blank[] = {
	{ 0x0009, 0x000a },   /* TAB, LF */
	{ 0x0020, 0x0020 },   /* space */
	{ 0x00a0, 0x00a0 },   /* no-break space */
	{ 0x1680, 0x1680 },   /* Ogham space mark */
	{ 0x180b, 0x180f },   /* Mongolian variation selectors */
	{ 0x2000, 0x200d },   /* spaces of all widths, ZWNJ, ZWJ */
	{ 0x202f, 0x202f },   /* narrow no-break space */
	{ 0x205f, 0x205f },   /* medium mathematical space */
	{ 0x2800, 0x2800 },   /* Braille pattern blank */
	{ 0x2d7f, 0x2d7f },   /* Tifinagh consonant joiner */
	{ 0x3000, 0x3000 },   /* ideographic space */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0x1107f, 0x1107f }, /* Brahmi number joiner */
	{ 0x1d159, 0x1d159 }, /* musical null notehead */
	{ 0xe0100, 0xe01ef }, /* variation selectors */
};

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/*
 * Decodes the character at the start of `text`, which is not empty. Returns the bytes it takes, 1 to 4, or 0
 * where they are not valid UTF-8 (RFC 3629, section 4).
 */
static size_t character_decode(struct bytes text, uint32_t *character)
{
	const uint8_t *at = text.data;
	uint32_t value;

	*character = 0;
	if (at[0] < 0x80) {
		*character = at[0];
		return 1;
	}
	/* 80 to BF continue a character; C0 and C1 could only start an overlong form. */
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	if (text.size < 2 || !is_continuation(at[1]))
		return 0;
	if (at[0] < 0xe0) {
		*character = (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3f);
		return 2;
	}
	if (text.size < 3 || !is_continuation(at[2]))
		return 0;
	if (at[0] < 0xf0) {
		value = (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
		if (value < 0x800 || (value >= 0xd800 && value <= 0xdfff))
			return 0;
		*character = value;
		return 3;
	}
	if (text.size < 4 || !is_continuation(at[3]))
		return 0;
	value = (uint32_t)(at[0] & 0x07) << 18 | (uint32_t)(at[1] & 0x3f) << 12 |
		(uint32_t)(at[2] & 0x3f) << 6 | (at[3] & 0x3f);
	if (value < 0x10000 || value > 0x10ffff)
		return 0;
	*character = value;
	return 4;
}

static struct bytes text_after(struct bytes text, size_t size)
{
	return bytes_make(text.data + size, text.size - size);
}

static bool is_in(const struct range *ranges, size_t count, uint32_t character)
{
	for (size_t i = 0; i < count && character >= ranges[i].first; i++)
		if (character <= ranges[i].last)
			return true;
	return false;
}

static bool character_is_plain(uint32_t character)
{
	return (character & 0xfffe) != 0xfffe && !is_in(hidden, sizeof hidden / sizeof hidden[0], character);
}

bool text_is_utf8(struct bytes text)
{
	uint32_t character;

	while (text.size != 0) {
		size_t size = character_decode(text, &character);

		if (size == 0)
			return false;
		text = text_after(text, size);
	}
	return true;
}

size_t text_plain_size(struct bytes text)
{
	struct bytes rest = text;
	uint32_t character;

	while (rest.size != 0) {
		size_t size = character_decode(rest, &character);

		if (size == 0 || !character_is_plain(character))
			break;
		rest = text_after(rest, size);
	}
	return text.size - rest.size;
}

bool text_is_plain(struct bytes text)
{
	return text_plain_size(text) == text.size;
}

bool text_is_plain_line(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '\n' || text.data[i] == '\t')
			return false;
	}
	return text_is_plain(text);
}

size_t text_blank_size(struct bytes text)
{
	struct bytes rest = text;
	uint32_t character;

	while (rest.size != 0) {
		size_t size = character_decode(rest, &character);

		if (size == 0 || !is_in(blank, sizeof blank / sizeof blank[0], character))
			break;
		rest = text_after(rest, size);
	}
	return text.size - rest.size;
}

size_t text_count_words(struct bytes text)
{
	size_t count = 0;
	bool in_word = false;

	for (size_t i = 0; i < text.size; i++) {
		bool space = text.data[i] == ' ' || text.data[i] == '\t' || text.data[i] == '\n';

		if (!space && !in_word)
			count++;
		in_word = !space;
	}
	return count;
}

/* Appends `value` in hexadecimal, upper case, with at least digits_min digits. */
static void append_hexadecimal(struct buffer *buffer, uint32_t value, unsigned digits_min)
{
	unsigned digits = 8;

	while (digits > digits_min && value >> (4 * (digits - 1)) == 0)
		digits--;
	while (digits-- > 0)
		buffer_append_byte(buffer, (uint8_t)"0123456789ABCDEF"[value >> (4 * digits) & 0xf]);
}

void text_append_visible(struct buffer *buffer, struct bytes text)
{
	uint32_t character;

	while (text.size != 0) {
		size_t size = character_decode(text, &character);

		if (size != 0 && character_is_plain(character)) {
			buffer_append(buffer, bytes_make(text.data, size));
		} else if (size != 0) {
			buffer_append(buffer, bytes_of_text("<U+"));
			append_hexadecimal(buffer, character, 4);
			buffer_append_byte(buffer, '>');
		} else {
			buffer_append_byte(buffer, '<');
			append_hexadecimal(buffer, text.data[0], 2);
			buffer_append_byte(buffer, '>');
			size = 1;
		}
		text = text_after(text, size);
	}
}
