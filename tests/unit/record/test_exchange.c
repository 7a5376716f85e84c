/*
 * Two posts, a channel, a message, its receipt, an acknowledgment, a reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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

/* The states of an entry that a post's subscribers were told, one digit each, in their order. */
static void expect_told(const struct world *world, size_t index, const uint8_t identity[IDENTITY_SIZE],
			const char *states)
{
	const struct world_post *post = &world->posts[index];
	char told[16] = "";
	size_t size = 0;

	assert_true(post->told_count < WORLD_NOTICES_MAX);
	for (size_t i = 0; i < post->told_count; i++)
		if (memcmp(post->told[i].identity, identity, IDENTITY_SIZE) == 0 && size + 1 < sizeof(told))
			told[size++] = (char)('0' + post->told[i].state);
	assert_string_equal(told, states);
}

/* The packet that waits for a post, given to it in the batch that is open. */
static void deliver_held(struct world *world, size_t to)
{
	struct world_packet *packet = world->packets;

	while (packet < world->packets + WORLD_PACKETS_MAX && !(packet->used && packet->to == to))
		packet++;
	assert_true(packet < world->packets + WORLD_PACKETS_MAX);
	world_deliver(world, to, packet->from, bytes_make(packet->bytes, packet->size));
	packet->used = false;
	free(packet->bytes);
}

/* From "released" on; what comes in one commit is told one by one. */
static void each_state_is_told_once_and_in_order_on_both_sides(void **state)
{
	struct world *world = world_open_line(4);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};
	struct record_event carried = {.kind = RECORD_PROGRESS, .of.progress.state = LOCAL_CARRIED};
	uint8_t prefix = TABLE_SEALED;
	uint8_t identity[IDENTITY_SIZE];
	struct row row;
	size_t at = 0;

	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	expect_told(world, 0, identity, "12");
	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	memcpy(carried.of.progress.copy, row.key.data + 1, sizeof(carried.of.progress.copy));
	deliver_held(world, 1);
	world_commit(world, 1);
	assert_int_equal(world_event(world, 0, &carried), ERROR_OK);
	deliver_held(world, 0);
	world_commit(world, 0);
	expect_told(world, 0, identity, "1234");
	world->hold = false;
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	world_settle(world);
	message.answers = identity;
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_settle(world);
	expect_told(world, 0, identity, "123456");
	expect_told(world, 1, identity, "56");
	assert_int_equal(world->posts[1].arrived, 1);
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
		cmocka_unit_test(each_state_is_told_once_and_in_order_on_both_sides),
		cmocka_unit_test(channels_whose_ids_begin_alike_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
