/* Room in the queue: by precedence, and for each neighbour its part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/queue_case.h"

#define PARTS (WORLD_ROUTES + 1) /* of the room for the post's copies: one for those without a way */

/* What one neighbour does not take, or what has no way at all, leaves the others their room. */
static void an_unreachable_neighbour_takes_up_nobody_elses_room(void **state)
{
	static const uint64_t nodes[] = {2, 77}; /* by route B, and by none */
	uint64_t id = 1;
	world.settings.pool_size_max = PARTS * 100 * 1000;
	world_crash(&world, 0);
	for (size_t i = 0; i < 2; i++) {
		while (world_send(&world, id, nodes[i], 4, 1000, CASE_LIFETIME_MS, &failure) == LINK_QUEUED)
			id++;
		assert_int_equal(failure, ERROR_FULL);
	}
	assert_int_equal(world_send(&world, id, 3, 1, 1000, CASE_LIFETIME_MS, &failure), LINK_QUEUED);
	/* By new settings all that goes to node 77 goes by route C. */
	world.paths[0] = (struct queue_path){{.scheme = EID_IPN, .node = 77}, WORLD_ROUTE_C};
	world_crash(&world, 0);
	assert_int_equal(world_send(&world, id + 1, 3, 4, 1000, CASE_LIFETIME_MS, &failure), LINK_FAILED);
	assert_int_equal(world_send(&world, id + 1, 78, 4, 1000, CASE_LIFETIME_MS, &failure), LINK_QUEUED);
}

static void the_lowest_precedence_is_refused_first(void **state)
{
	static const uint64_t shares[] = {70, 80, 90, 100};
	uint64_t id = 1;
	world.settings.pool_size_max = PARTS * 100 * 1000;
	world_crash(&world, 0);
	for (unsigned precedence = 1; precedence <= 4; precedence++) {
		while (case_send(id, precedence, 1000) == LINK_QUEUED)
			id++;
		assert_int_equal(failure, ERROR_FULL);
		uint64_t held = 0;
		for (size_t row = 0; row < world.store_count; row++)
			if (world.store[row].key.data[0] == 'B')
				held += world.store[row].value.size + QUEUE_CHARGE;
		assert_true(held <= shares[precedence - 1] * 1000);
		assert_true(held + 1000 + BUNDLE_OVERHEAD_SIZE_MAX + QUEUE_CHARGE >
			    shares[precedence - 1] * 1000);
	}
	world_cancel(&world, 1);
	assert_int_equal(case_send(id, 4, 1000), LINK_QUEUED);
}

static void a_full_disk_is_a_full_pool(void **state)
{
	world.settings.disk_reserve_min = 1000000;
	world_crash(&world, 0);
	world.disk_room = 1000000;
	assert_int_equal(case_send(1, 4, 1000), LINK_FAILED);
	assert_int_equal(failure, ERROR_FULL);
	world.disk_room = 1000000 + PARTS * 2000;
	assert_int_equal(case_send(1, 1, 1000), LINK_FAILED);
	assert_int_equal(case_send(1, 4, 1000), LINK_QUEUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_unreachable_neighbour_takes_up_nobody_elses_room),
		test(the_lowest_precedence_is_refused_first),
		test(a_full_disk_is_a_full_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
