/*
 * Incarnations: where it is not shown that the own log goes on, a new one begins at once. A line must not
 * fall silent because a disk was restored.
 */
#ifndef RECORD_INCARNATION_H
#define RECORD_INCARNATION_H

#include "record/run.h"

/* RECORD_START: compares every own log with the anchor, whose head must be a prefix of it. */
enum error incarnation_start(struct run *run);

/* RECORD_COURIER_HEADS: a head under an own log key that is larger than the own log, or has another root at
 * its size, shows that the store was set back. */
enum error incarnation_heads(struct run *run);

/* The same, found otherwise (a counterpart's cosignature over such a head of this incarnation): begins a new
 * one, unless the present one is newer already. */
enum error incarnation_behind(struct run *run, uint64_t channel_number, uint64_t incarnation);

/*
 * A channel that was made just now, of which an anchor had told that this post wrote on it before: its log
 * there is lost, and goes on in a new incarnation, whose first entry says so.
 */
enum error incarnation_resume(struct run *run, uint64_t channel_number);

/* RECORD_TICK: after a restore, copies wait again, some at a time, to be sealed anew. */
enum error incarnation_requeue(struct run *run);

#endif
