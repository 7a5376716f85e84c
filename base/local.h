/*
 * The local API: what officers' programs and the post's daemon say to each other over a Unix socket.
 *
 * A byte stream of frames: u32 big-endian size, then one CBOR array of at most LOCAL_FRAME_SIZE_MAX bytes.
 *
 *   request  [number: uint >= 1, verb: uint, arguments...]
 *   reply    [number, 0, results...]  or  [number, error: uint (enum error), detail: tstr]
 *   notice   [0, notice: uint, results...]     unasked, after LOCAL_SUBSCRIBE
 *
 * A connection has at most one request under way. A client that goes away loses nothing: SUBMIT is idempotent
 * by identity.
 *
 * Verbs: arguments -> results, in the CDDL of doc/PROTOCOL.md.
 *
 *   HELLO          -> version (1), party id: bstr32, slot, party name: tstr, post name: tstr, node: tstr,
 *                     post kind: uint
 *   SUBMIT         channel: bstr32, cose: bstr
 *                  -> log, incarnation, position, reference: tstr     after the commit that holds the entry
 *   CARD_EXPORT    -> card: bstr
 *   CARD_SEAL      receiver's card: bstr
 *                  -> sealed_card: bstr      this post's card, sealed in base mode to that card's first post
 *   CARD_ACCEPT    card: bstr (plain or sealed) [, id: tstr] -> party id: bstr32, name: tstr
 *                  id: the first 30 hexadecimal digits or more (the bits of a fingerprint) of the id of the
 *                  party that it must be of, as its people read them to the officer. NAMESAKE, and nothing is
 *                  accepted: the party is new and is called like one known, or the own (or as the id of one
 *                  begins), and no id is given; the detail has both ids. BAD_ARGUMENT: the card is of another
 *                  party than the id's, or fewer digits were given.
 *   KEYING_ACCEPT  keying packet: bstr (envelope/keying.h) -> counterpart's party id: bstr32
 *   CHANNELS       -> [* [channel: bstr32, title: tstr, state: uint (1 proposed, 2 open),
 *                         [* [party id: bstr32, name: tstr]]]]
 *   CHANNEL        channel: bstr32
 *                  -> terms: bstr, nonce: bstr16, state: uint, own roster index: uint, registry: bstr8,
 *                     parties:  [* [party id: bstr32, name: tstr, opened: bool,
 *                                   chain number: uint / null, chain head: bstr32 / null]]
 *                               (of the authority's chain on this channel: the last letter held)
 *                     posts:    [* [log, slot, name: tstr, node: tstr]]
 *                     officers: [* [roster index, officer: uint, name: tstr, title: tstr, key: bstr32,
 *                                   agrément by: [* roster index], highest precedence: uint]]
 *   CHANNEL_KEYS   channel: bstr32 -> log key: bstr32, cosigner key: bstr32
 *                  this post's, derived; also before the channel is known
 *   PARTIES        -> [* [party id: bstr32, name: tstr, keying accepted: bool,
 *                         posts: [* [slot, post name: tstr, node: tstr, courier pin: bstr32]],
 *                         card chain number: uint, card chain head: bstr32, card: bstr]]    own party first
 *   ENTRIES        channel: bstr32 / null, selection: uint (1 all, 2 received messages, 3 own messages,
 *                  4 awaited: own entries without receipt, then messages without the acknowledgment
 *                  that was asked for by a time; one may come twice),
 *                  after: cursor bstr (empty: from the start), count: uint <= 64
 *                  -> [* entry_row], next cursor: bstr (empty: no more)
 *   ENTRY          channel: bstr32, log, incarnation, position
 *                  -> entry_row, cose: bstr, leaf: bstr, receipt: cose bstr / null
 *   HEADS          channel: bstr32
 *                  -> [* [log, incarnation, size, root: bstr32, origin: tstr, log key: bstr32,
 *                         signature: bstr64, cosigner name: tstr / null, cosigner key: bstr32 / null,
 *                         cosigned at: uint / null, cosignature: bstr64 / null]]
 *   EVIDENCE       channel: bstr32
 *                  -> [* [log, incarnation, held at: unix ms, equivocation: bstr (envelope/equivocation.h)]]
 *                  proofs that a log forked
 *   STATUS         -> channels: [* [channel: bstr32, title: tstr,
 *                                   waiting for receipt: [4 * uint] (ROUTINE..FLASH),
 *                                   oldest unreceipted: unix ms / null, heads: enum local_heads,
 *                                   cosigned at: unix s / null (the oldest of the others' cosignatures),
 *                                   unread: [4 * uint] (ROUTINE..FLASH: messages that nobody acknowledged),
 *                                   gaps: [* [log, incarnation, first, count]],
 *                                   branches: [* [log, incarnation, which it follows, after so many entries,
 *                                                 of so many that are known of]]]],
 *                     courier connected: bool,
 *                     routes: [* [route: tstr, neighbour: tstr, state: uint, since: unix ms,
 *                                 queued bytes: uint]],
 *                     refused: [* [reason: uint, count: uint, last at: unix ms,
 *                                  from: tstr (a node id, as the courier says; empty: not by a courier)]],
 *                     keys: [* [party name: tstr, post name: tstr, enum local_keys,
 *                               keying in use: uint / null, accepted and not seen there yet: uint / null,
 *                               its prekeys not ended: uint, end of the last: unix s / null]]
 *                           (every post of every other party), store bytes: uint,
 *                     disk: enum local_disk, left with the courier for want of room, since it connected:
 *                           [4 * uint] (ROUTINE..FLASH),
 *                     courier's disk is nearly full: bool (as it says)
 *   SUBSCRIBE      -> nothing; then notices until the connection closes
 *   BACKUP         -> nothing; then frames [number, 0, chunk: bstr], the last with an empty chunk: a
 *                     consistent image of the store without epoch keys, for the client to encrypt
 *
 *   entry_row = [channel: bstr32, log, incarnation, position, reference: tstr, identity: bstr32, kind,
 *                precedence, time, subject: tstr, officer: uint / null (the first signer),
 *                officer name: tstr, own: bool, state: uint (enum local_state), held at: unix ms,
 *                state times: [* [state, unix ms, detail: tstr]],
 *                receipt due: unix s / null (own, not yet receipted by all: the handling time of the terms),
 *                acknowledgment due: unix s / null (not yet acknowledged: what the author asks for)]
 *               What is due and past is overdue. (LOCAL_ENTRY_ROW_ITEMS)
 *
 * Notices: ARRIVED entry_row (a message or acknowledgment of another party was accepted), STATE entry_row (an
 * entry has come to a state: an own one to each from RELEASED on, another's to READ and ANSWERED; one notice
 * for each, in their order, also where several are reached in one commit), CHANNEL_CHANGED channel: bstr32
 * (its registry changed), ALERT reason: uint, detail: tstr, channel: bstr32 / null, its title: tstr,
 * log: tstr ("EMBASSY.2"), message: tstr ("EMBASSY 0042/26"; these texts are empty where the alert is of no
 * one log or message) (equivocation, new incarnation, refused letter; FULL: the courier has no room for an
 * own FLASH or IMMEDIATE).
 */
#ifndef BASE_LOCAL_H
#define BASE_LOCAL_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define LOCAL_VERSION         1
#define LOCAL_ENTRY_ROW_ITEMS 18
#define LOCAL_FRAME_SIZE_MAX  (1024 * 1024) /* 64 entry rows and a card with 64 posts fit many times over */

enum local_verb {
	LOCAL_HELLO = 1,
	LOCAL_SUBMIT = 2,
	LOCAL_CARD_EXPORT = 3,
	LOCAL_CARD_SEAL = 4,
	LOCAL_CARD_ACCEPT = 5,
	LOCAL_KEYING_ACCEPT = 6,
	LOCAL_CHANNELS = 7,
	LOCAL_CHANNEL = 8,
	LOCAL_CHANNEL_KEYS = 9,
	LOCAL_PARTIES = 10,
	LOCAL_ENTRIES = 11,
	LOCAL_ENTRY = 12,
	LOCAL_HEADS = 13,
	LOCAL_STATUS = 14,
	LOCAL_SUBSCRIBE = 15,
	LOCAL_BACKUP = 16,
	LOCAL_EVIDENCE = 17,
};

enum local_notice {
	LOCAL_ARRIVED = 1,
	LOCAL_STATE = 2,
	LOCAL_CHANNEL_CHANGED = 3,
	LOCAL_ALERT = 4,
};

/* The one honest state of a message, in the order in which it can only grow (REFUSED apart). */
enum local_state {
	LOCAL_RELEASED = 1, /* committed in the author's log */
	LOCAL_QUEUED = 2,   /* taken onto the courier's disk */
	LOCAL_CARRIED = 3,  /* a neighbour courier has it on disk */
	LOCAL_RECEIVED = 4, /* receipt verified */
	LOCAL_READ = 5,     /* acknowledged by an officer */
	LOCAL_ANSWERED = 6, /* a reply that names it is held */
	LOCAL_REFUSED = 7,  /* receipt verified: refused, with a reason */
};

/* How the heads of a channel's logs compare between the posts, from best to worst. */
enum local_heads {
	LOCAL_HEADS_AGREE = 1,        /* each other post cosigned the own log, and was cosigned here */
	LOCAL_HEADS_NOT_COMPARED = 2, /* that has not happened yet for at least one */
	LOCAL_HEADS_DIFFER = 3,       /* a signed head is not that of what is held here; nothing is proved */
	LOCAL_HEADS_FORKED = 4,       /* two heads of one log cannot both be true, and the proof is kept */
};

/* What this post seals to another with. */
enum local_keys {
	LOCAL_KEYS_EPOCHS = 1,   /* that post's prekeys: what is captured stays closed when they are erased */
	LOCAL_KEYS_NONE = 2,     /* nothing: no keying is shared, or no card with prekeys is held */
	LOCAL_KEYS_DOUBTED = 3,  /* the last-resort key: it could not open, or began a new incarnation */
	LOCAL_KEYS_RESTORED = 4, /* the last-resort key: this post was restored, until the next keying */
	LOCAL_KEYS_ENDED = 5,    /* the last-resort key: its prekeys ended more than a delay window ago */
};

/* Room on the post's disk: below each floor of free bytes the post takes less (post/reserve.h). */
enum local_disk {
	LOCAL_DISK_AMPLE = 1,
	LOCAL_DISK_LOW = 2,
	LOCAL_DISK_SCARCE = 3,
	LOCAL_DISK_LAST = 4,
};

/* Starts a frame: reserves the size. Write one CBOR array after it, then local_frame_end. */
void local_frame_begin(struct buffer *buffer, size_t *mark);
void local_frame_end(struct buffer *buffer, size_t mark);

/*
 * The next whole frame at the front of `stream`, without its size. ERROR_TRUNCATED: more bytes are needed.
 * ERROR_TOO_LARGE: the peer is not speaking this protocol; drop it. On ERROR_OK *size is what to consume.
 */
enum error local_frame_next(struct bytes stream, struct bytes *frame, size_t *size);

#endif
