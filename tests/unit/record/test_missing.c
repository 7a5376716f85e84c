/*
 * Asking for what is missing, and giving it: what a hostile counterpart can make of that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/missing.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/image.h"
#include "tests/unit/record/talk.h"

#define MINUTES(count) ((count)*UINT64_C(60000))

/* Post `from` gives an entry back, from its outbox, that it was not asked for. */
static void put_returned(struct world *world, size_t from, const struct entry_key *entry)
{
	static uint64_t serial = UINT64_C(1) << 40;
	struct copy_key copy_key = {.statement = ++serial};
	struct row_key key = key_make(TABLE_STATEMENT);
	struct statement_copy copy = {
		.copy = {.state = COPY_WAITING, .precedence = PRECEDENCE_FLASH, .number = serial},
		.channel = 1,
		.party = 1,
		.slot = world->posts[1 - from].slot,
		.entry = *entry,
	};

	key_u64(&key, serial);
	world_put_row(world, from, &key, &schema_statement_copy, &copy);
	key = key_make(TABLE_WAITING);
	key_u8(&key, 0);
	key_u64(&key, serial);
	world_put_row(world, from, &key, &schema_copy_key, &copy_key);
	world_tick(world, from);
	world_run(world, 50, 10);
}

static struct missing_statement all_of(const struct world *world, size_t by, size_t of)
{
	return (struct missing_statement){
		.by = world_log_of(world, by),
		.log = world_log_of(world, of),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = POSITION_MAX + 1}},
	};
}

static void whoever_asks_for_ever_is_given_so_much_an_hour(void **state)
{
	struct world *world = world_open_line(320);
	struct missing_statement missing = all_of(world, 1, 0);

	for (size_t i = 0; i < 10; i++)
		talk(world, 0, "to be asked for", NULL);
	uint64_t size = talk_size(world, 0, 0, 1);
	world_run(world, MINUTES(61), 60000);
	size_t before = world->packets_sent;
	for (size_t i = 0; i < 2 * MISSING_ANSWERS_HOURLY / size; i++) {
		assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
		world_run(world, 1000, 500);
	}
	struct row_key key = key_channel(TABLE_ANSWERED, 1);
	struct quota quota;
	key_u16(&key, world_log_of(world, 1));
	assert_true(world_row(world, 0, &key, &schema_quota, &quota));
	assert_int_equal(quota.count, MISSING_ANSWERS_HOURLY);
	/* the entries given, their receipts, the asking, and heads */
	assert_true(world->packets_sent - before < 5 * MISSING_ANSWERS_HOURLY);
	talk(world, 0, "the line goes on", NULL);
	world_free(world);
}

static void entries_under_way_are_not_doubled_by_asking(void **state)
{
	struct world *world = world_open_line(321);
	struct missing_statement missing = all_of(world, 1, 0);

	world_settle(world);
	world->posts[0].mute = true; /* they wait for the courier */
	for (size_t i = 0; i < 5; i++)
		talk_begin(world, 0, "waits", NULL);
	size_t copies = world_count(world, 0, TABLE_COPY);
	missing.ranges[0] = (struct held_range){.first = talk_size(world, 1, 0, 1), .count = 100};
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_COPY), copies);
	assert_int_equal(world_count(world, 0, TABLE_WAITING), copies);
	world->posts[0].mute = false;
	world_settle(world);
	assert_true(world_agrees(world));
	world_free(world);
}

static void only_the_two_logs_concerned_can_be_asked_for(void **state)
{
	struct world *world = world_open_line(322);
	struct missing_statement missing = all_of(world, 1, 0);

	world_settle(world);
	missing.log = LOG_MAX;
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_ARGUMENT);
	world->posts[0].last_log = ERROR_OK;
	missing = all_of(world, 1, 0);
	missing.by = missing.log;
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_ARGUMENT);
	assert_int_equal(world_count(world, 0, TABLE_ANSWERED), 0);
	/* far beyond what is there */
	missing = all_of(world, 1, 0);
	missing.ranges[0].first = POSITION_MAX;
	missing.ranges[0].count = 1;
	missing.incarnation = INCARNATIONS_MAX;
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_ANSWERED), 0);
	talk(world, 0, "on", NULL);
	world_free(world);
}

static struct entry_key made_up; /* where post 1 holds what it holds elsewhere */

static bool is_not_made_up(struct bytes key)
{
	struct row_key entry = key_entry(TABLE_ENTRY, &made_up);
	struct row_key cose = key_entry(TABLE_COSE, &made_up);

	return !bytes_equal(key, key_view(&entry)) && !bytes_equal(key, key_view(&cose));
}

/* Post 1 gives post 0 an entry "back": as it holds `from`, but at `to`, which is not held. */
static void give_back(struct world *world, const struct entry_key *from, const struct entry_key *to)
{
	struct row_key key = key_entry(TABLE_ENTRY, from);
	struct entry entry;
	struct row row;
	struct leaf leaf;
	size_t at = 0;
	uint8_t leaf_bytes[LEAF_SIZE_MAX];
	struct buffer encoded = buffer_make(leaf_bytes, sizeof(leaf_bytes));

	assert_true(world_row(world, 1, &key, &schema_entry, &entry));
	assert_int_equal(leaf_decode(entry.leaf, &leaf), ERROR_OK);
	leaf.position = to->position;
	leaf_encode(&leaf, &encoded);
	entry.leaf = buffer_bytes(&encoded);
	key = key_entry(TABLE_COSE, from);
	assert_true(store_find(&world->posts[1].store, key_view(&key), &at, &row));
	uint8_t *cose = malloc(row.value.size);
	memcpy(cose, row.value.data, row.value.size);
	struct row_key to_key = key_entry(TABLE_COSE, to);
	store_put(&world->posts[1].store, key_view(&to_key), bytes_make(cose, row.value.size));
	to_key = key_entry(TABLE_ENTRY, to);
	world_put_row(world, 1, &to_key, &schema_entry, &entry);
	free(cose);
	size_t taken = world->posts[0].taken;
	put_returned(world, 1, to);
	assert_true(world->posts[0].taken > taken);
	made_up = *to;
	if (memcmp(from, to, sizeof(*from)) != 0)
		store_filter(&world->posts[1].store, is_not_made_up);
}

static void what_is_given_back_without_having_been_lost_is_dropped(void **state)
{
	struct world *world = world_open_line(323);
	uint8_t ours[IDENTITY_SIZE];
	uint8_t theirs[IDENTITY_SIZE];

	talk(world, 0, "ours", ours);
	talk(world, 1, "theirs", theirs);
	struct entry_key from = talk_place(world, 1, ours);
	struct entry_key to = from;
	uint64_t size = talk_size(world, 0, 0, 1);
	give_back(world, &from, &to); /* as it is */
	to.position = size;           /* the next position of the log that is written */
	give_back(world, &from, &to);
	to.incarnation = 2; /* one that may be opened some day */
	give_back(world, &from, &to);
	to = from;
	to.log = world_log_of(world, 1); /* another's log */
	to.position = 50;
	give_back(world, &from, &to);
	assert_int_equal(talk_size(world, 0, 0, 1), size);
	assert_int_equal(talk_size(world, 0, 0, 2), 0);
	assert_int_equal(world_count(world, 0, TABLE_AHEAD), 0);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	talk(world, 0, "on", NULL);
	assert_int_equal(talk_size(world, 0, 0, 1), size + 1);
	world_free(world);
}

static void what_is_given_back_must_be_signed_by_the_own_side(void **state)
{
	struct world *world = world_open_line(324);
	struct image image;
	uint8_t theirs[IDENTITY_SIZE];
	uint8_t ours[IDENTITY_SIZE];

	talk(world, 1, "theirs", theirs);
	image_back_up(world, 0, &image);
	talk(world, 0, "ours", ours);
	uint64_t size = talk_size(world, 0, 0, 1);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(2), 1000);
	assert_int_equal(talk_size(world, 0, 0, 1), size);
	struct entry_key from = talk_place(world, 1, theirs);
	struct entry_key to = {
		.channel = 1, .log = world_log_of(world, 0), .incarnation = 1, .position = size};
	give_back(world, &from, &to); /* the counterpart's own words as ours */
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_SIGNATURE);
	assert_int_equal(talk_size(world, 0, 0, 1), size);
	/* Our words once more, behind the end: they were not filed twice. */
	from = talk_place(world, 1, ours);
	give_back(world, &from, &to);
	assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_FORK);
	assert_int_equal(talk_size(world, 0, 0, 1), size);
	to.position = LOG_AHEAD_MAX + size + 2;
	give_back(world, &from, &to);
	assert_int_equal(world->posts[0].last_log, ERROR_OUT_OF_RANGE);
	image_free(&image);
	world_free(world);
}

static void an_order_that_is_not_that_of_the_signed_head_is_shown(void **state)
{
	struct world *world = world_open_line(325);
	struct image image;
	uint8_t ours[2][IDENTITY_SIZE];

	image_back_up(world, 0, &image);
	talk(world, 0, "first", ours[0]);
	talk(world, 0, "second", ours[1]);
	struct entry_key places[2] = {talk_place(world, 1, ours[0]), talk_place(world, 1, ours[1])};
	struct row_key keys[2][2];
	struct entry entries[2];
	world->cut = true;
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	/* The counterpart changes the two in its own store, and gives them back so. */
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 2; j++)
			keys[i][j] = key_entry(j == 0 ? TABLE_ENTRY : TABLE_COSE, &places[i]);
	uint8_t *cose[2];
	size_t sizes[2];
	for (size_t i = 0; i < 2; i++) {
		struct row row;
		size_t at = 0;
		assert_true(world_row(world, 1, &keys[i][0], &schema_entry, &entries[i]));
		assert_true(store_find(&world->posts[1].store, key_view(&keys[i][1]), &at, &row));
		cose[i] = malloc(row.value.size);
		sizes[i] = row.value.size;
		memcpy(cose[i], row.value.data, row.value.size);
	}
	for (size_t i = 0; i < 2; i++)
		store_put(&world->posts[1].store, key_view(&keys[i][1]),
			  bytes_make(cose[1 - i], sizes[1 - i]));
	world->cut = false;
	world_run(world, MINUTES(5), 1000);
	assert_int_equal(talk_place(world, 0, ours[0]).position, places[1].position);
	assert_int_equal(talk_line(world, 0, 0).disagrees, 1);
	assert_int_equal(talk_line(world, 0, 0).forked, 0);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	for (size_t i = 0; i < 2; i++)
		free(cose[i]);
	image_free(&image);
	world_free(world);
}

/* Post 1 acknowledges what never was: its own core is told that it holds it, at the place of `like`. */
static void acknowledge_invented(struct world *world, const struct entry_key *like)
{
	const uint8_t invented[IDENTITY_SIZE] = {9};
	struct row_key key = key_identity(invented);

	world_put_row(world, 1, &key, &schema_entry_key, like);
	assert_int_equal(world_acknowledge(world, 1, invented), ERROR_OK);
}

/* What post 0 says of the newest entry of post 1's log (of one incarnation) that it has filed. */
static enum error last_reason(struct world *world, uint64_t incarnation)
{
	struct entry_key last = {.channel = 1,
				 .log = world_log_of(world, 1),
				 .incarnation = incarnation,
				 .position = talk_size(world, 0, 1, incarnation) - 1};
	struct row_key key = key_entry(TABLE_ENTRY, &last);
	struct entry entry;

	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	return (enum error)entry.reason;
}

/* Post 1 acknowledges what never was, and post 0, which may have lost it, takes that. */
static void expect_taken(struct world *world, const struct entry_key *like, uint64_t incarnation)
{
	uint64_t before = talk_size(world, 0, 1, incarnation);

	acknowledge_invented(world, like);
	world_run(world, MINUTES(1), 500);
	assert_int_equal(talk_size(world, 0, 1, incarnation), before + 1);
	assert_int_equal(last_reason(world, incarnation), ERROR_OK);
}

/*
 * A snapshot is put in the place of one post, a backup in that of the other: what the first asks is sealed to
 * epochs that the second has lost, and is heard when it has asked its last.
 */
static void what_was_asked_and_could_not_be_opened_is_asked_again(void **state)
{
	struct world *world = world_open_line(327);
	struct image ours_before;
	struct image theirs;
	uint8_t ours[3][IDENTITY_SIZE];

	talk(world, 1, "so that its epochs are in use", NULL);
	image_take(world, 0, &ours_before);
	for (size_t i = 0; i < 3; i++)
		talk(world, 0, "sent, then lost", ours[i]);
	uint64_t size = talk_size(world, 0, 0, 1);
	image_back_up(world, 1, &theirs);
	world->hold = true;
	world->posts[0].heads_count = 0; /* its courier is lost, too */
	image_restore(world, 0, &ours_before, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(400), 10000);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	image_restore(world, 1, &theirs, IMAGE_ANCHOR_GONE);
	world->hold = false;
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(talk_size(world, 0, 0, 1), size);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(talk_place(world, 0, ours[i]).incarnation, 1);
	/* More may come: whatever names it is taken. */
	struct entry_key like = talk_place(world, 1, ours[0]);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 1);
	expect_taken(world, &like, 2);
	world_run(world, MINUTES(180), 10000);
	assert_true(world_agrees(world));
	talk_accuses_nobody(world);
	image_free(&ours_before);
	image_free(&theirs);
	world_free(world);
}

/* Post 1 says of what post 0 sealed to it last that it cannot open it, again and again. */
static void say_cannot_open(struct world *world)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[1].slot);
	struct row_key sent = key_party_post(TABLE_SENT, 1, world->posts[1].slot);
	struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));
	struct prekeys_row prekeys;
	struct row row;
	size_t at = 0;

	assert_non_null(cannot_open);
	assert_true(world_row(world, 0, &key, &schema_prekeys_row, &prekeys));
	prekeys.cannot_open = false;
	world_put_row(world, 0, &key, &schema_prekeys_row, &prekeys);
	assert_true(store_find(&world->posts[0].store, key_view(&sent), &at, &row));
	cannot_open->hashes_count = 1;
	memcpy(cannot_open->hashes[0], row.value.data, sizeof(cannot_open->hashes[0]));
	assert_int_equal(forge_cannot_open(world, 1, 0, cannot_open), ERROR_OK);
	free(cannot_open);
}

/* Post 0 was restored, and asks no more for what it may have lost. */
static void restore_and_end_asking(struct world *world)
{
	struct image image;

	image_take(world, 0, &image);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(400), 10000);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	image_free(&image);
}

/* Whatever a counterpart makes doubtful, each second: the own log is asked for as often as for a gap. */
static void who_can_open_nothing_is_not_asked_each_time_that_it_says_so(void **state)
{
	struct world *world = world_open_line(328);

	restore_and_end_asking(world);
	size_t before = world->posts[0].sends;
	for (size_t i = 0; i < 300; i++) {
		say_cannot_open(world);
		world_run(world, 1000, 500);
	}
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 1);
	assert_in_range(world->posts[0].sends - before, 300 / 15, 300 / 15 + 10);
	world_free(world);
}

/*
 * To a post that has all, its counterpart says that it cannot open, and then acknowledges a message that
 * never was: that is not taken for one that was lost, but waits, and is refused when nothing comes of asking.
 */
static void nobody_makes_what_never_was_pass_for_something_lost(void **state)
{
	struct world *world = world_open_line(329);
	uint8_t ours[IDENTITY_SIZE];

	restore_and_end_asking(world);
	talk(world, 0, "the only one there is", ours);
	struct entry_key like = talk_place(world, 1, ours);
	say_cannot_open(world);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 1);
	uint64_t before = talk_size(world, 0, 1, 1);
	acknowledge_invented(world, &like);
	world_run(world, MINUTES(1), 500);
	say_cannot_open(world); /* that it is doubted again is no more certain */
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(talk_size(world, 0, 1, 1), before);
	world_run(world, MINUTES(400), 10000);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	assert_true(talk_size(world, 0, 1, 1) > before);
	assert_int_equal(last_reason(world, 1), ERROR_REFUSED_REFERENCE);
	world_free(world);
}

/* Nor does it by giving back words that were said later: where they stand is the giver's word. */
static void words_given_back_where_they_never_were_make_no_doubt_certain(void **state)
{
	for (uint64_t beyond = 0; beyond < 2; beyond++) {
		struct world *world = world_open_line(333 + beyond);
		uint8_t ours[IDENTITY_SIZE];

		restore_and_end_asking(world);
		talk(world, 0, "the only one there is, in the second incarnation", ours);
		struct entry_key like = talk_place(world, 1, ours);
		uint64_t size = talk_size(world, 0, 0, 1);
		say_cannot_open(world);
		assert_int_equal(forge_returned(world, 1, 0, ours, 1, size + beyond), ERROR_OK);
		assert_int_equal(talk_size(world, 0, 0, 1) + world_count(world, 0, TABLE_AHEAD), size + 1);
		world_run(world, 20000, 500);
		uint64_t before = talk_size(world, 0, 1, 1);
		acknowledge_invented(world, &like);
		world_run(world, MINUTES(1), 500);
		assert_int_equal(talk_size(world, 0, 1, 1), before);
		world_free(world);
	}
}

/* Where the store is known to have been set back, a word that names what it does not hold is taken. */
static void what_may_have_been_lost_is_still_named_when_the_counterpart_cannot_open(void **state)
{
	struct world *world = world_open_line(330);
	struct image image;
	uint8_t ours[IDENTITY_SIZE];

	talk(world, 0, "the only one there is", ours);
	struct entry_key like = talk_place(world, 1, ours);
	image_take(world, 0, &image);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(1), 500);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 2);
	say_cannot_open(world);
	expect_taken(world, &like, 1);
	image_free(&image);
	world_free(world);
}

/* As after a new keying: what was asked under the old one may not have been heard. */
static void what_may_have_been_lost_can_be_named_after_a_new_keying(void **state)
{
	struct world *world = world_open_line(332);
	uint8_t ours[IDENTITY_SIZE];

	restore_and_end_asking(world);
	talk(world, 0, "the only one there is", ours);
	struct entry_key like = talk_place(world, 1, ours);
	world_new_keying(world, 2, 0, 1);
	world_run(world, MINUTES(2), 500);
	assert_true(world_count(world, 0, TABLE_MISSING) > 0);
	say_cannot_open(world);
	expect_taken(world, &like, 1);
	world_free(world);
}

/* A head of the own log that another post gave tells of more than is held: nothing is doubted any more. */
static void what_the_own_head_tells_of_has_been_lost(void **state)
{
	struct world *world = world_open_line(331);
	struct entry_key former = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct row_key key = key_log(TABLE_LOG, former.channel, former.log, former.incarnation);
	uint8_t ours[IDENTITY_SIZE];
	struct log log;

	restore_and_end_asking(world);
	talk(world, 0, "the only one there is", ours);
	struct entry_key like = talk_place(world, 1, ours);
	say_cannot_open(world);
	assert_true(world_row(world, 0, &key, &schema_log, &log));
	log.told = log.size + 1;
	world_put_row(world, 0, &key, &schema_log, &log);
	expect_taken(world, &like, 1);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_asks_for_ever_is_given_so_much_an_hour),
		cmocka_unit_test(entries_under_way_are_not_doubled_by_asking),
		cmocka_unit_test(only_the_two_logs_concerned_can_be_asked_for),
		cmocka_unit_test(what_is_given_back_without_having_been_lost_is_dropped),
		cmocka_unit_test(what_is_given_back_must_be_signed_by_the_own_side),
		cmocka_unit_test(an_order_that_is_not_that_of_the_signed_head_is_shown),
		cmocka_unit_test(what_was_asked_and_could_not_be_opened_is_asked_again),
		cmocka_unit_test(who_can_open_nothing_is_not_asked_each_time_that_it_says_so),
		cmocka_unit_test(nobody_makes_what_never_was_pass_for_something_lost),
		cmocka_unit_test(words_given_back_where_they_never_were_make_no_doubt_certain),
		cmocka_unit_test(what_may_have_been_lost_is_still_named_when_the_counterpart_cannot_open),
		cmocka_unit_test(what_may_have_been_lost_can_be_named_after_a_new_keying),
		cmocka_unit_test(what_the_own_head_tells_of_has_been_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
