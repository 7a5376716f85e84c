#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "envelope/signed.h"
#include "record/log.h"
#include "record/registry.h"

/* ---- one letter ---- */

static enum error apply_opening(struct run *run, const struct registry_entry *entry, struct channel *channel)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	uint64_t number;
	enum error reason;

	const struct card_party *verified = registry_verify_chain(run, opening->card, opening->card_count);
	enum error error =
		registry_extend_chain(run, opening->card, opening->card_count, verified, &number, &reason);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < opening->posts_count; i++) {
		struct row_key key = key_line(entry->channel, log_number(entry->index, opening->posts[i].slot));
		struct line line;
		error = run_get(run, &key, &schema_line, &line);
		if (error != ERROR_OK && error != ERROR_NOT_FOUND)
			return error;
		memcpy(line.log_key, opening->posts[i].log_key, sizeof(line.log_key));
		memcpy(line.cosigner_key, opening->posts[i].cosigner_key, sizeof(line.cosigner_key));
		if (line.incarnation == 0)
			line.incarnation = 1;
		run_put(run, &key, &schema_line, &line);
	}
	channel->opened |= UINT64_C(1) << entry->index;
	uint64_t all = channel->parties.size == 64 ? UINT64_MAX : (UINT64_C(1) << channel->parties.size) - 1;
	if (channel->opened == all)
		channel->state = CHANNEL_OPEN;
	return ERROR_OK;
}

static struct row_key key_officer(uint64_t channel, uint64_t index, uint64_t officer)
{
	struct row_key key = key_channel(TABLE_OFFICER, channel);
	key_u8(&key, index);
	key_u32(&key, officer);
	return key;
}

static enum error apply_credence(struct run *run, const struct registry_entry *entry, struct chain *chain,
				 enum error *reason)
{
	const struct credence_letter *credence = &entry->content->of.letter.of.credence;
	struct row_key key = key_officer(entry->channel, entry->index, credence->officer);
	struct officer officer;

	enum error error = run_get(run, &key, &schema_officer, &officer);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (officer.credence || chain->officers >= OFFICERS_MAX) {
		*reason = officer.credence ? ERROR_REFUSED_CHAIN : ERROR_REFUSED_QUOTA;
		return ERROR_OK;
	}
	chain->officers++;
	officer.credence = true;
	officer.name = credence->name;
	officer.title = credence->title;
	memcpy(officer.key, credence->key, sizeof(officer.key));
	officer.highest_precedence = credence->highest_precedence;
	memcpy(officer.letter, entry->identity, sizeof(officer.letter));
	run_put(run, &key, &schema_officer, &officer);
	return ERROR_OK;
}

static enum error apply_agrement(struct run *run, const struct registry_entry *entry)
{
	const struct agrement_letter *agrement = &entry->content->of.letter.of.agrement;
	bool missing = false;

	for (size_t i = 0; i < agrement->officers_count; i++) {
		struct row_key key = key_officer(entry->channel, agrement->party, agrement->officers[i]);
		struct officer officer;
		enum error error = run_get(run, &key, &schema_officer, &officer);
		missing = missing || error == ERROR_NEEDS_ROWS;
		if (error != ERROR_OK && error != ERROR_NOT_FOUND && error != ERROR_NEEDS_ROWS)
			return error;
		if (missing)
			continue;
		officer.agreed |= UINT64_C(1) << entry->index;
		run_put(run, &key, &schema_officer, &officer);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- the chain ---- */

static struct row_key key_letter(uint64_t channel, uint64_t index, uint64_t number)
{
	struct row_key key = key_channel(TABLE_LETTER, channel);
	key_u8(&key, index);
	key_u32(&key, 0);
	key_u32(&key, number);
	return key;
}

static struct row_key key_chain(uint64_t channel, uint64_t index)
{
	struct row_key key = key_channel(TABLE_CHAIN, channel);
	key_u8(&key, index);
	key_u32(&key, 0);
	return key;
}

/* Applies the next letter of the chain, or says in *reason why it does not follow. */
static enum error apply_next(struct run *run, const struct registry_entry *entry, struct channel *channel,
			     struct chain *chain, enum error *reason)
{
	const struct letter *letter = &entry->content->of.letter;
	enum error error = ERROR_OK;

	*reason = ERROR_OK;
	if (letter->number > 0 && memcmp(letter->previous, chain->head, IDENTITY_SIZE) != 0) {
		*reason = ERROR_REFUSED_CHAIN;
		return ERROR_OK;
	}
	if (letter->kind == LETTER_OPENING)
		error = apply_opening(run, entry, channel);
	else if (letter->kind == LETTER_CREDENCE)
		error = apply_credence(run, entry, chain, reason);
	else
		error = apply_agrement(run, entry);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	chain->letters++;
	memcpy(chain->head, entry->identity, sizeof(chain->head));
	return ERROR_OK;
}

/* A letter that waited for those before it. */
static enum error load_waiting(struct run *run, const struct registry_entry *entry, const struct entry_key *key,
			       struct signed_entry *decoded, struct registry_entry *waiting)
{
	struct entry row;
	struct bytes cose;

	enum error error = log_entry(run, key, &row);
	enum error cose_error = log_cose(run, key, &cose);
	if (error == ERROR_OK || cose_error == ERROR_NEEDS_ROWS)
		error = cose_error;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (entry_decode(cose, decoded) != ERROR_OK || decoded->content.kind != CONTENT_LETTER)
		return ERROR_MALFORMED;
	*waiting = *entry;
	waiting->payload = decoded->cose.payload;
	waiting->content = &decoded->content;
	waiting->object = &decoded->cose;
	memcpy(waiting->identity, row.identity, sizeof(waiting->identity));
	return ERROR_OK;
}

/* The registry version: over the heads of all chains of the channel. */
static enum error update_version(struct run *run, uint64_t channel_number, struct channel *channel)
{
	struct row_key prefix = key_channel(TABLE_CHAIN, channel_number);
	struct row row;
	uint8_t(*heads)[IDENTITY_SIZE] = run_take(run, PARTIES_MAX * sizeof(*heads));
	size_t count = 0;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && count < PARTIES_MAX) {
		struct chain chain;
		if (schema_read(&schema_chain, row.value, &chain) != ERROR_OK)
			return ERROR_MALFORMED;
		if (chain.letters > 0)
			memcpy(heads[count++], chain.head, IDENTITY_SIZE);
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	registry_version(heads, count, channel->registry);
	return ERROR_OK;
}

static enum error write_changed(struct run *run, const struct registry_entry *entry, struct channel *channel,
				const struct chain *chain)
{
	struct row_key channel_key = key_channel(TABLE_CHANNEL, entry->channel);
	struct row_key chain_key = key_chain(entry->channel, entry->index);

	run_put(run, &chain_key, &schema_chain, chain);
	enum error error = update_version(run, entry->channel, channel);
	if (error != ERROR_OK)
		return error;
	run_put(run, &channel_key, &schema_channel, channel);
	struct buffer *notice = run_notice_begin(run, LOCAL_CHANNEL_CHANGED, 1);
	cbor_write_bytes(notice, bytes_make(channel->id, sizeof(channel->id)));
	run_notice_end(run);
	return ERROR_OK;
}

/* Applies what the chain has ready, from its present end on. */
static enum error follow_chain(struct run *run, const struct registry_entry *entry, struct channel *channel,
			       struct chain *chain, struct registry_verdict *verdicts, size_t *count)
{
	for (size_t i = 0; i < REGISTRY_VERDICTS_MAX; i++) {
		struct row_key letter_key = key_letter(entry->channel, entry->index, chain->letters);
		struct signed_entry *decoded = run_take(run, sizeof(*decoded));
		struct registry_entry one = *entry;
		struct entry_key key;
		enum error reason;
		enum error error = run_get(run, &letter_key, &schema_entry_key, &key);
		if (error != ERROR_OK)
			return error == ERROR_NOT_FOUND ? ERROR_OK : error;
		if (entry->content->of.letter.number != chain->letters)
			error = load_waiting(run, entry, &key, decoded, &one);
		if (error == ERROR_OK)
			error = apply_next(run, &one, channel, chain, &reason);
		if (error != ERROR_OK)
			return error;
		if (entry->index != channel->own_index)
			verdicts[(*count)++] = (struct registry_verdict){.key = key, .reason = reason};
		if (reason != ERROR_OK) {
			run_delete(run, &letter_key); /* another may take its number */
			run_alert(run, reason, "a letter that waited for those before it does not follow them");
			return ERROR_OK;
		}
	}
	return ERROR_OK;
}

enum error registry_apply(struct run *run, const struct registry_entry *entry, const struct entry_key *key,
			  struct registry_verdict *verdicts, size_t *count)
{
	struct row_key chain_key = key_chain(entry->channel, entry->index);
	struct row_key letter_key = key_letter(entry->channel, entry->index, entry->content->of.letter.number);
	struct channel channel;
	struct chain chain;

	*count = 0;
	enum error error = registry_channel(run, entry->channel, &channel);
	enum error chain_error = run_get(run, &chain_key, &schema_chain, &chain);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	if (chain_error != ERROR_OK && chain_error != ERROR_NOT_FOUND)
		return chain_error;
	uint64_t before = chain.letters;
	run_put(run, &letter_key, &schema_entry_key, key);
	error = follow_chain(run, entry, &channel, &chain, verdicts, count);
	if (error == ERROR_OK && chain.letters != before)
		error = write_changed(run, entry, &channel, &chain);
	return error;
}
