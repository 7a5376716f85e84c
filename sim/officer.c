/* People: parties with authorities and officers, what they exchange by hand, what they sign and send. */
#include "sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/keying.h"
#include "envelope/post_file.h"
#include "sim/check.h"
#include "sim/rogue.h"
#include "sim/words.h"

#define UNANSWERED_MAX 48 /* an officer whose post does not answer writes no more */

static struct world_party *party_of(struct world *world, size_t node)
{
	return &world->nodes[node].party;
}

static void random_pair(struct world *world, struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];
	random_fill(&world->random, seed, sizeof(seed));
	ed25519_pair_from_seed(seed, pair);
}

/* ---- parties ---- */

static void add_card_letter(struct world *world, struct world_party *party, struct content *content)
{
	static struct aad aad;
	struct letter *letter = &content->of.letter;

	letter->time = world->now_ms / 1000;
	letter->number = party->letters_count;
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, party->head, sizeof(letter->previous));
	aad_without_channel(&aad, AAD_ENTRY, party->id);
	struct bytes cose = words_sign_alone(&party->authority, &aad, content, party->head);
	party->letters[party->letters_count] = (uint8_t *)(uintptr_t)cose.data;
	party->letters_size[party->letters_count++] = cose.size;
}

static void make_party(struct world *world, size_t node, uint8_t root_seed[32])
{
	struct node *machine = &world->nodes[node];
	struct world_party *party = &machine->party;
	static struct content content;
	struct ed25519_pair statement;

	snprintf(party->name, sizeof(party->name), "Party %zu", node);
	snprintf(machine->courier.node, sizeof(machine->courier.node), "ipn:%zu.0", node + 1);
	random_pair(world, &party->authority);
	for (size_t i = 0; i < WORLD_OFFICERS; i++)
		random_pair(world, &party->officers[i]);
	party->officers[OFFICER_TWIN - 1] = party->officers[OFFICER_ACCREDITED - 1];
	party_id_from_key(party->authority.key, party->id);
	words_frame(world, &content, CONTENT_LETTER, PRECEDENCE_ROUTINE, 0);
	content.of.letter.kind = LETTER_FOUNDING;
	struct founding_letter *founding = &content.of.letter.of.founding;
	founding->name = bytes_of_text(party->name);
	memcpy(founding->authority_key, party->authority.key, sizeof(founding->authority_key));
	random_fill(&world->random, founding->successor, sizeof(founding->successor));
	add_card_letter(world, party, &content);

	random_fill(&world->random, root_seed, 32);
	post_statement_pair(root_seed, &statement);
	words_frame(world, &content, CONTENT_LETTER, PRECEDENCE_ROUTINE, 0);
	content.of.letter.kind = LETTER_POST;
	struct post_letter *post = &content.of.letter.of.post;
	post->slot = world_slot(node);
	post->kind = POST_EMBASSY;
	post->name = bytes_of_text("Embassy");
	post->node = bytes_of_text(machine->courier.node);
	memcpy(post->statement_key, statement.key, sizeof(post->statement_key));
	random_fill(&world->random, post->courier_pin, sizeof(post->courier_pin));
	add_card_letter(world, party, &content);
}

static void provision(struct world *world, size_t node, const uint8_t root_seed[32])
{
	static struct post_file file;
	static uint8_t memory[POST_FILE_SIZE_MAX];
	struct buffer encoded = buffer_make(memory, sizeof(memory));
	const struct world_party *party = party_of(world, node);

	memset(&file, 0, sizeof(file));
	memcpy(file.root_seed, root_seed, sizeof(file.root_seed));
	file.slot = world_slot(node);
	for (size_t i = 0; i < party->letters_count; i++)
		file.letters[file.letters_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	post_file_encode(&file, &encoded);
	shell_make(world, node);
	shell_provision(world, node, buffer_bytes(&encoded));
}

static void make_line(struct world *world, size_t a, size_t b)
{
	struct world_line *line = &world->lines[world->lines_count++];
	struct buffer encoded = buffer_make(line->terms, sizeof(line->terms));
	struct terms terms;
	size_t index;

	memcpy(line->roster.ids[0], party_of(world, a)->id, PARTY_ID_SIZE);
	memcpy(line->roster.ids[1], party_of(world, b)->id, PARTY_ID_SIZE);
	line->roster.count = 2;
	(void)roster_sort(&line->roster);
	(void)roster_find(&line->roster, party_of(world, a)->id, &index);
	line->nodes[index] = a;
	line->nodes[1 - index] = b;
	terms_default(&terms, bytes_of_text("Simulated line"));
	terms_encode(&terms, &encoded);
	line->terms_size = encoded.size;
	random_fill(&world->random, line->nonce, sizeof(line->nonce));
	channel_id_make(&line->roster, buffer_bytes(&encoded), line->nonce, line->id);
}

void officer_make(struct world *world)
{
	uint8_t root_seeds[WORLD_NODES_MAX][32];

	for (size_t i = 0; i < world->settings.nodes; i++)
		make_party(world, i, root_seeds[i]);
	for (size_t i = 0; i < world->settings.nodes; i++)
		for (size_t j = i + 1; j < world->settings.nodes; j++)
			make_line(world, i, j);
	for (size_t i = 0; i < world->settings.nodes; i++) {
		provision(world, i, root_seeds[i]);
		courier_make(world, i);
		link_up(world, i);
	}
}

void officer_free(struct world *world)
{
	for (size_t i = 0; i < world->settings.nodes; i++) {
		struct world_party *party = party_of(world, i);
		for (size_t j = 0; j < party->letters_count; j++)
			free(party->letters[j]);
		for (size_t j = 0; j < party->submissions_count; j++)
			free(party->submissions[j].cose);
		free(party->submissions);
	}
}

/* ---- the setup ---- */

static void must_be_ok(struct world *world, const char *what, enum error error)
{
	if (error != ERROR_OK)
		world_violation(world, "the setup works", "%s: %s", what, error_name(error));
}

static enum error request_bytes(struct world *world, size_t node, uint64_t verb, struct bytes argument)
{
	static uint8_t memory[LOCAL_FRAME_SIZE_MAX];
	struct buffer frame = buffer_make(memory, sizeof(memory));

	cbor_write_array(&frame, argument.size == 0 ? 2 : 3);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, verb);
	if (argument.size > 0)
		cbor_write_bytes(&frame, argument);
	return shell_request(world, node, buffer_bytes(&frame));
}

static void exchange_cards(struct world *world, size_t from, size_t to)
{
	must_be_ok(world, "card export", request_bytes(world, from, LOCAL_CARD_EXPORT, bytes_make(NULL, 0)));
	struct cbor_reader reader = shell_results(&world->nodes[from].post);
	struct bytes card = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	must_be_ok(world, "card", cbor_reader_error(&reader));
	must_be_ok(world, "card accept", request_bytes(world, to, LOCAL_CARD_ACCEPT, card));
}

static void accept_keying(struct world *world, const struct keying *keying, size_t node)
{
	static struct keying_packet packet;
	uint8_t memory[KEYING_PACKET_SIZE_MAX];
	struct buffer encoded = buffer_make(memory, sizeof(memory));

	must_be_ok(
		world, "packet",
		keying_packet_make(keying, party_of(world, node)->id, (unsigned)world_slot(node), &packet));
	must_be_ok(world, "packet", keying_packet_encode(&packet, &encoded));
	must_be_ok(world, "keying accept",
		   request_bytes(world, node, LOCAL_KEYING_ACCEPT, buffer_bytes(&encoded)));
}

void officer_setup(struct world *world)
{
	for (size_t i = 0; i < world->lines_count; i++) {
		const struct world_line *line = &world->lines[i];
		size_t a = line->nodes[0];
		size_t b = line->nodes[1];
		struct keying keying;
		uint8_t root[KEYING_KEY_SIZE];
		exchange_cards(world, a, b);
		exchange_cards(world, b, a);
		random_fill(&world->random, root, sizeof(root));
		keying_make(1, party_of(world, a)->id, party_of(world, b)->id, root, &keying);
		accept_keying(world, &keying, a);
		accept_keying(world, &keying, b);
	}
}

static void submit(struct world *world, size_t node, size_t line, struct bytes cose)
{
	static uint8_t memory[LOCAL_FRAME_SIZE_MAX];
	struct buffer frame = buffer_make(memory, sizeof(memory));

	cbor_write_array(&frame, 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_SUBMIT);
	cbor_write_bytes(&frame, bytes_make(world->lines[line].id, CHANNEL_ID_SIZE));
	cbor_write_bytes(&frame, cose);
	must_be_ok(world, "a letter", shell_request(world, node, buffer_bytes(&frame)));
}

void officer_submit_letter(struct world *world, size_t node, size_t line_number, struct content *content)
{
	struct world_line *line = &world->lines[line_number];
	size_t end = world_end_of(line, node);

	words_follow(world, node, line_number, &content->of.letter);
	struct bytes cose = words_sign_on_line(world, node, line_number, 0, content, line->chain_head[end]);
	line->chain_number[end]++;
	check_signed(world, line->chain_head[end]);
	submit(world, node, line_number, cose);
	free((void *)(uintptr_t)cose.data);
}

static void submit_opening(struct world *world, size_t node, size_t line_number, struct content *content)
{
	const struct world_line *line = &world->lines[line_number];
	const struct world_party *party = party_of(world, node);
	struct opening_letter *opening = &content->of.letter.of.opening;

	content->of.letter.kind = LETTER_OPENING;
	opening->parties = line->roster;
	opening->terms = bytes_make(line->terms, line->terms_size);
	memcpy(opening->nonce, line->nonce, sizeof(opening->nonce));
	for (size_t i = 0; i < party->letters_count; i++)
		opening->card[opening->card_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	must_be_ok(world, "channel keys",
		   request_bytes(world, node, LOCAL_CHANNEL_KEYS, bytes_make(line->id, sizeof(line->id))));
	struct cbor_reader reader = shell_results(&world->nodes[node].post);
	opening->posts_count = 1;
	opening->posts[0].slot = world_slot(node);
	cbor_read_bytes_exact(&reader, opening->posts[0].log_key, sizeof(opening->posts[0].log_key));
	cbor_read_bytes_exact(&reader, opening->posts[0].cosigner_key,
			      sizeof(opening->posts[0].cosigner_key));
	officer_submit_letter(world, node, line_number, content);
}

static void submit_credence(struct world *world, size_t node, size_t line, unsigned officer,
			    unsigned highest_precedence)
{
	static struct content content;
	struct credence_letter *credence = &content.of.letter.of.credence;

	words_frame(world, &content, CONTENT_LETTER, PRECEDENCE_PRIORITY, 0);
	content.of.letter.kind = LETTER_CREDENCE;
	credence->officer = officer;
	credence->name = bytes_of_text("Officer");
	credence->title = bytes_of_text("watch officer");
	credence->highest_precedence = highest_precedence;
	memcpy(credence->key, party_of(world, node)->officers[officer - 1].key, sizeof(credence->key));
	officer_submit_letter(world, node, line, &content);
}

static void submit_stage(struct world *world, size_t node, size_t line_number, unsigned stage)
{
	static struct content content;
	struct agrement_letter *agrement = &content.of.letter.of.agrement;

	if (stage == 1) {
		submit_credence(world, node, line_number, OFFICER_ACCREDITED, 0);
		submit_credence(world, node, line_number, OFFICER_LIMITED, PRECEDENCE_PRIORITY);
		submit_credence(world, node, line_number, OFFICER_UNAGREED, 0);
		submit_credence(world, node, line_number, OFFICER_TWIN, 0);
		return;
	}
	words_frame(world, &content, CONTENT_LETTER, PRECEDENCE_PRIORITY, 0);
	if (stage == 0) {
		submit_opening(world, node, line_number, &content);
		return;
	}
	content.of.letter.kind = LETTER_AGREMENT;
	agrement->party = 1 - world_end_of(&world->lines[line_number], node);
	agrement->officers[agrement->officers_count++] = OFFICER_ACCREDITED;
	agrement->officers[agrement->officers_count++] = OFFICER_LIMITED;
	agrement->officers[agrement->officers_count++] = OFFICER_TWIN;
	officer_submit_letter(world, node, line_number, &content);
}

void officer_open(struct world *world, unsigned stage)
{
	for (size_t i = 0; i < world->lines_count; i++)
		for (size_t end = 0; end < 2; end++)
			submit_stage(world, world->lines[i].nodes[end], i, stage);
}

/* ---- traffic ---- */

static struct submission *add_submission(struct world *world, size_t node)
{
	struct world_party *party = party_of(world, node);

	if ((party->submissions_count & (party->submissions_count - 1)) == 0)
		party->submissions =
			disk_must(realloc(party->submissions,
					  (2 * party->submissions_count + 1) * sizeof(*party->submissions)));
	struct submission *submission = &party->submissions[party->submissions_count++];
	memset(submission, 0, sizeof(*submission));
	submission->state = SUBMISSION_NEW;
	return submission;
}

static size_t some_line(struct world *world, size_t node)
{
	for (;;) {
		size_t line = random_below(&world->random, world->lines_count);
		if (world->lines[line].nodes[0] == node || world->lines[line].nodes[1] == node)
			return line;
	}
}

static void write_one(struct world *world, size_t node)
{
	struct submission *submission = add_submission(world, node);
	bool depends;

	submission->line = some_line(world, node);
	submission->good = !world_fault(world, FAULT_BAD_WORDS);
	submission->precedence = 1 + (unsigned)random_below(&world->random, 4);
	if (submission->good) {
		words_good(world, node, submission);
		check_signed(world, submission->identity);
		return;
	}
	struct bytes cose = words_bad(world, node, submission->line, submission->identity, &depends);
	submission->cose = (uint8_t *)(uintptr_t)cose.data;
	submission->size = cose.size;
}

static void ask(struct world *world, size_t node, size_t number)
{
	static uint8_t memory[LOCAL_FRAME_SIZE_MAX];
	struct submission *submission = &party_of(world, node)->submissions[number];
	struct buffer frame = buffer_make(memory, sizeof(memory));

	buffer_append_u64(&frame, number);
	cbor_write_array(&frame, 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_SUBMIT);
	cbor_write_bytes(&frame, bytes_make(world->lines[submission->line].id, CHANNEL_ID_SIZE));
	cbor_write_bytes(&frame, bytes_make(submission->cose, submission->size));
	frames_add(&world->nodes[node].post.requests, buffer_bytes(&frame));
	submission->state = SUBMISSION_ASKED;
	shell_wake(world, node);
}

void officer_repeat(struct world *world, size_t node, size_t count_max)
{
	struct world_party *party = party_of(world, node);

	if (!world->nodes[node].post.up)
		return;
	for (size_t i = party->unanswered; i < party->submissions_count && count_max > 0; i++) {
		struct submission *submission = &party->submissions[i];
		bool answered = submission->state != SUBMISSION_NEW && submission->state != SUBMISSION_ASKED;
		if (answered && i == party->unanswered)
			party->unanswered++;
		if (answered || submission->precedence < world->nodes[node].post.precedence_min)
			continue;
		ask(world, node, i);
		count_max--;
	}
}

static bool may_write(const struct world_party *party)
{
	return party->submissions_count - party->unanswered < UNANSWERED_MAX;
}

void officer_call(struct world *world, size_t node, uint64_t delay_ms)
{
	struct event event = {.kind = EVENT_OFFICER, .node = node};

	party_of(world, node)->away = false;
	party_of(world, node)->acts_ms = world->now_ms + delay_ms;
	world_schedule(world, delay_ms, &event);
}

void officer_act(struct world *world, size_t node)
{
	struct world_party *party = party_of(world, node);
	uint64_t burst = random_span(&world->random, 1, 16);

	if (world->now_ms != party->acts_ms)
		return;
	if (world->phase == PHASE_FAULTS) {
		for (uint64_t i = 0; i < burst && may_write(party); i++)
			if (world_fault(world, FAULT_WORDS))
				write_one(world, node);
		officer_repeat(world, node, 32);
		party->away = !world->nodes[node].post.up && !may_write(party);
		if (!party->away)
			officer_call(world, node,
				     random_span(&world->random, 1, world->settings.officer_ms));
	} else {
		officer_repeat(world, node, 64);
		officer_call(world, node, 60000);
	}
}

void officer_return(struct world *world, size_t node)
{
	if (party_of(world, node)->away)
		officer_call(world, node, random_span(&world->random, 1, world->settings.officer_ms));
}

void officer_reply(struct world *world, size_t node, uint64_t client, struct bytes frame)
{
	struct world_party *party = party_of(world, node);
	struct cbor_reader reader = cbor_reader_make(frame);

	(void)cbor_read_array(&reader, 32);
	(void)cbor_read_uint(&reader);
	enum error error = (enum error)cbor_read_uint(&reader);
	if (error != ERROR_OK)
		world_refused(world, error);
	if (client >= party->submissions_count)
		return;
	struct submission *submission = &party->submissions[client];
	if (rogue_is(world, node)) {
		submission->state = error == ERROR_OK ? SUBMISSION_HELD : SUBMISSION_REFUSED;
		return;
	}
	if (error == ERROR_OK && !submission->good)
		world_violation(world, "nothing is accepted unsigned or unaccredited",
				"submission %llu at %zu", (unsigned long long)client, node);
	if (error == ERROR_OK) {
		check_held(world, node, submission->identity);
		submission->state = SUBMISSION_HELD;
	} else if (error == ERROR_AWAITS_COURIER) {
		/* It waits for its courier to tell what it had sent: the officer tries again. */
		submission->state = SUBMISSION_NEW;
		if (client < party->unanswered)
			party->unanswered = client;
	} else if (submission->good && ((error != ERROR_REFUSED_REFERENCE && error != ERROR_REFUSED_NAMED) ||
					world->nodes[node].post.restores == 0)) {
		/*
		 * What it answers can only have gone with an old image; what comes again after that may
		 * have been acknowledged.
		 */
		world_violation(world, "what is good is taken", "submission %llu at %zu: %s",
				(unsigned long long)client, node, error_name(error));
	} else {
		submission->state = SUBMISSION_REFUSED;
	}
}

void officer_arrived(struct world *world, size_t node, size_t line, const uint8_t identity[IDENTITY_SIZE])
{
	struct world_party *party = party_of(world, node);
	size_t at = party->arrived_count;

	if (at == WORLD_ARRIVED_MAX)
		at = random_below(&world->random, WORLD_ARRIVED_MAX);
	else
		party->arrived_count++;
	party->arrived[at].line = line;
	memcpy(party->arrived[at].identity, identity, IDENTITY_SIZE);
}
