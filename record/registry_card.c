#include <assert.h>
#include <string.h>

#include "envelope/signed.h"
#include "envelope/x25519.h"
#include "record/keys.h"
#include "record/registry.h"

/* ---- taking cards in ---- */

/* The identity of a card letter of a party; false if it is not of the form. */
static bool letter_identity(const uint8_t party[PARTY_ID_SIZE], struct bytes letter,
			    uint8_t identity[IDENTITY_SIZE])
{
	struct cose_signed object;
	struct aad aad;

	if (cose_signed_decode(letter, &object) != ERROR_OK)
		return false;
	aad_without_channel(&aad, AAD_ENTRY, party);
	identity_of(&aad, object.payload, identity);
	return true;
}

enum error registry_compare_chain(struct run *run, uint64_t number, const struct party *party,
				  const struct bytes *letters, const struct card_party *verified,
				  enum error *reason)
{
	uint64_t count = verified->number + 1;
	uint8_t held[IDENTITY_SIZE];
	uint8_t given[IDENTITY_SIZE];
	struct bytes letter;

	memcpy(held, party->head, sizeof(held));
	memcpy(given, verified->head, sizeof(given));
	if (memcmp(verified->id, party->id, PARTY_ID_SIZE) != 0) {
		*reason = ERROR_REFUSED_CHAIN;
		return ERROR_OK;
	}
	if (count > party->letters && !letter_identity(party->id, letters[party->letters - 1], given))
		return ERROR_MALFORMED;
	if (count < party->letters) {
		struct row_key key = key_make(TABLE_CARD_LETTER);
		key_u8(&key, number);
		key_u32(&key, count - 1);
		enum error error = run_must(rows_get(run_rows(run), key_view(&key), &letter));
		if (error != ERROR_OK)
			return error;
		if (!letter_identity(party->id, letter, held))
			return ERROR_MALFORMED;
	}
	/* Each letter names the one before it: where the last that both have is the same, all are. */
	if (memcmp(held, given, sizeof(held)) != 0)
		*reason = ERROR_REFUSED_CHAIN;
	return ERROR_OK;
}

/*
 * The node id names the post. One that another party has named stays with it: a card is no way to receive
 * what is meant for another.
 */
static enum error write_node(struct run *run, const struct post_number *post, struct bytes former,
			     struct bytes node)
{
	struct row_key key = key_make(TABLE_NODE_ID);
	struct post_number place;
	bool missing = false;

	if (former.size > 0 && !bytes_equal(former, node)) {
		struct row_key former_key = key_make(TABLE_NODE_ID);
		key_bytes(&former_key, former.data, former.size);
		enum error error = run_get(run, &former_key, &schema_post_number, &place);
		if (error == ERROR_OK && place.party == post->party && place.slot == post->slot)
			run_delete(run, &former_key);
		else if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
	}
	key_bytes(&key, node.data, node.size);
	enum error error = run_get(run, &key, &schema_post_number, &place);
	if (error == ERROR_NOT_FOUND)
		run_put(run, &key, &schema_post_number, post);
	else if (!run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error write_post(struct run *run, uint64_t number, uint64_t slot,
			     const struct post_letter *letter)
{
	struct row_key key = key_party_post(TABLE_PARTY_POST, number, slot);
	struct post_number place = {.party = number, .slot = slot};
	bool is_own = number == 0 && slot == run_post(run)->slot;
	struct party_post post;
	bool missing = false;

	enum error error = run_get(run, &key, &schema_party_post, &post);
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	bool replaced = error == ERROR_OK &&
			memcmp(post.statement_key, letter->statement_key, sizeof(post.statement_key)) != 0;
	if (replaced && !is_own) {
		/* Another post now stands in this slot: it numbers its prekeys itself, from 1. */
		struct row_key prekeys_key = key_party_post(TABLE_PREKEYS, number, slot);
		run_delete(run, &prekeys_key);
	}
	error = write_node(run, &place, post.node, letter->node);
	if (!run_missing(error, &missing))
		return error;
	post.kind = letter->kind;
	post.name = letter->name;
	post.node = letter->node;
	memcpy(post.statement_key, letter->statement_key, sizeof(post.statement_key));
	memcpy(post.courier_pin, letter->courier_pin, sizeof(post.courier_pin));
	run_put(run, &key, &schema_party_post, &post);
	error = is_own ? ERROR_OK : keys_post_named(run, number, slot);
	if (!run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* Writes what a verified chain adds to the party's rows. */
static enum error extend(struct run *run, uint64_t number, struct party *party, const struct bytes *letters,
			 const struct card_party *verified)
{
	struct row_key party_row = key_party(number);
	uint64_t count = verified->number + 1;
	bool missing = false;

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
		enum error error = ERROR_OK;
		if (verified->posts[slot].known)
			error = write_post(run, number, slot, &verified->posts[slot].letter);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static void number_party(struct run *run, const uint8_t id[PARTY_ID_SIZE], uint64_t *number,
			 enum error *reason)
{
	struct state *state = run_state(run);

	*number = 0;
	if (memcmp(id, run_post(run)->party_id, PARTY_ID_SIZE) != 0) {
		if (state->parties >= COUNTERPARTS_MAX) {
			*reason = ERROR_FULL;
			return;
		}
		*number = ++state->parties;
	}
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number row = {.number = *number};
	key_bytes(&key, id, PARTY_ID_SIZE);
	run_put(run, &key, &schema_number, &row);
}

enum error registry_extend_chain(struct run *run, const struct bytes *letters,
				 const struct card_party *verified, uint64_t *number, enum error *reason)
{
	struct party party = {0};

	*reason = ERROR_OK;
	enum error error = registry_party_by_id(run, verified->id, number);
	if (error == ERROR_NOT_FOUND) {
		number_party(run, verified->id, number, reason);
		error = ERROR_OK;
	} else if (error == ERROR_OK) {
		error = run_must(registry_party(run, *number, &party));
		if (error == ERROR_OK)
			error = registry_compare_chain(run, *number, &party, letters, verified, reason);
	}
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = extend(run, *number, &party, letters, verified);
	return error;
}

/* The first address of each post; an address is a hint, so the newest card's stands. */
static enum error take_addresses(struct run *run, uint64_t number, const struct card *card)
{
	uint64_t done = UINT64_MAX;
	bool missing = false;

	for (size_t i = 0; i < card->addresses_count; i++) {
		struct row_key key = key_party_post(TABLE_PARTY_POST, number, card->addresses[i].slot);
		struct party_post post;
		if (card->addresses[i].slot == done)
			continue;
		done = card->addresses[i].slot;
		enum error error = run_get(run, &key, &schema_party_post, &post);
		if (!run_missing(error, &missing))
			return run_must(error);
		post.address = card->addresses[i].address;
		run_put(run, &key, &schema_party_post, &post);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static bool prekeys_valid(const struct prekeys *prekeys)
{
	bool valid = x25519_key_valid(prekeys->last_resort);

	for (size_t i = 0; i < prekeys->keys_count; i++)
		valid = valid && x25519_key_valid(prekeys->keys[i]);
	return valid;
}

/*
 * The slots of the card's statements of prekeys. *reason: one is not of the form, or a key is no good
 * point.
 */
static void read_prekeys_slots(struct run *run, const struct card *card, uint64_t slots[POST_SLOTS],
			       enum error *reason)
{
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));
	struct cose_signed object;

	for (size_t i = 0; *reason == ERROR_OK && i < card->prekeys_count; i++) {
		*reason = cose_signed_decode(card->prekeys[i], &object);
		if (*reason == ERROR_OK)
			*reason = prekeys_decode(object.payload, prekeys);
		if (*reason == ERROR_OK && !prekeys_valid(prekeys))
			*reason = ERROR_BAD_KEY;
		slots[i] = prekeys->slot;
	}
}

/*
 * Hands the statements of prekeys on. Their rows are asked for at once, before keys_take_prekeys verifies
 * each.
 */
static enum error take_prekeys(struct run *run, uint64_t number, const struct card *card,
			       const uint64_t slots[POST_SLOTS])
{
	bool missing = false;

	for (size_t i = 0; i < card->prekeys_count; i++) {
		struct row_key key = key_party_post(TABLE_PREKEYS, number, slots[i]);
		struct bytes value;
		enum error error = rows_get(run_rows(run), key_view(&key), &value);
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	for (size_t i = 0; i < card->prekeys_count; i++) {
		enum error reason;
		enum error error = keys_take_prekeys(run, number, slots[i], card->prekeys[i], &reason);
		if (error != ERROR_OK)
			return error;
		if (reason != ERROR_OK) /* an older card, and another post stands in that slot by now */
			run_log(run, reason, "prekeys on a card are not those of the post that is known");
	}
	return ERROR_OK;
}

static enum error take_card(struct run *run, const struct card *card, const struct card_party *verified,
			    uint64_t *number, enum error *reason)
{
	uint64_t slots[POST_SLOTS];
	struct party party = {0};

	read_prekeys_slots(run, card, slots, reason);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	enum error error = registry_party_by_id(run, verified->id, number);
	if (error == ERROR_OK)
		error = run_must(registry_party(run, *number, &party));
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	bool is_older = verified->number + 1 < party.letters;
	error = registry_extend_chain(run, card->letters, verified, number, reason);
	if (error == ERROR_OK && *reason == ERROR_OK && !is_older)
		error = take_addresses(run, *number, card);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	return take_prekeys(run, *number, card, slots);
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

void registry_read_card(struct run *run, struct bytes encoded, struct registry_card *read, enum error *reason)
{
	struct card *card = run_take(run, sizeof(*card));
	struct signed_entry *entry = run_take(run, sizeof(*entry));
	struct buffer work = run_work(run);
	void *room;

	*reason = card_decode(encoded, card);
	if (*reason != ERROR_OK)
		return;
	bool kept = run_kept(run, sizeof(struct verified_card), &room);
	struct verified_card *verified = room;
	if (!kept)
		verified->reason = card_verify(card, entry, &work, &verified->party);
	*reason = verified->reason;
	*read = (struct registry_card){.card = card, .party = &verified->party};
}

enum error registry_take_card(struct run *run, const struct registry_card *card, uint64_t *number,
			      enum error *reason)
{
	*reason = ERROR_OK;
	return take_card(run, card->card, card->party, number, reason);
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

/* ---- cards as they are held ---- */

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
	bool missing = false;

	key_u8(&prefix, number);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct party_post post;
		struct prekeys_row prekeys;
		(void)key_read_u8(&reader);
		uint64_t slot = key_read_u8(&reader);
		if (key_read_end(&reader) != ERROR_OK || slot >= POST_SLOTS ||
		    schema_read(&schema_party_post, row.value, &post) != ERROR_OK)
			return ERROR_MALFORMED;
		if (post.address.size > 0)
			card->addresses[card->addresses_count++] =
				(struct card_address){.slot = slot, .address = post.address};
		struct row_key key = key_party_post(TABLE_PREKEYS, number, slot);
		error = run_get(run, &key, &schema_prekeys_row, &prekeys);
		if (error == ERROR_OK)
			card->prekeys[card->prekeys_count++] = prekeys.cose;
		else if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error registry_collect_card(struct run *run, uint64_t number, struct buffer *buffer)
{
	struct card *card = run_take(run, sizeof(*card));
	bool missing = false;

	memset(card, 0, sizeof(*card));
	enum error error = collect_letters(run, number, card);
	if (!run_missing(error, &missing))
		return error;
	error = collect_posts(run, number, card);
	if (!run_missing(error, &missing))
		return error;
	if (missing)
		return ERROR_NEEDS_ROWS;
	card_encode(card, buffer);
	return ERROR_OK;
}

enum error registry_export_card(struct run *run, struct buffer *buffer)
{
	return registry_collect_card(run, 0, buffer);
}
