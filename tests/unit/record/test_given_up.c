/*
 * Receipts that are given up on their way, since a counterpart makes them without end and refuses them: how
 * many are kept, when they go again, and what that costs others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "record/outbox.h"
#include "tests/unit/record/world.h"

static const struct world_message urgent = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};

/* One entry in ever new bundles, each with a receipt that the counterpart's courier does not take. */
static void receipts_that_a_counterpart_refuses_are_bounded_and_hold_up_no_entry(void **state)
{
	static const enum error reasons[] = {ERROR_FULL, ERROR_UNSUPPORTED};
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < 2; i++) {
		struct world *world = world_open_line(12 + i);
		struct world_post *post = &world->posts[1];
		struct world_packet packet;

		world->hold = true;
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
		assert_true(world_intercept(world, 0, &packet));
		post->refusal = reasons[i];
		for (size_t k = 0; k < 1000; k++) {
			world_deliver(world, 1, 0, bytes_make(packet.bytes, packet.size));
			world_commit(world, 1);
			assert_true(world_flash_statements(world, 1) <= OUTBOX_STATEMENT_PLACES);
			world_run(world, 10, 10);
		}
		assert_int_equal(world_flash_statements(world, 1), OUTBOX_STATEMENT_PLACES);
		post->refusal = ERROR_FULL; /* an own FLASH is given up once */
		assert_int_equal(world_send(world, 1, &urgent, identity), ERROR_OK);
		post->refusal = ERROR_OK;
		world->hold = false;
		world_run(world, RETRY_FLASH_MS + 2000, 500);
		assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
		assert_int_equal(world_flash_statements(world, 1), 0);
		assert_int_equal(world_count(world, 1, TABLE_PLACE), world_count(world, 1, TABLE_RETRY));
		assert_int_equal(post->arrived, 1);
		free(packet.bytes);
		world_free(world);
	}
}

/* The packet from one post to another; the bytes are the caller's. */
static struct world_packet packet_between(struct world *world, size_t from, size_t to)
{
	size_t i = 0;

	while (!world->packets[i].used || world->packets[i].from != from || world->packets[i].to != to)
		assert_true(++i < WORLD_PACKETS_MAX);
	world->packets[i].used = false;
	return world->packets[i];
}

/* Gives it to its receiver, again and again. */
static void bring(struct world *world, const struct world_packet *packet, size_t times)
{
	for (size_t i = 0; i < times; i++) {
		world_deliver(world, packet->to, packet->from, bytes_make(packet->bytes, packet->size));
		world_commit(world, packet->to);
		world_run(world, 10, 10);
	}
}

static void receipts_that_one_counterpart_refuses_cost_another_nothing(void **state)
{
	struct world *world = world_make(14);
	struct world_packet packets[2];

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 1, "Embassy");
	world_add_post(world, world_add_party(world, "League"), 2, "Mission");
	world_exchange(world);
	world_open_channel(world, (const size_t[]){0, 1, 2}, 3);
	world_settle(world);
	world->hold = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	packets[0] = packet_between(world, 0, 1);
	assert_int_equal(world_send(world, 2, &urgent, NULL), ERROR_OK);
	packets[1] = packet_between(world, 2, 1);
	uint64_t sent_ms = world->now_ms;

	world->posts[1].refusal = ERROR_UNSUPPORTED;
	bring(world, &packets[0], 300);
	assert_int_equal(world_flash_statements(world, 1), OUTBOX_STATEMENT_PLACES);
	bring(world, &packets[1], 1);
	bring(world, &packets[0], 300);
	assert_int_equal(world_flash_statements(world, 1), OUTBOX_STATEMENT_PLACES + 1);
	world->posts[1].refusal = ERROR_OK;
	world->hold = false;
	for (uint64_t spent_ms = 0; spent_ms < RETRY_FLASH_MS + 1000; spent_ms += 10)
		bring(world, &packets[0], 1);
	assert_int_equal(world_count(world, 2, TABLE_COPY), 0);
	assert_true(world->now_ms - sent_ms < OUTBOX_RESEND_MIN_MS); /* the entry was not sent again */
	for (size_t i = 0; i < 2; i++)
		free(packets[i].bytes);
	world_free(world);
}

/* Wherever in a second it is given up. */
static void a_receipt_is_handed_over_again_after_the_seconds_that_are_stated(void **state)
{
	static const uint64_t offsets_ms[] = {0, 1, 7, 8, 500, 999};

	for (size_t i = 0; i < sizeof(offsets_ms) / sizeof(offsets_ms[0]); i++) {
		struct world *world = world_open_line(15);
		struct world_post *post = &world->posts[1];
		world_run(world, 1000 + offsets_ms[i] - post->steady_ms % 1000, 1);
		post->refusal = ERROR_FULL;
		world->hold = true;
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
		struct world_packet packet = packet_between(world, 0, 1);
		world_deliver(world, 1, 0, bytes_make(packet.bytes, packet.size));
		world_commit(world, 1);
		assert_int_equal(world_flash_statements(world, 1), 1);
		size_t sends = post->sends;
		post->steady_ms += RETRY_FLASH_MS - 1;
		world_tick(world, 1);
		assert_int_equal(post->sends, sends);
		post->steady_ms += 1;
		world_tick(world, 1);
		assert_int_equal(post->sends, sends + 1);
		free(packet.bytes);
		world_free(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receipts_that_a_counterpart_refuses_are_bounded_and_hold_up_no_entry),
		cmocka_unit_test(receipts_that_one_counterpart_refuses_cost_another_nothing),
		cmocka_unit_test(a_receipt_is_handed_over_again_after_the_seconds_that_are_stated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
