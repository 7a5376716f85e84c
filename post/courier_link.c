#include "post/courier_link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "post/peer.h"

void courier_link_make(struct courier_link *link, int listener, struct logger *logger, struct bytes node)
{
	*link = (struct courier_link){.listener = listener, .logger = logger, .node = node, .fd = -1};
}

static void forget_routes(struct courier_link *link)
{
	free((void *)(uintptr_t)link->routes_frame.data);
	free(link->routes);
	link->routes_frame = bytes_make(NULL, 0);
	link->routes = NULL;
}

void courier_link_end(struct courier_link *link, enum error reason, const char *text, uint64_t steady_ms)
{
	if (link->fd < 0)
		return;
	if (reason != ERROR_OK)
		logger_refusal(link->logger, steady_ms, reason, bytes_of_text(text));
	close(link->fd);
	link->fd = -1;
	link->lost = link->lost || link->greeted;
	link->greeted = false;
	link->heads_told = false;
	link->heads_next = false;
	memset(link->left, 0, sizeof link->left);
	stream_free(&link->in);
	stream_free(&link->out);
	link->window = (struct link_window){0};
	link->copies_count = 0;
	forget_routes(link);
}

void courier_link_close(struct courier_link *link)
{
	courier_link_end(link, ERROR_OK, "", 0);
}

bool courier_link_is_up(const struct courier_link *link)
{
	return link->fd >= 0 && link->greeted;
}

/* ---- to the courier ---- */

/* A frame of ours that cannot be encoded is our own mistake, but no reason to stop the post. */
static bool queue(struct courier_link *link, const struct link_message *message, uint64_t steady_ms)
{
	uint8_t memory[LINK_FRAME_SIZE_MAX + FRAME_HEAD_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof memory);
	bool was_empty = stream_bytes(&link->out).size == 0;
	enum error error = link_encode(&buffer, LINK_POST, message);

	if (error != ERROR_OK) {
		logger_refusal(link->logger, steady_ms, error, bytes_of_text("a message to the courier"));
		return false;
	}
	error = stream_append(&link->out, buffer_bytes(&buffer));
	if (error != ERROR_OK) {
		courier_link_end(link, error, "the courier does not read", steady_ms);
		return false;
	}
	if (was_empty)
		link->moved_ms = steady_ms;
	return true;
}

bool courier_link_room(const struct courier_link *link, struct link_window *window, size_t *copies_max)
{
	if (!courier_link_is_up(link) || !link->heads_told || link->lost ||
	    link->copies_count == COURIER_COPIES_MAX)
		return false;
	*window = link->window;
	*copies_max = COURIER_COPIES_MAX - link->copies_count;
	return true;
}

void courier_link_send(struct courier_link *link, const struct record_action *action, uint64_t steady_ms)
{
	struct link_message message = {.type = LINK_SEND};
	struct courier_copy *copy = &link->copies[link->copies_count];

	/* What was named for a connection that has ended is named again after RECORD_COURIER_LOST. */
	if (!courier_link_is_up(link) || link->lost)
		return;
	assert(link->copies_count < COURIER_COPIES_MAX);
	memcpy(message.send.id, action->copy, sizeof message.send.id);
	message.send.destination = action->node;
	message.send.precedence = action->precedence;
	message.send.lifetime_ms = action->lifetime_ms;
	message.send.sealed = action->bytes;
	if (!queue(link, &message, steady_ms))
		return;
	memcpy(copy->id, action->copy, sizeof copy->id);
	copy->precedence = action->precedence;
	copy->size = action->bytes.size;
	link->copies_count++;
	link_window_sent(&link->window, copy->precedence, copy->size);
}

void courier_link_cancel(struct courier_link *link, const uint8_t copy[LINK_ID_SIZE], uint64_t steady_ms)
{
	struct link_message message = {.type = LINK_CANCEL};

	memcpy(message.cancel.id, copy, sizeof message.cancel.id);
	if (courier_link_is_up(link))
		queue(link, &message, steady_ms);
}

void courier_link_head(struct courier_link *link, const struct record_action *action, uint64_t steady_ms)
{
	struct link_message message = {.type = LINK_HEAD};

	assert(action->bytes.size == sizeof message.head.root + sizeof message.head.signature);
	message.head.origin = action->node;
	message.head.size = action->size;
	memcpy(message.head.root, action->bytes.data, sizeof message.head.root);
	memcpy(message.head.signature, action->bytes.data + sizeof message.head.root,
	       sizeof message.head.signature);
	/* Before HEADS it could take the place of one that tells of a rollback; after them it is given. */
	if (courier_link_is_up(link) && link->heads_told)
		queue(link, &message, steady_ms);
}

void courier_link_taken(struct courier_link *link, uint64_t delivery, uint64_t steady_ms)
{
	const struct link_message message = {.type = LINK_TAKEN, .taken = {.delivery = delivery}};

	if (courier_link_is_up(link))
		queue(link, &message, steady_ms);
}

void courier_link_left(struct courier_link *link, const struct record_action *action, uint64_t steady_ms)
{
	const struct link_message message = {.type = LINK_LEFT, .left = {.delivery = action->number}};

	if (!courier_link_is_up(link))
		return;
	link->left[action->precedence - 1]++;
	queue(link, &message, steady_ms);
}

bool courier_link_has_left(const struct courier_link *link, unsigned precedence)
{
	for (unsigned i = precedence; i <= LINK_PRECEDENCE_MAX; i++)
		if (link->left[i - 1] > 0)
			return true;
	return false;
}

void courier_link_flush(struct courier_link *link, uint64_t steady_ms)
{
	size_t before = stream_bytes(&link->out).size;

	if (link->fd < 0 || before == 0)
		return;
	if (stream_write(&link->out, link->fd) != ERROR_OK)
		courier_link_end(link, ERROR_OK, "", steady_ms);
	else if (stream_bytes(&link->out).size < before)
		link->moved_ms = steady_ms;
}

/* ---- from the courier ---- */

/* The first PROGRESS of a copy answers it; later ones, and those of copies of earlier connections, find
 * nothing. */
static void answer_copy(struct courier_link *link, const uint8_t id[LINK_ID_SIZE])
{
	for (size_t i = 0; i < link->copies_count; i++) {
		struct courier_copy *copy = &link->copies[i];

		if (memcmp(copy->id, id, LINK_ID_SIZE) != 0)
			continue;
		link_window_answered(&link->window, copy->precedence, copy->size);
		*copy = link->copies[--link->copies_count];
		return;
	}
}

/* Keeps a copy of the frame: the views of the routes point into it. */
static enum error keep_routes(struct courier_link *link, struct bytes frame)
{
	struct link_message *message = malloc(sizeof *message);
	struct link_routes *routes = malloc(sizeof *routes);
	uint8_t *copy = malloc(frame.size);
	enum error error = ERROR_NO_MEMORY;

	if (message != NULL && routes != NULL && copy != NULL) {
		memcpy(copy, frame.data, frame.size);
		error = link_decode(bytes_make(copy, frame.size), LINK_COURIER, message);
	}
	if (error == ERROR_OK) {
		forget_routes(link);
		*routes = message->routes;
		link->routes = routes;
		link->routes_frame = bytes_make(copy, frame.size);
	} else {
		free(routes);
		free(copy);
	}
	free(message);
	return error;
}

static enum error take_hello(struct courier_link *link)
{
	if (link->greeted)
		return ERROR_NOT_NOW;
	link->greeted = true;
	return ERROR_OK;
}

/* Deals with what the record need not see. *pass: the record must. */
static enum error look_at(struct courier_link *link, struct bytes frame, struct link_message *message,
			  bool *pass)
{
	enum error error = link_decode(frame, LINK_COURIER, message);

	*pass = false;
	if (error != ERROR_OK)
		return error;
	if (message->type == LINK_HELLO)
		return take_hello(link);
	if (!link->greeted)
		return ERROR_NOT_NOW;
	if (message->type == LINK_ROUTES)
		return keep_routes(link, frame);
	*pass = message->type == LINK_RECEIVED || message->type == LINK_PROGRESS ||
		message->type == LINK_HEADS;
	if (message->type == LINK_PROGRESS)
		answer_copy(link, message->progress.id);
	link->heads_next = message->type == LINK_HEADS;
	return *pass ? ERROR_OK : ERROR_UNSUPPORTED;
}

bool courier_link_next(struct courier_link *link, uint64_t steady_ms, struct link_message *message,
		       size_t *size)
{
	/* The record first learns that the last connection has ended. */
	while (link->fd >= 0 && !link->lost && stream_bytes(&link->in).size != 0) {
		struct bytes frame;
		enum error error = link_frame_next(stream_bytes(&link->in), &frame, size);
		bool pass = false;

		if (error == ERROR_TRUNCATED)
			return false;
		if (error == ERROR_OK)
			error = look_at(link, frame, message, &pass);
		if (error != ERROR_OK)
			courier_link_end(link, error, "a message from the courier", steady_ms);
		else if (pass)
			return true;
		else
			courier_link_took(link, *size);
	}
	return false;
}

void courier_link_took(struct courier_link *link, size_t size)
{
	stream_consume(&link->in, size);
	link->heads_told = link->heads_told || link->heads_next;
	link->heads_next = false;
}

/* ---- connections ---- */

static void greet(struct courier_link *link, uint64_t steady_ms)
{
	const struct link_message hello = {
		.type = LINK_HELLO,
		.hello = {.version = LINK_VERSION, .role = LINK_POST, .node = link->node},
	};

	queue(link, &hello, steady_ms);
}

static void accept_courier(struct courier_link *link, uint64_t steady_ms)
{
	int fd;
	enum error error = peer_accept(link->listener, &fd);

	if (error == ERROR_NOT_FOUND)
		return;
	if (error != ERROR_OK) {
		logger_refusal(link->logger, steady_ms, error,
			       bytes_of_text("a process of another user at the courier's socket"));
		return;
	}
	if (link->fd >= 0) {
		close(fd);
		logger_refusal(link->logger, steady_ms, ERROR_EXISTS,
			       bytes_of_text("a second courier, while one is connected"));
		return;
	}
	link->fd = fd;
	link->moved_ms = steady_ms;
	link->in = stream_make(LINK_FRAME_SIZE_MAX + FRAME_HEAD_SIZE + COURIER_READ_SIZE);
	link->out = stream_make(COURIER_OUT_SIZE_MAX);
	greet(link, steady_ms);
}

/* True while there is room for the largest frame: else the loop is behind and the courier waits. */
static bool wants_to_read(const struct courier_link *link)
{
	return stream_room(&link->in) >= COURIER_READ_SIZE;
}

size_t courier_link_poll(const struct courier_link *link, struct pollfd *polls)
{
	short events = 0;

	polls[0] = (struct pollfd){.fd = link->listener, .events = POLLIN};
	if (link->fd < 0)
		return 1;
	if (wants_to_read(link))
		events |= POLLIN;
	if (stream_bytes(&link->out).size != 0)
		events |= POLLOUT;
	polls[1] = (struct pollfd){.fd = link->fd, .events = events};
	return 2;
}

void courier_link_turn(struct courier_link *link, const struct pollfd *polls, size_t count,
		       uint64_t steady_ms)
{
	if (count == 2 && polls[1].fd == link->fd) {
		if ((polls[1].revents & POLLOUT) != 0)
			courier_link_flush(link, steady_ms);
		if (link->fd >= 0 && (polls[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		    wants_to_read(link)) {
			enum error error = stream_read(&link->in, link->fd, COURIER_READ_SIZE);

			if (error != ERROR_OK)
				courier_link_end(link, error == ERROR_CLOSED ? ERROR_OK : error,
						 "the courier", steady_ms);
		}
	}
	if ((polls[0].revents & POLLIN) != 0)
		accept_courier(link, steady_ms);
}

void courier_link_tick(struct courier_link *link, uint64_t steady_ms)
{
	if (link->fd < 0 || steady_ms - link->moved_ms < COURIER_STALL_MS)
		return;
	if (!link->greeted)
		courier_link_end(link, ERROR_TIMED_OUT, "a courier that says nothing", steady_ms);
	else if (stream_bytes(&link->out).size != 0)
		courier_link_end(link, ERROR_TIMED_OUT, "the courier does not read", steady_ms);
}
