/*
 * Two posts, a channel, a message, its receipt, an acknowledgment, a reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "envelope/wire.h"
#include "tests/unit/record/world.h"

static void both_sides_open_the_channel(void **state)
{
	struct world *world = world_open_line(1);
	assert_true(world_is_open(world, 0));
	assert_true(world_is_open(world, 1));
	assert_true(world_agrees(world));
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	assert_int_equal(world_count(world, 1, TABLE_COPY), 0);
	world_free(world);
}

static void a_message_runs_through_all_states(void **state)
{
	struct world *world = world_open_line(2);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};
	uint8_t identity[IDENTITY_SIZE];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	assert_int_equal(world_state(world, 0, identity), LOCAL_QUEUED);
	world->cut = false;
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	assert_int_equal(world->posts[1].arrived, 1);
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_READ);
	struct world_message reply = {
		.precedence = PRECEDENCE_PRIORITY, .text = "It is.", .answers = identity};
	assert_int_equal(world_send(world, 1, &reply, NULL), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_ANSWERED);
	assert_int_equal(world_state(world, 1, identity), LOCAL_ANSWERED);
	assert_true(world_agrees(world));
	world_free(world);
}

/* A second channel between the two, opened in full; the first has no officers. */
static struct world *open_two_channels(uint64_t seed)
{
	struct world *world = world_make(seed);

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 1, "Embassy");
	world_exchange(world);
	world_name_channel(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_opening(world, i);
	world_settle(world);
	entropy_take(&world->random, world->nonce, sizeof(world->nonce));
	channel_id_make(&world->roster, bytes_make(world->terms, world->terms_size), world->nonce,
			world->channel);
	for (size_t i = 0; i < 2; i++) {
		world->parties[i].chain_number = 0;
		world_submit_opening(world, i);
	}
	world_settle(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_officers(world, i);
	world_settle(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_agrements(world, i);
	world_settle(world);
	return world;
}

/*
 * By chance, two ids may begin with the same two bytes: the signature tells which channel is meant, although
 * on the first of them nobody of that number is known.
 */
static void channels_whose_ids_begin_alike_are_told_apart(void **state)
{
	struct world *world = open_two_channels(3);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "on the second"};
	struct row_key key = key_make(TABLE_CHANNEL_TAG);
	struct entry entry;
	struct entry_key held;
	uint8_t tag[CHANNEL_TAG_SIZE];
	uint8_t identity[IDENTITY_SIZE];

	channel_tag_make(world->channel, tag);
	key_bytes(&key, tag, sizeof(tag));
	key_u16(&key, 1);
	store_put(&world->posts[1].store, key_view(&key), bytes_make(NULL, 0));
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_true(world_entry(world, 1, identity, &entry, &held));
	assert_int_equal(held.channel, 2);
	assert_int_equal(entry.reason, ERROR_OK);
	assert_int_equal(world->posts[1].arrived, 1);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_open_the_channel),
		cmocka_unit_test(a_message_runs_through_all_states),
		cmocka_unit_test(channels_whose_ids_begin_alike_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
