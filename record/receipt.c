#include "record/receipt.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/batch.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/registry.h"

/* ---- making receipts ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Order of receipts: log by log, FLASH first, then by position, what is held first. */
static int compare_items(const struct batch_item *a, const struct batch_item *b)
{
	bool a_flash = a->precedence == PRECEDENCE_FLASH;
	bool b_flash = b->precedence == PRECEDENCE_FLASH;
	int order = compare_u64(a->key.channel, b->key.channel);

	if (order == 0)
		order = compare_u64(a->key.log, b->key.log);
	if (order == 0)
		order = compare_u64(a->key.incarnation, b->key.incarnation);
	if (order == 0)
		order = compare_u64(b_flash, a_flash);
	if (order == 0)
		order = compare_u64(a->key.position, b->key.position);
	if (order == 0)
		order = compare_u64((uint64_t)a->reason, (uint64_t)b->reason);
	return order;
}

/* Heapsort: no recursion, no memory, no bad case. The items come nearly in order, and there are some thousand
 * at most. */
static void sift(struct batch_item *items, size_t root, size_t count)
{
	for (;;) {
		size_t child = 2 * root + 1;
		if (child >= count)
			return;
		if (child + 1 < count && compare_items(&items[child], &items[child + 1]) < 0)
			child++;
		if (compare_items(&items[root], &items[child]) >= 0)
			return;
		struct batch_item swap = items[root];
		items[root] = items[child];
		items[child] = swap;
		root = child;
	}
}

static void sort_items(struct batch_item *items, size_t count)
{
	for (size_t i = count / 2; i > 0; i--)
		sift(items, i - 1, count);
	for (size_t end = count; end > 1; end--) {
		struct batch_item swap = items[0];
		items[0] = items[end - 1];
		items[end - 1] = swap;
		sift(items, 0, end - 1);
	}
}

static bool same_receipt(const struct batch_item *a, const struct batch_item *b)
{
	return a->key.channel == b->key.channel && a->key.log == b->key.log &&
	       a->key.incarnation == b->key.incarnation &&
	       (a->precedence == PRECEDENCE_FLASH) == (b->precedence == PRECEDENCE_FLASH);
}

/* Adds a position to the ranges; false when there is no room for another range. */
static bool add_range(struct receipt *receipt, const struct batch_item *item)
{
	uint64_t position = item->key.position;

	if (item->reason == ERROR_OK) {
		struct held_range *last =
			receipt->held_count > 0 ? &receipt->held[receipt->held_count - 1] : NULL;
		if (last != NULL && last->first + last->count == position) {
			last->count++;
			return true;
		}
		if (receipt->held_count + receipt->refused_count == RANGES_MAX)
			return false;
		receipt->held[receipt->held_count++] = (struct held_range){.first = position, .count = 1};
		return true;
	}
	struct refused_range *last =
		receipt->refused_count > 0 ? &receipt->refused[receipt->refused_count - 1] : NULL;
	if (last != NULL && last->first + last->count == position && last->reason == item->reason) {
		last->count++;
		return true;
	}
	if (receipt->held_count + receipt->refused_count == RANGES_MAX)
		return false;
	receipt->refused[receipt->refused_count++] =
		(struct refused_range){.first = position, .count = 1, .reason = item->reason};
	return true;
}

static void digest_items(struct receipt *receipt, const struct batch_item *items, size_t count)
{
	struct receipt_digest digest;

	receipt_digest_init(&digest);
	for (size_t i = 0; i < count; i++)
		if (items[i].reason == ERROR_OK)
			receipt_digest_add(&digest, items[i].key.position, items[i].identity);
	for (size_t i = 0; i < count; i++)
		if (items[i].reason != ERROR_OK)
			receipt_digest_add(&digest, items[i].key.position, items[i].identity);
	receipt_digest_final(&digest, receipt->digest);
}

/* One receipt for the first of the items that fit; *used says how many. */
static enum error make_receipt(struct run *run, const struct batch_item *items, size_t count, size_t *used)
{
	const struct entry_key *key = &items[0].key;
	struct receipt *receipt = run_take(run, sizeof(*receipt));
	struct aad *aad = run_take(run, sizeof(*aad));
	struct channel channel;
	uint64_t precedence = PRECEDENCE_ROUTINE;

	enum error error = registry_channel(run, key->channel, &channel);
	if (error == ERROR_OK)
		error = registry_aad(run, &channel, AAD_RECEIPT, channel.own_index, aad);
	if (error != ERROR_OK)
		return run_must(error);
	memset(receipt, 0, sizeof(*receipt));
	receipt->by = log_own_number(run, &channel);
	receipt->log = key->log;
	receipt->incarnation = key->incarnation;
	memcpy(receipt->registry, channel.registry, sizeof(receipt->registry));
	receipt->time = run_time_s(run);
	*used = 0;
	while (*used < count && *used < RECEIPT_POSITIONS_MAX && add_range(receipt, &items[*used])) {
		if (items[*used].precedence > precedence)
			precedence = items[*used].precedence;
		(*used)++;
	}
	digest_items(receipt, items, *used);
	struct buffer payload = run_buffer(run, RECEIPT_SIZE_MAX);
	receipt_encode(receipt, &payload);
	assert(buffer_error(&payload) == ERROR_OK);
	struct outbox_statement statement = {
		.kind = STATEMENT_RECEIPT,
		.channel = key->channel,
		.party = registry_party_of(&channel, log_roster_index(key->log)),
		.slot = log_slot(key->log),
		.precedence = precedence,
		.cose = run_sign(run, aad, buffer_bytes(&payload)),
	};
	return outbox_statement(run, &statement, NULL);
}

/* What came twice in one batch is named once, or the receipt would be of no form. The items are sorted. */
static size_t drop_repeated(struct batch_item *items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct batch_item *last = kept > 0 ? &items[kept - 1] : NULL;
		if (last == NULL || !same_receipt(last, &items[i]) ||
		    last->key.position != items[i].key.position)
			items[kept++] = items[i];
	}
	return kept;
}

enum error receipt_commit(struct run *run)
{
	struct batch *batch = batch_of(run);

	sort_items(batch->items, batch->items_count);
	batch->items_count = drop_repeated(batch->items, batch->items_count);
	size_t at = 0;
	while (at < batch->items_count) {
		size_t end = at + 1;
		size_t used;
		while (end < batch->items_count && same_receipt(&batch->items[at], &batch->items[end]))
			end++;
		enum error error = make_receipt(run, &batch->items[at], end - at, &used);
		if (error != ERROR_OK)
			return error;
		at += used;
	}
	return ERROR_OK;
}

/* ---- taking receipts ---- */

/* One position that a receipt names. */
struct named {
	struct entry_key key;
	enum error reason;
};

static size_t list_named(const struct receipt *receipt, uint64_t channel, struct named *named)
{
	size_t count = 0;
	struct entry_key key = {.channel = channel, .log = receipt->log, .incarnation = receipt->incarnation};

	for (size_t i = 0; i < receipt->held_count; i++)
		for (uint64_t j = 0; j < receipt->held[i].count; j++) {
			key.position = receipt->held[i].first + j;
			named[count++] = (struct named){.key = key};
		}
	for (size_t i = 0; i < receipt->refused_count; i++)
		for (uint64_t j = 0; j < receipt->refused[i].count; j++) {
			key.position = receipt->refused[i].first + j;
			named[count++] =
				(struct named){.key = key, .reason = (enum error)receipt->refused[i].reason};
		}
	return count;
}

static struct row_key copy_row_of(const struct receipt *receipt, const struct named *named)
{
	struct row_key key = key_channel(TABLE_COPY, named->key.channel);
	key_u16(&key, named->key.incarnation);
	key_u32(&key, named->key.position);
	key_u16(&key, receipt->by);
	return key;
}

/* Reads all entries that are named, and checks the digest. *reason: NOT_FOUND, or BAD_PROOF. */
static enum error check_named(struct run *run, const struct receipt *receipt, const struct named *named,
			      size_t count, struct entry *entries, enum error *reason)
{
	struct receipt_digest digest;
	uint8_t result[32];
	bool missing = false;

	*reason = ERROR_NOT_FOUND;
	receipt_digest_init(&digest);
	for (size_t i = 0; i < count; i++) {
		struct bytes value;
		struct row_key copy_row = copy_row_of(receipt, &named[i]);
		missing = rows_get(run_rows(run), key_view(&copy_row), &value) == ERROR_NEEDS_ROWS || missing;
		enum error error = log_entry(run, &named[i].key, &entries[i]);
		if (error == ERROR_NOT_FOUND)
			return ERROR_OK;
		if (error != ERROR_OK && error != ERROR_NEEDS_ROWS)
			return error;
		missing = missing || error == ERROR_NEEDS_ROWS;
		receipt_digest_add(&digest, named[i].key.position, entries[i].identity);
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	receipt_digest_final(&digest, result);
	*reason = memcmp(result, receipt->digest, sizeof(result)) == 0 ? ERROR_OK : ERROR_BAD_PROOF;
	return ERROR_OK;
}

/* A letter that was given back and refused here: only its leaf is held, and it was sent to nobody again. */
static bool is_leaf_alone(const struct entry *entry)
{
	return entry->state == LOCAL_REFUSED && entry->received == 0 && entry->refused == 0;
}

/* True if every other party has receipted it, held or refused. */
static bool settled(const struct channel *channel, const struct entry *entry)
{
	uint64_t all = channel->parties.size == 64 ? UINT64_MAX : (UINT64_C(1) << channel->parties.size) - 1;
	uint64_t others = all & ~(UINT64_C(1) << channel->own_index);
	return ((entry->received | entry->refused) & others) == others;
}

static enum error take_one(struct run *run, const struct received_statement *statement,
			   const struct receipt *receipt, const struct named *named, struct entry *entry,
			   uint64_t number)
{
	uint64_t bit = UINT64_C(1) << statement->index;
	bool sibling = statement->index == statement->channel.own_index;
	bool was_settled = settled(&statement->channel, entry);
	struct row_key key = key_entry(TABLE_ENTRY, &named->key);

	enum error error = outbox_receipted(run, &named->key, receipt->by);
	if (error != ERROR_OK || sibling || is_leaf_alone(entry))
		return error;
	/* One party's refusal takes no place from another's word that it holds the entry. */
	if (named->reason == ERROR_OK || entry->received == 0)
		entry->receipt = number;
	if (named->reason == ERROR_OK)
		entry->received |= bit;
	else
		entry->refused |= bit;
	if (!was_settled && settled(&statement->channel, entry)) {
		error = outbox_settled(run, &named->key, entry->precedence);
		if (error != ERROR_OK)
			return error;
	}
	if (named->reason == ERROR_OK)
		return log_set_state(run, &named->key, entry, LOCAL_RECEIVED, statement->post.name);
	if (entry->state < LOCAL_RECEIVED)
		entry->reason = (uint64_t)named->reason;
	run_put(run, &key, &schema_entry, entry);
	return log_set_state(run, &named->key, entry, LOCAL_REFUSED,
			     bytes_of_text(error_text(named->reason)));
}

/*
 * True if the receipt says something of this entry that no other has said: one that comes again is not kept.
 */
static bool is_new(struct run *run, const struct received_statement *statement, const struct receipt *receipt,
		   const struct named *named, const struct entry *entry)
{
	struct row_key copy_row = copy_row_of(receipt, named);
	uint64_t told = named->reason == ERROR_OK ? entry->received : entry->refused;
	struct copy copy;

	if (run_get(run, &copy_row, &schema_copy, &copy) == ERROR_OK && !copy.again)
		return true;
	return statement->index != statement->channel.own_index && (told >> statement->index & 1) == 0;
}

enum error receipt_take(struct run *run, const struct received_statement *statement)
{
	struct receipt *receipt = run_take(run, sizeof(*receipt));
	struct named *named = run_take(run, RECEIPT_POSITIONS_MAX * sizeof(*named));
	struct entry *entries = run_take(run, RECEIPT_POSITIONS_MAX * sizeof(*entries));
	enum error reason = receipt_decode(statement->object.payload, receipt);

	if (reason == ERROR_OK && (receipt->by != log_number(statement->index, statement->opened->slot) ||
				   receipt->log != log_own_number(run, &statement->channel)))
		reason = ERROR_BAD_ARGUMENT;
	if (reason == ERROR_OK && receipt_positions(receipt) > RECEIPT_POSITIONS_MAX)
		reason = ERROR_TOO_LARGE;
	if (reason != ERROR_OK)
		return run_count(run, reason, "receipt dropped: not of the form, or not for this log");
	size_t count = list_named(receipt, statement->channel_number, named);
	enum error error = check_named(run, receipt, named, count, entries, &reason);
	if (error != ERROR_OK)
		return error;
	if (reason == ERROR_NOT_FOUND)
		error = missing_claimed(run, &named[0].key);
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK)
		return run_count(run, reason, "receipt dropped: it does not name what this log holds");
	bool any_new = false;
	for (size_t i = 0; i < count; i++)
		any_new = any_new || is_new(run, statement, receipt, &named[i], &entries[i]);
	for (size_t i = 0; error == ERROR_OK && !any_new && i < count; i++)
		error = outbox_receipted(run, &named[i].key, receipt->by);
	if (error != ERROR_OK || !any_new)
		return error;
	struct receipt_row row = {
		.channel = statement->channel_number,
		.by = receipt->by,
		.held_at_ms = run_wall_ms(run),
		.cose = statement->cose,
	};
	struct row_key key = key_make(TABLE_RECEIPT);
	uint64_t number = ++run_state(run)->numbers;
	key_u64(&key, number);
	run_put(run, &key, &schema_receipt_row, &row);
	for (size_t i = 0; error == ERROR_OK && i < count; i++)
		error = take_one(run, statement, receipt, &named[i], &entries[i], number);
	return error;
}
