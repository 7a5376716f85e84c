#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "post/directory.h"
#include "post/loop.h"
#include "post/sandbox.h"
#include "shell/standard_descriptors.h"

#define STORE_NAME  "store.db"
#define ANCHOR_NAME "anchor"
#define POST_FILE_NAME "post.init"

struct arguments {
	const char *directory;
	const char *anchor; /* NULL: in the directory */
	bool unsafe_no_sandbox;
	struct test_hooks hooks;
};

static const char help[] =
	"Usage: liaisond --dir DIR [--anchor FILE] [--unsafe-no-sandbox]\n"
	"\n"
	"Runs a post: keeps its keys and its record in DIR, serves officers' programs (liaison)\n"
	"at DIR/post.sock and one courier (liaison-courierd) at DIR/courier.sock. It uses no\n"
	"network itself. DIR is made by `liaison post create` and must belong to the user who\n"
	"runs liaisond, with no access for others.\n"
	"\n"
	"  --dir DIR             the post's directory\n"
	"  --anchor FILE         where to keep the anchor, by which a store that was rolled back is\n"
	"                        noticed: best on another disk, and never in a backup (DIR/anchor)\n"
	"  --unsafe-no-sandbox   run although the kernel cannot confine the daemon: for trials only\n"
	"  --help, --version\n"
	"%s"
	"\n"
	"It stays in the foreground, writes its log to standard error, and ends on SIGTERM.\n"
	"\n"
	"Try:  liaison post create ... && liaisond --dir DIR &\n"
	"      liaison status --post DIR\n";

/* ---- arguments ---- */

static int misuse(const char *problem, const char *what)
{
	fprintf(stderr, "liaisond: %s%s. Try `liaisond --help`.\n", problem, what);
	return 2;
}

/* The value of the option at argv[*at]: the next argument. */
static const char *value_of(int argc, char **argv, int *at)
{
	return *at + 1 < argc ? argv[++*at] : NULL;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	for (int i = 1; i < argc; i++) {
		const char *option = argv[i];
		const char **value = NULL;

		if (strcmp(option, "--help") == 0) {
			printf(help, test_hooks_help);
			return 0;
		}
		if (strcmp(option, "--version") == 0) {
			puts("liaisond " LIAISON_VERSION);
			return 0;
		}
		if (strcmp(option, "--unsafe-no-sandbox") == 0) {
			arguments->unsafe_no_sandbox = true;
			continue;
		}
		if (strcmp(option, "--dir") == 0)
			value = &arguments->directory;
		else if (strcmp(option, "--anchor") == 0)
			value = &arguments->anchor;
		if (value == NULL) {
			if (test_hooks_take(&arguments->hooks, option, value_of(argc, argv, &i)))
				continue;
			return misuse("there is no option ", option);
		}
		*value = value_of(argc, argv, &i);
		if (*value == NULL || **value == '\0')
			return misuse("a value is missing after ", option);
	}
	return arguments->directory != NULL ? -1 : misuse("--dir is missing", "");
}

/* ---- the process ---- */

static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What libraries read from outside the directory, they read before the sandbox closes. */
static bool prepare_process(struct logger *logger, int *signals)
{
	umask(077);
	*signals = -1;
	if (sodium_init() >= 0 && store_prepare_process() == ERROR_OK && sandbox_prepare() == ERROR_OK)
		*signals = open_signals();
	tzset();
	if (*signals < 0)
		logger_line(logger, "cannot start: the process could not be set up: %s", strerror(errno));
	return *signals >= 0;
}

/*
 * A directory that exists and holds neither a store nor a post file is a mistake of typing: nothing is made
 * in it. What else is wrong with the path, directory_open says.
 */
static bool may_hold_post(struct logger *logger, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool absent = fd >= 0 && faccessat(fd, STORE_NAME, F_OK, 0) != 0 && errno == ENOENT &&
		      faccessat(fd, POST_FILE_NAME, F_OK, 0) != 0 && errno == ENOENT;

	if (fd >= 0)
		close(fd);
	if (absent)
		logger_line(logger,
			    "cannot start: there is no post in %s. Make one with `liaison post create`",
			    path);
	return !absent;
}

static bool open_anchor(struct logger *logger, const struct arguments *arguments, struct anchor_file *anchor)
{
	const char *path = arguments->anchor != NULL ? arguments->anchor : ANCHOR_NAME;
	enum error error = anchor_file_open(anchor, path);

	if (error == ERROR_BUSY)
		logger_line(logger, "cannot start: the anchor %s is in use by another liaisond", path);
	else if (error != ERROR_OK)
		logger_line(logger, "cannot start: the anchor %s cannot be opened: %s", path,
			    strerror(errno));
	return error == ERROR_OK;
}

static bool close_sandbox(struct logger *logger, const struct arguments *arguments, int directory)
{
	const char *missing;
	enum error error;

	if (arguments->unsafe_no_sandbox) {
		logger_line(logger, "running WITHOUT a sandbox, as told: whoever takes this process over has "
				    "the machine");
		return true;
	}
	error = sandbox_enter(directory, &missing);
	if (error == ERROR_NO_SANDBOX)
		logger_line(logger,
			    "cannot start: %s: %s is missing. Use another kernel, or --unsafe-no-sandbox for "
			    "trials",
			    error_text(error), missing);
	else if (error != ERROR_OK)
		logger_line(logger, "cannot start: the sandbox could not be closed (%s): %s", missing,
			    strerror(errno));
	return error == ERROR_OK;
}

/* ---- the daemon ---- */

static bool open_store(struct logger *logger, struct store *store)
{
	enum error error = store_open(store, STORE_NAME, STORE_LIVE);

	if (error == ERROR_MALFORMED)
		logger_line(
			logger,
			"cannot start: %s is not a store of liaisond, or is damaged (%s). Restore it from a "
			"backup",
			STORE_NAME, store_message(store));
	else if (error == ERROR_BAD_VERSION)
		logger_line(logger, "cannot start: %s was made by another version of liaisond: use that one",
			    STORE_NAME);
	else if (error != ERROR_OK)
		logger_line(logger, "cannot start: %s cannot be opened: %s (%s)", STORE_NAME,
			    error_text(error), store_message(store));
	return error == ERROR_OK;
}

static bool serve(struct logger *logger, struct loop_resources *resources)
{
	struct loop *loop = malloc(sizeof *loop);
	bool well = false;

	resources->memory =
		mmap(NULL, RECORD_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (resources->memory == MAP_FAILED || loop == NULL) {
		logger_line(logger, "cannot start: the machine has no memory left");
	} else {
		if (loop_start(loop, resources))
			well = loop_run(loop);
		loop_end(loop);
	}
	if (resources->memory != MAP_FAILED)
		munmap(resources->memory, RECORD_MEMORY_SIZE);
	free(loop);
	return well;
}

/* In the sandbox: everything that is read from here on may be hostile. */
static bool run(struct logger *logger, struct arguments *arguments, struct loop_resources *resources)
{
	struct store store;
	int status;
	bool well;

	if (!close_sandbox(logger, arguments, resources->directory))
		return false;
	if (test_hooks_act(&arguments->hooks, &status))
		return status == 0;
	resources->logger = logger;
	resources->hooks = &arguments->hooks;
	resources->store = &store;
	well = open_store(logger, &store) && serve(logger, resources);
	store_close(&store);
	return well;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.directory = NULL};
	struct loop_resources resources = {.directory = -1};
	struct directory directory;
	struct anchor_file anchor;
	struct logger logger;
	bool well = false;
	int status;

	if (!standard_descriptors_fill())
		return 1; /* and nobody to tell it to */
	status = parse_arguments(argc, argv, &arguments);
	if (status >= 0)
		return status;
	logger_make(&logger, STDERR_FILENO);
	if (!prepare_process(&logger, &resources.signals) || !may_hold_post(&logger, arguments.directory))
		return 1;
	/* A path on the command line is meant from where we were started; the directory is entered after
	 * it. */
	if (arguments.anchor != NULL && !open_anchor(&logger, &arguments, &anchor))
		return 1;
	if (!directory_open(&directory, arguments.directory, &logger))
		return 1;
	if (arguments.anchor != NULL || open_anchor(&logger, &arguments, &anchor)) {
		resources.anchor = &anchor;
		resources.directory = directory.fd;
		resources.local_listener = directory.local_listener;
		resources.courier_listener = directory.courier_listener;
		well = run(&logger, &arguments, &resources);
		anchor_file_close(&anchor);
	}
	directory_close(&directory);
	return well ? 0 : 1;
}
