#include "record/receive.h"

#include <sodium.h>
#include <string.h>

#include "base/local.h"
#include "envelope/signed.h"
#include "record/batch.h"
#include "record/effects.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/query.h"
#include "record/receipt.h"
#include "record/registry.h"

#define ENTRIES_PROPOSED_MAX 1024 /* of others, on a channel that the own party has not signed */
#define EVIDENCE_MAX         8    /* entries kept as evidence for one log */

static enum error drop(struct run *run, enum error reason, const char *text)
{
	return run_count(run, reason, text);
}

/* ---- entries ---- */

struct arriving {
	const struct keys_opened *opened;
	const struct wire *wire;
	struct signed_entry decoded;
	bool readable; /* the content could be read, or its kind is unknown */
	struct registry_entry entry;
	struct channel channel;
	struct entry_key key;
	bool gap;
	bool is_former; /* its incarnation is not the newest of its log */
	bool judged;    /* already, for this channel */
	enum error reason;
};

static enum error note_item(struct run *run, const struct arriving *arriving, uint64_t precedence,
			    enum error reason)
{
	struct batch_item item = {.key = arriving->key, .precedence = precedence, .reason = reason};

	memcpy(item.identity, arriving->entry.identity, sizeof(item.identity));
	batch_note_item(run, &item);
	return ERROR_OK;
}

static uint64_t precedence_of(const struct arriving *arriving)
{
	uint64_t precedence = arriving->readable ? arriving->decoded.content.precedence : 0;
	return precedence >= PRECEDENCE_ROUTINE && precedence <= PRECEDENCE_FLASH ? precedence
										  : PRECEDENCE_ROUTINE;
}

/*
 * Two first entries of one incarnation: a store was restored twice, and whoever knew of the first time is
 * gone. It learns of it from the heads that are held here, and opens another.
 */
static bool is_restored_twice(const struct arriving *arriving)
{
	return arriving->key.position == 0 && arriving->readable &&
	       arriving->decoded.content.kind == CONTENT_INCARNATION;
}

static enum error tell_heads(struct run *run, const struct arriving *arriving)
{
	struct row_key key = key_line(arriving->key.channel, arriving->key.log);
	struct line line;

	enum error error = run_must(run_get(run, &key, &schema_line, &line));
	line.heads_sent_ms = 0;
	if (error == ERROR_OK)
		run_put(run, &key, &schema_line, &line);
	return error;
}

/*
 * Another entry at a position that is held: it is kept as evidence, the first stays. But in an incarnation
 * that its author has left, the number may be the word of whoever gave the entry back: nobody is accused.
 */
static enum error forked(struct run *run, const struct arriving *arriving)
{
	struct row_key prefix = key_channel(TABLE_EVIDENCE, arriving->key.channel);
	struct row last;
	uint64_t number = 1;

	key_u16(&prefix, arriving->key.log);
	enum error error = rows_last(run_rows(run), key_view(&prefix), &last);
	if (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(last.key);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		number = key_read_u64(&reader) + 1;
	} else if (error != ERROR_NOT_FOUND) {
		return error;
	}
	if (number <= EVIDENCE_MAX && !arriving->is_former) {
		struct evidence evidence = {
			.kind = EVIDENCE_ENTRY,
			.held_at_ms = run_wall_ms(run),
			.incarnation = arriving->key.incarnation,
			.position = arriving->key.position,
			.first = arriving->wire->cose,
		};
		struct row_key key = prefix;
		key_u64(&key, number);
		run_put(run, &key, &schema_evidence, &evidence);
		error = query_alert(run, &arriving->key, ERROR_REFUSED_FORK,
				    is_restored_twice(arriving)
					    ? "its post was restored twice and does not know of the first "
					      "time: it is told so"
					    : "its post has sent two entries with one number; the first one "
					      "stands");
		if (error != ERROR_OK)
			return error;
	}
	error = drop(run, ERROR_REFUSED_FORK, "entry dropped: another is held at its position");
	if (error == ERROR_OK && is_restored_twice(arriving))
		error = tell_heads(run, arriving);
	return error == ERROR_OK ? note_item(run, arriving, precedence_of(arriving), ERROR_REFUSED_FORK)
				 : error;
}

/* Rules of the log itself, which no signer can lift. */
static enum error judge_place(const struct arriving *arriving)
{
	const struct content *content = &arriving->decoded.content;
	bool first_of_new = arriving->key.incarnation > 1 && arriving->key.position == 0;

	if ((content->kind == CONTENT_INCARNATION) != first_of_new)
		return ERROR_REFUSED_FORM;
	if (content->kind == CONTENT_INCARNATION &&
	    content->of.incarnation.previous >= arriving->key.incarnation)
		return ERROR_REFUSED_FORM;
	return ERROR_OK;
}

/* What a missing entry before this one, or one that this post has lost, might still entitle. */
static bool may_yet_pass(enum error reason)
{
	return reason == ERROR_REFUSED_CHANNEL || reason == ERROR_REFUSED_SIGNER ||
	       reason == ERROR_REFUSED_AGREMENT || reason == ERROR_REFUSED_REFERENCE;
}

static bool is_signed_here(const struct channel *channel)
{
	return (channel->opened >> channel->own_index & 1) != 0;
}

/*
 * True in *again if the same words are held already, accepted, at another position: signed once, filed twice.
 */
static enum error find_again(struct run *run, const struct arriving *arriving, bool *again)
{
	struct entry_key key;
	struct entry entry;

	*again = false;
	enum error error = log_find(run, arriving->entry.identity, &key);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	error = run_must(log_entry(run, &key, &entry));
	*again = error == ERROR_OK && entry.reason == ERROR_OK;
	return error;
}

static enum error file(struct run *run, struct arriving *arriving, enum error reason)
{
	const struct content *content = arriving->readable ? &arriving->decoded.content : NULL;
	struct log_item item = {
		.channel = &arriving->channel,
		.content = content,
		.object = &arriving->decoded.cose,
		.cose = arriving->wire->cose,
	};
	struct log_post post;
	struct entry filed;

	memcpy(item.identity, arriving->entry.identity, sizeof(item.identity));
	enum error error = find_again(run, arriving, &item.again);
	if (error == ERROR_OK)
		error = log_take(run, &arriving->key, &item, &arriving->wire->heads, reason);
	if (error == ERROR_OK && !is_signed_here(&arriving->channel)) {
		struct row_key key = key_channel(TABLE_CHANNEL, arriving->key.channel);
		arriving->channel.entries++;
		run_put(run, &key, &schema_channel, &arriving->channel);
	}
	if (error == ERROR_OK)
		error = note_item(run, arriving, precedence_of(arriving), reason);
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK) {
		batch_note_verdict(run, &arriving->key, reason);
		return drop(run, reason, "entry refused");
	}
	if (content->signers_count == 0) {
		error = registry_log_post(run, arriving->key.channel, &arriving->channel, arriving->key.log,
					  &post);
		if (error == ERROR_OK)
			error = registry_log_spoke(run, arriving->key.channel, arriving->key.log,
						   post.statement_key);
		if (error != ERROR_OK)
			return run_must(error);
	}
	if (item.again && content->kind != CONTENT_LETTER)
		return ERROR_OK;
	error = log_entry(run, &arriving->key, &filed);
	if (error != ERROR_OK)
		return run_must(error);
	error = effects_of(run, &arriving->entry, &arriving->key, &filed, false);
	return error == ERROR_OK ? effects_awaited(run, &arriving->key, arriving->entry.identity) : error;
}

/* The entry on a channel that is known (arriving->channel), once: signatures are dear. */
static enum error judge(struct run *run, struct arriving *arriving, enum error form, enum error *reason)
{
	*reason = arriving->judged ? arriving->reason : form;
	if (form == ERROR_REFUSED_FORM || arriving->judged)
		return ERROR_OK;
	enum error error = registry_judge(run, &arriving->entry, false, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		*reason = form == ERROR_OK ? judge_place(arriving) : form;
	return error;
}

/*
 * What may yet pass is left to be sent again while others before it, or what this post has lost with its
 * disk, are missing (*reason: ERROR_NOT_NOW). But what only names something lost is taken: its state moves
 * when it is back. What names something of which only the author makes this post doubt is not.
 */
static enum error wait_or_pass(struct run *run, const struct arriving *arriving, enum error *reason)
{
	enum own_loss loss;

	enum error error = missing_own(run, &arriving->channel, arriving->key.channel, &loss);
	if (error != ERROR_OK || (loss == OWN_LOSS_NONE && !arriving->gap))
		return error;
	if (loss == OWN_LOSS_KNOWN && *reason == ERROR_REFUSED_REFERENCE) {
		*reason = ERROR_OK;
		return ERROR_OK;
	}
	run_log(run, *reason, "entry left to be sent again: others before it are missing");
	*reason = ERROR_NOT_NOW;
	return ERROR_OK;
}

/*
 * What officers say, and what cannot be read, waits where there is no room for it. Letters and verdicts do
 * not: what is allowed depends on them.
 */
static bool must_be_left(const struct run *run, const struct arriving *arriving)
{
	if (arriving->readable) {
		switch (arriving->decoded.content.kind) {
		case CONTENT_LETTER:
		case CONTENT_VERDICT:
		case CONTENT_INCARNATION:
			return false;
		default:
			break;
		}
	}
	return precedence_of(arriving) < run_event(run)->of.received.precedence_min;
}

static enum error on_channel(struct run *run, struct arriving *arriving, enum error form, bool *mismatch)
{
	struct row_key line_key =
		key_line(arriving->entry.channel, log_number(arriving->entry.index, arriving->entry.slot));
	struct line line;
	enum log_place place;
	struct entry held;
	enum error reason;

	*mismatch = false;
	arriving->key = (struct entry_key){
		.channel = arriving->entry.channel,
		.log = log_number(arriving->entry.index, arriving->entry.slot),
		.incarnation = arriving->wire->incarnation,
		.position = arriving->wire->position,
	};
	enum error error = run_get(run, &line_key, &schema_line, &line);
	if (error == ERROR_NOT_FOUND)
		return drop(run, ERROR_REFUSED_CHANNEL, "entry dropped: its post is not on that channel");
	if (error == ERROR_OK)
		error = log_look(run, &arriving->key, arriving->entry.identity, &place, &held,
				 &arriving->gap);
	if (error != ERROR_OK)
		return error;
	arriving->is_former = arriving->key.incarnation < line.incarnation;
	if (place == LOG_SAME)
		return note_item(run, arriving, held.precedence == 0 ? PRECEDENCE_ROUTINE : held.precedence,
				 (enum error)held.reason);
	if (place == LOG_FAR)
		return drop(run, ERROR_OUT_OF_RANGE, "entry dropped: too far beyond the end of its log");
	error = judge(run, arriving, form, &reason);
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK && reason < ERROR_REFUSED_FORM) {
		*mismatch = true;
		return ERROR_OK;
	}
	if (must_be_left(run, arriving)) {
		run_leave(run, precedence_of(arriving));
		return ERROR_OK;
	}
	if (place == LOG_OTHER)
		return forked(run, arriving);
	if (may_yet_pass(reason)) {
		error = wait_or_pass(run, arriving, &reason);
		if (error != ERROR_OK || reason == ERROR_NOT_NOW)
			return error;
	}
	if (!is_signed_here(&arriving->channel) && arriving->channel.entries >= ENTRIES_PROPOSED_MAX)
		return drop(run, ERROR_REFUSED_QUOTA,
			    "entry dropped: too many on a channel that nobody here has signed");
	return file(run, arriving, reason);
}

/* An opening, which names its channel itself: the channel is made once the signature is verified. */
static enum error receive_opening(struct run *run, struct arriving *arriving)
{
	enum error reason;
	bool mismatch;

	enum error error = registry_opening(run, &arriving->entry, false, &reason);
	if (error == ERROR_OK && reason == ERROR_OK && arriving->entry.channel == 0) {
		error = registry_judge(run, &arriving->entry, false, &reason);
		if (error == ERROR_OK && reason == ERROR_OK)
			error = registry_opening(run, &arriving->entry, true, &reason);
		if (error == ERROR_OK && reason == ERROR_OK)
			error = incarnation_resume(run, arriving->entry.channel);
	}
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK)
		return drop(run, reason, "opening of a channel dropped");
	error = registry_channel(run, arriving->entry.channel, &arriving->channel);
	if (error == ERROR_OK)
		error = on_channel(run, arriving, ERROR_OK, &mismatch);
	else if (error == ERROR_NOT_FOUND)
		error = ERROR_MALFORMED;
	if (error == ERROR_OK && mismatch)
		error = drop(run, ERROR_BAD_SIGNATURE, "opening of a channel dropped: bad signature");
	return error;
}

static bool is_opening(const struct arriving *arriving)
{
	return arriving->readable && arriving->decoded.content.kind == CONTENT_LETTER &&
	       arriving->decoded.content.of.letter.kind == LETTER_OPENING;
}

/* Sets the channel that the entry is taken to be of. */
static enum error place_on(struct run *run, struct arriving *arriving, const struct found_channel *found)
{
	struct aad *aad = run_take(run, sizeof(*aad));

	arriving->channel = found->channel;
	arriving->entry.channel = found->number;
	arriving->entry.index = found->index;
	enum error error = registry_aad(run, &found->channel, AAD_ENTRY, found->index, aad);
	if (error == ERROR_OK)
		run_identity(run, aad, arriving->entry.payload, arriving->entry.identity);
	return run_must(error);
}

enum belonging {
	BELONGS_NOT,
	BELONGS_MAYBE, /* its signer may still become known there */
	BELONGS,
};

/* Whether the entry is of the channel that it was placed on. Judges it, unless this very one is held. */
static enum error belongs_there(struct run *run, struct arriving *arriving, enum error form,
				enum belonging *belonging)
{
	struct entry_key key;
	enum error reason;

	*belonging = BELONGS;
	arriving->judged = false;
	enum error error = log_find(run, arriving->entry.identity, &key);
	if (error != ERROR_NOT_FOUND)
		return error; /* found: an identity is of one channel alone */
	error = judge(run, arriving, form, &reason);
	if (error != ERROR_OK)
		return error;
	if (form == ERROR_REFUSED_FORM || registry_unverified(reason))
		*belonging = BELONGS_MAYBE;
	else if (reason != ERROR_OK && reason < ERROR_REFUSED_FORM)
		*belonging = BELONGS_NOT;
	arriving->reason = reason;
	arriving->judged = true;
	return ERROR_OK;
}

/*
 * Where the ids of several channels begin alike, the signature tells which is meant: the one under which it
 * verifies, or the only one on which it may yet, goes to the front. *possible: how many come into question.
 */
static enum error choose_channel(struct run *run, struct arriving *arriving, enum error form,
				 struct found_channel *found, size_t count, size_t *possible)
{
	enum belonging belonging = BELONGS_NOT;
	size_t chosen = 0;
	bool judged = false;
	enum error reason = ERROR_OK;

	*possible = 0;
	for (size_t i = 0; i < count && belonging != BELONGS; i++) {
		enum error error = place_on(run, arriving, &found[i]);
		if (error == ERROR_OK)
			error = belongs_there(run, arriving, form, &belonging);
		if (error != ERROR_OK)
			return error;
		if (belonging == BELONGS)
			*possible = 0; /* and nowhere else */
		if (belonging == BELONGS_NOT || (*possible)++ > 0)
			continue;
		chosen = i;
		judged = arriving->judged;
		reason = arriving->reason;
	}
	found[0] = found[chosen];
	arriving->judged = judged;
	arriving->reason = reason;
	return ERROR_OK;
}

static enum error receive_entry(struct run *run, const struct keys_opened *opened, const struct wire *wire)
{
	struct arriving *arriving = run_take(run, sizeof(*arriving));
	struct found_channel found[CHANNELS_OF_TAG_MAX];
	bool mismatch = false;
	size_t count;

	memset(arriving, 0, sizeof(*arriving));
	arriving->opened = opened;
	arriving->wire = wire;
	enum error form = entry_decode(wire->cose, &arriving->decoded);
	if (form != ERROR_OK && form != ERROR_REFUSED_KIND) {
		if (cose_signed_decode(wire->cose, &arriving->decoded.cose) != ERROR_OK)
			return drop(run, ERROR_REFUSED_FORM, "entry dropped: not a signed entry");
		form = ERROR_REFUSED_FORM;
	}
	arriving->readable = form != ERROR_REFUSED_FORM;
	arriving->entry = (struct registry_entry){
		.party = opened->party,
		.slot = opened->slot,
		.incarnation = wire->incarnation,
		.position = wire->position,
		.payload = arriving->decoded.cose.payload,
		.content = &arriving->decoded.content,
		.object = &arriving->decoded.cose,
	};
	if (form == ERROR_OK && is_opening(arriving))
		return receive_opening(run, arriving);
	enum error error = receive_channels_of(run, wire->tag, opened->party, found, &count);
	if (error != ERROR_OK)
		return error;
	if (count == 0)
		return drop(run, ERROR_REFUSED_CHANNEL, "entry dropped: the channel is not known");
	size_t possible = 1;
	if (count > 1)
		error = choose_channel(run, arriving, form, found, count, &possible);
	if (error == ERROR_OK && possible == 0)
		return drop(run, ERROR_BAD_SIGNATURE, "entry dropped: bad signature");
	if (error == ERROR_OK && possible > 1) {
		run_log(run, ERROR_NOT_NOW, "entry left to be sent again: it may be of several channels");
		return ERROR_OK;
	}
	if (error == ERROR_OK)
		error = place_on(run, arriving, &found[0]);
	if (error == ERROR_OK)
		error = on_channel(run, arriving, form, &mismatch);
	if (error != ERROR_OK || !mismatch)
		return error;
	return drop(run, ERROR_BAD_SIGNATURE, "entry dropped: bad signature");
}

/* It may be as large as any message, and can be given back as well later. */
static enum error returned(struct run *run, const struct keys_opened *opened, const struct wire *wire)
{
	if (run_event(run)->of.received.precedence_min <= PRECEDENCE_ROUTINE)
		return receive_returned(run, opened, wire);
	run_leave(run, PRECEDENCE_ROUTINE);
	return ERROR_OK;
}

enum error receive_handle(struct run *run)
{
	const struct record_event *event = run_event(run);
	struct keys_opened *opened = run_take(run, sizeof(*opened));
	struct wire *wire = run_take(run, sizeof(*wire));
	enum error reason;

	enum error error = incarnation_open(run);
	if (error == ERROR_OK)
		error = keys_open(run, event->of.received.sealed, opened, &reason);
	if (error != ERROR_OK)
		return error;
	if (reason != ERROR_OK) {
		error = drop(run, reason, "sealed bytes dropped: they do not open");
		if (error == ERROR_OK && reason == ERROR_CANNOT_OPEN)
			error = receive_cannot_be_opened(run);
	} else if (wire_decode(opened->plaintext, wire) != ERROR_OK) {
		error = drop(run, ERROR_REFUSED_FORM,
			     "sealed bytes dropped: what is in them is not of the form");
	} else {
		/* "Cannot open" always comes by last resort: prekeys in answer would go on for ever. */
		if (wire->kind != WIRE_STATEMENT || wire->statement != STATEMENT_CANNOT_OPEN)
			error = keys_note_use(run, opened);
		if (error == ERROR_OK && wire->kind == WIRE_ENTRY)
			error = receive_entry(run, opened, wire);
		else if (error == ERROR_OK && wire->kind == WIRE_RETURNED)
			error = returned(run, opened, wire);
		else if (error == ERROR_OK)
			error = receive_statement(run, opened, wire);
	}
	if (error == ERROR_OK)
		run_action(run, RECORD_ACTION_TAKEN)->number = event->of.received.delivery;
	return error;
}
