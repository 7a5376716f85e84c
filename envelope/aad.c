#include "envelope/aad.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/fields.h"

static const char *context_text(enum aad_context context)
{
	switch (context) {
	case AAD_ENTRY:
		return "liaison entry";
	case AAD_RECEIPT:
		return "liaison receipt";
	case AAD_HEADS:
		return "liaison heads";
	case AAD_PREKEYS:
		return "liaison prekeys";
	case AAD_CANNOT_OPEN:
		return "liaison cannot open";
	case AAD_MISSING:
		return "liaison missing";
	}
	assert(!"a context is one of these");
	return "";
}

void aad_on_channel(struct aad *aad, enum aad_context context, const uint8_t channel[CHANNEL_ID_SIZE],
		    const struct roster *roster, size_t sender_index)
{
	assert(roster->count <= PARTIES_MAX && sender_index < roster->count);
	memset(aad, 0, sizeof(*aad));
	aad->context = context;
	aad->has_channel = true;
	memcpy(aad->channel, channel, CHANNEL_ID_SIZE);
	memcpy(aad->sender, roster->ids[sender_index], PARTY_ID_SIZE);
	for (size_t i = 0; i < roster->count; i++)
		if (i != sender_index)
			memcpy(aad->recipients[aad->recipients_count++], roster->ids[i], PARTY_ID_SIZE);
}

void aad_without_channel(struct aad *aad, enum aad_context context, const uint8_t sender[PARTY_ID_SIZE])
{
	memset(aad, 0, sizeof(*aad));
	aad->context = context;
	memcpy(aad->sender, sender, PARTY_ID_SIZE);
}

void aad_cannot_open(struct aad *aad, const uint8_t sender[PARTY_ID_SIZE],
		     const uint8_t recipient[PARTY_ID_SIZE])
{
	aad_without_channel(aad, AAD_CANNOT_OPEN, sender);
	aad->recipients_count = 1;
	memcpy(aad->recipients[0], recipient, PARTY_ID_SIZE);
}

void aad_encode(const struct aad *aad, struct buffer *buffer)
{
	cbor_write_array(buffer, 4);
	cbor_write_text(buffer, bytes_of_text(context_text(aad->context)));
	fields_write_bytes(buffer, aad->channel, aad->has_channel ? CHANNEL_ID_SIZE : 0);
	fields_write_bytes(buffer, aad->sender, PARTY_ID_SIZE);
	cbor_write_array(buffer, aad->recipients_count);
	for (size_t i = 0; i < aad->recipients_count; i++)
		fields_write_bytes(buffer, aad->recipients[i], PARTY_ID_SIZE);
}

/* Hashes `bytes` as a CBOR byte string. */
static void hash_as_bytes(crypto_hash_sha256_state *state, struct bytes bytes)
{
	uint8_t memory[9];
	struct buffer head = buffer_make(memory, sizeof(memory));

	cbor_write_bytes_head(&head, bytes.size);
	crypto_hash_sha256_update(state, head.data, head.size);
	if (bytes.size != 0)
		crypto_hash_sha256_update(state, bytes.data, bytes.size);
}

void identity_of(const struct aad *aad, struct bytes payload, uint8_t identity[IDENTITY_SIZE])
{
	static const uint8_t array_of_two = 0x82;
	uint8_t memory[AAD_SIZE_MAX];
	struct buffer encoded = buffer_make(memory, sizeof(memory));
	crypto_hash_sha256_state state;

	aad_encode(aad, &encoded);
	assert(buffer_error(&encoded) == ERROR_OK);
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &array_of_two, 1);
	hash_as_bytes(&state, buffer_bytes(&encoded));
	hash_as_bytes(&state, payload);
	crypto_hash_sha256_final(&state, identity);
}
