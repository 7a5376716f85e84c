/* What is asked of a core in another form than it takes, or before it can answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/post_file.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/probe.h"
#include "tests/unit/record/world_inside.h"

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
	static const uint8_t beside[] = {0x81, 0x01, LOCAL_HELLO}; /* not in the array */
	static const uint8_t number_0[] = {0x82, 0x00, LOCAL_HELLO};
	static const uint8_t no_number[] = {0x82, 0xf6, LOCAL_HELLO};

	(void)state;
	assert_int_equal(answer_to(bytes_make(NULL, 0)), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(no_array, sizeof(no_array))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(too_few, sizeof(too_few))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(beside, sizeof(beside))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(number_0, sizeof(number_0))), ERROR_BAD_ARGUMENT);
	assert_int_equal(answer_to(bytes_make(no_number, sizeof(no_number))), ERROR_BAD_ARGUMENT);
}

/* ---- cards ---- */

/* The card of a post's party, sealed to another one; allocated. */
static struct bytes sealed_card(size_t of, size_t to)
{
	struct buffer frame = ask_request(LOCAL_CARD_EXPORT, 0);

	assert_int_equal(ask(world, to, &frame), ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[to]);
	struct bytes receiver = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	assert_int_equal(world_request_bytes(world, of, LOCAL_CARD_SEAL, &receiver), ERROR_OK);
	reader = world_results(&world->posts[of]);
	struct bytes sealed = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	return bytes_make(world_copy_of(sealed), sealed.size);
}

static void a_sealed_card_is_opened_as_it_was_sealed_or_not_at_all(void **state)
{
	struct bytes sealed = sealed_card(1, 0);
	uint8_t *changed = (uint8_t *)(uintptr_t)sealed.data;

	(void)state;
	struct buffer frame = ask_request(LOCAL_CARD_ACCEPT, 1);
	cbor_write_bytes(&frame, sealed);
	const struct record_event event = {.kind = RECORD_REQUEST,
					   .of.request = {.client = 7, .frame = buffer_bytes(&frame)}};
	assert_true(world_spoil_each(world, 0, &event) > 0);
	changed[sealed.size - 1] ^= 1;
	assert_int_equal(world_request_bytes(world, 0, LOCAL_CARD_ACCEPT, &sealed), ERROR_CANNOT_OPEN);
	changed[sealed.size - 1] ^= 1;
	assert_int_equal(world_request_bytes(world, 0, LOCAL_CARD_ACCEPT, &sealed), ERROR_OK);
	free(changed);
}

/* ---- entries ---- */

static void what_posts_alone_say_is_not_taken_from_a_program(void **state)
{
	struct content *content = world_must(calloc(1, sizeof(*content)));
	uint8_t identity[IDENTITY_SIZE];

	(void)state;
	world_name_channel(world);
	content->kind = CONTENT_INCARNATION;
	content->precedence = PRECEDENCE_PRIORITY;
	content->of.incarnation.previous = 1;
	content->of.incarnation.time = 1;
	struct bytes cose = world_sign(world, 0, 0, content, identity);
	assert_int_equal(world_submit(world, 0, cose), ERROR_REFUSED_KIND);
	assert_int_equal(world_submit(world, 0, bytes_of_text("no entry")), ERROR_WRONG_TYPE);
	free((void *)(uintptr_t)cose.data);
	free(content);
}

/* The id of a channel is that of what its opening says. */
static void an_opening_is_submitted_for_the_channel_that_it_opens(void **state)
{
	struct row_key prefix = key_make(TABLE_COSE);
	size_t at = 0;
	struct row row;

	(void)state;
	world_name_channel(world);
	world_submit_opening(world, 0);
	assert_true(store_find(&world->posts[0].store, key_view(&prefix), &at, &row));
	struct bytes cose = bytes_make(world_copy_of(row.value), row.value.size);
	world_free(world);
	world = world_make_pair(1); /* as it was before */
	world_name_channel(world);
	world->channel[0] ^= 1;
	assert_int_equal(world_submit(world, 0, cose), ERROR_BAD_ARGUMENT);
	world->channel[0] ^= 1;
	assert_int_equal(world_submit(world, 0, cose), ERROR_OK);
	free((void *)(uintptr_t)cose.data);
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

/* What is wrong with a post file: its bytes, a letter in it, its slot, its seed; or nothing. */
enum wrong { WRONG_BYTES, WRONG_LETTER, WRONG_SLOT, WRONG_SEED, WRONG_NOTHING };

static enum error set_up_with(struct record *record, enum wrong wrong)
{
	const struct world_post *post = &world->posts[0];
	const struct world_party *party = &world->parties[post->party];
	struct post_file *file = world_must(calloc(1, sizeof(*file)));
	struct buffer encoded = world_allocate(POST_FILE_SIZE_MAX);
	struct store store = {0};
	size_t count;

	memcpy(file->root_seed, post->root_seed, sizeof(file->root_seed));
	file->root_seed[0] ^= wrong == WRONG_SEED;
	file->slot = post->slot + (wrong == WRONG_SLOT);
	for (size_t i = 0; i < party->letters_count; i++)
		file->letters[file->letters_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	party->letters[0][party->letters_size[0] - 1] ^= wrong == WRONG_LETTER;
	post_file_encode(file, &encoded);
	party->letters[0][party->letters_size[0] - 1] ^= wrong == WRONG_LETTER;
	struct record_event event = {.kind = RECORD_PROVISION,
				     .of.provision.post_file =
					     bytes_make(encoded.data, encoded.size - (wrong == WRONG_BYTES))};
	enum error error = event_on_nothing(record, &store, event, &count);
	free(encoded.data);
	free(file);
	return error;
}

static void a_post_file_that_is_not_right_sets_nothing_up(void **state)
{
	static const enum error errors[] = {ERROR_TRUNCATED, ERROR_BAD_SIGNATURE, ERROR_MALFORMED,
					    ERROR_UNKNOWN_KEY, ERROR_OK};
	void *memory = world_must(malloc(RECORD_MEMORY_SIZE));

	(void)state;
	for (unsigned wrong = 0; wrong <= WRONG_NOTHING; wrong++) {
		struct record *record = record_make(memory, RECORD_MEMORY_SIZE);
		assert_int_equal(set_up_with(record, (enum wrong)wrong), errors[wrong]);
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
		cmocka_unit_test_setup_teardown(a_sealed_card_is_opened_as_it_was_sealed_or_not_at_all,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_posts_alone_say_is_not_taken_from_a_program, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_opening_is_submitted_for_the_channel_that_it_opens, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_post_file_that_is_not_right_sets_nothing_up, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_post_is_set_up_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
