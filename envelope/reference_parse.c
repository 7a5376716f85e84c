#include "envelope/reference.h"

#include <string.h>

#include "base/text.h"

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static uint8_t to_capital(uint8_t byte)
{
	return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
}

/*
 * Takes the run of digits at the end of *text as a number of at most `max`; false if there is no such
 * number.
 */
static bool take_number_at_end(struct bytes *text, uint64_t max, uint64_t *number, size_t *digits)
{
	uint64_t place = 1;

	*number = 0;
	*digits = 0;
	while (text->size > 0 && is_digit(text->data[text->size - 1])) {
		uint64_t digit = (uint64_t)(text->data[text->size - 1] - '0');

		/* Leading zeros may be many, but not more than a number of the largest size has digits. */
		if (++*digits > 10)
			return false;
		*number += digit * place;
		place *= 10;
		text->size--;
	}
	return *digits > 0 && *number <= max;
}

/* Takes one byte at the end of *text if it is this one. */
static bool take_byte_at_end(struct bytes *text, uint8_t byte)
{
	if (text->size == 0 || text->data[text->size - 1] != byte)
		return false;
	text->size--;
	return true;
}

static struct bytes trim(struct bytes text)
{
	while (text.size > 0 && text.data[0] == ' ')
		text = bytes_make(text.data + 1, text.size - 1);
	while (text.size > 0 && text.data[text.size - 1] == ' ')
		text.size--;
	return text;
}

/* Takes ".2" off the end of a name, if it is there: a point and a number from 2 to INCARNATIONS_MAX. */
static void take_incarnation(struct bytes *name, uint64_t *incarnation)
{
	struct bytes rest = *name;
	size_t digits;

	*incarnation = 1;
	if (take_number_at_end(&rest, INCARNATIONS_MAX, incarnation, &digits) &&
	    take_byte_at_end(&rest, '.') && *incarnation >= 2 && rest.size > 0)
		*name = rest;
	else
		*incarnation = 1;
}

enum error reference_parse(struct bytes text, struct reference *reference)
{
	struct bytes rest = trim(text);
	struct bytes before_year = rest;
	uint64_t number;
	size_t digits;

	memset(reference, 0, sizeof(*reference));
	if (take_number_at_end(&before_year, 99, &number, &digits) && digits == 2 &&
	    take_byte_at_end(&before_year, '/')) {
		reference->has_year = true;
		reference->year = (unsigned)number;
		rest = before_year;
	}
	if (!take_number_at_end(&rest, POSITION_MAX + 1, &number, &digits) || number == 0 ||
	    !take_byte_at_end(&rest, ' '))
		return ERROR_BAD_ARGUMENT;
	reference->position = number - 1;
	reference->post_name = trim(rest);
	take_incarnation(&reference->post_name, &reference->incarnation);
	if (reference->post_name.size == 0 || reference->post_name.size > REFERENCE_NAME_SIZE_MAX)
		return ERROR_BAD_ARGUMENT;
	return ERROR_OK;
}

/* What begins with the first byte to be seen: mostly the first of all, and that is asked for each entry. */
static struct bytes skip_blank(struct bytes name)
{
	bool seen = name.size == 0 || (name.data[0] > ' ' && name.data[0] < 0x7f);
	size_t size = seen ? 0 : text_blank_size(name);

	return bytes_make(name.data + size, name.size - size);
}

bool reference_name_matches(struct bytes typed, struct bytes name)
{
	typed = skip_blank(typed);
	name = skip_blank(name);
	while (typed.size > 0 && name.size > 0 && to_capital(typed.data[0]) == to_capital(name.data[0])) {
		typed = skip_blank(bytes_make(typed.data + 1, typed.size - 1));
		name = skip_blank(bytes_make(name.data + 1, name.size - 1));
	}
	return typed.size == 0 && name.size == 0;
}

void reference_name_append_seen(struct buffer *buffer, struct bytes name)
{
	for (name = skip_blank(name); name.size > 0;
	     name = skip_blank(bytes_make(name.data + 1, name.size - 1)))
		buffer_append_byte(buffer, name.data[0]);
}

/* ---- date-time groups ---- */

/* Takes two digits from the front. */
static bool take_two_digits(struct bytes *text, unsigned *number)
{
	if (text->size < 2 || !is_digit(text->data[0]) || !is_digit(text->data[1]))
		return false;
	*number = (unsigned)(text->data[0] - '0') * 10 + (unsigned)(text->data[1] - '0');
	*text = bytes_make(text->data + 2, text->size - 2);
	return true;
}

static bool take_month(struct bytes *text, unsigned *month)
{
	static const char names[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";

	if (text->size < 3)
		return false;
	for (unsigned i = 0; i < 12; i++) {
		const char *name = names + (size_t)3 * i;

		if (to_capital(text->data[0]) == (uint8_t)name[0] &&
		    to_capital(text->data[1]) == (uint8_t)name[1] &&
		    to_capital(text->data[2]) == (uint8_t)name[2]) {
			*month = i + 1;
			*text = bytes_make(text->data + 3, text->size - 3);
			return true;
		}
	}
	return false;
}

static bool take_zone(struct bytes *text)
{
	if (text->size == 0 || to_capital(text->data[0]) != 'Z')
		return false;
	*text = bytes_make(text->data + 1, text->size - 1);
	return true;
}

static void skip_space(struct bytes *text)
{
	if (text->size > 0 && text->data[0] == ' ')
		*text = bytes_make(text->data + 1, text->size - 1);
}

enum error date_time_group_parse(struct bytes text, uint64_t *time)
{
	struct civil_time civil = {0};
	struct bytes rest = trim(text);
	bool whole;

	*time = 0;
	whole = take_two_digits(&rest, &civil.day) && take_two_digits(&rest, &civil.hour) &&
		take_two_digits(&rest, &civil.minute) && take_zone(&rest);
	skip_space(&rest);
	whole = whole && take_month(&rest, &civil.month);
	skip_space(&rest);
	whole = whole && take_two_digits(&rest, &civil.year);
	if (!whole || rest.size != 0)
		return ERROR_BAD_ARGUMENT;
	civil.year += 2000;
	return time_from_civil(&civil, time);
}
