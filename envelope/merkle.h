/*
 * Merkle trees of RFC 9162, section 2.1 (the same trees as RFC 6962), with SHA-256.
 *
 * A log is kept as the hashes of its perfect subtrees, each at a coordinate (level, index): the node covers
 * the leaves index * 2^level up to and not including (index + 1) * 2^level. Such a node never changes once it
 * is complete, so an ordered store of rows (level, index) -> hash is only ever added to. Appending gives the
 * rows to add; a proof first names the rows that it needs, without touching storage, and is then put together
 * from them. The few nodes on the right edge that are not perfect are hashed again from perfect ones.
 *
 * Nothing here keeps state, allocates or takes secrets. Sizes go up to MERKLE_SIZE_MAX, wherever they come
 * from; more is ERROR_OUT_OF_RANGE.
 */
#ifndef ENVELOPE_MERKLE_H
#define ENVELOPE_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/error.h"
#include "base/limits.h"

#define MERKLE_HASH_SIZE  32
#define MERKLE_SIZE_MAX   (UINT64_C(1) << 63) /* leaves */
#define MERKLE_LEVELS_MAX 64                  /* levels 0 to 63 */

struct merkle_hash {
	uint8_t bytes[MERKLE_HASH_SIZE];
};

struct merkle_coordinate {
	uint64_t index;
	unsigned level;
};

struct merkle_node {
	struct merkle_coordinate at;
	struct merkle_hash hash;
};

/* An inclusion or consistency proof: its hashes in the order of RFC 9162. count <= PROOF_HASHES_MAX. */
struct merkle_proof {
	size_t count;
	struct merkle_hash hashes[PROOF_HASHES_MAX];
};

bool merkle_hash_equal(const struct merkle_hash *a, const struct merkle_hash *b);

/* SHA-256 of the empty string: the root of a tree without leaves. */
void merkle_empty_root(struct merkle_hash *root);
/* SHA-256(0x00 || data) */
void merkle_leaf_hash(struct bytes data, struct merkle_hash *hash);
/* SHA-256(0x01 || left || right); hash may be the same object as left or right. */
void merkle_node_hash(const struct merkle_hash *left, const struct merkle_hash *right,
		      struct merkle_hash *hash);

/*
 * The frontier of a tree: its size and the hashes of the perfect subtrees that its leaves fall into from left
 * to right, one for each bit set in size. hashes[level] means something only where bit `level` of size is
 * set. A frontier is all one needs to append and to know the root.
 */
struct merkle_frontier {
	uint64_t size; /* leaves */
	struct merkle_hash hashes[MERKLE_LEVELS_MAX];
};

/* Bytes of the longest serialised frontier. */
#define MERKLE_FRONTIER_SIZE_MAX (8 + MERKLE_LEVELS_MAX * MERKLE_HASH_SIZE)

/* The frontier of the empty tree. */
void merkle_frontier_init(struct merkle_frontier *frontier);

/*
 * Appends one leaf. Writes to nodes (room for MERKLE_LEVELS_MAX) the perfect nodes that it completes, from
 * the leaf (0, size before) upwards, and their number to *count: these are the rows to store. ERROR_FULL at
 * MERKLE_SIZE_MAX leaves; then nothing changes and *count is 0.
 */
enum error merkle_append(struct merkle_frontier *frontier, const struct merkle_hash *leaf,
			 struct merkle_node nodes[MERKLE_LEVELS_MAX], size_t *count);

void merkle_frontier_root(const struct merkle_frontier *frontier, struct merkle_hash *root);

/* Appends size (8 bytes, big-endian) and the hashes from the largest subtree to the smallest. */
void merkle_frontier_write(const struct merkle_frontier *frontier, struct buffer *buffer);

/*
 * Reads what merkle_frontier_write wrote, whole. ERROR_TRUNCATED, ERROR_TRAILING, or ERROR_OUT_OF_RANGE for
 * the size; the frontier is then the empty one. Any hashes make a frontier: compare its root with a head.
 */
enum error merkle_frontier_read(struct bytes bytes, struct merkle_frontier *frontier);

/*
 * The rows that a proof needs, in the order in which merkle_proof_from_nodes takes their hashes. Of them,
 * `folded_count` from `folded_first` on make one hash of the proof together: a subtree at the right edge that
 * is not perfect.
 */
#define MERKLE_PROOF_NODES_MAX (2 * MERKLE_LEVELS_MAX)

struct merkle_proof_nodes {
	size_t count;
	size_t folded_first;
	size_t folded_count; /* 0, or at least 1 */
	struct merkle_coordinate nodes[MERKLE_PROOF_NODES_MAX];
};

/* The rows that hold a frontier of this size: the node of each bit set, from the largest subtree to the
 * smallest, and their number. ERROR_OUT_OF_RANGE above MERKLE_SIZE_MAX. */
enum error merkle_frontier_nodes(uint64_t size, struct merkle_coordinate nodes[MERKLE_LEVELS_MAX],
				 size_t *count);

/* The frontier of this size from the hashes of those rows, in their order. The size is in range. */
void merkle_frontier_from_nodes(uint64_t size, const struct merkle_hash *hashes,
				struct merkle_frontier *frontier);

/* For the inclusion proof of leaf `index` in the tree of `size` leaves (RFC 9162, 2.1.3.1).
 * ERROR_OUT_OF_RANGE unless index < size. */
enum error merkle_inclusion_nodes(uint64_t index, uint64_t size, struct merkle_proof_nodes *nodes);

/* For the consistency proof between the trees of size_old and size_new leaves (RFC 9162, 2.1.4.1): none when
 * the sizes are equal. ERROR_OUT_OF_RANGE unless 0 < size_old <= size_new. */
enum error merkle_consistency_nodes(uint64_t size_old, uint64_t size_new, struct merkle_proof_nodes *nodes);

/* The proof from the hashes of nodes->nodes, in the same order. */
void merkle_proof_from_nodes(const struct merkle_proof_nodes *nodes, const struct merkle_hash *hashes,
			     struct merkle_proof *proof);

/* A proof on the wire: an array of byte strings of 32 bytes. */
void merkle_proof_write(const struct merkle_proof *proof, struct buffer *buffer);

/* Reads such an array; on error (in reader->error: ERROR_TOO_LARGE above PROOF_HASHES_MAX) *proof is empty.
 */
void merkle_proof_read(struct cbor_reader *reader, struct merkle_proof *proof);

/*
 * The root that an inclusion proof leads to (RFC 9162, 2.1.3.2, without the last comparison). Fails as
 * merkle_inclusion_verify; *root is then zero.
 */
enum error merkle_root_from_inclusion(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
				      const struct merkle_proof *proof, struct merkle_hash *root);

/*
 * ERROR_OK if the proof shows that the tree of `size` leaves and of this root holds `leaf` (a leaf hash) at
 * `index` (RFC 9162, 2.1.3.2). ERROR_OUT_OF_RANGE unless index < size <= MERKLE_SIZE_MAX; ERROR_BAD_PROOF if
 * the proof has too few or too many hashes or leads elsewhere.
 */
enum error merkle_inclusion_verify(uint64_t index, uint64_t size, const struct merkle_hash *leaf,
				   const struct merkle_proof *proof, const struct merkle_hash *root);

/*
 * The two roots that a consistency proof leads to (RFC 9162, 2.1.4.2, without the last comparison). Where
 * size_old is a power of two, or equals size_new, the old root is itself a node of the new tree that the
 * proof leaves out: `start` must then be that root, and *root_old becomes equal to it. Otherwise `start` is
 * not looked at and may be NULL. What is shown is that any tree with *root_new has *root_old at size_old.
 * ERROR_OUT_OF_RANGE unless 0 < size_old <= size_new <= MERKLE_SIZE_MAX; ERROR_BAD_PROOF if the proof has too
 * few or too many hashes; both roots are then zero.
 */
enum error merkle_roots_from_consistency(uint64_t size_old, uint64_t size_new,
					 const struct merkle_hash *start, const struct merkle_proof *proof,
					 struct merkle_hash *root_old, struct merkle_hash *root_new);

/*
 * ERROR_OK if the proof shows that the tree of size_new leaves and root_new begins with the tree of size_old
 * leaves and root_old (RFC 9162, 2.1.4.2; equal sizes take an empty proof and equal roots). Every tree begins
 * with the empty one, which proves nothing: size_old 0 is refused. Fails as merkle_roots_from_consistency,
 * and ERROR_BAD_PROOF where a root differs.
 */
enum error merkle_consistency_verify(uint64_t size_old, uint64_t size_new, const struct merkle_proof *proof,
				     const struct merkle_hash *root_old, const struct merkle_hash *root_new);

#endif
