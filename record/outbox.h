/*
 * Copies under way: one sealed copy of each own entry for every other post of the channel, until that post
 * has receipted it; and statements, until the courier has them.
 *
 * A copy waits (TABLE_WAITING, by precedence, then age), is handed over (TABLE_HANDED), is reported queued,
 * and is resent, the same bytes, when it is due (TABLE_DUE, on the rate-limited clock): first after a
 * quarter of the handling time, then twice as long each time. What the courier gives up, or does not take,
 * for a reason that passes by itself (it has no room, the lifetime ended, it could not write) waits again
 * after some seconds (TABLE_RETRY, by precedence, then time), and so does every statement. An entry that is
 * given up for another reason, such as a neighbour that does not take it, waits until it is due: a refusal
 * that stands is not asked for every few seconds, before what is less urgent and can go. A copy is sealed
 * when it is first handed over, and again only where the receiver says that it cannot open it. Functions
 * return what run.h says.
 */
#ifndef RECORD_OUTBOX_H
#define RECORD_OUTBOX_H

#include "envelope/statement.h"
#include "record/run.h"

#define OUTBOX_RESEND_MIN_MS UINT64_C(15000)
#define OUTBOX_RESEND_MAX_MS UINT64_C(21600000)

/* Of what the courier gave up, of one precedence, with a tick: never all that it has no room for. */
#define OUTBOX_RETRIES_MAX 16
/*
 * And of statements, which go beside. A counterpart can have receipts made without end, by one entry in ever
 * new bundles, and refuse them: they must neither fill the disk, nor take an entry's turn, nor that of
 * receipts for others. So of what was given up, of one precedence, there are so many places for the posts of
 * one party: which parties there are is said by officers here, but which posts a party has, by itself. A
 * prime, so that numbers of any stride come to all. With COUNTERPARTS_MAX parties that all do it 15,860 are
 * kept: of receipts some 76 MB; with one, 244.
 */
#define OUTBOX_STATEMENT_RETRIES_MAX 32
#define OUTBOX_STATEMENT_PLACES      61
/* Of one copy, that the courier has no room for it, or that it is not taken on its way, is told so often. */
#define OUTBOX_TOLD_AGAIN_MS UINT64_C(3600000)
/*
 * Times that a statement is handed over and given up, before it is forgotten: at FLASH two minutes, at
 * ROUTINE an hour. By then what it says is said anew where it is still wanted: a receipt when its entry is
 * resent, heads at their interval, and what was asked for when it is asked for again.
 */
#define OUTBOX_STATEMENT_TRIES 64

/* Makes the copies of an own entry: the action copy for the first post of each other party at the entry's
 * precedence, record copies for further posts at ROUTINE; letters, verdicts and incarnations go to every post
 * at their own. */
enum error outbox_entry(struct run *run, const struct channel *channel, const struct entry_key *key,
			const struct content *content);

/*
 * The receiver of `log` asks for an own entry: a copy is made anew, ROUTINE, or where there is one that its
 * courier has had, or that is held, that is sealed and sent again. *made: something was done.
 */
enum error outbox_again(struct run *run, const struct entry_key *key, uint64_t log, bool *made);
/* Or for one of its own log: it is given back to that post, of `party`, unless it waits to be already. */
enum error outbox_give_back(struct run *run, const struct entry_key *key, uint64_t party, bool *made);
/* Copies of an own entry, ROUTINE, for all other posts: it was lost here and came back. */
enum error outbox_all_again(struct run *run, const struct channel *channel, const struct entry_key *key,
			    uint64_t precedence);
/*
 * All copies under way, or those for the posts of one party, are to be sealed and sent anew: what was
 * sealed, or the receipts for it, may be of no use any more. outbox_requeue does it, some at a time, at
 * RECORD_TICK.
 */
void outbox_requeue_all(struct run *run);
enum error outbox_requeue_party(struct run *run, uint64_t party);
enum error outbox_requeue(struct run *run);

struct outbox_statement {
	uint64_t kind;    /* enum statement_kind; 0: an entry of that post's own log, given back */
	uint64_t channel; /* 0: none */
	uint64_t party;
	uint64_t slot;
	uint64_t precedence;
	bool last_resort;
	bool next_keying; /* shows a post that this one holds a keying that is not in use yet */
	struct bytes cose;
	struct entry_key entry; /* kind 0 */
};
/*
 * Queues a statement, once: it is forgotten when the courier has it on disk, or has given it up
 * OUTBOX_STATEMENT_TRIES times, or once when another waits in its place. *serial may be NULL.
 */
enum error outbox_statement(struct run *run, const struct outbox_statement *statement, uint64_t *serial);

/* True in *waits if a statement is not forgotten yet. */
enum error outbox_statement_waits(struct run *run, uint64_t serial, bool *waits);

/* ---- events ---- */

enum error outbox_room(struct run *run);     /* RECORD_COURIER_ROOM */
enum error outbox_lost(struct run *run);     /* RECORD_COURIER_LOST, and RECORD_START */
enum error outbox_progress(struct run *run); /* RECORD_PROGRESS */
enum error outbox_due(struct run *run);      /* RECORD_TICK: copies to be resent wait again */
enum error outbox_retry(struct run *run);    /* RECORD_TICK: so does what the courier gave up for now */

/* ---- receipts ---- */

/* The copy of an own entry for one post is receipted: all its rows go, and the courier is told. Nothing if
 * there is none. */
enum error outbox_receipted(struct run *run, const struct entry_key *key, uint64_t log);

/* Every other party has receipted the entry: it waits no more, for STATUS. */
enum error outbox_settled(struct run *run, const struct entry_key *key, uint64_t precedence);

/* What a post could not open is sealed anew, to the last-resort key (or, where that was it, to the newest
 * prekeys), RESEALS_MAX times at most. sha256 is that of the sealed bytes; only copies for that post are
 * touched. */
enum error outbox_cannot_open(struct run *run, uint64_t party, uint64_t slot, const uint8_t sha256[32]);

#endif
