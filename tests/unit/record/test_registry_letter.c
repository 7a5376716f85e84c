/*
 * Letters on a channel: credences and agréments, and who writes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "tests/unit/record/council.h"

/* ---- credences ---- */

static void a_credence_names_an_officer(void **state)
{
	struct council *council = council_make(101, 2);
	struct content *content;
	struct officer officer;

	council_take_opening(council, 1);
	content = council_credence(council, 1, 7, 2);
	content->of.letter.of.credence.highest_precedence = PRECEDENCE_PRIORITY;
	assert_int_equal(council_take(council, 1, content), ERROR_OK);
	assert_true(council_officer(council, 1, 7, &officer));
	assert_true(bytes_equal(officer.name, bytes_of_text("A. Person")));
	assert_true(bytes_equal(officer.title, bytes_of_text("watch officer")));
	assert_memory_equal(officer.key, council->hand.world->parties[1].officers[2].key, PUBLIC_KEY_SIZE);
	assert_int_equal(officer.highest_precedence, PRECEDENCE_PRIORITY);
	assert_int_equal(officer.agreed, 0);
	assert_memory_equal(officer.letter, council->pens[1].head, IDENTITY_SIZE);
	assert_int_equal(council->hand.changes, 1);
	council_free(council);
}

static void a_number_is_not_given_again(void **state)
{
	struct council *council = council_make(102, 2);
	struct officer officer;

	council_take_opening(council, 1);
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	struct pen before = council->pens[1];
	/* Another key under a number to which agréments may have been given. */
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 1)), ERROR_REFUSED_NUMBER);
	assert_true(council_officer(council, 1, 1, &officer));
	assert_memory_equal(officer.key, council->hand.world->parties[1].officers[0].key, PUBLIC_KEY_SIZE);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 2, 1)), ERROR_OK);
	council_free(council);
}

static void officers_of_one_party_are_bounded(void **state)
{
	struct council *council = council_make(103, 2);

	council_take_opening(council, 1);
	struct chain chain = council_chain(council, 1);
	assert_int_equal(chain.officers, 0);
	chain.officers = OFFICERS_MAX - 1;
	council_put_chain(council, 1, &chain);
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(council_chain(council, 1).officers, OFFICERS_MAX);
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 2, 1)), ERROR_REFUSED_QUOTA);
	council_free(council);
}

static void keys_and_names_in_credences_are_checked(void **state)
{
	struct council *council = council_make(104, 2);
	uint8_t bad_key[PUBLIC_KEY_SIZE] = {1}; /* the neutral point */
	struct content *content;

	council_take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(council_take(council, 1, pen_credence(&council->pens[1], 1, bad_key)),
			 ERROR_REFUSED_FORM);
	council->pens[1] = before;
	content = council_credence(council, 1, 1, 0);
	content->of.letter.of.credence.name = bytes_of_text("evil\xe2\x80\xae");
	assert_int_equal(council_take(council, 1, content), ERROR_REFUSED_TEXT);
	council->pens[1] = before;
	content = council_credence(council, 1, 1, 0);
	content->of.letter.of.credence.title = bytes_of_text("two\nlines");
	assert_int_equal(council_take(council, 1, content), ERROR_REFUSED_TEXT);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	council_free(council);
}

/* A letter of Federation signed by another key, or in another's name. */
static enum error take_signed(struct council *council, struct content *content,
			      const struct ed25519_pair *pair)
{
	uint8_t identity[IDENTITY_SIZE];
	struct paper paper =
		hand_sign(&council->channel, council->hand.world, 1, pair, NULL, content, identity);

	paper.slot = council->pens[1].slot;
	paper.position = council->pens[1].position;
	enum error reason = hand_receive(&council->hand, &council->channel, &paper).reason;
	hand_drop(&paper);
	free(content);
	return reason;
}

static void only_the_authority_writes_letters(void **state)
{
	struct council *council = council_make(105, 2);
	const struct world_party *theirs = &council->hand.world->parties[1];
	struct content *content;

	council_take_opening(council, 1);
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(take_signed(council, council_credence(council, 1, 2, 1), &theirs->officers[0]),
			 ERROR_BAD_SIGNATURE);
	assert_int_equal(take_signed(council, council_credence(council, 1, 2, 1),
				     &council->hand.world->parties[0].authority),
			 ERROR_BAD_SIGNATURE);
	/* An officer in his own name: whether known or not. */
	content = council_credence(council, 1, 2, 1);
	content->signers[0] = 1;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[0]), ERROR_REFUSED_AUTHORITY);
	content = council_credence(council, 1, 2, 1);
	content->signers[0] = 1;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[1]), ERROR_BAD_SIGNATURE);
	content = council_credence(council, 1, 2, 1);
	content->signers[0] = 3;
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->officers[2]), ERROR_REFUSED_SIGNER);
	/* The authority, saying that another letter entitles it. */
	content = council_credence(council, 1, 2, 1);
	content->of.letter.has_entitled_by = true;
	assert_int_equal(take_signed(council, content, &theirs->authority), ERROR_REFUSED_AUTHORITY);
	assert_int_equal(take_signed(council, council_credence(council, 1, 2, 1), &theirs->authority),
			 ERROR_OK);
	council_free(council);
}

static void card_letters_do_not_stand_on_a_channel(void **state)
{
	struct council *council = council_make(106, 2);
	struct content *content;

	council_take_opening(council, 1);
	struct pen before = council->pens[1];
	content = pen_letter(&council->pens[1], LETTER_POST);
	content->of.letter.of.post.name = bytes_of_text("Embassy");
	content->of.letter.of.post.node = bytes_of_text("dtn://x/");
	content->of.letter.of.post.kind = POST_EMBASSY;
	memcpy(content->of.letter.of.post.statement_key, council->hand.world->parties[1].officers[0].key,
	       PUBLIC_KEY_SIZE);
	assert_int_equal(council_take(council, 1, content), ERROR_REFUSED_FORM);
	/* Nor does a chain begin with anything but an opening. */
	council->pens[1] = before;
	content = council_credence(council, 1, 1, 0);
	content->of.letter.number = 0;
	content->of.letter.has_previous = false;
	assert_int_equal(council_take(council, 1, content), ERROR_REFUSED_FORM);
	council_free(council);
}

/* The payload of a letter or other content of a kind that is not known. */
static struct bytes unknown_payload(struct council *council, uint64_t kind, uint64_t letter_kind,
				    struct buffer *buffer)
{
	const struct pen *pen = &council->pens[1];
	uint8_t zeros[16] = {0};

	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, kind);
	cbor_write_uint(buffer, PRECEDENCE_ROUTINE);
	cbor_write_uint(buffer, 0); /* the authority */
	cbor_write_bytes(buffer, bytes_make(zeros, REGISTRY_SIZE));
	cbor_write_bytes(buffer, bytes_make(zeros, sizeof(zeros)));
	cbor_write_array(buffer, 6);
	cbor_write_uint(buffer, letter_kind);
	cbor_write_uint(buffer, 1);
	cbor_write_uint(buffer, pen->number);
	cbor_write_bytes(buffer, bytes_make(pen->head, sizeof(pen->head)));
	cbor_write_null(buffer);
	cbor_write_array(buffer, 0);
	return buffer_bytes(buffer);
}

static enum error judge_unknown(struct council *council, uint64_t kind, uint64_t letter_kind,
				const struct ed25519_pair *pair)
{
	uint8_t memory[512];
	uint8_t identity[IDENTITY_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct bytes payload = unknown_payload(council, kind, letter_kind, &buffer);
	struct paper paper =
		hand_sign_payload(&council->channel, council->hand.world, 1, pair, payload, identity);

	enum error reason = hand_judge(&council->hand, 1, council->index[1], &paper, false);
	hand_drop(&paper);
	return reason;
}

static void kinds_that_are_not_known_are_refused_when_they_are_authentic(void **state)
{
	struct council *council = council_make(107, 2);
	const struct ed25519_pair *authority = &council->hand.world->parties[1].authority;
	const struct ed25519_pair *other = &council->hand.world->parties[2].authority;

	council_take_opening(council, 1);
	assert_int_equal(judge_unknown(council, CONTENT_LETTER, 6, authority), ERROR_REFUSED_KIND);
	assert_int_equal(judge_unknown(council, CONTENT_LETTER, 6, other), ERROR_BAD_SIGNATURE);
	assert_int_equal(judge_unknown(council, 9, 6, authority), ERROR_REFUSED_KIND);
	assert_int_equal(judge_unknown(council, 9, 6, other), ERROR_BAD_SIGNATURE);
	council_free(council);
}

/* ---- agréments ---- */

static void an_agrement_before_its_credence_entitles_nobody_until_then(void **state)
{
	struct council *council = council_make(110, 3);
	struct officer officer;

	council_take_opening(council, 1);
	council_take_opening(council, 2);
	assert_int_equal(council_take(council, 2, pen_agrement(&council->pens[2], council->index[1], 4, 2)),
			 ERROR_OK);
	assert_false(council_officer(council, 1, 4, &officer));
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 2);
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 4, 0)), ERROR_OK);
	assert_true(council_officer(council, 1, 4, &officer));
	assert_int_equal(officer.agreed, UINT64_C(1) << council->index[2]);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 1);
	council_free(council);
}

static void an_agrement_is_for_another_partys_officers(void **state)
{
	struct council *council = council_make(111, 2);

	council_take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], council->index[1], 1, 1)),
			 ERROR_REFUSED_AUTHORITY);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], 2, 1, 1)),
			 ERROR_REFUSED_FORM);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], PARTIES_MAX - 1, 1, 1)),
			 ERROR_REFUSED_FORM);
	council->pens[1] = before;
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], council->index[0], 1, 1)),
			 ERROR_OK);
	council_free(council);
}

static void agrements_are_bounded(void **state)
{
	struct council *council = council_make(112, 2);

	council_take_opening(council, 1);
	struct pen before = council->pens[1];
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], council->index[0], 1, 256)),
			 ERROR_OK);
	assert_int_equal(council_chain(council, 1).agreed, 256);
	before = council->pens[1];
	assert_int_equal(council_take(council, 1, pen_agrement(&council->pens[1], council->index[0], 256, 2)),
			 ERROR_REFUSED_QUOTA);
	council->pens[1] = before;
	/* Said again, it counts once. */
	assert_int_equal(
		council_take(council, 1, pen_agrement(&council->pens[1], council->index[0], 200, 57)),
		ERROR_OK);
	assert_int_equal(council_chain(council, 1).agreed, 256);
	assert_int_equal(world_count(council->hand.world, 0, TABLE_AGREED), 256);
	council_free(council);
}

static void here_nobody_agrees_to_an_officer_who_is_not_known(void **state)
{
	struct council *council = council_make(113, 2);

	council_take_opening(council, 1);
	struct pen before = council->pens[0];
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 1)),
			 ERROR_REFUSED_REFERENCE);
	council->pens[0] = before;
	assert_int_equal(council_take(council, 1, council_credence(council, 1, 1, 0)), ERROR_OK);
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 2)),
			 ERROR_REFUSED_REFERENCE);
	council->pens[0] = before;
	assert_int_equal(hand_give(&council->hand, &council->pens[0],
				   pen_agrement(&council->pens[0], council->index[1], 1, 1)),
			 ERROR_OK);
	council_free(council);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_credence_names_an_officer),
		cmocka_unit_test(a_number_is_not_given_again),
		cmocka_unit_test(officers_of_one_party_are_bounded),
		cmocka_unit_test(keys_and_names_in_credences_are_checked),
		cmocka_unit_test(only_the_authority_writes_letters),
		cmocka_unit_test(card_letters_do_not_stand_on_a_channel),
		cmocka_unit_test(kinds_that_are_not_known_are_refused_when_they_are_authentic),
		cmocka_unit_test(an_agrement_before_its_credence_entitles_nobody_until_then),
		cmocka_unit_test(an_agrement_is_for_another_partys_officers),
		cmocka_unit_test(agrements_are_bounded),
		cmocka_unit_test(here_nobody_agrees_to_an_officer_who_is_not_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
