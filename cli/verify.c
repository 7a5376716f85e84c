#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/export.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "cli/progress.h"
#include "envelope/checkpoint.h"
#include "envelope/signed.h"
#include "envelope/wire.h"

struct officer_seen {
	size_t party; /* roster index */
	uint32_t number;
	uint8_t key[PUBLIC_KEY_SIZE];
};

/* What is learnt from the letters in the export, and room for one entry. */
struct verifier {
	const struct call *call;
	uint8_t channel[CHANNEL_ID_SIZE];
	struct roster roster;
	bool has_authority[PARTIES_MAX];
	uint8_t authority[PARTIES_MAX][PUBLIC_KEY_SIZE];
	bool has_post[LOG_MAX + 1];
	uint8_t statement_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	uint8_t log_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	uint8_t cosigner_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	bool has_log[LOG_MAX + 1];
	size_t officers_count;
	struct officer_seen *officers;
	struct card_party *card;
	struct signed_entry entry;
	struct leaf leaf;
	uint8_t cose[ENTRY_SIZE_MAX];
	uint8_t leaf_bytes[ENTRY_SIZE_MAX];
	uint8_t work[SIGNED_WORK_SIZE];
	size_t signatures;
};

/* Hexadecimal member `name` of an object into `to`; false if it is missing, no hexadecimal, or too large. */
static bool get_hex(const json_t *object, const char *name, uint8_t *to, size_t size_max, size_t *size)
{
	const json_t *member = json_object_get(object, name);
	const char *text = json_string_value(member);
	return text != NULL &&
	       sodium_hex2bin(to, size_max, text, json_string_length(member), NULL, size, NULL) == 0 &&
	       2 * *size == json_string_length(member);
}

static bool get_hex_exact(const json_t *object, const char *name, uint8_t *to, size_t size)
{
	size_t got = 0;
	return get_hex(object, name, to, size, &got) && got == size;
}

static bool get_number(const json_t *object, const char *name, uint64_t max, uint64_t *number)
{
	const json_t *member = json_object_get(object, name);
	json_int_t value = json_integer_value(member);
	*number = (uint64_t)value;
	return json_is_integer(member) && value >= 0 && (uint64_t)value <= max;
}

static bool read_roster(struct verifier *verifier, const json_t *export)
{
	const json_t *roster = json_object_get(export, "roster");
	verifier->roster.count = json_array_size(roster);
	bool sound = get_hex_exact(export, "channel", verifier->channel, CHANNEL_ID_SIZE) &&
		     verifier->roster.count >= 2 && verifier->roster.count <= PARTIES_MAX;
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
	if (!get_number(object, "log", LOG_MAX, log) ||
	    !get_number(object, "incarnation", INCARNATIONS_MAX, &incarnation) ||
	    !get_number(object, "position", POSITION_MAX, &position) ||
	    log_roster_index(*log) >= verifier->roster.count ||
	    !get_hex(object, "cose", verifier->cose, sizeof verifier->cose, &cose_size) ||
	    !get_hex(object, "leaf", verifier->leaf_bytes, sizeof verifier->leaf_bytes, &leaf_size) ||
	    leaf_decode(bytes_make(verifier->leaf_bytes, leaf_size), &verifier->leaf) != ERROR_OK ||
	    verifier->leaf.position != position) {
		call_fail(verifier->call, "%s is not of the form of an export",
			  reference != NULL ? reference : "an entry");
		return false;
	}
	aad_on_channel(aad, AAD_ENTRY, verifier->channel, &verifier->roster, log_roster_index(*log));
	verifier->entry.content.kind = 0;
	if (cose_size == 0)
		return true; /* refused by the exporting post: only its leaf is kept */
	enum error error = entry_decode(bytes_make(verifier->cose, cose_size), &verifier->entry);
	if (error == ERROR_OK)
		return true;
	call_fail_error(verifier->call, reference, error);
	return false;
}

/* An opening names the authority, the posts and their keys; a party's first one counts. */
static bool learn_opening(struct verifier *verifier, size_t index)
{
	const struct opening_letter *opening = &verifier->entry.content.of.letter.of.opening;
	if (verifier->has_authority[index])
		return true;
	enum error error = party_chain_verify(opening->card, opening->card_count, verifier->card);
	if (error == ERROR_OK && memcmp(verifier->card->id, verifier->roster.ids[index], PARTY_ID_SIZE) != 0)
		error = ERROR_REFUSED_AUTHORITY;
	if (error != ERROR_OK) {
		call_fail_error(verifier->call, "the card letters in an opening", error);
		return false;
	}
	verifier->has_authority[index] = true;
	memcpy(verifier->authority[index], verifier->card->founding.authority_key, PUBLIC_KEY_SIZE);
	for (size_t i = 0; i < opening->posts_count; i++) {
		uint64_t slot = opening->posts[i].slot, log = log_number(index, slot);
		verifier->has_log[log] = true;
		memcpy(verifier->log_key[log], opening->posts[i].log_key, PUBLIC_KEY_SIZE);
		memcpy(verifier->cosigner_key[log], opening->posts[i].cosigner_key, PUBLIC_KEY_SIZE);
		verifier->has_post[log] = verifier->card->posts[slot].known;
		memcpy(verifier->statement_key[log], verifier->card->posts[slot].letter.statement_key,
		       PUBLIC_KEY_SIZE);
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

/*
 * The leaf in verifier->leaf is that of the decoded entry, which is signed by the keys of its party's
 * letters.
 */
static bool check_entry(struct verifier *verifier, const json_t *object, uint64_t log, const struct aad *aad)
{
	uint8_t identity[IDENTITY_SIZE], hash[32];
	struct signer_keys keys;
	struct buffer work = buffer_make(verifier->work, sizeof verifier->work);
	const char *reference = json_string_value(json_object_get(object, "reference"));
	if (verifier->entry.content.kind == 0)
		return true;
	identity_of(aad, verifier->entry.cose.payload, identity);
	cose_signatures_hash(&verifier->entry.cose, hash);
	if (memcmp(identity, verifier->leaf.identity, sizeof identity) != 0 ||
	    memcmp(hash, verifier->leaf.signatures_hash, sizeof hash) != 0) {
		call_fail(verifier->call, "%s is not the entry that its leaf names", reference);
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

struct head_wanted {
	uint64_t log;
	uint64_t incarnation;
	uint64_t size;
};

static int compare_positions(const void *a, const void *b)
{
	json_int_t left = json_integer_value(json_object_get(*(json_t *const *)a, "position"));
	json_int_t right = json_integer_value(json_object_get(*(json_t *const *)b, "position"));
	return left < right ? -1 : left > right;
}

/* The root of the first `size` leaves of one log, from the export's entries. */
static bool compute_root(struct verifier *verifier, const json_t *entries, const struct head_wanted *wanted,
			 struct merkle_hash *root)
{
	size_t count = 0, completed = 0, total = json_array_size(entries);
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	json_t **sorted = calloc(total + 1, sizeof *sorted);
	struct merkle_frontier *frontier = calloc(1, sizeof *frontier);
	bool done = sorted != NULL && frontier != NULL;
	for (size_t i = 0; done && i < total; i++) {
		json_t *object = json_array_get(entries, i);
		if ((uint64_t)json_integer_value(json_object_get(object, "log")) == wanted->log &&
		    (uint64_t)json_integer_value(json_object_get(object, "incarnation")) ==
			    wanted->incarnation &&
		    (uint64_t)json_integer_value(json_object_get(object, "position")) < wanted->size)
			sorted[count++] = object;
	}
	if (done)
		qsort(sorted, count, sizeof(json_t *), compare_positions);
	done = done && count == wanted->size;
	merkle_frontier_init(frontier);
	for (size_t i = 0; done && i < count; i++) {
		size_t size = 0;
		struct merkle_hash hash;
		done = get_hex(sorted[i], "leaf", verifier->leaf_bytes, sizeof verifier->leaf_bytes, &size) &&
		       (uint64_t)json_integer_value(json_object_get(sorted[i], "position")) == i;
		merkle_leaf_hash(bytes_make(verifier->leaf_bytes, size), &hash);
		done = done && merkle_append(frontier, &hash, nodes, &completed) == ERROR_OK;
	}
	if (done)
		merkle_frontier_root(frontier, root);
	free(frontier);
	free(sorted);
	return done;
}

/* The cosignature beside a head, where there is one, is by a post that an opening in the record names. */
static bool check_cosignature(const struct verifier *verifier, const json_t *head,
			      const struct checkpoint *checkpoint)
{
	uint8_t key[PUBLIC_KEY_SIZE], signature[ED25519_SIGNATURE_SIZE];
	uint64_t time;
	bool is_known = false;
	if (json_object_get(head, "cosignature") == NULL)
		return true;
	if (!get_hex_exact(head, "cosigner_key", key, sizeof key))
		return false;
	for (size_t log = 0; log <= LOG_MAX; log++)
		is_known |=
			verifier->has_log[log] && memcmp(verifier->cosigner_key[log], key, sizeof key) == 0;
	return is_known && get_hex_exact(head, "cosignature", signature, sizeof signature) &&
	       get_number(head, "cosigned_at", TIME_MAX, &time) &&
	       cosignature_verify(checkpoint, time, key, signature) == ERROR_OK;
}

static bool check_head(struct verifier *verifier, const json_t *head, const json_t *entries)
{
	struct head_wanted wanted;
	struct merkle_hash computed;
	uint8_t root[32], signature[ED25519_SIGNATURE_SIZE];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	if (!get_number(head, "log", LOG_MAX, &wanted.log) ||
	    !get_number(head, "size", POSITION_MAX + 1, &wanted.size) ||
	    !get_number(head, "incarnation", INCARNATIONS_MAX, &wanted.incarnation) ||
	    !get_hex_exact(head, "root", root, sizeof root) ||
	    !get_hex_exact(head, "signature", signature, sizeof signature) ||
	    log_roster_index(wanted.log) >= verifier->roster.count) {
		call_fail(verifier->call, "a head is not of the form of an export");
		return false;
	}
	unsigned log = (unsigned)wanted.log;
	if (!compute_root(verifier, entries, &wanted, &computed)) {
		call_fail(verifier->call, "log %u: the record does not hold every entry below its head", log);
		return false;
	}
	if (memcmp(computed.bytes, root, sizeof root) != 0) {
		call_fail(verifier->call, "log %u: its entries do not give the root of its head", log);
		return false;
	}
	checkpoint_origin(verifier->channel, verifier->roster.ids[log_roster_index(wanted.log)],
			  log_slot(wanted.log), wanted.incarnation, origin);
	struct checkpoint checkpoint = {bytes_of_text(origin), wanted.size, computed};
	if (!verifier->has_log[wanted.log] ||
	    checkpoint_verify(&checkpoint, verifier->log_key[wanted.log], signature) != ERROR_OK ||
	    !check_cosignature(verifier, head, &checkpoint)) {
		call_fail(verifier->call, "log %u: the signatures over its head do not hold", log);
		return false;
	}
	return true;
}

/* Entries that lie under none of the heads: nothing but the export says that they stand where they do. */
static size_t count_uncovered(const json_t *heads, const json_t *entries)
{
	size_t uncovered = 0;
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		bool is_covered = false;
		for (size_t j = 0; !is_covered && j < json_array_size(heads); j++) {
			const json_t *head = json_array_get(heads, j);
			is_covered =
				json_equal(json_object_get(head, "log"), json_object_get(entry, "log")) &&
				json_equal(json_object_get(head, "incarnation"),
					   json_object_get(entry, "incarnation")) &&
				json_integer_value(json_object_get(entry, "position")) <
					json_integer_value(json_object_get(head, "size"));
		}
		uncovered += !is_covered;
	}
	return uncovered;
}

static json_t *report(const struct verifier *verifier, const json_t *heads, size_t uncovered)
{
	json_t *logs = json_array();
	for (size_t i = 0; i < json_array_size(heads); i++) {
		const json_t *head = json_array_get(heads, i);
		json_array_append_new(
			logs, json_pack("{s:O, s:O, s:O, s:O, s:b}", "log", json_object_get(head, "log"),
					"incarnation", json_object_get(head, "incarnation"), "size",
					json_object_get(head, "size"), "root", json_object_get(head, "root"),
					"cosigned", json_object_get(head, "cosignature") != NULL));
	}
	return json_pack("{s:b, s:I, s:I, s:o}", "verified", 1, "signatures",
			 (json_int_t)verifier->signatures, "uncovered", (json_int_t)uncovered, "logs", logs);
}

static void print_heads(const struct verifier *verifier, const json_t *heads, size_t uncovered)
{
	for (size_t i = 0; i < json_array_size(heads); i++) {
		const json_t *head = json_array_get(heads, i);
		printf("log %d, incarnation %d: %d entries, head %s%s\n",
		       (int)json_integer_value(json_object_get(head, "log")),
		       (int)json_integer_value(json_object_get(head, "incarnation")),
		       (int)json_integer_value(json_object_get(head, "size")),
		       json_string_value(json_object_get(head, "root")),
		       json_object_get(head, "cosignature") != NULL ? ", cosigned" : "");
	}
	printf("verified: %zu signatures of entries, every leaf, tree and head\n", verifier->signatures);
	if (uncovered > 0)
		printf("%zu entries lie under none of these heads: that none before them is missing is not "
		       "shown\n",
		       uncovered);
}

int export_verify(const struct call *call, const json_t *export)
{
	const json_t *heads = json_object_get(export, "logs"), *entries = json_object_get(export, "entries");
	struct verifier *verifier = calloc(1, sizeof *verifier);
	bool done = verifier != NULL && (verifier->card = calloc(1, sizeof *verifier->card)) != NULL;
	if (done) {
		verifier->call = call;
		done = read_roster(verifier, export) && each_entry(verifier, entries, false) &&
		       each_entry(verifier, entries, true);
		for (size_t i = 0; done && i < json_array_size(heads); i++)
			done = check_head(verifier, json_array_get(heads, i), entries);
	}
	int code = done ? 0 : 1;
	size_t uncovered = done ? count_uncovered(heads, entries) : 0;
	if (done && call->json)
		code = output_json(call, report(verifier, heads, uncovered));
	else if (done)
		print_heads(verifier, heads, uncovered);
	if (verifier != NULL) {
		free(verifier->officers);
		free(verifier->card);
	}
	free(verifier);
	return code;
}
