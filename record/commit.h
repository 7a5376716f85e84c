/*
 * RECORD_COMMIT: what a batch leaves to be done once: verdicts filed, receipts made, own heads signed, the
 * anchor given.
 */
#ifndef RECORD_COMMIT_H
#define RECORD_COMMIT_H

#include "record/run.h"

enum error commit_handle(struct run *run);

/*
 * What the anchor holds, in bytes: ["liaison anchor", 1, [* [channel id, incarnation, size, root]]], of all
 * own logs. At most one row of each channel.
 */
struct anchor_entry {
	uint8_t channel[CHANNEL_ID_SIZE];
	uint64_t incarnation;
	uint64_t size;
	uint8_t root[32];
};
#define ANCHOR_SIZE_MAX (64 + CHANNELS_MAX * 96)
void anchor_encode(const struct anchor_entry *entries, size_t count, struct buffer *buffer);
/* ERROR_MALFORMED if it is not one; *count <= CHANNELS_MAX. */
enum error anchor_decode(struct bytes bytes, struct anchor_entry entries[CHANNELS_MAX], size_t *count);

/* Gives the signed head that is kept of an own log to the courier to keep. origin is in the run's memory. */
void commit_give_head(struct run *run, struct bytes origin, const struct line *line);

#endif
