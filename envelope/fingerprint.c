#include "envelope/fingerprint.h"

#define WORDS_PER_LINE 4

/* By base32 symbol: A to Z, then 2 to 7. */
static const char *const words[32] = {
	"ALFA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL",
	"INDIA", "JULIETT", "KILO", "LIMA", "MIKE", "NOVEMBER", "OSCAR", "PAPA",
	"QUEBEC", "ROMEO", "SIERRA", "TANGO", "UNIFORM", "VICTOR", "WHISKEY", "X-RAY",
	"YANKEE", "ZULU", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN",
};

/* Symbol `index` of the fingerprint: its bits 5 * index to 5 * index + 4, the first being the highest. */
static unsigned symbol_at(const uint8_t *bytes, size_t index)
{
	size_t bit = 5 * index;
	unsigned pair = (unsigned)bytes[bit / 8] << 8;

	if (bit / 8 + 1 < FINGERPRINT_SIZE)
		pair |= bytes[bit / 8 + 1];
	return pair >> (11 - bit % 8) & 31;
}

void fingerprint_append(const uint8_t party_id[32], struct buffer *out)
{
	for (size_t i = 0; i < FINGERPRINT_WORDS; i++) {
		if (i != 0)
			buffer_append_byte(out, i % WORDS_PER_LINE == 0 ? '\n' : ' ');
		buffer_append(out, bytes_of_text(words[symbol_at(party_id, i)]));
	}
}
