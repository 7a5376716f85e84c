/*
 * Two posts, a channel, a message, its receipt, an acknowledgment, a reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_open_the_channel),
		cmocka_unit_test(a_message_runs_through_all_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
