/*
 * The queue against a plain model, at random: events, lost commits, dead processes. After each event the
 * model says what the queue must hold and give next; the audit compares every row with every other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "carry/tcpcl.h"
#include "tests/unit/carry/queue_world.h"

#define OWN_COUNT       200 /* ids of the post's copies: index + 1 */
#define FORWARDED_COUNT 60
#define COPIES          (OWN_COUNT + FORWARDED_COUNT)
#define ARRIVALS        80
#define EVENTS          6000

enum model_state {
	MODEL_NONE,
	MODEL_WAITING,
	MODEL_RETRYING,
	MODEL_CARRIED,
};

struct model_copy {
	enum model_state state;
	unsigned precedence;
	size_t route;
	uint64_t order;
	uint64_t expires_ms;
	uint64_t retry_ms;
	uint64_t tries;
	uint64_t seen_until_ms; /* forwarded; 0: not seen */
	uint64_t transfer;      /* 0: none */
	bool last;              /* the transfer is the last piece */
};

struct model_arrival {
	bool held; /* as a delivery */
	bool given;
	unsigned precedence;
	uint64_t order;
	uint64_t seen_until_ms;
	uint64_t delivery;
};

struct model {
	struct model_copy copies[COPIES];
	struct model_arrival arrivals[ARRIVALS];
	uint64_t order;
	size_t carried_count; /* all that ever were */
	size_t delivered_count;
	size_t full_count;
	size_t piece_count;
};

static struct world world;
static struct model model;

static uint64_t below(uint64_t bound)
{
	return world_random(&world, bound);
}

/* True if the event was lost with the process: the model stays as it is, but for what was resident. */
static bool lost;

static void forget_resident(void)
{
	for (size_t i = 0; i < COPIES; i++)
		model.copies[i].transfer = 0;
	for (size_t i = 0; i < ARRIVALS; i++)
		model.arrivals[i].given = false;
}

static void maybe_lose(void)
{
	lost = below(12) == 0;
	world.crash_before_commit = lost;
}

static void after_event(void)
{
	if (lost)
		forget_resident();
}

/* ---- the post's copies ---- */

static void do_send(void)
{
	size_t index = below(OWN_COUNT);
	struct model_copy *copy = &model.copies[index];
	unsigned precedence = 1 + (unsigned)below(4);
	uint64_t lifetime_ms = below(3) == 0 ? 3000 + below(10000) : 3600000;
	size_t route = below(2);
	enum error error = ERROR_OK;
	maybe_lose();
	enum link_copy_state state = world_send(&world, index + 1, route == WORLD_ROUTE_B ? 2 : 3, precedence,
						1 + below(below(10) == 0 ? 20000 : 800), lifetime_ms, &error);
	after_event();
	if (lost)
		return;
	if (copy->state == MODEL_NONE && state == LINK_FAILED) {
		assert_int_equal(error, ERROR_FULL);
		model.full_count++;
		return;
	}
	assert_int_equal(state, copy->state == MODEL_CARRIED ? LINK_CARRIED : LINK_QUEUED);
	if (copy->state != MODEL_NONE)
		return;
	*copy = (struct model_copy){.state = MODEL_WAITING,
				    .precedence = precedence,
				    .route = route,
				    .order = ++model.order,
				    .expires_ms = world.wall_ms + lifetime_ms};
}

static void do_cancel(void)
{
	size_t index = below(OWN_COUNT);
	maybe_lose();
	world_cancel(&world, index + 1);
	after_event();
	if (!lost)
		model.copies[index].state = MODEL_NONE;
}

/* ---- transfers ---- */

static size_t expected_next(size_t route)
{
	size_t best = COPIES;
	for (size_t i = 0; i < COPIES; i++) {
		const struct model_copy *copy = &model.copies[i];
		if (copy->state != MODEL_WAITING || copy->route != route || copy->transfer != 0 ||
		    world.wall_ms >= copy->expires_ms)
			continue;
		const struct model_copy *other = &model.copies[best];
		if (best == COPIES || copy->precedence > other->precedence ||
		    (copy->precedence == other->precedence && copy->order < other->order))
			best = i;
	}
	return best;
}

static size_t sent_index(void)
{
	struct bundle bundle;
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
	assert_int_equal(bundle.hop_count, 1);
	if (bundle.source.node == 1)
		return bundle.payload.data[0] - 1u;
	return OWN_COUNT + bundle.sequence;
}

static void do_next(void)
{
	size_t route = below(2);
	size_t expected = expected_next(route);
	enum error error = world_next(&world, route, TRANSFER_SIZE_MAX);
	if (error == ERROR_NOT_FOUND) {
		assert_int_equal(expected, COPIES);
	} else if (error == ERROR_NOT_NOW) {
		uint64_t number;
		assert_int_not_equal(expected, COPIES);
		assert_true(queue_in_transfer(&world.queue, route, &number));
	} else {
		assert_int_equal(error, ERROR_OK);
		assert_int_equal(sent_index(), expected);
		assert_int_equal(world.transfer.precedence, model.copies[expected].precedence);
		model.copies[expected].transfer = world.transfer.number;
		model.copies[expected].last = world.transfer.last;
		model.piece_count += !world.transfer.last;
	}
}

static void carried(size_t index)
{
	struct model_copy *copy = &model.copies[index];
	model.carried_count++;
	if (index < OWN_COUNT) {
		const struct queue_action *action = world_action(&world, QUEUE_ACTION_PROGRESS);
		assert_non_null(action);
		assert_int_equal(action->state, LINK_CARRIED);
		assert_int_equal(load_u64(action->id), index + 1);
		copy->state = MODEL_CARRIED;
	} else {
		copy->state = MODEL_NONE;
	}
}

static void retried(struct model_copy *copy, uint64_t tries)
{
	if (tries == 0)
		return;
	copy->state = MODEL_RETRYING;
	copy->retry_ms = world.wall_ms + queue_retry_ms(copy->precedence, tries, world.entropy);
}

static void do_settle(bool only_well)
{
	static const uint8_t reasons[] = {TCPCL_REFUSE_UNKNOWN, TCPCL_REFUSE_COMPLETED,
					  TCPCL_REFUSE_NO_RESOURCES, TCPCL_REFUSE_NOT_ACCEPTABLE,
					  TCPCL_REFUSE_SESSION_TERMINATING};
	size_t index = below(COPIES);
	size_t tried = 0;
	while (model.copies[index].transfer == 0) {
		index = (index + 1) % COPIES;
		if (++tried == COPIES)
			return;
	}
	struct model_copy *copy = &model.copies[index];
	uint64_t kind = only_well ? 0 : below(5);
	uint8_t reason = reasons[below(sizeof reasons)];
	uint64_t number = copy->transfer;
	if (!only_well)
		maybe_lose();
	world_settle(&world,
		     kind < 3    ? QUEUE_ACKNOWLEDGED
		     : kind == 3 ? QUEUE_REFUSED
				 : QUEUE_FAILED,
		     number, reason);
	after_event();
	if (lost)
		return;
	copy->transfer = 0;
	if (copy->state != MODEL_WAITING)
		return; /* cancelled or expired meanwhile */
	if (kind < 3 || (kind == 3 && reason == TCPCL_REFUSE_COMPLETED)) {
		if (copy->last)
			carried(index);
		else
			copy->tries = 0;
	} else if (kind == 3 && reason == TCPCL_REFUSE_NOT_ACCEPTABLE) {
		copy->state = MODEL_NONE;
	} else if (kind == 3 && reason != TCPCL_REFUSE_SESSION_TERMINATING) {
		retried(copy, ++copy->tries);
	} else if (kind == 4) {
		retried(copy, copy->tries++);
	}
}

/* ---- what comes in ---- */

static struct bytes make(uint64_t node, uint64_t sequence, unsigned precedence, uint64_t lifetime_ms)
{
	static uint8_t memory[4096];
	static uint8_t payload[1000];
	struct eid destination = {.scheme = EID_IPN, .node = node};
	struct bundle_fields fields = {
		.destination = eid_with_precedence(&destination, precedence),
		.source = {.scheme = EID_IPN, .node = 5},
		.creation_ms = node, /* so that names differ */
		.sequence = sequence,
		.lifetime_ms = lifetime_ms,
	};
	struct buffer buffer = buffer_make(memory, sizeof memory);
	payload[0] = (uint8_t)sequence;
	assert_int_equal(bundle_create(&buffer, &fields, bytes_make(payload, 1 + below(sizeof payload))),
			 ERROR_OK);
	return buffer_bytes(&buffer);
}

static void do_receive(void)
{
	uint64_t sequence = below(ARRIVALS);
	struct model_arrival *arrival = &model.arrivals[sequence];
	unsigned precedence = 1 + (unsigned)below(4);
	uint64_t lifetime_ms = 2000 + below(60000);
	if (arrival->held && arrival->seen_until_ms == 0)
		return; /* its lifetime is over: another bundle of this name would be a second delivery */
	maybe_lose();
	bool stored = world_receive(&world, WORLD_ROUTE_B, make(1, sequence, precedence, lifetime_ms));
	after_event();
	if (lost)
		return;
	if (!stored) {
		assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason,
				 TCPCL_REFUSE_NO_RESOURCES);
		model.full_count++;
	}
	if (!stored || arrival->seen_until_ms != 0)
		return;
	*arrival = (struct model_arrival){.held = true,
					  .precedence = precedence,
					  .order = ++model.order,
					  .seen_until_ms = world.wall_ms + lifetime_ms};
}

static void do_forward(void)
{
	uint64_t sequence = below(FORWARDED_COUNT);
	struct model_copy *copy = &model.copies[OWN_COUNT + sequence];
	unsigned precedence = 1 + (unsigned)below(4);
	uint64_t lifetime_ms = 2000 + below(60000);
	maybe_lose();
	bool stored = world_receive(&world, WORLD_ROUTE_B, make(9, sequence, precedence, lifetime_ms));
	after_event();
	if (lost || !stored || copy->seen_until_ms != 0)
		return;
	*copy = (struct model_copy){.state = MODEL_WAITING,
				    .precedence = precedence,
				    .route = WORLD_ROUTE_C,
				    .order = ++model.order,
				    .expires_ms = world.wall_ms + lifetime_ms,
				    .seen_until_ms = world.wall_ms + lifetime_ms,
				    .transfer = copy->transfer};
}

/* ---- the post ---- */

static void do_give(void)
{
	size_t best = ARRIVALS;
	for (size_t i = 0; i < ARRIVALS; i++) {
		const struct model_arrival *arrival = &model.arrivals[i];
		const struct model_arrival *other = &model.arrivals[best];
		if (!arrival->held || arrival->given)
			continue;
		if (best == ARRIVALS || arrival->precedence > other->precedence ||
		    (arrival->precedence == other->precedence && arrival->order < other->order))
			best = i;
	}
	enum error error = world_next_delivery(&world);
	if (error == ERROR_NOT_NOW) {
		assert_int_not_equal(best, ARRIVALS);
		return;
	}
	assert_int_equal(error, best == ARRIVALS ? ERROR_NOT_FOUND : ERROR_OK);
	if (best == ARRIVALS)
		return;
	struct model_arrival *arrival = &model.arrivals[best];
	assert_int_equal(world.delivery.sealed.data[0], best);
	assert_int_equal(world.delivery.precedence, arrival->precedence);
	assert_true(arrival->delivery == 0 || arrival->delivery == world.delivery.delivery);
	arrival->delivery = world.delivery.delivery;
	arrival->given = true;
}

static void do_take(bool surely)
{
	size_t index = below(ARRIVALS);
	for (size_t tried = 0; tried < ARRIVALS && !model.arrivals[index].given; tried++)
		index = (index + 1) % ARRIVALS;
	struct model_arrival *arrival = &model.arrivals[index];
	if (!arrival->given)
		return;
	if (!surely)
		maybe_lose();
	world_taken(&world, arrival->delivery);
	after_event();
	if (lost)
		return;
	model.delivered_count++;
	arrival->held = false;
	arrival->given = false;
	arrival->delivery = 0;
}

/* ---- time ---- */

static void model_time(void)
{
	for (size_t i = 0; i < COPIES; i++) {
		struct model_copy *copy = &model.copies[i];
		if (copy->seen_until_ms <= world.wall_ms)
			copy->seen_until_ms = 0;
		if (copy->state == MODEL_RETRYING && copy->retry_ms <= world.wall_ms)
			copy->state = MODEL_WAITING;
		if (copy->state != MODEL_NONE && copy->expires_ms <= world.wall_ms)
			copy->state = MODEL_NONE;
	}
	for (size_t i = 0; i < ARRIVALS; i++)
		if (model.arrivals[i].seen_until_ms <= world.wall_ms)
			model.arrivals[i].seen_until_ms = 0;
}

static void do_pass(void)
{
	lost = false;
	world_pass(&world, below(500));
	world_tick(&world);
	model_time();
}

static void do_crash(void)
{
	world_crash(&world, below(2000));
	forget_resident();
	/* Until the next tick the queue may hold what has expired, and gives none of it. */
	world_tick(&world);
	model_time();
}

static void do_one(void)
{
	uint64_t choice = below(100);
	lost = false;
	if (choice < 22)
		do_send();
	else if (choice < 27)
		do_cancel();
	else if (choice < 52)
		do_next();
	else if (choice < 70)
		do_settle(false);
	else if (choice < 78)
		do_receive();
	else if (choice < 83)
		do_forward();
	else if (choice < 88)
		do_give();
	else if (choice < 92)
		do_take(false);
	else if (choice < 99)
		do_pass();
	else
		do_crash();
	if (lost) { /* a new process has ticked on */
		world_tick(&world);
		model_time();
	}
}

/* With all well again, everything that was promised comes to its end. */
static void drain(void)
{
	lost = false;
	for (size_t i = 0; i < 20 * COPIES; i++) {
		do_next();
		do_settle(true);
		do_give();
		do_take(true);
		if (i % COPIES == 0) {
			world_pass(&world, 600000 / 20);
			world_tick(&world);
			model_time();
		}
	}
	for (size_t i = 0; i < COPIES; i++)
		assert_true(model.copies[i].state == MODEL_NONE || model.copies[i].state == MODEL_CARRIED);
	for (size_t i = 0; i < ARRIVALS; i++)
		assert_false(model.arrivals[i].held);
	world_audit(&world);
	world_pass(&world, 3 * 3600000);
	world_tick(&world);
	assert_int_equal(world.store_count, 1); /* the sums are all that is left */
}

static void run(uint64_t seed, uint64_t pool_size_max)
{
	memset(&model, 0, sizeof model);
	world_make(&world, seed);
	world.settings.pool_size_max = pool_size_max;
	world_crash(&world, 0);
	for (size_t event = 0; event < EVENTS; event++) {
		do_one();
		if (event % 50 == 0)
			world_audit(&world);
	}
	drain();
	assert_true(model.carried_count > 100);
	assert_true(model.delivered_count > 20);
	world_free(&world);
}

static void the_queue_agrees_with_the_model(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		run(seed, 10000000);
		assert_true(model.piece_count > 5);
	}
}

static void a_small_queue_agrees_with_the_model(void **state)
{
	for (uint64_t seed = 11; seed <= 13; seed++) {
		run(seed, 60000);
		assert_true(model.full_count > 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_agrees_with_the_model),
		cmocka_unit_test(a_small_queue_agrees_with_the_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
