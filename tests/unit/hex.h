/* Hexadecimal in tests: values as the standards print them. */
#ifndef TESTS_UNIT_HEX_H
#define TESTS_UNIT_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Writes the bytes that the lower- or upper-case digits of `text` stand for to `memory`, at most size_max of
 * them, and returns a view of them. Spaces in `text` are skipped. Anything else, an odd digit or too many
 * bytes end the program: the test itself is wrong.
 */
struct bytes hex_decode(const char *text, uint8_t *memory, size_t size_max);

#endif
