/*
 * One post of a world worked by hand: handlers run over its rows as the core runs its own, and entries
 * come in as if their seals had been opened, signed by whomever the test likes. What goes wrong in here
 * itself ends the program.
 */
#ifndef TESTS_UNIT_RECORD_HAND_H
#define TESTS_UNIT_RECORD_HAND_H

#include "envelope/signed.h"
#include "record/registry.h"
#include "tests/unit/record/world.h"

/* ---- running ---- */

struct hand {
	struct world *world;
	size_t post;
	/* of the last run */
	size_t rounds;
	size_t alerts;
	enum error last_alert;
	size_t changes; /* LOCAL_CHANNEL_CHANGED */
};

struct hand hand_make(struct world *world, size_t post);

/* Runs the handler until nothing is missing and commits what it wrote, unless it fails. */
typedef enum error hand_handler(struct run *run, void *context);
enum error hand_run(struct hand *hand, hand_handler *handler, void *context);

/* One row; false if it is not there. Views live until the store changes. */
bool hand_look(const struct hand *hand, const struct row_key *key, const struct schema *schema, void *value);
/* Writes a row as no rule would. */
void hand_put(struct hand *hand, const struct row_key *key, const struct schema *schema, const void *value);
/* SHA-256 over all rows of the channels' tables: what the fold over letters has made. */
void hand_fold_hash(const struct hand *hand, uint8_t hash[32]);

/* ---- channels and letters ---- */

struct hand_channel {
	struct roster roster;
	uint8_t terms[TERMS_SIZE_MAX];
	size_t terms_size;
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	uint8_t id[CHANNEL_ID_SIZE];
};

/* Between the first `count` parties of the world; another nonce each time. */
struct hand_channel hand_channel_make(struct world *world, size_t count);
uint64_t hand_index(const struct world *world, const struct hand_channel *channel, size_t party);

/* An entry on its way: at which place of whose log. The bytes are freed with hand_drop. */
struct paper {
	uint8_t *cose;
	size_t size;
	size_t party;
	uint64_t slot;
	uint64_t position;
};
void hand_drop(struct paper *paper);

/* Signs content on the channel as a party, with one key or two. */
struct paper hand_sign(const struct hand_channel *channel, const struct world *world, size_t party,
		       const struct ed25519_pair *first, const struct ed25519_pair *second,
		       const struct content *content, uint8_t identity[IDENTITY_SIZE]);

/* The same with one key, for a payload that is given. */
struct paper hand_sign_payload(const struct hand_channel *channel, const struct world *world, size_t party,
			       const struct ed25519_pair *pair, struct bytes payload,
			       uint8_t identity[IDENTITY_SIZE]);

/* One authority's chain on one channel, and the log of the post that carries it. */
struct pen {
	struct world *world;
	const struct hand_channel *channel;
	size_t party;
	uint64_t slot;
	uint64_t position;
	uint64_t number;
	uint8_t head[IDENTITY_SIZE];
};

/* Letters next in the chain; allocated, to be changed at will before pen_sign. */
struct content *pen_letter(struct pen *pen, uint64_t kind);
struct content *pen_opening(struct pen *pen);
struct content *pen_credence(struct pen *pen, uint64_t officer, const uint8_t key[PUBLIC_KEY_SIZE]);
struct content *pen_agrement(struct pen *pen, uint64_t index, uint64_t first, size_t count);
/* Signs as the authority, goes on in chain and log, and frees the content. */
struct paper pen_sign(struct pen *pen, struct content *content);

/* ---- filing ---- */

struct outcome {
	enum error reason;
	size_t verdicts_count;
	struct registry_verdict verdicts[REGISTRY_VERDICTS_MAX];
};

/*
 * The whole way of an entry of another party: registry_opening, registry_judge, its log, registry_apply.
 * channel 0: found by the paper's own opening, or the channel's id.
 */
struct outcome hand_receive(struct hand *hand, const struct hand_channel *channel, const struct paper *paper);
/* registry_judge alone, as if it stood on the channel of this number. */
enum error hand_judge(struct hand *hand, uint64_t number, uint64_t index, const struct paper *paper,
		      bool own);
/* The way of an entry that is submitted here. */
struct outcome hand_submit(struct hand *hand, const struct hand_channel *channel, const struct paper *paper);
/* registry_advance once. */
struct outcome hand_advance(struct hand *hand);

/* ---- the usual ---- */

/* Three parties with a post each, cards and keyings exchanged; post 0 is worked by hand. */
struct hand hand_world(uint64_t seed);
/* Receives what the pen writes, and drops it; the reason. */
enum error hand_take(struct hand *hand, struct pen *pen, struct content *content);
/* Submits it. */
enum error hand_give(struct hand *hand, struct pen *pen, struct content *content);

#endif
