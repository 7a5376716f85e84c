#include "envelope/merkle.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#define PREFIX_LEAF 0x00
#define PREFIX_NODE 0x01

static_assert(MERKLE_HASH_SIZE == crypto_hash_sha256_BYTES, "the trees are made with SHA-256");

bool merkle_hash_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->bytes, b->bytes, MERKLE_HASH_SIZE) == 0;
}

void merkle_empty_root(struct merkle_hash *root)
{
	crypto_hash_sha256(root->bytes, (const uint8_t *)"", 0);
}

void merkle_leaf_hash(struct bytes data, struct merkle_hash *hash)
{
	crypto_hash_sha256_state state;
	const uint8_t prefix = PREFIX_LEAF;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	crypto_hash_sha256_update(&state, data.data, data.size);
	crypto_hash_sha256_final(&state, hash->bytes);
}

void merkle_node_hash(const struct merkle_hash *left, const struct merkle_hash *right,
		      struct merkle_hash *hash)
{
	uint8_t input[1 + 2 * MERKLE_HASH_SIZE];

	input[0] = PREFIX_NODE;
	memcpy(input + 1, left->bytes, MERKLE_HASH_SIZE);
	memcpy(input + 1 + MERKLE_HASH_SIZE, right->bytes, MERKLE_HASH_SIZE);
	crypto_hash_sha256(hash->bytes, input, sizeof input);
}

static bool bit_is_set(uint64_t value, unsigned bit)
{
	return (value >> bit & 1) != 0;
}

/* The number of bits up to the highest one set. */
static unsigned bit_length(uint64_t value)
{
	return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

static unsigned count_bits(uint64_t value)
{
	unsigned count = 0;

	for (; value != 0; value &= value - 1)
		count++;
	return count;
}

static bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

/* ---- the frontier ---- */

void merkle_frontier_init(struct merkle_frontier *frontier)
{
	memset(frontier, 0, sizeof *frontier);
}

enum error merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf,
			 struct merkle_node nodes[MERKLE_LEVELS_MAX], size_t *count)
{
	struct merkle_hash hash = *leaf;
	unsigned level;

	*count = 0;
	if (frontier->size >= MERKLE_SIZE_MAX)
		return ERROR_FULL;

	/* Each bit set at the low end of size is a perfect subtree that the new one, its equal, completes. */
	for (level = 0;; level++) {
		nodes[*count].at =
			(struct merkle_coordinate){.index = frontier->size >> level, .level = level};
		nodes[*count].hash = hash;
		(*count)++;
		if (!bit_is_set(frontier->size, level))
			break;
		merkle_node_hash(&frontier->hashes[level], &hash, &hash);
	}
	frontier->hashes[level] = hash;
	frontier->size++;
	return ERROR_OK;
}

void merkle_frontier_root(const struct merkle_frontier *frontier, struct merkle_hash *root)
{
	bool begun = false;

	if (frontier->size == 0) {
		merkle_empty_root(root);
		return;
	}
	for (unsigned level = 0; level < MERKLE_LEVELS_MAX; level++) {
		if (!bit_is_set(frontier->size, level))
			continue;
		if (begun)
			merkle_node_hash(&frontier->hashes[level], root, root);
		else
			*root = frontier->hashes[level];
		begun = true;
	}
}

void merkle_frontier_write(const struct merkle_frontier *frontier, struct buffer *buffer)
{
	buffer_append_u64(buffer, frontier->size);
	for (unsigned level = MERKLE_LEVELS_MAX; level-- > 0;)
		if (bit_is_set(frontier->size, level))
			buffer_append(buffer, bytes_make(frontier->hashes[level].bytes, MERKLE_HASH_SIZE));
}

enum error merkle_frontier_read(struct bytes bytes, struct merkle_frontier *frontier)
{
	uint64_t size;
	size_t size_whole;
	const uint8_t *at;

	merkle_frontier_init(frontier);
	if (bytes.size < 8)
		return ERROR_TRUNCATED;
	size = load_u64(bytes.data);
	if (size > MERKLE_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;
	size_whole = 8 + (size_t)count_bits(size) * MERKLE_HASH_SIZE;
	if (bytes.size != size_whole)
		return bytes.size < size_whole ? ERROR_TRUNCATED : ERROR_TRAILING;

	at = bytes.data + 8;
	for (unsigned level = MERKLE_LEVELS_MAX; level-- > 0;) {
		if (!bit_is_set(size, level))
			continue;
		memcpy(frontier->hashes[level].bytes, at, MERKLE_HASH_SIZE);
		at += MERKLE_HASH_SIZE;
	}
	frontier->size = size;
	return ERROR_OK;
}

enum error merkle_frontier_nodes(uint64_t size, struct merkle_coordinate nodes[MERKLE_LEVELS_MAX],
				 size_t *count)
{
	*count = 0;
	if (size > MERKLE_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;
	for (unsigned level = MERKLE_LEVELS_MAX; level-- > 0;)
		if (bit_is_set(size, level))
			nodes[(*count)++] =
				(struct merkle_coordinate){.index = (size >> level) - 1, .level = level};
	return ERROR_OK;
}

void merkle_frontier_from_nodes(uint64_t size, const struct merkle_hash *hashes,
				struct merkle_frontier *frontier)
{
	assert(size <= MERKLE_SIZE_MAX);
	merkle_frontier_init(frontier);
	for (unsigned level = MERKLE_LEVELS_MAX; level-- > 0;)
		if (bit_is_set(size, level))
			frontier->hashes[level] = *hashes++;
	frontier->size = size;
}

/* ---- which rows a proof needs ---- */

static void add_node(struct merkle_proof_nodes *nodes, unsigned level, uint64_t index)
{
	assert(nodes->count < MERKLE_PROOF_NODES_MAX);
	nodes->nodes[nodes->count++] = (struct merkle_coordinate){.index = index, .level = level};
}

/*
 * Adds the siblings on the way from the perfect node (level, index) to the root of a tree of `size` leaves.
 *
 * The way of this node and that of the last leaf meet at some level. Below it our siblings lie wholly within
 * the tree and are perfect; just below the meeting, the sibling holds the last leaf and may stop short; above
 * it only left siblings count, and they are perfect.
 */
static void add_siblings(struct merkle_proof_nodes *nodes, unsigned level, uint64_t index, uint64_t size)
{
	const uint64_t last = (size - 1) >> level;
	const unsigned level_meet = level + bit_length(index ^ last);

	for (; level < level_meet; level++, index >>= 1) {
		const uint64_t short_part = size & ((UINT64_C(1) << level) - 1);

		if (level + 1 < level_meet || short_part == 0) {
			add_node(nodes, level, index ^ 1);
			continue;
		}
		/* The sibling stops short: its leaves are the low bits of size, largest subtree first. */
		nodes->folded_first = nodes->count;
		for (unsigned part = level; part-- > 0;)
			if (bit_is_set(size, part))
				add_node(nodes, part, (size >> part) - 1);
		nodes->folded_count = nodes->count - nodes->folded_first;
	}
	for (; index != 0; level++, index >>= 1)
		if (bit_is_set(index, 0))
			add_node(nodes, level, index ^ 1);
}

enum error merkle_inclusion_nodes(uint64_t index, uint64_t size, struct merkle_proof_nodes *nodes)
{
	memset(nodes, 0, sizeof *nodes);
	if (size > MERKLE_SIZE_MAX || index >= size)
		return ERROR_OUT_OF_RANGE;
	add_siblings(nodes, 0, index, size);
	return ERROR_OK;
}

enum error merkle_consistency_nodes(uint64_t size_old, uint64_t size_new, struct merkle_proof_nodes *nodes)
{
	unsigned level;
	uint64_t index;

	memset(nodes, 0, sizeof *nodes);
	if (size_old == 0 || size_old > size_new || size_new > MERKLE_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;
	if (size_old == size_new)
		return ERROR_OK;

	/* The proof starts from the last perfect subtree of the old tree. Where that is the whole old tree
	 * its hash is the old root, which the verifier has. */
	level = (unsigned)__builtin_ctzll(size_old);
	index = (size_old >> level) - 1;
	if (index != 0)
		add_node(nodes, level, index);
	add_siblings(nodes, level, index, size_new);
	return ERROR_OK;
}

void merkle_proof_from_nodes(const struct merkle_proof_nodes *nodes, const struct merkle_hash *hashes,
			     struct merkle_proof *proof)
{
	const size_t folded_end = nodes->folded_first + nodes->folded_count;

	proof->count = 0;
	for (size_t i = 0; i < nodes->count; i++) {
		struct merkle_hash *hash;

		assert(proof->count < PROOF_HASHES_MAX);
		hash = &proof->hashes[proof->count++];
		*hash = hashes[i];
		if (nodes->folded_count > 0 && i == nodes->folded_first) {
			*hash = hashes[folded_end - 1];
			for (size_t left = folded_end - 1; left-- > nodes->folded_first;)
				merkle_node_hash(&hashes[left], hash, hash);
			i = folded_end - 1;
		}
	}
}

/* ---- proofs on the wire ---- */

void merkle_proof_write(const struct merkle_proof *proof, struct buffer *buffer)
{
	cbor_write_array(buffer, proof->count);
	for (size_t i = 0; i < proof->count; i++)
		cbor_write_bytes(buffer, bytes_make(proof->hashes[i].bytes, MERKLE_HASH_SIZE));
}

void merkle_proof_read(struct cbor_reader *reader, struct merkle_proof *proof)
{
	const size_t count = cbor_read_array(reader, PROOF_HASHES_MAX);

	for (size_t i = 0; i < count; i++)
		cbor_read_bytes_exact(reader, proof->hashes[i].bytes, MERKLE_HASH_SIZE);
	proof->count = cbor_reader_error(reader) == ERROR_OK ? count : 0;
}

/* ---- verifying ---- */

/* A walk from a node to the root; fn and sn in RFC 9162. */
struct walk {
	uint64_t node; /* fn: the number of our node on this level */
	uint64_t last; /* sn: the number of the last node on this level */
};

/* True if the next hash of the proof is a left sibling. */
static bool walk_from_left(const struct walk *walk)
{
	return bit_is_set(walk->node, 0) || walk->node == walk->last;
}

static void walk_up(struct walk *walk)
{
	/* The last node of a level that has no right sibling stands in for its parent, until it has a left
	 * one. */
	if (walk->node == walk->last)
		while (!bit_is_set(walk->node, 0) && walk->node != 0) {
			walk->node >>= 1;
			walk->last >>= 1;
		}
	walk->node >>= 1;
	walk->last >>= 1;
}

enum error merkle_root_from_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
				      const struct merkle_proof *proof, struct merkle_hash *root)
{
	struct walk walk = {.node = index, .last = size - 1};
	struct merkle_hash hash = *leaf;

	memset(root, 0, sizeof *root);
	if (size > MERKLE_SIZE_MAX || index >= size)
		return ERROR_OUT_OF_RANGE;

	for (size_t i = 0; i < proof->count; i++) {
		if (walk.last == 0)
			return ERROR_BAD_PROOF;
		if (walk_from_left(&walk))
			merkle_node_hash(&proof->hashes[i], &hash, &hash);
		else
			merkle_node_hash(&hash, &proof->hashes[i], &hash);
		walk_up(&walk);
	}
	if (walk.last != 0)
		return ERROR_BAD_PROOF;
	*root = hash;
	return ERROR_OK;
}

enum error merkle_inclusion_verify(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
				   const struct merkle_proof *proof, const struct merkle_hash *root)
{
	struct merkle_hash root_shown;
	enum error error = merkle_root_from_inclusion(index, size, leaf, proof, &root_shown);

	if (error != ERROR_OK)
		return error;
	return merkle_hash_equal(&root_shown, root) ? ERROR_OK : ERROR_BAD_PROOF;
}

/* RFC 9162, 2.1.4.2, steps 3 to 7, from `start`, the last perfect subtree of the old tree, with the hashes of
 * the proof from `first` on. */
static enum error walk_consistency(struct walk walk, const struct merkle_hash *start,
				   const struct merkle_proof *proof, size_t first,
				   struct merkle_hash *root_old, struct merkle_hash *root_new)
{
	struct merkle_hash hash_old = *start, hash_new = *start;

	while (bit_is_set(walk.node, 0)) {
		walk.node >>= 1;
		walk.last >>= 1;
	}
	for (size_t i = first; i < proof->count; i++) {
		if (walk.last == 0)
			return ERROR_BAD_PROOF;
		if (walk_from_left(&walk)) {
			merkle_node_hash(&proof->hashes[i], &hash_old, &hash_old);
			merkle_node_hash(&proof->hashes[i], &hash_new, &hash_new);
		} else {
			merkle_node_hash(&hash_new, &proof->hashes[i], &hash_new);
		}
		walk_up(&walk);
	}
	if (walk.last != 0)
		return ERROR_BAD_PROOF;
	*root_old = hash_old;
	*root_new = hash_new;
	return ERROR_OK;
}

enum error merkle_roots_from_consistency(uint64_t size_old, uint64_t size_new,
					 const struct merkle_hash *start, const struct merkle_proof *proof,
					 struct merkle_hash *root_old, struct merkle_hash *root_new)
{
	const struct walk walk = {.node = size_old - 1, .last = size_new - 1};

	memset(root_old, 0, sizeof *root_old);
	memset(root_new, 0, sizeof *root_new);
	if (size_old == 0 || size_old > size_new || size_new > MERKLE_SIZE_MAX)
		return ERROR_OUT_OF_RANGE;

	if (size_old == size_new) {
		if (proof->count != 0)
			return ERROR_BAD_PROOF;
		*root_old = *start;
		*root_new = *start;
		return ERROR_OK;
	}
	if (proof->count == 0)
		return ERROR_BAD_PROOF;
	if (is_power_of_two(size_old))
		return walk_consistency(walk, start, proof, 0, root_old, root_new);
	return walk_consistency(walk, &proof->hashes[0], proof, 1, root_old, root_new);
}

enum error merkle_consistency_verify(uint64_t size_old, uint64_t size_new, const struct merkle_proof *proof,
				     const struct merkle_hash *root_old, const struct merkle_hash *root_new)
{
	struct merkle_hash old_shown, new_shown;
	enum error error =
		merkle_roots_from_consistency(size_old, size_new, root_old, proof, &old_shown, &new_shown);

	if (error != ERROR_OK)
		return error;
	if (!merkle_hash_equal(&old_shown, root_old) || !merkle_hash_equal(&new_shown, root_new))
		return ERROR_BAD_PROOF;
	return ERROR_OK;
}
