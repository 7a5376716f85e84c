/*
 * The courier's queue: what waits to be sent, what waits for the post, what was seen. Pure: rows of an
 * ordered store (base/rows.h) are the truth; time, entropy and memory come with the event.
 *
 * For each event the shell runs queue_step in the loop of base/rows.h: within one transaction, with one
 * commit for the batch, and only then performs the actions. Right after rows_keep it calls queue_kept with
 * the event's actions. What to send next, and what to hand to the post next, are questions (queue_next,
 * queue_next_delivery), asked in the same loop, without writes: ask after each batch for every route that is
 * up.
 *
 * What is promised, and by which row:
 *
 * - Queued. SEND is answered QUEUED once the copy's rows are on disk. The same id again changes nothing and
 * is
 *   answered with the present state, until CANCEL or the end of its lifetime.
 * - By precedence. For one route nothing of a lower precedence starts while something of a higher one waits:
 *   rows that wait are read in the order (precedence, FLASH first; arrival). A copy that the neighbour
 * refused
 *   waits out its retry time first, and is in nobody's way meanwhile.
 * - In flight at most WINDOW_SIZE_MAX bytes of one precedence and those above it, by link_window_open
 *   (base/link.h): a higher precedence does not wait for acknowledgments of lower ones.
 * - Carried. Only a neighbour's whole acknowledgment (or "completed") takes a copy out of the queue. A
 * transfer
 *   is not a row: it is of a session, and a session does not outlive the process. So after a crash everything
 *   that was in transfer waits again, in its old place.
 * - Received. A bundle is acknowledged to the neighbour (STORED) once its row as a delivery, a fragment or a
 *   forwarded copy is on disk. A second time from the same neighbour within its lifetime it is acknowledged
 *   and not stored. What another brings under the same name is another bundle: anyone can write any source.
 * - Delivered. A delivery is kept until the post says TAKEN, whatever its lifetime; after a new HELLO every
 *   delivery that was not taken is given again, in the order of precedence. One that the post has LEFT is in
 *   no other's way meanwhile.
 * - Heads. The largest head of each origin that the post has signed is kept, for as long as the store is.
 * - Room. Two pools, own copies and what comes from neighbours, so that neither can fill the other's; each is
 *   shared out evenly: among the routes (and one part for copies without one), among the neighbours. A class
 *   may fill a part to its QUEUE_SHARE: ROUTINE is refused first, FLASH last. On a disk that fills up a pool
 *   ends where disk_reserve_min begins. Of that, half is for what is small (QUEUE_SMALL_SIZE_MAX), as a
 *   receipt is, or urgent (QUEUE_URGENT_SIZE_MAX): the first quarter for what comes from neighbours as well,
 *   and for the post's copies even where bulk has filled their part before.
 *
 * A copy or a forwarded bundle is given up when its lifetime runs out, by the queue's clock: milliseconds
 * that only run forward, with the steady clock while the process lives; of the time between processes at most
 * QUEUE_DOWNTIME_MS_MAX counts, so that a wall clock that jumps expires nothing.
 */
#ifndef CARRY_QUEUE_H
#define CARRY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/link.h"
#include "base/rows.h"
#include "carry/bundle.h"
#include "carry/eid.h"

#define QUEUE_ROOM_MIN (2 * 1024 * 1024) /* rows_room() at the start of an event that is enough for each */
#define QUEUE_CLASSES  LINK_PRECEDENCE_MAX

/* ---- settings: borrowed, constant while the queue lives ---- */

/* A way to one neighbour. */
struct queue_route {
	struct bytes name;    /* 1 to ROUTE_NAME_SIZE_MAX bytes; unique */
	struct eid neighbour; /* node id */
	bool whole;           /* the neighbour does not take fragments: what is too large is given up */
};

/* Which route leads to a node. A node without a path is reached by the first route whose neighbour it is. */
struct queue_path {
	struct eid destination; /* node id */
	size_t route;           /* index */
};

struct queue_settings {
	struct eid node; /* own node id */
	const struct queue_route *routes;
	size_t routes_count; /* at most ROUTES_MAX */
	const struct queue_path *paths;
	size_t paths_count;
	uint64_t pool_size_max;    /* bytes of each pool, each thing counted with QUEUE_CHARGE */
	uint64_t disk_reserve_min; /* bytes of the disk that bulk leaves alone */
	bool clock_is_right;       /* the wall clock may judge bundles without an age block */
};

/* ---- resident state ---- */

enum queue_pool {
	QUEUE_POOL_OWN = 0,    /* copies from the post */
	QUEUE_POOL_OTHERS = 1, /* deliveries, fragments, forwarded bundles */
	QUEUE_POOLS = 2,
};

struct queue_transfer {  /* one bundle that is being sent */
	uint64_t number; /* names it, also after queue_next gave it again */
	size_t route;
	unsigned precedence;
	size_t size;          /* of the bundle as sent */
	uint64_t next_offset; /* of the payload: where what is left to send begins */
	bool last;            /* nothing is left */
};

struct queue_given { /* deliveries of one precedence that the post has been given and has not answered */
	size_t count;
	uint64_t numbers[QUEUE_GIVEN_MAX];
	size_t sizes[QUEUE_GIVEN_MAX];
};

struct queue {
	struct queue_settings settings;
	bool started;
	struct queue_transfer transfers[QUEUE_TRANSFERS_MAX];
	size_t transfers_count;
	struct link_window post_window;
	/* To the post, on this link, by precedence - 1. */
	struct queue_given given[QUEUE_CLASSES];
	uint64_t given_last[QUEUE_CLASSES];
	uint8_t sweep[ROW_KEY_SIZE_MAX]; /* where START goes on */
	size_t sweep_size;
	uint8_t bundle[BUNDLE_SIZE_MAX + BUNDLE_OVERHEAD_SIZE_MAX]; /* room to work in */
	uint8_t unit[SEALED_SIZE_MAX];
};

/* ERROR_BAD_ARGUMENT if a bound above is broken, a route's name stands twice, or a path names no route. */
enum error queue_make(struct queue *queue, const struct queue_settings *settings);

/* ---- events ---- */

enum queue_event_kind {
	QUEUE_START = 1,    /* first in a process; again, before all else, while it answers AGAIN */
	QUEUE_TICK,         /* at least each second; again while it answers AGAIN, others may come between */
	QUEUE_SEND,         /* from the post */
	QUEUE_CANCEL,       /* from the post */
	QUEUE_TAKEN,        /* from the post */
	QUEUE_HEAD,         /* from the post */
	QUEUE_RECEIVED,     /* a whole bundle from a neighbour */
	QUEUE_ACKNOWLEDGED, /* a transfer: the neighbour has it on disk */
	QUEUE_REFUSED,      /* a transfer: XFER_REFUSE */
	QUEUE_FAILED,       /* a transfer: its session ended before an answer; give one event for each */
};

struct queue_event {
	enum queue_event_kind kind;
	uint64_t wall_ms;   /* Unix time by the shell's clock; may be wrong and may jump */
	uint64_t steady_ms; /* never goes back while the process lives, and counts while the machine sleeps */
	uint64_t disk_room; /* free bytes where the store is; UINT64_MAX if not known */
	uint64_t entropy;   /* fresh for each event */
	union {
		struct link_send send; /* as link_decode gave it */
		uint8_t cancel[LINK_ID_SIZE];
		uint64_t taken; /* delivery */
		struct link_head head;
		struct {
			size_t route;        /* index: the neighbour is who the session says */
			struct bytes bundle; /* as it came */
		} received;
		struct {
			uint64_t number; /* of the transfer */
			uint8_t reason;  /* QUEUE_REFUSED: the code as received (RFC 9174, section 5.2.4) */
		} transfer;
		struct {
			bool post_is_full; /* a report would find no room: none of its copies ends now */
		} tick;
	};
};

/* ---- actions, in the order in which they are to be performed ---- */

enum queue_action_kind {
	QUEUE_ACTION_PROGRESS = 1,   /* tell the post: id, state, route, error */
	QUEUE_ACTION_STORED,         /* acknowledge the bundle to the neighbour */
	QUEUE_ACTION_REFUSE,         /* refuse it to the neighbour: reason (enum tcpcl_refuse) */
	QUEUE_ACTION_LOG,            /* one log line: error and text; no content */
	QUEUE_ACTION_AGAIN,          /* give the event once more */
	QUEUE_ACTION_TRANSFER_ENDED, /* for queue_kept */
	QUEUE_ACTION_DELIVERY_TAKEN, /* for queue_kept */
	QUEUE_ACTION_SWEPT,          /* for queue_kept */
};

struct queue_action {
	enum queue_action_kind kind;
	uint8_t id[LINK_ID_SIZE];
	enum link_copy_state state;
	struct bytes route; /* its name; for SWEPT a key. Valid until rows_settle */
	enum error error;
	const char *text; /* static */
	uint8_t reason;
	uint64_t number; /* transfer; or delivery */
	unsigned precedence;
};

#define QUEUE_ACTIONS_MAX (2 * QUEUE_SWEEP_MAX + 8)

struct queue_actions {
	size_t count;
	struct queue_action actions[QUEUE_ACTIONS_MAX];
};

/*
 * Handles one event; to be run in the loop of base/rows.h. The event and what it points to stay valid until
 * queue_kept. What is wrong with a bundle or a SEND is no error here: it gives REFUSE, PROGRESS and LOG
 * actions. ERROR_NEEDS_ROWS and ERROR_FULL as base/rows.h says. ERROR_NOT_NOW: no START yet. ERROR_MALFORMED:
 * the store holds a row that this program did not write; the shell stops.
 */
enum error queue_step(struct queue *queue, struct rows *rows, const struct queue_event *event,
		      struct queue_actions *actions);

/* Brings the resident state up to an event whose rows_keep returned ERROR_OK. */
void queue_kept(struct queue *queue, const struct queue_actions *actions);

/* ---- what to send ---- */

/*
 * What to send next by `route`, as bytes appended to `bundle`, which has room for size_max of them: what the
 * neighbour takes in one transfer. A larger bundle is sent in fragments, one after the other, each taken up
 * again where the last acknowledged one ended; below FLASH so is one larger than WINDOW_SIZE_MAX, if it may
 * be cut, since a FLASH has to wait for the end of the transfer that has begun. On a route that is `whole`
 * each bundle goes in one piece. Reads rows; writes none.
 *
 * ERROR_NOT_FOUND: nothing waits. ERROR_NOT_NOW: the first that waits does not fit into the window; ask again
 * after an acknowledgment. ERROR_TOO_LARGE, ERROR_UNSUPPORTED: *transfer cannot be cut down to size_max; call
 * queue_begun and give QUEUE_REFUSED with "not acceptable" (4) for it. ERROR_NEEDS_ROWS, ERROR_FULL,
 * ERROR_MALFORMED, as queue_step.
 */
enum error queue_next(struct queue *queue, struct rows *rows, size_t route, uint64_t steady_ms,
		      size_t size_max, struct queue_transfer *transfer, struct buffer *bundle);

/* The transfer that queue_next gave has begun: it is not given again until it ends. */
void queue_begun(struct queue *queue, const struct queue_transfer *transfer);

/* A transfer of this route that has not ended: for QUEUE_FAILED when a session ends. False: none. */
bool queue_in_transfer(const struct queue *queue, size_t route, uint64_t *number);

/* ---- what to hand to the post ---- */

/* The post's HELLO: all that was given and not taken is to be given again. */
void queue_post_connected(struct queue *queue);

/*
 * The next delivery. Views into rows: valid until rows_settle. ERROR_NOT_FOUND: none. ERROR_NOT_NOW: the post
 * has not answered enough of those before. Else as queue_next. After writing it call queue_delivery_given.
 */
enum error queue_next_delivery(struct queue *queue, struct rows *rows, struct link_received *delivery);
void queue_delivery_given(struct queue *queue, const struct link_received *delivery);

/*
 * The post's LEFT: the delivery waits for no answer any more, and for the next queue_post_connected. Nothing
 * happens for one that was not given on this link, or was answered.
 */
void queue_delivery_left(struct queue *queue, uint64_t delivery);

/*
 * The heads that are kept, at most HEADS_KEPT_MAX, ascending by origin: for HEADS, after the post's HELLO.
 * Views into rows. ERROR_NEEDS_ROWS, ERROR_FULL, ERROR_MALFORMED as queue_step.
 */
enum error queue_read_heads(struct rows *rows, struct link_heads *heads);

/* ---- for status ---- */

struct queue_class {
	uint64_t count;
	uint64_t size; /* bytes, each thing counted with QUEUE_CHARGE */
};

struct queue_totals {
	struct queue_class pools[QUEUE_POOLS][QUEUE_CLASSES]; /* by precedence - 1 */
	uint64_t seen_count;
	uint64_t carried_count;
};

/*
 * What waits for one route, by precedence - 1. ERROR_NEEDS_ROWS, ERROR_FULL, ERROR_NOT_NOW, ERROR_MALFORMED
 * as queue_step.
 */
enum error queue_read_route(const struct queue *queue, struct rows *rows, size_t route,
			    struct queue_class classes[QUEUE_CLASSES]);

/*
 * The time to wait after failed try number `tries` (from 1): doubled each time from 1 s, at most 10 minutes,
 * 1 minute for IMMEDIATE, 10 s for FLASH, of which the upper half is drawn from `entropy`.
 */
uint64_t queue_retry_ms(unsigned precedence, uint64_t tries, uint64_t entropy);

#endif
