#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "post/store.h"
#include "tests/unit/failing_disk.h"
#include "tests/unit/scratch.h"

static void open_ok(struct store *store, const struct scratch *scratch)
{
	char path[SCRATCH_PATH_SIZE];

	assert_int_equal(store_open(store, scratch_path(scratch, "store.db", path), STORE_LIVE), ERROR_OK);
}

static void put(struct store *store, const char *key, const char *value)
{
	struct rows_change change = {.key = bytes_of_text(key), .value = bytes_of_text(value)};

	assert_int_equal(store_apply(store, &change), ERROR_OK);
}

static void delete (struct store *store, const char *key)
{
	struct rows_change change = {.key = bytes_of_text(key), .deleted = true};

	assert_int_equal(store_apply(store, &change), ERROR_OK);
}

/* Keys and values of all rows, in order, joined as "key=value ". */
static void expect_rows(struct store *store, const char *expected)
{
	char text[1024];
	uint8_t key[ROW_KEY_SIZE_MAX];
	struct buffer all = buffer_make(text, sizeof text);
	struct bytes after = {NULL, 0};
	struct row row;
	bool found;

	for (;;) {
		assert_int_equal(store_next(store, after, &found, &row), ERROR_OK);
		if (!found)
			break;
		buffer_append(&all, row.key);
		buffer_append(&all, bytes_of_text("="));
		buffer_append(&all, row.value);
		buffer_append(&all, bytes_of_text(" "));
		memcpy(key, row.key.data, row.key.size);
		after = bytes_make(key, row.key.size);
	}
	assert_int_equal(all.size, strlen(expected));
	assert_memory_equal(text, expected, all.size);
}

static void committed_rows_are_there_after_a_restart_and_others_are_not(void **state)
{
	struct store store;

	open_ok(&store, *state);
	expect_rows(&store, "");
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "b", "2");
	put(&store, "a", "");
	put(&store, "c", "3");
	put(&store, "b", "22");
	delete (&store, "c");
	assert_int_equal(store_commit(&store), ERROR_OK);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "d", "4");
	store_close(&store);
	open_ok(&store, *state);
	expect_rows(&store, "a= b=22 ");
	store_close(&store);
}

/* What a handler that asks for the first and the last row of a prefix is given. */
static void wanted_rows_are_loaded_in_either_order(void **state)
{
	void *memory = malloc(ROWS_MEMORY_SIZE_MIN);
	struct store store;
	struct rows rows;
	struct row first, last;
	struct bytes value;

	open_ok(&store, *state);
	rows_make(&rows, memory, ROWS_MEMORY_SIZE_MIN);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "k1", "one");
	put(&store, "k2", "two");
	put(&store, "k3", "three");
	put(&store, "l1", "other");
	rows_begin(&rows);
	assert_int_equal(rows_first(&rows, bytes_of_text("k"), &first), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_last(&rows, bytes_of_text("k"), &last), ERROR_NEEDS_ROWS);
	assert_int_equal(rows_get(&rows, bytes_of_text("absent"), &value), ERROR_NEEDS_ROWS);
	assert_int_equal(store_load(&store, &rows), ERROR_OK);
	rows_begin(&rows);
	assert_int_equal(rows_first(&rows, bytes_of_text("k"), &first), ERROR_OK);
	assert_int_equal(rows_last(&rows, bytes_of_text("k"), &last), ERROR_OK);
	assert_int_equal(rows_get(&rows, bytes_of_text("absent"), &value), ERROR_NOT_FOUND);
	assert_true(bytes_equal(first.value, bytes_of_text("one")));
	assert_true(bytes_equal(last.value, bytes_of_text("three")));
	assert_int_equal(store_commit(&store), ERROR_OK);
	store_close(&store);
	free(memory);
}

static void every_commit_is_synced(void **state)
{
	struct store store;

	open_ok(&store, *state);
	for (unsigned i = 0; i < 3; i++) {
		unsigned before = failing_disk_syncs();

		assert_int_equal(store_begin(&store), ERROR_OK);
		put(&store, "a", i % 2 == 0 ? "even" : "odd");
		assert_int_equal(store_commit(&store), ERROR_OK);
		assert_true(failing_disk_syncs() > before);
	}
	store_close(&store);
}

static void a_failed_sync_fails_the_commit(void **state)
{
	struct store store;

	open_ok(&store, *state);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "a", "1");
	failing_disk_fail_syncs(SQLITE_IOERR_FSYNC);
	assert_int_equal(store_commit(&store), ERROR_IO);
	assert_string_equal(store_message(&store), "disk I/O error");
	failing_disk_fail_syncs(SQLITE_OK);
	store_close(&store);
}

static void a_full_disk_fails_the_commit_by_its_name_and_keeps_what_was_there(void **state)
{
	struct store store;

	open_ok(&store, *state);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "a", "1");
	assert_int_equal(store_commit(&store), ERROR_OK);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "a", "2");
	failing_disk_fail_writes(SQLITE_FULL);
	assert_int_equal(store_commit(&store), ERROR_FULL);
	store_close(&store);
	failing_disk_fail_writes(SQLITE_OK);
	open_ok(&store, *state);
	expect_rows(&store, "a=1 ");
	store_close(&store);
}

static void there_is_one_user_and_no_shared_memory_file(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	struct store store, second;

	open_ok(&store, *state);
	assert_int_equal(access(scratch_path(*state, "store.db-wal", path), F_OK), 0);
	assert_int_equal(access(scratch_path(*state, "store.db-shm", path), F_OK), -1);
	assert_int_equal(store_open(&second, scratch_path(*state, "store.db", path), STORE_LIVE), ERROR_BUSY);
	store_close(&second);
	store_close(&store);
}

static bool file_holds(const struct scratch *scratch, const char *name, struct bytes secret)
{
	static uint8_t content[1 << 20];
	char path[SCRATCH_PATH_SIZE];
	size_t size = scratch_read(scratch_path(scratch, name, path), content, sizeof content);

	return memmem(content, size, secret.data, secret.size) != NULL;
}

/* A second name of the log shows what was left in its blocks when it was truncated. */
static void a_wiped_store_holds_no_deleted_row_in_any_file(void **state)
{
	static const char secret[] = "an epoch key that must not be found again";
	struct bytes bytes = bytes_of_text(secret);
	struct store store;

	open_ok(&store, *state);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "key", secret);
	assert_int_equal(store_commit(&store), ERROR_OK);
	assert_true(file_holds(*state, "store.db-wal", bytes));
	assert_int_equal(store_wipe(&store), ERROR_OK);
	assert_true(file_holds(*state, "store.db", bytes));
	assert_int_equal(store_begin(&store), ERROR_OK);
	delete (&store, "key");
	put(&store, "other", "stays");
	assert_int_equal(store_commit(&store), ERROR_OK);
	assert_true(file_holds(*state, "store.db", bytes));
	assert_int_equal(store_wipe(&store), ERROR_OK);
	assert_false(file_holds(*state, "store.db", bytes));
	assert_false(file_holds(*state, "store.db-wal", bytes));
	expect_rows(&store, "other=stays ");
	store_close(&store);
	open_ok(&store, *state);
	expect_rows(&store, "other=stays ");
	store_close(&store);
}

/* What is not synced may come to the disk in any order: frames without the header, or it without them. */
static void a_log_is_wiped_only_when_its_header_is_gone_for_sure(void **state)
{
	static const uint8_t zeros[32];
	static uint8_t before[1 << 16], after[1 << 16];
	char path[SCRATCH_PATH_SIZE];
	struct store store;
	int frames, moved;

	open_ok(&store, *state);
	assert_int_equal(store_begin(&store), ERROR_OK);
	put(&store, "key", "value");
	assert_int_equal(store_commit(&store), ERROR_OK);
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(store.database, "main", SQLITE_CHECKPOINT_FULL, &frames, &moved),
		SQLITE_OK);
	scratch_path(*state, "store.db-wal", path);
	size_t size = scratch_read(path, before, sizeof before);
	assert_in_range(size, sizeof zeros + 1, sizeof before - 1);
	failing_disk_fail_syncs(SQLITE_IOERR_FSYNC);
	assert_int_equal(store_wipe(&store), ERROR_IO);
	failing_disk_fail_syncs(0);
	assert_int_equal(scratch_read(path, after, sizeof after), size);
	assert_memory_equal(after, zeros, sizeof zeros);
	assert_memory_equal(after + sizeof zeros, before + sizeof zeros, size - sizeof zeros);
	assert_int_equal(store_wipe(&store), ERROR_OK);
	assert_int_equal(scratch_read(path, after, sizeof after), 0);
	store_close(&store);
	open_ok(&store, *state);
	expect_rows(&store, "key=value ");
	store_close(&store);
}

static void execute(const char *path, const char *text)
{
	sqlite3 *database;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
}

static enum error open_result(const char *path)
{
	struct store store;
	enum error error = store_open(&store, path, STORE_LIVE);

	store_close(&store);
	return error;
}

static void a_database_that_is_not_ours_is_refused(void **state)
{
	char path[SCRATCH_PATH_SIZE];

	execute(scratch_path(*state, "other.db", path), "CREATE TABLE songs (title)");
	assert_int_equal(open_result(path), ERROR_MALFORMED);
	scratch_write(
		scratch_path(*state, "text.db", path),
		bytes_of_text("this is a text that is long enough to be taken for the header of a database, "
			      "or at least for what should have been one had it begun as they begin"));
	assert_int_equal(open_result(path), ERROR_MALFORMED);
	assert_int_equal(open_result(((struct scratch *)*state)->folder), ERROR_IO);
}

static void a_store_of_another_version_is_refused(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	struct store store;

	open_ok(&store, *state);
	store_close(&store);
	scratch_path(*state, "store.db", path);
	for (int version = STORE_FORMAT - 1; version <= STORE_FORMAT + 1; version++) {
		char sql[64];
		(void)snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
		execute(path, sql);
		assert_int_equal(open_result(path), version == STORE_FORMAT ? ERROR_OK : ERROR_BAD_VERSION);
	}
}

static void small_values_of_the_daemon_are_kept_beside_the_rows(void **state)
{
	char memory[8];
	struct buffer value = buffer_make(memory, sizeof memory);
	struct store store;
	bool found;

	open_ok(&store, *state);
	assert_int_equal(store_shell_get(&store, "name", &value, &found), ERROR_OK);
	assert_false(found);
	assert_int_equal(store_shell_put(&store, "name", bytes_of_text("old")), ERROR_OK);
	assert_int_equal(store_shell_put(&store, "name", bytes_of_text("value")), ERROR_OK);
	assert_int_equal(store_shell_get(&store, "name", &value, &found), ERROR_OK);
	assert_true(found);
	assert_true(bytes_equal(buffer_bytes(&value), bytes_of_text("value")));
	/* Larger than the caller's memory: refused, not cut. */
	assert_int_equal(store_shell_get(&store, "name", &value, &found), ERROR_MALFORMED);
	expect_rows(&store, "");
	assert_true(store_size(&store) >= 4096);
	store_close(&store);
}

static int install(void **state)
{
	assert_int_equal(store_prepare_process(), ERROR_OK);
	failing_disk_install();
	return 0;
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(committed_rows_are_there_after_a_restart_and_others_are_not),
		scratch_test(wanted_rows_are_loaded_in_either_order),
		scratch_test(every_commit_is_synced),
		scratch_test(a_failed_sync_fails_the_commit),
		scratch_test(a_full_disk_fails_the_commit_by_its_name_and_keeps_what_was_there),
		scratch_test(there_is_one_user_and_no_shared_memory_file),
		scratch_test(a_wiped_store_holds_no_deleted_row_in_any_file),
		scratch_test(a_log_is_wiped_only_when_its_header_is_gone_for_sure),
		scratch_test(a_database_that_is_not_ours_is_refused),
		scratch_test(a_store_of_another_version_is_refused),
		scratch_test(small_values_of_the_daemon_are_kept_beside_the_rows),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
