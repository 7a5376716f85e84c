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

/* `text` as it may stand in a line; returns its size. */
static int make_visible(struct bytes text, char visible[LOGGER_TEXT_SIZE_MAX * 8])
{
	/* One byte becomes at most <U+0000>. */
	struct buffer buffer = buffer_make(visible, LOGGER_TEXT_SIZE_MAX * 8);

	if (text.size > LOGGER_TEXT_SIZE_MAX)
		text.size = LOGGER_TEXT_SIZE_MAX;
	text_append_visible(&buffer, text);
	for (size_t i = 0; i < buffer.size; i++) {
		if (visible[i] == '\n' || visible[i] == '\t')
			visible[i] = ' ';
	}
	return (int)buffer.size;
}

void logger_refusal(struct logger *logger, uint64_t steady_ms, enum error reason, struct bytes text)
{
	char visible[LOGGER_TEXT_SIZE_MAX * 8];
	int size = make_visible(text, visible);

	logger_tick(logger, steady_ms);
	if (limiter_admit(&logger->limiter, reason, steady_ms))
		logger_line(logger, "refused: %.*s: %s", size, visible, error_text(reason));
}

void logger_event(struct logger *logger, uint64_t steady_ms, enum error reason, struct bytes text)
{
	char visible[LOGGER_TEXT_SIZE_MAX * 8];
	int size = make_visible(text, visible);

	logger_tick(logger, steady_ms);
	if (!limiter_admit(&logger->limiter, reason, steady_ms))
		return;
	if (reason == ERROR_OK)
		logger_line(logger, "%.*s", size, visible);
	else
		logger_line(logger, "%.*s (%s)", size, visible, error_text(reason));
}

void logger_tick(struct logger *logger, uint64_t steady_ms)
{
	unsigned reason;
	uint64_t suppressed;

	while (limiter_ended(&logger->limiter, steady_ms, &reason, &suppressed))
		logger_line(logger, "%" PRIu64 " more lines in a minute: %s", suppressed,
			    error_text((enum error)reason));
}
