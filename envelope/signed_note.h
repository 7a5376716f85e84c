/*
 * Signed notes (C2SP signed-note, v1.0.0): a text, and signature lines under it.
 *
 *	text, one or more lines, each ended by LF
 *	(an empty line)
 *	U+2014, space, key name, space, base64(4 bytes of key id || signature), LF
 *	... more such lines
 *
 * The reader is strict and takes a note whole or not at all. It checks form only: whoever opens a note finds
 * the lines of the keys known here and verifies them; lines of other keys mean nothing and are read past.
 */
#ifndef ENVELOPE_SIGNED_NOTE_H
#define ENVELOPE_SIGNED_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "envelope/codepoints.h"
#include "envelope/ed25519.h"

#define SIGNED_NOTE_KEY_ID_SIZE 4

/* Bytes of the longest signature that we write or look for: a dated one. */
#define SIGNED_NOTE_SIGNATURE_SIZE_MAX 72

enum signed_note_type {
	/* 64 bytes, over the text */
	SIGNED_NOTE_ED25519 = NOTE_SIGNATURE_ED25519,
	/* 8 bytes of time and 64 bytes, as C2SP tlog-cosignature says */
	SIGNED_NOTE_COSIGNATURE = NOTE_SIGNATURE_COSIGNATURE,
};

/* Views into the note that was parsed. */
struct signed_note {
	struct bytes text;  /* with its last LF, without the empty line */
	struct bytes lines; /* the signature lines */
	size_t count;       /* of lines: 1 to SIGNED_NOTE_LINES_MAX */
};

struct signed_note_line {
	struct bytes name;
	struct bytes base64; /* of the key id and the signature: strict, and at least 5 bytes when decoded */
	uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE];
};

/* SHA-256(name || LF || type || key), first 4 bytes. */
void signed_note_key_id(struct bytes name, enum signed_note_type type, const uint8_t key[ED25519_KEY_SIZE],
			uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE]);

/*
 * True if this may be a key's name: valid UTF-8, 1 byte at least, without "+", Unicode spaces and controls.
 */
bool signed_note_name_is_valid(struct bytes name);

/*
 * Takes a note apart. ERROR_TOO_LARGE above SIGNED_NOTE_SIZE_MAX bytes or SIGNED_NOTE_LINES_MAX lines;
 * ERROR_NOT_TEXT if it is not UTF-8 or holds controls below U+0020 other than LF; ERROR_MALFORMED for
 * anything else, such as an end without LF, no signature line, a line of another form, base64 that is not
 * exactly that of RFC 4648, section 4, with padding and without bits left over. On error *note is empty.
 */
enum error signed_note_parse(struct bytes bytes, struct signed_note *note);

/* Takes the next line off *lines, which starts as the lines of a parsed note; false when none is left. */
bool signed_note_next(struct bytes *lines, struct signed_note_line *line);

/*
 * True if no two lines bear one name. C2SP lets one name sign twice, with different keys; our policy does
 * not, because tools differ in which of the two they look at.
 */
bool signed_note_names_differ(const struct signed_note *note);

/*
 * Finds the line of this name and key id and writes its signature, which must have exactly `size` bytes
 * (at most SIGNED_NOTE_SIGNATURE_SIZE_MAX), to `signature`. ERROR_NOT_FOUND if there is none; ERROR_MALFORMED
 * if there are two, or if it has another size; *signature is then zero.
 */
enum error signed_note_find(const struct signed_note *note, struct bytes name,
			    const uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], uint8_t *signature, size_t size);

/*
 * Writing: the text, ended by LF (the caller vouches), and the empty line; then a line for each signature, of
 * at most SIGNED_NOTE_SIGNATURE_SIZE_MAX bytes. The caller vouches for valid names.
 */
void signed_note_write_text(struct buffer *buffer, struct bytes text);
void signed_note_write_line(struct buffer *buffer, struct bytes name,
			    const uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], struct bytes signature);

#endif
