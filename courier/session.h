/*
 * A TCPCL session on a libuv TCP connection: the machine of carry/tcpcl.h, TLS where the link has it, and
 * bounded buffers on both sides.
 *
 * What the session has to say it says through struct session_owner. Its functions are called from within the
 * loop's callbacks and from within session_*() calls; they may call session_*() of the same session, but
 * never free anything of it. A session frees itself after `closed`, which is called exactly once for each
 * session that session_dial() or session_accept() gave; it is not to be used from then on.
 *
 * Memory: some 60 KiB a session, and one bundle in each direction while a transfer is under way.
 */
#ifndef COURIER_SESSION_H
#define COURIER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/bytes.h"
#include "base/error.h"
#include "carry/tcpcl.h"
#include "courier/config.h"
#include "courier/tls.h"

struct session;

struct session_owner {
	void *context;
	/*
	 * The peer named itself. `proven` is the neighbour that its certificate proves, or NULL without TLS
	 * or certificate; `node_id` is what it says, and agrees with `proven` and with who was dialed. True
	 * admits it. When false, *reason is what the log says.
	 */
	bool (*peer)(void *context, struct session *session, struct bytes node_id,
		const struct config_neighbour *proven, bool tls, const char **reason);
	/* A whole bundle came; `bundle` is from malloc() and now the owner's. Answer, soon or later, with
	 * session_stored() or session_refuse(). */
	void (*received)(
		void *context, struct session *session, uint64_t transfer, uint8_t *bundle, size_t size);
	/* May a transfer of `size` bytes begin (0: not announced)? */
	bool (*welcome)(void *context, struct session *session, uint64_t size);
	/* An own transfer is on the peer's disk, or was refused (reason: enum tcpcl_refuse as received). */
	void (*acknowledged)(void *context, struct session *session, uint64_t transfer);
	void (*refused)(void *context, struct session *session, uint64_t transfer, uint8_t reason);
	/* The machine refused a transfer by itself (reason: enum tcpcl_refuse): for the log. */
	void (*dropped)(void *context, struct session *session, uint8_t reason);
	/* Something was settled or sent: session_may_send() is worth asking, but not from within this call.
	 */
	void (*ready)(void *context, struct session *session);
	/* It is over. error is ERROR_OK after an end in order. Own transfers without an answer have failed.
	 */
	void (*closed)(void *context, struct session *session, enum error error, const char *detail);
};

struct session_settings {
	uv_loop_t *loop;
	struct tls_context *tls;
	const struct session_owner *owner;
	const char *node_id; /* own */
};

/* Connects to neighbour->address; `neighbour` must live as long as the session. NULL without memory, or when
 * no socket can be made. A connection that fails ends with `closed`. */
struct session *session_dial(
	const struct session_settings *settings, const struct config_neighbour *neighbour);

/* Takes the next connection of a listening socket. plain: some neighbour's link is closed, so a peer without
 * TLS may be admitted. NULL if there is none to take, or no memory. */
struct session *session_accept(const struct session_settings *settings, uv_stream_t *listener, bool plain);

/* For the owner: whom it stands for. NULL at first; session_dial() sets the neighbour that was dialed. */
void session_set_neighbour(struct session *session, const struct config_neighbour *neighbour);
const struct config_neighbour *session_neighbour(const struct session *session);
bool session_was_dialed(const struct session *session);
bool session_is_established(const struct session *session);

/* The peer's address as text, for the log. Lives as long as the session. */
const char *session_address(const struct session *session);

/* True if both peers have the same network address, whatever the port. */
bool session_same_host(const struct session *session, const struct session *other);

/* When it began, by uv_now(). */
uint64_t session_began_ms(const struct session *session);

/* As the functions of carry/tcpcl.h. Ignored for a session that is closing. What the first two say is sent by
 * the next session_flush(), so that many answers go in one piece. */
void session_stored(struct session *session, uint64_t transfer);
void session_refuse(struct session *session, uint64_t transfer, enum tcpcl_refuse reason);
void session_terminate(struct session *session, enum tcpcl_term reason);

/* Sends what waits and reads what waited for room. `closed` may be called. */
void session_flush(struct session *session);

/* Closes the connection without a word, once what is under way inside the loop has returned. */
void session_abort(struct session *session, const char *detail);

/*
 * Begins a transfer; the next session_flush() sends it, segment by segment. `bundle` is copied.
 * ERROR_NOT_NOW: session_may_send() is false for it; ERROR_TOO_LARGE: above what the peer takes;
 * ERROR_NO_MEMORY.
 */
enum error session_send(struct session *session, struct bytes bundle, uint64_t *transfer);

/* Established, no transfer half sent, and room for the first segment of one of `size` bytes. */
bool session_may_send(const struct session *session, size_t size);

/* The largest bundle that the peer takes; 0 before the session is established. */
uint64_t session_transfer_size_max(const struct session *session);

#endif
