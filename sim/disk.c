#include "sim/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 64 /* moving so many addresses costs less than looking for their place */

/* A row, of one or more disks. */
struct disk_row {
	size_t disks;
	size_t key_size;
	size_t value_size;
	uint8_t bytes[]; /* key, value */
};

struct disk_block {
	size_t count;
	struct disk_row *rows[BLOCK_ROWS]; /* ascending by key */
};

void *disk_must(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "liaison-sim: out of memory\n");
		exit(2);
	}
	return memory;
}

/* ---- rows ---- */

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
	row->disks = 1;
	row->key_size = key.size;
	row->value_size = value.size;
	memcpy(row->bytes, key.data, key.size);
	if (value.size > 0)
		memcpy(row->bytes + key.size, value.data, value.size);
	return row;
}

static void drop(struct disk_row *row)
{
	if (--row->disks == 0)
		free(row);
}

/* ---- places ---- */

/* A row's place, or where it would be put: at the end of a block rather than at the beginning of the next. */
struct place {
	size_t block;
	size_t row;
};

static struct place place_of(const struct disk *disk, struct bytes key)
{
	struct place place = {.block = 0};
	size_t high = disk->count;

	/* The last block that does not begin above the key; else the first. */
	while (high - place.block > 1) {
		size_t middle = place.block + (high - place.block) / 2;
		if (bytes_compare(key_of(disk->blocks[middle]->rows[0]), key) <= 0)
			place.block = middle;
		else
			high = middle;
	}
	high = disk->count == 0 ? 0 : disk->blocks[place.block]->count;
	while (place.row < high) {
		size_t middle = place.row + (high - place.row) / 2;
		if (bytes_compare(key_of(disk->blocks[place.block]->rows[middle]), key) < 0)
			place.row = middle + 1;
		else
			high = middle;
	}
	return place;
}

/* The row there; NULL at the end of the disk. The end of a block becomes the beginning of the next. */
static struct disk_row *row_at(const struct disk *disk, struct place *place)
{
	if (place->block < disk->count && place->row == disk->blocks[place->block]->count)
		*place = (struct place){.block = place->block + 1};
	return place->block < disk->count ? disk->blocks[place->block]->rows[place->row] : NULL;
}

/* Where the row with this key is; NULL if there is none. */
static struct disk_row **find(const struct disk *disk, struct bytes key, struct place *place)
{
	*place = place_of(disk, key);
	if (place->block == disk->count || place->row == disk->blocks[place->block]->count)
		return NULL;
	struct disk_row **found = &disk->blocks[place->block]->rows[place->row];
	return bytes_equal(key_of(*found), key) ? found : NULL;
}

static bool begins_with(const struct disk_row *row, struct bytes prefix)
{
	return row->key_size >= prefix.size &&
	       (prefix.size == 0 || memcmp(row->bytes, prefix.data, prefix.size) == 0);
}

/* ---- blocks ---- */

static struct disk_block *insert_block(struct disk *disk, size_t at)
{
	if (disk->count == disk->count_max) {
		disk->count_max = disk->count_max * 2 + 16;
		disk->blocks = disk_must(realloc(disk->blocks, disk->count_max * sizeof(disk->blocks[0])));
	}
	memmove(disk->blocks + at + 1, disk->blocks + at, (disk->count - at) * sizeof(disk->blocks[0]));
	disk->blocks[at] = disk_must(malloc(sizeof(struct disk_block)));
	disk->blocks[at]->count = 0;
	disk->count++;
	return disk->blocks[at];
}

static void remove_block(struct disk *disk, size_t at)
{
	free(disk->blocks[at]);
	disk->count--;
	memmove(disk->blocks + at, disk->blocks + at + 1, (disk->count - at) * sizeof(disk->blocks[0]));
}

/* Makes room in a full block: half of it goes into a new one; but nothing where rows come in their order. */
static void split(struct disk *disk, struct place *place)
{
	size_t kept = place->row == BLOCK_ROWS ? BLOCK_ROWS : BLOCK_ROWS / 2;
	struct disk_block *next = insert_block(disk, place->block + 1);
	struct disk_block *block = disk->blocks[place->block];

	next->count = block->count - kept;
	memcpy(next->rows, block->rows + kept, next->count * sizeof(block->rows[0]));
	block->count = kept;
	if (place->row >= kept)
		*place = (struct place){.block = place->block + 1, .row = place->row - kept};
}

static void insert_row(struct disk *disk, struct place place, struct disk_row *row)
{
	if (disk->count == 0)
		insert_block(disk, 0);
	if (disk->blocks[place.block]->count == BLOCK_ROWS)
		split(disk, &place);
	struct disk_block *block = disk->blocks[place.block];
	memmove(block->rows + place.row + 1, block->rows + place.row,
		(block->count - place.row) * sizeof(block->rows[0]));
	block->rows[place.row] = row;
	block->count++;
}

/* The disk has no longer what this row says: what is left is to take it out of its block. */
static void discount(struct disk *disk, struct disk_row *row)
{
	disk->tables[row->bytes[0]]--;
	disk->size -= row->key_size + row->value_size;
	drop(row);
}

/* ---- the disk ---- */

void disk_free(struct disk *disk)
{
	for (size_t i = 0; i < disk->count; i++) {
		for (size_t j = 0; j < disk->blocks[i]->count; j++)
			drop(disk->blocks[i]->rows[j]);
		free(disk->blocks[i]);
	}
	free(disk->blocks);
	memset(disk, 0, sizeof(*disk));
}

void disk_copy(struct disk *to, const struct disk *from)
{
	*to = *from;
	to->blocks = NULL;
	to->count = to->count_max = 0;
	for (size_t i = 0; i < from->count; i++) {
		struct disk_block *block = insert_block(to, i);
		*block = *from->blocks[i];
		for (size_t j = 0; j < block->count; j++)
			block->rows[j]->disks++;
	}
}

bool disk_get(const struct disk *disk, struct bytes key, struct bytes *value)
{
	struct place place;
	struct disk_row **found = find(disk, key, &place);

	if (found != NULL)
		*value = value_of(*found);
	return found != NULL;
}

void disk_put(struct disk *disk, struct bytes key, struct bytes value)
{
	struct place place;
	struct disk_row **found = find(disk, key, &place);

	disk->size += key.size + value.size;
	disk->tables[key.data[0]]++;
	if (found == NULL) {
		insert_row(disk, place, make(key, value));
		return;
	}
	struct disk_row *old = *found;
	*found = make(key, value);
	discount(disk, old);
}

void disk_delete(struct disk *disk, struct bytes key)
{
	struct place place;
	struct disk_row **found = find(disk, key, &place);

	if (found == NULL)
		return;
	struct disk_block *block = disk->blocks[place.block];
	discount(disk, *found);
	block->count--;
	memmove(found, found + 1, (block->count - place.row) * sizeof(block->rows[0]));
	if (block->count == 0)
		remove_block(disk, place.block);
}

bool disk_next(const struct disk *disk, struct bytes prefix, size_t *at, struct row *row)
{
	struct place place = {.block = *at / BLOCK_ROWS, .row = *at % BLOCK_ROWS};

	if (*at == 0)
		place = place_of(disk, prefix);
	const struct disk_row *found = row_at(disk, &place);
	if (found == NULL || !begins_with(found, prefix))
		return false;
	row->key = key_of(found);
	row->value = value_of(found);
	*at = place.block * BLOCK_ROWS + place.row + 1;
	return true;
}

/* The rows of one block that stay; true if there may be more to filter behind it. */
static bool filter_block(struct disk *disk, size_t at, struct bytes prefix, disk_keep *keep,
			 const void *context)
{
	struct disk_block *block = disk->blocks[at];
	size_t count = 0;
	bool more = true;

	for (size_t i = 0; i < block->count; i++) {
		struct disk_row *row = block->rows[i];
		bool begins = begins_with(row, prefix);
		more = begins || bytes_compare(key_of(row), prefix) < 0;
		if (!begins || (keep != NULL && keep(context, key_of(row))))
			block->rows[count++] = row;
		else
			discount(disk, row);
	}
	block->count = count;
	return more;
}

void disk_filter(struct disk *disk, struct bytes prefix, disk_keep *keep, const void *context)
{
	size_t at = place_of(disk, prefix).block;
	bool more = true;

	while (more && at < disk->count) {
		more = filter_block(disk, at, prefix, keep, context);
		if (disk->blocks[at]->count == 0)
			remove_block(disk, at);
		else
			at++;
	}
}

/* ---- for the handlers ---- */

static void load_ascending(const struct disk *disk, struct rows *rows, size_t want,
			   const struct rows_wanted *wanted)
{
	struct place place = place_of(disk, wanted->low);
	const struct disk_row *row;

	while ((row = row_at(disk, &place)) != NULL && bytes_compare(key_of(row), wanted->high) < 0) {
		if (!rows_load(rows, want, key_of(row), value_of(row)))
			return;
		place.row++;
	}
	rows_load_end(rows, want);
}

static void load_descending(const struct disk *disk, struct rows *rows, size_t want,
			    const struct rows_wanted *wanted)
{
	struct place place = place_of(disk, wanted->high);

	while (place.row > 0 || place.block > 0) {
		if (place.row == 0)
			place.row = disk->blocks[--place.block]->count;
		const struct disk_row *row = disk->blocks[place.block]->rows[--place.row];
		if (bytes_compare(key_of(row), wanted->low) < 0)
			break;
		if (!rows_load(rows, want, key_of(row), value_of(row)))
			return;
	}
	rows_load_end(rows, want);
}

void disk_load(const struct disk *disk, struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++) {
		struct rows_wanted wanted = rows_wanted(rows, i);
		if (wanted.descending)
			load_descending(disk, rows, i, &wanted);
		else
			load_ascending(disk, rows, i, &wanted);
	}
}

/* ---- what a batch writes ---- */

void changes_gather(struct changes *changes, const struct rows *rows)
{
	struct rows_change change;
	size_t at = 0;

	changes->count = 0;
	while (rows_next_write(rows, &at, &change)) {
		if (changes->count == changes->count_max) {
			changes->count_max = changes->count_max * 2 + 64;
			changes->list = disk_must(
				realloc(changes->list, changes->count_max * sizeof(changes->list[0])));
		}
		changes->list[changes->count++] = change;
	}
}

void changes_free(struct changes *changes)
{
	free(changes->list);
	memset(changes, 0, sizeof(*changes));
}

void disk_commit(struct disk *disk, const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct rows_change *change = &changes->list[i];
		if (change->deleted)
			disk_delete(disk, change->key);
		else
			disk_put(disk, change->key, change->value);
	}
}
