#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "courier/config.h"

#define PIN_A "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define PIN_B "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct config config;
static char message[CONFIG_MESSAGE_SIZE_MAX];
static unsigned line_number;

static enum error parse(const char *text)
{
	memset(message, 0, sizeof message);
	return config_parse(&config, bytes_of_text(text), false, &line_number, message);
}

static void a_whole_file_is_understood(void **state)
{
	assert_int_equal(parse("# a comment\n"
			       "\n"
			       "node ipn:1001.0\r\n"
			       "\tlisten 127.0.0.1:4556 # inside\n"
			       "listen [2001:db8::1]:65535\n"
			       "post /srv/post/courier.sock\n"
			       "neighbour zulu node dtn://zulu/ closed address 192.0.2.1:1 dial\n"
			       "neighbour alpha node ipn:2002.0 fragments none pin " PIN_A
			       " address [::1]:4556\n"
			       "path ipn:5.0 via zulu\n"
			       "neighbour mike node ipn:3003.0 client-certificate none"),
			 ERROR_OK);
	assert_string_equal(config.node, "ipn:1001.0");
	assert_string_equal(config.post, "/srv/post/courier.sock");
	assert_int_equal(config.listen_count, 2);
	assert_string_equal(config.listen[0].host, "127.0.0.1");
	assert_int_equal(config.listen[0].port, 4556);
	assert_false(config.listen[0].ipv6);
	assert_string_equal(config.listen[1].host, "2001:db8::1");
	assert_true(config.listen[1].ipv6);
	assert_int_equal(config.neighbour_count, 3);
	/* Ascending by name, as the post is told of routes. */
	assert_string_equal(config.neighbours[0].name, "alpha");
	assert_string_equal(config.neighbours[1].name, "mike");
	assert_string_equal(config.neighbours[2].name, "zulu");
	assert_true(
		config.neighbours[0].has_pin && !config.neighbours[0].dial && !config.neighbours[0].closed);
	assert_memory_equal(config.neighbours[0].pin, "\x00\x11\x22\x33", 4);
	assert_int_equal(config.neighbours[0].pin[31], 0xff);
	assert_true(config.neighbours[1].client_certificate_none && !config.neighbours[1].has_pin);
	assert_true(config.neighbours[0].fragments_none && !config.neighbours[1].fragments_none);
	assert_true(config.neighbours[2].closed && config.neighbours[2].dial);
	assert_int_equal(config.paths[0].neighbour, 2);
	assert_int_equal(parse("node ipn:1.0\npost ../post/courier.sock\n"), ERROR_OK);
	assert_string_equal(config.post, "../post/courier.sock");
}

static void node_ids_are_written_in_their_one_form(void **state)
{
	assert_int_equal(parse("node ipn:0.7.0\n"), ERROR_OK);
	assert_string_equal(config.node, "ipn:7.0");
}

/* The file is refused at `line` (0: at its end), and the message holds `words`. */
static void refuses(const char *text, unsigned line, const char *words)
{
	assert_int_not_equal(parse(text), ERROR_OK);
	assert_int_equal(line_number, line);
	if (strstr(message, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", message, words);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	refuses("", 0, "expected a line `node NODE-ID`");
	refuses("node\n", 1, "expected `node NODE-ID`");
	refuses("node ipn:1.1\n", 1, "expected `node NODE-ID`");
	refuses("node dtn:none\n", 1, "expected `node NODE-ID`");
	refuses("node ipn:1.0\nnode ipn:2.0\n", 2, "twice");
	refuses("node ipn:1.0 ipn:2.0\n", 1, "nothing more");
	refuses("\n\nNode ipn:1.0\n", 3, "begins with node");
	refuses("listen localhost:1\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 127.0.0.1\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 127.0.0.1:0\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 127.0.0.1:65536\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 127.0.0.1:99999\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 127.0.0.1:045\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen 1.2.3:4\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen ::1:4\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen [::1]4\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("listen [127.0.0.1]:4\n", 1, "expected `listen ADDRESS:PORT`");
	refuses("post\n", 1, "expected `post PATH`");
	refuses("post /a\npost /b\n", 2, "twice");
	refuses("keylog /tmp/keys\n", 1, "test_hooks");
}

static void neighbours_that_cannot_be_met_are_refused(void **state)
{
	refuses("neighbour\n", 1, "expected `neighbour NAME");
	refuses("neighbour a\n", 1, "neighbour a needs `node NODE-ID`");
	refuses("neighbour a node ipn:2.0\n", 1, "neighbour a needs `pin HEX`, or `closed`");
	refuses("neighbour a node ipn:2.0 client-certificate none address 1.2.3.4:5 dial\n", 1,
		"needs `pin HEX`");
	refuses("neighbour a node ipn:2.0 closed dial\n", 1, "has `dial` and needs `address`");
	refuses("neighbour a node ipn:2.0 pin 00\n", 1, "expected `pin HEX` once");
	refuses("neighbour a node ipn:2.0 pin " PIN_A " pin " PIN_A "\n", 1, "expected `pin HEX` once");
	refuses("neighbour a node ipn:2.0 closed address x:1\n", 1, "expected `address ADDRESS:PORT`");
	refuses("neighbour a node ipn:2.0 closed client-certificate some\n", 1,
		"expected `client-certificate none`");
	refuses("neighbour a node ipn:2.0 closed fragments\n", 1, "expected `fragments none`");
	refuses("neighbour a node ipn:2.0 open\n", 1, "expected node, pin, address");
	refuses("neighbour a node ipn:2.0 closed\nneighbour a node ipn:3.0 closed\n", 2, "two neighbours a");
	refuses("neighbour a node ipn:2.0 closed\nneighbour b node ipn:0.2.0 closed\n", 2,
		"the same node id");
	refuses("neighbour a node ipn:2.0 pin " PIN_A "\nneighbour b node ipn:3.0 pin " PIN_A "\n", 2,
		"the same pin");
	refuses("node ipn:1.0\nneighbour a node ipn:1.0 closed\n", 0, "own node id");
	refuses("neighbour \xe2\x80\xae node ipn:2.0 closed\n", 1, "expected `neighbour NAME");
	assert_int_equal(parse("node ipn:1.0\nneighbour a node ipn:2.0 pin " PIN_A
			       "\nneighbour b node ipn:3.0 pin " PIN_B "\n"),
		ERROR_OK);
}

static void paths_lead_through_neighbours(void **state)
{
	refuses("node ipn:1.0\npath ipn:9.0 via nobody\n", 0, "which is no neighbour");
	refuses("path ipn:9.0 nobody\n", 1, "expected `path NODE-ID via NAME`");
	refuses("path ipn:9.0 via a\npath ipn:9.0 via b\n", 2, "two paths");
}

static void counts_and_lengths_are_bounded(void **state)
{
	char line[CONFIG_LINE_SIZE_MAX + 2];
	char neighbour[80];

	config_begin(&config);
	for (unsigned i = 0; i <= NEIGHBOURS_MAX; i++) {
		snprintf(neighbour, sizeof neighbour, "neighbour n%u node ipn:%u.0 closed", i, i + 2);
		assert_int_equal(config_line(&config, bytes_of_text(neighbour), false, message),
			i < NEIGHBOURS_MAX ? ERROR_OK : ERROR_FULL);
	}
	for (unsigned i = 0; i <= LISTEN_MAX; i++)
		assert_int_equal(config_line(&config, bytes_of_text("listen 127.0.0.1:1"), false, message),
			i < LISTEN_MAX ? ERROR_OK : ERROR_FULL);
	for (unsigned i = 0; i <= PATHS_MAX; i++) {
		snprintf(neighbour, sizeof neighbour, "path ipn:%u.0 via n0", i + 2);
		assert_int_equal(config_line(&config, bytes_of_text(neighbour), false, message),
			i < PATHS_MAX ? ERROR_OK : ERROR_FULL);
	}
	memset(line, '#', sizeof line);
	assert_int_equal(
		config_line(&config, bytes_make(line, CONFIG_LINE_SIZE_MAX), false, message), ERROR_OK);
	assert_int_equal(config_line(&config, bytes_make(line, CONFIG_LINE_SIZE_MAX + 1), false, message),
		ERROR_TOO_LARGE);
	/* The longest path of a socket, and one more. */
	memset(line, 'x', sizeof line);
	memcpy(line, "post /", 6);
	assert_int_equal(config_line(&config, bytes_make(line, 5 + SOCKET_PATH_SIZE_MAX), false, message),
		ERROR_MALFORMED);
	assert_int_equal(config_line(&config, bytes_make(line, 5 + SOCKET_PATH_SIZE_MAX - 1), false, message),
		ERROR_OK);
}

static void any_bytes_are_read_within_their_bounds(void **state)
{
	static const char *const words[] = {"node", "listen", "neighbour", "path", "pin", "via", "dial",
		"closed", "ipn:2.0", "[::1]:", "\n", " ", "\0", "#", "\xff\xfe", PIN_A, "address"};
	uint32_t random = 1;

	for (unsigned round = 0; round < 20000; round++) {
		char text[300];
		size_t size = 0;

		while (size < 200) {
			const char *word;

			random = random * 1664525 + 1013904223;
			word = words[(random >> 16) % (sizeof words / sizeof words[0])];
			memcpy(text + size, word, strlen(word));
			size += strlen(word) + (random >> 30);
			text[size++ % sizeof text] = ' ';
		}
		/* A copy of just that size, so that the sanitizer sees an over-read. */
		uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, text, size);
		config_parse(&config, bytes_make(copy, size), false, &line_number, message);
		free(copy);
		assert_in_range(config.neighbour_count, 0, NEIGHBOURS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_is_understood),
		cmocka_unit_test(node_ids_are_written_in_their_one_form),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(neighbours_that_cannot_be_met_are_refused),
		cmocka_unit_test(paths_lead_through_neighbours),
		cmocka_unit_test(counts_and_lengths_are_bounded),
		cmocka_unit_test(any_bytes_are_read_within_their_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
