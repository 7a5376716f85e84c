/*
 * What went wrong in a world, and what was refused in it, by kind: so that a campaign shows what it has
 * tried, and what it has not.
 */
#ifndef SIM_COUNTS_H
#define SIM_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"

/*
 * What happens by chance. Each time that one does has a number, counted over all kinds, and can be left out
 * by it.
 */
enum fault {
	FAULT_WORDS,      /* no fault: an officer writes something */
	FAULT_BAD_WORDS,  /* an officer's program signs what must be refused */
	FAULT_CRASH,      /* at each point where a process can die */
	FAULT_LINK_DROP,  /* the stream between post and courier breaks */
	FAULT_LOSE,       /* the session ends with a transfer, and the bundle may have arrived */
	FAULT_RELAY,      /* a relay takes a bundle, to deliver it late, */
	FAULT_RELAY_LOSE, /* or never */
	FAULT_TWICE,
	FAULT_CORRUPT,
	FAULT_PARTITION, /* one direction is cut for a while */
	FAULT_JUMP,      /* a wall clock jumps */
	FAULT_RESTORE,   /* a post's store is replaced by an old image */
	FAULT_FULL_DISK,
	/* bytes of a stranger on the way */
	FAULT_NOISE,
	FAULT_FLIP,    /* one bit off */
	FAULT_REPLAY,  /* what was sealed once, in new bundles */
	FAULT_REFLECT, /* sent back to where it came from */
	FAULT_PIECES,  /* fragments that nothing follows */
	/* a party that is hostile, with all its keys */
	FAULT_FORGE,      /* its post signs what it must not */
	FAULT_EQUIVOCATE, /* and two of what can be only once */
	FAULT_WITHHOLD,   /* does not send what it should */
	FAULT_FLOOD,      /* sends more than anybody can take */
	FAULT_FORK,       /* goes to and fro between two stores */
	FAULT_FLEE,       /* is gone for good */
	FAULTS
};

#define FAULT_HOSTILE_FIRST FAULT_FORGE /* those that make a party hostile, to the end */

#define COUNTS_REFUSALS 40 /* errors that are told, at most */

struct counts {
	uint64_t faults[FAULTS];
	uint64_t refusals[COUNTS_REFUSALS];
};

const char *counts_fault_name(enum fault fault);
/* The fault of this name; false if there is none. */
bool counts_fault_named(struct bytes name, enum fault *fault);

/* Something was refused, or dropped; numbers that are not told are not counted. */
void counts_refused(struct counts *counts, enum error reason);
void counts_add(struct counts *sum, const struct counts *counts);

/* As two JSON objects with names; also what is zero. */
void counts_tell(const struct counts *counts, FILE *file);

/* As numbers, for a tally, and back; *end is behind them. */
void counts_write(const struct counts *counts, FILE *file);
bool counts_read(const char *text, struct counts *counts, const char **end);

#endif
