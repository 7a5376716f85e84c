/* One valid message of each type, and some at their limits: for the tests of base/link.h. */
#ifndef TESTS_UNIT_BASE_LINK_SAMPLES_H
#define TESTS_UNIT_BASE_LINK_SAMPLES_H

#include "base/link.h"

#define LINK_SAMPLES_COUNT 15

/* Sample `index` (below LINK_SAMPLES_COUNT), static until the next call, and which end sends it. */
const struct link_message *link_sample(size_t index, enum link_role *from);

#endif
