/*
 * Two posts, a channel, a message, its receipt, an acknowledgment, a reply.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/wire.h"
#include "tests/unit/record/image.h"

static void both_sides_open_the_channel(void **state)
{
	struct world *world = world_open_line(1);
	assert_true(world_is_open(world, 0));
	assert_true(world_is_open(world, 1));
	assert_true(world_agrees(world));
	assert_int_equal(world_count(world, 0, TABLE_COPY), 0);
	assert_int_equal(world_count(world, 1, TABLE_COPY), 0);
	world_free(world);
}

static void a_message_runs_through_all_states(void **state)
{
	struct world *world = world_open_line(2);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};
	uint8_t identity[IDENTITY_SIZE];

	world->cut = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	assert_int_equal(world_state(world, 0, identity), LOCAL_QUEUED);
	world->cut = false;
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	assert_int_equal(world->posts[1].arrived, 1);
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_READ);
	struct world_message reply = {
		.precedence = PRECEDENCE_PRIORITY, .text = "It is.", .answers = identity};
	assert_int_equal(world_send(world, 1, &reply, NULL), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_ANSWERED);
	assert_int_equal(world_state(world, 1, identity), LOCAL_ANSWERED);
	assert_true(world_agrees(world));
	world_free(world);
}

/* The states of an entry that a post's subscribers were told, one digit each, in their order. */
static void expect_told(const struct world *world, size_t index, const uint8_t identity[IDENTITY_SIZE],
			const char *states)
{
	const struct world_post *post = &world->posts[index];
	char told[16] = "";
	size_t size = 0;

	assert_true(post->told_count < WORLD_NOTICES_MAX);
	for (size_t i = 0; i < post->told_count; i++)
		if (memcmp(post->told[i].identity, identity, IDENTITY_SIZE) == 0 && size + 1 < sizeof(told))
			told[size++] = (char)('0' + post->told[i].state);
	assert_string_equal(told, states);
}

/* The packet that waits for a post of a pair, given to it in the batch that is open. */
static void deliver_held(struct world *world, size_t to)
{
	struct world_packet packet;

	assert_true(world_intercept(world, 1 - to, &packet));
	world_deliver(world, to, packet.from, bytes_make(packet.bytes, packet.size));
	free(packet.bytes);
}

/* From "released" on; what comes in one commit is told one by one. */
static void each_state_is_told_once_and_in_order_on_both_sides(void **state)
{
	struct world *world = world_open_line(4);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "Is this line open?"};
	struct record_event carried = {.kind = RECORD_PROGRESS, .of.progress.state = LOCAL_CARRIED};
	uint8_t prefix = TABLE_COPY_ID;
	uint8_t identity[IDENTITY_SIZE];
	struct row row;
	size_t at = 0;

	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	expect_told(world, 0, identity, "12");
	assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
	memcpy(carried.of.progress.copy, row.key.data + 1, sizeof(carried.of.progress.copy));
	deliver_held(world, 1);
	world_commit(world, 1);
	assert_int_equal(world_event(world, 0, &carried), ERROR_OK);
	deliver_held(world, 0);
	world_commit(world, 0);
	expect_told(world, 0, identity, "1234");
	world->hold = false;
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	world_settle(world);
	message.answers = identity;
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_settle(world);
	expect_told(world, 0, identity, "123456");
	expect_told(world, 1, identity, "56");
	assert_int_equal(world->posts[1].arrived, 1);
	world_free(world);
}

/* A second channel between the two, opened in full; the first has no officers. */
static struct world *open_two_channels(uint64_t seed)
{
	struct world *world = world_make_pair(seed);

	world_name_channel(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_opening(world, i);
	world_settle(world);
	entropy_take(&world->random, world->nonce, sizeof(world->nonce));
	channel_id_make(&world->roster, bytes_make(world->terms, world->terms_size), world->nonce,
			world->channel);
	for (size_t i = 0; i < 2; i++) {
		world->parties[i].chain_number = 0;
		world_submit_opening(world, i);
	}
	world_settle(world);
	world_accredit(world, (const size_t[]){0, 1}, 2);
	return world;
}

/* By chance, two ids may begin with the same two bytes: at post 1, the second channel's and the first's. */
static void let_ids_begin_alike(struct world *world)
{
	struct row_key key = key_make(TABLE_CHANNEL_TAG);
	uint8_t tag[CHANNEL_TAG_SIZE];

	channel_tag_make(world->channel, tag);
	key_bytes(&key, tag, sizeof(tag));
	key_u16(&key, 1);
	store_put(&world->posts[1].store, key_view(&key), bytes_make(NULL, 0));
}

static void expect_place(const struct world *world, const uint8_t identity[IDENTITY_SIZE], uint64_t channel,
			 enum error reason)
{
	struct entry entry;
	struct entry_key held;

	assert_true(world_entry(world, 1, identity, &entry, &held));
	assert_int_equal(held.channel, channel);
	assert_int_equal(entry.reason, reason);
}

/* The signature tells which channel is meant, although on the first nobody of that number is known. */
static void channels_whose_ids_begin_alike_are_told_apart(void **state)
{
	struct world *world = open_two_channels(3);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "on the second"};
	uint8_t identity[IDENTITY_SIZE];

	let_ids_begin_alike(world);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	expect_place(world, identity, 2, ERROR_OK);
	assert_int_equal(world->posts[1].arrived, 1);
	world_free(world);
}

/* So it does where the entry is refused: nobody here has signed the second channel. */
static void what_is_refused_is_refused_on_its_own_channel(void **state)
{
	struct world *world = open_two_channels(4);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "too early"};
	struct row_key key = key_channel(TABLE_CHANNEL, 2);
	struct channel channel;
	uint8_t identity[IDENTITY_SIZE];

	let_ids_begin_alike(world);
	assert_true(world_row(world, 1, &key, &schema_channel, &channel));
	channel.opened &= ~(UINT64_C(1) << channel.own_index);
	world_put_row(world, 1, &key, &schema_channel, &channel);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	expect_place(world, identity, 2, ERROR_REFUSED_CHANNEL);
	world_free(world);
}

static bool is_no_officer(struct bytes key)
{
	return key.data[0] != TABLE_OFFICER;
}

/* Nothing is missing at post 1 before the next entry of post 0, if it were one of the first channel. */
static void let_logs_be_of_one_length(struct world *world)
{
	struct row_key first = key_log(TABLE_LOG, 1, world_log_of(world, 0), 1);
	struct row_key second = key_log(TABLE_LOG, 2, world_log_of(world, 0), 1);
	struct log log;

	assert_true(world_row(world, 1, &second, &schema_log, &log));
	world_put_row(world, 1, &first, &schema_log, &log);
}

/* Where the signer is known on neither, it is not known yet which is meant: it is filed when it is. */
static void what_may_be_of_two_channels_is_left_until_its_signer_is_known(void **state)
{
	struct world *world = open_two_channels(5);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "whose?"};
	const uint8_t prefix = TABLE_OFFICER;
	uint8_t identity[IDENTITY_SIZE];
	struct store whole;
	struct row row;
	size_t taken = world->posts[1].taken;
	size_t entries = world_count(world, 1, TABLE_ENTRY);

	let_ids_begin_alike(world);
	let_logs_be_of_one_length(world);
	store_copy(&whole, &world->posts[1].store);
	store_filter(&world->posts[1].store, is_no_officer);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_run(world, 1000, 100);
	assert_true(world->posts[1].taken > taken);
	assert_int_equal(world_count(world, 1, TABLE_ENTRY), entries);
	assert_int_equal(world_state(world, 0, identity), LOCAL_CARRIED);
	for (size_t at = 0; store_find(&whole, bytes_make(&prefix, 1), &at, &row);)
		store_put(&world->posts[1].store, row.key, row.value);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	expect_place(world, identity, 2, ERROR_OK);
	store_free(&whole);
	world_free(world);
}

/* What was filed before there were two is receipted when it comes again, whoever is known by then. */
static void what_is_held_is_receipted_again(void **state)
{
	struct world *world = open_two_channels(6);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "twice"};
	struct world_packet packet;
	uint8_t identity[IDENTITY_SIZE];

	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	assert_true(world_intercept(world, 0, &packet));
	struct bytes sealed = bytes_make(packet.bytes, packet.size);
	world_deliver(world, 1, 0, sealed);
	world_commit(world, 1);
	expect_place(world, identity, 2, ERROR_OK);
	let_ids_begin_alike(world);
	store_filter(&world->posts[1].store, is_no_officer);
	size_t sends = world->posts[1].sends;
	world_deliver(world, 1, 0, sealed);
	world_commit(world, 1);
	assert_true(world->posts[1].sends > sends);
	free(packet.bytes);
	world->hold = false;
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	world_free(world);
}

/* What a post has lost comes back to its log on the channel that is meant, though another is tried first. */
static void what_is_given_back_goes_to_its_own_channel(void **state)
{
	struct world *world = open_two_channels(7);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "lost and found"};
	uint8_t identity[IDENTITY_SIZE];
	struct image image;

	let_ids_begin_alike(world);
	image_back_up(world, 1, &image);
	assert_int_equal(world_send(world, 1, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	image_restore(world, 1, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(world_state(world, 1, identity), 0);
	world_run(world, 120000, 1000);
	world_settle(world);
	expect_place(world, identity, 2, ERROR_OK);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	image_free(&image);
	world_free(world);
}

/* The leaf of what post 1 says, as post 0 holds it. */
static void say_there(struct world *world, const char *text, struct leaf *leaf)
{
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = text};
	uint8_t identity[IDENTITY_SIZE];
	struct entry entry;
	struct entry_key key;

	assert_int_equal(world_send(world, 1, &message, identity), ERROR_OK);
	world_settle(world);
	assert_true(world_entry(world, 0, identity, &entry, &key));
	assert_int_equal(leaf_decode(entry.leaf, leaf), ERROR_OK);
}

/* So whoever has the log knows what its author can have known: an entry is not older than what it names. */
static void an_entry_names_how_much_of_the_other_log_its_author_held(void **state)
{
	struct world *world = world_open_line(9);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "before"};
	struct merkle_hash root;
	struct leaf leaf;
	uint64_t size;

	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_settle(world);
	world_tree(world, 1, world_log_of(world, 0), 1, &size, &root);
	say_there(world, "after", &leaf);
	assert_int_equal(leaf.heads.count, 1);
	assert_int_equal(leaf.heads.heads[0].log, world_log_of(world, 0));
	assert_int_equal(leaf.heads.heads[0].incarnation, 1);
	assert_int_equal(leaf.heads.heads[0].size, size);
	say_there(world, "with nothing new between", &leaf);
	assert_int_equal(leaf.heads.count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_open_the_channel),
		cmocka_unit_test(a_message_runs_through_all_states),
		cmocka_unit_test(an_entry_names_how_much_of_the_other_log_its_author_held),
		cmocka_unit_test(each_state_is_told_once_and_in_order_on_both_sides),
		cmocka_unit_test(channels_whose_ids_begin_alike_are_told_apart),
		cmocka_unit_test(what_is_refused_is_refused_on_its_own_channel),
		cmocka_unit_test(what_may_be_of_two_channels_is_left_until_its_signer_is_known),
		cmocka_unit_test(what_is_held_is_receipted_again),
		cmocka_unit_test(what_is_given_back_goes_to_its_own_channel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
