/*
 * Heads, cosignatures and equivocation (doc/PROTOCOL.md, section 7). Functions return what run.h says.
 */
#ifndef RECORD_HEADS_H
#define RECORD_HEADS_H

#include "record/receive.h"

/* A statement of heads whose signature is verified: heads are checked, the largest consistent one is cosigned
 * and kept, a fork is proved. */
enum error heads_take(struct run *run, const struct received_statement *statement);

/* RECORD_TICK: statements of heads that are due, each terms interval where something changed, else each
 * HEADS_IDLE_INTERVALS. */
#define HEADS_IDLE_INTERVALS 60
enum error heads_tick(struct run *run);

/*
 * True in *agree unless, of some other post on the channel, the newest head seen is not that of what is held
 * here, a fork is proved, or what it cosigned of the own log is not the own log's. For STATUS.
 */
enum error heads_agree(struct run *run, uint64_t channel_number, const struct channel *channel, bool *agree);

#endif
