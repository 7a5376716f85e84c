#include "cli/line_watch.h"

#include <stdio.h>
#include <string.h>

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
	tell_courier(line, is_connected);
	/* A courier that has just come has not told its routes yet. */
	if (!is_connected || json_array_size(routes) == 0)
		return;
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
