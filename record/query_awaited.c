#include "base/local.h"
#include "record/log.h"
#include "record/query.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define ROWS_MAX 64 /* of one answer */

/* The cursor is the key of the row that was looked at last: of TABLE_COPY, then of TABLE_ACK_BY. */
struct walk {
	uint64_t channel; /* 0: all */
	struct row_key at;
	size_t count_max;
	size_t count;
	struct entry_key keys[ROWS_MAX];
	size_t copies_count; /* the first of them come from TABLE_COPY */
	bool more;
};

static struct row_key prefix_of(const struct walk *walk, enum table table)
{
	return walk->channel == 0 ? key_make(table) : key_channel(table, walk->channel);
}

static bool begins_with(struct bytes bytes, struct bytes prefix)
{
	return bytes.size >= prefix.size && bytes_equal(bytes_make(bytes.data, prefix.size), prefix);
}

/* False for a cursor that no answer gave. */
static bool walk_begin(struct walk *walk, struct bytes cursor)
{
	struct row_key copies = prefix_of(walk, TABLE_COPY);
	struct row_key acknowledgments = prefix_of(walk, TABLE_ACK_BY);

	walk->at = copies;
	if (cursor.size == 0)
		return true;
	if (!begins_with(cursor, key_view(&copies)) && !begins_with(cursor, key_view(&acknowledgments)))
		return false;
	walk->at.size = 0;
	key_bytes(&walk->at, cursor.data, cursor.size);
	return true;
}

/* The own entry that a copy is of. */
static enum error key_of_copy(struct run *run, struct bytes row_key, struct entry_key *key)
{
	struct key_reader reader = key_reader_make(row_key);
	struct channel channel;

	key->channel = key_read_u16(&reader);
	key->incarnation = key_read_u16(&reader);
	key->position = key_read_u32(&reader);
	(void)key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	enum error error = run_must(registry_channel(run, key->channel, &channel));
	if (error == ERROR_OK)
		key->log = log_own_number(run, &channel);
	return error;
}

static enum error key_of_message(struct bytes row_key, struct entry_key *key)
{
	struct key_reader reader = key_reader_make(row_key);

	key->channel = key_read_u16(&reader);
	key->log = key_read_u16(&reader);
	key->incarnation = key_read_u16(&reader);
	key->position = key_read_u32(&reader);
	return key_read_end(&reader);
}

static bool is_last(const struct walk *walk, const struct entry_key *key)
{
	if (walk->count == walk->copies_count)
		return false;
	const struct entry_key *last = &walk->keys[walk->count - 1];
	return last->channel == key->channel && last->log == key->log &&
	       last->incarnation == key->incarnation && last->position == key->position;
}

/* Rows of one table from walk->at on, until the page is full or the table is at its end. */
static enum error walk_table(struct run *run, struct walk *walk, enum table table, size_t *looked)
{
	struct row_key prefix = prefix_of(walk, table);
	struct row row;

	walk->more = false;
	enum error error = rows_after(run_rows(run), key_view(&prefix), key_view(&walk->at), &row);
	for (; error == ERROR_OK; ++*looked) {
		struct entry_key key;
		walk->more = *looked == QUERY_SCAN_MAX || walk->count == walk->count_max;
		if (walk->more)
			return ERROR_OK;
		error = table == TABLE_COPY ? key_of_copy(run, row.key, &key) : key_of_message(row.key, &key);
		if (error != ERROR_OK)
			return error;
		if (!is_last(walk, &key))
			walk->keys[walk->count++] = key;
		walk->at.size = 0;
		key_bytes(&walk->at, row.key.data, row.key.size);
		error = rows_after(run_rows(run), key_view(&prefix), key_view(&walk->at), &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/*
 * Its row, unless all have answered and only copies to sibling posts, or to others of a party, are under way.
 * What has no receipt yet is told with its copies, not once more for its acknowledgment.
 */
static enum error write_awaited(struct run *run, const struct entry_key *key, bool is_copy,
				struct query_answer *answer)
{
	struct channel channel;
	struct entry entry;
	bool missing = false;

	enum error error = run_must(registry_channel(run, key->channel, &channel));
	if (!run_missing(error, &missing))
		return error;
	error = run_must(log_entry(run, key, &entry));
	if (!run_missing(error, &missing) || missing)
		return missing ? ERROR_NEEDS_ROWS : error;
	bool own = key->log == log_own_number(run, &channel);
	bool waits = own && !query_is_settled(&channel, &entry);
	if (is_copy != waits)
		return ERROR_OK;
	error = query_entry_row(run, key, &entry, &answer->list);
	if (error == ERROR_OK)
		answer->count++;
	return error;
}

enum error query_awaited_answer(struct run *run, uint64_t channel, struct bytes cursor, size_t count_max)
{
	struct query_answer answer = query_answer_make(run);
	struct walk *walk = run_take(run, sizeof(*walk));
	size_t looked = 0;
	bool missing = false;

	*walk = (struct walk){.channel = channel, .count_max = count_max < ROWS_MAX ? count_max : ROWS_MAX};
	if (!walk_begin(walk, cursor))
		return query_refuse(run, ERROR_BAD_ARGUMENT);
	enum error error = ERROR_OK;
	if (walk->at.data[0] == TABLE_COPY)
		error = walk_table(run, walk, TABLE_COPY, &looked);
	walk->copies_count = walk->count;
	if (error == ERROR_OK && !walk->more) {
		if (walk->at.data[0] == TABLE_COPY)
			walk->at = prefix_of(walk, TABLE_ACK_BY);
		error = walk_table(run, walk, TABLE_ACK_BY, &looked);
	}
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < walk->count; i++) {
		error = write_awaited(run, &walk->keys[i], i < walk->copies_count, &answer);
		if (!run_missing(error, &missing))
			return error;
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	query_list_end(&answer);
	cbor_write_bytes(&answer.body, walk->more ? key_view(&walk->at) : bytes_make(NULL, 0));
	return query_answer_end(run, &answer, 2);
}
