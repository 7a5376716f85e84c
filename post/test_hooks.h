/*
 * What tests need from inside the daemon. Builds without -Dtest_hooks=true have none of it: there
 * test_hooks_take knows no option and the others do nothing.
 */
#ifndef POST_TEST_HOOKS_H
#define POST_TEST_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct test_hooks {
	const char *forbidden;       /* --test-forbidden ACT */
	uint64_t crash_after_commit; /* --test-crash-after-commit N; 0: never */
	uint64_t commits;
};

/* Takes an option with its value. False: there is no such option, or not with this value. */
bool test_hooks_take(struct test_hooks *hooks, const char *option, const char *value);

/* In the sandbox, before anything is served. True: the process is to end with *status. */
bool test_hooks_act(const struct test_hooks *hooks, int *status);

/* A batch is on disk with its anchor, and none of its actions has been performed. */
void test_hooks_after_commit(struct test_hooks *hooks);

/* For --help: a line for each option, or nothing. */
extern const char test_hooks_help[];

#endif
