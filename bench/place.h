/*
 * Where bench-line works: a private directory on a real disk, and the programs that it measures.
 */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <stdbool.h>

/* Socket addresses have room for 107 bytes of path: the directory's own must leave 40 for what is inside. */
#define PLACE_SIZE_MAX   64
#define PROGRAM_SIZE_MAX 512

struct place {
	char directory[PLACE_SIZE_MAX + 1]; /* absolute; empty: none was made */
	const char *file_system;            /* its kind, in a word. Static */
	char liaison[PROGRAM_SIZE_MAX];
	char liaisond[PROGRAM_SIZE_MAX];
	char courierd[PROGRAM_SIZE_MAX];
	char preload[PROGRAM_SIZE_MAX]; /* bench-syncs.so */
};

/*
 * Finds the programs: all in `bin`, or, where that is NULL, in the build tree that this program stands in.
 * Makes a directory of its own in `parent` (NULL: /var/tmp). False after an error
 * message: a program is missing, the parent is in memory only (there a sync costs nothing, so nothing could
 * be learned), or its path is too long.
 */
bool place_make(struct place *place, const char *parent, const char *bin);

/* Removes the directory with all that is in it. */
void place_remove(struct place *place);

#endif
