#include "base/rows.h"

#include <assert.h>
#include <string.h>

#include "base/rows_internal.h"

/* ---- memory ---- */

#define ALIGNMENT 16
#define MEMORY_PER_ENTRY                                                                                     \
	192 /* an entry, its key and a small value: so much memory gets one place in the index */

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void *take(struct rows *rows, size_t size)
{
	assert(rows_room(rows) >= aligned(size));
	void *memory = rows->memory + rows->memory_used;
	rows->memory_used += aligned(size);
	return memory;
}

static struct bytes take_copy(struct rows *rows, struct bytes bytes)
{
	if (bytes.size == 0)
		return bytes_make(NULL, 0);
	uint8_t *copy = take(rows, bytes.size);
	memcpy(copy, bytes.data, bytes.size);
	return bytes_make(copy, bytes.size);
}

void rows_make(struct rows *rows, void *memory, size_t size)
{
	assert(size >= ROWS_MEMORY_SIZE_MIN);
	size_t skipped = (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
	rows->memory = (uint8_t *)memory + skipped;
	rows->memory_size = (size - skipped) / ALIGNMENT * ALIGNMENT;
	rows->entries = (struct rows_entry **)(void *)rows->memory;
	rows->count_max = size / MEMORY_PER_ENTRY;
	rows->resets = 0;
	rows_reset(rows);
}

static size_t index_size(const struct rows *rows)
{
	return aligned(rows->count_max * sizeof(rows->entries[0]));
}

void rows_reset(struct rows *rows)
{
	rows->memory_used = index_size(rows);
	rows->count = 0;
	memset(rows->found, 0, sizeof(rows->found));
	rows->writes = NULL;
	rows->writes_kept = NULL;
	rows->run_mark = 0;
	rows->run_open = false;
	rows->run_error = ERROR_OK;
	rows->full = false;
	rows->wanted_count = 0;
	rows->resets++;
}

/* What the store holds of an entry now that its last write is in it. */
static void settle_entry(struct rows_entry *entry)
{
	const struct rows_write *write = entry->write;

	entry->stored = write->deleted ? STORED_ABSENT : STORED_PRESENT;
	entry->value = write->value;
	entry->write = NULL;
}

void rows_settle(struct rows *rows)
{
	assert(!rows->run_open);
	size_t kept_max = (rows->memory_size - index_size(rows)) / ROWS_KEPT_SHARE;
	if (kept_max > ROWS_KEPT_SIZE_MAX)
		kept_max = ROWS_KEPT_SIZE_MAX;
	if (rows->full || rows->memory_used - index_size(rows) > kept_max) {
		rows_reset(rows);
		return;
	}
	/* The last first, so of an entry's writes the one that hides the others. */
	for (const struct rows_write *write = rows->writes; write != NULL; write = write->previous)
		if (write->entry->write == write)
			settle_entry(write->entry);
	rows->writes = NULL;
	rows->writes_kept = NULL;
	rows->wanted_count = 0;
}

size_t rows_room(const struct rows *rows)
{
	return rows->memory_size - rows->memory_used;
}

/* ---- the index ---- */

/* The place of the first entry at or after `key`. */
size_t rows_place_of(const struct rows *rows, struct bytes key)
{
	size_t low = 0;
	size_t high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bytes_compare(rows->entries[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool rows_is_at(const struct rows *rows, size_t place, struct bytes key)
{
	return place < rows->count && bytes_equal(rows->entries[place]->key, key);
}

/*
 * Where an entry may be found without a search. A key's last bytes tell most; that two keys share a slot, by
 * chance or design, costs the search and nothing else.
 */
static struct rows_entry **slot_of(struct rows *rows, struct bytes key)
{
	uint32_t hash = key.data[0];
	for (size_t i = key.size > 12 ? key.size - 12 : 1; i < key.size; i++)
		hash = hash * 31 + key.data[i];
	return &rows->found[(hash ^ hash >> 16) % ROWS_FOUND_MAX];
}

/* The entry of `key`; NULL if there is none: then *place is where it would stand. */
struct rows_entry *rows_find(struct rows *rows, struct bytes key, size_t *place)
{
	struct rows_entry **slot = slot_of(rows, key);
	if (*slot != NULL && bytes_equal((*slot)->key, key))
		return *slot;
	*place = rows_place_of(rows, key);
	if (!rows_is_at(rows, *place, key))
		return NULL;
	*slot = rows->entries[*place];
	return *slot;
}

/* True if the store is known to hold nothing between the entry before `place` and the one at it. */
bool rows_in_gap(const struct rows *rows, size_t place)
{
	return place > 0 && rows->entries[place - 1]->gap;
}

static bool fits(const struct rows *rows, size_t entries, size_t writes, size_t value_size)
{
	size_t size = entries * (aligned(sizeof(struct rows_entry)) + aligned(ROW_KEY_SIZE_MAX + 1)) +
		      writes * aligned(sizeof(struct rows_write)) + aligned(value_size);
	return rows_room(rows) >= size && rows->count + entries <= rows->count_max;
}

/* The entry of `key`, made if it is not there; the caller has checked that it fits. */
static struct rows_entry *entry_of(struct rows *rows, struct bytes key, bool *made)
{
	size_t place;
	struct rows_entry *entry = rows_find(rows, key, &place);
	*made = entry == NULL;
	if (!*made)
		return entry;
	entry = take(rows, sizeof(*entry));
	entry->key = take_copy(rows, key);
	entry->value = bytes_make(NULL, 0);
	entry->write = NULL;
	entry->gap = rows_in_gap(rows, place);
	entry->stored = entry->gap ? STORED_ABSENT : STORED_UNKNOWN;
	memmove(rows->entries + place + 1, rows->entries + place,
		(rows->count - place) * sizeof(rows->entries[0]));
	rows->entries[place] = entry;
	rows->count++;
	*slot_of(rows, key) = entry;
	return entry;
}

/* Undone in the order opposite to making, so the entry before gets back the gap that it had. */
static void remove_entry(struct rows *rows, const struct rows_entry *entry)
{
	size_t place = rows_place_of(rows, entry->key);
	assert(place < rows->count && rows->entries[place] == entry);
	rows->count--;
	struct rows_entry **slot = slot_of(rows, entry->key);
	if (*slot == entry)
		*slot = NULL;
	memmove(rows->entries + place, rows->entries + place + 1,
		(rows->count - place) * sizeof(rows->entries[0]));
}

/* ---- runs ---- */

static void roll_back(struct rows *rows)
{
	if (!rows->run_open)
		return;
	for (struct rows_write *write = rows->writes; write != rows->writes_kept; write = write->previous) {
		write->entry->write = write->hidden;
		if (write->made_entry)
			remove_entry(rows, write->entry);
	}
	rows->writes = rows->writes_kept;
	rows->memory_used = rows->run_mark;
	rows->run_open = false;
}

void rows_begin(struct rows *rows)
{
	rows_undo(rows);
	rows->run_open = true;
	rows->run_mark = rows->memory_used;
}

enum error rows_keep(struct rows *rows)
{
	assert(rows->run_open);
	if (rows->run_error != ERROR_OK)
		return rows->run_error;
	rows->writes_kept = rows->writes;
	rows->run_open = false;
	return ERROR_OK;
}

void rows_undo(struct rows *rows)
{
	roll_back(rows);
	rows->run_error = ERROR_OK;
	rows->wanted_count = 0;
}

/* ---- wants ---- */

size_t rows_wanted_count(const struct rows *rows)
{
	return rows->wanted_count;
}

struct rows_wanted rows_wanted(const struct rows *rows, size_t index)
{
	assert(index < rows->wanted_count);
	return rows->wants[index].wanted;
}

static struct bytes keep_bound(uint8_t *to, struct bytes bound)
{
	assert(bound.size <= ROW_KEY_SIZE_MAX + 1);
	memcpy(to, bound.data, bound.size);
	return bytes_make(to, bound.size);
}

/* Fails the run, so that even a handler that does not look at this error is run again. */
enum error rows_want(struct rows *rows, struct rows_wanted wanted)
{
	if (rows->full) {
		rows->run_error = ERROR_FULL;
		return ERROR_FULL;
	}
	if (rows->run_error == ERROR_OK)
		rows->run_error = ERROR_NEEDS_ROWS;
	for (size_t i = 0; i < rows->wanted_count; i++) {
		const struct rows_wanted *other = &rows->wants[i].wanted;
		if (other->descending == wanted.descending && bytes_equal(other->low, wanted.low) &&
		    bytes_equal(other->high, wanted.high))
			return ERROR_NEEDS_ROWS;
	}
	if (rows->wanted_count < ROWS_WANTED_MAX) {
		struct rows_want *place = &rows->wants[rows->wanted_count++];
		place->wanted = wanted;
		place->wanted.low = keep_bound(place->low, wanted.low);
		place->wanted.high = keep_bound(place->high, wanted.high);
		place->edge = NULL;
		place->count = 0;
		place->size = 0;
	}
	return ERROR_NEEDS_ROWS;
}

/* ---- loading ---- */

/* The store holds no key between entries `from` and `to`. */
static void know_gap(struct rows *rows, const struct rows_entry *from, const struct rows_entry *to)
{
	size_t place = rows_place_of(rows, from->key);
	for (size_t i = place; rows->entries[i] != to; i++) {
		struct rows_entry *entry = rows->entries[i];
		assert(i == place || entry->stored != STORED_PRESENT);
		if (i > place)
			entry->stored = STORED_ABSENT;
		entry->gap = true;
	}
}

/* The bound that the first row is counted from. */
static struct rows_entry *edge_of(struct rows *rows, struct rows_want *want)
{
	bool made;
	if (want->edge == NULL)
		want->edge =
			entry_of(rows, want->wanted.descending ? want->wanted.high : want->wanted.low, &made);
	return want->edge;
}

static struct rows_want *want_to_load(struct rows *rows, size_t index)
{
	roll_back(rows);
	assert(index < rows->wanted_count);
	return &rows->wants[index];
}

bool rows_load(struct rows *rows, size_t index, struct bytes key, struct bytes value)
{
	struct rows_want *want = want_to_load(rows, index);
	const struct rows_wanted *wanted = &want->wanted;
	assert(bytes_compare(wanted->low, key) <= 0 && bytes_compare(key, wanted->high) < 0);
	assert(value.size <= ROW_VALUE_SIZE_MAX);
	if (rows->full || !fits(rows, 2, 0, value.size)) {
		rows->full = true;
		return false;
	}
	bool made;
	struct rows_entry *edge = edge_of(rows, want);
	struct rows_entry *entry = entry_of(rows, key, &made);
	assert(entry->stored != STORED_ABSENT);
	if (entry->stored == STORED_UNKNOWN) {
		entry->stored = STORED_PRESENT;
		entry->value = take_copy(rows, value);
	}
	if (wanted->descending) {
		assert(bytes_compare(key, edge->key) < 0);
		know_gap(rows, entry, edge);
	} else {
		assert(bytes_compare(edge->key, key) < 0 || (want->count == 0 && edge == entry));
		if (edge != entry && edge->stored == STORED_UNKNOWN)
			edge->stored = STORED_ABSENT;
		know_gap(rows, edge, entry);
	}
	want->edge = entry;
	want->count++;
	want->size += value.size;
	return want->count < wanted->count_max && want->size < ROWS_AHEAD_SIZE_MAX;
}

void rows_load_end(struct rows *rows, size_t index)
{
	struct rows_want *want = want_to_load(rows, index);
	if (rows->full || !fits(rows, 2, 0, 0)) {
		rows->full = true;
		return;
	}
	bool made;
	struct rows_entry *low = entry_of(rows, want->wanted.low, &made);
	if (low->stored == STORED_UNKNOWN)
		low->stored = STORED_ABSENT;
	if (want->wanted.count_max == 1)
		return; /* one key was asked for: no gap to know */
	if (want->wanted.descending)
		know_gap(rows, low, edge_of(rows, want));
	else
		know_gap(rows, want->edge != NULL ? want->edge : low,
			 entry_of(rows, want->wanted.high, &made));
}

/* ---- writing ---- */

void rows_check_key(const struct rows *rows, struct bytes key)
{
	assert(rows->run_open);
	assert(key.size >= 1 && key.size <= ROW_KEY_SIZE_MAX && key.data[0] != 0xff);
}

static void write_row(struct rows *rows, struct bytes key, struct bytes value, bool deleted)
{
	rows_check_key(rows, key);
	assert(value.size <= ROW_VALUE_SIZE_MAX);
	if (!fits(rows, 1, 1, value.size)) {
		rows->full = true;
		rows->run_error = ERROR_FULL;
		return;
	}
	bool made;
	struct rows_entry *entry = entry_of(rows, key, &made);
	struct rows_write *write = take(rows, sizeof(*write));
	*write = (struct rows_write){
		.entry = entry,
		.hidden = entry->write,
		.previous = rows->writes,
		.value = take_copy(rows, value),
		.deleted = deleted,
		.made_entry = made,
	};
	entry->write = write;
	rows->writes = write;
}

void rows_put(struct rows *rows, struct bytes key, struct bytes value)
{
	write_row(rows, key, value, false);
}

void rows_delete(struct rows *rows, struct bytes key)
{
	write_row(rows, key, bytes_make(NULL, 0), true);
}

bool rows_next_write(const struct rows *rows, size_t *at, struct rows_change *change)
{
	assert(!rows->run_open);
	while (*at < rows->count) {
		const struct rows_entry *entry = rows->entries[(*at)++];
		const struct rows_write *write = entry->write;
		if (write == NULL || (write->deleted && entry->stored == STORED_ABSENT))
			continue;
		change->key = entry->key;
		change->value = write->value;
		change->deleted = write->deleted;
		return true;
	}
	return false;
}
