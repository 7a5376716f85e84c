/*
 * Handlers over rows that are not as they were left: a disk, or somebody, has changed them. Asserts with
 * cmocka.
 */
#ifndef TESTS_UNIT_RECORD_SPOILT_H
#define TESTS_UNIT_RECORD_SPOILT_H

#include "tests/unit/record/hand.h"

enum spoilt_row {
	SPOILT_ROW_GONE,
	SPOILT_ROW_OTHER,  /* its value is of no form that a row has */
	SPOILT_ROW_LONGER, /* beside it, or in its place, one whose key has a byte more */
};

/* What is spoilt before a handler runs. */
struct spoiling {
	hand_handler *handler;
	struct row_key key;
	enum spoilt_row row;
};

/* Each alone, over the same store: the handler must end with ERROR_MALFORMED. The store is as before then. */
void expect_malformed(struct hand *hand, void *context, const struct spoiling *spoilings, size_t count);

#endif
