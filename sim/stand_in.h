/*
 * Cheap primitives in the place of libsodium's, so that a simulated world costs what the line's own code
 * costs and not what curves do. They keep no secret from anybody who knows this file. What they keep is all
 * that the code above them can see:
 *
 * - a hash, and a tag under a key, differ where one bit of what went in differs;
 * - a signature verifies only with the key of the pair that made it, over the very bytes, and no bit of it
 *   off;
 * - sealed bytes open only with their key, nonce and additional data, and no bit of them off;
 * - two pairs agree on a secret that no third one comes to;
 * - what is not a key is told from one.
 *
 * The linker puts them there (--wrap, sim/meson.build), for what is linked with this file alone: the
 * product's code is the same and knows nothing of it. The test is tests/unit/sim/test_stand_in.c.
 */
#ifndef SIM_STAND_IN_H
#define SIM_STAND_IN_H

#include <stdbool.h>

/* From now on, the stand-ins or the real ones; at first the real ones. Keys, hashes and signatures of the one
 * are nothing to the other: switch between worlds. */
void stand_in_use(bool use);

#endif
