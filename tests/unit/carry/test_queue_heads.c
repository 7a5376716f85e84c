/* The heads of the post that a courier keeps (carry/queue.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/queue_case.h"

static struct link_heads heads;

static void give(const char *origin, uint64_t size, uint8_t root)
{
	struct queue_event event = {.kind = QUEUE_HEAD};
	event.head.origin = bytes_of_text(origin);
	event.head.size = size;
	memset(event.head.root, root, sizeof event.head.root);
	memset(event.head.signature, root + 1, sizeof event.head.signature);
	world_step(&world, &event);
}

static void the_largest_head_of_each_origin_is_kept(void **state)
{
	give("liaison/bb", 7, 0x17);
	give("liaison/aa", 3, 0x13);
	give("liaison/bb", 9, 0x19);
	give("liaison/bb", 8, 0x18);
	give("liaison/bb", 9, 0x29);
	world_crash(&world, 1000);
	world_read_heads(&world, &heads);
	assert_int_equal(heads.count, 2);
	assert_true(bytes_equal(heads.heads[0].origin, bytes_of_text("liaison/aa")));
	assert_int_equal(heads.heads[0].size, 3);
	assert_true(bytes_equal(heads.heads[1].origin, bytes_of_text("liaison/bb")));
	assert_int_equal(heads.heads[1].size, 9);
	assert_int_equal(heads.heads[1].root[31], 0x19);
	assert_int_equal(heads.heads[1].signature[63], 0x1a);
}

static void a_new_store_keeps_none(void **state)
{
	world_read_heads(&world, &heads);
	assert_int_equal(heads.count, 0);
}

static void there_is_a_bound_and_those_kept_stay(void **state)
{
	char origin[32];
	for (unsigned i = 0; i < HEADS_KEPT_MAX; i++) {
		snprintf(origin, sizeof origin, "liaison/%04u", i);
		give(origin, 1, 1);
		assert_null(world_action(&world, QUEUE_ACTION_LOG));
	}
	give("liaison/x", 1, 1);
	assert_int_equal(world_action(&world, QUEUE_ACTION_LOG)->error, ERROR_FULL);
	give("liaison/0000", 2, 2);
	assert_null(world_action(&world, QUEUE_ACTION_LOG));
	world_read_heads(&world, &heads);
	assert_int_equal(heads.count, HEADS_KEPT_MAX);
	assert_int_equal(heads.heads[0].size, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_largest_head_of_each_origin_is_kept),
		test(a_new_store_keeps_none),
		test(there_is_a_bound_and_those_kept_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
