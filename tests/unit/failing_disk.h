/*
 * A SQLite file system that fails on command: the default one, with writes and syncs that can be made to
 * fail.
 */
#ifndef TESTS_UNIT_FAILING_DISK_H
#define TESTS_UNIT_FAILING_DISK_H

/* Makes it the default of this process. Call once, before any database is opened. */
void failing_disk_install(void);

/* The next syncs, writes fail with this SQLite result; 0: they succeed again. */
void failing_disk_fail_syncs(int result);
void failing_disk_fail_writes(int result);

/* Syncs, writes so far. */
unsigned failing_disk_syncs(void);
unsigned failing_disk_writes(void);

#endif
