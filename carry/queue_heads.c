#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "carry/queue_rows.h"

#define HEAD_VALUE_SIZE_MAX (1 + 9 + 2 + 32 + 2 + 64)

static enum error read_value(struct bytes value, struct link_head *head)
{
	struct cbor_reader reader = cbor_reader_make(value);
	cbor_read_array_exact(&reader, 3);
	head->size = cbor_read_uint_max(&reader, INT64_MAX);
	cbor_read_bytes_exact(&reader, head->root, sizeof(head->root));
	cbor_read_bytes_exact(&reader, head->signature, sizeof(head->signature));
	return cbor_read_end(&reader) == ERROR_OK ? ERROR_OK : ERROR_MALFORMED;
}

static void put(struct rows *rows, const struct link_head *head)
{
	struct key key;
	uint8_t memory[HEAD_VALUE_SIZE_MAX];
	struct buffer value = buffer_make(memory, sizeof(memory));
	cbor_write_array(&value, 3);
	cbor_write_uint(&value, head->size);
	cbor_write_bytes(&value, bytes_make(head->root, sizeof(head->root)));
	cbor_write_bytes(&value, bytes_make(head->signature, sizeof(head->signature)));
	assert(buffer_error(&value) == ERROR_OK);
	rows_put(rows, key_head(&key, head->origin), buffer_bytes(&value));
}

enum error queue_read_heads(struct rows *rows, struct link_heads *heads)
{
	struct key prefix_key;
	struct bytes prefix = key_head(&prefix_key, bytes_make(NULL, 0));
	struct row row;
	enum error error = rows_first(rows, prefix, &row);
	heads->count = 0;
	while (error == ERROR_OK && heads->count < HEADS_KEPT_MAX) {
		struct link_head *head = &heads->heads[heads->count];
		error = read_value(row.value, head);
		if (error != ERROR_OK)
			return error;
		head->origin = bytes_make(row.key.data + prefix.size, row.key.size - prefix.size);
		heads->count++;
		error = rows_after(rows, prefix, row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* Room is looked for only when an origin is new: once a channel and incarnation. */
static enum error has_room(struct step *step, bool *room)
{
	struct link_heads heads;
	enum error error = queue_read_heads(step->rows, &heads);
	*room = error == ERROR_OK && heads.count < HEADS_KEPT_MAX;
	return error;
}

enum error step_head(struct step *step)
{
	const struct link_head *head = &step->event->head;
	struct key key;
	struct bytes value;
	struct link_head held;
	bool room = true;
	enum error error = rows_get(step->rows, key_head(&key, head->origin), &value);
	if (error == ERROR_OK)
		error = read_value(value, &held);
	else if (error == ERROR_NOT_FOUND) {
		held.size = 0;
		error = has_room(step, &room);
	}
	if (error != ERROR_OK)
		return error;
	if (!room)
		step_log(step, ERROR_FULL, "a head of the post's: as many origins are kept as can be");
	else if (head->size > held.size)
		put(step->rows, head);
	return ERROR_OK;
}
