#include "record/record.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/clock.h"
#include "record/commit.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/outbox.h"
#include "record/provision.h"
#include "record/query.h"
#include "record/receive.h"
#include "record/submit.h"
#include "record/tick.h"
#include "record/workspace.h"

_Static_assert(sizeof(struct record) + WORKSPACE_ROWS_SIZE + WORKSPACE_RUN_SIZE + WORKSPACE_KEPT_SIZE + 64 <=
		       RECORD_MEMORY_SIZE,
	       "the workspace fits");

/* ---- requests ---- */

static enum error not_answered(struct run *run, enum error error)
{
	run_reply_error(run, error, NULL);
	return ERROR_OK;
}

static enum error request_dispatch(struct run *run, uint64_t verb, struct cbor_reader *arguments,
				   size_t count)
{
	if (run_post(run) == NULL) {
		run_reply_error(run, ERROR_NOT_NOW,
				"this post has not been set up: start it with its post file");
		return ERROR_OK;
	}
	switch (verb) {
	case LOCAL_SUBMIT:
		return count == 2 ? submit_handle(run, arguments) : not_answered(run, ERROR_BAD_ARGUMENT);
	case LOCAL_CARD_SEAL:
		return count == 1 ? provision_card_seal(run, arguments)
				  : not_answered(run, ERROR_BAD_ARGUMENT);
	case LOCAL_CARD_ACCEPT:
		return count == 1 || count == 2 ? provision_card_accept(run, arguments, count == 2)
						: not_answered(run, ERROR_BAD_ARGUMENT);
	case LOCAL_KEYING_ACCEPT:
		return count == 1 ? provision_keying_accept(run, arguments)
				  : not_answered(run, ERROR_BAD_ARGUMENT);
	default:
		break;
	}
	enum error error = query_handle(run, verb, arguments, count);
	return error == ERROR_UNSUPPORTED ? not_answered(run, error) : error;
}

static enum error request_handle(struct run *run)
{
	struct cbor_reader reader = cbor_reader_make(run->event.of.request.frame);
	size_t count = cbor_read_array(&reader, 16);

	run->request_number = cbor_read_uint(&reader);
	uint64_t verb = cbor_read_uint(&reader);
	if (cbor_reader_error(&reader) != ERROR_OK || count < 2 || run->request_number == 0)
		return not_answered(run, ERROR_BAD_ARGUMENT);
	return request_dispatch(run, verb, &reader, count - 2);
}

/* ---- one run ---- */

/* The rows that every handler stands on. */
static enum error read_ground(struct run *run)
{
	struct row_key post_key = key_make(TABLE_POST);
	struct row_key state_key = key_make(TABLE_STATE);
	struct row_key clock_key = key_make(TABLE_CLOCK);

	enum error post_error = run_get(run, &post_key, &schema_own_post, &run->post);
	enum error state_error = run_get(run, &state_key, &schema_state, &run->state);
	enum error clock_error = run_get(run, &clock_key, &schema_slow_clock, &run->clock);
	const enum error errors[] = {post_error, state_error, clock_error};
	for (size_t i = 0; i < 3; i++)
		if (errors[i] != ERROR_OK && errors[i] != ERROR_NOT_FOUND)
			return errors[i];
	if (clock_error == ERROR_NOT_FOUND)
		run->clock =
			(struct slow_clock){.steady_ms = run->event.steady_ms, .wall_ms = run->event.wall_ms};
	run->slow_ms = clock_now(&run->clock, run->event.steady_ms, run->event.wall_ms,
				 run->event.kind == RECORD_START);
	run->state_before = run->state;
	run->provisioned = post_error == ERROR_OK;
	return ERROR_OK;
}

static enum error dispatch(struct run *run)
{
	enum record_event_kind kind = run->event.kind;

	if (kind == RECORD_PROVISION)
		return provision_handle(run);
	if (kind == RECORD_REQUEST)
		return request_handle(run);
	if (!run->provisioned)
		return kind == RECORD_RECEIVED ? ERROR_NOT_NOW : ERROR_OK;
	switch (kind) {
	case RECORD_START:
		return incarnation_start(run);
	case RECORD_RECEIVED:
		return receive_handle(run);
	case RECORD_PROGRESS:
		return outbox_progress(run);
	case RECORD_COURIER_ROOM:
		return outbox_room(run);
	case RECORD_COURIER_LOST:
		return outbox_lost(run);
	case RECORD_COURIER_HEADS:
		return incarnation_heads(run);
	case RECORD_TICK:
		return tick_handle(run);
	case RECORD_COMMIT:
		return commit_handle(run);
	default:
		return ERROR_BAD_ARGUMENT;
	}
}

static void forget_noted(struct run *run)
{
	run->noted.items_count = 0;
	run->noted.verdicts_count = 0;
	run->noted.channels_count = 0;
}

static void forget_batch(struct run *run)
{
	run->batch.items_count = 0;
	run->batch.verdicts_count = 0;
	run->batch.channels_count = 0;
	forget_noted(run);
}

/* Nothing of this event is kept: it will come again. */
static void leave(struct run *run)
{
	rows_undo(&run->rows);
	forget_noted(run);
	run->actions_count = 0;
	struct record_action *action = run_action(run, RECORD_ACTION_LEFT);
	action->number = run->event.of.received.delivery;
	action->precedence = (uint32_t)run->left_precedence;
}

/* ---- the contract ---- */

struct record *record_make(void *memory, size_t size)
{
	if (size < RECORD_MEMORY_SIZE)
		return NULL;
	struct record *record = memory;
	memset(record, 0, sizeof(*record));
	uint8_t *at = (uint8_t *)memory + ((sizeof(*record) + 63) & ~(size_t)63);
	rows_make(&record->run.rows, at, WORKSPACE_ROWS_SIZE);
	at += WORKSPACE_ROWS_SIZE;
	record->run.arena = (struct arena){.memory = at, .size = WORKSPACE_RUN_SIZE};
	at += WORKSPACE_RUN_SIZE;
	record->run.kept_arena = (struct arena){.memory = at, .size = WORKSPACE_KEPT_SIZE};
	return record;
}

void record_begin(struct record *record, const struct record_event *event)
{
	struct run *run = &record->run;

	run->event = *event;
	run->kept_count = 0;
	run->kept_arena.used = 0;
	run->rounds = 0;
	run->actions_count = 0;
}

enum error record_needs(struct record *record)
{
	struct run *run = &record->run;

	if (run->rounds++ >= RECORD_ROUNDS_MAX) {
		rows_undo(&run->rows);
		return ERROR_MALFORMED;
	}
	run_start(run);
	enum error error = read_ground(run);
	if (error == ERROR_OK)
		error = dispatch(run);
	if (error == ERROR_OK && run->left_precedence != 0) {
		leave(run);
	} else if (error == ERROR_OK) {
		run_finish(run);
		error = rows_keep(&run->rows);
	}
	if (error == ERROR_NEEDS_ROWS && rows_wanted_count(&run->rows) > 0)
		return error;
	entropy_erase(&run->entropy);
	run_known_erase(run);
	if (error != ERROR_OK) {
		rows_undo(&run->rows);
		run->actions_count = 0;
		/* A row that a handler had to find, and did not: the store is not as it was left. */
		return error == ERROR_NEEDS_ROWS || error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
	}
	if (run->event.kind == RECORD_COMMIT)
		forget_batch(run);
	else
		batch_join(run);
	return ERROR_OK;
}

struct rows *record_rows(struct record *record)
{
	return &record->run.rows;
}

bool record_room(const struct record *record)
{
	return rows_room(&record->run.rows) >= WORKSPACE_EVENT_ROWS_SIZE && batch_room(&record->run);
}

void record_step(struct record *record, const struct record_action **actions, size_t *count)
{
	*actions = record->run.actions;
	*count = record->run.actions_count;
}

bool record_row_in_backup(struct bytes key)
{
	if (key.size == 0)
		return false;
	switch ((enum table)key.data[0]) {
	case TABLE_ANCHOR:
	case TABLE_HERE:
	case TABLE_EPOCH:
	case TABLE_PSK:
	case TABLE_EPOCH_PSK:
	case TABLE_LEAF_IN:
	case TABLE_LEAF_OUT:
	case TABLE_NEXT_KEYING:
	case TABLE_STATEMENT:
	case TABLE_SEALED:
	case TABLE_COPY_ID:
	case TABLE_WAITING:
	case TABLE_HANDED:
	case TABLE_DUE:
	case TABLE_RETRY:
	case TABLE_PLACE:
	case TABLE_RETURNING:
	case TABLE_SENT:
	case TABLE_REQUEUE:
		return false;
	default:
		return true;
	}
}
