#include "tests/unit/post/fake_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/record.h"

#define ACTIONS_MAX      64
#define ROWS_MEMORY_SIZE (8 * 1024 * 1024)
#define WORK_SIZE        (4 * 1024 * 1024)

/* Rows: 'n' -> how many copies so far; 'w' rank number -> copy that waits; 'h' rank number -> copy handed
 * over; 'r' delivery -> sealed bytes; 'p' -> the post file; 'x' number -> a byte, for FAKE_ROUNDS; 'e' ->
 * an epoch key. */

struct record {
	struct rows rows;
	const struct record_event *event;
	struct record_action actions[ACTIONS_MAX];
	size_t actions_count;
	size_t events; /* of the batch */
	uint64_t commits;
	struct buffer work;
	bool endless;
};

struct record *record_make(void *memory, size_t size)
{
	struct record *record = memory;

	if (size < RECORD_MEMORY_SIZE)
		return NULL;
	memset(record, 0, sizeof *record);
	rows_make(&record->rows, (uint8_t *)memory + sizeof *record, ROWS_MEMORY_SIZE);
	record->work = buffer_make((uint8_t *)memory + sizeof *record + ROWS_MEMORY_SIZE, WORK_SIZE);
	return record;
}

bool record_row_in_backup(struct bytes key)
{
	return key.data[0] != 'e';
}

bool record_room(const struct record *record)
{
	return rows_room(&record->rows) > ROWS_MEMORY_SIZE / 2;
}

struct rows *record_rows(struct record *record)
{
	return &record->rows;
}

void record_begin(struct record *record, const struct record_event *event)
{
	record->event = event;
}

static struct record_action *action(struct record *record, enum record_action_kind kind)
{
	struct record_action *next = &record->actions[record->actions_count++];

	assert(record->actions_count <= ACTIONS_MAX);
	*next = (struct record_action){.kind = kind};
	return next;
}

/* Bytes in the workspace until the next event. */
static struct bytes written(struct record *record, size_t from)
{
	assert(!record->work.failed);
	return bytes_make(record->work.data + from, record->work.size - from);
}

static void reply(struct record *record, uint64_t number, struct bytes text)
{
	size_t from = record->work.size;
	size_t mark;

	local_frame_begin(&record->work, &mark);
	cbor_write_array(&record->work, 3);
	cbor_write_uint(&record->work, number);
	cbor_write_uint(&record->work, ERROR_OK);
	cbor_write_bytes(&record->work, text);
	local_frame_end(&record->work, mark);
	struct record_action *made = action(record, RECORD_ACTION_REPLY);
	made->number = record->event->of.request.client;
	made->bytes = written(record, from);
}

/* Only a record that was provisioned has a name. */
static enum error reply_hello(struct record *record, uint64_t number)
{
	static const uint8_t party[32];
	size_t from = record->work.size;
	size_t mark;
	struct bytes post_file;
	enum error error = rows_get(&record->rows, bytes_of_text("p"), &post_file);

	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	local_frame_begin(&record->work, &mark);
	cbor_write_array(&record->work, error == ERROR_OK ? 9 : 3);
	cbor_write_uint(&record->work, number);
	cbor_write_uint(&record->work, error == ERROR_OK ? ERROR_OK : ERROR_NOT_NOW);
	if (error == ERROR_OK) {
		cbor_write_uint(&record->work, LOCAL_VERSION);
		cbor_write_bytes(&record->work, bytes_make(party, sizeof party));
		cbor_write_uint(&record->work, 0);
		cbor_write_text(&record->work, bytes_of_text("alliance"));
		cbor_write_text(&record->work, bytes_of_text("embassy"));
		cbor_write_text(&record->work, bytes_of_text("dtn://embassy/"));
		cbor_write_uint(&record->work, 2);
	} else {
		cbor_write_text(&record->work, bytes_of_text("not provisioned"));
	}
	local_frame_end(&record->work, mark);
	struct record_action *made = action(record, RECORD_ACTION_REPLY);
	made->number = record->event->of.request.client;
	made->bytes = written(record, from);
	return ERROR_OK;
}

static struct bytes numbered(uint8_t key[10], char table, uint8_t rank, uint64_t number)
{
	key[0] = (uint8_t)table;
	key[1] = rank;
	store_u64(key + 2, number);
	return bytes_make(key, 10);
}

/* A SUBMIT's third element becomes a copy of the precedence in its first byte. */
static enum error submit(struct record *record, uint64_t number, struct cbor_reader *reader)
{
	uint8_t key[10], next[8];
	struct bytes counter, sealed;
	uint64_t count = 0;
	enum error error = rows_get(&record->rows, bytes_of_text("n"), &counter);

	if (error == ERROR_OK)
		count = load_u64(counter.data);
	else if (error != ERROR_NOT_FOUND)
		return error;
	cbor_read_bytes(reader, 32);
	sealed = cbor_read_bytes(reader, SEALED_SIZE_MAX);
	if (cbor_read_end(reader) != ERROR_OK || sealed.size == 0 || sealed.data[0] < 1 ||
	    sealed.data[0] > 4) {
		action(record, RECORD_ACTION_LOG)->error = ERROR_REFUSED_FORM;
		reply(record, number, bytes_of_text("refused"));
		return ERROR_OK;
	}
	store_u64(next, count + 1);
	rows_put(&record->rows, bytes_of_text("n"), bytes_make(next, sizeof next));
	rows_put(&record->rows, numbered(key, 'w', 4 - sealed.data[0], count), sealed);
	reply(record, number, bytes_make(next, sizeof next));
	return ERROR_OK;
}

static enum error read_rounds(struct record *record, uint64_t number, uint64_t rounds)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		uint8_t key[10];
		struct bytes value;
		enum error error = rows_get(&record->rows, numbered(key, 'x', sum, i), &value);

		if (error == ERROR_NOT_FOUND) {
			const uint8_t one = (uint8_t)(i + 1);

			rows_put(&record->rows, numbered(key, 'x', sum, i), bytes_make(&one, 1));
			continue;
		}
		if (error != ERROR_OK)
			return error;
		sum = (uint8_t)(sum + value.data[0]);
	}
	reply(record, number, bytes_make(&sum, 1));
	return ERROR_OK;
}

static void notice(struct record *record, uint64_t size)
{
	size_t from = record->work.size;
	size_t mark;
	uint8_t *text;

	local_frame_begin(&record->work, &mark);
	cbor_write_array(&record->work, 3);
	cbor_write_uint(&record->work, 0);
	cbor_write_uint(&record->work, LOCAL_ALERT);
	cbor_write_bytes_head(&record->work, size);
	text = buffer_reserve(&record->work, size);
	assert(text != NULL);
	memset(text, 'n', size);
	local_frame_end(&record->work, mark);
	action(record, RECORD_ACTION_NOTICE)->bytes = written(record, from);
}

/* What the shell says of its disk, a byte each: the level, and what is left with the courier. */
static void reply_shell(struct record *record, uint64_t number)
{
	const struct record_shell *shell = record->event->of.request.shell;
	uint8_t facts[1 + LINK_PRECEDENCE_MAX] = {(uint8_t)shell->disk};

	for (size_t i = 0; i < LINK_PRECEDENCE_MAX; i++)
		facts[1 + i] = (uint8_t)shell->left[i];
	reply(record, number, bytes_make(facts, sizeof facts));
}

static enum error request(struct record *record)
{
	struct cbor_reader reader = cbor_reader_make(record->event->of.request.frame);
	size_t count = cbor_read_array(&reader, 16);
	uint64_t number = cbor_read_uint(&reader);
	uint64_t verb = cbor_read_uint(&reader);
	uint64_t argument = count == 3 ? cbor_read_uint(&reader) : 0;

	switch (verb) {
	case LOCAL_HELLO:
		return reply_hello(record, number);
	case LOCAL_SUBMIT:
		return submit(record, number, &reader);
	case LOCAL_STATUS:
		reply_shell(record, number);
		return ERROR_OK;
	case FAKE_ROUNDS:
		return read_rounds(record, number, argument);
	case FAKE_FULL:
		if (record->events != 0)
			return ERROR_FULL;
		break;
	case FAKE_BROKEN:
		return ERROR_MALFORMED;
	case FAKE_ENDLESS:
		record->endless = true;
		return ERROR_NEEDS_ROWS;
	case FAKE_WIPE:
		action(record, RECORD_ACTION_WIPE);
		break;
	case FAKE_NOTICE:
		notice(record, argument);
		break;
	case FAKE_LARGE:
		reply(record, number,
		      bytes_make(record->work.data + WORK_SIZE / 2, LOCAL_FRAME_SIZE_MAX - 10));
		return ERROR_OK;
	default:
		break;
	}
	reply(record, number, bytes_of_text("done"));
	return ERROR_OK;
}

/* Handing over moves a row from 'w' to 'h'; LOST moves all back. */
static enum error hand_over(struct record *record)
{
	struct link_window window = record->event->of.room.window;
	uint8_t key[10];
	struct row row = {.key = {NULL, 0}};

	for (size_t i = 0; i < record->event->of.room.copies_max && i < ACTIONS_MAX - 8; i++) {
		enum error error = rows_first(&record->rows, bytes_of_text("w"), &row);
		unsigned precedence;

		if (error == ERROR_NOT_FOUND)
			return ERROR_OK;
		if (error != ERROR_OK)
			return error;
		precedence = 4 - row.key.data[1];
		if (!link_window_open(&window, precedence, row.value.size))
			return ERROR_OK;
		link_window_sent(&window, precedence, row.value.size);
		rows_put(&record->rows, numbered(key, 'h', row.key.data[1], load_u64(row.key.data + 2)),
			 row.value);
		rows_delete(&record->rows, row.key);
		struct record_action *send = action(record, RECORD_ACTION_SEND);
		store_u64(send->copy, load_u64(row.key.data + 2));
		send->precedence = precedence;
		send->lifetime_ms = 1000;
		send->node = bytes_of_text("dtn://far/");
		send->bytes = row.value;
	}
	return ERROR_OK;
}

static enum error lose(struct record *record)
{
	struct row row;
	enum error error;
	uint8_t key[10];

	while ((error = rows_first(&record->rows, bytes_of_text("h"), &row)) == ERROR_OK) {
		rows_put(&record->rows, numbered(key, 'w', row.key.data[1], load_u64(row.key.data + 2)),
			 row.value);
		rows_delete(&record->rows, row.key);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error progress(struct record *record)
{
	const uint8_t *copy = record->event->of.progress.copy;
	uint8_t key[10];

	for (uint8_t rank = 0; rank < 4; rank++) {
		struct bytes value;
		enum error error = rows_get(&record->rows, numbered(key, 'h', rank, load_u64(copy)), &value);

		if (error == ERROR_OK)
			rows_delete(&record->rows, bytes_make(key, sizeof key));
		else if (error != ERROR_NOT_FOUND)
			return error;
	}
	if (record->event->of.progress.state == LOCAL_CARRIED)
		memcpy(action(record, RECORD_ACTION_CANCEL)->copy, copy, 16);
	return ERROR_OK;
}

/* The first byte is what it is: the precedence of a message, or 0 for all else. */
static bool leave(struct record *record)
{
	const struct record_event *event = record->event;
	uint8_t precedence = event->of.received.sealed.data[0];

	if (precedence == 0 || precedence >= event->of.received.precedence_min)
		return false;
	struct record_action *left = action(record, RECORD_ACTION_LEFT);
	left->number = event->of.received.delivery;
	left->precedence = precedence;
	return true;
}

static enum error handle(struct record *record)
{
	const struct record_event *event = record->event;
	uint8_t key[10];

	switch (event->kind) {
	case RECORD_PROVISION:
		if (event->of.provision.post_file.size != 64)
			return ERROR_OK; /* not accepted */
		rows_put(&record->rows, bytes_of_text("p"), event->of.provision.post_file);
		rows_put(&record->rows, bytes_of_text("e"), bytes_of_text("an epoch key of the fake record"));
		return ERROR_OK;
	case RECORD_REQUEST:
		return request(record);
	case RECORD_RECEIVED:
		if (leave(record))
			return ERROR_OK;
		rows_put(&record->rows, numbered(key, 'r', 0, event->of.received.delivery),
			 event->of.received.sealed);
		action(record, RECORD_ACTION_TAKEN)->number = event->of.received.delivery;
		notice(record, 8);
		return ERROR_OK;
	case RECORD_PROGRESS:
		return progress(record);
	case RECORD_COURIER_ROOM:
		return hand_over(record);
	case RECORD_COURIER_LOST:
		return lose(record);
	case RECORD_COMMIT:
		store_u64(buffer_reserve(&record->work, 8), ++record->commits);
		action(record, RECORD_ACTION_ANCHOR)->bytes = written(record, record->work.size - 8);
		return ERROR_OK;
	case RECORD_START:
		return lose(record);
	case RECORD_COURIER_HEADS:
	case RECORD_TICK:
		return ERROR_OK;
	}
	return ERROR_MALFORMED;
}

enum error record_needs(struct record *record)
{
	enum error error;

	rows_begin(&record->rows);
	record->actions_count = 0;
	record->work.size = 0;
	error = handle(record);
	if (error == ERROR_OK)
		error = rows_keep(&record->rows);
	if (error != ERROR_OK && error != ERROR_NEEDS_ROWS)
		rows_undo(&record->rows);
	return error;
}

void record_step(struct record *record, const struct record_action **actions, size_t *count)
{
	record->events = record->event->kind == RECORD_COMMIT ? 0 : record->events + 1;
	*actions = record->actions;
	*count = record->actions_count;
}
