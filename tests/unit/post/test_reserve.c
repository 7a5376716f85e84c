#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "post/reserve.h"
#include "tests/unit/scratch.h"

static void levels_fall_below_their_floors_whatever_was_before(void **state)
{
	assert_int_equal(reserve_level_next(RESERVE_AMPLE, UINT64_MAX), RESERVE_AMPLE);
	assert_int_equal(reserve_level_next(RESERVE_AMPLE, RESERVE_FLOOR_LOW), RESERVE_AMPLE);
	assert_int_equal(reserve_level_next(RESERVE_LOW, RESERVE_FLOOR_SCARCE), RESERVE_LOW);
	assert_int_equal(reserve_level_next(RESERVE_SCARCE, RESERVE_FLOOR_LAST), RESERVE_SCARCE);
	for (enum reserve_level before = RESERVE_AMPLE; before <= RESERVE_LAST; before++) {
		assert_int_equal(reserve_level_next(before, RESERVE_FLOOR_LOW - 1), RESERVE_LOW);
		assert_int_equal(reserve_level_next(before, RESERVE_FLOOR_SCARCE - 1), RESERVE_SCARCE);
		assert_int_equal(reserve_level_next(before, RESERVE_FLOOR_LAST - 1), RESERVE_LAST);
		assert_int_equal(reserve_level_next(before, 0), RESERVE_LAST);
	}
}

/* A level that rises may make the link begin anew: room that swings about a floor shall not, each second. */
static void levels_rise_a_margin_above_their_floors(void **state)
{
	static const uint64_t floors[] = {
		[RESERVE_LOW] = RESERVE_FLOOR_LOW,
		[RESERVE_SCARCE] = RESERVE_FLOOR_SCARCE,
		[RESERVE_LAST] = RESERVE_FLOOR_LAST,
	};

	for (enum reserve_level level = RESERVE_LOW; level <= RESERVE_LAST; level++) {
		assert_int_equal(reserve_level_next(level, floors[level]), level);
		assert_int_equal(reserve_level_next(level, floors[level] + RESERVE_MARGIN - 1), level);
		for (enum reserve_level before = level; before <= RESERVE_LAST; before++)
			assert_int_equal(reserve_level_next(before, floors[level] + RESERVE_MARGIN),
					 level - 1);
		/* From further below it rises to here, and no further. */
		if (level < RESERVE_LAST)
			assert_int_equal(reserve_level_next(RESERVE_LAST, floors[level]), level);
		assert_int_equal(reserve_level_next(level, UINT64_MAX), RESERVE_AMPLE);
	}
}

/* What is refused at a level is refused at every later one: bulk first. */
static void less_is_taken_at_each_level_and_receipts_at_all(void **state)
{
	for (enum reserve_level level = RESERVE_AMPLE; level <= RESERVE_LAST; level++) {
		enum reserve_level next = level == RESERVE_LAST ? level : level + 1;

		for (unsigned precedence = 1; precedence <= 4; precedence++) {
			assert_true(reserve_takes_submission(level, 3, precedence));
			assert_true(reserve_takes_submission(level, 1, precedence) >=
				    reserve_takes_submission(next, 1, precedence));
		}
		assert_true(reserve_delivery_min(level) <= reserve_delivery_min(next));
	}
	assert_true(reserve_takes_submission(RESERVE_AMPLE, 1, 1));
	assert_false(reserve_takes_submission(RESERVE_LOW, 1, 1));
	assert_int_equal(reserve_delivery_min(RESERVE_LOW), 1);
	assert_int_equal(reserve_delivery_min(RESERVE_SCARCE), 2);
	assert_int_equal(reserve_delivery_min(RESERVE_LAST), 5);
	assert_false(reserve_takes_submission(RESERVE_SCARCE, 1, 2));
	assert_true(reserve_takes_submission(RESERVE_SCARCE, 1, 4));
	assert_false(reserve_takes_submission(RESERVE_LAST, 1, 4));
}

static void a_reserve_file_is_made_and_found_again(void **state)
{
	const struct scratch *scratch = *state;
	int directory = open(scratch->folder, O_RDONLY | O_DIRECTORY);
	char path[SCRATCH_PATH_SIZE];
	struct reserve reserve;
	struct stat status;

	reserve_make(&reserve, directory);
	assert_false(reserve_update(&reserve));
	assert_int_equal(reserve.level, RESERVE_AMPLE);
	assert_true(reserve.held);
	assert_int_equal(stat(scratch_path(scratch, "reserve", path), &status), 0);
	assert_int_equal(status.st_size, RESERVE_SIZE);
	assert_true(status.st_blocks * 512 >= RESERVE_SIZE);
	assert_false(reserve_update(&reserve));
	/* A file cut short holds nothing back: it is made whole again. */
	assert_int_equal(truncate(path, 100), 0);
	reserve_make(&reserve, directory);
	assert_false(reserve.held);
	assert_false(reserve_update(&reserve));
	assert_true(reserve.held);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, RESERVE_SIZE);
	close(directory);
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_fall_below_their_floors_whatever_was_before),
		cmocka_unit_test(levels_rise_a_margin_above_their_floors),
		cmocka_unit_test(less_is_taken_at_each_level_and_receipts_at_all),
		scratch_test(a_reserve_file_is_made_and_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
