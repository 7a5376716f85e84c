#include <stdlib.h>
#include <string.h>

#include "cli/export.h"
#include "cli/verify_parts.h"
#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"

struct told_head {
	uint64_t log;
	uint64_t incarnation;
	uint64_t size;
};

/* The root of the first `size` entries of one log. False where they are not all there. */
static bool compute_root(struct verifier *verifier, const struct told_head *head, struct merkle_hash *root)
{
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	size_t count = 0, completed = 0;
	const struct held_entry *held = verify_held(verifier, head->log, head->incarnation, &count);
	struct merkle_frontier *frontier = calloc(1, sizeof *frontier);
	bool done = frontier != NULL && count >= head->size;
	if (frontier != NULL)
		merkle_frontier_init(frontier);
	for (size_t i = 0; done && i < head->size; i++) {
		size_t size = 0;
		struct merkle_hash hash;
		done = held[i].position == i && verify_get_hex(held[i].object, "leaf", verifier->leaf_bytes,
							       sizeof verifier->leaf_bytes, &size);
		merkle_leaf_hash(bytes_make(verifier->leaf_bytes, size), &hash);
		done = done && merkle_append(frontier, &hash, nodes, &completed) == ERROR_OK;
	}
	if (done)
		merkle_frontier_root(frontier, root);
	free(frontier);
	return done;
}

static uint64_t count_below(const struct verifier *verifier, const struct told_head *head)
{
	size_t count = 0;
	uint64_t below = 0;
	const struct held_entry *held = verify_held(verifier, head->log, head->incarnation, &count);
	for (size_t i = 0; i < count; i++)
		below += held[i].position < head->size;
	return below;
}

static bool is_text(const json_t *object, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text != NULL && strcmp(text, wanted) == 0;
}

bool verify_cosigner(const struct verifier *verifier, const json_t *head, uint64_t *log)
{
	uint8_t key[PUBLIC_KEY_SIZE];
	char name[CHECKPOINT_COSIGNER_SIZE + 1];
	bool found = false;
	bool given = verify_get_hex_exact(head, "cosigner_key", key, sizeof key);
	for (uint64_t i = 0; given && !found && i <= LOG_MAX; i++) {
		if (!verifier->has_log[i] || memcmp(verifier->cosigner_key[i], key, sizeof key) != 0)
			continue;
		checkpoint_cosigner(verifier->channel, verifier->roster.ids[log_roster_index(i)], log_slot(i),
				    name);
		found = is_text(head, "cosigner", name);
		*log = i;
	}
	return found;
}

/*
 * The cosignature beside a head, where there is one, is by a post that an opening in the record names, and
 * that is not the log's own.
 */
static bool check_cosignature(const struct verifier *verifier, const json_t *head, uint64_t head_log,
			      const struct checkpoint *checkpoint)
{
	uint8_t signature[ED25519_SIGNATURE_SIZE];
	uint64_t time, log;
	if (json_object_get(head, "cosignature") == NULL)
		return true;
	return verify_cosigner(verifier, head, &log) && log != head_log &&
	       verify_get_hex_exact(head, "cosignature", signature, sizeof signature) &&
	       verify_get_number(head, "cosigned_at", TIME_MAX, &time) &&
	       cosignature_verify(checkpoint, time, verifier->cosigner_key[log], signature) == ERROR_OK;
}

/* The log's own signature; the names and keys beside it are those that the openings make. */
static bool check_log_signature(const struct verifier *verifier, const json_t *head, uint64_t log,
				const struct checkpoint *checkpoint)
{
	uint8_t key[PUBLIC_KEY_SIZE], signature[ED25519_SIGNATURE_SIZE];
	return verifier->has_log[log] && verify_get_hex_exact(head, "log_key", key, sizeof key) &&
	       memcmp(key, verifier->log_key[log], sizeof key) == 0 &&
	       is_text(head, "origin", (const char *)checkpoint->origin.data) &&
	       verify_get_hex_exact(head, "signature", signature, sizeof signature) &&
	       checkpoint_verify(checkpoint, key, signature) == ERROR_OK;
}

/*
 * The note beside a head, where there is one, is the very one that the head and its signatures make: other
 * tools read it alone. The signatures have been checked.
 */
static bool check_note(const struct verifier *verifier, const json_t *head, uint64_t head_log,
		       const struct checkpoint *checkpoint)
{
	uint8_t memory[HEAD_NOTE_SIZE_MAX], signature[ED25519_SIGNATURE_SIZE];
	struct buffer made = buffer_make(memory, sizeof memory);
	const json_t *note = json_object_get(head, "note");
	uint64_t time, log;
	if (note == NULL)
		return true;
	bool sound =
		verify_get_hex_exact(head, "signature", signature, sizeof signature) &&
		checkpoint_note_write(checkpoint, verifier->log_key[head_log], signature, &made) == ERROR_OK;
	if (sound && json_object_get(head, "cosignature") != NULL)
		sound = verify_cosigner(verifier, head, &log) &&
			verify_get_hex_exact(head, "cosignature", signature, sizeof signature) &&
			verify_get_number(head, "cosigned_at", TIME_MAX, &time) &&
			checkpoint_note_add(
				&made, bytes_of_text(json_string_value(json_object_get(head, "cosigner"))),
				verifier->cosigner_key[log], time, signature) == ERROR_OK;
	sound = sound && json_is_string(note) &&
		bytes_equal(bytes_make(json_string_value(note), json_string_length(note)),
			    buffer_bytes(&made));
	if (!sound)
		call_fail(verifier->call,
			  "log %u: the note beside its head is not the one that this head and its "
			  "signatures make",
			  (unsigned)head_log);
	return sound;
}

/* The post that is said to have cosigned stands in no opening here. */
static bool cosigner_is_unknown(const struct verifier *verifier, const json_t *head)
{
	uint8_t key[PUBLIC_KEY_SIZE];
	bool is_known = false;
	if (!verify_get_hex_exact(head, "cosigner_key", key, sizeof key))
		return false;
	for (size_t log = 0; log <= LOG_MAX; log++)
		is_known |=
			verifier->has_log[log] && memcmp(verifier->cosigner_key[log], key, sizeof key) == 0;
	return !is_known;
}

/* Says why the signatures over a head do not hold, as far as it can be told; false. */
static bool refuse_signatures(const struct verifier *verifier, const json_t *head, uint64_t log)
{
	const char *why = "the signatures over its head do not hold";
	if (!verifier->has_log[log])
		why = "no opening here names its key: the letters of its party were left out";
	else if (cosigner_is_unknown(verifier, head))
		why = "the signatures over its head do not hold: no opening here names who cosigned it, so "
		      "that log was left out, or it is forged";
	call_fail(verifier->call, "log %u: %s", (unsigned)log, why);
	return false;
}

static bool read_head(const struct verifier *verifier, const json_t *object, struct told_head *head)
{
	return verify_get_number(object, "log", LOG_MAX, &head->log) &&
	       verify_get_number(object, "size", POSITION_MAX + 1, &head->size) &&
	       verify_get_incarnation(object, &head->incarnation) &&
	       log_roster_index(head->log) < verifier->roster.count;
}

static void make_origin(const struct verifier *verifier, const struct told_head *head,
			char origin[CHECKPOINT_ORIGIN_SIZE + 1])
{
	checkpoint_origin(verifier->channel, verifier->roster.ids[log_roster_index(head->log)],
			  log_slot(head->log), head->incarnation, origin);
}

static bool check_head(struct verifier *verifier, const json_t *object)
{
	struct told_head head;
	struct merkle_hash computed;
	uint8_t root[32];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	if (!read_head(verifier, object, &head) || !verify_get_hex_exact(object, "root", root, sizeof root)) {
		call_fail(verifier->call, "a head is not of the form of an export");
		return false;
	}
	unsigned log = (unsigned)head.log;
	if (!compute_root(verifier, &head, &computed)) {
		call_fail(
			verifier->call,
			"log %u, incarnation %u: entries below its head are missing, %llu of %llu: lost, or "
			"left out",
			log, (unsigned)head.incarnation,
			(unsigned long long)(head.size - count_below(verifier, &head)),
			(unsigned long long)head.size);
		return false;
	}
	if (memcmp(computed.bytes, root, sizeof root) != 0) {
		call_fail(verifier->call, "log %u: its entries do not give the root of its head", log);
		return false;
	}
	make_origin(verifier, &head, origin);
	struct checkpoint checkpoint = {bytes_of_text(origin), head.size, computed};
	if (check_log_signature(verifier, object, head.log, &checkpoint) &&
	    check_cosignature(verifier, object, head.log, &checkpoint))
		return check_note(verifier, object, head.log, &checkpoint);
	return refuse_signatures(verifier, object, head.log);
}

/* ---- what is not there ---- */

/* The largest head in the export of one incarnation; false where there is none. */
static bool find_head(const struct verifier *verifier, const json_t *heads, uint64_t log,
		      uint64_t incarnation, struct told_head *found)
{
	*found = (struct told_head){.log = log, .incarnation = incarnation};
	for (size_t i = 0; i < json_array_size(heads); i++) {
		struct told_head head;
		if (read_head(verifier, json_array_get(heads, i), &head) && head.log == log &&
		    head.incarnation == incarnation && head.size > found->size)
			*found = head;
	}
	return found->size > 0;
}

/* The newest incarnation of a log of which an entry is held; 0: none. */
static uint64_t newest_held(const struct verifier *verifier, uint64_t log)
{
	uint64_t incarnation = 0;
	for (size_t i = 0; i < verifier->held_count; i++)
		if (verifier->held[i].log == log && verifier->held[i].incarnation > incarnation)
			incarnation = verifier->held[i].incarnation;
	return incarnation;
}

/*
 * An incarnation of a log of which nothing is held, but that entries of others name; 0: none. That is their
 * authors' word: of a log that its party's opening does not name, it is no more.
 */
static uint64_t named_alone(const struct verifier *verifier, uint64_t log)
{
	uint64_t incarnation = 0;
	for (size_t i = 0; i < verifier->named_count; i++)
		if (verifier->named[i].log == log && verifier->named[i].incarnation > incarnation)
			incarnation = verifier->named[i].incarnation;
	return verifier->has_authority[log_roster_index(log)] && !verifier->has_log[log] ? 0 : incarnation;
}

/*
 * Entries without a head over them could be left out unseen, so each log must have one of its newest
 * incarnation. (The post gives the last ones of former incarnations, too, as far as it knows of them.) What
 * others say of later ones than are held is told as missing: a hostile party may say anything.
 */
static bool check_no_log_is_cut_out(const struct verifier *verifier, const json_t *heads)
{
	for (uint64_t log = 0; log < verifier->roster.count * POST_SLOTS; log++) {
		uint64_t held = newest_held(verifier, log);
		uint64_t incarnation = held != 0 ? held : named_alone(verifier, log);
		struct told_head head;
		if (incarnation == 0 || find_head(verifier, heads, log, incarnation, &head))
			continue;
		call_fail(verifier->call,
			  "log %u, incarnation %u: entries are of it or name it, and no signed head of it is "
			  "here: it was left out, or its first head is on its way",
			  (unsigned)log, (unsigned)incarnation);
		return false;
	}
	return true;
}

bool verify_covered(struct verifier *verifier, const json_t *heads, uint64_t log, uint64_t incarnation,
		    uint64_t *size)
{
	struct told_head head;
	struct merkle_hash root;
	bool found = find_head(verifier, heads, log, incarnation, &head);
	for (size_t i = 0; !found && i < verifier->held_count; i++) {
		const struct held_entry *entry = &verifier->held[i];
		if (entry->log != log || entry->continues != incarnation)
			continue;
		head.size = entry->continues_size;
		found = compute_root(verifier, &head, &root) &&
			merkle_hash_equal(&root, &entry->continues_root);
	}
	*size = found ? head.size : 0;
	return found;
}

/* ---- proofs of equivocation ---- */

static bool check_proof(const struct verifier *verifier, const json_t *object)
{
	struct told_head head = {0};
	struct equivocation equivocation;
	uint8_t bytes[EQUIVOCATION_SIZE_MAX];
	size_t size = 0;
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	bool good = verify_get_number(object, "log", LOG_MAX, &head.log) &&
		    verify_get_incarnation(object, &head.incarnation) &&
		    log_roster_index(head.log) < verifier->roster.count && verifier->has_log[head.log] &&
		    verify_get_hex(object, "proof", bytes, sizeof bytes, &size);
	if (good) {
		struct cbor_reader reader = cbor_reader_make(bytes_make(bytes, size));
		equivocation_read(&reader, &equivocation);
		make_origin(verifier, &head, origin);
		good = cbor_read_end(&reader) == ERROR_OK &&
		       equivocation_check(bytes_of_text(origin), verifier->log_key[head.log],
					  &equivocation) == ERROR_OK;
	}
	if (!good)
		call_fail(verifier->call, "log %u: what is called a proof that it forked proves nothing",
			  (unsigned)head.log);
	return good;
}

/* The same head stands there once for each post that cosigned it, and else once. */
static bool stands_twice(const json_t *head, const json_t *earlier)
{
	static const char *const same[] = {"log", "incarnation"}, *const shared[] = {"size", "root"};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		if (!json_equal(json_object_get(head, same[i]), json_object_get(earlier, same[i])))
			return false;
	for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
		if (!json_equal(json_object_get(head, shared[i]), json_object_get(earlier, shared[i])))
			return true;
	const char *cosigner = json_string_value(json_object_get(head, "cosigner"));
	const char *other = json_string_value(json_object_get(earlier, "cosigner"));
	return cosigner == NULL || other == NULL || strcmp(cosigner, other) == 0;
}

static bool no_log_stands_twice(const struct verifier *verifier, const json_t *heads)
{
	for (size_t i = 0; i < json_array_size(heads); i++) {
		struct told_head head;
		bool sound = read_head(verifier, json_array_get(heads, i), &head);
		for (size_t j = 0; sound && j < i; j++)
			if (stands_twice(json_array_get(heads, i), json_array_get(heads, j))) {
				call_fail(verifier->call, "log %u, incarnation %u stands in the export twice",
					  (unsigned)head.log, (unsigned)head.incarnation);
				return false;
			}
	}
	return true;
}

bool verify_heads(struct verifier *verifier, const json_t *export)
{
	const json_t *heads = json_object_get(export, "logs");
	const json_t *proofs = json_object_get(export, "equivocations");
	bool done = no_log_stands_twice(verifier, heads);
	for (size_t i = 0; done && i < json_array_size(heads); i++)
		done = check_head(verifier, json_array_get(heads, i));
	for (size_t i = 0; done && i < json_array_size(proofs); i++)
		done = check_proof(verifier, json_array_get(proofs, i));
	return done && check_no_log_is_cut_out(verifier, heads);
}
