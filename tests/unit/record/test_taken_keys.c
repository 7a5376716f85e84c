/*
 * Keys that come: cards sealed in base mode, prekeys, keyings; and what is none of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "record/keys.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/world_inside.h"

/* ---- cards ---- */

struct cards {
	struct bytes receiver;
	struct bytes card;
	uint8_t bytes[8192]; /* sealed, or opened */
	size_t size;
	enum error reason;
};

static enum error seal_card(struct run *run, void *context)
{
	struct cards *cards = context;
	struct bytes sealed = {0};

	cards->reason = keys_seal_card(run, cards->receiver, cards->card, &sealed);
	if (cards->reason != ERROR_OK)
		return ERROR_OK;
	assert_true(sealed.size <= sizeof(cards->bytes));
	memcpy(cards->bytes, sealed.data, sealed.size);
	cards->size = sealed.size;
	return ERROR_OK;
}

static enum error open_card(struct run *run, void *context)
{
	struct cards *cards = context;
	struct bytes card = {0};

	enum error error = keys_open_card(run, bytes_make(cards->bytes, cards->size), &card, &cards->reason);
	if (error == ERROR_OK && cards->reason == ERROR_OK)
		assert_true(bytes_equal(card, cards->card));
	return error;
}

/* As what comes from the courier is opened. */
static enum error open_sealed(struct run *run, void *context)
{
	struct cards *cards = context;
	struct keys_opened opened;

	return keys_open(run, bytes_make(cards->bytes, cards->size), &opened, &cards->reason);
}

/* The card of a post's party: allocates. */
static struct bytes card_of(struct world *world, size_t post)
{
	assert_int_equal(world_request_bytes(world, post, LOCAL_CARD_EXPORT, NULL), ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[post]);
	struct bytes card = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	return bytes_make(world_copy_of(card), card.size);
}

/* Base mode says nothing of who sealed it: it is for cards, which people bring. */
static void what_is_sealed_without_a_keying_is_taken_as_a_card_alone(void **state)
{
	struct world *world = world_open_line(408);
	struct bytes theirs = card_of(world, 1);
	struct bytes ours = card_of(world, 0);
	struct hand hands[2] = {hand_make(world, 0), hand_make(world, 1)};
	static struct cards cards;

	cards = (struct cards){.receiver = theirs, .card = ours};
	assert_int_equal(hand_run(&hands[0], seal_card, &cards), ERROR_OK);
	assert_int_equal(cards.reason, ERROR_OK);
	assert_int_equal(hand_run(&hands[1], open_card, &cards), ERROR_OK);
	assert_int_equal(cards.reason, ERROR_OK);
	assert_int_equal(hand_run(&hands[1], open_sealed, &cards), ERROR_OK);
	assert_int_equal(cards.reason, ERROR_UNSUPPORTED);
	/* Nobody else opens it, and what is none is no card. */
	assert_int_equal(hand_run(&hands[0], open_card, &cards), ERROR_OK);
	assert_int_equal(cards.reason, ERROR_CANNOT_OPEN);
	cards.size--;
	assert_int_equal(hand_run(&hands[1], open_card, &cards), ERROR_OK);
	assert_int_not_equal(cards.reason, ERROR_OK);
	cards = (struct cards){.receiver = bytes_make(theirs.data, theirs.size - 1), .card = ours};
	assert_int_equal(hand_run(&hands[0], seal_card, &cards), ERROR_OK);
	assert_int_not_equal(cards.reason, ERROR_OK);
	assert_int_equal(cards.size, 0);
	free((void *)(uintptr_t)theirs.data);
	free((void *)(uintptr_t)ours.data);
	world_free(world);
}

/* ---- prekeys that come ---- */

struct taking {
	struct bytes cose;
	uint64_t slot;
	enum error reason;
};

static enum error take_prekeys(struct run *run, void *context)
{
	struct taking *taking = context;
	return keys_take_prekeys(run, 1, taking->slot, taking->cose, &taking->reason);
}

static void prekeys_of_no_form_or_of_another_slot_are_refused(void **state)
{
	struct world *world = world_open_line(409);
	struct hand hand = hand_make(world, 0);
	uint8_t bytes[4096];
	struct row_key prekeys_key = key_party_post(TABLE_PREKEYS, 1, world->posts[1].slot);
	struct prekeys_row row;
	struct taking taking = {.slot = world->posts[1].slot};
	struct row_key key = key_party(1);
	struct party_post post;

	assert_true(world_row(world, 0, &prekeys_key, &schema_prekeys_row, &row));
	assert_true(row.cose.size <= sizeof(bytes));
	memcpy(bytes, row.cose.data, row.cose.size);
	taking.cose = bytes_make(bytes, row.cose.size);
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_OK);
	assert_int_equal(taking.reason, ERROR_OK); /* they are held already */
	taking.cose.size--;
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_OK);
	assert_int_not_equal(taking.reason, ERROR_OK);
	taking.cose.size++;
	/* Of a post that is not named there is no row: whoever called has looked. */
	taking.slot++;
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_MALFORMED);
	struct row_key named = key_party_post(TABLE_PARTY_POST, 1, world->posts[1].slot);
	assert_true(world_row(world, 0, &named, &schema_party_post, &post));
	named = key_party_post(TABLE_PARTY_POST, 1, taking.slot);
	world_put_row(world, 0, &named, &schema_party_post, &post);
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_OK);
	assert_int_equal(taking.reason, ERROR_MALFORMED);
	/* Signed by another, it is dropped. */
	assert_true(world_row(world, 0, &prekeys_key, &schema_prekeys_row, &row));
	row.number--;
	world_put_row(world, 0, &prekeys_key, &schema_prekeys_row, &row);
	taking.slot--;
	bytes[row.cose.size - 1] ^= 1;
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_OK);
	assert_int_equal(taking.reason, ERROR_BAD_SIGNATURE);
	uint64_t number = row.number;
	assert_true(world_row(world, 0, &prekeys_key, &schema_prekeys_row, &row));
	assert_int_equal(row.number, number);
	store_delete(&world->posts[0].store, key_view(&key));
	assert_int_equal(hand_run(&hand, take_prekeys, &taking), ERROR_MALFORMED);
	world_free(world);
}

/* ---- keyings ---- */

struct keying_taken {
	uint8_t bytes[KEYING_PACKET_SIZE_MAX];
	size_t size;
	enum error reason;
};

static enum error take_keying(struct run *run, void *context)
{
	struct keying_taken *taken = context;
	uint64_t party;

	return keys_take_keying(run, bytes_make(taken->bytes, taken->size), &party, &taken->reason);
}

/* A packet of the second keying of posts 0 and 1, as if it were for this slot of that post's party. */
static enum error offer_keying(struct world *world, size_t receiver, unsigned slot, size_t cut)
{
	struct hand hand = hand_make(world, 0);
	struct keying_packet *packet = calloc(1, sizeof(*packet));
	struct keying_taken *taken = calloc(1, sizeof(*taken));
	struct buffer encoded = buffer_make(taken->bytes, sizeof(taken->bytes));
	struct keying keying;

	world_make_keying(world, 2, 0, 1, &keying);
	assert_int_equal(keying_packet_make(&keying, world->parties[receiver].id, slot, packet), ERROR_OK);
	assert_int_equal(keying_packet_encode(packet, &encoded), ERROR_OK);
	taken->size = encoded.size - cut;
	assert_int_equal(hand_run(&hand, take_keying, taken), ERROR_OK);
	enum error reason = taken->reason;
	free(packet);
	free(taken);
	return reason;
}

static void a_keying_that_is_for_another_post_is_not_taken(void **state)
{
	struct world *world = world_open_line(410);

	assert_int_not_equal(offer_keying(world, 0, world->posts[0].slot, 1), ERROR_OK);
	assert_int_equal(offer_keying(world, 1, world->posts[1].slot, 0), ERROR_BAD_ARGUMENT);
	assert_int_equal(offer_keying(world, 0, world->posts[0].slot + 1, 0), ERROR_BAD_ARGUMENT);
	assert_int_equal(world_count(world, 0, TABLE_NEXT_KEYING), 0);
	assert_int_equal(offer_keying(world, 0, world->posts[0].slot, 0), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_NEXT_KEYING), POST_SLOTS);
	assert_int_equal(offer_keying(world, 0, world->posts[0].slot, 0), ERROR_EXISTS);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_without_a_keying_is_taken_as_a_card_alone),
		cmocka_unit_test(prekeys_of_no_form_or_of_another_slot_are_refused),
		cmocka_unit_test(a_keying_that_is_for_another_post_is_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
