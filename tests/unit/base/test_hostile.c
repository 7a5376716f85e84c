/*
 * Hundreds of thousands of mutated inputs, the same on every run: nothing reads beyond its input (each stands
 * in memory of exactly its size, for the address sanitizer to guard), and whatever is accepted is the one
 * encoding of what it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/frame.h"
#include "base/link.h"
#include "base/text.h"
#include "tests/unit/base/cbor_copy.h"
#include "tests/unit/base/link_samples.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/hex.h"

#define INPUT_SIZE_MAX 512
#define CASES 300000

static uint64_t random_state;

/* Marsaglia's xorshift: the same cases on every machine. */
static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t bound)
{
	return (size_t)(random_next() % bound);
}

/* A byte that means something to a reader of CBOR, more often than not. */
static uint8_t random_byte(void)
{
	static const uint8_t telling[] = { 0x00, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x20, 0x3b, 0x40,
		0x58, 0x5b, 0x5f, 0x60, 0x78, 0x7b, 0x7f, 0x80, 0x81, 0x82, 0x9b, 0x9f, 0xa0, 0xa1, 0xa2,
		0xbb, 0xbf, 0xc0, 0xc2, 0xd8, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xff };

	return random_below(3) == 0 ? (uint8_t)random_next() : telling[random_below(sizeof telling)];
}

/* Changes `input` a little; it keeps at least one byte and at most INPUT_SIZE_MAX. */
static void mutate(struct buffer *input)
{
	size_t at = random_below(input->size);
	size_t size = 1 + random_below(8);

	switch (random_below(6)) {
	case 0:
		input->data[at] ^= (uint8_t)(1 << random_below(8));
		break;
	case 1:
		input->data[at] = random_byte();
		break;
	case 2: /* insert */
		if (input->size == INPUT_SIZE_MAX)
			break;
		memmove(input->data + at + 1, input->data + at, input->size - at);
		input->data[at] = random_byte();
		input->size++;
		break;
	case 3: /* remove */
		if (size > input->size - at)
			size = input->size - at;
		if (size == input->size)
			break;
		memmove(input->data + at, input->data + at + size, input->size - at - size);
		input->size -= size;
		break;
	case 4: /* cut */
		input->size = at + 1;
		break;
	default: /* repeat a part at the end */
		if (size > input->size - at)
			size = input->size - at;
		if (size > INPUT_SIZE_MAX - input->size)
			break;
		memmove(input->data + input->size, input->data + at, size);
		input->size += size;
		break;
	}
}

/* A copy in memory of exactly its size; the caller frees it. */
static struct bytes exact_copy(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size);

	assert_non_null(copy);
	memcpy(copy, bytes.data, bytes.size);
	return bytes_make(copy, bytes.size);
}

/* Returns whether `input` is accepted, after checking what must hold then. */
static bool check_cbor(struct bytes input)
{
	uint8_t copy_memory[INPUT_SIZE_MAX];
	struct buffer copy = buffer_make(copy_memory, sizeof copy_memory);
	struct cbor_reader reader = cbor_reader_make(input);

	if (cbor_check(input) != ERROR_OK)
		return false;
	cbor_copy(&reader, &copy);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&copy), input));
	return true;
}

static bool check_link(struct bytes input, enum link_role from)
{
	static struct link_message message;
	uint8_t frame_memory[INPUT_SIZE_MAX + FRAME_HEAD_SIZE];
	struct buffer frame = buffer_make(frame_memory, sizeof frame_memory);

	if (link_decode(input, from, &message) != ERROR_OK)
		return false;
	assert_int_equal(cbor_check(input), ERROR_OK);
	assert_int_equal(link_encode(&frame, from, &message), ERROR_OK);
	buffer_consume(&frame, FRAME_HEAD_SIZE);
	assert_true(bytes_equal(buffer_bytes(&frame), input));
	return true;
}

static void mutated_cbor_is_refused_or_is_the_one_encoding(void **state)
{
	static const char *const seeds[] = {
		"88 1903e8 3a000f4240 43010203 63e6b0b4 82f4f5 a201f60283010203 d81841ff 1bffffffffffffffff",
		"a4 00 01 1818 a120f6 20 8100 6161 81a0",
		"818181818181818181818181818180",
		"58 20 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"84 43a10127 a0 54 000102030405060708090a0b0c0d0e0f10111213 40",
	};
	size_t accepted = 0;

	random_state = 0x6c696169736f6e31;
	for (size_t i = 0; i < CASES; i++) {
		uint8_t memory[INPUT_SIZE_MAX];
		struct buffer input = buffer_make(memory, sizeof memory);
		struct bytes copy;

		input.size = hex_decode(seeds[i % 5], memory, sizeof memory).size;
		for (size_t count = 1 + random_below(4); count != 0; count--)
			mutate(&input);
		copy = exact_copy(buffer_bytes(&input));
		accepted += check_cbor(copy);
		free((void *)(uintptr_t)copy.data);
	}
	/* A run in which nothing, or all, is accepted tests nothing. */
	assert_in_range(accepted, CASES / 100, CASES / 2);
}

static void mutated_link_messages_are_refused_or_are_the_one_encoding(void **state)
{
	static uint8_t seeds[LINK_SAMPLES_COUNT][INPUT_SIZE_MAX];
	size_t sizes[LINK_SAMPLES_COUNT] = { 0 };
	enum link_role roles[LINK_SAMPLES_COUNT];
	size_t accepted = 0;

	for (size_t i = 0; i < LINK_SAMPLES_COUNT; i++) {
		struct buffer seed = buffer_make(seeds[i], sizeof seeds[i]);
		const struct link_message *sample = link_sample(i, &roles[i]);

		/* The largest samples do not fit, and stay out. */
		if (link_encode(&seed, roles[i], sample) != ERROR_OK)
			continue;
		buffer_consume(&seed, FRAME_HEAD_SIZE);
		sizes[i] = seed.size;
	}
	random_state = 0x6c696169736f6e32;
	for (size_t i = 0; i < CASES; i++) {
		size_t sample = i % LINK_SAMPLES_COUNT;
		uint8_t memory[INPUT_SIZE_MAX];
		struct buffer input = buffer_make(memory, sizeof memory);
		struct bytes copy;

		if (sizes[sample] == 0)
			continue;
		buffer_append(&input, bytes_make(seeds[sample], sizes[sample]));
		for (size_t count = 1 + random_below(3); count != 0; count--)
			mutate(&input);
		copy = exact_copy(buffer_bytes(&input));
		accepted += check_link(copy, roles[sample]);
		free((void *)(uintptr_t)copy.data);
	}
	assert_in_range(accepted, CASES / 100, CASES / 2);
}

static void random_text_is_judged_within_its_bounds_and_shown_plain(void **state)
{
	random_state = 0x6c696169736f6e33;
	for (size_t i = 0; i < CASES; i++) {
		uint8_t memory[16];
		uint8_t shown_memory[16 * sizeof "<U+10FFFF>"];
		struct buffer shown = buffer_make(shown_memory, sizeof shown_memory);
		size_t size = 1 + random_below(sizeof memory);
		struct bytes copy;

		for (size_t at = 0; at < size; at++)
			memory[at] = (uint8_t)(random_next() | (random_below(2) == 0 ? 0 : 0x80));
		copy = exact_copy(bytes_make(memory, size));
		text_append_visible(&shown, copy);
		assert_int_equal(buffer_error(&shown), ERROR_OK);
		assert_true(text_is_plain(buffer_bytes(&shown)));
		assert_int_equal(text_is_plain(copy), bytes_equal(buffer_bytes(&shown), copy));
		if (text_is_plain(copy))
			assert_true(text_is_utf8(copy));
		free((void *)(uintptr_t)copy.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated_cbor_is_refused_or_is_the_one_encoding),
		cmocka_unit_test(mutated_link_messages_are_refused_or_are_the_one_encoding),
		cmocka_unit_test(random_text_is_judged_within_its_bounds_and_shown_plain),
	};

	return cmocka_run_group_tests_name("base/hostile", tests, NULL, NULL);
}
