/*
 * Neighbours: who may come in, and what their sessions say.
 */
#include <stdlib.h>
#include <string.h>

#include "courier/courier.h"

#define SETTLED_MS 5000 /* a session this old is not one of two that were dialed at the same time */
#define BACKLOG 32

static uint64_t now_ms(const struct courier *courier)
{
	return uv_now(&courier->loop);
}

/* ---- what sessions say ---- */

static struct route *admit_by_policy(struct courier *courier, struct session *session, struct bytes node_id,
	const struct config_neighbour *proven, bool tls, const char **reason)
{
	const struct config_neighbour *neighbour = proven;

	for (unsigned i = 0; neighbour == NULL && i < courier->config.neighbour_count; i++) {
		if (tcpcl_node_id_equal(node_id, bytes_of_text(courier->config.neighbours[i].node)))
			neighbour = &courier->config.neighbours[i];
	}
	*reason = "no neighbour has this node id";
	if (neighbour == NULL)
		return NULL;
	*reason = "the link is not closed, and the peer does without TLS";
	if (!tls && !neighbour->closed)
		return NULL;
	/* Where we dialed, the certificate was looked at in the handshake. */
	*reason = "the peer presents no certificate";
	if (tls && proven == NULL && !neighbour->client_certificate_none)
		return NULL;
	*reason = "the post wants this route unused";
	if (route_of(courier, neighbour)->held)
		return NULL;
	*reason = "this courier is ending its sessions";
	if (courier->stopping || courier->reloading || courier->starting_over)
		return NULL;
	session_set_neighbour(session, neighbour);
	return route_of(courier, neighbour);
}

/*
 * Of two sessions with one neighbour the newer stays, since the older may be dead without our knowing; but
 * where both ends dialed at the same time, both must keep the same one: that which the lower node id dialed.
 */
static bool older_stays(
	const struct courier *courier, const struct route *route, const struct session *session)
{
	bool we_are_lower = strcmp(courier->config.node, route->neighbour->node) < 0;

	if (!session_is_established(route->session) ||
		session_was_dialed(route->session) == session_was_dialed(session) ||
		now_ms(courier) - route->established_ms >= SETTLED_MS)
		return false;
	return session_was_dialed(route->session) == we_are_lower;
}

/* The session that is replaced now may end in order; those replaced before it have had their time, or whoever
 * comes again and again would take up all that there may be. */
static void cut_replaced(struct courier *courier, const struct route *route, const struct session *older)
{
	for (unsigned i = courier->session_count; i > 0; i--) {
		struct session *session = courier->sessions[i - 1];

		if (session_neighbour(session) == route->neighbour && session != route->session &&
			session != route->dialing && session != older)
			session_abort(session, "newer sessions have taken its place");
	}
}

static bool on_peer(void *context, struct session *session, struct bytes node_id,
	const struct config_neighbour *proven, bool tls, const char **reason)
{
	struct courier *courier = context;
	struct route *route = admit_by_policy(courier, session, node_id, proven, tls, reason);
	struct session *older;

	if (route == NULL)
		return false;
	older = route->session;
	if (older != NULL && older_stays(courier, route, session)) {
		*reason = "both ends dialed; the other session stays";
		return false;
	}
	if (route->dialing == session)
		route->dialing = NULL;
	route->session = session;
	route->established_ms = now_ms(courier);
	courier->feeding = true;
	route_judge(courier, route);
	log_limited(&courier->log, LOG_CONNECTION, now_ms(courier), "session with %s (%s, %s)",
		route->neighbour->name, session_address(session), tls ? "TLS" : "plain");
	cut_replaced(courier, route, older);
	if (older != NULL)
		session_terminate(older, TCPCL_TERM_UNKNOWN);
	return true;
}

static void on_received(
	void *context, struct session *session, uint64_t transfer, uint8_t *bundle, size_t size)
{
	struct courier *courier = context;
	const struct route *route = route_of(courier, session_neighbour(session));

	dispatch_note_received(courier, session, route_index(courier, route), transfer, bundle, size);
}

static bool on_welcome(void *context, struct session *session, uint64_t size)
{
	const struct courier *courier = context;

	(void)session;
	(void)size;
	/* The queue decides by precedence, which stands in the bundle; but a queue that is being taken anew
	 * takes none. */
	return !courier->starting_over;
}

static void settled(
	void *context, struct session *session, uint64_t transfer, enum queue_event_kind kind, uint8_t reason)
{
	struct courier *courier = context;
	struct route *route = route_of(courier, session_neighbour(session));

	route->progress_ms = now_ms(courier);
	dispatch_note_settled(courier, session, route, transfer, kind, reason);
}

static void on_acknowledged(void *context, struct session *session, uint64_t transfer)
{
	settled(context, session, transfer, QUEUE_ACKNOWLEDGED, 0);
}

static void on_refused(void *context, struct session *session, uint64_t transfer, uint8_t reason)
{
	struct courier *courier = context;

	log_limited(&courier->log, LOG_TRANSFER, now_ms(courier), "%s refused a transfer: %s",
		session_neighbour(session)->name, tcpcl_refuse_name(reason));
	settled(context, session, transfer, QUEUE_REFUSED, reason);
}

static void on_dropped(void *context, struct session *session, uint8_t reason)
{
	struct courier *courier = context;

	log_limited(&courier->log, LOG_TRANSFER, now_ms(courier), "a transfer of %s was refused: %s",
		session_neighbour(session)->name, tcpcl_refuse_name(reason));
}

static void on_ready(void *context, struct session *session)
{
	struct courier *courier = context;

	(void)session;
	courier->feeding = true;
}

static void log_closed(
	struct courier *courier, const struct session *session, enum error error, const char *detail)
{
	const struct config_neighbour *neighbour = session_neighbour(session);
	bool refused = error == ERROR_UNKNOWN_KEY || error == ERROR_UNSUPPORTED;

	log_limited(&courier->log, neighbour != NULL ? LOG_CONNECTION : LOG_STRANGER, now_ms(courier),
		"%s (%s) %s: %s", neighbour != NULL ? neighbour->name : "a peer", session_address(session),
		refused ? "was turned away" : "is gone", detail);
}

static void on_session_closed(void *context, struct session *session, enum error error, const char *detail)
{
	struct courier *courier = context;
	struct route *route = route_of(courier, session_neighbour(session));

	log_closed(courier, session, error, detail);
	dispatch_note_closed(courier, session);
	for (unsigned i = 0; i < courier->session_count; i++) {
		if (courier->sessions[i] == session)
			courier->sessions[i] = courier->sessions[--courier->session_count];
	}
	if (route == NULL)
		return;
	if (route->dialing == session)
		route->dialing = NULL;
	if (route->session == session) {
		route->session = NULL;
		route->alone_ms = now_ms(courier);
		route_lost(courier, route);
	}
	courier_set_timer(courier);
}

/* ---- TLS policy ---- */

static const struct config_neighbour *by_pin(void *context, const uint8_t pin[CONFIG_PIN_SIZE])
{
	const struct courier *courier = context;

	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		const struct config_neighbour *neighbour = &courier->config.neighbours[i];

		if (neighbour->has_pin && memcmp(neighbour->pin, pin, CONFIG_PIN_SIZE) == 0)
			return neighbour;
	}
	return NULL;
}

static bool certificate_may_lack(void *context)
{
	const struct courier *courier = context;

	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		if (courier->config.neighbours[i].client_certificate_none)
			return true;
	}
	return false;
}

/* ---- listening ---- */

static bool is_stranger(const struct session *session)
{
	return !session_was_dialed(session) && session_neighbour(session) == NULL;
}

/*
 * A new connection must not be kept out by others that only wait: of those of its own address it must not be
 * one too many, and for the rest the stranger who has waited longest makes room. False if the new one has to
 * go.
 */
static bool make_room(struct courier *courier, const struct session *newest)
{
	struct session *oldest = NULL;
	unsigned strangers = 0;
	unsigned same = 0;

	for (unsigned i = 0; i < courier->session_count; i++) {
		struct session *session = courier->sessions[i];

		if (session == newest || !is_stranger(session))
			continue;
		strangers++;
		same += session_same_host(session, newest);
		if (oldest == NULL || session_began_ms(session) < session_began_ms(oldest))
			oldest = session;
	}
	if (same >= STRANGERS_OF_ADDRESS_MAX)
		return false;
	if (strangers >= STRANGERS_MAX)
		session_abort(oldest, "others want to come in, and it has not named itself");
	return true;
}

static bool some_link_is_closed(const struct courier *courier)
{
	for (unsigned i = 0; i < courier->config.neighbour_count; i++) {
		if (courier->config.neighbours[i].closed)
			return true;
	}
	return false;
}

static void on_refused_close(uv_handle_t *handle)
{
	free(handle);
}

/* Takes a connection only to close it: the kernel would otherwise keep it waiting. */
static void turn_away(struct courier *courier, uv_stream_t *listener, const char *why)
{
	uv_tcp_t *tcp = malloc(sizeof *tcp);

	if (tcp == NULL) {
		courier_fail(courier, "there is no memory left");
		return;
	}
	uv_tcp_init(&courier->loop, tcp);
	uv_accept(listener, (uv_stream_t *)tcp);
	uv_close((uv_handle_t *)tcp, on_refused_close);
	log_limited(&courier->log, LOG_STRANGER, now_ms(courier), "a connection was closed at once: %s", why);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct courier *courier = listener->data;
	struct session *session;

	if (status < 0)
		return;
	if (courier->stopping || courier->starting_over || courier->session_count == SESSIONS_MAX) {
		turn_away(courier, listener, "this courier takes no more now");
		return;
	}
	session = session_accept(&courier->session_settings, listener, some_link_is_closed(courier));
	if (!courier_note_session(courier, session))
		turn_away(courier, listener, "there is no memory for it");
	else if (!make_room(courier, session))
		session_abort(session, "too many of this address have not named themselves");
}

int neighbours_listen(struct courier *courier, unsigned index)
{
	const struct config_address *address = &courier->config.listen[index];
	uv_tcp_t *listener = &courier->listeners[index];
	struct sockaddr_storage at;
	int size = WINDOW_SIZE_MAX;
	int result;

	memset(&at, 0, sizeof at);
	uv_tcp_init(&courier->loop, listener);
	listener->data = courier;
	result = address->ipv6 ? uv_ip6_addr(address->host, address->port, (struct sockaddr_in6 *)&at) :
				 uv_ip4_addr(address->host, address->port, (struct sockaddr_in *)&at);
	if (result == 0)
		result = uv_tcp_bind(
			listener, (const struct sockaddr *)&at, address->ipv6 ? UV_TCP_IPV6ONLY : 0);
	if (result == 0) {
		/* Inherited by what is accepted, and in time for the window scale. */
		uv_recv_buffer_size((uv_handle_t *)listener, &size);
		result = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
	}
	return result;
}

void neighbours_own(struct courier *courier)
{
	courier->session_owner = (struct session_owner){
		.context = courier,
		.peer = on_peer,
		.received = on_received,
		.welcome = on_welcome,
		.acknowledged = on_acknowledged,
		.refused = on_refused,
		.dropped = on_dropped,
		.ready = on_ready,
		.closed = on_session_closed,
	};
	courier->tls_policy = (struct tls_policy){
		.context = courier,
		.by_pin = by_pin,
		.certificate_may_lack = certificate_may_lack,
	};
	courier->session_settings = (struct session_settings){
		.loop = &courier->loop,
		.owner = &courier->session_owner,
		.node_id = courier->config.node,
	};
}
