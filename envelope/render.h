/*
 * What a person sees of signed content: before signing it, and whenever it is shown.
 *
 * The text is made from the exact payload bytes that are, or will be, signed, and from names that the
 * caller looked up; nothing else. It is the same for the same input. Every text from outside passes
 * text_append_visible, so that nothing in it can move the cursor or turn the line, and no line is wider
 * than 76 columns, so that no terminal breaks it: what stands in the first column is ours. Lines of text
 * carry numbers; a line without number that starts with four spaces continues the one above it. A text of n
 * line feeds has n + 1 lines.
 *
 *     PRECEDENCE: FLASH
 *     CHANNEL: The emergency line
 *     FROM: FEDERATION
 *     POST: EMBASSY
 *     SIGNER: OFFICER 1, A. PETROV
 *     TO: ALLIANCE
 *     SUBJECT: The exercise of 23 November
 *     DTG: 220405Z NOV 26
 *     ACK BY: 220435Z NOV 26
 *     REFERENCES: HEADQUARTERS 0041/26
 *
 *      1. first line of the text
 *      2. second line
 *     EMBASSY 0042/26
 *
 * Letters and what posts say are rendered as numbered sentences of ours; what they name stands at the end
 * of its sentence, keys and hashes with all hex digits; reasons and conditions stand behind bars.
 * Nothing that a letter decides is left out.
 */
#ifndef ENVELOPE_RENDER_H
#define ENVELOPE_RENDER_H

#include "envelope/content.h"

/*
 * Names for what the payload holds as numbers and hashes. Every view may be empty and every list may lack an
 * item: then the number, or the hex digits, stand alone.
 */
struct render_officer {
	uint64_t number;
	struct bytes name;
	struct bytes title;
	const uint8_t
		*key; /* PUBLIC_KEY_SIZE bytes; NULL if it is not known: shown where officers are accepted */
};

struct render_post {
	uint64_t log;
	struct bytes name;
};

struct render_identity {
	uint8_t identity[IDENTITY_SIZE];
	struct bytes reference; /* "EMBASSY 0041/26" */
};

struct render_names {
	struct bytes channel_title;
	struct bytes from_party;
	struct bytes from_post;      /* empty while the post is not known */
	struct bytes reference;      /* of this entry; empty while it is a draft, whose last line is DRAFT */
	const struct roster *roster; /* NULL where there is no channel */
	const struct bytes *parties; /* names by roster index, roster->count of them; NULL if none is known */
	size_t sender_index;         /* in the roster */
	size_t officers_count;
	const struct render_officer *officers; /* of the sending party */
	size_t other_officers_count;
	const struct render_officer
		*other_officers; /* for an agrément: of the party whose officers are accepted */
	size_t posts_count;
	const struct render_post *posts;
	size_t identities_count;
	const struct render_identity *identities; /* of entries that this one names */
};

/* Enough for any payload of CONTENT_SIZE_MAX bytes. */
#define RENDER_SIZE_MAX (1024 * 1024)

/*
 * Appends the text of a payload. ERROR_TOO_LARGE if the buffer is too small. Where content_decode refuses
 * the payload its error is returned and nothing is appended: what cannot be read is never shown as if it
 * could, and never signed. Uses *content as room.
 */
enum error render_payload(struct bytes payload, const struct render_names *names, struct content *content,
			  struct buffer *buffer);

#endif
