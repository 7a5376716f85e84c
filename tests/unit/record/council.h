/*
 * A council worked by hand: Alliance (here), Federation and Union, or the first two of them on a line;
 * Alliance has opened it.
 */
#ifndef TESTS_UNIT_RECORD_COUNCIL_H
#define TESTS_UNIT_RECORD_COUNCIL_H

#include "tests/unit/record/hand.h"

struct council {
	struct hand hand;
	struct hand_channel channel;
	struct pen pens[3];
	uint64_t index[3];
};

struct council *council_make(uint64_t seed, size_t count);
void council_free(struct council *council);

/* What a party's authority writes next comes in; the reason. */
enum error council_take(struct council *council, size_t party, struct content *content);
void council_take_opening(struct council *council, size_t party);
/* A credence for an officer with one of the party's keys. */
struct content *council_credence(struct council *council, size_t party, uint64_t officer, size_t key);

bool council_officer(const struct council *council, size_t party, uint64_t number, struct officer *officer);
struct chain council_chain(const struct council *council, size_t party);
void council_put_chain(struct council *council, size_t party, const struct chain *chain);

#endif
