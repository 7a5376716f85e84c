/*
 * The terminal's bell: strokes one after the other, without anybody waiting for them, and again every ten
 * seconds while a FLASH that was received is not known to be acknowledged.
 */
#ifndef CLI_BELL_H
#define CLI_BELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/entry_list.h"

#define BELL_STROKE_MS 200
#define BELL_AGAIN_MS  10000

struct bell {
	bool wanted;
	uint64_t from;    /* the lowest precedence that rings */
	uint64_t strokes; /* still to come */
	int64_t stroke_ms;
	int64_t again_ms;          /* when it rings again for those below */
	struct entry_list flashes; /* received and not known to be acknowledged; freed with bell_free */
};

/* Rings once for each step of precedence, the first stroke at once; what still rings is not rung twice. */
void bell_ring(struct bell *bell, uint64_t precedence, int64_t now_ms);

/*
 * Takes note of a row that the post told: a received FLASH without acknowledgment keeps the bell ringing, one
 * with acknowledgment no longer does. Other rows are nothing to it.
 */
void bell_note(struct bell *bell, const struct entry_row *row, int64_t now_ms);

/* Rings what is due. */
void bell_tend(struct bell *bell, int64_t now_ms);

/* True when it is time to ring again for those that are not acknowledged: ask the post first, or ring. */
bool bell_is_due_again(const struct bell *bell, int64_t now_ms);

/* When bell_tend or bell_is_due_again has something to say; INT64_MAX: never. */
int64_t bell_next_ms(const struct bell *bell);

void bell_free(struct bell *bell);

#endif
