/*
 * Log lines to standard error: one line, in UTC, with a reason and never with content.
 *
 * A peer must not be able to fill a disk with our lines: of each kind of refusal LOG_LINES are written in
 * LOG_WINDOW_MS, the rest are counted, and the count is written when the window has passed. A line that
 * nobody reads is dropped rather than waited for.
 */
#ifndef COURIER_LOG_H
#define COURIER_LOG_H

#include <stdint.h>

#define LOG_LINES 5
#define LOG_WINDOW_MS 60000
#define LOG_LINE_SIZE_MAX 512

enum log_kind {
	LOG_CONNECTION, /* of neighbours: sessions and their ends */
	LOG_STRANGER,   /* of peers that did not prove who they are: these use up no lines of the others */
	LOG_TRANSFER,
	LOG_POST,  /* the link to the post */
	LOG_QUEUE, /* bundles and copies that the queue refused */
	LOG_KINDS,
};

struct log {
	struct {
		uint64_t since_ms;
		unsigned lines;
		unsigned long held_back;
	} kinds[LOG_KINDS];
};

/* Writes a line: what the daemon did, or why it stops. Control characters in arguments are shown as '?'. */
__attribute__((format(printf, 1, 2))) void log_say(const char *format, ...);

/* Writes a line of a kind unless too many were: something was refused, or a route changed. Monotonic ms. */
__attribute__((format(printf, 4, 5))) void log_limited(
	struct log *log, enum log_kind kind, uint64_t now_ms, const char *format, ...);

/* Says how many lines were held back in windows that have passed. Call it now and then. */
void log_catch_up(struct log *log, uint64_t now_ms);

#endif
