/*
 * Chains of letters: what may stand in them, and that they make the same registry in whatever order they come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "hand.h"

/* Alliance (here), Federation and Union on a council, or the first two on a line; we have opened it. */
struct council {
	struct hand hand;
	struct hand_channel channel;
	struct pen pens[3];
	uint64_t index[3];
};

static struct council *make(uint64_t seed, size_t count)
{
	struct council *council = calloc(1, sizeof(*council));

	council->hand = hand_world(seed);
	council->channel = hand_channel_make(council->hand.world, count);
	for (size_t i = 0; i < count; i++) {
		council->pens[i] = (struct pen){
			.world = council->hand.world,
			.channel = &council->channel,
			.party = i,
			.slot = council->hand.world->posts[i].slot,
		};
		council->index[i] = hand_index(council->hand.world, &council->channel, i);
	}
	assert_int_equal(hand_give(&council->hand, &council->pens[0], pen_opening(&council->pens[0])), ERROR_OK);
	return council;
}

static void drop(struct council *council)
{
	world_free(council->hand.world);
	free(council);
}

static enum error take(struct council *council, size_t party, struct content *content)
{
	return hand_take(&council->hand, &council->pens[party], content);
}

static struct content *credence(struct council *council, size_t party, uint64_t officer, size_t key)
{
	return pen_credence(&council->pens[party], officer,
			    council->hand.world->parties[party].officers[key].key);
}

static void take_opening(struct council *council, size_t party)
{
	assert_int_equal(take(council, party, pen_opening(&council->pens[party])), ERROR_OK);
}

static bool look_officer(const struct council *council, size_t party, uint64_t number, struct officer *officer)
{
	struct row_key key = key_channel(TABLE_OFFICER, 1);
	key_u8(&key, council->index[party]);
	key_u32(&key, number);
	return hand_look(&council->hand, &key, &schema_officer, officer);
}

static struct chain look_chain(const struct council *council, size_t party)
{
	struct row_key key = key_channel(TABLE_CHAIN, 1);
	struct chain chain = {0};
	key_u8(&key, council->index[party]);
	key_u32(&key, 0);
	(void)hand_look(&council->hand, &key, &schema_chain, &chain);
	return chain;
}

static void put_chain(struct council *council, size_t party, const struct chain *chain)
{
	struct row_key key = key_channel(TABLE_CHAIN, 1);
	key_u8(&key, council->index[party]);
	key_u32(&key, 0);
	hand_put(&council->hand, &key, &schema_chain, chain);
}

/* ---- credences ---- */

static void a_credence_names_an_officer(void **state)
{
	struct council *council = make(101, 2);
	struct content *content;
	struct officer officer;

	take_opening(council, 1);
	content = credence(council, 1, 7, 2);
	content->of.letter.of.credence.highest_precedence = PRECEDENCE_PRIORITY;
	assert_int_equal(take(council, 1, content), ERROR_OK);
	assert_true(look_officer(council, 1, 7, &officer));
	assert_true(bytes_equal(officer.name, bytes_of_text("A. Person")));
	assert_true(bytes_equal(officer.title, bytes_of_text("watch officer")));
	assert_memory_equal(officer.key, council->hand.world->parties[1].officers[2].key, PUBLIC_KEY_SIZE);
	assert_int_equal(officer.highest_precedence, PRECEDENCE_PRIORITY);
	assert_int_equal(officer.agreed, 0);
	assert_memory_equal(officer.letter, council->pens[1].head, IDENTITY_SIZE);
	assert_int_equal(council->hand.changes, 1);
	drop(council);
}

static void a_number_is_not_given_again(void **state)
{
	struct council *council = make(102, 2);
	struct officer officer;

	take_opening(council, 1);
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	struct pen before = council->pens[1];
	/* Another key under a number to which agréments may have been given. */
	assert_int_equal(take(council, 1, credence(council, 1, 1, 1)), ERROR_REFUSED_NUMBER);
	assert_true(look_officer(council, 1, 1, &officer));
	assert_memory_equal(officer.key, council->hand.world->parties[1].officers[0].key, PUBLIC_KEY_SIZE);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, credence(council, 1, 2, 1)), ERROR_OK);
	drop(council);
}

static void officers_of_one_party_are_bounded(void **state)
{
	struct council *council = make(103, 2);

	take_opening(council, 1);
	struct chain chain = look_chain(council, 1);
	assert_int_equal(chain.officers, 0);
	chain.officers = OFFICERS_MAX - 1;
	put_chain(council, 1, &chain);
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(look_chain(council, 1).officers, OFFICERS_MAX);
	assert_int_equal(take(council, 1, credence(council, 1, 2, 1)), ERROR_REFUSED_QUOTA);
	drop(council);
}

static void keys_and_names_in_credences_are_checked(void **state)
{
	struct council *council = make(104, 2);
	uint8_t bad_key[PUBLIC_KEY_SIZE] = {1}; /* the neutral point */
	struct content *content;

	take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(take(council, 1, pen_credence(&council->pens[1], 1, bad_key)), ERROR_REFUSED_FORM);
	council->pens[1] = before;
	content = credence(council, 1, 1, 0);
	content->of.letter.of.credence.name = bytes_of_text("evil\xe2\x80\xae");
	assert_int_equal(take(council, 1, content), ERROR_REFUSED_TEXT);
	council->pens[1] = before;
	content = credence(council, 1, 1, 0);
	content->of.letter.of.credence.title = bytes_of_text("two\nlines");
	assert_int_equal(take(council, 1, content), ERROR_REFUSED_TEXT);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	drop(council);
}

/* A letter of Federation signed by another key, or in another's name. */
static enum error take_signed(struct council *council, struct content *content, const struct ed25519_pair *pair)
{
	uint8_t identity[IDENTITY_SIZE];
	struct paper paper =
		hand_sign(&council->channel, council->hand.world, 1, pair, NULL, content, identity);

	paper.slot = council->pens[1].slot;
	paper.position = council->pens[1].position;
	enum error reason = hand_receive(&council->hand, &council->channel, &paper).reason;
	hand_drop(&paper);
	free(content);
	return reason;
}

static void only_the_authority_writes_letters(void **state)
{
	struct council *council = make(105, 2);
	const struct world_party *theirs = &council->hand.world->parties[1];
	struct content *content;

	take_opening(council, 1);
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(take_signed(council, credence(council, 1, 2, 1), &theirs->officers[0]),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(take_signed(council, credence(council, 1, 2, 1),
				     &council->hand.world->parties[0].authority),
			 ERROR_BAD_SIGNATURE);
	/* An officer in his own name: whether known or not. */
	content = credence(council, 1, 2, 1);
	content->signers[0] = 1;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[0]), ERROR_REFUSED_AUTHORITY);
	content = credence(council, 1, 2, 1);
	content->signers[0] = 1;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[1]), ERROR_BAD_SIGNATURE);
	content = credence(council, 1, 2, 1);
	content->signers[0] = 3;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[2]), ERROR_REFUSED_SIGNER);
	/* The authority, saying that another letter entitles it. */
	content = credence(council, 1, 2, 1);
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->authority), ERROR_REFUSED_AUTHORITY);
	assert_int_equal(take_signed(council, credence(council, 1, 2, 1), &theirs->authority), ERROR_OK);
	drop(council);
}

static void card_letters_do_not_stand_on_a_channel(void **state)
{
	struct council *council = make(106, 2);
	struct content *content;

	take_opening(council, 1);
	struct pen before = council->pens[1];
	content = pen_letter(&council->pens[1], LETTER_POST);
	content->of.letter.of.post.name = bytes_of_text("Embassy");
	content->of.letter.of.post.node = bytes_of_text("dtn://x/");
	content->of.letter.of.post.kind = POST_EMBASSY;
	memcpy(content->of.letter.of.post.statement_key, council->hand.world->parties[1].officers[0].key,
	       PUBLIC_KEY_SIZE);
	assert_int_equal(take(council, 1, content), ERROR_REFUSED_FORM);
	/* Nor does a chain begin with anything but an opening. */
	council->pens[1] = before;
	content = credence(council, 1, 1, 0);
	content->of.letter.number = 0;
	content->of.letter.has_previous = false;
	assert_int_equal(take(council, 1, content), ERROR_REFUSED_FORM);
	drop(council);
}

/* The payload of a letter or other content of a kind that is not known. */
static struct bytes unknown_payload(struct council *council, uint64_t kind, uint64_t letter_kind, struct buffer *buffer)
{
	const struct pen *pen = &council->pens[1];
	uint8_t zeros[16] = {0};

	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, kind);
	cbor_write_uint(buffer, PRECEDENCE_ROUTINE);
	cbor_write_uint(buffer, 0); /* the authority */
	cbor_write_bytes(buffer, bytes_make(zeros, REGISTRY_SIZE));
	cbor_write_bytes(buffer, bytes_make(zeros, sizeof(zeros)));
	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, letter_kind);
	cbor_write_uint(buffer, 1);
	cbor_write_uint(buffer, pen->number);
	cbor_write_bytes(buffer, bytes_make(pen->head, sizeof(pen->head)));
	cbor_write_null(buffer);
	cbor_write_array(buffer, 0);
	return buffer_bytes(buffer);
}

static enum error judge_unknown(struct council *council, uint64_t kind, uint64_t letter_kind,
				const struct ed25519_pair *pair)
{
	uint8_t memory[512];
	uint8_t identity[IDENTITY_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct bytes payload = unknown_payload(council, kind, letter_kind, &buffer);
	struct paper paper =
		hand_sign_payload(&council->channel, council->hand.world, 1, pair, payload, identity);

	enum error reason = hand_judge(&council->hand, 1, council->index[1], &paper, false);
	hand_drop(&paper);
	return reason;
}

static void kinds_that_are_not_known_are_refused_when_they_are_authentic(void **state)
{
	struct council *council = make(107, 2);
	const struct ed25519_pair *authority = &council->hand.world->parties[1].authority;
	const struct ed25519_pair *other = &council->hand.world->parties[2].authority;

	take_opening(council, 1);
	assert_int_equal(judge_unknown(council, CONTENT_LETTER, 6, authority), ERROR_REFUSED_KIND);
	assert_int_equal(judge_unknown(council, CONTENT_LETTER, 6, other), ERROR_BAD_SIGNATURE);
	assert_int_equal(judge_unknown(council, 9, 6, authority), ERROR_REFUSED_KIND);
	assert_int_equal(judge_unknown(council, 9, 6, other), ERROR_BAD_SIGNATURE);
	drop(council);
}

/* ---- agréments ---- */

static void an_agrement_before_its_credence_entitles_nobody_until_then(void **state)
{
	struct council *council = make(110, 3);
	struct officer officer;

	take_opening(council, 1);
	take_opening(council, 2);
	assert_int_equal(take(council, 2, pen_agrement(&council->pens[2], council->index[1], 4, 2)), ERROR_OK);
	assert_false(look_officer(council, 1, 4, &officer));
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 2);
	assert_int_equal(take(council, 1, credence(council, 1, 4, 0)), ERROR_OK);
	assert_true(look_officer(council, 1, 4, &officer));
	assert_int_equal(officer.agreed, UINT64_C(1) << council->index[2]);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 1);
	drop(council);
}

static void an_agrement_is_for_another_partys_officers(void **state)
{
	struct council *council = make(111, 2);

	take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], council->index[1], 1, 1)),
			 ERROR_REFUSED_AUTHORITY);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], 2, 1, 1)), ERROR_REFUSED_FORM);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], PARTIES_MAX - 1, 1, 1)),
			 ERROR_REFUSED_FORM);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], council->index[0], 1, 1)), ERROR_OK);
	drop(council);
}

static void agrements_are_bounded(void **state)
{
	struct council *council = make(112, 2);

	take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], council->index[0], 1, 256)), ERROR_OK);
	assert_int_equal(look_chain(council, 1).agreed, 256);
	before = council->pens[1];
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], council->index[0], 256, 2)),
			 ERROR_REFUSED_QUOTA);
	council->pens[1] = before;
	/* Said again, it counts once. */
	assert_int_equal(take(council, 1, pen_agrement(&council->pens[1], council->index[0], 200, 57)), ERROR_OK);
	assert_int_equal(look_chain(council, 1).agreed, 256);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 256);
	drop(council);
}

static void here_nobody_agrees_to_an_officer_who_is_not_known(void **state)
{
	struct council *council = make(113, 2);

	take_opening(council, 1);
	struct pen before = council->pens[0];
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 1)),
			 ERROR_REFUSED_REFERENCE);
	council->pens[0] = before;
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 2)),
			 ERROR_REFUSED_REFERENCE);
	council->pens[0] = before;
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 1)),
			 ERROR_OK);
	drop(council);
}

/* ---- the chain ---- */

static void a_letter_names_the_one_before_it(void **state)
{
	struct council *council = make(120, 2);
	struct content *content;

	take_opening(council, 1);
	struct pen before = council->pens[1];
	content = credence(council, 1, 1, 0);
	content->of.letter.previous[0] ^= 1;
	assert_int_equal(take(council, 1, content), ERROR_REFUSED_CHAIN);
	council->pens[1] = before;
	assert_int_equal(take(council, 1, credence(council, 1, 1, 0)), ERROR_OK);
	/* A second letter of that number is a fork. */
	council->pens[1] = before;
	assert_int_equal(take(council, 1, credence(council, 1, 2, 1)), ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 1);
	assert_int_equal(look_chain(council, 1).letters, 2);
	drop(council);
}

static void here_a_letter_must_be_the_next(void **state)
{
	struct council *council = make(121, 2);
	struct content *content = credence(council, 0, 1, 0);

	content->of.letter.number = 2;
	assert_int_equal(hand_give(&council->hand, &council->pens[0], content), ERROR_REFUSED_CHAIN);
	assert_int_equal(council->hand.alerts, 0);
	drop(council);
}

static void a_letter_that_waited_and_does_not_follow_is_refused(void **state)
{
	struct council *council = make(122, 2);
	struct outcome outcome;

	take_opening(council, 1);
	struct paper first = pen_sign(&council->pens[1], credence(council, 1, 1, 0));
	struct pen before = council->pens[1];
	struct content *content = credence(council, 1, 2, 1);
	content->of.letter.previous[5] ^= 1;
	struct paper wrong = pen_sign(&council->pens[1], content);
	struct paper behind = pen_sign(&council->pens[1], credence(council, 1, 3, 2));

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
	assert_int_equal(look_chain(council, 1).letters, 2);

	/* Its number is free again. */
	council->pens[1] = before;
	council->pens[1].position = behind.position + 1;
	assert_int_equal(take(council, 1, credence(council, 1, 2, 1)), ERROR_OK);
	assert_int_equal(look_chain(council, 1).letters, 3);
	hand_drop(&first);
	hand_drop(&wrong);
	hand_drop(&behind);
	drop(council);
}

static void what_waited_is_judged_where_it_stands(void **state)
{
	struct council *council = make(123, 2);
	struct outcome outcome;

	take_opening(council, 1);
	struct paper first = pen_sign(&council->pens[1], credence(council, 1, 1, 0));
	struct paper second = pen_sign(&council->pens[1], credence(council, 1, 1, 1));

	assert_int_equal(hand_receive(&council->hand, &council->channel, &second).reason, ERROR_OK);
	outcome = hand_receive(&council->hand, &council->channel, &first);
	assert_int_equal(outcome.verdicts_count, 2);
	assert_int_equal(outcome.verdicts[1].reason, ERROR_REFUSED_NUMBER);
	hand_drop(&first);
	hand_drop(&second);
	drop(council);
}

/* ---- order ---- */

#define PAPERS 9

/* The letters of Federation and Union, in the order of their chains. */
static void write_papers(struct council *council, struct paper papers[PAPERS])
{
	struct pen *federation = &council->pens[1];
	struct pen *other = &council->pens[2];

	papers[0] = pen_sign(federation, pen_opening(federation));
	papers[1] = pen_sign(federation, credence(council, 1, 1, 0));
	papers[2] = pen_sign(federation, pen_agrement(federation, council->index[2], 1, 3));
	papers[3] = pen_sign(federation, credence(council, 1, 2, 1));
	papers[4] = pen_sign(federation, pen_agrement(federation, council->index[0], 1, 1));
	papers[5] = pen_sign(other, pen_opening(other));
	papers[6] = pen_sign(other, pen_agrement(other, council->index[1], 1, 2));
	papers[7] = pen_sign(other, credence(council, 2, 1, 0));
	papers[8] = pen_sign(other, credence(council, 2, 2, 1));
}

/* Receives them in an order drawn from the seed, with what we submit between; the fold's hash. */
static void receive_in_order(uint64_t order_seed, uint8_t hash[32], uint8_t registry[REGISTRY_SIZE])
{
	struct council *council = make(130, 3);
	struct paper papers[PAPERS];
	size_t order[PAPERS];
	size_t verdicts = 0;
	struct entropy entropy;
	uint8_t seed[ENTROPY_SEED_SIZE] = {0};

	write_papers(council, papers);
	struct paper own = pen_sign(&council->pens[0], credence(council, 0, 1, 0));
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
			assert_int_equal(hand_submit(&council->hand, &council->channel, &own).reason, ERROR_OK);
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
	drop(council);
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
	struct council *council = make(131, 2);
	struct paper papers[LONG_CHAIN];
	bool named[LONG_CHAIN] = {false};
	struct outcome outcome;
	size_t advances = 0;

	papers[0] = pen_sign(&council->pens[1], pen_opening(&council->pens[1]));
	for (size_t i = 1; i < LONG_CHAIN; i++)
		papers[i] = pen_sign(&council->pens[1], credence(council, 1, i, i % WORLD_OFFICERS_MAX));
	for (size_t i = LONG_CHAIN - 1; i > 0; i--)
		assert_int_equal(hand_receive(&council->hand, &council->channel, &papers[i]).verdicts_count, 0);
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
	assert_int_equal(look_chain(council, 1).letters, LONG_CHAIN);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_FOLD), 0);
	for (size_t i = 0; i < LONG_CHAIN; i++) {
		assert_true(named[i]);
		hand_drop(&papers[i]);
	}
	drop(council);
}

static void what_one_event_folds_is_bounded(void **state)
{
	struct council *council = make(132, 3);
	struct paper papers[8];
	size_t rounds_max = 0;

	papers[0] = pen_sign(&council->pens[1], pen_opening(&council->pens[1]));
	for (size_t i = 1; i < 8; i++) {
		size_t other = i % 2 == 0 ? 0 : 2;
		papers[i] = pen_sign(&council->pens[1], pen_agrement(&council->pens[1], council->index[other],
								     1 + 60 * (i / 2), 60));
	}
	for (size_t i = 7; i > 0; i--)
		assert_int_equal(hand_receive(&council->hand, &council->channel, &papers[i]).verdicts_count, 0);
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
	assert_int_equal(look_chain(council, 1).letters, 8);
	for (size_t i = 0; i < 8; i++)
		hand_drop(&papers[i]);

	/* The largest letter there is. */
	take_opening(council, 2);
	assert_int_equal(take(council, 2, pen_agrement(&council->pens[2], council->index[0], 1, OFFICERS_MAX)),
			 ERROR_OK);
	assert_true(council->hand.rounds < RECORD_ROUNDS_MAX * 3 / 4);
	drop(council);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_credence_names_an_officer),
		cmocka_unit_test(a_number_is_not_given_again),
		cmocka_unit_test(officers_of_one_party_are_bounded),
		cmocka_unit_test(keys_and_names_in_credences_are_checked),
		cmocka_unit_test(only_the_authority_writes_letters),
		cmocka_unit_test(card_letters_do_not_stand_on_a_channel),
		cmocka_unit_test(kinds_that_are_not_known_are_refused_when_they_are_authentic),
		cmocka_unit_test(an_agrement_before_its_credence_entitles_nobody_until_then),
		cmocka_unit_test(an_agrement_is_for_another_partys_officers),
		cmocka_unit_test(agrements_are_bounded),
		cmocka_unit_test(here_nobody_agrees_to_an_officer_who_is_not_known),
		cmocka_unit_test(a_letter_names_the_one_before_it),
		cmocka_unit_test(here_a_letter_must_be_the_next),
		cmocka_unit_test(a_letter_that_waited_and_does_not_follow_is_refused),
		cmocka_unit_test(what_waited_is_judged_where_it_stands),
		cmocka_unit_test(the_same_letters_make_the_same_registry_in_any_order),
		cmocka_unit_test(a_long_chain_that_waited_is_folded_over_several_events),
		cmocka_unit_test(what_one_event_folds_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
