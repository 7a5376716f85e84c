#include "post/sandbox_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <seccomp.h>

/* A build with sanitizers makes calls of its own: for its memory, and to say what it found. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* Whatever their arguments: they work on what is open, on memory, on time. */
static const int plain_calls[] = {
	/* reading and writing what is open; nothing here receives a descriptor */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(close),
	/* files of the one directory: Landlock says which */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(fchmod),
	/* connections to sockets that listen already */
	SCMP_SYS(accept4),
	SCMP_SYS(getsockopt),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	/* time, chance, and what the C library does in between */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(futex),
	SCMP_SYS(sysinfo),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static const int sanitizer_calls[] = {
	SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrusage),   SCMP_SYS(getrlimit),   SCMP_SYS(pipe),
	SCMP_SYS(pipe2),       SCMP_SYS(uname),       SCMP_SYS(mincore),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return result;
}

/* Where argument `place` has `value` in the bits of `mask`. */
static int allow_where(scmp_filter_ctx filter, int call, unsigned place, uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp condition = {
		.arg = place, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* fcntl without what would let signals be sent (F_SETOWN, F_SETSIG). */
static int allow_fcntl(scmp_filter_ctx filter)
{
	static const unsigned commands[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW};
	int result = 0;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0] && result == 0; i++)
		result = allow_where(filter, SCMP_SYS(fcntl), 1, UINT64_MAX, commands[i]);
	return result;
}

static int allow_with_arguments(scmp_filter_ctx filter)
{
	int result = allow_fcntl(filter);

	/* No new code: memory is never executable. */
	if (result == 0)
		result = allow_where(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	if (result == 0)
		result = allow_where(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	/* abort() signals its own process, and nobody else's. */
	if (result == 0)
		result = allow_where(filter, SCMP_SYS(tgkill), 0, UINT64_MAX, (uint64_t)getpid());
	/* Limits may be read, not set. */
	if (result == 0)
		result = allow_where(filter, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0);
	return result;
}

enum error sandbox_calls_confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result;

	if (filter == NULL)
		return ERROR_NO_MEMORY;
	result = allow(filter, plain_calls, sizeof plain_calls / sizeof plain_calls[0]);
	if (result == 0 && SANITIZED)
		result = allow(filter, sanitizer_calls, sizeof sanitizer_calls / sizeof sanitizer_calls[0]);
	if (result == 0)
		result = allow_with_arguments(filter);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result == 0 ? ERROR_OK : result == -ENOMEM ? ERROR_NO_MEMORY : ERROR_NO_SANDBOX;
}
