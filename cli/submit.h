/*
 * Handing a signed entry to the post.
 */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include "cli/client.h"
#include "envelope/reference.h"

struct submitted {
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
	char reference[REFERENCE_SIZE_MAX + 1];
};

/*
 * Submits a COSE object on a channel and waits until it is on the post's disk. False after an error message
 * that says `what` was not done; nothing has then been sent.
 */
bool submit(struct client *client, const struct call *call, const char *what, const uint8_t channel[32],
	    struct bytes cose, struct submitted *submitted);

#endif
