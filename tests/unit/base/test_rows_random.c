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

/* ---- the cache against a plain table, at random ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % bound;
}

static struct bytes random_key(uint8_t key[4])
{
	size_t size = 1 + random_below(4);
	key[0] = (uint8_t)(1 + random_below(3));
	for (size_t i = 1; i < size; i++)
		key[i] = (uint8_t)(random_below(3) == 0 ? 0xff : random_below(3));
	return bytes_make(key, size);
}

static const struct stored_row *model_first(const struct store *model, struct bytes prefix, struct bytes low)
{
	size_t place = store_place(model, low);
	if (place == model->count || model->rows[place].key_size < prefix.size ||
	    memcmp(model->rows[place].key, prefix.data, prefix.size) != 0)
		return NULL;
	return &model->rows[place];
}

static const struct stored_row *model_last(const struct store *model, struct bytes prefix, struct bytes high)
{
	size_t place = high.size == 0 ? model->count : store_place(model, high);
	while (place-- > 0) {
		const struct stored_row *row = &model->rows[place];
		if (row->key_size >= prefix.size && memcmp(row->key, prefix.data, prefix.size) == 0)
			return row;
	}
	return NULL;
}

static bool check_row(const struct stored_row *expected, enum error error, const struct row *row)
{
	if (error == ERROR_NEEDS_ROWS)
		return false;
	assert_int_equal(error, expected == NULL ? ERROR_NOT_FOUND : ERROR_OK);
	if (expected != NULL) {
		assert_true(bytes_equal(store_key(expected), row->key));
		assert_true(bytes_equal(store_value(expected), row->value));
	}
	return true;
}

/* One read or write, chosen by the random state; false if rows are needed. */
static bool operate(struct store *model)
{
	uint8_t key_memory[4];
	uint8_t after_memory[5];
	struct bytes key = random_key(key_memory);
	struct bytes prefix = bytes_make(key.data, 1 + random_below((uint32_t)key.size));
	struct row row = {key, {NULL, 0}};
	uint8_t value[2] = {(uint8_t)random_below(256), (uint8_t)random_below(256)};
	memcpy(after_memory, key.data, key.size);
	after_memory[key.size] = 0;
	struct bytes after = bytes_make(after_memory, key.size + 1);
	switch (random_below(8)) {
	case 0:
		rows_put(&rows, key, bytes_make(value, 2));
		store_write(model, key, bytes_make(value, 2), false);
		return true;
	case 1:
		rows_delete(&rows, key);
		store_write(model, key, bytes_make(NULL, 0), true);
		return true;
	case 2:
		return check_row(model_first(model, prefix, prefix), rows_first(&rows, prefix, &row), &row);
	case 3:
		return check_row(model_first(model, prefix, key), rows_from(&rows, prefix, key, &row), &row);
	case 4:
		return check_row(model_first(model, prefix, after), rows_after(&rows, prefix, key, &row),
				 &row);
	case 5:
		return check_row(model_last(model, prefix, bytes_make(NULL, 0)),
				 rows_last(&rows, prefix, &row), &row);
	case 6:
		return check_row(model_last(model, prefix, key), rows_before(&rows, prefix, key, &row), &row);
	default: {
		const struct stored_row *expected = model_first(model, key, key);
		if (expected != NULL && expected->key_size != key.size)
			expected = NULL;
		return check_row(expected, rows_get(&rows, key, &row.value), &row);
	}
	}
}

static void agree_with_a_plain_table(bool settle)
{
	static struct store model; /* what the store must come to hold */
	static struct store trial;
	memset(&model, 0, sizeof model);
	random_state = 1;
	for (size_t event = 0; event < 20000; event++) {
		uint64_t seed = random_state;
		bool whole;
		size_t rounds = 0;
		do {
			store_load_all(&store, &rows);
			random_state = seed;
			trial = model;
			rows_begin(&rows);
			whole = true;
			for (uint32_t i = 1 + random_below(6); whole && i > 0; i--)
				whole = operate(&trial);
			assert_true(++rounds < 64);
		} while (!whole);
		if (random_below(4) == 0) {
			rows_undo(&rows);
		} else {
			assert_int_equal(rows_keep(&rows), ERROR_OK);
			model = trial;
		}
		if (random_below(8) == 0 || rows_room(&rows) < 65536) {
			store_commit(&store, &rows);
			if (settle)
				rows_settle(&rows);
			else
				rows_reset(&rows);
			assert_int_equal(store.count, model.count);
			for (size_t i = 0; i < store.count; i++) {
				assert_true(
					bytes_equal(store_key(&store.rows[i]), store_key(&model.rows[i])));
				assert_true(bytes_equal(store_value(&store.rows[i]),
							store_value(&model.rows[i])));
			}
		}
	}
	assert_true(model.count > 20);
}

static void random_events_agree_with_a_plain_table(void **state)
{
	agree_with_a_plain_table(false);
}

static void random_events_agree_with_a_plain_table_from_batch_to_batch(void **state)
{
	agree_with_a_plain_table(true);
	assert_true(store.loads < 10000); /* 20,000 without a cache that lasts */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_events_agree_with_a_plain_table, set_up),
		cmocka_unit_test_setup(random_events_agree_with_a_plain_table_from_batch_to_batch, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
