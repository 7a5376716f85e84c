/*
 * The officers' end of the daemon: a Unix socket that speaks base/local.h.
 *
 * Only processes of the daemon's own user (or root) are served, at most LOCAL_CLIENTS_MAX at once. A client
 * is dropped, with a log line, when it sends what is no frame or no request, does not finish a frame within
 * LOCAL_STALL_MS, or does not read for so long, or lets more than LOCAL_OUT_SIZE_MAX bytes pile up. A
 * client has one request under way: nothing more is read from it until the reply has been queued.
 */
#ifndef POST_LOCAL_SERVER_H
#define POST_LOCAL_SERVER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/local.h"
#include "post/logger.h"
#include "post/stream.h"

#define LOCAL_CLIENTS_MAX  32
#define LOCAL_OUT_SIZE_MAX (4 * 1024 * 1024) /* a reply at its largest, and notices besides */
#define LOCAL_READ_SIZE    16384             /* in one turn of the loop from one client */
#define LOCAL_STALL_MS     60000

struct local_client {
	int fd;          /* -1: a free place */
	uint64_t number; /* never used twice */
	struct stream in;
	struct stream out;
	bool busy; /* a request is under way */
	bool subscribed;
	uint64_t moved_ms; /* when bytes last moved while some were due, or nothing was due */
};

struct local_server {
	int listener; /* borrowed */
	struct logger *logger;
	uint64_t last_number;
	unsigned next; /* whose turn it is */
	struct local_client clients[LOCAL_CLIENTS_MAX];
};

/* The listening socket does not block and stays the caller's, as does the logger. */
void local_server_make(struct local_server *server, int listener, struct logger *logger);
void local_server_close(struct local_server *server);

/* What to wait for: at most 1 + LOCAL_CLIENTS_MAX places from `polls` on; returns how many. */
size_t local_server_poll(const struct local_server *server, struct pollfd *polls);

/* Accepts, reads, writes and drops as `polls` says (the same places, after the wait). steady_ms as for the
 * logger. */
void local_server_turn(struct local_server *server, const struct pollfd *polls, size_t count,
		       uint64_t steady_ms);

/* Drops whoever has stalled. Call once a second. */
void local_server_tick(struct local_server *server, uint64_t steady_ms);

/* True if local_server_next would give a frame now: a client may have sent several requests at once. */
bool local_server_is_ready(const struct local_server *server);

/*
 * The next whole frame of a client without a request under way, each client in its turn; NULL if there is
 * none. The frame (without its size) is valid until local_server_took, which marks the client busy, or
 * local_server_drop.
 */
struct local_client *local_server_next(struct local_server *server, uint64_t steady_ms, struct bytes *frame);
void local_server_took(struct local_client *client, struct bytes frame);

/* The client of that number, NULL if it has gone. */
struct local_client *local_server_find(struct local_server *server, uint64_t number);

/* Queues a frame with its size. `ends` says that the request is done. A client that does not read is
 * dropped. */
void local_server_reply(struct local_server *server, struct local_client *client, struct bytes frame,
			bool ends, uint64_t steady_ms);

/* Queues a notice for every subscriber. */
void local_server_notice(struct local_server *server, struct bytes frame, uint64_t steady_ms);

/* Closes the connection, with a log line of that reason (none with ERROR_OK). */
void local_server_drop(struct local_server *server, struct local_client *client, enum error reason,
		       const char *text, uint64_t steady_ms);

/* Writes what can be written at once. */
void local_server_flush(struct local_server *server, uint64_t steady_ms);

#endif
