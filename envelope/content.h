/*
 * Signed content: the payload of every entry (doc/PROTOCOL.md, section 2).
 *
 * Decoding is strict, so that content_encode(content_decode(x)) is x. It checks the form; content_check
 * checks what is said. Texts are views into the payload, hashes are copied. struct content is some 9 KiB:
 * keep it off deep stacks.
 */
#ifndef ENVELOPE_CONTENT_H
#define ENVELOPE_CONTENT_H

#include "envelope/letter.h"
#include "envelope/merkle.h"
#include "envelope/party.h"
#include "envelope/terms.h"

#define CONTENT_ID_SIZE 16

enum content_kind {
	CONTENT_MESSAGE = 1,
	CONTENT_ACKNOWLEDGMENT = 2,
	CONTENT_LETTER = 3,
	CONTENT_VERDICT = 4,
	CONTENT_INCARNATION = 5,
};

struct message {
	uint64_t time;
	struct bytes text;
	struct bytes subject; /* one line; size 0: none */
	size_t references_count;
	uint8_t references[REFERENCES_MAX][IDENTITY_SIZE]; /* in the author's order, none twice */
	bool has_ack_by;
	uint64_t ack_by; /* Unix time by which the author asks for an acknowledgment */
	bool has_answers;
	uint8_t answers[IDENTITY_SIZE];
};

struct acknowledgment {
	uint64_t time;
	uint8_t acknowledged[IDENTITY_SIZE];
	struct bytes note; /* one line, at most NOTE_SIZE_MAX bytes; size 0: none */
};

struct verdict_range {
	uint64_t log;
	uint64_t incarnation; /* from 1 */
	uint64_t first;       /* position */
	uint64_t count;       /* at least 1 */
	uint64_t reason;      /* 0: accepted; or 64 to REASON_NUMBER_MAX */
};

struct verdict {
	uint64_t time;
	size_t ranges_count;                     /* 1 to RANGES_MAX */
	struct verdict_range ranges[RANGES_MAX]; /* ascending by log, incarnation, first; not overlapping */
};

struct incarnation {
	uint64_t time;
	uint64_t previous; /* number of the incarnation before this one, from 1 */
	uint64_t size;     /* of the last head held of it */
	struct merkle_hash root;
};

struct content {
	uint64_t kind;       /* enum content_kind */
	uint64_t precedence; /* enum precedence */
	size_t signers_count;
	uint64_t signers[SIGNERS_MAX]; /* see content_decode */
	uint8_t registry[REGISTRY_SIZE];
	uint8_t id[CONTENT_ID_SIZE];
	union {
		struct message message;
		struct acknowledgment acknowledgment;
		struct letter letter;
		struct verdict verdict;
		struct incarnation incarnation;
	} of;
};

/*
 * Reads a whole payload of at most CONTENT_SIZE_MAX bytes. The signers are one or two officers (from 1,
 * ascending) for messages and acknowledgments; [0] or those for letters; none for verdicts and
 * incarnations. ERROR_REFUSED_KIND where the kind of content or letter is not known here: all is then read
 * but the body, or the letter's parameters, so that the signature can still be verified and a letter's
 * place in its chain seen. Other errors are matters of form (ERROR_REFUSED_FORM to others): those of
 * base/cbor.h, and ERROR_MALFORMED.
 */
enum error content_decode(struct bytes payload, struct content *content);

/*
 * Appends the payload, of a known kind. Counts are asserted; for the rest, what content_decode or
 * content_check refuses is not to be signed: check before.
 */
void content_encode(const struct content *content, struct buffer *buffer);

/*
 * Checks decoded content as its author and its receiver must. terms: those of the channel (of an opening: its
 * own); NULL where there is no channel, and then only letters of a card chain pass.
 *     ERROR_REFUSED_KIND    a kind of content or letter that is not known here
 *     ERROR_REFUSED_TEXT    a text holds characters that may not be shown
 *     ERROR_REFUSED_LENGTH  a message's text is longer than the terms allow at that precedence
 *     ERROR_REFUSED_FORM    a text is empty or not of its size; and the errors of letter_check
 */
enum error content_check(const struct content *content, const struct terms *terms);

/*
 * Only the rules for a message's text (1 to terms->text_size_max bytes; at IMMEDIATE and FLASH at most
 * terms->urgent_words_max words and URGENT_WORD_SIZE_MAX bytes for each of these, since not every script
 * parts words). ERROR_REFUSED_TEXT or ERROR_REFUSED_LENGTH. For choosing a precedence before anything is
 * built.
 */
enum error message_text_check(struct bytes text, uint64_t precedence, const struct terms *terms);

/* The `time` of the body, whatever its kind. */
uint64_t content_time(const struct content *content);

/* True for kinds that the post itself signs, with its statement key: verdicts and incarnations. */
bool content_is_from_post(uint64_t kind);

/* "MESSAGE", "ACKNOWLEDGMENT", "LETTER", "VERDICT", "INCARNATION"; "?" otherwise. Static. */
const char *content_kind_name(uint64_t kind);

#endif
