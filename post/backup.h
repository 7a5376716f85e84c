/*
 * LOCAL_BACKUP: a consistent image of the store, without what must not outlive it (record_row_in_backup).
 *
 * The rows are copied in key order into a new database in the daemon's directory, a bounded number at a
 * time, while the daemon works on. A write to a row that has been copied already is written to the copy as
 * well, so when the last row has been copied the image is the store as it then stands. (SQLite's own backup
 * would copy whole pages, epoch keys among them, which would then have to be found and erased in the copy.)
 * The file is unlinked before it is streamed, so that no end of the process leaves it behind.
 */
#ifndef POST_BACKUP_H
#define POST_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "post/store.h"

#define BACKUP_FILE_NAME  "backup.tmp"
#define BACKUP_STEP_ROWS  256 /* copied in one step of the loop: some milliseconds */
#define BACKUP_STEP_BYTES (256 * 1024)
#define BACKUP_CHUNK_SIZE (64 * 1024) /* of one frame to the client */

enum backup_state {
	BACKUP_IDLE,
	BACKUP_COPYING,
	BACKUP_STREAMING,
};

struct backup {
	enum backup_state state;
	struct store image; /* COPYING */
	uint8_t after[ROW_KEY_SIZE_MAX];
	size_t after_size; /* rows up to this key are copied; 0: none yet */
	enum error failed; /* a write to the image failed: the next step says so */
	int fd;            /* STREAMING */
	uint64_t at;       /* bytes read of it */
};

void backup_make(struct backup *backup);

/* Removes what an earlier process left. The current directory is the daemon's. ERROR_IO. */
enum error backup_clean(void);

/* ERROR_BUSY: one is under way; else what store_open says. On error nothing is under way. */
enum error backup_begin(struct backup *backup);

/* A write that is about to be committed to the store. Does nothing unless COPYING. */
void backup_note(struct backup *backup, const struct rows_change *change);

/* COPYING: copies some rows, between batches. When all are there, goes over to STREAMING. On error:
 * backup_end. */
enum error backup_step(struct backup *backup, struct store *store);

/* STREAMING: the next bytes, at most size_max; none at the end. ERROR_IO. */
enum error backup_read(struct backup *backup, uint8_t *to, size_t size_max, size_t *size);

/* Ends it, finished or not; no file is left. Safe in any state. */
void backup_end(struct backup *backup);

#endif
