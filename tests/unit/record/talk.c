#include "tests/unit/record/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void talk_begin(struct world *world, size_t from, const char *text, uint8_t *identity)
{
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = text};
	uint8_t own[IDENTITY_SIZE];
	assert_int_equal(world_send(world, from, &message, identity == NULL ? own : identity), ERROR_OK);
}

void talk(struct world *world, size_t from, const char *text, uint8_t *identity)
{
	uint8_t own[IDENTITY_SIZE];
	identity = identity == NULL ? own : identity;
	talk_begin(world, from, text, identity);
	world_settle(world);
	assert_int_equal(world_state(world, from, identity), LOCAL_RECEIVED);
}

struct line talk_line(const struct world *world, size_t at, size_t of)
{
	struct row_key key = key_line(1, world_log_of(world, of));
	struct line line;
	assert_true(world_row(world, at, &key, &schema_line, &line));
	return line;
}

uint64_t talk_size(const struct world *world, size_t at, size_t of, uint64_t incarnation)
{
	uint64_t size;
	struct merkle_hash root;
	world_tree(world, at, world_log_of(world, of), incarnation, &size, &root);
	return size;
}

struct entry_key talk_place(const struct world *world, size_t at, const uint8_t identity[IDENTITY_SIZE])
{
	struct entry entry;
	struct entry_key key;
	assert_true(world_entry(world, at, identity, &entry, &key));
	return key;
}

size_t talk_statements(const struct world *world, size_t at, enum statement_kind kind,
		       struct cose_signed *first)
{
	static const uint8_t prefix = TABLE_STATEMENT;
	struct statement_copy statement;
	struct row row;
	size_t index = 0;
	size_t count = 0;

	while (store_find(&world->posts[at].store, bytes_make(&prefix, 1), &index, &row)) {
		assert_int_equal(schema_read(&schema_statement_copy, row.value, &statement), ERROR_OK);
		if (statement.kind == (uint64_t)kind && count++ == 0)
			assert_int_equal(cose_signed_decode(statement.cose, first), ERROR_OK);
	}
	return count;
}

void talk_accuses_nobody(const struct world *world)
{
	for (size_t i = 0; i < world->posts_count; i++) {
		assert_int_equal(world_count(world, i, TABLE_EVIDENCE), 0);
		for (size_t j = 0; j < world->posts_count; j++) {
			assert_int_equal(talk_line(world, i, j).forked, 0);
			assert_int_equal(talk_line(world, i, j).disagrees, 0);
		}
	}
}
