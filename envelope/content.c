#include "envelope/content.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "base/text.h"
#include "envelope/fields.h"

/* Keys of a message's options. */
enum {
	OPTION_SUBJECT = 1,
	OPTION_REFERENCES = 2,
	OPTION_ACK_BY = 3,
	OPTION_ANSWERS = 4,
	OPTIONS_COUNT = OPTION_ANSWERS,
};

#define REASON_ACCEPTED   0
#define REASON_NUMBER_MIN ERROR_REFUSED_FORM

static const char *const kind_names[] = {"MESSAGE", "ACKNOWLEDGMENT", "LETTER", "VERDICT", "INCARNATION"};

static bool kind_is_known(uint64_t kind)
{
	return kind >= CONTENT_MESSAGE && kind <= CONTENT_INCARNATION;
}

const char *content_kind_name(uint64_t kind)
{
	return kind_is_known(kind) ? kind_names[kind - CONTENT_MESSAGE] : "?";
}

bool content_is_from_post(uint64_t kind)
{
	return kind == CONTENT_VERDICT || kind == CONTENT_INCARNATION;
}

uint64_t content_time(const struct content *content)
{
	switch (content->kind) {
	case CONTENT_MESSAGE:
		return content->of.message.time;
	case CONTENT_ACKNOWLEDGMENT:
		return content->of.acknowledgment.time;
	case CONTENT_LETTER:
		return content->of.letter.time;
	case CONTENT_VERDICT:
		return content->of.verdict.time;
	case CONTENT_INCARNATION:
		return content->of.incarnation.time;
	default:
		return 0;
	}
}

/* ---- reading ---- */

static void read_references(struct cbor_reader *reader, struct message *message)
{
	message->references_count = fields_read_array(reader, 1, REFERENCES_MAX);
	for (size_t i = 0; i < message->references_count; i++) {
		cbor_read_bytes_exact(reader, message->references[i], IDENTITY_SIZE);
		for (size_t j = 0; j < i; j++)
			if (memcmp(message->references[i], message->references[j], IDENTITY_SIZE) == 0)
				cbor_reader_fail(reader, ERROR_MALFORMED);
	}
}

static void read_message_options(struct cbor_reader *reader, struct message *message)
{
	int64_t previous = CBOR_KEY_NONE;
	size_t count = cbor_read_map(reader, OPTIONS_COUNT);

	if (count == 0)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	for (size_t i = 0; i < count; i++) {
		switch (cbor_read_key(reader, &previous)) {
		case OPTION_SUBJECT:
			message->subject = fields_read_text(reader, SUBJECT_SIZE_MAX);
			break;
		case OPTION_REFERENCES:
			read_references(reader, message);
			break;
		case OPTION_ACK_BY:
			message->has_ack_by = true;
			message->ack_by = fields_read_time(reader);
			break;
		case OPTION_ANSWERS:
			message->has_answers = true;
			cbor_read_bytes_exact(reader, message->answers, IDENTITY_SIZE);
			break;
		default:
			cbor_reader_fail(reader, ERROR_MALFORMED);
			break;
		}
	}
}

static void read_message(struct cbor_reader *reader, struct message *message)
{
	bool has_options = fields_read_array_or_one_more(reader, 2);

	message->time = fields_read_time(reader);
	message->text = fields_read_text(reader, TEXT_SIZE_MAX);
	if (has_options)
		read_message_options(reader, message);
}

static void read_acknowledgment(struct cbor_reader *reader, struct acknowledgment *acknowledgment)
{
	bool has_note = fields_read_array_or_one_more(reader, 2);

	acknowledgment->time = fields_read_time(reader);
	cbor_read_bytes_exact(reader, acknowledgment->acknowledged, IDENTITY_SIZE);
	if (has_note)
		acknowledgment->note = fields_read_text(reader, NOTE_SIZE_MAX);
}

/* True if `range` stands wholly after `previous`. */
static bool range_follows(const struct verdict_range *range, const struct verdict_range *previous)
{
	if (range->log != previous->log)
		return range->log > previous->log;
	if (range->incarnation != previous->incarnation)
		return range->incarnation > previous->incarnation;
	return range->first >= previous->first + previous->count;
}

static void read_verdict(struct cbor_reader *reader, struct verdict *verdict)
{
	cbor_read_array_exact(reader, 2);
	verdict->time = fields_read_time(reader);
	verdict->ranges_count = fields_read_array(reader, 1, RANGES_MAX);
	for (size_t i = 0; i < verdict->ranges_count; i++) {
		struct verdict_range *range = &verdict->ranges[i];

		cbor_read_array_exact(reader, 5);
		range->log = cbor_read_uint_max(reader, LOG_MAX);
		range->incarnation = fields_read_between(reader, 1, INCARNATIONS_MAX);
		fields_read_range(reader, &range->first, &range->count);
		range->reason = cbor_read_uint_max(reader, REASON_NUMBER_MAX);
		if (range->reason != REASON_ACCEPTED && range->reason < REASON_NUMBER_MIN)
			cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
		if (i > 0 && !range_follows(range, &verdict->ranges[i - 1]))
			cbor_reader_fail(reader, ERROR_MALFORMED);
	}
}

static void read_incarnation(struct cbor_reader *reader, struct incarnation *incarnation)
{
	cbor_read_array_exact(reader, 4);
	incarnation->time = fields_read_time(reader);
	incarnation->previous = fields_read_between(reader, 1, INCARNATIONS_MAX);
	incarnation->size = cbor_read_uint_max(reader, POSITION_MAX + 1);
	cbor_read_bytes_exact(reader, incarnation->root.bytes, sizeof(incarnation->root.bytes));
}

/* Null is the post; one number an officer, or 0 the authority; an array two officers, in order. */
static void read_signers(struct cbor_reader *reader, struct content *content)
{
	if (cbor_read_null(reader))
		return;
	if (cbor_peek(reader) != CBOR_ARRAY) {
		content->signers_count = 1;
		content->signers[0] = cbor_read_uint_max(reader, OFFICER_NUMBER_MAX);
		return;
	}
	cbor_read_array_exact(reader, 2);
	content->signers_count = 2;
	content->signers[0] = fields_read_between(reader, 1, OFFICER_NUMBER_MAX);
	content->signers[1] = cbor_read_uint_max(reader, OFFICER_NUMBER_MAX);
	if (content->signers[1] <= content->signers[0])
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

/* Which signers a kind has. Of a kind that is not known nothing can be said. */
static bool signers_fit(const struct content *content)
{
	if (!kind_is_known(content->kind))
		return true;
	if (content_is_from_post(content->kind))
		return content->signers_count == 0;
	if (content->signers_count == 0)
		return false;
	return content->signers[0] != 0 || content->kind == CONTENT_LETTER;
}

static void read_body(struct cbor_reader *reader, struct content *content)
{
	switch (content->kind) {
	case CONTENT_MESSAGE:
		read_message(reader, &content->of.message);
		break;
	case CONTENT_ACKNOWLEDGMENT:
		read_acknowledgment(reader, &content->of.acknowledgment);
		break;
	case CONTENT_LETTER:
		letter_read(reader, &content->of.letter);
		break;
	case CONTENT_VERDICT:
		read_verdict(reader, &content->of.verdict);
		break;
	case CONTENT_INCARNATION:
		read_incarnation(reader, &content->of.incarnation);
		break;
	default:
		cbor_read_item(reader);
		break;
	}
}

enum error content_decode(struct bytes payload, struct content *content)
{
	struct cbor_reader reader = cbor_reader_make(payload);
	enum error error;

	memset(content, 0, sizeof(*content));
	if (payload.size > CONTENT_SIZE_MAX)
		return ERROR_TOO_LARGE;
	cbor_read_array_exact(&reader, 6);
	content->kind = cbor_read_uint(&reader);
	content->precedence = fields_read_between(&reader, PRECEDENCE_ROUTINE, PRECEDENCE_FLASH);
	read_signers(&reader, content);
	cbor_read_bytes_exact(&reader, content->registry, sizeof(content->registry));
	cbor_read_bytes_exact(&reader, content->id, sizeof(content->id));
	if (!signers_fit(content))
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	read_body(&reader, content);
	error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		return error;
	if (!kind_is_known(content->kind))
		return ERROR_REFUSED_KIND;
	if (content->kind == CONTENT_LETTER && !letter_kind_is_known(content->of.letter.kind))
		return ERROR_REFUSED_KIND;
	return ERROR_OK;
}

/* ---- writing ---- */

static size_t message_options_count(const struct message *message)
{
	return (size_t)(message->subject.size != 0) + (message->references_count != 0) + message->has_ack_by +
	       message->has_answers;
}

static void write_message_options(const struct message *message, struct buffer *buffer)
{
	cbor_write_map(buffer, message_options_count(message));
	if (message->subject.size != 0) {
		cbor_write_int(buffer, OPTION_SUBJECT);
		cbor_write_text(buffer, message->subject);
	}
	if (message->references_count != 0) {
		cbor_write_int(buffer, OPTION_REFERENCES);
		cbor_write_array(buffer, message->references_count);
		for (size_t i = 0; i < message->references_count; i++)
			fields_write_bytes(buffer, message->references[i], IDENTITY_SIZE);
	}
	if (message->has_ack_by) {
		cbor_write_int(buffer, OPTION_ACK_BY);
		cbor_write_uint(buffer, message->ack_by);
	}
	if (message->has_answers) {
		cbor_write_int(buffer, OPTION_ANSWERS);
		fields_write_bytes(buffer, message->answers, IDENTITY_SIZE);
	}
}

static void write_message(const struct message *message, struct buffer *buffer)
{
	bool has_options = message_options_count(message) != 0;

	assert(message->references_count <= REFERENCES_MAX);
	cbor_write_array(buffer, has_options ? 3 : 2);
	cbor_write_uint(buffer, message->time);
	cbor_write_text(buffer, message->text);
	if (has_options)
		write_message_options(message, buffer);
}

static void write_acknowledgment(const struct acknowledgment *acknowledgment, struct buffer *buffer)
{
	bool has_note = acknowledgment->note.size != 0;

	cbor_write_array(buffer, has_note ? 3 : 2);
	cbor_write_uint(buffer, acknowledgment->time);
	fields_write_bytes(buffer, acknowledgment->acknowledged, IDENTITY_SIZE);
	if (has_note)
		cbor_write_text(buffer, acknowledgment->note);
}

static void write_verdict(const struct verdict *verdict, struct buffer *buffer)
{
	assert(verdict->ranges_count <= RANGES_MAX);
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, verdict->time);
	cbor_write_array(buffer, verdict->ranges_count);
	for (size_t i = 0; i < verdict->ranges_count; i++) {
		const struct verdict_range *range = &verdict->ranges[i];

		cbor_write_array(buffer, 5);
		cbor_write_uint(buffer, range->log);
		cbor_write_uint(buffer, range->incarnation);
		cbor_write_uint(buffer, range->first);
		cbor_write_uint(buffer, range->count);
		cbor_write_uint(buffer, range->reason);
	}
}

static void write_incarnation(const struct incarnation *incarnation, struct buffer *buffer)
{
	cbor_write_array(buffer, 4);
	cbor_write_uint(buffer, incarnation->time);
	cbor_write_uint(buffer, incarnation->previous);
	cbor_write_uint(buffer, incarnation->size);
	fields_write_bytes(buffer, incarnation->root.bytes, sizeof(incarnation->root.bytes));
}

static void write_body(const struct content *content, struct buffer *buffer)
{
	switch (content->kind) {
	case CONTENT_MESSAGE:
		write_message(&content->of.message, buffer);
		break;
	case CONTENT_ACKNOWLEDGMENT:
		write_acknowledgment(&content->of.acknowledgment, buffer);
		break;
	case CONTENT_LETTER:
		letter_write(&content->of.letter, buffer);
		break;
	case CONTENT_VERDICT:
		write_verdict(&content->of.verdict, buffer);
		break;
	case CONTENT_INCARNATION:
		write_incarnation(&content->of.incarnation, buffer);
		break;
	default:
		assert(!"only content of a known kind is written");
		break;
	}
}

static void write_signers(const struct content *content, struct buffer *buffer)
{
	assert(content->signers_count <= SIGNERS_MAX);
	if (content->signers_count == 0) {
		cbor_write_null(buffer);
		return;
	}
	if (content->signers_count == 2)
		cbor_write_array(buffer, 2);
	for (size_t i = 0; i < content->signers_count; i++)
		cbor_write_uint(buffer, content->signers[i]);
}

void content_encode(const struct content *content, struct buffer *buffer)
{
	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, content->kind);
	cbor_write_uint(buffer, content->precedence);
	write_signers(content, buffer);
	fields_write_bytes(buffer, content->registry, sizeof(content->registry));
	fields_write_bytes(buffer, content->id, sizeof(content->id));
	write_body(content, buffer);
}

/* ---- checking ---- */

enum error message_text_check(struct bytes text, uint64_t precedence, const struct terms *terms)
{
	if (text.size == 0)
		return ERROR_REFUSED_FORM;
	if (text.size > terms->text_size_max)
		return ERROR_REFUSED_LENGTH;
	if (!text_is_plain(text))
		return ERROR_REFUSED_TEXT;
	if (precedence < PRECEDENCE_IMMEDIATE)
		return ERROR_OK;
	if (text_count_words(text) > terms->urgent_words_max ||
	    text.size > terms->urgent_words_max * URGENT_WORD_SIZE_MAX)
		return ERROR_REFUSED_LENGTH;
	return ERROR_OK;
}

/* A text that may be missing: one plain line. */
static enum error check_line(struct bytes line, size_t size_max)
{
	if (line.size > size_max)
		return ERROR_REFUSED_FORM;
	return text_is_plain_line(line) ? ERROR_OK : ERROR_REFUSED_TEXT;
}

static enum error check_message(const struct content *content, const struct terms *terms)
{
	const struct message *message = &content->of.message;
	enum error error = message_text_check(message->text, content->precedence, terms);

	return error == ERROR_OK ? check_line(message->subject, SUBJECT_SIZE_MAX) : error;
}

enum error content_check(const struct content *content, const struct terms *terms)
{
	if (!kind_is_known(content->kind))
		return ERROR_REFUSED_KIND;
	if (content->kind == CONTENT_LETTER)
		return letter_check(&content->of.letter, content->signers[0], terms != NULL);
	if (terms == NULL)
		return ERROR_REFUSED_FORM;
	switch (content->kind) {
	case CONTENT_MESSAGE:
		return check_message(content, terms);
	case CONTENT_ACKNOWLEDGMENT:
		return check_line(content->of.acknowledgment.note, NOTE_SIZE_MAX);
	default:
		return ERROR_OK; /* a verdict and an incarnation hold numbers only */
	}
}
