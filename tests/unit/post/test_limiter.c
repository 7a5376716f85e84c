#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "post/limiter.h"

static void show_lines(struct limiter *limiter, unsigned reason, uint64_t now_ms)
{
	for (unsigned i = 0; i < LIMITER_LINES; i++)
		assert_true(limiter_admit(limiter, reason, now_ms));
}

static void lines_beyond_the_bound_are_held_back_and_counted(void **state)
{
	struct limiter limiter;
	unsigned reason;
	uint64_t suppressed;

	limiter_make(&limiter);
	show_lines(&limiter, 7, 1000);
	for (unsigned i = 0; i < 12; i++)
		assert_false(limiter_admit(&limiter, 7, 1001));
	assert_false(limiter_ended(&limiter, 1000 + LIMITER_WINDOW_MS - 1, &reason, &suppressed));
	assert_true(limiter_ended(&limiter, 1000 + LIMITER_WINDOW_MS, &reason, &suppressed));
	assert_int_equal(reason, 7);
	assert_int_equal(suppressed, 12);
	assert_false(limiter_ended(&limiter, 1000 + LIMITER_WINDOW_MS, &reason, &suppressed));
}

static void one_reason_does_not_silence_another(void **state)
{
	struct limiter limiter;

	limiter_make(&limiter);
	show_lines(&limiter, 1, 0);
	assert_false(limiter_admit(&limiter, 1, 0));
	show_lines(&limiter, 2, 0);
}

static void a_new_window_shows_lines_again(void **state)
{
	struct limiter limiter;
	unsigned reason;
	uint64_t suppressed;

	limiter_make(&limiter);
	show_lines(&limiter, 3, 0);
	show_lines(&limiter, 3, LIMITER_WINDOW_MS);
	assert_false(limiter_admit(&limiter, 3, LIMITER_WINDOW_MS));
	assert_true(limiter_ended(&limiter, 2 * LIMITER_WINDOW_MS, &reason, &suppressed));
	assert_int_equal(suppressed, 1);
	assert_true(limiter_admit(&limiter, 3, 2 * LIMITER_WINDOW_MS));
}

static void a_count_is_not_lost_when_its_window_has_ended(void **state)
{
	struct limiter limiter;
	unsigned reason;
	uint64_t suppressed;

	limiter_make(&limiter);
	show_lines(&limiter, 3, 0);
	assert_false(limiter_admit(&limiter, 3, 0));
	assert_false(limiter_admit(&limiter, 3, 5 * LIMITER_WINDOW_MS));
	assert_true(limiter_ended(&limiter, 5 * LIMITER_WINDOW_MS, &reason, &suppressed));
	assert_int_equal(suppressed, 2);
}

static void reasons_outside_the_table_share_a_window(void **state)
{
	struct limiter limiter;

	limiter_make(&limiter);
	show_lines(&limiter, LIMITER_REASONS, 0);
	assert_false(limiter_admit(&limiter, 0xffffffff, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_beyond_the_bound_are_held_back_and_counted),
		cmocka_unit_test(one_reason_does_not_silence_another),
		cmocka_unit_test(a_new_window_shows_lines_again),
		cmocka_unit_test(a_count_is_not_lost_when_its_window_has_ended),
		cmocka_unit_test(reasons_outside_the_table_share_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
