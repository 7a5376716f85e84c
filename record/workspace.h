/*
 * The workspace behind struct record and struct run: only run.c, record.c and batch.c look inside.
 */
#ifndef RECORD_WORKSPACE_H
#define RECORD_WORKSPACE_H

#include <stddef.h>

#include "envelope/signed.h"
#include "record/batch.h"
#include "record/run.h"
#include "record/schema.h"

#define WORKSPACE_ROWS_SIZE (14 * 1024 * 1024)
#define WORKSPACE_RUN_SIZE  (6 * 1024 * 1024)
#define WORKSPACE_KEPT_SIZE (2 * 1024 * 1024)

/* What an event of any kind takes of the rows' memory at most, with room to spare. */
#define WORKSPACE_EVENT_ROWS_SIZE (4 * 1024 * 1024)

#define KEPT_MAX 4096 /* dear results of one event: a commit signs a receipt for each log at least */

struct kept {
	void *data;
	size_t size;
};

struct arena {
	uint8_t *memory;
	size_t size;
	size_t used;
};

/*
 * The rows that every event asks for again are decoded once: by a row's table and the last bit of its key.
 * Not those from TABLE_EPOCH on: keys must not stay where nobody erases them.
 */
#define DECODED_MAX      (2 * TABLE_EPOCH)
#define DECODED_SIZE_MAX 512

struct decoded {
	const struct schema *schema; /* NULL: none */
	struct bytes row;            /* what it was decoded from, lasting (rows_is_lasting) */
};

struct run {
	struct rows rows;
	struct record_event event;

	/* over all events, until the rows are reset */
	struct decoded decoded[DECODED_MAX];
	_Alignas(max_align_t) uint8_t decoded_values[DECODED_MAX][DECODED_SIZE_MAX];
	uint64_t decoded_resets;

	/* of the event, over all its runs */
	struct kept kept[KEPT_MAX];
	size_t kept_count;
	struct arena kept_arena;
	size_t rounds;

	/* of one run */
	size_t kept_at;
	struct arena arena;
	struct entropy entropy;
	struct record_action actions[RECORD_ACTIONS_MAX];
	size_t actions_count;
	struct buffer frame;
	size_t frame_mark;
	uint64_t request_number;
	bool provisioned;
	struct own_post post;
	struct state state;
	struct state state_before;
	struct slow_clock clock;
	uint64_t slow_ms;
	struct batch_noted noted;
	uint64_t left_precedence; /* run_leave; 0: not called */

	/* of the batch, until its RECORD_COMMIT is complete */
	struct batch batch;

	uint8_t work[SIGNED_WORK_SIZE];
};

struct record {
	struct run run;
};

/* Starts a run of the event: forgets what an unfinished one left. */
void run_start(struct run *run);
/* Ends it: the counters are written if they changed. */
void run_finish(struct run *run);

#endif
