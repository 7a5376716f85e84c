#include "sim/random.h"

#include "base/bytes.h"

struct random random_make(uint64_t seed)
{
	struct random random = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019)};
	(void)random_next(&random);
	return random;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	return bound == 0 ? 0 : random_next(random) % bound;
}

bool random_chance(struct random *random, unsigned share)
{
	return random_below(random, 10000) < share;
}

void random_fill(struct random *random, uint8_t *out, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++) {
		if (i % 8 == 0)
			store_u64(bytes, random_next(random));
		out[i] = bytes[i % 8];
	}
}

uint64_t random_span(struct random *random, uint64_t low, uint64_t high)
{
	uint64_t least = low > 0 ? low : 1;
	unsigned doublings = 0; /* the fewest that make the least one as much as high */

	if (least < high) {
		doublings = (unsigned)(__builtin_clzll(least) - __builtin_clzll(high));
		doublings += least << doublings < high;
	}
	uint64_t value = low + random_below(random, least << random_below(random, doublings + 1));
	return value > high ? high : value;
}
