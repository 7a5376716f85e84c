#include <string.h>

#include "base/local.h"
#include "base/text.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/query.h"
#include "record/registry.h"

/* ---- what the courier gives up ---- */

static struct row_key retry_prefix(uint64_t precedence, bool statement)
{
	struct row_key key = key_make(TABLE_RETRY);
	key_u8(&key, PRECEDENCE_COUNT - precedence + (statement ? PRECEDENCE_COUNT : 0));
	return key;
}

struct row_key outbox_retry_row(const struct outgoing *outgoing)
{
	const struct copy *copy = &outgoing->copy;
	struct row_key key = retry_prefix(copy->precedence, outgoing->key.statement != 0);
	key_u64(&key, copy->turn);
	key_u64(&key, copy->number);
	return key;
}

/* By its number, which the copy keeps: one of the places for what goes to this party at this precedence. */
struct row_key outbox_place_row(const struct outgoing *outgoing)
{
	struct row_key key = key_make(TABLE_PLACE);
	key_u8(&key, PRECEDENCE_COUNT - outgoing->copy.precedence);
	key_u8(&key, outgoing->party);
	key_u8(&key, outgoing->copy.number % OUTBOX_STATEMENT_PLACES);
	return key;
}

/* It waits from then on, by the slow clock; when it is due stays as it is. */
static void retry_at(struct run *run, struct outgoing *outgoing, uint64_t at_ms)
{
	struct copy *copy = &outgoing->copy;

	outbox_unplace(run, outgoing);
	copy->state = COPY_RETRYING;
	copy->turn = at_ms;
	struct row_key key = outbox_retry_row(outgoing);
	run_put(run, &key, &schema_copy_key, &outgoing->key);
	outbox_write(run, outgoing);
}

/* A statement takes its place among those for its party, if no other has it. *kept: it has. */
static enum error retry_statement(struct run *run, struct outgoing *outgoing, uint64_t at_ms, bool *kept)
{
	struct row_key key = outbox_place_row(outgoing);
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&key), &row);
	*kept = error == ERROR_NOT_FOUND;
	if (*kept) {
		retry_at(run, outgoing, at_ms);
		run_put(run, &key, &schema_copy_key, &outgoing->key);
	}
	return *kept ? ERROR_OK : error;
}

static uint64_t retry_ms(uint64_t precedence)
{
	switch (precedence) {
	case PRECEDENCE_FLASH:
		return RETRY_FLASH_MS;
	case PRECEDENCE_IMMEDIATE:
		return RETRY_IMMEDIATE_MS;
	case PRECEDENCE_PRIORITY:
		return RETRY_PRIORITY_MS;
	default:
		return RETRY_ROUTINE_MS;
	}
}

/* What passes by itself; for anything else somebody has to change something, here or at another courier. */
static bool passes_soon(enum error reason)
{
	return reason == ERROR_FULL || reason == ERROR_TIMED_OUT || reason == ERROR_IO;
}

/*
 * That an urgent copy does not leave is told once an hour, and when it has left and comes back: not each time
 * that the courier has taken it and gives it up, which it may do in turn without end.
 */
static enum error tell_given_up(struct run *run, struct outgoing *outgoing)
{
	enum error reason = run_event(run)->of.progress.reason;
	struct entry_key key = outgoing->key.entry;
	struct copy *copy = &outgoing->copy;
	struct channel channel;
	struct entry entry;

	uint64_t *told_ms = reason == ERROR_FULL ? &copy->told_full_ms : &copy->told_refused_ms;

	if (copy->precedence < PRECEDENCE_IMMEDIATE || (reason != ERROR_FULL && passes_soon(reason)) ||
	    (*told_ms != 0 && run_slow_since(run, *told_ms) < OUTBOX_TOLD_AGAIN_MS))
		return ERROR_OK;
	enum error error = run_must(registry_channel(run, key.channel, &channel));
	if (error != ERROR_OK)
		return error;
	key.log = log_own_number(run, &channel);
	error = run_must(log_entry(run, &key, &entry));
	if (error != ERROR_OK)
		return error;
	*told_ms = run_slow_ms(run) + (run_slow_ms(run) == 0);
	return query_alert_message(
		run, &key, entry.time, reason,
		reason == ERROR_FULL
			? "it has not left, since the courier has no room for it: free some on its disk, or "
			  "see why its routes carry nothing"
			: "it does not go on, since the courier or its neighbour does not take it, or knows "
			  "no way for it: their logs say why; it is tried again, each time after twice as "
			  "long");
}

static enum error given_up_statement(struct run *run, struct outgoing *outgoing)
{
	struct copy *copy = &outgoing->copy;
	enum error error = ERROR_OK;
	bool kept = false;

	if (++copy->sends < OUTBOX_STATEMENT_TRIES)
		error = retry_statement(run, outgoing, run_slow_ms(run) + retry_ms(copy->precedence), &kept);
	if (error != ERROR_OK || kept)
		return error;
	outbox_remove(run, outgoing);
	run_log(run, run_event(run)->of.progress.reason,
		"the courier gives statements up too often: one is forgotten, and made anew if it is asked "
		"for");
	return ERROR_OK;
}

/* It has not gone, and the courier has it no more: it is handed over again, whatever the reason. */
static enum error given_up(struct run *run, struct outgoing *outgoing)
{
	enum error reason = run_event(run)->of.progress.reason;
	struct copy *copy = &outgoing->copy;

	if (copy->state != COPY_HANDED && copy->state != COPY_QUEUED)
		return ERROR_OK; /* it is to be handed over as it is, or a neighbour has it */
	if (outgoing->key.statement != 0)
		return given_up_statement(run, outgoing);
	enum error error = tell_given_up(run, outgoing);
	if (error != ERROR_OK)
		return error;
	/* An entry is offered for ever: what refuses it shall not be asked every few seconds. */
	if (!passes_soon(reason)) {
		outbox_unplace(run, outgoing);
		copy->state = COPY_HELD;
		outbox_write(run, outgoing);
		run_log(run, reason, "a copy is not taken on its way; it will be handed over when it is due");
		return ERROR_OK;
	}
	retry_at(run, outgoing, run_slow_ms(run) + retry_ms(copy->precedence));
	run_log(run, reason, "the courier gave a copy up; it will be handed over again");
	return ERROR_OK;
}

/*
 * What waits no longer, at most count_max of a precedence. What would wait for longer than anything does was
 * put there before a restart over which the clock lost time (record/clock.h): it has waited.
 */
static enum error list_retries_of(struct run *run, uint64_t precedence, bool statements, size_t count_max,
				  struct outbox_moved *moved, size_t *count)
{
	struct row_key prefix = retry_prefix(precedence, statements);
	uint64_t now_ms = run_slow_ms(run);
	uint64_t last_ms = now_ms + retry_ms(precedence);
	size_t lost = 0;

	enum error error = outbox_list_moved(run, &prefix, 0, now_ms + 1, count_max, moved, count);
	if (error == ERROR_OK && *count < count_max)
		error = outbox_list_moved(run, &prefix, last_ms + 1, UINT64_MAX, count_max - *count,
					  moved + *count, &lost);
	*count += lost;
	return error;
}

static enum error list_retries(struct run *run, bool statements, size_t count_max, struct outbox_moved *moved,
			       size_t *count)
{
	bool missing = false;

	*count = 0;
	for (uint64_t precedence = PRECEDENCE_FLASH; precedence >= PRECEDENCE_ROUTINE; precedence--) {
		size_t more = 0;
		enum error error =
			list_retries_of(run, precedence, statements, count_max, moved + *count, &more);
		if (!run_missing(error, &missing))
			return error;
		*count += more;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error outbox_retry(struct run *run)
{
	const size_t each_max = OUTBOX_RETRIES_MAX + OUTBOX_STATEMENT_RETRIES_MAX;
	struct outbox_moved *moved = run_take(run, PRECEDENCE_COUNT * each_max * sizeof(*moved));
	bool missing = false;
	size_t entries, statements = 0;

	enum error error = list_retries(run, false, OUTBOX_RETRIES_MAX, moved, &entries);
	if (run_missing(error, &missing))
		error = list_retries(run, true, OUTBOX_STATEMENT_RETRIES_MAX, moved + entries, &statements);
	if (!run_missing(error, &missing))
		return error;
	if (missing)
		return ERROR_NEEDS_ROWS;
	for (size_t i = 0; i < entries + statements; i++) {
		struct outgoing outgoing;
		error = outbox_read(run, &moved[i].key, &outgoing);
		if (error == ERROR_OK)
			outbox_wait_until_due(run, &outgoing);
		else if (error != ERROR_NOT_FOUND)
			return error;
		run_delete(run, &moved[i].row);
	}
	return ERROR_OK;
}

/* ---- hints ---- */

static enum error note_hint(struct run *run, const struct copy_key *key, uint64_t state, struct bytes route)
{
	struct entry_key entry_key = key->entry;
	struct channel channel;
	struct entry entry;

	enum error error = registry_channel(run, entry_key.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	entry_key.log = log_own_number(run, &channel);
	error = log_entry(run, &entry_key, &entry);
	if (error != ERROR_OK)
		return run_must(error);
	if (entry.state >= state)
		return ERROR_OK;
	return log_set_state(run, &entry_key, &entry, state, route);
}

enum error outbox_progress(struct run *run)
{
	const struct record_event *event = run_event(run);
	struct row_key id_key = outbox_id_row(event->of.progress.copy);
	struct copy_key key;
	struct outgoing outgoing;
	uint64_t state = event->of.progress.state;

	enum error error = run_get(run, &id_key, &schema_copy_key, &key);
	if (error == ERROR_OK)
		error = outbox_read(run, &key, &outgoing);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error; /* receipted meanwhile, or not ours */
	if (state != LOCAL_QUEUED && state != LOCAL_CARRIED)
		return given_up(run, &outgoing);
	if (outgoing.key.statement != 0) {
		outbox_remove(run, &outgoing);
		return ERROR_OK;
	}
	/* One that waits to be sent again does, whatever is said. */
	if (outgoing.copy.state != COPY_WAITING && outgoing.copy.state != COPY_RETRYING) {
		if (state == LOCAL_CARRIED)
			outgoing.copy.told_full_ms = outgoing.copy.told_refused_ms = 0;
		outbox_unplace(run, &outgoing);
		outgoing.copy.state = state == LOCAL_CARRIED || outgoing.copy.state == COPY_CARRIED
					      ? COPY_CARRIED
					      : COPY_QUEUED;
		outbox_write(run, &outgoing);
	}
	struct bytes route = event->of.progress.route;
	if (route.size > ROUTE_NAME_SIZE_MAX || !text_is_plain_line(route))
		route = bytes_of_text("");
	return note_hint(run, &key, state, route);
}

/* ---- resending ---- */

/*
 * A record copy becomes an action copy where no post of its party has receipted the entry in half its time.
 * The courier is to take it anew, at its new precedence.
 */
static enum error promote(struct run *run, struct outgoing *outgoing)
{
	struct entry_key key = outgoing->key.entry;
	struct copy *copy = &outgoing->copy;
	struct channel channel;
	struct entry entry;

	if (outgoing->key.statement != 0 || copy->urgency <= copy->precedence)
		return ERROR_OK;
	enum error error = registry_channel(run, key.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	uint64_t index = log_roster_index(key.log);
	key.log = log_own_number(run, &channel);
	error = log_entry(run, &key, &entry);
	if (error != ERROR_OK)
		return run_must(error);
	if (index == channel.own_index || (entry.received >> index & 1) != 0) {
		copy->urgency = copy->precedence;
		return ERROR_OK;
	}
	copy->precedence = copy->urgency;
	if (copy->sealed) {
		struct record_action *action = run_action(run, RECORD_ACTION_CANCEL);
		memcpy(action->copy, copy->sha256, sizeof(action->copy));
	}
	return ERROR_OK;
}

/* The courier answers for a copy that it gave away and sends it no more: it has to forget it before. */
static void recall(struct run *run, const struct copy *copy)
{
	if (copy->state == COPY_CARRIED && copy->sealed) {
		struct record_action *action = run_action(run, RECORD_ACTION_CANCEL);
		memcpy(action->copy, copy->sha256, sizeof(action->copy));
	}
}

enum error outbox_due(struct run *run)
{
	struct outbox_moved *moved = run_take(run, OUTBOX_MOVED_MAX * sizeof(*moved));
	struct row_key prefix = key_make(TABLE_DUE);
	size_t count;

	enum error error =
		outbox_list_moved(run, &prefix, 0, run_slow_ms(run) + 1, OUTBOX_MOVED_MAX, moved, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		struct outgoing outgoing;
		error = outbox_read(run, &moved[i].key, &outgoing);
		if (error == ERROR_OK) {
			recall(run, &outgoing.copy);
			outbox_unplace(run, &outgoing);
			outgoing.copy.state = COPY_HELD;
			error = promote(run, &outgoing);
			if (error == ERROR_OK)
				outbox_wait(run, &outgoing);
		} else if (error == ERROR_NOT_FOUND) {
			error = ERROR_OK;
		}
		run_delete(run, &moved[i].row);
	}
	return error;
}

/* ---- receipts ---- */

enum error outbox_receipted(struct run *run, const struct entry_key *key, uint64_t log)
{
	struct copy_key copy_key = {.entry = *key};
	struct outgoing outgoing;

	copy_key.entry.log = log;
	enum error error = outbox_read(run, &copy_key, &outgoing);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	if (outgoing.copy.sends > 0 && outgoing.copy.sealed) {
		struct record_action *action = run_action(run, RECORD_ACTION_CANCEL);
		memcpy(action->copy, outgoing.copy.sha256, sizeof(action->copy));
	}
	outbox_remove(run, &outgoing);
	return ERROR_OK;
}

enum error outbox_settled(struct run *run, const struct entry_key *key, uint64_t precedence)
{
	return outbox_count_pending(run, key->channel, precedence, false);
}

static enum error was_sent(struct run *run, uint64_t party, uint64_t slot, const uint8_t sha256[32],
			   bool *was)
{
	struct row_key prefix = key_party_post(TABLE_SENT, party, slot);
	struct row row;

	*was = false;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && !*was) {
		*was = bytes_equal(row.value, bytes_make(sha256, 32));
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* A statement is not sealed again: what it says is said again when it is asked for. But the next ones shall
 * open. */
static enum error cannot_open_statement(struct run *run, uint64_t party, uint64_t slot,
					const uint8_t sha256[32])
{
	bool was;

	enum error error = was_sent(run, party, slot, sha256, &was);
	return error == ERROR_OK && was ? keys_distrust(run, party, slot) : error;
}

enum error outbox_cannot_open(struct run *run, uint64_t party, uint64_t slot, const uint8_t sha256[32])
{
	struct row_key id_key = outbox_id_row(sha256);
	struct copy_key key;
	struct outgoing outgoing;

	enum error error = run_get(run, &id_key, &schema_copy_key, &key);
	if (error == ERROR_NOT_FOUND)
		return cannot_open_statement(run, party, slot, sha256);
	if (error == ERROR_OK)
		error = outbox_read(run, &key, &outgoing);
	if (error != ERROR_OK)
		return run_must(error);
	if (outgoing.key.statement != 0)
		return cannot_open_statement(run, party, slot, sha256);
	if (outgoing.party != party || outgoing.slot != slot ||
	    memcmp(outgoing.copy.sha256, sha256, sizeof(outgoing.copy.sha256)) != 0)
		return ERROR_OK;
	struct record_action *action = run_action(run, RECORD_ACTION_CANCEL);
	memcpy(action->copy, sha256, sizeof(action->copy));
	outbox_drop_seal(run, &outgoing.copy);
	if (outgoing.copy.seals >= RESEALS_MAX) {
		error = outbox_hold(run, &outgoing);
		if (error != ERROR_OK)
			return error;
		run_alert(run, ERROR_CANNOT_OPEN,
			  "a post cannot open what is sealed to it: exchange cards or keying again");
		return ERROR_OK;
	}
	bool was_last_resort = outgoing.copy.last_resort;
	outgoing.copy.last_resort = !was_last_resort;
	outbox_wait(run, &outgoing);
	return was_last_resort ? ERROR_OK : keys_distrust(run, party, slot);
}
