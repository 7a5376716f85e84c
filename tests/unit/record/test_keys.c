/*
 * Epochs come and go; keys are erased when they are due and not by a clock that jumps; what cannot be opened
 * is sealed again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/unit/record/world.h"

#define DAY_MS UINT64_C(86400000)

static struct state state_of(const struct world *world, size_t post)
{
	struct row_key key = key_make(TABLE_STATE);
	struct state row;
	assert_true(world_row(world, post, &key, &schema_state, &row));
	return row;
}

static void talk(struct world *world, size_t from)
{
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "still there?"};
	uint8_t identity[IDENTITY_SIZE];
	assert_int_equal(world_send(world, from, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, from, identity), LOCAL_RECEIVED);
}

/* One more than the newest of the other's epochs that this post has sealed to. */
static uint64_t epoch_used(const struct world *world, size_t by)
{
	struct row_key key = key_party_post(TABLE_EPOCH_USE, 1, world->posts[by].slot);
	struct epoch_use use;
	return world_row(world, 1 - by, &key, &schema_epoch_use, &use) ? use.used : 0;
}

static void epochs_roll_and_are_erased_a_window_late(void **state)
{
	struct world *world = world_open_line(70);
	for (unsigned day = 0; day < 40; day++) {
		world_run(world, DAY_MS, DAY_MS / 4);
		talk(world, 0);
		talk(world, 1);
		/* the window is 14 days: what ended earlier is erased, what ended later is not */
		if (day == 12)
			assert_int_equal(state_of(world, 1).epoch_first, 0);
	}
	for (size_t post = 0; post < 2; post++) {
		struct state row = state_of(world, post);
		assert_in_range(row.epoch_first, 22, 27);
		assert_int_equal(world_count(world, post, TABLE_EPOCH), row.epoch_next - row.epoch_first);
		assert_int_equal(world_count(world, post, TABLE_PSK), row.epoch_next - row.epoch_first);
		assert_int_equal(world_count(world, post, TABLE_EPOCH_PSK), row.epoch_next - row.epoch_first);
		assert_true(world->posts[post].wipes > 0);
		assert_true(row.prekeys_number > 1);
		assert_in_range(epoch_used(world, post), 38, 42);
	}
	world_free(world);
}

static void the_sending_leaf_follows_so_that_old_keys_cannot_be_made_again(void **state)
{
	struct world *world = world_open_line(71);
	struct row_key key = key_party_post(TABLE_LEAF_OUT, 1, world->posts[1].slot);
	struct leaf_row before;
	struct leaf_row after;

	assert_true(world_row(world, 0, &key, &schema_leaf_row, &before));
	for (unsigned day = 0; day < 40; day++) {
		world_run(world, DAY_MS, DAY_MS / 4);
		talk(world, 0);
	}
	assert_true(world_row(world, 0, &key, &schema_leaf_row, &after));
	assert_int_equal(before.epoch, 0);
	assert_in_range(after.epoch, 1, 30);
	assert_memory_not_equal(before.leaf, after.leaf, sizeof(before.leaf));
	world_free(world);
}

static void a_clock_that_jumps_erases_nothing(void **state)
{
	struct world *world = world_open_line(72);
	talk(world, 0);
	for (size_t post = 0; post < 2; post++) {
		world->skew_ms[post] = 10 * 365 * (int64_t)DAY_MS;
		for (size_t i = 0; i < 20; i++)
			world_tick(world, post);
		/* not even over a restart */
		world_crash_before_commit(world, post);
		world_start(world, post);
		for (size_t i = 0; i < 20; i++)
			world_tick(world, post);
		assert_int_equal(state_of(world, post).epoch_first, 0);
		talk(world, 0);
		talk(world, 1);
		world->skew_ms[post] = 0;
		world_tick(world, post);
		assert_int_equal(state_of(world, post).epoch_first, 0);
		assert_int_equal(world->posts[post].wipes, 0);
		talk(world, 0);
		talk(world, 1);
	}
	world->skew_ms[0] = -400 * (int64_t)DAY_MS;
	world_run(world, 60000, 10000);
	talk(world, 0);
	talk(world, 1);
	assert_int_equal(state_of(world, 0).epoch_first, 0);
	world_free(world);
}

/* Killed before the slow clock was kept, and started by an earlier wall clock: it has lost time. */
static void a_clock_that_loses_time_over_a_restart_erases_nothing(void **state)
{
	struct world *world = world_open_line(82);

	world_run(world, 120000, 1000);
	for (size_t post = 0; post < 2; post++) {
		world->skew_ms[post] = -1000;
		world_crash_before_commit(world, post);
		world_start(world, post); /* the clock is kept now, and not for a minute */
		world->posts[post].steady_ms += 30000;
		world->skew_ms[post] = -56 * (int64_t)DAY_MS;
		world_tick(world, post); /* all epochs are superseded: they end now */
		assert_true(state_of(world, post).epoch_marked > 0);
		world->skew_ms[post] -= 1000;
		world_crash_before_commit(world, post);
		world_start(world, post);
		world_tick(world, post);
		assert_int_equal(state_of(world, post).epoch_first, 0);
		assert_int_equal(world->posts[post].wipes, 0);
		world->skew_ms[post] = 0;
		talk(world, 0);
		talk(world, 1);
	}
	world_free(world);
}

/* Whoever sets a post's clock to and fro uses up no epochs: a sender can follow but so many. */
static void a_clock_that_is_set_to_and_fro_makes_few_epochs(void **state)
{
	struct world *world = world_open_line(77);

	for (unsigned i = 0; i < 600; i++) {
		world->skew_ms[0] = i % 2 == 0 ? INT64_C(100) * (int64_t)DAY_MS : 0;
		world_run(world, 1000, 1000);
	}
	world->skew_ms[0] = 0;
	assert_in_range(state_of(world, 0).epoch_next, 60, 300);
	assert_in_range(world_count(world, 0, TABLE_PSK), 60, 300);
	world_run(world, 2 * DAY_MS, DAY_MS / 24);
	for (unsigned day = 0; day < 3; day++) {
		uint64_t used = epoch_used(world, 1);
		world_run(world, DAY_MS, DAY_MS / 4);
		talk(world, 1);
		assert_true(epoch_used(world, 1) > used || day == 0);
	}
	assert_true(epoch_used(world, 1) > state_of(world, 0).epoch_origin);
	world_free(world);
}

/* One that was years ahead for a moment keeps no keys for years. */
static void keys_are_erased_though_the_clock_was_ahead(void **state)
{
	struct world *world = world_open_line(78);

	talk(world, 1);
	world->skew_ms[0] = INT64_C(3650) * (int64_t)DAY_MS;
	world_run(world, 2000, 1000);
	world->skew_ms[0] = 0;
	for (unsigned day = 0; day < 40; day++) {
		world_run(world, DAY_MS, DAY_MS / 4);
		talk(world, 1);
	}
	struct state row = state_of(world, 0);
	assert_true(row.epoch_first > row.epoch_origin);
	assert_int_equal(world_count(world, 0, TABLE_EPOCH), row.epoch_next - row.epoch_first);
	world_free(world);
}

/* Set back by some days, it publishes for these days again: one epoch is not in use for all of them. */
static void a_clock_that_was_some_days_ahead_uses_each_epoch_for_its_day(void **state)
{
	struct world *world = world_open_line(79);
	struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[0].slot);
	struct prekeys_row prekeys;

	world->skew_ms[0] = INT64_C(20) * (int64_t)DAY_MS;
	world_run(world, 3600000, 60000);
	assert_true(world_row(world, 1, &key, &schema_prekeys_row, &prekeys));
	assert_int_equal(prekeys.first_epoch, 20);
	world->skew_ms[0] = 0;
	world_run(world, 3600000, 60000);
	assert_true(world_row(world, 1, &key, &schema_prekeys_row, &prekeys));
	assert_int_equal(prekeys.first_epoch, 0);
	talk(world, 1);
	world_free(world);
}

/* Put right again, it publishes for days to come, though keys enough for them had been made before. */
static void a_clock_set_back_and_put_right_publishes_far_enough(void **state)
{
	struct world *world = world_open_line(80);
	struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[0].slot);
	struct prekeys_row prekeys;

	world->skew_ms[0] = INT64_C(20) * (int64_t)DAY_MS;
	world_run(world, 3600000, 60000);
	world->skew_ms[0] = 0;
	world_run(world, 3600000, 60000);
	world->skew_ms[0] = INT64_C(20) * (int64_t)DAY_MS;
	world_run(world, 3600000, 60000);
	assert_true(world_row(world, 1, &key, &schema_prekeys_row, &prekeys));
	assert_int_equal(prekeys.first_epoch, 20);
	assert_int_equal(state_of(world, 0).epoch_next, 50);
	world_free(world);
}

static void with_a_silent_counterpart_keys_go_after_three_windows(void **state)
{
	struct world *world = world_open_line(73);
	world->cut = true;
	world_run(world, 40 * DAY_MS, DAY_MS / 2);
	assert_int_equal(state_of(world, 0).epoch_first, 0);
	world_run(world, 10 * DAY_MS, DAY_MS / 2);
	assert_in_range(state_of(world, 0).epoch_first, 3, 10);
	world->cut = false;
	talk(world, 1); /* by whatever key is left */
	talk(world, 0);
	world_free(world);
}

static void keys_that_are_erased_in_one_event_are_wiped_at_once(void **state)
{
	struct world *world = world_open_line(81);
	world->cut = true;
	world_run(world, 40 * DAY_MS, DAY_MS / 2);
	assert_int_equal(state_of(world, 0).epoch_first, 0);
	size_t wipes = world->posts[0].wipes;
	world_run(world, 10 * DAY_MS, 10 * DAY_MS);
	assert_in_range(state_of(world, 0).epoch_first, 3, 10);
	assert_in_range(world->posts[0].wipes - wipes, 1, state_of(world, 0).epoch_first / 2);
	world_free(world);
}

static bool not_an_epoch(struct bytes key)
{
	return key.data[0] != TABLE_EPOCH;
}

static void what_cannot_be_opened_is_sealed_again(void **state)
{
	struct world *world = world_open_line(74);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "again"};
	uint8_t identity[IDENTITY_SIZE];
	uint64_t before = world->now_ms;

	talk(world, 0);
	store_filter(&world->posts[1].store, not_an_epoch);
	before = world->now_ms;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_run(world, 1000, 10);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_true(world->now_ms - before < 15000); /* it did not wait to be resent */
	assert_int_equal(world->posts[1].last_log, ERROR_CANNOT_OPEN);
	/* the next message goes by last resort at once */
	size_t logs = world->posts[1].logs;
	talk(world, 0);
	assert_int_equal(world->posts[1].logs, logs);
	world_free(world);
}

static void a_copy_is_not_sealed_again_for_ever(void **state)
{
	struct world *world = world_open_line(75);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "never"};
	struct row_key key = key_make(TABLE_POST);
	struct own_post own;
	uint8_t identity[IDENTITY_SIZE];

	store_filter(&world->posts[1].store, not_an_epoch);
	assert_true(world_row(world, 1, &key, &schema_own_post, &own));
	memset(own.last_resort_secret, 1, sizeof(own.last_resort_secret));
	world_put_row(world, 1, &key, &schema_own_post, &own);
	size_t sends = world->posts[0].sends;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_run(world, 2 * DAY_MS, 30000);
	assert_int_equal(world->posts[0].last_alert, ERROR_CANNOT_OPEN);
	assert_true(world_state(world, 0, identity) < LOCAL_RECEIVED);
	assert_in_range(world->posts[0].sends - sends, RESEALS_MAX, 2000);
	world_free(world);
}

static size_t next_keyings(const struct world *world)
{
	return world_count(world, 0, TABLE_NEXT_KEYING) + world_count(world, 1, TABLE_NEXT_KEYING);
}

/*
 * The two sides accept a keying weeks apart, and new epochs begin between: all that is said arrives, and
 * nothing has to be sealed again. Then it comes into use by itself.
 */
static void a_keying_is_used_when_both_hold_it(void **state)
{
	for (size_t first = 0; first < 2; first++) {
		struct world *world = world_open_line(76 + first);
		struct keying keying;

		world_make_keying(world, 2, 0, 1, &keying);
		world_accept_keying(world, first, &keying);
		assert_int_equal(next_keyings(world), POST_SLOTS);
		for (unsigned day = 0; day < 40; day++) {
			talk(world, 0);
			talk(world, 1);
			world_run(world, DAY_MS, DAY_MS / 4);
		}
		assert_true(epoch_used(world, 0) > 35);
		assert_true(epoch_used(world, 1) > 35);
		/* It was only ever shown, and what was shown could not be opened. */
		assert_int_equal(next_keyings(world), POST_SLOTS);
		world_accept_keying(world, 1 - first, &keying);
		world_settle(world);
		assert_int_equal(next_keyings(world), 2 * POST_SLOTS - 2);
		talk(world, 0);
		talk(world, 1);
		/* With the epochs that they serve, the keys of the first keying go. */
		world_run(world, 50 * DAY_MS, DAY_MS / 4);
		for (size_t post = 0; post < 2; post++) {
			struct state row = state_of(world, post);
			uint64_t kept = row.epoch_next - row.epoch_first;
			assert_int_equal(world_count(world, post, TABLE_PSK), kept);
			assert_int_equal(world_count(world, post, TABLE_EPOCH_PSK), kept);
		}
		talk(world, 0);
		talk(world, 1);
		world_free(world);
	}
}

/* Nothing of what is shown arrives: it is shown again, later. */
static void a_keying_is_shown_until_it_is_in_use(void **state)
{
	struct world *world = world_open_line(78);

	world->cut = true;
	world_new_keying(world, 2, 0, 1);
	world_settle(world);
	world->cut = false;
	talk(world, 0);
	talk(world, 1);
	assert_int_equal(next_keyings(world), 2 * POST_SLOTS);
	world_run(world, 2 * 3600000, 60000);
	assert_int_equal(next_keyings(world), 2 * POST_SLOTS - 2);
	talk(world, 0);
	talk(world, 1);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(epochs_roll_and_are_erased_a_window_late),
		cmocka_unit_test(the_sending_leaf_follows_so_that_old_keys_cannot_be_made_again),
		cmocka_unit_test(a_clock_that_jumps_erases_nothing),
		cmocka_unit_test(a_clock_that_loses_time_over_a_restart_erases_nothing),
		cmocka_unit_test(a_clock_that_is_set_to_and_fro_makes_few_epochs),
		cmocka_unit_test(keys_are_erased_though_the_clock_was_ahead),
		cmocka_unit_test(a_clock_that_was_some_days_ahead_uses_each_epoch_for_its_day),
		cmocka_unit_test(a_clock_set_back_and_put_right_publishes_far_enough),
		cmocka_unit_test(with_a_silent_counterpart_keys_go_after_three_windows),
		cmocka_unit_test(keys_that_are_erased_in_one_event_are_wiped_at_once),
		cmocka_unit_test(what_cannot_be_opened_is_sealed_again),
		cmocka_unit_test(a_copy_is_not_sealed_again_for_ever),
		cmocka_unit_test(a_keying_is_used_when_both_hold_it),
		cmocka_unit_test(a_keying_is_shown_until_it_is_in_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
