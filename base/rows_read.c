#include "base/rows_internal.h"

#include <assert.h>
#include <string.h>

/* The smallest key after `key`. */
static struct bytes key_after(uint8_t memory[ROW_KEY_SIZE_MAX + 1], struct bytes key)
{
	assert(key.size <= ROW_KEY_SIZE_MAX);
	memcpy(memory, key.data, key.size);
	memory[key.size] = 0;
	return bytes_make(memory, key.size + 1);
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
	rows_check_key(rows, key);
	*value = bytes_make(NULL, 0);
	size_t place;
	const struct rows_entry *entry = rows_find(rows, key, &place);
	if (entry != NULL) {
		enum stored state = seen(entry, value);
		if (state == STORED_PRESENT)
			return ERROR_OK;
		if (state == STORED_ABSENT)
			return ERROR_NOT_FOUND;
	} else if (rows_in_gap(rows, place)) {
		return ERROR_NOT_FOUND;
	}
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	return rows_want(rows, (struct rows_wanted){.low = key,
						    .high = key_after(memory, key),
						    .descending = false,
						    .count_max = 1});
}

bool rows_is_lasting(const struct rows *rows, struct bytes value)
{
	assert(rows->run_open);
	return value.size != 0 && value.data < rows->memory + rows->run_mark;
}

uint64_t rows_resets(const struct rows *rows)
{
	return rows->resets;
}

static enum error read_ascending(struct rows *rows, struct bytes low, struct bytes high, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	struct rows_wanted wanted = {.low = low, .high = high, .descending = false, .count_max = ROWS_AHEAD};
	size_t place = rows_place_of(rows, low);
	if (!rows_is_at(rows, place, low) && !rows_in_gap(rows, place))
		return rows_want(rows, wanted);
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
			return rows_want(rows, wanted);
		if (!entry->gap) {
			wanted.low = key_after(memory, entry->key);
			if (bytes_compare(wanted.low, high) >= 0)
				return ERROR_NOT_FOUND;
			if (!rows_is_at(rows, place + 1, wanted.low))
				return rows_want(rows, wanted);
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
	for (size_t place = rows_place_of(rows, high); rows_in_gap(rows, place); place--) {
		struct rows_entry *entry = rows->entries[place - 1];
		if (bytes_compare(entry->key, low) < 0)
			return ERROR_NOT_FOUND;
		enum stored state = seen(entry, &row->value);
		row->key = entry->key;
		if (state == STORED_PRESENT)
			return ERROR_OK;
		if (state == STORED_UNKNOWN) {
			wanted.high = key_after(memory, entry->key);
			return rows_want(rows, wanted);
		}
		wanted.high = entry->key;
		if (bytes_compare(low, wanted.high) >= 0)
			return ERROR_NOT_FOUND;
	}
	return rows_want(rows, wanted);
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
	rows_check_key(rows, prefix);
	rows_check_key(rows, key);
	assert(key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0);
}

enum error rows_first(struct rows *rows, struct bytes prefix, struct row *row)
{
	rows_check_key(rows, prefix);
	return read_from(rows, prefix, prefix, row);
}

enum error rows_last(struct rows *rows, struct bytes prefix, struct row *row)
{
	uint8_t memory[ROW_KEY_SIZE_MAX + 1];
	rows_check_key(rows, prefix);
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
