/*
 * A hostile party: its post has the real record's keys and runs the real record, and beside it somebody signs
 * and seals with those keys whatever they like. The others must stay whole, and agree among themselves.
 */
#ifndef SIM_ROGUE_H
#define SIM_ROGUE_H

#include "envelope/statement.h"
#include "envelope/wire.h"
#include "record/schema.h"
#include "sim/world.h"

bool rogue_is(const struct world *world, size_t node);
bool rogue_is_gone(const struct world *world, size_t node);
/* The line is one with the hostile party. */
bool rogue_is_on(const struct world *world, size_t line);
/* An action of its post that is not performed. */
bool rogue_withholds(struct world *world, size_t node, const struct record_action *action);
/* What its courier keeps of heads stays with it: its post's store goes to and fro. */
bool rogue_hides_heads(const struct world *world, size_t node);

/* At each fault event. */
void rogue_act(struct world *world);
void rogue_free(struct world *world);

/* ---- rogue_forge.c ---- */

/* Who says something false to whom, on one line, and what there is to lie about. */
struct liar {
	size_t line;
	size_t from;
	size_t to;
	struct own_post own;
	uint64_t channel;     /* at the liar's post; 0: it has lost it */
	uint64_t log;         /* the own one, */
	uint64_t incarnation; /* as its post has it */
	uint64_t size;
	uint64_t their_channel; /* at the other post */
	uint64_t their_log;
	uint64_t their_incarnation;
	uint64_t their_size;
};

/* On some line; false where its post's store has not enough to lie with. */
bool rogue_liar(struct world *world, struct liar *liar);
/* One kind of what must not be said, so often. */
void rogue_forge(struct world *world, const struct liar *liar, uint64_t count);
/* Two that cannot both be. */
void rogue_contradict(struct world *world, const struct liar *liar);

/* ---- rogue_send.c ---- */

/* Seals to the other post of the line, and hands it to that post's courier. */
void rogue_send(struct world *world, const struct liar *liar, struct bytes plaintext);
void rogue_send_entry(struct world *world, const struct liar *liar, struct bytes cose, uint64_t incarnation,
		      uint64_t position); /* frees it */
void rogue_send_wire(struct world *world, const struct liar *liar, struct wire *wire);
/* Signed with the post's statement key. */
void rogue_send_statement(struct world *world, const struct liar *liar, enum statement_kind kind,
			  struct bytes payload);
struct bytes rogue_sign_as_post(const struct world *world, const struct liar *liar,
				const struct content *content);

#endif
