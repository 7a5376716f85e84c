#include "courier/connector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "courier/sandbox.h"

#define WAIT_MS 500

/* One descriptor in a control message. */
union control {
	char memory[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* Sends an errno, with a descriptor when it is 0. */
static bool send_answer(int channel, int number, int connection)
{
	struct iovec part = {.iov_base = &number, .iov_len = sizeof number};
	union control control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	memset(&control, 0, sizeof control);
	if (number == 0) {
		message.msg_control = control.memory;
		message.msg_controllen = sizeof control.memory;

		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof connection);
		memcpy(CMSG_DATA(header), &connection, sizeof connection);
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)sizeof number;
}

/* Without waiting for a post that hangs: nothing ends a connector that waits when the courier goes. */
static int make_connection(const struct sockaddr_un *address, int *number)
{
	int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*number = 0;
	if (connection >= 0 && connect(connection, (const struct sockaddr *)address, sizeof *address) != 0) {
		*number = errno;
		close(connection);
		return -1;
	}
	if (connection < 0)
		*number = errno;
	return connection;
}

/* The connector's whole life. */
__attribute__((noreturn)) static void serve(int channel, const char *path, bool sandbox)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *problem;
	char asked;

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (sandbox && sandbox_enter(SANDBOX_CONNECTOR, -1, &problem) != ERROR_OK)
		_exit(1); /* the courier is about to find out, and to say, the same */
	while (read(channel, &asked, 1) == 1) {
		int number;
		int connection = make_connection(&address, &number);
		bool sent = send_answer(channel, number, connection);

		if (connection >= 0)
			close(connection);
		if (!sent)
			break;
	}
	_exit(0);
}

enum error connector_start(const char *path, bool sandbox, int *channel, pid_t *process)
{
	int ends[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return ERROR_IO;
	child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return ERROR_IO;
	}
	if (child == 0) {
		/* What stops the courier is meant for the courier; the connector follows when it is gone. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Nothing else of the courier's goes with it: its end of the channel least of all, or this
		 * process would never see it closed. */
		close(ends[0]);
		close_range(3, (unsigned)ends[1] - 1, 0);
		close_range((unsigned)ends[1] + 1, ~0U, 0);
		serve(ends[1], path, sandbox);
	}
	close(ends[1]);
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
		close(ends[0]);
		return ERROR_IO;
	}
	*channel = ends[0];
	*process = child;
	return ERROR_OK;
}

void connector_wait(pid_t process)
{
	for (unsigned waited_ms = 0; waited_ms < WAIT_MS && waitpid(process, NULL, WNOHANG) == 0; waited_ms++)
		poll(NULL, 0, 1);
}

enum error connector_ask(int channel)
{
	static const char ask = 1;

	return sendto(channel, &ask, 1, MSG_NOSIGNAL, NULL, 0) == 1 ? ERROR_OK : ERROR_CLOSED;
}

enum error connector_answer(int channel, int *connection, int *number)
{
	struct iovec part = {.iov_base = number, .iov_len = sizeof *number};
	union control control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.memory,
		.msg_controllen = sizeof control.memory,
	};
	ssize_t size = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return ERROR_NOT_NOW;
	if (size != (ssize_t)sizeof *number)
		return ERROR_CLOSED;
	if (*number != 0)
		return ERROR_IO;

	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return ERROR_CLOSED;
	memcpy(connection, CMSG_DATA(header), sizeof *connection);
	fcntl(*connection, F_SETFL, O_NONBLOCK);
	return ERROR_OK;
}
