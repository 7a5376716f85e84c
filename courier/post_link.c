#include "courier/post_link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "courier/connector.h"

#define INPUT_SIZE_MAX (LINK_FRAME_SIZE_MAX + 4)
#define OUTPUT_SIZE_MAX (4 * LINK_FRAME_SIZE_MAX) /* hints pile up while the post is at its own commit */
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 2000 /* a post is on the same table: its start should be noticed at once */

struct post_link {
	uv_loop_t *loop;
	uv_poll_t channel_poll;
	uv_timer_t timer;
	uv_pipe_t pipe;
	uv_write_t write;
	const struct post_link_owner *owner;
	const char *node_id;
	int channel;
	bool pipe_open; /* the handle is in use, until its close callback */
	bool connected; /* bytes may be sent */
	bool up;        /* the post said HELLO */
	bool held;      /* the owner said "not now" */
	bool reading;
	bool writing;
	bool closing; /* for good */
	bool taking;  /* in take_frames */
	uint64_t pause_ms;
	uint8_t input[INPUT_SIZE_MAX];
	size_t input_size;
	uint8_t output_memory[OUTPUT_SIZE_MAX];
	struct buffer output;
	uint8_t wire[65536];
};

static void ask(struct post_link *link);

static void on_pause_over(uv_timer_t *timer)
{
	ask(timer->data);
}

/* Asks the connector again after a pause, which doubles each time. */
static void ask_later(struct post_link *link)
{
	if (link->closing)
		return;
	uv_timer_start(&link->timer, on_pause_over, link->pause_ms, 0);
	link->pause_ms = 2 * link->pause_ms < PAUSE_MAX_MS ? 2 * link->pause_ms : PAUSE_MAX_MS;
}

static void on_pipe_closed(uv_handle_t *handle)
{
	struct post_link *link = handle->data;

	link->pipe_open = false;
	link->writing = false;
	ask_later(link);
}

static void break_off(struct post_link *link, const char *detail)
{
	bool was_up = link->up;

	if (!link->connected)
		return;
	link->connected = false;
	link->up = false;
	link->held = false;
	link->reading = false;
	link->input_size = 0;
	link->output.size = 0;
	link->output.failed = false;
	uv_close((uv_handle_t *)&link->pipe, on_pipe_closed);
	if (was_up)
		link->owner->down(link->owner->context, detail);
}

static void lose(struct post_link *link)
{
	if (!link->closing)
		link->owner->lost(link->owner->context);
}

static void ask(struct post_link *link)
{
	if (!link->closing && connector_ask(link->channel) != ERROR_OK)
		lose(link);
}

/* ---- reading ---- */

static bool take_hello(struct post_link *link, const struct link_message *message)
{
	if (link->up || message->type != LINK_HELLO)
		return false;
	link->up = true;
	link->pause_ms = PAUSE_FIRST_MS;
	link->owner->up(link->owner->context);
	return true;
}

/* One frame; false when the owner holds it, or the link is broken off. */
static bool take_frame(struct post_link *link, struct bytes frame)
{
	struct link_message message;

	if (link_decode(frame, LINK_POST, &message) != ERROR_OK) {
		break_off(link, "the post sent what is not a message of the link");
		return false;
	}
	if (message.type == LINK_HELLO || !link->up) {
		if (take_hello(link, &message))
			return true;
		break_off(link, "the post did not begin with one HELLO");
		return false;
	}
	link->held = !link->owner->message(link->owner->context, &message);
	return !link->held && link->connected;
}

static void set_reading(struct post_link *link);

static void take_frames(struct post_link *link)
{
	size_t at = 0;

	if (link->taking)
		return;
	link->taking = true;
	while (link->connected && !link->held) {
		struct bytes frame;
		size_t size;
		enum error error = link_frame_next(
			bytes_make(link->input + at, link->input_size - at), &frame, &size);

		if (error == ERROR_TRUNCATED)
			break;
		if (error != ERROR_OK) {
			break_off(link, "the post sent a frame that is too large");
			break;
		}
		if (!take_frame(link, frame))
			break;
		at += size;
	}
	link->taking = false;
	if (!link->connected)
		return;
	memmove(link->input, link->input + at, link->input_size - at);
	link->input_size -= at;
	set_reading(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct post_link *link = handle->data;

	(void)suggested;
	*buffer = uv_buf_init(
		(char *)link->input + link->input_size, (unsigned)(sizeof link->input - link->input_size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct post_link *link = stream->data;

	(void)buffer;
	if (size < 0) {
		break_off(link, "the post closed the link");
		return;
	}
	link->input_size += (size_t)size;
	take_frames(link);
}

static void set_reading(struct post_link *link)
{
	bool want = !link->held && link->input_size < sizeof link->input;

	if (want && !link->reading)
		link->reading = uv_read_start((uv_stream_t *)&link->pipe, on_alloc, on_read) == 0;
	else if (!want && link->reading) {
		uv_read_stop((uv_stream_t *)&link->pipe);
		link->reading = false;
	}
}

void post_link_break(struct post_link *link, const char *detail)
{
	break_off(link, detail);
}

void post_link_resume(struct post_link *link)
{
	if (!link->held)
		return;
	link->held = false;
	take_frames(link);
}

/* ---- sending ---- */

static void on_written(uv_write_t *request, int status)
{
	struct post_link *link = request->data;

	link->writing = false;
	if (status == UV_ECANCELED)
		return;
	if (status < 0)
		break_off(link, "the link broke while sending");
	else
		post_link_flush(link);
}

void post_link_flush(struct post_link *link)
{
	size_t size = link->output.size < sizeof link->wire ? link->output.size : sizeof link->wire;
	uv_buf_t wire = uv_buf_init((char *)link->wire, (unsigned)size);

	if (!link->connected || link->writing || size == 0)
		return;
	memcpy(link->wire, link->output.data, size);
	buffer_consume(&link->output, size);
	link->write.data = link;
	link->writing = true;
	if (uv_write(&link->write, (uv_stream_t *)&link->pipe, &wire, 1, on_written) != 0) {
		link->writing = false;
		break_off(link, "the link broke while sending");
	}
}

enum error post_link_send(struct post_link *link, const struct link_message *message)
{
	enum error error;

	if (!link->up)
		return ERROR_CLOSED;
	error = link_encode(&link->output, LINK_COURIER, message);
	if (error == ERROR_FULL)
		break_off(link, "the post does not read");
	return error;
}

bool post_link_has_room(const struct post_link *link, size_t size)
{
	return !link->up || link->output.size + size <= OUTPUT_SIZE_MAX / 2;
}

static void say_hello(struct post_link *link)
{
	struct link_message message = {
		.type = LINK_HELLO,
		.hello =
			{
				.version = LINK_VERSION,
				.role = LINK_COURIER,
				.node = bytes_of_text(link->node_id),
			},
	};

	link_encode(&link->output, LINK_COURIER, &message);
	post_link_flush(link);
}

/* ---- connecting ---- */

static void begin(struct post_link *link, int connection)
{
	if (link->pipe_open || link->closing) {
		close(connection);
		return;
	}
	uv_pipe_init(link->loop, &link->pipe, 0);
	link->pipe.data = link;
	link->pipe_open = true;
	link->connected = true;
	if (uv_pipe_open(&link->pipe, connection) != 0) {
		close(connection);
		break_off(link, "the connection cannot be used");
		return;
	}
	set_reading(link);
	say_hello(link);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct post_link *link = poll->data;
	int connection = -1;
	int number = 0;

	(void)status;
	(void)events;
	switch (connector_answer(link->channel, &connection, &number)) {
	case ERROR_OK:
		begin(link, connection);
		break;
	case ERROR_NOT_NOW:
		break;
	case ERROR_IO:
		link->owner->absent(link->owner->context, number);
		ask_later(link);
		break;
	default:
		uv_poll_stop(poll);
		lose(link);
		break;
	}
}

struct post_link *post_link_make(
	uv_loop_t *loop, int channel, const char *node_id, const struct post_link_owner *owner)
{
	struct post_link *link = calloc(1, sizeof *link);

	if (link == NULL)
		return NULL;
	link->loop = loop;
	link->channel = channel;
	link->node_id = node_id;
	link->owner = owner;
	link->pause_ms = PAUSE_FIRST_MS;
	link->output = buffer_make(link->output_memory, sizeof link->output_memory);
	uv_timer_init(loop, &link->timer);
	uv_poll_init(loop, &link->channel_poll, channel);
	link->timer.data = link;
	link->channel_poll.data = link;
	uv_poll_start(&link->channel_poll, UV_READABLE, on_channel);
	ask(link);
	return link;
}

void post_link_close(struct post_link *link)
{
	if (link->closing)
		return;
	link->closing = true;
	break_off(link, "this courier stops");
	uv_close((uv_handle_t *)&link->timer, NULL);
	uv_close((uv_handle_t *)&link->channel_poll, NULL);
}

void post_link_free(struct post_link *link)
{
	if (link == NULL)
		return;
	close(link->channel);
	free(link);
}

bool post_link_is_up(const struct post_link *link)
{
	return link->up;
}
