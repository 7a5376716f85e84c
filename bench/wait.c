#include "bench/wait.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define STEP_WIDTH 44 /* columns of what is being measured, so that the dots stand below each other */

int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void three_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
}

void wait_prepare(void)
{
	sigset_t signals;
	three_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void wait_restore(void)
{
	sigset_t signals;
	three_signals(&signals);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

bool interrupted(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
		sigismember(&pending, SIGHUP) == 1);
}

bool wait_ms(unsigned ms)
{
	int64_t end = now_us() + (int64_t)ms * 1000;
	for (;;) {
		int64_t left = end - now_us();
		if (interrupted())
			return fail("stopped by a signal");
		if (left <= 0)
			return true;
		struct timespec pause = {.tv_nsec = (left < 50000 ? left : 50000) * 1000};
		nanosleep(&pause, NULL);
	}
}

bool fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("\nbench-line: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\n", stderr);
	va_end(arguments);
	return false;
}

void step_begin(struct step *step, const char *what)
{
	step->shown = 0;
	fprintf(stderr, "%-*s ", STEP_WIDTH, what);
	fflush(stderr);
}

void step_show(struct step *step, uint64_t done, uint64_t total)
{
	uint64_t due = total == 0 || done >= total ? STEP_DOTS : done * STEP_DOTS / total;
	for (; step->shown < due; step->shown++)
		fputc('.', stderr);
	fflush(stderr);
}

void step_end(struct step *step)
{
	step_show(step, 1, 1);
	fputc('\n', stderr);
}
