/*
 * Transfers of an established session (RFC 9174, section 5.2): segments in, answers out, and own transfers.
 */
#include "carry/tcpcl_internal.h"

#include <assert.h>
#include <string.h>

static void push_answer(struct tcpcl *session, struct tcpcl_answer answer)
{
	unsigned at = (session->answers_first + session->answers_count) % TCPCL_PENDING_MAX;

	/* tcpcl_input() starts a segment only while two answers have room: its own, and a refusal that the
	 * shell may give between two segments. */
	assert(session->answers_count < TCPCL_PENDING_MAX);
	session->answers[at] = answer;
	session->answers_count++;
}

/* Refuses the incoming transfer; what is left of it is passed over. One refusal for each segment received. */
static void refuse_incoming(struct tcpcl *session, enum tcpcl_refuse reason)
{
	if (!session->segment_answered) {
		struct tcpcl_answer answer = {
			.transfer = session->incoming_transfer,
			.kind = ANSWER_REFUSE,
			.reason = (uint8_t)reason,
		};

		push_answer(session, answer);
		session->segment_answered = true;
	}
	if (!session->incoming_refused)
		session->incoming_reason = (uint8_t)reason;
	session->incoming_refused = true;
}

static bool transfer_is_answered(const struct tcpcl *session, uint64_t transfer)
{
	for (unsigned i = 0; i < session->answers_count; i++) {
		unsigned at = (session->answers_first + i) % TCPCL_PENDING_MAX;

		if (session->answers[at].transfer == transfer)
			return true;
	}
	return false;
}

static bool transfer_starts(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	uint64_t transfer = session->message_transfer;

	if (session->incoming && !session->incoming_refused) {
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNEXPECTED,
			"the peer began a transfer before it ended the last", output);
		return false;
	}
	if ((session->incoming_any && transfer == session->incoming_transfer) ||
		transfer_is_answered(session, transfer)) {
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNEXPECTED, "the peer used a transfer id twice",
			output);
		return false;
	}
	session->incoming = true;
	session->incoming_any = true;
	session->incoming_refused = false;
	session->incoming_announced = false;
	session->incoming_transfer = transfer;
	session->incoming_size = 0;
	if (session->state == STATE_ENDING)
		refuse_incoming(session, TCPCL_REFUSE_SESSION_TERMINATING);
	return true;
}

bool tcpcl_segment_begins(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	session->segment = true;
	session->segment_answered = false;
	if (session->flags & TCPCL_SEGMENT_START)
		return transfer_starts(session, now_ms, output);
	if (!session->incoming || session->message_transfer != session->incoming_transfer) {
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNEXPECTED,
			"the peer sent a segment of no transfer that is under way", output);
		return false;
	}
	/* The refusal crossed this segment on the wire: it is refused as well. */
	if (session->incoming_refused)
		refuse_incoming(session, (enum tcpcl_refuse)session->incoming_reason);
	return true;
}

void tcpcl_segment_item(struct tcpcl *session)
{
	bool critical = session->collected[0] & TCPCL_ITEM_CRITICAL;
	uint16_t type = load_u16(session->collected + 1);

	session->item_known = false;
	if (type != TCPCL_ITEM_TRANSFER_LENGTH) {
		if (critical)
			refuse_incoming(session, TCPCL_REFUSE_EXTENSION_FAILURE);
	} else if (session->incoming_announced || session->item_left != 8) {
		refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
	} else {
		session->item_known = true;
	}
}

void tcpcl_segment_item_value(struct tcpcl *session)
{
	session->incoming_announced = true;
	session->incoming_total = load_u64(session->collected);
	if (session->incoming_total > TRANSFER_SIZE_MAX)
		refuse_incoming(session, TCPCL_REFUSE_NO_RESOURCES);
	else if (session->incoming_total == 0)
		refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
}

void tcpcl_segment_items_broken(struct tcpcl *session)
{
	refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
}

/* Everything that can be wrong with a segment's length is known before its data. */
static void check_length(struct tcpcl *session)
{
	bool end = session->flags & TCPCL_SEGMENT_END;
	uint64_t total = session->incoming_size + session->data_left;

	if (total > TRANSFER_SIZE_MAX)
		refuse_incoming(session, TCPCL_REFUSE_NO_RESOURCES);
	else if (session->incoming_announced && total > session->incoming_total)
		refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
	else if (session->incoming_announced && end && total != session->incoming_total)
		refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
	else if (end ? total == 0 : session->data_left == 0)
		refuse_incoming(session, TCPCL_REFUSE_NOT_ACCEPTABLE);
}

bool tcpcl_segment_length(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output)
{
	session->data_left = load_u64(session->collected);
	if (session->data_left > SEGMENT_SIZE_MAX) {
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNSUPPORTED,
			"the peer sent a segment above the segment MRU", output);
		return false;
	}
	if (session->incoming_refused && !(session->flags & TCPCL_SEGMENT_START))
		return true;
	if (!session->incoming_refused)
		check_length(session);
	if (session->incoming_refused) {
		event->kind = TCPCL_EVENT_TRANSFER_DROPPED;
		event->transfer = session->incoming_transfer;
		event->reason = session->incoming_reason;
	} else if (session->flags & TCPCL_SEGMENT_START) {
		event->kind = TCPCL_EVENT_TRANSFER_BEGIN;
		event->transfer = session->incoming_transfer;
		event->size = session->incoming_announced ? session->incoming_total : 0;
		if (session->flags & TCPCL_SEGMENT_END)
			event->size = session->data_left;
	}
	return true;
}

void tcpcl_segment_data(struct tcpcl *session, struct bytes data, struct tcpcl_event *event)
{
	assert(data.size <= session->data_left);
	session->data_left -= data.size;
	if (session->incoming_refused)
		return;
	session->incoming_size += data.size;
	event->kind = TCPCL_EVENT_TRANSFER_DATA;
	event->transfer = session->incoming_transfer;
	event->data = data;
}

void tcpcl_segment_ends(struct tcpcl *session, struct tcpcl_event *event)
{
	bool end = session->flags & TCPCL_SEGMENT_END;

	if (!session->segment_answered) {
		struct tcpcl_answer answer = {
			.transfer = session->incoming_transfer,
			.length = session->incoming_size,
			.flags = session->flags,
			.kind = end ? ANSWER_WAITS : ANSWER_ACK,
		};

		push_answer(session, answer);
	}
	session->segment = false;
	session->segment_answered = false;
	if (!end)
		return;
	session->incoming = false;
	if (session->incoming_refused)
		return;
	event->kind = TCPCL_EVENT_TRANSFER_END;
	event->transfer = session->incoming_transfer;
	event->size = session->incoming_size;
}

/* The answer that waits for the shell's word on `transfer`, or NULL. */
static struct tcpcl_answer *find_waiting(struct tcpcl *session, uint64_t transfer)
{
	for (unsigned i = 0; i < session->answers_count; i++) {
		struct tcpcl_answer
			*answer = &session->answers[(session->answers_first + i) % TCPCL_PENDING_MAX];

		if (answer->kind == ANSWER_WAITS && answer->transfer == transfer)
			return answer;
	}
	return NULL;
}

enum error tcpcl_transfer_stored(
	struct tcpcl *session, uint64_t now_ms, uint64_t transfer, struct buffer *output)
{
	struct tcpcl_answer *answer = find_waiting(session, transfer);

	if (answer == NULL)
		return ERROR_NOT_FOUND;
	answer->kind = ANSWER_ACK;
	tcpcl_write_answers(session, now_ms, output);
	return ERROR_OK;
}

enum error tcpcl_transfer_refuse(struct tcpcl *session, uint64_t now_ms, uint64_t transfer,
	enum tcpcl_refuse reason, struct buffer *output)
{
	struct tcpcl_answer *answer = find_waiting(session, transfer);

	if (answer != NULL) {
		answer->kind = ANSWER_REFUSE;
		answer->reason = (uint8_t)reason;
	} else if (session->incoming && session->incoming_transfer == transfer &&
		!session->incoming_refused) {
		refuse_incoming(session, reason);
		/* Between two segments the refusal stands for none of them: the next is refused anew. */
		session->segment_answered = session->segment;
	} else {
		return ERROR_NOT_FOUND;
	}
	tcpcl_write_answers(session, now_ms, output);
	return ERROR_OK;
}

bool tcpcl_may_begin(const struct tcpcl *session)
{
	return session->state == STATE_ESTABLISHED && !session->sending &&
		session->outgoing_count < TCPCL_OUTGOING_MAX && session->next_transfer < UINT64_MAX;
}

enum error tcpcl_transfer_begin(struct tcpcl *session, uint64_t size, uint64_t *transfer)
{
	assert(size > 0);
	if (!tcpcl_may_begin(session))
		return ERROR_NOT_NOW;
	if (size > tcpcl_transfer_size_max(session))
		return ERROR_TOO_LARGE;
	*transfer = session->next_transfer++;
	session->outgoing[session->outgoing_count++] = (struct tcpcl_outgoing){
		.transfer = *transfer,
		.size = size,
	};
	session->sending = true;
	return ERROR_OK;
}

static struct tcpcl_outgoing *newest(struct tcpcl *session)
{
	assert(session->sending && session->outgoing_count > 0);
	return &session->outgoing[session->outgoing_count - 1];
}

static uint64_t next_segment_size(const struct tcpcl *session, const struct tcpcl_outgoing *outgoing)
{
	uint64_t size = outgoing->size - outgoing->sent;

	if (size > SEGMENT_SIZE_MAX)
		size = SEGMENT_SIZE_MAX;
	return size < session->segment_mtu ? size : session->segment_mtu;
}

size_t tcpcl_segment_room(const struct tcpcl *session)
{
	if (!session->sending)
		return 0;
	return TCPCL_SEGMENT_HEAD_MAX +
		(size_t)next_segment_size(session, &session->outgoing[session->outgoing_count - 1]);
}

enum error tcpcl_transfer_continue(
	struct tcpcl *session, uint64_t now_ms, struct bytes bundle, bool *done, struct buffer *output)
{
	if (!session->sending || (session->state != STATE_ESTABLISHED && session->state != STATE_ENDING))
		return ERROR_NOT_NOW;
	if (output->size_max - output->size < tcpcl_segment_room(session))
		return ERROR_FULL;

	struct tcpcl_outgoing *outgoing = newest(session);
	uint64_t size = next_segment_size(session, outgoing);
	bool start = outgoing->sent == 0;
	bool end = outgoing->sent + size == outgoing->size;

	assert(bundle.size == outgoing->size);
	buffer_append_byte(output, TCPCL_XFER_SEGMENT);
	buffer_append_byte(
		output, (uint8_t)((start ? TCPCL_SEGMENT_START : 0) | (end ? TCPCL_SEGMENT_END : 0)));
	buffer_append_u64(output, outgoing->transfer);
	if (start && end) {
		buffer_append_u32(output, 0);
	} else if (start) {
		buffer_append_u32(output, TCPCL_ITEM_HEAD_SIZE + 8);
		buffer_append_byte(output, 0);
		buffer_append_u16(output, TCPCL_ITEM_TRANSFER_LENGTH);
		buffer_append_u16(output, 8);
		buffer_append_u64(output, outgoing->size);
	}
	buffer_append_u64(output, size);
	buffer_append(output, bytes_make(bundle.data + outgoing->sent, (size_t)size));
	assert(!output->failed);
	if (session->outgoing_count == 1 && start)
		session->progress_ms = now_ms;
	outgoing->sent += size;
	session->sent_ms = now_ms;
	session->sending = !end;
	*done = end;
	return ERROR_OK;
}

uint64_t tcpcl_transfer_size_max(const struct tcpcl *session)
{
	if (session->state != STATE_ESTABLISHED && session->state != STATE_ENDING)
		return 0;
	return session->transfer_mtu < TRANSFER_SIZE_MAX ? session->transfer_mtu : TRANSFER_SIZE_MAX;
}

uint64_t tcpcl_unacknowledged(const struct tcpcl *session)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < session->outgoing_count; i++)
		size += session->outgoing[i].sent - session->outgoing[i].acknowledged;
	return size;
}

static struct tcpcl_outgoing *find_outgoing(struct tcpcl *session, uint64_t transfer)
{
	for (unsigned i = 0; i < session->outgoing_count; i++) {
		if (session->outgoing[i].transfer == transfer)
			return &session->outgoing[i];
	}
	return NULL;
}

static void settle_outgoing(struct tcpcl *session, struct tcpcl_outgoing *outgoing)
{
	size_t at = (size_t)(outgoing - session->outgoing);

	if (session->sending && at == session->outgoing_count - 1)
		session->sending = false;
	memmove(outgoing, outgoing + 1, (session->outgoing_count - at - 1) * sizeof *outgoing);
	session->outgoing_count--;
}

/* An answer to a transfer that is not ours to be answered: section 5.1.2. */
static void reject_stray(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	if (++session->rejects > TCPCL_REJECTS_MAX)
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNEXPECTED,
			"the peer keeps answering transfers that were not made", output);
	else
		tcpcl_write_reject(session, now_ms, TCPCL_REJECT_UNEXPECTED, output);
}

void tcpcl_receive_ack(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output)
{
	bool end = session->collected[0] & TCPCL_SEGMENT_END;
	uint64_t transfer = load_u64(session->collected + 1);
	uint64_t length = load_u64(session->collected + 9);
	struct tcpcl_outgoing *outgoing = find_outgoing(session, transfer);

	if (outgoing == NULL) {
		reject_stray(session, now_ms, output);
		return;
	}
	if (length > outgoing->sent || length <= outgoing->acknowledged ||
		(end && length != outgoing->size)) {
		tcpcl_violation(session, now_ms, TCPCL_REJECT_UNSUPPORTED,
			"the peer acknowledged another length than was sent", output);
		return;
	}
	outgoing->acknowledged = length;
	session->progress_ms = now_ms;
	event->kind = TCPCL_EVENT_ACKNOWLEDGED;
	event->transfer = transfer;
	event->size = length;
	event->whole = length == outgoing->size;
	if (event->whole)
		settle_outgoing(session, outgoing);
}

void tcpcl_receive_refuse(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output)
{
	uint8_t reason = session->collected[0];
	uint64_t transfer = load_u64(session->collected + 1);
	struct tcpcl_outgoing *outgoing = find_outgoing(session, transfer);

	if (outgoing == NULL) {
		/* Each segment on its way when the first refusal came is refused again: nothing new. */
		if (transfer >= session->next_transfer)
			reject_stray(session, now_ms, output);
		return;
	}
	settle_outgoing(session, outgoing);
	session->progress_ms = now_ms;
	event->kind = TCPCL_EVENT_REFUSED;
	event->transfer = transfer;
	event->reason = reason;
}
