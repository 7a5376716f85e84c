/*
 * The command table of `liaison`, and what every command is given.
 *
 * One file holds one command (or one noun's commands) and defines its `const struct command`s; cli/main.c
 * lists them. Options are declared, not parsed by hand: the same table parses, checks and prints --help.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

#define OPERANDS_MAX 8
#define OPTIONS_MAX  16

struct option {
	const char *name;     /* long name without the dashes; NULL ends a table */
	char letter;          /* short form, or 0 */
	const char *argument; /* what its value is called in the help, or NULL for a flag */
	const char *help;     /* one line */
};

/* The common options that a command takes, beside --json and --help. */
enum takes {
	TAKES_POST = 1,
	TAKES_PARTY = 2,
	TAKES_OFFICER = 4,
	TAKES_PASSPHRASE = 8,
	TAKES_YES = 16,
};

struct call;

struct command {
	const char *name;             /* "send", or two words: "card export" */
	const char *operands;         /* for the usage line: "FILE", "[FILE]", "" */
	const char *summary;          /* one line in the list of commands */
	const char *help;             /* paragraphs: what it does, what it needs, an example */
	const struct option *options; /* ends with a NULL name; the common options come on top */
	unsigned takes;               /* of enum takes: what means nothing to it is refused */
	size_t operands_min;
	size_t operands_max;
	const char *lasting; /* what it has done, said where its output is lost: "the card was written" */
	/* The exit code: 0 done, 1 refused or failed, 2 wrong usage; another where the command says so. */
	int (*run)(struct call *call);
};

/* One invocation: the parsed command line. Strings belong to argv or the environment. */
struct call {
	const struct command *command;
	const char *operand[OPERANDS_MAX];
	size_t operand_count;
	const struct option *given[OPTIONS_MAX * 2];
	const char *value[OPTIONS_MAX * 2];
	size_t given_count;
	bool *is_misused; /* set by call_usage: then the exit code is 2 */
	bool has_run;
	bool json; /* --json: one JSON value on standard output, errors as {"error": ...} too */
	bool events; /* of a stream of events: with --json errors are events of it too */
	bool yes;    /* --yes: do not ask before signing or accepting */
};

/* True if the flag or option was given. */
bool call_has(const struct call *call, const char *name);
/* The option's value, or `otherwise` (may be NULL) where it was not given. The last one given counts. */
const char *call_value(const struct call *call, const char *name, const char *otherwise);
/* As call_value for a number from min to max. False, after an error message, if it is not one. */
bool call_number(const struct call *call, const char *name, unsigned long long min, unsigned long long max,
		 unsigned long long otherwise, unsigned long long *number);
/* The n-th value (from 0) of an option that may be given several times, or NULL. */
const char *call_value_nth(const struct call *call, const char *name, size_t n);

/* --post DIR or LIAISON_POST; --party DIR or LIAISON_PARTY; --officer FILE or LIAISON_OFFICER. NULL after an
 * error message that says how to name it. */
const char *call_post(const struct call *call);
const char *call_party(const struct call *call);
const char *call_officer(const struct call *call);

/* Prints one sentence (no final stop needed) to standard error, or as JSON to standard output; returns 1. */
int call_fail(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says something that is no failure, in one sentence on standard error. */
void call_warn(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* call_fail for a table error: "what: sentence". Returns 1. */
int call_fail_error(const struct call *call, const char *what, enum error error);
/* A wrong command line; returns 2, which is the exit code whatever the command then returns for failure. */
int call_usage(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Asks `question` on the terminal about what was printed on `shown`, which is flushed first; true for y or
 * yes, and with --yes. False where what was printed there got lost, and without a terminal and --yes, after
 * an error message that names --yes.
 */
bool call_confirm(const struct call *call, const char *question, FILE *shown);

/*
 * Parses argv against `commands` (ends with NULL) and runs one. Returns the exit code: 1 also where the
 * output could not be written.
 */
int command_main(const struct command *const *commands, int argc, char **argv);

#endif
