/*
 * Which heads a post tells, and what it says of them, by what stands in its rows: such as councils, restores
 * and hostile parties leave there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/statement.h"
#include "record/heads.h"
#include "record/keys.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

#define OTHERS    64 /* posts of the other party, one for each slot */
#define SENT_ONCE 16 /* statements of one event */

/* ---- rows ---- */

static void put_line(struct world *world, size_t post, uint64_t log, const struct line *line)
{
	struct row_key key = key_line(1, log);
	world_put_row(world, post, &key, &schema_line, line);
}

/* A view in *line must not be of the store that it is put into. */
static struct line line_of(const struct world *world, size_t at, size_t of)
{
	struct line line = talk_line(world, at, of);

	line.name = bytes_of_text("Post");
	return line;
}

/* The log of this slot of the party of post 1. */
static uint64_t other_log(const struct world *world, uint64_t slot)
{
	return log_number(log_roster_index(world_log_of(world, 1)), slot);
}

static void put_former(struct world *world, uint64_t log, uint64_t incarnation, uint64_t size,
		       uint64_t cosigned_at)
{
	struct row_key key = key_log(TABLE_HEAD, 1, log, incarnation);
	struct former_head head = {.size = size, .cosigned_at = cosigned_at};

	world_put_row(world, 0, &key, &schema_former_head, &head);
}

/* ---- what is run ---- */

static enum error tick(struct run *run, void *context)
{
	(void)context;
	return heads_tick(run);
}

static struct state state_of(const struct world *world)
{
	struct row_key key = key_make(TABLE_STATE);
	struct state state;

	assert_true(world_row(world, 0, &key, &schema_state, &state));
	return state;
}

/* As if heads were last looked at long ago. */
static enum error tick_at(struct world *world)
{
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_make(TABLE_STATE);
	struct state state = state_of(world);

	state.heads_ms = 0;
	world_put_row(world, 0, &key, &schema_state, &state);
	return hand_run(&hand, tick, NULL);
}

/* The state afterwards. */
static struct state tick_at_once(struct world *world)
{
	assert_int_equal(tick_at(world), ERROR_OK);
	return state_of(world);
}

/* The statement of heads that waits at post 0 for a slot of the other party (or the own, 0); false: none. */
static bool statement_for(const struct world *world, uint64_t party, uint64_t slot,
			  struct heads_statement *heads)
{
	static const uint8_t prefix = TABLE_STATEMENT;
	struct statement_copy statement;
	struct cose_signed object;
	struct row row;
	size_t at = 0;

	while (store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row)) {
		assert_int_equal(schema_read(&schema_statement_copy, row.value, &statement), ERROR_OK);
		if (statement.kind != STATEMENT_HEADS || statement.party != party || statement.slot != slot)
			continue;
		assert_int_equal(cose_signed_decode(statement.cose, &object), ERROR_OK);
		assert_int_equal(heads_decode(object.payload, heads), ERROR_OK);
		return true;
	}
	return false;
}

/* An open line whose posts have agreed on their heads; from now on all waits. */
static struct world *open_line(uint64_t seed)
{
	struct world *world = world_open_line(seed);

	talk(world, 0, "one", NULL);
	talk(world, 1, "two", NULL);
	world_run(world, 600000, 10000);
	world->posts[0].mute = true;
	return world;
}

/* ---- tests ---- */

static void who_asks_for_all_former_heads_is_told_the_newest(void **state)
{
	struct world *world = open_line(420);
	uint64_t log = world_log_of(world, 1);
	struct line line = line_of(world, 0, 1);
	static struct heads_statement heads;

	line.incarnation = line.head_incarnation = 20;
	line.asked = 1;
	put_line(world, 0, log, &line);
	for (uint64_t i = 1; i < 20; i++)
		if (i != 11)                                           /* nothing is kept of it */
			put_former(world, log, i, 7, i == 10 ? 0 : 1); /* one is not cosigned here */
	tick_at_once(world);
	assert_true(statement_for(world, 1, world->posts[1].slot, &heads));
	assert_int_equal(heads.heads[0].log, world_log_of(world, 0));
	size_t told = 1;
	for (uint64_t i = 20 - HEADS_FORMER_MAX; i <= 20; i++) {
		if (i == 10 || i == 11)
			continue;
		assert_true(told < heads.heads_count);
		assert_int_equal(heads.heads[told].log, log);
		assert_int_equal(heads.heads[told++].incarnation, i);
	}
	assert_int_equal(heads.heads_count, told);
	assert_int_equal(talk_line(world, 0, 1).asked, 0);
	world_free(world);
}

/* A statement has room for so many heads, and an event for so many statements: the next ones follow. */
static void all_posts_are_told_some_in_each_event(void **state)
{
	struct world *world = open_line(421);
	struct line line = line_of(world, 0, 1);
	static struct heads_statement heads;
	struct heads_statement *one = &heads;

	line.heads_sent_ms = 0;
	line.heads_serial = 0;
	for (uint64_t slot = 0; slot < OTHERS; slot++) {
		line.asked = slot == 60 ? 1 : 0;
		line.head_incarnation = slot == 60 ? 20 : 1;
		put_line(world, 0, other_log(world, slot), &line);
	}
	for (uint64_t i = 1; i < 20; i++)
		put_former(world, other_log(world, 60), i, 7, 1);
	for (size_t told = SENT_ONCE; told <= OTHERS; told += SENT_ONCE) {
		struct state after = tick_at_once(world);
		assert_int_equal(after.heads_ms, 0); /* there may be more */
		size_t count = 0;
		for (uint64_t slot = 0; slot < OTHERS; slot++)
			count += statement_for(world, 1, slot, one);
		assert_int_equal(count, told);
	}
	assert_true(tick_at_once(world).heads_ms > 0);
	for (uint64_t slot = 0; slot < OTHERS; slot++) {
		assert_true(statement_for(world, 1, slot, one));
		assert_int_equal(one->heads_count, HEADS_STATED_MAX);
		/* To the one that asked: those before it, and what there is room for of what it asked for. */
		if (slot != 60)
			continue;
		assert_int_equal(one->heads[60].log, other_log(world, 59));
		for (uint64_t i = 61; i < HEADS_STATED_MAX; i++) {
			assert_int_equal(one->heads[i].log, other_log(world, 60));
			assert_int_equal(one->heads[i].incarnation, 20 - HEADS_FORMER_MAX + i - 61);
		}
	}
	world_free(world);
}

/* More than any channel has: the first ones are told, and nothing else happens. */
static void so_many_posts_of_a_channel_are_looked_at(void **state)
{
	struct world *world = open_line(422);
	static struct heads_statement heads;
	const struct line silent = {.incarnation = 1}; /* no opening names its keys */
	struct line line = line_of(world, 0, 1);

	line.heads_sent_ms = 0;
	put_line(world, 0, world_log_of(world, 1), &line);
	for (uint64_t i = 0; i < KEYS_POSTS_MAX; i++)
		put_line(world, 0, 2 * POST_SLOTS + i, &silent);
	tick_at_once(world);
	assert_true(statement_for(world, 1, world->posts[1].slot, &heads));
	assert_int_equal(heads.heads_count, 2);
	world_free(world);
}

/* A post that cannot sign for its log, or is not sure of it, tells nothing. */
static void without_a_head_of_the_own_log_nothing_is_told(void **state)
{
	struct world *world = open_line(423);
	struct line other = line_of(world, 0, 1);
	struct line own = line_of(world, 0, 0);
	uint64_t own_log = world_log_of(world, 0);
	struct row_key key = key_line(1, own_log);
	static struct heads_statement heads;

	other.heads_sent_ms = 0;
	put_line(world, 0, world_log_of(world, 1), &other);
	for (size_t i = 0; i < 4; i++) {
		struct line line = own;
		line.head_size = i == 0 ? 0 : own.head_size;
		line.unsure = i == 1;
		put_line(world, 0, own_log, &line);
		if (i == 2)
			store_delete(&world->posts[0].store, key_view(&key));
		tick_at_once(world);
		assert_int_equal(statement_for(world, 1, world->posts[1].slot, &heads), i == 3);
	}
	world_free(world);
}

/* The proof leads from what that post cosigned last, where that is of this incarnation and not above. */
static void a_proof_is_given_from_what_the_receiver_cosigned(void **state)
{
	struct world *world = open_line(424);
	struct line other = line_of(world, 0, 1);
	struct line own = line_of(world, 0, 0);
	static struct heads_statement heads;
	const struct {
		uint64_t incarnation;
		uint64_t size;
		bool proof;
	} cases[] = {
		{.incarnation = 1, .size = 1, .proof = true},
		{.incarnation = 1, .size = own.head_size, .proof = true},
		{.incarnation = 1, .size = own.head_size + 1, .proof = false},
		{.incarnation = 1, .size = 0, .proof = false},
		{.incarnation = 2, .size = 1, .proof = false},
	};

	assert_int_equal(own.head_incarnation, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line line = other;
		struct store kept;
		line.heads_sent_ms = 0;
		line.heads_serial = 0;
		line.theirs_incarnation = cases[i].incarnation;
		line.theirs_size = cases[i].size;
		store_copy(&kept, &world->posts[0].store);
		put_line(world, 0, world_log_of(world, 1), &line);
		tick_at_once(world);
		assert_true(statement_for(world, 1, world->posts[1].slot, &heads));
		assert_int_equal(heads.has_proof, cases[i].proof);
		if (cases[i].proof)
			assert_int_equal(heads.old_size, cases[i].size);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	world_free(world);
}

/* Another party's post must have receipted its first entry; a sibling gets it by the same store's word. */
static void a_new_incarnation_is_told_to_those_who_hold_its_first_entry(void **state)
{
	struct world *world = open_line(425);
	uint64_t own_log = world_log_of(world, 0);
	struct entry_key place = {.channel = 1, .log = own_log, .incarnation = 1};
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	uint64_t bit = UINT64_C(1) << log_roster_index(world_log_of(world, 1));
	struct line line = line_of(world, 0, 1);
	struct line own = line_of(world, 0, 0);
	static struct heads_statement heads;
	struct entry entry;
	uint8_t leaf[LEAF_SIZE_MAX];

	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	assert_true(entry.leaf.size <= sizeof(leaf));
	memcpy(leaf, entry.leaf.data, entry.leaf.size);
	entry.leaf.data = leaf;
	entry.subject = bytes_make(NULL, 0);
	entry.times = bytes_make(NULL, 0);
	entry.received = 0;
	place.incarnation = 2;
	key = key_entry(TABLE_ENTRY, &place);
	world_put_row(world, 0, &key, &schema_entry, &entry);
	own.incarnation = own.head_incarnation = 2;
	put_line(world, 0, own_log, &own);
	line.heads_sent_ms = line.heads_serial = 0;
	line.former_told = 2; /* nothing of the former one */
	put_line(world, 0, world_log_of(world, 1), &line);
	put_line(world, 0, own_log + 5, &line);
	tick_at_once(world);
	assert_true(statement_for(world, 0, world->posts[0].slot + 5, &heads));
	assert_false(statement_for(world, 1, world->posts[1].slot, &heads));
	entry.received = bit;
	world_put_row(world, 0, &key, &schema_entry, &entry);
	tick_at_once(world);
	assert_true(statement_for(world, 1, world->posts[1].slot, &heads));
	world_free(world);
}

/* ---- how heads stand ---- */

struct standing {
	struct channel channel;
	enum local_heads heads;
	uint64_t cosigned_at;
};

static enum error stand(struct run *run, void *context)
{
	struct standing *standing = context;

	enum error error = registry_channel(run, 1, &standing->channel);
	return error == ERROR_OK
		       ? heads_stand(run, 1, &standing->channel, &standing->heads, &standing->cosigned_at)
		       : error;
}

/* The worst of all counts, the own log's too; and of those that agree, the oldest cosignature. */
static void status_tells_the_worst_of_all_heads(void **state)
{
	static const struct {
		uint64_t theirs_at[2]; /* of two other posts */
		bool second_has_keys;
		bool forked;
		bool own_disagrees;
		enum local_heads heads;
		uint64_t cosigned_at;
	} cases[] = {
		{{100, 200}, true, false, false, LOCAL_HEADS_AGREE, 100},
		{{200, 100}, true, false, false, LOCAL_HEADS_AGREE, 100},
		{{200, 100}, false, false, false, LOCAL_HEADS_AGREE, 200},
		{{100, 200}, true, false, true, LOCAL_HEADS_DIFFER, 0},
		{{100, 200}, true, true, true, LOCAL_HEADS_FORKED, 0},
		{{100, 200}, true, true, false, LOCAL_HEADS_FORKED, 0},
	};
	struct world *world = open_line(426);
	/* At either, so that the own log comes first, and last. */
	for (size_t at = 0; at < 2; at++) {
		struct hand hand = hand_make(world, at);
		uint64_t other = world_log_of(world, 1 - at);
		struct line own = line_of(world, at, at);
		struct line line = line_of(world, at, 1 - at);
		assert_true(line.cosigned_at != 0 && line.theirs_size != 0);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct standing standing;
			struct line second = line;
			own.disagrees = cases[i].own_disagrees;
			put_line(world, at, world_log_of(world, at), &own);
			line.forked = cases[i].forked;
			line.theirs_at = cases[i].theirs_at[0];
			put_line(world, at, other, &line);
			second.theirs_at = cases[i].theirs_at[1];
			if (!cases[i].second_has_keys)
				memset(second.log_key, 0, sizeof(second.log_key));
			put_line(world, at, other + 3, &second);
			assert_int_equal(hand_run(&hand, stand, &standing), ERROR_OK);
			assert_int_equal(standing.heads, cases[i].heads);
			assert_int_equal(standing.cosigned_at, cases[i].cosigned_at);
		}
	}
	world_free(world);
}

/* ---- of former own incarnations ---- */

static enum error compare_own(struct run *run, void *context)
{
	return heads_compare_own(run, context);
}

/* It is told once, and accuses nobody. */
static void an_own_order_that_is_not_that_of_the_own_head_is_told_once(void **state)
{
	struct world *world = open_line(427);
	struct hand hand = hand_make(world, 0);
	struct entry_key log = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct row_key key = key_line(1, log.log);

	put_former(world, log.log, 1, 1, 0); /* of a root that is all zeros */
	assert_int_equal(hand_run(&hand, compare_own, &log), ERROR_OK);
	assert_int_equal(hand.alerts, 1);
	assert_int_equal(hand.last_alert, ERROR_BAD_PROOF);
	assert_int_equal(talk_line(world, 0, 0).disagrees, 1);
	assert_int_equal(hand_run(&hand, compare_own, &log), ERROR_OK);
	assert_int_equal(hand.alerts, 0);
	assert_int_equal(talk_line(world, 0, 0).disagrees, 1);
	assert_int_equal(talk_line(world, 0, 0).forked, 0);
	store_delete(&world->posts[0].store, key_view(&key));
	assert_int_equal(hand_run(&hand, compare_own, &log), ERROR_MALFORMED);
	world_free(world);
}

static void heads_of_a_channel_whose_terms_are_spoilt_are_not_told(void **state)
{
	struct world *world = open_line(428);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;

	tick_at_once(world);
	assert_true(world_row(world, 0, &key, &schema_channel, &channel));
	uint8_t terms[TERMS_SIZE_MAX];
	memcpy(terms, channel.terms.data, channel.terms.size);
	uint8_t parties[2];
	memcpy(parties, channel.parties.data, sizeof(parties));
	channel.terms = bytes_make(terms, channel.terms.size - 1);
	channel.parties = bytes_make(parties, sizeof(parties));
	world_put_row(world, 0, &key, &schema_channel, &channel);
	assert_int_equal(tick_at(world), ERROR_MALFORMED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_for_all_former_heads_is_told_the_newest),
		cmocka_unit_test(all_posts_are_told_some_in_each_event),
		cmocka_unit_test(so_many_posts_of_a_channel_are_looked_at),
		cmocka_unit_test(without_a_head_of_the_own_log_nothing_is_told),
		cmocka_unit_test(a_proof_is_given_from_what_the_receiver_cosigned),
		cmocka_unit_test(a_new_incarnation_is_told_to_those_who_hold_its_first_entry),
		cmocka_unit_test(status_tells_the_worst_of_all_heads),
		cmocka_unit_test(an_own_order_that_is_not_that_of_the_own_head_is_told_once),
		cmocka_unit_test(heads_of_a_channel_whose_terms_are_spoilt_are_not_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
