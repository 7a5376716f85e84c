/*
 * What only a build for tests has (-Dtest_hooks=true): hooks.c there, hooks_none.c else.
 */
#ifndef COURIER_HOOKS_H
#define COURIER_HOOKS_H

#include <stdbool.h>

bool hooks_built(void);

/* Opens the file that `keylog` names, to append to. -1 with errno. */
int hooks_open_keylog(const char *path);

/*
 * Tries one act that the sandbox must forbid, from inside, and prints its name and what came of it ("EPERM",
 * or "done"). Acts: open-file, open-post, exec, fork, thread, unix-socket, udp-socket, bind, ptrace, kill,
 * exec-memory, write-outside, write-inside (which is allowed). post: the path of the post's socket. Returns 0
 * when the act was tried, 2 for an unknown name.
 */
int hooks_try_forbidden(const char *act, const char *post);

#endif
