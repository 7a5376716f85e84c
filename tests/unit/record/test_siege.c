/*
 * An accredited counterpart with all its keys, against what a post does to get back what it has lost:
 * whatever it says, the post goes on, and its rows stay bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "record/heads.h"
#include "record/missing.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/image.h"
#include "tests/unit/record/talk.h"

#include "tests/unit/record/world_inside.h"

#define MINUTES(count) ((count)*UINT64_C(60000))

static void accept_card(struct world *world, size_t from, size_t to)
{
	assert_int_equal(world_request_bytes(world, from, LOCAL_CARD_EXPORT, NULL), ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[from]);
	struct bytes card = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	assert_int_equal(world_request_bytes(world, to, LOCAL_CARD_ACCEPT, &card), ERROR_OK);
}

static void asking_for_incarnations_that_nobody_wrote_ends(void **state)
{
	struct world *world = world_open_line(400);

	world_settle(world);
	assert_int_equal(forge_incarnation(world, 1, 0, INCARNATIONS_MAX, 1, 0), ERROR_OK);
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = world_log_of(world, 1),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = POSITION_MAX + 1}},
	};
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	talk(world, 0, "on", NULL);
	world_free(world);
}

/* Of what was refused only the leaves are held, and there may be more than one event can look at. */
static void asking_for_what_was_refused_ends(void **state)
{
	struct world *world = world_open_line(406);
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = world_log_of(world, 1),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 1000, .count = 100000}},
	};
	struct entry refused = {
		.kind = CONTENT_MESSAGE, .state = LOCAL_REFUSED, .reason = ERROR_REFUSED_SIGNER};
	struct entry_key key = {.channel = 1, .log = missing.log, .incarnation = 1};

	world_settle(world);
	for (key.position = 1000; key.position < 19000; key.position++) {
		struct row_key row = key_entry(TABLE_ENTRY, &key);
		world_put_row(world, 0, &row, &schema_entry, &refused);
	}
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	world_free(world);
}

static void a_post_that_is_not_on_the_channel_says_nothing_of_it(void **state)
{
	struct world *world = world_open_line(402);
	struct missing_statement missing = {.incarnation = 1, .ranges_count = 1, .ranges = {{0, 100}}};

	world_settle(world);
	size_t consulate = world_add_post(world, world->posts[1].party, 2, "Consulate");
	accept_card(world, consulate, 0);
	accept_card(world, 0, consulate);
	world_new_keying(world, 2, 0, consulate);
	missing.by = world_log_of(world, consulate);
	missing.log = missing.by;
	assert_int_equal(forge_missing(world, consulate, 0, &missing), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_CHANNEL);
	assert_int_equal(forge_head_of_another(world, consulate, 0), ERROR_OK);
	talk(world, 0, "on", NULL);
	world_free(world);
}

/* A letter whose number another has taken since is refused when it is given back: its leaf alone is held. */
static void what_was_refused_when_it_came_back_is_not_given_to_anybody(void **state)
{
	struct world *world = image_open_again(403);
	struct entry_key lost = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct row_key key = key_entry(TABLE_ENTRY, &lost);
	struct entry entry;

	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	assert_int_equal(entry.state, LOCAL_REFUSED);
	assert_int_equal(forge_receipt(world, 1, 0, &lost, entry.identity, ERROR_OK), ERROR_OK);
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = world_log_of(world, 0),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = 1}},
	};
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	world_settle(world);
	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	assert_int_equal(entry.state, LOCAL_REFUSED);
	world_free(world);
}

static void words_are_given_back_once_in_each_incarnation(void **state)
{
	struct world *world = world_open_line(401);
	struct image image;
	uint8_t ours[IDENTITY_SIZE];

	image_back_up(world, 0, &image);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, MINUTES(5), 1000);
	talk(world, 0, "in the second incarnation", ours);
	assert_int_equal(talk_place(world, 0, ours).incarnation, 2);
	uint64_t size = talk_size(world, 0, 0, 1);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(forge_returned(world, 1, 0, ours, 1, size + i), ERROR_OK);
	assert_in_range(talk_size(world, 0, 0, 1), size, size + 1);
	image_free(&image);
	world_free(world);
}

/* A counterpart tells of incarnations without end: asking for what they lack ends with the newest of them. */
static void many_incarnations_are_not_all_asked_for(void **state)
{
	struct world *world = world_open_line(404);

	world_settle(world);
	assert_int_equal(forge_incarnation(world, 1, 0, 5000, 1, 0), ERROR_OK);
	for (uint64_t first = 2; first < 600; first += 60)
		assert_int_equal(forge_former_heads(world, 1, 0, 5000, first, 60), ERROR_OK);
	assert_int_equal(world_count(world, 0, TABLE_MISSING), 0);
	for (uint64_t i = 5001; i < 5060; i++) {
		assert_int_equal(forge_incarnation(world, 1, 0, i, i - 1, 5), ERROR_OK);
		world_run(world, 10, 10);
	}
	size_t sends = world->posts[0].sends;
	world_run(world, MINUTES(60), 5000);
	assert_in_range(world->posts[0].sends - sends, 17, 130);
	talk(world, 0, "on", NULL);
	world_free(world);
}

/* How often a former incarnation of post 1 was asked for since something of it came. */
static uint64_t asks_for(const struct world *world, uint64_t incarnation)
{
	uint64_t log = world_log_of(world, 1);
	struct row_key key = key_log(TABLE_LOG, 1, log, incarnation);
	struct log row;
	struct missing missing;

	assert_true(world_row(world, 0, &key, &schema_log, &row));
	key = key_make(TABLE_MISSING);
	key_u64(&key, row.ask_ms);
	key_u16(&key, 1);
	key_u16(&key, log);
	key_u16(&key, incarnation);
	assert_true(world_row(world, 0, &key, &schema_missing, &missing));
	return missing.asks;
}

/* As many as heads are kept of: none is left out whose head could show what is missing. */
static void the_oldest_incarnation_that_is_asked_for_is_the_oldest_whose_head_is_kept(void **state)
{
	for (uint64_t i = 0; i < 2; i++) {
		struct world *world = world_open_line(413 + i);

		world_settle(world);
		world->cut = true;
		assert_int_equal(forge_incarnation(world, 1, 0, 1 + HEADS_FORMER_MAX + i, 1,
						   talk_size(world, 0, 1, 1) + 1),
				 ERROR_OK);
		world_run(world, MINUTES(6), 5000);
		assert_int_equal(asks_for(world, 1) > 0, i == 0);
		world_free(world);
	}
}

/* Waiting grows while nothing comes, here to more than an hour; an entry that comes shows that more may. */
static void whoever_gives_something_is_asked_for_the_rest_soon(void **state)
{
	struct world *world = world_open_line(415);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "one of three"};
	uint8_t identity[IDENTITY_SIZE];

	world_settle(world);
	world->cut = true;
	uint64_t size = talk_size(world, 0, 1, 1);
	struct bytes cose = world_sign_message(world, 1, &message, identity);
	assert_int_equal(forge_entry(world, 1, 0, cose, 1, size + 2), ERROR_OK);
	world_run(world, MINUTES(30), 5000);
	assert_int_equal(asks_for(world, 1), 5);
	cose = world_sign_message(world, 1, &message, identity);
	assert_int_equal(forge_entry(world, 1, 0, cose, 1, size), ERROR_OK);
	world_run(world, MINUTES(1), 5000);
	assert_in_range(asks_for(world, 1), 1, 2);
	world_free(world);
}

static struct world *open_council(uint64_t seed)
{
	struct world *world = world_make(seed);

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 1, "Embassy");
	world_add_post(world, world_add_party(world, "Republic"), 2, "Mission");
	world_exchange(world);
	world_open_channel(world, (const size_t[]){0, 1, 2}, 3);
	return world;
}

/* What the record shows for an entry is that it was received, whatever a third party says of it later. */
static void a_refusal_takes_no_receipts_place(void **state)
{
	struct world *world = open_council(407);
	uint8_t ours[IDENTITY_SIZE];
	struct entry before;
	struct entry after;
	struct entry_key key;

	talk(world, 0, "held by both", ours);
	assert_true(world_entry(world, 0, ours, &before, &key));
	assert_true(before.receipt != 0);
	assert_int_equal(forge_receipt(world, 1, 0, &key, ours, ERROR_REFUSED_FORM), ERROR_OK);
	assert_true(world_entry(world, 0, ours, &after, &key));
	assert_int_equal(after.receipt, before.receipt);
	assert_true(after.refused != 0);
	assert_int_equal(after.state, LOCAL_RECEIVED);
	assert_int_equal(after.reason, ERROR_OK);
	world_free(world);
}

/* Who gives an entry back says where it stood: a third party that knows better does not blame its author. */
static void who_was_given_back_a_wrong_number_is_not_accused(void **state)
{
	struct world *world = open_council(405);
	struct image image;
	uint8_t ours[2][IDENTITY_SIZE];

	image_take(world, 0, &image);
	talk(world, 0, "first", ours[0]);
	talk(world, 0, "second", ours[1]);
	uint64_t position = talk_place(world, 1, ours[0]).position;
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	assert_int_equal(forge_returned(world, 1, 0, ours[1], 1, position), ERROR_OK);
	world_run(world, MINUTES(10), 1000);
	assert_int_equal(world->posts[2].last_log, ERROR_REFUSED_FORK);
	assert_int_equal(world_count(world, 2, TABLE_EVIDENCE), 0);
	image_free(&image);
	world_free(world);
}

/* The entry stands as before, and no receipt was added. */
static void check_not_receipted(const struct world *world, const uint8_t identity[IDENTITY_SIZE],
				const struct entry *before, size_t receipts)
{
	struct entry after;
	struct entry_key key;

	assert_true(world_entry(world, 0, identity, &after, &key));
	assert_int_equal(after.state, before->state);
	assert_int_equal(after.received, before->received);
	assert_int_equal(after.refused, before->refused);
	assert_int_equal(after.receipt, before->receipt);
	assert_int_equal(world_count(world, 0, TABLE_RECEIPT), receipts);
}

/* Whoever has not read an entry cannot say that it is held, nor that it is refused. */
static void a_receipt_of_another_content_is_dropped(void **state)
{
	static const enum error reasons[] = {ERROR_OK, ERROR_REFUSED_FORM};
	struct world *world = open_council(410);
	uint8_t ours[IDENTITY_SIZE];
	struct entry before;
	struct entry_key key;

	world_settle(world);
	talk_begin(world, 0, "not read yet", ours);
	assert_true(world_entry(world, 0, ours, &before, &key));
	size_t receipts = world_count(world, 0, TABLE_RECEIPT);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		uint8_t other[IDENTITY_SIZE];
		memcpy(other, ours, sizeof(other));
		other[IDENTITY_SIZE - 1] ^= 1;
		world->posts[0].last_log = ERROR_OK;
		assert_int_equal(forge_receipt(world, 1, 0, &key, other, reasons[i]), ERROR_OK);
		assert_int_equal(world->posts[0].last_log, ERROR_BAD_PROOF);
		check_not_receipted(world, ours, &before, receipts);
	}
	world_free(world);
}

static void a_receipt_in_the_name_of_another_post_is_dropped(void **state)
{
	struct world *world = open_council(411);
	uint8_t ours[IDENTITY_SIZE];
	struct entry before;
	struct entry_key key;

	world_settle(world);
	talk_begin(world, 0, "for two", ours);
	assert_true(world_entry(world, 0, ours, &before, &key));
	size_t receipts = world_count(world, 0, TABLE_RECEIPT);
	world->posts[0].last_log = ERROR_OK;
	assert_int_equal(forge_receipt_by(world, 1, 2, 0, &key, ours, ERROR_OK), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_ARGUMENT);
	check_not_receipted(world, ours, &before, receipts);
	world_free(world);
}

static void a_receipt_of_what_others_sent_is_dropped(void **state)
{
	struct world *world = open_council(412);
	uint8_t theirs[IDENTITY_SIZE];
	struct entry before;
	struct entry_key key;

	world_settle(world);
	talk(world, 2, "of another log", theirs);
	assert_true(world_entry(world, 0, theirs, &before, &key));
	size_t receipts = world_count(world, 0, TABLE_RECEIPT);
	world->posts[0].last_log = ERROR_OK;
	assert_int_equal(forge_receipt(world, 1, 0, &key, theirs, ERROR_OK), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_ARGUMENT);
	check_not_receipted(world, theirs, &before, receipts);
	world_free(world);
}

/* Post 1 says it, who may; what it says is dropped, and changes nothing that is kept. The reason. */
static enum error drop(struct world *world, enum statement_kind kind, struct bytes payload)
{
	const enum table kept[] = {TABLE_LINE, TABLE_LOG,     TABLE_RECEIPT,   TABLE_FORMER,
				   TABLE_COPY, TABLE_MISSING, TABLE_STATEMENT, TABLE_ANSWERED};
	size_t before[sizeof(kept) / sizeof(kept[0])];

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		before[i] = world_count(world, 0, kept[i]);
	world->posts[0].last_log = ERROR_OK;
	assert_int_equal(forge_statement(world, 1, 0, kind, payload), ERROR_OK);
	assert_int_not_equal(world->posts[0].last_log, ERROR_OK);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_int_equal(world_count(world, 0, kept[i]), before[i]);
	return world->posts[0].last_log;
}

static void statements_of_no_form_are_dropped(void **state)
{
	static const enum statement_kind kinds[] = {STATEMENT_RECEIPT, STATEMENT_HEADS, STATEMENT_CANNOT_OPEN,
						    STATEMENT_MISSING};
	static const char *const payloads[] = {"\x80", "\xa0", "\xff", "no CBOR at all"};
	struct world *world = open_council(413);

	world_settle(world);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (size_t j = 0; j < sizeof(payloads) / sizeof(payloads[0]); j++)
			(void)drop(world, kinds[i], bytes_of_text(payloads[j]));
	talk(world, 1, "on", NULL);
	talk_accuses_nobody(world);
	world_free(world);
}

/* By another post of the channel, by the one that it is told, and of a log that is neither's. */
static void statements_in_the_name_of_another_post_are_dropped(void **state)
{
	struct world *world = open_council(414);
	uint8_t memory[HEADS_SIZE_MAX];
	struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));
	struct heads_statement *heads = calloc(1, sizeof(*heads));
	const size_t authors[] = {0, 2};

	assert_true(cannot_open != NULL && heads != NULL);
	world_settle(world);
	heads->time = world->now_ms / 1000;
	heads->heads_count = 1;
	struct missing_statement missing = {
		.log = world_log_of(world, 1),
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = 1}},
	};
	for (size_t i = 0; i < 2; i++) {
		struct buffer payload = buffer_make(memory, sizeof(memory));
		heads->heads[0] = forge_head_held(world, authors[i], authors[i]);
		heads->by = heads->heads[0].log;
		heads_encode(heads, &payload);
		assert_int_equal(drop(world, STATEMENT_HEADS, buffer_bytes(&payload)), ERROR_BAD_ARGUMENT);
		payload.size = 0;
		missing.by = world_log_of(world, authors[i]);
		missing_encode(&missing, &payload);
		assert_int_equal(drop(world, STATEMENT_MISSING, buffer_bytes(&payload)), ERROR_BAD_ARGUMENT);
	}
	struct buffer payload = buffer_make(memory, sizeof(memory));
	missing.by = world_log_of(world, 1);
	missing.log = world_log_of(world, 2);
	missing_encode(&missing, &payload);
	assert_int_equal(drop(world, STATEMENT_MISSING, buffer_bytes(&payload)), ERROR_BAD_ARGUMENT);
	payload.size = 0;
	cannot_open->slot = world->posts[1].slot + 1;
	cannot_open->hashes_count = 1;
	cannot_open_encode(cannot_open, &payload);
	assert_int_equal(drop(world, STATEMENT_CANNOT_OPEN, buffer_bytes(&payload)), ERROR_MALFORMED);
	talk_accuses_nobody(world);
	free(cannot_open);
	free(heads);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asking_for_incarnations_that_nobody_wrote_ends),
		cmocka_unit_test(asking_for_what_was_refused_ends),
		cmocka_unit_test(a_post_that_is_not_on_the_channel_says_nothing_of_it),
		cmocka_unit_test(what_was_refused_when_it_came_back_is_not_given_to_anybody),
		cmocka_unit_test(many_incarnations_are_not_all_asked_for),
		cmocka_unit_test(the_oldest_incarnation_that_is_asked_for_is_the_oldest_whose_head_is_kept),
		cmocka_unit_test(whoever_gives_something_is_asked_for_the_rest_soon),
		cmocka_unit_test(a_refusal_takes_no_receipts_place),
		cmocka_unit_test(who_was_given_back_a_wrong_number_is_not_accused),
		cmocka_unit_test(words_are_given_back_once_in_each_incarnation),
		cmocka_unit_test(a_receipt_of_another_content_is_dropped),
		cmocka_unit_test(a_receipt_in_the_name_of_another_post_is_dropped),
		cmocka_unit_test(a_receipt_of_what_others_sent_is_dropped),
		cmocka_unit_test(statements_of_no_form_are_dropped),
		cmocka_unit_test(statements_in_the_name_of_another_post_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
