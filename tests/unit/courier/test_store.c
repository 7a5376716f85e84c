/* The queue's rows on disk, and the lock of the directory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "courier/lock.h"
#include "courier/store.h"
#include "tests/unit/courier/scratch.h"

#define ROOM (64 * 1024 * 1024)

static int directory;
static struct store *store;
static struct rows rows;
static uint8_t memory[4 * ROWS_MEMORY_SIZE_MIN];

static int set_up(void **state)
{
	directory = scratch_open();
	rows_make(&rows, memory, sizeof memory);
	assert_int_equal(store_open(&store, STORE_FILE, ROOM), ERROR_OK);
	return 0;
}

static int tear_down(void **state)
{
	store_close(store);
	scratch_close(directory);
	return 0;
}

static void put(const char *key, const char *value)
{
	rows_begin(&rows);
	rows_put(&rows, bytes_of_text(key), bytes_of_text(value));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
}

static void commit(void)
{
	assert_int_equal(store_commit(store, &rows), ERROR_OK);
	rows_reset(&rows);
}

/* Reads a row, loading what is wanted. */
static enum error get(const char *key, struct bytes *value)
{
	enum error error;

	do {
		assert_int_equal(store_load(store, &rows), ERROR_OK);
		rows_begin(&rows);
		error = rows_get(&rows, bytes_of_text(key), value);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&rows);
	return error;
}

static void reopen(void)
{
	store_close(store);
	rows_reset(&rows);
	assert_int_equal(store_open(&store, STORE_FILE, ROOM), ERROR_OK);
}

static void what_was_committed_is_there_after_opening_again(void **state)
{
	struct bytes value;

	put("a1", "one");
	put("a2", "");
	commit();
	put("a3", "not committed");
	reopen();
	assert_int_equal(get("a1", &value), ERROR_OK);
	assert_true(bytes_equal(value, bytes_of_text("one")));
	assert_int_equal(get("a2", &value), ERROR_OK);
	assert_int_equal(value.size, 0);
	assert_int_equal(get("a3", &value), ERROR_NOT_FOUND);
	put("a1", "two");
	rows_begin(&rows);
	rows_delete(&rows, bytes_of_text("a2"));
	assert_int_equal(rows_keep(&rows), ERROR_OK);
	commit();
	assert_int_equal(get("a1", &value), ERROR_OK);
	assert_true(bytes_equal(value, bytes_of_text("two")));
	assert_int_equal(get("a2", &value), ERROR_NOT_FOUND);
}

static void rows_stand_in_the_order_of_their_bytes_both_ways(void **state)
{
	static const char *const keys[] = {"k\x01", "k\x7f", "k\x80", "k\x80\x01", "k\xff", "k\xff\xff"};
	struct row row;
	struct bytes after = bytes_of_text("k");
	enum error error;

	for (unsigned i = 0; i < 6; i++)
		put(keys[(i * 5) % 6], "v");
	put("j", "before");
	put("l", "after");
	commit();
	for (unsigned i = 0; i < 6; i++) {
		do {
			assert_int_equal(store_load(store, &rows), ERROR_OK);
			rows_begin(&rows);
			error = rows_after(&rows, bytes_of_text("k"), after, &row);
		} while (error == ERROR_NEEDS_ROWS);
		rows_undo(&rows);
		assert_int_equal(error, ERROR_OK);
		assert_true(bytes_equal(row.key, bytes_of_text(keys[i])));
		after = row.key;
	}
	do {
		assert_int_equal(store_load(store, &rows), ERROR_OK);
		rows_begin(&rows);
		error = rows_last(&rows, bytes_of_text("k"), &row);
	} while (error == ERROR_NEEDS_ROWS);
	rows_undo(&rows);
	assert_int_equal(error, ERROR_OK);
	assert_true(bytes_equal(row.key, bytes_of_text(keys[5])));
}

static void a_store_without_room_takes_nothing_of_a_batch(void **state)
{
	static char large[100000];
	struct bytes value;

	put("first", "1");
	commit();
	store_close(store);
	rows_reset(&rows);
	assert_int_equal(store_open(&store, STORE_FILE, 64 * 1024), ERROR_OK);
	memset(large, 'x', sizeof large - 1);
	put("small", "2");
	put("zz large", large);
	assert_int_equal(store_commit(store, &rows), ERROR_FULL);
	rows_reset(&rows);
	assert_int_equal(get("small", &value), ERROR_NOT_FOUND);
	assert_int_equal(get("first", &value), ERROR_OK);
	/* And goes on. */
	put("small", "2");
	commit();
	reopen();
	assert_int_equal(get("small", &value), ERROR_OK);
}

static void another_programs_file_is_left_alone(void **state)
{
	struct store *other;
	sqlite3 *database;

	assert_int_equal(sqlite3_open("other.db", &database), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(database, "CREATE TABLE t (x); PRAGMA user_version = 1;", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(database);
	assert_int_equal(store_open(&other, "other.db", ROOM), ERROR_MALFORMED);
	store_close(other);
	assert_int_equal(sqlite3_open("other.db", &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database,
				      "PRAGMA application_id = 1818848881; PRAGMA user_version = 9;", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(database);
	assert_int_equal(store_open(&other, "other.db", ROOM), ERROR_BAD_VERSION);
	store_close(other);
	assert_int_equal(store_open(&other, "no/such/directory.db", ROOM), ERROR_NOT_FOUND);
	assert_non_null(store_problem(other));
	store_close(other);
}

/* The log has room for one page: for the first change to the file's head, and not for the next. */
static void a_store_whose_making_was_cut_off_is_made_anew(void **state)
{
	struct store *other;
	int status;
	pid_t child = fork();

	if (child == 0) {
		const struct rlimit limit = {5000, 5000};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(store_open(&other, "cut.db", ROOM) == ERROR_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_int_equal(store_open(&other, "cut.db", ROOM), ERROR_OK);
	store_close(other);
}

/* True if another process can take the lock. */
static bool other_can_lock(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		int lock;

		_exit(lock_take(directory, &lock) == ERROR_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void one_process_holds_the_lock_and_leaves_none(void **state)
{
	int lock;

	assert_int_equal(lock_take(directory, &lock), ERROR_OK);
	assert_false(other_can_lock());
	lock_release(directory, lock);
	assert_int_not_equal(access("courier.lock", F_OK), 0);
	assert_true(other_can_lock());
	/* It ended without releasing: its file stays, and keeps nobody out. */
	assert_int_equal(access("courier.lock", F_OK), 0);
	assert_int_equal(lock_take(directory, &lock), ERROR_OK);
	lock_release(directory, lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_was_committed_is_there_after_opening_again),
		TEST(rows_stand_in_the_order_of_their_bytes_both_ways),
		TEST(a_store_without_room_takes_nothing_of_a_batch),
		TEST(another_programs_file_is_left_alone),
		TEST(a_store_whose_making_was_cut_off_is_made_anew),
		TEST(one_process_holds_the_lock_and_leaves_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
