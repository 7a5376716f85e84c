/*
 * Loaded into the daemons that are measured (LD_PRELOAD): counts what they sync, file by file, in the file
 * that BENCH_SYNCS names (bench/syncs.h). The sync itself is the system's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/syncs.h"

int fdatasync(int fd);
int fsync(int fd);

/* Mapped when the library is loaded, before the daemon closes its sandbox. */
static struct sync_table *table(void)
{
	static struct sync_table *mapped;
	const char *path = mapped == NULL ? getenv("BENCH_SYNCS") : NULL;
	if (path == NULL)
		return mapped;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory =
		fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (memory != MAP_FAILED)
		mapped = memory;
	unsetenv("BENCH_SYNCS");
	return mapped;
}

static void __attribute__((constructor)) load(void)
{
	table();
}

static void count(int fd)
{
	struct stat status;
	struct sync_table *counted = table();
	if (counted == NULL || fstat(fd, &status) != 0)
		return;
	for (size_t i = 0; i < SYNC_FILES_MAX; i++) {
		unsigned long long file = 0;
		if (atomic_compare_exchange_strong(&counted->files[i].inode, &file, status.st_ino) ||
		    file == status.st_ino) {
			atomic_fetch_add(&counted->files[i].syncs, 1);
			return;
		}
	}
}

int fdatasync(int fd)
{
	count(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	count(fd);
	return (int)syscall(SYS_fsync, fd);
}
