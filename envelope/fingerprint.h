/*
 * The fingerprint of a party id, in words to read over a telephone: its first 120 bits as 24 symbols of
 * base32 (RFC 4648, section 6: A to Z, 2 to 7), each in the spelling alphabet of ICAO Annex 10 (digits by
 * their English names), six lines of four words. To make another party with the same words takes 2^120
 * work.
 */
#ifndef ENVELOPE_FINGERPRINT_H
#define ENVELOPE_FINGERPRINT_H

#include <stdint.h>

#include "base/bytes.h"

#define FINGERPRINT_SIZE 15 /* the first bytes of a party id */
#define FINGERPRINT_WORDS 24
/* Hexadecimal digits of an id that vouch for it as the words do: to make another with 8 takes a day. */
#define FINGERPRINT_DIGITS        (2 * FINGERPRINT_SIZE)
#define FINGERPRINT_TEXT_SIZE_MAX (FINGERPRINT_WORDS * (8 + 1)) /* the longest word has 8 letters */

/*
 * Appends the words in capitals, a space between those of a line, a line feed between lines and none at the
 * end.
 */
void fingerprint_append(const uint8_t party_id[32], struct buffer *out);

#endif
