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
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200b },   /* zero width space */
	{ 0x200e, 0x200f },   /* left-to-right and right-to-left marks */
	{ 0x2028, 0x202e },   /* line and paragraph separators, embeddings and overrides */
	{ 0x2060, 0x2064 },   /* word joiner, invisible operators */
	{ 0x2066, 0x206f },   /* isolates, deprecated format characters */
	{ 0xfdd0, 0xfdef },   /* noncharacters */
	{ 0xfeff, 0xfeff },   /* zero width no-break space */
	{ 0xfff9, 0xfffb },   /* interlinear annotation */
	{ 0xe0000, 0xe007f }, /* tags */
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

static bool character_is_plain(uint32_t character)
{
	if ((character & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
		if (character < hidden[i].first)
			return true;
		if (character <= hidden[i].last)
			return false;
	}
	return true;
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
