#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/entries.h"
#include "cli/output.h"
#include "envelope/content.h"

#define RECONNECT_S_MAX 16

extern char **environ;

struct watching {
	const struct call *call;
	struct client client;
	bool bell;
	const char *hook;
	unsigned long long bell_from; /* the lowest precedence that rings */
};

/*
 * What a hook is told: words of our own, and references. The name in a reference is the other side's choice,
 * so what a shell could take for more than a word is not in it.
 */
struct event {
	const char *event; /* "arrived", "state", "channel", "alert" */
	const char *reference;
	const char *precedence;
	const char *kind;
	const char *state;
};

/* Runs the hook and waits for it, so that hooks never pile up. It gets its facts in the environment. */
static void run_hook(const struct watching *watching, const struct event *event)
{
	pid_t child;
	int status;
	char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(watching->hook), NULL};
	setenv("LIAISON_EVENT", event->event, 1);
	setenv("LIAISON_REFERENCE", event->reference, 1);
	setenv("LIAISON_PRECEDENCE", event->precedence, 1);
	setenv("LIAISON_KIND", event->kind, 1);
	setenv("LIAISON_STATE", event->state, 1);
	int error = arguments[2] == NULL ? ENOMEM
					 : posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ);
	if (error == 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	if (error != 0)
		fprintf(stderr, "liaison: the hook cannot be started: %s\n", strerror(error));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "liaison: the hook failed\n");
	free(arguments[2]);
}

static void ring(const struct watching *watching, uint64_t precedence)
{
	if (watching->bell && precedence >= watching->bell_from) {
		for (uint64_t i = 0; i < precedence; i++) {
			fputs("\a", stderr);
			fflush(stderr);
			usleep(200000);
		}
	}
}

/* Letters, digits, other scripts and what references are made of; all else as '_'. */
static void make_harmless(char *reference)
{
	for (; *reference != '\0'; reference++) {
		unsigned char byte = (unsigned char)*reference;
		if (byte < 0x80 && !isalnum(byte) && strchr(" ./-", byte) == NULL)
			*reference = '_';
	}
}

/* One line, the bell, the hook. */
static void announce(const struct watching *watching, const char *what, const struct entry_row *row)
{
	if (watching->call->json) {
		json_t *object = entry_row_json(row);
		json_object_set_new(object, "event", json_string(what));
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	} else {
		printf("%-8s", what);
		entry_row_print(row);
	}
	fflush(stdout);
	if (strcmp(what, "state") != 0)
		ring(watching, row->precedence);
	if (watching->hook != NULL) {
		char reference[sizeof row->reference];
		memcpy(reference, row->reference, sizeof reference);
		make_harmless(reference);
		struct event event = {what, reference, precedence_name(row->precedence),
				      content_kind_name(row->kind), state_name(row->state)};
		run_hook(watching, &event);
	}
}

static void announce_plain(const struct watching *watching, const char *what, const char *text)
{
	if (watching->call->json) {
		json_t *object = json_pack("{s:s, s:s}", "event", what, "detail", text);
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	} else {
		printf("%-8s%s\n", what, text);
	}
	fflush(stdout);
	if (strcmp(what, "alert") == 0)
		ring(watching, PRECEDENCE_FLASH);
	if (watching->hook != NULL) {
		struct event event = {what, "", "", "", text};
		run_hook(watching, &event);
	}
}

static void take_alert(const struct watching *watching, struct cbor_reader *reader)
{
	char text[512];
	uint64_t reason = cbor_read_uint_max(reader, UINT16_MAX);
	struct bytes detail = cbor_read_text(reader, 256);
	snprintf(text, sizeof text, "%s: %.*s", error_text((enum error)reason), (int)detail.size,
		 (const char *)detail.data);
	announce_plain(watching, "alert", text);
}

static enum error take_notice(const struct watching *watching, struct bytes frame)
{
	struct cbor_reader reader = cbor_reader_make(frame);
	cbor_read_array(&reader, 8);
	uint64_t number = cbor_read_uint(&reader), notice = cbor_read_uint(&reader);
	struct entry_row row;
	if (reader.error != ERROR_OK || number != 0)
		return ERROR_MALFORMED;
	switch (notice) {
	case LOCAL_ARRIVED:
	case LOCAL_STATE:
		entry_row_read(&reader, &row);
		if (cbor_read_end(&reader) == ERROR_OK)
			announce(watching, notice == LOCAL_ARRIVED ? "arrived" : "state", &row);
		break;
	case LOCAL_CHANNEL_CHANGED:
		announce_plain(watching, "channel", "the registry of a channel changed");
		break;
	case LOCAL_ALERT:
		take_alert(watching, &reader);
		break;
	default:
		break; /* of a newer daemon */
	}
	return reader.error;
}

/* A message that arrived while nobody watched is not silent either. */
static bool announce_unread(const struct entry_row *row, void *context)
{
	if (row->state < LOCAL_READ)
		announce(context, "unread", row);
	return true;
}

/*
 * Watches until the daemon goes away. False if it could not even be asked. Subscribed first: what comes while
 * the list is read stands in the list's later pages, so nothing falls between the two.
 */
static bool watch_once(struct watching *watching)
{
	struct cbor_reader reply;
	size_t results;
	struct bytes frame;
	client_begin(&watching->client, LOCAL_SUBSCRIBE, 0);
	if (!client_ask(&watching->client, watching->call, "watching", &reply, &results) ||
	    !entries_each(&watching->client, watching->call, NULL, SELECT_RECEIVED, announce_unread,
			  watching))
		return false;
	while (client_next(&watching->client, &frame) == ERROR_OK)
		if (take_notice(watching, frame) != ERROR_OK)
			return false;
	return true;
}

static int run_watch(struct call *call)
{
	struct watching watching = {
		.call = call,
		.bell = call_has(call, "bell"),
		.hook = call_value(call, "hook", NULL),
		.bell_from = PRECEDENCE_IMMEDIATE,
	};
	uint64_t from = PRECEDENCE_IMMEDIATE;
	if (!output_precedence_parse(call, call_value(call, "bell-from", "immediate"), &from))
		return 2;
	watching.bell_from = from;
	if (!client_open(&watching.client, call))
		return 1;
	for (unsigned wait_s = 1;;) {
		bool heard = watching.client.fd >= 0 && watch_once(&watching);
		client_close(&watching.client);
		fprintf(stderr, "liaison: the post's daemon is gone; trying again in %u s\n", wait_s);
		sleep(wait_s);
		wait_s = heard ? 1 : (wait_s < RECONNECT_S_MAX ? 2 * wait_s : RECONNECT_S_MAX);
		client_open(&watching.client, call);
	}
}

static const struct option watch_options[] = {
	{"bell", 'b', NULL, "ring the terminal's bell: once more for each step of precedence"},
	{"bell-from", 0, "PRECEDENCE", "the lowest precedence that rings (immediate if not given)"},
	{"hook", 0, "CMD", "run CMD with sh at each event, its facts in LIAISON_EVENT and other variables"},
	{NULL, 0, NULL, NULL},
};

const struct command command_watch = {
	.name = "watch",
	.operands = "",
	.summary = "tell what arrives, live, with bell and hook, so that a FLASH is never silent",
	.help = "Names the messages that nobody has acknowledged yet, then waits for what comes: messages,\n"
		"acknowledgments, changes of state of own messages, alerts. It goes on when the daemon "
		"restarts, until\n"
		"Ctrl-C. A hook is told LIAISON_EVENT (unread, arrived, state, channel, alert), "
		"LIAISON_REFERENCE,\n"
		"LIAISON_PRECEDENCE, LIAISON_KIND and LIAISON_STATE, and no content.\n\n"
		"Example: liaison watch --bell --hook 'test $LIAISON_PRECEDENCE != FLASH || "
		"page-the-duty-officer'",
	.options = watch_options,
	.run = run_watch,
};
