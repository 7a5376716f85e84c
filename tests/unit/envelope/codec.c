#include "tests/unit/envelope/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AGAIN_SIZE_MAX (128 * 1024)

/* Runs round_trip on a copy that ends where the heap block ends. */
static enum error run(codec_round_trip *round_trip, struct bytes encoded, struct buffer *again)
{
	uint8_t *copy = malloc(encoded.size);
	enum error error;

	assert_true(copy != NULL || encoded.size == 0);
	if (encoded.size != 0)
		memcpy(copy, encoded.data, encoded.size);
	again->size = 0;
	again->failed = false;
	error = round_trip(bytes_make(copy, encoded.size), again);
	free(copy);
	return error;
}

static void check_same(struct bytes encoded, const struct buffer *again)
{
	assert_false(again->failed);
	assert_int_equal(again->size, encoded.size);
	assert_memory_equal(again->data, encoded.data, encoded.size);
}

static void check_lengths(struct bytes example, codec_round_trip *round_trip, struct buffer *again)
{
	uint8_t *longer = malloc(example.size + 1);

	assert_non_null(longer);
	memcpy(longer, example.data, example.size);
	longer[example.size] = 0;
	for (size_t size = 0; size < example.size; size++)
		assert_int_not_equal(run(round_trip, bytes_make(longer, size), again), ERROR_OK);
	assert_int_not_equal(run(round_trip, bytes_make(longer, example.size + 1), again), ERROR_OK);
	free(longer);
}

static void check_changes(struct bytes example, codec_round_trip *round_trip, struct buffer *again)
{
	uint8_t *changed = malloc(example.size);
	size_t refused = 0;

	assert_non_null(changed);
	memcpy(changed, example.data, example.size);
	for (size_t at = 0; at < example.size; at++) {
		for (int value = 0; value < 256; value++) {
			changed[at] = (uint8_t)value;
			if (run(round_trip, bytes_make(changed, example.size), again) == ERROR_OK)
				check_same(bytes_make(changed, example.size), again);
			else
				refused++;
		}
		changed[at] = example.data[at];
	}
	assert_true(refused > 0);
	free(changed);
}

void codec_check(struct bytes example, codec_round_trip *round_trip)
{
	uint8_t *memory = malloc(AGAIN_SIZE_MAX);
	struct buffer again = buffer_make(memory, AGAIN_SIZE_MAX);

	assert_non_null(memory);
	assert_int_equal(run(round_trip, example, &again), ERROR_OK);
	check_same(example, &again);
	check_lengths(example, round_trip, &again);
	check_changes(example, round_trip, &again);
	free(memory);
}
