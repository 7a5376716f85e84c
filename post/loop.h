/*
 * The daemon at work: one thread, one loop. What is ready is gathered into a batch of events, the batch is
 * committed, and only then does anything leave (post/transaction.h).
 */
#ifndef POST_LOOP_H
#define POST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "post/anchor_file.h"
#include "post/backup.h"
#include "post/courier_link.h"
#include "post/local_server.h"
#include "post/logger.h"
#include "post/reserve.h"
#include "post/store.h"
#include "post/test_hooks.h"
#include "post/transaction.h"
#include "record/record.h"

#define LOOP_TICK_MS 1000
#define LOOP_IDLE_MS 2000 /* without an event but ticks: then memory is given back */

/* What the loop works with: all borrowed, open, and closed by the caller afterwards. */
struct loop_resources {
	struct logger *logger;
	struct store *store;
	struct anchor_file *anchor;
	void *memory; /* RECORD_MEMORY_SIZE bytes for the record, from mmap */
	struct test_hooks *hooks;
	int directory; /* the daemon's; also the current directory */
	int signals;   /* a signalfd, not blocking: any signal from it ends the loop */
	int local_listener;
	int courier_listener;
};

struct loop {
	struct loop_resources resources;
	struct transaction transaction;
	struct backup backup;
	struct reserve reserve;
	struct local_server local;
	struct courier_link courier;
	uint64_t steady_ms; /* as of this turn */
	uint64_t tick_ms;   /* when the next RECORD_TICK is due */
	uint64_t event_ms; /* when the last event but a tick was given; 0: memory has been given back since */
	bool more;         /* events were left for the next batch */
	bool messages_first; /* in this batch the courier's messages came before the requests */
	bool failed;       /* the daemon must stop: it has been logged why */
	uint64_t backup_client;  /* whose backup is under way */
	uint64_t backup_request; /* the number of that request */
	uint8_t node[EID_SIZE_MAX];
	size_t node_size;
};

/*
 * RECORD_START, RECORD_PROVISION if there is a post file (which is then erased), and the post's own name.
 * False if the daemon cannot serve: it has been logged why and what to do.
 */
bool loop_start(struct loop *loop, const struct loop_resources *resources);

/* Serves until a signal (true) or until the disk fails (false: it has been logged why). */
bool loop_run(struct loop *loop);

/* Ends all connections and frees what the loop made. */
void loop_end(struct loop *loop);

#endif
