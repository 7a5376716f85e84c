#include "record/keys.h"

#include <sodium.h>
#include <string.h>

#include "envelope/keying.h"
#include "record/outbox.h"

#define SHOW_INTERVAL_MS 3600000

/* ---- taking a keying in ---- */

/* What opens: beside what older keyings gave. */
static void put_receiving(struct run *run, const struct keying_packet *packet, uint64_t party, unsigned slot)
{
	struct row_key key = keys_leaf_row(party, slot, packet->number);
	struct leaf_row leaf = {.keying = packet->number};
	struct keying_psk derived;
	struct psk psk = {.keying = packet->number};

	memcpy(leaf.leaf, packet->leaves[KEYING_RECEIVING][0][slot], sizeof(leaf.leaf));
	run_put(run, &key, &schema_leaf_row, &leaf);
	keying_psk_of_leaf(packet->leaves[KEYING_RECEIVING][1][slot], &derived);
	memcpy(psk.id, derived.id, sizeof(psk.id));
	memcpy(psk.key, derived.key, sizeof(psk.key));
	key = key_make(TABLE_LAST_PSK);
	key_bytes(&key, psk.id, sizeof(psk.id));
	key_u8(&key, party);
	key_u8(&key, slot);
	run_put(run, &key, &schema_psk, &psk);
	sodium_memzero(&leaf, sizeof(leaf));
	sodium_memzero(&psk, sizeof(psk));
	sodium_memzero(&derived, sizeof(derived));
}

static void put_sending(struct run *run, uint64_t party, uint64_t slot, const struct next_keying *next)
{
	struct row_key key = key_party_post(TABLE_LEAF_OUT, party, slot);
	struct leaf_row leaf = {0};

	memcpy(leaf.leaf, next->leaf, sizeof(leaf.leaf));
	run_put(run, &key, &schema_leaf_row, &leaf);
	key = key_party_post(TABLE_LAST_LEAF, party, slot);
	memcpy(leaf.leaf, next->last_leaf, sizeof(leaf.leaf));
	run_put(run, &key, &schema_leaf_row, &leaf);
	sodium_memzero(&leaf, sizeof(leaf));
}

/* Which slots are sealed to already, asked for all at once. */
static enum error find_in_use(struct run *run, uint64_t party, bool in_use[POST_SLOTS])
{
	bool missing = false;

	for (unsigned slot = 0; slot < POST_SLOTS; slot++) {
		struct row_key key = key_party_post(TABLE_LAST_LEAF, party, slot);
		struct leaf_row leaf;
		enum error error = run_get(run, &key, &schema_leaf_row, &leaf);
		sodium_memzero(&leaf, sizeof(leaf));
		in_use[slot] = error == ERROR_OK;
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error put_leaves(struct run *run, const struct keying_packet *packet, uint64_t party)
{
	bool in_use[POST_SLOTS];

	enum error error = find_in_use(run, party, in_use);
	if (error != ERROR_OK)
		return error;
	for (unsigned slot = 0; slot < POST_SLOTS; slot++) {
		struct row_key key = key_party_post(TABLE_NEXT_KEYING, party, slot);
		struct next_keying next = {.keying = packet->number};
		put_receiving(run, packet, party, slot);
		memcpy(next.leaf, packet->leaves[KEYING_SENDING][0][slot], sizeof(next.leaf));
		memcpy(next.last_leaf, packet->leaves[KEYING_SENDING][1][slot], sizeof(next.last_leaf));
		if (in_use[slot])
			run_put(run, &key, &schema_next_keying, &next);
		else
			put_sending(run, party, slot, &next);
		sodium_memzero(&next, sizeof(next));
	}
	return ERROR_OK;
}

static enum error check_packet(struct run *run, const struct keying_packet *packet, uint64_t *number,
			       struct party *party, enum error *reason)
{
	const struct own_post *own = run_post(run);
	struct row_key id_key = key_make(TABLE_PARTY_ID);
	struct number row;

	*reason = ERROR_BAD_ARGUMENT;
	if (memcmp(packet->own_party, own->party_id, PARTY_ID_SIZE) != 0 || packet->own_slot != own->slot)
		return ERROR_OK;
	key_bytes(&id_key, packet->other_party, PARTY_ID_SIZE);
	enum error error = run_get(run, &id_key, &schema_number, &row);
	*reason = ERROR_NOT_FOUND;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct row_key party_row_key = key_party(row.number);
	error = run_get(run, &party_row_key, &schema_party, party);
	if (error != ERROR_OK)
		return run_must(error);
	*number = row.number;
	*reason = packet->number <= party->keying ? ERROR_EXISTS : ERROR_OK;
	return ERROR_OK;
}

/* Opens what its posts seal under it, and shows those that are named that it is held here. */
static enum error begin_with(struct run *run, uint64_t party_number)
{
	struct post_number *posts;
	size_t count;
	bool missing = false;

	enum error error = keys_posts(run, &posts, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		if (posts[i].party != party_number)
			continue;
		error = keys_post_named(run, posts[i].party, posts[i].slot);
		if (run_missing(error, &missing))
			error = ERROR_OK;
	}
	if (missing && error == ERROR_OK)
		error = ERROR_NEEDS_ROWS;
	if (error == ERROR_OK && run_state(run)->restored != 0)
		error = keys_make(run, true);
	for (size_t i = 0; error == ERROR_OK && i < count; i++)
		if (posts[i].party == party_number)
			error = keys_show_keying(run, &posts[i]);
	return error;
}

enum error keys_take_keying(struct run *run, struct bytes bytes, uint64_t *party_number, enum error *reason)
{
	struct keying_packet *packet = run_take(run, sizeof(*packet));
	struct party party;

	*reason = keying_packet_decode(bytes, packet);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	enum error error = check_packet(run, packet, party_number, &party, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = put_leaves(run, packet, *party_number);
	if (error == ERROR_OK && *reason == ERROR_OK) {
		party.keying = packet->number;
		struct row_key key = key_party(*party_number);
		run_put(run, &key, &schema_party, &party);
		error = begin_with(run, *party_number);
	}
	keying_packet_erase(packet);
	return error;
}

/* ---- taking it into use ---- */

enum error keys_show_keying(struct run *run, const struct post_number *post)
{
	struct row_key key = key_party_post(TABLE_NEXT_KEYING, post->party, post->slot);
	struct next_keying next;
	struct bytes cose;

	enum error error = run_get(run, &key, &schema_next_keying, &next);
	uint64_t since_ms = run_slow_since(run, next.shown_ms);
	if (error == ERROR_OK && next.shown_ms != 0 && since_ms < SHOW_INTERVAL_MS)
		error = ERROR_NOT_FOUND;
	if (error == ERROR_OK)
		error = keys_own_prekeys(run, &cose);
	if (error == ERROR_OK) {
		struct outbox_statement statement = {
			.kind = STATEMENT_PREKEYS,
			.party = post->party,
			.slot = post->slot,
			.precedence = PRECEDENCE_PRIORITY,
			.next_keying = true,
			.cose = cose,
		};
		next.shown_ms = run_slow_ms(run) + 1;
		run_put(run, &key, &schema_next_keying, &next);
		error = outbox_statement(run, &statement, NULL);
	}
	sodium_memzero(&next, sizeof(next));
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* What that post sealed under older keyings is still opened; it will seal nothing more under them. */
static enum error drop_older(struct run *run, const struct keys_opened *opened)
{
	enum error error = ERROR_OK;
	uint64_t keying = 0;

	while (error == ERROR_OK) {
		struct leaf_row leaf;
		error = keys_next_leaf(run, opened->party, opened->slot, &keying, &leaf);
		struct row_key key = keys_leaf_row(opened->party, opened->slot, keying);
		if (error == ERROR_OK && keying < opened->keying)
			run_delete(run, &key);
		sodium_memzero(&leaf, sizeof(leaf));
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error keys_confirm(struct run *run, const struct keys_opened *opened, bool *confirmed)
{
	struct row_key key = key_party_post(TABLE_NEXT_KEYING, opened->party, opened->slot);
	struct row_key prekeys_key = key_party_post(TABLE_PREKEYS, opened->party, opened->slot);
	struct next_keying next;
	struct prekeys_row prekeys;

	*confirmed = false;
	enum error error = run_get(run, &key, &schema_next_keying, &next);
	if (error != ERROR_OK || opened->keying < next.keying) {
		sodium_memzero(&next, sizeof(next));
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	}
	error = run_get(run, &prekeys_key, &schema_prekeys_row, &prekeys);
	if (error == ERROR_OK && prekeys.cannot_open) {
		prekeys.cannot_open = false; /* it may have been for want of this keying */
		run_put(run, &prekeys_key, &schema_prekeys_row, &prekeys);
	}
	if (error == ERROR_OK || error == ERROR_NOT_FOUND)
		error = drop_older(run, opened);
	if (error == ERROR_OK) {
		put_sending(run, opened->party, opened->slot, &next);
		run_delete(run, &key);
		run_wipe(run);
		*confirmed = true;
	}
	sodium_memzero(&next, sizeof(next));
	return error;
}
