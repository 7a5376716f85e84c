/* What is given to the post, and what it answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/queue_case.h"

static void assert_given(const char *sealed)
{
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	assert_true(bytes_equal(world.delivery.sealed, bytes_of_text(sealed)));
}

static void a_bundle_is_delivered_until_it_is_taken(void **state)
{
	assert_true(case_receive(case_bundle(1, "ipn:1.3", "sealed")));
	assert_given("sealed");
	assert_true(bytes_equal(world.delivery.source, bytes_of_text("ipn:5.0")));
	assert_int_equal(world.delivery.precedence, 3);
	uint64_t delivery = world.delivery.delivery;
	assert_true(delivery >= 1);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	queue_post_connected(&world.queue);
	assert_given("sealed");
	assert_int_equal(world.delivery.delivery, delivery);
	world_crash(&world, 10 * (uint64_t)CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	assert_given("sealed"); /* whatever its lifetime */
	assert_int_equal(world.delivery.delivery, delivery);
	world_taken(&world, delivery);
	world_taken(&world, delivery);
	queue_post_connected(&world.queue);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	world_taken(&world, 12345);
}

static void deliveries_go_by_precedence_then_arrival(void **state)
{
	static const char *const destinations[] = {"ipn:1.1", "ipn:1.4", "ipn:1.2", "ipn:1.4", "ipn:1.3"};
	static const char *const payloads[] = {"a", "b", "c", "d", "e"};
	for (uint64_t i = 0; i < 5; i++)
		case_receive(case_bundle(i, destinations[i], payloads[i]));
	assert_given("b");
	assert_given("d");
	assert_given("e");
	assert_given("c");
	assert_given("a");
}

static void the_post_is_not_given_more_than_the_window(void **state)
{
	static uint8_t payload[1000];
	uint64_t first = 0;
	size_t given = 0;
	for (uint64_t i = 0; i < 50; i++) {
		struct bundle_fields fields = case_fields(i, "ipn:1.1");
		case_receive(case_bundle_of(&fields, bytes_make(payload, sizeof payload)));
	}
	while (world_next_delivery(&world) == ERROR_OK) {
		first = first == 0 ? world.delivery.delivery : first;
		given += world.delivery.sealed.size;
	}
	assert_true(given <= WINDOW_SIZE_MAX && given > WINDOW_SIZE_MAX - 1000);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
	case_receive(case_bundle(100, "ipn:1.4", "flash"));
	assert_given("flash");
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
	world_taken(&world, first);
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
}

static void one_taken_before_it_was_given_is_in_no_window(void **state)
{
	case_receive(case_bundle(1, "ipn:1.1", "a"));
	case_receive(case_bundle(2, "ipn:1.1", "b"));
	assert_given("a");
	assert_given("b");
	uint64_t delivery = world.delivery.delivery;
	queue_post_connected(&world.queue);
	assert_given("a");
	world_taken(&world, delivery);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	world_taken(&world, world.delivery.delivery);
	for (size_t i = 0; i < QUEUE_CLASSES; i++)
		assert_int_equal(world.queue.post_window.waiting[i], 0);
}

static void what_the_post_leaves_blocks_nothing_and_comes_on_the_next_link(void **state)
{
	static uint8_t payload[2 * WINDOW_SIZE_MAX];
	for (uint64_t i = 0; i < 2; i++) {
		struct bundle_fields fields = case_fields(i, "ipn:1.4");
		case_receive(case_bundle_of(&fields, bytes_make(payload, sizeof payload)));
	}
	case_receive(case_bundle(2, "ipn:1.4", "receipt"));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_next_delivery(&world), ERROR_OK);
		assert_int_equal(world.delivery.sealed.size, sizeof payload);
		assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
		queue_delivery_left(&world.queue, world.delivery.delivery);
	}
	assert_given("receipt");
	uint64_t receipt = world.delivery.delivery;
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	world_taken(&world, receipt);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND); /* and not again on this link */
	world_crash(&world, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_next_delivery(&world), ERROR_OK);
		assert_int_equal(world.delivery.sealed.size, sizeof payload);
		world_taken(&world, world.delivery.delivery);
	}
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
}

/* A post that is broken or taken: what it says of a delivery counts once, and of others not at all. */
static void a_delivery_is_answered_once(void **state)
{
	case_receive(case_bundle(1, "ipn:1.2", "first"));
	case_receive(case_bundle(2, "ipn:1.2", "second"));
	queue_delivery_left(&world.queue, 4 * 2 + 1); /* not given yet */
	assert_given("first");
	uint64_t first = world.delivery.delivery;
	for (uint64_t delivery = 0; delivery < 64; delivery++)
		if (delivery != first)
			queue_delivery_left(&world.queue, delivery);
	queue_delivery_left(&world.queue, INT64_MAX);
	assert_int_equal(world.queue.post_window.waiting[1], strlen("first"));
	queue_delivery_left(&world.queue, first);
	queue_delivery_left(&world.queue, first);
	assert_int_equal(world.queue.post_window.waiting[1], 0);
	world_taken(&world, first);
	assert_given("second");
	world_taken(&world, world.delivery.delivery);
	queue_delivery_left(&world.queue, world.delivery.delivery);
	assert_int_equal(world.queue.post_window.waiting[1], 0);
	queue_post_connected(&world.queue);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
}

static void a_window_of_tiny_ones_is_bounded_by_their_number(void **state)
{
	for (uint64_t i = 0; i <= QUEUE_GIVEN_MAX; i++)
		case_receive(case_bundle(i, "ipn:1.1", "x"));
	for (size_t i = 0; i < QUEUE_GIVEN_MAX; i++)
		assert_given("x");
	uint64_t last = world.delivery.delivery;
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
	case_receive(case_bundle(1000, "ipn:1.2", "priority"));
	assert_given("priority");
	queue_delivery_left(&world.queue, world.delivery.delivery);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_NOW);
	queue_delivery_left(&world.queue, last);
	assert_given("x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_bundle_is_delivered_until_it_is_taken),
		test(deliveries_go_by_precedence_then_arrival),
		test(the_post_is_not_given_more_than_the_window),
		test(one_taken_before_it_was_given_is_in_no_window),
		test(what_the_post_leaves_blocks_nothing_and_comes_on_the_next_link),
		test(a_delivery_is_answered_once),
		test(a_window_of_tiny_ones_is_bounded_by_their_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
