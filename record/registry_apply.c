#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "envelope/signed.h"
#include "record/log.h"
#include "record/registry_letter.h"

#define ALERT_REFUSED "a letter that waited for those before it is refused"

/* Officers named by the letters that are folded in one event, beside those of the first. */
#define FOLD_OFFICERS_MAX 64

/* One chain while it is folded on. */
struct fold {
	uint64_t channel_number;
	uint64_t index;
	struct channel channel;
	struct chain chain;
	const struct registry_entry
		*current; /* the letter that came; NULL: none, the chain goes on by itself */
	/* the letters that are held from chain.letters on, as the fold begins */
	size_t count;
	bool more; /* others are held behind these */
	struct entry_key keys[REGISTRY_VERDICTS_MAX];
	struct signed_entry decoded[REGISTRY_VERDICTS_MAX];
	struct registry_entry entries[REGISTRY_VERDICTS_MAX];
};

/* ---- what waits ---- */

/* Where the letters are that stand ready, one after the other. */
static enum error find_ready(struct run *run, struct fold *fold)
{
	struct row_key key = registry_letter_row(fold->channel_number, fold->index, fold->chain.letters);
	struct bytes prefix = bytes_make(key.data, key.size - 4);
	struct row row;

	enum error error = rows_from(run_rows(run), prefix, key_view(&key), &row);
	while (error == ERROR_OK) {
		uint64_t number = load_u32(row.key.data + prefix.size);
		if (number != fold->chain.letters + fold->count)
			return ERROR_OK;
		fold->more = fold->count == REGISTRY_VERDICTS_MAX;
		if (fold->more)
			return ERROR_OK;
		if (schema_read(&schema_entry_key, row.value, &fold->keys[fold->count]) != ERROR_OK)
			return ERROR_MALFORMED;
		fold->count++;
		error = rows_after(run_rows(run), prefix, row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error read_letter(struct run *run, struct fold *fold, size_t at, size_t *size)
{
	struct registry_entry *entry = &fold->entries[at];
	struct signed_entry *decoded = &fold->decoded[at];
	const struct registry_entry *current = fold->current;
	struct entry row;
	struct bytes cose;
	bool missing = false;

	if (current != NULL && current->content->of.letter.number == fold->chain.letters + at) {
		*entry = *current;
		return registry_letter_touch(run, entry, size);
	}
	enum error error = log_entry(run, &fold->keys[at], &row);
	if (!run_missing(error, &missing))
		return run_must(error);
	error = log_cose(run, &fold->keys[at], &cose);
	if (!run_missing(error, &missing))
		return run_must(error);
	if (missing)
		return ERROR_NEEDS_ROWS;
	if (entry_decode(cose, decoded) != ERROR_OK || decoded->content.kind != CONTENT_LETTER)
		return ERROR_MALFORMED;
	*entry = (struct registry_entry){
		.channel = fold->channel_number,
		.index = fold->index,
		.party = registry_party_of(&fold->channel, fold->index),
		.slot = log_slot(fold->keys[at].log),
		.payload = decoded->cose.payload,
		.content = &decoded->content,
		.object = &decoded->cose,
	};
	memcpy(entry->identity, row.identity, sizeof(entry->identity));
	return registry_letter_touch(run, entry, size);
}

/*
 * Reads those letters and all that they touch, at once. What would be too much for one event is left for
 * later.
 */
static enum error read_ready(struct run *run, struct fold *fold)
{
	bool missing = false;
	size_t size = 0;

	for (size_t i = 0; i < fold->count; i++) {
		enum error error = read_letter(run, fold, i, &size);
		if (!run_missing(error, &missing))
			return error;
		if (i == 0)
			size = 0;
		if (size > FOLD_OFFICERS_MAX) {
			fold->count = i;
			fold->more = true;
		}
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- folding ---- */

static enum error fold_letter(struct run *run, struct fold *fold, size_t at, enum error *reason)
{
	const struct registry_entry *entry = &fold->entries[at];
	const struct letter *letter = &entry->content->of.letter;

	*reason = ERROR_OK;
	if (letter->number != fold->chain.letters ||
	    (letter->number > 0 && memcmp(letter->previous, fold->chain.head, IDENTITY_SIZE) != 0)) {
		*reason = ERROR_REFUSED_CHAIN;
		return ERROR_OK;
	}
	/* An opening is never kept waiting: registry_judge has just let it pass. */
	if (letter->kind != LETTER_OPENING) {
		enum error error =
			registry_letter_rules(run, entry, &fold->channel, &fold->chain, false, reason);
		if (error != ERROR_OK || *reason != ERROR_OK)
			return error;
	}
	return registry_letter_effects(run, entry, &fold->channel, &fold->chain);
}

static enum error fold_ready(struct run *run, struct fold *fold, struct registry_verdict *verdicts,
			     size_t *count)
{
	for (size_t i = 0; i < fold->count; i++) {
		enum error reason;
		enum error error = fold_letter(run, fold, i, &reason);
		if (error != ERROR_OK)
			return error;
		if (fold->index != fold->channel.own_index)
			verdicts[(*count)++] =
				(struct registry_verdict){.key = fold->keys[i], .reason = reason};
		if (reason != ERROR_OK) {
			/* Another may take its number; those behind it wait on. */
			uint64_t number = fold->entries[i].content->of.letter.number;
			struct row_key key = registry_letter_row(fold->channel_number, fold->index, number);
			run_delete(run, &key);
			run_alert(run, reason, ALERT_REFUSED);
			fold->more = false;
			return ERROR_OK;
		}
	}
	return ERROR_OK;
}

/* The registry version: over the heads of all chains of the channel. */
static enum error update_version(struct run *run, struct fold *fold)
{
	uint8_t heads[PARTIES_MAX][IDENTITY_SIZE];
	size_t count = 0;
	bool missing = false;

	for (uint64_t i = 0; i < fold->channel.parties.size; i++) {
		struct row_key key = registry_chain_row(fold->channel_number, i);
		struct chain chain;
		enum error error = run_get(run, &key, &schema_chain, &chain);
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
		if (chain.letters > 0)
			memcpy(heads[count++], chain.head, IDENTITY_SIZE);
	}
	registry_version(heads, count, fold->channel.registry);
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static struct row_key fold_row(uint64_t channel, uint64_t index)
{
	struct row_key key = key_channel(TABLE_FOLD, channel);
	key_u8(&key, index);
	return key;
}

static enum error write_changed(struct run *run, struct fold *fold)
{
	struct row_key channel_key = key_channel(TABLE_CHANNEL, fold->channel_number);
	struct row_key chain_key = registry_chain_row(fold->channel_number, fold->index);

	run_put(run, &chain_key, &schema_chain, &fold->chain);
	enum error error = update_version(run, fold);
	if (error != ERROR_OK)
		return error;
	run_put(run, &channel_key, &schema_channel, &fold->channel);
	struct buffer *notice = run_notice_begin(run, LOCAL_CHANNEL_CHANGED, 1);
	cbor_write_bytes(notice, bytes_make(fold->channel.id, sizeof(fold->channel.id)));
	run_notice_end(run);
	return ERROR_OK;
}

/* Folds on from the chain's present end. */
static enum error fold_on(struct run *run, struct fold *fold, struct registry_verdict *verdicts,
			  size_t *count)
{
	struct row_key row = fold_row(fold->channel_number, fold->index);
	uint64_t before = fold->chain.letters;

	enum error error = find_ready(run, fold);
	if (error == ERROR_OK)
		error = read_ready(run, fold);
	if (error == ERROR_OK)
		error = fold_ready(run, fold, verdicts, count);
	if (error == ERROR_OK && fold->more)
		rows_put(run_rows(run), key_view(&row), bytes_make(NULL, 0));
	if (error == ERROR_OK && fold->chain.letters != before)
		error = write_changed(run, fold);
	return error;
}

static enum error read_fold(struct run *run, struct fold *fold, uint64_t channel, uint64_t index)
{
	struct row_key chain_key = registry_chain_row(channel, index);
	bool missing = false;

	memset(fold, 0, sizeof(*fold));
	fold->channel_number = channel;
	fold->index = index;
	enum error error = registry_channel(run, channel, &fold->channel);
	if (!run_missing(error, &missing))
		return run_must(error);
	error = run_get(run, &chain_key, &schema_chain, &fold->chain);
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error registry_apply(struct run *run, const struct registry_entry *entry, const struct entry_key *key,
			  struct registry_verdict *verdicts, size_t *count)
{
	struct fold *fold = run_take(run, sizeof(*fold));
	uint64_t number = entry->content->of.letter.number;
	struct row_key letter_key = registry_letter_row(entry->channel, entry->index, number);
	struct entry_key held;

	*count = 0;
	enum error error = read_fold(run, fold, entry->channel, entry->index);
	if (error != ERROR_OK)
		return error;
	error = run_get(run, &letter_key, &schema_entry_key, &held);
	if (error == ERROR_NOT_FOUND) {
		run_put(run, &letter_key, &schema_entry_key, key);
		fold->current = entry;
		return fold_on(run, fold, verdicts, count);
	}
	/* The very letter that is held, carried by another post as well (registry_judge). */
	if (error == ERROR_OK && number < fold->chain.letters && entry->index != fold->channel.own_index)
		verdicts[(*count)++] = (struct registry_verdict){.key = *key, .reason = ERROR_OK};
	return error;
}

enum error registry_advance(struct run *run, struct registry_verdict *verdicts, size_t *count)
{
	struct row_key prefix = key_make(TABLE_FOLD);
	struct row row;

	*count = 0;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct key_reader reader = key_reader_make(row.key);
	uint64_t channel = key_read_u16(&reader);
	uint64_t index = key_read_u8(&reader);
	if (key_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	struct fold *fold = run_take(run, sizeof(*fold));
	error = read_fold(run, fold, channel, index);
	rows_delete(run_rows(run), row.key);
	return error == ERROR_OK ? fold_on(run, fold, verdicts, count) : error;
}
