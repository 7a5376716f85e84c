/*
 * What becomes of the line itself while `liaison watch` watches: the post's daemon, its courier, its routes.
 * A line that is cut brings nothing that could ring, so that it is cut must be told.
 */
#ifndef CLI_LINE_WATCH_H
#define CLI_LINE_WATCH_H

#include <stdbool.h>

#include <jansson.h>

struct line_event {
	const char *event; /* post-gone, post-back, courier-gone, courier-back, route */
	const char *route; /* "": the event is of no route, and the next two are NULL */
	const char *neighbour;
	const char *state; /* up, degraded, silent, down */
	const char *text;  /* a sentence, without a final stop */
	bool is_urgent;    /* nothing passes here, or something does again */
	bool is_cut;       /* of these two, the first: the bell rings */
};

/* All zeros knows nothing yet, and takes it that all is well: what is not so is told first. */
struct line_watch {
	bool post_is_gone;
	bool courier_is_gone;
	json_t *routes; /* as last told; NULL: none yet; freed with line_watch_free */
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
