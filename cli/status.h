/*
 * What a post says of itself, its courier and its routes (STATUS of base/local.h), as JSON.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <jansson.h>

#include "cli/client.h"

/* Asks STATUS: the object that `status --json` prints, before logs are named. NULL after an error message. */
json_t *status_ask(struct client *client, const struct call *call);

/* What it means that the courier says so of its disk ("courier_full"), and what to do. */
#define STATUS_COURIER_FULL \
	"the courier's disk is nearly full: it refuses what leaves and what comes, or soon will, the bulk " \
	"first, so free some room on it at once"

/*
 * What a level of the post's disk ("disk" of that object: ample, low, scarce, last) means and what to do, as
 * a sentence without a final stop.
 */
const char *status_disk_text(const char *level);

#endif
