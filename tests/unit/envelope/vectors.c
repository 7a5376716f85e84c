#include "tests/unit/envelope/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/hex.h"

static uint8_t arena[1 << 20];
static size_t arena_size;

void hex_reset(void)
{
	arena_size = 0;
}

struct bytes hex(const char *text)
{
	struct bytes bytes = hex_decode(text, arena + arena_size, sizeof arena - arena_size);

	arena_size += bytes.size;
	return bytes;
}

void assert_hex(struct bytes bytes, const char *text)
{
	size_t before = arena_size;
	struct bytes expected = hex(text);

	assert_int_equal(bytes.size, expected.size);
	if (bytes.size != 0)
		assert_memory_equal(bytes.data, expected.data, bytes.size);
	arena_size = before;
}

json_t *vectors_load(const char *name)
{
	const char *folder = getenv("LIAISON_VECTORS");
	char path[1024];
	json_error_t error;
	json_t *file;

	if (folder == NULL) {
		printf("# skipped: the published vectors are not here (LIAISON_VECTORS is not set)\n");
		skip();
		return NULL;
	}
	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = json_load_file(path, 0, &error);
	if (file == NULL)
		fail_msg("%s, line %d: %s", path, error.line, error.text);
	return file;
}

const json_t *member_of(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	if (member == NULL)
		fail_msg("no member %s", key);
	return member;
}

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(member_of(object, key));

	if (text == NULL)
		fail_msg("%s is not a text", key);
	return text;
}

struct bytes bytes_of(const json_t *object, const char *key)
{
	return hex(text_of(object, key));
}

size_t wycheproof_each(const json_t *file, void (*check)(const json_t *group, const json_t *test))
{
	const json_t *groups = member_of(file, "testGroups");
	size_t total = 0;

	for (size_t i = 0; i < json_array_size(groups); i++) {
		const json_t *group = json_array_get(groups, i);
		const json_t *tests = member_of(group, "tests");

		for (size_t j = 0; j < json_array_size(tests); j++, total++) {
			hex_reset();
			check(group, json_array_get(tests, j));
		}
	}
	return total;
}
