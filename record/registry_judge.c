#include <sodium.h>
#include <string.h>

#include "record/registry_letter.h"

#define ALERT_FORK "an authority has signed two letters of one number: the first stands"

/* What the judgement of one entry goes by. */
struct judging {
	const struct registry_entry *entry;
	bool own;
	struct channel channel; /* only its id where the channel is not made yet */
	struct terms terms;
	struct aad aad;
	size_t keys_count;
	uint8_t keys[SIGNERS_MAX][PUBLIC_KEY_SIZE];
	struct officer officers[SIGNERS_MAX]; /* where officers have signed */
};

/* ---- the channel ---- */

static bool is_opening(const struct content *content)
{
	return content->kind == CONTENT_LETTER && content->of.letter.kind == LETTER_OPENING;
}

/* An opening of a channel that is not known yet stands for its own channel. */
static enum error read_opening(struct run *run, struct judging *judging, enum error *reason)
{
	const struct opening_letter *opening = &judging->entry->content->of.letter.of.opening;
	struct channel *channel = &judging->channel;
	struct party author;
	size_t index;

	if (!is_opening(judging->entry->content)) {
		*reason = ERROR_REFUSED_CHANNEL;
		return ERROR_OK;
	}
	enum error error = run_must(registry_party(run, judging->entry->party, &author));
	if (error != ERROR_OK)
		return error;
	if (!roster_find(&opening->parties, author.id, &index))
		*reason = ERROR_REFUSED_CHANNEL;
	else if (terms_decode(opening->terms, &judging->terms) != ERROR_OK)
		*reason = ERROR_REFUSED_TERMS;
	if (*reason != ERROR_OK)
		return ERROR_OK;
	channel_id_make(&opening->parties, opening->terms, opening->nonce, channel->id);
	aad_on_channel(&judging->aad, AAD_ENTRY, channel->id, &opening->parties, index);
	return ERROR_OK;
}

static enum error read_channel(struct run *run, struct judging *judging, enum error *reason)
{
	const struct registry_entry *entry = judging->entry;

	if (entry->channel == 0)
		return read_opening(run, judging, reason);
	enum error error = run_must(registry_channel(run, entry->channel, &judging->channel));
	if (error == ERROR_OK)
		error = registry_terms(&judging->channel, &judging->terms);
	if (error == ERROR_OK)
		error = registry_aad(run, &judging->channel, AAD_ENTRY, entry->index, &judging->aad);
	return error;
}

/* ---- who signed ---- */

static enum error find_post(struct run *run, struct judging *judging, enum error *reason)
{
	const struct registry_entry *entry = judging->entry;
	struct log_post post;

	enum error error = registry_log_post(run, entry->channel, &judging->channel,
					     log_number(entry->index, entry->slot), &post);
	if (error == ERROR_NOT_FOUND) {
		*reason = ERROR_REFUSED_SIGNER;
		return ERROR_OK;
	}
	judging->keys_count = 1;
	memcpy(judging->keys[0], post.statement_key, sizeof(judging->keys[0]));
	return error;
}

static enum error find_authority(struct run *run, struct judging *judging)
{
	struct party party;

	enum error error = run_must(registry_party(run, judging->entry->party, &party));
	judging->keys_count = 1;
	memcpy(judging->keys[0], party.authority_key, sizeof(judging->keys[0]));
	return error;
}

static enum error find_officers(struct run *run, struct judging *judging, enum error *reason)
{
	const struct registry_entry *entry = judging->entry;
	bool missing = false;

	judging->keys_count = entry->content->signers_count;
	for (size_t i = 0; i < judging->keys_count; i++) {
		struct row_key key =
			registry_officer_row(entry->channel, entry->index, entry->content->signers[i]);
		enum error error = run_get(run, &key, &schema_officer, &judging->officers[i]);
		if (error == ERROR_NOT_FOUND)
			*reason = ERROR_REFUSED_SIGNER;
		else if (!run_missing(error, &missing))
			return error;
		memcpy(judging->keys[i], judging->officers[i].key, sizeof(judging->keys[i]));
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error find_signers(struct run *run, struct judging *judging, enum error *reason)
{
	const struct content *content = judging->entry->content;

	if (content->signers_count > 0 && content->signers[0] == 0)
		return find_authority(run, judging);
	if (judging->entry->channel == 0) {
		*reason =
			ERROR_REFUSED_AUTHORITY; /* who might be an officer or a post of what is not there? */
		return ERROR_OK;
	}
	return content->signers_count == 0 ? find_post(run, judging, reason)
					   : find_officers(run, judging, reason);
}

/* ---- messages and acknowledgments ---- */

/*
 * The channel is open, and the author's post serves on it: its party's opening names it. Of what others say,
 * the openings of the author's party and the own one are asked for: that a third's is on its way, or withheld
 * from this post, is no fault of the author's, and silences nobody.
 */
static enum error judge_line(struct run *run, const struct judging *judging, enum error *reason)
{
	const struct registry_entry *entry = judging->entry;
	struct row_key key = key_line(entry->channel, log_number(entry->index, entry->slot));
	struct line line;

	enum error error = run_get(run, &key, &schema_line, &line);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	const struct channel *channel = &judging->channel;
	uint64_t both = UINT64_C(1) << channel->own_index | UINT64_C(1) << entry->index;
	bool open = judging->own ? channel->state == CHANNEL_OPEN : (channel->opened & both) == both;
	if (!open || sodium_is_zero(line.log_key, sizeof(line.log_key)))
		*reason = ERROR_REFUSED_CHANNEL;
	return ERROR_OK;
}

/*
 * Here, all others must have agreed to whom we let speak. What another party's officer says counts where
 * this party has agreed; that others' agréments are on their way is no fault of his.
 */
static void judge_officers(const struct judging *judging, enum error *reason)
{
	const struct channel *channel = &judging->channel;
	uint64_t wanted = registry_others(channel, judging->entry->index);

	if (!judging->own)
		wanted &= UINT64_C(1) << channel->own_index;
	for (size_t i = 0; i < judging->keys_count; i++) {
		const struct officer *officer = &judging->officers[i];
		if ((officer->agreed & wanted) != wanted)
			*reason = ERROR_REFUSED_AGREMENT;
		else if (officer->highest_precedence != 0 &&
			 judging->entry->content->precedence > officer->highest_precedence)
			*reason = ERROR_REFUSED_SCOPE;
		if (*reason != ERROR_OK)
			return;
	}
}

/* True in *two if only two posts are on the channel: then what one names was at hand to both. */
static enum error count_lines(struct run *run, uint64_t channel, bool *two)
{
	enum error error = ERROR_OK;
	uint64_t log = LINES_START;
	size_t count = 0;

	while (count <= 2 && (error = registry_next_line(run, channel, &log, NULL)) == ERROR_OK)
		count++;
	*two = count <= 2;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/*
 * Of another's entry only that is judged which its author knew as well: what is named is the same thing to
 * all who can read it. That it was refused here says nothing of what it was to the author.
 */
static enum error judge_held(struct run *run, const struct judging *judging, const struct entry_key *key,
			     enum error *reason)
{
	struct row_key row_key = key_entry(TABLE_ENTRY, key);
	struct entry named;

	if (key->channel != judging->entry->channel || log_roster_index(key->log) == judging->entry->index) {
		*reason = ERROR_REFUSED_NAMED;
		return ERROR_OK;
	}
	enum error error = run_must(run_get(run, &row_key, &schema_entry, &named));
	bool message = named.kind == CONTENT_MESSAGE || (named.kind == 0 && !judging->own);
	if (!message || (judging->own && named.reason != ERROR_OK))
		*reason = ERROR_REFUSED_NAMED;
	return error;
}

/*
 * What is acknowledged or answered must be held, on this channel, and be another party's message. Among more
 * than two posts it may still be on its way from a third: then only what is held is checked.
 */
static enum error judge_named(struct run *run, const struct judging *judging,
			      const uint8_t identity[IDENTITY_SIZE], enum error *reason)
{
	struct row_key row_key = key_identity(identity);
	struct entry_key key;
	bool two;

	enum error error = run_get(run, &row_key, &schema_entry_key, &key);
	if (error == ERROR_OK)
		return judge_held(run, judging, &key, reason);
	if (error != ERROR_NOT_FOUND)
		return error;
	error = count_lines(run, judging->entry->channel, &two);
	if (error == ERROR_OK && (two || judging->own))
		*reason = ERROR_REFUSED_REFERENCE;
	return error;
}

/* Here, by nobody of the own party: log numbers of one party stand together. */
static enum error judge_first_here(struct run *run, const struct judging *judging,
				   const uint8_t identity[IDENTITY_SIZE], enum error *reason)
{
	struct row_key prefix = key_acknowledged(judging->entry->channel, identity);
	struct row_key from = key_acknowledged_in(judging->entry->channel, identity,
						  log_number(judging->entry->index, 0), 0);
	struct row row;

	enum error error = rows_from(run_rows(run), key_view(&prefix), key_view(&from), &row);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct key_reader reader = key_reader_make(row.key);
	(void)key_read_u16(&reader);
	for (size_t i = 0; i < IDENTITY_SIZE / 8; i++)
		(void)key_read_u64(&reader);
	uint64_t log = key_read_u16(&reader);
	(void)key_read_u16(&reader);
	if (log_roster_index(log) == judging->entry->index)
		*reason = ERROR_REFUSED_NAMED;
	return key_read_end(&reader);
}

/*
 * A message is acknowledged once. Of another's log only what stands before in the same incarnation counts:
 * two posts of one party may do it at the same time, and one that was restored does not know that it did.
 */
static enum error judge_first(struct run *run, const struct judging *judging,
			      const uint8_t identity[IDENTITY_SIZE], enum error *reason)
{
	const struct registry_entry *entry = judging->entry;
	struct row_key key = key_acknowledged_in(entry->channel, identity,
						 log_number(entry->index, entry->slot), entry->incarnation);
	struct number position;

	if (judging->own)
		return judge_first_here(run, judging, identity, reason);
	enum error error = run_get(run, &key, &schema_number, &position);
	if (error == ERROR_OK && position.number < entry->position)
		*reason = ERROR_REFUSED_NAMED;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error judge_acknowledgment(struct run *run, const struct judging *judging, enum error *reason)
{
	const uint8_t *acknowledged = judging->entry->content->of.acknowledgment.acknowledged;

	enum error error = judge_named(run, judging, acknowledged, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = judge_first(run, judging, acknowledged, reason);
	return error;
}

static enum error judge_speech(struct run *run, const struct judging *judging, enum error *reason)
{
	const struct content *content = judging->entry->content;

	enum error error = judge_line(run, judging, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	judge_officers(judging, reason);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	if (content->kind == CONTENT_ACKNOWLEDGMENT)
		return judge_acknowledgment(run, judging, reason);
	if (content->of.message.has_answers)
		return judge_named(run, judging, content->of.message.answers, reason);
	return ERROR_OK;
}

/* ---- letters ---- */

/*
 * A letter of this number is held: it is this very one, carried by another post, or there are two of one
 * number.
 */
static enum error judge_again(struct run *run, const struct judging *judging, const struct entry_key *held,
			      enum error *reason)
{
	struct row_key key = key_entry(TABLE_ENTRY, held);
	struct entry entry;

	enum error error = run_must(run_get(run, &key, &schema_entry, &entry));
	if (error != ERROR_OK ||
	    memcmp(entry.identity, judging->entry->identity, sizeof(entry.identity)) == 0)
		return error;
	*reason = ERROR_REFUSED_CHAIN;
	if (!judging->own)
		run_alert(run, *reason, ALERT_FORK);
	return ERROR_OK;
}

/* What comes before its predecessor waits (registry_apply), but for what is submitted here. */
static enum error judge_in_chain(struct run *run, const struct judging *judging, enum error *reason)
{
	const struct registry_entry *entry = judging->entry;
	const struct letter *letter = &entry->content->of.letter;
	struct row_key chain_key = registry_chain_row(entry->channel, entry->index);
	struct row_key letter_key = registry_letter_row(entry->channel, entry->index, letter->number);
	struct chain chain;
	struct entry_key held;
	bool missing = false;

	enum error error = run_get(run, &chain_key, &schema_chain, &chain);
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	error = run_get(run, &letter_key, &schema_entry_key, &held);
	if (missing || error == ERROR_NEEDS_ROWS)
		return ERROR_NEEDS_ROWS;
	if (error == ERROR_OK)
		return judge_again(run, judging, &held, reason);
	if (error != ERROR_NOT_FOUND)
		return error;
	if (letter->number < chain.letters)
		return ERROR_MALFORMED; /* every letter that was applied is held */
	if (letter->number > chain.letters) {
		*reason = judging->own ? ERROR_REFUSED_CHAIN : ERROR_OK;
		return ERROR_OK;
	}
	if (letter->number > 0 && memcmp(letter->previous, chain.head, sizeof(chain.head)) != 0) {
		*reason = ERROR_REFUSED_CHAIN;
		return ERROR_OK;
	}
	return registry_letter_rules(run, entry, &judging->channel, &chain, judging->own, reason);
}

static enum error judge_letter(struct run *run, const struct judging *judging, enum error *reason)
{
	static const struct chain empty;

	if (judging->entry->content->signers[0] != 0) {
		*reason = ERROR_REFUSED_AUTHORITY; /* no letter delegates yet */
		return ERROR_OK;
	}
	if (judging->entry->channel != 0)
		return judge_in_chain(run, judging, reason);
	return registry_letter_rules(run, judging->entry, &judging->channel, &empty, judging->own, reason);
}

/* ---- the whole ---- */

/* What is wrong with the form is one reason to others; the post alone knows more. */
static enum error check_content(const struct judging *judging)
{
	enum error error = content_check(judging->entry->content, &judging->terms);

	return error != ERROR_OK && error < ERROR_REFUSED_FORM ? ERROR_REFUSED_FORM : error;
}

static enum error judge_content(struct run *run, const struct judging *judging, enum error *reason)
{
	*reason = check_content(judging);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	switch (judging->entry->content->kind) {
	case CONTENT_MESSAGE:
	case CONTENT_ACKNOWLEDGMENT:
		return judge_speech(run, judging, reason);
	case CONTENT_LETTER:
		return judge_letter(run, judging, reason);
	default:
		return ERROR_OK; /* what a post says of logs is never judged, only receipted */
	}
}

bool registry_unverified(enum error reason)
{
	return reason == ERROR_REFUSED_SIGNER || reason == ERROR_REFUSED_SIGNATURE;
}

enum error registry_judge(struct run *run, const struct registry_entry *entry, bool own, enum error *reason)
{
	struct judging *judging = run_take(run, sizeof(*judging));

	*judging = (struct judging){.entry = entry, .own = own};
	*reason = ERROR_OK;
	enum error error = read_channel(run, judging, reason);
	if (error == ERROR_OK && *reason == ERROR_OK)
		error = find_signers(run, judging, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	enum error verified =
		run_verify(run, entry->object, &judging->aad,
			   (const uint8_t(*)[PUBLIC_KEY_SIZE])judging->keys, judging->keys_count);
	if (verified == ERROR_OK)
		return judge_content(run, judging, reason);
	/*
	 * Two officers with one key are not two persons; that is a matter of the entry, not of the
	 * channel.
	 */
	*reason = verified == ERROR_BAD_KEY ? ERROR_REFUSED_SIGNATURE : ERROR_BAD_SIGNATURE;
	return ERROR_OK;
}
