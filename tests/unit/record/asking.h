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
/* What STATUS says on a world of one channel between two posts; of each list the last. */
struct asked_status {
	uint64_t waiting[PRECEDENCE_COUNT];
	bool has_oldest;
	uint64_t oldest_ms;
	uint64_t heads;       /* enum local_heads */
	uint64_t cosigned_at; /* 0: null */
	uint64_t unread[PRECEDENCE_COUNT];
	size_t gaps_count;
	uint64_t gap[4]; /* log, incarnation, first, count */
	size_t branches_count;
	uint64_t branch[5]; /* log, incarnation, which it follows, after so many entries, of so many */
	uint64_t refused;   /* of all reasons together */
	uint64_t refused_ms;
	char refused_from[EID_SIZE_MAX + 1];
	struct asked_keys keys; /* to the other post */
	uint64_t store_size;
	uint64_t disk; /* enum local_disk */
	uint64_t left[PRECEDENCE_COUNT];
	bool courier_full;
};
struct asked_status ask_status(struct world *world, size_t post);

/* The roster index of a party on the world's channel. */
size_t ask_index_of(const struct world *world, size_t party);

#endif
