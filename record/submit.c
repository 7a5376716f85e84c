#include "record/submit.h"

#include <string.h>

#include "base/cbor.h"
#include "envelope/signed.h"
#include "record/effects.h"
#include "record/incarnation.h"
#include "record/log.h"
#include "record/query.h"
#include "record/registry.h"

static enum error reply_position(struct run *run, const struct entry_key *key, const struct entry *entry)
{
	struct buffer *reply = run_reply_begin(run, 4);
	uint8_t reference_bytes[256];
	struct buffer reference = buffer_make(reference_bytes, sizeof(reference_bytes));

	cbor_write_uint(reply, key->log);
	cbor_write_uint(reply, key->incarnation);
	cbor_write_uint(reply, key->position);
	enum error error = query_reference(run, key, entry->time, &reference);
	if (error != ERROR_OK)
		return error;
	cbor_write_text(reply, buffer_bytes(&reference));
	run_reply_end(run);
	return ERROR_OK;
}

/* The channel that is named, or for an opening one that may not be known yet. Fills in channel, index and
 * identity. */
static enum error find_channel(struct run *run, const uint8_t id[CHANNEL_ID_SIZE],
			       struct registry_entry *entry, enum error *reason)
{
	struct channel channel;
	struct aad *aad = run_take(run, sizeof(*aad));

	*reason = ERROR_OK;
	enum error error = registry_channel_by_id(run, id, &entry->channel);
	if (error == ERROR_NOT_FOUND) {
		const struct content *content = entry->content;
		entry->channel = 0;
		*reason = ERROR_NOT_FOUND;
		if (content->kind != CONTENT_LETTER || content->of.letter.kind != LETTER_OPENING)
			return ERROR_OK;
		error = registry_opening(run, entry, false, reason);
		if (error == ERROR_OK && *reason == ERROR_OK) {
			const struct opening_letter *opening = &content->of.letter.of.opening;
			uint8_t made[CHANNEL_ID_SIZE];
			channel_id_make(&opening->parties, opening->terms, opening->nonce, made);
			if (memcmp(made, id, sizeof(made)) != 0)
				*reason = ERROR_BAD_ARGUMENT;
		}
		return error;
	}
	if (error == ERROR_OK)
		error = registry_channel(run, entry->channel, &channel);
	if (error == ERROR_OK)
		error = registry_aad(run, &channel, AAD_ENTRY, channel.own_index, aad);
	if (error != ERROR_OK)
		return run_must(error);
	entry->index = channel.own_index;
	run_identity(run, aad, entry->payload, entry->identity);
	return ERROR_OK;
}

static enum error file(struct run *run, struct registry_entry *entry, struct bytes cose)
{
	struct entry_key key = {0};
	struct entry filed;
	struct channel channel;
	struct log_item item = {
		.channel = &channel, .content = entry->content, .object = entry->object, .cose = cose};
	enum error reason = ERROR_OK;

	enum error error = ERROR_OK;
	if (entry->channel == 0) {
		error = registry_opening(run, entry, true, &reason);
		if (error == ERROR_OK && reason == ERROR_OK)
			error = incarnation_resume(run, entry->channel);
	}
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK) {
		run_reply_error(run, reason, NULL);
		return ERROR_OK;
	}
	key.channel = entry->channel;
	error = registry_channel(run, key.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	memcpy(item.identity, entry->identity, sizeof(item.identity));
	error = log_append(run, &item, &key, &filed);
	if (error == ERROR_OK)
		error = effects_of(run, entry, &key, &filed, true);
	return error == ERROR_OK ? reply_position(run, &key, &filed) : error;
}

/* An entry that is held already: the same reply as the first time, if it is the own post's. */
static enum error again(struct run *run, const struct entry_key *key)
{
	struct channel channel;
	struct entry filed;

	enum error error = registry_channel(run, key->channel, &channel);
	if (error == ERROR_OK)
		error = log_entry(run, key, &filed);
	if (error != ERROR_OK)
		return run_must(error);
	if (key->log == log_own_number(run, &channel))
		return reply_position(run, key, &filed);
	run_reply_error(run, ERROR_DUPLICATE, NULL);
	return ERROR_OK;
}

static enum error submit_decoded(struct run *run, const uint8_t id[CHANNEL_ID_SIZE], struct bytes cose,
				 const struct signed_entry *decoded)
{
	struct registry_entry entry = {
		.slot = run_post(run)->slot,
		.payload = decoded->cose.payload,
		.content = &decoded->content,
		.object = &decoded->cose,
	};
	enum error reason;
	struct entry_key key;

	if (incarnation_unsure(run)) {
		run_reply_error(run, ERROR_AWAITS_COURIER, NULL);
		return ERROR_OK;
	}
	enum error error = find_channel(run, id, &entry, &reason);
	if (error != ERROR_OK)
		return error;
	if (reason == ERROR_OK) {
		error = log_find(run, entry.identity, &key);
		if (error == ERROR_OK)
			return again(run, &key);
		if (error != ERROR_NOT_FOUND)
			return error;
		error = registry_judge(run, &entry, true, &reason);
		if (error != ERROR_OK)
			return error;
	}
	if (reason != ERROR_OK) {
		const char *sentence = NULL;
		if (reason == ERROR_NOT_NOW)
			sentence = "accept the other party's card and keying first";
		run_reply_error(run, reason, sentence);
		return ERROR_OK;
	}
	return file(run, &entry, cose);
}

enum error submit_handle(struct run *run, struct cbor_reader *arguments)
{
	uint8_t id[CHANNEL_ID_SIZE];
	struct signed_entry *decoded = run_take(run, sizeof(*decoded));

	cbor_read_bytes_exact(arguments, id, sizeof(id));
	struct bytes cose = cbor_read_bytes(arguments, ENTRY_SIZE_MAX);
	if (cbor_read_end(arguments) != ERROR_OK) {
		run_reply_error(run, ERROR_BAD_ARGUMENT, NULL);
		return ERROR_OK;
	}
	enum error reason = entry_decode(cose, decoded);
	if (reason == ERROR_OK && content_is_from_post(decoded->content.kind))
		reason = ERROR_REFUSED_KIND;
	if (reason != ERROR_OK) {
		run_reply_error(run, reason, NULL);
		return ERROR_OK;
	}
	return submit_decoded(run, id, cose, decoded);
}
