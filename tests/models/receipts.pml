/*
 * Receipts under crash and loss: what `send` said yes to is held, nothing leaves before its commit, what is receipted is held at
 * the other post, nothing is shown twice; and once crashes and loss end, two rounds bring all of it across and receipted.
 *
 * Two messages of an officer, an author's post, a receiver's post, and between them a line that loses, doubles and reorders.
 * Either post dies at any point, also between its commit and its actions; what it had not committed is gone.
 *
 *   submit           record/submit.c submit_handle: what is submitted again is answered with the number that it has
 *   author_commit    post/transaction.c transaction_commit; author_perform: transaction_perform
 *   hand             record/outbox.c outbox_room, record/outbox_settle.c outbox_due: again until it is receipted
 *   take_copy        record/receive.c receive_handle, on_channel: filed, known already, or another at its place
 *   receiver_commit  record/receipt.c receipt_commit: entries and receipts in one commit
 *   hand_receipt     record/outbox.c outbox_room: a statement is forgotten once the courier has it
 *   take_receipt     record/receipt.c receipt_take, check_named
 *
 * Mutations, each of which models.py must see fall: ANSWER_BEFORE_COMMIT, HANDED_BEFORE_COMMIT, NUMBERED_AGAIN,
 * RECEIPT_BEFORE_COMMIT, DEDUPLICATION_LOST, CONTENT_UNCHECKED (a receipt counts whatever it names; with
 * HANDED_BEFORE_COMMIT and without what that breaks, since only then a receipt names another), SENT_ONCE, RECEIPTED_ONCE.
 */
#define PLACES 3 /* one more than messages: a number may be taken twice, in mutations */
#define NONE   0
#define BIT(m) (1 << (m))

/* The author's disk, by position; then its memory. yes[m]: `send` returned 0 for message m (1 or 2). */
byte author_log[PLACES];
bool receipted[PLACES], handed[PLACES];
byte author_new, author_answer;
bool taken[PLACES];
bool yes[3];

/* The receiver's disk, with the receipts that wait as sets of messages; how often each was shown; its memory. */
byte held[PLACES], waiting[PLACES];
byte shown[3];
byte receiver_new[PLACES], receiver_receipts[PLACES];

/* Under way, by position: sets of messages. What is there arrives as often as it likes, or never. */
byte copies[PLACES], receipts[PLACES];

#define FILED(m) (author_log[0] == m || author_log[1] == m || author_log[2] == m)
#ifdef NUMBERED_AGAIN
#define KNOWN(m) false
#else
#define KNOWN(m) FILED(m)
#endif

byte i;

inline file_new(at)
{
	author_log[at] = author_new;
	author_answer = author_new;
	author_new = NONE
}

inline submit(m)
{
	if
	:: KNOWN(m) -> author_answer = m
	:: else ->
		author_new = m;
#ifdef ANSWER_BEFORE_COMMIT
		yes[m] = true;
#endif
#ifdef HANDED_BEFORE_COMMIT
		if
		:: author_log[0] == NONE -> copies[0] = copies[0] | BIT(m)
		:: else -> copies[1] = copies[1] | BIT(m)
		fi
#endif
	fi
}

inline author_commit()
{
	if
	:: author_new == NONE
	:: author_new != NONE && author_log[0] == NONE -> file_new(0)
	:: author_new != NONE && author_log[0] != NONE && author_log[1] == NONE -> file_new(1)
	:: author_new != NONE && author_log[0] != NONE && author_log[1] != NONE -> file_new(2)
	fi;
	for (i : 0 .. 2) {
		receipted[i] = receipted[i] || taken[i];
		taken[i] = false
	}
	i = 0
}

inline author_perform()
{
	yes[author_answer] = true;
	author_answer = NONE
}

inline author_dies()
{
	author_new = NONE;
	author_answer = NONE;
	taken[0] = false; taken[1] = false; taken[2] = false
}

#ifdef SENT_ONCE
#define MAY_HAND(p) (author_log[p] != NONE && !receipted[p] && !handed[p])
#else
#define MAY_HAND(p) (author_log[p] != NONE && !receipted[p])
#endif

inline hand(p)
{
	copies[p] = copies[p] | BIT(author_log[p]);
#ifdef SENT_ONCE
	handed[p] = true
#endif
}

inline take_copy(p, m)
{
	if
#ifdef DEDUPLICATION_LOST
	:: true ->
#else
	:: held[p] == NONE && receiver_new[p] == NONE ->
#endif
		receiver_new[p] = m;
		receiver_receipts[p] = receiver_receipts[p] | BIT(m)
#ifndef RECEIPTED_ONCE
	:: held[p] == m -> receiver_receipts[p] = receiver_receipts[p] | BIT(m)
#endif
	:: else /* in this batch already, or another than is held: the first stays */
	fi;
#ifdef RECEIPT_BEFORE_COMMIT
	receipts[p] = receipts[p] | receiver_receipts[p]
#endif
}

inline receiver_commit()
{
	for (i : 0 .. 2) {
		if
		:: receiver_new[i] != NONE ->
			held[i] = receiver_new[i];
			shown[receiver_new[i]]++;
			receiver_new[i] = NONE
		:: else
		fi;
		waiting[i] = waiting[i] | receiver_receipts[i];
		receiver_receipts[i] = 0
	}
	i = 0
}

inline receiver_dies()
{
	receiver_new[0] = NONE; receiver_new[1] = NONE; receiver_new[2] = NONE;
	receiver_receipts[0] = 0; receiver_receipts[1] = 0; receiver_receipts[2] = 0
}

inline hand_receipt(p)
{
	receipts[p] = receipts[p] | waiting[p];
	waiting[p] = 0
}

inline take_receipt(p, m)
{
	if
#ifdef CONTENT_UNCHECKED
	:: author_log[p] != NONE ->
#else
	:: author_log[p] == m ->
#endif
		taken[p] = !receipted[p]
	:: else
	fi
}

/* A receipt under way names at p only what is held at p; a copy under way is an entry of the log. */
#define TRUE_RECEIPT(p) (receipts[p] == 0 || (held[p] != NONE && receipts[p] == BIT(held[p])))
#define TRUE_COPY(p)    (copies[p] == 0 || (author_log[p] != NONE && copies[p] == BIT(author_log[p])))
#define IS_HELD(p)      (!receipted[p] || held[p] == author_log[p])

inline check()
{
	assert((!yes[1] || FILED(1)) && (!yes[2] || FILED(2)));
	assert(IS_HELD(0) && IS_HELD(1) && IS_HELD(2));
	assert(TRUE_RECEIPT(0) && TRUE_RECEIPT(1) && TRUE_RECEIPT(2));
#ifndef CONTENT_UNCHECKED
	assert(shown[1] <= 1 && shown[2] <= 1);
	assert(TRUE_COPY(0) && TRUE_COPY(1) && TRUE_COPY(2));
#endif
}

inline round()
{
	if
	:: !yes[1] -> submit(1)
	:: else
	fi;
	author_commit();
	author_perform();
	if
	:: !yes[2] -> submit(2)
	:: else
	fi;
	author_commit();
	author_perform();
	for (p : 0 .. 2) {
		if
		:: MAY_HAND(p) -> hand(p)
		:: else
		fi;
		for (m : 1 .. 2) {
			if
			:: (copies[p] & BIT(m)) != 0 -> take_copy(p, m)
			:: else
			fi
		}
		copies[p] = 0
	}
	receiver_commit();
	for (p : 0 .. 2) {
		hand_receipt(p);
		for (m : 1 .. 2) {
			if
			:: (receipts[p] & BIT(m)) != 0 -> take_receipt(p, m)
			:: else
			fi
		}
		receipts[p] = 0
	}
	author_commit()
}

active proctype world()
{
	byte p, m;

	do
	:: d_step { author_new == NONE && author_answer == NONE && !yes[1] && author_log[2] == NONE -> submit(1); check() }
	:: d_step { author_new == NONE && author_answer == NONE && !yes[2] && author_log[2] == NONE -> submit(2); check() }
	:: d_step { author_new != NONE || taken[0] || taken[1] || taken[2] -> author_commit(); check() }
	:: d_step { author_answer != NONE -> author_perform(); check() }
	:: d_step { author_dies(); check() }
	:: d_step { MAY_HAND(0) -> hand(0); check() }
	:: d_step { MAY_HAND(1) -> hand(1); check() }
	:: d_step { MAY_HAND(2) -> hand(2); check() }
	:: d_step { (copies[0] & 2) != 0 -> take_copy(0, 1); check() }
	:: d_step { (copies[0] & 4) != 0 -> take_copy(0, 2); check() }
	:: d_step { (copies[1] & 2) != 0 -> take_copy(1, 1); check() }
	:: d_step { (copies[1] & 4) != 0 -> take_copy(1, 2); check() }
	:: d_step { (copies[2] & 2) != 0 -> take_copy(2, 1); check() }
	:: d_step { (copies[2] & 4) != 0 -> take_copy(2, 2); check() }
	:: d_step { receiver_receipts[0] != 0 || receiver_receipts[1] != 0 || receiver_receipts[2] != 0 -> receiver_commit(); check() }
	:: d_step { receiver_dies(); check() }
	:: d_step { waiting[0] != 0 -> hand_receipt(0); check() }
	:: d_step { waiting[1] != 0 -> hand_receipt(1); check() }
	:: d_step { waiting[2] != 0 -> hand_receipt(2); check() }
	:: d_step { (receipts[0] & 2) != 0 -> take_receipt(0, 1); check() }
	:: d_step { (receipts[0] & 4) != 0 -> take_receipt(0, 2); check() }
	:: d_step { (receipts[1] & 2) != 0 -> take_receipt(1, 1); check() }
	:: d_step { (receipts[1] & 4) != 0 -> take_receipt(1, 2); check() }
	:: d_step { copies[0] != 0 -> copies[0] = 0 } /* lost */
	:: d_step { copies[1] != 0 -> copies[1] = 0 }
	:: d_step { copies[2] != 0 -> copies[2] = 0 }
	:: d_step { receipts[0] != 0 -> receipts[0] = 0 }
	:: d_step { receipts[1] != 0 -> receipts[1] = 0 }
	:: d_step { receipts[2] != 0 -> receipts[2] = 0 }
	:: break /* from here on nothing dies or is lost */
	od;
	skip;
	d_step {
		round();
		check();
		round();
		check();
		assert(yes[1] && yes[2] && shown[1] == 1 && shown[2] == 1);
		assert(author_log[0] != NONE && receipted[0] && author_log[1] != NONE && receipted[1]);
		assert(author_log[2] == NONE || receipted[2])
	}
}
