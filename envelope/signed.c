#include "envelope/signed.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "envelope/fields.h"

_Static_assert(PUBLIC_KEY_SIZE == ED25519_KEY_SIZE, "party.h and ed25519.h speak of the same keys");

/* The aad, encoded into `memory`. */
static struct bytes encoded_aad(const struct aad *aad, uint8_t memory[AAD_SIZE_MAX])
{
	struct buffer buffer = buffer_make(memory, AAD_SIZE_MAX);

	aad_encode(aad, &buffer);
	assert(buffer_error(&buffer) == ERROR_OK);
	return buffer_bytes(&buffer);
}

enum error signed_bytes(size_t signer_count, const struct aad *aad, struct bytes payload, struct buffer *out)
{
	uint8_t memory[AAD_SIZE_MAX];

	return cose_to_be_signed(signer_count, encoded_aad(aad, memory), payload, out);
}

enum error signed_signature(const struct ed25519_pair *pair, size_t signer_count, const struct aad *aad,
			    struct bytes payload, struct buffer *work,
			    uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t memory[AAD_SIZE_MAX];

	return cose_sign(pair, signer_count, encoded_aad(aad, memory), payload, work, signature);
}

enum error signed_alone(const struct ed25519_pair *pair, const struct aad *aad, struct bytes payload,
			struct buffer *work, struct buffer *out)
{
	struct cose_signed object = {.payload = payload, .signer_count = 1};
	enum error error = signed_signature(pair, 1, aad, payload, work, object.signatures[0]);

	return error == ERROR_OK ? cose_signed_encode(&object, out) : error;
}

enum error signed_by_two(struct bytes payload, const uint8_t first[ED25519_SIGNATURE_SIZE],
			 const uint8_t second[ED25519_SIGNATURE_SIZE], struct buffer *out)
{
	struct cose_signed object = {.payload = payload, .signer_count = 2};

	memcpy(object.signatures[0], first, ED25519_SIGNATURE_SIZE);
	memcpy(object.signatures[1], second, ED25519_SIGNATURE_SIZE);
	return cose_signed_encode(&object, out);
}

enum error entry_decode(struct bytes cose, struct signed_entry *entry)
{
	enum error error = cose_signed_decode(cose, &entry->cose);

	if (error != ERROR_OK)
		return error;
	error = content_decode(entry->cose.payload, &entry->content);
	if (error != ERROR_OK && error != ERROR_REFUSED_KIND)
		return error;
	if (entry->cose.signer_count != (entry->content.signers_count == 2 ? 2 : 1))
		return ERROR_MALFORMED;
	return error;
}

enum error entry_verify(const struct signed_entry *entry, const struct aad *aad,
			const struct signer_keys *keys, struct buffer *work)
{
	uint8_t memory[AAD_SIZE_MAX];

	return cose_signed_verify(&entry->cose, encoded_aad(aad, memory), keys->keys, keys->count, work);
}

enum error statement_open(struct bytes cose, const struct aad *aad, const uint8_t key[ED25519_KEY_SIZE],
			  struct buffer *work, struct bytes *payload)
{
	uint8_t memory[AAD_SIZE_MAX];
	uint8_t keys[1][ED25519_KEY_SIZE];
	struct cose_signed object;
	enum error error = cose_signed_decode(cose, &object);

	*payload = bytes_make(NULL, 0);
	if (error != ERROR_OK)
		return error;
	if (object.signer_count != 1)
		return ERROR_MALFORMED;
	memcpy(keys[0], key, ED25519_KEY_SIZE);
	error = cose_signed_verify(&object, encoded_aad(aad, memory),
				   (const uint8_t(*)[ED25519_KEY_SIZE])keys, 1, work);
	if (error == ERROR_OK)
		*payload = object.payload;
	return error;
}

void signatures_hash(const struct cose_signed *cose, uint8_t hash[32])
{
	uint8_t memory[32 + SIGNERS_MAX * (ED25519_SIGNATURE_SIZE + 16)];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct cose_signed bare = *cose;
	struct cbor_reader reader;
	struct bytes fourth;

	/* The fourth element does not depend on the payload: encode without one, and take the element out. */
	bare.payload = bytes_make(NULL, 0);
	assert(cose_signed_encode(&bare, &buffer) == ERROR_OK);
	reader = cbor_reader_make(buffer_bytes(&buffer));
	cbor_read_array_exact(&reader, 4);
	for (size_t i = 0; i < 3; i++)
		cbor_read_item(&reader);
	fourth = cbor_read_item(&reader);
	assert(cbor_read_end(&reader) == ERROR_OK);
	crypto_hash_sha256(hash, fourth.data, fourth.size);
}
