/*
 * Letters: entries that change the registry (doc/PROTOCOL.md, section 2, "Letters").
 *
 * A letter is the body of content of kind CONTENT_LETTER; content.h reads and writes the whole. Names and
 * other texts are borrowed views, keys and hashes are copied.
 */
#ifndef ENVELOPE_LETTER_H
#define ENVELOPE_LETTER_H

#include "base/cbor.h"
#include "envelope/party.h"

enum letter_kind {
	LETTER_FOUNDING = 1,
	LETTER_POST = 2,
	LETTER_OPENING = 3,
	LETTER_CREDENCE = 4,
	LETTER_AGREMENT = 5,
};

enum post_kind {
	POST_MISSION = 1,
	POST_EMBASSY = 2,
	POST_LIAISON_MISSION = 3,
	POST_INFORMATION_BUREAU = 4,
	POST_CAPITAL = 5,
	POST_HEADQUARTERS = 6,
};

struct founding_letter {
	struct bytes name;                      /* of the party: one line, 1 to NAME_SIZE_MAX bytes */
	uint8_t authority_key[PUBLIC_KEY_SIZE]; /* its SHA-256 is the party id */
	uint8_t successor[32];                  /* SHA-256 of the next authority key */
};

struct post_letter {
	uint64_t slot;     /* below POST_SLOTS */
	uint64_t kind;     /* enum post_kind */
	struct bytes name; /* one line, 1 to NAME_SIZE_MAX bytes */
	struct bytes node; /* its courier's node id: 1 to EID_SIZE_MAX of the characters ! to ~ */
	uint8_t statement_key[PUBLIC_KEY_SIZE]; /* Ed25519 */
	uint8_t courier_pin[32];                /* SHA-256 of its courier's SubjectPublicKeyInfo */
};

struct opening_post {
	uint64_t slot;
	uint8_t log_key[PUBLIC_KEY_SIZE];
	uint8_t cosigner_key[PUBLIC_KEY_SIZE];
};

struct opening_letter {
	struct roster parties;
	struct bytes terms; /* encoded: terms_decode reads it */
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	size_t card_count; /* at least 1 */
	struct bytes
		card[CARD_LETTERS_MAX]; /* COSE letters of the author's card chain; card.h verifies them */
	size_t posts_count;             /* at least 1 */
	struct opening_post posts[POST_SLOTS]; /* ascending by slot */
};

struct credence_letter {
	uint64_t officer;             /* 1 to OFFICER_NUMBER_MAX */
	struct bytes name;            /* one line, 1 to NAME_SIZE_MAX bytes */
	struct bytes title;           /* one line, 0 to NAME_SIZE_MAX bytes */
	uint8_t key[PUBLIC_KEY_SIZE]; /* Ed25519 */
	uint64_t highest_precedence;  /* that the officer may use; 0: the scope names none */
};

struct agrement_letter {
	uint64_t party;                  /* roster index of the other party, whose officers are accepted */
	size_t officers_count;           /* at least 1 */
	uint64_t officers[OFFICERS_MAX]; /* ascending */
};

struct letter {
	uint64_t kind; /* enum letter_kind */
	uint64_t time;
	uint64_t number;   /* in its chain, from 0 */
	bool has_previous; /* exactly where number > 0 */
	uint8_t previous[IDENTITY_SIZE];
	bool has_entitled_by; /* exactly where the signer is not the authority */
	uint8_t entitled_by[IDENTITY_SIZE];
	bool has_answers;
	uint8_t answers[IDENTITY_SIZE];
	struct bytes reason;    /* plain text, at most REASON_SIZE_MAX bytes; size 0: none */
	struct bytes condition; /* as reason: what would lift it */
	bool has_review;
	uint64_t review; /* date, Unix time */
	union {
		struct founding_letter founding;
		struct post_letter post;
		struct opening_letter opening;
		struct credence_letter credence;
		struct agrement_letter agrement;
	} of;
};

/*
 * Reads a letter from within an item; errors go to the reader. The form is checked: counts, orders, ranges,
 * what must be null; not the texts and keys, which letter_check does. The parameters of a kind that is not
 * known here may be any array; letter_kind_is_known tells.
 */
void letter_read(struct cbor_reader *reader, struct letter *letter);

bool letter_kind_is_known(uint64_t kind);

/* Appends the letter, which is of a known kind. */
void letter_write(const struct letter *letter, struct buffer *buffer);

/*
 * Checks what a well-formed letter says, as its author and its receiver must. `signer` is the first number
 * of the content's signers (0: the authority); on_channel, whether it is signed for a channel.
 *     ERROR_REFUSED_KIND       a letter_kind that is not known here
 *     ERROR_REFUSED_FORM       a card letter on a channel or the reverse; a text not of its size
 *     ERROR_REFUSED_TEXT       a text holds characters that may not be shown
 *     ERROR_REFUSED_AUTHORITY  entitled_by is there for the authority, or not there for another
 *     ERROR_BAD_KEY            a key is not a valid point of full order: to others, ERROR_REFUSED_FORM
 *     ERROR_REFUSED_TERMS      the opening's terms are not of the form or outside their bounds
 */
enum error letter_check(const struct letter *letter, uint64_t signer, bool on_channel);

/* "FOUNDING", "POST", "OPENING", "CREDENCE", "AGRÉMENT"; "?" otherwise. Static. */
const char *letter_kind_name(uint64_t kind);
/* "mission" to "headquarters"; "?" otherwise. Static. */
const char *post_kind_name(uint64_t kind);

#endif
