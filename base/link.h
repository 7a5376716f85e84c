/*
 * The link between a post and its courier: a byte stream of frames (base/frame.h), each one message, an array
 * in deterministic CBOR whose first element is its type. This is the one small table that crosses between
 * the process that holds keys and the process that parses the network; all that comes back is a hint.
 *
 *   both ways   HELLO         [1, version, role, node id: tstr]
 *   to courier  SEND          [2, id: bstr16, destination: tstr, precedence, lifetime_ms, sealed: bstr,
 *                              pin: tstr]
 *               CANCEL        [3, id: bstr16]
 *               ROUTE_WANTED  [4, route: tstr, hold: bool]
 *               TAKEN         [5, delivery]
 *               HEAD          [9, head]
 *               LEFT          [11, delivery]
 *   to post     RECEIVED      [6, delivery, source: tstr, precedence, sealed: bstr]
 *               PROGRESS      [7, id: bstr16, state, route: tstr, reason]
 *               ROUTES        [8, [* [route: tstr, neighbour: tstr, state, changed_ms, queued_size]],
 *                              full: bool]
 *               HEADS         [10, [* head]]
 *
 *   head = [origin: tstr, size, root: bstr32, signature: bstr64]
 *
 * Each end sends HELLO first, once. Whatever link_decode refuses, a message before HELLO and a second HELLO
 * are answered by closing the stream: the other end is broken or taken, and there is nothing to repair.
 *
 * What is promised, and when:
 * - The courier sends PROGRESS with LINK_QUEUED for a SEND only once the copy is in its queue on disk. Until
 *   then the post must send it again after a new HELLO. A SEND with an id that the courier already has is
 *   answered by PROGRESS with the present state, and changes nothing.
 * - The post sends TAKEN for a RECEIVED only after the commit that holds what became of it (accepted, refused
 *   or thrown away). The courier deletes the delivery from its queue only then, and after a new HELLO gives
 *   every delivery again that was not taken.
 * - The post sends LEFT instead where it has no room for a RECEIVED now: it has kept nothing of it. The
 *   courier keeps the delivery, and does not give it again on this stream; the post ends the stream when it
 *   has room.
 * - CANCEL is not answered. A TAKEN, LEFT or CANCEL of something unknown is ignored: it was dealt with
 *   before.
 * - The courier keeps the largest HEAD of each origin, and gives them all, as HEADS, after the post's HELLO:
 * a
 *   post whose disk was set back to an older day learns from it that it had signed more. It is a hint too,
 *   but one that nobody can make but who has the log's key.
 * - PROGRESS and ROUTES are hints. Nothing is accepted, acknowledged or erased because of them, but that a
 *   copy reported as queued or carried need not be handed over again on this stream: if it is an entry's,
 *   until it is due for want of a receipt; if it is a statement's, which nobody receipts, at all. What is
 *   reported as failed or expired the post keeps. It hands it over again after RETRY_FLASH_MS and so on by
 *   its precedence where the reason is FULL, TIMED_OUT or IO, which pass by themselves; for another reason an
 *   entry's copy when it is due, but a statement as before: only a bounded number of times, since what it
 *   says is said anew when it is asked for.
 *
 * Flow control (struct link_window): a SEND is answered by its first PROGRESS, a RECEIVED by its TAKEN or
 * LEFT. An end sends the next one only when the window is open, so that no more than WINDOW_SIZE_MAX bytes of
 * lower precedence wait between the two ends when a FLASH comes; a FLASH does not wait for them.
 */
#ifndef BASE_LINK_H
#define BASE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define LINK_VERSION 1
#define LINK_ID_SIZE 16
#define LINK_PRECEDENCE_MAX 4
#define LINK_FRAME_SIZE_MAX (SEALED_SIZE_MAX + 4096) /* SEND with its texts, or ROUTES in full */

enum link_type {
	LINK_HELLO = 1,
	LINK_SEND = 2,
	LINK_CANCEL = 3,
	LINK_ROUTE_WANTED = 4,
	LINK_TAKEN = 5,
	LINK_RECEIVED = 6,
	LINK_PROGRESS = 7,
	LINK_ROUTES = 8,
	LINK_HEAD = 9,
	LINK_HEADS = 10,
	LINK_LEFT = 11,
};

/* Which end of the link. */
enum link_role {
	LINK_POST = 1,
	LINK_COURIER = 2,
};

enum link_copy_state {
	LINK_QUEUED = 1,  /* on the courier's disk */
	LINK_CARRIED = 2, /* a neighbour courier has it on disk; `route` names the way */
	LINK_FAILED = 3,  /* given up, or never taken; `reason` says why */
	LINK_EXPIRED = 4, /* its lifetime has run out; `reason` says why it was still here */
};

enum link_route_state {
	LINK_ROUTE_UP = 1,
	LINK_ROUTE_DEGRADED = 2,
	LINK_ROUTE_SILENT = 3,
	LINK_ROUTE_DOWN = 4,
};

/*
 * The messages. Every view points into the frame that was decoded, or to what the encoder's caller owns. Node
 * ids are endpoint ids as text: 1 to EID_SIZE_MAX printable ASCII characters without space. Routes are named
 * in one line of plain text (text_is_plain_line) of 1 to ROUTE_NAME_SIZE_MAX bytes.
 */
struct link_hello {
	uint64_t version;    /* LINK_VERSION */
	enum link_role role; /* the sender's */
	struct bytes node;   /* the sender's own node id */
};

struct link_send {
	uint8_t id[LINK_ID_SIZE];
	struct bytes destination; /* node id */
	unsigned precedence;      /* 1 ROUTINE to 4 FLASH */
	uint64_t lifetime_ms;     /* from now; 1 to LIFETIME_MS_MAX */
	struct bytes sealed;      /* 1 to SEALED_SIZE_MAX bytes */
	struct bytes pin;         /* the only route to take, for tests; empty: any */
};

struct link_cancel {
	uint8_t id[LINK_ID_SIZE];
};

struct link_route_wanted {
	struct bytes route;
	bool hold; /* true: leave it unused until it is wanted again; false: use it */
};

struct link_taken {
	uint64_t delivery; /* 1 to INT64_MAX */
};

struct link_left {
	uint64_t delivery; /* 1 to INT64_MAX */
};

struct link_received {
	uint64_t delivery;   /* the courier's number; it comes back in TAKEN; 1 to INT64_MAX */
	struct bytes source; /* node id, as the bundle claims it: a hint */
	unsigned precedence; /* 1 to 4 */
	struct bytes sealed; /* 1 to SEALED_SIZE_MAX bytes */
};

struct link_progress {
	uint8_t id[LINK_ID_SIZE];
	enum link_copy_state state;
	struct bytes route; /* LINK_CARRIED: by which; else it may be empty */
	enum error reason;  /* LINK_FAILED, LINK_EXPIRED: why, from the error table; else ERROR_OK */
};

struct link_route {
	struct bytes route;
	struct bytes neighbour; /* node id */
	enum link_route_state state;
	uint64_t changed_ms;  /* Unix time in ms when it entered this state; to INT64_MAX */
	uint64_t queued_size; /* bytes that wait for it; to INT64_MAX */
};

struct link_routes {
	size_t count;                         /* 0 to ROUTES_MAX */
	struct link_route routes[ROUTES_MAX]; /* all of the courier's, ascending by name */
	bool full; /* the courier's disk, nearly: it refuses, or soon will, the bulk first */
};

#define LINK_ORIGIN_SIZE_MAX 64 /* ours have 40 */

/* A head that the post has signed: opaque to the courier. */
struct link_head {
	struct bytes origin; /* of the log: 1 to LINK_ORIGIN_SIZE_MAX of the characters ! to ~ */
	uint64_t size;       /* to INT64_MAX */
	uint8_t root[32];
	uint8_t signature[64];
};

struct link_heads {
	size_t count;                           /* 0 to HEADS_KEPT_MAX */
	struct link_head heads[HEADS_KEPT_MAX]; /* ascending by origin */
};

struct link_message {
	enum link_type type;
	union {
		struct link_hello hello;
		struct link_send send;
		struct link_cancel cancel;
		struct link_route_wanted route_wanted;
		struct link_taken taken;
		struct link_left left;
		struct link_received received;
		struct link_progress progress;
		struct link_routes routes;
		struct link_head head;
		struct link_heads heads;
	};
};

/*
 * Appends the frame of `message`, as the end `from` sends it. ERROR_FULL if the buffer has no room for it
 * now, and the error that link_decode would give if the message is not one that `from` may send; then the
 * buffer is as it was.
 */
enum error link_encode(struct buffer *buffer, enum link_role from, const struct link_message *message);

/*
 * Reads the content of one frame that came from the end `from`. ERROR_UNSUPPORTED: a type that is not known,
 * or not that end's to send. ERROR_BAD_VERSION: a HELLO of another version. ERROR_NOT_TEXT: a name or node id
 * with other characters than above. Else the error of base/cbor.h that fits: one of those for wrong form, or
 * ERROR_OUT_OF_RANGE, ERROR_TOO_LARGE. On an error *message is not to be used.
 */
enum error link_decode(struct bytes frame, enum link_role from, struct link_message *message);

/* frame_next with LINK_FRAME_SIZE_MAX: the next frame at the front of what has been received. */
enum error link_frame_next(struct bytes stream, struct bytes *frame, size_t *size);

/* What one end has sent that is not yet answered: sealed bytes, by precedence - 1. Zeros on a new stream. */
struct link_window {
	size_t waiting[LINK_PRECEDENCE_MAX];
};

/*
 * True if `size` sealed bytes at this precedence may be sent now: no more than WINDOW_SIZE_MAX bytes at this
 * or a higher precedence would then wait, or none does (so one copy larger than the window passes alone).
 */
bool link_window_open(const struct link_window *window, unsigned precedence, size_t size);
void link_window_sent(struct link_window *window, unsigned precedence, size_t size);
/* `size` and `precedence` are those given to link_window_sent, once. */
void link_window_answered(struct link_window *window, unsigned precedence, size_t size);

#endif
