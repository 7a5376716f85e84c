#include "record/outbox.h"

#include <assert.h>
#include <string.h>

#include "record/log.h"
#include "record/outbox_rows.h"
#include "record/registry.h"

#define SENT_KEPT 64 /* hashes of statements that are kept for one post */

/* ---- rows ---- */

struct row_key outbox_copy_row(const struct copy_key *key)
{
	if (key->statement != 0) {
		struct row_key row_key = key_make(TABLE_STATEMENT);
		key_u64(&row_key, key->statement);
		return row_key;
	}
	struct row_key row_key = key_channel(TABLE_COPY, key->entry.channel);
	key_u16(&row_key, key->entry.incarnation);
	key_u32(&row_key, key->entry.position);
	key_u16(&row_key, key->entry.log);
	return row_key;
}

struct row_key outbox_waiting_row(const struct copy *copy)
{
	struct row_key key = key_make(TABLE_WAITING);
	key_u8(&key, PRECEDENCE_COUNT - copy->precedence);
	key_u64(&key, copy->number);
	return key;
}

struct row_key outbox_handed_row(const struct copy *copy)
{
	struct row_key key = key_make(TABLE_HANDED);
	key_u64(&key, copy->turn);
	key_u8(&key, PRECEDENCE_COUNT - copy->precedence);
	key_u64(&key, copy->number);
	return key;
}

struct row_key outbox_due_row(const struct copy *copy)
{
	struct row_key key = key_make(TABLE_DUE);
	key_u64(&key, copy->due_ms);
	key_u64(&key, copy->number);
	return key;
}

struct row_key outbox_sealed_row(const struct copy *copy)
{
	struct row_key key = key_make(TABLE_SEALED);
	key_u64(&key, copy->number);
	return key;
}

struct row_key outbox_id_row(const uint8_t id[16])
{
	struct row_key key = key_make(TABLE_COPY_ID);
	key_bytes(&key, id, 16);
	return key;
}

enum error outbox_read(struct run *run, const struct copy_key *key, struct outgoing *outgoing)
{
	struct row_key row_key = outbox_copy_row(key);

	memset(outgoing, 0, sizeof(*outgoing));
	outgoing->key = *key;
	if (key->statement != 0) {
		enum error error = run_get(run, &row_key, &schema_statement_copy, &outgoing->statement);
		outgoing->copy = outgoing->statement.copy;
		outgoing->party = outgoing->statement.party;
		outgoing->slot = outgoing->statement.slot;
		return error;
	}
	struct channel channel;
	enum error error = run_get(run, &row_key, &schema_copy, &outgoing->copy);
	if (error != ERROR_OK)
		return error;
	error = registry_channel(run, key->entry.channel, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	outgoing->party = registry_party_of(&channel, log_roster_index(key->entry.log));
	outgoing->slot = log_slot(key->entry.log);
	return ERROR_OK;
}

void outbox_write(struct run *run, const struct outgoing *outgoing)
{
	struct row_key key = outbox_copy_row(&outgoing->key);

	if (outgoing->key.statement == 0) {
		run_put(run, &key, &schema_copy, &outgoing->copy);
		return;
	}
	struct statement_copy statement = outgoing->statement;
	statement.copy = outgoing->copy;
	run_put(run, &key, &schema_statement_copy, &statement);
}

/* Takes it out of the tables that its state says it is in. */
void outbox_unplace(struct run *run, const struct outgoing *outgoing)
{
	const struct copy *copy = &outgoing->copy;
	struct row_key key = outbox_waiting_row(copy);
	struct row_key place = outbox_place_row(outgoing);

	if (copy->state == COPY_HANDED)
		key = outbox_handed_row(copy);
	if (copy->state == COPY_RETRYING)
		key = outbox_retry_row(outgoing);
	if (copy->state == COPY_WAITING || copy->state == COPY_HANDED || copy->state == COPY_RETRYING)
		run_delete(run, &key);
	if (copy->state == COPY_RETRYING && outgoing->key.statement != 0)
		run_delete(run, &place);
}

void outbox_forget_due(struct run *run, struct copy *copy)
{
	struct row_key key = outbox_due_row(copy);

	if (copy->due_ms != 0)
		run_delete(run, &key);
	copy->due_ms = 0;
}

/* By number, and not by their hash: what is sealed in a batch stands side by side on the disk. */
void outbox_keep_seal(struct run *run, const struct outgoing *outgoing, struct bytes sealed)
{
	struct row_key key = outbox_sealed_row(&outgoing->copy);
	struct row_key id_key = outbox_id_row(outgoing->copy.sha256);

	rows_put(run_rows(run), key_view(&key), sealed);
	run_put(run, &id_key, &schema_copy_key, &outgoing->key);
}

void outbox_drop_seal(struct run *run, struct copy *copy)
{
	struct row_key key = outbox_sealed_row(copy);
	struct row_key id_key = outbox_id_row(copy->sha256);

	if (copy->sealed) {
		run_delete(run, &key);
		run_delete(run, &id_key);
	}
	copy->sealed = false;
}

void outbox_remove(struct run *run, const struct outgoing *outgoing)
{
	struct copy copy = outgoing->copy;
	struct row_key key = outbox_copy_row(&outgoing->key);

	outbox_unplace(run, outgoing);
	outbox_forget_due(run, &copy);
	outbox_drop_seal(run, &copy);
	run_delete(run, &key);
	if (outgoing->key.statement != 0 && outgoing->statement.kind == 0) {
		struct row_key returning = key_entry(TABLE_RETURNING, &outgoing->statement.entry);
		run_delete(run, &returning);
	}
}

void outbox_wait_until_due(struct run *run, struct outgoing *outgoing)
{
	struct copy *copy = &outgoing->copy;

	outbox_unplace(run, outgoing);
	copy->state = COPY_WAITING;
	struct row_key key = outbox_waiting_row(copy);
	run_put(run, &key, &schema_copy_key, &outgoing->key);
	outbox_write(run, outgoing);
}

void outbox_wait(struct run *run, struct outgoing *outgoing)
{
	outbox_forget_due(run, &outgoing->copy);
	outbox_wait_until_due(run, outgoing);
}

enum error outbox_terms(struct run *run, uint64_t number, struct terms *terms)
{
	struct channel channel;

	terms_default(terms, bytes_of_text(""));
	if (number == 0)
		return ERROR_OK;
	enum error error = registry_channel(run, number, &channel);
	if (error != ERROR_OK)
		return run_must(error);
	return registry_terms(&channel, terms);
}

/* ---- making copies ---- */

void outbox_make_copy(struct run *run, const struct entry_key *key, uint64_t log, uint64_t precedence,
		      uint64_t urgency, bool again)
{
	struct outgoing outgoing = {.key.entry = *key};

	outgoing.key.entry.log = log;
	outgoing.copy.precedence = precedence;
	outgoing.copy.urgency = urgency;
	outgoing.copy.again = again;
	outgoing.copy.number = ++run_state(run)->numbers;
	outbox_wait(run, &outgoing);
}

uint64_t *outbox_pending_of(struct pending *pending, uint64_t precedence)
{
	switch (precedence) {
	case PRECEDENCE_FLASH:
		return &pending->flash;
	case PRECEDENCE_IMMEDIATE:
		return &pending->immediate;
	case PRECEDENCE_PRIORITY:
		return &pending->priority;
	default:
		return &pending->routine;
	}
}

enum error outbox_count_pending(struct run *run, uint64_t channel, uint64_t precedence, bool more)
{
	struct row_key key = key_channel(TABLE_PENDING, channel);
	struct pending pending;

	enum error error = run_get(run, &key, &schema_pending, &pending);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	uint64_t *count = outbox_pending_of(&pending, precedence);
	if (more)
		(*count)++;
	else if (*count > 0)
		(*count)--;
	run_put(run, &key, &schema_pending, &pending);
	return ERROR_OK;
}

enum error outbox_entry(struct run *run, const struct channel *channel, const struct entry_key *key,
			const struct content *content)
{
	uint64_t log = LINES_START;
	uint64_t served = UINT64_MAX; /* roster index whose first post has its action copy */
	bool to_all = content->kind != CONTENT_MESSAGE && content->kind != CONTENT_ACKNOWLEDGMENT;
	enum error error;

	while ((error = registry_next_line(run, key->channel, &log, NULL)) == ERROR_OK) {
		uint64_t index = log_roster_index(log);
		bool action = to_all || (index != served && index != channel->own_index);
		if (log != key->log)
			outbox_make_copy(run, key, log, action ? content->precedence : PRECEDENCE_ROUTINE,
					 content->precedence, false);
		served = index;
	}
	if (error != ERROR_NOT_FOUND)
		return error;
	return outbox_count_pending(run, key->channel, content->precedence, true);
}

enum error outbox_statement(struct run *run, const struct outbox_statement *statement, uint64_t *serial)
{
	struct outgoing outgoing = {
		.copy =
			{
				.precedence = statement->precedence,
				.number = ++run_state(run)->numbers,
				.last_resort = statement->last_resort,
			},
		.statement =
			{
				.next_keying = statement->next_keying,
				.kind = statement->kind,
				.channel = statement->channel,
				.party = statement->party,
				.slot = statement->slot,
				.cose = statement->cose,
				.entry = statement->entry,
			},
	};
	outgoing.key.statement = outgoing.copy.number;
	outbox_wait(run, &outgoing);
	if (serial != NULL)
		*serial = outgoing.key.statement;
	return ERROR_OK;
}

enum error outbox_statement_waits(struct run *run, uint64_t serial, bool *waits)
{
	struct copy_key key = {.statement = serial};
	struct row_key row_key = outbox_copy_row(&key);
	struct bytes value;

	*waits = false;
	if (serial == 0)
		return ERROR_OK;
	enum error error = rows_get(run_rows(run), key_view(&row_key), &value);
	*waits = error == ERROR_OK;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- the courier's stream ---- */

enum error outbox_lost(struct run *run)
{
	run_state(run)->session++;
	return ERROR_OK;
}

/* When it is resent, if no receipt comes until then. */
static void set_due(struct run *run, struct outgoing *outgoing, const struct terms *terms)
{
	struct copy *copy = &outgoing->copy;

	if (outgoing->key.statement != 0)
		return;
	uint64_t wait_ms = terms->handling_s[copy->precedence - 1] * 250;
	if (wait_ms < OUTBOX_RESEND_MIN_MS)
		wait_ms = OUTBOX_RESEND_MIN_MS;
	for (uint64_t i = 0; i < copy->sends && wait_ms < OUTBOX_RESEND_MAX_MS; i++)
		wait_ms *= 2;
	if (wait_ms > OUTBOX_RESEND_MAX_MS)
		wait_ms = OUTBOX_RESEND_MAX_MS;
	if (copy->urgency > copy->precedence && wait_ms > terms->handling_s[copy->urgency - 1] * 500)
		wait_ms = terms->handling_s[copy->urgency - 1] * 500; /* then it may become an action copy */
	outbox_forget_due(run, copy);
	copy->due_ms = run_slow_ms(run) + wait_ms;
	copy->sends++;
	struct row_key key = outbox_due_row(copy);
	run_put(run, &key, &schema_copy_key, &outgoing->key);
}

static enum error terms_of(struct run *run, const struct outgoing *outgoing, struct terms *terms)
{
	bool is_own = outgoing->key.statement == 0;
	return outbox_terms(run, is_own ? outgoing->key.entry.channel : outgoing->statement.channel, terms);
}

enum error outbox_hold(struct run *run, struct outgoing *outgoing)
{
	struct terms terms;

	enum error error = terms_of(run, outgoing, &terms);
	if (error != ERROR_OK)
		return error;
	set_due(run, outgoing, &terms);
	outbox_unplace(run, outgoing);
	outgoing->copy.state = COPY_HELD;
	outbox_write(run, outgoing);
	return ERROR_OK;
}

static struct row_key key_sent(uint64_t party, uint64_t slot, uint64_t number)
{
	struct row_key key = key_party_post(TABLE_SENT, party, slot);
	key_u8(&key, number % SENT_KEPT);
	return key;
}

/* Statements are forgotten when the courier has them; the last hashes stay, so as to believe
 * "cannot open" of them. */
static void note_sent(struct run *run, const struct outgoing *outgoing)
{
	struct row_key key = key_sent(outgoing->party, outgoing->slot, outgoing->copy.number);

	rows_put(run_rows(run), key_view(&key),
		 bytes_make(outgoing->copy.sha256, sizeof(outgoing->copy.sha256)));
}

static enum error give(struct run *run, struct outgoing *outgoing, const struct terms *terms,
		       struct bytes sealed)
{
	struct row_key post_key = key_party_post(TABLE_PARTY_POST, outgoing->party, outgoing->slot);
	struct party_post post;

	enum error error = run_get(run, &post_key, &schema_party_post, &post);
	if (error != ERROR_OK)
		return run_must(error);
	/* One that the courier gave up keeps its time: it was not sent, and nothing begins anew. */
	if (outgoing->copy.due_ms == 0)
		set_due(run, outgoing, terms);
	outbox_unplace(run, outgoing);
	outgoing->copy.state = COPY_HANDED;
	outgoing->copy.turn = run_state(run)->session;
	struct row_key key = outbox_handed_row(&outgoing->copy);
	run_put(run, &key, &schema_copy_key, &outgoing->key);
	outbox_write(run, outgoing);
	struct record_action *action = run_action(run, RECORD_ACTION_SEND);
	memcpy(action->copy, outgoing->copy.sha256, sizeof(action->copy));
	action->precedence = (uint32_t)outgoing->copy.precedence;
	action->lifetime_ms = terms->delay_window_s * 1000;
	action->node = post.node;
	action->bytes = sealed;
	/* That a keying cannot be used yet says nothing about the prekeys. */
	if (outgoing->key.statement != 0 && !outgoing->statement.next_keying)
		note_sent(run, outgoing);
	return ERROR_OK;
}

/* The rows of these copies and their entries are asked for together: an event has few rounds. */
static enum error ask_for(struct run *run, const struct outbox_moved *moved, size_t count)
{
	bool missing = false;

	for (size_t i = 0; i < count; i++) {
		struct entry_key key = moved[i].key.entry;
		struct outgoing outgoing;
		struct channel channel;
		struct entry entry;
		missing = outbox_read(run, &moved[i].key, &outgoing) == ERROR_NEEDS_ROWS || missing;
		if (moved[i].key.statement != 0 || registry_channel(run, key.channel, &channel) != ERROR_OK)
			continue;
		key.log = log_own_number(run, &channel);
		missing = log_entry(run, &key, &entry) == ERROR_NEEDS_ROWS || missing;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error outbox_list_moved(struct run *run, const struct row_key *prefix, uint64_t first, uint64_t limit,
			     size_t count_max, struct outbox_moved *moved, size_t *count)
{
	struct row_key from = *prefix;
	struct row row;

	*count = 0;
	key_u64(&from, first);
	enum error error = rows_from(run_rows(run), key_view(prefix), key_view(&from), &row);
	while (error == ERROR_OK && *count < count_max) {
		struct key_reader reader = key_reader_make(row.key);
		struct outbox_moved *one = &moved[*count];
		for (size_t i = 1; i < prefix->size; i++)
			(void)key_read_u8(&reader);
		if (key_read_u64(&reader) >= limit)
			break;
		if (schema_read(&schema_copy_key, row.value, &one->key) != ERROR_OK)
			return ERROR_MALFORMED;
		one->row.size = row.key.size;
		memcpy(one->row.data, row.key.data, row.key.size);
		(*count)++;
		error = rows_after(run_rows(run), key_view(prefix), row.key, &row);
	}
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	return ask_for(run, moved, *count);
}

/* What was handed over on a stream that broke waits again, the oldest session first. */
static enum error take_back(struct run *run)
{
	struct outbox_moved *moved = run_take(run, OUTBOX_MOVED_MAX * sizeof(*moved));
	struct row_key prefix = key_make(TABLE_HANDED);
	size_t count;

	enum error error =
		outbox_list_moved(run, &prefix, 0, run_state(run)->session, OUTBOX_MOVED_MAX, moved, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		struct outgoing outgoing;
		error = outbox_read(run, &moved[i].key, &outgoing);
		if (error == ERROR_OK)
			outbox_wait(run, &outgoing);
		else if (error == ERROR_NOT_FOUND)
			error = ERROR_OK;
		run_delete(run, &moved[i].row);
	}
	return error;
}

/* What cannot be sealed now is tried again when it is due; new keys for that post come from outside. */
static enum error hold(struct run *run, struct outgoing *outgoing, enum error reason)
{
	enum error error = ERROR_OK;
	if (outgoing->key.statement != 0)
		outbox_remove(run, outgoing);
	else
		error = outbox_hold(run, outgoing);
	if (error != ERROR_OK)
		return error;
	run_log(run, reason, "a copy cannot be sealed: keys of its receiver are missing");
	return ERROR_OK;
}

#define COPIES_MAX     48 /* of one event */
#define COPIES_AT_ONCE 16 /* whose rows are asked for together: a window may pass no more */

/* The copies that wait, the most urgent first; their rows are asked for together. */
static enum error list_waiting(struct run *run, struct copy_key *keys, size_t count_max, size_t *count)
{
	struct row_key prefix = key_make(TABLE_WAITING);
	struct row row;
	bool missing = false;

	*count = 0;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && *count < count_max) {
		if (schema_read(&schema_copy_key, row.value, &keys[*count]) != ERROR_OK)
			return ERROR_MALFORMED;
		(*count)++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	for (size_t i = 0; i < *count; i++) {
		struct outgoing outgoing;
		struct bytes cose;
		struct entry entry;
		error = outbox_read(run, &keys[i], &outgoing);
		missing = missing || error == ERROR_NEEDS_ROWS;
		if (keys[i].statement == 0 && (error != ERROR_OK || !outgoing.copy.sealed)) {
			struct entry_key key = keys[i].entry;
			struct channel channel;
			if (registry_channel(run, key.channel, &channel) == ERROR_OK) {
				key.log = log_own_number(run, &channel);
				missing = log_cose(run, &key, &cose) == ERROR_NEEDS_ROWS || missing;
				missing = log_entry(run, &key, &entry) == ERROR_NEEDS_ROWS || missing;
			}
		} else if (error == ERROR_OK && outgoing.copy.sealed) {
			struct row_key sealed = outbox_sealed_row(&outgoing.copy);
			missing = rows_get(run_rows(run), key_view(&sealed), &cose) == ERROR_NEEDS_ROWS ||
				  missing;
		}
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* Gives these copies, in order, until the window is closed (*closed). */
static enum error give_copies(struct run *run, const struct copy_key *keys, size_t count,
			      struct link_window *window, bool *closed)
{
	enum error error = ERROR_OK;

	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		struct outgoing outgoing;
		struct bytes sealed;
		struct terms terms;
		enum error reason;
		error = outbox_read(run, &keys[i], &outgoing);
		if (error == ERROR_OK)
			error = terms_of(run, &outgoing, &terms);
		if (error != ERROR_OK)
			return run_must(error);
		unsigned precedence = (unsigned)outgoing.copy.precedence;
		*closed = !link_window_open(window, precedence, 1);
		if (*closed)
			return ERROR_OK;
		error = outbox_seal(run, &outgoing, terms.delay_window_s, &sealed, &reason);
		if (error != ERROR_OK)
			return error;
		if (reason != ERROR_OK) {
			error = hold(run, &outgoing, reason);
			continue;
		}
		*closed = !link_window_open(window, precedence, sealed.size);
		if (*closed) {
			outbox_write(run, &outgoing); /* sealed, and waits for more room */
			return ERROR_OK;
		}
		link_window_sent(window, precedence, sealed.size);
		error = give(run, &outgoing, &terms, sealed);
	}
	return error;
}

enum error outbox_room(struct run *run)
{
	const struct record_event *event = run_event(run);
	struct link_window window = event->of.room.window;
	struct copy_key keys[COPIES_AT_ONCE];
	size_t left = event->of.room.copies_max < COPIES_MAX ? event->of.room.copies_max : COPIES_MAX;
	size_t count;
	bool closed = false;

	enum error error = take_back(run);
	while (error == ERROR_OK && left > 0 && !closed) {
		error = list_waiting(run, keys, left < COPIES_AT_ONCE ? left : COPIES_AT_ONCE, &count);
		if (error != ERROR_OK || count == 0)
			return error;
		left -= count;
		error = give_copies(run, keys, count, &window, &closed);
	}
	return error;
}
