#include "courier/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock ---- */

/* Rights that came after the headers of Debian 12 (Linux 6.1). */
#define RIGHT_TRUNCATE (1ULL << 14)     /* ABI 3 */
#define RIGHT_IOCTL_DEVICE (1ULL << 15) /* ABI 5 */
#define RIGHT_BIND_TCP (1ULL << 0)      /* ABI 4, of handled_access_net */
#define SCOPE_ALL (3ULL << 0)           /* ABI 6: abstract Unix sockets, signals */

#define RIGHTS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* all up to the last of ABI 1 */

struct ruleset {
	uint64_t files;
	uint64_t network;
	uint64_t scoped;
};

static size_t ruleset_size(long abi)
{
	if (abi < 4)
		return offsetof(struct ruleset, network);
	if (abi < 6)
		return offsetof(struct ruleset, scoped);
	return sizeof(struct ruleset);
}

static struct ruleset ruleset_for(long abi)
{
	struct ruleset ruleset = {.files = RIGHTS_ABI_1};

	if (abi >= 2)
		ruleset.files |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		ruleset.files |= RIGHT_TRUNCATE;
	if (abi >= 4)
		ruleset.network = RIGHT_BIND_TCP; /* and no rule allows any */
	if (abi >= 5)
		ruleset.files |= RIGHT_IOCTL_DEVICE;
	if (abi >= 6)
		ruleset.scoped = SCOPE_ALL;
	return ruleset;
}

static bool allow_directory(int rules, int directory, const struct ruleset *ruleset)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = ruleset->files &
			(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				LANDLOCK_ACCESS_FS_MAKE_REG | RIGHT_TRUNCATE),
		.parent_fd = directory,
	};

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static const char *restrict_files(int directory)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset ruleset;
	const char *problem = NULL;
	int rules;

	if (abi < 1)
		return "this kernel offers no Landlock (Linux 5.13 or later, with landlock among its "
		       "security modules)";
	ruleset = ruleset_for(abi);
	rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_size(abi), 0);
	if (rules < 0)
		return "the kernel refuses the Landlock rules";
	if (directory >= 0 && !allow_directory(rules, directory, &ruleset))
		problem = "the kernel refuses the Landlock rule for the courier's directory";
	else if (syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		problem = "the kernel refuses to enforce the Landlock rules";
	close(rules);
	return problem;
}

/* ---- seccomp ---- */

/* What the C library, the sanitizers and any process need. */
static const int calls_common[] = {
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(close),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getrandom),
	SCMP_SYS(connect),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
};

/* The event loop, TLS over TCP, and SQLite below the directory. */
static const int calls_courier[] = {
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fcntl),
	SCMP_SYS(flock),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(fchown),
	SCMP_SYS(fchmod),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(uname),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(shutdown),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(wait4), /* for the connector: it has no other child, and can make none */
};

static bool allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* A call that this architecture does not have needs no rule. */
		int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		if (result != 0 && result != -EDOM)
			return false;
	}
	return true;
}

/* Allows `call` where one of its arguments, under `mask`, has this value. */
static bool allow_where(scmp_filter_ctx filter, int call, unsigned argument, uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp where = {
		.arg = argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask,
		.datum_b = value,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &where) == 0;
}

/* Stream sockets of one family. */
static bool allow_socket(scmp_filter_ctx filter, int family)
{
	struct scmp_arg_cmp where[] = {
		{
			.arg = 0,
			.op = SCMP_CMP_EQ,
			.datum_a = (scmp_datum_t)family,
			.datum_b = 0,
		},
		{
			.arg = 1,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = (scmp_datum_t) ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
			.datum_b = SOCK_STREAM,
		},
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, where) == 0;
}

/* Memory that can be run is never made; a signal goes to nobody else (abort() must still work). */
static bool allow_with_arguments(scmp_filter_ctx filter)
{
	return allow_where(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0) &&
		allow_where(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0) &&
		allow_where(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO) &&
		allow_where(filter, SCMP_SYS(tgkill), 0, UINT64_MAX, (uint64_t)getpid());
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *restrict_calls(enum sandbox_role role)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	const char *problem = NULL;
	bool built;

	if (filter == NULL)
		return "libseccomp makes no filter for this machine";
	built = allow_all(filter, calls_common, COUNT(calls_common)) && allow_with_arguments(filter);
	if (role == SANDBOX_COURIER)
		built = built && allow_all(filter, calls_courier, COUNT(calls_courier)) &&
			allow_socket(filter, AF_INET) && allow_socket(filter, AF_INET6);
	else
		built = built && allow_socket(filter, AF_UNIX);
	if (!built)
		problem = "the seccomp filter cannot be built";
	else if (seccomp_load(filter) != 0)
		problem = "this kernel refuses the seccomp filter (CONFIG_SECCOMP_FILTER)";
	seccomp_release(filter);
	return problem;
}

enum error sandbox_enter(enum sandbox_role role, int directory, const char **problem)
{
	*problem = NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		*problem = "the kernel refuses no_new_privs";
	if (*problem == NULL && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		*problem = "the kernel refuses to make the process undumpable";
	if (*problem == NULL)
		*problem = restrict_files(directory);
	if (*problem == NULL)
		*problem = restrict_calls(role);
	return *problem == NULL ? ERROR_OK : ERROR_NO_SANDBOX;
}
