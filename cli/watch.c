#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/bell.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/entries.h"
#include "cli/entry_list.h"
#include "cli/hooks.h"
#include "cli/line_watch.h"
#include "cli/output.h"
#include "cli/status.h"
#include "envelope/content.h"

#define RECONNECT_S_MAX 16
#define ASK_MS          5000 /* how often the post is asked for what is awaited, and for its line */
#define ASK_SHARE       20   /* and at most this part of the time is spent on it */
#define PATIENCE_S      5    /* for an answer of the post: beyond it the bell would hang with it */

struct watching {
	const struct call *call;
	struct client client;
	struct bell bell;
	struct hooks *hooks;
	struct line_watch line;
	int signals;               /* a child's end, and what ends the watch */
	int64_t ask_ms;            /* when the post is asked next */
	struct entry_list overdue; /* told already, and still overdue */
	struct entry_list overdue_now;
	int ended_by;     /* the signal that ended it; 0: none yet */
	enum error error; /* of the form of a notice */
};

static int64_t steady_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what is told ---- */

static void begin_hook(const struct watching *watching, const char *event, const struct entry_row *row,
		       uint64_t urgency)
{
	struct hook_facts facts = {.event = event, .urgency = urgency};
	facts.precedence = precedence_name(row->precedence);
	facts.kind = content_kind_name(row->kind);
	output_hex(bytes_make(row->channel, CHANNEL_ID_SIZE), facts.channel);
	snprintf(facts.reference, sizeof facts.reference, "%s", row->reference);
	snprintf(facts.state, sizeof facts.state, "%s", state_name(row->state));
	hooks_add(watching->hooks, &facts, steady_ms());
}

/* The bell, one line, the hook: in this order, and none waits for the next. */
static void announce(struct watching *watching, const char *what, const struct entry_row *row)
{
	bool is_change = strcmp(what, "state") == 0;
	bell_note(&watching->bell, row, steady_ms());
	if (!is_change)
		bell_ring(&watching->bell, row->precedence, steady_ms());
	if (watching->call->json) {
		json_t *object = entry_row_json(row);
		json_object_set_new(object, "event", json_string(what));
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	} else {
		char before[16];
		snprintf(before, sizeof before, "%-8s", what);
		entry_row_print(before, row);
	}
	fflush(stdout);
	begin_hook(watching, what, row, is_change ? 0 : row->precedence);
	bell_tend(&watching->bell, steady_ms());
}

/* `facts` (NULL: none) join the JSON object, and are freed here. */
static void print_plain(const struct watching *watching, const char *what, const char *text, json_t *facts)
{
	if (watching->call->json) {
		json_t *object = json_pack("{s:s, s:o}", "event", what, "detail",
					   output_json_text(bytes_of_text(text)));
		if (facts != NULL)
			json_object_update(object, facts);
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	} else {
		char line[1024];
		snprintf(line, sizeof line, "%-8s%s%s", what, strlen(what) < 8 ? "" : " ", text);
		output_line(bytes_of_text(line), 8);
	}
	fflush(stdout);
	json_decref(facts);
}

/* What a line event says beside its text: NULL for nothing. */
static json_t *line_facts(const struct line_event *event)
{
	if (event->route[0] != '\0')
		return json_pack("{s:s, s:s, s:s}", "route", event->route, "neighbour", event->neighbour,
				 "state", event->state);
	if (event->precedence != 0)
		return json_pack("{s:s}", "precedence", precedence_name(event->precedence));
	return event->state == NULL ? NULL : json_pack("{s:s}", "state", event->state);
}

/*
 * What has become of the post, its disk, the courier or a route. Of a route its hook is told the name and the
 * state alone, of the disk the state.
 */
static void announce_line(void *context, const struct line_event *event)
{
	struct watching *watching = context;
	struct hook_facts facts = {.event = event->event, .precedence = "", .kind = ""};
	facts.urgency = event->is_urgent ? PRECEDENCE_FLASH : event->precedence;
	if (event->precedence != 0)
		facts.precedence = precedence_name(event->precedence);
	snprintf(facts.reference, sizeof facts.reference, "%s", event->route);
	snprintf(facts.state, sizeof facts.state, "%s", event->state == NULL ? event->text : event->state);
	bell_ring(&watching->bell, event->is_cut ? PRECEDENCE_FLASH : event->precedence, steady_ms());
	print_plain(watching, event->event, event->text, line_facts(event));
	hooks_add(watching->hooks, &facts, steady_ms());
}

static void take_alert(struct watching *watching, struct cbor_reader *reader)
{
	struct hook_facts facts = {
		.event = "alert", .precedence = "", .kind = "", .urgency = PRECEDENCE_FLASH};
	char text[HOOK_STATE_SIZE + 2 * NAME_SIZE_MAX + REFERENCE_SIZE_MAX];
	uint64_t reason = cbor_read_uint_max(reader, UINT16_MAX);
	struct bytes detail = cbor_read_text(reader, 256), id = bytes_make(NULL, 0);
	if (!cbor_read_null(reader))
		id = cbor_read_bytes(reader, CHANNEL_ID_SIZE);
	struct bytes title = cbor_read_text(reader, NAME_SIZE_MAX);
	struct bytes log = cbor_read_text(reader, REFERENCE_SIZE_MAX);
	struct bytes message = cbor_read_text(reader, REFERENCE_SIZE_MAX);
	if (cbor_read_end(reader) != ERROR_OK)
		return;
	bool is_of_log = log.size != 0;
	if (id.size == CHANNEL_ID_SIZE)
		output_hex(id, facts.channel);
	struct bytes of = is_of_log ? log : message;
	/* What is said of a message says all. */
	snprintf(facts.state, sizeof facts.state, "%s%s%.*s",
		 message.size == 0 ? error_text((enum error)reason) : "", message.size == 0 ? ": " : "",
		 (int)detail.size, (const char *)detail.data);
	snprintf(facts.reference, sizeof facts.reference, "%.*s", (int)of.size, (const char *)of.data);
	snprintf(text, sizeof text, "%s%s%.*s%s%s", facts.reference, of.size == 0 ? "" : " on ",
		 (int)title.size, (const char *)title.data, of.size == 0 ? "" : ": ", facts.state);
	bell_ring(&watching->bell, PRECEDENCE_FLASH, steady_ms());
	print_plain(watching, "alert", text,
		    of.size == 0 ? NULL
				 : json_pack("{s:o, s:o, s:o}", "channel", output_json_hex(id), "title",
					     output_json_text(title), is_of_log ? "log" : "reference",
					     output_json_text(of)));
	hooks_add(watching->hooks, &facts, steady_ms());
}

static void take_channel(const struct watching *watching, struct cbor_reader *reader)
{
	struct hook_facts facts = {.event = "channel", .precedence = "", .kind = ""};
	uint8_t id[CHANNEL_ID_SIZE] = {0};
	char text[64];
	cbor_read_bytes_exact(reader, id, sizeof id);
	if (cbor_read_end(reader) != ERROR_OK)
		return;
	output_hex(bytes_make(id, sizeof id), facts.channel);
	snprintf(text, sizeof text, "the registry of channel %.*s changed", KNOWN_ID_DIGITS_MIN,
		 facts.channel);
	snprintf(facts.state, sizeof facts.state, "%s", text);
	print_plain(watching, "channel", text, json_pack("{s:s}", "channel", facts.channel));
	hooks_add(watching->hooks, &facts, steady_ms());
}

/* A notice, also one that comes before the reply to a question. */
static void take_notice(void *context, struct bytes frame)
{
	struct watching *watching = context;
	struct cbor_reader reader = cbor_reader_make(frame);
	cbor_read_array(&reader, 8);
	uint64_t number = cbor_read_uint(&reader), notice = cbor_read_uint(&reader);
	struct entry_row row;
	if (number != 0)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	switch (reader.error == ERROR_OK ? notice : 0) {
	case LOCAL_ARRIVED:
	case LOCAL_STATE:
		entry_row_read(&reader, &row);
		if (cbor_read_end(&reader) == ERROR_OK)
			announce(watching, notice == LOCAL_ARRIVED ? "arrived" : "state", &row);
		break;
	case LOCAL_CHANNEL_CHANGED:
		take_channel(watching, &reader);
		break;
	case LOCAL_ALERT:
		take_alert(watching, &reader);
		break;
	default:
		break; /* of a newer daemon */
	}
	if (reader.error != ERROR_OK)
		watching->error = reader.error;
}

/* A message that arrived while nobody watched is not silent either. */
static bool announce_unread(const struct entry_row *row, void *context)
{
	if (row->state < LOCAL_READ)
		announce(context, "unread", row);
	return true;
}

/* ---- what is overdue, and how the line stands ---- */

static bool tell_overdue(const struct entry_row *row, void *context)
{
	struct watching *watching = context;
	uint64_t now = (uint64_t)time(NULL), parts = 0;
	if (entry_receipt_is_overdue(row, now))
		parts |= 1;
	if (entry_acknowledgment_is_overdue(row, now))
		parts |= 2;
	if (parts == 0 || !entry_list_add(&watching->overdue_now, row, parts))
		return true;
	if ((parts & ~entry_list_find(&watching->overdue, row)) != 0)
		announce(watching, "overdue", row);
	return true;
}

static bool ask_for_line(struct watching *watching)
{
	json_t *status = status_ask(&watching->client, watching->call);
	if (status == NULL)
		return false;
	line_watch_status(&watching->line, status);
	json_decref(status);
	return true;
}

/* The list is asked for anew each time, so that nothing here can go stale. */
static bool ask_post(struct watching *watching)
{
	int64_t start_ms = steady_ms();
	if (!ask_for_line(watching))
		return false;
	watching->overdue_now.count = 0;
	if (!entries_each(&watching->client, watching->call, NULL, SELECT_AWAITED, tell_overdue, watching))
		return false;
	struct entry_list before = watching->overdue;
	watching->overdue = watching->overdue_now;
	watching->overdue_now = before;
	int64_t now_ms = steady_ms(), rest_ms = ASK_SHARE * (now_ms - start_ms);
	watching->ask_ms = now_ms + (rest_ms > ASK_MS ? rest_ms : ASK_MS);
	return true;
}

/* ---- the loop ---- */

/*
 * The post is asked first, since an acknowledgment may have come unsaid; where it cannot be asked the bell
 * rings.
 */
static void ring_again(struct watching *watching)
{
	struct bell *bell = &watching->bell;
	size_t before = bell->flashes.count + 1;
	while (bell->flashes.count > 0 && bell->flashes.count < before) {
		struct entry_row key = entry_list_key(&bell->flashes.entries[0]);
		struct whole_entry entry;
		before = bell->flashes.count;
		if (watching->client.fd < 0 || !entry_get(&watching->client, watching->call, &key, &entry))
			break;
		bell_note(bell, &entry.row, steady_ms());
	}
	bell->again_ms = steady_ms() + BELL_AGAIN_MS;
	if (bell->flashes.count > 0)
		bell_ring(bell, PRECEDENCE_FLASH, steady_ms());
}

static void take_signals(struct watching *watching)
{
	struct signalfd_siginfo signal;
	while (read(watching->signals, &signal, sizeof signal) == (ssize_t)sizeof signal)
		if (signal.ssi_signo != SIGCHLD)
			watching->ended_by = (int)signal.ssi_signo;
}

/*
 * Rings and tends hooks until something can be read from `fd` (-1: nothing), which is true, `until_ms` has
 * come, or a signal ends the watch.
 */
static bool tend(struct watching *watching, int fd, int64_t until_ms)
{
	for (;;) {
		int64_t now_ms = steady_ms(), next_ms = until_ms;
		if (bell_is_due_again(&watching->bell, now_ms))
			ring_again(watching);
		bell_tend(&watching->bell, now_ms);
		hooks_tend(watching->hooks, now_ms);
		if (watching->ended_by != 0 || now_ms >= until_ms)
			return false;
		if (fd >= 0 && client_is_ready(&watching->client))
			return true;
		if (bell_next_ms(&watching->bell) < next_ms)
			next_ms = bell_next_ms(&watching->bell);
		if (hooks_next_ms(watching->hooks) < next_ms)
			next_ms = hooks_next_ms(watching->hooks);
		int64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
		struct pollfd polled[] = {{.fd = watching->signals, .events = POLLIN},
					  {.fd = fd, .events = POLLIN}};
		(void)poll(polled, 2, wait_ms > 60000 ? 60000 : (int)wait_ms);
		take_signals(watching);
		if (polled[1].revents != 0 && watching->ended_by == 0)
			return true;
	}
}

/* From here on nothing is missed: whoever started us may wait for this line. No event for a hook. */
static void announce_begin(const struct watching *watching)
{
	if (watching->call->json)
		printf("{\"event\":\"watching\"}\n");
	else
		printf("watching: what comes is told here, until Ctrl-C\n");
	fflush(stdout);
}

/*
 * Watches until the daemon goes away. False if it could not even be asked. Subscribed first: what comes while
 * the list is read is told as it comes, so nothing falls between the two.
 */
static bool watch_once(struct watching *watching)
{
	struct client *client = &watching->client;
	struct cbor_reader reply;
	size_t results;
	client_set_patience(client, PATIENCE_S);
	watching->ask_ms = steady_ms();
	client->on_notice = take_notice;
	client->notice_context = watching;
	watching->error = ERROR_OK;
	client_begin(client, LOCAL_SUBSCRIBE, 0);
	if (!client_ask(client, watching->call, "watching", &reply, &results) ||
	    !entries_each(client, watching->call, NULL, SELECT_RECEIVED, announce_unread, watching))
		return false;
	line_watch_post(&watching->line, true);
	announce_begin(watching);
	while (watching->error == ERROR_OK) {
		struct bytes frame;
		if (steady_ms() >= watching->ask_ms && !ask_post(watching))
			return true;
		if (tend(watching, client->fd, watching->ask_ms)) {
			if (client_next(client, &frame) != ERROR_OK)
				return true;
			take_notice(watching, frame);
		}
		if (watching->ended_by != 0)
			return true;
	}
	return false;
}

/* Signals are read, not handled, so that none comes between two looks. Those that are ignored stay so. */
static bool open_signals(struct watching *watching)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++) {
		struct sigaction action;
		if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&wanted, ending[i]);
	}
	if (sigprocmask(SIG_BLOCK, &wanted, NULL) != 0)
		return false;
	watching->signals = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
	return watching->signals >= 0;
}

static void watch_always(struct watching *watching)
{
	const char *directory = call_post(watching->call);
	for (int64_t wait_s = 1;;) {
		char reason[1024];
		bool heard = watching->client.fd >= 0 && watch_once(watching);
		client_close(&watching->client);
		if (watching->ended_by != 0)
			return;
		line_watch_post(&watching->line, false);
		tend(watching, -1, steady_ms() + 1000 * wait_s);
		if (watching->ended_by != 0)
			return;
		wait_s = heard ? 1 : (wait_s < RECONNECT_S_MAX ? 2 * wait_s : RECONNECT_S_MAX);
		client_connect(&watching->client, directory, reason, sizeof reason);
	}
}

/* As if it had not been caught: who started this sees what ended it. */
static int die_of(int signal)
{
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 1;
}

static int run_watch(struct call *call)
{
	struct watching watching = {
		.call = call,
		.client = {.fd = -1},
		.signals = -1,
		.bell = {.wanted = call_has(call, "bell"), .from = PRECEDENCE_IMMEDIATE},
		.line = {.tell = announce_line, .context = &watching},
	};
	call->events = true;
	if (!output_precedence_parse(call, call_value(call, "bell-from", "immediate"), &watching.bell.from))
		return 2;
	if (!client_open(&watching.client, call))
		return 1;
	watching.hooks = calloc(1, sizeof *watching.hooks);
	if (watching.hooks == NULL || !open_signals(&watching)) {
		client_close(&watching.client);
		free(watching.hooks);
		return call_fail_error(call, "watching", ERROR_NO_MEMORY);
	}
	watching.hooks->command = call_value(call, "hook", NULL);
	watch_always(&watching);
	hooks_end(watching.hooks);
	free(watching.hooks);
	bell_free(&watching.bell);
	line_watch_free(&watching.line);
	entry_list_free(&watching.overdue);
	entry_list_free(&watching.overdue_now);
	close(watching.signals);
	return die_of(watching.ended_by);
}

static const struct option watch_options[] = {
	{"bell", 'b', NULL, "ring the terminal's bell: once more for each step of precedence"},
	{"bell-from", 0, "PRECEDENCE", "the lowest precedence that rings (immediate if not given)"},
	{"hook", 0, "CMD", "run CMD with sh at each event, its facts in the environment"},
	{NULL, 0, NULL, NULL},
};

const struct command command_watch = {
	.name = "watch",
	.operands = "",
	.summary = "tell what arrives, live, with bell and hook, so that a FLASH is never silent",
	.help = "Names the messages that nobody has acknowledged yet, says that it watches, and\n"
		"waits for what comes: messages, acknowledgments, each state of own messages from\n"
		"released on, alerts, and what becomes overdue: a\n"
		"receipt of an own message once the handling time of the terms is over, an\n"
		"acknowledgment, own or owed, once the time asked for is past. A FLASH received rings\n"
		"again every 10 seconds until an officer acknowledges it: ack.\n\n"
		"Where the line is cut no FLASH can come, so that is told too, and rings as a FLASH,\n"
		"once: post-gone when the post's daemon does not answer, courier-gone when it has no\n"
		"courier, route when a route becomes silent or down, disk when the post's disk fills up,\n"
		"at each step (low, scarce, last) in which the post takes less. What then stays with the\n"
		"courier is told as left, and rings at the highest precedence in it. courier-full is the\n"
		"courier's disk, nearly full: it refuses the bulk, or soon will; an own FLASH or IMMEDIATE\n"
		"that it has no room for, or that is not taken on its way, is an alert with the message's\n"
		"reference. The post is asked every 5 seconds. post-back, courier-back, courier-room,\n"
		"route up and disk ample tell the end of it. The watch goes on until Ctrl-C, also while\n"
		"the daemon is gone.\n\n"
		"A hook is told LIAISON_EVENT (unread, arrived, state, overdue, channel, alert, and\n"
		"those above), LIAISON_CHANNEL (its id, as --channel takes it; empty: it is of none),\n"
		"LIAISON_REFERENCE (of route: its name), LIAISON_PRECEDENCE, LIAISON_KIND and\n"
		"LIAISON_STATE (of route: up, degraded, silent, down; of disk: ample, low, scarce,\n"
		"last), and no content. Nothing waits for a hook: 16 run at a time, the last 8 of them\n"
		"for FLASH, alerts and cut lines alone, others wait, the urgent first. A hook is ended\n"
		"after 60 seconds, and with the watch.\n\n"
		"Example: liaison watch --bell --hook 'test \"$LIAISON_EVENT $LIAISON_PRECEDENCE\" \\\n"
		"  != \"arrived FLASH\" || page-the-duty-officer'",
	.options = watch_options,
	.takes = TAKES_POST,
	.run = run_watch,
};
