/*
 * The store: the record's rows in one SQLite database, one transaction for each batch.
 *
 * Tables: rows(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID, keys in memcmp order; shell(name, value)
 * for what the daemon itself must remember. Write-ahead log, synchronous=FULL: store_commit has returned
 * ERROR_OK only when the batch is on disk. locking_mode=EXCLUSIVE: no shared memory file, and no second
 * process reads beside us. secure_delete=ON: deleted rows are overwritten, not only unlinked.
 *
 * What fails here is the machine, never the input: the caller stops the daemon on any error of a function
 * that can fail (but see store_open), since what SQLite holds after a failed sync is not known to be on
 * disk. store_message says what it was.
 */
#ifndef POST_STORE_H
#define POST_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/rows.h"
#include "shell/gathered_writes.h"

#define STORE_CACHE_KIB        2048 /* pages held while it works, given back when it rests */
#define STORE_CHECKPOINT_PAGES 1000 /* of the write-ahead log (4 KiB) before they go into the database */
#define STORE_FORMAT           6    /* 1 to 5: keys and values of the rows were others */
#define STORE_APPLICATION_ID   0x6c696e65 /* "line": file(1) and we tell our database from others by it */

enum store_statement {
	STORE_BEGIN,
	STORE_COMMIT,
	STORE_SELECT_ASCENDING,
	STORE_SELECT_DESCENDING,
	STORE_PUT,
	STORE_DELETE,
	STORE_SHELL_GET,
	STORE_SHELL_PUT,
	STORE_STATEMENTS,
};

struct sqlite3;
struct sqlite3_stmt;

struct store {
	struct sqlite3 *database;
	struct gathered_writes writes; /* with STORE_LIVE */
	struct sqlite3_stmt *statements[STORE_STATEMENTS];
	bool in_transaction;
};

/*
 * Call once in a process before the sandbox closes: SQLite seeds its own random numbers from a file. They
 * serve for the write-ahead log's salts only.
 */
enum error store_prepare_process(void);

/* What a database is for. */
enum store_purpose {
	STORE_LIVE,  /* the record */
	STORE_IMAGE, /* a copy under way, thrown away if it is not finished: nothing is synced */
};

/*
 * Opens or makes the database; `store` stays where it is until store_close. ERROR_MALFORMED: the file is not
 * ours; ERROR_BAD_VERSION: made by a later version; ERROR_BUSY, ERROR_FULL, ERROR_IO, ERROR_NO_MEMORY. On
 * error too, store_close follows. The path is copied.
 */
enum error store_open(struct store *store, const char *path, enum store_purpose purpose);

/* Rolls back what is not committed. Safe to call twice. */
void store_close(struct store *store);

/* What the last error was, in SQLite's words. Never NULL. */
const char *store_message(const struct store *store);

enum error store_begin(struct store *store);
/* ERROR_FULL where the disk is full, else ERROR_IO: in either case the batch is not on disk. */
enum error store_commit(struct store *store);

/* Loads all that the last run of `rows` wanted (base/rows.h). Within a transaction. */
enum error store_load(struct store *store, struct rows *rows);

/* One write. Within a transaction. */
enum error store_apply(struct store *store, const struct rows_change *change);

/*
 * The first row whose key is above `after` (empty: the first of all): *found false at the end. Key and
 * value stay valid until the next call on the store. store_next_end follows the last of a series of calls,
 * before a commit.
 */
enum error store_next(struct store *store, struct bytes after, bool *found, struct row *row);
void store_next_end(struct store *store);

/* The daemon's own small values, by name. *found false if there is none; at most value->size_max bytes. */
enum error store_shell_get(struct store *store, const char *name, struct buffer *value, bool *found);
enum error store_shell_put(struct store *store, const char *name, struct bytes value);

/* Overwrites and empties the write-ahead log, so that rows deleted before are in neither file. Not within a
 * transaction. */
enum error store_wipe(struct store *store);

/* Bytes of the database and its write-ahead log. 0 if the system does not say. */
uint64_t store_size(struct store *store);

/* Gives back memory that an idle daemon need not hold. */
void store_release_memory(struct store *store);

#endif
