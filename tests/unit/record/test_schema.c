/*
 * Keys of rows, made and read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "record/schema.h"

static uint64_t read_part(struct key_reader *reader, size_t size)
{
	switch (size) {
	case 1:
		return key_read_u8(reader);
	case 2:
		return key_read_u16(reader);
	case 4:
		return key_read_u32(reader);
	default:
		return key_read_u64(reader);
	}
}

static struct row_key make_with(size_t size, uint64_t value)
{
	struct row_key key = key_make(TABLE_POST);

	switch (size) {
	case 1:
		key_u8(&key, value);
		break;
	case 2:
		key_u16(&key, value);
		break;
	case 4:
		key_u32(&key, value);
		break;
	default:
		key_u64(&key, value);
		break;
	}
	return key;
}

static void a_part_of_a_key_is_read_as_it_was_made_or_not_at_all(void **state)
{
	static const struct {
		size_t size;
		uint64_t value;
	} parts[] = {
		{1, 0xfe},
		{2, 0xfedc},
		{4, 0xfedcba98},
		{8, 0xfedcba9876543210},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct row_key key = make_with(parts[i].size, parts[i].value);
		assert_int_equal(key.size, 1 + parts[i].size);
		struct key_reader whole = key_reader_make(key_view(&key));
		assert_int_equal(key_read_end(&whole), ERROR_MALFORMED); /* something is left */
		assert_int_equal(read_part(&whole, parts[i].size), parts[i].value);
		assert_int_equal(key_read_end(&whole), ERROR_OK);
		for (size_t size = 0; size < key.size; size++) {
			struct key_reader cut = key_reader_make(bytes_make(key.data, size));
			assert_int_equal(read_part(&cut, parts[i].size), 0);
			/* It has failed for good: what is there is read no more. */
			assert_int_equal(key_read_u8(&cut), 0);
			assert_int_equal(key_read_end(&cut), ERROR_MALFORMED);
		}
	}
}

static void no_bytes_add_nothing_to_a_key(void **state)
{
	struct row_key key = key_make(TABLE_NODE_ID);

	key_bytes(&key, NULL, 0);
	assert_int_equal(key.size, 1);
	key_bytes(&key, "node", 4);
	assert_int_equal(key.size, 5);
	assert_memory_equal(key.data + 1, "node", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_a_key_is_read_as_it_was_made_or_not_at_all),
		cmocka_unit_test(no_bytes_add_nothing_to_a_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
