/* What every decoder of this wing must do with hostile bytes. */
#ifndef TESTS_UNIT_ENVELOPE_CODEC_H
#define TESTS_UNIT_ENVELOPE_CODEC_H

#include "base/bytes.h"

/* Decodes `encoded`, whole, and encodes what it found to `again`. */
typedef enum error codec_round_trip(struct bytes encoded, struct buffer *again);

/*
 * Checks with an example that is of the form: it comes back as it is; cut off after any byte, or with a byte
 * more, it is refused; and with any one byte changed to any other it is either refused or comes back as
 * changed, so that nothing has two encodings. Reads outside are caught by the address sanitizer.
 */
void codec_check(struct bytes example, codec_round_trip *round_trip);

#endif
