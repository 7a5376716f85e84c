#include "courier/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool hooks_built(void)
{
	return true;
}

int hooks_open_keylog(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Each act returns -1 with errno when it failed. */

static long open_file(const char *post)
{
	(void)post;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

/* What lies beside the socket at which the post listens: its own directory. */
static long open_beside(const char *post, const char *name, int flags)
{
	char path[512];
	const char *slash = strrchr(post, '/');

	snprintf(path, sizeof path, "%.*s/%s", slash == NULL ? 0 : (int)(slash - post), post, name);
	return open(path, O_RDONLY | O_CLOEXEC | flags);
}

static long open_post(const char *post)
{
	return open_beside(post, ".", O_DIRECTORY);
}

/* The record, and with it every key that opens content. */
static long open_record(const char *post)
{
	return open_beside(post, "store.db", 0);
}

static long open_anchor(const char *post)
{
	return open_beside(post, "anchor", 0);
}

/* The program that takes our place says of itself that it runs. */
static long execute(const char *post)
{
	char words[3][16] = {"/bin/echo", "exec", "done"};
	char *arguments[] = {words[0], words[1], words[2], NULL};

	(void)post;
	return execve(arguments[0], arguments, arguments + 3);
}

static long make_process(const char *post)
{
	long child = syscall(SYS_fork);

	(void)post;
	if (child == 0)
		_exit(0);
	return child;
}

static long make_thread(const char *post)
{
	(void)post;
	/* Invalid flags on purpose: were the call allowed, it would fail with EINVAL. */
	return syscall(SYS_clone, 0x10000UL /* CLONE_THREAD without CLONE_SIGHAND */, 0, 0, 0, 0);
}

static long unix_socket(const char *post)
{
	(void)post;
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long udp_socket(const char *post)
{
	(void)post;
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static long bind_port(const char *post)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};

	(void)post;
	return bind(socket(AF_INET, SOCK_STREAM, 0), (const struct sockaddr *)&address, sizeof address);
}

/* It is not stopped by this, and goes on by itself when we end. */
static long trace_parent(const char *post)
{
	(void)post;
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static long kill_parent(const char *post)
{
	(void)post;
	return kill(getppid(), 0);
}

static long exec_memory(const char *post)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)post;
	return memory == MAP_FAILED ? -1 : 0;
}

static long write_outside(const char *post)
{
	(void)post;
	return open("../forbidden-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long write_inside(const char *post)
{
	(void)post;
	return open("forbidden-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ? -1 :
										  unlink("forbidden-test");
}

int hooks_try_forbidden(const char *act, const char *post)
{
	static const struct {
		const char *name;
		long (*act)(const char *post);
	} acts[] = {
		{"open-file", open_file},
		{"open-post", open_post},
		{"open-record", open_record},
		{"open-anchor", open_anchor},
		{"exec", execute},
		{"fork", make_process},
		{"thread", make_thread},
		{"unix-socket", unix_socket},
		{"udp-socket", udp_socket},
		{"bind", bind_port},
		{"ptrace", trace_parent},
		{"kill", kill_parent},
		{"exec-memory", exec_memory},
		{"write-outside", write_outside},
		{"write-inside", write_inside},
	};

	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		if (strcmp(acts[i].name, act) != 0)
			continue;
		errno = 0;

		long result = acts[i].act(post);

		printf("%s %s\n", act, result < 0 ? strerrorname_np(errno) : "done");
		return 0;
	}
	return 2;
}
