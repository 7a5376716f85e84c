/*
 * What a post receives that goes into no log: statements, entries of its own that are given back, and what
 * does not open.
 */
#include "record/receive.h"

#include <sodium.h>
#include <string.h>

#include "record/heads.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/receipt.h"
#include "record/registry.h"

#define CANNOT_OPEN_PER_MINUTE 8

/* ---- the channel ---- */

enum error receive_channels_of(struct run *run, const uint8_t tag[CHANNEL_TAG_SIZE], uint64_t party,
			       struct found_channel found[CHANNELS_OF_TAG_MAX], size_t *count)
{
	struct row_key prefix = key_make(TABLE_CHANNEL_TAG);
	struct row row;

	*count = 0;
	key_bytes(&prefix, tag, CHANNEL_TAG_SIZE);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && *count < CHANNELS_OF_TAG_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct found_channel *one = &found[*count];
		(void)key_read_u16(&reader);
		one->number = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK)
			return ERROR_MALFORMED;
		error = registry_channel(run, one->number, &one->channel);
		if (error != ERROR_OK)
			return run_must(error);
		if (registry_index_of(&one->channel, party, &one->index))
			(*count)++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- statements ---- */

static enum error receive_cannot_open(struct run *run, const struct received_statement *statement)
{
	const struct keys_opened *opened = statement->opened;
	struct row_key party_key = key_party(opened->party);
	struct cannot_open *cannot_open = run_take(run, sizeof(*cannot_open));
	struct aad *aad = run_take(run, sizeof(*aad));
	struct party party;

	enum error error = run_get(run, &party_key, &schema_party, &party);
	if (error != ERROR_OK)
		return run_must(error);
	if (cannot_open_decode(statement->object.payload, cannot_open) != ERROR_OK ||
	    cannot_open->slot != opened->slot)
		return run_count(run, ERROR_MALFORMED, "statement dropped: cannot open");
	aad_cannot_open(aad, party.id, run_post(run)->party_id);
	if (run_verify_one(run, &statement->object, aad, opened->post.statement_key) != ERROR_OK)
		return run_count(run, ERROR_BAD_SIGNATURE, "statement dropped: bad signature");
	bool missing = false;
	for (size_t i = 0; i < cannot_open->hashes_count; i++) {
		error = outbox_cannot_open(run, opened->party, opened->slot, cannot_open->hashes[i]);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error receive_prekeys(struct run *run, const struct received_statement *statement)
{
	enum error reason;
	enum error error = keys_take_prekeys(run, statement->opened->party, statement->opened->slot,
					     statement->cose, &reason);
	if (error == ERROR_OK && reason != ERROR_OK)
		error = run_count(run, reason, "statement dropped: prekeys");
	return error;
}

static enum aad_context context_of(uint64_t statement)
{
	if (statement == STATEMENT_RECEIPT)
		return AAD_RECEIPT;
	return statement == STATEMENT_HEADS ? AAD_HEADS : AAD_MISSING;
}

/* A post that has no log on the channel, for its party has named it only since, says nothing of it. */
static enum error take_on_channel(struct run *run, const struct received_statement *statement, uint64_t kind)
{
	uint64_t log = log_number(statement->index, statement->opened->slot);
	struct row_key key = key_line(statement->channel_number, log);
	struct line line;

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error == ERROR_NOT_FOUND)
		return run_count(run, ERROR_REFUSED_CHANNEL,
				 "statement dropped: its post is not on that channel");
	if (error == ERROR_OK)
		error = registry_log_spoke(run, statement->channel_number, log,
					   statement->post.statement_key);
	if (error != ERROR_OK)
		return error;
	if (kind == STATEMENT_RECEIPT)
		return receipt_take(run, statement);
	return kind == STATEMENT_HEADS ? heads_take(run, statement) : missing_take(run, statement);
}

/* Receipts, heads and what is missing, which belong to a channel. */
static enum error receive_on_channel(struct run *run, struct received_statement *statement,
				     const struct wire *wire)
{
	struct found_channel found[CHANNELS_OF_TAG_MAX];
	struct aad *aad = run_take(run, sizeof(*aad));
	const struct keys_opened *opened = statement->opened;
	size_t count = 0;

	enum error error = ERROR_OK;
	if (wire->has_tag)
		error = receive_channels_of(run, wire->tag, opened->party, found, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		statement->channel_number = found[i].number;
		statement->channel = found[i].channel;
		statement->index = found[i].index;
		error = registry_aad(run, &found[i].channel, context_of(wire->statement), found[i].index,
				     aad);
		if (error == ERROR_OK)
			error = registry_log_post(run, found[i].number, &found[i].channel,
						  log_number(found[i].index, opened->slot), &statement->post);
		if (error != ERROR_OK)
			return run_must(error);
		if (run_verify_one(run, &statement->object, aad, statement->post.statement_key) == ERROR_OK)
			return take_on_channel(run, statement, wire->statement);
	}
	if (error != ERROR_OK)
		return error;
	return run_count(run, ERROR_BAD_SIGNATURE,
			 "statement dropped: bad signature, or its channel is not known");
}

enum error receive_statement(struct run *run, const struct keys_opened *opened, const struct wire *wire)
{
	struct received_statement *statement = run_take(run, sizeof(*statement));

	memset(statement, 0, sizeof(*statement));
	statement->opened = opened;
	statement->cose = wire->cose;
	if (cose_signed_decode(wire->cose, &statement->object) != ERROR_OK ||
	    statement->object.signer_count != 1)
		return run_count(run, ERROR_MALFORMED, "statement dropped: not a signed statement");
	switch (wire->statement) {
	case STATEMENT_PREKEYS:
		return receive_prekeys(run, statement);
	case STATEMENT_CANNOT_OPEN:
		return receive_cannot_open(run, statement);
	default:
		return receive_on_channel(run, statement, wire);
	}
}

/* ---- what is given back ---- */

enum error receive_returned(struct run *run, const struct keys_opened *opened, const struct wire *wire)
{
	struct found_channel found[CHANNELS_OF_TAG_MAX];
	enum error unverified = ERROR_OK;
	enum error last = ERROR_REFUSED_CHANNEL;
	size_t count = 0;

	enum error error = receive_channels_of(run, wire->tag, opened->party, found, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		error = missing_returned(run, found[i].number, wire, &last);
		if (error != ERROR_OK || last == ERROR_OK)
			return error;
		if (registry_unverified(last))
			unverified = last;
	}
	if (error != ERROR_OK)
		return error;
	if (unverified == ERROR_OK)
		return run_count(run, last,
				 "an entry given back dropped: not one of a former own log, or "
				 "its place is taken or too far");
	run_log(run, unverified,
		"an entry given back is left to be given again: its signer is not known yet");
	return ERROR_OK;
}

/* ---- what does not open ---- */

enum error receive_cannot_be_opened(struct run *run)
{
	const struct record_event *event = run_event(run);
	struct row_key node_key = key_make(TABLE_NODE_ID);
	struct cannot_open *cannot_open = run_take(run, sizeof(*cannot_open));
	struct aad *aad = run_take(run, sizeof(*aad));
	struct post_number post;
	struct party party;
	struct quota quota;

	if (event->of.received.source.size == 0 || event->of.received.source.size > EID_SIZE_MAX)
		return ERROR_OK;
	key_bytes(&node_key, event->of.received.source.data, event->of.received.source.size);
	enum error error = run_get(run, &node_key, &schema_post_number, &post);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct row_key quota_key = key_party_post(TABLE_CANNOT_OPEN, post.party, post.slot);
	struct row_key party_key = key_party(post.party);
	error = run_get(run, &quota_key, &schema_quota, &quota);
	enum error party_error = run_get(run, &party_key, &schema_party, &party);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (party_error != ERROR_OK)
		return party_error;
	if (error == ERROR_NOT_FOUND || run_slow_since(run, quota.start_ms) >= 60000)
		quota = (struct quota){.start_ms = run_slow_ms(run)};
	if (quota.count >= CANNOT_OPEN_PER_MINUTE)
		return ERROR_OK;
	quota.count++;
	run_put(run, &quota_key, &schema_quota, &quota);
	cannot_open->slot = run_post(run)->slot;
	cannot_open->hashes_count = 1;
	crypto_hash_sha256(cannot_open->hashes[0], event->of.received.sealed.data,
			   event->of.received.sealed.size);
	struct buffer payload = run_buffer(run, CANNOT_OPEN_SIZE_MAX);
	cannot_open_encode(cannot_open, &payload);
	aad_cannot_open(aad, run_post(run)->party_id, party.id);
	struct outbox_statement statement = {
		.kind = STATEMENT_CANNOT_OPEN,
		.party = post.party,
		.slot = post.slot,
		.precedence = PRECEDENCE_PRIORITY,
		.last_resort = true,
		.cose = run_sign(run, aad, buffer_bytes(&payload)),
	};
	return outbox_statement(run, &statement, NULL);
}
