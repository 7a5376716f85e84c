#include "envelope/post_file.h"

#include <sodium.h>

#include "base/cbor.h"
#include "base/place.h"
#include "envelope/derive.h"

#define POST_FILE_TEXT "liaison post file"

void post_file_encode(const struct post_file *file, struct buffer *buffer)
{
	cbor_write_array(buffer, 6);
	cbor_write_text(buffer, bytes_of_text(POST_FILE_TEXT));
	cbor_write_uint(buffer, 1);
	cbor_write_bytes(buffer, bytes_make(file->root_seed, sizeof file->root_seed));
	cbor_write_uint(buffer, file->slot);
	cbor_write_array(buffer, file->letters_count);
	for (size_t i = 0; i < file->letters_count; i++)
		cbor_write_bytes(buffer, file->letters[i]);
	cbor_write_text(buffer, file->address);
}

enum error post_file_decode(struct bytes encoded, struct post_file *file)
{
	struct cbor_reader reader = cbor_reader_make(encoded);
	cbor_read_array_exact(&reader, 6);
	if (!bytes_equal(cbor_read_text(&reader, 32), bytes_of_text(POST_FILE_TEXT)))
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	if (cbor_read_uint(&reader) != 1)
		cbor_reader_fail(&reader, ERROR_BAD_VERSION);
	cbor_read_bytes_exact(&reader, file->root_seed, sizeof file->root_seed);
	file->slot = cbor_read_uint_max(&reader, POST_SLOTS - 1);
	file->letters_count = cbor_read_array(&reader, CARD_LETTERS_MAX);
	for (size_t i = 0; i < file->letters_count; i++)
		file->letters[i] = cbor_read_bytes(&reader, ENTRY_SIZE_MAX);
	file->address = cbor_read_text(&reader, EID_SIZE_MAX);
	enum error error = cbor_read_end(&reader);
	bool placed = file->address.size == 0 || place_is_address(file->address);
	if (error == ERROR_OK && (file->letters_count < 2 || !placed))
		error = ERROR_MALFORMED;
	return error;
}

void post_statement_pair(const uint8_t root_seed[32], struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];
	derive_seed(root_seed, "liaison statement", bytes_make("", 0), seed);
	ed25519_pair_from_seed(seed, pair);
	sodium_memzero(seed, sizeof seed);
}
