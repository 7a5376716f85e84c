/*
 * The outbox's rows, shared by outbox.c (what waits and is handed over), outbox_send.c (sealing) and
 * outbox_settle.c (what becomes of it: hints, resending, receipts).
 */
#ifndef RECORD_OUTBOX_ROWS_H
#define RECORD_OUTBOX_ROWS_H

#include "record/outbox.h"

/* One copy of either sort, with where it goes. */
struct outgoing {
	struct copy_key key;
	struct copy copy;
	struct statement_copy statement; /* key.statement != 0 */
	uint64_t party;
	uint64_t slot;
};

struct row_key outbox_copy_row(const struct copy_key *key);
struct row_key outbox_waiting_row(const struct copy *copy);
struct row_key outbox_handed_row(const struct copy *copy);
struct row_key outbox_retry_row(const struct outgoing *outgoing);
struct row_key outbox_place_row(const struct outgoing *outgoing);
struct row_key outbox_due_row(const struct copy *copy);
struct row_key outbox_sealed_row(const struct copy *copy);
struct row_key outbox_id_row(const uint8_t id[16]);

/* ERROR_NOT_FOUND if it is gone. */
enum error outbox_read(struct run *run, const struct copy_key *key, struct outgoing *outgoing);
void outbox_write(struct run *run, const struct outgoing *outgoing);
/* Deletes all rows of it. */
void outbox_remove(struct run *run, const struct outgoing *outgoing);
/* Takes it out of the tables that its state says it is in; forgets when it is due. */
void outbox_unplace(struct run *run, const struct outgoing *outgoing);
void outbox_forget_due(struct run *run, struct copy *copy);
/* Keeps the bytes that it has been sealed to, and drops them. */
void outbox_keep_seal(struct run *run, const struct outgoing *outgoing, struct bytes sealed);
void outbox_drop_seal(struct run *run, struct copy *copy);
/* Counts an own entry that waits for receipts, or no longer does, in TABLE_PENDING. */
enum error outbox_count_pending(struct run *run, uint64_t channel, uint64_t precedence, bool more);
/* The count of a precedence. */
uint64_t *outbox_pending_of(struct pending *pending, uint64_t precedence);
/* Holds back an entry's copy that is of no use now; when it is due it is tried again. */
enum error outbox_hold(struct run *run, struct outgoing *outgoing);
/* A new copy of an own entry, which waits. */
void outbox_make_copy(struct run *run, const struct entry_key *key, uint64_t log, uint64_t precedence,
		      uint64_t urgency, bool again);
/* Makes it wait at its precedence, from whatever state it is in. */
void outbox_wait(struct run *run, struct outgoing *outgoing);
/* The same; when it is due stays as it is. */
void outbox_wait_until_due(struct run *run, struct outgoing *outgoing);

/*
 * The sealed bytes of it: those stored, or sealed now, for the channel's delay window (outgoing->copy is
 * changed, and to be written).
 * *reason: why it cannot be sealed.
 */
enum error outbox_seal(struct run *run, struct outgoing *outgoing, uint64_t window_s, struct bytes *sealed,
		       enum error *reason);

/* The channel's delay window; the default without one. */
enum error outbox_terms(struct run *run, uint64_t channel, struct terms *terms);

/* A copy that is to wait again, and its row in the table by which it was found. */
struct outbox_moved {
	struct row_key row;
	struct copy_key key;
};

#define OUTBOX_MOVED_MAX 64 /* of one event */

/*
 * The first copies, count_max at most, in TABLE_HANDED, TABLE_DUE or a precedence of TABLE_RETRY (`prefix`)
 * whose session or time is `first` or later, and below `limit`. Their rows and entries are loaded with them.
 */
enum error outbox_list_moved(struct run *run, const struct row_key *prefix, uint64_t first, uint64_t limit,
			     size_t count_max, struct outbox_moved *moved, size_t *count);

#endif
