#include "cli/party_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/text.h"
#include "cli/files.h"
#include "cli/secret_file.h"
#include "cli/signing.h"

#define AUTHORITY_PURPOSE "authority key"
#define SUCCESSOR_PURPOSE "successor key"
#define OFFICERS_SIZE_MAX (OFFICERS_MAX * (2 * NAME_SIZE_MAX + 64))

static bool write_key(const struct call *call, const char *directory, const char *file, const char *purpose,
		      const char *name, const uint8_t seed[32], const struct passphrase *passphrase)
{
	char path[PATH_MAX];
	uint8_t memory[NAME_SIZE_MAX + 64];
	struct ed25519_pair pair;
	ed25519_pair_from_seed(seed, &pair);
	struct buffer public_part = buffer_make(memory, sizeof memory);
	cbor_write_array(&public_part, 2);
	cbor_write_text(&public_part, bytes_of_text(name));
	cbor_write_bytes(&public_part, bytes_make(pair.key, sizeof pair.key));
	ed25519_pair_erase(&pair);
	return path_join(call, directory, file, path, sizeof path) &&
	       secret_file_write(call, path, purpose, buffer_bytes(&public_part), bytes_make(seed, 32),
				 passphrase);
}

bool party_directory_save_letters(const struct call *call, const struct party_directory *party)
{
	char path[PATH_MAX];
	uint8_t *memory = malloc(CARD_SIZE_MAX);
	struct buffer buffer = buffer_make(memory, memory != NULL ? CARD_SIZE_MAX : 0);
	cbor_write_array(&buffer, party->letters_count);
	for (size_t i = 0; i < party->letters_count; i++)
		cbor_write_bytes(&buffer, party->letters[i]);
	bool done = path_join(call, party->path, "letters", path, sizeof path);
	if (done && buffer_error(&buffer) != ERROR_OK) {
		call_fail(call, "the party has as many letters as fit a card");
		done = false;
	}
	done = done && file_replace(call, path, buffer_bytes(&buffer), 0600);
	free(memory);
	return done;
}

/* A party with nothing in it but its path; NULL after an error message. */
static struct party_directory *make_empty(const struct call *call, const char *path)
{
	struct party_directory *party = calloc(1, sizeof *party);
	uint8_t *memory = malloc(CARD_SIZE_MAX);
	if (party == NULL || memory == NULL || strlen(path) >= sizeof party->path) {
		call_fail(call, "%s", memory == NULL ? error_text(ERROR_NO_MEMORY) : "the path is too long");
		free(memory);
		free(party);
		return NULL;
	}
	memcpy(party->path, path, strlen(path) + 1);
	party->store = buffer_make(memory, CARD_SIZE_MAX);
	return party;
}

/* The letter as signed goes to the end of the store. */
static bool sign_next(const struct call *call, struct party_directory *party,
		      const struct ed25519_pair *authority, struct content *content)
{
	struct aad aad;
	struct render_names names = {.from_party = bytes_of_text(party->name)};
	struct buffer *store = &party->store;
	struct buffer out = buffer_make(store->data + store->size, store->size_max - store->size);
	aad_without_channel(&aad, AAD_ENTRY, party->id);
	if (!sign_shown(call, content, NULL, &aad, &names, authority, &out))
		return false;
	store->size += out.size;
	party->letters[party->letters_count++] = buffer_bytes(&out);
	enum error error = party_chain_verify(party->letters, party->letters_count, &party->chain);
	if (error != ERROR_OK)
		call_fail_error(call, "the letter just signed", error);
	return error == ERROR_OK;
}

bool party_directory_sign_letter(const struct call *call, struct party_directory *party,
				 const struct ed25519_pair *authority, struct letter *letter)
{
	struct content *content = malloc(sizeof *content);
	if (content == NULL || party->letters_count == CARD_LETTERS_MAX) {
		call_fail_error(call, "one more letter", content == NULL ? ERROR_NO_MEMORY : ERROR_FULL);
		free(content);
		return false;
	}
	letter->time = (uint64_t)time(NULL);
	letter->number = party->letters_count;
	letter->has_previous = party->letters_count > 0;
	memcpy(letter->previous, party->chain.head, IDENTITY_SIZE);
	content_begin(content, CONTENT_LETTER, PRECEDENCE_ROUTINE, NULL);
	content->signers_count = 1;
	content->of.letter = *letter;
	bool done = sign_next(call, party, authority, content);
	free(content);
	return done;
}

static bool name_is_fit(const struct call *call, const char *what, const char *name, bool may_be_empty)
{
	struct bytes text = bytes_of_text(name);
	if (text.size == 0 ? may_be_empty
			   : text.size <= NAME_SIZE_MAX && text_is_plain_line(text) &&
				     text_blank_size(text) < text.size)
		return true;
	call_usage(call, "the %s must be one line of 1 to %d bytes of plain text that can be seen", what,
		   NAME_SIZE_MAX);
	return false;
}

/* Signs the founding letter, in memory. */
static bool found(const struct call *call, struct party_directory *party, const char *name,
		  const struct ed25519_pair *authority, const struct ed25519_pair *successor)
{
	struct letter founding = {.kind = LETTER_FOUNDING};
	memcpy(party->name, name, strlen(name) + 1);
	party_id_from_key(authority->key, party->id);
	founding.of.founding.name = bytes_of_text(name);
	memcpy(founding.of.founding.authority_key, authority->key, PUBLIC_KEY_SIZE);
	crypto_hash_sha256(founding.of.founding.successor, successor->key, PUBLIC_KEY_SIZE);
	return party_directory_sign_letter(call, party, authority, &founding);
}

static void remove_file(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof path, "%s/%s", directory, name);
	if (size > 0 && (size_t)size < sizeof path)
		unlink(path);
}

/* Both keys, then the letter, which makes it a party; or nothing. */
static bool write_party(const struct call *call, const struct party_directory *party, uint8_t seeds[2][32],
			const struct passphrase *passphrase)
{
	const char *path = party->path;
	if (write_key(call, path, "authority.key", AUTHORITY_PURPOSE, party->name, seeds[0], passphrase) &&
	    write_key(call, path, "successor.key", SUCCESSOR_PURPOSE, party->name, seeds[1], passphrase) &&
	    party_directory_save_letters(call, party))
		return true;
	remove_file(path, "authority.key");
	remove_file(path, "successor.key");
	return false;
}

/* Everything that may be declined comes before anything is written. */
static bool make_party(const struct call *call, struct party_directory *party, const char *name)
{
	struct passphrase passphrase;
	uint8_t seeds[2][32];
	struct ed25519_pair authority, successor;
	if (!passphrase_get(call, "the authority's keys", true, &passphrase))
		return false;
	randombytes_buf(seeds, sizeof seeds);
	ed25519_pair_from_seed(seeds[0], &authority);
	ed25519_pair_from_seed(seeds[1], &successor);
	bool done = found(call, party, name, &authority, &successor) &&
		    write_party(call, party, seeds, &passphrase);
	passphrase_wipe(&passphrase);
	sodium_memzero(seeds, sizeof seeds);
	ed25519_pair_erase(&authority);
	ed25519_pair_erase(&successor);
	return done;
}

bool party_directory_create(const struct call *call, const char *path, const char *name)
{
	bool was_there = access(path, F_OK) == 0;
	struct party_directory *party = make_empty(call, path);
	bool done = party != NULL && name_is_fit(call, "name", name, false) && directory_create(call, path);
	if (done && !make_party(call, party, name)) {
		done = false;
		if (!was_there)
			rmdir(path);
	}
	party_directory_close(party);
	return done;
}

enum error party_chain_verify(const struct bytes *letters, size_t count, struct card_party *party)
{
	struct signed_entry *entry = malloc(sizeof *entry);
	uint8_t *memory = malloc(SIGNED_WORK_SIZE);
	struct buffer work = buffer_make(memory, memory != NULL ? SIGNED_WORK_SIZE : 0);
	enum error error = entry != NULL && memory != NULL
				   ? card_chain_verify(letters, count, entry, &work, party)
				   : ERROR_NO_MEMORY;
	free(memory);
	free(entry);
	return error;
}

/* The letters of the file, copied to the store so that more can follow them. */
static enum error take_letters(struct party_directory *party, struct bytes file)
{
	struct cbor_reader reader = cbor_reader_make(file);
	party->letters_count = cbor_read_array(&reader, CARD_LETTERS_MAX);
	for (size_t i = 0; i < party->letters_count; i++) {
		struct bytes letter = cbor_read_bytes(&reader, ENTRY_SIZE_MAX);
		size_t begin = party->store.size;
		buffer_append(&party->store, letter);
		party->letters[i] = bytes_make(party->store.data + begin, letter.size);
	}
	enum error error = cbor_read_end(&reader);
	if (error == ERROR_OK)
		error = buffer_error(&party->store);
	return error != ERROR_OK ? error
				 : party_chain_verify(party->letters, party->letters_count, &party->chain);
}

static bool read_letters(const struct call *call, struct party_directory *party)
{
	char path[PATH_MAX];
	uint8_t *memory;
	struct bytes bytes;
	if (!path_join(call, party->path, "letters", path, sizeof path) ||
	    !file_read(call, path, CARD_SIZE_MAX, &memory, &bytes))
		return false;
	enum error error = take_letters(party, bytes);
	free(memory);
	if (error != ERROR_OK) {
		call_fail_error(call, path, error);
		return false;
	}
	struct bytes name = party->chain.founding.name;
	memcpy(party->id, party->chain.id, PARTY_ID_SIZE);
	memcpy(party->authority_key, party->chain.founding.authority_key, PUBLIC_KEY_SIZE);
	memcpy(party->name, name.data, name.size);
	return true;
}

static bool read_officers(const struct call *call, struct party_directory *party)
{
	char path[PATH_MAX];
	uint8_t *memory;
	struct bytes bytes;
	if (!path_join(call, party->path, "officers", path, sizeof path))
		return false;
	FILE *there = fopen(path, "re");
	if (there == NULL)
		return true; /* no officer has been named yet */
	fclose(there);
	if (!file_read(call, path, OFFICERS_SIZE_MAX, &memory, &bytes))
		return false;
	struct cbor_reader reader = cbor_reader_make(bytes);
	party->officers_count = cbor_read_array(&reader, OFFICERS_MAX);
	for (size_t i = 0; i < party->officers_count; i++) {
		struct party_officer *officer = &party->officers[i];
		cbor_read_array_exact(&reader, 5);
		officer->number = cbor_read_uint(&reader);
		cbor_read_text_copy(&reader, officer->name, NAME_SIZE_MAX);
		cbor_read_text_copy(&reader, officer->title, NAME_SIZE_MAX);
		cbor_read_bytes_exact(&reader, officer->key, sizeof officer->key);
		officer->highest_precedence = cbor_read_uint_max(&reader, PRECEDENCE_FLASH);
	}
	enum error error = cbor_read_end(&reader);
	free(memory);
	if (error != ERROR_OK)
		call_fail_error(call, path, error);
	return error == ERROR_OK;
}

struct party_directory *party_directory_open(const struct call *call)
{
	const char *path = call_party(call);
	struct party_directory *party = path != NULL ? make_empty(call, path) : NULL;
	if (party == NULL)
		return NULL;
	char letters[PATH_MAX];
	bool there = path_join(call, path, "letters", letters, sizeof letters);
	if (there && access(letters, F_OK) != 0 && errno == ENOENT) {
		call_fail(call, "there is no party in %s: liaison party create makes one", path);
		there = false;
	}
	if (there && read_letters(call, party) && read_officers(call, party))
		return party;
	party_directory_close(party);
	return NULL;
}

void party_directory_close(struct party_directory *party)
{
	if (party == NULL)
		return;
	free(party->store.data);
	free(party);
}

bool party_directory_unlock(const struct call *call, const struct party_directory *party,
			    struct ed25519_pair *authority)
{
	char path[PATH_MAX];
	struct secret_file file;
	if (!path_join(call, party->path, "authority.key", path, sizeof path) ||
	    !secret_file_open(call, path, AUTHORITY_PURPOSE, &file))
		return false;
	bool done = file.secret.size == ED25519_SEED_SIZE;
	if (done) {
		ed25519_pair_from_seed(file.secret.data, authority);
		done = memcmp(authority->key, party->authority_key, PUBLIC_KEY_SIZE) == 0;
	}
	secret_file_close(&file);
	if (!done)
		call_fail(call, "%s holds the key of another authority than the letters beside it", path);
	return done;
}

bool party_directory_check_officer(const struct call *call, const struct party_directory *party,
				   const struct party_officer *officer)
{
	if (!name_is_fit(call, "name", officer->name, false) ||
	    !name_is_fit(call, "title", officer->title, true))
		return false;
	if (party->officers_count < OFFICERS_MAX)
		return true;
	call_fail(call, "the party has as many officers as it can have: %d", OFFICERS_MAX);
	return false;
}

bool party_directory_add_officer(const struct call *call, struct party_directory *party,
				 const struct party_officer *officer)
{
	char path[PATH_MAX];
	if (!party_directory_check_officer(call, party, officer) ||
	    !path_join(call, party->path, "officers", path, sizeof path))
		return false;
	party->officers[party->officers_count++] = *officer;
	uint8_t *memory = malloc(OFFICERS_SIZE_MAX);
	struct buffer buffer = buffer_make(memory, memory != NULL ? OFFICERS_SIZE_MAX : 0);
	cbor_write_array(&buffer, party->officers_count);
	for (size_t i = 0; i < party->officers_count; i++) {
		const struct party_officer *each = &party->officers[i];
		cbor_write_array(&buffer, 5);
		cbor_write_uint(&buffer, each->number);
		cbor_write_text(&buffer, bytes_of_text(each->name));
		cbor_write_text(&buffer, bytes_of_text(each->title));
		cbor_write_bytes(&buffer, bytes_make(each->key, sizeof each->key));
		cbor_write_uint(&buffer, each->highest_precedence);
	}
	bool done =
		buffer_error(&buffer) == ERROR_OK && file_replace(call, path, buffer_bytes(&buffer), 0600);
	free(memory);
	return done;
}
