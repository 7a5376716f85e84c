/*
 * RECORD_RECEIVED: sealed bytes from the courier become an entry of another's log, a receipt, heads, prekeys
 * or "cannot open".
 *
 * What cannot be tied to an accredited log (does not open, unknown post, bad signature) is counted, logged
 * without content and dropped: no receipt. Whatever comes of it, the delivery is TAKEN.
 */
#ifndef RECORD_RECEIVE_H
#define RECORD_RECEIVE_H

#include "envelope/wire.h"
#include "record/keys.h"
#include "record/run.h"

enum error receive_handle(struct run *run);

/* An opened statement, for the parts that read them. */
struct received_statement {
	const struct keys_opened *opened;
	uint64_t channel_number; /* 0: none */
	struct channel channel;
	uint64_t index; /* roster index of the sender's party */
	struct cose_signed object;
	struct bytes cose;
};

#endif
