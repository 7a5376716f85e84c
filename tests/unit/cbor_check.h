/*
 * The strict reader on bytes of which no format is known.
 */
#ifndef TESTS_UNIT_CBOR_CHECK_H
#define TESTS_UNIT_CBOR_CHECK_H

#include "base/cbor.h"

/* ERROR_OK if `bytes` is exactly one accepted item. */
static inline enum error cbor_check(struct bytes bytes)
{
	struct cbor_reader reader = cbor_reader_make(bytes);

	cbor_read_item(&reader);
	return cbor_read_end(&reader);
}

#endif
