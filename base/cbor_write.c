#include "base/cbor.h"

size_t cbor_head_size(uint64_t argument)
{
	if (argument < 24)
		return 1;
	if (argument <= 0xff)
		return 2;
	if (argument <= 0xffff)
		return 3;
	if (argument <= 0xffffffff)
		return 5;
	return 9;
}

/* The head of an item, RFC 8949, section 3: three bits of type, then the argument in its shortest form. */
static void write_head(struct buffer *buffer, enum cbor_type type, uint64_t argument)
{
	uint8_t major = (uint8_t)(type << 5);

	size_t size = cbor_head_size(argument);
	uint8_t *to = buffer_reserve(buffer, size);

	if (to == NULL)
		return;
	switch (size) {
	case 1:
		to[0] = (uint8_t)(major | argument);
		return;
	case 2:
		to[0] = (uint8_t)(major | 24);
		to[1] = (uint8_t)argument;
		return;
	case 3:
		to[0] = (uint8_t)(major | 25);
		store_u16(to + 1, (uint16_t)argument);
		return;
	case 5:
		to[0] = (uint8_t)(major | 26);
		store_u32(to + 1, (uint32_t)argument);
		return;
	default:
		to[0] = (uint8_t)(major | 27);
		store_u64(to + 1, argument);
		return;
	}
}

void cbor_write_uint(struct buffer *buffer, uint64_t value)
{
	write_head(buffer, CBOR_UINT, value);
}

void cbor_write_int(struct buffer *buffer, int64_t value)
{
	if (value >= 0)
		write_head(buffer, CBOR_UINT, (uint64_t)value);
	else
		write_head(buffer, CBOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_write_bytes_head(struct buffer *buffer, size_t size)
{
	write_head(buffer, CBOR_BYTES, size);
}

void cbor_write_bytes(struct buffer *buffer, struct bytes bytes)
{
	write_head(buffer, CBOR_BYTES, bytes.size);
	buffer_append(buffer, bytes);
}

void cbor_write_text(struct buffer *buffer, struct bytes text)
{
	write_head(buffer, CBOR_TEXT, text.size);
	buffer_append(buffer, text);
}

void cbor_write_array(struct buffer *buffer, size_t count)
{
	write_head(buffer, CBOR_ARRAY, count);
}

void cbor_write_map(struct buffer *buffer, size_t count)
{
	write_head(buffer, CBOR_MAP, count);
}

void cbor_write_tag(struct buffer *buffer, uint64_t tag)
{
	write_head(buffer, CBOR_TAG, tag);
}

void cbor_write_bool(struct buffer *buffer, bool value)
{
	write_head(buffer, CBOR_SIMPLE, value ? 21 : 20);
}

void cbor_write_null(struct buffer *buffer)
{
	write_head(buffer, CBOR_SIMPLE, 22);
}

void cbor_write_array_indefinite(struct buffer *buffer)
{
	buffer_append_byte(buffer, 0x9f);
}

void cbor_write_break(struct buffer *buffer)
{
	buffer_append_byte(buffer, 0xff);
}
