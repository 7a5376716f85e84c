#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/place.h"

static bool is_node(const char *text)
{
	return place_is_node(bytes_of_text(text));
}

static bool is_address(const char *text)
{
	return place_is_address(bytes_of_text(text));
}

static void node_ids_have_one_form(void **state)
{
	static const char *const good[] = {"ipn:1.0", "ipn:4294967294.0", "ipn:977000.1.0", "dtn://embassy/",
					   "dtn://a.B-c_9/"};
	static const char *const bad[] = {"",
					  "ipn:",
					  "ipn:0.0",
					  "ipn:01.0",
					  "ipn:1.1",
					  "ipn:1",
					  "ipn:1.0 ",
					  "ipn:1.00",
					  "ipn:1.2.3",
					  "ipn:0.1.0",
					  "ipn:4294967295.0",
					  "ipn:!.0",
					  "ipn:1.2.3.0",
					  "IPN:1.0",
					  "dtn:none",
					  "dtn://embassy",
					  "dtn:///",
					  "dtn://a b/",
					  "dtn://embassy/4",
					  "dtn://\xc3\xa9/",
					  "dtn:embassy/",
					  "embassy",
					  "http://embassy/"};
	char name[EID_SIZE_MAX + 2] = "dtn://";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(is_node(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(is_node(bad[i]));
	memset(name + 6, 'x', 120);
	name[126] = '/';
	assert_true(is_node(name));
	memcpy(name + 126, "x/", 3);
	assert_false(is_node(name));
}

static void an_address_is_numeric_and_has_a_port(void **state)
{
	static const char *const good[] = {"192.0.2.1:4556", "0.0.0.0:1", "[2001:db8::1]:65535", "[::]:4556",
					   "[::ffff:192.0.2.1]:4556"};
	static const char *const bad[] = {"",
					  ":4556",
					  "192.0.2.1",
					  "192.0.2.1:",
					  "192.0.2.1:0",
					  "192.0.2.1:65536",
					  "192.0.2.1:04556",
					  "192.0.2.1:4556 ",
					  " 192.0.2.1:4556",
					  "192.0.2:4556",
					  "192.0.2.256:4556",
					  "192.0.02.1:4556",
					  "::1:4556",
					  "[::1]",
					  "[]:4556",
					  "[192.0.2.1]:4556",
					  "2001:db8::1:4556",
					  "[::1:4556",
					  "::1]:4556",
					  "[::1%eth0]:4556",
					  "localhost:4556",
					  "host.example:4556"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(is_address(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(is_address(bad[i]));
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*state >> 33) % below;
}

/* Hosts drawn from the pieces of addresses: the C library, which the courier asks, says the same of each. */
static void hosts_are_those_that_the_c_library_takes(void **state)
{
	static const char *const pieces[] = {"0", "1",  "00", "255", "256", "a",   "Ffff",     "12345", ":",
					     ":", "::", ":",  ".",   ".",   "1.2", "10.9.8.7", "g"};
	uint64_t seed = 1;
	size_t taken[2] = {0};

	for (size_t round = 0; round < 400000; round++) {
		char host[INET6_ADDRSTRLEN * 4] = "";
		char address[sizeof(host) + 8];
		struct in6_addr parsed;
		bool ipv6 = round % 2 == 0;
		size_t size = 0;
		for (uint64_t count = draw(&seed, 17) + 1; count > 0; count--) {
			const char *piece = pieces[draw(&seed, sizeof(pieces) / sizeof(pieces[0]))];
			memcpy(host + size, piece, strlen(piece) + 1);
			size += strlen(piece);
		}
		bool good = inet_pton(ipv6 ? AF_INET6 : AF_INET, host, &parsed) == 1;
		snprintf(address, sizeof(address), ipv6 ? "[%s]:1" : "%s:1", host);
		assert_int_equal(is_address(address), good);
		taken[ipv6] += good;
	}
	assert_true(taken[0] > 100 && taken[1] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_ids_have_one_form),
		cmocka_unit_test(an_address_is_numeric_and_has_a_port),
		cmocka_unit_test(hosts_are_those_that_the_c_library_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
