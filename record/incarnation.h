/*
 * Incarnations (RECORD_START, RECORD_COURIER_HEADS): where it is not shown that the own log goes on, a new incarnation begins at once.
 */
#ifndef RECORD_INCARNATION_H
#define RECORD_INCARNATION_H

#include "record/run.h"

/* Compares every own log with the anchor: the anchor's head must be a prefix of it. */
enum error incarnation_start(struct run *run);

/* A head under an own log key that is larger than the own log, or has another root at its size: the store was set back. */
enum error incarnation_heads(struct run *run);

#endif
