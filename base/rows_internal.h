/* What rows.c (the cache and its writes) and rows_read.c (reading) share. */
#ifndef BASE_ROWS_INTERNAL_H
#define BASE_ROWS_INTERNAL_H

#include "base/rows.h"

/* What is known of a key in the store below. */
enum stored {
	STORED_UNKNOWN,
	STORED_ABSENT,
	STORED_PRESENT,
};

struct rows_entry {
	struct bytes key;
	struct bytes value;       /* with STORED_PRESENT */
	struct rows_write *write; /* the last write, which hides what is stored */
	enum stored stored;
	bool gap; /* the store holds no key between this one and the next entry */
};

struct rows_write {
	struct rows_entry *entry;
	struct rows_write *hidden;   /* the entry's write before this one */
	struct rows_write *previous; /* the batch's write before this one */
	struct bytes value;
	bool deleted;
	bool made_entry; /* undoing it removes the entry */
};

/* The place of the first entry at or after `key`. */
size_t rows_place_of(const struct rows *rows, struct bytes key);

bool rows_is_at(const struct rows *rows, size_t place, struct bytes key);

/* True if the store is known to hold nothing between the entry before `place` and the one at it. */
bool rows_in_gap(const struct rows *rows, size_t place);

/* The entry of `key`; NULL if there is none: then *place is where it would stand. */
struct rows_entry *rows_find(struct rows *rows, struct bytes key, size_t *place);

/* Notes what is wanted and fails the run, so that even a handler that does not look at this error is run
 * again: ERROR_NEEDS_ROWS, or ERROR_FULL. */
enum error rows_want(struct rows *rows, struct rows_wanted wanted);

/* Asserts that a run is open and that this may be a key. */
void rows_check_key(const struct rows *rows, struct bytes key);

#endif
