#include "courier/store.h"

#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "shell/gathered_writes.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	SELECT_ASCENDING,
	SELECT_DESCENDING,
	PUT,
	DELETE,
	STATEMENTS,
};

struct store {
	sqlite3 *database;
	struct gathered_writes writes;
	sqlite3_stmt *statements[STATEMENTS];
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[SELECT_ASCENDING] = "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key",
	[SELECT_DESCENDING] = "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
	[PUT] = "INSERT INTO rows (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
	[DELETE] = "DELETE FROM rows WHERE key = ?1",
};

static enum error error_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return ERROR_OK;
	case SQLITE_FULL:
		return ERROR_FULL;
	case SQLITE_NOMEM:
		return ERROR_NO_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERROR_BUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return ERROR_MALFORMED;
	case SQLITE_CANTOPEN:
		return ERROR_NOT_FOUND;
	default:
		return ERROR_IO;
	}
}

static enum error run(struct store *store, const char *text)
{
	return error_of(sqlite3_exec(store->database, text, NULL, NULL, NULL));
}

/* The number that `PRAGMA name` answers. */
static enum error ask(struct store *store, const char *text, int64_t *number)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(store->database, text, -1, &statement, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return error_of(result);
}

static enum error check_format(struct store *store)
{
	int64_t application = 0;
	int64_t format = 0;
	int64_t tables = 0;
	enum error error = ask(store, "PRAGMA application_id", &application);

	if (error == ERROR_OK)
		error = ask(store, "PRAGMA user_version", &format);
	if (error == ERROR_OK)
		error = ask(store, "SELECT count(*) FROM sqlite_master", &tables);
	if (error != ERROR_OK)
		return error;
	if (tables == 0 && application == 0 && format == 0)
		return ERROR_OK;
	if (application != STORE_APPLICATION_ID)
		return ERROR_MALFORMED;
	return format == STORE_FORMAT ? ERROR_OK : ERROR_BAD_VERSION;
}

static enum error set_up(struct store *store, uint64_t size_max)
{
	char text[512];
	uint64_t pages = size_max / 4096;
	enum error error = run(store, "PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE;"
				      "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;");

	if (error == ERROR_OK)
		error = check_format(store);
	if (error != ERROR_OK)
		return error;
	/* A shrinking limit never cuts what is there: SQLite then keeps the present size. What tells the
	 * file to be ours comes as a whole: a half of it would be taken for another program's. */
	snprintf(text, sizeof text,
		 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		 "PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = "
		 "4194304;"
		 "PRAGMA max_page_count = %llu;"
		 "BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d;"
		 "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
		 "COMMIT",
		 STORE_CACHE_KIB, STORE_CHECKPOINT_PAGES, (unsigned long long)pages, STORE_APPLICATION_ID,
		 STORE_FORMAT);
	error = run(store, text);
	/* After a failed sync the log's pages may be in memory only and count as written: they are written
	 * again. */
	if (error == ERROR_OK)
		error = run(store, "PRAGMA wal_checkpoint(TRUNCATE)");
	for (unsigned i = 0; i < STATEMENTS && error == ERROR_OK; i++)
		error = error_of(sqlite3_prepare_v3(store->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
						    &store->statements[i], NULL));
	return error;
}

enum error store_open(struct store **store, const char *path, uint64_t size_max)
{
	struct store *made = calloc(1, sizeof *made);
	const char *system;
	unsigned char seed;
	enum error error;

	*store = made;
	if (made == NULL)
		return ERROR_NO_MEMORY;
	system = gathered_writes_add(&made->writes);
	if (system == NULL)
		return ERROR_IO;
	error = error_of(sqlite3_open_v2(path, &made->database,
					 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
						 SQLITE_OPEN_NOMUTEX,
					 system));
	if (error != ERROR_OK)
		return error;
	sqlite3_randomness(sizeof seed, &seed);
	return set_up(made, size_max);
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->database);
	gathered_writes_remove(&store->writes);
	free(store);
}

const char *store_problem(const struct store *store)
{
	return store == NULL ? "no memory" : sqlite3_errmsg(store->database);
}

static int bind_bytes(sqlite3_stmt *statement, int at, struct bytes bytes)
{
	/* A view of no bytes must become an empty blob, not NULL. */
	return sqlite3_bind_blob64(statement, at, bytes.size > 0 ? bytes.data : (const uint8_t *)"",
				   bytes.size, SQLITE_STATIC);
}

/* Runs a statement that gives no rows, and makes it ready again. */
static int step_once(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	sqlite3_reset(statement);
	return result;
}

static struct bytes column(sqlite3_stmt *statement, int at)
{
	const void *data = sqlite3_column_blob(statement, at);

	return bytes_make(data, (size_t)sqlite3_column_bytes(statement, at));
}

static enum error load_one(struct store *store, struct rows *rows, size_t index)
{
	struct rows_wanted wanted = rows_wanted(rows, index);
	sqlite3_stmt *statement = store->statements[wanted.descending ? SELECT_DESCENDING : SELECT_ASCENDING];
	bool more = true;
	int result = bind_bytes(statement, 1, wanted.low);

	if (result == SQLITE_OK)
		result = bind_bytes(statement, 2, wanted.high);
	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	while (result == SQLITE_ROW && more) {
		struct bytes key = column(statement, 0);
		struct bytes value = column(statement, 1);

		if (key.size > ROW_KEY_SIZE_MAX || value.size > ROW_VALUE_SIZE_MAX) {
			sqlite3_reset(statement);
			return ERROR_MALFORMED;
		}
		more = rows_load(rows, index, key, value);
		if (more)
			result = sqlite3_step(statement);
	}
	sqlite3_reset(statement);
	if (result == SQLITE_DONE)
		rows_load_end(rows, index);
	return result == SQLITE_DONE || result == SQLITE_ROW ? ERROR_OK : ERROR_IO;
}

enum error store_load(struct store *store, struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++) {
		enum error error = load_one(store, rows, i);

		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}

static int write_change(struct store *store, const struct rows_change *change)
{
	sqlite3_stmt *statement = store->statements[change->deleted ? DELETE : PUT];
	int result = bind_bytes(statement, 1, change->key);

	if (result == SQLITE_OK && !change->deleted)
		result = bind_bytes(statement, 2, change->value);
	return result == SQLITE_OK ? step_once(statement) : result;
}

enum error store_commit(struct store *store, const struct rows *rows)
{
	struct rows_change change;
	size_t at = 0;
	int result;

	if (!rows_next_write(rows, &at, &change))
		return ERROR_OK;
	result = step_once(store->statements[BEGIN]);
	if (result != SQLITE_DONE)
		return error_of(result) == ERROR_FULL ? ERROR_FULL : ERROR_IO;
	do {
		result = write_change(store, &change);
	} while (result == SQLITE_DONE && rows_next_write(rows, &at, &change));
	if (result == SQLITE_DONE)
		result = step_once(store->statements[COMMIT]);
	if (result == SQLITE_DONE)
		return ERROR_OK;
	/* SQLite may have rolled back by itself; then there is nothing left to roll back. */
	if (sqlite3_get_autocommit(store->database) == 0 &&
	    step_once(store->statements[ROLLBACK]) != SQLITE_DONE)
		return ERROR_IO;
	return error_of(result) == ERROR_FULL ? ERROR_FULL : ERROR_IO;
}
