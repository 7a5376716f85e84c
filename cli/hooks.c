#include "cli/hooks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Letters, digits, other scripts and what references are made of; all else as '_'. */
static void make_harmless(char *reference)
{
	for (; *reference != '\0'; reference++) {
		unsigned char byte = (unsigned char)*reference;
		if (byte < 0x80 && !isalnum(byte) && strchr(" ./-", byte) == NULL)
			*reference = '_';
	}
}

/* A group of its own, so that what the hook started ends with it; no signal blocked; nothing to read. */
static int spawn(char *const arguments[], pid_t *child)
{
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	sigset_t none;

	sigemptyset(&none);
	int error = posix_spawnattr_init(&attributes);
	if (error != 0)
		return error;
	error = posix_spawn_file_actions_init(&files);
	if (error == 0) {
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
		posix_spawnattr_setpgroup(&attributes, 0);
		posix_spawnattr_setsigmask(&attributes, &none);
		error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
		if (error == 0)
			error = posix_spawn(child, "/bin/sh", &files, &attributes, arguments, environ);
		posix_spawn_file_actions_destroy(&files);
	}
	posix_spawnattr_destroy(&attributes);
	return error;
}

static void begin(struct hooks *hooks, const struct hook_facts *facts, int64_t now_ms)
{
	struct running_hook *hook = &hooks->running[hooks->running_count];
	char *const arguments[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(hooks->command), NULL};

	setenv("LIAISON_EVENT", facts->event, 1);
	setenv("LIAISON_CHANNEL", facts->channel, 1);
	setenv("LIAISON_REFERENCE", facts->reference, 1);
	setenv("LIAISON_PRECEDENCE", facts->precedence, 1);
	setenv("LIAISON_KIND", facts->kind, 1);
	setenv("LIAISON_STATE", facts->state, 1);
	int error = arguments[2] == NULL ? ENOMEM : spawn(arguments, &hook->pid);
	free(arguments[2]);
	if (error != 0) {
		fprintf(stderr, "liaison: the hook cannot be started: %s\n", strerror(error));
		return;
	}
	hook->end_ms = now_ms + HOOK_MS_MAX;
	hooks->running_count++;
}

/* True if it runs no more. */
static bool has_ended(const struct running_hook *hook, int64_t now_ms)
{
	int status = 0;
	pid_t ended = waitpid(hook->pid, &status, WNOHANG);

	if (ended == 0 && now_ms < hook->end_ms)
		return false;
	if (ended == 0) {
		kill(-hook->pid, SIGKILL);
		while (waitpid(hook->pid, &status, 0) < 0 && errno == EINTR)
			;
		fprintf(stderr, "liaison: a hook was ended: it ran for more than %d s\n", HOOK_MS_MAX / 1000);
	} else if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "liaison: the hook failed\n");
	}
	return true;
}

void hooks_tend(struct hooks *hooks, int64_t now_ms)
{
	size_t begun = 0;

	for (size_t i = hooks->running_count; i-- > 0;)
		if (has_ended(&hooks->running[i], now_ms))
			hooks->running[i] = hooks->running[--hooks->running_count];
	while (begun < hooks->waiting_count) {
		const struct hook_facts *facts = &hooks->waiting[begun];
		size_t places = facts->urgency >= PRECEDENCE_FLASH ? HOOKS_RUNNING_MAX : HOOKS_BULK_MAX;
		if (hooks->running_count >= places)
			break;
		begin(hooks, facts, now_ms);
		begun++;
	}
	hooks->waiting_count -= begun;
	memmove(hooks->waiting, hooks->waiting + begun, hooks->waiting_count * sizeof *hooks->waiting);
}

void hooks_add(struct hooks *hooks, const struct hook_facts *facts, int64_t now_ms)
{
	if (hooks->command == NULL)
		return;
	size_t at = hooks->waiting_count;
	while (at > 0 && hooks->waiting[at - 1].urgency < facts->urgency)
		at--;
	if (hooks->waiting_count == HOOKS_WAITING_MAX) {
		fprintf(stderr, "liaison: the hooks are too slow: one is not run\n");
		if (at == HOOKS_WAITING_MAX)
			return;
		hooks->waiting_count--;
	}
	memmove(hooks->waiting + at + 1, hooks->waiting + at,
		(hooks->waiting_count - at) * sizeof *hooks->waiting);
	hooks->waiting[at] = *facts;
	make_harmless(hooks->waiting[at].reference);
	hooks->waiting_count++;
	hooks_tend(hooks, now_ms);
}

int64_t hooks_next_ms(const struct hooks *hooks)
{
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < hooks->running_count; i++)
		if (hooks->running[i].end_ms < next_ms)
			next_ms = hooks->running[i].end_ms;
	return next_ms;
}

void hooks_end(struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->running_count; i++)
		kill(-hooks->running[i].pid, SIGKILL);
	hooks->running_count = 0;
}
