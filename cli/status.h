/*
 * What a post says of itself, its courier and its routes (STATUS of base/local.h), as JSON.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <jansson.h>

#include "cli/client.h"

/* Asks STATUS: the object that `status --json` prints, before logs are named. NULL after an error message. */
json_t *status_ask(struct client *client, const struct call *call);

#endif
