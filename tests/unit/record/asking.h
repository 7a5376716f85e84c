/*
 * Asking a post of a world over its local API, and reading the answers strictly.
 */
#ifndef TESTS_UNIT_RECORD_ASKING_H
#define TESTS_UNIT_RECORD_ASKING_H

#include "base/cbor.h"
#include "tests/unit/record/world.h"

/* A request with so many arguments, which the caller appends; the next one takes its place. */
struct buffer ask_request(uint64_t verb, size_t arguments);
/* The same, with the world's channel as its first argument. */
struct buffer ask_about_channel(struct world *world, uint64_t verb, size_t arguments);
/* ENTRIES of all channels, or of the world's. */
struct buffer ask_for_entries(struct world *world, bool all, uint64_t selection, struct bytes cursor,
			      uint64_t count);

enum error ask(struct world *world, size_t post, const struct buffer *frame);
/* Asks and expects exactly so many results. */
struct cbor_reader ask_results(struct world *world, size_t post, const struct buffer *frame, size_t count);

void expect_text(struct cbor_reader *reader, const char *text);
void expect_bytes(struct cbor_reader *reader, const uint8_t *bytes, size_t size);

struct asked_keys {
	uint64_t state; /* enum local_keys */
	uint64_t keying;
	uint64_t next_keying; /* 0: null, as the other two numbers */
	uint64_t left;
	uint64_t ends;
};
/* The keys to one post, as STATUS tells of them. */
struct asked_keys expect_keys(struct cbor_reader *reader, const char *party, const char *post);

/* The roster index of a party on the world's channel. */
size_t ask_index_of(const struct world *world, size_t party);

#endif
