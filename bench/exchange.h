/*
 * Exchanges over the line: messages submitted at one post until each is RECEIVED there, that is, until the
 * other post's receipt for it has been verified and committed.
 */
#ifndef BENCH_EXCHANGE_H
#define BENCH_EXCHANGE_H

#include "bench/line.h"
#include "bench/officer.h"

#define CONNECTIONS_MAX 30 /* liaisond serves 32: one more watches, one is left */

struct exchange_plan {
	unsigned count;       /* messages */
	unsigned seconds;     /* no message is submitted after so long */
	unsigned connections; /* each with one SUBMIT under way; to CONNECTIONS_MAX */
	bool one_by_one;      /* over one connection, each message when the one before is received */
	unsigned gap_ms;      /* one_by_one: what to wait before each message */
};

/* What each daemon did while the exchanges went on. */
struct exchange_costs {
	uint64_t post_commits[2];
	uint64_t courier_commits[2];
	uint64_t syncs; /* of all files of all four */
	uint64_t post_cpu_us[2];
	uint64_t courier_cpu_us[2];
	uint64_t officers_cpu_us; /* of bench-line itself: signing, submitting, watching */
};

struct exchange_result {
	unsigned count;
	double seconds;     /* from the first SUBMIT to the last RECEIVED */
	unsigned *taken_us; /* one_by_one: times from before signing, ascending; else NULL */
	unsigned receipts;  /* different receipts that these messages got */
	struct exchange_costs costs;
};

/* False after an error message. The result is freed with exchange_free in either case. */
bool exchange_run(struct line *line, struct officer *officer, const struct exchange_plan *plan,
		  struct step *step, struct exchange_result *result);
void exchange_free(struct exchange_result *result);

/* The p-th percentile in ms; 0 where nothing was measured. */
double exchange_percentile_ms(const struct exchange_result *result, unsigned p);

#endif
