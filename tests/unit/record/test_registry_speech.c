/*
 * Who may speak on a channel, and of what: messages, acknowledgments, and what posts say themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/post_file.h"
#include "tests/unit/record/hand.h"

/*
 * A channel of two or three parties that all have opened. Each has officers 1 and 2, agreed to by all;
 * officer 3 has credence alone.
 */
struct seats {
	struct hand hand;
	struct hand_channel channel;
	struct pen pens[3];
	uint64_t index[3];
	size_t count;
};

static void take_or_give(struct seats *table, size_t party, struct content *content)
{
	enum error reason = party == 0 ? hand_give(&table->hand, &table->pens[0], content)
				       : hand_take(&table->hand, &table->pens[party], content);
	assert_int_equal(reason, ERROR_OK);
}

static void name_officers(struct seats *table, size_t party)
{
	const struct world_party *names = &table->hand.world->parties[party];

	for (size_t officer = 1; officer <= 3; officer++) {
		struct content *content =
			pen_credence(&table->pens[party], officer, names->officers[officer - 1].key);
		if (officer == 2)
			content->of.letter.of.credence.highest_precedence = PRECEDENCE_PRIORITY;
		take_or_give(table, party, content);
	}
}

static struct seats *make(uint64_t seed, size_t count)
{
	struct seats *table = calloc(1, sizeof(*table));

	table->hand = hand_world(seed);
	table->count = count;
	table->channel = hand_channel_make(table->hand.world, count);
	for (size_t i = 0; i < count; i++) {
		table->pens[i] = (struct pen){
			.world = table->hand.world,
			.channel = &table->channel,
			.party = i,
			.slot = table->hand.world->posts[i].slot,
		};
		table->index[i] = hand_index(table->hand.world, &table->channel, i);
		take_or_give(table, i, pen_opening(&table->pens[i]));
	}
	for (size_t i = 0; i < count; i++)
		name_officers(table, i);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			if (i != j)
				take_or_give(table, i, pen_agrement(&table->pens[i], table->index[j], 1, 2));
	return table;
}

static void drop(struct seats *table)
{
	world_free(table->hand.world);
	free(table);
}

static struct content *message(struct seats *table, uint64_t officer)
{
	struct content *content = calloc(1, sizeof(*content));

	content->kind = CONTENT_MESSAGE;
	content->precedence = PRECEDENCE_PRIORITY;
	content->signers_count = 1;
	content->signers[0] = officer;
	entropy_take(&table->hand.world->random, content->id, sizeof(content->id));
	content->of.message.time = 1795320000;
	content->of.message.text = bytes_of_text("Are you there?");
	return content;
}

static struct content *acknowledgment(struct seats *table, uint64_t officer,
				      const uint8_t identity[IDENTITY_SIZE])
{
	struct content *content = message(table, officer);

	memset(&content->of, 0, sizeof(content->of));
	content->kind = CONTENT_ACKNOWLEDGMENT;
	content->of.acknowledgment.time = 1795320000;
	memcpy(content->of.acknowledgment.acknowledged, identity, IDENTITY_SIZE);
	return content;
}

/* Signs as a party with this key, or two, and brings it in; frees the content. */
static enum error speak_as(struct seats *table, size_t party, struct content *content,
			   const struct ed25519_pair *first, const struct ed25519_pair *second,
			   uint8_t identity[IDENTITY_SIZE])
{
	struct paper paper =
		hand_sign(&table->channel, table->hand.world, party, first, second, content, identity);

	paper.slot = table->pens[party].slot;
	paper.position = table->pens[party].position;
	struct outcome outcome = party == 0 ? hand_submit(&table->hand, &table->channel, &paper)
					    : hand_receive(&table->hand, &table->channel, &paper);
	table->pens[party].position += outcome.reason == ERROR_OK;
	hand_drop(&paper);
	free(content);
	return outcome.reason;
}

/* As the officer that the content names. */
static enum error speak(struct seats *table, size_t party, struct content *content,
			uint8_t identity[IDENTITY_SIZE])
{
	const struct world_party *speaker = &table->hand.world->parties[party];
	return speak_as(table, party, content, &speaker->officers[content->signers[0] - 1], NULL, identity);
}

/* ---- entitled to speak ---- */

static void an_officer_with_credence_and_agrement_speaks(void **state)
{
	struct seats *table = make(201, 2);
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak(table, 1, message(table, 1), identity), ERROR_OK);
	assert_int_equal(speak(table, 0, message(table, 1), identity), ERROR_OK);
	drop(table);
}

static void without_credence_or_agrement_nobody_speaks(void **state)
{
	struct seats *table = make(202, 2);
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak(table, 1, message(table, 4), identity), ERROR_REFUSED_SIGNER);
	assert_int_equal(speak(table, 1, message(table, 3), identity), ERROR_REFUSED_AGREMENT);
	assert_int_equal(speak(table, 0, message(table, 4), identity), ERROR_REFUSED_SIGNER);
	assert_int_equal(speak(table, 0, message(table, 3), identity), ERROR_REFUSED_AGREMENT);
	/* An agrément by itself is none. */
	assert_int_equal(hand_take(&table->hand, &table->pens[1],
				   pen_agrement(&table->pens[1], table->index[0], 4, 1)),
			 ERROR_OK);
	assert_int_equal(speak(table, 0, message(table, 4), identity), ERROR_REFUSED_SIGNER);
	drop(table);
}

static void we_ask_for_our_agrement_and_here_for_that_of_all_others(void **state)
{
	struct seats *table = make(203, 3);
	uint8_t identity[IDENTITY_SIZE];

	/* Officer 3 of Federation: we agree, Union does not yet. */
	take_or_give(table, 0, pen_agrement(&table->pens[0], table->index[1], 3, 1));
	assert_int_equal(speak(table, 1, message(table, 3), identity), ERROR_OK);
	/* Officer 3 of Union: Federation agrees, we do not. */
	take_or_give(table, 1, pen_agrement(&table->pens[1], table->index[2], 3, 1));
	assert_int_equal(speak(table, 2, message(table, 3), identity), ERROR_REFUSED_AGREMENT);
	/* Our officer 3: one of two has agreed, then both. */
	take_or_give(table, 1, pen_agrement(&table->pens[1], table->index[0], 3, 1));
	assert_int_equal(speak(table, 0, message(table, 3), identity), ERROR_REFUSED_AGREMENT);
	take_or_give(table, 2, pen_agrement(&table->pens[2], table->index[0], 3, 1));
	assert_int_equal(speak(table, 0, message(table, 3), identity), ERROR_OK);
	drop(table);
}

static void nobody_speaks_before_the_channel_is_open(void **state)
{
	struct seats *table = make(204, 2);
	uint8_t identity[IDENTITY_SIZE];
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;
	uint8_t parties[2];
	uint8_t terms[TERMS_SIZE_MAX];

	assert_int_equal(speak(table, 1, message(table, 1), identity), ERROR_OK);
	assert_true(hand_look(&table->hand, &key, &schema_channel, &channel));
	memcpy(parties, channel.parties.data, sizeof(parties));
	memcpy(terms, channel.terms.data, channel.terms.size);
	channel.parties.data = parties;
	channel.terms.data = terms;
	channel.state = CHANNEL_PROPOSED;
	channel.opened = UINT64_C(1) << channel.own_index;
	hand_put(&table->hand, &key, &schema_channel, &channel);
	assert_int_equal(speak(table, 1, message(table, 1), identity), ERROR_REFUSED_CHANNEL);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, identity), identity),
			 ERROR_REFUSED_CHANNEL);
	assert_int_equal(speak(table, 0, message(table, 1), identity), ERROR_REFUSED_CHANNEL);
	drop(table);
}

static void a_post_that_no_opening_names_does_not_serve(void **state)
{
	struct seats *table = make(205, 2);
	struct row_key key = key_line(1, log_number(table->index[1], 1));
	uint8_t identity[IDENTITY_SIZE];
	struct line line;

	assert_true(hand_look(&table->hand, &key, &schema_line, &line));
	memset(line.log_key, 0, sizeof(line.log_key));
	hand_put(&table->hand, &key, &schema_line, &line);
	assert_int_equal(speak(table, 1, message(table, 1), identity), ERROR_REFUSED_CHANNEL);
	drop(table);
}

static void a_scope_bounds_the_precedence(void **state)
{
	struct seats *table = make(206, 2);
	uint8_t identity[IDENTITY_SIZE];

	for (size_t party = 0; party < 2; party++) {
		assert_int_equal(speak(table, party, message(table, 2), identity), ERROR_OK);
		struct content *content = message(table, 2);
		content->precedence = PRECEDENCE_IMMEDIATE;
		assert_int_equal(speak(table, party, content, identity), ERROR_REFUSED_SCOPE);
		content = message(table, 1);
		content->precedence = PRECEDENCE_FLASH;
		assert_int_equal(speak(table, party, content, identity), ERROR_OK);
	}
	drop(table);
}

/* ---- signatures ---- */

static void a_signature_by_another_key_is_none(void **state)
{
	struct seats *table = make(210, 2);
	const struct world_party *theirs = &table->hand.world->parties[1];
	const struct world_party *ours = &table->hand.world->parties[0];
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak_as(table, 1, message(table, 1), &theirs->officers[1], NULL, identity),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(speak_as(table, 1, message(table, 1), &theirs->authority, NULL, identity),
			 ERROR_BAD_SIGNATURE);
	/* Our own officer's words, reflected as theirs. */
	assert_int_equal(speak_as(table, 1, message(table, 1), &ours->officers[0], NULL, identity),
			 ERROR_BAD_SIGNATURE);
	drop(table);
}

static void what_was_signed_for_another_channel_or_another_party_does_not_pass(void **state)
{
	struct seats *table = make(211, 2);
	struct world *world = table->hand.world;
	const struct ed25519_pair *officer = &world->parties[1].officers[0];
	struct hand_channel other = hand_channel_make(world, 2);
	struct hand_channel wider = hand_channel_make(world, 3);
	struct content *content = message(table, 1);
	uint8_t identity[IDENTITY_SIZE];

	memcpy(wider.id, table->channel.id, sizeof(wider.id)); /* the same channel, other recipients */
	const struct hand_channel *channels[] = {&other, &wider};
	for (size_t i = 0; i < 2; i++) {
		struct paper paper = hand_sign(channels[i], world, 1, officer, NULL, content, identity);
		paper.slot = 1;
		assert_int_equal(hand_judge(&table->hand, 1, table->index[1], &paper, false),
				 ERROR_BAD_SIGNATURE);
		hand_drop(&paper);
	}
	struct paper paper = hand_sign(&table->channel, world, 1, officer, NULL, content, identity);
	paper.slot = 1;
	assert_int_equal(hand_judge(&table->hand, 1, table->index[1], &paper, false), ERROR_OK);
	hand_drop(&paper);
	free(content);
	drop(table);
}

static struct content *by_two(struct seats *table, uint64_t first, uint64_t second)
{
	struct content *content = message(table, first);
	content->signers_count = 2;
	content->signers[1] = second;
	return content;
}

static void two_officers_sign_with_two_keys_and_are_both_entitled(void **state)
{
	struct seats *table = make(212, 2);
	const struct world_party *theirs = &table->hand.world->parties[1];
	const struct ed25519_pair *keys = theirs->officers;
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak_as(table, 1, by_two(table, 1, 2), &keys[0], &keys[1], identity), ERROR_OK);
	assert_int_equal(speak_as(table, 1, by_two(table, 1, 2), &keys[1], &keys[0], identity),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(speak_as(table, 1, by_two(table, 1, 2), &keys[0], &keys[0], identity),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(speak_as(table, 1, by_two(table, 1, 3), &keys[0], &keys[2], identity),
			 ERROR_REFUSED_AGREMENT);
	assert_int_equal(speak_as(table, 1, by_two(table, 1, 9), &keys[0], &keys[2], identity),
			 ERROR_REFUSED_SIGNER);
	struct content *content = by_two(table, 1, 2);
	content->precedence = PRECEDENCE_FLASH;
	assert_int_equal(speak_as(table, 1, content, &keys[0], &keys[1], identity), ERROR_REFUSED_SCOPE);

	/* One person under two numbers. */
	take_or_give(table, 1, pen_credence(&table->pens[1], 8, keys[0].key));
	take_or_give(table, 0, pen_agrement(&table->pens[0], table->index[1], 8, 1));
	assert_int_equal(speak_as(table, 1, by_two(table, 1, 8), &keys[0], &keys[0], identity),
			 ERROR_REFUSED_SIGNATURE);
	drop(table);
}

/* ---- what is said ---- */

static void texts_are_bounded_by_the_terms_and_plain(void **state)
{
	struct seats *table = make(220, 2);
	uint8_t identity[IDENTITY_SIZE];
	static uint8_t long_text[201 * 2];
	struct content *content;

	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = i % 2 == 0 ? 'w' : ' ';
	for (size_t party = 0; party < 2; party++) {
		content = message(table, 1);
		content->precedence = PRECEDENCE_FLASH;
		content->of.message.text = bytes_make(long_text, sizeof(long_text));
		assert_int_equal(speak(table, party, content, identity), ERROR_REFUSED_LENGTH);
		content = message(table, 1);
		content->of.message.text = bytes_of_text("\x1b[2J");
		assert_int_equal(speak(table, party, content, identity), ERROR_REFUSED_TEXT);
		content = message(table, 1);
		content->of.message.subject = bytes_of_text("two\nlines");
		assert_int_equal(speak(table, party, content, identity), ERROR_REFUSED_TEXT);
	}
	drop(table);
}

static void what_is_acknowledged_or_answered_is_anothers_and_held_here(void **state)
{
	struct seats *table = make(221, 2);
	uint8_t ours[IDENTITY_SIZE];
	uint8_t theirs[IDENTITY_SIZE];
	uint8_t unknown[IDENTITY_SIZE] = {9};
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak(table, 0, message(table, 1), ours), ERROR_OK);
	assert_int_equal(speak(table, 1, message(table, 1), theirs), ERROR_OK);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, unknown), identity),
			 ERROR_REFUSED_REFERENCE);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, theirs), identity), ERROR_REFUSED_NAMED);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_OK);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, unknown), identity),
			 ERROR_REFUSED_REFERENCE);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, ours), identity), ERROR_REFUSED_NAMED);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, theirs), identity), ERROR_OK);
	const uint8_t *named[] = {unknown, theirs, ours};
	const enum error reasons[] = {ERROR_REFUSED_REFERENCE, ERROR_REFUSED_NAMED, ERROR_OK};
	for (size_t i = 0; i < 3; i++) {
		struct content *content = message(table, 1);
		content->of.message.has_answers = true;
		memcpy(content->of.message.answers, named[i], IDENTITY_SIZE);
		assert_int_equal(speak(table, 1, content, identity), reasons[i]);
	}
	/* References point to what a reader may or may not have. */
	struct content *content = message(table, 1);
	content->of.message.references_count = 1;
	memcpy(content->of.message.references[0], unknown, IDENTITY_SIZE);
	assert_int_equal(speak(table, 1, content, identity), ERROR_OK);

	/* On another channel it is not held. */
	struct row_key key = key_identity(ours);
	struct entry_key place;
	assert_true(hand_look(&table->hand, &key, &schema_entry_key, &place));
	place.channel = 2;
	hand_put(&table->hand, &key, &schema_entry_key, &place);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_REFUSED_NAMED);
	drop(table);
}

static struct content *answer(struct seats *table, const uint8_t identity[IDENTITY_SIZE])
{
	struct content *content = message(table, 1);

	content->of.message.has_answers = true;
	memcpy(content->of.message.answers, identity, IDENTITY_SIZE);
	return content;
}

static void only_a_message_is_acknowledged_or_answered(void **state)
{
	struct seats *table = make(223, 2);
	uint8_t messages[2][IDENTITY_SIZE];
	uint8_t acknowledgments[2][IDENTITY_SIZE];
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(speak(table, i, message(table, 1), messages[i]), ERROR_OK);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			speak(table, i, acknowledgment(table, 1, messages[1 - i]), acknowledgments[i]),
			ERROR_OK);
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *named[] = {acknowledgments[1 - i], table->pens[1 - i].head};
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(speak(table, i, acknowledgment(table, 1, named[j]), identity),
					 ERROR_REFUSED_NAMED);
			assert_int_equal(speak(table, i, answer(table, named[j]), identity),
					 ERROR_REFUSED_NAMED);
		}
	}
	drop(table);
}

/* Any number of answers are given, by the same officer or another. */
static void a_message_is_acknowledged_once(void **state)
{
	struct seats *table = make(224, 2);
	uint8_t messages[2][IDENTITY_SIZE];
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(speak(table, i, message(table, 1), messages[i]), ERROR_OK);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(speak(table, i, acknowledgment(table, 1, messages[1 - i]), identity),
				 ERROR_OK);
		assert_int_equal(speak(table, i, acknowledgment(table, 1, messages[1 - i]), identity),
				 ERROR_REFUSED_NAMED);
		assert_int_equal(speak(table, i, acknowledgment(table, 2, messages[1 - i]), identity),
				 ERROR_REFUSED_NAMED);
		assert_int_equal(speak(table, i, answer(table, messages[1 - i]), identity), ERROR_OK);
		assert_int_equal(speak(table, i, answer(table, messages[1 - i]), identity), ERROR_OK);
	}
	drop(table);
}

/* They come in whatever order: the first in the log counts. */
static void of_two_acknowledgments_the_one_that_stands_first_is_taken(void **state)
{
	struct seats *table = make(225, 2);
	uint8_t ours[IDENTITY_SIZE];
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak(table, 0, message(table, 1), ours), ERROR_OK);
	table->pens[1].position += 4;
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_OK);
	table->pens[1].position -= 3;
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_OK);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_REFUSED_NAMED);
	drop(table);
}

/* Two parties, or two posts of one, know nothing of each other's at the time. */
static void each_post_acknowledges_for_itself(void **state)
{
	struct seats *table = make(226, 3);
	uint8_t ours[IDENTITY_SIZE];
	uint8_t theirs[IDENTITY_SIZE];
	uint8_t identity[IDENTITY_SIZE];
	struct row_key key;

	assert_int_equal(speak(table, 0, message(table, 1), ours), ERROR_OK);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_OK);
	assert_int_equal(speak(table, 2, acknowledgment(table, 1, ours), identity), ERROR_OK);
	assert_int_equal(speak(table, 1, message(table, 1), theirs), ERROR_OK);
	assert_int_equal(speak(table, 2, acknowledgment(table, 1, theirs), identity), ERROR_OK);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, theirs), identity), ERROR_OK);

	/* Another incarnation of that log has acknowledged it, another post of the own party as well. */
	assert_int_equal(speak(table, 0, message(table, 1), ours), ERROR_OK);
	struct number position = {.number = 0};
	key = key_acknowledged_in(1, ours, log_number(table->index[1], table->pens[1].slot), 2);
	hand_put(&table->hand, &key, &schema_number, &position);
	key = key_acknowledged_in(1, ours, log_number(table->index[1], table->pens[1].slot + 1), 1);
	hand_put(&table->hand, &key, &schema_number, &position);
	assert_int_equal(speak(table, 1, acknowledgment(table, 1, ours), identity), ERROR_OK);
	assert_int_equal(speak(table, 1, message(table, 1), theirs), ERROR_OK);
	key = key_acknowledged_in(1, theirs, log_number(table->index[0], 7), 1);
	hand_put(&table->hand, &key, &schema_number, &position);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, theirs), identity), ERROR_REFUSED_NAMED);
	drop(table);
}

/* What this post refused its officers acknowledge not; that another took it is no fault of that one. */
static void what_was_refused_here_is_not_acknowledged_here(void **state)
{
	struct seats *table = make(227, 3);
	uint8_t theirs[IDENTITY_SIZE];
	uint8_t identity[IDENTITY_SIZE];
	struct entry_key place;
	struct entry entry;

	assert_int_equal(speak(table, 1, message(table, 1), theirs), ERROR_OK);
	assert_true(world_entry(table->hand.world, 0, theirs, &entry, &place));
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	entry.reason = ERROR_REFUSED_AGREMENT;
	entry.state = LOCAL_REFUSED;
	hand_put(&table->hand, &key, &schema_entry, &entry);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, theirs), identity), ERROR_REFUSED_NAMED);
	assert_int_equal(speak(table, 0, answer(table, theirs), identity), ERROR_REFUSED_NAMED);
	assert_int_equal(speak(table, 2, acknowledgment(table, 1, theirs), identity), ERROR_OK);
	assert_int_equal(world_state(table->hand.world, 0, theirs), LOCAL_REFUSED);
	drop(table);
}

static void among_more_posts_what_is_named_may_be_on_its_way(void **state)
{
	struct seats *table = make(222, 3);
	uint8_t unknown[IDENTITY_SIZE] = {9};
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(speak(table, 1, acknowledgment(table, 1, unknown), identity), ERROR_OK);
	assert_int_equal(speak(table, 0, acknowledgment(table, 1, unknown), identity),
			 ERROR_REFUSED_REFERENCE);
	drop(table);
}

/* ---- the post itself ---- */

static struct content *verdict(struct seats *table)
{
	struct content *content = message(table, 1);

	memset(&content->of, 0, sizeof(content->of));
	content->kind = CONTENT_VERDICT;
	content->signers_count = 0;
	content->of.verdict.ranges_count = 1;
	content->of.verdict.ranges[0] =
		(struct verdict_range){.incarnation = 1, .count = 1, .reason = ERROR_REFUSED_FORM};
	return content;
}

static enum error judge_verdict(struct seats *table, const struct ed25519_pair *pair, uint64_t slot)
{
	struct content *content = verdict(table);
	uint8_t identity[IDENTITY_SIZE];
	struct paper paper = hand_sign(&table->channel, table->hand.world, 1, pair, NULL, content, identity);

	paper.slot = slot;
	enum error reason = hand_judge(&table->hand, 1, table->index[1], &paper, false);
	hand_drop(&paper);
	free(content);
	return reason;
}

static void a_verdict_is_signed_by_the_post_of_its_log(void **state)
{
	struct seats *table = make(230, 2);
	struct world *world = table->hand.world;
	struct ed25519_pair theirs;
	struct ed25519_pair ours;

	post_statement_pair(world->posts[1].root_seed, &theirs);
	post_statement_pair(world->posts[0].root_seed, &ours);
	assert_int_equal(judge_verdict(table, &theirs, 1), ERROR_OK);
	assert_int_equal(judge_verdict(table, &ours, 1), ERROR_BAD_SIGNATURE);
	assert_int_equal(judge_verdict(table, &world->parties[1].authority, 1), ERROR_BAD_SIGNATURE);
	assert_int_equal(judge_verdict(table, &theirs, 2), ERROR_REFUSED_SIGNER);
	drop(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_officer_with_credence_and_agrement_speaks),
		cmocka_unit_test(without_credence_or_agrement_nobody_speaks),
		cmocka_unit_test(we_ask_for_our_agrement_and_here_for_that_of_all_others),
		cmocka_unit_test(nobody_speaks_before_the_channel_is_open),
		cmocka_unit_test(a_post_that_no_opening_names_does_not_serve),
		cmocka_unit_test(a_scope_bounds_the_precedence),
		cmocka_unit_test(a_signature_by_another_key_is_none),
		cmocka_unit_test(what_was_signed_for_another_channel_or_another_party_does_not_pass),
		cmocka_unit_test(two_officers_sign_with_two_keys_and_are_both_entitled),
		cmocka_unit_test(texts_are_bounded_by_the_terms_and_plain),
		cmocka_unit_test(what_is_acknowledged_or_answered_is_anothers_and_held_here),
		cmocka_unit_test(only_a_message_is_acknowledged_or_answered),
		cmocka_unit_test(a_message_is_acknowledged_once),
		cmocka_unit_test(of_two_acknowledgments_the_one_that_stands_first_is_taken),
		cmocka_unit_test(each_post_acknowledges_for_itself),
		cmocka_unit_test(what_was_refused_here_is_not_acknowledged_here),
		cmocka_unit_test(among_more_posts_what_is_named_may_be_on_its_way),
		cmocka_unit_test(a_verdict_is_signed_by_the_post_of_its_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
