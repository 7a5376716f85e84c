/*
 * The terms of a channel (doc/PROTOCOL.md, section 5) and the channel id that commits to them (section 1).
 */
#ifndef ENVELOPE_TERMS_H
#define ENVELOPE_TERMS_H

#include "envelope/party.h"

#define TERMS_SUITE    1
#define TERMS_SIZE_MAX 160 /* bytes of encoded terms: a title and six numbers */

#define TERMS_TEXT_SIZE_MIN        160      /* bytes: below that no sentence can be said */
#define TERMS_URGENT_WORDS_MIN     20       /* a FLASH that says who, what and where */
#define TERMS_URGENT_WORDS_MAX     1000     /* two pages: more is not read at once */
#define TERMS_HEADS_INTERVAL_S_MIN 10       /* heads more often than that would crowd a narrow line */
#define TERMS_HEADS_INTERVAL_S_MAX 86400    /* a day: how long a log that forked may stay unseen */
#define TERMS_DELAY_WINDOW_S_MIN   3600     /* keys go so long after their epoch: what is late opens still */
#define TERMS_DELAY_WINDOW_S_MAX   31536000 /* a year; keys that stay longer protect nothing */
#define TERMS_HANDLING_S_MIN       60       /* a quarter of it, 15 s, is when a copy is sent again */
#define TERMS_HANDLING_S_MAX       604800   /* a week: slower than any pouch */

struct terms {
	uint64_t suite;                        /* TERMS_SUITE */
	struct bytes title;                    /* one line, 1 to NAME_SIZE_MAX bytes; borrowed */
	uint64_t text_size_max;                /* bytes of a text: TERMS_TEXT_SIZE_MIN to TEXT_SIZE_MAX */
	uint64_t urgent_words_max;             /* words at IMMEDIATE and FLASH */
	uint64_t heads_interval_s;             /* between statements of heads */
	uint64_t delay_window_s;               /* how long a copy may be under way and still be opened */
	uint64_t handling_s[PRECEDENCE_COUNT]; /* until a receipt is overdue: ROUTINE to FLASH */
};

/* Suite 1; 65536 bytes, 200 words, heads every 60 s, a window of 14 days, 6 h, 3 h, 30 min and 10 min. */
void terms_default(struct terms *terms, struct bytes title);

/*
 * ERROR_OK if every number is within its bounds (ERROR_OUT_OF_RANGE; ERROR_UNSUPPORTED for another suite)
 * and the title is a plain line of 1 to NAME_SIZE_MAX bytes (ERROR_NOT_TEXT, ERROR_TOO_LARGE,
 * ERROR_MALFORMED if empty).
 */
enum error terms_check(const struct terms *terms);

/* Appends the terms; they must have passed terms_check. At most TERMS_SIZE_MAX bytes. */
void terms_encode(const struct terms *terms, struct buffer *buffer);

/*
 * Reads encoded terms, whole, and checks them as terms_check does; the title is a view into `encoded`.
 * Other errors are those of base/cbor.h; ERROR_MALFORMED if a key is missing or unknown.
 */
enum error terms_decode(struct bytes encoded, struct terms *terms);

/* SHA-256 of ["liaison channel", [+ party id], terms: bstr, nonce: bstr16]. */
void channel_id_make(const struct roster *roster, struct bytes encoded_terms,
		     const uint8_t nonce[CHANNEL_NONCE_SIZE], uint8_t channel[CHANNEL_ID_SIZE]);

/* The first bytes of the channel id: a hint for looking up, never a check. */
void channel_tag_make(const uint8_t channel[CHANNEL_ID_SIZE], uint8_t tag[CHANNEL_TAG_SIZE]);

#endif
