#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/ed25519.h"
#include "envelope/signed_note.h"
#include "tests/unit/hex.h"

/* The published example of golang.org/x/mod/sumdb/note, with its private key. */
#define EXAMPLE_TEXT                                                                                         \
	"If you think cryptography is the answer to your problem,\n"                                         \
	"then you don't know what your problem is.\n"
#define EXAMPLE_BASE64                                                                                       \
	"x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
#define EXAMPLE_NOTE EXAMPLE_TEXT "\n— PeterNeumann " EXAMPLE_BASE64 "\n"
#define EXAMPLE_SEED "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"

/* A head of a public log with cosignatures of public witnesses, as it was served on 2026-05-23. */
#define LOG_NAME "arche2025h1.staging.ct.transparency.dev"
#define LOG_KEY  "4d2f1e6946092fcf74df1bd8e68698aa6b2c8f0728cf9d278ef6c60158875e5f"
#define LOG_TEXT LOG_NAME "\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
#define LOG_NOTE                                                                                             \
	LOG_TEXT                                                                                             \
	"\n"                                                                                                 \
	"— " LOG_NAME                                                                                        \
	" zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJX"      \
	"Fbon5Ch9MNL5zRNZ55lvGt0=\n"                                                                         \
	"— " LOG_NAME                                                                                        \
	" ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"    \
	"— transparency.dev/DEV:witness-little-garden "                                                    \
	"2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVk"                                       \
	"jZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"                                                     \
	"— witness1.smartit.nu/witness1 "                                                                  \
	"pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQt"                       \
	"mJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"                                                                     \
	"— remora.n621.de "                                                                                \
	"2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0"           \
	"WBxtqB0DrAWfBw==\n"                                                                                 \
	"— witness.stagemole.eu "                                                                          \
	"Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI"               \
	"7cUiOvKFYe/TmN9DAg==\n"

static const struct witness {
	const char *name;
	const char *key;
	const char *key_id; /* as in the witness's published verifier key */
} witnesses[] = {
	{"remora.n621.de", "ebcdeb78e7fdb2ef9227b2c1ef11e94600b55b4d6d9a57877e31ee89e59adc36", "da77ade7"},
	{"witness1.smartit.nu/witness1", "f4855a0f46e8a3e23bb40faf260ee57ab8a18249fa402f2ca2d28a60e1a3130e",
	 "a48c820f"},
	{"transparency.dev/DEV:witness-little-garden",
	 "2b6eb0ec483503544cde4e8fc1ce6d1921db21dffccc186865f808f7625443cc", "d8042a87"},
	{"witness.stagemole.eu", "4a921b7caef58ae670cdc11ef4184f1c058f7b9259a9107a969f69fa54aa496f",
	 "67f7aea0"},
};

static void example_pair(struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];

	hex_decode(EXAMPLE_SEED, seed, sizeof seed);
	ed25519_pair_from_seed(seed, pair);
}

static void the_published_example_is_written_byte_for_byte(void **state)
{
	uint8_t memory[512], signature[ED25519_SIGNATURE_SIZE], key_id[SIGNED_NOTE_KEY_ID_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	const struct bytes name = bytes_of_text("PeterNeumann"), text = bytes_of_text(EXAMPLE_TEXT);
	struct ed25519_pair pair;

	example_pair(&pair);
	ed25519_sign(&pair, text, signature);
	signed_note_key_id(name, SIGNED_NOTE_ED25519, pair.key, key_id);
	assert_memory_equal(key_id, "\xc7\x4f\x20\xa3", 4);
	signed_note_write_text(&buffer, text);
	signed_note_write_line(&buffer, name, key_id, bytes_make(signature, sizeof signature));
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of_text(EXAMPLE_NOTE)));
}

static void the_published_example_is_read_and_verifies(void **state)
{
	uint8_t signature[ED25519_SIGNATURE_SIZE], key_id[SIGNED_NOTE_KEY_ID_SIZE];
	const struct bytes name = bytes_of_text("PeterNeumann");
	struct ed25519_pair pair;
	struct signed_note note;

	example_pair(&pair);
	assert_int_equal(signed_note_parse(bytes_of_text(EXAMPLE_NOTE), &note), ERROR_OK);
	assert_true(bytes_equal(note.text, bytes_of_text(EXAMPLE_TEXT)));
	assert_int_equal(note.count, 1);
	signed_note_key_id(name, SIGNED_NOTE_ED25519, pair.key, key_id);
	assert_int_equal(signed_note_find(&note, name, key_id, signature, sizeof signature), ERROR_OK);
	assert_int_equal(ed25519_verify(pair.key, note.text, signature), ERROR_OK);
}

static void a_head_of_a_public_log_is_read_and_its_signatures_verify(void **state)
{
	uint8_t key[ED25519_KEY_SIZE], key_id[SIGNED_NOTE_KEY_ID_SIZE], signature[72], published[4];
	struct signed_note note;

	assert_int_equal(signed_note_parse(bytes_of_text(LOG_NOTE), &note), ERROR_OK);
	assert_true(bytes_equal(note.text, bytes_of_text(LOG_TEXT)));
	assert_int_equal(note.count, 6);

	hex_decode(LOG_KEY, key, sizeof key);
	signed_note_key_id(bytes_of_text(LOG_NAME), SIGNED_NOTE_ED25519, key, key_id);
	assert_int_equal(signed_note_find(&note, bytes_of_text(LOG_NAME), key_id, signature, 64), ERROR_OK);
	assert_int_equal(ed25519_verify(key, note.text, signature), ERROR_OK);

	for (size_t i = 0; i < sizeof witnesses / sizeof witnesses[0]; i++) {
		const struct bytes name = bytes_of_text(witnesses[i].name);
		const struct bytes covered = bytes_of_text("cosignature/v1\ntime 1779573024\n" LOG_TEXT);

		hex_decode(witnesses[i].key, key, sizeof key);
		hex_decode(witnesses[i].key_id, published, sizeof published);
		signed_note_key_id(name, SIGNED_NOTE_COSIGNATURE, key, key_id);
		assert_memory_equal(key_id, published, sizeof published);
		assert_int_equal(signed_note_find(&note, name, key_id, signature, 72), ERROR_OK);
		assert_int_equal(load_u64(signature), 1779573024);
		assert_int_equal(ed25519_verify(key, covered, signature + 8), ERROR_OK);
	}
}

static void lines_come_in_their_order(void **state)
{
	struct signed_note note;
	struct signed_note_line line;
	struct bytes lines;
	static const char *const names[] = {LOG_NAME,
					    LOG_NAME,
					    "transparency.dev/DEV:witness-little-garden",
					    "witness1.smartit.nu/witness1",
					    "remora.n621.de",
					    "witness.stagemole.eu"};

	assert_int_equal(signed_note_parse(bytes_of_text(LOG_NOTE), &note), ERROR_OK);
	lines = note.lines;
	for (size_t i = 0; i < 6; i++) {
		assert_true(signed_note_next(&lines, &line));
		assert_true(bytes_equal(line.name, bytes_of_text(names[i])));
	}
	assert_false(signed_note_next(&lines, &line));
}

static void a_name_that_signs_twice_is_seen(void **state)
{
	struct signed_note note;

	assert_int_equal(signed_note_parse(bytes_of_text(LOG_NOTE), &note), ERROR_OK);
	assert_false(signed_note_names_differ(&note));
	assert_int_equal(signed_note_parse(bytes_of_text(EXAMPLE_NOTE), &note), ERROR_OK);
	assert_true(signed_note_names_differ(&note));
	assert_int_equal(
		signed_note_parse(bytes_of_text("t\n\n— a AAAAAAA=\n— b AAAAAAA=\n— ab AAAAAAA=\n"), &note),
		ERROR_OK);
	assert_true(signed_note_names_differ(&note));
	assert_int_equal(
		signed_note_parse(bytes_of_text("t\n\n— a AAAAAAA=\n— b AAAAAAA=\n— a BBBBBBA=\n"), &note),
		ERROR_OK);
	assert_false(signed_note_names_differ(&note));
}

static void finding_wants_one_line_of_the_right_name_id_and_length(void **state)
{
	static const uint8_t zeros[4] = {0}, other[4] = {0, 0, 0, 1};
	struct signed_note note;
	uint8_t signature[72];

	memset(signature, 0xff, sizeof signature);
	assert_int_equal(
		signed_note_parse(bytes_of_text("t\n\n— a AAAAAAA=\n— a AAAAAAE=\n— b AAAAAAA=\n"), &note),
		ERROR_OK);
	assert_int_equal(signed_note_find(&note, bytes_of_text("c"), zeros, signature, 1), ERROR_NOT_FOUND);
	assert_int_equal(signed_note_find(&note, bytes_of_text("b"), other, signature, 1), ERROR_NOT_FOUND);
	assert_int_equal(signed_note_find(&note, bytes_of_text("a"), zeros, signature, 1), ERROR_MALFORMED);
	assert_int_equal(signed_note_find(&note, bytes_of_text("b"), zeros, signature, 2), ERROR_MALFORMED);
	assert_int_equal(signed_note_find(&note, bytes_of_text("b"), zeros, signature, 64), ERROR_MALFORMED);
	assert_int_equal(signature[0], 0);
	assert_int_equal(signed_note_find(&note, bytes_of_text("b"), zeros, signature, 1), ERROR_OK);
}

/*
 * The base64 of 73 and 74 bytes is as long as that of 72 with the id: it must not run over the room for 72.
 */
static void a_signature_one_or_two_bytes_too_long_is_refused(void **state)
{
	static const uint8_t key_id[4] = {0};
	uint8_t signature[72];
	char text[256] = "t\n\n— a ";
	struct signed_note note;

	memset(text + strlen(text), 'A', 103);
	strncat(text, "=\n", 3);
	assert_int_equal(signed_note_parse(bytes_of_text(text), &note), ERROR_OK);
	assert_int_equal(signed_note_find(&note, bytes_of_text("a"), key_id, signature, 72), ERROR_MALFORMED);
	text[strlen(text) - 2] = 'A';
	assert_int_equal(signed_note_parse(bytes_of_text(text), &note), ERROR_OK);
	assert_int_equal(signed_note_find(&note, bytes_of_text("a"), key_id, signature, 72), ERROR_MALFORMED);
	memcpy(text + strlen(text) - 3, "==", 2);
	assert_int_equal(signed_note_parse(bytes_of_text(text), &note), ERROR_OK);
	assert_int_equal(signed_note_find(&note, bytes_of_text("a"), key_id, signature, 72), ERROR_OK);
}

static void names_have_no_space_and_no_plus(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} names[] = {
		{"a", true},
		{"B\xc3\xbcro", true},
		{"\xe4\xb8\xad\xe5\xbf\x83", true}, /* begins as the ideographic space does not */
		{"\xe3\x81\x82", true},             /* and as it does */
		{"", false},
		{"a+b", false},
		{"a ", false},
		{"a\xc2\xa0", false},     /* a space of two bytes ends the name */
		{"a\xe3\x80\x80", false}, /* and one of three */
		{"a\xe3\x80", false},     /* no UTF-8 */
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(signed_note_name_is_valid(bytes_of_text(names[i].name)), names[i].valid);
}

static void notes_of_another_form_are_refused(void **state)
{
	static const char *const malformed[] = {
		"",
		"\n",
		"\n\n",
		"text",
		"text\n",
		"text\n\n",
		"text\n— a AAAAAAA=\n",     /* no empty line */
		"text\n\n— a AAAAAAA=",     /* no LF at the end */
		"text\n\n— a AAAAAAA=\n\n", /* the last empty line parts: no line follows */
		"text\n\n— a AAAAAAA=\n\nmore\n",
		"text\n\n- a AAAAAAA=\n", /* hyphen */
		"text\n\n– a AAAAAAA=\n", /* en dash */
		"text\n\n—a AAAAAAA=\n",
		"text\n\n—  AAAAAAA=\n", /* no name */
		"text\n\n— a\n",
		"text\n\n— a \n",
		"text\n\n— a  AAAAAAA=\n", /* two spaces */
		"text\n\n— a b AAAAAAA=\n",
		"text\n\n— a AAAAAAA= \n",
		"text\n\n — a AAAAAAA=\n",
		"text\n\n— a+b AAAAAAA=\n",
		"text\n\n— a\xc2\xa0"
		"b AAAAAAA=\n", /* no-break space */
		"text\n\n— a\xe2\x80\x83"
		"b AAAAAAA=\n", /* em space */
		"text\n\n— a\xe3\x80\x80"
		"b AAAAAAA=\n", /* ideographic space */
		"text\n\n— a\xe2\x80\xa8"
		"b AAAAAAA=\n",           /* line separator */
		"text\n\n— a AAAA\n",     /* 3 bytes: not even a key id */
		"text\n\n— a AAAAAA==\n", /* a key id and no signature */
		"text\n\n— a AAAAAAA\n",  /* no padding */
		"text\n\n— a AAAAAAAA=\n",
		"text\n\n— a AAAAAAA==\n",
		"text\n\n— a AAAAAAB=\n", /* bits left over */
		"text\n\n— a AAAAAAAAAB==\n",
		"text\n\n— a AAAAA=A=\n",
		"text\n\n— a AAAA====\n",
		"text\n\n— a A===AAAA\n",
		"text\n\n— a AAAAA-A=\n", /* the alphabet of URLs */
		"text\n\n— a AAAAA_A=\n",
		"text\n\n— a AAAAA\xc3\xa9"
		"A\n",
		"text\n\n— a AAAAAAA=\nmore\n",
		"text\n\n— a AAAAAAA=\n— b\n",
	};
	static const char *const not_text[] = {
		"text\r\n\n— a AAAAAAA=\n",   "te\txt\n\n— a AAAAAAA=\n",
		"text\n\n— a AAAAAAA=\r\n",   "te\x80xt\n\n— a AAAAAAA=\n",
		"text\n\n— a\xff AAAAAAA=\n", "te\xed\xa0\x80xt\n\n— a AAAAAAA=\n", /* a surrogate */
	};
	struct signed_note note;

	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		if (signed_note_parse(bytes_of_text(malformed[i]), &note) != ERROR_MALFORMED)
			fail_msg("malformed note %zu is taken: %s", i, malformed[i]);
		assert_int_equal(note.count, 0);
	}
	for (size_t i = 0; i < sizeof not_text / sizeof not_text[0]; i++)
		if (signed_note_parse(bytes_of_text(not_text[i]), &note) != ERROR_NOT_TEXT)
			fail_msg("note %zu that is no text is taken", i);
	assert_int_equal(signed_note_parse(bytes_make("a\0b\n\n— a AAAAAAA=\n", 20), &note), ERROR_NOT_TEXT);
}

static void the_text_reaches_to_the_last_empty_line(void **state)
{
	struct signed_note note;

	assert_int_equal(signed_note_parse(bytes_of_text("a\n\n\nb\n\n— a AAAAAAA=\n"), &note), ERROR_OK);
	assert_true(bytes_equal(note.text, bytes_of_text("a\n\n\nb\n")));
	assert_int_equal(signed_note_parse(bytes_of_text("— a AAAAAAA=\n\n— b AAAAAAA=\n"), &note), ERROR_OK);
	assert_true(bytes_equal(note.text, bytes_of_text("— a AAAAAAA=\n")));
	assert_true(bytes_equal(note.lines, bytes_of_text("— b AAAAAAA=\n")));
	assert_int_equal(signed_note_parse(bytes_of_text("\n\n\n— a AAAAAAA=\n"), &note), ERROR_OK);
	assert_true(bytes_equal(note.text, bytes_of_text("\n\n")));
}

/* Reads each prefix from memory of exactly its size, so that a sanitizer sees any read beyond it. */
static void no_prefix_is_read_past_its_end(void **state)
{
	const struct bytes whole = bytes_of_text(LOG_NOTE);
	struct signed_note note;
	size_t accepted = 0;

	for (size_t size = 1; size < whole.size; size++) {
		uint8_t *copy = test_malloc(size);

		memcpy(copy, whole.data, size);
		if (signed_note_parse(bytes_make(copy, size), &note) == ERROR_OK) {
			assert_int_equal(copy[size - 1], '\n');
			accepted++;
		}
		test_free(copy);
	}
	assert_int_equal(accepted, 5); /* after each line but the last */
}

static void notes_are_bounded(void **state)
{
	static uint8_t memory[SIGNED_NOTE_SIZE_MAX + 64];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct signed_note note;

	buffer_append(&buffer, bytes_of_text("text\n\n"));
	for (size_t i = 0; i < SIGNED_NOTE_LINES_MAX; i++)
		buffer_append(&buffer, bytes_of_text("— a AAAAAAA=\n"));
	assert_int_equal(signed_note_parse(buffer_bytes(&buffer), &note), ERROR_OK);
	assert_int_equal(note.count, SIGNED_NOTE_LINES_MAX);
	buffer_append(&buffer, bytes_of_text("— a AAAAAAA=\n"));
	assert_int_equal(signed_note_parse(buffer_bytes(&buffer), &note), ERROR_TOO_LARGE);

	memset(memory, 'x', sizeof memory);
	memcpy(memory + SIGNED_NOTE_SIZE_MAX - 17, "\n\n— a AAAAAAA=\n", 17);
	assert_int_equal(signed_note_parse(bytes_make(memory, SIGNED_NOTE_SIZE_MAX), &note), ERROR_OK);
	memcpy(memory + SIGNED_NOTE_SIZE_MAX - 17, "x\n\n— a AAAAAAA=\n", 18);
	assert_int_equal(signed_note_parse(bytes_make(memory, SIGNED_NOTE_SIZE_MAX + 1), &note),
			 ERROR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_example_is_written_byte_for_byte),
		cmocka_unit_test(the_published_example_is_read_and_verifies),
		cmocka_unit_test(a_head_of_a_public_log_is_read_and_its_signatures_verify),
		cmocka_unit_test(lines_come_in_their_order),
		cmocka_unit_test(a_name_that_signs_twice_is_seen),
		cmocka_unit_test(finding_wants_one_line_of_the_right_name_id_and_length),
		cmocka_unit_test(a_signature_one_or_two_bytes_too_long_is_refused),
		cmocka_unit_test(names_have_no_space_and_no_plus),
		cmocka_unit_test(notes_of_another_form_are_refused),
		cmocka_unit_test(the_text_reaches_to_the_last_empty_line),
		cmocka_unit_test(no_prefix_is_read_past_its_end),
		cmocka_unit_test(notes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
