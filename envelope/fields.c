#include "envelope/fields.h"

uint64_t fields_read_between(struct cbor_reader *reader, uint64_t min, uint64_t max)
{
	uint64_t value = cbor_read_uint_max(reader, max);

	if (value < min)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	return value;
}

uint64_t fields_read_time(struct cbor_reader *reader)
{
	return cbor_read_uint_max(reader, TIME_MAX);
}

struct bytes fields_read_text(struct cbor_reader *reader, size_t size_max)
{
	struct bytes text = cbor_read_text(reader, size_max);

	if (text.size == 0)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	return text;
}

size_t fields_read_array(struct cbor_reader *reader, size_t count_min, size_t count_max)
{
	size_t count = cbor_read_array(reader, count_max);

	if (count < count_min) {
		cbor_reader_fail(reader, ERROR_MALFORMED);
		return 0;
	}
	return count;
}

bool fields_read_array_or_one_more(struct cbor_reader *reader, size_t count)
{
	size_t given = cbor_read_array(reader, SIZE_MAX);

	if (given != count && given != count + 1)
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	return cbor_reader_error(reader) == ERROR_OK && given == count + 1;
}

void fields_read_range(struct cbor_reader *reader, uint64_t *first, uint64_t *count)
{
	*first = cbor_read_uint_max(reader, POSITION_MAX);
	*count = fields_read_between(reader, 1, POSITION_MAX + 1 - *first);
}

void fields_write_bytes(struct buffer *buffer, const uint8_t *data, size_t size)
{
	cbor_write_bytes(buffer, bytes_make(data, size));
}
