#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS  2000 /* nothing is shown before */
#define STEP_MS   100
#define BAR_WIDTH 40

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct progress progress_start(const char *what, uint64_t total)
{
	return (struct progress){.what = what, .total = total, .started_ms = now_ms()};
}

void progress_show(struct progress *progress, uint64_t done)
{
	int64_t now = now_ms();
	if (now - progress->started_ms < QUIET_MS || now - progress->shown_ms < STEP_MS ||
	    !isatty(STDERR_FILENO))
		return;
	progress->shown_ms = now;
	if (progress->total == 0) {
		fprintf(stderr, "\r%s %llu", progress->what, (unsigned long long)done);
		return;
	}
	char bar[BAR_WIDTH + 1];
	uint64_t filled = done >= progress->total ? BAR_WIDTH : done * BAR_WIDTH / progress->total;
	for (uint64_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %llu of %llu", progress->what, bar, (unsigned long long)done,
		(unsigned long long)progress->total);
}

void progress_end(struct progress *progress)
{
	if (progress->shown_ms != 0)
		fprintf(stderr, "\r\033[K");
}
