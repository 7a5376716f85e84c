/*
 * The keying: pre-shared keys for psk mode, all from one root of 32 random bytes that two parties exchange
 * by hand. It is a tree: a leaf for each pair (sender slot, receiver slot) in each direction, and one more
 * of each for last-resort keys. A post is given a packet, the leaves of its own slot, and so shares a key
 * already with slots that the other party does not use yet. HKDF is HKDF-Expand with SHA-256 (RFC 5869,
 * section 2.3):
 *
 *     leaf_0       = HKDF(root, ["liaison keying leaf", side, sender slot, receiver slot, last resort], 32)
 *     leaf_(e + 1) = HKDF(leaf_e, "liaison keying next", 32)        e: the receiver's epoch
 *     psk_e        = HKDF(leaf_e, "liaison keying psk", 32)
 *     psk_id_e     = the first 3 bytes of HKDF(leaf_e, "liaison keying id", 32)
 *
 * side is 0 where the sender's party id is not the larger of the two, else 1; last resort is a bool; the
 * array is deterministic CBOR, the other texts are plain bytes. A last-resort leaf is never stepped. A
 * stepped leaf says nothing about those before it, so erasing them is forward secrecy. The posts of one party
 * have a tree of their own, with its id in both places: the slots alone give the direction.
 *
 * Everything here is secret but party ids, slots, numbers and psk ids: callers erase what they no longer
 * need.
 */
#ifndef ENVELOPE_KEYING_H
#define ENVELOPE_KEYING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "envelope/hpke.h"

#define KEYING_KEY_SIZE 32 /* a root, a leaf, a PSK */
#define KEYING_ID_SIZE 3
#define KEYING_PARTY_SIZE 32

/* ---- one leaf ---- */

/* The leaf (epoch 0) of one direction between two slots, each below POST_SLOTS. */
void keying_leaf(const uint8_t root[KEYING_KEY_SIZE], unsigned side, unsigned sender_slot,
		 unsigned receiver_slot, bool last_resort, uint8_t leaf[KEYING_KEY_SIZE]);

/*
 * Steps a leaf forward in place by `steps` epochs. ERROR_OUT_OF_RANGE above KEYING_STEPS_MAX, and the leaf
 * stays as it was: an epoch number from outside cannot make this run long.
 */
enum error keying_step(uint8_t leaf[KEYING_KEY_SIZE], uint64_t steps);

/*
 * A PSK and its id, which goes with the message in clear. 3 bytes repeat by chance: try every key of that
 * id.
 */
struct keying_psk {
	uint8_t key[KEYING_KEY_SIZE];
	uint8_t id[KEYING_ID_SIZE];
};

/* The PSK of a leaf at its epoch. */
void keying_psk_of_leaf(const uint8_t leaf[KEYING_KEY_SIZE], struct keying_psk *psk);
/* The same as HPKE takes it: views into psk. */
struct hpke_psk keying_psk_view(const struct keying_psk *psk);

/* ---- the file that is carried by hand ---- */

/*
 * keying = ["liaison keying", 1, number: uint, party: bstr32, party: bstr32, root: bstr32, checksum: bstr8]
 *
 * The parties' ids ascend (equal for the posts of one party); the checksum is the first 8 bytes of SHA-256
 * of all encoded bytes before it. number counts the ceremonies of the two parties: a later one has a
 * larger number, whether it was made for use at once or to be kept as a spare.
 */
struct keying {
	uint32_t number;
	uint8_t parties[2][KEYING_PARTY_SIZE]; /* ascending */
	uint8_t root[KEYING_KEY_SIZE];
};

#define KEYING_SIZE_MAX 133 /* bytes of an encoded keying */

/* Two parties in either order, and a root drawn at random. */
void keying_make(uint32_t number, const uint8_t party_a[KEYING_PARTY_SIZE],
		 const uint8_t party_b[KEYING_PARTY_SIZE], const uint8_t root[KEYING_KEY_SIZE],
		 struct keying *keying);

/* Appends the file; ERROR_TOO_LARGE if it does not fit. */
enum error keying_encode(const struct keying *keying, struct buffer *out);

/*
 * Reads a whole file. ERROR_MALFORMED when it is something else or the parties are not in order,
 * ERROR_BAD_VERSION, ERROR_BAD_CHECKSUM, or an error of base/cbor.h; the keying is then zeros.
 */
enum error keying_decode(struct bytes bytes, struct keying *keying);

void keying_erase(struct keying *keying);

/* ---- what a post is given ---- */

/*
 * packet = ["liaison keying packet", 1, number: uint, own party: bstr32, other party: bstr32,
 *           own slot: 0..63,
 *           sending: bstr2048, sending last resort: bstr2048, receiving: bstr2048,
 *           receiving last resort: bstr2048, checksum: bstr8]
 *
 * Each byte string is the leaves (epoch 0) with the other party's slots 0 to 63, one after another; the
 * checksum as above.
 */
enum keying_direction {
	KEYING_SENDING = 0, /* the packet's post is the sender */
	KEYING_RECEIVING = 1,
};

struct keying_packet {
	uint32_t number;
	uint8_t own_party[KEYING_PARTY_SIZE];
	uint8_t other_party[KEYING_PARTY_SIZE];
	uint8_t own_slot;
	/* by direction, last resort (0 or 1), the other party's slot */
	uint8_t leaves[2][2][POST_SLOTS][KEYING_KEY_SIZE];
};

#define KEYING_PACKET_SIZE_MAX 8312 /* bytes of an encoded packet */

/*
 * The packet of one slot of one of the two parties. ERROR_BAD_ARGUMENT, and zeros, when own_party is
 * neither or the slot is not below POST_SLOTS.
 */
enum error keying_packet_make(const struct keying *keying, const uint8_t own_party[KEYING_PARTY_SIZE],
			      unsigned own_slot, struct keying_packet *packet);

enum error keying_packet_encode(const struct keying_packet *packet, struct buffer *out);
/* Reads a whole packet; errors and zeros as keying_decode, ERROR_OUT_OF_RANGE for the slot. */
enum error keying_packet_decode(struct bytes bytes, struct keying_packet *packet);

void keying_packet_erase(struct keying_packet *packet);

#endif
