/*
 * Lines of rendered text. Internal to envelope/render*.c.
 *
 * A terminal breaks a line that is too wide wherever it happens to end, and what follows then stands where
 * headings stand. So nothing here is wider than RENDER_COLUMNS: words that do not fit go to a line of their
 * own, which starts with an indent or a margin that no heading has. Characters from U+1100 on count for two
 * columns, so some lines end early and none late.
 */
#ifndef ENVELOPE_RENDER_LINE_H
#define ENVELOPE_RENDER_LINE_H

#include "envelope/render.h"

#define RENDER_COLUMNS 76

struct render_line {
	struct buffer *buffer;
	const char *margin; /* what a continued line starts with: ASCII, short */
	size_t column;      /* of the next character, from 0 */
	bool in_word;
	uint64_t number; /* of the next numbered line, from 1 */
	bool with_digits;    /* parties and entries are shown with hex digits even if they have a name */
};

struct render_line render_line_make(struct buffer *buffer);

/* Starts a heading: "LABEL: ". */
void render_heading(struct render_line *line, const char *label);
/* Starts a numbered line: " 1. ". */
void render_numbered(struct render_line *line);
void render_end(struct render_line *line);

/* Our own words: ASCII without control characters. They wrap as everything does. */
void render_words(struct render_line *line, const char *words);
void render_number(struct render_line *line, uint64_t number);
/*
 * Text from outside, on one line: whatever text_append_visible would change, LF and TAB are shown as
 * <U+XXXX>.
 */
void render_foreign(struct render_line *line, struct bytes text);
/* All hex digits of a key or hash, RENDER_HEX_SIZE_MAX bytes; and of so many bytes at most. */
#define RENDER_HEX_SIZE_MAX 32
void render_hex(struct render_line *line, const uint8_t *data);
void render_hex_whole(struct render_line *line, const uint8_t *data, size_t size);

/* A text of lines from outside, each line numbered. */
void render_numbered_text(struct render_line *line, struct bytes text);
/* A text of lines from outside, under a heading of its own, each line after a bar. */
void render_quoted_text(struct render_line *line, const char *label, struct bytes text);

#endif
