#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static struct content content;
static uint8_t memory[CONTENT_SIZE_MAX + 1024];
static char text[TEXT_SIZE_MAX + 2];

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

/* Encodes `content` and decodes it again. */
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

static struct terms terms_of(uint64_t text_size_max, uint64_t urgent_words_max)
{
	struct terms terms;

	terms_default(&terms, bytes_of_text("The emergency line"));
	terms.text_size_max = text_size_max;
	terms.urgent_words_max = urgent_words_max;
	return terms;
}

/* ---- form ---- */

static void every_kind_survives_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "message content"), round_trip);
	codec_check(examples_get(&examples, "message content of two"), round_trip);
	codec_check(examples_get(&examples, "acknowledgment content"), round_trip);
	codec_check(examples_get(&examples, "verdict content"), round_trip);
	codec_check(examples_get(&examples, "incarnation content"), round_trip);
}

static void a_message_has_its_fields(void **state)
{
	const struct message *message = &content.of.message;

	load("message content");
	assert_int_equal(content.kind, CONTENT_MESSAGE);
	assert_int_equal(content.precedence, PRECEDENCE_FLASH);
	assert_int_equal(content.signers_count, 1);
	assert_int_equal(content.signers[0], 1);
	assert_int_equal(content_time(&content), EXAMPLE_TIME);
	assert_true(bytes_equal(message->text, bytes_of_text(EXAMPLE_TEXT)));
	assert_true(bytes_equal(message->subject, bytes_of_text("Exercise")));
	assert_true(message->has_ack_by);
	assert_int_equal(message->ack_by, EXAMPLE_TIME + 1800);
	assert_int_equal(message->references_count, 0);
	assert_false(message->has_answers);
}

static void every_kind_has_its_time(void **state)
{
	load("acknowledgment content");
	assert_int_equal(content_time(&content), EXAMPLE_TIME + 120);
	load("credence content");
	assert_int_equal(content_time(&content), EXAMPLE_TIME - 86400);
	load("verdict content");
	assert_int_equal(content_time(&content), EXAMPLE_TIME + 5);
	load("incarnation content");
	assert_int_equal(content_time(&content), EXAMPLE_TIME);
}

static void numbers_outside_their_range_are_refused(void **state)
{
	load("message content");
	content.precedence = 0;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("message content");
	content.precedence = 5;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("message content");
	content.of.message.time = TIME_MAX;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	content.of.message.time = TIME_MAX + 1;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("message content");
	content.of.message.ack_by = TIME_MAX + 1;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

static enum error decode_with_signers(const char *name, size_t count, uint64_t first, uint64_t second)
{
	load(name);
	content.signers_count = count;
	content.signers[0] = first;
	content.signers[1] = second;
	return encode_and_decode();
}

static void signers_are_those_that_the_kind_may_have(void **state)
{
	assert_int_equal(decode_with_signers("message content", 2, 1, 2), ERROR_OK);
	assert_int_equal(decode_with_signers("message content", 1, OFFICER_NUMBER_MAX, 0), ERROR_OK);
	assert_int_equal(decode_with_signers("message content", 1, OFFICER_NUMBER_MAX + 1, 0),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_signers("message content", 2, 2, 1), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("message content", 2, 2, 2), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("message content", 2, 0, 1), ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_signers("message content", 1, 0, 0), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("message content", 0, 0, 0), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("acknowledgment content", 1, 0, 0), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("credence content", 1, 0, 0), ERROR_OK);
	assert_int_equal(decode_with_signers("credence content", 2, 3, 9), ERROR_OK);
	assert_int_equal(decode_with_signers("credence content", 0, 0, 0), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("verdict content", 1, 1, 0), ERROR_MALFORMED);
	assert_int_equal(decode_with_signers("incarnation content", 1, 0, 0), ERROR_MALFORMED);
}

static void options_are_left_out_rather_than_empty(void **state)
{
	/* [1, 1, 1, registry, id, [0, "x", {}]], and with {1: ""}, {2: []}, {5: 0}, {3: 0, 1: "s"} */
	static const char *const options[] = {"\xa0", "\xa1\x01\x60", "\xa1\x02\x80", "\xa1\x05\x00",
					      "\xa2\x03\x00\x01\x61\x73"};
	static const size_t sizes[] = {1, 3, 3, 3, 6};
	static const enum error errors[] = {ERROR_MALFORMED, ERROR_MALFORMED, ERROR_MALFORMED,
					    ERROR_MALFORMED, ERROR_NOT_CANONICAL};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buffer buffer = buffer_make(memory, sizeof(memory));

		buffer_append(&buffer, bytes_make("\x86\x01\x01\x01\x48zzzzzzzz\x50iiiiiiiiiiiiiiii", 30));
		buffer_append(&buffer, bytes_make("\x83\x00\x61x", 4));
		buffer_append(&buffer, bytes_make(options[i], sizes[i]));
		assert_int_equal(content_decode(buffer_bytes(&buffer), &content), errors[i]);
	}
}

static void an_empty_text_is_refused(void **state)
{
	load("message content");
	content.of.message.text = bytes_make(NULL, 0);
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
}

static void references_are_few_and_differ(void **state)
{
	struct message *message = &content.of.message;

	load("message content");
	message->references_count = REFERENCES_MAX;
	for (size_t i = 0; i < REFERENCES_MAX; i++)
		memset(message->references[i], (int)(REFERENCES_MAX - i), IDENTITY_SIZE);
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(message->references_count, REFERENCES_MAX);
	memcpy(message->references[REFERENCES_MAX - 1], message->references[0], IDENTITY_SIZE);
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
}

static void sizes_are_bounded(void **state)
{
	memset(text, 'x', sizeof(text));
	load("message content");
	content.of.message.text = bytes_make(text, TEXT_SIZE_MAX);
	content.of.message.subject = bytes_make(text, SUBJECT_SIZE_MAX);
	assert_int_equal(encode_and_decode(), ERROR_OK);
	content.of.message.subject = bytes_make(text, SUBJECT_SIZE_MAX + 1);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
	load("message content");
	content.of.message.text = bytes_make(text, TEXT_SIZE_MAX + 1);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
	load("acknowledgment content");
	content.of.acknowledgment.note = bytes_make(text, NOTE_SIZE_MAX + 1);
	assert_int_equal(encode_and_decode(), ERROR_TOO_LARGE);
	memset(memory, 0, sizeof(memory));
	assert_int_equal(content_decode(bytes_make(memory, CONTENT_SIZE_MAX + 1), &content), ERROR_TOO_LARGE);
}

static enum error decode_with_second_range(struct verdict_range range)
{
	load("verdict content");
	content.of.verdict.ranges_count = 2;
	content.of.verdict.ranges[1] = range;
	return encode_and_decode();
}

static void ranges_of_a_verdict_ascend_and_do_not_overlap(void **state)
{
	/* The first is log 0, incarnation 1, positions 0 to 2. */
	assert_int_equal(decode_with_second_range((struct verdict_range){0, 1, 3, 1, 64}), ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){0, 1, 2, 1, 64}), ERROR_MALFORMED);
	assert_int_equal(decode_with_second_range((struct verdict_range){0, 2, 0, 1, 64}), ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){LOG_MAX, 1, 0, 1, 64}), ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){LOG_MAX + 1, 1, 0, 1, 64}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 0, 0, 1, 64}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, INCARNATIONS_MAX + 1, 0, 1, 64}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, 0, 64}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, POSITION_MAX, 1, 64}),
			 ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, POSITION_MAX, 2, 64}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, POSITION_MAX + 1, 64}),
			 ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 1, UINT64_MAX, 64}),
			 ERROR_OUT_OF_RANGE);
}

static void reasons_are_accepted_or_from_64_on(void **state)
{
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, 1, 0}), ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, 1, 63}),
			 ERROR_OUT_OF_RANGE);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, 1, REASON_NUMBER_MAX}),
			 ERROR_OK);
	assert_int_equal(decode_with_second_range((struct verdict_range){1, 1, 0, 1, REASON_NUMBER_MAX + 1}),
			 ERROR_OUT_OF_RANGE);
}

static void a_verdict_names_1_to_64_ranges(void **state)
{
	struct verdict *verdict = &content.of.verdict;

	load("verdict content");
	verdict->ranges_count = RANGES_MAX;
	for (size_t i = 0; i < RANGES_MAX; i++)
		verdict->ranges[i] = (struct verdict_range){i, 1, 0, 1, 0};
	assert_int_equal(encode_and_decode(), ERROR_OK);
	assert_int_equal(verdict->ranges_count, RANGES_MAX);
	verdict->ranges_count = 0;
	assert_int_equal(encode_and_decode(), ERROR_MALFORMED);
}

static void an_incarnation_is_within_its_bounds(void **state)
{
	load("incarnation content");
	content.of.incarnation.size = POSITION_MAX + 1;
	assert_int_equal(encode_and_decode(), ERROR_OK);
	content.of.incarnation.size = POSITION_MAX + 2;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
	load("incarnation content");
	content.of.incarnation.previous = 0;
	assert_int_equal(encode_and_decode(), ERROR_OUT_OF_RANGE);
}

/* ---- kinds of a later version ---- */

static void content_of_an_unknown_kind_is_read_as_far_as_it_goes(void **state)
{
	/* [9, 4, [2, 5], registry, id, {"later": true}] */
	static const char later[] =
		"\x86\x09\x04\x82\x02\x05\x48zzzzzzzz\x50iiiiiiiiiiiiiiii\xa1\x65later\xf5";

	assert_int_equal(content_decode(bytes_make(later, sizeof(later) - 1), &content), ERROR_REFUSED_KIND);
	assert_int_equal(content.kind, 9);
	assert_int_equal(content.precedence, PRECEDENCE_FLASH);
	assert_int_equal(content.signers_count, 2);
	assert_int_equal(content.signers[1], 5);
	assert_memory_equal(content.id, "iiiiiiiiiiiiiiii", CONTENT_ID_SIZE);
	/* Cut short it is malformed, and not merely unknown. */
	assert_int_equal(content_decode(bytes_make(later, sizeof(later) - 2), &content), ERROR_TRUNCATED);
	assert_string_equal(content_kind_name(9), "?");
}

/* ---- what is said ---- */

static void a_text_may_be_as_long_as_the_terms_say(void **state)
{
	struct terms terms = terms_of(1000, 200);

	memset(text, 'x', sizeof(text));
	assert_int_equal(message_text_check(bytes_make(text, 1000), PRECEDENCE_ROUTINE, &terms), ERROR_OK);
	assert_int_equal(message_text_check(bytes_make(text, 1001), PRECEDENCE_ROUTINE, &terms),
			 ERROR_REFUSED_LENGTH);
	assert_int_equal(message_text_check(bytes_make(text, 0), PRECEDENCE_ROUTINE, &terms),
			 ERROR_REFUSED_FORM);
}

/* Fills `text` with so many words of one letter; the size. */
static size_t fill_words(size_t count)
{
	for (size_t i = 0; i < count; i++)
		memcpy(text + 2 * i, "w ", 2);
	return 2 * count - 1;
}

static void an_urgent_text_has_few_words(void **state)
{
	struct terms terms = terms_of(TEXT_SIZE_MAX, 200);

	for (uint64_t precedence = PRECEDENCE_ROUTINE; precedence <= PRECEDENCE_FLASH; precedence++) {
		bool urgent = precedence >= PRECEDENCE_IMMEDIATE;

		assert_int_equal(message_text_check(bytes_make(text, fill_words(200)), precedence, &terms),
				 ERROR_OK);
		assert_int_equal(message_text_check(bytes_make(text, fill_words(201)), precedence, &terms),
				 urgent ? ERROR_REFUSED_LENGTH : ERROR_OK);
	}
	terms.urgent_words_max = 20;
	assert_int_equal(message_text_check(bytes_make(text, fill_words(21)), PRECEDENCE_FLASH, &terms),
			 ERROR_REFUSED_LENGTH);
}

static void an_urgent_text_of_one_endless_word_is_refused(void **state)
{
	struct terms terms = terms_of(TEXT_SIZE_MAX, 200);

	memset(text, 'x', sizeof(text));
	assert_int_equal(message_text_check(bytes_make(text, 6400), PRECEDENCE_FLASH, &terms), ERROR_OK);
	assert_int_equal(message_text_check(bytes_make(text, 6401), PRECEDENCE_FLASH, &terms),
			 ERROR_REFUSED_LENGTH);
	assert_int_equal(message_text_check(bytes_make(text, 6401), PRECEDENCE_PRIORITY, &terms), ERROR_OK);
}

static enum error check_text(const char *words)
{
	load("message content");
	content.of.message.text = bytes_of_text(words);
	return content_check(&content, &examples.terms);
}

static void texts_that_deceive_the_eye_are_refused(void **state)
{
	assert_int_equal(check_text("Привет. Да, 你好, שלום\n\tok"), ERROR_OK);
	assert_int_equal(check_text("a\xe2\x80\xae"
				    "b"),
			 ERROR_REFUSED_TEXT);                          /* right-to-left override */
	assert_int_equal(check_text("a\x1b[2Jb"), ERROR_REFUSED_TEXT); /* terminal control */
	assert_int_equal(check_text("a\rb"), ERROR_REFUSED_TEXT);      /* overwrites the line */
	assert_int_equal(check_text("a\xe2\x80\x8b"
				    "b"),
			 ERROR_REFUSED_TEXT); /* zero width space */
	assert_int_equal(check_text("a\xc2\x9b"
				    "b"),
			 ERROR_REFUSED_TEXT); /* C1 control */
	assert_int_equal(check_text("a\xe2\x80\xa8"
				    "b"),
			 ERROR_REFUSED_TEXT); /* line separator */
	load("message content");
	content.of.message.subject = bytes_of_text("one\ntwo");
	assert_int_equal(content_check(&content, &examples.terms), ERROR_REFUSED_TEXT);
	load("acknowledgment content");
	content.of.acknowledgment.note = bytes_of_text("one\ntwo");
	assert_int_equal(content_check(&content, &examples.terms), ERROR_REFUSED_TEXT);
	content.of.acknowledgment.note = bytes_make(text, NOTE_SIZE_MAX + 1);
	assert_int_equal(content_check(&content, &examples.terms), ERROR_REFUSED_FORM);
}

static void all_examples_say_what_may_be_said(void **state)
{
	static const char *const names[] = {"message content",        "message content of two",
					    "acknowledgment content", "verdict content",
					    "incarnation content",    "opening content",
					    "credence content",       "agrement content"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		load(names[i]);
		assert_int_equal(content_check(&content, &examples.terms), ERROR_OK);
	}
}

static void without_a_channel_only_card_letters_pass(void **state)
{
	load("founding content");
	assert_int_equal(content_check(&content, NULL), ERROR_OK);
	assert_int_equal(content_check(&content, &examples.terms), ERROR_REFUSED_FORM);
	load("message content");
	assert_int_equal(content_check(&content, NULL), ERROR_REFUSED_FORM);
	load("opening content");
	assert_int_equal(content_check(&content, NULL), ERROR_REFUSED_FORM);
	content.kind = 9;
	assert_int_equal(content_check(&content, &examples.terms), ERROR_REFUSED_KIND);
}

static void kinds_have_names_and_signers(void **state)
{
	assert_string_equal(content_kind_name(CONTENT_MESSAGE), "MESSAGE");
	assert_string_equal(content_kind_name(CONTENT_INCARNATION), "INCARNATION");
	assert_string_equal(content_kind_name(0), "?");
	assert_false(content_is_from_post(CONTENT_LETTER));
	assert_true(content_is_from_post(CONTENT_VERDICT));
	assert_true(content_is_from_post(CONTENT_INCARNATION));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_survives_hostile_bytes),
		cmocka_unit_test(a_message_has_its_fields),
		cmocka_unit_test(every_kind_has_its_time),
		cmocka_unit_test(numbers_outside_their_range_are_refused),
		cmocka_unit_test(signers_are_those_that_the_kind_may_have),
		cmocka_unit_test(options_are_left_out_rather_than_empty),
		cmocka_unit_test(an_empty_text_is_refused),
		cmocka_unit_test(references_are_few_and_differ),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(ranges_of_a_verdict_ascend_and_do_not_overlap),
		cmocka_unit_test(reasons_are_accepted_or_from_64_on),
		cmocka_unit_test(a_verdict_names_1_to_64_ranges),
		cmocka_unit_test(an_incarnation_is_within_its_bounds),
		cmocka_unit_test(content_of_an_unknown_kind_is_read_as_far_as_it_goes),
		cmocka_unit_test(a_text_may_be_as_long_as_the_terms_say),
		cmocka_unit_test(an_urgent_text_has_few_words),
		cmocka_unit_test(an_urgent_text_of_one_endless_word_is_refused),
		cmocka_unit_test(texts_that_deceive_the_eye_are_refused),
		cmocka_unit_test(all_examples_say_what_may_be_said),
		cmocka_unit_test(without_a_channel_only_card_letters_pass),
		cmocka_unit_test(kinds_have_names_and_signers),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
