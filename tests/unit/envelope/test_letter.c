#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static struct content content;
static struct letter *const letter = &content.of.letter;
static uint8_t memory[CONTENT_SIZE_MAX];

/* The neutral element: its order is 1. */
static const uint8_t small_order_key[PUBLIC_KEY_SIZE] = {0x01};

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

static enum error round_trip(struct bytes encoded, struct buffer *again)
{
	enum error error = content_decode(encoded, &content);

	if (error == ERROR_OK)
		content_encode(&content, again);
	return error;
}

static enum error encode_and_decode(void)
{
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	content_encode(&content, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return content_decode(buffer_bytes(&buffer), &content);
}

static void load(const char *name)
{
	assert_int_equal(content_decode(examples_get(&examples, name), &content), ERROR_OK);
}

static enum error check_on_channel(void)
{
	return letter_check(letter, 0, true);
}

static enum error check_card_letter(void)
{
	return letter_check(letter, 0, false);
}

/* ---- form ---- */

static void every_letter_survives_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "founding content"), round_trip);
	codec_check(examples_get(&examples, "post content"), round_trip);
	codec_check(examples_get(&examples, "opening content"), round_trip);
	codec_check(examples_get(&examples, "credence content"), round_trip);
	codec_check(examples_get(&examples, "agrement content"), round_trip);
}

static void only_the_first_letter_of_a_chain_has_none_before_it(void **state)
{
	load("founding content");
	letter->has_previous = true;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("post content");
	letter->has_previous = false;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("post content");
	letter->number = POSITION_MAX + 1;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

static void a_letter_may_have_every_option(void **state)
{
	load("credence content");
	letter->has_answers = true;
	memset(letter->answers, 0x5a, IDENTITY_SIZE);
	letter->reason = bytes_of_text("Because.\nAnd because.");
	letter->condition = bytes_of_text("Until then.");
	letter->has_review = true;
	letter->review = TIME_MAX;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_true(letter->has_answers);
	assert_int_equal(letter->answers[31], 0x5a);
	assert_true(bytes_equal(letter->reason, bytes_of_text("Because.\nAnd because.")));
	assert_true(bytes_equal(letter->condition, bytes_of_text("Until then.")));
	assert_int_equal(letter->review, TIME_MAX);
	letter->review = TIME_MAX + 1;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

static void a_post_letter_is_within_its_bounds(void **state)
{
	load("post content");
	letter->of.post.slot = POST_SLOTS - 1;
	letter->of.post.kind = POST_HEADQUARTERS;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	letter->of.post.slot = POST_SLOTS;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("post content");
	letter->of.post.kind = 0;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("post content");
	letter->of.post.kind = POST_HEADQUARTERS + 1;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

static void the_parties_of_an_opening_are_a_roster(void **state)
{
	struct roster *parties = &letter->of.opening.parties;

	load("opening content");
	memcpy(parties->ids[1], parties->ids[0], PARTY_ID_SIZE);
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	memset(parties->ids[0], 0xff, PARTY_ID_SIZE);
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	parties->count = 1;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	parties->count = PARTIES_MAX;
	for (size_t i = 0; i < PARTIES_MAX; i++)
		memset(parties->ids[i], (int)i, PARTY_ID_SIZE);
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(parties->count, PARTIES_MAX);
}

static void an_opening_has_a_card_and_posts(void **state)
{
	struct opening_letter *opening = &letter->of.opening;

	load("opening content");
	opening->posts_count = 2;
	opening->posts[1] = opening->posts[0];
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	opening->posts_count = POST_SLOTS;
	for (size_t i = 0; i < POST_SLOTS; i++) {
		opening->posts[i] = opening->posts[0];
		opening->posts[i].slot = i;
	}
	assert_int_equal(encode_and_decode(), ERROR_OK);
	opening->posts_count = 0;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	opening->posts_count = 1;
	opening->posts[0].slot = POST_SLOTS - 1;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	opening->posts[0].slot = POST_SLOTS; /* it is an index into the card's posts */
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("opening content");
	opening->card_count = 0;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("opening content");
	opening->card_count = CARD_LETTERS_MAX;
	for (size_t i = 0; i < CARD_LETTERS_MAX; i++)
		opening->card[i] = bytes_of_text("x");
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(opening->card_count, CARD_LETTERS_MAX);
}

static void officers_of_an_agrement_ascend(void **state)
{
	struct agrement_letter *agrement = &letter->of.agrement;

	load("agrement content");
	agrement->officers[1] = agrement->officers[0];
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("agrement content");
	agrement->officers[0] = 0;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("agrement content");
	agrement->officers_count = 0;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
	load("agrement content");
	agrement->party = PARTIES_MAX;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("agrement content");
	agrement->officers_count = OFFICERS_MAX;
	for (size_t i = 0; i < OFFICERS_MAX; i++)
		agrement->officers[i] = OFFICER_NUMBER_MAX - OFFICERS_MAX + 1 + i;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(agrement->officers_count, OFFICERS_MAX);
}

static void an_empty_scope_leaves_every_precedence(void **state)
{
	load("credence content");
	letter->of.credence.highest_precedence = 0;
	letter->of.credence.title = bytes_make(NULL, 0);
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(letter->of.credence.highest_precedence, 0);
	letter->of.credence.highest_precedence = 5;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

static void a_letter_of_an_unknown_kind_keeps_its_place_in_the_chain(void **state)
{
	/* [3, 1, 0, registry, id, [77, 9, 1, previous, null, ["new", 1], {1: answers}]] */
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	buffer_append(&buffer, bytes_make("\x86\x03\x01\x00\x48zzzzzzzz\x50iiiiiiiiiiiiiiii", 30));
	buffer_append(&buffer,
		      bytes_make("\x87\x18\x4d\x09\x01\x58\x20pppppppppppppppppppppppppppppppp\xf6", 40));
	buffer_append(&buffer, bytes_make("\x82\x63new\x01\xa1\x02\x61r", 10));
	assert_int_equal(content_decode(buffer_bytes(&buffer), &content), ERROR_REFUSED_KIND);
	assert_int_equal(letter->kind, 77);
	assert_int_equal(letter->number, 1);
	assert_int_equal(letter->previous[0], 'p');
	assert_true(bytes_equal(letter->reason, bytes_of_text("r")));
	assert_int_equal(letter_check(letter, 0, true), ERROR_REFUSED_KIND);
	assert_string_equal(letter_kind_name(77), "?");
	/* Its parameters must be an array, as those of every letter. */
	memory[70] = 0x01;
	memory[71] = 0x60;
	assert_int_not_equal(content_decode(buffer_bytes(&buffer), &content), ERROR_REFUSED_KIND);
}

/* ---- what is said ---- */

static void each_letter_belongs_to_its_chain(void **state)
{
	load("founding content");
	assert_int_equal(check_card_letter(), ERROR_OK);
	assert_int_equal(check_on_channel(), ERROR_REFUSED_FORM);
	load("post content");
	assert_int_equal(check_card_letter(), ERROR_OK);
	letter->number = 0;
	letter->has_previous = false;
	assert_int_equal(check_card_letter(), ERROR_REFUSED_FORM);
	load("opening content");
	assert_int_equal(check_on_channel(), ERROR_OK);
	assert_int_equal(check_card_letter(), ERROR_REFUSED_FORM);
	letter->number = 1;
	letter->has_previous = true;
	assert_int_equal(check_on_channel(), ERROR_REFUSED_FORM);
	load("credence content");
	letter->number = 0;
	letter->has_previous = false;
	assert_int_equal(check_on_channel(), ERROR_REFUSED_FORM);
}

static void only_the_authority_needs_no_entitling_letter(void **state)
{
	load("credence content");
	assert_int_equal(letter_check(letter, 7, true), ERROR_REFUSED_AUTHORITY);
	letter->has_entitled_by = true;
	assert_int_equal(letter_check(letter, 0, true), ERROR_REFUSED_AUTHORITY);
	assert_int_equal(letter_check(letter, 7, true), ERROR_OK);
}

static void keys_of_small_order_are_refused(void **state)
{
	load("founding content");
	memcpy(letter->of.founding.authority_key, small_order_key, PUBLIC_KEY_SIZE);
	assert_int_equal(check_card_letter(), ERROR_BAD_KEY);
	load("post content");
	memcpy(letter->of.post.statement_key, small_order_key, PUBLIC_KEY_SIZE);
	assert_int_equal(check_card_letter(), ERROR_BAD_KEY);
	load("opening content");
	memcpy(letter->of.opening.posts[0].log_key, small_order_key, PUBLIC_KEY_SIZE);
	assert_int_equal(check_on_channel(), ERROR_BAD_KEY);
	load("opening content");
	memcpy(letter->of.opening.posts[0].cosigner_key, small_order_key, PUBLIC_KEY_SIZE);
	assert_int_equal(check_on_channel(), ERROR_BAD_KEY);
	load("credence content");
	memcpy(letter->of.credence.key, small_order_key, PUBLIC_KEY_SIZE);
	assert_int_equal(check_on_channel(), ERROR_BAD_KEY);
}

static void names_are_one_plain_line(void **state)
{
	load("founding content");
	letter->of.founding.name = bytes_of_text("A\nFROM: B");
	assert_int_equal(check_card_letter(), ERROR_REFUSED_TEXT);
	load("post content");
	letter->of.post.name = bytes_of_text("a\xe2\x80\xae"
					     "b");
	assert_int_equal(check_card_letter(), ERROR_REFUSED_TEXT);
	load("post content");
	static const char *const nodes[] = {"dtn://a b/", "dtn://embassy", "ipn:0.0", "ipn:1.1", "embassy"};
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		letter->of.post.node = bytes_of_text(nodes[i]);
		assert_int_equal(check_card_letter(), ERROR_REFUSED_FORM);
	}
	load("credence content");
	letter->of.credence.name = bytes_of_text("");
	assert_int_equal(check_on_channel(), ERROR_REFUSED_FORM);
	load("credence content");
	letter->of.credence.title = bytes_of_text("a\tb");
	assert_int_equal(check_on_channel(), ERROR_REFUSED_TEXT);
	load("credence content");
	letter->reason = bytes_of_text("a\x1b[1m");
	assert_int_equal(check_on_channel(), ERROR_REFUSED_TEXT);
	load("credence content");
	letter->condition = bytes_of_text("two\nlines");
	assert_int_equal(check_on_channel(), ERROR_OK);
}

static void texts_of_letters_are_bounded(void **state)
{
	static char text[REASON_SIZE_MAX + 1];

	memset(text, 'x', sizeof(text));
	load("credence content");
	letter->reason = bytes_make(text, REASON_SIZE_MAX + 1);
	assert_int_equal(check_on_channel(), ERROR_REFUSED_FORM);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
	load("founding content");
	letter->of.founding.name = bytes_make(text, NAME_SIZE_MAX);
	assert_int_equal(encode_and_decode(), ERROR_OK);
	letter->of.founding.name = bytes_make(text, NAME_SIZE_MAX + 1);
	assert_int_equal(check_card_letter(), ERROR_REFUSED_FORM);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
	letter->of.founding.name = bytes_of_text("\xe2\x80\x8c\xc2\xa0 \xef\xb8\x8f");
	assert_int_equal(check_card_letter(), ERROR_REFUSED_TEXT);
	load("post content");
	letter->of.post.node = bytes_make(text, EID_SIZE_MAX + 1);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
}

static void terms_of_an_opening_are_checked(void **state)
{
	load("opening content");
	letter->of.opening.terms = bytes_of_text("x");
	assert_int_equal(check_on_channel(), ERROR_REFUSED_TERMS);
}

static void kinds_have_names(void **state)
{
	assert_string_equal(letter_kind_name(LETTER_FOUNDING), "FOUNDING");
	assert_string_equal(letter_kind_name(LETTER_AGREMENT), "AGRÉMENT");
	assert_string_equal(post_kind_name(POST_MISSION), "mission");
	assert_string_equal(post_kind_name(POST_HEADQUARTERS), "headquarters");
	assert_string_equal(post_kind_name(0), "?");
	assert_string_equal(post_kind_name(7), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_letter_survives_hostile_bytes),
		cmocka_unit_test(only_the_first_letter_of_a_chain_has_none_before_it),
		cmocka_unit_test(a_letter_may_have_every_option),
		cmocka_unit_test(a_post_letter_is_within_its_bounds),
		cmocka_unit_test(the_parties_of_an_opening_are_a_roster),
		cmocka_unit_test(an_opening_has_a_card_and_posts),
		cmocka_unit_test(officers_of_an_agrement_ascend),
		cmocka_unit_test(an_empty_scope_leaves_every_precedence),
		cmocka_unit_test(a_letter_of_an_unknown_kind_keeps_its_place_in_the_chain),
		cmocka_unit_test(each_letter_belongs_to_its_chain),
		cmocka_unit_test(only_the_authority_needs_no_entitling_letter),
		cmocka_unit_test(keys_of_small_order_are_refused),
		cmocka_unit_test(names_are_one_plain_line),
		cmocka_unit_test(texts_of_letters_are_bounded),
		cmocka_unit_test(terms_of_an_opening_are_checked),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
