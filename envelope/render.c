#include "envelope/render.h"

#include <string.h>

#include "envelope/reference.h"
#include "envelope/render_parts.h"

/* ---- parts ---- */

void render_sentence(struct render_line *line, const char *words)
{
	render_numbered(line);
	render_words(line, words);
	render_end(line);
}

void render_sentence_number(struct render_line *line, const char *words, uint64_t number, const char *after)
{
	render_numbered(line);
	render_words(line, words);
	render_number(line, number);
	render_words(line, after);
	render_end(line);
}

void render_sentence_foreign(struct render_line *line, const char *words, struct bytes text)
{
	render_numbered(line);
	render_words(line, words);
	render_foreign(line, text);
	render_end(line);
}

void render_sentence_hex(struct render_line *line, const char *words, const uint8_t *data)
{
	render_numbered(line);
	render_words(line, words);
	render_hex(line, data);
	render_end(line);
}

void render_named(struct render_line *line, const uint8_t *data, struct bytes name)
{
	if (line->with_digits || name.size == 0)
		render_hex(line, data);
	if (line->with_digits && name.size != 0)
		render_words(line, " ");
	render_foreign(line, name);
}

void render_identity(struct render_line *line, const struct render_names *names,
		     const uint8_t identity[IDENTITY_SIZE])
{
	for (size_t i = 0; i < names->identities_count; i++) {
		if (memcmp(names->identities[i].identity, identity, IDENTITY_SIZE) == 0) {
			render_named(line, identity, names->identities[i].reference);
			return;
		}
	}
	render_hex(line, identity);
}

void render_party(struct render_line *line, const struct render_names *names, uint64_t roster_index)
{
	const struct roster *roster = names->roster;

	if (roster == NULL || roster_index >= roster->count) {
		render_words(line, "party ");
		render_number(line, roster_index);
		render_words(line, ", who is not on this channel");
		return;
	}
	render_named(line, roster->ids[roster_index],
		     names->parties != NULL ? names->parties[roster_index] : bytes_make(NULL, 0));
}

/* ---- the heading ---- */

static void heading_foreign(struct render_line *line, const char *label, struct bytes text)
{
	if (text.size == 0)
		return;
	render_heading(line, label);
	render_foreign(line, text);
	render_end(line);
}

static void heading_time(struct render_line *line, const char *label, uint64_t time)
{
	uint8_t memory[DATE_TIME_GROUP_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	date_time_group_append(&buffer, time);
	heading_foreign(line, label, buffer_bytes(&buffer));
}

static void heading_identity(struct render_line *line, const char *label, const struct render_names *names,
			     const uint8_t identity[IDENTITY_SIZE])
{
	render_heading(line, label);
	render_identity(line, names, identity);
	render_end(line);
}

/* The sender's party: by the name that the roster's list has, or the one given where there is no channel. */
static void heading_from(struct render_line *line, const struct render_names *names)
{
	render_heading(line, "FROM");
	if (names->roster != NULL)
		render_party(line, names, names->sender_index);
	else if (names->from_party.size != 0)
		render_foreign(line, names->from_party);
	else
		render_words(line, "the party that signs");
	render_end(line);
	heading_foreign(line, "POST", names->from_post);
}

static void heading_officer(struct render_line *line, const struct render_names *names, uint64_t number)
{
	render_heading(line, "SIGNER");
	render_words(line, "OFFICER ");
	render_number(line, number);
	for (size_t i = 0; i < names->officers_count; i++) {
		if (names->officers[i].number != number || names->officers[i].name.size == 0)
			continue;
		render_words(line, ", ");
		render_foreign(line, names->officers[i].name);
		break;
	}
	render_end(line);
}

static void heading_signers(struct render_line *line, const struct render_names *names,
			    const struct content *content)
{
	if (content->signers_count == 0)
		heading_foreign(line, "SIGNER", bytes_of_text("THE POST"));
	for (size_t i = 0; i < content->signers_count; i++) {
		if (content->signers[i] == 0)
			heading_foreign(line, "SIGNER", bytes_of_text("THE AUTHORITY"));
		else
			heading_officer(line, names, content->signers[i]);
	}
}

static void heading_to(struct render_line *line, const struct render_names *names)
{
	if (names->roster == NULL) {
		heading_foreign(line, "TO", bytes_of_text("EVERYBODY WHO HOLDS THIS CARD"));
		return;
	}
	for (size_t i = 0; i < names->roster->count; i++) {
		if (i == names->sender_index)
			continue;
		render_heading(line, "TO");
		render_party(line, names, i);
		render_end(line);
	}
}

static void heading_of_message(struct render_line *line, const struct render_names *names,
			       const struct message *message)
{
	heading_foreign(line, "SUBJECT", message->subject);
	heading_time(line, "DTG", message->time);
	if (message->has_ack_by)
		heading_time(line, "ACK BY", message->ack_by);
	for (size_t i = 0; i < message->references_count; i++)
		heading_identity(line, "REFERENCES", names, message->references[i]);
	if (message->has_answers)
		heading_identity(line, "ANSWERS", names, message->answers);
}

static void heading_of_letter(struct render_line *line, const struct render_names *names,
			      const struct letter *letter)
{
	heading_foreign(line, "LETTER", bytes_of_text(letter_kind_name(letter->kind)));
	render_heading(line, "NUMBER");
	render_number(line, letter->number);
	render_words(line, " of its signer's letters here, counted from 0");
	render_end(line);
	heading_time(line, "DTG", letter->time);
	if (letter->has_previous)
		heading_identity(line, "FOLLOWS", names, letter->previous);
	if (letter->has_entitled_by)
		heading_identity(line, "ENTITLED BY", names, letter->entitled_by);
	if (letter->has_answers)
		heading_identity(line, "ANSWERS", names, letter->answers);
	if (letter->has_review)
		heading_time(line, "REVIEW", letter->review);
}

static void heading_of_body(struct render_line *line, const struct render_names *names,
			    const struct content *content)
{
	switch (content->kind) {
	case CONTENT_MESSAGE:
		heading_of_message(line, names, &content->of.message);
		break;
	case CONTENT_LETTER:
		heading_of_letter(line, names, &content->of.letter);
		break;
	default:
		heading_time(line, "DTG", content_time(content));
		break;
	}
}

static void heading(struct render_line *line, const struct render_names *names, const struct content *content)
{
	heading_foreign(line, "PRECEDENCE", bytes_of_text(precedence_name(content->precedence)));
	if (content->kind != CONTENT_MESSAGE)
		heading_foreign(line, "KIND", bytes_of_text(content_kind_name(content->kind)));
	heading_foreign(line, "CHANNEL", names->channel_title);
	heading_from(line, names);
	heading_signers(line, names, content);
	heading_to(line, names);
	heading_of_body(line, names, content);
	render_end(line);
}

/* ---- bodies ---- */

static void body_of_acknowledgment(struct render_line *line, const struct render_names *names,
				   const struct acknowledgment *acknowledgment)
{
	render_numbered(line);
	render_words(line, "I have read the entry ");
	render_identity(line, names, acknowledgment->acknowledged);
	render_end(line);
	if (acknowledgment->note.size != 0)
		render_sentence_foreign(line, "Note: ", acknowledgment->note);
}

static struct bytes post_name(const struct render_names *names, uint64_t log)
{
	for (size_t i = 0; i < names->posts_count; i++)
		if (names->posts[i].log == log)
			return names->posts[i].name;
	return bytes_make(NULL, 0);
}

static void body_of_verdict(struct render_line *line, const struct render_names *names,
			    const struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->ranges_count; i++) {
		const struct verdict_range *range = &verdict->ranges[i];

		render_numbered(line);
		render_words(line, range->reason == 0 ? "Accepted: " : "Refused: ");
		render_words(line, "numbers ");
		render_number(line, range->first + 1);
		render_words(line, " to ");
		render_number(line, range->first + range->count);
		render_words(line, " of incarnation ");
		render_number(line, range->incarnation);
		render_words(line, " of log ");
		render_number(line, range->log);
		if (range->reason != 0) {
			render_words(line, ", for reason ");
			render_number(line, range->reason);
			render_words(line, ": ");
			render_foreign(line, bytes_of_text(error_text((enum error)range->reason)));
		}
		if (post_name(names, range->log).size != 0) {
			render_words(line, "; its post: ");
			render_foreign(line, post_name(names, range->log));
		}
		render_end(line);
	}
}

static void body_of_incarnation(struct render_line *line, const struct incarnation *incarnation)
{
	render_sentence(line, "This post could not show that its store goes on where its log had ended.");
	render_sentence_number(line, "It begins a new incarnation of its log, after incarnation ",
			       incarnation->previous, ".");
	render_sentence_number(line, "The last head that it holds has this many entries: ", incarnation->size,
			       "");
	render_sentence_hex(line, "The root of that head: ", incarnation->root.bytes);
}

static void body(struct render_line *line, const struct render_names *names, const struct content *content)
{
	switch (content->kind) {
	case CONTENT_MESSAGE:
		render_numbered_text(line, content->of.message.text);
		break;
	case CONTENT_ACKNOWLEDGMENT:
		body_of_acknowledgment(line, names, &content->of.acknowledgment);
		break;
	case CONTENT_LETTER:
		render_letter(line, names, &content->of.letter);
		break;
	case CONTENT_VERDICT:
		body_of_verdict(line, names, &content->of.verdict);
		break;
	case CONTENT_INCARNATION:
		body_of_incarnation(line, &content->of.incarnation);
		break;
	default:
		break; /* content_decode gave no other kind */
	}
}

enum error render_payload(struct bytes payload, const struct render_names *names, struct content *content,
			  struct buffer *buffer)
{
	struct render_line line = render_line_make(buffer);
	enum error error = content_decode(payload, content);

	if (error != ERROR_OK)
		return error;
	/*
	 * Names are chosen by those who bear them: what changes the registry is shown by its hashes as
	 * well.
	 */
	line.with_digits = content->kind == CONTENT_LETTER;
	heading(&line, names, content);
	body(&line, names, content);
	render_foreign(&line, names->reference.size != 0 ? names->reference : bytes_of_text("DRAFT"));
	render_end(&line);
	return buffer_error(buffer);
}
