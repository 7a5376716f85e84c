#include <string.h>

#include "record/registry.h"

#define PROPOSED_BY_OTHERS_MAX (CHANNELS_MAX / 2) /* the rest stays free for channels that people here want */

/* Refuses what would make too many channels. */
static enum error count_channels(struct run *run, uint64_t proposer, enum error *reason)
{
	struct channel channel;
	enum error error;
	uint64_t number = 0;
	size_t count = 0;
	size_t proposed = 0;
	size_t by_others = 0;

	while ((error = registry_next_channel(run, &number, &channel)) == ERROR_OK) {
		bool waits = channel.state != CHANNEL_OPEN;
		count++;
		proposed += waits && channel.proposer == proposer;
		by_others += waits && channel.proposer != 0;
	}
	bool other = proposer != 0;
	if (count >= CHANNELS_MAX ||
	    (other && (proposed >= CHANNELS_PROPOSED_MAX || by_others >= PROPOSED_BY_OTHERS_MAX)))
		*reason = ERROR_FULL;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The parties of an opening as local numbers. Every other party's card and keying must be held. */
static enum error number_parties(struct run *run, const struct roster *roster, uint8_t *numbers,
				 enum error *reason)
{
	bool missing = false;

	for (size_t i = 0; i < roster->count; i++) {
		uint64_t number;
		struct party party;
		enum error error = registry_party_by_id(run, roster->ids[i], &number);
		if (error == ERROR_OK) {
			numbers[i] = (uint8_t)number;
			error = run_must(registry_party(run, number, &party));
			if (error == ERROR_OK && number != 0 && party.keying == 0)
				*reason = ERROR_NOT_NOW;
		} else if (error == ERROR_NOT_FOUND) {
			*reason = ERROR_NOT_NOW;
			error = ERROR_OK;
		}
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* A line with empty keys for every post that a party's card names, so that the first letters reach it. */
static enum error make_lines(struct run *run, uint64_t channel, uint64_t index, uint64_t party)
{
	struct row_key prefix = key_make(TABLE_PARTY_POST);
	struct row row;

	key_u8(&prefix, party);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct line line = {0};
		(void)key_read_u8(&reader);
		uint64_t slot = key_read_u8(&reader);
		if (key_read_end(&reader) != ERROR_OK || slot >= POST_SLOTS)
			return ERROR_MALFORMED;
		struct row_key key = key_line(channel, log_number(index, slot));
		run_put(run, &key, &schema_line, &line);
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error make_channel(struct run *run, struct registry_entry *entry, const struct channel *channel)
{
	uint8_t tag[CHANNEL_TAG_SIZE];
	struct number number = {.number = ++run_state(run)->channels};
	struct row_key key = key_channel(TABLE_CHANNEL, number.number);
	bool missing = false;

	entry->channel = number.number;
	run_put(run, &key, &schema_channel, channel);
	key = key_make(TABLE_CHANNEL_ID);
	key_bytes(&key, channel->id, sizeof(channel->id));
	run_put(run, &key, &schema_number, &number);
	channel_tag_make(channel->id, tag);
	key = key_make(TABLE_CHANNEL_TAG);
	key_bytes(&key, tag, sizeof(tag));
	key_u16(&key, number.number);
	rows_put(run_rows(run), key_view(&key), bytes_make(NULL, 0));
	for (size_t i = 0; i < channel->parties.size; i++) {
		enum error error = make_lines(run, number.number, i, channel->parties.data[i]);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* What the opening says by itself: index, identity and the channel's id. */
static enum error read_opening(struct run *run, struct registry_entry *entry, struct channel *channel,
			       enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	struct aad *aad = run_take(run, sizeof(*aad));
	struct terms terms;
	struct party author;
	size_t index;
	size_t own_index;

	enum error error = run_must(registry_party(run, entry->party, &author));
	if (error != ERROR_OK)
		return error;
	if (!roster_find(&opening->parties, author.id, &index) ||
	    !roster_find(&opening->parties, run_post(run)->party_id, &own_index))
		*reason = ERROR_REFUSED_CHANNEL;
	else if (terms_decode(opening->terms, &terms) != ERROR_OK)
		*reason = ERROR_REFUSED_TERMS;
	if (*reason != ERROR_OK)
		return ERROR_OK;
	channel->terms = opening->terms;
	memcpy(channel->nonce, opening->nonce, sizeof(channel->nonce));
	channel->own_index = own_index;
	channel_id_make(&opening->parties, opening->terms, opening->nonce, channel->id);
	entry->index = index;
	aad_on_channel(aad, AAD_ENTRY, channel->id, &opening->parties, index);
	identity_of(aad, entry->payload, entry->identity);
	return ERROR_OK;
}

enum error registry_opening(struct run *run, struct registry_entry *entry, bool make, enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	struct channel channel = {.state = CHANNEL_PROPOSED, .proposer = entry->party};
	uint8_t numbers[PARTIES_MAX];

	*reason = ERROR_OK;
	enum error error = read_opening(run, entry, &channel, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	error = registry_channel_by_id(run, channel.id, &entry->channel);
	if (error != ERROR_NOT_FOUND)
		return error;
	entry->channel = 0;
	error = number_parties(run, &opening->parties, numbers, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = count_channels(run, entry->party, reason);
	if (error != ERROR_OK || *reason != ERROR_OK || !make)
		return error;
	channel.parties = bytes_make(numbers, opening->parties.count);
	return make_channel(run, entry, &channel);
}
