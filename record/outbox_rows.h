/*
 * The outbox's rows, shared by outbox.c (what waits, is handed over and due) and outbox_send.c (sealing).
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
struct row_key outbox_due_row(const struct copy *copy);
struct row_key outbox_sealed_row(const uint8_t sha256[32]);

/* ERROR_NOT_FOUND if it is gone. */
enum error outbox_read(struct run *run, const struct copy_key *key, struct outgoing *outgoing);
void outbox_write(struct run *run, const struct outgoing *outgoing);
/* Deletes all rows of it. */
void outbox_remove(struct run *run, const struct outgoing *outgoing);
/* Makes it wait at its precedence, from whatever state it is in. */
void outbox_wait(struct run *run, struct outgoing *outgoing);

/*
 * The sealed bytes of it: those stored, or sealed now (outgoing->copy is changed, and to be written). *reason: why it cannot be sealed.
 */
enum error outbox_seal(struct run *run, struct outgoing *outgoing, struct bytes *sealed, enum error *reason);

/* The channel's delay window; the default without one. */
enum error outbox_terms(struct run *run, uint64_t channel, struct terms *terms);

#endif
