/*
 * Standard input, output and error, as every program is to find them: open.
 *
 * Who is started without them gives what he opens next their numbers: what is meant for a terminal then goes
 * into a lock file, or into the socket that leads to the post.
 */
#ifndef SHELL_STANDARD_DESCRIPTORS_H
#define SHELL_STANDARD_DESCRIPTORS_H

#include <stdbool.h>

/*
 * Fills the numbers 0 to 2 that are not open with /dev/null, the wrong way round: reading from such an input
 * and writing to such an output fails, as it would have, and can be told. The first thing that a main does.
 * False with errno.
 */
bool standard_descriptors_fill(void);

#endif
