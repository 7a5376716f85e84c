/* What a post refuses: not before its turn, not for ever, and its author is told why, of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/signed.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/talk.h"

/* Post 1 says to post 0 what its own core would not submit, at this place of its log. */
static void say(struct world *world, uint64_t position, const struct world_message *message,
		uint8_t identity[IDENTITY_SIZE])
{
	struct bytes cose = world_sign_message(world, 1, message, identity);

	assert_int_equal(forge_entry(world, 1, 0, cose, 1, position), ERROR_OK);
}

/* Why what stands there of post 1's log was refused, as post `at` holds it. */
static uint64_t reason_at(const struct world *world, size_t at, uint64_t position)
{
	struct entry_key place = {
		.channel = 1, .log = world_log_of(world, 1), .incarnation = 1, .position = position};
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	struct entry entry;

	assert_true(world_row(world, at, &key, &schema_entry, &entry));
	assert_int_equal(entry.state, LOCAL_REFUSED);
	return entry.reason;
}

/* What stands before it might be what it is about: of a post that has lost nothing, it is not. */
static void an_answer_to_nothing_waits_for_what_stands_before_it_and_is_refused_then(void **state)
{
	static const uint8_t nothing[IDENTITY_SIZE] = {7};
	struct world *world = world_open_line(240);
	struct world_message plain = {.precedence = PRECEDENCE_ROUTINE, .text = "before it"};
	struct world_message answer = {
		.precedence = PRECEDENCE_ROUTINE, .text = "to what?", .answers = nothing};
	uint8_t identity[IDENTITY_SIZE];
	struct entry entry;
	struct entry_key key;

	world_settle(world);
	uint64_t size = talk_size(world, 0, 1, 1);
	size_t arrived = world->posts[0].arrived;
	say(world, size + 1, &answer, identity);
	assert_false(world_entry(world, 0, identity, &entry, &key));
	say(world, size, &plain, identity);
	say(world, size + 1, &answer, identity);
	assert_int_equal(reason_at(world, 0, size + 1), ERROR_REFUSED_REFERENCE);
	assert_int_equal(world->posts[0].arrived, arrived + 1);
	world_free(world);
}

/* The same words, signed once: they came too early, and a later place of their log makes them good. */
static void words_that_were_refused_are_shown_when_they_come_again_in_their_turn(void **state)
{
	static const uint8_t id[CONTENT_ID_SIZE] = {9};
	struct world *world = world_open_line(241);
	struct world_message question = {.precedence = PRECEDENCE_PRIORITY, .text = "Are you there?"};
	uint8_t asked[IDENTITY_SIZE];
	uint8_t early[IDENTITY_SIZE];
	uint8_t answered[IDENTITY_SIZE];
	struct world_message answer = {
		.precedence = PRECEDENCE_PRIORITY, .text = "Always.", .answers = asked, .id = id};

	world_settle(world);
	uint64_t size = talk_size(world, 0, 1, 1);
	size_t arrived = world->posts[0].arrived;
	struct bytes cose = world_sign_message(world, 0, &question, asked);
	say(world, size, &answer, early);
	assert_int_equal(reason_at(world, 0, size), ERROR_REFUSED_REFERENCE);
	assert_int_equal(world->posts[0].arrived, arrived);
	assert_int_equal(world_submit(world, 0, cose), ERROR_OK);
	say(world, size + 1, &answer, answered);
	assert_memory_equal(answered, early, sizeof(early));
	assert_int_equal(world->posts[0].arrived, arrived + 1);
	assert_int_equal(world_state(world, 0, asked), LOCAL_ANSWERED);
	assert_int_equal(talk_place(world, 0, answered).position, size + 1);
	free((void *)(uintptr_t)cose.data);
	world_free(world);
}

static bool is_no_identity(struct bytes key)
{
	return key.data[0] != TABLE_IDENTITY;
}

static bool is_no_acknowledgment(struct bytes key)
{
	return key.data[0] != TABLE_ACKNOWLEDGED;
}

/* Post 1 forgets that it has acknowledged the first, and post 0 that it sent the second. */
static void forget(struct world *world, const uint8_t first[IDENTITY_SIZE])
{
	struct entry_key place = talk_place(world, 0, first);
	struct row_key key = key_identity(first);

	store_filter(&world->posts[1].store, is_no_acknowledgment);
	store_filter(&world->posts[0].store, is_no_identity);
	world_put_row(world, 0, &key, &schema_entry_key, &place);
}

/* What post 0 said last of all, in its own log. */
static struct verdict last_verdict(const struct world *world)
{
	static struct signed_entry last;
	struct entry_key place = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct row row;
	size_t at = 0;

	place.position = talk_size(world, 0, 0, 1) - 1;
	struct row_key key = key_entry(TABLE_COSE, &place);
	assert_true(store_find(&world->posts[0].store, key_view(&key), &at, &row));
	assert_int_equal(entry_decode(row.value, &last), ERROR_OK);
	assert_int_equal(last.content.kind, CONTENT_VERDICT);
	return last.content.of.verdict;
}

/* They stand side by side, come in one batch, and are named in one receipt and in one verdict. */
static void of_two_that_are_refused_together_the_author_is_told_each_ones_reason(void **state)
{
	struct world *world = world_open_line(242);
	uint8_t first[IDENTITY_SIZE];
	uint8_t second[IDENTITY_SIZE];
	struct world_packet packet;

	world_settle(world);
	talk(world, 0, "Acknowledge this.", first);
	talk(world, 0, "And this.", second);
	assert_int_equal(world_acknowledge(world, 1, first), ERROR_OK);
	world_settle(world);
	forget(world, first);
	uint64_t size = talk_size(world, 1, 1, 1);
	world->hold = true;
	assert_int_equal(world_acknowledge(world, 1, first), ERROR_OK);
	assert_int_equal(world_acknowledge(world, 1, second), ERROR_OK);
	while (world_intercept(world, 1, &packet)) {
		world_deliver(world, 0, 1, bytes_make(packet.bytes, packet.size));
		free(packet.bytes);
	}
	size_t receipts = world_count(world, 1, TABLE_RECEIPT);
	world_commit(world, 0);
	world->hold = false;
	world_run(world, 20, 10);
	assert_int_equal(world_count(world, 1, TABLE_RECEIPT), receipts + 1);
	assert_int_equal(reason_at(world, 1, size), ERROR_REFUSED_NAMED);
	assert_int_equal(reason_at(world, 1, size + 1), ERROR_REFUSED_REFERENCE);
	struct verdict verdict = last_verdict(world);
	assert_int_equal(verdict.ranges_count, 2);
	assert_int_equal(verdict.ranges[0].reason, ERROR_REFUSED_NAMED);
	assert_int_equal(verdict.ranges[1].reason, ERROR_REFUSED_REFERENCE);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_to_nothing_waits_for_what_stands_before_it_and_is_refused_then),
		cmocka_unit_test(words_that_were_refused_are_shown_when_they_come_again_in_their_turn),
		cmocka_unit_test(of_two_that_are_refused_together_the_author_is_told_each_ones_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
