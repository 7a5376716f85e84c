/*
 * A connection to a post's daemon over the local API (base/local.h). Blocking; one request at a time.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/local.h"
#include "cli/command.h"

struct client {
	int fd;
	uint64_t number; /* of the last request */
	struct buffer request;
	struct buffer stream; /* bytes received and not yet consumed */
	size_t frame_size;    /* of the frame last returned: consumed at the next read */
	uint8_t *memory;
	/* Called for notices that come while a reply is awaited; NULL: they are dropped. It asks nothing. */
	void (*on_notice)(void *context, struct bytes frame);
	void *notice_context;
};

/*
 * Connects to the socket post.sock in `directory`. False with a sentence in `reason` that says what to do.
 */
bool client_connect(struct client *client, const char *directory, char *reason, size_t reason_size);
/* The same with the directory of call_post(). False after an error message. */
bool client_open(struct client *client, const struct call *call);
void client_close(struct client *client);

/* From now on no answer is waited for longer than this: ERROR_CLOSED then. */
void client_set_patience(struct client *client, unsigned seconds);

/* Begins a request: write the arguments to the buffer returned, `argument_count` CBOR items. */
struct buffer *client_begin(struct client *client, enum local_verb verb, size_t argument_count);

/*
 * Sends the request and waits for its reply. On ERROR_OK `reply` stands at the first result and *result_count
 * says how many there are; on an error of the post, `detail` (a buffer of the caller, may be NULL) gets its
 * text. ERROR_CLOSED if the daemon goes away. Where no reply came, *result_count is left as it was. Views
 * read from `reply` are valid until the next request or read.
 */
enum error client_request(struct client *client, struct cbor_reader *reply, size_t *result_count,
			  char *detail, size_t detail_size);

/* Waits for the next frame (a notice after LOCAL_SUBSCRIBE, a chunk of a backup). As client_request without
 * sending. */
enum error client_next(struct client *client, struct bytes *frame);

/* True if client_next has its frame without reading from the socket. */
bool client_is_ready(const struct client *client);

/* Says that `what` could not be done: the error, and the post's own sentence where it gave another. */
void client_explain(const struct call *call, const char *what, enum error error, const char *detail);

/* client_request, and on failure a message that says `what` could not be done. */
bool client_ask(struct client *client, const struct call *call, const char *what, struct cbor_reader *reply,
		size_t *result_count);

/* HELLO: the slot of the post that answers. */
bool client_own_slot(struct client *client, const struct call *call, uint64_t *slot);

#endif
