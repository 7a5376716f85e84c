#include "envelope/checkpoint.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "base/cbor.h"
#include "base/text.h"

#define COSIGNATURE_HEADER "cosignature/v1\ntime "
#define NAME_START         "liaison/"
#define NAME_COSIGNER      "/cosigner"
#define NAME_HASH_SIZE     16

#define DECIMAL_SIZE_MAX     20 /* digits of 2^64 - 1 */
#define ROOT_BASE64_SIZE     44 /* characters of 32 bytes */
#define DATED_SIGNATURE_SIZE 72 /* time, 8 bytes big-endian, and signature */

static_assert(DATED_SIGNATURE_SIZE <= SIGNED_NOTE_SIGNATURE_SIZE_MAX, "a note holds dated signatures");

/* ---- names ---- */

/* "liaison/" and 32 digits, with NUL. */
static void name_from_hash(struct bytes hashed, char name[CHECKPOINT_ORIGIN_SIZE + 1])
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	const size_t start = strlen(NAME_START);

	crypto_hash_sha256(hash, hashed.data, hashed.size);
	memcpy(name, NAME_START, start);
	sodium_bin2hex(name + start, CHECKPOINT_ORIGIN_SIZE + 1 - start, hash, NAME_HASH_SIZE);
}

void checkpoint_origin(const uint8_t channel[CHANNEL_ID_SIZE], const uint8_t party[PARTY_ID_SIZE],
		       uint64_t slot, uint64_t incarnation, char origin[CHECKPOINT_ORIGIN_SIZE + 1])
{
	uint8_t memory[128];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	cbor_write_array(&buffer, 5);
	cbor_write_text(&buffer, bytes_of_text("liaison log origin"));
	cbor_write_bytes(&buffer, bytes_make(channel, CHANNEL_ID_SIZE));
	cbor_write_bytes(&buffer, bytes_make(party, PARTY_ID_SIZE));
	cbor_write_uint(&buffer, slot);
	cbor_write_uint(&buffer, incarnation);
	assert(buffer_error(&buffer) == ERROR_OK);
	name_from_hash(buffer_bytes(&buffer), origin);
}

void checkpoint_cosigner(const uint8_t channel[CHANNEL_ID_SIZE], const uint8_t party[PARTY_ID_SIZE],
			 uint64_t slot, char name[CHECKPOINT_COSIGNER_SIZE + 1])
{
	uint8_t memory[128];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	cbor_write_array(&buffer, 4);
	cbor_write_text(&buffer, bytes_of_text("liaison cosigner"));
	cbor_write_bytes(&buffer, bytes_make(channel, CHANNEL_ID_SIZE));
	cbor_write_bytes(&buffer, bytes_make(party, PARTY_ID_SIZE));
	cbor_write_uint(&buffer, slot);
	assert(buffer_error(&buffer) == ERROR_OK);
	name_from_hash(buffer_bytes(&buffer), name);
	memcpy(name + CHECKPOINT_ORIGIN_SIZE, NAME_COSIGNER, sizeof NAME_COSIGNER);
}

/* ---- the text ---- */

/* Decimal digits without leading zeros, as C2SP writes every number. */
static void append_decimal(struct buffer *buffer, uint64_t value)
{
	uint8_t digits[DECIMAL_SIZE_MAX];
	size_t at = sizeof digits;

	do {
		digits[--at] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	buffer_append(buffer, bytes_make(digits + at, sizeof digits - at));
}

/* The number that exactly these digits write. */
static enum error parse_decimal(struct bytes digits, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (digits.size == 0 || (digits.data[0] == '0' && digits.size > 1))
		return ERROR_MALFORMED;
	for (size_t i = 0; i < digits.size; i++)
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return ERROR_MALFORMED;
	for (size_t i = 0; i < digits.size; i++) {
		const uint64_t digit = (uint64_t)digits.data[i] - '0';

		if (sum > (max - digit) / 10)
			return ERROR_OUT_OF_RANGE;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return ERROR_OK;
}

/* An origin with a line end or another control in it would let one text stand for two heads. */
static bool origin_is_valid(struct bytes origin)
{
	if (origin.size == 0 || origin.size > ORIGIN_SIZE_MAX || !text_is_utf8(origin))
		return false;
	for (size_t i = 0; i < origin.size; i++)
		if (origin.data[i] < 0x20)
			return false;
	return true;
}

enum error checkpoint_write(const struct checkpoint *checkpoint, struct buffer *buffer)
{
	char base64[ROOT_BASE64_SIZE + 1];

	if (!origin_is_valid(checkpoint->origin))
		return ERROR_MALFORMED;
	if (checkpoint->size > MERKLE_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;

	sodium_bin2base64(base64, sizeof base64, checkpoint->root.bytes, MERKLE_HASH_SIZE,
			  sodium_base64_VARIANT_ORIGINAL);
	buffer_append(buffer, checkpoint->origin);
	buffer_append_byte(buffer, '\n');
	append_decimal(buffer, checkpoint->size);
	buffer_append_byte(buffer, '\n');
	buffer_append(buffer, bytes_of_text(base64));
	buffer_append_byte(buffer, '\n');
	return buffer_error(buffer);
}

/* Takes one line, without its LF, off the text; false if no LF is left. */
static bool take_line(struct bytes *text, struct bytes *line)
{
	const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);

	if (end == NULL)
		return false;
	*line = bytes_make(text->data, (size_t)(end - text->data));
	*text = bytes_make(end + 1, text->size - line->size - 1);
	return true;
}

/*
 * libsodium's decoder takes padding and left-over bits as strictly as we need, but any byte above 0x7f for
 * '/', where char is signed: so what is decoded is what is encoded again to the same characters.
 */
static bool parse_root(struct bytes base64, struct merkle_hash *root)
{
	char again[ROOT_BASE64_SIZE + 1];
	size_t size;

	if (base64.size != ROOT_BASE64_SIZE ||
	    sodium_base642bin(root->bytes, MERKLE_HASH_SIZE, (const char *)base64.data, base64.size, NULL,
			      &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    size != MERKLE_HASH_SIZE)
		return false;
	sodium_bin2base64(again, sizeof again, root->bytes, MERKLE_HASH_SIZE, sodium_base64_VARIANT_ORIGINAL);
	return bytes_equal(base64, bytes_of_text(again));
}

enum error checkpoint_parse(struct bytes text, struct checkpoint *checkpoint)
{
	struct checkpoint found;
	struct bytes size, root;
	enum error error;

	*checkpoint = (struct checkpoint){.size = 0};
	if (!take_line(&text, &found.origin) || !take_line(&text, &size) || !take_line(&text, &root))
		return ERROR_MALFORMED;
	if (!origin_is_valid(found.origin) || !parse_root(root, &found.root))
		return ERROR_MALFORMED;
	error = parse_decimal(size, MERKLE_SIZE_MAX, &found.size);
	if (error != ERROR_OK)
		return error;
	if (text.size > 0)
		return text.data[text.size - 1] == '\n' ? ERROR_UNSUPPORTED : ERROR_MALFORMED;
	*checkpoint = found;
	return ERROR_OK;
}

/* ---- signatures ---- */

enum error checkpoint_sign(const struct checkpoint *checkpoint, const struct ed25519_pair *pair,
			   uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t memory[CHECKPOINT_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof memory);
	enum error error = checkpoint_write(checkpoint, &text);

	memset(signature, 0, ED25519_SIGNATURE_SIZE);
	if (error != ERROR_OK)
		return error;
	ed25519_sign(pair, buffer_bytes(&text), signature);
	return ERROR_OK;
}

enum error checkpoint_verify(const struct checkpoint *checkpoint, const uint8_t key[ED25519_KEY_SIZE],
			     const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t memory[CHECKPOINT_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof memory);
	enum error error = checkpoint_write(checkpoint, &text);

	if (error != ERROR_OK)
		return error;
	return ed25519_verify(key, buffer_bytes(&text), signature);
}

/* The text that a cosignature covers. */
static enum error write_cosigned(const struct checkpoint *checkpoint, uint64_t time, struct buffer *buffer)
{
	if (time > COSIGNATURE_TIME_MAX)
		return ERROR_OUT_OF_RANGE;
	buffer_append(buffer, bytes_of_text(COSIGNATURE_HEADER));
	append_decimal(buffer, time);
	buffer_append_byte(buffer, '\n');
	return checkpoint_write(checkpoint, buffer);
}

enum error cosignature_sign(const struct checkpoint *checkpoint, uint64_t time,
			    const struct ed25519_pair *pair, uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t memory[COSIGNATURE_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof memory);
	enum error error = write_cosigned(checkpoint, time, &text);

	memset(signature, 0, ED25519_SIGNATURE_SIZE);
	if (error != ERROR_OK)
		return error;
	ed25519_sign(pair, buffer_bytes(&text), signature);
	return ERROR_OK;
}

enum error cosignature_verify(const struct checkpoint *checkpoint, uint64_t time,
			      const uint8_t key[ED25519_KEY_SIZE],
			      const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t memory[COSIGNATURE_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof memory);
	enum error error = write_cosigned(checkpoint, time, &text);

	if (error != ERROR_OK)
		return error;
	return ed25519_verify(key, buffer_bytes(&text), signature);
}

/* ---- notes ---- */

enum error checkpoint_note_write(const struct checkpoint *checkpoint, const uint8_t key[ED25519_KEY_SIZE],
				 const uint8_t signature[ED25519_SIGNATURE_SIZE], struct buffer *buffer)
{
	uint8_t memory[CHECKPOINT_TEXT_SIZE_MAX], key_id[SIGNED_NOTE_KEY_ID_SIZE];
	struct buffer text = buffer_make(memory, sizeof memory);
	enum error error = checkpoint_write(checkpoint, &text);

	if (error != ERROR_OK)
		return error;
	if (!signed_note_name_is_valid(checkpoint->origin))
		return ERROR_MALFORMED;
	signed_note_key_id(checkpoint->origin, SIGNED_NOTE_ED25519, key, key_id);
	signed_note_write_text(buffer, buffer_bytes(&text));
	signed_note_write_line(buffer, checkpoint->origin, key_id,
			       bytes_make(signature, ED25519_SIGNATURE_SIZE));
	return buffer_error(buffer);
}

enum error checkpoint_note_add(struct buffer *buffer, struct bytes name, const uint8_t key[ED25519_KEY_SIZE],
			       uint64_t time, const uint8_t signature[ED25519_SIGNATURE_SIZE])
{
	uint8_t dated[DATED_SIGNATURE_SIZE], key_id[SIGNED_NOTE_KEY_ID_SIZE];

	if (!signed_note_name_is_valid(name))
		return ERROR_MALFORMED;
	signed_note_key_id(name, SIGNED_NOTE_COSIGNATURE, key, key_id);
	store_u64(dated, time);
	memcpy(dated + 8, signature, ED25519_SIGNATURE_SIZE);
	signed_note_write_line(buffer, name, key_id, bytes_make(dated, sizeof dated));
	return buffer_error(buffer);
}

/* The head in a parsed note, if this log key has signed it. */
static enum error open_head(const struct signed_note *note, struct bytes origin,
			    const uint8_t key[ED25519_KEY_SIZE], struct checkpoint *checkpoint)
{
	uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], signature[ED25519_SIGNATURE_SIZE];
	enum error error;

	if (!signed_note_names_differ(note))
		return ERROR_MALFORMED;
	error = checkpoint_parse(note->text, checkpoint);
	if (error != ERROR_OK)
		return error;
	if (!bytes_equal(checkpoint->origin, origin))
		return ERROR_MALFORMED;
	signed_note_key_id(origin, SIGNED_NOTE_ED25519, key, key_id);
	error = signed_note_find(note, origin, key_id, signature, sizeof signature);
	if (error != ERROR_OK)
		return error;
	return checkpoint_verify(checkpoint, key, signature);
}

enum error checkpoint_note_open(struct bytes bytes, struct bytes origin, const uint8_t key[ED25519_KEY_SIZE],
				struct signed_note *note, struct checkpoint *checkpoint)
{
	enum error error = signed_note_parse(bytes, note);

	*checkpoint = (struct checkpoint){.size = 0};
	if (error == ERROR_OK)
		error = open_head(note, origin, key, checkpoint);
	if (error != ERROR_OK) {
		*checkpoint = (struct checkpoint){.size = 0};
		*note = (struct signed_note){.count = 0};
	}
	return error;
}

enum error checkpoint_note_cosigned(const struct signed_note *note, const struct checkpoint *checkpoint,
				    struct bytes name, const uint8_t key[ED25519_KEY_SIZE], uint64_t *time)
{
	uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], dated[DATED_SIGNATURE_SIZE];
	enum error error;

	*time = 0;
	signed_note_key_id(name, SIGNED_NOTE_COSIGNATURE, key, key_id);
	error = signed_note_find(note, name, key_id, dated, sizeof dated);
	if (error != ERROR_OK)
		return error;
	error = cosignature_verify(checkpoint, load_u64(dated), key, dated + 8);
	if (error == ERROR_OK)
		*time = load_u64(dated);
	return error;
}
