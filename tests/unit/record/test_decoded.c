/* Rows that every event asks for are decoded once: what is read is always what the row says now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record/workspace.h"

static struct record *record;

static int set_up(void **state)
{
	record = record_make(malloc(RECORD_MEMORY_SIZE), RECORD_MEMORY_SIZE);
	return 0;
}

static int tear_down(void **state)
{
	free(record);
	return 0;
}

static struct row_key key_here(void)
{
	return key_make(TABLE_PARTY_ID);
}

static enum error get(uint64_t *number)
{
	struct row_key key = key_here();
	struct number read;
	enum error error = run_get(&record->run, &key, &schema_number, &read);

	*number = read.number;
	return error;
}

static void put(uint64_t number)
{
	struct row_key key = key_here();
	struct number written = {.number = number};

	run_put(&record->run, &key, &schema_number, &written);
}

/* What the store answers to the one want of the run before. */
static void load(const struct row_key *key, const struct schema *schema, const void *value)
{
	uint8_t memory[256];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	assert_int_equal(rows_wanted_count(run_rows(&record->run)), 1);
	schema_write(schema, value, &buffer);
	(void)rows_load(run_rows(&record->run), 0, key_view(key), buffer_bytes(&buffer));
}

/* A run that reads `number`, loaded as that. */
static void read_loaded(uint64_t number)
{
	struct row_key key = key_here();
	struct number stored = {.number = number};
	uint64_t read;

	run_start(&record->run);
	assert_int_equal(get(&read), ERROR_NEEDS_ROWS);
	load(&key, &schema_number, &stored);
	run_start(&record->run);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(&read), ERROR_OK);
		assert_int_equal(read, number);
	}
	assert_int_equal(rows_keep(run_rows(&record->run)), ERROR_OK);
}

/* All these numbers take the same bytes, so that only addresses could tell their rows apart. */
static void a_write_is_seen_by_its_own_run_and_by_later_ones(void **state)
{
	uint64_t read;

	read_loaded(1001);
	run_start(&record->run);
	put(1002);
	assert_int_equal(get(&read), ERROR_OK);
	assert_int_equal(read, 1002);
	put(1003);
	assert_int_equal(get(&read), ERROR_OK);
	assert_int_equal(read, 1003);
	assert_int_equal(rows_keep(run_rows(&record->run)), ERROR_OK);
	run_start(&record->run);
	assert_int_equal(get(&read), ERROR_OK);
	assert_int_equal(read, 1003);
}

static void a_write_that_is_undone_leaves_nothing_behind(void **state)
{
	uint64_t read;

	read_loaded(1001);
	for (uint64_t number = 1002; number < 1005; number++) {
		run_start(&record->run);
		put(number); /* each at the address of the one before */
		assert_int_equal(get(&read), ERROR_OK);
		assert_int_equal(read, number);
		rows_undo(run_rows(&record->run));
	}
	run_start(&record->run);
	assert_int_equal(get(&read), ERROR_OK);
	assert_int_equal(read, 1001);
}

static void rows_loaded_anew_are_decoded_anew(void **state)
{
	for (uint64_t number = 1001; number < 1004; number++) {
		read_loaded(number);
		rows_reset(run_rows(&record->run));
	}
}

static void keys_are_decoded_each_time_and_not_kept(void **state)
{
	struct row_key key = key_make(TABLE_LAST_PSK);
	struct psk psk = {.keying = 7}, read;

	memset(psk.key, 0x5a, sizeof psk.key);
	run_start(&record->run);
	assert_int_equal(run_get(&record->run, &key, &schema_psk, &read), ERROR_NEEDS_ROWS);
	load(&key, &schema_psk, &psk);
	run_start(&record->run);
	assert_int_equal(run_get(&record->run, &key, &schema_psk, &read), ERROR_OK);
	assert_memory_equal(&read, &psk, sizeof psk);
	for (size_t i = 0; i < DECODED_MAX; i++)
		assert_null(record->run.decoded[i].schema);
}

static void a_row_that_is_no_such_row_is_refused_each_time(void **state)
{
	struct row_key key = key_here();
	struct quota stored = {.start_ms = 1, .count = 2};
	uint64_t read;

	run_start(&record->run);
	assert_int_equal(get(&read), ERROR_NEEDS_ROWS);
	load(&key, &schema_quota, &stored);
	run_start(&record->run);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(&read), ERROR_MALFORMED);
		assert_int_equal(read, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_write_is_seen_by_its_own_run_and_by_later_ones, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_write_that_is_undone_leaves_nothing_behind, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(rows_loaded_anew_are_decoded_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_are_decoded_each_time_and_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_row_that_is_no_such_row_is_refused_each_time, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
