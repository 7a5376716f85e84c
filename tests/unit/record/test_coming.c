/*
 * What a restored post has lost of a log comes back: past what nobody has any more, and over a route that
 * is slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "record/missing.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/image.h"
#include "tests/unit/record/talk.h"

#define MINUTES(count) ((count)*UINT64_C(60000))
#define LOST_MAX       600

/* What post 0 lost of a log: so many entries of incarnation 1, from this one on. */
struct loss {
	struct image before;
	struct entry_key first;
	uint64_t count;
};

/* The log is that of post `author`, 0 or the other. */
static struct world *say_then_lose(uint64_t seed, size_t author, uint64_t count, struct loss *loss)
{
	struct world *world = world_open_line(seed);
	uint8_t identity[IDENTITY_SIZE];

	assert_true(count <= LOST_MAX);
	world_run(world, MINUTES(70), 60000); /* so that there is an hour before */
	world_settle(world);
	image_take(world, 0, &loss->before);
	loss->count = count;
	for (uint64_t i = 0; i < count; i++) {
		talk_begin(world, author, "said, then lost", identity);
		if (i % 8 == 7)
			world_settle(world);
		if (i == 0)
			loss->first = talk_place(world, author, identity);
	}
	world_settle(world);
	assert_int_equal(talk_size(world, 1, author, 1), loss->first.position + count);
	return world;
}

static void end(struct world *world, struct loss *loss)
{
	talk_accuses_nobody(world);
	image_free(&loss->before);
	world_free(world);
}

/* How post 0 asks for what it lost. */
static struct row_key asking_key(struct world *world, const struct loss *loss, uint64_t *ask_ms)
{
	struct row_key log_key =
		key_log(TABLE_LOG, loss->first.channel, loss->first.log, loss->first.incarnation);
	struct row_key key = key_make(TABLE_MISSING);
	struct log log;

	assert_true(world_row(world, 0, &log_key, &schema_log, &log));
	*ask_ms = log.ask_ms;
	key_u64(&key, log.ask_ms);
	key_u16(&key, loss->first.channel);
	key_u16(&key, loss->first.log);
	key_u16(&key, loss->first.incarnation);
	return key;
}

static struct missing asking_at(struct world *world, const struct loss *loss)
{
	uint64_t ask_ms;
	struct row_key key = asking_key(world, loss, &ask_ms);
	struct missing missing;

	assert_true(world_row(world, 0, &key, &schema_missing, &missing));
	return missing;
}

static struct entry_key gone[2]; /* what post 1 has no more, either */

static bool is_not_gone(struct bytes key)
{
	for (size_t i = 0; i < 2; i++) {
		struct row_key entry = key_entry(TABLE_ENTRY, &gone[i]);
		struct row_key cose = key_entry(TABLE_COSE, &gone[i]);
		if (bytes_equal(key, key_view(&entry)) || bytes_equal(key, key_view(&cose)))
			return false;
	}
	return true;
}

/* Post 0 is restored; of what it lost post 1 has the first no more, nor what stands so far behind it. */
static void lose_two(struct world *world, const struct loss *loss, uint64_t behind)
{
	gone[0] = loss->first;
	gone[1] = loss->first;
	gone[1].position += behind;
	store_filter(&world->posts[1].store, is_not_gone);
	image_restore(world, 0, &loss->before, IMAGE_ANCHOR_GONE);
}

/* All but two, the first and a late one, between which more is held than one statement looks at. */
static void what_nobody_has_keeps_back_nothing_behind_it(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(340, 0, LOST_MAX, &loss);

	lose_two(world, &loss, 500);
	world_run(world, MINUTES(20), 1000);
	assert_int_equal(world_count(world, 0, TABLE_AHEAD), LOST_MAX - 2);
	assert_int_equal(talk_size(world, 0, 0, 1), loss.first.position);
	/* No more is asked than it takes: 600 entries by 128. */
	assert_true(world->posts[1].sends < 3 * LOST_MAX);
	end(world, &loss);
}

/* The second of two gaps is told of, as far behind the first as one look at the log goes. */
static void gaps_far_behind_the_first_are_told(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(341, 0, 160, &loss);

	lose_two(world, &loss, 150);
	world_run(world, MINUTES(10), 1000);
	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.gaps_count, 2);
	assert_int_equal(status.gap[0], loss.first.log);
	assert_int_equal(status.gap[1], 1);
	assert_int_equal(status.gap[2], gone[1].position);
	assert_int_equal(status.gap[3], 1);
	end(world, &loss);
}

/* What post 1 says anew arrives behind a gap, and is nothing of what was asked for: waiting grows. */
static void what_is_new_is_not_taken_for_what_was_asked_for(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(345, 1, 3, &loss);

	lose_two(world, &loss, 0);
	world_run(world, MINUTES(1), 1000);
	for (size_t i = 0; i < 60; i++) {
		talk(world, 1, "new", NULL);
		world_run(world, 10000, 1000);
	}
	assert_true(asking_at(world, &loss).asks >= 3);
	end(world, &loss);
}

/* Nor where nothing was lost: an author that speaks on is not asked for ever for what may have been. */
static void asking_ends_while_the_author_speaks_on(void **state)
{
	struct world *world = world_open_line(347);
	struct loss none = {.first = {.channel = 1, .log = world_log_of(world, 1), .incarnation = 1}};

	world_settle(world);
	image_take(world, 0, &none.before);
	image_restore(world, 0, &none.before, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(1), 1000);
	assert_in_range(asking_at(world, &none).asks, 1, 3);
	for (size_t i = 0; i < 300; i++) {
		talk(world, 1, "new", NULL);
		world_run(world, 20000, 1000);
	}
	assert_int_equal(asking_at(world, &none).asks, MISSING_OPEN_ASKS);
	end(world, &none);
}

/* As much as one statement is given has come, so there may be more: it is asked for without waiting. */
static void all_that_was_lost_comes_in_one_go(void **state)
{
	for (size_t author = 0; author < 2; author++) {
		struct loss loss;
		struct world *world = say_then_lose(348 + author, author, LOST_MAX, &loss);

		image_restore(world, 0, &loss.before, IMAGE_ANCHOR_GONE);
		/* The first ask, or a second where nobody could open it; the others follow at once. */
		world_run(world, 2 * MISSING_AGAIN_MIN_MS, 500);
		assert_int_equal(talk_size(world, 0, author, 1), loss.first.position + loss.count);
		end(world, &loss);
	}
}

static void deliver(struct world *world, size_t to, struct world_packet *packet)
{
	world_deliver(world, to, 1 - to, bytes_make(packet->bytes, packet->size));
	free(packet->bytes);
	world_run(world, 50, 10);
}

/* Copies overtake each other: what fills a gap by itself hastens no question. */
static void what_is_under_way_is_not_asked_for_because_some_of_it_comes(void **state)
{
	struct world *world = world_open_line(346);
	struct loss gap;
	struct world_packet packets[4];
	uint8_t identity[IDENTITY_SIZE];

	world_settle(world);
	world->hold = true;
	for (size_t i = 0; i < 4; i++) {
		talk_begin(world, 1, "under way", identity);
		if (i == 0)
			gap.first = talk_place(world, 1, identity);
		assert_true(world_intercept(world, 1, &packets[i]));
	}
	deliver(world, 0, &packets[3]);
	assert_int_equal(world_count(world, 0, TABLE_AHEAD), 1);
	world_run(world, 30000, 1000);
	deliver(world, 0, &packets[1]);
	world_run(world, 30000, 1000);
	assert_int_equal(asking_at(world, &gap).asked_ms, 0);
	deliver(world, 0, &packets[0]);
	deliver(world, 0, &packets[2]);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	world_free(world);
}

/* All that post 0 has to say goes over now, and what post 1 answers stays on the line. */
static void carry_questions(struct world *world)
{
	struct world_packet packet;

	while (world_intercept(world, 0, &packet)) {
		deliver(world, 1, &packet);
	}
}

/* Post 1 has been asked, and its answers are on the line; gives when. */
static uint64_t restore_and_ask(struct world *world, const struct loss *loss)
{
	world->hold = true;
	image_restore(world, 0, &loss->before, IMAGE_ANCHOR_GONE);
	world_run(world, 3000, 1000);
	carry_questions(world);
	world_run(world, 1000, 1000);
	uint64_t asked_ms = asking_at(world, loss).asked_ms;
	assert_true(asked_ms != 0);
	return asked_ms;
}

/* One packet of post 1 arrives each four seconds. */
static void trickle(struct world *world, size_t count)
{
	struct world_packet packet;

	for (size_t i = 0; i < count; i++) {
		assert_true(world_intercept(world, 1, &packet));
		deliver(world, 0, &packet);
		world_run(world, 4000, 1000);
	}
}

/* Over a radio everything takes its time: what is on its way is not asked for again, until nothing comes. */
static void what_comes_slowly_is_asked_for_once(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(342, 0, 60, &loss);

	uint64_t asked_ms = restore_and_ask(world, &loss);
	trickle(world, 45);
	uint64_t held = talk_size(world, 0, 0, 1) - loss.first.position + world_count(world, 0, TABLE_AHEAD);
	assert_in_range(held, 30, 45);
	assert_int_equal(asking_at(world, &loss).asked_ms, asked_ms);
	world_run(world, 46000, 1000);
	assert_true(asking_at(world, &loss).asked_ms > asked_ms);
	world->hold = false;
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(talk_size(world, 0, 0, 1), loss.first.position + loss.count);
	end(world, &loss);
}

/* But whoever lets it trickle keeps this post neither from asking others, nor from asking for the rest. */
static void what_trickles_for_an_hour_is_asked_for_again(void **state)
{
	/* As if it had been asked an hour ago; and as if the last statement had had no place for all. */
	for (size_t part = 0; part < 2; part++) {
		struct loss loss;
		struct world *world = say_then_lose(343, 0, 60, &loss);
		uint64_t ask_ms;

		restore_and_ask(world, &loss);
		trickle(world, 10);
		struct missing missing = asking_at(world, &loss);
		struct row_key key = asking_key(world, &loss, &ask_ms);
		if (part == 0)
			missing.asked_ms = ask_ms - MISSING_COMING_MAX_MS - 1000;
		else
			missing.from = loss.first.position + 1;
		world_put_row(world, 0, &key, &schema_missing, &missing);
		trickle(world, 6);
		assert_true(asking_at(world, &loss).asked_ms >= ask_ms);
		world->hold = false;
		world_run(world, MINUTES(10), 1000);
		end(world, &loss);
	}
}

/* Asked twice before its courier takes anything, a post gives each entry back once; later, again. */
static void what_waits_for_the_courier_is_not_given_back_twice(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(344, 0, 20, &loss);
	struct missing_statement missing = {
		.by = world_log_of(world, 0),
		.log = world_log_of(world, 0),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = POSITION_MAX + 1}},
	};

	world->posts[1].mute = true;
	size_t before = world_count(world, 1, TABLE_STATEMENT);
	assert_int_equal(forge_missing(world, 0, 1, &missing), ERROR_OK);
	size_t given = world_count(world, 1, TABLE_RETURNING);
	assert_true(given >= loss.count);
	assert_in_range(world_count(world, 1, TABLE_STATEMENT), before + given, before + given + 2);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(forge_missing(world, 0, 1, &missing), ERROR_OK);
	assert_int_equal(world_count(world, 1, TABLE_RETURNING), given);
	assert_in_range(world_count(world, 1, TABLE_STATEMENT), before + given, before + given + 7);
	world->posts[1].mute = false;
	world_settle(world);
	assert_int_equal(world_count(world, 1, TABLE_RETURNING), 0);
	world->posts[1].mute = true;
	assert_int_equal(forge_missing(world, 0, 1, &missing), ERROR_OK);
	assert_int_equal(world_count(world, 1, TABLE_RETURNING), given);
	world->posts[1].mute = false;
	world_settle(world);
	assert_int_equal(world_count(world, 1, TABLE_RETURNING), 0);
	end(world, &loss);
}

/*
 * Of incarnation 1 the restored post 0 knows that there was one entry more, which nobody has: its copy is
 * still on its way.
 */
static struct world *lose_what_is_late(uint64_t seed, struct loss *loss, struct world_packet *late)
{
	struct world *world = world_open_line(seed);
	uint8_t identity[IDENTITY_SIZE];

	world_run(world, MINUTES(70), 60000);
	world_settle(world);
	image_take(world, 0, &loss->before);
	world->hold = true;
	talk_begin(world, 0, "late", identity);
	loss->first = talk_place(world, 0, identity);
	assert_true(world_intercept(world, 0, late));
	world->hold = false;
	image_restore(world, 0, &loss->before, IMAGE_ANCHOR_KEPT);
	world_run(world, MINUTES(600), 10000);
	assert_int_equal(talk_size(world, 0, 0, 1), loss->first.position);
	assert_true(asking_at(world, loss).asks >= MISSING_OPEN_ASKS);
	return world;
}

/* It asks each six hours only; but the other post's receipt tells that it has come there. */
static void what_comes_to_the_other_post_late_is_asked_for_soon(void **state)
{
	struct world_packet late;
	struct loss loss;
	struct world *world = lose_what_is_late(352, &loss, &late);

	deliver(world, 1, &late);
	world_run(world, MINUTES(6), 1000);
	assert_int_equal(talk_size(world, 0, 0, 1), loss.first.position + 1);
	assert_true(world_agrees(world));
	end(world, &loss);
}

/* Nobody makes it ask all the time by receipts for what is nowhere, in whatever order they name it. */
static void receipts_for_what_is_nowhere_make_it_ask_each_five_minutes(void **state)
{
	struct world_packet late;
	struct loss loss;
	struct world *world = lose_what_is_late(353, &loss, &late);
	uint8_t identity[IDENTITY_SIZE] = {0};

	free(late.bytes);
	uint64_t asked_ms = asking_at(world, &loss).asked_ms;
	size_t asked = 0;
	for (size_t i = 0; i < 1800; i++) {
		struct entry_key key = loss.first;
		key.position += i % 3;
		assert_int_equal(forge_receipt(world, 1, 0, &key, identity, ERROR_OK), ERROR_OK);
		world_run(world, 1000, 500);
		asked += asking_at(world, &loss).asked_ms != asked_ms;
		asked_ms = asking_at(world, &loss).asked_ms;
	}
	assert_in_range(asked, 5, 7); /* in half an hour */
	end(world, &loss);
}

/* Nor for ever for what no head tells of: as long as it asks so, it believes that something is lost. */
static void receipts_for_what_is_nowhere_prolong_no_doubt(void **state)
{
	struct loss loss;
	struct world *world = say_then_lose(354, 0, 1, &loss);
	uint8_t identity[IDENTITY_SIZE] = {0};

	image_free(&loss.before);
	image_take(world, 0, &loss.before);
	image_restore(world, 0, &loss.before, IMAGE_ANCHOR_GONE);
	assert_true(world_count(world, 0, TABLE_MISSING) > 0);
	for (size_t i = 0; i < 400; i++) {
		struct entry_key key = loss.first;
		key.position += 1 + i % 3;
		assert_int_equal(forge_receipt(world, 1, 0, &key, identity, ERROR_OK), ERROR_OK);
		world_run(world, MINUTES(1), 1000);
	}
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	end(world, &loss);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_has_keeps_back_nothing_behind_it),
		cmocka_unit_test(gaps_far_behind_the_first_are_told),
		cmocka_unit_test(what_is_new_is_not_taken_for_what_was_asked_for),
		cmocka_unit_test(asking_ends_while_the_author_speaks_on),
		cmocka_unit_test(all_that_was_lost_comes_in_one_go),
		cmocka_unit_test(what_is_under_way_is_not_asked_for_because_some_of_it_comes),
		cmocka_unit_test(what_comes_slowly_is_asked_for_once),
		cmocka_unit_test(what_trickles_for_an_hour_is_asked_for_again),
		cmocka_unit_test(what_waits_for_the_courier_is_not_given_back_twice),
		cmocka_unit_test(what_comes_to_the_other_post_late_is_asked_for_soon),
		cmocka_unit_test(receipts_for_what_is_nowhere_make_it_ask_each_five_minutes),
		cmocka_unit_test(receipts_for_what_is_nowhere_prolong_no_doubt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
