/* Copies that are made or sealed anew: what a post asks for, and all of them after a restore. */
#include <string.h>

#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/registry.h"

#define REQUEUED_MAX 48 /* copies that are looked at in one event: each writes some rows */

/* state->requeue: 0 for none, else whose copies are made to wait again */
#define REQUEUE_ALL   1
#define REQUEUE_PARTY 2 /* and the party's number */

/* Its bytes may be of no use to the receiver any more. */
static void renew(struct run *run, struct outgoing *outgoing)
{
	struct copy *copy = &outgoing->copy;

	if (copy->sealed) {
		struct record_action *action = run_action(run, RECORD_ACTION_CANCEL);
		memcpy(action->copy, copy->sha256, sizeof(action->copy));
	}
	outbox_drop_seal(run, copy);
	copy->last_resort = false;
	copy->seals = 0;
	copy->sends = 0;
	outbox_wait(run, outgoing);
}

/* ---- what a post asks for ---- */

enum error outbox_again(struct run *run, const struct entry_key *key, uint64_t log, bool *made)
{
	struct copy_key copy_key = {.entry = *key};
	struct outgoing outgoing;

	*made = true;
	copy_key.entry.log = log;
	enum error error = outbox_read(run, &copy_key, &outgoing);
	if (error == ERROR_NOT_FOUND) {
		outbox_make_copy(run, key, log, PRECEDENCE_ROUTINE, PRECEDENCE_ROUTINE, true);
		return ERROR_OK;
	}
	if (error != ERROR_OK)
		return error;
	*made = outgoing.copy.state == COPY_CARRIED || outgoing.copy.state == COPY_HELD;
	if (*made)
		renew(run, &outgoing);
	return ERROR_OK;
}

enum error outbox_give_back(struct run *run, const struct entry_key *key, uint64_t party, bool *made)
{
	struct row_key row_key = key_entry(TABLE_RETURNING, key);
	struct outbox_statement returned = {
		.channel = key->channel,
		.party = party,
		.slot = log_slot(key->log),
		.precedence = PRECEDENCE_ROUTINE,
		.entry = *key,
	};
	struct bytes value;

	enum error error = rows_get(run_rows(run), key_view(&row_key), &value);
	*made = error == ERROR_NOT_FOUND;
	if (error != ERROR_NOT_FOUND)
		return error;
	rows_put(run_rows(run), key_view(&row_key), bytes_make(NULL, 0));
	return outbox_statement(run, &returned, NULL);
}

enum error outbox_all_again(struct run *run, const struct channel *channel, const struct entry_key *key,
			    uint64_t precedence)
{
	uint64_t own_log = log_own_number(run, channel);
	uint64_t log = LINES_START;
	enum error error;

	while ((error = registry_next_line(run, key->channel, &log, NULL)) == ERROR_OK)
		if (log != own_log)
			outbox_make_copy(run, key, log, PRECEDENCE_ROUTINE, PRECEDENCE_ROUTINE, false);
	if (error != ERROR_NOT_FOUND)
		return error;
	return outbox_count_pending(run, key->channel, precedence, true);
}

/* ---- after a restore ---- */

void outbox_requeue_all(struct run *run)
{
	struct row_key cursor_key = key_make(TABLE_REQUEUE);

	rows_delete(run_rows(run), key_view(&cursor_key)); /* one that was under way begins anew */
	run_state(run)->requeue = REQUEUE_ALL;
}

enum error outbox_requeue_party(struct run *run, uint64_t party)
{
	struct row_key cursor_key = key_make(TABLE_REQUEUE);
	struct state *state = run_state(run);
	struct bytes cursor;

	enum error error = rows_get(run_rows(run), key_view(&cursor_key), &cursor);
	if (error == ERROR_OK) /* another one is under way: all of them, then, from the beginning */
		rows_delete(run_rows(run), key_view(&cursor_key));
	else if (error != ERROR_NOT_FOUND)
		return error;
	state->requeue = state->requeue == 0 ? REQUEUE_PARTY + party : REQUEUE_ALL;
	return ERROR_OK;
}

static enum error requeue_one(struct run *run, struct bytes row_key)
{
	uint64_t which = run_state(run)->requeue;
	struct key_reader reader = key_reader_make(row_key);
	struct copy_key key = {0};
	struct outgoing outgoing;

	key.entry.channel = key_read_u16(&reader);
	key.entry.incarnation = key_read_u16(&reader);
	key.entry.position = key_read_u32(&reader);
	key.entry.log = key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	enum error error = outbox_read(run, &key, &outgoing);
	if (error != ERROR_OK)
		return run_must(error);
	if (which == REQUEUE_ALL || which == REQUEUE_PARTY + outgoing.party)
		renew(run, &outgoing);
	return ERROR_OK;
}

enum error outbox_requeue(struct run *run)
{
	struct row_key cursor_key = key_make(TABLE_REQUEUE);
	struct row_key prefix = key_make(TABLE_COPY);
	struct bytes cursor;
	struct row row;

	if (run_state(run)->requeue == 0)
		return ERROR_OK;
	enum error error = rows_get(run_rows(run), key_view(&cursor_key), &cursor);
	if (error == ERROR_NOT_FOUND)
		error = rows_first(run_rows(run), key_view(&prefix), &row);
	else if (error == ERROR_OK)
		error = rows_after(run_rows(run), key_view(&prefix), cursor, &row);
	for (size_t i = 0; error == ERROR_OK; i++) {
		if (i == REQUEUED_MAX) {
			rows_put(run_rows(run), key_view(&cursor_key), cursor);
			return ERROR_OK;
		}
		error = requeue_one(run, row.key);
		if (error != ERROR_OK)
			return error;
		cursor = row.key;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	rows_delete(run_rows(run), key_view(&cursor_key));
	run_state(run)->requeue = 0;
	return ERROR_OK;
}
