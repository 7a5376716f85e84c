/*
 * What is asked for, what is given to those who ask and what comes back, by the rows that stand there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/statement.h"
#include "record/clock.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/workspace.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/spoilt.h"
#include "tests/unit/record/talk.h"

#define AHEAD_MAX    256  /* entries beyond a gap that are looked at for one statement */
#define NEXT_LOOK_MS 1000 /* after so many without a gap between them */
#define POSTS_MAX    512  /* posts of a channel that are asked */
#define ASKED_POSTS  8    /* posts that are asked at once for entries of the own log */

/* ---- rows of post 0 ---- */

static struct log log_at(const struct world *world, const struct entry_key *log)
{
	struct row_key key = key_log(TABLE_LOG, log->channel, log->log, log->incarnation);
	struct log row;

	assert_true(world_row(world, 0, &key, &schema_log, &row));
	return row;
}

/* The frontier is of the store that it is put into. */
static void put_log(struct world *world, const struct entry_key *log, struct log row)
{
	struct row_key key = key_log(TABLE_LOG, log->channel, log->log, log->incarnation);
	uint8_t frontier[MERKLE_FRONTIER_SIZE_MAX];

	memcpy(frontier, row.frontier.data, row.frontier.size);
	row.frontier.data = frontier;
	world_put_row(world, 0, &key, &schema_log, &row);
}

static struct row_key key_asked(uint64_t ask_ms, const struct entry_key *log)
{
	struct row_key key = key_make(TABLE_MISSING);

	key_u64(&key, ask_ms);
	key_u16(&key, log->channel);
	key_u16(&key, log->log);
	key_u16(&key, log->incarnation);
	return key;
}

/* It is asked for at that time. */
static void put_asked(struct world *world, const struct entry_key *log, uint64_t ask_ms,
		      const struct missing *missing)
{
	struct log row = log_at(world, log);
	struct row_key key = key_asked(row.ask_ms, log);

	if (row.ask_ms != 0)
		store_delete(&world->posts[0].store, key_view(&key));
	row.ask_ms = ask_ms;
	put_log(world, log, row);
	key = key_asked(ask_ms, log);
	world_put_row(world, 0, &key, &schema_missing, missing);
}

static struct missing asked_at(const struct world *world, const struct entry_key *log)
{
	struct row_key key = key_asked(log_at(world, log).ask_ms, log);
	struct missing missing;

	assert_true(world_row(world, 0, &key, &schema_missing, &missing));
	return missing;
}

static void put_ahead(struct world *world, const struct entry_key *log, uint64_t position)
{
	static const uint8_t leaf[MERKLE_HASH_SIZE];
	struct entry_key place = *log;

	place.position = position;
	struct row_key key = key_entry(TABLE_AHEAD, &place);
	store_put(&world->posts[0].store, key_view(&key), bytes_make(leaf, sizeof(leaf)));
}

static struct entry_key log_of(const struct world *world, size_t of)
{
	return (struct entry_key){.channel = 1, .log = world_log_of(world, of), .incarnation = 1};
}

/* So many more posts of the other party (or the own) stand on the channel. */
static void put_posts(struct world *world, size_t of, uint64_t count)
{
	struct line line = talk_line(world, 0, of);

	line.name = bytes_of_text("Post");
	for (uint64_t i = 0; i < count; i++) {
		struct row_key key = key_line(1, world_log_of(world, of) + 1 + i);
		world_put_row(world, 0, &key, &schema_line, &line);
	}
}

static struct world *open_line(uint64_t seed)
{
	struct world *world = world_open_line(seed);

	talk(world, 0, "ours", NULL);
	talk(world, 1, "theirs", NULL);
	world->posts[0].mute = true;
	return world;
}

/* ---- what comes of what was asked for ---- */

struct coming {
	struct log_item item;
	struct entry_key place;
};

static enum error come(struct run *run, void *context)
{
	const struct coming *coming = context;
	struct log row;

	enum error error = log_row(run, 1, coming->place.log, 1, &row);
	if (error == ERROR_OK)
		error = missing_came(run, &coming->place, &coming->item, &row);
	return error == ERROR_OK ? log_write_row(run, &coming->place, &row) : error;
}

static void what_comes_says_how_it_stands_with_what_was_asked_for(void **state)
{
	enum { AFAR = 1000000, SOON = MISSING_AGAIN_MIN_MS, NOW = 0 };
	static const struct {
		bool known, again; /* of the entry */
		struct missing before, after;
		uint64_t wait_ms;
	} cases[] = {
		{true, false, {.came = true, .doubted = true}, {.came = true}, AFAR},
		{true, true, {.came = true, .doubted = true}, {.came = true, .doubted = true}, AFAR},
		{true, true, {.doubted = true}, {.came = true, .doubted = true}, AFAR},
		{false, false, {.asked_ms = 1}, {.asked_ms = 1, .given = 1}, AFAR},
		{false, false, {.doubted = true}, {.doubted = true}, AFAR},
		{true, false, {.asked_ms = 1}, {.asked_ms = 1, .given = 1, .came = true}, SOON},
		{true, false, {.asked_ms = 1, .came = true}, {.asked_ms = 1, .given = 1, .came = true}, AFAR},
		{true,
		 false,
		 {.asked_ms = 1, .came = true, .doubted = true},
		 {.asked_ms = 1, .given = 1, .came = true},
		 SOON},
		{true,
		 false,
		 {.asked_ms = 1, .came = true, .given = MISSING_ANSWER_MAX - 1},
		 {.asked_ms = 1, .came = true, .given = MISSING_ANSWER_MAX},
		 NOW},
	};
	struct world *world = open_line(480);
	struct hand hand = hand_make(world, 0);
	struct entry_key log = log_of(world, 1);
	struct log row = log_at(world, &log);
	uint64_t now_ms = run_slow_ms(&world->posts[0].record->run);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct coming coming = {.item = {.again = cases[i].again}, .place = log};
		row = log_at(world, &log);
		row.end = row.size + 4;
		row.told = row.end;
		put_log(world, &log, row);
		put_asked(world, &log, now_ms + AFAR, &cases[i].before);
		coming.place.position = cases[i].known ? row.end - 1 : row.end;
		assert_int_equal(hand_run(&hand, come, &coming), ERROR_OK);
		struct missing after = asked_at(world, &log);
		assert_int_equal(after.asked_ms, cases[i].after.asked_ms);
		assert_int_equal(after.given, cases[i].after.given);
		assert_int_equal(after.came, cases[i].after.came);
		assert_int_equal(after.doubted, cases[i].after.doubted);
		assert_int_equal(log_at(world, &log).ask_ms, now_ms + cases[i].wait_ms);
	}
	world_free(world);
}

/* ---- whom it is asked of ---- */

static enum error open_channel(struct run *run, void *context)
{
	(void)context;
	return missing_open_channel(run, 1);
}

static enum error open_party(struct run *run, void *context)
{
	(void)context;
	return missing_open_party(run, 1);
}

static enum error open_own(struct run *run, void *context)
{
	(void)context;
	return missing_open_own(run, 1, true);
}

static enum error own_loss(struct run *run, void *context)
{
	enum own_loss *loss = context;
	struct channel channel;

	enum error error = registry_channel(run, 1, &channel);
	return error == ERROR_OK ? missing_own(run, &channel, 1, loss) : error;
}

static enum error tick(struct run *run, void *context)
{
	(void)context;
	return missing_tick(run);
}

static void the_posts_of_a_party_are_asked_or_all_of_a_channel(void **state)
{
	struct world *world = open_line(481);
	struct hand hand = hand_make(world, 0);
	struct entry_key theirs = log_of(world, 1);
	const struct spoiling spoilings[] = {
		{open_channel, key_channel(TABLE_CHANNEL, 1), SPOILT_ROW_GONE},
		{open_channel, key_log(TABLE_LOG, 1, theirs.log, 1), SPOILT_ROW_OTHER},
		{open_channel, key_line(1, theirs.log), SPOILT_ROW_OTHER},
		{open_party, key_line(1, theirs.log), SPOILT_ROW_LONGER},
		{open_party, key_channel(TABLE_CHANNEL, 1), SPOILT_ROW_OTHER},
		{open_own, key_line(1, world_log_of(world, 0)), SPOILT_ROW_OTHER},
		{own_loss, key_log(TABLE_LOG, 1, world_log_of(world, 0), 1), SPOILT_ROW_LONGER},
		{own_loss, key_log(TABLE_LOG, 1, world_log_of(world, 0), 1), SPOILT_ROW_OTHER},
	};
	enum own_loss loss;

	put_posts(world, 0, 1); /* a sibling of this post */
	expect_malformed(&hand, &loss, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
	assert_int_equal(hand_run(&hand, open_party, NULL), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 1);
	assert_true(asked_at(world, &theirs).open);
	assert_int_equal(hand_run(&hand, open_channel, NULL), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 2);
	world_free(world);
}

/* More than any channel has: as many as one event takes. */
static void so_many_posts_of_a_channel_are_asked(void **state)
{
	struct world *world = open_line(482);
	struct hand hand = hand_make(world, 0);
	size_t of = world_log_of(world, 1) > world_log_of(world, 0) ? 1 : 0;

	put_posts(world, of, POSTS_MAX + 1);
	assert_int_equal(hand_run(&hand, open_channel, NULL), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), POSTS_MAX);
	world_free(world);
}

struct asking {
	struct entry_key log;
	struct log row;
	bool asked;
};

static enum error was_asked(struct run *run, void *context)
{
	struct asking *asking = context;
	return missing_asked(run, &asking->log, &asking->row, &asking->asked);
}

static void what_nobody_asks_for_was_not_asked_for(void **state)
{
	struct world *world = open_line(483);
	struct hand hand = hand_make(world, 0);
	struct asking asking = {.log = log_of(world, 1), .asked = true};
	const struct missing missing = {.asked_ms = 7};

	asking.row = log_at(world, &asking.log);
	assert_int_equal(hand_run(&hand, was_asked, &asking), ERROR_OK);
	assert_false(asking.asked);
	asking.row.ask_ms = 9;
	assert_int_equal(hand_run(&hand, was_asked, &asking), ERROR_MALFORMED);
	put_asked(world, &asking.log, 9, &missing);
	assert_int_equal(hand_run(&hand, was_asked, &asking), ERROR_OK);
	assert_true(asking.asked);
	world_free(world);
}

/* ---- asking ---- */

/* The statements that wait and ask for something; *first: the first of them. */
static size_t asks_of(const struct world *world, struct missing_statement *first)
{
	struct cose_signed object;

	size_t count = talk_statements(world, 0, STATEMENT_MISSING, &object);
	if (count > 0)
		assert_int_equal(missing_decode(object.payload, first), ERROR_OK);
	return count;
}

/* The tree is still to follow over what came: nothing is missing so far, and the next look begins there. */
static void what_is_held_beyond_a_gap_is_looked_at_in_parts(void **state)
{
	struct world *world = open_line(484);
	struct hand hand = hand_make(world, 0);
	struct entry_key log = log_of(world, 1);
	struct log row = log_at(world, &log);
	const struct missing gap = {0};
	static struct missing_statement first;

	row.end = row.size + AHEAD_MAX + 10;
	put_log(world, &log, row);
	for (uint64_t i = 0; i < AHEAD_MAX + 10; i++)
		put_ahead(world, &log, row.size + i);
	put_asked(world, &log, 1, &gap);
	assert_int_equal(hand_run(&hand, tick, NULL), ERROR_OK);
	uint64_t now_ms = run_slow_ms(&world->posts[0].record->run);
	assert_int_equal(asks_of(world, &first), 0);
	assert_int_equal(log_at(world, &log).ask_ms, now_ms + NEXT_LOOK_MS);
	assert_int_equal(asked_at(world, &log).from, row.size + AHEAD_MAX);
	assert_int_equal(asked_at(world, &log).asks, 0);
	world_free(world);
}

static void one_statement_asks_for_so_many_ranges(void **state)
{
	struct world *world = open_line(485);
	struct hand hand = hand_make(world, 0);
	struct entry_key log = log_of(world, 1);
	struct log row = log_at(world, &log);
	const struct missing gap = {0};
	static struct missing_statement first;

	row.end = row.size + 2 * RANGES_MAX + 4;
	put_log(world, &log, row);
	for (uint64_t at = row.size + 1; at < row.end; at += 2)
		put_ahead(world, &log, at);
	put_asked(world, &log, 1, &gap);
	struct entry_key ahead = log;
	ahead.position = row.size + 1;
	const struct spoiling spoilings[] = {
		{tick, key_entry(TABLE_AHEAD, &ahead), SPOILT_ROW_LONGER},
		{tick, key_channel(TABLE_CHANNEL, 1), SPOILT_ROW_GONE},
		{tick, key_log(TABLE_LOG, 1, log.log, 1), SPOILT_ROW_OTHER},
		{tick, key_line(1, log.log), SPOILT_ROW_OTHER},
		{tick, key_party(1), SPOILT_ROW_GONE},
		{tick, key_asked(1, &log), SPOILT_ROW_OTHER},
		{tick, key_asked(1, &log), SPOILT_ROW_LONGER},
	};
	expect_malformed(&hand, NULL, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
	assert_int_equal(hand_run(&hand, tick, NULL), ERROR_OK);
	assert_int_equal(asks_of(world, &first), 1);
	assert_int_equal(first.ranges_count, RANGES_MAX - 1);
	for (uint64_t i = 0; i < first.ranges_count; i++) {
		assert_int_equal(first.ranges[i].first, row.size + 2 * i);
		assert_int_equal(first.ranges[i].count, 1);
	}
	assert_int_equal(asked_at(world, &log).from, row.size + 2 * (RANGES_MAX - 1));
	world_free(world);
}

static void for_the_own_log_some_posts_are_asked_at_once(void **state)
{
	struct world *world = open_line(486);
	struct hand hand = hand_make(world, 0);
	struct entry_key ours = log_of(world, 0);
	const struct missing open = {.open = true};
	static struct missing_statement first;

	put_posts(world, 1, ASKED_POSTS + 4);
	put_asked(world, &ours, 1, &open);
	assert_int_equal(hand_run(&hand, tick, NULL), ERROR_OK);
	assert_int_equal(asks_of(world, &first), ASKED_POSTS);
	assert_int_equal(first.ranges_count, 1);
	assert_int_equal(first.ranges[0].first, log_at(world, &ours).size);
	assert_int_equal(first.ranges[0].first + first.ranges[0].count, POSITION_MAX + 1);
	world_free(world);
}

/* ---- giving ---- */

static size_t copies_to(const struct world *world, const struct entry_key *own, uint64_t log)
{
	struct row_key key = key_channel(TABLE_COPY, 1);
	struct copy copy;

	key_u16(&key, own->incarnation);
	key_u32(&key, own->position);
	key_u16(&key, log);
	return world_row(world, 0, &key, &schema_copy, &copy);
}

/* Of what was refused when it came back only the leaf is held; what others have is given again. */
static void what_was_refused_here_alone_is_not_given(void **state)
{
	static const struct {
		uint64_t state, received, refused;
		size_t given;
	} cases[] = {
		{LOCAL_REFUSED, 0, 0, 0},
		{LOCAL_REFUSED, 1, 0, 1},
		{LOCAL_REFUSED, 0, 1, 1},
		{LOCAL_RECEIVED, 1, 0, 1},
	};
	struct world *world = open_line(487);
	struct entry_key ours = log_of(world, 0);
	struct missing_statement missing = {
		.by = world_log_of(world, 1), .log = ours.log, .incarnation = 1, .ranges_count = 1};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct row_key key = key_entry(TABLE_ENTRY, &ours);
		struct entry entry;
		assert_true(world_row(world, 0, &key, &schema_entry, &entry));
		uint8_t bytes[2][1024];
		memcpy(bytes[0], entry.leaf.data, entry.leaf.size);
		memcpy(bytes[1], entry.times.data, entry.times.size);
		entry.leaf.data = bytes[0];
		entry.times.data = bytes[1];
		entry.subject = bytes_make(NULL, 0);
		entry.state = cases[i].state;
		entry.received = cases[i].received;
		entry.refused = cases[i].refused;
		world_put_row(world, 0, &key, &schema_entry, &entry);
		missing.ranges[0] = (struct held_range){.first = ours.position, .count = 1};
		assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
		assert_int_equal(copies_to(world, &ours, missing.by), cases[i].given);
		ours.position++;
	}
	world_free(world);
}

/* Of no form, by another post, or of a log that is neither's. */
static void who_asks_says_who_it_is_and_of_which_log(void **state)
{
	struct world *world = open_line(488);
	const uint64_t ours = world_log_of(world, 0), theirs = world_log_of(world, 1);
	const uint64_t logs[][2] = {{ours, ours}, {theirs + 1, ours}, {theirs, theirs + 1}};
	size_t copies = world_count(world, 0, TABLE_COPY);
	size_t statements = world_count(world, 0, TABLE_STATEMENT);

	assert_int_equal(forge_statement(world, 1, 0, STATEMENT_MISSING, bytes_of_text("none")), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_WRONG_TYPE);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct missing_statement missing = {
			.by = logs[i][0],
			.log = logs[i][1],
			.incarnation = 1,
			.ranges_count = 1,
			.ranges = {{.first = 0, .count = POSITION_MAX + 1}},
		};
		assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
		assert_int_equal(world->posts[0].last_log, ERROR_BAD_ARGUMENT);
	}
	assert_int_equal(world_count(world, 0, TABLE_COPY), copies);
	assert_int_equal(world_count(world, 0, TABLE_STATEMENT), statements);
	world_free(world);
}

/* ---- what comes back ---- */

struct returning {
	uint64_t channel;
	struct wire wire;
	enum error reason;
};

static enum error come_back(struct run *run, void *context)
{
	struct returning *returning = context;
	return missing_returned(run, returning->channel, &returning->wire, &returning->reason);
}

static void only_what_may_stand_there_comes_back_to_the_own_log(void **state)
{
	struct world *world = open_line(489);
	struct hand hand = hand_make(world, 0);
	struct entry_key ours = log_of(world, 0);
	struct line line = talk_line(world, 0, 0);
	struct row_key line_key = key_line(1, ours.log);
	static uint8_t cose[ENTRY_SIZE_MAX];
	struct row row;
	size_t at = 0;

	line.name = bytes_of_text("Post");
	line.incarnation = 3;
	world_put_row(world, 0, &line_key, &schema_line, &line);
	ours.position = log_at(world, &ours).size - 1;
	struct row_key key = key_entry(TABLE_COSE, &ours);
	assert_true(store_find(&world->posts[0].store, key_view(&key), &at, &row));
	memcpy(cose, row.value.data, row.value.size);
	struct bytes message = bytes_make(cose, row.value.size);
	struct bytes none = bytes_of_text("no entry");
	const struct {
		uint64_t log, incarnation, position;
		struct bytes cose;
		enum error reason;
	} cases[] = {
		{ours.log + 1, 2, 5, message, ERROR_BAD_ARGUMENT},
		{ours.log, 3, 5, message, ERROR_BAD_ARGUMENT}, /* in the newest only this post writes */
		{ours.log, 2, 0, message, ERROR_REFUSED_FORM}, /* the first one says what it follows */
		{ours.log, 1, ours.position, message, ERROR_OK},
		{ours.log, 1, ours.position + 5, message, ERROR_REFUSED_FORK}, /* it stands in this one */
		{ours.log, 2, POSITION_MAX, message, ERROR_OUT_OF_RANGE},
		{ours.log, 2, 5, message, ERROR_OK},
	};
	static struct returning returning;
	returning = (struct returning){.channel = 1};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		returning.wire.log = cases[i].log;
		returning.wire.incarnation = cases[i].incarnation;
		returning.wire.position = cases[i].position;
		returning.wire.cose = cases[i].cose;
		returning.reason = ERROR_OK;
		assert_int_equal(hand_run(&hand, come_back, &returning), ERROR_OK);
		assert_int_equal(returning.reason, cases[i].reason);
	}
	returning.wire.cose = none;
	assert_int_equal(hand_run(&hand, come_back, &returning), ERROR_OK);
	assert_int_not_equal(returning.reason, ERROR_OK);
	returning.channel = 2;
	assert_int_equal(hand_run(&hand, come_back, &returning), ERROR_MALFORMED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_says_how_it_stands_with_what_was_asked_for),
		cmocka_unit_test(the_posts_of_a_party_are_asked_or_all_of_a_channel),
		cmocka_unit_test(so_many_posts_of_a_channel_are_asked),
		cmocka_unit_test(what_nobody_asks_for_was_not_asked_for),
		cmocka_unit_test(what_is_held_beyond_a_gap_is_looked_at_in_parts),
		cmocka_unit_test(one_statement_asks_for_so_many_ranges),
		cmocka_unit_test(for_the_own_log_some_posts_are_asked_at_once),
		cmocka_unit_test(what_was_refused_here_alone_is_not_given),
		cmocka_unit_test(who_asks_says_who_it_is_and_of_which_log),
		cmocka_unit_test(only_what_may_stand_there_comes_back_to_the_own_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
