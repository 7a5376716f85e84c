#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rows.h"
#include "tests/unit/base/row_store.h"

static uint8_t memory[ROWS_MEMORY_SIZE_MIN];
static struct rows rows;
static struct store store;

static int set_up(void **state)
{
	memset(&store, 0, sizeof store);
	rows_make(&rows, memory, sizeof memory);
	return 0;
}

#define assert_bytes(bytes, text)                                                                            \
	do {                                                                                                 \
		assert_int_equal((bytes).size, strlen(text));                                                \
		assert_memory_equal((bytes).data, text, (bytes).size);                                       \
	} while (0)

static void a_row_is_wanted_once_then_found(void **state)
{
	struct bytes value;
	store_put(&store, "a1", "one");
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_wanted_count(&rows), 1);
	assert_bytes(rows_wanted(&rows, 0).low, "a1");
	store_load_all(&store, &rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_OK);
	assert_bytes(value, "one");
	assert_int_equal(rows_wanted_count(&rows), 0);
	assert_int_equal(rows_keep(&rows), ERROR_OK);
}

static void an_absent_row_is_known_to_be_absent(void **state)
{
	struct bytes value;
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NEEDS_ROWS);
	store_load_all(&store, &rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NOT_FOUND);
	assert_null(value.data);
	assert_int_equal(rows_get(&rows, bytes_of_text("a2"), &value), ERROR_NEEDS_ROWS);
}

static void several_rows_come_in_one_round(void **state)
{
	struct bytes value;
	store_put(&store, "a1", "one");
	store_put(&store, "a2", "two");
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("a2"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_wanted_count(&rows), 2);
	store_load_all(&store, &rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_OK);
	assert_int_equal(rows_get(&rows, bytes_of_text("a2"), &value), ERROR_OK);
	assert_bytes(value, "two");
}

static void more_wants_than_the_bound_come_in_later_rounds(void **state)
{
	struct bytes value;
	size_t rounds = 0;
	enum error error;
	do {
		store_load_all(&store, &rows);
		rows_begin(&rows);
		error = ERROR_OK;
		for (uint8_t i = 0; i < 3 * ROWS_WANTED_MAX + 4; i++) {
			uint8_t key[2] = {'k', i};
			if (rows_get(&rows, bytes_make(key, 2), &value) == ERROR_NEEDS_ROWS)
				error = ERROR_NEEDS_ROWS;
		}
		assert_true(rows_wanted_count(&rows) <= ROWS_WANTED_MAX);
		rounds++;
	} while (error == ERROR_NEEDS_ROWS);
	assert_int_equal(rounds, 5);
}

static void a_handler_that_ignores_a_missing_row_is_not_kept(void **state)
{
	struct bytes value;
	struct rows_change change;
	size_t at = 0;
	rows_begin(&rows);
	(void)rows_get(&rows, bytes_of_text("a1"), &value);
	rows_put(&rows, bytes_of_text("a2"), bytes_of_text("x"));
	assert_int_equal(rows_keep(&rows), ERROR_NEEDS_ROWS);
	store_load_all(&store, &rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a2"), &value), ERROR_NEEDS_ROWS);
	rows_undo(&rows);
	assert_false(rows_next_write(&rows, &at, &change));
}

static void a_run_reads_its_own_writes_and_an_undone_run_leaves_nothing(void **state)
{
	struct bytes value;
	struct row row;
	struct rows_change change;
	size_t at = 0;
	size_t room = rows_room(&rows);
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a1"), bytes_of_text("one"));
	rows_put(&rows, bytes_of_text("a1"), bytes_of_text("two"));
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_OK);
	assert_bytes(value, "two");
	rows_delete(&rows, bytes_of_text("a1"));
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NOT_FOUND);
	assert_int_equal(rows_first(&rows, bytes_of_text("a"), &row), ERROR_NEEDS_ROWS);
	rows_undo(&rows);
	assert_int_equal(rows_room(&rows), room);
	assert_false(rows_next_write(&rows, &at, &change));
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a1"), &value), ERROR_NEEDS_ROWS);
}

static void kept_writes_are_seen_by_the_next_run_and_named_once(void **state)
{
	struct bytes value;
	struct rows_change change;
	size_t at = 0;
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("b"), bytes_of_text("1"));
	rows_put(&rows, bytes_of_text("a"), bytes_of_text("1"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("b"), bytes_of_text("3"));
	rows_undo(&rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("b"), &value), ERROR_OK);
	assert_bytes(value, "1");
	rows_put(&rows, bytes_of_text("b"), bytes_of_text("2"));
	rows_delete(&rows, bytes_of_text("c"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	assert_true(rows_next_write(&rows, &at, &change));
	assert_bytes(change.key, "a");
	assert_true(rows_next_write(&rows, &at, &change));
	assert_bytes(change.key, "b");
	assert_bytes(change.value, "2");
	assert_true(rows_next_write(&rows, &at, &change));
	assert_bytes(change.key, "c");
	assert_true(change.deleted);
	assert_false(rows_next_write(&rows, &at, &change));
}

static void a_range_stays_within_its_prefix_both_ways(void **state)
{
	struct row row;
	store_put(&store, "a9", "x");
	store_put(&store, "b1", "1");
	store_put(&store, "b2", "2");
	store_put(&store, "c", "x");
	for (int round = 0; round < 3; round++) {
		rows_begin(&rows);
		enum error first = rows_first(&rows, bytes_of_text("b"), &row);
		if (round == 2)
			assert_bytes(row.key, "b1");
		enum error after = rows_after(&rows, bytes_of_text("b"), bytes_of_text("b2"), &row);
		enum error last = rows_last(&rows, bytes_of_text("b"), &row);
		if (round == 2)
			assert_bytes(row.value, "2");
		enum error before = rows_before(&rows, bytes_of_text("b"), bytes_of_text("b1"), &row);
		if (round == 2) {
			assert_int_equal(first, ERROR_OK);
			assert_int_equal(after, ERROR_NOT_FOUND);
			assert_int_equal(last, ERROR_OK);
			assert_int_equal(before, ERROR_NOT_FOUND);
			assert_null(row.key.data);
		}
		store_load_all(&store, &rows);
	}
}

static void a_prefix_of_ff_bytes_ends_where_the_byte_before_does(void **state)
{
	struct row row;
	static const uint8_t prefix[] = {'p', 0xff};
	static const uint8_t beyond[] = {'q'};
	store_write(&store, bytes_make(prefix, 2), bytes_of_text("in"), false);
	store_write(&store, bytes_make(beyond, 1), bytes_of_text("out"), false);
	for (int round = 0; round < 2; round++) {
		rows_begin(&rows);
		enum error error = rows_last(&rows, bytes_make(prefix, 2), &row);
		assert_int_equal(error, round == 0 ? ERROR_NEEDS_ROWS : ERROR_OK);
		store_load_all(&store, &rows);
	}
	assert_bytes(row.value, "in");
}

static void a_range_reads_ahead(void **state)
{
	struct row row = {{NULL, 0}, {NULL, 0}};
	size_t rounds = 0;
	enum error error;
	for (uint8_t i = 0; i < 40; i++)
		store_write(&store, bytes_make((uint8_t[]){'k', i}, 2), bytes_make(&i, 1), false);
	do {
		store_load_all(&store, &rows);
		rows_begin(&rows);
		rounds++;
		size_t seen = 0;
		error = rows_first(&rows, bytes_of_text("k"), &row);
		while (error == ERROR_OK) {
			assert_int_equal(row.value.data[0], seen);
			seen++;
			error = rows_after(&rows, bytes_of_text("k"), row.key, &row);
		}
		if (error == ERROR_NOT_FOUND)
			assert_int_equal(seen, 40);
	} while (error == ERROR_NEEDS_ROWS);
	assert_int_equal(rounds, 4);
	assert_int_equal(store.loads, 40);
}

static void a_full_cache_says_so_and_serves_again_after_a_reset(void **state)
{
	static uint8_t big[60000];
	struct bytes value;
	uint8_t key[2] = {'k', 0};
	for (;; key[1]++) {
		assert_true(key[1] < 5);
		rows_begin(&rows);
		rows_put(&rows, bytes_make(key, 2), bytes_make(big, sizeof big));
		if (rows_keep(&rows) != ERROR_OK)
			break;
	}
	assert_true(key[1] >= 3);
	rows_undo(&rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("z"), &value), ERROR_FULL);
	assert_int_equal(rows_keep(&rows), ERROR_FULL);
	rows_undo(&rows);
	size_t at = 0;
	struct rows_change change;
	size_t kept = 0;
	while (rows_next_write(&rows, &at, &change))
		kept++;
	assert_int_equal(kept, key[1]);
	rows_reset(&rows);
	rows_begin(&rows);
	rows_put(&rows, bytes_make(key, 2), bytes_make(big, sizeof big));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
}

static void a_load_that_does_not_fit_fails_the_next_run(void **state)
{
	static uint8_t big[ROW_VALUE_SIZE_MAX];
	struct bytes value;
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("b"), &value), ERROR_NEEDS_ROWS);
	assert_false(rows_load(&rows, 0, bytes_of_text("a"), bytes_make(big, sizeof big)));
	assert_false(rows_load(&rows, 1, bytes_of_text("b"), bytes_make(big, sizeof big)));
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a"), &value), ERROR_OK);
	assert_int_equal(rows_get(&rows, bytes_of_text("b"), &value), ERROR_FULL);
}

/* ---- from batch to batch ---- */

static void what_was_read_and_written_is_known_to_the_next_batch(void **state)
{
	struct bytes value;
	store_put(&store, "a", "old");
	store_put(&store, "b", "old");
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("b"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("c"), &value), ERROR_NEEDS_ROWS);
	store_load_all(&store, &rows);
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a"), bytes_of_text("older"));
	rows_put(&rows, bytes_of_text("n"), bytes_of_text("first"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a"), bytes_of_text("new"));
	rows_delete(&rows, bytes_of_text("b"));
	rows_put(&rows, bytes_of_text("n"), bytes_of_text("last"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	store_commit(&store, &rows);
	rows_settle(&rows);
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a"), &value), ERROR_OK);
	assert_bytes(value, "new");
	assert_int_equal(rows_get(&rows, bytes_of_text("b"), &value), ERROR_NOT_FOUND);
	assert_int_equal(rows_get(&rows, bytes_of_text("c"), &value), ERROR_NOT_FOUND);
	assert_int_equal(rows_get(&rows, bytes_of_text("n"), &value), ERROR_OK);
	assert_bytes(value, "last");
	assert_int_equal(rows_wanted_count(&rows), 0);
}

static void what_is_settled_is_not_written_again_and_not_undone(void **state)
{
	struct rows_change change;
	struct bytes value;
	size_t at = 0;
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a"), bytes_of_text("one"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	store_commit(&store, &rows);
	rows_settle(&rows);
	assert_false(rows_next_write(&rows, &at, &change));
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a"), bytes_of_text("two"));
	rows_delete(&rows, bytes_of_text("z"));
	rows_undo(&rows);
	at = 0;
	assert_false(rows_next_write(&rows, &at, &change));
	rows_begin(&rows);
	assert_int_equal(rows_get(&rows, bytes_of_text("a"), &value), ERROR_OK);
	assert_bytes(value, "one");
	rows_delete(&rows, bytes_of_text("a"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	at = 0;
	assert_true(rows_next_write(&rows, &at, &change));
	assert_bytes(change.key, "a");
	assert_true(change.deleted);
	assert_false(rows_next_write(&rows, &at, &change));
}

static void what_is_kept_from_batch_to_batch_is_bounded(void **state)
{
	static uint8_t value[4096];
	size_t empty = rows_room(&rows);
	size_t least = empty;
	for (uint32_t i = 0; i < 200; i++) {
		uint8_t key[5] = {'k', 0, 0, 0, (uint8_t)i};
		rows_begin(&rows);
		rows_put(&rows, bytes_make(key, sizeof key), bytes_make(value, sizeof value));
		assert_int_equal(rows_keep(&rows), ERROR_OK);
		rows_settle(&rows);
		if (rows_room(&rows) < least)
			least = rows_room(&rows);
	}
	assert_true(least < empty);
	assert_true(empty - least <= sizeof memory / ROWS_KEPT_SHARE);
}

static void a_full_cache_is_empty_after_it_is_settled(void **state)
{
	static uint8_t big[ROW_VALUE_SIZE_MAX];
	size_t empty = rows_room(&rows);
	rows_begin(&rows);
	for (uint8_t i = 0; i < 5; i++)
		rows_put(&rows, bytes_make(&(uint8_t){i + 1}, 1), bytes_make(big, sizeof big));
	assert_int_equal(rows_keep(&rows), ERROR_FULL);
	rows_undo(&rows);
	rows_settle(&rows);
	assert_int_equal(rows_room(&rows), empty);
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text("a"), bytes_make(big, sizeof big));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_row_is_wanted_once_then_found, set_up),
		cmocka_unit_test_setup(an_absent_row_is_known_to_be_absent, set_up),
		cmocka_unit_test_setup(several_rows_come_in_one_round, set_up),
		cmocka_unit_test_setup(more_wants_than_the_bound_come_in_later_rounds, set_up),
		cmocka_unit_test_setup(a_handler_that_ignores_a_missing_row_is_not_kept, set_up),
		cmocka_unit_test_setup(a_run_reads_its_own_writes_and_an_undone_run_leaves_nothing, set_up),
		cmocka_unit_test_setup(kept_writes_are_seen_by_the_next_run_and_named_once, set_up),
		cmocka_unit_test_setup(a_range_stays_within_its_prefix_both_ways, set_up),
		cmocka_unit_test_setup(a_prefix_of_ff_bytes_ends_where_the_byte_before_does, set_up),
		cmocka_unit_test_setup(a_range_reads_ahead, set_up),
		cmocka_unit_test_setup(a_full_cache_says_so_and_serves_again_after_a_reset, set_up),
		cmocka_unit_test_setup(a_load_that_does_not_fit_fails_the_next_run, set_up),
		cmocka_unit_test_setup(what_was_read_and_written_is_known_to_the_next_batch, set_up),
		cmocka_unit_test_setup(what_is_settled_is_not_written_again_and_not_undone, set_up),
		cmocka_unit_test_setup(what_is_kept_from_batch_to_batch_is_bounded, set_up),
		cmocka_unit_test_setup(a_full_cache_is_empty_after_it_is_settled, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
