/*
 * The rows of a store, as a pure step sees them: a bounded cache with the writes of a transaction laid over
 * it.
 *
 * The store below is an ordered set of rows (key, value), keys in memcmp order (bytes_compare). It is the
 * shell's (SQLite), and so is every system call. A pure handler never touches the store: it reads and writes
 * through `struct rows`. Where it asks for a row that is not loaded, the read answers ERROR_NEEDS_ROWS and
 * notes what is wanted; the handler returns that error, the shell loads what is wanted and runs the handler
 * again from its start. Only a run that came to its end is kept. So a handler is written as plain straight
 * code, and is the two phases "needs" and "step" in one.
 *
 * The shell, for each batch of events (one transaction; a batch may as well be one event):
 *
 *	for each event:
 *		do {
 *			for (size_t i = 0; i < rows_wanted_count(rows); i++)
 *				load_from_the_store(rows, i);       // rows_load, rows_load_end
 *			rows_begin(rows);                       // forgets the unfinished run's writes
 *			error = handler(rows, event, &actions); // actions start empty in each run
 *			if (error == ERROR_OK)
 *				error = rows_keep(rows);            // the event's writes join the batch
 *		} while (error == ERROR_NEEDS_ROWS);
 *		if (error != ERROR_OK)
 *			rows_undo(rows);                        // the event wrote nothing
 *	write all of rows_next_write() to the store; commit; then perform the actions; rows_settle(rows)
 *
 * load_from_the_store, for the want (low, high, order, count_max), with one SQL statement for either order:
 *
 *	SELECT key, value FROM rows WHERE key >= low AND key < high ORDER BY key [DESC]
 *	for each row found: if (!rows_load(rows, i, key, value)) stop here
 *	when there is no further row: rows_load_end(rows, i)
 *
 * The cache is of the store as it was when the batch began: nobody else may change the store before
 * rows_reset. rows_settle makes it the cache of the store as the batch left it: what was read or written a
 * moment ago is mostly asked for again, by the next batch. Reads see the batch's earlier writes, and those of
 * the run itself. ERROR_FULL says that the memory given is used up: the shell ends the batch (writes, commit,
 * actions, rows_settle) and runs the event again; if the event does not fit into an empty cache, its memory
 * was given too small. rows_room tells beforehand.
 *
 * A handler must do the same on every run with the same rows: no state of its own beside the rows. Put reads
 * before costly work (signatures), since an unfinished run is thrown away; ask for several rows before
 * looking at the errors where their keys are known, so that they come in one round.
 *
 * A key's first byte is its table; 0xff is never one. Views returned stay valid until rows_settle or
 * rows_reset, whatever is written later.
 */
#ifndef BASE_ROWS_H
#define BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define ROWS_WANTED_MAX      64           /* reads of one run that can be answered in one round */
#define ROWS_AHEAD           16           /* rows that one want may load: ranges are read on */
#define ROWS_AHEAD_SIZE_MAX  65536        /* bytes after which a want loads no further row */
#define ROWS_MEMORY_SIZE_MIN (256 * 1024) /* the least memory that rows_make takes */
#define ROWS_KEPT_SIZE_MAX   (512 * 1024) /* what rows_settle keeps at most: a look-up in more is dear */
#define ROWS_KEPT_SHARE      8            /* and of the memory at most one part in so many */
#define ROWS_FOUND_MAX       512          /* entries that are found again without a search */

struct row {
	struct bytes key;
	struct bytes value;
};

/* What a run wanted: the first (or, descending, the last) rows with low <= key < high. */
struct rows_wanted {
	struct bytes low;
	struct bytes high;
	bool descending;
	size_t count_max; /* 1, or ROWS_AHEAD; loading one is enough */
};

struct rows_entry; /* one key of the cache */
struct rows_write; /* one write to it */

struct rows_want { /* rows.c only: a want with its own bytes, and how far it is loaded */
	struct rows_wanted wanted;
	uint8_t low[ROW_KEY_SIZE_MAX + 1];
	uint8_t high[ROW_KEY_SIZE_MAX + 1];
	struct rows_entry *edge;
	size_t count;
	size_t size;
};

struct rows { /* fields are rows.c's own */
	uint8_t *memory;
	size_t memory_size;
	size_t memory_used;
	struct rows_entry **entries; /* ascending by key */
	size_t count;
	size_t count_max;
	struct rows_entry *found[ROWS_FOUND_MAX]; /* by their keys' hashes, each NULL or one of `entries` */
	struct rows_write *writes;      /* of the batch and the run, the last first */
	struct rows_write *writes_kept; /* the last of the batch */
	size_t run_mark;                /* memory_used when the run began */
	bool run_open;
	enum error run_error;
	bool full; /* until rows_reset */
	uint64_t resets;
	struct rows_want wants[ROWS_WANTED_MAX];
	size_t wanted_count;
};

/* ---- for the shell ---- */

/* An empty cache over `memory` of `size` bytes (at least ROWS_MEMORY_SIZE_MIN), which stays the caller's. */
void rows_make(struct rows *rows, void *memory, size_t size);

/* Forgets all: rows, writes, wants. The views returned so far end here. */
void rows_reset(struct rows *rows);

/*
 * Between batches, when all writes of one are in the store: they count as stored from here on, and what is
 * known of the store stays known, unless that is more than a cache should hold or the memory was used up:
 * then all is forgotten, as by rows_reset. The views returned so far end here in either case.
 */
void rows_settle(struct rows *rows);

/* Bytes of memory that are left. A batch should end when less is left than its largest event takes. */
size_t rows_room(const struct rows *rows);

/* Starts a run: what an unfinished run wrote and wanted is forgotten. */
void rows_begin(struct rows *rows);

/*
 * Ends a run well: its writes join those of the batch. ERROR_FULL if a write of the run did not fit,
 * ERROR_NEEDS_ROWS if a read of it was not answered (whatever the handler returned): nothing is kept then.
 */
enum error rows_keep(struct rows *rows) __attribute__((warn_unused_result));

/* Ends a run badly: its writes and wants are forgotten. Also right after a rows_keep that failed. */
void rows_undo(struct rows *rows);

/* What the last run wanted. Each must be loaded before the next run, or that run will want it again. */
size_t rows_wanted_count(const struct rows *rows);
struct rows_wanted rows_wanted(const struct rows *rows, size_t index);

/*
 * Gives the next row found for want `index`, in the want's order, between runs (before rows_begin). Key and
 * value are copied. True: go on with the next row, if there is one. False: this want needs no more (or the
 * memory is used up, which the next run reports as ERROR_FULL). A row that is out of order or range is our
 * own mistake: assert.
 */
bool rows_load(struct rows *rows, size_t index, struct bytes key, struct bytes value);

/* There is no further row for want `index`. Not called when rows_load returned false. */
void rows_load_end(struct rows *rows, size_t index);

/*
 * The batch's writes, each key once, ascending, as it stands at the end: start with *at = 0; false when there
 * is no more. `deleted` rows have an empty value. Rows that were put and deleted again may be named as
 * deleted though the store never held them.
 */
struct rows_change {
	struct bytes key;
	struct bytes value;
	bool deleted;
};
bool rows_next_write(const struct rows *rows, size_t *at, struct rows_change *change);

/* ---- for the handler ----
 *
 * Reads answer ERROR_OK, ERROR_NOT_FOUND, ERROR_NEEDS_ROWS (return it) or ERROR_FULL (return it). Keys have 1
 * to ROW_KEY_SIZE_MAX bytes, values 0 to ROW_VALUE_SIZE_MAX; more is our own mistake: assert.
 */

enum error rows_get(struct rows *rows, struct bytes key, struct bytes *value);

/*
 * True if `value`, given by a read of this run, stands where no other bytes will, as long as rows_resets
 * gives the same: what was worked out from it may be kept beside it and is found by its address. What the run
 * itself has written may yet be undone, and is not.
 */
bool rows_is_lasting(const struct rows *rows, struct bytes value);
uint64_t rows_resets(const struct rows *rows);

/* The first or the last row whose key begins with `prefix` (1 byte or more). */
enum error rows_first(struct rows *rows, struct bytes prefix, struct row *row);
enum error rows_last(struct rows *rows, struct bytes prefix, struct row *row);

/* The first row at or after `key`, after it, or the last before it, among those that begin with `prefix`.
 * `key` begins with `prefix`; no row need be there. */
enum error rows_from(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row);
enum error rows_after(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row);
enum error rows_before(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row);

/* Writes copy key and value. One that does not fit fails the run: rows_keep says so. */
void rows_put(struct rows *rows, struct bytes key, struct bytes value);
void rows_delete(struct rows *rows, struct bytes key);

#endif
