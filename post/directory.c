#include "post/directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool refuse(struct logger *logger, const char *path, const char *sentence)
{
	logger_line(logger, "cannot start: %s %s", path, sentence);
	return false;
}

static bool enter(struct directory *directory, const char *path, struct logger *logger)
{
	struct stat status;

	directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0 && errno == ENOENT)
		return refuse(logger, path, "does not exist. Make a post with `liaison post create`");
	if (directory->fd < 0 || fstat(directory->fd, &status) != 0)
		return refuse(logger, path, errno == ENOTDIR ? "is not a directory" : strerror(errno));
	if (status.st_uid != geteuid())
		return refuse(logger, path, "belongs to another user: run liaisond as its owner");
	if ((status.st_mode & 0777) != 0700)
		return refuse(logger, path, "is open to others, or closed to its owner: chmod 700 it");
	return fchdir(directory->fd) == 0 || refuse(logger, path, strerror(errno));
}

static bool lock(struct directory *directory, const char *path, struct logger *logger)
{
	directory->lock = openat(directory->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (directory->lock < 0)
		return refuse(logger, path, "cannot be locked");
	if (flock(directory->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	return refuse(logger, path,
		      errno == EWOULDBLOCK
			      ? "is in use by another liaisond: there can be one. Stop that one first"
			      : "cannot be locked");
}

/* A socket of that name was left by a daemon that is gone: we hold the lock. */
static int make_listener(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert(strlen(name) < sizeof address.sun_path);
	memcpy(address.sun_path, name, strlen(name) + 1);
	if (fd < 0)
		return -1;
	if ((unlink(name) == 0 || errno == ENOENT) &&
	    bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && chmod(name, 0600) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool listen_at_both(struct directory *directory, const char *path, struct logger *logger)
{
	directory->local_listener = make_listener(DIRECTORY_LOCAL_SOCKET);
	if (directory->local_listener >= 0)
		directory->courier_listener = make_listener(DIRECTORY_COURIER_SOCKET);
	return directory->courier_listener >= 0 || refuse(logger, path, strerror(errno));
}

bool directory_open(struct directory *directory, const char *path, struct logger *logger)
{
	*directory = (struct directory){.fd = -1, .lock = -1, .local_listener = -1, .courier_listener = -1};
	if (enter(directory, path, logger) && lock(directory, path, logger) &&
	    listen_at_both(directory, path, logger))
		return true;
	directory_close(directory);
	return false;
}

static void close_listener(int *fd, const char *name)
{
	if (*fd < 0)
		return;
	unlink(name);
	close(*fd);
	*fd = -1;
}

void directory_close(struct directory *directory)
{
	close_listener(&directory->local_listener, DIRECTORY_LOCAL_SOCKET);
	close_listener(&directory->courier_listener, DIRECTORY_COURIER_SOCKET);
	if (directory->lock >= 0)
		close(directory->lock);
	if (directory->fd >= 0)
		close(directory->fd);
}
