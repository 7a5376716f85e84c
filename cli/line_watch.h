/*
 * What becomes of the line itself while `liaison watch` watches: the post's daemon, its disk, its courier,
 * its routes. A line that is cut brings nothing that could ring, nor does a post whose disk is full: that it
 * is so must be told.
 */
#ifndef CLI_LINE_WATCH_H
#define CLI_LINE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "envelope/party.h"

struct line_event {
	const char *event; /* post-gone, post-back, courier-gone, courier-back, courier-full,
			      courier-room, route, disk, left */
	const char *route; /* "": the event is of no route, and the next is NULL */
	const char *neighbour;
	const char *state;   /* of a route: up, degraded, silent, down; of the disk: ample, low, scarce,
				last; else NULL */
	uint64_t precedence; /* left: the highest of what is newly left; else 0 */
	const char *text;    /* a sentence, without a final stop */
	bool is_urgent;      /* nothing passes here, or something does again */
	bool is_cut;         /* of these two, the first: the bell rings, else only for `precedence` */
};

/* All zeros knows nothing yet, and takes it that all is well: what is not so is told first. */
struct line_watch {
	bool post_is_gone;
	bool courier_is_gone;
	bool courier_is_full;
	json_t *routes; /* as last told; NULL: none yet; freed with line_watch_free */
	size_t disk;    /* as last told: its place among ample, low, scarce, last */
	json_int_t left[PRECEDENCE_COUNT]; /* what stayed with the courier, as last seen */
	void (*tell)(void *context, const struct line_event *event);
	void *context;
};

/* The post's daemon does not answer, or does: told where it was otherwise before. */
void line_watch_post(struct line_watch *line, bool answers);

/*
 * Tells what differs from what was told before, in the post's answer to STATUS (cli/status.h). Of a courier
 * that is gone the routes are not known: they stay as they were.
 */
void line_watch_status(struct line_watch *line, const json_t *status);

void line_watch_free(struct line_watch *line);

#endif
