#include "tests/unit/carry/queue_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct world world;
enum error failure;
uint8_t case_bundle_memory[2 * BUNDLE_SIZE_MAX];

int case_set_up(void **state)
{
	world_make(&world, 1);
	return 0;
}

int case_tear_down(void **state)
{
	world_audit(&world);
	world_free(&world);
	return 0;
}

enum link_copy_state case_send(uint64_t id, unsigned precedence, size_t size)
{
	return world_send(&world, id, 2, precedence, size, CASE_LIFETIME_MS, &failure);
}

struct eid case_eid(const char *text)
{
	struct eid eid;
	assert_int_equal(eid_from_text(bytes_of_text(text), &eid), ERROR_OK);
	return eid;
}

struct bundle_fields case_fields(uint64_t sequence, const char *destination)
{
	return (struct bundle_fields){
		.destination = case_eid(destination),
		.source = case_eid("ipn:5.0"),
		.creation_ms = 1000,
		.sequence = sequence,
		.lifetime_ms = CASE_BUNDLE_LIFETIME_MS,
	};
}

struct bytes case_bundle_of(const struct bundle_fields *fields, struct bytes payload)
{
	struct buffer buffer = buffer_make(case_bundle_memory, sizeof case_bundle_memory);
	assert_int_equal(bundle_create(&buffer, fields, payload), ERROR_OK);
	return buffer_bytes(&buffer);
}

struct bytes case_bundle(uint64_t sequence, const char *destination, const char *payload)
{
	struct bundle_fields fields = case_fields(sequence, destination);
	return case_bundle_of(&fields, bytes_of_text(payload));
}

bool case_receive(struct bytes bundle)
{
	return world_receive(&world, WORLD_ROUTE_B, bundle);
}
