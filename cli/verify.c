#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/export.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "cli/progress.h"
#include "cli/verify_parts.h"
#include "envelope/reference.h"

#define NAMED_MAX 4096 /* incarnations of logs that leaves may name: more than any record has */

bool verify_get_hex(const json_t *object, const char *name, uint8_t *to, size_t size_max, size_t *size)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);
	return text != NULL &&
	       sodium_hex2bin(to, size_max, text, json_string_length(member), NULL, size, NULL) == 0 &&
	       2 * *size == json_string_length(member);
}

bool verify_get_hex_exact(const json_t *object, const char *name, uint8_t *to, size_t size)
{
	size_t got = 0;
	return verify_get_hex(object, name, to, size, &got) && got == size;
}

bool verify_get_number(const json_t *object, const char *name, uint64_t max, uint64_t *number)
{
	const json_t *member = json_object_get(object, name);
	json_int_t value = json_integer_value(member);
	*number = (uint64_t)value;
	return json_is_integer(member) && value >= 0 && (uint64_t)value <= max;
}

bool verify_get_incarnation(const json_t *object, uint64_t *incarnation)
{
	return verify_get_number(object, "incarnation", INCARNATIONS_MAX, incarnation) && *incarnation > 0;
}

static bool parse_party(const char *text, uint8_t id[PARTY_ID_SIZE])
{
	size_t size = 0;
	return strlen(text) == 2 * PARTY_ID_SIZE &&
	       sodium_hex2bin(id, PARTY_ID_SIZE, text, 2 * PARTY_ID_SIZE, NULL, &size, NULL) == 0 &&
	       size == PARTY_ID_SIZE;
}

bool export_parties_are_ids(const struct call *call)
{
	uint8_t id[PARTY_ID_SIZE];
	const char *text;
	for (size_t i = 0; (text = call_value_nth(call, "party", i)) != NULL; i++)
		if (!parse_party(text, id))
			return call_usage(call,
					  "--party takes a party id, %d hexadecimal digits, as card show and "
					  "party show print it",
					  2 * PARTY_ID_SIZE) == 0;
	return true;
}

/*
 * Each party that was asked for is one of the channel. Its id is the hash of its authority's key, so letters
 * under another key are none of it, whatever name they bear.
 */
static bool is_between_those_asked_for(const struct verifier *verifier)
{
	uint8_t id[PARTY_ID_SIZE];
	const char *text;
	size_t index;
	for (size_t i = 0; (text = call_value_nth(verifier->call, "party", i)) != NULL; i++)
		if (!parse_party(text, id) || !roster_find(&verifier->roster, id, &index))
			return call_fail(
				       verifier->call,
				       "party %s is not on this channel: the record is one of other parties",
				       text) == 0;
	return true;
}

static bool read_roster(struct verifier *verifier, const json_t *export)
{
	const json_t *roster = json_object_get(export, "roster");
	verifier->roster.count = json_array_size(roster);
	bool sound = verify_get_hex_exact(export, "channel", verifier->channel, CHANNEL_ID_SIZE) &&
		     verifier->roster.count >= 2 && verifier->roster.count <= PARTIES_MAX;
	static const char *const lists[] = {"logs", "entries", "equivocations"};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		sound &= json_is_array(json_object_get(export, lists[i]));
	for (size_t i = 0; sound && i < verifier->roster.count; i++) {
		const json_t *id = json_array_get(roster, i);
		size_t size = 0;
		sound = json_string_length(id) == 2 * PARTY_ID_SIZE &&
			sodium_hex2bin(verifier->roster.ids[i], PARTY_ID_SIZE, json_string_value(id),
				       2 * PARTY_ID_SIZE, NULL, &size, NULL) == 0;
	}
	if (!sound)
		call_fail(verifier->call, "this is no export of a channel: liaison log --json makes one");
	return sound;
}

/* Decodes an entry into verifier->entry and leaf. False after an error message. */
static bool read_entry(struct verifier *verifier, const json_t *object, uint64_t *log, struct aad *aad)
{
	size_t cose_size = 0, leaf_size = 0;
	uint64_t incarnation, position;
	const char *reference = json_string_value(json_object_get(object, "reference"));
	if (!verify_get_number(object, "log", LOG_MAX, log) ||
	    !verify_get_incarnation(object, &incarnation) ||
	    !verify_get_number(object, "position", POSITION_MAX, &position) ||
	    log_roster_index(*log) >= verifier->roster.count ||
	    !verify_get_hex(object, "cose", verifier->cose, sizeof verifier->cose, &cose_size) ||
	    !verify_get_hex(object, "leaf", verifier->leaf_bytes, sizeof verifier->leaf_bytes, &leaf_size) ||
	    leaf_decode(bytes_make(verifier->leaf_bytes, leaf_size), &verifier->leaf) != ERROR_OK ||
	    verifier->leaf.position != position) {
		call_fail(verifier->call, "%s is not of the form of an export",
			  reference != NULL ? reference : "an entry");
		return false;
	}
	aad_on_channel(aad, AAD_ENTRY, verifier->channel, &verifier->roster, log_roster_index(*log));
	verifier->entry.content.kind = 0;
	if (cose_size == 0)
		return true; /* a leaf alone */
	enum error error = entry_decode(bytes_make(verifier->cose, cose_size), &verifier->entry);
	if (error == ERROR_OK)
		return true;
	call_fail_error(verifier->call, reference, error);
	return false;
}

/* The terms of an opening and its nonce make the channel's id, which all that is signed here names. */
static bool learn_terms(struct verifier *verifier, const struct opening_letter *opening)
{
	struct terms terms;
	uint8_t channel[CHANNEL_ID_SIZE];
	enum error error = terms_decode(opening->terms, &terms);
	if (error != ERROR_OK)
		return call_fail_error(verifier->call, "the terms in an opening", error) == 0;
	channel_id_make(&verifier->roster, opening->terms, opening->nonce, channel);
	if (memcmp(channel, verifier->channel, CHANNEL_ID_SIZE) != 0)
		return call_fail(verifier->call, "an opening is of another channel than the record") == 0;
	memcpy(verifier->title, terms.title.data, terms.title.size);
	return true;
}

/* An opening names the channel, the authority, the posts and their keys; a party's first one counts. */
static bool learn_opening(struct verifier *verifier, size_t index)
{
	const struct opening_letter *opening = &verifier->entry.content.of.letter.of.opening;
	if (verifier->has_authority[index])
		return true;
	if (!learn_terms(verifier, opening))
		return false;
	enum error error = party_chain_verify(opening->card, opening->card_count, verifier->card);
	if (error == ERROR_OK && memcmp(verifier->card->id, verifier->roster.ids[index], PARTY_ID_SIZE) != 0)
		error = ERROR_REFUSED_AUTHORITY;
	if (error != ERROR_OK) {
		call_fail_error(verifier->call, "the card letters in an opening", error);
		return false;
	}
	verifier->has_authority[index] = true;
	memcpy(verifier->authority[index], verifier->card->founding.authority_key, PUBLIC_KEY_SIZE);
	memcpy(verifier->party_name[index], verifier->card->founding.name.data,
	       verifier->card->founding.name.size);
	for (size_t i = 0; i < opening->posts_count; i++) {
		uint64_t slot = opening->posts[i].slot, log = log_number(index, slot);
		verifier->has_log[log] = true;
		memcpy(verifier->log_key[log], opening->posts[i].log_key, PUBLIC_KEY_SIZE);
		memcpy(verifier->cosigner_key[log], opening->posts[i].cosigner_key, PUBLIC_KEY_SIZE);
		verifier->has_post[log] = verifier->card->posts[slot].known;
		const struct post_letter *post = &verifier->card->posts[slot].letter;
		if (!verifier->has_post[log])
			continue;
		memcpy(verifier->statement_key[log], post->statement_key, PUBLIC_KEY_SIZE);
		memcpy(verifier->post_name[log], post->name.data, post->name.size);
	}
	return true;
}

static bool learn(struct verifier *verifier, uint64_t log)
{
	const struct content *content = &verifier->entry.content;
	size_t index = log_roster_index(log);
	if (content->kind != CONTENT_LETTER)
		return true;
	if (content->of.letter.kind == LETTER_OPENING)
		return learn_opening(verifier, index);
	if (content->of.letter.kind != LETTER_CREDENCE)
		return true;
	struct officer_seen *more =
		realloc(verifier->officers, (verifier->officers_count + 1) * sizeof *more);
	if (more == NULL)
		return call_fail_error(verifier->call, "reading letters", ERROR_NO_MEMORY) == 0;
	verifier->officers = more;
	more[verifier->officers_count] =
		(struct officer_seen){index, (uint32_t)content->of.letter.of.credence.officer, {0}};
	memcpy(more[verifier->officers_count++].key, content->of.letter.of.credence.key, PUBLIC_KEY_SIZE);
	return true;
}

/* The keys with which the decoded entry must be signed; false if a letter that names one is missing. */
static bool find_keys(const struct verifier *verifier, uint64_t log, struct signer_keys *keys)
{
	const struct content *content = &verifier->entry.content;
	size_t index = log_roster_index(log);
	keys->count = content->signers_count > 0 ? content->signers_count : 1;
	if (content->signers_count == 0) {
		memcpy(keys->keys[0], verifier->statement_key[log], PUBLIC_KEY_SIZE);
		return verifier->has_post[log];
	}
	if (content->signers[0] == 0) {
		memcpy(keys->keys[0], verifier->authority[index], PUBLIC_KEY_SIZE);
		return verifier->has_authority[index];
	}
	for (size_t i = 0; i < keys->count; i++) {
		bool found = false;
		for (size_t j = 0; j < verifier->officers_count; j++) {
			const struct officer_seen *officer = &verifier->officers[j];
			if (officer->party == index && officer->number == content->signers[i]) {
				memcpy(keys->keys[i], officer->key, PUBLIC_KEY_SIZE);
				found = true;
			}
		}
		if (!found)
			return false;
	}
	return true;
}

/* The reference that a form of the log's name, incarnation, position and time make (of a leaf alone: but for
 * the year). */
static bool is_reference(const struct verifier *verifier, const struct held_entry *held,
			 const struct reference_log *log, enum reference_form form)
{
	uint8_t memory[REFERENCE_SIZE_MAX], name_memory[REFERENCE_NAME_SIZE_MAX];
	struct buffer made = buffer_make(memory, sizeof memory);
	struct buffer name = buffer_make(name_memory, sizeof name_memory);
	struct bytes given = bytes_of_text(verify_name(held));
	reference_name_append(&name, log, form);
	reference_append(&made, buffer_bytes(&name), held->incarnation, held->position,
			 held->leaf_alone ? 0 : content_time(&verifier->entry.content));
	struct bytes wanted = buffer_bytes(&made);
	if (held->leaf_alone && given.size == wanted.size)
		given.size = wanted.size -= 2;
	return bytes_equal(given, wanted);
}

/* Which form it has hangs on the posts that the exporting post knew of, some of which may not have opened. */
static bool check_reference(const struct verifier *verifier, const struct held_entry *held)
{
	size_t index = log_roster_index(held->log);
	struct reference_log log = {
		.log = held->log,
		.post_name = bytes_of_text(verifier->post_name[held->log]),
		.party_name = bytes_of_text(verifier->party_name[index]),
	};
	memcpy(log.party_id, verifier->roster.ids[index], sizeof log.party_id);
	for (enum reference_form form = REFERENCE_BY_POST; form < REFERENCE_FORMS; form++)
		if (is_reference(verifier, held, &log, form))
			return true;
	call_fail(verifier->call, "%s is the reference of another entry than the one beside it",
		  verify_name(held));
	return false;
}

/* Remembers how much of other logs the author had seen. */
static void note_named(struct verifier *verifier)
{
	for (size_t i = 0; i < verifier->leaf.heads.count; i++) {
		const struct head_seen *seen = &verifier->leaf.heads.heads[i];
		size_t at = 0;
		while (at < verifier->named_count && (verifier->named[at].log != seen->log ||
						      verifier->named[at].incarnation != seen->incarnation))
			at++;
		if (at == verifier->named_count && at == NAMED_MAX)
			continue;
		if (at == verifier->named_count)
			verifier->named[verifier->named_count++] =
				(struct log_named){.log = seen->log, .incarnation = seen->incarnation};
		if (seen->size > verifier->named[at].size)
			verifier->named[at].size = seen->size;
	}
}

static void note_held(struct verifier *verifier, const json_t *object, uint64_t log)
{
	const struct content *content = &verifier->entry.content;
	struct held_entry *held = &verifier->held[verifier->held_count++];
	*held = (struct held_entry){.log = log, .object = object, .leaf_alone = content->kind == 0};
	verify_get_incarnation(object, &held->incarnation);
	held->position = verifier->leaf.position;
	memcpy(held->identity, verifier->leaf.identity, sizeof held->identity);
	if (content->kind == CONTENT_INCARNATION) {
		held->continues = content->of.incarnation.previous;
		held->continues_size = content->of.incarnation.size;
		held->continues_root = content->of.incarnation.root;
	}
	note_named(verifier);
}

/*
 * The decoded entry is the one that its leaf names, and is signed by the keys of its party's letters; those
 * by the authority's, which is the one that the party's id is made of.
 */
static bool check_signed(struct verifier *verifier, const char *reference, uint64_t log,
			 const struct aad *aad)
{
	uint8_t identity[IDENTITY_SIZE], hash[32];
	struct signer_keys keys;
	struct buffer work = buffer_make(verifier->work, sizeof verifier->work);
	identity_of(aad, verifier->entry.cose.payload, identity);
	cose_signatures_hash(&verifier->entry.cose, hash);
	if (memcmp(identity, verifier->leaf.identity, sizeof identity) != 0 ||
	    memcmp(hash, verifier->leaf.signatures_hash, sizeof hash) != 0) {
		call_fail(verifier->call, "%s is not the entry that its leaf names", reference);
		return false;
	}
	/* No letter delegates: an officer's own credence could name the very key that signed it. */
	if (verifier->entry.content.kind == CONTENT_LETTER && verifier->entry.content.signers[0] != 0) {
		call_fail(verifier->call, "%s is a letter that is not by its party's authority", reference);
		return false;
	}
	if (!find_keys(verifier, log, &keys)) {
		call_fail(verifier->call, "%s is signed by one whom no letter in the record names",
			  reference);
		return false;
	}
	enum error error = entry_verify(&verifier->entry, aad, &keys, &work);
	if (error != ERROR_OK)
		call_fail_error(verifier->call, reference, error);
	verifier->signatures += keys.count;
	return error == ERROR_OK;
}

static bool check_entry(struct verifier *verifier, const json_t *object, uint64_t log, const struct aad *aad)
{
	note_held(verifier, object, log);
	const struct held_entry *held = &verifier->held[verifier->held_count - 1];
	verifier->leaves_alone += held->leaf_alone;
	if (!check_reference(verifier, held))
		return false;
	return held->leaf_alone ||
	       (check_signed(verifier, verify_name(held), log, aad) && verify_note_refusals(verifier, log));
}

/* Goes over all entries: once to learn the letters' keys, once to check. */
static bool each_entry(struct verifier *verifier, const json_t *entries, bool checking)
{
	struct progress progress =
		progress_start(checking ? "verifying" : "reading letters", json_array_size(entries));
	bool done = true;
	for (size_t i = 0; done && i < json_array_size(entries); i++) {
		const json_t *object = json_array_get(entries, i);
		uint64_t log = 0;
		struct aad aad;
		done = read_entry(verifier, object, &log, &aad) &&
		       (checking ? check_entry(verifier, object, log, &aad) : learn(verifier, log));
		progress_show(&progress, i);
	}
	progress_end(&progress);
	return done;
}

static int compare_held(const void *a, const void *b)
{
	const struct held_entry *left = a, *right = b;
	if (left->log != right->log)
		return left->log < right->log ? -1 : 1;
	if (left->incarnation != right->incarnation)
		return left->incarnation < right->incarnation ? -1 : 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

/* In the order of logs and positions; none may stand there twice. */
static bool sort_held(struct verifier *verifier)
{
	qsort(verifier->held, verifier->held_count, sizeof *verifier->held, compare_held);
	for (size_t i = 1; i < verifier->held_count; i++)
		if (compare_held(&verifier->held[i - 1], &verifier->held[i]) == 0) {
			call_fail(verifier->call, "%s stands in the export twice",
				  verify_name(&verifier->held[i]));
			return false;
		}
	verify_sort_refusals(verifier);
	return true;
}

const char *verify_name(const struct held_entry *entry)
{
	const char *reference = json_string_value(json_object_get(entry->object, "reference"));
	return reference != NULL ? reference : "an entry";
}

const struct held_entry *verify_held(const struct verifier *verifier, uint64_t log, uint64_t incarnation,
				     size_t *count)
{
	size_t low = 0, high = verifier->held_count;
	struct held_entry wanted = {.log = log, .incarnation = incarnation};
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_held(&verifier->held[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*count = 0;
	while (low + *count < verifier->held_count && verifier->held[low + *count].log == log &&
	       verifier->held[low + *count].incarnation == incarnation)
		++*count;
	return *count > 0 ? &verifier->held[low] : NULL;
}

static struct verifier *verifier_make(const struct call *call, const json_t *export)
{
	struct verifier *verifier = calloc(1, sizeof *verifier);
	if (verifier == NULL) {
		call_fail_error(call, "verifying", ERROR_NO_MEMORY);
		return NULL;
	}
	verifier->call = call;
	verifier->card = calloc(1, sizeof *verifier->card);
	verifier->held =
		calloc(json_array_size(json_object_get(export, "entries")) + 1, sizeof *verifier->held);
	verifier->named = calloc(NAMED_MAX, sizeof *verifier->named);
	return verifier;
}

static void verifier_free(struct verifier *verifier)
{
	if (verifier == NULL)
		return;
	free(verifier->officers);
	free(verifier->card);
	free(verifier->held);
	free(verifier->named);
	free(verifier->refused);
	free(verifier);
}

int export_verify(const struct call *call, const json_t *export)
{
	const json_t *entries = json_object_get(export, "entries");
	struct verifier *verifier = verifier_make(call, export);
	bool done = verifier != NULL;
	if (done && (verifier->card == NULL || verifier->held == NULL || verifier->named == NULL))
		done = call_fail_error(call, "verifying", ERROR_NO_MEMORY) == 0;
	done = done && read_roster(verifier, export) && is_between_those_asked_for(verifier) &&
	       each_entry(verifier, entries, false) && each_entry(verifier, entries, true) &&
	       sort_held(verifier) && verify_receipts(verifier) && verify_heads(verifier, export);
	int code = done ? verify_report(verifier, export) : 1;
	verifier_free(verifier);
	return code;
}
