/*
 * As much of a local request (base/local.h) as the shell itself must know, and the replies that it gives
 * itself.
 */
#ifndef POST_REQUEST_H
#define POST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/local.h"

struct request {
	uint64_t number; /* 1 or more */
	uint64_t verb;   /* enum local_verb, or one that is not known */
	/* Of a SUBMIT whose entry can be read: its kind and precedence (envelope/content.h); else 0. */
	uint64_t kind;
	uint64_t precedence;
};

/*
 * Reads a frame without its size. ERROR_MALFORMED: not a request at all, so there is no number to reply to.
 * A SUBMIT that is wrong further inside is still a request: the record refuses it.
 */
enum error request_parse(struct bytes frame, struct request *request);

/* Appends a reply frame, with its size: an error with its sentence; no results; one chunk of bytes. */
void request_reply_error(struct buffer *buffer, uint64_t number, enum error error, const char *detail);
void request_reply_empty(struct buffer *buffer, uint64_t number);
void request_reply_chunk(struct buffer *buffer, uint64_t number, struct bytes chunk);

/*
 * Asks the record for the post's own name on the network: writes a HELLO request as a frame without its
 * size; reads the node from the reply, a frame with its size. The node is a view into the reply.
 * ERROR_MALFORMED: not such a reply.
 */
void request_hello(struct buffer *buffer, uint64_t number);
enum error request_hello_node(struct bytes reply, struct bytes *node);

#endif
