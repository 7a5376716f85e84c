/*
 * A look at each event before it happens: what if a row that it reads were spoilt?
 *
 * A store that a disk or somebody has changed must end in an error, never in a false step. PROBES=N in the
 * environment asks that of the first N events of all that are alike; without it nothing is asked.
 */
#ifndef TESTS_UNIT_RECORD_PROBE_H
#define TESTS_UNIT_RECORD_PROBE_H

#include "tests/unit/record/world.h"

/* Called by world_event with an event that is complete, before the core gets it. Changes nothing. */
void world_probe(const struct world *world, size_t post, const struct record_event *event);

/* The same of this event, whatever the environment says, and of every row that it reads: so many. */
size_t world_spoil_each(const struct world *world, size_t post, const struct record_event *event);

#endif
