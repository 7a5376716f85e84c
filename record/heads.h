/*
 * Heads, cosignatures and equivocation (doc/PROTOCOL.md, section 7). Functions return what run.h says.
 */
#ifndef RECORD_HEADS_H
#define RECORD_HEADS_H

#include "base/local.h"
#include "record/receive.h"

/* A statement of heads whose signature is verified: heads are checked, the largest consistent one is cosigned
 * and kept, a fork is proved. */
enum error heads_take(struct run *run, const struct received_statement *statement);

/* RECORD_TICK: statements of heads that are due, each terms interval where something changed, else each
 * HEADS_IDLE_INTERVALS. */
#define HEADS_IDLE_INTERVALS 60
enum error heads_tick(struct run *run);

/*
 * How the heads of a channel stand, the worst of all other posts on it, for STATUS. LOCAL_HEADS_AGREE takes a
 * cosignature in both directions from each; *cosigned_at is then the time (Unix seconds, by their clocks) of
 * the oldest that others gave the own log, else 0.
 */
enum error heads_stand(struct run *run, uint64_t channel_number, const struct channel *channel,
		       enum local_heads *heads, uint64_t *cosigned_at);

#endif
