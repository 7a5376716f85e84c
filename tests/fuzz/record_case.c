#include "tests/fuzz/record_case.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "envelope/aad.h"
#include "envelope/padding.h"
#include "envelope/signed.h"
#include "envelope/statement.h"
#include "record/keys.h"
#include "record/registry.h"
#include "sim/stand_in.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/world_inside.h"

#define POSTS 2

/* Made with the first input: libFuzzer has no place for a parameter of ours. */
static struct {
	struct world *now;
	struct world *first; /* as it was; its stores and anchors are those of an open line */
	uint8_t greetings[POSTS][IDENTITY_SIZE];
	uint8_t work[SIGNED_WORK_SIZE];
	uint8_t plaintext[WIRE_SIZE_MAX];
} made;

/* ---- the world, and back to it ---- */

static void make(void)
{
	static const struct world_message greeting = {.precedence = PRECEDENCE_PRIORITY,
						      .text = "the line is open"};

	stand_in_use(true);
	made.now = world_open_line(1);
	for (size_t i = 0; i < POSTS; i++)
		assert(world_send(made.now, i, &greeting, made.greetings[i]) == ERROR_OK);
	world_settle(made.now);
	made.first = world_must(malloc(sizeof(*made.first)));
	*made.first = *made.now;
	for (size_t i = 0; i < POSTS; i++) {
		struct world_post *post = &made.first->posts[i];
		store_copy(&post->store, &made.now->posts[i].store);
		post->anchor = world_copy_of(bytes_make(post->anchor, post->anchor_size));
	}
}

static void lay_back(struct world_post *post, const struct world_post *first)
{
	size_t reply = offsetof(struct world_post, reply);
	size_t behind = offsetof(struct world_post, reply_size);

	assert(post->actions_count == 0);
	free(post->actions);
	free(post->anchor);
	store_free(&post->store);
	memcpy(post, first, reply); /* the reply is large, and nobody's before the next request */
	memcpy((uint8_t *)post + behind, (const uint8_t *)first + behind, sizeof(*post) - behind);
	post->actions = NULL;
	post->anchor = world_copy_of(bytes_make(first->anchor, first->anchor_size));
	store_copy(&post->store, &first->store);
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
}

void record_case_begin(struct record_case *of)
{
	size_t posts = offsetof(struct world, posts);
	size_t behind = offsetof(struct world, packets_sent);

	if (made.now == NULL)
		make();
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		if (made.now->packets[i].used)
			free(made.now->packets[i].bytes);
		made.now->packets[i].used = false;
	}
	memcpy(made.now, made.first, posts);
	memcpy((uint8_t *)made.now + behind, (const uint8_t *)made.first + behind,
	       sizeof(struct world) - behind);
	for (size_t i = 0; i < POSTS; i++)
		lay_back(&made.now->posts[i], &made.first->posts[i]);
	for (size_t i = 0; i < POSTS; i++)
		world_start(made.now, i);
	*of = (struct record_case){.world = made.now};
	memcpy(of->greeting, made.greetings[TRIED], sizeof(of->greeting));
}

/* ---- signing ---- */

static void pair_of(const struct record_case *of, enum signer signer, struct ed25519_pair *pair)
{
	const struct world *world = of->world;
	const struct world_party *party = &world->parties[world->posts[HOSTILE].party];
	struct row_key key = key_make(TABLE_POST);
	struct own_post own;
	uint8_t seed[ED25519_SEED_SIZE] = {1, 2, 3};

	switch (signer) {
	case SIGNER_AUTHORITY:
		*pair = party->authority;
		return;
	case SIGNER_OFFICER:
	case SIGNER_NEW_OFFICER:
		*pair = party->officers[signer - SIGNER_OFFICER];
		return;
	case SIGNER_POST:
		assert(world_row(world, HOSTILE, &key, &schema_own_post, &own));
		memcpy(pair->secret, own.statement_secret, sizeof(pair->secret));
		memcpy(pair->key, own.statement_key, sizeof(pair->key));
		return;
	case SIGNER_OTHERS:
		*pair = world->parties[world->posts[TRIED].party].officers[0];
		return;
	default:
		ed25519_pair_from_seed(seed, pair);
	}
}

static size_t index_of(const struct world *world, size_t post)
{
	return log_roster_index(world_log_of(world, post));
}

static void sign(const struct ed25519_pair *pair, const struct aad *aad, struct bytes payload, bool spoil,
		 struct buffer *cose)
{
	struct buffer work = buffer_make(made.work, sizeof(made.work));

	assert(signed_alone(pair, aad, payload, &work, cose) == ERROR_OK);
	if (spoil)
		cose->data[cose->size - 1 - payload.size % ED25519_SIGNATURE_SIZE] ^= 4;
}

void record_case_sign_entry(struct record_case *of, enum signer signer, uint64_t spoil, struct bytes payload,
			    struct buffer *cose)
{
	static struct aad aad;
	struct ed25519_pair pair;
	const struct world *world = of->world;

	pair_of(of, signer, &pair);
	aad_on_channel(&aad, AAD_ENTRY, world->channel, &world->roster,
		       index_of(world, spoil == 2 ? TRIED : HOSTILE));
	sign(&pair, &aad, payload, spoil == 1, cose);
	if (spoil == 1 || spoil == 2 || of->signed_count == sizeof(of->of_signed) / sizeof(of->of_signed[0]))
		return;
	identity_of(&aad, payload, of->of_signed[of->signed_count].identity);
	of->of_signed[of->signed_count++].signer = signer;
}

void record_case_sign_statement(struct record_case *of, uint64_t kind, uint64_t spoil, struct bytes payload,
				struct buffer *cose)
{
	static const enum aad_context contexts[] = {AAD_RECEIPT, AAD_RECEIPT,     AAD_HEADS,
						    AAD_PREKEYS, AAD_CANNOT_OPEN, AAD_MISSING};
	static struct aad aad;
	struct ed25519_pair pair;
	const struct world *world = of->world;
	const uint8_t *ids[POSTS];

	for (size_t i = 0; i < POSTS; i++)
		ids[i] = world->parties[world->posts[i].party].id;
	if (kind == STATEMENT_PREKEYS)
		aad_without_channel(&aad, AAD_PREKEYS, ids[HOSTILE]);
	else if (kind == STATEMENT_CANNOT_OPEN)
		aad_cannot_open(&aad, ids[HOSTILE], ids[TRIED]);
	else
		aad_on_channel(&aad, contexts[kind <= STATEMENT_MISSING ? kind : 0], world->channel,
			       &world->roster, index_of(world, spoil == 2 ? TRIED : HOSTILE));
	pair_of(of, spoil == 3 ? SIGNER_OFFICER : SIGNER_POST, &pair);
	sign(&pair, &aad, payload, spoil == 1, cose);
}

/* ---- sealing ---- */

struct sealing {
	struct keys_target target;
	struct bytes plaintext;
	uint8_t sealed[SEALED_SIZE_MAX];
	size_t size; /* 0: there was no key */
};

static enum error seal(struct run *run, void *context)
{
	struct sealing *sealing = context;
	struct bytes sealed;
	bool last_resort;
	enum error reason;

	sealing->size = 0;
	enum error error = registry_party_by_id(run, made.now->parties[made.now->posts[TRIED].party].id,
						&sealing->target.party);
	if (error == ERROR_OK)
		error = keys_seal(run, &sealing->target, sealing->plaintext, &sealed, &last_resort, &reason);
	if (error != ERROR_OK || reason != ERROR_OK)
		return error;
	assert(sealed.size <= sizeof(sealing->sealed));
	memcpy(sealing->sealed, sealed.data, sealed.size);
	sealing->size = sealed.size;
	return ERROR_OK;
}

void record_case_give(struct record_case *of, struct bytes plaintext)
{
	static struct sealing sealing;
	struct hand hand = hand_make(of->world, HOSTILE);

	sealing.target = (struct keys_target){.slot = of->world->posts[TRIED].slot, .window_s = 86400};
	sealing.plaintext = plaintext;
	assert(hand_run(&hand, seal, &sealing) == ERROR_OK);
	if (sealing.size == 0)
		return;
	world_deliver(of->world, TRIED, HOSTILE, bytes_make(sealing.sealed, sealing.size));
	world_commit(of->world, TRIED);
}

void record_case_give_wire(struct record_case *of, struct wire *wire)
{
	struct buffer plaintext = buffer_make(made.plaintext, sizeof(made.plaintext));

	memcpy(wire->tag, of->world->channel, sizeof(wire->tag));
	if (wire_encode(wire, &plaintext) == ERROR_OK)
		record_case_give(of, buffer_bytes(&plaintext));
}

/* ---- what must hold ---- */

static void fail(const char *what)
{
	fprintf(stderr, "record: %s\n", what);
	abort();
}

/* True if a row of that key and value is there. */
static bool still_there(const struct store *store, const struct row *row)
{
	struct row found;
	size_t at = 0;

	return store_find(store, row->key, &at, &found) && bytes_equal(found.key, row->key) &&
	       bytes_equal(found.value, row->value);
}

static void check_kept(void)
{
	static const uint8_t tables[] = {TABLE_IDENTITY, TABLE_COSE};
	const struct store *store = &made.now->posts[TRIED].store;
	struct row row;

	for (size_t i = 0; i < sizeof(tables); i++) {
		size_t at = 0;
		while (store_find(&made.first->posts[TRIED].store, bytes_make(&tables[i], 1), &at, &row))
			if (!still_there(store, &row))
				fail("what was held is gone, or another");
	}
}

/* True if this signer may say that. */
static bool may_say(const struct record_case *of, enum signer signer, uint64_t kind)
{
	switch (kind) {
	case CONTENT_MESSAGE:
	case CONTENT_ACKNOWLEDGMENT:
		return signer == SIGNER_OFFICER || (signer == SIGNER_NEW_OFFICER && of->agreed);
	case CONTENT_LETTER:
		return signer == SIGNER_AUTHORITY;
	default:
		return signer == SIGNER_POST;
	}
}

static bool was_said(const struct record_case *of, const struct entry *entry)
{
	struct entry held;
	struct entry_key place;

	for (size_t i = 0; i < of->signed_count; i++)
		if (memcmp(of->of_signed[i].identity, entry->identity, IDENTITY_SIZE) == 0 &&
		    may_say(of, of->of_signed[i].signer, entry->kind))
			return true;
	/* Or it is its own core's, which is honest, and has it in its log. */
	return world_entry(of->world, HOSTILE, entry->identity, &held, &place) &&
	       place.log == world_log_of(of->world, HOSTILE);
}

void record_case_check(const struct record_case *of)
{
	const uint8_t prefix = TABLE_ENTRY;
	const struct store *store = &of->world->posts[TRIED].store;
	uint64_t own = world_log_of(of->world, TRIED);
	struct entry entry;
	struct row row;
	size_t at = 0;

	check_kept();
	while (store_find(store, bytes_make(&prefix, 1), &at, &row)) {
		uint64_t log = load_u16(row.key.data + 3); /* table, channel, log */
		assert(schema_read(&schema_entry, row.value, &entry) == ERROR_OK);
		if (log != own && entry.reason == 0 && !was_said(of, &entry))
			fail("an entry was accepted that nobody who may had signed");
	}
}
