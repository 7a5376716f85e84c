/*
 * The post's core: every rule of the record, without a system call, a clock, an allocation or randomness.
 *
 * The shell (liaisond, the simulator, a bench) keeps rows in an ordered key/value store, collects events into
 * batches and for each event of a batch
 *
 *     record_begin(record, event)
 *     while (record_needs(record) == ERROR_NEEDS_ROWS)   load what record_rows(record) wants
 *     record_step(record, ...)                           gives the actions of this event, to be copied
 *
 * (base/rows.h says how rows are loaded from the store.) A batch ends when record_room says that no further
 * event fits, or when the shell likes, with RECORD_COMMIT; after it only RECORD_COURIER_ROOM may come, once,
 * where the courier's stream has room: so receipts leave with the commit that made them, and not one commit
 * later. Then all that rows_next_write(record_rows(record)) names is written in one transaction and
 * committed, the anchor is synced if an action gave a new one, and only then are the other actions of the
 * batch performed, in order; then rows_settle(record_rows(record)). The store must not change in any other
 * way. If the commit or a sync fails the process ends: no action of that batch has been performed. After a
 * start the first event is RECORD_START.
 *
 * record_needs runs the event's handler against the rows that are loaded; a row that is missing is named and
 * the handler is run again from the start once it is there, at most RECORD_ROUNDS_MAX times. What is dear
 * (opening a seal, verifying signatures, sealing) is kept in the workspace from round to round and done once.
 * Rows, keys and values are in record/schema.h. The rows mechanism is base/rows.h.
 *
 * Nothing is resident but the workspace: all state is rows. Bounds: base/limits.h.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/link.h"
#include "base/local.h"
#include "base/rows.h"

/* 64 things named by one event, and some rounds for each; beyond it is a defect */
#define RECORD_ROUNDS_MAX  1024
#define RECORD_ACTIONS_MAX 512 /* of one event */

enum record_event_kind {
	RECORD_START = 1, /* compare the store with the anchor; open a new incarnation where continuity is not
			     shown */
	RECORD_PROVISION, /* the post file made by `liaison post create`; only on an empty store */
	RECORD_REQUEST,   /* one request of the local API (base/local.h): reads, and SUBMIT, CARD_ACCEPT,
			     KEYING_ACCEPT */
	RECORD_RECEIVED,  /* sealed bytes from the courier */
	RECORD_PROGRESS,  /* the courier's hint on a copy */
	RECORD_COURIER_ROOM,  /* the courier's stream has room: name the next copies to hand over, by
				 precedence; after RECORD_COMMIT, so it makes nothing that a commit
				 must finish */
	RECORD_COURIER_LOST,  /* the stream broke: copies handed over but not reported queued wait again */
	RECORD_COURIER_HEADS, /* highest heads under this post's own keys that the courier has seen */
	RECORD_TICK,          /* time passes: resend, heads, prekeys, erasure */
	RECORD_COMMIT,        /* ends each batch: heads signed, receipts and verdicts of the batch written */
};

struct record_event {
	enum record_event_kind kind;
	uint64_t wall_ms;    /* Unix time by the shell's clock; may be wrong and may jump */
	uint64_t steady_ms;  /* a clock that never jumps while the process lives (since any start) */
	uint8_t entropy[32]; /* fresh for each event */
	union {
		struct {
			struct bytes
				anchor; /* as last given by RECORD_ACTION_ANCHOR; empty if there is none */
		} start;
		struct {
			struct bytes post_file; /* envelope/post_file.h */
		} provision;
		struct {
			uint64_t client; /* the shell's number of the connection; comes back in the reply */
			struct bytes frame; /* the CBOR array, without its size */
			const struct record_shell *shell; /* for STATUS: what only the shell knows */
		} request;
		struct {
			uint64_t delivery;   /* comes back in RECORD_ACTION_TAKEN */
			struct bytes source; /* node id text as the courier claims it: a hint */
			struct bytes sealed;
			/* What officers say below this precedence is left: there is no room for it. 0: all is
			 * taken. Letters, verdicts and statements always are. */
			uint32_t precedence_min;
		} received;
		struct {
			uint8_t copy[16];
			uint32_t state; /* enum local_state: QUEUED or CARRIED; LOCAL_REFUSED: the courier
					   gave it up */
			struct bytes route;
			enum error reason;
		} progress;
		struct {
			struct link_window window; /* SEND what it lets pass, by link_window_open */
			size_t copies_max;         /* at most so many */
		} room;
		struct {
			size_t count;
			const struct record_head_seen *heads;
		} heads;
	} of;
};

struct record_shell {
	bool courier_connected;
	const struct link_routes *routes; /* as the courier last said; NULL: nothing yet */
	uint64_t store_size;              /* bytes on disk */
	enum local_disk disk;
	uint64_t left[LINK_PRECEDENCE_MAX]; /* deliveries that stay with the courier for want of room */
};

struct record_head_seen {
	struct bytes origin;
	uint64_t size;
	uint8_t root[32];
	uint8_t signature[64];
};

enum record_action_kind {
	RECORD_ACTION_ANCHOR =
		1,          /* bytes to keep outside the store, synced before any other action of the batch */
	RECORD_ACTION_SEND, /* hand a copy to the courier */
	RECORD_ACTION_CANCEL, /* receipted: stop every copy of this id */
	RECORD_ACTION_TAKEN,  /* the delivery is dealt with and on disk: the courier may forget it */
	RECORD_ACTION_LEFT,   /* no room for the delivery: the courier keeps it. The event's only action; it
				 has written nothing */
	RECORD_ACTION_REPLY,  /* a reply frame for one client */
	RECORD_ACTION_NOTICE, /* a notice frame for every subscribed client */
	RECORD_ACTION_HEAD,   /* an own signed head, for the courier to carry and keep */
	RECORD_ACTION_LOG,    /* one log line: reason and a text without content */
	RECORD_ACTION_WIPE,   /* keys were erased: overwrite what the store still has of them (checkpoint,
				 truncate) */
};

struct record_action {
	enum record_action_kind kind;
	uint64_t number;      /* REPLY: client; TAKEN, LEFT: delivery */
	uint8_t copy[16];     /* SEND, CANCEL: first 16 bytes of SHA-256 of the sealed bytes */
	uint32_t precedence;  /* SEND, LEFT: 1..4 */
	uint64_t lifetime_ms; /* SEND */
	struct bytes node;    /* SEND: destination node id; HEAD: origin */
	struct bytes bytes;   /* ANCHOR, SEND, REPLY, NOTICE: content; LOG: text; HEAD: root and signature, 96
				 bytes */
	uint64_t size;        /* HEAD */
	enum error error;     /* LOG */
};

/*
 * The workspace of one core: a fixed struct over memory that the shell gives once. Views inside
 * actions stay valid until the next record_begin, the writes until rows_settle. RECORD_MEMORY_SIZE bytes are
 * enough for every event within limits.h.
 */
struct record;
#define RECORD_MEMORY_SIZE (24 * 1024 * 1024)

/* Lays a workspace out in `memory` (aligned as by malloc). NULL if size is below RECORD_MEMORY_SIZE. */
struct record *record_make(void *memory, size_t size);

/* Starts an event; the event and what it points to stay valid until record_step has returned. */
void record_begin(struct record *record, const struct record_event *event);

/*
 * True if an event of any kind still fits into this batch. If not, the next event is RECORD_COMMIT, then the
 * commit. An event that fails with ERROR_FULL all the same wrote nothing: end the batch and give it again.
 */
bool record_room(const struct record *record);

/*
 * ERROR_NEEDS_ROWS: load what record_rows(record) names, then ask again. ERROR_OK: nothing more is needed.
 * Any other error: the event cannot be handled at all (a defect of the store: ERROR_MALFORMED, or more rounds
 * than the bound); the shell stops. What is wrong with input from outside is no error here: it gives LOG and
 * REPLY actions.
 */
enum error record_needs(struct record *record);
struct rows *record_rows(struct record *record);

/* After record_needs gave ERROR_OK: the writes have joined the batch in record_rows(record); actions here. */
void record_step(struct record *record, const struct record_action **actions, size_t *count);

/* True if the row belongs into a backup: all but epoch keys, their keying leaves, the bytes of copies under
 * way, the anchor's shadow and the mark of a store that is no copy. */
bool record_row_in_backup(struct bytes key);

#endif
