#include "bench/syncs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/wait.h"

struct sync_table *sync_table_make(const char *path)
{
	struct sync_table *table = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, sizeof *table) == 0) {
		void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (memory != MAP_FAILED)
			table = memory;
	}
	if (table == NULL)
		fail("%s cannot be made: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return table;
}

static uint64_t syncs_of(const struct sync_table *table, const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return 0;
	for (size_t i = 0; i < SYNC_FILES_MAX; i++)
		if (atomic_load(&table->files[i].inode) == status.st_ino)
			return atomic_load(&table->files[i].syncs);
	return 0;
}

bool sync_counts(const struct sync_table *table, const char *path, struct sync_counts *counts)
{
	char log[PATH_MAX];
	snprintf(log, sizeof log, "%s-wal", path);
	counts->log = syncs_of(table, log);
	counts->database = syncs_of(table, path);
	return sync_all(table) > 0
		       ? true
		       : fail("no sync of %s was counted: is bench-syncs.so of this build?", path);
}

uint64_t sync_commits(const struct sync_counts *before, const struct sync_counts *after)
{
	uint64_t log = after->log - before->log, database = after->database - before->database;
	return log > 2 * database ? log - 2 * database : 0;
}

uint64_t sync_all(const struct sync_table *table)
{
	uint64_t all = 0;
	for (size_t i = 0; i < SYNC_FILES_MAX; i++)
		all += atomic_load(&table->files[i].syncs);
	return all;
}
