/*
 * Connections to the daemon's listening sockets.
 */
#ifndef POST_PEER_H
#define POST_PEER_H

#include "base/error.h"

/*
 * Accepts one connection, not blocking and closed on exec. ERROR_NOT_FOUND: none is waiting (or it went
 * away again, or the process has no descriptor left); ERROR_BAD_ARGUMENT: it was of another user and has
 * been closed: only the daemon's own user and root may talk to it.
 */
enum error peer_accept(int listener, int *fd);

#endif
