#include "record/registry.h"

#include <sodium.h>
#include <string.h>

/* ---- looking up ---- */

enum error registry_party(struct run *run, uint64_t number, struct party *party)
{
	struct row_key key = key_party(number);
	return run_get(run, &key, &schema_party, party);
}

static enum error number_of(struct run *run, enum table table, const uint8_t *id, size_t size,
			    uint64_t *number)
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

enum error registry_next_channel(struct run *run, uint64_t *number, struct channel *channel)
{
	struct row_key prefix = key_make(TABLE_CHANNEL);
	struct row_key key = key_channel(TABLE_CHANNEL, *number);
	struct row row;

	enum error error = rows_after(run_rows(run), key_view(&prefix), key_view(&key), &row);
	if (error != ERROR_OK)
		return error;
	struct key_reader reader = key_reader_make(row.key);
	*number = key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK || schema_read(&schema_channel, row.value, channel) != ERROR_OK)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

enum error registry_channel_by_id(struct run *run, const uint8_t id[CHANNEL_ID_SIZE], uint64_t *number)
{
	return number_of(run, TABLE_CHANNEL_ID, id, CHANNEL_ID_SIZE, number);
}

enum error registry_next_line(struct run *run, uint64_t channel, uint64_t *log, struct line *line)
{
	struct row_key prefix = key_channel(TABLE_LINE, channel);
	struct row_key key = prefix;
	struct row row;

	if (*log != LINES_START)
		key_u16(&key, *log);
	enum error error = rows_after(run_rows(run), key_view(&prefix), key_view(&key), &row);
	if (error != ERROR_OK)
		return error;
	struct key_reader reader = key_reader_make(row.key);
	(void)key_read_u16(&reader);
	*log = key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK || *log > LOG_MAX)
		return ERROR_MALFORMED;
	if (line != NULL && schema_read(&schema_line, row.value, line) != ERROR_OK)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

enum error registry_log_post(struct run *run, uint64_t number, const struct channel *channel, uint64_t log,
			     struct log_post *post)
{
	struct row_key line_key = key_line(number, log);
	struct row_key key = key_party_post(TABLE_PARTY_POST,
					    registry_party_of(channel, log_roster_index(log)), log_slot(log));
	struct line line;
	struct party_post newest;

	enum error error = run_get(run, &line_key, &schema_line, &line);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	bool has_key = !sodium_is_zero(line.statement_key, sizeof(line.statement_key));
	post->name = line.name;
	memcpy(post->statement_key, line.statement_key, sizeof(post->statement_key));
	if (line.name.size > 0 && has_key)
		return ERROR_OK;
	error = run_get(run, &key, &schema_party_post, &newest);
	post->name = newest.name;
	if (!has_key)
		memcpy(post->statement_key, newest.statement_key, sizeof(post->statement_key));
	return error;
}

enum error registry_log_spoke(struct run *run, uint64_t number, uint64_t log,
			      const uint8_t statement_key[PUBLIC_KEY_SIZE])
{
	struct row_key key = key_line(number, log);
	struct line line;

	enum error error = run_must(run_get(run, &key, &schema_line, &line));
	if (error != ERROR_OK || !sodium_is_zero(line.statement_key, sizeof(line.statement_key)))
		return error;
	memcpy(line.statement_key, statement_key, sizeof(line.statement_key));
	run_put(run, &key, &schema_line, &line);
	return ERROR_OK;
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
			return run_must(error);
		memcpy(roster->ids[roster->count++], party.id, PARTY_ID_SIZE);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error registry_aad(struct run *run, const struct channel *channel, enum aad_context context,
			uint64_t sender, struct aad *aad)
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

static void own_pair(const struct own_post *post, const char *label, const uint8_t channel[CHANNEL_ID_SIZE],
		     struct ed25519_pair *pair)
{
	uint8_t seed[DERIVE_SEED_SIZE];

	derive_seed(post->root_seed, label, bytes_make(channel, CHANNEL_ID_SIZE), seed);
	ed25519_pair_from_seed(seed, pair);
	sodium_memzero(seed, sizeof(seed));
}

void registry_own_log(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE],
		      struct ed25519_pair *log)
{
	own_pair(post, "liaison log", channel, log);
}

void registry_own_cosigner(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE],
			   struct ed25519_pair *cosigner)
{
	own_pair(post, "liaison cosigner", channel, cosigner);
}
