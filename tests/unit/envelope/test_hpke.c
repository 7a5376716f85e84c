#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "envelope/codepoints.h"
#include "envelope/hkdf.h"
#include "envelope/hpke.h"
#include "tests/unit/envelope/vectors.h"

/* ---- the vectors of RFC 9180, appendix A, for the suite that is spoken here ---- */

/* RFC 9180, A.2.1 (base) and A.2.2 (psk): setup, the first two encryptions and one exported value. */
static const char transcribed[] =
	"[{\"mode\": \"0\","
	"\"info\": \"4f6465206f6e2061204772656369616e2055726e\","
	"\"ikmE\": \"909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b\","
	"\"pkEm\": \"1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\","
	"\"skEm\": \"f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600\","
	"\"ikmR\": \"1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df\","
	"\"pkRm\": \"4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a\","
	"\"skRm\": \"8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb\","
	"\"enc\": \"1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\","
	"\"key\": \"ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91\","
	"\"base_nonce\": \"5c4d98150661b848853b547f\","
	"\"exporter_secret\": \"a3b010d4994890e2c6968a36f64470d3c824c8f5029942feb11e7a74b2921922\","
	"\"encryptions\": ["
	"{\"sequence number\": \"0\","
	"\"pt\": \"4265617574792069732074727574682c20747275746820626561757479\","
	"\"aad\": \"436f756e742d30\","
	"\"ct\":"
	"\"1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28\"},"
	"{\"sequence number\": \"1\","
	"\"pt\": \"4265617574792069732074727574682c20747275746820626561757479\","
	"\"aad\": \"436f756e742d31\","
	"\"ct\":"
	"\"6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c\"}],"
	"\"exported values\": ["
	"{\"exporter_context\": \"54657374436f6e74657874\", \"L\": \"32\","
	"\"exported_value\": \"5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53\"}]},"
	"{\"mode\": \"1\","
	"\"info\": \"4f6465206f6e2061204772656369616e2055726e\","
	"\"ikmE\": \"35706a0b09fb26fb45c39c2f5079c709c7cf98e43afa973f14d88ece7e29c2e3\","
	"\"pkEm\": \"2261299c3f40a9afc133b969a97f05e95be2c514e54f3de26cbe5644ac735b04\","
	"\"skEm\": \"0c35fdf49df7aa01cd330049332c40411ebba36e0c718ebc3edf5845795f6321\","
	"\"ikmR\": \"26b923eade72941c8a85b09986cdfa3f1296852261adedc52d58d2930269812b\","
	"\"pkRm\": \"13640af826b722fc04feaa4de2f28fbd5ecc03623b317834e7ff4120dbe73062\","
	"\"skRm\": \"77d114e0212be51cb1d76fa99dd41cfd4d0166b08caa09074430a6c59ef17879\","
	"\"psk\": \"0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82\","
	"\"psk_id\": \"456e6e796e20447572696e206172616e204d6f726961\","
	"\"enc\": \"2261299c3f40a9afc133b969a97f05e95be2c514e54f3de26cbe5644ac735b04\","
	"\"key\": \"600d2fdb0313a7e5c86a9ce9221cd95bed069862421744cfb4ab9d7203a9c019\","
	"\"base_nonce\": \"112e0465562045b7368653e7\","
	"\"exporter_secret\": \"73b506dc8b6b4269027f80b0362def5cbb57ee50eed0c2873dac9181f453c5ac\","
	"\"encryptions\": ["
	"{\"sequence number\": \"0\","
	"\"pt\": \"4265617574792069732074727574682c20747275746820626561757479\","
	"\"aad\": \"436f756e742d30\","
	"\"ct\":"
	"\"4a177f9c0d6f15cfdf533fb65bf84aecdc6ab16b8b85b4cf65a370e07fc1d78d28fb073214525276f4a89608ff\"},"
	"{\"sequence number\": \"1\","
	"\"pt\": \"4265617574792069732074727574682c20747275746820626561757479\","
	"\"aad\": \"436f756e742d31\","
	"\"ct\":"
	"\"5c3cabae2f0b3e124d8d864c116fd8f20f3f56fda988c3573b40b09997fd6c769e77c8eda6cda4f947f5b704a8\"}],"
	"\"exported values\": ["
	"{\"exporter_context\": \"54657374436f6e74657874\", \"L\": \"32\","
	"\"exported_value\": \"ad40e3ae14f21c99bfdebc20ae14ab86f4ca2dc9a4799d200f43a25f99fa78ae\"}]}]";

static void check_context(const struct hpke_context *context, const json_t *vector)
{
	assert_hex(bytes_make(context->key, sizeof context->key), text_of(vector, "key"));
	assert_hex(bytes_make(context->base_nonce, sizeof context->base_nonce),
		   text_of(vector, "base_nonce"));
}

static void check_key_pair(const json_t *vector, const char *seed, const char *key, const char *secret,
			   struct x25519_pair *pair)
{
	struct bytes input = bytes_of(vector, seed);

	assert_int_equal(input.size, HPKE_SEED_SIZE);
	hpke_derive_key_pair(input.data, pair);
	assert_hex(bytes_make(pair->key, sizeof pair->key), text_of(vector, key));
	assert_hex(bytes_make(pair->secret, sizeof pair->secret), text_of(vector, secret));
}

/* Seals and opens in step until both stand at the encryption's sequence number, then compares. */
static void check_encryption(struct hpke_context *sender, struct hpke_context *receiver,
			     const json_t *encryption)
{
	uint64_t sequence = strtoull(text_of(encryption, "sequence number"), NULL, 10);
	struct bytes plaintext = bytes_of(encryption, "pt"), aad = bytes_of(encryption, "aad");
	uint8_t sealed[128], opened[128];

	assert_true(sequence >= sender->sequence);
	for (;;) {
		struct buffer out = buffer_make(sealed, sizeof sealed),
			      back = buffer_make(opened, sizeof opened);
		uint64_t at = sender->sequence;

		assert_int_equal(hpke_context_seal(sender, aad, plaintext, &out), ERROR_OK);
		assert_int_equal(hpke_context_open(receiver, aad, buffer_bytes(&out), &back), ERROR_OK);
		assert_true(bytes_equal(buffer_bytes(&back), plaintext));
		if (at == sequence) {
			assert_hex(buffer_bytes(&out), text_of(encryption, "ct"));
			return;
		}
	}
}

static void check_vector(const json_t *vector)
{
	struct x25519_pair ephemeral, pair;
	struct hpke_context sender, receiver;
	struct hpke_schedule schedule;
	struct hpke_psk psk;
	const struct hpke_psk *given = NULL;
	uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE];
	const json_t *encryptions = member_of(vector, "encryptions");

	hex_reset();
	if (strcmp(text_of(vector, "mode"), "1") == 0) {
		psk = (struct hpke_psk){bytes_of(vector, "psk"), bytes_of(vector, "psk_id")};
		given = &psk;
	}
	check_key_pair(vector, "ikmE", "pkEm", "skEm", &ephemeral);
	check_key_pair(vector, "ikmR", "pkRm", "skRm", &pair);
	hpke_schedule_make(bytes_of(vector, "info"), given == NULL ? bytes_make(NULL, 0) : psk.id, &schedule);
	assert_int_equal(hpke_setup_sender(pair.key, &schedule, given, bytes_of(vector, "ikmE").data,
					   encapsulated, &sender),
			 ERROR_OK);
	assert_hex(bytes_make(encapsulated, sizeof encapsulated), text_of(vector, "enc"));
	check_context(&sender, vector);
	assert_int_equal(hpke_setup_receiver(encapsulated, &pair, &schedule, given, &receiver), ERROR_OK);
	check_context(&receiver, vector);
	for (size_t i = 0; i < json_array_size(encryptions); i++)
		check_encryption(&sender, &receiver, json_array_get(encryptions, i));
}

static void transcribed_vectors_of_rfc9180_hold(void **state)
{
	json_t *vectors = json_loads(transcribed, 0, NULL);

	assert_non_null(vectors);
	assert_int_equal(json_array_size(vectors), 2);
	for (size_t i = 0; i < json_array_size(vectors); i++)
		check_vector(json_array_get(vectors, i));
	json_decref(vectors);
}

/* Of the 28 vectors two are of our suite and modes. The other suites, and the auth modes, are not ours. */
static void published_vectors_of_rfc9180_hold(void **state)
{
	json_t *vectors = vectors_load("hpke-rfc9180/rfc9180-appendixA.json");
	size_t checked = 0;

	assert_int_equal(json_array_size(vectors), 28);
	for (size_t i = 0; i < json_array_size(vectors); i++) {
		const json_t *vector = json_array_get(vectors, i);
		unsigned long mode = strtoul(text_of(vector, "mode"), NULL, 10);

		if (strtoul(text_of(vector, "kem_id"), NULL, 10) != HPKE_KEM_X25519_HKDF_SHA256 ||
		    strtoul(text_of(vector, "kdf_id"), NULL, 10) != HPKE_KDF_HKDF_SHA256 ||
		    strtoul(text_of(vector, "aead_id"), NULL, 10) != HPKE_AEAD_CHACHA20POLY1305 ||
		    (mode != HPKE_MODE_BASE && mode != HPKE_MODE_PSK))
			continue;
		assert_int_equal(json_array_size(member_of(vector, "encryptions")), 6);
		check_vector(vector);
		checked++;
	}
	assert_int_equal(checked, 2);
	json_decref(vectors);
}

/* ---- the AEAD, through a context whose key and nonce are those of the vector ---- */

static size_t aead_checked;

static void check_aead(const json_t *group, const json_t *test)
{
	struct bytes key = bytes_of(test, "key"), nonce = bytes_of(test, "iv"), aad = bytes_of(test, "aad");
	struct bytes text = bytes_of(test, "msg"), tag, sealed = bytes_of(test, "ct");
	bool valid = strcmp(text_of(test, "result"), "valid") == 0;
	uint8_t memory[2048];
	struct buffer out = buffer_make(memory, sizeof memory), back;
	struct hpke_context context = {.sequence = 0};

	if (nonce.size != sizeof context.base_nonce) {
		assert_false(valid); /* a nonce of another size cannot be expressed here */
		return;
	}
	aead_checked++;
	tag = bytes_of(test, "tag"); /* in the arena right after the ciphertext */
	assert_ptr_equal(tag.data, sealed.data + sealed.size);
	sealed.size += tag.size;
	memcpy(context.key, key.data, sizeof context.key);
	memcpy(context.base_nonce, nonce.data, sizeof context.base_nonce);
	assert_int_equal(hpke_context_seal(&context, aad, text, &out), ERROR_OK);
	assert_int_equal(bytes_equal(buffer_bytes(&out), sealed), valid);
	back = buffer_make(memory, sizeof memory);
	context.sequence = 0;
	assert_int_equal(hpke_context_open(&context, aad, sealed, &back),
			 valid ? ERROR_OK : ERROR_CANNOT_OPEN);
	assert_true(!valid || bytes_equal(buffer_bytes(&back), text));
}

static void wycheproof_chacha20poly1305_holds(void **state)
{
	json_t *file = vectors_load("wycheproof/chacha20_poly1305_test.json");

	aead_checked = 0;
	assert_int_equal(wycheproof_each(file, check_aead), 325);
	assert_int_equal(aead_checked, 316);
	json_decref(file);
}

/* ---- what must be refused ---- */

static const uint8_t seed_receiver[HPKE_SEED_SIZE] = {1};
static const uint8_t seed_ephemeral[HPKE_SEED_SIZE] = {2};

static void setup_pair(struct hpke_context *sender, struct hpke_context *receiver)
{
	uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE];
	struct x25519_pair pair;
	struct hpke_schedule schedule;

	hpke_schedule_make(bytes_of_text("info"), bytes_make(NULL, 0), &schedule);
	hpke_derive_key_pair(seed_receiver, &pair);
	assert_int_equal(hpke_setup_sender(pair.key, &schedule, NULL, seed_ephemeral, encapsulated, sender),
			 ERROR_OK);
	assert_int_equal(hpke_setup_receiver(encapsulated, &pair, &schedule, NULL, receiver), ERROR_OK);
}

static void keys_of_small_order_are_refused(void **state)
{
	/* u = 0, 1, and a point of order 8, in canonical form */
	static const char *const keys[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE];
	struct hpke_context context;
	struct hpke_schedule schedule;
	struct x25519_pair pair;

	hpke_schedule_make(bytes_make(NULL, 0), bytes_make(NULL, 0), &schedule);
	hpke_derive_key_pair(seed_receiver, &pair);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		hex_reset();
		assert_int_equal(hpke_setup_sender(hex(keys[i]).data, &schedule, NULL, seed_ephemeral,
						   encapsulated, &context),
				 ERROR_BAD_KEY);
		assert_true(sodium_is_zero((const uint8_t *)&context, sizeof context));
		assert_int_equal(hpke_setup_receiver(hex(keys[i]).data, &pair, &schedule, NULL, &context),
				 ERROR_CANNOT_OPEN);
		assert_true(sodium_is_zero((const uint8_t *)&context, sizeof context));
	}
}

static void half_a_psk_and_a_schedule_of_the_other_mode_are_refused(void **state)
{
	static const uint8_t key[HPKE_PSK_SIZE_MIN] = {3};
	const struct hpke_psk bad[] = {
		{bytes_make(key, sizeof key), bytes_make(NULL, 0)},
		{bytes_make(key, sizeof key - 1), bytes_of_text("id")},
		{bytes_make(NULL, 0), bytes_of_text("id")},
	};
	uint8_t encapsulated[HPKE_ENCAPSULATED_SIZE];
	struct hpke_context context;
	struct hpke_schedule schedule;
	struct x25519_pair pair;

	hpke_derive_key_pair(seed_receiver, &pair);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		hpke_schedule_make(bytes_make(NULL, 0), bytes_of_text("id"), &schedule);
		assert_int_equal(hpke_setup_sender(pair.key, &schedule, &bad[i], seed_ephemeral, encapsulated,
						   &context),
				 ERROR_BAD_ARGUMENT);
		assert_int_equal(hpke_setup_receiver(pair.key, &pair, &schedule, &bad[i], &context),
				 ERROR_BAD_ARGUMENT);
	}
	/* and a schedule of the other mode */
	const struct hpke_psk psk = {bytes_make(key, sizeof key), bytes_of_text("id")};
	assert_int_equal(hpke_setup_sender(pair.key, &schedule, NULL, seed_ephemeral, encapsulated, &context),
			 ERROR_BAD_ARGUMENT);
	hpke_schedule_make(bytes_make(NULL, 0), bytes_make(NULL, 0), &schedule);
	assert_int_equal(hpke_setup_sender(pair.key, &schedule, &psk, seed_ephemeral, encapsulated, &context),
			 ERROR_BAD_ARGUMENT);
	assert_int_equal(hpke_setup_receiver(pair.key, &pair, &schedule, &psk, &context), ERROR_BAD_ARGUMENT);
}

static void a_changed_ciphertext_does_not_open_and_leaves_the_sequence(void **state)
{
	struct hpke_context sender, receiver;
	struct bytes aad = bytes_of_text("aad"), text = bytes_of_text("the text");
	uint8_t sealed[64], opened[64];
	struct buffer out = buffer_make(sealed, sizeof sealed), back = buffer_make(opened, sizeof opened);

	setup_pair(&sender, &receiver);
	assert_int_equal(hpke_context_seal(&sender, aad, text, &out), ERROR_OK);
	assert_int_equal(out.size, text.size + HPKE_TAG_SIZE);
	for (size_t i = 0; i < out.size; i++) {
		sealed[i] ^= 1;
		assert_int_equal(hpke_context_open(&receiver, aad, buffer_bytes(&out), &back),
				 ERROR_CANNOT_OPEN);
		sealed[i] ^= 1;
		assert_int_equal(back.size, 0);
		assert_false(back.failed);
		assert_int_equal(receiver.sequence, 0);
	}
	for (size_t size = 0; size < out.size; size++)
		assert_int_equal(hpke_context_open(&receiver, aad, bytes_make(sealed, size), &back),
				 ERROR_CANNOT_OPEN);
	assert_int_equal(hpke_context_open(&receiver, bytes_of_text("aae"), buffer_bytes(&out), &back),
			 ERROR_CANNOT_OPEN);
	assert_int_equal(hpke_context_open(&receiver, aad, buffer_bytes(&out), &back), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&back), text));
	assert_int_equal(receiver.sequence, 1);
	assert_int_equal(hpke_context_open(&receiver, aad, buffer_bytes(&out), &back), ERROR_CANNOT_OPEN);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct hpke_context sender, receiver;
	struct bytes aad = {NULL, 0}, text = bytes_of_text("the text");
	uint8_t sealed[24], opened[8];
	struct buffer out = buffer_make(sealed, sizeof sealed - 1),
		      back = buffer_make(opened, sizeof opened - 1);

	setup_pair(&sender, &receiver);
	assert_int_equal(hpke_context_seal(&sender, aad, text, &out), ERROR_TOO_LARGE);
	assert_int_equal(sender.sequence, 0);
	out = buffer_make(sealed, sizeof sealed);
	assert_int_equal(hpke_context_seal(&sender, aad, text, &out), ERROR_OK);
	assert_int_equal(hpke_context_open(&receiver, aad, buffer_bytes(&out), &back), ERROR_TOO_LARGE);
	assert_int_equal(receiver.sequence, 0);
}

static void a_sequence_never_wraps(void **state)
{
	struct hpke_context sender, receiver;
	struct bytes aad = {NULL, 0}, text = bytes_of_text("the text");
	uint8_t sealed[24], opened[8];
	struct buffer out = buffer_make(sealed, sizeof sealed), back = buffer_make(opened, sizeof opened);

	setup_pair(&sender, &receiver);
	sender.sequence = receiver.sequence = UINT64_MAX;
	assert_int_equal(hpke_context_seal(&sender, aad, text, &out), ERROR_OUT_OF_RANGE);
	assert_int_equal(hpke_context_open(&receiver, aad, bytes_make(sealed, sizeof sealed), &back),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(out.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcribed_vectors_of_rfc9180_hold),
		cmocka_unit_test(published_vectors_of_rfc9180_hold),
		cmocka_unit_test(wycheproof_chacha20poly1305_holds),
		cmocka_unit_test(keys_of_small_order_are_refused),
		cmocka_unit_test(half_a_psk_and_a_schedule_of_the_other_mode_are_refused),
		cmocka_unit_test(a_changed_ciphertext_does_not_open_and_leaves_the_sequence),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(a_sequence_never_wraps),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope hpke", tests, NULL, NULL);
}
