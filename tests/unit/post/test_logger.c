#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "post/logger.h"

/* What has been logged so far, as text; the caller frees. */
static char *drain(int fd)
{
	char *text = calloc(1, 65537);
	ssize_t size;

	assert_non_null(text);
	size = read(fd, text, 65536);
	assert_true(size >= 0 || text[0] == '\0');
	return text;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void open_pipe(struct logger *logger, int fds[2])
{
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	logger_make(logger, fds[1]);
}

static void close_pipe(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void a_refusal_is_one_stamped_line_with_its_sentence(void **state)
{
	struct logger logger;
	int fds[2];

	open_pipe(&logger, fds);
	logger_refusal(&logger, 0, ERROR_TOO_DEEP, bytes_of_text("a message from the courier"));
	char *text = drain(fds[0]);
	assert_int_equal(count_lines(text), 1);
	assert_int_equal(text[4], '-');
	assert_memory_equal(text + 19, "Z liaisond: refused: ", 21);
	assert_non_null(strstr(
		text, "refused: a message from the courier: items are nested deeper than the limit\n"));
	free(text);
	close_pipe(fds);
}

static void an_event_is_told_with_its_reason_if_it_has_one(void **state)
{
	struct logger logger;
	int fds[2];

	open_pipe(&logger, fds);
	logger_event(&logger, 0, ERROR_NOT_NOW, bytes_of_text("a new incarnation begins"));
	logger_event(&logger, 0, ERROR_OK, bytes_of_text("all is well"));
	char *text = drain(fds[0]);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(
		strstr(text, ": a new incarnation begins (this cannot be done in the present state)\n"));
	assert_non_null(strstr(text, ": all is well\n"));
	free(text);
	close_pipe(fds);
}

static void hostile_text_stays_on_its_line(void **state)
{
	static const uint8_t hostile[] = "a\nliaisond: forged\t\x1b[2Jb\xff\xe2\x80\xae";
	struct logger logger;
	int fds[2];

	open_pipe(&logger, fds);
	logger_refusal(&logger, 0, ERROR_MALFORMED, bytes_make(hostile, sizeof hostile - 1));
	char *text = drain(fds[0]);
	assert_int_equal(count_lines(text), 1);
	assert_null(strchr(text, '\x1b'));
	assert_non_null(strstr(text, "refused: a liaisond: forged <U+001B>[2Jb<FF><U+202E>: the bytes"));
	free(text);
	close_pipe(fds);
}

static void long_text_is_cut(void **state)
{
	uint8_t hostile[5000];
	struct logger logger;
	int fds[2];

	open_pipe(&logger, fds);
	memset(hostile, 0x01, sizeof hostile);
	logger_refusal(&logger, 0, ERROR_MALFORMED, bytes_make(hostile, sizeof hostile));
	char *text = drain(fds[0]);
	assert_int_equal(count_lines(text), 1);
	assert_true(strlen(text) <= LOGGER_LINE_SIZE_MAX);
	free(text);
	close_pipe(fds);
}

static void a_flood_ends_in_a_count(void **state)
{
	struct logger logger;
	int fds[2];

	open_pipe(&logger, fds);
	for (unsigned i = 0; i < 1000; i++)
		logger_refusal(&logger, i, ERROR_TRAILING, bytes_of_text(""));
	char *text = drain(fds[0]);
	assert_int_equal(count_lines(text), LIMITER_LINES);
	free(text);
	logger_tick(&logger, LIMITER_WINDOW_MS);
	text = drain(fds[0]);
	assert_int_equal(count_lines(text), 1);
	assert_non_null(strstr(text, "995 more lines in a minute: bytes are left over"));
	free(text);
	close_pipe(fds);
}

static void a_reader_that_stopped_does_not_stop_us(void **state)
{
	struct logger logger;
	int fds[2];

	/* A pipe that would block: the test hangs if logger_line waits. */
	assert_int_equal(pipe(fds), 0);
	logger_make(&logger, fds[1]);
	for (unsigned i = 0; i < 5000; i++)
		logger_line(&logger, "line %u with some words to fill the pipe that nobody reads", i);
	close_pipe(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_one_stamped_line_with_its_sentence),
		cmocka_unit_test(an_event_is_told_with_its_reason_if_it_has_one),
		cmocka_unit_test(hostile_text_stays_on_its_line),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(a_flood_ends_in_a_count),
		cmocka_unit_test(a_reader_that_stopped_does_not_stop_us),
	};

	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
