/*
 * When events share a commit: what nobody waits for stays for up to 2 ms, until something comes that presses.
 * What falls due goes in turns, and the loop comes between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "courier/courier.h"
#include "courier/store.h"
#include "tests/unit/courier/scratch.h"

#define COMPANY_MS  2
#define COMPANY_MAX 32
#define TURN        256 /* things that fall due in one batch */

static struct courier *courier;
static int directory;

static int set_up(void **state)
{
	directory = scratch_open();
	courier = calloc(1, sizeof(*courier));
	assert_non_null(courier);
	assert_int_equal(uv_loop_init(&courier->loop), 0);
	uv_timer_init(&courier->loop, &courier->company);
	courier->company.data = courier;
	courier->directory = directory;
	memcpy(courier->config.node, "ipn:1.0", sizeof("ipn:1.0"));
	assert_int_equal(store_open(&courier->store, STORE_FILE, 64 * 1024 * 1024), ERROR_OK);
	assert_int_equal(dispatch_open(courier), ERROR_OK);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0); /* the queue has begun */
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(courier->exit_code, 0);
	uv_close((uv_handle_t *)&courier->company, NULL);
	uv_run(&courier->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&courier->loop), 0);
	dispatch_close(courier);
	store_close(courier->store);
	free(courier);
	scratch_close(directory);
	return 0;
}

/* Nobody waits for it. */
static void note_head(uint8_t number)
{
	const uint8_t origin[] = {'l', 'o', 'g', '/', (uint8_t)('A' + number)};
	struct link_message message = {
		.type = LINK_HEAD,
		.head = {.origin = bytes_make(origin, sizeof(origin)), .size = 1},
	};
	assert_true(dispatch_note_message(courier, &message));
}

/* Its sender does. */
static void note_copy(unsigned id, uint64_t lifetime_ms)
{
	struct link_message message = {
		.type = LINK_SEND,
		.send = {.destination = bytes_of_text("ipn:2.0"),
			 .precedence = 4,
			 .lifetime_ms = lifetime_ms,
			 .sealed = bytes_of_text("sealed")},
	};
	memcpy(message.send.id, &id, sizeof(id));
	assert_true(dispatch_note_message(courier, &message));
}

static void note_send(void)
{
	note_copy(0, 60000);
}

/* A configuration with a way to those. */
static void take_neighbour(void)
{
	struct config_neighbour *neighbour = &courier->config.neighbours[0];
	memcpy(neighbour->name, "beta", sizeof("beta"));
	memcpy(neighbour->node, "ipn:2.0", sizeof("ipn:2.0"));
	courier->config.neighbour_count = 1;
	assert_int_equal(dispatch_restart(courier), ERROR_OK);
	dispatch_run(courier);
}

static void what_can_wait_waits_two_milliseconds_and_no_more(void **state)
{
	note_head(0);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 1);
	assert_int_equal(uv_timer_get_due_in(&courier->company), COMPANY_MS);
	courier->loop.time++;
	note_head(1);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 2);
	assert_int_equal(uv_timer_get_due_in(&courier->company), COMPANY_MS - 1);
	uv_run(&courier->loop, UV_RUN_ONCE);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0);
	/* The next one has its own time. */
	note_head(2);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 1);
}

static void what_presses_takes_along_what_waits(void **state)
{
	note_head(0);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 1);
	note_send();
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0);
	assert_false(uv_is_active((uv_handle_t *)&courier->company));
}

static void many_wait_for_nothing(void **state)
{
	for (uint8_t i = 0; i + 1 < COMPANY_MAX; i++)
		note_head(i);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, COMPANY_MAX - 1);
	note_head(COMPANY_MAX);
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0);
}

static void what_opens_a_window_does_not_wait(void **state)
{
	note_head(0);
	courier->blocked = true;
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0);
}

static void nothing_waits_when_the_courier_stops(void **state)
{
	note_head(0);
	courier->stopping = true;
	dispatch_run(courier);
	assert_int_equal(courier->pending_count, 0);
}

/* Copies that wait for that neighbour. */
static uint64_t waiting(void)
{
	struct queue_class classes[QUEUE_CLASSES];
	uint64_t count = 0;
	enum error error;
	do {
		assert_true(dispatch_load(courier));
		rows_begin(&courier->rows);
		error = queue_read_route(&courier->queue, &courier->rows, 0, classes);
	} while (error == ERROR_NEEDS_ROWS);
	assert_int_equal(error, ERROR_OK);
	rows_undo(&courier->rows);
	rows_reset(&courier->rows);
	for (size_t i = 0; i < QUEUE_CLASSES; i++)
		count += classes[i].count;
	return count;
}

static void what_falls_due_goes_in_turns(void **state)
{
	take_neighbour();
	for (unsigned i = 0; i < 3 * TURN - 1; i++)
		note_copy(i, 1);
	dispatch_run(courier);
	usleep(5000);
	dispatch_note_tick(courier);
	dispatch_run(courier);
	assert_int_equal(waiting(), 2 * TURN - 1);
	assert_int_equal(courier->pending_count, 1);
	assert_true(uv_is_active((uv_handle_t *)&courier->company));
	/* Another would do no more; no window hurries it, and who stops does not wait for it. */
	dispatch_note_tick(courier);
	courier->blocked = true;
	courier->stopping = true;
	dispatch_run(courier);
	assert_int_equal(waiting(), 2 * TURN - 1);
	assert_int_equal(courier->pending_count, 1);
	assert_true(dispatch_is_done(courier));
	courier->stopping = false;
	/* A new message presses. The next turn comes with it, and no more. */
	note_copy(3 * TURN, 60000);
	dispatch_run(courier);
	assert_int_equal(waiting(), TURN);
	assert_int_equal(courier->pending_count, 1);
	courier->loop.time += COMPANY_MS;
	uv_run(&courier->loop, UV_RUN_ONCE);
	dispatch_run(courier);
	assert_int_equal(waiting(), 1);
	assert_int_equal(courier->pending_count, 0);
}

/* What is sent must not change its place under the sweep. */
static void new_routes_are_all_chosen_before_anything_else(void **state)
{
	for (unsigned i = 0; i < 3 * TURN; i++)
		note_copy(i, 60000);
	dispatch_run(courier);
	take_neighbour();
	assert_int_equal(courier->pending_count, 0);
	assert_int_equal(waiting(), 3 * TURN);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_can_wait_waits_two_milliseconds_and_no_more),
		test(what_presses_takes_along_what_waits),
		test(many_wait_for_nothing),
		test(what_opens_a_window_does_not_wait),
		test(nothing_waits_when_the_courier_stops),
		test(what_falls_due_goes_in_turns),
		test(new_routes_are_all_chosen_before_anything_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
