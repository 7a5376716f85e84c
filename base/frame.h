/*
 * Frames on a byte stream: a u32 big-endian size, then as many bytes. Both streams of a post use them: to its
 * courier (base/link.h) and to its officers (base/local.h).
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include "base/bytes.h"
#include "base/error.h"

#define FRAME_HEAD_SIZE 4

/* Starts a frame at the end of `buffer`; *mark is for frame_end. The caller appends the content between. */
void frame_begin(struct buffer *buffer, size_t *mark);

/* Ends the frame: writes its size. A failed buffer stays as it is. */
void frame_end(struct buffer *buffer, size_t mark);

/*
 * The next whole frame at the front of `stream`. *frame is its content, a view into `stream`; *size is what
 * to consume from the stream, head included. ERROR_TRUNCATED: more bytes are needed. ERROR_TOO_LARGE: the
 * frame is empty or has more than size_max bytes, so the other end does not speak this format: drop it. On an
 * error nothing is written.
 */
enum error frame_next(struct bytes stream, size_t size_max, struct bytes *frame, size_t *size);

#endif
