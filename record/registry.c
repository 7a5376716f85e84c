#include "record/registry.h"

#include <sodium.h>
#include <string.h>

/* ---- looking up ---- */

enum error registry_party(struct run *run, uint64_t number, struct party *party)
{
	struct row_key key = key_party(number);
	return run_get(run, &key, &schema_party, party);
}

static enum error number_of(struct run *run, enum table table, const uint8_t *id, size_t size, uint64_t *number)
{
	struct row_key key = key_make(table);
	struct number row;

	key_bytes(&key, id, size);
	enum error error = run_get(run, &key, &schema_number, &row);
	*number = row.number;
	return error;
}

enum error registry_party_by_id(struct run *run, const uint8_t id[PARTY_ID_SIZE], uint64_t *number)
{
	return number_of(run, TABLE_PARTY_ID, id, PARTY_ID_SIZE, number);
}

enum error registry_channel(struct run *run, uint64_t number, struct channel *channel)
{
	struct row_key key = key_channel(TABLE_CHANNEL, number);
	return run_get(run, &key, &schema_channel, channel);
}

enum error registry_channel_by_id(struct run *run, const uint8_t id[CHANNEL_ID_SIZE], uint64_t *number)
{
	return number_of(run, TABLE_CHANNEL_ID, id, CHANNEL_ID_SIZE, number);
}

enum error registry_roster(struct run *run, const struct channel *channel, struct roster *roster)
{
	bool missing = false;

	roster->count = 0;
	if (channel->parties.size > PARTIES_MAX)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < channel->parties.size; i++) {
		struct party party;
		enum error error = registry_party(run, channel->parties.data[i], &party);
		missing = missing || error == ERROR_NEEDS_ROWS;
		if (error != ERROR_OK && error != ERROR_NEEDS_ROWS)
			return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
		memcpy(roster->ids[roster->count++], party.id, PARTY_ID_SIZE);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error registry_aad(struct run *run, const struct channel *channel, enum aad_context context, uint64_t sender,
			struct aad *aad)
{
	struct roster *roster = run_take(run, sizeof(*roster));

	enum error error = registry_roster(run, channel, roster);
	if (error == ERROR_OK)
		aad_on_channel(aad, context, channel->id, roster, sender);
	return error;
}

uint64_t registry_party_of(const struct channel *channel, uint64_t index)
{
	return index < channel->parties.size ? channel->parties.data[index] : 0;
}

bool registry_index_of(const struct channel *channel, uint64_t party, uint64_t *index)
{
	for (*index = 0; *index < channel->parties.size; (*index)++)
		if (channel->parties.data[*index] == party)
			return true;
	return false;
}

enum error registry_terms(const struct channel *channel, struct terms *terms)
{
	return terms_decode(channel->terms, terms) == ERROR_OK ? ERROR_OK : ERROR_MALFORMED;
}

void registry_own_keys(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE], struct ed25519_pair *log,
		       struct ed25519_pair *cosigner)
{
	struct bytes context = bytes_make(channel, CHANNEL_ID_SIZE);
	uint8_t seed[DERIVE_SEED_SIZE];

	derive_seed(post->root_seed, "liaison log", context, seed);
	ed25519_pair_from_seed(seed, log);
	derive_seed(post->root_seed, "liaison cosigner", context, seed);
	ed25519_pair_from_seed(seed, cosigner);
	sodium_memzero(seed, sizeof(seed));
}

/* ---- channels ---- */

/* Refuses what would make too many channels. */
static enum error count_channels(struct run *run, uint64_t proposer, enum error *reason)
{
	struct row_key prefix = key_make(TABLE_CHANNEL);
	struct row row;
	size_t count = 0;
	size_t proposed = 0;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct channel channel;
		if (schema_read(&schema_channel, row.value, &channel) != ERROR_OK)
			return ERROR_MALFORMED;
		count++;
		if (channel.state != CHANNEL_OPEN && channel.proposer == proposer)
			proposed++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (count >= CHANNELS_MAX || proposed >= CHANNELS_PROPOSED_MAX)
		*reason = ERROR_FULL;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The parties of an opening as local numbers. Every other party's card and keying must be held. */
static enum error number_parties(struct run *run, const struct roster *roster, uint8_t *numbers, enum error *reason)
{
	for (size_t i = 0; i < roster->count; i++) {
		uint64_t number;
		struct party party;
		enum error error = registry_party_by_id(run, roster->ids[i], &number);
		if (error == ERROR_OK)
			error = registry_party(run, number, &party);
		if (error == ERROR_NOT_FOUND || (error == ERROR_OK && number != 0 && party.keying == 0)) {
			*reason = ERROR_NOT_NOW;
			return ERROR_OK;
		}
		if (error != ERROR_OK)
			return error;
		numbers[i] = (uint8_t)number;
	}
	return ERROR_OK;
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

static enum error make_channel(struct run *run, struct registry_entry *entry, struct channel *channel)
{
	uint8_t tag[CHANNEL_TAG_SIZE];
	struct number number = {.number = ++run_state(run)->channels};
	struct row_key key = key_channel(TABLE_CHANNEL, number.number);

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
		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}

enum error registry_opening(struct run *run, struct registry_entry *entry, bool make, enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	const struct own_post *own = run_post(run);
	struct channel channel = {.terms = opening->terms, .state = CHANNEL_PROPOSED, .proposer = entry->party};
	struct aad *aad = run_take(run, sizeof(*aad));
	struct terms terms;
	struct party author;
	uint8_t numbers[PARTIES_MAX];
	size_t index;
	size_t own_index;

	enum error error = registry_party(run, entry->party, &author);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	*reason = ERROR_REFUSED_CHANNEL;
	if (!roster_find(&opening->parties, author.id, &index) ||
	    !roster_find(&opening->parties, own->party_id, &own_index))
		return ERROR_OK;
	*reason = terms_decode(opening->terms, &terms) == ERROR_OK ? ERROR_OK : ERROR_REFUSED_TERMS;
	if (*reason != ERROR_OK)
		return ERROR_OK;
	entry->index = index;
	channel_id_make(&opening->parties, opening->terms, opening->nonce, channel.id);
	aad_on_channel(aad, AAD_ENTRY, channel.id, &opening->parties, index);
	identity_of(aad, entry->payload, entry->identity);
	error = registry_channel_by_id(run, channel.id, &entry->channel);
	if (error != ERROR_NOT_FOUND)
		return error;
	entry->channel = 0;
	error = number_parties(run, &opening->parties, numbers, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = count_channels(run, entry->party, reason);
	if (error != ERROR_OK || *reason != ERROR_OK || !make)
		return error;
	memcpy(channel.nonce, opening->nonce, sizeof(channel.nonce));
	channel.own_index = own_index;
	channel.parties = bytes_make(numbers, opening->parties.count);
	return make_channel(run, entry, &channel);
}
