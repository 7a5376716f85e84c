#include "tests/unit/base/cbor_copy.h"

/* Copies a string or simple value whole, or the head of a container; returns how many items are inside. */
static size_t copy_one(struct cbor_reader *reader, struct buffer *to)
{
	uint64_t argument;
	size_t count;

	switch (cbor_peek(reader)) {
	case CBOR_UINT:
		cbor_write_uint(to, cbor_read_uint(reader));
		return 0;
	case CBOR_NEGATIVE:
		argument = cbor_read_negative(reader);
		if (argument <= INT64_MAX) {
			cbor_write_int(to, -1 - (int64_t)argument);
		} else {
			/* Beyond what cbor_write_int takes, the head always has eight bytes. */
			buffer_append_byte(to, 0x3b);
			buffer_append_u64(to, argument);
		}
		return 0;
	case CBOR_BYTES:
		cbor_write_bytes(to, cbor_read_bytes(reader, SIZE_MAX));
		return 0;
	case CBOR_TEXT:
		cbor_write_text(to, cbor_read_text(reader, SIZE_MAX));
		return 0;
	case CBOR_ARRAY:
		count = cbor_read_array(reader, SIZE_MAX);
		cbor_write_array(to, count);
		return count;
	case CBOR_MAP:
		count = cbor_read_map(reader, SIZE_MAX);
		cbor_write_map(to, count);
		return 2 * count;
	case CBOR_TAG:
		cbor_write_tag(to, cbor_read_tag(reader));
		return 1;
	case CBOR_SIMPLE:
		if (cbor_read_null(reader))
			cbor_write_null(to);
		else
			cbor_write_bool(to, cbor_read_bool(reader));
		return 0;
	case CBOR_NONE:
		cbor_reader_fail(reader, ERROR_TRUNCATED);
		return 0;
	}
	return 0;
}

void cbor_copy(struct cbor_reader *reader, struct buffer *to)
{
	size_t left = 1;

	while (left != 0 && cbor_reader_error(reader) == ERROR_OK)
		left = left - 1 + copy_one(reader, to);
}
