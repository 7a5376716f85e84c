/*
 * What a post answers over rows that are spoilt: in worlds in which there is much to tell, each row that an
 * answer reads is gone, cut, changed or longer, and the answer is an error of the store, or leaves that row
 * out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/image.h"
#include "tests/unit/record/probe.h"
#include "tests/unit/record/talk.h"

static size_t spoil_answer(struct world *world, size_t post, const struct buffer *frame)
{
	const struct record_event event = {
		.kind = RECORD_REQUEST,
		.of.request = {.client = 7, .frame = buffer_bytes(frame), .shell = world->posts[post].shell},
	};

	return world_spoil_each(world, post, &event);
}

/* Every question that a post is asked about what it holds. */
static void spoil_answers(struct world *world, size_t post, const struct entry_key *place)
{
	static const uint64_t plain[] = {LOCAL_HELLO, LOCAL_CARD_EXPORT, LOCAL_CHANNELS, LOCAL_PARTIES,
					 LOCAL_STATUS};
	static const uint64_t of_channel[] = {LOCAL_CHANNEL, LOCAL_CHANNEL_KEYS, LOCAL_HEADS, LOCAL_EVIDENCE};
	struct buffer frame;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		frame = ask_request(plain[i], 0);
		assert_true(spoil_answer(world, post, &frame) > 0);
	}
	for (size_t i = 0; i < sizeof(of_channel) / sizeof(of_channel[0]); i++) {
		frame = ask_about_channel(world, of_channel[i], 1);
		assert_true(spoil_answer(world, post, &frame) > 0);
	}
	for (uint64_t selection = 1; selection <= 4; selection++) {
		frame = ask_for_entries(world, selection % 2 == 0, selection, bytes_make(NULL, 0), 8);
		assert_true(spoil_answer(world, post, &frame) > 0);
	}
	frame = ask_about_channel(world, LOCAL_ENTRY, 4);
	cbor_write_uint(&frame, place->log);
	cbor_write_uint(&frame, place->incarnation);
	cbor_write_uint(&frame, place->position);
	assert_true(spoil_answer(world, post, &frame) > 0);
}

/* ---- worlds ---- */

static void of_a_line_on_which_much_is_awaited(void **state)
{
	struct world *world = world_open_line(460);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "answer me"};
	uint8_t identity[IDENTITY_SIZE];

	talk(world, 1, "unread", NULL);
	talk(world, 0, "acknowledged", identity);
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	world_deliver(world, 0, 1, bytes_of_text("nothing sealed"));
	world_settle(world);
	world->cut = true;
	message.ack_by = world->now_ms / 1000 + 60;
	for (message.precedence = PRECEDENCE_ROUTINE; message.precedence <= PRECEDENCE_FLASH;
	     message.precedence++)
		assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	const struct entry_key place = talk_place(world, 0, identity);
	spoil_answers(world, 0, &place);
	world_free(world);
}

/* Its log has branched, and what it has lost is asked for. */
static void of_a_post_that_was_restored(void **state)
{
	struct world *world = world_open_line(461);
	uint8_t identity[IDENTITY_SIZE];
	struct image image;

	talk(world, 1, "held", identity);
	image_back_up(world, 0, &image);
	talk(world, 0, "lost", NULL);
	world->posts[1].mute = true;
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, 60000, 1000);
	const struct entry_key place = talk_place(world, 0, identity);
	spoil_answers(world, 0, &place);
	image_free(&image);
	world_free(world);
}

/* Entries are ahead of what is missing. */
static void of_a_log_with_gaps(void **state)
{
	struct world *world = world_open_line(462);
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < 6; i++) {
		world->cut = i % 2 == 0;
		talk_begin(world, 0, "every other one", identity);
		world_run(world, 50, 10);
	}
	assert_int_equal(ask_status(world, 1).gaps_count, 3);
	const struct entry_key place = talk_place(world, 1, identity);
	spoil_answers(world, 1, &place);
	world_free(world);
}

/* Siblings, one of which has a name that alone would not be read again. */
static void of_siblings(void **state)
{
	struct world *world = world_make(464);
	const size_t firsts[] = {0, 1};
	uint8_t identity[IDENTITY_SIZE];
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");

	world_add_post(world, alliance, 0, "Duty.2");
	world_add_post(world, federation, 0, "Capital");
	world_add_post(world, federation, 1, "Embassy");
	world_exchange(world);
	world_open_channel(world, firsts, 2);
	talk_begin(world, 2, "to all posts", identity);
	world_settle(world);
	for (size_t i = 0; i < 3; i++) {
		const struct entry_key place = talk_place(world, i, identity);
		spoil_answers(world, i, &place);
	}
	world_free(world);
}

/* What stands for a log then takes all other posts and their parties to find out. */
static void of_posts_whose_names_meet(void **state)
{
	struct world *world = world_make(463);
	const size_t firsts[] = {0, 1, 2};
	uint8_t identity[IDENTITY_SIZE];

	world_add_post(world, world_add_party(world, "Alliance"), 0, "DUTY");
	world_add_post(world, world_add_party(world, "Federation"), 0, "DUTY");
	world_add_post(world, world_add_party(world, "Republic"), 0, "DUTY");
	world_exchange(world);
	world_open_channel(world, firsts, 3);
	talk_begin(world, 0, "from one DUTY to two", identity);
	world_settle(world);
	const struct entry_key place = talk_place(world, 0, identity);
	spoil_answers(world, 0, &place);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_line_on_which_much_is_awaited),
		cmocka_unit_test(of_a_post_that_was_restored),
		cmocka_unit_test(of_a_log_with_gaps),
		cmocka_unit_test(of_siblings),
		cmocka_unit_test(of_posts_whose_names_meet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
