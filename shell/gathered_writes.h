/*
 * A layer over SQLite's file system (https://www.sqlite.org/vfs.html) that makes few large writes of many
 * small ones.
 *
 * SQLite writes its log in two calls for each page, and the database page by page. Writes that follow each
 * other in a file are kept here and handed on as one. They are handed on before anything could tell the
 * difference: before a sync, before a read of the same bytes, before the file's size is asked or set, before
 * a lock is given up, before the file is closed. So what a sync promises is what it promised without the
 * layer; only what nobody has synced yet stands in our memory and no longer in the kernel's.
 *
 * What cannot be written is reported by the call that hands it on, at the latest by the sync, and is then
 * forgotten: SQLite rolls the transaction back, and its bytes must never come after those of the next one.
 * For databases whose commits sync (synchronous=FULL), in a log without shared memory
 * (locking_mode=EXCLUSIVE).
 */
#ifndef SHELL_GATHERED_WRITES_H
#define SHELL_GATHERED_WRITES_H

#include <sqlite3.h>

#define GATHERED_SIZE_MAX 65536 /* bytes held for each file */

struct gathered_writes {
	sqlite3_vfs vfs; /* first: SQLite gives it back to us */
	sqlite3_vfs *below;
	char name[32];
};

/*
 * Registers the layer over the default file system. It stays where it is until gathered_writes_remove, after
 * the last of its databases is closed. Gives the name for sqlite3_open_v2, which lives as long; NULL if
 * SQLite has no file system or no memory.
 */
const char *gathered_writes_add(struct gathered_writes *layer);

/* Safe on one that was zeroed and never added, and to call twice. */
void gathered_writes_remove(struct gathered_writes *layer);

#endif
