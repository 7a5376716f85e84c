#include "record/incarnation.h"

#include <string.h>

#include "envelope/checkpoint.h"
#include "record/clock.h"
#include "record/commit.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/post_entry.h"
#include "record/registry.h"

#define REQUEUED_MAX 48

/* ---- beginning a new one ---- */

static enum error begin(struct run *run, uint64_t channel_number, uint64_t incarnation_min)
{
	struct channel channel;
	struct line line;
	struct log row;
	struct content *content = run_take(run, sizeof(*content));

	enum error error = registry_channel(run, channel_number, &channel);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	uint64_t log = log_own_number(run, &channel);
	struct row_key key = key_line(channel_number, log);
	error = run_get(run, &key, &schema_line, &line);
	if (error == ERROR_OK)
		error = log_row(run, channel_number, log, line.incarnation, &row);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	memset(content, 0, sizeof(*content));
	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_IMMEDIATE;
	content->of.incarnation.time = run_time_s(run);
	content->of.incarnation.previous = line.incarnation;
	content->of.incarnation.size = row.size;
	error = log_root_at(run, channel_number, log, line.incarnation, row.size,
			    &content->of.incarnation.root);
	if (error != ERROR_OK)
		return error;
	uint64_t next = line.incarnation > incarnation_min ? line.incarnation : incarnation_min;
	if (next >= INCARNATIONS_MAX)
		return ERROR_OUT_OF_RANGE;
	line.incarnation = next + 1;
	run_put(run, &key, &schema_line, &line);
	run_state(run)->restored = 1;
	run_state(run)->requeue = 1;
	run_alert(run, ERROR_NOT_NOW,
		  "this post cannot show that its log goes on: a new incarnation has begun");
	run_log(run, ERROR_NOT_NOW, "the store does not continue the anchor: a new incarnation begins");
	return post_entry(run, channel_number, content);
}

enum error incarnation_behind(struct run *run, uint64_t channel_number, uint64_t incarnation)
{
	struct channel channel;
	struct line line;

	enum error error = registry_channel(run, channel_number, &channel);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	struct row_key key = key_line(channel_number, log_own_number(run, &channel));
	error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (line.incarnation > incarnation)
		return ERROR_OK;
	error = begin(run, channel_number, incarnation);
	return error == ERROR_OK ? keys_make(run, true) : error;
}

enum error incarnation_resume(struct run *run, uint64_t channel_number)
{
	struct content *content = run_take(run, sizeof(*content));
	struct channel channel;
	struct anchor_line former;
	struct line line;

	enum error error = registry_channel(run, channel_number, &channel);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	struct row_key former_key = key_make(TABLE_FORMER);
	key_bytes(&former_key, channel.id, sizeof(channel.id));
	error = run_get(run, &former_key, &schema_anchor_line, &former);
	if (error != ERROR_OK || former.incarnation >= INCARNATIONS_MAX)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct row_key key = key_line(channel_number, log_own_number(run, &channel));
	error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	line.incarnation = former.incarnation + 1;
	run_put(run, &key, &schema_line, &line);
	run_delete(run, &former_key);
	memset(content, 0, sizeof(*content));
	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_IMMEDIATE;
	content->of.incarnation.time = run_time_s(run);
	content->of.incarnation.previous = former.incarnation;
	content->of.incarnation.size = former.size;
	memcpy(content->of.incarnation.root.bytes, former.root, sizeof(former.root));
	return post_entry(run, channel_number, content);
}

/* ---- at start ---- */

/* True in *shown if the anchor's head of this channel is a prefix of the store. */
static enum error compare(struct run *run, uint64_t number, const struct channel *channel,
			  const struct line *line, const struct anchor_entry *anchor, bool *shown)
{
	struct log row;
	struct merkle_hash root;
	uint64_t log = log_own_number(run, channel);

	*shown = false;
	if (anchor->incarnation > line->incarnation)
		return ERROR_OK;
	enum error error = log_row(run, number, log, anchor->incarnation, &row);
	if (error != ERROR_OK || anchor->size > row.size)
		return error;
	error = log_root_at(run, number, log, anchor->incarnation, anchor->size, &root);
	*shown = error == ERROR_OK && memcmp(root.bytes, anchor->root, sizeof(anchor->root)) == 0;
	return error;
}

/*
 * The anchor's shadow of one log is in no backup: where it is missing, this store comes from one. Its epoch
 * keys and its copies' bytes are gone then, even if its logs are whole.
 */
static enum error check_shadow(struct run *run, uint64_t number, const struct line *line)
{
	struct row_key key = key_channel(TABLE_ANCHOR, number);
	struct anchor_line shadow;

	if (line->head_size == 0)
		return ERROR_OK;
	enum error error = run_get(run, &key, &schema_anchor_line, &shadow);
	if (error != ERROR_NOT_FOUND)
		return error;
	shadow.incarnation = line->head_incarnation;
	shadow.size = line->head_size;
	memcpy(shadow.root, line->head_root, sizeof(shadow.root));
	run_put(run, &key, &schema_anchor_line, &shadow);
	run_state(run)->requeue = 1;
	run_state(run)->restored = 1;
	return ERROR_OK;
}

/*
 * The same before there is any own log: a store that has made epochs and holds none of them comes from a
 * backup. It speaks by last resort until the next keying, as any other.
 */
static enum error check_epochs(struct run *run)
{
	struct state *state = run_state(run);
	struct row_key prefix = key_make(TABLE_EPOCH);
	struct row row;

	if (state->epoch_next == state->epoch_first)
		return ERROR_OK;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	if (error == ERROR_NOT_FOUND)
		state->restored = 1;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error check_channel(struct run *run, uint64_t number, const struct channel *channel,
				const struct anchor_entry *anchors, size_t count, bool has_anchor,
				bool *begun)
{
	struct row_key key = key_line(number, log_own_number(run, channel));
	const struct anchor_entry *anchor = NULL;
	struct line line;
	bool shown = has_anchor; /* an anchor without this log was given before its first entry */

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	error = check_shadow(run, number, &line);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < count; i++)
		if (memcmp(anchors[i].channel, channel->id, sizeof(channel->id)) == 0)
			anchor = &anchors[i];
	if (anchor != NULL) {
		error = compare(run, number, channel, &line, anchor, &shown);
		if (error != ERROR_OK)
			return error;
	}
	if (shown || line.incarnation == 0)
		return ERROR_OK;
	*begun = true;
	return begin(run, number, anchor == NULL ? 0 : anchor->incarnation);
}

/* What the anchor tells of channels that the store does not know is kept until they are. */
static enum error keep_former(struct run *run, const struct anchor_entry *anchors, size_t count)
{
	bool missing = false;

	for (size_t i = 0; i < count; i++) {
		uint64_t number;
		enum error error = registry_channel_by_id(run, anchors[i].channel, &number);
		missing = missing || error == ERROR_NEEDS_ROWS;
		if (error == ERROR_OK || error == ERROR_NEEDS_ROWS)
			continue;
		if (error != ERROR_NOT_FOUND)
			return error;
		struct anchor_line former = {.incarnation = anchors[i].incarnation, .size = anchors[i].size};
		struct row_key key = key_make(TABLE_FORMER);
		memcpy(former.root, anchors[i].root, sizeof(former.root));
		key_bytes(&key, anchors[i].channel, sizeof(anchors[i].channel));
		run_put(run, &key, &schema_anchor_line, &former);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error incarnation_start(struct run *run)
{
	struct row_key prefix = key_make(TABLE_CHANNEL);
	struct anchor_entry *anchors = run_take(run, CHANNELS_MAX * sizeof(*anchors));
	struct row row;
	size_t count;
	bool begun = false;

	bool has_anchor = anchor_decode(run_event(run)->of.start.anchor, anchors, &count) == ERROR_OK;
	enum error error = clock_keep(run);
	if (error == ERROR_OK)
		error = outbox_lost(run);
	if (error == ERROR_OK)
		error = keep_former(run, anchors, count);
	if (error == ERROR_OK)
		error = check_epochs(run);
	if (error == ERROR_OK)
		error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct channel channel;
		uint64_t number = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_channel, row.value, &channel) != ERROR_OK)
			return ERROR_MALFORMED;
		error = check_channel(run, number, &channel, anchors, count, has_anchor, &begun);
		if (error == ERROR_OK)
			error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	return begun ? keys_make(run, true) : ERROR_OK;
}

/* ---- the courier's heads ---- */

static enum error check_head(struct run *run, uint64_t number, const struct channel *channel,
			     const struct record_head_seen *head)
{
	const struct own_post *post = run_post(run);
	uint64_t log = log_own_number(run, channel);
	struct row_key key = key_line(number, log);
	struct line line;
	struct log row;
	struct merkle_hash root;
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	checkpoint_origin(channel->id, post->party_id, post->slot, line.incarnation, origin);
	if (line.incarnation == 0 || !bytes_equal(bytes_of_text(origin), head->origin))
		return ERROR_OK;
	struct checkpoint checkpoint = {.origin = head->origin, .size = head->size};
	memcpy(checkpoint.root.bytes, head->root, sizeof(checkpoint.root.bytes));
	if (checkpoint_verify(&checkpoint, line.log_key, head->signature) != ERROR_OK)
		return run_count(run, ERROR_BAD_SIGNATURE,
				 "the courier shows a head that is not this post's");
	error = log_row(run, number, log, line.incarnation, &row);
	if (error != ERROR_OK)
		return error;
	if (head->size > row.size)
		return incarnation_behind(run, number, line.incarnation);
	error = log_root_at(run, number, log, line.incarnation, head->size, &root);
	if (error != ERROR_OK || memcmp(root.bytes, head->root, sizeof(root.bytes)) == 0)
		return error;
	return incarnation_behind(run, number, line.incarnation);
}

enum error incarnation_heads(struct run *run)
{
	const struct record_event *event = run_event(run);
	struct row_key prefix = key_make(TABLE_CHANNEL);
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct channel channel;
		uint64_t number = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_channel, row.value, &channel) != ERROR_OK)
			return ERROR_MALFORMED;
		for (size_t i = 0; error == ERROR_OK && i < event->of.heads.count; i++)
			error = check_head(run, number, &channel, &event->of.heads.heads[i]);
		if (error == ERROR_OK)
			error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- copies after a restore ---- */

static enum error requeue_one(struct run *run, struct bytes row_key)
{
	struct key_reader reader = key_reader_make(row_key);
	struct copy_key key = {0};
	struct outgoing outgoing;

	key.entry.channel = key_read_u16(&reader);
	key.entry.incarnation = key_read_u16(&reader);
	key.entry.position = key_read_u32(&reader);
	key.entry.log = key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	enum error error = outbox_read(run, &key, &outgoing);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (outgoing.copy.sealed) {
		struct row_key sealed_key = outbox_sealed_row(outgoing.copy.sha256);
		run_delete(run, &sealed_key);
	}
	outgoing.copy.sealed = false;
	outgoing.copy.sends = 0;
	outbox_wait(run, &outgoing);
	return ERROR_OK;
}

enum error incarnation_requeue(struct run *run)
{
	struct row_key cursor_key = key_make(TABLE_REQUEUE);
	struct row_key prefix = key_make(TABLE_COPY);
	struct bytes cursor;
	struct row row;

	if (run_state(run)->requeue == 0)
		return ERROR_OK;
	enum error error = rows_get(run_rows(run), key_view(&cursor_key), &cursor);
	if (error == ERROR_NOT_FOUND)
		error = rows_first(run_rows(run), key_view(&prefix), &row);
	else if (error == ERROR_OK)
		error = rows_after(run_rows(run), key_view(&prefix), cursor, &row);
	for (size_t i = 0; error == ERROR_OK; i++) {
		if (i == REQUEUED_MAX) {
			rows_put(run_rows(run), key_view(&cursor_key), cursor);
			return ERROR_OK;
		}
		error = requeue_one(run, row.key);
		if (error != ERROR_OK)
			return error;
		cursor = row.key;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	rows_delete(run_rows(run), key_view(&cursor_key));
	run_state(run)->requeue = 0;
	return ERROR_OK;
}
