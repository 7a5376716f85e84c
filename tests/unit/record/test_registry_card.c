/*
 * Cards: whom they make known, and what a forged, forked or greedy one does not change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/card.h"
#include "envelope/x25519.h"
#include "tests/unit/record/hand.h"

/* ---- a party that is made for its card alone ---- */

#define LETTER_SIZE_MAX 1024

struct stranger {
	struct ed25519_pair authority;
	uint8_t id[PARTY_ID_SIZE];
	struct ed25519_pair statement[POST_SLOTS];
	size_t letters_count;
	uint8_t letters[CARD_LETTERS_MAX][LETTER_SIZE_MAX];
	size_t sizes[CARD_LETTERS_MAX];
	uint8_t head[IDENTITY_SIZE];
	size_t prekeys_count;
	uint8_t prekeys[POST_SLOTS][PREKEYS_SIZE_MAX + 128];
	size_t prekeys_sizes[POST_SLOTS];
	size_t addresses_count;
	struct card_address addresses[POST_SLOTS];
};

static uint8_t work_bytes[SIGNED_WORK_SIZE];

static void add_letter(struct stranger *stranger, struct content *content)
{
	struct letter *letter = &content->of.letter;
	struct buffer payload = buffer_make(malloc(CONTENT_SIZE_MAX), CONTENT_SIZE_MAX);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	struct buffer out = buffer_make(stranger->letters[stranger->letters_count], LETTER_SIZE_MAX);
	struct aad aad;

	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_ROUTINE;
	content->signers_count = 1;
	letter->number = stranger->letters_count;
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, stranger->head, sizeof(letter->previous));
	content_encode(content, &payload);
	aad_without_channel(&aad, AAD_ENTRY, stranger->id);
	assert_int_equal(signed_alone(&stranger->authority, &aad, buffer_bytes(&payload), &work, &out),
			 ERROR_OK);
	identity_of(&aad, buffer_bytes(&payload), stranger->head);
	stranger->sizes[stranger->letters_count++] = out.size;
	free(payload.data);
	free(content);
}

static struct stranger *stranger_make(uint8_t seed_byte)
{
	struct stranger *stranger = calloc(1, sizeof(*stranger));
	struct content *content = calloc(1, sizeof(*content));
	uint8_t seed[ED25519_SEED_SIZE];

	memset(seed, seed_byte, sizeof(seed));
	ed25519_pair_from_seed(seed, &stranger->authority);
	for (size_t i = 0; i < POST_SLOTS; i++) {
		seed[1] = (uint8_t)i;
		seed[2] = 1;
		ed25519_pair_from_seed(seed, &stranger->statement[i]);
	}
	party_id_from_key(stranger->authority.key, stranger->id);
	content->of.letter.kind = LETTER_FOUNDING;
	content->of.letter.of.founding.name = bytes_of_text("Stranger");
	memcpy(content->of.letter.of.founding.authority_key, stranger->authority.key, PUBLIC_KEY_SIZE);
	add_letter(stranger, content);
	return stranger;
}

static void add_post(struct stranger *stranger, uint64_t slot, const char *name, const char *node)
{
	struct content *content = calloc(1, sizeof(*content));
	struct post_letter *post = &content->of.letter.of.post;

	content->of.letter.kind = LETTER_POST;
	post->slot = slot;
	post->kind = POST_MISSION;
	post->name = bytes_of_text(name);
	post->node = bytes_of_text(node);
	memcpy(post->statement_key, stranger->statement[slot].key, sizeof(post->statement_key));
	add_letter(stranger, content);
}

static void add_prekeys(struct stranger *stranger, uint64_t slot, uint64_t number, bool bad_point)
{
	struct prekeys *prekeys = calloc(1, sizeof(*prekeys));
	struct buffer payload = buffer_make(malloc(PREKEYS_SIZE_MAX), PREKEYS_SIZE_MAX);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	struct buffer out =
		buffer_make(stranger->prekeys[stranger->prekeys_count], sizeof(stranger->prekeys[0]));
	struct x25519_pair pair;
	uint8_t secret[32] = {7};
	struct aad aad;

	x25519_pair_from_secret(secret, &pair);
	prekeys->slot = slot;
	prekeys->number = number;
	prekeys->start = 1795320000;
	prekeys->length_s = 86400;
	prekeys->keys_count = 1;
	memcpy(prekeys->keys[0], pair.key, sizeof(pair.key));
	if (!bad_point)
		memcpy(prekeys->last_resort, pair.key, sizeof(pair.key));
	prekeys_encode(prekeys, &payload);
	aad_without_channel(&aad, AAD_PREKEYS, stranger->id);
	assert_int_equal(signed_alone(&stranger->statement[slot], &aad, buffer_bytes(&payload), &work, &out),
			 ERROR_OK);
	stranger->prekeys_sizes[stranger->prekeys_count++] = out.size;
	free(payload.data);
	free(prekeys);
}

/* ---- taking it in ---- */

struct taking {
	struct bytes card;
	uint64_t party;
	enum error reason;
};

static enum error take_handler(struct run *run, void *context)
{
	struct taking *taking = context;
	struct registry_card card;
	registry_read_card(run, taking->card, &card, &taking->reason);
	if (taking->reason != ERROR_OK)
		return ERROR_OK;
	return registry_take_card(run, &card, &taking->party, &taking->reason);
}

/* The card of the first `letters` letters; how the run that takes it must end. */
static struct taking take_expecting(struct hand *hand, const struct stranger *stranger, size_t letters,
				    enum error expected)
{
	struct card *card = calloc(1, sizeof(*card));
	struct buffer encoded = buffer_make(malloc(CARD_SIZE_MAX), CARD_SIZE_MAX);
	struct taking taking = {0};

	card->letters_count = letters;
	for (size_t i = 0; i < letters; i++)
		card->letters[i] = bytes_make(stranger->letters[i], stranger->sizes[i]);
	card->prekeys_count = stranger->prekeys_count;
	for (size_t i = 0; i < stranger->prekeys_count; i++)
		card->prekeys[i] = bytes_make(stranger->prekeys[i], stranger->prekeys_sizes[i]);
	card->addresses_count = stranger->addresses_count;
	memcpy(card->addresses, stranger->addresses, sizeof(card->addresses));
	card_encode(card, &encoded);
	assert_int_equal(buffer_error(&encoded), ERROR_OK);
	taking.card = buffer_bytes(&encoded);
	assert_int_equal(hand_run(hand, take_handler, &taking), expected);
	free(encoded.data);
	free(card);
	return taking;
}

static struct taking take(struct hand *hand, const struct stranger *stranger, size_t letters)
{
	return take_expecting(hand, stranger, letters, ERROR_OK);
}

static bool look_post(const struct hand *hand, uint64_t party, uint64_t slot, struct party_post *post)
{
	struct row_key key = key_party_post(TABLE_PARTY_POST, party, slot);
	return hand_look(hand, &key, &schema_party_post, post);
}

static struct party look_party(const struct hand *hand, uint64_t number)
{
	struct row_key key = key_party(number);
	struct party party;
	assert_true(hand_look(hand, &key, &schema_party, &party));
	return party;
}

static bool look_prekeys(const struct hand *hand, uint64_t party, uint64_t slot, uint64_t *number)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, party, slot);
	struct prekeys_row row;
	bool found = hand_look(hand, &key, &schema_prekeys_row, &row);
	*number = row.number;
	return found;
}

static void drop(struct hand *hand, struct stranger *stranger)
{
	world_free(hand->world);
	free(stranger);
}

static void a_card_makes_its_party_known(void **state)
{
	struct hand hand = hand_world(401);
	struct stranger *stranger = stranger_make(1);
	struct party_post post;
	uint64_t number;

	add_post(stranger, 3, "Bureau", "dtn://bureau/");
	add_prekeys(stranger, 3, 5, false);
	stranger->addresses[stranger->addresses_count++] =
		(struct card_address){.slot = 3, .address = bytes_of_text("192.0.2.1:4556")};
	stranger->addresses[stranger->addresses_count++] =
		(struct card_address){.slot = 3, .address = bytes_of_text("192.0.2.2:4556")};
	struct taking taking = take(&hand, stranger, 2);
	assert_int_equal(taking.reason, ERROR_OK);
	assert_int_equal(taking.party, 3);
	struct party party = look_party(&hand, 3);
	assert_memory_equal(party.id, stranger->id, sizeof(party.id));
	assert_true(bytes_equal(party.name, bytes_of_text("Stranger")));
	assert_memory_equal(party.authority_key, stranger->authority.key, PUBLIC_KEY_SIZE);
	assert_int_equal(party.letters, 2);
	assert_memory_equal(party.head, stranger->head, IDENTITY_SIZE);
	assert_int_equal(party.keying, 0);
	assert_true(look_post(&hand, 3, 3, &post));
	assert_true(bytes_equal(post.name, bytes_of_text("Bureau")));
	assert_true(bytes_equal(post.address, bytes_of_text("192.0.2.1:4556")));
	assert_memory_equal(post.statement_key, stranger->statement[3].key, PUBLIC_KEY_SIZE);
	assert_true(look_prekeys(&hand, 3, 3, &number));
	assert_int_equal(number, 5);
	drop(&hand, stranger);
}

static void a_longer_card_extends_and_a_shorter_one_changes_nothing_but_prekeys(void **state)
{
	struct hand hand = hand_world(402);
	struct stranger *stranger = stranger_make(2);
	struct party_post post;
	uint64_t number;

	add_post(stranger, 0, "Capital", "dtn://capital/");
	add_prekeys(stranger, 0, 1, false);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
	add_post(stranger, 1, "Mission", "dtn://mission/");
	stranger->addresses[stranger->addresses_count++] =
		(struct card_address){.slot = 0, .address = bytes_of_text("192.0.2.3:1")};
	assert_int_equal(take(&hand, stranger, 3).reason, ERROR_OK);
	assert_int_equal(look_party(&hand, 3).letters, 3);
	assert_true(look_post(&hand, 3, 1, &post));

	stranger->prekeys_count = 0;
	add_prekeys(stranger, 0, 2, false);
	stranger->addresses[0].address = bytes_of_text("192.0.2.4:1");
	struct taking taking = take(&hand, stranger, 2);
	assert_int_equal(taking.reason, ERROR_OK);
	assert_int_equal(taking.party, 3);
	struct party party = look_party(&hand, 3);
	assert_int_equal(party.letters, 3);
	assert_memory_equal(party.head, stranger->head, IDENTITY_SIZE);
	assert_true(look_post(&hand, 3, 0, &post));
	assert_true(bytes_equal(post.address, bytes_of_text("192.0.2.3:1")));
	assert_true(look_prekeys(&hand, 3, 0, &number));
	assert_int_equal(number, 2);
	drop(&hand, stranger);
}

static void a_card_of_another_chain_is_refused(void **state)
{
	struct hand hand = hand_world(403);
	struct stranger *first = stranger_make(3);
	struct stranger *second = stranger_make(3);
	struct party_post post;

	add_post(first, 0, "Capital", "dtn://capital/");
	add_post(first, 1, "Mission", "dtn://mission/");
	add_prekeys(first, 0, 1, false);
	add_post(second, 0, "Capital taken over", "dtn://evil/");
	add_prekeys(second, 0, 9, false);
	assert_int_equal(take(&hand, first, 3).reason, ERROR_OK);
	assert_int_equal(take(&hand, second, 2).reason, ERROR_REFUSED_CHAIN); /* shorter */
	add_post(second, 2, "More", "dtn://more/");
	assert_int_equal(take(&hand, second, 3).reason, ERROR_REFUSED_CHAIN); /* as long */
	add_post(second, 3, "Still more", "dtn://stillmore/");
	assert_int_equal(take(&hand, second, 4).reason, ERROR_REFUSED_CHAIN); /* longer */
	assert_int_equal(look_party(&hand, 3).letters, 3);
	assert_true(look_post(&hand, 3, 0, &post));
	assert_true(bytes_equal(post.name, bytes_of_text("Capital")));
	assert_false(look_post(&hand, 3, 2, &post));
	uint64_t number;
	assert_true(look_prekeys(&hand, 3, 0, &number));
	assert_int_equal(number, 1);
	free(second);
	drop(&hand, first);
}

static void a_forged_card_changes_nothing(void **state)
{
	struct hand hand = hand_world(404);
	struct stranger *stranger = stranger_make(4);

	add_post(stranger, 0, "Capital", "dtn://capital/");
	add_prekeys(stranger, 0, 1, false);
	stranger->letters[1][stranger->sizes[1] - 1] ^= 1;
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_BAD_SIGNATURE);
	stranger->letters[1][stranger->sizes[1] - 1] ^= 1;
	stranger->prekeys[0][stranger->prekeys_sizes[0] - 1] ^= 1;
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_BAD_SIGNATURE);
	stranger->prekeys_count = 0;
	add_prekeys(stranger, 0, 1, true);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_BAD_KEY);
	stranger->prekeys_count = 0;
	add_prekeys(stranger, 1, 1, false);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_NOT_FOUND); /* of no post */
	assert_int_equal(world_count(hand.world, 0, TABLE_PARTY), 3);
	assert_int_equal(world_count(hand.world, 0, TABLE_PARTY_ID), 3);
	stranger->prekeys_count = 0;
	add_prekeys(stranger, 0, 1, false);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
	drop(&hand, stranger);
}

static void more_counterparts_than_there_is_room_for_are_refused(void **state)
{
	struct hand hand = hand_world(405);
	struct stranger *stranger = stranger_make(5);
	struct stranger *one_more = stranger_make(6);
	struct row_key key = key_make(TABLE_STATE);
	struct state row;

	add_post(stranger, 0, "Capital", "dtn://capital/");
	add_prekeys(stranger, 0, 1, false);
	add_post(one_more, 0, "Capital", "dtn://capital2/");
	add_prekeys(one_more, 0, 1, false);
	assert_true(hand_look(&hand, &key, &schema_state, &row));
	row.parties = COUNTERPARTS_MAX - 1;
	world_put_row(hand.world, 0, &key, &schema_state, &row);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
	assert_int_equal(take(&hand, one_more, 2).reason, ERROR_FULL);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK); /* known already */
	free(one_more);
	drop(&hand, stranger);
}

static void a_node_id_stays_with_the_first_post_that_is_named_by_it(void **state)
{
	struct hand hand = hand_world(406);
	struct stranger *stranger = stranger_make(7);
	const char *taken[] = {hand.world->posts[0].node, hand.world->posts[1].node};
	struct post_number place;

	add_post(stranger, 0, "Copycat", taken[0]);
	add_post(stranger, 1, "Copycat too", taken[1]);
	add_post(stranger, 2, "Own", "dtn://own/");
	add_prekeys(stranger, 0, 1, false);
	assert_int_equal(take(&hand, stranger, 4).reason, ERROR_OK);
	for (size_t i = 0; i < 2; i++) {
		struct row_key key = key_make(TABLE_NODE_ID);
		key_bytes(&key, taken[i], strlen(taken[i]));
		assert_true(hand_look(&hand, &key, &schema_post_number, &place));
		assert_int_equal(place.party, i);
	}
	struct row_key own = key_make(TABLE_NODE_ID);
	key_bytes(&own, "dtn://own/", 10);
	assert_true(hand_look(&hand, &own, &schema_post_number, &place));
	assert_int_equal(place.party, 3);

	/* The post moves: the former name is free, and what it never had stays where it is. */
	add_post(stranger, 2, "Own", "dtn://moved/");
	add_post(stranger, 1, "Copycat too", "dtn://moved-too/");
	assert_int_equal(take(&hand, stranger, 6).reason, ERROR_OK);
	assert_false(hand_look(&hand, &own, &schema_post_number, &place));
	struct row_key key = key_make(TABLE_NODE_ID);
	key_bytes(&key, taken[1], strlen(taken[1]));
	assert_true(hand_look(&hand, &key, &schema_post_number, &place));
	assert_int_equal(place.party, 1);
	drop(&hand, stranger);
}

static void a_post_that_replaces_another_begins_with_its_own_prekeys(void **state)
{
	struct hand hand = hand_world(407);
	struct stranger *stranger = stranger_make(8);
	const struct ed25519_pair former = stranger->statement[0];
	uint64_t number;

	add_post(stranger, 0, "Capital", "dtn://capital/");
	add_prekeys(stranger, 0, 57, false);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
	stranger->statement[0] = stranger->statement[9];
	add_post(stranger, 0, "Capital", "dtn://capital/");
	stranger->prekeys_count = 0;
	add_prekeys(stranger, 0, 1, false);
	assert_int_equal(take(&hand, stranger, 3).reason, ERROR_OK);
	assert_true(look_prekeys(&hand, 3, 0, &number));
	assert_int_equal(number, 1);
	/* An older card has newer prekeys of the former one: they are not those of the post that is known. */
	stranger->statement[0] = former;
	stranger->prekeys_count = 0;
	add_prekeys(stranger, 0, 58, false);
	assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
	assert_true(look_prekeys(&hand, 3, 0, &number));
	assert_int_equal(number, 1);
	drop(&hand, stranger);
}

/* The row of a former node id is another post's by now, is gone, or is spoilt. */
static void only_its_own_former_node_id_is_given_free(void **state)
{
	static const struct {
		struct post_number place;
		bool there, spoilt, freed;
	} cases[] = {
		{.place = {.party = 3, .slot = 0}, .there = true, .freed = true},
		{.place = {.party = 2, .slot = 0}, .there = true},
		{.place = {.party = 3, .slot = 1}, .there = true},
		{.freed = true},
		{.there = true, .spoilt = true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hand hand = hand_world(409);
		struct stranger *stranger = stranger_make(10);
		struct store *store = &hand.world->posts[0].store;
		struct row_key key = key_make(TABLE_NODE_ID);
		struct row row;
		size_t at = 0;
		add_post(stranger, 0, "Own", "dtn://own/");
		add_prekeys(stranger, 0, 1, false);
		assert_int_equal(take(&hand, stranger, 2).reason, ERROR_OK);
		key_bytes(&key, "dtn://own/", 10);
		store_delete(store, key_view(&key));
		if (cases[i].there)
			hand_put(&hand, &key, &schema_post_number, &cases[i].place);
		if (cases[i].spoilt)
			store_put(store, key_view(&key), bytes_of_text("spoilt"));
		add_post(stranger, 0, "Own", "dtn://moved/");
		take_expecting(&hand, stranger, 3, cases[i].spoilt ? ERROR_MALFORMED : ERROR_OK);
		assert_int_equal(store_find(store, key_view(&key), &at, &row), !cases[i].freed);
		drop(&hand, stranger);
	}
}

static void what_is_no_card_is_refused(void **state)
{
	struct hand hand = hand_world(410);
	struct taking taking = {.card = bytes_of_text("no card")};

	assert_int_equal(hand_run(&hand, take_handler, &taking), ERROR_OK);
	assert_int_not_equal(taking.reason, ERROR_OK);
	world_free(hand.world);
}

static void the_largest_card_is_taken_in_few_rounds(void **state)
{
	struct hand hand = hand_world(408);
	struct stranger *stranger = stranger_make(9);
	static char names[CARD_LETTERS_MAX][2][32];

	for (size_t i = 1; i < CARD_LETTERS_MAX; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "Post %zu", i);
		snprintf(names[i][1], sizeof(names[i][1]), "dtn://post%zu/", i);
		add_post(stranger, i % POST_SLOTS, names[i][0], names[i][1]);
	}
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		add_prekeys(stranger, slot, 1, false);
		stranger->addresses[stranger->addresses_count++] =
			(struct card_address){.slot = slot, .address = bytes_of_text("192.0.2.5:4556")};
	}
	assert_int_equal(take(&hand, stranger, CARD_LETTERS_MAX / 2).reason, ERROR_NOT_FOUND);
	assert_int_equal(take(&hand, stranger, CARD_LETTERS_MAX).reason, ERROR_OK);
	assert_true(hand.rounds < RECORD_ROUNDS_MAX / 2);
	assert_int_equal(take(&hand, stranger, CARD_LETTERS_MAX).reason, ERROR_OK);
	assert_true(hand.rounds < RECORD_ROUNDS_MAX / 2);
	drop(&hand, stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_makes_its_party_known),
		cmocka_unit_test(a_longer_card_extends_and_a_shorter_one_changes_nothing_but_prekeys),
		cmocka_unit_test(a_card_of_another_chain_is_refused),
		cmocka_unit_test(a_forged_card_changes_nothing),
		cmocka_unit_test(more_counterparts_than_there_is_room_for_are_refused),
		cmocka_unit_test(a_node_id_stays_with_the_first_post_that_is_named_by_it),
		cmocka_unit_test(a_post_that_replaces_another_begins_with_its_own_prekeys),
		cmocka_unit_test(only_its_own_former_node_id_is_given_free),
		cmocka_unit_test(what_is_no_card_is_refused),
		cmocka_unit_test(the_largest_card_is_taken_in_few_rounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
