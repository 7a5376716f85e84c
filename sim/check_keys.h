/*
 * What must hold of a post's heads, its keys and the window to its courier (sim/check.h).
 */
#ifndef SIM_CHECK_KEYS_H
#define SIM_CHECK_KEYS_H

#include "sim/world.h"

/* A row as it goes to disk: before the disk changes. */
void check_keys(struct world *world, size_t node, const struct rows_change *change);
/* A copy is handed to the courier. */
void check_window(struct world *world, size_t node, const struct record_action *action);

#endif
