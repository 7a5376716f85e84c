#include "envelope/terms.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "base/text.h"
#include "envelope/fields.h"

#define CHANNEL_CONTEXT "liaison channel"

/* The keys of the map. */
enum {
	KEY_SUITE = 1,
	KEY_TITLE,
	KEY_TEXT_SIZE,
	KEY_URGENT_WORDS,
	KEY_HEADS_INTERVAL,
	KEY_DELAY_WINDOW,
	KEY_HANDLING,
	KEYS_COUNT = KEY_HANDLING,
};

void terms_default(struct terms *terms, struct bytes title)
{
	*terms = (struct terms){
		.suite = TERMS_SUITE,
		.title = title,
		.text_size_max = TEXT_SIZE_MAX,
		.urgent_words_max = URGENT_WORDS_MAX,
		.heads_interval_s = 60,
		.delay_window_s = 14 * 86400,
		.handling_s = {6 * 3600, 3 * 3600, 30 * 60, 10 * 60},
	};
}

static bool between(uint64_t value, uint64_t min, uint64_t max)
{
	return value >= min && value <= max;
}

static enum error check_title(struct bytes title)
{
	if (title.size == 0)
		return ERROR_MALFORMED;
	if (title.size > NAME_SIZE_MAX)
		return ERROR_TOO_LARGE;
	return text_is_plain_line(title) ? ERROR_OK : ERROR_NOT_TEXT;
}

enum error terms_check(const struct terms *terms)
{
	if (terms->suite != TERMS_SUITE)
		return ERROR_UNSUPPORTED;
	if (!between(terms->text_size_max, TERMS_TEXT_SIZE_MIN, TEXT_SIZE_MAX) ||
	    !between(terms->urgent_words_max, TERMS_URGENT_WORDS_MIN, TERMS_URGENT_WORDS_MAX) ||
	    !between(terms->heads_interval_s, TERMS_HEADS_INTERVAL_S_MIN, TERMS_HEADS_INTERVAL_S_MAX) ||
	    !between(terms->delay_window_s, TERMS_DELAY_WINDOW_S_MIN, TERMS_DELAY_WINDOW_S_MAX))
		return ERROR_OUT_OF_RANGE;
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		if (!between(terms->handling_s[i], TERMS_HANDLING_S_MIN, TERMS_HANDLING_S_MAX))
			return ERROR_OUT_OF_RANGE;
	return check_title(terms->title);
}

void terms_encode(const struct terms *terms, struct buffer *buffer)
{
	assert(terms_check(terms) == ERROR_OK);
	cbor_write_map(buffer, KEYS_COUNT);
	cbor_write_int(buffer, KEY_SUITE);
	cbor_write_uint(buffer, terms->suite);
	cbor_write_int(buffer, KEY_TITLE);
	cbor_write_text(buffer, terms->title);
	cbor_write_int(buffer, KEY_TEXT_SIZE);
	cbor_write_uint(buffer, terms->text_size_max);
	cbor_write_int(buffer, KEY_URGENT_WORDS);
	cbor_write_uint(buffer, terms->urgent_words_max);
	cbor_write_int(buffer, KEY_HEADS_INTERVAL);
	cbor_write_uint(buffer, terms->heads_interval_s);
	cbor_write_int(buffer, KEY_DELAY_WINDOW);
	cbor_write_uint(buffer, terms->delay_window_s);
	cbor_write_int(buffer, KEY_HANDLING);
	cbor_write_array(buffer, PRECEDENCE_COUNT);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		cbor_write_uint(buffer, terms->handling_s[i]);
}

/* Reads the next key, which must be this one: all are there, and in order. */
static void expect_key(struct cbor_reader *reader, int64_t expected, int64_t *previous)
{
	if (cbor_read_key(reader, previous) != expected)
		cbor_reader_fail(reader, ERROR_MALFORMED);
}

static uint64_t read_number(struct cbor_reader *reader, int64_t key, int64_t *previous)
{
	expect_key(reader, key, previous);
	return cbor_read_uint(reader);
}

enum error terms_decode(struct bytes encoded, struct terms *terms)
{
	struct cbor_reader reader = cbor_reader_make(encoded);
	int64_t previous = CBOR_KEY_NONE;
	enum error error;

	memset(terms, 0, sizeof(*terms));
	if (cbor_read_map(&reader, KEYS_COUNT) != KEYS_COUNT)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	terms->suite = read_number(&reader, KEY_SUITE, &previous);
	expect_key(&reader, KEY_TITLE, &previous);
	terms->title = cbor_read_text(&reader, NAME_SIZE_MAX);
	terms->text_size_max = read_number(&reader, KEY_TEXT_SIZE, &previous);
	terms->urgent_words_max = read_number(&reader, KEY_URGENT_WORDS, &previous);
	terms->heads_interval_s = read_number(&reader, KEY_HEADS_INTERVAL, &previous);
	terms->delay_window_s = read_number(&reader, KEY_DELAY_WINDOW, &previous);
	expect_key(&reader, KEY_HANDLING, &previous);
	cbor_read_array_exact(&reader, PRECEDENCE_COUNT);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		terms->handling_s[i] = cbor_read_uint(&reader);
	error = cbor_read_end(&reader);
	return error == ERROR_OK ? terms_check(terms) : error;
}

void channel_id_make(const struct roster *roster, struct bytes encoded_terms,
		     const uint8_t nonce[CHANNEL_NONCE_SIZE], uint8_t channel[CHANNEL_ID_SIZE])
{
	uint8_t memory[64 + TERMS_SIZE_MAX + PARTIES_MAX * (PARTY_ID_SIZE + 2)];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	assert(encoded_terms.size <= TERMS_SIZE_MAX);
	cbor_write_array(&buffer, 4);
	cbor_write_text(&buffer, bytes_of_text(CHANNEL_CONTEXT));
	cbor_write_array(&buffer, roster->count);
	for (size_t i = 0; i < roster->count; i++)
		fields_write_bytes(&buffer, roster->ids[i], PARTY_ID_SIZE);
	cbor_write_bytes(&buffer, encoded_terms);
	fields_write_bytes(&buffer, nonce, CHANNEL_NONCE_SIZE);
	assert(buffer_error(&buffer) == ERROR_OK);
	crypto_hash_sha256(channel, buffer.data, buffer.size);
}

void channel_tag_make(const uint8_t channel[CHANNEL_ID_SIZE], uint8_t tag[CHANNEL_TAG_SIZE])
{
	memcpy(tag, channel, CHANNEL_TAG_SIZE);
}
