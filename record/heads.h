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
 * From a start on until the courier has told which heads it keeps, none is told and nothing is filed in the
 * own logs: where the disk was set back with its anchor, it would be another one at the place of one that was
 * told before.
 */
void heads_wait(struct run *run);
bool heads_awaited(struct run *run);
void heads_go_on(struct run *run);

/* ---- of former incarnations ---- */

/* Former incarnations of one log, the newest ones, whose heads are told, and taken. */
#define HEADS_FORMER_MAX 16

/* The last head of an incarnation that is not the newest; zeros where none is kept. */
enum error heads_former(struct run *run, const struct entry_key *log, struct former_head *head);
/* Keeps it, unless a larger one is kept. Its signature is verified. */
enum error heads_keep_former(struct run *run, const struct entry_key *log, const struct former_head *head);
/*
 * A former own log has grown by what others gave back, or a signed head of it has come: where it covers the
 * head, the roots must be equal. Else the line's `disagrees` says so; it accuses nobody.
 */
enum error heads_compare_own(struct run *run, const struct entry_key *log);

/*
 * How the heads of a channel stand, the worst of all other posts on it, for STATUS. LOCAL_HEADS_AGREE takes a
 * cosignature in both directions from each; *cosigned_at is then the time (Unix seconds, by their clocks) of
 * the oldest that others gave the own log, else 0.
 */
enum error heads_stand(struct run *run, uint64_t channel_number, const struct channel *channel,
		       enum local_heads *heads, uint64_t *cosigned_at);

#endif
