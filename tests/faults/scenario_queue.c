/* The courier's queue on disk: batches of rows, each whole or not there. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "courier/store.h"
#include "tests/faults/scenario.h"

#define ROOM       (64 * 1024 * 1024)
#define ROWS       4
#define VALUE_SIZE 3000

static struct bytes key_of(unsigned batch, unsigned place, uint8_t key[3])
{
	key[0] = 'q';
	key[1] = (uint8_t)batch;
	key[2] = (uint8_t)place;
	return bytes_make(key, 3);
}

static enum error put_batch(struct store *store, struct rows *rows, unsigned batch)
{
	uint8_t value[VALUE_SIZE];
	uint8_t key[3];
	enum error error;

	rows_begin(rows);
	for (unsigned place = 0; place < ROWS; place++) {
		scenario_value(batch, place, value, sizeof value);
		rows_put(rows, key_of(batch, place, key), bytes_make(value, sizeof value));
	}
	error = rows_keep(rows);
	if (error == ERROR_OK)
		error = store_commit(store, rows);
	rows_reset(rows);
	return error;
}

static enum error queue_run(struct scenario_told *told)
{
	static uint8_t memory[ROWS_MEMORY_SIZE_MIN];
	struct store *store;
	struct rows rows;
	enum error error = store_open(&store, STORE_FILE, ROOM);

	rows_make(&rows, memory, sizeof memory);
	for (unsigned batch = 0; batch < SCENARIO_BATCHES && error == ERROR_OK; batch++) {
		error = put_batch(store, &rows, batch);
		if (error == ERROR_OK && told->batches <= batch)
			told->batches = batch + 1;
	}
	store_close(store);
	return error;
}

/* How many rows of the batch are there as they were written, or ROWS + 1 if one is otherwise. */
static unsigned rows_there(struct store *store, struct rows *rows, unsigned batch)
{
	uint8_t expected[VALUE_SIZE];
	uint8_t key[3];
	struct bytes value;
	unsigned there = 0;
	enum error error;

	for (unsigned place = 0; place < ROWS; place++) {
		do {
			if (store_load(store, rows) != ERROR_OK)
				return ROWS + 1;
			rows_begin(rows);
			error = rows_get(rows, key_of(batch, place, key), &value);
		} while (error == ERROR_NEEDS_ROWS);
		rows_undo(rows);
		if (error == ERROR_NOT_FOUND)
			continue;
		scenario_value(batch, place, expected, sizeof expected);
		if (error != ERROR_OK || !bytes_equal(value, bytes_make(expected, sizeof expected)))
			return ROWS + 1;
		there++;
	}
	return there;
}

static const char *queue_judge(const struct scenario_told *told)
{
	static uint8_t memory[ROWS_MEMORY_SIZE_MIN];
	const char *wrong = scenario_integrity(STORE_FILE);
	struct store *store;
	struct rows rows;

	if (wrong != NULL)
		return wrong;
	if (store_open(&store, STORE_FILE, ROOM) != ERROR_OK)
		wrong = "the store does not open any more";
	rows_make(&rows, memory, sizeof memory);
	for (unsigned batch = 0; batch < SCENARIO_BATCHES && wrong == NULL; batch++) {
		unsigned there = rows_there(store, &rows, batch);

		if (there == 0 && batch < told->batches)
			wrong = "lost: a batch that was said to be on disk";
		else if (there != 0 && there != ROWS)
			wrong = "half: some rows of a batch are there";
	}
	store_close(store);
	return wrong;
}

/* ---- wrong on purpose: the program must see each ---- */

/* Ignores errors, or else a write that takes fewer bytes. */
static enum error write_ignoring(struct scenario_told *told, bool errors)
{
	static const uint8_t byte[ROWS];
	int fd = open("ignored", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0)
		return ERROR_IO;
	written = pwrite(fd, byte, sizeof byte, 0) >= 0;
	close(fd);
	if (!written && !errors)
		return ERROR_IO;
	told->batches = 1;
	return ERROR_OK;
}

static enum error ignoring_run(struct scenario_told *told)
{
	return write_ignoring(told, true);
}

static enum error halving_run(struct scenario_told *told)
{
	return write_ignoring(told, false);
}

static const char *ignoring_judge(const struct scenario_told *told)
{
	uint8_t byte[ROWS];
	int fd = open("ignored", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, byte, sizeof byte);

	if (fd >= 0)
		close(fd);
	return told->batches != 0 && size != sizeof byte ? "lost: what was said to be written" : NULL;
}

static enum error leaking_run(struct scenario_told *told)
{
	char *first = malloc(10);
	char *second = first == NULL ? NULL : calloc(1, 10);

	if (second == NULL)
		return ERROR_NO_MEMORY;
	told->batches = (uint32_t)second[0];
	free(first);
	free(second);
	return ERROR_OK;
}

static enum error crashing_run(struct scenario_told *told)
{
	uint8_t *bytes = malloc(ROWS);

	scenario_value(0, 0, bytes, ROWS); /* as if there were always memory */
	told->batches = bytes[0];
	free(bytes);
	return ERROR_OK;
}

static enum error swallowing_run(struct scenario_told *told)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ERROR_IO;
	if (fsync(fd) < 0)
		return ERROR_IO; /* and keeps the descriptor */
	close(fd);
	told->batches = 0;
	return ERROR_OK;
}

static const char *no_objection(const struct scenario_told *told)
{
	return told->batches <= SCENARIO_BATCHES ? NULL : "more was told than there is";
}

const struct scenario scenarios[] = {
	{.name = "queue", .run = queue_run, .judge = queue_judge},
	{.name = "wrong-ignores", .run = ignoring_run, .judge = ignoring_judge, .wrong = "lost"},
	{.name = "wrong-halves", .run = halving_run, .judge = ignoring_judge, .wrong = "lost"},
	{.name = "wrong-leaks", .run = leaking_run, .judge = no_objection, .wrong = "leak"},
	{.name = "wrong-crashes", .run = crashing_run, .judge = no_objection, .wrong = "crash"},
	{.name = "wrong-keeps", .run = swallowing_run, .judge = no_objection, .wrong = "descriptors"},
	{.name = NULL},
};
