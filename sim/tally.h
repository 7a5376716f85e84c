/*
 * What many seeds came to: their results, kept in a file if there is one, so that a campaign can be ended and
 * gone on with, and their sums.
 *
 * The file has a line for each seed that ran. Those of another program (the digest of its file is another) or
 * of other options stay in it and count for nothing.
 */
#ifndef SIM_TALLY_H
#define SIM_TALLY_H

#include <stdio.h>

#include "sim/world.h"

#define TALLY_CODE_SIZE 17 /* 8 bytes of a digest in hexadecimal, with the final NUL */

struct tally_seed {
	uint64_t seed;
	struct result result;
	bool real;       /* it had libsodium's own primitives */
	uint64_t cpu_us; /* of one processor */
};

struct tally {
	struct tally_seed *seeds;
	size_t count;
	size_t count_max;
	FILE *file;                 /* or NULL */
	const char *name;           /* of the file */
	char code[TALLY_CODE_SIZE]; /* of this program */
	const char *options;        /* of the campaign, as one word */
};

/*
 * Reads what the file `name` has of this program with these options, and goes on writing to it; NULL: there
 * is no file. False after saying why it cannot.
 */
bool tally_open(struct tally *tally, const char *name, const char *options);
bool tally_has(const struct tally *tally, uint64_t seed);
bool tally_add(struct tally *tally, const struct tally_seed *seed);
bool tally_close(struct tally *tally); /* false if not all was written */

struct tally_sums {
	uint64_t seeds;
	uint64_t violations;
	uint64_t unconverged;
	uint64_t real;
	uint64_t steps;
	uint64_t cpu_us;
	uint64_t time_days;
	uint64_t digest; /* of all seeds in ascending order */
	struct counts counts;
};

/* Sorts the seeds. */
void tally_sum(struct tally *tally, struct tally_sums *sums);

#endif
