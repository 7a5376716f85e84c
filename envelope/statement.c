#include "envelope/statement.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/fields.h"
#include "envelope/x25519.h"

/* ---- receipts ---- */

#define REASON_NUMBER_MIN ERROR_REFUSED_FORM

/* The number of groups of `each` items in a flat list of at most RANGES_MAX of them. */
static size_t read_flat_list(struct cbor_reader *reader, size_t each)
{
	size_t items = cbor_read_array(reader, RANGES_MAX * each);

	if (items % each != 0) {
		cbor_reader_fail(reader, ERROR_MALFORMED);
		return 0;
	}
	return items / each;
}

static void read_held(struct cbor_reader *reader, struct receipt *receipt)
{
	uint64_t next = 0;

	receipt->held_count = read_flat_list(reader, 2);
	for (size_t i = 0; i < receipt->held_count; i++) {
		struct held_range *range = &receipt->held[i];

		fields_read_range(reader, &range->first, &range->count);
		if (range->first < next)
			cbor_reader_fail(reader, ERROR_MALFORMED);
		next = range->first + range->count;
	}
}

static void read_refused(struct cbor_reader *reader, struct receipt *receipt)
{
	uint64_t next = 0;

	receipt->refused_count = read_flat_list(reader, 3);
	for (size_t i = 0; i < receipt->refused_count; i++) {
		struct refused_range *range = &receipt->refused[i];

		fields_read_range(reader, &range->first, &range->count);
		range->reason = fields_read_between(reader, REASON_NUMBER_MIN, REASON_NUMBER_MAX);
		if (range->first < next)
			cbor_reader_fail(reader, ERROR_MALFORMED);
		next = range->first + range->count;
	}
}

/* True if no position is both held and refused. Both lists are in order. */
static bool lists_are_disjoint(const struct receipt *receipt)
{
	size_t h = 0, r = 0;

	while (h < receipt->held_count && r < receipt->refused_count) {
		const struct held_range *held = &receipt->held[h];
		const struct refused_range *refused = &receipt->refused[r];

		if (held->first + held->count <= refused->first)
			h++;
		else if (refused->first + refused->count <= held->first)
			r++;
		else
			return false;
	}
	return true;
}

enum error receipt_decode(struct bytes payload, struct receipt *receipt)
{
	struct cbor_reader reader = cbor_reader_make(payload);
	enum error error;

	memset(receipt, 0, sizeof(*receipt));
	cbor_read_array_exact(&reader, 8);
	receipt->by = cbor_read_uint_max(&reader, LOG_MAX);
	receipt->log = cbor_read_uint_max(&reader, LOG_MAX);
	receipt->incarnation = fields_read_between(&reader, 1, INCARNATIONS_MAX);
	read_held(&reader, receipt);
	read_refused(&reader, receipt);
	cbor_read_bytes_exact(&reader, receipt->digest, sizeof(receipt->digest));
	cbor_read_bytes_exact(&reader, receipt->registry, sizeof(receipt->registry));
	receipt->time = fields_read_time(&reader);
	error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		return error;
	if (receipt->held_count + receipt->refused_count == 0 ||
	    receipt->held_count + receipt->refused_count > RANGES_MAX || !lists_are_disjoint(receipt))
		return ERROR_MALFORMED;
	return ERROR_OK;
}

void receipt_encode(const struct receipt *receipt, struct buffer *buffer)
{
	assert(receipt->held_count + receipt->refused_count <= RANGES_MAX);
	cbor_write_array(buffer, 8);
	cbor_write_uint(buffer, receipt->by);
	cbor_write_uint(buffer, receipt->log);
	cbor_write_uint(buffer, receipt->incarnation);
	cbor_write_array(buffer, receipt->held_count * 2);
	for (size_t i = 0; i < receipt->held_count; i++) {
		cbor_write_uint(buffer, receipt->held[i].first);
		cbor_write_uint(buffer, receipt->held[i].count);
	}
	cbor_write_array(buffer, receipt->refused_count * 3);
	for (size_t i = 0; i < receipt->refused_count; i++) {
		cbor_write_uint(buffer, receipt->refused[i].first);
		cbor_write_uint(buffer, receipt->refused[i].count);
		cbor_write_uint(buffer, receipt->refused[i].reason);
	}
	fields_write_bytes(buffer, receipt->digest, sizeof(receipt->digest));
	fields_write_bytes(buffer, receipt->registry, sizeof(receipt->registry));
	cbor_write_uint(buffer, receipt->time);
}

void receipt_digest_init(struct receipt_digest *digest)
{
	crypto_hash_sha256_init(&digest->state);
}

void receipt_digest_add(struct receipt_digest *digest, uint64_t position,
			const uint8_t identity[IDENTITY_SIZE])
{
	uint8_t memory[1 + 9 + 2 + IDENTITY_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	cbor_write_array(&buffer, 2);
	cbor_write_uint(&buffer, position);
	fields_write_bytes(&buffer, identity, IDENTITY_SIZE);
	crypto_hash_sha256_update(&digest->state, buffer.data, buffer.size);
}

void receipt_digest_final(struct receipt_digest *digest, uint8_t result[32])
{
	crypto_hash_sha256_final(&digest->state, result);
}

uint64_t receipt_positions(const struct receipt *receipt)
{
	uint64_t count = 0;

	for (size_t i = 0; i < receipt->held_count; i++)
		count += receipt->held[i].count;
	for (size_t i = 0; i < receipt->refused_count; i++)
		count += receipt->refused[i].count;
	return count;
}

/* ---- heads ---- */

static void read_head(struct cbor_reader *reader, struct head *head)
{
	size_t items = cbor_read_array(reader, 7);

	if (items != 5 && items != 7)
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	head->log = cbor_read_uint_max(reader, LOG_MAX);
	head->incarnation = fields_read_between(reader, 1, INCARNATIONS_MAX);
	head->size = cbor_read_uint_max(reader, POSITION_MAX + 1);
	cbor_read_bytes_exact(reader, head->root.bytes, sizeof(head->root.bytes));
	cbor_read_bytes_exact(reader, head->signature, sizeof(head->signature));
	head->has_cosignature = items == 7;
	if (!head->has_cosignature)
		return;
	head->cosigned_at = fields_read_time(reader);
	cbor_read_bytes_exact(reader, head->cosignature, sizeof(head->cosignature));
}

/* The own head first, bare; then in order those of other logs, cosigned, and former ones of the own, bare. */
static bool head_fits(const struct heads_statement *heads, size_t i)
{
	const struct head *head = &heads->heads[i];
	const struct head *previous;
	bool own = head->log == heads->by;

	if (i == 0)
		return own && !head->has_cosignature;
	if (own == head->has_cosignature || (own && head->incarnation >= heads->heads[0].incarnation))
		return false;
	if (i == 1)
		return true;
	previous = head - 1;
	if (head->log != previous->log)
		return head->log > previous->log;
	return head->incarnation > previous->incarnation;
}

enum error heads_decode(struct bytes payload, struct heads_statement *heads)
{
	struct cbor_reader reader = cbor_reader_make(payload);

	memset(heads, 0, sizeof(*heads));
	heads->has_proof = fields_read_array_or_one_more(&reader, 3);
	heads->by = cbor_read_uint_max(&reader, LOG_MAX);
	heads->time = fields_read_time(&reader);
	heads->heads_count = fields_read_array(&reader, 1, HEADS_STATED_MAX);
	for (size_t i = 0; i < heads->heads_count; i++) {
		read_head(&reader, &heads->heads[i]);
		if (!head_fits(heads, i))
			cbor_reader_fail(&reader, ERROR_MALFORMED);
	}
	if (heads->has_proof) {
		cbor_read_array_exact(&reader, 2);
		heads->old_size = fields_read_between(&reader, 1, heads->heads[0].size);
		merkle_proof_read(&reader, &heads->proof);
	}
	return cbor_read_end(&reader);
}

void heads_encode(const struct heads_statement *heads, struct buffer *buffer)
{
	assert(heads->heads_count <= HEADS_STATED_MAX);
	cbor_write_array(buffer, heads->has_proof ? 4 : 3);
	cbor_write_uint(buffer, heads->by);
	cbor_write_uint(buffer, heads->time);
	cbor_write_array(buffer, heads->heads_count);
	for (size_t i = 0; i < heads->heads_count; i++) {
		const struct head *head = &heads->heads[i];

		cbor_write_array(buffer, head->has_cosignature ? 7 : 5);
		cbor_write_uint(buffer, head->log);
		cbor_write_uint(buffer, head->incarnation);
		cbor_write_uint(buffer, head->size);
		fields_write_bytes(buffer, head->root.bytes, sizeof(head->root.bytes));
		fields_write_bytes(buffer, head->signature, sizeof(head->signature));
		if (!head->has_cosignature)
			continue;
		cbor_write_uint(buffer, head->cosigned_at);
		fields_write_bytes(buffer, head->cosignature, sizeof(head->cosignature));
	}
	if (!heads->has_proof)
		return;
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, heads->old_size);
	merkle_proof_write(&heads->proof, buffer);
}

/* ---- prekeys ---- */

enum error prekeys_decode(struct bytes payload, struct prekeys *prekeys)
{
	struct cbor_reader reader = cbor_reader_make(payload);
	enum error error;

	memset(prekeys, 0, sizeof(*prekeys));
	cbor_read_array_exact(&reader, 7);
	prekeys->slot = cbor_read_uint_max(&reader, POST_SLOTS - 1);
	prekeys->number = fields_read_between(&reader, 1, POSITION_MAX);
	prekeys->first_epoch = cbor_read_uint_max(&reader, EPOCH_MAX);
	prekeys->start = fields_read_time(&reader);
	prekeys->length_s = fields_read_between(&reader, EPOCH_LENGTH_S_MIN, EPOCH_LENGTH_S_MAX);
	prekeys->keys_count = fields_read_array(&reader, 1, EPOCHS_AHEAD_MAX);
	for (size_t i = 0; i < prekeys->keys_count; i++)
		cbor_read_bytes_exact(&reader, prekeys->keys[i], PUBLIC_KEY_SIZE);
	cbor_read_bytes_exact(&reader, prekeys->last_resort, PUBLIC_KEY_SIZE);
	error = cbor_read_end(&reader);
	if (error == ERROR_OK && prekeys->first_epoch + prekeys->keys_count - 1 > EPOCH_MAX)
		error = ERROR_OUT_OF_RANGE;
	for (size_t i = 0; error == ERROR_OK && i < prekeys->keys_count; i++)
		if (!x25519_key_valid(prekeys->keys[i]))
			error = ERROR_BAD_KEY;
	if (error == ERROR_OK && !x25519_key_valid(prekeys->last_resort))
		error = ERROR_BAD_KEY;
	return error;
}

void prekeys_encode(const struct prekeys *prekeys, struct buffer *buffer)
{
	assert(prekeys->keys_count <= EPOCHS_AHEAD_MAX);
	cbor_write_array(buffer, 7);
	cbor_write_uint(buffer, prekeys->slot);
	cbor_write_uint(buffer, prekeys->number);
	cbor_write_uint(buffer, prekeys->first_epoch);
	cbor_write_uint(buffer, prekeys->start);
	cbor_write_uint(buffer, prekeys->length_s);
	cbor_write_array(buffer, prekeys->keys_count);
	for (size_t i = 0; i < prekeys->keys_count; i++)
		fields_write_bytes(buffer, prekeys->keys[i], PUBLIC_KEY_SIZE);
	fields_write_bytes(buffer, prekeys->last_resort, PUBLIC_KEY_SIZE);
}

bool prekeys_epoch_at(const struct prekeys *prekeys, uint64_t now, uint64_t delay_window_s, uint64_t *epoch)
{
	uint64_t count = prekeys->keys_count;
	uint64_t end = prekeys->start + count * prekeys->length_s;
	uint64_t index;

	assert(count >= 1 && prekeys->length_s >= 1);
	if (now > end && now - end > delay_window_s)
		return false;
	index = now < prekeys->start ? 0 : (now - prekeys->start) / prekeys->length_s;
	if (index > count - 1)
		index = count - 1;
	*epoch = prekeys->first_epoch + index;
	return true;
}

const uint8_t *prekeys_key(const struct prekeys *prekeys, uint64_t epoch)
{
	if (epoch < prekeys->first_epoch || epoch - prekeys->first_epoch >= prekeys->keys_count)
		return NULL;
	return prekeys->keys[epoch - prekeys->first_epoch];
}

/* ---- cannot open ---- */

enum error cannot_open_decode(struct bytes payload, struct cannot_open *cannot_open)
{
	struct cbor_reader reader = cbor_reader_make(payload);

	memset(cannot_open, 0, sizeof(*cannot_open));
	cbor_read_array_exact(&reader, 2);
	cannot_open->slot = cbor_read_uint_max(&reader, POST_SLOTS - 1);
	cannot_open->hashes_count = fields_read_array(&reader, 1, RANGES_MAX);
	for (size_t i = 0; i < cannot_open->hashes_count; i++)
		cbor_read_bytes_exact(&reader, cannot_open->hashes[i], sizeof(cannot_open->hashes[i]));
	return cbor_read_end(&reader);
}

void cannot_open_encode(const struct cannot_open *cannot_open, struct buffer *buffer)
{
	assert(cannot_open->hashes_count <= RANGES_MAX);
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, cannot_open->slot);
	cbor_write_array(buffer, cannot_open->hashes_count);
	for (size_t i = 0; i < cannot_open->hashes_count; i++)
		fields_write_bytes(buffer, cannot_open->hashes[i], sizeof(cannot_open->hashes[i]));
}

/* ---- missing ---- */

enum error missing_decode(struct bytes payload, struct missing_statement *missing)
{
	struct cbor_reader reader = cbor_reader_make(payload);
	uint64_t next = 0;

	memset(missing, 0, sizeof(*missing));
	cbor_read_array_exact(&reader, 4);
	missing->by = cbor_read_uint_max(&reader, LOG_MAX);
	missing->log = cbor_read_uint_max(&reader, LOG_MAX);
	missing->incarnation = fields_read_between(&reader, 1, INCARNATIONS_MAX);
	missing->ranges_count = read_flat_list(&reader, 2);
	for (size_t i = 0; i < missing->ranges_count; i++) {
		struct held_range *range = &missing->ranges[i];

		fields_read_range(&reader, &range->first, &range->count);
		if (i > 0 && range->first <= next)
			cbor_reader_fail(&reader, ERROR_MALFORMED);
		next = range->first + range->count;
	}
	if (missing->ranges_count == 0)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	return cbor_read_end(&reader);
}

void missing_encode(const struct missing_statement *missing, struct buffer *buffer)
{
	assert(missing->ranges_count >= 1 && missing->ranges_count <= RANGES_MAX);
	cbor_write_array(buffer, 4);
	cbor_write_uint(buffer, missing->by);
	cbor_write_uint(buffer, missing->log);
	cbor_write_uint(buffer, missing->incarnation);
	cbor_write_array(buffer, missing->ranges_count * 2);
	for (size_t i = 0; i < missing->ranges_count; i++) {
		cbor_write_uint(buffer, missing->ranges[i].first);
		cbor_write_uint(buffer, missing->ranges[i].count);
	}
}
