/*
 * Processes that bench-line starts: daemons that run until they are stopped, and commands that run to their
 * end. Each is ended by its own process id, on every way out; and by the kernel should bench-line itself be
 * killed.
 */
#ifndef BENCH_CHILDREN_H
#define BENCH_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_MAX        16
#define CHILD_ARGUMENTS_MAX 24

struct child {
	pid_t pid; /* 0: not running */
	const char *name;
	const char *log; /* path, the caller's, or NULL */
};

struct children {
	struct child list[CHILDREN_MAX];
};

/*
 * Starts a daemon whose standard output and error go to the end of the file `log`. `preload`: a shared
 * library to load before all others, or NULL; `counts`: the file that it counts in. The path, name and log
 * stay the caller's. NULL after an error message.
 */
struct child *child_start(struct children *children, const char *name, const char *path,
			  char *const arguments[], const char *log, const char *preload, const char *counts);

/* A child of our own code: runs `work` in a forked process, which then exits with what it returns. */
struct child *child_fork(struct children *children, const char *name, int (*work)(void *context),
			 void *context);

/* Processor time it has used so far, of all its threads, in microseconds (as fine as the kernel's ticks). */
uint64_t child_cpu_us(const struct child *child);

/* True while it runs; false after an error message with the end of its log. */
bool child_runs(struct child *child);

/*
 * Waits for the end of a forked child: false after an error message, if it takes more than `seconds` or
 * fails.
 */
bool child_finish(struct child *child, unsigned seconds);

/* SIGTERM, and SIGKILL where that does not help within ten seconds. Safe on one that does not run. */
void child_stop(struct child *child);
void children_stop(struct children *children);

/*
 * Runs a command to its end, at most a minute. Its standard output goes to `output` (a final line feed
 * taken off; NULL: thrown away). False after an error message with what it said.
 */
bool command_run(char *const arguments[], char *output, size_t output_size);

#endif
