#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/checkpoint.h"
#include "tests/unit/hex.h"

/*
 * The worked example of doc/PROTOCOL.md; its values come from an independent implementation. The channel id
 * is the bytes 0 to 31, the party id 32 to 63; the log is that of slot 3, incarnation 1, and holds the eight
 * leaves of the RFC 6962 reference tree; slot 5 cosigns. Seeds: 32 bytes 01 (log), 32 bytes 02 (cosigner).
 */
#define ORIGIN      "liaison/8c10366cdcc9cf548e3a686e8d5c3202"
#define COSIGNER    "liaison/cf8894d81223b3117930af435ac7cc8d/cosigner"
#define ROOT        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
#define ROOT_BASE64 "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
#define TEXT        ORIGIN "\n8\n" ROOT_BASE64 "\n"
#define TIME        1795320225
#define SIGNATURE                                                                                            \
	"5ddd50af0795aadad7e9b5f06e6555d92a13d0305455ec5ad1be94e1442de7b7"                                   \
	"0355140427f6fedb4c78a54534a74853ce27111b644c3f82f4af6b5bb5b9d907"
#define COSIGNATURE                                                                                          \
	"abd2c16d44f739bd5fed7b5a4061dcbf9ee5e39859935d8617d1d54c2cd4f836"                                   \
	"c719956e06df8f3b4821b9ad93b1f1fc433e6ae5cbe3f1391542d2887a8aee0a"
#define LOG_LINE                                                                                             \
	"— " ORIGIN                                                                                          \
	" SBCM3l3dUK8Hlara1+m18G5lVdkqE9AwVFXsWtG+lOFELee3A1UUBCf2/ttMeKVFNKdIU84nERtkTD+C9K9rW7W52Qc=\n"
#define COSIGNER_LINE                                                                                        \
	"— " COSIGNER " 1RXrfAAAAABrAmmhq9LBbUT3Ob1f7XtaQGHcv57l45hZk12GF9HVTCzU+DbHGZVuBt+"                 \
	"PO0ghua2TsfH8Qz5q5cvj8TkVQtKIeoruCg==\n"
#define NOTE TEXT "\n" LOG_LINE COSIGNER_LINE

struct example {
	struct ed25519_pair log, cosigner;
	struct checkpoint head;
	uint8_t signature[ED25519_SIGNATURE_SIZE], cosignature[ED25519_SIGNATURE_SIZE];
};

static struct example example;

static int make_example(void **state)
{
	uint8_t seed[ED25519_SEED_SIZE];

	memset(seed, 1, sizeof seed);
	ed25519_pair_from_seed(seed, &example.log);
	memset(seed, 2, sizeof seed);
	ed25519_pair_from_seed(seed, &example.cosigner);
	example.head.origin = bytes_of_text(ORIGIN);
	example.head.size = 8;
	hex_decode(ROOT, example.head.root.bytes, sizeof example.head.root.bytes);
	hex_decode(SIGNATURE, example.signature, sizeof example.signature);
	hex_decode(COSIGNATURE, example.cosignature, sizeof example.cosignature);
	return 0;
}

/* ---- names ---- */

static void names_are_those_of_the_worked_example(void **state)
{
	uint8_t channel[CHANNEL_ID_SIZE], party[PARTY_ID_SIZE];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1], cosigner[CHECKPOINT_COSIGNER_SIZE + 1];

	for (size_t i = 0; i < 32; i++) {
		channel[i] = (uint8_t)i;
		party[i] = (uint8_t)(32 + i);
	}
	checkpoint_origin(channel, party, 3, 1, origin);
	assert_string_equal(origin, ORIGIN);
	checkpoint_cosigner(channel, party, 5, cosigner);
	assert_string_equal(cosigner, COSIGNER);
	assert_int_equal(strlen(origin), CHECKPOINT_ORIGIN_SIZE);
	assert_int_equal(strlen(cosigner), CHECKPOINT_COSIGNER_SIZE);
}

static void every_part_of_a_name_changes_it(void **state)
{
	const uint8_t a[32] = {1}, b[32] = {2};
	char names[6][CHECKPOINT_ORIGIN_SIZE + 1], cosigner[CHECKPOINT_COSIGNER_SIZE + 1];

	checkpoint_origin(a, b, 0, 1, names[0]);
	checkpoint_origin(b, a, 0, 1, names[1]);
	checkpoint_origin(a, a, 0, 1, names[2]);
	checkpoint_origin(a, b, 1, 1, names[3]);
	checkpoint_origin(a, b, 0, 2, names[4]);
	checkpoint_cosigner(a, b, 0, cosigner);
	memcpy(names[5], cosigner, CHECKPOINT_ORIGIN_SIZE);
	names[5][CHECKPOINT_ORIGIN_SIZE] = '\0';
	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
}

/* ---- the text ---- */

static void a_head_is_written_and_read_back(void **state)
{
	static const struct {
		uint64_t size;
		const char *digits;
	} sizes[] = {{0, "0"},
		     {1, "1"},
		     {10, "10"},
		     {4294967296, "4294967296"},
		     {MERKLE_SIZE_MAX, "9223372036854775808"}};
	uint8_t memory[CHECKPOINT_TEXT_SIZE_MAX];
	struct checkpoint head = example.head, read;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct buffer buffer = buffer_make(memory, sizeof memory), expected;
		uint8_t memory_expected[CHECKPOINT_TEXT_SIZE_MAX];

		head.size = sizes[i].size;
		assert_int_equal(checkpoint_write(&head, &buffer), ERROR_OK);
		expected = buffer_make(memory_expected, sizeof memory_expected);
		buffer_append(&expected, bytes_of_text(ORIGIN "\n"));
		buffer_append(&expected, bytes_of_text(sizes[i].digits));
		buffer_append(&expected, bytes_of_text("\n" ROOT_BASE64 "\n"));
		assert_true(bytes_equal(buffer_bytes(&buffer), buffer_bytes(&expected)));

		assert_int_equal(checkpoint_parse(buffer_bytes(&buffer), &read), ERROR_OK);
		assert_int_equal(read.size, head.size);
		assert_true(bytes_equal(read.origin, head.origin));
		assert_true(merkle_hash_equal(&read.root, &head.root));
	}
}

/* C2SP tlog-checkpoint's own example. */
static void the_published_example_is_read(void **state)
{
	struct checkpoint head;

	assert_int_equal(checkpoint_parse(bytes_of_text("example.com/behind-the-sofa\n20852163\n"
							"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
					  &head),
			 ERROR_OK);
	assert_true(bytes_equal(head.origin, bytes_of_text("example.com/behind-the-sofa")));
	assert_int_equal(head.size, 20852163);
	assert_int_equal(head.root.bytes[0], 0x0a);
	assert_int_equal(head.root.bytes[31], 0x62);
}

static void texts_of_another_form_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum error error;
	} cases[] = {
		{"", ERROR_MALFORMED},
		{"o", ERROR_MALFORMED},
		{"o\n", ERROR_MALFORMED},
		{"o\n8\n", ERROR_MALFORMED},
		{"o\n8\n" ROOT_BASE64, ERROR_MALFORMED},
		{"\n8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\to\n8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\r\n8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"\xff\n8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n08\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n00\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n+8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n-8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n 8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n8 \n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n0x8\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n8\r\n" ROOT_BASE64 "\n", ERROR_MALFORMED},
		{"o\n9223372036854775809\n" ROOT_BASE64 "\n", ERROR_OUT_OF_RANGE},
		{"o\n18446744073709551624\n" ROOT_BASE64 "\n", ERROR_OUT_OF_RANGE}, /* 2^64 + 8 */
		{"o\n100000000000000000000000000000000008\n" ROOT_BASE64 "\n", ERROR_OUT_OF_RANGE},
		{"o\n8\n\n", ERROR_MALFORMED},
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg\n", ERROR_MALFORMED},
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg==\n", ERROR_MALFORMED},
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=\n",
		 ERROR_MALFORMED}, /* bits left over */
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz-Nw7_RgQyg=\n", ERROR_MALFORMED},
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQygA\n", ERROR_MALFORMED},    /* 33 bytes */
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQw==\n", ERROR_MALFORMED},    /* 31 bytes */
		{"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7\xadRgQyg=\n", ERROR_MALFORMED}, /* no '/' */
		{"o\n8\n" ROOT_BASE64 " \n", ERROR_MALFORMED},
		{"o\n8\n" ROOT_BASE64 "\nextension\n", ERROR_UNSUPPORTED},
		{"o\n8\n" ROOT_BASE64 "\nextension", ERROR_MALFORMED},
	};
	struct checkpoint head;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const enum error error = checkpoint_parse(bytes_of_text(cases[i].text), &head);

		if (error != cases[i].error)
			fail_msg("case %zu: %s for %s", i, error_name(error), cases[i].text);
		assert_int_equal(head.origin.size, 0);
	}
	assert_int_equal(checkpoint_parse(bytes_of_text("o\n8\n" ROOT_BASE64 "\n"), &head), ERROR_OK);
}

static void no_prefix_of_a_text_is_read_past_its_end(void **state)
{
	struct checkpoint head;

	for (size_t size = 1; size < strlen(TEXT); size++) {
		uint8_t *copy = test_malloc(size);

		memcpy(copy, TEXT, size);
		assert_int_equal(checkpoint_parse(bytes_make(copy, size), &head), ERROR_MALFORMED);
		test_free(copy);
	}
}

static void an_origin_that_is_not_one_line_is_never_signed(void **state)
{
	static char longest[ORIGIN_SIZE_MAX + 2];
	const char *origins[] = {"", "a\nb", "a\n", "a\tb", "\x1f", "\xc3", longest};
	uint8_t signature[ED25519_SIGNATURE_SIZE], zeros[ED25519_SIGNATURE_SIZE] = {0};
	struct checkpoint head = example.head;

	memset(longest, 'o', ORIGIN_SIZE_MAX + 1);
	for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
		head.origin = bytes_of_text(origins[i]);
		assert_int_equal(checkpoint_sign(&head, &example.log, signature), ERROR_MALFORMED);
		assert_memory_equal(signature, zeros, sizeof zeros);
		assert_int_equal(checkpoint_verify(&head, example.log.key, example.signature),
				 ERROR_MALFORMED);
		assert_int_equal(cosignature_sign(&head, TIME, &example.log, signature), ERROR_MALFORMED);
	}
	longest[ORIGIN_SIZE_MAX] = '\0';
	head.origin = bytes_of_text(longest);
	head.size = MERKLE_SIZE_MAX;
	assert_int_equal(checkpoint_sign(&head, &example.log, signature), ERROR_OK);
	assert_int_equal(checkpoint_verify(&head, example.log.key, signature), ERROR_OK);
	assert_int_equal(cosignature_sign(&head, COSIGNATURE_TIME_MAX, &example.log, signature), ERROR_OK);
	assert_int_equal(cosignature_verify(&head, COSIGNATURE_TIME_MAX, example.log.key, signature),
			 ERROR_OK);
	head.size++;
	assert_int_equal(checkpoint_sign(&head, &example.log, signature), ERROR_OUT_OF_RANGE);
}

/* ---- signatures ---- */

static void signatures_are_those_of_the_worked_example(void **state)
{
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	assert_int_equal(checkpoint_sign(&example.head, &example.log, signature), ERROR_OK);
	assert_memory_equal(signature, example.signature, sizeof signature);
	assert_int_equal(checkpoint_verify(&example.head, example.log.key, signature), ERROR_OK);
	assert_int_equal(cosignature_sign(&example.head, TIME, &example.cosigner, signature), ERROR_OK);
	assert_memory_equal(signature, example.cosignature, sizeof signature);
	assert_int_equal(cosignature_verify(&example.head, TIME, example.cosigner.key, signature), ERROR_OK);
}

static void a_signature_covers_origin_size_root_and_time(void **state)
{
	struct checkpoint head = example.head;

	head.origin = bytes_of_text("liaison/8c10366cdcc9cf548e3a686e8d5c3203");
	assert_int_equal(checkpoint_verify(&head, example.log.key, example.signature), ERROR_BAD_SIGNATURE);
	assert_int_equal(cosignature_verify(&head, TIME, example.cosigner.key, example.cosignature),
			 ERROR_BAD_SIGNATURE);
	head = example.head;
	head.size = 9;
	assert_int_equal(checkpoint_verify(&head, example.log.key, example.signature), ERROR_BAD_SIGNATURE);
	assert_int_equal(cosignature_verify(&head, TIME, example.cosigner.key, example.cosignature),
			 ERROR_BAD_SIGNATURE);
	head = example.head;
	head.root.bytes[31] ^= 1;
	assert_int_equal(checkpoint_verify(&head, example.log.key, example.signature), ERROR_BAD_SIGNATURE);
	assert_int_equal(cosignature_verify(&head, TIME, example.cosigner.key, example.cosignature),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(
		cosignature_verify(&example.head, TIME + 1, example.cosigner.key, example.cosignature),
		ERROR_BAD_SIGNATURE);
	assert_int_equal(checkpoint_verify(&example.head, example.cosigner.key, example.signature),
			 ERROR_BAD_SIGNATURE);
}

/* Neither kind of signature can be passed off as the other, even by one key. */
static void a_signature_and_a_cosignature_are_not_each_other(void **state)
{
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	assert_int_equal(cosignature_verify(&example.head, TIME, example.log.key, example.signature),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(cosignature_sign(&example.head, TIME, &example.log, signature), ERROR_OK);
	assert_int_equal(checkpoint_verify(&example.head, example.log.key, signature), ERROR_BAD_SIGNATURE);
}

static void a_cosignature_has_a_time_within_range(void **state)
{
	uint8_t signature[ED25519_SIGNATURE_SIZE];

	assert_int_equal(
		cosignature_sign(&example.head, COSIGNATURE_TIME_MAX + 1, &example.cosigner, signature),
		ERROR_OUT_OF_RANGE);
	assert_int_equal(
		cosignature_verify(&example.head, UINT64_MAX, example.cosigner.key, example.cosignature),
		ERROR_OUT_OF_RANGE);
	assert_int_equal(cosignature_sign(&example.head, 0, &example.cosigner, signature), ERROR_OK);
	assert_int_equal(cosignature_verify(&example.head, 0, example.cosigner.key, signature), ERROR_OK);
}

/* ---- notes ---- */

static void the_note_is_that_of_the_worked_example(void **state)
{
	uint8_t memory[1024];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	assert_int_equal(checkpoint_note_write(&example.head, example.log.key, example.signature, &buffer),
			 ERROR_OK);
	assert_int_equal(checkpoint_note_add(&buffer, bytes_of_text(COSIGNER), example.cosigner.key, TIME,
					     example.cosignature),
			 ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of_text(NOTE)));

	buffer = buffer_make(memory, strlen(NOTE) - 1);
	assert_int_equal(checkpoint_note_write(&example.head, example.log.key, example.signature, &buffer),
			 ERROR_OK);
	assert_int_equal(checkpoint_note_add(&buffer, bytes_of_text(COSIGNER), example.cosigner.key, TIME,
					     example.cosignature),
			 ERROR_TOO_LARGE);
}

static void a_name_that_no_key_can_have_is_not_written(void **state)
{
	uint8_t memory[1024];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct checkpoint head = example.head;

	head.origin = bytes_of_text("go.sum database tree");
	assert_int_equal(checkpoint_note_write(&head, example.log.key, example.signature, &buffer),
			 ERROR_MALFORMED);
	assert_int_equal(checkpoint_note_add(&buffer, bytes_of_text("a+b"), example.cosigner.key, TIME,
					     example.cosignature),
			 ERROR_MALFORMED);
	assert_int_equal(checkpoint_note_add(&buffer, bytes_of_text(""), example.cosigner.key, TIME,
					     example.cosignature),
			 ERROR_MALFORMED);
	assert_int_equal(buffer.size, 0);
}

static void a_note_opens_with_the_log_key_and_shows_its_cosignature(void **state)
{
	struct signed_note note;
	struct checkpoint head;
	uint64_t time;

	assert_int_equal(checkpoint_note_open(bytes_of_text(NOTE), bytes_of_text(ORIGIN), example.log.key,
					      &note, &head),
			 ERROR_OK);
	assert_int_equal(head.size, 8);
	assert_true(merkle_hash_equal(&head.root, &example.head.root));
	assert_int_equal(
		checkpoint_note_cosigned(&note, &head, bytes_of_text(COSIGNER), example.cosigner.key, &time),
		ERROR_OK);
	assert_int_equal(time, TIME);

	/* Another key of that name has another id; this key under another name too. */
	assert_int_equal(
		checkpoint_note_cosigned(&note, &head, bytes_of_text(COSIGNER), example.log.key, &time),
		ERROR_NOT_FOUND);
	assert_int_equal(
		checkpoint_note_cosigned(&note, &head, bytes_of_text("other"), example.cosigner.key, &time),
		ERROR_NOT_FOUND);
	assert_int_equal(time, 0);
}

static enum error open_note(const char *text)
{
	struct signed_note note;
	struct checkpoint head;
	const enum error error = checkpoint_note_open(bytes_of_text(text), bytes_of_text(ORIGIN),
						      example.log.key, &note, &head);

	if (error != ERROR_OK) {
		assert_int_equal(note.count, 0);
		assert_int_equal(head.origin.size, 0);
	}
	return error;
}

static void a_note_that_the_log_did_not_sign_is_refused(void **state)
{
	assert_int_equal(open_note(TEXT "\n" LOG_LINE), ERROR_OK);
	assert_int_equal(open_note(TEXT "\n" COSIGNER_LINE LOG_LINE), ERROR_OK);
	assert_int_equal(open_note(TEXT "\n" LOG_LINE "— stranger AAAAAAA=\n"), ERROR_OK);
	assert_int_equal(open_note(TEXT "\n" COSIGNER_LINE), ERROR_NOT_FOUND);
	assert_int_equal(open_note(TEXT "\n" LOG_LINE LOG_LINE), ERROR_MALFORMED);
	assert_int_equal(open_note(TEXT "\n" LOG_LINE "— " ORIGIN " AAAAAAA=\n"), ERROR_MALFORMED);
	assert_int_equal(open_note(TEXT "\n" LOG_LINE COSIGNER_LINE COSIGNER_LINE), ERROR_MALFORMED);
	assert_int_equal(open_note(ORIGIN "\n9\n" ROOT_BASE64 "\n\n" LOG_LINE), ERROR_BAD_SIGNATURE);
	assert_int_equal(open_note("other\n8\n" ROOT_BASE64 "\n\n" LOG_LINE), ERROR_MALFORMED);
	assert_int_equal(open_note(TEXT "more\n\n" LOG_LINE), ERROR_UNSUPPORTED);
	assert_int_equal(open_note(TEXT LOG_LINE), ERROR_MALFORMED);
	/* The key id of the log and a signature that is too short. */
	assert_int_equal(open_note(TEXT "\n— " ORIGIN " SBCM3l0=\n"), ERROR_MALFORMED);
}

static void a_cosignature_of_another_time_is_refused(void **state)
{
	char text[] = NOTE;
	char *base64 = strstr(text, "1RXrfAAAAABrAmmh");
	struct signed_note note;
	struct checkpoint head;
	uint64_t time;

	memcpy(base64, "1RXrfAAAAABrAmmi", 16);
	assert_int_equal(checkpoint_note_open(bytes_of_text(text), bytes_of_text(ORIGIN), example.log.key,
					      &note, &head),
			 ERROR_OK);
	assert_int_equal(
		checkpoint_note_cosigned(&note, &head, bytes_of_text(COSIGNER), example.cosigner.key, &time),
		ERROR_BAD_SIGNATURE);
	memcpy(base64, "1RXrfP//////////", 16);
	assert_int_equal(
		checkpoint_note_cosigned(&note, &head, bytes_of_text(COSIGNER), example.cosigner.key, &time),
		ERROR_OUT_OF_RANGE);
	assert_int_equal(time, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_worked_example),
		cmocka_unit_test(every_part_of_a_name_changes_it),
		cmocka_unit_test(a_head_is_written_and_read_back),
		cmocka_unit_test(the_published_example_is_read),
		cmocka_unit_test(texts_of_another_form_are_refused),
		cmocka_unit_test(no_prefix_of_a_text_is_read_past_its_end),
		cmocka_unit_test(an_origin_that_is_not_one_line_is_never_signed),
		cmocka_unit_test(signatures_are_those_of_the_worked_example),
		cmocka_unit_test(a_signature_covers_origin_size_root_and_time),
		cmocka_unit_test(a_signature_and_a_cosignature_are_not_each_other),
		cmocka_unit_test(a_cosignature_has_a_time_within_range),
		cmocka_unit_test(the_note_is_that_of_the_worked_example),
		cmocka_unit_test(a_name_that_no_key_can_have_is_not_written),
		cmocka_unit_test(a_note_opens_with_the_log_key_and_shows_its_cosignature),
		cmocka_unit_test(a_note_that_the_log_did_not_sign_is_refused),
		cmocka_unit_test(a_cosignature_of_another_time_is_refused),
	};

	return cmocka_run_group_tests(tests, make_example, NULL);
}
