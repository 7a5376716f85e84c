/*
 * What a post makes of the keys that stand in its rows: such as a clock that was set, a keying that came
 * late, a hostile card or a spoilt store leave there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "record/keys.h"
#include "tests/unit/record/hand.h"

#define DAY_MS   UINT64_C(86400000)
#define WINDOW_S UINT64_C(1209600)

static const uint8_t zeros[PUBLIC_KEY_SIZE];

/* ---- rows of post 0 about post 1 ---- */

static struct row_key key_of(const struct world *world, enum table table)
{
	return key_party_post(table, 1, world->posts[1].slot);
}

static struct leaf_row leaf_of(const struct world *world)
{
	struct row_key key = key_of(world, TABLE_LEAF_OUT);
	struct leaf_row leaf;

	assert_true(world_row(world, 0, &key, &schema_leaf_row, &leaf));
	return leaf;
}

static void put_leaf(struct world *world, const struct leaf_row *leaf)
{
	struct row_key key = key_of(world, TABLE_LEAF_OUT);
	world_put_row(world, 0, &key, &schema_leaf_row, leaf);
}

/* As they came; their views are into the store, and are taken anew each time. */
static struct prekeys_row prekeys_of(const struct world *world)
{
	struct row_key key = key_of(world, TABLE_PREKEYS);
	struct prekeys_row prekeys;

	assert_true(world_row(world, 0, &key, &schema_prekeys_row, &prekeys));
	return prekeys;
}

static void put_prekeys(struct world *world, const struct prekeys_row *prekeys)
{
	struct row_key key = key_of(world, TABLE_PREKEYS);
	world_put_row(world, 0, &key, &schema_prekeys_row, prekeys);
}

static struct state state_of(const struct world *world)
{
	struct row_key key = key_make(TABLE_STATE);
	struct state state;

	assert_true(world_row(world, 0, &key, &schema_state, &state));
	return state;
}

static void put_state(struct world *world, const struct state *state)
{
	struct row_key key = key_make(TABLE_STATE);
	world_put_row(world, 0, &key, &schema_state, state);
}

/* ---- what is run ---- */

struct sealing {
	struct keys_target target;
	struct bytes plaintext;
	uint8_t sealed[1024];
	size_t size;
	bool last_resort;
	enum error reason;
};

/* One more row is read behind it, so that it is run once more. */
static enum error seal(struct run *run, void *context)
{
	static const uint8_t nobody[IDENTITY_SIZE];
	struct row_key key = key_identity(nobody);
	struct sealing *sealing = context;
	struct entry_key place;
	struct bytes sealed;

	enum error error = keys_seal(run, &sealing->target, sealing->plaintext, &sealed,
				     &sealing->last_resort, &sealing->reason);
	if (error != ERROR_OK)
		return error;
	if (sealing->reason == ERROR_OK) {
		assert_true(sealed.size <= sizeof(sealing->sealed));
		memcpy(sealing->sealed, sealed.data, sealed.size);
		sealing->size = sealed.size;
	}
	error = run_get(run, &key, &schema_entry_key, &place);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* Sixteen bytes, which are their own bucket, from post 0 to post 1. */
static struct sealing seal_to(struct world *world)
{
	struct hand hand = hand_make(world, 0);
	struct sealing sealing = {
		.target = {.party = 1, .slot = world->posts[1].slot, .window_s = WINDOW_S},
		.plaintext = bytes_of_text("sixteen bytes ok"),
	};

	assert_int_equal(hand_run(&hand, seal, &sealing), ERROR_OK);
	return sealing;
}

struct opening {
	struct bytes sealed;
	struct keys_opened opened;
	enum error reason;
};

static enum error open_sealed(struct run *run, void *context)
{
	struct opening *opening = context;
	return keys_open(run, opening->sealed, &opening->opened, &opening->reason);
}

static struct opening open_at(struct world *world, size_t post, struct bytes sealed)
{
	struct hand hand = hand_make(world, post);
	struct opening opening = {.sealed = sealed};

	assert_int_equal(hand_run(&hand, open_sealed, &opening), ERROR_OK);
	return opening;
}

struct standing {
	struct post_number post;
	struct keys_stand stand;
};

static enum error stand(struct run *run, void *context)
{
	struct standing *standing = context;
	return keys_stand(run, &standing->post, 1, WINDOW_S, &standing->stand);
}

static enum error sweep(struct run *run, void *context)
{
	(void)context;
	return keys_sweep(run);
}

/* As when it was last swept long ago. */
static enum error sweep_at(struct world *world, size_t post)
{
	struct hand hand = hand_make(world, post);
	struct state state = state_of(world);

	state.swept_ms = 0;
	put_state(world, &state);
	return hand_run(&hand, sweep, NULL);
}

/* ---- tests ---- */

/*
 * The leaf only goes forward, and goes so far: where the clock or the other post would have an epoch that it
 * cannot give, the last resort serves. What STATUS says is what is done.
 */
static void the_epoch_that_is_sealed_to_is_one_that_leaf_and_prekeys_have(void **state)
{
	static const struct {
		uint64_t leaf;
		uint64_t first_epoch;
		uint64_t epoch; /* UINT64_MAX: the last resort */
	} cases[] = {
		{.leaf = 0, .first_epoch = 0, .epoch = 0},
		{.leaf = 3, .first_epoch = 0, .epoch = 3},
		{.leaf = KEYS_AHEAD - 1, .first_epoch = 0, .epoch = KEYS_AHEAD - 1},
		{.leaf = KEYS_AHEAD, .first_epoch = 0, .epoch = UINT64_MAX},
		{.leaf = 0, .first_epoch = KEYING_STEPS_MAX, .epoch = KEYING_STEPS_MAX},
		{.leaf = 0, .first_epoch = KEYING_STEPS_MAX + 1, .epoch = UINT64_MAX},
	};
	struct world *world = world_open_line(400);
	struct leaf_row made = leaf_of(world);
	struct hand hand = hand_make(world, 0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prekeys_row prekeys = prekeys_of(world);
		struct leaf_row leaf = made;
		struct standing standing = {.post = {.party = 1, .slot = world->posts[1].slot}};
		bool last_resort = cases[i].epoch == UINT64_MAX;
		assert_int_equal(keying_step(leaf.leaf, cases[i].leaf), ERROR_OK);
		leaf.epoch = cases[i].leaf;
		put_leaf(world, &leaf);
		prekeys.first_epoch = cases[i].first_epoch;
		put_prekeys(world, &prekeys);
		struct sealing sealing = seal_to(world);
		assert_int_equal(sealing.reason, ERROR_OK);
		assert_int_equal(sealing.last_resort, last_resort);
		assert_int_equal(hand_run(&hand, stand, &standing), ERROR_OK);
		assert_int_equal(standing.stand.state, last_resort ? LOCAL_KEYS_ENDED : LOCAL_KEYS_EPOCHS);
		if (cases[i].first_epoch != 0)
			continue;
		struct opening opening = open_at(world, 1, bytes_make(sealing.sealed, sealing.size));
		assert_int_equal(opening.reason, ERROR_OK);
		assert_int_equal(opening.opened.has_epoch, !last_resort);
		assert_int_equal(opening.opened.epoch, last_resort ? 0 : cases[i].epoch);
	}
	world_free(world);
}

/* Such rows are a defect of the store: the event ends, and nothing is sealed to what they say. */
static void prekeys_that_are_of_no_form_are_not_sealed_to(void **state)
{
	static const struct {
		size_t size;
		uint64_t length_s;
	} cases[] = {
		{.size = 0, .length_s = 86400},
		{.size = (EPOCHS_AHEAD_MAX + 1) * PUBLIC_KEY_SIZE, .length_s = 86400},
		{.size = PUBLIC_KEY_SIZE + 1, .length_s = 86400},
		{.size = PUBLIC_KEY_SIZE, .length_s = 0},
	};
	static uint8_t keys[(EPOCHS_AHEAD_MAX + 1) * PUBLIC_KEY_SIZE];
	struct world *world = world_open_line(401);
	struct hand hand = hand_make(world, 0);

	world_run(world, DAY_MS / 4, DAY_MS / 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prekeys_row prekeys = prekeys_of(world);
		struct standing standing = {.post = {.party = 1, .slot = world->posts[1].slot}};
		struct sealing sealing = {.target = {.party = 1, .slot = world->posts[1].slot}};
		prekeys.keys = bytes_make(keys, cases[i].size);
		prekeys.length_s = cases[i].length_s;
		put_prekeys(world, &prekeys);
		assert_int_equal(hand_run(&hand, seal, &sealing), ERROR_MALFORMED);
		assert_int_equal(hand_run(&hand, stand, &standing), ERROR_MALFORMED);
		assert_int_equal(sweep_at(world, 0), ERROR_MALFORMED);
	}
	world_free(world);
}

/* Of small order: whoever published it would have all that is sealed to it open to everybody. */
static void a_key_that_is_no_point_is_not_sealed_to(void **state)
{
	struct world *world = world_open_line(402);
	struct hand hand = hand_make(world, 0);
	struct prekeys_row prekeys = prekeys_of(world);

	prekeys.keys = bytes_make(zeros, sizeof(zeros));
	memset(prekeys.last_resort, 0, sizeof(prekeys.last_resort));
	put_prekeys(world, &prekeys);
	for (size_t last_resort = 0; last_resort < 2; last_resort++) {
		struct sealing sealing = {
			.target = {.party = 1, .slot = world->posts[1].slot, .window_s = WINDOW_S},
			.plaintext = bytes_of_text("sixteen bytes ok"),
		};
		sealing.target.last_resort = last_resort != 0;
		assert_int_equal(hand_run(&hand, seal, &sealing), ERROR_OK);
		assert_int_equal(sealing.reason, ERROR_BAD_KEY);
		assert_int_equal(sealing.last_resort, last_resort);
	}
	world_free(world);
}

/* The sending leaf goes on to what was in use a window ago, as far as it can at once, and never back. */
static void the_sending_leaf_is_stepped_forward_alone(void **state)
{
	static const struct {
		uint64_t leaf;
		uint64_t seen;
		uint64_t current;
		uint64_t after;
		uint64_t seen_after;
	} cases[] = {
		{.leaf = 5, .seen = 0, .current = 5, .after = 5, .seen_after = 0},
		{.leaf = 5, .seen = 0, .current = 7, .after = 5, .seen_after = 7},
		{.leaf = 5, .seen = 7, .current = 9, .after = 7, .seen_after = 0},
		{.leaf = 5, .seen = 9, .current = 7, .after = 7, .seen_after = 0},
		{.leaf = 5, .seen = 3, .current = 7, .after = 5, .seen_after = 0},
		{.leaf = 5, .seen = 9000, .current = 9001, .after = 5 + KEYING_STEPS_MAX, .seen_after = 0},
	};
	struct world *world = world_open_line(403);

	world_run(world, 15 * DAY_MS, DAY_MS / 4);
	struct leaf_row made = leaf_of(world);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prekeys_row prekeys = prekeys_of(world);
		struct leaf_row leaf = made;
		leaf.epoch = cases[i].leaf;
		leaf.seen_epoch = cases[i].seen;
		leaf.seen_ms = 1;
		put_leaf(world, &leaf);
		prekeys.first_epoch = cases[i].current;
		prekeys.start = world->now_ms / 1000;
		put_prekeys(world, &prekeys);
		assert_int_equal(sweep_at(world, 0), ERROR_OK);
		struct leaf_row after = leaf_of(world);
		assert_int_equal(after.epoch, cases[i].after);
		assert_int_equal(after.seen_epoch, cases[i].seen_after);
		assert_int_equal(keying_step(leaf.leaf, cases[i].after - cases[i].leaf), ERROR_OK);
		assert_memory_equal(after.leaf, leaf.leaf, sizeof(leaf.leaf));
	}
	world_free(world);
}

static enum error name_post(struct run *run, void *context)
{
	const struct world *world = context;
	return keys_post_named(run, 1, world->posts[1].slot);
}

/* Too many steps to take at once: it is left as it is, until the next keying. */
static void a_receiving_leaf_that_fell_far_behind_opens_nothing(void **state)
{
	struct world *world = world_open_line(404);
	struct hand hand = hand_make(world, 0);
	struct state own = state_of(world);
	struct row_key key = keys_leaf_row(1, world->posts[1].slot, 1);
	struct leaf_row before;
	struct leaf_row after;

	assert_true(world_row(world, 0, &key, &schema_leaf_row, &before));
	size_t psks = world_count(world, 0, TABLE_PSK);
	own.epoch_first = before.epoch + KEYING_STEPS_MAX + 1;
	own.epoch_next = own.epoch_first + 2;
	put_state(world, &own);
	assert_int_equal(hand_run(&hand, name_post, world), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_PSK), psks);
	assert_true(world_row(world, 0, &key, &schema_leaf_row, &after));
	assert_int_equal(after.epoch, before.epoch);
	own.epoch_first--; /* as far as it can be stepped */
	put_state(world, &own);
	assert_int_equal(hand_run(&hand, name_post, world), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_PSK), psks + 3);
	world_free(world);
}

static enum error doubt(struct run *run, void *context)
{
	(void)context;
	keys_doubt(run);
	return ERROR_OK;
}

/* The numbers of prekeys go on from the time, but not from that of a clock that shows the year 2100. */
static void a_clock_far_ahead_uses_up_no_numbers_of_prekeys(void **state)
{
	static const uint64_t times[] = {4000000001, 4000000000};
	struct world *world = world_open_line(405);
	struct hand hand = hand_make(world, 0);
	uint64_t number = state_of(world).prekeys_number;

	for (size_t i = 0; i < 2; i++) {
		world->now_ms = times[i] * 1000;
		assert_int_equal(hand_run(&hand, doubt, NULL), ERROR_OK);
		assert_int_equal(state_of(world).prekeys_number, i == 0 ? number : times[i]);
		assert_int_equal(state_of(world).restored, 1);
	}
	world->now_ms = 1000 * number; /* a clock that was set back takes none back */
	assert_int_equal(hand_run(&hand, doubt, NULL), ERROR_OK);
	assert_int_equal(state_of(world).prekeys_number, times[1]);
	world_free(world);
}

static enum error count_posts(struct run *run, void *context)
{
	struct post_number *posts;
	return keys_posts(run, &posts, context);
}

/* The cards of others name as many as they like. */
static void no_more_posts_are_looked_at_than_there_is_room_for(void **state)
{
	struct world *world = world_open_line(406);
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_of(world, TABLE_PARTY_POST);
	struct party_post post;
	size_t count;

	assert_true(world_row(world, 0, &key, &schema_party_post, &post));
	assert_int_equal(hand_run(&hand, count_posts, &count), ERROR_OK);
	assert_int_equal(count, 1);
	for (uint64_t i = 0; i < KEYS_POSTS_MAX; i++) {
		key = key_party_post(TABLE_PARTY_POST, 2 + i / POST_SLOTS, i % POST_SLOTS);
		world_put_row(world, 0, &key, &schema_party_post, &post);
	}
	assert_int_equal(hand_run(&hand, count_posts, &count), ERROR_OK);
	assert_int_equal(count, KEYS_POSTS_MAX);
	world_free(world);
}

/* Ids of PSKs are short: some repeat by chance, and whoever made more of them repeat would make us work. */
static void so_many_keys_of_one_id_are_tried(void **state)
{
	struct world *world = world_open_line(407);
	struct sealing sealing = seal_to(world);
	struct bytes bytes = bytes_make(sealing.sealed, sealing.size);
	struct cose_sealed object;
	struct psk psk = {.keying = 1};

	assert_int_equal(cose_sealed_decode(bytes, &object), ERROR_OK);
	memcpy(psk.id, object.psk_id.data, sizeof(psk.id));
	for (uint64_t i = 0; i < 8; i++) {
		struct opening opening = open_at(world, 1, bytes);
		assert_int_equal(opening.reason, ERROR_OK);
		struct row_key key = key_make(TABLE_PSK);
		key_bytes(&key, psk.id, sizeof(psk.id));
		key_u8(&key, 0); /* before that of party 1 */
		key_u8(&key, i);
		key_u32(&key, 0);
		world_put_row(world, 1, &key, &schema_psk, &psk);
	}
	assert_int_equal(open_at(world, 1, bytes).reason, ERROR_CANNOT_OPEN);
	world_free(world);
}

/* ---- showing and erasing ---- */

/* When the next keying was last shown to post 1: on the slow clock, + 1. */
static uint64_t shown_ms(const struct world *world)
{
	struct row_key key = key_of(world, TABLE_NEXT_KEYING);
	struct next_keying next;

	assert_true(world_row(world, 0, &key, &schema_next_keying, &next));
	return next.shown_ms;
}

/* However often it is looked: that post may be away for weeks. */
static void a_keying_is_shown_once_an_hour(void **state)
{
	struct world *world = world_open_line(412);
	struct keying keying;

	world_run(world, DAY_MS / 4, DAY_MS / 4);
	world->cut = true;
	world_make_keying(world, 2, 0, 1, &keying);
	world_accept_keying(world, 0, &keying);
	uint64_t first = shown_ms(world);
	assert_true(first > 0);
	world_run(world, 1800000, 60000);
	assert_int_equal(sweep_at(world, 0), ERROR_OK);
	assert_int_equal(shown_ms(world), first);
	world_run(world, 1860000, 60000);
	assert_int_equal(sweep_at(world, 0), ERROR_OK);
	assert_true(shown_ms(world) > first + 3600000);
	world_free(world);
}

/* Of two counterparts one alone has gone on: for the other, the epoch stays for three windows. */
static void an_epoch_is_kept_for_the_one_post_that_has_not_gone_on(void **state)
{
	struct hand hand = hand_world(413);
	struct world *world = hand.world;
	const struct epoch_use use = {.used = 2};

	world->cut = true;
	world_run(world, 16 * DAY_MS, DAY_MS / 4);
	for (size_t i = 1; i < 3; i++) {
		struct row_key key = key_party_post(TABLE_EPOCH_USE, i, world->posts[i].slot);
		assert_int_equal(sweep_at(world, 0), ERROR_OK);
		assert_int_equal(state_of(world).epoch_first, 0);
		world_put_row(world, 0, &key, &schema_epoch_use, &use);
	}
	assert_int_equal(sweep_at(world, 0), ERROR_OK);
	assert_int_equal(state_of(world).epoch_first, 1);
	world_free(world);
}

/* ---- spoilt rows ---- */

/* A look at the sending leaves ends with the first row that is not as it was left. */
static void a_sweep_over_a_spoilt_store_ends(void **state)
{
	static const struct pending other = {0}; /* of no form that these have */
	struct world *world = world_open_line(411);
	const struct row_key keys[] = {
		key_of(world, TABLE_NEXT_KEYING),
		key_of(world, TABLE_LEAF_OUT),
		key_of(world, TABLE_PREKEYS),
		key_channel(TABLE_CHANNEL, 1),
	};

	world_run(world, DAY_MS / 4, DAY_MS / 4);
	assert_int_equal(sweep_at(world, 0), ERROR_OK);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct store kept;
		store_copy(&kept, &world->posts[0].store);
		world_put_row(world, 0, &keys[i], &schema_pending, &other);
		assert_int_equal(sweep_at(world, 0), ERROR_MALFORMED);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;
	assert_true(world_row(world, 0, &key, &schema_channel, &channel));
	channel.terms.size--;
	world_put_row(world, 0, &key, &schema_channel, &channel);
	assert_int_equal(sweep_at(world, 0), ERROR_MALFORMED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_epoch_that_is_sealed_to_is_one_that_leaf_and_prekeys_have),
		cmocka_unit_test(prekeys_that_are_of_no_form_are_not_sealed_to),
		cmocka_unit_test(a_key_that_is_no_point_is_not_sealed_to),
		cmocka_unit_test(the_sending_leaf_is_stepped_forward_alone),
		cmocka_unit_test(a_receiving_leaf_that_fell_far_behind_opens_nothing),
		cmocka_unit_test(a_clock_far_ahead_uses_up_no_numbers_of_prekeys),
		cmocka_unit_test(no_more_posts_are_looked_at_than_there_is_room_for),
		cmocka_unit_test(so_many_keys_of_one_id_are_tried),
		cmocka_unit_test(a_keying_is_shown_once_an_hour),
		cmocka_unit_test(an_epoch_is_kept_for_the_one_post_that_has_not_gone_on),
		cmocka_unit_test(a_sweep_over_a_spoilt_store_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
