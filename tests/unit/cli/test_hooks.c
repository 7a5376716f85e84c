/*
 * Hooks of `liaison watch`: each runs for a bounded time. The clock is given: nobody waits a minute for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/hooks.h"

#define MINUTE_MS   60000
#define BEGUN_MS    1000000
#define PATIENCE_MS 10000 /* of real time, for a process to begin or to end */

static const struct hook_facts facts = {.event = "arrived",
					.precedence = "ROUTINE",
					.kind = "MESSAGE",
					.reference = "EMBASSY 0001/26",
					.urgency = 1};

/* A hook says that it has begun through a pipe, which ends when all that it started has. */
#define SAY            "printf x >&9"
#define SAY_DESCRIPTOR 9

static int heard;
static struct hooks hooks;

static int set_up(void **state)
{
	int ends[2];

	memset(&hooks, 0, sizeof(hooks));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	heard = ends[0];
	assert_int_equal(dup2(ends[1], SAY_DESCRIPTOR), SAY_DESCRIPTOR);
	close(ends[1]);
	return 0;
}

static int tear_down(void **state)
{
	hooks_end(&hooks);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(SAY_DESCRIPTOR);
	close(heard);
	return 0;
}

/* What hooks say next; 0 when all have ended. */
static ssize_t hear(void)
{
	struct pollfd ready = {.fd = heard, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	return read(heard, &byte, 1);
}

static void a_hook_and_what_it_started_end_after_a_minute(void **state)
{
	hooks.command = "sleep 1000 & " SAY "; wait";
	hooks_add(&hooks, &facts, BEGUN_MS);
	close(SAY_DESCRIPTOR);
	assert_int_equal(hear(), 1);
	assert_int_equal(hooks.running_count, 1);
	assert_int_equal(hooks_next_ms(&hooks), BEGUN_MS + MINUTE_MS);
	hooks_tend(&hooks, BEGUN_MS + MINUTE_MS - 1);
	assert_int_equal(hooks.running_count, 1);
	hooks_tend(&hooks, BEGUN_MS + MINUTE_MS);
	assert_int_equal(hooks.running_count, 0);
	assert_int_equal(hooks_next_ms(&hooks), INT64_MAX);
	assert_int_equal(hear(), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD); /* no child is left */
}

static void one_that_waited_begins_in_its_place(void **state)
{
	hooks.command = SAY "; sleep 1000";
	for (size_t i = 0; i <= HOOKS_BULK_MAX; i++)
		hooks_add(&hooks, &facts, BEGUN_MS);
	for (size_t i = 0; i < HOOKS_BULK_MAX; i++)
		assert_int_equal(hear(), 1);
	assert_int_equal(hooks.running_count, HOOKS_BULK_MAX);
	assert_int_equal(hooks.waiting_count, 1);
	hooks_tend(&hooks, BEGUN_MS + MINUTE_MS);
	assert_int_equal(hooks.running_count, 1);
	assert_int_equal(hooks.waiting_count, 0);
	assert_int_equal(hear(), 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_hook_and_what_it_started_end_after_a_minute),
		test(one_that_waited_begins_in_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
