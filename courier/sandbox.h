/*
 * What the courier's processes may still do once they have begun to read what others write: Landlock for
 * files, seccomp for system calls. Both are kept for ever, whoever takes the process.
 *
 * The courier: files below its own directory; TCP connections out and the sockets it already listens on; no
 * new listening socket, no Unix or other socket, no program, no process, no thread, no tracing, no executable
 * memory. The connector (courier/connector.h): Unix-socket connections; no file, no network.
 *
 * A system call that is not allowed fails with EPERM.
 */
#ifndef COURIER_SANDBOX_H
#define COURIER_SANDBOX_H

#include "base/error.h"

enum sandbox_role {
	SANDBOX_COURIER,
	SANDBOX_CONNECTOR,
};

/*
 * Closes the sandbox around this process. directory: a descriptor of the one directory whose files stay
 * within reach, or -1 for none. ERROR_NO_SANDBOX, and *problem says what the kernel lacks (static text).
 */
enum error sandbox_enter(enum sandbox_role role, int directory, const char **problem);

#endif
