#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "post/anchor_file.h"
#include "tests/unit/scratch.h"

#define FILE_SIZE (2 * ANCHOR_FILE_SLOT_SIZE)

static void expect_payload(const char *path, const char *text)
{
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof memory);
	struct anchor_file anchor;

	assert_int_equal(anchor_file_open(&anchor, path), ERROR_OK);
	assert_int_equal(anchor_file_read(&anchor, &payload), ERROR_OK);
	assert_int_equal(payload.size, strlen(text));
	assert_memory_equal(memory, text, strlen(text));
	anchor_file_close(&anchor);
}

static enum error read_only_result(const char *path)
{
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof memory);
	struct anchor_file anchor;
	enum error error;

	assert_int_equal(anchor_file_open(&anchor, path), ERROR_OK);
	error = anchor_file_read(&anchor, &payload);
	anchor_file_close(&anchor);
	return error;
}

static void write_one(const char *path, const char *text)
{
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof memory);
	struct anchor_file anchor;

	assert_int_equal(anchor_file_open(&anchor, path), ERROR_OK);
	anchor_file_read(&anchor, &payload);
	assert_int_equal(anchor_file_write(&anchor, bytes_of_text(text)), ERROR_OK);
	anchor_file_close(&anchor);
}

static void a_new_file_holds_nothing_and_has_its_full_size(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	struct stat status;

	scratch_path(*state, "anchor", path);
	assert_int_equal(read_only_result(path), ERROR_NOT_FOUND);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, FILE_SIZE);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void the_last_write_is_read_back_and_the_size_stays(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	struct stat status;

	scratch_path(*state, "anchor", path);
	write_one(path, "first");
	expect_payload(path, "first");
	write_one(path, "the second, longer");
	expect_payload(path, "the second, longer");
	write_one(path, "3");
	expect_payload(path, "3");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, FILE_SIZE);
}

/* Whatever part of the newest slot was not written, the payload before it is read. */
static void a_torn_write_leaves_the_payload_before_it(void **state)
{
	static uint8_t before[FILE_SIZE], after[FILE_SIZE], torn[FILE_SIZE];
	char path[SCRATCH_PATH_SIZE];

	scratch_path(*state, "anchor", path);
	write_one(path, "one");
	write_one(path, "two");
	assert_int_equal(scratch_read(path, before, sizeof before), FILE_SIZE);
	write_one(path, "three and more");
	assert_int_equal(scratch_read(path, after, sizeof after), FILE_SIZE);

	size_t written = ANCHOR_FILE_SLOT_OVERHEAD + strlen("three and more");
	for (size_t kept = 0; kept < written; kept++) {
		memcpy(torn, before, sizeof torn);
		memcpy(torn, after, kept);
		if (memcmp(torn, after, sizeof torn) == 0)
			continue; /* the rest happened to be the same */
		scratch_write(path, bytes_make(torn, sizeof torn));
		expect_payload(path, "two");
	}
	scratch_write(path, bytes_make(after, sizeof after));
	expect_payload(path, "three and more");
}

/* After a torn write, the next write must again spare the only whole slot. */
static void the_write_after_a_torn_one_spares_the_whole_slot(void **state)
{
	static uint8_t content[FILE_SIZE];
	char path[SCRATCH_PATH_SIZE];

	scratch_path(*state, "anchor", path);
	write_one(path, "one"); /* slot 0 */
	write_one(path, "two"); /* slot 1 */
	scratch_read(path, content, sizeof content);
	content[ANCHOR_FILE_SLOT_SIZE + 30] ^= 1;
	scratch_write(path, bytes_make(content, sizeof content));
	expect_payload(path, "one");
	write_one(path, "three");
	scratch_read(path, content, sizeof content);
	content[ANCHOR_FILE_SLOT_SIZE + 30] ^= 1;
	scratch_write(path, bytes_make(content, sizeof content));
	expect_payload(path, "one");
}

static void every_flipped_bit_of_a_slot_is_noticed(void **state)
{
	uint8_t memory[128];
	struct buffer slot = buffer_make(memory, sizeof memory);
	struct bytes payload;
	uint64_t sequence;

	anchor_file_slot_encode(&slot, 77, bytes_of_text("abc"));
	assert_int_equal(anchor_file_slot_decode(buffer_bytes(&slot), &sequence, &payload), ERROR_OK);
	assert_int_equal(sequence, 77);
	assert_int_equal(payload.size, 3);
	for (size_t bit = 0; bit < slot.size * 8; bit++) {
		memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(anchor_file_slot_decode(buffer_bytes(&slot), &sequence, &payload),
				     ERROR_OK);
		memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t size = 0; size < slot.size; size++)
		assert_int_not_equal(anchor_file_slot_decode(bytes_make(memory, size), &sequence, &payload),
				     ERROR_OK);
}

static void damage_is_told_from_a_file_of_another_kind(void **state)
{
	static uint8_t content[FILE_SIZE];
	char path[SCRATCH_PATH_SIZE];

	scratch_path(*state, "anchor", path);
	write_one(path, "one");
	scratch_read(path, content, sizeof content);
	content[40] ^= 1;
	scratch_write(path, bytes_make(content, sizeof content));
	assert_int_equal(read_only_result(path), ERROR_BAD_CHECKSUM);
	scratch_write(path, bytes_of_text("a diary"));
	assert_int_equal(read_only_result(path), ERROR_MALFORMED);
}

static void a_second_user_is_refused(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	struct anchor_file first, second;

	scratch_path(*state, "anchor", path);
	assert_int_equal(anchor_file_open(&first, path), ERROR_OK);
	assert_int_equal(anchor_file_open(&second, path), ERROR_BUSY);
	anchor_file_close(&first);
	assert_int_equal(anchor_file_open(&second, path), ERROR_OK);
	anchor_file_close(&second);
}

static void a_link_or_a_folder_is_no_anchor(void **state)
{
	char path[SCRATCH_PATH_SIZE], target[SCRATCH_PATH_SIZE];
	struct anchor_file anchor;

	scratch_path(*state, "link", path);
	scratch_path(*state, "target", target);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(anchor_file_open(&anchor, path), ERROR_IO);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(anchor_file_open(&anchor, ((struct scratch *)*state)->folder), ERROR_IO);
}

static void a_payload_up_to_the_bound_fits(void **state)
{
	static uint8_t payload[ANCHOR_FILE_PAYLOAD_SIZE_MAX + 1];
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer read_back = buffer_make(memory, sizeof memory);
	char path[SCRATCH_PATH_SIZE];
	struct anchor_file anchor;

	memset(payload, 0xa5, sizeof payload);
	assert_int_equal(anchor_file_open(&anchor, scratch_path(*state, "anchor", path)), ERROR_OK);
	assert_int_equal(anchor_file_write(&anchor, bytes_make(payload, sizeof payload)), ERROR_TOO_LARGE);
	assert_int_equal(anchor_file_write(&anchor, bytes_make(payload, sizeof payload - 1)), ERROR_OK);
	anchor.sequence = 0;
	assert_int_equal(anchor_file_read(&anchor, &read_back), ERROR_OK);
	assert_int_equal(read_back.size, ANCHOR_FILE_PAYLOAD_SIZE_MAX);
	anchor_file_close(&anchor);
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_new_file_holds_nothing_and_has_its_full_size),
		scratch_test(the_last_write_is_read_back_and_the_size_stays),
		scratch_test(a_torn_write_leaves_the_payload_before_it),
		scratch_test(the_write_after_a_torn_one_spares_the_whole_slot),
		cmocka_unit_test(every_flipped_bit_of_a_slot_is_noticed),
		scratch_test(damage_is_told_from_a_file_of_another_kind),
		scratch_test(a_second_user_is_refused),
		scratch_test(a_link_or_a_folder_is_no_anchor),
		scratch_test(a_payload_up_to_the_bound_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
