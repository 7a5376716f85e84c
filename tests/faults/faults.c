/*
 * Faults by number: usage() says what it does. Each run is a process of its own, in a folder of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/faults/fail.h"
#include "tests/faults/scenario.h"
#include "tests/trial/tally.h"

#define RUN_LIMIT_S 60
#define DESCRIPTORS 64

struct fault {
	enum fail_class class;
	const char *name;
	int number;
	bool once;
	bool for_ever;
};

/* What the system may answer. A signal does not come for ever: SQLite asks again after each. */
static const struct fault faults[] = {
	{FAIL_ALLOCATION, "ENOMEM", ENOMEM, true, true},
	{FAIL_WRITE, "ENOSPC", ENOSPC, true, true},
	{FAIL_WRITE, "EIO", EIO, true, true},
	{FAIL_WRITE, "EINTR", EINTR, true, false},
	{FAIL_WRITE, "short", FAIL_SHORT, true, true},
	{FAIL_SYNC, "EIO", EIO, true, true},
	{FAIL_SYNC, "ENOSPC", ENOSPC, true, true},
	{FAIL_SYNC, "EINTR", EINTR, true, false},
	{FAIL_OPEN, "EMFILE", EMFILE, true, true},
	{FAIL_OPEN, "ENOSPC", ENOSPC, true, true},
	{FAIL_OPEN, "EINTR", EINTR, true, false},
};
#define FAULTS (sizeof faults / sizeof *faults)

static const char *const class_names[FAIL_CLASSES] = {"allocation", "write", "sync", "open"};

/* Shared with the processes that run. */
struct shared {
	struct scenario_told told;
	unsigned calls[FAIL_CLASSES];
	char violation[200];
};

struct options {
	const char *scenario;
	const char *class;
	const char *error;
	const char *tally;
	unsigned index;
	unsigned allocation_step; /* one allocation of so many is failed, */
	unsigned other_step;      /* and one of so many other calls */
	unsigned seed;
	bool for_ever;
	bool json;
	bool list;
};

/* One that went well, as the tally keeps it: fault is a place in `faults`. */
struct done {
	char scenario[24];
	unsigned fault;
	unsigned index;
	unsigned for_ever;
	unsigned reported;
};

struct tally {
	FILE *file;        /* NULL: none is kept */
	struct done *done; /* in former runs, */
	size_t count;
	size_t next; /* of which this is looked at first: they come in the same order again */
};

struct trial {
	struct options options;
	struct tally tally;
	const char *program;
	struct shared *shared;
	char folder[64];   /* in memory: that a disk syncs slowly is no part of this */
	unsigned runs;     /* with a fault */
	unsigned reported; /* that ended with an error of ours */
	unsigned survived; /* that came to their end in spite of the fault */
	unsigned violations;
	bool found; /* a scenario of the name that was asked for */
};

/* ---- for scenarios ---- */

const char *scenario_integrity(const char *path)
{
	const char *wrong = "integrity_check fails";
	sqlite3_stmt *statement = NULL;
	sqlite3 *database;

	if (access(path, F_OK) != 0)
		return NULL;
	if (sqlite3_open(path, &database) == SQLITE_OK &&
	    sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW &&
	    strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0)
		wrong = NULL;
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return wrong;
}

void scenario_value(unsigned batch, unsigned place, uint8_t *to, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[i] = (uint8_t)(i * 7 + batch * 31 + place * 101 + i / 256);
}

/* ---- one run ---- */

static void violation(struct trial *trial, const char *text)
{
	if (trial->shared->violation[0] == 0)
		snprintf(trial->shared->violation, sizeof trial->shared->violation, "%s", text);
}

static unsigned descriptors_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* In the process of its own. Exits with 0 at the scenario's end, 1 if that was an error. */
static void run_failing(struct trial *trial, const struct scenario *scenario, struct fail_plan plan)
{
	unsigned descriptors;
	const char *wrong;
	enum error error;
	long held;

	if (scenario->prepare != NULL ? scenario->prepare() != ERROR_OK : sqlite3_initialize() != SQLITE_OK) {
		violation(trial, "the process cannot be prepared");
		_exit(1);
	}
	descriptors = descriptors_open();
	held = fail_allocations_held();
	fail_arm(plan);
	error = scenario->run(&trial->shared->told);
	fail_disarm();
	for (unsigned class = 0; class < FAIL_CLASSES; class ++)
		trial->shared->calls[class] = fail_calls(class);
	if (fail_allocations_held() > held)
		violation(trial, "leak: memory is not given back");
	if (descriptors_open() > descriptors)
		violation(trial, "descriptors are not closed");
	if (error != ERROR_OK && !fail_happened())
		violation(trial, "an error where nothing failed");
	if (plan.index != 0 && !fail_happened())
		violation(trial, "the call did not come that should have failed");
	wrong = scenario->go_on != NULL ? scenario->go_on() : NULL;
	if (wrong != NULL)
		violation(trial, wrong);
	_exit(error == ERROR_OK ? 0 : 1);
}

/* And after it, in another: is all there, and does the scenario come to its end now? */
static void run_again(struct trial *trial, const struct scenario *scenario)
{
	const char *wrong;

	if (scenario->prepare != NULL && scenario->prepare() != ERROR_OK)
		violation(trial, "the process cannot be prepared");
	wrong = scenario->judge(&trial->shared->told);
	if (wrong == NULL && scenario->run(&trial->shared->told) != ERROR_OK)
		wrong = "the scenario does not come to its end when nothing fails any more";
	if (wrong == NULL)
		wrong = scenario->judge(&trial->shared->told);
	if (wrong != NULL)
		violation(trial, wrong);
	_exit(0);
}

/* Its exit status; a violation and -1 if it did not come to an exit. */
static int wait_for(struct trial *trial, pid_t child)
{
	char text[100];
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child) {
		violation(trial, "no process");
		return -1;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(text, sizeof text, "crash: signal %d", WTERMSIG(status));
	violation(trial, text);
	return -1;
}

static void empty_folder(void)
{
	static const char *const names[] = {"queue.db",         "queue.db-wal",   "queue.db-journal",
					    "store.db",         "store.db-wal",   "store.db-journal",
					    "anchor",           "image.db",       "image.db-wal",
					    "image.db-journal", "backup.tmp",     "backup.tmp-journal",
					    "liaison.db",       "liaison.db-wal", "liaison.db-journal",
					    "ignored"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
}

/* True if it ended with an error of ours, or not at all; false if in spite of the fault. */
static bool run_once(struct trial *trial, const struct scenario *scenario, struct fail_plan plan)
{
	pid_t child;
	int status;

	memset(trial->shared, 0, sizeof *trial->shared);
	empty_folder();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(RUN_LIMIT_S);
		run_failing(trial, scenario, plan);
	}
	status = wait_for(trial, child);
	if (scenario->judge == NULL)
		return status != 0;
	child = fork();
	if (child == 0) {
		alarm(RUN_LIMIT_S);
		run_again(trial, scenario);
	}
	wait_for(trial, child);
	return status != 0;
}

/* ---- the tally ---- */

static bool tally_open(struct tally *tally, const char *path)
{
	struct done one;

	tally->file = tally_file_open(path);
	if (tally->file == NULL)
		return false;
	while (fscanf(tally->file, "%23s %u %u %u %u", one.scenario, &one.fault, &one.index, &one.for_ever,
		      &one.reported) == 5) {
		struct done *more = realloc(tally->done, (tally->count + 1) * sizeof *more);

		if (more == NULL)
			return false;
		tally->done = more;
		tally->done[tally->count++] = one;
	}
	return true;
}

static const struct done *tally_find(struct tally *tally, const struct done *wanted)
{
	for (size_t i = 0; i < tally->count; i++) {
		const struct done *done = &tally->done[tally->next++ % tally->count];

		if (done->index == wanted->index && done->fault == wanted->fault &&
		    done->for_ever == wanted->for_ever && strcmp(done->scenario, wanted->scenario) == 0)
			return done;
	}
	return NULL;
}

static void tally_add(struct tally *tally, const struct done *done)
{
	if (tally->file == NULL)
		return;
	fprintf(tally->file, "%s %u %u %u %u\n", done->scenario, done->fault, done->index, done->for_ever,
		done->reported);
	fflush(tally->file);
}

/* ---- all of them ---- */

/* True if `text`, an option, is absent or names this. */
static bool is_asked(const char *text, const char *name)
{
	return text == NULL || strcmp(text, name) == 0;
}

static void count_in(struct trial *trial, const struct done *done)
{
	trial->runs++;
	trial->reported += done->reported;
	trial->survived += !done->reported;
}

static void one(struct trial *trial, const struct scenario *scenario, unsigned place, unsigned index,
		bool for_ever)
{
	const struct fault *fault = &faults[place];
	struct done now = {.fault = place, .index = index, .for_ever = for_ever};
	const struct done *before;

	snprintf(now.scenario, sizeof now.scenario, "%s", scenario->name);
	before = scenario->wrong == NULL ? tally_find(&trial->tally, &now) : NULL;
	if (before != NULL) {
		count_in(trial, before);
		return;
	}
	now.reported =
		run_once(trial, scenario, (struct fail_plan){fault->class, index, fault->number, for_ever});
	count_in(trial, &now);
	if (scenario->wrong != NULL)
		return;
	if (trial->shared->violation[0] == 0) {
		tally_add(&trial->tally, &now);
		return;
	}
	trial->violations++;
	printf("# %s: again by %s --scenario %s --class %s --errno %s --index %u%s\n",
	       trial->shared->violation, trial->program, scenario->name, class_names[fault->class],
	       fault->name, index, for_ever ? " --for-ever" : "");
}

/* Every index of every class; the wrong scenario ends where it was seen to be so. */
static bool all_of(struct trial *trial, const struct scenario *scenario)
{
	const struct options *options = &trial->options;
	unsigned calls[FAIL_CLASSES];
	size_t wrong_size = scenario->wrong == NULL ? 0 : strlen(scenario->wrong);

	empty_folder();
	if (scenario->make != NULL)
		scenario->make();
	run_once(trial, scenario, (struct fail_plan){.index = 0});
	memcpy(calls, trial->shared->calls, sizeof calls);
	if (trial->shared->violation[0] != 0) {
		printf("# %s, where nothing failed: %s\n", scenario->name, trial->shared->violation);
		trial->violations++;
		return false;
	}
	if (options->list)
		printf("%s: %u allocations, %u writes, %u syncs, %u opens\n", scenario->name,
		       calls[FAIL_ALLOCATION], calls[FAIL_WRITE], calls[FAIL_SYNC], calls[FAIL_OPEN]);
	for (unsigned i = 0; i < FAULTS && !options->list; i++) {
		unsigned step =
			faults[i].class == FAIL_ALLOCATION ? options->allocation_step : options->other_step;
		unsigned first = options->index != 0 ? options->index : 1 + options->seed % step;

		if (scenario->wrong != NULL)
			step = first = 1;
		if (!is_asked(options->class, class_names[faults[i].class]) ||
		    !is_asked(scenario->wrong_class, class_names[faults[i].class]) ||
		    !is_asked(options->error, faults[i].name))
			continue;
		for (unsigned index = first; index <= calls[faults[i].class]; index += step) {
			if (!options->for_ever)
				one(trial, scenario, i, index, false);
			if (faults[i].for_ever && (options->for_ever || options->index == 0))
				one(trial, scenario, i, index, true);
			if (scenario->wrong != NULL &&
			    strncmp(trial->shared->violation, scenario->wrong, wrong_size) == 0)
				return true;
			if (options->index != 0)
				break;
		}
	}
	return scenario->wrong == NULL;
}

static void each(struct trial *trial)
{
	unsigned number = 0;

	for (const struct scenario *scenario = scenarios; scenario->name != NULL; scenario++) {
		unsigned runs = trial->runs, reported = trial->reported, survived = trial->survived;
		unsigned violations = trial->violations;
		bool well;

		if (!is_asked(trial->options.scenario, scenario->name))
			continue;
		trial->found = true;
		well = all_of(trial, scenario);
		if (trial->options.list)
			continue;
		if (!well && scenario->wrong != NULL)
			trial->violations++;
		if (trial->options.json) {
			printf("{\"scenario\": \"%s\", \"runs\": %u, \"reported\": %u, \"survived\": %u, "
			       "\"violations\": %u}\n",
			       scenario->name, trial->runs - runs, trial->reported - reported,
			       trial->survived - survived, trial->violations - violations);
			continue;
		}
		printf("%s %u - %s: %u runs, %u ended with an error, %u in spite of the fault\n",
		       trial->violations == violations ? "ok" : "not ok", ++number, scenario->name,
		       trial->runs - runs, trial->reported - reported, trial->survived - survived);
	}
	if (!trial->options.list && !trial->options.json)
		printf("1..%u\n", number);
}

static void usage(FILE *to)
{
	fputs("Fails each call of the system and each allocation of the scenarios in turn, and looks\n"
	      "whether they then end in an error of ours, lose nothing and go on afterwards.\n\n"
	      "  --scenario NAME        only this one\n"
	      "  --class NAME           only allocation, write, sync or open\n"
	      "  --errno NAME           only ENOMEM, ENOSPC, EIO, EMFILE or EINTR; short: a write takes\n"
	      "                         fewer bytes than it was given\n"
	      "  --index N              only the Nth call\n"
	      "  --for-ever             only faults that stay\n"
	      "  --allocations-of N     one allocation of N (1: all), the first by the seed\n"
	      "  --others-of N          likewise of the other calls\n"
	      "  --seed N\n"
	      "  --tally FILE           keeps what went well, and adds up over runs while the program stays\n"
	      "                         the same file; what is there is not done again\n"
	      "  --list                 only counts the calls\n"
	      "  --json\n",
	      to);
}

static bool options_read(struct options *options, int count, char **arguments)
{
	static const struct option known[] = {{"scenario", required_argument, NULL, 's'},
					      {"class", required_argument, NULL, 'c'},
					      {"errno", required_argument, NULL, 'e'},
					      {"index", required_argument, NULL, 'i'},
					      {"for-ever", no_argument, NULL, 'f'},
					      {"allocations-of", required_argument, NULL, 'a'},
					      {"others-of", required_argument, NULL, 'o'},
					      {"seed", required_argument, NULL, 'd'},
					      {"tally", required_argument, NULL, 't'},
					      {"list", no_argument, NULL, 'l'},
					      {"json", no_argument, NULL, 'j'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	int option;

	options->allocation_step = 1;
	options->other_step = 1;
	while ((option = getopt_long(count, arguments, "", known, NULL)) >= 0)
		switch (option) {
		case 's':
			options->scenario = optarg;
			break;
		case 'c':
			options->class = optarg;
			break;
		case 'e':
			options->error = optarg;
			break;
		case 'i':
			options->index = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			options->allocation_step = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			options->other_step = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			options->seed = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			options->tally = optarg;
			break;
		case 'f':
			options->for_ever = true;
			break;
		case 'l':
			options->list = true;
			break;
		case 'j':
			options->json = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
	return optind == count && options->allocation_step > 0 && options->other_step > 0;
}

int main(int count, char **arguments)
{
	struct trial trial = {.program = arguments[0], .folder = "/dev/shm/liaison-faults-XXXXXX"};

	if (!options_read(&trial.options, count, arguments)) {
		usage(stderr);
		return 2;
	}
	if (trial.options.tally != NULL && !tally_open(&trial.tally, trial.options.tally)) {
		perror(trial.options.tally);
		return 2;
	}
	trial.shared =
		mmap(NULL, sizeof *trial.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trial.shared == MAP_FAILED || mkdtemp(trial.folder) == NULL || chdir(trial.folder) != 0) {
		perror("faults");
		return 2;
	}
	each(&trial);
	empty_folder();
	if (chdir("/") != 0 || rmdir(trial.folder) != 0)
		fprintf(stderr, "# %s is not empty\n", trial.folder);
	free(trial.tally.done);
	if (!trial.found) {
		fputs("nothing of that name\n", stderr);
		return 2;
	}
	return trial.violations != 0;
}
