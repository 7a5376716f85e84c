/*
 * One courier to a directory: DIR/courier.lock, locked while it runs and removed when it ends.
 */
#ifndef COURIER_LOCK_H
#define COURIER_LOCK_H

#include "base/error.h"

/* *lock: a descriptor, for lock_release(). ERROR_BUSY: another courier runs there. ERROR_IO with errno. */
enum error lock_take(int directory, int *lock);
void lock_release(int directory, int lock);

#endif
