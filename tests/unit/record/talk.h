/*
 * Messages across a world's line, and what its posts hold of it; asserts with cmocka.
 */
#ifndef TESTS_UNIT_RECORD_TALK_H
#define TESTS_UNIT_RECORD_TALK_H

#include "envelope/cose.h"
#include "envelope/statement.h"
#include "tests/unit/record/world.h"

/* Submits a message; identity may be NULL. */
void talk_begin(struct world *world, size_t from, const char *text, uint8_t *identity);
/* And waits for its receipt. */
void talk(struct world *world, size_t from, const char *text, uint8_t *identity);

/* What post `at` has of the log of post `of`: its line; the size of an incarnation's tree. */
struct line talk_line(const struct world *world, size_t at, size_t of);
uint64_t talk_size(const struct world *world, size_t at, size_t of, uint64_t incarnation);
/* Where a post holds an entry. */
struct entry_key talk_place(const struct world *world, size_t at, const uint8_t identity[IDENTITY_SIZE]);

/* The statements of a kind that wait at a post. *first: the first, its views until the store changes. */
size_t talk_statements(const struct world *world, size_t at, enum statement_kind kind,
		       struct cose_signed *first);

/* No post keeps evidence, or a head that is not that of what it holds. */
void talk_accuses_nobody(const struct world *world);

#endif
