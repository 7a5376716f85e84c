/*
 * Runs a program and kills it (SIGKILL) at one of its system calls.
 *
 * usage: kill_at WHERE COUNT entry|exit REPORT PROGRAM [ARGUMENT...]
 *
 *   WHERE    which calls count: any; lasting (those that change a disk or tell somebody); child (any that a
 *            process makes which the program has forked)
 *   COUNT    the process that makes the COUNT-th of them since the program began is killed; 0: none is
 *   entry    before the call has done anything; exit: when it has, and the program has not learnt of it
 *   REPORT   a file that is made when the kill is done, and then says at which call of which process
 *
 * SIGTERM is passed on to the program. SIGUSR1 kills it wherever it is. kill_at ends when the program and all
 * that it has forked have ended, and as the program did; if it is killed itself, they are too.
 *
 * The counting is that of the whole tree of processes, so one COUNT is one place in what they do together,
 * as far as the kernel lets them do it again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_CANNOT 125
#define OPTIONS                                                                                              \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |               \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)
#define SYSTEM_CALL_STOP (SIGTRAP | 0x80)

struct name {
	uint64_t number;
	const char *text;
};

/* What remains when the process is gone: on a disk, in a directory, at another end. */
static const struct name lasting[] = {
	{SYS_write, "write"},         {SYS_pwrite64, "pwrite64"},   {SYS_writev, "writev"},
	{SYS_pwritev, "pwritev"},     {SYS_sendto, "sendto"},       {SYS_sendmsg, "sendmsg"},
	{SYS_fsync, "fsync"},         {SYS_fdatasync, "fdatasync"}, {SYS_ftruncate, "ftruncate"},
	{SYS_fallocate, "fallocate"}, {SYS_openat, "openat"},       {SYS_unlinkat, "unlinkat"},
	{SYS_renameat2, "renameat2"}, {SYS_mkdirat, "mkdirat"},     {SYS_connect, "connect"},
	{SYS_bind, "bind"},           {SYS_listen, "listen"},
#ifdef SYS_unlink /* newer machines have only the calls that end in `at` */
	{SYS_unlink, "unlink"},       {SYS_rename, "rename"},       {SYS_mkdir, "mkdir"},
#endif
};

/* Others that our programs make, so that a report can name them. */
static const struct name passing[] = {
	{SYS_read, "read"},
	{SYS_pread64, "pread64"},
	{SYS_recvfrom, "recvfrom"},
	{SYS_recvmsg, "recvmsg"},
	{SYS_openat, "openat to read"},
	{SYS_close, "close"},
	{SYS_fstatfs, "fstatfs"},
	{SYS_newfstatat, "newfstatat"},
	{SYS_fcntl, "fcntl"},
	{SYS_flock, "flock"},
	{SYS_mmap, "mmap"},
	{SYS_munmap, "munmap"},
	{SYS_mprotect, "mprotect"},
	{SYS_madvise, "madvise"},
	{SYS_brk, "brk"},
	{SYS_mlock, "mlock"},
	{SYS_futex, "futex"},
	{SYS_getrandom, "getrandom"},
	{SYS_getpid, "getpid"},
	{SYS_prctl, "prctl"},
	{SYS_seccomp, "seccomp"},
	{SYS_socket, "socket"},
	{SYS_accept4, "accept4"},
	{SYS_getsockopt, "getsockopt"},
	{SYS_ppoll, "ppoll"},
	{SYS_setsockopt, "setsockopt"},
	{SYS_epoll_ctl, "epoll_ctl"},
#ifdef SYS_poll
	{SYS_poll, "poll"},
	{SYS_epoll_wait, "epoll_wait"},
#endif
};

struct run {
	const char *report;
	pid_t main;
	pid_t struck; /* it has made the call, and is killed when that is over; 0: none */
	char text[96];
	uint64_t left; /* calls until then */
	int status;    /* of the main process, when it has ended */
	bool begun;    /* the program runs: what came before was ours */
	bool only_lasting;
	bool only_children;
	bool at_exit;
};

static volatile pid_t program; /* for the handler */

static void handle(int number)
{
	kill(program, number == SIGUSR1 ? SIGKILL : number);
}

static const char *find_name(const struct name *names, size_t count, uint64_t call)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == call)
			return names[i].text;
	return NULL;
}

/* The name of a call that lasts, else NULL. To open a file lasts where it may make the file. */
static const char *name_if_lasting(uint64_t call, const uint64_t arguments[6])
{
	if (call == SYS_openat && (arguments[2] & O_CREAT) == 0)
		return NULL;
	return find_name(lasting, sizeof lasting / sizeof lasting[0], call);
}

static void strike(struct run *run, pid_t process)
{
	int report = open(run->report, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	kill(process, SIGKILL);
	run->struck = 0;
	if (report < 0 || dprintf(report, "%s\n", run->text) < 0 || close(report) != 0)
		exit(EXIT_CANNOT); /* and the program with it */
}

/* `process` is about to make a system call. */
static void enter(struct run *run, pid_t process, uint64_t call, const uint64_t arguments[6])
{
	const char *name = name_if_lasting(call, arguments);

	if (!run->begun || run->left == 0 || (run->only_lasting && name == NULL) ||
	    (run->only_children && process == run->main) || --run->left > 0)
		return;
	run->struck = process;
	if (name == NULL)
		name = find_name(passing, sizeof passing / sizeof passing[0], call);
	snprintf(run->text, sizeof run->text, "%s%s", name != NULL ? name : "another call",
		 process != run->main ? " of a child" : "");
	if (!run->at_exit)
		strike(run, process);
}

/* A traced process has stopped: the signal that it is to go on with. */
static int stopped(struct run *run, pid_t process, int status)
{
	struct __ptrace_syscall_info call;
	int number = WSTOPSIG(status);

	if (number == SYSTEM_CALL_STOP) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof call, &call) <= 0)
			return 0; /* it has been killed meanwhile */
		if (call.op == PTRACE_SYSCALL_INFO_ENTRY)
			enter(run, process, call.entry.nr, call.entry.args);
		else if (process == run->struck)
			strike(run, process);
		return 0;
	}
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		run->begun = true;
	/* Events, and the first stop of what was forked, are ours. */
	return status >> 16 != 0 || number == SIGSTOP ? 0 : number;
}

static void trace(struct run *run)
{
	for (;;) {
		int status;
		pid_t process = waitpid(-1, &status, __WALL);

		if (process < 0 && errno == EINTR)
			continue;
		if (process < 0)
			return; /* nobody is left */
		if (WIFSTOPPED(status))
			ptrace(PTRACE_SYSCALL, process, 0, stopped(run, process, status));
		else if (process == run->main)
			run->status = status;
	}
}

static int cannot(const char *what)
{
	fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
	return EXIT_CANNOT;
}

/* Starts the program, stopped before its first call, and traced. */
static bool start(struct run *run, char **command)
{
	struct sigaction action = {.sa_handler = handle};
	int status;

	run->main = fork();
	if (run->main == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0 || raise(SIGSTOP) != 0)
			_exit(cannot("cannot be traced"));
		execv(command[0], command);
		_exit(cannot(command[0]));
	}
	if (run->main < 0 || waitpid(run->main, &status, 0) != run->main || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, run->main, 0, OPTIONS) != 0)
		return false;
	program = run->main;
	if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
		return false;
	return ptrace(PTRACE_SYSCALL, run->main, 0, 0) == 0;
}

int main(int argc, char **argv)
{
	struct run run = {.begun = false};

	if (argc < 6)
		return fprintf(stderr,
			       "usage: kill_at any|lasting|child COUNT entry|exit REPORT PROGRAM...\n"),
		       2;
	run.only_lasting = strcmp(argv[1], "lasting") == 0;
	run.only_children = strcmp(argv[1], "child") == 0;
	run.left = strtoull(argv[2], NULL, 10);
	run.at_exit = strcmp(argv[3], "exit") == 0;
	run.report = argv[4];
	if (!start(&run, argv + 5))
		return cannot("cannot trace");
	trace(&run);
	if (WIFSIGNALED(run.status)) {
		signal(WTERMSIG(run.status), SIG_DFL);
		raise(WTERMSIG(run.status));
	}
	return WEXITSTATUS(run.status);
}
