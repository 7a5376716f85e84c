/*
 * Stands between the two couriers as a wire would, and counts the bytes of TCP payload that pass, both ways.
 */
#ifndef BENCH_FORWARDER_H
#define BENCH_FORWARDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/children.h"

struct forwarder_counts {         /* shared with the forwarder's process */
	atomic_ullong bytes;      /* all that passed */
	atomic_ullong keepalives; /* bytes of these that were keepalives, by their size */
};

struct forwarder {
	unsigned short port; /* where it listens, on the loopback interface */
	unsigned short to;
	int listener;
	struct forwarder_counts *counts;
	struct child *child;
};

/* Starts it: each connection to it is joined with one to the port `to`. False after an error message. */
bool forwarder_start(struct forwarder *forwarder, struct children *children, unsigned short to);
/* Also where forwarder_start failed. */
void forwarder_stop(struct forwarder *forwarder);

/* Bytes that passed so far, keepalives apart. */
uint64_t forwarder_bytes(const struct forwarder *forwarder);

/* Waits until nothing has passed for `ms`, at most 20 times as long. False if a signal came. */
bool forwarder_wait_quiet(const struct forwarder *forwarder, unsigned ms);

#endif
