/*
 * Padding: the plaintext of a seal is one CBOR item and then zero bytes up to a bucket, so that sizes on
 * the wire tell little. CBOR says where the item ends, so no size is stored. The bucket of an item of n
 * bytes, n >= 1:
 *
 *     step(n) = 16                           for n < 1024
 *             = 2^(floor(log2(n)) - 4)       for n >= 1024, the largest power of two not above n / 16
 *     bucket(n) = n rounded up to a multiple of step(n)
 *
 * So 1 to 16 give 16, 1008 gives 1008, 1009 and 1024 give 1024, 1025 gives 1088, 65,537 gives 69,632. From
 * 1,024 bytes on there are 16 buckets to a doubling, and padding adds less than 1/16. A reader accepts no
 * other size: the padding carries nothing.
 */
#ifndef ENVELOPE_PADDING_H
#define ENVELOPE_PADDING_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

/* The bucket of an item of item_size bytes: at least 1, and such as can be in memory. */
size_t padding_size(size_t item_size);

/*
 * Appends zero bytes to a buffer that holds one item, from its first byte, up to the bucket.
 * ERROR_TOO_LARGE if they do not fit.
 */
enum error padding_append(struct buffer *buffer);

/*
 * Checks an opened plaintext whose item has been decoded and ended after item_size bytes, at least 1
 * and within it: ERROR_MALFORMED unless its size is exactly the bucket of the item and the rest is all zero
 * bytes.
 */
enum error padding_check(struct bytes plaintext, size_t item_size);

#endif
