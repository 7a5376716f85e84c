#include "tests/unit/courier/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/liaison-courier-test-XXXXXX";

int scratch_open(void)
{
	int directory;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory >= 0);
	return directory;
}

void scratch_close(int directory)
{
	DIR *files = fdopendir(directory);
	const struct dirent *file;

	assert_non_null(files);
	while ((file = readdir(files)) != NULL)
		unlinkat(directory, file->d_name, 0);
	closedir(files);
	assert_int_equal(rmdir(path), 0);
}
