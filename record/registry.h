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
/* All channels, one after another: the one that follows *number (0: the first), or ERROR_NOT_FOUND. */
enum error registry_next_channel(struct run *run, uint64_t *number, struct channel *channel);
enum error registry_channel_by_id(struct run *run, const uint8_t id[CHANNEL_ID_SIZE], uint64_t *number);
/*
 * All lines of a channel, ascending by log: the one that follows *log (LINES_START: the first), or
 * ERROR_NOT_FOUND. `line` may be NULL: then only *log is given, and the row's value is not decoded.
 */
#define LINES_START UINT64_MAX /* for 0 is a log */
enum error registry_next_line(struct run *run, uint64_t channel, uint64_t *log, struct line *line);

/*
 * The post that writes a log, as it stands on its channel: what its party's opening says of it, whatever a
 * later card does. While the party has not opened, the name is that of its newest card, and so is the key
 * until the post has spoken under one. ERROR_NOT_FOUND: no card names it either.
 */
struct log_post {
	struct bytes name;
	uint8_t statement_key[PUBLIC_KEY_SIZE];
};
enum error registry_log_post(struct run *run, uint64_t number, const struct channel *channel, uint64_t log,
			     struct log_post *post);
/*
 * The post has spoken on the channel under this statement key: verified. No opening of its party then names
 * another (registry_judge), or what it said would be nobody's to whoever has only the channel's letters.
 */
enum error registry_log_spoke(struct run *run, uint64_t number, uint64_t log,
			      const uint8_t statement_key[PUBLIC_KEY_SIZE]);

/* The roster of a channel: ids of its parties in order (reads TABLE_PARTY of each). */
enum error registry_roster(struct run *run, const struct channel *channel, struct roster *roster);
/* The aad of what the party of roster index `sender` signs on this channel. */
enum error registry_aad(struct run *run, const struct channel *channel, enum aad_context context,
			uint64_t sender, struct aad *aad);
/* The party number of a roster index; the index of a party number, or false. */
uint64_t registry_party_of(const struct channel *channel, uint64_t index);
bool registry_index_of(const struct channel *channel, uint64_t party, uint64_t *index);

/* The sentence of the channel's terms (decoded from the row, so valid). */
enum error registry_terms(const struct channel *channel, struct terms *terms);

/*
 * This post's log and cosigner key pairs on a channel: derive_seed of the root seed with the labels
 * "liaison log" and "liaison cosigner" and the channel id as context. Pure, and dear: a pair takes a
 * multiplication, so each is made only where it is used.
 */
void registry_own_log(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE],
		      struct ed25519_pair *log);
void registry_own_cosigner(const struct own_post *post, const uint8_t channel[CHANNEL_ID_SIZE],
			   struct ed25519_pair *cosigner);

/* ---- cards ---- */

/* A card whose signatures are good: views into its bytes, and into memory of the event. */
struct registry_card {
	const struct card *card;
	const struct card_party *party;
};

/* Verifies a card, once an event. *reason: what card_decode and card_verify gave. */
void registry_read_card(struct run *run, struct bytes encoded, struct registry_card *card,
			enum error *reason);

/*
 * Takes another party's card in: numbers the party if it is new, and writes the rows from TABLE_PARTY to
 * TABLE_NODE_ID, extending a chain that is held. Prekeys go to keys_take_prekeys, posts to keys_post_named
 * (record/keys.h). *reason: ERROR_BAD_KEY for a prekey that is no good point; ERROR_REFUSED_CHAIN if the
 * chain differs from the one held; ERROR_FULL beyond COUNTERPARTS_MAX. A shorter card of the same chain adds
 * nothing but its prekeys. A newer card of the own party is taken too, as party 0: so siblings and later
 * letters become known. A node id stays with the post that was the first to be named by it. Whether the
 * party may be taken for another is the caller's to ask (record/provision.h).
 */
enum error registry_take_card(struct run *run, const struct registry_card *card, uint64_t *party,
			      enum error *reason);

/* The same for the own party, party 0, from the post file: a card without prekeys. */
enum error registry_take_own_card(struct run *run, const struct card *card, enum error *reason);

/*
 * The own card: letters of TABLE_CARD_LETTER, the newest own prekeys statement (keys_own_prekeys) and
 * those held of sibling posts, addresses. Appends it.
 */
enum error registry_export_card(struct run *run, struct buffer *card);

/* The card of any party as it is held, for LOCAL_PARTIES. */
enum error registry_collect_card(struct run *run, uint64_t number, struct buffer *card);

/*
 * A chain of card letters, verified: all zeros (no name) where it is not good. Uses run_kept; the letters
 * outlive the event's runs.
 */
const struct card_party *registry_verify_chain(struct run *run, const struct bytes *letters, size_t count);

/*
 * *reason: ERROR_REFUSED_CHAIN unless a verified chain begins, or goes on, the one that is held of party
 * `number`.
 */
enum error registry_compare_chain(struct run *run, uint64_t number, const struct party *party,
				  const struct bytes *letters, const struct card_party *verified,
				  enum error *reason);

/*
 * Letters of a card chain that are verified already (an opening brings them): compared with those held,
 * and added.
 */
enum error registry_extend_chain(struct run *run, const struct bytes *letters,
				 const struct card_party *verified, uint64_t *number, enum error *reason);

/* ---- judging ---- */

/* An entry by a post of another party, or one that an own officer submits. */
struct registry_entry {
	uint64_t channel; /* 0: the channel is not known yet (only an opening may pass) */
	uint64_t index;   /* roster index of the author's party (not with channel 0) */
	uint64_t party;   /* its party number */
	uint64_t slot;    /* of the author's post */
	uint64_t incarnation; /* another's: its place in that post's log */
	uint64_t position;
	struct bytes payload;
	const struct content *content; /* decoded from payload */
	const struct cose_signed *object;
	uint8_t identity[IDENTITY_SIZE];
};

/*
 * The whole judgement but for the log's own rules (position, duplicates). In this order:
 *
 *  1. The signers: the post's statement key (registry_log_post), the authority's, or officers with
 *     credence (ERROR_REFUSED_SIGNER). The signatures: ERROR_BAD_SIGNATURE where keys that are known here
 *     do not match, ERROR_REFUSED_SIGNATURE where two officers have one key.
 *  2. The form and texts: content_check with the channel's terms; what is not a reason of the wire is
 *     ERROR_REFUSED_FORM.
 *  3. Messages and acknowledgments: the channel is open and the author's post serves on it
 *     (ERROR_REFUSED_CHANNEL); every signer has the agrément of this party (at submission: of all others;
 *     among siblings, of nobody) and the scope; what is acknowledged or answered is held
 *     (ERROR_REFUSED_REFERENCE), as far as it must be at hand already: always at submission, and where
 *     only two posts are on the channel. It is another party's message on this channel, and none before
 *     in this incarnation of the log acknowledges it; at submission, it was accepted here, and nobody of
 *     the own party is known to have acknowledged it (ERROR_REFUSED_NAMED).
 *  4. Letters: by the authority (ERROR_REFUSED_AUTHORITY); the next of its chain (ERROR_REFUSED_CHAIN)
 *     and what registry_letter.h says of its kind. One that comes before its predecessor passes, and is
 *     judged when it is folded (registry_apply); but not at submission. So does the very letter that is
 *     held already. Another letter of a number that is held is refused (ERROR_REFUSED_CHAIN) with an
 *     ALERT.
 *  5. Verdicts and incarnations: nothing else.
 *
 * own: the entry is submitted here. *reason is ERROR_OK, a number from 64 on, or ERROR_BAD_SIGNATURE.
 */
enum error registry_judge(struct run *run, const struct registry_entry *entry, bool own, enum error *reason);
/* True of a reason that registry_judge gives where no signature could be verified: the keys are not known. */
bool registry_unverified(enum error reason);

/* ---- applying ---- */

/*
 * The channel that an opening is about: computes its id, and where there is no such channel makes one,
 * proposed, with number entry->channel, and TABLE_LINE with empty keys for every post of every party's
 * card (so that letters find them); registry_apply fills in the keys of those that the opening names. A
 * line with empty keys of a party that has opened does not serve.
 *
 * Refuses (*reason) a roster without the author or the own party (ERROR_REFUSED_CHANNEL), terms that do
 * not decode (ERROR_REFUSED_TERMS), parties whose card or keying is not held (ERROR_NOT_NOW), more than
 * CHANNELS_MAX channels, more than CHANNELS_PROPOSED_MAX that are not open and that this party has
 * proposed, or that other parties have proposed in half of all places (ERROR_FULL).
 *
 * Fills in entry->channel, index and identity (which need the channel). The signature is NOT yet
 * verified. make is false to only look: identity, and channel if it is there, else 0; registry_judge
 * takes such an entry with channel 0.
 */
#define CHANNELS_PROPOSED_MAX 4 /* not yet open, of one counterpart: a hostile one makes no more rows */
enum error registry_opening(struct run *run, struct registry_entry *entry, bool make, enum error *reason);

/*
 * What a letter's fold found out: verdicts are given when a letter is applied, not when it is held back
 * for a gap.
 */
struct registry_verdict {
	struct entry_key key;
	enum error reason; /* ERROR_OK: accepted */
};
#define REGISTRY_VERDICTS_MAX 48

/*
 * Folds a letter that registry_judge passed and the log has taken (own or other's) at `key`. While its
 * chain has a gap it only writes TABLE_LETTER; when the chain is whole up to it, it applies it and those
 * that wait behind it, and names each in verdicts (in the order applied; the own party's are not named).
 * One that waited and does not follow, or may not stand there, is refused with its reason and an ALERT;
 * its number is then free, and those behind it wait on. Updates the registry version and the channel's
 * state, and sends LOCAL_CHANNEL_CHANGED.
 *
 * One event folds at most REGISTRY_VERDICTS_MAX letters, and what they touch is bounded;
 * registry_advance, at each RECORD_TICK, goes on. The same letters, in whatever order they come to be
 * held, make the same rows.
 */
enum error registry_apply(struct run *run, const struct registry_entry *entry, const struct entry_key *key,
			  struct registry_verdict *verdicts, size_t *count);
enum error registry_advance(struct run *run, struct registry_verdict *verdicts, size_t *count);

#endif
