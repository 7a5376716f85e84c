/*
 * A channel's record as one JSON object (doc/PROTOCOL.md, "Export"): what `log --json` prints and `verify`
 * reads.
 */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include <jansson.h>

#include "cli/client.h"
#include "cli/registry.h"

/* Bytes of an export file: some hundred thousand entries. */
#define EXPORT_SIZE_MAX (1024 * 1024 * 1024)
/* Bytes of a head's note: its text, and two lines of signatures with the longest names. */
#define HEAD_NOTE_SIZE_MAX 4096

/* Asks the post for every entry and head of the channel. NULL after an error message. */
json_t *export_channel(struct client *client, const struct call *call, const struct known_channel *channel);

/* False, after a message of wrong usage, if a --party is no party id. */
bool export_parties_are_ids(const struct call *call);

/*
 * Checks an export and everything that follows from it alone: that every --party is on the channel, every
 * entry's identity and signatures against the keys that its party's letters name, every leaf, every tree,
 * every head's signature, cosignature and note. Prints whose record it is and one line a log (or JSON).
 * Returns the exit code: 1, after a sentence that names it, at the first thing that does not hold; 3 where
 * all that is here holds, but a log forked, or something that is known to exist is not here.
 */
int export_verify(const struct call *call, const json_t *export);

#endif
