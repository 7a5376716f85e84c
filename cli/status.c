#include "cli/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/entry_list.h"
#include "cli/output.h"
#include "cli/registry.h"

#define KEYS_SHOWN_MAX (COUNTERPARTS_MAX * POST_SLOTS) /* posts of all parties: as many as there can be */

static const char *route_state_name(uint64_t state)
{
	static const char *const names[] = {"?", "up", "degraded", "silent", "down"};
	return state < sizeof names / sizeof names[0] ? names[state] : "?";
}

static const char *heads_name(uint64_t heads)
{
	static const char *const names[] = {
		[LOCAL_HEADS_AGREE] = "agree",
		[LOCAL_HEADS_NOT_COMPARED] = "not compared yet",
		[LOCAL_HEADS_DIFFER] = "differ",
		[LOCAL_HEADS_FORKED] = "forked",
	};
	return heads >= LOCAL_HEADS_AGREE && heads <= LOCAL_HEADS_FORKED ? names[heads] : "?";
}

static const char *const disk_names[] = {
	[LOCAL_DISK_AMPLE] = "ample",
	[LOCAL_DISK_LOW] = "low",
	[LOCAL_DISK_SCARCE] = "scarce",
	[LOCAL_DISK_LAST] = "last",
};

static const char *disk_name(uint64_t disk)
{
	return disk >= LOCAL_DISK_AMPLE && disk <= LOCAL_DISK_LAST ? disk_names[disk] : "?";
}

const char *status_disk_text(const char *level)
{
	static const char *const texts[] = {
		[LOCAL_DISK_AMPLE] = "there is room on the post's disk",
		[LOCAL_DISK_LOW] =
			"the post's disk is getting full: ROUTINE messages and backups are refused, so free "
			"some room on it",
		[LOCAL_DISK_SCARCE] =
			"the post's disk is nearly full: only urgent messages and letters are taken, so free "
			"some room on it at once",
		[LOCAL_DISK_LAST] =
			"the post's disk is full: no message is taken, not even a FLASH, only receipts and "
			"letters, so free some room on it at once",
	};
	for (uint64_t disk = LOCAL_DISK_AMPLE; disk <= LOCAL_DISK_LAST; disk++)
		if (strcmp(level, disk_names[disk]) == 0)
			return texts[disk];
	return "the post says of its disk what this program does not know";
}

static json_t *read_gaps(struct cbor_reader *reply)
{
	json_t *gaps = json_array();
	size_t count = cbor_read_array(reply, LOCAL_FRAME_SIZE_MAX);
	for (size_t i = 0; i < count && reply->error == ERROR_OK; i++) {
		cbor_read_array_exact(reply, 4);
		json_int_t log = (json_int_t)cbor_read_uint(reply),
			   incarnation = (json_int_t)cbor_read_uint(reply);
		json_int_t first = (json_int_t)cbor_read_uint(reply),
			   missing = (json_int_t)cbor_read_uint(reply);
		json_array_append_new(gaps, json_pack("{s:I, s:I, s:I, s:I}", "log", log, "incarnation",
						      incarnation, "first", first, "count", missing));
	}
	return gaps;
}

static json_t *read_branches(struct cbor_reader *reply)
{
	json_t *branches = json_array();
	size_t count = cbor_read_array(reply, LOCAL_FRAME_SIZE_MAX);
	for (size_t i = 0; i < count && reply->error == ERROR_OK; i++) {
		json_int_t numbers[5];
		cbor_read_array_exact(reply, 5);
		for (size_t j = 0; j < 5; j++)
			numbers[j] = (json_int_t)cbor_read_uint(reply);
		json_array_append_new(branches, json_pack("{s:I, s:I, s:I, s:I, s:I}", "log", numbers[0],
							  "incarnation", numbers[1], "follows", numbers[2],
							  "size", numbers[3], "known", numbers[4]));
	}
	return branches;
}

static json_t *read_counts(struct cbor_reader *reply)
{
	json_t *counts = json_array();
	cbor_read_array_exact(reply, PRECEDENCE_COUNT);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		json_array_append_new(counts, json_integer((json_int_t)cbor_read_uint(reply)));
	return counts;
}

/* A number that is not 0, or null. */
static json_t *read_number(struct cbor_reader *reply)
{
	return cbor_read_null(reply) ? json_null() : json_integer((json_int_t)cbor_read_uint(reply));
}

static json_t *read_channel(struct cbor_reader *reply)
{
	cbor_read_array_exact(reply, 9);
	struct bytes id = cbor_read_bytes(reply, CHANNEL_ID_SIZE);
	struct bytes title = cbor_read_text(reply, NAME_SIZE_MAX);
	json_t *waiting = read_counts(reply), *oldest = read_number(reply);
	const char *heads = heads_name(cbor_read_uint(reply));
	json_t *cosigned_at = read_number(reply), *unread = read_counts(reply), *gaps = read_gaps(reply);
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "channel", output_json_hex(id),
			 "title", output_json_text(title), "waiting_for_receipt", waiting,
			 "oldest_unreceipted_ms", oldest, "heads", heads, "cosigned_at", cosigned_at,
			 "unread", unread, "gaps", gaps, "branches", read_branches(reply));
}

static json_t *read_route(struct cbor_reader *reply)
{
	cbor_read_array_exact(reply, 5);
	struct bytes route = cbor_read_text(reply, EID_SIZE_MAX),
		     neighbour = cbor_read_text(reply, EID_SIZE_MAX);
	uint64_t state = cbor_read_uint(reply);
	json_int_t since = (json_int_t)cbor_read_uint(reply), queued = (json_int_t)cbor_read_uint(reply);
	return json_pack("{s:o, s:o, s:s, s:I, s:I}", "route", output_json_text(route), "neighbour",
			 output_json_text(neighbour), "state", route_state_name(state), "since_ms", since,
			 "queued_bytes", queued);
}

static json_t *read_refused(struct cbor_reader *reply)
{
	cbor_read_array_exact(reply, 4);
	uint64_t reason = cbor_read_uint_max(reply, UINT16_MAX);
	json_int_t count = (json_int_t)cbor_read_uint(reply), last = (json_int_t)cbor_read_uint(reply);
	struct bytes from = cbor_read_text(reply, EID_SIZE_MAX);
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:o}", "reason", (json_int_t)reason, "name",
			 error_name((enum error)reason), "text", error_text((enum error)reason), "count",
			 count, "last_ms", last, "last_from",
			 from.size == 0 ? json_null() : output_json_text(from));
}

static const char *keys_name(uint64_t keys)
{
	static const char *const names[] = {
		[LOCAL_KEYS_EPOCHS] = "prekeys",  [LOCAL_KEYS_NONE] = "none",
		[LOCAL_KEYS_DOUBTED] = "doubted", [LOCAL_KEYS_RESTORED] = "restored",
		[LOCAL_KEYS_ENDED] = "ended",
	};
	return keys >= LOCAL_KEYS_EPOCHS && keys <= LOCAL_KEYS_ENDED ? names[keys] : "?";
}

static json_t *read_keys(struct cbor_reader *reply)
{
	cbor_read_array_exact(reply, 7);
	struct bytes party = cbor_read_text(reply, NAME_SIZE_MAX),
		     post = cbor_read_text(reply, NAME_SIZE_MAX);
	const char *state = keys_name(cbor_read_uint(reply));
	json_t *keying = read_number(reply), *next = read_number(reply);
	json_int_t left = (json_int_t)cbor_read_uint(reply);
	return json_pack("{s:o, s:o, s:s, s:b, s:o, s:o, s:I, s:o}", "party", output_json_text(party), "post",
			 output_json_text(post), "keys", state, "last_resort",
			 strcmp(state, "prekeys") != 0 && strcmp(state, "none") != 0, "keying", keying,
			 "next_keying", next, "prekeys_left", left, "prekeys_end", read_number(reply));
}

static json_t *read_list(struct cbor_reader *reply, size_t count_max,
			 json_t *(*read_one)(struct cbor_reader *reply))
{
	json_t *list = json_array();
	size_t count = cbor_read_array(reply, count_max);
	for (size_t i = 0; i < count && reply->error == ERROR_OK; i++)
		json_array_append_new(list, read_one(reply));
	return list;
}

static void print_heads(FILE *out, const json_t *channel)
{
	const char *heads = json_string_value(json_object_get(channel, "heads"));
	const json_t *cosigned_at = json_object_get(channel, "cosigned_at");
	char time[DATE_TIME_GROUP_SIZE + 1];

	fprintf(out, "channel %s: heads %s", json_string_value(json_object_get(channel, "title")), heads);
	if (json_is_integer(cosigned_at)) {
		output_time((uint64_t)json_integer_value(cosigned_at), time);
		fprintf(out, ", the other side's cosignature is of %s", time);
	} else if (strcmp(heads, "differ") == 0) {
		fprintf(out,
			": a post's signed head is not that of its log as held here; run liaison verify");
	} else if (strcmp(heads, "forked") == 0) {
		fprintf(out, ": A POST HAS SIGNED TWO HISTORIES, and the proof is kept");
	}
	fputc('\n', out);
}

/* What was awaited and is overdue, of one channel. */
struct overdue {
	struct entry_list seen;
	size_t receipts;
	size_t acknowledgments;
	size_t owed; /* acknowledgments of ours */
};

static bool count_overdue(const struct entry_row *row, void *context)
{
	struct overdue *overdue = context;
	uint64_t now = (uint64_t)time(NULL);
	bool receipt = entry_receipt_is_overdue(row, now);
	bool acknowledgment = entry_acknowledgment_is_overdue(row, now);
	if ((!receipt && !acknowledgment) || !entry_list_add(&overdue->seen, row, 1))
		return true;
	overdue->receipts += receipt;
	overdue->acknowledgments += acknowledgment && row->own;
	overdue->owed += acknowledgment && !row->own;
	return true;
}

static void channel_id_of(const json_t *channel, uint8_t id[CHANNEL_ID_SIZE])
{
	const char *hex = json_string_value(json_object_get(channel, "channel"));
	memset(id, 0, CHANNEL_ID_SIZE);
	sodium_hex2bin(id, CHANNEL_ID_SIZE, hex, strlen(hex), NULL, NULL, NULL);
}

/* Adds "overdue" to each channel of the status. */
static bool add_overdue(struct client *client, const struct call *call, json_t *channels)
{
	for (size_t i = 0; i < json_array_size(channels); i++) {
		json_t *channel = json_array_get(channels, i);
		struct overdue overdue = {0};
		uint8_t id[CHANNEL_ID_SIZE];
		channel_id_of(channel, id);
		bool done = entries_each(client, call, id, SELECT_AWAITED, count_overdue, &overdue);
		entry_list_free(&overdue.seen);
		if (!done)
			return false;
		json_object_set_new(channel, "overdue",
				    json_pack("{s:I, s:I, s:I}", "receipts", (json_int_t)overdue.receipts,
					      "acknowledgments", (json_int_t)overdue.acknowledgments, "owed",
					      (json_int_t)overdue.owed));
	}
	return true;
}

/* "HEADQUARTERS.2 0008": a reference without its year, which only the entry itself tells. */
static json_t *reference_json(struct bytes name, uint64_t incarnation, uint64_t position)
{
	uint8_t memory[REFERENCE_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	reference_append(&buffer, name, incarnation, position, 0);
	struct bytes reference = buffer_bytes(&buffer);
	while (reference.size > 0 && reference.data[reference.size - 1] != '/')
		reference.size--;
	return output_json_text(bytes_make(reference.data, reference.size > 0 ? reference.size - 1 : 0));
}

/* What stands in references for the log that the object is of, in `memory`. */
static struct bytes name_of_log(const struct known_channel *channel, const json_t *object,
				uint8_t memory[REFERENCE_NAME_SIZE_MAX])
{
	struct buffer name = buffer_make(memory, REFERENCE_NAME_SIZE_MAX);
	uint64_t log = (uint64_t)json_integer_value(json_object_get(object, "log"));
	for (size_t i = 0; i < channel->logs_count; i++)
		if (channel->logs[i].log == log)
			known_log_name(channel, &channel->logs[i], &name);
	return name.size > 0 ? buffer_bytes(&name) : bytes_of_text("?");
}

static uint64_t number_of(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Says by its name which post's numbers are missing. */
static void name_gap(json_t *gap, const struct known_channel *channel)
{
	uint8_t memory[REFERENCE_NAME_SIZE_MAX];
	struct bytes name = name_of_log(channel, gap, memory);
	uint64_t incarnation = number_of(gap, "incarnation"), first = number_of(gap, "first");
	json_object_set_new(gap, "from", reference_json(name, incarnation, first));
	uint64_t last = first + number_of(gap, "count") - 1;
	json_object_set_new(gap, "to", reference_json(name, incarnation, last));
}

static json_t *end_json(struct bytes name, uint64_t incarnation, uint64_t size)
{
	return size == 0 ? json_string("nothing") : reference_json(name, incarnation, size - 1);
}

static void name_branch(json_t *branch, const struct known_channel *channel)
{
	uint8_t memory[REFERENCE_NAME_SIZE_MAX];
	struct bytes name = name_of_log(channel, branch, memory);
	uint64_t follows = number_of(branch, "follows");
	json_object_set_new(branch, "begins", reference_json(name, number_of(branch, "incarnation"), 0));
	json_object_set_new(branch, "after", end_json(name, follows, number_of(branch, "size")));
	json_object_set_new(branch, "up_to", end_json(name, follows, number_of(branch, "known")));
}

static bool name_logs(struct client *client, const struct call *call, json_t *channels)
{
	for (size_t i = 0; i < json_array_size(channels); i++) {
		json_t *channel = json_array_get(channels, i), *gaps = json_object_get(channel, "gaps");
		json_t *branches = json_object_get(channel, "branches");
		struct known_channel *known = NULL;
		uint8_t id[CHANNEL_ID_SIZE];
		channel_id_of(channel, id);
		if (json_array_size(gaps) + json_array_size(branches) > 0 &&
		    !known_channel_get(client, call, id, &known))
			return false;
		for (size_t j = 0; j < json_array_size(gaps); j++)
			name_gap(json_array_get(gaps, j), known);
		for (size_t j = 0; j < json_array_size(branches); j++)
			name_branch(json_array_get(branches, j), known);
		known_channel_free(known);
	}
	return true;
}

static void print_gap(FILE *out, const json_t *gap)
{
	const char *from = json_string_value(json_object_get(gap, "from"));
	const char *to = json_string_value(json_object_get(gap, "to"));
	fprintf(out, "  MISSING: %s", from);
	if (strcmp(from, to) != 0)
		fprintf(out, " to %s", to);
	fprintf(out, "\n");
}

static void print_overdue(FILE *out, const json_t *channel)
{
	const json_t *overdue = json_object_get(channel, "overdue");
	long long receipts = json_integer_value(json_object_get(overdue, "receipts"));
	long long acknowledgments = json_integer_value(json_object_get(overdue, "acknowledgments"));
	long long owed = json_integer_value(json_object_get(overdue, "owed"));
	if (receipts > 0)
		fprintf(out, "  OVERDUE: %lld of ours without receipt\n", receipts);
	if (acknowledgments > 0)
		fprintf(out, "  OVERDUE: %lld of ours without the acknowledgment asked for\n",
			acknowledgments);
	if (owed > 0)
		fprintf(out, "  OVERDUE: %lld of the other side that we have not acknowledged\n", owed);
}

/* Two continuations of one log: no fork, for each has its own numbers. */
static void print_branch(FILE *out, const json_t *branch)
{
	fprintf(out,
		"  BRANCHED: %s follows %s, and so do the numbers up to %s:\n"
		"    its post was restored from a backup, or two of it run\n",
		json_string_value(json_object_get(branch, "begins")),
		json_string_value(json_object_get(branch, "after")),
		json_string_value(json_object_get(branch, "up_to")));
}

/* The highest precedence first. */
static void print_counts(FILE *out, const json_t *counts, const char *what)
{
	for (size_t i = PRECEDENCE_COUNT; i-- > 0;)
		if (json_integer_value(json_array_get(counts, i)) > 0)
			fprintf(out, "  %lld %s %s\n",
				(long long)json_integer_value(json_array_get(counts, i)),
				precedence_name(i + 1), what);
}

/* "prefix 220405Z NOV 26": what a JSON value says in milliseconds. */
static void print_time(FILE *out, const char *prefix, const json_t *time_ms)
{
	char time[DATE_TIME_GROUP_SIZE + 1];
	output_time((uint64_t)json_integer_value(time_ms) / 1000, time);
	fprintf(out, "%s%s", prefix, time);
}

static void print_channel(FILE *out, const json_t *channel)
{
	print_heads(out, channel);
	print_counts(out, json_object_get(channel, "unread"), "received and not acknowledged");
	print_counts(out, json_object_get(channel, "waiting_for_receipt"), "without receipt");
	const json_t *oldest = json_object_get(channel, "oldest_unreceipted_ms");
	if (json_is_integer(oldest)) {
		print_time(out, "  oldest without receipt: ", oldest);
		fprintf(out, "\n");
	}
	print_overdue(out, channel);
	const json_t *gaps = json_object_get(channel, "gaps");
	for (size_t i = 0; i < json_array_size(gaps); i++)
		print_gap(out, json_array_get(gaps, i));
	const json_t *branches = json_object_get(channel, "branches");
	for (size_t i = 0; i < json_array_size(branches); i++)
		print_branch(out, json_array_get(branches, i));
}

static void print_route(FILE *out, const json_t *route)
{
	fprintf(out, "  route %s to %s: %s", json_string_value(json_object_get(route, "route")),
		json_string_value(json_object_get(route, "neighbour")),
		json_string_value(json_object_get(route, "state")));
	print_time(out, " since ", json_object_get(route, "since_ms"));
	fprintf(out, ", %lld bytes queued\n",
		(long long)json_integer_value(json_object_get(route, "queued_bytes")));
}

static void print_refused(FILE *out, const json_t *row)
{
	const json_t *from = json_object_get(row, "last_from");
	fprintf(out, "  refused %lld: %s (", (long long)json_integer_value(json_object_get(row, "count")),
		json_string_value(json_object_get(row, "text")));
	print_time(out, "last ", json_object_get(row, "last_ms"));
	if (json_is_string(from))
		fprintf(out, " from %s", json_string_value(from));
	fprintf(out, ")\n");
	/* Two sides that hold different keyings of one number have no other sign of it. */
	if (json_integer_value(json_object_get(row, "reason")) == ERROR_CANNOT_OPEN)
		fprintf(out, "    where it goes on, the two sides may hold different keyings: compare their "
			     "numbers,\n"
			     "    and make one with the next number\n");
}

/* What it is sealed to, why where that is the last-resort key, and what is to be done. */
static void print_keys(FILE *out, const json_t *keys)
{
	static const struct {
		const char *state;
		const char *text;
	} texts[] = {
		{"none", "NONE: exchange cards, then liaison keying make or accept"},
		{"doubted",
		 "LAST RESORT, until it publishes new prekeys: it could not open, or was restored"},
		{"restored", "LAST RESORT, until the next keying: this post was restored"},
		{"ended", "LAST RESORT, until it is heard again: all its prekeys have ended"},
	};
	const char *state = json_string_value(json_object_get(keys, "keys"));
	const json_t *keying = json_object_get(keys, "keying"), *next = json_object_get(keys, "next_keying");
	fprintf(out, "keys to %s of %s: ", json_string_value(json_object_get(keys, "post")),
		json_string_value(json_object_get(keys, "party")));
	if (json_is_integer(keying))
		fprintf(out, "keying %lld, ", (long long)json_integer_value(keying));
	if (json_is_integer(next))
		fprintf(out, "keying %lld accepted but not seen to be held there yet, ",
			(long long)json_integer_value(next));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(state, texts[i].state) == 0)
			fprintf(out, "%s\n", texts[i].text);
	if (strcmp(state, "prekeys") == 0) {
		char time[DATE_TIME_GROUP_SIZE + 1];
		output_time((uint64_t)json_integer_value(json_object_get(keys, "prekeys_end")), time);
		fprintf(out, "%lld prekeys left, until %s\n",
			(long long)json_integer_value(json_object_get(keys, "prekeys_left")), time);
	}
}

static void print_disk(FILE *out, const json_t *status)
{
	const char *level = json_string_value(json_object_get(status, "disk"));
	if (strcmp(level, "ample") != 0)
		fprintf(out, "DISK: %s\n", status_disk_text(level));
	print_counts(out, json_object_get(status, "left_with_courier"),
		     "left with the courier for want of room on the post's disk");
}

static void print_status(FILE *out, const json_t *status)
{
	const json_t *channels = json_object_get(status, "channels"),
		     *routes = json_object_get(status, "routes");
	const json_t *refused = json_object_get(status, "refused"), *keys = json_object_get(status, "keys");
	for (size_t i = 0; i < json_array_size(channels); i++)
		print_channel(out, json_array_get(channels, i));
	print_disk(out, status);
	fprintf(out, "courier: %s\n",
		json_is_true(json_object_get(status, "courier_connected")) ? "connected" : "NOT CONNECTED");
	if (json_is_true(json_object_get(status, "courier_full")))
		fprintf(out, "  DISK: %s\n", STATUS_COURIER_FULL);
	for (size_t i = 0; i < json_array_size(routes); i++)
		print_route(out, json_array_get(routes, i));
	for (size_t i = 0; i < json_array_size(refused); i++)
		print_refused(out, json_array_get(refused, i));
	for (size_t i = 0; i < json_array_size(keys); i++)
		print_keys(out, json_array_get(keys, i));
	fprintf(out, "store: %lld bytes\n",
		(long long)json_integer_value(json_object_get(status, "store_bytes")));
}

json_t *status_ask(struct client *client, const struct call *call)
{
	struct cbor_reader reply;
	size_t results;
	client_begin(client, LOCAL_STATUS, 0);
	if (!client_ask(client, call, "asking the post for its status", &reply, &results))
		return NULL;
	json_t *channels = read_list(&reply, CHANNELS_MAX, read_channel);
	bool connected = cbor_read_bool(&reply);
	json_t *routes = read_list(&reply, ROUTES_MAX, read_route);
	json_t *refused = read_list(&reply, REFUSED_REASONS_MAX, read_refused);
	json_t *keys = read_list(&reply, KEYS_SHOWN_MAX, read_keys);
	json_int_t size = (json_int_t)cbor_read_uint(&reply);
	const char *disk = disk_name(cbor_read_uint(&reply));
	json_t *left = read_counts(&reply);
	bool courier_full = cbor_read_bool(&reply);
	enum error error = cbor_read_end(&reply);
	json_t *status = json_pack("{s:o, s:b, s:o, s:o, s:o, s:I, s:s, s:o, s:b}", "channels", channels,
				   "courier_connected", connected, "routes", routes, "refused", refused,
				   "keys", keys, "store_bytes", size, "disk", disk, "left_with_courier", left,
				   "courier_full", courier_full);
	if (error == ERROR_OK && status != NULL)
		return status;
	json_decref(status);
	call_fail_error(call, "the post's status", error == ERROR_OK ? ERROR_NO_MEMORY : error);
	return NULL;
}

/* Put together first, so that its lines can be broken where the terminal ends. */
static int show_status(const struct call *call, const json_t *status)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out != NULL)
		print_status(out, status);
	if (out == NULL || fclose(out) != 0) {
		free(text);
		return call_fail_error(call, "the status", ERROR_NO_MEMORY);
	}
	output_lines(bytes_make(text, size));
	free(text);
	return 0;
}

static int run_status(struct call *call)
{
	struct client client;
	if (!client_open(&client, call))
		return 1;
	json_t *status = status_ask(&client, call), *channels = json_object_get(status, "channels");
	bool done =
		status != NULL && add_overdue(&client, call, channels) && name_logs(&client, call, channels);
	client_close(&client);
	if (!done) {
		json_decref(status);
		return 1;
	}
	if (call->json)
		return output_json(call, status);
	int code = show_status(call, status);
	json_decref(status);
	return code;
}

static const struct option no_options[] = {{NULL, 0, NULL, NULL}};

const struct command command_status = {
	.name = "status",
	.operands = "",
	.summary = "what waits for a receipt, what is missing, which routes are up",
	.help = "For each channel: own messages without a receipt by precedence, the oldest of\n"
		"them, entries that are missing (they are asked for), logs that branched because\n"
		"a post was restored, what is overdue, what nobody has acknowledged, whether both\n"
		"sides' heads agree. Then, where the post's disk has no room for everything, what it\n"
		"still takes, and how many messages stay with the courier for it (one that was sent\n"
		"again counts again); the courier, whether its disk is nearly full, and its routes,\n"
		"what was refused since the store was made, why, when last, and from which node (as the\n"
		"courier says), and for each post of others the keying in use and how long its prekeys\n"
		"last, or that it is sealed to by last resort, and why.",
	.options = no_options,
	.takes = TAKES_POST,
	.run = run_status,
};
