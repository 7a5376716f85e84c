#include "record/clock.h"

#include "record/workspace.h"

#define KEEP_MS 60000 /* an idle post need not write each second: the steady clock tells the rest */

uint64_t clock_now(const struct slow_clock *clock, uint64_t steady_ms, uint64_t wall_ms, bool start)
{
	uint64_t passed = 0;

	if (start) {
		if (clock->wall_ms != 0 && wall_ms > clock->wall_ms)
			passed = wall_ms - clock->wall_ms;
		if (passed > CLOCK_RESTART_MAX_MS)
			passed = CLOCK_RESTART_MAX_MS;
	} else if (steady_ms > clock->steady_ms) {
		passed = steady_ms - clock->steady_ms;
	}
	return clock->slow_ms > UINT64_MAX - passed ? UINT64_MAX : clock->slow_ms + passed;
}

enum error clock_keep(struct run *run)
{
	bool start = run->event.kind == RECORD_START;

	/* At zero there may be no row yet: without one every event would begin the clock anew. */
	if (!start && run->slow_ms != 0 && run->slow_ms - run->clock.slow_ms < KEEP_MS)
		return ERROR_OK;
	struct slow_clock clock = {
		.slow_ms = run->slow_ms,
		.steady_ms = run->event.steady_ms,
		.wall_ms = run->event.wall_ms,
	};
	struct row_key key = key_make(TABLE_CLOCK);
	run_put(run, &key, &schema_slow_clock, &clock);
	return ERROR_OK;
}
