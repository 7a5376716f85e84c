/*
 * Fragments of bundles: cutting (RFC 9171, section 5.8) and putting together (section 5.9).
 *
 * Nothing here holds bytes of its own: fragments are appended to the caller's buffer, and a unit (the payload
 * of the bundle that was cut) is put together in the caller's memory. Fragments may come in any order, more
 * than once, and cut differently by different nodes, so that they overlap. Where two fragments disagree on a
 * byte or on the size of the unit, the later one is refused: which of them is right nobody can tell here,
 * only who opens the seal.
 */
#ifndef CARRY_FRAGMENT_H
#define CARRY_FRAGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "carry/bundle.h"

/*
 * Appends the bundle as bundle_forward does with `forwarding` (whose offset and size are not read), from
 * *offset of its payload on, as one bundle of at most size_max bytes, and moves *offset to what is to be sent
 * next. Start with *offset = 0; all is sent when *offset is the payload's size. A bundle that fits is not
 * made a fragment.
 *
 * ERROR_UNSUPPORTED: it does not fit and must not be cut. ERROR_TOO_LARGE: size_max, or the buffer's room, is
 * too small for even one byte of payload. Then *offset stands and the buffer holds nothing new.
 */
enum error fragment_next(struct buffer *buffer, const struct bundle *bundle,
			 const struct bundle_forwarding *forwarding, size_t size_max, size_t *offset);

/* The parts of one unit that are held: ascending, apart from each other, none empty. */
struct fragment_range {
	uint64_t offset;
	uint64_t size;
};

struct fragment_ranges {
	uint64_t total; /* bytes of the unit */
	size_t count;
	struct fragment_range ranges[FRAGMENT_RANGES_MAX];
};

/* Of a unit of `total` bytes nothing is held. */
void fragment_ranges_make(struct fragment_ranges *ranges, uint64_t total);

/*
 * Adds what a fragment brings. ERROR_DUPLICATE: all of it is held already. ERROR_MALFORMED: it says another
 * size of the unit, or does not lie within it. ERROR_FULL: more than FRAGMENT_RANGES_MAX separate parts. On
 * an error nothing changes.
 */
enum error fragment_ranges_add(struct fragment_ranges *ranges, uint64_t total, uint64_t offset,
			       uint64_t size);

/* True if the whole unit is held. */
bool fragment_ranges_whole(const struct fragment_ranges *ranges);

/* A unit that is put together in `unit`, memory of the caller's for ranges.total bytes. */
struct reassembly {
	struct fragment_ranges ranges;
	uint8_t *unit;
};

/* ERROR_TOO_LARGE if the unit is larger than size_max, what `unit` can hold. */
enum error reassembly_make(struct reassembly *reassembly, uint64_t total, uint8_t *unit, size_t size_max);

/*
 * Copies a fragment's payload into place. Errors as fragment_ranges_add; also ERROR_MALFORMED if it disagrees
 * with what is held where they overlap. On an error nothing changes.
 */
enum error reassembly_add(struct reassembly *reassembly, uint64_t total, uint64_t offset,
			  struct bytes payload);

/* True if all is there: ranges.total bytes at `unit`. */
bool reassembly_whole(const struct reassembly *reassembly);

#endif
