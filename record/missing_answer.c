/* What others ask for, within bounds; and what they give back of the own log. */
#include <string.h>

#include "envelope/signed.h"
#include "record/effects.h"
#include "record/heads.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/registry.h"

#define HOUR_MS UINT64_C(3600000)
#define LOG_END (POSITION_MAX + 1)

/* ---- what is asked for ---- */

/*
 * Of what was refused only the leaf is held: it is looked at, but not given. A counterpart can have so many
 * refused that to look at them all would be no event.
 */
#define LOOKED_AT_MAX 1024

struct wanted {
	size_t count;
	size_t count_max;
	size_t looked_at;
	struct entry_key keys[MISSING_ANSWER_MAX];
};

static bool is_before(const struct entry_key *key, const struct entry_key *end)
{
	return key->incarnation < end->incarnation ||
	       (key->incarnation == end->incarnation && key->position < end->position);
}

/*
 * The entries that are held of one log, from `first` to before `end`. Incarnations that nobody wrote take no
 * time: an author may have left out thousands.
 */
static enum error list_span(struct run *run, const struct entry_key *first, const struct entry_key *end,
			    struct wanted *wanted)
{
	struct row_key prefix = key_channel(TABLE_ENTRY, first->channel);
	struct row_key from = key_entry(TABLE_ENTRY, first);
	struct row row;

	key_u16(&prefix, first->log);
	enum error error = rows_from(run_rows(run), key_view(&prefix), key_view(&from), &row);
	while (error == ERROR_OK && wanted->count < wanted->count_max && wanted->looked_at < LOOKED_AT_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct entry_key *key = &wanted->keys[wanted->count];
		struct entry entry;
		*key = (struct entry_key){.channel = key_read_u16(&reader)};
		key->log = key_read_u16(&reader);
		key->incarnation = key_read_u16(&reader);
		key->position = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_entry, row.value, &entry) != ERROR_OK)
			return ERROR_MALFORMED;
		if (!is_before(key, end))
			return ERROR_OK;
		wanted->looked_at++;
		if (entry.state != LOCAL_REFUSED || entry.received != 0 || entry.refused != 0)
			wanted->count++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error list_wanted(struct run *run, uint64_t channel, const struct missing_statement *missing,
			      struct wanted *wanted)
{
	const struct held_range *last = &missing->ranges[missing->ranges_count - 1];
	struct row_key line_key = key_line(channel, missing->log);
	struct entry_key first = {
		.channel = channel, .log = missing->log, .incarnation = missing->incarnation};
	struct entry_key end = first;
	struct line line;

	enum error error = run_must(run_get(run, &line_key, &schema_line, &line));
	for (size_t i = 0; error == ERROR_OK && i < missing->ranges_count; i++) {
		first.position = missing->ranges[i].first;
		end.position = first.position + missing->ranges[i].count;
		error = list_span(run, &first, &end, wanted);
	}
	if (error != ERROR_OK || last->first + last->count < LOG_END)
		return error;
	first.incarnation++;
	first.position = 0;
	/* Nobody gives its author what it writes now. */
	end.incarnation = missing->log == missing->by ? line.incarnation : line.incarnation + 1;
	end.position = 0;
	return is_before(&first, &end) ? list_span(run, &first, &end, wanted) : ERROR_OK;
}

/* ---- giving ---- */

/* Copies of own entries for that post; what its courier has not got yet is on its way already. */
static enum error give_own(struct run *run, const struct wanted *wanted, uint64_t to, size_t *given)
{
	bool missing = false;

	for (size_t i = 0; i < wanted->count; i++) {
		bool made;
		enum error error = outbox_again(run, &wanted->keys[i], to, &made);
		if (!run_missing(error, &missing))
			return error;
		*given += made;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* Entries of that post's own log, and the last heads that are held of it. */
static enum error give_back(struct run *run, const struct received_statement *statement,
			    const struct missing_statement *missing, const struct wanted *wanted,
			    size_t *given)
{
	bool is_missing = false;
	struct row_key line_key = key_line(statement->channel_number, missing->by);
	struct line line;

	enum error error = run_must(run_get(run, &line_key, &schema_line, &line));
	if (error != ERROR_OK)
		return error;
	if (line.asked == 0 || line.asked > missing->incarnation) {
		line.asked = missing->incarnation;
		run_put(run, &line_key, &schema_line, &line);
	}
	for (size_t i = 0; i < wanted->count; i++) {
		bool made;
		error = outbox_give_back(run, &wanted->keys[i], statement->opened->party, &made);
		if (!run_missing(error, &is_missing))
			return error;
		*given += made;
	}
	return is_missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error read_quota(struct run *run, uint64_t channel, uint64_t log, struct row_key *key,
			     struct quota *quota)
{
	*key = key_channel(TABLE_ANSWERED, channel);
	key_u16(key, log);
	enum error error = run_get(run, key, &schema_quota, quota);
	if (error == ERROR_NOT_FOUND ||
	    (error == ERROR_OK && run_slow_since(run, quota->start_ms) >= HOUR_MS))
		*quota = (struct quota){.start_ms = run_slow_ms(run)};
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error missing_take(struct run *run, const struct received_statement *statement)
{
	struct missing_statement *missing = run_take(run, sizeof(*missing));
	struct wanted *wanted = run_take(run, sizeof(*wanted));
	uint64_t own_log = log_own_number(run, &statement->channel);
	struct row_key quota_key;
	struct quota quota;
	size_t given = 0;

	enum error reason = missing_decode(statement->object.payload, missing);
	if (reason == ERROR_OK && (missing->by != log_number(statement->index, statement->opened->slot) ||
				   (missing->log != own_log && missing->log != missing->by)))
		reason = ERROR_BAD_ARGUMENT;
	if (reason != ERROR_OK)
		return run_count(run, reason, "statement of what is missing dropped: not of the form");
	enum error error = read_quota(run, statement->channel_number, missing->by, &quota_key, &quota);
	if (error != ERROR_OK)
		return error;
	if (quota.count >= MISSING_ANSWERS_HOURLY)
		return run_count(run, ERROR_REFUSED_QUOTA,
				 "a post asks for more than it may be given in an hour");
	wanted->count = 0;
	wanted->looked_at = 0;
	wanted->count_max = MISSING_ANSWERS_HOURLY - (size_t)quota.count;
	if (wanted->count_max > MISSING_ANSWER_MAX)
		wanted->count_max = MISSING_ANSWER_MAX;
	error = list_wanted(run, statement->channel_number, missing, wanted);
	if (error != ERROR_OK)
		return error;
	if (missing->log == own_log)
		error = give_own(run, wanted, missing->by, &given);
	else
		error = give_back(run, statement, missing, wanted, &given);
	quota.count += given;
	if (error == ERROR_OK && given > 0)
		run_put(run, &quota_key, &schema_quota, &quota);
	return error;
}

/* ---- what is given back ---- */

struct returned {
	struct entry_key key;
	struct signed_entry decoded;
	struct channel channel;
	struct line line;
	struct registry_entry entry;
};

/* What can be said of it before its signature is looked at. *reason: why it is dropped. */
static enum error read_returned(struct run *run, const struct wire *wire, struct returned *returned,
				enum error *reason)
{
	struct row_key line_key = key_line(returned->key.channel, wire->log);
	struct aad *aad = run_take(run, sizeof(*aad));

	*reason = ERROR_BAD_ARGUMENT;
	enum error error = run_must(registry_channel(run, returned->key.channel, &returned->channel));
	if (error != ERROR_OK || wire->log != log_own_number(run, &returned->channel))
		return error;
	error = run_must(run_get(run, &line_key, &schema_line, &returned->line));
	if (error == ERROR_OK)
		error = registry_aad(run, &returned->channel, AAD_ENTRY, returned->channel.own_index, aad);
	if (error != ERROR_OK)
		return run_must(error);
	/*
	 * Only what this post writes is in the newest one; and one that no own signed head tells of may be
	 * opened here yet.
	 */
	uint64_t newest = returned->line.incarnation;
	if (wire->incarnation == newest ||
	    (wire->incarnation > newest && wire->incarnation > returned->line.told))
		return ERROR_OK;
	*reason = entry_decode(wire->cose, &returned->decoded);
	if (*reason != ERROR_OK)
		return ERROR_OK;
	const struct content *content = &returned->decoded.content;
	bool first_of_new = wire->incarnation > 1 && wire->position == 0;
	if ((content->kind == CONTENT_INCARNATION) != first_of_new)
		*reason = ERROR_REFUSED_FORM;
	returned->key.log = wire->log;
	returned->key.incarnation = wire->incarnation;
	returned->key.position = wire->position;
	returned->entry = (struct registry_entry){
		.channel = returned->key.channel,
		.index = returned->channel.own_index,
		.slot = run_post(run)->slot,
		.payload = returned->decoded.cose.payload,
		.content = content,
		.object = &returned->decoded.cose,
	};
	identity_of(aad, returned->entry.payload, returned->entry.identity);
	return ERROR_OK;
}

static struct row_key key_again(const struct returned *returned)
{
	struct row_key key = key_make(TABLE_AGAIN);

	key_bytes(&key, returned->entry.identity, IDENTITY_SIZE);
	key_u16(&key, returned->key.log);
	key_u16(&key, returned->key.incarnation);
	return key;
}

/*
 * True in *again if the same words are held already, in another incarnation: they were given to the post
 * once more after its store had lost them. *twice: in this very one, where nothing is filed twice.
 */
static enum error find_again(struct run *run, const struct returned *returned, bool *again, bool *twice)
{
	struct row_key again_key = key_again(returned);
	struct entry_key key;
	struct bytes value;

	enum error again_error = rows_get(run_rows(run), key_view(&again_key), &value);
	enum error error = log_find(run, returned->entry.identity, &key);
	if (again_error == ERROR_NEEDS_ROWS)
		return again_error;
	*again = error == ERROR_OK;
	*twice = again_error == ERROR_OK ||
		 (*again && key.log == returned->key.log && key.incarnation == returned->key.incarnation);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error file(struct run *run, const struct wire *wire, struct returned *returned, bool again,
		       enum error reason)
{
	struct log_item item = {
		.channel = &returned->channel,
		.content = &returned->decoded.content,
		.object = &returned->decoded.cose,
		.cose = wire->cose,
		.again = again,
		.own = true,
	};
	struct row_key again_key = key_again(returned);
	struct entry filed;

	memcpy(item.identity, returned->entry.identity, sizeof(item.identity));
	if (again)
		rows_put(run_rows(run), key_view(&again_key), bytes_make(NULL, 0));
	enum error error = log_take(run, &returned->key, &item, &wire->heads, reason);
	if (error == ERROR_OK)
		error = heads_compare_own(run, &returned->key);
	if (error != ERROR_OK || reason != ERROR_OK)
		return error;
	error = outbox_all_again(run, &returned->channel, &returned->key,
				 returned->decoded.content.precedence);
	if (error != ERROR_OK || again)
		return error;
	error = run_must(log_entry(run, &returned->key, &filed));
	if (error == ERROR_OK)
		error = effects_of(run, &returned->entry, &returned->key, &filed, true);
	return error == ERROR_OK ? effects_awaited(run, &returned->key, returned->entry.identity) : error;
}

enum error missing_returned(struct run *run, uint64_t channel, const struct wire *wire, enum error *reason)
{
	struct returned *returned = run_take(run, sizeof(*returned));
	enum log_place place;
	struct entry held;
	bool gap;
	bool again = false;
	bool twice = false;

	memset(returned, 0, sizeof(*returned));
	returned->key.channel = channel;
	enum error error = read_returned(run, wire, returned, reason);
	if (error != ERROR_OK || *reason != ERROR_OK)
		return error;
	error = log_look(run, &returned->key, returned->entry.identity, &place, &held, &gap);
	if (error == ERROR_OK && place == LOG_NEW)
		error = find_again(run, returned, &again, &twice);
	if (error != ERROR_OK || place == LOG_SAME)
		return error;
	if (place != LOG_NEW || twice) {
		*reason = place == LOG_FAR ? ERROR_OUT_OF_RANGE : ERROR_REFUSED_FORK;
		return ERROR_OK;
	}
	enum error judged;
	error = registry_judge(run, &returned->entry, false, &judged);
	if (error != ERROR_OK)
		return error;
	if (judged == ERROR_BAD_SIGNATURE || registry_unverified(judged)) {
		*reason = judged;
		return ERROR_OK;
	}
	/* What was submitted here was judged then. Only of letters may another have taken the number. */
	if (returned->decoded.content.kind != CONTENT_LETTER)
		judged = ERROR_OK;
	return file(run, wire, returned, again, judged);
}
