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

/* Enough for the names of any party and post that letter_check passes, and what stands between them. */
#define REFERENCE_NAME_SIZE_MAX (2 * NAME_SIZE_MAX + 1)
/* And for an incarnation, a number and a year. */
#define REFERENCE_SIZE_MAX (REFERENCE_NAME_SIZE_MAX + 24)

/*
 * Appends the reference of an entry: "EMBASSY 0042/26", or "EMBASSY.2 0001/26" in incarnation 2. `name` is
 * what stands for the log on its channel (reference_choice_append). Small letters a to z of it become
 * capitals; others stay, shown through text_append_visible.
 */
void reference_append(struct buffer *buffer, struct bytes name, uint64_t incarnation, uint64_t position,
		      uint64_t time);

/* Appends the name of a log alone: "EMBASSY", or "EMBASSY.2". */
void reference_log_append(struct buffer *buffer, struct bytes name, uint64_t incarnation);

/* ---- what stands for a log on its channel ---- */

/*
 * A post's name, unless another post of the channel bears it too, or it would not be read again; then the
 * first of the longer forms that means this log alone. The last always does, so whatever names the other
 * side chooses, every entry can be named.
 */
enum reference_form {
	REFERENCE_BY_POST,  /* "EMBASSY" */
	REFERENCE_BY_PARTY, /* "ALLIANCE/EMBASSY" */
	REFERENCE_BY_ID,    /* "1F3A9C04/EMBASSY": the first digits of the party's id */
	REFERENCE_BY_LOG,   /* "LOG 65": the log number (doc/PROTOCOL.md, section 1) */
	REFERENCE_FORMS,
};
#define REFERENCE_ID_DIGITS_MIN 8 /* so many are written; more are read */

/* True if these are hexadecimal digits, in any case and at least so many, with which the id begins. */
bool reference_id_begins(struct bytes typed, const uint8_t id[PARTY_ID_SIZE]);

struct reference_log {
	uint64_t log;
	struct bytes post_name;
	struct bytes party_name;
	uint8_t party_id[PARTY_ID_SIZE];
};

/* Appends the name in that form, as reference_append takes it. */
void reference_name_append(struct buffer *buffer, const struct reference_log *log, enum reference_form form);
/* True if the name, as reference_parse gives it, can mean this log: in any form, in any case of a to z. */
bool reference_name_means(struct bytes typed, const struct reference_log *log);
/* True if a name in that form is read again, and means the log. */
bool reference_form_fits(const struct reference_log *log, enum reference_form form);
/*
 * False where posts of these names cannot be taken for each other in any form but REFERENCE_BY_LOG: a quick
 * look before more of the other is asked for.
 */
bool reference_names_meet(struct bytes name, struct bytes other);

/* Chooses the form: _begin, then _beside with each other log of the channel, in any order. */
struct reference_choice {
	struct reference_log of;
	bool fits[REFERENCE_FORMS];
};
void reference_choice_begin(struct reference_choice *choice, const struct reference_log *log);
void reference_choice_beside(struct reference_choice *choice, const struct reference_log *other);
void reference_choice_append(struct buffer *buffer, const struct reference_choice *choice);

/* ---- reading ---- */

struct reference {
	struct bytes post_name; /* what stands for the log, as typed: see reference_name_means */
	uint64_t incarnation;   /* 1 where none is given */
	uint64_t position;
	bool has_year;
	unsigned year; /* two digits */
};

/*
 * Reads a reference as typed by a person: "embassy 42", "EMBASSY 0042/26", "Alliance/Embassy.2 1/26".
 * ERROR_BAD_ARGUMENT otherwise.
 */
enum error reference_parse(struct bytes text, struct reference *reference);

/*
 * True if the name, in capitals as reference_append shows it, is the one typed, whatever the case of a to z,
 * and whatever stands in either that is not to be seen (text_blank_size): spaces, joiners and the like.
 */
bool reference_name_matches(struct bytes typed, struct bytes name);
/* Appends what of the name is to be seen. */
void reference_name_append_seen(struct buffer *buffer, struct bytes name);

#endif
