/*
 * The input of targets that drive a whole session: CBOR items one after another, each a step [kind,
 * arguments...]. What is not of this form ends the input; an argument that is missing or of another type is
 * 0, or empty.
 */
#ifndef TESTS_FUZZ_STEPS_H
#define TESTS_FUZZ_STEPS_H

#include <stdbool.h>

#include "base/cbor.h"

#define STEPS_MAX 32 /* of one input: what takes long finds little */

struct steps {
	struct cbor_reader reader;
	size_t count;
};

struct step {
	uint64_t kind; /* below `kinds` */
	struct cbor_reader arguments;
};

struct steps steps_make(struct bytes input);
/* The next one; false: none, or STEPS_MAX were given. */
bool steps_next(struct steps *steps, uint64_t kinds, struct step *step);

uint64_t step_number(struct step *step);
struct bytes step_bytes(struct step *step);

#endif
