#include "post/test_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CRASH_STATUS 86

const char test_hooks_help[] =
	"  --test-forbidden ACT          try ACT in the sandbox and print its errno\n"
	"  --test-crash-after-commit N   end at once after the Nth commit, before its actions\n";

/* ---- acts that must fail: each returns 0 if it succeeded, else errno ---- */

static int outcome(long result)
{
	return result < 0 ? errno : 0;
}

static int internet_socket(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int unix_socket(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int connect_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "post.sock"};

	/* Whatever the descriptor is: the call itself must be refused. */
	return outcome(connect(STDIN_FILENO, (const struct sockaddr *)&address, sizeof address));
}

static int receive_message(void)
{
	char byte, control[64];
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

	return outcome(recvmsg(STDIN_FILENO, &message, MSG_DONTWAIT));
}

static int receive_messages(void)
{
	char byte;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

	return outcome(recvmmsg(STDIN_FILENO, &message, 1, MSG_DONTWAIT, NULL));
}

static int execute(void)
{
	char *arguments[] = {NULL, NULL};
	char name[] = "/bin/true";

	arguments[0] = name;
	return outcome(execve(name, arguments, arguments + 1));
}

static int fork_process(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	return outcome(child);
}

static int read_foreign_file(void)
{
	return outcome(open("/etc/passwd", O_RDONLY));
}

static int write_foreign_file(void)
{
	return outcome(open("../liaisond-escaped", O_WRONLY | O_CREAT, 0600));
}

static int list_foreign_directory(void)
{
	return outcome(open("/", O_RDONLY | O_DIRECTORY));
}

static int make_link(void)
{
	return outcome(symlink("/etc/passwd", "link"));
}

static int trace_parent(void)
{
	return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int signal_parent(void)
{
	return outcome(kill(getppid(), SIGCONT));
}

static int map_code(void)
{
	void *memory =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? errno : 0;
}

static const struct {
	const char *name;
	int (*act)(void);
} acts[] = {
	{"internet-socket", internet_socket},
	{"unix-socket", unix_socket},
	{"connect", connect_socket},
	{"recvmsg", receive_message},
	{"recvmmsg", receive_messages},
	{"exec", execute},
	{"fork", fork_process},
	{"read-file", read_foreign_file},
	{"write-file", write_foreign_file},
	{"list-directory", list_foreign_directory},
	{"symlink", make_link},
	{"ptrace", trace_parent},
	{"kill", signal_parent},
	{"map-code", map_code},
};

/* ---- options ---- */

bool test_hooks_take(struct test_hooks *hooks, const char *option, const char *value)
{
	if (value == NULL)
		return false;
	if (strcmp(option, "--test-forbidden") == 0) {
		hooks->forbidden = value;
		return true;
	}
	if (strcmp(option, "--test-crash-after-commit") == 0) {
		hooks->crash_after_commit = strtoull(value, NULL, 10);
		return hooks->crash_after_commit != 0;
	}
	return false;
}

bool test_hooks_act(const struct test_hooks *hooks, int *status)
{
	if (hooks->forbidden == NULL)
		return false;
	*status = 2;
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		char line[80];
		int error, size;

		if (strcmp(hooks->forbidden, "all") != 0 && strcmp(hooks->forbidden, acts[i].name) != 0)
			continue;
		error = acts[i].act();
		size = snprintf(line, sizeof line, "%s %s\n", acts[i].name,
				error == 0 ? "SUCCEEDED" : strerrorname_np(error));
		*status = write(STDOUT_FILENO, line, (size_t)size) == size ? 0 : 1;
	}
	return true;
}

void test_hooks_after_commit(struct test_hooks *hooks)
{
	hooks->commits++;
	if (hooks->commits == hooks->crash_after_commit)
		_exit(CRASH_STATUS);
}
