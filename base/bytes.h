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

/* A buffer over `memory` of size_max bytes, empty. */
struct buffer buffer_make(void *memory, size_t size_max);

/* ERROR_OK, or ERROR_TOO_LARGE once an append did not fit. */
enum error buffer_error(const struct buffer *buffer);

void buffer_append(struct buffer *buffer, struct bytes bytes);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);

/* Big-endian, as every network format here. */
void buffer_append_u16(struct buffer *buffer, uint16_t value);
void buffer_append_u32(struct buffer *buffer, uint32_t value);
void buffer_append_u64(struct buffer *buffer, uint64_t value);

/* Reserves `size` bytes and returns where to write them, or NULL (and the buffer is failed). */
uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

/* What has been written so far; valid until the next append. */
struct bytes buffer_bytes(const struct buffer *buffer);

/* Removes the first `size` bytes (size <= buffer->size) and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t size);

struct bytes bytes_make(const void *data, size_t size);
struct bytes bytes_of_text(const char *text); /* without the final NUL */
bool bytes_equal(struct bytes a, struct bytes b);      /* not for secrets: time depends on content */
int bytes_compare(struct bytes a, struct bytes b);     /* memcmp order, shorter first; <0, 0, >0 */

/* Big-endian loads; the caller vouches for the 2, 4 or 8 bytes. */
uint16_t load_u16(const uint8_t *data);
uint32_t load_u32(const uint8_t *data);
uint64_t load_u64(const uint8_t *data);
void store_u16(uint8_t *data, uint16_t value);
void store_u32(uint8_t *data, uint32_t value);
void store_u64(uint8_t *data, uint64_t value);

#endif
