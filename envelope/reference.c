#include "envelope/reference.h"

#include "base/text.h"

#define DAY_S    86400
#define YEAR_MIN 1970
#define YEAR_MAX 9999

static const char month_names[12][4] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
					"JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};

/* ---- the calendar ---- */

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const unsigned char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Leap years from year 1 to `year`. */
static unsigned leap_years(unsigned year)
{
	return year / 4 - year / 100 + year / 400;
}

/* Days from 1 January 1970 to 1 January of `year`. */
static unsigned days_before_year(unsigned year)
{
	return (year - YEAR_MIN) * 365 + leap_years(year - 1) - leap_years(YEAR_MIN - 1);
}

void civil_from_time(uint64_t time, struct civil_time *civil)
{
	unsigned days, seconds;

	if (time > TIME_MAX)
		time = TIME_MAX;
	days = (unsigned)(time / DAY_S);
	seconds = (unsigned)(time % DAY_S);
	/* A year is at most 366 days, so this is never too late a year; the step makes it the right one. */
	civil->year = YEAR_MIN + days / 366;
	while (civil->year < YEAR_MAX && days_before_year(civil->year + 1) <= days)
		civil->year++;
	days -= days_before_year(civil->year);
	civil->month = 1;
	while (days >= month_days(civil->year, civil->month))
		days -= month_days(civil->year, civil->month++);
	civil->day = days + 1;
	civil->hour = seconds / 3600;
	civil->minute = seconds / 60 % 60;
	civil->second = seconds % 60;
}

enum error time_from_civil(const struct civil_time *civil, uint64_t *time)
{
	uint64_t days;

	*time = 0;
	if (civil->year < YEAR_MIN || civil->year > YEAR_MAX || civil->month < 1 || civil->month > 12)
		return ERROR_OUT_OF_RANGE;
	if (civil->day < 1 || civil->day > month_days(civil->year, civil->month) || civil->hour > 23 ||
	    civil->minute > 59 || civil->second > 59)
		return ERROR_OUT_OF_RANGE;
	days = days_before_year(civil->year) + civil->day - 1;
	for (unsigned month = 1; month < civil->month; month++)
		days += month_days(civil->year, month);
	*time = days * DAY_S + civil->hour * 3600 + civil->minute * 60 + civil->second;
	return ERROR_OK;
}

/* ---- writing ---- */

/* Appends a number in at least `digits` digits. */
static void append_number(struct buffer *buffer, uint64_t number, size_t digits)
{
	uint8_t text[20];
	size_t at = sizeof(text);

	while (number != 0 || digits > 0) {
		text[--at] = (uint8_t)('0' + number % 10);
		number /= 10;
		if (digits > 0)
			digits--;
	}
	buffer_append(buffer, bytes_make(text + at, sizeof(text) - at));
}

void date_time_group_append(struct buffer *buffer, uint64_t time)
{
	struct civil_time civil;

	civil_from_time(time, &civil);
	append_number(buffer, civil.day, 2);
	append_number(buffer, civil.hour, 2);
	append_number(buffer, civil.minute, 2);
	buffer_append(buffer, bytes_of_text("Z "));
	buffer_append(buffer, bytes_make(month_names[civil.month - 1], 3));
	buffer_append_byte(buffer, ' ');
	append_number(buffer, civil.year % 100, 2);
}

static uint8_t to_capital(uint8_t byte)
{
	return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
}

/* Appends a name in capitals, made visible. It is at most REFERENCE_NAME_SIZE_MAX bytes; more is cut off. */
static void append_name(struct buffer *buffer, struct bytes name)
{
	uint8_t capitals[REFERENCE_NAME_SIZE_MAX];
	size_t size = name.size < sizeof(capitals) ? name.size : sizeof(capitals);

	for (size_t i = 0; i < size; i++)
		capitals[i] = to_capital(name.data[i]);
	text_append_visible(buffer, bytes_make(capitals, size));
}

void reference_log_append(struct buffer *buffer, struct bytes name, uint64_t incarnation)
{
	append_name(buffer, name);
	if (incarnation > 1) {
		buffer_append_byte(buffer, '.');
		append_number(buffer, incarnation, 1);
	}
}

void reference_append(struct buffer *buffer, struct bytes name, uint64_t incarnation, uint64_t position,
		      uint64_t time)
{
	struct civil_time civil;

	civil_from_time(time, &civil);
	reference_log_append(buffer, name, incarnation);
	buffer_append_byte(buffer, ' ');
	append_number(buffer, position + 1, 4);
	buffer_append_byte(buffer, '/');
	append_number(buffer, civil.year % 100, 2);
}
