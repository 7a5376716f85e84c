/*
 * Time, waiting, and what is said on the way.
 *
 * SIGINT, SIGTERM and SIGHUP are blocked while bench-line runs and are only looked at where it waits: so
 * whatever it has started is ended on that way out as well.
 */
#ifndef BENCH_WAIT_H
#define BENCH_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, in microseconds. */
int64_t now_us(void);

/* Blocks the three signals. Call once, first. */
void wait_prepare(void);
/* The three signals again as they were: in a child, before exec. */
void wait_restore(void);
/* True once one of them has come. */
bool interrupted(void);

/* Sleeps. False if a signal has come (and has been said): then give up. */
bool wait_ms(unsigned ms);

/* "bench-line: ..." on standard error. Returns false. */
bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Begins a line on standard error that says what is being measured; dots follow, at most `dots` of them. */
#define STEP_DOTS 20
struct step {
	unsigned shown;
};
void step_begin(struct step *step, const char *what);
/* Shows as many dots as `done` of `total` makes. */
void step_show(struct step *step, uint64_t done, uint64_t total);
void step_end(struct step *step);

#endif
