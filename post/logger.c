#include "post/logger.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

void logger_make(struct logger *logger, int fd)
{
	logger->fd = fd;
	limiter_make(&logger->limiter);
}

static void append_time(struct buffer *line)
{
	char text[sizeof "2026-11-22T04:05:06Z "];
	time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc) == NULL)
		return;
	buffer_append(line, bytes_make(text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ ", &utc)));
}

static void write_line(struct logger *logger, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void write_line(struct logger *logger, const char *format, va_list arguments)
{
	uint8_t memory[LOGGER_LINE_SIZE_MAX];
	struct buffer line = buffer_make(memory, sizeof memory - 1);
	char text[LOGGER_LINE_SIZE_MAX - 64];
	struct pollfd ready = {.fd = logger->fd, .events = POLLOUT};

	append_time(&line);
	buffer_append(&line, bytes_of_text("liaisond: "));
	if (vsnprintf(text, sizeof text, format, arguments) < 0)
		return;
	buffer_append(&line, bytes_of_text(text));
	memory[line.size] = '\n';
	/* A full pipe would stop the daemon for as long as its reader likes. */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
		return;
	/* There is nowhere left to say that the log cannot be written. */
	if (write(logger->fd, memory, line.size + 1) < 0)
		return;
}

void logger_line(struct logger *logger, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(logger, format, arguments);
	va_end(arguments);
}

void logger_refusal(struct logger *logger, uint64_t steady_ms, enum error reason, struct bytes text)
{
	char memory[LOGGER_TEXT_SIZE_MAX * 8]; /* one byte becomes at most <U+0000> */
	struct buffer visible = buffer_make(memory, sizeof memory);

	logger_tick(logger, steady_ms);
	if (!limiter_admit(&logger->limiter, reason, steady_ms))
		return;
	if (text.size > LOGGER_TEXT_SIZE_MAX)
		text.size = LOGGER_TEXT_SIZE_MAX;
	text_append_visible(&visible, text);
	for (size_t i = 0; i < visible.size; i++) {
		if (memory[i] == '\n' || memory[i] == '\t')
			memory[i] = ' ';
	}
	logger_line(logger, "refused: %s%s%.*s", error_text(reason), visible.size == 0 ? "" : ": ",
		    (int)visible.size, memory);
}

void logger_tick(struct logger *logger, uint64_t steady_ms)
{
	unsigned reason;
	uint64_t suppressed;

	while (limiter_ended(&logger->limiter, steady_ms, &reason, &suppressed))
		logger_line(logger, "refused %" PRIu64 " more in a minute: %s", suppressed,
			    error_text((enum error)reason));
}
