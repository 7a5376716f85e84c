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

/* Standard input may be a socket that could be connected: to the post's own, which listens. */
static int connect_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "post.sock"};

	return outcome(connect(STDIN_FILENO, (const struct sockaddr *)&address, sizeof address));
}

/* Room for one message of one byte with one descriptor, as standard input may hold it. */
struct delivery {
	struct msghdr message;
	struct iovec part;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void expect_delivery(struct delivery *delivery)
{
	delivery->part = (struct iovec){.iov_base = &delivery->byte, .iov_len = 1};
	delivery->message = (struct msghdr){.msg_iov = &delivery->part,
					    .msg_iovlen = 1,
					    .msg_control = delivery->control,
					    .msg_controllen = sizeof delivery->control};
}

/* A message alone is no success: the descriptor is what must not come in. */
static int descriptor_came(int result, struct msghdr *message)
{
	const struct cmsghdr *control = result < 0 ? NULL : CMSG_FIRSTHDR(message);

	if (result < 0)
		return errno;
	return control != NULL && control->cmsg_type == SCM_RIGHTS ? 0 : ENOMSG;
}

static int receive_message(void)
{
	struct delivery delivery;

	expect_delivery(&delivery);
	return descriptor_came((int)recvmsg(STDIN_FILENO, &delivery.message, MSG_DONTWAIT),
			       &delivery.message);
}

static int receive_messages(void)
{
	struct delivery delivery;
	struct mmsghdr messages[1] = {{.msg_len = 0}};
	int result;

	expect_delivery(&delivery);
	messages[0].msg_hdr = delivery.message;
	result = recvmmsg(STDIN_FILENO, messages, 1, MSG_DONTWAIT, NULL);
	return descriptor_came(result, &messages[0].msg_hdr);
}

/* The program that takes our place says of itself that it runs. */
static int execute(void)
{
	char words[3][16] = {"/bin/echo", "exec", "SUCCEEDED"};
	char *arguments[] = {words[0], words[1], words[2], NULL};

	return outcome(execve(arguments[0], arguments, arguments + 3));
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

/* It is not stopped by this, and goes on by itself when we end. */
static int trace_parent(void)
{
	return outcome(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
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
