/*
 * What this process may still do once it reads bytes from outside: nothing but its own files and the
 * sockets that it holds.
 *
 * Landlock: files are opened, made and removed under one directory only. seccomp: an allow-list of system
 * calls, without socket, connect, any form of recvmsg (so that no descriptor can be received), execve,
 * fork, clone, ptrace, and without executable memory; what is not on it fails with EPERM. Connections are
 * accepted on listening sockets made before.
 */
#ifndef POST_SANDBOX_H
#define POST_SANDBOX_H

#include "base/error.h"

#define SANDBOX_DESCRIPTORS_MAX 128 /* 33 clients, a courier, and some 20 of its own files and sockets */

/*
 * Limits and flags that need no support: no core files, a bounded number of descriptors, no new privileges,
 * not dumpable, broken pipes and file size limits as errors instead of signals. ERROR_IO with errno.
 */
enum error sandbox_prepare(void);

/*
 * Closes the sandbox around this process, for good. `directory` is an open descriptor of the one directory.
 * Everything else that is needed must be open. ERROR_NO_SANDBOX: the kernel offers no Landlock or no
 * seccomp filters, and *missing is a phrase that says what; ERROR_IO: it could not be set up, *missing
 * names the step, errno says why.
 */
enum error sandbox_enter(int directory, const char **missing);

#endif
