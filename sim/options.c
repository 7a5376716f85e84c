#include "sim/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(WORLD_NODES_MAX == 8 && OPTIONS_STEPS_DEFAULT == 20000 && OPTIONS_REAL_SHARE == 16,
	      "the help says so");

const char options_help[] =
	"Usage: liaison-sim --seeds A..B [--steps N] [--parties N] [--fault F=N]...\n"
	"                           [--crypto C] [--only LIST] [--tally FILE] [--shrink]\n"
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
	"                  words, bad-words, crash, link-drop, lose, relay, relay-lose, twice, corrupt,\n"
	"                  partition, jump, restore, full-disk, noise, flip, replay, reflect or pieces; or, "
	"by\n"
	"                  which one party is hostile: forge, equivocate, withhold, flood, fork or flee\n"
	"  --crypto C      real for libsodium's in every world; stand-in for cheap primitives, which refuse "
	"all "
	"that\n"
	"                  the real ones do; else each seed that 16 divides has the real ones, the others "
	"those\n"
	"  --only LIST     of the faults only those with these numbers, such as 3,17..20; --trace tells "
	"them\n"
	"  --tally FILE    keep each world's result there, run those that it has not, and tell the sums of "
	"all "
	"in\n"
	"                  it of this program with these options: parts of one campaign add up\n"
	"  --shrink        make what fails short: leave out parties, faults and steps while the same falls, "
	"and\n"
	"                  tell what is left, and the command that replays it\n"
	"  --json          the result as one JSON object, with counts of each kind of fault, and of "
	"refusals\n"
	"  --trace         tell each step from the first fault on\n"
	"  --help          this text\n"
	"\n"
	"A step is an event given to a core; steps are told for each second of one processor's time.\n"
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

static bool read_count(const char *text, uint64_t *number)
{
	const char *end;
	return read_number(text, &end, number) && *end == '\0';
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

static bool read_steps(const char *text, struct options *options)
{
	return read_count(text, &options->steps);
}

static bool read_parties(const char *text, struct options *options)
{
	return read_count(text, &options->parties) && options->parties >= 2 &&
	       options->parties <= WORLD_NODES_MAX;
}

static bool read_crypto(const char *text, struct options *options)
{
	if (strcmp(text, "real") != 0 && strcmp(text, "stand-in") != 0)
		return false;
	options->crypto = text[0] == 'r' ? CRYPTO_REAL : CRYPTO_STAND_IN;
	return true;
}

static bool read_tally(const char *text, struct options *options)
{
	options->tally = text;
	return text[0] != '\0';
}

/* FAULT=SHARE */
static bool read_fault(const char *text, struct options *options)
{
	const char *equals = strchr(text, '=');
	uint64_t share;
	enum fault fault;

	if (equals == NULL || !read_count(equals + 1, &share) || share > 10000 ||
	    !counts_fault_named(bytes_make((const uint8_t *)text, (size_t)(equals - text)), &fault))
		return false;
	options->forced.forced[fault] = true;
	options->forced.shares[fault] = (unsigned)share;
	return true;
}

/* N or N..N, some with commas between, ascending. */
static bool read_only(const char *text, struct options *options)
{
	struct strikes *only = &options->only;

	options->has_only = true;
	only->count = 0;
	for (bool more = true; more; text++) {
		struct strikes_range range;
		if (only->count == STRIKES_RANGES_MAX || !read_number(text, &text, &range.first))
			return false;
		range.last = range.first;
		if (strncmp(text, "..", 2) == 0 && !read_number(text + 2, &text, &range.last))
			return false;
		bool ascends = only->count == 0 || range.first > only->ranges[only->count - 1].last;
		if (!ascends || range.last < range.first || (*text != ',' && *text != '\0'))
			return false;
		only->ranges[only->count++] = range;
		more = *text == ',';
	}
	return true;
}

static const struct {
	const char *name;
	bool (*read)(const char *text, struct options *options);
	const char *wrong;
} values[] = {
	{"--seeds", read_seeds, "it takes a number, or A..B with A not above B"},
	{"--steps", read_steps, "it takes a number"},
	{"--parties", read_parties, "it takes a number from 2 to 8"},
	{"--fault", read_fault, "it takes FAULT=N, with N not above 10000"},
	{"--only", read_only, "it takes numbers and ranges N..N, ascending, with commas between"},
	{"--crypto", read_crypto, "it takes real or stand-in"},
	{"--tally", read_tally, "it takes a file's name"},
};
#define VALUES (sizeof(values) / sizeof(values[0]))

/* An option and its value; false after an error message. */
static bool read_option(const char *name, const char *value, struct options *options)
{
	size_t i = 0;

	while (i < VALUES && strcmp(name, values[i].name) != 0)
		i++;
	if (i == VALUES)
		return refuse(name, NULL, "there is no such option");
	if (value == NULL)
		return refuse(name, NULL, "it needs a value");
	return values[i].read(value, options) || refuse(name, value, values[i].wrong);
}

bool options_read(int count, char **arguments, struct options *options)
{
	*options = (struct options){.steps = OPTIONS_STEPS_DEFAULT, .parties = 2};
	bool seeds = false;

	for (int i = 1; i < count; i++) {
		const char *name = arguments[i];

		if (strcmp(name, "--json") == 0) {
			options->json = true;
		} else if (strcmp(name, "--trace") == 0) {
			options->trace = true;
		} else if (strcmp(name, "--shrink") == 0) {
			options->shrink = true;
		} else if (read_option(name, i + 1 < count ? arguments[i + 1] : NULL, options)) {
			seeds |= strcmp(name, "--seeds") == 0;
			i++;
		} else {
			return false;
		}
	}
	if (options->has_only && options->tally != NULL)
		return refuse("--only", NULL, "with --tally, it would be another campaign");
	return seeds || refuse("--seeds", NULL, "it is missing, and says which worlds to run");
}

bool options_ask_for_help(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
			return true;
	}
	return false;
}

bool options_real(const struct options *options, uint64_t seed)
{
	if (options->crypto == CRYPTO_BY_SEED)
		return seed % OPTIONS_REAL_SHARE == 0;
	return options->crypto == CRYPTO_REAL;
}

struct seed_run options_run(const struct options *options, uint64_t seed)
{
	return (struct seed_run){
		.seed = seed,
		.nodes = (size_t)options->parties,
		.steps_max = options->steps,
		.forced = &options->forced,
		.kept = options->has_only ? &options->only : NULL,
		.trace = options->trace ? stdout : NULL,
	};
}

void options_name(const struct options *options, char *name, size_t size)
{
	int used = snprintf(name, size, "%llu-parties,%llu-steps,crypto-%u",
			    (unsigned long long)options->parties, (unsigned long long)options->steps,
			    (unsigned)options->crypto);

	for (size_t i = 0; i < FAULTS; i++)
		if (options->forced.forced[i])
			used += snprintf(name + used, size - (size_t)used, ",%s=%u",
					 counts_fault_name((enum fault)i), options->forced.shares[i]);
	assert((size_t)used < size);
}
