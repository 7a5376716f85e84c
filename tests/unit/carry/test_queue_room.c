/* Room in the queue: by precedence, and for each neighbour its part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/queue_case.h"

#define PARTS (WORLD_ROUTES + 1) /* of the room for the post's copies: one for those without a way */
#define BULK  9000               /* bytes of a copy that is neither small nor urgent */

/* A bundle of the neighbour by route B for the post. True: acknowledged. */
static bool receive(uint64_t sequence, uint64_t precedence, size_t size)
{
	static uint8_t memory[BULK + BUNDLE_OVERHEAD_SIZE_MAX];
	static uint8_t payload[BULK];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct bundle_fields fields = {
		.destination = {.scheme = EID_IPN, .node = 1, .service = precedence},
		.source = {.scheme = EID_IPN, .node = 2},
		.creation_ms = 1,
		.sequence = sequence,
		.lifetime_ms = UINT64_MAX / 2,
	};
	assert_true(size <= sizeof payload);
	assert_int_equal(bundle_create(&buffer, &fields, bytes_make(payload, size)), ERROR_OK);
	return world_receive(&world, WORLD_ROUTE_B, buffer_bytes(&buffer));
}

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
	assert_int_equal(case_send(1, 4, BULK), LINK_FAILED);
	assert_int_equal(failure, ERROR_FULL);
	world.disk_room = 1000000 + PARTS * 11000;
	assert_int_equal(case_send(1, 1, BULK), LINK_FAILED);
	assert_int_equal(case_send(1, 4, BULK), LINK_QUEUED);
}

static void what_is_small_or_urgent_may_use_half_of_the_reserve(void **state)
{
	world.settings.disk_reserve_min = 1000000;
	world_crash(&world, 0);
	for (uint64_t i = 0; i < 2; i++) {
		world.disk_room = i == 0 ? 1000000 : 600000;
		assert_int_equal(case_send(10, 1, 3000), LINK_FAILED);
		assert_int_equal(case_send(10, 2, 3000), LINK_FAILED);
		assert_int_equal(case_send(10, 4, BULK), LINK_FAILED);
		assert_int_equal(case_send(i * 5 + 1, 1, 1500), LINK_QUEUED);
		assert_int_equal(case_send(i * 5 + 2, 3, 7500), LINK_QUEUED);
		assert_int_equal(case_send(i * 5 + 3, 4, 7500), LINK_QUEUED);
	}
	world.disk_room = 500000; /* what is left is the log's */
	assert_int_equal(case_send(20, 1, 100), LINK_FAILED);
	assert_int_equal(case_send(20, 4, 100), LINK_FAILED);
	assert_int_equal(failure, ERROR_FULL);
}

/* Of what neighbours bring it is a quarter, so that they leave room for the post's receipts. */
static void neighbours_leave_the_post_room_in_the_reserve(void **state)
{
	world.settings.disk_reserve_min = 1000000;
	world_crash(&world, 0);
	world.disk_room = 1000000;
	assert_false(receive(1, 1, 3000));
	assert_false(receive(1, 4, BULK));
	assert_true(receive(1, 1, 1500));
	assert_true(receive(2, 4, 7500));
	world.disk_room = 750000;
	assert_false(receive(3, 4, 100));
	assert_int_equal(case_send(1, 1, 1500), LINK_QUEUED);
}

/* Bulk was taken while there was room, and then the disk filled up. */
static void bulk_that_waits_does_not_keep_receipts_out_of_the_reserve(void **state)
{
	uint64_t id = 1;
	world.settings.disk_reserve_min = 1000000;
	world_crash(&world, 0);
	world.disk_room = 3000000;
	while (case_send(id, 1, 50000) == LINK_QUEUED)
		id++;
	assert_in_range(id, 3, 100);
	/* As long as there is any room for bulk, nothing gets more than its part. */
	world.disk_room = 1000000;
	assert_int_equal(case_send(id, 1, 1500), LINK_FAILED);
	world.disk_room = 900000;
	assert_int_equal(case_send(id, 1, 1500), LINK_QUEUED);
	assert_int_equal(case_send(id + 1, 4, 7500), LINK_QUEUED);
	/* The rest is for the other neighbours. */
	world.disk_room = 750000;
	assert_int_equal(case_send(id + 2, 4, 100), LINK_FAILED);
	assert_int_equal(world_send(&world, id + 2, 3, 1, 1500, CASE_LIFETIME_MS, &failure), LINK_QUEUED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(an_unreachable_neighbour_takes_up_nobody_elses_room),
		test(the_lowest_precedence_is_refused_first),
		test(a_full_disk_is_a_full_pool),
		test(what_is_small_or_urgent_may_use_half_of_the_reserve),
		test(neighbours_leave_the_post_room_in_the_reserve),
		test(bulk_that_waits_does_not_keep_receipts_out_of_the_reserve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
