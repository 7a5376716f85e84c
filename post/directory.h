/*
 * The post's directory: private, locked by one daemon, with the two listening sockets.
 */
#ifndef POST_DIRECTORY_H
#define POST_DIRECTORY_H

#include <stdbool.h>

#include "post/logger.h"

#define DIRECTORY_LOCAL_SOCKET   "post.sock"
#define DIRECTORY_COURIER_SOCKET "courier.sock"

struct directory {
	int fd;
	int lock;
	int local_listener;
	int courier_listener;
};

/*
 * Checks that `path` is a directory of this user without access for others, locks it (the lock ends with
 * the process, however that ends), makes it the current directory and makes the sockets anew (mode 0600,
 * not blocking). False after a log line that says what to do; then nothing is open.
 */
bool directory_open(struct directory *directory, const char *path, struct logger *logger);

/* Removes the sockets and gives up the lock. */
void directory_close(struct directory *directory);

#endif
