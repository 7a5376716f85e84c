/*
 * The workspace behind struct record and struct run: only run.c, run_known.c, record.c and batch.c look
 * inside.
 */
#ifndef RECORD_WORKSPACE_H
#define RECORD_WORKSPACE_H

#include <stddef.h>

#include "envelope/keying.h"
#include "envelope/reference.h"
#include "envelope/signed.h"
#include "envelope/wire.h"
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

/* What is worked out from the same rows again and again (run.h). */
#define KNOWN_SCHEDULES_MAX 8
#define KNOWN_NAMES_MAX     8

struct known_psk {
	bool is_known;
	uint8_t leaf[KEYING_KEY_SIZE];
	struct keying_psk psk;
};

struct known_schedule {
	uint8_t info[SEAL_INFO_SIZE_MAX];
	size_t info_size; /* 0: none */
	uint8_t psk_id[COSE_PSK_ID_SIZE];
	size_t psk_id_size;
	struct hpke_schedule schedule;
};

struct known_name {
	uint64_t channel;
	uint64_t log;
	uint8_t name[REFERENCE_NAME_SIZE_MAX];
	size_t size; /* 0: none */
};

struct run {
	struct rows rows;
	struct record_event event;

	/* over all events, until the rows are reset */
	struct decoded decoded[DECODED_MAX];
	_Alignas(max_align_t) uint8_t decoded_values[DECODED_MAX][DECODED_SIZE_MAX];
	uint64_t decoded_resets;

	/* over all events */
	struct known_schedule schedules[KNOWN_SCHEDULES_MAX];
	size_t schedules_made;
	struct known_name names[KNOWN_NAMES_MAX];

	/* of the event, over all its runs */
	struct kept kept[KEPT_MAX];
	size_t kept_count;
	struct arena kept_arena;
	size_t rounds;
	struct known_psk psk;

	/* of one run */
	bool names_written; /* by this run: it keeps no name */
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

/* A row of that table is written or deleted: names that were worked out from it are forgotten. */
void run_known_written(struct run *run, uint8_t table);
/* At the end of an event: erases what is secret of what is known. */
void run_known_erase(struct run *run);

#endif
