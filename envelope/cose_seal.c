#include "envelope/cose.h"

#include <assert.h>
#include <string.h>

#include "envelope/codepoints.h"

/* A map of one pair, {1: 42}, encoded: a101182a. */
#define PROTECTED_SIZE 4

#define CONTEXT "Encrypt0"
#define ENC_STRUCTURE_SIZE_MAX \
	(1 + (1 + sizeof CONTEXT - 1) + (1 + PROTECTED_SIZE) + (3 + EXTERNAL_AAD_SIZE_MAX))

_Static_assert(EXTERNAL_AAD_SIZE_MAX <= 65535, "a byte string's head takes at most 3 bytes");

/* The protected headers {1: 42}, encoded into `memory`. */
static struct bytes protected_headers(uint8_t memory[PROTECTED_SIZE])
{
	struct buffer buffer = buffer_make(memory, PROTECTED_SIZE);

	cbor_write_map(&buffer, 1);
	cbor_write_int(&buffer, COSE_HEADER_ALG);
	cbor_write_int(&buffer, COSE_ALG_HPKE_4);
	assert(buffer_error(&buffer) == ERROR_OK && buffer.size == PROTECTED_SIZE);
	return buffer_bytes(&buffer);
}

/* The Enc_structure (RFC 9052, section 5.3). */
static enum error enc_structure(struct bytes external_aad, struct buffer *out)
{
	uint8_t memory[PROTECTED_SIZE];

	cbor_write_array(out, 3);
	cbor_write_text(out, bytes_of_text(CONTEXT));
	cbor_write_bytes(out, protected_headers(memory));
	cbor_write_bytes(out, external_aad);
	return buffer_error(out);
}

size_t cose_sealed_size(size_t plaintext_size, size_t psk_id_size)
{
	size_t ciphertext_size = plaintext_size + HPKE_TAG_SIZE;
	size_t encapsulated = 1 + cbor_head_size(HPKE_ENCAPSULATED_SIZE) + HPKE_ENCAPSULATED_SIZE;
	size_t psk_id = psk_id_size == 0 ? 0 : 1 + cbor_head_size(psk_id_size) + psk_id_size;

	return 1 + (1 + PROTECTED_SIZE) + 1 + encapsulated + psk_id + cbor_head_size(ciphertext_size) +
	       ciphertext_size;
}

static enum error psk_id_check(const struct hpke_psk *psk)
{
	return psk != NULL && psk->id.size != COSE_PSK_ID_SIZE ? ERROR_BAD_ARGUMENT : ERROR_OK;
}

static const struct hpke_schedule *schedule_of(const struct cose_seal_context *context,
					       const struct hpke_psk *psk, struct hpke_schedule *made)
{
	if (context->schedule != NULL)
		return context->schedule;
	hpke_schedule_make(context->info, psk == NULL ? bytes_make(NULL, 0) : psk->id, made);
	return made;
}

/* All of the object but the ciphertext's bytes. */
static void write_sealed_head(struct bytes encapsulated, const struct hpke_psk *psk, size_t ciphertext_size,
			      struct buffer *out)
{
	uint8_t memory[PROTECTED_SIZE];

	cbor_write_array(out, 3);
	cbor_write_bytes(out, protected_headers(memory));
	cbor_write_map(out, psk == NULL ? 1 : 2);
	cbor_write_int(out, COSE_HEADER_HPKE_EK);
	cbor_write_bytes(out, encapsulated);
	if (psk != NULL) {
		cbor_write_int(out, COSE_HEADER_HPKE_PSK_ID);
		cbor_write_bytes(out, psk->id);
	}
	cbor_write_bytes_head(out, ciphertext_size);
}

enum error cose_seal(const uint8_t receiver_key[X25519_KEY_SIZE], const struct hpke_psk *psk,
		     const struct cose_seal_context *context, const uint8_t seed[HPKE_SEED_SIZE],
		     struct bytes plaintext, struct buffer *out)
{
	uint8_t aad_memory[ENC_STRUCTURE_SIZE_MAX], encapsulated[HPKE_ENCAPSULATED_SIZE];
	struct buffer aad = buffer_make(aad_memory, sizeof aad_memory);
	struct hpke_schedule made;
	struct hpke_context hpke;
	size_t before = out->size;
	enum error error = psk_id_check(psk);

	if (error == ERROR_OK)
		error = enc_structure(context->external_aad, &aad);
	if (error == ERROR_OK)
		error = hpke_setup_sender(receiver_key, schedule_of(context, psk, &made), psk, seed,
					  encapsulated, &hpke);
	if (error != ERROR_OK)
		return error;
	write_sealed_head(bytes_make(encapsulated, sizeof encapsulated), psk, plaintext.size + HPKE_TAG_SIZE,
			  out);
	error = hpke_context_seal(&hpke, buffer_bytes(&aad), plaintext, out);
	hpke_context_erase(&hpke);
	if (error != ERROR_OK)
		out->size = before;
	return error;
}

/* The unprotected headers: an encapsulated key, in psk mode then a PSK's id, nothing else. */
static void read_headers(struct cbor_reader *reader, struct cose_sealed *object)
{
	int64_t previous = CBOR_KEY_NONE;
	size_t count = cbor_read_map(reader, SIZE_MAX);

	if (count < 1 || count > 2) {
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
		return;
	}
	if (cbor_read_key(reader, &previous) != COSE_HEADER_HPKE_EK)
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
	object->encapsulated = cbor_read_bytes(reader, HPKE_ENCAPSULATED_SIZE);
	if (object->encapsulated.size != HPKE_ENCAPSULATED_SIZE)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
	if (count == 1)
		return;
	if (cbor_read_key(reader, &previous) != COSE_HEADER_HPKE_PSK_ID)
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
	object->psk_id = cbor_read_bytes(reader, COSE_PSK_ID_SIZE);
	if (object->psk_id.size != COSE_PSK_ID_SIZE)
		cbor_reader_fail(reader, ERROR_OUT_OF_RANGE);
}

enum error cose_sealed_decode(struct bytes bytes, struct cose_sealed *object)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	uint8_t memory[PROTECTED_SIZE];
	enum error error;

	memset(object, 0, sizeof *object);
	if (bytes.size > SEALED_SIZE_MAX)
		return ERROR_TOO_LARGE;
	cbor_read_array_exact(&reader, 3);
	if (!bytes_equal(cbor_read_bytes(&reader, SIZE_MAX), protected_headers(memory)))
		cbor_reader_fail(&reader, ERROR_UNSUPPORTED);
	read_headers(&reader, object);
	object->ciphertext = cbor_read_bytes(&reader, SIZE_MAX);
	if (object->ciphertext.size < HPKE_TAG_SIZE)
		cbor_reader_fail(&reader, ERROR_OUT_OF_RANGE);
	error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		memset(object, 0, sizeof *object);
	return error;
}

enum error cose_open(const struct cose_sealed *object, const struct x25519_pair *pair,
		     const struct hpke_psk *psk, const struct cose_seal_context *context,
		     struct buffer *plaintext)
{
	uint8_t aad_memory[ENC_STRUCTURE_SIZE_MAX];
	struct buffer aad = buffer_make(aad_memory, sizeof aad_memory);
	struct hpke_schedule made;
	struct hpke_context hpke;
	enum error error = psk_id_check(psk);

	assert(object->encapsulated.size == HPKE_ENCAPSULATED_SIZE);
	if (error == ERROR_OK)
		error = enc_structure(context->external_aad, &aad);
	if (error != ERROR_OK)
		return error;
	/* HPKE derives from the id that is given; that it is the one that was sent is ours to check. */
	if (!bytes_equal(object->psk_id, psk == NULL ? bytes_make(NULL, 0) : psk->id))
		return ERROR_CANNOT_OPEN;
	error = hpke_setup_receiver(object->encapsulated.data, pair, schedule_of(context, psk, &made), psk,
				    &hpke);
	if (error == ERROR_OK)
		error = hpke_context_open(&hpke, buffer_bytes(&aad), object->ciphertext, plaintext);
	hpke_context_erase(&hpke);
	return error;
}
