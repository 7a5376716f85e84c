/*
 * envelope/: the first byte chooses the format, the rest is read as that. What is accepted is encoded again
 * to the same bytes, whatever it is; what carries a checksum, a padding or signatures is given right ones
 * first, so that what is behind these is reached. With the stand-in cryptography (sim/stand_in.h).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/card.h"
#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"
#include "envelope/keying.h"
#include "envelope/padding.h"
#include "envelope/post_file.h"
#include "envelope/reference.h"
#include "envelope/render.h"
#include "envelope/signed.h"
#include "envelope/statement.h"
#include "envelope/wire.h"
#include "sim/stand_in.h"
#include "tests/fuzz/cbor_mutator.h"

#define AGAIN_SIZE_MAX (CARD_SIZE_MAX + 4096)

/* libFuzzer has no place for a parameter of ours. */
static struct {
	struct content content;
	struct signed_entry entry;
	struct wire wire;
	struct leaf leaf;
	struct receipt receipt;
	struct heads_statement heads;
	struct prekeys prekeys;
	struct cannot_open cannot_open;
	struct missing_statement missing;
	struct card card;
	struct card_party card_party;
	struct keying keying;
	struct post_file post_file;
	uint8_t mended[AGAIN_SIZE_MAX];
	uint8_t work[SIGNED_WORK_SIZE];
	uint8_t letters[CARD_LETTERS_MAX][1024];
	uint8_t rendered[RENDER_SIZE_MAX];
} room;

/* Reads the input; where it is accepted, writes it again to `again`, and the input as it was read is
 * *read. */
typedef enum error reader(struct bytes input, struct buffer *again, struct bytes *read);

/* ---- content, entries, what is sealed ---- */

static enum error read_content(struct bytes input, struct buffer *again, struct bytes *read)
{
	static const struct render_names nobody;
	struct buffer rendered = buffer_make(room.rendered, sizeof(room.rendered));
	struct terms terms;

	*read = input;
	enum error error = content_decode(input, &room.content);
	if (error != ERROR_OK)
		return error;
	content_encode(&room.content, again);
	terms_default(&terms, bytes_of_text("terms"));
	(void)content_check(&room.content, &terms);
	(void)content_check(&room.content, NULL);
	assert(render_payload(input, &nobody, &room.content, &rendered) == ERROR_OK);
	/* Nothing in it moves the cursor, and no line of it is wider than a terminal. */
	struct bytes text = buffer_bytes(&rendered);
	for (size_t at = 0; at < text.size; at++)
		assert(text.data[at] >= ' ' || text.data[at] == '\n');
	return ERROR_OK;
}

static enum error read_entry(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = entry_decode(input, &room.entry);
	if (error == ERROR_OK)
		assert(cose_signed_encode(&room.entry.cose, again) == ERROR_OK &&
		       again->size ==
			       cose_signed_size(room.entry.cose.signer_count, room.entry.cose.payload.size));
	return error;
}

static enum error read_sealed(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct cose_sealed sealed;

	*read = input;
	enum error error = cose_sealed_decode(input, &sealed);
	if (error != ERROR_OK)
		return error;
	assert(sealed.encapsulated.size == HPKE_ENCAPSULATED_SIZE && sealed.ciphertext.size >= HPKE_TAG_SIZE);
	assert(input.size == cose_sealed_size(sealed.ciphertext.size - HPKE_TAG_SIZE, sealed.psk_id.size));
	buffer_append(again, input);
	return ERROR_OK;
}

static enum error read_wire(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct buffer padded = buffer_make(room.mended, WIRE_SIZE_MAX);

	buffer_append(&padded, input);
	if (input.size == 0 || padding_append(&padded) != ERROR_OK)
		return ERROR_TOO_LARGE;
	*read = buffer_bytes(&padded);
	enum error error = wire_decode(*read, &room.wire);
	if (error == ERROR_OK)
		assert(wire_encode(&room.wire, again) == ERROR_OK);
	return error;
}

static enum error read_leaf(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = leaf_decode(input, &room.leaf);
	if (error == ERROR_OK)
		leaf_encode(&room.leaf, again);
	return error;
}

/* ---- statements ---- */

static enum error read_receipt(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = receipt_decode(input, &room.receipt);
	if (error == ERROR_OK)
		receipt_encode(&room.receipt, again);
	return error;
}

static enum error read_heads(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = heads_decode(input, &room.heads);
	if (error == ERROR_OK)
		heads_encode(&room.heads, again);
	return error;
}

static enum error read_prekeys(struct bytes input, struct buffer *again, struct bytes *read)
{
	uint64_t epoch;

	*read = input;
	enum error error = prekeys_decode(input, &room.prekeys);
	if (error != ERROR_OK)
		return error;
	for (uint64_t shift = 0; shift < 64; shift++)
		if (prekeys_epoch_at(&room.prekeys, UINT64_C(1) << shift, 86400, &epoch))
			assert(prekeys_key(&room.prekeys, epoch) != NULL);
	prekeys_encode(&room.prekeys, again);
	return ERROR_OK;
}

static enum error read_cannot_open(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = cannot_open_decode(input, &room.cannot_open);
	if (error == ERROR_OK)
		cannot_open_encode(&room.cannot_open, again);
	return error;
}

static enum error read_missing(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = missing_decode(input, &room.missing);
	if (error == ERROR_OK)
		missing_encode(&room.missing, again);
	return error;
}

/* ---- cards ---- */

/* Signed by an authority that the founding names; with `follow`, each letter follows the one before it. */
static void mend_card(bool follow)
{
	static struct aad aad;
	static uint8_t payload_bytes[1024];
	struct ed25519_pair pair;
	uint8_t seed[ED25519_SEED_SIZE] = {1};
	uint8_t id[PARTY_ID_SIZE];
	uint8_t head[IDENTITY_SIZE] = {0};

	ed25519_pair_from_seed(seed, &pair);
	party_id_from_key(pair.key, id);
	aad_without_channel(&aad, AAD_ENTRY, id);
	for (size_t i = 0; i < room.card.letters_count; i++) {
		struct buffer payload = buffer_make(payload_bytes, sizeof(payload_bytes));
		struct buffer cose = buffer_make(room.letters[i], sizeof(room.letters[i]));
		struct buffer work = buffer_make(room.work, sizeof(room.work));
		struct content *content = &room.entry.content;
		if (entry_decode(room.card.letters[i], &room.entry) != ERROR_OK ||
		    content->kind != CONTENT_LETTER)
			continue;
		struct letter *letter = &content->of.letter;
		letter->number = follow ? i : letter->number;
		letter->has_previous = letter->number > 0;
		if (follow)
			memcpy(letter->previous, head, sizeof(head));
		if (letter->kind == LETTER_FOUNDING)
			memcpy(letter->of.founding.authority_key, pair.key, sizeof(pair.key));
		if (letter->kind == LETTER_POST)
			memcpy(letter->of.post.statement_key, pair.key, sizeof(pair.key));
		content_encode(content, &payload);
		identity_of(&aad, buffer_bytes(&payload), head);
		if (buffer_error(&payload) == ERROR_OK &&
		    signed_alone(&pair, &aad, buffer_bytes(&payload), &work, &cose) == ERROR_OK)
			room.card.letters[i] = buffer_bytes(&cose);
	}
}

static enum error read_card(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct buffer work = buffer_make(room.work, sizeof(room.work));

	*read = input;
	enum error error = card_decode(input, &room.card);
	if (error != ERROR_OK)
		return error;
	card_encode(&room.card, again);
	if (card_verify(&room.card, &room.entry, &work, &room.card_party) != ERROR_OK) {
		mend_card(input.size % 4 != 0);
		work.size = 0;
		error = card_verify(&room.card, &room.entry, &work, &room.card_party);
		if (error == ERROR_OK)
			assert(room.card_party.number + 1 == room.card.letters_count);
	}
	return ERROR_OK;
}

/* ---- files ---- */

static enum error read_terms(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct terms terms;

	*read = input;
	enum error error = terms_decode(input, &terms);
	if (error == ERROR_OK)
		terms_encode(&terms, again);
	return error;
}

/* The last element is the beginning of a hash over all before it. */
static struct bytes mend_checksum(struct bytes input)
{
	uint8_t hash[crypto_hash_sha256_BYTES];

	if (input.size < 16 || input.size > sizeof(room.mended))
		return input;
	memcpy(room.mended, input.data, input.size);
	crypto_hash_sha256(hash, input.data, input.size - 9);
	memcpy(room.mended + input.size - 8, hash, 8);
	return bytes_make(room.mended, input.size);
}

static enum error read_keying(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = mend_checksum(input);
	enum error error = keying_decode(*read, &room.keying);
	if (error == ERROR_OK)
		assert(keying_encode(&room.keying, again) == ERROR_OK);
	return error;
}

static enum error read_post_file(struct bytes input, struct buffer *again, struct bytes *read)
{
	*read = input;
	enum error error = post_file_decode(input, &room.post_file);
	if (error == ERROR_OK)
		post_file_encode(&room.post_file, again);
	return error;
}

/* ---- heads and proofs ---- */

static enum error read_checkpoint(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct checkpoint checkpoint;

	*read = input;
	enum error error = checkpoint_parse(input, &checkpoint);
	if (error == ERROR_OK)
		assert(checkpoint_write(&checkpoint, again) == ERROR_OK);
	return error;
}

/* A head that is read is signed and made into a note, in front of the input's own lines of signatures. */
static void read_note_of(const struct checkpoint *checkpoint, struct bytes lines)
{
	struct buffer buffer = buffer_make(room.mended, sizeof(room.mended));
	struct ed25519_pair pair;
	uint8_t seed[ED25519_SEED_SIZE] = {2};
	uint8_t signature[ED25519_SIGNATURE_SIZE];
	struct signed_note note;
	struct checkpoint opened;
	uint64_t time;

	ed25519_pair_from_seed(seed, &pair);
	if (checkpoint_sign(checkpoint, &pair, signature) != ERROR_OK ||
	    checkpoint_note_write(checkpoint, pair.key, signature, &buffer) != ERROR_OK)
		return;
	buffer_append(&buffer, lines);
	if (checkpoint_note_open(buffer_bytes(&buffer), checkpoint->origin, pair.key, &note, &opened) !=
	    ERROR_OK)
		return;
	assert(opened.size == checkpoint->size && merkle_hash_equal(&opened.root, &checkpoint->root));
	(void)checkpoint_note_cosigned(&note, &opened, checkpoint->origin, pair.key, &time);
}

static enum error read_note(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct signed_note note;
	struct checkpoint checkpoint;

	*read = input;
	enum error error = signed_note_parse(input, &note);
	if (error != ERROR_OK)
		return error;
	assert(note.count >= 1 && note.count <= SIGNED_NOTE_LINES_MAX);
	(void)signed_note_names_differ(&note);
	if (checkpoint_parse(note.text, &checkpoint) == ERROR_OK)
		read_note_of(&checkpoint, note.lines);
	buffer_append(again, note.text);
	buffer_append_byte(again, '\n');
	buffer_append(again, note.lines);
	return ERROR_OK;
}

static enum error read_equivocation(struct bytes input, struct buffer *again, struct bytes *read)
{
	static struct equivocation equivocation;
	struct cbor_reader reader = cbor_reader_make(input);
	uint8_t key[ED25519_KEY_SIZE] = {0};

	*read = input;
	equivocation_read(&reader, &equivocation);
	enum error error = cbor_read_end(&reader);
	if (error == ERROR_OK)
		equivocation_write(&equivocation, again);
	assert(equivocation_check(bytes_of_text("origin"), key, &equivocation) != ERROR_OK);
	return error;
}

static enum error read_frontier(struct bytes input, struct buffer *again, struct bytes *read)
{
	static struct merkle_frontier frontier;

	*read = input;
	enum error error = merkle_frontier_read(input, &frontier);
	if (error == ERROR_OK)
		merkle_frontier_write(&frontier, again);
	return error;
}

/* [index, old size, new size, proof]: what a proof leads to is what it verifies for, and for nothing else. */
static enum error read_proof(struct bytes input, struct buffer *again, struct bytes *read)
{
	static struct merkle_proof proof;
	struct cbor_reader reader = cbor_reader_make(input);
	struct merkle_hash leaf = {{1}};
	struct merkle_hash roots[2];

	*read = input;
	cbor_read_array_exact(&reader, 4);
	uint64_t index = cbor_read_uint(&reader);
	uint64_t size_old = cbor_read_uint(&reader);
	uint64_t size_new = cbor_read_uint(&reader);
	merkle_proof_read(&reader, &proof);
	enum error error = cbor_read_end(&reader);
	if (error != ERROR_OK)
		return error;
	if (merkle_root_from_inclusion(index, size_new, &leaf, &proof, &roots[0]) == ERROR_OK) {
		assert(merkle_inclusion_verify(index, size_new, &leaf, &proof, &roots[0]) == ERROR_OK);
		roots[0].bytes[size_old % sizeof(roots[0].bytes)] ^= 1;
		assert(merkle_inclusion_verify(index, size_new, &leaf, &proof, &roots[0]) == ERROR_BAD_PROOF);
	}
	if (merkle_roots_from_consistency(size_old, size_new, &leaf, &proof, &roots[0], &roots[1]) ==
	    ERROR_OK) {
		assert(merkle_consistency_verify(size_old, size_new, &proof, &roots[0], &roots[1]) ==
		       ERROR_OK);
		roots[1].bytes[index % sizeof(roots[1].bytes)] ^= 1;
		assert(merkle_consistency_verify(size_old, size_new, &proof, &roots[0], &roots[1]) !=
		       ERROR_OK);
	}
	cbor_write_array(again, 4);
	cbor_write_uint(again, index);
	cbor_write_uint(again, size_old);
	cbor_write_uint(again, size_new);
	merkle_proof_write(&proof, again);
	return ERROR_OK;
}

/* ---- what people type ---- */

static enum error read_reference(struct bytes input, struct buffer *again, struct bytes *read)
{
	struct reference reference;
	struct reference same;
	uint64_t time;
	uint64_t time_again;

	*read = bytes_make(NULL, 0);
	if (date_time_group_parse(input, &time) == ERROR_OK) {
		date_time_group_append(again, time);
		assert(date_time_group_parse(buffer_bytes(again), &time_again) == ERROR_OK &&
		       time == time_again);
	}
	again->size = 0;
	enum error error = reference_parse(input, &reference);
	if (error != ERROR_OK)
		return error;
	assert(reference.post_name.size <= input.size && reference.incarnation >= 1);
	reference_append(again, reference.post_name, reference.incarnation, reference.position, 0);
	assert(buffer_error(again) == ERROR_OK);
	if (reference_parse(buffer_bytes(again), &same) == ERROR_OK)
		assert(same.incarnation == reference.incarnation && same.position == reference.position);
	again->size = 0;
	return ERROR_OK;
}

/* ---- the target ---- */

static const struct {
	reader *read;
	bool plain; /* no CBOR */
} readers[] = {
	{read_content, false},      {read_entry, false},     {read_sealed, false},    {read_wire, false},
	{read_leaf, false},         {read_receipt, false},   {read_heads, false},     {read_prekeys, false},
	{read_cannot_open, false},  {read_missing, false},   {read_card, false},      {read_terms, false},
	{read_keying, false},       {read_post_file, false}, {read_checkpoint, true}, {read_note, true},
	{read_equivocation, false}, {read_frontier, true},   {read_proof, false},     {read_reference, true},
};
#define READERS (sizeof(readers) / sizeof(readers[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *memory = malloc(AGAIN_SIZE_MAX);
	uint8_t *input = malloc(size + 1); /* of just its size, so that the sanitizer sees an over-read */

	stand_in_use(true);
	if (size >= 2 && memory != NULL && input != NULL) {
		struct buffer again = buffer_make(memory, AGAIN_SIZE_MAX);
		struct bytes read;
		memcpy(input, data + 1, size - 1);
		input = realloc(input, size - 1);
		if (readers[data[0] % READERS].read(bytes_make(input, size - 1), &again, &read) == ERROR_OK)
			assert(buffer_error(&again) == ERROR_OK && bytes_equal(buffer_bytes(&again), read));
	}
	free(input);
	free(memory);
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	bool plain = input.size == 0 || readers[input.data[0] % READERS].plain;

	return plain ? input.size : 1;
}
