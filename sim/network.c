/*
 * Between couriers: a session for each direction, which carries transfers in order or breaks, and relays,
 * which take a bundle at once and deliver it whenever they like, or never.
 */
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

struct courier_input *network_input(enum queue_event_kind kind, size_t peer, struct bytes bundle)
{
	struct courier_input *input = disk_must(calloc(1, sizeof(*input) + bundle.size));

	input->kind = kind;
	input->peer = peer;
	input->size = bundle.size;
	if (bundle.size > 0)
		memcpy(input->data, bundle.data, bundle.size);
	return input;
}

static void schedule_arrival(struct world *world, size_t from, size_t to, struct courier_input *input,
			     uint64_t delay_ms)
{
	struct event event = {.kind = EVENT_ARRIVAL, .node = to, .peer = from, .input = input};
	world_schedule(world, delay_ms, &event);
}

static void schedule_answer(struct world *world, size_t to, size_t from, const struct courier_input *about,
			    enum queue_event_kind kind, uint8_t reason, uint64_t delay_ms)
{
	struct event event = {.kind = EVENT_ANSWER, .node = to, .peer = from};

	event.input = network_input(kind, from, bytes_make(NULL, 0));
	event.input->number = about->number;
	event.input->generation = about->generation;
	event.input->reason = reason;
	world_schedule(world, delay_ms, &event);
}

void network_make(struct world *world)
{
	for (size_t i = 0; i < WORLD_NODES_MAX; i++)
		for (size_t j = 0; j < WORLD_NODES_MAX; j++)
			world->sessions[i][j] = (struct session){.up = i != j, .generation = 1};
}

/* The time at which the next bundle of this session arrives: after those before it. */
static uint64_t in_order(struct world *world, struct session *session)
{
	uint64_t delay_ms = world->phase == PHASE_FAULTS ? random_span(&world->random, 1, 5000) : 5;
	uint64_t at_ms = world->now_ms + delay_ms;

	if (at_ms < session->last_ms)
		at_ms = session->last_ms;
	session->last_ms = at_ms;
	return at_ms - world->now_ms;
}

static void send_by_relay(struct world *world, size_t from, size_t to, struct courier_input *input)
{
	uint64_t delay_ms = random_span(&world->random, 1000, world->settings.delay_max_ms);

	schedule_answer(world, from, to, input, QUEUE_ACKNOWLEDGED, 0,
			1 + random_below(&world->random, 1000));
	input->generation = 0;
	if (world_fault(world, FAULT_RELAY_LOSE)) {
		world_trace(world, "relay from %zu loses a bundle for %zu", from, to);
		free(input);
		return;
	}
	schedule_arrival(world, from, to, input, delay_ms);
}

/* An adversary on the way keeps some of what passes. */
static void overhear(struct world *world, size_t from, size_t to, struct bytes bytes)
{
	struct bundle bundle;

	if (world_chance(world, 1000) && bundle_read(bytes, &bundle) == ERROR_OK &&
	    (bundle.flags & BUNDLE_IS_FRAGMENT) == 0)
		faults_capture(world, from, to, bundle.payload);
}

void network_send(struct world *world, size_t from, size_t to, uint64_t number, struct bytes bundle)
{
	struct session *session = &world->sessions[from][to];
	struct courier_input *input = network_input(QUEUE_RECEIVED, from, bundle);
	uint64_t delay_ms = in_order(world, session);

	input->number = number;
	input->generation = session->generation;
	overhear(world, from, to, bundle);
	world_trace(world, "courier %zu sends %zu bytes to %zu", from, bundle.size, to);
	if (world_fault(world, FAULT_TWICE)) {
		struct courier_input *second = network_input(QUEUE_RECEIVED, from, bundle);
		schedule_arrival(world, from, to, second,
				 random_span(&world->random, 1, world->settings.delay_max_ms));
	}
	if (world->now_ms < session->cut_until_ms || world_fault(world, FAULT_LOSE)) {
		bool arrives = random_below(&world->random, 2) == 0;
		network_break(world, from, to);
		if (arrives)
			schedule_arrival(world, from, to, input, delay_ms);
		else
			free(input);
		return;
	}
	if (world_fault(world, FAULT_RELAY)) {
		send_by_relay(world, from, to, input);
		return;
	}
	if (world_fault(world, FAULT_CORRUPT))
		for (uint64_t i = random_below(&world->random, 4) + 1; i > 0; i--)
			input->data[random_below(&world->random, input->size)] ^=
				(uint8_t)(1 + random_below(&world->random, 255));
	schedule_arrival(world, from, to, input, delay_ms);
}

void network_arrive(struct world *world, size_t to, size_t from, struct courier_input *input)
{
	struct courier *courier = &world->nodes[to].courier;

	if (courier->up) {
		courier_give(world, to, input);
	} else if (input->generation == 0) {
		/* A relay keeps it, and tries again once there is somebody. */
		input->next = courier->at_relays;
		courier->at_relays = input;
	} else {
		network_break(world, from, to);
		free(input);
	}
}

void network_try_again(struct world *world, size_t to)
{
	struct courier *courier = &world->nodes[to].courier;

	while (courier->at_relays != NULL) {
		struct courier_input *input = courier->at_relays;
		courier->at_relays = input->next;
		schedule_arrival(world, input->peer, to, input, random_span(&world->random, 1000, DAY_MS));
	}
}

void network_answer(struct world *world, size_t from, const struct courier_input *input, bool stored,
		    uint8_t reason)
{
	enum queue_event_kind kind = stored ? QUEUE_ACKNOWLEDGED : QUEUE_REFUSED;

	/* The answer runs in the other direction of the same stream. */
	if (world->now_ms < world->sessions[from][input->peer].cut_until_ms) {
		network_break(world, input->peer, from);
		return;
	}
	schedule_answer(world, input->peer, from, input, kind, reason, 1 + random_below(&world->random, 100));
}

void network_answered(struct world *world, size_t to, struct courier_input *answer)
{
	const struct session *session = &world->sessions[to][answer->peer];

	if (!world->nodes[to].courier.up || !session->up || answer->generation != session->generation)
		free(answer);
	else
		courier_give(world, to, answer);
}

void network_break(struct world *world, size_t from, size_t to)
{
	struct session *session = &world->sessions[from][to];
	struct event event = {.kind = EVENT_SESSION_UP, .node = from, .peer = to};

	if (!session->up)
		return;
	session->up = false;
	session->generation++;
	if (world->nodes[from].courier.up)
		courier_give(world, from, network_input(QUEUE_FAILED, to, bytes_make(NULL, 0)));
	world_schedule(world, random_span(&world->random, 100, 600000), &event);
}

void network_up(struct world *world, size_t from, size_t to)
{
	struct session *session = &world->sessions[from][to];

	session->up = true;
	courier_wake(world, from);
}
