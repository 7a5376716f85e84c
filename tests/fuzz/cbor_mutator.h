/*
 * The structure-aware mutator of all fuzz targets whose input is CBOR: it changes items and keeps what is
 * around them whole. A byte string that holds an item, as signed payloads and COSE objects do, is changed
 * inside, too. So most inputs come past the reader and to what is behind it.
 */
#ifndef TESTS_FUZZ_CBOR_MUTATOR_H
#define TESTS_FUZZ_CBOR_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * What each target defines: where the CBOR of an input begins, which goes on to its end (0; or 1 behind a
 * byte that chooses the reader); or its size, where none of it is CBOR.
 */
size_t target_cbor_at(struct bytes input);

/* libFuzzer's own change of plain bytes; and what it calls: the first is the target's, the others are
 * here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size_max, unsigned seed);

#endif
