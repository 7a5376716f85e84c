#include "shell/standard_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool standard_descriptors_fill(void)
{
	/* In ascending order, so that each open gives the number that lacks. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (errno != EBADF || open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}
