/*
 * Receipts that are given up on their way, since a counterpart makes them without end and refuses them: how
 * many are kept, when they go again, and what that costs others. And what a courier gives up that it does not
 * have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- a clock that goes back ---- */

/* The daemon is killed, and the wall clock reads earlier: the slow clock stands where it was kept. */
static void restart_with_an_earlier_clock(struct world *world, size_t post)
{
	world->skew_ms[post] -= 100000;
	world_crash_before_commit(world, post);
	world_start(world, post);
}

static void what_was_given_up_waits_no_longer_for_a_clock_that_lost_time(void **state)
{
	static const unsigned many = 2 * OUTBOX_RETRIES_MAX + 3;
	struct world *world = world_open_line(21);
	struct world_post *post = &world->posts[0];

	world_settle(world);
	world_run(world, 120000, 1000);
	restart_with_an_earlier_clock(world, 0); /* the clock is kept now, and not for a minute */
	for (size_t i = 0; i < 57; i++) {
		post->steady_ms += 1000;
		world_tick(world, 0);
	}
	post->refusal = ERROR_FULL;
	world->hold = true;
	for (size_t i = 0; i < many; i++)
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_RETRY), many);
	post->refusal = ERROR_OK;
	restart_with_an_earlier_clock(world, 0);
	for (size_t sent = OUTBOX_RETRIES_MAX; sent < many; sent += OUTBOX_RETRIES_MAX) {
		world_tick(world, 0); /* a look takes so many, and no more */
		assert_int_equal(world_count(world, 0, TABLE_RETRY), many - sent);
	}
	world_tick(world, 0);
	assert_int_equal(world_count(world, 0, TABLE_RETRY), 0);
	/* And what is given up now waits as long as is stated. */
	post->refusal = ERROR_FULL;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	post->refusal = ERROR_OK;
	size_t sends = post->sends;
	post->steady_ms += RETRY_FLASH_MS - 1;
	world_tick(world, 0);
	assert_int_equal(post->sends, sends);
	post->steady_ms += 1;
	world_tick(world, 0);
	assert_int_equal(post->sends, sends + 1);
	world->hold = false;
	world_settle(world);
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	world_free(world);
}

/* ---- a courier that gives up what it does not have ---- */

/* What its courier says of the only copy of an entry, or the only statement, of a post. */
static void report(struct world *world, size_t post, enum table table, uint32_t state, enum error reason)
{
	struct record_event event = {.kind = RECORD_PROGRESS};
	uint8_t prefix = (uint8_t)table;
	struct statement_copy statement;
	struct row row;
	size_t at = 0;

	assert_int_equal(world_count(world, post, table), 1);
	assert_true(store_find(&world->posts[post].store, bytes_make(&prefix, 1), &at, &row));
	if (table == TABLE_COPY)
		assert_int_equal(schema_read(&schema_copy, row.value, &statement.copy), ERROR_OK);
	else
		assert_int_equal(schema_read(&schema_statement_copy, row.value, &statement), ERROR_OK);
	assert_true(statement.copy.sealed);
	memcpy(event.of.progress.copy, statement.copy.sha256, sizeof(event.of.progress.copy));
	event.of.progress.state = state;
	event.of.progress.reason = reason;
	assert_int_equal(world_event(world, post, &event), ERROR_OK);
	world_commit(world, post);
}

/* It says that it gives the copy up: not one row is another after that. */
static void nothing_comes_of_giving_up(struct world *world, size_t post, enum table table)
{
	static const enum error reasons[] = {ERROR_FULL, ERROR_TIMED_OUT, ERROR_UNSUPPORTED};
	const struct store *now = &world->posts[post].store;
	struct store before;

	store_copy(&before, now);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		report(world, post, table, LOCAL_REFUSED, reasons[i]);
		assert_int_equal(now->count, before.count);
		for (size_t k = 0; k < before.count; k++) {
			const struct store_row *was = &before.rows[k];
			const struct store_row *is = &now->rows[k];
			assert_true(bytes_equal(bytes_make(is->key, is->key_size),
						bytes_make(was->key, was->key_size)));
			assert_true(bytes_equal(bytes_make(is->value, is->value_size),
						bytes_make(was->value, was->value_size)));
		}
	}
	store_free(&before);
}

static uint64_t state_of_copy(const struct world *world, size_t post)
{
	uint8_t prefix = TABLE_COPY;
	struct copy copy;
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[post].store, bytes_make(&prefix, 1), &at, &row));
	assert_int_equal(schema_read(&schema_copy, row.value, &copy), ERROR_OK);
	return copy.state;
}

static void a_copy_that_the_courier_does_not_have_cannot_be_given_up(void **state)
{
	static const struct {
		uint32_t told;
		enum error reason;
		enum copy_state state;
	} cases[] = {{LOCAL_CARRIED, ERROR_OK, COPY_CARRIED},
		     {LOCAL_REFUSED, ERROR_UNSUPPORTED, COPY_HELD},
		     {LOCAL_REFUSED, ERROR_FULL, COPY_RETRYING},
		     {LOCAL_QUEUED, ERROR_OK, COPY_WAITING}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = world_open_line(16 + i);
		struct world_post *post = &world->posts[0];
		world_settle(world);
		world->hold = true;
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
		assert_int_equal(state_of_copy(world, 0), COPY_QUEUED);
		report(world, 0, TABLE_COPY, cases[i].told, cases[i].reason);
		post->mute = true;
		if (cases[i].state == COPY_WAITING) /* it is due, and the stream has no room */
			post->steady_ms += OUTBOX_RESEND_MAX_MS;
		else
			post->steady_ms += RETRY_FLASH_MS / 2;
		world_tick(world, 0);
		assert_int_equal(state_of_copy(world, 0), cases[i].state);
		nothing_comes_of_giving_up(world, 0, TABLE_COPY);
		post->mute = false;
		world->hold = false;
		world_settle(world);
		assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
		world_free(world);
	}
}

static void a_receipt_that_the_courier_does_not_have_cannot_be_given_up(void **state)
{
	struct world *world = world_open_line(20);
	struct world_post *post = &world->posts[1];

	world_settle(world);
	assert_int_equal(world_count(world, 1, TABLE_STATEMENT), 0);
	post->refusal = ERROR_FULL;
	world->hold = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	struct world_packet packet = packet_between(world, 0, 1);
	world_deliver(world, 1, 0, bytes_make(packet.bytes, packet.size));
	world_commit(world, 1);
	assert_int_equal(world_count(world, 1, TABLE_RETRY), 1);
	nothing_comes_of_giving_up(world, 1, TABLE_STATEMENT);
	post->mute = true;
	post->steady_ms += RETRY_FLASH_MS;
	world_tick(world, 1);
	assert_int_equal(world_count(world, 1, TABLE_WAITING), 1);
	nothing_comes_of_giving_up(world, 1, TABLE_STATEMENT);
	post->refusal = ERROR_OK;
	post->mute = false;
	world->hold = false;
	world_settle(world);
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	free(packet.bytes);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receipts_that_a_counterpart_refuses_are_bounded_and_hold_up_no_entry),
		cmocka_unit_test(receipts_that_one_counterpart_refuses_cost_another_nothing),
		cmocka_unit_test(a_receipt_is_handed_over_again_after_the_seconds_that_are_stated),
		cmocka_unit_test(what_was_given_up_waits_no_longer_for_a_clock_that_lost_time),
		cmocka_unit_test(a_copy_that_the_courier_does_not_have_cannot_be_given_up),
		cmocka_unit_test(a_receipt_that_the_courier_does_not_have_cannot_be_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
