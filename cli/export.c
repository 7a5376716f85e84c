#include "cli/export.h"

#include <stdlib.h>

#include "cli/entries.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"

struct told_head {
	struct checkpoint head;
	uint8_t key[32];
	uint8_t signature[64];
	bool is_cosigned;
	struct bytes cosigner;
	uint8_t cosigner_key[32];
	uint64_t cosigned_at;
	uint8_t cosignature[64];
};

/* The head as a signed note, for tools that know no format of ours. NULL where it would not verify there. */
static json_t *note_of(const struct told_head *told)
{
	uint8_t memory[HEAD_NOTE_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct signed_note note;
	struct checkpoint head;
	uint64_t time;
	enum error error = checkpoint_note_write(&told->head, told->key, told->signature, &buffer);
	if (error == ERROR_OK && told->is_cosigned)
		error = checkpoint_note_add(&buffer, told->cosigner, told->cosigner_key, told->cosigned_at,
					    told->cosignature);
	if (error == ERROR_OK)
		error = checkpoint_note_open(buffer_bytes(&buffer), told->head.origin, told->key, &note,
					     &head);
	if (error == ERROR_OK && told->is_cosigned)
		error = checkpoint_note_cosigned(&note, &head, told->cosigner, told->cosigner_key, &time);
	return error == ERROR_OK ? json_stringn((const char *)buffer.data, buffer.size) : NULL;
}

static void read_cosignature(struct cbor_reader *reply, struct told_head *told, json_t *head)
{
	told->cosigner = cbor_read_text(reply, ORIGIN_SIZE_MAX);
	cbor_read_bytes_exact(reply, told->cosigner_key, sizeof told->cosigner_key);
	told->cosigned_at = cbor_read_uint_max(reply, TIME_MAX);
	cbor_read_bytes_exact(reply, told->cosignature, sizeof told->cosignature);
	json_object_set_new(head, "cosigner", output_json_text(told->cosigner));
	json_object_set_new(head, "cosigner_key",
			    output_json_hex(bytes_make(told->cosigner_key, sizeof told->cosigner_key)));
	json_object_set_new(head, "cosigned_at", json_integer((json_int_t)told->cosigned_at));
	json_object_set_new(head, "cosignature",
			    output_json_hex(bytes_make(told->cosignature, sizeof told->cosignature)));
}

/* One head of HEADS. */
static json_t *read_head(struct cbor_reader *reply)
{
	struct told_head told = {0};
	cbor_read_array_exact(reply, 11);
	json_int_t log = (json_int_t)cbor_read_uint_max(reply, LOG_MAX);
	json_int_t incarnation = (json_int_t)cbor_read_uint_max(reply, INCARNATIONS_MAX);
	told.head.size = cbor_read_uint_max(reply, POSITION_MAX + 1);
	cbor_read_bytes_exact(reply, told.head.root.bytes, sizeof told.head.root.bytes);
	told.head.origin = cbor_read_text(reply, ORIGIN_SIZE_MAX);
	cbor_read_bytes_exact(reply, told.key, sizeof told.key);
	cbor_read_bytes_exact(reply, told.signature, sizeof told.signature);
	json_t *head =
		json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "log", log, "incarnation", incarnation,
			  "size", (json_int_t)told.head.size, "root",
			  output_json_hex(bytes_make(told.head.root.bytes, sizeof told.head.root.bytes)),
			  "origin", output_json_text(told.head.origin), "log_key",
			  output_json_hex(bytes_make(told.key, sizeof told.key)), "signature",
			  output_json_hex(bytes_make(told.signature, sizeof told.signature)));
	told.is_cosigned = cbor_peek(reply) == CBOR_TEXT;
	if (told.is_cosigned)
		read_cosignature(reply, &told, head);
	for (size_t i = 0; !told.is_cosigned && i < 4; i++)
		if (!cbor_read_null(reply))
			cbor_reader_fail(reply, ERROR_WRONG_TYPE);
	json_t *note = reply->error == ERROR_OK ? note_of(&told) : NULL;
	if (note != NULL)
		json_object_set_new(head, "note", note);
	return head;
}

static json_t *ask_heads(struct client *client, const struct call *call, const struct known_channel *channel)
{
	struct cbor_reader reply;
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_HEADS, 1);
	cbor_write_bytes(request, bytes_make(channel->id, CHANNEL_ID_SIZE));
	if (!client_ask(client, call, "asking the post for heads", &reply, &results))
		return NULL;
	json_t *heads = json_array();
	size_t count = cbor_read_array(&reply, LOCAL_FRAME_SIZE_MAX);
	for (size_t i = 0; i < count && reply.error == ERROR_OK; i++)
		json_array_append_new(heads, read_head(&reply));
	if (cbor_read_end(&reply) == ERROR_OK)
		return heads;
	call_fail_error(call, "the post's heads", reply.error);
	json_decref(heads);
	return NULL;
}

/* Proofs that a log forked: [* [log, incarnation, held at, proof]]. NULL after an error message. */
static json_t *ask_proofs(struct client *client, const struct call *call, const struct known_channel *channel)
{
	struct cbor_reader reply;
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_EVIDENCE, 1);
	cbor_write_bytes(request, bytes_make(channel->id, CHANNEL_ID_SIZE));
	if (!client_ask(client, call, "asking the post for proofs", &reply, &results))
		return NULL;
	json_t *proofs = json_array();
	size_t count = cbor_read_array(&reply, LOCAL_FRAME_SIZE_MAX);
	for (size_t i = 0; i < count && reply.error == ERROR_OK; i++) {
		cbor_read_array_exact(&reply, 4);
		json_int_t log = (json_int_t)cbor_read_uint_max(&reply, LOG_MAX);
		json_int_t incarnation = (json_int_t)cbor_read_uint_max(&reply, INCARNATIONS_MAX);
		json_int_t held_at_ms = (json_int_t)cbor_read_uint_max(&reply, TIME_MAX * 1000);
		struct bytes proof = cbor_read_bytes(&reply, EQUIVOCATION_SIZE_MAX);
		json_array_append_new(proofs, json_pack("{s:I, s:I, s:I, s:o}", "log", log, "incarnation",
							incarnation, "held_at_ms", held_at_ms, "proof",
							output_json_hex(proof)));
	}
	if (cbor_read_end(&reply) == ERROR_OK)
		return proofs;
	call_fail_error(call, "the post's proofs", reply.error);
	json_decref(proofs);
	return NULL;
}

struct collecting {
	struct client *client;
	const struct call *call;
	json_t *entries;
	struct whole_entry *entry;
	struct progress progress;
	bool failed;
};

static bool collect(const struct entry_row *row, void *context)
{
	struct collecting *collecting = context;
	struct whole_entry *entry = collecting->entry;
	if (!entry_get(collecting->client, collecting->call, row, entry)) {
		collecting->failed = true;
		return false;
	}
	json_t *object =
		json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:s}", "log", (json_int_t)row->log, "incarnation",
			  (json_int_t)row->incarnation, "position", (json_int_t)row->position, "cose",
			  output_json_hex(entry->cose), "leaf", output_json_hex(entry->leaf), "receipt",
			  output_json_hex(entry->receipt), "reference", row->reference);
	collecting->failed = object == NULL || json_array_append_new(collecting->entries, object) != 0;
	progress_show(&collecting->progress, json_array_size(collecting->entries));
	return !collecting->failed;
}

json_t *export_channel(struct client *client, const struct call *call, const struct known_channel *channel)
{
	struct collecting collecting = {
		.client = client,
		.call = call,
		.entries = json_array(),
		.entry = calloc(1, sizeof *collecting.entry),
		.progress = progress_start("reading the record", 0),
	};
	json_t *roster = json_array();
	for (size_t i = 0; i < channel->roster.count; i++)
		json_array_append_new(roster,
				      output_json_hex(bytes_make(channel->roster.ids[i], PARTY_ID_SIZE)));
	/* Heads first: entries that arrive meanwhile lie beyond them. */
	json_t *heads = collecting.entry != NULL ? ask_heads(client, call, channel) : NULL;
	json_t *proofs = heads != NULL ? ask_proofs(client, call, channel) : NULL;
	bool done = proofs != NULL &&
		    entries_each(client, call, channel->id, SELECT_ALL, collect, &collecting) &&
		    !collecting.failed;
	progress_end(&collecting.progress);
	free(collecting.entry);
	if (done)
		return json_pack("{s:o, s:o, s:o, s:o, s:o}", "channel",
				 output_json_hex(bytes_make(channel->id, CHANNEL_ID_SIZE)), "roster", roster,
				 "logs", heads, "entries", collecting.entries, "equivocations", proofs);
	json_decref(proofs);
	json_decref(roster);
	json_decref(heads);
	json_decref(collecting.entries);
	return NULL;
}
