/*
 * A hostile line and a hostile counterpart: forged, replayed, reflected, misaddressed, tampered. Nothing that
 * is accepted changes by it, and what is refused is said to be so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/world.h"

/* Sends a message and takes the sealed bytes off the line. */
static struct world_packet catch_message(struct world *world, size_t from, uint8_t *identity)
{
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "the words that matter"};
	struct world_packet caught;

	world_settle(world);
	world->hold = true;
	assert_int_equal(world_send(world, from, &message, identity), ERROR_OK);
	assert_true(world_intercept(world, from, &caught));
	world->hold = false;
	return caught;
}

static void give(struct world *world, size_t to, const struct world_packet *packet)
{
	world_deliver(world, to, packet->from, bytes_make(packet->bytes, packet->size));
	world_commit(world, to);
}

static void no_flipped_byte_is_accepted(void **state)
{
	struct world *world = world_open_line(50);
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet packet = catch_message(world, 0, identity);
	size_t entries = world_count(world, 1, TABLE_ENTRY);
	size_t arrivals = world_count(world, 1, TABLE_ARRIVAL);

	for (size_t i = 0; i < packet.size; i++) {
		uint8_t right = packet.bytes[i];
		packet.bytes[i] ^= (uint8_t)(1 + world_random(world, 255));
		give(world, 1, &packet);
		packet.bytes[i] = right;
	}
	assert_int_equal(world_count(world, 1, TABLE_ENTRY), entries);
	assert_int_equal(world_count(world, 1, TABLE_ARRIVAL), arrivals);
	assert_int_equal(world->posts[1].arrived, 0);
	give(world, 1, &packet);
	assert_int_equal(world_state(world, 1, identity), LOCAL_RECEIVED);
	free(packet.bytes);
	world_settle(world);
	assert_true(world_agrees(world));
	world_free(world);
}

static void a_truncated_or_lengthened_copy_is_not_accepted(void **state)
{
	struct world *world = world_open_line(51);
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet packet = catch_message(world, 0, identity);
	size_t size = packet.size;

	for (size_t i = 0; i < size; i += 7) {
		packet.size = i;
		give(world, 1, &packet);
	}
	packet.bytes = realloc(packet.bytes, size + 1);
	packet.bytes[size] = 0;
	packet.size = size + 1;
	give(world, 1, &packet);
	assert_int_equal(world_state(world, 1, identity), 0);
	free(packet.bytes);
	world_free(world);
}

static void a_replay_is_shown_once_and_receipted_again(void **state)
{
	struct world *world = world_open_line(52);
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet packet = catch_message(world, 0, identity);

	for (size_t i = 0; i < 5; i++) {
		size_t sends = world->posts[1].sends;
		give(world, 1, &packet);
		assert_int_equal(world->posts[1].sends, sends + 1);
	}
	assert_int_equal(world->posts[1].arrived, 1);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	give(world, 1, &packet); /* long after */
	assert_int_equal(world->posts[1].arrived, 1);
	free(packet.bytes);
	world_free(world);
}

static void a_reflected_copy_is_dropped(void **state)
{
	struct world *world = world_open_line(53);
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet packet = catch_message(world, 0, identity);
	size_t entries = world_count(world, 0, TABLE_ENTRY);

	packet.from = 1;
	give(world, 0, &packet);
	assert_int_equal(world_count(world, 0, TABLE_ENTRY), entries);
	assert_int_equal(world->posts[0].last_log, ERROR_CANNOT_OPEN);
	free(packet.bytes);
	world_free(world);
}

static void cannot_open_is_said_so_many_times_a_minute(void **state)
{
	struct world *world = world_open_line(54);
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet packet = catch_message(world, 0, identity);
	size_t sends = world->posts[1].sends;

	packet.bytes[packet.size - 1] ^= 1;
	for (size_t i = 0; i < 30; i++)
		give(world, 1, &packet);
	assert_int_equal(world->posts[1].sends - sends, 8);
	free(packet.bytes);
	world_free(world);
}

/* The sender's own registry is made to believe in officer 2, of whom the receiver has never heard. */
static void accredit_at_home(struct world *world, size_t post)
{
	struct row_key key = key_channel(TABLE_OFFICER, 1);
	struct officer officer;

	key_u8(&key, log_roster_index(world_log_of(world, post)));
	key_u32(&key, 1);
	assert_true(world_row(world, post, &key, &schema_officer, &officer));
	memcpy(officer.key, world->parties[world->posts[post].party].officers[1].key, sizeof(officer.key));
	struct row_key other = key_channel(TABLE_OFFICER, 1);
	key_u8(&other, log_roster_index(world_log_of(world, post)));
	key_u32(&other, 2);
	world_put_row(world, post, &other, &schema_officer, &officer);
}

static void an_unknown_officer_is_refused_on_both_sides(void **state)
{
	struct world *world = world_open_line(55);
	struct world_message message = {
		.precedence = PRECEDENCE_PRIORITY, .text = "believe me", .officer = 2};
	uint8_t identity[IDENTITY_SIZE];
	struct entry entry;
	struct entry_key key;
	uint64_t size;
	uint64_t size_after;
	struct merkle_hash root;

	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_REFUSED_SIGNER);
	accredit_at_home(world, 0);
	world_tree(world, 1, world_log_of(world, 1), 1, &size, &root);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_settle(world);
	assert_true(world_entry(world, 0, identity, &entry, &key));
	assert_int_equal(entry.state, LOCAL_REFUSED);
	assert_int_equal(entry.reason, ERROR_REFUSED_SIGNER);
	assert_true(world_entry(world, 1, identity, &entry, &key));
	assert_int_equal(entry.state, LOCAL_REFUSED);
	assert_int_equal(world->posts[1].arrived, 0);
	struct row_key cose = key_entry(TABLE_COSE, &key);
	size_t at = 0;
	struct row row;
	assert_false(store_find(&world->posts[1].store, key_view(&cose), &at, &row));
	world_tree(world, 1, world_log_of(world, 1), 1, &size_after, &root);
	assert_int_equal(size_after, size + 1); /* the verdict */
	assert_true(world_agrees(world));
	world_free(world);
}

static void a_known_officers_signature_by_another_key_gets_no_receipt(void **state)
{
	struct world *world = world_open_line(56);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "forged", .officer = 1};
	uint8_t identity[IDENTITY_SIZE];
	struct row_key key = key_channel(TABLE_OFFICER, 1);
	struct officer officer;
	size_t entries = world_count(world, 1, TABLE_ENTRY);

	key_u8(&key, log_roster_index(world_log_of(world, 0)));
	key_u32(&key, 1);
	assert_true(world_row(world, 0, &key, &schema_officer, &officer));
	struct world_party *party = &world->parties[world->posts[0].party];
	party->officers[0] = party->officers[2];
	memcpy(officer.key, party->officers[0].key, sizeof(officer.key));
	world_put_row(world, 0, &key, &schema_officer, &officer);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	world_run(world, 60000, 10000);
	assert_int_equal(world_state(world, 0, identity), LOCAL_CARRIED);
	assert_int_equal(world_state(world, 1, identity), 0);
	assert_int_equal(world_count(world, 1, TABLE_ENTRY), entries);
	world_free(world);
}

/* Verdicts on refused entries are charged to their author, and end. */
static void refusals_cannot_fill_the_receivers_log(void **state)
{
	struct world *world = world_open_line(57);
	uint64_t before;
	uint64_t after;
	struct merkle_hash root;
	struct world_message refused = {.precedence = PRECEDENCE_PRIORITY, .text = "flood", .officer = 2};

	accredit_at_home(world, 0);
	world_tree(world, 1, world_log_of(world, 1), 1, &before, &root);
	for (size_t i = 0; i < 300; i++) {
		struct world_message good = {.precedence = PRECEDENCE_PRIORITY, .text = "good"};
		assert_int_equal(world_send(world, 0, &refused, NULL), ERROR_OK);
		world_run(world, 20, 10);
		if (i % 100 == 0)
			assert_int_equal(world_send(world, 0, &good, NULL), ERROR_OK);
	}
	world_settle(world);
	world_tree(world, 1, world_log_of(world, 1), 1, &after, &root);
	assert_in_range(after - before, 200, 256);
	assert_int_equal(world->posts[1].arrived, 3);
	world_run(world, 86400000, 3600000); /* a day later there is room for more */
	world_tree(world, 1, world_log_of(world, 1), 1, &before, &root);
	assert_int_equal(world_send(world, 0, &refused, NULL), ERROR_OK);
	world_settle(world);
	world_tree(world, 1, world_log_of(world, 1), 1, &after, &root);
	assert_int_equal(after, before + 1);
	assert_true(world_agrees(world));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_flipped_byte_is_accepted),
		cmocka_unit_test(a_truncated_or_lengthened_copy_is_not_accepted),
		cmocka_unit_test(a_replay_is_shown_once_and_receipted_again),
		cmocka_unit_test(a_reflected_copy_is_dropped),
		cmocka_unit_test(cannot_open_is_said_so_many_times_a_minute),
		cmocka_unit_test(an_unknown_officer_is_refused_on_both_sides),
		cmocka_unit_test(a_known_officers_signature_by_another_key_gets_no_receipt),
		cmocka_unit_test(refusals_cannot_fill_the_receivers_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
