#include "base/link.h"

#include <assert.h>

#include "base/cbor.h"
#include "base/frame.h"
#include "base/text.h"

/* Both ends. */
#define ANY_ROLE (LINK_POST | LINK_COURIER)

/* The messages that there are: who sends each, and its elements. Indexed by type. */
static const struct {
	unsigned from;
	size_t elements;
} types[] = {
	[LINK_HELLO] = { ANY_ROLE, 4 },
	[LINK_SEND] = { LINK_POST, 7 },
	[LINK_CANCEL] = { LINK_POST, 2 },
	[LINK_ROUTE_WANTED] = { LINK_POST, 3 },
	[LINK_TAKEN] = { LINK_POST, 2 },
	[LINK_RECEIVED] = { LINK_COURIER, 5 },
	[LINK_PROGRESS] = { LINK_COURIER, 5 },
	[LINK_ROUTES] = { LINK_COURIER, 3 },
	[LINK_HEAD] = { LINK_POST, 2 },
	[LINK_HEADS] = { LINK_COURIER, 2 },
	[LINK_LEFT] = { LINK_POST, 2 },
};

/* A route in ROUTES, with its head and the longest heads of its elements. */
#define ROUTE_SIZE_MAX (1 + 2 + ROUTE_NAME_SIZE_MAX + 2 + EID_SIZE_MAX + 1 + 9 + 9)

_Static_assert(1 + 1 + 3 + ROUTES_MAX * ROUTE_SIZE_MAX + 1 <= LINK_FRAME_SIZE_MAX,
	"ROUTES fits into a frame");
_Static_assert(2 + 1 + LINK_ID_SIZE + 2 + EID_SIZE_MAX + 1 + 9 + 5 + SEALED_SIZE_MAX + 2 +
	ROUTE_NAME_SIZE_MAX <= LINK_FRAME_SIZE_MAX, "SEND fits into a frame");

/* A head in HEADS, in the same way. */
#define HEAD_SIZE_MAX (1 + 2 + LINK_ORIGIN_SIZE_MAX + 9 + 2 + 32 + 2 + 64)

_Static_assert(1 + 1 + 3 + HEADS_KEPT_MAX * HEAD_SIZE_MAX <= LINK_FRAME_SIZE_MAX, "HEADS fits into a frame");

static bool may_send(enum link_role from, uint64_t type)
{
	return type < sizeof types / sizeof types[0] && (types[type].from & from) != 0;
}

/* ---- the rules, the same for both directions ---- */

/* The first rule that does not hold gives the error. */
static void expect(enum error *error, bool holds, enum error otherwise)
{
	if (*error == ERROR_OK && !holds)
		*error = otherwise;
}

static void expect_range(enum error *error, uint64_t value, uint64_t min, uint64_t max)
{
	expect(error, value >= min && value <= max, ERROR_OUT_OF_RANGE);
}

static void expect_node(enum error *error, struct bytes node)
{
	expect(error, node.size >= 1, ERROR_OUT_OF_RANGE);
	expect(error, node.size <= EID_SIZE_MAX, ERROR_TOO_LARGE);
	for (size_t i = 0; *error == ERROR_OK && i < node.size; i++)
		expect(error, node.data[i] > ' ' && node.data[i] < 0x7f, ERROR_NOT_TEXT);
}

/* A route's name, or empty where it may be. */
static void expect_route(enum error *error, struct bytes route, bool may_be_empty)
{
	expect(error, may_be_empty || route.size != 0, ERROR_OUT_OF_RANGE);
	expect(error, route.size <= ROUTE_NAME_SIZE_MAX, ERROR_TOO_LARGE);
	if (*error == ERROR_OK)
		expect(error, text_is_plain_line(route), ERROR_NOT_TEXT);
}

static void expect_sealed(enum error *error, struct bytes sealed)
{
	expect(error, sealed.size >= 1, ERROR_OUT_OF_RANGE);
	expect(error, sealed.size <= SEALED_SIZE_MAX, ERROR_TOO_LARGE);
}

static void check_progress(enum error *error, const struct link_progress *progress)
{
	bool stopped = progress->state == LINK_FAILED || progress->state == LINK_EXPIRED;

	expect_range(error, progress->state, LINK_QUEUED, LINK_EXPIRED);
	expect_route(error, progress->route, progress->state != LINK_CARRIED);
	expect(error, error_known(progress->reason), ERROR_OUT_OF_RANGE);
	expect(error, stopped == (progress->reason != ERROR_OK), ERROR_OUT_OF_RANGE);
}

static void check_routes(enum error *error, const struct link_routes *routes)
{
	expect(error, routes->count <= ROUTES_MAX, ERROR_TOO_LARGE);
	for (size_t i = 0; *error == ERROR_OK && i < routes->count; i++) {
		const struct link_route *route = &routes->routes[i];

		expect_route(error, route->route, false);
		if (i != 0)
			expect(error, bytes_compare(route[-1].route, route->route) < 0, ERROR_MALFORMED);
		expect_node(error, route->neighbour);
		expect_range(error, route->state, LINK_ROUTE_UP, LINK_ROUTE_DOWN);
		expect_range(error, route->changed_ms, 0, INT64_MAX);
		expect_range(error, route->queued_size, 0, INT64_MAX);
	}
}

static void expect_head(enum error *error, const struct link_head *head)
{
	expect(error, head->origin.size >= 1, ERROR_OUT_OF_RANGE);
	expect(error, head->origin.size <= LINK_ORIGIN_SIZE_MAX, ERROR_TOO_LARGE);
	for (size_t i = 0; *error == ERROR_OK && i < head->origin.size; i++)
		expect(error, head->origin.data[i] > ' ' && head->origin.data[i] < 0x7f, ERROR_NOT_TEXT);
	expect_range(error, head->size, 0, INT64_MAX);
}

static void check_heads(enum error *error, const struct link_heads *heads)
{
	expect(error, heads->count <= HEADS_KEPT_MAX, ERROR_TOO_LARGE);
	for (size_t i = 0; *error == ERROR_OK && i < heads->count; i++) {
		const struct link_head *head = &heads->heads[i];

		expect_head(error, head);
		if (i != 0)
			expect(error, bytes_compare(head[-1].origin, head->origin) < 0, ERROR_MALFORMED);
	}
}

/* ERROR_OK if the end `from` may send this message as it is. */
static enum error check(enum link_role from, const struct link_message *message)
{
	enum error error = ERROR_OK;

	if (!may_send(from, message->type))
		return ERROR_UNSUPPORTED;
	switch (message->type) {
	case LINK_HELLO:
		expect(&error, message->hello.version == LINK_VERSION, ERROR_BAD_VERSION);
		expect(&error, message->hello.role == from, ERROR_OUT_OF_RANGE);
		expect_node(&error, message->hello.node);
		break;
	case LINK_SEND:
		expect_node(&error, message->send.destination);
		expect_range(&error, message->send.precedence, 1, LINK_PRECEDENCE_MAX);
		expect_range(&error, message->send.lifetime_ms, 1, LIFETIME_MS_MAX);
		expect_sealed(&error, message->send.sealed);
		expect_route(&error, message->send.pin, true);
		break;
	case LINK_CANCEL:
		break;
	case LINK_ROUTE_WANTED:
		expect_route(&error, message->route_wanted.route, false);
		break;
	case LINK_TAKEN:
		expect_range(&error, message->taken.delivery, 1, INT64_MAX);
		break;
	case LINK_LEFT:
		expect_range(&error, message->left.delivery, 1, INT64_MAX);
		break;
	case LINK_RECEIVED:
		expect_range(&error, message->received.delivery, 1, INT64_MAX);
		expect_node(&error, message->received.source);
		expect_range(&error, message->received.precedence, 1, LINK_PRECEDENCE_MAX);
		expect_sealed(&error, message->received.sealed);
		break;
	case LINK_PROGRESS:
		check_progress(&error, &message->progress);
		break;
	case LINK_ROUTES:
		check_routes(&error, &message->routes);
		break;
	case LINK_HEAD:
		expect_head(&error, &message->head);
		break;
	case LINK_HEADS:
		check_heads(&error, &message->heads);
		break;
	}
	return error;
}

/* ---- writing ---- */

static struct bytes id_bytes(const uint8_t *id)
{
	return bytes_make(id, LINK_ID_SIZE);
}

static void write_routes(struct buffer *buffer, const struct link_routes *routes)
{
	cbor_write_array(buffer, routes->count);
	for (size_t i = 0; i < routes->count; i++) {
		cbor_write_array(buffer, 5);
		cbor_write_text(buffer, routes->routes[i].route);
		cbor_write_text(buffer, routes->routes[i].neighbour);
		cbor_write_uint(buffer, routes->routes[i].state);
		cbor_write_uint(buffer, routes->routes[i].changed_ms);
		cbor_write_uint(buffer, routes->routes[i].queued_size);
	}
	cbor_write_bool(buffer, routes->full);
}

static void write_head(struct buffer *buffer, const struct link_head *head)
{
	cbor_write_array(buffer, 4);
	cbor_write_text(buffer, head->origin);
	cbor_write_uint(buffer, head->size);
	cbor_write_bytes(buffer, bytes_make(head->root, sizeof head->root));
	cbor_write_bytes(buffer, bytes_make(head->signature, sizeof head->signature));
}

static void write_heads(struct buffer *buffer, const struct link_heads *heads)
{
	cbor_write_array(buffer, heads->count);
	for (size_t i = 0; i < heads->count; i++)
		write_head(buffer, &heads->heads[i]);
}

/* What follows the type. */
static void write_elements(struct buffer *buffer, const struct link_message *message)
{
	switch (message->type) {
	case LINK_HELLO:
		cbor_write_uint(buffer, message->hello.version);
		cbor_write_uint(buffer, message->hello.role);
		cbor_write_text(buffer, message->hello.node);
		break;
	case LINK_SEND:
		cbor_write_bytes(buffer, id_bytes(message->send.id));
		cbor_write_text(buffer, message->send.destination);
		cbor_write_uint(buffer, message->send.precedence);
		cbor_write_uint(buffer, message->send.lifetime_ms);
		cbor_write_bytes(buffer, message->send.sealed);
		cbor_write_text(buffer, message->send.pin);
		break;
	case LINK_CANCEL:
		cbor_write_bytes(buffer, id_bytes(message->cancel.id));
		break;
	case LINK_ROUTE_WANTED:
		cbor_write_text(buffer, message->route_wanted.route);
		cbor_write_bool(buffer, message->route_wanted.hold);
		break;
	case LINK_TAKEN:
		cbor_write_uint(buffer, message->taken.delivery);
		break;
	case LINK_LEFT:
		cbor_write_uint(buffer, message->left.delivery);
		break;
	case LINK_RECEIVED:
		cbor_write_uint(buffer, message->received.delivery);
		cbor_write_text(buffer, message->received.source);
		cbor_write_uint(buffer, message->received.precedence);
		cbor_write_bytes(buffer, message->received.sealed);
		break;
	case LINK_PROGRESS:
		cbor_write_bytes(buffer, id_bytes(message->progress.id));
		cbor_write_uint(buffer, message->progress.state);
		cbor_write_text(buffer, message->progress.route);
		cbor_write_uint(buffer, message->progress.reason);
		break;
	case LINK_ROUTES:
		write_routes(buffer, &message->routes);
		break;
	case LINK_HEAD:
		write_head(buffer, &message->head);
		break;
	case LINK_HEADS:
		write_heads(buffer, &message->heads);
		break;
	}
}

enum error link_encode(struct buffer *buffer, enum link_role from, const struct link_message *message)
{
	struct buffer after = *buffer;
	enum error error = check(from, message);
	size_t mark;

	if (error != ERROR_OK)
		return error;
	frame_begin(&after, &mark);
	cbor_write_array(&after, types[message->type].elements);
	cbor_write_uint(&after, message->type);
	write_elements(&after, message);
	frame_end(&after, mark);
	if (buffer_error(&after) != ERROR_OK)
		return ERROR_FULL;
	*buffer = after;
	return ERROR_OK;
}

/* ---- reading ---- */

static void read_routes(struct cbor_reader *reader, struct link_routes *routes)
{
	routes->count = cbor_read_array(reader, ROUTES_MAX);
	for (size_t i = 0; i < routes->count; i++) {
		struct link_route *route = &routes->routes[i];

		cbor_read_array_exact(reader, 5);
		route->route = cbor_read_text(reader, ROUTE_NAME_SIZE_MAX);
		route->neighbour = cbor_read_text(reader, EID_SIZE_MAX);
		route->state = (enum link_route_state)cbor_read_uint_max(reader, LINK_ROUTE_DOWN);
		route->changed_ms = cbor_read_uint(reader);
		route->queued_size = cbor_read_uint(reader);
	}
	routes->full = cbor_read_bool(reader);
}

static void read_head(struct cbor_reader *reader, struct link_head *head)
{
	cbor_read_array_exact(reader, 4);
	head->origin = cbor_read_text(reader, LINK_ORIGIN_SIZE_MAX);
	head->size = cbor_read_uint(reader);
	cbor_read_bytes_exact(reader, head->root, sizeof head->root);
	cbor_read_bytes_exact(reader, head->signature, sizeof head->signature);
}

static void read_heads(struct cbor_reader *reader, struct link_heads *heads)
{
	heads->count = cbor_read_array(reader, HEADS_KEPT_MAX);
	for (size_t i = 0; i < heads->count; i++)
		read_head(reader, &heads->heads[i]);
}

/* What follows the type. Bounds here only keep a value within its field; check() knows the rules. */
static void read_elements(struct cbor_reader *reader, struct link_message *message)
{
	switch (message->type) {
	case LINK_HELLO:
		message->hello.version = cbor_read_uint(reader);
		message->hello.role = (enum link_role)cbor_read_uint_max(reader, LINK_COURIER);
		message->hello.node = cbor_read_text(reader, EID_SIZE_MAX);
		break;
	case LINK_SEND:
		cbor_read_bytes_exact(reader, message->send.id, LINK_ID_SIZE);
		message->send.destination = cbor_read_text(reader, EID_SIZE_MAX);
		message->send.precedence = (unsigned)cbor_read_uint_max(reader, LINK_PRECEDENCE_MAX);
		message->send.lifetime_ms = cbor_read_uint(reader);
		message->send.sealed = cbor_read_bytes(reader, SEALED_SIZE_MAX);
		message->send.pin = cbor_read_text(reader, ROUTE_NAME_SIZE_MAX);
		break;
	case LINK_CANCEL:
		cbor_read_bytes_exact(reader, message->cancel.id, LINK_ID_SIZE);
		break;
	case LINK_ROUTE_WANTED:
		message->route_wanted.route = cbor_read_text(reader, ROUTE_NAME_SIZE_MAX);
		message->route_wanted.hold = cbor_read_bool(reader);
		break;
	case LINK_TAKEN:
		message->taken.delivery = cbor_read_uint(reader);
		break;
	case LINK_LEFT:
		message->left.delivery = cbor_read_uint(reader);
		break;
	case LINK_RECEIVED:
		message->received.delivery = cbor_read_uint(reader);
		message->received.source = cbor_read_text(reader, EID_SIZE_MAX);
		message->received.precedence = (unsigned)cbor_read_uint_max(reader, LINK_PRECEDENCE_MAX);
		message->received.sealed = cbor_read_bytes(reader, SEALED_SIZE_MAX);
		break;
	case LINK_PROGRESS:
		cbor_read_bytes_exact(reader, message->progress.id, LINK_ID_SIZE);
		message->progress.state = (enum link_copy_state)cbor_read_uint_max(reader, LINK_EXPIRED);
		message->progress.route = cbor_read_text(reader, ROUTE_NAME_SIZE_MAX);
		message->progress.reason = (enum error)cbor_read_uint_max(reader, INT16_MAX);
		break;
	case LINK_ROUTES:
		read_routes(reader, &message->routes);
		break;
	case LINK_HEAD:
		read_head(reader, &message->head);
		break;
	case LINK_HEADS:
		read_heads(reader, &message->heads);
		break;
	}
}

enum error link_decode(struct bytes frame, enum link_role from, struct link_message *message)
{
	struct cbor_reader reader = cbor_reader_make(frame);
	size_t elements = cbor_read_array(&reader, SIZE_MAX);
	uint64_t type = cbor_read_uint(&reader);

	if (cbor_reader_error(&reader) != ERROR_OK)
		return cbor_reader_error(&reader);
	if (!may_send(from, type))
		return ERROR_UNSUPPORTED;
	if (elements != types[type].elements)
		return ERROR_WRONG_TYPE;
	message->type = (enum link_type)type;
	read_elements(&reader, message);
	if (cbor_read_end(&reader) != ERROR_OK)
		return cbor_reader_error(&reader);
	return check(from, message);
}

enum error link_frame_next(struct bytes stream, struct bytes *frame, size_t *size)
{
	return frame_next(stream, LINK_FRAME_SIZE_MAX, frame, size);
}

/* ---- flow control ---- */

bool link_window_open(const struct link_window *window, unsigned precedence, size_t size)
{
	size_t waiting = 0;

	assert(precedence >= 1 && precedence <= LINK_PRECEDENCE_MAX);
	for (unsigned i = precedence; i <= LINK_PRECEDENCE_MAX; i++)
		waiting += window->waiting[i - 1];
	return waiting == 0 || (waiting <= WINDOW_SIZE_MAX && size <= WINDOW_SIZE_MAX - waiting);
}

void link_window_sent(struct link_window *window, unsigned precedence, size_t size)
{
	assert(precedence >= 1 && precedence <= LINK_PRECEDENCE_MAX);
	window->waiting[precedence - 1] += size;
}

void link_window_answered(struct link_window *window, unsigned precedence, size_t size)
{
	assert(precedence >= 1 && precedence <= LINK_PRECEDENCE_MAX);
	assert(size <= window->waiting[precedence - 1]);
	window->waiting[precedence - 1] -= size;
}
