#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/entries.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/signing.h"
#include "envelope/signed.h"

struct listing {
	json_t *rows; /* NULL: print lines */
	bool unread_only;
	size_t count;
};

static bool list_row(const struct entry_row *row, void *context)
{
	struct listing *listing = context;
	if (listing->unread_only && row->state >= LOCAL_READ)
		return true;
	listing->count++;
	if (listing->rows != NULL)
		json_array_append_new(listing->rows, entry_row_json(row));
	else
		entry_row_print("", row);
	return true;
}

static int run_inbox(struct call *call)
{
	struct client client;
	struct listing listing = {.unread_only = call_has(call, "unread")};
	if (!client_open(&client, call))
		return 1;
	bool of_one = call_has(call, "channel");
	struct known_channel *channel = of_one ? known_channel_find(&client, call) : NULL;
	listing.rows = call->json ? json_array() : NULL;
	bool done = (channel != NULL || !of_one) &&
		    entries_each(&client, call, of_one ? channel->id : NULL,
				 call_has(call, "sent") ? SELECT_OWN : SELECT_RECEIVED, list_row, &listing);
	known_channel_free(channel);
	client_close(&client);
	if (!done) {
		json_decref(listing.rows);
		return 1;
	}
	if (call->json)
		return output_json(call, listing.rows);
	if (listing.count == 0)
		fprintf(stderr, "no messages\n");
	return 0;
}

/* The whole entry rendered from its signed bytes, then what became of it. */
static bool show(const struct call *call, const struct known_channel *channel,
		 const struct whole_entry *entry)
{
	struct signed_entry *signed_bytes = malloc(sizeof *signed_bytes);
	struct render_names names;
	size_t index = log_roster_index(entry->row.log);
	if (signed_bytes == NULL || index >= channel->roster.count ||
	    entry_decode(entry->cose, signed_bytes) != ERROR_OK) {
		call_fail(call, "%s was refused: its content is not kept, only its place in the log",
			  entry->row.reference);
		free(signed_bytes);
		return false;
	}
	bool done = known_names_make(call, channel, index, &names);
	if (done) {
		names.reference = bytes_of_text(entry->row.reference);
		for (size_t i = 0; i < channel->logs_count; i++)
			if (channel->logs[i].log == entry->row.log)
				names.from_post = bytes_of_text(channel->logs[i].post_name);
		done = show_payload(call, signed_bytes->cose.payload, &names, stdout);
		known_names_free(&names);
	}
	for (size_t i = 0; done && i < entry->row.times_count; i++) {
		char time[DATE_TIME_GROUP_SIZE + 1];
		output_time(entry->row.times[i].at_ms / 1000, time);
		printf("%s %s%s", time, state_name(entry->row.times[i].state),
		       entry->row.times[i].detail[0] != '\0' ? " " : "");
		output_text(bytes_of_text(entry->row.times[i].detail));
		printf("\n");
	}
	if (done)
		entry_due_print(&entry->row);
	free(signed_bytes);
	return done;
}

static int show_json(const struct call *call, const struct whole_entry *entry)
{
	struct signed_entry *signed_bytes = malloc(sizeof *signed_bytes);
	json_t *object = entry_row_json(&entry->row);
	json_object_set_new(object, "cose", output_json_hex(entry->cose));
	json_object_set_new(object, "leaf", output_json_hex(entry->leaf));
	json_object_set_new(object, "receipt", output_json_hex(entry->receipt));
	if (signed_bytes != NULL && entry_decode(entry->cose, signed_bytes) == ERROR_OK &&
	    signed_bytes->content.kind == CONTENT_MESSAGE)
		json_object_set_new(object, "text", output_json_text(signed_bytes->content.of.message.text));
	free(signed_bytes);
	return output_json(call, object);
}

static int run_show(struct call *call)
{
	struct client client;
	struct entry_row row;
	int code = 1;
	if (!client_open(&client, call))
		return 1;
	struct known_channel *channel = known_channel_find(&client, call);
	struct whole_entry *entry = calloc(1, sizeof *entry);
	if (channel != NULL && entry != NULL && entry_find(&client, call, channel, call->operand[0], &row) &&
	    entry_get(&client, call, &row, entry)) {
		if (call->json)
			code = show_json(call, entry);
		else
			code = show(call, channel, entry) ? 0 : 1;
	}
	free(entry);
	known_channel_free(channel);
	client_close(&client);
	return code;
}

static const struct option inbox_options[] = {
	{"unread", 'u', NULL, "only what no officer has acknowledged yet"},
	{"sent", 0, NULL, "own messages and what became of them, instead of those received"},
	{"channel", 'c', "CHANNEL", "only this channel, by title, other party or id (all if not given)"},
	{NULL, 0, NULL, NULL},
};
static const struct option show_options[] = {
	{"channel", 'c', "CHANNEL", "the channel, by title, other party or id, where there are several"},
	{NULL, 0, NULL, NULL},
};

const struct command command_inbox = {
	.name = "inbox",
	.operands = "",
	.summary = "list the messages received, oldest first",
	.help = "One line for each message: its reference, the time its author gave it, precedence, state, "
		"officer and\n"
		"subject, and what is overdue: a receipt once the handling time of the terms is over, an\n"
		"acknowledgment once the time is past by which the author asked for it. A gap in the numbers "
		"of a post means that something has not arrived: status names "
		"it.",
	.options = inbox_options,
	.takes = TAKES_POST,
	.run = run_inbox,
};

const struct command command_show = {
	.name = "show",
	.operands = "REFERENCE",
	.summary = "show one entry, rendered from the bytes that were signed",
	.help = "Shows a message, acknowledgment or letter with its heading and numbered lines, and each "
		"state it has\n"
		"been in. To tell its author that it was read: ack.\n\n"
		"Example: liaison show 'EMBASSY 0042/26'",
	.options = show_options,
	.takes = TAKES_POST,
	.operands_min = 1,
	.operands_max = 1,
	.run = run_show,
};
