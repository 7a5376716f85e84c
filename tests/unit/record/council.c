#include "tests/unit/record/council.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

struct council *council_make(uint64_t seed, size_t count)
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
	assert_int_equal(hand_give(&council->hand, &council->pens[0], pen_opening(&council->pens[0])),
			 ERROR_OK);
	return council;
}

void council_free(struct council *council)
{
	world_free(council->hand.world);
	free(council);
}

enum error council_take(struct council *council, size_t party, struct content *content)
{
	return hand_take(&council->hand, &council->pens[party], content);
}

struct content *council_credence(struct council *council, size_t party, uint64_t officer, size_t key)
{
	return pen_credence(&council->pens[party], officer,
			    council->hand.world->parties[party].officers[key].key);
}

void council_take_opening(struct council *council, size_t party)
{
	assert_int_equal(council_take(council, party, pen_opening(&council->pens[party])), ERROR_OK);
}

bool council_officer(const struct council *council, size_t party, uint64_t number, struct officer *officer)
{
	struct row_key key = key_channel(TABLE_OFFICER, 1);
	key_u8(&key, council->index[party]);
	key_u32(&key, number);
	return hand_look(&council->hand, &key, &schema_officer, officer);
}

struct chain council_chain(const struct council *council, size_t party)
{
	struct row_key key = key_channel(TABLE_CHAIN, 1);
	struct chain chain = {0};
	key_u8(&key, council->index[party]);
	key_u32(&key, 0);
	(void)hand_look(&council->hand, &key, &schema_chain, &chain);
	return chain;
}

void council_put_chain(struct council *council, size_t party, const struct chain *chain)
{
	struct row_key key = key_channel(TABLE_CHAIN, 1);
	key_u8(&key, council->index[party]);
	key_u32(&key, 0);
	hand_put(&council->hand, &key, &schema_chain, chain);
}
