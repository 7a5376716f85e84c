/*
 * Shared by carry/tcpcl*.c only: codes of RFC 9174, states and steps, and the writers of messages.
 */
#ifndef CARRY_TCPCL_INTERNAL_H
#define CARRY_TCPCL_INTERNAL_H

#include "carry/tcpcl.h"

#define TCPCL_VERSION 4
#define TCPCL_FLAG_CAN_TLS 0x01
#define TCPCL_CONTACT_SIZE 6

/* Message types (section 4.5) and the flags of their second byte. */
#define TCPCL_XFER_SEGMENT 0x01
#define TCPCL_XFER_ACK 0x02
#define TCPCL_XFER_REFUSE 0x03
#define TCPCL_KEEPALIVE 0x04
#define TCPCL_SESS_TERM 0x05
#define TCPCL_MSG_REJECT 0x06
#define TCPCL_SESS_INIT 0x07

#define TCPCL_SEGMENT_END 0x01
#define TCPCL_SEGMENT_START 0x02
#define TCPCL_TERM_REPLY 0x01
#define TCPCL_ITEM_CRITICAL 0x01
#define TCPCL_ITEM_TRANSFER_LENGTH 0x0001
#define TCPCL_ITEM_HEAD_SIZE 5

#define TCPCL_ANSWER_SIZE 18 /* XFER_ACK, the longest answer to a segment */

enum tcpcl_state {
	STATE_CONTACT,
	STATE_TLS,
	STATE_INIT,
	STATE_ADMIT,
	STATE_ESTABLISHED,
	STATE_ENDING,
	STATE_CLOSING, /* nothing more is read; CLOSE is still to be told */
	STATE_CLOSED,
};

/* What the next bytes of input are. */
enum tcpcl_step {
	STEP_TYPE,   /* one byte: the message header */
	STEP_FIELDS, /* the fields of fixed size that every message of the type has */
	STEP_NODE_ID,
	STEP_ITEMS_LENGTH,
	STEP_ITEM,       /* flags, type, length */
	STEP_ITEM_VALUE, /* the value of the item that we know */
	STEP_ITEM_SKIP,
	STEP_DATA_LENGTH,
	STEP_DATA,
};

enum tcpcl_answer_kind {
	ANSWER_WAITS, /* the shell has to say */
	ANSWER_ACK,
	ANSWER_REFUSE,
};

/* tcpcl_write.c: each appends one whole message and notes when; the caller has checked for room. */
void tcpcl_write_contact(struct tcpcl *session, uint64_t now_ms, struct buffer *output);
void tcpcl_write_init(struct tcpcl *session, uint64_t now_ms, struct buffer *output);
void tcpcl_write_term(
	struct tcpcl *session, uint64_t now_ms, uint8_t flags, uint8_t reason, struct buffer *output);
void tcpcl_write_reject(struct tcpcl *session, uint64_t now_ms, uint8_t reason, struct buffer *output);
void tcpcl_write_keepalive(struct tcpcl *session, uint64_t now_ms, struct buffer *output);
/* Sends the answers at the front of the ring that are decided, while there is room. */
void tcpcl_write_answers(struct tcpcl *session, uint64_t now_ms, struct buffer *output);

/* tcpcl_transfer.c: one received segment, in the order of its parts; answers are queued here. */
/* The head is read: true if the message makes sense now; false: it was rejected and the session is closing.
 */
bool tcpcl_segment_begins(struct tcpcl *session, uint64_t now_ms, struct buffer *output);
void tcpcl_segment_item(struct tcpcl *session);       /* the head of an extension item is in collected[] */
void tcpcl_segment_item_value(struct tcpcl *session); /* the value of the transfer length item is */
void tcpcl_segment_items_broken(struct tcpcl *session);
/* The data length is in session->data_left: true if the data may follow. */
bool tcpcl_segment_length(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output);
/* `size` bytes of data were read; the last of them when data_left is 0. */
void tcpcl_segment_data(struct tcpcl *session, struct bytes data, struct tcpcl_event *event);
void tcpcl_segment_ends(struct tcpcl *session, struct tcpcl_event *event);
/* XFER_ACK and XFER_REFUSE, their fields in collected[]. */
void tcpcl_receive_ack(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output);
void tcpcl_receive_refuse(
	struct tcpcl *session, uint64_t now_ms, struct tcpcl_event *event, struct buffer *output);

/* tcpcl.c */
/* Nothing more is read or sent: CLOSE is told next. */
void tcpcl_close(struct tcpcl *session, enum error error, const char *detail);
/* SESS_TERM for `reason` if none was sent, then as tcpcl_close. */
void tcpcl_fail(struct tcpcl *session, uint64_t now_ms, enum tcpcl_term reason, enum error error,
	const char *detail, struct buffer *output);
/* MSG_REJECT of the message being read, then tcpcl_fail. */
void tcpcl_violation(struct tcpcl *session, uint64_t now_ms, enum tcpcl_reject reason, const char *detail,
	struct buffer *output);
/* Turns the end of a settled session, and a closing one, into CLOSE. True if it set the event. */
bool tcpcl_settle(struct tcpcl *session, struct tcpcl_event *event);

#endif
