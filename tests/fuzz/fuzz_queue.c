/*
 * The courier's queue under whatever bundles neighbours send, with a post that sends, cancels and takes, with
 * a clock that goes on and with processes that die. After each input every row is checked against every other
 * (world_audit), and what is given out must be sound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "carry/tcpcl.h"
#include "tests/fuzz/bundle_items.h"
#include "tests/fuzz/cbor_mutator.h"
#include "tests/fuzz/steps.h"
#include "tests/unit/carry/queue_world.h"

enum kind {
	BUNDLE,  /* route, with right checksums or not, blocks */
	SEND,    /* id, node, precedence, size, lifetime in s */
	CANCEL,  /* id */
	NEXT,    /* route, size_max */
	SETTLE,  /* route, event, reason */
	PASS,    /* ms */
	CRASH,   /* ms down, with the next event lost or not */
	DELIVER, /* the next to the post */
	TAKEN,   /* of the last deliveries: which */
	LEFT,    /* the same */
	HELLO,   /* the post has connected anew */
	HEAD,    /* origin, size */
	DISK,    /* free bytes */
	KINDS,
};

static struct world world;

static void receive(struct step *step)
{
	static uint8_t memory[BUNDLE_SIZE_MAX];
	struct buffer bundle = buffer_make(memory, sizeof(memory));
	size_t route = step_number(step) % WORLD_ROUTES;
	bool checked = step_number(step) % 8 != 7;

	bundle_of_items(step_bytes(step), checked, &bundle);
	(void)world_receive(&world, route, buffer_bytes(&bundle));
}

static void send(struct step *step)
{
	uint64_t id = 1 + step_number(step) % 32;
	uint64_t node = step_number(step) % 11 + 1;
	unsigned precedence = (unsigned)(1 + step_number(step) % LINK_PRECEDENCE_MAX);
	size_t size = 1 + (size_t)(step_number(step) % SEALED_SIZE_MAX);
	uint64_t lifetime_ms = 1 + 1000 * (step_number(step) % (LIFETIME_MS_MAX / 1000));
	enum error error;

	(void)world_send(&world, id, node, precedence, size, lifetime_ms, &error);
}

/* What goes out is a bundle again, of the size that was asked for. */
static void next(struct step *step)
{
	size_t route = step_number(step) % WORLD_ROUTES;
	size_t size_max =
		TRANSFER_MRU_MIN + (size_t)(step_number(step) % (TRANSFER_SIZE_MAX - TRANSFER_MRU_MIN + 1));
	struct bundle bundle;

	if (world.queue.transfers_count == QUEUE_TRANSFERS_MAX ||
	    world_next(&world, route, size_max) != ERROR_OK)
		return;
	assert_true(world.bundle.size <= size_max);
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
}

static void settle(struct step *step)
{
	static const enum queue_event_kind kinds[] = {QUEUE_ACKNOWLEDGED, QUEUE_REFUSED, QUEUE_FAILED};
	size_t route = step_number(step) % WORLD_ROUTES;
	enum queue_event_kind kind = kinds[step_number(step) % 3];
	uint64_t number;

	if (queue_in_transfer(&world.queue, route, &number))
		world_settle(&world, kind, number, (uint8_t)step_number(step));
}

static void head(struct step *step)
{
	static const char origins[] = "abcdefgh";
	struct queue_event event = {.kind = QUEUE_HEAD};
	bool lost = world.crash_before_commit;
	struct link_heads heads;

	event.head.origin = bytes_make(origins, 1 + step_number(step) % 8);
	event.head.size = step_number(step) % ((uint64_t)INT64_MAX + 1);
	world_step(&world, &event);
	world_read_heads(&world, &heads);
	for (size_t i = 0; i < heads.count; i++)
		assert_true(lost || !bytes_equal(heads.heads[i].origin, event.head.origin) ||
			    heads.heads[i].size >= event.head.size);
}

static void deliver(void)
{
	if (world_next_delivery(&world) != ERROR_OK)
		return;
	assert_in_range(world.delivery.sealed.size, 1, SEALED_SIZE_MAX);
	assert_in_range(world.delivery.precedence, 1, LINK_PRECEDENCE_MAX);
	assert_in_range(world.delivery.source.size, 1, EID_SIZE_MAX);
}

static void crash(struct step *step)
{
	uint64_t down_ms = step_number(step) % (UINT64_C(40) * 86400000);

	world_crash(&world, down_ms);
	world.crash_before_commit = step_number(step) % 2 == 1;
}

static void post(const struct step *step, uint64_t number)
{
	uint64_t delivery = world.delivery.delivery - number % 4;

	if (delivery == 0 || delivery > INT64_MAX)
		return;
	if (step->kind == TAKEN)
		world_taken(&world, delivery);
	else
		queue_delivery_left(&world.queue, delivery);
}

static void take(struct step *step)
{
	switch ((enum kind)step->kind) {
	case BUNDLE:
		receive(step);
		break;
	case SEND:
		send(step);
		break;
	case CANCEL:
		world_cancel(&world, 1 + step_number(step) % 32);
		break;
	case NEXT:
		next(step);
		break;
	case SETTLE:
		settle(step);
		break;
	case PASS:
		world_pass(&world, step_number(step) % (UINT64_C(400) * 86400000));
		world_tick(&world);
		break;
	case CRASH:
		crash(step);
		break;
	case DELIVER:
		deliver();
		break;
	case TAKEN:
	case LEFT:
		post(step, step_number(step));
		break;
	case HELLO:
		queue_post_connected(&world.queue);
		break;
	case HEAD:
		head(step);
		break;
	case DISK:
		world.disk_room = step_number(step);
		break;
	case KINDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = steps_make(bytes_make(data, size));
	struct step step;

	world_make(&world, 1);
	while (steps_next(&steps, KINDS, &step))
		take(&step);
	world.crash_before_commit = false;
	world_audit(&world);
	world_free(&world);
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	(void)input;
	return 0;
}
