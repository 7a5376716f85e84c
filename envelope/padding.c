#include "envelope/padding.h"

#include <assert.h>
#include <string.h>

#define SMALL_STEP 16
#define SMALL_SIZE 1024

size_t padding_size(size_t item_size)
{
	size_t step = SMALL_STEP;

	assert(item_size >= 1 && item_size <= SIZE_MAX / 2);
	/* Below 1,024 bytes even a larger step would hide little and cost much: entries are mostly there. */
	if (item_size >= SMALL_SIZE)
		while (step * 2 <= item_size / 16)
			step *= 2;
	return (item_size + step - 1) / step * step;
}

enum error padding_append(struct buffer *buffer)
{
	size_t size;
	uint8_t *to;

	if (buffer_error(buffer) != ERROR_OK)
		return ERROR_TOO_LARGE;
	size = padding_size(buffer->size) - buffer->size;
	to = buffer_reserve(buffer, size);
	if (to == NULL)
		return ERROR_TOO_LARGE;
	memset(to, 0, size);
	return ERROR_OK;
}

enum error padding_check(struct bytes plaintext, size_t item_size)
{
	assert(item_size >= 1 && item_size <= plaintext.size);
	if (plaintext.size != padding_size(item_size))
		return ERROR_MALFORMED;
	for (size_t i = item_size; i < plaintext.size; i++)
		if (plaintext.data[i] != 0)
			return ERROR_MALFORMED;
	return ERROR_OK;
}
