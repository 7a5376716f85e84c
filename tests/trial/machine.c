#include "tests/trial/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "post/anchor_file.h"
#include "post/backup.h"
#include "post/store.h"
#include "post/transaction.h"
#include "tests/trial/drive.h"

struct machine {
	struct store store;
	struct anchor_file anchor;
	struct backup backup;
	struct transaction transaction;
};

/* What the calls below give, which have no place for a context. */
static struct nature {
	uint64_t wall_ms;
	uint64_t steady_ms;
	uint64_t chance;
} nature;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
void __wrap_randombytes_buf(void *to, size_t size);

/* The times of the last event. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	uint64_t time_ms = clock == CLOCK_REALTIME ? nature.wall_ms : nature.steady_ms;

	now->tv_sec = (time_t)(time_ms / 1000);
	now->tv_nsec = (long)(time_ms % 1000) * 1000000;
	return 0;
}

void __wrap_randombytes_buf(void *to, size_t size)
{
	uint8_t *bytes = to;

	for (size_t i = 0; i < size; i++) {
		nature.chance = drive_mix(nature.chance);
		bytes[i] = (uint8_t)nature.chance;
	}
}

static int draw(sqlite3_vfs *vfs, int size, char *to)
{
	(void)vfs;
	__wrap_randombytes_buf(to, (size_t)size);
	return size;
}

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "machine: %s\n", what);
	abort();
}

void machine_prepare(uint64_t seed)
{
	nature.chance = seed;
	must(sqlite3_initialize() == SQLITE_OK, "SQLite does not start");
	sqlite3_vfs_find(NULL)->xRandomness = draw;
	sqlite3_shutdown();
	must(store_prepare_process() == ERROR_OK, "SQLite cannot be prepared");
	sqlite3_vfs_find(NULL)->xRandomness = draw;
	sqlite3_randomness(0, NULL);
}

struct machine *machine_make(void)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	must(machine != NULL, "no memory");
	machine->anchor.fd = -1;
	return machine;
}

const char *machine_open(struct machine *machine, struct record *record, struct buffer *anchor)
{
	*machine = (struct machine){.anchor = {.fd = -1}};
	backup_make(&machine->backup);
	transaction_make(&machine->transaction, record, &machine->store, &machine->anchor, &machine->backup);
	if (anchor_file_open(&machine->anchor, MACHINE_ANCHOR) != ERROR_OK)
		return "the anchor cannot be opened";
	if (store_open(&machine->store, MACHINE_STORE, STORE_LIVE) != ERROR_OK)
		return store_message(&machine->store);
	enum error error = anchor_file_read(&machine->anchor, anchor);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return "the anchor is damaged";
	return backup_clean() == ERROR_OK ? NULL : "what is left of a backup cannot be removed";
}

void machine_close(struct machine *machine)
{
	backup_end(&machine->backup);
	transaction_free(&machine->transaction);
	store_close(&machine->store);
	anchor_file_close(&machine->anchor);
}

bool machine_is_whole(struct machine *machine)
{
	sqlite3_stmt *statement;
	bool whole = sqlite3_prepare_v2(machine->store.database, "PRAGMA integrity_check", -1, &statement,
					NULL) == SQLITE_OK &&
		     sqlite3_step(statement) == SQLITE_ROW &&
		     strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;

	sqlite3_finalize(statement);
	return whole;
}

enum error machine_event(struct machine *machine, const struct record_event *event)
{
	nature.wall_ms = event->wall_ms;
	nature.steady_ms = event->steady_ms;
	return transaction_event(&machine->transaction, event, 0);
}

enum error machine_commit(struct machine *machine, const struct record_event *room)
{
	return transaction_commit(&machine->transaction, room);
}

enum error machine_perform(struct machine *machine,
			   void (*perform)(void *context, const struct record_action *action), void *context)
{
	return transaction_perform(&machine->transaction, perform, context);
}

void machine_rows(struct machine *machine, machine_row *each, void *context)
{
	uint8_t memory[ROW_KEY_SIZE_MAX];
	struct bytes after = {0};
	struct row row;
	bool found = true;

	while (found) {
		must(store_next(&machine->store, after, &found, &row) == ERROR_OK, "a row cannot be read");
		if (!found)
			break;
		each(context, &row);
		memcpy(memory, row.key.data, row.key.size);
		after = bytes_make(memory, row.key.size);
	}
	store_next_end(&machine->store);
}

void machine_put(struct machine *machine, const struct row *rows, size_t count)
{
	must(store_begin(&machine->store) == ERROR_OK, "a transaction cannot begin");
	for (size_t i = 0; i < count; i++) {
		struct rows_change change = {.key = rows[i].key, .value = rows[i].value};
		must(store_apply(&machine->store, &change) == ERROR_OK, "a row cannot be written");
	}
	must(store_commit(&machine->store) == ERROR_OK, "rows cannot be committed");
}

void machine_put_anchor(struct machine *machine, struct bytes anchor)
{
	must(anchor_file_write(&machine->anchor, anchor) == ERROR_OK, "the anchor cannot be written");
}

void machine_backup_begin(struct machine *machine)
{
	must(backup_begin(&machine->backup) == ERROR_OK, "a backup cannot begin");
}

/* Until the last row is copied it works in steps; then all of it is read. */
bool machine_backup_step(struct machine *machine, struct bytes *image)
{
	struct backup *backup = &machine->backup;
	uint8_t *bytes = NULL;
	size_t size = 0;
	size_t got = 1;

	must(backup_step(backup, &machine->store) == ERROR_OK, "a backup cannot go on");
	if (backup->state != BACKUP_STREAMING)
		return false;
	while (got > 0) {
		bytes = realloc(bytes, size + BACKUP_CHUNK_SIZE);
		must(bytes != NULL && backup_read(backup, bytes + size, BACKUP_CHUNK_SIZE, &got) == ERROR_OK,
		     "a backup cannot be read");
		size += got;
	}
	backup_end(backup);
	*image = bytes_make(bytes, size);
	return true;
}
