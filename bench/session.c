#include "bench/session.h"

#include <stdlib.h>

#include "bench/exchange.h"
#include "bench/forwarder.h"

#define QUIET_MS 200 /* acknowledgments have crossed too when nothing has passed for so long */

static int compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

static bool measure_exchanges(struct line *line, struct officer *officer, const struct forwarder *forwarder,
			      unsigned count, struct step *step, unsigned *middle)
{
	unsigned sizes[SESSION_EXCHANGES_MAX];
	const struct exchange_plan plan = {.count = 1, .seconds = 10, .connections = 1, .one_by_one = true};
	struct step silent = {.shown = STEP_DOTS};
	for (unsigned i = 0; i < count; i++) {
		struct exchange_result result;
		uint64_t before = forwarder_bytes(forwarder);
		bool done = exchange_run(line, officer, &plan, &silent, &result);
		exchange_free(&result);
		if (!done || !forwarder_wait_quiet(forwarder, QUIET_MS))
			return false;
		sizes[i] = (unsigned)(forwarder_bytes(forwarder) - before);
		step_show(step, i + 1, 2 * (uint64_t)count);
	}
	qsort(sizes, count, sizeof sizes[0], compare);
	*middle = sizes[count / 2];
	return true;
}

/* What passes in one interval, and a little more, once nothing else does. */
static bool measure_heads(const struct forwarder *forwarder, unsigned seconds, struct step *step,
			  unsigned *heads)
{
	uint64_t before = forwarder_bytes(forwarder);
	for (unsigned i = 0; i < seconds; i++) {
		if (!wait_ms(1000))
			return false;
		step_show(step, seconds + i + 1, 2 * (uint64_t)seconds);
	}
	*heads = (unsigned)(forwarder_bytes(forwarder) - before);
	return true;
}

static bool heads_interval(const struct line *line, unsigned *interval_s)
{
	struct api api;
	struct api_channel channel;
	bool found = false;
	bool asked = api_open(&api, line->sides[0].post_directory) && api_channel(&api, &channel, &found);
	api_close(&api);
	*interval_s = asked && found ? (unsigned)channel.heads_interval_s : 0;
	return *interval_s > 0 ? true : fail("the post does not tell the terms of its channel");
}

bool session_measure(struct line *line, struct officer *officer, unsigned exchanges, unsigned seconds,
		     struct step *step, struct session_bytes *bytes)
{
	struct forwarder forwarder;
	unsigned count = exchanges < SESSION_EXCHANGES_MAX ? exchanges : SESSION_EXCHANGES_MAX;
	*bytes = (struct session_bytes){0};
	line_stop_couriers(line);
	bool done = forwarder_start(&forwarder, &line->children, line->port) &&
		    line_start_couriers(line, forwarder.port) &&
		    forwarder_wait_quiet(&forwarder, 5 * QUIET_MS) &&
		    heads_interval(line, &bytes->heads_interval_s) &&
		    measure_exchanges(line, officer, &forwarder, count, step, &bytes->exchange);
	bytes->heads_known = done && bytes->heads_interval_s + 5 <= seconds;
	if (bytes->heads_known)
		done = measure_heads(&forwarder, bytes->heads_interval_s + 5, step, &bytes->heads);
	line_stop_couriers(line);
	forwarder_stop(&forwarder);
	return done;
}
