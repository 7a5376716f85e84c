/*
 * What one exchange costs on the wire: the bytes of TCP payload, both ways, between two couriers whose TLS
 * session stands.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "bench/line.h"
#include "bench/officer.h"

#define SESSION_EXCHANGES_MAX 32

struct session_bytes {
	unsigned exchange; /* for one message of OFFICER_TEXT_SIZE bytes and its receipt: the median */
	bool heads_known;
	unsigned heads; /* for all that the posts then say about their heads in one interval of the terms */
	unsigned heads_interval_s;
};

/*
 * Starts the couriers again with a counting wire between them, and stops them at the end. Sends `exchanges`
 * messages, one by one; then, if an interval of heads fits into `seconds`, waits one for what the posts
 * state about their heads. Keepalives are not counted. False after an error message.
 */
bool session_measure(struct line *line, struct officer *officer, unsigned exchanges, unsigned seconds,
		     struct step *step, struct session_bytes *bytes);

#endif
