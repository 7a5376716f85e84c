#include "envelope/keying.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/cbor.h"
#include "envelope/cose.h"
#include "envelope/hkdf.h"

#define VERSION 1
#define CHECKSUM_SIZE 8
#define ITEMS_MAX 32 /* of an array of another version, to come to its version number */

#define KEYING_TITLE "liaison keying"
#define KEYING_ITEMS 7
#define PACKET_TITLE "liaison keying packet"
#define PACKET_ITEMS 11

_Static_assert(KEYING_KEY_SIZE == HKDF_KEY_SIZE, "a leaf is a pseudorandom key");
_Static_assert(KEYING_KEY_SIZE >= HPKE_PSK_SIZE_MIN, "a PSK is long enough");
_Static_assert(KEYING_ID_SIZE == COSE_PSK_ID_SIZE, "ids are as the seal carries them");

/* ---- one leaf ---- */

void keying_leaf(const uint8_t root[KEYING_KEY_SIZE], unsigned side, unsigned sender_slot,
		 unsigned receiver_slot, bool last_resort, uint8_t leaf[KEYING_KEY_SIZE])
{
	uint8_t memory[32];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct bytes info;

	assert(side <= 1 && sender_slot < POST_SLOTS && receiver_slot < POST_SLOTS);
	cbor_write_array(&buffer, 5);
	cbor_write_text(&buffer, bytes_of_text("liaison keying leaf"));
	cbor_write_uint(&buffer, side);
	cbor_write_uint(&buffer, sender_slot);
	cbor_write_uint(&buffer, receiver_slot);
	cbor_write_bool(&buffer, last_resort);
	assert(buffer_error(&buffer) == ERROR_OK);
	info = buffer_bytes(&buffer);
	hkdf_expand(root, &info, 1, leaf, KEYING_KEY_SIZE);
}

static void derive(const uint8_t leaf[KEYING_KEY_SIZE], const char *label, uint8_t out[KEYING_KEY_SIZE])
{
	struct bytes info = bytes_of_text(label);

	hkdf_expand(leaf, &info, 1, out, KEYING_KEY_SIZE);
}

enum error keying_step(uint8_t leaf[KEYING_KEY_SIZE], uint64_t steps)
{
	if (steps > KEYING_STEPS_MAX)
		return ERROR_OUT_OF_RANGE;
	for (; steps != 0; steps--)
		derive(leaf, "liaison keying next", leaf);
	return ERROR_OK;
}

void keying_psk_of_leaf(const uint8_t leaf[KEYING_KEY_SIZE], struct keying_psk *psk)
{
	uint8_t id[KEYING_KEY_SIZE];

	derive(leaf, "liaison keying psk", psk->key);
	derive(leaf, "liaison keying id", id);
	memcpy(psk->id, id, KEYING_ID_SIZE);
	sodium_memzero(id, sizeof id);
}

struct hpke_psk keying_psk_view(const struct keying_psk *psk)
{
	return (struct hpke_psk){
		.key = bytes_make(psk->key, sizeof psk->key),
		.id = bytes_make(psk->id, sizeof psk->id),
	};
}

/* ---- both formats ---- */

/* The checksum over the first `size` bytes of an encoding. */
static void checksum_of(const uint8_t *data, size_t size, uint8_t checksum[CHECKSUM_SIZE])
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, data, size);
	memcpy(checksum, hash, CHECKSUM_SIZE);
}

/* Appends the last item of an encoding that began at `start` of the buffer. */
static enum error write_checksum(struct buffer *out, size_t start)
{
	uint8_t checksum[CHECKSUM_SIZE];

	if (buffer_error(out) != ERROR_OK)
		return ERROR_TOO_LARGE;
	checksum_of(out->data + start, out->size - start, checksum);
	cbor_write_bytes(out, bytes_make(checksum, sizeof checksum));
	return buffer_error(out);
}

static void read_head(struct cbor_reader *reader, const char *title, size_t items)
{
	size_t count = cbor_read_array(reader, ITEMS_MAX);

	if (!bytes_equal(cbor_read_text(reader, SIZE_MAX), bytes_of_text(title)))
		cbor_reader_fail(reader, ERROR_MALFORMED);
	if (cbor_read_uint(reader) != VERSION)
		cbor_reader_fail(reader, ERROR_BAD_VERSION);
	if (count != items)
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

/* The last item, and the end of the input. */
static enum error read_checksum(struct cbor_reader *reader)
{
	uint8_t expected[CHECKSUM_SIZE], found[CHECKSUM_SIZE];
	size_t size = reader->at;

	cbor_read_bytes_exact(reader, found, sizeof found);
	if (cbor_read_end(reader) != ERROR_OK)
		return cbor_reader_error(reader);
	checksum_of(reader->data, size, expected);
	return memcmp(expected, found, sizeof found) == 0 ? ERROR_OK : ERROR_BAD_CHECKSUM;
}

/* ---- the file that is carried by hand ---- */

void keying_make(uint32_t number, const uint8_t party_a[KEYING_PARTY_SIZE],
		 const uint8_t party_b[KEYING_PARTY_SIZE], const uint8_t root[KEYING_KEY_SIZE],
		 struct keying *keying)
{
	bool in_order = memcmp(party_a, party_b, KEYING_PARTY_SIZE) <= 0;

	keying->number = number;
	memcpy(keying->parties[0], in_order ? party_a : party_b, KEYING_PARTY_SIZE);
	memcpy(keying->parties[1], in_order ? party_b : party_a, KEYING_PARTY_SIZE);
	memcpy(keying->root, root, KEYING_KEY_SIZE);
}

enum error keying_encode(const struct keying *keying, struct buffer *out)
{
	size_t start = out->size;

	cbor_write_array(out, KEYING_ITEMS);
	cbor_write_text(out, bytes_of_text(KEYING_TITLE));
	cbor_write_uint(out, VERSION);
	cbor_write_uint(out, keying->number);
	cbor_write_bytes(out, bytes_make(keying->parties[0], KEYING_PARTY_SIZE));
	cbor_write_bytes(out, bytes_make(keying->parties[1], KEYING_PARTY_SIZE));
	cbor_write_bytes(out, bytes_make(keying->root, KEYING_KEY_SIZE));
	return write_checksum(out, start);
}

enum error keying_decode(struct bytes bytes, struct keying *keying)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	enum error error;

	read_head(&reader, KEYING_TITLE, KEYING_ITEMS);
	keying->number = (uint32_t)cbor_read_uint_max(&reader, UINT32_MAX);
	cbor_read_bytes_exact(&reader, keying->parties[0], KEYING_PARTY_SIZE);
	cbor_read_bytes_exact(&reader, keying->parties[1], KEYING_PARTY_SIZE);
	cbor_read_bytes_exact(&reader, keying->root, KEYING_KEY_SIZE);
	error = read_checksum(&reader);
	if (error == ERROR_OK && memcmp(keying->parties[0], keying->parties[1], KEYING_PARTY_SIZE) > 0)
		error = ERROR_MALFORMED;
	if (error != ERROR_OK)
		keying_erase(keying);
	return error;
}

void keying_erase(struct keying *keying)
{
	sodium_memzero(keying, sizeof *keying);
}

/* ---- what a post is given ---- */

enum error keying_packet_make(const struct keying *keying, const uint8_t own_party[KEYING_PARTY_SIZE],
			      unsigned own_slot, struct keying_packet *packet)
{
	bool first = memcmp(own_party, keying->parties[0], KEYING_PARTY_SIZE) == 0;
	bool second = memcmp(own_party, keying->parties[1], KEYING_PARTY_SIZE) == 0;
	unsigned sending_side = first ? 0 : 1;
	unsigned receiving_side = second ? 0 : 1; /* the other party's side as sender */

	memset(packet, 0, sizeof *packet);
	if ((!first && !second) || own_slot >= POST_SLOTS)
		return ERROR_BAD_ARGUMENT;
	packet->number = keying->number;
	memcpy(packet->own_party, own_party, KEYING_PARTY_SIZE);
	memcpy(packet->other_party, keying->parties[first ? 1 : 0], KEYING_PARTY_SIZE);
	packet->own_slot = (uint8_t)own_slot;
	for (unsigned last_resort = 0; last_resort < 2; last_resort++) {
		for (unsigned slot = 0; slot < POST_SLOTS; slot++) {
			keying_leaf(keying->root, sending_side, own_slot, slot, last_resort == 1,
				    packet->leaves[KEYING_SENDING][last_resort][slot]);
			keying_leaf(keying->root, receiving_side, slot, own_slot, last_resort == 1,
				    packet->leaves[KEYING_RECEIVING][last_resort][slot]);
		}
	}
	return ERROR_OK;
}

enum error keying_packet_encode(const struct keying_packet *packet, struct buffer *out)
{
	size_t start = out->size;

	cbor_write_array(out, PACKET_ITEMS);
	cbor_write_text(out, bytes_of_text(PACKET_TITLE));
	cbor_write_uint(out, VERSION);
	cbor_write_uint(out, packet->number);
	cbor_write_bytes(out, bytes_make(packet->own_party, KEYING_PARTY_SIZE));
	cbor_write_bytes(out, bytes_make(packet->other_party, KEYING_PARTY_SIZE));
	cbor_write_uint(out, packet->own_slot);
	for (size_t direction = 0; direction < 2; direction++)
		for (size_t last_resort = 0; last_resort < 2; last_resort++)
			cbor_write_bytes(out, bytes_make(packet->leaves[direction][last_resort],
							 POST_SLOTS * KEYING_KEY_SIZE));
	return write_checksum(out, start);
}

enum error keying_packet_decode(struct bytes bytes, struct keying_packet *packet)
{
	struct cbor_reader reader = cbor_reader_make(bytes);
	enum error error;

	read_head(&reader, PACKET_TITLE, PACKET_ITEMS);
	packet->number = (uint32_t)cbor_read_uint_max(&reader, UINT32_MAX);
	cbor_read_bytes_exact(&reader, packet->own_party, KEYING_PARTY_SIZE);
	cbor_read_bytes_exact(&reader, packet->other_party, KEYING_PARTY_SIZE);
	packet->own_slot = (uint8_t)cbor_read_uint_max(&reader, POST_SLOTS - 1);
	for (size_t direction = 0; direction < 2; direction++)
		for (size_t last_resort = 0; last_resort < 2; last_resort++)
			cbor_read_bytes_exact(&reader, (uint8_t *)packet->leaves[direction][last_resort],
					      POST_SLOTS * KEYING_KEY_SIZE);
	error = read_checksum(&reader);
	if (error != ERROR_OK)
		keying_packet_erase(packet);
	return error;
}

void keying_packet_erase(struct keying_packet *packet)
{
	sodium_memzero(packet, sizeof *packet);
}
