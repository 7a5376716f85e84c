#include "cli/entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "envelope/content.h"

#define PAGE_SIZE 64 /* rows of one reply */

#define ROW_TEXT_SIZE_MAX (256 + REFERENCE_SIZE_MAX + NAME_SIZE_MAX + SUBJECT_SIZE_MAX)
#define ROW_INDENT        8 /* of a row that goes on in another line */

void entry_row_read(struct cbor_reader *reader, struct entry_row *row)
{
	*row = (struct entry_row){0};
	cbor_read_array_exact(reader, LOCAL_ENTRY_ROW_ITEMS);
	cbor_read_bytes_exact(reader, row->channel, sizeof row->channel);
	row->log = cbor_read_uint_max(reader, LOG_MAX);
	row->incarnation = cbor_read_uint(reader);
	row->position = cbor_read_uint_max(reader, POSITION_MAX);
	cbor_read_text_copy(reader, row->reference, REFERENCE_SIZE_MAX);
	cbor_read_bytes_exact(reader, row->identity, sizeof row->identity);
	row->kind = cbor_read_uint(reader);
	row->precedence = cbor_read_uint(reader);
	row->time = cbor_read_uint(reader);
	cbor_read_text_copy(reader, row->subject, SUBJECT_SIZE_MAX);
	row->has_officer = !cbor_read_null(reader);
	if (row->has_officer)
		row->officer = cbor_read_uint(reader);
	cbor_read_text_copy(reader, row->officer_name, NAME_SIZE_MAX);
	row->own = cbor_read_bool(reader);
	row->state = cbor_read_uint(reader);
	row->held_at_ms = cbor_read_uint(reader);
	row->times_count = cbor_read_array(reader, STATE_TIMES_MAX);
	for (size_t i = 0; i < row->times_count; i++) {
		cbor_read_array_exact(reader, 3);
		row->times[i].state = cbor_read_uint(reader);
		row->times[i].at_ms = cbor_read_uint(reader);
		cbor_read_text_copy(reader, row->times[i].detail, EID_SIZE_MAX);
	}
	row->receipt_due = cbor_read_null(reader) ? 0 : cbor_read_uint(reader);
	row->acknowledgment_due = cbor_read_null(reader) ? 0 : cbor_read_uint(reader);
}

bool entry_receipt_is_overdue(const struct entry_row *row, uint64_t now)
{
	return row->receipt_due != 0 && row->receipt_due < now;
}

bool entry_acknowledgment_is_overdue(const struct entry_row *row, uint64_t now)
{
	return row->acknowledgment_due != 0 && row->acknowledgment_due < now;
}

const char *state_name(uint64_t state)
{
	static const char *const names[] = {"?",        "released", "queued",   "carried",
					    "received", "read",     "answered", "refused"};
	return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

/* One page: *cursor is where to go on, empty after the last. */
static bool ask_page(struct client *client, const struct call *call, const uint8_t *channel,
		     enum entry_selection selection, struct buffer *cursor, struct entry_row *rows,
		     size_t *count)
{
	struct cbor_reader reply;
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_ENTRIES, 4);
	if (channel != NULL)
		cbor_write_bytes(request, bytes_make(channel, CHANNEL_ID_SIZE));
	else
		cbor_write_null(request);
	cbor_write_uint(request, selection);
	cbor_write_bytes(request, buffer_bytes(cursor));
	cbor_write_uint(request, PAGE_SIZE);
	if (!client_ask(client, call, "asking the post for entries", &reply, &results))
		return false;
	*count = cbor_read_array(&reply, PAGE_SIZE);
	for (size_t i = 0; i < *count; i++)
		entry_row_read(&reply, &rows[i]);
	struct bytes next = cbor_read_bytes(&reply, cursor->size_max);
	enum error error = cbor_read_end(&reply);
	if (error != ERROR_OK) {
		call_fail_error(call, "the post's answer", error);
		return false;
	}
	cursor->size = 0;
	buffer_append(cursor, next);
	return true;
}

bool entries_each(struct client *client, const struct call *call, const uint8_t *channel,
		  enum entry_selection selection, bool (*each)(const struct entry_row *row, void *context),
		  void *context)
{
	uint8_t memory[64];
	struct buffer cursor = buffer_make(memory, sizeof memory);
	struct entry_row *rows = calloc(PAGE_SIZE, sizeof *rows);
	bool done = rows != NULL, wanted = true;
	do {
		size_t count = 0;
		done = done && ask_page(client, call, channel, selection, &cursor, rows, &count);
		for (size_t i = 0; done && wanted && i < count; i++)
			wanted = each(&rows[i], context);
	} while (done && wanted && cursor.size > 0);
	free(rows);
	return done;
}

bool entry_get(struct client *client, const struct call *call, const struct entry_row *key,
	       struct whole_entry *entry)
{
	struct cbor_reader reply;
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_ENTRY, 4);
	cbor_write_bytes(request, bytes_make(key->channel, CHANNEL_ID_SIZE));
	cbor_write_uint(request, key->log);
	cbor_write_uint(request, key->incarnation);
	cbor_write_uint(request, key->position);
	if (!client_ask(client, call,
			key->reference[0] != '\0' ? key->reference : "asking the post for the entry", &reply,
			&results))
		return false;
	entry_row_read(&reply, &entry->row);
	entry->cose = cbor_read_bytes(&reply, ENTRY_SIZE_MAX);
	entry->leaf = cbor_read_bytes(&reply, ENTRY_SIZE_MAX);
	entry->receipt = cbor_read_null(&reply) ? bytes_make("", 0) : cbor_read_bytes(&reply, ENTRY_SIZE_MAX);
	enum error error = cbor_read_end(&reply);
	if (error != ERROR_OK)
		call_fail_error(call, "the post's answer", error);
	return error == ERROR_OK;
}

/* The year is part of the name: one that is wrong means another entry, or a mistake. */
static bool is_of_year(const struct call *call, const struct entry_row *row,
		       const struct reference *reference)
{
	struct civil_time civil;
	civil_from_time(row->time, &civil);
	if (!reference->has_year || civil.year % 100 == reference->year)
		return true;
	call_fail(call, "the year is another: that number is %s", row->reference);
	return false;
}

/* The post bears another name, or shares the one that was typed: what would name it is said. */
static void say_what_names(const struct call *call, const struct known_channel *channel,
			   const struct reference *reference)
{
	char forms[2048] = "";
	size_t matches = 0;
	for (size_t i = 0; i < channel->logs_count; i++) {
		struct reference_log named = known_log_named(channel, &channel->logs[i]);
		uint8_t memory[REFERENCE_NAME_SIZE_MAX], text[REFERENCE_SIZE_MAX];
		struct buffer name = buffer_make(memory, sizeof memory);
		struct buffer log = buffer_make(text, sizeof text);
		if (!reference_name_means(reference->post_name, &named))
			continue;
		known_log_name(channel, &channel->logs[i], &name);
		reference_log_append(&log, buffer_bytes(&name), reference->incarnation);
		size_t used = strlen(forms);
		snprintf(forms + used, sizeof forms - used, "%s'%.*s %llu'", matches++ > 0 ? " or " : "",
			 (int)log.size, (const char *)text, (unsigned long long)reference->position + 1);
	}
	if (matches == 0)
		call_fail(call, "no post on this channel is called '%.*s'", (int)reference->post_name.size,
			  (const char *)reference->post_name.data);
	else
		call_fail(call, "more than one post on this channel is called '%.*s': write %s",
			  (int)reference->post_name.size, (const char *)reference->post_name.data, forms);
}

bool entry_find(struct client *client, const struct call *call, const struct known_channel *channel,
		const char *text, struct entry_row *row)
{
	struct reference reference;
	const struct known_log *found = NULL;
	size_t matches = 0;
	if (reference_parse(bytes_of_text(text), &reference) != ERROR_OK) {
		call_usage(call, "'%s' is no reference: write it as EMBASSY 0042/26 or 'embassy 42'", text);
		return false;
	}
	for (size_t i = 0; i < channel->logs_count; i++) {
		struct reference_log named = known_log_named(channel, &channel->logs[i]);
		if (reference_name_means(reference.post_name, &named)) {
			found = &channel->logs[i];
			matches++;
		}
	}
	if (matches != 1) {
		say_what_names(call, channel, &reference);
		return false;
	}
	*row = (struct entry_row){
		.log = found->log, .incarnation = reference.incarnation, .position = reference.position};
	memcpy(row->channel, channel->id, CHANNEL_ID_SIZE);
	snprintf(row->reference, sizeof row->reference, "%s", text);
	struct whole_entry *entry = calloc(1, sizeof *entry);
	bool done = entry != NULL && entry_get(client, call, row, entry);
	if (done)
		*row = entry->row;
	free(entry);
	return done && is_of_year(call, row, &reference);
}

static json_t *times_json(const struct entry_row *row)
{
	json_t *times = json_array();
	for (size_t i = 0; i < row->times_count; i++)
		json_array_append_new(times,
				      json_pack("{s:s, s:I, s:o}", "state", state_name(row->times[i].state),
						"at_ms", (json_int_t)row->times[i].at_ms, "detail",
						output_json_text(bytes_of_text(row->times[i].detail))));
	return times;
}

static json_t *due_json(uint64_t due)
{
	return due == 0 ? json_null() : json_integer((json_int_t)due);
}

static json_t *overdue_json(const struct entry_row *row)
{
	json_t *overdue = json_array();
	uint64_t now = (uint64_t)time(NULL);
	if (entry_receipt_is_overdue(row, now))
		json_array_append_new(overdue, json_string("receipt"));
	if (entry_acknowledgment_is_overdue(row, now))
		json_array_append_new(overdue, json_string("acknowledgment"));
	return overdue;
}

json_t *entry_row_json(const struct entry_row *row)
{
	json_t *object = json_pack(
		"{s:s, s:o, s:I, s:I, s:I, s:o, s:s, s:s, s:I, s:o, s:o, s:b, s:s, s:I, s:o}", "reference",
		row->reference, "channel", output_json_hex(bytes_make(row->channel, CHANNEL_ID_SIZE)), "log",
		(json_int_t)row->log, "incarnation", (json_int_t)row->incarnation, "position",
		(json_int_t)row->position, "identity",
		output_json_hex(bytes_make(row->identity, IDENTITY_SIZE)), "kind",
		content_kind_name(row->kind), "precedence", precedence_name(row->precedence), "time",
		(json_int_t)row->time, "subject", output_json_text(bytes_of_text(row->subject)), "officer",
		output_json_text(bytes_of_text(row->officer_name)), "own", row->own, "state",
		state_name(row->state), "held_at_ms", (json_int_t)row->held_at_ms, "times", times_json(row));
	json_object_set_new(object, "receipt_due", due_json(row->receipt_due));
	json_object_set_new(object, "acknowledgment_due", due_json(row->acknowledgment_due));
	json_object_set_new(object, "overdue", overdue_json(row));
	return object;
}

static void print_due(const char *what, uint64_t due, bool is_overdue)
{
	char time[DATE_TIME_GROUP_SIZE + 1];
	output_time(due, time);
	printf(is_overdue ? "%s was due by %s: OVERDUE\n" : "%s is due by %s\n", what, time);
}

void entry_due_print(const struct entry_row *row)
{
	uint64_t now = (uint64_t)time(NULL);
	if (row->receipt_due != 0)
		print_due("a receipt of the other side", row->receipt_due,
			  entry_receipt_is_overdue(row, now));
	if (row->acknowledgment_due != 0)
		print_due(row->own ? "an acknowledgment by the other side" : "our acknowledgment",
			  row->acknowledgment_due, entry_acknowledgment_is_overdue(row, now));
}

void entry_row_print(const char *before, const struct entry_row *row)
{
	char written[DATE_TIME_GROUP_SIZE + 1], fields[REFERENCE_SIZE_MAX + 96];
	uint8_t memory[ROW_TEXT_SIZE_MAX];
	struct buffer line = buffer_make(memory, sizeof memory);
	uint64_t now = (uint64_t)time(NULL);
	output_time(row->time, written);
	snprintf(fields, sizeof fields, "%s%-22s %s  %-9s  %-8s  ", before, row->reference, written,
		 precedence_name(row->precedence), state_name(row->state));
	buffer_append(&line, bytes_of_text(fields));
	if (entry_receipt_is_overdue(row, now))
		buffer_append(&line, bytes_of_text("RECEIPT OVERDUE  "));
	if (entry_acknowledgment_is_overdue(row, now))
		buffer_append(&line, bytes_of_text("ACKNOWLEDGMENT OVERDUE  "));
	buffer_append(&line, bytes_of_text(row->kind == CONTENT_MESSAGE ? row->officer_name
									: content_kind_name(row->kind)));
	if (row->subject[0] != '\0') {
		buffer_append(&line, bytes_of_text(": "));
		buffer_append(&line, bytes_of_text(row->subject));
	}
	output_line(buffer_bytes(&line), ROW_INDENT);
}
