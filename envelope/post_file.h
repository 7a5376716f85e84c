/*
 * The file with which a post begins: made by `liaison post create` at the party, read once by the post's
 * daemon.
 *
 *     post_file = ["liaison post file", 1, root_seed: bstr32, slot: uint, letters: [+ bstr], address: tstr]
 *
 * letters is the card chain so far, with this post's letter; address is where its courier is to be reached
 * (host:port, a hint for cards; empty where there is none). All keys of the post but its prekeys follow from
 * root_seed.
 */
#ifndef ENVELOPE_POST_FILE_H
#define ENVELOPE_POST_FILE_H

#include "envelope/card.h"
#include "envelope/ed25519.h"

struct post_file {
	uint8_t root_seed[32];
	uint64_t slot;
	size_t letters_count;                   /* 2 to CARD_LETTERS_MAX */
	struct bytes letters[CARD_LETTERS_MAX]; /* COSE items, views */
	struct bytes address;                   /* place_is_address, or empty */
};

#define POST_FILE_SIZE_MAX (CARD_SIZE_MAX + 512)

void post_file_encode(const struct post_file *file, struct buffer *buffer);

/*
 * Reads a whole post file: the form only. Errors are those of base/cbor.h, ERROR_BAD_VERSION,
 * ERROR_MALFORMED.
 */
enum error post_file_decode(struct bytes encoded, struct post_file *file);

/*
 * The post's statement key pair: derive_seed of the root seed with the label "liaison statement" and no
 * context.
 */
void post_statement_pair(const uint8_t root_seed[32], struct ed25519_pair *pair);

#endif
