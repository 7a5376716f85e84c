/*
 * Shared by session.c (what the machine and the owner say) and session_stream.c (bytes, TLS, time) only.
 */
#ifndef COURIER_SESSION_INTERNAL_H
#define COURIER_SESSION_INTERNAL_H

#include "courier/session.h"

#define SESSION_INPUT_SIZE_MAX 16384
#define SESSION_OUTPUT_SIZE_MAX                                                                              \
	(TCPCL_SEGMENT_HEAD_MAX + SEGMENT_SIZE_MAX + 4096) /* a segment, and answers beside it */
#define SESSION_WIRE_SIZE_MAX                                                                                \
	(SESSION_OUTPUT_SIZE_MAX + 2048) /* the same under TLS: 22 bytes a record, or a handshake flight */

enum phase {
	PHASE_CONNECTING,
	PHASE_TALKING,
	PHASE_FLUSHING, /* the machine is closed; what it said last is being sent */
	PHASE_SHUTTING, /* FIN is being sent */
	PHASE_CLOSING,  /* handles are being closed */
};

struct session {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	uv_shutdown_t shutdown;
	const struct session_owner *owner;
	struct tls_context *tls_context;
	struct tls *tls;
	const struct config_neighbour *neighbour;
	struct tcpcl machine;
	enum phase phase;
	unsigned handles_open;
	bool dialed;
	bool reading;
	bool writing;
	bool pumping;
	bool pump_again;
	bool tls_open;
	size_t plain_left; /* bytes of output that were said before TLS began */
	enum error error;
	const char *detail;
	char address[64];
	uint64_t began_ms;

	/* plaintext that the machine has not read yet */
	uint8_t input[SESSION_INPUT_SIZE_MAX];
	size_t input_size;
	/* what was read from the wire under TLS, for the time of one callback */
	uint8_t cipher[SESSION_INPUT_SIZE_MAX];

	uint8_t output_memory[SESSION_OUTPUT_SIZE_MAX];
	struct buffer output;
	uint8_t wire[SESSION_WIRE_SIZE_MAX];

	/* the transfers under way */
	uint8_t *incoming;
	size_t incoming_size;
	size_t incoming_room;
	uint64_t incoming_transfer;
	uint8_t *outgoing; /* a bundle of several segments */
	size_t outgoing_size;
};

/* ---- session_stream.c ---- */

/* Everything that can go on goes on, until nothing can. From within its own callbacks it only notes "again".
 */
void session_pump(struct session *session);

/* Ends it at once, without a word more. */
void session_end(struct session *session, enum error error, const char *detail);

/* The same, also for one whose last bytes are still being sent: when this returns, the owner's `closed` was
 * called. */
void session_cut(struct session *session, const char *detail);

/* The machine gave CLOSE: what stands in its output is still sent, then the connection is closed with FIN. */
void session_begin_close(struct session *session, enum error error, const char *detail);

/* Forgets a session that nobody was told of. */
void session_unmake(struct session *session);

uint64_t session_now_ms(const struct session *session);

/* ---- session.c ---- */

/* Acts on what the machine said. */
void session_handle(struct session *session, const struct tcpcl_event *event);

#endif
