/* What a hostile post says that is not so. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "record/registry.h"
#include "sim/check.h"
#include "sim/rogue.h"
#include "sim/words.h"

#define NEAR_MAX 24 /* positions around the end of a log, which others may hold or not */

static uint64_t draw(struct world *world, uint64_t low, uint64_t high)
{
	return random_span(&world->random, low, high);
}

/* ---- who lies to whom ---- */

static void read_log(const struct disk *disk, uint64_t channel, uint64_t number, uint64_t *incarnation,
		     uint64_t *size)
{
	struct row_key key = key_line(channel, number);
	struct line line;
	struct log log;

	*incarnation = 1;
	*size = 0;
	if (check_read_row(disk, &key, &schema_line, &line) && line.incarnation > 0)
		*incarnation = line.incarnation;
	key = key_log(TABLE_LOG, channel, number, *incarnation);
	if (check_read_row(disk, &key, &schema_log, &log))
		*size = log.size;
}

bool rogue_liar(struct world *world, struct liar *liar)
{
	const struct disk *disk = &world->nodes[world->rogue].post.disk;
	struct row_key key = key_make(TABLE_POST);

	liar->from = world->rogue;
	liar->line = random_below(&world->random, world->lines_count);
	while (!rogue_is_on(world, liar->line))
		liar->line = (liar->line + 1) % world->lines_count;
	const struct world_line *line = &world->lines[liar->line];
	liar->to = line->nodes[1 - world_end_of(line, liar->from)];
	const struct disk *theirs = &world->nodes[liar->to].post.disk;
	liar->channel = check_channel_of(disk, line);
	liar->their_channel = check_channel_of(theirs, line);
	liar->log = world_log_of(line, liar->from);
	liar->their_log = world_log_of(line, liar->to);
	read_log(disk, liar->channel, liar->log, &liar->incarnation, &liar->size);
	read_log(theirs, liar->their_channel, liar->their_log, &liar->their_incarnation, &liar->their_size);
	return liar->channel != 0 && check_read_row(disk, &key, &schema_own_post, &liar->own);
}

/* Near the end of the own log, some times anywhere. */
static uint64_t some_position(struct world *world, const struct liar *liar)
{
	uint64_t before = draw(world, 0, NEAR_MAX);
	uint64_t after = draw(world, 0, NEAR_MAX);

	if (random_below(&world->random, 8) == 0)
		return draw(world, 0, POSITION_MAX);
	return (liar->size > before ? liar->size - before : 0) + after;
}

/* The newest, or one far from it. */
static uint64_t some_incarnation(struct world *world, uint64_t newest)
{
	if (random_below(&world->random, 4) != 0)
		return newest;
	return draw(world, 1, INCARNATIONS_MAX);
}

/* ---- entries ---- */

static void forge_words(struct world *world, const struct liar *liar)
{
	uint8_t identity[IDENTITY_SIZE];
	bool depends;

	struct bytes cose = words_bad(world, liar->from, liar->line, identity, &depends);
	if (depends)
		check_signed(world, identity);
	rogue_send_entry(world, liar, cose, liar->incarnation, some_position(world, liar));
}

/* What an officer has said indeed, at a place where it does not stand; some times at two. */
static void forge_place(struct world *world, const struct liar *liar)
{
	uint8_t identity[IDENTITY_SIZE];
	uint64_t times = 1 + random_below(&world->random, 2);
	unsigned precedence = 1 + (unsigned)random_below(&world->random, 4);

	struct bytes cose = words_message(world, liar->from, liar->line, precedence, identity);
	check_signed(world, identity);
	for (uint64_t i = 0; i < times; i++) {
		uint8_t *copy = disk_must(malloc(cose.size));
		uint64_t incarnation = some_incarnation(world, liar->incarnation);
		memcpy(copy, cose.data, cose.size);
		rogue_send_entry(world, liar, bytes_make(copy, cose.size), incarnation,
				 some_position(world, liar));
	}
	free((void *)(uintptr_t)cose.data);
}

static void forge_incarnation(struct world *world, const struct liar *liar)
{
	static struct content content;
	uint64_t incarnation = liar->incarnation + draw(world, 1, 4);
	bool first = random_below(&world->random, 4) != 0;

	words_frame(world, &content, CONTENT_INCARNATION, PRECEDENCE_IMMEDIATE, 0);
	content.signers_count = 0;
	content.of.incarnation.time = world->now_ms / 1000;
	content.of.incarnation.previous = draw(world, 1, incarnation);
	content.of.incarnation.size = draw(world, 0, liar->size + 1);
	random_fill(&world->random, content.of.incarnation.root.bytes, MERKLE_HASH_SIZE);
	struct bytes cose = rogue_sign_as_post(world, liar, &content);
	rogue_send_entry(world, liar, cose, incarnation, first ? 0 : some_position(world, liar));
}

static void forge_verdict(struct world *world, const struct liar *liar)
{
	static struct content content;
	struct verdict *verdict = &content.of.verdict;

	words_frame(world, &content, CONTENT_VERDICT, PRECEDENCE_PRIORITY, 0);
	content.signers_count = 0;
	verdict->time = world->now_ms / 1000;
	verdict->ranges_count = 1;
	verdict->ranges[0].log = liar->their_log;
	verdict->ranges[0].incarnation = some_incarnation(world, liar->their_incarnation);
	verdict->ranges[0].first = draw(world, 0, liar->their_size + 4);
	verdict->ranges[0].count = draw(world, 1, 64);
	verdict->ranges[0].reason = 64 + random_below(&world->random, 30);
	struct bytes cose = rogue_sign_as_post(world, liar, &content);
	rogue_send_entry(world, liar, cose, liar->incarnation, some_position(world, liar));
}

/* An entry of the other's own log, as if it had lost it, wherever. */
static void forge_returned(struct world *world, const struct liar *liar)
{
	static struct wire wire;
	struct entry_key key = {.channel = liar->channel, .log = liar->their_log};
	struct bytes cose;

	key.incarnation = draw(world, 1, liar->their_incarnation);
	key.position = random_below(&world->random, liar->their_size + 1);
	struct row_key row = key_entry(TABLE_COSE, &key);
	if (!disk_get(&world->nodes[liar->from].post.disk, key_view(&row), &cose))
		return;
	wire = (struct wire){.kind = WIRE_RETURNED, .has_tag = true, .log = liar->their_log, .cose = cose};
	wire.incarnation = draw(world, 1, liar->their_incarnation);
	wire.position = draw(world, 0, liar->their_size + NEAR_MAX);
	rogue_send_wire(world, liar, &wire);
}

/* ---- statements ---- */

/* That it holds, or refuses, what it may never have got. */
static void forge_receipt(struct world *world, const struct liar *liar)
{
	static struct receipt receipt;
	uint8_t memory[RECEIPT_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));
	struct entry_key key = {.channel = liar->their_channel, .log = liar->their_log};
	struct receipt_digest digest;
	struct entry entry = {.reason = 0};

	memset(&receipt, 0, sizeof(receipt));
	key.incarnation = random_below(&world->random, 4) == 0 ? draw(world, 1, liar->their_incarnation)
							       : liar->their_incarnation;
	key.position = random_below(&world->random, liar->their_size + 4);
	struct row_key row = key_entry(TABLE_ENTRY, &key);
	random_fill(&world->random, entry.identity, sizeof(entry.identity));
	if (random_below(&world->random, 8) != 0)
		(void)check_read_row(&world->nodes[liar->to].post.disk, &row, &schema_entry, &entry);
	receipt.by = random_below(&world->random, 16) == 0 ? liar->their_log : liar->log;
	receipt.log = liar->their_log;
	receipt.incarnation = key.incarnation;
	receipt.time = world->now_ms / 1000;
	if (random_below(&world->random, 2) == 0)
		receipt.held[receipt.held_count++] = (struct held_range){key.position, 1};
	else
		receipt.refused[receipt.refused_count++] =
			(struct refused_range){key.position, 1, 64 + random_below(&world->random, 30)};
	receipt_digest_init(&digest);
	receipt_digest_add(&digest, key.position, entry.identity);
	receipt_digest_final(&digest, receipt.digest);
	receipt_encode(&receipt, &payload);
	rogue_send_statement(world, liar, STATEMENT_RECEIPT, buffer_bytes(&payload));
}

static void sign_head(const struct world *world, const struct liar *liar, struct head *head)
{
	const struct world_line *line = &world->lines[liar->line];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct ed25519_pair pair;

	registry_own_log(&liar->own, line->id, &pair);
	checkpoint_origin(line->id, liar->own.party_id, liar->own.slot, head->incarnation, origin);
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(origin), .size = head->size, .root = head->root};
	(void)checkpoint_sign(&checkpoint, &pair, head->signature);
}

/* The other's newest head, or a wrong one as if it were that, cosigned. */
static void cosign_theirs(struct world *world, const struct liar *liar, struct head *head)
{
	const struct world_line *line = &world->lines[liar->line];
	struct row_key key = key_line(liar->their_channel, liar->their_log);
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct ed25519_pair pair;
	struct line kept = {.head_size = 0};

	(void)check_read_row(&world->nodes[liar->to].post.disk, &key, &schema_line, &kept);
	*head = (struct head){.log = liar->their_log, .size = kept.head_size, .has_cosignature = true};
	head->incarnation = kept.head_incarnation > 0 ? kept.head_incarnation : 1;
	memcpy(head->root.bytes, kept.head_root, sizeof(kept.head_root));
	memcpy(head->signature, kept.head_signature, sizeof(kept.head_signature));
	if (random_below(&world->random, 3) == 0)
		head->root.bytes[0] ^= 1;
	head->cosigned_at = world->now_ms / 1000;
	registry_own_cosigner(&liar->own, line->id, &pair);
	checkpoint_origin(line->id, world->nodes[liar->to].party.id, world_slot(liar->to), head->incarnation,
			  origin);
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(origin), .size = head->size, .root = head->root};
	(void)cosignature_sign(&checkpoint, head->cosigned_at, &pair, head->cosignature);
}

/* A head of the own log with a root that is nobody's. */
static void tell_head(struct world *world, const struct liar *liar, uint64_t incarnation, uint64_t size)
{
	static struct heads_statement heads;
	static uint8_t memory[HEADS_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));

	memset(&heads, 0, sizeof(heads));
	heads.by = liar->log;
	heads.time = world->now_ms / 1000;
	heads.heads_count = 1;
	heads.heads[0] = (struct head){.log = liar->log, .incarnation = incarnation, .size = size};
	random_fill(&world->random, heads.heads[0].root.bytes, MERKLE_HASH_SIZE);
	sign_head(world, liar, &heads.heads[0]);
	if (random_below(&world->random, 2) == 0)
		cosign_theirs(world, liar, &heads.heads[heads.heads_count++]);
	heads.has_proof = random_below(&world->random, 2) == 0 && size > 1;
	if (heads.has_proof) {
		heads.old_size = draw(world, 1, size);
		heads.proof.count = random_below(&world->random, 8);
		for (size_t i = 0; i < heads.proof.count; i++)
			random_fill(&world->random, heads.proof.hashes[i].bytes, MERKLE_HASH_SIZE);
	}
	heads_encode(&heads, &payload);
	rogue_send_statement(world, liar, STATEMENT_HEADS, buffer_bytes(&payload));
}

static void forge_heads(struct world *world, const struct liar *liar)
{
	uint64_t incarnation = some_incarnation(world, liar->incarnation);
	tell_head(world, liar, incarnation, some_position(world, liar));
}

static void forge_missing(struct world *world, const struct liar *liar)
{
	static struct missing_statement missing;
	uint8_t memory[MISSING_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));
	bool own = random_below(&world->random, 2) == 0;
	uint64_t next = draw(world, 0, 64);

	memset(&missing, 0, sizeof(missing));
	missing.by = liar->log;
	missing.log = own ? liar->log : liar->their_log;
	missing.incarnation = draw(world, 1, own ? liar->incarnation : liar->their_incarnation);
	missing.ranges_count = draw(world, 1, RANGES_MAX);
	for (size_t i = 0; i < missing.ranges_count; i++) {
		missing.ranges[i] = (struct held_range){.first = next, .count = 1};
		missing.ranges[i].count = draw(world, 1, 8);
		next += missing.ranges[i].count + 1;
	}
	if (random_below(&world->random, 2) == 0)
		missing.ranges[missing.ranges_count - 1].count =
			POSITION_MAX + 1 - missing.ranges[missing.ranges_count - 1].first;
	missing_encode(&missing, &payload);
	rogue_send_statement(world, liar, STATEMENT_MISSING, buffer_bytes(&payload));
}

static void forge_prekeys(struct world *world, const struct liar *liar)
{
	static struct prekeys prekeys;
	static uint8_t memory[PREKEYS_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));
	uint8_t seed[HPKE_SEED_SIZE];
	struct x25519_pair pair;

	memset(&prekeys, 0, sizeof(prekeys));
	prekeys.slot =
		random_below(&world->random, 16) == 0 ? (liar->own.slot + 1) % POST_SLOTS : liar->own.slot;
	prekeys.number = draw(world, 1, 64);
	prekeys.first_epoch = draw(world, 0, 10000);
	prekeys.start = world->now_ms / 1000 - draw(world, 0, 100 * DAY_MS / 1000);
	prekeys.length_s = EPOCH_LENGTH_S_MIN + draw(world, 0, 100000);
	prekeys.keys_count = draw(world, 1, EPOCHS_AHEAD_MAX);
	for (size_t i = 0; i < prekeys.keys_count; i++) {
		random_fill(&world->random, seed, sizeof(seed));
		hpke_derive_key_pair(seed, &pair);
		memcpy(prekeys.keys[i], pair.key, PUBLIC_KEY_SIZE);
	}
	memcpy(prekeys.last_resort, liar->own.last_resort_key, PUBLIC_KEY_SIZE);
	if (random_below(&world->random, 2) == 0)
		memset(prekeys.keys[random_below(&world->random, prekeys.keys_count)], 0, PUBLIC_KEY_SIZE);
	prekeys_encode(&prekeys, &payload);
	rogue_send_statement(world, liar, STATEMENT_PREKEYS, buffer_bytes(&payload));
}

/* That what was sent it cannot be opened, which may be so or not. */
static void forge_cannot_open(struct world *world, const struct liar *liar)
{
	static struct cannot_open cannot_open;
	uint8_t memory[CANNOT_OPEN_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof(memory));

	cannot_open.slot = liar->own.slot;
	cannot_open.hashes_count = draw(world, 1, RANGES_MAX);
	for (size_t i = 0; i < cannot_open.hashes_count; i++) {
		const struct captured *captured = faults_captured(world);
		random_fill(&world->random, cannot_open.hashes[i], sizeof(cannot_open.hashes[i]));
		if (captured != NULL)
			crypto_hash_sha256(cannot_open.hashes[i], captured->bytes, captured->size);
	}
	cannot_open_encode(&cannot_open, &payload);
	rogue_send_statement(world, liar, STATEMENT_CANNOT_OPEN, buffer_bytes(&payload));
}

/* ---- what is of no form ---- */

static void forge_noise(struct world *world, const struct liar *liar)
{
	static uint8_t memory[4096];
	size_t size = (size_t)draw(world, 1, sizeof(memory));

	random_fill(&world->random, memory, size);
	if (random_below(&world->random, 2) == 0)
		memset(memory, 0, size);
	rogue_send(world, liar, bytes_make(memory, size));
}

/* An entry, or a statement, of a channel that nobody knows. */
static void forge_channel(struct world *world, const struct liar *liar)
{
	static struct wire wire;
	static uint8_t memory[WIRE_SIZE_MAX];
	struct buffer plaintext = buffer_make(memory, sizeof(memory));
	uint8_t identity[IDENTITY_SIZE];

	wire = (struct wire){.kind = WIRE_ENTRY, .has_tag = true, .incarnation = 1};
	random_fill(&world->random, wire.tag, sizeof(wire.tag));
	if (random_below(&world->random, 2) == 0) {
		wire.kind = WIRE_STATEMENT;
		wire.statement = STATEMENT_HEADS;
	}
	wire.cose = words_message(world, liar->from, liar->line, PRECEDENCE_ROUTINE, identity);
	check_signed(world, identity);
	if (wire_encode(&wire, &plaintext) == ERROR_OK)
		rogue_send(world, liar, buffer_bytes(&plaintext));
	free((void *)(uintptr_t)wire.cose.data);
}

/* ---- any of it ---- */

typedef void forgery(struct world *world, const struct liar *liar);

static forgery *const forgeries[] = {
	forge_words,    forge_words,       forge_place,   forge_incarnation, forge_verdict,
	forge_returned, forge_receipt,     forge_receipt, forge_heads,       forge_missing,
	forge_prekeys,  forge_cannot_open, forge_noise,   forge_channel,
};

void rogue_forge(struct world *world, const struct liar *liar, uint64_t count)
{
	forgery *forge = forgeries[random_below(&world->random, sizeof(forgeries) / sizeof(forgeries[0]))];

	for (uint64_t i = 0; i < count; i++)
		forge(world, liar);
}

void rogue_contradict(struct world *world, const struct liar *liar)
{
	uint64_t position = some_position(world, liar);
	bool heads = random_below(&world->random, 2) == 0;
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < 2; i++) {
		if (heads) {
			tell_head(world, liar, liar->incarnation, position);
			continue;
		}
		struct bytes cose = words_message(world, liar->from, liar->line, PRECEDENCE_FLASH, identity);
		check_signed(world, identity);
		rogue_send_entry(world, liar, cose, liar->incarnation, position);
	}
}
