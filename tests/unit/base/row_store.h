/*
 * The store below the cache, for tests of base/rows.h: a sorted table of short rows.
 */
#ifndef TESTS_UNIT_BASE_ROW_STORE_H
#define TESTS_UNIT_BASE_ROW_STORE_H

#include "base/rows.h"

#define STORE_MAX 512

struct stored_row {
	uint8_t key[8];
	size_t key_size;
	uint8_t value[8];
	size_t value_size;
};

struct store {
	struct stored_row rows[STORE_MAX];
	size_t count;
	size_t loads;
};

struct bytes store_key(const struct stored_row *row);
struct bytes store_value(const struct stored_row *row);

/* The place of the first row at or after `key`. */
size_t store_place(const struct store *store, struct bytes key);
void store_write(struct store *store, struct bytes key, struct bytes value, bool deleted);
void store_put(struct store *store, const char *key, const char *value);

/* Loads want `index`, or all that the last run wanted. */
void store_load(struct store *store, struct rows *rows, size_t index);
void store_load_all(struct store *store, struct rows *rows);

/* Writes what the batch wrote. */
void store_commit(struct store *store, const struct rows *rows);

#endif
