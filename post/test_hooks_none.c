#include "post/test_hooks.h"

const char test_hooks_help[] = "";

bool test_hooks_take(struct test_hooks *hooks, const char *option, const char *value)
{
	(void)hooks;
	(void)option;
	(void)value;
	return false;
}

bool test_hooks_act(const struct test_hooks *hooks, int *status)
{
	(void)hooks;
	(void)status;
	return false;
}

void test_hooks_after_commit(struct test_hooks *hooks)
{
	(void)hooks;
}
