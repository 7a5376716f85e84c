/*
 * Log lines to standard error: one line, time-stamped in UTC, with a reason and never with content.
 *
 * A line is dropped rather than waited for when nobody reads standard error.
 */
#ifndef POST_LOGGER_H
#define POST_LOGGER_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "post/limiter.h"

#define LOGGER_LINE_SIZE_MAX 1024 /* below PIPE_BUF, so that a line goes out whole or not at all */
#define LOGGER_TEXT_SIZE_MAX 200  /* bytes of what is said beside the reason */

struct logger {
	struct limiter limiter;
	int fd;
};

/* Lines go to `fd`, which stays the caller's. */
void logger_make(struct logger *logger, int fd);

/* What the operator must see once: start, stop, what to do. Not limited. printf rules, without a line end. */
void logger_line(struct logger *logger, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Something from outside was refused: what, and the reason's sentence. `text` is made visible, on one line,
 * cut at LOGGER_TEXT_SIZE_MAX. Limited by reason; steady_ms as for the limiter.
 */
void logger_refusal(struct logger *logger, uint64_t steady_ms, enum error reason, struct bytes text);

/* What the record has to say, and the reason's sentence unless it is ERROR_OK. Made visible and limited
 * likewise. */
void logger_event(struct logger *logger, uint64_t steady_ms, enum error reason, struct bytes text);

/* Says how many lines were held back in the windows that have ended. Call once a second. */
void logger_tick(struct logger *logger, uint64_t steady_ms);

#endif
