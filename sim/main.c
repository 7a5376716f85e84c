/*
 * liaison-sim: the record and the queue of the daemons, in virtual time, each world from one seed.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/world.h"

#define STEPS_DEFAULT 20000
#define YEAR_MS       (365.25 * 86400000.0)

struct options {
	uint64_t first;
	uint64_t last;
	uint64_t steps;
	uint64_t parties;
	bool json;
	bool trace;
	struct forced_faults forced;
};

struct totals {
	uint64_t violations;
	uint64_t unconverged;
	uint64_t steps;
	double years;
	uint64_t digest;
};

static_assert(WORLD_NODES_MAX == 8 && STEPS_DEFAULT == 20000, "the help says so");

static const char help[] =
	"Usage: liaison-sim --seeds A..B [--steps N] [--parties N] [--fault F=N]...\n"
	"                           [--json] [--trace]\n"
	"\n"
	"Runs the record and the queue of the daemons in virtual time, under crashes, restored images, "
	"wrong\n"
	"clocks, lost links and hostile bytes, and tells every violation of what must always hold. Each seed "
	"is\n"
	"a world of its own, the same each time. The exit status is 0 if no world violated anything and all\n"
	"converged after their faults, 1 if not, 2 if the command line is wrong.\n"
	"\n"
	"  --seeds A..B    the worlds to run, from A to B; A alone is one\n"
	"  --steps N       events until the faults end in each (20000)\n"
	"  --parties N     parties in each, 2 to 8 (2)\n"
	"  --fault F=N     of 10,000 chances of this fault so many come true in each; it may be given again. "
	"F is\n"
	"                  crash, link-drop, lose, relay, relay-lose, twice, corrupt, partition, jump, "
	"restore\n"
	"                  or hostile\n"
	"  --json          the result as one JSON object\n"
	"  --trace         tell each step\n"
	"  --help          this text\n"
	"\n"
	"Example: liaison-sim --seeds 1..300 --parties 3\n";

/* What is wrong with an option, and its value if it has one. */
static bool refuse(const char *option, const char *value, const char *wrong)
{
	fprintf(stderr, "liaison-sim: %s%s%s: %s\nTry: liaison-sim --help\n", option,
		value != NULL ? " " : "", value != NULL ? value : "", wrong);
	return false;
}

static bool read_number(const char *text, const char **end, uint64_t *number)
{
	char *stop;

	errno = 0;
	*number = strtoull(text, &stop, 10);
	*end = stop;
	return errno == 0 && stop != text && text[0] >= '0' && text[0] <= '9';
}

static bool read_seeds(const char *text, struct options *options)
{
	const char *end;

	if (!read_number(text, &end, &options->first))
		return false;
	options->last = options->first;
	if (*end == '\0')
		return true;
	return strncmp(end, "..", 2) == 0 && read_number(end + 2, &end, &options->last) && *end == '\0' &&
	       options->last >= options->first;
}

static bool read_count(const char *text, uint64_t *number)
{
	const char *end;
	return text != NULL && read_number(text, &end, number) && *end == '\0';
}

/* FAULT=SHARE */
static bool read_fault(const char *text, struct forced_faults *forced)
{
	const char *equals = strchr(text, '=');
	uint64_t share;

	if (equals == NULL || forced->count == FAULTS_FORCED_MAX || !read_count(equals + 1, &share) ||
	    share > 10000)
		return false;
	forced->faults[forced->count].share = (unsigned)share;
	return faults_named(bytes_make((const uint8_t *)text, (size_t)(equals - text)),
			    &forced->faults[forced->count++].fault);
}

/* An option and its value; false after an error message. */
static bool read_option(const char *name, const char *value, struct options *options)
{
	bool is_seeds = strcmp(name, "--seeds") == 0, is_steps = strcmp(name, "--steps") == 0;

	bool is_fault = strcmp(name, "--fault") == 0;
	if (!is_seeds && !is_steps && !is_fault && strcmp(name, "--parties") != 0)
		return refuse(name, NULL, "there is no such option");
	if (value == NULL)
		return refuse(name, NULL, "it needs a value");
	if (is_seeds)
		return read_seeds(value, options) ||
		       refuse(name, value, "it takes a number, or A..B with A not above B");
	if (is_fault)
		return read_fault(value, &options->forced) ||
		       refuse(name, value, "it takes FAULT=N, with N not above 10000, a few times");
	if (is_steps)
		return read_count(value, &options->steps) || refuse(name, value, "it takes a number");
	if (read_count(value, &options->parties) && options->parties >= 2 &&
	    options->parties <= WORLD_NODES_MAX)
		return true;
	return refuse(name, value, "it takes a number from 2 to 8");
}

static bool read_options(int count, char **arguments, struct options *options)
{
	bool seeds = false;

	for (int i = 1; i < count; i++) {
		const char *name = arguments[i];

		if (strcmp(name, "--json") == 0) {
			options->json = true;
		} else if (strcmp(name, "--trace") == 0) {
			options->trace = true;
		} else if (read_option(name, i + 1 < count ? arguments[i + 1] : NULL, options)) {
			seeds |= strcmp(name, "--seeds") == 0;
			i++;
		} else {
			return false;
		}
	}
	return seeds || refuse("--seeds", NULL, "it is missing, and says which worlds to run");
}

static bool asks_for_help(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
			return true;
	}
	return false;
}

static void add(struct totals *totals, const struct result *result)
{
	totals->violations += result->violated;
	totals->unconverged += result->unconverged;
	totals->steps += result->steps;
	totals->years += (double)result->time_ms / YEAR_MS;
	totals->digest = (totals->digest ^ result->digest) * UINT64_C(0x100000001b3);
	totals->digest ^= totals->digest >> 29;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void tell(const struct options *options, const struct totals *totals, double elapsed)
{
	const char *format =
		options->json
			? "{\"seeds\": %llu, \"violations\": %llu, \"unconverged\": %llu, \"steps\": %llu, "
			  "\"steps_per_s\": %.0f, \"simulated_years\": %.3f, \"digest\": \"%016llx\"}\n"
			: "%llu seeds, %llu violations, %llu unconverged, %llu steps, %.0f a second, %.3f "
			  "years, digest %016llx\n";

	printf(format, (unsigned long long)(options->last - options->first + 1),
	       (unsigned long long)totals->violations, (unsigned long long)totals->unconverged,
	       (unsigned long long)totals->steps, (double)totals->steps / elapsed, totals->years,
	       (unsigned long long)totals->digest);
}

int main(int count, char **arguments)
{
	struct options options = {.steps = STEPS_DEFAULT, .parties = 2};
	struct totals totals = {.digest = UINT64_C(0xcbf29ce484222325)};

	if (asks_for_help(count, arguments)) {
		fputs(help, stdout);
		return 0;
	}
	if (!read_options(count, arguments, &options))
		return 2;
	if (sodium_init() < 0) {
		fprintf(stderr, "liaison-sim: libsodium does not start\n");
		return 2;
	}
	double start = seconds();
	for (uint64_t seed = options.first; seed <= options.last && seed >= options.first; seed++) {
		struct result result;
		run_seed(seed, (size_t)options.parties, options.steps, &options.forced, options.trace,
			 &result);
		add(&totals, &result);
	}
	tell(&options, &totals, seconds() - start);
	return totals.violations == 0 && totals.unconverged == 0 ? 0 : 1;
}
