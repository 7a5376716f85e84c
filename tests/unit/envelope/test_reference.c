#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "envelope/reference.h"

static char text[REFERENCE_SIZE_MAX + 1];
static struct buffer buffer;

static const char *group(uint64_t time)
{
	buffer = buffer_make(text, sizeof(text) - 1);
	date_time_group_append(&buffer, time);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	text[buffer.size] = '\0';
	return text;
}

static const char *reference(const char *post, uint64_t incarnation, uint64_t position, uint64_t time)
{
	buffer = buffer_make(text, sizeof(text) - 1);
	reference_append(&buffer, bytes_of_text(post), incarnation, position, time);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	text[buffer.size] = '\0';
	return text;
}

/* ---- the calendar ---- */

static void check_against_the_system(uint64_t time)
{
	time_t given = (time_t)time;
	struct civil_time civil;
	uint64_t again;
	struct tm tm;

	assert_non_null(gmtime_r(&given, &tm));
	civil_from_time(time, &civil);
	assert_int_equal(civil.year, tm.tm_year + 1900);
	assert_int_equal(civil.month, tm.tm_mon + 1);
	assert_int_equal(civil.day, tm.tm_mday);
	assert_int_equal(civil.hour, tm.tm_hour);
	assert_int_equal(civil.minute, tm.tm_min);
	assert_int_equal(civil.second, tm.tm_sec);
	assert_int_equal(time_from_civil(&civil, &again), ERROR_OK);
	assert_int_equal(again, time);
}

static void the_calendar_is_that_of_the_system(void **state)
{
	check_against_the_system(0);
	check_against_the_system(TIME_MAX);
	/* Every day for 500 years, the last second of each and the first of the next. */
	for (uint64_t day = 1; day < 500 * 366; day++) {
		check_against_the_system(day * 86400 - 1);
		check_against_the_system(day * 86400);
	}
	/* The rest in steps that fall on every time of day. */
	for (uint64_t time = 0; time <= TIME_MAX; time += 8640013)
		check_against_the_system(time);
}

static void a_later_time_is_shown_as_the_last(void **state)
{
	struct civil_time civil;

	civil_from_time(UINT64_MAX, &civil);
	assert_int_equal(civil.year, 9999);
	assert_int_equal(civil.month, 12);
	assert_int_equal(civil.day, 31);
	assert_int_equal(civil.second, 59);
}

static enum error from_civil(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
			     unsigned second)
{
	const struct civil_time civil = {year, month, day, hour, minute, second};
	uint64_t time;

	return time_from_civil(&civil, &time);
}

static void days_that_do_not_exist_are_refused(void **state)
{
	assert_int_equal(from_civil(2024, 2, 29, 0, 0, 0), ERROR_OK);
	assert_int_equal(from_civil(2026, 2, 29, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2000, 2, 29, 0, 0, 0), ERROR_OK);
	assert_int_equal(from_civil(2100, 2, 29, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 4, 31, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 0, 1, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 13, 1, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 1, 0, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 1, 1, 24, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 1, 1, 0, 60, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(2026, 1, 1, 0, 0, 60), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(1969, 12, 31, 0, 0, 0), ERROR_OUT_OF_RANGE);
	assert_int_equal(from_civil(10000, 1, 1, 0, 0, 0), ERROR_OUT_OF_RANGE);
}

/* ---- date-time groups ---- */

static void a_date_time_group_is_day_time_month_year(void **state)
{
	assert_string_equal(group(1795320300), "220405Z NOV 26");
	assert_string_equal(group(0), "010000Z JAN 70");
	assert_string_equal(group(951825540), "291159Z FEB 00");
	assert_string_equal(group(TIME_MAX), "312359Z DEC 99");
	assert_int_equal(buffer.size, DATE_TIME_GROUP_SIZE);
}

static enum error parse_group(const char *typed, uint64_t *time)
{
	return date_time_group_parse(bytes_of_text(typed), time);
}

static void a_date_time_group_is_read_as_people_type_it(void **state)
{
	uint64_t time = 0;

	assert_int_equal(parse_group("220405Z NOV 26", &time), ERROR_OK);
	assert_int_equal(time, 1795320300);
	assert_int_equal(parse_group("220405znov26", &time), ERROR_OK);
	assert_int_equal(time, 1795320300);
	assert_int_equal(parse_group(" 220405Z Nov 26 ", &time), ERROR_OK);
	assert_int_equal(time, 1795320300);
	assert_int_equal(parse_group("310405Z NOV 26", &time), ERROR_OUT_OF_RANGE);
	assert_int_equal(parse_group("222405Z NOV 26", &time), ERROR_OUT_OF_RANGE);
	assert_int_equal(parse_group("220405 NOV 26", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("220405A NOV 26", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("220405Z NOX 26", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("220405Z NOV 2026", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("220405Z NOV", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("220405Z  NOV 26", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("22040", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse_group("", &time), ERROR_BAD_ARGUMENT);
	assert_int_equal(time, 0);
}

/* ---- references ---- */

static void a_reference_names_post_number_and_year(void **state)
{
	assert_string_equal(reference("Embassy", 1, 41, 1795320300), "EMBASSY 0042/26");
	assert_string_equal(reference("Embassy", 2, 0, 1795320300), "EMBASSY.2 0001/26");
	assert_string_equal(reference("Liaison mission", 1, 9998, 0), "LIAISON MISSION 9999/70");
	assert_string_equal(reference("Embassy", 1, 9999, 0), "EMBASSY 10000/70");
	assert_string_equal(reference("Посольство", 1, 0, 0), "Посольство 0001/70");
	assert_string_equal(reference("Embassy", INCARNATIONS_MAX, POSITION_MAX, 0),
			    "EMBASSY.65535 4294967296/70");
}

static void the_year_of_a_reference_is_that_of_utc(void **state)
{
	assert_string_equal(reference("e", 1, 0, 1798761599), "E 0001/26");
	assert_string_equal(reference("e", 1, 0, 1798761600), "E 0001/27");
}

static void a_name_that_would_deceive_is_made_visible(void **state)
{
	assert_string_equal(reference("a\xe2\x80\xae"
				      "b",
				      1, 0, 0),
			    "A<U+202E>B 0001/70");
}

static void the_longest_reference_fits_its_bound(void **state)
{
	char name[NAME_SIZE_MAX + 1];

	memset(name, 'x', NAME_SIZE_MAX);
	name[NAME_SIZE_MAX] = '\0';
	reference(name, INCARNATIONS_MAX, POSITION_MAX, TIME_MAX);
	assert_true(buffer.size <= REFERENCE_SIZE_MAX);
}

static struct reference parsed;

static enum error parse(const char *typed)
{
	return reference_parse(bytes_of_text(typed), &parsed);
}

static void check_parsed(const char *typed, const char *post, uint64_t incarnation, uint64_t position)
{
	assert_int_equal(parse(typed), ERROR_OK);
	assert_true(bytes_equal(parsed.post_name, bytes_of_text(post)));
	assert_int_equal(parsed.incarnation, incarnation);
	assert_int_equal(parsed.position, position);
}

static void a_reference_is_read_as_people_type_it(void **state)
{
	check_parsed("EMBASSY 0042/26", "EMBASSY", 1, 41);
	assert_true(parsed.has_year);
	assert_int_equal(parsed.year, 26);
	check_parsed("embassy 42", "embassy", 1, 41);
	assert_false(parsed.has_year);
	check_parsed("  Embassy.2   1/26 ", "Embassy", 2, 0);
	check_parsed("LIAISON MISSION 0007/26", "LIAISON MISSION", 1, 6);
	check_parsed("Post 7 0003/26", "Post 7", 1, 2);
	check_parsed("St. Petersburg.3 1/26", "St. Petersburg", 3, 0);
	check_parsed("Annex.1 1/26", "Annex.1", 1, 0); /* incarnation 1 is never written */
	check_parsed("Annex.70000 1/26", "Annex.70000", 1, 0);
	check_parsed("E 4294967296/26", "E", 1, POSITION_MAX);
}

static void what_is_no_reference_is_refused(void **state)
{
	assert_int_equal(parse(""), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("EMBASSY"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("EMBASSY 0/26"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("EMBASSY 42/2026"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("EMBASSY 42/"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("EMBASSY42"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("0042/26"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse(" 0042/26"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("E 4294967297/26"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("E 99999999999999999999/26"), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse("0123456789012345678901234567890123456789012345678901234567890123x 1/26"),
			 ERROR_BAD_ARGUMENT);
}

static void names_match_whatever_their_case(void **state)
{
	assert_true(reference_name_matches(bytes_of_text("EMBASSY"), bytes_of_text("Embassy")));
	assert_false(reference_name_matches(bytes_of_text("EMBASS"), bytes_of_text("Embassy")));
	assert_false(reference_name_matches(bytes_of_text("EMBASSX"), bytes_of_text("Embassy")));
	assert_true(reference_name_matches(bytes_of_text("Посольство"), bytes_of_text("Посольство")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_calendar_is_that_of_the_system),
		cmocka_unit_test(a_later_time_is_shown_as_the_last),
		cmocka_unit_test(days_that_do_not_exist_are_refused),
		cmocka_unit_test(a_date_time_group_is_day_time_month_year),
		cmocka_unit_test(a_date_time_group_is_read_as_people_type_it),
		cmocka_unit_test(a_reference_names_post_number_and_year),
		cmocka_unit_test(the_year_of_a_reference_is_that_of_utc),
		cmocka_unit_test(a_name_that_would_deceive_is_made_visible),
		cmocka_unit_test(the_longest_reference_fits_its_bound),
		cmocka_unit_test(a_reference_is_read_as_people_type_it),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(names_match_whatever_their_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
