#include <string.h>

#include "record/log.h"
#include "record/registry.h"

#define ALERT_FORK "two letters of one number by one signer: the first stands"

/* ---- who signed ---- */

struct signers {
	size_t count;
	uint8_t keys[SIGNERS_MAX][PUBLIC_KEY_SIZE];
	struct officer officers[SIGNERS_MAX]; /* of messages and acknowledgments */
};

static enum error post_signer(struct run *run, const struct registry_entry *entry, struct signers *signers,
			      enum error *reason)
{
	struct row_key key = key_party_post(TABLE_PARTY_POST, entry->party, entry->slot);
	struct party_post post;

	enum error error = run_get(run, &key, &schema_party_post, &post);
	if (error == ERROR_NOT_FOUND) {
		*reason = ERROR_REFUSED_SIGNER;
		return ERROR_OK;
	}
	signers->count = 1;
	memcpy(signers->keys[0], post.statement_key, PUBLIC_KEY_SIZE);
	return error;
}

static enum error authority_signer(struct run *run, const struct registry_entry *entry, struct signers *signers,
				   enum error *reason)
{
	const struct content *content = entry->content;
	struct party party;

	if (content->signers_count != 1 || content->signers[0] != 0) {
		*reason = ERROR_REFUSED_AUTHORITY; /* no letter delegates yet */
		return ERROR_OK;
	}
	enum error error = registry_party(run, entry->party, &party);
	signers->count = 1;
	memcpy(signers->keys[0], party.authority_key, PUBLIC_KEY_SIZE);
	return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
}

static struct row_key key_officer(uint64_t channel, uint64_t index, uint64_t officer)
{
	struct row_key key = key_channel(TABLE_OFFICER, channel);
	key_u8(&key, index);
	key_u32(&key, officer);
	return key;
}

static enum error officer_signers(struct run *run, const struct registry_entry *entry, struct signers *signers,
				  enum error *reason)
{
	bool missing = false;

	for (size_t i = 0; i < entry->content->signers_count; i++) {
		struct row_key key = key_officer(entry->channel, entry->index, entry->content->signers[i]);
		enum error error = run_get(run, &key, &schema_officer, &signers->officers[i]);
		if (error == ERROR_NEEDS_ROWS)
			missing = true;
		else if (error == ERROR_NOT_FOUND || (error == ERROR_OK && !signers->officers[i].credence))
			*reason = ERROR_REFUSED_SIGNER;
		else if (error != ERROR_OK)
			return error;
		memcpy(signers->keys[i], signers->officers[i].key, PUBLIC_KEY_SIZE);
	}
	signers->count = entry->content->signers_count;
	if (signers->count == 0)
		*reason = ERROR_REFUSED_SIGNER;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error find_signers(struct run *run, const struct registry_entry *entry, struct signers *signers,
			       enum error *reason)
{
	if (content_is_from_post(entry->content->kind))
		return post_signer(run, entry, signers, reason);
	if (entry->content->kind == CONTENT_LETTER)
		return authority_signer(run, entry, signers, reason);
	return officer_signers(run, entry, signers, reason);
}

/* The aad: of the channel, or of the one that an opening names. */
static enum error find_aad(struct run *run, const struct registry_entry *entry, const struct channel *channel,
			   struct aad *aad)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	uint8_t id[CHANNEL_ID_SIZE];

	if (entry->channel != 0)
		return registry_aad(run, channel, AAD_ENTRY, entry->index, aad);
	channel_id_make(&opening->parties, opening->terms, opening->nonce, id);
	aad_on_channel(aad, AAD_ENTRY, id, &opening->parties, entry->index);
	return ERROR_OK;
}

/* ---- messages and acknowledgments ---- */

static void judge_officers(const struct registry_entry *entry, const struct channel *channel,
			   const struct signers *signers, bool own, enum error *reason)
{
	uint64_t all = channel->parties.size == 64 ? UINT64_MAX : (UINT64_C(1) << channel->parties.size) - 1;
	uint64_t wanted = own ? all & ~(UINT64_C(1) << entry->index) : UINT64_C(1) << channel->own_index;

	wanted &= ~(UINT64_C(1) << entry->index); /* among siblings, nobody's agrément is needed */
	for (size_t i = 0; i < signers->count; i++) {
		const struct officer *officer = &signers->officers[i];
		if ((officer->agreed & wanted) != wanted)
			*reason = ERROR_REFUSED_AGREMENT;
		else if (officer->highest_precedence != 0 &&
			 entry->content->precedence > officer->highest_precedence)
			*reason = ERROR_REFUSED_SCOPE;
	}
}

/*
 * What an entry names must be held, on this channel. Between more than two parties it may be on its way from a
 * third: then only what is held is checked.
 */
static enum error judge_reference(struct run *run, const struct registry_entry *entry, const struct channel *channel,
				  const uint8_t identity[IDENTITY_SIZE], bool of_another, enum error *reason)
{
	struct entry_key key;

	enum error error = log_find(run, identity, &key);
	if (error == ERROR_NOT_FOUND) {
		if (channel->parties.size == 2)
			*reason = ERROR_REFUSED_REFERENCE;
		return ERROR_OK;
	}
	if (error != ERROR_OK)
		return error;
	if (key.channel != entry->channel || (of_another && log_roster_index(key.log) == entry->index))
		*reason = ERROR_REFUSED_REFERENCE;
	return ERROR_OK;
}

static enum error judge_message(struct run *run, const struct registry_entry *entry, const struct channel *channel,
				enum error *reason)
{
	const struct message *message = &entry->content->of.message;
	enum error error = ERROR_OK;

	if (channel->state != CHANNEL_OPEN) {
		*reason = ERROR_REFUSED_CHANNEL;
		return ERROR_OK;
	}
	if (message->has_answers)
		error = judge_reference(run, entry, channel, message->answers, true, reason);
	for (size_t i = 0; error == ERROR_OK && i < message->references_count; i++)
		error = judge_reference(run, entry, channel, message->references[i], false, reason);
	return error;
}

/* ---- letters ---- */

/* The card in an opening is the author's own chain, and its posts are in it. */
static enum error judge_opening(struct run *run, const struct registry_entry *entry, const struct channel *channel,
				bool own, enum error *reason)
{
	const struct opening_letter *opening = &entry->content->of.letter.of.opening;
	const struct own_post *post = run_post(run);
	struct party party;

	enum error error = registry_party(run, entry->party, &party);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	const struct card_party *verified = registry_verify_chain(run, opening->card, opening->card_count);
	if (memcmp(verified->id, party.id, PARTY_ID_SIZE) != 0)
		*reason = ERROR_REFUSED_FORM;
	for (size_t i = 0; *reason == ERROR_OK && i < opening->posts_count; i++)
		if (!verified->posts[opening->posts[i].slot].known)
			*reason = ERROR_REFUSED_FORM;
	if (*reason != ERROR_OK || !own)
		return ERROR_OK;
	/* Only with this post's own keys can this post go on to speak. */
	struct ed25519_pair log;
	struct ed25519_pair cosigner;
	uint8_t id[CHANNEL_ID_SIZE];
	bool named = false;
	if (channel != NULL)
		memcpy(id, channel->id, sizeof(id));
	else
		channel_id_make(&opening->parties, opening->terms, opening->nonce, id);
	registry_own_keys(post, id, &log, &cosigner);
	for (size_t i = 0; i < opening->posts_count; i++)
		named = named || (opening->posts[i].slot == post->slot &&
				  memcmp(opening->posts[i].log_key, log.key, PUBLIC_KEY_SIZE) == 0 &&
				  memcmp(opening->posts[i].cosigner_key, cosigner.key, PUBLIC_KEY_SIZE) == 0);
	ed25519_pair_erase(&log);
	ed25519_pair_erase(&cosigner);
	if (!named)
		*reason = ERROR_REFUSED_FORM;
	return ERROR_OK;
}

static enum error judge_credence(struct run *run, const struct registry_entry *entry, enum error *reason)
{
	const struct credence_letter *credence = &entry->content->of.letter.of.credence;
	struct row_key key = key_officer(entry->channel, entry->index, credence->officer);
	struct officer officer;

	enum error error = run_get(run, &key, &schema_officer, &officer);
	if (error == ERROR_OK && officer.credence)
		*reason = ERROR_REFUSED_CHAIN; /* a number is not used again */
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The officers named must be known where they can be: to their own party, and to whoever agrees to them. */
static enum error judge_agrement(struct run *run, const struct registry_entry *entry, const struct channel *channel,
				 bool own, enum error *reason)
{
	const struct agrement_letter *agrement = &entry->content->of.letter.of.agrement;
	bool missing = false;

	if (agrement->party >= channel->parties.size || agrement->party == entry->index) {
		*reason = ERROR_REFUSED_FORM;
		return ERROR_OK;
	}
	if (!own && agrement->party != channel->own_index)
		return ERROR_OK;
	for (size_t i = 0; i < agrement->officers_count; i++) {
		struct row_key key = key_officer(entry->channel, agrement->party, agrement->officers[i]);
		struct officer officer;
		enum error error = run_get(run, &key, &schema_officer, &officer);
		if (error == ERROR_NEEDS_ROWS)
			missing = true;
		else if (error == ERROR_NOT_FOUND || (error == ERROR_OK && !officer.credence))
			*reason = ERROR_REFUSED_REFERENCE;
		else if (error != ERROR_OK)
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static struct row_key key_chain(uint64_t channel, uint64_t index)
{
	struct row_key key = key_channel(TABLE_CHAIN, channel);
	key_u8(&key, index);
	key_u32(&key, 0);
	return key;
}

static enum error judge_chain(struct run *run, const struct registry_entry *entry, bool own, enum error *reason)
{
	const struct letter *letter = &entry->content->of.letter;
	struct row_key chain_key = key_chain(entry->channel, entry->index);
	struct row_key letter_key = key_channel(TABLE_LETTER, entry->channel);
	struct chain chain;
	struct entry_key held;

	key_u8(&letter_key, entry->index);
	key_u32(&letter_key, 0);
	key_u32(&letter_key, letter->number);
	enum error chain_error = run_get(run, &chain_key, &schema_chain, &chain);
	enum error error = run_get(run, &letter_key, &schema_entry_key, &held);
	if (chain_error != ERROR_OK && chain_error != ERROR_NOT_FOUND)
		return chain_error;
	if (error == ERROR_OK) {
		*reason = ERROR_REFUSED_CHAIN;
		run_alert(run, ERROR_REFUSED_CHAIN, ALERT_FORK);
		return ERROR_OK;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	bool next = letter->number == chain.letters;
	if (letter->number < chain.letters || (own && !next))
		*reason = ERROR_REFUSED_CHAIN;
	if (next && letter->number > 0 && memcmp(letter->previous, chain.head, IDENTITY_SIZE) != 0)
		*reason = ERROR_REFUSED_CHAIN;
	return ERROR_OK;
}

static enum error judge_letter(struct run *run, const struct registry_entry *entry, const struct channel *channel,
			       bool own, enum error *reason)
{
	const struct letter *letter = &entry->content->of.letter;
	enum error error = ERROR_OK;

	if (letter->kind < LETTER_OPENING || letter->kind > LETTER_AGREMENT) {
		*reason = ERROR_REFUSED_KIND; /* founding and post letters stand on cards */
		return ERROR_OK;
	}
	if ((letter->kind == LETTER_OPENING) != (letter->number == 0)) {
		*reason = ERROR_REFUSED_CHAIN;
		return ERROR_OK;
	}
	if (entry->channel != 0)
		error = judge_chain(run, entry, own, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	if (letter->kind == LETTER_OPENING)
		return judge_opening(run, entry, entry->channel == 0 ? NULL : channel, own, reason);
	if (letter->kind == LETTER_CREDENCE)
		return judge_credence(run, entry, reason);
	return judge_agrement(run, entry, channel, own, reason);
}

/* ---- the whole ---- */

static enum error judge_content(struct run *run, const struct registry_entry *entry, const struct channel *channel,
				bool own, enum error *reason)
{
	switch (entry->content->kind) {
	case CONTENT_MESSAGE:
		return judge_message(run, entry, channel, reason);
	case CONTENT_ACKNOWLEDGMENT:
		return judge_reference(run, entry, channel, entry->content->of.acknowledgment.acknowledged, true,
				       reason);
	case CONTENT_LETTER:
		return judge_letter(run, entry, channel, own, reason);
	case CONTENT_VERDICT:
	case CONTENT_INCARNATION:
		return ERROR_OK;
	default:
		*reason = ERROR_REFUSED_KIND;
		return ERROR_OK;
	}
}

static enum error check_form(const struct registry_entry *entry, const struct channel *channel)
{
	const struct content *content = entry->content;
	struct terms terms;

	if (content->kind < CONTENT_MESSAGE || content->kind > CONTENT_INCARNATION ||
	    (content->kind == CONTENT_LETTER &&
	     (content->of.letter.kind < LETTER_FOUNDING || content->of.letter.kind > LETTER_AGREMENT)))
		return ERROR_REFUSED_KIND;
	bool opening = content->kind == CONTENT_LETTER && content->of.letter.kind == LETTER_OPENING;
	struct bytes encoded = opening ? content->of.letter.of.opening.terms : channel->terms;
	bool has_terms = terms_decode(encoded, &terms) == ERROR_OK;
	enum error error = content_check(content, has_terms ? &terms : NULL);
	if (error != ERROR_OK && error < ERROR_REFUSED_FORM)
		return ERROR_REFUSED_FORM;
	return error;
}

enum error registry_judge(struct run *run, const struct registry_entry *entry, bool own, enum error *reason)
{
	struct signers *signers = run_take(run, sizeof(*signers));
	struct aad *aad = run_take(run, sizeof(*aad));
	struct channel channel = {0};
	enum error error = ERROR_OK;

	*reason = ERROR_OK;
	memset(signers, 0, sizeof(*signers));
	if (entry->channel != 0)
		error = registry_channel(run, entry->channel, &channel);
	if (error == ERROR_OK)
		error = find_signers(run, entry, signers, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	error = find_aad(run, entry, &channel, aad);
	if (error != ERROR_OK)
		return error;
	*reason = run_verify(run, entry->object, aad, (const uint8_t(*)[PUBLIC_KEY_SIZE])signers->keys, signers->count);
	if (*reason != ERROR_OK) {
		*reason = ERROR_BAD_SIGNATURE;
		return ERROR_OK;
	}
	*reason = check_form(entry, &channel);
	if (*reason == ERROR_OK && !content_is_from_post(entry->content->kind) &&
	    entry->content->kind != CONTENT_LETTER)
		judge_officers(entry, &channel, signers, own, reason);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	error = judge_content(run, entry, &channel, own, reason);
	if (own && *reason == ERROR_BAD_SIGNATURE)
		*reason = ERROR_REFUSED_SIGNATURE;
	return error;
}
