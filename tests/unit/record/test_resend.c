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

#include "record/outbox.h"
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

static void
an_urgent_copy_that_is_offered_in_vain_is_told_once(void **state)
{
	struct world *world = world_open_line(5);
	struct world_post *post = &world->posts[0];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_TIMED_OUT);
	assert_int_equal(post->alerts, 0);
	world_run(world, RETRY_FLASH_MS + 1000, 1000);
	post->refusal = ERROR_FULL;
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	assert_int_equal(post->alerts, 1);
	assert_int_equal(post->last_alert, ERROR_FULL);
	assert_string_equal(post->last_alert_log, "");
	assert_non_null(strstr(post->last_alert_message, " 00"));
	assert_non_null(strchr(post->last_alert_message, '/'));
	size_t sends = post->sends;
	world_run(world, 5 * RETRY_FLASH_MS, 1000);
	assert_true(post->sends >= sends + 2);
	assert_int_equal(post->alerts, 1);
	world_free(world);
}

/* A courier may take a copy and give it up in turn, without end: that is no news each time. */
static void a_courier_that_takes_and_gives_up_in_turn_is_told_of_once_an_hour(void **state)
{
	struct world *world = world_open_line(5);
	struct world_post *post = &world->posts[0];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	uint64_t told_ms = post->steady_ms;
	while (post->steady_ms < told_ms + OUTBOX_TOLD_AGAIN_MS - 60000) {
		world_run(world, 30000, 1000);
		answer_copy(world, LOCAL_QUEUED, ERROR_OK);
		answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
		assert_int_equal(post->alerts, 1);
	}
	world_run(world, 30000, 1000);
	answer_copy(world, LOCAL_REFUSED, ERROR_UNSUPPORTED); /* which is another thing */
	assert_int_equal(post->alerts, 2);
	world_run(world, OUTBOX_RESEND_MAX_MS, 1000);
	for (size_t i = 0; i < 2; i++) {
		answer_copy(world, LOCAL_QUEUED, ERROR_OK);
		answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
		assert_int_equal(post->alerts, 3);
		world_run(world, 30000, 1000);
	}
	world_free(world);
}

static void an_urgent_copy_that_had_left_is_told_of_when_it_does_not_leave_again(void **state)
{
	struct world *world = world_open_line(5);
	struct world_post *post = &world->posts[0];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	uint64_t told_ms = post->steady_ms;
	world_run(world, 30000, 1000);
	answer_copy(world, LOCAL_CARRIED, ERROR_OK);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL); /* a neighbour has it: that says nothing */
	assert_int_equal(post->alerts, 1);
	world_run(world, 600000, 1000);
	answer_copy(world, LOCAL_REFUSED, ERROR_FULL);
	assert_int_equal(post->alerts, 2);
	assert_true(post->steady_ms < told_ms + OUTBOX_TOLD_AGAIN_MS);
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

/* ---- what the courier gives up ---- */

static void a_receipt_that_the_courier_has_no_room_for_is_handed_over_again(void **state)
{
	struct world *world = world_open_line(6);
	uint8_t identity[IDENTITY_SIZE];

	world->posts[1].refusal = ERROR_FULL;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	world_run(world, 100, 10);
	assert_int_equal(world->posts[1].arrived, 1);
	assert_int_equal(world_state(world, 0, identity), LOCAL_CARRIED);
	assert_int_equal(world_count(world, 1, TABLE_RETRY), 1);
	size_t sends = world->posts[0].sends;

	world->posts[1].refusal = ERROR_OK;
	world_run(world, RETRY_FLASH_MS + 2000, 500);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world->posts[0].sends, sends);
	assert_int_equal(world_count(world, 1, TABLE_STATEMENT), 0);
	assert_int_equal(world_count(world, 1, TABLE_RETRY), 0);
	world_free(world);
}

/* Where nobody asks for it any more: what asks for a receipt is its entry, which is sent again. */
static void a_statement_that_is_given_up_too_often_is_forgotten_and_made_anew(void **state)
{
	struct world *world = world_open_line(7);
	uint8_t identity[IDENTITY_SIZE];

	world->posts[1].refusal = ERROR_FULL;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	world_run(world, 100, 10);
	assert_int_equal(world_flash_statements(world, 1), 1);
	world->cut = true;
	world_run(world, (OUTBOX_STATEMENT_TRIES - 2) * RETRY_FLASH_MS, RETRY_FLASH_MS);
	assert_int_equal(world_flash_statements(world, 1), 1);
	world_run(world, 2 * RETRY_FLASH_MS, 1000);
	assert_int_equal(world_flash_statements(world, 1), 0);
	assert_int_equal(world_count(world, 1, TABLE_STATEMENT), world_count(world, 1, TABLE_SEALED));
	assert_int_equal(world_count(world, 1, TABLE_STATEMENT), world_count(world, 1, TABLE_RETRY));

	world->cut = false;
	world->posts[1].refusal = ERROR_OK;
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_true(world_agrees(world));
	world_free(world);
}

/* The first copy of an entry at post 0. */
static struct copy first_copy(const struct world *world)
{
	uint8_t prefix = TABLE_COPY;
	struct copy copy;
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	assert_int_equal(schema_read(&schema_copy, row.value, &copy), ERROR_OK);
	return copy;
}

static void a_flash_without_room_is_handed_over_again_in_seconds_and_before_a_later_one(void **state)
{
	struct world *world = world_open_line(8);
	struct record_event tick = {.kind = RECORD_TICK};
	struct world_post *post = &world->posts[0];

	world->hold = true;
	post->refusal = ERROR_FULL;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	struct copy copy = first_copy(world);
	assert_int_equal(world_count(world, 0, TABLE_RETRY), 1);
	size_t sends = post->sends;
	post->refusal = ERROR_OK;
	post->steady_ms += RETRY_FLASH_MS - 1;
	world_tick(world, 0);
	assert_int_equal(post->sends, sends);

	post->steady_ms += 2;
	assert_int_equal(world_event(world, 0, &tick), ERROR_OK);
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	assert_int_equal(post->sends, sends + 2);
	assert_true(world->packets[0].used && world->packets[1].used);
	assert_memory_equal(world->packets[0].copy, copy.sha256, sizeof(world->packets[0].copy));
	/* It was not sent before: what follows where no receipt comes does not begin anew. */
	assert_int_equal(first_copy(world).sends, copy.sends);
	assert_int_equal(first_copy(world).due_ms, copy.due_ms);
	assert_int_equal(world_count(world, 0, TABLE_RETRY), 0);
	world->hold = false;
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, 2);
	world_free(world);
}

static void a_flash_whose_lifetime_ended_is_handed_over_again_in_seconds(void **state)
{
	struct world *world = world_open_line(9);
	struct record_event expired = {.kind = RECORD_PROGRESS, .of.progress.state = LOCAL_REFUSED};
	uint8_t identity[IDENTITY_SIZE];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	world_run(world, 10, 10);
	memcpy(expired.of.progress.copy, first_copy(world).sha256, sizeof(expired.of.progress.copy));
	expired.of.progress.reason = ERROR_TIMED_OUT;
	world->cut = false;
	for (size_t i = 0; i < 2; i++) { /* the courier may say so twice */
		assert_int_equal(world_event(world, 0, &expired), ERROR_OK);
		world_commit(world, 0);
	}
	assert_int_equal(world_count(world, 0, TABLE_RETRY), 1);
	assert_int_equal(world_state(world, 0, identity), LOCAL_QUEUED);
	world_run(world, RETRY_FLASH_MS + 1000, 500);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	world_free(world);
}

/* Whoever refuses it asks for it no more often than a receipt that does not come. */
static void an_entry_that_is_not_taken_on_its_way_waits_twice_as_long_each_time(void **state)
{
	struct world *world = world_open_line(11);
	struct world_post *post = &world->posts[0];
	uint8_t identity[IDENTITY_SIZE];
	uint64_t due_ms[4];

	post->refusal = ERROR_UNSUPPORTED;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	for (size_t i = 0; i < 4; i++) {
		struct copy copy = first_copy(world);
		due_ms[i] = copy.due_ms;
		assert_int_equal(copy.sends, i + 1);
		assert_int_equal(post->alerts, 1); /* the courier has not taken it since */
		assert_int_equal(post->last_alert, ERROR_UNSUPPORTED);
		for (size_t k = 0; k < 100; k++) {
			world_run(world, 1000, 1000);
			assert_int_equal(first_copy(world).state, COPY_HELD);
			assert_int_equal(first_copy(world).due_ms, due_ms[i]);
		}
		while (i < 3 && first_copy(world).due_ms == due_ms[i])
			world_run(world, 1000, 1000);
	}
	assert_true(due_ms[1] - due_ms[0] >= 2 * OUTBOX_RESEND_MIN_MS);
	for (size_t i = 2; i < 4; i++)
		assert_in_range(due_ms[i] - due_ms[i - 1], 2 * (due_ms[i - 1] - due_ms[i - 2]) - 5000,
				2 * (due_ms[i - 1] - due_ms[i - 2]) + 5000);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RELEASED);
	post->refusal = ERROR_OK;
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_true(world_agrees(world));
	world_free(world);
}

/* A neighbour may refuse all that is urgent. What goes another way, or is for it, does not wait for that. */
static void many_that_are_not_taken_on_their_way_hold_up_nothing_less_urgent(void **state)
{
	static const struct world_message bulk = {.precedence = PRECEDENCE_ROUTINE, .text = "No hurry."};
	struct world *world = world_open_line(12);
	struct world_post *post = &world->posts[0];

	post->refusal = ERROR_UNSUPPORTED;
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	post->refusal = ERROR_OK;
	post->mute = true;
	assert_int_equal(world_send(world, 0, &bulk, NULL), ERROR_OK);
	post->steady_ms += RETRY_FLASH_MS + 1;
	world_tick(world, 0);
	assert_int_equal(world_count(world, 0, TABLE_WAITING), 1);
	assert_int_equal(world_count(world, 0, TABLE_RETRY), 0);
	assert_int_equal(world_count(world, 0, TABLE_DUE), MANY);
	post->mute = false;
	world_run(world, 5000, 100);
	assert_int_equal(world->posts[1].arrived, 1);
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, MANY + 1);
	assert_int_equal(world_count(world, 0, TABLE_DUE), 0);
	world_free(world);
}

/* A statement is due at no time: it has its tries. */
static void a_receipt_that_is_not_taken_on_its_way_is_handed_over_again_in_seconds(void **state)
{
	struct world *world = world_open_line(13);
	uint8_t identity[IDENTITY_SIZE];

	world->posts[1].refusal = ERROR_UNSUPPORTED;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	world_run(world, 100, 10);
	assert_int_equal(world_flash_statements(world, 1), 1);
	assert_int_equal(world_state(world, 0, identity), LOCAL_CARRIED);
	world->posts[1].refusal = ERROR_OK;
	world_run(world, RETRY_FLASH_MS + 2000, 500);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world->posts[1].alerts, 0);
	world_free(world);
}

/* All that it has no room for may be a lot. The urgent do not wait behind it. */
static void a_courier_that_stays_full_is_offered_a_few_at_a_time(void **state)
{
	static const struct world_message bulk = {.precedence = PRECEDENCE_ROUTINE, .text = "No hurry."};
	struct world *world = world_open_line(10);
	struct world_post *post = &world->posts[0];

	post->refusal = ERROR_FULL;
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(world_send(world, 0, &bulk, NULL), ERROR_OK);
	post->steady_ms += RETRY_ROUTINE_MS - RETRY_FLASH_MS;
	assert_int_equal(world_send(world, 0, &urgent, NULL), ERROR_OK);
	post->steady_ms += RETRY_FLASH_MS + 1;
	post->mute = true;
	for (size_t i = 1; i <= 2; i++) {
		world_tick(world, 0);
		assert_int_equal(world_count(world, 0, TABLE_RETRY), MANY - i * OUTBOX_RETRIES_MAX);
	}
	assert_int_equal(world_count(world, 0, TABLE_DUE), MANY + 1);
	post->mute = false;
	post->refusal = ERROR_OK;
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, MANY + 1);
	assert_int_equal(world_count(world, 0, TABLE_DUE), 0);
	assert_true(world_agrees(world));
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
		cmocka_unit_test(an_urgent_copy_that_is_offered_in_vain_is_told_once),
		cmocka_unit_test(a_courier_that_takes_and_gives_up_in_turn_is_told_of_once_an_hour),
		cmocka_unit_test(an_urgent_copy_that_had_left_is_told_of_when_it_does_not_leave_again),
		cmocka_unit_test(a_copy_that_can_wait_for_room_is_told_to_nobody),
		cmocka_unit_test(a_receipt_that_the_courier_has_no_room_for_is_handed_over_again),
		cmocka_unit_test(a_statement_that_is_given_up_too_often_is_forgotten_and_made_anew),
		cmocka_unit_test(a_flash_without_room_is_handed_over_again_in_seconds_and_before_a_later_one),
		cmocka_unit_test(a_flash_whose_lifetime_ended_is_handed_over_again_in_seconds),
		cmocka_unit_test(an_entry_that_is_not_taken_on_its_way_waits_twice_as_long_each_time),
		cmocka_unit_test(many_that_are_not_taken_on_their_way_hold_up_nothing_less_urgent),
		cmocka_unit_test(a_receipt_that_is_not_taken_on_its_way_is_handed_over_again_in_seconds),
		cmocka_unit_test(a_courier_that_stays_full_is_offered_a_few_at_a_time),
		cmocka_unit_test(a_receipt_that_says_nothing_new_is_not_kept),
		cmocka_unit_test(a_backup_does_not_hold_how_far_a_pass_over_the_copies_was),
		cmocka_unit_test(a_new_pass_over_the_copies_begins_at_the_first),
		cmocka_unit_test(an_entry_given_again_after_a_restore_is_not_told_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
