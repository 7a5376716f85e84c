#include "sim/words.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/signed.h"

#define TEXT_SIZE 8000 /* of the longest message here, with NUL */

/* What is wrong with bad words. */
enum wrong {
	WRONG_BIT, /* of the signature */
	WRONG_STRANGER,
	WRONG_UNAGREED,
	WRONG_SCOPE,
	WRONG_TWINS, /* two signers with one key */
	WRONG_LENGTH,
	WRONG_TEXT,
	WRONG_EMPTY,
	WRONG_KIND,
	WRONG_REFERENCE,
	WRONG_NAMED, /* acknowledges the own party's */
	WRONG_CHAIN,
	WRONG_AUTHORITY,
	WRONG_TERMS,
	WRONG_NUMBER,
	WRONGS
};

static struct world_party *party_of(struct world *world, size_t node)
{
	return &world->nodes[node].party;
}

/* ---- signing ---- */

static enum error sign_by_two(const struct ed25519_pair *const *pairs, const struct aad *aad,
			      struct bytes payload, struct buffer *work, struct buffer *out)
{
	uint8_t signatures[2][ED25519_SIGNATURE_SIZE];
	enum error error = ERROR_OK;

	for (size_t i = 0; i < 2 && error == ERROR_OK; i++) {
		work->size = 0;
		error = signed_signature(pairs[i], 2, aad, payload, work, signatures[i]);
	}
	return error == ERROR_OK ? signed_by_two(payload, signatures[0], signatures[1], out) : error;
}

struct bytes words_sign(const struct ed25519_pair *const *pairs, size_t count, const struct aad *aad,
			struct bytes payload, uint8_t identity[IDENTITY_SIZE])
{
	static uint8_t work_memory[SIGNED_WORK_SIZE];
	static uint8_t out_memory[ENTRY_SIZE_MAX];
	struct buffer work = buffer_make(work_memory, sizeof(work_memory));
	struct buffer out = buffer_make(out_memory, sizeof(out_memory));

	enum error error = count == 1 ? signed_alone(pairs[0], aad, payload, &work, &out)
				      : sign_by_two(pairs, aad, payload, &work, &out);
	assert(error == ERROR_OK);
	identity_of(aad, payload, identity);
	uint8_t *copy = disk_must(malloc(out.size));
	memcpy(copy, out.data, out.size);
	return bytes_make(copy, out.size);
}

/* Valid until it is called again. */
static struct buffer encode(const struct content *content)
{
	static uint8_t memory[CONTENT_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));

	content_encode(content, &payload);
	assert(buffer_error(&payload) == ERROR_OK);
	return payload;
}

struct bytes words_sign_alone(const struct ed25519_pair *pair, const struct aad *aad,
			      const struct content *content, uint8_t identity[IDENTITY_SIZE])
{
	struct buffer payload = encode(content);
	return words_sign(&pair, 1, aad, buffer_bytes(&payload), identity);
}

static const struct ed25519_pair *pair_of(struct world *world, size_t node, unsigned officer)
{
	const struct world_party *party = party_of(world, node);
	return officer == 0 ? &party->authority : &party->officers[officer - 1];
}

static const struct aad *aad_of(const struct world *world, size_t node, size_t line_number)
{
	static struct aad aad;
	const struct world_line *line = &world->lines[line_number];

	aad_on_channel(&aad, AAD_ENTRY, line->id, &line->roster, world_end_of(line, node));
	return &aad;
}

struct bytes words_sign_on_line(struct world *world, size_t node, size_t line, unsigned officer,
				const struct content *content, uint8_t identity[IDENTITY_SIZE])
{
	return words_sign_alone(pair_of(world, node, officer), aad_of(world, node, line), content, identity);
}

void words_frame(struct world *world, struct content *content, uint64_t kind, unsigned precedence,
		 unsigned officer)
{
	memset(content, 0, sizeof(*content));
	content->kind = kind;
	content->precedence = precedence;
	content->signers_count = 1;
	content->signers[0] = officer;
	random_fill(&world->random, content->id, sizeof(content->id));
}

void words_follow(const struct world *world, size_t node, size_t line_number, struct letter *letter)
{
	const struct world_line *line = &world->lines[line_number];
	size_t end = world_end_of(line, node);

	letter->time = world->now_ms / 1000;
	letter->number = line->chain_number[end];
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, line->chain_head[end], sizeof(letter->previous));
}

/* ---- what is right ---- */

static struct bytes make_text(struct world *world, unsigned precedence)
{
	static char text[TEXT_SIZE];
	size_t size = (size_t)random_span(&world->random, 1,
					  precedence >= PRECEDENCE_IMMEDIATE ? 600 : sizeof(text) - 1);

	for (size_t i = 0; i < size; i++)
		text[i] = i % 7 == 6 ? ' ' : (char)('a' + random_below(&world->random, 26));
	text[size] = '\0';
	return bytes_of_text(text);
}

/* What the content is about: a message, an answer, an acknowledgment. */
static void write_content(struct world *world, size_t node, struct submission *submission, unsigned officer,
			  struct content *content)
{
	struct world_party *party = party_of(world, node);
	const struct arrived *about = NULL;

	if (party->arrived_count > 0 && random_below(&world->random, 3) == 0) {
		about = &party->arrived[random_below(&world->random, party->arrived_count)];
		submission->line = about->line;
	}
	submission->is_message = about == NULL || random_below(&world->random, 2) == 0;
	words_frame(world, content, submission->is_message ? CONTENT_MESSAGE : CONTENT_ACKNOWLEDGMENT,
		    submission->precedence, officer);
	if (!submission->is_message) {
		content->of.acknowledgment.time = world_wall_ms(world, node) / 1000;
		memcpy(content->of.acknowledgment.acknowledged, about->identity, IDENTITY_SIZE);
		party->arrived[about - party->arrived] = party->arrived[--party->arrived_count]; /* once */
		return;
	}
	content->of.message.time = world_wall_ms(world, node) / 1000;
	content->of.message.text = make_text(world, submission->precedence);
	if (about != NULL) {
		content->of.message.has_answers = true;
		memcpy(content->of.message.answers, about->identity, IDENTITY_SIZE);
	}
}

void words_good(struct world *world, size_t node, struct submission *submission)
{
	static struct content content;
	bool limited = submission->precedence <= PRECEDENCE_PRIORITY && random_below(&world->random, 4) == 0;
	unsigned officer = limited ? OFFICER_LIMITED : OFFICER_ACCREDITED;

	write_content(world, node, submission, officer, &content);
	struct bytes cose =
		words_sign_on_line(world, node, submission->line, officer, &content, submission->identity);
	submission->cose = (uint8_t *)(uintptr_t)cose.data;
	submission->size = cose.size;
}

struct bytes words_message(struct world *world, size_t node, size_t line, unsigned precedence,
			   uint8_t identity[IDENTITY_SIZE])
{
	static struct content content;

	words_frame(world, &content, CONTENT_MESSAGE, precedence, OFFICER_ACCREDITED);
	content.of.message.time = world->now_ms / 1000;
	content.of.message.text = make_text(world, PRECEDENCE_FLASH);
	return words_sign_on_line(world, node, line, OFFICER_ACCREDITED, &content, identity);
}

/* ---- what is wrong ---- */

/* More words than anybody may say urgently. */
static struct bytes make_long_text(void)
{
	static char text[4 * URGENT_WORDS_MAX + 1];

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 == 1 ? ' ' : 'a';
	return bytes_make((const uint8_t *)text, sizeof(text) - 2);
}

static void spoil_message(struct world *world, size_t node, enum wrong wrong, struct content *content)
{
	unsigned precedence = 1 + (unsigned)random_below(&world->random, 4);
	struct message *message = &content->of.message;

	if (wrong == WRONG_LENGTH || wrong == WRONG_SCOPE)
		precedence = PRECEDENCE_IMMEDIATE + (unsigned)random_below(&world->random, 2);
	words_frame(world, content, CONTENT_MESSAGE, precedence, OFFICER_ACCREDITED);
	message->time = world_wall_ms(world, node) / 1000;
	message->text = make_text(world, PRECEDENCE_FLASH);
	if (wrong == WRONG_STRANGER)
		content->signers[0] = OFFICER_STRANGER;
	else if (wrong == WRONG_UNAGREED)
		content->signers[0] = OFFICER_UNAGREED;
	else if (wrong == WRONG_SCOPE)
		content->signers[0] = OFFICER_LIMITED;
	else if (wrong == WRONG_LENGTH)
		message->text = make_long_text();
	else if (wrong == WRONG_TEXT)
		message->text = bytes_of_text("the other \xe2\x80\xae way round");
	else if (wrong == WRONG_EMPTY)
		message->text = bytes_make(NULL, 0);
	message->has_answers = wrong == WRONG_REFERENCE;
	if (message->has_answers)
		random_fill(&world->random, message->answers, sizeof(message->answers));
}

/* Something of the own party's that is held, or what nobody has. */
static void spoil_acknowledgment(struct world *world, size_t node, size_t line, struct content *content)
{
	const struct world_party *party = party_of(world, node);
	uint8_t *named = content->of.acknowledgment.acknowledged;

	words_frame(world, content, CONTENT_ACKNOWLEDGMENT, PRECEDENCE_ROUTINE, OFFICER_ACCREDITED);
	content->of.acknowledgment.time = world_wall_ms(world, node) / 1000;
	random_fill(&world->random, named, IDENTITY_SIZE);
	for (size_t i = party->submissions_count; i > 0; i--) {
		const struct submission *submission = &party->submissions[i - 1];
		if (submission->state != SUBMISSION_HELD || submission->line != line)
			continue;
		memcpy(named, submission->identity, IDENTITY_SIZE);
		return;
	}
}

static void spoil_letter(struct world *world, size_t node, size_t line_number, enum wrong wrong,
			 struct content *content)
{
	const struct world_line *line = &world->lines[line_number];
	const struct world_party *party = party_of(world, node);
	struct letter *letter = &content->of.letter;

	words_frame(world, content, CONTENT_LETTER, PRECEDENCE_ROUTINE, 0);
	words_follow(world, node, line_number, letter);
	if (wrong == WRONG_TERMS) {
		struct opening_letter *opening = &letter->of.opening;
		letter->kind = LETTER_OPENING;
		letter->number = 0;
		letter->has_previous = false;
		opening->parties = line->roster;
		opening->terms = bytes_make(line->terms, line->terms_size - 1);
		memcpy(opening->nonce, line->nonce, sizeof(opening->nonce));
		opening->card[opening->card_count++] = bytes_make(party->letters[0], party->letters_size[0]);
		opening->posts_count = 1;
		opening->posts[0].slot = world_slot(node);
		memcpy(opening->posts[0].log_key, party->authority.key, PUBLIC_KEY_SIZE);
		memcpy(opening->posts[0].cosigner_key, party->authority.key, PUBLIC_KEY_SIZE);
		return;
	}
	letter->kind = LETTER_CREDENCE;
	letter->of.credence.officer = wrong == WRONG_NUMBER ? OFFICER_ACCREDITED : 99;
	letter->of.credence.name = bytes_of_text("Officer Wrong");
	memcpy(letter->of.credence.key, party->officers[1].key, PUBLIC_KEY_SIZE);
	if (wrong == WRONG_CHAIN)
		random_fill(&world->random, letter->previous, sizeof(letter->previous));
	if (wrong == WRONG_AUTHORITY) {
		content->signers[0] = OFFICER_ACCREDITED;
		letter->has_entitled_by = true;
		memcpy(letter->entitled_by, letter->previous, sizeof(letter->entitled_by));
	}
}

/* The content's one signer signs, or two who are one person. */
static struct bytes sign_wrong(struct world *world, size_t node, size_t line, enum wrong wrong,
			       struct content *content, uint8_t identity[IDENTITY_SIZE])
{
	const struct ed25519_pair *pairs[2] = {pair_of(world, node, (unsigned)content->signers[0])};

	if (wrong == WRONG_TWINS) {
		content->signers[content->signers_count++] = OFFICER_TWIN;
		pairs[1] = pair_of(world, node, OFFICER_TWIN);
	}
	struct buffer payload = encode(content);
	if (wrong == WRONG_KIND)
		payload.data[1] = 9; /* the second byte of the array is its first element */
	struct bytes cose = words_sign(pairs, content->signers_count, aad_of(world, node, line),
				       buffer_bytes(&payload), identity);
	if (wrong == WRONG_BIT)
		((uint8_t *)(uintptr_t)cose.data)[cose.size - 1 - random_below(&world->random, 60)] ^= 1;
	return cose;
}

struct bytes words_bad(struct world *world, size_t node, size_t line, uint8_t identity[IDENTITY_SIZE],
		       bool *depends)
{
	static struct content content;
	enum wrong wrong = (enum wrong)random_below(&world->random, WRONGS);

	*depends = wrong == WRONG_REFERENCE || wrong == WRONG_NAMED || wrong == WRONG_CHAIN ||
		   wrong == WRONG_NUMBER;
	if (wrong == WRONG_NAMED)
		spoil_acknowledgment(world, node, line, &content);
	else if (wrong >= WRONG_CHAIN)
		spoil_letter(world, node, line, wrong, &content);
	else
		spoil_message(world, node, wrong, &content);
	return sign_wrong(world, node, line, wrong, &content, identity);
}
