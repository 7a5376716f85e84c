/*
 * Chains of letters: they make the same registry in whatever order they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/council.h"

/* ---- the chain ---- */

static void a_letter_names_the_one_before_it(void **state)
{
	struct council *council = council_make(120, 2);
	struct content *content;

	council_take_opening(council, 1);
	struct pen before = council->pens[1];
	content = council_credence(council, 1, 1, 0);
	content->of.letter.previous[0] ^= 1;
	assert_int_equal(council_take(council, 1, content), ERROR_REFUSED_CHAIN);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	/* A second letter of that number is a fork. */
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 2, 1)), ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 1);
	assert_int_equal(council_chain(council, 1).letters, 2);
	council_free(council);
}

static void here_a_letter_must_be_the_next(void **state)
{
	struct council *council = council_make(121, 2);
	struct content *content = council_credence(council, 0, 1, 0);

	content->of.letter.number = 2;
	assert_int_equal(hand_give(&council->hand, &council->pens[0], content), ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 0);
	council_free(council);
}

static void a_letter_that_waited_and_does_not_follow_is_refused(void **state)
{
	struct council *council = council_make(122, 2);
	struct outcome outcome;

	council_take_opening(council, 1);
	struct paper first = pen_sign(&council->pens[1], council_credence(council, 1, 1, 0));
	struct pen before = council->pens[1];
	struct content *content = council_credence(council, 1, 2, 1);
	content->of.letter.previous[5] ^= 1;
	struct paper wrong = pen_sign(&council->pens[1], content);
	struct paper behind = pen_sign(&council->pens[1], council_credence(council, 1, 3, 2));

	outcome = hand_receive(&council->hand, &council->channel, &wrong);
	assert_int_equal(outcome.reason, ERROR_OK);
	assert_int_equal(outcome.verdicts_count, 0); /* it waits */
	outcome = hand_receive(&council->hand, &council->channel, &behind);
	assert_int_equal(outcome.verdicts_count, 0);
	outcome = hand_receive(&council->hand, &council->channel, &first);
	assert_int_equal(outcome.verdicts_count, 2);
	assert_int_equal(outcome.verdicts[0].key.position, first.position);
	assert_int_equal(outcome.verdicts[0].reason, ERROR_OK);
	assert_int_equal(outcome.verdicts[1].key.position, wrong.position);
	assert_int_equal(outcome.verdicts[1].reason, ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 1);
	assert_int_equal(council_chain(council, 1).letters, 2);

	/* Its number is free again. */
	council->pens[1] = before;
	council->pens[1].position = behind.position + 1;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 2, 1)), ERROR_OK);
	assert_int_equal(council_chain(council, 1).letters, 3);
	hand_drop(&first);
	hand_drop(&wrong);
	hand_drop(&behind);
	council_free(council);
}

static void what_waited_is_judged_where_it_stands(void **state)
{
	struct council *council = council_make(123, 2);
	struct outcome outcome;

	council_take_opening(council, 1);
	struct paper first = pen_sign(&council->pens[1], council_credence(council, 1, 1, 0));
	struct paper second = pen_sign(&council->pens[1], council_credence(council, 1, 1, 1));

	assert_int_equal(hand_receive(&council->hand, &council->channel, &second).reason, ERROR_OK);
	outcome = hand_receive(&council->hand, &council->channel, &first);
	assert_int_equal(outcome.verdicts_count, 2);
	assert_int_equal(outcome.verdicts[1].reason, ERROR_REFUSED_NUMBER);
	hand_drop(&first);
	hand_drop(&second);
	council_free(council);
}

/* ---- order ---- */

#define PAPERS 9

/* The letters of Federation and Union, in the order of their chains. */
static void write_papers(struct council *council, struct paper papers[PAPERS])
{
	struct pen *federation = &council->pens[1];
	struct pen *other = &council->pens[2];

	papers[0] = pen_sign(federation, pen_opening(federation));
	papers[1] = pen_sign(federation, council_credence(council, 1, 1, 0));
	papers[2] = pen_sign(federation, pen_agrement(federation, council->index[2], 1, 3));
	papers[3] = pen_sign(federation, council_credence(council, 1, 2, 1));
	papers[4] = pen_sign(federation, pen_agrement(federation, council->index[0], 1, 1));
	papers[5] = pen_sign(other, pen_opening(other));
	papers[6] = pen_sign(other, pen_agrement(other, council->index[1], 1, 2));
	papers[7] = pen_sign(other, council_credence(council, 2, 1, 0));
	papers[8] = pen_sign(other, council_credence(council, 2, 2, 1));
}

/* Receives them in an order drawn from the seed, with what we submit between; the fold's hash. */
static void receive_in_order(uint64_t order_seed, uint8_t hash[32], uint8_t registry[REGISTRY_SIZE])
{
	struct council *council = council_make(130, 3);
	struct paper papers[PAPERS];
	size_t order[PAPERS];
	size_t verdicts = 0;
	struct entropy entropy;
	uint8_t seed[ENTROPY_SEED_SIZE] = {0};

	write_papers(council, papers);
	struct paper own = pen_sign(&council->pens[0], council_credence(council, 0, 1, 0));
	store_u64(seed, order_seed);
	entropy = entropy_make(seed);
	for (size_t i = 0; i < PAPERS; i++)
		order[i] = i;
	for (size_t i = PAPERS - 1; order_seed > 0 && i > 0; i--) {
		uint8_t random[8];
		entropy_take(&entropy, random, sizeof(random));
		size_t j = load_u64(random) % (i + 1);
		size_t swapped = order[i];
		order[i] = order[j];
		order[j] = swapped;
	}
	for (size_t i = 0; i < PAPERS; i++) {
		struct outcome outcome = hand_receive(&council->hand, &council->channel, &papers[order[i]]);
		assert_int_equal(outcome.reason, ERROR_OK);
		for (size_t j = 0; j < outcome.verdicts_count; j++)
			assert_int_equal(outcome.verdicts[j].reason, ERROR_OK);
		verdicts += outcome.verdicts_count;
		if (i == order_seed % PAPERS)
			assert_int_equal(hand_submit(&council->hand, &council->channel, &own).reason,
					 ERROR_OK);
	}
	assert_int_equal(verdicts, PAPERS);
	hand_fold_hash(&council->hand, hash);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;
	assert_true(hand_look(&council->hand, &key, &schema_channel, &channel));
	assert_int_equal(channel.state, CHANNEL_OPEN);
	memcpy(registry, channel.registry, REGISTRY_SIZE);
	uint8_t heads[3][IDENTITY_SIZE];
	uint8_t version[REGISTRY_SIZE];
	for (size_t i = 0; i < 3; i++)
		memcpy(heads[i], council->pens[i].head, IDENTITY_SIZE);
	registry_version(heads, 3, version);
	assert_memory_equal(version, registry, sizeof(version));
	for (size_t i = 0; i < PAPERS; i++)
		hand_drop(&papers[i]);
	hand_drop(&own);
	council_free(council);
}

static void the_same_letters_make_the_same_registry_in_any_order(void **state)
{
	uint8_t first[32];
	uint8_t registry[REGISTRY_SIZE];

	receive_in_order(0, first, registry);
	for (uint64_t seed = 1; seed <= 24; seed++) {
		uint8_t hash[32];
		receive_in_order(seed, hash, registry);
		assert_memory_equal(hash, first, sizeof(hash));
	}
}

#define LONG_CHAIN 40

static void a_long_chain_that_waited_is_folded_over_several_events(void **state)
{
	struct council *council = council_make(131, 2);
	struct paper papers[LONG_CHAIN];
	bool named[LONG_CHAIN] = {false};
	struct outcome outcome;
	size_t advances = 0;

	papers[0] = pen_sign(&council->pens[1], pen_opening(&council->pens[1]));
	for (size_t i = 1; i < LONG_CHAIN; i++)
		papers[i] =
			pen_sign(&council->pens[1], council_credence(council, 1, i, i % WORLD_OFFICERS_MAX));
	for (size_t i = LONG_CHAIN - 1; i > 0; i--)
		assert_int_equal(hand_receive(&council->hand, &council->channel, &papers[i]).verdicts_count,
				 0);
	outcome = hand_receive(&council->hand, &council->channel, &papers[0]);
	do {
		assert_true(outcome.verdicts_count <= REGISTRY_VERDICTS_MAX);
		for (size_t i = 0; i < outcome.verdicts_count; i++) {
			assert_int_equal(outcome.verdicts[i].reason, ERROR_OK);
			assert_false(named[outcome.verdicts[i].key.position]);
			named[outcome.verdicts[i].key.position] = true;
		}
		outcome = hand_advance(&council->hand);
		advances++;
		assert_true(advances < 10);
	} while (outcome.verdicts_count > 0);
	assert_int_equal(council_chain(council, 1).letters, LONG_CHAIN);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_FOLD), 0);
	for (size_t i = 0; i < LONG_CHAIN; i++) {
		assert_true(named[i]);
		hand_drop(&papers[i]);
	}
	council_free(council);
}

static void what_one_event_folds_is_bounded(void **state)
{
	struct council *council = council_make(132, 3);
	struct paper papers[8];
	size_t rounds_max = 0;

	papers[0] = pen_sign(&council->pens[1], pen_opening(&council->pens[1]));
	for (size_t i = 1; i < 8; i++) {
		size_t other = i % 2 == 0 ? 0 : 2;
		papers[i] = pen_sign(&council->pens[1], pen_agrement(&council->pens[1], council->index[other],
								     1 + 60 * (i / 2), 60));
	}
	for (size_t i = 7; i > 0; i--)
		assert_int_equal(hand_receive(&council->hand, &council->channel, &papers[i]).verdicts_count,
				 0);
	struct outcome outcome = hand_receive(&council->hand, &council->channel, &papers[0]);
	size_t verdicts = outcome.verdicts_count;
	assert_true(verdicts < 8);
	while (verdicts < 8) {
		rounds_max = council->hand.rounds > rounds_max ? council->hand.rounds : rounds_max;
		outcome = hand_advance(&council->hand);
		assert_true(outcome.verdicts_count > 0);
		verdicts += outcome.verdicts_count;
	}
	assert_true(rounds_max < RECORD_ROUNDS_MAX / 2);
	assert_int_equal(council_chain(council, 1).letters, 8);
	for (size_t i = 0; i < 8; i++)
		hand_drop(&papers[i]);

	/* The largest letter there is. */
	council_take_opening(council, 2);
	assert_int_equal(
		council_take(council, 2, pen_agrement(&council->pens[2], council->index[0], 1, OFFICERS_MAX)),
		ERROR_OK);
	assert_true(council->hand.rounds < RECORD_ROUNDS_MAX * 3 / 4);
	council_free(council);
}

static enum error advance(struct run *run, void *context)
{
	struct outcome *outcome = context;
	return registry_advance(run, outcome->verdicts, &outcome->verdicts_count);
}

/* A row of the post that is worked by hand loses its last byte; the error that folding on ends with. */
static enum error fold_on_without_the_end_of(struct council *council, const struct row_key *key)
{
	struct store *store = &council->hand.world->posts[0].store;
	struct outcome outcome = {0};
	uint8_t whole[ROW_VALUE_SIZE_MAX];
	struct row row;
	size_t at = 0;

	assert_true(store_find(store, key_view(key), &at, &row));
	struct bytes value = bytes_make(whole, row.value.size);
	memcpy(whole, row.value.data, row.value.size);
	store_put(store, key_view(key), bytes_make(whole, value.size - 1));
	enum error error = hand_run(&council->hand, advance, &outcome);
	store_put(store, key_view(key), value);
	return error;
}

static void a_spoilt_registry_is_not_folded_on(void **state)
{
	struct council *council = council_make(133, 2);
	struct paper second;
	struct outcome outcome = {0};

	(void)state;
	council_take_opening(council, 1);
	struct paper first = pen_sign(&council->pens[1], council_credence(council, 1, 1, 0));
	second = pen_sign(&council->pens[1], council_credence(council, 1, 2, 1));
	assert_int_equal(hand_receive(&council->hand, &council->channel, &second).verdicts_count, 0);
	struct row_key fold = key_channel(TABLE_FOLD, 1);
	key_u8(&fold, council->index[1]);
	store_put(&council->hand.world->posts[0].store, key_view(&fold), bytes_make(NULL, 0));
	struct row_key channel = key_channel(TABLE_CHANNEL, 1);
	struct row_key chain = key_channel(TABLE_CHAIN, 1);
	key_u8(&chain, council->index[1]);
	key_u32(&chain, 0);
	assert_int_equal(fold_on_without_the_end_of(council, &channel), ERROR_MALFORMED);
	assert_int_equal(fold_on_without_the_end_of(council, &chain), ERROR_MALFORMED);
	assert_int_equal(council_chain(council, 1).letters, 1);
	assert_int_equal(hand_run(&council->hand, advance, &outcome), ERROR_OK);
	hand_drop(&first);
	hand_drop(&second);
	council_free(council);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_letter_names_the_one_before_it),
		cmocka_unit_test(here_a_letter_must_be_the_next),
		cmocka_unit_test(a_letter_that_waited_and_does_not_follow_is_refused),
		cmocka_unit_test(what_waited_is_judged_where_it_stands),
		cmocka_unit_test(the_same_letters_make_the_same_registry_in_any_order),
		cmocka_unit_test(a_long_chain_that_waited_is_folded_over_several_events),
		cmocka_unit_test(what_one_event_folds_is_bounded),
		cmocka_unit_test(a_spoilt_registry_is_not_folded_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
