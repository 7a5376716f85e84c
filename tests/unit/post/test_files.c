#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "post/files.h"
#include "tests/unit/scratch.h"

static enum error read_into(const char *path, void *memory, size_t size_max, size_t *size)
{
	struct buffer to = buffer_make(memory, size_max);
	enum error error = file_read_small(path, &to);

	*size = to.size;
	return error;
}

static void a_small_file_is_read_whole_and_a_larger_one_refused(void **state)
{
	char path[SCRATCH_PATH_SIZE], memory[5];
	size_t size;

	scratch_write(scratch_path(*state, "file", path), bytes_of_text("12345"));
	assert_int_equal(read_into(path, memory, 5, &size), ERROR_OK);
	assert_int_equal(size, 5);
	assert_memory_equal(memory, "12345", 5);
	assert_int_equal(read_into(path, memory, 4, &size), ERROR_TOO_LARGE);
	assert_int_equal(size, 0);
}

static void only_regular_files_are_read(void **state)
{
	char path[SCRATCH_PATH_SIZE], link_path[SCRATCH_PATH_SIZE], memory[5];
	size_t size;

	scratch_path(*state, "fifo", path);
	assert_int_equal(read_into(path, memory, 5, &size), ERROR_NOT_FOUND);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_into(path, memory, 5, &size), ERROR_MALFORMED);
	scratch_path(*state, "link", link_path);
	assert_int_equal(symlink("/etc/hostname", link_path), 0);
	assert_int_equal(read_into(link_path, memory, 5, &size), ERROR_MALFORMED);
}

/* A second name of the same file shows what was left in its blocks. */
static void an_erased_file_is_gone_and_was_overwritten(void **state)
{
	static uint8_t secret[10000], left[10001];
	char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];

	memset(secret, 0x5a, sizeof secret);
	scratch_write(scratch_path(*state, "secret", path), bytes_make(secret, sizeof secret));
	assert_int_equal(link(path, scratch_path(*state, "other", other)), 0);
	assert_int_equal(file_erase(path), ERROR_OK);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(scratch_read(other, left, sizeof left), sizeof secret);
	for (size_t i = 0; i < sizeof secret; i++)
		assert_int_equal(left[i], 0);
	assert_int_equal(file_erase(path), ERROR_OK);
}

static void a_failed_write_is_an_error_and_a_full_disk_its_own(void **state)
{
	char path[SCRATCH_PATH_SIZE];
	int fd = open(scratch_path(*state, "file", path), O_RDONLY | O_CREAT, 0600);
	uint8_t byte = 0;
	size_t got;

	assert_int_equal(file_write_at(fd, bytes_make(&byte, 1), 0), ERROR_IO);
	assert_int_equal(file_read_at(fd, &byte, 1, 0, &got), ERROR_OK);
	assert_int_equal(got, 0);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	assert_int_equal(file_write_at(fd, bytes_make(&byte, 1), 0), ERROR_FULL);
	close(fd);
}

static void the_directory_of_any_form_of_path_is_synced(void **state)
{
	char path[SCRATCH_PATH_SIZE];

	assert_int_equal(file_sync_directory_of("name"), ERROR_OK);
	assert_int_equal(file_sync_directory_of("/name"), ERROR_OK);
	assert_int_equal(file_sync_directory_of(scratch_path(*state, "name", path)), ERROR_OK);
	assert_int_equal(file_sync_directory_of(scratch_path(*state, "absent/name", path)), ERROR_IO);
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_small_file_is_read_whole_and_a_larger_one_refused),
		scratch_test(only_regular_files_are_read),
		scratch_test(an_erased_file_is_gone_and_was_overwritten),
		scratch_test(a_failed_write_is_an_error_and_a_full_disk_its_own),
		scratch_test(the_directory_of_any_form_of_path_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
