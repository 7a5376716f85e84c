#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the queue of events: a heap by time, then by the order in which they were scheduled ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->time_ms != b->time_ms ? a->time_ms < b->time_ms : a->sequence < b->sequence;
}

void world_schedule(struct world *world, uint64_t delay_ms, const struct event *event)
{
	if (world->events_count == world->events_max) {
		world->events_max = world->events_max * 2 + 256;
		world->events = disk_must(realloc(world->events, world->events_max * sizeof(*world->events)));
	}
	struct event added = *event;
	added.time_ms = world->now_ms + delay_ms;
	added.sequence = ++world->sequence;
	size_t at = world->events_count++;
	for (; at > 0 && before(&added, &world->events[(at - 1) / 2]); at = (at - 1) / 2)
		world->events[at] = world->events[(at - 1) / 2];
	world->events[at] = added;
}

bool world_next_event(struct world *world, struct event *event)
{
	if (world->events_count == 0)
		return false;
	*event = world->events[0];
	const struct event *last = &world->events[--world->events_count];
	size_t at = 0;
	for (size_t child = 1; child < world->events_count; child = 2 * at + 1) {
		if (child + 1 < world->events_count &&
		    before(&world->events[child + 1], &world->events[child]))
			child++;
		if (!before(&world->events[child], last))
			break;
		world->events[at] = world->events[child];
		at = child;
	}
	world->events[at] = *last;
	world->now_ms = event->time_ms;
	return true;
}

/* ---- the trace ---- */

#define DIGEST_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* As FNV-1a, but eight bytes at a time, and the size: the same on every machine. */
void world_digest(struct world *world, struct bytes bytes)
{
	uint64_t digest = (world->digest ^ bytes.size) * DIGEST_FACTOR;
	size_t at = 0;

	for (; bytes.size - at >= 8; at += 8) {
		digest = (digest ^ load_u64(bytes.data + at)) * DIGEST_FACTOR;
		digest ^= digest >> 32;
	}
	for (; at < bytes.size; at++)
		digest = (digest ^ bytes.data[at]) * DIGEST_FACTOR;
	world->digest = digest ^ digest >> 32;
}

void world_gather(struct world *world, const struct rows *rows)
{
	changes_gather(&world->changes, rows);
	for (size_t i = 0; i < world->changes.count; i++) {
		world_digest(world, world->changes.list[i].key);
		world_digest(world, world->changes.list[i].value);
	}
}

static const char *write_line(struct world *world, const char *format, va_list arguments)
{
	char *line = world->trace[world->trace_count++ % WORLD_TRACE_LINES];
	const size_t size_max = sizeof(world->trace[0]);

	uint64_t day = world->now_ms % (10000 * DAY_MS) / DAY_MS;
	int size = snprintf(line, size_max, "%4llu.%03llu d %7llu  ", (unsigned long long)day,
			    (unsigned long long)(world->now_ms % DAY_MS * 1000 / DAY_MS),
			    (unsigned long long)world->steps);
	vsnprintf(line + size, size_max - (size_t)size, format, arguments);
	if (world->told != NULL && world->phase != PHASE_SETUP)
		fprintf(world->told, "%s\n", line);
	return line;
}

void world_trace(struct world *world, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const char *line = write_line(world, format, arguments);
	va_end(arguments);
	world_digest(world, bytes_of_text(line));
}

void world_tell(struct world *world, const char *format, ...)
{
	va_list arguments;

	if (world->told == NULL)
		return;
	va_start(arguments, format);
	write_line(world, format, arguments);
	va_end(arguments);
}

void world_violation(struct world *world, const char *invariant, const char *format, ...)
{
	va_list arguments;

	if (world->violation != NULL)
		return;
	world->violation = invariant;
	world->violation_step = world->steps;
	va_start(arguments, format);
	vsnprintf(world->violation_detail, sizeof(world->violation_detail), format, arguments);
	va_end(arguments);
	world_trace(world, "VIOLATION: %s: %s", invariant, world->violation_detail);
}

/* ---- small things ---- */

bool world_chance(struct world *world, unsigned share)
{
	return world->phase == PHASE_FAULTS && random_chance(&world->random, share);
}

static bool is_kept(const struct strikes *kept, uint64_t number)
{
	size_t low = 0;
	size_t high = kept->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (kept->ranges[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < kept->count && kept->ranges[low].first <= number;
}

/* It is drawn also where it is left out, so that all goes on as it would until it makes a difference. */
bool world_fault(struct world *world, enum fault fault)
{
	if (!world_chance(world, world->settings.shares[fault]))
		return false;
	uint64_t number = ++world->strikes;
	if (world->kept != NULL && !is_kept(world->kept, number))
		return false;
	world->counts.faults[fault]++;
	world_tell(world, "fault %llu: %s", (unsigned long long)number, counts_fault_name(fault));
	return true;
}

void world_refused(struct world *world, enum error reason)
{
	counts_refused(&world->counts, reason);
}

uint64_t world_wall_ms(const struct world *world, size_t node)
{
	return world->now_ms + (uint64_t)world->nodes[node].post.skew_ms;
}

size_t world_slot(size_t node)
{
	return (node * 9) % POST_SLOTS;
}

size_t world_end_of(const struct world_line *line, size_t node)
{
	return line->nodes[0] == node ? 0 : 1;
}

uint64_t world_log_of(const struct world_line *line, size_t node)
{
	return log_number(world_end_of(line, node), world_slot(node));
}

/* ---- frames ---- */

void frames_add(struct frames *frames, struct bytes bytes)
{
	struct frame *frame = disk_must(malloc(sizeof(*frame) + bytes.size));

	frame->next = NULL;
	frame->size = bytes.size;
	memcpy(frame->data, bytes.data, bytes.size);
	if (frames->first == NULL)
		frames->last = &frames->first;
	*frames->last = frame;
	frames->last = &frame->next;
	frames->count++;
}

struct frame *frames_take(struct frames *frames)
{
	struct frame *frame = frames->first;

	if (frame != NULL) {
		frames->first = frame->next;
		frames->count--;
	}
	return frame;
}

void frames_clear(struct frames *frames)
{
	struct frame *frame;

	while ((frame = frames_take(frames)) != NULL)
		free(frame);
}
