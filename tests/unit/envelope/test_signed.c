#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static struct signed_entry entry;
static uint8_t memory[SIGNED_WORK_SIZE];

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

static struct signer_keys keys_of(enum example_key first, int second)
{
	struct signer_keys keys = {.count = second != 0 ? 2 : 1};
	struct ed25519_pair pair;

	example_pair(first, &pair);
	memcpy(keys.keys[0], pair.key, ED25519_KEY_SIZE);
	if (second != 0) {
		example_pair((enum example_key)second, &pair);
		memcpy(keys.keys[1], pair.key, ED25519_KEY_SIZE);
	}
	return keys;
}

static enum error verify(const struct aad *aad, struct signer_keys keys)
{
	return entry_verify(&entry, aad, &keys, &examples.work);
}

static void load(const char *name)
{
	assert_int_equal(entry_decode(examples_get(&examples, name), &entry), ERROR_OK);
}

/* ---- entries ---- */

static enum error round_trip(struct bytes encoded, struct buffer *again)
{
	struct buffer payload = buffer_make(memory, sizeof(memory));
	enum error error = entry_decode(encoded, &entry);

	if (error != ERROR_OK)
		return error;
	content_encode(&entry.content, &payload);
	entry.cose.payload = buffer_bytes(&payload);
	return cose_signed_encode(&entry.cose, again);
}

static void signed_entries_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "message, signed"), round_trip);
	codec_check(examples_get(&examples, "message, signed by two"), round_trip);
}

static void a_signature_holds_for_its_key_and_aad_only(void **state)
{
	struct aad aad = examples.aad;

	load("message, signed");
	assert_int_equal(entry.content.kind, CONTENT_MESSAGE);
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_OK);
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER_2, 0)), ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER, KEY_FEDERATION_OFFICER_2)),
			 ERROR_BAD_SIGNATURE);
	/* Reflected: as if the other party had sent it. */
	aad_on_channel(&aad, AAD_ENTRY, examples.channel, &examples.roster, examples.alliance);
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_BAD_SIGNATURE);
	/* Carried to another channel. */
	aad = examples.aad;
	aad.channel[0] ^= 1;
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_BAD_SIGNATURE);
	/* Taken for a statement. */
	aad = examples.aad;
	aad.context = AAD_RECEIPT;
	assert_int_equal(verify(&aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_BAD_SIGNATURE);
}

static void every_byte_of_the_payload_is_signed(void **state)
{
	struct bytes example = examples_get(&examples, "message, signed");
	uint8_t copy[1024];
	size_t refused_by_signature = 0;

	assert_true(example.size <= sizeof(copy));
	memcpy(copy, example.data, example.size);
	for (size_t at = 0; at < example.size; at++) {
		copy[at] ^= 1;
		if (entry_decode(bytes_make(copy, example.size), &entry) == ERROR_OK) {
			assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER, 0)),
					 ERROR_BAD_SIGNATURE);
			refused_by_signature++;
		}
		copy[at] ^= 1;
	}
	/* Most of it is text, hashes and the signature itself, all of which decode with one bit changed. */
	assert_true(refused_by_signature > example.size / 2);
}

static void two_officers_sign_in_their_order(void **state)
{
	load("message, signed by two");
	assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER, KEY_FEDERATION_OFFICER_2)),
			 ERROR_OK);
	assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER_2, KEY_FEDERATION_OFFICER)),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER, KEY_FEDERATION_OFFICER)),
			 ERROR_BAD_KEY);
}

static void as_many_sign_as_the_content_says(void **state)
{
	uint8_t room[1024], signature[ED25519_SIGNATURE_SIZE] = {0};
	struct buffer out = buffer_make(room, sizeof(room));
	struct ed25519_pair pair;

	example_pair(KEY_FEDERATION_OFFICER, &pair);
	assert_int_equal(
		signed_by_two(examples_get(&examples, "message content"), signature, signature, &out),
		ERROR_OK);
	assert_int_equal(entry_decode(buffer_bytes(&out), &entry), ERROR_MALFORMED);
	out.size = 0;
	assert_int_equal(signed_alone(&pair, &examples.aad, examples_get(&examples, "message content of two"),
				      &examples.work, &out),
			 ERROR_OK);
	assert_int_equal(entry_decode(buffer_bytes(&out), &entry), ERROR_MALFORMED);
}

static void an_unknown_kind_can_still_be_verified(void **state)
{
	/* [9, 1, 7, registry, id, null] */
	static const char later[] = "\x86\x09\x01\x07\x48zzzzzzzz\x50iiiiiiiiiiiiiiii\xf6";
	uint8_t room[512];
	struct buffer out = buffer_make(room, sizeof(room));
	struct ed25519_pair pair;

	example_pair(KEY_FEDERATION_OFFICER, &pair);
	assert_int_equal(signed_alone(&pair, &examples.aad, bytes_make(later, sizeof(later) - 1),
				      &examples.work, &out),
			 ERROR_OK);
	assert_int_equal(entry_decode(buffer_bytes(&out), &entry), ERROR_REFUSED_KIND);
	assert_int_equal(entry.content.signers[0], 7);
	assert_int_equal(verify(&examples.aad, keys_of(KEY_FEDERATION_OFFICER, 0)), ERROR_OK);
}

static void what_is_signed_elsewhere_verifies_here(void **state)
{
	uint8_t room[2048], signature[crypto_sign_BYTES], secret[crypto_sign_SECRETKEYBYTES];
	struct bytes payload = examples_get(&examples, "message content");
	struct buffer to_be_signed = buffer_make(room, sizeof(room));
	uint8_t seed[crypto_sign_SEEDBYTES], key[crypto_sign_PUBLICKEYBYTES];

	assert_int_equal(signed_bytes(1, &examples.aad, payload, &to_be_signed), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&to_be_signed), examples_get(&examples, "bytes signed")));
	memset(seed, KEY_FEDERATION_OFFICER, sizeof(seed));
	crypto_sign_seed_keypair(key, secret, seed);
	crypto_sign_detached(signature, NULL, to_be_signed.data, to_be_signed.size, secret);
	load("message, signed");
	assert_memory_equal(entry.cose.signatures[0], signature, sizeof(signature));
}

static void a_work_buffer_that_is_too_small_is_an_error(void **state)
{
	uint8_t room[64];
	struct buffer work = buffer_make(room, sizeof(room));
	struct signer_keys keys = keys_of(KEY_FEDERATION_OFFICER, 0);
	struct ed25519_pair pair;
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	load("message, signed");
	assert_int_equal(entry_verify(&entry, &examples.aad, &keys, &work), ERROR_TOO_LARGE);
	example_pair(KEY_FEDERATION_OFFICER, &pair);
	assert_int_equal(signed_signature(&pair, 1, &examples.aad, entry.cose.payload, &work, signature),
			 ERROR_TOO_LARGE);
	assert_true(cose_to_be_signed_size(2, AAD_SIZE_MAX, CONTENT_SIZE_MAX) <= SIGNED_WORK_SIZE);
}

static void the_signatures_hash_is_of_the_fourth_element(void **state)
{
	struct bytes one = examples_get(&examples, "message, signed");
	struct bytes two = examples_get(&examples, "message, signed by two");
	/* A byte string of 64 bytes; an array of two signers of 4 + 1 + 66 bytes and a head each. */
	size_t one_size = 2 + 64, two_size = 1 + 2 * (1 + 4 + 1 + 66);
	uint8_t hash[32], expected[32];

	load("message, signed");
	signatures_hash(&entry.cose, hash);
	crypto_hash_sha256(expected, one.data + one.size - one_size, one_size);
	assert_memory_equal(hash, expected, sizeof(hash));
	load("message, signed by two");
	signatures_hash(&entry.cose, hash);
	crypto_hash_sha256(expected, two.data + two.size - two_size, two_size);
	assert_memory_equal(hash, expected, sizeof(hash));
}

/* ---- statements ---- */

static void a_statement_opens_with_its_key_and_aad_only(void **state)
{
	struct bytes cose = examples_get(&examples, "receipt, signed"), payload;
	struct signer_keys keys = keys_of(KEY_HEADQUARTERS_STATEMENTS, KEY_EMBASSY_STATEMENTS);
	struct aad aad;

	aad_on_channel(&aad, AAD_RECEIPT, examples.channel, &examples.roster, examples.alliance);
	assert_int_equal(statement_open(cose, &aad, keys.keys[0], &examples.work, &payload), ERROR_OK);
	assert_true(bytes_equal(payload, examples_get(&examples, "receipt")));
	assert_int_equal(statement_open(cose, &aad, keys.keys[1], &examples.work, &payload),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(payload.size, 0);
	aad.context = AAD_HEADS;
	assert_int_equal(statement_open(cose, &aad, keys.keys[0], &examples.work, &payload),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(statement_open(examples_get(&examples, "message, signed by two"), &aad, keys.keys[0],
					&examples.work, &payload),
			 ERROR_MALFORMED);
	cose.size--;
	assert_int_equal(statement_open(cose, &aad, keys.keys[0], &examples.work, &payload), ERROR_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_entries_survive_hostile_bytes),
		cmocka_unit_test(a_signature_holds_for_its_key_and_aad_only),
		cmocka_unit_test(every_byte_of_the_payload_is_signed),
		cmocka_unit_test(two_officers_sign_in_their_order),
		cmocka_unit_test(as_many_sign_as_the_content_says),
		cmocka_unit_test(an_unknown_kind_can_still_be_verified),
		cmocka_unit_test(what_is_signed_elsewhere_verifies_here),
		cmocka_unit_test(a_work_buffer_that_is_too_small_is_an_error),
		cmocka_unit_test(the_signatures_hash_is_of_the_fourth_element),
		cmocka_unit_test(a_statement_opens_with_its_key_and_aad_only),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
