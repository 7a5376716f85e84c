#include "cli/line_watch.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/status.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text == NULL ? "" : text;
}

static void tell(struct line_watch *line, const char *event, bool is_cut, const char *text)
{
	const struct line_event told = {
		.event = event, .route = "", .text = text, .is_urgent = true, .is_cut = is_cut};
	line->tell(line->context, &told);
}

void line_watch_post(struct line_watch *line, bool answers)
{
	if (line->post_is_gone != answers)
		return;
	line->post_is_gone = !answers;
	if (answers)
		tell(line, "post-back", false, "the post's daemon answers again");
	else
		tell(line, "post-gone", true,
		     "the post's daemon does not answer: what comes is not told until it does");
}

static void tell_courier(struct line_watch *line, bool is_connected)
{
	if (line->courier_is_gone != is_connected)
		return;
	line->courier_is_gone = !is_connected;
	if (is_connected)
		tell(line, "courier-back", false, "the courier is connected to the post again");
	else
		tell(line, "courier-gone", true,
		     "no courier is connected to the post: nothing leaves it and nothing comes");
}

/* ---- the post's disk ---- */

static void tell_disk(struct line_watch *line, const char *level)
{
	static const char *const levels[] = {"ample", "low", "scarce", "last"};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcmp(level, levels[i]) != 0 || i == line->disk)
			continue;
		const struct line_event told = {
			.event = "disk",
			.route = "",
			.state = levels[i],
			.text = status_disk_text(level),
			.is_urgent = true,
			.is_cut = i > line->disk,
		};
		line->disk = i;
		line->tell(line->context, &told);
		return;
	}
}

/* What came and was left with the courier since the last look: the highest precedence tells of all. */
static void tell_left(struct line_watch *line, const json_t *left)
{
	uint64_t highest = 0;
	char text[256];
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++) {
		json_int_t count = json_integer_value(json_array_get(left, i));
		if (count > line->left[i])
			highest = i + 1;
		line->left[i] = count;
	}
	if (highest == 0)
		return;
	json_int_t count = line->left[highest - 1];
	snprintf(text, sizeof text,
		 "%lld %s %s with the courier because the post's disk has no room (one that was sent again "
		 "counts again): free some room on it",
		 (long long)count, precedence_name(highest), count == 1 ? "waits" : "wait");
	const struct line_event told = {.event = "left", .route = "", .precedence = highest, .text = text};
	line->tell(line->context, &told);
}

/* ---- courier and routes ---- */

static void tell_courier_disk(struct line_watch *line, bool is_full)
{
	if (line->courier_is_full == is_full)
		return;
	line->courier_is_full = is_full;
	if (is_full)
		tell(line, "courier-full", true, STATUS_COURIER_FULL);
	else
		tell(line, "courier-room", false, "there is room on the courier's disk again");
}

static const char *state_told(const struct line_watch *line, const json_t *route)
{
	for (size_t i = 0; i < json_array_size(line->routes); i++) {
		const json_t *before = json_array_get(line->routes, i);
		if (strcmp(text_of(before, "route"), text_of(route, "route")) == 0)
			return text_of(before, "state");
	}
	return "up";
}

static void tell_route(struct line_watch *line, const json_t *route)
{
	const char *state = text_of(route, "state"), *before = state_told(line, route);
	char text[512];
	if (strcmp(state, before) == 0)
		return;
	bool is_cut = strcmp(state, "silent") == 0 || strcmp(state, "down") == 0;
	bool was_cut = strcmp(before, "silent") == 0 || strcmp(before, "down") == 0;
	snprintf(text, sizeof text, "route %s to %s is %s", text_of(route, "route"),
		 text_of(route, "neighbour"), state);
	const struct line_event told = {
		.event = "route",
		.route = text_of(route, "route"),
		.neighbour = text_of(route, "neighbour"),
		.state = state,
		.text = text,
		.is_urgent = is_cut || was_cut,
		.is_cut = is_cut,
	};
	line->tell(line->context, &told);
}

void line_watch_status(struct line_watch *line, const json_t *status)
{
	bool is_connected = json_is_true(json_object_get(status, "courier_connected"));
	json_t *routes = json_object_get(status, "routes");
	tell_disk(line, text_of(status, "disk"));
	tell_left(line, json_object_get(status, "left_with_courier"));
	tell_courier(line, is_connected);
	/* A courier that has just come has not told its routes yet. */
	if (!is_connected || json_array_size(routes) == 0)
		return;
	tell_courier_disk(line, json_is_true(json_object_get(status, "courier_full")));
	for (size_t i = 0; i < json_array_size(routes); i++)
		tell_route(line, json_array_get(routes, i));
	json_decref(line->routes);
	line->routes = json_incref(routes);
}

void line_watch_free(struct line_watch *line)
{
	json_decref(line->routes);
	line->routes = NULL;
}
