#include "post/limiter.h"

void limiter_make(struct limiter *limiter)
{
	*limiter = (struct limiter){0};
}

static bool window_over(const struct limiter_window *window, uint64_t now_ms)
{
	return now_ms - window->start_ms >= LIMITER_WINDOW_MS;
}

bool limiter_admit(struct limiter *limiter, unsigned reason, uint64_t now_ms)
{
	struct limiter_window *window =
		&limiter->windows[reason < LIMITER_REASONS ? reason : LIMITER_REASONS - 1];

	if (!window->open || (window_over(window, now_ms) && window->suppressed == 0))
		*window = (struct limiter_window){.open = true, .start_ms = now_ms};
	if (window->shown < LIMITER_LINES) {
		window->shown++;
		return true;
	}
	window->suppressed++;
	return false;
}

bool limiter_ended(struct limiter *limiter, uint64_t now_ms, unsigned *reason, uint64_t *suppressed)
{
	for (unsigned i = 0; i < LIMITER_REASONS; i++) {
		struct limiter_window *window = &limiter->windows[i];

		if (!window->open || window->suppressed == 0 || !window_over(window, now_ms))
			continue;
		*reason = i;
		*suppressed = window->suppressed;
		*window = (struct limiter_window){0};
		return true;
	}
	return false;
}
