/*
 * The rate-limited clock: TABLE_CLOCK. Within a process it runs with the steady clock; over a restart it
 * gains what the wall clock says, but two minutes at most. So a wall clock that jumps moves it by nothing,
 * and no key is erased for it. It is kept each minute: over a restart it may lose that much, so how long ago
 * something was is asked by run_slow_since.
 */
#ifndef RECORD_CLOCK_H
#define RECORD_CLOCK_H

#include "record/run.h"

#define CLOCK_RESTART_MAX_MS UINT64_C(120000)

/* What it shows now, by the row. start: the event is RECORD_START, whose steady clock is another. */
uint64_t clock_now(const struct slow_clock *clock, uint64_t steady_ms, uint64_t wall_ms, bool start);

/* Writes the row if it has fallen a minute behind; always at RECORD_START. */
enum error clock_keep(struct run *run);

#endif
