#include "envelope/equivocation.h"

#include <string.h>

#include "envelope/checkpoint.h"

/* The order of the heads in a proof: by size, then bytewise by root; <0, 0, >0. */
static int compare_heads(const struct signed_head *a, const struct signed_head *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->root.bytes, b->root.bytes, MERKLE_HASH_SIZE);
}

void equivocation_make(const struct signed_head *a, const struct signed_head *b,
		       const struct merkle_hash *prefix_root, const struct merkle_proof *proof,
		       struct equivocation *equivocation)
{
	const bool in_order = compare_heads(a, b) <= 0;

	memset(equivocation, 0, sizeof *equivocation);
	equivocation->heads[0] = in_order ? *a : *b;
	equivocation->heads[1] = in_order ? *b : *a;
	if (a->size != b->size) {
		equivocation->prefix_root = *prefix_root;
		equivocation->proof = *proof;
	}
}

static enum error check_head(struct bytes origin, const uint8_t log_key[ED25519_KEY_SIZE],
			     const struct signed_head *head)
{
	const struct checkpoint checkpoint = {.origin = origin, .size = head->size, .root = head->root};

	return checkpoint_verify(&checkpoint, log_key, head->signature);
}

enum error equivocation_check(struct bytes origin, const uint8_t log_key[ED25519_KEY_SIZE],
			      const struct equivocation *equivocation)
{
	const struct signed_head *smaller = &equivocation->heads[0], *larger = &equivocation->heads[1];
	enum error error;

	if (compare_heads(smaller, larger) >= 0)
		return ERROR_MALFORMED;
	error = check_head(origin, log_key, smaller);
	if (error == ERROR_OK)
		error = check_head(origin, log_key, larger);
	if (error != ERROR_OK)
		return error;

	/* Equal sizes: the order leaves only different roots. */
	if (smaller->size == larger->size)
		return ERROR_OK;
	/* A proof from the smaller head's own root shows that the two agree. */
	if (merkle_hash_equal(&equivocation->prefix_root, &smaller->root))
		return ERROR_BAD_PROOF;
	return merkle_consistency_verify(smaller->size, larger->size, &equivocation->proof,
					 &equivocation->prefix_root, &larger->root);
}

/* ---- CBOR ---- */

static void write_head(const struct signed_head *head, struct buffer *buffer)
{
	cbor_write_array(buffer, 3);
	cbor_write_uint(buffer, head->size);
	cbor_write_bytes(buffer, bytes_make(head->root.bytes, MERKLE_HASH_SIZE));
	cbor_write_bytes(buffer, bytes_make(head->signature, ED25519_SIGNATURE_SIZE));
}

void equivocation_write(const struct equivocation *equivocation, struct buffer *buffer)
{
	const bool with_proof = equivocation->heads[0].size != equivocation->heads[1].size;

	cbor_write_array(buffer, with_proof ? 3 : 2);
	write_head(&equivocation->heads[0], buffer);
	write_head(&equivocation->heads[1], buffer);
	if (!with_proof)
		return;
	cbor_write_array(buffer, 2);
	cbor_write_bytes(buffer, bytes_make(equivocation->prefix_root.bytes, MERKLE_HASH_SIZE));
	merkle_proof_write(&equivocation->proof, buffer);
}

static void read_head(struct cbor_reader *reader, struct signed_head *head)
{
	cbor_read_array_exact(reader, 3);
	head->size = cbor_read_uint_max(reader, MERKLE_SIZE_MAX);
	cbor_read_bytes_exact(reader, head->root.bytes, MERKLE_HASH_SIZE);
	cbor_read_bytes_exact(reader, head->signature, ED25519_SIGNATURE_SIZE);
}

void equivocation_read(struct cbor_reader *reader, struct equivocation *equivocation)
{
	const size_t count = cbor_read_array(reader, 3);
	bool with_proof;

	memset(equivocation, 0, sizeof *equivocation);
	read_head(reader, &equivocation->heads[0]);
	read_head(reader, &equivocation->heads[1]);
	with_proof = equivocation->heads[0].size != equivocation->heads[1].size;
	if (count != (with_proof ? 3 : 2))
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	if (with_proof) {
		cbor_read_array_exact(reader, 2);
		cbor_read_bytes_exact(reader, equivocation->prefix_root.bytes, MERKLE_HASH_SIZE);
		merkle_proof_read(reader, &equivocation->proof);
	}
	if (cbor_reader_error(reader) != ERROR_OK)
		memset(equivocation, 0, sizeof *equivocation);
}
