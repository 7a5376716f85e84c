#include "post/peer.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

enum error peer_accept(int listener, int *fd)
{
	*fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (*fd < 0)
		return ERROR_NOT_FOUND;
	if (is_ours(*fd))
		return ERROR_OK;
	close(*fd);
	*fd = -1;
	return ERROR_BAD_ARGUMENT;
}
