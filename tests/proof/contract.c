/*
 * What may be counted on of the readers of base/cbor_read.c, and no more: readers.c shows that they keep it.
 * Each gives any value of its range, wherever it comes to, or fails.
 *
 * Positions, and sizes of what is viewed, are told apart one by one where EXACT is defined.
 */
#include <string.h>

#include <__fc_builtin.h>
#include "base/cbor.h"

static bool goes_on(struct cbor_reader *reader)
{
	if (reader->error != ERROR_OK)
		return false;
	if (reader->at >= reader->size || Frama_C_interval(0, 1)) {
		reader->error = ERROR_MALFORMED;
		return false;
	}
#ifdef EXACT
	size_t at = Frama_C_size_t_interval(reader->at + 1, reader->size);
	//@ split at;
#else
	size_t at = Frama_C_size_t_interval(0, reader->size);
#endif
	reader->at = at;
	return true;
}

static uint64_t number(struct cbor_reader *reader, uint64_t max)
{
	return goes_on(reader) ? Frama_C_unsigned_long_interval(0, max) : 0;
}

static struct bytes view(struct cbor_reader *reader, size_t size_max)
{
	size_t start = reader->at;

	if (!goes_on(reader))
		return bytes_make(NULL, 0);
#ifdef EXACT
	size_t size = Frama_C_size_t_interval(0, reader->at - start);
	//@ split size;
#else
	size_t size = Frama_C_size_t_interval(0, reader->size);
#endif
	if (size > size_max) {
		reader->error = ERROR_TOO_LARGE;
		return bytes_make(NULL, 0);
	}
	return bytes_make(reader->data + reader->at - size, size);
}

struct cbor_reader cbor_reader_make(struct bytes bytes)
{
	return (struct cbor_reader){.data = bytes.data, .size = bytes.size};
}

enum error cbor_reader_fail(struct cbor_reader *reader, enum error error)
{
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

enum cbor_type cbor_peek(const struct cbor_reader *reader)
{
	(void)reader;
	return (enum cbor_type)Frama_C_interval(0, CBOR_NONE);
}

uint64_t cbor_read_uint(struct cbor_reader *reader)
{
	return number(reader, UINT64_MAX);
}

uint64_t cbor_read_uint_max(struct cbor_reader *reader, uint64_t max)
{
	return number(reader, max);
}

uint64_t cbor_read_negative(struct cbor_reader *reader)
{
	return number(reader, UINT64_MAX);
}

bool cbor_read_bool(struct cbor_reader *reader)
{
	return number(reader, 1);
}

bool cbor_read_null(struct cbor_reader *reader)
{
	return Frama_C_interval(0, 1) && goes_on(reader);
}

uint64_t cbor_read_tag(struct cbor_reader *reader)
{
	return number(reader, UINT64_MAX);
}

size_t cbor_read_array(struct cbor_reader *reader, size_t count_max)
{
	return number(reader, count_max);
}

size_t cbor_read_map(struct cbor_reader *reader, size_t count_max)
{
	return number(reader, count_max);
}

void cbor_read_array_exact(struct cbor_reader *reader, size_t count)
{
	(void)count;
	goes_on(reader);
}

void cbor_read_array_indefinite(struct cbor_reader *reader)
{
	goes_on(reader);
}

bool cbor_read_break(struct cbor_reader *reader)
{
	return Frama_C_interval(0, 1) && goes_on(reader);
}

struct bytes cbor_read_bytes(struct cbor_reader *reader, size_t size_max)
{
	return view(reader, size_max);
}

struct bytes cbor_read_text(struct cbor_reader *reader, size_t size_max)
{
	return view(reader, size_max);
}

void cbor_read_bytes_exact(struct cbor_reader *reader, uint8_t *bytes, size_t size)
{
	if (!goes_on(reader))
		return;
	if (reader->at <= size)
		reader->error = ERROR_WRONG_TYPE;
	else
		memcpy(bytes, reader->data + reader->at - size, size);
}
