/*
 * A party's post is on a channel what the party's opening says: a later card changes nothing that is past.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/post_file.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

/* ---- what a post says ---- */

struct said {
	size_t size;
	uint8_t bytes[LOCAL_FRAME_SIZE_MAX];
};

static struct said *say(struct world *world, size_t post, struct buffer frame)
{
	struct said *said = calloc(1, sizeof(*said));

	assert_int_equal(ask(world, post, &frame), ERROR_OK);
	said->size = world->posts[post].reply_size;
	memcpy(said->bytes, world->posts[post].reply, said->size);
	return said;
}

static struct said *say_entries(struct world *world, size_t post)
{
	return say(world, post, ask_for_entries(world, true, 1, bytes_make(NULL, 0), 64));
}

static struct said *say_channel(struct world *world, size_t post)
{
	return say(world, post, ask_about_channel(world, LOCAL_CHANNEL, 1));
}

static void same(struct said *before, struct said *now)
{
	assert_int_equal(before->size, now->size);
	assert_memory_equal(before->bytes, now->bytes, now->size);
	free(before);
	free(now);
}

static bool says(const struct said *said, const char *text)
{
	return memmem(said->bytes, said->size, text, strlen(text)) != NULL;
}

static void statement_key_of(const struct world *world, size_t post, struct ed25519_pair *pair)
{
	post_statement_pair(world->posts[post].root_seed, pair);
}

static void a_later_card_renames_nothing_that_is_past(void **state)
{
	struct world *world = world_open_line(870);
	struct said *entries[2];
	struct said *channels[2];
	struct ed25519_pair statement;

	talk(world, 0, "One.", NULL);
	talk(world, 1, "Another.", NULL);
	for (size_t i = 0; i < 2; i++) {
		entries[i] = say_entries(world, i);
		channels[i] = say_channel(world, i);
		assert_true(says(entries[i], "EMBASSY 0002/26"));
	}
	statement_key_of(world, 1, &statement);
	world_name_again(world, 1, "Chancery", statement.key);
	for (size_t i = 0; i < 2; i++)
		world_accept_chain(world, 1, &statement, i);
	for (size_t i = 0; i < 2; i++) {
		same(entries[i], say_entries(world, i));
		same(channels[i], say_channel(world, i));
	}
	/* What is said from now on bears the same name, and so does who received it. */
	talk(world, 0, "A third.", NULL);
	talk(world, 1, "A fourth.", NULL);
	for (size_t i = 0; i < 2; i++) {
		struct said *now = say_entries(world, i);
		assert_true(says(now, "EMBASSY") && says(now, "Embassy"));
		assert_false(says(now, "CHANCERY") || says(now, "Chancery"));
		free(now);
	}
	talk_accuses_nobody(world);
	world_free(world);
}

/* Before the other party has opened, its post is what its newest card says: what stands for ours follows. */
static void a_reference_follows_the_names_until_they_are_settled(void **state)
{
	static const struct {
		const char *theirs;
		bool is_long;
	} cases[] = {
		{"Headquarters", true}, {"Chancery", false}, {"head quarters", true}, {"Embassy", false}};
	struct world *world = world_make_pair(875);
	struct ed25519_pair statement;

	world_name_channel(world);
	world->posts[1].up = false;
	world_submit_opening(world, 0);
	statement_key_of(world, 1, &statement);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		free(say_entries(world, 0));
		world_name_again(world, 1, cases[i].theirs, statement.key);
		world_accept_chain(world, 1, &statement, 0);
		struct said *now = say_entries(world, 0);
		assert_true(says(now, "HEADQUARTERS 0001/26"));
		assert_int_equal(says(now, "ALLIANCE/HEADQUARTERS 0001/26"), cases[i].is_long);
		free(now);
	}
	world_free(world);
}

/* ---- whose word it is ---- */

/* Alliance (here) and Federation, worked by hand. */
struct renamed {
	struct hand hand;
	struct hand_channel channel;
	struct pen theirs;
	struct ed25519_pair statement; /* of their post, as they first named it */
	struct ed25519_pair other;     /* and as a later card does */
};

static struct renamed *make(struct hand hand)
{
	struct renamed *renamed = calloc(1, sizeof(*renamed));

	renamed->hand = hand;
	renamed->channel = hand_channel_make(hand.world, 2);
	renamed->theirs = (struct pen){.world = hand.world,
				       .channel = &renamed->channel,
				       .party = 1,
				       .slot = hand.world->posts[1].slot};
	statement_key_of(hand.world, 1, &renamed->statement);
	renamed->other = hand.world->parties[1].officers[3];
	return renamed;
}

static void drop(struct renamed *renamed)
{
	world_free(renamed->hand.world);
	free(renamed);
}

static void their_later_card(struct renamed *renamed)
{
	world_name_again(renamed->hand.world, 1, "Chancery", renamed->other.key);
	world_accept_chain(renamed->hand.world, 1, &renamed->other, 0);
}

static uint64_t their_log(const struct renamed *renamed)
{
	return log_number(hand_index(renamed->hand.world, renamed->theirs.channel, 1), renamed->theirs.slot);
}

/* What is made of a verdict by their post that is signed with this key, on the channel of that number. */
static enum error judge(struct renamed *renamed, uint64_t number, const struct ed25519_pair *pair)
{
	const struct hand_channel *channel = renamed->theirs.channel;
	struct world *world = renamed->hand.world;
	struct content *content = calloc(1, sizeof(*content));
	struct verdict *verdict = &content->of.verdict;
	uint8_t identity[IDENTITY_SIZE];

	content->kind = CONTENT_VERDICT;
	content->precedence = PRECEDENCE_PRIORITY;
	verdict->time = world->now_ms / 1000;
	verdict->ranges_count = 1;
	verdict->ranges[0] = (struct verdict_range){
		.log = log_number(hand_index(world, channel, 0), 0), .incarnation = 1, .count = 1};
	struct paper paper = hand_sign(channel, world, 1, pair, NULL, content, identity);
	paper.slot = renamed->theirs.slot;
	paper.position = 7;
	enum error error = hand_judge(&renamed->hand, number, hand_index(world, channel, 1), &paper, false);
	hand_drop(&paper);
	free(content);
	return error;
}

static void expect_post(const struct renamed *renamed, uint64_t number, const char *name,
			const struct ed25519_pair *pair)
{
	struct row_key key = key_line(number, their_log(renamed));
	struct line line;

	assert_true(hand_look(&renamed->hand, &key, &schema_line, &line));
	assert_true(bytes_equal(line.name, bytes_of_text(name)));
	assert_memory_equal(line.statement_key, pair->key, sizeof(line.statement_key));
}

static void a_post_goes_on_to_sign_with_the_key_of_its_opening(void **state)
{
	struct renamed *renamed = make(hand_world(871));

	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, pen_opening(&renamed->theirs)),
			 ERROR_OK);
	their_later_card(renamed);
	expect_post(renamed, 1, "Embassy", &renamed->statement);
	assert_int_equal(judge(renamed, 1, &renamed->statement), ERROR_OK);
	assert_int_equal(judge(renamed, 1, &renamed->other), ERROR_BAD_SIGNATURE);
	drop(renamed);
}

static void an_opening_counts_whatever_later_card_was_accepted_before_it(void **state)
{
	struct renamed *renamed = make(hand_world(872));
	struct content *content = pen_opening(&renamed->theirs); /* made before the later card */

	their_later_card(renamed);
	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, content), ERROR_OK);
	expect_post(renamed, 1, "Embassy", &renamed->statement);
	assert_int_equal(judge(renamed, 1, &renamed->statement), ERROR_OK);
	assert_int_equal(judge(renamed, 1, &renamed->other), ERROR_BAD_SIGNATURE);

	/* A channel that is opened after it has the post of the later card. */
	struct hand_channel second = hand_channel_make(renamed->hand.world, 2);
	renamed->theirs.channel = &second;
	renamed->theirs.number = renamed->theirs.position = 0;
	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, pen_opening(&renamed->theirs)),
			 ERROR_OK);
	expect_post(renamed, 2, "Chancery", &renamed->other);
	assert_int_equal(judge(renamed, 2, &renamed->other), ERROR_OK);
	assert_int_equal(judge(renamed, 2, &renamed->statement), ERROR_BAD_SIGNATURE);
	drop(renamed);
}

/* Their post takes our opening in, and says so, before their party opens: on a channel of real cores. */
static struct renamed *spoken_before(uint64_t seed, bool is_up)
{
	struct world *world = world_make_pair(seed);

	world_name_channel(world);
	world->posts[1].up = is_up;
	world_submit_opening(world, 0);
	world_run(world, 60000, 1000);
	struct renamed *renamed = make(hand_make(world, 0));
	struct hand_channel *channel = &renamed->channel;
	channel->roster = world->roster;
	memcpy(channel->terms, world->terms, sizeof(channel->terms));
	channel->terms_size = world->terms_size;
	memcpy(channel->nonce, world->nonce, sizeof(channel->nonce));
	memcpy(channel->id, world->channel, sizeof(channel->id));
	return renamed;
}

static void an_opening_names_the_key_under_which_its_post_has_spoken(void **state)
{
	struct renamed *renamed = spoken_before(873, true);
	struct world *world = renamed->hand.world;

	expect_post(renamed, 1, "", &renamed->statement);
	struct content *content = pen_opening(&renamed->theirs);
	their_later_card(renamed);
	assert_int_equal(judge(renamed, 1, &renamed->statement), ERROR_OK);
	assert_int_equal(judge(renamed, 1, &renamed->other), ERROR_BAD_SIGNATURE);
	renamed->theirs.number = 0;
	renamed->theirs.position = 5; /* beyond what is there */
	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, pen_opening(&renamed->theirs)),
			 ERROR_REFUSED_CHAIN);
	renamed->theirs.number = 0;
	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, content), ERROR_OK);
	expect_post(renamed, 1, "Embassy", &renamed->statement);
	assert_int_equal(world->posts[0].alerts, 0);
	drop(renamed);
}

static void a_post_that_was_replaced_before_it_spoke_opens_with_its_own_key(void **state)
{
	struct renamed *renamed = spoken_before(874, false);

	their_later_card(renamed);
	assert_int_equal(hand_take(&renamed->hand, &renamed->theirs, pen_opening(&renamed->theirs)),
			 ERROR_OK);
	expect_post(renamed, 1, "Chancery", &renamed->other);
	drop(renamed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_later_card_renames_nothing_that_is_past),
		cmocka_unit_test(a_reference_follows_the_names_until_they_are_settled),
		cmocka_unit_test(a_post_goes_on_to_sign_with_the_key_of_its_opening),
		cmocka_unit_test(an_opening_counts_whatever_later_card_was_accepted_before_it),
		cmocka_unit_test(an_opening_names_the_key_under_which_its_post_has_spoken),
		cmocka_unit_test(a_post_that_was_replaced_before_it_spoke_opens_with_its_own_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
