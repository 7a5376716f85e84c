#include <string.h>

#include "envelope/checkpoint.h"
#include "record/heads.h"
#include "record/query_parts.h"
#include "record/registry.h"

/* ---- CHANNEL ---- */

static enum error write_party(struct run *run, uint64_t number, const struct channel *channel, uint64_t index,
			      struct buffer *buffer)
{
	struct row_key chain_key = key_channel(TABLE_CHAIN, number);
	struct chain chain;
	struct party party;
	bool missing = false;

	key_u8(&chain_key, index);
	key_u32(&chain_key, 0);
	enum error error = registry_party(run, registry_party_of(channel, index), &party);
	if (!run_missing(error, &missing))
		return run_must(error);
	error = run_get(run, &chain_key, &schema_chain, &chain);
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	cbor_write_array(buffer, 5);
	query_write_fixed(buffer, party.id, sizeof(party.id));
	cbor_write_text(buffer, party.name);
	cbor_write_bool(buffer, (channel->opened >> index & 1) != 0);
	if (chain.letters == 0) {
		cbor_write_null(buffer);
		cbor_write_null(buffer);
	} else {
		cbor_write_uint(buffer, chain.letters - 1);
		query_write_fixed(buffer, chain.head, sizeof(chain.head));
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error write_posts(struct run *run, uint64_t number, const struct channel *channel, uint64_t index,
			      struct query_lines *lines, struct query_answer *answer)
{
	bool missing = false;

	enum error error = query_lines(run, number, index, lines);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < lines->count; i++) {
		uint64_t slot = log_slot(lines->logs[i]);
		struct bytes name = lines->lines[i].name; /* on this channel: as registry_log_post */
		struct row_key key =
			key_party_post(TABLE_PARTY_POST, registry_party_of(channel, index), slot);
		struct party_post post;
		error = run_get(run, &key, &schema_party_post, &post);
		if (!run_missing(error, &missing))
			return run_must(error);
		cbor_write_array(&answer->list, 4);
		cbor_write_uint(&answer->list, lines->logs[i]);
		cbor_write_uint(&answer->list, slot);
		cbor_write_text(&answer->list, name.size > 0 ? name : post.name);
		cbor_write_text(&answer->list, post.node);
		answer->count++;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static void write_officer(const struct channel *channel, uint64_t index, uint64_t number,
			  const struct officer *officer, struct buffer *buffer)
{
	size_t agreed = 0;

	for (size_t i = 0; i < channel->parties.size; i++)
		agreed += officer->agreed >> i & 1;
	cbor_write_array(buffer, 7);
	cbor_write_uint(buffer, index);
	cbor_write_uint(buffer, number);
	cbor_write_text(buffer, officer->name);
	cbor_write_text(buffer, officer->title);
	query_write_fixed(buffer, officer->key, sizeof(officer->key));
	cbor_write_array(buffer, agreed);
	for (size_t i = 0; i < channel->parties.size; i++)
		if ((officer->agreed >> i & 1) != 0)
			cbor_write_uint(buffer, i);
	cbor_write_uint(buffer, officer->highest_precedence);
}

static enum error write_officers(struct run *run, uint64_t number, const struct channel *channel,
				 uint64_t index, struct query_answer *answer)
{
	struct row_key prefix = key_channel(TABLE_OFFICER, number);
	struct row row;

	key_u8(&prefix, index);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct officer officer;
		(void)key_read_u16(&reader);
		(void)key_read_u8(&reader);
		uint64_t officer_number = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_officer, row.value, &officer) != ERROR_OK)
			return ERROR_MALFORMED;
		write_officer(channel, index, officer_number, &officer, &answer->list);
		answer->count++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error query_channel_answer(struct run *run, uint64_t number)
{
	struct query_answer answer = query_answer_make(run);
	struct query_lines *lines = run_take(run, sizeof(*lines));
	struct channel channel;
	bool missing = false;

	enum error error = registry_channel(run, number, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	cbor_write_bytes(&answer.body, channel.terms);
	query_write_fixed(&answer.body, channel.nonce, sizeof(channel.nonce));
	cbor_write_uint(&answer.body, channel.state);
	cbor_write_uint(&answer.body, channel.own_index);
	query_write_fixed(&answer.body, channel.registry, sizeof(channel.registry));
	for (uint64_t i = 0; i < channel.parties.size; i++, answer.count++) {
		error = write_party(run, number, &channel, i, &answer.list);
		if (!run_missing(error, &missing))
			return error;
	}
	query_list_end(&answer);
	for (uint64_t i = 0; i < channel.parties.size; i++) {
		error = write_posts(run, number, &channel, i, lines, &answer);
		if (!run_missing(error, &missing))
			return error;
	}
	query_list_end(&answer);
	for (uint64_t i = 0; i < channel.parties.size; i++) {
		error = write_officers(run, number, &channel, i, &answer);
		if (!run_missing(error, &missing))
			return error;
	}
	query_list_end(&answer);
	return missing ? ERROR_NEEDS_ROWS : query_answer_end(run, &answer, 8);
}

/* ---- HEADS ---- */

#define FORMER_MAX 16 /* former incarnations of one log whose last heads are told */

struct heads_view {
	struct query_answer answer;
	uint64_t number;
	struct channel channel;
	struct roster roster;
	uint64_t own_log;
	uint8_t cosigner_key[PUBLIC_KEY_SIZE]; /* this post's */
	struct query_lines lines;
	struct query_lines cosigners;
};

/* A cosignature over a head; at 0: none. */
struct cosigned {
	uint64_t log; /* of the cosigner */
	const uint8_t *key;
	uint64_t at;
	const uint8_t *signature;
};

static void write_head(struct heads_view *view, uint64_t log, const struct line *line,
		       const struct cosigned *cosigned)
{
	struct buffer *list = &view->answer.list;
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	char cosigner[CHECKPOINT_COSIGNER_SIZE + 1];

	checkpoint_origin(view->channel.id, view->roster.ids[log_roster_index(log)], log_slot(log),
			  line->head_incarnation, origin);
	cbor_write_array(list, 11);
	cbor_write_uint(list, log);
	cbor_write_uint(list, line->head_incarnation);
	cbor_write_uint(list, line->head_size);
	query_write_fixed(list, line->head_root, sizeof(line->head_root));
	cbor_write_text(list, bytes_of_text(origin));
	query_write_fixed(list, line->log_key, sizeof(line->log_key));
	query_write_fixed(list, line->head_signature, sizeof(line->head_signature));
	view->answer.count++;
	if (cosigned->at == 0) {
		for (size_t i = 0; i < 4; i++)
			cbor_write_null(list);
		return;
	}
	checkpoint_cosigner(view->channel.id, view->roster.ids[log_roster_index(cosigned->log)],
			    log_slot(cosigned->log), cosigner);
	cbor_write_text(list, bytes_of_text(cosigner));
	query_write_fixed(list, cosigned->key, PUBLIC_KEY_SIZE);
	cbor_write_uint(list, cosigned->at);
	query_write_fixed(list, cosigned->signature, sizeof(line->cosignature));
}

/* The head of another's log, with this post's cosignature. */
static void write_other_head(struct heads_view *view, uint64_t log, const struct line *line)
{
	struct cosigned cosigned = {
		.log = view->own_log,
		.key = view->cosigner_key,
		.at = line->cosigned_at,
		.signature = line->cosignature,
	};

	write_head(view, log, line, &cosigned);
}

static bool is_cosigned(const struct line *own, const struct line *line)
{
	return line->theirs_at != 0 && line->theirs_incarnation == own->head_incarnation &&
	       line->theirs_size == own->head_size &&
	       memcmp(line->theirs_root, own->head_root, sizeof(own->head_root)) == 0;
}

/* The own head once for each post whose cosignature of just this head is held; else once without. */
static enum error write_own_head(struct run *run, struct heads_view *view, const struct line *own)
{
	size_t before = view->answer.count;
	bool missing = false;

	for (uint64_t i = 0; i < view->channel.parties.size; i++) {
		enum error error = query_lines(run, view->number, i, &view->cosigners);
		if (!run_missing(error, &missing))
			return error;
		for (size_t j = 0; j < view->cosigners.count; j++) {
			const struct line *line = &view->cosigners.lines[j];
			struct cosigned cosigned = {
				.log = view->cosigners.logs[j],
				.key = line->cosigner_key,
				.at = line->theirs_at,
				.signature = line->theirs_cosignature,
			};
			if (cosigned.log != view->own_log && is_cosigned(own, line))
				write_head(view, view->own_log, own, &cosigned);
		}
	}
	if (view->answer.count == before)
		write_head(view, view->own_log, own, &(struct cosigned){0});
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* The last heads of its former incarnations. */
static enum error write_former_heads(struct run *run, struct heads_view *view, uint64_t log,
				     const struct line *line)
{
	struct entry_key key = {.channel = view->number, .log = log};
	bool own = log == view->own_log;
	bool missing = false;

	key.incarnation = line->head_incarnation > FORMER_MAX ? line->head_incarnation - FORMER_MAX : 1;
	for (; key.incarnation < line->head_incarnation; key.incarnation++) {
		struct former_head former;
		struct line as_line = {.head_incarnation = key.incarnation};
		enum error error = heads_former(run, &key, &former);
		if (!run_missing(error, &missing))
			return error;
		if (error != ERROR_OK || former.size == 0)
			continue;
		as_line.head_size = former.size;
		memcpy(as_line.log_key, line->log_key, sizeof(line->log_key));
		memcpy(as_line.head_root, former.root, sizeof(former.root));
		memcpy(as_line.head_signature, former.signature, sizeof(former.signature));
		as_line.cosigned_at = former.cosigned_at;
		memcpy(as_line.cosignature, former.cosignature, sizeof(former.cosignature));
		if (own)
			write_head(view, log, &as_line, &(struct cosigned){0});
		else
			write_other_head(view, log, &as_line);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error write_heads_of(struct run *run, struct heads_view *view, uint64_t index)
{
	bool missing = false;

	enum error error = query_lines(run, view->number, index, &view->lines);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < view->lines.count; i++) {
		const struct line *line = &view->lines.lines[i];
		if (line->head_size == 0)
			continue;
		error = write_former_heads(run, view, view->lines.logs[i], line);
		if (!run_missing(error, &missing))
			return error;
		if (view->lines.logs[i] == view->own_log)
			error = write_own_head(run, view, line);
		else
			write_other_head(view, view->lines.logs[i], line);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error query_heads_answer(struct run *run, uint64_t number)
{
	const struct own_post *post = run_post(run);
	struct heads_view *view = run_take(run, sizeof(*view));
	struct ed25519_pair cosigner;
	bool missing = false;

	view->answer = query_answer_make(run);
	view->number = number;
	enum error error = registry_channel(run, number, &view->channel);
	if (error == ERROR_OK)
		error = registry_roster(run, &view->channel, &view->roster);
	if (error != ERROR_OK)
		return run_must(error);
	view->own_log = log_number(view->channel.own_index, post->slot);
	registry_own_cosigner(post, view->channel.id, &cosigner);
	memcpy(view->cosigner_key, cosigner.key, sizeof(view->cosigner_key));
	ed25519_pair_erase(&cosigner);
	for (uint64_t i = 0; i < view->channel.parties.size; i++) {
		error = write_heads_of(run, view, i);
		if (!run_missing(error, &missing))
			return error;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	query_list_end(&view->answer);
	return query_answer_end(run, &view->answer, 1);
}
