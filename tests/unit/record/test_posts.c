/*
 * More than two posts: siblings hold the record too, and a council of three has one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/world.h"

static void open_channel(struct world *world, const size_t *firsts, size_t count)
{
	world_exchange(world);
	world_open_channel(world, firsts, count);
}

static void siblings_hold_the_same_record(void **state)
{
	struct world *world = world_make(90);
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");
	uint8_t identity[IDENTITY_SIZE];
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "to all posts"};

	world_add_post(world, alliance, 0, "Headquarters");
	world_add_post(world, federation, 0, "Capital");
	world_add_post(world, federation, 1, "Embassy");
	open_channel(world, (const size_t[]){0, 1}, 2);
	for (size_t i = 0; i < 3; i++)
		assert_true(world_is_open(world, i));
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world_state(world, i, identity), LOCAL_RECEIVED);
	/* the second post answers for its party */
	struct world_message reply = {
		.precedence = PRECEDENCE_PRIORITY, .text = "heard", .answers = identity};
	assert_int_equal(world_send(world, 2, &reply, NULL), ERROR_OK);
	world_settle(world);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world_state(world, i, identity), LOCAL_ANSWERED);
	assert_true(world_agrees(world));
	/* What one has filed is not filed by the other. */
	struct bytes cose = world_sign_message(world, 1, &reply, identity);
	assert_int_equal(world_submit(world, 1, cose), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_submit(world, 2, cose), ERROR_DUPLICATE);
	free((void *)(uintptr_t)cose.data);
	world_free(world);
}

/* Of the copy of post 0's entry for another post. */
static uint64_t precedence_of_copy(const struct world *world, const uint8_t *identity, size_t to)
{
	struct row_key key = key_channel(TABLE_COPY, 1);
	struct entry entry;
	struct entry_key place;
	struct copy copy;

	assert_true(world_entry(world, 0, identity, &entry, &place));
	key_u16(&key, place.incarnation);
	key_u32(&key, place.position);
	key_u16(&key, world_log_of(world, to));
	assert_true(world_row(world, 0, &key, &schema_copy, &copy));
	return copy.precedence;
}

/* The first post of a party is away: its second gets an action copy in time. */
static void a_second_post_stands_in(void **state)
{
	struct world *world = world_make(91);
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");
	uint8_t identity[IDENTITY_SIZE];
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "anyone there?"};

	world_add_post(world, alliance, 0, "Headquarters");
	world_add_post(world, federation, 0, "Capital");
	world_add_post(world, federation, 1, "Embassy");
	open_channel(world, (const size_t[]){0, 1}, 2);
	world->posts[1].up = false;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_run(world, 600000, 10000);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world_state(world, 2, identity), LOCAL_RECEIVED);
	assert_int_equal(world_state(world, 1, identity), 0);
	/* with both away, the record copy becomes an action copy after half the handling time of 600 s */
	world->posts[2].up = false;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	assert_int_equal(precedence_of_copy(world, identity, 2), PRECEDENCE_ROUTINE);
	world_run(world, 290000, 10000);
	assert_int_equal(precedence_of_copy(world, identity, 2), PRECEDENCE_ROUTINE);
	world_run(world, 30000, 10000);
	assert_int_equal(precedence_of_copy(world, identity, 2), PRECEDENCE_FLASH);
	world->posts[2].up = true;
	world->posts[1].up = true;
	world_settle(world);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	assert_true(world_agrees(world));
	world_free(world);
}

static void a_council_of_three_agrees(void **state)
{
	struct world *world = world_make(92);
	const size_t firsts[] = {0, 1, 2};
	uint8_t identity[IDENTITY_SIZE];
	struct world_message message = {.precedence = PRECEDENCE_IMMEDIATE, .text = "to both of you"};

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 1, "Embassy");
	world_add_post(world, world_add_party(world, "League"), 2, "Mission");
	world->lose_percent = 20;
	world->reorder_percent = 30;
	open_channel(world, firsts, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(world_is_open(world, i));
		assert_int_equal(world_send(world, i, &message, identity), ERROR_OK);
		world_settle(world);
		for (size_t j = 0; j < 3; j++)
			assert_int_equal(world_state(world, j, identity), LOCAL_RECEIVED);
	}
	assert_int_equal(world_acknowledge(world, 0, identity), ERROR_OK);
	world_settle(world);
	for (size_t j = 0; j < 3; j++)
		assert_int_equal(world_state(world, j, identity), LOCAL_READ);
	world_run(world, 600000, 10000);
	assert_true(world_agrees(world));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world_count(world, i, TABLE_EVIDENCE), 0);
	world_free(world);
}

static void a_copy_for_one_post_does_not_open_at_another(void **state)
{
	struct world *world = world_make(93);
	uint8_t identity[IDENTITY_SIZE];
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "for you alone"};
	size_t caught = 0;

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 1, "Embassy");
	world_add_post(world, world_add_party(world, "League"), 2, "Mission");
	open_channel(world, (const size_t[]){0, 1, 2}, 3);
	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		const struct world_packet *packet = &world->packets[i];
		if (!packet->used || packet->from != 0)
			continue;
		size_t other = packet->to == 1 ? 2 : 1;
		world_deliver(world, other, 0, bytes_make(packet->bytes, packet->size));
		world_commit(world, other);
		assert_int_equal(world_state(world, other, identity), 0);
		caught++;
	}
	assert_int_equal(caught, 2);
	world->hold = false;
	world_settle(world);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	world_free(world);
}

/* A third party's opening is on its way to one post, or kept from it: the others are not silenced. */
static void a_missing_third_opening_silences_nobody(void **state)
{
	struct world *world = world_make(93);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;
	uint8_t parties[3];
	uint8_t terms[TERMS_SIZE_MAX];
	uint8_t identity[IDENTITY_SIZE];
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "between us"};

	for (size_t i = 0; i < 3; i++)
		world_add_post(world, world_add_party(world, (const char *[]){"One", "Two", "Three"}[i]), 0,
			       (const char *[]){"Alpha", "Bravo", "Charlie"}[i]);
	open_channel(world, (const size_t[]){0, 1, 2}, 3);
	assert_true(world_is_open(world, 1));
	assert_true(world_row(world, 1, &key, &schema_channel, &channel));
	memcpy(parties, channel.parties.data, sizeof(parties));
	memcpy(terms, channel.terms.data, channel.terms.size);
	channel.parties.data = parties;
	channel.terms.data = terms;
	channel.state = CHANNEL_PROPOSED;
	channel.opened &= ~(UINT64_C(1) << log_roster_index(world_log_of(world, 2)));
	world_put_row(world, 1, &key, &schema_channel, &channel);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siblings_hold_the_same_record),
		cmocka_unit_test(a_second_post_stands_in),
		cmocka_unit_test(a_council_of_three_agrees),
		cmocka_unit_test(a_copy_for_one_post_does_not_open_at_another),
		cmocka_unit_test(a_missing_third_opening_silences_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
