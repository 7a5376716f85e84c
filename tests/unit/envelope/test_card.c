#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/padding.h"
#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static struct card card;
static struct card_party party;
static struct signed_entry entry;
static struct content content;
static uint8_t memory[8192];
static struct buffer signed_letter;

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

static void load(void)
{
	assert_int_equal(card_decode(examples_get(&examples, "card"), &card), ERROR_OK);
	signed_letter = buffer_make(memory, sizeof(memory));
}

static enum error verify(void)
{
	return card_verify(&card, &entry, &examples.work, &party);
}

/* ---- form ---- */

static enum error round_trip(struct bytes encoded, struct buffer *again)
{
	enum error error = card_decode(encoded, &card);

	if (error == ERROR_OK)
		card_encode(&card, again);
	return error;
}

static void cards_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "card"), round_trip);
}

static void another_version_is_told_from_no_card(void **state)
{
	uint8_t copy[4096];
	struct bytes example = examples_get(&examples, "card");

	assert_true(example.size <= sizeof(copy));
	memcpy(copy, example.data, example.size);
	assert_int_equal(copy[14], 1);
	copy[14] = 2;
	assert_int_equal(card_decode(bytes_make(copy, example.size), &card), ERROR_BAD_VERSION);
	copy[2] = 'L';
	assert_int_equal(card_decode(bytes_make(copy, example.size), &card), ERROR_MALFORMED);
	assert_int_equal(card_decode(bytes_make(copy, CARD_SIZE_MAX + 1), &card), ERROR_TOO_LARGE);
}

static enum error encode_and_decode(void)
{
	static uint8_t room[16384];
	struct buffer buffer = buffer_make(room, sizeof(room));

	card_encode(&card, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return card_decode(buffer_bytes(&buffer), &card);
}

static void addresses_are_numeric_and_in_order(void **state)
{
	load();
	card.addresses_count = 2;
	card.addresses[0] = (struct card_address){1, bytes_of_text("192.0.2.1:4556")};
	card.addresses[1] = (struct card_address){1, bytes_of_text("[2001:db8::1]:4556")};
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_true(bytes_equal(card.addresses[1].address, bytes_of_text("[2001:db8::1]:4556")));
	card.addresses[1].slot = 0;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load();
	card.addresses[0].address = bytes_of_text("embassy.example:4556"); /* no courier looks names up */
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load();
	card.addresses[0].slot = POST_SLOTS;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load();
	card.addresses_count = 0;
	assert_int_equal(encode_and_decode(), ERROR_OK);
}

static void a_sealed_card_is_padded(void **state)
{
	static uint8_t room[4096];
	struct buffer buffer = buffer_make(room, sizeof(room));
	struct bytes encoded;

	buffer_append(&buffer, examples_get(&examples, "card"));
	assert_int_equal(padding_append(&buffer), ERROR_OK);
	assert_int_equal(card_unpad(buffer_bytes(&buffer), &encoded), ERROR_OK);
	assert_true(bytes_equal(encoded, examples_get(&examples, "card")));
	buffer_append_byte(&buffer, 0);
	assert_int_equal(card_unpad(buffer_bytes(&buffer), &encoded), ERROR_MALFORMED);
	assert_int_equal(encoded.size, 0);
	assert_int_equal(card_unpad(bytes_make(room, 10), &encoded), ERROR_TRUNCATED);
}

/* ---- what it says ---- */

static void a_verified_card_tells_of_the_party(void **state)
{
	struct prekeys prekeys;

	load();
	assert_int_equal(verify(), ERROR_OK);
	assert_memory_equal(party.id, examples.roster.ids[examples.federation], PARTY_ID_SIZE);
	assert_true(bytes_equal(party.founding.name, bytes_of_text("Federation")));
	assert_int_equal(party.number, 1);
	assert_true(party.posts[0].known);
	assert_false(party.posts[1].known);
	assert_true(bytes_equal(party.posts[0].letter.name, bytes_of_text("Embassy")));
	assert_true(party.posts[0].has_prekeys);
	assert_int_equal(prekeys_decode(party.posts[0].prekeys, &prekeys), ERROR_OK);
	assert_int_equal(prekeys.first_epoch, 20);
}

/* Signs `content` as a letter of the federation's card chain with this key. */
static struct bytes sign(enum example_key key)
{
	uint8_t room[2048];
	struct buffer payload = buffer_make(room, sizeof(room));
	size_t start = signed_letter.size;
	struct ed25519_pair pair;
	struct aad aad;

	content_encode(&content, &payload);
	assert_int_equal(buffer_error(&payload), ERROR_OK);
	example_pair(key, &pair);
	aad_without_channel(&aad, AAD_ENTRY, examples.roster.ids[examples.federation]);
	assert_int_equal(signed_alone(&pair, &aad, buffer_bytes(&payload), &examples.work, &signed_letter),
			 ERROR_OK);
	return bytes_make(signed_letter.data + start, signed_letter.size - start);
}

/* Takes the example's post letter into `content`, to be changed and signed again. */
static void begin_post_letter(void)
{
	load();
	assert_int_equal(content_decode(examples_get(&examples, "post content"), &content), ERROR_OK);
}

static void a_letter_that_another_signed_is_refused(void **state)
{
	begin_post_letter();
	card.letters[1] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_OK);
	card.letters[1] = sign(KEY_ALLIANCE_AUTHORITY);
	assert_int_equal(verify(), ERROR_BAD_SIGNATURE);
	assert_int_equal(party.posts[0].known, false);
	begin_post_letter();
	content.signers[0] = 7;
	content.of.letter.has_entitled_by = true;
	card.letters[1] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_REFUSED_AUTHORITY);
}

static void a_letter_that_does_not_follow_is_refused(void **state)
{
	begin_post_letter();
	content.of.letter.number = 2;
	card.letters[1] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_REFUSED_CHAIN);
	begin_post_letter();
	content.of.letter.previous[0] ^= 1;
	card.letters[1] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_REFUSED_CHAIN);
	load();
	card.letters_count = 0;
	assert_int_equal(verify(), ERROR_REFUSED_CHAIN);
}

static void a_chain_holds_a_founding_and_posts(void **state)
{
	load();
	card.letters[1] = card.letters[0];
	assert_int_equal(verify(), ERROR_REFUSED_KIND);
	load();
	card.letters[0] = card.letters[1];
	assert_int_equal(verify(), ERROR_REFUSED_KIND);
	load();
	card.letters[0] = examples_get(&examples, "message, signed");
	assert_int_equal(verify(), ERROR_REFUSED_KIND);
	load();
	card.letters[0] = examples_get(&examples, "opening letter");
	assert_int_equal(verify(), ERROR_REFUSED_KIND);
}

static void a_later_letter_replaces_a_post(void **state)
{
	begin_post_letter();
	assert_int_equal(verify(), ERROR_OK);
	content.of.letter.number = 2;
	memcpy(content.of.letter.previous, party.head, IDENTITY_SIZE);
	content.of.letter.of.post.name = bytes_of_text("Chancery");
	card.letters[card.letters_count++] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_OK);
	assert_int_equal(party.number, 2);
	assert_true(bytes_equal(party.posts[0].letter.name, bytes_of_text("Chancery")));
}

static void what_a_letter_says_is_checked(void **state)
{
	begin_post_letter();
	content.of.letter.of.post.name = bytes_of_text("two\nlines");
	card.letters[1] = sign(KEY_FEDERATION_AUTHORITY);
	assert_int_equal(verify(), ERROR_REFUSED_TEXT);
}

static void prekeys_come_from_posts_of_the_chain(void **state)
{
	struct prekeys prekeys;
	uint8_t room[1024];
	struct buffer payload = buffer_make(room, sizeof(room));
	struct ed25519_pair pair;
	struct aad aad;

	load();
	card.prekeys_count = 2;
	card.prekeys[1] = card.prekeys[0];
	assert_int_equal(verify(), ERROR_MALFORMED);
	load();
	assert_int_equal(prekeys_decode(examples_get(&examples, "prekeys"), &prekeys), ERROR_OK);
	prekeys.slot = 1;
	prekeys_encode(&prekeys, &payload);
	example_pair(KEY_EMBASSY_STATEMENTS, &pair);
	aad_without_channel(&aad, AAD_PREKEYS, examples.roster.ids[examples.federation]);
	assert_int_equal(signed_alone(&pair, &aad, buffer_bytes(&payload), &examples.work, &signed_letter),
			 ERROR_OK);
	card.prekeys[0] = buffer_bytes(&signed_letter);
	assert_int_equal(verify(), ERROR_NOT_FOUND);
	load();
	aad.context = AAD_HEADS;
	assert_int_equal(
		signed_alone(&pair, &aad, examples_get(&examples, "prekeys"), &examples.work, &signed_letter),
		ERROR_OK);
	card.prekeys[0] = buffer_bytes(&signed_letter);
	assert_int_equal(verify(), ERROR_BAD_SIGNATURE);
	assert_int_equal(party.number, 0);
	load();
	card.addresses[0].slot = 1;
	assert_int_equal(verify(), ERROR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cards_survive_hostile_bytes),
		cmocka_unit_test(another_version_is_told_from_no_card),
		cmocka_unit_test(addresses_are_numeric_and_in_order),
		cmocka_unit_test(a_sealed_card_is_padded),
		cmocka_unit_test(a_verified_card_tells_of_the_party),
		cmocka_unit_test(a_letter_that_another_signed_is_refused),
		cmocka_unit_test(a_letter_that_does_not_follow_is_refused),
		cmocka_unit_test(a_chain_holds_a_founding_and_posts),
		cmocka_unit_test(a_later_letter_replaces_a_post),
		cmocka_unit_test(what_a_letter_says_is_checked),
		cmocka_unit_test(prekeys_come_from_posts_of_the_chain),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
