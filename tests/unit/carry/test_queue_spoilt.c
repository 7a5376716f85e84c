/*
 * A store that a disk or somebody has changed: whatever the queue reads there, it goes on as with other rows
 * of its own, or stops with ERROR_MALFORMED.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "carry/fragment.h"
#include "carry/tcpcl.h"
#include "tests/unit/carry/queue_case.h"

#define BYTES_MAX 96 /* of a row, from its start, that are changed one by one */
#define LATER_MS  (2 * (uint64_t)CASE_LIFETIME_MS)
#define ORIGIN    "liaison/00"

static uint8_t parts[2][4096];
static struct bytes part[2]; /* of one bundle for the post */

/* ---- a store with a row of each kind ---- */

static void cut_in_two(struct bytes bytes)
{
	struct bundle bundle;
	struct bundle_forwarding forwarding = {.age_ms = 0};
	size_t offset = 0;

	assert_int_equal(bundle_read(bytes, &bundle), ERROR_OK);
	for (size_t i = 0; i < 2; i++) {
		struct buffer buffer = buffer_make(parts[i], sizeof parts[i]);
		assert_int_equal(
			fragment_next(&buffer, &bundle, &forwarding, i == 0 ? 700 : sizeof parts[i], &offset),
			ERROR_OK);
		part[i] = buffer_bytes(&buffer);
	}
}

static void give_head(void)
{
	struct queue_event event = {.kind = QUEUE_HEAD, .head = {.origin = bytes_of_text(ORIGIN), .size = 5}};
	world_step(&world, &event);
}

/* Copies that wait, are tried again, are carried and are under way; what is forwarded, what is to be put
 * together, what was given to the post; a head. */
static void fill(void)
{
	static const uint8_t payload[1000];
	struct bundle_fields fields = case_fields(70, "ipn:1.4");

	assert_int_equal(case_send(1, 1, 20), LINK_QUEUED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 4096), ERROR_OK);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	assert_int_equal(case_send(2, 2, 20), LINK_QUEUED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 4096), ERROR_OK);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_NO_RESOURCES);
	assert_int_equal(case_send(3, 1, 3000), LINK_QUEUED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 700), ERROR_OK);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	assert_true(case_receive(case_bundle(60, "ipn:9.2", "for another")));
	assert_true(case_receive(case_bundle(61, "ipn:1.3", "given")));
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	cut_in_two(case_bundle_of(&fields, bytes_make(payload, sizeof payload)));
	assert_true(case_receive(part[0]));
	give_head();
	assert_int_equal(case_send(4, 4, 40), LINK_QUEUED);
	assert_int_equal(world_next(&world, WORLD_ROUTE_B, 4096), ERROR_OK);
}

/* ---- questions ---- */

static enum error ask_step(struct world *of, void *context)
{
	struct queue_event *event = context;
	event->wall_ms = of->wall_ms;
	event->steady_ms = of->steady_ms;
	event->disk_room = of->disk_room;
	enum error error = queue_step(&of->queue, &of->rows, event, &of->actions);
	return error == ERROR_OK ? rows_keep(&of->rows) : error;
}

static enum error ask_next(struct world *of, void *context)
{
	struct queue_transfer transfer;
	struct buffer buffer = buffer_make(of->bundle_memory, sizeof of->bundle_memory);
	return queue_next(&of->queue, &of->rows, *(size_t *)context, of->steady_ms, 4096, &transfer, &buffer);
}

static enum error ask_next_delivery(struct world *of, void *context)
{
	struct link_received delivery;
	return queue_next_delivery(&of->queue, &of->rows, &delivery);
}

static enum error ask_heads(struct world *of, void *context)
{
	static struct link_heads heads;
	return queue_read_heads(&of->rows, &heads);
}

static enum error ask_route(struct world *of, void *context)
{
	struct queue_class classes[QUEUE_CLASSES];
	return queue_read_route(&of->queue, &of->rows, WORLD_ROUTE_B, classes);
}

/* ---- spoiling ---- */

/* A step that answers, or tells of the store. What only asks also finds nothing, or nothing that fits. */
static bool is_told(enum error error, world_question *question)
{
	if (error == ERROR_OK || error == ERROR_MALFORMED || error == ERROR_NOT_NOW)
		return true;
	return question != ask_step && (error == ERROR_NOT_FOUND || error == ERROR_TOO_LARGE);
}

static void try_with(struct world_row *row, struct bytes value, world_question *question, void *context)
{
	struct bytes right = row->value;

	row->value = value;
	enum error error = world_try(&world, question, context);
	row->value = right;
	if (!is_told(error, question))
		print_error("a row of table %c: %s\n", row->key.data[0], error_name(error));
	assert_true(is_told(error, question));
}

static void try_without(size_t index, world_question *question, void *context)
{
	struct world_row row = world.store[index];
	size_t after = world.store_count - index - 1;

	memmove(&world.store[index], &world.store[index + 1], after * sizeof row);
	world.store_count--;
	enum error error = world_try(&world, question, context);
	memmove(&world.store[index + 1], &world.store[index], after * sizeof row);
	world.store[index] = row;
	world.store_count++;
	if (!is_told(error, question))
		print_error("without a row of table %c: %s\n", row.key.data[0], error_name(error));
	assert_true(is_told(error, question));
}

/* The key cut at each byte, and a byte longer, wherever the rows stay in order. */
static void spoil_key(size_t index, world_question *question, void *context)
{
	uint8_t changed[ROW_KEY_SIZE_MAX + 1];
	struct world_row *row = &world.store[index];
	struct bytes right = row->key;

	memcpy(changed, right.data, right.size);
	changed[right.size] = 0;
	for (size_t size = 1; size <= right.size + 1 && size <= ROW_KEY_SIZE_MAX; size++) {
		row->key = bytes_make(changed, size);
		if (index == 0 || bytes_compare(world.store[index - 1].key, row->key) < 0)
			try_with(row, row->value, question, context);
		row->key = right;
	}
}

/* Every row gone, empty, a byte shorter, a byte longer, and with one byte another; and its key. */
static void spoil_each_row(world_question *question, void *context)
{
	static uint8_t changed[ROW_VALUE_SIZE_MAX];

	for (size_t i = 0; i < world.store_count; i++) {
		struct world_row *row = &world.store[i];
		size_t size = row->value.size;
		try_without(i, question, context);
		spoil_key(i, question, context);
		if (size == 0)
			continue;
		memcpy(changed, row->value.data, size);
		changed[size] = 0;
		try_with(row, bytes_make(changed, 0), question, context);
		try_with(row, bytes_make(changed, size - 1), question, context);
		try_with(row, bytes_make(changed, size + 1), question, context);
		for (size_t at = 0; at < size && at < BYTES_MAX; at++) {
			static const uint8_t others[] = {0x00, 0x01, 0x04, 0x17, 0x80, 0xf6};
			for (size_t j = 0; j < sizeof others; j++) {
				changed[at] = others[j];
				try_with(row, bytes_make(changed, size), question, context);
			}
			changed[at] = row->value.data[at];
		}
	}
}

static void spoil_before(struct queue_event event)
{
	assert_int_equal(world_try(&world, ask_step, &event), ERROR_OK);
	spoil_each_row(ask_step, &event);
}

/* ---- tests ---- */

static void before_what_the_post_sends(void **state)
{
	struct queue_event send = {.kind = QUEUE_SEND,
				   .send = {.destination = bytes_of_text("ipn:2"),
					    .precedence = 2,
					    .lifetime_ms = CASE_LIFETIME_MS,
					    .sealed = bytes_of_text("sealed")}};
	struct queue_event cancel = {.kind = QUEUE_CANCEL};

	fill();
	store_u64(send.send.id, 9);
	spoil_before(send);
	for (uint64_t id = 1; id <= 3; id++) {
		store_u64(send.send.id, id);
		spoil_before(send);
		store_u64(cancel.cancel, id);
		spoil_before(cancel);
	}
	spoil_before((struct queue_event){.kind = QUEUE_TAKEN, .taken = world.delivery.delivery});
	spoil_before((struct queue_event){.kind = QUEUE_HEAD,
					  .head = {.origin = bytes_of_text(ORIGIN), .size = 6}});
}

static void before_a_bundle_comes_in(void **state)
{
	fill();
	spoil_before((struct queue_event){.kind = QUEUE_RECEIVED, .received = {.bundle = part[0]}});
	spoil_before((struct queue_event){.kind = QUEUE_RECEIVED, .received = {.bundle = part[1]}});
	spoil_before((struct queue_event){.kind = QUEUE_RECEIVED,
					  .received = {.bundle = case_bundle(62, "ipn:9.2", "another")}});
	spoil_before((struct queue_event){.kind = QUEUE_RECEIVED,
					  .received = {.bundle = case_bundle(61, "ipn:1.3", "given")}});
}

static void before_a_transfer_ends(void **state)
{
	static const enum queue_event_kind kinds[] = {QUEUE_ACKNOWLEDGED, QUEUE_REFUSED, QUEUE_FAILED};

	fill();
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		for (uint8_t reason = 0; reason <= TCPCL_REFUSE_SESSION_TERMINATING; reason++)
			spoil_before((struct queue_event){
				.kind = kinds[i],
				.transfer = {.number = world.transfer.number, .reason = reason}});
}

static void before_time_passes_and_before_a_start(void **state)
{
	fill();
	spoil_before((struct queue_event){.kind = QUEUE_START});
	spoil_before((struct queue_event){.kind = QUEUE_TICK});
	world_pass(&world, 5000);
	spoil_before((struct queue_event){.kind = QUEUE_TICK});
	world_pass(&world, LATER_MS);
	spoil_before((struct queue_event){.kind = QUEUE_TICK});
	spoil_before((struct queue_event){.kind = QUEUE_TICK, .tick = {.post_is_full = true}});
}

static void before_it_is_asked_what_is_next(void **state)
{
	size_t routes[] = {WORLD_ROUTE_B, WORLD_ROUTE_C};

	fill();
	assert_true(case_receive(case_bundle(63, "ipn:1.3", "next")));
	for (size_t i = 0; i < WORLD_ROUTES; i++) {
		assert_int_equal(world_try(&world, ask_next, &routes[i]), ERROR_OK);
		spoil_each_row(ask_next, &routes[i]);
	}
	assert_int_equal(world_try(&world, ask_next_delivery, NULL), ERROR_OK);
	spoil_each_row(ask_next_delivery, NULL);
	assert_int_equal(world_try(&world, ask_heads, NULL), ERROR_OK);
	spoil_each_row(ask_heads, NULL);
	assert_int_equal(world_try(&world, ask_route, NULL), ERROR_OK);
	spoil_each_row(ask_route, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(before_what_the_post_sends),      test(before_a_bundle_comes_in),
		test(before_a_transfer_ends),          test(before_time_passes_and_before_a_start),
		test(before_it_is_asked_what_is_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
