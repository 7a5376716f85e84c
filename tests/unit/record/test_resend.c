/*
 * What is sent again, and what comes again: many copies at once, copies that were carried and lost, receipts
 * that are replayed, an entry that is given to a restored post once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/image.h"

#define MANY 100

static const struct world_message urgent = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};

static void many_copies_fall_due_in_one_event(void **state)
{
	struct world *world = world_open_line(1);

	world->cut = true;
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	world_run(world, 600000, 600000);
	assert_in_range(world_count(world, 0, TABLE_DUE), 1, MANY);
	world->cut = false;
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, MANY);
	assert_true(world_agrees(world));
	world_free(world);
}

/* True if the open batch of post 0 takes this copy back from the courier. */
static bool takes_back(const struct world *world, const uint8_t copy[16])
{
	const struct world_post *post = &world->posts[0];

	for (size_t i = 0; i < post->actions_count; i++)
		if (post->actions[i].action.kind == RECORD_ACTION_CANCEL &&
		    memcmp(post->actions[i].action.copy, copy, 16) == 0)
			return true;
	return false;
}

static void a_copy_that_was_carried_and_lost_is_taken_back_and_sent_again(void **state)
{
	struct world *world = world_open_line(3);
	struct record_event carried = {.kind = RECORD_PROGRESS, .of.progress.state = LOCAL_CARRIED};
	struct record_event tick = {.kind = RECORD_TICK};
	uint8_t prefix = TABLE_COPY_ID;
	struct row row;
	size_t at = 0;

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	memcpy(carried.of.progress.copy, row.key.data + 1, 16);
	assert_int_equal(world_event(world, 0, &carried), ERROR_OK);
	world_commit(world, 0);
	size_t sends = world->posts[0].sends;

	world->posts[0].steady_ms += 600000;
	assert_int_equal(world_event(world, 0, &tick), ERROR_OK);
	assert_true(takes_back(world, carried.of.progress.copy));
	world_commit(world, 0);
	assert_true(world->posts[0].sends > sends);
	world_free(world);
}

/* The courier's answer to the only copy of the world's post 0. */
static void answer_copy(struct world *world, uint32_t state, enum error reason)
{
	struct record_event answer = {
		.kind = RECORD_PROGRESS, .of.progress.state = state, .of.progress.reason = reason};
	uint8_t prefix = TABLE_COPY_ID;
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	memcpy(answer.of.progress.copy, row.key.data + 1, 16);
	assert_int_equal(world_event(world, 0, &answer), ERROR_OK);
	world_commit(world, 0);
}

static void an_urgent_copy_that_the_courier_has_no_room_for_is_told_once_until_it_has(void **state)
{
	struct world *world = world_open_line(5);
	const struct world_post *post = &world->posts[0];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_TOO_LARGE);
	assert_int_equal(post->alerts, 0);
	for (size_t i = 0; i < 3; i++)
		answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	assert_int_equal(post->alerts, 1);
	assert_int_equal(post->last_alert, ERROR_FULL);
	assert_string_equal(post->last_alert_log, "");
	assert_non_null(strstr(post->last_alert_message, " 00"));
	assert_non_null(strchr(post->last_alert_message, '/'));
	answer_copy(world, LOCAL_QUEUED, ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	assert_int_equal(post->alerts, 2);
	world_free(world);
}

static void a_copy_that_can_wait_for_room_is_told_to_nobody(void **state)
{
	static const struct world_message bulk = {.precedence = PRECEDENCE_PRIORITY, .text = "Later."};
	struct world *world = world_open_line(6);

	world->cut = true;
	assert_int_equal(world_send(world, 0, &bulk, NULL), ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	assert_int_equal(world->posts[0].alerts, 0);
	world_free(world);
}

static void a_receipt_that_says_nothing_new_is_not_kept(void **state)
{
	struct world *world = world_open_line(4);
	uint64_t size;
	struct merkle_hash root;

	world->double_percent = 100;
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
		world_settle(world);
	}
	world_tree(world, 0, world_log_of(world, 0), 1, &size, &root);
	assert_in_range(world_count(world, 0, TABLE_RECEIPT), 10, size);
	world_free(world);
}

static void an_entry_given_again_after_a_restore_is_not_told_again(void **state)
{
	struct world *world = world_open_line(5);
	struct world_post *post = &world->posts[0];
	struct content *content = calloc(1, sizeof(*content));
	struct store image;
	struct merkle_hash roots[2];
	uint64_t sizes[2];
	uint8_t identity[IDENTITY_SIZE];

	assert_non_null(content);
	content->kind = CONTENT_MESSAGE;
	content->precedence = PRECEDENCE_FLASH;
	content->signers_count = 1;
	content->signers[0] = 1;
	content->of.message.time = world->now_ms / 1000;
	content->of.message.text = bytes_of_text("Once.");
	struct bytes cose = world_sign(world, post->party, 1, content, identity);
	store_copy(&image, &post->store);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_submit(world, 0, cose), ERROR_OK);
		world_settle(world);
		assert_int_equal(world->posts[1].arrived, 1);
		assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
		if (i == 0) {
			store_free(&post->store);
			post->store = image;
			world_start(world, 0);
		}
	}
	for (size_t i = 0; i < 2; i++)
		world_tree(world, i, world_log_of(world, 0), 2, &sizes[i], &roots[i]);
	assert_in_range(sizes[0], 2, 8);
	assert_int_equal(sizes[0], sizes[1]);
	assert_true(merkle_hash_equal(&roots[0], &roots[1]));
	free((void *)(uintptr_t)cose.data);
	free(content);
	world_free(world);
}

static bool with_the_cursor(struct bytes key)
{
	return key.data[0] == TABLE_REQUEUE || record_row_in_backup(key);
}

/* A line that is cut, with MANY copies at a restored post that has begun to send them all again. */
static struct world *open_amid_a_pass(uint64_t seed)
{
	struct world *world = world_open_line(seed);
	struct image image;

	world->cut = true;
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	image_back_up(world, 0, &image);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	image_free(&image);
	world_tick(world, 0);
	return world;
}

/* Of one made amid such a pass: where that stood means nothing after a restore. */
static void a_backup_does_not_hold_how_far_a_pass_over_the_copies_was(void **state)
{
	struct world *world = open_amid_a_pass(2);
	struct image image;

	assert_int_equal(world_count(world, 0, TABLE_REQUEUE), 1);
	image_back_up(world, 0, &image);
	image_restore_store(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(world_count(world, 0, TABLE_REQUEUE), 0);
	image_free(&image);
	world_free(world);
}

/* The same with a backup that holds that row, as those of former versions may. */
static void a_new_pass_over_the_copies_begins_at_the_first(void **state)
{
	struct world *world = open_amid_a_pass(3);
	struct image image;

	image_take(world, 0, &image);
	store_filter(&image.store, with_the_cursor);
	image_restore_store(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(world_count(world, 0, TABLE_REQUEUE), 1);
	world_start(world, 0);
	world->cut = false;
	world_run(world, 600000, 1000);
	assert_int_equal(world->posts[1].arrived, MANY);
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	image_free(&image);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_copies_fall_due_in_one_event),
		cmocka_unit_test(a_copy_that_was_carried_and_lost_is_taken_back_and_sent_again),
		cmocka_unit_test(an_urgent_copy_that_the_courier_has_no_room_for_is_told_once_until_it_has),
		cmocka_unit_test(a_copy_that_can_wait_for_room_is_told_to_nobody),
		cmocka_unit_test(a_receipt_that_says_nothing_new_is_not_kept),
		cmocka_unit_test(a_backup_does_not_hold_how_far_a_pass_over_the_copies_was),
		cmocka_unit_test(a_new_pass_over_the_copies_begins_at_the_first),
		cmocka_unit_test(an_entry_given_again_after_a_restore_is_not_told_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
