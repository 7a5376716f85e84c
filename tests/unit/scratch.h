/*
 * A private folder for one test, removed with all that is in it.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <stdint.h>

#include "base/bytes.h"

#define SCRATCH_PATH_SIZE 256

struct scratch {
	char folder[SCRATCH_PATH_SIZE];
};

/* cmocka set-up and tear-down: *state is a struct scratch. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* The path of `name` in the folder, in `path` of SCRATCH_PATH_SIZE bytes. */
const char *scratch_path(const struct scratch *scratch, const char *name, char *path);

/* Whole small files; they assert. scratch_read returns the size. */
size_t scratch_read(const char *path, void *to, size_t size_max);
void scratch_write(const char *path, struct bytes content);

#endif
