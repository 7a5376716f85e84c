#include <string.h>

#include "base/text.h"
#include "envelope/reference.h"

#define LOG_WORD      "LOG "
#define LOG_WORD_SIZE (sizeof(LOG_WORD) - 1)

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* ---- writing ---- */

static void append_id(struct buffer *buffer, const uint8_t id[PARTY_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < REFERENCE_ID_DIGITS_MIN / 2; i++) {
		buffer_append_byte(buffer, (uint8_t)digits[id[i] >> 4]);
		buffer_append_byte(buffer, (uint8_t)digits[id[i] & 15]);
	}
}

static void append_log_number(struct buffer *buffer, uint64_t log)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + log % 10);
		log /= 10;
	} while (log != 0);
	buffer_append(buffer, bytes_of_text(LOG_WORD));
	buffer_append(buffer, bytes_make(digits + at, sizeof(digits) - at));
}

void reference_name_append(struct buffer *buffer, const struct reference_log *log, enum reference_form form)
{
	if (form == REFERENCE_BY_LOG) {
		append_log_number(buffer, log->log);
		return;
	}
	if (form == REFERENCE_BY_PARTY)
		buffer_append(buffer, log->party_name);
	else if (form == REFERENCE_BY_ID)
		append_id(buffer, log->party_id);
	if (form != REFERENCE_BY_POST)
		buffer_append_byte(buffer, '/');
	buffer_append(buffer, log->post_name);
}

/* ---- reading ---- */

/* True if it is "LOG 65", in any case: that log, whatever posts are called. */
static bool read_log_number(struct bytes typed, uint64_t *log)
{
	*log = 0;
	if (typed.size <= LOG_WORD_SIZE || typed.size > LOG_WORD_SIZE + 4 ||
	    !reference_name_matches(bytes_make(typed.data, LOG_WORD_SIZE), bytes_of_text(LOG_WORD)))
		return false;
	for (size_t i = LOG_WORD_SIZE; i < typed.size; i++) {
		if (!is_digit(typed.data[i]))
			return false;
		*log = *log * 10 + typed.data[i] - '0';
	}
	return true;
}

/* The value of a hexadecimal digit, or 16. */
static unsigned digit_value(uint8_t byte)
{
	if (is_digit(byte))
		return byte - (unsigned)'0';
	if (byte >= 'a' && byte <= 'f')
		return byte - (unsigned)'a' + 10;
	return byte >= 'A' && byte <= 'F' ? byte - (unsigned)'A' + 10 : 16;
}

bool reference_id_begins(struct bytes typed, const uint8_t id[PARTY_ID_SIZE])
{
	if (typed.size < REFERENCE_ID_DIGITS_MIN || typed.size > 2 * PARTY_ID_SIZE)
		return false;
	for (size_t i = 0; i < typed.size; i++)
		if (digit_value(typed.data[i]) != (i % 2 == 0 ? id[i / 2] >> 4 : id[i / 2] & 15U))
			return false;
	return true;
}

bool reference_name_means(struct bytes typed, const struct reference_log *log)
{
	uint64_t number;

	if (read_log_number(typed, &number))
		return number == log->log;
	if (reference_name_matches(typed, log->post_name))
		return true;
	for (size_t i = 0; i < typed.size; i++) {
		struct bytes party = bytes_make(typed.data, i);
		if (typed.data[i] == '/' &&
		    reference_name_matches(bytes_make(typed.data + i + 1, typed.size - i - 1),
					   log->post_name) &&
		    (reference_name_matches(party, log->party_name) ||
		     reference_id_begins(party, log->party_id)))
			return true;
	}
	return false;
}

/* ---- choosing ---- */

bool reference_names_meet(struct bytes name, struct bytes other)
{
	uint8_t memory[2][NAME_SIZE_MAX];
	struct buffer seen = buffer_make(memory[0], sizeof(memory[0]));
	struct buffer beside = buffer_make(memory[1], sizeof(memory[1]));

	reference_name_append_seen(&seen, name);
	reference_name_append_seen(&beside, other);
	if (buffer_error(&seen) != ERROR_OK || buffer_error(&beside) != ERROR_OK)
		return true;
	name = buffer_bytes(&seen);
	other = buffer_bytes(&beside);
	size_t size = name.size < other.size ? name.size : other.size;
	return reference_name_matches(bytes_make(name.data + name.size - size, size),
				      bytes_make(other.data + other.size - size, size));
}

/*
 * What stands before the number is read again as that name, in the first incarnation; and so it is in later
 * ones: the ".2" that stands after it there is taken off first, whatever the name ends in.
 */
static bool is_read_again(struct bytes name)
{
	uint8_t memory[REFERENCE_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof(memory));
	struct reference read;

	reference_append(&text, name, 1, 0, 0);
	return buffer_error(&text) == ERROR_OK && reference_parse(buffer_bytes(&text), &read) == ERROR_OK &&
	       read.incarnation == 1 && reference_name_matches(read.post_name, name);
}

static bool is_one_word(struct bytes name)
{
	for (size_t i = 0; i < name.size; i++)
		if ((name.data[i] | 0x20) < 'a' || (name.data[i] | 0x20) > 'z')
			return false;
	return name.size > 0 && name.size <= NAME_SIZE_MAX;
}

bool reference_form_fits(const struct reference_log *log, enum reference_form form)
{
	/* Letters alone are always read again. This is asked for each entry, and to try it takes long. */
	if (form == REFERENCE_BY_POST && is_one_word(log->post_name))
		return true;
	uint8_t memory[REFERENCE_NAME_SIZE_MAX];
	struct buffer name = buffer_make(memory, sizeof(memory));

	reference_name_append(&name, log, form);
	return buffer_error(&name) == ERROR_OK && is_read_again(buffer_bytes(&name)) &&
	       reference_name_means(buffer_bytes(&name), log);
}

void reference_choice_begin(struct reference_choice *choice, const struct reference_log *log)
{
	choice->of = *log;
	for (enum reference_form form = REFERENCE_BY_POST; form < REFERENCE_FORMS; form++)
		choice->fits[form] = reference_form_fits(log, form);
}

void reference_choice_beside(struct reference_choice *choice, const struct reference_log *other)
{
	for (enum reference_form form = REFERENCE_BY_POST; form < REFERENCE_FORMS; form++) {
		uint8_t memory[REFERENCE_NAME_SIZE_MAX];
		struct buffer name = buffer_make(memory, sizeof(memory));
		reference_name_append(&name, &choice->of, form);
		if (choice->fits[form] && reference_name_means(buffer_bytes(&name), other))
			choice->fits[form] = false;
	}
}

void reference_choice_append(struct buffer *buffer, const struct reference_choice *choice)
{
	enum reference_form form = REFERENCE_BY_POST;

	while (form < REFERENCE_BY_LOG && !choice->fits[form])
		form++;
	reference_name_append(buffer, &choice->of, form);
}
