#include "envelope/party.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

const char *precedence_name(uint64_t precedence)
{
	static const char *const names[] = {"ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH"};

	if (precedence < PRECEDENCE_ROUTINE || precedence > PRECEDENCE_FLASH)
		return "?";
	return names[precedence - PRECEDENCE_ROUTINE];
}

void party_id_from_key(const uint8_t authority_key[PUBLIC_KEY_SIZE], uint8_t id[PARTY_ID_SIZE])
{
	crypto_hash_sha256(id, authority_key, PUBLIC_KEY_SIZE);
}

/* Sorts by insertion: the lists are short, and mostly sorted already. */
static void sort_rows(uint8_t (*rows)[32], size_t count)
{
	uint8_t row[32];

	for (size_t i = 1; i < count; i++) {
		size_t at = i;

		memcpy(row, rows[i], sizeof(row));
		for (; at > 0 && memcmp(rows[at - 1], row, sizeof(row)) > 0; at--)
			memcpy(rows[at], rows[at - 1], sizeof(row));
		memcpy(rows[at], row, sizeof(row));
	}
}

enum error roster_sort(struct roster *roster)
{
	if (roster->count < 2 || roster->count > PARTIES_MAX) {
		roster->count = 0;
		return ERROR_OUT_OF_RANGE;
	}
	sort_rows(roster->ids, roster->count);
	for (size_t i = 1; i < roster->count; i++) {
		if (memcmp(roster->ids[i - 1], roster->ids[i], PARTY_ID_SIZE) == 0) {
			roster->count = 0;
			return ERROR_DUPLICATE;
		}
	}
	return ERROR_OK;
}

bool roster_find(const struct roster *roster, const uint8_t id[PARTY_ID_SIZE], size_t *index)
{
	for (size_t i = 0; i < roster->count; i++) {
		if (memcmp(roster->ids[i], id, PARTY_ID_SIZE) == 0) {
			*index = i;
			return true;
		}
	}
	return false;
}

uint64_t log_number(size_t roster_index, uint64_t slot)
{
	assert(roster_index < PARTIES_MAX && slot < POST_SLOTS);
	return (uint64_t)roster_index * POST_SLOTS + slot;
}

size_t log_roster_index(uint64_t log)
{
	return (size_t)(log / POST_SLOTS);
}

uint64_t log_slot(uint64_t log)
{
	return log % POST_SLOTS;
}

void registry_version(uint8_t (*heads)[IDENTITY_SIZE], size_t count, uint8_t version[REGISTRY_SIZE])
{
	crypto_hash_sha256_state state;
	uint8_t hash[crypto_hash_sha256_BYTES];

	sort_rows(heads, count);
	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, heads[i], IDENTITY_SIZE);
	crypto_hash_sha256_final(&state, hash);
	memcpy(version, hash, REGISTRY_SIZE);
}
