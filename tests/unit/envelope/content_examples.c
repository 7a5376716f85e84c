#include "tests/unit/envelope/content_examples.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/x25519.h"

#define NONCE_BYTE   0x21
#define EMBASSY_SLOT 0
#define NODE         "dtn://embassy.federation/"
#define ADDRESS      "198.51.100.7:4556"

void example_pair(enum example_key key, struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];

	memset(seed, (int)key, sizeof(seed));
	ed25519_pair_from_seed(seed, pair);
}

static void public_key(enum example_key key, uint8_t to[PUBLIC_KEY_SIZE])
{
	struct ed25519_pair pair;

	example_pair(key, &pair);
	memcpy(to, pair.key, PUBLIC_KEY_SIZE);
}

static void prekey(int byte, uint8_t to[PUBLIC_KEY_SIZE])
{
	uint8_t secret[X25519_KEY_SIZE];
	struct x25519_pair pair;

	memset(secret, byte, sizeof(secret));
	x25519_pair_from_secret(secret, &pair);
	memcpy(to, pair.key, PUBLIC_KEY_SIZE);
}

struct bytes examples_get(const struct examples *examples, const char *name)
{
	for (size_t i = 0; i < examples->count; i++)
		if (strcmp(examples->list[i].name, name) == 0)
			return examples->list[i].bytes;
	assert(!"there is an example of this name");
	return bytes_make(NULL, 0);
}

/* Names what has been appended to examples->all since `start`. */
static struct bytes name_since(struct examples *examples, const char *name, size_t start)
{
	struct bytes bytes = bytes_make(examples->all.data + start, examples->all.size - start);

	assert(buffer_error(&examples->all) == ERROR_OK && examples->count < EXAMPLES_MAX);
	examples->list[examples->count++] = (struct example){name, bytes};
	return bytes;
}

static struct bytes add(struct examples *examples, const char *name, const void *data, size_t size)
{
	size_t start = examples->all.size;

	buffer_append(&examples->all, bytes_make(data, size));
	return name_since(examples, name, start);
}

static struct bytes add_signed(struct examples *examples, const char *name, enum example_key key,
			       const struct aad *aad, struct bytes payload)
{
	size_t start = examples->all.size;
	struct ed25519_pair pair;

	example_pair(key, &pair);
	assert(signed_alone(&pair, aad, payload, &examples->work, &examples->all) == ERROR_OK);
	return name_since(examples, name, start);
}

static struct bytes add_content(struct examples *examples, const char *name)
{
	size_t start = examples->all.size;

	content_encode(&examples->content, &examples->all);
	return name_since(examples, name, start);
}

/* Starts content of this kind in examples->content; the id tells one example from another. */
static struct content *begin_content(struct examples *examples, enum content_kind kind, int id_byte)
{
	struct content *content = &examples->content;

	memset(content, 0, sizeof(*content));
	content->kind = kind;
	content->precedence = PRECEDENCE_ROUTINE;
	memset(content->id, id_byte, sizeof(content->id));
	return content;
}

static struct letter *begin_letter(struct examples *examples, enum letter_kind kind, uint64_t number,
				   const uint8_t previous[IDENTITY_SIZE], int id_byte)
{
	struct content *content = begin_content(examples, CONTENT_LETTER, id_byte);
	struct letter *letter = &content->of.letter;

	content->signers_count = 1;
	letter->kind = kind;
	letter->time = EXAMPLE_TIME - 86400;
	letter->number = number;
	letter->has_previous = previous != NULL;
	if (previous != NULL)
		memcpy(letter->previous, previous, IDENTITY_SIZE);
	return letter;
}

/* ---- parties ---- */

static void make_parties(struct examples *examples)
{
	uint8_t key[PUBLIC_KEY_SIZE], alliance[PARTY_ID_SIZE], federation[PARTY_ID_SIZE];
	bool found;

	public_key(KEY_ALLIANCE_AUTHORITY, key);
	party_id_from_key(key, alliance);
	public_key(KEY_FEDERATION_AUTHORITY, key);
	party_id_from_key(key, federation);
	add(examples, "alliance party id", alliance, sizeof(alliance));
	add(examples, "federation party id", federation, sizeof(federation));
	examples->roster.count = 2;
	memcpy(examples->roster.ids[0], alliance, sizeof(alliance));
	memcpy(examples->roster.ids[1], federation, sizeof(federation));
	assert(roster_sort(&examples->roster) == ERROR_OK);
	found = roster_find(&examples->roster, alliance, &examples->alliance) &&
		roster_find(&examples->roster, federation, &examples->federation);
	assert(found);
}

static void make_channel(struct examples *examples)
{
	size_t start = examples->all.size;
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	struct bytes terms;

	terms_default(&examples->terms, bytes_of_text("The emergency line"));
	terms_encode(&examples->terms, &examples->all);
	terms = name_since(examples, "terms", start);
	memset(nonce, NONCE_BYTE, sizeof(nonce));
	channel_id_make(&examples->roster, terms, nonce, examples->channel);
	add(examples, "channel id", examples->channel, sizeof(examples->channel));
	aad_on_channel(&examples->aad, AAD_ENTRY, examples->channel, &examples->roster, examples->federation);
	start = examples->all.size;
	aad_encode(&examples->aad, &examples->all);
	name_since(examples, "aad of an entry", start);
}

/* ---- letters ---- */

static void make_founding(struct examples *examples, const struct aad *aad, uint8_t identity[IDENTITY_SIZE])
{
	struct letter *letter = begin_letter(examples, LETTER_FOUNDING, 0, NULL, 0x31);
	struct founding_letter *founding = &letter->of.founding;
	uint8_t next[PUBLIC_KEY_SIZE];
	struct bytes payload;

	founding->name = bytes_of_text("Federation");
	public_key(KEY_FEDERATION_AUTHORITY, founding->authority_key);
	public_key(KEY_FEDERATION_NEXT, next);
	crypto_hash_sha256(founding->successor, next, sizeof(next));
	payload = add_content(examples, "founding content");
	identity_of(aad, payload, identity);
	add_signed(examples, "founding letter", KEY_FEDERATION_AUTHORITY, aad, payload);
}

static void make_post(struct examples *examples, const struct aad *aad, const uint8_t previous[IDENTITY_SIZE])
{
	struct letter *letter = begin_letter(examples, LETTER_POST, 1, previous, 0x32);
	struct post_letter *post = &letter->of.post;
	struct bytes payload;

	post->slot = EMBASSY_SLOT;
	post->kind = POST_EMBASSY;
	post->name = bytes_of_text("Embassy");
	post->node = bytes_of_text(NODE);
	public_key(KEY_EMBASSY_STATEMENTS, post->statement_key);
	memset(post->courier_pin, 0x41, sizeof(post->courier_pin));
	payload = add_content(examples, "post content");
	add_signed(examples, "post letter", KEY_FEDERATION_AUTHORITY, aad, payload);
}

static void make_card_letters(struct examples *examples)
{
	uint8_t identity[IDENTITY_SIZE];
	struct aad aad;

	aad_without_channel(&aad, AAD_ENTRY, examples->roster.ids[examples->federation]);
	make_founding(examples, &aad, identity);
	make_post(examples, &aad, identity);
}

static void make_opening(struct examples *examples, uint8_t identity[IDENTITY_SIZE])
{
	struct letter *letter = begin_letter(examples, LETTER_OPENING, 0, NULL, 0x33);
	struct opening_letter *opening = &letter->of.opening;
	struct bytes payload;

	opening->parties = examples->roster;
	opening->terms = examples_get(examples, "terms");
	memset(opening->nonce, NONCE_BYTE, sizeof(opening->nonce));
	opening->card_count = 2;
	opening->card[0] = examples_get(examples, "founding letter");
	opening->card[1] = examples_get(examples, "post letter");
	opening->posts_count = 1;
	opening->posts[0].slot = EMBASSY_SLOT;
	public_key(KEY_EMBASSY_LOG, opening->posts[0].log_key);
	public_key(KEY_EMBASSY_COSIGNER, opening->posts[0].cosigner_key);
	payload = add_content(examples, "opening content");
	identity_of(&examples->aad, payload, identity);
	add_signed(examples, "opening letter", KEY_FEDERATION_AUTHORITY, &examples->aad, payload);
}

static void make_credence(struct examples *examples, uint8_t identity[IDENTITY_SIZE])
{
	struct letter *letter = begin_letter(examples, LETTER_CREDENCE, 1, identity, 0x34);
	struct credence_letter *credence = &letter->of.credence;
	struct bytes payload;

	credence->officer = 1;
	credence->name = bytes_of_text("A. Petrov");
	credence->title = bytes_of_text("Watch officer");
	public_key(KEY_FEDERATION_OFFICER, credence->key);
	credence->highest_precedence = PRECEDENCE_FLASH;
	payload = add_content(examples, "credence content");
	identity_of(&examples->aad, payload, identity);
}

static void make_agrement(struct examples *examples, const uint8_t previous[IDENTITY_SIZE])
{
	struct letter *letter = begin_letter(examples, LETTER_AGREMENT, 2, previous, 0x35);

	letter->of.agrement.party = examples->alliance;
	letter->of.agrement.officers_count = 2;
	letter->of.agrement.officers[0] = 1;
	letter->of.agrement.officers[1] = 300;
	letter->reason = bytes_of_text("As agreed on 20 November.");
	letter->has_review = true;
	letter->review = EXAMPLE_TIME + 31536000;
	add_content(examples, "agrement content");
}

static void make_channel_letters(struct examples *examples)
{
	uint8_t heads[1][IDENTITY_SIZE];
	uint8_t version[REGISTRY_SIZE];

	make_opening(examples, heads[0]);
	make_credence(examples, heads[0]);
	make_agrement(examples, heads[0]);
	registry_version(heads, 1, version);
	add(examples, "registry version", version, sizeof(version));
}

/* ---- entries ---- */

static void set_registry(struct examples *examples, uint8_t registry[REGISTRY_SIZE])
{
	memcpy(registry, examples_get(examples, "registry version").data, REGISTRY_SIZE);
}

static void make_leaf_and_wire(struct examples *examples, struct bytes cose)
{
	struct wire wire = {.kind = WIRE_ENTRY, .has_tag = true, .incarnation = 1, .cose = cose};
	struct leaf leaf = {.position = EXAMPLE_POSITION};
	uint8_t memory[1024];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct cose_signed object;
	struct merkle_hash hash;
	size_t start = examples->all.size;

	memcpy(leaf.identity, examples_get(examples, "identity of the message").data, IDENTITY_SIZE);
	assert(cose_signed_decode(cose, &object) == ERROR_OK);
	signatures_hash(&object, leaf.signatures_hash);
	leaf.heads.count = 1;
	leaf.heads.heads[0] =
		(struct head_seen){.log = log_number(examples->alliance, 0), .incarnation = 1, .size = 7};
	leaf_encode(&leaf, &examples->all);
	name_since(examples, "leaf", start);
	merkle_leaf_hash(examples_get(examples, "leaf"), &hash);
	add(examples, "leaf hash", hash.bytes, sizeof(hash.bytes));
	channel_tag_make(examples->channel, wire.tag);
	wire.position = leaf.position;
	wire.heads = leaf.heads;
	assert(wire_encode(&wire, &buffer) == ERROR_OK);
	add(examples, "wire entry, padded", buffer.data, buffer.size);
	buffer.size = 0;
	wire.kind = WIRE_RETURNED;
	wire.log = log_number(examples->federation, EMBASSY_SLOT);
	assert(wire_encode(&wire, &buffer) == ERROR_OK);
	add(examples, "wire returned entry, padded", buffer.data, buffer.size);
}

static void make_message(struct examples *examples)
{
	struct content *content = begin_content(examples, CONTENT_MESSAGE, 0x36);
	struct message *message = &content->of.message;
	uint8_t identity[IDENTITY_SIZE];
	struct bytes payload;
	size_t start;

	content->precedence = PRECEDENCE_FLASH;
	content->signers_count = 1;
	content->signers[0] = 1;
	set_registry(examples, content->registry);
	message->time = EXAMPLE_TIME;
	message->text = bytes_of_text(EXAMPLE_TEXT);
	message->subject = bytes_of_text("Exercise");
	message->has_ack_by = true;
	message->ack_by = EXAMPLE_TIME + 1800;
	payload = add_content(examples, "message content");
	identity_of(&examples->aad, payload, identity);
	add(examples, "identity of the message", identity, sizeof(identity));
	start = examples->all.size;
	assert(signed_bytes(1, &examples->aad, payload, &examples->all) == ERROR_OK);
	name_since(examples, "bytes signed", start);
	make_leaf_and_wire(examples, add_signed(examples, "message, signed", KEY_FEDERATION_OFFICER,
						&examples->aad, payload));
}

static void make_message_of_two(struct examples *examples)
{
	struct content *content = begin_content(examples, CONTENT_MESSAGE, 0x37);
	struct message *message = &content->of.message;
	uint8_t signatures[2][ED25519_SIGNATURE_SIZE];
	struct ed25519_pair pair;
	struct bytes payload;
	size_t start;

	content->signers_count = 2;
	content->signers[0] = 1;
	content->signers[1] = 2;
	set_registry(examples, content->registry);
	message->time = EXAMPLE_TIME + 60;
	message->text = bytes_of_text("Both of us.");
	message->references_count = 2;
	memcpy(message->references[0], examples_get(examples, "identity of the message").data, IDENTITY_SIZE);
	memset(message->references[1], 0x42, IDENTITY_SIZE);
	message->has_answers = true;
	memset(message->answers, 0x42, IDENTITY_SIZE);
	payload = add_content(examples, "message content of two");
	example_pair(KEY_FEDERATION_OFFICER, &pair);
	assert(signed_signature(&pair, 2, &examples->aad, payload, &examples->work, signatures[0]) ==
	       ERROR_OK);
	example_pair(KEY_FEDERATION_OFFICER_2, &pair);
	assert(signed_signature(&pair, 2, &examples->aad, payload, &examples->work, signatures[1]) ==
	       ERROR_OK);
	start = examples->all.size;
	assert(signed_by_two(payload, signatures[0], signatures[1], &examples->all) == ERROR_OK);
	name_since(examples, "message, signed by two", start);
}

static void make_other_content(struct examples *examples)
{
	struct content *content = begin_content(examples, CONTENT_ACKNOWLEDGMENT, 0x38);

	content->signers_count = 1;
	content->signers[0] = 1;
	content->of.acknowledgment.time = EXAMPLE_TIME + 120;
	memcpy(content->of.acknowledgment.acknowledged,
	       examples_get(examples, "identity of the message").data, IDENTITY_SIZE);
	content->of.acknowledgment.note = bytes_of_text("Not yet by the principal");
	add_content(examples, "acknowledgment content");

	content = begin_content(examples, CONTENT_VERDICT, 0x39);
	content->of.verdict.time = EXAMPLE_TIME + 5;
	content->of.verdict.ranges_count = 3;
	content->of.verdict.ranges[0] = (struct verdict_range){0, 1, 0, 3, 0};
	content->of.verdict.ranges[1] = (struct verdict_range){0, 1, 3, 1, ERROR_REFUSED_CHAIN};
	content->of.verdict.ranges[2] = (struct verdict_range){64, 2, 0, 1, 0};
	add_content(examples, "verdict content");

	content = begin_content(examples, CONTENT_INCARNATION, 0x3a);
	content->of.incarnation = (struct incarnation){.time = EXAMPLE_TIME, .previous = 1, .size = 40};
	memset(content->of.incarnation.root.bytes, 0x43, MERKLE_HASH_SIZE);
	add_content(examples, "incarnation content");
}

/* ---- statements ---- */

static void make_receipt(struct examples *examples)
{
	struct receipt receipt = {
		.by = log_number(examples->alliance, 0),
		.log = log_number(examples->federation, EMBASSY_SLOT),
		.incarnation = 1,
		.held_count = 1,
		.held = {{EXAMPLE_POSITION, 1}},
		.refused_count = 1,
		.refused = {{EXAMPLE_POSITION + 1, 1, ERROR_REFUSED_LENGTH}},
		.time = EXAMPLE_TIME + 2,
	};
	size_t start = examples->all.size;
	struct receipt_digest digest;
	uint8_t refused[IDENTITY_SIZE];
	struct bytes payload;
	struct aad aad;

	memset(refused, 0x44, sizeof(refused));
	receipt_digest_init(&digest);
	receipt_digest_add(&digest, EXAMPLE_POSITION, examples_get(examples, "identity of the message").data);
	receipt_digest_add(&digest, EXAMPLE_POSITION + 1, refused);
	receipt_digest_final(&digest, receipt.digest);
	set_registry(examples, receipt.registry);
	receipt_encode(&receipt, &examples->all);
	payload = name_since(examples, "receipt", start);
	aad_on_channel(&aad, AAD_RECEIPT, examples->channel, &examples->roster, examples->alliance);
	add_signed(examples, "receipt, signed", KEY_HEADQUARTERS_STATEMENTS, &aad, payload);
}

/* The embassy's log has two entries: the message, and one whose leaf hash is 32 equal bytes. */
static void make_heads(struct examples *examples)
{
	struct heads_statement heads = {.by = log_number(examples->federation, EMBASSY_SLOT),
					.time = EXAMPLE_TIME + 60,
					.heads_count = 2,
					.has_proof = true,
					.old_size = 1};
	char origins[2][CHECKPOINT_ORIGIN_SIZE + 1];
	struct checkpoint checkpoints[2];
	struct ed25519_pair pair;
	struct bytes payload;
	struct merkle_hash other;
	struct aad aad;
	size_t start;

	memset(other.bytes, 0x45, sizeof(other.bytes));
	heads.proof.count = 1;
	heads.proof.hashes[0] = other;
	heads.heads[0] = (struct head){.log = heads.by, .incarnation = 1, .size = 2};
	memcpy(heads.heads[0].root.bytes, examples_get(examples, "leaf hash").data, MERKLE_HASH_SIZE);
	merkle_node_hash(&heads.heads[0].root, &other, &heads.heads[0].root);
	heads.heads[1] = (struct head){.log = log_number(examples->alliance, 0), .incarnation = 1, .size = 7};
	memset(heads.heads[1].root.bytes, 0x46, MERKLE_HASH_SIZE);
	checkpoint_origin(examples->channel, examples->roster.ids[examples->federation], EMBASSY_SLOT, 1,
			  origins[0]);
	checkpoint_origin(examples->channel, examples->roster.ids[examples->alliance], 0, 1, origins[1]);
	for (size_t i = 0; i < 2; i++)
		checkpoints[i] = (struct checkpoint){.origin = bytes_of_text(origins[i]),
						     .size = heads.heads[i].size,
						     .root = heads.heads[i].root};
	example_pair(KEY_EMBASSY_LOG, &pair);
	assert(checkpoint_sign(&checkpoints[0], &pair, heads.heads[0].signature) == ERROR_OK);
	example_pair(KEY_HEADQUARTERS_LOG, &pair);
	assert(checkpoint_sign(&checkpoints[1], &pair, heads.heads[1].signature) == ERROR_OK);
	example_pair(KEY_EMBASSY_COSIGNER, &pair);
	heads.heads[1].has_cosignature = true;
	heads.heads[1].cosigned_at = heads.time;
	assert(cosignature_sign(&checkpoints[1], heads.time, &pair, heads.heads[1].cosignature) == ERROR_OK);
	start = examples->all.size;
	heads_encode(&heads, &examples->all);
	payload = name_since(examples, "heads", start);
	aad_on_channel(&aad, AAD_HEADS, examples->channel, &examples->roster, examples->federation);
	add_signed(examples, "heads, signed", KEY_EMBASSY_STATEMENTS, &aad, payload);
}

/* The embassy holds seven entries of the headquarters' log, and the one at position 9. */
static void make_missing(struct examples *examples)
{
	struct missing_statement missing = {
		.by = log_number(examples->federation, EMBASSY_SLOT),
		.log = log_number(examples->alliance, 0),
		.incarnation = 1,
		.ranges_count = 2,
		.ranges = {{.first = 7, .count = 2}, {.first = 10, .count = POSITION_MAX + 1 - 10}},
	};
	size_t start = examples->all.size;
	struct bytes payload;
	struct aad aad;

	missing_encode(&missing, &examples->all);
	payload = name_since(examples, "missing", start);
	aad_on_channel(&aad, AAD_MISSING, examples->channel, &examples->roster, examples->federation);
	add_signed(examples, "missing, signed", KEY_EMBASSY_STATEMENTS, &aad, payload);
}

static void make_prekeys(struct examples *examples)
{
	struct prekeys prekeys = {.slot = EMBASSY_SLOT,
				  .number = 1,
				  .first_epoch = 20,
				  .start = EXAMPLE_TIME - 300,
				  .length_s = 604800,
				  .keys_count = 2};
	size_t start = examples->all.size;
	struct bytes payload;
	struct aad aad;

	prekey(KEY_EMBASSY_EPOCH, prekeys.keys[0]);
	prekey(KEY_EMBASSY_EPOCH + 1, prekeys.keys[1]);
	prekey(KEY_EMBASSY_LAST_RESORT, prekeys.last_resort);
	prekeys_encode(&prekeys, &examples->all);
	payload = name_since(examples, "prekeys", start);
	aad_without_channel(&aad, AAD_PREKEYS, examples->roster.ids[examples->federation]);
	add_signed(examples, "prekeys, signed", KEY_EMBASSY_STATEMENTS, &aad, payload);
}

static void make_cannot_open(struct examples *examples)
{
	struct cannot_open cannot_open = {.slot = EMBASSY_SLOT, .hashes_count = 1};
	size_t start = examples->all.size;
	struct bytes payload;
	struct aad aad;

	memset(cannot_open.hashes[0], 0x47, sizeof(cannot_open.hashes[0]));
	cannot_open_encode(&cannot_open, &examples->all);
	payload = name_since(examples, "cannot open", start);
	aad_cannot_open(&aad, examples->roster.ids[examples->federation],
			examples->roster.ids[examples->alliance]);
	add_signed(examples, "cannot open, signed", KEY_EMBASSY_STATEMENTS, &aad, payload);
}

static void make_card(struct examples *examples)
{
	static struct card card;
	size_t start = examples->all.size;

	card.letters_count = 2;
	card.letters[0] = examples_get(examples, "founding letter");
	card.letters[1] = examples_get(examples, "post letter");
	card.prekeys_count = 1;
	card.prekeys[0] = examples_get(examples, "prekeys, signed");
	card.addresses_count = 1;
	card.addresses[0] = (struct card_address){EMBASSY_SLOT, bytes_of_text(ADDRESS)};
	card_encode(&card, &examples->all);
	name_since(examples, "card", start);
}

static void make_infos(struct examples *examples)
{
	struct seal_end sender = {.slot = EMBASSY_SLOT}, receiver = {.slot = 0};
	size_t start = examples->all.size;

	memcpy(sender.party, examples->roster.ids[examples->federation], PARTY_ID_SIZE);
	memcpy(receiver.party, examples->roster.ids[examples->alliance], PARTY_ID_SIZE);
	public_key(KEY_EMBASSY_STATEMENTS, sender.statement_key);
	public_key(KEY_HEADQUARTERS_STATEMENTS, receiver.statement_key);
	seal_info_encode(&sender, &receiver, true, 20, &examples->all);
	name_since(examples, "seal info", start);
}

void examples_make(struct examples *examples)
{
	memset(examples, 0, sizeof(*examples));
	examples->work = buffer_make(examples->work_memory, sizeof(examples->work_memory));
	examples->all = buffer_make(examples->memory, sizeof(examples->memory));
	make_parties(examples);
	make_channel(examples);
	make_card_letters(examples);
	make_channel_letters(examples);
	make_message(examples);
	make_message_of_two(examples);
	make_other_content(examples);
	make_receipt(examples);
	make_heads(examples);
	make_missing(examples);
	make_prekeys(examples);
	make_cannot_open(examples);
	make_card(examples);
	make_infos(examples);
}
