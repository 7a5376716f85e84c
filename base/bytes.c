#include "base/bytes.h"

#include <assert.h>
#include <string.h>

struct buffer buffer_make(void *memory, size_t size_max)
{
	assert(memory != NULL || size_max == 0);
	return (struct buffer){ .data = memory, .size_max = size_max };
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
	uint8_t *to = buffer_reserve(buffer, 1);

	if (to != NULL)
		*to = byte;
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

void buffer_consume(struct buffer *buffer, size_t size)
{
	assert(size <= buffer->size);
	buffer->size -= size;
	if (buffer->size != 0 && size != 0)
		memmove(buffer->data, buffer->data + size, buffer->size);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	if (order != 0)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}
