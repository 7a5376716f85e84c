#include "tests/unit/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes hex_decode(const char *text, uint8_t *memory, size_t size_max)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	size_t count = 0;

	for (; *text != '\0'; text++) {
		const char *digit = strchr(digits, *text);

		if (*text == ' ')
			continue;
		if (digit == NULL || count / 2 >= size_max) {
			fprintf(stderr, "hex_decode: not hexadecimal, or too long, at: %s\n", text);
			abort();
		}
		if (count % 2 == 0)
			memory[count / 2] = 0;
		memory[count / 2] = (uint8_t)(memory[count / 2] << 4 | ((digit - digits) & 0xf));
		count++;
	}
	if (count % 2 != 0) {
		fprintf(stderr, "hex_decode: an odd number of digits\n");
		abort();
	}
	return bytes_make(memory, count / 2);
}
