/*
 * What must hold in a simulated world, after every step and at the end. The first thing that does not ends
 * the seed (world_violation).
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "record/schema.h"
#include "sim/world.h"

struct checker *checker_make(void);
void checker_free(struct checker *checker);

/* Something was signed that may be accepted: its identity. */
void check_signed(struct world *world, const uint8_t identity[IDENTITY_SIZE]);

/* A post's batch, world->changes, as it goes to disk: before the disk changes. */
void check_commit(struct world *world, size_t node);
/* An action of a committed batch, as it is performed; `sent_max` is the lowest precedence sent before it in
 * the batch. */
void check_action(struct world *world, size_t node, const struct record_action *action, unsigned *sent_min);
/* After the batch: nothing of a higher precedence waits than the lowest that was sent. */
void check_batch(struct world *world, size_t node, unsigned sent_min);
/* A post's reply that an entry is on disk. */
void check_held(struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE]);
/* A notice of an arrival. */
void check_shown(struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE]);
/* A post's store was replaced by an old image. */
void check_restored(struct world *world, size_t node);

/* A row of a post's disk; false where there is none. */
bool check_read_row(const struct disk *disk, const struct row_key *key, const struct schema *schema,
		    void *value);
/* The local number of a line's channel on a post's disk; 0: it is not there. */
uint64_t check_channel_of(const struct disk *disk, const struct world_line *line);
/* True if the post's disk holds the entry, with its bytes. */
bool check_holds(const struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE]);

/* ---- converge.c ---- */

/* True if nothing is under way any more. */
bool check_quiet(const struct world *world);
/* *what says what is. */
void check_tell_quiet(const struct world *world, char *what, size_t size);
/* The end: all that was acknowledged is there and all heads agree. *what says what is not so. */
bool check_converged(struct world *world, char *what, size_t size);

#endif
