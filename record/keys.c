#include "record/keys.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/keying.h"
#include "envelope/x25519.h"
#include "record/outbox.h"
#include "record/registry.h"

#define WINDOW_DEFAULT_S 1209600

/* ---- looking around ---- */

enum error keys_posts(struct run *run, struct post_number **posts, size_t *count)
{
	struct row_key prefix = key_make(TABLE_PARTY_POST);
	struct row row;
	const struct own_post *own = run_post(run);

	*posts = run_take(run, KEYS_POSTS_MAX * sizeof(**posts));
	*count = 0;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && *count < KEYS_POSTS_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct post_number post = {.party = key_read_u8(&reader), .slot = key_read_u8(&reader)};
		if (key_read_end(&reader) != ERROR_OK)
			return ERROR_MALFORMED;
		if (post.party != 0 || post.slot != own->slot)
			(*posts)[(*count)++] = post;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error keys_window(struct run *run, uint64_t *window_s)
{
	struct channel channel;
	enum error error;
	uint64_t number = 0;
	uint64_t longest = 0;

	while ((error = registry_next_channel(run, &number, &channel)) == ERROR_OK) {
		struct terms terms;
		if (registry_terms(&channel, &terms) != ERROR_OK)
			return ERROR_MALFORMED;
		/* What others propose, and nobody here has signed, decides nothing about keys. */
		bool signed_here = (channel.opened >> channel.own_index & 1) != 0;
		if (signed_here && terms.delay_window_s > longest)
			longest = terms.delay_window_s;
	}
	*window_s = longest == 0 ? WINDOW_DEFAULT_S : longest;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

struct row_key keys_leaf_row(uint64_t party, uint64_t slot, uint64_t keying)
{
	struct row_key key = key_party_post(TABLE_LEAF_IN, party, slot);
	key_u32(&key, keying);
	return key;
}

struct row_key keys_epoch_row(uint64_t epoch)
{
	struct row_key key = key_make(TABLE_EPOCH);
	key_u32(&key, epoch);
	return key;
}

static struct row_key key_psk(enum table table, const uint8_t id[KEYING_ID_SIZE], uint64_t party,
			      uint64_t slot)
{
	struct row_key key = key_make(table);
	key_bytes(&key, id, KEYING_ID_SIZE);
	key_u8(&key, party);
	key_u8(&key, slot);
	return key;
}

/* ---- what opens ---- */

/* Writes the PSKs of one sender for the epochs from its leaf's to the last; steps the leaf beyond. */
static enum error cover_epochs(struct run *run, const struct post_number *post, struct leaf_row *leaf)
{
	const struct state *state = run_state(run);

	if (leaf->epoch < state->epoch_first) {
		if (keying_step(leaf->leaf, state->epoch_first - leaf->epoch) != ERROR_OK)
			return ERROR_OK; /* a leaf that far behind is of no use: a new keying is needed */
		leaf->epoch = state->epoch_first;
	}
	for (; leaf->epoch < state->epoch_next; leaf->epoch++) {
		struct keying_psk derived;
		struct psk psk;
		keying_psk_of_leaf(leaf->leaf, &derived);
		memcpy(psk.id, derived.id, sizeof(psk.id));
		memcpy(psk.key, derived.key, sizeof(psk.key));
		psk.keying = leaf->keying;
		struct row_key key = key_psk(TABLE_PSK, psk.id, post->party, post->slot);
		key_u32(&key, leaf->epoch);
		run_put(run, &key, &schema_psk, &psk);
		key = key_make(TABLE_EPOCH_PSK);
		key_u32(&key, leaf->epoch);
		key_u8(&key, post->party);
		key_u8(&key, post->slot);
		key_u32(&key, leaf->keying);
		run_put(run, &key, &schema_psk, &psk);
		sodium_memzero(&psk, sizeof(psk));
		sodium_memzero(&derived, sizeof(derived));
		enum error error = keying_step(leaf->leaf, 1);
		assert(error == ERROR_OK);
	}
	struct row_key key = keys_leaf_row(post->party, post->slot, leaf->keying);
	run_put(run, &key, &schema_leaf_row, leaf);
	sodium_memzero(leaf, sizeof(*leaf));
	return ERROR_OK;
}

enum error keys_next_leaf(struct run *run, uint64_t party, uint64_t slot, uint64_t *keying,
			  struct leaf_row *leaf)
{
	struct row_key prefix = key_party_post(TABLE_LEAF_IN, party, slot);
	struct row_key key = keys_leaf_row(party, slot, *keying);
	struct row row;

	memset(leaf, 0, sizeof(*leaf));
	enum error error = rows_after(run_rows(run), key_view(&prefix), key_view(&key), &row);
	if (error != ERROR_OK)
		return error;
	struct key_reader reader = key_reader_make(row.key);
	(void)key_read_u8(&reader);
	(void)key_read_u8(&reader);
	*keying = key_read_u32(&reader);
	if (key_read_end(&reader) != ERROR_OK || schema_read(&schema_leaf_row, row.value, leaf) != ERROR_OK)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

/* The leaves of one sender, of each keying that it may use: reads them, and writes their PSKs if `cover`. */
static enum error walk_leaves(struct run *run, const struct post_number *post, bool cover)
{
	enum error error = ERROR_OK;
	uint64_t keying = 0;

	while (error == ERROR_OK) {
		struct leaf_row leaf;
		error = keys_next_leaf(run, post->party, post->slot, &keying, &leaf);
		if (error == ERROR_OK && cover)
			error = cover_epochs(run, post, &leaf);
		sodium_memzero(&leaf, sizeof(leaf));
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error keys_post_named(struct run *run, uint64_t party, uint64_t slot)
{
	struct post_number post = {.party = party, .slot = slot};

	enum error error = walk_leaves(run, &post, false);
	return error == ERROR_OK ? walk_leaves(run, &post, true) : error;
}

/* keys_post_named for every post, asking for all leaves at once. */
static enum error cover_posts(struct run *run)
{
	struct post_number *posts;
	size_t count;
	bool missing = false;

	enum error error = keys_posts(run, &posts, &count);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < count; i++) {
		error = walk_leaves(run, &posts[i], false);
		if (!run_missing(error, &missing))
			return error;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	for (size_t i = 0; i < count; i++) {
		error = walk_leaves(run, &posts[i], true);
		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}

/* ---- own epochs ---- */

#define NUMBER_TIME_MAX 4000000000 /* a clock beyond it, in 2096, shall not use all numbers up */

void keys_doubt(struct run *run)
{
	struct state *state = run_state(run);
	uint64_t now = run_time_s(run);

	state->restored = 1;
	if (now > state->prekeys_number && now <= NUMBER_TIME_MAX)
		state->prekeys_number = now;
}

static void make_epoch(struct run *run, uint64_t number)
{
	const struct state *state = run_state(run);
	uint8_t seed[HPKE_SEED_SIZE];
	struct x25519_pair pair;
	struct epoch epoch = {.ends = state->epoch_start + (number - state->epoch_origin + 1) * KEYS_EPOCH_S};

	run_random(run, seed, sizeof(seed));
	hpke_derive_key_pair(seed, &pair);
	memcpy(epoch.secret, pair.secret, sizeof(epoch.secret));
	memcpy(epoch.key, pair.key, sizeof(epoch.key));
	struct row_key key = keys_epoch_row(number);
	run_put(run, &key, &schema_epoch, &epoch);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(&epoch, sizeof(epoch));
	x25519_pair_erase(&pair);
}

/* Which own epoch it is by the wall clock, or false if it is none of those made. */
static bool epoch_by_clock(struct run *run, uint64_t *epoch)
{
	const struct state *state = run_state(run);
	uint64_t now = run_time_s(run);

	if (state->epoch_next == state->epoch_origin || now < state->epoch_start)
		return false;
	*epoch = state->epoch_origin + (now - state->epoch_start) / KEYS_EPOCH_S;
	return *epoch >= state->epoch_first && *epoch < state->epoch_next;
}

static enum error publish(struct run *run, uint64_t first)
{
	struct state *state = run_state(run);
	const struct own_post *own = run_post(run);
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));

	memset(prekeys, 0, sizeof(*prekeys));
	prekeys->slot = own->slot;
	prekeys->number = state->prekeys_number + 1;
	prekeys->first_epoch = first;
	prekeys->start = state->epoch_start + (first - state->epoch_origin) * KEYS_EPOCH_S;
	prekeys->length_s = KEYS_EPOCH_S;
	memcpy(prekeys->last_resort, own->last_resort_key, sizeof(prekeys->last_resort));
	for (uint64_t number = first; number < state->epoch_next && number - first < KEYS_AHEAD; number++) {
		struct row_key key = keys_epoch_row(number);
		struct epoch epoch;
		enum error error = run_get(run, &key, &schema_epoch, &epoch);
		if (error != ERROR_OK)
			return run_must(error);
		assert(prekeys->keys_count < EPOCHS_AHEAD_MAX);
		memcpy(prekeys->keys[prekeys->keys_count++], epoch.key, sizeof(epoch.key));
	}
	struct buffer payload = run_buffer(run, PREKEYS_SIZE_MAX);
	struct aad aad;
	prekeys_encode(prekeys, &payload);
	aad_without_channel(&aad, AAD_PREKEYS, own->party_id);
	struct prekeys_row row;
	keys_prekeys_to_row(prekeys, run_sign(run, &aad, buffer_bytes(&payload)), &row);
	struct row_key key = key_party_post(TABLE_PREKEYS, 0, own->slot);
	run_put(run, &key, &schema_prekeys_row, &row);
	state->prekeys_number = prekeys->number;
	state->restored = 0;
	return ERROR_OK;
}

enum error keys_send_prekeys(struct run *run, uint64_t party, uint64_t slot)
{
	struct row_key use_key = key_party_post(TABLE_EPOCH_USE, party, slot);
	struct row_key keying_key = key_party_post(TABLE_LAST_LEAF, party, slot);
	struct epoch_use use;
	struct leaf_row leaf;
	struct bytes cose;

	if (run_state(run)->restored != 0)
		return ERROR_OK; /* their keys may be lost */
	enum error error = run_get(run, &use_key, &schema_epoch_use, &use);
	enum error keying_error = run_get(run, &keying_key, &schema_leaf_row, &leaf);
	sodium_memzero(&leaf, sizeof(leaf));
	if (error == ERROR_NEEDS_ROWS || keying_error == ERROR_NEEDS_ROWS)
		return ERROR_NEEDS_ROWS;
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (keying_error != ERROR_OK)
		return keying_error == ERROR_NOT_FOUND ? ERROR_OK : keying_error;
	error = keys_own_prekeys(run, &cose);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	use.number = run_state(run)->prekeys_number;
	use.sent_ms = run_slow_ms(run);
	run_put(run, &use_key, &schema_epoch_use, &use);
	struct outbox_statement statement = {
		.kind = STATEMENT_PREKEYS,
		.party = party,
		.slot = slot,
		.precedence = PRECEDENCE_PRIORITY,
		.cose = cose,
	};
	return outbox_statement(run, &statement, NULL);
}

static enum error send_to_all(struct run *run)
{
	struct post_number *posts;
	size_t count;
	bool missing = false;

	enum error error = keys_posts(run, &posts, &count);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < count; i++) {
		error = keys_send_prekeys(run, posts[i].party, posts[i].slot);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* True in *any if some keying leaf is held: without one nobody can seal to an epoch. */
static enum error any_leaf(struct run *run, bool *any)
{
	struct row_key prefix = key_make(TABLE_LEAF_IN);
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	*any = error == ERROR_OK;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/*
 * After a restore: the epochs of the image, or those published since, may be anyone's; new ones begin beyond.
 * A backup holds no leaves: until the next keying this post is written to by last resort.
 */
static enum error leave_epochs(struct run *run, bool *leave)
{
	struct state *state = run_state(run);
	bool any;

	*leave = false;
	if (state->restored == 0)
		return ERROR_OK;
	enum error error = any_leaf(run, &any);
	if (error != ERROR_OK)
		return error;
	*leave = !any;
	if (any) {
		state->epoch_next += EPOCHS_AHEAD_MAX;
		state->epoch_origin = state->epoch_next;
	}
	return ERROR_OK;
}

enum error keys_make(struct run *run, bool anew)
{
	struct state *state = run_state(run);
	uint64_t current;
	bool leave;

	enum error error = leave_epochs(run, &leave);
	if (error != ERROR_OK || leave)
		return error;
	bool known = epoch_by_clock(run, &current);
	if (!anew && known && state->epoch_next - current >= KEYS_AHEAD_MIN) {
		bool serve;
		error = keys_serve(run, current, &serve);
		if (error != ERROR_OK || serve)
			return error;
	}
	if (!anew && !known && state->epoch_next > state->epoch_origin &&
	    run_time_s(run) < state->epoch_start &&
	    state->epoch_start - run_time_s(run) < KEYS_AHEAD * KEYS_EPOCH_S)
		return ERROR_OK; /* a clock that was set back a little: those published will serve */
	if (!anew && state->epoch_next > state->epoch_origin) {
		bool may;
		error = keys_may_publish(run, &may);
		if (error != ERROR_OK || !may)
			return error;
	}
	if (!known) {
		/* The first epochs, or the clock has left all that were made: new ones begin now. */
		error = keys_supersede(run);
		if (error != ERROR_OK)
			return error;
		state->epoch_origin = state->epoch_next;
		state->epoch_start = run_time_s(run);
		current = state->epoch_next;
	}
	while (state->epoch_next < current + KEYS_AHEAD)
		make_epoch(run, state->epoch_next++);
	error = cover_posts(run);
	if (error != ERROR_OK)
		return error;
	error = publish(run, current);
	return error == ERROR_OK ? send_to_all(run) : error;
}

enum error keys_own_prekeys(struct run *run, struct bytes *cose)
{
	const struct own_post *own = run_post(run);
	struct row_key key = key_party_post(TABLE_PREKEYS, 0, own->slot);
	struct prekeys_row row;

	enum error error = run_get(run, &key, &schema_prekeys_row, &row);
	*cose = row.cose;
	return error;
}

/* ---- erasing ---- */

/* True in *all if every post that serves has sealed to an epoch after this one. */
static enum error all_beyond(struct run *run, uint64_t epoch, bool *all)
{
	struct post_number *posts;
	size_t count;
	bool missing = false;

	*all = true;
	enum error error = keys_posts(run, &posts, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		struct row_key key = key_party_post(TABLE_EPOCH_USE, posts[i].party, posts[i].slot);
		struct epoch_use use;
		enum error get_error = run_get(run, &key, &schema_epoch_use, &use);
		if (get_error != ERROR_NOT_FOUND && !run_missing(get_error, &missing))
			return get_error;
		if (use.used < epoch + 2)
			*all = false;
	}
	return missing ? ERROR_NEEDS_ROWS : error;
}

static enum error erase_epoch(struct run *run, uint64_t epoch)
{
	struct row_key prefix = key_make(TABLE_EPOCH_PSK);
	struct row row;

	key_u32(&prefix, epoch);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK) {
		struct key_reader reader = key_reader_make(row.key);
		struct psk psk;
		(void)key_read_u32(&reader);
		uint64_t party = key_read_u8(&reader);
		uint64_t slot = key_read_u8(&reader);
		(void)key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_psk, row.value, &psk) != ERROR_OK)
			return ERROR_MALFORMED;
		struct row_key key = key_psk(TABLE_PSK, psk.id, party, slot);
		sodium_memzero(&psk, sizeof(psk));
		key_u32(&key, epoch);
		run_delete(run, &key);
		rows_delete(run_rows(run), row.key);
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	struct row_key key = keys_epoch_row(epoch);
	run_delete(run, &key);
	run_state(run)->epoch_first = epoch + 1;
	run_wipe(run);
	return ERROR_OK;
}

/* Notes, once, that the wall clock has passed an epoch's end: from then on its delay window runs. */
static enum error mark_ended(struct run *run)
{
	struct state *state = run_state(run);

	for (size_t i = 0; i < KEYS_AHEAD && state->epoch_marked < state->epoch_next; i++) {
		struct row_key key = keys_epoch_row(state->epoch_marked);
		struct epoch epoch;
		enum error error = run_get(run, &key, &schema_epoch, &epoch);
		if (error == ERROR_OK) {
			bool ended = run_time_s(run) >= epoch.ends;
			epoch.ended_ms = run_slow_ms(run) + 1;
			if (ended)
				run_put(run, &key, &schema_epoch, &epoch);
			sodium_memzero(&epoch, sizeof(epoch));
			if (!ended)
				break;
		} else if (error != ERROR_NOT_FOUND) {
			return error;
		}
		state->epoch_marked++;
	}
	return ERROR_OK;
}

static enum error erase_due(struct run *run)
{
	struct state *state = run_state(run);
	uint64_t window_s;

	enum error error = keys_window(run, &window_s);
	for (size_t i = 0; error == ERROR_OK && i < 4 && state->epoch_first < state->epoch_marked; i++) {
		struct row_key key = keys_epoch_row(state->epoch_first);
		struct epoch epoch;
		error = run_get(run, &key, &schema_epoch, &epoch);
		uint64_t ends = epoch.ends;
		uint64_t ended_ms = epoch.ended_ms;
		sodium_memzero(&epoch, sizeof(epoch));
		if (error == ERROR_NOT_FOUND) { /* a restored image has none of them */
			error = erase_epoch(run, state->epoch_first);
			continue;
		}
		if (error != ERROR_OK)
			return error;
		uint64_t since_ms = run_slow_since(run, ended_ms);
		if (run_time_s(run) < ends || since_ms < window_s * 1000)
			return ERROR_OK;
		bool due = since_ms >= 3 * window_s * 1000;
		if (!due)
			error = all_beyond(run, state->epoch_first, &due);
		if (error != ERROR_OK || !due)
			return error;
		error = erase_epoch(run, state->epoch_first);
	}
	return error;
}

/* The sending leaf of one post: follows the epoch in use when that has been so for a delay window. The
 * caller wipes *leaf. */
static enum error step_sending_leaf(struct run *run, const struct post_number *post, uint64_t window_s,
				    struct leaf_row *leaf)
{
	struct row_key leaf_key = key_party_post(TABLE_LEAF_OUT, post->party, post->slot);
	struct row_key prekeys_key = key_party_post(TABLE_PREKEYS, post->party, post->slot);
	struct prekeys_row row;
	struct prekeys *prekeys = run_take(run, sizeof(*prekeys));
	uint64_t current;

	enum error error = run_get(run, &leaf_key, &schema_leaf_row, leaf);
	enum error prekeys_error = run_get(run, &prekeys_key, &schema_prekeys_row, &row);
	if (error == ERROR_NEEDS_ROWS || prekeys_error == ERROR_NEEDS_ROWS)
		return ERROR_NEEDS_ROWS;
	if (error != ERROR_OK || prekeys_error != ERROR_OK)
		return error == ERROR_MALFORMED || prekeys_error == ERROR_MALFORMED ? ERROR_MALFORMED
										    : ERROR_OK;
	if (keys_prekeys_of_row(&row, prekeys) != ERROR_OK)
		return ERROR_MALFORMED;
	if (!prekeys_epoch_at(prekeys, run_time_s(run), window_s, &current) || current <= leaf->epoch)
		return ERROR_OK;
	if (leaf->seen_epoch == 0) {
		leaf->seen_epoch = current;
		leaf->seen_ms = run_slow_ms(run);
	} else if (run_slow_since(run, leaf->seen_ms) < window_s * 1000) {
		return ERROR_OK;
	} else {
		uint64_t target = leaf->seen_epoch < current ? leaf->seen_epoch : current;
		if (target > leaf->epoch + KEYING_STEPS_MAX)
			target = leaf->epoch + KEYING_STEPS_MAX;
		if (target > leaf->epoch) {
			error = keying_step(leaf->leaf, target - leaf->epoch);
			assert(error == ERROR_OK);
			leaf->epoch = target;
			run_wipe(run);
		}
		leaf->seen_epoch = 0;
	}
	run_put(run, &leaf_key, &schema_leaf_row, leaf);
	return ERROR_OK;
}

#define SWEEP_INTERVAL_MS 3600000

enum error keys_sweep(struct run *run)
{
	struct state *state = run_state(run);
	struct post_number *posts;
	size_t count;
	uint64_t window_s;

	enum error error = mark_ended(run);
	if (error == ERROR_OK)
		error = erase_due(run);
	if (error != ERROR_OK || run_slow_since(run, state->swept_ms) < SWEEP_INTERVAL_MS)
		return error;
	error = keys_window(run, &window_s);
	if (error == ERROR_OK)
		error = keys_posts(run, &posts, &count);
	if (error != ERROR_OK)
		return error;
	bool missing = false;
	for (size_t i = 0; i < count; i++) {
		struct leaf_row leaf;
		error = step_sending_leaf(run, &posts[i], window_s, &leaf);
		sodium_memzero(&leaf, sizeof(leaf));
		if (!run_missing(error, &missing))
			return error;
		error = keys_show_keying(run, &posts[i]);
		if (!run_missing(error, &missing))
			return error;
	}
	state->swept_ms = run_slow_ms(run);
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}
