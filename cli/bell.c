#include "cli/bell.h"

#include <stdio.h>

#include "envelope/content.h"

void bell_ring(struct bell *bell, uint64_t precedence, int64_t now_ms)
{
	if (!bell->wanted || precedence < bell->from)
		return;
	if (bell->strokes == 0)
		bell->stroke_ms = now_ms;
	if (bell->strokes < precedence)
		bell->strokes = precedence;
	bell_tend(bell, now_ms);
}

void bell_tend(struct bell *bell, int64_t now_ms)
{
	if (bell->strokes == 0 || now_ms < bell->stroke_ms)
		return;
	fputc('\a', stderr);
	fflush(stderr);
	bell->strokes--;
	bell->stroke_ms = now_ms + BELL_STROKE_MS;
}

void bell_note(struct bell *bell, const struct entry_row *row, int64_t now_ms)
{
	if (!bell->wanted || row->own || row->kind != CONTENT_MESSAGE || row->precedence < PRECEDENCE_FLASH)
		return;
	if (row->state >= LOCAL_READ)
		entry_list_remove(&bell->flashes, row);
	else if (entry_list_add(&bell->flashes, row, 1) && bell->flashes.count == 1)
		bell->again_ms = now_ms + BELL_AGAIN_MS;
}

bool bell_is_due_again(const struct bell *bell, int64_t now_ms)
{
	return bell->flashes.count > 0 && now_ms >= bell->again_ms;
}

int64_t bell_next_ms(const struct bell *bell)
{
	int64_t next_ms = bell->strokes > 0 ? bell->stroke_ms : INT64_MAX;
	return bell->flashes.count > 0 && bell->again_ms < next_ms ? bell->again_ms : next_ms;
}

void bell_free(struct bell *bell)
{
	entry_list_free(&bell->flashes);
	*bell = (struct bell){0};
}
