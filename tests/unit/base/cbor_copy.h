/* One CBOR item read with the typed reader and written again with the writer. */
#ifndef TESTS_UNIT_BASE_CBOR_COPY_H
#define TESTS_UNIT_BASE_CBOR_COPY_H

#include "base/cbor.h"

/*
 * Copies one item from `reader` to `to`, each head and string decoded and encoded anew. Whether map keys
 * ascend is not looked at: that is cbor_check's. Errors stay in the reader and in the buffer.
 */
void cbor_copy(struct cbor_reader *reader, struct buffer *to);

#endif
