/*
 * Sealing and opening: own prekeys, those of other posts, and the keying's leaves (doc/PROTOCOL.md, sections
 * 4 and 8; envelope/keying.h).
 *
 * Own epochs: made KEYS_AHEAD ahead, published as numbered statements. An epoch's secret and its PSKs are
 * erased when every serving post of a counterpart has used a later one and a delay window has passed since
 * its end, or after three windows. The passing of time is that of the rate-limited clock: a wall clock that
 * jumps erases nothing by itself. Sending leaves follow a window late.
 *
 * Functions return what run.h says.
 */
#ifndef RECORD_KEYS_H
#define RECORD_KEYS_H

#include "base/local.h"
#include "envelope/statement.h"
#include "record/run.h"

#define KEYS_EPOCH_S   86400 /* length of an own epoch: a day's words go with one key */
#define KEYS_AHEAD     30    /* epochs that are published ahead: a line may be cut for a month */
#define KEYS_AHEAD_MIN 15    /* when fewer are left, the next statement is published */

/* ---- own prekeys ---- */

/*
 * Makes epochs and publishes a new statement where fewer than KEYS_AHEAD_MIN are left, or none fits the wall
 * clock (some times a day at most: keys_may_publish), or `anew`. The statement is kept in TABLE_PREKEYS
 * (party 0, own slot) and queued for every post with keying.
 */
enum error keys_make(struct run *run, bool anew);

/* Erases what is due (several epochs at most in one event), and steps sending leaves forward; for
 * RECORD_TICK. */
enum error keys_sweep(struct run *run);

/*
 * What was published may be anyone's, and its keys may be lost: nothing of it is sent any more, and new
 * prekeys follow (keys_make), with a number from the Unix time on, above all that were given before.
 */
void keys_doubt(struct run *run);

/* The newest own statement, COSE. ERROR_NOT_FOUND before provision. */
enum error keys_own_prekeys(struct run *run, struct bytes *cose);

/* ---- others' ---- */

/*
 * A prekeys statement of a post whose TABLE_PARTY_POST row is written. *reason: BAD_SIGNATURE, a form error,
 * ERROR_BAD_KEY for a bad point. An older or equal number is ignored, without a reason. Statements of this
 * very post are ignored.
 */
enum error keys_take_prekeys(struct run *run, uint64_t party, uint64_t slot, struct bytes cose,
			     enum error *reason);

/*
 * A keying packet for this post. What is sealed under it can be opened from now on; this post seals under it
 * from now on to posts of that party with which it shares no other, and to the rest as soon as they are seen
 * to hold it, too: the two sides accept a keying days apart, and no message may be lost to that. *reason:
 * what keying_packet_decode gives, ERROR_BAD_ARGUMENT if it is another post's, ERROR_NOT_FOUND if the other
 * party's card is not held, ERROR_EXISTS if this number or a later one is accepted already.
 */
enum error keys_take_keying(struct run *run, struct bytes packet, uint64_t *party, enum error *reason);

/* A post was named (registry_take_card): what it seals from now on can be looked up. Without keying, nothing
 * yet. */
enum error keys_post_named(struct run *run, uint64_t party, uint64_t slot);

/*
 * The leaves of TABLE_LEAF_IN of one sender, one after another: that of the keying that follows *keying (0:
 * the first), or ERROR_NOT_FOUND. The caller wipes the leaf.
 */
enum error keys_next_leaf(struct run *run, uint64_t party, uint64_t slot, uint64_t *keying,
			  struct leaf_row *leaf);
struct row_key keys_leaf_row(uint64_t party, uint64_t slot, uint64_t keying);

/* ---- sealing ---- */

struct keys_target {
	uint64_t party;
	uint64_t slot;
	uint64_t window_s; /* the channel's delay window */
	bool last_resort;  /* to the last-resort key even if epochs are known */
	bool next_keying;  /* under the keying that is not in use yet, if there is one, by last resort */
};

/*
 * Seals a padded plaintext; *used_last_resort says which key it was. *reason: ERROR_UNKNOWN_KEY where no
 * keying, prekeys or leaf are held, or ERROR_BAD_KEY.
 */
enum error keys_seal(struct run *run, const struct keys_target *target, struct bytes plaintext,
		     struct bytes *sealed, bool *used_last_resort, enum error *reason);

/* How this post seals to another now, for STATUS. */
struct keys_stand {
	enum local_keys state;
	uint64_t keying;      /* in use to it; 0: none */
	uint64_t next_keying; /* accepted here and not seen to be held there yet; 0: none */
	uint64_t epochs_left; /* of its prekeys that are held: those that have not ended */
	uint64_t ends;        /* Unix s: when the last of them does; 0: none are held */
};
/* `accepted`: the number of the last keying accepted with that party. `window_s`: keys_window. */
enum error keys_stand(struct run *run, const struct post_number *post, uint64_t accepted, uint64_t window_s,
		      struct keys_stand *stand);

struct keys_opened {
	uint64_t party;
	uint64_t slot;
	bool has_epoch; /* false: the last-resort key */
	uint64_t epoch;
	uint64_t keying; /* number of the keying that it was sealed under */
	struct bytes plaintext;
	struct party_post post; /* the sender's */
};

/* Opens sealed bytes in psk mode. *reason: ERROR_CANNOT_OPEN, or ERROR_MALFORMED and its kin where they are
 * not even of the form. */
enum error keys_open(struct run *run, struct bytes sealed, struct keys_opened *opened, enum error *reason);

/*
 * That post cannot open what is sealed to the prekeys held of it: last resort until it publishes others. What
 * it was asked before may be lost there, so the own log is asked for anew (missing_open_own).
 */
enum error keys_distrust(struct run *run, uint64_t party, uint64_t slot);
/* It has opened a new incarnation at `time`: the same for prekeys with a number below that. */
enum error keys_distrust_before(struct run *run, uint64_t party, uint64_t slot, uint64_t time);

/*
 * After something opened was found good: notes which own epoch that post has reached and which keying it
 * holds, and sends it new prekeys where it lags.
 */
enum error keys_note_use(struct run *run, const struct keys_opened *opened);

/* Opens a card sealed in base mode to this post's last-resort key. */
enum error keys_open_card(struct run *run, struct bytes sealed, struct bytes *card, enum error *reason);

/* Seals this post's card in base mode to the post of another card (its first with prekeys). It fails as
 * card_decode and card_verify do, or with ERROR_BAD_KEY. */
enum error keys_seal_card(struct run *run, struct bytes receiver_card, struct bytes card,
			  struct bytes *sealed);

/* Queues the newest own prekeys statement for a post; nothing without keying, or while it is in doubt. */
enum error keys_send_prekeys(struct run *run, uint64_t party, uint64_t slot);

/* A statement as a row, whose views live as long as the statement and `cose`; and back. ERROR_MALFORMED: a
 * defect. */
void keys_prekeys_to_row(const struct prekeys *prekeys, struct bytes cose, struct prekeys_row *row);
enum error keys_prekeys_of_row(const struct prekeys_row *row, struct prekeys *prekeys);

/* ---- shared by the parts of keys_*.c ---- */

struct row_key keys_epoch_row(uint64_t epoch);

/* False in *may where prekeys were published often enough today: the clock is set to and fro. */
enum error keys_may_publish(struct run *run, bool *may);
/* All epochs made so far have ended, whatever the clock says: others take their place. */
enum error keys_supersede(struct run *run);
/* False in *serve if those published begin after the epoch that it is (the clock was set back), or leave
 * fewer than KEYS_AHEAD_MIN (it was put right again: fewer may be published than are made). */
enum error keys_serve(struct run *run, uint64_t current, bool *serve);

/* Serving posts of all counterparts and siblings that are looked at in one event: eight parties with every
 * slot in use; each takes rows of the workspace. */
#define KEYS_POSTS_MAX 512

/* If something was opened that was sealed under the next keying, that is the keying in use from now on. */
enum error keys_confirm(struct run *run, const struct keys_opened *opened, bool *confirmed);

/* Shows a post, once an hour, that this one holds a keying which is not in use to it yet; for keys_sweep. */
enum error keys_show_keying(struct run *run, const struct post_number *post);

/* The posts of all parties, but the own. */
enum error keys_posts(struct run *run, struct post_number **posts, size_t *count);
/* The longest delay window of the channels that the own party has signed, s; the default of 14 days where
 * there is none. */
enum error keys_window(struct run *run, uint64_t *window_s);

#endif
