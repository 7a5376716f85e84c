/*
 * Reading: the octet stream cut into the parts of messages, each acted on as soon as it is whole.
 */
#include "carry/tcpcl_internal.h"

#include <assert.h>
#include <string.h>

struct reading {
	struct bytes input;
	size_t at;
	uint64_t now_ms;
	struct tcpcl_event *event;
	struct buffer *output;
};

static size_t left(const struct reading *reading)
{
	return reading->input.size - reading->at;
}

/* Moves input to collected[] until it holds `size` bytes. True when it does. */
static bool collect(struct tcpcl *session, struct reading *reading, size_t size)
{
	size_t more = size - session->collected_size;

	assert(size <= sizeof session->collected && session->collected_size <= size);
	if (more > left(reading))
		more = left(reading);
	if (more > 0)
		memcpy(session->collected + session->collected_size, reading->input.data + reading->at, more);
	session->collected_size = (uint8_t)(session->collected_size + more);
	reading->at += more;
	return session->collected_size == size;
}

static void next_step(struct tcpcl *session, enum tcpcl_step step)
{
	session->step = (uint8_t)step;
	session->collected_size = 0;
}

/* Section 4.3. */
static void handle_contact(struct tcpcl *session, struct reading *reading)
{
	uint8_t version = session->collected[4];
	bool peer_tls = session->collected[5] & TCPCL_FLAG_CAN_TLS;

	next_step(session, STEP_TYPE);
	if (memcmp(session->collected, "dtn!", 4) != 0) {
		tcpcl_close(
			session, ERROR_MALFORMED, "the peer's first bytes are not a TCPCL contact header");
		return;
	}
	if (session->role == TCPCL_PASSIVE)
		tcpcl_write_contact(session, reading->now_ms, reading->output);
	if (version != TCPCL_VERSION) {
		if (session->role == TCPCL_PASSIVE)
			tcpcl_write_term(
				session, reading->now_ms, 0, TCPCL_TERM_VERSION_MISMATCH, reading->output);
		tcpcl_close(session, ERROR_BAD_VERSION, "the peer speaks another version of TCPCL");
		return;
	}
	session->tls = peer_tls && session->security != TCPCL_TLS_OFF;
	if (session->tls) {
		session->state = STATE_TLS;
		reading->event->kind = TCPCL_EVENT_START_TLS;
	} else if (session->security == TCPCL_TLS_REQUIRED) {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_UNSUPPORTED,
			"the peer does not offer TLS, and the link is not closed", reading->output);
	} else {
		session->state = STATE_INIT;
		if (session->role == TCPCL_ACTIVE)
			tcpcl_write_init(session, reading->now_ms, reading->output);
	}
}

/* True if `type` may come in this state; else the session is closing. */
static bool check_type(struct tcpcl *session, uint8_t type, struct reading *reading)
{
	bool transfers = session->state == STATE_ESTABLISHED || session->state == STATE_ENDING;
	bool expected = false;

	switch (type) {
	case TCPCL_XFER_SEGMENT:
	case TCPCL_XFER_ACK:
	case TCPCL_XFER_REFUSE:
	case TCPCL_KEEPALIVE:
		expected = transfers;
		break;
	case TCPCL_SESS_INIT:
		expected = !transfers;
		break;
	case TCPCL_SESS_TERM:
	case TCPCL_MSG_REJECT:
		expected = true;
		break;
	default:
		tcpcl_violation(session, reading->now_ms, TCPCL_REJECT_TYPE_UNKNOWN,
			"the peer sent a message of an unknown type", reading->output);
		return false;
	}
	if (!expected)
		tcpcl_violation(session, reading->now_ms, TCPCL_REJECT_UNEXPECTED,
			"the peer sent a message that has no place in this state", reading->output);
	return expected;
}

static bool step_type(struct tcpcl *session, struct reading *reading)
{
	if (left(reading) == 0)
		return false;

	uint8_t type = reading->input.data[reading->at];

	/* Back-pressure: answers wait for the disk, so the next segment waits as well. */
	if (type == TCPCL_XFER_SEGMENT && session->answers_count + 2 > TCPCL_PENDING_MAX)
		return false;
	reading->at++;
	session->message = type;
	if (check_type(session, type, reading) && type != TCPCL_KEEPALIVE)
		next_step(session, STEP_FIELDS);
	return true;
}

static size_t fields_size(uint8_t type)
{
	switch (type) {
	case TCPCL_XFER_SEGMENT:
	case TCPCL_XFER_REFUSE:
		return 9;
	case TCPCL_XFER_ACK:
		return 17;
	case TCPCL_SESS_INIT:
		return 20;
	default:
		assert(type == TCPCL_SESS_TERM || type == TCPCL_MSG_REJECT);
		return 2;
	}
}

/* Section 6.1. */
static void handle_term(struct tcpcl *session, struct reading *reading)
{
	uint8_t reason = session->collected[1];
	bool established = session->state == STATE_ESTABLISHED || session->state == STATE_ENDING;

	if (session->term_received) {
		tcpcl_violation(session, reading->now_ms, TCPCL_REJECT_UNEXPECTED,
			"the peer ended the session twice", reading->output);
		return;
	}
	session->term_received = true;
	if (session->term_sent)
		return;
	tcpcl_write_term(session, reading->now_ms, TCPCL_TERM_REPLY, reason, reading->output);
	if (!established) {
		tcpcl_close(session, ERROR_CLOSED, "the peer ended the session before it was established");
		return;
	}
	session->state = STATE_ENDING;
	session->ending_ms = reading->now_ms;
	reading->event->kind = TCPCL_EVENT_ENDING;
	reading->event->reason = reason;
}

/* Section 4.6, the fields before the node id. */
static void handle_init(struct tcpcl *session, struct reading *reading)
{
	uint16_t node_id_size = load_u16(session->collected + 18);

	session->keepalive_peer_s = load_u16(session->collected);
	session->segment_mtu = load_u64(session->collected + 2);
	session->transfer_mtu = load_u64(session->collected + 10);
	if (session->segment_mtu < SEGMENT_MRU_MIN || session->transfer_mtu < TRANSFER_MRU_MIN) {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_OUT_OF_RANGE,
			"the peer takes only smaller segments or transfers than this program makes",
			reading->output);
	} else if (node_id_size == 0 || node_id_size > NODE_ID_SIZE_MAX) {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_OUT_OF_RANGE,
			"the peer names no node id, or one that is too long", reading->output);
	} else {
		session->peer_node_id_size = node_id_size;
		session->peer_node_id_at = 0;
		next_step(session, STEP_NODE_ID);
	}
}

static bool step_fields(struct tcpcl *session, struct reading *reading)
{
	if (!collect(session, reading, fields_size(session->message)))
		return false;
	next_step(session, STEP_TYPE);
	switch (session->message) {
	case TCPCL_SESS_INIT:
		handle_init(session, reading);
		break;
	case TCPCL_SESS_TERM:
		handle_term(session, reading);
		break;
	case TCPCL_MSG_REJECT:
		/* Whatever it was, the two ends no longer agree on what was said. */
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_UNKNOWN, ERROR_UNSUPPORTED,
			"the peer rejected a message", reading->output);
		break;
	case TCPCL_XFER_ACK:
		tcpcl_receive_ack(session, reading->now_ms, reading->event, reading->output);
		break;
	case TCPCL_XFER_REFUSE:
		tcpcl_receive_refuse(session, reading->now_ms, reading->event, reading->output);
		break;
	default:
		session->flags = session->collected[0];
		session->message_transfer = load_u64(session->collected + 1);
		if (tcpcl_segment_begins(session, reading->now_ms, reading->output))
			next_step(session,
				session->flags & TCPCL_SEGMENT_START ? STEP_ITEMS_LENGTH : STEP_DATA_LENGTH);
		break;
	}
	return true;
}

static bool step_node_id(struct tcpcl *session, struct reading *reading)
{
	size_t more = (size_t)session->peer_node_id_size - session->peer_node_id_at;

	if (more > left(reading))
		more = left(reading);
	if (more > 0)
		memcpy(session->peer_node_id + session->peer_node_id_at, reading->input.data + reading->at,
			more);
	session->peer_node_id_at = (uint16_t)(session->peer_node_id_at + more);
	reading->at += more;
	if (session->peer_node_id_at < session->peer_node_id_size)
		return false;
	next_step(session, STEP_ITEMS_LENGTH);
	return true;
}

/* Section 4.4.4 and 4.6: who the peer says it is, who its certificate says, whom we meant. */
static void handle_peer(struct tcpcl *session, struct reading *reading)
{
	struct bytes peer = bytes_make(session->peer_node_id, session->peer_node_id_size);
	struct bytes expected = bytes_make(session->expected_node_id, session->expected_node_id_size);
	struct bytes certificate = bytes_make(
		session->certificate_node_id, session->certificate_node_id_size);
	const char *wrong = NULL;

	if (!tcpcl_node_id_is_valid(peer))
		wrong = "the peer's node id is not a URI";
	else if (expected.size > 0 && !tcpcl_node_id_equal(peer, expected))
		wrong = "the peer is another node than was meant";
	else if (certificate.size > 0 && !tcpcl_node_id_equal(peer, certificate))
		wrong = "the peer's certificate is for another node than it says it is";
	if (wrong != NULL) {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_UNKNOWN_KEY, wrong,
			reading->output);
		return;
	}
	session->state = STATE_ADMIT;
	reading->event->kind = TCPCL_EVENT_PEER;
	reading->event->node_id = peer;
}

/* All extension items of the message are read. */
static void items_end(struct tcpcl *session, struct reading *reading)
{
	if (session->message == TCPCL_XFER_SEGMENT) {
		next_step(session, STEP_DATA_LENGTH);
	} else {
		next_step(session, STEP_TYPE);
		handle_peer(session, reading);
	}
}

static bool step_items_length(struct tcpcl *session, struct reading *reading)
{
	if (!collect(session, reading, 4))
		return false;
	session->items_left = load_u32(session->collected);
	if (session->items_left > SESSION_EXTENSIONS_SIZE_MAX) {
		tcpcl_fail(session, reading->now_ms,
			session->message == TCPCL_XFER_SEGMENT ? TCPCL_TERM_RESOURCE_EXHAUSTION :
								 TCPCL_TERM_CONTACT_FAILURE,
			ERROR_TOO_LARGE, "the peer sent more extension items than this program reads",
			reading->output);
		return true;
	}
	next_step(session, STEP_ITEM);
	if (session->items_left == 0)
		items_end(session, reading);
	return true;
}

/* The items disagree with their total length. A segment is refused and read past; a SESS_INIT has failed. */
static void items_broken(struct tcpcl *session, struct reading *reading, uint32_t rest)
{
	if (session->message == TCPCL_XFER_SEGMENT) {
		tcpcl_segment_items_broken(session);
		session->item_left = (uint16_t)rest;
		session->items_left = rest;
		next_step(session, STEP_ITEM_SKIP);
	} else {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_MALFORMED,
			"the peer's session extension items disagree with their length", reading->output);
	}
}

static bool step_item(struct tcpcl *session, struct reading *reading)
{
	if (session->items_left < TCPCL_ITEM_HEAD_SIZE) {
		items_broken(session, reading, session->items_left);
		return true;
	}
	if (!collect(session, reading, TCPCL_ITEM_HEAD_SIZE))
		return false;
	session->items_left -= TCPCL_ITEM_HEAD_SIZE;
	session->item_left = load_u16(session->collected + 3);
	if (session->item_left > session->items_left) {
		items_broken(session, reading, session->items_left);
		return true;
	}
	session->item_known = false;
	if (session->message == TCPCL_XFER_SEGMENT) {
		tcpcl_segment_item(session);
	} else if (session->collected[0] & TCPCL_ITEM_CRITICAL) {
		tcpcl_fail(session, reading->now_ms, TCPCL_TERM_CONTACT_FAILURE, ERROR_UNSUPPORTED,
			"the peer asks for a session extension that this program does not know",
			reading->output);
		return true;
	}
	next_step(session, session->item_known ? STEP_ITEM_VALUE : STEP_ITEM_SKIP);
	return true;
}

static bool step_item_value(struct tcpcl *session, struct reading *reading)
{
	if (!collect(session, reading, 8))
		return false;
	tcpcl_segment_item_value(session);
	session->items_left -= 8;
	next_step(session, STEP_ITEM);
	if (session->items_left == 0)
		items_end(session, reading);
	return true;
}

static bool step_item_skip(struct tcpcl *session, struct reading *reading)
{
	size_t skip = session->item_left;

	if (skip > left(reading))
		skip = left(reading);
	reading->at += skip;
	session->item_left = (uint16_t)(session->item_left - skip);
	session->items_left -= (uint32_t)skip;
	if (session->item_left > 0)
		return false;
	next_step(session, STEP_ITEM);
	if (session->items_left == 0)
		items_end(session, reading);
	return true;
}

static bool step_data_length(struct tcpcl *session, struct reading *reading)
{
	if (!collect(session, reading, 8))
		return false;
	next_step(session, STEP_DATA);
	tcpcl_segment_length(session, reading->now_ms, reading->event, reading->output);
	return true;
}

static bool step_data(struct tcpcl *session, struct reading *reading)
{
	size_t size = left(reading);

	if (session->data_left == 0) {
		next_step(session, STEP_TYPE);
		tcpcl_segment_ends(session, reading->event);
		return true;
	}
	if (size == 0)
		return false;
	if (size > session->data_left)
		size = (size_t)session->data_left;
	tcpcl_segment_data(session, bytes_make(reading->input.data + reading->at, size), reading->event);
	reading->at += size;
	return true;
}

static bool step_contact(struct tcpcl *session, struct reading *reading)
{
	if (!collect(session, reading, TCPCL_CONTACT_SIZE))
		return false;
	handle_contact(session, reading);
	return true;
}

/* One part of one message; false when it needs more input, or the shell. */
static bool step(struct tcpcl *session, struct reading *reading)
{
	switch ((enum tcpcl_state)session->state) {
	case STATE_CONTACT:
		return step_contact(session, reading);
	case STATE_INIT:
	case STATE_ESTABLISHED:
	case STATE_ENDING:
		break;
	case STATE_TLS:
	case STATE_ADMIT:
	case STATE_CLOSING:
	case STATE_CLOSED:
		return false;
	}
	switch ((enum tcpcl_step)session->step) {
	case STEP_TYPE:
		return step_type(session, reading);
	case STEP_FIELDS:
		return step_fields(session, reading);
	case STEP_NODE_ID:
		return step_node_id(session, reading);
	case STEP_ITEMS_LENGTH:
		return step_items_length(session, reading);
	case STEP_ITEM:
		return step_item(session, reading);
	case STEP_ITEM_VALUE:
		return step_item_value(session, reading);
	case STEP_ITEM_SKIP:
		return step_item_skip(session, reading);
	case STEP_DATA_LENGTH:
		return step_data_length(session, reading);
	case STEP_DATA:
		return step_data(session, reading);
	}
	return false;
}

size_t tcpcl_input(struct tcpcl *session, uint64_t now_ms, struct bytes input, struct tcpcl_event *event,
	struct buffer *output)
{
	struct reading reading = {.input = input, .now_ms = now_ms, .event = event, .output = output};
	bool more = true;

	*event = (struct tcpcl_event){.kind = TCPCL_EVENT_NONE};
	while (more && event->kind == TCPCL_EVENT_NONE) {
		tcpcl_write_answers(session, now_ms, output);
		if (tcpcl_settle(session, event) || output->failed ||
			output->size_max - output->size < TCPCL_OUTPUT_ROOM)
			break;
		more = step(session, &reading);
	}
	if (reading.at > 0)
		session->received_ms = now_ms;
	return reading.at;
}
