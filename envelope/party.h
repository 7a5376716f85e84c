/*
 * Names and numbers (doc/PROTOCOL.md, section 1): parties, rosters, logs, precedence.
 */
#ifndef ENVELOPE_PARTY_H
#define ENVELOPE_PARTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define PARTY_ID_SIZE      32
#define CHANNEL_ID_SIZE    32
#define CHANNEL_TAG_SIZE   2
#define CHANNEL_NONCE_SIZE 16
#define IDENTITY_SIZE      32 /* of an entry or letter */
#define PUBLIC_KEY_SIZE    32 /* Ed25519 or X25519 */
#define REGISTRY_SIZE      8

/* Seconds: the end of the year 9999. No time in any format is later. */
#define TIME_MAX UINT64_C(253402300799)

enum precedence {
	PRECEDENCE_ROUTINE = 1,
	PRECEDENCE_PRIORITY = 2,
	PRECEDENCE_IMMEDIATE = 3,
	PRECEDENCE_FLASH = 4,
};

#define PRECEDENCE_COUNT 4

/* "ROUTINE" to "FLASH"; "?" for a number that is none. Static. */
const char *precedence_name(uint64_t precedence);

/* The parties of a channel in ascending byte order, none twice. */
struct roster {
	size_t count;
	uint8_t ids[PARTIES_MAX][PARTY_ID_SIZE];
};

/* SHA-256 of the party's first authority public key. */
void party_id_from_key(const uint8_t authority_key[PUBLIC_KEY_SIZE], uint8_t id[PARTY_ID_SIZE]);

/*
 * Makes a roster of the ids that the caller has put into roster->ids in any order, roster->count of them.
 * ERROR_OUT_OF_RANGE unless there are 2 to PARTIES_MAX; ERROR_DUPLICATE if one is there twice. On error the
 * roster is empty.
 */
enum error roster_sort(struct roster *roster);

/* True, and the party's index in *index, if the roster names the party. */
bool roster_find(const struct roster *roster, const uint8_t id[PARTY_ID_SIZE], size_t *index);

/* Log numbers: roster index * POST_SLOTS + slot. The caller vouches that index and slot are in range. */
#define LOG_MAX (PARTIES_MAX * POST_SLOTS - 1)
uint64_t log_number(size_t roster_index, uint64_t slot);
size_t log_roster_index(uint64_t log);
uint64_t log_slot(uint64_t log);

/*
 * The registry version: first 8 bytes of SHA-256 over the identities of the last letter of each chain, sorted
 * bytewise and concatenated. Sorts `heads` in place. With no head it is that of the empty string.
 */
void registry_version(uint8_t (*heads)[IDENTITY_SIZE], size_t count, uint8_t version[REGISTRY_SIZE]);

#endif
