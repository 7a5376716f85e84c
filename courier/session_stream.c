#include "courier/session_internal.h"

#include <stdlib.h>
#include <string.h>

#define CLOSE_TIMEOUT_MS 2000 /* for the last bytes, and both FINs */

uint64_t session_now_ms(const struct session *session)
{
	return uv_now(session->tcp.loop);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct session *session = handle->data;

	if (--session->handles_open > 0)
		return;
	tls_free(session->tls);
	free(session->incoming);
	free(session->outgoing);
	free(session);
}

static void close_handles(struct session *session)
{
	if (session->phase == PHASE_CLOSING)
		return;
	session->phase = PHASE_CLOSING;
	session->owner->closed(session->owner->context, session, session->error, session->detail);
	uv_close((uv_handle_t *)&session->tcp, on_closed);
	uv_close((uv_handle_t *)&session->timer, on_closed);
}

void session_end(struct session *session, enum error error, const char *detail)
{
	if (session->phase >= PHASE_FLUSHING)
		return;
	session->error = error;
	session->detail = detail;
	close_handles(session);
}

void session_cut(struct session *session, const char *detail)
{
	session_end(session, ERROR_CLOSED, detail);
	/* One whose end had begun keeps the reason of that, but waits no longer for its last bytes. */
	close_handles(session);
}

static void on_close_timeout(uv_timer_t *timer)
{
	close_handles(timer->data);
}

static void on_alloc_last(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct session *session = handle->data;

	(void)suggested;
	*buffer = uv_buf_init((char *)session->cipher, sizeof session->cipher);
}

static void on_read_last(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	(void)buffer;
	if (size < 0)
		close_handles(stream->data);
}

/*
 * Our FIN is sent. Closing now, with bytes of the peer unread, would send a reset that may overtake what we
 * said last; so what still comes is read and thrown away until the peer's FIN, or the timer.
 */
static void on_shutdown(uv_shutdown_t *request, int status)
{
	struct session *session = request->data;

	if (session->phase != PHASE_SHUTTING)
		return;
	if (status < 0 || uv_read_start((uv_stream_t *)&session->tcp, on_alloc_last, on_read_last) != 0)
		close_handles(session);
}

static void shut(struct session *session)
{
	session->phase = PHASE_SHUTTING;
	session->shutdown.data = session;
	if (uv_shutdown(&session->shutdown, (uv_stream_t *)&session->tcp, on_shutdown) != 0)
		close_handles(session);
}

/* The machine gave CLOSE: what stands in its output is still sent. */
void session_begin_close(struct session *session, enum error error, const char *detail)
{
	if (session->phase >= PHASE_FLUSHING)
		return;
	session->error = error;
	session->detail = detail;
	session->phase = PHASE_FLUSHING;
	uv_read_stop((uv_stream_t *)&session->tcp);
	session->reading = false;
	uv_timer_start(&session->timer, on_close_timeout, CLOSE_TIMEOUT_MS, 0);
}

/* A session that never began: nobody was told of it, so nobody is told of its end. */
void session_unmake(struct session *session)
{
	session->phase = PHASE_CLOSING;
	uv_close((uv_handle_t *)&session->tcp, on_closed);
	uv_close((uv_handle_t *)&session->timer, on_closed);
}

/* ---- sending ---- */

static void on_written(uv_write_t *request, int status)
{
	struct session *session = request->data;

	session->writing = false;
	if (status < 0) {
		if (session->phase == PHASE_FLUSHING)
			close_handles(session);
		else
			session_end(session, ERROR_CLOSED, "the connection broke while sending");
		return;
	}
	session_pump(session);
}

/* What was said before TLS goes as it is; then TLS. Returns the bytes put into `wire`. */
static size_t fill_wire(struct session *session)
{
	size_t size = session->output.size;

	if (session->tls == NULL || session->plain_left > 0) {
		if (session->tls != NULL)
			size = session->plain_left;
		memcpy(session->wire, session->output.data, size);
		buffer_consume(&session->output, size);
		session->plain_left = 0;
		return size;
	}
	if (size > 0 && session->tls_open) {
		if (tls_write(session->tls, buffer_bytes(&session->output)) != ERROR_OK)
			session_end(session, ERROR_IO, "TLS failed while sending");
		buffer_consume(&session->output, size);
	}
	if (session->phase == PHASE_FLUSHING && session->tls_open)
		tls_end(session->tls);
	return tls_send(session->tls, session->wire, sizeof session->wire);
}

/* Hands bytes to the kernel, one write at a time. True if it took some out of the output. */
static bool flush(struct session *session)
{
	if (session->writing || (session->phase != PHASE_TALKING && session->phase != PHASE_FLUSHING))
		return false;

	size_t size = fill_wire(session);
	uv_buf_t wire = uv_buf_init((char *)session->wire, (unsigned)size);

	if (session->phase == PHASE_CLOSING)
		return false;
	if (size == 0) {
		if (session->phase == PHASE_FLUSHING)
			shut(session);
		return false;
	}
	session->write.data = session;
	session->writing = true;
	if (uv_write(&session->write, (uv_stream_t *)&session->tcp, &wire, 1, on_written) != 0) {
		session->writing = false;
		session_end(session, ERROR_CLOSED, "the connection broke while sending");
	}
	return true;
}

/* The further segments of a transfer keep to the window; its first was the owner's decision. */
static void send_segments(struct session *session)
{
	bool done = false;

	while (session->outgoing != NULL && tcpcl_is_sending(&session->machine)) {
		uint64_t waiting = tcpcl_unacknowledged(&session->machine);

		if (waiting > 0 && waiting + tcpcl_segment_room(&session->machine) > WINDOW_SIZE_MAX)
			return;
		if (tcpcl_transfer_continue(&session->machine, session_now_ms(session),
			    bytes_make(session->outgoing, session->outgoing_size), &done,
			    &session->output) != ERROR_OK)
			return;
	}
	/* Sent to its end, or refused on the way. */
	free(session->outgoing);
	session->outgoing = NULL;
}

/* ---- reading ---- */

/* Goes on with the TLS handshake; true when plaintext may pass. */
static bool advance_tls(struct session *session)
{
	struct bytes node_id = bytes_make(NULL, 0);
	const struct config_neighbour *proven;

	if (session->tls_open)
		return true;
	switch (tls_advance(session->tls)) {
	case TLS_SHAKING:
		return false;
	case TLS_OPEN:
		break;
	default:
		/* The alert that TLS wrote is sent (behind the contact header, if that still waits): nothing
		 * of TCPCL can be said. */
		session_begin_close(session, ERROR_UNKNOWN_KEY, tls_problem(session->tls));
		return false;
	}
	session->tls_open = true;
	proven = tls_neighbour(session->tls);
	if (proven != NULL)
		node_id = bytes_of_text(proven->node);
	tcpcl_tls_done(&session->machine, session_now_ms(session), node_id, &session->output);
	return true;
}

/* Fetches plaintext from TLS if the last is used up. */
static void fetch(struct session *session)
{
	if (session->tls == NULL || session->input_size > 0 || !advance_tls(session))
		return;
	session->input_size = tls_read(session->tls, session->input, sizeof session->input);
	if (session->input_size > 0)
		return;
	switch (tls_advance(session->tls)) {
	case TLS_FAILED:
		session_end(session, ERROR_UNKNOWN_KEY, tls_problem(session->tls));
		break;
	case TLS_ENDED:
		session_end(session, ERROR_CLOSED, "the peer closed the connection");
		break;
	default:
		break;
	}
}

/* Lets the machine read, one event at a time. True if it made any progress. */
static bool read_on(struct session *session)
{
	bool progress = false;

	while (session->phase == PHASE_TALKING) {
		struct tcpcl_event event;
		size_t consumed;

		fetch(session);
		if (session->phase != PHASE_TALKING)
			break;
		consumed = tcpcl_input(&session->machine, session_now_ms(session),
			bytes_make(session->input, session->input_size), &event, &session->output);
		/* The event may point into the input: it is handled first. */
		if (event.kind != TCPCL_EVENT_START_TLS)
			session_handle(session, &event);
		memmove(session->input, session->input + consumed, session->input_size - consumed);
		session->input_size -= consumed;
		if (event.kind == TCPCL_EVENT_START_TLS)
			session_handle(session, &event);
		if (consumed == 0 && event.kind == TCPCL_EVENT_NONE)
			break;
		progress = true;
	}
	return progress;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct session *session = handle->data;

	(void)suggested;
	if (session->tls != NULL)
		*buffer = uv_buf_init((char *)session->cipher, sizeof session->cipher);
	else
		*buffer = uv_buf_init((char *)session->input + session->input_size,
			(unsigned)(sizeof session->input - session->input_size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct session *session = stream->data;

	if (size < 0) {
		session_end(session, ERROR_CLOSED,
			size == UV_EOF ? "the peer closed the connection" : "the connection broke");
		return;
	}
	if (session->tls != NULL) {
		if (tls_receive(session->tls, bytes_make(buffer->base, (size_t)size)) != ERROR_OK) {
			session_end(session, ERROR_NO_MEMORY, "there is no memory for TLS");
			return;
		}
	} else {
		session->input_size += (size_t)size;
	}
	session_pump(session);
}

/*
 * Reads on only while there is room: what the machine cannot take stays in the kernel and with the peer. TLS
 * has answers of its own (to KeyUpdate): for a peer that asks for them and does not read no more are made.
 */
static void set_reading(struct session *session)
{
	bool want = session->tls == NULL ? session->input_size < SESSION_INPUT_SIZE_MAX :
					   session->input_size == 0 &&
			tls_waiting(session->tls) <= SESSION_WIRE_SIZE_MAX;

	if (want && !session->reading)
		session->reading = uv_read_start((uv_stream_t *)&session->tcp, on_alloc, on_read) == 0;
	else if (!want && session->reading) {
		uv_read_stop((uv_stream_t *)&session->tcp);
		session->reading = false;
	}
}

static void on_timer(uv_timer_t *timer)
{
	session_pump(timer->data);
}

static void set_timer(struct session *session)
{
	uint64_t deadline = tcpcl_deadline(&session->machine);
	uint64_t now = session_now_ms(session);

	if (deadline != UINT64_MAX)
		uv_timer_start(&session->timer, on_timer, deadline > now ? deadline - now : 1, 0);
	else
		uv_timer_stop(&session->timer);
}

static void tick(struct session *session)
{
	struct tcpcl_event event;

	if (session->phase != PHASE_TALKING)
		return;
	tcpcl_tick(&session->machine, session_now_ms(session), &event, &session->output);
	session_handle(session, &event);
}

/* Everything that can go on goes on, until nothing can. Calls from within its own callbacks only say "again".
 */
void session_pump(struct session *session)
{
	bool progress;

	if (session->pumping) {
		session->pump_again = true;
		return;
	}
	if (session->phase != PHASE_TALKING && session->phase != PHASE_FLUSHING)
		return;
	session->pumping = true;
	do {
		session->pump_again = false;
		progress = read_on(session);
		tick(session);
		send_segments(session);
		progress = flush(session) || progress;
	} while ((progress || session->pump_again) && session->phase == PHASE_TALKING);
	session->pumping = false;
	if (session->phase != PHASE_TALKING)
		return;
	set_reading(session);
	set_timer(session);
	if (tcpcl_is_established(&session->machine))
		session->owner->ready(session->owner->context, session);
}
