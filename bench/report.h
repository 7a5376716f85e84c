/*
 * What bench-line has found, and how it is printed.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/copies.h"
#include "bench/exchange.h"
#include "bench/floor.h"
#include "bench/session.h"

struct report {
	const char *file_system;
	unsigned cores;
	unsigned connections;
	struct exchange_result batched; /* over many connections */
	struct exchange_result single;  /* one receipt for each message */
	struct exchange_result idle;    /* one message at a time, with pauses */
	struct floor_result floor;
	unsigned post_kib; /* resident while idle, the larger of the two */
	unsigned courier_kib;
	struct copies_sizes sizes;
	struct session_bytes session;
};

/* One JSON object, or a table, on standard output. False after an error message. */
bool report_json(const struct report *report);
void report_table(const struct report *report);

#endif
