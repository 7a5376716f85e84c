/*
 * Where a post is found: the node id and the network address of its courier. What the authority signs, and
 * what others paste into courier.conf, must be what a courier takes.
 */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stdbool.h>

#include "base/bytes.h"

/*
 * True for the node id of a courier (doc/PROTOCOL.md, section 13), in its one form: `ipn:N.0` or `ipn:A.N.0`
 * with numbers from 1 to 2^32 - 2, or `dtn://NAME/` with a NAME of 1 to 120 letters, digits, `-`, `.`, `_`.
 */
bool place_is_node(struct bytes text);

/* True for a numeric address with its port: `192.0.2.1:4556`, `[2001:db8::1]:4556`. */
bool place_is_address(struct bytes text);

#endif
