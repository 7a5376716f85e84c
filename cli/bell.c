#include "cli/bell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool is_of(const struct flash_key *key, const struct entry_row *row)
{
	return key->log == row->log && key->incarnation == row->incarnation &&
	       key->position == row->position && memcmp(key->channel, row->channel, CHANNEL_ID_SIZE) == 0;
}

static void add(struct bell *bell, const struct entry_row *row, int64_t now_ms)
{
	struct flash_key *flash = realloc(bell->flash, (bell->flashes_count + 1) * sizeof *flash);
	if (flash == NULL) {
		fprintf(stderr, "liaison: no memory left: the bell may not ring again\n");
		return;
	}
	bell->flash = flash;
	if (bell->flashes_count == 0)
		bell->again_ms = now_ms + BELL_AGAIN_MS;
	flash = &bell->flash[bell->flashes_count++];
	*flash = (struct flash_key){
		.log = row->log, .incarnation = row->incarnation, .position = row->position};
	memcpy(flash->channel, row->channel, CHANNEL_ID_SIZE);
}

void bell_note(struct bell *bell, const struct entry_row *row, int64_t now_ms)
{
	size_t at = 0;
	if (!bell->wanted || row->own || row->kind != CONTENT_MESSAGE || row->precedence < PRECEDENCE_FLASH)
		return;
	while (at < bell->flashes_count && !is_of(&bell->flash[at], row))
		at++;
	bool rings = row->state < LOCAL_READ;
	if (rings && at == bell->flashes_count) {
		add(bell, row, now_ms);
	} else if (!rings && at < bell->flashes_count) {
		bell->flashes_count--;
		memmove(bell->flash + at, bell->flash + at + 1,
			(bell->flashes_count - at) * sizeof *bell->flash);
	}
}

bool bell_is_due_again(const struct bell *bell, int64_t now_ms)
{
	return bell->flashes_count > 0 && now_ms >= bell->again_ms;
}

int64_t bell_next_ms(const struct bell *bell)
{
	int64_t next_ms = bell->strokes > 0 ? bell->stroke_ms : INT64_MAX;
	return bell->flashes_count > 0 && bell->again_ms < next_ms ? bell->again_ms : next_ms;
}

void bell_free(struct bell *bell)
{
	free(bell->flash);
	*bell = (struct bell){0};
}
