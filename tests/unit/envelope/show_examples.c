/* Prints the worked examples of doc/PROTOCOL.md: a name, " = " and bytes in hexadecimal on each line. */
#include <stdio.h>

#include "tests/unit/envelope/content_examples.h"

int main(void)
{
	static struct examples examples;

	examples_make(&examples);
	for (size_t i = 0; i < examples.count; i++) {
		printf("%s = ", examples.list[i].name);
		for (size_t j = 0; j < examples.list[i].bytes.size; j++)
			printf("%02x", examples.list[i].bytes.data[j]);
		printf("\n");
	}
	return ferror(stdout) || fflush(stdout) != 0 ? 1 : 0;
}
