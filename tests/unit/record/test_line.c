/*
 * The line at its worst: loss, doubling, reordering, crashes at every commit. Nothing is lost, nothing is
 * shown twice, and both sides end with the same record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cbor.h"
#include "tests/unit/record/world.h"

#define MESSAGES 24

static uint8_t identities[2][MESSAGES][IDENTITY_SIZE];

static void send_some(struct world *world, size_t post, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		char text[64];
		snprintf(text, sizeof(text), "message %zu of post %zu", i, post);
		struct world_message message = {.precedence = 1 + (unsigned)(i % 4), .text = text};
		assert_int_equal(world_send(world, post, &message, identities[post][i]), ERROR_OK);
	}
}

static void assert_all_arrived(struct world *world)
{
	for (size_t post = 0; post < 2; post++)
		for (size_t i = 0; i < MESSAGES; i++) {
			assert_int_equal(world_state(world, post, identities[post][i]), LOCAL_RECEIVED);
			assert_int_equal(world_state(world, 1 - post, identities[post][i]), LOCAL_RECEIVED);
		}
	assert_true(world_agrees(world));
	for (size_t post = 0; post < 2; post++) {
		assert_int_equal(world_count(world, post, TABLE_COPY), 0);
		assert_int_equal(world_count(world, post, TABLE_SEALED), 0);
		assert_int_equal(world_count(world, post, TABLE_COPY_ID), 0);
		assert_int_equal(world_count(world, post, TABLE_WAITING), 0);
		assert_int_equal(world_count(world, post, TABLE_HANDED), 0);
		assert_int_equal(world_count(world, post, TABLE_DUE), 0);
		assert_int_equal(world_count(world, post, TABLE_RETRY), 0);
		assert_int_equal(world_count(world, post, TABLE_AHEAD), 0);
	}
}

static void loss_doubling_and_reordering_lose_nothing(void **state)
{
	for (uint64_t seed = 10; seed < 14; seed++) {
		struct world *world = world_open_line(seed);
		world->lose_percent = 30;
		world->double_percent = 30;
		world->reorder_percent = 60;
		for (size_t i = 0; i < MESSAGES; i += 4) {
			send_some(world, 0, i, 4);
			send_some(world, 1, i, 4);
			world_run(world, 2000, 500);
		}
		world_settle(world);
		assert_all_arrived(world);
		assert_int_equal(world->posts[0].arrived, MESSAGES);
		assert_int_equal(world->posts[1].arrived, MESSAGES);
		world_free(world);
	}
}

static void a_cut_line_is_made_good(void **state)
{
	struct world *world = world_open_line(20);
	world->cut = true;
	send_some(world, 0, 0, MESSAGES);
	send_some(world, 1, 0, MESSAGES);
	world_run(world, 3 * 86400000ULL, 3600000);
	for (size_t i = 0; i < MESSAGES; i++)
		assert_int_equal(world_state(world, 0, identities[0][i]), LOCAL_QUEUED);
	world->cut = false;
	world_settle(world);
	assert_all_arrived(world);
	world_free(world);
}

/* The same work again and again, with a crash at one commit after another, before it or after it. */
static void a_crash_at_any_commit_loses_nothing(void **state)
{
	for (unsigned at = 0; at < 24; at++) {
		struct world *world = world_open_line(100 + at);
		struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "crash"};
		uint8_t identity[IDENTITY_SIZE];
		size_t victim = at % 2;
		world->hold = true;
		assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
		send_some(world, 1, 0, 2);
		/* The victim gets what is under way, or ticks, and dies at that commit. */
		for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
			struct world_packet *packet = &world->packets[i];
			if (!packet->used || packet->to != victim)
				continue;
			world_deliver(world, victim, packet->from, bytes_make(packet->bytes, packet->size));
			if (at % 4 >= 2) {
				packet->used = false;
				free(packet->bytes);
			}
		}
		if (at % 3 == 0)
			world_crash_before_commit(world, victim);
		else
			world_crash_after_commit(world, victim);
		world->hold = false;
		world_run(world, 1000, 500);
		world_start(world, victim);
		world_settle(world);
		assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
		assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(world_state(world, 0, identities[1][i]), LOCAL_RECEIVED);
		assert_true(world_agrees(world));
		uint64_t size;
		struct merkle_hash root;
		world_tree(world, victim, world_log_of(world, victim), 2, &size, &root);
		assert_int_equal(size, 0); /* a crash is no reason for a new incarnation */
		world_free(world);
	}
}

/* A submission whose reply was lost is made again: the same identity, the same number. */
static void submitting_again_gives_the_same_number(void **state)
{
	struct world *world = world_open_line(30);
	uint8_t id[CONTENT_ID_SIZE] = {42};
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "once", .id = id};
	uint64_t places[2][3];
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
		struct cbor_reader reader = world_results(&world->posts[0]);
		for (size_t j = 0; j < 3; j++)
			places[i][j] = cbor_read_uint(&reader);
		if (i == 0)
			world_settle(world);
	}
	assert_memory_equal(places[0], places[1], sizeof(places[0]));
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, 1);
	world_free(world);
}

static void many_messages_cost_few_receipts(void **state)
{
	struct world *world = world_open_line(31);
	size_t before;
	world->hold = true;
	send_some(world, 0, 0, MESSAGES);
	world_run(world, 100, 50);
	before = world->packets_sent;
	world->hold = false;
	world_run(world, 100, 50);
	/* one receipt for what is FLASH and one for the rest, for each batch; a statement of heads may be
	 * among them */
	assert_in_range(world->packets_sent - before, 1, 4);
	for (size_t i = 0; i < MESSAGES; i++)
		assert_int_equal(world_state(world, 0, identities[0][i]), LOCAL_RECEIVED);
	world_free(world);
}

/* More than one receipt can name, taken in by one commit: everything is still read in few rounds. */
static void hundreds_at_once_are_receipted(void **state)
{
	struct world *world = world_open_line(32);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "one of many"};
	size_t before = world_count(world, 0, TABLE_RECEIPT);

	world->hold = true;
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world->hold = false;
	world_run(world, 100, 50);
	assert_int_equal(world->posts[1].arrived, 300);
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	assert_int_equal(world_count(world, 0, TABLE_RECEIPT), before + 3);
	assert_true(world_agrees(world));
	world_free(world);
}

static void the_longest_texts_pass(void **state)
{
	struct world *world = world_open_line(33);
	char *text = calloc(1, TEXT_SIZE_MAX + 1);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = text};

	assert_non_null(text);
	for (size_t i = 0; i < TEXT_SIZE_MAX; i++)
		text[i] = (char)('a' + i % 26);
	world->hold = true;
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world->hold = false;
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, 20);
	assert_true(world_agrees(world));
	free(text);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_doubling_and_reordering_lose_nothing),
		cmocka_unit_test(a_cut_line_is_made_good),
		cmocka_unit_test(a_crash_at_any_commit_loses_nothing),
		cmocka_unit_test(submitting_again_gives_the_same_number),
		cmocka_unit_test(many_messages_cost_few_receipts),
		cmocka_unit_test(hundreds_at_once_are_receipted),
		cmocka_unit_test(the_longest_texts_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
