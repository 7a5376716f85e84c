#include "envelope/fingerprint.h"

#include <string.h>

#define WORDS_PER_LINE 4

/* By base32 symbol: A to Z, then 2 to 7. */
static const char *const words[32] = {
	"ALFA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL",
	"INDIA", "JULIETT", "KILO", "LIMA", "MIKE", "NOVEMBER", "OSCAR", "PAPA",
	"QUEBEC", "ROMEO", "SIERRA", "TANGO", "UNIFORM", "VICTOR", "WHISKEY", "X-RAY",
	"YANKEE", "ZULU", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN",
};

static const struct {
	const char *word;
	unsigned symbol;
} other_spellings[] = {{"ALPHA", 0}, {"JULIET", 9}, {"WHISKY", 22}, {"XRAY", 23}};

/* Symbol `index` of the fingerprint: its bits 5 * index to 5 * index + 4, the first being the highest. */
static unsigned symbol_at(const uint8_t *bytes, size_t index)
{
	size_t bit = 5 * index;
	unsigned pair = (unsigned)bytes[bit / 8] << 8;

	if (bit / 8 + 1 < FINGERPRINT_SIZE)
		pair |= bytes[bit / 8 + 1];
	return pair >> (11 - bit % 8) & 31;
}

static void symbol_set(uint8_t *bytes, size_t index, unsigned symbol)
{
	size_t bit = 5 * index;
	unsigned pair = symbol << (11 - bit % 8);

	bytes[bit / 8] |= (uint8_t)(pair >> 8);
	if (bit / 8 + 1 < FINGERPRINT_SIZE)
		bytes[bit / 8 + 1] |= (uint8_t)(pair & 0xff);
}

void fingerprint_append(const uint8_t party_id[32], struct buffer *out)
{
	for (size_t i = 0; i < FINGERPRINT_WORDS; i++) {
		if (i != 0)
			buffer_append_byte(out, i % WORDS_PER_LINE == 0 ? '\n' : ' ');
		buffer_append(out, bytes_of_text(words[symbol_at(party_id, i)]));
	}
}

static bool is_separator(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == ',' || byte == '.' ||
	       byte == '/';
}

/* `word` in any case equals `capitals`. ASCII only: what is not a letter must be the same byte. */
static bool word_equal(struct bytes word, const char *capitals)
{
	if (strlen(capitals) != word.size)
		return false;
	for (size_t i = 0; i < word.size; i++) {
		uint8_t byte = word.data[i];

		if (byte >= 'a' && byte <= 'z')
			byte = (uint8_t)(byte - 'a' + 'A');
		if (byte != (uint8_t)capitals[i])
			return false;
	}
	return true;
}

/* The symbol that a word stands for; false if it is not one of ours. */
static bool symbol_of_word(struct bytes word, unsigned *symbol)
{
	for (unsigned i = 0; i < 32; i++) {
		if (word_equal(word, words[i])) {
			*symbol = i;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof other_spellings / sizeof other_spellings[0]; i++) {
		if (word_equal(word, other_spellings[i].word)) {
			*symbol = other_spellings[i].symbol;
			return true;
		}
	}
	return false;
}

enum error fingerprint_parse(struct bytes text, uint8_t fingerprint[FINGERPRINT_SIZE])
{
	uint8_t parsed[FINGERPRINT_SIZE] = {0};
	size_t count = 0;

	memset(fingerprint, 0, FINGERPRINT_SIZE);
	for (size_t at = 0; at < text.size;) {
		size_t start = at;
		unsigned symbol;

		if (is_separator(text.data[at])) {
			at++;
			continue;
		}
		while (at < text.size && !is_separator(text.data[at]))
			at++;
		if (count == FINGERPRINT_WORDS ||
		    !symbol_of_word(bytes_make(text.data + start, at - start), &symbol))
			return ERROR_MALFORMED;
		symbol_set(parsed, count++, symbol);
	}
	if (count != FINGERPRINT_WORDS)
		return ERROR_MALFORMED;
	memcpy(fingerprint, parsed, FINGERPRINT_SIZE);
	return ERROR_OK;
}

bool fingerprint_matches(struct bytes text, const uint8_t party_id[32])
{
	uint8_t fingerprint[FINGERPRINT_SIZE];

	return fingerprint_parse(text, fingerprint) == ERROR_OK &&
	       memcmp(fingerprint, party_id, FINGERPRINT_SIZE) == 0;
}
