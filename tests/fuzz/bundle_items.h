/*
 * Bundles as fuzz inputs hold them: the blocks one after another, without the indefinite array around them,
 * and with checksums that need not be right. So the mutator (cbor_mutator.h) sees items.
 */
#ifndef TESTS_FUZZ_BUNDLE_ITEMS_H
#define TESTS_FUZZ_BUNDLE_ITEMS_H

#include <stdbool.h>

#include "base/bytes.h"

/*
 * Appends the bundle of these blocks; with `checked`, each block's checksum as its type says. The buffer
 * has room for two bytes more than the blocks.
 */
void bundle_of_items(struct bytes items, bool checked, struct buffer *bundle);

#endif
