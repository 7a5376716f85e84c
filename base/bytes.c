#include "base/bytes.h"

#include <assert.h>
#include <string.h>

struct buffer buffer_make(void *memory, size_t size_max)
{
	assert(memory != NULL || size_max == 0);
	return (struct buffer){ .data = memory, .size_max = size_max };
}

enum error buffer_error(const struct buffer *buffer)
{
	return buffer->failed ? ERROR_TOO_LARGE : ERROR_OK;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
	uint8_t *to;

	if (buffer->failed)
		return NULL;
	if (size > buffer->size_max - buffer->size) {
		buffer->failed = true;
		return NULL;
	}
	/* Adding even zero to a null pointer is undefined: a buffer without memory has size 0. */
	to = buffer->size == 0 ? buffer->data : buffer->data + buffer->size;
	buffer->size += size;
	return to;
}

void buffer_append(struct buffer *buffer, struct bytes bytes)
{
	uint8_t *to = buffer_reserve(buffer, bytes.size);

	if (to != NULL && bytes.size != 0)
		memcpy(to, bytes.data, bytes.size);
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	buffer_append(buffer, bytes_make(&byte, 1));
}

void buffer_append_u16(struct buffer *buffer, uint16_t value)
{
	uint8_t *to = buffer_reserve(buffer, 2);

	if (to != NULL)
		store_u16(to, value);
}

void buffer_append_u32(struct buffer *buffer, uint32_t value)
{
	uint8_t *to = buffer_reserve(buffer, 4);

	if (to != NULL)
		store_u32(to, value);
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
	uint8_t *to = buffer_reserve(buffer, 8);

	if (to != NULL)
		store_u64(to, value);
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
	return bytes_make(buffer->data, buffer->size);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
	assert(size <= buffer->size);
	buffer->size -= size;
	if (buffer->size != 0 && size != 0)
		memmove(buffer->data, buffer->data + size, buffer->size);
}

struct bytes bytes_make(const void *data, size_t size)
{
	return (struct bytes){ .data = data, .size = size };
}

struct bytes bytes_of_text(const char *text)
{
	return bytes_make(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	if (order != 0)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}

uint16_t load_u16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

uint32_t load_u32(const uint8_t *data)
{
	return (uint32_t)load_u16(data) << 16 | load_u16(data + 2);
}

uint64_t load_u64(const uint8_t *data)
{
	return (uint64_t)load_u32(data) << 32 | load_u32(data + 4);
}

void store_u16(uint8_t *data, uint16_t value)
{
	data[0] = (uint8_t)(value >> 8);
	data[1] = (uint8_t)(value & 0xff);
}

void store_u32(uint8_t *data, uint32_t value)
{
	store_u16(data, (uint16_t)(value >> 16));
	store_u16(data + 2, (uint16_t)(value & 0xffff));
}

void store_u64(uint8_t *data, uint64_t value)
{
	store_u32(data, (uint32_t)(value >> 32));
	store_u32(data + 4, (uint32_t)(value & 0xffffffff));
}
