/*
 * A courier's world for tests of the queue: a store in memory, the shell's loop around the pure steps,
 * crashes.
 *
 * world_crash() forgets all that is not in the store. Whatever is wrong with the queue's own promises to the
 * shell ends the test (cmocka's assertions).
 */
#ifndef TESTS_UNIT_CARRY_QUEUE_WORLD_H
#define TESTS_UNIT_CARRY_QUEUE_WORLD_H

#include "carry/queue.h"

#define WORLD_ROUTE_B 0 /* direct to ipn:2 */
#define WORLD_ROUTE_C 1 /* direct to ipn:3, and the way to ipn:9 */
#define WORLD_ROUTES  2

struct world_row {
	struct bytes key;
	struct bytes value;
};

struct world {
	struct queue queue;
	struct rows rows;
	struct queue_route routes[WORLD_ROUTES];
	struct queue_path paths[1];
	struct queue_settings settings; /* this node is ipn:1 */
	struct world_row *store;
	size_t store_count;
	size_t store_room;
	uint64_t wall_ms;
	uint64_t steady_ms;
	uint64_t disk_room;
	uint64_t random;
	uint64_t entropy;             /* that the last event had */
	struct queue_actions actions; /* of the last event; views into `kept` */
	uint8_t kept[QUEUE_ACTIONS_MAX][ROW_KEY_SIZE_MAX];
	struct queue_transfer transfer; /* the last that world_next began */
	uint8_t bundle_memory[BUNDLE_SIZE_MAX];
	struct bytes bundle;
	struct link_received delivery; /* the last one given */
	uint8_t delivery_memory[SEALED_SIZE_MAX];
	uint8_t source_memory[EID_SIZE_MAX];
	bool crash_before_commit; /* the next event runs, and is lost */
};

/* A new store and a started queue. */
void world_make(struct world *world, uint64_t seed);
void world_free(struct world *world);

/* The process dies; another one starts on the same store. `down_ms` pass; steady time begins anew. */
void world_crash(struct world *world, uint64_t down_ms);

void world_pass(struct world *world, uint64_t ms);
uint64_t world_random(struct world *world, uint64_t bound);

/* One event as one batch. The actions stay in world->actions. */
void world_step(struct world *world, struct queue_event *event);

/* The action of this kind in world->actions, or NULL. */
const struct queue_action *world_action(const struct world *world, enum queue_action_kind kind);

/* TICK until it is done. */
void world_tick(struct world *world);

/* SEND to ipn:NODE: the state and error of the answer. */
enum link_copy_state world_send(struct world *world, uint64_t id, uint64_t node, unsigned precedence,
				size_t size, uint64_t lifetime_ms, enum error *error);
void world_cancel(struct world *world, uint64_t id);

/* What the route sends next: it has begun if this answers ERROR_OK (or that it cannot be cut). */
enum error world_next(struct world *world, size_t route, size_t size_max);
void world_settle(struct world *world, enum queue_event_kind kind, uint64_t number, uint8_t reason);

/* A bundle comes in. True: acknowledged; false: refused, world_action(QUEUE_ACTION_REFUSE) says why. */
bool world_receive(struct world *world, size_t route, struct bytes bundle);

/* The next delivery is given to the post. */
enum error world_next_delivery(struct world *world);
void world_taken(struct world *world, uint64_t delivery);

/* Asks the queue, with the rows that it needs, and forgets what it wrote: the error that it ends with. */
typedef enum error world_question(struct world *world, void *context);
enum error world_try(struct world *world, world_question *question, void *context);

/* The heads that are kept; views into the rows, valid until the next call. */
void world_read_heads(struct world *world, struct link_heads *heads);

/* Claims that so many more identities and carried ids are held than are: to come to their bounds. */
void world_claim(struct world *world, int64_t seen_count, int64_t carried_count);

/* Checks every row of the store against every other: sums, places, times, nothing left over. */
void world_audit(struct world *world);

#endif
