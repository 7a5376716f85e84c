#include "envelope/card.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "base/place.h"
#include "envelope/fields.h"
#include "envelope/padding.h"

#define CARD_CONTEXT "liaison card"
#define CARD_VERSION 1

/* ---- form ---- */

static void write_items(const struct bytes *items, size_t count, struct buffer *buffer)
{
	cbor_write_array(buffer, count);
	for (size_t i = 0; i < count; i++)
		buffer_append(buffer, items[i]);
}

void card_encode(const struct card *card, struct buffer *buffer)
{
	assert(card->letters_count <= CARD_LETTERS_MAX && card->prekeys_count <= POST_SLOTS &&
	       card->addresses_count <= POST_SLOTS);
	cbor_write_array(buffer, 5);
	cbor_write_text(buffer, bytes_of_text(CARD_CONTEXT));
	cbor_write_uint(buffer, CARD_VERSION);
	write_items(card->letters, card->letters_count, buffer);
	write_items(card->prekeys, card->prekeys_count, buffer);
	cbor_write_array(buffer, card->addresses_count);
	for (size_t i = 0; i < card->addresses_count; i++) {
		cbor_write_array(buffer, 2);
		cbor_write_uint(buffer, card->addresses[i].slot);
		cbor_write_text(buffer, card->addresses[i].address);
	}
}

static size_t read_items(struct cbor_reader *reader, struct bytes *items, size_t count_max)
{
	size_t count = fields_read_array(reader, 1, count_max);

	for (size_t i = 0; i < count; i++)
		items[i] = cbor_read_item(reader);
	return count;
}

static void read_addresses(struct cbor_reader *reader, struct card *card)
{
	card->addresses_count = cbor_read_array(reader, POST_SLOTS);
	for (size_t i = 0; i < card->addresses_count; i++) {
		struct card_address *address = &card->addresses[i];

		cbor_read_array_exact(reader, 2);
		address->slot = cbor_read_uint_max(reader, POST_SLOTS - 1);
		address->address = fields_read_text(reader, EID_SIZE_MAX);
		if (!place_is_address(address->address))
			cbor_reader_fail(reader, ERROR_MALFORMED);
		if (i > 0 && address->slot < card->addresses[i - 1].slot)
			cbor_reader_fail(reader, ERROR_MALFORMED);
	}
}

enum error card_decode(struct bytes encoded, struct card *card)
{
	struct cbor_reader reader = cbor_reader_make(encoded);

	memset(card, 0, sizeof(*card));
	if (encoded.size > CARD_SIZE_MAX)
		return ERROR_TOO_LARGE;
	cbor_read_array_exact(&reader, 5);
	if (!bytes_equal(cbor_read_text(&reader, sizeof(CARD_CONTEXT)), bytes_of_text(CARD_CONTEXT)))
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	if (cbor_read_uint(&reader) != CARD_VERSION)
		cbor_reader_fail(&reader, ERROR_BAD_VERSION);
	card->letters_count = read_items(&reader, card->letters, CARD_LETTERS_MAX);
	card->prekeys_count = read_items(&reader, card->prekeys, POST_SLOTS);
	read_addresses(&reader, card);
	return cbor_read_end(&reader);
}

enum error card_unpad(struct bytes plaintext, struct bytes *encoded)
{
	struct cbor_reader reader = cbor_reader_make(plaintext);
	enum error error;

	*encoded = cbor_read_item(&reader);
	error = cbor_reader_error(&reader);
	if (error == ERROR_OK)
		error = padding_check(plaintext, encoded->size);
	if (error != ERROR_OK)
		*encoded = bytes_make(NULL, 0);
	return error;
}

/* ---- what it says ---- */

/*
 * Everything but the signature: `entry` has been decoded, and is to be letter `number` of the party's
 * chain.
 */
static enum error check_letter(const struct signed_entry *entry, uint64_t number,
			       const struct card_party *party)
{
	const struct content *content = &entry->content;
	const struct letter *letter = &content->of.letter;

	if (content->kind != CONTENT_LETTER || letter->kind != (number == 0 ? LETTER_FOUNDING : LETTER_POST))
		return ERROR_REFUSED_KIND;
	if (content->signers[0] != 0)
		return ERROR_REFUSED_AUTHORITY;
	if (letter->number != number ||
	    (number > 0 && memcmp(letter->previous, party->head, IDENTITY_SIZE) != 0))
		return ERROR_REFUSED_CHAIN;
	return content_check(content, NULL);
}

/* Verifies letter `number` and adds what it says to the party. */
static enum error add_letter(struct bytes cose, uint64_t number, struct signed_entry *entry,
			     struct buffer *work, struct card_party *party)
{
	struct letter *letter = &entry->content.of.letter;
	struct signer_keys keys = {.count = 1};
	struct aad aad;
	enum error error = entry_decode(cose, entry);

	if (error == ERROR_OK)
		error = check_letter(entry, number, party);
	if (error != ERROR_OK)
		return error;
	if (number == 0) {
		party->founding = letter->of.founding;
		party_id_from_key(party->founding.authority_key, party->id);
	}
	aad_without_channel(&aad, AAD_ENTRY, party->id);
	memcpy(keys.keys[0], party->founding.authority_key, PUBLIC_KEY_SIZE);
	error = entry_verify(entry, &aad, &keys, work);
	if (error != ERROR_OK)
		return error;
	if (number > 0) {
		party->posts[letter->of.post.slot].known = true;
		party->posts[letter->of.post.slot].letter = letter->of.post;
	}
	party->number = number;
	identity_of(&aad, entry->cose.payload, party->head);
	return ERROR_OK;
}

enum error card_chain_verify(const struct bytes *letters, size_t count, struct signed_entry *entry,
			     struct buffer *work, struct card_party *party)
{
	memset(party, 0, sizeof(*party));
	if (count == 0)
		return ERROR_REFUSED_CHAIN;
	for (size_t i = 0; i < count; i++) {
		enum error error = add_letter(letters[i], i, entry, work, party);

		if (error != ERROR_OK) {
			memset(party, 0, sizeof(*party));
			return error;
		}
	}
	return ERROR_OK;
}

/* Adds a statement of prekeys to the post that signed it; its slot must be at least *slot_min. */
static enum error add_prekeys(struct bytes cose, uint64_t *slot_min, struct buffer *work,
			      struct card_party *party)
{
	struct cose_signed object;
	struct prekeys prekeys;
	struct card_post *post;
	struct aad aad;
	enum error error = cose_signed_decode(cose, &object);

	/* Which key to verify with stands in what is signed: read it first, and believe it afterwards. */
	if (error == ERROR_OK)
		error = prekeys_decode(object.payload, &prekeys);
	if (error != ERROR_OK)
		return error;
	if (prekeys.slot < *slot_min)
		return ERROR_MALFORMED;
	*slot_min = prekeys.slot + 1;
	post = &party->posts[prekeys.slot];
	if (!post->known)
		return ERROR_NOT_FOUND;
	aad_without_channel(&aad, AAD_PREKEYS, party->id);
	error = statement_open(cose, &aad, post->letter.statement_key, work, &post->prekeys);
	post->has_prekeys = error == ERROR_OK;
	return error;
}

static enum error add_statements(const struct card *card, struct buffer *work, struct card_party *party)
{
	uint64_t slot_min = 0;

	for (size_t i = 0; i < card->prekeys_count; i++) {
		enum error error = add_prekeys(card->prekeys[i], &slot_min, work, party);

		if (error != ERROR_OK)
			return error;
	}
	for (size_t i = 0; i < card->addresses_count; i++)
		if (!party->posts[card->addresses[i].slot].known)
			return ERROR_NOT_FOUND;
	return ERROR_OK;
}

enum error card_verify(const struct card *card, struct signed_entry *entry, struct buffer *work,
		       struct card_party *party)
{
	enum error error = card_chain_verify(card->letters, card->letters_count, entry, work, party);

	if (error == ERROR_OK)
		error = add_statements(card, work, party);
	if (error != ERROR_OK)
		memset(party, 0, sizeof(*party));
	return error;
}
