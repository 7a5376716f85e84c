#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "base/cbor.h"
#include "base/local.h"
#include "post/transaction.h"
#include "tests/unit/failing_disk.h"
#include "tests/unit/post/fake_record.h"
#include "tests/unit/scratch.h"

struct world {
	struct scratch *scratch;
	void *memory;
	struct store store;
	struct anchor_file anchor;
	struct backup backup;
	struct transaction transaction;
	/* What was performed: kinds in order, and the numbers of replies and takings. */
	size_t performed_count;
	enum record_action_kind performed[64];
	uint64_t numbers[64];
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	char path[SCRATCH_PATH_SIZE];
	void *scratch;

	assert_non_null(world);
	scratch_setup(&scratch);
	world->scratch = scratch;
	world->memory = malloc(RECORD_MEMORY_SIZE);
	assert_non_null(world->memory);
	assert_int_equal(
		store_open(&world->store, scratch_path(world->scratch, "store.db", path), STORE_LIVE),
		ERROR_OK);
	assert_int_equal(anchor_file_open(&world->anchor, scratch_path(world->scratch, "anchor", path)),
			 ERROR_OK);
	backup_make(&world->backup);
	transaction_make(&world->transaction, record_make(world->memory, RECORD_MEMORY_SIZE), &world->store,
			 &world->anchor, &world->backup);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	void *scratch = world->scratch;

	transaction_free(&world->transaction);
	store_close(&world->store);
	anchor_file_close(&world->anchor);
	scratch_teardown(&scratch);
	free(world->memory);
	free(world);
	return 0;
}

static void perform(void *context, const struct record_action *action)
{
	struct world *world = context;

	assert_true(world->performed_count < 64);
	world->numbers[world->performed_count] = action->number;
	world->performed[world->performed_count++] = action->kind;
}

static enum error request(struct world *world, uint64_t client, uint64_t verb, uint64_t argument)
{
	struct record_event event = transaction_event_now(RECORD_REQUEST);
	uint8_t memory[64];
	struct buffer frame = buffer_make(memory, sizeof memory);

	cbor_write_array(&frame, 3);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, verb);
	cbor_write_uint(&frame, argument);
	event.of.request.client = client;
	event.of.request.frame = buffer_bytes(&frame);
	return transaction_event(&world->transaction, &event, frame.size);
}

static enum error receive(struct world *world, uint64_t delivery, const char *sealed)
{
	struct record_event event = transaction_event_now(RECORD_RECEIVED);

	event.of.received.delivery = delivery;
	event.of.received.source = bytes_of_text("dtn://far/");
	event.of.received.sealed = bytes_of_text(sealed);
	return transaction_event(&world->transaction, &event, strlen(sealed));
}

static void nothing_is_performed_before_the_commit_and_then_all_in_order(void **state)
{
	struct world *world = *state;

	assert_false(transaction_is_open(&world->transaction));
	assert_int_equal(receive(world, 7, "sealed"), ERROR_OK); /* TAKEN and NOTICE */
	assert_int_equal(request(world, 12, FAKE_ROUNDS, 3), ERROR_OK);
	assert_int_equal(receive(world, 8, "sealed"), ERROR_OK);
	assert_true(transaction_is_open(&world->transaction));
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_OK);
	assert_int_equal(world->performed_count, 0);
	assert_int_equal(transaction_perform(&world->transaction, perform, world), ERROR_OK);
	assert_false(transaction_is_open(&world->transaction));
	assert_int_equal(world->performed_count, 5);
	assert_int_equal(world->performed[0], RECORD_ACTION_TAKEN);
	assert_int_equal(world->numbers[0], 7);
	assert_int_equal(world->performed[1], RECORD_ACTION_NOTICE);
	assert_int_equal(world->performed[2], RECORD_ACTION_REPLY);
	assert_int_equal(world->numbers[2], 12);
	assert_int_equal(world->performed[3], RECORD_ACTION_TAKEN);
	assert_int_equal(world->numbers[3], 8);
}

static void the_rows_and_the_anchor_are_in_their_files_after_the_commit(void **state)
{
	struct world *world = *state;
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer anchor = buffer_make(memory, sizeof memory);
	struct row row;
	bool found;

	assert_int_equal(receive(world, 7, "sealed bytes"), ERROR_OK);
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_OK);
	assert_int_equal(store_next(&world->store, bytes_make(NULL, 0), &found, &row), ERROR_OK);
	assert_true(found && bytes_equal(row.value, bytes_of_text("sealed bytes")));
	store_next_end(&world->store);
	assert_int_equal(world->anchor.sequence, 1);
	world->anchor.sequence = 0;
	assert_int_equal(anchor_file_read(&world->anchor, &anchor), ERROR_OK);
	assert_int_equal(anchor.size, 8);
	assert_int_equal(load_u64(memory), 1);
}

static void a_failed_commit_performs_nothing_and_leaves_the_anchor(void **state)
{
	struct world *world = *state;

	assert_int_equal(receive(world, 7, "sealed"), ERROR_OK);
	failing_disk_fail_syncs(SQLITE_IOERR_FSYNC);
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_IO);
	failing_disk_fail_syncs(SQLITE_OK);
	assert_string_equal(world->transaction.failed, "the commit failed");
	assert_int_equal(world->performed_count, 0);
	assert_int_equal(world->anchor.sequence, 0);
}

static void a_full_disk_is_told_from_a_failing_one(void **state)
{
	struct world *world = *state;

	assert_int_equal(receive(world, 7, "sealed"), ERROR_OK);
	failing_disk_fail_writes(SQLITE_FULL);
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_FULL);
	failing_disk_fail_writes(SQLITE_OK);
}

static void an_anchor_that_cannot_be_written_fails_the_commit(void **state)
{
	struct world *world = *state;
	int fd = world->anchor.fd;

	assert_int_equal(receive(world, 7, "sealed"), ERROR_OK);
	world->anchor.fd = -1;
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_IO);
	world->anchor.fd = fd;
	assert_string_equal(world->transaction.failed, "the anchor could not be written");
	assert_int_equal(world->performed_count, 0);
}

static void an_event_that_does_not_fit_is_given_again_in_the_next_batch(void **state)
{
	struct world *world = *state;

	assert_int_equal(receive(world, 7, "sealed"), ERROR_OK);
	assert_int_equal(request(world, 1, FAKE_FULL, 0), ERROR_FULL);
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_OK);
	assert_int_equal(transaction_perform(&world->transaction, perform, world), ERROR_OK);
	assert_int_equal(request(world, 1, FAKE_FULL, 0), ERROR_OK);
	assert_int_equal(transaction_commit(&world->transaction, NULL), ERROR_OK);
	assert_int_equal(transaction_perform(&world->transaction, perform, world), ERROR_OK);
	assert_int_equal(world->performed[world->performed_count - 1], RECORD_ACTION_REPLY);
}

static void an_event_that_asks_for_rows_without_end_is_an_error(void **state)
{
	struct world *world = *state;

	assert_int_equal(request(world, 1, FAKE_ENDLESS, 0), ERROR_MALFORMED);
	assert_string_equal(world->transaction.failed, "an event asked for rows without end");
}

static void a_batch_is_bounded_by_events_and_by_bytes(void **state)
{
	static char large[60001];
	struct world *world = *state;
	size_t events = 0;

	while (transaction_has_room(&world->transaction)) {
		assert_int_equal(request(world, 1, FAKE_ROUNDS, 0), ERROR_OK);
		events++;
	}
	assert_int_equal(events, TRANSACTION_EVENTS_MAX);
	transaction_free(&world->transaction);
	assert_int_equal(store_commit(&world->store), ERROR_OK);

	memset(large, 'x', sizeof large - 1);
	for (events = 0; transaction_has_room(&world->transaction); events++)
		assert_int_equal(receive(world, 100 + events, large), ERROR_OK);
	assert_int_equal(events, TRANSACTION_BYTES_MAX / (sizeof large - 1) + 1);
}

static void room_after_the_commit_event_hands_over_what_the_batch_made(void **state)
{
	struct world *world = *state;
	struct record_event room = transaction_event_now(RECORD_COURIER_ROOM);
	struct record_event submit = transaction_event_now(RECORD_REQUEST);
	static const uint8_t channel[32];
	uint8_t memory[128];
	struct buffer frame = buffer_make(memory, sizeof memory);

	cbor_write_array(&frame, 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_SUBMIT);
	cbor_write_bytes(&frame, bytes_make(channel, sizeof channel));
	cbor_write_bytes(&frame, bytes_make("\x04sealed", 7));
	submit.of.request.frame = buffer_bytes(&frame);
	room.of.room.copies_max = 10;
	assert_int_equal(transaction_event(&world->transaction, &submit, frame.size), ERROR_OK);
	assert_int_equal(transaction_commit(&world->transaction, &room), ERROR_OK);
	assert_int_equal(transaction_perform(&world->transaction, perform, world), ERROR_OK);
	assert_int_equal(world->performed_count, 2);
	assert_int_equal(world->performed[0], RECORD_ACTION_REPLY);
	assert_int_equal(world->performed[1], RECORD_ACTION_SEND);
}

static void each_event_has_fresh_entropy_and_a_steady_clock(void **state)
{
	struct record_event first = transaction_event_now(RECORD_TICK);
	struct record_event second = transaction_event_now(RECORD_TICK);

	assert_memory_not_equal(first.entropy, second.entropy, sizeof first.entropy);
	assert_true(second.steady_ms >= first.steady_ms);
	assert_true(first.wall_ms > 1577836800000); /* 2020: not seconds, not since the start */
}

static int prepare(void **state)
{
	assert_true(sodium_init() >= 0);
	assert_int_equal(store_prepare_process(), ERROR_OK);
	failing_disk_install();
	return 0;
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(nothing_is_performed_before_the_commit_and_then_all_in_order),
		world_test(the_rows_and_the_anchor_are_in_their_files_after_the_commit),
		world_test(a_failed_commit_performs_nothing_and_leaves_the_anchor),
		world_test(a_full_disk_is_told_from_a_failing_one),
		world_test(an_anchor_that_cannot_be_written_fails_the_commit),
		world_test(an_event_that_does_not_fit_is_given_again_in_the_next_batch),
		world_test(an_event_that_asks_for_rows_without_end_is_an_error),
		world_test(a_batch_is_bounded_by_events_and_by_bytes),
		world_test(room_after_the_commit_event_hands_over_what_the_batch_made),
		cmocka_unit_test(each_event_has_fresh_entropy_and_a_steady_clock),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
