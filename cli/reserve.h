/*
 * Reserved keyings: what the authority keeps of a keying for slots that no post has yet, so that a post made
 * later shares keys with the other party from its first day. The root itself is kept nowhere.
 *
 * keying-N-ID in the party's directory is a secret file "reserved keying": public
 * [other party id: bstr32, SHA-256 of the encoded keying: bstr32], secret [* keying packet as bstr], one for
 * each slot that is kept. N is the keying's number, ID the first 8 bytes of the other party's id. (The hash
 * tells nothing: the root is 32 random bytes.)
 */
#ifndef CLI_RESERVE_H
#define CLI_RESERVE_H

#include "cli/party_directory.h"
#include "cli/secret_file.h"
#include "envelope/keying.h"

enum reserve_state {
	RESERVE_NONE,
	RESERVE_SAME,  /* of this very keying: an accept was cut off, and can go on */
	RESERVE_OTHER, /* of another keying with that party and number */
};

/* Looks whether there is a reserve of the keying's number. False after an error message. */
bool reserve_find(const struct call *call, const struct party_directory *party, const struct keying *keying,
		  const uint8_t other[PARTY_ID_SIZE], enum reserve_state *state);

/* Keeps the packets of all slots but `given`. False after an error message, and no file is left. */
bool reserve_write(const struct call *call, const struct party_directory *party, const struct keying *keying,
		   const uint8_t other[PARTY_ID_SIZE], uint64_t given, const struct passphrase *passphrase);

/* Overwrites and removes the reserve. False after an error message. */
bool reserve_erase(const struct call *call, const struct party_directory *party, const struct keying *keying,
		   const uint8_t other[PARTY_ID_SIZE]);

#endif
