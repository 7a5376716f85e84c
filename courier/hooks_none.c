#include "courier/hooks.h"

#include <errno.h>
#include <stddef.h>

bool hooks_built(void)
{
	return false;
}

int hooks_open_keylog(const char *path)
{
	(void)path;
	errno = ENOSYS;
	return -1;
}

int hooks_try_forbidden(const char *act, const char *post)
{
	(void)act;
	(void)post;
	return 2;
}
