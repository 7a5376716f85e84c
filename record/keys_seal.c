#include "record/keys.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/card.h"
#include "envelope/keying.h"
#include "envelope/padding.h"
#include "envelope/signed.h"
#include "envelope/wire.h"
#include "record/missing.h"
#include "record/outbox.h"

#define CANDIDATES_MAX 8 /* PSKs of one id: 3 bytes repeat by chance, never often */

static void seal_end_make(struct seal_end *end, const uint8_t party[PARTY_ID_SIZE], uint64_t slot,
			  const uint8_t statement_key[PUBLIC_KEY_SIZE])
{
	memcpy(end->party, party, sizeof(end->party));
	end->slot = slot;
	memcpy(end->statement_key, statement_key, sizeof(end->statement_key));
}

static void own_end_make(const struct own_post *own, struct seal_end *end)
{
	seal_end_make(end, own->party_id, own->slot, own->statement_key);
}

/* Party and post of a counterpart as an end of a seal. */
static enum error other_end(struct run *run, uint64_t party_number, uint64_t slot, struct seal_end *end,
			    struct party_post *post)
{
	struct row_key party_key = key_party(party_number);
	struct row_key post_key = key_party_post(TABLE_PARTY_POST, party_number, slot);
	struct party party;

	enum error error = run_get(run, &party_key, &schema_party, &party);
	enum error post_error = run_get(run, &post_key, &schema_party_post, post);
	if (error == ERROR_OK)
		error = post_error;
	else if (post_error == ERROR_NEEDS_ROWS)
		error = post_error;
	if (error == ERROR_OK)
		seal_end_make(end, party.id, slot, post->statement_key);
	return error;
}

/* ---- sealing ---- */

/* What to seal with. The PSK is that of the leaf, `steps` further: derived where the seal is made. */
struct seal_key {
	bool has_epoch;
	uint64_t epoch;
	uint8_t receiver_key[PUBLIC_KEY_SIZE];
	uint8_t leaf[KEYING_KEY_SIZE];
	uint64_t steps;
};

/* The leaf of the epoch to use, or false: then it is to be the last resort. */
static enum error epoch_key(struct run *run, const struct keys_target *target, const struct prekeys *prekeys,
			    struct seal_key *key, bool *found)
{
	struct row_key leaf_key = key_party_post(TABLE_LEAF_OUT, target->party, target->slot);
	struct leaf_row leaf;

	*found = false;
	enum error error = run_get(run, &leaf_key, &schema_leaf_row, &leaf);
	if (error == ERROR_NOT_FOUND)
		return ERROR_OK;
	if (error != ERROR_OK)
		return error;
	if (prekeys_epoch_at(prekeys, run_time_s(run), target->window_s, &key->epoch)) {
		if (key->epoch < leaf.epoch)
			key->epoch = leaf.epoch; /* the clock was set back: what is erased stays so */
		const uint8_t *public_key = prekeys_key(prekeys, key->epoch);
		if (public_key != NULL && key->epoch - leaf.epoch <= KEYING_STEPS_MAX) {
			memcpy(key->receiver_key, public_key, sizeof(key->receiver_key));
			memcpy(key->leaf, leaf.leaf, sizeof(key->leaf));
			key->steps = key->epoch - leaf.epoch;
			key->has_epoch = true;
			*found = true;
		}
	}
	sodium_memzero(&leaf, sizeof(leaf));
	return ERROR_OK;
}

/* The leaf of the next keying, by last resort; false where there is none. */
static enum error next_key(struct run *run, const struct keys_target *target, const struct prekeys *prekeys,
			   struct seal_key *key, bool *found)
{
	struct row_key next_row_key = key_party_post(TABLE_NEXT_KEYING, target->party, target->slot);
	struct next_keying next;

	enum error error = run_get(run, &next_row_key, &schema_next_keying, &next);
	*found = error == ERROR_OK;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	memcpy(key->receiver_key, prekeys->last_resort, sizeof(key->receiver_key));
	memcpy(key->leaf, next.last_leaf, sizeof(key->leaf));
	key->steps = 0;
	key->has_epoch = false;
	sodium_memzero(&next, sizeof(next));
	return ERROR_OK;
}

static enum error choose_key(struct run *run, const struct keys_target *target, struct seal_key *key,
			     enum error *reason)
{
	struct row_key prekeys_row_key = key_party_post(TABLE_PREKEYS, target->party, target->slot);
	struct row_key last_key = key_party_post(TABLE_LAST_LEAF, target->party, target->slot);
	struct prekeys_row row;
	struct leaf_row last;
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));

	*reason = ERROR_UNKNOWN_KEY;
	enum error error = run_get(run, &prekeys_row_key, &schema_prekeys_row, &row);
	enum error last_error = run_get(run, &last_key, &schema_leaf_row, &last);
	if (error == ERROR_NEEDS_ROWS || last_error == ERROR_NEEDS_ROWS)
		return ERROR_NEEDS_ROWS;
	if (error == ERROR_NOT_FOUND || last_error == ERROR_NOT_FOUND)
		return ERROR_OK;
	if (error != ERROR_OK || last_error != ERROR_OK)
		return error != ERROR_OK ? error : last_error;
	if (keys_prekeys_of_row(&row, prekeys) != ERROR_OK)
		return ERROR_MALFORMED;
	bool found = false;
	if (target->next_keying)
		error = next_key(run, target, prekeys, key, &found);
	if (error == ERROR_OK && !found && !target->last_resort && !row.cannot_open)
		error = epoch_key(run, target, prekeys, key, &found);
	if (error == ERROR_OK && !found) {
		memcpy(key->receiver_key, prekeys->last_resort, sizeof(key->receiver_key));
		memcpy(key->leaf, last.leaf, sizeof(key->leaf));
		key->steps = 0;
		key->has_epoch = false;
	}
	sodium_memzero(&last, sizeof(last));
	*reason = ERROR_OK;
	return error;
}

static enum error seal_with(struct run *run, struct seal_key *key, const struct seal_end *receiver,
			    const uint8_t seed[HPKE_SEED_SIZE], struct bytes plaintext, struct buffer *out)
{
	struct seal_end sender;
	uint8_t info_bytes[SEAL_INFO_SIZE_MAX];
	struct buffer info = buffer_make(info_bytes, sizeof(info_bytes));

	enum error error = keying_step(key->leaf, key->steps);
	assert(error == ERROR_OK);
	struct hpke_psk psk = keying_psk_view(run_psk(run, key->leaf));
	own_end_make(run_post(run), &sender);
	seal_info_encode(&sender, receiver, key->has_epoch, key->epoch, &info);
	struct cose_seal_context context = {.schedule = run_schedule(run, buffer_bytes(&info), psk.id)};
	return cose_seal(key->receiver_key, &psk, &context, seed, plaintext, out);
}

enum error keys_seal(struct run *run, const struct keys_target *target, struct bytes plaintext,
		     struct bytes *sealed, bool *used_last_resort, enum error *reason)
{
	struct seal_key key = {0};
	struct seal_end receiver;
	struct party_post post;
	uint8_t seed[HPKE_SEED_SIZE];
	void *room;

	enum error error = other_end(run, target->party, target->slot, &receiver, &post);
	if (error == ERROR_NOT_FOUND) {
		*reason = ERROR_UNKNOWN_KEY;
		return ERROR_OK;
	}
	if (error == ERROR_OK)
		error = choose_key(run, target, &key, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	*used_last_resort = !key.has_epoch;
	run_random(run, seed, sizeof(seed));
	size_t size = cose_sealed_size(plaintext.size, COSE_PSK_ID_SIZE);
	if (!run_kept(run, size, &room)) {
		struct buffer out = buffer_make(room, size);
		*reason = seal_with(run, &key, &receiver, seed, plaintext, &out);
		assert(*reason == ERROR_OK || *reason == ERROR_BAD_KEY);
	} else if (*(uint8_t *)room == 0) { /* zeros: it failed the first time, too */
		*reason = ERROR_BAD_KEY;
	}
	sodium_memzero(&key, sizeof(key));
	sodium_memzero(seed, sizeof(seed));
	*sealed = bytes_make(room, size);
	return ERROR_OK;
}

enum error keys_distrust_before(struct run *run, uint64_t party, uint64_t slot, uint64_t time)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, party, slot);
	struct prekeys_row row;

	enum error error = run_get(run, &key, &schema_prekeys_row, &row);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	if (row.number >= time || row.cannot_open)
		return ERROR_OK;
	row.cannot_open = true;
	run_put(run, &key, &schema_prekeys_row, &row);
	return missing_open_own(run, party, true);
}

enum error keys_distrust(struct run *run, uint64_t party, uint64_t slot)
{
	return keys_distrust_before(run, party, slot, UINT64_MAX);
}

/* ---- opening ---- */

struct candidate {
	uint64_t party;
	uint64_t slot;
	bool has_epoch;
	uint64_t epoch;
	struct psk psk;
};

static enum error add_candidates(struct run *run, enum table table, struct bytes id,
				 struct candidate *candidates, size_t *count)
{
	struct row_key prefix = key_make(table);
	struct row row;

	key_bytes(&prefix, id.data, id.size);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && *count < CANDIDATES_MAX) {
		struct candidate *candidate = &candidates[*count];
		struct key_reader reader = key_reader_make(row.key);
		memset(candidate, 0, sizeof(*candidate));
		(void)key_read_u8(&reader);
		(void)key_read_u16(&reader);
		candidate->party = key_read_u8(&reader);
		candidate->slot = key_read_u8(&reader);
		candidate->has_epoch = table == TABLE_PSK;
		candidate->epoch = candidate->has_epoch ? key_read_u32(&reader) : 0;
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_psk, row.value, &candidate->psk) != ERROR_OK)
			return ERROR_MALFORMED;
		(*count)++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The key pair that a candidate's copy would be sealed to. */
static enum error candidate_pair(struct run *run, const struct candidate *candidate, struct x25519_pair *pair)
{
	const struct own_post *own = run_post(run);

	if (!candidate->has_epoch) {
		memcpy(pair->key, own->last_resort_key, sizeof(pair->key));
		memcpy(pair->secret, own->last_resort_secret, sizeof(pair->secret));
		return ERROR_OK;
	}
	struct row_key key = key_make(TABLE_EPOCH);
	struct epoch epoch;
	key_u32(&key, candidate->epoch);
	enum error error = run_get(run, &key, &schema_epoch, &epoch);
	memcpy(pair->key, epoch.key, sizeof(pair->key));
	memcpy(pair->secret, epoch.secret, sizeof(pair->secret));
	sodium_memzero(&epoch, sizeof(epoch));
	return error;
}

struct open_result {
	bool opened;
	size_t size;
	uint8_t plaintext[];
};

static enum error try_candidate(struct run *run, const struct cose_sealed *object,
				const struct candidate *candidate, struct keys_opened *opened, bool *success)
{
	struct seal_end sender;
	struct seal_end receiver;
	struct x25519_pair pair;
	void *room;

	*success = false;
	enum error error = other_end(run, candidate->party, candidate->slot, &sender, &opened->post);
	enum error pair_error = candidate_pair(run, candidate, &pair);
	if (error == ERROR_OK || pair_error == ERROR_NEEDS_ROWS)
		error = pair_error;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	size_t size_max = object->ciphertext.size - HPKE_TAG_SIZE;
	bool kept = run_kept(run, sizeof(struct open_result) + size_max, &room);
	struct open_result *result = room;
	if (!kept) {
		uint8_t info_bytes[SEAL_INFO_SIZE_MAX];
		struct buffer info = buffer_make(info_bytes, sizeof(info_bytes));
		struct buffer out = buffer_make(result->plaintext, size_max);
		struct hpke_psk psk = {
			.key = bytes_make(candidate->psk.key, sizeof(candidate->psk.key)),
			.id = bytes_make(candidate->psk.id, sizeof(candidate->psk.id)),
		};
		own_end_make(run_post(run), &receiver);
		seal_info_encode(&sender, &receiver, candidate->has_epoch, candidate->epoch, &info);
		struct cose_seal_context context = {.schedule =
							    run_schedule(run, buffer_bytes(&info), psk.id)};
		result->opened = cose_open(object, &pair, &psk, &context, &out) == ERROR_OK;
		result->size = out.size;
	}
	x25519_pair_erase(&pair);
	*success = result->opened;
	opened->party = candidate->party;
	opened->slot = candidate->slot;
	opened->has_epoch = candidate->has_epoch;
	opened->epoch = candidate->epoch;
	opened->keying = candidate->psk.keying;
	opened->plaintext = bytes_make(result->plaintext, result->size);
	return ERROR_OK;
}

enum error keys_open(struct run *run, struct bytes sealed, struct keys_opened *opened, enum error *reason)
{
	struct cose_sealed object;
	struct candidate candidates[CANDIDATES_MAX];
	size_t count = 0;
	bool success = false;

	memset(opened, 0, sizeof(*opened));
	*reason = cose_sealed_decode(sealed, &object);
	if (*reason == ERROR_OK && object.psk_id.size != COSE_PSK_ID_SIZE)
		*reason = ERROR_UNSUPPORTED; /* base mode is for cards, which people bring */
	if (*reason != ERROR_OK)
		return ERROR_OK;
	enum error error = add_candidates(run, TABLE_PSK, object.psk_id, candidates, &count);
	enum error last_error = add_candidates(run, TABLE_LAST_PSK, object.psk_id, candidates, &count);
	if (error == ERROR_OK || last_error == ERROR_NEEDS_ROWS)
		error = last_error;
	for (size_t i = 0; error == ERROR_OK && !success && i < count; i++)
		error = try_candidate(run, &object, &candidates[i], opened, &success);
	sodium_memzero(candidates, sizeof(candidates));
	*reason = success ? ERROR_OK : ERROR_CANNOT_OPEN;
	return error;
}

#define PREKEYS_RESEND_MS 60000 /* 30 keys are 1.2 KiB: one post that lags gets them once a minute */

/*
 * Both ends hold the new keying. Where one was restored from before the one in use until now, neither
 * copies nor receipts could be opened there.
 */
static enum error begin_anew(struct run *run, const struct keys_opened *opened)
{
	enum error error = outbox_requeue_party(run, opened->party);
	if (error == ERROR_OK)
		error = missing_open_party(run, opened->party);
	if (error == ERROR_OK)
		error = missing_open_own(run, opened->party, false);
	return error == ERROR_OK ? keys_send_prekeys(run, opened->party, opened->slot) : error;
}

enum error keys_note_use(struct run *run, const struct keys_opened *opened)
{
	struct row_key key = key_party_post(TABLE_EPOCH_USE, opened->party, opened->slot);
	struct epoch_use use;
	bool confirmed = false;

	enum error error = run_get(run, &key, &schema_epoch_use, &use);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (opened->has_epoch && opened->epoch + 1 > use.used) {
		use.used = opened->epoch + 1;
		run_put(run, &key, &schema_epoch_use, &use);
	}
	error = keys_confirm(run, opened, &confirmed);
	if (error != ERROR_OK)
		return error;
	if (confirmed) /* under the new keying: so that it is seen there that it is held here */
		return begin_anew(run, opened);
	if (opened->has_epoch && opened->epoch >= run_state(run)->epoch_marked)
		return ERROR_OK;
	/* The last resort, or an epoch that is over: it may lack the newest statement. */
	if (use.number == run_state(run)->prekeys_number &&
	    run_slow_since(run, use.sent_ms) < PREKEYS_RESEND_MS)
		return ERROR_OK;
	return keys_send_prekeys(run, opened->party, opened->slot);
}

/* ---- taking keys in ---- */

void keys_prekeys_to_row(const struct prekeys *prekeys, struct bytes cose, struct prekeys_row *row)
{
	memset(row, 0, sizeof(*row));
	row->number = prekeys->number;
	row->first_epoch = prekeys->first_epoch;
	row->start = prekeys->start;
	row->length_s = prekeys->length_s;
	row->keys = bytes_make(prekeys->keys, prekeys->keys_count * PUBLIC_KEY_SIZE);
	memcpy(row->last_resort, prekeys->last_resort, sizeof(row->last_resort));
	row->cose = cose;
}

enum error keys_prekeys_of_row(const struct prekeys_row *row, struct prekeys *prekeys)
{
	if (row->keys.size == 0 || row->keys.size > sizeof(prekeys->keys) ||
	    row->keys.size % PUBLIC_KEY_SIZE != 0 || row->length_s == 0)
		return ERROR_MALFORMED;
	memset(prekeys, 0, sizeof(*prekeys));
	prekeys->number = row->number;
	prekeys->first_epoch = row->first_epoch;
	prekeys->start = row->start;
	prekeys->length_s = row->length_s;
	prekeys->keys_count = row->keys.size / PUBLIC_KEY_SIZE;
	memcpy(prekeys->keys, row->keys.data, row->keys.size);
	memcpy(prekeys->last_resort, row->last_resort, sizeof(prekeys->last_resort));
	return ERROR_OK;
}

enum error keys_take_prekeys(struct run *run, uint64_t party_number, uint64_t slot, struct bytes cose,
			     enum error *reason)
{
	struct row_key party_key = key_party(party_number);
	struct row_key post_key = key_party_post(TABLE_PARTY_POST, party_number, slot);
	struct row_key key = key_party_post(TABLE_PREKEYS, party_number, slot);
	struct party party;
	struct party_post post;
	struct prekeys_row row;
	struct cose_signed object;
	struct aad aad;
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));

	*reason = ERROR_OK;
	if (party_number == 0 && slot == run_post(run)->slot)
		return ERROR_OK;
	enum error error = run_get(run, &party_key, &schema_party, &party);
	if (error == ERROR_OK)
		error = run_get(run, &post_key, &schema_party_post, &post);
	if (error != ERROR_OK)
		return run_must(error);
	error = run_get(run, &key, &schema_prekeys_row, &row);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	*reason = cose_signed_decode(cose, &object);
	if (*reason == ERROR_OK)
		*reason = prekeys_decode(object.payload, prekeys);
	if (*reason == ERROR_OK && prekeys->slot != slot)
		*reason = ERROR_MALFORMED;
	if (*reason != ERROR_OK || prekeys->number <= row.number)
		return ERROR_OK;
	aad_without_channel(&aad, AAD_PREKEYS, party.id);
	*reason = run_verify_one(run, &object, &aad, post.statement_key);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	keys_prekeys_to_row(prekeys, cose, &row);
	run_put(run, &key, &schema_prekeys_row, &row);
	return ERROR_OK;
}

/* ---- cards in base mode ---- */

enum error keys_open_card(struct run *run, struct bytes sealed, struct bytes *card, enum error *reason)
{
	const struct own_post *own = run_post(run);
	struct cose_sealed object;
	struct x25519_pair pair;
	uint8_t info_bytes[SEAL_INFO_SIZE_MAX];
	struct buffer info = buffer_make(info_bytes, sizeof(info_bytes));
	void *room;

	*reason = cose_sealed_decode(sealed, &object);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	bool kept = run_kept(run, sizeof(struct open_result) + object.ciphertext.size, &room);
	struct open_result *result = room;
	struct buffer out = buffer_make(result->plaintext, object.ciphertext.size);
	if (!kept) {
		card_info_encode(own->party_id, own->slot, own->last_resort_key, &info);
		memcpy(pair.key, own->last_resort_key, sizeof(pair.key));
		memcpy(pair.secret, own->last_resort_secret, sizeof(pair.secret));
		struct cose_seal_context context = {.info = buffer_bytes(&info)};
		result->opened = cose_open(&object, &pair, NULL, &context, &out) == ERROR_OK;
		result->size = out.size;
		x25519_pair_erase(&pair);
	}
	out.size = result->size;
	if (!result->opened) {
		*reason = ERROR_CANNOT_OPEN;
		return ERROR_OK;
	}
	*reason = card_unpad(buffer_bytes(&out), card);
	return ERROR_OK;
}

enum error keys_seal_card(struct run *run, struct bytes receiver_card, struct bytes card,
			  struct bytes *sealed)
{
	struct card *receiver = run_take(run, sizeof(*receiver));
	struct card_party *party = run_take(run, sizeof(*party));
	struct signed_entry *entry = run_take(run, sizeof(*entry));
	struct buffer work = run_work(run);
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));
	struct buffer padded = run_buffer(run, padding_size(card.size));
	uint8_t info_bytes[SEAL_INFO_SIZE_MAX];
	struct buffer info = buffer_make(info_bytes, sizeof(info_bytes));
	uint8_t seed[HPKE_SEED_SIZE];

	enum error error = card_decode(receiver_card, receiver);
	if (error == ERROR_OK)
		error = card_verify(receiver, entry, &work, party);
	uint64_t slot = 0;
	while (error == ERROR_OK && !party->posts[slot].has_prekeys) {
		slot++;
		assert(slot < POST_SLOTS); /* no card is without */
	}
	if (error == ERROR_OK)
		error = prekeys_decode(party->posts[slot].prekeys, prekeys);
	if (error != ERROR_OK)
		return error;
	buffer_append(&padded, card);
	card_info_encode(party->id, slot, prekeys->last_resort, &info);
	error = padding_append(&padded);
	assert(error == ERROR_OK);
	run_random(run, seed, sizeof(seed));
	struct cose_seal_context context = {.info = buffer_bytes(&info)};
	struct buffer out = run_buffer(run, cose_sealed_size(padded.size, 0));
	error = cose_seal(prekeys->last_resort, NULL, &context, seed, buffer_bytes(&padded), &out);
	sodium_memzero(seed, sizeof(seed));
	*sealed = buffer_bytes(&out);
	return error;
}
