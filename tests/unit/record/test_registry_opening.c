/*
 * Channels are made by openings: who may open what, and what an opening may say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/hand.h"

/* Two parties, Alliance (here) and Federation, and a channel that nobody has opened yet. */
struct line_of_two {
	struct hand hand;
	struct hand_channel channel;
	struct pen ours;
	struct pen theirs;
};

static struct line_of_two *make(uint64_t seed)
{
	struct line_of_two *line = calloc(1, sizeof(*line));

	line->hand = hand_world(seed);
	line->channel = hand_channel_make(line->hand.world, 2);
	line->ours = (struct pen){.world = line->hand.world, .channel = &line->channel};
	line->theirs =
		(struct pen){.world = line->hand.world, .channel = &line->channel, .party = 1, .slot = 1};
	return line;
}

static void drop(struct line_of_two *line)
{
	world_free(line->hand.world);
	free(line);
}

static struct channel channel_row(const struct line_of_two *line, uint64_t number)
{
	struct row_key key = key_channel(TABLE_CHANNEL, number);
	struct channel channel;
	assert_true(hand_look(&line->hand, &key, &schema_channel, &channel));
	return channel;
}

static bool look_line(const struct line_of_two *line, uint64_t log, struct line *row)
{
	struct row_key key = key_line(1, log);
	return hand_look(&line->hand, &key, &schema_line, row);
}

static void an_opening_proposes_a_channel_and_both_open_it(void **state)
{
	struct line_of_two *line = make(1);
	struct content *content = pen_opening(&line->theirs);
	uint64_t their_log = log_number(hand_index(line->hand.world, &line->channel, 1), 1);
	uint64_t our_log = log_number(hand_index(line->hand.world, &line->channel, 0), 0);
	uint8_t log_key[PUBLIC_KEY_SIZE];
	struct line row;

	memcpy(log_key, content->of.letter.of.opening.posts[0].log_key, sizeof(log_key));
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_OK);
	struct channel channel = channel_row(line, 1);
	assert_int_equal(channel.state, CHANNEL_PROPOSED);
	assert_int_equal(channel.proposer, 1);
	assert_memory_equal(channel.id, line->channel.id, sizeof(channel.id));
	assert_memory_equal(channel.nonce, line->channel.nonce, sizeof(channel.nonce));
	assert_true(bytes_equal(channel.terms, bytes_make(line->channel.terms, line->channel.terms_size)));
	assert_int_equal(channel.own_index, hand_index(line->hand.world, &line->channel, 0));
	assert_true(look_line(line, their_log, &row));
	assert_memory_equal(row.log_key, log_key, sizeof(log_key));
	assert_true(look_line(line, our_log, &row));
	assert_int_equal(row.incarnation, 0); /* not filled in before the own opening */
	assert_int_equal(line->hand.changes, 1);

	assert_int_equal(hand_give(&line->hand, &line->ours, pen_opening(&line->ours)), ERROR_OK);
	channel = channel_row(line, 1);
	assert_int_equal(channel.state, CHANNEL_OPEN);
	assert_int_equal(channel.opened, 3);
	assert_true(look_line(line, our_log, &row));
	assert_int_equal(row.incarnation, 1);
	drop(line);
}

static void an_opening_is_refused_where_we_or_its_author_are_not_on_its_roster(void **state)
{
	struct line_of_two *line = make(2);
	struct world *world = line->hand.world;
	struct hand_channel others = hand_channel_make(world, 3);
	struct content *content;

	/* Federation and Union: not we. */
	memset(&others.roster, 0, sizeof(others.roster));
	memcpy(others.roster.ids[0], world->parties[1].id, PARTY_ID_SIZE);
	memcpy(others.roster.ids[1], world->parties[2].id, PARTY_ID_SIZE);
	others.roster.count = 2;
	assert_int_equal(roster_sort(&others.roster), ERROR_OK);
	channel_id_make(&others.roster, bytes_make(others.terms, others.terms_size), others.nonce, others.id);
	line->theirs.channel = &others;
	assert_int_equal(hand_take(&line->hand, &line->theirs, pen_opening(&line->theirs)),
			 ERROR_REFUSED_CHANNEL);

	/* We and Union, carried by Federation: not the author. */
	line->theirs = (struct pen){.world = world, .channel = &line->channel, .party = 1, .slot = 1};
	content = pen_opening(&line->theirs);
	struct roster *roster = &content->of.letter.of.opening.parties;
	memcpy(roster->ids[0], world->parties[0].id, PARTY_ID_SIZE);
	memcpy(roster->ids[1], world->parties[2].id, PARTY_ID_SIZE);
	assert_int_equal(roster_sort(roster), ERROR_OK);
	struct paper paper = pen_sign(&line->theirs, content);
	assert_int_equal(hand_receive(&line->hand, &line->channel, &paper).reason, ERROR_REFUSED_CHANNEL);
	assert_int_equal(hand_judge(&line->hand, 0, 0, &paper, false), ERROR_REFUSED_CHANNEL);
	hand_drop(&paper);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 0);
	drop(line);
}

static void an_opening_waits_until_cards_and_keyings_of_all_parties_are_held(void **state)
{
	struct line_of_two *line = make(3);
	struct world *world = line->hand.world;
	struct hand_channel council = hand_channel_make(world, 3);
	struct row_key key = key_party(2);
	struct party party;
	uint64_t keying;

	line->theirs.channel = &council;
	assert_true(hand_look(&line->hand, &key, &schema_party, &party));
	struct bytes name = {.data = (const uint8_t *)"Union", .size = 5};
	party.name = name;
	keying = party.keying;
	party.keying = 0;
	hand_put(&line->hand, &key, &schema_party, &party);
	struct paper paper = pen_sign(&line->theirs, pen_opening(&line->theirs));
	assert_int_equal(hand_receive(&line->hand, &council, &paper).reason, ERROR_NOT_NOW);
	party.keying = keying;
	hand_put(&line->hand, &key, &schema_party, &party);
	assert_int_equal(hand_receive(&line->hand, &council, &paper).reason, ERROR_OK);
	hand_drop(&paper);

	/* A party of which no card is held. */
	line->theirs = (struct pen){.world = world, .channel = &line->channel, .party = 1, .slot = 1};
	struct content *content = pen_opening(&line->theirs);
	struct roster *roster = &content->of.letter.of.opening.parties;
	memset(roster->ids[roster->count++], 0x77, PARTY_ID_SIZE);
	assert_int_equal(roster_sort(roster), ERROR_OK);
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_NOT_NOW);
	drop(line);
}

static void an_opening_with_terms_out_of_bounds_is_refused(void **state)
{
	struct line_of_two *line = make(4);
	struct content *content = pen_opening(&line->theirs);

	content->of.letter.of.opening.terms = bytes_of_text("no terms");
	struct paper paper = pen_sign(&line->theirs, content);
	assert_int_equal(hand_receive(&line->hand, &line->channel, &paper).reason, ERROR_REFUSED_TERMS);
	assert_int_equal(hand_judge(&line->hand, 0, 0, &paper, false), ERROR_REFUSED_TERMS);
	hand_drop(&paper);
	drop(line);
}

/* Signs an opening with another key than the author's authority. */
static enum error take_signed_by(struct line_of_two *line, const struct ed25519_pair *pair)
{
	struct content *content = pen_opening(&line->theirs);
	uint8_t identity[IDENTITY_SIZE];
	struct paper paper = hand_sign(&line->channel, line->hand.world, 1, pair, NULL, content, identity);

	paper.slot = 1;
	enum error reason = hand_receive(&line->hand, &line->channel, &paper).reason;
	hand_drop(&paper);
	free(content);
	return reason;
}

static void only_the_authority_opens(void **state)
{
	struct line_of_two *line = make(5);
	struct world *world = line->hand.world;

	assert_int_equal(take_signed_by(line, &world->parties[0].authority), ERROR_BAD_SIGNATURE);
	assert_int_equal(take_signed_by(line, &world->parties[1].officers[0]), ERROR_BAD_SIGNATURE);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 0);
	assert_int_equal(take_signed_by(line, &world->parties[1].authority), ERROR_OK);
	drop(line);
}

static void no_officer_opens(void **state)
{
	struct line_of_two *line = make(6);
	struct world *world = line->hand.world;
	struct content *content = pen_opening(&line->theirs);
	uint8_t identity[IDENTITY_SIZE];

	content->signers[0] = 1;
	content->of.letter.has_entitled_by = true;
	struct paper paper =
		hand_sign(&line->channel, world, 1, &world->parties[1].officers[0], NULL, content, identity);
	assert_int_equal(hand_receive(&line->hand, &line->channel, &paper).reason, ERROR_REFUSED_AUTHORITY);
	hand_drop(&paper);
	free(content);
	drop(line);
}

static void the_card_in_an_opening_is_its_authors(void **state)
{
	struct line_of_two *line = make(7);
	struct world *world = line->hand.world;
	const struct world_party *union_party = &world->parties[2];
	struct content *content = pen_opening(&line->theirs);
	struct opening_letter *opening = &content->of.letter.of.opening;

	/* Another party's card. */
	opening->card_count = 0;
	for (size_t i = 0; i < union_party->letters_count; i++)
		opening->card[opening->card_count++] =
			bytes_make(union_party->letters[i], union_party->letters_size[i]);
	opening->posts[0].slot = 0;
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_REFUSED_AUTHORITY);

	/* The own one, with a signature that does not match. */
	line->theirs.number = 0;
	content = pen_opening(&line->theirs);
	opening = &content->of.letter.of.opening;
	uint8_t *forged = malloc(opening->card[1].size);
	memcpy(forged, opening->card[1].data, opening->card[1].size);
	forged[opening->card[1].size - 1] ^= 1;
	opening->card[1].data = forged;
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_REFUSED_FORM);
	free(forged);

	/* The own one, without the post that is named. */
	line->theirs.number = 0;
	content = pen_opening(&line->theirs);
	content->of.letter.of.opening.card_count = 1;
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_REFUSED_FORM);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 0);
	drop(line);
}

/* One more letter of Federation's card chain; `after` letters are before it. */
static struct bytes card_letter(struct world *world, size_t after, uint64_t slot, const char *name,
				const char *node)
{
	const struct world_party *party = &world->parties[1];
	struct content *content = calloc(1, sizeof(*content));
	struct post_letter *post = &content->of.letter.of.post;
	struct buffer payload = buffer_make(malloc(4096), 4096);
	struct buffer work = buffer_make(malloc(SIGNED_WORK_SIZE), SIGNED_WORK_SIZE);
	struct buffer out = buffer_make(malloc(4096), 4096);
	struct cose_signed before;
	struct aad aad;

	aad_without_channel(&aad, AAD_ENTRY, party->id);
	assert_int_equal(
		cose_signed_decode(bytes_make(party->letters[after - 1], party->letters_size[after - 1]),
				   &before),
		ERROR_OK);
	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_ROUTINE;
	content->signers_count = 1;
	content->of.letter.kind = LETTER_POST;
	content->of.letter.number = after;
	content->of.letter.has_previous = true;
	identity_of(&aad, before.payload, content->of.letter.previous);
	post->slot = slot;
	post->kind = POST_MISSION;
	post->name = bytes_of_text(name);
	post->node = bytes_of_text(node);
	memcpy(post->statement_key, party->officers[3].key, sizeof(post->statement_key));
	content_encode(content, &payload);
	assert_int_equal(signed_alone(&party->authority, &aad, buffer_bytes(&payload), &work, &out),
			 ERROR_OK);
	free(payload.data);
	free(work.data);
	free(content);
	return buffer_bytes(&out);
}

static void the_card_in_an_opening_goes_on_the_one_held_or_is_refused(void **state)
{
	struct line_of_two *line = make(8);
	struct world *world = line->hand.world;
	struct bytes forked = card_letter(world, 1, 1, "Another Embassy", "dtn://other/");
	struct bytes longer = card_letter(world, 2, 9, "New Mission", "dtn://new/");

	struct content *content = pen_opening(&line->theirs);
	content->of.letter.of.opening.card[1] = forked;
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_REFUSED_CHAIN);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 0);

	line->theirs.number = 0;
	content = pen_opening(&line->theirs);
	struct opening_letter *opening = &content->of.letter.of.opening;
	opening->card[opening->card_count++] = longer;
	opening->posts[opening->posts_count] = opening->posts[0];
	opening->posts[opening->posts_count++].slot = 9;
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_OK);

	/* The post that the longer card names is known now, and its line is there. */
	struct row_key key = key_party_post(TABLE_PARTY_POST, 1, 9);
	struct party_post post;
	struct line row;
	assert_true(hand_look(&line->hand, &key, &schema_party_post, &post));
	assert_true(bytes_equal(post.name, bytes_of_text("New Mission")));
	assert_true(look_line(line, log_number(hand_index(world, &line->channel, 1), 9), &row));
	assert_int_equal(row.incarnation, 1);
	struct party party;
	key = key_party(1);
	assert_true(hand_look(&line->hand, &key, &schema_party, &party));
	assert_int_equal(party.letters, 3);

	/* A card that ends earlier, by itself, is no fault. */
	struct hand_channel second = hand_channel_make(world, 2);
	struct pen pen = {.world = world, .channel = &second, .party = 1, .slot = 1};
	assert_int_equal(hand_take(&line->hand, &pen, pen_opening(&pen)), ERROR_OK);
	assert_true(hand_look(&line->hand, &key, &schema_party, &party));
	assert_int_equal(party.letters, 3);
	free((void *)(uintptr_t)forked.data);
	free((void *)(uintptr_t)longer.data);
	drop(line);
}

static void log_keys_must_be_points_of_full_order(void **state)
{
	struct line_of_two *line = make(9);
	struct content *content = pen_opening(&line->theirs);

	memset(content->of.letter.of.opening.posts[0].cosigner_key, 0, PUBLIC_KEY_SIZE);
	assert_int_equal(hand_take(&line->hand, &line->theirs, content), ERROR_REFUSED_FORM);
	drop(line);
}

static void an_opening_of_another_channel_does_not_pass_on_this_one(void **state)
{
	struct line_of_two *line = make(10);
	struct world *world = line->hand.world;
	uint64_t index = hand_index(world, &line->channel, 1);

	assert_int_equal(hand_give(&line->hand, &line->ours, pen_opening(&line->ours)), ERROR_OK);
	struct content *content = pen_opening(&line->theirs);
	content->of.letter.of.opening.nonce[0] ^= 1;
	struct paper paper = pen_sign(&line->theirs, content);
	assert_int_equal(hand_judge(&line->hand, 1, index, &paper, false), ERROR_REFUSED_TERMS);
	hand_drop(&paper);
	line->theirs.number = 0;
	paper = pen_sign(&line->theirs, pen_opening(&line->theirs));
	assert_int_equal(hand_judge(&line->hand, 1, index, &paper, false), ERROR_OK);
	hand_drop(&paper);
	drop(line);
}

static void a_party_opens_once_and_the_same_letter_again_changes_nothing(void **state)
{
	struct line_of_two *line = make(11);
	uint8_t before[32];
	uint8_t after[32];

	struct paper paper = pen_sign(&line->theirs, pen_opening(&line->theirs));
	assert_int_equal(hand_receive(&line->hand, &line->channel, &paper).reason, ERROR_OK);
	hand_fold_hash(&line->hand, before);
	paper.position = 5; /* carried a second time */
	struct outcome outcome = hand_receive(&line->hand, &line->channel, &paper);
	assert_int_equal(outcome.reason, ERROR_OK);
	assert_int_equal(outcome.verdicts_count, 1);
	assert_int_equal(outcome.verdicts[0].key.position, 5);
	hand_fold_hash(&line->hand, after);
	assert_memory_equal(before, after, sizeof(before));
	hand_drop(&paper);

	line->theirs.number = 0;
	assert_int_equal(hand_take(&line->hand, &line->theirs, pen_opening(&line->theirs)),
			 ERROR_REFUSED_CHAIN);
	assert_int_equal(line->hand.alerts, 1);
	assert_int_equal(line->hand.last_alert, ERROR_REFUSED_CHAIN);
	hand_fold_hash(&line->hand, after);
	assert_memory_equal(before, after, sizeof(before));
	drop(line);
}

static void our_opening_must_name_this_post_with_its_own_keys(void **state)
{
	struct line_of_two *line = make(12);
	struct content *content = pen_opening(&line->ours);

	memcpy(content->of.letter.of.opening.posts[0].log_key, line->hand.world->parties[0].officers[0].key,
	       PUBLIC_KEY_SIZE);
	assert_int_equal(hand_give(&line->hand, &line->ours, content), ERROR_REFUSED_FORM);
	line->ours.number = 0;
	content = pen_opening(&line->ours);
	memcpy(content->of.letter.of.opening.posts[0].cosigner_key,
	       line->hand.world->parties[0].officers[0].key, PUBLIC_KEY_SIZE);
	assert_int_equal(hand_give(&line->hand, &line->ours, content), ERROR_REFUSED_FORM);
	line->ours.number = 0;
	world_name_again(line->hand.world, 0, "Headquarters", line->hand.world->parties[0].officers[0].key);
	assert_int_equal(hand_give(&line->hand, &line->ours, pen_opening(&line->ours)), ERROR_REFUSED_FORM);
	struct world_party *party = &line->hand.world->parties[0];
	free(party->letters[--party->letters_count]); /* without that other statement key */
	line->ours.number = 0;
	line->ours.position = 0;
	assert_int_equal(hand_give(&line->hand, &line->ours, pen_opening(&line->ours)), ERROR_OK);
	drop(line);
}

/* Proposes another channel with the world's first parties, as `party`. */
static enum error propose(struct line_of_two *line, size_t party, size_t count)
{
	struct hand_channel channel = hand_channel_make(line->hand.world, count);
	struct pen pen = {.world = line->hand.world,
			  .channel = &channel,
			  .party = party,
			  .slot = line->hand.world->posts[party].slot};
	return party == 0 ? hand_give(&line->hand, &pen, pen_opening(&pen))
			  : hand_take(&line->hand, &pen, pen_opening(&pen));
}

static void a_counterpart_proposes_a_few_channels_and_no_more(void **state)
{
	struct line_of_two *line = make(13);

	for (size_t i = 0; i < CHANNELS_PROPOSED_MAX; i++)
		assert_int_equal(propose(line, 1, 2), ERROR_OK);
	assert_int_equal(propose(line, 1, 2), ERROR_FULL);
	assert_int_equal(propose(line, 1, 3), ERROR_FULL);
	assert_int_equal(propose(line, 2, 3), ERROR_OK);
	for (size_t i = 0; i < CHANNELS_PROPOSED_MAX + 1; i++)
		assert_int_equal(propose(line, 0, 2), ERROR_OK);
	drop(line);
}

/* Copies a channel's row to other numbers, proposed by party 9. */
static void fill_channels(struct line_of_two *line, uint64_t from, uint64_t to, uint64_t proposer)
{
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	static const uint8_t parties[2] = {0, 1};
	struct channel channel = {
		.state = CHANNEL_PROPOSED,
		.proposer = proposer,
		.terms = bytes_make(line->channel.terms, line->channel.terms_size),
		.parties = bytes_make(parties, sizeof(parties)),
	};

	for (uint64_t i = from; i <= to; i++) {
		key = key_channel(TABLE_CHANNEL, i);
		hand_put(&line->hand, &key, &schema_channel, &channel);
	}
}

static void other_parties_leave_half_of_the_channels_free(void **state)
{
	struct line_of_two *line = make(14);

	fill_channels(line, 100, 100 + CHANNELS_MAX / 2 - 2, 9);
	assert_int_equal(propose(line, 1, 2), ERROR_OK);
	assert_int_equal(propose(line, 2, 3), ERROR_FULL);
	assert_int_equal(propose(line, 0, 2), ERROR_OK);
	fill_channels(line, 200, 200 + CHANNELS_MAX / 2 - 3, 0);
	assert_int_equal(propose(line, 0, 2), ERROR_OK);
	assert_int_equal(propose(line, 0, 2), ERROR_FULL);
	drop(line);
}

static void a_council_opens_when_all_have(void **state)
{
	struct line_of_two *line = make(15);
	struct world *world = line->hand.world;
	struct hand_channel council = hand_channel_make(world, 3);
	struct pen pens[3];

	for (size_t i = 0; i < 3; i++)
		pens[i] = (struct pen){
			.world = world, .channel = &council, .party = i, .slot = world->posts[i].slot};
	assert_int_equal(hand_take(&line->hand, &pens[2], pen_opening(&pens[2])), ERROR_OK);
	assert_int_equal(hand_give(&line->hand, &pens[0], pen_opening(&pens[0])), ERROR_OK);
	assert_int_equal(channel_row(line, 1).state, CHANNEL_PROPOSED);
	assert_int_equal(hand_take(&line->hand, &pens[1], pen_opening(&pens[1])), ERROR_OK);
	assert_int_equal(channel_row(line, 1).state, CHANNEL_OPEN);
	drop(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_opening_proposes_a_channel_and_both_open_it),
		cmocka_unit_test(an_opening_is_refused_where_we_or_its_author_are_not_on_its_roster),
		cmocka_unit_test(an_opening_waits_until_cards_and_keyings_of_all_parties_are_held),
		cmocka_unit_test(an_opening_with_terms_out_of_bounds_is_refused),
		cmocka_unit_test(only_the_authority_opens),
		cmocka_unit_test(no_officer_opens),
		cmocka_unit_test(the_card_in_an_opening_is_its_authors),
		cmocka_unit_test(the_card_in_an_opening_goes_on_the_one_held_or_is_refused),
		cmocka_unit_test(log_keys_must_be_points_of_full_order),
		cmocka_unit_test(an_opening_of_another_channel_does_not_pass_on_this_one),
		cmocka_unit_test(a_party_opens_once_and_the_same_letter_again_changes_nothing),
		cmocka_unit_test(our_opening_must_name_this_post_with_its_own_keys),
		cmocka_unit_test(a_counterpart_proposes_a_few_channels_and_no_more),
		cmocka_unit_test(other_parties_leave_half_of_the_channels_free),
		cmocka_unit_test(a_council_opens_when_all_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
