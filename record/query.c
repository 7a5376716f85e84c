#include "record/query.h"

#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "envelope/reference.h"
#include "envelope/signed.h"
#include "record/log.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define ENTRIES_MAX 64
#define CURSOR_SIZE 8

/* What ENTRIES may be asked for (base/local.h). */
enum {
	SELECT_ALL = 1,
	SELECT_OWN = 3,
	SELECT_AWAITED = 4,
};

/* ---- entry rows ---- */

/* The name of the post that writes a log. */
static enum error post_name_of(struct run *run, uint64_t number, const struct channel *channel, uint64_t log,
			       struct bytes *name)
{
	struct log_post post;
	enum error error = run_must(registry_log_post(run, number, channel, log, &post));
	*name = post.name;
	return error;
}

static enum error log_named(struct run *run, uint64_t number, const struct channel *channel, uint64_t log,
			    struct reference_log *named)
{
	struct party party;

	enum error error = post_name_of(run, number, channel, log, &named->post_name);
	if (error == ERROR_OK)
		error = run_must(
			registry_party(run, registry_party_of(channel, log_roster_index(log)), &party));
	if (error != ERROR_OK)
		return error;
	named->log = log;
	named->party_name = party.name;
	memcpy(named->party_id, party.id, sizeof(named->party_id));
	return ERROR_OK;
}

/* The other log of the channel after *log whose post's name meets `name`. ERROR_NOT_FOUND: none is left. */
static enum error next_meeting(struct run *run, uint64_t number, const struct channel *channel, uint64_t of,
			       struct bytes name, uint64_t *log)
{
	enum error error;

	while ((error = registry_next_line(run, number, log, NULL)) == ERROR_OK) {
		struct log_post post;
		if (*log == of)
			continue;
		error = run_must(registry_log_post(run, number, channel, *log, &post));
		if (error != ERROR_OK || reference_names_meet(name, post.name))
			break;
	}
	return error;
}

/* Works out what stands for the log. Mostly no other name is alike, and no party is asked for. */
static enum error choose_log_name(struct run *run, uint64_t number, const struct channel *channel,
				  uint64_t log, struct buffer *buffer)
{
	struct reference_log named = {.log = log};
	struct reference_choice choice;
	uint64_t other = LINES_START;

	enum error error = post_name_of(run, number, channel, log, &named.post_name);
	if (error == ERROR_OK)
		error = next_meeting(run, number, channel, log, named.post_name, &other);
	if (error == ERROR_NOT_FOUND && reference_form_fits(&named, REFERENCE_BY_POST)) {
		reference_name_append(buffer, &named, REFERENCE_BY_POST);
		return ERROR_OK;
	}
	bool none_is_left = error == ERROR_NOT_FOUND;
	if (error == ERROR_OK || none_is_left)
		error = log_named(run, number, channel, log, &named);
	if (error != ERROR_OK)
		return error;
	reference_choice_begin(&choice, &named);
	while (!none_is_left) {
		struct reference_log beside;
		error = log_named(run, number, channel, other, &beside);
		if (error != ERROR_OK)
			return error;
		reference_choice_beside(&choice, &beside);
		error = next_meeting(run, number, channel, log, named.post_name, &other);
		none_is_left = error == ERROR_NOT_FOUND;
		if (error != ERROR_OK && !none_is_left)
			return error;
	}
	reference_choice_append(buffer, &choice);
	return ERROR_OK;
}

/* What stands for the log in references. */
static enum error append_log_name(struct run *run, uint64_t number, const struct channel *channel,
				  uint64_t log, struct buffer *buffer)
{
	if (run_name(run, number, log, buffer))
		return ERROR_OK;
	enum error error = choose_log_name(run, number, channel, log, buffer);
	if (error == ERROR_OK)
		run_name_keep(run, number, log, buffer_bytes(buffer));
	return error;
}

enum error query_reference(struct run *run, const struct entry_key *key, uint64_t time, struct buffer *buffer)
{
	uint8_t memory[REFERENCE_NAME_SIZE_MAX];
	struct buffer name = buffer_make(memory, sizeof(memory));
	struct channel channel;

	enum error error = run_must(registry_channel(run, key->channel, &channel));
	if (error == ERROR_OK)
		error = append_log_name(run, key->channel, &channel, key->log, &name);
	if (error == ERROR_OK)
		reference_append(buffer, buffer_bytes(&name), key->incarnation, key->position, time);
	return error;
}

/* The channel's id and title. */
static enum error alert_of_channel(struct run *run, uint64_t number, struct run_alert_of *of)
{
	struct channel *channel = run_take(run, sizeof(*channel));
	struct terms terms;

	enum error error = run_must(registry_channel(run, number, channel));
	if (error == ERROR_OK)
		error = registry_terms(channel, &terms);
	if (error != ERROR_OK)
		return error;
	*of = (struct run_alert_of){.channel = bytes_make(channel->id, sizeof(channel->id)),
				    .title = terms.title};
	return ERROR_OK;
}

enum error query_alert(struct run *run, const struct entry_key *log, enum error reason, const char *detail)
{
	struct buffer text = run_buffer(run, REFERENCE_SIZE_MAX);
	uint8_t memory[REFERENCE_NAME_SIZE_MAX];
	struct buffer name = buffer_make(memory, sizeof(memory));
	struct channel channel;
	struct run_alert_of of;

	enum error error = alert_of_channel(run, log->channel, &of);
	if (error == ERROR_OK)
		error = run_must(registry_channel(run, log->channel, &channel));
	if (error == ERROR_OK)
		error = append_log_name(run, log->channel, &channel, log->log, &name);
	if (error != ERROR_OK)
		return error;
	reference_log_append(&text, buffer_bytes(&name), log->incarnation);
	of.log = buffer_bytes(&text);
	run_alert_of(run, reason, detail, &of);
	return ERROR_OK;
}

enum error query_alert_message(struct run *run, const struct entry_key *key, uint64_t time, enum error reason,
			       const char *detail)
{
	struct buffer text = run_buffer(run, REFERENCE_SIZE_MAX);
	struct run_alert_of of;

	enum error error = alert_of_channel(run, key->channel, &of);
	if (error == ERROR_OK)
		error = query_reference(run, key, time, &text);
	if (error != ERROR_OK)
		return error;
	of.message = buffer_bytes(&text);
	run_alert_of(run, reason, detail, &of);
	return ERROR_OK;
}

/* Who signed first, by name: an officer, the party for its authority, or the post. */
static enum error signer_name(struct run *run, const struct channel *channel, const struct entry_key *key,
			      const struct entry *entry, struct bytes *name)
{
	uint64_t index = log_roster_index(key->log);

	if (entry->signers == 0)
		return post_name_of(run, key->channel, channel, key->log, name);
	if (entry->signers == 1) {
		struct party party;
		enum error error = registry_party(run, registry_party_of(channel, index), &party);
		*name = party.name;
		return run_must(error);
	}
	struct row_key row_key = key_channel(TABLE_OFFICER, key->channel);
	struct officer officer;
	key_u8(&row_key, index);
	key_u32(&row_key, entry->signers - 1);
	enum error error = run_get(run, &row_key, &schema_officer, &officer);
	*name = officer.name;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* What people read of an entry. */
struct described {
	struct channel channel;
	struct buffer reference;
	struct bytes signer;
};

static enum error describe(struct run *run, const struct entry_key *key, const struct entry *entry,
			   struct described *described)
{
	bool missing = false;

	enum error error = run_must(registry_channel(run, key->channel, &described->channel));
	if (error != ERROR_OK)
		return error;
	error = query_reference(run, key, entry->time, &described->reference);
	if (!run_missing(error, &missing))
		return error;
	error = signer_name(run, &described->channel, key, entry, &described->signer);
	if (!run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* Until when a receipt and an acknowledgment are due: null where none is awaited. */
static void write_due(struct buffer *buffer, const struct channel *channel, const struct terms *terms,
		      const struct entry *entry, bool own)
{
	bool known = entry->precedence >= PRECEDENCE_ROUTINE && entry->precedence <= PRECEDENCE_FLASH;

	if (own && known && !query_is_settled(channel, entry))
		cbor_write_uint(buffer, entry->held_at_ms / 1000 + terms->handling_s[entry->precedence - 1]);
	else
		cbor_write_null(buffer);
	if (entry->ack_by != 0 && entry->state < LOCAL_READ)
		cbor_write_uint(buffer, entry->ack_by);
	else
		cbor_write_null(buffer);
}

enum error query_entry_row(struct run *run, const struct entry_key *key, const struct entry *entry,
			   struct buffer *buffer)
{
	struct described described = {.reference = run_buffer(run, REFERENCE_SIZE_MAX)};
	struct terms terms;

	enum error error = describe(run, key, entry, &described);
	if (error == ERROR_OK)
		error = registry_terms(&described.channel, &terms);
	if (error != ERROR_OK)
		return error;
	bool own = key->log == log_own_number(run, &described.channel);
	cbor_write_array(buffer, LOCAL_ENTRY_ROW_ITEMS);
	query_write_fixed(buffer, described.channel.id, sizeof(described.channel.id));
	cbor_write_uint(buffer, key->log);
	cbor_write_uint(buffer, key->incarnation);
	cbor_write_uint(buffer, key->position);
	cbor_write_text(buffer, buffer_bytes(&described.reference));
	query_write_fixed(buffer, entry->identity, sizeof(entry->identity));
	cbor_write_uint(buffer, entry->kind);
	cbor_write_uint(buffer, entry->precedence);
	cbor_write_uint(buffer, entry->time);
	cbor_write_text(buffer, entry->subject);
	if (entry->signers == 0)
		cbor_write_null(buffer);
	else
		cbor_write_uint(buffer, entry->signers - 1);
	cbor_write_text(buffer, described.signer);
	cbor_write_bool(buffer, own);
	cbor_write_uint(buffer, entry->state);
	cbor_write_uint(buffer, entry->held_at_ms);
	if (entry->times.size > 0)
		buffer_append(buffer, entry->times);
	else
		cbor_write_array(buffer, 0);
	write_due(buffer, &described.channel, &terms, entry, own);
	return ERROR_OK;
}

/* ---- ENTRIES and ENTRY ---- */

struct selection {
	uint64_t channel; /* 0: all */
	uint64_t which;
	struct bytes cursor;
	uint64_t after;
	size_t count_max;
};

static bool selected(const struct selection *selection, const struct arrival *arrival)
{
	if (selection->channel != 0 && arrival->key.channel != selection->channel)
		return false;
	if (selection->which == SELECT_ALL)
		return true;
	return arrival->kind == CONTENT_MESSAGE && !arrival->refused && !arrival->again &&
	       arrival->own == (selection->which == SELECT_OWN);
}

static enum error read_selection(struct run *run, struct cbor_reader *arguments, struct selection *selection,
				 enum error *reason)
{
	uint8_t id[CHANNEL_ID_SIZE];

	bool all = cbor_read_null(arguments);
	if (!all)
		cbor_read_bytes_exact(arguments, id, sizeof(id));
	selection->which = cbor_read_uint_max(arguments, SELECT_AWAITED);
	selection->cursor = cbor_read_bytes(arguments, ROW_KEY_SIZE_MAX);
	selection->count_max = (size_t)cbor_read_uint_max(arguments, ENTRIES_MAX);
	*reason = cbor_read_end(arguments);
	size_t size = selection->cursor.size;
	if (*reason != ERROR_OK || selection->which == 0 ||
	    (selection->which != SELECT_AWAITED && size != 0 && size != CURSOR_SIZE)) {
		*reason = ERROR_BAD_ARGUMENT;
		return ERROR_OK;
	}
	if (selection->which != SELECT_AWAITED && size != 0)
		selection->after = load_u64(selection->cursor.data);
	if (all)
		return ERROR_OK;
	enum error error = registry_channel_by_id(run, id, &selection->channel);
	if (error == ERROR_NOT_FOUND)
		*reason = error;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* One page: the entries that are selected, and where to go on. */
struct page {
	size_t count;
	struct entry_key keys[ENTRIES_MAX];
	uint64_t last;
	bool more;
};

static enum error find_page(struct run *run, const struct selection *selection, struct page *page)
{
	struct row_key prefix = key_make(TABLE_ARRIVAL);
	struct row_key from = prefix;
	struct row row;

	page->count = 0;
	page->last = selection->after;
	key_u64(&from, selection->after);
	enum error error = rows_after(run_rows(run), key_view(&prefix), key_view(&from), &row);
	for (size_t i = 0; error == ERROR_OK && i < QUERY_SCAN_MAX && page->count < selection->count_max;
	     i++) {
		struct key_reader reader = key_reader_make(row.key);
		struct arrival arrival;
		page->last = key_read_u64(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_arrival, row.value, &arrival) != ERROR_OK)
			return ERROR_MALFORMED;
		if (selected(selection, &arrival))
			page->keys[page->count++] = arrival.key;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	page->more = error == ERROR_OK;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error answer_entries(struct run *run, struct cbor_reader *arguments)
{
	struct query_answer answer = query_answer_make(run);
	struct page *page = run_take(run, sizeof(*page));
	struct selection selection = {0};
	uint8_t cursor[CURSOR_SIZE];
	enum error reason;
	bool missing = false;

	enum error error = read_selection(run, arguments, &selection, &reason);
	if (error != ERROR_OK || reason != ERROR_OK)
		return error != ERROR_OK ? error : query_refuse(run, reason);
	if (selection.which == SELECT_AWAITED)
		return query_awaited_answer(run, selection.channel, selection.cursor, selection.count_max);
	error = find_page(run, &selection, page);
	if (error != ERROR_OK)
		return error;
	for (; answer.count < page->count; answer.count++) {
		const struct entry_key *key = &page->keys[answer.count];
		struct entry entry;
		error = run_must(log_entry(run, key, &entry));
		if (error == ERROR_OK)
			error = query_entry_row(run, key, &entry, &answer.list);
		if (!run_missing(error, &missing))
			return error;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	query_list_end(&answer);
	store_u64(cursor, page->last);
	cbor_write_bytes(&answer.body, bytes_make(cursor, page->more ? sizeof(cursor) : 0));
	return query_answer_end(run, &answer, 2);
}

static enum error answer_entry(struct run *run, struct cbor_reader *arguments)
{
	uint8_t id[CHANNEL_ID_SIZE];
	struct entry_key key;
	struct entry entry;
	struct bytes cose = {0};
	struct receipt_row receipt = {0};

	cbor_read_bytes_exact(arguments, id, sizeof(id));
	key.log = cbor_read_uint_max(arguments, LOG_MAX);
	key.incarnation = cbor_read_uint_max(arguments, INCARNATIONS_MAX);
	key.position = cbor_read_uint_max(arguments, POSITION_MAX);
	if (cbor_read_end(arguments) != ERROR_OK)
		return query_refuse(run, ERROR_BAD_ARGUMENT);
	enum error error = registry_channel_by_id(run, id, &key.channel);
	if (error == ERROR_OK)
		error = log_entry(run, &key, &entry);
	if (error == ERROR_NOT_FOUND)
		return query_refuse(run, error);
	if (error == ERROR_OK)
		error = log_cose(run, &key, &cose);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	struct row_key receipt_key = key_make(TABLE_RECEIPT);
	key_u64(&receipt_key, entry.receipt);
	error = run_get(run, &receipt_key, &schema_receipt_row, &receipt);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	struct query_answer answer = query_answer_make(run);
	error = query_entry_row(run, &key, &entry, &answer.body);
	if (error != ERROR_OK)
		return error;
	cbor_write_bytes(&answer.body, cose);
	cbor_write_bytes(&answer.body, entry.leaf);
	if (receipt.cose.size > 0)
		cbor_write_bytes(&answer.body, receipt.cose);
	else
		cbor_write_null(&answer.body);
	return query_answer_end(run, &answer, 4);
}

/* ---- small ones ---- */

static enum error answer_hello(struct run *run)
{
	const struct own_post *post = run_post(run);
	struct buffer *reply = run_reply_begin(run, 7);

	cbor_write_uint(reply, LOCAL_VERSION);
	query_write_fixed(reply, post->party_id, sizeof(post->party_id));
	cbor_write_uint(reply, post->slot);
	cbor_write_text(reply, post->party_name);
	cbor_write_text(reply, post->post_name);
	cbor_write_text(reply, post->node);
	cbor_write_uint(reply, post->kind);
	run_reply_end(run);
	return ERROR_OK;
}

static enum error answer_card(struct run *run)
{
	struct buffer card = run_buffer(run, CARD_SIZE_MAX);

	enum error error = registry_export_card(run, &card);
	if (error != ERROR_OK)
		return error;
	if (buffer_error(&card) != ERROR_OK)
		return query_refuse(run, ERROR_TOO_LARGE);
	struct buffer *reply = run_reply_begin(run, 1);
	cbor_write_bytes(reply, buffer_bytes(&card));
	run_reply_end(run);
	return ERROR_OK;
}

static enum error answer_channel_keys(struct run *run, struct cbor_reader *arguments)
{
	uint8_t id[CHANNEL_ID_SIZE];
	struct ed25519_pair log;
	struct ed25519_pair cosigner;

	cbor_read_bytes_exact(arguments, id, sizeof(id));
	if (cbor_read_end(arguments) != ERROR_OK)
		return query_refuse(run, ERROR_BAD_ARGUMENT);
	registry_own_log(run_post(run), id, &log);
	registry_own_cosigner(run_post(run), id, &cosigner);
	struct buffer *reply = run_reply_begin(run, 2);
	query_write_fixed(reply, log.key, sizeof(log.key));
	query_write_fixed(reply, cosigner.key, sizeof(cosigner.key));
	run_reply_end(run);
	ed25519_pair_erase(&log);
	ed25519_pair_erase(&cosigner);
	return ERROR_OK;
}

/* ---- dispatch ---- */

enum error query_handle(struct run *run, uint64_t verb, struct cbor_reader *arguments, size_t count)
{
	static const size_t counts[] = {
		[LOCAL_HELLO] = 1,        [LOCAL_CARD_EXPORT] = 1, [LOCAL_CHANNELS] = 1, [LOCAL_CHANNEL] = 2,
		[LOCAL_CHANNEL_KEYS] = 2, [LOCAL_PARTIES] = 1,     [LOCAL_ENTRIES] = 5,  [LOCAL_ENTRY] = 5,
		[LOCAL_HEADS] = 2,        [LOCAL_STATUS] = 1,      [LOCAL_EVIDENCE] = 2,
	};

	if (verb >= sizeof(counts) / sizeof(counts[0]) || counts[verb] == 0)
		return ERROR_UNSUPPORTED;
	if (count + 1 != counts[verb] || (count == 0 && cbor_read_end(arguments) != ERROR_OK))
		return query_refuse(run, ERROR_BAD_ARGUMENT);
	switch (verb) {
	case LOCAL_HELLO:
		return answer_hello(run);
	case LOCAL_CARD_EXPORT:
		return answer_card(run);
	case LOCAL_CHANNEL_KEYS:
		return answer_channel_keys(run, arguments);
	case LOCAL_ENTRIES:
		return answer_entries(run, arguments);
	case LOCAL_ENTRY:
		return answer_entry(run, arguments);
	default:
		return query_state_handle(run, verb, arguments);
	}
}
