/*
 * The registry of a channel: who may say what, by the letters held (doc/PROTOCOL.md, section 2, "Letters").
 *
 * All of it is a fold over letters into rows: TABLE_PARTY and its kin from cards, TABLE_CHANNEL, LINE, CHAIN,
 * LETTER and OFFICER from the letters on a channel. A receiver judges by its own rows; what an author cites
 * never entitles. Functions return what run.h says; `*reason` is ERROR_OK or why the thing is refused.
 */
#ifndef RECORD_REGISTRY_H
#define RECORD_REGISTRY_H

#include "envelope/card.h"
#include "record/run.h"

/* ---- looking up ---- */

/* ERROR_NOT_FOUND where it is not held. */
enum error registry_party(struct run *run, uint64_t number, struct party *party);
enum error registry_party_by_id(struct run *run, const uint8_t id[PARTY_ID_SIZE], uint64_t *number);
enum error registry_channel(struct run *run, uint64_t number, struct channel *channel);
enum error registry_channel_by_id(struct run *run, const uint8_t id[CHANNEL_ID_SIZE], uint64_t *number);

/* The roster of a channel: ids of its parties in order (reads TABLE_PARTY of each). */
enum error registry_roster(struct run *run, const struct channel *channel, struct roster *roster);
/* The aad of what the party of roster index `sender` signs on this channel. */
enum error registry_aad(struct run *run, const struct channel *channel, enum aad_context context, uint64_t sender,
			struct aad *aad);
/* The party number of a roster index; the index of a party number, or false. */
uint64_t registry_party_of(const struct channel *channel, uint64_t index);
bool registry_index_of(const struct channel *channel, uint64_t party, uint64_t *index);

/* The sentence of the channel's terms (decoded from the row, so valid). */
enum error registry_terms(const struct channel *channel, struct terms *terms);

/* This post's log and cosigner key pairs on a channel: derive_seed of the root seed with the labels "liaison log"
 * and "liaison cosigner" and the channel id as context. Pure. */
void registry_own_keys(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE], struct ed25519_pair *log,
		       struct ed25519_pair *cosigner);

/* ---- cards ---- */

/*
 * Takes another party's card in: verifies it (card_verify; once an event), numbers the party if it is new, and writes the
 * rows from TABLE_PARTY to TABLE_NODE_ID, extending a chain that is held. Prekeys go to keys_take_prekeys, posts to keys_post_named
 * (record/keys.h). *reason: what card_decode and card_verify gave; ERROR_REFUSED_CHAIN if the chain differs from the
 * one held; ERROR_FULL beyond COUNTERPARTS_MAX. A shorter card of the same chain adds nothing but its prekeys. A newer card of the own party is
 * taken too, as party 0: so siblings and later letters become known.
 */
enum error registry_take_card(struct run *run, struct bytes card, uint64_t *party, enum error *reason);

/* The same for the own party, party 0, from the post file: a card without prekeys. */
enum error registry_take_own_card(struct run *run, const struct card *card, enum error *reason);

/* The own card: letters of TABLE_CARD_LETTER, the newest own prekeys statement (keys_own_prekeys) and those held of
 * sibling posts, addresses. Appends it. */
enum error registry_export_card(struct run *run, struct buffer *card);

/* A chain of card letters, verified once an event: all zeros (no name) where it is not good. The letters outlive the event's runs. */
const struct card_party *registry_verify_chain(struct run *run, const struct bytes *letters, size_t count);

/* The card of any party as it is held, for LOCAL_PARTIES. */
enum error registry_collect_card(struct run *run, uint64_t number, struct buffer *card);

/* Letters of a card chain that are verified already (an opening brings them): compared with those held, and added. */
enum error registry_extend_chain(struct run *run, const struct bytes *letters, size_t count,
				 const struct card_party *verified, uint64_t *number, enum error *reason);

/* ---- judging ---- */

/* An entry by a post of another party, or one that an own officer submits. */
struct registry_entry {
	uint64_t channel;               /* 0: the channel is not known yet (only an opening may pass) */
	uint64_t index;                 /* roster index of the author's party (not with channel 0) */
	uint64_t party;                 /* its party number */
	uint64_t slot;                  /* of the author's post */
	struct bytes payload;
	const struct content *content;  /* decoded from payload */
	const struct cose_signed *object;
	uint8_t identity[IDENTITY_SIZE];
};

/*
 * The whole judgement but for the log's own rules (position, duplicates): the form and texts (content_check), the
 * signers' keys and scope, the signatures (run_verify), credence and agrément, chain rules of letters as far as
 * they can be known now, references (acknowledged and answered entries must be held), terms. Messages pass only on
 * an open channel. Verdicts and incarnations are signed by the author's post (statement key from TABLE_PARTY_POST) and are
 * checked for form only. At submission `own` is true: a letter must then be the next of its chain, and agréments of
 * all others are wanted as well as the own credence.
 *
 * *reason is ERROR_OK, a number from 64 on, or ERROR_BAD_SIGNATURE where a signature by keys that are known here does not match.
 * A letter of the author's chain that comes before its predecessor is not refused: registry_apply keeps it until the chain is whole.
 */
enum error registry_judge(struct run *run, const struct registry_entry *entry, bool own, enum error *reason);

/* ---- applying ---- */

/*
 * The channel that an opening is about: computes its id, and where there is no such channel makes one, proposed,
 * with number entry->channel, and TABLE_LINE with empty keys for every post of every party's card (so that letters find them);
 * registry_apply fills in the keys of those that the opening names. A line with empty keys of a party that has opened does not serve. Refuses (*reason) what the opening may not say: a roster without the author or the own party,
 * parties whose card or keying is not held (ERROR_NOT_NOW), more than CHANNELS_MAX channels or more than
 * CHANNELS_PROPOSED_MAX that this party has proposed (ERROR_FULL), terms that do not decode. Fills in entry->channel,
 * index and identity (which need the channel). The signature is NOT yet verified: call before registry_judge, in the same event;
 * make is false to only look: identity, and channel if it is there, else 0; registry_judge takes such an entry with channel 0.
 */
#define CHANNELS_PROPOSED_MAX 4 /* not yet open, of one counterpart: a hostile one makes no more rows */
enum error registry_opening(struct run *run, struct registry_entry *entry, bool make, enum error *reason);

/* What a letter's fold found out: verdicts are given when a letter is applied, not when it is held back for a gap. */
struct registry_verdict {
	struct entry_key key;
	enum error reason; /* ERROR_OK: accepted */
};
#define REGISTRY_VERDICTS_MAX 48

/*
 * Folds a letter that registry_judge passed and the log has taken (own or other's) at `key`. While its chain has a gap it
 * only writes TABLE_LETTER; when the chain is whole up to it, it applies it and those that wait behind it, at most
 * REGISTRY_VERDICTS_MAX of them, and names each in verdicts (in the order applied; own letters are not named). A letter that waited and does not follow is refused
 * REFUSED_CHAIN there. Updates the registry version, channel state, and sends LOCAL_CHANNEL_CHANGED. Of two letters of one number by one signer
 * the second is refused REFUSED_CHAIN by registry_judge, with an ALERT.
 */
enum error registry_apply(struct run *run, const struct registry_entry *entry, const struct entry_key *key,
			  struct registry_verdict *verdicts, size_t *count);

#endif
