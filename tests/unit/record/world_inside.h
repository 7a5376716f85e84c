/*
 * What the parts of the world share.
 */
#ifndef TESTS_UNIT_RECORD_WORLD_INSIDE_H
#define TESTS_UNIT_RECORD_WORLD_INSIDE_H

#include <stdio.h>
#include <stdlib.h>

#include "envelope/aad.h"
#include "tests/unit/record/world.h"

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "world: %s:%d: %s\n", __FILE__, __LINE__, #condition);               \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

/* The memory, or the end of the program. */
void *world_must(void *memory);
uint8_t *world_copy_of(struct bytes bytes);
struct buffer world_allocate(size_t size);
void world_random_pair(struct world *world, struct ed25519_pair *pair);

/* Signs content alone; allocates the result. */
struct bytes world_sign_content(const struct ed25519_pair *pair, const struct aad *aad,
				const struct content *content, uint8_t *identity);
/* A request with one byte string, or none (NULL). */
enum error world_request_bytes(struct world *world, size_t post, uint64_t verb, const struct bytes *argument);

#endif
