/*
 * Bounded bytes: a borrowed view, and an append buffer over memory that the caller owns.
 *
 * Neither allocates. A buffer never writes past size_max: an append that does not fit marks the buffer
 * `failed` and changes nothing, and every later append is ignored; the caller checks once, at the end, with
 * buffer_error().
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

struct bytes {
	const uint8_t *data; /* may be NULL only when size is 0 */
	size_t size;
};

struct buffer {
	uint8_t *data;
	size_t size;     /* bytes written */
	size_t size_max; /* bytes that data can hold */
	bool failed;     /* an append did not fit */
};

/*
 * The small ones stand here in full: they are called some thousand times for one message, and a call costs
 * more than what they do.
 */

static inline struct bytes bytes_make(const void *data, size_t size)
{
	return (struct bytes){.data = data, .size = size};
}

/* Without the final NUL. */
static inline struct bytes bytes_of_text(const char *text)
{
	return bytes_make(text, strlen(text));
}

/* Not for secrets: time depends on content. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b); /* memcmp order, shorter first; <0, 0, >0 */

/* ---- buffers ---- */

/* A buffer over `memory` of size_max bytes, empty. */
struct buffer buffer_make(void *memory, size_t size_max);

/* ERROR_OK, or ERROR_TOO_LARGE once an append did not fit. */
static inline enum error buffer_error(const struct buffer *buffer)
{
	return buffer->failed ? ERROR_TOO_LARGE : ERROR_OK;
}

/* Reserves `size` bytes and returns where to write them, or NULL (and the buffer is failed). */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
	if (buffer->failed)
		return NULL;
	if (size > buffer->size_max - buffer->size) {
		buffer->failed = true;
		return NULL;
	}
	/* Adding even zero to a null pointer is undefined: a buffer without memory has size 0. */
	uint8_t *to = buffer->size == 0 ? buffer->data : buffer->data + buffer->size;
	buffer->size += size;
	return to;
}

static inline void buffer_append(struct buffer *buffer, struct bytes bytes)
{
	uint8_t *to = buffer_reserve(buffer, bytes.size);

	if (to != NULL && bytes.size != 0)
		memcpy(to, bytes.data, bytes.size);
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte);

/* Big-endian, as every network format here. */
void buffer_append_u16(struct buffer *buffer, uint16_t value);
void buffer_append_u32(struct buffer *buffer, uint32_t value);
void buffer_append_u64(struct buffer *buffer, uint64_t value);

/* What has been written so far; valid until the next append. */
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
	return bytes_make(buffer->data, buffer->size);
}

/* Removes the first `size` bytes (size <= buffer->size) and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t size);

/* ---- numbers ---- */

/* Big-endian; the caller vouches for the 2, 4 or 8 bytes. */

static inline uint16_t load_u16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t load_u32(const uint8_t *data)
{
	return (uint32_t)load_u16(data) << 16 | load_u16(data + 2);
}

static inline uint64_t load_u64(const uint8_t *data)
{
	return (uint64_t)load_u32(data) << 32 | load_u32(data + 4);
}

static inline void store_u16(uint8_t *data, uint16_t value)
{
	data[0] = (uint8_t)(value >> 8);
	data[1] = (uint8_t)(value & 0xff);
}

static inline void store_u32(uint8_t *data, uint32_t value)
{
	store_u16(data, (uint16_t)(value >> 16));
	store_u16(data + 2, (uint16_t)(value & 0xffff));
}

static inline void store_u64(uint8_t *data, uint64_t value)
{
	store_u32(data, (uint32_t)(value >> 32));
	store_u32(data + 4, (uint32_t)(value & 0xffffffff));
}

#endif
