#include "tests/unit/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));
	const char *parent = getenv("TMPDIR");

	assert_non_null(scratch);
	snprintf(scratch->folder, sizeof scratch->folder, "%s/liaison-test-XXXXXX",
		 parent != NULL ? parent : "/tmp");
	assert_non_null(mkdtemp(scratch->folder));
	*state = scratch;
	return 0;
}

int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;
	DIR *folder = opendir(scratch->folder);
	struct dirent *entry;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			assert_int_equal(unlinkat(dirfd(folder), entry->d_name, 0), 0);
	}
	closedir(folder);
	assert_int_equal(rmdir(scratch->folder), 0);
	free(scratch);
	return 0;
}

const char *scratch_path(const struct scratch *scratch, const char *name, char *path)
{
	int size = snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", scratch->folder, name);

	assert_in_range(size, 1, SCRATCH_PATH_SIZE - 1);
	return path;
}

size_t scratch_read(const char *path, void *to, size_t size_max)
{
	int fd = open(path, O_RDONLY);
	ssize_t size;

	assert_true(fd >= 0);
	size = read(fd, to, size_max);
	assert_true(size >= 0);
	close(fd);
	return (size_t)size;
}

void scratch_write(const char *path, struct bytes content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.data, content.size), content.size);
	close(fd);
}
