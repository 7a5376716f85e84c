#include "carry/tcpcl_internal.h"

#include <assert.h>

/* RFC 9174, section 4.2. */
void tcpcl_write_contact(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	buffer_append(output, bytes_make("dtn!", 4));
	buffer_append_byte(output, TCPCL_VERSION);
	buffer_append_byte(output, session->security == TCPCL_TLS_OFF ? 0 : TCPCL_FLAG_CAN_TLS);
	session->sent_ms = now_ms;
}

/* RFC 9174, section 4.6. No session extension items: none are defined. */
void tcpcl_write_init(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	buffer_append_byte(output, TCPCL_SESS_INIT);
	buffer_append_u16(output, session->keepalive_s);
	buffer_append_u64(output, SEGMENT_SIZE_MAX);
	buffer_append_u64(output, TRANSFER_SIZE_MAX);
	buffer_append_u16(output, session->node_id_size);
	buffer_append(output, bytes_make(session->node_id, session->node_id_size));
	buffer_append_u32(output, 0);
	session->sent_ms = now_ms;
}

/* RFC 9174, section 6.1. */
void tcpcl_write_term(
	struct tcpcl *session, uint64_t now_ms, uint8_t flags, uint8_t reason, struct buffer *output)
{
	buffer_append_byte(output, TCPCL_SESS_TERM);
	buffer_append_byte(output, flags);
	buffer_append_byte(output, reason);
	session->term_sent = true;
	session->sent_ms = now_ms;
}

/* RFC 9174, section 5.1.2. */
void tcpcl_write_reject(struct tcpcl *session, uint64_t now_ms, uint8_t reason, struct buffer *output)
{
	buffer_append_byte(output, TCPCL_MSG_REJECT);
	buffer_append_byte(output, reason);
	buffer_append_byte(output, session->message);
	session->sent_ms = now_ms;
}

/* RFC 9174, section 5.1.1. */
void tcpcl_write_keepalive(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	buffer_append_byte(output, TCPCL_KEEPALIVE);
	session->sent_ms = now_ms;
}

/* RFC 9174, sections 5.2.3 and 5.2.4. */
static void write_answer(const struct tcpcl_answer *answer, struct buffer *output)
{
	if (answer->kind == ANSWER_ACK) {
		buffer_append_byte(output, TCPCL_XFER_ACK);
		buffer_append_byte(output, answer->flags);
		buffer_append_u64(output, answer->transfer);
		buffer_append_u64(output, answer->length);
	} else {
		buffer_append_byte(output, TCPCL_XFER_REFUSE);
		buffer_append_byte(output, answer->reason);
		buffer_append_u64(output, answer->transfer);
	}
}

void tcpcl_write_answers(struct tcpcl *session, uint64_t now_ms, struct buffer *output)
{
	while (session->state != STATE_CLOSED && session->answers_count > 0) {
		const struct tcpcl_answer *answer = &session->answers[session->answers_first];

		if (answer->kind == ANSWER_WAITS || output->size_max - output->size < TCPCL_ANSWER_SIZE)
			return;
		write_answer(answer, output);
		assert(!output->failed);
		session->answers_first = (session->answers_first + 1) % TCPCL_PENDING_MAX;
		session->answers_count--;
		session->sent_ms = now_ms;
	}
}
