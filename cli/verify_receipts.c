#include <string.h>

#include <sodium.h>

#include "cli/verify_parts.h"
#include "envelope/statement.h"

/* The entry at a position among those of one log, or NULL. */
static const struct held_entry *at_position(const struct held_entry *entries, size_t count, uint64_t position)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (entries[middle].position < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && entries[low].position == position ? &entries[low] : NULL;
}

static bool names(const struct receipt *receipt, uint64_t position)
{
	bool found = false;
	for (size_t i = 0; i < receipt->held_count; i++)
		found |= position - receipt->held[i].first < receipt->held[i].count;
	for (size_t i = 0; i < receipt->refused_count; i++)
		found |= position - receipt->refused[i].first < receipt->refused[i].count;
	return found;
}

static bool add_range(struct receipt_digest *digest, const struct held_entry *entries, size_t count,
		      uint64_t first, uint64_t positions)
{
	for (uint64_t i = 0; i < positions; i++) {
		const struct held_entry *entry = at_position(entries, count, first + i);
		if (entry == NULL)
			return false;
		receipt_digest_add(digest, entry->position, entry->identity);
	}
	return true;
}

/* The receipt's digest is that of the entries as the record holds them. */
static bool digest_holds(const struct verifier *verifier, const struct receipt *receipt)
{
	struct receipt_digest digest;
	uint8_t result[32];
	size_t count;
	const struct held_entry *entries = verify_held(verifier, receipt->log, receipt->incarnation, &count);
	bool whole = true;
	receipt_digest_init(&digest);
	for (size_t i = 0; whole && i < receipt->held_count; i++)
		whole = add_range(&digest, entries, count, receipt->held[i].first, receipt->held[i].count);
	for (size_t i = 0; whole && i < receipt->refused_count; i++)
		whole = add_range(&digest, entries, count, receipt->refused[i].first,
				  receipt->refused[i].count);
	receipt_digest_final(&digest, result);
	return whole && memcmp(result, receipt->digest, sizeof result) == 0;
}

/* Whose it says it is: the payload, before the signature over it is checked. */
static bool read_receipt(struct bytes cose, struct receipt *receipt)
{
	struct cose_signed object;
	return cose_signed_decode(cose, &object) == ERROR_OK &&
	       receipt_decode(object.payload, receipt) == ERROR_OK;
}

static bool check_receipt(struct verifier *verifier, const struct held_entry *held, struct bytes cose,
			  struct receipt *receipt)
{
	struct aad aad;
	struct bytes payload;
	struct buffer work = buffer_make(verifier->work, sizeof verifier->work);
	if (!read_receipt(cose, receipt)) {
		receipt->by = UINT64_MAX; /* nobody's */
		return false;
	}
	if (receipt->by > LOG_MAX || log_roster_index(receipt->by) >= verifier->roster.count ||
	    log_roster_index(receipt->by) == log_roster_index(held->log) || !verifier->has_post[receipt->by])
		return false;
	aad_on_channel(&aad, AAD_RECEIPT, verifier->channel, &verifier->roster,
		       log_roster_index(receipt->by));
	return statement_open(cose, &aad, verifier->statement_key[receipt->by], &work, &payload) ==
		       ERROR_OK &&
	       receipt_positions(receipt) <= RECEIPT_POSITIONS_MAX && digest_holds(verifier, receipt);
}

/* Says what is wrong with the receipt beside an entry; false. */
static bool refuse_receipt(const struct verifier *verifier, const struct held_entry *held,
			   const struct receipt *receipt)
{
	if (receipt->by <= LOG_MAX && !verifier->has_post[receipt->by])
		call_fail(
			verifier->call,
			"the receipt beside %s is by a post that no opening here names: the log of that post "
			"was left out",
			verify_name(held));
	else
		call_fail(verifier->call, "the receipt beside %s is not one of it", verify_name(held));
	return false;
}

/* A post keeps receipts of what it has sent alone, and of that the signed bytes. False. */
static bool refuse_leaf(const struct verifier *verifier, const struct held_entry *held)
{
	call_fail(verifier->call,
		  "%s has a receipt, so the exporting post has sent it: its signed bytes were left out",
		  verify_name(held));
	return false;
}

bool verify_receipts(struct verifier *verifier)
{
	struct receipt receipt = {0};
	const char *last = NULL; /* one receipt may stand beside many entries: it is checked once */
	for (size_t i = 0; i < verifier->held_count; i++) {
		const struct held_entry *held = &verifier->held[i];
		const json_t *member = json_object_get(held->object, "receipt");
		const char *text = json_string_value(member);
		size_t size = 0;
		if (text != NULL && text[0] == '\0')
			continue; /* none is held */
		bool known = text != NULL && last != NULL && strcmp(text, last) == 0;
		bool good =
			known || (verify_get_hex(held->object, "receipt", verifier->cose,
						 sizeof verifier->cose, &size) &&
				  check_receipt(verifier, held, bytes_make(verifier->cose, size), &receipt));
		if (!good || receipt.log != held->log || receipt.incarnation != held->incarnation ||
		    !names(&receipt, held->position))
			return refuse_receipt(verifier, held, &receipt);
		if (held->leaf_alone)
			return refuse_leaf(verifier, held);
		last = text;
		verifier->receipts++;
	}
	return true;
}
