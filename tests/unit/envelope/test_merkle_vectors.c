/*
 * The published proofs of transparency-dev/merkle (testdata): each file is one proof, and wantErr says
 * whether a verifier must refuse it.
 *
 * Sets: inclusion and consistency, whole. subtreeinclusion and subtreeconsistency are about the subtrees of
 * draft-ietf-plants-merkle-tree-certs; where the subtree starts at leaf 0 it is a tree as of RFC 9162 and the
 * file is run as such (an inclusion proof in the tree of `end` leaves; a consistency proof between the trees
 * of `end` and `size` leaves); with any other start the file is passed over: this program has no such
 * subtrees.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "envelope/merkle.h"

struct tally {
	size_t accepted;
	size_t refused;
	size_t passed_over; /* subtrees that RFC 9162 does not have */
};

/* Runs one file; its verdict is checked there. */
typedef void run_file(const char *path, json_t *vector, struct tally *tally);

/* One size or index. Whole numbers are loaded as reals, because 2^64 - 1 stands in some files and is too
 * large for jansson; all others are far below 2^53. */
static uint64_t get_number(const char *path, json_t *vector, const char *key)
{
	const json_t *value = json_object_get(vector, key);
	double number;

	if (!json_is_real(value))
		fail_msg("%s: no number %s", path, key);
	number = json_real_value(value);
	if (number >= 18446744073709551615.0)
		return UINT64_MAX;
	assert_true(number >= 0 && number < 9007199254740992.0);
	return (uint64_t)number;
}

/* The bytes of a base64 text, at most size_max. */
static size_t get_bytes(const char *path, const json_t *value, uint8_t *to, size_t size_max)
{
	const char *text = json_string_value(value);
	size_t size = 0;

	if (text == NULL || sodium_base642bin(to, size_max, text, strlen(text), NULL, &size, NULL,
					      sodium_base64_VARIANT_ORIGINAL) != 0)
		fail_msg("%s: not base64", path);
	return size;
}

/*
 * False if there are no bytes at all, which no one can send us as a hash. Some files have a word in place of
 * a root: it is taken as a hash that begins with the word, which keeps what those files are about: whether
 * two roots are the same.
 */
static bool get_hash(const char *path, json_t *vector, const char *key, struct merkle_hash *hash)
{
	memset(hash, 0, sizeof *hash);
	return get_bytes(path, json_object_get(vector, key), hash->bytes, sizeof hash->bytes) > 0;
}

/* False if the proof is not made of hashes at all: no proof that can be sent to us. */
static bool get_proof(const char *path, json_t *vector, struct merkle_proof *proof)
{
	const json_t *hashes = json_object_get(vector, "proof");
	uint8_t bytes[256];
	bool whole = true;

	proof->count = json_array_size(hashes); /* 0 for null */
	assert_true(proof->count <= PROOF_HASHES_MAX);
	for (size_t i = 0; i < proof->count; i++) {
		if (get_bytes(path, json_array_get(hashes, i), bytes, sizeof bytes) != MERKLE_HASH_SIZE)
			whole = false;
		memcpy(proof->hashes[i].bytes, bytes, MERKLE_HASH_SIZE);
	}
	return whole;
}

static void check_verdict(const char *path, json_t *vector, bool accepted, struct tally *tally)
{
	const json_t *refuse = json_object_get(vector, "wantErr");

	if (!json_is_boolean(refuse) || accepted == json_is_true(refuse))
		fail_msg("%s (%s): %s", path, json_string_value(json_object_get(vector, "desc")),
			 accepted ? "accepted" : "refused");
	if (accepted)
		tally->accepted++;
	else
		tally->refused++;
}

static void run_inclusion_in(const char *path, json_t *vector, const char *size_key, struct tally *tally)
{
	const uint64_t index = get_number(path, vector, "leafIdx"), size = get_number(path, vector, size_key);
	struct merkle_hash leaf, root;
	struct merkle_proof proof;
	bool whole = get_proof(path, vector, &proof);

	whole = get_hash(path, vector, "leafHash", &leaf) && whole;
	whole = get_hash(path, vector, "root", &root) && whole;
	check_verdict(path, vector,
		      whole && merkle_inclusion_verify(index, size, &leaf, &proof, &root) == ERROR_OK, tally);
}

static void run_inclusion(const char *path, json_t *vector, struct tally *tally)
{
	run_inclusion_in(path, vector, "treeSize", tally);
}

static void run_subtree_inclusion(const char *path, json_t *vector, struct tally *tally)
{
	if (get_number(path, vector, "start") != 0)
		tally->passed_over++;
	else
		run_inclusion_in(path, vector, "end", tally);
}

static void run_consistency_between(const char *path, json_t *vector, const char *old_key,
				    const char *new_key, struct tally *tally)
{
	const uint64_t size_old = get_number(path, vector, old_key),
		       size_new = get_number(path, vector, new_key);
	struct merkle_hash root_old, root_new;
	struct merkle_proof proof;
	bool whole = get_proof(path, vector, &proof);

	whole = get_hash(path, vector, "root1", &root_old) && whole;
	whole = get_hash(path, vector, "root2", &root_new) && whole;
	check_verdict(path, vector,
		      whole && merkle_consistency_verify(size_old, size_new, &proof, &root_old, &root_new) ==
				       ERROR_OK,
		      tally);
}

static void run_consistency(const char *path, json_t *vector, struct tally *tally)
{
	run_consistency_between(path, vector, "size1", "size2", tally);
}

static void run_subtree_consistency(const char *path, json_t *vector, struct tally *tally)
{
	if (get_number(path, vector, "start") != 0 || get_number(path, vector, "end") == 0)
		tally->passed_over++;
	else
		run_consistency_between(path, vector, "end", "size", tally);
}

static void run_folder(const char *path, run_file *run, struct tally *tally)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	char path_entry[1024];

	if (folder == NULL)
		fail_msg("%s: cannot be opened", path);
	while ((entry = readdir(folder)) != NULL) {
		json_error_t error;
		json_t *vector;

		if (entry->d_name[0] == '.')
			continue;
		assert_true((size_t)snprintf(path_entry, sizeof path_entry, "%s/%s", path, entry->d_name) <
			    sizeof path_entry);
		if (strstr(entry->d_name, ".json") == NULL) {
			run_folder(path_entry, run, tally);
			continue;
		}
		vector = json_load_file(path_entry, JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, &error);
		if (vector == NULL)
			fail_msg("%s: %s", path_entry, error.text);
		run(path_entry, vector, tally);
		json_decref(vector);
	}
	closedir(folder);
}

/* The tally is pinned, so that no file drops out of the run unseen. */
static void run_set(const char *set, run_file *run, struct tally expected)
{
	const char *vectors = getenv("LIAISON_VECTORS");
	struct tally tally = {0};
	char path[1024];
	DIR *folder;

	if (vectors == NULL) {
		printf("# skipped: the published vectors are not here (LIAISON_VECTORS is not set)\n");
		skip();
		return;
	}
	snprintf(path, sizeof path, "%s/transparency-dev-merkle/testdata/%s", vectors, set);
	folder = opendir(path);
	if (folder == NULL)
		fail_msg("%s cannot be read", path);
	closedir(folder);

	run_folder(path, run, &tally);
	print_message("# %s: %zu accepted, %zu refused, %zu passed over\n", set, tally.accepted,
		      tally.refused, tally.passed_over);
	assert_int_equal(tally.accepted, expected.accepted);
	assert_int_equal(tally.refused, expected.refused);
	assert_int_equal(tally.passed_over, expected.passed_over);
}

static void published_inclusion_proofs_get_their_verdict(void **state)
{
	run_set("inclusion", run_inclusion, (struct tally){6, 92, 0});
}

static void published_consistency_proofs_get_their_verdict(void **state)
{
	run_set("consistency", run_consistency, (struct tally){6, 92, 0});
}

static void published_subtree_inclusion_proofs_from_leaf_0_get_their_verdict(void **state)
{
	run_set("subtreeinclusion", run_subtree_inclusion, (struct tally){6, 95, 103});
}

static void published_subtree_consistency_proofs_from_leaf_0_get_their_verdict(void **state)
{
	run_set("subtreeconsistency", run_subtree_consistency, (struct tally){6, 85, 27});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_inclusion_proofs_get_their_verdict),
		cmocka_unit_test(published_consistency_proofs_get_their_verdict),
		cmocka_unit_test(published_subtree_inclusion_proofs_from_leaf_0_get_their_verdict),
		cmocka_unit_test(published_subtree_consistency_proofs_from_leaf_0_get_their_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
