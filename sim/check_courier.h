/*
 * What must hold at a courier, as sim/check.h at a post: apart from it, since both wings have their
 * `struct copy`.
 */
#ifndef SIM_CHECK_COURIER_H
#define SIM_CHECK_COURIER_H

#include "sim/world.h"

/* A transfer begins at a courier. */
void check_transfer(struct world *world, size_t node, const struct queue_transfer *transfer);
/* A courier's batch is on disk. */
void check_courier(struct world *world, size_t node);
/* It keeps a head of that origin, or is still to take what its post gave it. */
bool check_courier_may_know(const struct world *world, size_t node, struct bytes origin);

#endif
