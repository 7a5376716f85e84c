#include "record/incarnation.h"

#include <string.h>

#include "envelope/checkpoint.h"
#include "record/clock.h"
#include "record/commit.h"
#include "record/heads.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/post_entry.h"
#include "record/query.h"
#include "record/registry.h"

/* ---- beginning a new one ---- */

/* What its first entry says of the one that it follows. */
struct former {
	uint64_t incarnation;
	uint64_t size;
	struct merkle_hash root;
};

static enum error begin(struct run *run, uint64_t channel_number, uint64_t own_log, struct line *line,
			const struct former *former)
{
	struct content *content = run_take(run, sizeof(*content));
	struct row_key key = key_line(channel_number, own_log);
	struct entry_key log = {
		.channel = channel_number, .log = own_log, .incarnation = former->incarnation};

	if (former->incarnation > line->told)
		line->told = former->incarnation;
	if (line->incarnation > line->told)
		line->told = line->incarnation;
	if (line->told >= INCARNATIONS_MAX)
		return ERROR_OUT_OF_RANGE;
	line->incarnation = line->told + 1;
	line->unsure = 0;
	run_put(run, &key, &schema_line, line);
	keys_doubt(run);
	outbox_requeue_all(run);
	run_log(run, ERROR_OK, "a new incarnation of the own log has begun");
	memset(content, 0, sizeof(*content));
	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_IMMEDIATE;
	content->of.incarnation = (struct incarnation){
		.time = run_time_s(run),
		.previous = former->incarnation,
		.size = former->size,
		.root = former->root,
	};
	enum error error = post_entry(run, channel_number, content);
	if (error == ERROR_OK)
		error = missing_open(run, &log);
	if (error == ERROR_OK)
		error = missing_open_channel(run, channel_number);
	log.incarnation = line->incarnation;
	if (error == ERROR_OK)
		error = query_alert(run, &log, ERROR_NEW_INCARNATION,
				    "this post cannot show that its own log goes on");
	return error == ERROR_OK ? log_follow(run, &log, &content->of.incarnation) : error;
}

static enum error open_line(struct run *run, uint64_t number, uint64_t own_log, struct line *line)
{
	struct row_key key = key_line(number, own_log);
	struct former former = {.incarnation = line->incarnation == 0 ? line->told : line->incarnation};
	struct log row;

	if (former.incarnation == 0) { /* nothing was ever filed there, as far as anybody knows */
		line->unsure = 0;
		run_put(run, &key, &schema_line, line);
		return ERROR_OK;
	}
	enum error error = log_row(run, number, own_log, former.incarnation, &row);
	if (error == ERROR_OK)
		error = log_root_at(run, number, own_log, former.incarnation, row.size, &former.root);
	former.size = row.size;
	return error == ERROR_OK ? begin(run, number, own_log, line, &former) : error;
}

bool incarnation_unsure(struct run *run)
{
	return run_state(run)->unsure != 0 || heads_awaited(run);
}

enum error incarnation_open(struct run *run)
{
	struct channel channel;
	enum error error;
	uint64_t number = 0;

	if (run_state(run)->unsure == 0)
		return ERROR_OK;
	while ((error = registry_next_channel(run, &number, &channel)) == ERROR_OK) {
		struct line line;
		uint64_t own_log = log_own_number(run, &channel);
		struct row_key key = key_line(number, own_log);
		error = run_get(run, &key, &schema_line, &line);
		if (error == ERROR_OK && line.unsure != 0)
			error = open_line(run, number, own_log, &line);
		if (error != ERROR_OK && error != ERROR_NOT_FOUND)
			return error;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	run_state(run)->unsure = 0;
	return keys_make(run, true);
}

enum error incarnation_resume(struct run *run, uint64_t channel_number)
{
	struct channel channel;
	struct anchor_line row;
	struct line line;

	enum error error = run_must(registry_channel(run, channel_number, &channel));
	if (error != ERROR_OK)
		return error;
	struct row_key former_key = key_make(TABLE_FORMER);
	key_bytes(&former_key, channel.id, sizeof(channel.id));
	error = run_get(run, &former_key, &schema_anchor_line, &row);
	if (error != ERROR_OK || row.incarnation >= INCARNATIONS_MAX)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	uint64_t own_log = log_own_number(run, &channel);
	struct row_key key = key_line(channel_number, own_log);
	error = run_must(run_get(run, &key, &schema_line, &line));
	if (error != ERROR_OK)
		return error;
	struct former former = {.incarnation = row.incarnation, .size = row.size};
	memcpy(former.root.bytes, row.root, sizeof(row.root));
	run_delete(run, &former_key);
	return begin(run, channel_number, own_log, &line, &former);
}

/* ---- at start ---- */

static void mark_unsure(struct run *run, const struct row_key *key, struct line *line)
{
	line->unsure = 1;
	run_put(run, key, &schema_line, line);
	run_state(run)->unsure = 1;
}

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

/* The anchor's shadow of each log is in no backup: the next anchor shall name this log, too. */
static enum error restore_shadow(struct run *run, uint64_t number, const struct line *line)
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
	return ERROR_OK;
}

struct anchors {
	size_t count;
	bool held; /* an anchor was given, if an empty one */
	struct anchor_entry entries[CHANNELS_MAX];
};

static const struct anchor_entry *anchor_of(const struct anchors *anchors, const struct channel *channel)
{
	for (size_t i = 0; i < anchors->count; i++)
		if (memcmp(anchors->entries[i].channel, channel->id, sizeof(channel->id)) == 0)
			return &anchors->entries[i];
	return NULL;
}

static enum error check_channel(struct run *run, uint64_t number, const struct channel *channel,
				const struct anchors *anchors, bool copied)
{
	struct row_key key = key_line(number, log_own_number(run, channel));
	const struct anchor_entry *anchor = anchor_of(anchors, channel);
	struct line line;
	/* An anchor without this log was given before its first entry. */
	bool shown = anchors->held;

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	error = restore_shadow(run, number, &line);
	if (error == ERROR_OK && anchor != NULL)
		error = compare(run, number, channel, &line, anchor, &shown);
	if (error != ERROR_OK)
		return error;
	bool never_used = line.incarnation == 0 && anchor == NULL;
	if (!copied && (shown || never_used))
		return ERROR_OK;
	if (anchor != NULL && anchor->incarnation > line.told)
		line.told = anchor->incarnation;
	mark_unsure(run, &key, &line);
	return ERROR_OK;
}

/* What the anchor tells of channels that the store does not know is kept until they are. */
static enum error keep_former(struct run *run, const struct anchors *anchors)
{
	bool missing = false;

	for (size_t i = 0; i < anchors->count; i++) {
		const struct anchor_entry *anchor = &anchors->entries[i];
		uint64_t number;
		enum error error = registry_channel_by_id(run, anchor->channel, &number);
		missing = missing || error == ERROR_NEEDS_ROWS;
		if (error == ERROR_OK || error == ERROR_NEEDS_ROWS)
			continue;
		if (error != ERROR_NOT_FOUND)
			return error;
		struct anchor_line former = {.incarnation = anchor->incarnation, .size = anchor->size};
		struct row_key key = key_make(TABLE_FORMER);
		memcpy(former.root, anchor->root, sizeof(former.root));
		key_bytes(&key, anchor->channel, sizeof(anchor->channel));
		run_put(run, &key, &schema_anchor_line, &former);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/*
 * True in *copied at the first start of a store that was made from a backup: it lacks a mark that no backup
 * holds. Its epoch keys and its copies' bytes are gone.
 */
static enum error check_mark(struct run *run, bool *copied)
{
	struct row_key key = key_make(TABLE_HERE);
	struct bytes value;

	enum error error = rows_get(run_rows(run), key_view(&key), &value);
	*copied = error == ERROR_NOT_FOUND;
	if (!*copied)
		return error;
	rows_put(run_rows(run), key_view(&key), bytes_make(NULL, 0));
	outbox_requeue_all(run);
	keys_doubt(run);
	return ERROR_OK;
}

enum error incarnation_start(struct run *run)
{
	struct anchors *anchors = run_take(run, sizeof(*anchors));
	struct channel channel;
	uint64_t number = 0;
	bool copied;

	anchors->held =
		anchor_decode(run_event(run)->of.start.anchor, anchors->entries, &anchors->count) == ERROR_OK;
	heads_wait(run);
	enum error error = clock_keep(run);
	if (error == ERROR_OK)
		error = outbox_lost(run);
	if (error == ERROR_OK)
		error = keep_former(run, anchors);
	if (error == ERROR_OK)
		error = check_mark(run, &copied);
	while (error == ERROR_OK) {
		error = registry_next_channel(run, &number, &channel);
		if (error == ERROR_OK)
			error = check_channel(run, number, &channel, anchors, copied);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	/* Whoever died between the commit and the anchor left it behind, and what it lacks may leave now. */
	if (run_state(run)->unsure == 0)
		run_state(run)->anchored = 0;
	else
		run_log(run, ERROR_OK,
			"it is not shown that the own log goes on: a new incarnation begins once the courier "
			"is there");
	return ERROR_OK;
}
