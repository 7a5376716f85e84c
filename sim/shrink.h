/*
 * A failing seed, made short: fewer parties, fewer kinds of faults, fewer faults, fewer steps, as long as the
 * same invariant falls.
 */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "sim/options.h"

/*
 * Shrinks a seed that `found` something broken, and tells to standard error what is left: the trace from the
 * first fault on, and the command that replays it.
 */
void shrink_seed(const struct options *options, uint64_t seed, const struct result *found);

#endif
