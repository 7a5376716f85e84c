/*
 * Incarnations under crash, lost anchors and old images: no two heads of one incarnation that are told to the other post
 * contradict each other, and no place of an incarnation leaves the post with two different entries.
 *
 * One post, its anchor, its courier, and what the other post was told and given. The post dies at any point of a batch. Two
 * times its store goes on as an older image of itself, which is a snapshot or a backup, beside an anchor that is the newest,
 * as old as the image, or gone. The courier keeps all heads that it was given; but in runs in which the anchor is never set
 * back or lost, the courier may be lost instead, with all that it kept. (Both lost is told by the other post only: is_held_there
 * in record/heads.c, and what may happen then is in doc/PROTOCOL.md, section 15.)
 *
 *   start        record/incarnation.c incarnation_start, check_channel, compare, check_mark; record/heads.c heads_wait
 *   file         record/submit.c submit_handle, record/commit.c sign_head: the store, the anchor, and HEAD to the courier
 *   keep         carry/queue_heads.c step_head: the courier keeps the largest head of each incarnation
 *   hear_heads   record/incarnation_heads.c incarnation_heads, take_head, incarnation_told, give_again; record/heads.c heads_go_on
 *   MAY_HEAR     record/heads_take.c take_own: the other post shows the head that it cosigned
 *   open         record/incarnation.c incarnation_open, open_line, begin
 *   anchor_it, give  post/transaction.c transaction_commit, transaction_perform; post/courier_link.c courier_link_head
 *   tell         record/heads.c heads_tick: statements wait on the disk
 *   hand         record/outbox.c outbox_room, post/courier_link.c courier_link_room: what waits leaves
 *
 * An entry is a number that is used once, so that it names its whole prefix, and a head is its last entry.
 *
 * Mutations, each of which models.py must see fall: ANCHOR_IGNORED, ANCHOR_LEFT_BEHIND (this model found it),
 * FILED_BEFORE_HEADS (and told to other posts), HANDED_BEFORE_HEADS, NUMBERED_BY_STORE.
 */
#define ENTRIES      6
#define INCARNATIONS 4
#define PLACES       3
#define ROOM         12 /* INCARNATIONS * PLACES */
#define AT(n, p)     (((n) - 1) * PLACES + (p))
#define GONE         255

typedef Disk {
	byte incarnation;
	byte told;       /* the newest incarnation that somebody told of */
	byte size;       /* of the newest incarnation */
	byte log[ROOM];  /* by AT */
	byte statements; /* of heads, that wait for the courier: the heads that they tell, as a set */
	bool mark;       /* it is no backup */
	bool unsure
}

Disk disk, image;
byte anchor, image_anchor; /* a head, or GONE */
byte kept[INCARNATIONS];   /* the courier's heads, by incarnation - 1 */
bool has_image, may_set_back;
byte restores;

/* Of the process: whether HEADS have come on this connection, and on any since the start. */
bool up, heads_came, heads_known;
mtype = {IDLE, COMMITTED, ANCHORED};
mtype batch = IDLE;

/* What is true of each entry: its place, and the entries up to it in its incarnation, as a set. */
byte used;
byte at_incarnation[ENTRIES + 1], at_place[ENTRIES + 1], prefix[ENTRIES + 1];

/* What left: entries by place, as sets, and the heads told, as a set. */
byte left[ROOM];
byte told;

byte i, n, count;

#define IS_ROOM     (used < ENTRIES && disk.size < PLACES) /* the model ends there */
#define MAY_OPEN    (used < ENTRIES && disk.incarnation < INCARNATIONS && disk.told < INCARNATIONS)
#define OWN_HEAD    (disk.log[AT(disk.incarnation, disk.size - 1)])
#define LEADS_TO(e) (disk.log[AT(at_incarnation[e], at_place[e])] == e)

inline copy_disk(to, from)
{
	to.incarnation = from.incarnation;
	to.told = from.told;
	to.size = from.size;
	to.statements = from.statements;
	to.mark = from.mark;
	to.unsure = from.unsure;
	for (i : 0 .. ROOM - 1) {
		to.log[i] = from.log[i]
	}
	i = 0
}

inline tell()
{
	if
	:: heads_known -> disk.statements = disk.statements | (1 << OWN_HEAD)
	:: else
	fi
}

inline file()
{
	used++;
	at_incarnation[used] = disk.incarnation;
	at_place[used] = disk.size;
	prefix[used] = 1 << used;
	if
	:: disk.size > 0 -> prefix[used] = prefix[used] | prefix[OWN_HEAD]
	:: else
	fi;
	disk.log[AT(disk.incarnation, disk.size)] = used;
	disk.size++;
	batch = COMMITTED
}

inline keep(e)
{
	if
	:: kept[at_incarnation[e] - 1] == 0 || at_place[e] > at_place[kept[at_incarnation[e] - 1]] -> kept[at_incarnation[e] - 1] = e
	:: else
	fi
}

/* Of two heads of one incarnation the smaller is a part of the larger. */
inline check_told()
{
	for (i : 1 .. ENTRIES) {
		for (n : 1 .. ENTRIES) {
			assert((told & (1 << i)) == 0 || (told & (1 << n)) == 0 || at_incarnation[i] != at_incarnation[n] ||
			       (prefix[i] & (1 << n)) != 0 || (prefix[n] & (1 << i)) != 0)
		}
	}
	i = 0;
	n = 0
}

/* All that waits leaves at once: that it leaves later, or never, breaks nothing that this does not. */
inline hand()
{
	for (i : 0 .. ROOM - 1) {
		if
		:: disk.log[i] != 0 -> left[i] = left[i] | (1 << disk.log[i])
		:: else
		fi;
		count = 0;
		for (n : 1 .. ENTRIES) {
			if
			:: (left[i] & (1 << n)) != 0 -> count++
			:: else
			fi
		}
		assert(count <= 1)
	}
	i = 0;
	n = 0;
	count = 0;
	told = told | disk.statements;
	disk.statements = 0;
	check_told()
}

inline anchor_it()
{
	anchor = OWN_HEAD;
	batch = ANCHORED
}

#ifdef HANDED_BEFORE_HEADS
#define MAY_HAND true
#else
#define MAY_HAND heads_came
#endif

inline give()
{
	batch = IDLE;
	if
	:: heads_came -> keep(OWN_HEAD)
	:: else
	fi;
	tell();
	if
	:: MAY_HAND -> hand()
	:: else
	fi
}

inline open()
{
	if
	:: disk.unsure && MAY_OPEN ->
		disk.unsure = false;
#ifdef NUMBERED_BY_STORE
		disk.incarnation++;
#else
		disk.incarnation = (disk.told > disk.incarnation -> disk.told : disk.incarnation) + 1;
#endif
		disk.size = 0;
		file()
	:: else -> batch = (disk.unsure -> IDLE : ANCHORED)
	fi
}

inline start()
{
	up = true;
#ifdef FILED_BEFORE_HEADS
	heads_known = true;
#endif
	disk.unsure = disk.unsure || !disk.mark;
	disk.mark = true;
	if
#ifndef ANCHOR_IGNORED
	:: anchor == GONE -> disk.unsure = true
	:: anchor != GONE ->
		disk.unsure = disk.unsure || !LEADS_TO(anchor);
		if
		:: disk.unsure && at_incarnation[anchor] > disk.told -> disk.told = at_incarnation[anchor]
		:: else
		fi
#endif
	:: else
	fi;
#ifndef ANCHOR_LEFT_BEHIND
	if
	:: !disk.unsure -> anchor = OWN_HEAD /* given anew: it may have died between the commit and the anchor */
	:: else
	fi
#endif
}

/* One head of the own log, whoever shows it. */
inline hear(e)
{
	if
	:: e != 0 && !(at_incarnation[e] == disk.incarnation && LEADS_TO(e)) ->
		disk.unsure = disk.unsure || at_incarnation[e] == disk.incarnation;
		disk.told = (at_incarnation[e] > disk.told -> at_incarnation[e] : disk.told)
	:: else
	fi
}

inline hear_heads()
{
	for (n : 0 .. INCARNATIONS - 1) {
		hear(kept[n])
	}
	n = 0;
	heads_came = true;
	heads_known = true;
	open()
}

inline dies()
{
	up = false;
	heads_came = false;
	heads_known = false;
	batch = IDLE
}

inline restore()
{
	dies();
	restores++;
	copy_disk(disk, image)
}

inline restore_backup()
{
	restore();
	disk.mark = false;
	disk.statements = 0
}

#define MAY_RESTORE (!up && has_image && restores < 2)
#define MAY_HEAR(e) (up && heads_came && batch == IDLE && (told & (1 << e)) != 0 && !LEADS_TO(e))

active proctype world()
{
	/* The own opening of the channel is filed, and the courier has its head. */
	d_step {
		disk.incarnation = 1;
		disk.mark = true;
		file();
		anchor_it();
		heads_came = true;
		give();
		dies()
	}
	if
	:: may_set_back = true
	:: skip
	fi;
	do
	:: d_step { !up -> start() }
	:: d_step { up && heads_known && !disk.unsure && batch == IDLE && IS_ROOM -> file() }
	:: d_step { batch == COMMITTED -> anchor_it() }
	:: d_step { batch == ANCHORED -> give() }
	:: d_step { up && !heads_came && batch == IDLE -> hear_heads() }
	:: d_step { MAY_HEAR(1) -> hear(1); open() }
	:: d_step { MAY_HEAR(2) -> hear(2); open() }
	:: d_step { MAY_HEAR(3) -> hear(3); open() }
	:: d_step { MAY_HEAR(4) -> hear(4); open() }
	:: d_step { MAY_HEAR(5) -> hear(5); open() }
	:: d_step { heads_came && batch == IDLE -> heads_came = false } /* the stream to the courier breaks */
	:: d_step { up -> dies() }
	:: d_step { !has_image -> has_image = true; copy_disk(image, disk); image_anchor = anchor }
	:: d_step { MAY_RESTORE -> restore() }
	:: d_step { MAY_RESTORE -> restore_backup() }
	:: d_step { MAY_RESTORE && may_set_back -> restore(); anchor = image_anchor }
	:: d_step { MAY_RESTORE && may_set_back -> restore_backup(); anchor = image_anchor }
	:: d_step { MAY_RESTORE && may_set_back -> restore(); anchor = GONE }
	:: d_step { MAY_RESTORE && may_set_back -> restore_backup(); anchor = GONE }
	:: d_step { !may_set_back && batch == IDLE -> heads_came = false; kept[0] = 0; kept[1] = 0; kept[2] = 0; kept[3] = 0 }
	od
}
