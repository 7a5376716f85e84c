/*
 * The courier's end of the daemon: a Unix socket that speaks base/link.h, for one courier at a time.
 *
 * The courier is not trusted: what it says is a hint, what it sends is bounded, and whatever is no message
 * of the link ends the connection with a log line. Nothing here waits for it: frames to it are queued up to
 * COURIER_OUT_SIZE_MAX, beyond which the connection ends as well, and the record hands the copies over
 * again on the next one.
 */
#ifndef POST_COURIER_LINK_H
#define POST_COURIER_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/link.h"
#include "post/logger.h"
#include "post/stream.h"
#include "record/record.h"

#define COURIER_COPIES_MAX   256 /* handed over and not answered: the window holds fewer of the usual size */
#define COURIER_OUT_SIZE_MAX (1024 * 1024)
#define COURIER_READ_SIZE    65536
#define COURIER_STALL_MS     60000 /* without a HELLO, or without reading what is due */

struct courier_copy {
	uint8_t id[LINK_ID_SIZE];
	unsigned precedence;
	size_t size;
};

struct courier_link {
	int listener; /* borrowed */
	struct logger *logger;
	struct bytes node; /* the post's own node id; borrowed */
	int fd;            /* -1: no courier */
	bool greeted;      /* its HELLO has come */
	bool heads_told;   /* the record has its HEADS, which it owes first of all */
	bool heads_next;   /* they are the message that the record is given next */
	bool lost;         /* a greeted connection has ended and the record does not know yet */
	uint64_t left[LINK_PRECEDENCE_MAX]; /* deliveries left there for want of room, by precedence - 1 */
	struct stream in;
	struct stream out;
	uint64_t moved_ms;
	struct link_window window;
	size_t copies_count;
	struct courier_copy copies[COURIER_COPIES_MAX];
	struct bytes routes_frame;  /* ours: the last ROUTES, which `routes` points into */
	struct link_routes *routes; /* ours; NULL: none yet */
};

/* The listening socket does not block; it, the logger and the node id stay the caller's. */
void courier_link_make(struct courier_link *link, int listener, struct logger *logger, struct bytes node);
/* Ends the connection and frees all. */
void courier_link_close(struct courier_link *link);

/* What to wait for: at most 2 places from `polls` on; returns how many. */
size_t courier_link_poll(const struct courier_link *link, struct pollfd *polls);

/* Accepts, reads, writes and ends as `polls` says (the same places, after the wait). */
void courier_link_turn(struct courier_link *link, const struct pollfd *polls, size_t count,
		       uint64_t steady_ms);

/* Ends a connection that has stalled. Call once a second. */
void courier_link_tick(struct courier_link *link, uint64_t steady_ms);

/* True once both ends have said HELLO. */
bool courier_link_is_up(const struct courier_link *link);

/*
 * The next message that the record must see: *message points into the stream until courier_link_took, which
 * consumes *size. HELLO and ROUTES are dealt with here, and PROGRESS frees the window. False: none is whole
 * yet, or the link has ended.
 */
bool courier_link_next(struct courier_link *link, uint64_t steady_ms, struct link_message *message,
		       size_t *size);
void courier_link_took(struct courier_link *link, size_t size);

/* What the record may hand over now (RECORD_COURIER_ROOM): false if nothing, as before the courier has told
 * which heads it keeps. A copy that it got before a head which it lacks could outlive all that tells of the
 * copy's incarnation. */
bool courier_link_room(const struct courier_link *link, struct link_window *window, size_t *copies_max);

/* Queues a message for the actions SEND, CANCEL and TAKEN; nothing happens while no courier is there. */
void courier_link_send(struct courier_link *link, const struct record_action *action, uint64_t steady_ms);
void courier_link_cancel(struct courier_link *link, const uint8_t copy[LINK_ID_SIZE], uint64_t steady_ms);
/* An own signed head: RECORD_ACTION_HEAD. */
void courier_link_head(struct courier_link *link, const struct record_action *action, uint64_t steady_ms);
void courier_link_taken(struct courier_link *link, uint64_t delivery, uint64_t steady_ms);
/* RECORD_ACTION_LEFT: no room for the delivery now. It stays with the courier until the next connection. */
void courier_link_left(struct courier_link *link, const struct record_action *action, uint64_t steady_ms);
/* True if something of this precedence or above was left on this connection. */
bool courier_link_has_left(const struct courier_link *link, unsigned precedence);

/* Ends the connection, with a log line of that reason (none with ERROR_OK). */
void courier_link_end(struct courier_link *link, enum error reason, const char *text, uint64_t steady_ms);

/* Writes what can be written at once. */
void courier_link_flush(struct courier_link *link, uint64_t steady_ms);

#endif
