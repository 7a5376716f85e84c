/*
 * A party's directory: what its authority keeps, off every network.
 *
 *   authority.key   secret file "authority key": public [name, authority public key], secret: the seed
 *   successor.key   secret file "successor key": the next authority key, committed to in the founding letter;
 *                   to be moved to another safe at once; no command reads it yet
 *   letters         CBOR: the card chain, [+ COSE item as bstr]
 *   officers        CBOR: [* [number, name, title, public key, highest precedence]]
 *   keying-N-ID     secret files "reserved keying" (cli/reserve.h): packets for slots that no post has yet,
 *                   by ceremony and counterpart; no command reads them yet
 *
 * Every change replaces a file whole and syncs it.
 */
#ifndef CLI_PARTY_DIRECTORY_H
#define CLI_PARTY_DIRECTORY_H

#include <limits.h>

#include "cli/command.h"
#include "envelope/card.h"
#include "envelope/ed25519.h"

struct party_officer {
	uint64_t number; /* from 1, never given twice */
	char name[NAME_SIZE_MAX + 1];
	char title[NAME_SIZE_MAX + 1];
	uint8_t key[PUBLIC_KEY_SIZE];
	uint64_t highest_precedence;
};

struct party_directory {
	char path[PATH_MAX];
	uint8_t id[PARTY_ID_SIZE];
	char name[NAME_SIZE_MAX + 1];
	uint8_t authority_key[PUBLIC_KEY_SIZE];
	struct buffer store; /* the letters, one after the other; CARD_SIZE_MAX bytes */
	size_t letters_count;
	struct bytes letters[CARD_LETTERS_MAX]; /* views into store; verified at opening */
	struct card_party chain;                /* what they say */
	size_t officers_count;
	struct party_officer officers[OFFICERS_MAX];
};

/* Makes the directory, both keys (one passphrase) and the founding letter. False after an error message, and
 * nothing is left, also where signing was declined. */
bool party_directory_create(const struct call *call, const char *path, const char *name);

/*
 * Opens call_party(): reads and verifies everything that needs no passphrase. NULL after an error message.
 * Freed by party_directory_close.
 */
struct party_directory *party_directory_open(const struct call *call);
void party_directory_close(struct party_directory *party);

/*
 * Asks for the passphrase and gives the authority's key pair; the caller erases it. False after an error
 * message.
 */
bool party_directory_unlock(const struct call *call, const struct party_directory *party,
			    struct ed25519_pair *authority);

/*
 * Signs the next letter of the card chain (kind and parameters are given; number, previous, signer, id and
 * time are filled in here), shows it, asks, and appends it to the chain, in memory. False after an error
 * message.
 */
bool party_directory_sign_letter(const struct call *call, struct party_directory *party,
				 const struct ed25519_pair *authority, struct letter *letter);

/* Writes the chain to the directory: last, once everything that the new letter speaks of is made. False after
 * an error message. */
bool party_directory_save_letters(const struct call *call, const struct party_directory *party);

/* Verifies a chain of card letters (card_chain_verify), with room of its own. */
enum error party_chain_verify(const struct bytes *letters, size_t count, struct card_party *party);

/* True if the officer can be appended: names are fit, and there is room. False after an error message. */
bool party_directory_check_officer(const struct call *call, const struct party_directory *party,
				   const struct party_officer *officer);

/* Appends an officer. False after an error message. */
bool party_directory_add_officer(const struct call *call, struct party_directory *party,
				 const struct party_officer *officer);

#endif
