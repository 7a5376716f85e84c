#include "tests/unit/record/forger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/signed.h"
#include "record/keys.h"
#include "record/registry.h"
#include "tests/unit/record/hand.h"

#define PAYLOAD_SIZE_MAX 16384

/* ---- sealing ---- */

struct sealing {
	struct keys_target target;
	struct bytes plaintext;
	uint8_t sealed[SEALED_SIZE_MAX];
	size_t size;
};

static enum error seal(struct run *run, void *context)
{
	struct sealing *sealing = context;
	struct bytes sealed;
	bool last_resort;
	enum error reason;

	enum error error =
		keys_seal(run, &sealing->target, sealing->plaintext, &sealed, &last_resort, &reason);
	if (error != ERROR_OK)
		return error;
	assert_int_equal(reason, ERROR_OK);
	assert_true(sealed.size <= sizeof(sealing->sealed));
	memcpy(sealing->sealed, sealed.data, sealed.size);
	sealing->size = sealed.size;
	return ERROR_OK;
}

/* The number of a post's party at another post. */
static uint64_t number_of(const struct world *world, size_t at, size_t post)
{
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number number;

	key_bytes(&key, world->parties[world->posts[post].party].id, PARTY_ID_SIZE);
	assert_true(world_row(world, at, &key, &schema_number, &number));
	return number.number;
}

enum error forge(struct world *world, size_t from, size_t to, struct wire *wire)
{
	static struct sealing sealing;
	static uint8_t plaintext_bytes[WIRE_SIZE_MAX];
	struct buffer plaintext = buffer_make(plaintext_bytes, sizeof(plaintext_bytes));
	struct hand hand = hand_make(world, from);
	struct record_event event = {.kind = RECORD_RECEIVED};

	wire->has_tag = wire->kind != WIRE_STATEMENT ||
			(wire->statement != STATEMENT_CANNOT_OPEN && wire->statement != STATEMENT_PREKEYS);
	if (wire->has_tag)
		memcpy(wire->tag, world->channel, sizeof(wire->tag));
	assert_int_equal(wire_encode(wire, &plaintext), ERROR_OK);
	sealing.target = (struct keys_target){
		.party = number_of(world, from, to),
		.slot = world->posts[to].slot,
		.window_s = 86400,
	};
	sealing.plaintext = buffer_bytes(&plaintext);
	assert_int_equal(hand_run(&hand, seal, &sealing), ERROR_OK);
	event.of.received.delivery = ++world->posts[to].next_delivery;
	event.of.received.source = bytes_of_text(world->posts[from].node);
	event.of.received.sealed = bytes_make(sealing.sealed, sealing.size);
	event.of.received.precedence_min = world->posts[to].precedence_min;
	enum error error = world_event(world, to, &event);
	if (error == ERROR_OK)
		world_commit(world, to);
	return error;
}

/* ---- signing as the post ---- */

/* Allocates. */
static struct bytes sign(struct world *world, size_t from, const struct aad *aad, struct bytes payload)
{
	static uint8_t work_bytes[SIGNED_WORK_SIZE];
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	struct buffer cose = buffer_make(malloc(payload.size + 256), payload.size + 256);
	struct row_key key = key_make(TABLE_POST);
	struct own_post own;
	struct ed25519_pair pair;

	assert_true(world_row(world, from, &key, &schema_own_post, &own));
	memcpy(pair.secret, own.statement_secret, sizeof(pair.secret));
	memcpy(pair.key, own.statement_key, sizeof(pair.key));
	assert_int_equal(signed_alone(&pair, aad, payload, &work, &cose), ERROR_OK);
	return buffer_bytes(&cose);
}

/* Allocates. */
static struct bytes sign_on_channel(struct world *world, size_t from, enum aad_context context,
				    struct bytes payload)
{
	struct aad *aad = calloc(1, sizeof(*aad));

	aad_on_channel(aad, context, world->channel, &world->roster,
		       log_roster_index(world_log_of(world, from)));
	struct bytes cose = sign(world, from, aad, payload);
	free(aad);
	return cose;
}

/* Frees the object. */
static enum error forge_signed(struct world *world, size_t from, size_t to, enum statement_kind kind,
			       struct bytes cose)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	wire->kind = WIRE_STATEMENT;
	wire->statement = kind;
	wire->cose = cose;
	enum error error = forge(world, from, to, wire);
	free((void *)(uintptr_t)cose.data);
	free(wire);
	return error;
}

enum error forge_statement(struct world *world, size_t from, size_t to, enum statement_kind kind,
			   struct bytes payload)
{
	static const enum aad_context contexts[] = {
		[STATEMENT_RECEIPT] = AAD_RECEIPT,
		[STATEMENT_HEADS] = AAD_HEADS,
		[STATEMENT_CANNOT_OPEN] = AAD_CANNOT_OPEN,
		[STATEMENT_MISSING] = AAD_MISSING,
	};

	return forge_signed(world, from, to, kind, sign_on_channel(world, from, contexts[kind], payload));
}

enum error forge_cannot_open(struct world *world, size_t from, size_t to, struct cannot_open *cannot_open)
{
	uint8_t bytes[CANNOT_OPEN_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));
	struct aad *aad = calloc(1, sizeof(*aad));

	cannot_open->slot = world->posts[from].slot;
	cannot_open_encode(cannot_open, &payload);
	aad_cannot_open(aad, world->parties[world->posts[from].party].id,
			world->parties[world->posts[to].party].id);
	struct bytes cose = sign(world, from, aad, buffer_bytes(&payload));
	free(aad);
	return forge_signed(world, from, to, STATEMENT_CANNOT_OPEN, cose);
}

enum error forge_missing(struct world *world, size_t from, size_t to, const struct missing_statement *missing)
{
	uint8_t bytes[MISSING_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));

	missing_encode(missing, &payload);
	return forge_statement(world, from, to, STATEMENT_MISSING, buffer_bytes(&payload));
}

enum error forge_receipt(struct world *world, size_t from, size_t to, const struct entry_key *key,
			 const uint8_t identity[IDENTITY_SIZE], enum error reason)
{
	return forge_receipt_by(world, from, from, to, key, identity, reason);
}

enum error forge_receipt_by(struct world *world, size_t from, size_t by, size_t to,
			    const struct entry_key *key, const uint8_t identity[IDENTITY_SIZE],
			    enum error reason)
{
	struct receipt *receipt = calloc(1, sizeof(*receipt));
	uint8_t bytes[RECEIPT_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));
	struct receipt_digest digest;

	receipt->by = world_log_of(world, by);
	receipt->log = key->log;
	receipt->incarnation = key->incarnation;
	if (reason == ERROR_OK)
		receipt->held[receipt->held_count++] = (struct held_range){key->position, 1};
	else
		receipt->refused[receipt->refused_count++] =
			(struct refused_range){key->position, 1, (uint64_t)reason};
	receipt->time = world->now_ms / 1000;
	receipt_digest_init(&digest);
	receipt_digest_add(&digest, key->position, identity);
	receipt_digest_final(&digest, receipt->digest);
	receipt_encode(receipt, &payload);
	free(receipt);
	return forge_statement(world, from, to, STATEMENT_RECEIPT, buffer_bytes(&payload));
}

enum error forge_heads(struct world *world, size_t from, size_t to, const struct head *told, size_t count)
{
	struct heads_statement *heads = calloc(1, sizeof(*heads));
	uint8_t bytes[HEADS_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));

	assert_non_null(heads);
	heads->by = world_log_of(world, from);
	heads->time = world->now_ms / 1000;
	heads->heads_count = count;
	memcpy(heads->heads, told, count * sizeof(*told));
	heads_encode(heads, &payload);
	free(heads);
	return forge_statement(world, from, to, STATEMENT_HEADS, buffer_bytes(&payload));
}

enum error forge_head_of_another(struct world *world, size_t from, size_t to)
{
	struct head told[2] = {{.log = world_log_of(world, from), .incarnation = 1, .size = 1}};

	told[1] = forge_head_held(world, to, to);
	told[1].has_cosignature = true;
	told[1].cosigned_at = 1;
	return forge_heads(world, from, to, told, 2);
}

struct head forge_head_held(const struct world *world, size_t at, size_t of)
{
	struct row_key key = key_line(1, world_log_of(world, of));
	struct head head = {.log = world_log_of(world, of)};
	struct line line;

	assert_true(world_row(world, at, &key, &schema_line, &line));
	head.incarnation = line.head_incarnation;
	head.size = line.head_size;
	memcpy(head.root.bytes, line.head_root, sizeof(line.head_root));
	memcpy(head.signature, line.head_signature, sizeof(line.head_signature));
	return head;
}

void forge_sign_head(struct world *world, size_t from, struct head *head)
{
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct row_key key = key_make(TABLE_POST);
	struct own_post own;
	struct ed25519_pair pair;

	assert_true(world_row(world, from, &key, &schema_own_post, &own));
	registry_own_log(&own, world->channel, &pair);
	checkpoint_origin(world->channel, own.party_id, own.slot, head->incarnation, origin);
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(origin), .size = head->size, .root = head->root};
	assert_int_equal(checkpoint_sign(&checkpoint, &pair, head->signature), ERROR_OK);
}

enum error forge_former_heads(struct world *world, size_t from, size_t to, uint64_t newest, uint64_t first,
			      size_t count)
{
	struct head told[HEADS_STATED_MAX] = {0};

	assert_true(count < HEADS_STATED_MAX);
	for (size_t i = 0; i <= count; i++) {
		told[i] = (struct head){.log = world_log_of(world, from), .incarnation = newest, .size = 1};
		if (i > 0) {
			told[i].incarnation = first + i - 1;
			told[i].size = 7;
		}
		forge_sign_head(world, from, &told[i]);
	}
	return forge_heads(world, from, to, told, count + 1);
}

/* ---- entries ---- */

enum error forge_entry(struct world *world, size_t from, size_t to, struct bytes cose, uint64_t incarnation,
		       uint64_t position)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	wire->kind = WIRE_ENTRY;
	wire->incarnation = incarnation;
	wire->position = position;
	wire->cose = cose;
	enum error error = forge(world, from, to, wire);
	free((void *)(uintptr_t)cose.data);
	free(wire);
	return error;
}

struct bytes forge_signed_incarnation(struct world *world, size_t from, uint64_t previous, uint64_t size)
{
	struct content *content = calloc(1, sizeof(*content));
	uint8_t bytes[PAYLOAD_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));

	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_IMMEDIATE;
	entropy_take(&world->random, content->id, sizeof(content->id));
	content->of.incarnation =
		(struct incarnation){.time = world->now_ms / 1000, .previous = previous, .size = size};
	content_encode(content, &payload);
	free(content);
	return sign_on_channel(world, from, AAD_ENTRY, buffer_bytes(&payload));
}

enum error forge_incarnation(struct world *world, size_t from, size_t to, uint64_t incarnation,
			     uint64_t previous, uint64_t size)
{
	return forge_entry(world, from, to, forge_signed_incarnation(world, from, previous, size),
			   incarnation, 0);
}

enum error forge_returned(struct world *world, size_t from, size_t to, const uint8_t identity[IDENTITY_SIZE],
			  uint64_t incarnation, uint64_t position)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	struct entry entry;
	struct entry_key place;
	struct row row;
	size_t at = 0;

	assert_true(world_entry(world, from, identity, &entry, &place));
	struct row_key key = key_entry(TABLE_COSE, &place);
	assert_true(store_find(&world->posts[from].store, key_view(&key), &at, &row));
	uint8_t *cose = malloc(row.value.size);
	memcpy(cose, row.value.data, row.value.size);
	wire->kind = WIRE_RETURNED;
	wire->log = world_log_of(world, to);
	wire->incarnation = incarnation;
	wire->position = position;
	wire->cose = bytes_make(cose, row.value.size);
	enum error error = forge(world, from, to, wire);
	free(cose);
	free(wire);
	return error;
}
