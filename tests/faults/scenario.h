/*
 * What a program of tests/faults runs while calls fail. Each scenario begins in an empty folder, or in what
 * another run of it has left there, and must then come to the same end.
 */
#ifndef TESTS_FAULTS_SCENARIO_H
#define TESTS_FAULTS_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SCENARIO_BATCHES 4

/* What the outside was told. It outlives the process that wrote it. */
struct scenario_told {
	uint32_t batches; /* of the first so many it was said that they are on disk */
	uint32_t images;  /* whole images that were given */
};

struct scenario {
	const char *name;
	/* Once in the program, in the empty folder: what each process is to find. NULL: nothing. */
	void (*make)(void);
	/* Once in a process, before calls fail. NULL: nothing. */
	enum error (*prepare)(void);
	/* Runs until an error, and gives back all that it holds: memory, descriptors. */
	enum error (*run)(struct scenario_told *told);
	/*
	 * In the process of `run`, after it: starts again, goes on to the end and looks whether all is there.
	 * NULL: all is, else what is not. No call fails. Where there is this, there is no `judge`.
	 */
	const char *(*go_on)(void);
	/* NULL if what is in the folder agrees with what was told, else what does not. No call fails. */
	const char *(*judge)(const struct scenario_told *told);
	/* It is wrong, and must be found so by a violation that begins with these words. NULL: right. */
	const char *wrong;
	const char *wrong_class; /* by which calls it shows; NULL: try all */
};

/* Of the program, ended by one without a name. */
extern const struct scenario scenarios[];

/* The database's integrity_check, by a connection of its own; NULL if it is well. */
const char *scenario_integrity(const char *path);

/* Bytes that tell of which batch and place they are, the same each time: 2 to `size` of them. */
void scenario_value(unsigned batch, unsigned place, uint8_t *to, unsigned size);

#endif
