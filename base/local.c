#include "base/local.h"

#include "base/frame.h"

void local_frame_begin(struct buffer *buffer, size_t *mark)
{
	frame_begin(buffer, mark);
}

void local_frame_end(struct buffer *buffer, size_t mark)
{
	frame_end(buffer, mark);
}

enum error local_frame_next(struct bytes stream, struct bytes *frame, size_t *size)
{
	return frame_next(stream, LOCAL_FRAME_SIZE_MAX, frame, size);
}
