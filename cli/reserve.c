#include "cli/reserve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/cbor.h"
#include "cli/files.h"
#include "cli/output.h"

#define PURPOSE         "reserved keying"
#define PUBLIC_SIZE_MAX (PARTY_ID_SIZE + 32 + 8)
#define SECRET_SIZE_MAX (POST_SLOTS * (KEYING_PACKET_SIZE_MAX + 4) + 16)

static bool make_path(const struct call *call, const struct party_directory *party, uint32_t number,
		      const uint8_t other[PARTY_ID_SIZE], char path[PATH_MAX])
{
	char name[64], hex[2 * 8 + 1];
	output_hex(bytes_make(other, 8), hex);
	snprintf(name, sizeof name, "keying-%u-%s", (unsigned)number, hex);
	return path_join(call, party->path, name, path, PATH_MAX);
}

/* What stands in the open: whose keying it is, and which. */
static void write_public(const struct keying *keying, const uint8_t other[PARTY_ID_SIZE], struct buffer *out)
{
	uint8_t memory[KEYING_SIZE_MAX], hash[crypto_hash_sha256_BYTES];
	struct buffer file = buffer_make(memory, sizeof memory);
	keying_encode(keying, &file);
	crypto_hash_sha256(hash, file.data, file.size);
	sodium_memzero(memory, sizeof memory);
	cbor_write_array(out, 2);
	cbor_write_bytes(out, bytes_make(other, PARTY_ID_SIZE));
	cbor_write_bytes(out, bytes_make(hash, sizeof hash));
}

bool reserve_find(const struct call *call, const struct party_directory *party, const struct keying *keying,
		  const uint8_t other[PARTY_ID_SIZE], enum reserve_state *state)
{
	char path[PATH_MAX];
	uint8_t memory[PUBLIC_SIZE_MAX];
	struct buffer expected = buffer_make(memory, sizeof memory);
	struct secret_file file;
	*state = RESERVE_NONE;
	if (!make_path(call, party, keying->number, other, path))
		return false;
	if (access(path, F_OK) != 0)
		return true;
	if (!secret_file_read_public(call, path, PURPOSE, &file))
		return false;
	write_public(keying, other, &expected);
	*state = bytes_equal(file.public_part, buffer_bytes(&expected)) ? RESERVE_SAME : RESERVE_OTHER;
	secret_file_close(&file);
	return true;
}

/* The packets of all slots but `given`, as the secret of the file. */
static enum error write_packets(const struct keying *keying, const struct party_directory *party,
				uint64_t given, struct keying_packet *packet, struct buffer *out)
{
	uint8_t memory[KEYING_PACKET_SIZE_MAX];
	enum error error = ERROR_OK;
	cbor_write_array(out, POST_SLOTS - 1);
	for (unsigned slot = 0; error == ERROR_OK && slot < POST_SLOTS; slot++) {
		struct buffer bytes = buffer_make(memory, sizeof memory);
		if (slot == given)
			continue;
		error = keying_packet_make(keying, party->id, slot, packet);
		if (error == ERROR_OK)
			error = keying_packet_encode(packet, &bytes);
		cbor_write_bytes(out, buffer_bytes(&bytes));
	}
	keying_packet_erase(packet);
	sodium_memzero(memory, sizeof memory);
	return error != ERROR_OK ? error : buffer_error(out);
}

bool reserve_write(const struct call *call, const struct party_directory *party, const struct keying *keying,
		   const uint8_t other[PARTY_ID_SIZE], uint64_t given, const struct passphrase *passphrase)
{
	char path[PATH_MAX];
	uint8_t public_memory[PUBLIC_SIZE_MAX];
	struct buffer public_part = buffer_make(public_memory, sizeof public_memory);
	struct keying_packet *packet = malloc(sizeof *packet);
	uint8_t *memory = malloc(SECRET_SIZE_MAX);
	struct buffer secret = buffer_make(memory, memory != NULL ? SECRET_SIZE_MAX : 0);
	enum error error = packet != NULL && memory != NULL
				   ? write_packets(keying, party, given, packet, &secret)
				   : ERROR_NO_MEMORY;
	bool done = error == ERROR_OK && make_path(call, party, keying->number, other, path);
	if (error != ERROR_OK)
		call_fail_error(call, "the keys of other slots", error);
	if (done) {
		write_public(keying, other, &public_part);
		done = secret_file_write(call, path, PURPOSE, buffer_bytes(&public_part),
					 buffer_bytes(&secret), passphrase);
	}
	if (memory != NULL)
		sodium_memzero(memory, SECRET_SIZE_MAX);
	free(packet);
	free(memory);
	return done;
}

bool reserve_erase(const struct call *call, const struct party_directory *party, const struct keying *keying,
		   const uint8_t other[PARTY_ID_SIZE])
{
	char path[PATH_MAX];
	return make_path(call, party, keying->number, other, path) && file_erase(call, path);
}
