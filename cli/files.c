#include "cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, uint8_t *to, size_t size_max, size_t *size)
{
	*size = 0;
	while (*size < size_max) {
		ssize_t got = read(fd, to + *size, size_max - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			return true;
		*size += (size_t)got;
	}
	return true;
}

bool file_is_private(const struct call *call, const char *path, int fd)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return call_fail(call, "cannot read %s: %s", path, strerror(errno)) == 0;
	if (!S_ISREG(status.st_mode) || (status.st_mode & 077) == 0)
		return true;
	call_fail(call, "%s holds a secret, and others may read or change it: chmod 600 %s", path, path);
	return false;
}

static bool read_open(const struct call *call, const char *path, int fd, size_t size_max, uint8_t **memory,
		      struct bytes *bytes)
{
	size_t size = 0;
	*memory = malloc(size_max + 1);
	if (*memory == NULL)
		call_fail_error(call, path, ERROR_NO_MEMORY);
	else if (!read_all(fd, *memory, size_max + 1, &size))
		call_fail(call, "cannot read %s: %s", path, strerror(errno));
	else if (size > size_max)
		call_fail(call, "%s has more than the %zu bytes that such a file may have",
			  strcmp(path, "-") == 0 ? "standard input" : path, size_max);
	else {
		*bytes = bytes_make(*memory, size);
		return true;
	}
	free(*memory);
	*memory = NULL;
	return false;
}

/* A regular file to read from, or -1 after an error message. */
static int open_regular(const struct call *call, const char *path)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not hang us before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	if (fd < 0) {
		call_fail(call, "cannot read %s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	call_fail(call, "%s is not a regular file", path);
	close(fd);
	return -1;
}

static bool read_named(const struct call *call, const char *path, bool is_secret, size_t size_max,
		       uint8_t **memory, struct bytes *bytes)
{
	*memory = NULL;
	int fd = open_regular(call, path);
	if (fd < 0)
		return false;
	bool done = (!is_secret || file_is_private(call, path, fd)) &&
		    read_open(call, path, fd, size_max, memory, bytes);
	close(fd);
	return done;
}

FILE *file_open(const struct call *call, const char *path)
{
	int fd = open_regular(call, path);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (fd >= 0 && file == NULL) {
		call_fail(call, "cannot read %s: %s", path, strerror(errno));
		close(fd);
	}
	return file;
}

bool file_read(const struct call *call, const char *path, size_t size_max, uint8_t **memory,
	       struct bytes *bytes)
{
	if (strcmp(path, "-") == 0)
		return read_open(call, path, STDIN_FILENO, size_max, memory, bytes);
	return read_named(call, path, false, size_max, memory, bytes);
}

bool file_read_secret(const struct call *call, const char *path, size_t size_max, uint8_t **memory,
		      struct bytes *bytes)
{
	return read_named(call, path, true, size_max, memory, bytes);
}

static bool write_all(int fd, struct bytes bytes)
{
	for (size_t at = 0; at < bytes.size;) {
		ssize_t written = write(fd, bytes.data + at, bytes.size - at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		at += (size_t)written;
	}
	return true;
}

bool directory_sync_of(const char *path)
{
	char copy[PATH_MAX];
	if (strlen(path) >= sizeof copy)
		return false;
	memcpy(copy, path, strlen(path) + 1);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool done = fsync(fd) == 0;
	close(fd);
	return done;
}

bool file_create(const struct call *call, const char *path, struct bytes bytes, unsigned int mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		call_fail(call, "%s: %s", path,
			  errno == EEXIST ? "exists already: nothing was written" : strerror(errno));
		return false;
	}
	bool done = write_all(fd, bytes) && fsync(fd) == 0;
	int reason = errno;
	if (close(fd) != 0 || !done || !directory_sync_of(path)) {
		call_fail(call, "cannot write %s: %s", path, strerror(done ? errno : reason));
		unlink(path);
		return false;
	}
	return true;
}

bool file_try(const struct call *call, const char *path, size_t size)
{
	uint8_t *zeros = calloc(1, size);
	if (zeros == NULL)
		return call_fail_error(call, path, ERROR_NO_MEMORY) == 0;
	bool done = file_create(call, path, bytes_make(zeros, size), 0600);
	free(zeros);
	if (done && unlink(path) != 0)
		done = call_fail(call, "cannot remove %s again: %s", path, strerror(errno)) == 0;
	return done;
}

bool file_replace(const struct call *call, const char *path, struct bytes bytes, unsigned int mode)
{
	char beside[PATH_MAX];
	int size = snprintf(beside, sizeof beside, "%s.new", path);
	if (size < 0 || (size_t)size >= sizeof beside) {
		call_fail(call, "the path %s is too long", path);
		return false;
	}
	unlink(beside);
	if (!file_create(call, beside, bytes, mode))
		return false;
	if (rename(beside, path) != 0 || !directory_sync_of(path)) {
		call_fail(call, "cannot replace %s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

static bool is_empty(DIR *directory)
{
	const struct dirent *entry;
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0)
			return false;
	return true;
}

/* Where only root can make a directory, or where a disk is mounted, one that was made for us is taken as it
 * is, and closed to others. */
static bool take_empty(const struct call *call, const char *path)
{
	DIR *directory = opendir(path);
	struct stat status;
	bool done = false;
	if (directory == NULL || fstat(dirfd(directory), &status) != 0)
		call_fail(call, "%s exists already and cannot be used: %s", path, strerror(errno));
	else if (!is_empty(directory))
		call_fail(call, "%s exists already and is not empty: name a new directory", path);
	else if (status.st_uid != geteuid() || fchmod(dirfd(directory), 0700) != 0)
		call_fail(call, "%s exists already and belongs to another user: name a new directory", path);
	else
		done = true;
	if (directory != NULL)
		closedir(directory);
	return done;
}

bool directory_create(const struct call *call, const char *path)
{
	if (mkdir(path, 0700) == 0) {
		if (directory_sync_of(path))
			return true;
		call_fail(call, "cannot sync the directory that holds %s: %s", path, strerror(errno));
		return false;
	}
	if (errno == EEXIST)
		return take_empty(call, path);
	call_fail(call, "cannot make the directory %s: %s", path, strerror(errno));
	return false;
}

bool file_erase(const struct call *call, const char *path)
{
	static const uint8_t zeros[4096];
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	bool done = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	for (off_t left = done ? status.st_size : 0; done && left > 0;) {
		size_t part = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
		done = write_all(fd, bytes_make(zeros, part));
		left -= (off_t)part;
	}
	done = done && fsync(fd) == 0 && unlink(path) == 0 && directory_sync_of(path);
	if (!done)
		call_fail(call, "cannot erase %s: %s; destroy the medium", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

bool path_join(const struct call *call, const char *directory, const char *name, char *path, size_t path_size)
{
	int size = snprintf(path, path_size, "%s/%s", directory, name);
	if (size >= 0 && (size_t)size < path_size)
		return true;
	call_fail(call, "the path %s/%s is too long", directory, name);
	return false;
}
