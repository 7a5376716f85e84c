/*
 * Message references and date-time groups (doc/PROTOCOL.md, section 1): how people name an entry and a time.
 * All times are UTC.
 */
#ifndef ENVELOPE_REFERENCE_H
#define ENVELOPE_REFERENCE_H

#include "envelope/party.h"

/* A day of the proleptic Gregorian calendar and a time in it. */
struct civil_time {
	unsigned year;  /* 1970 to 9999 */
	unsigned month; /* 1 to 12 */
	unsigned day;   /* 1 to 31 */
	unsigned hour;
	unsigned minute;
	unsigned second;
};

/* time is Unix time, at most TIME_MAX (a later one is shown as TIME_MAX). */
void civil_from_time(uint64_t time, struct civil_time *civil);
/* The inverse. ERROR_OUT_OF_RANGE for a day, hour, ... that does not exist. */
enum error time_from_civil(const struct civil_time *civil, uint64_t *time);

#define DATE_TIME_GROUP_SIZE 14 /* "220405Z NOV 26" */

/* Appends "DDHHMMZ MON YY". */
void date_time_group_append(struct buffer *buffer, uint64_t time);

/*
 * Reads "DDHHMMZ MON YY", the month in any case, with or without its spaces, the year as 2000 to 2099; the
 * second is 0. ERROR_BAD_ARGUMENT if it is not of this form, ERROR_OUT_OF_RANGE if there is no such day or
 * minute.
 */
enum error date_time_group_parse(struct bytes text, uint64_t *time);

/* Enough for any post's name that letter_check passes, an incarnation, a number and a year. */
#define REFERENCE_SIZE_MAX (NAME_SIZE_MAX + 24)

/*
 * Appends the reference of an entry: "EMBASSY 0042/26", or "EMBASSY.2 0001/26" in incarnation 2. Small
 * letters a to z of the name become capitals; others stay, shown through text_append_visible.
 */
void reference_append(struct buffer *buffer, struct bytes post_name, uint64_t incarnation, uint64_t position,
		      uint64_t time);

/* Appends the name of a log alone: "EMBASSY", or "EMBASSY.2". */
void reference_log_append(struct buffer *buffer, struct bytes post_name, uint64_t incarnation);

struct reference {
	struct bytes post_name; /* as typed: compare with reference_name_matches */
	uint64_t incarnation;   /* 1 where none is given */
	uint64_t position;
	bool has_year;
	unsigned year; /* two digits */
};

/*
 * Reads a reference as typed by a person: "embassy 42", "EMBASSY 0042/26", "Embassy.2 1/26".
 * ERROR_BAD_ARGUMENT otherwise.
 */
enum error reference_parse(struct bytes text, struct reference *reference);

/*
 * True if the name, in capitals as reference_append shows it, is the one typed, whatever the case of a to
 * z.
 */
bool reference_name_matches(struct bytes typed, struct bytes post_name);

#endif
