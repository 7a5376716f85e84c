/*
 * A progress bar for what takes longer than two seconds: on standard error, and only where that is a
 * terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>

struct progress {
	const char *what;
	uint64_t total; /* 0: not known, the count alone is shown */
	int64_t started_ms;
	int64_t shown_ms;
};

struct progress progress_start(const char *what, uint64_t total);
void progress_show(struct progress *progress, uint64_t done);
/* Clears the line, if there is one. */
void progress_end(struct progress *progress);

#endif
