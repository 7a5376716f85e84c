/*
 * The local API: what officers' programs and the post's daemon say to each other over a Unix socket.
 *
 * A byte stream of frames: u32 big-endian size, then one CBOR array.
 *   request  [number: uint >= 1, verb: uint, arguments...]
 *   reply    [number, error: uint (enum error), results...]   results only when error is 0; else [number,
 * error, detail: tstr] notice   [0, notice: uint, results...]                    after LOCAL_SUBSCRIBE,
 * unasked A connection has at most one request under way. A frame is at most LOCAL_FRAME_SIZE_MAX bytes.
 *
 * Verbs, arguments -> results (CDDL of doc/PROTOCOL.md; `key` = channel id bstr32, log uint, incarnation
 * uint, position uint):
 *
 *   HELLO          -> version (1), party id bstr32, slot, party name tstr, post name tstr, node tstr, kind
 * uint SUBMIT         channel bstr32, cose bstr -> log, incarnation, position, reference tstr Replied after
 * the commit that holds the entry. Submitting the same identity again gives the same reply. CARD_EXPORT    ->
 * card bstr CARD_SEAL      receiver card bstr -> sealed_card bstr   (this post's card, sealed in base mode to
 * that card's first post) CARD_ACCEPT    card bstr (plain or sealed) -> party id bstr32, name tstr
 *   KEYING_ACCEPT  keying packet bstr (envelope/keying.h) -> counterpart party id bstr32
 *   CHANNELS       -> [* [channel bstr32, title tstr, state uint (1 proposed, 2 open), [* [party id, name
 * tstr]]]] CHANNEL        channel bstr32 -> terms bstr, nonce bstr16, state uint, own roster index uint,
 * registry bstr8, parties [* [party id bstr32, name tstr, opened bool, chain number uint / null, chain head
 * bstr32 / null]] (the party's authority chain on this channel: number and identity of the last letter held),
 *                  posts   [* [log uint, slot, name tstr, node tstr]],
 *                  officers [* [roster index, officer uint, name tstr, title tstr, key bstr32, [* roster
 * index that gave agrément], scope: highest precedence uint]] CHANNEL_KEYS   channel bstr32 -> log key
 * bstr32, cosigner key bstr32   (this post's, derived; also before the channel is known) PARTIES        -> [*
 * [party id bstr32, name tstr, keying accepted bool, [* [slot, post name tstr, node tstr, courier pin
 * bstr32]], authority chain number uint, chain head bstr32, card bstr]] the own party first ENTRIES channel
 * bstr32 / null, selection uint (1 all, 2 received messages, 3 own messages), after: cursor bstr (empty: from
 * the start), count <= 64
 *                  -> [* entry_row], next cursor bstr (empty: no more)
 *   ENTRY          key -> entry_row, cose bstr, leaf bstr, receipt cose bstr / null
 *   entry_row = [channel bstr32, log, incarnation, position, reference tstr, identity bstr32, kind,
 * precedence, time, subject tstr, officer uint / null (first signer), officer name tstr, own bool, state uint
 * (enum local_state), held_at_ms uint, state times: [* [state, unix ms, detail tstr]]] HEADS          channel
 * bstr32 -> [* [log, incarnation, size, root bstr32, origin tstr, log key bstr32, signature bstr64, cosigner
 * name tstr / null, cosigner key / null, cosigned at / null, cosignature / null]] STATUS         -> [*
 * [channel bstr32, title tstr, waiting for receipt: [4 * uint] (by precedence ROUTINE..FLASH), oldest
 * unreceipted unix ms / null, heads agree bool, gaps: [* [log, incarnation, first, count]]]], courier
 * connected bool, routes [* [route tstr, neighbour tstr, state uint, since unix ms, queued bytes uint]],
 *                     refused counts [* [reason uint, count uint]], store bytes uint
 *   SUBSCRIBE      -> ok; then notices until the connection closes
 *   BACKUP         -> ok; then frames [number, 0, chunk bstr] and a last one with an empty chunk: a
 * consistent image of the store as the daemon's shell copies it (without epoch keys), for the client to
 * encrypt DISCONNECTED clients lose nothing: SUBMIT is idempotent by identity.
 *
 * Notices: ARRIVED entry_row (a message or acknowledgment of another party was accepted), STATE entry_row (an
 * own message changed its state), CHANNEL channel bstr32 (its registry changed), ALERT reason uint, detail
 * tstr (equivocation, new incarnation, refused letter).
 */
#ifndef BASE_LOCAL_H
#define BASE_LOCAL_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define LOCAL_VERSION        1
#define LOCAL_FRAME_SIZE_MAX (1024 * 1024) /* 64 entry rows and a card with 64 posts fit many times over */

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
};

enum local_notice {
	LOCAL_ARRIVED = 1,
	LOCAL_STATE = 2,
	LOCAL_CHANNEL_CHANGED = 3,
	LOCAL_ALERT = 4,
};

/* The one honest state of a message, in the order in which it can only grow (REFUSED and OVERDUE apart). */
enum local_state {
	LOCAL_RELEASED = 1, /* committed in the author's log */
	LOCAL_QUEUED = 2,   /* on the courier's disk */
	LOCAL_CARRIED = 3,  /* a neighbour courier has it on disk */
	LOCAL_RECEIVED = 4, /* receipt verified */
	LOCAL_READ = 5,     /* acknowledged by an officer */
	LOCAL_ANSWERED = 6, /* a reply that names it is held */
	LOCAL_REFUSED = 7,  /* receipt verified: refused, with a reason */
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
