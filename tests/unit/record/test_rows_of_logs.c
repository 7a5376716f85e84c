/*
 * Logs over the rows that stand there: bounds, states of an entry, and rows that were spoilt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "record/log.h"
#include "record/post_entry.h"
#include "tests/unit/record/spoilt.h"
#include "tests/unit/record/talk.h"

#define TIMES_MAX 24 /* state times that one entry keeps */

/* ---- what is run ---- */

/* Of one log at post 0, and what is done to it. */
struct logging {
	struct entry_key key;
	struct log row; /* as it stands */
	struct bytes cose;
	uint64_t old_size, size;
	struct merkle_hash root;
	struct merkle_proof proof;
	enum log_place place;
	bool gap;
};

static enum error write_row(struct run *run, void *context)
{
	struct logging *logging = context;
	struct log row = logging->row;
	return log_write_row(run, &logging->key, &row);
}

static enum error follow(struct run *run, void *context)
{
	struct logging *logging = context;
	struct entry_key key = logging->key;
	const struct incarnation incarnation = {.previous = 1, .size = 0};

	return log_follow(run, &key, &incarnation);
}

/* A verdict that names nothing will do: its author is the post itself. */
static enum error append(struct run *run, void *context)
{
	struct logging *logging = context;
	struct content *content = run_take(run, sizeof(*content));

	memset(content, 0, sizeof(*content));
	content->kind = CONTENT_VERDICT;
	content->precedence = PRECEDENCE_PRIORITY;
	content->of.verdict.ranges_count = 1;
	content->of.verdict.ranges[0] = (struct verdict_range){.log = logging->key.log, .count = 1};
	return post_entry(run, 1, content);
}

static enum error look(struct run *run, void *context)
{
	static const uint8_t identity[IDENTITY_SIZE];
	struct logging *logging = context;
	struct entry held;

	return log_look(run, &logging->key, identity, &logging->place, &held, &logging->gap);
}

/* Some entry of another's log, as if it stood at that place. */
static enum error take(struct run *run, void *context)
{
	struct logging *logging = context;
	struct cose_signed *object = run_take(run, sizeof(*object));
	struct heads_seen *heads = run_take(run, sizeof(*heads));
	struct content *content = run_take(run, sizeof(*content));
	struct channel channel;
	struct log_item item = {
		.channel = &channel, .object = object, .cose = logging->cose, .content = content};

	memset(content, 0, sizeof(*content));
	content->kind = CONTENT_VERDICT;
	heads->count = 0;
	assert_int_equal(cose_signed_decode(logging->cose, object), ERROR_OK);
	return log_take(run, &logging->key, &item, heads, ERROR_OK);
}

static enum error advance(struct run *run, void *context)
{
	(void)context;
	return log_advance(run);
}

static enum error root_at(struct run *run, void *context)
{
	struct logging *logging = context;
	return log_root_at(run, 1, logging->key.log, 1, logging->size, &logging->root);
}

static enum error consistency(struct run *run, void *context)
{
	struct logging *logging = context;
	return log_consistency(run, 1, logging->key.log, 1, logging->old_size, logging->size,
			       &logging->proof);
}

/* ---- rows ---- */

/* The log of a post, as post 0 holds it, at its end. */
static struct logging logging_of(const struct world *world, size_t of)
{
	struct logging logging = {.key = {.channel = 1, .log = world_log_of(world, of), .incarnation = 1}};
	struct row_key key = key_log(TABLE_LOG, 1, logging.key.log, 1);
	static uint8_t frontier[MERKLE_FRONTIER_SIZE_MAX];

	assert_true(world_row(world, 0, &key, &schema_log, &logging.row));
	memcpy(frontier, logging.row.frontier.data, logging.row.frontier.size);
	logging.row.frontier.data = frontier;
	logging.key.position = logging.row.size;
	return logging;
}

/* A copy, which the next one takes the place of. */
static struct bytes cose_at(const struct world *world, const struct entry_key *place)
{
	static uint8_t cose[ENTRY_SIZE_MAX];
	struct row_key key = key_entry(TABLE_COSE, place);
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[0].store, key_view(&key), &at, &row));
	memcpy(cose, row.value.data, row.value.size);
	return bytes_make(cose, row.value.size);
}

static void put_log(struct world *world, const struct entry_key *log, const struct log *row)
{
	struct row_key key = key_log(TABLE_LOG, log->channel, log->log, log->incarnation);
	world_put_row(world, 0, &key, &schema_log, row);
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

static struct world *open_line(uint64_t seed)
{
	struct world *world = world_open_line(seed);

	talk(world, 0, "ours", NULL);
	talk(world, 1, "theirs", NULL);
	return world;
}

/* ---- tests ---- */

/* The frontier is all that is known of a tree: one that is not of its log's size would sign a false head. */
static void a_tree_that_is_not_of_its_size_grows_no_more(void **state)
{
	static const struct {
		size_t cut; /* of the frontier's bytes; SIZE_MAX: all */
		uint64_t more;
	} cases[] = {
		{.cut = SIZE_MAX},
		{.cut = 1},
		{.cut = 0, .more = 1},
	};
	struct world *world = open_line(460);
	struct hand hand = hand_make(world, 0);
	struct logging ours = logging_of(world, 0);
	const struct spoiling spoilings[] = {
		{follow, key_log(TABLE_LOG, 1, ours.key.log, 1), SPOILT_ROW_OTHER},
		{append, key_log(TABLE_LOG, 1, ours.key.log, 1), SPOILT_ROW_OTHER},
		{append, key_line(1, ours.key.log), SPOILT_ROW_OTHER},
		{append, key_channel(TABLE_CHANNEL, 1), SPOILT_ROW_GONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct logging spoilt = ours;
		spoilt.row.frontier.size -=
			cases[i].cut == SIZE_MAX ? spoilt.row.frontier.size : cases[i].cut;
		spoilt.row.size += cases[i].more;
		assert_int_equal(hand_run(&hand, write_row, &spoilt), ERROR_MALFORMED);
		put_log(world, &ours.key, &spoilt.row);
		assert_int_equal(hand_run(&hand, append, &ours), ERROR_MALFORMED);
		assert_int_equal(hand_run(&hand, follow, &ours), ERROR_MALFORMED);
		put_log(world, &ours.key, &ours.row);
	}
	expect_malformed(&hand, &ours, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
	assert_int_equal(hand_run(&hand, append, &ours), ERROR_OK);
	assert_int_equal(talk_size(world, 0, 0, 1), ours.row.size + 1);
	world_free(world);
}

/* A tree of as many leaves as there are positions, of whatever leaves. */
static struct logging full_log(const struct world *world)
{
	static const struct merkle_hash hashes[MERKLE_LEVELS_MAX];
	static uint8_t bytes[MERKLE_FRONTIER_SIZE_MAX];
	struct logging ours = logging_of(world, 0);
	struct buffer buffer = buffer_make(bytes, sizeof(bytes));
	struct merkle_frontier frontier;

	merkle_frontier_from_nodes(POSITION_MAX + 1, hashes, &frontier);
	merkle_frontier_write(&frontier, &buffer);
	ours.row.frontier = buffer_bytes(&buffer);
	ours.row.size = ours.row.end = POSITION_MAX + 1;
	return ours;
}

static void a_full_log_takes_nothing_more(void **state)
{
	struct world *world = open_line(461);
	struct hand hand = hand_make(world, 0);
	struct logging full = full_log(world);

	put_log(world, &full.key, &full.row);
	assert_int_equal(hand_run(&hand, append, &full), ERROR_OUT_OF_RANGE);
	assert_int_equal(talk_size(world, 0, 0, 1), POSITION_MAX + 1);
	/* Longer than any can be: nothing is done over such a row. */
	static const struct merkle_hash hashes[MERKLE_LEVELS_MAX];
	uint8_t bytes[MERKLE_FRONTIER_SIZE_MAX];
	struct buffer buffer = buffer_make(bytes, sizeof(bytes));
	struct merkle_frontier frontier;
	merkle_frontier_from_nodes(MERKLE_SIZE_MAX, hashes, &frontier);
	merkle_frontier_write(&frontier, &buffer);
	full.row.frontier = buffer_bytes(&buffer);
	full.row.size = full.row.end = MERKLE_SIZE_MAX;
	put_log(world, &full.key, &full.row);
	assert_int_equal(hand_run(&hand, append, &full), ERROR_MALFORMED);
	world_free(world);
}

/* What an own entry names of others' logs: so many; the rest follows with the next one. */
static void an_own_entry_names_so_many_heads(void **state)
{
	struct world *world = open_line(462);
	struct hand hand = hand_make(world, 0);
	struct logging ours = logging_of(world, 0);
	const struct seen seen = {.incarnation = 1, .size = 7};
	struct leaf *leaf = calloc(1, sizeof(*leaf));
	size_t expected[] = {HEADS_SEEN_MAX, 6, 0};

	for (uint64_t i = 0; i < HEADS_SEEN_MAX + 6; i++) {
		struct row_key key = key_channel(TABLE_SEEN, 1);
		key_u16(&key, i);
		world_put_row(world, 0, &key, &schema_seen, &seen);
	}
	for (size_t i = 0; i < 3; i++) {
		struct row_key key = key_entry(TABLE_ENTRY, &ours.key);
		struct entry entry;
		assert_int_equal(hand_run(&hand, append, &ours), ERROR_OK);
		assert_true(world_row(world, 0, &key, &schema_entry, &entry));
		assert_int_equal(leaf_decode(entry.leaf, leaf), ERROR_OK);
		assert_int_equal(leaf->heads.count, expected[i]);
		for (size_t j = 0; j < expected[i]; j++) {
			assert_int_equal(leaf->heads.heads[j].log, i * HEADS_SEEN_MAX + j);
			assert_int_equal(leaf->heads.heads[j].size, 7);
		}
		ours.key.position++;
	}
	struct row_key longer = key_channel(TABLE_SEEN, 1);
	key_u16(&longer, 1);
	const struct spoiling spoilings[] = {
		{append, longer, SPOILT_ROW_OTHER},
		{append, longer, SPOILT_ROW_LONGER},
	};
	expect_malformed(&hand, &ours, spoilings, 2);
	free(leaf);
	world_free(world);
}

/* What a gap is asked for by is gone: nothing is filed over that. */
static void a_log_whose_ask_is_lost_is_not_written(void **state)
{
	struct world *world = open_line(463);
	struct hand hand = hand_make(world, 0);
	const struct missing open = {.open = true};

	for (size_t i = 0; i < 2; i++) {
		struct logging logging = logging_of(world, i);
		struct entry_key place = logging.key;
		place.position--;
		logging.cose = cose_at(world, &place);
		logging.row.ask_ms = 5;
		put_log(world, &logging.key, &logging.row);
		struct row_key asked = key_asked(5, &logging.key);
		world_put_row(world, 0, &asked, &schema_missing, &open);
		const struct spoiling spoilings[] = {
			{write_row, asked, SPOILT_ROW_GONE},
			{i == 0 ? append : take, asked, SPOILT_ROW_GONE},
			{i == 0 ? append : take, asked, SPOILT_ROW_OTHER},
		};
		expect_malformed(&hand, &logging, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
		/* Where it is there, it stays: nobody knows where the log ends. */
		assert_int_equal(hand_run(&hand, write_row, &logging), ERROR_OK);
		assert_int_equal(world_count(world, 0, TABLE_MISSING), i + 1);
	}
	world_free(world);
}

/* Leaves that are held beyond a gap, and what says that the tree is to follow over them. */
static void a_tree_follows_over_no_spoilt_rows(void **state)
{
	struct world *world = open_line(464);
	struct hand hand = hand_make(world, 0);
	struct logging theirs = logging_of(world, 1);
	struct entry_key place = theirs.key;
	struct row_key log_key = key_log(TABLE_LOG, 1, theirs.key.log, 1);
	struct row_key line_key = key_line(1, theirs.key.log);
	struct row_key advance_key = key_log(TABLE_ADVANCE, 1, theirs.key.log, 1);
	static const uint8_t leaf[MERKLE_HASH_SIZE];

	place.position--;
	theirs.cose = cose_at(world, &place);
	place.position += 2;
	theirs.row.end = place.position + 1;
	put_log(world, &theirs.key, &theirs.row);
	struct row_key ahead = key_entry(TABLE_AHEAD, &place);
	store_put(&world->posts[0].store, key_view(&ahead), bytes_make(leaf, sizeof(leaf)));
	const struct spoiling takings[] = {
		{take, ahead, SPOILT_ROW_OTHER},
		{take, line_key, SPOILT_ROW_GONE},
		{take, key_channel(TABLE_CHANNEL, 1), SPOILT_ROW_GONE},
	};
	expect_malformed(&hand, &theirs, takings, sizeof(takings) / sizeof(takings[0]));
	assert_int_equal(hand_run(&hand, take, &theirs), ERROR_OK);
	assert_int_equal(talk_size(world, 0, 1, 1), theirs.row.size + 2);
	/* And in a tick, where more was held than one event takes. */
	struct logging grown = logging_of(world, 1);
	place.position = grown.row.size;
	grown.row.end = place.position + 1;
	put_log(world, &grown.key, &grown.row);
	ahead = key_entry(TABLE_AHEAD, &place);
	store_put(&world->posts[0].store, key_view(&ahead), bytes_make(leaf, sizeof(leaf)));
	store_put(&world->posts[0].store, key_view(&advance_key), bytes_make(NULL, 0));
	const struct spoiling advances[] = {
		{advance, advance_key, SPOILT_ROW_LONGER},
		{advance, log_key, SPOILT_ROW_OTHER},
		{advance, ahead, SPOILT_ROW_OTHER},
		{advance, line_key, SPOILT_ROW_GONE},
	};
	expect_malformed(&hand, NULL, advances, sizeof(advances) / sizeof(advances[0]));
	struct logging other = grown;
	other.row.size++;
	put_log(world, &grown.key, &other.row);
	assert_int_equal(hand_run(&hand, advance, NULL), ERROR_MALFORMED);
	put_log(world, &grown.key, &grown.row);
	assert_int_equal(hand_run(&hand, advance, NULL), ERROR_OK);
	assert_int_equal(talk_size(world, 0, 1, 1), grown.row.size + 1);
	assert_int_equal(world_count(world, 0, TABLE_ADVANCE), 0);
	world_free(world);
}

static void where_an_entry_goes_is_told_by_rows_that_are_right(void **state)
{
	struct world *world = open_line(465);
	struct hand hand = hand_make(world, 0);
	struct logging theirs = logging_of(world, 1);
	const struct spoiling spoilings[] = {
		{look, key_line(1, theirs.key.log), SPOILT_ROW_OTHER},
		{look, key_log(TABLE_LOG, 1, theirs.key.log, 1), SPOILT_ROW_OTHER},
	};
	static const struct {
		uint64_t incarnation, position; /* beyond the end */
		enum log_place place;
	} cases[] = {
		{1, 0, LOG_NEW},
		{1, LOG_AHEAD_MAX, LOG_NEW},
		{1, LOG_AHEAD_MAX + 1, LOG_FAR},
		{1 + LOG_INCARNATIONS_AHEAD, 1, LOG_NEW},
		{2 + LOG_INCARNATIONS_AHEAD, 1, LOG_FAR},
		{2 + LOG_INCARNATIONS_AHEAD, 0, LOG_NEW},
	};

	expect_malformed(&hand, &theirs, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct logging logging = theirs;
		logging.key.incarnation = cases[i].incarnation;
		logging.key.position = cases[i].position;
		if (cases[i].incarnation == 1)
			logging.key.position += theirs.row.size;
		assert_int_equal(hand_run(&hand, look, &logging), ERROR_OK);
		assert_int_equal(logging.place, cases[i].place);
		assert_int_equal(logging.gap, cases[i].position > 0);
	}
	/* A log of which no line tells is taken to be in its first incarnation. */
	struct row_key line_key = key_line(1, theirs.key.log);
	store_delete(&world->posts[0].store, key_view(&line_key));
	assert_int_equal(hand_run(&hand, look, &theirs), ERROR_OK);
	assert_int_equal(theirs.place, LOG_NEW);
	world_free(world);
}

static void roots_and_proofs_are_of_sizes_that_a_tree_has_and_of_nodes_that_are_there(void **state)
{
	struct world *world = open_line(466);
	struct hand hand = hand_make(world, 0);
	struct logging ours = logging_of(world, 0);
	struct row_key node = key_log(TABLE_TREE, 1, ours.key.log, 1);
	struct entry_key place = ours.key;

	place.position = 2;
	key_u64(&node, 1); /* the first two leaves */
	key_u8(&node, 1);
	ours.size = 3;
	const struct spoiling spoilings[] = {
		{root_at, node, SPOILT_ROW_GONE},
		{root_at, node, SPOILT_ROW_OTHER},
		{root_at, key_entry(TABLE_ENTRY, &place), SPOILT_ROW_GONE},
		{root_at, key_entry(TABLE_ENTRY, &place), SPOILT_ROW_OTHER},
	};
	ours.old_size = 1;
	struct logging longer = ours;
	longer.size = MERKLE_SIZE_MAX + 1;
	assert_int_equal(hand_run(&hand, root_at, &longer), ERROR_MALFORMED);
	longer.size = 2;
	longer.old_size = 3;
	assert_int_equal(hand_run(&hand, consistency, &longer), ERROR_MALFORMED);
	expect_malformed(&hand, &ours, spoilings, sizeof(spoilings) / sizeof(spoilings[0]));
	assert_int_equal(hand_run(&hand, root_at, &ours), ERROR_OK);
	world_free(world);
}

/* ---- states ---- */

struct moving {
	struct entry_key key;
	uint64_t from, to;
	const char *detail;
	struct entry entry;
};

static enum error move(struct run *run, void *context)
{
	struct moving *moving = context;

	enum error error = log_entry(run, &moving->key, &moving->entry);
	if (error != ERROR_OK)
		return error;
	if (moving->from != 0)
		moving->entry.state = moving->from;
	return log_set_state(run, &moving->key, &moving->entry, moving->to, bytes_of_text(moving->detail));
}

/* At post 0, after that. */
static struct entry move_entry(struct hand *hand, const struct entry_key *place, uint64_t from, uint64_t to,
			       const char *detail)
{
	struct moving moving = {.key = *place, .from = from, .to = to, .detail = detail};
	struct row_key key = key_entry(TABLE_ENTRY, place);
	struct entry entry;

	assert_int_equal(hand_run(hand, move, &moving), ERROR_OK);
	assert_true(world_row(hand->world, 0, &key, &schema_entry, &entry));
	return entry;
}

/* An entry goes on, and never back; what one post refused another may still hold. */
static void a_state_only_grows(void **state)
{
	struct world *world = open_line(467);
	struct hand hand = hand_make(world, 0);
	struct entry_key place = logging_of(world, 0).key;

	place.position--;
	for (uint64_t from = LOCAL_RELEASED; from <= LOCAL_REFUSED; from++) {
		for (uint64_t to = LOCAL_RELEASED; to <= LOCAL_REFUSED; to++) {
			bool grows = to > from;
			if (from == LOCAL_REFUSED)
				grows = to >= LOCAL_RECEIVED && to < LOCAL_REFUSED;
			else if (to == LOCAL_REFUSED)
				grows = from < LOCAL_RECEIVED;
			struct entry entry = move_entry(&hand, &place, from, to, "");
			assert_int_equal(entry.state, grows ? to : from);
		}
	}
	world_free(world);
}

/* A courier may tell of ever new routes: so many times are kept. */
static void an_entry_keeps_so_many_times(void **state)
{
	struct world *world = open_line(468);
	struct hand hand = hand_make(world, 0);
	struct entry_key place = logging_of(world, 0).key;
	char detail[16];

	place.position--;
	for (unsigned i = 0; i < 2 * TIMES_MAX; i++) {
		snprintf(detail, sizeof(detail), "route %u", i);
		struct entry entry = move_entry(&hand, &place, LOCAL_RELEASED, LOCAL_CARRIED, detail);
		struct cbor_reader reader = cbor_reader_make(entry.times);
		size_t count = cbor_read_array(&reader, 2 * TIMES_MAX);
		assert_true(count <= TIMES_MAX);
		assert_true(i < TIMES_MAX || count == TIMES_MAX);
		assert_int_equal(entry.state, LOCAL_CARRIED);
	}
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_that_is_not_of_its_size_grows_no_more),
		cmocka_unit_test(a_full_log_takes_nothing_more),
		cmocka_unit_test(an_own_entry_names_so_many_heads),
		cmocka_unit_test(a_log_whose_ask_is_lost_is_not_written),
		cmocka_unit_test(a_tree_follows_over_no_spoilt_rows),
		cmocka_unit_test(where_an_entry_goes_is_told_by_rows_that_are_right),
		cmocka_unit_test(roots_and_proofs_are_of_sizes_that_a_tree_has_and_of_nodes_that_are_there),
		cmocka_unit_test(a_state_only_grows),
		cmocka_unit_test(an_entry_keeps_so_many_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
