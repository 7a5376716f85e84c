#include "carry/tcpcl.h"

#include <assert.h>
#include <string.h>

#include "carry/eid.h"
#include "carry/tcpcl_internal.h"

bool tcpcl_node_id_is_valid(struct bytes node_id)
{
	size_t colon = 0;

	if (node_id.size == 0 || node_id.size > NODE_ID_SIZE_MAX)
		return false;
	for (size_t i = 0; i < node_id.size; i++) {
		if (node_id.data[i] <= 0x20 || node_id.data[i] >= 0x7f)
			return false;
		if (colon == 0 && node_id.data[i] == ':')
			colon = i;
	}
	return colon > 0 && colon + 1 < node_id.size;
}

static uint8_t lower(uint8_t letter)
{
	return letter >= 'A' && letter <= 'Z' ? (uint8_t)(letter + 32) : letter;
}

bool tcpcl_node_id_equal(struct bytes a, struct bytes b)
{
	struct eid first;
	struct eid second;
	bool scheme = true;

	if (eid_from_text(a, &first) == ERROR_OK && eid_from_text(b, &second) == ERROR_OK)
		return eid_equal(&first, &second);
	if (a.size != b.size)
		return false;
	for (size_t i = 0; i < a.size; i++) {
		if (scheme ? lower(a.data[i]) != lower(b.data[i]) : a.data[i] != b.data[i])
			return false;
		if (a.data[i] == ':')
			scheme = false;
	}
	return true;
}

static void copy_node_id(uint8_t *to, uint16_t *to_size, struct bytes node_id)
{
	if (node_id.size > 0)
		memcpy(to, node_id.data, node_id.size);
	*to_size = (uint16_t)node_id.size;
}

static bool has_room(const struct buffer *output)
{
	return !output->failed && output->size_max - output->size >= TCPCL_OUTPUT_ROOM;
}

enum error tcpcl_start(
	struct tcpcl *session, const struct tcpcl_config *config, uint64_t now_ms, struct buffer *output)
{
	if (!tcpcl_node_id_is_valid(config->node_id) ||
		(config->expected_node_id.size > 0 && !tcpcl_node_id_is_valid(config->expected_node_id)))
		return ERROR_BAD_ARGUMENT;
	if (!has_room(output))
		return ERROR_FULL;
	*session = (struct tcpcl){
		.role = config->role,
		.security = config->security,
		.state = STATE_CONTACT,
		.keepalive_s = config->keepalive_s,
		.started_ms = now_ms,
		.sent_ms = now_ms,
		.received_ms = now_ms,
		.progress_ms = now_ms,
	};
	copy_node_id(session->node_id, &session->node_id_size, config->node_id);
	copy_node_id(session->expected_node_id, &session->expected_node_id_size, config->expected_node_id);
	if (session->role == TCPCL_ACTIVE)
		tcpcl_write_contact(session, now_ms, output);
	return ERROR_OK;
}

enum error tcpcl_tls_done(
	struct tcpcl *session, uint64_t now_ms, struct bytes certificate_node_id, struct buffer *output)
{
	if (session->state != STATE_TLS)
		return ERROR_NOT_NOW;
	if (certificate_node_id.size > NODE_ID_SIZE_MAX)
		return ERROR_BAD_ARGUMENT;
	if (!has_room(output))
		return ERROR_FULL;
	copy_node_id(session->certificate_node_id, &session->certificate_node_id_size, certificate_node_id);
	session->state = STATE_INIT;
	if (session->role == TCPCL_ACTIVE)
		tcpcl_write_init(session, now_ms, output);
	return ERROR_OK;
}

enum error tcpcl_admit(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	if (session->state != STATE_ADMIT)
		return ERROR_NOT_NOW;
	if (!has_room(output))
		return ERROR_FULL;
	if (session->role == TCPCL_PASSIVE)
		tcpcl_write_init(session, now_ms, output);
	session->state = STATE_ESTABLISHED;
	session->progress_ms = now_ms;
	return ERROR_OK;
}

void tcpcl_close(struct tcpcl *session, enum error error, const char *detail)
{
	session->state = STATE_CLOSING;
	session->sending = false;
	session->error = error;
	session->detail = detail;
}

void tcpcl_fail(struct tcpcl *session, uint64_t now_ms, enum tcpcl_term reason, enum error error,
	const char *detail, struct buffer *output)
{
	if (!session->term_sent && has_room(output))
		tcpcl_write_term(session, now_ms, 0, (uint8_t)reason, output);
	tcpcl_close(session, error, detail);
}

void tcpcl_violation(struct tcpcl *session, uint64_t now_ms, enum tcpcl_reject reason, const char *detail,
	struct buffer *output)
{
	tcpcl_write_reject(session, now_ms, (uint8_t)reason, output);
	/* Section 5.1.2: after an unknown type the connection is closed, and no more. */
	if (reason == TCPCL_REJECT_TYPE_UNKNOWN)
		tcpcl_close(session, ERROR_UNSUPPORTED, detail);
	else
		tcpcl_fail(session, now_ms, TCPCL_TERM_UNKNOWN, ERROR_MALFORMED, detail, output);
}

enum error tcpcl_terminate(
	struct tcpcl *session, uint64_t now_ms, enum tcpcl_term reason, struct buffer *output)
{
	if (session->state >= STATE_ENDING)
		return ERROR_NOT_NOW;
	if (!has_room(output))
		return ERROR_FULL;
	switch ((enum tcpcl_state)session->state) {
	case STATE_ESTABLISHED:
		tcpcl_write_term(session, now_ms, 0, (uint8_t)reason, output);
		session->state = STATE_ENDING;
		session->ending_ms = now_ms;
		break;
	case STATE_INIT:
	case STATE_ADMIT:
		tcpcl_fail(session, now_ms, reason, ERROR_OK, "this end ended the session", output);
		break;
	default:
		/* No contact header from us yet, or TLS is being set up: there is no session to end. */
		tcpcl_close(session, ERROR_OK, "this end closed the connection");
		break;
	}
	return ERROR_OK;
}

/* Section 6.1: both have said so, and nothing is under way in either direction. */
static bool is_settled(const struct tcpcl *session)
{
	return session->state == STATE_ENDING && session->term_sent && session->term_received &&
		(!session->incoming || session->incoming_refused) && session->answers_count == 0 &&
		session->outgoing_count == 0;
}

bool tcpcl_settle(struct tcpcl *session, struct tcpcl_event *event)
{
	if (is_settled(session))
		tcpcl_close(session, ERROR_OK, "the session ended");
	if (session->state != STATE_CLOSING)
		return false;
	session->state = STATE_CLOSED;
	event->kind = TCPCL_EVENT_CLOSE;
	event->error = session->error;
	event->detail = session->detail;
	return true;
}

/* The negotiated keepalive interval (section 4.7); 0 when there is none. */
static uint64_t keepalive_ms(const struct tcpcl *session)
{
	uint16_t seconds = session->keepalive_s;

	if (session->keepalive_peer_s < seconds)
		seconds = session->keepalive_peer_s;
	return (uint64_t)seconds * 1000;
}

static void tick_established(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	uint64_t keepalive = keepalive_ms(session);

	if (keepalive > 0 && now_ms - session->received_ms >= 2 * keepalive)
		tcpcl_fail(session, now_ms, TCPCL_TERM_IDLE_TIMEOUT, ERROR_TIMED_OUT,
			"the peer has been silent for twice the keepalive interval", output);
	else if (session->outgoing_count > 0 && now_ms - session->progress_ms >= ACKNOWLEDGE_TIMEOUT_MS)
		tcpcl_fail(session, now_ms, TCPCL_TERM_UNKNOWN, ERROR_TIMED_OUT,
			"the peer acknowledges nothing", output);
	else if (session->state == STATE_ENDING && now_ms - session->ending_ms >= ENDING_TIMEOUT_MS)
		tcpcl_close(session, ERROR_TIMED_OUT, "the session did not end in time");
	else if (session->next_transfer == UINT64_MAX && session->state == STATE_ESTABLISHED)
		tcpcl_terminate(session, now_ms, TCPCL_TERM_RESOURCE_EXHAUSTION, output);
	else if (keepalive > 0 && now_ms - session->sent_ms >= keepalive)
		tcpcl_write_keepalive(session, now_ms, output);
}

void tcpcl_tick(struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output)
{
	*event = (struct tcpcl_event){.kind = TCPCL_EVENT_NONE};
	if (tcpcl_settle(session, event) || !has_room(output))
		return;
	switch ((enum tcpcl_state)session->state) {
	case STATE_CONTACT:
	case STATE_TLS:
		if (now_ms - session->started_ms >= ESTABLISH_TIMEOUT_MS)
			tcpcl_close(session, ERROR_TIMED_OUT, "the peer did not make contact in time");
		break;
	case STATE_INIT:
	case STATE_ADMIT:
		if (now_ms - session->started_ms >= ESTABLISH_TIMEOUT_MS)
			tcpcl_fail(session, now_ms, TCPCL_TERM_IDLE_TIMEOUT, ERROR_TIMED_OUT,
				"the peer did not name itself in time", output);
		break;
	case STATE_ESTABLISHED:
	case STATE_ENDING:
		tcpcl_write_answers(session, now_ms, output);
		if (has_room(output))
			tick_established(session, now_ms, output);
		break;
	case STATE_CLOSING:
	case STATE_CLOSED:
		return;
	}
	tcpcl_settle(session, event);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t tcpcl_deadline(const struct tcpcl *session)
{
	uint64_t keepalive = keepalive_ms(session);
	uint64_t deadline = UINT64_MAX;

	if (session->state < STATE_ESTABLISHED)
		return session->started_ms + ESTABLISH_TIMEOUT_MS;
	if (session->state == STATE_CLOSED)
		return deadline;
	if (session->state == STATE_CLOSING || is_settled(session))
		return 0;
	if (keepalive > 0)
		deadline = earlier(session->sent_ms + keepalive, session->received_ms + 2 * keepalive);
	if (session->outgoing_count > 0)
		deadline = earlier(deadline, session->progress_ms + ACKNOWLEDGE_TIMEOUT_MS);
	if (session->state == STATE_ENDING)
		deadline = earlier(deadline, session->ending_ms + ENDING_TIMEOUT_MS);
	return deadline;
}

bool tcpcl_is_established(const struct tcpcl *session)
{
	return session->state == STATE_ESTABLISHED;
}

bool tcpcl_is_sending(const struct tcpcl *session)
{
	return session->sending;
}

bool tcpcl_is_closed(const struct tcpcl *session)
{
	return session->state >= STATE_CLOSING;
}

bool tcpcl_uses_tls(const struct tcpcl *session)
{
	return session->tls;
}

struct bytes tcpcl_peer_node_id(const struct tcpcl *session)
{
	if (session->state < STATE_ADMIT)
		return bytes_make(NULL, 0);
	return bytes_make(session->peer_node_id, session->peer_node_id_size);
}

const char *tcpcl_refuse_name(uint8_t reason)
{
	static const char *const names[] = {
		"unknown",
		"completed",
		"no resources",
		"retransmit",
		"not acceptable",
		"extension failure",
		"session terminating",
	};

	return reason < sizeof names / sizeof names[0] ? names[reason] : "unassigned";
}
