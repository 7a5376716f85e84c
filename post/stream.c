#include "post/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_MIN 1024

struct stream stream_make(size_t size_max)
{
	return (struct stream){.size_max = size_max};
}

static void note_used(struct stream *stream)
{
	if (stream->size > stream->used)
		stream->used = stream->size;
}

/* What passes here may be a keying packet: none of it stays in freed memory. */
static void give_back(uint8_t *data, size_t used)
{
	if (data == NULL)
		return;
	explicit_bzero(data, used);
	free(data);
}

void stream_free(struct stream *stream)
{
	give_back(stream->data, stream->used);
	*stream = stream_make(stream->size_max);
}

struct bytes stream_bytes(const struct stream *stream)
{
	return stream->data == NULL ? bytes_make(NULL, 0)
				    : bytes_make(stream->data + stream->at, stream->size - stream->at);
}

size_t stream_room(const struct stream *stream)
{
	return stream->size_max - (stream->size - stream->at);
}

void stream_consume(struct stream *stream, size_t size)
{
	assert(size <= stream->size - stream->at);
	stream->at += size;
	if (stream->at == stream->size)
		stream_free(stream);
}

/* Memory for `size` further bytes after what is queued; the caller has checked the bound. */
static enum error reserve(struct stream *stream, size_t size)
{
	struct bytes queued = stream_bytes(stream);
	size_t capacity = stream->capacity < CAPACITY_MIN ? CAPACITY_MIN : stream->capacity;
	size_t used = stream->used;
	uint8_t *data = stream->data;

	while (capacity < queued.size + size)
		capacity *= 2;
	if (capacity != stream->capacity) {
		data = malloc(capacity);
		if (data == NULL)
			return ERROR_NO_MEMORY;
	}
	if (queued.size != 0)
		memmove(data, queued.data, queued.size);
	if (data != stream->data) {
		give_back(stream->data, used);
		used = queued.size;
	}
	*stream = (struct stream){.data = data,
				  .size = queued.size,
				  .used = used,
				  .capacity = capacity,
				  .size_max = stream->size_max};
	return ERROR_OK;
}

enum error stream_append(struct stream *stream, struct bytes bytes)
{
	enum error error;

	if (bytes.size > stream_room(stream))
		return ERROR_FULL;
	if (bytes.size == 0)
		return ERROR_OK;
	/* Moving all that is queued for every small piece would take time squared. */
	if (bytes.size > stream->capacity - stream->size) {
		error = reserve(stream, bytes.size);
		if (error != ERROR_OK)
			return error;
	}
	memcpy(stream->data + stream->size, bytes.data, bytes.size);
	stream->size += bytes.size;
	note_used(stream);
	return ERROR_OK;
}

enum error stream_read(struct stream *stream, int fd, size_t size_max_now)
{
	size_t size = stream_room(stream) < size_max_now ? stream_room(stream) : size_max_now;
	enum error error;
	ssize_t got;

	if (size == 0)
		return ERROR_FULL;
	error = size <= stream->capacity - stream->size ? ERROR_OK : reserve(stream, size);
	if (error != ERROR_OK)
		return error;
	do
		got = read(fd, stream->data + stream->size, size);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		stream->size += (size_t)got;
	note_used(stream);
	if (stream->size == stream->at)
		stream_free(stream);
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) ? ERROR_OK : ERROR_CLOSED;
}

enum error stream_write(struct stream *stream, int fd)
{
	while (stream->size != stream->at) {
		ssize_t size = write(fd, stream->data + stream->at, stream->size - stream->at);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? ERROR_OK : ERROR_CLOSED;
		stream_consume(stream, (size_t)size);
	}
	return ERROR_OK;
}
