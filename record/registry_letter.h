/*
 * One letter where it stands next in its chain: what it may say there, and what it changes. Shared by
 * judging and folding, so that both go by the same rules. Functions return what run.h says.
 */
#ifndef RECORD_REGISTRY_LETTER_H
#define RECORD_REGISTRY_LETTER_H

#include "record/registry.h"

/* The rows of chains and officers. Only authorities write letters so far: signer 0. */
struct row_key registry_chain_row(uint64_t channel, uint64_t index);
struct row_key registry_letter_row(uint64_t channel, uint64_t index, uint64_t number);
struct row_key registry_officer_row(uint64_t channel, uint64_t index, uint64_t officer);

/* All parties of the channel as bits, and those without the one of this roster index. */
uint64_t registry_all(const struct channel *channel);
uint64_t registry_others(const struct channel *channel, uint64_t index);

/*
 * *reason: why the letter may not stand where it does, as the next of its chain.
 *     opening    ERROR_REFUSED_TERMS: of another channel. ERROR_REFUSED_FORM: its card does not verify or
 *                does not name its posts; submitted here, it does not name this post with its own keys.
 *                ERROR_REFUSED_AUTHORITY: another party's card. ERROR_REFUSED_CHAIN: the card is not of
 *                the chain that is held.
 *     credence   ERROR_REFUSED_NUMBER: the number is taken. ERROR_REFUSED_QUOTA: OFFICERS_MAX are named.
 *     agrément   ERROR_REFUSED_FORM: of no party of the roster. ERROR_REFUSED_AUTHORITY: of the author's
 *                own officers. ERROR_REFUSED_QUOTA: more than OFFICERS_MAX for each other party. Submitted
 *                here, ERROR_REFUSED_REFERENCE: of an officer who is not known.
 * entry->channel may be 0 for an opening, as for registry_judge: `channel` then has only its id. Verifies
 * an opening's card (run_kept). own: as for registry_judge.
 */
enum error registry_letter_rules(struct run *run, const struct registry_entry *entry,
				 const struct channel *channel, const struct chain *chain, bool own,
				 enum error *reason);

/*
 * Asks for the rows that the rules and effects of a credence or an agrément read, so that those of
 * several letters come at once. ERROR_OK or ERROR_NEEDS_ROWS; *size grows by the rows of the registry
 * that it names.
 */
enum error registry_letter_touch(struct run *run, const struct registry_entry *entry, size_t *size);

/*
 * What a letter that the rules let pass changes: rows of officers, posts and lines; *channel and *chain,
 * which the caller writes.
 */
enum error registry_letter_effects(struct run *run, const struct registry_entry *entry,
				   struct channel *channel, struct chain *chain);

#endif
