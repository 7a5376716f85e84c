/*
 * An ordered store of rows in memory, which behaves as a database with full sync does: what is committed
 * survives, what is not vanishes as a whole. A map of bytes to bytes for the checker, too.
 *
 * It allocates, and ends the program where that fails.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/rows.h"

struct disk_block;

struct disk {
	struct disk_block **blocks; /* ascending by key, none of them empty */
	size_t count;               /* of blocks */
	size_t count_max;
	size_t tables[256]; /* rows by the first byte of their key */
	uint64_t size;      /* bytes of keys and values */
};

void *disk_must(void *memory); /* ends the program for NULL */

void disk_free(struct disk *disk);
/* *to, which is empty, becomes an image of *from. Rows are not copied: both have them until one changes its
 * own. */
void disk_copy(struct disk *to, const struct disk *from);

/* False where there is none; the view is valid until the row changes. */
bool disk_get(const struct disk *disk, struct bytes key, struct bytes *value);
void disk_put(struct disk *disk, struct bytes key, struct bytes value);
void disk_delete(struct disk *disk, struct bytes key);
/* The next row whose key begins with `prefix`; starts with *at = 0, and nothing may be put or deleted
 * meanwhile. */
bool disk_next(const struct disk *disk, struct bytes prefix, size_t *at, struct row *row);
/* Deletes the rows that begin with `prefix`, but those for which keep is true; NULL keeps none. */
typedef bool disk_keep(const void *context, struct bytes key);
void disk_filter(struct disk *disk, struct bytes prefix, disk_keep *keep, const void *context);

/* Answers what the last run of a handler wanted. */
void disk_load(const struct disk *disk, struct rows *rows);

/* ---- what a batch writes ---- */

/* Gathered once, since looking for them goes through all that the batch has read. */
struct changes {
	struct rows_change *list;
	size_t count;
	size_t count_max;
};

/* All that the batch wrote; the list's memory is used again, and freed by changes_free. */
void changes_gather(struct changes *changes, const struct rows *rows);
void changes_free(struct changes *changes);
/* All at once. */
void disk_commit(struct disk *disk, const struct changes *changes);

#endif
