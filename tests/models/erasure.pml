/*
 * Erasure of epoch keys under loss, delay and restores: whatever arrives within one delay window of its sealing opens; what
 * opens no more is sealed anew; and once loss ends, two rounds bring it across, however long it waited.
 *
 * A message from one post to another, sealed when it is first handed over, at any time or never, among others that use later
 * epochs. Bundles are lost,
 * doubled and delayed within their lifetime of one delay window. Either statement that answers, receipt or "cannot open", is
 * lost at will. The receiver's store may be made from a backup, which holds no epoch keys. An epoch lasts one tick, and a delay
 * window WINDOW of them; clocks agree (an epoch that only a wrong clock takes for the present one may be erased already: such a
 * copy is one that does not open, as after a restore).
 *
 *   seal         record/outbox_send.c outbox_seal, record/keys_seal.c choose_key: once; to the epoch of the clock, or by last
 *                resort where that was asked for
 *   hand         record/outbox.c outbox_room, record/outbox_settle.c outbox_due: the same bytes, until they are receipted
 *   erase        record/keys.c erase_due, all_beyond
 *   take_copy    record/receive.c receive_handle, record/keys_seal.c keys_open, keys_note_use
 *   take_cannot_open  record/outbox_settle.c outbox_cannot_open, was_sent
 *   restore      record/record.c record_row_in_backup: not TABLE_EPOCH
 *
 * Mutations, each of which models.py must see fall: ERASED_AT_END (of the epoch), ERASED_WHEN_LATER_USED (without the window),
 * NEVER_SEALED_ANEW, SEALED_ANEW_TO_EPOCH (to the key that was erased), CANNOT_OPEN_SAID_ONCE.
 */
#define TICKS       8
#define WINDOW      2
#define LAST_RESORT 255
#define UNSEALED    254
#define NEVER       255

byte now, i;

/* The sender's disk. */
byte key = UNSEALED; /* epoch, or LAST_RESORT */
byte sealed_at;
bool receipted;

/* Under way: when the copy under an epoch key, and the one by last resort, were last handed over, or NEVER. */
byte epoch_copy = NEVER;
byte epoch_of_copy;
byte last_resort_copy = NEVER;
bool receipt, cannot_open;

/* The receiver's disk: epochs below `erased` have no keys; `used` is the newest that something was opened with. */
bool held;
byte erased, used;
bool restored;
bool said;

inline seal()
{
	if
	:: key == UNSEALED -> key = now; sealed_at = now
	:: else
	fi
}

inline hand()
{
	seal();
	if
	:: key == LAST_RESORT -> last_resort_copy = now
	:: else -> epoch_copy = now; epoch_of_copy = key
	fi
}

#if defined(ERASED_AT_END)
#define IS_DUE(e) (now >= (e) + 1)
#elif defined(ERASED_WHEN_LATER_USED)
#define IS_DUE(e) (now >= (e) + 1 && (used > (e) || now >= (e) + 1 + 3 * WINDOW))
#else
#define IS_DUE(e) (now >= (e) + 1 + WINDOW && (used > (e) || now >= (e) + 1 + 3 * WINDOW))
#endif

inline erase()
{
	for (i : 0 .. TICKS) {
		if
		:: IS_DUE(erased) -> erased++
		:: else
		fi
	}
	i = 0
}

inline tick()
{
	now++;
	erase()
}

inline accept()
{
	held = true;
	receipt = true
}

inline take_copy()
{
	if
	:: epoch_of_copy >= erased ->
		accept();
		used = (epoch_of_copy > used -> epoch_of_copy : used)
	:: else ->
		assert(restored || now > sealed_at + WINDOW);
#ifdef CANNOT_OPEN_SAID_ONCE
		cannot_open = cannot_open || !said;
		said = true
#else
		cannot_open = true
#endif
	fi;
	erase()
}

/* It names the bytes: of others than those that are sealed now it says nothing. */
inline take_cannot_open()
{
	cannot_open = false;
	if
	:: key != LAST_RESORT && key != UNSEALED && !receipted ->
#if defined(SEALED_ANEW_TO_EPOCH)
		sealed_at = sealed_at
#elif !defined(NEVER_SEALED_ANEW)
		key = LAST_RESORT
#else
		skip
#endif
	:: else
	fi
}

inline take_receipt()
{
	receipt = false;
	assert(held);
	receipted = true
}

#define LIVES(at) (at != NEVER && now <= at + WINDOW)

/* Nothing is lost: what is handed over arrives, and what is said to that. */
inline round()
{
	if
	:: !receipted ->
		hand();
		if
		:: key == LAST_RESORT -> accept()
		:: else -> take_copy()
		fi;
		if
		:: cannot_open -> take_cannot_open()
		:: else
		fi;
		if
		:: receipt -> take_receipt()
		:: else
		fi
	:: else
	fi
}

active proctype world()
{
	do
	:: d_step { now < TICKS -> tick() }
	:: d_step { used < now -> used = now; erase() } /* another message, sealed now, is opened */
	:: d_step { !receipted -> hand() }
	:: d_step { LIVES(epoch_copy) -> take_copy() }
	:: d_step { LIVES(last_resort_copy) -> accept() }
	:: d_step { receipt -> take_receipt() }
	:: d_step { cannot_open -> take_cannot_open() }
	:: d_step { receipt -> receipt = false } /* lost */
	:: d_step { cannot_open -> cannot_open = false }
	:: d_step { !restored -> restored = true; erased = now + 1 } /* keys of epochs that begin later are made later */
	:: break
	od;
	skip;
	d_step {
		round();
		round();
		assert(held && receipted)
	}
}
