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
	char name[REFERENCE_NAME_SIZE_MAX + 1];

	memset(name, 'x', REFERENCE_NAME_SIZE_MAX);
	name[REFERENCE_NAME_SIZE_MAX] = '\0';
	reference(name, INCARNATIONS_MAX, POSITION_MAX, TIME_MAX);
	assert_true(buffer.size <= REFERENCE_SIZE_MAX);
}

/* ---- what stands for a log on its channel ---- */

struct named_log {
	uint64_t log;
	const char *party;
	const char *post;
	uint8_t id[2]; /* its bytes: the first four, and the others */
};

static struct reference_log log_of(const struct named_log *named)
{
	struct reference_log log = {
		.log = named->log,
		.post_name = bytes_of_text(named->post),
		.party_name = bytes_of_text(named->party),
	};

	memset(log.party_id, named->id[1], sizeof(log.party_id));
	memset(log.party_id, named->id[0], REFERENCE_ID_DIGITS_MIN / 2);
	return log;
}

/* The reference of the first entry of logs[at], of which `text` holds the words. */
static const char *chosen(const struct named_log *logs, size_t count, size_t at, uint64_t incarnation)
{
	char name_text[REFERENCE_NAME_SIZE_MAX];
	struct buffer name = buffer_make(name_text, sizeof(name_text));
	struct reference_log of = log_of(&logs[at]);
	struct reference_choice choice;

	reference_choice_begin(&choice, &of);
	for (size_t i = 0; i < count; i++) {
		struct reference_log other = log_of(&logs[i]);
		/* What need not be asked for changes nothing. */
		if (i != at && (!reference_form_fits(&of, REFERENCE_BY_POST) ||
				reference_names_meet(of.post_name, other.post_name)))
			reference_choice_beside(&choice, &other);
	}
	reference_choice_append(&name, &choice);
	buffer = buffer_make(text, sizeof(text) - 1);
	reference_append(&buffer, buffer_bytes(&name), incarnation, 0, 1795320300);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	text[buffer.size] = '\0';
	return text;
}

/* Nobody sees what stands in the second and third name beside the first. */
static void names_that_look_alike_are_one_name(void **state)
{
	static const struct named_log logs[] = {{0, "Alliance", "New Post", {1, 2}},
						{64, "Duchy", "new\xc2\xa0post", {3, 4}},
						{128, "East", "NewPo\xe2\x80\x8dst\xef\xb8\x8f", {5, 6}}};
	struct reference_log duchy = log_of(&logs[1]);

	assert_string_equal(chosen(logs, 3, 0, 1), "ALLIANCE/NEW POST 0001/26");
	assert_string_equal(chosen(logs, 3, 1, 1), "DUCHY/NEW\xc2\xa0POST 0001/26");
	assert_string_equal(chosen(logs, 3, 2, 1), "EAST/NEWPO\xe2\x80\x8dST\xef\xb8\x8f 0001/26");
	assert_true(reference_name_means(bytes_of_text("d\xef\xb8\x8fuchy/ newpost"), &duchy));
	assert_false(reference_name_means(bytes_of_text("alliance/new post"), &duchy));
	assert_true(reference_names_meet(bytes_of_text("a b\xe2\x80\x8d"), bytes_of_text("xA\xc2\xa0" "b")));
	assert_false(reference_names_meet(bytes_of_text("b a"), bytes_of_text("b c")));
}

static void a_name_that_two_posts_bear_is_told_apart_by_the_party(void **state)
{
	static const struct named_log logs[] = {{0, "Alliance", "Embassy", {1, 2}},
						{64, "Duchy", "EMBASSY", {3, 4}},
						{128, "East", "Capital", {5, 6}}};

	assert_string_equal(chosen(logs, 3, 0, 1), "ALLIANCE/EMBASSY 0001/26");
	assert_string_equal(chosen(logs, 3, 1, 2), "DUCHY/EMBASSY.2 0001/26");
	assert_string_equal(chosen(logs, 3, 2, 1), "CAPITAL 0001/26");
}

static void parties_of_one_name_are_told_apart_by_their_ids(void **state)
{
	static const struct named_log logs[] = {{0, "Duchy", "Embassy", {0x1f, 2}},
						{64, "DUCHY", "embassy", {0xa0, 4}}};
	static const struct named_log same[] = {{0, "Duchy", "Embassy", {0x1f, 2}},
						{64, "Duchy", "Embassy", {0x1f, 4}}};

	assert_string_equal(chosen(logs, 2, 0, 1), "1F1F1F1F/EMBASSY 0001/26");
	assert_string_equal(chosen(logs, 2, 1, 1), "A0A0A0A0/EMBASSY 0001/26");
	/* The first digits of an id can be had by trying. */
	assert_string_equal(chosen(same, 2, 0, 1), "LOG 0 0001/26");
	assert_string_equal(chosen(same, 2, 1, 2), "LOG 64.2 0001/26");
}

static void what_is_printed_means_one_log_whatever_names_are_chosen(void **state)
{
	static const struct named_log logs[] = {
		{0, "Alliance", "Embassy", {1, 1}},
		{1, "Alliance", "Embassy", {1, 1}}, /* by no command of ours */
		{64, "Duchy", "Alliance/Embassy", {2, 2}},
		{128, "Duchy", "Embassy", {3, 3}},
		{192, "03030303", "Embassy", {4, 4}},
		{256, "A", "Embassy.2", {5, 5}},
		{320, "B", "Log 0", {6, 6}},
		{384, "Log 128", "Log 384", {7, 7}},
		{448, "C", "Capital ", {8, 8}},
		{512, "D", "Capital", {9, 9}},
		{576, "E", " Capital", {10, 10}},
		{640, "F", "Capital 0001/26", {11, 11}},
		{704, "G/H", "I", {12, 12}},
		{768, "G", "H/I", {13, 13}},
		{832, "", "I", {14, 14}},
		{896, "J", "/", {15, 15}},
	};
	static const size_t count = sizeof(logs) / sizeof(logs[0]);

	for (size_t at = 0; at < count; at++) {
		for (uint64_t incarnation = 1; incarnation <= 2; incarnation++) {
			struct reference read;
			chosen(logs, count, at, incarnation);
			assert_int_equal(reference_parse(bytes_of_text(text), &read), ERROR_OK);
			assert_int_equal(read.incarnation, incarnation);
			for (size_t i = 0; i < count; i++) {
				struct reference_log log = log_of(&logs[i]);
				assert_int_equal(reference_name_means(read.post_name, &log), i == at);
			}
		}
	}
}

static bool means(const char *typed, const struct named_log *named)
{
	struct reference_log log = log_of(named);

	return reference_name_means(bytes_of_text(typed), &log);
}

static void a_log_is_meant_by_each_form_and_by_no_other(void **state)
{
	static const struct named_log log = {65, "Duchy", "Embassy", {0x1f, 0xab}};
	static const char *const forms[] = {
		"embassy", "DUCHY/embassy", "1f1F1f1f/Embassy", "1f1f1f1fababa/Embassy", "log 65", "LOG 65"};
	static const char *const others[] = {"",
					     "mbassy",
					     "/Embassy",
					     "uchy/Embassy",
					     "Duchy.Embassy",
					     "1f1f1f1/Embassy",
					     "1f1f1f1fb/Embassy",
					     "1f1f1f1g/Embassy",
					     "log 64",
					     "log 065x",
					     "log ",
					     "log 99965",
					     "Duchy/Embass",
					     "Duchy/Duchy/Embassy"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		assert_true(means(forms[i], &log));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(means(others[i], &log));
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
}

static void a_name_longer_than_any_is_refused(void **state)
{
	char typed[REFERENCE_NAME_SIZE_MAX + sizeof("x 1/26")];

	memset(typed, 'x', sizeof(typed));
	memcpy(typed + sizeof(typed) - sizeof(" 1/26"), " 1/26", sizeof(" 1/26"));
	assert_int_equal(parse(typed), ERROR_BAD_ARGUMENT);
	assert_int_equal(parse(typed + 1), ERROR_OK);
	assert_int_equal(parsed.post_name.size, REFERENCE_NAME_SIZE_MAX);
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
		cmocka_unit_test(names_that_look_alike_are_one_name),
		cmocka_unit_test(a_name_that_two_posts_bear_is_told_apart_by_the_party),
		cmocka_unit_test(parties_of_one_name_are_told_apart_by_their_ids),
		cmocka_unit_test(what_is_printed_means_one_log_whatever_names_are_chosen),
		cmocka_unit_test(a_log_is_meant_by_each_form_and_by_no_other),
		cmocka_unit_test(a_reference_is_read_as_people_type_it),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(a_name_longer_than_any_is_refused),
		cmocka_unit_test(names_match_whatever_their_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
