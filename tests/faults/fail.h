/*
 * Calls of the C library that fail by number. This program's own malloc, write, fsync and open stand before
 * those of the C library, for SQLite's and libsodium's calls as well as ours.
 *
 * While it is armed, calls of each class are counted from 1; that of number `index` of the class that was
 * asked for fails with `number` in errno, and, with `for_ever`, so does each later one. A write that fails
 * with FAIL_SHORT takes half of its bytes, and says so.
 *
 * What malloc gives out and free is given back is filled with bytes that make no pointer and no size, so
 * that what is used too early or too late falls; what is given out and not given back is counted.
 */
#ifndef TESTS_FAULTS_FAIL_H
#define TESTS_FAULTS_FAIL_H

#include <stdbool.h>

#define FAIL_SHORT 0

enum fail_class {
	FAIL_ALLOCATION,
	FAIL_WRITE,
	FAIL_SYNC,
	FAIL_OPEN,
	FAIL_CLASSES,
};

struct fail_plan {
	enum fail_class class;
	unsigned index; /* 0: none fails */
	int number;     /* of errno.h, or FAIL_SHORT */
	bool for_ever;
};

/* Counts from 1 again. */
void fail_arm(struct fail_plan plan);
void fail_disarm(void);

/* Calls since fail_arm; true if one of them has failed. */
unsigned fail_calls(enum fail_class class);
bool fail_happened(void);

/*
 * What follows is, while calls fail, not all of the program that is tried: FAIL_SPARED is what it is asked
 * when it is looked at, and never fails; FAIL_OUTSIDE is something else, and its memory is not counted
 * either. Gives back what was before.
 */
enum fail_scope { FAIL_TRIED, FAIL_SPARED, FAIL_OUTSIDE };
enum fail_scope fail_enter(enum fail_scope scope);

/* Allocations that were not given back. */
long fail_allocations_held(void);

#endif
