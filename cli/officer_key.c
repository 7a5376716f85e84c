#include "cli/officer_key.h"

#include <string.h>

#include <sodium.h>

#include "cli/secret_file.h"

#define PURPOSE "officer key"

bool officer_key_create(const struct call *call, const char *path, struct officer_key *key)
{
	uint8_t seed[ED25519_SEED_SIZE], memory[PARTY_ID_SIZE + 2 * NAME_SIZE_MAX + 96];
	struct passphrase passphrase;
	struct ed25519_pair pair;
	if (!passphrase_get(call, "the officer's key", true, &passphrase))
		return false;
	randombytes_buf(seed, sizeof seed);
	ed25519_pair_from_seed(seed, &pair);
	memcpy(key->officer.key, pair.key, sizeof pair.key);
	ed25519_pair_erase(&pair);

	struct buffer public_part = buffer_make(memory, sizeof memory);
	cbor_write_array(&public_part, 5);
	cbor_write_bytes(&public_part, bytes_make(key->party_id, sizeof key->party_id));
	cbor_write_uint(&public_part, key->officer.number);
	cbor_write_text(&public_part, bytes_of_text(key->officer.name));
	cbor_write_text(&public_part, bytes_of_text(key->officer.title));
	cbor_write_bytes(&public_part, bytes_make(key->officer.key, sizeof key->officer.key));
	bool done = secret_file_write(call, path, PURPOSE, buffer_bytes(&public_part),
				      bytes_make(seed, sizeof seed), &passphrase);
	passphrase_wipe(&passphrase);
	sodium_memzero(seed, sizeof seed);
	return done;
}

static bool take_public(const struct call *call, const char *path, struct bytes public_part,
			struct officer_key *key)
{
	struct cbor_reader reader = cbor_reader_make(public_part);
	*key = (struct officer_key){0};
	cbor_read_array_exact(&reader, 5);
	cbor_read_bytes_exact(&reader, key->party_id, sizeof key->party_id);
	key->officer.number = cbor_read_uint(&reader);
	cbor_read_text_copy(&reader, key->officer.name, NAME_SIZE_MAX);
	cbor_read_text_copy(&reader, key->officer.title, NAME_SIZE_MAX);
	cbor_read_bytes_exact(&reader, key->officer.key, sizeof key->officer.key);
	enum error error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		call_fail_error(call, path, error);
	return error == ERROR_OK;
}

bool officer_key_read(const struct call *call, struct officer_key *key)
{
	struct secret_file file;
	const char *path = call_officer(call);
	if (path == NULL || !secret_file_read_public(call, path, PURPOSE, &file))
		return false;
	bool done = take_public(call, path, file.public_part, key);
	secret_file_close(&file);
	return done;
}

bool officer_key_unlock(const struct call *call, struct officer_key *key, struct ed25519_pair *pair)
{
	struct secret_file file;
	const char *path = call_officer(call);
	if (path == NULL || !secret_file_open(call, path, PURPOSE, &file))
		return false;
	bool done = take_public(call, path, file.public_part, key);
	if (done && file.secret.size != ED25519_SEED_SIZE)
		done = call_fail_error(call, path, ERROR_MALFORMED) == 0;
	if (done)
		ed25519_pair_from_seed(file.secret.data, pair);
	secret_file_close(&file);
	return done;
}
