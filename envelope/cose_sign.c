#include "envelope/cose.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "envelope/codepoints.h"

/* A map of one pair, {1: -8}: each of its three bytes is one item. */
#define PROTECTED_SIZE 3
#define SIGNER_SIZE (1 + (1 + PROTECTED_SIZE) + 1 + (2 + ED25519_SIGNATURE_SIZE))

#define CONTEXT_ONE "Signature1"
#define CONTEXT_MANY "Signature"

static const struct bytes nothing = {NULL, 0};

/* The protected headers {1: -8}, encoded into `memory`. */
static struct bytes protected_headers(uint8_t memory[PROTECTED_SIZE])
{
	struct buffer buffer = buffer_make(memory, PROTECTED_SIZE);

	cbor_write_map(&buffer, 1);
	cbor_write_int(&buffer, COSE_HEADER_ALG);
	cbor_write_int(&buffer, COSE_ALG_EDDSA);
	assert(buffer_error(&buffer) == ERROR_OK && buffer.size == PROTECTED_SIZE);
	return buffer_bytes(&buffer);
}

void cose_sign1_structure(struct bytes body_protected, struct bytes external_aad, struct bytes payload,
			  struct buffer *out)
{
	cbor_write_array(out, 4);
	cbor_write_text(out, bytes_of_text(CONTEXT_ONE));
	cbor_write_bytes(out, body_protected);
	cbor_write_bytes(out, external_aad);
	cbor_write_bytes(out, payload);
}

void cose_sign_structure(struct bytes body_protected, struct bytes signer_protected,
			 struct bytes external_aad, struct bytes payload, struct buffer *out)
{
	cbor_write_array(out, 5);
	cbor_write_text(out, bytes_of_text(CONTEXT_MANY));
	cbor_write_bytes(out, body_protected);
	cbor_write_bytes(out, signer_protected);
	cbor_write_bytes(out, external_aad);
	cbor_write_bytes(out, payload);
}

enum error cose_to_be_signed(size_t signer_count, struct bytes external_aad, struct bytes payload,
			     struct buffer *out)
{
	uint8_t memory[PROTECTED_SIZE];
	struct bytes headers = protected_headers(memory);

	assert(signer_count >= 1 && signer_count <= SIGNERS_MAX);
	if (signer_count == 1)
		cose_sign1_structure(headers, external_aad, payload, out);
	else
		cose_sign_structure(nothing, headers, external_aad, payload, out);
	return buffer_error(out);
}

size_t cose_to_be_signed_size(size_t signer_count, size_t external_aad_size, size_t payload_size)
{
	size_t strings = cbor_head_size(external_aad_size) + external_aad_size +
			 cbor_head_size(payload_size) + payload_size;

	/* The array's head, the context with its head, the protected headers of the body and the signer. */
	if (signer_count == 1)
		return 1 + 1 + strlen(CONTEXT_ONE) + (1 + PROTECTED_SIZE) + strings;
	return 1 + 1 + strlen(CONTEXT_MANY) + 1 + (1 + PROTECTED_SIZE) + strings;
}

/* Overwrites the work buffer with the bytes to be signed. */
static enum error fill_work(size_t signer_count, struct bytes external_aad, struct bytes payload,
			    struct buffer *work)
{
	*work = buffer_make(work->data, work->size_max);
	return cose_to_be_signed(signer_count, external_aad, payload, work);
}

enum error cose_sign(const struct ed25519_pair *pair, size_t signer_count, struct bytes external_aad,
		     struct bytes payload, struct buffer *work, uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	enum error error = fill_work(signer_count, external_aad, payload, work);

	if (error == ERROR_OK)
		ed25519_sign(pair, buffer_bytes(work), signature);
	return error;
}

/* The fourth element of the object. */
static void write_signatures(const struct cose_signed *object, struct buffer *out)
{
	uint8_t memory[PROTECTED_SIZE];
	struct bytes headers = protected_headers(memory);

	if (object->signer_count == 1) {
		cbor_write_bytes(out, bytes_make(object->signatures[0], ED25519_SIGNATURE_SIZE));
		return;
	}
	cbor_write_array(out, object->signer_count);
	for (size_t i = 0; i < object->signer_count; i++) {
		cbor_write_array(out, 3);
		cbor_write_bytes(out, headers);
		cbor_write_map(out, 0);
		cbor_write_bytes(out, bytes_make(object->signatures[i], ED25519_SIGNATURE_SIZE));
	}
}

enum error cose_signed_encode(const struct cose_signed *object, struct buffer *out)
{
	uint8_t memory[PROTECTED_SIZE];

	assert(object->signer_count >= 1 && object->signer_count <= SIGNERS_MAX);
	cbor_write_array(out, 4);
	cbor_write_bytes(out, object->signer_count == 1 ? protected_headers(memory) : nothing);
	cbor_write_map(out, 0);
	cbor_write_bytes(out, object->payload);
	write_signatures(object, out);
	return buffer_error(out);
}

size_t cose_signed_size(size_t signer_count, size_t payload_size)
{
	size_t payload = cbor_head_size(payload_size) + payload_size;

	assert(signer_count >= 1 && signer_count <= SIGNERS_MAX);
	if (signer_count == 1)
		return 1 + (1 + PROTECTED_SIZE) + 1 + payload + (2 + ED25519_SIGNATURE_SIZE);
	return 1 + 1 + 1 + payload + 1 + signer_count * SIGNER_SIZE;
}

void cose_signatures_hash(const struct cose_signed *object, uint8_t hash[32])
{
	uint8_t memory[1 + SIGNERS_MAX * SIGNER_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	assert(object->signer_count >= 1 && object->signer_count <= SIGNERS_MAX);
	write_signatures(object, &buffer);
	assert(buffer_error(&buffer) == ERROR_OK);
	crypto_hash_sha256(hash, buffer.data, buffer.size);
}

/* A protected header bucket that must be {1: -8}. */
static void read_protected(struct cbor_reader *reader)
{
	uint8_t memory[PROTECTED_SIZE];

	if (!bytes_equal(cbor_read_bytes(reader, SIZE_MAX), protected_headers(memory)))
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
}

/* An unprotected header bucket that must be {}. */
static void read_unprotected(struct cbor_reader *reader)
{
	if (cbor_read_map(reader, SIZE_MAX) != 0)
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
}

/* The array of signers of a COSE_Sign. One alone is a COSE_Sign1, so that each object has one form. */
static void read_signers(struct cbor_reader *reader, struct cose_signed *object)
{
	size_t count = cbor_read_array(reader, SIGNERS_MAX);

	if (count < 2)
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(reader, 3);
		read_protected(reader);
		read_unprotected(reader);
		cbor_read_bytes_exact(reader, object->signatures[i], ED25519_SIGNATURE_SIZE);
	}
	object->signer_count = count;
}

void cose_signed_read(struct cbor_reader *reader, struct cose_signed *object)
{
	uint8_t memory[PROTECTED_SIZE];
	struct bytes headers;

	memset(object, 0, sizeof *object);
	cbor_read_array_exact(reader, 4);
	headers = cbor_read_bytes(reader, SIZE_MAX);
	if (headers.size != 0 && !bytes_equal(headers, protected_headers(memory)))
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
	read_unprotected(reader);
	object->payload = cbor_read_bytes(reader, CONTENT_SIZE_MAX);
	if (headers.size != 0) {
		cbor_read_bytes_exact(reader, object->signatures[0], ED25519_SIGNATURE_SIZE);
		object->signer_count = 1;
	} else {
		read_signers(reader, object);
	}
	if (cbor_reader_error(reader) != ERROR_OK)
		memset(object, 0, sizeof *object);
}

enum error cose_signed_decode(struct bytes bytes, struct cose_signed *object)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	enum error error;

	cose_signed_read(&reader, object);
	error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		memset(object, 0, sizeof *object);
	return error;
}

enum error cose_signed_verify(const struct cose_signed *object, struct bytes external_aad,
			      const uint8_t (*keys)[ED25519_KEY_SIZE], size_t key_count, struct buffer *work)
{
	enum error error;

	assert(object->signer_count >= 1 && object->signer_count <= SIGNERS_MAX);
	if (key_count != object->signer_count)
		return ERROR_BAD_SIGNATURE;
	for (size_t i = 1; i < key_count; i++)
		for (size_t j = 0; j < i; j++)
			if (memcmp(keys[i], keys[j], ED25519_KEY_SIZE) == 0)
				return ERROR_BAD_KEY;
	error = fill_work(object->signer_count, external_aad, object->payload, work);
	for (size_t i = 0; i < key_count && error == ERROR_OK; i++)
		error = ed25519_verify(keys[i], buffer_bytes(work), object->signatures[i]);
	return error;
}
