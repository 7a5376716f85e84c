/*
 * A batch of events through the record, in one transaction of the store (record/record.h).
 *
 *     transaction_event ... transaction_event      the store is open, nothing has left
 *     transaction_commit                           RECORD_COMMIT; the rows; the commit; the anchor
 *     transaction_perform                          only now the actions, in order
 *
 * Where transaction_event or transaction_commit fails, no action of the batch has been performed and none
 * may be: the daemon stops (but ERROR_FULL, below).
 */
#ifndef POST_TRANSACTION_H
#define POST_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "post/anchor_file.h"
#include "post/backup.h"
#include "post/store.h"
#include "record/record.h"

#define TRANSACTION_EVENTS_MAX 256
#define TRANSACTION_BYTES_MAX  (1024 * 1024) /* of what the events bring; the actions may be as many again */

struct transaction_actions; /* copies of one event's actions */

struct transaction {
	struct record *record;
	struct store *store;
	struct anchor_file *anchor;
	struct backup *backup;
	size_t events;
	size_t bytes;
	struct transaction_actions *first; /* of the batch, in order */
	struct transaction_actions *last;
	const char *failed; /* after an error: what could not be done */
};

/* All are borrowed and must outlive it. */
void transaction_make(struct transaction *transaction, struct record *record, struct store *store,
		      struct anchor_file *anchor, struct backup *backup);

/* The clock of record_event.steady_ms: it goes on while the machine sleeps, and never back. */
uint64_t transaction_steady_ms(void);

/* An event of this kind, now: both clocks and fresh entropy. */
struct record_event transaction_event_now(enum record_event_kind kind);

/* True if another event may join the batch. */
bool transaction_has_room(const struct transaction *transaction);

/* True if there is anything to commit. */
bool transaction_is_open(const struct transaction *transaction);

/*
 * Runs one event to its end; the first one of a batch begins the transaction. `size` is the bytes it
 * brought. The event and what it points to may go when this returns. ERROR_FULL: it does not fit into this
 * batch and has done nothing; commit and give it again (never given for the first event of a batch). Any
 * other error: stop.
 */
enum error transaction_event(struct transaction *transaction, const struct record_event *event, size_t size);

/*
 * Ends the batch: RECORD_COMMIT, then `room` if it is not NULL (a RECORD_COURIER_ROOM event), then the
 * disk. On ERROR_OK the batch is on disk and so is its anchor.
 */
enum error transaction_commit(struct transaction *transaction, const struct record_event *room);

/*
 * Gives each action of the committed batch but ANCHOR and WIPE to `perform`, in order, and forgets the
 * batch. WIPE is done here. ERROR_OK or what the store says.
 */
enum error transaction_perform(struct transaction *transaction,
			       void (*perform)(void *context, const struct record_action *action),
			       void *context);

/* Gives back all memory. */
void transaction_free(struct transaction *transaction);

#endif
