#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"

#define NUMBERS_MAX 256 /* beyond the last reason */

/* The table, once more: every number below NUMBERS_MAX that has a name. */
static const char *const names[NUMBERS_MAX] = {
#define ERROR_AS_EXPECTED(name, number, text) [number] = #name,
	ERROR_TABLE(ERROR_AS_EXPECTED)
#undef ERROR_AS_EXPECTED
};

static void test_a_number_is_known_if_it_is_in_the_table(void **state)
{
	(void)state;
	for (size_t number = 0; number < NUMBERS_MAX; number++)
		assert_int_equal(error_known((enum error)number), names[number] != NULL);
	assert_true(error_known(ERROR_REFUSED_NAMED));
	assert_false(error_known((enum error)82));
}

static void test_each_error_has_the_name_of_its_row(void **state)
{
	(void)state;
	for (size_t number = 0; number < NUMBERS_MAX; number++)
		assert_string_equal(error_name((enum error)number),
				    names[number] != NULL ? names[number] : "UNKNOWN");
}

/* What people are told: one line, without a full stop, and not the same for two errors. */
static void test_each_error_has_a_sentence_of_its_own(void **state)
{
	(void)state;
	for (size_t number = 0; number < NUMBERS_MAX; number++) {
		struct bytes text = bytes_of_text(error_text((enum error)number));
		assert_true(text.size > 0 && text_is_plain_line(text));
		assert_int_not_equal(text.data[text.size - 1], '.');
		for (size_t other = 0; names[number] != NULL && other < NUMBERS_MAX; other++)
			if (other != number)
				assert_string_not_equal(error_text((enum error)number),
							error_text((enum error)other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_is_known_if_it_is_in_the_table),
		cmocka_unit_test(test_each_error_has_the_name_of_its_row),
		cmocka_unit_test(test_each_error_has_a_sentence_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
