/*
 * Routes: one to each neighbour, their states, and when to dial.
 */
#include <stdlib.h>
#include <string.h>

#include "courier/courier.h"

#define DIAL_PAUSE_FIRST_MS 250
#define DIAL_PAUSE_MAX_MS 30000 /* RFC 9174, section 4.1: no longer than a minute */
#define SETTLED_MS 5000         /* a session that stood for so long was a good one */
#define SILENT_MS 120000        /* without a session for longer than that a route counts as down */
#define DEGRADED_MS 5000        /* nothing that was sent is acknowledged for so long */

static uint64_t now_ms(const struct courier *courier)
{
	return uv_now(&courier->loop);
}

struct route *route_of(struct courier *courier, const struct config_neighbour *neighbour)
{
	return neighbour == NULL ? NULL : &courier->routes[neighbour - courier->config.neighbours];
}

unsigned route_index(const struct courier *courier, const struct route *route)
{
	return (unsigned)(route - courier->routes);
}

static void set_state(struct courier *courier, struct route *route, enum link_route_state state)
{
	if (route->state == state)
		return;
	route->state = state;
	route->changed_ms = courier_wall_ms();
	courier->routes_changed = true;
}

void route_judge(struct courier *courier, struct route *route)
{
	if (route->session != NULL && route->flight_count > 0 &&
		now_ms(courier) - route->progress_ms >= DEGRADED_MS)
		set_state(courier, route, LINK_ROUTE_DEGRADED);
	else if (route->session != NULL)
		set_state(courier, route, LINK_ROUTE_UP);
	else if (route->held || now_ms(courier) - route->alone_ms >= SILENT_MS)
		set_state(courier, route, LINK_ROUTE_DOWN);
	else
		set_state(courier, route, LINK_ROUTE_SILENT);
}

bool routes_queued_changed(struct courier *courier)
{
	for (unsigned i = 0; i < courier->config.neighbour_count; i++)
		if (dispatch_queued(courier, i) != courier->routes[i].queued_told)
			return true;
	return false;
}

static bool is_full(const struct courier *courier)
{
	return dispatch_disk_room(courier) < (courier->full_told ? QUEUE_DISK_ROOM_MIN : QUEUE_DISK_FULL_MAX);
}

bool routes_full_changed(const struct courier *courier)
{
	return is_full(courier) != courier->full_told;
}

void routes_tell(struct courier *courier)
{
	struct link_message *message;

	courier->routes_changed = false;
	if (courier->post == NULL || !post_link_is_up(courier->post))
		return;
	message = calloc(1, sizeof *message);
	if (message == NULL)
		return;
	courier->full_told = is_full(courier);
	message->type = LINK_ROUTES;
	message->routes.full = courier->full_told;
	message->routes.count = courier->config.neighbour_count;
	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		struct route *route = &courier->routes[i];

		route->queued_told = dispatch_queued(courier, i);
		message->routes.routes[i] = (struct link_route){
			.route = bytes_of_text(route->neighbour->name),
			.neighbour = bytes_of_text(route->neighbour->node),
			.state = route->state,
			.changed_ms = route->changed_ms,
			.queued_size = route->queued_told,
		};
	}
	post_link_send(courier->post, message);
	post_link_flush(courier->post);
	free(message);
}

/* ---- dialing ---- */

/* Doubled each time, of which the upper half is drawn, so that two that dial each other do not keep in step.
 */
static void put_off(struct courier *courier, struct route *route)
{
	uint64_t half = route->pause_ms / 2;
	uint64_t random = courier_steady_ms() * 2654435761u >> 8;

	route->dial_ms = now_ms(courier) + half + random % (half + 1);
	route->pause_ms = 2 * route->pause_ms < DIAL_PAUSE_MAX_MS ? 2 * route->pause_ms : DIAL_PAUSE_MAX_MS;
}

static void dial(struct courier *courier, struct route *route)
{
	struct session *session;

	put_off(courier, route);
	if (courier->session_count == SESSIONS_MAX)
		return;
	session = session_dial(&courier->session_settings, route->neighbour);
	if (courier_note_session(courier, session))
		route->dialing = session;
}

static bool wants_dialing(const struct courier *courier, const struct route *route)
{
	return route->neighbour->dial && !route->held && route->session == NULL && route->dialing == NULL &&
		!courier->reloading && !courier->stopping && !courier->starting_over;
}

void routes_dial(struct courier *courier)
{
	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		struct route *route = &courier->routes[i];

		if (wants_dialing(courier, route) && now_ms(courier) >= route->dial_ms)
			dial(courier, route);
	}
}

uint64_t routes_wait_ms(const struct courier *courier, uint64_t wait_max_ms)
{
	uint64_t now = now_ms(courier);
	uint64_t wait = wait_max_ms;

	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		const struct route *route = &courier->routes[i];

		if (!wants_dialing(courier, route))
			continue;
		if (route->dial_ms <= now)
			return 0;
		if (route->dial_ms - now < wait)
			wait = route->dial_ms - now;
	}
	return wait;
}

void route_lost(struct courier *courier, struct route *route)
{
	/* A neighbour that hangs up at once is dialed at growing intervals; one that held the line, soon
	 * again. */
	if (now_ms(courier) - route->established_ms >= SETTLED_MS) {
		route->pause_ms = DIAL_PAUSE_FIRST_MS;
		put_off(courier, route);
	}
	route_judge(courier, route);
	courier_set_timer(courier);
}

void route_want(struct courier *courier, const struct link_route_wanted *wanted)
{
	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		struct route *route = &courier->routes[i];

		if (!bytes_equal(wanted->route, bytes_of_text(route->neighbour->name)))
			continue;
		route->held = wanted->hold;
		route->dial_ms = 0;
		route->pause_ms = DIAL_PAUSE_FIRST_MS;
		if (wanted->hold && route->session != NULL)
			session_terminate(route->session, TCPCL_TERM_UNKNOWN);
		if (wanted->hold && route->dialing != NULL)
			session_terminate(route->dialing, TCPCL_TERM_UNKNOWN);
		route_judge(courier, route);
		courier_set_timer(courier);
		courier->feeding = true;
	}
}

void routes_make(struct courier *courier)
{
	uint64_t wall = courier_wall_ms();

	memset(courier->routes, 0, sizeof courier->routes);
	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		courier->routes[i].neighbour = &courier->config.neighbours[i];
		courier->routes[i].pause_ms = DIAL_PAUSE_FIRST_MS;
		courier->routes[i].state = LINK_ROUTE_SILENT;
		courier->routes[i].changed_ms = wall;
		courier->routes[i].alone_ms = now_ms(courier);
	}
	courier->routes_changed = true;
}
