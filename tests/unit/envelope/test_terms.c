#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/cbor.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"
#include "tests/unit/hex.h"

static struct examples examples;

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

/* ---- terms ---- */

static enum error round_trip(struct bytes encoded, struct buffer *again)
{
	struct terms terms;
	enum error error = terms_decode(encoded, &terms);

	if (error == ERROR_OK)
		terms_encode(&terms, again);
	return error;
}

static void terms_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "terms"), round_trip);
}

static void the_default_terms_are_those_of_the_protocol(void **state)
{
	struct terms terms;

	assert_int_equal(terms_decode(examples_get(&examples, "terms"), &terms), ERROR_OK);
	assert_int_equal(terms.suite, 1);
	assert_true(bytes_equal(terms.title, bytes_of_text("The emergency line")));
	assert_int_equal(terms.text_size_max, 65536);
	assert_int_equal(terms.urgent_words_max, 200);
	assert_int_equal(terms.heads_interval_s, 60);
	assert_int_equal(terms.delay_window_s, 1209600);
	assert_int_equal(terms.handling_s[0], 21600);
	assert_int_equal(terms.handling_s[1], 10800);
	assert_int_equal(terms.handling_s[2], 1800);
	assert_int_equal(terms.handling_s[3], 600);
}

/* Checks that *field may be min and max and neither less nor more. */
static void check_bounds(struct terms *terms, uint64_t *field, uint64_t min, uint64_t max)
{
	uint64_t before = *field;

	*field = min;
	assert_int_equal(terms_check(terms), ERROR_OK);
	*field = max;
	assert_int_equal(terms_check(terms), ERROR_OK);
	*field = min - 1;
	assert_int_equal(terms_check(terms), ERROR_OUT_OF_RANGE);
	*field = max + 1;
	assert_int_equal(terms_check(terms), ERROR_OUT_OF_RANGE);
	*field = before;
}

static void every_number_of_the_terms_has_its_bounds(void **state)
{
	struct terms terms;

	terms_default(&terms, bytes_of_text("t"));
	check_bounds(&terms, &terms.text_size_max, 160, 65536);
	check_bounds(&terms, &terms.urgent_words_max, 20, 1000);
	check_bounds(&terms, &terms.heads_interval_s, 10, 86400);
	check_bounds(&terms, &terms.delay_window_s, 3600, 31536000);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		check_bounds(&terms, &terms.handling_s[i], 60, 604800);
	terms.suite = 2;
	assert_int_equal(terms_check(&terms), ERROR_UNSUPPORTED);
}

static void the_title_is_one_plain_line(void **state)
{
	static const char long_title[] = "0123456789012345678901234567890123456789012345678901234567890123!";
	struct terms terms;

	terms_default(&terms, bytes_make(long_title, NAME_SIZE_MAX));
	assert_int_equal(terms_check(&terms), ERROR_OK);
	terms.title = bytes_make(long_title, NAME_SIZE_MAX + 1);
	assert_int_equal(terms_check(&terms), ERROR_TOO_LARGE);
	terms.title = bytes_of_text("");
	assert_int_equal(terms_check(&terms), ERROR_MALFORMED);
	terms.title = bytes_of_text("a\nb");
	assert_int_equal(terms_check(&terms), ERROR_NOT_TEXT);
}

static void the_largest_terms_fit_their_bound(void **state)
{
	uint8_t memory[TERMS_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct terms terms;
	char title[NAME_SIZE_MAX];

	memset(title, 'x', sizeof(title));
	terms_default(&terms, bytes_make(title, sizeof(title)));
	terms.delay_window_s = TERMS_DELAY_WINDOW_S_MAX;
	terms.heads_interval_s = TERMS_HEADS_INTERVAL_S_MAX;
	terms.urgent_words_max = TERMS_URGENT_WORDS_MAX;
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		terms.handling_s[i] = TERMS_HANDLING_S_MAX;
	terms_encode(&terms, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
}

/* ---- rosters, logs, registry ---- */

static void a_roster_is_sorted_and_names_nobody_twice(void **state)
{
	struct roster roster = {.count = 3};
	size_t index = 99;

	memset(roster.ids[0], 3, PARTY_ID_SIZE);
	memset(roster.ids[1], 1, PARTY_ID_SIZE);
	memset(roster.ids[2], 2, PARTY_ID_SIZE);
	assert_int_equal(roster_sort(&roster), ERROR_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(roster.ids[i][0], i + 1);
	assert_true(roster_find(&roster, roster.ids[2], &index));
	assert_int_equal(index, 2);
	assert_false(roster_find(&roster, examples.roster.ids[0], &index));
	memcpy(roster.ids[0], roster.ids[2], PARTY_ID_SIZE);
	assert_int_equal(roster_sort(&roster), ERROR_DUPLICATE);
	assert_int_equal(roster.count, 0);
	roster.count = 1;
	assert_int_equal(roster_sort(&roster), ERROR_OUT_OF_RANGE);
	roster.count = PARTIES_MAX + 1;
	assert_int_equal(roster_sort(&roster), ERROR_OUT_OF_RANGE);
}

static void a_log_number_is_roster_index_times_64_plus_slot(void **state)
{
	assert_int_equal(log_number(0, 0), 0);
	assert_int_equal(log_number(1, 2), 66);
	assert_int_equal(log_number(63, 63), LOG_MAX);
	assert_int_equal(log_roster_index(66), 1);
	assert_int_equal(log_slot(66), 2);
	assert_int_equal(log_roster_index(LOG_MAX), 63);
	assert_int_equal(log_slot(LOG_MAX), 63);
}

static void the_registry_version_does_not_depend_on_the_order(void **state)
{
	uint8_t heads[2][IDENTITY_SIZE], turned[2][IDENTITY_SIZE], sorted[64], hash[32];
	uint8_t version[REGISTRY_SIZE], again[REGISTRY_SIZE];

	memset(heads[0], 2, IDENTITY_SIZE);
	memset(heads[1], 1, IDENTITY_SIZE);
	memset(turned[0], 1, IDENTITY_SIZE);
	memset(turned[1], 2, IDENTITY_SIZE);
	memset(sorted, 1, 32);
	memset(sorted + 32, 2, 32);
	crypto_hash_sha256(hash, sorted, sizeof(sorted));
	registry_version(heads, 2, version);
	registry_version(turned, 2, again);
	assert_memory_equal(version, hash, REGISTRY_SIZE);
	assert_memory_equal(again, hash, REGISTRY_SIZE);
}

static void precedences_have_names(void **state)
{
	assert_string_equal(precedence_name(PRECEDENCE_ROUTINE), "ROUTINE");
	assert_string_equal(precedence_name(PRECEDENCE_PRIORITY), "PRIORITY");
	assert_string_equal(precedence_name(PRECEDENCE_IMMEDIATE), "IMMEDIATE");
	assert_string_equal(precedence_name(PRECEDENCE_FLASH), "FLASH");
	assert_string_equal(precedence_name(0), "?");
	assert_string_equal(precedence_name(5), "?");
}

/* ---- channel ---- */

static void the_channel_id_depends_on_parties_terms_and_nonce(void **state)
{
	struct bytes terms = examples_get(&examples, "terms");
	uint8_t nonce[CHANNEL_NONCE_SIZE], id[CHANNEL_ID_SIZE], tag[CHANNEL_TAG_SIZE];
	struct roster roster = examples.roster;

	memset(nonce, 0x21, sizeof(nonce));
	channel_id_make(&roster, terms, nonce, id);
	assert_memory_equal(id, examples.channel, CHANNEL_ID_SIZE);
	channel_tag_make(id, tag);
	assert_memory_equal(tag, id, CHANNEL_TAG_SIZE);
	nonce[15] ^= 1;
	channel_id_make(&roster, terms, nonce, id);
	assert_memory_not_equal(id, examples.channel, CHANNEL_ID_SIZE);
	nonce[15] ^= 1;
	channel_id_make(&roster, bytes_make(terms.data, terms.size - 1), nonce, id);
	assert_memory_not_equal(id, examples.channel, CHANNEL_ID_SIZE);
	roster.ids[0][0] ^= 1;
	channel_id_make(&roster, terms, nonce, id);
	assert_memory_not_equal(id, examples.channel, CHANNEL_ID_SIZE);
}

static void the_largest_council_with_the_longest_terms_has_an_id(void **state)
{
	uint8_t nonce[CHANNEL_NONCE_SIZE] = {0}, terms[TERMS_SIZE_MAX], id[CHANNEL_ID_SIZE];
	uint8_t other[CHANNEL_ID_SIZE];
	struct roster roster = {.count = PARTIES_MAX};

	memset(terms, 0x42, sizeof(terms));
	for (size_t i = 0; i < PARTIES_MAX; i++)
		memset(roster.ids[i], (int)i, PARTY_ID_SIZE);
	channel_id_make(&roster, bytes_make(terms, sizeof(terms)), nonce, id);
	roster.ids[PARTIES_MAX - 1][PARTY_ID_SIZE - 1] ^= 1;
	channel_id_make(&roster, bytes_make(terms, sizeof(terms)), nonce, other);
	assert_memory_not_equal(id, other, CHANNEL_ID_SIZE);
}

/* ---- aad ---- */

static void the_identity_covers_every_field_of_the_aad(void **state)
{
	struct bytes payload = examples_get(&examples, "message content");
	uint8_t identity[IDENTITY_SIZE], other[IDENTITY_SIZE];
	struct aad aad = examples.aad;

	identity_of(&aad, payload, identity);
	assert_memory_equal(identity, examples_get(&examples, "identity of the message").data, IDENTITY_SIZE);
	aad.context = AAD_HEADS;
	identity_of(&aad, payload, other);
	assert_memory_not_equal(identity, other, IDENTITY_SIZE);
	aad = examples.aad;
	aad.has_channel = false;
	identity_of(&aad, payload, other);
	assert_memory_not_equal(identity, other, IDENTITY_SIZE);
	aad = examples.aad;
	aad.sender[31] ^= 1;
	identity_of(&aad, payload, other);
	assert_memory_not_equal(identity, other, IDENTITY_SIZE);
	aad = examples.aad;
	aad.recipients[0][31] ^= 1;
	identity_of(&aad, payload, other);
	assert_memory_not_equal(identity, other, IDENTITY_SIZE);
}

static void the_recipients_are_all_but_the_sender(void **state)
{
	struct roster roster = {.count = PARTIES_MAX};
	uint8_t memory[AAD_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct aad aad;

	for (size_t i = 0; i < PARTIES_MAX; i++)
		memset(roster.ids[i], (int)i, PARTY_ID_SIZE);
	aad_on_channel(&aad, AAD_CANNOT_OPEN, examples.channel, &roster, 5);
	assert_int_equal(aad.recipients_count, PARTIES_MAX - 1);
	assert_int_equal(aad.sender[0], 5);
	assert_int_equal(aad.recipients[4][0], 4);
	assert_int_equal(aad.recipients[5][0], 6);
	aad_encode(&aad, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_int_equal(cbor_check(buffer_bytes(&buffer)), ERROR_OK);
}

static void what_has_no_channel_has_an_empty_one(void **state)
{
	uint8_t memory[AAD_SIZE_MAX], expected[AAD_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	uint8_t sender[PARTY_ID_SIZE], recipient[PARTY_ID_SIZE];
	struct aad aad;

	memset(sender, 0xaa, sizeof(sender));
	memset(recipient, 0xbb, sizeof(recipient));
	aad_without_channel(&aad, AAD_PREKEYS, sender);
	aad_encode(&aad, &buffer);
	assert_true(
		bytes_equal(buffer_bytes(&buffer),
			    hex_decode("84 6f 6c696169736f6e207072656b657973 40 5820"
				       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 80",
				       expected, sizeof(expected))));
	buffer.size = 0;
	aad_cannot_open(&aad, sender, recipient);
	aad_encode(&aad, &buffer);
	assert_true(bytes_equal(
		buffer_bytes(&buffer),
		hex_decode("84 73 6c696169736f6e2063616e6e6f74206f70656e 40 5820"
			   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 81 5820"
			   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
			   expected, sizeof(expected))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_survive_hostile_bytes),
		cmocka_unit_test(the_default_terms_are_those_of_the_protocol),
		cmocka_unit_test(every_number_of_the_terms_has_its_bounds),
		cmocka_unit_test(the_title_is_one_plain_line),
		cmocka_unit_test(the_largest_terms_fit_their_bound),
		cmocka_unit_test(a_roster_is_sorted_and_names_nobody_twice),
		cmocka_unit_test(a_log_number_is_roster_index_times_64_plus_slot),
		cmocka_unit_test(the_registry_version_does_not_depend_on_the_order),
		cmocka_unit_test(precedences_have_names),
		cmocka_unit_test(the_channel_id_depends_on_parties_terms_and_nonce),
		cmocka_unit_test(the_largest_council_with_the_longest_terms_has_an_id),
		cmocka_unit_test(the_identity_covers_every_field_of_the_aad),
		cmocka_unit_test(the_recipients_are_all_but_the_sender),
		cmocka_unit_test(what_has_no_channel_has_an_empty_one),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
