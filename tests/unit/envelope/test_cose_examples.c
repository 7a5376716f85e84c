/*
 * The published COSE examples (cose-wg/Examples), each named, with what is checked of it. None is in our
 * exact form (all but two are tagged, all name a key), so our decoder must refuse every one; what carries
 * over is the Sig_structure and the Ed25519 signature.
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
#include <sodium.h>

#include "envelope/cose.h"
#include "tests/unit/envelope/vectors.h"

enum check {
	SIGNATURE, /* our Sig_structure is the published one, its signature verifies and is what we make */
	STRUCTURE, /* our Sig_structure is the published one; its signature is of an algorithm not ours */
	CHANGED,   /* changed after it was signed, so our Sig_structure differs from what was signed */
};

struct example {
	const char *path;
	enum check check;
};

static const struct example covered[] = {
	{"eddsa-examples/eddsa-01.json", SIGNATURE},
	{"eddsa-examples/eddsa-sig-01.json", SIGNATURE},
	{"countersign/signed-01.json", SIGNATURE},
	{"countersign/signed-02.json", SIGNATURE},
	{"countersign/signed-03.json", SIGNATURE},
	{"countersign/signed1-01.json", SIGNATURE},
	{"countersign/signed1-02.json", SIGNATURE},
	{"countersign1/signed-01.json", SIGNATURE},
	{"countersign1/signed-02.json", SIGNATURE},
	{"countersign1/signed1-01.json", SIGNATURE},
	/* Ed448 */
	{"eddsa-examples/eddsa-02.json", STRUCTURE},
	{"eddsa-examples/eddsa-sig-02.json", STRUCTURE},
	/* ECDSA */
	{"CWT/A_3.json", STRUCTURE},
	{"RFC8152/Appendix_C_1_1.json", STRUCTURE},
	{"RFC8152/Appendix_C_1_2.json", STRUCTURE},
	{"RFC8152/Appendix_C_1_3.json", STRUCTURE},
	{"RFC8152/Appendix_C_1_4.json", STRUCTURE},
	{"RFC8152/Appendix_C_2_1.json", STRUCTURE},
	{"sign-tests/ecdsa-01.json", STRUCTURE},
	{"sign-tests/sign-pass-01.json", STRUCTURE},
	{"sign-tests/sign-pass-02.json", STRUCTURE},
	{"sign-tests/sign-pass-03.json", STRUCTURE},
	{"sign-tests/sign-fail-01.json", STRUCTURE}, /* a wrong tag */
	{"sign-tests/sign-fail-02.json", STRUCTURE}, /* a changed signature */
	{"sign-tests/sign-fail-03.json", CHANGED},
	{"sign-tests/sign-fail-04.json", CHANGED},
	{"sign-tests/sign-fail-06.json", CHANGED},
	{"sign-tests/sign-fail-07.json", CHANGED},
	{"sign1-tests/sign-pass-01.json", STRUCTURE},
	{"sign1-tests/sign-pass-02.json", STRUCTURE},
	{"sign1-tests/sign-pass-03.json", STRUCTURE},
	{"sign1-tests/sign-fail-01.json", STRUCTURE},
	{"sign1-tests/sign-fail-02.json", CHANGED}, /* the payload */
	{"sign1-tests/sign-fail-03.json", CHANGED},
	{"sign1-tests/sign-fail-04.json", CHANGED},
	{"sign1-tests/sign-fail-06.json", CHANGED},
	{"sign1-tests/sign-fail-07.json", CHANGED},
};

/* Everything else, by how its path begins. */
static const struct {
	const char *path, *why;
} not_covered[] = {
	{"CWT/A_4.json", "MAC"},
	{"CWT/A_5.json", "AES-CCM"},
	{"CWT/A_6.json", "nested in AES-CCM"},
	{"CWT/A_7.json", "MAC"},
	{"RFC8152/Appendix_B.json", "COSE_Encrypt with AES-GCM and key wrap"},
	{"RFC8152/Appendix_C_3_", "COSE_Encrypt with recipients"},
	{"RFC8152/Appendix_C_4_", "AES-CCM"},
	{"RFC8152/Appendix_C_5_", "MAC"},
	{"RFC8152/Appendix_C_6_", "MAC"},
	{"X25519-tests/", "COSE's own key agreement, before HPKE"},
	{"chacha-poly-examples/", "content keys known beforehand; ours come from HPKE"},
	{"countersign/Encrypt-", "countersigned encryption"},
	{"countersign/Enveloped-", "countersigned encryption"},
	{"countersign/mac", "MAC"},
	{"countersign1/Encrypt-", "countersigned encryption"},
	{"countersign1/Enveloped-", "countersigned encryption"},
	{"countersign1/mac", "MAC"},
	{"encrypted-tests/", "AES-GCM"},
	{"enveloped-tests/", "AES-GCM with recipients"},
	{"hkdf-hmac-sha-examples/", "COSE's own key derivation, before HPKE"},
	{"mac-tests/", "MAC"},
	{"mac0-tests/", "MAC"},
};

/* ---- a lenient walk over CBOR: the examples are not all deterministic ---- */

struct walk {
	const uint8_t *data;
	size_t size, at;
};

static uint64_t walk_head(struct walk *walk, unsigned *type)
{
	unsigned first, extra;
	uint64_t argument;

	assert_true(walk->at < walk->size);
	first = walk->data[walk->at++];
	*type = first >> 5;
	argument = first & 31;
	assert_true(argument <= 27);
	extra = argument < 24 ? 0 : 1U << (argument - 24);
	assert_true(extra <= walk->size - walk->at);
	if (extra != 0)
		argument = 0;
	for (; extra != 0; extra--)
		argument = argument << 8 | walk->data[walk->at++];
	return argument;
}

static struct bytes walk_bytes(struct walk *walk)
{
	unsigned type;
	uint64_t size = walk_head(walk, &type);
	struct bytes bytes;

	assert_int_equal(type, CBOR_BYTES);
	assert_true(size <= walk->size - walk->at);
	bytes = bytes_make(walk->data + walk->at, (size_t)size);
	walk->at += (size_t)size;
	return bytes;
}

static void walk_past(struct walk *walk)
{
	for (uint64_t left = 1; left != 0; left--) {
		unsigned type;
		uint64_t argument = walk_head(walk, &type);

		if (type == CBOR_BYTES || type == CBOR_TEXT)
			walk->at += (size_t)argument;
		else if (type == CBOR_ARRAY)
			left += argument;
		else if (type == CBOR_MAP)
			left += 2 * argument;
	}
}

/* Past a tag, if there is one, and the head of an array of `count`. */
static void walk_array(struct walk *walk, size_t count)
{
	unsigned type;
	uint64_t argument = walk_head(walk, &type);

	if (type == CBOR_TAG)
		argument = walk_head(walk, &type);
	assert_int_equal(type, CBOR_ARRAY);
	assert_true(argument == count || count == 0);
}

/* ---- one example ---- */

/* RFC 9052, section 4.4: an empty map counts as no bytes. */
static struct bytes normal(struct bytes headers)
{
	return headers.size == 1 && headers.data[0] == 0xa0 ? bytes_make(NULL, 0) : headers;
}

static struct bytes external_of(const json_t *object)
{
	const json_t *external = json_object_get(object, "external");

	return external == NULL ? bytes_make(NULL, 0) : hex(json_string_value(external));
}

static void check_signature(const json_t *signer, struct bytes signed_bytes, struct bytes signature)
{
	const json_t *key = member_of(signer, "key");
	struct ed25519_pair pair;
	uint8_t ours[ED25519_SIGNATURE_SIZE];

	assert_string_equal(text_of(key, "crv"), "Ed25519");
	assert_int_equal(signature.size, ED25519_SIGNATURE_SIZE);
	assert_int_equal(ed25519_verify(bytes_of(key, "x_hex").data, signed_bytes, signature.data), ERROR_OK);
	ed25519_pair_from_seed(bytes_of(key, "d_hex").data, &pair);
	ed25519_sign(&pair, signed_bytes, ours);
	assert_true(bytes_equal(bytes_make(ours, sizeof ours), signature));
}

static void check_structure(const struct example *example, const json_t *signer, const json_t *intermediates,
			    struct bytes structure, struct bytes signature)
{
	bool same = bytes_equal(structure, bytes_of(intermediates, "ToBeSign_hex"));

	if (same != (example->check != CHANGED))
		fail_msg("%s: the Sig_structure", example->path);
	if (example->check == SIGNATURE)
		check_signature(signer, structure, signature);
}

static void check_sign1(const struct example *example, const json_t *file, struct walk *walk)
{
	const json_t *signer = member_of(member_of(file, "input"), "sign0");
	struct bytes headers, payload;
	uint8_t memory[512];
	struct buffer structure = buffer_make(memory, sizeof memory);

	walk_array(walk, 4);
	headers = normal(walk_bytes(walk));
	walk_past(walk);
	payload = walk_bytes(walk);
	cose_sign1_structure(headers, external_of(signer), payload, &structure);
	check_structure(example, signer, member_of(file, "intermediates"), buffer_bytes(&structure),
			walk_bytes(walk));
}

static void check_sign(const struct example *example, const json_t *file, struct walk *walk)
{
	const json_t *signers = member_of(member_of(member_of(file, "input"), "sign"), "signers");
	const json_t *intermediates = member_of(member_of(file, "intermediates"), "signers");
	struct bytes headers, payload;

	walk_array(walk, 4);
	headers = normal(walk_bytes(walk));
	walk_past(walk);
	payload = walk_bytes(walk);
	walk_array(walk, json_array_size(signers));
	for (size_t i = 0; i < json_array_size(signers); i++) {
		const json_t *signer = json_array_get(signers, i);
		struct bytes signer_headers;
		uint8_t memory[512];
		struct buffer structure = buffer_make(memory, sizeof memory);

		walk_array(walk, 3);
		signer_headers = normal(walk_bytes(walk));
		walk_past(walk);
		cose_sign_structure(headers, signer_headers, external_of(signer), payload, &structure);
		check_structure(example, signer, json_array_get(intermediates, i), buffer_bytes(&structure),
				walk_bytes(walk));
	}
}

static void check_example(const struct example *example)
{
	char path[128];
	struct cose_signed object;
	struct cose_sealed sealed;
	struct walk walk = {NULL, 0, 0};
	struct bytes encoded;
	json_t *file;

	hex_reset();
	snprintf(path, sizeof path, "cose-wg-Examples/%s", example->path);
	file = vectors_load(path);
	encoded = bytes_of(member_of(file, "output"), "cbor");
	assert_int_not_equal(cose_signed_decode(encoded, &object), ERROR_OK);
	assert_int_not_equal(cose_sealed_decode(encoded, &sealed), ERROR_OK);
	walk.data = encoded.data;
	walk.size = encoded.size;
	if (json_object_get(member_of(file, "input"), "sign0") != NULL)
		check_sign1(example, file, &walk);
	else
		check_sign(example, file, &walk);
	assert_int_equal(walk.at, walk.size);
	json_decref(file);
}

static void covered_examples_hold(void **state)
{
	for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++)
		check_example(&covered[i]);
}

/* ---- that the lists above name every file there is ---- */

static bool is_listed(const char *path)
{
	for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++)
		if (strcmp(path, covered[i].path) == 0)
			return true;
	for (size_t i = 0; i < sizeof not_covered / sizeof not_covered[0]; i++)
		if (strncmp(path, not_covered[i].path, strlen(not_covered[i].path)) == 0)
			return true;
	return false;
}

static size_t check_folder(const char *root, const char *folder)
{
	char path[2048];
	struct dirent *entry;
	size_t count = 0;
	DIR *directory;

	snprintf(path, sizeof path, "%s/%s", root, folder);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
		if (!is_listed(path))
			fail_msg("%s is in neither list", path);
		count++;
	}
	closedir(directory);
	return count;
}

static void every_example_is_covered_or_listed_with_the_reason(void **state)
{
	static const char *const folders[] = {
		"CWT", "RFC8152", "X25519-tests", "chacha-poly-examples", "countersign", "countersign1",
		"eddsa-examples", "encrypted-tests", "enveloped-tests", "hkdf-hmac-sha-examples", "mac-tests",
		"mac0-tests", "sign-tests", "sign1-tests",
	};
	json_t *there = vectors_load("cose-wg-Examples/eddsa-examples/eddsa-01.json");
	size_t total = 0;
	char root[1024];

	json_decref(there);
	snprintf(root, sizeof root, "%s/cose-wg-Examples", getenv("LIAISON_VECTORS"));
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		total += check_folder(root, folders[i]);
	assert_int_equal(total, 139);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(covered_examples_hold),
		cmocka_unit_test(every_example_is_covered_or_listed_with_the_reason),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope cose examples", tests, NULL, NULL);
}
