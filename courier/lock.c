#include "courier/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "courier.lock"

/* True if the name still leads to the file that is locked: its last holder may have removed it meanwhile. */
static bool is_named(int directory, int lock)
{
	struct stat named;
	struct stat held;

	return fstatat(directory, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(lock, &held) == 0 &&
		named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

enum error lock_take(int directory, int *lock)
{
	for (;;) {
		int file = openat(directory, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (file < 0)
			return ERROR_IO;
		if (flock(file, LOCK_EX | LOCK_NB) != 0) {
			enum error error = errno == EWOULDBLOCK ? ERROR_BUSY : ERROR_IO;

			close(file);
			return error;
		}
		if (is_named(directory, file)) {
			*lock = file;
			return ERROR_OK;
		}
		close(file);
	}
}

void lock_release(int directory, int lock)
{
	unlinkat(directory, LOCK_FILE, 0);
	close(lock);
}
