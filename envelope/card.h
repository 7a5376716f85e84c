/*
 * Cards: what a party hands out so that others can reach it (doc/PROTOCOL.md, section 8): its card chain of
 * letters, the prekeys of its posts, and the addresses of their couriers.
 */
#ifndef ENVELOPE_CARD_H
#define ENVELOPE_CARD_H

#include "envelope/signed.h"
#include "envelope/statement.h"

struct card_address {
	uint64_t slot;
	struct bytes address; /* place_is_address */
};

struct card {
	size_t letters_count;                   /* 1 to CARD_LETTERS_MAX */
	struct bytes letters[CARD_LETTERS_MAX]; /* COSE items, by number in the chain */
	size_t prekeys_count;                   /* 1 to POST_SLOTS */
	struct bytes prekeys[POST_SLOTS];       /* COSE items, ascending by slot */
	size_t addresses_count;
	struct card_address
		addresses[POST_SLOTS]; /* ascending by slot; those of one slot in the order to try */
};

/* Appends the card. */
void card_encode(const struct card *card, struct buffer *buffer);

/*
 * Reads a whole card of at most CARD_SIZE_MAX bytes; all are views. The form only: card_verify checks what it
 * says. ERROR_BAD_VERSION; ERROR_MALFORMED if it is no card; else the errors of base/cbor.h.
 */
enum error card_decode(struct bytes encoded, struct card *card);

/*
 * The plaintext of a sealed card is a card, padded like every plaintext (envelope/padding.h). This finds
 * where the card in it ends; ERROR_MALFORMED if it is not padded as it should be.
 */
enum error card_unpad(struct bytes plaintext, struct bytes *encoded);

/* One post as the last letter on its slot describes it; texts are views into that letter. */
struct card_post {
	bool known;
	struct post_letter letter;
	bool has_prekeys;
	struct bytes prekeys; /* payload of a verified statement: prekeys_decode reads it */
};

/* What a verified chain says. Some 15 KiB. */
struct card_party {
	uint8_t id[PARTY_ID_SIZE];
	struct founding_letter founding;
	uint64_t number;             /* of the last letter of the chain */
	uint8_t head[IDENTITY_SIZE]; /* its identity */
	struct card_post posts[POST_SLOTS];
};

/*
 * Verifies a chain of card letters from number 0: the first is a founding, whose key makes the party's id;
 * every other is a post letter; numbers and identities follow each other; all are signed by the authority
 * alone. The caller compares party->id with the one that is expected, if any.
 *     ERROR_REFUSED_AUTHORITY  a letter is not signed by the authority
 *     ERROR_REFUSED_CHAIN      a letter does not follow the one before it
 *     ERROR_REFUSED_KIND       a letter of a kind that does not belong here, or is not known here
 *     ERROR_BAD_SIGNATURE      a signature does not match
 * and the errors of entry_decode and content_check. *entry is room for one letter after the other, work as
 * for signed.h. On error *party is zeros.
 */
enum error card_chain_verify(const struct bytes *letters, size_t count, struct signed_entry *entry,
			     struct buffer *work, struct card_party *party);

/*
 * card_chain_verify; and each statement of prekeys is signed by the statement key of a post of that chain, in
 * ascending order of their slots (ERROR_MALFORMED), and each address belongs to such a post; ERROR_NOT_FOUND
 * where there is none.
 */
enum error card_verify(const struct card *card, struct signed_entry *entry, struct buffer *work,
		       struct card_party *party);

#endif
