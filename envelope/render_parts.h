/*
 * What rendering is put together from. Internal to envelope/render*.c.
 */
#ifndef ENVELOPE_RENDER_PARTS_H
#define ENVELOPE_RENDER_PARTS_H

#include "envelope/render_line.h"

/* One numbered line: our words, then one thing. Words end in a space. */
void render_sentence(struct render_line *line, const char *words);
void render_sentence_number(struct render_line *line, const char *words, uint64_t number, const char *after);
void render_sentence_foreign(struct render_line *line, const char *words, struct bytes text);
void render_sentence_hex(struct render_line *line, const char *words, const uint8_t *data);

/* A name, or the hex digits of what it names if there is none; or both, see line->with_digits. */
void render_named(struct render_line *line, const uint8_t *data, struct bytes name);

/* An entry by its reference, as render_named. */
void render_identity(struct render_line *line, const struct render_names *names,
		     const uint8_t identity[IDENTITY_SIZE]);

/* A party by its roster index, as render_named. */
void render_party(struct render_line *line, const struct render_names *names, uint64_t roster_index);

/* The sentences of a letter. */
void render_letter(struct render_line *line, const struct render_names *names, const struct letter *letter);

#endif
