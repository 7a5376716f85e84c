#include "post/transaction.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

struct transaction_actions {
	struct transaction_actions *next;
	size_t count;
	struct record_action actions[]; /* their bytes follow in the same memory */
};

void transaction_make(struct transaction *transaction, struct record *record, struct store *store,
		      struct anchor_file *anchor, struct backup *backup)
{
	*transaction =
		(struct transaction){.record = record, .store = store, .anchor = anchor, .backup = backup};
}

static uint64_t now_ms(clockid_t clock)
{
	struct timespec now;
	int result = clock_gettime(clock, &now);

	assert(result == 0);
	return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t transaction_steady_ms(void)
{
	return now_ms(CLOCK_BOOTTIME);
}

struct record_event transaction_event_now(enum record_event_kind kind)
{
	struct record_event event = {.kind = kind};

	event.wall_ms = now_ms(CLOCK_REALTIME);
	event.steady_ms = transaction_steady_ms();
	randombytes_buf(event.entropy, sizeof event.entropy);
	return event;
}

bool transaction_is_open(const struct transaction *transaction)
{
	return transaction->events != 0;
}

bool transaction_has_room(const struct transaction *transaction)
{
	return !transaction_is_open(transaction) ||
	       (transaction->events < TRANSACTION_EVENTS_MAX && transaction->bytes < TRANSACTION_BYTES_MAX &&
		record_room(transaction->record));
}

/* ---- one event ---- */

static enum error fail(struct transaction *transaction, const char *what, enum error error)
{
	if (error != ERROR_OK)
		transaction->failed = what;
	return error;
}

static enum error load_until_ready(struct transaction *transaction)
{
	struct record *record = transaction->record;
	enum error error;

	for (unsigned round = 0; (error = record_needs(record)) == ERROR_NEEDS_ROWS; round++) {
		if (round == RECORD_ROUNDS_MAX)
			return fail(transaction, "an event asked for rows without end", ERROR_MALFORMED);
		/* ERROR_FULL is the record's word for a full batch: a store that cannot be read must not
		 * say it. */
		if (store_load(transaction->store, record_rows(record)) != ERROR_OK)
			return fail(transaction, "the store could not be read", ERROR_IO);
	}
	return fail(transaction, "the record could not handle an event", error);
}

/* The record's views end with its next event: the batch keeps copies. */
static enum error keep_actions(struct transaction *transaction, const struct record_action *actions,
			       size_t count)
{
	size_t head = sizeof(struct transaction_actions) + count * sizeof *actions;
	size_t size = head;
	struct transaction_actions *kept;
	uint8_t *at;

	if (count == 0)
		return ERROR_OK;
	for (size_t i = 0; i < count; i++)
		size += actions[i].node.size + actions[i].bytes.size;
	kept = malloc(size);
	if (kept == NULL)
		return fail(transaction, "the actions of an event could not be kept", ERROR_NO_MEMORY);
	kept->next = NULL;
	kept->count = count;
	at = (uint8_t *)kept + head;
	for (size_t i = 0; i < count; i++) {
		struct bytes *views[2] = {&kept->actions[i].node, &kept->actions[i].bytes};

		kept->actions[i] = actions[i];
		for (unsigned j = 0; j < 2; j++) {
			if (views[j]->size != 0)
				memcpy(at, views[j]->data, views[j]->size);
			views[j]->data = at;
			at += views[j]->size;
		}
	}
	if (transaction->last == NULL)
		transaction->first = kept;
	else
		transaction->last->next = kept;
	transaction->last = kept;
	transaction->bytes += size - head;
	return ERROR_OK;
}

static enum error run(struct transaction *transaction, const struct record_event *event)
{
	const struct record_action *actions;
	size_t count;
	enum error error;

	record_begin(transaction->record, event);
	error = load_until_ready(transaction);
	if (error != ERROR_OK)
		return error;
	record_step(transaction->record, &actions, &count);
	return keep_actions(transaction, actions, count);
}

enum error transaction_event(struct transaction *transaction, const struct record_event *event, size_t size)
{
	enum error error = ERROR_OK;

	if (!transaction_is_open(transaction))
		error = fail(transaction, "a transaction could not begin", store_begin(transaction->store));
	if (error == ERROR_OK)
		error = run(transaction, event);
	/* A batch of one event that does not fit will not fit the next time: then it is no matter of room. */
	if (error == ERROR_FULL && !transaction_is_open(transaction))
		error = fail(transaction, "an event does not fit into the record's memory", ERROR_NO_MEMORY);
	if (error != ERROR_OK)
		return error;
	transaction->events++;
	transaction->bytes += size;
	return ERROR_OK;
}

/* ---- the disk ---- */

static enum error write_rows(struct transaction *transaction)
{
	const struct rows *rows = record_rows(transaction->record);
	struct rows_change change;
	size_t at = 0;

	while (rows_next_write(rows, &at, &change)) {
		enum error error = store_apply(transaction->store, &change);

		if (error != ERROR_OK)
			return fail(transaction, "the store could not be written", error);
		backup_note(transaction->backup, &change);
	}
	return ERROR_OK;
}

/* Of several anchors the last says most. */
static const struct record_action *last_anchor(const struct transaction *transaction)
{
	const struct record_action *anchor = NULL;

	for (const struct transaction_actions *kept = transaction->first; kept != NULL; kept = kept->next) {
		for (size_t i = 0; i < kept->count; i++) {
			if (kept->actions[i].kind == RECORD_ACTION_ANCHOR)
				anchor = &kept->actions[i];
		}
	}
	return anchor;
}

/* The events that end the batch. ERROR_FULL stays the word for a full disk. */
static enum error finish(struct transaction *transaction, const struct record_event *room)
{
	struct record_event commit = transaction_event_now(RECORD_COMMIT);
	enum error error = run(transaction, &commit);

	if (error == ERROR_FULL)
		return fail(transaction, "the end of a batch does not fit into the record's memory",
			    ERROR_NO_MEMORY);
	if (error != ERROR_OK || room == NULL || !record_room(transaction->record))
		return error;
	/* What finds no room to be handed over now waits for the next batch. */
	error = run(transaction, room);
	return error == ERROR_FULL ? ERROR_OK : error;
}

enum error transaction_commit(struct transaction *transaction, const struct record_event *room)
{
	const struct record_action *anchor;
	enum error error;

	assert(transaction_is_open(transaction));
	error = finish(transaction, room);
	if (error == ERROR_OK)
		error = write_rows(transaction);
	if (error == ERROR_OK)
		error = fail(transaction, "the commit failed", store_commit(transaction->store));
	if (error != ERROR_OK)
		return error;
	rows_settle(record_rows(transaction->record));
	anchor = last_anchor(transaction);
	if (anchor != NULL)
		error = fail(transaction, "the anchor could not be written",
			     anchor_file_write(transaction->anchor, anchor->bytes));
	return error;
}

enum error transaction_perform(struct transaction *transaction,
			       void (*perform)(void *context, const struct record_action *action),
			       void *context)
{
	bool wipe = false;

	for (const struct transaction_actions *kept = transaction->first; kept != NULL; kept = kept->next) {
		for (size_t i = 0; i < kept->count; i++) {
			const struct record_action *action = &kept->actions[i];

			if (action->kind == RECORD_ACTION_WIPE)
				wipe = true;
			else if (action->kind != RECORD_ACTION_ANCHOR)
				perform(context, action);
		}
	}
	transaction_free(transaction);
	if (!wipe)
		return ERROR_OK;
	rows_reset(record_rows(transaction->record)); /* what was erased is not to stay in a cache either */
	return fail(transaction, "erased keys could not be overwritten", store_wipe(transaction->store));
}

void transaction_free(struct transaction *transaction)
{
	while (transaction->first != NULL) {
		struct transaction_actions *kept = transaction->first;

		transaction->first = kept->next;
		free(kept);
	}
	transaction->last = NULL;
	transaction->events = 0;
	transaction->bytes = 0;
}
