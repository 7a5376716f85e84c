/*
 * The registry over rows that stand as no event, or few, would leave them, and at the bounds of what it is
 * asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/registry_letter.h"
#include "tests/unit/record/council.h"
#include "tests/unit/record/talk.h"

#define LOG_BEYOND (PARTIES_MAX * POST_SLOTS) /* the first number that no log has */

/* ---- lines and channels ---- */

static enum error all_lines(struct run *run, void *context)
{
	uint64_t log = LINES_START;
	size_t *count = context;
	enum error error;

	for (*count = 0; (error = registry_next_line(run, 1, &log, NULL)) == ERROR_OK;)
		(*count)++;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static void a_line_is_of_a_log_that_there_can_be(void **state)
{
	struct world *world = world_open_line(530);
	struct hand hand = hand_make(world, 0);
	struct line line = talk_line(world, 0, 1);
	size_t count;

	line.name = bytes_of_text("Embassy");
	for (uint64_t i = 0; i < 2; i++) {
		struct row_key key = key_line(1, LOG_BEYOND - 1 + i);
		hand_put(&hand, &key, &schema_line, &line);
		assert_int_equal(hand_run(&hand, all_lines, &count), i == 0 ? ERROR_OK : ERROR_MALFORMED);
		assert_int_equal(count, 3);
	}
	world_free(world);
}

struct speaking {
	uint64_t log;
	struct log_post post;
	uint8_t key[PUBLIC_KEY_SIZE];
};

static enum error read_post(struct run *run, void *context)
{
	struct speaking *speaking = context;
	struct channel channel;

	enum error error = registry_channel(run, 1, &channel);
	if (error == ERROR_OK)
		error = registry_log_post(run, 1, &channel, speaking->log, &speaking->post);
	speaking->post.name = bytes_make(NULL, 0); /* it does not outlive the run */
	return error;
}

static enum error note_spoken(struct run *run, void *context)
{
	const struct speaking *speaking = context;
	return registry_log_spoke(run, 1, speaking->log, speaking->key);
}

/* A line that has a name, and no key yet: the newest card's, until the post speaks. */
static void a_log_keeps_the_key_that_it_spoke_under_first(void **state)
{
	struct world *world = world_open_line(531);
	struct hand hand = hand_make(world, 0);
	struct speaking speaking = {.log = world_log_of(world, 1), .key = {1}};
	struct row_key key = key_line(1, speaking.log);
	struct line line = talk_line(world, 0, 1);
	uint8_t newest[PUBLIC_KEY_SIZE];

	memcpy(newest, line.statement_key, sizeof(newest));
	memset(line.statement_key, 0, sizeof(line.statement_key));
	line.name = bytes_of_text("Embassy");
	hand_put(&hand, &key, &schema_line, &line);
	assert_int_equal(hand_run(&hand, read_post, &speaking), ERROR_OK);
	assert_memory_equal(speaking.post.statement_key, newest, sizeof(newest));
	for (uint8_t i = 0; i < 2; i++) {
		speaking.key[0] = 1 + i;
		assert_int_equal(hand_run(&hand, note_spoken, &speaking), ERROR_OK);
		assert_int_equal(hand_run(&hand, read_post, &speaking), ERROR_OK);
		assert_int_equal(speaking.post.statement_key[0], 1);
	}
	store_delete(&world->posts[0].store, key_view(&key));
	assert_int_equal(hand_run(&hand, note_spoken, &speaking), ERROR_MALFORMED);
	world_free(world);
}

static enum error read_roster(struct run *run, void *context)
{
	const struct channel *channel = context;
	struct roster *roster = run_take(run, sizeof(*roster));
	return registry_roster(run, channel, roster);
}

static void a_channel_has_so_many_parties(void **state)
{
	static const uint8_t parties[PARTIES_MAX + 1] = {1};
	struct world *world = world_open_line(532);
	struct hand hand = hand_make(world, 0);
	struct channel channel = {.parties = bytes_make(parties, PARTIES_MAX)};

	assert_int_equal(hand_run(&hand, read_roster, &channel), ERROR_OK);
	assert_true(registry_all(&channel) == UINT64_MAX);
	channel.parties.size = PARTIES_MAX + 1;
	assert_int_equal(hand_run(&hand, read_roster, &channel), ERROR_MALFORMED);
	channel.parties.size = 2;
	assert_true(registry_all(&channel) == 3);
	assert_int_equal(registry_party_of(&channel, 0), 1);
	assert_int_equal(registry_party_of(&channel, 2), 0);
	assert_true(registry_unverified(ERROR_REFUSED_SIGNER));
	assert_true(registry_unverified(ERROR_REFUSED_SIGNATURE));
	assert_false(registry_unverified(ERROR_OK));
	world_free(world);
}

static enum error collect(struct run *run, void *context)
{
	struct buffer *buffer = context;
	buffer->size = 0;
	return registry_collect_card(run, 1, buffer);
}

static void no_card_has_more_letters_than_there_can_be(void **state)
{
	static uint8_t bytes[CARD_SIZE_MAX];
	static const uint8_t null = 0xf6;
	struct world *world = world_make_pair(533);
	struct hand hand = hand_make(world, 0);
	struct buffer buffer = buffer_make(bytes, sizeof(bytes));
	size_t size = 0;

	for (uint64_t i = 4; i < CARD_LETTERS_MAX + 8; i++) {
		struct row_key key = key_make(TABLE_CARD_LETTER);
		key_u8(&key, 1);
		key_u32(&key, i);
		store_put(&world->posts[0].store, key_view(&key), bytes_make(&null, 1));
		assert_int_equal(hand_run(&hand, collect, &buffer), ERROR_OK);
		assert_int_equal(buffer_error(&buffer), ERROR_OK);
		if (i > CARD_LETTERS_MAX + 4)
			assert_int_equal(buffer.size, size);
		size = buffer.size;
	}
	world_free(world);
}

/* ---- letters that wait ---- */

/* A line on which post 1 has said something, and its party's chain at post 0. */
struct waiting {
	struct world *world;
	struct hand hand;
	uint64_t index;
	struct entry_key opening, message; /* held at post 0 */
};

static uint64_t letters_of(const struct waiting *waiting)
{
	struct row_key key = registry_chain_row(1, waiting->index);
	struct chain chain;

	assert_true(hand_look(&waiting->hand, &key, &schema_chain, &chain));
	return chain.letters;
}

/* The letters that come next are held, and stand ready: each is that entry. */
static void put_waiting(struct waiting *waiting, size_t count, const struct entry_key *place)
{
	struct row_key fold = key_channel(TABLE_FOLD, 1);

	for (size_t i = 0; i < count; i++) {
		struct row_key key = registry_letter_row(1, waiting->index, letters_of(waiting) + i);
		hand_put(&waiting->hand, &key, &schema_entry_key, place);
	}
	key_u8(&fold, waiting->index);
	store_put(&waiting->world->posts[0].store, key_view(&fold), bytes_make(NULL, 0));
}

static struct waiting waiting_make(uint64_t seed)
{
	struct waiting waiting = {.world = world_open_line(seed)};
	uint8_t identity[IDENTITY_SIZE];

	talk(waiting.world, 1, "a message", identity);
	waiting.hand = hand_make(waiting.world, 0);
	waiting.message = waiting.opening = talk_place(waiting.world, 0, identity);
	waiting.opening.position = 0;
	waiting.index = log_roster_index(waiting.message.log);
	return waiting;
}

static enum error advance(struct run *run, void *context)
{
	struct outcome *outcome = context;
	return registry_advance(run, outcome->verdicts, &outcome->verdicts_count);
}

/* More than one event takes, and each is the opening, which stands at the chain's begin. */
static void a_letter_that_stands_in_the_place_of_another_is_refused(void **state)
{
	struct waiting waiting = waiting_make(534);
	struct world *world = waiting.world;
	uint64_t letters = letters_of(&waiting);
	uint64_t size = talk_size(world, 0, 0, 1);

	put_waiting(&waiting, REGISTRY_VERDICTS_MAX + 1, &waiting.opening);
	size_t held = world_count(world, 0, TABLE_LETTER);
	world_tick(world, 0);
	assert_int_equal(world->posts[0].last_alert, ERROR_REFUSED_CHAIN);
	assert_int_equal(world_count(world, 0, TABLE_LETTER), held - 1);
	assert_int_equal(talk_size(world, 0, 0, 1), size + 1); /* a verdict says so */
	assert_int_equal(letters_of(&waiting), letters);
	world_free(world);
}

static void a_letter_that_waits_is_a_letter(void **state)
{
	enum { MESSAGE, NO_ENTRY, LONGER_KEY, CASES };

	for (size_t i = 0; i < CASES; i++) {
		struct waiting waiting = waiting_make(535);
		struct store *store = &waiting.world->posts[0].store;
		struct row_key cose = key_entry(TABLE_COSE, &waiting.opening);
		struct row_key fold = key_channel(TABLE_FOLD, 1);
		struct outcome outcome;
		put_waiting(&waiting, 1, i == MESSAGE ? &waiting.message : &waiting.opening);
		if (i == NO_ENTRY)
			store_put(store, key_view(&cose), bytes_of_text("no entry"));
		key_u8(&fold, waiting.index);
		if (i == LONGER_KEY) {
			store_delete(store, key_view(&fold));
			key_u8(&fold, 0);
			store_put(store, key_view(&fold), bytes_make(NULL, 0));
		}
		assert_int_equal(hand_run(&waiting.hand, advance, &outcome), ERROR_MALFORMED);
		world_free(waiting.world);
	}
}

struct applying {
	struct registry_entry entry;
	struct content content;
	struct entry_key key;
	struct outcome outcome;
};

static enum error apply(struct run *run, void *context)
{
	struct applying *applying = context;
	return registry_apply(run, &applying->entry, &applying->key, applying->outcome.verdicts,
			      &applying->outcome.verdicts_count);
}

/* One that waits has no verdict yet, and of the own party's nobody gives any. */
static void a_letter_that_comes_again_has_its_verdict_again(void **state)
{
	struct waiting waiting = waiting_make(536);
	const struct {
		uint64_t index, number;
		size_t verdicts;
	} cases[] = {
		{waiting.index, 0, 1},
		{waiting.index, letters_of(&waiting), 0},
		{1 - waiting.index, 0, 0},
	};

	put_waiting(&waiting, 1, &waiting.opening);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct applying *applying = calloc(1, sizeof(*applying));
		applying->content.kind = CONTENT_LETTER;
		applying->content.of.letter.number = cases[i].number;
		applying->entry = (struct registry_entry){
			.channel = 1, .index = cases[i].index, .content = &applying->content};
		assert_int_equal(hand_run(&waiting.hand, apply, applying), ERROR_OK);
		assert_int_equal(applying->outcome.verdicts_count, cases[i].verdicts);
		free(applying);
	}
	world_free(waiting.world);
}

/* ---- judging ---- */

/* Of two letters with one number the first stands; who submits the second here is told, and nobody else. */
static void nothing_but_an_opening_stands_for_its_own_channel(void **state)
{
	struct council *council = council_make(537, 2);
	struct world *world = council->hand.world;

	council_take_opening(council, 1);
	assert_int_equal(hand_give(&council->hand, &council->pens[0], council_credence(council, 0, 1, 0)),
			 ERROR_OK);
	struct pen pen = council->pens[0];
	pen.number--;
	struct paper paper = pen_sign(&pen, pen_credence(&pen, 2, world->parties[0].officers[1].key));
	assert_int_equal(hand_submit(&council->hand, &council->channel, &paper).reason, ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 0);
	assert_int_equal(hand_judge(&council->hand, 0, council->index[0], &paper, false),
			 ERROR_REFUSED_CHANNEL);
	hand_drop(&paper);
	struct content *content = calloc(1, sizeof(*content));
	uint8_t identity[IDENTITY_SIZE];
	content->kind = CONTENT_VERDICT;
	content->precedence = PRECEDENCE_PRIORITY;
	content->of.verdict.ranges_count = 1;
	content->of.verdict.ranges[0] = (struct verdict_range){.log = 1, .incarnation = 1, .count = 1};
	paper = hand_sign(&council->channel, world, 1, &world->parties[1].authority, NULL, content, identity);
	assert_int_equal(hand_judge(&council->hand, 0, council->index[1], &paper, false),
			 ERROR_REFUSED_CHANNEL);
	hand_drop(&paper);
	free(content);
	council_free(council);
}

/* That a post of a third party has acknowledged it, whose number comes later, hinders nobody here. */
static void what_others_acknowledge_is_acknowledged_here_too(void **state)
{
	struct world *world = world_open_line(538);
	struct hand hand = hand_make(world, 0);
	struct number position = {.number = 1};
	uint8_t identity[IDENTITY_SIZE];

	talk(world, 1, "to all", identity);
	struct row_key key = key_acknowledged_in(1, identity, LOG_BEYOND - 1, 1);
	hand_put(&hand, &key, &schema_number, &position);
	assert_int_equal(world_acknowledge(world, 0, identity), ERROR_OK);
	assert_int_equal(world_acknowledge(world, 0, identity), ERROR_REFUSED_NAMED);
	world_free(world);
}

/* ---- openings ---- */

/* The opening of a party with two posts: either of them submits it. */
static void an_opening_names_this_post_among_others(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_make(540);
		size_t party = world_add_party(world, "Alliance");
		world_add_post(world, party, 0, "Headquarters");
		world_add_post(world, party, 1, "Duty");
		world_add_post(world, world_add_party(world, "Federation"), 0, "Embassy");
		world_exchange(world);
		struct hand hand = hand_make(world, i);
		struct hand_channel channel = hand_channel_make(world, 2);
		struct pen pen = {.world = world, .channel = &channel, .slot = i};
		assert_int_equal(hand_give(&hand, &pen, pen_opening(&pen)), ERROR_OK);
		world_free(world);
	}
}

struct proposal {
	struct bytes cose;
	uint64_t party;
};

static enum error propose(struct run *run, void *context)
{
	const struct proposal *proposal = context;
	struct signed_entry *decoded = run_take(run, sizeof(*decoded));
	enum error reason = entry_decode(proposal->cose, decoded);
	struct registry_entry entry = {
		.party = proposal->party, .content = &decoded->content, .payload = decoded->cose.payload};

	return registry_opening(run, &entry, true, &reason);
}

static void no_channel_is_made_for_posts_in_slots_that_there_are_not(void **state)
{
	struct hand hand = hand_world(541);
	struct world *world = hand.world;
	struct hand_channel channel = hand_channel_make(world, 2);
	struct pen pen = {.world = world, .channel = &channel, .slot = world->posts[0].slot};
	struct paper paper = pen_sign(&pen, pen_opening(&pen));
	struct proposal proposal = {.cose = bytes_make(paper.cose, paper.size)};
	struct row_key key = key_party_post(TABLE_PARTY_POST, 1, POST_SLOTS);
	const struct party_post post = {.name = bytes_of_text("Beyond")};

	hand_put(&hand, &key, &schema_party_post, &post);
	assert_int_equal(hand_run(&hand, propose, &proposal), ERROR_MALFORMED);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 0);
	store_delete(&world->posts[0].store, key_view(&key));
	assert_int_equal(hand_run(&hand, propose, &proposal), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 1);
	hand_drop(&paper);
	world_free(world);
}

/* ---- officers ---- */

static enum error touch(struct run *run, void *context)
{
	struct applying *applying = context;
	size_t size = 0;
	return registry_letter_touch(run, &applying->entry, &size);
}

static void no_letter_is_read_that_names_an_officer_in_a_spoilt_row(void **state)
{
	static const enum letter_kind kinds[] = {LETTER_CREDENCE, LETTER_AGREMENT};
	struct world *world = world_open_line(539);
	struct hand hand = hand_make(world, 0);
	uint64_t index = log_roster_index(world_log_of(world, 1));
	struct row_key key = registry_officer_row(1, index, 1);
	struct applying *applying = calloc(1, sizeof(*applying));
	struct letter *letter = &applying->content.of.letter;

	applying->content.kind = CONTENT_LETTER;
	applying->entry =
		(struct registry_entry){.channel = 1, .index = index, .content = &applying->content};
	struct row_key agreed = key_channel(TABLE_AGREED, 1);
	key_u8(&agreed, index);
	key_u32(&agreed, 1);
	const struct row_key *spoilt_keys[] = {&agreed, &key};
	for (size_t spoilt = 0; spoilt < 3; spoilt++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			memset(letter, 0, sizeof(*letter));
			letter->kind = kinds[i];
			letter->of.credence.officer = 1;
			if (kinds[i] == LETTER_AGREMENT)
				letter->of.agrement = (struct agrement_letter){
					.party = index, .officers_count = 1, .officers = {1}};
			assert_int_equal(hand_run(&hand, touch, applying),
					 spoilt ? ERROR_MALFORMED : ERROR_OK);
		}
		if (spoilt < 2)
			store_put(&world->posts[0].store, key_view(spoilt_keys[spoilt]),
				  bytes_of_text("spoilt"));
	}
	free(applying);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_of_a_log_that_there_can_be),
		cmocka_unit_test(a_log_keeps_the_key_that_it_spoke_under_first),
		cmocka_unit_test(a_channel_has_so_many_parties),
		cmocka_unit_test(no_card_has_more_letters_than_there_can_be),
		cmocka_unit_test(a_letter_that_stands_in_the_place_of_another_is_refused),
		cmocka_unit_test(a_letter_that_waits_is_a_letter),
		cmocka_unit_test(a_letter_that_comes_again_has_its_verdict_again),
		cmocka_unit_test(nothing_but_an_opening_stands_for_its_own_channel),
		cmocka_unit_test(what_others_acknowledge_is_acknowledged_here_too),
		cmocka_unit_test(an_opening_names_this_post_among_others),
		cmocka_unit_test(no_channel_is_made_for_posts_in_slots_that_there_are_not),
		cmocka_unit_test(no_letter_is_read_that_names_an_officer_in_a_spoilt_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
