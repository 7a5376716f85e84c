/*
 * Hooks: a command of the officer's choice that `liaison watch` runs at each event. Nothing ever waits for
 * one: a bounded number runs beside, each for a bounded time, and what is urgent begins first.
 */
#ifndef CLI_HOOKS_H
#define CLI_HOOKS_H

#include <stdint.h>
#include <sys/types.h>

#include "envelope/reference.h"

#define HOOKS_RUNNING_MAX 16
#define HOOKS_BULK_MAX    8 /* of them for events below FLASH: bulk never takes the last places */
#define HOOKS_WAITING_MAX 256
#define HOOK_MS_MAX       60000
#define HOOK_STATE_SIZE   512

/*
 * What a hook is told: words of our own, and references. The name in a reference is the other side's choice,
 * so what a shell could take for more than a word is replaced in it.
 */
struct hook_facts {
	const char *event; /* static, as the next two */
	const char *precedence;
	const char *kind;
	char channel[2 * CHANNEL_ID_SIZE + 1]; /* its id, as --channel takes it; empty: of no channel */
	char reference[REFERENCE_SIZE_MAX + 1];
	char state[HOOK_STATE_SIZE];
	uint64_t urgency; /* PRECEDENCE_FLASH begins first; 0 last */
};

struct running_hook {
	pid_t pid;
	int64_t end_ms; /* steady clock: when it is ended */
};

struct hooks {
	const char *command; /* NULL: none, and nothing is ever run */
	size_t running_count;
	struct running_hook running[HOOKS_RUNNING_MAX];
	size_t waiting_count;
	struct hook_facts waiting[HOOKS_WAITING_MAX]; /* the most urgent first, else the oldest */
};

/*
 * Begins the hook for an event, or lets it wait. Where too many wait, the least urgent of them is left out,
 * and said so on standard error.
 */
void hooks_add(struct hooks *hooks, const struct hook_facts *facts, int64_t now_ms);

/* Takes note of hooks that have ended, ends those whose time is over, begins waiting ones. */
void hooks_tend(struct hooks *hooks, int64_t now_ms);

/* When hooks_tend has something to do at the latest; INT64_MAX: only when a child ends (SIGCHLD). */
int64_t hooks_next_ms(const struct hooks *hooks);

/* Ends all that run, with what they started. */
void hooks_end(struct hooks *hooks);

#endif
