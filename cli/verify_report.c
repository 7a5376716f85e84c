#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/verify_parts.h"

/* Something that is not there, or not as it should be, and is no fault of the export. */
struct remark {
	uint64_t log;
	uint64_t incarnation;
	uint64_t count;
};

/* Where each kind of remark goes: lines for people, or an array for each. */
struct remarks {
	json_t *beyond; /* entries beyond the head: not bound by any signature of the log */
	json_t *without_head;
	json_t *missing;     /* entries that others had seen */
	json_t *unexplained; /* leaves alone that no verdict says were refused */
	json_t *forked;
	json_t *absent; /* parties of whom there is no log */
};

static void add(json_t *to, uint64_t log, uint64_t incarnation, uint64_t count)
{
	json_array_append_new(to, json_pack("{s:I, s:I, s:I}", "log", (json_int_t)log, "incarnation",
					    (json_int_t)incarnation, "entries", (json_int_t)count));
}

static void look_at_incarnation(struct verifier *verifier, const json_t *heads,
				const struct held_entry *first, size_t count, struct remarks *remarks)
{
	uint64_t size;
	if (!verify_covered(verifier, heads, first->log, first->incarnation, &size))
		add(remarks->without_head, first->log, first->incarnation, count);
	else if (count > size)
		add(remarks->beyond, first->log, first->incarnation, count - size);
	uint64_t unexplained = verify_unexplained(verifier, first, count);
	if (unexplained > 0)
		add(remarks->unexplained, first->log, first->incarnation, unexplained);
}

static void look_at_named(const struct verifier *verifier, struct remarks *remarks)
{
	for (size_t i = 0; i < verifier->named_count; i++) {
		const struct log_named *named = &verifier->named[i];
		size_t count, below = 0;
		const struct held_entry *held = verify_held(verifier, named->log, named->incarnation, &count);
		while (below < count && held[below].position < named->size)
			below++;
		if (below < named->size)
			add(remarks->missing, named->log, named->incarnation, named->size - below);
	}
}

static void look_at_parties(const struct verifier *verifier, struct remarks *remarks)
{
	for (size_t index = 0; index < verifier->roster.count; index++) {
		bool found = false;
		for (size_t i = 0; !found && i < verifier->held_count; i++)
			found = log_roster_index(verifier->held[i].log) == index;
		if (!found)
			json_array_append_new(
				remarks->absent,
				output_json_hex(bytes_make(verifier->roster.ids[index], PARTY_ID_SIZE)));
	}
}

static uint64_t entries_of(const json_t *remarks)
{
	uint64_t count = 0;
	for (size_t i = 0; i < json_array_size(remarks); i++)
		count += (uint64_t)json_integer_value(json_object_get(json_array_get(remarks, i), "entries"));
	return count;
}

/* Entries that lie under no head: nothing but the export says that none before them is missing. */
static uint64_t uncovered(const struct remarks *remarks)
{
	return entries_of(remarks->beyond) + entries_of(remarks->without_head);
}

static struct remarks look(struct verifier *verifier, const json_t *export)
{
	const json_t *heads = json_object_get(export, "logs");
	const json_t *proofs = json_object_get(export, "equivocations");
	struct remarks remarks = {json_array(), json_array(), json_array(),
				  json_array(), json_array(), json_array()};
	for (size_t at = 0; at < verifier->held_count;) {
		size_t count;
		const struct held_entry *first = &verifier->held[at];
		verify_held(verifier, first->log, first->incarnation, &count);
		look_at_incarnation(verifier, heads, first, count, &remarks);
		at += count;
	}
	look_at_named(verifier, &remarks);
	look_at_parties(verifier, &remarks);
	for (size_t i = 0; i < json_array_size(proofs); i++) {
		const json_t *proof = json_array_get(proofs, i);
		add(remarks.forked, (uint64_t)json_integer_value(json_object_get(proof, "log")),
		    (uint64_t)json_integer_value(json_object_get(proof, "incarnation")), 0);
	}
	return remarks;
}

/* A party's word for its own log adds nothing to the log's signature. */
static bool is_cosigned(const struct verifier *verifier, const json_t *head)
{
	uint64_t cosigner;
	return json_object_get(head, "cosignature") != NULL && verify_cosigner(verifier, head, &cosigner) &&
	       log_roster_index(cosigner) !=
		       log_roster_index((uint64_t)json_integer_value(json_object_get(head, "log")));
}

static json_t *heads_json(const struct verifier *verifier, const json_t *heads)
{
	json_t *logs = json_array();
	for (size_t i = 0; i < json_array_size(heads); i++) {
		const json_t *head = json_array_get(heads, i);
		json_array_append_new(
			logs, json_pack("{s:O, s:O, s:O, s:O, s:b}", "log", json_object_get(head, "log"),
					"incarnation", json_object_get(head, "incarnation"), "size",
					json_object_get(head, "size"), "root", json_object_get(head, "root"),
					"cosigned", is_cosigned(verifier, head)));
	}
	return logs;
}

/* The posts of one party that its opening names. */
static json_t *posts_json(const struct verifier *verifier, size_t index)
{
	json_t *posts = json_array();
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		uint64_t log = log_number(index, slot);
		if (verifier->has_log[log])
			json_array_append_new(
				posts, json_pack("{s:I, s:o}", "log", (json_int_t)log, "post",
						 output_json_text(bytes_of_text(verifier->post_name[log]))));
	}
	return posts;
}

/* Whose record it is, as its own letters say it; a party without letters here has no name. */
static json_t *parties_json(const struct verifier *verifier)
{
	json_t *parties = json_array();
	for (size_t i = 0; i < verifier->roster.count; i++) {
		char words[FINGERPRINT_TEXT_SIZE];
		output_fingerprint(verifier->roster.ids[i], words);
		json_array_append_new(
			parties,
			json_pack("{s:o, s:o, s:s, s:o}", "party",
				  output_json_hex(bytes_make(verifier->roster.ids[i], PARTY_ID_SIZE)), "name",
				  verifier->has_authority[i]
					  ? output_json_text(bytes_of_text(verifier->party_name[i]))
					  : json_null(),
				  "fingerprint", words, "posts", posts_json(verifier, i)));
	}
	return parties;
}

static void print_party(const struct verifier *verifier, size_t index)
{
	char id[2 * PARTY_ID_SIZE + 1], words[FINGERPRINT_TEXT_SIZE];
	output_hex(bytes_make(verifier->roster.ids[index], PARTY_ID_SIZE), id);
	output_fingerprint(verifier->roster.ids[index], words);
	printf("party ");
	output_text(bytes_of_text(verifier->has_authority[index] ? verifier->party_name[index] : "?"));
	printf(": %s\n", id);
	for (char *line = words, *end; line != NULL; line = end != NULL ? end + 1 : NULL) {
		end = strchr(line, '\n');
		printf("  %.*s\n", end != NULL ? (int)(end - line) : (int)strlen(line), line);
	}
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		uint64_t log = log_number(index, slot);
		if (!verifier->has_log[log])
			continue;
		printf("  post ");
		output_text(bytes_of_text(verifier->post_name[log]));
		printf(": log %u\n", (unsigned)log);
	}
}

static void print_whose(const struct verifier *verifier)
{
	char id[2 * CHANNEL_ID_SIZE + 1];
	output_hex(bytes_make(verifier->channel, CHANNEL_ID_SIZE), id);
	printf("channel ");
	output_text(bytes_of_text(verifier->title[0] != '\0' ? verifier->title : "?"));
	printf(": %s\n", id);
	for (size_t i = 0; i < verifier->roster.count; i++)
		print_party(verifier, i);
}

static const char *plural(uint64_t count, const char *one, const char *more)
{
	return count == 1 ? one : more;
}

static void print_heads(const struct verifier *verifier, const json_t *heads)
{
	for (size_t i = 0; i < json_array_size(heads); i++) {
		const json_t *head = json_array_get(heads, i);
		json_int_t size = json_integer_value(json_object_get(head, "size"));
		printf("log %d, incarnation %d: %lld %s, head %s, %s\n",
		       (int)json_integer_value(json_object_get(head, "log")),
		       (int)json_integer_value(json_object_get(head, "incarnation")), (long long)size,
		       plural((uint64_t)size, "entry", "entries"),
		       json_string_value(json_object_get(head, "root")),
		       is_cosigned(verifier, head) ? "cosigned" : "NOT cosigned by another party");
	}
}

/* `one`: of a single entry; `more`: of several, or of none in particular. */
static void print_remarks(const json_t *remarks, const char *one, const char *more)
{
	for (size_t i = 0; i < json_array_size(remarks); i++) {
		const json_t *remark = json_array_get(remarks, i);
		json_int_t entries = json_integer_value(json_object_get(remark, "entries"));
		printf("log %d, incarnation %d: ", (int)json_integer_value(json_object_get(remark, "log")),
		       (int)json_integer_value(json_object_get(remark, "incarnation")));
		if (entries > 0)
			printf("%lld ", (long long)entries);
		printf("%s\n", entries == 1 ? one : more);
	}
}

/*
 * What keeps the record from being whole, or NULL. That entries are missing is the word of who names them;
 * that leaves stand alone may be a refusal that was only counted.
 */
static const char *why_not_whole(const struct remarks *remarks)
{
	bool is_named = json_array_size(remarks->missing) > 0;
	bool is_unexplained = json_array_size(remarks->unexplained) > 0;
	bool is_incomplete = json_array_size(remarks->absent) + json_array_size(remarks->without_head) > 0;
	if (json_array_size(remarks->forked) > 0)
		return is_incomplete || is_named || is_unexplained ? "forked and incomplete" : "forked";
	if (is_incomplete)
		return "incomplete";
	if (is_named && is_unexplained)
		return "incomplete, unless an entry names what never was, and more was refused than verdicts "
		       "say";
	if (is_unexplained)
		return "incomplete, unless more was refused than verdicts say";
	return is_named ? "incomplete, unless an entry names what never was" : NULL;
}

static void print_all_remarks(const struct remarks *remarks)
{
	print_remarks(remarks->beyond,
		      "more entry lies beyond the head: nothing binds yet that it is the last",
		      "more entries lie beyond the head: their number is bound by nothing yet");
	print_remarks(remarks->without_head, "entry of a past incarnation, of which no head is here",
		      "entries of a past incarnation, of which no head is here");
	print_remarks(remarks->missing, "entry that others had seen is NOT here",
		      "entries that others had seen are NOT here");
	print_remarks(remarks->unexplained,
		      "entry is here as a leaf alone, and no verdict says that it was refused",
		      "entries are here as leaves alone, and no verdict says that they were refused");
	print_remarks(remarks->forked, "",
		      "FORKED: two signed heads of it cannot both be true, and the proof holds");
}

static void print_text(const struct verifier *verifier, const json_t *heads, const struct remarks *remarks)
{
	const char *why_not = why_not_whole(remarks);
	print_whose(verifier);
	print_heads(verifier, heads);
	print_all_remarks(remarks);
	for (size_t i = 0; i < json_array_size(remarks->absent); i++)
		printf("party %s: no log of it is here\n",
		       json_string_value(json_array_get(remarks->absent, i)));
	uint64_t refused = verifier->leaves_alone - entries_of(remarks->unexplained);
	if (refused > 0)
		printf("%llu %s: refused, as a verdict of another party says\n", (unsigned long long)refused,
		       plural(refused, "entry is here as a leaf alone", "entries are here as leaves alone"));
	if (why_not != NULL)
		printf("NOT VERIFIED: the record is %s. What is here holds: ", why_not);
	else
		printf("verified: ");
	printf("%zu %s of entries, %zu %s, every reference, leaf, tree and head here\n", verifier->signatures,
	       plural(verifier->signatures, "signature", "signatures"), verifier->receipts,
	       plural(verifier->receipts, "receipt", "receipts"));
}

static json_t *report_json(const struct verifier *verifier, const json_t *heads,
			   const struct remarks *remarks)
{
	return json_pack("{s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:O, s:O, s:O, s:O, s:O, s:O}",
			 "verified", why_not_whole(remarks) == NULL, "channel",
			 output_json_hex(bytes_make(verifier->channel, CHANNEL_ID_SIZE)), "title",
			 verifier->title[0] != '\0' ? output_json_text(bytes_of_text(verifier->title))
						    : json_null(),
			 "parties", parties_json(verifier), "signatures", (json_int_t)verifier->signatures,
			 "receipts", (json_int_t)verifier->receipts, "leaves_alone",
			 (json_int_t)verifier->leaves_alone, "uncovered", (json_int_t)uncovered(remarks),
			 "logs", heads_json(verifier, heads), "beyond_head", remarks->beyond, "without_head",
			 remarks->without_head, "missing", remarks->missing, "unexplained",
			 remarks->unexplained, "forked", remarks->forked, "absent", remarks->absent);
}

int verify_report(struct verifier *verifier, const json_t *export)
{
	const json_t *heads = json_object_get(export, "logs");
	struct remarks remarks = look(verifier, export);
	int code = 0;
	if (verifier->call->json)
		code = output_json(verifier->call, report_json(verifier, heads, &remarks));
	else
		print_text(verifier, heads, &remarks);
	if (code == 0 && why_not_whole(&remarks) != NULL)
		code = VERIFY_IS_NOT_WHOLE;
	json_decref(remarks.beyond);
	json_decref(remarks.without_head);
	json_decref(remarks.missing);
	json_decref(remarks.unexplained);
	json_decref(remarks.forked);
	json_decref(remarks.absent);
	return code;
}
