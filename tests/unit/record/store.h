/*
 * An ordered store in memory, as a shell of the record keeps one on disk: for tests and the simulator.
 *
 * It allocates, and ends the program where that fails.
 */
#ifndef TESTS_UNIT_RECORD_STORE_H
#define TESTS_UNIT_RECORD_STORE_H

#include "base/rows.h"

struct store_row {
	uint8_t *key;
	size_t key_size;
	uint8_t *value;
	size_t value_size;
};

struct store {
	struct store_row *rows; /* ascending */
	size_t count;
	size_t count_max;
};

void store_free(struct store *store);
void store_copy(struct store *to, const struct store *from);

/* Answers what the last run of a handler wanted. */
void store_load(const struct store *store, struct rows *rows);

/* Writes all that the batch wrote. */
void store_commit(struct store *store, const struct rows *rows);

/* Writes one row behind the core's back. */
void store_put(struct store *store, struct bytes key, struct bytes value);

/* Deletes that row, if it is there. */
void store_delete(struct store *store, struct bytes key);

/* The first row whose key begins with `prefix` at or after index *at; false when there is none. */
bool store_find(const struct store *store, struct bytes prefix, size_t *at, struct row *row);

/* Keeps only the rows for which `keep` is true. */
void store_filter(struct store *store, bool (*keep)(struct bytes key));

#endif
