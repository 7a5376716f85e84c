/*
 * What a route is called, as time passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "courier/courier.h"

static struct courier *make(void)
{
	struct courier *courier = calloc(1, sizeof(*courier));

	assert_non_null(courier);
	assert_int_equal(uv_loop_init(&courier->loop), 0);
	courier->config.neighbour_count = 1;
	routes_make(courier);
	return courier;
}

static void destroy(struct courier *courier)
{
	assert_int_equal(uv_loop_close(&courier->loop), 0);
	free(courier);
}

static enum link_route_state judged(struct courier *courier)
{
	route_judge(courier, &courier->routes[0]);
	return courier->routes[0].state;
}

/* The session's pointer is all that is looked at. */
static void begin_session(struct courier *courier)
{
	courier->routes[0].session = (struct session *)courier;
}

static void end_session(struct courier *courier)
{
	courier->routes[0].session = NULL;
	courier->routes[0].alone_ms = courier->loop.time;
}

static void a_route_is_silent_before_it_is_down(void **state)
{
	struct courier *courier = make();

	assert_int_equal(judged(courier), LINK_ROUTE_SILENT);
	courier->loop.time += 119999;
	assert_int_equal(judged(courier), LINK_ROUTE_SILENT);
	courier->loop.time += 1;
	assert_int_equal(judged(courier), LINK_ROUTE_DOWN);
	begin_session(courier);
	assert_int_equal(judged(courier), LINK_ROUTE_UP);
	/* However long it was up. */
	courier->loop.time += 600000;
	end_session(courier);
	assert_int_equal(judged(courier), LINK_ROUTE_SILENT);
	courier->loop.time += 120000;
	assert_int_equal(judged(courier), LINK_ROUTE_DOWN);
	destroy(courier);
}

static void a_route_that_is_held_is_down_at_once(void **state)
{
	struct courier *courier = make();

	courier->routes[0].held = true;
	assert_int_equal(judged(courier), LINK_ROUTE_DOWN);
	courier->routes[0].held = false;
	assert_int_equal(judged(courier), LINK_ROUTE_SILENT);
	destroy(courier);
}

static void a_session_that_acknowledges_nothing_is_degraded(void **state)
{
	struct courier *courier = make();

	begin_session(courier);
	courier->routes[0].flight_count = 1;
	courier->routes[0].progress_ms = courier->loop.time;
	assert_int_equal(judged(courier), LINK_ROUTE_UP);
	courier->loop.time += 5000;
	assert_int_equal(judged(courier), LINK_ROUTE_DEGRADED);
	courier->routes[0].progress_ms = courier->loop.time;
	assert_int_equal(judged(courier), LINK_ROUTE_UP);
	destroy(courier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_silent_before_it_is_down),
		cmocka_unit_test(a_route_that_is_held_is_down_at_once),
		cmocka_unit_test(a_session_that_acknowledges_nothing_is_degraded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
