#include "tests/unit/base/row_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct bytes store_key(const struct stored_row *row)
{
	return bytes_make(row->key, row->key_size);
}

struct bytes store_value(const struct stored_row *row)
{
	return bytes_make(row->value, row->value_size);
}

size_t store_place(const struct store *store, struct bytes key)
{
	size_t place = 0;
	while (place < store->count && bytes_compare(store_key(&store->rows[place]), key) < 0)
		place++;
	return place;
}

void store_write(struct store *store, struct bytes key, struct bytes value, bool deleted)
{
	size_t place = store_place(store, key);
	bool there = place < store->count && bytes_equal(store_key(&store->rows[place]), key);
	size_t after = store->count - place;
	if (deleted) {
		if (!there)
			return;
		memmove(store->rows + place, store->rows + place + 1, (after - 1) * sizeof store->rows[0]);
		store->count--;
		return;
	}
	if (!there) {
		assert_true(store->count < STORE_MAX);
		memmove(store->rows + place + 1, store->rows + place, after * sizeof store->rows[0]);
		store->count++;
	}
	struct stored_row *row = &store->rows[place];
	memcpy(row->key, key.data, key.size);
	row->key_size = key.size;
	row->value_size = value.size;
	if (value.size > 0)
		memcpy(row->value, value.data, value.size);
}

void store_put(struct store *store, const char *key, const char *value)
{
	store_write(store, bytes_of_text(key), bytes_of_text(value), false);
}

void store_load(struct store *store, struct rows *rows, size_t index)
{
	struct rows_wanted wanted = rows_wanted(rows, index);
	size_t low = store_place(store, wanted.low);
	size_t high = store_place(store, wanted.high);
	for (size_t i = 0; i < high - low; i++) {
		const struct stored_row *row = &store->rows[wanted.descending ? high - 1 - i : low + i];
		store->loads++;
		if (!rows_load(rows, index, store_key(row), store_value(row)))
			return;
	}
	rows_load_end(rows, index);
}

void store_load_all(struct store *store, struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++)
		store_load(store, rows, i);
}

void store_commit(struct store *store, const struct rows *rows)
{
	struct rows_change change;
	size_t at = 0;
	while (rows_next_write(rows, &at, &change))
		store_write(store, change.key, change.value, change.deleted);
}
