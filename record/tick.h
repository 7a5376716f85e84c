/*
 * RECORD_TICK: what time brings: resending, heads, prekeys, erasure.
 */
#ifndef RECORD_TICK_H
#define RECORD_TICK_H

#include "record/run.h"

enum error tick_handle(struct run *run);

#endif
