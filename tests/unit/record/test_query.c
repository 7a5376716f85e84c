/*
 * What the local API answers about the post, parties and channels, by the schema of base/local.h; and what it
 * refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/card.h"
#include "envelope/signed.h"
#include "record/workspace.h"
#include "tests/unit/record/asking.h"

/* ---- the post and its parties ---- */

static void hello_tells_who_the_post_is(void **state)
{
	struct world *world = world_open_line(301);
	struct buffer frame = ask_request(LOCAL_HELLO, 0);
	struct cbor_reader reader = ask_results(world, 1, &frame, 7);

	assert_int_equal(cbor_read_uint(&reader), LOCAL_VERSION);
	expect_bytes(&reader, world->parties[1].id, PARTY_ID_SIZE);
	assert_int_equal(cbor_read_uint(&reader), 1);
	expect_text(&reader, "Federation");
	expect_text(&reader, "Embassy");
	expect_text(&reader, world->posts[1].node);
	assert_int_equal(cbor_read_uint(&reader), POST_EMBASSY);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_free(world);
}

static void a_keying_that_is_accepted_is_answered_with_its_party(void **state)
{
	struct world *world = world_open_line(302);
	const struct world_post *post = &world->posts[0];
	struct keying keying;

	world_make_keying(world, 2, 0, 1, &keying);
	world_accept_keying(world, 0, &keying);
	assert_in_range(post->reply_size, PARTY_ID_SIZE, PARTY_ID_SIZE + 16); /* and no sentence */
	assert_non_null(memmem(post->reply, post->reply_size, world->parties[1].id, PARTY_ID_SIZE));
	world_free(world);
}

static void check_card(const struct world *world, size_t party, struct bytes encoded)
{
	struct card *card = calloc(1, sizeof(*card));
	struct card_party *verified = calloc(1, sizeof(*verified));
	struct signed_entry *entry = calloc(1, sizeof(*entry));
	struct buffer work = buffer_make(malloc(SIGNED_WORK_SIZE), SIGNED_WORK_SIZE);

	assert_int_equal(card_decode(encoded, card), ERROR_OK);
	assert_int_equal(card_verify(card, entry, &work, verified), ERROR_OK);
	assert_memory_equal(verified->id, world->parties[party].id, PARTY_ID_SIZE);
	assert_int_equal(card->letters_count, world->parties[party].letters_count);
	assert_int_equal(card->prekeys_count, 1);
	assert_int_equal(card->addresses_count, 1);
	free(work.data);
	free(card);
	free(verified);
	free(entry);
}

static void parties_come_with_posts_and_cards_the_own_one_first(void **state)
{
	struct world *world = world_open_line(302);
	struct buffer frame = ask_request(LOCAL_PARTIES, 0);
	struct cbor_reader reader = ask_results(world, 0, &frame, 1);

	cbor_read_array_exact(&reader, 2);
	for (size_t i = 0; i < 2; i++) {
		cbor_read_array_exact(&reader, 7);
		expect_bytes(&reader, world->parties[i].id, PARTY_ID_SIZE);
		expect_text(&reader, world->parties[i].name);
		assert_int_equal(cbor_read_bool(&reader), i == 1);
		cbor_read_array_exact(&reader, 1);
		cbor_read_array_exact(&reader, 4);
		assert_int_equal(cbor_read_uint(&reader), world->posts[i].slot);
		expect_text(&reader, world->posts[i].name);
		expect_text(&reader, world->posts[i].node);
		assert_int_equal(cbor_read_bytes(&reader, 32).size, 32);
		assert_int_equal(cbor_read_uint(&reader), world->parties[i].letters_count - 1);
		expect_bytes(&reader, world->parties[i].head, IDENTITY_SIZE);
		check_card(world, i, cbor_read_bytes(&reader, CARD_SIZE_MAX));
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	frame = ask_request(LOCAL_CARD_EXPORT, 0);
	reader = ask_results(world, 0, &frame, 1);
	check_card(world, 0, cbor_read_bytes(&reader, CARD_SIZE_MAX));
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_free(world);
}

/* ---- channels ---- */

static void channels_are_listed_with_their_parties(void **state)
{
	struct world *world = world_open_line(303);
	struct buffer frame = ask_request(LOCAL_CHANNELS, 0);
	struct cbor_reader reader = ask_results(world, 0, &frame, 1);

	cbor_read_array_exact(&reader, 1);
	cbor_read_array_exact(&reader, 4);
	expect_bytes(&reader, world->channel, CHANNEL_ID_SIZE);
	expect_text(&reader, "Test line");
	assert_int_equal(cbor_read_uint(&reader), CHANNEL_OPEN);
	cbor_read_array_exact(&reader, 2);
	for (size_t i = 0; i < 2; i++) {
		size_t party = ask_index_of(world, 0) == i ? 0 : 1;
		cbor_read_array_exact(&reader, 2);
		expect_bytes(&reader, world->parties[party].id, PARTY_ID_SIZE);
		expect_text(&reader, world->parties[party].name);
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_free(world);
}

static void read_channel_parties(struct world *world, struct cbor_reader *reader)
{
	cbor_read_array_exact(reader, 2);
	for (size_t i = 0; i < 2; i++) {
		size_t party = ask_index_of(world, 0) == i ? 0 : 1;
		cbor_read_array_exact(reader, 5);
		expect_bytes(reader, world->parties[party].id, PARTY_ID_SIZE);
		expect_text(reader, world->parties[party].name);
		assert_true(cbor_read_bool(reader));
		assert_int_equal(cbor_read_uint(reader), world->parties[party].chain_number - 1);
		expect_bytes(reader, world->parties[party].chain_head, IDENTITY_SIZE);
	}
}

static void a_channel_is_told_whole(void **state)
{
	struct world *world = world_open_line(304);
	struct buffer frame = ask_about_channel(world, LOCAL_CHANNEL, 1);
	struct cbor_reader reader = ask_results(world, 0, &frame, 8);
	uint8_t heads[2][IDENTITY_SIZE];
	uint8_t version[REGISTRY_SIZE];

	for (size_t i = 0; i < 2; i++)
		memcpy(heads[i], world->parties[i].chain_head, IDENTITY_SIZE);
	registry_version(heads, 2, version);
	expect_bytes(&reader, world->terms, world->terms_size);
	expect_bytes(&reader, world->nonce, CHANNEL_NONCE_SIZE);
	assert_int_equal(cbor_read_uint(&reader), CHANNEL_OPEN);
	assert_int_equal(cbor_read_uint(&reader), ask_index_of(world, 0));
	expect_bytes(&reader, version, sizeof(version));
	read_channel_parties(world, &reader);
	cbor_read_array_exact(&reader, 2);
	for (size_t i = 0; i < 2; i++) {
		size_t post = ask_index_of(world, 0) == i ? 0 : 1;
		cbor_read_array_exact(&reader, 4);
		assert_int_equal(cbor_read_uint(&reader), world_log_of(world, post));
		assert_int_equal(cbor_read_uint(&reader), world->posts[post].slot);
		expect_text(&reader, world->posts[post].name);
		expect_text(&reader, world->posts[post].node);
	}
	cbor_read_array_exact(&reader, 2);
	for (size_t i = 0; i < 2; i++) {
		size_t party = ask_index_of(world, 0) == i ? 0 : 1;
		cbor_read_array_exact(&reader, 7);
		assert_int_equal(cbor_read_uint(&reader), i);
		assert_int_equal(cbor_read_uint(&reader), 1);
		expect_text(&reader, "Officer One");
		expect_text(&reader, "watch officer");
		expect_bytes(&reader, world->parties[party].officers[0].key, PUBLIC_KEY_SIZE);
		cbor_read_array_exact(&reader, 1);
		assert_int_equal(cbor_read_uint(&reader), 1 - i);
		assert_int_equal(cbor_read_uint(&reader), 0);
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_free(world);
}

static void a_channel_that_is_only_proposed_has_empty_chains(void **state)
{
	struct world *world = world_make_pair(305);
	struct cbor_reader reader;

	world_name_channel(world);
	struct buffer frame = ask_about_channel(world, LOCAL_CHANNEL, 1);
	assert_int_equal(ask(world, 0, &frame), ERROR_NOT_FOUND);
	world_submit_opening(world, 0);
	frame = ask_about_channel(world, LOCAL_CHANNEL, 1);
	reader = ask_results(world, 0, &frame, 8);
	for (size_t i = 0; i < 2; i++)
		(void)cbor_read_item(&reader);
	assert_int_equal(cbor_read_uint(&reader), CHANNEL_PROPOSED);
	for (size_t i = 0; i < 2; i++)
		(void)cbor_read_item(&reader);
	cbor_read_array_exact(&reader, 2);
	for (size_t i = 0; i < 2; i++) {
		bool own = i == ask_index_of(world, 0);
		cbor_read_array_exact(&reader, 5);
		(void)cbor_read_item(&reader);
		(void)cbor_read_item(&reader);
		assert_int_equal(cbor_read_bool(&reader), own);
		assert_int_equal(cbor_peek(&reader), own ? CBOR_UINT : CBOR_SIMPLE);
		(void)cbor_read_item(&reader);
		assert_int_equal(cbor_peek(&reader), own ? CBOR_BYTES : CBOR_SIMPLE);
		(void)cbor_read_item(&reader);
	}
	assert_int_equal(cbor_reader_error(&reader), ERROR_OK);
	world_free(world);
}

/* ---- malformed ---- */

static void requests_of_another_form_are_refused(void **state)
{
	struct world *world = world_open_line(340);
	static const uint64_t plain[] = {LOCAL_HELLO, LOCAL_CARD_EXPORT, LOCAL_CHANNELS, LOCAL_PARTIES,
					 LOCAL_STATUS};
	static const uint64_t of_channel[] = {LOCAL_CHANNEL, LOCAL_CHANNEL_KEYS, LOCAL_HEADS,
					      LOCAL_EVIDENCE};
	uint8_t unknown[CHANNEL_ID_SIZE] = {1};
	struct buffer frame;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		frame = ask_request(plain[i], 1);
		cbor_write_null(&frame);
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
		frame = ask_request(plain[i], 0);
		cbor_write_null(&frame); /* left over */
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	}
	for (size_t i = 0; i < sizeof(of_channel) / sizeof(of_channel[0]); i++) {
		frame = ask_request(of_channel[i], 0);
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
		frame = ask_request(of_channel[i], 1);
		cbor_write_bytes(&frame, bytes_make(unknown, 31));
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
		frame = ask_request(of_channel[i], 1);
		cbor_write_text(&frame, bytes_of_text("a channel"));
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
		frame = ask_request(of_channel[i], 1);
		cbor_write_bytes(&frame, bytes_make(unknown, sizeof(unknown)));
		assert_int_equal(ask(world, 0, &frame),
				 of_channel[i] == LOCAL_CHANNEL_KEYS ? ERROR_OK : ERROR_NOT_FOUND);
	}
	frame = ask_request(999, 0);
	assert_int_equal(ask(world, 0, &frame), ERROR_UNSUPPORTED);
	frame = ask_request(0, 0);
	assert_int_equal(ask(world, 0, &frame), ERROR_UNSUPPORTED);
	world_free(world);
}

static void requests_for_entries_of_another_form_are_refused(void **state)
{
	struct world *world = world_open_line(341);
	uint8_t cursor[9] = {0};
	struct buffer frame;

	frame = ask_for_entries(world, true, 0, bytes_make(NULL, 0), 5);
	assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	frame = ask_for_entries(world, true, 5, bytes_make(NULL, 0), 5);
	assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	frame = ask_for_entries(world, true, 1, bytes_make(NULL, 0), 65);
	assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	for (size_t size = 1; size <= 9; size++) {
		frame = ask_for_entries(world, true, 1, bytes_make(cursor, size), 5);
		assert_int_equal(ask(world, 0, &frame), size == 8 ? ERROR_OK : ERROR_BAD_ARGUMENT);
	}
	memset(cursor, 0xff, sizeof(cursor));
	frame = ask_for_entries(world, true, 1, bytes_make(cursor, 8), 5);
	struct cbor_reader reader = ask_results(world, 0, &frame, 2);
	cbor_read_array_exact(&reader, 0);
	assert_int_equal(cbor_read_bytes(&reader, 8).size, 0);
	world->channel[0] ^= 1;
	frame = ask_for_entries(world, false, 1, bytes_make(NULL, 0), 5);
	assert_int_equal(ask(world, 0, &frame), ERROR_NOT_FOUND);
	world->channel[0] ^= 1;

	static const uint64_t keys[][3] = {
		{LOG_MAX + 1, 1, 0}, {0, INCARNATIONS_MAX + 1, 0}, {0, 1, POSITION_MAX + 1}};
	for (size_t i = 0; i < 3; i++) {
		frame = ask_about_channel(world, LOCAL_ENTRY, 4);
		for (size_t j = 0; j < 3; j++)
			cbor_write_uint(&frame, keys[i][j]);
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	}
	frame = ask_about_channel(world, LOCAL_ENTRY, 4);
	cbor_write_uint(&frame, LOG_MAX);
	cbor_write_uint(&frame, 0);
	cbor_write_uint(&frame, POSITION_MAX);
	assert_int_equal(ask(world, 0, &frame), ERROR_NOT_FOUND);
	world_free(world);
}

/* The memory of a run holds what earlier ones left there: nothing of it may be taken for a card. */
static void what_is_no_card_is_sealed_to_nobody(void **state)
{
	struct world *world = world_open_line(309);
	const struct run *run = &world->posts[0].record->run;

	memset(run->arena.memory, 0x92, run->arena.size);
	struct buffer frame = ask_request(LOCAL_CARD_SEAL, 1);
	cbor_write_bytes(&frame, bytes_of_text("no card"));
	assert_int_not_equal(ask(world, 0, &frame), ERROR_OK);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_tells_who_the_post_is),
		cmocka_unit_test(a_keying_that_is_accepted_is_answered_with_its_party),
		cmocka_unit_test(parties_come_with_posts_and_cards_the_own_one_first),
		cmocka_unit_test(channels_are_listed_with_their_parties),
		cmocka_unit_test(a_channel_is_told_whole),
		cmocka_unit_test(a_channel_that_is_only_proposed_has_empty_chains),
		cmocka_unit_test(requests_of_another_form_are_refused),
		cmocka_unit_test(what_is_no_card_is_sealed_to_nobody),
		cmocka_unit_test(requests_for_entries_of_another_form_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
