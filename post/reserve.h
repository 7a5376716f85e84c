/*
 * Room on the disk: new work is refused before it is accepted, the bulk first and receipts last.
 *
 * Below each floor of free bytes the post takes less, until there is a margin above it. A reserve file holds
 * RESERVE_SIZE bytes back from everything else on that file system; it is given up at the last floor, so
 * that receipts for what was accepted can still be written, and made again when there is room.
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
/* Above a floor, what ends its level: room that swings about a floor does not change it each second. */
#define RESERVE_MARGIN RESERVE_MIB

enum reserve_level {
	RESERVE_AMPLE,
	RESERVE_LOW,    /* no ROUTINE messages from officers, no backup */
	RESERVE_SCARCE, /* nor PRIORITY from officers, nor ROUTINE messages from the courier */
	RESERVE_LAST,   /* nothing from officers but letters; no messages from the courier */
};

struct reserve {
	int directory; /* borrowed */
	bool held;     /* the reserve file is there in full */
	enum reserve_level level;
};

/* The level after `before`, for so many free bytes: it rises RESERVE_MARGIN above a floor only. Pure. */
enum reserve_level reserve_level_next(enum reserve_level before, uint64_t free_bytes);

/* Whether a submission is taken at a level, by the entry's kind (3 is a letter) and precedence. Pure. */
bool reserve_takes_submission(enum reserve_level level, uint64_t kind, uint64_t precedence);

/*
 * The least precedence (1 to 5, which none has) of the messages that are taken from the courier at a level;
 * the record tells them from letters, verdicts and statements, which always are. Pure.
 */
unsigned reserve_delivery_min(enum reserve_level level);

/* For the file system of `directory`, a descriptor that stays the caller's. AMPLE until the first update. */
void reserve_make(struct reserve *reserve, int directory);

/*
 * Looks again (free bytes count without what the reserve file still needs), and gives up or makes the
 * reserve file accordingly. Returns true if the level has changed. A file system that does not say how much
 * is free counts as ample.
 */
bool reserve_update(struct reserve *reserve);

#endif
