/*
 * The logs as rows: appending to the own one, taking in those of others, roots and proofs (doc/PROTOCOL.md,
 * section 3). Functions return what run.h says.
 */
#ifndef RECORD_LOG_H
#define RECORD_LOG_H

#include "envelope/wire.h"
#include "record/batch.h"
#include "record/run.h"

/* Incarnations of another's log that may run ahead of the newest whose first entry is held. */
#define LOG_INCARNATIONS_AHEAD 4

/* What is to be filed. Views live as long as the run. */
struct log_item {
	const struct channel *channel;
	const struct content *content; /* NULL: could not be read; a refused entry of another's */
	const struct cose_signed *object;
	struct bytes cose;
	uint8_t identity[IDENTITY_SIZE];
	bool again; /* these very words are held at another position: they are filed, and shown once */
	bool own;   /* log_take: an entry of a former own log that is given back */
};

/* The own log's number on a channel. */
uint64_t log_own_number(struct run *run, const struct channel *channel);

/*
 * Appends to the own log: gives the position, names the heads seen, writes all rows and makes the copies
 * (outbox_entry), and gives LOCAL_STATE: the entry is released. The first entry of a channel's log makes the
 * log. key->channel is given; the rest of *key is the result.
 */
enum error log_append(struct run *run, const struct log_item *item, struct entry_key *key,
		      struct entry *entry);

enum log_place {
	LOG_NEW = 1,   /* the position is free: log_take */
	LOG_SAME = 2,  /* this very entry is held there */
	LOG_OTHER = 3, /* another entry is held there: a fork */
	LOG_FAR = 4,   /* beyond what is accepted */
};

/* Looks where an entry of another's log would go. `held` is what is there (LOG_SAME, LOG_OTHER); *gap:
 * positions before it are missing. */
enum error log_look(struct run *run, const struct entry_key *key, const uint8_t identity[IDENTITY_SIZE],
		    enum log_place *place, struct entry *held, bool *gap);

/* Files an entry of another's log, or of a former own one, at its position (LOG_NEW), accepted or refused. */
enum error log_take(struct run *run, const struct entry_key *key, const struct log_item *item,
		    const struct heads_seen *heads, enum error reason);

/* Lets trees follow over gaps that were closed: at most some hundred leaves; for RECORD_COMMIT and
 * RECORD_TICK. */
enum error log_advance(struct run *run);

/* ---- looking up ---- */

enum error log_entry(struct run *run, const struct entry_key *key, struct entry *entry);
enum error log_cose(struct run *run, const struct entry_key *key, struct bytes *cose);
enum error log_find(struct run *run, const uint8_t identity[IDENTITY_SIZE], struct entry_key *key);

/* The log's row; a log that is not there is empty: ERROR_OK, size 0. */
enum error log_row(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation, struct log *row);
/* Writes it, after its other fields were changed; notes a gap that came to be, or was closed
 * (record/missing.h). */
enum error log_write_row(struct run *run, const struct entry_key *log, struct log *row);

/* The first entry of an incarnation says which one it follows, and how much of that its author held. */
enum error log_follow(struct run *run, const struct entry_key *key, const struct incarnation *content);

/* The root at a size not above the log's (0: the empty tree). */
enum error log_root_at(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation, uint64_t size,
		       struct merkle_hash *root);
/* A consistency proof between two sizes, 0 < old_size <= new_size, not above the log's. */
enum error log_consistency(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation,
			   uint64_t old_size, uint64_t new_size, struct merkle_proof *proof);

/* ---- states ---- */

/*
 * Adds a state to an entry's times and writes it; entry->state becomes it if it is further on (enum
 * local_state; REFUSED only from below RECEIVED), else only the time is noted (once for each state and
 * detail). Gives LOCAL_STATE if the state changed.
 */
enum error log_set_state(struct run *run, const struct entry_key *key, struct entry *entry, uint64_t state,
			 struct bytes detail);

#endif
