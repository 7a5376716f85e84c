#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/fingerprint.h"

/* 00 11 22 ... ee: base32 AAISEM2EKVTHPCEZVK54ZXPO */
static const char words[] = "ALFA ALFA INDIA SIERRA\n"
			    "ECHO MIKE TWO ECHO\n"
			    "KILO VICTOR TANGO HOTEL\n"
			    "PAPA CHARLIE ECHO ZULU\n"
			    "VICTOR KILO FIVE FOUR\n"
			    "ZULU X-RAY PAPA OSCAR";

static uint8_t party[32];

static int fill_party(void **state)
{
	for (size_t i = 0; i < sizeof party; i++)
		party[i] = (uint8_t)(0x11 * i);
	return 0;
}

static void words_are_fixed(void **state)
{
	uint8_t memory[FINGERPRINT_TEXT_SIZE_MAX];
	struct buffer out = buffer_make(memory, sizeof memory);

	fingerprint_append(party, &out);
	assert_int_equal(buffer_error(&out), ERROR_OK);
	assert_true(bytes_equal(buffer_bytes(&out), bytes_of_text(words)));
}

/* Each bit of the first 15 bytes changes one word, and no other byte changes any. */
static void only_the_first_15_bytes_count(void **state)
{
	uint8_t memory[FINGERPRINT_TEXT_SIZE_MAX], other[32];

	for (size_t bit = 0; bit < 8 * sizeof other; bit++) {
		struct buffer out = buffer_make(memory, sizeof memory);

		memcpy(other, party, sizeof other);
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		fingerprint_append(other, &out);
		assert_int_equal(buffer_error(&out), ERROR_OK);
		assert_int_equal(bytes_equal(buffer_bytes(&out), bytes_of_text(words)),
				 bit >= 8 * FINGERPRINT_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_fixed),
		cmocka_unit_test(only_the_first_15_bytes_count),
	};

	return cmocka_run_group_tests_name("envelope fingerprint", tests, fill_party, NULL);
}
