/* What is asked of a core in another form than it takes, or before it can answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/record/asking.h"
#include "tests/unit/record/world.h"

#define ARGUMENTS_MAX 6

/* How many arguments a verb takes; LOCAL_CARD_ACCEPT takes one or two. */
static const struct {
	uint64_t verb;
	size_t least;
	size_t most;
} forms[] = {
	{LOCAL_HELLO, 0, 0},     {LOCAL_SUBMIT, 2, 2},      {LOCAL_CARD_EXPORT, 0, 0},
	{LOCAL_CARD_SEAL, 1, 1}, {LOCAL_CARD_ACCEPT, 1, 2}, {LOCAL_KEYING_ACCEPT, 1, 1},
	{LOCAL_CHANNELS, 0, 0},  {LOCAL_CHANNEL, 1, 1},     {LOCAL_CHANNEL_KEYS, 1, 1},
	{LOCAL_PARTIES, 0, 0},   {LOCAL_ENTRIES, 4, 4},     {LOCAL_ENTRY, 4, 4},
	{LOCAL_HEADS, 1, 1},     {LOCAL_STATUS, 0, 0},      {LOCAL_EVIDENCE, 1, 1},
};

static struct world *world;

static int set_up(void **state)
{
	(void)state;
	world = world_make_pair(1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(world);
	return 0;
}

static void a_request_with_other_arguments_than_its_verb_takes_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (size_t count = 0; count <= ARGUMENTS_MAX; count++) {
			if (count == 0 && forms[i].least == 0)
				continue;
			struct buffer frame = ask_request(forms[i].verb, count);
			for (size_t j = 0; j < count; j++)
				cbor_write_null(&frame);
			assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
		}
	}
}

static void bytes_after_the_last_argument_are_refused(void **state)
{
	static const uint64_t verbs[] = {LOCAL_CARD_SEAL, LOCAL_CARD_ACCEPT, LOCAL_KEYING_ACCEPT};

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct buffer frame = ask_request(verbs[i], 1);
		cbor_write_bytes(&frame, bytes_of_text("card"));
		cbor_write_null(&frame);
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	}
	struct buffer frame = ask_request(LOCAL_SUBMIT, 2);
	cbor_write_bytes(&frame, bytes_make(world->channel, sizeof(world->channel)));
	cbor_write_bytes(&frame, bytes_of_text("entry"));
	cbor_write_null(&frame);
	assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
}

static void a_verb_that_is_not_known_is_refused(void **state)
{
	(void)state;
	struct buffer frame = ask_request(99, 0);
	assert_int_equal(ask(world, 0, &frame), ERROR_UNSUPPORTED);
	frame = ask_request(0, 0);
	assert_int_equal(ask(world, 0, &frame), ERROR_UNSUPPORTED);
}

/* The error that a frame is answered with. */
static enum error answer_to(struct bytes frame)
{
	struct record_event event = {.kind = RECORD_REQUEST, .of.request = {.client = 7, .frame = frame}};

	assert_int_equal(world_event(world, 0, &event), ERROR_OK);
	world_commit(world, 0);
	struct cbor_reader reader =
		cbor_reader_make(bytes_make(world->posts[0].reply, world->posts[0].reply_size));
	cbor_read_array_exact(&reader, 3);
	cbor_read_uint(&reader);
	enum error error = (enum error)cbor_read_uint(&reader);
	assert_int_equal(cbor_reader_error(&reader), ERROR_OK);
	return error;
}

static void a_frame_that_is_no_request_is_answered_with_an_error(void **state)
{
	static const uint8_t no_array[] = {0x01};
	static const uint8_t too_few[] = {0x81, 0x01};
	static const uint8_t number_0[] = {0x82, 0x00, LOCAL_HELLO};
	static const uint8_t no_number[] = {0x82, 0xf6, LOCAL_HELLO};

	(void)state;
	assert_int_equal(answer_to(bytes_make(NULL, 0)), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(no_array, sizeof(no_array))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(too_few, sizeof(too_few))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(number_0, sizeof(number_0))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(no_number, sizeof(no_number))), ERROR_BAD_ARGUMENT);
}

/* ---- before it is set up ---- */

static enum error event_on_nothing(struct record *record, struct store *store, struct record_event event,
				   size_t *actions_count)
{
	const struct record_action *actions;
	enum error error;

	*actions_count = 0;
	record_begin(record, &event);
	while ((error = record_needs(record)) == ERROR_NEEDS_ROWS)
		store_load(store, record_rows(record));
	if (error == ERROR_OK)
		record_step(record, &actions, actions_count);
	return error;
}

static void a_core_that_is_not_set_up_takes_nothing_and_says_so(void **state)
{
	static const uint8_t hello[] = {0x82, 0x01, LOCAL_HELLO};
	struct store store = {0};
	void *memory = malloc(RECORD_MEMORY_SIZE);
	size_t count;

	(void)state;
	assert_null(record_make(memory, RECORD_MEMORY_SIZE - 1));
	struct record *record = record_make(memory, RECORD_MEMORY_SIZE);
	assert_non_null(record);
	struct record_event request = {.kind = RECORD_REQUEST,
				       .of.request.frame = bytes_make(hello, sizeof(hello))};
	assert_int_equal(event_on_nothing(record, &store, request, &count), ERROR_OK);
	assert_int_equal(count, 1);
	struct record_event received = {.kind = RECORD_RECEIVED,
					.of.received.sealed = bytes_of_text("sealed")};
	assert_int_equal(event_on_nothing(record, &store, received, &count), ERROR_NOT_NOW);
	static const enum record_event_kind others[] = {RECORD_START, RECORD_COURIER_ROOM,
							RECORD_COURIER_LOST, RECORD_TICK, RECORD_COMMIT};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(
			event_on_nothing(record, &store, (struct record_event){.kind = others[i]}, &count),
			ERROR_OK);
		assert_int_equal(count, 0);
	}
	free(memory);
}

static void a_post_is_set_up_once(void **state)
{
	struct record_event event = {.kind = RECORD_PROVISION};

	(void)state;
	assert_int_equal(world_event(world, 0, &event), ERROR_EXISTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_with_other_arguments_than_its_verb_takes_is_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_after_the_last_argument_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_verb_that_is_not_known_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_frame_that_is_no_request_is_answered_with_an_error, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_core_that_is_not_set_up_takes_nothing_and_says_so, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_post_is_set_up_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
