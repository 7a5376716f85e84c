/*
 * HKDF with SHA-256 (RFC 5869). Inputs are given in parts, which count as one after another, so that a label
 * and a long input need not be copied together.
 */
#ifndef ENVELOPE_HKDF_H
#define ENVELOPE_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define HKDF_KEY_SIZE 32             /* bytes of a pseudorandom key */
#define HKDF_OUT_SIZE_MAX (255 * 32) /* RFC 5869, section 2.3 */

/* HKDF-Extract: a pseudorandom key from `salt` (any size; none is as 32 zero bytes) and the input's parts. */
void hkdf_extract(struct bytes salt, const struct bytes *parts, size_t part_count,
		  uint8_t key[HKDF_KEY_SIZE]);

/*
 * HKDF-Expand: `size` bytes to `out` from a pseudorandom key and the parts of info. `out` may not overlap
 * the inputs, except that it may be `key` itself. ERROR_OUT_OF_RANGE, and nothing written, for a size above
 * HKDF_OUT_SIZE_MAX.
 */
enum error hkdf_expand(const uint8_t key[HKDF_KEY_SIZE], const struct bytes *parts, size_t part_count,
		       uint8_t *out, size_t size);

#endif
