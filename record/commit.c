#include "record/commit.h"

#include <assert.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "record/batch.h"
#include "record/clock.h"
#include "record/heads.h"
#include "record/log.h"
#include "record/receipt.h"
#include "record/registry.h"
#include "record/workspace.h"

/* The head's signature, made once an event. */
static void sign_once(struct run *run, const uint8_t channel[CHANNEL_ID_SIZE],
		      const struct checkpoint *checkpoint, uint8_t signature[64])
{
	struct ed25519_pair pair;
	void *room;

	if (!run_kept(run, 64, &room)) {
		registry_own_log(run_post(run), channel, &pair);
		enum error error = checkpoint_sign(checkpoint, &pair, room);
		ed25519_pair_erase(&pair);
		assert(error == ERROR_OK);
	}
	memcpy(signature, room, 64);
}

/* The last head of an incarnation is kept when the next one has its first. */
static enum error keep_former(struct run *run, uint64_t number, uint64_t log, const struct line *line)
{
	struct entry_key key = {.channel = number, .log = log, .incarnation = line->head_incarnation};
	struct former_head head = {.size = line->head_size};

	if (line->head_size == 0 || line->head_incarnation == line->incarnation)
		return ERROR_OK;
	memcpy(head.root, line->head_root, sizeof(head.root));
	memcpy(head.signature, line->head_signature, sizeof(head.signature));
	return heads_keep_former(run, &key, &head);
}

void commit_give_head(struct run *run, struct bytes origin, const struct line *line)
{
	struct buffer bytes = run_buffer(run, 96);
	struct record_action *action = run_action(run, RECORD_ACTION_HEAD);

	buffer_append(&bytes, bytes_make(line->head_root, sizeof(line->head_root)));
	buffer_append(&bytes, bytes_make(line->head_signature, sizeof(line->head_signature)));
	action->node = origin;
	action->size = line->head_size;
	action->bytes = buffer_bytes(&bytes);
}

/* Signs the head of one own log, and gives it to the courier to keep. */
static enum error sign_head(struct run *run, uint64_t number)
{
	struct channel channel;
	struct line line;
	struct log row;
	struct merkle_frontier frontier;
	struct checkpoint checkpoint;
	char *origin = run_take(run, CHECKPOINT_ORIGIN_SIZE + 1);

	enum error error = registry_channel(run, number, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	uint64_t log = log_own_number(run, &channel);
	struct row_key line_key = key_line(number, log);
	error = run_get(run, &line_key, &schema_line, &line);
	if (error != ERROR_OK)
		return run_must(error);
	if (line.incarnation == 0)
		line.incarnation = 1;
	error = keep_former(run, number, log, &line);
	if (error == ERROR_OK)
		error = log_row(run, number, log, line.incarnation, &row);
	if (error != ERROR_OK)
		return error;
	if (merkle_frontier_read(row.frontier, &frontier) != ERROR_OK)
		return ERROR_MALFORMED;
	checkpoint_origin(channel.id, run_post(run)->party_id, run_post(run)->slot, line.incarnation, origin);
	checkpoint.origin = bytes_of_text(origin);
	checkpoint.size = frontier.size;
	merkle_frontier_root(&frontier, &checkpoint.root);
	sign_once(run, channel.id, &checkpoint, line.head_signature);
	line.head_incarnation = line.incarnation;
	line.head_size = checkpoint.size;
	memcpy(line.head_root, checkpoint.root.bytes, sizeof(line.head_root));
	run_put(run, &line_key, &schema_line, &line);
	struct anchor_line shadow = {.incarnation = line.incarnation, .size = checkpoint.size};
	memcpy(shadow.root, line.head_root, sizeof(shadow.root));
	struct row_key shadow_key = key_channel(TABLE_ANCHOR, number);
	run_put(run, &shadow_key, &schema_anchor_line, &shadow);
	commit_give_head(run, checkpoint.origin, &line);
	return ERROR_OK;
}

/* The anchor names every own log as this batch leaves it. */
static enum error give_anchor(struct run *run)
{
	struct row_key prefix = key_make(TABLE_ANCHOR);
	struct row row;
	struct anchor_entry *entries = run_take(run, CHANNELS_MAX * sizeof(*entries));
	size_t count = 0;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && count < CHANNELS_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct anchor_line shadow;
		struct channel channel;
		uint64_t number = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_anchor_line, row.value, &shadow) != ERROR_OK)
			return ERROR_MALFORMED;
		error = registry_channel(run, number, &channel);
		if (error != ERROR_OK)
			return run_must(error);
		struct anchor_entry *entry = &entries[count++];
		memcpy(entry->channel, channel.id, sizeof(entry->channel));
		entry->incarnation = shadow.incarnation;
		entry->size = shadow.size;
		memcpy(entry->root, shadow.root, sizeof(entry->root));
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	struct buffer anchor = run_buffer(run, ANCHOR_SIZE_MAX);
	anchor_encode(entries, count, &anchor);
	assert(buffer_error(&anchor) == ERROR_OK);
	struct record_action *action = run_action(run, RECORD_ACTION_ANCHOR);
	action->bytes = buffer_bytes(&anchor);
	return ERROR_OK;
}

enum error commit_handle(struct run *run)
{
	struct batch *batch = batch_of(run);
	uint64_t channels[2 * CHANNELS_MAX];
	size_t count = 0;

	enum error error = clock_keep(run);
	if (error == ERROR_OK)
		error = log_advance(run);
	if (error == ERROR_OK)
		error = verdict_commit(run);
	if (error == ERROR_OK)
		error = receipt_commit(run);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < batch->channels_count; i++)
		channels[count++] = batch->channels[i];
	for (size_t i = 0; i < run->noted.channels_count; i++)
		channels[count++] = run->noted.channels[i];
	for (size_t i = 0; i < count; i++) {
		bool again = false;
		for (size_t j = 0; j < i; j++)
			again = again || channels[j] == channels[i];
		if (again)
			continue;
		error = sign_head(run, channels[i]);
		if (error != ERROR_OK)
			return error;
	}
	/* The very first one says that there is an anchor: later ones can then be missed. */
	if (count == 0 && run_state(run)->anchored != 0)
		return ERROR_OK;
	run_state(run)->anchored = 1;
	return give_anchor(run);
}
