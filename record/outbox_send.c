#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "envelope/wire.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/registry.h"

/* The plaintext of a statement. */
static enum error wire_statement(struct run *run, const struct outgoing *outgoing, struct wire *wire)
{
	struct channel channel;

	wire->kind = WIRE_STATEMENT;
	wire->statement = outgoing->statement.kind;
	wire->cose = outgoing->statement.cose;
	if (outgoing->statement.channel == 0)
		return ERROR_OK;
	enum error error = registry_channel(run, outgoing->statement.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	wire->has_tag = true;
	channel_tag_make(channel.id, wire->tag);
	return ERROR_OK;
}

/* The plaintext of an own entry, or one that is given back to its author, from its rows. */
static enum error wire_entry(struct run *run, const struct outgoing *outgoing, struct wire *wire)
{
	bool own = outgoing->key.statement == 0;
	struct entry_key key = own ? outgoing->key.entry : outgoing->statement.entry;
	struct leaf *leaf = run_take(run, sizeof(*leaf));
	struct channel channel;
	struct entry entry;

	enum error error = registry_channel(run, key.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	if (own)
		key.log = log_own_number(run, &channel);
	error = log_entry(run, &key, &entry);
	enum error cose_error = log_cose(run, &key, &wire->cose);
	if (error == ERROR_OK || cose_error == ERROR_NEEDS_ROWS)
		error = cose_error;
	if (error != ERROR_OK)
		return run_must(error);
	if (leaf_decode(entry.leaf, leaf) != ERROR_OK)
		return ERROR_MALFORMED;
	wire->kind = own ? WIRE_ENTRY : WIRE_RETURNED;
	wire->has_tag = true;
	channel_tag_make(channel.id, wire->tag);
	wire->log = key.log;
	wire->incarnation = key.incarnation;
	wire->position = key.position;
	wire->heads = leaf->heads;
	return ERROR_OK;
}

static enum error stored_bytes(struct run *run, const struct outgoing *outgoing, struct bytes *sealed)
{
	struct row_key key = outbox_sealed_row(&outgoing->copy);

	enum error error = rows_get(run_rows(run), key_view(&key), sealed);
	return run_must(error);
}

enum error outbox_seal(struct run *run, struct outgoing *outgoing, uint64_t window_s, struct bytes *bytes,
		       enum error *reason)
{
	struct wire *wire = run_take(run, sizeof(*wire));
	struct copy *copy = &outgoing->copy;
	bool used_last_resort = false;

	*reason = ERROR_OK;
	if (copy->sealed)
		return stored_bytes(run, outgoing, bytes);
	memset(wire, 0, sizeof(*wire));
	bool is_own = outgoing->key.statement == 0;
	bool is_entry = is_own || outgoing->statement.kind == 0;
	enum error error = is_entry ? wire_entry(run, outgoing, wire) : wire_statement(run, outgoing, wire);
	if (error != ERROR_OK)
		return error;
	struct buffer plaintext = run_buffer(run, wire->cose.size + 2048 + wire->cose.size / 16);
	wire_encode(wire, &plaintext);
	assert(buffer_error(&plaintext) == ERROR_OK);
	struct keys_target target = {
		.party = outgoing->party,
		.slot = outgoing->slot,
		.window_s = window_s,
		.last_resort = copy->last_resort,
		.next_keying = !is_entry && outgoing->statement.next_keying,
	};
	error = keys_seal(run, &target, buffer_bytes(&plaintext), bytes, &used_last_resort, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	crypto_hash_sha256(copy->sha256, bytes->data, bytes->size);
	copy->sealed = true;
	copy->seals++;
	copy->last_resort = used_last_resort;
	outbox_keep_seal(run, outgoing, *bytes);
	return ERROR_OK;
}
