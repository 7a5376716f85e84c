/*
 * What is known to exist and is not held, or was lost with a disk: it is asked for, and given to others who
 * ask (doc/PROTOCOL.md, section 7, "Missing entries").
 *
 * A log with a gap has a row in TABLE_MISSING, at the time when it is asked for. The author is asked; for
 * what a restored store has lost of the own log, the other posts of the channel are. Waiting grows fourfold
 * from ask to ask, and begins anew when something came; while it comes, it is not asked for twice. What a
 * post may be given in an hour is bounded (TABLE_ANSWERED), so nobody makes another send its log for ever.
 * Functions return what run.h says.
 */
#ifndef RECORD_MISSING_H
#define RECORD_MISSING_H

#include "record/receive.h"

#define MISSING_PATIENCE_MS    UINT64_C(300000) /* before a gap is asked for: copies are mostly under way */
#define MISSING_AGAIN_MIN_MS   UINT64_C(15000)
#define MISSING_AGAIN_MAX_MS   UINT64_C(21600000)
#define MISSING_COMING_MAX_MS  UINT64_C(3600000) /* while it comes, it is asked for again after so long */
#define MISSING_OPEN_ASKS      6    /* asks for what nobody has told of, in vain: some 85 minutes */
#define MISSING_ANSWER_MAX     128  /* entries given for one statement: 10 MB where each is the largest */
#define MISSING_ANSWERS_HOURLY 4096 /* and in an hour to one post */

/*
 * The row of a log changes: a gap has come to be known, or is closed. Sets row->ask_ms; the caller writes
 * the row.
 */
enum error missing_note(struct run *run, const struct entry_key *log, struct log *row);

/*
 * An entry is about to be filed, in the log as it was before: it may be one that was asked for. May set
 * row->ask_ms; the caller writes the row.
 */
struct log_item;
enum error missing_came(struct run *run, const struct entry_key *key, const struct log_item *item,
			struct log *row);

/* A signed head says that the log has so many entries. */
enum error missing_told(struct run *run, const struct entry_key *log, uint64_t size);

/*
 * Another post says that it holds this entry of the own log, which is not held here. What is asked for of
 * that incarnation is asked for soon; where something else tells of it, as if it had been asked in vain one
 * time fewer than it takes to take it for gone. At most each MISSING_PATIENCE_MS, for it need not be true,
 * and what nothing else tells of not more often in all than without.
 */
enum error missing_claimed(struct run *run, const struct entry_key *key);

/* Asks at once for all that may be there from the log's size on, and of later incarnations. */
enum error missing_open(struct run *run, const struct entry_key *log);

/* missing_open for the newest incarnation of every other post's log on the channel. */
enum error missing_open_channel(struct run *run, uint64_t channel);
/*
 * The same for the posts of one party, on all channels: after a keying, for what could not be opened
 * before.
 */
enum error missing_open_party(struct run *run, uint64_t party);
/*
 * And for the incarnation that the own newest follows, where there is one, on all channels with that party:
 * its posts may not have been able to open what they were asked, and nothing else tells of what they hold.
 * doubted: only that party makes it ask. Where nothing was being asked, that anything is lost is then not
 * known until words come back that are held nowhere, or a signed head tells of more.
 */
enum error missing_open_own(struct run *run, uint64_t party, bool doubted);

/* True in *asked if the log's gap has been asked for: it is not only that copies are under way. */
enum error missing_asked(struct run *run, const struct entry_key *log, const struct log *row, bool *asked);
/*
 * What is missing of the own logs, in order of certainty: nothing; it is only asked for since what was asked
 * before may not have been opened (missing_open_own); it is known to be lost with the disk, since the store
 * was restored (and has a new keying), or a head tells of more.
 */
enum own_loss {
	OWN_LOSS_NONE,
	OWN_LOSS_DOUBTED,
	OWN_LOSS_KNOWN,
};
/* In *loss, while entries of former own logs are asked for, why. */
enum error missing_own(struct run *run, const struct channel *channel, uint64_t channel_number,
		       enum own_loss *loss);

/* RECORD_TICK: asks for what is due. */
enum error missing_tick(struct run *run);

/* A "missing" statement whose signature is verified: gives what is asked for, within bounds. */
enum error missing_take(struct run *run, const struct received_statement *statement);

/*
 * An entry of the own log, as another post gives it back: filed, where it is signed by those who may and
 * its position is free, and sent again to all posts, which so receipt it again. *reason: why it is not one
 * of the own log on this channel, as far as can be known (registry_unverified).
 */
enum error missing_returned(struct run *run, uint64_t channel, const struct wire *wire, enum error *reason);

#endif
