#include "base/local.h"

#include <assert.h>

void local_frame_begin(struct buffer *buffer, size_t *mark)
{
	*mark = buffer->size;
	buffer_append_u32(buffer, 0);
}

void local_frame_end(struct buffer *buffer, size_t mark)
{
	if (buffer->failed)
		return;
	assert(buffer->size >= mark + 4);
	store_u32(buffer->data + mark, (uint32_t)(buffer->size - mark - 4));
}

enum error local_frame_next(struct bytes stream, struct bytes *frame, size_t *size)
{
	if (stream.size < 4)
		return ERROR_TRUNCATED;
	size_t length = load_u32(stream.data);
	if (length == 0 || length > LOCAL_FRAME_SIZE_MAX)
		return ERROR_TOO_LARGE;
	if (stream.size - 4 < length)
		return ERROR_TRUNCATED;
	*frame = bytes_make(stream.data + 4, length);
	*size = 4 + length;
	return ERROR_OK;
}
