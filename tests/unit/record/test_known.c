/*
 * What a run knows from before is what it would work out now, and secrets are gone with their event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "record/workspace.h"

static void *memory;
static struct record *record;

static int make_record(void **state)
{
	*state = memory = calloc(1, RECORD_MEMORY_SIZE);
	record = memory == NULL ? NULL : record_make(memory, RECORD_MEMORY_SIZE);
	return record == NULL || sodium_init() < 0;
}

static int drop_record(void **state)
{
	free(memory);
	return 0;
}

static void schedules_are_of_the_info_and_the_id_that_were_asked_for(void **state)
{
	static const char *const infos[] = {"one", "two", "six", "ten", "three", "seven", "eight", "fifty"};
	static const char *const ids[] = {"", "abc", "abd"};
	size_t count = sizeof(infos) / sizeof(infos[0]) * 3;

	for (size_t i = 0; i < 7 * count; i++) { /* in an order in which some are there still, and some not */
		size_t which = i % 3 == 0 ? i % 5 : i % count;
		struct bytes info = bytes_of_text(infos[which / 3]);
		struct bytes id = bytes_of_text(ids[which % 3]);
		struct hpke_schedule made;
		hpke_schedule_make(info, id, &made);
		assert_memory_equal(run_schedule(&record->run, info, id), &made, sizeof(made));
	}
}

static void a_psk_is_that_of_its_leaf_and_is_erased_with_the_event(void **state)
{
	static const uint8_t leaves[2][KEYING_KEY_SIZE] = {{1}, {1, 1}};
	struct record_event event = {.kind = RECORD_TICK};
	struct run *run = &record->run;
	struct keying_psk psk;

	for (size_t i = 0; i < 6; i++) {
		const uint8_t *leaf = leaves[i / 2 % 2];
		keying_psk_of_leaf(leaf, &psk);
		assert_memory_equal(run_psk(run, leaf), &psk, sizeof(psk));
	}
	assert_false(sodium_is_zero((const uint8_t *)&run->psk, sizeof(run->psk)));
	record_begin(record, &event);
	enum error error = record_needs(record);
	while (error == ERROR_NEEDS_ROWS) {
		for (size_t i = 0; i < rows_wanted_count(record_rows(record)); i++)
			rows_load_end(record_rows(record), i);
		error = record_needs(record);
	}
	assert_int_equal(error, ERROR_OK);
	assert_true(sodium_is_zero((const uint8_t *)&run->psk, sizeof(run->psk)));
}

static bool knows(uint64_t channel, uint64_t log, const char *name)
{
	uint8_t bytes[REFERENCE_NAME_SIZE_MAX];
	struct buffer buffer = buffer_make(bytes, sizeof(bytes));

	return run_name(&record->run, channel, log, &buffer) &&
	       bytes_equal(buffer_bytes(&buffer), bytes_of_text(name));
}

static void names_are_forgotten_when_what_they_come_from_is_written(void **state)
{
	static const enum table tables[] = {TABLE_PARTY, TABLE_PARTY_POST, TABLE_CHANNEL, TABLE_LINE};
	const struct number number = {.number = 1};
	struct run *run = &record->run;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct row_key key = key_channel(tables[i], 1);
		struct row_key other = key_channel(TABLE_PENDING, 1);
		run_start(run);
		run_name_keep(run, 1, 2, bytes_of_text("Embassy"));
		run_name_keep(run, 2, 2, bytes_of_text("Capital"));
		run_put(run, &other, &schema_number, &number);
		assert_true(knows(1, 2, "Embassy") && knows(2, 2, "Capital"));
		assert_false(knows(1, 3, "Embassy") || knows(2, 1, "Embassy"));
		run_put(run, &key, &schema_number, &number);
		assert_false(knows(1, 2, "Embassy") || knows(2, 2, "Capital"));
		run_name_keep(run, 1, 2, bytes_of_text("Chancery")); /* this run may still be undone */
		assert_false(knows(1, 2, "Chancery"));
		run_start(run);
		run_name_keep(run, 1, 2, bytes_of_text("Embassy"));
		assert_true(knows(1, 2, "Embassy"));
		run_delete(run, &key);
		assert_false(knows(1, 2, "Embassy"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules_are_of_the_info_and_the_id_that_were_asked_for),
		cmocka_unit_test(a_psk_is_that_of_its_leaf_and_is_erased_with_the_event),
		cmocka_unit_test(names_are_forgotten_when_what_they_come_from_is_written),
	};

	return cmocka_run_group_tests(tests, make_record, drop_record);
}
