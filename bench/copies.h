/*
 * The sizes of sealed copies as the posts make them: bench-line takes the place of both couriers, hands
 * what one post sends to the other over the real link (base/link.h), and looks at the sizes.
 */
#ifndef BENCH_COPIES_H
#define BENCH_COPIES_H

#include "bench/line.h"
#include "bench/officer.h"

struct copies_sizes {
	unsigned message; /* bytes of the sealed copy of one message of OFFICER_TEXT_SIZE bytes of text */
	unsigned receipt; /* bytes of the sealed receipt for one entry */
};

/* Sends `count` messages, one by one; the medians. No courier may run. False after an error message. */
#define COPIES_MAX 32
bool copies_measure(struct line *line, struct officer *officer, unsigned count, struct step *step,
		    struct copies_sizes *sizes);

#endif
