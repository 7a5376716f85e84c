/*
 * liaison-sim: the record and the queue of the daemons, in virtual time, each world from one seed.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/options.h"
#include "sim/shrink.h"
#include "sim/stand_in.h"
#include "sim/tally.h"

/* ---- what is told ---- */

static void tell(const struct options *options, const struct tally_sums *sums)
{
	const char *format =
		options->json ? "{\"seeds\": %llu, \"violations\": %llu, \"unconverged\": %llu, "
				"\"real_crypto_seeds\": %llu, \"steps\": %llu, \"steps_per_s\": %llu, "
				"\"simulated_years\": %.3f, \"digest\": \"%016llx\""
			      : "%llu seeds, %llu violations, %llu unconverged, %llu with real cryptography, "
				"%llu steps, %llu a second, %.3f years, digest %016llx";
	uint64_t cpu_ms = sums->cpu_us / 1000 + 1;

	printf(format, (unsigned long long)sums->seeds, (unsigned long long)sums->violations,
	       (unsigned long long)sums->unconverged, (unsigned long long)sums->real,
	       (unsigned long long)sums->steps, (unsigned long long)(sums->steps * 1000 / cpu_ms),
	       (double)sums->time_days / 365.25, (unsigned long long)sums->digest);
	if (options->json) {
		printf(", ");
		counts_tell(&sums->counts, stdout);
		printf("}");
	}
	printf("\n");
}

#define BAR_WIDTH    40
#define BAR_AFTER_US 2000000 /* what takes no longer needs none */

/* How far it is, on a terminal; the cursor stays at the bar's beginning, and what is printed next hides it.
 */
static void show_progress(const struct options *options, uint64_t seed, uint64_t since_us)
{
	uint64_t count = options->last - options->first + 1;
	uint64_t done = seed - options->first + 1;
	unsigned width = (unsigned)(done * BAR_WIDTH / count);

	if (options->trace || since_us < BAR_AFTER_US || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "[%.*s%*s] %llu of %llu seeds\r", (int)width,
		"########################################", (int)(BAR_WIDTH - width), "",
		(unsigned long long)done, (unsigned long long)count);
	if (done == count)
		fprintf(stderr, "%*s\r", BAR_WIDTH + 60, "");
	fflush(stderr);
}

/* ---- the seeds ---- */

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool run_one(const struct options *options, uint64_t seed, struct tally *tally)
{
	struct tally_seed kept = {.seed = seed, .real = options_real(options, seed)};
	uint64_t start_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);

	stand_in_use(!kept.real);
	struct seed_run run = options_run(options, seed);
	run_seed(&run, &kept.result);
	kept.cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - start_us;
	if (options->shrink && kept.result.broken != NULL)
		shrink_seed(options, seed, &kept.result);
	return tally_add(tally, &kept);
}

static bool run_all(const struct options *options, struct tally *tally)
{
	uint64_t start_us = clock_us(CLOCK_MONOTONIC);

	for (uint64_t seed = options->first; seed <= options->last && seed >= options->first; seed++) {
		if (!tally_has(tally, seed) && !run_one(options, seed, tally))
			return false;
		show_progress(options, seed, clock_us(CLOCK_MONOTONIC) - start_us);
	}
	return true;
}

int main(int count, char **arguments)
{
	struct options options;
	struct tally tally;
	struct tally_sums sums;
	char name[OPTIONS_NAME_SIZE];

	if (options_ask_for_help(count, arguments)) {
		fputs(options_help, stdout);
		return 0;
	}
	if (!options_read(count, arguments, &options))
		return 2;
	if (sodium_init() < 0) {
		fprintf(stderr, "liaison-sim: libsodium does not start\n");
		return 2;
	}
	options_name(&options, name, sizeof(name));
	if (!tally_open(&tally, options.tally, name) || !run_all(&options, &tally))
		return 2;
	tally_sum(&tally, &sums);
	tell(&options, &sums);
	if (!tally_close(&tally))
		return 2;
	return sums.violations == 0 && sums.unconverged == 0 ? 0 : 1;
}
