#include "base/cbor.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

/* The first byte of an item, RFC 8949, section 3: three bits of type, five of additional information. */
#define INFORMATION_MASK 0x1f
#define INFORMATION_ONE_BYTE 24
#define INFORMATION_EIGHT_BYTES 27
#define INFORMATION_INDEFINITE 31

#define BYTE_FALSE 0xf4
#define BYTE_TRUE 0xf5
#define BYTE_NULL 0xf6
#define BYTE_INDEFINITE_ARRAY 0x9f
#define BYTE_BREAK 0xff

struct head {
	enum cbor_type type;
	uint64_t argument;
};

struct cbor_reader cbor_reader_make(struct bytes bytes)
{
	return (struct cbor_reader){ .data = bytes.data, .size = bytes.size };
}

enum error cbor_reader_fail(struct cbor_reader *reader, enum error error)
{
	assert(error != ERROR_OK);
	if (reader->error == ERROR_OK)
		reader->error = error;
	return reader->error;
}

enum error cbor_reader_error(const struct cbor_reader *reader)
{
	return reader->error;
}

enum error cbor_read_end(struct cbor_reader *reader)
{
	if (reader->error == ERROR_OK && reader->at != reader->size)
		reader->error = ERROR_TRAILING;
	return reader->error;
}

static size_t left(const struct cbor_reader *reader)
{
	return reader->size - reader->at;
}

/* True if no error has occurred and the next byte is `byte`. */
static bool next_is(const struct cbor_reader *reader, uint8_t byte)
{
	return reader->error == ERROR_OK && left(reader) != 0 && reader->data[reader->at] == byte;
}

enum cbor_type cbor_peek(const struct cbor_reader *reader)
{
	if (reader->error != ERROR_OK || left(reader) == 0)
		return CBOR_NONE;
	return (enum cbor_type)(reader->data[reader->at] >> 5);
}

/* The smallest argument that needs the form with this additional information (24 to 27). */
static uint64_t argument_min(uint8_t information)
{
	static const uint64_t min[] = { 24, 0x100, 0x10000, 0x100000000 };

	return min[information - INFORMATION_ONE_BYTE];
}

/* The error for additional information 28 to 31: reserved, or an indefinite length. */
static enum error unusual_information(enum cbor_type type, uint8_t information)
{
	if (information != INFORMATION_INDEFINITE)
		return ERROR_MALFORMED;
	/* Strings, arrays and maps may have indefinite lengths, but not in deterministic CBOR. */
	if (type >= CBOR_BYTES && type <= CBOR_MAP)
		return ERROR_NOT_CANONICAL;
	return ERROR_MALFORMED;
}

/* Reads the head of any item but a simple value; on error the argument is 0. */
static struct head read_head(struct cbor_reader *reader)
{
	struct head head = { .type = cbor_peek(reader) };
	uint8_t information;
	size_t size;
	const uint8_t *at;

	if (head.type == CBOR_NONE) {
		cbor_reader_fail(reader, ERROR_TRUNCATED);
		return head;
	}
	assert(head.type != CBOR_SIMPLE);
	at = reader->data + reader->at;
	information = at[0] & INFORMATION_MASK;
	if (information < INFORMATION_ONE_BYTE) {
		head.argument = information;
		reader->at += 1;
		return head;
	}
	if (information > INFORMATION_EIGHT_BYTES) {
		cbor_reader_fail(reader, unusual_information(head.type, information));
		return head;
	}
	size = (size_t)1 << (information - INFORMATION_ONE_BYTE);
	if (size > left(reader) - 1) {
		cbor_reader_fail(reader, ERROR_TRUNCATED);
		return head;
	}
	for (size_t i = 1; i <= size; i++)
		head.argument = head.argument << 8 | at[i];
	if (head.argument < argument_min(information)) {
		cbor_reader_fail(reader, ERROR_NOT_CANONICAL);
		head.argument = 0;
		return head;
	}
	reader->at += 1 + size;
	return head;
}

/* Reads a head that must be of `type`; its argument, or 0 on error. */
static uint64_t read_head_of(struct cbor_reader *reader, enum cbor_type type)
{
	/* Nearly all heads are one byte or two, and of the right type. */
	if (reader->error == ERROR_OK && left(reader) >= 2) {
		uint8_t first = reader->data[reader->at];
		uint8_t second = reader->data[reader->at + 1];

		if (first >> 5 == type && (first & INFORMATION_MASK) < INFORMATION_ONE_BYTE) {
			reader->at++;
			return first & INFORMATION_MASK;
		}
		if (first >> 5 == type && (first & INFORMATION_MASK) == INFORMATION_ONE_BYTE &&
		    second >= INFORMATION_ONE_BYTE) {
			reader->at += 2;
			return second;
		}
	}
	enum cbor_type next = cbor_peek(reader);

	if (next != type) {
		cbor_reader_fail(reader, next == CBOR_NONE ? ERROR_TRUNCATED : ERROR_WRONG_TYPE);
		return 0;
	}
	return read_head(reader).argument;
}

/* Takes the `size` bytes of a string whose head has been read. */
static struct bytes take(struct cbor_reader *reader, uint64_t size)
{
	struct bytes taken;

	if (reader->error == ERROR_OK && size > left(reader))
		cbor_reader_fail(reader, ERROR_TRUNCATED);
	if (reader->error != ERROR_OK)
		return bytes_make(NULL, 0);
	taken = bytes_make(reader->data + reader->at, (size_t)size);
	reader->at += (size_t)size;
	return taken;
}

uint64_t cbor_read_uint(struct cbor_reader *reader)
{
	return read_head_of(reader, CBOR_UINT);
}

uint64_t cbor_read_uint_max(struct cbor_reader *reader, uint64_t max)
{
	uint64_t value = cbor_read_uint(reader);

	if (value > max) {
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
		return 0;
	}
	return value;
}

uint64_t cbor_read_negative(struct cbor_reader *reader)
{
	return read_head_of(reader, CBOR_NEGATIVE);
}

int64_t cbor_read_int(struct cbor_reader *reader)
{
	enum cbor_type type = cbor_peek(reader);
	uint64_t argument = read_head_of(reader, type == CBOR_NEGATIVE ? CBOR_NEGATIVE : CBOR_UINT);

	if (argument > INT64_MAX)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	if (reader->error != ERROR_OK)
		return 0;
	return type == CBOR_NEGATIVE ? -1 - (int64_t)argument : (int64_t)argument;
}

/* The error for a simple value, or the start of one, that is not false, true or null. */
static enum error unusual_simple(const struct cbor_reader *reader)
{
	uint8_t information = reader->data[reader->at] & INFORMATION_MASK;

	/* 28 to 30 are reserved; 31 is a break, outside any indefinite array. */
	if (information > INFORMATION_EIGHT_BYTES)
		return ERROR_MALFORMED;
	if (information != INFORMATION_ONE_BYTE)
		return ERROR_UNSUPPORTED; /* a simple value, undefined, a float */
	if (left(reader) < 2)
		return ERROR_TRUNCATED;
	/* RFC 8949, section 3.3: values under 32 have no two-byte form. */
	return reader->data[reader->at + 1] < 32 ? ERROR_MALFORMED : ERROR_UNSUPPORTED;
}

bool cbor_read_bool(struct cbor_reader *reader)
{
	bool is_true = next_is(reader, BYTE_TRUE);

	if (is_true || next_is(reader, BYTE_FALSE)) {
		reader->at++;
		return is_true;
	}
	if (cbor_peek(reader) == CBOR_NONE)
		cbor_reader_fail(reader, ERROR_TRUNCATED);
	else if (cbor_peek(reader) == CBOR_SIMPLE && !next_is(reader, BYTE_NULL))
		cbor_reader_fail(reader, unusual_simple(reader));
	else
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	return false;
}

bool cbor_read_null(struct cbor_reader *reader)
{
	if (!next_is(reader, BYTE_NULL))
		return false;
	reader->at++;
	return true;
}

struct bytes cbor_read_bytes(struct cbor_reader *reader, size_t size_max)
{
	uint64_t size = read_head_of(reader, CBOR_BYTES);

	if (size > size_max)
		cbor_reader_fail(reader, ERROR_TOO_LARGE);
	return take(reader, size);
}

void cbor_read_bytes_exact(struct cbor_reader *reader, uint8_t *to, size_t size)
{
	uint64_t given = read_head_of(reader, CBOR_BYTES);
	struct bytes bytes;

	if (given != size)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	bytes = take(reader, given);
	if (size == 0)
		return;
	if (reader->error == ERROR_OK)
		memcpy(to, bytes.data, size);
	else
		memset(to, 0, size);
}

struct bytes cbor_read_text(struct cbor_reader *reader, size_t size_max)
{
	uint64_t size = read_head_of(reader, CBOR_TEXT);
	struct bytes text;

	if (size > size_max)
		cbor_reader_fail(reader, ERROR_TOO_LARGE);
	text = take(reader, size);
	if (!text_is_utf8(text)) {
		cbor_reader_fail(reader, ERROR_NOT_TEXT);
		return bytes_make(NULL, 0);
	}
	return text;
}

void cbor_read_text_copy(struct cbor_reader *reader, char *to, size_t size_max)
{
	struct bytes text = cbor_read_text(reader, size_max);

	if (text.size > 0)
		memcpy(to, text.data, text.size);
	to[text.size] = '\0';
}

/* Checks a count of elements that each take items_each items, so as many bytes at least; 0 on error. */
static size_t checked_count(struct cbor_reader *reader, uint64_t count, size_t items_each)
{
	if (count > left(reader) / items_each)
		cbor_reader_fail(reader, ERROR_TRUNCATED);
	return reader->error == ERROR_OK ? (size_t)count : 0;
}

size_t cbor_read_array(struct cbor_reader *reader, size_t count_max)
{
	uint64_t count = read_head_of(reader, CBOR_ARRAY);

	if (count > count_max)
		cbor_reader_fail(reader, ERROR_TOO_LARGE);
	return checked_count(reader, count, 1);
}

void cbor_read_array_exact(struct cbor_reader *reader, size_t count)
{
	uint64_t given = read_head_of(reader, CBOR_ARRAY);

	if (given != count)
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	checked_count(reader, given, 1);
}

size_t cbor_read_map(struct cbor_reader *reader, size_t count_max)
{
	uint64_t count = read_head_of(reader, CBOR_MAP);

	if (count > count_max)
		cbor_reader_fail(reader, ERROR_TOO_LARGE);
	return checked_count(reader, count, 2);
}

/* Canonical order is that of the encoded bytes: 0, 1, 2, ... and after all of them -1, -2, -3, ... */
static bool key_ascends(int64_t previous, int64_t key)
{
	if (previous == CBOR_KEY_NONE)
		return true;
	if ((previous < 0) != (key < 0))
		return key < 0;
	return key < 0 ? key < previous : key > previous;
}

int64_t cbor_read_key(struct cbor_reader *reader, int64_t *previous)
{
	int64_t key = cbor_read_int(reader);

	/* The one integer that stands for "no key yet" would otherwise let an unsorted key follow it. */
	if (key == CBOR_KEY_NONE)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	else if (!key_ascends(*previous, key))
		cbor_reader_fail(reader, ERROR_NOT_CANONICAL);
	if (reader->error != ERROR_OK)
		return 0;
	*previous = key;
	return key;
}

uint64_t cbor_read_tag(struct cbor_reader *reader)
{
	return read_head_of(reader, CBOR_TAG);
}

void cbor_read_array_indefinite(struct cbor_reader *reader)
{
	enum cbor_type type = cbor_peek(reader);

	if (next_is(reader, BYTE_INDEFINITE_ARRAY)) {
		reader->at++;
		return;
	}
	cbor_reader_fail(reader, type == CBOR_NONE ? ERROR_TRUNCATED : ERROR_WRONG_TYPE);
}

bool cbor_read_break(struct cbor_reader *reader)
{
	if (reader->error != ERROR_OK)
		return true;
	if (!next_is(reader, BYTE_BREAK))
		return false;
	reader->at++;
	return true;
}
