/*
 * What signed heads of the own log tell, whoever shows them: which incarnations there are, and how far they
 * went.
 */
#include <string.h>

#include "envelope/checkpoint.h"
#include "record/commit.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/registry.h"

#define LOOKED_AT 16 /* incarnations on either side of the newest known whose heads are looked for */

/* True in *behind if the head is not one of the log as it is held. */
static enum error is_behind(struct run *run, const struct entry_key *log, const struct former_head *head,
			    bool *behind)
{
	struct merkle_hash root;
	struct log row;

	*behind = true;
	enum error error = log_row(run, log->channel, log->log, log->incarnation, &row);
	if (error != ERROR_OK || head->size > row.size)
		return error;
	error = log_root_at(run, log->channel, log->log, log->incarnation, head->size, &root);
	*behind = memcmp(root.bytes, head->root, sizeof(head->root)) != 0;
	return error;
}

/*
 * Another process has opened it, with this post's keys: a restored copy of it, or the post that was copied.
 */
static void tell_of_another(struct run *run, const struct line *line)
{
	if (line->unsure != 0)
		return;
	run_alert(run, ERROR_REFUSED_FORK,
		  "this post runs elsewhere too, or did: another has opened an incarnation of its log. Let "
		  "only one run");
	run_log(run, ERROR_REFUSED_FORK, "an incarnation of the own log is known that was not opened here");
}

enum error incarnation_told(struct run *run, uint64_t channel_number, uint64_t incarnation,
			    const struct former_head *head)
{
	struct entry_key log = {.channel = channel_number, .incarnation = incarnation};
	struct channel channel;
	struct line line;
	bool behind = false;

	enum error error = run_must(registry_channel(run, channel_number, &channel));
	if (error != ERROR_OK || head->size == 0)
		return error;
	log.log = log_own_number(run, &channel);
	struct row_key key = key_line(channel_number, log.log);
	error = run_must(run_get(run, &key, &schema_line, &line));
	if (error == ERROR_OK && incarnation == line.incarnation)
		error = is_behind(run, &log, head, &behind);
	if (error != ERROR_OK || (incarnation == line.incarnation && !behind))
		return error;
	if (behind && line.unsure == 0) {
		line.unsure = 1;
		run_state(run)->unsure = 1;
	}
	if (incarnation > line.told) {
		if (incarnation > line.incarnation)
			tell_of_another(run, &line);
		line.told = incarnation;
	}
	run_put(run, &key, &schema_line, &line);
	error = heads_keep_former(run, &log, head);
	if (error == ERROR_OK)
		error = missing_told(run, &log, head->size);
	return error == ERROR_OK && !behind ? heads_compare_own(run, &log) : error;
}

/* ---- the courier's heads ---- */

/* The own log of one channel, and the names of its incarnations. */
struct own_log {
	uint64_t number;
	uint8_t key[PUBLIC_KEY_SIZE];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
};

static enum error take_head(struct run *run, const struct own_log *own, uint64_t incarnation,
			    const struct record_head_seen *seen)
{
	struct former_head head = {.size = seen->size};
	struct checkpoint checkpoint = {.origin = seen->origin, .size = seen->size};
	uint8_t text_bytes[CHECKPOINT_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(text_bytes, sizeof(text_bytes));

	memcpy(head.root, seen->root, sizeof(head.root));
	memcpy(head.signature, seen->signature, sizeof(head.signature));
	memcpy(checkpoint.root.bytes, seen->root, sizeof(checkpoint.root.bytes));
	if (checkpoint_write(&checkpoint, &text) != ERROR_OK ||
	    run_verify_plain(run, own->key, buffer_bytes(&text), seen->signature) != ERROR_OK)
		return run_count(run, ERROR_BAD_SIGNATURE,
				 "the courier shows a head that is not this post's");
	return incarnation_told(run, own->number, incarnation, &head);
}

/* It is to keep each head, and may have died before it did: its HEADS tell, and nothing else does. */
static void give_again(struct run *run, const struct channel *channel, const struct line *line)
{
	const struct record_event *event = run_event(run);
	const struct own_post *post = run_post(run);
	char *name = run_take(run, CHECKPOINT_ORIGIN_SIZE + 1);

	if (line->head_size == 0)
		return;
	checkpoint_origin(channel->id, post->party_id, post->slot, line->head_incarnation, name);
	struct bytes origin = bytes_of_text(name);
	for (size_t i = 0; i < event->of.heads.count; i++) {
		const struct record_head_seen *seen = &event->of.heads.heads[i];
		if (bytes_equal(origin, seen->origin) && seen->size >= line->head_size)
			return;
	}
	commit_give_head(run, origin, line);
}

/* The heads of one channel's own log, by the incarnations that there may be. */
static enum error check_channel(struct run *run, uint64_t number, const struct channel *channel)
{
	const struct record_event *event = run_event(run);
	const struct own_post *post = run_post(run);
	struct row_key key = key_line(number, log_own_number(run, channel));
	struct own_log own = {.number = number};
	struct ed25519_pair log_pair;
	struct line line;

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	registry_own_log(post, channel->id, &log_pair);
	memcpy(own.key, log_pair.key, sizeof(own.key));
	ed25519_pair_erase(&log_pair);
	give_again(run, channel, &line);
	uint64_t newest = line.told > line.incarnation ? line.told : line.incarnation;
	uint64_t i = newest > LOOKED_AT ? newest - LOOKED_AT : 1;
	for (; error == ERROR_OK && i <= newest + LOOKED_AT && i <= INCARNATIONS_MAX; i++) {
		checkpoint_origin(channel->id, post->party_id, post->slot, i, own.origin);
		for (size_t j = 0; error == ERROR_OK && j < event->of.heads.count; j++) {
			const struct record_head_seen *seen = &event->of.heads.heads[j];
			if (!bytes_equal(bytes_of_text(own.origin), seen->origin))
				continue;
			error = take_head(run, &own, i, seen);
			newest = i > newest ? i : newest;
		}
	}
	return error;
}

enum error incarnation_heads(struct run *run)
{
	struct channel channel;
	enum error error;
	uint64_t number = 0;

	while ((error = registry_next_channel(run, &number, &channel)) == ERROR_OK) {
		error = check_channel(run, number, &channel);
		if (error != ERROR_OK)
			return error;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	heads_go_on(run);
	return incarnation_open(run);
}
