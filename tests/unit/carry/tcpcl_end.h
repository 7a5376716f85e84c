/*
 * One end of a session under test: a machine, its output, and a trace of its events as text.
 */
#ifndef TESTS_UNIT_CARRY_TCPCL_END_H
#define TESTS_UNIT_CARRY_TCPCL_END_H

#include "carry/tcpcl.h"

#define END_OUTPUT_MAX 65536
#define END_TRACE_MAX 16384
#define END_RECEIVED_MAX (TRANSFER_SIZE_MAX + 1)

struct end {
	struct tcpcl session;
	uint64_t now_ms;
	uint8_t output_memory[END_OUTPUT_MAX];
	struct buffer output;
	char trace[END_TRACE_MAX]; /* "peer ipn:2.0; begin 0 5; data 0 5; ..." ; data is traced when
				      trace_data */
	size_t trace_size;
	bool trace_data;
	bool refuse_peer;                   /* answer PEER with SESS_TERM(Busy) instead of admitting it */
	bool store_at_once;                 /* answer TRANSFER_END with tcpcl_transfer_stored() */
	uint8_t received[END_RECEIVED_MAX]; /* the bytes of the transfer under way, or of the last whole one
					     */
	size_t received_size;
	unsigned received_count; /* transfers that came whole */
	unsigned acknowledged_count;
	unsigned refused_count;
	bool closed;
};

/* Starts `end`; own node id and expected node id as text (the latter may be ""). Keepalive 30 s. */
void end_start(struct end *end, enum tcpcl_role role, enum tcpcl_security security, const char *node_id,
	const char *expected);

/* Feeds all of `input`, answering events; returns what was consumed. */
size_t end_feed(struct end *end, struct bytes input);

/* Feeds bytes given in hexadecimal; all must be consumed, unless the end closed. */
void end_feed_hex(struct end *end, const char *hex);

/* tcpcl_tick at end->now_ms, its event traced. */
void end_tick(struct end *end);

/* The output so far must be exactly `hex`; then it is emptied. */
void end_expect(struct end *end, const char *hex);

/* The trace so far must be exactly `trace`; then it is emptied. */
void end_expect_trace(struct end *end, const char *trace);

#endif
