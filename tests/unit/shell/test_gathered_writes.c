#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "shell/gathered_writes.h"
#include "tests/unit/failing_disk.h"
#include "tests/unit/scratch.h"

#define FILE_SIZE_MAX 400000
#define PAGE          4096

/* A file under the layer, and what it is to hold. */
struct world {
	struct gathered_writes layer;
	char path[SCRATCH_PATH_SIZE];
	sqlite3_file *file;
	uint8_t held[FILE_SIZE_MAX];
	size_t size;
};

static struct world *world_open(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	sqlite3_vfs *vfs;
	int flags = 0;

	assert_non_null(world);
	vfs = sqlite3_vfs_find(gathered_writes_add(&world->layer));
	assert_ptr_equal(vfs, &world->layer.vfs);
	assert_true(vfs->mxPathname >= SCRATCH_PATH_SIZE);
	/* SQLite's file names end with two zero bytes: the second says that no parameters follow. */
	scratch_path(*state, "file", world->path);
	world->path[strlen(world->path) + 1] = 0;
	world->file = calloc(1, (size_t)vfs->szOsFile);
	assert_non_null(world->file);
	assert_int_equal(vfs->xOpen(vfs, world->path, world->file,
				    SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, &flags),
			 SQLITE_OK);
	return world;
}

static void world_close(struct world *world)
{
	gathered_writes_remove(&world->layer);
	free(world->file);
	free(world);
}

static int write_at(struct world *world, size_t offset, size_t size, uint8_t with)
{
	uint8_t *bytes = malloc(size);
	int result;

	assert_non_null(bytes);
	memset(bytes, with, size);
	result = world->file->pMethods->xWrite(world->file, bytes, (int)size, (sqlite3_int64)offset);
	free(bytes);
	return result;
}

/* A write that is to be there. */
static void write_held(struct world *world, size_t offset, size_t size, uint8_t with)
{
	assert_true(offset + size <= FILE_SIZE_MAX);
	assert_int_equal(write_at(world, offset, size, with), SQLITE_OK);
	memset(world->held + offset, with, size);
	if (world->size < offset + size)
		world->size = offset + size;
}

static void expect_read(struct world *world, size_t offset, size_t size)
{
	static uint8_t bytes[FILE_SIZE_MAX];
	int result = world->file->pMethods->xRead(world->file, bytes, (int)size, (sqlite3_int64)offset);

	assert_int_equal(result, offset + size > world->size ? SQLITE_IOERR_SHORT_READ : SQLITE_OK);
	assert_memory_equal(bytes, world->held + offset, size);
}

static void expect_on_disk(const struct world *world)
{
	static uint8_t bytes[FILE_SIZE_MAX + 1];

	assert_int_equal(scratch_read(world->path, bytes, sizeof bytes), world->size);
	assert_memory_equal(bytes, world->held, world->size);
}

static int sync_now(struct world *world)
{
	return world->file->pMethods->xSync(world->file, SQLITE_SYNC_NORMAL);
}

static void what_follows_is_written_at_once_and_by_the_sync(void **state)
{
	struct world *world = world_open(state);
	unsigned before = failing_disk_writes();
	unsigned syncs = failing_disk_syncs();

	for (size_t i = 0; i < 10; i++) {
		write_held(world, i * (24 + PAGE), 24, (uint8_t)(2 * i + 1));
		write_held(world, i * (24 + PAGE) + 24, PAGE, (uint8_t)(2 * i + 2));
	}
	assert_int_equal(failing_disk_writes(), before);
	assert_int_equal(sync_now(world), SQLITE_OK);
	assert_int_equal(failing_disk_writes(), before + 1);
	assert_int_equal(failing_disk_syncs(), syncs + 1);
	expect_on_disk(world);
	assert_int_equal(sync_now(world), SQLITE_OK);
	assert_int_equal(failing_disk_writes(), before + 1);
	assert_int_equal(failing_disk_syncs(), syncs + 2);
	assert_int_equal(world->file->pMethods->xClose(world->file), SQLITE_OK);
	world_close(world);
}

static void what_does_not_follow_or_fit_is_written_in_its_order(void **state)
{
	struct world *world = world_open(state);
	unsigned before = failing_disk_writes();

	write_held(world, 8192, 4096, 1);
	write_held(world, 0, 4096, 2); /* hands on the one before */
	assert_int_equal(failing_disk_writes(), before + 1);
	write_held(world, 0, 100, 3); /* over it again */
	assert_int_equal(failing_disk_writes(), before + 2);
	write_held(world, 100, GATHERED_SIZE_MAX - 100, 4); /* as much as fits */
	assert_int_equal(failing_disk_writes(), before + 2);
	write_held(world, GATHERED_SIZE_MAX, 1, 5);
	assert_int_equal(failing_disk_writes(), before + 3);
	write_held(world, GATHERED_SIZE_MAX + 1, GATHERED_SIZE_MAX + 1, 6); /* more than ever fits */
	assert_int_equal(failing_disk_writes(), before + 5);
	expect_on_disk(world);
	assert_int_equal(world->file->pMethods->xClose(world->file), SQLITE_OK);
	world_close(world);
}

static void whoever_looks_sees_what_was_written(void **state)
{
	struct world *world = world_open(state);
	const sqlite3_io_methods *methods = world->file->pMethods;
	sqlite3_int64 size;
	unsigned before;

	write_held(world, 1000, 1000, 1);
	expect_read(world, 1999, 1);
	write_held(world, 2000, 1000, 2);
	before = failing_disk_writes();
	expect_read(world, 0, 2000); /* of what is handed on already */
	assert_int_equal(failing_disk_writes(), before);
	expect_read(world, 500, 4000);
	write_held(world, 3000, 1000, 3);
	assert_int_equal(methods->xFileSize(world->file, &size), SQLITE_OK);
	assert_int_equal(size, 4000);
	write_held(world, 4000, 1000, 4);
	assert_int_equal(methods->xTruncate(world->file, 4500), SQLITE_OK);
	world->size = 4500;
	memset(world->held + 4500, 0, 500);
	expect_on_disk(world);
	write_held(world, 4500, 1000, 5);
	assert_int_equal(methods->xUnlock(world->file, SQLITE_LOCK_NONE), SQLITE_OK);
	expect_on_disk(world);
	write_held(world, 5500, 1000, 6);
	assert_int_equal(methods->xClose(world->file), SQLITE_OK);
	expect_on_disk(world);
	world_close(world);
}

/* Each of the calls that hand on. */
static int hand_on(struct world *world, unsigned way)
{
	const sqlite3_io_methods *methods = world->file->pMethods;
	sqlite3_int64 size;
	uint8_t byte;

	switch (way) {
	case 0:
		return sync_now(world);
	case 1:
		return methods->xRead(world->file, &byte, 1, 10000);
	case 2:
		return methods->xFileSize(world->file, &size);
	case 3:
		return methods->xTruncate(world->file, 20000);
	case 4:
		return write_at(world, 0, 1, 9);
	case 5:
		return methods->xUnlock(world->file, SQLITE_LOCK_NONE);
	default:
		return methods->xClose(world->file);
	}
}

static void what_cannot_be_written_is_told_and_never_written_later(void **state)
{
	for (unsigned way = 0; way <= 6; way++) {
		struct world *world = world_open(state);

		write_held(world, 0, 20000, 1);
		assert_int_equal(sync_now(world), SQLITE_OK);
		assert_int_equal(write_at(world, 10000, 500, 7), SQLITE_OK); /* gathered alone */
		failing_disk_fail_writes(SQLITE_FULL);
		assert_int_equal(hand_on(world, way), SQLITE_FULL);
		failing_disk_fail_writes(SQLITE_OK);
		if (way < 6) {
			assert_int_equal(sync_now(world), SQLITE_OK);
			assert_int_equal(world->file->pMethods->xClose(world->file), SQLITE_OK);
		}
		expect_on_disk(world);
		world_close(world);
	}
}

static void any_order_of_calls_gives_the_file_that_it_would_without(void **state)
{
	struct world *world = world_open(state);
	uint32_t draw = 20261122;

	for (unsigned i = 0; i < 4000; i++) {
		draw = draw * 1664525 + 1013904223;
		size_t size = 1 + (draw >> 8) % 5000;
		size_t offset = (draw >> 4) % 3 != 0 ? world->size : (draw >> 10) % 300000;

		if (offset + size > FILE_SIZE_MAX)
			offset = 0;
		switch (draw >> 29) {
		case 0:
			expect_read(world, offset, size);
			break;
		case 1:
			assert_int_equal(sync_now(world), SQLITE_OK);
			expect_on_disk(world);
			break;
		default:
			write_held(world, offset, size, (uint8_t)i);
			break;
		}
	}
	assert_int_equal(world->file->pMethods->xClose(world->file), SQLITE_OK);
	expect_on_disk(world);
	world_close(world);
}

static void execute(sqlite3 *database, const char *text)
{
	assert_int_equal(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
}

/* A log of many pages is written in few calls, and its commit leaves nothing behind in this process. */
static void a_commit_takes_few_writes_and_stands_when_it_returns(void **state)
{
	struct gathered_writes layer;
	char path[SCRATCH_PATH_SIZE], log[SCRATCH_PATH_SIZE], copy[SCRATCH_PATH_SIZE];
	static uint8_t bytes[2000000];
	sqlite3 *database, *copied;
	sqlite3_stmt *count;
	unsigned before;

	scratch_path(*state, "database", path);
	scratch_path(*state, "database-wal", log);
	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
					 gathered_writes_add(&layer)),
			 SQLITE_OK);
	execute(database, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = FULL; CREATE TABLE numbers (number, filling)");
	before = failing_disk_writes();
	execute(database, "WITH RECURSIVE series (number) AS (VALUES (1) UNION ALL SELECT number + 1 FROM "
			  "series WHERE number < 200) INSERT INTO numbers SELECT number, zeroblob(3000) FROM "
			  "series");
	assert_true(failing_disk_writes() - before <= 20); /* of more than 200 pages */
	/* As they stand, without this process's help. */
	scratch_write(scratch_path(*state, "copy", copy),
		      bytes_make(bytes, scratch_read(path, bytes, sizeof bytes)));
	scratch_write(scratch_path(*state, "copy-wal", copy),
		      bytes_make(bytes, scratch_read(log, bytes, sizeof bytes)));
	scratch_path(*state, "copy", copy);
	assert_int_equal(sqlite3_open(copy, &copied), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(copied, "SELECT count(*) FROM numbers", -1, &count, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(count), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(count, 0), 200);
	assert_int_equal(sqlite3_finalize(count), SQLITE_OK);
	assert_int_equal(sqlite3_close(copied), SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	gathered_writes_remove(&layer);
	gathered_writes_remove(&layer);
	assert_null(sqlite3_vfs_find(layer.name));
}

static int install(void **state)
{
	failing_disk_install();
	return 0;
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_follows_is_written_at_once_and_by_the_sync),
		scratch_test(what_does_not_follow_or_fit_is_written_in_its_order),
		scratch_test(whoever_looks_sees_what_was_written),
		scratch_test(what_cannot_be_written_is_told_and_never_written_later),
		scratch_test(any_order_of_calls_gives_the_file_that_it_would_without),
		scratch_test(a_commit_takes_few_writes_and_stands_when_it_returns),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
