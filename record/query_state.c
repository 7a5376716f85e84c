#include "record/query_state.h"

#include "base/cbor.h"
#include "base/local.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define HEAD_SIZE 64 /* bytes before the results of a reply: its size, its array, two numbers */

/* ---- shared ---- */

struct query_answer query_answer_make(struct run *run)
{
	return (struct query_answer){
		.body = run_buffer(run, LOCAL_FRAME_SIZE_MAX - HEAD_SIZE),
		.list = run_buffer(run, LOCAL_FRAME_SIZE_MAX - HEAD_SIZE),
	};
}

void query_list_end(struct query_answer *answer)
{
	cbor_write_array(&answer->body, answer->count);
	buffer_append(&answer->body, buffer_bytes(&answer->list));
	answer->body.failed |= answer->list.failed;
	answer->list.size = 0;
	answer->count = 0;
}

enum error query_answer_end(struct run *run, struct query_answer *answer, size_t count)
{
	if (buffer_error(&answer->body) != ERROR_OK)
		return query_refuse(run, ERROR_TOO_LARGE);
	struct buffer *reply = run_reply_begin(run, count);
	buffer_append(reply, buffer_bytes(&answer->body));
	run_reply_end(run);
	return ERROR_OK;
}

bool query_is_settled(const struct channel *channel, const struct entry *entry)
{
	for (uint64_t i = 0; i < channel->parties.size; i++)
		if (i != channel->own_index && ((entry->received | entry->refused) >> i & 1) == 0)
			return false;
	return true;
}

void query_write_fixed(struct buffer *buffer, const uint8_t *data, size_t size)
{
	cbor_write_bytes(buffer, bytes_make(data, size));
}

enum error query_refuse(struct run *run, enum error error)
{
	run_reply_error(run, error, NULL);
	return ERROR_OK;
}

enum error query_channels(struct run *run, struct query_channels *channels)
{
	enum error error = ERROR_OK;
	uint64_t number = 0;

	channels->count = 0;
	while (error == ERROR_OK && channels->count < CHANNELS_MAX) {
		error = registry_next_channel(run, &number, &channels->channels[channels->count]);
		if (error == ERROR_OK)
			channels->numbers[channels->count++] = number;
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error query_lines(struct run *run, uint64_t channel, uint64_t index, struct query_lines *lines)
{
	uint64_t log = index == 0 ? LINES_START : log_number(index, 0) - 1;
	struct line line; /* the one that ends this may be more than there is room for */
	enum error error;

	lines->count = 0;
	while ((error = registry_next_line(run, channel, &log, &line)) == ERROR_OK) {
		if (log_roster_index(log) != index)
			return ERROR_OK;
		lines->logs[lines->count] = log;
		lines->lines[lines->count++] = line;
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- CHANNELS ---- */

static enum error write_roster_names(struct run *run, const struct channel *channel, struct buffer *buffer)
{
	bool missing = false;

	cbor_write_array(buffer, channel->parties.size);
	for (size_t i = 0; i < channel->parties.size; i++) {
		struct party party;
		enum error error = registry_party(run, channel->parties.data[i], &party);
		if (!run_missing(error, &missing))
			return run_must(error);
		cbor_write_array(buffer, 2);
		query_write_fixed(buffer, party.id, sizeof(party.id));
		cbor_write_text(buffer, party.name);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error answer_channels(struct run *run)
{
	struct query_channels *channels = run_take(run, sizeof(*channels));
	struct query_answer answer = query_answer_make(run);
	bool missing = false;

	enum error error = query_channels(run, channels);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < channels->count; i++) {
		const struct channel *channel = &channels->channels[i];
		struct terms terms;
		error = registry_terms(channel, &terms);
		if (error != ERROR_OK)
			return error;
		cbor_write_array(&answer.list, 4);
		query_write_fixed(&answer.list, channel->id, sizeof(channel->id));
		cbor_write_text(&answer.list, terms.title);
		cbor_write_uint(&answer.list, channel->state);
		error = write_roster_names(run, channel, &answer.list);
		if (!run_missing(error, &missing))
			return error;
		answer.count++;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	query_list_end(&answer);
	return query_answer_end(run, &answer, 1);
}

/* ---- EVIDENCE ---- */

/*
 * Proofs alone: that another entry came at a position shows this post that something is wrong, but where it
 * stood only the seal says, which nobody else can check.
 */
static enum error answer_evidence(struct run *run, uint64_t number)
{
	struct row_key prefix = key_channel(TABLE_EVIDENCE, number);
	struct query_answer answer = query_answer_make(run);
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct evidence evidence;
		(void)key_read_u16(&reader);
		uint64_t log = key_read_u16(&reader);
		(void)key_read_u64(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_evidence, row.value, &evidence) != ERROR_OK)
			return ERROR_MALFORMED;
		if (evidence.kind == EVIDENCE_HEADS) {
			cbor_write_array(&answer.list, 4);
			cbor_write_uint(&answer.list, log);
			cbor_write_uint(&answer.list, evidence.incarnation);
			cbor_write_uint(&answer.list, evidence.held_at_ms);
			cbor_write_bytes(&answer.list, evidence.first);
			answer.count++;
		}
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	query_list_end(&answer);
	return query_answer_end(run, &answer, 1);
}

/* ---- dispatch ---- */

/* CHANNEL, HEADS and EVIDENCE: a channel that is named by its id. */
static enum error answer_about_channel(struct run *run, uint64_t verb, struct cbor_reader *arguments)
{
	uint8_t id[CHANNEL_ID_SIZE];
	uint64_t number;

	cbor_read_bytes_exact(arguments, id, sizeof(id));
	if (cbor_read_end(arguments) != ERROR_OK)
		return query_refuse(run, ERROR_BAD_ARGUMENT);
	enum error error = registry_channel_by_id(run, id, &number);
	if (error == ERROR_NOT_FOUND)
		return query_refuse(run, error);
	if (error != ERROR_OK)
		return error;
	if (verb == LOCAL_EVIDENCE)
		return answer_evidence(run, number);
	return verb == LOCAL_CHANNEL ? query_channel_answer(run, number) : query_heads_answer(run, number);
}

enum error query_state_handle(struct run *run, uint64_t verb, struct cbor_reader *arguments)
{
	if (verb == LOCAL_CHANNEL || verb == LOCAL_HEADS || verb == LOCAL_EVIDENCE)
		return answer_about_channel(run, verb, arguments);
	switch (verb) {
	case LOCAL_CHANNELS:
		return answer_channels(run);
	case LOCAL_PARTIES:
		return query_parties_answer(run);
	case LOCAL_STATUS:
		return query_status_answer(run);
	default:
		return ERROR_UNSUPPORTED;
	}
}
