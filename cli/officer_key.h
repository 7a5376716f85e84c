/*
 * An officer's key file: secret file "officer key", public [party id, number, name, title, public key],
 * secret the Ed25519 seed.
 */
#ifndef CLI_OFFICER_KEY_H
#define CLI_OFFICER_KEY_H

#include "cli/command.h"
#include "cli/party_directory.h"
#include "envelope/ed25519.h"

struct officer_key {
	uint8_t party_id[PARTY_ID_SIZE];
	struct party_officer officer;
};

/*
 * Writes a new key file, asking for its passphrase; officer->key is filled in. False after an error message.
 */
bool officer_key_create(const struct call *call, const char *path, struct officer_key *key);

/* Reads what needs no passphrase, from call_officer(). False after an error message. */
bool officer_key_read(const struct call *call, struct officer_key *key);

/* Opens it; the caller erases the pair. False after an error message. */
bool officer_key_unlock(const struct call *call, struct officer_key *key, struct ed25519_pair *pair);

#endif
