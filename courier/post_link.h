/*
 * The link to the post: base/link.h over a Unix-socket connection that the connector makes, made again with
 * growing pauses whenever it breaks.
 *
 * Both ends say HELLO first; before the post has, nothing is told to the owner and nothing is sent for it.
 * The owner's functions are called from the loop's callbacks.
 */
#ifndef COURIER_POST_LINK_H
#define COURIER_POST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "base/link.h"

struct post_link;

struct post_link_owner {
	void *context;
	/* The post is there and said HELLO. */
	void (*up)(void *context);
	/* The link broke: what was not taken is to be given again after the next `up`. */
	void (*down)(void *context, const char *detail);
	/* The post's socket cannot be connected to (errno): each time that it was tried. */
	void (*absent)(void *context, int number);
	/* A message, HELLO apart; its views end with the call. False: not now; it comes again after
	 * post_link_resume(). */
	bool (*message)(void *context, const struct link_message *message);
	/* The connector is gone: no link can ever be made again. */
	void (*lost)(void *context);
};

/*
 * Makes the link and starts connecting. channel: of connector_start(), now the link's. node_id and owner must
 * live as long. NULL without memory. It lives as long as the loop: post_link_close() begins its end,
 * post_link_free() comes after the loop has closed all handles.
 */
struct post_link *post_link_make(
	uv_loop_t *loop, int channel, const char *node_id, const struct post_link_owner *owner);
void post_link_close(struct post_link *link);
void post_link_free(struct post_link *link);

bool post_link_is_up(const struct post_link *link);

/*
 * Queues one message and sends it when the loop comes to it. ERROR_CLOSED: the link is not up. Where the post
 * has not read for so long that the buffer is full, the link is broken (ERROR_FULL) and made anew. Other
 * errors are those of link_encode: our own mistake.
 */
enum error post_link_send(struct post_link *link, const struct link_message *message);

/*
 * True if `size` bytes can be queued now and half of all the room is left for others. So it is while the link
 * is not up: nothing is kept for it then.
 */
bool post_link_has_room(const struct post_link *link, size_t size);

/* Sends what is queued. */
void post_link_flush(struct post_link *link);

/* Breaks the link; it is made anew after a pause. */
void post_link_break(struct post_link *link, const char *detail);

/* Goes on with messages after `message` said "not now". */
void post_link_resume(struct post_link *link);

#endif
