/*
 * A post is restored from an old image: what it held and what it sent since comes back from the others, the
 * line goes on at once, and nobody is accused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/image.h"
#include "tests/unit/record/talk.h"

#define MINUTES(count) ((count)*UINT64_C(60000))

static void end_unaccused(struct world *world, struct image *image)
{
	talk_accuses_nobody(world);
	image_free(image);
	world_free(world);
}

/* ---- what comes back ---- */

static void what_was_received_since_the_backup_comes_back(void **state)
{
	struct world *world = world_open_line(300);
	struct image image;
	uint8_t theirs[3][IDENTITY_SIZE];

	talk(world, 0, "before", NULL);
	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 3; i++)
		talk(world, 1, "receipted, then lost", theirs[i]);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world_state(world, 0, theirs[i]), 0);
	world_run(world, 10000, 1000); /* within seconds */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(world_state(world, 0, theirs[i]), LOCAL_RECEIVED);
		assert_int_equal(world_state(world, 1, theirs[i]), LOCAL_RECEIVED);
	}
	talk(world, 0, "the line goes on", NULL);
	talk(world, 1, "both ways", NULL);
	world_run(world, MINUTES(10), 10000);
	assert_true(world_agrees(world));
	end_unaccused(world, &image);
}

static void what_was_sent_since_the_backup_comes_back_to_its_place(void **state)
{
	struct world *world = world_open_line(301);
	struct image image;
	uint8_t ours[4][IDENTITY_SIZE];
	struct entry_key places[4];

	talk(world, 0, "before", NULL);
	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 4; i++) {
		talk(world, 0, "sent, then lost", ours[i]);
		places[i] = talk_place(world, 0, ours[i]);
	}
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	talk(world, 0, "numbers of a new incarnation", NULL);
	world_run(world, MINUTES(1), 1000);
	world_settle(world);
	for (size_t i = 0; i < 4; i++) {
		struct entry_key place = talk_place(world, 0, ours[i]);
		assert_memory_equal(&place, &places[i], sizeof(place));
		assert_int_equal(place.incarnation, 1);
		/* receipted once more: the restored post can show it */
		assert_int_equal(world_state(world, 0, ours[i]), LOCAL_RECEIVED);
		struct entry entry;
		assert_true(world_entry(world, 0, ours[i], &entry, &place));
		assert_true(entry.receipt != 0);
	}
	assert_true(world_agrees(world));
	end_unaccused(world, &image);
}

/* Letters that were lost are folded again when they come back, and the next of the chain is taken. */
static void letters_that_were_lost_entitle_again(void **state)
{
	struct world *world = world_make_pair(302);
	struct image image;

	world_name_channel(world);
	for (size_t i = 0; i < 2; i++) {
		world_submit_opening(world, i);
		world_settle(world);
	}
	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 2; i++) {
		world_submit_officers(world, i);
		world_settle(world);
	}
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(2), 1000);
	world_settle(world);
	for (size_t i = 0; i < 2; i++) {
		world_submit_agrements(world, i);
		world_settle(world);
	}
	talk(world, 0, "he may speak", NULL);
	talk(world, 1, "so may I", NULL);
	world_run(world, MINUTES(10), 10000);
	assert_true(world_agrees(world));
	end_unaccused(world, &image);
}

/* Words that name each other come back in whatever order, and each gets its state. */
static void a_dialogue_that_was_lost_comes_back_with_its_states(void **state)
{
	struct world *world = world_open_line(307);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "and again"};
	struct image image;
	uint8_t words[12][IDENTITY_SIZE];

	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 12; i++) {
		message.answers = i == 0 ? NULL : words[i - 1];
		assert_int_equal(world_send(world, i % 2, &message, words[i]), ERROR_OK);
		world_settle(world);
	}
	assert_int_equal(world_acknowledge(world, 0, words[11]), ERROR_OK);
	world_settle(world);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world->reorder_percent = 50;
	world_run(world, MINUTES(3), 1000);
	world_settle(world);
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < 11; j++)
			assert_int_equal(world_state(world, i, words[j]), LOCAL_ANSWERED);
		assert_int_equal(world_state(world, i, words[11]), LOCAL_READ);
		assert_int_equal(world_count(world, i, TABLE_AWAITED), 0);
	}
	assert_true(world_agrees(world));
	end_unaccused(world, &image);
}

static void what_was_under_way_at_the_loss_arrives(void **state)
{
	struct world *world = world_open_line(303);
	struct image image;
	uint8_t theirs[12][IDENTITY_SIZE];
	uint8_t ours[IDENTITY_SIZE];
	struct world_packet lost;

	image_back_up(world, 0, &image);
	world->hold = true; /* sealed to keys of epochs that are lost meanwhile */
	for (size_t i = 0; i < 12; i++)
		talk_begin(world, 1, "under way", theirs[i]);
	talk_begin(world, 0, "never left: lost for good", ours);
	while (world_intercept(world, 0, &lost))
		free(lost.bytes);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world->hold = false;
	world_run(world, MINUTES(10), 1000);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(world_state(world, 0, theirs[i]), LOCAL_RECEIVED);
		assert_int_equal(world_state(world, 1, theirs[i]), LOCAL_RECEIVED);
	}
	assert_int_equal(world_state(world, 0, ours), 0);
	assert_int_equal(world_count(world, 1, TABLE_COPY), 0);
	end_unaccused(world, &image);
}

/* A receipt of the former life, delivered late, takes back nothing for good. */
static void a_receipt_from_before_the_loss_that_comes_late_loses_nothing(void **state)
{
	struct world *world = world_open_line(304);
	struct image image;
	uint8_t theirs[IDENTITY_SIZE];
	struct world_packet late;

	image_back_up(world, 0, &image);
	talk_begin(world, 1, "receipted, then lost", theirs);
	world_run(world, 10, 10);
	assert_int_equal(world_state(world, 0, theirs), LOCAL_RECEIVED);
	bool is_late = world_intercept(world, 0, &late);
	if (!is_late)
		assert_int_equal(world_state(world, 1, theirs), LOCAL_RECEIVED);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world->posts[1].mute = true; /* the answer is made, and waits */
	world_run(world, 2000, 1000);
	if (is_late) {
		world_deliver(world, 1, 0, bytes_make(late.bytes, late.size));
		world_commit(world, 1);
		free(late.bytes);
	}
	world->posts[1].mute = false;
	world_run(world, MINUTES(5), 1000);
	assert_int_equal(world_state(world, 0, theirs), LOCAL_RECEIVED);
	end_unaccused(world, &image);
}

/* A snapshot with its anchor, and a courier that knows nothing newer: nothing here tells of the loss. */
static void a_disk_that_was_set_back_unnoticed_gets_its_entries_back(void **state)
{
	struct world *world = world_open_line(305);
	struct image image;
	uint8_t theirs[IDENTITY_SIZE];

	world_run(world, MINUTES(10), 10000);
	image_take(world, 0, &image);
	talk(world, 1, "receipted, then lost", theirs);
	image_restore(world, 0, &image, IMAGE_ANCHOR_OLD);
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(world_state(world, 0, theirs), LOCAL_RECEIVED);
	assert_true(world_agrees(world));
	assert_int_equal(talk_size(world, 0, 0, 2), 0); /* its own log went on */
	end_unaccused(world, &image);
}

static void on_an_ordinary_line_nothing_is_asked_for(void **state)
{
	struct world *world = world_open_line(306);

	world->reorder_percent = 50;
	for (size_t i = 0; i < 20; i++) {
		talk(world, i % 2, "ordinary", NULL);
		world_run(world, MINUTES(2), 10000);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_count(world, i, TABLE_MISSING), 0);
		assert_int_equal(world_count(world, i, TABLE_ANSWERED), 0);
	}
	world_free(world);
}

/* ---- incarnations ---- */

static void a_backup_that_is_restored_twice_opens_two_incarnations(void **state)
{
	struct world *world = world_open_line(310);
	struct image image;
	uint8_t identities[3][IDENTITY_SIZE];

	image_back_up(world, 0, &image);
	talk(world, 0, "in the first", identities[0]);
	for (size_t i = 1; i < 3; i++) {
		image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
		talk(world, 0, "in another", identities[i]);
		assert_int_equal(talk_line(world, 0, 0).incarnation, i + 1);
	}
	world_run(world, MINUTES(2), 1000);
	world_settle(world);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(talk_place(world, 0, identities[i]).incarnation, i + 1);
		assert_int_equal(talk_place(world, 1, identities[i]).incarnation, i + 1);
	}
	assert_true(world_agrees(world));
	talk_accuses_nobody(world);
	/* Both follow the one head of the image. */
	struct row_key key = key_log(TABLE_LOG, 1, world_log_of(world, 0), 3);
	struct log row;
	assert_true(world_row(world, 1, &key, &schema_log, &row));
	assert_int_equal(row.follows, 1);
	assert_true(row.follows_size < talk_size(world, 1, 0, 1));
	image_free(&image);
	world_free(world);
}

/*
 * Nobody at home remembers the first time: the counterpart does, and no head is told before it has said so.
 */
static void a_second_restore_that_knows_of_no_first_is_told_by_the_counterpart(void **state)
{
	struct world *world = world_open_line(311);
	struct image image;

	world_run(world, MINUTES(10), 10000);
	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 2; i++) {
		world->posts[0].heads_count = 0;
		image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
		world_run(world, MINUTES(1), 1000);
		talk(world, 0, "on", NULL);
		world_run(world, MINUTES(10), 10000);
	}
	assert_int_equal(talk_line(world, 0, 0).incarnation, 3);
	assert_int_equal(talk_line(world, 1, 0).incarnation, 3);
	assert_int_equal(talk_line(world, 1, 0).forked, 0); /* no proof against an honest post */
	talk(world, 1, "and back", NULL);
	image_free(&image);
	world_free(world);
}

/* What an officer is told: what to do. */
static void expect_refused_for_now(struct world *world)
{
	static const char what_to_do[] = "start its courier, and try again";
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "too early"};
	const struct world_post *post = &world->posts[0];

	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_AWAITS_COURIER);
	assert_non_null(memmem(post->reply, post->reply_size, what_to_do, strlen(what_to_do)));
	assert_int_equal(talk_line(world, 0, 0).incarnation, 1);
}

static void nothing_is_filed_before_the_courier_has_told_its_heads(void **state)
{
	struct world *world = world_open_line(312);
	struct world_post *post = &world->posts[0];
	struct record_event start = {.kind = RECORD_START};
	struct image image;

	image_back_up(world, 0, &image);
	image_restore_store(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(world_event(world, 0, &start), ERROR_OK);
	post->up = true;
	world_commit(world, 0);
	world_tick(world, 0);
	expect_refused_for_now(world);
	/* The mark outlives the process. */
	world_crash_after_commit(world, 0);
	assert_int_equal(world_event(world, 0, &start), ERROR_OK);
	post->up = true;
	world_commit(world, 0);
	expect_refused_for_now(world);
	world_connect(world, 0);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 2);
	talk(world, 0, "now", NULL);
	image_free(&image);
	world_free(world);
}

/* As where it was lost, too. */
static void a_courier_that_keeps_no_heads_has_told_them(void **state)
{
	struct world *world = world_open_line(314);
	struct world_post *post = &world->posts[0];
	struct record_event start = {.kind = RECORD_START};
	struct image image;

	image_back_up(world, 0, &image);
	image_restore_store(world, 0, &image, IMAGE_ANCHOR_GONE);
	post->heads_count = 0;
	assert_int_equal(world_event(world, 0, &start), ERROR_OK);
	post->up = true;
	world_commit(world, 0);
	expect_refused_for_now(world);
	world_connect(world, 0);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 2);
	talk(world, 0, "now", NULL);
	image_free(&image);
	world_free(world);
}

/* What the courier was given and had not on its disk when it died, it is given again when it comes back. */
static void a_courier_that_had_not_kept_a_head_yet_is_given_it_again(void **state)
{
	struct world *world = world_open_line(315);
	struct world_post *post = &world->posts[0];
	struct image image;

	image_back_up(world, 0, &image);
	size_t kept = post->heads_count;
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 2);
	assert_int_equal(post->heads_count, kept + 1);
	post->heads_count = kept;
	world_connect(world, 0);
	assert_int_equal(post->heads_count, kept + 1);
	/* And the size, where only that is newer. */
	uint64_t size = post->heads[kept].size;
	talk(world, 0, "one more", NULL);
	assert_true(post->heads[kept].size > size);
	post->heads[kept].size = size;
	world_connect(world, 0);
	assert_true(post->heads[kept].size > size);
	/* So the next life knows of this one. */
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 3);
	end_unaccused(world, &image);
}

/*
 * The post that was backed up runs on beside the restored one: both are shown, each writes its own
 * incarnation.
 */
static void the_old_post_beside_the_restored_one_is_shown_and_forks_nothing(void **state)
{
	struct world *world = world_open_line(313);
	struct image backup;
	struct image old;
	struct image restored;
	uint8_t by_old[IDENTITY_SIZE];
	uint8_t by_restored[IDENTITY_SIZE];

	image_back_up(world, 0, &backup);
	talk(world, 0, "since the backup", NULL);
	image_take(world, 0, &old);
	image_restore(world, 0, &backup, IMAGE_ANCHOR_GONE);
	talk(world, 0, "restored", by_restored);
	world_run(world, MINUTES(5), 1000);
	image_take(world, 0, &restored);

	size_t alerts = world->posts[0].alerts;
	image_restore(world, 0, &old, IMAGE_ANCHOR_OLD);
	assert_true(world->posts[0].alerts > alerts); /* the courier knows of another */
	talk(world, 0, "the old one", by_old);
	assert_int_equal(talk_place(world, 0, by_old).incarnation, 1);
	world_run(world, MINUTES(30), 10000);
	assert_int_equal(talk_place(world, 0, by_restored).incarnation, 2);

	image_restore(world, 0, &restored, IMAGE_ANCHOR_OLD);
	talk(world, 0, "the restored one again", NULL);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 2);
	world_run(world, MINUTES(90), 10000);
	talk_accuses_nobody(world);
	/* Two continuations of one head. */
	struct row_key key = key_log(TABLE_LOG, 1, world_log_of(world, 0), 2);
	struct log row;
	assert_true(world_row(world, 1, &key, &schema_log, &row));
	assert_int_equal(row.follows, 1);
	assert_true(row.follows_size < talk_size(world, 1, 0, 1));
	image_free(&backup);
	image_free(&old);
	image_free(&restored);
	world_free(world);
}

static void an_incarnation_whose_number_leaps_is_taken(void **state)
{
	struct world *world = world_open_line(314);
	struct image image;

	image_back_up(world, 0, &image);
	world->cut = true;
	for (size_t i = 0; i < 9; i++)
		image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world->cut = false;
	assert_int_equal(talk_line(world, 0, 0).incarnation, 10);
	talk(world, 0, "after nine", NULL);
	assert_int_equal(talk_line(world, 1, 0).incarnation, 10);
	image_free(&image);
	world_free(world);
}

/* The last heads of former incarnations stay, on both sides, and are the same. */
static void heads_of_former_incarnations_are_kept(void **state)
{
	struct world *world = world_open_line(315);
	struct row_key key = key_log(TABLE_HEAD, 1, world_log_of(world, 0), 1);
	struct former_head heads[2];
	struct image image;

	image_back_up(world, 0, &image);
	talk(world, 0, "one more", NULL);
	world_run(world, MINUTES(10), 10000);
	struct line before = talk_line(world, 0, 0);
	world->posts[0].heads_count = 0; /* its courier is lost, too: the counterpart tells it */
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(10), 10000);
	for (size_t i = 0; i < 2; i++) {
		assert_true(world_row(world, i, &key, &schema_former_head, &heads[i]));
		assert_int_equal(heads[i].size, before.head_size);
		assert_memory_equal(heads[i].root, before.head_root, sizeof(heads[i].root));
		assert_memory_equal(heads[i].signature, before.head_signature, sizeof(heads[i].signature));
	}
	assert_int_equal(talk_line(world, 1, 0).head_incarnation, 2);
	end_unaccused(world, &image);
}

/* ---- keys ---- */

/* Prekeys that were published after the new incarnation began are used, in whatever order both arrive. */
static void prekeys_of_before_are_not_used_and_those_of_after_are(void **state)
{
	struct world *world = world_open_line(330);
	struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[0].slot);
	struct prekeys_row row;
	struct image image;

	talk(world, 0, "before", NULL);
	image_take(world, 0, &image); /* with all keys: new prekeys follow at once */
	talk(world, 0, "since", NULL);
	world->reorder_percent = 100;
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	world_run(world, MINUTES(2), 1000);
	assert_true(world_row(world, 1, &key, &schema_prekeys_row, &row));
	assert_false(row.cannot_open);
	assert_true(row.number > image.anchor_size);
	talk(world, 1, "by new epochs", NULL);
	image_free(&image);

	image_back_up(world, 0, &image); /* without: nothing of before may be used */
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	world_run(world, MINUTES(2), 1000);
	assert_true(world_row(world, 1, &key, &schema_prekeys_row, &row));
	assert_true(row.cannot_open);
	talk(world, 1, "by last resort", NULL);
	image_free(&image);
	world_free(world);
}

/* The two sides accept the next keying one after the other; from then on it is epochs again. */
static void a_restored_post_and_its_counterpart_accept_the_next_keying_apart(void **state)
{
	for (size_t first = 0; first < 2; first++) {
		struct world *world = world_open_line(331 + first);
		struct keying keying;
		struct image image;

		image_back_up(world, 0, &image);
		image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
		world_run(world, MINUTES(2), 1000);
		world_make_keying(world, 2, 0, 1, &keying);
		world_accept_keying(world, first, &keying);
		for (size_t i = 0; i < 2; i++)
			talk(world, i, "between two keyings", NULL);
		world_run(world, MINUTES(3), 1000);
		world_accept_keying(world, 1 - first, &keying);
		world_run(world, MINUTES(62), 10000);
		for (size_t i = 0; i < 2; i++)
			talk(world, i, "by new epochs", NULL);
		assert_true(world_count(world, 0, TABLE_EPOCH) > 0);
		struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[0].slot);
		struct prekeys_row row;
		assert_true(world_row(world, 1, &key, &schema_prekeys_row, &row));
		assert_false(row.cannot_open);
		end_unaccused(world, &image);
	}
}

/*
 * The backup is older than the keying in use: the restored post speaks, and hears nothing until the next
 * one.
 */
static void a_post_restored_from_before_the_keying_in_use_hears_after_the_next(void **state)
{
	struct world *world = world_open_line(333);
	uint8_t identities[2][IDENTITY_SIZE];
	uint8_t lost[IDENTITY_SIZE];
	struct keying keying;
	struct image image;

	image_back_up(world, 0, &image);
	world_new_keying(world, 2, 0, 1);
	world_run(world, MINUTES(62), 10000);
	talk(world, 1, "under the second keying", NULL);
	talk(world, 0, "given back before it can be opened", lost);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(2), 1000);
	for (size_t i = 0; i < 2; i++)
		talk_begin(world, i, "deaf", identities[i]);
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(world_state(world, 1, identities[0]), LOCAL_RECEIVED);
	assert_int_equal(world_state(world, 0, identities[1]), 0);
	world_run(world, MINUTES(180), 10000); /* until it asks no more */
	assert_int_equal(world_state(world, 0, lost), 0);
	world_make_keying(world, 3, 0, 1, &keying);
	for (size_t i = 0; i < 2; i++)
		world_accept_keying(world, i, &keying);
	world_run(world, MINUTES(62), 10000);
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 2; j++)
			assert_int_equal(world_state(world, i, identities[j]), LOCAL_RECEIVED);
	assert_int_equal(talk_place(world, 0, lost).incarnation, 1);
	assert_true(world_agrees(world));
	end_unaccused(world, &image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_received_since_the_backup_comes_back),
		cmocka_unit_test(what_was_sent_since_the_backup_comes_back_to_its_place),
		cmocka_unit_test(letters_that_were_lost_entitle_again),
		cmocka_unit_test(a_dialogue_that_was_lost_comes_back_with_its_states),
		cmocka_unit_test(what_was_under_way_at_the_loss_arrives),
		cmocka_unit_test(a_receipt_from_before_the_loss_that_comes_late_loses_nothing),
		cmocka_unit_test(a_disk_that_was_set_back_unnoticed_gets_its_entries_back),
		cmocka_unit_test(on_an_ordinary_line_nothing_is_asked_for),
		cmocka_unit_test(a_backup_that_is_restored_twice_opens_two_incarnations),
		cmocka_unit_test(a_second_restore_that_knows_of_no_first_is_told_by_the_counterpart),
		cmocka_unit_test(nothing_is_filed_before_the_courier_has_told_its_heads),
		cmocka_unit_test(a_courier_that_keeps_no_heads_has_told_them),
		cmocka_unit_test(a_courier_that_had_not_kept_a_head_yet_is_given_it_again),
		cmocka_unit_test(the_old_post_beside_the_restored_one_is_shown_and_forks_nothing),
		cmocka_unit_test(an_incarnation_whose_number_leaps_is_taken),
		cmocka_unit_test(heads_of_former_incarnations_are_kept),
		cmocka_unit_test(prekeys_of_before_are_not_used_and_those_of_after_are),
		cmocka_unit_test(a_restored_post_and_its_counterpart_accept_the_next_keying_apart),
		cmocka_unit_test(a_post_restored_from_before_the_keying_in_use_hears_after_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
