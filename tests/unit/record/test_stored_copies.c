/*
 * Copies under way, by the rows that stand there and what a courier says of them: handed over, due, given up,
 * and made to wait again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/statement.h"
#include "record/outbox.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/probe.h"
#include "tests/unit/record/talk.h"

#define REQUEUE_ALL   1
#define REQUEUE_PARTY 2 /* and the party's number */

/* ---- rows of post 0 ---- */

static struct copy only_copy(const struct world *world, struct row_key *key)
{
	static const uint8_t prefix = TABLE_COPY;
	struct copy copy;
	struct row row;
	size_t at = 0;

	assert_int_equal(world_count(world, 0, TABLE_COPY), 1);
	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	assert_int_equal(schema_read(&schema_copy, row.value, &copy), ERROR_OK);
	key->size = row.key.size;
	memcpy(key->data, row.key.data, row.key.size);
	return copy;
}

static void spoil_terms(struct world *world)
{
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;

	assert_true(hand_look(&hand, &key, &schema_channel, &channel));
	channel.terms = bytes_of_text("no terms");
	hand_put(&hand, &key, &schema_channel, &channel);
}

/* The courier has a FLASH of post 0, and nobody receipts it. */
static struct world *open_with_a_copy(uint64_t seed, uint8_t identity[IDENTITY_SIZE])
{
	static const struct world_message urgent = {.precedence = PRECEDENCE_FLASH, .text = "under way"};
	struct world *world = world_open_line(seed);

	world_settle(world);
	world->cut = true;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	return world;
}

static size_t spoil_event(struct world *world, struct record_event event)
{
	event.steady_ms = world->posts[0].steady_ms;
	event.wall_ms = world->now_ms;
	return world_spoil_each(world, 0, &event);
}

static struct record_event progress_of(const struct copy *copy, uint32_t state, enum error reason)
{
	struct record_event event = {
		.kind = RECORD_PROGRESS, .of.progress.state = state, .of.progress.reason = reason};

	memcpy(event.of.progress.copy, copy->sha256, sizeof(event.of.progress.copy));
	return event;
}

/* ---- spoilt rows ---- */

/* The process died when two were handed over; then their stream is gone. */
static void what_was_handed_over_is_taken_back_but_for_spoilt_rows(void **state)
{
	struct world *world = world_open_line(490);
	struct record_event lost = {.kind = RECORD_COURIER_LOST};
	const struct record_event room = {.kind = RECORD_COURIER_ROOM, .of.room.copies_max = 64};

	world_settle(world);
	world->posts[0].mute = true;
	talk_begin(world, 0, "one", NULL);
	talk_begin(world, 0, "two", NULL);
	world->posts[0].mute = false;
	world_crash_after_commit(world, 0);
	assert_int_equal(world_count(world, 0, TABLE_HANDED), 2);
	assert_int_equal(world_event(world, 0, &lost), ERROR_OK);
	assert_true(spoil_event(world, room) > 0);
	world_commit(world, 0);
	world_settle(world);
	assert_int_equal(world->posts[1].arrived, 2);
	world_free(world);
}

static void what_is_due_or_waits_again_does_so_but_for_spoilt_rows(void **state)
{
	static const struct {
		enum error reason;
		uint64_t later_ms;
		enum table table;
	} cases[] = {
		{ERROR_OK, OUTBOX_RESEND_MAX_MS, TABLE_DUE},
		{ERROR_IO, 60000, TABLE_RETRY},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = open_with_a_copy(491 + i, NULL);
		const struct record_event tick = {.kind = RECORD_TICK};
		struct row_key key;
		struct copy copy = only_copy(world, &key);
		if (cases[i].reason != ERROR_OK) {
			struct record_event event = progress_of(&copy, LOCAL_REFUSED, cases[i].reason);
			assert_true(spoil_event(world, event) > 0);
			world->posts[0].mute = true;
			assert_int_equal(world_event(world, 0, &event), ERROR_OK);
			world_commit(world, 0);
		}
		assert_int_equal(world_count(world, 0, cases[i].table), 1);
		world->posts[0].steady_ms += cases[i].later_ms;
		assert_true(spoil_event(world, tick) > 0);
		world_tick(world, 0);
		world->posts[0].mute = false;
		world->cut = false;
		world_settle(world);
		assert_int_equal(world->posts[1].arrived, 1);
		world_free(world);
	}
}

/* An urgent entry whose courier has no room: who is told of it reads the entry, its log and its names. */
static void what_is_given_up_is_told_but_for_spoilt_rows(void **state)
{
	static const enum error reasons[] = {ERROR_FULL, ERROR_UNSUPPORTED};
	struct world *world = open_with_a_copy(493, NULL);
	struct row_key key;
	struct copy copy = only_copy(world, &key);

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		assert_true(spoil_event(world, progress_of(&copy, LOCAL_REFUSED, reasons[i])) > 0);
	assert_true(spoil_event(world, progress_of(&copy, LOCAL_CARRIED, ERROR_OK)) > 0);
	world_free(world);
}

/* ---- what a courier says ---- */

static void a_copy_that_a_neighbour_has_is_not_queued_again(void **state)
{
	uint8_t identity[IDENTITY_SIZE];
	struct world *world = open_with_a_copy(494, identity);
	static const struct {
		uint32_t said;
		uint64_t copy, entry;
	} cases[] = {
		{LOCAL_QUEUED, COPY_QUEUED, LOCAL_QUEUED},
		{LOCAL_CARRIED, COPY_CARRIED, LOCAL_CARRIED},
		{LOCAL_QUEUED, COPY_CARRIED, LOCAL_CARRIED},
	};
	struct row_key key;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct copy copy = only_copy(world, &key);
		struct record_event event = progress_of(&copy, cases[i].said, ERROR_OK);
		assert_int_equal(world_event(world, 0, &event), ERROR_OK);
		world_commit(world, 0);
		assert_int_equal(only_copy(world, &key).state, cases[i].copy);
		assert_int_equal(world_state(world, 0, identity), cases[i].entry);
	}
	world_free(world);
}

/* Where the entry is said to be since the last change of its state. */
static struct bytes last_detail(const struct entry *entry)
{
	struct cbor_reader reader = cbor_reader_make(entry->times);
	struct bytes detail = bytes_of_text("");

	for (size_t count = cbor_read_array(&reader, 24); count > 0; count--) {
		cbor_read_array_exact(&reader, 3);
		(void)cbor_read_uint(&reader);
		(void)cbor_read_uint(&reader);
		detail = cbor_read_text(&reader, entry->times.size);
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	return detail;
}

/* What is no name of a route is no text that people are shown. */
static void a_route_is_named_on_one_plain_line_or_not_at_all(void **state)
{
	char longest[ROUTE_NAME_SIZE_MAX + 2];
	memset(longest, 'r', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	const struct {
		const char *route;
		const char *kept;
	} cases[] = {
		{"radio", "radio"},
		{"two\nlines", ""},
		{longest, ""},
		{longest + 1, longest + 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t identity[IDENTITY_SIZE];
		struct world *world = open_with_a_copy(495, identity);
		struct row_key key;
		struct copy copy = only_copy(world, &key);
		struct record_event event = progress_of(&copy, LOCAL_CARRIED, ERROR_OK);
		struct entry_key place;
		struct entry entry;
		event.of.progress.route = bytes_of_text(cases[i].route);
		assert_int_equal(world_event(world, 0, &event), ERROR_OK);
		world_commit(world, 0);
		assert_true(world_entry(world, 0, identity, &entry, &place));
		assert_true(bytes_equal(last_detail(&entry), bytes_of_text(cases[i].kept)));
		world_free(world);
	}
}

/* ---- when a copy is due ---- */

/* A record copy becomes an action copy where nobody of its party has the entry yet. */
static void a_record_copy_that_is_due_becomes_urgent_for_those_who_have_nothing(void **state)
{
	uint8_t identity[IDENTITY_SIZE];
	struct world *world = open_with_a_copy(496, identity);
	static const struct {
		bool own, received, sealed;
		uint64_t state;
		uint64_t precedence;
		size_t cancels;
	} cases[] = {
		{.sealed = true, .state = COPY_QUEUED, .precedence = PRECEDENCE_FLASH, .cancels = 1},
		{.sealed = true, .state = COPY_CARRIED, .precedence = PRECEDENCE_FLASH, .cancels = 2},
		{.sealed = false, .state = COPY_CARRIED, .precedence = PRECEDENCE_FLASH, .cancels = 0},
		{.received = true, .sealed = true, .state = COPY_QUEUED, .precedence = PRECEDENCE_ROUTINE},
		{.own = true, .sealed = true, .state = COPY_QUEUED, .precedence = PRECEDENCE_ROUTINE},
	};
	struct entry_key place = talk_place(world, 0, identity);
	struct row_key entry_key = key_entry(TABLE_ENTRY, &place);
	struct store before;

	store_copy(&before, &world->posts[0].store);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct row_key key;
		struct row_key due = key_make(TABLE_DUE);
		struct copy copy = only_copy(world, &key);
		struct copy_key copy_key = {.entry = place};
		struct entry entry;
		/* The key ends with the log that it goes to: a sibling's, or the other party's. */
		store_delete(&world->posts[0].store, key_view(&key));
		copy_key.entry.log = world_log_of(world, !cases[i].own) + cases[i].own;
		key.size -= 2;
		key_u16(&key, copy_key.entry.log);
		copy.precedence = PRECEDENCE_ROUTINE;
		copy.urgency = PRECEDENCE_FLASH;
		copy.state = cases[i].state;
		copy.sealed = cases[i].sealed;
		world_put_row(world, 0, &key, &schema_copy, &copy);
		key_u64(&due, copy.due_ms);
		key_u64(&due, copy.number);
		world_put_row(world, 0, &due, &schema_copy_key, &copy_key);
		assert_true(world_row(world, 0, &entry_key, &schema_entry, &entry));
		entry.received = cases[i].received ? UINT64_C(1) << log_roster_index(copy_key.entry.log) : 0;
		struct hand hand = hand_make(world, 0);
		hand_put(&hand, &entry_key, &schema_entry, &entry);
		struct record_event tick = {.kind = RECORD_TICK};
		world->posts[0].mute = true;
		uint64_t steady_ms = world->posts[0].steady_ms;
		size_t cancels = world->posts[0].cancels;
		world->posts[0].steady_ms += OUTBOX_RESEND_MAX_MS;
		assert_int_equal(world_event(world, 0, &tick), ERROR_OK);
		world_commit(world, 0);
		copy = only_copy(world, &key);
		assert_int_equal(copy.precedence, cases[i].precedence);
		assert_int_equal(copy.urgency, copy.precedence);
		assert_int_equal(world->posts[0].cancels - cancels, cases[i].cancels);
		world->posts[0].steady_ms = steady_ms;
		store_free(&world->posts[0].store);
		store_copy(&world->posts[0].store, &before);
	}
	store_free(&before);
	world_free(world);
}

/* No row says that a statement is due; where one does, it is sent, and stays as it is. */
static void a_statement_that_a_row_says_is_due_becomes_no_more_urgent(void **state)
{
	struct world *world = world_open_line(497);
	struct hand hand = hand_make(world, 0);
	const struct copy_key copy_key = {.statement = 77};
	const struct statement_copy statement = {.copy = {.state = COPY_HELD,
							  .precedence = PRECEDENCE_ROUTINE,
							  .urgency = PRECEDENCE_FLASH,
							  .number = 77},
						 .kind = STATEMENT_HEADS,
						 .channel = 1,
						 .party = 1};
	struct row_key key = key_make(TABLE_STATEMENT);
	struct row_key due = key_make(TABLE_DUE);
	struct statement_copy after;
	struct record_event tick = {.kind = RECORD_TICK};

	world_settle(world);
	key_u64(&key, copy_key.statement);
	hand_put(&hand, &key, &schema_statement_copy, &statement);
	key_u64(&due, 1);
	key_u64(&due, copy_key.statement);
	hand_put(&hand, &due, &schema_copy_key, &copy_key);
	world->posts[0].mute = true;
	assert_int_equal(world_event(world, 0, &tick), ERROR_OK);
	world_commit(world, 0);
	assert_true(hand_look(&hand, &key, &schema_statement_copy, &after));
	assert_int_equal(after.copy.state, COPY_WAITING);
	assert_int_equal(after.copy.precedence, PRECEDENCE_ROUTINE);
	assert_int_equal(world_count(world, 0, TABLE_DUE), 0);
	world_free(world);
}

/* ---- what a receiver says ---- */

/* It was sent, and is to be sealed anew: no courier has its bytes, and none is asked to forget them. */
static void a_receipt_of_what_is_to_be_sealed_anew_stops_nothing(void **state)
{
	for (unsigned sealed = 0; sealed < 2; sealed++) {
		uint8_t identity[IDENTITY_SIZE];
		struct world *world = open_with_a_copy(498, identity);
		struct entry_key place = talk_place(world, 0, identity);
		struct row_key key;
		struct copy copy = only_copy(world, &key);
		copy.sealed = sealed;
		world_put_row(world, 0, &key, &schema_copy, &copy);
		size_t cancels = world->posts[0].cancels;
		assert_int_equal(forge_receipt(world, 1, 0, &place, identity, ERROR_OK), ERROR_OK);
		assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
		assert_int_equal(world->posts[0].cancels, cancels + sealed);
		world_free(world);
	}
}

/* A copy that was sealed often, over spoilt terms; and a statement, which is not sealed again. */
static void what_cannot_be_opened_is_held_by_terms_that_are_right(void **state)
{
	struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));
	struct world *world = open_with_a_copy(499, NULL);
	struct row_key key;
	struct copy copy = only_copy(world, &key);
	struct copy_key statement = {.statement = 77};
	struct row_key id_key = key_make(TABLE_COPY_ID);

	cannot_open->hashes_count = 1;
	memcpy(cannot_open->hashes[0], copy.sha256, sizeof(cannot_open->hashes[0]));
	copy.seals = RESEALS_MAX;
	world_put_row(world, 0, &key, &schema_copy, &copy);
	spoil_terms(world);
	assert_int_equal(forge_cannot_open(world, 1, 0, cannot_open), ERROR_MALFORMED);
	world_free(world);
	world = open_with_a_copy(499, NULL);
	copy = only_copy(world, &key);
	world_put_row(world, 0, &key, &schema_copy, &copy);
	const struct statement_copy row = {.copy = copy, .kind = STATEMENT_HEADS, .channel = 1, .party = 1};
	struct row_key statement_key = key_make(TABLE_STATEMENT);
	key_u64(&statement_key, statement.statement);
	world_put_row(world, 0, &statement_key, &schema_statement_copy, &row);
	key_bytes(&id_key, copy.sha256, 16);
	world_put_row(world, 0, &id_key, &schema_copy_key, &statement);
	size_t cancels = world->posts[0].cancels;
	assert_int_equal(forge_cannot_open(world, 1, 0, cannot_open), ERROR_OK);
	assert_int_equal(only_copy(world, &key).seals, copy.seals);
	assert_int_equal(world->posts[0].cancels, cancels);
	free(cannot_open);
	world_free(world);
}

/* ---- copies that are made to wait again ---- */

static enum error requeue_party(struct run *run, void *context)
{
	const uint64_t *party = context;
	return outbox_requeue_party(run, *party);
}

static void of_two_passes_over_copies_the_second_is_over_all(void **state)
{
	struct world *world = world_open_line(500);
	struct hand hand = hand_make(world, 0);
	struct row_key state_key = key_make(TABLE_STATE);
	struct row_key cursor = key_make(TABLE_REQUEUE);
	uint64_t party = 1;
	static const struct {
		uint64_t before, after;
	} cases[] = {
		{0, REQUEUE_PARTY + 1},
		{REQUEUE_PARTY + 2, REQUEUE_ALL},
		{REQUEUE_ALL, REQUEUE_ALL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct state row;
		assert_true(world_row(world, 0, &state_key, &schema_state, &row));
		row.requeue = cases[i].before;
		world_put_row(world, 0, &state_key, &schema_state, &row);
		if (row.requeue != 0)
			store_put(&world->posts[0].store, key_view(&cursor), bytes_of_text("somewhere"));
		assert_int_equal(hand_run(&hand, requeue_party, &party), ERROR_OK);
		assert_true(world_row(world, 0, &state_key, &schema_state, &row));
		assert_int_equal(row.requeue, cases[i].after);
		assert_int_equal(world_count(world, 0, TABLE_REQUEUE), 0);
	}
	world_free(world);
}

static void a_pass_over_the_copies_for_one_party_leaves_those_for_others(void **state)
{
	static const struct {
		uint64_t requeue;
		uint64_t seals;
	} cases[] = {{REQUEUE_PARTY + 2, 1}, {REQUEUE_PARTY + 1, 0}, {REQUEUE_ALL, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = open_with_a_copy(501, NULL);
		const struct record_event tick = {.kind = RECORD_TICK};
		struct row_key state_key = key_make(TABLE_STATE);
		struct row_key key;
		struct state row;
		assert_true(world_row(world, 0, &state_key, &schema_state, &row));
		row.requeue = cases[i].requeue;
		world_put_row(world, 0, &state_key, &schema_state, &row);
		world->posts[0].mute = true;
		assert_true(spoil_event(world, tick) > 0);
		world_tick(world, 0);
		assert_int_equal(only_copy(world, &key).seals, cases[i].seals);
		world_free(world);
	}
}

/* ---- sealing ---- */

static void no_entry_is_sealed_from_a_spoilt_leaf(void **state)
{
	struct world *world = world_open_line(502);
	uint8_t identity[IDENTITY_SIZE];

	world_settle(world);
	world->posts[0].mute = true;
	talk_begin(world, 0, "waits", identity);
	const struct entry_key place = talk_place(world, 0, identity);
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	struct hand hand = hand_make(world, 0);
	struct entry entry;
	assert_true(world_row(world, 0, &key, &schema_entry, &entry));
	entry.leaf = bytes_of_text("no leaf");
	hand_put(&hand, &key, &schema_entry, &entry);
	struct record_event room = {.kind = RECORD_COURIER_ROOM, .of.room.copies_max = 64};
	assert_int_equal(world_event(world, 0, &room), ERROR_MALFORMED);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_handed_over_is_taken_back_but_for_spoilt_rows),
		cmocka_unit_test(what_is_due_or_waits_again_does_so_but_for_spoilt_rows),
		cmocka_unit_test(what_is_given_up_is_told_but_for_spoilt_rows),
		cmocka_unit_test(a_copy_that_a_neighbour_has_is_not_queued_again),
		cmocka_unit_test(a_route_is_named_on_one_plain_line_or_not_at_all),
		cmocka_unit_test(a_record_copy_that_is_due_becomes_urgent_for_those_who_have_nothing),
		cmocka_unit_test(a_statement_that_a_row_says_is_due_becomes_no_more_urgent),
		cmocka_unit_test(a_receipt_of_what_is_to_be_sealed_anew_stops_nothing),
		cmocka_unit_test(what_cannot_be_opened_is_held_by_terms_that_are_right),
		cmocka_unit_test(of_two_passes_over_copies_the_second_is_over_all),
		cmocka_unit_test(a_pass_over_the_copies_for_one_party_leaves_those_for_others),
		cmocka_unit_test(no_entry_is_sealed_from_a_spoilt_leaf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
