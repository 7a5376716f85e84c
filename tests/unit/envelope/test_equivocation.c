#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"
#include "tests/unit/hex.h"

#define ORIGIN "liaison/8c10366cdcc9cf548e3a686e8d5c3202"

/*
 * The worked example of doc/PROTOCOL.md, from an independent implementation. At size 2 the log of seed 01
 * shows the leaves h'00' and h'', at size 3 h'', h'00' and h'10'.
 */
#define WORKED_EVIDENCE                                                                                      \
	"8383025820e55b0804febdeee44ad3c48fb68c98fffdf93dca4866faefb5245e669ed161135840050318fe9974ffd47f"   \
	"ba277d5a2e004fb900bc0b79eb5c817c8b29051246998b035dcbbd49d7450e72a70fa3ff8fa882517b31b874c5e7617d"   \
	"b32f6da7f5830583035820aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e775840afc5c6"   \
	"778e654590a1e333fe681293a777819128ffe96f6940ec47bddf83e6f920df270775d8c955a156910cf599d0c8f88fc8"   \
	"ea6f6188a40b72b26909e4fd05825820fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"   \
	"8158200298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"

/*
 * Two histories of one log. They share the first `SHARED` leaves and part after them; each is kept as all its
 * rows, so that proofs can be made at every size.
 */
#define LEAVES 21
#define SHARED 5
#define LEVELS 5

struct history {
	struct merkle_hash rows[LEVELS][LEAVES];
	struct signed_head heads[LEAVES + 1]; /* by size */
};

static struct history one, other;
static struct ed25519_pair log_pair, stranger;

static void sign_head(const struct ed25519_pair *pair, const char *origin, struct signed_head *head)
{
	const struct checkpoint checkpoint = {
		.origin = bytes_of_text(origin), .size = head->size, .root = head->root};

	assert_int_equal(checkpoint_sign(&checkpoint, pair, head->signature), ERROR_OK);
}

static void make_history(struct history *history, uint8_t mark)
{
	struct merkle_frontier frontier;
	struct merkle_node nodes[MERKLE_LEVELS_MAX];

	merkle_frontier_init(&frontier);
	for (size_t size = 0;; size++) {
		const uint8_t data[2] = {(uint8_t)size, size < SHARED ? 0 : mark};
		struct merkle_hash leaf;
		size_t count;

		history->heads[size].size = size;
		merkle_frontier_root(&frontier, &history->heads[size].root);
		sign_head(&log_pair, ORIGIN, &history->heads[size]);
		if (size == LEAVES)
			break;
		merkle_leaf_hash(bytes_make(data, sizeof data), &leaf);
		assert_int_equal(merkle_append(&frontier, &leaf, nodes, &count), ERROR_OK);
		for (size_t i = 0; i < count; i++)
			history->rows[nodes[i].at.level][nodes[i].at.index] = nodes[i].hash;
	}
}

static int make_histories(void **state)
{
	uint8_t seed[ED25519_SEED_SIZE];

	memset(seed, 1, sizeof seed);
	ed25519_pair_from_seed(seed, &log_pair);
	memset(seed, 2, sizeof seed);
	ed25519_pair_from_seed(seed, &stranger);
	make_history(&one, 1);
	make_history(&other, 2);
	return 0;
}

static void make_proof(const struct history *history, size_t size_old, size_t size_new,
		       struct merkle_proof *proof)
{
	struct merkle_proof_nodes nodes;
	struct merkle_hash hashes[MERKLE_PROOF_NODES_MAX];

	assert_int_equal(merkle_consistency_nodes(size_old, size_new, &nodes), ERROR_OK);
	for (size_t i = 0; i < nodes.count; i++)
		hashes[i] = history->rows[nodes.nodes[i].level][nodes.nodes[i].index];
	merkle_proof_from_nodes(&nodes, hashes, proof);
}

/* The evidence of one who holds `larger` up to size_new and is shown a head of `smaller`. */
static struct equivocation make_evidence(const struct history *smaller, size_t size_old,
					 const struct history *larger, size_t size_new)
{
	struct equivocation equivocation;
	struct merkle_proof proof = {.count = 0};

	if (size_old != size_new)
		make_proof(larger, size_old, size_new, &proof);
	equivocation_make(&larger->heads[size_new], &smaller->heads[size_old], &larger->heads[size_old].root,
			  &proof, &equivocation);
	return equivocation;
}

static enum error check(const struct equivocation *equivocation)
{
	return equivocation_check(bytes_of_text(ORIGIN), log_pair.key, equivocation);
}

static void every_fork_is_proven(void **state)
{
	for (size_t size_new = SHARED + 1; size_new <= LEAVES; size_new++)
		for (size_t size_old = SHARED + 1; size_old <= size_new; size_old++) {
			struct equivocation equivocation = make_evidence(&one, size_old, &other, size_new);

			assert_int_equal(check(&equivocation), ERROR_OK);
			equivocation = make_evidence(&other, size_old, &one, size_new);
			assert_int_equal(check(&equivocation), ERROR_OK);
		}
}

/* An honest log, whose heads all lie on one history, is never convicted: nor before the histories part. */
static void an_honest_log_is_not_accused(void **state)
{
	for (size_t size_new = 1; size_new <= LEAVES; size_new++)
		for (size_t size_old = 1; size_old <= size_new; size_old++) {
			struct equivocation equivocation = make_evidence(&one, size_old, &one, size_new);

			assert_int_equal(check(&equivocation),
					 size_old == size_new ? ERROR_MALFORMED : ERROR_BAD_PROOF);
			if (size_old > SHARED)
				continue;
			equivocation = make_evidence(&other, size_old, &one, size_new);
			assert_int_not_equal(check(&equivocation), ERROR_OK);
		}
}

/*
 * Whatever an accuser does to a true proof between two heads of one history, it does not become an
 * accusation.
 */
static void a_spoiled_proof_proves_nothing(void **state)
{
	for (size_t size_old = 1; size_old < LEAVES; size_old++) {
		const struct equivocation honest = make_evidence(&one, size_old, &one, LEAVES);
		struct equivocation spoiled = honest;

		spoiled.prefix_root.bytes[7] ^= 1;
		assert_int_equal(check(&spoiled), ERROR_BAD_PROOF);
		spoiled.prefix_root = other.heads[size_old].root;
		assert_int_equal(check(&spoiled), ERROR_BAD_PROOF);
		for (size_t i = 0; i < honest.proof.count; i++) {
			spoiled = honest;
			spoiled.prefix_root.bytes[7] ^= 1;
			spoiled.proof.hashes[i].bytes[0] ^= 1;
			assert_int_equal(check(&spoiled), ERROR_BAD_PROOF);
		}
		spoiled = honest;
		spoiled.prefix_root.bytes[7] ^= 1;
		spoiled.proof.count = 0;
		assert_int_equal(check(&spoiled), ERROR_BAD_PROOF);
		/* Another size's proof and root. */
		for (size_t size = 1; size < LEAVES; size++) {
			if (size == size_old)
				continue;
			spoiled = honest;
			make_proof(&one, size, LEAVES, &spoiled.proof);
			spoiled.prefix_root = one.heads[size].root;
			assert_int_equal(check(&spoiled), ERROR_BAD_PROOF);
		}
	}
}

static void both_heads_must_be_signed_by_the_log_key_for_this_origin(void **state)
{
	static const size_t sizes[2][2] = {{9, 9}, {7, 16}};

	for (size_t i = 0; i < 2; i++) {
		const struct equivocation evidence = make_evidence(&one, sizes[i][0], &other, sizes[i][1]);

		for (size_t head = 0; head < 2; head++) {
			struct equivocation forged = evidence;

			sign_head(&stranger, ORIGIN, &forged.heads[head]);
			assert_int_equal(check(&forged), ERROR_BAD_SIGNATURE);
			sign_head(&log_pair, "another origin", &forged.heads[head]);
			assert_int_equal(check(&forged), ERROR_BAD_SIGNATURE);
			memset(forged.heads[head].signature, 0, sizeof forged.heads[head].signature);
			assert_int_equal(check(&forged), ERROR_BAD_SIGNATURE);
		}
		assert_int_equal(equivocation_check(bytes_of_text("another origin"), log_pair.key, &evidence),
				 ERROR_BAD_SIGNATURE);
		assert_int_equal(equivocation_check(bytes_of_text(ORIGIN), stranger.key, &evidence),
				 ERROR_BAD_SIGNATURE);
		assert_int_equal(equivocation_check(bytes_of_text(""), log_pair.key, &evidence),
				 ERROR_MALFORMED);
	}
}

/* A key of small order verifies signatures that nobody made, over any text: it convicts nobody. */
static void a_key_of_small_order_convicts_nobody(void **state)
{
	static const uint8_t neutral[ED25519_KEY_SIZE] = {1};
	struct equivocation evidence = make_evidence(&one, 9, &other, 9);

	for (size_t head = 0; head < 2; head++) {
		memset(evidence.heads[head].signature, 0, ED25519_SIGNATURE_SIZE);
		evidence.heads[head].signature[0] = 1;
	}
	assert_int_equal(equivocation_check(bytes_of_text(ORIGIN), neutral, &evidence), ERROR_BAD_SIGNATURE);
}

static void one_fork_has_one_form(void **state)
{
	static const size_t sizes[2][2] = {{9, 9}, {7, 16}};

	for (size_t i = 0; i < 2; i++) {
		const struct signed_head *a = &one.heads[sizes[i][0]], *b = &other.heads[sizes[i][1]];
		struct equivocation evidence = make_evidence(&one, sizes[i][0], &other, sizes[i][1]), turned;
		uint8_t bytes[2][EQUIVOCATION_SIZE_MAX];
		struct buffer first = buffer_make(bytes[0], sizeof bytes[0]);
		struct buffer second = buffer_make(bytes[1], sizeof bytes[1]);

		equivocation_make(a, b, &evidence.prefix_root, &evidence.proof, &turned);
		equivocation_write(&turned, &first);
		equivocation_make(b, a, &evidence.prefix_root, &evidence.proof, &turned);
		equivocation_write(&turned, &second);
		assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));

		turned = evidence;
		turned.heads[0] = evidence.heads[1];
		turned.heads[1] = evidence.heads[0];
		assert_int_equal(check(&turned), ERROR_MALFORMED);
	}
}

static void sizes_that_prove_nothing_are_refused(void **state)
{
	struct equivocation evidence = make_evidence(&one, 7, &other, 9);

	/* Size 0 with a root that no empty tree has: the larger head does not contradict it. */
	evidence.heads[0].size = 0;
	sign_head(&log_pair, ORIGIN, &evidence.heads[0]);
	assert_int_equal(check(&evidence), ERROR_OUT_OF_RANGE);

	evidence = make_evidence(&one, 7, &other, 9);
	evidence.heads[1].size = UINT64_MAX;
	assert_int_equal(check(&evidence), ERROR_OUT_OF_RANGE);
}

/* ---- CBOR ---- */

static enum error read_evidence(struct bytes bytes, struct equivocation *equivocation)
{
	struct cbor_reader reader = cbor_reader_make(bytes);

	equivocation_read(&reader, equivocation);
	return cbor_read_end(&reader);
}

static void evidence_survives_writing_and_reading(void **state)
{
	for (size_t size_new = SHARED + 1; size_new <= LEAVES; size_new++)
		for (size_t size_old = SHARED + 1; size_old <= size_new; size_old++) {
			const struct equivocation evidence = make_evidence(&one, size_old, &other, size_new);
			struct equivocation read;
			uint8_t memory[EQUIVOCATION_SIZE_MAX];
			struct buffer buffer = buffer_make(memory, sizeof memory);

			equivocation_write(&evidence, &buffer);
			assert_int_equal(buffer_error(&buffer), ERROR_OK);
			assert_int_equal(read_evidence(buffer_bytes(&buffer), &read), ERROR_OK);
			assert_int_equal(check(&read), ERROR_OK);
			assert_int_equal(read.heads[0].size, size_old);
			assert_int_equal(read.heads[1].size, size_new);
		}
}

static void the_longest_evidence_fits(void **state)
{
	struct equivocation evidence = make_evidence(&one, 7, &other, 9), read;
	uint8_t memory[EQUIVOCATION_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	evidence.heads[0].size = MERKLE_SIZE_MAX - 1;
	evidence.heads[1].size = MERKLE_SIZE_MAX;
	evidence.proof.count = PROOF_HASHES_MAX;
	equivocation_write(&evidence, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_int_equal(buffer.size, EQUIVOCATION_SIZE_MAX);
	assert_int_equal(read_evidence(buffer_bytes(&buffer), &read), ERROR_OK);
	assert_int_equal(read.proof.count, PROOF_HASHES_MAX);
}

static void cut_and_lengthened_evidence_is_refused(void **state)
{
	const struct equivocation evidence = make_evidence(&one, 7, &other, 16), zero = {0};
	struct equivocation read;
	uint8_t memory[EQUIVOCATION_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	equivocation_write(&evidence, &buffer);
	buffer_append_byte(&buffer, 0);
	assert_int_equal(read_evidence(buffer_bytes(&buffer), &read), ERROR_TRAILING);
	for (size_t size = 0; size < buffer.size - 1; size++) {
		uint8_t *copy = test_malloc(size + 1);

		memcpy(copy, memory, size);
		assert_int_not_equal(read_evidence(bytes_make(copy, size), &read), ERROR_OK);
		assert_memory_equal(&read, &zero, sizeof read);
		test_free(copy);
	}
}

static void the_worked_example_is_proof(void **state)
{
	uint8_t memory[EQUIVOCATION_SIZE_MAX], written[EQUIVOCATION_SIZE_MAX];
	const struct bytes bytes = hex_decode(WORKED_EVIDENCE, memory, sizeof memory);
	struct buffer buffer = buffer_make(written, sizeof written);
	struct equivocation read;

	assert_int_equal(read_evidence(bytes, &read), ERROR_OK);
	assert_int_equal(check(&read), ERROR_OK);
	equivocation_write(&read, &buffer);
	assert_true(bytes_equal(buffer_bytes(&buffer), bytes));
}

/* A proof where sizes are equal, and none where they differ. */
static void evidence_with_the_wrong_parts_is_refused(void **state)
{
	struct equivocation read;
	uint8_t memory[EQUIVOCATION_SIZE_MAX];
	struct equivocation evidence = make_evidence(&one, 7, &other, 16);
	struct buffer buffer = buffer_make(memory, sizeof memory);

	equivocation_write(&evidence, &buffer);
	/* The second head begins after the array, and the 102 bytes of the first head. */
	assert_int_equal(memory[1 + 102 + 1], 16);
	memory[1 + 102 + 1] = 7;
	assert_int_equal(read_evidence(buffer_bytes(&buffer), &read), ERROR_WRONG_TYPE);

	evidence = make_evidence(&one, 9, &other, 9);
	buffer = buffer_make(memory, sizeof memory);
	equivocation_write(&evidence, &buffer);
	memory[1 + 102 + 1] = 8;
	assert_int_equal(read_evidence(buffer_bytes(&buffer), &read), ERROR_WRONG_TYPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fork_is_proven),
		cmocka_unit_test(an_honest_log_is_not_accused),
		cmocka_unit_test(a_spoiled_proof_proves_nothing),
		cmocka_unit_test(both_heads_must_be_signed_by_the_log_key_for_this_origin),
		cmocka_unit_test(a_key_of_small_order_convicts_nobody),
		cmocka_unit_test(one_fork_has_one_form),
		cmocka_unit_test(sizes_that_prove_nothing_are_refused),
		cmocka_unit_test(evidence_survives_writing_and_reading),
		cmocka_unit_test(the_worked_example_is_proof),
		cmocka_unit_test(the_longest_evidence_fits),
		cmocka_unit_test(cut_and_lengthened_evidence_is_refused),
		cmocka_unit_test(evidence_with_the_wrong_parts_is_refused),
	};

	return cmocka_run_group_tests(tests, make_histories, NULL);
}
