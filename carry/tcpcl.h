/*
 * One TCP convergence-layer session (TCPCL version 4, RFC 9174), as a machine without sockets.
 *
 * Bytes go in, events come out; commands go in, bytes come out. The shell owns the connection, the clock and
 * all memory: it hands over what arrived with tcpcl_input(), sends what the machine appended to `output`,
 * calls tcpcl_tick() when tcpcl_deadline() says so, and answers the events below. Nothing is allocated,
 * bundles are not held here, and everything that a peer can make the machine remember is bounded by
 * base/limits.h.
 *
 *                 tcpcl_input                  tcpcl_tls_done
 *   CONTACT ------------------------> TLS ------------------------> INIT        (plain: CONTACT -> INIT)
 *   INIT -- the peer's SESS_INIT, event PEER --> ADMIT -- tcpcl_admit --> ESTABLISHED
 *   ESTABLISHED -- SESS_TERM sent or received --> ENDING -- all transfers settled --> CLOSED
 *   any -- failure or tcpcl_terminate() before ESTABLISHED --> CLOSED
 *
 * Invariants: messages are appended whole or not at all; acknowledgments and refusals leave in the order of
 * the segments they answer (RFC 9174, section 5.2.4), and the acknowledgment of a transfer's last segment
 * only after tcpcl_transfer_stored(). While TCPCL_PENDING_MAX answers wait for the shell no further segment
 * is read.
 *
 * Every function that takes `output` needs TCPCL_OUTPUT_ROOM free bytes in it, except where it says
 * otherwise; with less it does nothing and says so (ERROR_FULL, or nothing consumed). Times are milliseconds
 * of any monotonic clock.
 */
#ifndef CARRY_TCPCL_H
#define CARRY_TCPCL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define TCPCL_OUTPUT_ROOM 512     /* SESS_INIT with the longest node id is the largest single answer */
#define TCPCL_SEGMENT_HEAD_MAX 35 /* XFER_SEGMENT with START and a transfer length item, without data */

enum tcpcl_role {
	TCPCL_ACTIVE,  /* this end opened the TCP connection */
	TCPCL_PASSIVE, /* this end accepted it */
};

enum tcpcl_security {
	TCPCL_TLS_REQUIRED, /* CAN_TLS is set; a peer without it is turned away with Contact Failure */
	TCPCL_TLS_OPTIONAL, /* CAN_TLS is set; a peer without it is spoken to in plain, if admitted */
	TCPCL_TLS_OFF,      /* CAN_TLS is not set: a closed link */
};

/* XFER_REFUSE reason codes (section 5.2.4). */
enum tcpcl_refuse {
	TCPCL_REFUSE_UNKNOWN = 0,
	TCPCL_REFUSE_COMPLETED = 1,
	TCPCL_REFUSE_NO_RESOURCES = 2,
	TCPCL_REFUSE_RETRANSMIT = 3,
	TCPCL_REFUSE_NOT_ACCEPTABLE = 4,
	TCPCL_REFUSE_EXTENSION_FAILURE = 5,
	TCPCL_REFUSE_SESSION_TERMINATING = 6,
};

/* SESS_TERM reason codes (section 6.1). */
enum tcpcl_term {
	TCPCL_TERM_UNKNOWN = 0,
	TCPCL_TERM_IDLE_TIMEOUT = 1,
	TCPCL_TERM_VERSION_MISMATCH = 2,
	TCPCL_TERM_BUSY = 3,
	TCPCL_TERM_CONTACT_FAILURE = 4,
	TCPCL_TERM_RESOURCE_EXHAUSTION = 5,
};

/* MSG_REJECT reason codes (section 5.1.2). */
enum tcpcl_reject {
	TCPCL_REJECT_TYPE_UNKNOWN = 1,
	TCPCL_REJECT_UNSUPPORTED = 2,
	TCPCL_REJECT_UNEXPECTED = 3,
};

enum tcpcl_event_kind {
	TCPCL_EVENT_NONE,
	/* Both ends can do TLS: shake hands now (the active end as TLS client), route what follows through
	 * TLS, then call tcpcl_tls_done(). Bytes of input that were not consumed belong to TLS. */
	TCPCL_EVENT_START_TLS,
	/* The peer's SESS_INIT is sound and its node id agrees with the configuration and the certificate
	 * (node_id: valid until the next call). Answer at once with tcpcl_admit() or tcpcl_terminate(). */
	TCPCL_EVENT_PEER,
	/* A transfer begins; size is its announced length, or 0 for none. The shell may refuse it. */
	TCPCL_EVENT_TRANSFER_BEGIN,
	/* The next bytes of it (data: a view into the input). */
	TCPCL_EVENT_TRANSFER_DATA,
	/* All of it is here (size: its length). Answer, soon or later, with tcpcl_transfer_stored() or
	 * tcpcl_transfer_refuse(). */
	TCPCL_EVENT_TRANSFER_END,
	/* The machine refused a transfer (reason: enum tcpcl_refuse), perhaps one of which no BEGIN was told:
	 * forget its bytes. */
	TCPCL_EVENT_TRANSFER_DROPPED,
	/* The peer acknowledged an own transfer up to `size`; when `whole`, it is done with. */
	TCPCL_EVENT_ACKNOWLEDGED,
	/* The peer refused an own transfer (reason: the code as received, enum tcpcl_refuse or other). */
	TCPCL_EVENT_REFUSED,
	/* The peer asked to end the session (reason: the code as received, enum tcpcl_term or other). No new
	 * transfer will start; those under way may finish. */
	TCPCL_EVENT_ENDING,
	/* Send what is in `output`, then close the connection with FIN. error: ERROR_OK after a clean end;
	 * detail: one static sentence for the log. Own transfers that are not acknowledged have failed. */
	TCPCL_EVENT_CLOSE,
};

struct tcpcl_event {
	enum tcpcl_event_kind kind;
	uint64_t transfer;
	uint64_t size;
	struct bytes data;
	struct bytes node_id;
	bool whole;
	uint8_t reason;
	enum error error;
	const char *detail;
};

struct tcpcl_config {
	enum tcpcl_role role;
	enum tcpcl_security security;
	struct bytes node_id;          /* own; copied; 1 to NODE_ID_SIZE_MAX bytes */
	struct bytes expected_node_id; /* the peer's, copied; empty when not known before it says so */
	uint16_t keepalive_s;          /* what is offered; 0 offers none */
};

/* What follows is private to carry/tcpcl*.c. */

struct tcpcl_answer { /* to one received segment */
	uint64_t transfer;
	uint64_t length;
	uint8_t flags;
	uint8_t kind;
	uint8_t reason;
};

struct tcpcl_outgoing { /* one own transfer that is not settled */
	uint64_t transfer;
	uint64_t size;
	uint64_t sent;
	uint64_t acknowledged;
};

struct tcpcl {
	enum tcpcl_role role;
	enum tcpcl_security security;
	uint8_t state;
	uint8_t step;
	bool tls;
	bool term_sent;
	bool term_received;
	uint16_t keepalive_s;
	uint16_t keepalive_peer_s;
	uint8_t node_id[NODE_ID_SIZE_MAX];
	uint8_t expected_node_id[NODE_ID_SIZE_MAX];
	uint8_t certificate_node_id[NODE_ID_SIZE_MAX];
	uint8_t peer_node_id[NODE_ID_SIZE_MAX];
	uint16_t node_id_size;
	uint16_t expected_node_id_size;
	uint16_t certificate_node_id_size;
	uint16_t peer_node_id_size;
	uint16_t peer_node_id_at; /* bytes of it read */
	uint64_t segment_mtu;
	uint64_t transfer_mtu;

	/* reading */
	uint8_t collected[32];
	uint8_t collected_size;
	uint8_t message;
	uint8_t flags;
	uint64_t message_transfer;
	uint32_t items_left;
	uint16_t item_left;
	bool item_known;
	bool item_critical;
	uint64_t data_left;
	unsigned rejects;

	/* the incoming transfer */
	bool segment;            /* one of its segments is being read */
	bool segment_answered;   /* and has its answer already */
	bool incoming;           /* one has begun and has not ended */
	bool incoming_any;       /* `incoming_transfer` has a meaning */
	bool incoming_refused;   /* its bytes are passed over */
	bool incoming_announced; /* incoming_total is known */
	uint8_t incoming_reason;
	uint64_t incoming_transfer;
	uint64_t incoming_total;
	uint64_t incoming_size;
	struct tcpcl_answer answers[TCPCL_PENDING_MAX];
	unsigned answers_first;
	unsigned answers_count;

	/* the outgoing transfers */
	bool sending; /* the newest of outgoing[] is not sent to its end */
	uint64_t next_transfer;
	struct tcpcl_outgoing outgoing[TCPCL_OUTGOING_MAX];
	unsigned outgoing_count;

	/* clocks */
	uint64_t started_ms;
	uint64_t ending_ms;
	uint64_t sent_ms;
	uint64_t received_ms;
	uint64_t progress_ms;
	const char *detail;
	enum error error;
};

/*
 * Starts a session on a connection that was just made, at now_ms. The active end appends its contact header
 * to `output`; the passive end waits for the peer's (section 4.1). ERROR_BAD_ARGUMENT if a node id is empty
 * where it must not be, too long, or not printable ASCII.
 */
enum error tcpcl_start(
	struct tcpcl *session, const struct tcpcl_config *config, uint64_t now_ms, struct buffer *output);

/*
 * Reads from the front of `input`, appends answers to `output`, and stops after at most one event. Returns
 * how many bytes were consumed. Call it again with the rest until it consumes nothing and gives no event:
 * then it needs more input, or an answer from the shell, or room in `output`.
 */
size_t tcpcl_input(struct tcpcl *session, uint64_t now_ms, struct bytes input, struct tcpcl_event *event,
	struct buffer *output);

/*
 * The TLS handshake that START_TLS asked for is done. certificate_node_id is the NODE-ID of the peer's
 * certificate (section 4.4.1), empty if there is none; when given, the peer's SESS_INIT must name the same
 * node. The active end appends its SESS_INIT. ERROR_NOT_NOW in another state; ERROR_FULL.
 */
enum error tcpcl_tls_done(
	struct tcpcl *session, uint64_t now_ms, struct bytes certificate_node_id, struct buffer *output);

/* Accepts the peer of event PEER: the session is established. ERROR_NOT_NOW in another state; ERROR_FULL. */
enum error tcpcl_admit(struct tcpcl *session, uint64_t now_ms, struct buffer *output);

/*
 * Ends the session for `reason` (section 6.1). Established: no new transfer starts, those under way finish,
 * then CLOSE comes from tcpcl_input() or tcpcl_tick(). Before that: CLOSE comes at once from tcpcl_tick().
 * ERROR_NOT_NOW when the session is ending or closed already; ERROR_FULL.
 */
enum error tcpcl_terminate(
	struct tcpcl *session, uint64_t now_ms, enum tcpcl_term reason, struct buffer *output);

/*
 * The clock: appends KEEPALIVE when due (section 5.1.1), sends answers that waited for room, and gives at
 * most one event: CLOSE when the contact, the peer's silence, an acknowledgment or the ending took too long,
 * or when an ending session is settled.
 */
void tcpcl_tick(struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output);

/* When tcpcl_tick() has to be called next, at the latest; UINT64_MAX for never. */
uint64_t tcpcl_deadline(const struct tcpcl *session);

/*
 * A transfer that ended (TRANSFER_END) is on disk: acknowledges it. ERROR_NOT_FOUND if no such transfer waits
 * for an answer. Needs no room: what does not fit is sent by a later call.
 */
enum error tcpcl_transfer_stored(
	struct tcpcl *session, uint64_t now_ms, uint64_t transfer, struct buffer *output);

/*
 * Refuses a transfer that has begun, or ended without being answered; further bytes of it are passed over.
 * ERROR_NOT_FOUND if there is no such transfer. Needs no room.
 */
enum error tcpcl_transfer_refuse(struct tcpcl *session, uint64_t now_ms, uint64_t transfer,
	enum tcpcl_refuse reason, struct buffer *output);

/*
 * Begins an own transfer of `size` bytes (>= 1) and numbers it; nothing is sent yet. ERROR_NOT_NOW: not
 * established, ending, another transfer is not sent to its end, or TCPCL_OUTGOING_MAX are unsettled.
 * ERROR_TOO_LARGE: above the peer's transfer MRU or our TRANSFER_SIZE_MAX.
 */
enum error tcpcl_transfer_begin(struct tcpcl *session, uint64_t size, uint64_t *transfer);

/*
 * Appends the next segment of the transfer that tcpcl_transfer_begin() numbered last. `bundle` is the whole
 * bundle each time, of the size given then. *done: that was the last one. Needs tcpcl_segment_room() bytes in
 * `output`, else ERROR_FULL. ERROR_NOT_NOW: no transfer is being sent (it may have been refused meanwhile).
 */
enum error tcpcl_transfer_continue(
	struct tcpcl *session, uint64_t now_ms, struct bytes bundle, bool *done, struct buffer *output);

/* Bytes that the next segment takes with its head; 0 when no transfer is being sent. */
size_t tcpcl_segment_room(const struct tcpcl *session);

/* The largest own transfer: the smaller of the peer's transfer MRU and ours. 0 before ESTABLISHED. */
uint64_t tcpcl_transfer_size_max(const struct tcpcl *session);

/* Bytes of own transfers that were sent and are not acknowledged. */
uint64_t tcpcl_unacknowledged(const struct tcpcl *session);

bool tcpcl_is_established(const struct tcpcl *session); /* and not ending: own transfers may start */
bool tcpcl_is_sending(const struct tcpcl *session);     /* a transfer was begun and not sent to its end */
bool tcpcl_may_begin(const struct tcpcl *session);      /* tcpcl_transfer_begin() would not say NOT_NOW */
bool tcpcl_is_closed(const struct tcpcl *session);
bool tcpcl_uses_tls(const struct tcpcl *session);
/* The peer's node id, from PEER on; empty before. Lives as long as the session. */
struct bytes tcpcl_peer_node_id(const struct tcpcl *session);

/*
 * True if two node ids name one node: equal as endpoint ids (carry/eid.h), or else equal bytes, but for the
 * case of the scheme's letters (RFC 3986, section 6.2.2.1).
 */
bool tcpcl_node_id_equal(struct bytes a, struct bytes b);

/* True if `node_id` can be sent: 1 to NODE_ID_SIZE_MAX printable ASCII characters with a scheme. */
bool tcpcl_node_id_is_valid(struct bytes node_id);

/* The name of the code, for logs and tests; "unassigned" for others. Static. */
const char *tcpcl_refuse_name(uint8_t reason);

#endif
