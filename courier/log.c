#include "courier/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void write_line(const char *format, va_list arguments)
{
	char line[LOG_LINE_SIZE_MAX];
	struct timespec now;
	struct tm utc;
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	size_t size;
	int text;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%SZ liaison-courierd: ", &utc);
	text = vsnprintf(line + size, sizeof line - size - 1, format, arguments);
	if (text < 0)
		return;
	for (size_t end = size + strlen(line + size); size < end; size++) {
		unsigned char byte = (unsigned char)line[size];

		if (byte < 0x20 || byte == 0x7f)
			line[size] = '?';
	}
	line[size++] = '\n';
	/* A line that is lost is better than a daemon that waits for its reader. */
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT)) {
		ssize_t written = write(STDERR_FILENO, line, size);

		(void)written;
	}
}

void log_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(format, arguments);
	va_end(arguments);
}

static void end_window(struct log *log, enum log_kind kind, uint64_t now_ms)
{
	static const char *const names[LOG_KINDS] = {
		[LOG_CONNECTION] = "sessions with neighbours",
		[LOG_STRANGER] = "peers that did not prove who they are",
		[LOG_TRANSFER] = "transfers",
		[LOG_POST] = "the post",
		[LOG_QUEUE] = "the queue",
	};

	if (log->kinds[kind].lines == 0 || now_ms - log->kinds[kind].since_ms < LOG_WINDOW_MS)
		return;
	if (log->kinds[kind].held_back > 0)
		log_say("%lu more lines about %s were held back", log->kinds[kind].held_back, names[kind]);
	log->kinds[kind].lines = 0;
	log->kinds[kind].held_back = 0;
}

void log_limited(struct log *log, enum log_kind kind, uint64_t now_ms, const char *format, ...)
{
	va_list arguments;

	end_window(log, kind, now_ms);
	if (log->kinds[kind].lines == 0)
		log->kinds[kind].since_ms = now_ms;
	if (log->kinds[kind].lines == LOG_LINES) {
		log->kinds[kind].held_back++;
		return;
	}
	log->kinds[kind].lines++;
	va_start(arguments, format);
	write_line(format, arguments);
	va_end(arguments);
}

void log_catch_up(struct log *log, uint64_t now_ms)
{
	for (unsigned kind = 0; kind < LOG_KINDS; kind++)
		end_window(log, (enum log_kind)kind, now_ms);
}
