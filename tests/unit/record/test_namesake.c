/*
 * Cards of parties whose names are alike: what every program at the local socket has to say before such a
 * one is known to the post.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/fingerprint.h"
#include "tests/unit/record/world.h"
#include "tests/unit/record/world_inside.h"

#define HEX_SIZE (2 * PARTY_ID_SIZE + 1)

static uint8_t card_memory[CARD_SIZE_MAX], other_memory[CARD_SIZE_MAX], frame_memory[LOCAL_FRAME_SIZE_MAX];

/* Alliance, Federation and one more, with a post each; none knows another. */
static struct world *make(const char *third)
{
	struct world *world = world_make(950);

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 0, "Embassy");
	world_add_post(world, world_add_party(world, third), 0, "Mission");
	return world;
}

/* The bytes that a request gives, in memory of CARD_SIZE_MAX. */
static struct bytes ask(struct world *world, size_t post, uint64_t verb, const struct bytes *argument,
			uint8_t *memory)
{
	assert_int_equal(world_request_bytes(world, post, verb, argument), ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[post]);
	struct buffer out = buffer_make(memory, CARD_SIZE_MAX);

	buffer_append(&out, cbor_read_bytes(&reader, CARD_SIZE_MAX));
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	return buffer_bytes(&out);
}

static struct bytes card_of(struct world *world, size_t post)
{
	return ask(world, post, LOCAL_CARD_EXPORT, NULL, card_memory);
}

static enum error accept(struct world *world, size_t post, struct bytes card, const char *id)
{
	struct buffer frame = buffer_make(frame_memory, sizeof(frame_memory));

	cbor_write_array(&frame, id == NULL ? 3 : 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_CARD_ACCEPT);
	cbor_write_bytes(&frame, card);
	if (id != NULL)
		cbor_write_text(&frame, bytes_of_text(id));
	return world_request(world, post, buffer_bytes(&frame));
}

static const char *id_of(const struct world *world, size_t party)
{
	static char hex[WORLD_PARTIES_MAX][HEX_SIZE];

	return sodium_bin2hex(hex[party], HEX_SIZE, world->parties[party].id, PARTY_ID_SIZE);
}

/* Of the party and of the one for which it could be taken. */
static void expect_ids_said(struct world *world, size_t party, size_t other)
{
	struct cbor_reader reader = world_results(&world->posts[0]);
	char said[512];

	cbor_read_text_copy(&reader, said, sizeof(said) - 1);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	assert_non_null(strstr(said, id_of(world, party)));
	assert_non_null(strstr(said, id_of(world, other)));
}

static void expect_parties(struct world *world, size_t count)
{
	assert_int_equal(world_count(world, 0, TABLE_PARTY), count);
	assert_int_equal(world_count(world, 0, TABLE_PARTY_ID), count);
	assert_int_equal(world_count(world, 0, TABLE_NODE_ID), count);
	assert_int_equal(world_count(world, 0, TABLE_PREKEYS), count);
}

static void a_party_that_is_called_like_another_is_accepted_with_its_id_alone(void **state)
{
	static const struct {
		const char *name;
		size_t like;
	} strangers[] = {
		{"Federation", 1},
		{"fEDERATION", 1},
		{"alliance", 0},
		{" Federation", 1},
		{"Feder  ation", 1},
		{"Federation\xe2\x80\x8d", 1},
		{"Federation\xef\xb8\x8f", 1},
		{"\xc2\xa0"
		 "Alliance",
		 0},
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		struct world *world = make(strangers[i].name);
		char capitals[FINGERPRINT_DIGITS + 1] = {0}, too_short[FINGERPRINT_DIGITS] = {0};
		char longer[HEX_SIZE + 1];
		assert_int_equal(accept(world, 0, card_of(world, 1), NULL), ERROR_OK);
		struct bytes card = card_of(world, 2);
		assert_int_equal(accept(world, 0, card, NULL), ERROR_NAMESAKE);
		expect_ids_said(world, 2, strangers[i].like);
		memcpy(too_short, id_of(world, 2), FINGERPRINT_DIGITS - 1);
		snprintf(longer, sizeof(longer), "%s0", id_of(world, 2));
		const char *wrong[] = {"", too_short, longer, id_of(world, 0), id_of(world, 1)};
		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++)
			assert_int_equal(accept(world, 0, card, wrong[j]), ERROR_BAD_ARGUMENT);
		expect_parties(world, 2);
		for (size_t j = 0; j < FINGERPRINT_DIGITS; j++)
			capitals[j] =
				(char)(id_of(world, 2)[j] - (id_of(world, 2)[j] >= 'a' ? 'a' - 'A' : 0));
		assert_int_equal(accept(world, 0, card, capitals), ERROR_OK);
		expect_parties(world, 3);
		assert_int_equal(accept(world, 0, card, NULL), ERROR_OK); /* known by now */
		world_free(world);
	}
}

static void a_sealed_card_is_looked_at_before_it_is_accepted(void **state)
{
	struct world *world = make("FEDERATION");

	assert_int_equal(accept(world, 0, card_of(world, 1), NULL), ERROR_OK);
	struct bytes receiver = card_of(world, 0);
	struct bytes sealed = ask(world, 2, LOCAL_CARD_SEAL, &receiver, other_memory);
	assert_int_equal(accept(world, 0, sealed, NULL), ERROR_NAMESAKE);
	expect_ids_said(world, 2, 1);
	assert_int_equal(accept(world, 0, sealed, id_of(world, 1)), ERROR_BAD_ARGUMENT);
	expect_parties(world, 2);
	assert_int_equal(accept(world, 0, sealed, id_of(world, 2)), ERROR_OK);
	expect_parties(world, 3);
	world_free(world);
}

static void other_names_need_no_id_and_one_that_is_given_must_be_the_partys(void **state)
{
	static const char *const names[] = {"Federations", "Federatio", "Duchy",
					    "F\xc3\xa9\x64\xc3\xa9ration"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct world *world = make(names[i]);
		assert_int_equal(accept(world, 0, card_of(world, 1), NULL), ERROR_OK);
		struct bytes card = card_of(world, 2);
		assert_int_equal(accept(world, 0, card, id_of(world, 1)), ERROR_BAD_ARGUMENT);
		expect_parties(world, 2);
		assert_int_equal(accept(world, 0, card, NULL), ERROR_OK);
		expect_parties(world, 3);
		assert_int_equal(accept(world, 0, card, id_of(world, 1)), ERROR_BAD_ARGUMENT);
		world_free(world);
	}
}

static void a_party_that_is_called_like_the_id_of_another_is_taken_for_it(void **state)
{
	struct world *world = make("Duchy");
	char name[13] = {0};

	/* A space and a joiner between the digits are not heard. */
	snprintf(name, sizeof(name), "%.4s \xe2\x80\x8d%.4s", id_of(world, 1), id_of(world, 1) + 4);
	world_free(world);
	world = make(name); /* of the same seed */
	assert_memory_equal(name, id_of(world, 1), 4);
	assert_int_equal(accept(world, 0, card_of(world, 1), NULL), ERROR_OK);
	assert_int_equal(accept(world, 0, card_of(world, 2), NULL), ERROR_NAMESAKE);
	assert_int_equal(accept(world, 0, card_of(world, 2), id_of(world, 2)), ERROR_OK);
	world_free(world);
	world = make(name);
	assert_int_equal(accept(world, 0, card_of(world, 2), NULL), ERROR_OK);
	assert_int_equal(accept(world, 0, card_of(world, 1), NULL), ERROR_NAMESAKE);
	assert_int_equal(accept(world, 0, card_of(world, 1), id_of(world, 1)), ERROR_OK);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_party_that_is_called_like_another_is_accepted_with_its_id_alone),
		cmocka_unit_test(a_sealed_card_is_looked_at_before_it_is_accepted),
		cmocka_unit_test(other_names_need_no_id_and_one_that_is_given_must_be_the_partys),
		cmocka_unit_test(a_party_that_is_called_like_the_id_of_another_is_taken_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
