#include "post/sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "post/sandbox_calls.h"

/* Later than the headers of Debian 12: a right that a kernel does not know is left out (see rights_of). */
#define ACCESS_REFER               (1ULL << 13) /* version 2 */
#define ACCESS_TRUNCATE            (1ULL << 14) /* version 3 */
#define ACCESS_IOCTL_DEV           (1ULL << 15) /* version 5 */
#define ACCESS_NET_BIND_TCP        (1ULL << 0)  /* version 4 */
#define ACCESS_NET_CONNECT_TCP     (1ULL << 1)  /* version 4 */
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)  /* version 6 */
#define SCOPE_SIGNAL               (1ULL << 1)  /* version 6 */

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

enum error sandbox_prepare(void)
{
	const struct rlimit none = {0, 0};
	struct rlimit descriptors;

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return ERROR_IO;
	if (setrlimit(RLIMIT_CORE, &none) != 0 || getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
		return ERROR_IO;
	/* Enough for every connection that there can be: accept never fails for want of a descriptor. */
	descriptors.rlim_cur = SANDBOX_DESCRIPTORS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0)
		return ERROR_IO;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return ERROR_IO;
	return ERROR_OK;
}

/* ---- Landlock ---- */

/* Everything that this version can forbid is forbidden; what the directory allows is named below. */
static struct ruleset rights_of(long version)
{
	struct ruleset ruleset = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

	if (version >= 2)
		ruleset.handled_access_fs |= ACCESS_REFER;
	if (version >= 3)
		ruleset.handled_access_fs |= ACCESS_TRUNCATE;
	if (version >= 4)
		ruleset.handled_access_net = ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP;
	if (version >= 5)
		ruleset.handled_access_fs |= ACCESS_IOCTL_DEV;
	if (version >= 6)
		ruleset.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return ruleset;
}

static size_t ruleset_size(long version)
{
	if (version >= 6)
		return sizeof(struct ruleset);
	return version >= 4 ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, handled_access_net);
}

static enum error allow_directory(int ruleset_fd, uint64_t handled, int directory)
{
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = handled & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
					     LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
					     LANDLOCK_ACCESS_FS_REMOVE_FILE | ACCESS_TRUNCATE),
		.parent_fd = directory,
	};

	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0
		       ? ERROR_OK
		       : ERROR_IO;
}

static enum error confine_files(int directory, const char **missing)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset ruleset = rights_of(version);
	enum error error;
	int fd;

	*missing = "Landlock (Linux 5.13 or later, with \"landlock\" among its security modules)";
	if (version < 1)
		return ERROR_NO_SANDBOX;
	*missing = "setting up Landlock";
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_size(version), 0);
	if (fd < 0)
		return ERROR_IO;
	error = allow_directory(fd, ruleset.handled_access_fs, directory);
	if (error == ERROR_OK && syscall(SYS_landlock_restrict_self, fd, 0) != 0)
		error = ERROR_IO;
	close(fd);
	return error;
}

enum error sandbox_enter(int directory, const char **missing)
{
	enum error error = confine_files(directory, missing);

	if (error != ERROR_OK)
		return error;
	/* Last: the filter would forbid the calls above. */
	*missing = "seccomp filters (a kernel with CONFIG_SECCOMP_FILTER)";
	return sandbox_calls_confine();
}
