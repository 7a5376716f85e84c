#include "bench/officer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "envelope/signed.h"

#define KEY_FILE_SIZE_MAX 4096
#define TAG_SIZE          crypto_aead_xchacha20poly1305_ietf_ABYTES

/* What a secret file says before its ciphertext; all of that is also authenticated. */
struct secret_head {
	uint64_t operations;
	uint64_t memory_kib;
	uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	struct bytes authenticated;
	struct bytes ciphertext;
};

static bool read_secret_file(const char *path, uint8_t memory[KEY_FILE_SIZE_MAX], struct secret_head *head)
{
	FILE *file = fopen(path, "re");
	size_t size = file != NULL ? fread(memory, 1, KEY_FILE_SIZE_MAX, file) : 0;
	if (file != NULL)
		fclose(file);
	struct cbor_reader reader = cbor_reader_make(bytes_make(memory, size));
	cbor_read_array_exact(&reader, 9);
	cbor_read_text(&reader, KEY_FILE_SIZE_MAX);
	cbor_read_uint(&reader);
	cbor_read_text(&reader, KEY_FILE_SIZE_MAX);
	cbor_read_bytes(&reader, KEY_FILE_SIZE_MAX);
	head->operations = cbor_read_uint(&reader);
	head->memory_kib = cbor_read_uint(&reader);
	cbor_read_bytes_exact(&reader, head->salt, sizeof head->salt);
	cbor_read_bytes_exact(&reader, head->nonce, sizeof head->nonce);
	head->authenticated = bytes_make(memory + 1, reader.at > 0 ? reader.at - 1 : 0);
	head->ciphertext = cbor_read_bytes(&reader, KEY_FILE_SIZE_MAX);
	return cbor_read_end(&reader) == ERROR_OK && head->ciphertext.size == ED25519_SEED_SIZE + TAG_SIZE;
}

static bool open_key(const struct side *side, struct ed25519_pair *pair)
{
	uint8_t memory[KEY_FILE_SIZE_MAX], key[32], seed[ED25519_SEED_SIZE];
	char passphrase[128];
	struct secret_head head;
	FILE *file = fopen(side->passphrase_path, "re");
	bool read = file != NULL && fgets(passphrase, sizeof passphrase, file) != NULL;
	if (file != NULL)
		fclose(file);
	if (!read || !read_secret_file(side->officer_path, memory, &head))
		return fail("%s is not an officer's key file", side->officer_path);
	size_t size = strcspn(passphrase, "\n");
	bool opened = crypto_pwhash(key, sizeof key, passphrase, size, head.salt, head.operations,
				    (size_t)head.memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0 &&
		      crypto_aead_xchacha20poly1305_ietf_decrypt(
			      seed, NULL, NULL, head.ciphertext.data, head.ciphertext.size,
			      head.authenticated.data, head.authenticated.size, head.nonce, key) == 0;
	if (opened)
		ed25519_pair_from_seed(seed, pair);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(key, sizeof key);
	return opened ? true : fail("%s does not open", side->officer_path);
}

bool officer_open(struct officer *officer, const struct side *side)
{
	struct api api;
	struct api_channel channel;
	bool found = false;
	memset(officer, 0, sizeof *officer);
	bool asked = api_open(&api, side->post_directory) && api_channel(&api, &channel, &found);
	api_close(&api);
	if (!asked || !found)
		return fail("the post of %s knows no channel", side->name);
	memcpy(officer->channel, channel.id, sizeof officer->channel);
	memcpy(officer->content.registry, channel.registry, sizeof channel.registry);
	officer->content.kind = CONTENT_MESSAGE;
	officer->content.precedence = PRECEDENCE_ROUTINE;
	officer->content.signers_count = 1;
	officer->content.signers[0] = channel.own_officer;
	aad_on_channel(&officer->aad, AAD_ENTRY, channel.id, &channel.roster, channel.own_index);
	return open_key(side, &officer->pair);
}

void officer_close(struct officer *officer)
{
	ed25519_pair_erase(&officer->pair);
}

bool officer_sign(struct officer *officer, struct buffer *out)
{
	char text[OFFICER_TEXT_SIZE + 1];
	struct buffer payload = buffer_make(officer->payload, sizeof officer->payload);
	struct buffer work = buffer_make(officer->work, sizeof officer->work);
	int size = snprintf(text, sizeof text, "Message %llu. ", (unsigned long long)++officer->texts);
	for (size_t i = (size_t)size; i < OFFICER_TEXT_SIZE; i++)
		text[i] = (char)(i % 8 == 7 ? ' ' : 'a' + (int)(i % 26));
	randombytes_buf(officer->content.id, sizeof officer->content.id);
	officer->content.of.message.time = (uint64_t)time(NULL);
	officer->content.of.message.text = bytes_make(text, OFFICER_TEXT_SIZE);
	content_encode(&officer->content, &payload);
	enum error error = buffer_error(&payload);
	if (error == ERROR_OK)
		error = signed_alone(&officer->pair, &officer->aad, buffer_bytes(&payload), &work, out);
	return error == ERROR_OK ? true : fail("signing: %s", error_text(error));
}

bool officer_submit(struct officer *officer, struct api *api)
{
	uint8_t memory[OFFICER_ENTRY_SIZE];
	struct buffer cose = buffer_make(memory, sizeof memory);
	if (!officer_sign(officer, &cose))
		return false;
	struct buffer *request = api_begin(api, LOCAL_SUBMIT, 2);
	cbor_write_bytes(request, bytes_make(officer->channel, sizeof officer->channel));
	cbor_write_bytes(request, buffer_bytes(&cose));
	return api_send(api) ? true : fail("the post has closed the connection");
}
