/*
 * What to send: the queue is asked for the post and for each route, until it or the window says no.
 */
#include "courier/courier.h"

/* queue_next in the loop of base/rows.h. */
static enum error next_bundle(struct courier *courier, unsigned index, struct queue_transfer *transfer,
			      struct buffer *bundle)
{
	struct session *session = courier->routes[index].session;
	enum error error;

	do {
		if (!dispatch_load(courier))
			return ERROR_CLOSED;
		rows_begin(&courier->rows);
		*bundle = buffer_make(courier->bundle, sizeof courier->bundle);
		error = queue_next(&courier->queue, &courier->rows, index, courier_steady_ms(),
				   (size_t)session_transfer_size_max(session), transfer, bundle);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&courier->rows);
	return error;
}

/* Sends one bundle by a route. False: not now. */
static bool feed_one(struct courier *courier, unsigned index)
{
	struct route *route = &courier->routes[index];
	struct queue_transfer transfer;
	struct buffer bundle;
	uint64_t number;

	switch (next_bundle(courier, index, &transfer, &bundle)) {
	case ERROR_OK:
		break;
	case ERROR_NOT_NOW:
		courier->blocked = true;
		return false;
	case ERROR_TOO_LARGE:
	case ERROR_UNSUPPORTED:
		queue_begun(&courier->queue, &transfer);
		dispatch_note_transfer(courier, transfer.number, QUEUE_REFUSED, TCPCL_REFUSE_NOT_ACCEPTABLE);
		return true;
	case ERROR_FULL:
		rows_reset(&courier->rows); /* reads of other routes: nothing of them is needed any more */
		return true;
	case ERROR_MALFORMED:
		courier_fail(courier, QUEUE_SPOILT);
		return false;
	default:
		return false;
	}
	if (session_send(route->session, buffer_bytes(&bundle), &number) != ERROR_OK)
		return false;
	if (route->flight_count == 0)
		route->progress_ms = uv_now(&courier->loop);
	queue_begun(&courier->queue, &transfer);
	route->flights[route->flight_count++] = (struct flight){
		.session = route->session,
		.transfer = number,
		.number = transfer.number,
	};
	return true;
}

static void feed_route(struct courier *courier, unsigned index)
{
	struct route *route = &courier->routes[index];
	bool sent = false;

	while (route->session != NULL && !route->held && route->flight_count < FLIGHTS_MAX &&
	       session_may_send(route->session, 1) && feed_one(courier, index))
		sent = true;
	if (sent && route->session != NULL)
		session_flush(route->session);
}

static enum error next_delivery(struct courier *courier, struct link_received *delivery)
{
	enum error error;

	do {
		if (!dispatch_load(courier))
			return ERROR_CLOSED;
		rows_begin(&courier->rows);
		error = queue_next_delivery(&courier->queue, &courier->rows, delivery);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&courier->rows);
	return error;
}

bool dispatch_tell_post(struct courier *courier, const struct link_message *message)
{
	enum error error = post_link_send(courier->post, message);

	if (error != ERROR_OK && error != ERROR_CLOSED && error != ERROR_FULL)
		courier_fail(courier, QUEUE_SPOILT);
	return error == ERROR_OK;
}

static void feed_post(struct courier *courier)
{
	struct link_message message = {.type = LINK_RECEIVED};

	while (courier->post != NULL && post_link_is_up(courier->post)) {
		enum error error = next_delivery(courier, &message.received);

		if (error == ERROR_FULL) {
			rows_reset(&courier->rows);
			continue;
		}
		if (error == ERROR_MALFORMED)
			courier_fail(courier, QUEUE_SPOILT);
		courier->blocked = courier->blocked || error == ERROR_NOT_NOW;
		if (error != ERROR_OK || !dispatch_tell_post(courier, &message))
			break;
		queue_delivery_given(&courier->queue, &message.received);
	}
}

void dispatch_feed(struct courier *courier)
{
	courier->feeding = false;
	courier->blocked = false;
	courier->rows_used = true;
	feed_post(courier);
	for (unsigned i = 0; i < courier->config.neighbour_count; i++)
		feed_route(courier, i);
	rows_settle(&courier->rows);
}

void dispatch_tell_heads(struct courier *courier)
{
	struct link_message *message = calloc(1, sizeof *message);
	enum error error = message == NULL ? ERROR_NO_MEMORY : ERROR_NEEDS_ROWS;

	while (error == ERROR_NEEDS_ROWS) {
		if (!dispatch_load(courier))
			break;
		rows_begin(&courier->rows);
		error = queue_read_heads(&courier->rows, &message->heads);
	}
	if (error == ERROR_OK) {
		message->type = LINK_HEADS;
		(void)dispatch_tell_post(courier, message);
	} else if (error != ERROR_NEEDS_ROWS) { /* the post hands over nothing before */
		courier_fail(courier, message == NULL ? "there is no memory left" : QUEUE_SPOILT);
	}
	free(message);
	rows_undo(&courier->rows);
	rows_reset(&courier->rows);
}

uint64_t dispatch_queued(struct courier *courier, unsigned route)
{
	struct queue_class classes[QUEUE_CLASSES];
	uint64_t size = 0;
	enum error error;

	do {
		if (!dispatch_load(courier))
			return 0;
		rows_begin(&courier->rows);
		error = queue_read_route(&courier->queue, &courier->rows, route, classes);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&courier->rows);
	for (unsigned i = 0; error == ERROR_OK && i < QUEUE_CLASSES; i++)
		size += classes[i].size;
	rows_reset(&courier->rows);
	return size;
}
