/*
 * What commands print: JSON values, hexadecimal, fingerprints, times, precedence.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include <jansson.h>

#include "cli/command.h"
#include "envelope/fingerprint.h"
#include "envelope/party.h"
#include "envelope/reference.h"

#define FINGERPRINT_TEXT_SIZE (FINGERPRINT_TEXT_SIZE_MAX + 1)

/*
 * Prints one JSON value and a line end, and frees it. Returns 0, or 1 if there is no memory (NULL); whether
 * it could be written is seen at the end of the command.
 */
int output_json(const struct call *call, json_t *value);

/* Lowercase hexadecimal with a final NUL: `text` has room for 2 * bytes.size + 1. */
void output_hex(struct bytes bytes, char *text);
/* The same as a JSON string. */
json_t *output_json_hex(struct bytes bytes);
/* A JSON string of text from outside, made visible (base/text.h) where it is not plain. */
json_t *output_json_text(struct bytes text);
/* The columns of the terminal that a stream goes to (80 where it does not say); 0: it goes to none. */
size_t output_columns(FILE *stream);
/* Prints text from outside, made visible: on standard output, or on a stream. */
void output_text(struct bytes text);
void output_text_on(FILE *stream, struct bytes text);
/*
 * Prints one line of text, made visible, and its end. What is too wide for a terminal goes on, between words,
 * in lines that `indent` spaces begin.
 */
void output_line(struct bytes text, size_t indent);
/* Prints lines, each with its end, as output_line does: what goes on is indented by 4 more than its line. */
void output_lines(struct bytes text);

/* The words to read over a telephone, six lines of four, with a final NUL. */
void output_fingerprint(const uint8_t party_id[PARTY_ID_SIZE], char text[FINGERPRINT_TEXT_SIZE]);

/* "220405Z NOV 26" with a final NUL. */
void output_time(uint64_t time, char text[DATE_TIME_GROUP_SIZE + 1]);

/* routine, priority, immediate, flash, in any case, or the first letter. False after an error message. */
bool output_precedence_parse(const struct call *call, const char *text, uint64_t *precedence);

#endif
