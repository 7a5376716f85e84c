/*
 * A disk that fails when told to, laid under a daemon with LD_PRELOAD: while the working directory holds a
 * file `fail-sync`, fsync and fdatasync fail with EIO, and while it holds a link `fail-sync-of`, those of the
 * file that the link leads to; while it holds `fail-write`, writes to files at an offset fail with ENOSPC;
 * while it holds `fail-room`, the file system says that it is full.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

static bool told(const char *name)
{
	int number = errno;
	bool there = access(name, F_OK) == 0;

	errno = number;
	return there;
}

static bool sync_fails(int file)
{
	int number = errno;
	struct stat named, synced;
	bool fails = stat("fail-sync-of", &named) == 0 && fstat(file, &synced) == 0 &&
		     named.st_dev == synced.st_dev && named.st_ino == synced.st_ino;

	errno = number;
	return fails || told("fail-sync");
}

/* The next definition of a function, as a pointer of the type of *to. */
static void next(const char *name, void *to, size_t size)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(to, &found, size);
}

int fsync(int file)
{
	int (*real)(int);

	next("fsync", &real, sizeof real);
	if (!sync_fails(file))
		return real(file);
	errno = EIO;
	return -1;
}

int fdatasync(int file)
{
	int (*real)(int);

	next("fdatasync", &real, sizeof real);
	if (!sync_fails(file))
		return real(file);
	errno = EIO;
	return -1;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
	ssize_t (*real)(int, const void *, size_t, off64_t);

	next("pwrite64", &real, sizeof real);
	if (!told("fail-write"))
		return real(file, data, size, offset);
	errno = ENOSPC;
	return -1;
}

int fstatvfs64(int file, struct statvfs64 *status)
{
	int (*real)(int, struct statvfs64 *);
	int result;

	next("fstatvfs64", &real, sizeof real);
	result = real(file, status);
	if (result == 0 && told("fail-room"))
		status->f_bavail = 0;
	return result;
}
