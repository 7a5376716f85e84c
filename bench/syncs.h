/*
 * How often a daemon syncs each of its files.
 *
 * A small library (bench/count_syncs.c) is loaded into each daemon; it counts calls of fdatasync and fsync
 * by the file's inode in memory shared with bench-line, and does nothing else. Nothing is traced, and the
 * daemons are those that are installed.
 *
 * SQLite with a write-ahead log and synchronous=FULL syncs the log once for each commit. Beside that each
 * checkpoint syncs the log once and the database once, and the first commit after it syncs the log once
 * more, for its new header. So the commits are the log's syncs less twice the database's.
 */
#ifndef BENCH_SYNCS_H
#define BENCH_SYNCS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SYNC_FILES_MAX 64

struct sync_table {
	struct {
		atomic_ullong inode; /* 0: a free place */
		atomic_ullong syncs;
	} files[SYNC_FILES_MAX];
};

/* Makes the file `path` and maps it. NULL after an error message. Unmapped when bench-line ends. */
struct sync_table *sync_table_make(const char *path);

/* How often one database has been synced so far. Only differences within one process of its daemon count. */
struct sync_counts {
	uint64_t log;
	uint64_t database;
};

/*
 * Of the database `path`. False after an error message if nothing at all was counted: no library is
 * loaded.
 */
bool sync_counts(const struct sync_table *table, const char *path, struct sync_counts *counts);

/* The commits between two counts. */
uint64_t sync_commits(const struct sync_counts *before, const struct sync_counts *after);

/* All syncs so far, of whatever file. */
uint64_t sync_all(const struct sync_table *table);

#endif
