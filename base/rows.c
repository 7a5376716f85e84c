#include "base/rows.h"

#include <assert.h>
#include <string.h>

/* What is known of a key in the store below. */
enum stored {
	STORED_UNKNOWN,
	STORED_ABSENT,
	STORED_PRESENT,
};

struct rows_entry {
	struct bytes key;
	struct bytes value;       /* with STORED_PRESENT */
	struct rows_write *write; /* the last write, which hides what is stored */
	enum stored stored;
	bool gap; /* the store holds no key between this one and the next entry */
};

struct rows_write {
	struct rows_entry *entry;
	struct rows_write *hidden;   /* the entry's write before this one */
	struct rows_write *previous; /* the batch's write before this one */
	struct bytes value;
	bool deleted;
	bool made_entry; /* undoing it removes the entry */
};

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
static size_t place_of(const struct rows *rows, struct bytes key)
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

static bool is_at(const struct rows *rows, size_t place, struct bytes key)
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
static struct rows_entry *find(struct rows *rows, struct bytes key, size_t *place)
{
	struct rows_entry **slot = slot_of(rows, key);
	if (*slot != NULL && bytes_equal((*slot)->key, key))
		return *slot;
	*place = place_of(rows, key);
	if (!is_at(rows, *place, key))
		return NULL;
	*slot = rows->entries[*place];
	return *slot;
}

/* True if the store is known to hold nothing between the entry before `place` and the one at it. */
static bool in_gap(const struct rows *rows, size_t place)
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
	struct rows_entry *entry = find(rows, key, &place);
	*made = entry == NULL;
	if (!*made)
		return entry;
	entry = take(rows, sizeof(*entry));
	entry->key = take_copy(rows, key);
	entry->value = bytes_make(NULL, 0);
	entry->write = NULL;
	entry->gap = in_gap(rows, place);
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
	size_t place = place_of(rows, entry->key);
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
static enum error want(struct rows *rows, struct rows_wanted wanted)
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

/* The smallest key after `key`. */
static struct bytes key_after(uint8_t memory[ROW_KEY_SIZE_MAX + 1], struct bytes key)
{
	assert(key.size <= ROW_KEY_SIZE_MAX);
	memcpy(memory, key.data, key.size);
	memory[key.size] = 0;
	return bytes_make(memory, key.size + 1);
}

/* ---- loading ---- */

/* The store holds no key between entries `from` and `to`. */
static void know_gap(struct rows *rows, const struct rows_entry *from, const struct rows_entry *to)
{
	size_t place = place_of(rows, from->key);
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

/* ---- reading ---- */

static void check_key(const struct rows *rows, struct bytes key)
{
	assert(rows->run_open);
	assert(key.size >= 1 && key.size <= ROW_KEY_SIZE_MAX && key.data[0] != 0xff);
}

/* The state of a key with the writes over it. */
static enum stored seen(const struct rows_entry *entry, struct bytes *value)
{
	if (entry->write != NULL) {
		*value = entry->write->value;
		return entry->write->deleted ? STORED_ABSENT : STORED_PRESENT;
	}
	*value = entry->value;
	return entry->stored;
}

enum error rows_get(struct rows *rows, struct bytes key, struct bytes *value)
{
	check_key(rows, key);
	*value = bytes_make(NULL, 0);
	size_t place;
	const struct rows_entry *entry = find(rows, key, &place);
	if (entry != NULL) {
		enum stored state = seen(entry, value);
		if (state == STORED_PRESENT)
			return ERROR_OK;
		if (state == STORED_ABSENT)
			return ERROR_NOT_FOUND;
	} else if (in_gap(rows, place)) {
		return ERROR_NOT_FOUND;
	}
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	return want(rows,
		    (struct rows_wanted){
			    .low = key, .high = key_after(memory, key), .descending = false, .count_max = 1});
}

static enum error read_ascending(struct rows *rows, struct bytes low, struct bytes high, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	struct rows_wanted wanted = {.low = low, .high = high, .descending = false, .count_max = ROWS_AHEAD};
	size_t place = place_of(rows, low);
	if (!is_at(rows, place, low) && !in_gap(rows, place))
		return want(rows, wanted);
	for (; place < rows->count; place++) {
		struct rows_entry *entry = rows->entries[place];
		if (bytes_compare(entry->key, high) >= 0)
			return ERROR_NOT_FOUND;
		enum stored state = seen(entry, &row->value);
		row->key = entry->key;
		if (state == STORED_PRESENT)
			return ERROR_OK;
		wanted.low = entry->key;
		if (state == STORED_UNKNOWN)
			return want(rows, wanted);
		if (!entry->gap) {
			wanted.low = key_after(memory, entry->key);
			if (bytes_compare(wanted.low, high) >= 0)
				return ERROR_NOT_FOUND;
			if (!is_at(rows, place + 1, wanted.low))
				return want(rows, wanted);
		}
	}
	return ERROR_NOT_FOUND;
}

static enum error read_descending(struct rows *rows, struct bytes low, struct bytes high, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	struct rows_wanted wanted = {.low = low, .high = high, .descending = true, .count_max = ROWS_AHEAD};
	if (bytes_compare(low, high) >= 0)
		return ERROR_NOT_FOUND;
	for (size_t place = place_of(rows, high); in_gap(rows, place); place--) {
		struct rows_entry *entry = rows->entries[place - 1];
		if (bytes_compare(entry->key, low) < 0)
			return ERROR_NOT_FOUND;
		enum stored state = seen(entry, &row->value);
		row->key = entry->key;
		if (state == STORED_PRESENT)
			return ERROR_OK;
		if (state == STORED_UNKNOWN) {
			wanted.high = key_after(memory, entry->key);
			return want(rows, wanted);
		}
		wanted.high = entry->key;
		if (bytes_compare(low, wanted.high) >= 0)
			return ERROR_NOT_FOUND;
	}
	return want(rows, wanted);
}

/* The smallest key that is larger than all that begin with `prefix`: a first byte of 0xff is never used. */
static struct bytes prefix_end(uint8_t memory[ROW_KEY_SIZE_MAX + 1], struct bytes prefix)
{
	size_t size = prefix.size;
	while (prefix.data[size - 1] == 0xff)
		size--;
	memcpy(memory, prefix.data, size);
	memory[size - 1]++;
	return bytes_make(memory, size);
}

static enum error read_from(struct rows *rows, struct bytes prefix, struct bytes low, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	*row = (struct row){.key = {NULL, 0}, .value = {NULL, 0}};
	enum error error = read_ascending(rows, low, prefix_end(memory, prefix), row);
	if (error != ERROR_OK)
		*row = (struct row){.key = {NULL, 0}, .value = {NULL, 0}};
	return error;
}

static enum error read_before(struct rows *rows, struct bytes prefix, struct bytes high, struct row *row)
{
	*row = (struct row){.key = {NULL, 0}, .value = {NULL, 0}};
	enum error error = read_descending(rows, prefix, high, row);
	if (error != ERROR_OK)
		*row = (struct row){.key = {NULL, 0}, .value = {NULL, 0}};
	return error;
}

static void check_prefix(const struct rows *rows, struct bytes prefix, struct bytes key)
{
	check_key(rows, prefix);
	check_key(rows, key);
	assert(key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0);
}

enum error rows_first(struct rows *rows, struct bytes prefix, struct row *row)
{
	check_key(rows, prefix);
	return read_from(rows, prefix, prefix, row);
}

enum error rows_last(struct rows *rows, struct bytes prefix, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	check_key(rows, prefix);
	return read_before(rows, prefix, prefix_end(memory, prefix), row);
}

enum error rows_from(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row)
{
	check_prefix(rows, prefix, key);
	return read_from(rows, prefix, key, row);
}

enum error rows_after(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	check_prefix(rows, prefix, key);
	return read_from(rows, prefix, key_after(memory, key), row);
}

enum error rows_before(struct rows *rows, struct bytes prefix, struct bytes key, struct row *row)
{
	check_prefix(rows, prefix, key);
	return read_before(rows, prefix, key, row);
}

/* ---- writing ---- */

static void write_row(struct rows *rows, struct bytes key, struct bytes value, bool deleted)
{
	check_key(rows, key);
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
