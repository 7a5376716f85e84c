/*
 * The courier's queue on disk: the ordered rows of base/rows.h in one SQLite database, one transaction a
 * batch.
 *
 * One table, rows(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID, so that keys stand in memcmp order.
 * Write-ahead log, synchronous=FULL: when store_commit() has returned ERROR_OK the batch is on disk. Nobody
 * else has the file open (locking_mode=EXCLUSIVE).
 */
#ifndef COURIER_STORE_H
#define COURIER_STORE_H

#include <stdint.h>

#include "base/error.h"
#include "base/rows.h"

#define STORE_FILE "queue.db"
#define STORE_APPLICATION_ID 0x6c696e71 /* "linq" */
#define STORE_FORMAT           2
#define STORE_CACHE_KIB 512
#define STORE_CHECKPOINT_PAGES 1000

struct store;

/*
 * Opens or makes `path`. size_max: bytes that the database may grow to. ERROR_NOT_FOUND without the
 * directory, ERROR_BUSY, ERROR_FULL, ERROR_BAD_VERSION, ERROR_MALFORMED (another program's file),
 * ERROR_NO_MEMORY, ERROR_IO. Call before the sandbox is entered: SQLite then seeds its random numbers. On
 * failure *store is to be closed as well, and store_problem() says more, where *store is not NULL.
 */
enum error store_open(struct store **store, const char *path, uint64_t size_max);
void store_close(struct store *store);

/* Loads all that the last run of `rows` wanted. ERROR_IO; ERROR_MALFORMED for a row larger than rows are. */
enum error store_load(struct store *store, struct rows *rows);

/*
 * Writes the batch of `rows` in one transaction and syncs it; the rows stay as they are (the caller resets
 * them). Nothing to write is ERROR_OK at once. ERROR_FULL: no room, and nothing was written. ERROR_IO: what
 * is on disk is not known: the daemon must stop.
 */
enum error store_commit(struct store *store, const struct rows *rows);

/* In SQLite's words, what went wrong last. */
const char *store_problem(const struct store *store);

#endif
