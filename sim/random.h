/*
 * The one source of chance in a simulated world: everything is drawn from a seed, in one order, so that a
 * seed replays exactly. Not for secrets that matter.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

struct random random_make(uint64_t seed);
uint64_t random_next(struct random *random);
/* 0 to bound - 1; 0 where bound is 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* True in `share` of 10,000 draws. */
bool random_chance(struct random *random, unsigned share);
void random_fill(struct random *random, uint8_t *out, size_t size);
/* From `low` to `high`, small values as often as large ones: a duration of which only the order of size
 * matters. */
uint64_t random_span(struct random *random, uint64_t low, uint64_t high);

#endif
