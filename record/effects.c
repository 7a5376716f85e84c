#include "record/effects.h"

#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/batch.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/query.h"

#define AWAITED_MAX 32 /* acknowledgments and answers of one entry that came before it and count */

static struct row_key key_awaited(const uint8_t named[IDENTITY_SIZE], const struct entry_key *by)
{
	struct row_key key = key_make(TABLE_AWAITED);

	key_bytes(&key, named, IDENTITY_SIZE);
	if (by == NULL)
		return key;
	key_u16(&key, by->channel);
	key_u16(&key, by->log);
	key_u16(&key, by->incarnation);
	key_u32(&key, by->position);
	return key;
}

/* Counts a message of another party as not acknowledged yet, or no longer so. */
static enum error count_unread(struct run *run, uint64_t channel, uint64_t precedence, bool more)
{
	struct row_key key = key_channel(TABLE_UNREAD, channel);
	struct pending unread;

	enum error error = run_get(run, &key, &schema_pending, &unread);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	uint64_t *count = outbox_pending_of(&unread, precedence);
	if (more)
		(*count)++;
	else if (*count > 0)
		(*count)--;
	run_put(run, &key, &schema_pending, &unread);
	return ERROR_OK;
}

/*
 * An entry that was acknowledged or answered moves on, with the acting post's name. Only one that was
 * addressed to the actor moves: nobody reads or answers his own words. What was refused here stays refused,
 * whoever else has taken it.
 */
static enum error move(struct run *run, const struct entry_key *target, const struct entry_key *by,
		       uint64_t state)
{
	struct channel channel;
	struct entry entry;
	struct log_post post;

	if (target->channel != by->channel || log_roster_index(target->log) == log_roster_index(by->log))
		return ERROR_OK;
	enum error error = run_must(registry_channel(run, by->channel, &channel));
	if (error != ERROR_OK)
		return error;
	error = log_entry(run, target, &entry);
	enum error post_error = registry_log_post(run, by->channel, &channel, by->log, &post);
	if (error == ERROR_OK || post_error == ERROR_NEEDS_ROWS)
		error = post_error;
	if (error != ERROR_OK)
		return run_must(error);
	if (entry.reason != ERROR_OK && target->log != log_own_number(run, &channel))
		return ERROR_OK;
	if (entry.kind == CONTENT_MESSAGE && entry.state < LOCAL_READ &&
	    log_roster_index(target->log) != channel.own_index)
		error = count_unread(run, target->channel, entry.precedence, false);
	if (error != ERROR_OK)
		return error;
	return log_set_state(run, target, &entry, state, post.name);
}

/* What is named may come later: from a third party, or back to a post that was restored. */
static enum error move_named(struct run *run, const struct entry_key *by, const uint8_t named[IDENTITY_SIZE],
			     uint64_t state)
{
	struct entry_key target;
	struct number awaited = {.number = state};

	enum error error = log_find(run, named, &target);
	if (error == ERROR_OK)
		return move(run, &target, by, state);
	if (error != ERROR_NOT_FOUND)
		return error;
	struct row_key key = key_awaited(named, by);
	run_put(run, &key, &schema_number, &awaited);
	run_state(run)->awaited++;
	return ERROR_OK;
}

/* Noted, so that it is done once: of two, only one that stands before the other was let pass. */
static enum error acknowledge(struct run *run, const struct entry_key *by, const uint8_t named[IDENTITY_SIZE])
{
	struct row_key key = key_acknowledged_in(by->channel, named, by->log, by->incarnation);
	struct number position = {.number = by->position};

	run_put(run, &key, &schema_number, &position);
	return move_named(run, by, named, LOCAL_READ);
}

enum error effects_awaited(struct run *run, const struct entry_key *target,
			   const uint8_t identity[IDENTITY_SIZE])
{
	struct row_key prefix = key_awaited(identity, NULL);
	struct row row;

	if (run_state(run)->awaited == 0)
		return ERROR_OK;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	for (size_t i = 0; error == ERROR_OK && i < AWAITED_MAX; i++) {
		struct key_reader reader = key_reader_make(row.key);
		struct number state;
		for (size_t j = 0; j < IDENTITY_SIZE / 8; j++)
			(void)key_read_u64(&reader);
		struct entry_key by = {.channel = key_read_u16(&reader)};
		by.log = key_read_u16(&reader);
		by.incarnation = key_read_u16(&reader);
		by.position = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_number, row.value, &state) != ERROR_OK)
			return ERROR_MALFORMED;
		error = move(run, target, &by, state.number);
		if (error != ERROR_OK)
			return error;
		rows_delete(run_rows(run), row.key);
		run_state(run)->awaited--;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The heads held of that post's log, and of the own one, are told to it at once: it may know less. */
static enum error effects_of_incarnation(struct run *run, const struct registry_entry *registry_entry,
					 const struct entry_key *key)
{
	const struct incarnation *content = &registry_entry->content->of.incarnation;
	struct row_key line_key = key_line(key->channel, key->log);
	struct line line;

	enum error error = run_must(run_get(run, &line_key, &schema_line, &line));
	if (error == ERROR_OK)
		error = keys_distrust_before(run, registry_entry->party, registry_entry->slot, content->time);
	if (error != ERROR_OK)
		return error;
	if (key->incarnation > line.incarnation)
		line.incarnation = key->incarnation;
	line.heads_sent_ms = 0;
	run_put(run, &line_key, &schema_line, &line);
	return query_alert(run, key, ERROR_NEW_INCARNATION,
			   "its post was restored from a backup, or is in doubt");
}

static enum error effects_of_letter(struct run *run, const struct registry_entry *registry_entry,
				    const struct entry_key *key)
{
	struct registry_verdict verdicts[REGISTRY_VERDICTS_MAX];
	size_t count = 0;

	enum error error = registry_apply(run, registry_entry, key, verdicts, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++)
		batch_note_verdict(run, &verdicts[i].key, verdicts[i].reason);
	return error;
}

static enum error tell_arrival(struct run *run, const struct entry_key *key, const struct entry *entry)
{
	struct buffer *notice = run_notice_begin(run, LOCAL_ARRIVED, 1);
	enum error error = query_entry_row(run, key, entry, notice);
	if (error == ERROR_OK)
		run_notice_end(run);
	return error;
}

enum error effects_of(struct run *run, const struct registry_entry *registry_entry,
		      const struct entry_key *key, struct entry *entry, bool own)
{
	const struct content *content = registry_entry->content;
	enum error error = ERROR_OK;

	switch (content->kind) {
	case CONTENT_MESSAGE:
		if (content->of.message.has_answers)
			error = move_named(run, key, content->of.message.answers, LOCAL_ANSWERED);
		if (error == ERROR_OK && !own && registry_entry->party != 0)
			error = count_unread(run, key->channel, content->precedence, true);
		break;
	case CONTENT_ACKNOWLEDGMENT:
		error = acknowledge(run, key, content->of.acknowledgment.acknowledged);
		break;
	case CONTENT_LETTER:
		return effects_of_letter(run, registry_entry, key);
	case CONTENT_INCARNATION:
		error = log_follow(run, key, &content->of.incarnation);
		return own || error != ERROR_OK ? error : effects_of_incarnation(run, registry_entry, key);
	default:
		return ERROR_OK;
	}
	if (error == ERROR_OK && !own)
		error = tell_arrival(run, key, entry);
	return error;
}
