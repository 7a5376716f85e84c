#include "post/store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#define KEY_ABOVE_ALL   "\xff" /* a key's first byte is never 0xff (base/rows.h) */
#define LOG_HEADER_SIZE 32     /* of a write-ahead log (sqlite.org/fileformat2.html, section 4.1) */

static const char *const statement_texts[STORE_STATEMENTS] = {
	[STORE_BEGIN] = "BEGIN IMMEDIATE",
	[STORE_COMMIT] = "COMMIT",
	[STORE_SELECT_ASCENDING] = "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key",
	[STORE_SELECT_DESCENDING] =
		"SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
	[STORE_PUT] =
		"INSERT INTO rows (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
	[STORE_DELETE] = "DELETE FROM rows WHERE key = ?1",
	[STORE_SHELL_GET] = "SELECT value FROM shell WHERE name = ?1",
	[STORE_SHELL_PUT] =
		"INSERT INTO shell (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
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
	default:
		return ERROR_IO;
	}
}

enum error store_prepare_process(void)
{
	uint8_t byte;

	if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		return ERROR_IO;
	sqlite3_randomness(sizeof byte, &byte);
	return ERROR_OK;
}

/* ---- opening ---- */

static enum error execute(struct store *store, const char *text)
{
	return error_of(sqlite3_exec(store->database, text, NULL, NULL, NULL));
}

/* One integer that a pragma gives. */
static enum error pragma_get(struct store *store, const char *text, int64_t *value)
{
	sqlite3_stmt *statement;
	int result = sqlite3_prepare_v2(store->database, text, -1, &statement, NULL);

	*value = 0;
	if (result != SQLITE_OK)
		return error_of(result);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return error_of(result);
}

/* The exclusive lock mode must be set before the first read in WAL mode: then no shared memory file is
 * made. */
static enum error configure(struct store *store, enum store_purpose purpose)
{
	char text[512];
	int size = snprintf(text, sizeof text,
			    "PRAGMA locking_mode = EXCLUSIVE;"
			    "PRAGMA temp_store = MEMORY;"
			    "PRAGMA trusted_schema = OFF;"
			    "PRAGMA cell_size_check = ON;"
			    "PRAGMA secure_delete = ON;"
			    "PRAGMA mmap_size = 0;"
			    "PRAGMA cache_size = -%d;"
			    "PRAGMA journal_mode = %s;"
			    "PRAGMA synchronous = %s;"
			    "PRAGMA wal_autocheckpoint = %d;",
			    STORE_CACHE_KIB, purpose == STORE_LIVE ? "WAL" : "OFF",
			    purpose == STORE_LIVE ? "FULL" : "OFF", STORE_CHECKPOINT_PAGES);

	assert(size > 0 && (size_t)size < sizeof text);
	return execute(store, text);
}

static enum error make_tables(struct store *store)
{
	char text[512];
	int size = snprintf(text, sizeof text,
			    "BEGIN IMMEDIATE;"
			    "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT "
			    "NULL) WITHOUT ROWID;"
			    "CREATE TABLE IF NOT EXISTS shell (name TEXT PRIMARY KEY NOT NULL, value BLOB "
			    "NOT NULL) WITHOUT ROWID;"
			    "PRAGMA application_id = %d;"
			    "PRAGMA user_version = %d;"
			    "COMMIT;",
			    STORE_APPLICATION_ID, STORE_FORMAT);

	assert(size > 0 && (size_t)size < sizeof text);
	return execute(store, text);
}

static enum error check_format(struct store *store)
{
	int64_t schema, application, format;
	enum error error = pragma_get(store, "PRAGMA schema_version", &schema);

	if (error == ERROR_OK)
		error = pragma_get(store, "PRAGMA application_id", &application);
	if (error == ERROR_OK)
		error = pragma_get(store, "PRAGMA user_version", &format);
	if (error != ERROR_OK)
		return error;
	if (schema == 0 && application == 0 && format == 0)
		return make_tables(store);
	if (application != STORE_APPLICATION_ID)
		return ERROR_MALFORMED;
	/* A restored image has the rows but not the daemon's own table. */
	return format == STORE_FORMAT ? make_tables(store) : ERROR_BAD_VERSION;
}

static enum error prepare_statements(struct store *store)
{
	for (unsigned i = 0; i < STORE_STATEMENTS; i++) {
		int result = sqlite3_prepare_v3(store->database, statement_texts[i], -1,
						SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);

		if (result != SQLITE_OK)
			return error_of(result);
	}
	return ERROR_OK;
}

enum error store_open(struct store *store, const char *path, enum store_purpose purpose)
{
	const char *system = NULL;
	enum error error;

	*store = (struct store){0};
	if (purpose == STORE_LIVE) {
		system = gathered_writes_add(&store->writes);
		if (system == NULL)
			return ERROR_IO;
	}
	error = error_of(sqlite3_open_v2(path, &store->database,
					 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
						 SQLITE_OPEN_PRIVATECACHE,
					 system));
	if (error == ERROR_OK)
		error = error_of(sqlite3_db_config(store->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL));
	if (error == ERROR_OK)
		error = configure(store, purpose);
	if (error == ERROR_OK)
		error = check_format(store);
	if (error == ERROR_OK)
		error = prepare_statements(store);
	return error;
}

void store_close(struct store *store)
{
	for (unsigned i = 0; i < STORE_STATEMENTS; i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
	sqlite3_close(store->database);
	store->database = NULL;
	gathered_writes_remove(&store->writes);
	store->in_transaction = false;
}

const char *store_message(const struct store *store)
{
	return store->database == NULL ? "the database could not be opened" : sqlite3_errmsg(store->database);
}

/* ---- one statement ---- */

/* A null pointer would bind NULL, which is not the empty byte string. */
static int bind_bytes(sqlite3_stmt *statement, int index, struct bytes bytes)
{
	return sqlite3_bind_blob64(statement, index, bytes.size == 0 ? (const void *)"" : bytes.data,
				   bytes.size, SQLITE_STATIC);
}

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
	const void *data = sqlite3_column_blob(statement, column);

	return bytes_make(data, (size_t)sqlite3_column_bytes(statement, column));
}

/* Runs a statement that gives no row, and makes it ready for the next time. */
static enum error run(struct store *store, enum store_statement which)
{
	sqlite3_stmt *statement = store->statements[which];
	int result = sqlite3_step(statement);

	sqlite3_reset(statement);
	return error_of(result);
}

enum error store_begin(struct store *store)
{
	enum error error;

	assert(!store->in_transaction);
	error = run(store, STORE_BEGIN);
	store->in_transaction = error == ERROR_OK;
	return error;
}

enum error store_commit(struct store *store)
{
	assert(store->in_transaction);
	store->in_transaction = false;
	return run(store, STORE_COMMIT);
}

enum error store_apply(struct store *store, const struct rows_change *change)
{
	enum store_statement which = change->deleted ? STORE_DELETE : STORE_PUT;
	sqlite3_stmt *statement = store->statements[which];
	int result = bind_bytes(statement, 1, change->key);

	assert(store->in_transaction);
	if (result == SQLITE_OK && !change->deleted)
		result = bind_bytes(statement, 2, change->value);
	return result == SQLITE_OK ? run(store, which) : error_of(result);
}

/* ---- reading rows ---- */

static enum error select_range(struct store *store, enum store_statement which, struct bytes low,
			       struct bytes high)
{
	sqlite3_stmt *statement = store->statements[which];
	int result = bind_bytes(statement, 1, low);

	if (result == SQLITE_OK)
		result = bind_bytes(statement, 2, high);
	return error_of(result);
}

static enum error load_want(struct store *store, struct rows *rows, size_t index)
{
	struct rows_wanted wanted = rows_wanted(rows, index);
	enum store_statement which = wanted.descending ? STORE_SELECT_DESCENDING : STORE_SELECT_ASCENDING;
	sqlite3_stmt *statement = store->statements[which];
	enum error error = select_range(store, which, wanted.low, wanted.high);
	int result;

	if (error != ERROR_OK)
		return error;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct bytes key = column_bytes(statement, 0);
		struct bytes value = column_bytes(statement, 1);

		if (key.size > ROW_KEY_SIZE_MAX || value.size > ROW_VALUE_SIZE_MAX) {
			error = ERROR_MALFORMED;
			break;
		}
		if (!rows_load(rows, index, key, value))
			break;
	}
	if (result == SQLITE_DONE)
		rows_load_end(rows, index);
	sqlite3_reset(statement);
	return error == ERROR_OK ? error_of(result) : error;
}

enum error store_load(struct store *store, struct rows *rows)
{
	size_t count = rows_wanted_count(rows);
	enum error error = ERROR_OK;

	for (size_t i = 0; i < count && error == ERROR_OK; i++)
		error = load_want(store, rows, i);
	return error;
}

enum error store_next(struct store *store, struct bytes after, bool *found, struct row *row)
{
	sqlite3_stmt *statement = store->statements[STORE_SELECT_ASCENDING];
	uint8_t low[ROW_KEY_SIZE_MAX + 1];
	enum error error;
	int result;

	assert(after.size <= ROW_KEY_SIZE_MAX);
	if (after.size != 0)
		memcpy(low, after.data, after.size);
	low[after.size] = 0; /* the smallest key above */
	sqlite3_reset(statement);
	error = select_range(store, STORE_SELECT_ASCENDING,
			     bytes_make(low, after.size == 0 ? 0 : after.size + 1),
			     bytes_of_text(KEY_ABOVE_ALL));
	if (error != ERROR_OK)
		return error;
	result = sqlite3_step(statement);
	*found = result == SQLITE_ROW;
	if (*found)
		*row = (struct row){.key = column_bytes(statement, 0), .value = column_bytes(statement, 1)};
	return error_of(result);
}

void store_next_end(struct store *store)
{
	sqlite3_reset(store->statements[STORE_SELECT_ASCENDING]);
}

/* ---- the daemon's own values ---- */

enum error store_shell_get(struct store *store, const char *name, struct buffer *value, bool *found)
{
	sqlite3_stmt *statement = store->statements[STORE_SHELL_GET];
	int result = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);

	*found = false;
	if (result != SQLITE_OK)
		return error_of(result);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		buffer_append(value, column_bytes(statement, 0));
		*found = true;
	}
	sqlite3_reset(statement);
	return value->failed ? ERROR_MALFORMED : error_of(result);
}

enum error store_shell_put(struct store *store, const char *name, struct bytes value)
{
	sqlite3_stmt *statement = store->statements[STORE_SHELL_PUT];
	int result = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);

	if (result == SQLITE_OK)
		result = bind_bytes(statement, 2, value);
	return result == SQLITE_OK ? run(store, STORE_SHELL_PUT) : error_of(result);
}

/* ---- the files below ---- */

/* SQLite's handle of the write-ahead log; NULL while there is none. */
static sqlite3_file *log_file(struct store *store)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(store->database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK)
		return NULL;
	return file != NULL && file->pMethods != NULL ? file : NULL;
}

static enum error checkpoint(struct store *store, int mode)
{
	int frames, moved;
	int result = sqlite3_wal_checkpoint_v2(store->database, "main", mode, &frames, &moved);

	if (result == SQLITE_OK && frames != moved)
		return ERROR_BUSY;
	return error_of(result);
}

/*
 * Zeros over the whole file, synced; first over the header alone, which is within one sector. Were the frames
 * overwritten while it may still be there, a power failure could leave it with the first of them, and SQLite
 * would lay those old pages over newer ones.
 */
static enum error overwrite(sqlite3_file *file)
{
	static const uint8_t zeros[4096];
	sqlite3_int64 size;
	int result = file->pMethods->xFileSize(file, &size);

	if (result == SQLITE_OK && size >= LOG_HEADER_SIZE) {
		result = file->pMethods->xWrite(file, zeros, LOG_HEADER_SIZE, 0);
		if (result == SQLITE_OK)
			result = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
	}
	for (sqlite3_int64 at = 0; result == SQLITE_OK && at < size; at += (sqlite3_int64)sizeof zeros) {
		sqlite3_int64 left = size - at;

		result = file->pMethods->xWrite(
			file, zeros, left < (sqlite3_int64)sizeof zeros ? (int)left : (int)sizeof zeros, at);
	}
	if (result == SQLITE_OK)
		result = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
	return error_of(result);
}

/*
 * Once every page of the log is in the database and synced, the log's content is of no use: a crash from then
 * on leaves it whole, or without a valid header, which SQLite takes for an empty one. We are its only reader
 * (EXCLUSIVE).
 */
enum error store_wipe(struct store *store)
{
	sqlite3_file *file;
	enum error error;

	assert(!store->in_transaction);
	error = checkpoint(store, SQLITE_CHECKPOINT_FULL);
	file = log_file(store);
	if (error == ERROR_OK && file != NULL)
		error = overwrite(file);
	if (error == ERROR_OK)
		error = checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE);
	return error;
}

uint64_t store_size(struct store *store)
{
	sqlite3_file *files[2] = {NULL, log_file(store)};
	uint64_t total = 0;

	if (sqlite3_file_control(store->database, "main", SQLITE_FCNTL_FILE_POINTER, &files[0]) != SQLITE_OK)
		files[0] = NULL;
	for (unsigned i = 0; i < 2; i++) {
		sqlite3_int64 size = 0;

		if (files[i] != NULL && files[i]->pMethods != NULL &&
		    files[i]->pMethods->xFileSize(files[i], &size) == SQLITE_OK && size > 0)
			total += (uint64_t)size;
	}
	return total;
}

void store_release_memory(struct store *store)
{
	sqlite3_db_release_memory(store->database);
}
