#include "carry/fragment.h"

#include <assert.h>
#include <string.h>

/* ---- cutting ---- */

/* Bytes by which a payload's head may be longer than that of one byte. No other head depends on its size. */
#define HEAD_GROWTH 4

static enum error forward_part(struct buffer *to, const struct bundle *bundle,
			       const struct bundle_forwarding *forwarding, size_t offset, size_t size)
{
	struct bundle_forwarding part = *forwarding;
	part.offset = offset;
	part.size = size;
	to->size = 0;
	to->failed = false;
	return bundle_forward(to, bundle, &part);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

enum error fragment_next(struct buffer *buffer, const struct bundle *bundle,
			 const struct bundle_forwarding *forwarding, size_t size_max, size_t *offset)
{
	size_t left = bundle->payload.size - *offset;
	assert(*offset < bundle->payload.size || bundle->payload.size == 0);
	if (buffer_error(buffer) != ERROR_OK)
		return ERROR_TOO_LARGE;
	size_t room = smaller(size_max, buffer->size_max - buffer->size);
	struct buffer part = buffer_make(buffer->data + buffer->size, room);
	enum error error = forward_part(&part, bundle, forwarding, *offset, left);
	if (error == ERROR_TOO_LARGE && left > 1) {
		/* What does one byte of payload take? The rest of the room is payload. */
		error = forward_part(&part, bundle, forwarding, *offset, 1);
		if (error == ERROR_OK) {
			size_t spare = room - part.size;
			left = smaller(left, spare > HEAD_GROWTH ? 1 + spare - HEAD_GROWTH : 1);
			error = forward_part(&part, bundle, forwarding, *offset, left);
		}
	}
	if (error != ERROR_OK)
		return error;
	buffer->size += part.size;
	*offset += left;
	return ERROR_OK;
}

/* ---- what is held ---- */

void fragment_ranges_make(struct fragment_ranges *ranges, uint64_t total)
{
	ranges->total = total;
	ranges->count = 0;
}

enum error fragment_ranges_add(struct fragment_ranges *ranges, uint64_t total, uint64_t offset, uint64_t size)
{
	if (total != ranges->total || offset > total || size > total - offset)
		return ERROR_MALFORMED;
	if (size == 0)
		return ERROR_DUPLICATE;
	/* Ranges first to end touch or overlap the new one, and become one with it. */
	uint64_t end_offset = offset + size;
	size_t first = 0;
	while (first < ranges->count && ranges->ranges[first].offset + ranges->ranges[first].size < offset)
		first++;
	size_t end = first;
	while (end < ranges->count && ranges->ranges[end].offset <= end_offset)
		end++;
	if (first == end && ranges->count == FRAGMENT_RANGES_MAX)
		return ERROR_FULL;
	struct fragment_range merged = {offset, size};
	if (first < end) {
		const struct fragment_range *low = &ranges->ranges[first];
		const struct fragment_range *high = &ranges->ranges[end - 1];
		if (low->offset <= offset && end_offset <= low->offset + low->size)
			return ERROR_DUPLICATE;
		if (low->offset < offset)
			merged.offset = low->offset;
		if (high->offset + high->size > end_offset)
			end_offset = high->offset + high->size;
		merged.size = end_offset - merged.offset;
	}
	memmove(ranges->ranges + first + 1, ranges->ranges + end,
		(ranges->count - end) * sizeof(ranges->ranges[0]));
	ranges->ranges[first] = merged;
	ranges->count = ranges->count - (end - first) + 1;
	return ERROR_OK;
}

bool fragment_ranges_whole(const struct fragment_ranges *ranges)
{
	if (ranges->total == 0)
		return true;
	return ranges->count == 1 && ranges->ranges[0].size == ranges->total;
}

/* ---- putting together ---- */

enum error reassembly_make(struct reassembly *reassembly, uint64_t total, uint8_t *unit, size_t size_max)
{
	if (total > size_max)
		return ERROR_TOO_LARGE;
	fragment_ranges_make(&reassembly->ranges, total);
	reassembly->unit = unit;
	return ERROR_OK;
}

/* True if the payload agrees with every byte that is held. */
static bool agrees(const struct reassembly *reassembly, uint64_t offset, struct bytes payload)
{
	for (size_t i = 0; i < reassembly->ranges.count; i++) {
		const struct fragment_range *held = &reassembly->ranges.ranges[i];
		uint64_t from = held->offset > offset ? held->offset : offset;
		uint64_t held_end = held->offset + held->size;
		uint64_t end = held_end < offset + payload.size ? held_end : offset + payload.size;
		if (from < end && memcmp(reassembly->unit + from, payload.data + (from - offset),
					 (size_t)(end - from)) != 0)
			return false;
	}
	return true;
}

enum error reassembly_add(struct reassembly *reassembly, uint64_t total, uint64_t offset,
			  struct bytes payload)
{
	bool within = total == reassembly->ranges.total && offset <= total && payload.size <= total - offset;
	if (!within || !agrees(reassembly, offset, payload))
		return ERROR_MALFORMED;
	enum error error = fragment_ranges_add(&reassembly->ranges, total, offset, payload.size);
	if (error == ERROR_OK)
		memcpy(reassembly->unit + offset, payload.data, payload.size);
	return error;
}

bool reassembly_whole(const struct reassembly *reassembly)
{
	return fragment_ranges_whole(&reassembly->ranges);
}
