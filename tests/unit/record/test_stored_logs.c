/*
 * What entries and batches do to the rows that stand there: words that name what came later, commits over
 * what a crash or a spoilt disk left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/batch.h"
#include "record/commit.h"
#include "record/effects.h"
#include "record/workspace.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

#define AWAITED_ONCE 32 /* words that name one entry, and are looked at when it comes */

static const struct pending other_row = {0}; /* of no form that the rows have whose place it takes */

/* ---- words that came before what they name ---- */

struct naming {
	struct entry_key target;
	uint8_t identity[IDENTITY_SIZE];
};

static enum error come(struct run *run, void *context)
{
	const struct naming *naming = context;
	return effects_awaited(run, &naming->target, naming->identity);
}

static struct row_key key_awaited(const struct naming *naming, const struct entry_key *by)
{
	struct row_key key = key_make(TABLE_AWAITED);

	key_bytes(&key, naming->identity, IDENTITY_SIZE);
	key_u16(&key, by->channel);
	key_u16(&key, by->log);
	key_u16(&key, by->incarnation);
	key_u32(&key, by->position);
	return key;
}

/* An acknowledgment at that place named it before it was held. */
static void put_awaited(struct world *world, const struct naming *naming, const struct entry_key *by)
{
	struct row_key key = key_awaited(naming, by);
	struct row_key state_key = key_make(TABLE_STATE);
	const struct number read = {.number = LOCAL_READ};
	struct state state;

	world_put_row(world, 0, &key, &schema_number, &read);
	assert_true(world_row(world, 0, &state_key, &schema_state, &state));
	state.awaited++;
	world_put_row(world, 0, &state_key, &schema_state, &state);
}

static struct naming naming_of(const struct world *world, const uint8_t identity[IDENTITY_SIZE])
{
	struct naming naming = {.target = talk_place(world, 0, identity)};

	memcpy(naming.identity, identity, IDENTITY_SIZE);
	return naming;
}

/* At post 0. Its views are of the store. */
static struct entry entry_at(const struct world *world, const struct entry_key *place)
{
	struct row_key key = key_entry(TABLE_ENTRY, place);
	struct entry entry;

	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	return entry;
}

static void refuse(struct world *world, const struct entry_key *place)
{
	struct row_key key = key_entry(TABLE_ENTRY, place);
	struct entry entry = entry_at(world, place);

	entry.reason = ERROR_REFUSED_FORM;
	world_put_row(world, 0, &key, &schema_entry, &entry);
}

static uint64_t unread(const struct world *world)
{
	struct row_key key = key_channel(TABLE_UNREAD, 1);
	struct pending pending;

	return world_row(world, 0, &key, &schema_pending, &pending) ? pending.priority : 0;
}

/* Nobody reads his own words, or what stands on another channel; what was refused here stays so. */
static void only_its_reader_moves_an_entry(void **state)
{
	struct world *world = world_open_line(440);
	uint8_t identity[IDENTITY_SIZE];
	uint8_t refused[IDENTITY_SIZE];

	talk(world, 1, "theirs", identity);
	talk(world, 1, "refused", refused);
	uint64_t ours = world_log_of(world, 0), theirs = world_log_of(world, 1);
	const struct entry_key first = {.channel = 1, .log = theirs, .incarnation = 1}; /* a letter */
	const struct {
		bool letter, refused;
		uint64_t channel, log;
		uint64_t state;
	} cases[] = {
		{.channel = 1, .log = theirs, .state = LOCAL_RECEIVED},
		{.channel = 2, .log = ours, .state = LOCAL_RECEIVED},
		{.refused = true, .channel = 1, .log = ours, .state = LOCAL_RECEIVED},
		{.letter = true, .channel = 1, .log = ours, .state = LOCAL_READ},
		{.channel = 1, .log = ours, .state = LOCAL_READ},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hand hand = hand_make(world, 0);
		struct naming naming = naming_of(world, cases[i].refused ? refused : identity);
		struct entry_key by = {
			.channel = cases[i].channel, .log = cases[i].log, .incarnation = 1, .position = 99};
		if (cases[i].letter)
			naming.target = first;
		struct row_key awaited = key_awaited(&naming, &by);
		uint64_t before = unread(world);
		struct number number;
		if (cases[i].refused)
			refuse(world, &naming.target);
		put_awaited(world, &naming, &by);
		assert_int_equal(hand_run(&hand, come, &naming), ERROR_OK);
		assert_int_equal(entry_at(world, &naming.target).state, cases[i].state);
		assert_false(world_row(world, 0, &awaited, &schema_number, &number));
		bool read = cases[i].state == LOCAL_READ && !cases[i].letter;
		assert_int_equal(before - unread(world), read ? 1 : 0);
	}
	world_free(world);
}

/* An own entry that one post refused and another reads: what it says counts. */
static void an_own_entry_that_was_refused_by_one_is_read_by_another(void **state)
{
	struct world *world = world_open_line(441);
	struct hand hand = hand_make(world, 0);
	uint8_t identity[IDENTITY_SIZE];

	talk(world, 0, "ours", identity);
	struct naming naming = naming_of(world, identity);
	const struct entry_key by = {
		.channel = 1, .log = world_log_of(world, 1), .incarnation = 1, .position = 99};
	refuse(world, &naming.target);
	put_awaited(world, &naming, &by);
	assert_int_equal(hand_run(&hand, come, &naming), ERROR_OK);
	assert_int_equal(entry_at(world, &naming.target).state, LOCAL_READ);
	world_free(world);
}

/* As many as others like may name it; and what they stand on must be there. */
static void so_many_words_are_looked_at_when_what_they_name_comes(void **state)
{
	struct world *world = world_open_line(442);
	struct hand hand = hand_make(world, 0);
	uint8_t identity[IDENTITY_SIZE];

	talk(world, 1, "theirs", identity);
	struct naming naming = naming_of(world, identity);
	struct entry_key by = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	for (by.position = 100; by.position < 100 + AWAITED_ONCE + 1; by.position++)
		put_awaited(world, &naming, &by);
	struct row_key keys[] = {key_channel(TABLE_CHANNEL, 1), key_entry(TABLE_ENTRY, &naming.target)};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		store_delete(&world->posts[0].store, key_view(&keys[i]));
		assert_int_equal(hand_run(&hand, come, &naming), ERROR_MALFORMED);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	assert_int_equal(world_count(world, 0, TABLE_AWAITED), AWAITED_ONCE + 1);
	assert_int_equal(hand_run(&hand, come, &naming), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_AWAITED), 1);
	assert_int_equal(entry_at(world, &naming.target).state, LOCAL_READ);
	world_free(world);
}

/* ---- the first entry of an incarnation, and answers ---- */

struct filing {
	struct content *content;
	struct entry_key place;
	bool own;
};

static enum error file(struct run *run, void *context)
{
	const struct filing *filing = context;
	struct registry_entry registry_entry = {.channel = 1, .party = 1, .slot = 1};
	struct entry entry = {.kind = filing->content->kind};

	registry_entry.content = filing->content;
	return effects_of(run, &registry_entry, &filing->place, &entry, filing->own);
}

/* That of an older one may come later than that of a newer one. */
static void an_incarnation_that_comes_late_takes_nothing_back(void **state)
{
	struct world *world = world_open_line(443);
	struct hand hand = hand_make(world, 0);
	struct filing filing = {.content = calloc(1, sizeof(*filing.content))};
	struct row_key key = key_line(1, world_log_of(world, 1));

	filing.content->kind = CONTENT_INCARNATION;
	filing.content->of.incarnation.previous = 1;
	filing.place = (struct entry_key){.channel = 1, .log = world_log_of(world, 1)};
	for (filing.place.incarnation = 3; filing.place.incarnation > 1; filing.place.incarnation--) {
		assert_int_equal(hand_run(&hand, file, &filing), ERROR_OK);
		assert_int_equal(talk_line(world, 0, 1).incarnation, 3);
		assert_int_equal(hand.last_alert, ERROR_NEW_INCARNATION);
	}
	store_delete(&world->posts[0].store, key_view(&key));
	assert_int_equal(hand_run(&hand, file, &filing), ERROR_MALFORMED);
	free(filing.content);
	world_free(world);
}

static void an_answer_to_what_stands_in_a_spoilt_row_is_not_filed(void **state)
{
	struct world *world = world_open_line(444);
	struct hand hand = hand_make(world, 0);
	struct filing filing = {.content = calloc(1, sizeof(*filing.content)), .own = true};
	struct row_key key = key_identity(filing.content->of.message.answers);

	filing.content->kind = CONTENT_MESSAGE;
	filing.content->of.message.has_answers = true;
	filing.place = (struct entry_key){.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	store_put(&world->posts[0].store, key_view(&key), bytes_of_text("spoilt"));
	assert_int_equal(hand_run(&hand, file, &filing), ERROR_MALFORMED);
	free(filing.content);
	world_free(world);
}

/* ---- commits ---- */

/* A commit of a batch in which the log of channel 1 grew. */
static enum error commit(struct run *run, void *context)
{
	(void)context;
	batch_note_channel(run, 1);
	return commit_handle(run);
}

static size_t count_actions(const struct world *world, enum record_action_kind kind,
			    const struct record_action **last)
{
	const struct run *run = &world->posts[0].record->run;
	size_t count = 0;

	for (size_t i = 0; i < run->actions_count; i++) {
		if (run->actions[i].kind != kind)
			continue;
		*last = &run->actions[i];
		count++;
	}
	return count;
}

/* Nothing is signed over rows that are not as they were left. */
static void no_head_is_signed_over_a_spoilt_store(void **state)
{
	struct world *world = world_open_line(445);
	struct hand hand = hand_make(world, 0);
	struct row_key longer = key_channel(TABLE_ANCHOR, 1);

	key_u8(&longer, 0);
	const struct row_key keys[] = {
		key_channel(TABLE_CHANNEL, 1),
		key_line(1, world_log_of(world, 0)),
		key_log(TABLE_LOG, 1, world_log_of(world, 0), 1),
		key_channel(TABLE_ANCHOR, 2), /* of a channel that is not there */
		longer,
	};
	const struct anchor_line shadow = {.incarnation = 1, .size = 1};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		if (i < 2)
			store_delete(&world->posts[0].store, key_view(&keys[i]));
		else if (i == 2)
			world_put_row(world, 0, &keys[i], &schema_pending, &other_row);
		else
			world_put_row(world, 0, &keys[i], &schema_anchor_line, &shadow);
		assert_int_equal(hand_run(&hand, commit, NULL), ERROR_MALFORMED);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	struct row_key anchor = key_channel(TABLE_ANCHOR, 2);
	world_put_row(world, 0, &anchor, &schema_pending, &other_row);
	assert_int_equal(hand_run(&hand, commit, NULL), ERROR_MALFORMED);
	store_delete(&world->posts[0].store, key_view(&anchor));
	struct row_key log_key = keys[2];
	struct log log;
	assert_true(world_row(world, 0, &log_key, &schema_log, &log));
	uint8_t frontier[MERKLE_FRONTIER_SIZE_MAX];
	memcpy(frontier, log.frontier.data, log.frontier.size);
	log.frontier = bytes_make(frontier, log.frontier.size - 1);
	world_put_row(world, 0, &log_key, &schema_log, &log);
	assert_int_equal(hand_run(&hand, commit, NULL), ERROR_MALFORMED);
	world_free(world);
}

/* As many as there are channels: each is named once. */
static void the_anchor_names_the_logs_of_all_channels(void **state)
{
	struct world *world = world_open_line(446);
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	const struct anchor_line shadow = {.incarnation = 1, .size = 1};
	static struct anchor_entry entries[CHANNELS_MAX];
	const struct record_action *action = NULL;
	struct channel channel;
	size_t count;

	for (uint64_t i = 2; i <= CHANNELS_MAX; i++) {
		struct row_key other = key_channel(TABLE_CHANNEL, i);
		assert_true(world_row(world, 0, &key, &schema_channel, &channel));
		channel.id[0] = (uint8_t)i;
		channel.id[1] ^= 1;
		hand_put(&hand, &other, &schema_channel, &channel);
		other = key_channel(TABLE_ANCHOR, i);
		world_put_row(world, 0, &other, &schema_anchor_line, &shadow);
	}
	assert_int_equal(hand_run(&hand, commit, NULL), ERROR_OK);
	assert_int_equal(count_actions(world, RECORD_ACTION_ANCHOR, &action), 1);
	assert_int_equal(anchor_decode(action->bytes, entries, &count), ERROR_OK);
	assert_int_equal(count, CHANNELS_MAX);
	assert_memory_equal(entries[0].channel, world->channel, sizeof(entries[0].channel));
	for (size_t i = 1; i < count; i++)
		assert_int_equal(entries[i].channel[0], i + 1);
	world_free(world);
}

/* An officer's words and a verdict of the commit itself may grow one log: its head is signed once. */
static void a_log_that_grew_twice_in_a_batch_has_one_head_signed(void **state)
{
	struct world *world = world_open_line(447);
	struct run *run = &world->posts[0].record->run;
	struct hand hand = hand_make(world, 0);
	const struct record_action *action;

	run->batch.channels[0] = 1;
	run->batch.channels_count = 1;
	assert_int_equal(hand_run(&hand, commit, NULL), ERROR_OK);
	run->batch.channels_count = 0;
	assert_int_equal(count_actions(world, RECORD_ACTION_HEAD, &action), 1);
	world_free(world);
}

/* The shell ends a batch before an event comes whose notes would not fit. */
static void a_batch_ends_before_it_is_full(void **state)
{
	struct world *world = world_make_pair(448);
	struct record *record = world->posts[0].record;
	struct batch *batch = &record->run.batch;

	batch->items_count = BATCH_ITEMS_MAX - BATCH_NOTED_MAX;
	batch->verdicts_count = BATCH_VERDICT_MAX - BATCH_NOTED_MAX;
	assert_true(record_room(record));
	batch->items_count++;
	assert_false(record_room(record));
	batch->items_count = 0;
	batch->verdicts_count++;
	assert_false(record_room(record));
	batch->verdicts_count = 0;
	assert_true(record_room(record));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_its_reader_moves_an_entry),
		cmocka_unit_test(an_own_entry_that_was_refused_by_one_is_read_by_another),
		cmocka_unit_test(so_many_words_are_looked_at_when_what_they_name_comes),
		cmocka_unit_test(an_incarnation_that_comes_late_takes_nothing_back),
		cmocka_unit_test(an_answer_to_what_stands_in_a_spoilt_row_is_not_filed),
		cmocka_unit_test(no_head_is_signed_over_a_spoilt_store),
		cmocka_unit_test(the_anchor_names_the_logs_of_all_channels),
		cmocka_unit_test(a_log_that_grew_twice_in_a_batch_has_one_head_signed),
		cmocka_unit_test(a_batch_ends_before_it_is_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
