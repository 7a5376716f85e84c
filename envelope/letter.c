#include "envelope/letter.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "envelope/ed25519.h"
#include "envelope/fields.h"
#include "envelope/terms.h"

/* Keys of a letter's options. */
enum {
	OPTION_ANSWERS = 1,
	OPTION_REASON = 2,
	OPTION_CONDITION = 3,
	OPTION_REVIEW = 4,
	OPTIONS_COUNT = OPTION_REVIEW,
};

#define SCOPE_HIGHEST_PRECEDENCE 1

/* ---- reading ---- */

static void read_founding(struct cbor_reader *reader, struct founding_letter *founding)
{
	cbor_read_array_exact(reader, 3);
	founding->name = fields_read_text(reader, NAME_SIZE_MAX);
	cbor_read_bytes_exact(reader, founding->authority_key, sizeof(founding->authority_key));
	cbor_read_bytes_exact(reader, founding->successor, sizeof(founding->successor));
}

static void read_post(struct cbor_reader *reader, struct post_letter *post)
{
	cbor_read_array_exact(reader, 6);
	post->slot = cbor_read_uint_max(reader, POST_SLOTS - 1);
	post->kind = fields_read_between(reader, POST_MISSION, POST_HEADQUARTERS);
	post->name = fields_read_text(reader, NAME_SIZE_MAX);
	post->node = fields_read_text(reader, EID_SIZE_MAX);
	cbor_read_bytes_exact(reader, post->statement_key, sizeof(post->statement_key));
	cbor_read_bytes_exact(reader, post->courier_pin, sizeof(post->courier_pin));
}

static void read_parties(struct cbor_reader *reader, struct roster *parties)
{
	size_t count = fields_read_array(reader, 2, PARTIES_MAX);

	for (size_t i = 0; i < count; i++) {
		cbor_read_bytes_exact(reader, parties->ids[i], PARTY_ID_SIZE);
		if (i > 0 && memcmp(parties->ids[i - 1], parties->ids[i], PARTY_ID_SIZE) >= 0)
			cbor_reader_fail(reader, ERROR_MALFORMED);
	}
	parties->count = count;
}

static void read_opening_posts(struct cbor_reader *reader, struct opening_letter *opening)
{
	size_t count = fields_read_array(reader, 1, POST_SLOTS);

	for (size_t i = 0; i < count; i++) {
		struct opening_post *post = &opening->posts[i];

		cbor_read_array_exact(reader, 3);
		post->slot = cbor_read_uint_max(reader, POST_SLOTS - 1);
		if (i > 0 && post->slot <= opening->posts[i - 1].slot)
			cbor_reader_fail(reader, ERROR_MALFORMED);
		cbor_read_bytes_exact(reader, post->log_key, sizeof(post->log_key));
		cbor_read_bytes_exact(reader, post->cosigner_key, sizeof(post->cosigner_key));
	}
	opening->posts_count = count;
}

static void read_opening(struct cbor_reader *reader, struct opening_letter *opening)
{
	cbor_read_array_exact(reader, 5);
	read_parties(reader, &opening->parties);
	opening->terms = cbor_read_bytes(reader, TERMS_SIZE_MAX);
	cbor_read_bytes_exact(reader, opening->nonce, sizeof(opening->nonce));
	opening->card_count = fields_read_array(reader, 1, CARD_LETTERS_MAX);
	for (size_t i = 0; i < opening->card_count; i++)
		opening->card[i] = cbor_read_bytes(reader, CONTENT_SIZE_MAX);
	read_opening_posts(reader, opening);
}

static void read_credence(struct cbor_reader *reader, struct credence_letter *credence)
{
	int64_t previous = CBOR_KEY_NONE;

	cbor_read_array_exact(reader, 5);
	credence->officer = fields_read_between(reader, 1, OFFICER_NUMBER_MAX);
	credence->name = fields_read_text(reader, NAME_SIZE_MAX);
	credence->title = cbor_read_text(reader, NAME_SIZE_MAX);
	cbor_read_bytes_exact(reader, credence->key, sizeof(credence->key));
	if (cbor_read_map(reader, 1) == 0)
		return;
	if (cbor_read_key(reader, &previous) != SCOPE_HIGHEST_PRECEDENCE)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	credence->highest_precedence = fields_read_between(reader, PRECEDENCE_ROUTINE, PRECEDENCE_FLASH);
}

static void read_agrement(struct cbor_reader *reader, struct agrement_letter *agrement)
{
	cbor_read_array_exact(reader, 2);
	agrement->party = cbor_read_uint_max(reader, PARTIES_MAX - 1);
	agrement->officers_count = fields_read_array(reader, 1, OFFICERS_MAX);
	for (size_t i = 0; i < agrement->officers_count; i++) {
		agrement->officers[i] = fields_read_between(reader, 1, OFFICER_NUMBER_MAX);
		if (i > 0 && agrement->officers[i] <= agrement->officers[i - 1])
			cbor_reader_fail(reader, ERROR_MALFORMED);
	}
}

static void read_parameters(struct cbor_reader *reader, struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_FOUNDING:
		read_founding(reader, &letter->of.founding);
		break;
	case LETTER_POST:
		read_post(reader, &letter->of.post);
		break;
	case LETTER_OPENING:
		read_opening(reader, &letter->of.opening);
		break;
	case LETTER_CREDENCE:
		read_credence(reader, &letter->of.credence);
		break;
	case LETTER_AGREMENT:
		read_agrement(reader, &letter->of.agrement);
		break;
	default:
		if (cbor_peek(reader) != CBOR_ARRAY)
			cbor_reader_fail(reader, ERROR_WRONG_TYPE);
		cbor_read_item(reader);
		break;
	}
}

static void read_options(struct cbor_reader *reader, struct letter *letter)
{
	int64_t previous = CBOR_KEY_NONE;
	size_t count = cbor_read_map(reader, OPTIONS_COUNT);

	if (count == 0)
		cbor_reader_fail(reader, ERROR_MALFORMED);
	for (size_t i = 0; i < count; i++) {
		switch (cbor_read_key(reader, &previous)) {
		case OPTION_ANSWERS:
			letter->has_answers = true;
			cbor_read_bytes_exact(reader, letter->answers, sizeof(letter->answers));
			break;
		case OPTION_REASON:
			letter->reason = fields_read_text(reader, REASON_SIZE_MAX);
			break;
		case OPTION_CONDITION:
			letter->condition = fields_read_text(reader, REASON_SIZE_MAX);
			break;
		case OPTION_REVIEW:
			letter->has_review = true;
			letter->review = fields_read_time(reader);
			break;
		default:
			cbor_reader_fail(reader, ERROR_MALFORMED);
			break;
		}
	}
}

/* An identity or null; true if there was one. */
static bool read_identity_or_null(struct cbor_reader *reader, uint8_t identity[IDENTITY_SIZE])
{
	if (cbor_read_null(reader))
		return false;
	cbor_read_bytes_exact(reader, identity, IDENTITY_SIZE);
	return true;
}

void letter_read(struct cbor_reader *reader, struct letter *letter)
{
	bool has_options = fields_read_array_or_one_more(reader, 6);

	memset(letter, 0, sizeof(*letter));
	letter->kind = cbor_read_uint(reader);
	letter->time = fields_read_time(reader);
	letter->number = cbor_read_uint_max(reader, POSITION_MAX);
	letter->has_previous = read_identity_or_null(reader, letter->previous);
	if (letter->has_previous != (letter->number > 0))
		cbor_reader_fail(reader, ERROR_MALFORMED);
	letter->has_entitled_by = read_identity_or_null(reader, letter->entitled_by);
	read_parameters(reader, letter);
	if (has_options)
		read_options(reader, letter);
}

/* ---- writing ---- */

static void write_founding(const struct founding_letter *founding, struct buffer *buffer)
{
	cbor_write_array(buffer, 3);
	cbor_write_text(buffer, founding->name);
	fields_write_bytes(buffer, founding->authority_key, sizeof(founding->authority_key));
	fields_write_bytes(buffer, founding->successor, sizeof(founding->successor));
}

static void write_post(const struct post_letter *post, struct buffer *buffer)
{
	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, post->slot);
	cbor_write_uint(buffer, post->kind);
	cbor_write_text(buffer, post->name);
	cbor_write_text(buffer, post->node);
	fields_write_bytes(buffer, post->statement_key, sizeof(post->statement_key));
	fields_write_bytes(buffer, post->courier_pin, sizeof(post->courier_pin));
}

static void write_opening(const struct opening_letter *opening, struct buffer *buffer)
{
	cbor_write_array(buffer, 5);
	cbor_write_array(buffer, opening->parties.count);
	for (size_t i = 0; i < opening->parties.count; i++)
		fields_write_bytes(buffer, opening->parties.ids[i], PARTY_ID_SIZE);
	cbor_write_bytes(buffer, opening->terms);
	fields_write_bytes(buffer, opening->nonce, sizeof(opening->nonce));
	cbor_write_array(buffer, opening->card_count);
	for (size_t i = 0; i < opening->card_count; i++)
		cbor_write_bytes(buffer, opening->card[i]);
	cbor_write_array(buffer, opening->posts_count);
	for (size_t i = 0; i < opening->posts_count; i++) {
		const struct opening_post *post = &opening->posts[i];

		cbor_write_array(buffer, 3);
		cbor_write_uint(buffer, post->slot);
		fields_write_bytes(buffer, post->log_key, sizeof(post->log_key));
		fields_write_bytes(buffer, post->cosigner_key, sizeof(post->cosigner_key));
	}
}

static void write_credence(const struct credence_letter *credence, struct buffer *buffer)
{
	cbor_write_array(buffer, 5);
	cbor_write_uint(buffer, credence->officer);
	cbor_write_text(buffer, credence->name);
	cbor_write_text(buffer, credence->title);
	fields_write_bytes(buffer, credence->key, sizeof(credence->key));
	if (credence->highest_precedence == 0) {
		cbor_write_map(buffer, 0);
		return;
	}
	cbor_write_map(buffer, 1);
	cbor_write_int(buffer, SCOPE_HIGHEST_PRECEDENCE);
	cbor_write_uint(buffer, credence->highest_precedence);
}

static void write_agrement(const struct agrement_letter *agrement, struct buffer *buffer)
{
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, agrement->party);
	cbor_write_array(buffer, agrement->officers_count);
	for (size_t i = 0; i < agrement->officers_count; i++)
		cbor_write_uint(buffer, agrement->officers[i]);
}

static void write_parameters(const struct letter *letter, struct buffer *buffer)
{
	switch (letter->kind) {
	case LETTER_FOUNDING:
		write_founding(&letter->of.founding, buffer);
		break;
	case LETTER_POST:
		write_post(&letter->of.post, buffer);
		break;
	case LETTER_OPENING:
		write_opening(&letter->of.opening, buffer);
		break;
	case LETTER_CREDENCE:
		write_credence(&letter->of.credence, buffer);
		break;
	case LETTER_AGREMENT:
		write_agrement(&letter->of.agrement, buffer);
		break;
	default:
		assert(!"only letters of a known kind are written");
		break;
	}
}

static size_t options_count(const struct letter *letter)
{
	return (size_t)letter->has_answers + (letter->reason.size != 0) + (letter->condition.size != 0) +
	       letter->has_review;
}

static void write_options(const struct letter *letter, struct buffer *buffer)
{
	cbor_write_map(buffer, options_count(letter));
	if (letter->has_answers) {
		cbor_write_int(buffer, OPTION_ANSWERS);
		fields_write_bytes(buffer, letter->answers, sizeof(letter->answers));
	}
	if (letter->reason.size != 0) {
		cbor_write_int(buffer, OPTION_REASON);
		cbor_write_text(buffer, letter->reason);
	}
	if (letter->condition.size != 0) {
		cbor_write_int(buffer, OPTION_CONDITION);
		cbor_write_text(buffer, letter->condition);
	}
	if (letter->has_review) {
		cbor_write_int(buffer, OPTION_REVIEW);
		cbor_write_uint(buffer, letter->review);
	}
}

static void write_identity_or_null(bool has, const uint8_t identity[IDENTITY_SIZE], struct buffer *buffer)
{
	if (has)
		fields_write_bytes(buffer, identity, IDENTITY_SIZE);
	else
		cbor_write_null(buffer);
}

void letter_write(const struct letter *letter, struct buffer *buffer)
{
	bool has_options = options_count(letter) != 0;

	cbor_write_array(buffer, has_options ? 7 : 6);
	cbor_write_uint(buffer, letter->kind);
	cbor_write_uint(buffer, letter->time);
	cbor_write_uint(buffer, letter->number);
	write_identity_or_null(letter->has_previous, letter->previous, buffer);
	write_identity_or_null(letter->has_entitled_by, letter->entitled_by, buffer);
	write_parameters(letter, buffer);
	if (has_options)
		write_options(letter, buffer);
}
