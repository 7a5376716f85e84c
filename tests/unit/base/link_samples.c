#include "tests/unit/base/link_samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t large[SEALED_SIZE_MAX];
static char long_name[ROUTE_NAME_SIZE_MAX + 1];
static char long_node[EID_SIZE_MAX + 1];

static struct link_message full_routes(void)
{
	static char names[ROUTES_MAX][ROUTE_NAME_SIZE_MAX + 1];
	static struct link_message message;

	message.type = LINK_ROUTES;
	message.routes.count = ROUTES_MAX;
	for (size_t i = 0; i < ROUTES_MAX; i++) {
		snprintf(names[i], sizeof names[i], "%0*zu", ROUTE_NAME_SIZE_MAX, i);
		message.routes.routes[i] = (struct link_route){
			.route = bytes_of_text(names[i]), .neighbour = bytes_of_text(long_node),
			.state = LINK_ROUTE_DOWN, .changed_ms = INT64_MAX, .queued_size = INT64_MAX,
		};
	}
	return message;
}

static struct link_message two_routes(void)
{
	return (struct link_message){ .type = LINK_ROUTES, .routes = { .count = 2, .full = true, .routes = {
		{ .route = bytes_of_text("direct"), .neighbour = bytes_of_text("ipn:2.0"),
			.state = LINK_ROUTE_UP,
			.changed_ms = 1795320300000, .queued_size = 0 },
		{ .route = bytes_of_text("relay"), .neighbour = bytes_of_text("dtn://relay/"),
			.state = LINK_ROUTE_SILENT, .changed_ms = 1795320300001, .queued_size = 70000 },
	} } };
}

/* As many heads as there can be, with origins as long as they can be. */
static struct link_message full_heads(void)
{
	static char origins[HEADS_KEPT_MAX][LINK_ORIGIN_SIZE_MAX + 1];
	struct link_message message = { .type = LINK_HEADS, .heads = { .count = HEADS_KEPT_MAX } };

	for (size_t i = 0; i < HEADS_KEPT_MAX; i++) {
		snprintf(origins[i], sizeof origins[i], "%0*zu", LINK_ORIGIN_SIZE_MAX, i);
		message.heads.heads[i] = (struct link_head){
			.origin = bytes_of_text(origins[i]), .size = i, .root = { 3 }, .signature = { 4 } };
	}
	return message;
}

static struct link_message made(size_t index)
{
	switch (index) {
	case 0:
		return (struct link_message){ .type = LINK_HELLO, .hello = {
			.version = LINK_VERSION, .role = LINK_POST, .node = bytes_of_text("ipn:1.0") } };
	case 1:
		return (struct link_message){ .type = LINK_HELLO, .hello = {
			.version = LINK_VERSION, .role = LINK_COURIER, .node = bytes_of_text(long_node) } };
	case 2:
		return (struct link_message){ .type = LINK_SEND, .send = {
			.id = "0123456789abcde", .destination = bytes_of_text("ipn:2.4"), .precedence = 4,
			.lifetime_ms = 86400000, .sealed = bytes_make(large, 300),
			.pin = bytes_of_text("") } };
	case 3:
		return (struct link_message){ .type = LINK_SEND, .send = {
			.id = "fedcba987654321", .destination = bytes_of_text(long_node), .precedence = 1,
			.lifetime_ms = LIFETIME_MS_MAX, .sealed = bytes_make(large, sizeof large),
			.pin = bytes_of_text(long_name) } };
	case 4:
		return (struct link_message){ .type = LINK_CANCEL, .cancel = { .id = { 0xff } } };
	case 5:
		return (struct link_message){ .type = LINK_ROUTE_WANTED, .route_wanted = {
			.route = bytes_of_text("direct"), .hold = true } };
	case 6:
		return (struct link_message){ .type = LINK_TAKEN, .taken = { .delivery = INT64_MAX } };
	case 7:
		return (struct link_message){ .type = LINK_RECEIVED, .received = {
			.delivery = 1, .source = bytes_of_text("dtn://embassy/2"), .precedence = 2,
			.sealed = bytes_make(large, 1) } };
	case 8:
		return (struct link_message){ .type = LINK_PROGRESS, .progress = {
			.state = LINK_CARRIED, .route = bytes_of_text("Straße"), .reason = ERROR_OK } };
	case 9:
		return (struct link_message){ .type = LINK_PROGRESS, .progress = {
			.state = LINK_EXPIRED, .route = bytes_of_text(""), .reason = ERROR_TIMED_OUT } };
	case 10:
		return two_routes();
	case 11:
		return (struct link_message){ .type = LINK_HEAD, .head = {
			.origin = bytes_of_text("liaison/00"), .size = INT64_MAX, .root = { 1 },
			.signature = { 2 } } };
	case 12:
		return full_heads();
	case 13:
		return (struct link_message){ .type = LINK_LEFT, .left = { .delivery = INT64_MAX } };
	default:
		return full_routes();
	}
}

const struct link_message *link_sample(size_t index, enum link_role *from)
{
	static const enum link_role roles[LINK_SAMPLES_COUNT] = {
		LINK_POST, LINK_COURIER, LINK_POST, LINK_POST, LINK_POST, LINK_POST, LINK_POST,
		LINK_COURIER, LINK_COURIER, LINK_COURIER, LINK_COURIER, LINK_POST, LINK_COURIER,
		LINK_POST, LINK_COURIER,
	};
	static struct link_message message;

	if (index >= LINK_SAMPLES_COUNT)
		abort();
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (uint8_t)(i * 7);
	memset(long_name, 'n', ROUTE_NAME_SIZE_MAX);
	memset(long_node, 'e', EID_SIZE_MAX);
	message = made(index);
	*from = roles[index];
	return &message;
}
