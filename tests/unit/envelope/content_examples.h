/*
 * The worked examples of doc/PROTOCOL.md: one of each format, made from fixed keys. Every private key is 32
 * equal bytes (the seed of an Ed25519 key, the secret of an X25519 key); so are ids and nonces that would
 * be random.
 */
#ifndef TESTS_UNIT_ENVELOPE_CONTENT_EXAMPLES_H
#define TESTS_UNIT_ENVELOPE_CONTENT_EXAMPLES_H

#include "envelope/aad.h"
#include "envelope/card.h"
#include "envelope/signed.h"
#include "envelope/statement.h"
#include "envelope/wire.h"

/* 22 November 2026, 04:05 UTC: the date-time group 220405Z NOV 26. */
#define EXAMPLE_TIME     UINT64_C(1795320300)
#define EXAMPLE_TEXT     "Exercise ends at 0600Z.\nPlease confirm that your side has been told."
#define EXAMPLE_POSITION 0

enum example_key {
	KEY_ALLIANCE_AUTHORITY = 0x01,
	KEY_FEDERATION_AUTHORITY = 0x02,
	KEY_FEDERATION_NEXT = 0x04,
	KEY_HEADQUARTERS_STATEMENTS = 0x05,
	KEY_EMBASSY_STATEMENTS = 0x06,
	KEY_HEADQUARTERS_LOG = 0x07,
	KEY_EMBASSY_LOG = 0x08,
	KEY_EMBASSY_COSIGNER = 0x0a,
	KEY_ALLIANCE_OFFICER = 0x0b,
	KEY_FEDERATION_OFFICER = 0x0c,
	KEY_FEDERATION_OFFICER_2 = 0x0d,
	KEY_EMBASSY_EPOCH = 0x11,       /* X25519: the first of two epochs; the second is 0x12 */
	KEY_EMBASSY_LAST_RESORT = 0x13, /* X25519 */
};

struct example {
	const char *name;
	struct bytes bytes;
};

#define EXAMPLES_MAX         48
#define EXAMPLES_MEMORY_SIZE (64 * 1024)

struct examples {
	struct roster roster; /* alliance and federation, in their order */
	size_t alliance;      /* roster indices */
	size_t federation;
	uint8_t channel[CHANNEL_ID_SIZE];
	struct aad aad; /* of entries by the federation */
	struct terms terms;
	struct content content; /* room */
	uint8_t work_memory[SIGNED_WORK_SIZE];
	struct buffer work;
	uint8_t memory[EXAMPLES_MEMORY_SIZE];
	struct buffer all; /* over memory: the bytes of all examples */
	size_t count;
	struct example list[EXAMPLES_MAX];
};

/* Makes them all; asserts that nothing fails. */
void examples_make(struct examples *examples);

/* The bytes of an example; asserts that there is one of this name. */
struct bytes examples_get(const struct examples *examples, const char *name);

void example_pair(enum example_key key, struct ed25519_pair *pair);

#endif
