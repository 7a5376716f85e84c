/*
 * For tests/cbor_differential.py. Reads lines of hexadecimal and writes one line for each: "ok" and the item
 * decoded and encoded again, or the name of the error. With the argument "link" it reads nothing and writes
 * the samples of link messages, one frame's content on each line.
 */
#include <stdio.h>
#include <string.h>

#include "base/cbor.h"
#include "base/frame.h"
#include "tests/unit/base/cbor_copy.h"
#include "tests/unit/base/link_samples.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/hex.h"

#define ITEM_SIZE_MAX 65536

static void print_hex(struct bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++)
		printf("%02x", (unsigned)bytes.data[i]);
	putchar('\n');
}

static void echo(const char *line)
{
	static uint8_t item_memory[ITEM_SIZE_MAX];
	static uint8_t copy_memory[ITEM_SIZE_MAX];
	struct bytes item = hex_decode(line, item_memory, sizeof item_memory);
	struct buffer copy = buffer_make(copy_memory, sizeof copy_memory);
	struct cbor_reader reader = cbor_reader_make(item);
	enum error error = cbor_check(item);

	if (error != ERROR_OK) {
		printf("%s\n", error_name(error));
		return;
	}
	cbor_copy(&reader, &copy);
	printf("ok ");
	print_hex(buffer_bytes(&copy));
}

static int print_link_samples(void)
{
	static uint8_t memory[LINK_FRAME_SIZE_MAX + FRAME_HEAD_SIZE];

	for (size_t i = 0; i < LINK_SAMPLES_COUNT; i++) {
		struct buffer buffer = buffer_make(memory, sizeof memory);
		enum link_role from;
		const struct link_message *message = link_sample(i, &from);

		if (link_encode(&buffer, from, message) != ERROR_OK)
			return 1;
		buffer_consume(&buffer, FRAME_HEAD_SIZE);
		print_hex(buffer_bytes(&buffer));
	}
	return 0;
}

int main(int count, char **arguments)
{
	static char line[2 * ITEM_SIZE_MAX + 2];

	if (count == 2 && strcmp(arguments[1], "link") == 0)
		return print_link_samples();
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		echo(line);
	}
	return 0;
}
