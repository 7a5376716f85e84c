#include "record/effects.h"

#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/batch.h"
#include "record/log.h"
#include "record/query.h"

/*
 * The entry that an acknowledgment or answer names moves on, with the acting post's name. Only one that was
 * addressed to the actor moves: nobody reads or answers his own words.
 */
static enum error move(struct run *run, const struct registry_entry *registry_entry,
		       const struct entry_key *key, const uint8_t named[IDENTITY_SIZE], uint64_t state)
{
	struct entry_key target;
	struct entry entry;
	struct party_post post;
	struct row_key post_key =
		key_party_post(TABLE_PARTY_POST, registry_entry->party, registry_entry->slot);

	enum error error = log_find(run, named, &target);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	if (target.channel != key->channel || log_roster_index(target.log) == registry_entry->index)
		return ERROR_OK;
	error = log_entry(run, &target, &entry);
	enum error post_error = run_get(run, &post_key, &schema_party_post, &post);
	if (error == ERROR_OK || post_error == ERROR_NEEDS_ROWS)
		error = post_error;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	return log_set_state(run, &target, &entry, state, post.name);
}

static enum error effects_of_incarnation(struct run *run, const struct entry_key *key)
{
	struct row_key line_key = key_line(key->channel, key->log);
	struct line line;

	enum error error = run_get(run, &line_key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (key->incarnation > line.incarnation) {
		line.incarnation = key->incarnation;
		run_put(run, &line_key, &schema_line, &line);
	}
	run_alert(run, ERROR_OK, "a post has opened a new incarnation of its log: its store was restored");
	return ERROR_OK;
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
			error = move(run, registry_entry, key, content->of.message.answers, LOCAL_ANSWERED);
		break;
	case CONTENT_ACKNOWLEDGMENT:
		error = move(run, registry_entry, key, content->of.acknowledgment.acknowledged, LOCAL_READ);
		break;
	case CONTENT_LETTER:
		return effects_of_letter(run, registry_entry, key);
	case CONTENT_INCARNATION:
		return own ? ERROR_OK : effects_of_incarnation(run, key);
	default:
		return ERROR_OK;
	}
	if (error == ERROR_OK && !own)
		error = tell_arrival(run, key, entry);
	return error;
}
