/*
 * A connection to a post over the local API (base/local.h), for questions one after the other, and in its
 * parts for waiting on several at once.
 */
#ifndef BENCH_API_H
#define BENCH_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/local.h"
#include "envelope/party.h"
#include "envelope/terms.h"

struct api {
	int fd; /* -1: closed */
	uint64_t number;
	struct buffer request;
	struct buffer stream;
	size_t taken; /* bytes at its front that have been returned */
	uint8_t *memory;
};

/* Connects to DIRECTORY/post.sock. False, without a message, if nobody answers there. */
bool api_open(struct api *api, const char *directory);
void api_close(struct api *api);

/* Begins a request: write the arguments to the buffer returned, `argument_count` CBOR items. */
struct buffer *api_begin(struct api *api, enum local_verb verb, size_t argument_count);

/* Ends the request and sends it. False if the daemon has gone away. */
bool api_send(struct api *api);

/*
 * The next whole frame that has been received. ERROR_TRUNCATED: none is here yet; ERROR_CLOSED: the daemon
 * has gone away. Never waits: read when poll says so. A view until the next call.
 */
enum error api_next(struct api *api, struct bytes *frame);

/*
 * Reads the head of a frame: `number` 0 is a notice, whose kind is in *code; else *code is the error of the
 * reply. The reader stands at the first result. False if the frame is no such thing.
 */
bool api_head(struct bytes frame, struct cbor_reader *reader, uint64_t *number, uint64_t *code);

/*
 * Sends the request and waits up to 30 s for its reply; notices before it are passed over. False after an
 * error message that says `what` could not be done.
 */
bool api_ask(struct api *api, const char *what, struct cbor_reader *reply);

/* ---- questions ---- */

struct api_channel {
	uint8_t id[CHANNEL_ID_SIZE];
	uint8_t registry[REGISTRY_SIZE];
	uint64_t heads_interval_s;
	bool open;
	size_t own_index;
	struct roster roster;
	uint64_t own_log;
	uint64_t own_officer;    /* the first of the own party; 0: none */
	bool own_officer_agreed; /* by all other parties */
};

/* The only channel of the post: *found false where there is none yet. False after an error message. */
bool api_channel(struct api *api, struct api_channel *channel, bool *found);

/*
 * True in *up if the courier is connected and its every route is up, one at least. False after an error
 * message.
 */
bool api_line_up(struct api *api, bool *up);

#endif
