/*
 * Deterministic CBOR (RFC 8949, section 4.2.1): a strict reader and a writer, without allocation.
 *
 * Accepted: unsigned and negative integers, byte strings, text strings (valid UTF-8), arrays, maps with
 * integer keys in ascending canonical order, tags where asked for, false, true, null. Refused: floating
 * point, undefined and other simple values, bignums (tags 2 and 3), indefinite lengths (but see
 * cbor_read_array_indefinite, which RFC 9171 needs for a bundle's outermost array), lengths and integers not
 * in their shortest form, unsorted or repeated map keys, nesting deeper than CBOR_DEPTH_MAX.
 *
 * The reader is sticky: the first error stays in `error`, every later read returns zero or an empty view, and
 * a caller checks once with cbor_reader_error() or cbor_read_end(). Counts read by a failed reader are 0, so
 * loops over them end. An array or map whose count exceeds the bytes left (each item takes one at least) is
 * refused before any loop.
 */
#ifndef BASE_CBOR_H
#define BASE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum cbor_type {
	CBOR_UINT = 0,
	CBOR_NEGATIVE = 1,
	CBOR_BYTES = 2,
	CBOR_TEXT = 3,
	CBOR_ARRAY = 4,
	CBOR_MAP = 5,
	CBOR_TAG = 6,
	CBOR_SIMPLE = 7,
	CBOR_NONE = 8, /* no item: the end of the input, or an error */
};

#define CBOR_DEPTH_MAX 16 /* arrays, maps and tags around an item, empty ones too */

struct cbor_reader {
	const uint8_t *data;
	size_t size;
	size_t at; /* bytes consumed */
	enum error error;
};

/* A reader over borrowed bytes; views it returns point into them. */
struct cbor_reader cbor_reader_make(struct bytes bytes);

/* The type of the next item, without consuming it. CBOR_NONE at the end or after an error. */
enum cbor_type cbor_peek(const struct cbor_reader *reader);

uint64_t cbor_read_uint(struct cbor_reader *reader);
/* As cbor_read_uint, and ERROR_OUT_OF_RANGE above max. */
uint64_t cbor_read_uint_max(struct cbor_reader *reader, uint64_t max);
int64_t cbor_read_int(struct cbor_reader *reader); /* ERROR_OUT_OF_RANGE outside int64_t */
/* The n of a negative integer -1 - n, of the full range. */
uint64_t cbor_read_negative(struct cbor_reader *reader);
bool cbor_read_bool(struct cbor_reader *reader);
/* Consumes a null if one is next and returns true; otherwise consumes nothing and returns false. */
bool cbor_read_null(struct cbor_reader *reader);

/* A byte string of at most size_max bytes (ERROR_TOO_LARGE above). */
struct bytes cbor_read_bytes(struct cbor_reader *reader, size_t size_max);
/* A byte string of exactly `size` bytes, copied to `to`; zeros there on error (ERROR_OUT_OF_RANGE). */
void cbor_read_bytes_exact(struct cbor_reader *reader, uint8_t *to, size_t size);
/* A text string of at most size_max bytes, valid UTF-8 (ERROR_NOT_TEXT). Not NUL-terminated. */
struct bytes cbor_read_text(struct cbor_reader *reader, size_t size_max);
/* The same, copied to `to` with a NUL behind it: room for size_max + 1 bytes. Empty on error. */
void cbor_read_text_copy(struct cbor_reader *reader, char *to, size_t size_max);

/* The number of items of an array, at most count_max (ERROR_TOO_LARGE). */
size_t cbor_read_array(struct cbor_reader *reader, size_t count_max);
/* As cbor_read_array, and ERROR_WRONG_TYPE unless the array has exactly `count` items. */
void cbor_read_array_exact(struct cbor_reader *reader, size_t count);
/* The number of pairs of a map, at most count_max. Read each key with cbor_read_key. */
size_t cbor_read_map(struct cbor_reader *reader, size_t count_max);
/* The next integer key; *previous starts as CBOR_KEY_NONE and keys must ascend in canonical order
 * (bytewise: 0, 1, ... then -1, -2, ...), else ERROR_NOT_CANONICAL. INT64_MIN is ERROR_OUT_OF_RANGE. */
#define CBOR_KEY_NONE INT64_MIN
int64_t cbor_read_key(struct cbor_reader *reader, int64_t *previous);
uint64_t cbor_read_tag(struct cbor_reader *reader);

/* Consumes one whole item of any accepted kind, checked to the same rules (maps may here have any accepted
 * keys, in bytewise ascending order), and returns its bytes. */
struct bytes cbor_read_item(struct cbor_reader *reader);

/* RFC 9171, section 4.1: consumes 0x9f. The items follow until cbor_read_break returns true. */
void cbor_read_array_indefinite(struct cbor_reader *reader);
/* Consumes 0xff if it is next and returns true; otherwise consumes nothing and returns false. Returns true
 * after an error, so that a loop over the items ends. */
bool cbor_read_break(struct cbor_reader *reader);

/* Marks the reader failed, if it is not already: for what the caller finds wrong. Returns reader->error. */
enum error cbor_reader_fail(struct cbor_reader *reader, enum error error);
enum error cbor_reader_error(const struct cbor_reader *reader);
/* The error if any; ERROR_TRAILING if input is left; else ERROR_OK. */
enum error cbor_read_end(struct cbor_reader *reader);

/* The writer: shortest forms only; map keys must be written in ascending canonical order by the caller. */
void cbor_write_uint(struct buffer *buffer, uint64_t value);
void cbor_write_int(struct buffer *buffer, int64_t value);
void cbor_write_bytes(struct buffer *buffer, struct bytes bytes);
void cbor_write_text(struct buffer *buffer, struct bytes text); /* the caller vouches for UTF-8 */
void cbor_write_array(struct buffer *buffer, size_t count);
void cbor_write_map(struct buffer *buffer, size_t count);
void cbor_write_tag(struct buffer *buffer, uint64_t tag);
void cbor_write_bool(struct buffer *buffer, bool value);
void cbor_write_null(struct buffer *buffer);
void cbor_write_array_indefinite(struct buffer *buffer); /* 0x9f */
void cbor_write_break(struct buffer *buffer);            /* 0xff */

/* The head of a byte string of `size` bytes, whose content the caller appends next. */
void cbor_write_bytes_head(struct buffer *buffer, size_t size);

/* Bytes that a head with this argument takes: 1, 2, 3, 5 or 9. */
size_t cbor_head_size(uint64_t argument);

#endif
