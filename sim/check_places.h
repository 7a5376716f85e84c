/*
 * What the checker keeps, and places in logs as its keys: for the parts of sim/check.h alone.
 */
#ifndef SIM_CHECK_PLACES_H
#define SIM_CHECK_PLACES_H

#include "sim/check.h"

/*
 * What is known of the whole world, which no party knows. A `place` is line u8, log u16, incarnation u16,
 * position u32.
 *
 *   signed     identity                -> empty: an officer's or authority's entry that may be accepted
 *   committed  place                   -> identity: what an author's own store has ever had there
 *   held       node u8, place          -> identity: what a node's store has ever had there
 *   roots      line, log, incarnation, size u64 -> root: what anyone ever computed
 *   shown      node u8, identity       -> empty: notices of arrivals
 */
struct checker {
	struct disk signed_by_people;
	struct disk committed;
	struct disk held;
	struct disk roots;
	struct disk shown;
};

struct place {
	uint8_t bytes[16];
	size_t size;
};

struct bytes place_view(const struct place *place);
struct place place_of(size_t line, const struct entry_key *key);
struct place place_with_node(size_t node, struct bytes rest);

#endif
