/* What STATUS tells of logs that are not held whole, and of those whose author was restored. */
#include "record/log.h"
#include "record/missing.h"
#include "record/query_parts.h"

#define LIST_MAX          32  /* gaps, or branches, of one channel that are told */
#define ITEM_SIZE_MAX     40  /* bytes of one */
#define AHEAD_MAX         256 /* entries beyond a log's first gap that are looked at */
#define INCARNATIONS_TOLD 8   /* of one log: the newest, which may be filled up still */

struct list {
	size_t count;
	struct buffer items;
};

/* ---- gaps ---- */

static void write_gap(struct list *gaps, const struct entry_key *first, uint64_t count)
{
	if (gaps->count == LIST_MAX)
		return;
	gaps->count++;
	cbor_write_array(&gaps->items, 4);
	cbor_write_uint(&gaps->items, first->log);
	cbor_write_uint(&gaps->items, first->incarnation);
	cbor_write_uint(&gaps->items, first->position);
	cbor_write_uint(&gaps->items, count);
}

/* What is told of beyond all that is held may be on its way: it is missing once it was asked for. */
static enum error find_tail(struct run *run, const struct entry_key *at, const struct log *log,
			    struct list *gaps)
{
	bool asked;

	if (log->told <= at->position)
		return ERROR_OK;
	enum error error = missing_asked(run, at, log, &asked);
	if (error == ERROR_OK && asked)
		write_gap(gaps, at, log->told - at->position);
	return error;
}

/* What is missing between the entries that are held of one log, and after them. */
static enum error find_gaps(struct run *run, struct entry_key *at, struct list *gaps)
{
	struct row_key prefix = key_log(TABLE_AHEAD, at->channel, at->log, at->incarnation);
	struct row row;
	struct log log;

	enum error error = log_row(run, at->channel, at->log, at->incarnation, &log);
	if (error != ERROR_OK || (log.end <= log.size && log.told <= log.size))
		return error;
	at->position = log.size;
	error = rows_first(run_rows(run), key_view(&prefix), &row);
	for (size_t i = 0; error == ERROR_OK && i < AHEAD_MAX; i++) {
		struct key_reader reader = key_reader_make(row.key);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		uint64_t held = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK || held < at->position)
			return ERROR_MALFORMED;
		if (held > at->position)
			write_gap(gaps, at, held - at->position);
		at->position = held + 1;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? find_tail(run, at, &log, gaps) : error;
}

/* ---- branches ---- */

/*
 * Where an incarnation follows a point of another that goes on beyond it, or one that is followed already,
 * the log has branched: its author's store was restored, or two of it run. That is no fork, and accuses
 * nobody.
 */
static enum error find_branch(struct run *run, const struct entry_key *at, struct list *branches)
{
	struct log row;
	struct log former;

	enum error error = log_row(run, at->channel, at->log, at->incarnation, &row);
	if (error != ERROR_OK || row.follows == 0)
		return error;
	error = log_row(run, at->channel, at->log, row.follows, &former);
	if (error != ERROR_OK)
		return error;
	uint64_t end = former.end > former.told ? former.end : former.told;
	if (end < former.size)
		end = former.size;
	if ((end <= row.follows_size && row.follows + 1 == at->incarnation) || branches->count == LIST_MAX)
		return ERROR_OK;
	branches->count++;
	cbor_write_array(&branches->items, 5);
	cbor_write_uint(&branches->items, at->log);
	cbor_write_uint(&branches->items, at->incarnation);
	cbor_write_uint(&branches->items, row.follows);
	cbor_write_uint(&branches->items, row.follows_size);
	cbor_write_uint(&branches->items, end);
	return ERROR_OK;
}

/* ---- both ---- */

static enum error look_at_line(struct run *run, uint64_t number, uint64_t log, const struct line *line,
			       struct list *gaps, struct list *branches)
{
	struct entry_key key = {.channel = number, .log = log};
	uint64_t newest = line->incarnation > line->told ? line->incarnation : line->told;
	bool missing = false;

	key.incarnation = newest > INCARNATIONS_TOLD ? newest - INCARNATIONS_TOLD : 1;
	for (; key.incarnation <= newest || key.incarnation == 1; key.incarnation++) {
		enum error error = find_gaps(run, &key, gaps);
		if (!run_missing(error, &missing))
			return error;
		error = find_branch(run, &key, branches);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error query_gaps(struct run *run, uint64_t number, const struct channel *channel,
		      struct query_lines *lines, struct buffer *buffer)
{
	struct list gaps = {.items = run_buffer(run, LIST_MAX * ITEM_SIZE_MAX)};
	struct list branches = {.items = run_buffer(run, LIST_MAX * ITEM_SIZE_MAX)};
	bool missing = false;

	for (uint64_t i = 0; i < channel->parties.size; i++) {
		enum error error = query_lines(run, number, i, lines);
		if (!run_missing(error, &missing))
			return error;
		if (error != ERROR_OK)
			continue;
		for (size_t j = 0; j < lines->count; j++) {
			error = look_at_line(run, number, lines->logs[j], &lines->lines[j], &gaps, &branches);
			if (!run_missing(error, &missing))
				return error;
		}
	}
	cbor_write_array(buffer, gaps.count);
	buffer_append(buffer, buffer_bytes(&gaps.items));
	cbor_write_array(buffer, branches.count);
	buffer_append(buffer, buffer_bytes(&branches.items));
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}
