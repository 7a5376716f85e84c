#include "sim/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 800 /* of the seed: what is short enough by then is told */

struct shrinker {
	uint64_t seed;
	const char *broken;
	size_t runs;
	/* the shortest that breaks the same, and what came of it */
	struct options options;
	struct result result;
	/* of the faults of that by number, from 1: true: it may happen. Those beyond may not. */
	bool *kept;
	uint64_t kept_size;
};

/* The numbers that are kept as ranges; false if there are too many. */
static bool list_ranges(const bool *kept, uint64_t size, struct strikes *strikes)
{
	strikes->count = 0;
	for (uint64_t i = 1; i <= size; i++) {
		if (!kept[i])
			continue;
		if (strikes->count > 0 && strikes->ranges[strikes->count - 1].last + 1 == i) {
			strikes->ranges[strikes->count - 1].last = i;
			continue;
		}
		if (strikes->count == STRIKES_RANGES_MAX)
			return false;
		strikes->ranges[strikes->count++] = (struct strikes_range){.first = i, .last = i};
	}
	return true;
}

/* True, and it is the shortest now, if the candidate breaks the same. */
static bool try(struct shrinker *shrinker, const struct options *candidate)
{
	struct result result;
	struct seed_run run = options_run(candidate, shrinker->seed);

	if (shrinker->runs == RUNS_MAX)
		return false;
	shrinker->runs++;
	run.quiet = true;
	run.trace = NULL;
	run_seed(&run, &result);
	if (result.broken == NULL || strcmp(result.broken, shrinker->broken) != 0)
		return false;
	shrinker->options = *candidate;
	shrinker->result = result;
	return true;
}

/* Another world, which may break the same. */
static void leave_parties(struct shrinker *shrinker)
{
	struct options candidate = shrinker->options;

	for (uint64_t parties = 2; parties < shrinker->options.parties; parties++) {
		candidate.parties = parties;
		if (try(shrinker, &candidate))
			return;
	}
}

static void leave_steps(struct shrinker *shrinker)
{
	struct options candidate = shrinker->options;

	do
		candidate.steps = shrinker->options.steps / 2;
	while (shrinker->options.steps > 0 && try(shrinker, &candidate));
}

static void leave_kinds(struct shrinker *shrinker)
{
	for (size_t i = 0; i < FAULTS; i++) {
		struct options candidate = shrinker->options;
		if (shrinker->result.counts.faults[i] == 0)
			continue;
		candidate.forced.forced[i] = true;
		candidate.forced.shares[i] = 0;
		(void)try(shrinker, &candidate);
	}
}

/* Leaves out those from `first` on, if anything of them is kept; false where it makes a difference. */
static bool leave_chunk(struct shrinker *shrinker, uint64_t first, uint64_t count)
{
	struct options candidate = shrinker->options;
	bool *kept = disk_must(malloc((size_t)shrinker->kept_size + 1));
	bool any = false;

	memcpy(kept, shrinker->kept, (size_t)shrinker->kept_size + 1);
	for (uint64_t i = first; i < first + count && i <= shrinker->kept_size; i++) {
		any = any || kept[i];
		kept[i] = false;
	}
	candidate.has_only = true;
	bool left =
		any && list_ranges(kept, shrinker->kept_size, &candidate.only) && try(shrinker, &candidate);
	if (left) {
		free(shrinker->kept);
		shrinker->kept = kept;
	} else {
		free(kept);
	}
	return left;
}

static bool leave_chunks(struct shrinker *shrinker, uint64_t count)
{
	bool any = false;

	for (uint64_t at = (shrinker->kept_size / count + 1) * count; at > 0; at -= count)
		any = leave_chunk(shrinker, at - count + 1, count) || any;
	return any;
}

/* The later ones first: what came after the fall has no part in it. */
static void leave_faults(struct shrinker *shrinker)
{
	uint64_t count = 1;

	shrinker->kept_size = shrinker->result.strikes;
	shrinker->kept = disk_must(malloc((size_t)shrinker->kept_size + 1));
	memset(shrinker->kept, 1, (size_t)shrinker->kept_size + 1);
	while (count < shrinker->kept_size)
		count *= 2;
	for (; count > 1; count /= 2)
		(void)leave_chunks(shrinker, count);
	while (leave_chunks(shrinker, 1))
		continue;
}

static void tell_command(const struct shrinker *shrinker)
{
	const struct options *options = &shrinker->options;

	fprintf(stderr, "liaison-sim --seeds %llu --parties %llu --steps %llu",
		(unsigned long long)shrinker->seed, (unsigned long long)options->parties,
		(unsigned long long)options->steps);
	fprintf(stderr, " --crypto %s", options_real(options, shrinker->seed) ? "real" : "stand-in");
	for (size_t i = 0; i < FAULTS; i++)
		if (options->forced.forced[i])
			fprintf(stderr, " --fault %s=%u", counts_fault_name((enum fault)i),
				options->forced.shares[i]);
	for (size_t i = 0; i < options->only.count; i++) {
		const struct strikes_range *range = &options->only.ranges[i];
		fprintf(stderr, "%s%llu", i == 0 ? " --only " : ",", (unsigned long long)range->first);
		if (range->last > range->first)
			fprintf(stderr, "..%llu", (unsigned long long)range->last);
	}
	if (options->has_only && options->only.count == 0)
		fprintf(stderr, " --only 0");
	fprintf(stderr, " --trace\n");
}

static void tell(const struct shrinker *shrinker)
{
	struct seed_run run = options_run(&shrinker->options, shrinker->seed);
	struct result result;
	uint64_t faults = 0;

	for (size_t i = 0; i < FAULTS; i++)
		faults += shrinker->result.counts.faults[i];
	fprintf(stderr, "seed %llu shrunk in %zu runs: %llu parties, %llu steps, %llu faults\n",
		(unsigned long long)shrinker->seed, shrinker->runs,
		(unsigned long long)shrinker->options.parties, (unsigned long long)shrinker->result.steps,
		(unsigned long long)faults);
	run.quiet = true;
	run.trace = stderr;
	run_seed(&run, &result);
	fprintf(stderr, "replay: ");
	tell_command(shrinker);
}

void shrink_seed(const struct options *options, uint64_t seed, const struct result *found)
{
	struct shrinker *shrinker = disk_must(calloc(1, sizeof(*shrinker)));

	*shrinker = (struct shrinker){
		.seed = seed, .broken = found->broken, .options = *options, .result = *found};
	leave_parties(shrinker);
	leave_kinds(shrinker);
	leave_steps(shrinker);
	if (!shrinker->options.has_only)
		leave_faults(shrinker);
	leave_steps(shrinker);
	tell(shrinker);
	free(shrinker->kept);
	free(shrinker);
}
