#include "bench/children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/wait.h"

#define STOP_MS    10000
#define COMMAND_MS 60000
#define LOG_SHOWN  2000 /* bytes of a log's end that are shown */

static struct child *free_place(struct children *children)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children->list[i].pid == 0)
			return &children->list[i];
	fail("no place is left for another process");
	return NULL;
}

/* In the child: it ends when bench-line does, whatever happens to that. */
static void become_child(pid_t parent)
{
	wait_restore();
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(126);
}

static void become_daemon(const char *log, const char *preload, const char *counts)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	if (preload == NULL)
		return;
	/* A build with sanitizers would rather come first itself: it is told that this is meant. */
	const char *before = getenv("ASAN_OPTIONS");
	char options[512];
	snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", before != NULL ? before : "",
		 before != NULL ? ":" : "");
	setenv("ASAN_OPTIONS", options, 1);
	setenv("LD_PRELOAD", preload, 1);
	setenv("BENCH_SYNCS", counts, 1);
}

struct child *child_start(struct children *children, const char *name, const char *path,
			  char *const arguments[], const char *log, const char *preload, const char *counts)
{
	pid_t parent = getpid();
	struct child *child = free_place(children);
	if (child == NULL)
		return NULL;
	pid_t pid = fork();
	if (pid == 0) {
		become_child(parent);
		become_daemon(log, preload, counts);
		execv(path, arguments);
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		_exit(127);
	}
	if (pid < 0) {
		fail("%s cannot be started: %s", name, strerror(errno));
		return NULL;
	}
	*child = (struct child){.pid = pid, .name = name, .log = log};
	return child;
}

struct child *child_fork(struct children *children, const char *name, int (*work)(void *context),
			 void *context)
{
	pid_t parent = getpid();
	struct child *child = free_place(children);
	if (child == NULL)
		return NULL;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		become_child(parent);
		_exit(work(context));
	}
	if (pid < 0) {
		fail("%s cannot be started: %s", name, strerror(errno));
		return NULL;
	}
	*child = (struct child){.pid = pid, .name = name};
	return child;
}

uint64_t child_cpu_us(const struct child *child)
{
	char path[64], line[1024] = "";
	unsigned long long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)child->pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	bool read = fgets(line, sizeof line, file) != NULL;
	fclose(file);
	/* Fields 14 and 15; the second, a name in brackets, may hold spaces. */
	char *after_name = read ? strrchr(line, ')') : NULL;
	if (after_name == NULL ||
	    sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
		   &system) != 2)
		return 0;
	return (user + system) * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

static void show_log(const char *path)
{
	char text[LOG_SHOWN + 1];
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	if (file == NULL)
		return;
	if (fseek(file, -LOG_SHOWN, SEEK_END) != 0)
		rewind(file);
	size_t size = fread(text, 1, LOG_SHOWN, file);
	fclose(file);
	fwrite(text, 1, size, stderr);
}

bool child_runs(struct child *child)
{
	int status;
	if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == 0)
		return true;
	child->pid = 0;
	fail("%s has ended by itself", child->name);
	show_log(child->log);
	return false;
}

/* True when the child has ended within the time. */
static bool ended_within(struct child *child, unsigned ms, int *status)
{
	int64_t end = now_us() + (int64_t)ms * 1000;
	while (waitpid(child->pid, status, WNOHANG) == 0) {
		if (now_us() > end)
			return false;
		poll(NULL, 0, 10);
	}
	child->pid = 0;
	return true;
}

bool child_finish(struct child *child, unsigned seconds)
{
	int status = 0;
	for (unsigned i = 0; i < seconds * 10; i++) {
		if (ended_within(child, 100, &status))
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? true
									     : fail("%s failed", child->name);
		if (interrupted())
			return fail("stopped by a signal");
	}
	return fail("%s did not end within %u s", child->name, seconds);
}

void child_stop(struct child *child)
{
	int status;
	if (child == NULL || child->pid == 0)
		return;
	kill(child->pid, SIGTERM);
	if (ended_within(child, STOP_MS, &status))
		return;
	kill(child->pid, SIGKILL);
	waitpid(child->pid, &status, 0);
	child->pid = 0;
}

void children_stop(struct children *children)
{
	/* Those started last lean on those before them. */
	for (size_t i = CHILDREN_MAX; i > 0; i--)
		child_stop(&children->list[i - 1]);
}

/* Reads what the command says until it closes its output. False if it takes too long. */
static bool gather(int fd, char *text, size_t text_size)
{
	int64_t end = now_us() + (int64_t)COMMAND_MS * 1000;
	size_t size = 0;
	while (now_us() < end && !interrupted()) {
		char thrown_away[1024];
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		if (poll(&poll_fd, 1, 100) <= 0)
			continue;
		bool room = size + 1 < text_size;
		ssize_t got = read(fd, room ? text + size : thrown_away,
				   room ? text_size - 1 - size : sizeof thrown_away);
		if (got <= 0) {
			text[size] = '\0';
			return true;
		}
		size += room ? (size_t)got : 0;
	}
	text[size] = '\0';
	return false;
}

bool command_run(char *const arguments[], char *output, size_t output_size)
{
	int ends[2], status = 0;
	char said[4096];
	pid_t parent = getpid();
	bool apart = output != NULL; /* otherwise all it says is gathered, for the error message */
	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail("a command cannot be run: %s", strerror(errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		become_child(parent);
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		dup2(ends[1], 1);
		if (!apart)
			dup2(ends[1], 2);
		execv(arguments[0], arguments);
		_exit(127);
	}
	close(ends[1]);
	bool done = pid > 0 && gather(ends[0], apart ? output : said, apart ? output_size : sizeof said);
	close(ends[0]);
	struct child child = {.pid = pid, .name = arguments[0]};
	if (pid > 0 && (!done || !ended_within(&child, STOP_MS, &status)))
		child_stop(&child);
	if (done && child.pid == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (apart)
			output[strcspn(output, "\n")] = '\0';
		return true;
	}
	return fail("%s %s%s%s failed%s%s", arguments[0], arguments[1], arguments[2] != NULL ? " " : "",
		    arguments[2] != NULL ? arguments[2] : "", apart ? "" : ": ", apart ? "" : said);
}
