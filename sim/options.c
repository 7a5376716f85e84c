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
	"                           [--crypto C] [--tally FILE] [--json] [--trace]\n"
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
	"  --crypto C      real for libsodium's in every world; stand-in for cheap primitives, which refuse "
	"all "
	"that\n"
	"                  the real ones do; else each seed that 16 divides has the real ones, the others "
	"those\n"
	"  --tally FILE    keep each world's result there, run those that it has not, and tell the sums of "
	"all "
	"in\n"
	"                  it of this program with these options: parts of one campaign add up\n"
	"  --json          the result as one JSON object\n"
	"  --trace         tell each step\n"
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
	struct forced_faults *forced = &options->forced;
	const char *equals = strchr(text, '=');
	uint64_t share;

	if (equals == NULL || forced->count == FAULTS_FORCED_MAX || !read_count(equals + 1, &share) ||
	    share > 10000)
		return false;
	forced->faults[forced->count].share = (unsigned)share;
	return faults_named(bytes_make((const uint8_t *)text, (size_t)(equals - text)),
			    &forced->faults[forced->count++].fault);
}

static const struct {
	const char *name;
	bool (*read)(const char *text, struct options *options);
	const char *wrong;
} values[] = {
	{"--seeds", read_seeds, "it takes a number, or A..B with A not above B"},
	{"--steps", read_steps, "it takes a number"},
	{"--parties", read_parties, "it takes a number from 2 to 8"},
	{"--fault", read_fault, "it takes FAULT=N, with N not above 10000, a few times"},
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
		} else if (read_option(name, i + 1 < count ? arguments[i + 1] : NULL, options)) {
			seeds |= strcmp(name, "--seeds") == 0;
			i++;
		} else {
			return false;
		}
	}
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

void options_name(const struct options *options, char *name, size_t size)
{
	int used = snprintf(name, size, "%llu-parties,%llu-steps,crypto-%u",
			    (unsigned long long)options->parties, (unsigned long long)options->steps,
			    (unsigned)options->crypto);

	for (size_t i = 0; i < options->forced.count; i++)
		used += snprintf(name + used, size - (size_t)used, ",%u=%u",
				 (unsigned)options->forced.faults[i].fault, options->forced.faults[i].share);
	assert((size_t)used < size);
}
