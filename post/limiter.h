/*
 * How often a reason may be logged: a hostile peer must not be able to fill the disk with our log lines.
 *
 * Each reason has a window of LIMITER_WINDOW_MS that opens with its first line. The first LIMITER_LINES
 * lines of a window are shown; the rest are counted, and the count is given once the window has ended.
 * Pure: time comes with the call, from a clock that never goes back.
 */
#ifndef POST_LIMITER_H
#define POST_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_REASONS   128 /* reasons are enum error; all of base/error.h are below */
#define LIMITER_LINES     5
#define LIMITER_WINDOW_MS 60000

struct limiter {
	struct limiter_window {
		bool open;
		uint64_t start_ms;
		uint32_t shown;
		uint64_t suppressed;
	} windows[LIMITER_REASONS];
};

/* No window open. */
void limiter_make(struct limiter *limiter);

/*
 * True if a line for `reason` may be shown now; else it is counted. Reasons at or above LIMITER_REASONS
 * share the last window. A window that holds a count is closed only by limiter_ended: call that first.
 */
bool limiter_admit(struct limiter *limiter, unsigned reason, uint64_t now_ms);

/*
 * Closes one window that has ended and held back lines: true, with its reason and count. False when there
 * is none. Call until false.
 */
bool limiter_ended(struct limiter *limiter, uint64_t now_ms, unsigned *reason, uint64_t *suppressed);

#endif
