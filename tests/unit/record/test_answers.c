/*
 * What a post answers where its rows are more than a list holds, or stand as few events leave them: rows
 * are written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/query.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/probe.h"
#include "tests/unit/record/talk.h"

#define LIST_MAX  32  /* gaps, or branches, that STATUS lists */
#define AHEAD_MAX 256 /* entries beyond a gap that it looks at */

/* The error of the reply, or the one with which the event ended: the world goes no further then. */
static enum error answer(struct world *world, const struct buffer *frame)
{
	struct record_event event = {
		.kind = RECORD_REQUEST,
		.of.request = {.client = 7, .frame = buffer_bytes(frame), .shell = world->posts[0].shell},
	};

	enum error error = world_event(world, 0, &event);
	if (error != ERROR_OK)
		return error;
	world_commit(world, 0);
	struct cbor_reader reader =
		cbor_reader_make(bytes_make(world->posts[0].reply, world->posts[0].reply_size));
	cbor_read_array(&reader, 32);
	cbor_read_uint(&reader);
	return (enum error)cbor_read_uint(&reader);
}

static enum error answer_to(struct world *world, uint64_t verb)
{
	struct buffer frame = ask_request(verb, 0);
	return answer(world, &frame);
}

static void put_raw(struct world *world, const struct row_key *key, struct bytes value)
{
	store_put(&world->posts[0].store, key_view(key), value);
}

/* What stands under the key, as a copy; freed with the test's other memory by the caller. */
static struct bytes raw(const struct world *world, const struct row_key *key)
{
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[0].store, key_view(key), &at, &row));
	uint8_t *copy = malloc(row.value.size + 1);
	assert_non_null(copy);
	memcpy(copy, row.value.data, row.value.size);
	return bytes_make(copy, row.value.size);
}

static void drop(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

/* ---- gaps and branches ---- */

static void as_many_gaps_are_told_as_there_is_room_for(void **state)
{
	static const uint8_t leaf[32];
	struct world *world = world_open_line(470);
	uint64_t theirs = world_log_of(world, 1);
	struct row_key key = key_log(TABLE_LOG, 1, theirs, 1);
	struct log log;

	assert_true(world_row(world, 0, &key, &schema_log, &log));
	log.end = log.size + 2 * AHEAD_MAX + 4;
	world_put_row(world, 0, &key, &schema_log, &log);
	for (uint64_t i = 0; i <= AHEAD_MAX; i++) {
		struct entry_key place = {1, theirs, 1, log.size + 1 + 2 * i};
		struct row_key ahead = key_entry(TABLE_AHEAD, &place);
		put_raw(world, &ahead, bytes_make(leaf, sizeof(leaf)));
	}
	assert_int_equal(ask_status(world, 0).gaps_count, LIST_MAX);
	struct entry_key within = {1, theirs, 1, 0}; /* what the tree has already */
	struct row_key ahead = key_entry(TABLE_AHEAD, &within);
	put_raw(world, &ahead, bytes_make(leaf, sizeof(leaf)));
	assert_int_equal(answer_to(world, LOCAL_STATUS), ERROR_MALFORMED);
	world_free(world);
}

/* The newest incarnation of each of five posts, and eleven before it that follow the first. */
static void put_branches(struct world *world, const struct line *like, uint64_t follows_size)
{
	uint64_t index = log_roster_index(world_log_of(world, 1));

	for (uint64_t slot = 10; slot < 15; slot++) {
		struct row_key key = key_line(1, log_number(index, slot));
		struct line line = *like;
		line.incarnation = slot == 14 ? 0 : 12; /* the last one has said nothing yet */
		line.head_size = 0;
		line.told = 0;
		world_put_row(world, 0, &key, &schema_line, &line);
		for (uint64_t incarnation = 1; incarnation <= 12; incarnation++) {
			struct row_key row_key = key_log(TABLE_LOG, 1, log_number(index, slot), incarnation);
			struct log log = {
				.size = 5, .follows = incarnation > 1, .follows_size = follows_size};
			world_put_row(world, 0, &row_key, &schema_log, &log);
		}
	}
}

static void as_many_branches_are_told_as_there_is_room_for(void **state)
{
	struct world *world = world_open_line(471);
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct line line;

	assert_true(world_row(world, 0, &key, &schema_line, &line));
	put_branches(world, &line, 2);
	assert_int_equal(ask_status(world, 0).branches_count, LIST_MAX);
	/* Only the second one follows at its end what comes just before it; that is no branch. */
	assert_true(world_row(world, 0, &key, &schema_line, &line));
	put_branches(world, &line, 5);
	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.branches_count, LIST_MAX);
	struct buffer frame = ask_request(LOCAL_STATUS, 0);
	const struct record_event event = {.kind = RECORD_REQUEST,
					   .of.request = {.client = 7, .frame = buffer_bytes(&frame)}};
	assert_true(world_spoil_each(world, 0, &event) > 0);
	world_free(world);
}

/* ---- copies ---- */

/* A copy of an own entry, to a log that nobody has. */
static void put_copy(struct world *world, uint64_t incarnation, uint64_t position, uint64_t to)
{
	static const struct copy copy;
	struct row_key key = key_channel(TABLE_COPY, 1);

	key_u16(&key, incarnation);
	key_u32(&key, position);
	key_u16(&key, to);
	world_put_row(world, 0, &key, &schema_copy, &copy);
}

static void an_entry_that_all_have_receipted_is_not_the_oldest_that_waits(void **state)
{
	struct world *world = world_open_line(472);
	struct row_key pending_key = key_channel(TABLE_PENDING, 1);
	uint8_t identity[IDENTITY_SIZE];
	uint64_t to = 1000;

	talk(world, 0, "receipted", identity);
	struct entry_key place = talk_place(world, 0, identity);
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	struct bytes entry = raw(world, &key);
	place.incarnation = 2;
	key = key_entry(TABLE_ENTRY, &place);
	put_raw(world, &key, entry);
	for (unsigned precedence = 0; precedence < PRECEDENCE_COUNT; precedence++) {
		const struct pending one = {precedence == 0, precedence == 1, precedence == 2,
					    precedence == 3};
		world_put_row(world, 0, &pending_key, &schema_pending, &one);
		assert_false(ask_status(world, 0).has_oldest);
	}
	put_copy(world, 1, place.position, to);
	put_copy(world, 1, place.position, to + 1);
	put_copy(world, 2, place.position, to);
	put_copy(world, 1, place.position - 1, to);
	assert_false(ask_status(world, 0).has_oldest);
	for (size_t i = 2; i < QUERY_SCAN_MAX + 1; i++)
		put_copy(world, 1, place.position, to + i);
	assert_false(ask_status(world, 0).has_oldest);
	/* What is awaited is told once, whatever number of copies is under way; so many are looked at. */
	struct buffer frame = ask_for_entries(world, true, 4, bytes_make(NULL, 0), 64);
	struct cbor_reader reader = ask_results(world, 0, &frame, 2);
	assert_int_equal(cbor_read_array(&reader, 64), 0);
	assert_true(cbor_read_bytes(&reader, ROW_KEY_SIZE_MAX).size > 0);
	drop(entry);
	world_free(world);
}

/* They are sorted by channel, log, incarnation and position: each that is another is another entry. */
static void entries_that_await_an_acknowledgment_are_told_apart(void **state)
{
	struct world *world = world_open_line(473);
	const struct entry_key places[] = {
		{1, 1, 1, 3}, {1, 1, 1, 4}, {1, 1, 2, 4}, {1, 2, 2, 4}, {2, 2, 2, 4}};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct row_key key = key_entry(TABLE_ACK_BY, &places[i]);
		put_raw(world, &key, bytes_make(NULL, 0));
	}
	struct buffer frame = ask_for_entries(world, true, 4, bytes_make(NULL, 0), 64);
	assert_int_equal(answer(world, &frame), ERROR_MALFORMED); /* none of them is held */
	world_free(world);
}

static void a_cursor_is_of_the_channel_that_is_asked_about(void **state)
{
	struct world *world = world_open_line(474);
	const uint8_t cursor[] = {TABLE_COPY, 0, 2};

	for (size_t size = 1; size <= sizeof(cursor); size++) {
		struct buffer frame = ask_for_entries(world, false, 4, bytes_make(cursor, size), 64);
		assert_int_equal(answer(world, &frame), ERROR_BAD_ARGUMENT);
	}
	world_free(world);
}

/* ---- entries ---- */

static void an_own_entry_of_no_precedence_is_not_due(void **state)
{
	struct world *world = world_open_line(475);
	static const uint64_t precedences[] = {0, PRECEDENCE_FLASH + 1};
	uint8_t identity[IDENTITY_SIZE];

	world->cut = true;
	talk_begin(world, 0, "under way", identity);
	const struct entry_key place = talk_place(world, 0, identity);
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	for (size_t i = 0; i < sizeof(precedences) / sizeof(precedences[0]); i++) {
		struct entry entry;
		assert_true(world_row(world, 0, &key, &schema_entry, &entry));
		entry.precedence = precedences[i];
		world_put_row(world, 0, &key, &schema_entry, &entry);
		struct buffer frame = ask_for_entries(world, false, 1, bytes_make(NULL, 0), 64);
		assert_int_equal(answer(world, &frame), ERROR_OK);
	}
	world_free(world);
}

/* Of those that came: what was refused, and what is there a second time, is no message to be shown. */
static void messages_that_are_refused_or_again_are_not_selected(void **state)
{
	struct world *world = world_open_line(476);
	struct row_key key = key_make(TABLE_ARRIVAL);
	uint8_t identity[IDENTITY_SIZE];
	struct arrival arrival;
	struct entry entry;
	struct entry_key place;

	talk(world, 1, "shown", identity);
	assert_true(world_entry(world, 0, identity, &entry, &place));
	key_u64(&key, entry.arrival);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(world_row(world, 0, &key, &schema_arrival, &arrival));
		arrival.refused = i == 1;
		arrival.again = i == 2;
		world_put_row(world, 0, &key, &schema_arrival, &arrival);
		struct buffer frame = ask_for_entries(world, false, 2, bytes_make(NULL, 0), 64);
		struct cbor_reader reader = ask_results(world, 0, &frame, 2);
		assert_int_equal(cbor_read_array(&reader, 64), i == 0 ? 1 : 0);
	}
	world_free(world);
}

/* ---- heads and evidence ---- */

static void a_cosignature_counts_for_just_the_own_head(void **state)
{
	struct world *world = world_open_line(477);
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct row_key own_key = key_line(1, world_log_of(world, 0));
	struct line own;
	struct line line;
	struct buffer frame = ask_about_channel(world, LOCAL_HEADS, 1);
	size_t sizes[4];

	world_run(world, 600000, 20000);
	for (size_t i = 0; i < 4; i++) {
		assert_true(world_row(world, 0, &own_key, &schema_line, &own));
		assert_true(world_row(world, 0, &key, &schema_line, &line));
		line.theirs_incarnation = own.head_incarnation + (i == 1);
		line.theirs_size = own.head_size + (i == 2);
		memcpy(line.theirs_root, own.head_root, sizeof(line.theirs_root));
		line.theirs_root[0] ^= i == 3;
		world_put_row(world, 0, &key, &schema_line, &line);
		frame = ask_about_channel(world, LOCAL_HEADS, 1);
		assert_int_equal(ask(world, 0, &frame), ERROR_OK);
		sizes[i] = world->posts[0].reply_size;
	}
	for (size_t i = 1; i < 4; i++)
		assert_true(sizes[i] < sizes[0]); /* no cosignature is told */
	world_free(world);
}

static void put_evidence(struct world *world, uint64_t kind, uint64_t number, size_t size)
{
	struct row_key key = key_channel(TABLE_EVIDENCE, 1);
	struct evidence evidence = {.kind = kind, .first = bytes_make(calloc(1, size), size)};

	key_u16(&key, world_log_of(world, 1));
	key_u64(&key, number);
	world_put_row(world, 0, &key, &schema_evidence, &evidence);
	drop(evidence.first);
}

static void evidence_that_proves_nothing_to_others_is_not_told(void **state)
{
	struct world *world = world_open_line(478);
	struct buffer frame = ask_about_channel(world, LOCAL_EVIDENCE, 1);

	put_evidence(world, EVIDENCE_ENTRY, 1, 100);
	struct cbor_reader reader = ask_results(world, 0, &frame, 1);
	assert_int_equal(cbor_read_array(&reader, 8), 0);
	for (uint64_t i = 2; i < 12; i++)
		put_evidence(world, EVIDENCE_HEADS, i, 130000);
	frame = ask_about_channel(world, LOCAL_EVIDENCE, 1);
	assert_int_equal(ask(world, 0, &frame), ERROR_TOO_LARGE);
	world_free(world);
}

/* ---- channels and parties ---- */

static void no_more_channels_are_told_than_there_can_be(void **state)
{
	struct world *world = world_open_line(479);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct bytes value = raw(world, &key);
	struct channel channel;

	for (uint64_t number = 2; number <= CHANNELS_MAX + 1; number++) {
		struct row_key other = key_channel(TABLE_CHANNEL, number);
		put_raw(world, &other, value);
	}
	struct buffer frame = ask_request(LOCAL_CHANNELS, 0);
	struct cbor_reader reader = ask_results(world, 0, &frame, 1);
	assert_int_equal(cbor_read_array(&reader, 2 * CHANNELS_MAX), CHANNELS_MAX);
	assert_true(world_row(world, 0, &key, &schema_channel, &channel));
	channel.terms = bytes_of_text("no terms");
	world_put_row(world, 0, &key, &schema_channel, &channel);
	assert_int_equal(answer_to(world, LOCAL_CHANNELS), ERROR_MALFORMED);
	drop(value);
	world_free(world);
	world = world_open_line(479);
	assert_true(world_row(world, 0, &key, &schema_channel, &channel));
	channel.terms = bytes_of_text("no terms");
	world_put_row(world, 0, &key, &schema_channel, &channel);
	assert_int_equal(answer_to(world, LOCAL_STATUS), ERROR_MALFORMED);
	world_free(world);
}

/* Two letters of a party, so large each. */
static void put_letters(struct world *world, uint64_t number, size_t size)
{
	uint8_t *letter = calloc(1, size);

	for (uint64_t i = 0; i < 2; i++) {
		struct row_key key = key_make(TABLE_CARD_LETTER);
		key_u8(&key, number);
		key_u32(&key, i);
		put_raw(world, &key, bytes_make(letter, size));
	}
	free(letter);
}

/* Parties like the second one, but for their letters. */
static void put_parties(struct world *world, uint64_t count, size_t letter_size)
{
	struct row_key key = key_party(1);
	struct state state;
	struct party party;

	for (uint64_t number = 2; number < count; number++) {
		struct row_key other = key_party(number);
		assert_true(world_row(world, 0, &key, &schema_party, &party));
		party.letters = 2;
		world_put_row(world, 0, &other, &schema_party, &party);
		put_letters(world, number, letter_size);
	}
	key = key_make(TABLE_STATE);
	assert_true(world_row(world, 0, &key, &schema_state, &state));
	state.parties = count - 1;
	world_put_row(world, 0, &key, &schema_state, &state);
}

/* Which of the parties of the answer come with their card, a bit for each. */
static uint64_t cards_told(struct world *world, size_t count)
{
	struct buffer frame = ask_request(LOCAL_PARTIES, 0);
	struct cbor_reader reader = ask_results(world, 0, &frame, 1);
	uint64_t cards = 0;

	assert_int_equal(cbor_read_array(&reader, COUNTERPARTS_MAX + 1), count);
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(&reader, 7);
		for (size_t j = 0; j < 6; j++)
			(void)cbor_read_item(&reader);
		cards |= (uint64_t)(cbor_read_bytes(&reader, CARD_SIZE_MAX).size > 0) << i;
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	return cards;
}

static void cards_are_told_while_there_is_room(void **state)
{
	struct world *world = world_open_line(480);

	put_parties(world, 14, 120000);
	assert_int_equal(cards_told(world, 14), 0x3f); /* the two that are small, and four times 240,000 */
	world_free(world);
	world = world_open_line(480);
	put_parties(world, 3, 132000); /* more than a card */
	assert_int_equal(cards_told(world, 3), 3);
	put_parties(world, COUNTERPARTS_MAX + 2, 1);
	assert_int_equal(answer_to(world, LOCAL_PARTIES), ERROR_MALFORMED);
	world_free(world);
}

static void a_card_that_is_too_large_is_not_given(void **state)
{
	struct world *world = world_open_line(483);
	static const struct {
		size_t letter_size;
		enum error exported, sealed;
	} cases[] = {
		{30000, ERROR_OK, ERROR_OK},
		{50000, ERROR_OK, ERROR_TOO_LARGE},
		{132000, ERROR_TOO_LARGE, ERROR_TOO_LARGE},
	};
	struct buffer frame = ask_request(LOCAL_CARD_EXPORT, 0);
	assert_int_equal(ask(world, 1, &frame), ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[1]);
	struct bytes other = cbor_read_bytes(&reader, CARD_SIZE_MAX);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_letters(world, 0, cases[i].letter_size);
		assert_int_equal(answer_to(world, LOCAL_CARD_EXPORT), cases[i].exported);
		frame = ask_request(LOCAL_CARD_SEAL, 1);
		cbor_write_bytes(&frame, other);
		assert_int_equal(answer(world, &frame), cases[i].sealed);
	}
	world_free(world);
}

static void a_party_with_more_posts_than_there_can_be_is_an_error(void **state)
{
	struct world *world = world_open_line(481);
	struct row_key key = key_party_post(TABLE_PARTY_POST, 1, world->posts[1].slot);
	struct bytes value = raw(world, &key);

	for (uint64_t slot = 0; slot <= POST_SLOTS; slot++) {
		struct row_key other = key_party_post(TABLE_PARTY_POST, 1, slot);
		put_raw(world, &other, value);
	}
	assert_int_equal(answer_to(world, LOCAL_PARTIES), ERROR_MALFORMED);
	drop(value);
	world_free(world);
}

/* ---- what the daemon says of itself ---- */

static void status_tells_of_routes_and_of_as_many_reasons_as_there_can_be(void **state)
{
	struct world *world = world_open_line(482);
	static struct link_routes routes = {.count = 1};
	struct record_shell shell = {.routes = NULL};
	static const struct counter counter = {.count = 1};

	for (uint64_t reason = 0; reason <= REFUSED_REASONS_MAX; reason++) {
		struct row_key key = key_make(TABLE_REFUSED);
		key_u32(&key, reason);
		world_put_row(world, 0, &key, &schema_counter, &counter);
	}
	routes.routes[0] = (struct link_route){.route = bytes_of_text("direct"),
					       .neighbour = bytes_of_text("ipn:2.0"),
					       .state = LINK_ROUTE_UP};
	world->posts[0].shell = &shell;
	for (unsigned i = 0; i < 3; i++) {
		shell.routes = i > 0 ? &routes : NULL;
		shell.courier_connected = i > 0;
		routes.full = i == 2;
		struct buffer frame = ask_request(LOCAL_STATUS, 0);
		struct cbor_reader reader = ask_results(world, 0, &frame, 9);
		(void)cbor_read_item(&reader); /* channels */
		assert_int_equal(cbor_read_bool(&reader), i > 0);
		assert_int_equal(cbor_read_array(&reader, 8), i > 0 ? 1 : 0);
		if (i > 0)
			(void)cbor_read_item(&reader);
		assert_int_equal(cbor_read_array(&reader, 2 * REFUSED_REASONS_MAX), REFUSED_REASONS_MAX);
		for (size_t j = 0; j < REFUSED_REASONS_MAX + 4; j++)
			(void)cbor_read_item(
				&reader); /* and keys, the store's size, the disk, what is left */
		assert_int_equal(cbor_read_bool(&reader), i == 2);
		assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	}
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_gaps_are_told_as_there_is_room_for),
		cmocka_unit_test(as_many_branches_are_told_as_there_is_room_for),
		cmocka_unit_test(an_entry_that_all_have_receipted_is_not_the_oldest_that_waits),
		cmocka_unit_test(entries_that_await_an_acknowledgment_are_told_apart),
		cmocka_unit_test(a_cursor_is_of_the_channel_that_is_asked_about),
		cmocka_unit_test(an_own_entry_of_no_precedence_is_not_due),
		cmocka_unit_test(messages_that_are_refused_or_again_are_not_selected),
		cmocka_unit_test(a_cosignature_counts_for_just_the_own_head),
		cmocka_unit_test(evidence_that_proves_nothing_to_others_is_not_told),
		cmocka_unit_test(no_more_channels_are_told_than_there_can_be),
		cmocka_unit_test(cards_are_told_while_there_is_room),
		cmocka_unit_test(a_card_that_is_too_large_is_not_given),
		cmocka_unit_test(a_party_with_more_posts_than_there_can_be_is_an_error),
		cmocka_unit_test(status_tells_of_routes_and_of_as_many_reasons_as_there_can_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
