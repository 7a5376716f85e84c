/*
 * The record of a post whose counterpart is hostile and has all its keys: what the input says is signed and
 * sealed before it is given, so that it comes past both to the rules. So do the requests of officers'
 * programs and what a courier says; honest messages go between, time passes, the post dies and wakes.
 */
#include <assert.h>
#include <string.h>

#include "base/frame.h"
#include "envelope/checkpoint.h"
#include "envelope/content.h"
#include "envelope/padding.h"
#include "envelope/statement.h"
#include "post/request.h"
#include "record/registry.h"
#include "tests/fuzz/cbor_mutator.h"
#include "tests/fuzz/record_case.h"
#include "tests/fuzz/steps.h"

enum kind {
	ENTRY,     /* signer, spoil, incarnation, position from the next, payload */
	STATEMENT, /* kind, spoil, mend, payload */
	RETURNED,  /* incarnation, position, COSE, or empty: the entry that stands there */
	PLAINTEXT, /* what is sealed as it is */
	SEALED,    /* what comes as it is, or empty: an honest packet with a byte changed */
	SAY,       /* which post, precedence: an honest message */
	PASS,      /* ms: the line delivers what is under way */
	REQUEST,   /* at the tried post: a frame */
	PROGRESS,  /* of which copy under way, state, reason: its courier's hint */
	HEADS,     /* origin, size: what its courier says to have seen */
	DIE,       /* before its commit, or after */
	AGREE,     /* the tried party accepts officer 2 of the other */
	ROOM,      /* the precedence below which there is no room */
	KINDS,
};

#define PASS_STEPS  4
#define AS_IT_IS    7 /* a spoil that spoils nothing, and mends nothing either */
#define PASS_MS_MAX (UINT64_C(40) * 86400000)

/* ---- what the counterpart says ---- */

/* True if the tried post holds that entry, and has not refused it. */
static bool is_accepted(const struct world *world, const uint8_t identity[IDENTITY_SIZE])
{
	struct entry entry;
	struct entry_key place;

	return world_entry(world, TRIED, identity, &entry, &place) && entry.reason == 0;
}

/*
 * A letter follows the last that was accepted, and what is acknowledged or answered is something that the
 * tried post has said, so that no input need know the hashes of this world. False where it is nothing of
 * that kind.
 */
static bool mend_entry(const struct record_case *of, struct bytes payload, struct buffer *mended)
{
	static struct content content;
	const struct world_party *party = &of->world->parties[of->world->posts[HOSTILE].party];
	uint8_t *named = NULL;

	if (content_decode(payload, &content) != ERROR_OK)
		return false;
	if (content.kind == CONTENT_LETTER) {
		content.of.letter.number = party->chain_number;
		content.of.letter.has_previous = party->chain_number > 0;
		memcpy(content.of.letter.previous, party->chain_head, sizeof(party->chain_head));
	} else if (content.kind == CONTENT_ACKNOWLEDGMENT) {
		named = content.of.acknowledgment.acknowledged;
	} else if (content.kind == CONTENT_MESSAGE && content.of.message.has_answers) {
		named = content.of.message.answers;
	} else {
		return false;
	}
	if (named != NULL && !is_accepted(of->world, named))
		memcpy(named, of->greeting, IDENTITY_SIZE);
	content_encode(&content, mended);
	return buffer_error(mended) == ERROR_OK;
}

/* The chain of the hostile party's authority goes on from its last letter, if that was accepted. */
static void note_letter(struct record_case *of, struct bytes payload)
{
	static struct content content;
	struct world_party *party = &of->world->parties[of->world->posts[HOSTILE].party];
	const uint8_t *identity = of->of_signed[of->signed_count - 1].identity;

	if (content_decode(payload, &content) != ERROR_OK || content.kind != CONTENT_LETTER ||
	    content.of.letter.number != party->chain_number || !is_accepted(of->world, identity))
		return;
	party->chain_number++;
	memcpy(party->chain_head, identity, sizeof(party->chain_head));
}

static void give_entry(struct record_case *of, struct step *step)
{
	static uint8_t mended_bytes[CONTENT_SIZE_MAX];
	struct buffer mended = buffer_make(mended_bytes, sizeof(mended_bytes));
	static uint8_t bytes[ENTRY_SIZE_MAX];
	struct buffer cose = buffer_make(bytes, sizeof(bytes));
	static struct wire wire;
	enum signer signer = (enum signer)(step_number(step) % SIGNERS);
	uint64_t spoil = step_number(step) % 8;
	struct merkle_hash root;
	uint64_t size;

	wire = (struct wire){.kind = WIRE_ENTRY, .has_tag = true};
	wire.incarnation = 1 + step_number(step) % INCARNATIONS_MAX;
	world_tree(of->world, TRIED, world_log_of(of->world, HOSTILE), wire.incarnation, &size, &root);
	wire.position = (size + step_number(step)) % (POSITION_MAX + 1);
	struct bytes payload = step_bytes(step);
	if (payload.size > CONTENT_SIZE_MAX)
		return;
	if (spoil != AS_IT_IS && mend_entry(of, payload, &mended))
		payload = buffer_bytes(&mended);
	record_case_sign_entry(of, signer, spoil, payload, &cose);
	wire.cose = buffer_bytes(&cose);
	record_case_give_wire(of, &wire);
	if (of->signed_count > 0)
		note_letter(of, payload);
}

/* The digest over what the tried post holds where the receipt says. */
static bool mend_receipt(const struct world *world, struct bytes payload, struct buffer *mended)
{
	static struct receipt receipt;
	struct receipt_digest digest;

	if (receipt_decode(payload, &receipt) != ERROR_OK ||
	    receipt_positions(&receipt) > RECEIPT_POSITIONS_MAX)
		return false;
	receipt_digest_init(&digest);
	for (size_t i = 0; i < receipt.held_count + receipt.refused_count; i++) {
		bool held = i < receipt.held_count;
		uint64_t first = held ? receipt.held[i].first : receipt.refused[i - receipt.held_count].first;
		uint64_t count = held ? receipt.held[i].count : receipt.refused[i - receipt.held_count].count;
		for (uint64_t at = first; at < first + count; at++) {
			struct entry_key place = {1, receipt.log, receipt.incarnation, at};
			struct row_key key = key_entry(TABLE_ENTRY, &place);
			struct entry entry = {0};
			(void)world_row(world, TRIED, &key, &schema_entry, &entry);
			receipt_digest_add(&digest, at, entry.identity);
		}
	}
	receipt_digest_final(&digest, receipt.digest);
	receipt_encode(&receipt, mended);
	return true;
}

static void sign_head(const struct world *world, const struct own_post *own, uint64_t by, struct head *head)
{
	size_t of = head->log == by ? HOSTILE : TRIED;
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct ed25519_pair pair;

	checkpoint_origin(world->channel, world->parties[world->posts[of].party].id, world->posts[of].slot,
			  head->incarnation, origin);
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(origin), .size = head->size, .root = head->root};
	registry_own_log(own, world->channel, &pair);
	if (head->log == by)
		(void)checkpoint_sign(&checkpoint, &pair, head->signature);
	registry_own_cosigner(own, world->channel, &pair);
	if (head->has_cosignature)
		(void)cosignature_sign(&checkpoint, head->cosigned_at, &pair, head->cosignature);
}

/* Heads of the own log signed with its key, the others cosigned: those that the tried post has signed
 * itself, too. */
static bool mend_heads(const struct world *world, struct bytes payload, struct buffer *mended)
{
	static struct heads_statement heads;
	struct row_key key = key_make(TABLE_POST);
	struct row_key line_key = key_line(1, world_log_of(world, TRIED));
	struct own_post own;
	struct line line;

	if (heads_decode(payload, &heads) != ERROR_OK)
		return false;
	assert(world_row(world, HOSTILE, &key, &schema_own_post, &own));
	assert(world_row(world, TRIED, &line_key, &schema_line, &line));
	for (size_t i = 0; i < heads.heads_count; i++) {
		struct head *head = &heads.heads[i];
		if (head->log == world_log_of(world, TRIED) && head->size == line.head_size) {
			memcpy(head->root.bytes, line.head_root, sizeof(line.head_root));
			memcpy(head->signature, line.head_signature, sizeof(line.head_signature));
		}
		sign_head(world, &own, heads.by, head);
	}
	heads_encode(&heads, mended);
	return true;
}

static void give_statement(struct record_case *of, struct step *step)
{
	static uint8_t bytes[ENTRY_SIZE_MAX];
	static uint8_t mended_bytes[HEADS_SIZE_MAX + RECEIPT_SIZE_MAX];
	struct buffer cose = buffer_make(bytes, sizeof(bytes));
	struct buffer mended = buffer_make(mended_bytes, sizeof(mended_bytes));
	static struct wire wire;
	uint64_t kind = step_number(step) % (STATEMENT_MISSING + 2);
	uint64_t spoil = step_number(step) % 8;
	bool mend = step_number(step) % 8 != 7;
	struct bytes payload = step_bytes(step);

	if ((mend && kind == STATEMENT_RECEIPT && mend_receipt(of->world, payload, &mended)) ||
	    (mend && kind == STATEMENT_HEADS && mend_heads(of->world, payload, &mended)))
		payload = buffer_bytes(&mended);
	if (payload.size > CONTENT_SIZE_MAX)
		return;
	record_case_sign_statement(of, kind, spoil, payload, &cose);
	wire = (struct wire){.kind = WIRE_STATEMENT, .statement = kind, .cose = buffer_bytes(&cose)};
	wire.has_tag = kind != STATEMENT_PREKEYS && kind != STATEMENT_CANNOT_OPEN;
	record_case_give_wire(of, &wire);
}

static void give_returned(struct record_case *of, struct step *step)
{
	static struct wire wire;
	struct entry_key place = {.channel = 1, .log = world_log_of(of->world, TRIED)};
	struct row row;
	size_t at = 0;

	place.incarnation = 1 + step_number(step) % INCARNATIONS_MAX;
	place.position = step_number(step) % (POSITION_MAX + 1);
	wire = (struct wire){.kind = WIRE_RETURNED,
			     .has_tag = true,
			     .log = place.log,
			     .incarnation = place.incarnation,
			     .position = place.position,
			     .cose = step_bytes(step)};
	struct row_key key = key_entry(TABLE_COSE, &place);
	if (wire.cose.size == 0 && store_find(&of->world->posts[TRIED].store, key_view(&key), &at, &row))
		wire.cose = row.value;
	if (wire.cose.size > 0)
		record_case_give_wire(of, &wire);
}

static void give_plaintext(struct record_case *of, struct step *step)
{
	static uint8_t bytes[WIRE_SIZE_MAX];
	struct buffer padded = buffer_make(bytes, sizeof(bytes));

	buffer_append(&padded, step_bytes(step));
	if (padded.size > 0 && padding_append(&padded) == ERROR_OK)
		record_case_give(of, buffer_bytes(&padded));
}

static void give_sealed(struct record_case *of, struct step *step)
{
	struct bytes sealed = step_bytes(step);
	uint64_t at = step_number(step);
	struct world_packet packet;

	if (sealed.size > 0 && sealed.size <= SEALED_SIZE_MAX) {
		world_deliver(of->world, TRIED, HOSTILE, sealed);
	} else if (world_intercept(of->world, HOSTILE, &packet)) {
		packet.bytes[at % packet.size] ^= 1;
		world_deliver(of->world, TRIED, HOSTILE, bytes_make(packet.bytes, packet.size));
		free(packet.bytes);
	}
	world_commit(of->world, TRIED);
}

/* ---- what others say ---- */

static void say(struct record_case *of, struct step *step)
{
	size_t post = step_number(step) % 2;
	struct world_message message = {.precedence = (unsigned)(1 + step_number(step) % PRECEDENCE_COUNT),
					.text = "all quiet here"};

	assert(world_send(of->world, post, &message, NULL) == ERROR_OK);
}

/* A frame as it comes out of the socket's stream; the shell asks the record what is a request
 * (post/loop.c). */
static void request(struct record_case *of, struct bytes frame)
{
	struct record_event event = {.kind = RECORD_REQUEST};
	struct world_post *post = &of->world->posts[TRIED];
	size_t before = post->replies;
	struct request request;

	if (request_parse(frame, &request) != ERROR_OK || request.verb == LOCAL_SUBSCRIBE ||
	    request.verb == LOCAL_BACKUP)
		return;
	event.of.request.client = 7;
	event.of.request.frame = frame;
	assert(world_event(of->world, TRIED, &event) == ERROR_OK);
	world_commit(of->world, TRIED);
	assert(post->replies == before + 1);
	struct cbor_reader reader = cbor_reader_make(bytes_make(post->reply, post->reply_size));
	(void)cbor_read_array(&reader, SIZE_MAX);
	assert(cbor_read_uint(&reader) == request.number);
}

static void progress(struct record_case *of, struct step *step)
{
	static const uint32_t states[] = {LOCAL_QUEUED, LOCAL_CARRIED, LOCAL_REFUSED};
	struct record_event event = {.kind = RECORD_PROGRESS};
	const uint8_t prefix = TABLE_COPY_ID;
	uint64_t which = step_number(step) % 8;
	struct row row;
	size_t at = 0;

	for (uint64_t i = 0; i <= which; i++)
		if (!store_find(&of->world->posts[TRIED].store, bytes_make(&prefix, 1), &at, &row))
			return;
	memcpy(event.of.progress.copy, row.key.data + 1, sizeof(event.of.progress.copy));
	event.of.progress.state = states[step_number(step) % 3];
	event.of.progress.reason = event.of.progress.state == LOCAL_REFUSED ? ERROR_FULL : ERROR_OK;
	event.of.progress.route = bytes_of_text("direct");
	assert(world_event(of->world, TRIED, &event) == ERROR_OK);
	world_commit(of->world, TRIED);
}

static void heads(struct record_case *of, struct step *step)
{
	struct record_event event = {.kind = RECORD_COURIER_HEADS};
	const struct world_post *post = &of->world->posts[TRIED];
	struct record_head_seen seen = {0};

	if (post->heads_count == 0)
		return;
	const struct world_head *head = &post->heads[step_number(step) % post->heads_count];
	seen.origin = bytes_make(head->origin, head->origin_size);
	seen.size = head->size + step_number(step) % 8;
	memcpy(seen.root, head->root, sizeof(seen.root));
	memcpy(seen.signature, head->signature, sizeof(seen.signature));
	event.of.heads.count = 1;
	event.of.heads.heads = &seen;
	assert(world_event(of->world, TRIED, &event) == ERROR_OK);
	world_commit(of->world, TRIED);
}

static void die(struct record_case *of, struct step *step)
{
	if (step_number(step) % 2 == 0)
		world_crash_after_commit(of->world, TRIED);
	else
		world_crash_before_commit(of->world, TRIED);
	world_start(of->world, TRIED);
}

/* A letter of the tried party's authority; whether it stands by now what it accepts is the record's to
 * judge. */
static void agree(struct record_case *of)
{
	static struct content content;
	struct world_party *party = &of->world->parties[of->world->posts[TRIED].party];
	struct letter *letter = &content.of.letter;
	uint8_t identity[IDENTITY_SIZE];

	content = (struct content){
		.kind = CONTENT_LETTER, .precedence = PRECEDENCE_PRIORITY, .signers_count = 1};
	memset(content.id, 7, sizeof(content.id));
	letter->kind = LETTER_AGREMENT;
	letter->time = of->world->now_ms / 1000;
	letter->number = party->chain_number;
	letter->has_previous = true;
	memcpy(letter->previous, party->chain_head, sizeof(letter->previous));
	letter->of.agrement.party = log_roster_index(world_log_of(of->world, HOSTILE));
	letter->of.agrement.officers_count = 1;
	letter->of.agrement.officers[0] = 2;
	struct bytes cose = world_sign(of->world, of->world->posts[TRIED].party, 0, &content, identity);
	if (world_submit(of->world, TRIED, cose) == ERROR_OK) {
		of->agreed = true;
		party->chain_number++;
		memcpy(party->chain_head, identity, sizeof(party->chain_head));
	}
	free((void *)(uintptr_t)cose.data);
}

/* ---- the target ---- */

static void take(struct record_case *of, struct step *step)
{
	uint64_t ms;

	switch ((enum kind)step->kind) {
	case ENTRY:
		give_entry(of, step);
		break;
	case STATEMENT:
		give_statement(of, step);
		break;
	case RETURNED:
		give_returned(of, step);
		break;
	case PLAINTEXT:
		give_plaintext(of, step);
		break;
	case SEALED:
		give_sealed(of, step);
		break;
	case SAY:
		say(of, step);
		break;
	case PASS:
		ms = step_number(step) % PASS_MS_MAX;
		world_run(of->world, ms, ms / PASS_STEPS + 1);
		break;
	case REQUEST:
		request(of, step_bytes(step));
		break;
	case PROGRESS:
		progress(of, step);
		break;
	case HEADS:
		heads(of, step);
		break;
	case DIE:
		die(of, step);
		break;
	case AGREE:
		agree(of);
		break;
	case ROOM:
		of->world->posts[TRIED].precedence_min =
			(uint32_t)(step_number(step) % (PRECEDENCE_COUNT + 2));
		break;
	case KINDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct record_case of;
	struct steps steps = steps_make(bytes_make(data, size));
	struct step step;

	record_case_begin(&of);
	while (steps_next(&steps, KINDS, &step))
		take(&of, &step);
	record_case_check(&of);
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	(void)input;
	return 0;
}
