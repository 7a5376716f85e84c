/*
 * An ordered store of rows in memory, which behaves as a database with full sync does: what is committed
 * survives, what is not vanishes as a whole. A map of bytes to bytes for the checker, too.
 *
 * It allocates, and ends the program where that fails.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/rows.h"

struct disk_row;

struct disk {
	struct disk_row **rows; /* ascending by key */
	size_t count;
	size_t count_max;
	size_t tables[256]; /* rows by the first byte of their key */
	uint64_t size;      /* bytes of keys and values */
};

void *disk_must(void *memory); /* ends the program for NULL */

void disk_free(struct disk *disk);
/* *to, which is empty, becomes an image of *from. */
void disk_copy(struct disk *to, const struct disk *from);

/* False where there is none; the view is valid until the row changes. */
bool disk_get(const struct disk *disk, struct bytes key, struct bytes *value);
void disk_put(struct disk *disk, struct bytes key, struct bytes value);
void disk_delete(struct disk *disk, struct bytes key);
/* The first row at or after index *at whose key begins with `prefix`; starts with *at = 0. */
bool disk_next(const struct disk *disk, struct bytes prefix, size_t *at, struct row *row);
/* Keeps the rows for which keep is true. */
void disk_filter(struct disk *disk, bool (*keep)(struct bytes key));

/* Answers what the last run of a handler wanted. */
void disk_load(const struct disk *disk, struct rows *rows);
/* All that the batch wrote, at once. */
void disk_commit(struct disk *disk, const struct rows *rows);

#endif
