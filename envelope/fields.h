/*
 * Fields that several formats of this wing share. Internal to envelope/: no other wing includes it.
 */
#ifndef ENVELOPE_FIELDS_H
#define ENVELOPE_FIELDS_H

#include "base/cbor.h"
#include "envelope/party.h"

/* A number from min to max; ERROR_OUT_OF_RANGE outside. */
uint64_t fields_read_between(struct cbor_reader *reader, uint64_t min, uint64_t max);

/* A Unix time of at most TIME_MAX. */
uint64_t fields_read_time(struct cbor_reader *reader);

/* A text of 1 to size_max bytes; ERROR_MALFORMED if it is empty, for such a text is to be left out. */
struct bytes fields_read_text(struct cbor_reader *reader, size_t size_max);

/* The number of items of an array of count_min to count_max items; ERROR_MALFORMED if there are fewer. */
size_t fields_read_array(struct cbor_reader *reader, size_t count_min, size_t count_max);

/* An array of either 'count' items (false) or one more (true); anything else is ERROR_WRONG_TYPE. */
bool fields_read_array_or_one_more(struct cbor_reader *reader, size_t count);

/* A range of positions: first, then a count of at least 1, with the last of them at most POSITION_MAX. */
void fields_read_range(struct cbor_reader *reader, uint64_t *first, uint64_t *count);

/* A byte string of exactly these bytes. */
void fields_write_bytes(struct buffer *buffer, const uint8_t *data, size_t size);

#endif
