#include <assert.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"
#include "envelope/statement.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/query.h"
#include "record/registry.h"

#define PROOFS_MAX 8 /* proofs kept against one log: one is enough */

/* One log whose head is told, and what is held of it. */
struct told {
	uint64_t channel_number;
	const struct channel *channel;
	uint64_t log;
	struct line line;   /* with the head that is kept of this incarnation */
	struct line newest; /* of a former incarnation: as the row is */
	bool former;
	uint64_t tree_size; /* leaves held, contiguous */
	const struct head *head;
	const struct heads_statement *statement; /* whose proof leads to the head; NULL: another's head */
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
};

enum finding {
	FINDING_CONSISTENT = 1,
	FINDING_UNKNOWN = 2,   /* neither shown nor refuted */
	FINDING_DISAGREES = 3, /* not the head of what is held; no proof against anybody */
	FINDING_FORKED = 4,    /* proved */
};

static enum error root_of_tree(struct run *run, const struct told *told, uint64_t size,
			       struct merkle_hash *root)
{
	return log_root_at(run, told->channel_number, told->log, told->head->incarnation, size, root);
}

static void former_head(const struct line *line, struct signed_head *head)
{
	head->size = line->head_size;
	memcpy(head->root.bytes, line->head_root, sizeof(head->root.bytes));
	memcpy(head->signature, line->head_signature, sizeof(head->signature));
}

static void told_head(const struct head *head, struct signed_head *signed_head)
{
	signed_head->size = head->size;
	signed_head->root = head->root;
	memcpy(signed_head->signature, head->signature, sizeof(signed_head->signature));
}

/* Two heads of different sizes, where the larger is that of the tree held here. */
static enum error compare_by_tree(struct run *run, const struct told *told, const struct signed_head *small,
				  const struct signed_head *large, enum finding *finding,
				  struct equivocation *equivocation)
{
	struct merkle_hash prefix;
	struct merkle_proof *proof = run_take(run, sizeof(*proof));

	*finding = FINDING_CONSISTENT;
	enum error error = root_of_tree(run, told, small->size, &prefix);
	if (error != ERROR_OK || merkle_hash_equal(&prefix, &small->root))
		return error;
	error = log_consistency(run, told->channel_number, told->log, told->head->incarnation, small->size,
				large->size, proof);
	if (error != ERROR_OK)
		return error;
	equivocation_make(small, large, &prefix, proof, equivocation);
	*finding = FINDING_FORKED;
	return ERROR_OK;
}

/* By the proof that the author gave. */
static void compare_by_proof(const struct told *told, const struct signed_head *small,
			     const struct signed_head *large, enum finding *finding,
			     struct equivocation *equivocation)
{
	const struct heads_statement *statement = told->statement;
	struct merkle_hash old_root;
	struct merkle_hash new_root;

	*finding = FINDING_UNKNOWN;
	if (statement == NULL || !statement->has_proof || statement->old_size != small->size ||
	    large->size != told->head->size)
		return;
	if (merkle_roots_from_consistency(small->size, large->size, &small->root, &statement->proof,
					  &old_root, &new_root) != ERROR_OK ||
	    !merkle_hash_equal(&new_root, &large->root))
		return;
	if (merkle_hash_equal(&old_root, &small->root)) {
		*finding = FINDING_CONSISTENT;
		return;
	}
	equivocation_make(small, large, &old_root, &statement->proof, equivocation);
	*finding = FINDING_FORKED;
}

/* Against the head that was held to be the largest before. */
static enum error compare_with_former(struct run *run, const struct told *told, bool is_trees,
				      enum finding *finding, struct equivocation *equivocation)
{
	struct signed_head former;
	struct signed_head now;
	struct merkle_hash root;

	former_head(&told->line, &former);
	told_head(told->head, &now);
	*finding = FINDING_CONSISTENT;
	if (former.size == now.size) {
		if (merkle_hash_equal(&former.root, &now.root))
			return ERROR_OK;
		equivocation_make(&former, &now, NULL, NULL, equivocation);
		*finding = FINDING_FORKED;
		return ERROR_OK;
	}
	const struct signed_head *small = former.size < now.size ? &former : &now;
	const struct signed_head *large = former.size < now.size ? &now : &former;
	bool large_is_trees = large == &now && is_trees;
	if (large == &former && former.size <= told->tree_size) {
		enum error error = root_of_tree(run, told, former.size, &root);
		if (error != ERROR_OK)
			return error;
		large_is_trees = merkle_hash_equal(&root, &former.root);
	}
	assert(small->size > 0);
	if (large_is_trees)
		return compare_by_tree(run, told, small, large, finding, equivocation);
	compare_by_proof(told, small, large, finding, equivocation);
	return ERROR_OK;
}

static enum error judge(struct run *run, const struct told *told, enum finding *finding,
			struct equivocation *equivocation)
{
	struct merkle_hash root;
	bool in_tree = told->head->size <= told->tree_size;
	bool is_trees = false;

	if (in_tree) {
		enum error error = root_of_tree(run, told, told->head->size, &root);
		if (error != ERROR_OK)
			return error;
		is_trees = merkle_hash_equal(&root, &told->head->root);
	}
	*finding = FINDING_CONSISTENT;
	if (told->line.head_size > 0 && told->line.head_incarnation == told->head->incarnation) {
		enum error error = compare_with_former(run, told, is_trees, finding, equivocation);
		if (error != ERROR_OK || *finding == FINDING_FORKED)
			return error;
	}
	if (in_tree && !is_trees)
		*finding = FINDING_DISAGREES;
	return ERROR_OK;
}

/* ---- what follows ---- */

static enum error tell_of_log(struct run *run, const struct told *told, enum error reason, const char *detail)
{
	const struct entry_key log = {
		.channel = told->channel_number, .log = told->log, .incarnation = told->head->incarnation};

	return query_alert(run, &log, reason, detail);
}

static enum error keep_proof(struct run *run, struct told *told, const struct equivocation *equivocation)
{
	struct row_key prefix = key_channel(TABLE_EVIDENCE, told->channel_number);
	struct row last;
	uint64_t number = 1;

	told->line.forked++;
	if (told->line.forked > PROOFS_MAX)
		return ERROR_OK;
	if (equivocation_check(bytes_of_text(told->origin), told->line.log_key, equivocation) != ERROR_OK)
		return ERROR_MALFORMED; /* ours to get right */
	key_u16(&prefix, told->log);
	enum error error = rows_last(run_rows(run), key_view(&prefix), &last);
	if (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(last.key);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		number = key_read_u64(&reader) + 1;
	} else if (error != ERROR_NOT_FOUND) {
		return error;
	}
	struct buffer encoded = run_buffer(run, EQUIVOCATION_SIZE_MAX);
	equivocation_write(equivocation, &encoded);
	struct evidence evidence = {
		.kind = EVIDENCE_HEADS,
		.held_at_ms = run_wall_ms(run),
		.incarnation = told->head->incarnation,
		.position = told->head->size,
		.first = buffer_bytes(&encoded),
	};
	key_u64(&prefix, number);
	run_put(run, &prefix, &schema_evidence, &evidence);
	error = tell_of_log(run, told, ERROR_REFUSED_FORK,
			    "proof: the log forked; two signed heads of it cannot both be true");
	return error == ERROR_OK
		       ? run_count(run, ERROR_REFUSED_FORK, "heads: a log forked, and the proof is kept")
		       : error;
}

static void cosign(struct run *run, struct told *told)
{
	const struct head *head = told->head;
	struct line *line = &told->line;
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(told->origin),
		.size = head->size,
		.root = head->root,
	};
	struct ed25519_pair pair;

	line->head_incarnation = head->incarnation;
	line->head_size = head->size;
	memcpy(line->head_root, head->root.bytes, sizeof(line->head_root));
	memcpy(line->head_signature, head->signature, sizeof(line->head_signature));
	line->cosigned_at = run_time_s(run) == 0 ? 1 : run_time_s(run);
	registry_own_cosigner(run_post(run), told->channel->id, &pair);
	enum error error = cosignature_sign(&checkpoint, line->cosigned_at, &pair, line->cosignature);
	ed25519_pair_erase(&pair);
	assert(error == ERROR_OK);
}

static struct entry_key log_of(const struct told *told, uint64_t incarnation)
{
	return (struct entry_key){
		.channel = told->channel_number, .log = told->log, .incarnation = incarnation};
}

static void former_of_line(const struct line *line, struct former_head *head)
{
	head->size = line->head_size;
	memcpy(head->root, line->head_root, sizeof(head->root));
	memcpy(head->signature, line->head_signature, sizeof(head->signature));
	head->cosigned_at = line->cosigned_at;
	memcpy(head->cosignature, line->cosignature, sizeof(head->cosignature));
}

/* The head that is kept of a former incarnation, in the place of the newest's. */
static enum error take_former(struct run *run, struct told *told)
{
	struct entry_key log = log_of(told, told->head->incarnation);
	struct former_head head;
	struct line *line = &told->line;

	told->newest = *line;
	told->former = told->head->incarnation < line->head_incarnation;
	if (!told->former)
		return ERROR_OK;
	enum error error = heads_former(run, &log, &head);
	line->head_incarnation = told->head->incarnation;
	line->head_size = head.size;
	memcpy(line->head_root, head.root, sizeof(line->head_root));
	memcpy(line->head_signature, head.signature, sizeof(line->head_signature));
	line->cosigned_at = head.cosigned_at;
	memcpy(line->cosignature, head.cosignature, sizeof(line->cosignature));
	return error;
}

/* Writes the head to where it is kept: a newer incarnation's takes the place of the former's. */
static enum error write_line(struct run *run, struct told *told)
{
	struct row_key key = key_line(told->channel_number, told->log);
	const struct line *before = &told->newest;
	const struct line *kept = told->former ? &told->line : before;
	struct entry_key log = log_of(told, kept->head_incarnation);
	struct former_head head;
	enum error error = ERROR_OK;

	former_of_line(kept, &head);
	if (head.size > 0 && (told->former || told->line.head_incarnation > before->head_incarnation))
		error = heads_keep_former(run, &log, &head);
	if (told->former) {
		told->newest.disagrees = told->line.disagrees;
		told->newest.forked = told->line.forked;
	}
	if (error == ERROR_OK)
		run_put(run, &key, &schema_line, told->former ? &told->newest : &told->line);
	return error;
}

static enum error conclude(struct run *run, struct told *told, enum finding finding,
			   const struct equivocation *equivocation)
{
	struct line *line = &told->line;
	/* Of a former incarnation, the line has the head of that one (take_former). */
	bool newer = told->head->incarnation > line->head_incarnation || told->head->size > line->head_size;
	enum error error = ERROR_OK;

	if (finding == FINDING_FORKED) {
		error = keep_proof(run, told, equivocation);
	} else if (finding == FINDING_DISAGREES) {
		if (line->disagrees == 0)
			error = tell_of_log(run, told, ERROR_BAD_PROOF,
					    "its post's signed head is not that of the log as held here");
		line->disagrees = 1;
	} else if (finding == FINDING_CONSISTENT) {
		/* What was right before a restore says nothing of what stands since. */
		if (!told->former && told->head->incarnation >= line->incarnation)
			line->disagrees = 0;
		if (newer)
			cosign(run, told);
	}
	return error == ERROR_OK ? write_line(run, told) : error;
}

/* ---- reading ---- */

/* Fills in what is held of a log, and verifies the head's signature. ERROR_NOT_FOUND: its key is not known
 * here. */
static enum error look_up(struct run *run, struct told *told, bool *valid)
{
	struct row_key key = key_line(told->channel_number, told->log);
	static const uint8_t zeros[PUBLIC_KEY_SIZE];
	struct party party;
	struct log row;
	uint8_t text_bytes[CHECKPOINT_TEXT_SIZE_MAX];
	struct buffer text = buffer_make(text_bytes, sizeof(text_bytes));

	*valid = false;
	uint64_t index = log_roster_index(told->log);
	if (index >= told->channel->parties.size)
		return ERROR_NOT_FOUND;
	enum error error = run_get(run, &key, &schema_line, &told->line);
	if (error == ERROR_NOT_FOUND ||
	    (error == ERROR_OK && memcmp(told->line.log_key, zeros, sizeof(zeros)) == 0))
		return ERROR_NOT_FOUND;
	if (error == ERROR_OK)
		error = registry_party(run, registry_party_of(told->channel, index), &party);
	if (error == ERROR_OK)
		error = log_row(run, told->channel_number, told->log, told->head->incarnation, &row);
	if (error != ERROR_OK)
		return run_must(error);
	told->tree_size = row.size;
	checkpoint_origin(told->channel->id, party.id, log_slot(told->log), told->head->incarnation,
			  told->origin);
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(told->origin),
		.size = told->head->size,
		.root = told->head->root,
	};
	error = checkpoint_write(&checkpoint, &text);
	assert(error == ERROR_OK);
	*valid = run_verify_plain(run, told->line.log_key, buffer_bytes(&text), told->head->signature) ==
		 ERROR_OK;
	return ERROR_OK;
}

static enum error take_head(struct run *run, struct told *told)
{
	struct equivocation *equivocation = run_take(run, sizeof(*equivocation));
	enum finding finding;
	bool valid;

	enum error error = look_up(run, told, &valid);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error; /* the opening is on its way */
	if (!valid)
		return run_count(run, ERROR_BAD_SIGNATURE,
				 "a head dropped: it is not signed by its log's key");
	if (told->head->size == 0 ||
	    told->head->incarnation > told->line.incarnation + LOG_INCARNATIONS_AHEAD ||
	    told->head->incarnation + HEADS_FORMER_MAX < told->line.incarnation)
		return ERROR_OK;
	struct entry_key log = log_of(told, told->head->incarnation);
	error = missing_told(run, &log, told->head->size);
	if (error == ERROR_OK)
		error = take_former(run, told);
	if (error != ERROR_OK)
		return error;
	bool known = told->head->incarnation == told->line.head_incarnation &&
		     told->head->size == told->line.head_size &&
		     memcmp(told->head->root.bytes, told->line.head_root, MERKLE_HASH_SIZE) == 0;
	if (known && told->line.disagrees == 0)
		return ERROR_OK;
	error = judge(run, told, &finding, equivocation);
	return error == ERROR_OK ? conclude(run, told, finding, equivocation) : error;
}

/* The own head as the author of the statement cosigned it. */
static enum error take_own(struct run *run, struct told *told, uint64_t by)
{
	const struct head *head = told->head;
	struct row_key by_key = key_line(told->channel_number, by);
	struct line line;
	struct merkle_hash root;
	bool valid;

	enum error error = run_must(run_get(run, &by_key, &schema_line, &line));
	if (error == ERROR_OK && line.theirs_incarnation == head->incarnation &&
	    line.theirs_size >= head->size)
		return ERROR_OK;
	if (error == ERROR_OK)
		error = look_up(run, told, &valid);
	if (error == ERROR_NOT_FOUND)
		return run_count(run, ERROR_REFUSED_CHANNEL,
				 "a cosignature dropped: this post's party has not opened the channel");
	if (error != ERROR_OK)
		return error;
	struct checkpoint checkpoint = {
		.origin = bytes_of_text(told->origin), .size = head->size, .root = head->root};
	if (!valid || cosignature_verify(&checkpoint, head->cosigned_at, line.cosigner_key,
					 head->cosignature) != ERROR_OK)
		return run_count(run, ERROR_BAD_SIGNATURE, "a cosignature dropped: it does not match");
	bool same = head->incarnation == told->line.incarnation && head->size <= told->tree_size;
	if (same)
		error = log_root_at(run, told->channel_number, told->log, head->incarnation, head->size,
				    &root);
	if (error != ERROR_OK)
		return error;
	if (!same || !merkle_hash_equal(&root, &head->root)) {
		struct former_head former = {.size = head->size};
		memcpy(former.root, head->root.bytes, sizeof(former.root));
		memcpy(former.signature, head->signature, sizeof(former.signature));
		error = incarnation_told(run, told->channel_number, head->incarnation, &former);
		return error == ERROR_OK ? incarnation_open(run) : error;
	}
	line.theirs_incarnation = head->incarnation;
	line.theirs_size = head->size;
	memcpy(line.theirs_root, head->root.bytes, sizeof(line.theirs_root));
	line.theirs_at = head->cosigned_at;
	memcpy(line.theirs_cosignature, head->cosignature, sizeof(line.theirs_cosignature));
	run_put(run, &by_key, &schema_line, &line);
	return ERROR_OK;
}

/*
 * Asks for what all heads are looked up in at once: one after the other, it would take some rounds for each.
 * (The parties of the channel have been read, for the statement's aad.)
 */
static enum error ask(struct run *run, const struct received_statement *received,
		      const struct heads_statement *heads)
{
	bool missing = false;

	for (size_t i = 0; i < heads->heads_count; i++) {
		const struct head *head = &heads->heads[i];
		struct row_key key = key_line(received->channel_number, head->log);
		uint64_t index = log_roster_index(head->log);
		struct line line;
		struct log row;
		if (index >= received->channel.parties.size)
			continue;
		enum error error = run_get(run, &key, &schema_line, &line);
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
		error = log_row(run, received->channel_number, head->log, head->incarnation, &row);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error heads_take(struct run *run, const struct received_statement *received)
{
	struct heads_statement *heads = run_take(run, sizeof(*heads));
	uint64_t own_log = log_own_number(run, &received->channel);

	enum error reason = heads_decode(received->object.payload, heads);
	if (reason != ERROR_OK || heads->by != log_number(received->index, received->opened->slot) ||
	    heads->by == own_log)
		return run_count(run, reason == ERROR_OK ? ERROR_BAD_ARGUMENT : reason,
				 "statement of heads dropped: not of the form");
	enum error error = ask(run, received, heads);
	for (size_t i = 0; error == ERROR_OK && i < heads->heads_count; i++) {
		struct told *told = run_take(run, sizeof(*told));
		memset(told, 0, sizeof(*told));
		told->channel_number = received->channel_number;
		told->channel = &received->channel;
		told->head = &heads->heads[i];
		told->log = told->head->log;
		told->statement = i == 0 ? heads : NULL;
		error = told->log == own_log ? take_own(run, told, heads->by) : take_head(run, told);
	}
	return error;
}
