/*
 * The C side of exchange_notes.py: writes notes for it to judge, and judges what it wrote. Byte strings are
 * hexadecimal arguments; what is judged comes on standard input. Judging prints one line, and ends with 0 if
 * all is well and with 1 and the error's name if not.
 *
 *	write LOG_SEED COSIGNER_SEED CHANNEL PARTY SLOT INCARNATION COSIGNER_SLOT LEAVES TIME
 *		a cosigned note over the tree whose leaf i is the 8 bytes of i
 *	open ORIGIN LOG_KEY COSIGNER_NAME COSIGNER_KEY		judges a note
 *	inclusion INDEX SIZE LEAF_HASH ROOT			judges a proof, CBOR
 *	consistency OLD NEW OLD_ROOT NEW_ROOT			judges a proof, CBOR
 *	evidence ORIGIN LOG_KEY					judges evidence of equivocation, CBOR
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"
#include "tests/unit/hex.h"

static uint64_t get_number(const char *argument)
{
	return strtoull(argument, NULL, 10);
}

static void get_hex(const char *argument, uint8_t *to, size_t size)
{
	if (hex_decode(argument, to, size).size != size) {
		fprintf(stderr, "an argument is too short: %s\n", argument);
		exit(2);
	}
}

static void get_pair(const char *argument, struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];

	get_hex(argument, seed, sizeof seed);
	ed25519_pair_from_seed(seed, pair);
}

static struct bytes get_input(void)
{
	static uint8_t memory[SIGNED_NOTE_SIZE_MAX + 1];

	return bytes_make(memory, fread(memory, 1, sizeof memory, stdin));
}

static int judge(enum error error)
{
	printf("%s\n", error_name(error));
	return error == ERROR_OK ? 0 : 1;
}

static int write_note(char **arguments)
{
	struct ed25519_pair log, cosigner;
	uint8_t channel[CHANNEL_ID_SIZE], party[PARTY_ID_SIZE], data[8], memory[1024];
	uint8_t signature[ED25519_SIGNATURE_SIZE], cosignature[ED25519_SIGNATURE_SIZE];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1], name[CHECKPOINT_COSIGNER_SIZE + 1];
	const uint64_t leaves = get_number(arguments[7]), time = get_number(arguments[8]);
	struct buffer note = buffer_make(memory, sizeof memory);
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	struct merkle_frontier frontier;
	struct checkpoint head = {.size = leaves};

	get_pair(arguments[0], &log);
	get_pair(arguments[1], &cosigner);
	get_hex(arguments[2], channel, sizeof channel);
	get_hex(arguments[3], party, sizeof party);
	checkpoint_origin(channel, party, get_number(arguments[4]), get_number(arguments[5]), origin);
	checkpoint_cosigner(channel, party, get_number(arguments[6]), name);

	merkle_frontier_init(&frontier);
	while (frontier.size < leaves) {
		struct merkle_hash leaf;
		size_t count;

		store_u64(data, frontier.size);
		merkle_leaf_hash(bytes_make(data, sizeof data), &leaf);
		if (merkle_append(&frontier, &leaf, nodes, &count) != ERROR_OK)
			return 2;
	}
	merkle_frontier_root(&frontier, &head.root);
	head.origin = bytes_of_text(origin);
	if (checkpoint_sign(&head, &log, signature) != ERROR_OK ||
	    cosignature_sign(&head, time, &cosigner, cosignature) != ERROR_OK ||
	    checkpoint_note_write(&head, log.key, signature, &note) != ERROR_OK ||
	    checkpoint_note_add(&note, bytes_of_text(name), cosigner.key, time, cosignature) != ERROR_OK)
		return 2;
	return fwrite(note.data, 1, note.size, stdout) == note.size ? 0 : 2;
}

static int open_note(char **arguments)
{
	uint8_t log_key[ED25519_KEY_SIZE], cosigner_key[ED25519_KEY_SIZE];
	struct signed_note note;
	struct checkpoint head;
	uint64_t time = 0;
	enum error error;

	get_hex(arguments[1], log_key, sizeof log_key);
	get_hex(arguments[3], cosigner_key, sizeof cosigner_key);
	error = checkpoint_note_open(get_input(), bytes_of_text(arguments[0]), log_key, &note, &head);
	if (error == ERROR_OK)
		error = checkpoint_note_cosigned(&note, &head, bytes_of_text(arguments[2]), cosigner_key,
						 &time);
	if (error != ERROR_OK)
		return judge(error);
	printf("OK %" PRIu64 " %" PRIu64 " ", head.size, time);
	for (size_t i = 0; i < MERKLE_HASH_SIZE; i++)
		printf("%02x", head.root.bytes[i]);
	printf("\n");
	return 0;
}

static int judge_proof(char **arguments, bool inclusion)
{
	const uint64_t a = get_number(arguments[0]), b = get_number(arguments[1]);
	struct cbor_reader reader = cbor_reader_make(get_input());
	struct merkle_hash first, second;
	struct merkle_proof proof;

	get_hex(arguments[2], first.bytes, sizeof first.bytes);
	get_hex(arguments[3], second.bytes, sizeof second.bytes);
	merkle_proof_read(&reader, &proof);
	if (cbor_read_end(&reader) != ERROR_OK)
		return judge(cbor_reader_error(&reader));
	if (inclusion)
		return judge(merkle_inclusion_verify(a, b, &first, &proof, &second));
	return judge(merkle_consistency_verify(a, b, &proof, &first, &second));
}

static int judge_evidence(char **arguments)
{
	struct cbor_reader reader = cbor_reader_make(get_input());
	struct equivocation equivocation;
	uint8_t log_key[ED25519_KEY_SIZE];

	get_hex(arguments[1], log_key, sizeof log_key);
	equivocation_read(&reader, &equivocation);
	if (cbor_read_end(&reader) != ERROR_OK)
		return judge(cbor_reader_error(&reader));
	return judge(equivocation_check(bytes_of_text(arguments[0]), log_key, &equivocation));
}

int main(int count, char **arguments)
{
	const char *verb = count > 1 ? arguments[1] : "";

	if (count == 11 && strcmp(verb, "write") == 0)
		return write_note(arguments + 2);
	if (count == 6 && strcmp(verb, "open") == 0)
		return open_note(arguments + 2);
	if (count == 6 && strcmp(verb, "inclusion") == 0)
		return judge_proof(arguments + 2, true);
	if (count == 6 && strcmp(verb, "consistency") == 0)
		return judge_proof(arguments + 2, false);
	if (count == 4 && strcmp(verb, "evidence") == 0)
		return judge_evidence(arguments + 2);
	fprintf(stderr, "a verb and its arguments, please: see the head of note_exchange.c\n");
	return 2;
}
