/*
 * Heads that a post tells of itself and of others, with all its keys: honest ones in places where they seldom
 * come, and what a hostile post makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/heads.h"
#include "record/log.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

/*
 * A channel that the other party alone has opened: it can say what it likes of the log that there is none of,
 * and the post goes on.
 */
static void of_a_log_that_is_not_open_yet_nothing_is_believed(void **state)
{
	struct world *world = world_make_pair(430);
	const uint8_t nothing[IDENTITY_SIZE] = {1};
	struct head told[2];

	world_name_channel(world);
	world_submit_opening(world, 1);
	world_settle(world);
	struct entry_key place = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = place.log,
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = 10}},
	};
	told[0] = forge_head_held(world, 1, 1);
	told[1] = (struct head){.log = place.log, .incarnation = 1, .size = 1};
	told[1].has_cosignature = true;
	told[1].cosigned_at = 1;
	assert_int_equal(forge_heads(world, 1, 0, told, 2), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_CHANNEL);
	assert_int_equal(talk_line(world, 0, 1).theirs_size, 0);
	assert_int_equal(forge_receipt(world, 1, 0, &place, nothing, ERROR_OK), ERROR_OK);
	assert_int_equal(forge_receipt(world, 1, 0, &place, nothing, ERROR_REFUSED_FORM), ERROR_OK);
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(forge_incarnation(world, 1, 0, 2, 1, 1), ERROR_OK);
	world_submit_opening(world, 0);
	world_settle(world);
	world_submit_officers(world, 0);
	world_settle(world);
	assert_int_equal(talk_size(world, 1, 0, 1), talk_size(world, 0, 0, 1));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_log_that_is_not_open_yet_nothing_is_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
