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

#define test(name) cmocka_unit_test_setup_teardown(name, case_set_up, case_tear_down)

#endif
