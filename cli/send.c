#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/entries.h"
#include "cli/files.h"
#include "cli/officer_key.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/signing.h"
#include "cli/submit.h"

/* What the commands of an officer go over: who signs, on which channel. */
struct speaking {
	const struct call *call;
	struct client client;
	struct known_channel *channel;
	struct officer_key key;
	struct render_names names;
	struct content *content;
	uint64_t highest;       /* precedence that the officer may use; 0: any */
	struct entry_row about; /* the entry that is answered or acknowledged */
	struct render_identity identity;
};

/* Checks what would be refused anyway before a passphrase is asked for. */
static bool may_speak(struct speaking *speaking)
{
	const struct known_channel *channel = speaking->channel;
	const struct officer_key *key = &speaking->key;
	if (memcmp(key->party_id, channel->members[channel->own_index].id, PARTY_ID_SIZE) != 0)
		return call_fail(speaking->call, "this key file belongs to an officer of another party") == 0;
	for (size_t i = 0; i < channel->officers_count; i++) {
		const struct known_officer *officer = &channel->officers[i];
		if (officer->party == channel->own_index && officer->number == key->officer.number &&
		    memcmp(officer->key, key->officer.key, PUBLIC_KEY_SIZE) == 0) {
			speaking->highest = officer->highest_precedence;
			return true;
		}
	}
	call_fail(speaking->call,
		  "officer %llu has no credence on this channel: liaison channel open gives it",
		  (unsigned long long)key->officer.number);
	return false;
}

static bool speaking_open(struct speaking *speaking, const struct call *call)
{
	*speaking = (struct speaking){.call = call, .client = {.fd = -1}};
	speaking->content = calloc(1, sizeof *speaking->content);
	if (speaking->content == NULL || !officer_key_read(call, &speaking->key) ||
	    !client_open(&speaking->client, call))
		return false;
	speaking->channel = known_channel_find(&speaking->client, call);
	return speaking->channel != NULL && may_speak(speaking) &&
	       known_names_make(call, speaking->channel, speaking->channel->own_index, &speaking->names);
}

static void speaking_close(struct speaking *speaking)
{
	known_names_free(&speaking->names);
	known_channel_free(speaking->channel);
	client_close(&speaking->client);
	free(speaking->content);
}

/* The entry named on the command line, for an answer or an acknowledgment. */
static bool find_about(struct speaking *speaking, const char *reference)
{
	if (!entry_find(&speaking->client, speaking->call, speaking->channel, reference, &speaking->about))
		return false;
	if (speaking->about.kind != CONTENT_MESSAGE || speaking->about.state == LOCAL_REFUSED) {
		call_fail(speaking->call,
			  "%s is no message that was accepted: only those are answered and "
			  "acknowledged",
			  speaking->about.reference);
		return false;
	}
	if (speaking->about.own) {
		call_fail(speaking->call, "%s is our own: the other side answers and acknowledges it",
			  speaking->about.reference);
		return false;
	}
	memcpy(speaking->identity.identity, speaking->about.identity, IDENTITY_SIZE);
	speaking->identity.reference = bytes_of_text(speaking->about.reference);
	speaking->names.identities = &speaking->identity;
	speaking->names.identities_count = 1;
	return true;
}

/* --ack-by: a date-time group, or +MINUTES from the message's time. */
static bool set_ack_by(const struct call *call, struct message *message)
{
	const char *text = call_value(call, "ack-by", NULL);
	if (text == NULL)
		return true;
	message->has_ack_by = true;
	if (text[0] == '+') {
		char *end = NULL;
		unsigned long minutes = text[1] >= '0' && text[1] <= '9' ? strtoul(text + 1, &end, 10) : 0;
		message->ack_by = message->time + 60 * (uint64_t)minutes;
		if (end != NULL && *end == '\0' && minutes >= 1 && minutes <= 525600)
			return true;
	} else if (date_time_group_parse(bytes_of_text(text), &message->ack_by) == ERROR_OK) {
		if (message->ack_by > message->time)
			return true;
		call_usage(call, "--ack-by lies in the past");
		return false;
	}
	call_usage(call, "--ack-by takes a date-time group such as '221830Z NOV 26', or +MINUTES");
	return false;
}

/* What is signed bears the time at which it is: not that of the first word typed, nor of the passphrase. */
static bool set_time(const struct call *call, struct content *content)
{
	uint64_t now = (uint64_t)time(NULL);
	if (content->kind == CONTENT_ACKNOWLEDGMENT)
		content->of.acknowledgment.time = now;
	if (content->kind != CONTENT_MESSAGE)
		return true;
	content->of.message.time = now;
	return set_ack_by(call, &content->of.message);
}

/* Who was asked "Sign this?" may have gone to lunch: what nobody can acknowledge in time does not go out. */
static bool is_in_time(const struct call *call, const struct content *content)
{
	if (content->kind != CONTENT_MESSAGE || !content->of.message.has_ack_by ||
	    content->of.message.ack_by > (uint64_t)time(NULL))
		return true;
	call_fail(call, "the time of --ack-by has passed before this was signed: nothing was sent");
	return false;
}

/* Shows, asks, signs, submits, and prints the reference. Returns the exit code. */
static int speak(struct speaking *speaking)
{
	const struct call *call = speaking->call;
	uint8_t *memory = malloc(ENTRY_SIZE_MAX);
	struct buffer out = buffer_make(memory, memory != NULL ? ENTRY_SIZE_MAX : 0);
	struct ed25519_pair pair;
	struct submitted submitted;
	struct aad aad;
	known_channel_aad(speaking->channel, &aad);
	speaking->content->signers_count = 1;
	speaking->content->signers[0] = (uint32_t)speaking->key.officer.number;
	bool done = officer_key_unlock(call, &speaking->key, &pair);
	if (done) {
		done = set_time(call, speaking->content) &&
		       sign_shown(call, speaking->content, &speaking->channel->terms, &aad, &speaking->names,
				  &pair, &out) &&
		       is_in_time(call, speaking->content);
		ed25519_pair_erase(&pair);
	}
	done = done && submit(&speaking->client, call, "sending", speaking->channel->id, buffer_bytes(&out),
			      &submitted);
	free(memory);
	if (!done)
		return 1;
	if (call->json)
		return output_json(call, json_pack("{s:s, s:I, s:I, s:I}", "reference", submitted.reference,
						   "log", (json_int_t)submitted.log, "incarnation",
						   (json_int_t)submitted.incarnation, "position",
						   (json_int_t)submitted.position));
	printf("%s released\n", submitted.reference);
	return 0;
}

/* As other systems write text: a byte order mark is left out, and CR LF is LF. */
static void make_plain(uint8_t *memory, struct bytes *text)
{
	size_t from = text->size >= 3 && memcmp(memory, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, to = 0;
	for (; from < text->size; from++)
		if (memory[from] != '\r' || from + 1 == text->size || memory[from + 1] != '\n')
			memory[to++] = memory[from];
	if (to != text->size)
		fprintf(stderr, "The text has the line ends or the byte order mark of another system: it is "
				"signed without\nthem.\n");
	*text = bytes_make(memory, to);
}

/* Where the first character stands that cannot be sent, and which it is. */
static void say_where(const struct call *call, struct bytes text)
{
	size_t at = text_plain_size(text), line = 1, column = 1;
	char visible[64];
	struct buffer shown = buffer_make(visible, sizeof visible);
	for (size_t i = 0; i < at; i++) {
		bool is_continuation = (text.data[i] & 0xc0) == 0x80;
		line += text.data[i] == '\n';
		column = text.data[i] == '\n' ? 1 : column + !is_continuation;
	}
	text_append_visible(&shown, bytes_make(text.data + at, text.size - at < 4 ? text.size - at : 4));
	const char *end = memchr(visible, '>', shown.size);
	call_fail(call,
		  "line %zu, column %zu of the text is %.*s, an invalid, control, invisible or "
		  "direction-changing character: take it out",
		  line, column, (int)(end != NULL ? end + 1 - visible : 0), visible);
}

/* The text from -m, a file, or standard input, as it is to be signed; without one final line feed. */
static bool read_text(const struct call *call, const char *path, uint8_t **memory, struct bytes *text)
{
	const char *given = call_value(call, "message", NULL);
	*memory = NULL;
	if (given != NULL && path != NULL) {
		call_usage(call, "give the text with -m or as a file, not both");
		return false;
	}
	bool is_typed = given == NULL && (path == NULL || strcmp(path, "-") == 0) && isatty(STDIN_FILENO);
	if (is_typed)
		fprintf(stderr, "Type the text; a line with Ctrl-D alone ends it.\n");
	if (given != NULL) {
		*memory = (uint8_t *)strdup(given);
		if (*memory == NULL)
			return call_fail_error(call, "the text", ERROR_NO_MEMORY) == 0;
		*text = bytes_make(*memory, strlen(given));
	} else if (!file_read(call, path != NULL ? path : "-", TEXT_SIZE_MAX, memory, text)) {
		return false;
	}
	make_plain(*memory, text);
	if (text->size > 0 && text->data[text->size - 1] == '\n')
		text->size--;
	if (text_count_words(*text) == 0)
		call_fail(call, "there is no text to send");
	else if (!text_is_plain(*text))
		say_where(call, *text);
	else
		return true;
	return false;
}

/* Without -p: ROUTINE, or the precedence of what is answered, as far as the officer and the length allow. */
static void choose_precedence(const struct speaking *speaking)
{
	const struct terms *terms = &speaking->channel->terms;
	struct content *content = speaking->content;
	uint64_t asked = speaking->about.precedence;
	if (!content->of.message.has_answers)
		return;
	content->precedence = asked;
	if (speaking->highest != 0 && asked > speaking->highest)
		content->precedence = speaking->highest;
	if (content->precedence >= PRECEDENCE_IMMEDIATE &&
	    message_text_check(content->of.message.text, content->precedence, terms) != ERROR_OK)
		content->precedence = PRECEDENCE_PRIORITY;
	if (content->precedence != asked)
		fprintf(stderr,
			"%s is %s; this answer goes %s, the highest that its length and its officer may "
			"have.\n",
			speaking->about.reference, precedence_name(asked),
			precedence_name(content->precedence));
}

/* What of the text is too much for the precedence, of which it may have so many words, and bytes by them. */
static void say_too_long(const struct call *call, struct bytes text, uint64_t precedence,
			 const struct terms *terms)
{
	static const char way_out[] = "shorten it, or send it PRIORITY";
	size_t words = text_count_words(text);
	unsigned long long words_max = terms->urgent_words_max;
	if (words > words_max)
		call_fail(call, "%zu words are too long for %s (%llu words at most): %s", words,
			  precedence_name(precedence), words_max, way_out);
	else
		call_fail(call,
			  "%zu bytes are too long for %s (%llu bytes at most, %d for each of %llu words): %s",
			  text.size, precedence_name(precedence), words_max * URGENT_WORD_SIZE_MAX,
			  URGENT_WORD_SIZE_MAX, words_max, way_out);
}

/* The precedence asked for; a text too long for it is refused with the way out. */
static bool set_precedence(const struct speaking *speaking)
{
	const struct call *call = speaking->call;
	const struct terms *terms = &speaking->channel->terms;
	struct content *content = speaking->content;
	const char *given = call_value(call, "precedence", NULL);
	if (given == NULL)
		choose_precedence(speaking);
	else if (!output_precedence_parse(call, given, &content->precedence))
		return false;
	struct bytes text = content->of.message.text;
	enum error error = message_text_check(text, content->precedence, terms);
	if (error == ERROR_OK)
		return true;
	if (content->precedence >= PRECEDENCE_IMMEDIATE && text.size <= terms->text_size_max)
		say_too_long(call, text, content->precedence, terms);
	else
		call_fail_error(call, "this text cannot be sent", error);
	return false;
}

/* A line of the command line: what would be refused is told with the way out. */
static bool take_line(const struct call *call, const char *option, struct bytes *line)
{
	*line = bytes_of_text(call_value(call, option, ""));
	if (line->size > SUBJECT_SIZE_MAX)
		call_usage(call, "--%s has %zu bytes, and %d are the most: shorten it", option, line->size,
			   SUBJECT_SIZE_MAX);
	else if (!text_is_plain_line(*line))
		call_usage(call, "--%s is to be one line without control characters", option);
	else
		return true;
	return false;
}

static int send_message(struct call *call, const char *path, const char *answers)
{
	struct speaking speaking;
	uint8_t *memory = NULL;
	int code = 1;
	if (speaking_open(&speaking, call) && (answers == NULL || find_about(&speaking, answers))) {
		struct message *message = &speaking.content->of.message;
		content_begin(speaking.content, CONTENT_MESSAGE, PRECEDENCE_ROUTINE,
			      speaking.channel->registry);
		message->time = (uint64_t)time(NULL);
		message->has_answers = answers != NULL;
		memcpy(message->answers, speaking.about.identity, IDENTITY_SIZE);
		if (take_line(call, "subject", &message->subject) && set_ack_by(call, message) &&
		    read_text(call, path, &memory, &message->text) && set_precedence(&speaking))
			code = speak(&speaking);
	}
	free(memory);
	speaking_close(&speaking);
	return code;
}

static int run_send(struct call *call)
{
	return send_message(call, call->operand_count > 0 ? call->operand[0] : NULL, NULL);
}

static int run_reply(struct call *call)
{
	return send_message(call, call->operand_count > 1 ? call->operand[1] : NULL, call->operand[0]);
}

/*
 * Whether the message can be acknowledged: nobody here has done so. Among more than two parties a third may
 * have; which it was the post knows, and refuses what is done twice.
 */
static bool may_acknowledge(const struct call *call, const struct known_channel *channel,
			    const struct entry_row *about)
{
	for (size_t i = 0; channel->roster.count == 2 && i < about->times_count; i++) {
		if (about->times[i].state == LOCAL_READ) {
			char time[DATE_TIME_GROUP_SIZE + 1];
			output_time(about->times[i].at_ms / 1000, time);
			call_fail(call, "%s was acknowledged already, at %s", about->reference, time);
			return false;
		}
	}
	return true;
}

static int run_ack(struct call *call)
{
	struct speaking speaking;
	int code = 1;
	if (speaking_open(&speaking, call) && find_about(&speaking, call->operand[0]) &&
	    may_acknowledge(call, speaking.channel, &speaking.about)) {
		content_begin(speaking.content, CONTENT_ACKNOWLEDGMENT, speaking.about.precedence,
			      speaking.channel->registry);
		struct acknowledgment *acknowledgment = &speaking.content->of.acknowledgment;
		memcpy(acknowledgment->acknowledged, speaking.about.identity, IDENTITY_SIZE);
		if (take_line(call, "note", &acknowledgment->note))
			code = speak(&speaking);
	}
	speaking_close(&speaking);
	return code;
}

#define CHANNEL_OPTION                                                                                       \
	{                                                                                                    \
		"channel", 'c', "CHANNEL",                                                                   \
			"the channel, by title, other party or id, where there are several"                  \
	}
#define MESSAGE_OPTIONS(if_not_given)                                                                        \
	{"message", 'm', "TEXT", "the text itself"},                                                         \
		{"subject", 's', "LINE", "one line that says what it is about"},                             \
		{"precedence", 'p', "PRECEDENCE", if_not_given},                                             \
		{"ack-by", 0, "TIME", "ask for an acknowledgment by '221830Z NOV 26' or +MINUTES"},          \
		CHANNEL_OPTION

static const struct option send_options[] = {
	MESSAGE_OPTIONS("routine (if not given), priority, immediate or flash"), {NULL, 0, NULL, NULL}};
static const struct option reply_options[] = {
	MESSAGE_OPTIONS(
		"routine, priority, immediate or flash (if not given, that of the message answered, as far "
		"as the answer's length and its officer allow)"),
	{NULL, 0, NULL, NULL}};
static const struct option ack_options[] = {
	{"note", 0, "LINE", "one line to go with the acknowledgment"},
	CHANNEL_OPTION,
	{NULL, 0, NULL, NULL},
};

const struct command command_send = {
	.name = "send",
	.operands = "[FILE]",
	.summary = "sign a message and hand it to the post",
	.help = "Takes the text from -m, FILE or standard input, shows exactly what will be signed (on "
		"standard error, with --json and --yes too), asks, signs it with\n"
		"the officer's key and hands it to the post. It returns 0 only when the message is on the "
		"post's\n"
		"disk: from then on the post and its courier see to it until the receipt is there. A post "
		"that has\n"
		"just started takes nothing until its courier is there, since only that can tell whether the "
		"post's\n"
		"disk was set back: it is tried for 5 seconds. IMMEDIATE and FLASH are for at most 200 "
		"words, "
		"unless\n"
		"the terms say otherwise. A byte order mark is left out of the text and CR LF is LF; another "
		"control or invisible character is refused, with its "
		"line and\ncolumn, but for spaces and for the joiners and variation selectors that some "
		"scripts need.\n\n"
		"Example: liaison send -p flash -s 'Drone over the strait' -m 'Ours, off course. Do not "
		"engage.'",
	.options = send_options,
	.takes = TAKES_POST | TAKES_OFFICER | TAKES_PASSPHRASE | TAKES_YES,
	.operands_max = 1,
	.lasting = "the message was released: liaison inbox --sent names it",
	.run = run_send,
};

const struct command command_reply = {
	.name = "reply",
	.operands = "REFERENCE [FILE]",
	.summary = "answer a message",
	.help = "As send, for an answer to the message named, at that message's precedence: its author sees "
		"it as "
		"answered.\n\n"
		"Example: liaison reply 'EMBASSY 0042/26' -p immediate -m 'Understood.'",
	.options = reply_options,
	.takes = TAKES_POST | TAKES_OFFICER | TAKES_PASSPHRASE | TAKES_YES,
	.operands_min = 1,
	.operands_max = 2,
	.lasting = "the answer was released: liaison inbox --sent names it",
	.run = run_reply,
};

const struct command command_ack = {
	.name = "ack",
	.operands = "REFERENCE",
	.summary = "acknowledge a message: an officer has read it",
	.help = "Signs an acknowledgment of the message named, at the message's own precedence: its author "
		"then sees it\n"
		"as read. (That it was received is said by the post itself, at once.)\n\n"
		"Example: liaison ack 'EMBASSY 0042/26'",
	.options = ack_options,
	.takes = TAKES_POST | TAKES_OFFICER | TAKES_PASSPHRASE | TAKES_YES,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the acknowledgment was released",
	.run = run_ack,
};
