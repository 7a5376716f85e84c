/*
 * For the tests of envelope/: bytes written as hexadecimal, and the published vector files, which are read
 * from the folder that the environment variable LIAISON_VECTORS names.
 */
#ifndef TESTS_UNIT_ENVELOPE_VECTORS_H
#define TESTS_UNIT_ENVELOPE_VECTORS_H

#include <jansson.h>

#include "base/bytes.h"

/* The bytes of a hexadecimal text (see ../hex.h), in a static arena that hex_reset empties. */
struct bytes hex(const char *text);
void hex_reset(void);

/* Fails the test unless `bytes` are those that the hexadecimal text says. */
void assert_hex(struct bytes bytes, const char *text);

/*
 * The parsed file; json_decref it. Where no folder is named, says so on standard output and skips the running
 * test; a folder that lacks the file fails it.
 */
json_t *vectors_load(const char *name);

/* A member that must be there: fails the test if it is not. */
const char *text_of(const json_t *object, const char *key);
struct bytes bytes_of(const json_t *object, const char *key); /* hexadecimal, in the arena */
const json_t *member_of(const json_t *object, const char *key);

/* Of a file in the Wycheproof layout: calls check(group, test) for each test; returns how many. */
size_t wycheproof_each(const json_t *file, void (*check)(const json_t *group, const json_t *test));

#endif
