/*
 * RECORD_RECEIVED: sealed bytes from the courier become an entry of another's log, a receipt, heads, prekeys
 * or "cannot open".
 *
 * What cannot be tied to an accredited log (does not open, unknown post, bad signature) is counted, logged
 * without content and dropped: no receipt. Whatever comes of it, the delivery is TAKEN; but where the shell
 * says that there is no room, what would be filed of officers' words below a precedence is LEFT.
 */
#ifndef RECORD_RECEIVE_H
#define RECORD_RECEIVE_H

#include "envelope/wire.h"
#include "record/keys.h"
#include "record/registry.h"
#include "record/run.h"

enum error receive_handle(struct run *run);

/* An opened statement, for the parts that read them. */
struct received_statement {
	const struct keys_opened *opened;
	uint64_t channel_number; /* 0: none */
	struct channel channel;
	uint64_t index; /* roster index of the sender's party */
	struct log_post post; /* the sender, as it stands on the channel */
	struct cose_signed object;
	struct bytes cose;
};

/* ---- shared by the parts of receive*.c ---- */

#define CHANNELS_OF_TAG_MAX 4 /* channels whose ids begin alike */

struct found_channel {
	uint64_t number;
	uint64_t index;
	struct channel channel;
};

/* The channels with this tag that a party is on, and its roster index there. */
enum error receive_channels_of(struct run *run, const uint8_t tag[CHANNEL_TAG_SIZE], uint64_t party,
			       struct found_channel found[CHANNELS_OF_TAG_MAX], size_t *count);
enum error receive_statement(struct run *run, const struct keys_opened *opened, const struct wire *wire);
/* An entry of the own log that another post gives back. */
enum error receive_returned(struct run *run, const struct keys_opened *opened, const struct wire *wire);
/*
 * Sealed bytes do not open: the post whose courier they claim to come from is told, so many times a minute.
 */
enum error receive_cannot_be_opened(struct run *run);

#endif
