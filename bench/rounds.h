/*
 * Throughput beside its floor: measured in turns, a part of each at a time, so that whatever else the
 * machine does falls on both.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "bench/copies.h"
#include "bench/exchange.h"
#include "bench/floor.h"

#define ROUNDS 4

/*
 * plan: all rounds together. `result` is the sum of the rounds, `floor` what they would have taken, each
 * with its own batches and commits. False after an error message.
 */
bool rounds_measure(struct line *line, struct officer *officer, const struct exchange_plan *plan,
		    const struct copies_sizes *sizes, struct exchange_result *result,
		    struct floor_result *floor);

#endif
