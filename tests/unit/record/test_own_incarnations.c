/*
 * Whether a post's own log goes on, by what stands in its rows, in its anchor and with its courier.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/merkle.h"
#include "record/commit.h"
#include "record/incarnation.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

/* ---- rows of post 0 ---- */

static void put_own_line(struct world *world, const struct line *line)
{
	struct row_key key = key_line(1, world_log_of(world, 0));
	world_put_row(world, 0, &key, &schema_line, line);
}

static struct state state_of(const struct world *world)
{
	struct row_key key = key_make(TABLE_STATE);
	struct state state;

	assert_true(world_row(world, 0, &key, &schema_state, &state));
	return state;
}

static void put_unsure(struct world *world)
{
	struct row_key key = key_make(TABLE_STATE);
	struct state state = state_of(world);

	state.unsure = 1;
	world_put_row(world, 0, &key, &schema_state, &state);
}

static bool has_shadow(const struct world *world)
{
	struct row_key key = key_channel(TABLE_ANCHOR, 1);
	struct anchor_line shadow;

	return world_row(world, 0, &key, &schema_anchor_line, &shadow);
}

/* ---- the start ---- */

/* The post starts beside this anchor, and its courier is not there yet. */
static void start(struct world *world, struct bytes anchor)
{
	struct record_event event = {.kind = RECORD_START};

	world_die(world, 0);
	event.of.start.anchor = anchor;
	assert_int_equal(world_event(world, 0, &event), ERROR_OK);
	world->posts[0].up = true;
	world_commit(world, 0);
}

/*
 * The anchor's head must be one of the store, of an incarnation that the store knows; a log in which nothing
 * was ever filed needs none.
 */
static void the_own_log_goes_on_where_the_anchor_shows_it(void **state)
{
	enum anchor { HELD, EMPTY, LOST };
	static const struct {
		uint64_t incarnation, told; /* of the line; head_size 0 where incarnation is 0 */
		enum anchor anchor;
		uint64_t anchor_incarnation;
		bool unsure;
		uint64_t told_after;
	} cases[] = {
		{.incarnation = 1, .anchor = HELD, .anchor_incarnation = 1},
		{.incarnation = 1, .anchor = HELD, .anchor_incarnation = 2, .unsure = true, .told_after = 2},
		{.incarnation = 1,
		 .told = 5,
		 .anchor = HELD,
		 .anchor_incarnation = 2,
		 .unsure = true,
		 .told_after = 5},
		{.incarnation = 1, .anchor = EMPTY},
		{.incarnation = 1, .anchor = LOST, .unsure = true},
		{.incarnation = 0, .anchor = LOST},
		{.incarnation = 0, .anchor = HELD, .anchor_incarnation = 1, .unsure = true, .told_after = 1},
	};
	struct world *world = world_open_line(450);
	struct line own = talk_line(world, 0, 0);
	struct row_key shadow = key_channel(TABLE_ANCHOR, 1);

	own.name = bytes_of_text("Headquarters");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[ANCHOR_SIZE_MAX];
		struct buffer anchor = buffer_make(bytes, sizeof(bytes));
		struct anchor_entry entry = {.incarnation = cases[i].anchor_incarnation,
					     .size = own.head_size};
		struct line line = own;
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		line.incarnation = line.head_incarnation = cases[i].incarnation;
		line.head_size = cases[i].incarnation == 0 ? 0 : own.head_size;
		line.told = cases[i].told;
		put_own_line(world, &line);
		store_delete(&world->posts[0].store, key_view(&shadow));
		memcpy(entry.channel, world->channel, sizeof(entry.channel));
		memcpy(entry.root, own.head_root, sizeof(entry.root));
		if (cases[i].anchor != LOST)
			anchor_encode(&entry, cases[i].anchor == HELD ? 1 : 0, &anchor);
		start(world, buffer_bytes(&anchor));
		struct line after = talk_line(world, 0, 0);
		assert_int_equal(after.unsure, cases[i].unsure);
		assert_int_equal(after.told, cases[i].told_after);
		assert_int_equal(after.incarnation, cases[i].incarnation);
		assert_int_equal(state_of(world).unsure, cases[i].unsure);
		assert_int_equal(has_shadow(world), cases[i].incarnation != 0);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	world_free(world);
}

/* ---- beginning anew ---- */

static enum error open_anew(struct run *run, void *context)
{
	(void)context;
	return incarnation_open(run);
}

static enum error resume(struct run *run, void *context)
{
	(void)context;
	return incarnation_resume(run, 1);
}

/* Above all that are known of; where none is, the log begins as any other. */
static void a_new_incarnation_has_a_number_that_none_has_had(void **state)
{
	static const struct {
		uint64_t incarnation, told;
		enum error error;
		uint64_t after;
	} cases[] = {
		{.incarnation = 1, .told = 0, .after = 2},
		{.incarnation = 1, .told = 7, .after = 8},
		{.incarnation = 7, .told = 1, .after = 8},
		{.incarnation = 0, .told = 3, .after = 4},
		{.incarnation = 0, .told = 0, .after = 0},
		{.incarnation = INCARNATIONS_MAX, .error = ERROR_OUT_OF_RANGE, .after = INCARNATIONS_MAX},
		{.incarnation = INCARNATIONS_MAX - 1, .after = INCARNATIONS_MAX},
	};
	struct world *world = world_open_line(451);
	struct hand hand = hand_make(world, 0);
	struct line own = talk_line(world, 0, 0);

	own.name = bytes_of_text("Headquarters");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool begins = cases[i].after != cases[i].incarnation;
		struct line line = own;
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		line.incarnation = cases[i].incarnation;
		line.told = cases[i].told;
		line.unsure = 1;
		put_own_line(world, &line);
		put_unsure(world);
		assert_int_equal(hand_run(&hand, open_anew, NULL), cases[i].error);
		assert_int_equal(talk_line(world, 0, 0).incarnation, cases[i].after);
		assert_int_equal(talk_line(world, 0, 0).unsure, cases[i].error != ERROR_OK);
		assert_int_equal(state_of(world).unsure, cases[i].error != ERROR_OK);
		if (begins)
			assert_int_equal(talk_size(world, 0, 0, cases[i].after), 1);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	world_free(world);
}

/* A channel that was made again: what an anchor told of its log is what the new incarnation follows. */
static void a_log_that_was_lost_is_resumed_once(void **state)
{
	static const struct {
		uint64_t former, incarnation;
		uint64_t after;
	} cases[] = {
		{.former = 1, .incarnation = 1, .after = 2},
		{.former = 4, .incarnation = 1, .after = 5},
		{.former = 1, .incarnation = 5, .after = 6}, /* more is known by now */
		{.former = INCARNATIONS_MAX, .incarnation = 1, .after = 1},
		{.former = 0, .incarnation = 1, .after = 1}, /* no anchor told of it */
	};
	struct world *world = world_open_line(452);
	struct hand hand = hand_make(world, 0);
	struct line own = talk_line(world, 0, 0);
	struct row_key former_key = key_make(TABLE_FORMER);
	struct row_key channel_key = key_channel(TABLE_CHANNEL, 1);
	struct row_key line_key = key_line(1, world_log_of(world, 0));

	own.name = bytes_of_text("Headquarters");
	key_bytes(&former_key, world->channel, sizeof(world->channel));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct anchor_line former = {.incarnation = cases[i].former, .size = 3};
		struct line line = own;
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		line.incarnation = cases[i].incarnation;
		put_own_line(world, &line);
		if (cases[i].former != 0)
			world_put_row(world, 0, &former_key, &schema_anchor_line, &former);
		assert_int_equal(hand_run(&hand, resume, NULL), ERROR_OK);
		assert_int_equal(talk_line(world, 0, 0).incarnation, cases[i].after);
		bool resumed = cases[i].after != cases[i].incarnation;
		assert_int_equal(world_row(world, 0, &former_key, &schema_anchor_line, &former),
				 !resumed && cases[i].former != 0);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	const struct anchor_line former = {.incarnation = 1, .size = 3};
	world_put_row(world, 0, &former_key, &schema_anchor_line, &former);
	store_delete(&world->posts[0].store, key_view(&line_key));
	assert_int_equal(hand_run(&hand, resume, NULL), ERROR_MALFORMED);
	store_delete(&world->posts[0].store, key_view(&channel_key));
	assert_int_equal(hand_run(&hand, resume, NULL), ERROR_MALFORMED);
	world_free(world);
}

/* ---- what heads tell ---- */

struct telling {
	uint64_t incarnation;
	struct former_head head;
};

static enum error tell(struct run *run, void *context)
{
	const struct telling *telling = context;
	return incarnation_told(run, 1, telling->incarnation, &telling->head);
}

static void a_head_of_no_entries_tells_nothing_of_the_own_log(void **state)
{
	struct world *world = world_open_line(453);
	struct hand hand = hand_make(world, 0);
	struct telling telling = {.incarnation = 3};
	struct row_key keys[] = {key_line(1, world_log_of(world, 0)), key_channel(TABLE_CHANNEL, 1)};

	assert_int_equal(hand_run(&hand, tell, &telling), ERROR_OK);
	assert_int_equal(talk_line(world, 0, 0).told, 0);
	telling.head.size = 1;
	assert_int_equal(hand_run(&hand, tell, &telling), ERROR_OK);
	assert_int_equal(talk_line(world, 0, 0).told, 3);
	for (size_t i = 0; i < 2; i++) {
		store_delete(&world->posts[0].store, key_view(&keys[i]));
		assert_int_equal(hand_run(&hand, tell, &telling), ERROR_MALFORMED);
	}
	world_free(world);
}

/* The courier shows this head of the own log, signed as it should be. */
static void show(struct world *world, const struct head *head)
{
	struct record_event event = {.kind = RECORD_COURIER_HEADS};
	struct record_head_seen seen = {.size = head->size};
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];

	checkpoint_origin(world->channel, world->parties[0].id, world->posts[0].slot, head->incarnation,
			  origin);
	seen.origin = bytes_of_text(origin);
	memcpy(seen.root, head->root.bytes, sizeof(seen.root));
	memcpy(seen.signature, head->signature, sizeof(seen.signature));
	event.of.heads.count = 1;
	event.of.heads.heads = &seen;
	world->posts[0].last_log = ERROR_OK;
	assert_int_equal(world_event(world, 0, &event), ERROR_OK);
	world_commit(world, 0);
}

static void a_courier_shows_heads_of_any_size_and_incarnation(void **state)
{
	struct world *world = world_open_line(454);
	struct line own = talk_line(world, 0, 0);
	struct head head = forge_head_held(world, 0, 0);
	struct head far = {.log = head.log, .incarnation = INCARNATIONS_MAX, .size = 1};

	/* Larger than any tree: nothing that could be signed. */
	head.size = MERKLE_SIZE_MAX + 1;
	show(world, &head);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_SIGNATURE);
	assert_int_equal(talk_line(world, 0, 0).unsure, 0);
	/* The last incarnation that there can be, from where it is looked for. */
	forge_sign_head(world, 0, &far);
	show(world, &far);
	assert_int_equal(talk_line(world, 0, 0).told, 0);
	own.told = INCARNATIONS_MAX - 3;
	own.name = bytes_of_text("Headquarters");
	put_own_line(world, &own);
	show(world, &far);
	assert_int_equal(talk_line(world, 0, 0).told, INCARNATIONS_MAX);
	assert_int_equal(talk_line(world, 0, 0).incarnation, 1);
	/* Without a head of its own there is none to give it again. */
	world->posts[0].heads_count = 0;
	show(world, &far);
	assert_int_equal(world->posts[0].heads_count, 1);
	world->posts[0].heads_count = 0;
	own.head_size = 0;
	put_own_line(world, &own);
	show(world, &far);
	assert_int_equal(world->posts[0].heads_count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_log_goes_on_where_the_anchor_shows_it),
		cmocka_unit_test(a_new_incarnation_has_a_number_that_none_has_had),
		cmocka_unit_test(a_log_that_was_lost_is_resumed_once),
		cmocka_unit_test(a_head_of_no_entries_tells_nothing_of_the_own_log),
		cmocka_unit_test(a_courier_shows_heads_of_any_size_and_incarnation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
