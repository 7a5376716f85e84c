#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/merkle.h"
#include "tests/unit/hex.h"

/* ---- the reference tree of the RFC 6962 implementations: eight leaves and the roots of its prefixes ---- */

#define REFERENCE_LEAVES 8

static const char *const reference_leaves[REFERENCE_LEAVES] = {
	"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
};

static const char *const reference_roots[REFERENCE_LEAVES + 1] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

/* ---- a naive tree, straight from the definitions of RFC 9162, section 2.1 ---- */

#define NAIVE_LEAVES 131

static struct merkle_hash naive_leaves[NAIVE_LEAVES];

static struct merkle_hash leaf_of_number(uint64_t number)
{
	uint8_t data[8];
	struct merkle_hash hash;

	store_u64(data, number);
	merkle_leaf_hash(bytes_make(data, sizeof data), &hash);
	return hash;
}

static int fill_naive_leaves(void **state)
{
	for (size_t i = 0; i < NAIVE_LEAVES; i++)
		naive_leaves[i] = leaf_of_number(i);
	return 0;
}

/* The largest power of two smaller than count. */
static size_t naive_split(size_t count)
{
	size_t split = 1;

	while (split * 2 < count)
		split *= 2;
	return split;
}

static struct merkle_hash naive_root(const struct merkle_hash *leaves, size_t count)
{
	struct merkle_hash left, right, root;

	if (count == 0)
		merkle_empty_root(&root);
	else if (count == 1)
		root = leaves[0];
	else {
		left = naive_root(leaves, naive_split(count));
		right = naive_root(leaves + naive_split(count), count - naive_split(count));
		merkle_node_hash(&left, &right, &root);
	}
	return root;
}

/* PATH(m, D_n) */
static void naive_path(size_t m, const struct merkle_hash *leaves, size_t n, struct merkle_proof *proof)
{
	const size_t k = naive_split(n);

	if (n == 1)
		return;
	if (m < k) {
		naive_path(m, leaves, k, proof);
		proof->hashes[proof->count++] = naive_root(leaves + k, n - k);
	} else {
		naive_path(m - k, leaves + k, n - k, proof);
		proof->hashes[proof->count++] = naive_root(leaves, k);
	}
}

/* SUBPROOF(m, D_n, b) */
static void naive_subproof(size_t m, const struct merkle_hash *leaves, size_t n, bool whole,
			   struct merkle_proof *proof)
{
	const size_t k = naive_split(n);

	if (m == n) {
		if (!whole)
			proof->hashes[proof->count++] = naive_root(leaves, n);
		return;
	}
	if (m <= k) {
		naive_subproof(m, leaves, k, whole, proof);
		proof->hashes[proof->count++] = naive_root(leaves + k, n - k);
	} else {
		naive_subproof(m - k, leaves + k, n - k, false, proof);
		proof->hashes[proof->count++] = naive_root(leaves, k);
	}
}

/* What an ordered store would hold: the rows that merkle_append gave, by level and index. */
struct store {
	struct merkle_hash rows[8][NAIVE_LEAVES];
	bool held[8][NAIVE_LEAVES];
	size_t count;
	struct merkle_frontier frontier;
};

static void store_append(struct store *store, size_t leaf)
{
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	size_t count;

	assert_int_equal(merkle_append(&store->frontier, &naive_leaves[leaf], nodes, &count), ERROR_OK);
	for (size_t i = 0; i < count; i++) {
		const struct merkle_coordinate at = nodes[i].at;

		assert_true(at.level < 8 && at.index < NAIVE_LEAVES);
		assert_false(store->held[at.level][at.index]);
		store->rows[at.level][at.index] = nodes[i].hash;
		store->held[at.level][at.index] = true;
		store->count++;
	}
}

static void store_proof(const struct store *store, const struct merkle_proof_nodes *nodes,
			struct merkle_proof *proof)
{
	struct merkle_hash hashes[MERKLE_PROOF_NODES_MAX];

	for (size_t i = 0; i < nodes->count; i++) {
		const struct merkle_coordinate at = nodes->nodes[i];

		assert_true(at.level < 8 && at.index < NAIVE_LEAVES);
		assert_true(store->held[at.level][at.index]);
		hashes[i] = store->rows[at.level][at.index];
	}
	merkle_proof_from_nodes(nodes, hashes, proof);
}

static void assert_same_proof(const struct merkle_proof *a, const struct merkle_proof *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->hashes, b->hashes, a->count * sizeof a->hashes[0]);
}

static void assert_hash(const struct merkle_hash *hash, const char *hexadecimal)
{
	char text[2 * MERKLE_HASH_SIZE + 1];

	assert_string_equal(sodium_bin2hex(text, sizeof text, hash->bytes, sizeof hash->bytes), hexadecimal);
}

/* ---- tests ---- */

static void the_reference_tree_has_its_known_roots(void **state)
{
	struct merkle_frontier frontier;
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	struct merkle_hash root, leaf;
	uint8_t data[16];
	size_t size, count;

	merkle_frontier_init(&frontier);
	for (size_t i = 0; i <= REFERENCE_LEAVES; i++) {
		merkle_frontier_root(&frontier, &root);
		assert_hash(&root, reference_roots[i]);
		if (i == REFERENCE_LEAVES)
			break;
		sodium_hex2bin(data, sizeof data, reference_leaves[i], strlen(reference_leaves[i]), NULL,
			       &size, NULL);
		merkle_leaf_hash(bytes_make(data, size), &leaf);
		assert_int_equal(merkle_append(&frontier, &leaf, nodes, &count), ERROR_OK);
	}
}

/*
 * Two of the published proofs of transparency-dev/merkle over that tree; test_merkle_vectors.c runs them all.
 */
static void published_proofs_over_the_reference_tree_verify(void **state)
{
	static const char *const inclusion_of_2_in_3 =
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
	static const char *const consistency_of_6_and_8[3] = {
		"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
		"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	};
	struct merkle_hash roots[REFERENCE_LEAVES + 1], leaf;
	struct merkle_proof proof = {.count = 1};

	for (size_t i = 0; i <= REFERENCE_LEAVES; i++)
		hex_decode(reference_roots[i], roots[i].bytes, MERKLE_HASH_SIZE);
	merkle_leaf_hash(bytes_make("\x10", 1), &leaf);
	hex_decode(inclusion_of_2_in_3, proof.hashes[0].bytes, MERKLE_HASH_SIZE);
	assert_int_equal(merkle_inclusion_verify(2, 3, &leaf, &proof, &roots[3]), ERROR_OK);
	assert_int_equal(merkle_inclusion_verify(1, 3, &leaf, &proof, &roots[3]), ERROR_BAD_PROOF);

	proof.count = 3;
	for (size_t i = 0; i < 3; i++)
		hex_decode(consistency_of_6_and_8[i], proof.hashes[i].bytes, MERKLE_HASH_SIZE);
	assert_int_equal(merkle_consistency_verify(6, 8, &proof, &roots[6], &roots[8]), ERROR_OK);
	assert_int_equal(merkle_consistency_verify(6, 8, &proof, &roots[5], &roots[8]), ERROR_BAD_PROOF);
}

static void every_root_agrees_with_the_definition(void **state)
{
	static struct store store;

	for (size_t size = 0; size < NAIVE_LEAVES; size++) {
		const struct merkle_hash expected = naive_root(naive_leaves, size);
		struct merkle_hash root;

		merkle_frontier_root(&store.frontier, &root);
		assert_true(merkle_hash_equal(&root, &expected));
		store_append(&store, size);
	}
	/* n leaves complete 2n - popcount(n) perfect nodes. */
	assert_int_equal(store.count, 2 * NAIVE_LEAVES - (size_t)__builtin_popcount(NAIVE_LEAVES));
	for (size_t level = 0; level < 8; level++)
		for (size_t index = 0; (index + 1) << level <= NAIVE_LEAVES; index++) {
			const struct merkle_hash expected =
				naive_root(naive_leaves + (index << level), (size_t)1 << level);

			assert_true(merkle_hash_equal(&store.rows[level][index], &expected));
		}
}

static void every_inclusion_proof_agrees_with_the_definition(void **state)
{
	static struct store store;
	struct merkle_proof_nodes nodes;
	struct merkle_proof proof, expected;
	struct merkle_hash root;

	for (size_t size = 1; size <= NAIVE_LEAVES; size++) {
		store_append(&store, size - 1);
		merkle_frontier_root(&store.frontier, &root);
		for (size_t index = 0; index < size; index++) {
			assert_int_equal(merkle_inclusion_nodes(index, size, &nodes), ERROR_OK);
			store_proof(&store, &nodes, &proof);
			expected.count = 0;
			naive_path(index, naive_leaves, size, &expected);
			assert_same_proof(&proof, &expected);
			assert_int_equal(
				merkle_inclusion_verify(index, size, &naive_leaves[index], &proof, &root),
				ERROR_OK);
		}
	}
}

static void every_consistency_proof_agrees_with_the_definition(void **state)
{
	static struct store store;
	static struct merkle_hash roots[NAIVE_LEAVES + 1];
	struct merkle_proof_nodes nodes;
	struct merkle_proof proof, expected;
	struct merkle_hash root_old, root_new;

	for (size_t size_new = 1; size_new <= NAIVE_LEAVES; size_new++) {
		store_append(&store, size_new - 1);
		merkle_frontier_root(&store.frontier, &roots[size_new]);
		for (size_t size_old = 1; size_old <= size_new; size_old++) {
			const bool whole = (size_old & (size_old - 1)) == 0 || size_old == size_new;

			assert_int_equal(merkle_consistency_nodes(size_old, size_new, &nodes), ERROR_OK);
			store_proof(&store, &nodes, &proof);
			expected.count = 0;
			naive_subproof(size_old, naive_leaves, size_new, true, &expected);
			assert_same_proof(&proof, &expected);
			assert_int_equal(merkle_consistency_verify(size_old, size_new, &proof,
								   &roots[size_old], &roots[size_new]),
					 ERROR_OK);
			assert_int_equal(merkle_roots_from_consistency(size_old, size_new,
								       whole ? &roots[size_old] : NULL,
								       &proof, &root_old, &root_new),
					 ERROR_OK);
			assert_true(merkle_hash_equal(&root_old, &roots[size_old]));
			assert_true(merkle_hash_equal(&root_new, &roots[size_new]));
		}
	}
}

static void a_spoiled_inclusion_proof_is_refused(void **state)
{
	const size_t size = 100;
	const struct merkle_hash root = naive_root(naive_leaves, size);
	struct merkle_hash shown;
	const size_t indices[] = {0, 1, 63, 64, 95, 96, 98, 99};

	for (size_t i = 0; i < sizeof indices / sizeof indices[0]; i++) {
		const size_t index = indices[i];
		struct merkle_proof proof = {.count = 0};

		naive_path(index, naive_leaves, size, &proof);
		for (size_t bit = 0; bit < proof.count * MERKLE_HASH_SIZE * 8; bit += 37) {
			uint8_t *byte = &proof.hashes[bit / 256].bytes[bit / 8 % 32];

			*byte ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(
				merkle_inclusion_verify(index, size, &naive_leaves[index], &proof, &root),
				ERROR_BAD_PROOF);
			*byte ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t other = 0; other < size; other++)
			if (other != index)
				assert_int_equal(merkle_inclusion_verify(other, size, &naive_leaves[index],
									 &proof, &root),
						 ERROR_BAD_PROOF);
		proof.count--;
		assert_int_equal(
			merkle_root_from_inclusion(index, size, &naive_leaves[index], &proof, &shown),
			ERROR_BAD_PROOF);
		proof.hashes[proof.count + 1] = root;
		proof.count += 2;
		assert_int_equal(
			merkle_root_from_inclusion(index, size, &naive_leaves[index], &proof, &shown),
			ERROR_BAD_PROOF);
	}
}

static void a_spoiled_consistency_proof_is_refused(void **state)
{
	for (size_t size_old = 1; size_old < 40; size_old++) {
		const size_t size_new = 40;
		const struct merkle_hash root_old = naive_root(naive_leaves, size_old);
		const struct merkle_hash root_new = naive_root(naive_leaves, size_new);
		struct merkle_proof proof = {.count = 0};

		naive_subproof(size_old, naive_leaves, size_new, true, &proof);
		for (size_t i = 0; i < proof.count; i++) {
			proof.hashes[i].bytes[i] ^= 0x10;
			assert_int_equal(
				merkle_consistency_verify(size_old, size_new, &proof, &root_old, &root_new),
				ERROR_BAD_PROOF);
			proof.hashes[i].bytes[i] ^= 0x10;
		}
		assert_int_equal(merkle_consistency_verify(size_old, size_new, &proof, &root_new, &root_new),
				 ERROR_BAD_PROOF);
		assert_int_equal(merkle_consistency_verify(size_old, size_new, &proof, &root_old, &root_old),
				 ERROR_BAD_PROOF);
		proof.count--;
		assert_int_equal(merkle_consistency_verify(size_old, size_new, &proof, &root_old, &root_new),
				 ERROR_BAD_PROOF);
		proof.hashes[proof.count + 1] = root_new;
		proof.count += 2;
		assert_int_equal(merkle_consistency_verify(size_old, size_new, &proof, &root_old, &root_new),
				 ERROR_BAD_PROOF);
	}
}

static void sizes_out_of_range_are_refused(void **state)
{
	const struct merkle_proof empty = {.count = 0};
	const struct merkle_hash hash = naive_leaves[0];
	struct merkle_proof_nodes nodes;
	struct merkle_coordinate coordinates[MERKLE_LEVELS_MAX];
	size_t count;

	assert_int_equal(merkle_inclusion_nodes(0, 0, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_nodes(5, 5, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_nodes(0, MERKLE_SIZE_MAX + 1, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_nodes(UINT64_MAX, UINT64_MAX, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_nodes(0, 0, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_nodes(0, 1, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_nodes(2, 1, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_nodes(1, UINT64_MAX, &nodes), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_frontier_nodes(MERKLE_SIZE_MAX + 1, coordinates, &count), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_verify(0, 0, &hash, &empty, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_verify(1, 1, &hash, &empty, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_inclusion_verify(0, UINT64_MAX, &hash, &empty, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_verify(0, 0, &empty, &hash, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_verify(0, 1, &empty, &hash, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_verify(2, 1, &empty, &hash, &hash), ERROR_OUT_OF_RANGE);
	assert_int_equal(merkle_consistency_verify(UINT64_MAX, UINT64_MAX, &empty, &hash, &hash),
			 ERROR_OUT_OF_RANGE);
}

/* The proofs of the largest trees must fit their arrays and lead to one root from every leaf. With one hash
 * in every row the proofs of the two ends of the tree are easily predicted. */
static void the_largest_trees_fit(void **state)
{
	const uint64_t sizes[] = {MERKLE_SIZE_MAX, MERKLE_SIZE_MAX - 1, MERKLE_SIZE_MAX / 2 + 1};
	static struct merkle_hash hashes[MERKLE_PROOF_NODES_MAX];
	struct merkle_proof_nodes nodes;
	struct merkle_proof proof;
	struct merkle_hash root;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const uint64_t size = sizes[i];
		const uint64_t indices[] = {0, 1, size / 2 - 1, size / 2, size - 2, size - 1};

		for (size_t j = 0; j < sizeof indices / sizeof indices[0]; j++) {
			assert_int_equal(merkle_inclusion_nodes(indices[j], size, &nodes), ERROR_OK);
			merkle_proof_from_nodes(&nodes, hashes, &proof);
			assert_int_equal(
				merkle_root_from_inclusion(indices[j], size, &hashes[0], &proof, &root),
				ERROR_OK);
			assert_int_equal(merkle_consistency_nodes(indices[j] + 1, size, &nodes), ERROR_OK);
			merkle_proof_from_nodes(&nodes, hashes, &proof);
			assert_int_equal(merkle_roots_from_consistency(indices[j] + 1, size, &hashes[0],
								       &proof, &root, &root),
					 ERROR_OK);
		}
	}
	assert_int_equal(merkle_consistency_nodes(MERKLE_SIZE_MAX - 1, MERKLE_SIZE_MAX, &nodes), ERROR_OK);
	merkle_proof_from_nodes(&nodes, hashes, &proof);
	assert_int_equal(proof.count, PROOF_HASHES_MAX);
}

static void appending_stops_at_the_largest_size(void **state)
{
	struct merkle_frontier frontier;
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	struct merkle_hash before, after;
	size_t count;

	merkle_frontier_init(&frontier);
	frontier.size = MERKLE_SIZE_MAX - 1;
	assert_int_equal(merkle_append(&frontier, &naive_leaves[0], nodes, &count), ERROR_OK);
	assert_int_equal(count, MERKLE_LEVELS_MAX);
	assert_int_equal(nodes[63].at.level, 63);
	assert_int_equal(nodes[63].at.index, 0);
	merkle_frontier_root(&frontier, &before);
	assert_true(merkle_hash_equal(&before, &nodes[63].hash));
	assert_int_equal(merkle_append(&frontier, &naive_leaves[0], nodes, &count), ERROR_FULL);
	assert_int_equal(count, 0);
	merkle_frontier_root(&frontier, &after);
	assert_true(merkle_hash_equal(&before, &after));
}

static void a_frontier_survives_writing_and_reading(void **state)
{
	static struct store store;
	uint8_t memory[MERKLE_FRONTIER_SIZE_MAX];
	struct merkle_frontier read;
	struct merkle_hash a, b;

	for (size_t size = 0; size < NAIVE_LEAVES; size++) {
		struct buffer buffer = buffer_make(memory, sizeof memory);

		merkle_frontier_write(&store.frontier, &buffer);
		assert_int_equal(buffer_error(&buffer), ERROR_OK);
		assert_int_equal(buffer.size, 8 + 32 * (size_t)__builtin_popcount((unsigned)size));
		assert_int_equal(merkle_frontier_read(buffer_bytes(&buffer), &read), ERROR_OK);
		assert_int_equal(read.size, size);
		merkle_frontier_root(&store.frontier, &a);
		merkle_frontier_root(&read, &b);
		assert_true(merkle_hash_equal(&a, &b));
		store_append(&store, size);
	}
}

static void a_frontier_comes_back_from_its_rows(void **state)
{
	static struct store store;
	struct merkle_coordinate coordinates[MERKLE_LEVELS_MAX];
	struct merkle_hash hashes[MERKLE_LEVELS_MAX], a, b;
	struct merkle_frontier loaded;
	size_t count;

	for (size_t size = 0; size < NAIVE_LEAVES; size++) {
		assert_int_equal(merkle_frontier_nodes(size, coordinates, &count), ERROR_OK);
		for (size_t i = 0; i < count; i++) {
			assert_true(store.held[coordinates[i].level][coordinates[i].index]);
			hashes[i] = store.rows[coordinates[i].level][coordinates[i].index];
		}
		merkle_frontier_from_nodes(size, hashes, &loaded);
		merkle_frontier_root(&store.frontier, &a);
		merkle_frontier_root(&loaded, &b);
		assert_true(merkle_hash_equal(&a, &b));
		store_append(&store, size);
	}
}

static void a_frontier_of_another_length_or_size_is_refused(void **state)
{
	uint8_t memory[8 + 3 * 32 + 1] = {0, 0, 0, 0, 0, 0, 0, 7};
	struct merkle_frontier frontier;

	assert_int_equal(merkle_frontier_read(bytes_make(memory, 8 + 3 * 32), &frontier), ERROR_OK);
	assert_int_equal(merkle_frontier_read(bytes_make(memory, 8 + 3 * 32 + 1), &frontier), ERROR_TRAILING);
	assert_int_equal(frontier.size, 0);
	for (size_t size = 0; size < 8 + 3 * 32; size++)
		assert_int_equal(merkle_frontier_read(bytes_make(memory, size), &frontier), ERROR_TRUNCATED);
	memory[0] = 0x80;
	assert_int_equal(merkle_frontier_read(bytes_make(memory, 8 + 3 * 32), &frontier), ERROR_OUT_OF_RANGE);
	memset(memory, 0xff, 8);
	assert_int_equal(merkle_frontier_read(bytes_make(memory, sizeof memory), &frontier),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(frontier.size, 0);
}

static void a_proof_survives_the_wire_and_a_longer_one_is_refused(void **state)
{
	struct merkle_proof proof = {.count = PROOF_HASHES_MAX}, read;
	uint8_t memory[2 + (PROOF_HASHES_MAX + 1) * 34];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct cbor_reader reader;

	for (size_t i = 0; i < proof.count; i++)
		proof.hashes[i] = naive_leaves[i];
	merkle_proof_write(&proof, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	reader = cbor_reader_make(buffer_bytes(&buffer));
	merkle_proof_read(&reader, &read);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	assert_same_proof(&proof, &read);

	buffer = buffer_make(memory, sizeof memory);
	cbor_write_array(&buffer, PROOF_HASHES_MAX + 1);
	for (size_t i = 0; i <= PROOF_HASHES_MAX; i++)
		cbor_write_bytes(&buffer, bytes_make(proof.hashes[0].bytes, MERKLE_HASH_SIZE));
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	reader = cbor_reader_make(buffer_bytes(&buffer));
	merkle_proof_read(&reader, &read);
	assert_int_equal(cbor_reader_error(&reader), ERROR_TOO_LARGE);
	assert_int_equal(read.count, 0);

	buffer = buffer_make(memory, sizeof memory);
	cbor_write_array(&buffer, 1);
	cbor_write_bytes(&buffer, bytes_make(proof.hashes[0].bytes, MERKLE_HASH_SIZE - 1));
	reader = cbor_reader_make(buffer_bytes(&buffer));
	merkle_proof_read(&reader, &read);
	assert_int_not_equal(cbor_reader_error(&reader), ERROR_OK);
	assert_int_equal(read.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reference_tree_has_its_known_roots),
		cmocka_unit_test(published_proofs_over_the_reference_tree_verify),
		cmocka_unit_test(every_root_agrees_with_the_definition),
		cmocka_unit_test(every_inclusion_proof_agrees_with_the_definition),
		cmocka_unit_test(every_consistency_proof_agrees_with_the_definition),
		cmocka_unit_test(a_spoiled_inclusion_proof_is_refused),
		cmocka_unit_test(a_spoiled_consistency_proof_is_refused),
		cmocka_unit_test(sizes_out_of_range_are_refused),
		cmocka_unit_test(the_largest_trees_fit),
		cmocka_unit_test(appending_stops_at_the_largest_size),
		cmocka_unit_test(a_frontier_survives_writing_and_reading),
		cmocka_unit_test(a_frontier_comes_back_from_its_rows),
		cmocka_unit_test(a_frontier_of_another_length_or_size_is_refused),
		cmocka_unit_test(a_proof_survives_the_wire_and_a_longer_one_is_refused),
	};

	return cmocka_run_group_tests(tests, fill_naive_leaves, NULL);
}
