#include "record/provision.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/local.h"
#include "envelope/card.h"
#include "envelope/fingerprint.h"
#include "envelope/post_file.h"
#include "envelope/reference.h"
#include "envelope/x25519.h"
#include "record/clock.h"
#include "record/keys.h"
#include "record/registry.h"
#include "record/workspace.h"

/* ---- the post file ---- */

static void derive_keys(const struct post_file *file, struct own_post *post)
{
	struct ed25519_pair statement;
	struct x25519_pair last_resort;
	uint8_t seed[DERIVE_SEED_SIZE];

	memcpy(post->root_seed, file->root_seed, sizeof(post->root_seed));
	post_statement_pair(file->root_seed, &statement);
	memcpy(post->statement_key, statement.key, sizeof(post->statement_key));
	memcpy(post->statement_secret, statement.secret, sizeof(post->statement_secret));
	ed25519_pair_erase(&statement);
	derive_seed(file->root_seed, "liaison last resort", bytes_make(NULL, 0), seed);
	hpke_derive_key_pair(seed, &last_resort);
	sodium_memzero(seed, sizeof(seed));
	memcpy(post->last_resort_key, last_resort.key, sizeof(post->last_resort_key));
	memcpy(post->last_resort_secret, last_resort.secret, sizeof(post->last_resort_secret));
	x25519_pair_erase(&last_resort);
}

/* What the file says of the post; its letters must name it, with the statement key of its seed. */
static enum error read_post(struct run *run, const struct post_file *file, struct own_post *post)
{
	struct signed_entry *entry = run_take(run, sizeof(*entry));
	struct buffer work = run_work(run);
	struct card_party *party = run_take(run, sizeof(*party));

	memset(post, 0, sizeof(*post));
	enum error error = card_chain_verify(file->letters, file->letters_count, entry, &work, party);
	if (error != ERROR_OK)
		return error;
	if (!party->posts[file->slot].known)
		return ERROR_MALFORMED;
	const struct post_letter *letter = &party->posts[file->slot].letter;
	derive_keys(file, post);
	if (memcmp(letter->statement_key, post->statement_key, sizeof(post->statement_key)) != 0)
		return ERROR_UNKNOWN_KEY;
	memcpy(post->party_id, party->id, sizeof(post->party_id));
	memcpy(post->authority_key, party->founding.authority_key, sizeof(post->authority_key));
	post->slot = file->slot;
	post->kind = letter->kind;
	post->party_name = party->founding.name;
	post->post_name = letter->name;
	post->node = letter->node;
	return ERROR_OK;
}

enum error provision_handle(struct run *run)
{
	struct post_file *file = run_take(run, sizeof(*file));
	struct card *card = run_take(run, sizeof(*card));
	enum error reason;

	if (run_post(run) != NULL)
		return ERROR_EXISTS;
	enum error error = post_file_decode(run_event(run)->of.provision.post_file, file);
	if (error == ERROR_OK)
		error = read_post(run, file, &run->post);
	if (error != ERROR_OK)
		return error;
	run->provisioned = true;
	struct row_key key = key_make(TABLE_POST);
	run_put(run, &key, &schema_own_post, &run->post);
	memset(card, 0, sizeof(*card));
	card->letters_count = file->letters_count;
	memcpy(card->letters, file->letters, sizeof(card->letters));
	if (file->address.size > 0) {
		card->addresses_count = 1;
		card->addresses[0] = (struct card_address){.slot = file->slot, .address = file->address};
	}
	key = key_make(TABLE_HERE);
	rows_put(run_rows(run), key_view(&key), bytes_make(NULL, 0));
	run_state(run)->session = 1;
	error = registry_take_own_card(run, card, &reason);
	if (error == ERROR_OK && reason != ERROR_OK)
		error = reason;
	return error == ERROR_OK ? keys_make(run, true) : error;
}

/* ---- cards and keying ---- */

static enum error fail(struct run *run, enum error reason, const char *sentence)
{
	run_reply_error(run, reason, sentence);
	return ERROR_OK;
}

enum error provision_card_seal(struct run *run, struct cbor_reader *arguments)
{
	struct buffer card = run_buffer(run, CARD_SIZE_MAX);
	struct bytes sealed;

	struct bytes receiver = cbor_read_bytes(arguments, CARD_SIZE_MAX);
	if (cbor_read_end(arguments) != ERROR_OK)
		return fail(run, ERROR_BAD_ARGUMENT, NULL);
	enum error error = registry_export_card(run, &card);
	if (error != ERROR_OK)
		return error;
	if (buffer_error(&card) != ERROR_OK ||
	    cose_sealed_size(card.size, 0) + card.size / 8 > SEALED_SIZE_MAX)
		return fail(run, ERROR_TOO_LARGE,
			    "this card is too large to be sealed: hand it over as it is");
	error = keys_seal_card(run, receiver, buffer_bytes(&card), &sealed);
	if (error != ERROR_OK)
		return fail(run, error, NULL);
	struct buffer *reply = run_reply_begin(run, 1);
	cbor_write_bytes(reply, sealed);
	run_reply_end(run);
	return ERROR_OK;
}

/* A card begins with its name; a sealed one is COSE. */
static bool looks_sealed(struct bytes bytes)
{
	struct cose_sealed object;
	return cose_sealed_decode(bytes, &object) == ERROR_OK;
}

/* The command line takes a party by name, in any case, or by the first digits of its id: none is two's. */
static bool may_be_taken_for(const struct card_party *party, const struct party *known)
{
	uint8_t memory[2][NAME_SIZE_MAX];
	struct buffer name = buffer_make(memory[0], sizeof(memory[0]));
	struct buffer known_name = buffer_make(memory[1], sizeof(memory[1]));

	reference_name_append_seen(&name, party->founding.name);
	reference_name_append_seen(&known_name, known->name);
	return reference_name_matches(party->founding.name, known->name) ||
	       reference_id_begins(buffer_bytes(&name), known->id) ||
	       reference_id_begins(buffer_bytes(&known_name), party->id);
}

/* The first party, maybe the own, for which the new one may be taken. ERROR_NOT_FOUND: none. */
static enum error find_namesake(struct run *run, const struct card_party *party, struct party *namesake)
{
	bool missing = false, found = false;

	for (uint64_t i = 0; i <= run_state(run)->parties && !found; i++) {
		enum error error = registry_party(run, i, namesake);
		found = error == ERROR_OK && may_be_taken_for(party, namesake);
		if (!run_missing(error, &missing))
			return run_must(error);
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	return found ? ERROR_OK : ERROR_NOT_FOUND;
}

static void append_id(struct buffer *buffer, const uint8_t id[PARTY_ID_SIZE])
{
	char hex[2 * PARTY_ID_SIZE + 1];

	sodium_bin2hex(hex, sizeof(hex), id, PARTY_ID_SIZE);
	buffer_append(buffer, bytes_of_text(hex));
}

static enum error fail_about(struct run *run, enum error reason, const struct card_party *party,
			     const struct party *namesake)
{
	char memory[512];
	struct buffer sentence = buffer_make(memory, sizeof(memory));

	buffer_append(&sentence, bytes_of_text("the card is of party "));
	append_id(&sentence, party->id);
	if (namesake == NULL) {
		buffer_append(&sentence,
			      bytes_of_text(", whose id does not begin with the digits given (at least "
					    "30)"));
	} else {
		bool is_own = memcmp(namesake->id, run_post(run)->party_id, PARTY_ID_SIZE) == 0;
		buffer_append(&sentence, bytes_of_text(", but "));
		buffer_append(&sentence, bytes_of_text(is_own ? "the own party" : "a party known here"));
		buffer_append(&sentence, bytes_of_text(" is called '"));
		buffer_append(&sentence, namesake->name);
		buffer_append(&sentence, bytes_of_text("' and is another, "));
		append_id(&sentence, namesake->id);
	}
	buffer_append_byte(&sentence, 0);
	assert(buffer_error(&sentence) == ERROR_OK);
	return fail(run, reason, memory);
}

/*
 * Anyone can take any name, so a new party that is called like one known is accepted only for who it is:
 * every program at the socket has to say the id, and so much of it that nobody makes a party that has the
 * same. *refused: it was answered.
 */
static enum error refuse_mistaken(struct run *run, const struct card_party *party, bool has_id,
				  struct bytes id, bool *refused)
{
	struct party namesake;
	uint64_t number;

	*refused = has_id && (id.size < FINGERPRINT_DIGITS || !reference_id_begins(id, party->id));
	if (*refused)
		return fail_about(run, ERROR_BAD_ARGUMENT, party, NULL);
	if (has_id)
		return ERROR_OK;
	enum error error = registry_party_by_id(run, party->id, &number);
	if (error == ERROR_NOT_FOUND)
		error = find_namesake(run, party, &namesake);
	else if (error == ERROR_OK)
		return ERROR_OK; /* known already */
	*refused = error == ERROR_OK;
	if (*refused)
		return fail_about(run, ERROR_NAMESAKE, party, &namesake);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error provision_card_accept(struct run *run, struct cbor_reader *arguments, bool has_id)
{
	uint64_t number;
	struct party party;
	struct registry_card read;
	enum error reason = ERROR_OK;
	bool refused = false;

	struct bytes card = cbor_read_bytes(arguments, CARD_SIZE_MAX);
	struct bytes id = has_id ? cbor_read_text(arguments, LOCAL_FRAME_SIZE_MAX) : bytes_make(NULL, 0);
	if (cbor_read_end(arguments) != ERROR_OK)
		return fail(run, ERROR_BAD_ARGUMENT, NULL);
	enum error error = ERROR_OK;
	if (looks_sealed(card))
		error = keys_open_card(run, card, &card, &reason);
	if (error == ERROR_OK && reason == ERROR_OK)
		registry_read_card(run, card, &read, &reason);
	if (error == ERROR_OK && reason == ERROR_OK)
		error = refuse_mistaken(run, read.party, has_id, id, &refused);
	if (error == ERROR_OK && reason == ERROR_OK && !refused)
		error = registry_take_card(run, &read, &number, &reason);
	if (error != ERROR_OK || refused)
		return error;
	if (reason != ERROR_OK)
		return fail(run, reason, NULL);
	error = registry_party(run, number, &party);
	if (error != ERROR_OK)
		return run_must(error);
	struct buffer *reply = run_reply_begin(run, 2);
	cbor_write_bytes(reply, bytes_make(party.id, sizeof(party.id)));
	cbor_write_text(reply, party.name);
	run_reply_end(run);
	return ERROR_OK;
}

enum error provision_keying_accept(struct run *run, struct cbor_reader *arguments)
{
	uint64_t number;
	struct party party;
	enum error reason;

	struct bytes packet = cbor_read_bytes(arguments, LOCAL_FRAME_SIZE_MAX);
	if (cbor_read_end(arguments) != ERROR_OK)
		return fail(run, ERROR_BAD_ARGUMENT, NULL);
	enum error error = keys_take_keying(run, packet, &number, &reason);
	if (error != ERROR_OK)
		return error;
	if (reason == ERROR_NOT_FOUND)
		return fail(run, reason, "accept the other party's card first");
	if (reason != ERROR_OK)
		return fail(run, reason, NULL);
	error = registry_party(run, number, &party);
	if (error != ERROR_OK)
		return run_must(error);
	struct buffer *reply = run_reply_begin(run, 1);
	cbor_write_bytes(reply, bytes_make(party.id, sizeof(party.id)));
	run_reply_end(run);
	return ERROR_OK;
}
