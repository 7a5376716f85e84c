#include "post/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum error file_write_at(int fd, struct bytes bytes, off_t offset)
{
	size_t done = 0;

	while (done < bytes.size) {
		ssize_t size = pwrite(fd, bytes.data + done, bytes.size - done, offset + (off_t)done);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERROR_FULL : ERROR_IO;
		done += (size_t)size;
	}
	return ERROR_OK;
}

enum error file_read_at(int fd, uint8_t *to, size_t size, off_t offset, size_t *got)
{
	*got = 0;
	while (*got < size) {
		ssize_t part = pread(fd, to + *got, size - *got, offset + (off_t)*got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return ERROR_IO;
		if (part == 0)
			break;
		*got += (size_t)part;
	}
	return ERROR_OK;
}

enum error file_sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t size = slash == NULL ? 0 : (size_t)(slash - path);
	enum error error = ERROR_OK;
	int fd;

	if (size >= sizeof directory)
		return ERROR_IO;
	memcpy(directory, path, size);
	directory[size] = '\0';
	if (slash == NULL)
		memcpy(directory, ".", 2);
	else if (size == 0)
		memcpy(directory, "/", 2);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERROR_IO;
	if (fsync(fd) != 0)
		error = ERROR_IO;
	close(fd);
	return error;
}

enum error file_read_small(const char *path, struct buffer *to)
{
	struct stat status;
	enum error error = ERROR_IO;
	size_t got;
	/* O_NONBLOCK: a FIFO of that name must not stop us. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? ERROR_NOT_FOUND : errno == ELOOP ? ERROR_MALFORMED : ERROR_IO;
	if (fstat(fd, &status) == 0) {
		size_t room = to->size_max - to->size;

		if (!S_ISREG(status.st_mode))
			error = ERROR_MALFORMED;
		else if (status.st_size < 0 || (uint64_t)status.st_size > room)
			error = ERROR_TOO_LARGE;
		else
			error = file_read_at(fd, to->data + to->size, room, 0, &got);
		if (error == ERROR_OK)
			to->size += got;
	}
	close(fd);
	return error;
}

static enum error overwrite(int fd)
{
	static const uint8_t zeros[4096];
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return ERROR_IO;
	for (off_t at = 0; at < status.st_size; at += (off_t)sizeof zeros) {
		off_t left = status.st_size - at;
		size_t size = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
		enum error error = file_write_at(fd, bytes_make(zeros, size), at);

		if (error != ERROR_OK)
			return error;
	}
	return fsync(fd) == 0 ? ERROR_OK : ERROR_IO;
}

enum error file_erase(const char *path)
{
	enum error error;
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? ERROR_OK : ERROR_IO;
	error = overwrite(fd);
	close(fd);
	if (error == ERROR_OK && unlink(path) != 0)
		error = ERROR_IO;
	return error == ERROR_OK ? file_sync_directory_of(path) : error;
}
