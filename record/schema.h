/*
 * Every row of a post's store. A key is one byte of table, then the key's parts, big-endian, so that rows
 * stand in the order of their parts. A value is a deterministic CBOR array of the fields of its struct, in
 * their order.
 *
 * Structs that are read hold views into the rows (valid until rows_settle). Numbers are uint64_t throughout;
 * what a comment calls u8, u16, u32 or u64 is how a part stands in the key.
 *
 * Local numbers keep keys short: `party` counts the parties whose cards are held (0 is the own party),
 * `channel` the channels, from 1. They never leave the post.
 */
#ifndef RECORD_SCHEMA_H
#define RECORD_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/rows.h"
#include "envelope/party.h"

enum table {
	/* the post itself */
	TABLE_POST = 0x01,    /* -> struct own_post */
	TABLE_STATE = 0x02,   /* -> struct state */
	TABLE_CLOCK = 0x03,   /* -> struct slow_clock */
	TABLE_REFUSED = 0x04, /* reason u32 -> struct counter: what was refused, since the store was made */
	TABLE_ANCHOR = 0x05,  /* channel u16 -> struct anchor_line: the anchor's shadow */

	TABLE_FORMER = 0x06, /* channel id 32 -> struct anchor_line: of an own log that the store has lost */
	TABLE_HERE = 0x07,   /* * -> empty: this store was not made from a backup */

	/* parties: from their cards */
	TABLE_PARTY = 0x10,       /* party u8 -> struct party */
	TABLE_PARTY_ID = 0x11,    /* party id 32 -> struct number: party */
	TABLE_CARD_LETTER = 0x12, /* party u8, number u32 -> the letter, COSE as it came */
	TABLE_PARTY_POST = 0x13,  /* party u8, slot u8 -> struct party_post */
	TABLE_NODE_ID = 0x14,     /* node id as text -> struct post_number */

	/* channels: from their letters */
	TABLE_CHANNEL = 0x20,     /* channel u16 -> struct channel */
	TABLE_CHANNEL_ID = 0x21,  /* channel id 32 -> struct number: channel */
	TABLE_CHANNEL_TAG = 0x22, /* channel tag 2, channel u16 -> empty */
	TABLE_LINE = 0x23,        /* channel u16, log u16 -> struct line */
	TABLE_CHAIN = 0x24,       /* channel u16, roster index u8, signer u32 -> struct chain */
	TABLE_LETTER =
		/* channel u16, roster index u8, signer u32, number u32 -> struct entry_key: a letter held */
	0x25,
	TABLE_OFFICER = 0x26, /* channel u16, roster index u8, officer u32 -> struct officer */
	TABLE_AGREED =
		0x28,      /* channel u16, roster index u8, officer u32 -> struct number: bit i: the party of
			 roster index i gave agrément to one who is not named yet */
	TABLE_FOLD = 0x29, /* channel u16, roster index u8 -> empty: letters wait that may follow already */
	TABLE_ACKNOWLEDGED =
		/* channel u16, identity 32, log u16, incarnation u16 -> struct number: at which position */
	0x2a,
	TABLE_UNREAD =
		0x2d, /* channel u16 -> struct pending: messages of others that nobody has acknowledged */
	TABLE_QUOTA = 0x27, /* channel u16, log u16 -> struct quota: refused ranges named in verdicts */

	/* logs */
	TABLE_LOG = 0x30,   /* channel u16, log u16, incarnation u16 -> struct log */
	TABLE_ENTRY = 0x31, /* channel u16, log u16, incarnation u16, position u32 -> struct entry */
	TABLE_COSE = 0x39,  /* as TABLE_ENTRY -> the entry's COSE as it came */
	TABLE_SEEN =
		0x3a, /* channel u16, log u16 -> struct seen: grew since the last own entry on the channel */
	TABLE_IDENTITY = 0x32, /* identity 32 -> struct entry_key */
	TABLE_TREE =
		/* channel u16, log u16, incarnation u16, last leaf u64, level u8 -> hash 32; levels from 1 */
	0x33,
	TABLE_AHEAD =
		/* channel u16, log u16, incarnation u16, position u32 -> leaf hash 32: held beyond a gap */
	0x34,
	TABLE_ADVANCE =
		/* channel u16, log u16, incarnation u16 -> empty: a gap was closed, the tree still follows */
	0x35,
	TABLE_ARRIVAL =
		/* arrival u64 -> struct arrival: all entries in the order in which they came to be held */
	0x36,
	/* as TABLE_ENTRY -> empty: its author asked for an acknowledgment by a time, and it has not come */
	TABLE_ACK_BY = 0x3b,
	TABLE_RECEIPT = 0x37,  /* number u64 -> struct receipt_row: receipts verified, for own entries */
	TABLE_EVIDENCE = 0x38, /* channel u16, log u16, number u64 -> struct evidence */
	/* channel u16, log u16, incarnation u16 -> struct former_head: of an earlier one */
	TABLE_HEAD = 0x3f,
	/* slow ms u64, channel u16, log u16, incarnation u16 -> struct missing: to be asked for then */
	TABLE_MISSING = 0x3c,
	/*
	 * identity 32, channel u16, log u16, incarnation u16, position u32 -> struct number: an
	 * acknowledgment or answer that names what is not held yet, and the state that it gives
	 */
	TABLE_AWAITED = 0x3e,
	/* identity 32, log u16, incarnation u16 -> empty: own words given back that are held elsewhere */
	TABLE_AGAIN = 0x2c,
	TABLE_ANSWERED = 0x3d, /* channel u16, log u16 -> struct quota: entries given to a post that asked */

	/* keys. Those marked * never enter a backup. */
	TABLE_EPOCH = 0x40, /* * epoch u32 -> struct epoch: an own prekey */
	TABLE_PSK =
		/* * psk id 3, party u8, slot u8, epoch u32 -> struct psk: what opens a copy from that post */
	0x41,
	TABLE_EPOCH_PSK =
		0x42, /* * epoch u32, party u8, slot u8, keying u32 -> struct psk: by epoch, to erase it */
	TABLE_LEAF_IN = 0x43, /* * party u8, slot u8, keying u32 -> struct leaf_row: from that post to this */
	TABLE_LEAF_OUT = 0x49, /* * party u8, slot u8 -> struct leaf_row: from this post to that */
	TABLE_LAST_LEAF =
		0x44, /* party u8, slot u8 -> struct leaf_row: to that post by last resort; epoch 0 */
	TABLE_LAST_PSK = 0x45, /* psk id 3, party u8, slot u8 -> struct psk: last resort */
	TABLE_PREKEYS =
		0x46, /* party u8, slot u8 -> struct prekeys_row: a counterpart post's, the newest held */
	TABLE_EPOCH_USE = 0x47,   /* party u8, slot u8 -> struct epoch_use: of own prekeys by that post */
	TABLE_NEXT_KEYING = 0x4a, /* * party u8, slot u8 -> struct next_keying: not in use to that post yet */
	TABLE_PUBLISHED = 0x4b,   /* -> struct quota: own prekeys statements of this day */
	TABLE_CANNOT_OPEN =
		0x48, /* party u8, slot u8 -> struct quota: "cannot open" statements in this minute */

	/* copies under way; of these TABLE_COPY and TABLE_PENDING enter a backup: copies are sealed anew */
	TABLE_COPY =
		/* channel u16, incarnation u16, position u32, log u16 (of the receiver) -> struct copy */
	0x50,
	TABLE_STATEMENT = 0x51, /* serial u64 -> struct statement_copy */
	TABLE_SEALED = 0x52,    /* number u64 -> the sealed bytes of the copy of that number */
	TABLE_COPY_ID = 0x59,   /* copy id 16 -> struct copy_key: of what is sealed */
	TABLE_WAITING = 0x53, /* rank u8 (4 - precedence), number u64 -> struct copy_key: to be handed over */
	TABLE_HANDED =
		/* session u64, rank u8, number u64 -> struct copy_key: handed over, not reported queued */
	0x54,
	TABLE_DUE = 0x55, /* slow ms u64, number u64 -> struct copy_key: to be resent then */
	TABLE_SENT =
		0x58, /* party u8, slot u8, number u8 -> SHA-256: of the last statements sent to that post */
	TABLE_REQUEUE = 0x57, /* -> the key in TABLE_COPY up to which that is done */
	/* rank u8 (a statement: 4 more), slow ms u64, number u64 -> struct copy_key: what was given up */
	TABLE_RETRY = 0x5a,
	/* rank u8, party u8, place u8 -> struct copy_key: the statements of these, by receiver */
	TABLE_PLACE = 0x5b,
	TABLE_RETURNING = 0x5c, /* as TABLE_ENTRY -> empty: a statement gives it back to its author */
	TABLE_PENDING = 0x56,   /* channel u16 -> struct pending: own entries without receipt, for STATUS */
};

#define ROSTER_BYTES_MAX PARTIES_MAX

struct number {
	uint64_t number;
};

struct counter {
	uint64_t count;
	uint64_t last_ms;    /* wall clock */
	struct bytes source; /* of the last: the node id that its courier claimed; empty: none did */
};

struct own_post {
	uint8_t party_id[PARTY_ID_SIZE];
	uint64_t slot;
	uint64_t kind; /* enum post_kind */
	struct bytes party_name;
	struct bytes post_name;
	struct bytes node;
	uint8_t authority_key[PUBLIC_KEY_SIZE];
	uint8_t statement_secret[64]; /* of struct ed25519_pair */
	uint8_t statement_key[PUBLIC_KEY_SIZE];
	uint8_t root_seed[32]; /* log and cosigner keys of each channel are derived from it */
	uint8_t last_resort_secret[32];
	uint8_t last_resort_key[PUBLIC_KEY_SIZE];
};

struct state {
	uint64_t arrivals; /* numbers given in TABLE_ARRIVAL; counts from 1 */
	uint64_t numbers;  /* given in the outbox and for receipts */
	uint64_t parties;  /* counterparts numbered so far, from 1 */
	uint64_t channels; /* channels numbered so far, from 1 */
	uint64_t session;  /* of the courier's stream */
	uint64_t prekeys_number;
	uint64_t epoch_first;  /* the oldest own epoch that is kept */
	uint64_t epoch_next;   /* the first not yet made */
	uint64_t epoch_marked; /* the first whose end has not been seen */
	uint64_t epoch_start;  /* Unix s at which own epoch `epoch_origin` begins */
	uint64_t epoch_origin;
	uint64_t swept_ms; /* slow clock: when the sending leaves were last looked at */
	uint64_t restored; /* 1 after a new incarnation, until new prekeys have been published */
	uint64_t anchored; /* 1 once an anchor has been given */
	uint64_t requeue;  /* not 0 while copies are made to wait again (TABLE_REQUEUE; outbox_again.c) */
	uint64_t heads_ms; /* slow clock: when heads were last looked at; UINT64_MAX: heads_wait */
	uint64_t unsure;   /* 1: some own line is unsure (struct line) */
	uint64_t awaited;  /* rows in TABLE_AWAITED */
};

/* The rate-limited clock: `slow_ms` only grows, with the steady clock. wall_ms is what the shell's clock said
 * then. */
struct slow_clock {
	uint64_t slow_ms;
	uint64_t steady_ms;
	uint64_t wall_ms;
};

struct anchor_line {
	uint64_t incarnation;
	uint64_t size;
	uint8_t root[32];
};

struct party {
	uint8_t id[PARTY_ID_SIZE];
	struct bytes name;
	uint8_t authority_key[PUBLIC_KEY_SIZE];
	uint8_t successor[32];
	uint64_t letters;            /* of the card chain: numbers 0 to letters - 1 are held */
	uint8_t head[IDENTITY_SIZE]; /* of the card chain */
	uint64_t keying;             /* number of the keying accepted, from 1; 0: none */
};

struct party_post {
	uint64_t kind;
	struct bytes name;
	struct bytes node;
	uint8_t statement_key[PUBLIC_KEY_SIZE];
	uint8_t courier_pin[32];
	struct bytes address; /* of its courier; empty: none known */
};

struct post_number {
	uint64_t party;
	uint64_t slot;
};

enum channel_state {
	CHANNEL_PROPOSED = 1,
	CHANNEL_OPEN = 2,
};

struct channel {
	uint8_t id[CHANNEL_ID_SIZE];
	struct bytes terms; /* encoded */
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	uint64_t state;
	uint64_t own_index;   /* roster index of the own party */
	struct bytes parties; /* one byte each: party numbers in roster order */
	uint64_t opened;      /* bit i: the party of roster index i has signed its opening */
	uint8_t registry[REGISTRY_SIZE];
	uint64_t proposer; /* party number of the one whose opening made it */
	uint64_t entries;  /* held of others while the own party had not signed: bounded */
};

/*
 * One post on one channel: its name and keys (from its party's opening) and what is known of heads. For the
 * own log, head_* is the own signed head; for others' the largest that is consistent with all seen, cosigned
 * here. theirs_* is the own head as that post cosigned it last. Sizes 0: none yet.
 */
struct line {
	uint8_t log_key[PUBLIC_KEY_SIZE];
	uint8_t cosigner_key[PUBLIC_KEY_SIZE];
	uint64_t incarnation; /* the newest that is known, from 1 */
	uint64_t head_incarnation;
	uint64_t head_size;
	uint8_t head_root[32];
	uint8_t head_signature[64];
	uint64_t cosigned_at;
	uint8_t cosignature[64];
	uint64_t theirs_incarnation;
	uint64_t theirs_size;
	uint8_t theirs_root[32];
	uint64_t theirs_at;
	uint8_t theirs_cosignature[64];
	uint64_t heads_sent_ms;  /* slow clock: the last statement of heads to this post */
	uint64_t heads_sent_sum; /* sizes of all heads that it named, to see whether something changed */
	uint64_t heads_serial;   /* of that statement in the outbox */
	uint64_t disagrees;      /* 1: the newest head seen of this log is not that of what is held of it */
	uint64_t forked;         /* number of proofs held that this log forked */
	uint64_t asked;          /* the earliest of its incarnations whose last head it asked for; 0: none */
	uint64_t former_told;    /* the own incarnation since which former own heads were told to */
	uint64_t former_count;   /* that post, and how often */
	uint64_t unsure;         /* own line: 1: a new incarnation begins before the next entry */
	uint64_t told; /* own line: the highest incarnation that an anchor or an own signed head told of */
	struct bytes name; /* of the post, as its party's opening says; empty: none has */
	/* As its opening says, or under which the post has spoken here before; zeros: neither. */
	uint8_t statement_key[PUBLIC_KEY_SIZE];
};

struct chain {
	uint64_t letters;  /* numbers 0 to letters - 1 have been applied */
	uint64_t officers; /* named by its credences */
	uint64_t agreed;   /* agréments given by it: officers of others */
	uint8_t head[IDENTITY_SIZE];
};

/* One whom the own party has named. */
struct officer {
	struct bytes name;
	struct bytes title;
	uint8_t key[PUBLIC_KEY_SIZE];
	uint64_t highest_precedence;   /* 0: no bound */
	uint64_t agreed;               /* bit i: the party of roster index i gave agrément */
	uint8_t letter[IDENTITY_SIZE]; /* the credence */
};

/* A count in a window of the slow clock. */
struct quota {
	uint64_t start_ms;
	uint64_t count;
};

struct entry_key {
	uint64_t channel;
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
};

struct log {
	uint64_t size;         /* contiguous from position 0: leaves in the tree */
	struct bytes frontier; /* merkle_frontier_write */
	uint64_t end;          /* one beyond the highest position held */
	uint64_t told;         /* and of those that a signed head, or a later incarnation, says there are */
	uint64_t ask_ms;       /* its row in TABLE_MISSING; 0: none */
	uint64_t follows;      /* what its first entry says: the incarnation that it follows; 0: none */
	uint64_t follows_size; /* and how much was held of that */
};

/* The last head of an incarnation that is not the newest, as struct line keeps that of the newest. */
struct former_head {
	uint64_t size;
	uint8_t root[32];
	uint8_t signature[64];
	uint64_t cosigned_at; /* 0: of the own log, or not cosigned here */
	uint8_t cosignature[64];
};

/* Entries of one incarnation that are not held, and are asked for: record/missing.h. */
struct missing {
	uint64_t asks;     /* for all of it, since something came of it */
	uint64_t asked_ms; /* when it was last asked for; 0: not yet */
	uint64_t from;     /* the position where the next statement goes on; 0: at the first gap */
	uint64_t given;    /* entries of it, or beyond, that came since then */
	bool came;         /* something did, since it was looked at last */
	bool open;         /* it is not known where the log ends */
	bool doubted;      /* whether anything is lost at all */
};

/*
 * An entry of any log. A refused one of others keeps its place in the tree; its content is dropped (no
 * TABLE_COSE).
 */
struct entry {
	uint8_t identity[IDENTITY_SIZE];
	struct bytes leaf; /* encoded, as in the tree (envelope/wire.h) */
	uint64_t kind;     /* enum content_kind; 0 where it could not be read */
	uint64_t precedence;
	uint64_t time;    /* s, as the author says */
	uint64_t signers; /* first signer + 1; 0: the post itself */
	uint64_t
		/* enum local_state: own, what became of it; others', RECEIVED, READ, ANSWERED or REFUSED */
		state;
	uint64_t reason;     /* enum error, when REFUSED */
	uint64_t held_at_ms; /* wall clock */
	uint64_t arrival;
	struct bytes subject; /* of a message that was accepted, so that lists need not read its COSE */
	struct bytes times;   /* CBOR: [* [state, unix ms, detail tstr]] */
	uint64_t receipt;     /* own: number in TABLE_RECEIPT: the last by one who holds it, or refuses */
	uint64_t received;    /* own: bit i: receipted as held by a post of the party of roster index i */
	uint64_t refused;     /* own: the same, refused */
	uint64_t ack_by;      /* s, of a message: when its author asks for an acknowledgment; 0: never */
};

struct seen {
	uint64_t incarnation;
	uint64_t size;
};

struct arrival {
	struct entry_key key;
	uint64_t kind;
	bool own;
	bool refused;
	bool again; /* the same words were held before, at another position */
};

struct receipt_row {
	uint64_t channel;
	uint64_t by; /* log number of the post that gave it */
	uint64_t held_at_ms;
	struct bytes cose;
};

enum evidence_kind {
	EVIDENCE_HEADS = 1, /* two statements whose heads of one log cannot both be true */
	EVIDENCE_ENTRY = 2, /* another entry at a position that is held: first is its COSE */
};

struct evidence {
	uint64_t kind;
	uint64_t held_at_ms;
	uint64_t incarnation;
	uint64_t position; /* or the size at which the heads differ */
	struct bytes first;
	struct bytes second;
};

struct epoch {
	uint8_t secret[32];
	uint8_t key[PUBLIC_KEY_SIZE];
	uint64_t ends;     /* Unix s */
	uint64_t ended_ms; /* slow clock when the wall clock was first seen beyond its end, + 1; 0: not yet */
};

struct psk {
	uint8_t id[3];
	uint8_t key[32];
	uint64_t keying; /* number of the keying that it comes from */
};

/* A keying leaf at an epoch of its receiver; it is only ever stepped forward. */
struct leaf_row {
	uint64_t epoch;
	uint8_t leaf[32];
	uint64_t seen_epoch; /* LEAF_OUT: the epoch that the clock showed */
	uint64_t seen_ms;    /* LEAF_OUT: since when, slow clock: the leaf follows a delay window later */
	uint64_t keying;     /* LEAF_IN: its number */
};

/* What is sealed with to a post as soon as it is seen to hold that keying, too. */
struct next_keying {
	uint64_t keying;
	uint8_t leaf[32];      /* for epoch 0 */
	uint8_t last_leaf[32]; /* for the last resort */
	uint64_t shown_ms;     /* slow clock: when that post was last shown that this one holds it */
};

struct prekeys_row {
	uint64_t number;
	/* that post could not open what was sealed to these: last resort until the next statement */
	bool cannot_open;
	uint64_t first_epoch;
	uint64_t start; /* Unix s */
	uint64_t length_s;
	/* of the epochs, one after another: checked when they were taken in, which is dear */
	struct bytes keys;
	uint8_t last_resort[PUBLIC_KEY_SIZE];
	struct bytes cose;
};

struct epoch_use {
	uint64_t used;    /* highest own epoch that post has sealed to, + 1; 0: none */
	uint64_t number;  /* of the newest own prekeys statement sent to it */
	uint64_t sent_ms; /* slow clock: when */
};

/* What a row of the outbox refers to: an own entry's copy for one log's post, or a statement. */
struct copy_key {
	uint64_t statement;     /* serial; 0: a copy of an entry */
	struct entry_key entry; /* log is the receiver's log number */
};

enum copy_state {
	COPY_WAITING = 1, /* to be handed over */
	COPY_HANDED = 2,
	COPY_QUEUED = 3, /* on the courier's disk */
	COPY_CARRIED = 4,
	/* cannot be sealed, was sealed too often, or is not taken on its way: tried again when it is due */
	COPY_HELD = 5,
	/* the courier gave it up for what passes, or had no room for it: it waits again in some seconds */
	COPY_RETRYING = 6,
};

struct copy {
	uint64_t state;
	uint64_t precedence;
	/* of the entry: what a record copy becomes where its action copy stays unreceipted */
	uint64_t urgency;
	uint64_t number; /* in TABLE_WAITING, HANDED, DUE, RETRY and SEALED */
	uint64_t turn;   /* HANDED: the stream's session; RETRYING: slow ms when it waits again */
	uint64_t due_ms; /* slow clock: when to resend; 0: not handed over yet, or to be resent now */
	uint64_t sends;  /* times handed over for want of a receipt; of a statement: times given up */
	uint64_t seals;
	bool last_resort;      /* the last seal was to the last-resort key */
	uint64_t told_full_ms; /* slow clock: when an alert last said so: the courier has no room; 0: none */
	uint64_t told_refused_ms; /* and: it is not taken on its way */
	bool again; /* its receiver asked for what it had receipted: another receipt says nothing new */
	bool sealed;
	uint8_t sha256[32]; /* of the sealed bytes; the copy id is its first half */
};

struct statement_copy {
	struct copy copy;
	bool next_keying; /* sealed with TABLE_NEXT_KEYING, while there is one */
	uint64_t kind;    /* enum statement_kind; 0: an entry of that post's own log, given back */
	uint64_t channel; /* 0: none */
	uint64_t party;
	uint64_t slot;
	struct bytes cose;
	struct entry_key entry; /* kind 0 */
};

struct pending {
	uint64_t routine;
	uint64_t priority;
	uint64_t immediate;
	uint64_t flash;
};

/* ---- keys ---- */

struct row_key {
	uint8_t data[ROW_KEY_SIZE_MAX];
	size_t size; /* of data is set so much */
};

struct row_key key_make(enum table table);
void key_u8(struct row_key *key, uint64_t value); /* asserts the range, as the others */
void key_u16(struct row_key *key, uint64_t value);
void key_u32(struct row_key *key, uint64_t value);
void key_u64(struct row_key *key, uint64_t value);
void key_bytes(struct row_key *key, const void *data, size_t size);
struct bytes key_view(const struct row_key *key);

/* The parts of a key that was read: sticky as a CBOR reader; ERROR_MALFORMED unless all is consumed. */
struct key_reader {
	struct bytes rest;
	bool failed;
};
struct key_reader key_reader_make(struct bytes key); /* after the table byte */
uint64_t key_read_u8(struct key_reader *reader);
uint64_t key_read_u16(struct key_reader *reader);
uint64_t key_read_u32(struct key_reader *reader);
uint64_t key_read_u64(struct key_reader *reader);
enum error key_read_end(const struct key_reader *reader);

/* Often needed. */
struct row_key key_party(uint64_t party);
struct row_key key_party_post(enum table table, uint64_t party, uint64_t slot);
struct row_key key_channel(enum table table, uint64_t channel);
struct row_key key_line(uint64_t channel, uint64_t log);
struct row_key key_log(enum table table, uint64_t channel, uint64_t log, uint64_t incarnation);
struct row_key key_entry(enum table table, const struct entry_key *entry);
struct row_key key_identity(const uint8_t identity[IDENTITY_SIZE]);
/* TABLE_ACKNOWLEDGED: all rows of one identity, and the one of an incarnation of a log. */
struct row_key key_acknowledged(uint64_t channel, const uint8_t identity[IDENTITY_SIZE]);
struct row_key key_acknowledged_in(uint64_t channel, const uint8_t identity[IDENTITY_SIZE], uint64_t log,
				   uint64_t incarnation);

/* ---- values ---- */

enum schema_type {
	SCHEMA_UINT, /* uint64_t */
	SCHEMA_BOOL,
	SCHEMA_FIXED, /* uint8_t[size] */
	SCHEMA_VIEW,  /* struct bytes */
};

struct schema_field {
	uint16_t type; /* enum schema_type */
	uint16_t size;
	uint32_t offset;
};

struct schema {
	size_t count;
	size_t size; /* of the struct */
	const struct schema_field *fields;
};

extern const struct schema schema_number, schema_counter, schema_own_post, schema_state, schema_slow_clock,
	schema_anchor_line, schema_party, schema_party_post, schema_post_number, schema_channel, schema_line,
	schema_chain, schema_officer, schema_quota, schema_entry_key, schema_log, schema_entry, schema_seen,
	schema_arrival, schema_receipt_row, schema_evidence, schema_epoch, schema_psk, schema_leaf_row,
	schema_next_keying, schema_prekeys_row, schema_epoch_use, schema_copy_key, schema_copy,
	schema_statement_copy, schema_pending, schema_former_head, schema_missing;

/* Appends the value; *value is the struct that belongs to the schema. */
void schema_write(const struct schema *schema, const void *value, struct buffer *buffer);
/* Reads a whole value. ERROR_MALFORMED (a defect of the store) if it is not of this schema; *value is then
 * zeros. */
enum error schema_read(const struct schema *schema, struct bytes bytes, void *value);

#endif
