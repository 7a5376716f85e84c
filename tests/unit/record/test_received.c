/*
 * What comes sealed by a counterpart that has all its keys, and is not of the form, not signed, of several
 * channels at once, or of one that nobody here has signed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/receive.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

#define ENTRIES_PROPOSED_MAX 1024 /* that are held of a channel that nobody here has signed */

/* ---- what is given ---- */

static struct bytes kept(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size);

	memcpy(copy, bytes.data, bytes.size);
	return bytes_make(copy, bytes.size);
}

/* Signed on the world's channel for the party of post 1, by one of its officers. Allocates. */
static struct bytes signed_payload(struct world *world, const char *payload)
{
	struct hand_channel channel = {.roster = world->roster};
	uint8_t identity[IDENTITY_SIZE];

	memcpy(channel.id, world->channel, sizeof(channel.id));
	struct paper paper = hand_sign_payload(&channel, world, 1, &world->parties[1].officers[0],
					       bytes_of_text(payload), identity);
	return bytes_make(paper.cose, paper.size);
}

static uint64_t refused(const struct world *world, enum error reason)
{
	struct row_key key = key_make(TABLE_REFUSED);
	struct counter counter;

	key_u32(&key, reason);
	return world_row(world, 0, &key, &schema_counter, &counter) ? counter.count : 0;
}

/* ---- entries that cannot be read ---- */

static void what_cannot_be_read_is_refused_and_stands(void **state)
{
	struct world *world = world_open_line(520);
	const uint64_t size = talk_size(world, 0, 1, 1);

	for (size_t i = 0; i < 2; i++) /* the same again is held, and receipted again */
		assert_int_equal(forge_entry(world, 1, 0, signed_payload(world, "unreadable"), 1, size),
				 ERROR_OK);
	assert_int_equal(talk_size(world, 0, 1, 1), size + 1);
	assert_int_equal(refused(world, ERROR_REFUSED_FORM), 1);
	for (size_t i = 0; i < 2; i++) { /* another, where one is held; and where the opening is */
		uint64_t position = i == 0 ? size : 0;
		assert_int_equal(forge_entry(world, 1, 0, signed_payload(world, "another"), 1, position),
				 ERROR_OK);
		assert_int_equal(refused(world, ERROR_REFUSED_FORK), i + 1);
	}
	world->posts[0].precedence_min = PRECEDENCE_PRIORITY; /* it waits like a message of ROUTINE */
	assert_int_equal(forge_entry(world, 1, 0, signed_payload(world, "left"), 1, size + 1), ERROR_OK);
	assert_int_equal(world->posts[0].left, 1);
	world->posts[0].precedence_min = 0;
	assert_int_equal(forge_entry(world, 1, 0, kept(bytes_of_text("\x61x")), 1, size + 1), ERROR_OK);
	assert_int_equal(refused(world, ERROR_REFUSED_FORM), 2);
	assert_int_equal(talk_size(world, 0, 1, 1), size + 1);
	world_free(world);
}

static void of_a_channel_that_nobody_here_has_signed_so_many_entries_are_held(void **state)
{
	struct world *world = world_open_line(521);
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;

	for (uint64_t i = 0; i < 2; i++) {
		uint64_t size = talk_size(world, 0, 1, 1);
		assert_true(hand_look(&hand, &key, &schema_channel, &channel));
		channel.opened &= ~(UINT64_C(1) << channel.own_index);
		channel.entries = ENTRIES_PROPOSED_MAX - 1 + i;
		hand_put(&hand, &key, &schema_channel, &channel);
		assert_int_equal(forge_entry(world, 1, 0, signed_payload(world, "more"), 1, size), ERROR_OK);
		assert_int_equal(talk_size(world, 0, 1, 1), size + (i == 0));
		assert_int_equal(refused(world, ERROR_REFUSED_QUOTA), i);
	}
	world_free(world);
}

/* An opening of a channel that is known by then, signed by nobody. */
static void an_opening_that_is_not_signed_opens_nothing(void **state)
{
	struct world *world = world_open_line(526);
	const uint64_t size = talk_size(world, 0, 1, 1);
	const struct entry_key opening = {1, world_log_of(world, 1), 1, 0};
	struct row_key key = key_entry(TABLE_COSE, &opening);
	struct row row;
	size_t at = 0;

	assert_true(store_find(&world->posts[0].store, key_view(&key), &at, &row));
	struct bytes cose = kept(row.value);
	((uint8_t *)(uintptr_t)cose.data)[cose.size - 1] ^= 1;
	assert_int_equal(forge_entry(world, 1, 0, cose, 1, size), ERROR_OK);
	assert_int_equal(refused(world, ERROR_BAD_SIGNATURE), 1);
	assert_int_equal(talk_size(world, 0, 1, 1), size);
	world_free(world);
}

/* A post that is not sure of its own logs opens them before it takes anything. */
static void what_comes_to_a_post_that_is_unsure_is_taken_when_it_is_sure(void **state)
{
	struct world *world = world_open_line(527);
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_make(TABLE_STATE);
	struct state row;

	assert_true(hand_look(&hand, &key, &schema_state, &row));
	row.unsure = 1;
	world_put_row(world, 0, &key, &schema_state, &row);
	talk(world, 1, "taken", NULL);
	assert_int_equal(world->posts[0].arrived, 1);
	assert_true(hand_look(&hand, &key, &schema_state, &row));
	assert_int_equal(row.unsure, 0);
	world_free(world);
}

/* ---- channels whose ids begin alike ---- */

/* So many others at post 0, of its counterpart too or of nobody that it knows. */
static void put_alike(struct world *world, uint64_t count, bool of_theirs)
{
	struct hand hand = hand_make(world, 0);
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	uint8_t tag[CHANNEL_TAG_SIZE];

	channel_tag_make(world->channel, tag);
	for (uint64_t i = 0; i < count; i++) {
		struct row_key other = key_channel(TABLE_CHANNEL, 2 + i);
		struct row_key tag_key = key_make(TABLE_CHANNEL_TAG);
		struct channel channel;
		assert_true(hand_look(&hand, &key, &schema_channel, &channel));
		channel.id[CHANNEL_ID_SIZE - 1] ^= (uint8_t)(1 + i);
		if (!of_theirs)
			channel.parties.size = 0;
		hand_put(&hand, &other, &schema_channel, &channel);
		key_bytes(&tag_key, tag, sizeof(tag));
		key_u16(&tag_key, 2 + i);
		store_put(&world->posts[0].store, key_view(&tag_key), bytes_make(NULL, 0));
	}
}

static void what_may_be_of_several_channels_is_left_until_that_is_known(void **state)
{
	static const struct {
		uint64_t count;
		bool of_theirs;
		bool filed; /* what cannot be read, and so not be verified */
	} cases[] = {
		{1, false, true},
		{1, true, false},
		{CHANNELS_OF_TAG_MAX, true, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = world_open_line(522);
		uint8_t identity[IDENTITY_SIZE];
		put_alike(world, cases[i].count, cases[i].of_theirs);
		/* What verifies on one of them is of that one. */
		talk(world, 1, "of one", identity);
		assert_int_equal(world->posts[0].arrived, 1);
		uint64_t size = talk_size(world, 0, 1, 1);
		assert_int_equal(forge_entry(world, 1, 0, signed_payload(world, "unreadable"), 1, size),
				 ERROR_OK);
		assert_int_equal(talk_size(world, 0, 1, 1), size + cases[i].filed);
		/* Signed by whom no channel knows for that post. */
		struct content *content = calloc(1, sizeof(*content));
		content->kind = CONTENT_INCARNATION;
		content->precedence = PRECEDENCE_IMMEDIATE;
		content->of.incarnation = (struct incarnation){.previous = 1, .size = size};
		struct hand_channel channel = {.roster = world->roster};
		memcpy(channel.id, world->channel, sizeof(channel.id));
		struct paper paper = hand_sign(&channel, world, 1, &world->parties[1].officers[0], NULL,
					       content, identity);
		assert_int_equal(forge_entry(world, 1, 0, bytes_make(paper.cose, paper.size), 2, 0),
				 ERROR_OK);
		assert_int_equal(refused(world, ERROR_BAD_SIGNATURE), 1);
		free(content);
		world_free(world);
	}
}

/* ---- statements ---- */

static enum error forge_wire(struct world *world, enum statement_kind kind, struct bytes cose)
{
	struct wire *wire = calloc(1, sizeof(*wire));

	wire->kind = WIRE_STATEMENT;
	wire->statement = kind;
	wire->cose = cose;
	enum error error = forge(world, 1, 0, wire);
	free((void *)(uintptr_t)cose.data);
	free(wire);
	return error;
}

static void a_statement_is_signed_by_one_post_and_of_the_form(void **state)
{
	static const enum statement_kind kinds[] = {STATEMENT_PREKEYS, STATEMENT_RECEIPT, STATEMENT_HEADS,
						    STATEMENT_CANNOT_OPEN, STATEMENT_MISSING};
	struct world *world = world_open_line(523);
	struct hand_channel channel = {.roster = world->roster};
	uint8_t identity[IDENTITY_SIZE];
	struct content *content = calloc(1, sizeof(*content));
	const struct ed25519_pair *pairs = world->parties[1].officers;

	memcpy(channel.id, world->channel, sizeof(channel.id));
	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_IMMEDIATE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t before = refused(world, ERROR_MALFORMED);
		assert_int_equal(forge_wire(world, kinds[i], kept(bytes_of_text("\x61x"))), ERROR_OK);
		struct paper paper = hand_sign(&channel, world, 1, &pairs[0], &pairs[1], content, identity);
		assert_int_equal(forge_wire(world, kinds[i], bytes_make(paper.cose, paper.size)), ERROR_OK);
		assert_int_equal(refused(world, ERROR_MALFORMED), before + 2);
	}
	size_t logs = world->posts[0].logs;
	assert_int_equal(forge_wire(world, STATEMENT_PREKEYS, signed_payload(world, "no prekeys")), ERROR_OK);
	assert_int_equal(world->posts[0].logs, logs + 1);
	free(content);
	world_free(world);
}

/* By the post that it names, for this party alone: not what was signed for a channel. */
static void that_something_cannot_be_opened_is_said_by_its_receiver(void **state)
{
	struct world *world = world_open_line(524);
	uint8_t bytes[CANNOT_OPEN_SIZE_MAX];

	for (uint64_t i = 0; i < 2; i++) {
		struct cannot_open cannot_open = {.slot = world->posts[1].slot + i, .hashes_count = 1};
		struct buffer payload = buffer_make(bytes, sizeof(bytes));
		cannot_open_encode(&cannot_open, &payload);
		assert_int_equal(forge_statement(world, 1, 0, STATEMENT_CANNOT_OPEN, buffer_bytes(&payload)),
				 ERROR_OK);
		assert_int_equal(refused(world, ERROR_BAD_SIGNATURE), 1);
		assert_int_equal(refused(world, ERROR_MALFORMED), i);
	}
	assert_int_equal(forge_statement(world, 1, 0, STATEMENT_CANNOT_OPEN, bytes_of_text("none")),
			 ERROR_OK);
	assert_int_equal(refused(world, ERROR_MALFORMED), 2);
	world_free(world);
}

/* ---- what does not open ---- */

static void nobody_is_told_that_it_does_not_open_but_a_post_that_is_known(void **state)
{
	struct world *world = world_open_line(525);
	static char longest[EID_SIZE_MAX + 2];
	memset(longest, 'x', EID_SIZE_MAX + 1);
	struct world_packet packet;
	world->hold = true;
	talk_begin(world, 1, "changed on its way", NULL);
	assert_true(world_intercept(world, 1, &packet));
	packet.bytes[packet.size - 1] ^= 1;
	const struct {
		const char *source;
		size_t told;
	} cases[] = {{"", 0}, {longest, 0}, {"dtn://nobody/", 0}, {world->posts[1].node, 1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record_event event = {.kind = RECORD_RECEIVED};
		event.of.received.delivery = ++world->posts[0].next_delivery;
		event.of.received.source = bytes_of_text(cases[i].source);
		event.of.received.sealed = bytes_make(packet.bytes, packet.size);
		assert_int_equal(world_event(world, 0, &event), ERROR_OK);
		world_commit(world, 0);
		assert_int_equal(world_count(world, 0, TABLE_CANNOT_OPEN), cases[i].told);
	}
	free(packet.bytes);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_read_is_refused_and_stands),
		cmocka_unit_test(of_a_channel_that_nobody_here_has_signed_so_many_entries_are_held),
		cmocka_unit_test(an_opening_that_is_not_signed_opens_nothing),
		cmocka_unit_test(what_comes_to_a_post_that_is_unsure_is_taken_when_it_is_sure),
		cmocka_unit_test(what_may_be_of_several_channels_is_left_until_that_is_known),
		cmocka_unit_test(a_statement_is_signed_by_one_post_and_of_the_form),
		cmocka_unit_test(that_something_cannot_be_opened_is_said_by_its_receiver),
		cmocka_unit_test(nobody_is_told_that_it_does_not_open_but_a_post_that_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
