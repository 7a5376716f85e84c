/*
 * Prints what envelope/ makes from fixed seeds, a name and its bytes in hexadecimal on each line: the worked
 * examples of doc/PROTOCOL.md, and what tests/envelope_differential.py checks with code of its own.
 *
 * usage: envelope_example NUMBER    0 is the example of the documentation; others differ in seeds and sizes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/cbor.h"
#include "envelope/content.h"
#include "envelope/cose.h"
#include "envelope/derive.h"
#include "envelope/fingerprint.h"
#include "envelope/keying.h"
#include "envelope/padding.h"

#define SEED_SIZE 32
#define TEXT_SIZE 4096

static void print(const char *name, struct bytes bytes)
{
	printf("%s ", name);
	for (size_t i = 0; i < bytes.size; i++)
		printf("%02x", bytes.data[i]);
	printf("\n");
}

static void print_seed(const char *name, const uint8_t *bytes)
{
	print(name, bytes_make(bytes, SEED_SIZE));
}

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "envelope_example: %s\n", what);
		exit(1);
	}
}

/* 32 equal bytes; `letter` tells the purposes apart. */
static void fill_seed(uint8_t seed[SEED_SIZE], unsigned letter, unsigned number)
{
	memset(seed, (int)(letter + 16 * number) & 0xff, SEED_SIZE);
}

static void party_of(unsigned letter, unsigned number, uint8_t party[32])
{
	uint8_t seed[SEED_SIZE];
	struct ed25519_pair pair;

	fill_seed(seed, letter, number);
	ed25519_pair_from_seed(seed, &pair);
	crypto_hash_sha256(party, pair.key, sizeof pair.key);
}

/* ---- signed ---- */

static void aad_encode(const uint8_t party_a[32], const uint8_t party_b[32], struct buffer *out)
{
	uint8_t channel[32];

	memset(channel, 0xc0, sizeof channel);
	cbor_write_array(out, 4);
	cbor_write_text(out, bytes_of_text("liaison entry"));
	cbor_write_bytes(out, bytes_make(channel, sizeof channel));
	cbor_write_bytes(out, bytes_make(party_a, 32));
	cbor_write_array(out, 1);
	cbor_write_bytes(out, bytes_make(party_b, 32));
}

/* A message (doc/PROTOCOL.md, section 2) of officer 1, or of 1 and 2, whose text grows with the number. */
static void payload_encode(unsigned number, unsigned signer_count, struct buffer *out)
{
	static char text[TEXT_SIZE / 2] = "The line is open. All is quiet.";
	static struct content content;

	if (number != 0)
		memset(text, 'a', number * number * 11);
	content.kind = CONTENT_MESSAGE;
	content.precedence = PRECEDENCE_ROUTINE;
	content.signers_count = signer_count;
	for (unsigned i = 0; i < signer_count; i++)
		content.signers[i] = i + 1;
	for (unsigned i = 0; i < sizeof content.id; i++)
		content.id[i] = (uint8_t)(i + 1);
	content.of.message.time = 1795320300;
	content.of.message.text = bytes_of_text(text);
	content_encode(&content, out);
	must(buffer_error(out) == ERROR_OK, "encoding a message");
}

static void print_signed(unsigned number, unsigned signer_count, struct bytes aad, struct buffer *out)
{
	static uint8_t work_memory[TEXT_SIZE + 512], payload_memory[TEXT_SIZE];
	struct buffer work = buffer_make(work_memory, sizeof work_memory);
	struct buffer payload = buffer_make(payload_memory, sizeof payload_memory);
	struct cose_signed object = {.signer_count = signer_count};
	uint8_t hash[32];

	payload_encode(number, signer_count, &payload);
	object.payload = buffer_bytes(&payload);
	printf("payload_of_");
	print(signer_count == 1 ? "one" : "two", object.payload);

	for (unsigned i = 0; i < signer_count; i++) {
		uint8_t seed[SEED_SIZE];
		struct ed25519_pair pair;

		fill_seed(seed, 3 + i, number);
		ed25519_pair_from_seed(seed, &pair);
		must(cose_sign(&pair, signer_count, aad, object.payload, &work, object.signatures[i]) ==
			     ERROR_OK,
		     "signing");
		if (i + 1 == signer_count) {
			printf("officer_%u_", i + 1);
			print_seed("seed", seed);
			printf("officer_%u_", i + 1);
			print_seed("key", pair.key);
		}
	}
	must(cose_signed_encode(&object, out) == ERROR_OK, "encoding");
	cose_signatures_hash(&object, hash);
	printf("to_be_signed_by_");
	print(signer_count == 1 ? "one" : "two", buffer_bytes(&work));
	printf("signed_by_");
	print(signer_count == 1 ? "one" : "two", buffer_bytes(out));
	printf("signatures_hash_of_");
	print_seed(signer_count == 1 ? "one" : "two", hash);
}

/* ---- keying ---- */

static void print_keying(unsigned number, const uint8_t party_a[32], const uint8_t party_b[32],
			 struct keying_psk *psk)
{
	static uint8_t memory[KEYING_PACKET_SIZE_MAX];
	static struct keying_packet packet;
	struct buffer file = buffer_make(memory, sizeof memory), encoded = buffer_make(memory, sizeof memory);
	struct keying keying;
	uint8_t root[SEED_SIZE], leaf[SEED_SIZE], hash[32];
	struct keying_psk last_resort;

	fill_seed(root, 5, number);
	keying_make(1, party_a, party_b, root, &keying);
	must(keying_encode(&keying, &file) == ERROR_OK, "encoding a keying");
	print_seed("keying_root", root);
	print("keying", buffer_bytes(&file));
	must(keying_packet_make(&keying, party_a, 2, &packet) == ERROR_OK, "a packet");
	must(keying_packet_encode(&packet, &encoded) == ERROR_OK, "encoding a packet");
	print("packet", buffer_bytes(&encoded));
	crypto_hash_sha256(hash, encoded.data, encoded.size);
	print_seed("packet_hash", hash);
	memcpy(leaf, packet.leaves[KEYING_SENDING][0][5], sizeof leaf);
	print_seed("leaf", leaf);
	must(keying_step(leaf, 3) == ERROR_OK, "stepping");
	print_seed("leaf_3", leaf);
	keying_psk_of_leaf(leaf, psk);
	print_seed("psk_3", psk->key);
	print("psk_id_3", bytes_make(psk->id, sizeof psk->id));
	keying_psk_of_leaf(packet.leaves[KEYING_SENDING][1][5], &last_resort);
	print_seed("last_resort_psk", last_resort.key);
	print("last_resort_psk_id", bytes_make(last_resort.id, sizeof last_resort.id));
}

/* ---- sealed ---- */

static void print_sealed(unsigned number, const struct keying_psk *psk, const uint8_t party_a[32],
			 const uint8_t party_b[32], struct bytes item)
{
	static uint8_t plain_memory[TEXT_SIZE + 512], memory[TEXT_SIZE + 1024];
	uint8_t info_memory[256], seed[SEED_SIZE], ephemeral[SEED_SIZE], statement_key[32];
	struct buffer info = buffer_make(info_memory, sizeof info_memory);
	struct buffer plaintext = buffer_make(plain_memory, sizeof plain_memory);
	struct buffer sealed = buffer_make(memory, sizeof memory), base = sealed;
	struct hpke_psk view = keying_psk_view(psk);
	struct cose_seal_context context = {.external_aad = {NULL, 0}};
	struct x25519_pair pair;

	memset(statement_key, 0xd0, sizeof statement_key);
	cbor_write_array(&info, 8);
	cbor_write_text(&info, bytes_of_text("liaison seal"));
	cbor_write_bytes(&info, bytes_make(party_a, 32));
	cbor_write_uint(&info, 2);
	cbor_write_bytes(&info, bytes_make(statement_key, 32));
	cbor_write_bytes(&info, bytes_make(party_b, 32));
	cbor_write_uint(&info, 5);
	cbor_write_bytes(&info, bytes_make(statement_key, 32));
	cbor_write_uint(&info, 3);
	context.info = buffer_bytes(&info);
	buffer_append(&plaintext, item);
	must(padding_append(&plaintext) == ERROR_OK, "padding");
	fill_seed(seed, 6, number);
	fill_seed(ephemeral, 7, number);
	hpke_derive_key_pair(seed, &pair);
	print_seed("receiver_seed", seed);
	print_seed("receiver_secret", pair.secret);
	print_seed("receiver_key", pair.key);
	print_seed("ephemeral_seed", ephemeral);
	print("info", context.info);
	print("plaintext", buffer_bytes(&plaintext));
	must(cose_seal(pair.key, &view, &context, ephemeral, buffer_bytes(&plaintext), &sealed) == ERROR_OK,
	     "sealing");
	print("sealed", buffer_bytes(&sealed));
	must(cose_seal(pair.key, NULL, &context, ephemeral, buffer_bytes(&plaintext), &base) == ERROR_OK,
	     "sealing");
	print("sealed_base", buffer_bytes(&base));
}

/* ---- derived bytes and words ---- */

static void print_derived(unsigned number, const uint8_t party_a[32])
{
	uint8_t root[SEED_SIZE], out[SEED_SIZE], taken[100], words_memory[FINGERPRINT_TEXT_SIZE_MAX];
	struct buffer words = buffer_make(words_memory, sizeof words_memory);
	struct entropy entropy;

	fill_seed(root, 8, number);
	derive_seed(root, "liaison log", bytes_make(party_a, 32), out);
	print_seed("root_seed", root);
	print_seed("derived_seed", out);
	fill_seed(root, 9, number);
	entropy = entropy_make(root);
	print_seed("entropy_seed", root);
	entropy_take(&entropy, taken, 16);
	print("entropy_first_16", bytes_make(taken, 16));
	entropy_take(&entropy, taken, sizeof taken);
	print("entropy_next_100", bytes_make(taken, sizeof taken));
	fingerprint_append(party_a, &words);
	print("fingerprint", buffer_bytes(&words));
}

int main(int argc, char **argv)
{
	static uint8_t one_memory[TEXT_SIZE], two_memory[TEXT_SIZE];
	struct buffer one = buffer_make(one_memory, sizeof one_memory),
		      two = buffer_make(two_memory, sizeof two_memory);
	uint8_t aad_memory[256], party_a[32], party_b[32];
	struct buffer aad = buffer_make(aad_memory, sizeof aad_memory);
	struct keying_psk psk;
	unsigned number;

	must(argc == 2 && sodium_init() >= 0, "usage: envelope_example NUMBER");
	number = (unsigned)strtoul(argv[1], NULL, 10) % 12;
	party_of(1, number, party_a);
	party_of(2, number, party_b);
	print_seed("party_a", party_a);
	print_seed("party_b", party_b);
	aad_encode(party_a, party_b, &aad);
	print("aad", buffer_bytes(&aad));
	print_signed(number, 1, buffer_bytes(&aad), &one);
	print_signed(number, 2, buffer_bytes(&aad), &two);
	print_keying(number, party_a, party_b, &psk);
	print_sealed(number, &psk, party_a, party_b, buffer_bytes(number % 2 == 0 ? &one : &two));
	print_derived(number, party_a);
	return 0;
}
