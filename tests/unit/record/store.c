#include "tests/unit/record/store.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static uint8_t *copy_of(struct bytes bytes)
{
	uint8_t *copy = must(malloc(bytes.size + 1));
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

static struct bytes key_of(const struct store_row *row)
{
	return bytes_make(row->key, row->key_size);
}

static struct bytes value_of(const struct store_row *row)
{
	return bytes_make(row->value, row->value_size);
}

/* The index of the first row with a key not below this one. */
static size_t lower_bound(const struct store *store, struct bytes key)
{
	size_t low = 0;
	size_t high = store->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bytes_compare(key_of(&store->rows[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void store_free(struct store *store)
{
	for (size_t i = 0; i < store->count; i++) {
		free(store->rows[i].key);
		free(store->rows[i].value);
	}
	free(store->rows);
	memset(store, 0, sizeof(*store));
}

void store_copy(struct store *to, const struct store *from)
{
	memset(to, 0, sizeof(*to));
	to->count = to->count_max = from->count;
	to->rows = must(calloc(from->count + 1, sizeof(*to->rows)));
	for (size_t i = 0; i < from->count; i++) {
		to->rows[i] = from->rows[i];
		to->rows[i].key = copy_of(key_of(&from->rows[i]));
		to->rows[i].value = copy_of(value_of(&from->rows[i]));
	}
}

static void load_one(const struct store *store, struct rows *rows, size_t want)
{
	struct rows_wanted wanted = rows_wanted(rows, want);
	size_t low = lower_bound(store, wanted.low);
	size_t high = lower_bound(store, wanted.high);

	for (size_t i = 0; i < high - low; i++) {
		const struct store_row *row = &store->rows[wanted.descending ? high - 1 - i : low + i];
		if (!rows_load(rows, want, key_of(row), value_of(row)))
			return;
	}
	rows_load_end(rows, want);
}

void store_load(const struct store *store, struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++)
		load_one(store, rows, i);
}

void store_put(struct store *store, struct bytes key, struct bytes value)
{
	size_t at = lower_bound(store, key);

	if (at < store->count && bytes_equal(key_of(&store->rows[at]), key)) {
		free(store->rows[at].value);
	} else {
		if (store->count == store->count_max) {
			store->count_max = store->count_max * 2 + 64;
			store->rows = must(realloc(store->rows, store->count_max * sizeof(*store->rows)));
		}
		memmove(store->rows + at + 1, store->rows + at, (store->count - at) * sizeof(*store->rows));
		store->count++;
		store->rows[at].key = copy_of(key);
		store->rows[at].key_size = key.size;
	}
	store->rows[at].value = copy_of(value);
	store->rows[at].value_size = value.size;
}

static void delete_at(struct store *store, size_t at)
{
	free(store->rows[at].key);
	free(store->rows[at].value);
	store->count--;
	memmove(store->rows + at, store->rows + at + 1, (store->count - at) * sizeof(*store->rows));
}

void store_delete(struct store *store, struct bytes key)
{
	size_t at = lower_bound(store, key);

	if (at < store->count && bytes_equal(key_of(&store->rows[at]), key))
		delete_at(store, at);
}

void store_commit(struct store *store, const struct rows *rows)
{
	struct rows_change change;
	size_t next = 0;

	while (rows_next_write(rows, &next, &change)) {
		if (!change.deleted) {
			store_put(store, change.key, change.value);
			continue;
		}
		store_delete(store, change.key);
	}
}

bool store_find(const struct store *store, struct bytes prefix, size_t *at, struct row *row)
{
	size_t low = lower_bound(store, prefix);

	if (*at < low)
		*at = low;
	if (*at >= store->count)
		return false;
	const struct store_row *found = &store->rows[*at];
	if (found->key_size < prefix.size || memcmp(found->key, prefix.data, prefix.size) != 0)
		return false;
	row->key = key_of(found);
	row->value = value_of(found);
	(*at)++;
	return true;
}

void store_filter(struct store *store, bool (*keep)(struct bytes key))
{
	for (size_t i = store->count; i > 0; i--)
		if (!keep(key_of(&store->rows[i - 1])))
			delete_at(store, i - 1);
}
