#include "record/registry_letter.h"

#include <sodium.h>
#include <string.h>

/* ---- rows ---- */

struct row_key registry_chain_row(uint64_t channel, uint64_t index)
{
	struct row_key key = key_channel(TABLE_CHAIN, channel);
	key_u8(&key, index);
	key_u32(&key, 0);
	return key;
}

struct row_key registry_letter_row(uint64_t channel, uint64_t index, uint64_t number)
{
	struct row_key key = key_channel(TABLE_LETTER, channel);
	key_u8(&key, index);
	key_u32(&key, 0);
	key_u32(&key, number);
	return key;
}

static struct row_key officer_row(enum table table, uint64_t channel, uint64_t index, uint64_t officer)
{
	struct row_key key = key_channel(table, channel);
	key_u8(&key, index);
	key_u32(&key, officer);
	return key;
}

struct row_key registry_officer_row(uint64_t channel, uint64_t index, uint64_t officer)
{
	return officer_row(TABLE_OFFICER, channel, index, officer);
}

uint64_t registry_all(const struct channel *channel)
{
	return channel->parties.size == 64 ? UINT64_MAX : (UINT64_C(1) << channel->parties.size) - 1;
}

uint64_t registry_others(const struct channel *channel, uint64_t index)
{
	return registry_all(channel) & ~(UINT64_C(1) << index);
}

/* One whom a letter names: the officer's row, or the agréments that came before the credence. */
struct named {
	bool known; /* `officer` is held: the own party has named the officer */
	struct officer officer;
	struct number agreed; /* bits of TABLE_AGREED */
};

static enum error read_named(struct run *run, uint64_t channel, uint64_t index, uint64_t number,
			     struct named *named)
{
	struct row_key key = registry_officer_row(channel, index, number);
	struct row_key agreed_key = officer_row(TABLE_AGREED, channel, index, number);
	bool missing = false;

	enum error error = run_get(run, &key, &schema_officer, &named->officer);
	named->known = error == ERROR_OK;
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	error = run_get(run, &agreed_key, &schema_number, &named->agreed);
	if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- openings ---- */

static bool names_own_keys(struct run *run, const uint8_t channel[CHANNEL_ID_SIZE],
			   const struct opening_letter *opening, const struct card_party *verified)
{
	const struct own_post *own = run_post(run);
	struct ed25519_pair log;
	struct ed25519_pair cosigner;
	bool named = false;

	registry_own_log(own, channel, &log);
	registry_own_cosigner(own, channel, &cosigner);
	for (size_t i = 0; i < opening->posts_count; i++) {
		const struct opening_post *post = &opening->posts[i];
		named = named || (post->slot == own->slot &&
				  memcmp(post->log_key, log.key, sizeof(post->log_key)) == 0 &&
				  memcmp(post->cosigner_key, cosigner.key, sizeof(post->cosigner_key)) == 0);
	}
	ed25519_pair_erase(&log);
	ed25519_pair_erase(&cosigner);
	return named && memcmp(verified->posts[own->slot].letter.statement_key, own->statement_key,
			       sizeof(own->statement_key)) == 0;
}

/*
 * What a post has said on the channel before its party opened stays its word: the opening names it with the
 * key that it has spoken under.
 */
static enum error compare_spoken(struct run *run, const struct registry_entry *entry,
				 const struct card_party *verified, enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	bool missing = false;

	for (size_t i = 0; i < opening->posts_count; i++) {
		uint64_t slot = opening->posts[i].slot;
		struct row_key key = key_line(entry->channel, log_number(entry->index, slot));
		const struct post_letter *post = &verified->posts[slot].letter;
		struct line line;
		enum error error = run_get(run, &key, &schema_line, &line);
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
		if (error == ERROR_OK && !sodium_is_zero(line.statement_key, sizeof(line.statement_key)) &&
		    memcmp(line.statement_key, post->statement_key, sizeof(line.statement_key)) != 0)
			*reason = ERROR_REFUSED_CHAIN;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/*
 * The opening is of this very channel; its card is the author's, and begins or goes on the one that is
 * held; its posts are in it. One that is submitted here names this post with its own keys: with no others
 * could the post go on to speak.
 */
static enum error opening_rules(struct run *run, const struct registry_entry *entry,
				const struct channel *channel, bool own, enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	uint8_t id[CHANNEL_ID_SIZE];
	struct party party;

	enum error error = run_must(registry_party(run, entry->party, &party));
	if (error != ERROR_OK)
		return error;
	channel_id_make(&opening->parties, opening->terms, opening->nonce, id);
	if (memcmp(id, channel->id, sizeof(id)) != 0) {
		*reason = ERROR_REFUSED_TERMS;
		return ERROR_OK;
	}
	const struct card_party *verified = registry_verify_chain(run, opening->card, opening->card_count);
	if (verified->founding.name.size == 0)
		*reason = ERROR_REFUSED_FORM;
	else if (memcmp(verified->id, party.id, sizeof(party.id)) != 0)
		*reason = ERROR_REFUSED_AUTHORITY;
	for (size_t i = 0; *reason == ERROR_OK && i < opening->posts_count; i++)
		if (!verified->posts[opening->posts[i].slot].known)
			*reason = ERROR_REFUSED_FORM;
	if (*reason == ERROR_OK && own && !names_own_keys(run, id, opening, verified))
		*reason = ERROR_REFUSED_FORM;
	if (*reason != ERROR_OK)
		return ERROR_OK;
	error = registry_compare_chain(run, entry->party, &party, opening->card, verified, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	return compare_spoken(run, entry, verified, reason);
}

static enum error opening_effects(struct run *run, const struct registry_entry *entry,
				  struct channel *channel)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	const struct card_party *verified = registry_verify_chain(run, opening->card, opening->card_count);
	uint64_t number;
	enum error reason;
	bool missing = false;

	enum error error = registry_extend_chain(run, opening->card, verified, &number, &reason);
	if (error == ERROR_OK && reason != ERROR_OK)
		error = ERROR_MALFORMED; /* opening_rules let it pass on the same rows */
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < opening->posts_count; i++) {
		struct row_key key =
			key_line(entry->channel, log_number(entry->index, opening->posts[i].slot));
		const struct post_letter *post = &verified->posts[opening->posts[i].slot].letter;
		struct line line;
		error = run_get(run, &key, &schema_line, &line);
		if (error != ERROR_NOT_FOUND && !run_missing(error, &missing))
			return error;
		line.name = post->name;
		memcpy(line.statement_key, post->statement_key, sizeof(line.statement_key));
		memcpy(line.log_key, opening->posts[i].log_key, sizeof(line.log_key));
		memcpy(line.cosigner_key, opening->posts[i].cosigner_key, sizeof(line.cosigner_key));
		if (line.incarnation == 0)
			line.incarnation = 1;
		run_put(run, &key, &schema_line, &line);
	}
	channel->opened |= UINT64_C(1) << entry->index;
	if (channel->opened == registry_all(channel))
		channel->state = CHANNEL_OPEN;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- credences ---- */

static enum error credence_rules(struct run *run, const struct registry_entry *entry,
				 const struct chain *chain, enum error *reason)
{
	struct named named;

	enum error error = read_named(run, entry->channel, entry->index,
				      entry->content->of.letter.of.credence.officer, &named);
	if (error != ERROR_OK)
		return error;
	if (named.known)
		*reason = ERROR_REFUSED_NUMBER; /* or agréments given to one person would pass to another */
	else if (chain->officers >= OFFICERS_MAX)
		*reason = ERROR_REFUSED_QUOTA;
	return ERROR_OK;
}

static enum error credence_effects(struct run *run, const struct registry_entry *entry, struct chain *chain)
{
	const struct credence_letter *credence = &entry->content->of.letter.of.credence;
	struct row_key key = registry_officer_row(entry->channel, entry->index, credence->officer);
	struct row_key agreed_key =
		officer_row(TABLE_AGREED, entry->channel, entry->index, credence->officer);
	struct named named;

	enum error error = read_named(run, entry->channel, entry->index, credence->officer, &named);
	if (error != ERROR_OK)
		return error;
	struct officer officer = {
		.name = credence->name,
		.title = credence->title,
		.highest_precedence = credence->highest_precedence,
		.agreed = named.agreed.number,
	};
	memcpy(officer.key, credence->key, sizeof(officer.key));
	memcpy(officer.letter, entry->identity, sizeof(officer.letter));
	run_put(run, &key, &schema_officer, &officer);
	if (named.agreed.number != 0)
		run_delete(run, &agreed_key);
	chain->officers++;
	return ERROR_OK;
}

/* ---- agréments ---- */

/*
 * Whom another party accepts is its own decision, and may come to be held before the credence it goes
 * with; it entitles nobody by itself. Here, nobody agrees to an officer who is not known.
 */
static enum error agrement_rules(struct run *run, const struct registry_entry *entry,
				 const struct channel *channel, const struct chain *chain, bool own,
				 enum error *reason)
{
	const struct agrement_letter *agrement = &entry->content->of.letter.of.agrement;
	uint64_t agreed = chain->agreed;
	bool missing = false;

	if (agrement->party >= channel->parties.size) {
		*reason = ERROR_REFUSED_FORM;
		return ERROR_OK;
	}
	if (agrement->party == entry->index) {
		*reason = ERROR_REFUSED_AUTHORITY; /* not of one's own officers */
		return ERROR_OK;
	}
	for (size_t i = 0; i < agrement->officers_count; i++) {
		struct named named;
		enum error error =
			read_named(run, entry->channel, agrement->party, agrement->officers[i], &named);
		if (!run_missing(error, &missing))
			return error;
		if (error != ERROR_OK)
			continue;
		if (own && !named.known)
			*reason = ERROR_REFUSED_REFERENCE;
		agreed += ((named.officer.agreed | named.agreed.number) >> entry->index & 1) == 0;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	if (*reason == ERROR_OK && agreed > OFFICERS_MAX * (channel->parties.size - 1))
		*reason = ERROR_REFUSED_QUOTA;
	return ERROR_OK;
}

static enum error agree(struct run *run, const struct registry_entry *entry, uint64_t index, uint64_t number,
			struct chain *chain)
{
	struct row_key key = registry_officer_row(entry->channel, index, number);
	struct row_key agreed_key = officer_row(TABLE_AGREED, entry->channel, index, number);
	uint64_t bit = UINT64_C(1) << entry->index;
	struct named named;

	enum error error = read_named(run, entry->channel, index, number, &named);
	if (error != ERROR_OK || ((named.officer.agreed | named.agreed.number) & bit) != 0)
		return error;
	chain->agreed++;
	named.officer.agreed |= bit;
	named.agreed.number |= bit;
	if (named.known)
		run_put(run, &key, &schema_officer, &named.officer);
	else
		run_put(run, &agreed_key, &schema_number, &named.agreed);
	return ERROR_OK;
}

static enum error agrement_effects(struct run *run, const struct registry_entry *entry, struct chain *chain)
{
	const struct agrement_letter *agrement = &entry->content->of.letter.of.agrement;
	bool missing = false;

	for (size_t i = 0; i < agrement->officers_count; i++) {
		enum error error = agree(run, entry, agrement->party, agrement->officers[i], chain);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- any letter ---- */

enum error registry_letter_rules(struct run *run, const struct registry_entry *entry,
				 const struct channel *channel, const struct chain *chain, bool own,
				 enum error *reason)
{
	switch (entry->content->of.letter.kind) {
	case LETTER_OPENING:
		return opening_rules(run, entry, channel, own, reason);
	case LETTER_CREDENCE:
		return credence_rules(run, entry, chain, reason);
	case LETTER_AGREMENT:
		return agrement_rules(run, entry, channel, chain, own, reason);
	default:
		*reason = ERROR_REFUSED_KIND;
		return ERROR_OK;
	}
}

enum error registry_letter_touch(struct run *run, const struct registry_entry *entry, size_t *size)
{
	const struct letter *letter = &entry->content->of.letter;
	const struct agrement_letter *agrement = &letter->of.agrement;
	struct named named;
	bool missing = false;

	if (letter->kind == LETTER_CREDENCE) {
		*size += 1;
		return read_named(run, entry->channel, entry->index, letter->of.credence.officer, &named);
	}
	if (letter->kind != LETTER_AGREMENT)
		return ERROR_OK;
	*size += agrement->officers_count;
	for (size_t i = 0; i < agrement->officers_count; i++) {
		enum error error =
			read_named(run, entry->channel, agrement->party, agrement->officers[i], &named);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error registry_letter_effects(struct run *run, const struct registry_entry *entry,
				   struct channel *channel, struct chain *chain)
{
	enum error error = ERROR_OK;

	if (entry->content->of.letter.kind == LETTER_OPENING)
		error = opening_effects(run, entry, channel);
	else if (entry->content->of.letter.kind == LETTER_CREDENCE)
		error = credence_effects(run, entry, chain);
	else
		error = agrement_effects(run, entry, chain);
	if (error != ERROR_OK)
		return error;
	chain->letters++;
	memcpy(chain->head, entry->identity, sizeof(chain->head));
	return ERROR_OK;
}
