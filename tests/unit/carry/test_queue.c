#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "carry/crc.h"
#include "carry/tcpcl.h"
#include "tests/unit/carry/queue_case.h"

#define ANY_SIZE TRANSFER_SIZE_MAX

/* The id of the copy that the last transfer carries: its payload says it. */
static uint64_t sent_id(void)
{
	struct bundle bundle;
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
	return bundle.payload.data[0];
}

static uint64_t next_id(void)
{
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_OK);
	return sent_id();
}

static const struct queue_action *progress(enum link_copy_state state)
{
	const struct queue_action *action = world_action(&world, QUEUE_ACTION_PROGRESS);
	assert_non_null(action);
	assert_int_equal(action->state, state);
	return action;
}

/* ---- the post's copies ---- */

static void a_copy_is_queued_sent_and_carried(void **state)
{
	struct bundle bundle;
	assert_int_equal(case_send(7, 2, 300), LINK_QUEUED);
	world_pass(&world, 1500);
	assert_int_equal(next_id(), 7);
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
	assert_int_equal(bundle.destination.node, 2);
	assert_int_equal(bundle.destination.service, 2);
	assert_int_equal(bundle.source.node, 1);
	assert_int_equal(bundle.lifetime_ms, CASE_LIFETIME_MS);
	assert_int_equal(bundle.age_ms, 1500);
	assert_int_equal(bundle.hop_count, 1);
	assert_int_equal(bundle.creation_ms, 849153600000);
	assert_false(bundle.has_previous_node);
	assert_int_equal(bundle.payload.size, 300);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	const struct queue_action *action = progress(LINK_CARRIED);
	assert_int_equal(load_u64(action->id), 7);
	assert_true(bytes_equal(action->route, bytes_of_text("direct b")));
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
}

static void the_same_id_again_changes_nothing(void **state)
{
	assert_int_equal(case_send(7, 2, 300), LINK_QUEUED);
	size_t rows = world.store_count;
	assert_int_equal(case_send(7, 4, 999), LINK_QUEUED);
	assert_int_equal(world.store_count, rows);
	assert_int_equal(next_id(), 7);
	assert_int_equal(world.transfer.precedence, 2);
	assert_int_equal(case_send(7, 2, 300), LINK_QUEUED);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	assert_int_equal(case_send(7, 2, 300), LINK_CARRIED);
	world_crash(&world, 0);
	assert_int_equal(case_send(7, 2, 300), LINK_CARRIED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
}

static void a_cancelled_copy_is_forgotten_and_can_come_again(void **state)
{
	case_send(7, 2, 300);
	world_cancel(&world, 7);
	assert_int_equal(world.actions.count, 0);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	world_cancel(&world, 7);
	world_cancel(&world, 8);
	case_send(7, 2, 300);
	assert_int_equal(next_id(), 7);
	uint64_t first = world.transfer.number;
	world_cancel(&world, 7);
	case_send(7, 2, 300);
	assert_int_equal(next_id(), 7);
	world_settle(&world, QUEUE_ACKNOWLEDGED, first,
		     0); /* of the cancelled copy: says nothing of the new one */
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	progress(LINK_CARRIED);
	world_cancel(&world, 7);
	assert_int_equal(case_send(7, 2, 300), LINK_QUEUED);
}

static void wrong_destinations_and_pins_fail_with_a_reason(void **state)
{
	static const char *const wrong[] = {"ipn:1.0", "dtn:none", "ipn:!.0", "nonsense", "ipn:0.0"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct queue_event event = {.kind = QUEUE_SEND};
		event.send = (struct link_send){.id = {1},
						.destination = bytes_of_text(wrong[i]),
						.precedence = 1,
						.lifetime_ms = 1000,
						.sealed = bytes_of_text("x")};
		world_step(&world, &event);
		assert_int_not_equal(progress(LINK_FAILED)->error, ERROR_OK);
	}
	struct queue_event event = {.kind = QUEUE_SEND};
	event.send = (struct link_send){.id = {1},
					.destination = bytes_of_text("ipn:2.0"),
					.precedence = 1,
					.lifetime_ms = 1000,
					.sealed = bytes_of_text("x"),
					.pin = bytes_of_text("no such")};
	world_step(&world, &event);
	assert_int_equal(progress(LINK_FAILED)->error, ERROR_NOT_FOUND);
	event.send.pin = bytes_of_text("direct c");
	world_step(&world, &event);
	progress(LINK_QUEUED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
}

static void paths_choose_the_route_and_new_settings_choose_again(void **state)
{
	for (uint64_t id = 1; id <= 100; id++)
		world_send(&world, id, 9, 1, 10, CASE_LIFETIME_MS, &failure);
	world_send(&world, 101, 8, 1, 10, CASE_LIFETIME_MS, &failure);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
	assert_int_equal(sent_id(), 1);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
	world.paths[0].route = WORLD_ROUTE_B;
	world_crash(&world, 0);
	world_audit(&world);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_NOT_FOUND);
	assert_int_equal(next_id(), 2);
	world_pass(&world, 10000);
	world_tick(&world); /* the one that was refused waits for its new route */
	assert_int_equal(next_id(), 1);
	world.routes[WORLD_ROUTE_C].neighbour.node = 8;
	world_crash(&world, 0);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
	assert_int_equal(sent_id(), 101);
}

/* ---- order ---- */

static void service_is_by_precedence_then_arrival(void **state)
{
	static const unsigned precedences[] = {1, 3, 1, 4, 2, 4, 3};
	static const uint64_t expected[] = {4, 6, 2, 7, 5, 1, 3};
	for (uint64_t i = 0; i < 7; i++)
		case_send(i + 1, precedences[i], 100);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(next_id(), expected[i]);
}

static void a_flash_passes_all_that_waits(void **state)
{
	for (uint64_t id = 1; id <= 200; id++)
		case_send(id, 1, 500);
	size_t bytes = 0;
	while (world_next(&world, WORLD_ROUTE_B, ANY_SIZE) == ERROR_OK)
		bytes += world.transfer.size;
	assert_true(bytes <= WINDOW_SIZE_MAX && bytes > WINDOW_SIZE_MAX - 700);
	case_send(201, 4, 500);
	assert_int_equal(next_id(), 201);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_NOW);
}

static void higher_precedence_is_never_behind_a_closed_window_of_lower(void **state)
{
	for (uint64_t id = 1; id <= 50; id++)
		case_send(id, 1, 500);
	while (world_next(&world, WORLD_ROUTE_B, ANY_SIZE) == ERROR_OK)
		;
	for (unsigned precedence = 2; precedence <= 4; precedence++) {
		for (uint64_t id = 1; id <= 50; id++)
			case_send(50 * precedence + id, precedence, 500);
		size_t count = 0;
		while (world_next(&world, WORLD_ROUTE_B, ANY_SIZE) == ERROR_OK) {
			assert_int_equal(world.transfer.precedence, precedence);
			count++;
		}
		assert_true(count >= 8); /* what TCPCL_OUTGOING_MAX leaves for FLASH at the least */
	}
}

static void one_that_is_larger_than_the_window_goes_in_pieces_that_a_flash_can_pass(void **state)
{
	case_send(1, 1, 40000);
	case_send(2, 1, 40000);
	for (size_t pieces = 1;; pieces++) {
		assert_int_equal(next_id(), 1);
		uint64_t first = world.transfer.number;
		bool last = world.transfer.last;
		assert_true(world.transfer.size <= WINDOW_SIZE_MAX);
		if (!last)
			assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_NOW);
		case_send(2 + pieces, 4, 20000);
		assert_int_equal(next_id(), 2 + pieces);
		assert_true(world.transfer.last); /* a FLASH is not cut */
		world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
		world_settle(&world, QUEUE_ACKNOWLEDGED, first, 0);
		if (!last)
			continue;
		progress(LINK_CARRIED);
		assert_int_equal(pieces, 4);
		break;
	}
	assert_int_equal(next_id(), 2);
}

/* A bundle for ipn:9.1 with the flag "must not be fragmented". */
static struct bytes uncuttable(size_t size)
{
	static uint8_t memory[BUNDLE_SIZE_MAX];
	static uint8_t payload[BUNDLE_SIZE_MAX];
	static const uint8_t head[] = {0x9f, 0x89, 0x07, 0x04, 0x02, 0x82, 0x02, 0x82, 0x09, 0x01, 0x82,
				       0x02, 0x82, 0x05, 0x00, 0x82, 0x01, 0x00, 0x82, 0x19, 0x03, 0xe8,
				       0x01, 0x19, 0xff, 0xff, 0x44, 0,    0,    0,    0};
	struct buffer buffer = buffer_make(memory, sizeof memory);
	buffer_append(&buffer, bytes_make(head, sizeof head));
	store_u32(memory + sizeof head - 4,
		  crc32c_finish(crc32c_update(CRC_START, bytes_make(memory + 1, sizeof head - 1))));
	cbor_write_array(&buffer, 5);
	cbor_write_uint(&buffer, BLOCK_PAYLOAD);
	cbor_write_uint(&buffer, 1);
	cbor_write_uint(&buffer, 0);
	cbor_write_uint(&buffer, BUNDLE_CRC_NONE);
	cbor_write_bytes(&buffer, bytes_make(payload, size));
	cbor_write_break(&buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return buffer_bytes(&buffer);
}

static void one_that_must_not_be_cut_passes_alone(void **state)
{
	assert_true(world_receive(&world, WORLD_ROUTE_B, uncuttable(50000)));
	world_send(&world, 1, 9, 1, 100, CASE_LIFETIME_MS, &failure);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
	assert_true(world.transfer.last && world.transfer.size > 50000);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_NOT_NOW);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_SESSION_TERMINATING);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, 40000), ERROR_UNSUPPORTED);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
	assert_int_equal(sent_id(), 1);
}

static void routes_do_not_wait_for_each_other(void **state)
{
	case_send(1, 1, 40000);
	world_send(&world, 2, 3, 1, 100, CASE_LIFETIME_MS, &failure);
	assert_int_equal(next_id(), 1);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, ANY_SIZE), ERROR_OK);
	assert_int_equal(sent_id(), 2);
}

/* ---- failures ---- */

static void after_a_crash_what_was_in_transfer_waits_in_its_old_place(void **state)
{
	case_send(1, 1, 100);
	case_send(2, 1, 100);
	assert_int_equal(next_id(), 1);
	assert_int_equal(next_id(), 2);
	world_crash(&world, 5000);
	assert_int_equal(next_id(), 1);
	assert_int_equal(next_id(), 2);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
}

static void a_lost_session_brings_all_back_at_once_and_a_poisonous_copy_gives_way(void **state)
{
	uint64_t number;
	case_send(1, 1, 100);
	case_send(2, 1, 100);
	next_id();
	next_id();
	while (queue_in_transfer(&world.queue, WORLD_ROUTE_B, &number))
		world_settle(&world, QUEUE_FAILED, number, 0);
	assert_int_equal(next_id(), 1);
	world_settle(&world, QUEUE_FAILED, world.transfer.number, 0);
	assert_int_equal(next_id(), 2);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	world_pass(&world, 1000);
	world_tick(&world);
	assert_int_equal(next_id(), 1);
}

static void a_refused_copy_waits_longer_each_time(void **state)
{
	uint64_t waited_before = 0;
	case_send(1, 1, 100);
	case_send(2, 1, 100);
	for (size_t tries = 1; tries <= 6; tries++) {
		assert_int_equal(next_id(), 1);
		world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
		assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
		assert_int_equal(next_id(), 2); /* it is not in the way meanwhile */
		world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_SESSION_TERMINATING);
		world_cancel(&world, 2);
		uint64_t waited = 0;
		while (world_next(&world, WORLD_ROUTE_B, ANY_SIZE) == ERROR_NOT_FOUND) {
			world_pass(&world, 10);
			waited += 10;
			world_tick(&world);
		}
		assert_true(waited >= 500u << (tries - 1) && waited <= (1000u << (tries - 1)) + 10);
		assert_true(waited > waited_before / 2);
		waited_before = waited;
		world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_SESSION_TERMINATING);
		case_send(2, 1, 100);
	}
}

static void waiting_times_are_bounded_by_precedence(void **state)
{
	static const uint64_t max_ms[] = {600000, 600000, 60000, 10000};
	for (unsigned precedence = 1; precedence <= 4; precedence++) {
		for (uint64_t tries = 1; tries < 100; tries++) {
			assert_true(queue_retry_ms(precedence, tries, 0) >= 500);
			assert_true(queue_retry_ms(precedence, tries, UINT64_MAX) <= max_ms[precedence - 1]);
		}
		assert_int_equal(queue_retry_ms(precedence, 99, 0), max_ms[precedence - 1] / 2);
	}
	assert_int_equal(queue_retry_ms(1, 1, 500), 1000);
	assert_int_equal(queue_retry_ms(1, 2, 1000), 2000);
}

static void refusals_that_settle_a_copy(void **state)
{
	case_send(1, 1, 100);
	next_id();
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_COMPLETED);
	progress(LINK_CARRIED);
	case_send(2, 1, 100);
	next_id();
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_int_equal(progress(LINK_FAILED)->error, ERROR_UNSUPPORTED);
	assert_int_equal(case_send(2, 1, 100), LINK_QUEUED); /* the courier has forgotten it */
}

static void a_lifetime_ends_by_the_queues_clock(void **state)
{
	world_send(&world, 1, 2, 1, 100, 60000, &failure);
	world_send(&world, 2, 2, 1, 100, 60000, &failure);
	assert_int_equal(next_id(), 1);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	world.wall_ms += 10 * (uint64_t)CASE_LIFETIME_MS; /* a jump */
	world_tick(&world);
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	world_pass(&world, 59999);
	world_tick(&world);
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	world_pass(&world, 1);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_FOUND);
	world_tick(&world);
	assert_int_equal(progress(LINK_EXPIRED)->error, ERROR_TIMED_OUT);
	/* The carried one's id is forgotten too. */
	assert_int_equal(world_send(&world, 1, 2, 1, 100, 60000, &failure), LINK_QUEUED);
}

static void downtime_counts_at_most_a_day(void **state)
{
	world_send(&world, 1, 2, 1, 100, 3 * (uint64_t)CASE_LIFETIME_MS, &failure);
	world_crash(&world, 3650 * (uint64_t)CASE_LIFETIME_MS);
	world_tick(&world);
	assert_int_equal(next_id(), 1);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_SESSION_TERMINATING);
	world.wall_ms -= 3000 * (uint64_t)CASE_LIFETIME_MS;
	world_crash(&world, 0);
	world_pass(&world, 2 * (uint64_t)CASE_LIFETIME_MS);
	world_tick(&world);
	progress(LINK_EXPIRED);
}

static void many_lifetimes_end_in_bounded_steps(void **state)
{
	for (uint64_t id = 1; id <= 100; id++)
		world_send(&world, id, 2, 1, 10, 1000, &failure);
	world_pass(&world, 2000);
	struct queue_event event = {.kind = QUEUE_TICK};
	size_t ended = 0;
	do {
		world_step(&world, &event);
		size_t now = 0;
		for (size_t i = 0; i < world.actions.count; i++)
			now += world.actions.actions[i].kind == QUEUE_ACTION_PROGRESS;
		assert_true(now <= QUEUE_SWEEP_MAX);
		ended += now;
	} while (world_action(&world, QUEUE_ACTION_AGAIN) != NULL);
	assert_int_equal(ended, 100);
}

/* Its report would be lost. Whatever else falls due does so. */
static void no_copy_of_a_post_that_cannot_be_told_ends(void **state)
{
	for (uint64_t id = 1; id <= 40; id++)
		world_send(&world, id, 2, 1, 10, 1000, &failure);
	case_send(99, 4, 10);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
	size_t rows = world.store_count;
	world_pass(&world, 2000);
	struct queue_event event = {.kind = QUEUE_TICK, .tick = {.post_is_full = true}};
	world_step(&world, &event);
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	assert_null(world_action(&world, QUEUE_ACTION_AGAIN));
	assert_int_equal(world.store_count, rows); /* one row of a retry less, one that waits more */
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
	event.tick.post_is_full = false;
	world_step(&world, &event);
	assert_int_equal(world_action(&world, QUEUE_ACTION_PROGRESS)->state, LINK_EXPIRED);
	assert_non_null(world_action(&world, QUEUE_ACTION_AGAIN));
}

/* ---- fragments out ---- */

static void a_copy_larger_than_the_neighbour_takes_goes_in_fragments(void **state)
{
	uint64_t expected = 0;
	struct bundle bundle;
	case_send(9, 2, 5000);
	do {
		assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
		assert_true(world.bundle.size <= 1500);
		assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
		assert_int_equal(bundle.fragment_offset, expected);
		assert_int_equal(bundle.total_size, 5000);
		/* One after the other; a lost one is sent again. */
		assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_NOT_FOUND);
		if (expected == 0 && world.wall_ms % 2 == 0) {
			world_crash(&world, 1);
			continue;
		}
		expected += bundle.payload.size;
		world_settle(&world, QUEUE_ACKNOWLEDGED, world.queue.transfers[0].number, 0);
	} while (expected < 5000);
	progress(LINK_CARRIED);
}

static void where_no_fragments_are_taken_each_goes_whole_or_not_at_all(void **state)
{
	struct bundle bundle;
	case_send(1, 1, 40000);
	assert_int_equal(next_id(), 1);
	assert_false(world.transfer.last);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	/* What went in fragments before the link was said to be so goes again, from its beginning. */
	world.routes[WORLD_ROUTE_B].whole = true;
	world_crash(&world, 1);
	assert_int_equal(next_id(), 1);
	assert_true(world.transfer.last);
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
	assert_int_equal(bundle.flags & BUNDLE_IS_FRAGMENT, 0);
	assert_int_equal(bundle.payload.size, 40000);
	case_send(2, 1, 100);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, ANY_SIZE), ERROR_NOT_NOW);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	progress(LINK_CARRIED);
	assert_int_equal(next_id(), 2);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	case_send(3, 1, 40000);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 30000), ERROR_TOO_LARGE);
	assert_int_equal(world.bundle.size, 0);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NOT_ACCEPTABLE);
	progress(LINK_FAILED);
}

static void an_acknowledged_fragment_begins_the_waiting_times_anew(void **state)
{
	case_send(9, 4, 3000);
	for (size_t tries = 0; tries < 3; tries++) {
		assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
		world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
		world_pass(&world, 10000);
		world_tick(&world);
	}
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
	world_pass(&world, 1000);
	world_tick(&world);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 1500), ERROR_OK);
}

static void what_cannot_be_cut_down_is_named_and_given_up(void **state)
{
	case_send(9, 4, 3000);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 60), ERROR_TOO_LARGE);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NOT_ACCEPTABLE);
	progress(LINK_FAILED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 60), ERROR_NOT_FOUND);
}

static void settings_are_checked(void **state)
{
	struct queue_settings settings = world.settings;
	settings.routes_count = ROUTES_MAX + 1;
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_BAD_ARGUMENT);
	settings = world.settings;
	settings.node = eid_none();
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_BAD_ARGUMENT);
	settings = world.settings;
	world.paths[0].route = WORLD_ROUTES;
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_BAD_ARGUMENT);
	world.paths[0].route = 0;
	world.routes[1].name = world.routes[0].name;
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_BAD_ARGUMENT);
	world.routes[1].name = bytes_of_text("");
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_BAD_ARGUMENT);
	world.routes[1].name = bytes_of_text("direct c");
	assert_int_equal(queue_make(&world.queue, &settings), ERROR_OK);
	world_crash(&world, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_copy_is_queued_sent_and_carried),
		test(the_same_id_again_changes_nothing),
		test(a_cancelled_copy_is_forgotten_and_can_come_again),
		test(wrong_destinations_and_pins_fail_with_a_reason),
		test(paths_choose_the_route_and_new_settings_choose_again),
		test(service_is_by_precedence_then_arrival),
		test(a_flash_passes_all_that_waits),
		test(higher_precedence_is_never_behind_a_closed_window_of_lower),
		test(one_that_is_larger_than_the_window_goes_in_pieces_that_a_flash_can_pass),
		test(one_that_must_not_be_cut_passes_alone),
		test(routes_do_not_wait_for_each_other),
		test(after_a_crash_what_was_in_transfer_waits_in_its_old_place),
		test(a_lost_session_brings_all_back_at_once_and_a_poisonous_copy_gives_way),
		test(a_refused_copy_waits_longer_each_time),
		test(waiting_times_are_bounded_by_precedence),
		test(refusals_that_settle_a_copy),
		test(a_lifetime_ends_by_the_queues_clock),
		test(downtime_counts_at_most_a_day),
		test(many_lifetimes_end_in_bounded_steps),
		test(no_copy_of_a_post_that_cannot_be_told_ends),
		test(a_copy_larger_than_the_neighbour_takes_goes_in_fragments),
		test(where_no_fragments_are_taken_each_goes_whole_or_not_at_all),
		test(an_acknowledged_fragment_begins_the_waiting_times_anew),
		test(what_cannot_be_cut_down_is_named_and_given_up),
		test(settings_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
