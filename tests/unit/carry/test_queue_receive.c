#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "carry/fragment.h"
#include "carry/tcpcl.h"
#include "tests/unit/carry/queue_case.h"

#define PARTS_MAX 200

static uint8_t parts_memory[4 * BUNDLE_SIZE_MAX];
static struct bytes parts[PARTS_MAX];
static size_t parts_count;

static void assert_refused(struct bytes bundle, enum tcpcl_refuse reason)
{
	size_t rows = world.store_count;
	assert_false(case_receive(bundle));
	assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason, reason);
	assert_non_null(world_action(&world, QUEUE_ACTION_LOG)->text);
	assert_int_equal(world.store_count, rows);
}

static void assert_given(const char *sealed)
{
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	assert_true(bytes_equal(world.delivery.sealed, bytes_of_text(sealed)));
}

static void cut(struct bytes bytes, size_t size_max)
{
	struct bundle bundle;
	struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
	struct bundle_forwarding forwarding = {NULL, 0, 0, 0};
	size_t offset = 0;
	assert_int_equal(bundle_read(bytes, &bundle), ERROR_OK);
	for (parts_count = 0; offset < bundle.payload.size; parts_count++) {
		size_t start = buffer.size;
		assert_true(parts_count < PARTS_MAX);
		assert_int_equal(fragment_next(&buffer, &bundle, &forwarding, size_max, &offset), ERROR_OK);
		parts[parts_count] = bytes_make(parts_memory + start, buffer.size - start);
	}
	for (size_t i = parts_count; i > 1; i--) {
		size_t j = world_random(&world, i);
		struct bytes kept = parts[i - 1];
		parts[i - 1] = parts[j];
		parts[j] = kept;
	}
}

/* ---- deliveries ---- */

static void a_second_time_it_is_acknowledged_and_not_delivered(void **state)
{
	assert_true(case_receive(case_bundle(1, "ipn:1.3", "sealed")));
	assert_true(case_receive(case_bundle(1, "ipn:1.3", "sealed")));
	assert_given("sealed");
	world_taken(&world, world.delivery.delivery);
	world_crash(&world, 0);
	assert_true(case_receive(case_bundle(1, "ipn:1.3", "sealed")));
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	assert_true(case_receive(case_bundle(2, "ipn:1.3", "sealed")));
	assert_given("sealed");
}

static void identities_are_forgotten_when_the_lifetime_ends(void **state)
{
	case_receive(case_bundle(1, "ipn:1.3", "sealed"));
	world_next_delivery(&world);
	world_taken(&world, world.delivery.delivery);
	world_pass(&world, CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	assert_int_equal(world.store_count, 1); /* the sums */
}

static void identities_are_bounded(void **state)
{
	world_claim(&world, QUEUE_SEEN_MAX - 2, 0);
	for (uint64_t sequence = 1; sequence <= 4; sequence++) {
		struct bundle_fields fields = case_fields(sequence, "ipn:1.1");
		fields.lifetime_ms = CASE_BUNDLE_LIFETIME_MS - 100 * sequence;
		assert_true(case_receive(case_bundle_of(&fields, bytes_of_text("x"))));
	}
	size_t seen = 0;
	for (size_t i = 0; i < world.store_count; i++)
		seen += world.store[i].key.data[0] == 'S';
	assert_int_equal(seen,
			 2); /* the first to expire are forgotten: 3 and then, of 1, 2 and 4, that one */
	world_claim(&world, 2 - QUEUE_SEEN_MAX, 0);
}

static void carried_ids_are_bounded(void **state)
{
	enum error error;
	world_claim(&world, 0, QUEUE_CARRIED_MAX - 1);
	for (uint64_t id = 1; id <= 3; id++) {
		world_send(&world, id, 2, 1, 10, CASE_BUNDLE_LIFETIME_MS + id, &error);
		assert_int_equal(world_next(&world, WORLD_ROUTE_B, TRANSFER_SIZE_MAX), ERROR_OK);
		world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	}
	assert_int_equal(world_send(&world, 3, 2, 1, 10, CASE_BUNDLE_LIFETIME_MS, &error), LINK_CARRIED);
	assert_int_equal(world_send(&world, 1, 2, 1, 10, CASE_BUNDLE_LIFETIME_MS, &error), LINK_QUEUED);
	world_claim(&world, 0, 1 - QUEUE_CARRIED_MAX);
}

/* ---- refusals ---- */

static void wrong_bundles_are_refused(void **state)
{
	static uint8_t large[SEALED_SIZE_MAX + 1];
	struct bundle_fields fields;
	assert_refused(bytes_of_text("nonsense"), TCPCL_REFUSE_NOT_ACCEPTABLE);
	struct bytes bundle = case_bundle(1, "ipn:1.1", "x");
	case_bundle_memory[bundle.size - 3] ^= 1;
	assert_refused(bundle, TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_int_equal(world_action(&world, QUEUE_ACTION_LOG)->error, ERROR_BAD_CHECKSUM);
	assert_refused(case_bundle(1, "ipn:1.5", "x"), TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_refused(case_bundle(1, "ipn:1.0", "x"), TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_refused(case_bundle(1, "ipn:1.1", ""), TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_refused(case_bundle(1, "ipn:!.1", "x"), TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_refused(case_bundle(1, "dtn:none", "x"), TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_refused(case_bundle(1, "ipn:77.1", "x"), TCPCL_REFUSE_NOT_ACCEPTABLE); /* no way */
	assert_refused(case_bundle(1, "ipn:2.1", "x"),
		       TCPCL_REFUSE_NOT_ACCEPTABLE); /* back where it came from */
	fields = case_fields(1, "ipn:1.1");
	assert_refused(case_bundle_of(&fields, bytes_make(large, sizeof large)), TCPCL_REFUSE_NOT_ACCEPTABLE);
	fields.age_ms = CASE_BUNDLE_LIFETIME_MS;
	assert_refused(case_bundle_of(&fields, bytes_of_text("x")), TCPCL_REFUSE_NOT_ACCEPTABLE);
	fields = case_fields(1, "ipn:1.1");
	fields.source = case_eid("ipn:!.0");
	assert_refused(case_bundle_of(&fields, bytes_of_text("x")), TCPCL_REFUSE_NOT_ACCEPTABLE);
	fields = case_fields(1, "ipn:1.1");
	assert_true(case_receive(case_bundle_of(&fields, bytes_make(large, SEALED_SIZE_MAX))));
}

/* The bundle after `hops` hops. */
static struct bytes after_hops(struct bytes bytes, uint64_t hops)
{
	struct bundle bundle;
	struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
	assert_int_equal(bundle_read(bytes, &bundle), ERROR_OK);
	bundle.hop_count = hops - 1;
	struct bundle_forwarding whole = {NULL, 0, 0, bundle.payload.size};
	assert_int_equal(bundle_forward(&buffer, &bundle, &whole), ERROR_OK);
	return buffer_bytes(&buffer);
}

static void a_bundle_that_came_too_many_hops_is_refused(void **state)
{
	assert_refused(after_hops(case_bundle(1, "ipn:1.1", "x"), BUNDLE_HOP_LIMIT + 1),
		       TCPCL_REFUSE_NOT_ACCEPTABLE);
	assert_true(case_receive(after_hops(case_bundle(1, "ipn:1.1", "x"), BUNDLE_HOP_LIMIT)));
}

static void an_administrative_record_is_thrown_away(void **state)
{
	/* A status report, from another writer. */
	static const uint8_t record[] = {
#include "tests/unit/carry/administrative_record.inc"
	};
	size_t rows = world.store_count;
	assert_true(case_receive(bytes_make(record, sizeof record)));
	assert_int_equal(world.store_count, rows);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
}

static void what_comes_in_cannot_fill_the_posts_room(void **state)
{
	enum error error;
	static uint8_t payload[1000];
	world.settings.pool_size_max = WORLD_ROUTES * 100000;
	world_crash(&world, 0);
	uint64_t sequence = 1;
	size_t taken[5] = {0};
	static const char *const destinations[] = {"", "ipn:1.1", "ipn:1.2", "ipn:1.3", "ipn:1.4"};
	for (size_t precedence = 1; precedence <= 4; precedence++) {
		for (;; sequence++, taken[precedence]++) {
			struct bundle_fields fields = case_fields(sequence, destinations[precedence]);
			if (!case_receive(case_bundle_of(&fields, bytes_make(payload, sizeof payload))))
				break;
		}
		assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason,
				 TCPCL_REFUSE_NO_RESOURCES);
		assert_int_equal(world_action(&world, QUEUE_ACTION_LOG)->error, ERROR_FULL);
	}
	assert_int_equal(taken[1], 46); /* of 1512 bytes each: 70, 10, 10 and 10 thousand */
	assert_true(taken[2] >= 6 && taken[3] >= 6 && taken[4] >= 6);
	assert_int_equal(world_send(&world, 1, 2, 1, 1000, CASE_BUNDLE_LIFETIME_MS, &error), LINK_QUEUED);
	/* Nor that of another neighbour. */
	struct bundle_fields fields = case_fields(sequence, "ipn:1.1");
	assert_true(world_receive(&world, WORLD_ROUTE_C,
				  case_bundle_of(&fields, bytes_make(payload, sizeof payload))));
}

/* Fragments of units that never become whole, and bundles to be sent on. */
static void one_neighbour_cannot_fill_the_room_of_another(void **state)
{
	static const char *const destinations[] = {"ipn:1.4", "ipn:9.4"};
	static uint8_t payload[2000];
	uint64_t sequence = 1;
	world.settings.pool_size_max = WORLD_ROUTES * 100000;
	world_crash(&world, 0);
	for (size_t i = 0; i < 2; i++) {
		do {
			struct bundle_fields fields = case_fields(sequence++, destinations[i]);
			cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 1500);
		} while (case_receive(parts[0]));
		assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason,
				 TCPCL_REFUSE_NO_RESOURCES);
	}
	struct bundle_fields fields = case_fields(sequence, "ipn:1.1");
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 1500);
	for (size_t i = 0; i < parts_count; i++)
		assert_true(world_receive(&world, WORLD_ROUTE_C, parts[i]));
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	world_pass(&world, CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	assert_true(case_receive(parts[0]));
}

/* A bundle has no signature: who knows how another numbers its own could send one of that name before. */
static void no_neighbour_speaks_for_another(void **state)
{
	static uint8_t payload[2000];
	static uint8_t other[2000];
	struct bundle_fields fields = case_fields(1, "ipn:1.4");
	assert_true(world_receive(&world, WORLD_ROUTE_C, case_bundle(1, "ipn:1.4", "forged")));
	assert_given("forged");
	assert_true(case_receive(case_bundle(1, "ipn:1.4", "the words that matter")));
	assert_given("the words that matter");
	/* To be sent on. */
	assert_true(world_receive(&world, WORLD_ROUTE_B, case_bundle(2, "ipn:9.4", "the words that matter")));
	size_t rows = world.store_count;
	assert_true(world_receive(&world, WORLD_ROUTE_B, case_bundle(2, "ipn:9.4", "the words that matter")));
	assert_int_equal(world.store_count, rows);
	/* In fragments. */
	fields.sequence = 3;
	memset(other, 1, sizeof other);
	cut(case_bundle_of(&fields, bytes_make(other, sizeof other)), 900);
	assert_true(world_receive(&world, WORLD_ROUTE_C, parts[1]));
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 900);
	for (size_t i = 0; i < parts_count; i++)
		assert_true(case_receive(parts[i]));
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	assert_true(bytes_equal(world.delivery.sealed, bytes_make(payload, sizeof payload)));
}

/* ---- forwarding ---- */

static void a_bundle_for_another_node_is_sent_on(void **state)
{
	struct bundle bundle;
	assert_true(case_receive(case_bundle(1, "ipn:9.2", "sealed")));
	assert_true(case_receive(case_bundle(1, "ipn:9.2", "sealed")));
	world_pass(&world, 700);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_OK);
	assert_int_equal(world.transfer.precedence, 2);
	assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
	assert_int_equal(bundle.source.node, 5);
	assert_int_equal(bundle.age_ms, 700);
	assert_int_equal(bundle.hop_count, 1);
	assert_true(bundle.has_previous_node);
	assert_int_equal(bundle.previous_node.node, 1);
	world_settle(&world, QUEUE_ACKNOWLEDGED, world.transfer.number, 0);
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_NOT_FOUND);
	assert_true(case_receive(case_bundle(1, "ipn:9.2", "sealed")));
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_NOT_FOUND);
}

static void a_waiting_bundle_that_was_forgotten_as_seen_waits_once(void **state)
{
	world_claim(&world, QUEUE_SEEN_MAX - 1, 0);
	assert_true(case_receive(case_bundle(1, "ipn:9.2", "sealed")));
	assert_true(case_receive(case_bundle(2, "ipn:9.2", "other")));
	assert_true(case_receive(case_bundle(1, "ipn:9.2", "sealed")));
	world_claim(&world, 1 - QUEUE_SEEN_MAX, 0);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_OK);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_OK);
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_NOT_FOUND);
}

static void a_forwarded_bundle_without_a_precedence_is_routine_and_expires(void **state)
{
	assert_true(case_receive(case_bundle(1, "ipn:9.77", "other")));
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_OK);
	assert_int_equal(world.transfer.precedence, 1);
	world_settle(&world, QUEUE_REFUSED, world.transfer.number, TCPCL_REFUSE_RETRANSMIT);
	world_pass(&world, CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	assert_null(world_action(&world, QUEUE_ACTION_PROGRESS));
	assert_int_equal(world.store_count, 1);
}

/* ---- fragments ---- */

static void fragments_in_any_order_make_one_delivery(void **state)
{
	static uint8_t payload[SEALED_SIZE_MAX];
	for (uint64_t sequence = 0; sequence < 30; sequence++) {
		size_t size = 1000 + world_random(&world, SEALED_SIZE_MAX - 1000);
		struct bundle_fields fields = case_fields(sequence, "ipn:1.2");
		for (size_t i = 0; i < size; i++)
			payload[i] = (uint8_t)world_random(&world, 256);
		struct bytes bundle = case_bundle_of(&fields, bytes_make(payload, size));
		/* Some from one cut, then all of another: they overlap. */
		cut(bundle, size / 5 + 200);
		for (size_t i = 0; i < parts_count / 2; i++)
			assert_true(case_receive(parts[i]));
		cut(bundle, size / 9 + 200);
		for (size_t i = 0; i < parts_count; i++) {
			assert_true(case_receive(parts[i]));
			assert_true(case_receive(parts[i]));
			if (world_random(&world, 4) == 0)
				world_crash(&world, 0);
		}
		assert_int_equal(world_next_delivery(&world), ERROR_OK);
		assert_true(bytes_equal(world.delivery.sealed, bytes_make(payload, size)));
		world_taken(&world, world.delivery.delivery);
		assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
		/* Once it is whole, no part and not the whole begin it again. */
		assert_true(case_receive(parts[0]));
		assert_true(case_receive(bundle));
		assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
		world_audit(&world);
	}
}

static void the_whole_bundle_beside_its_fragments_is_delivered_once(void **state)
{
	static uint8_t payload[2000];
	struct bundle_fields fields = case_fields(1, "ipn:1.2");
	struct bytes bundle = case_bundle_of(&fields, bytes_make(payload, sizeof payload));
	cut(bundle, 500);
	assert_true(case_receive(parts[0]));
	assert_true(case_receive(bundle));
	for (size_t i = 1; i < parts_count; i++)
		assert_true(case_receive(parts[i]));
	assert_int_equal(world_next_delivery(&world), ERROR_OK);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	world_pass(&world, CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	world_taken(&world, world.delivery.delivery);
	assert_int_equal(world.store_count, 1);
}

static void fragments_that_disagree_are_thrown_away(void **state)
{
	static uint8_t payload[2000];
	struct bundle_fields fields = case_fields(1, "ipn:1.2");
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 900);
	assert_true(case_receive(parts[0]));
	assert_true(case_receive(parts[1]));
	static uint8_t last[1000];
	struct bytes kept = bytes_make(last, parts[2].size);
	memcpy(last, parts[2].data, parts[2].size);
	/* The same bundle by its name, with other content: overlapping parts of it complete the unit. */
	memset(payload, 1, sizeof payload);
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 1900);
	bool refused = false;
	for (size_t i = 0; i < parts_count; i++)
		refused = !case_receive(parts[i]) || refused;
	assert_true(refused);
	assert_int_equal(world_next_delivery(&world), ERROR_NOT_FOUND);
	world_audit(&world);
	assert_true(case_receive(kept));
	/* Another size of the same unit. */
	cut(case_bundle_of(&fields, bytes_make(payload, 1500)), 900);
	assert_refused(parts[0], TCPCL_REFUSE_NOT_ACCEPTABLE);
	/* Another precedence. */
	fields = case_fields(1, "ipn:1.3");
	cut(case_bundle_of(&fields, bytes_make(payload, 2000)), 900);
	assert_refused(parts[0], TCPCL_REFUSE_NOT_ACCEPTABLE);
}

static void fragments_of_one_unit_are_bounded_and_forgotten_in_time(void **state)
{
	static uint8_t payload[12000];
	struct bundle_fields fields = case_fields(1, "ipn:1.2");
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 150);
	assert_true(parts_count > FRAGMENTS_MAX + 1);
	size_t stored = 0;
	for (size_t i = 0; i < parts_count - 1; i++)
		stored += case_receive(parts[i]);
	assert_true(stored <= FRAGMENTS_MAX && stored >= FRAGMENT_RANGES_MAX);
	assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason, TCPCL_REFUSE_NO_RESOURCES);
	world_audit(&world);
	world_pass(&world, CASE_BUNDLE_LIFETIME_MS);
	world_tick(&world);
	assert_int_equal(world.store_count, 1);
}

static void overlapping_fragments_of_one_unit_are_bounded_in_size(void **state)
{
	static uint8_t payload[70001];
	struct bundle bundle;
	struct bundle_fields fields = case_fields(1, "ipn:1.2");
	assert_int_equal(bundle_read(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), &bundle),
			 ERROR_OK);
	for (size_t i = 0; i < 4; i++) {
		struct bundle_forwarding part = {NULL, 0, i, sizeof payload - 5};
		struct buffer buffer = buffer_make(parts_memory, sizeof parts_memory);
		assert_int_equal(bundle_forward(&buffer, &bundle, &part), ERROR_OK);
		assert_int_equal(case_receive(buffer_bytes(&buffer)), i < 2);
	}
	assert_int_equal(world_action(&world, QUEUE_ACTION_REFUSE)->reason, TCPCL_REFUSE_NO_RESOURCES);
}

static void a_fragment_for_another_node_is_sent_on_as_it_is(void **state)
{
	static uint8_t payload[2000];
	struct bundle bundle;
	struct bundle_fields fields = case_fields(1, "ipn:9.2");
	cut(case_bundle_of(&fields, bytes_make(payload, sizeof payload)), 900);
	for (size_t i = 0; i < parts_count; i++) {
		assert_true(case_receive(parts[i]));
		assert_true(case_receive(parts[i]));
	}
	for (size_t i = 0; i < parts_count; i++) {
		assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_OK);
		assert_int_equal(bundle_read(world.bundle, &bundle), ERROR_OK);
		assert_true((bundle.flags & BUNDLE_IS_FRAGMENT) != 0);
		assert_int_equal(bundle.total_size, 2000);
	}
	assert_int_equal(world_next(&world, WORLD_ROUTE_C, TRANSFER_SIZE_MAX), ERROR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_second_time_it_is_acknowledged_and_not_delivered),
		test(identities_are_forgotten_when_the_lifetime_ends),
		test(identities_are_bounded),
		test(carried_ids_are_bounded),
		test(wrong_bundles_are_refused),
		test(a_bundle_that_came_too_many_hops_is_refused),
		test(an_administrative_record_is_thrown_away),
		test(what_comes_in_cannot_fill_the_posts_room),
		test(one_neighbour_cannot_fill_the_room_of_another),
		test(no_neighbour_speaks_for_another),
		test(a_bundle_for_another_node_is_sent_on),
		test(a_waiting_bundle_that_was_forgotten_as_seen_waits_once),
		test(a_forwarded_bundle_without_a_precedence_is_routine_and_expires),
		test(fragments_in_any_order_make_one_delivery),
		test(the_whole_bundle_beside_its_fragments_is_delivered_once),
		test(fragments_that_disagree_are_thrown_away),
		test(fragments_of_one_unit_are_bounded_and_forgotten_in_time),
		test(overlapping_fragments_of_one_unit_are_bounded_in_size),
		test(a_fragment_for_another_node_is_sent_on_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
