#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/rogue.h"
#include "sim/world.h"

#define COURIERS_MS 1000 /* until they have told their heads: nothing can be filed before */
#define SETUP_MS    600000
#define HEAL_MS_MAX (3 * DAY_MS) /* some times the longest wait before a copy is sent again, 6 hours */
/* A disk that was set back unnoticed is found out by heads, which an idle line tells each hour. */
#define HEAL_RESTORED_MS_MIN (DAY_MS / 8)
/* What is missing of a former incarnation says nothing of rest, since it may be gone. If it is not, it comes
 * when it is asked for, after some hours. */
#define HEAL_AGAIN_MS    (DAY_MS / 24)
#define HEAL_TICK_MS_MAX 300000

/* ---- events ---- */

static void tick(struct world *world, size_t node)
{
	struct event event = {.kind = EVENT_TICK, .node = node};
	uint64_t tick_ms = 1000;

	world->nodes[node].post.wants_tick = world->nodes[node].post.up;
	world->nodes[node].courier.wants_tick = world->nodes[node].courier.up;
	faults_make_room(world, node);
	shell_wake(world, node);
	courier_wake(world, node);
	if (world->phase == PHASE_FAULTS)
		tick_ms = world->settings.tick_ms;
	if (world->phase == PHASE_HEALING)
		tick_ms += (world->now_ms - world->heal_ms) / 100;
	if (world->phase == PHASE_HEALING && tick_ms > HEAL_TICK_MS_MAX)
		tick_ms = HEAL_TICK_MS_MAX;
	world_schedule(world, tick_ms / 2 + random_below(&world->random, tick_ms), &event);
}

static void happen(struct world *world, const struct event *event)
{
	switch (event->kind) {
	case EVENT_POST_RUN:
		shell_run(world, event->node);
		break;
	case EVENT_POST_START:
		if (!world->nodes[event->node].post.up && !rogue_is_gone(world, event->node))
			shell_start(world, event->node);
		break;
	case EVENT_COURIER_RUN:
		courier_run(world, event->node);
		break;
	case EVENT_COURIER_START:
		if (!world->nodes[event->node].courier.up && !rogue_is_gone(world, event->node))
			courier_start(world, event->node);
		break;
	case EVENT_TICK:
		tick(world, event->node);
		break;
	case EVENT_LINK_UP:
		link_up(world, event->node);
		break;
	case EVENT_SESSION_UP:
		network_up(world, event->node, event->peer);
		break;
	case EVENT_ARRIVAL:
		network_arrive(world, event->node, event->peer, event->input);
		break;
	case EVENT_ANSWER:
		network_answered(world, event->node, event->input);
		break;
	case EVENT_OFFICER:
		officer_act(world, event->node);
		break;
	case EVENT_FAULT:
		faults_happen(world);
		break;
	}
}

static void run_until_quiet(struct world *world, uint64_t least_ms, uint64_t duration_ms)
{
	uint64_t end_ms = world->now_ms + duration_ms;
	uint64_t least_end_ms = world->now_ms + least_ms;
	struct event event;

	while (world->violation == NULL && world->now_ms < end_ms && world_next_event(world, &event)) {
		happen(world, &event);
		if (event.kind == EVENT_TICK && world->now_ms >= least_end_ms && check_quiet(world))
			return;
	}
}

/* ---- phases ---- */

static void setup(struct world *world)
{
	world->phase = PHASE_SETUP;
	network_make(world);
	officer_make(world);
	officer_setup(world);
	for (size_t i = 0; i < world->settings.nodes; i++)
		tick(world, i);
	char what[160];
	run_until_quiet(world, COURIERS_MS, SETUP_MS);
	for (unsigned stage = 0; stage < 3 && world->violation == NULL; stage++) {
		officer_open(world, stage);
		run_until_quiet(world, 0, SETUP_MS);
	}
	if (world->violation == NULL && !check_quiet(world)) {
		check_tell_quiet(world, what, sizeof(what));
		world_violation(world, "the setup works", "%s", what);
	}
}

static void fault_phase(struct world *world)
{
	struct event event = {.kind = EVENT_FAULT};
	uint64_t end = world->steps + world->settings.steps_max;

	world->phase = PHASE_FAULTS;
	world_schedule(world, 0, &event);
	for (size_t i = 0; i < world->settings.nodes; i++)
		officer_call(world, i, 0);
	while (world->violation == NULL && world->steps < end && world_next_event(world, &event))
		happen(world, &event);
}

static bool was_restored(const struct world *world)
{
	for (size_t i = 0; i < world->settings.nodes; i++)
		if (world->nodes[i].post.restores > 0)
			return true;
	return false;
}

static bool heal(struct world *world)
{
	char what[160] = "";
	bool quiet, converged;

	world_trace(world, "healing");
	world->phase = PHASE_HEALING;
	world->heal_ms = world->now_ms;
	for (size_t i = 0; i < world->settings.nodes; i++) {
		struct event event = {.kind = EVENT_POST_START, .node = i};
		world->nodes[i].post.skew_ms = 0;
		world_schedule(world, 0, &event);
		event.kind = EVENT_COURIER_START;
		world_schedule(world, 0, &event);
		officer_call(world, i, 0); /* whoever rests for days comes back */
		for (size_t j = 0; j < world->settings.nodes; j++)
			world->sessions[i][j].cut_until_ms = 0;
	}
	uint64_t end_ms = world->now_ms + HEAL_MS_MAX;
	uint64_t least_ms =
		was_restored(world) || world->rogue < world->settings.nodes ? HEAL_RESTORED_MS_MIN : 0;
	do {
		run_until_quiet(world, least_ms, end_ms - world->now_ms);
		if (world->violation != NULL)
			return true;
		quiet = check_quiet(world);
		converged = quiet && check_converged(world, what, sizeof(what));
		least_ms = HEAL_AGAIN_MS;
	} while (quiet && !converged && world->now_ms < end_ms);
	if (!quiet)
		check_tell_quiet(world, what, sizeof(what));
	if (!converged)
		world_trace(world, "UNCONVERGED: %s", what);
	return converged;
}

static void tell(const struct world *world, bool converged)
{
	uint64_t first = world->trace_count > WORLD_TRACE_LINES ? world->trace_count - WORLD_TRACE_LINES : 0;

	if (world->violation == NULL && converged)
		return;
	if (world->violation != NULL)
		fprintf(stderr, "seed %llu, step %llu: violated: %s: %s\n", (unsigned long long)world->seed,
			(unsigned long long)world->violation_step, world->violation, world->violation_detail);
	else
		fprintf(stderr, "seed %llu, step %llu: not converged\n", (unsigned long long)world->seed,
			(unsigned long long)world->steps);
	for (uint64_t i = first; i < world->trace_count; i++)
		fprintf(stderr, "    %s\n", world->trace[i % WORLD_TRACE_LINES]);
}

static void world_free(struct world *world)
{
	struct event event;

	while (world_next_event(world, &event))
		free(event.input);
	officer_free(world);
	for (size_t i = 0; i < world->settings.nodes; i++) {
		struct node *node = &world->nodes[i];
		frames_clear(&node->to_post);
		frames_clear(&node->to_courier);
		shell_free(&node->post);
		courier_free(&node->courier);
	}
	for (size_t i = 0; i < world->captured_count; i++)
		free(world->captured[i].bytes);
	rogue_free(world);
	checker_free(world->checker);
	changes_free(&world->changes);
	free(world->events);
	free(world);
}

static void set_out(struct world *world, const struct seed_run *run)
{
	world->seed = run->seed;
	world->random = random_make(run->seed);
	world->told = run->trace;
	world->kept = run->kept;
	world->digest = UINT64_C(0xcbf29ce484222325);
	world->now_ms = UINT64_C(1795320000000);
	world->checker = checker_make();
	world->settings.nodes = run->nodes;
	world->settings.steps_max = run->steps_max;
	faults_draw(world, run->forced);
}

void run_seed(const struct seed_run *run, struct result *result)
{
	struct world *world = disk_must(calloc(1, sizeof(*world)));
	bool converged = true;

	set_out(world, run);
	uint64_t start_ms = world->now_ms;
	setup(world);
	if (world->violation == NULL)
		fault_phase(world);
	if (world->violation == NULL)
		converged = heal(world);
	if (!run->quiet)
		tell(world, converged);
	*result = (struct result){
		.steps = world->steps,
		.time_ms = world->now_ms - start_ms,
		.digest = world->digest,
		.violated = world->violation != NULL,
		.unconverged = !converged,
		.broken = converged ? world->violation : RUN_UNCONVERGED,
		.strikes = world->strikes,
		.counts = world->counts,
	};
	world_free(world);
}
