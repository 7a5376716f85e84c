#include <sodium.h>
#include <string.h>

#include "envelope/keying.h"
#include "record/keys.h"

/* What is known of the keys to one post. */
struct known_keys {
	bool has_prekeys;
	bool is_doubted;
	struct prekeys prekeys;
	bool has_last_leaf;
	bool has_leaf;
	uint64_t leaf_epoch;
};

static enum error read_prekeys(struct run *run, const struct post_number *post, struct known_keys *known)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, post->party, post->slot);
	struct prekeys_row row;

	enum error error = run_get(run, &key, &schema_prekeys_row, &row);
	known->has_prekeys = error == ERROR_OK;
	known->is_doubted = row.cannot_open;
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	return keys_prekeys_of_row(&row, &known->prekeys);
}

static enum error read_leaf(struct run *run, enum table table, const struct post_number *post, bool *found,
			    uint64_t *epoch)
{
	struct row_key key = key_party_post(table, post->party, post->slot);
	struct leaf_row leaf;

	enum error error = run_get(run, &key, &schema_leaf_row, &leaf);
	*found = error == ERROR_OK;
	*epoch = leaf.epoch;
	sodium_memzero(&leaf, sizeof(leaf));
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error read_next_keying(struct run *run, const struct post_number *post, uint64_t *keying)
{
	struct row_key key = key_party_post(TABLE_NEXT_KEYING, post->party, post->slot);
	struct next_keying next;

	enum error error = run_get(run, &key, &schema_next_keying, &next);
	*keying = error == ERROR_OK ? next.keying : 0;
	sodium_memzero(&next, sizeof(next));
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The oldest keying under which that post may still seal: older ones go when it is seen to hold a newer. */
static enum error read_keying(struct run *run, const struct post_number *post, uint64_t accepted,
			      uint64_t *keying)
{
	struct leaf_row leaf;

	*keying = 0;
	enum error error = keys_next_leaf(run, post->party, post->slot, keying, &leaf);
	sodium_memzero(&leaf, sizeof(leaf));
	if (error == ERROR_NOT_FOUND)
		*keying = accepted; /* restored: no leaf enters a backup */
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* As keys_seal chooses. */
static enum local_keys choose(const struct run *run, const struct known_keys *known, uint64_t window_s)
{
	uint64_t epoch;

	if (!known->has_prekeys || !known->has_last_leaf)
		return LOCAL_KEYS_NONE;
	if (known->is_doubted)
		return LOCAL_KEYS_DOUBTED;
	if (!known->has_leaf)
		return LOCAL_KEYS_RESTORED;
	if (!prekeys_epoch_at(&known->prekeys, run_time_s(run), window_s, &epoch))
		return LOCAL_KEYS_ENDED;
	if (epoch < known->leaf_epoch)
		epoch = known->leaf_epoch;
	if (epoch - known->leaf_epoch > KEYING_STEPS_MAX)
		return LOCAL_KEYS_ENDED;
	return prekeys_key(&known->prekeys, epoch) == NULL ? LOCAL_KEYS_ENDED : LOCAL_KEYS_EPOCHS;
}

enum error keys_stand(struct run *run, const struct post_number *post, uint64_t accepted, uint64_t window_s,
		      struct keys_stand *stand)
{
	struct known_keys known = {0};
	const struct prekeys *prekeys = &known.prekeys;
	uint64_t ignored;
	bool missing = false;

	memset(stand, 0, sizeof(*stand));
	enum error error = read_prekeys(run, post, &known);
	if (!run_missing(error, &missing))
		return error;
	error = read_leaf(run, TABLE_LAST_LEAF, post, &known.has_last_leaf, &ignored);
	if (!run_missing(error, &missing))
		return error;
	error = read_leaf(run, TABLE_LEAF_OUT, post, &known.has_leaf, &known.leaf_epoch);
	if (!run_missing(error, &missing))
		return error;
	error = read_next_keying(run, post, &stand->next_keying);
	if (!run_missing(error, &missing))
		return error;
	error = read_keying(run, post, accepted, &stand->keying);
	if (!run_missing(error, &missing))
		return error;
	if (missing)
		return ERROR_NEEDS_ROWS;
	stand->state = choose(run, &known, window_s);
	for (size_t i = 0; known.has_prekeys && i < prekeys->keys_count; i++) {
		stand->ends = prekeys->start + (i + 1) * prekeys->length_s;
		stand->epochs_left += stand->ends > run_time_s(run);
	}
	return ERROR_OK;
}
