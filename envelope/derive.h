/*
 * Where the pure wings' random and derived bytes come from: a seed that the shell draws for one event, and a
 * post's root seed, from which its keys are derived so that one secret need be kept.
 */
#ifndef ENVELOPE_DERIVE_H
#define ENVELOPE_DERIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define ENTROPY_SEED_SIZE 32
#define DERIVE_SEED_SIZE 32
#define DERIVE_CONTEXT_SIZE_MAX 256

/*
 * The random bytes of one event: the same seed gives the same bytes, so an event can be replayed. A seed is
 * never used for a second event. The caller erases it with entropy_erase.
 */
struct entropy {
	uint8_t seed[ENTROPY_SEED_SIZE];
	uint64_t counter; /* bytes taken so far are those of the counters below */
};

struct entropy entropy_make(const uint8_t seed[ENTROPY_SEED_SIZE]);

/*
 * Writes the next `size` bytes: the ChaCha20 key stream (RFC 8439, section 2.4) of the seed, from block 0
 * on, with the counter as nonce (4 zero bytes, then 8 bytes big-endian); the counter then counts on. At
 * most 65,536 bytes at a time.
 */
#define ENTROPY_TAKE_SIZE_MAX 65536
void entropy_take(struct entropy *entropy, uint8_t *out, size_t size);
void entropy_erase(struct entropy *entropy);

/*
 * A seed for one purpose: HKDF-Expand(root, [label: tstr, context: bstr], 32), RFC 5869 and deterministic
 * CBOR. The label names the purpose, context what it is for (a channel id, say); together at most
 * DERIVE_CONTEXT_SIZE_MAX bytes, and both public. `out` may be `root`.
 */
void derive_seed(const uint8_t root[DERIVE_SEED_SIZE], const char *label, struct bytes context,
		 uint8_t out[DERIVE_SEED_SIZE]);

#endif
