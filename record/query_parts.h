/*
 * What the parts of query_*.c share: lists whose length is known only when they are written, and rows
 * that are read for many things at once. Functions return what run.h says.
 *
 * Loops over many things read on where one of them is missing a row (run_missing); what such a run wrote
 * is thrown away.
 */
#ifndef RECORD_QUERY_PARTS_H
#define RECORD_QUERY_PARTS_H

#include "base/cbor.h"
#include "record/query_state.h"
#include "record/run.h"

/* An answer of at most what one frame holds. `list` is room for the items of one list after the other. */
struct query_answer {
	struct buffer body;
	struct buffer list;
	size_t count; /* items in the list */
};

struct query_answer query_answer_make(struct run *run);
/* Ends the list that was written to answer->list: appends its head and items to the body, and empties it. */
void query_list_end(struct query_answer *answer);
/*
 * Replies with the body, which holds `count` results; with ERROR_TOO_LARGE where it does not fit into a
 * frame.
 */
enum error query_answer_end(struct run *run, struct query_answer *answer, size_t count);

/* True if a post of every other party has answered for the own entry: held, or refused. */
bool query_is_settled(const struct channel *channel, const struct entry *entry);

void query_write_fixed(struct buffer *buffer, const uint8_t *data, size_t size);
enum error query_refuse(struct run *run, enum error error);

/* ---- rows of the registry, many at once ---- */

struct query_channels {
	size_t count;
	uint64_t numbers[CHANNELS_MAX];
	struct channel channels[CHANNELS_MAX];
};
enum error query_channels(struct run *run, struct query_channels *channels);

/* The lines of one roster index, ascending by log. */
struct query_lines {
	size_t count;
	uint64_t logs[POST_SLOTS];
	struct line lines[POST_SLOTS];
};
enum error query_lines(struct run *run, uint64_t channel, uint64_t index, struct query_lines *lines);

/*
 * For STATUS: the list of what is missing, then that of incarnations which follow an earlier point of a log
 * than its end.
 */
enum error query_gaps(struct run *run, uint64_t number, const struct channel *channel,
		      struct query_lines *lines, struct buffer *buffer);

/* ---- answers in files of their own ---- */

enum error query_channel_answer(struct run *run, uint64_t number);
enum error query_heads_answer(struct run *run, uint64_t number);
enum error query_parties_answer(struct run *run);
enum error query_status_answer(struct run *run);
/*
 * ENTRIES of what is awaited (selection 4), of one channel or of all (0): own entries whose copies are under
 * way, then those of TABLE_ACK_BY. `cursor` is empty or one that an earlier answer gave.
 */
enum error query_awaited_answer(struct run *run, uint64_t channel, struct bytes cursor, size_t count_max);

#endif
