/*
 * Text that people will read: what may be signed and shown (shared threat 22), counting of words.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* True if `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF). */
bool text_is_utf8(struct bytes text);

/*
 * True if `text` may be signed and shown: valid UTF-8 without C0 controls other than LF and TAB, without DEL
 * and C1 controls, without bidirectional controls (U+061C, U+200E, U+200F, U+202A-U+202E, U+2066-U+2069),
 * without line and paragraph separators (U+2028, U+2029), other invisible characters (U+00AD, U+034F,
 * U+115F, U+1160, U+17B4, U+17B5, U+180E, U+200B, U+2060-U+206F, U+3164, U+FEFF, U+FFA0, U+FFF0-U+FFFB,
 * U+13430-U+1343F, U+16FE4, U+1BCA0-U+1BCA3, U+1D173-U+1D17A, U+E0000-U+E00FF, U+E01F0-U+E0FFF) and
 * noncharacters. Joiners (U+200C, U+200D) and variation selectors (U+180B-U+180D, U+180F, U+FE00-U+FE0F,
 * U+E0100-U+E01EF) pass: some scripts and signs need them.
 */
bool text_is_plain(struct bytes text);

/* The size of what stands before the first character, or invalid byte, for which text_is_plain is false. */
size_t text_plain_size(struct bytes text);

/* As text_is_plain, and on one line: no LF, no TAB. For names and subjects. */
bool text_is_plain_line(struct bytes text);

/*
 * The size of what stands before the first character that is to be seen: spaces, and what text_is_plain lets
 * pass though it is invisible. All of it: nothing is to be seen.
 */
size_t text_blank_size(struct bytes text);

/* The number of words: runs of characters that are not space, TAB or LF. */
size_t text_count_words(struct bytes text);

/*
 * Appends `text` to `buffer` so that nothing in it can move the cursor or reverse the line: whatever
 * text_is_plain refuses is shown as <U+XXXX>, and each invalid byte as <XX>. LF and TAB pass.
 */
void text_append_visible(struct buffer *buffer, struct bytes text);

#endif
