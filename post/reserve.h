/*
 * Room on the disk: new work is refused before it is accepted, the bulk first and receipts last.
 *
 * Below each floor of free bytes the post takes less. A reserve file holds RESERVE_SIZE bytes back from
 * everything else on that file system; it is given up at the last floor, so that receipts for what was
 * accepted can still be written, and made again when there is room.
 */
#ifndef POST_RESERVE_H
#define POST_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define RESERVE_MIB  (1024 * 1024)
#define RESERVE_SIZE (8 * RESERVE_MIB)
/* The last floor covers a full write-ahead log, its checkpoint and a batch, at some 6 MiB each at most. */
#define RESERVE_FLOOR_LAST   (16 * RESERVE_MIB)
#define RESERVE_FLOOR_SCARCE (24 * RESERVE_MIB)
#define RESERVE_FLOOR_LOW    (32 * RESERVE_MIB)
/* Sealed bytes up to which a delivery may be a receipt or a letter of few words: those are taken longest. */
#define RESERVE_SMALL_SIZE 1024

enum reserve_level {
	RESERVE_AMPLE,
	RESERVE_LOW,    /* no ROUTINE messages from officers, no backup */
	RESERVE_SCARCE, /* nor PRIORITY from officers, nor ROUTINE from the courier unless small */
	RESERVE_LAST,   /* nothing from officers but letters; from the courier what is small */
};

struct reserve {
	int directory; /* borrowed */
	bool held;     /* the reserve file is there in full */
	enum reserve_level level;
};

/* The level for so many free bytes. Pure. */
enum reserve_level reserve_level_of(uint64_t free_bytes);

/*
 * Whether work is taken at a level. For a submission: the entry's kind (3 is a letter) and precedence; for a
 * delivery: the courier's hint at its precedence and its sealed size. Pure.
 */
bool reserve_takes_submission(enum reserve_level level, uint64_t kind, uint64_t precedence);
bool reserve_takes_delivery(enum reserve_level level, unsigned precedence, size_t size);

/* For the file system of `directory`, a descriptor that stays the caller's. AMPLE until the first update. */
void reserve_make(struct reserve *reserve, int directory);

/*
 * Looks again (free bytes count without what the reserve file still needs), and gives up or makes the
 * reserve file accordingly. Returns true if the level has changed. A file system that does not say how much
 * is free counts as ample.
 */
bool reserve_update(struct reserve *reserve);

#endif
