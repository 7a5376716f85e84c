#include "base/frame.h"

#include <assert.h>

void frame_begin(struct buffer *buffer, size_t *mark)
{
	*mark = buffer->size;
	buffer_append_u32(buffer, 0);
}

void frame_end(struct buffer *buffer, size_t mark)
{
	if (buffer->failed)
		return;
	assert(buffer->size - mark >= FRAME_HEAD_SIZE && buffer->size - mark - FRAME_HEAD_SIZE <= UINT32_MAX);
	store_u32(buffer->data + mark, (uint32_t)(buffer->size - mark - FRAME_HEAD_SIZE));
}

enum error frame_next(struct bytes stream, size_t size_max, struct bytes *frame, size_t *size)
{
	size_t length;

	if (stream.size < FRAME_HEAD_SIZE)
		return ERROR_TRUNCATED;
	length = load_u32(stream.data);
	if (length == 0 || length > size_max)
		return ERROR_TOO_LARGE;
	if (stream.size - FRAME_HEAD_SIZE < length)
		return ERROR_TRUNCATED;
	*frame = bytes_make(stream.data + FRAME_HEAD_SIZE, length);
	*size = FRAME_HEAD_SIZE + length;
	return ERROR_OK;
}
