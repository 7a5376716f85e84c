/*
 * What the tests of the queue begin and end with: one world, made before each test, and looked through and
 * freed after it.
 */
#ifndef TESTS_UNIT_CARRY_QUEUE_CASE_H
#define TESTS_UNIT_CARRY_QUEUE_CASE_H

#include "tests/unit/carry/queue_world.h"

#define CASE_LIFETIME_MS 86400000 /* of what case_send sends: a day */

extern struct world world;
extern enum error failure; /* of the last case_send */

int case_set_up(void **state);
int case_tear_down(void **state);

/* SEND to ipn:2, the neighbour by route B. */
enum link_copy_state case_send(uint64_t id, unsigned precedence, size_t size);

/* ---- what neighbours bring ---- */

#define CASE_BUNDLE_LIFETIME_MS 60000

/* The last bundle made here. */
extern uint8_t case_bundle_memory[2 * BUNDLE_SIZE_MAX];

struct eid case_eid(const char *text);
/* From ipn:5.0, for that service of that node. */
struct bundle_fields case_fields(uint64_t sequence, const char *destination);
struct bytes case_bundle_of(const struct bundle_fields *fields, struct bytes payload);
/* With those fields. */
struct bytes case_bundle(uint64_t sequence, const char *destination, const char *payload);
/* By route B; true if it is acknowledged. */
bool case_receive(struct bytes bundle);

#define test(name) cmocka_unit_test_setup_teardown(name, case_set_up, case_tear_down)

#endif
