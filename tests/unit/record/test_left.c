/* A post without room: what it leaves with its courier, and what it takes all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/forger.h"
#include "tests/unit/record/talk.h"

#define NOTHING (PRECEDENCE_FLASH + 1) /* no message has it */

/* The one packet of post 0 under way, taken off the line: allocates. */
static struct bytes intercept(struct world *world)
{
	struct world_packet packet;
	struct world_packet other;

	assert_true(world_intercept(world, 0, &packet));
	assert_false(world_intercept(world, 0, &other));
	return bytes_make(packet.bytes, packet.size);
}

/* True if post 1 takes the sealed bytes; else it left them, and nothing of them. */
static bool takes(struct world *world, struct bytes sealed, unsigned precedence, unsigned min)
{
	struct world_post *post = &world->posts[1];
	size_t left = post->left, taken = post->taken, sends = post->sends;
	struct rows_change change;
	size_t at = 0;

	post->precedence_min = min;
	world_deliver(world, 1, 0, sealed);
	bool wrote = rows_next_write(record_rows(post->record), &at, &change);
	size_t actions = post->actions_count;
	world_commit(world, 1);
	if (post->taken == taken + 1)
		return true;
	assert_false(wrote);
	assert_int_equal(actions, 1);
	assert_int_equal(post->left, left + 1);
	assert_int_equal(post->last_left, precedence);
	assert_int_equal(post->sends, sends);
	return false;
}

/* Post 1 forgets which epochs post 0 has used: taking anything of it, it notes that. */
static void forget_use(struct world *world)
{
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number number;
	const struct epoch_use none = {0};

	key_bytes(&key, world->parties[0].id, PARTY_ID_SIZE);
	assert_true(world_row(world, 1, &key, &schema_number, &number));
	key = key_party_post(TABLE_EPOCH_USE, number.number, world->posts[0].slot);
	world_put_row(world, 1, &key, &schema_epoch_use, &none);
}

static void messages_are_left_by_precedence_and_taken_later(void **state)
{
	struct world *world = world_open_line(11);

	world->hold = true;
	for (unsigned precedence = PRECEDENCE_ROUTINE; precedence <= PRECEDENCE_FLASH; precedence++) {
		struct world_message message = {.precedence = precedence, .text = "Short."};
		uint8_t identity[IDENTITY_SIZE];
		struct entry entry;
		struct entry_key key;

		assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
		struct bytes sealed = intercept(world);
		forget_use(world);
		for (unsigned min = NOTHING; min > precedence; min--)
			assert_false(takes(world, sealed, precedence, min));
		assert_false(world_entry(world, 1, identity, &entry, &key));
		assert_true(takes(world, sealed, precedence, precedence));
		assert_true(world_entry(world, 1, identity, &entry, &key));
		free((void *)(uintptr_t)sealed.data);
	}
	world->hold = false;
	world_settle(world);
	assert_true(world_agrees(world));
	world_free(world);
}

/* It takes no room, and its receipt may have been lost. */
static void a_message_that_is_held_is_receipted_again(void **state)
{
	struct world *world = world_open_line(12);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "Twice."};

	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	struct bytes sealed = intercept(world);
	assert_true(takes(world, sealed, PRECEDENCE_ROUTINE, 0));
	size_t sends = world->posts[1].sends;
	assert_true(takes(world, sealed, PRECEDENCE_ROUTINE, NOTHING));
	assert_int_equal(world->posts[1].sends, sends + 1);
	free((void *)(uintptr_t)sealed.data);
	world_free(world);
}

static void an_acknowledgment_is_left_as_its_message_would_be(void **state)
{
	struct world *world = world_open_line(13);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "Acknowledge."};
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(world_send(world, 1, &message, identity), ERROR_OK);
	world_settle(world);
	world->hold = true;
	assert_int_equal(world_acknowledge(world, 0, identity), ERROR_OK);
	struct bytes sealed = intercept(world);
	assert_false(takes(world, sealed, PRECEDENCE_PRIORITY, PRECEDENCE_IMMEDIATE));
	assert_true(takes(world, sealed, PRECEDENCE_PRIORITY, PRECEDENCE_PRIORITY));
	free((void *)(uintptr_t)sealed.data);
	world_free(world);
}

static void letters_verdicts_and_statements_are_always_taken(void **state)
{
	struct world *world = world_make_pair(14);
	uint8_t identity[IDENTITY_SIZE];

	world->posts[0].precedence_min = NOTHING;
	world->posts[1].precedence_min = NOTHING;
	world_open_channel(world, (const size_t[]){0, 1}, 2);
	assert_true(world_is_open(world, 0) && world_is_open(world, 1));
	world->posts[1].precedence_min = 0;
	talk(world, 0, "Its receipt comes to a post that is full.", identity);
	world_settle(world);
	assert_true(world_agrees(world));
	assert_int_equal(world->posts[0].left + world->posts[1].left, 0);
	world_free(world);
}

static void what_is_given_back_waits_as_routine(void **state)
{
	struct world *world = world_open_line(15);
	struct world_post *post = &world->posts[1];
	uint8_t identity[IDENTITY_SIZE];

	talk(world, 1, "Given back.", identity);
	world_settle(world);
	post->precedence_min = PRECEDENCE_PRIORITY;
	assert_int_equal(forge_returned(world, 0, 1, identity, 1, 500), ERROR_OK);
	assert_int_equal(post->left, 1);
	assert_int_equal(post->last_left, PRECEDENCE_ROUTINE);
	post->precedence_min = PRECEDENCE_ROUTINE;
	assert_int_equal(forge_returned(world, 0, 1, identity, 1, 500), ERROR_OK);
	assert_int_equal(post->left, 1);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_left_by_precedence_and_taken_later),
		cmocka_unit_test(a_message_that_is_held_is_receipted_again),
		cmocka_unit_test(an_acknowledgment_is_left_as_its_message_would_be),
		cmocka_unit_test(letters_verdicts_and_statements_are_always_taken),
		cmocka_unit_test(what_is_given_back_waits_as_routine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
