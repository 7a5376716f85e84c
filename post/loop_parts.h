/*
 * What loop_start.c uses of loop.c.
 */
#ifndef POST_LOOP_PARTS_H
#define POST_LOOP_PARTS_H

#include "post/loop.h"

/* Logs why the daemon must stop, after a function of post/transaction.h gave `error`. Returns false. */
bool loop_stop(struct loop *loop, enum error error);

/* Commits the batch and performs its actions. False: the daemon must stop; it has been logged why. */
bool loop_finish_batch(struct loop *loop);

#endif
