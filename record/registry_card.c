#include <assert.h>
#include <string.h>

#include "envelope/signed.h"
#include "record/keys.h"
#include "record/registry.h"

/* ---- taking cards in ---- */

/* ERROR_REFUSED_CHAIN in *reason unless one chain of letters begins with the other. */
static enum error compare_chains(struct run *run, const struct bytes *letters, size_t count, uint64_t number,
				 const struct party *party, enum error *reason)
{
	uint64_t common = party->letters < count ? party->letters : count;

	for (uint64_t i = 0; i < common; i++) {
		struct row_key key = key_make(TABLE_CARD_LETTER);
		struct bytes held;
		struct cose_signed mine;
		struct cose_signed theirs;
		key_u8(&key, number);
		key_u32(&key, i);
		enum error error = rows_get(run_rows(run), key_view(&key), &held);
		if (error != ERROR_OK)
			return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
		if (cose_signed_decode(held, &mine) != ERROR_OK)
			return ERROR_MALFORMED;
		if (cose_signed_decode(letters[i], &theirs) != ERROR_OK ||
		    !bytes_equal(mine.payload, theirs.payload)) {
			*reason = ERROR_REFUSED_CHAIN;
			return ERROR_OK;
		}
	}
	return ERROR_OK;
}

static enum error write_post(struct run *run, uint64_t number, uint64_t slot, const struct post_letter *letter)
{
	struct row_key key = key_party_post(TABLE_PARTY_POST, number, slot);
	struct party_post post;

	enum error error = run_get(run, &key, &schema_party_post, &post);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	struct bytes former_node = post.node;
	post.kind = letter->kind;
	post.name = letter->name;
	post.node = letter->node;
	memcpy(post.statement_key, letter->statement_key, sizeof(post.statement_key));
	memcpy(post.courier_pin, letter->courier_pin, sizeof(post.courier_pin));
	run_put(run, &key, &schema_party_post, &post);
	struct row_key node_key = key_make(TABLE_NODE_ID);
	if (former_node.size > 0 && !bytes_equal(former_node, letter->node)) {
		key_bytes(&node_key, former_node.data, former_node.size);
		run_delete(run, &node_key);
	}
	struct post_number place;
	node_key = key_make(TABLE_NODE_ID);
	key_bytes(&node_key, letter->node.data, letter->node.size);
	error = run_get(run, &node_key, &schema_post_number, &place);
	if (error == ERROR_OK && place.party != number)
		return ERROR_OK; /* another party's: whoever named it first keeps it */
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	place = (struct post_number){.party = number, .slot = slot};
	run_put(run, &node_key, &schema_post_number, &place);
	return ERROR_OK;
}

/* Writes what a verified chain adds to the party's rows. */
static enum error extend(struct run *run, uint64_t number, struct party *party, const struct bytes *letters,
			 size_t count, const struct card_party *verified)
{
	struct row_key party_row = key_party(number);

	if (count <= party->letters)
		return ERROR_OK;
	for (uint64_t i = party->letters; i < count; i++) {
		struct row_key key = key_make(TABLE_CARD_LETTER);
		key_u8(&key, number);
		key_u32(&key, i);
		rows_put(run_rows(run), key_view(&key), letters[i]);
	}
	memcpy(party->id, verified->id, sizeof(party->id));
	party->name = verified->founding.name;
	memcpy(party->authority_key, verified->founding.authority_key, sizeof(party->authority_key));
	memcpy(party->successor, verified->founding.successor, sizeof(party->successor));
	party->letters = count;
	memcpy(party->head, verified->head, sizeof(party->head));
	run_put(run, &party_row, &schema_party, party);
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		if (!verified->posts[slot].known)
			continue;
		enum error error = write_post(run, number, slot, &verified->posts[slot].letter);
		if (error == ERROR_OK && (number != 0 || slot != run_post(run)->slot))
			error = keys_post_named(run, number, slot);
		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}

static enum error number_party(struct run *run, const uint8_t id[PARTY_ID_SIZE], uint64_t *number,
			       struct party *party, enum error *reason)
{
	struct state *state = run_state(run);

	enum error error = registry_party_by_id(run, id, number);
	if (error == ERROR_OK) {
		error = registry_party(run, *number, party);
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	memset(party, 0, sizeof(*party));
	*number = 0;
	if (memcmp(id, run_post(run)->party_id, PARTY_ID_SIZE) != 0) {
		if (state->parties >= COUNTERPARTS_MAX) {
			*reason = ERROR_FULL;
			return ERROR_OK;
		}
		*number = ++state->parties;
	}
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number row = {.number = *number};
	key_bytes(&key, id, PARTY_ID_SIZE);
	run_put(run, &key, &schema_number, &row);
	return ERROR_OK;
}

enum error registry_extend_chain(struct run *run, const struct bytes *letters, size_t count,
				 const struct card_party *verified, uint64_t *number, enum error *reason)
{
	struct party party;

	*reason = ERROR_OK;
	enum error error = number_party(run, verified->id, number, &party, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = compare_chains(run, letters, count, *number, &party, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = extend(run, *number, &party, letters, count, verified);
	return error;
}

/* The first address of each post; an address is a hint, so the newest card's stands. */
static enum error take_addresses(struct run *run, uint64_t number, const struct card *card)
{
	uint64_t done = UINT64_MAX;

	for (size_t i = 0; i < card->addresses_count; i++) {
		struct row_key key = key_party_post(TABLE_PARTY_POST, number, card->addresses[i].slot);
		struct party_post post;
		if (card->addresses[i].slot == done)
			continue;
		done = card->addresses[i].slot;
		enum error error = run_get(run, &key, &schema_party_post, &post);
		if (error != ERROR_OK)
			return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
		post.address = card->addresses[i].address;
		run_put(run, &key, &schema_party_post, &post);
	}
	return ERROR_OK;
}

static enum error take_card(struct run *run, const struct card *card, const struct card_party *verified,
			    uint64_t *number, enum error *reason)
{
	enum error error =
		registry_extend_chain(run, card->letters, card->letters_count, verified, number, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = take_addresses(run, *number, card);
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));
	for (size_t i = 0; error == ERROR_OK && *reason == ERROR_OK && i < card->prekeys_count; i++) {
		struct cose_signed object;
		*reason = cose_signed_decode(card->prekeys[i], &object);
		if (*reason == ERROR_OK)
			*reason = prekeys_decode(object.payload, prekeys);
		if (*reason == ERROR_OK)
			error = keys_take_prekeys(run, *number, prekeys->slot, card->prekeys[i], reason);
	}
	return error;
}

const struct card_party *registry_verify_chain(struct run *run, const struct bytes *letters, size_t count)
{
	struct signed_entry *entry = run_take(run, sizeof(*entry));
	struct buffer work = run_work(run);
	void *room;

	bool kept = run_kept(run, sizeof(struct card_party), &room);
	if (!kept)
		(void)card_chain_verify(letters, count, entry, &work, room); /* zeros where it fails */
	return room;
}

struct verified_card {
	enum error reason;
	struct card_party party;
};

enum error registry_take_card(struct run *run, struct bytes encoded, uint64_t *number, enum error *reason)
{
	struct card *card = run_take(run, sizeof(*card));
	struct signed_entry *entry = run_take(run, sizeof(*entry));
	struct buffer work = run_work(run);
	void *room;

	*reason = card_decode(encoded, card);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	bool kept = run_kept(run, sizeof(struct verified_card), &room);
	struct verified_card *verified = room;
	if (!kept)
		verified->reason = card_verify(card, entry, &work, &verified->party);
	*reason = verified->reason;
	return *reason == ERROR_OK ? take_card(run, card, &verified->party, number, reason) : ERROR_OK;
}

enum error registry_take_own_card(struct run *run, const struct card *card, enum error *reason)
{
	const struct card_party *verified = registry_verify_chain(run, card->letters, card->letters_count);
	uint64_t number;

	*reason = verified->founding.name.size > 0 ? ERROR_OK : ERROR_MALFORMED;
	if (*reason != ERROR_OK)
		return ERROR_OK;
	enum error error = take_card(run, card, verified, &number, reason);
	assert(error != ERROR_OK || *reason != ERROR_OK || number == 0);
	return error;
}

/* ---- the own card ---- */

static enum error collect_letters(struct run *run, uint64_t number, struct card *card)
{
	struct row_key prefix = key_make(TABLE_CARD_LETTER);
	struct row row;

	key_u8(&prefix, number);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && card->letters_count < CARD_LETTERS_MAX) {
		card->letters[card->letters_count++] = row.value;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error collect_posts(struct run *run, uint64_t number, struct card *card)
{
	struct row_key prefix = key_make(TABLE_PARTY_POST);
	struct row row;

	key_u8(&prefix, number);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && card->addresses_count < POST_SLOTS) {
		struct key_reader reader = key_reader_make(row.key);
		struct party_post post;
		struct prekeys_row prekeys;
		(void)key_read_u8(&reader);
		uint64_t slot = key_read_u8(&reader);
		if (schema_read(&schema_party_post, row.value, &post) != ERROR_OK)
			return ERROR_MALFORMED;
		if (post.address.size > 0)
			card->addresses[card->addresses_count++] =
				(struct card_address){.slot = slot, .address = post.address};
		struct row_key key = key_party_post(TABLE_PREKEYS, number, slot);
		error = run_get(run, &key, &schema_prekeys_row, &prekeys);
		if (error == ERROR_OK)
			card->prekeys[card->prekeys_count++] = prekeys.cose;
		else if (error != ERROR_NOT_FOUND)
			return error;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error registry_collect_card(struct run *run, uint64_t number, struct buffer *buffer)
{
	struct card *card = run_take(run, sizeof(*card));

	memset(card, 0, sizeof(*card));
	enum error error = collect_letters(run, number, card);
	if (error == ERROR_OK)
		error = collect_posts(run, number, card);
	if (error == ERROR_OK)
		card_encode(card, buffer);
	return error;
}

enum error registry_export_card(struct run *run, struct buffer *buffer)
{
	return registry_collect_card(run, 0, buffer);
}
