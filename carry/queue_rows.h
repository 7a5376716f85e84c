/*
 * The queue's rows: keys, values, and the sums kept beside them. For carry/queue*.c only.
 *
 *   T                            the totals: struct totals
 *   C id                         a copy: struct copy. id: 1 and the post's 16 bytes, or 2 and an identity
 *   Q route inverse number -> id a copy that waits for its route
 *   B number                     its bundle as created or received
 *   N route                      what waits for a route: [count, size] by precedence - 1
 *   W kind time id               a time at which something falls due: enum timer_kind
 *   S identity                   a bundle that was seen
 *   U identity                   a unit of which fragments are held: struct unit
 *   F identity offset size       a fragment's payload
 *   D inverse number             a delivery: [source text, size, mark]
 *   P number                     its payload
 *   H origin                     a head of the post's: [size, root, signature]
 *   I pool mark                  the bytes that are held for one neighbour: u64
 *
 * Numbers and times are 8 bytes, inverse is one byte: FLASH 0, ROUTINE 3. A route is its name after one byte
 * of length. A mark stands for a neighbour: the CRC-32C of its route's name. An identity comes after the mark
 * of the neighbour that brought the bundle: no neighbour can make what another brings look like a second one,
 * or mix its own fragments among another's. Values are arrays in deterministic CBOR, but for B, F, P and I,
 * which are the bytes themselves.
 */
#ifndef CARRY_QUEUE_ROWS_H
#define CARRY_QUEUE_ROWS_H

#include "carry/fragment.h"
#include "carry/queue.h"

/* ---- one step ---- */

struct totals {
	struct queue_totals shown;
	uint64_t number;   /* the last one given to a copy or delivery */
	uint64_t sequence; /* the last one given to an own bundle */
	uint64_t paths;    /* a checksum of the settings that the copies' routes were chosen by */
	uint64_t clock_ms; /* the queue's clock, */
	uint64_t wall_ms;  /* and what the shell's clocks said then */
	uint64_t steady_ms;
};

struct step {
	struct queue *queue;
	struct rows *rows;
	const struct queue_event *event;
	struct queue_actions *actions;
	struct totals totals;
	bool totals_changed;
	uint64_t now_ms; /* the queue's clock */
};

/* Appends an action; there is always room (assert). */
struct queue_action *step_act(struct step *step, enum queue_action_kind kind);
void step_log(struct step *step, enum error error, const char *text);

/* ---- keys ---- */

#define MARK_SIZE        4
#define SEEN_SIZE_MAX    (MARK_SIZE + BUNDLE_IDENTITY_SIZE_MAX)
#define COPY_ID_SIZE_MAX (1 + SEEN_SIZE_MAX)

struct key {
	uint8_t memory[ROW_KEY_SIZE_MAX];
	size_t size;
};

enum timer_kind {
	TIMER_RETRY = 1,   /* id: a copy to try again */
	TIMER_EXPIRE = 2,  /* id: a copy whose lifetime ends */
	TIMER_CARRIED = 3, /* id: a carried copy, to be forgotten */
	TIMER_SEEN = 4,    /* id: an identity to be forgotten */
	TIMER_UNIT = 5,    /* id: the identity of a unit to be forgotten */
	TIMER_KINDS = TIMER_UNIT,
};

struct bytes key_totals(struct key *key);
struct bytes key_copy(struct key *key, struct bytes id);
struct bytes key_copies(struct key *key);
struct bytes key_waiting(struct key *key, struct bytes route, unsigned precedence, uint64_t number);
struct bytes key_waiting_route(struct key *key, struct bytes route);
struct bytes key_bundle(struct key *key, uint64_t number);
struct bytes key_route(struct key *key, struct bytes route);
struct bytes key_timer(struct key *key, enum timer_kind kind, uint64_t time_ms, struct bytes id);
struct bytes key_timers(struct key *key, enum timer_kind kind);
struct bytes key_seen(struct key *key, struct bytes identity);
struct bytes key_unit(struct key *key, struct bytes identity);
struct bytes key_fragment(struct key *key, struct bytes identity, uint64_t offset, uint64_t size);
struct bytes key_fragments(struct key *key, struct bytes identity);
struct bytes key_delivery(struct key *key, unsigned precedence, uint64_t number);
struct bytes key_deliveries(struct key *key, unsigned precedence);
struct bytes key_payload(struct key *key, uint64_t number);
struct bytes key_head(struct key *key, struct bytes origin);
struct bytes key_share(struct key *key, enum queue_pool pool, uint32_t mark);

/* What falls due: the parts of a timer's key. Views into the key. */
struct timer {
	struct bytes key;
	uint64_t time_ms;
	struct bytes id; /* longer than a mark, no longer than COPY_ID_SIZE_MAX */
};

/* The kind's first timer. ERROR_NOT_FOUND if there is none, ERROR_MALFORMED if its key has another form. */
enum error timer_first(struct rows *rows, enum timer_kind kind, struct timer *timer);
/* The number that ends the key, after so many bytes of it. ERROR_MALFORMED if the key is not of that size. */
enum error key_number(struct bytes key, size_t prefix_size, uint64_t *number);

/* The mark of a route's name, also of the empty one; that with which what it has brought is remembered. */
uint32_t mark_of(struct bytes route);
uint32_t mark_of_seen(struct bytes seen);
/* A mark and an identity. */
struct bytes seen_make(uint8_t memory[SEEN_SIZE_MAX], uint32_t mark, const struct bundle_identity *identity);

/* The id of the post's copy, or of a forwarded bundle. */
struct bytes copy_id_own(uint8_t memory[COPY_ID_SIZE_MAX], const uint8_t id[LINK_ID_SIZE]);
struct bytes copy_id_forwarded(uint8_t memory[COPY_ID_SIZE_MAX], struct bytes seen);
bool copy_id_is_own(struct bytes id);

/* ---- values ---- */

enum copy_state {
	COPY_WAITING = 1,  /* has a row Q, or is in transfer and has it still */
	COPY_RETRYING = 2, /* has a row W of TIMER_RETRY instead */
	COPY_CARRIED = 3,  /* only answered for */
};

struct copy {
	enum copy_state state;
	unsigned precedence;
	uint64_t number;
	uint64_t arrived_ms; /* all times by the queue's clock */
	uint64_t expires_ms;
	uint64_t retry_ms; /* COPY_RETRYING */
	uint64_t tries;    /* failed ones in a row */
	uint64_t offset;   /* of the payload: what was acknowledged in fragments */
	uint64_t size;     /* of the bundle's row */
	bool pinned;       /* keeps its route */
	struct bytes route;
	struct bytes destination; /* node id, encoded */
};

struct unit {
	uint64_t expires_ms;
	uint64_t count; /* of its fragments */
	uint64_t size;  /* of them */
	unsigned precedence;
	struct fragment_ranges ranges;
};

/* Reads answer as rows_get, and ERROR_MALFORMED for a row that is not of ours. */
enum error totals_get(struct rows *rows, struct totals *totals);
void totals_put(struct rows *rows, const struct totals *totals);
enum error copy_get(struct rows *rows, struct bytes id, struct copy *copy);
void copy_put(struct rows *rows, struct bytes id, const struct copy *copy);
enum error unit_get(struct rows *rows, struct bytes identity, struct unit *unit);
void unit_put(struct rows *rows, struct bytes identity, const struct unit *unit);
enum error route_get(struct rows *rows, struct bytes route, struct queue_class classes[QUEUE_CLASSES]);

struct delivery {
	struct bytes source;
	uint64_t size;
	uint32_t mark; /* of the neighbour that brought it */
};

void delivery_put(struct rows *rows, unsigned precedence, uint64_t number, const struct delivery *delivery);
enum error delivery_read(struct bytes value, struct delivery *delivery);

/* ---- sums; those of a pool: queue_room.c ---- */

/* Where a thing is counted: of the post's copies the mark is that of the route, of others' who brought it. */
struct place {
	enum queue_pool pool;
	uint32_t mark;
	unsigned precedence;
};

/*
 * ERROR_FULL if `size` more bytes at this precedence are above what it may take of the neighbour's part of
 * the pool, or of the disk ("Room" in queue.h). All three read a row: ERROR_NEEDS_ROWS and so on.
 */
enum error pool_check(struct step *step, const struct place *place, uint64_t size);
enum error pool_add(struct step *step, const struct place *place, uint64_t size);
enum error pool_take(struct step *step, const struct place *place, uint64_t size);

/* What waits for a route changes. ERROR_NEEDS_ROWS and so on: the row is read. ERROR_MALFORMED, as of a pool:
 * less is counted than would be taken. */
enum error route_add(struct step *step, struct bytes route, unsigned precedence, uint64_t size);
enum error route_take(struct step *step, struct bytes route, unsigned precedence, uint64_t size);

/* ---- what the parts of the queue do for each other ---- */

/* The route to a node by the settings: its name, or an empty one where there is none. */
struct bytes route_to(const struct queue_settings *settings, const struct eid *node);

/*
 * A new copy under `id`, with its bundle, or ERROR_FULL. `copy` comes with precedence, expires_ms, pinned,
 * route and destination; the rest is set.
 */
enum error copy_add(struct step *step, struct bytes id, struct copy *copy, struct bytes bundle);

/* Where the copy under `id` is counted. */
struct place copy_place(struct bytes id, const struct copy *copy);

/* A copy leaves the queue, with its bundle, its waiting place and its times (not one that is carried). */
enum error copy_remove(struct step *step, struct bytes id, const struct copy *copy);

/* A carried copy is forgotten. ERROR_MALFORMED: it is not one, or none is counted. */
enum error carried_remove(struct step *step, struct bytes id, const struct copy *copy);

/* Forgets a bundle that was seen, by its row of TIMER_SEEN. ERROR_MALFORMED: none is counted. */
enum error seen_remove(struct step *step, const struct timer *timer);

/* Forgets a unit and its fragments. */
enum error unit_remove(struct step *step, struct bytes identity, const struct unit *unit);

/* A delivery that was given on this link has been answered; nothing happens for any other. */
void delivery_answered(struct queue *queue, unsigned precedence, uint64_t number);

enum error step_start(struct step *step);
enum error step_tick(struct step *step);
enum error step_send(struct step *step);
enum error step_cancel(struct step *step);
enum error step_taken(struct step *step);
enum error step_head(struct step *step);
enum error step_received(struct step *step);
enum error step_acknowledged(struct step *step);
enum error step_refused(struct step *step);
enum error step_failed(struct step *step);

#endif
