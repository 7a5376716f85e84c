#include "courier/session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "courier/session_internal.h"

#define DEAD_LINE_MS 20000 /* bytes that the other end's kernel has not seen for so long: the line is dead   \
			    */

/* ---- the machine's events ---- */

static void start_tls(struct session *session)
{
	session->tls = tls_make(session->tls_context, session->dialed ? session->neighbour : NULL);
	if (session->tls == NULL) {
		session_end(session, ERROR_NO_MEMORY, "there is no memory for TLS");
		return;
	}
	session->plain_left = session->output.size;
	/* What came behind the contact header is TLS already. */
	tls_receive(session->tls, bytes_make(session->input, session->input_size));
	session->input_size = 0;
}

static void meet_peer(struct session *session, struct bytes node_id)
{
	const struct config_neighbour *proven = session->tls != NULL ? tls_neighbour(session->tls) : NULL;
	const char *reason = "the peer is not welcome";

	if (session->owner->peer(
		    session->owner->context, session, node_id, proven, session->tls != NULL, &reason)) {
		tcpcl_admit(&session->machine, session_now_ms(session), &session->output);
	} else {
		tcpcl_terminate(&session->machine, session_now_ms(session), TCPCL_TERM_CONTACT_FAILURE,
			&session->output);
		session_begin_close(session, ERROR_UNKNOWN_KEY, reason);
	}
}

/* Makes room for `more` bytes of the incoming transfer. */
static bool grow_incoming(struct session *session, size_t more)
{
	size_t room = session->incoming_room;

	if (session->incoming_size + more <= room)
		return true;
	if (session->incoming_size + more > TRANSFER_SIZE_MAX)
		return false;
	while (room < session->incoming_size + more)
		room = room == 0 ? 1024 : 2 * room;

	uint8_t *grown = realloc(session->incoming, room);

	if (grown == NULL)
		return false;
	session->incoming = grown;
	session->incoming_room = room;
	return true;
}

static void forget_incoming(struct session *session)
{
	free(session->incoming);
	session->incoming = NULL;
	session->incoming_size = 0;
	session->incoming_room = 0;
}

static void refuse_incoming(struct session *session, uint64_t transfer)
{
	forget_incoming(session);
	tcpcl_transfer_refuse(&session->machine, session_now_ms(session), transfer, TCPCL_REFUSE_NO_RESOURCES,
		&session->output);
}

static void begin_incoming(struct session *session, const struct tcpcl_event *event)
{
	forget_incoming(session);
	if (!session->owner->welcome(session->owner->context, session, event->size) ||
		!grow_incoming(session, (size_t)event->size))
		refuse_incoming(session, event->transfer);
}

static void add_incoming(struct session *session, const struct tcpcl_event *event)
{
	if (!grow_incoming(session, event->data.size)) {
		refuse_incoming(session, event->transfer);
		return;
	}
	memcpy(session->incoming + session->incoming_size, event->data.data, event->data.size);
	session->incoming_size += event->data.size;
}

static void end_incoming(struct session *session, const struct tcpcl_event *event)
{
	uint8_t *bundle = session->incoming;

	session->incoming = NULL;
	session->incoming_room = 0;
	session->incoming_size = 0;
	session->owner->received(
		session->owner->context, session, event->transfer, bundle, (size_t)event->size);
}

void session_handle(struct session *session, const struct tcpcl_event *event)
{
	const struct session_owner *owner = session->owner;

	switch (event->kind) {
	case TCPCL_EVENT_NONE:
	case TCPCL_EVENT_ENDING:
		break;
	case TCPCL_EVENT_START_TLS:
		start_tls(session);
		break;
	case TCPCL_EVENT_PEER:
		meet_peer(session, event->node_id);
		break;
	case TCPCL_EVENT_TRANSFER_BEGIN:
		begin_incoming(session, event);
		break;
	case TCPCL_EVENT_TRANSFER_DATA:
		add_incoming(session, event);
		break;
	case TCPCL_EVENT_TRANSFER_END:
		end_incoming(session, event);
		break;
	case TCPCL_EVENT_TRANSFER_DROPPED:
		forget_incoming(session);
		owner->dropped(owner->context, session, event->reason);
		break;
	case TCPCL_EVENT_ACKNOWLEDGED:
		if (event->whole)
			owner->acknowledged(owner->context, session, event->transfer);
		break;
	case TCPCL_EVENT_REFUSED:
		owner->refused(owner->context, session, event->transfer, event->reason);
		break;
	case TCPCL_EVENT_CLOSE:
		session_begin_close(session, event->error, event->detail);
		break;
	}
}

/* ---- beginning ---- */

/* family: of the socket that is made now, or AF_UNSPEC when one is to be accepted. */
static struct session *make(const struct session_settings *settings, int family)
{
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->owner = settings->owner;
	session->tls_context = settings->tls;
	session->output = buffer_make(session->output_memory, sizeof session->output_memory);
	if (uv_tcp_init_ex(settings->loop, &session->tcp, (unsigned)family) != 0) {
		free(session);
		return NULL;
	}
	uv_timer_init(settings->loop, &session->timer);
	session->began_ms = uv_now(settings->loop);
	session->tcp.data = session;
	session->timer.data = session;
	session->handles_open = 2;
	return session;
}

/* Small buffers, so that little stands ahead of a FLASH; what the kernel can do against dead peers. */
static void set_up_socket(struct session *session)
{
	int size = WINDOW_SIZE_MAX;
	int received = WINDOW_SIZE_MAX;
	unsigned dead_ms = DEAD_LINE_MS;
	uv_os_fd_t socket;

	uv_tcp_nodelay(&session->tcp, 1);
	uv_tcp_keepalive(&session->tcp, 1, 60);
	uv_send_buffer_size((uv_handle_t *)&session->tcp, &size);
	uv_recv_buffer_size((uv_handle_t *)&session->tcp, &received);
	if (uv_fileno((const uv_handle_t *)&session->tcp, &socket) == 0)
		setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
}

static enum error start_machine(
	struct session *session, enum tcpcl_role role, enum tcpcl_security security, const char *node_id)
{
	struct tcpcl_config config = {
		.role = role,
		.security = security,
		.node_id = bytes_of_text(node_id),
		.keepalive_s = KEEPALIVE_S,
	};

	if (session->neighbour != NULL)
		config.expected_node_id = bytes_of_text(session->neighbour->node);
	return tcpcl_start(&session->machine, &config, session_now_ms(session), &session->output);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct session *session = request->data;

	if (session->phase != PHASE_CONNECTING)
		return;
	if (status < 0) {
		session_end(session, ERROR_CLOSED, uv_strerror(status));
		return;
	}
	session->phase = PHASE_TALKING;
	session_pump(session);
}

static void on_connect_timeout(uv_timer_t *timer)
{
	session_end(timer->data, ERROR_TIMED_OUT, "no connection came about");
}

static int fill_address(const struct config_address *address, struct sockaddr_storage *to)
{
	if (address->ipv6)
		return uv_ip6_addr(address->host, address->port, (struct sockaddr_in6 *)to);
	return uv_ip4_addr(address->host, address->port, (struct sockaddr_in *)to);
}

struct session *session_dial(
	const struct session_settings *settings, const struct config_neighbour *neighbour)
{
	struct sockaddr_storage address;
	struct session *session = make(settings, neighbour->address.ipv6 ? AF_INET6 : AF_INET);

	if (session == NULL)
		return NULL;
	set_up_socket(session);
	session->dialed = true;
	session->neighbour = neighbour;
	session->connect.data = session;
	snprintf(session->address, sizeof session->address, neighbour->address.ipv6 ? "[%s]:%u" : "%s:%u",
		neighbour->address.host, neighbour->address.port);
	memset(&address, 0, sizeof address);
	if (start_machine(session, TCPCL_ACTIVE, neighbour->closed ? TCPCL_TLS_OFF : TCPCL_TLS_REQUIRED,
		    settings->node_id) != ERROR_OK ||
		fill_address(&neighbour->address, &address) != 0 ||
		uv_tcp_connect(&session->connect, &session->tcp, (const struct sockaddr *)&address,
			on_connected) != 0) {
		session_unmake(session);
		return NULL;
	}
	uv_timer_start(&session->timer, on_connect_timeout, ESTABLISH_TIMEOUT_MS, 0);
	return session;
}

static void note_address(struct session *session)
{
	struct sockaddr_storage address;
	int size = sizeof address;
	char host[48] = "?";

	memset(&address, 0, sizeof address);
	if (uv_tcp_getpeername(&session->tcp, (struct sockaddr *)&address, &size) != 0)
		return;
	if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)&address;

		uv_ip6_name(ipv6, host, sizeof host);
		snprintf(session->address, sizeof session->address, "[%s]:%u", host, ntohs(ipv6->sin6_port));
	} else {
		const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)&address;

		uv_ip4_name(ipv4, host, sizeof host);
		snprintf(session->address, sizeof session->address, "%s:%u", host, ntohs(ipv4->sin_port));
	}
}

struct session *session_accept(const struct session_settings *settings, uv_stream_t *listener, bool plain)
{
	struct session *session = make(settings, AF_UNSPEC);

	if (session == NULL)
		return NULL;
	if (uv_accept(listener, (uv_stream_t *)&session->tcp) != 0 ||
		start_machine(session, TCPCL_PASSIVE, plain ? TCPCL_TLS_OPTIONAL : TCPCL_TLS_REQUIRED,
			settings->node_id) != ERROR_OK) {
		session_unmake(session);
		return NULL;
	}
	set_up_socket(session);
	note_address(session);
	session->phase = PHASE_TALKING;
	session_pump(session);
	return session;
}

/* ---- the owner's side ---- */

void session_abort(struct session *session, const char *detail)
{
	session_cut(session, detail);
}

bool session_may_send(const struct session *session, size_t size)
{
	size_t first = size < SEGMENT_SIZE_MAX ? size : SEGMENT_SIZE_MAX;

	return session->phase == PHASE_TALKING && tcpcl_may_begin(&session->machine) &&
		session->outgoing == NULL &&
		session->output.size_max - session->output.size >= TCPCL_SEGMENT_HEAD_MAX + first;
}

enum error session_send(struct session *session, struct bytes bundle, uint64_t *transfer)
{
	bool done = false;
	enum error error;

	if (!session_may_send(session, bundle.size))
		return ERROR_NOT_NOW;
	/* Kept only where it does not go in one piece; had first, so that nothing is begun without it. */
	session->outgoing = malloc(bundle.size);
	if (session->outgoing == NULL)
		return ERROR_NO_MEMORY;
	memcpy(session->outgoing, bundle.data, bundle.size);
	session->outgoing_size = bundle.size;
	error = tcpcl_transfer_begin(&session->machine, bundle.size, transfer);
	if (error == ERROR_OK)
		error = tcpcl_transfer_continue(
			&session->machine, session_now_ms(session), bundle, &done, &session->output);
	if (error != ERROR_OK || done) {
		free(session->outgoing);
		session->outgoing = NULL;
	}
	return error;
}

uint64_t session_transfer_size_max(const struct session *session)
{
	return tcpcl_transfer_size_max(&session->machine);
}

void session_set_neighbour(struct session *session, const struct config_neighbour *neighbour)
{
	session->neighbour = neighbour;
}

const struct config_neighbour *session_neighbour(const struct session *session)
{
	return session->neighbour;
}

bool session_was_dialed(const struct session *session)
{
	return session->dialed;
}

bool session_is_established(const struct session *session)
{
	return session->phase == PHASE_TALKING && tcpcl_is_established(&session->machine);
}

const char *session_address(const struct session *session)
{
	return session->address;
}

bool session_same_host(const struct session *session, const struct session *other)
{
	const char *port = strrchr(session->address, ':');
	size_t size = port == NULL ? 0 : (size_t)(port - session->address) + 1;

	return size > 0 && strncmp(session->address, other->address, size) == 0;
}

uint64_t session_began_ms(const struct session *session)
{
	return session->began_ms;
}

void session_stored(struct session *session, uint64_t transfer)
{
	if (session->phase != PHASE_TALKING)
		return;
	tcpcl_transfer_stored(&session->machine, session_now_ms(session), transfer, &session->output);
}

void session_refuse(struct session *session, uint64_t transfer, enum tcpcl_refuse reason)
{
	if (session->phase != PHASE_TALKING)
		return;
	tcpcl_transfer_refuse(&session->machine, session_now_ms(session), transfer, reason, &session->output);
}

void session_flush(struct session *session)
{
	session_pump(session);
}

void session_terminate(struct session *session, enum tcpcl_term reason)
{
	if (session->phase == PHASE_CONNECTING) {
		session_end(session, ERROR_OK, "this end closed the connection");
		return;
	}
	if (session->phase != PHASE_TALKING)
		return;
	tcpcl_terminate(&session->machine, session_now_ms(session), reason, &session->output);
	session_pump(session);
}
