#include "tests/unit/failing_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#define KINDS_MAX 4

static struct {
	sqlite3_vfs *below;
	sqlite3_vfs vfs;
	struct kind { /* the default system has several sets of methods, one for each way of locking */
		const sqlite3_io_methods *below;
		sqlite3_io_methods methods;
	} kinds[KINDS_MAX];
	int sync_result;
	int write_result;
	unsigned syncs;
	unsigned writes;
} disk;

static const sqlite3_io_methods *methods_below(const sqlite3_file *file)
{
	for (unsigned i = 0; i < KINDS_MAX; i++) {
		if (file->pMethods == &disk.kinds[i].methods)
			return disk.kinds[i].below;
	}
	fail_msg("a file that is not of this system");
	return NULL;
}

static int sync_file(sqlite3_file *file, int flags)
{
	disk.syncs++;
	return disk.sync_result != SQLITE_OK ? disk.sync_result : methods_below(file)->xSync(file, flags);
}

static int write_file(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
	disk.writes++;
	return disk.write_result != SQLITE_OK ? disk.write_result
					      : methods_below(file)->xWrite(file, data, size, offset);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	int result = disk.below->xOpen(disk.below, name, file, flags, out_flags);

	if (result != SQLITE_OK || file->pMethods == NULL)
		return result;
	for (unsigned i = 0; i < KINDS_MAX; i++) {
		struct kind *kind = &disk.kinds[i];

		if (kind->below != NULL && kind->below != file->pMethods)
			continue;
		kind->below = file->pMethods;
		kind->methods = *file->pMethods;
		kind->methods.xSync = sync_file;
		kind->methods.xWrite = write_file;
		file->pMethods = &kind->methods;
		return result;
	}
	fail_msg("more kinds of files than expected");
	return result;
}

void failing_disk_install(void)
{
	disk.below = sqlite3_vfs_find(NULL);
	assert_non_null(disk.below);
	disk.vfs = *disk.below;
	disk.vfs.zName = "failing";
	disk.vfs.pNext = NULL;
	disk.vfs.xOpen = open_file;
	assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
}

void failing_disk_fail_syncs(int result)
{
	disk.sync_result = result;
}

void failing_disk_fail_writes(int result)
{
	disk.write_result = result;
}

unsigned failing_disk_syncs(void)
{
	return disk.syncs;
}

unsigned failing_disk_writes(void)
{
	return disk.writes;
}
