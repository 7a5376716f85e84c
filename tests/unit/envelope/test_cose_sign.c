#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/cose.h"
#include "tests/unit/envelope/vectors.h"

static uint8_t work_memory[CONTENT_SIZE_MAX + EXTERNAL_AAD_SIZE_MAX + 64];

static struct buffer work_make(void)
{
	return buffer_make(work_memory, sizeof work_memory);
}

static const uint8_t seeds[3][ED25519_SEED_SIZE] = {{1}, {2}, {3}};

static void sign_all(size_t signer_count, struct bytes external_aad, struct bytes payload,
		     struct cose_signed *object, uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE])
{
	struct buffer work = work_make();

	memset(object, 0, sizeof *object);
	object->payload = payload;
	object->signer_count = signer_count;
	for (size_t i = 0; i < signer_count; i++) {
		struct ed25519_pair pair;

		ed25519_pair_from_seed(seeds[i], &pair);
		memcpy(keys[i], pair.key, ED25519_KEY_SIZE);
		assert_int_equal(
			cose_sign(&pair, signer_count, external_aad, payload, &work, object->signatures[i]),
			ERROR_OK);
	}
}

static enum error verify(const struct cose_signed *object, struct bytes external_aad,
			 uint8_t keys[][ED25519_KEY_SIZE], size_t key_count, struct buffer *work)
{
	/* C lets no array become an array of const by itself. */
	return cose_signed_verify(object, external_aad, (const uint8_t(*)[ED25519_KEY_SIZE])keys, key_count,
				  work);
}

static void one_signers_bytes_are_fixed(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[256];
	struct buffer out = buffer_make(memory, sizeof memory);
	struct buffer signed_bytes = work_make();

	hex_reset();
	assert_int_equal(cose_to_be_signed(1, bytes_of_text("aad"), bytes_of_text("payload"), &signed_bytes),
			 ERROR_OK);
	assert_hex(buffer_bytes(&signed_bytes), "846a5369676e61747572653143a1012743616164477061796c6f6164");
	sign_all(1, bytes_of_text("aad"), bytes_of_text("payload"), &object, keys);
	assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
	assert_hex(buffer_bytes(&out),
		   "8443a10127a0477061796c6f616458406042bb1a389d876843c4b5a9cbf5f837c0fde9b07ba844f0"
		   "6fa48c43a3ddfbb6fe9805a69f887ee60e07a5ba8948daf449fb8214d758befc7265c0c63325cb0f");
}

static void two_signers_bytes_are_fixed(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[256], hash[32], fourth[32];
	struct buffer out = buffer_make(memory, sizeof memory);
	struct buffer signed_bytes = work_make();

	hex_reset();
	assert_int_equal(cose_to_be_signed(2, bytes_of_text("aad"), bytes_of_text("payload"), &signed_bytes),
			 ERROR_OK);
	assert_hex(buffer_bytes(&signed_bytes), "85695369676e61747572654043a1012743616164477061796c6f6164");
	sign_all(2, bytes_of_text("aad"), bytes_of_text("payload"), &object, keys);
	assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
	assert_hex(buffer_bytes(&out),
		   "8440a0477061796c6f6164828343a10127a058406e87f59bf3e8931c541429416dd05f8f4dba7035"
		   "afa3bde0f52ad805219f7f539dd8cb3e7381b43e689692ede29e7094ab77e221f81df323ab4ad30a"
		   "34a9d7088343a10127a0584074d161556f044827194d3f19e9d5b691decba0f014ba8a8fceb11695"
		   "ea8bb7ee6675f8d5392bea94229113b3383b18ecd5f8ac99d7857626bc2118b646a19b0b");
	/* Before the fourth element: the array's head, h'', {}, and the payload with its head. */
	cose_signatures_hash(&object, hash);
	crypto_hash_sha256(fourth, memory + 3 + 8, out.size - 3 - 8);
	assert_memory_equal(hash, fourth, sizeof hash);
}

static void the_hash_of_one_signature_is_that_of_its_byte_string(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[256], hash[32], fourth[32];
	struct buffer out = buffer_make(memory, sizeof memory);

	sign_all(1, bytes_of_text("aad"), bytes_of_text("payload"), &object, keys);
	assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
	cose_signatures_hash(&object, hash);
	crypto_hash_sha256(fourth, memory + out.size - 66, 66);
	assert_memory_equal(hash, fourth, sizeof hash);
}

/* Sizes at which heads grow: 0, 23/24, 255/256, 65535/65536, and the largest payload. */
static const size_t sizes[] = {0, 1, 23, 24, 255, 256, 65535, 65536, CONTENT_SIZE_MAX};

static void what_is_signed_decodes_verifies_and_has_the_size_foretold(void **state)
{
	static uint8_t payload[CONTENT_SIZE_MAX], memory[CONTENT_SIZE_MAX + 256],
		again[CONTENT_SIZE_MAX + 256];

	for (size_t count = 1; count <= SIGNERS_MAX; count++) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			struct cose_signed object, decoded;
			uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE];
			struct buffer out = buffer_make(memory, sizeof memory), work = work_make();
			struct buffer back = buffer_make(again, sizeof again);
			struct bytes aad = bytes_make(payload, sizes[i] < 4096 ? sizes[i] : 4096);

			sign_all(count, aad, bytes_make(payload, sizes[i]), &object, keys);
			assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
			assert_int_equal(out.size, cose_signed_size(count, sizes[i]));
			assert_int_equal(cose_signed_decode(buffer_bytes(&out), &decoded), ERROR_OK);
			assert_int_equal(decoded.signer_count, count);
			assert_int_equal(verify(&decoded, aad, keys, count, &work), ERROR_OK);
			assert_int_equal(work.size, cose_to_be_signed_size(count, aad.size, sizes[i]));
			assert_int_equal(cose_signed_encode(&decoded, &back), ERROR_OK);
			assert_true(bytes_equal(buffer_bytes(&back), buffer_bytes(&out)));
		}
	}
}

static void a_signature_made_elsewhere_gives_the_same_object(void **state)
{
	struct cose_signed here, elsewhere = {.payload = bytes_of_text("payload"), .signer_count = 1};
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], key[32], secret[64];
	struct buffer work = work_make();

	sign_all(1, bytes_of_text("aad"), bytes_of_text("payload"), &here, keys);
	assert_int_equal(cose_to_be_signed(1, bytes_of_text("aad"), bytes_of_text("payload"), &work),
			 ERROR_OK);
	crypto_sign_ed25519_seed_keypair(key, secret, seeds[0]);
	crypto_sign_ed25519_detached(elsewhere.signatures[0], NULL, work.data, work.size, secret);
	assert_memory_equal(here.signatures, elsewhere.signatures, sizeof here.signatures);
}

static void any_changed_byte_of_a_signed_object_is_refused(void **state)
{
	for (size_t count = 1; count <= SIGNERS_MAX; count++) {
		struct cose_signed object;
		uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[256];
		struct buffer out = buffer_make(memory, sizeof memory), work = work_make();
		struct bytes aad = bytes_of_text("aad");

		sign_all(count, aad, bytes_of_text("payload"), &object, keys);
		assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
		for (size_t bit = 0; bit < 8 * out.size; bit++) {
			memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (cose_signed_decode(buffer_bytes(&out), &object) == ERROR_OK)
				assert_int_equal(verify(&object, aad, keys, count, &work),
						 ERROR_BAD_SIGNATURE);
			else
				assert_true(sodium_is_zero((const uint8_t *)&object, sizeof object));
			memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t size = 0; size < out.size; size++)
			assert_int_equal(cose_signed_decode(bytes_make(memory, size), &object),
					 ERROR_TRUNCATED);
		memory[out.size] = 0;
		assert_int_equal(cose_signed_decode(bytes_make(memory, out.size + 1), &object),
				 ERROR_TRAILING);
		assert_true(sodium_is_zero((const uint8_t *)&object, sizeof object));
	}
}

static void verifying_needs_exactly_the_aad_the_keys_and_their_order(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], other[SIGNERS_MAX][ED25519_KEY_SIZE];
	struct buffer work = work_make();
	struct bytes aad = bytes_of_text("aad");

	sign_all(2, aad, bytes_of_text("payload"), &object, keys);
	assert_int_equal(verify(&object, aad, keys, 2, &work), ERROR_OK);
	assert_int_equal(verify(&object, bytes_of_text("aae"), keys, 2, &work), ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&object, bytes_make(NULL, 0), keys, 2, &work), ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&object, aad, keys, 1, &work), ERROR_BAD_SIGNATURE);
	assert_int_equal(verify(&object, aad, keys, 0, &work), ERROR_BAD_SIGNATURE);
	memcpy(other[0], keys[1], ED25519_KEY_SIZE);
	memcpy(other[1], keys[0], ED25519_KEY_SIZE);
	assert_int_equal(verify(&object, aad, other, 2, &work), ERROR_BAD_SIGNATURE);
}

static void one_person_is_not_two(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE];
	struct buffer work = work_make();
	struct bytes aad = bytes_of_text("aad");

	sign_all(2, aad, bytes_of_text("payload"), &object, keys);
	memcpy(keys[1], keys[0], ED25519_KEY_SIZE);
	memcpy(object.signatures[1], object.signatures[0], ED25519_SIGNATURE_SIZE);
	assert_int_equal(verify(&object, aad, keys, 2, &work), ERROR_BAD_KEY);
	/* One of two signatures does not make an object of one signer either. */
	object.signer_count = 1;
	assert_int_equal(verify(&object, aad, keys, 1, &work), ERROR_BAD_SIGNATURE);
}

static void a_work_buffer_that_is_too_small_is_an_error(void **state)
{
	struct cose_signed object;
	uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[64], signature[ED25519_SIGNATURE_SIZE];
	struct bytes aad = bytes_of_text("aad"), payload = bytes_of_text("payload");
	size_t size = cose_to_be_signed_size(1, aad.size, payload.size);
	struct buffer small = buffer_make(memory, size - 1), exact = buffer_make(memory, size);
	struct ed25519_pair pair;

	sign_all(1, aad, payload, &object, keys);
	ed25519_pair_from_seed(seeds[0], &pair);
	assert_int_equal(cose_sign(&pair, 1, aad, payload, &small, signature), ERROR_TOO_LARGE);
	assert_int_equal(verify(&object, aad, keys, 1, &small), ERROR_TOO_LARGE);
	assert_int_equal(cose_sign(&pair, 1, aad, payload, &exact, signature), ERROR_OK);
	/* A buffer that failed once is overwritten from its start like any other. */
	exact.failed = true;
	assert_int_equal(verify(&object, aad, keys, 1, &exact), ERROR_OK);
}

struct refused_case {
	const char *why, *encoded;
	enum error error;
};

#define ZEROS16 "00000000000000000000000000000000"
#define SIGNATURE "5840" ZEROS16 ZEROS16 ZEROS16 ZEROS16

static const struct refused_case refused_signed[] = {
	{"nothing", "", ERROR_TRUNCATED},
	{"a tag 18", "d28443a10127a04161" SIGNATURE, ERROR_WRONG_TYPE},
	{"algorithm -19", "8443a10132a04161" SIGNATURE, ERROR_UNSUPPORTED},
	{"algorithm ES256", "8443a10126a04161" SIGNATURE, ERROR_UNSUPPORTED},
	{"a content type beside", "8445a201270300a04161" SIGNATURE, ERROR_UNSUPPORTED},
	{"an empty map as protected", "8441a0a04161" SIGNATURE, ERROR_UNSUPPORTED},
	{"the algorithm in the other bucket", "8440a101274161" SIGNATURE, ERROR_UNSUPPORTED},
	{"a kid", "8443a10127a10441314161" SIGNATURE, ERROR_UNSUPPORTED},
	{"a detached payload", "8443a10127a0f6" SIGNATURE, ERROR_WRONG_TYPE},
	{"a signature of 63 bytes",
	 "8443a10127a04161583f" ZEROS16 ZEROS16 ZEROS16 "000000000000000000000000000000", ERROR_OUT_OF_RANGE},
	{"a signature of 65 bytes", "8443a10127a041615841" ZEROS16 ZEROS16 ZEROS16 ZEROS16 "00",
	 ERROR_OUT_OF_RANGE},
	{"three elements", "8343a10127a04161", ERROR_WRONG_TYPE},
	{"a length not in its shortest form", "8443a10127a0580161" SIGNATURE, ERROR_NOT_CANONICAL},
	{"signers none", "8440a0416180", ERROR_UNSUPPORTED},
	{"signers one", "8440a04161818343a10127a0" SIGNATURE, ERROR_UNSUPPORTED},
	{"signers three",
	 "8440a04161838343a10127a0" SIGNATURE "8343a10127a0" SIGNATURE "8343a10127a0" SIGNATURE,
	 ERROR_TOO_LARGE},
	{"Sign1's header with signers", "8443a10127a04161828343a10127a0" SIGNATURE "8343a10127a0" SIGNATURE,
	 ERROR_WRONG_TYPE},
	{"Sign's header with a signature", "8440a04161" SIGNATURE, ERROR_WRONG_TYPE},
	{"a signer without algorithm", "8440a04161828340a0" SIGNATURE "8343a10127a0" SIGNATURE,
	 ERROR_UNSUPPORTED},
	{"a signer with a kid", "8440a04161828343a10127a1044131" SIGNATURE "8343a10127a0" SIGNATURE,
	 ERROR_UNSUPPORTED},
};

static void other_forms_of_signed_objects_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof refused_signed / sizeof refused_signed[0]; i++) {
		const struct refused_case *of = &refused_signed[i];
		struct cose_signed object;
		enum error error;

		hex_reset();
		error = cose_signed_decode(hex(of->encoded), &object);
		if (error != of->error)
			fail_msg("%s: %s", of->why, error_name(error));
	}
}

static void a_payload_above_the_limit_is_refused(void **state)
{
	static uint8_t memory[CONTENT_SIZE_MAX + 256];
	struct buffer out = buffer_make(memory, sizeof memory);
	struct cose_signed object = {.signer_count = 1};
	static uint8_t payload[CONTENT_SIZE_MAX + 1];

	object.payload = bytes_make(payload, sizeof payload);
	assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
	assert_int_equal(cose_signed_decode(buffer_bytes(&out), &object), ERROR_TOO_LARGE);
}

/* Decodes a copy in a block of exactly its size, past which the sanitizer sees every read. */
static void decode_exact(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
	struct cose_signed object;

	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.size);
	if (cose_signed_decode(bytes_make(copy, bytes.size), &object) != ERROR_OK)
		assert_true(sodium_is_zero((const uint8_t *)&object, sizeof object));
	free(copy);
}

static void mutated_and_cut_objects_are_never_read_past_their_end(void **state)
{
	for (size_t count = 1; count <= SIGNERS_MAX; count++) {
		uint8_t keys[SIGNERS_MAX][ED25519_KEY_SIZE], memory[256], mutant[256];
		struct buffer out = buffer_make(memory, sizeof memory);
		struct cose_signed object;
		uint32_t random = 1;

		sign_all(count, bytes_of_text("aad"), bytes_of_text("payload"), &object, keys);
		assert_int_equal(cose_signed_encode(&object, &out), ERROR_OK);
		for (unsigned round = 0; round < 10000; round++) {
			size_t reach = round % 2 == 0 ? 24 : out.size;

			memcpy(mutant, memory, out.size);
			for (unsigned change = 0; change <= round % 4; change++) {
				random = random * 1664525 + 1013904223;
				mutant[(random >> 8) % reach] = (uint8_t)(random >> 24);
			}
			decode_exact(bytes_make(mutant, round % 8 < 6 ? out.size : (random >> 9) % out.size));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_signers_bytes_are_fixed),
		cmocka_unit_test(two_signers_bytes_are_fixed),
		cmocka_unit_test(the_hash_of_one_signature_is_that_of_its_byte_string),
		cmocka_unit_test(what_is_signed_decodes_verifies_and_has_the_size_foretold),
		cmocka_unit_test(a_signature_made_elsewhere_gives_the_same_object),
		cmocka_unit_test(any_changed_byte_of_a_signed_object_is_refused),
		cmocka_unit_test(verifying_needs_exactly_the_aad_the_keys_and_their_order),
		cmocka_unit_test(one_person_is_not_two),
		cmocka_unit_test(a_work_buffer_that_is_too_small_is_an_error),
		cmocka_unit_test(other_forms_of_signed_objects_are_refused),
		cmocka_unit_test(a_payload_above_the_limit_is_refused),
		cmocka_unit_test(mutated_and_cut_objects_are_never_read_past_their_end),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope cose sign", tests, NULL, NULL);
}
