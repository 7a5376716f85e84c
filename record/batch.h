/*
 * What the events of one batch leave for its RECORD_COMMIT: entries to be receipted, verdicts to be given,
 * own logs whose head is to be signed. It is memory, not rows: it never outlives the transaction. A run
 * notes; only a complete run's notes join the batch.
 */
#ifndef RECORD_BATCH_H
#define RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "record/schema.h"

struct run;

#define BATCH_ITEMS_MAX   2048 /* entries that one commit receipts; the batch ends before more come */
#define BATCH_NOTED_MAX   64   /* of both that one event notes: the letters that one fold takes */
#define BATCH_VERDICT_MAX 512  /* letters and refusals that one commit names; the same */

/* An entry of another's log that was taken in, or came again: to be named in a receipt. */
struct batch_item {
	struct entry_key key;
	uint8_t identity[IDENTITY_SIZE];
	uint64_t precedence;
	enum error reason; /* ERROR_OK: held */
};

/* A verdict to be filed in the own log. */
struct batch_verdict {
	struct entry_key key;
	enum error reason; /* ERROR_OK: a letter was accepted */
};

struct batch {
	size_t items_count;
	struct batch_item items[BATCH_ITEMS_MAX];
	size_t verdicts_count;
	struct batch_verdict verdicts[BATCH_VERDICT_MAX];
	size_t channels_count;
	uint64_t channels[CHANNELS_MAX]; /* whose own log grew */
};

struct batch_noted {
	size_t items_count;
	struct batch_item items[BATCH_NOTED_MAX];
	size_t verdicts_count;
	struct batch_verdict verdicts[BATCH_NOTED_MAX];
	size_t channels_count;
	uint64_t channels[CHANNELS_MAX];
};

void batch_note_item(struct run *run, const struct batch_item *item);
void batch_note_verdict(struct run *run, const struct entry_key *key, enum error reason);
void batch_note_channel(struct run *run, uint64_t channel);

/* What is noted so far in the batch and in this run, for RECORD_COMMIT. */
struct batch *batch_of(struct run *run);
/* Copies this run's notes into the batch: in RECORD_COMMIT before it works, else when the run is complete. */
void batch_join(struct run *run);
/* True if another event's notes fit. */
bool batch_room(const struct run *run);

#endif
