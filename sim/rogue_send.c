/* How a hostile post seals what its record never said: by the formats alone, with the keys of its store. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/cose.h"
#include "envelope/keying.h"
#include "envelope/padding.h"
#include "envelope/signed.h"
#include "record/keys.h"
#include "sim/check.h"
#include "sim/rogue.h"
#include "sim/words.h"

/* ---- sealing ---- */

/* What the store has of the other post. */
struct receiver {
	struct post_number number;
	struct party_post post;
	struct prekeys prekeys;
	struct leaf_row last;
	struct leaf_row leaf;
	bool has_leaf;
};

static bool read_receiver(const struct world *world, const struct liar *liar, struct receiver *receiver)
{
	const struct disk *disk = &world->nodes[liar->from].post.disk;
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number party;
	struct prekeys_row row;

	key_bytes(&key, world->nodes[liar->to].party.id, PARTY_ID_SIZE);
	if (!check_read_row(disk, &key, &schema_number, &party))
		return false;
	uint64_t slot = world_slot(liar->to);
	key = key_party_post(TABLE_PARTY_POST, party.number, slot);
	if (!check_read_row(disk, &key, &schema_party_post, &receiver->post))
		return false;
	key = key_party_post(TABLE_PREKEYS, party.number, slot);
	if (!check_read_row(disk, &key, &schema_prekeys_row, &row) ||
	    keys_prekeys_of_row(&row, &receiver->prekeys) != ERROR_OK)
		return false;
	key = key_party_post(TABLE_LAST_LEAF, party.number, slot);
	if (!check_read_row(disk, &key, &schema_leaf_row, &receiver->last))
		return false;
	key = key_party_post(TABLE_LEAF_OUT, party.number, slot);
	receiver->has_leaf = check_read_row(disk, &key, &schema_leaf_row, &receiver->leaf);
	receiver->number = (struct post_number){.party = party.number, .slot = slot};
	return true;
}

/* To an epoch at or after the leaf's, or to the last resort: both are the sender's to choose. */
static const uint8_t *choose_key(struct world *world, struct receiver *receiver, bool *has_epoch,
				 uint64_t *epoch, uint8_t leaf[KEYING_KEY_SIZE])
{
	uint64_t steps = random_span(&world->random, 0, 16);

	*epoch = receiver->leaf.epoch + steps;
	const uint8_t *key = prekeys_key(&receiver->prekeys, *epoch);
	*has_epoch = receiver->has_leaf && key != NULL && random_below(&world->random, 2) == 0;
	memcpy(leaf, *has_epoch ? receiver->leaf.leaf : receiver->last.leaf, KEYING_KEY_SIZE);
	if (!*has_epoch)
		return receiver->prekeys.last_resort;
	enum error error = keying_step(leaf, steps);
	assert(error == ERROR_OK);
	return key;
}

void rogue_send(struct world *world, const struct liar *liar, struct bytes plaintext)
{
	static uint8_t memory[SEALED_SIZE_MAX];
	static struct receiver receiver;
	struct buffer sealed = buffer_make(memory, sizeof(memory));
	uint8_t info_bytes[SEAL_INFO_SIZE_MAX];
	struct buffer info = buffer_make(info_bytes, sizeof(info_bytes));
	struct seal_end ends[2] = {{.slot = liar->own.slot}, {.slot = world_slot(liar->to)}};
	uint8_t leaf[KEYING_KEY_SIZE];
	uint8_t seed[HPKE_SEED_SIZE];
	struct keying_psk psk;
	struct hpke_schedule schedule;
	bool has_epoch;
	uint64_t epoch;

	if (!read_receiver(world, liar, &receiver))
		return;
	const uint8_t *key = choose_key(world, &receiver, &has_epoch, &epoch, leaf);
	memcpy(ends[0].party, liar->own.party_id, PARTY_ID_SIZE);
	memcpy(ends[0].statement_key, liar->own.statement_key, PUBLIC_KEY_SIZE);
	memcpy(ends[1].party, world->nodes[liar->to].party.id, PARTY_ID_SIZE);
	memcpy(ends[1].statement_key, receiver.post.statement_key, PUBLIC_KEY_SIZE);
	seal_info_encode(&ends[0], &ends[1], has_epoch, epoch, &info);
	keying_psk_of_leaf(leaf, &psk);
	struct hpke_psk view = keying_psk_view(&psk);
	hpke_schedule_make(buffer_bytes(&info), view.id, &schedule);
	struct cose_seal_context context = {.schedule = &schedule};
	random_fill(&world->random, seed, sizeof(seed));
	if (cose_seal(key, &view, &context, seed, plaintext, &sealed) == ERROR_OK)
		faults_inject(world, liar->from, liar->to, buffer_bytes(&sealed));
}

void rogue_send_wire(struct world *world, const struct liar *liar, struct wire *wire)
{
	static uint8_t memory[WIRE_SIZE_MAX];
	struct buffer plaintext = buffer_make(memory, sizeof(memory));

	if (wire->has_tag)
		memcpy(wire->tag, world->lines[liar->line].id, sizeof(wire->tag));
	if (wire_encode(wire, &plaintext) == ERROR_OK)
		rogue_send(world, liar, buffer_bytes(&plaintext));
}

void rogue_send_entry(struct world *world, const struct liar *liar, struct bytes cose, uint64_t incarnation,
		      uint64_t position)
{
	static struct wire wire;

	wire = (struct wire){
		.kind = WIRE_ENTRY, .has_tag = true, .incarnation = incarnation, .position = position};
	wire.cose = cose;
	rogue_send_wire(world, liar, &wire);
	free((void *)(uintptr_t)cose.data);
}

/* ---- signing as the post ---- */

static void post_pair(const struct liar *liar, struct ed25519_pair *pair)
{
	memcpy(pair->secret, liar->own.statement_secret, sizeof(pair->secret));
	memcpy(pair->key, liar->own.statement_key, sizeof(pair->key));
}

static void make_aad(const struct world *world, const struct liar *liar, enum aad_context context,
		     struct aad *aad)
{
	const struct world_line *line = &world->lines[liar->line];
	const struct world_party *party = &world->nodes[liar->from].party;

	if (context == AAD_PREKEYS)
		aad_without_channel(aad, context, party->id);
	else if (context == AAD_CANNOT_OPEN)
		aad_cannot_open(aad, party->id, world->nodes[liar->to].party.id);
	else
		aad_on_channel(aad, context, line->id, &line->roster, world_end_of(line, liar->from));
}

void rogue_send_statement(struct world *world, const struct liar *liar, enum statement_kind kind,
			  struct bytes payload)
{
	static const enum aad_context contexts[] = {
		[STATEMENT_RECEIPT] = AAD_RECEIPT, [STATEMENT_HEADS] = AAD_HEADS,
		[STATEMENT_PREKEYS] = AAD_PREKEYS, [STATEMENT_CANNOT_OPEN] = AAD_CANNOT_OPEN,
		[STATEMENT_MISSING] = AAD_MISSING,
	};
	static struct wire wire;
	static struct aad aad;
	struct ed25519_pair pair;
	const struct ed25519_pair *signer = &pair;
	uint8_t identity[IDENTITY_SIZE];

	make_aad(world, liar, contexts[kind], &aad);
	post_pair(liar, &pair);
	if (random_below(&world->random, 16) == 0)
		signer = &world->nodes[liar->from].party.authority; /* the post alone may say it */
	wire = (struct wire){.kind = WIRE_STATEMENT, .statement = kind};
	wire.has_tag = kind != STATEMENT_PREKEYS && kind != STATEMENT_CANNOT_OPEN;
	wire.cose = words_sign(&signer, 1, &aad, payload, identity);
	rogue_send_wire(world, liar, &wire);
	free((void *)(uintptr_t)wire.cose.data);
}

struct bytes rogue_sign_as_post(const struct world *world, const struct liar *liar,
				const struct content *content)
{
	static struct aad aad;
	struct ed25519_pair pair;
	uint8_t identity[IDENTITY_SIZE];

	make_aad(world, liar, AAD_ENTRY, &aad);
	post_pair(liar, &pair);
	return words_sign_alone(&pair, &aad, content, identity);
}
