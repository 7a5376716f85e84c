/*
 * Takes the power at every sync of a scenario (scenario.h), and again at every sync of the recovery from it.
 * The process forks at each of them: the child's drive loses its power, the parent goes on as if nothing had
 * been.
 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "tests/trial/drive.h"
#include "tests/trial/scenario.h"
#include "tests/trial/tally.h"

#define DEPTHS    2 /* the scenario; the recovery */
#define BASE_SIZE 64
#define PATH_SIZE 128

static const char help[] =
	"usage: power [--scenario NAME]... [--seed N | --seeds A..B] [--point K[.J]] [--some N] [--lying]\n"
	"             [--tally FILE] [--json] [--list]\n"
	"\n"
	"A post on a drive that loses its power. What was not synced is kept, dropped or torn by the seed.\n"
	"\n"
	"  --scenario NAME  this one; else all of them\n"
	"  --seed N         this seed (1); --seeds A..B: these\n"
	"  --point K[.J]    only at the sync K of the scenario, and at the sync J of the recovery from that\n"
	"  --some N         of the recoveries only one of N is interrupted, by the seed\n"
	"  --lying          a drive that does nothing when it is told to sync: violations must be found\n"
	"  --tally FILE     adds up over runs while the program stays the same; what is there is not done "
	"again\n"
	"  --json           one object at the end, for programs\n"
	"  --list           the scenarios\n"
	"\n"
	"Exit status: 0 nothing found, 1 something found, 2 could not be done.\n"
	"\n"
	"Examples:\n"
	"  power --scenario send --seed 7 --point 12.2\n"
	"  nice -n 19 power --seeds 1..100 --tally power.tally\n";

struct figures {
	uint64_t points;     /* at which the power went in a scenario */
	uint64_t recoveries; /* and in a recovery */
	uint64_t violations;
};

struct options {
	const char *scenario; /* NULL: all */
	uint64_t first;
	uint64_t last;
	uint64_t points[DEPTHS]; /* 0: all */
	uint64_t some;
	bool lying;
	bool json;
	const char *tally;
};

struct run {
	const struct options *options;
	struct trial trial;
	struct figures *figures; /* shared by all processes */
	char base[BASE_SIZE];
	uint64_t seed;
	unsigned depth;
	uint64_t points[DEPTHS];
};

/* ---- one point ---- */

static void tell_violation(const struct run *run, const char *problem)
{
	run->figures->violations++;
	fprintf(stderr, "%s, seed %" PRIu64 ": %s\n  again: power --scenario %s --seed %" PRIu64 "%s",
		run->trial.scenario->name, run->seed, problem, run->trial.scenario->name, run->seed,
		run->options->lying ? " --lying" : "");
	if (run->points[0] > 0)
		fprintf(stderr, " --point %" PRIu64, run->points[0]);
	if (run->depth > 1 || run->points[1] > 0)
		fprintf(stderr, ".%" PRIu64, run->points[1]);
	fputc('\n', stderr);
}

static void directory_of(const struct run *run, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%d", run->base, (int)getpid());
}

/* The child: the power goes, and comes back. */
static void lose_power(struct run *run)
{
	uint64_t seed = drive_mix(run->seed ^ drive_mix(run->points[0] << 16 | run->points[1]));
	char path[PATH_SIZE];

	directory_of(run, path);
	run->depth++;
	run->trial.problem[0] = '\0';
	if (!drive_lose_power(seed, path))
		snprintf(run->trial.problem, sizeof(run->trial.problem),
			 "something is written past the drive");
	bool recovered = run->trial.problem[0] == '\0' && trial_recover(&run->trial);
	drive_watch(NULL, NULL);
	if (recovered) {
		trial_go_on(&run->trial);
		(void)trial_judge(&run->trial);
	}
	if (run->trial.problem[0] != '\0')
		tell_violation(run, run->trial.problem);
	machine_close(run->trial.machine);
	drive_leave();
	_exit(0);
}

static bool is_wanted(const struct run *run)
{
	uint64_t wanted = run->options->points[run->depth];
	uint64_t some = run->options->some;

	if (wanted != 0)
		return run->points[run->depth] == wanted;
	if (run->depth == 0)
		return true;
	if (run->options->points[0] != 0)
		return false;
	return drive_mix(run->seed + 31 * run->points[0] + run->points[1]) % some == 0;
}

static void await(struct run *run, pid_t child)
{
	char problem[PROBLEM_SIZE];
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		snprintf(problem, sizeof(problem), "no process for it: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		snprintf(problem, sizeof(problem), "it ends by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(problem, sizeof(problem), "it ends with %d", WEXITSTATUS(status));
	else
		return;
	tell_violation(run, problem);
}

static void at_sync(void *context)
{
	struct run *run = context;
	pid_t child;

	if (run->depth >= DEPTHS || run->trial.is_restoring)
		return;
	run->points[run->depth]++;
	if (!is_wanted(run))
		return;
	*(run->depth == 0 ? &run->figures->points : &run->figures->recoveries) += 1;
	child = fork();
	if (child == 0)
		lose_power(run);
	await(run, child);
}

/* ---- one seed ---- */

/* After the last sync, too: what was said since is to be there. */
static void run_seed(struct run *run)
{
	trial_seed(&run->trial, run->seed);
	if (run->options->lying)
		drive_lie();
	drive_watch(at_sync, run);
	trial_go_on(&run->trial);
	at_sync(run);
	drive_watch(NULL, NULL);
	if (!trial_judge(&run->trial))
		tell_violation(run, run->trial.problem);
}

/* A process of its own: the next begins with the same line. */
static void try_seed(struct run *run, const struct trial_scenario *scenario, uint64_t seed,
		     struct figures *done)
{
	struct figures before = *run->figures;
	char path[PATH_SIZE];
	pid_t child;

	run->seed = seed;
	run->trial.scenario = scenario;
	fflush(NULL);
	child = fork();
	if (child == 0) {
		directory_of(run, path);
		if (!drive_lose_power(0, path))
			abort();
		machine_prepare(seed);
		if (trial_recover(&run->trial))
			run_seed(run);
		else
			tell_violation(run, run->trial.problem);
		machine_close(run->trial.machine);
		drive_leave();
		_exit(0);
	}
	await(run, child);
	done->points += run->figures->points - before.points;
	done->recoveries += run->figures->recoveries - before.recoveries;
	done->violations += run->figures->violations - before.violations;
}

/* ---- the tally ---- */

struct tally {
	FILE *file; /* NULL: none is kept */
	struct figures sums;
};

static bool read_line(FILE *file, char name[32], uint64_t *seed, uint64_t *some, struct figures *figures)
{
	return fscanf(file, "%31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, name, seed, some,
		      &figures->points, &figures->recoveries, &figures->violations) == 6;
}

static bool tally_open(struct tally *tally, const char *path)
{
	*tally = (struct tally){.file = path == NULL ? NULL : tally_file_open(path)};
	return path == NULL || tally->file != NULL;
}

static void add(struct figures *sums, const struct figures *figures)
{
	sums->points += figures->points;
	sums->recoveries += figures->recoveries;
	sums->violations += figures->violations;
}

static bool tally_has(struct tally *tally, const char *name, uint64_t seed, uint64_t some)
{
	struct figures figures;
	char held[32];
	uint64_t held_seed;
	uint64_t held_some;

	if (tally->file == NULL)
		return false;
	tally_file_rewind(tally->file);
	while (read_line(tally->file, held, &held_seed, &held_some, &figures)) {
		if (strcmp(held, name) != 0 || held_seed != seed || held_some != some)
			continue;
		add(&tally->sums, &figures);
		return true;
	}
	return false;
}

static void tally_add(struct tally *tally, const char *name, uint64_t seed, uint64_t some,
		      const struct figures *figures)
{
	add(&tally->sums, figures);
	if (tally->file == NULL)
		return;
	fseek(tally->file, 0, SEEK_END);
	fprintf(tally->file, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", name, seed,
		some, figures->points, figures->recoveries, figures->violations);
	fflush(tally->file);
}

/* ---- the program ---- */

static bool read_number(const char *text, uint64_t *number, const char **end)
{
	char *after;

	errno = 0;
	*number = strtoull(text, &after, 10);
	*end = after;
	return after != text && errno == 0 && text[0] != '-';
}

/* N, or two of them with `between`. */
static bool read_two(const char *text, const char *between, uint64_t *first, uint64_t *second)
{
	const char *end;

	if (!read_number(text, first, &end))
		return false;
	if (*end == '\0')
		return true;
	return strncmp(end, between, strlen(between)) == 0 &&
	       read_number(end + strlen(between), second, &end) && *end == '\0';
}

static bool read_value(struct options *options, const char *option, const char *value)
{
	if (strcmp(option, "--scenario") == 0)
		options->scenario = value;
	else if (strcmp(option, "--tally") == 0)
		options->tally = value;
	else if (strcmp(option, "--seed") == 0)
		return read_two(value, "\n", &options->first, &options->last) &&
		       (options->last = options->first) > 0;
	else if (strcmp(option, "--seeds") == 0)
		return read_two(value, "..", &options->first, &options->last);
	else if (strcmp(option, "--some") == 0)
		return read_two(value, "\n", &options->some, &options->some) && options->some > 0;
	else if (strcmp(option, "--point") == 0)
		return read_two(value, ".", &options->points[0], &options->points[1]);
	else
		return false;
	return true;
}

static bool read_options(int count, char **arguments, struct options *options)
{
	*options = (struct options){.first = 1, .last = 1, .some = 1};
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--lying") == 0)
			options->lying = true;
		else if (strcmp(arguments[i], "--json") == 0)
			options->json = true;
		else if (i + 1 == count || !read_value(options, arguments[i], arguments[i + 1]))
			return false;
		else
			i++;
	}
	return options->tally == NULL || (!options->lying && options->points[0] == 0);
}

static bool try_all(struct run *run, struct tally *tally)
{
	const struct options *options = run->options;
	bool found = false;

	for (size_t i = 0; i < trial_scenarios_count; i++) {
		const char *name = trial_scenarios[i].name;
		if (options->scenario != NULL && strcmp(options->scenario, name) != 0)
			continue;
		found = true;
		for (uint64_t seed = options->first; seed <= options->last; seed++) {
			struct figures figures = {0};
			if (tally_has(tally, name, seed, options->some))
				continue;
			try_seed(run, &trial_scenarios[i], seed, &figures);
			tally_add(tally, name, seed, options->some, &figures);
		}
	}
	return found;
}

static void tell(const struct options *options, const struct figures *figures)
{
	const char *format = options->json ? "{\"points\": %" PRIu64 ", \"recoveries\": %" PRIu64
					     ", \"violations\": %" PRIu64 "}\n"
					   : "%" PRIu64 " points, %" PRIu64 " in recoveries: %" PRIu64
					     " violations\n";
	printf(format, figures->points, figures->recoveries, figures->violations);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static bool prepare(struct run *run)
{
	char path[PATH_SIZE];

	snprintf(run->base, sizeof(run->base), "/tmp/power.XXXXXX");
	run->figures =
		mmap(NULL, sizeof(*run->figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->figures == MAP_FAILED || mkdtemp(run->base) == NULL)
		return false;
	directory_of(run, path);
	machine_prepare(1);
	drive_enter(path);
	trial_make(&run->trial);
	return true;
}

int main(int count, char **arguments)
{
	struct run *run = calloc(1, sizeof(*run));
	struct options options;
	struct tally tally;

	if (count == 2 && strcmp(arguments[1], "--help") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (count == 2 && strcmp(arguments[1], "--list") == 0) {
		for (size_t i = 0; i < trial_scenarios_count; i++)
			printf("%-8s %s\n", trial_scenarios[i].name, trial_scenarios[i].says);
		return 0;
	}
	if (run == NULL || sodium_init() < 0 || !read_options(count, arguments, &options)) {
		fputs(help, stderr);
		return 2;
	}
	run->options = &options;
	if (!tally_open(&tally, options.tally) || !prepare(run)) {
		fprintf(stderr, "power: %s\n", strerror(errno));
		return 2;
	}
	bool found = try_all(run, &tally);
	nftw(run->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (!found)
		return 2;
	tell(&options, &tally.sums);
	return tally.sums.violations == 0 ? 0 : 1;
}
