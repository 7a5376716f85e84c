/*
 * The system calls that the daemon makes once it serves.
 */
#ifndef POST_SANDBOX_CALLS_H
#define POST_SANDBOX_CALLS_H

#include "base/error.h"

/* Loads the filter. ERROR_NO_SANDBOX: the kernel has none; ERROR_NO_MEMORY. Needs PR_SET_NO_NEW_PRIVS. */
enum error sandbox_calls_confine(void);

#endif
