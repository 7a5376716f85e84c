/*
 * A bounded queue of bytes between a socket and the loop: memory grows as needed, never past size_max, and
 * is given back when the queue is empty.
 */
#ifndef POST_STREAM_H
#define POST_STREAM_H

#include "base/bytes.h"
#include "base/error.h"

struct stream {
	uint8_t *data;
	size_t at;   /* consumed */
	size_t size; /* written; the queue is [at, size) */
	size_t used; /* beyond it nothing was written ever */
	size_t capacity;
	size_t size_max; /* of what is queued */
};

struct stream stream_make(size_t size_max);
void stream_free(struct stream *stream);

/* What is queued; valid until the next call that changes the stream. */
struct bytes stream_bytes(const struct stream *stream);
/* Removes the first `size` bytes; size is at most what is queued. */
void stream_consume(struct stream *stream, size_t size);
/* Bytes that may still be appended. */
size_t stream_room(const struct stream *stream);

/* All or nothing. ERROR_FULL: it would exceed size_max; ERROR_NO_MEMORY. */
enum error stream_append(struct stream *stream, struct bytes bytes);

/*
 * One read of at most size_max_now bytes (and at most the room) from a socket that does not block.
 * ERROR_OK: some bytes were read, or none are there now. ERROR_CLOSED: the other end has gone, or the
 * socket failed. ERROR_FULL: no room. ERROR_NO_MEMORY.
 */
enum error stream_read(struct stream *stream, int fd, size_t size_max_now);

/* Writes what the socket takes now. ERROR_OK or ERROR_CLOSED. */
enum error stream_write(struct stream *stream, int fd);

#endif
