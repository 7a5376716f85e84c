#include "sim/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct disk_row {
	size_t key_size;
	size_t value_size;
	uint8_t bytes[]; /* key, value */
};

void *disk_must(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "liaison-sim: out of memory\n");
		exit(2);
	}
	return memory;
}

static struct bytes key_of(const struct disk_row *row)
{
	return bytes_make(row->bytes, row->key_size);
}

static struct bytes value_of(const struct disk_row *row)
{
	return bytes_make(row->bytes + row->key_size, row->value_size);
}

static struct disk_row *make(struct bytes key, struct bytes value)
{
	struct disk_row *row = disk_must(malloc(sizeof(*row) + key.size + value.size));
	row->key_size = key.size;
	row->value_size = value.size;
	memcpy(row->bytes, key.data, key.size);
	if (value.size > 0)
		memcpy(row->bytes + key.size, value.data, value.size);
	return row;
}

/* The index of the first row with a key not below this one. */
static size_t place_of(const struct disk *disk, struct bytes key)
{
	size_t low = 0;
	size_t high = disk->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bytes_compare(key_of(disk->rows[middle]), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct disk *disk, size_t at, struct bytes key)
{
	return at < disk->count && bytes_equal(key_of(disk->rows[at]), key);
}

void disk_free(struct disk *disk)
{
	for (size_t i = 0; i < disk->count; i++)
		free(disk->rows[i]);
	free(disk->rows);
	memset(disk, 0, sizeof(*disk));
}

void disk_copy(struct disk *to, const struct disk *from)
{
	*to = *from;
	to->count_max = from->count + 64;
	to->rows = disk_must(malloc(to->count_max * sizeof(*to->rows)));
	for (size_t i = 0; i < from->count; i++)
		to->rows[i] = make(key_of(from->rows[i]), value_of(from->rows[i]));
}

bool disk_get(const struct disk *disk, struct bytes key, struct bytes *value)
{
	size_t at = place_of(disk, key);

	if (!is_at(disk, at, key))
		return false;
	*value = value_of(disk->rows[at]);
	return true;
}

static void remove_at(struct disk *disk, size_t at)
{
	struct disk_row *row = disk->rows[at];

	disk->tables[row->bytes[0]]--;
	disk->size -= row->key_size + row->value_size;
	free(row);
	disk->count--;
	memmove(disk->rows + at, disk->rows + at + 1, (disk->count - at) * sizeof(*disk->rows));
}

void disk_put(struct disk *disk, struct bytes key, struct bytes value)
{
	size_t at = place_of(disk, key);
	struct disk_row *row = make(key, value);

	disk->size += key.size + value.size;
	if (is_at(disk, at, key)) {
		disk->size -= key.size + disk->rows[at]->value_size;
		free(disk->rows[at]);
		disk->rows[at] = row;
		return;
	}
	if (disk->count == disk->count_max) {
		disk->count_max = disk->count_max * 2 + 64;
		disk->rows = disk_must(realloc(disk->rows, disk->count_max * sizeof(*disk->rows)));
	}
	memmove(disk->rows + at + 1, disk->rows + at, (disk->count - at) * sizeof(*disk->rows));
	disk->rows[at] = row;
	disk->count++;
	disk->tables[key.data[0]]++;
}

void disk_delete(struct disk *disk, struct bytes key)
{
	size_t at = place_of(disk, key);

	if (is_at(disk, at, key))
		remove_at(disk, at);
}

bool disk_next(const struct disk *disk, struct bytes prefix, size_t *at, struct row *row)
{
	if (*at == 0)
		*at = place_of(disk, prefix);
	if (*at >= disk->count)
		return false;
	const struct disk_row *found = disk->rows[*at];
	if (found->key_size < prefix.size || memcmp(found->bytes, prefix.data, prefix.size) != 0)
		return false;
	row->key = key_of(found);
	row->value = value_of(found);
	(*at)++;
	return true;
}

void disk_filter(struct disk *disk, bool (*keep)(struct bytes key))
{
	for (size_t i = disk->count; i > 0; i--)
		if (!keep(key_of(disk->rows[i - 1])))
			remove_at(disk, i - 1);
}

static void load_one(const struct disk *disk, struct rows *rows, size_t want)
{
	struct rows_wanted wanted = rows_wanted(rows, want);
	size_t low = place_of(disk, wanted.low);
	size_t high = place_of(disk, wanted.high);

	for (size_t i = 0; i < high - low; i++) {
		const struct disk_row *row = disk->rows[wanted.descending ? high - 1 - i : low + i];
		if (!rows_load(rows, want, key_of(row), value_of(row)))
			return;
	}
	rows_load_end(rows, want);
}

void disk_load(const struct disk *disk, struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++)
		load_one(disk, rows, i);
}

void disk_commit(struct disk *disk, const struct rows *rows)
{
	struct rows_change change;
	size_t at = 0;

	while (rows_next_write(rows, &at, &change)) {
		if (change.deleted)
			disk_delete(disk, change.key);
		else
			disk_put(disk, change.key, change.value);
	}
}
