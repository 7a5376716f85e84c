#include "record/missing.h"

#include <assert.h>
#include <string.h>

#include "record/heads.h"
#include "record/log.h"
#include "record/outbox.h"
#include "record/registry.h"

#define ASKED_MAX     8                  /* logs that are asked for in one event */
#define LOOKED_AT_MAX 64                 /* rows that are looked at for that */
#define AHEAD_MAX     256                /* entries beyond a gap that are looked at for one statement */
#define NEXT_LOOK_MS  1000               /* after so many without a gap between them */
#define ASKED_POSTS   8                  /* posts that are asked at once for entries of the own log */
#define LOG_END       (POSITION_MAX + 1) /* a range that ends here asks for later incarnations as well */

/* ---- rows ---- */

static struct row_key key_missing(uint64_t ask_ms, const struct entry_key *log)
{
	struct row_key key = key_make(TABLE_MISSING);

	key_u64(&key, ask_ms);
	key_u16(&key, log->channel);
	key_u16(&key, log->log);
	key_u16(&key, log->incarnation);
	return key;
}

static void forget(struct run *run, const struct entry_key *log, struct log *row)
{
	struct row_key key = key_missing(row->ask_ms, log);

	if (row->ask_ms != 0)
		run_delete(run, &key);
	row->ask_ms = 0;
}

static void ask_at(struct run *run, const struct entry_key *log, struct log *row, uint64_t ask_ms,
		   const struct missing *missing)
{
	forget(run, log, row);
	row->ask_ms = ask_ms == 0 ? 1 : ask_ms;
	struct row_key key = key_missing(row->ask_ms, log);
	run_put(run, &key, &schema_missing, missing);
}

/* Of a log that something is asked of (row->ask_ms). */
static enum error asking(struct run *run, const struct entry_key *log, const struct log *row,
			 struct missing *missing)
{
	struct row_key key = key_missing(row->ask_ms, log);

	return run_must(run_get(run, &key, &schema_missing, missing));
}

static uint64_t end_of(const struct log *row)
{
	return row->end > row->told ? row->end : row->told;
}

enum error missing_note(struct run *run, const struct entry_key *log, struct log *row)
{
	bool gap = row->size < end_of(row);
	struct missing missing = {0};

	if (gap == (row->ask_ms != 0))
		return ERROR_OK;
	if (gap) {
		ask_at(run, log, row, run_slow_ms(run) + MISSING_PATIENCE_MS, &missing);
		return ERROR_OK;
	}
	enum error error = asking(run, log, row, &missing);
	if (error == ERROR_OK && !missing.open)
		forget(run, log, row);
	return error;
}

/*
 * Of another's log only what was known to exist comes of an ask: an author that speaks on gives nothing
 * back. Where words of the own side stand is the giver's word, so those that are held already prove no loss.
 * As much as one statement is given may be all of it, whatever it was: the rest is asked for without
 * waiting.
 */
enum error missing_came(struct run *run, const struct entry_key *key, const struct log_item *item,
			struct log *row)
{
	bool known = item->own || key->position < end_of(row);
	uint64_t look_ms = run_slow_ms(run) + MISSING_AGAIN_MIN_MS;
	struct missing missing;

	if (row->ask_ms == 0)
		return ERROR_OK;
	enum error error = asking(run, key, row, &missing);
	if (error != ERROR_OK)
		return error;
	/* Copies that are under way fill what was not asked for yet; what was, is now given by somebody. */
	bool asked = missing.asked_ms != 0;
	bool first = known && !missing.came;
	bool certain = known && !item->again && missing.doubted;
	if (!asked && !first && !certain)
		return ERROR_OK;
	missing.given += asked;
	missing.came |= known;
	missing.doubted &= !certain;
	if (missing.given >= MISSING_ANSWER_MAX)
		look_ms = run_slow_ms(run);
	else if (!first && !certain)
		look_ms = row->ask_ms;
	ask_at(run, key, row, asked && look_ms < row->ask_ms ? look_ms : row->ask_ms, &missing);
	return ERROR_OK;
}

enum error missing_claimed(struct run *run, const struct entry_key *key)
{
	struct missing missing;
	struct log row;

	enum error error = log_row(run, key->channel, key->log, key->incarnation, &row);
	if (error != ERROR_OK || row.ask_ms == 0)
		return error;
	error = asking(run, key, &row, &missing);
	if (error != ERROR_OK)
		return error;
	uint64_t ask_ms = run_slow_ms(run) + MISSING_AGAIN_MIN_MS;
	if (ask_ms < missing.asked_ms + MISSING_PATIENCE_MS)
		ask_ms = missing.asked_ms + MISSING_PATIENCE_MS;
	/* What nothing else tells of is asked for no more often: meanwhile false references may pass. */
	bool ends = row.size >= end_of(&row) && missing.asks >= MISSING_OPEN_ASKS;
	if (ends || row.ask_ms <= ask_ms)
		return ERROR_OK;
	if (missing.asks >= MISSING_OPEN_ASKS)
		missing.asks = MISSING_OPEN_ASKS - 1;
	ask_at(run, key, &row, ask_ms, &missing);
	return log_write_row(run, key, &row);
}

enum error missing_told(struct run *run, const struct entry_key *log, uint64_t size)
{
	struct log row;

	enum error error = log_row(run, log->channel, log->log, log->incarnation, &row);
	if (error != ERROR_OK || size <= row.told || size <= row.size)
		return error;
	row.told = size;
	return log_write_row(run, log, &row);
}

static enum error open_at(struct run *run, const struct entry_key *log, struct log *row, uint64_t ask_ms,
			  bool doubted)
{
	struct missing missing = {.open = true, .doubted = doubted};

	ask_at(run, log, row, ask_ms, &missing);
	return log_write_row(run, log, row);
}

enum error missing_open(struct run *run, const struct entry_key *log)
{
	struct log row;

	enum error error = log_row(run, log->channel, log->log, log->incarnation, &row);
	return error == ERROR_OK ? open_at(run, log, &row, run_slow_ms(run), false) : error;
}

/* The other posts of a channel (of one roster index, or of all), by their logs. */
struct posts {
	size_t count;
	uint64_t logs[KEYS_POSTS_MAX];
	uint64_t incarnations[KEYS_POSTS_MAX];
};

static enum error list_posts(struct run *run, uint64_t channel_number, uint64_t own_log, struct posts *posts)
{
	enum error error = ERROR_OK;
	uint64_t log = LINES_START;
	struct line line;

	posts->count = 0;
	while (error == ERROR_OK && posts->count < KEYS_POSTS_MAX) {
		error = registry_next_line(run, channel_number, &log, &line);
		if (error == ERROR_OK && log != own_log) {
			posts->logs[posts->count] = log;
			posts->incarnations[posts->count++] = line.incarnation == 0 ? 1 : line.incarnation;
		}
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error open_posts(struct run *run, uint64_t number, const struct channel *channel, uint64_t index,
			     bool all)
{
	struct posts *posts = run_take(run, sizeof(*posts));
	bool missing = false;

	enum error error = list_posts(run, number, log_own_number(run, channel), posts);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < posts->count; i++) {
		struct entry_key key = {
			.channel = number, .log = posts->logs[i], .incarnation = posts->incarnations[i]};
		if (!all && log_roster_index(key.log) != index)
			continue;
		error = missing_open(run, &key);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error missing_open_channel(struct run *run, uint64_t number)
{
	struct channel channel;

	enum error error = run_must(registry_channel(run, number, &channel));
	return error == ERROR_OK ? open_posts(run, number, &channel, 0, true) : error;
}

/*
 * What the newest own incarnation follows, as when that began. Not at once: a counterpart can make this
 * happen again and again, and shall not be answered each time. What it makes doubtful stays doubted unless
 * something else tells of a loss: nobody makes what never was pass for something lost.
 */
static enum error open_own(struct run *run, uint64_t number, const struct channel *channel, bool doubted)
{
	struct entry_key key = {.channel = number, .log = log_own_number(run, channel)};
	struct row_key line_key = key_line(number, key.log);
	uint64_t ask_ms = run_slow_ms(run) + MISSING_AGAIN_MIN_MS;
	struct missing before = {.doubted = true};
	struct line line;
	struct log row;

	enum error error = run_get(run, &line_key, &schema_line, &line);
	if (error != ERROR_OK || line.incarnation <= 1)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	error = log_row(run, number, key.log, line.incarnation, &row);
	if (error != ERROR_OK || row.follows == 0)
		return error;
	key.incarnation = row.follows;
	error = log_row(run, number, key.log, key.incarnation, &row);
	if (error == ERROR_OK && row.ask_ms != 0)
		error = asking(run, &key, &row, &before);
	if (error != ERROR_OK)
		return error;
	if (row.ask_ms != 0 && row.ask_ms < ask_ms)
		ask_ms = row.ask_ms;
	return open_at(run, &key, &row, ask_ms, doubted && before.doubted);
}

/* On all channels with that party: the logs of its posts, or the own (for which doubted counts). */
static enum error open_with(struct run *run, uint64_t party, bool own, bool doubted)
{
	struct channel channel;
	enum error error;
	uint64_t number = 0;
	uint64_t index;

	while ((error = registry_next_channel(run, &number, &channel)) == ERROR_OK) {
		if (registry_index_of(&channel, party, &index))
			error = own ? open_own(run, number, &channel, doubted)
				    : open_posts(run, number, &channel, index, false);
		if (error != ERROR_OK)
			return error;
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error missing_open_party(struct run *run, uint64_t party)
{
	return open_with(run, party, false, false);
}

enum error missing_open_own(struct run *run, uint64_t party, bool doubted)
{
	return open_with(run, party, true, doubted);
}

enum error missing_asked(struct run *run, const struct entry_key *log, const struct log *row, bool *asked)
{
	struct missing missing;

	*asked = false;
	if (row->ask_ms == 0)
		return ERROR_OK;
	enum error error = asking(run, log, row, &missing);
	*asked = missing.asked_ms != 0;
	return error;
}

/* Of one incarnation of the own log. */
static enum error loss_of(struct run *run, const struct entry_key *log, const struct log *row,
			  enum own_loss *loss)
{
	struct missing missing;

	*loss = OWN_LOSS_NONE;
	if (row->ask_ms == 0)
		return ERROR_OK;
	enum error error = asking(run, log, row, &missing);
	if (error == ERROR_OK)
		*loss = missing.doubted && row->size >= row->told ? OWN_LOSS_DOUBTED : OWN_LOSS_KNOWN;
	return error;
}

enum error missing_own(struct run *run, const struct channel *channel, uint64_t channel_number,
		       enum own_loss *loss)
{
	struct row_key prefix = key_channel(TABLE_LOG, channel_number);
	struct entry_key key = {.channel = channel_number, .log = log_own_number(run, channel)};
	struct row row;

	*loss = OWN_LOSS_NONE;
	key_u16(&prefix, key.log);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && *loss != OWN_LOSS_KNOWN) {
		struct key_reader reader = key_reader_make(row.key);
		enum own_loss one;
		struct log log;
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		key.incarnation = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_log, row.value, &log) != ERROR_OK)
			return ERROR_MALFORMED;
		error = loss_of(run, &key, &log, &one);
		if (error != ERROR_OK)
			return error;
		*loss = one > *loss ? one : *loss;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- asking ---- */

/* A row that is due, and what it takes to ask. */
struct ask {
	struct entry_key key;
	struct missing missing;
	struct channel channel;
	uint64_t own_log;
	struct log row;
	struct posts posts;
	struct missing_statement statement;
	uint64_t next; /* the position after what the statement asks for, if there is more; 0: that is all */
};

static void add_range(struct missing_statement *statement, uint64_t first, uint64_t end)
{
	if (first >= end)
		return;
	assert(statement->ranges_count < RANGES_MAX); /* list_ranges leaves room for the last */
	statement->ranges[statement->ranges_count++] =
		(struct held_range){.first = first, .count = end - first};
}

/* Between the entries that are held beyond the gap, and after them: as much as one statement takes. */
static enum error list_ranges(struct run *run, struct ask *ask)
{
	struct row_key prefix = key_log(TABLE_AHEAD, ask->key.channel, ask->key.log, ask->key.incarnation);
	struct entry_key start = ask->key;
	struct row row;

	start.position = ask->missing.from > ask->row.size ? ask->missing.from : ask->row.size;
	struct row_key start_key = key_entry(TABLE_AHEAD, &start);
	uint64_t at = start.position;
	enum error error = rows_from(run_rows(run), key_view(&prefix), key_view(&start_key), &row);
	for (size_t i = 0; error == ERROR_OK && i < AHEAD_MAX && ask->statement.ranges_count < RANGES_MAX - 1;
	     i++) {
		struct key_reader reader = key_reader_make(row.key);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		uint64_t held = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK)
			return ERROR_MALFORMED;
		add_range(&ask->statement, at, held);
		at = held + 1;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	ask->next = error == ERROR_OK ? at : 0;
	if (error == ERROR_NOT_FOUND)
		add_range(&ask->statement, at, ask->missing.open ? LOG_END : end_of(&ask->row));
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* Of another's log the newest incarnations are asked for: it may tell of thousands. */
static bool is_too_old(const struct ask *ask)
{
	for (size_t i = 0; i < ask->posts.count; i++)
		if (ask->posts.logs[i] == ask->key.log)
			return ask->key.incarnation + HEADS_FORMER_MAX < ask->posts.incarnations[i];
	return false;
}

static enum error read_ask(struct run *run, struct ask *ask)
{
	const struct entry_key *key = &ask->key;

	enum error error = run_must(registry_channel(run, key->channel, &ask->channel));
	if (error == ERROR_OK)
		error = log_row(run, key->channel, key->log, key->incarnation, &ask->row);
	if (error != ERROR_OK)
		return error;
	ask->own_log = log_own_number(run, &ask->channel);
	ask->statement = (struct missing_statement){
		.by = ask->own_log, .log = key->log, .incarnation = key->incarnation};
	if (ask->missing.came)
		ask->missing.asks = 0;
	if (ask->missing.asks >= MISSING_OPEN_ASKS)
		ask->missing.open = false;
	return list_posts(run, key->channel, ask->own_log, &ask->posts);
}

/* The author, or for the own log some of the other posts, others each time. */
static enum error send_ask(struct run *run, struct ask *ask)
{
	struct aad *aad = run_take(run, sizeof(*aad));
	struct buffer payload = run_buffer(run, MISSING_SIZE_MAX);
	const struct posts *posts = &ask->posts;
	bool own = ask->key.log == ask->own_log;
	size_t count = !own || posts->count < ASKED_POSTS ? posts->count : ASKED_POSTS;

	enum error error = registry_aad(run, &ask->channel, AAD_MISSING, ask->channel.own_index, aad);
	if (error != ERROR_OK)
		return run_must(error);
	missing_encode(&ask->statement, &payload);
	assert(buffer_error(&payload) == ERROR_OK);
	struct outbox_statement statement = {
		.kind = STATEMENT_MISSING,
		.channel = ask->key.channel,
		.precedence = PRECEDENCE_PRIORITY,
		.cose = run_sign(run, aad, buffer_bytes(&payload)),
	};
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		uint64_t log = posts->logs[own ? (ask->missing.asks * count + i) % posts->count : i];
		if (!own && log != ask->key.log)
			continue;
		statement.party = registry_party_of(&ask->channel, log_roster_index(log));
		statement.slot = log_slot(log);
		error = outbox_statement(run, &statement, NULL);
	}
	return error;
}

static uint64_t wait_after(uint64_t asks)
{
	uint64_t wait_ms = MISSING_AGAIN_MIN_MS;

	for (uint64_t i = 1; i < asks && wait_ms < MISSING_AGAIN_MAX_MS; i++)
		wait_ms *= 4;
	return wait_ms < MISSING_AGAIN_MAX_MS ? wait_ms : MISSING_AGAIN_MAX_MS;
}

/* All that was asked for is on its way: asked for again, it would be given again. */
static bool is_coming(const struct run *run, const struct missing *missing)
{
	return missing->came && missing->asked_ms != 0 && missing->from == 0 &&
	       missing->given < MISSING_ANSWER_MAX &&
	       run_slow_since(run, missing->asked_ms) < MISSING_COMING_MAX_MS;
}

/* One statement; *wait_ms: until the next one, or until this is looked at again. */
static enum error ask_for(struct run *run, struct ask *ask, uint64_t *wait_ms)
{
	struct missing *missing = &ask->missing;

	enum error error = list_ranges(run, ask);
	bool some = ask->statement.ranges_count > 0;
	if (error == ERROR_OK && some)
		error = send_ask(run, ask);
	if (error != ERROR_OK)
		return error;
	if (some)
		missing->asked_ms = run_slow_ms(run) == 0 ? 1 : run_slow_ms(run);
	missing->given = 0;
	missing->from = ask->next;
	if (ask->next == 0)
		*wait_ms = wait_after(++missing->asks);
	else
		*wait_ms = some ? MISSING_AGAIN_MIN_MS : NEXT_LOOK_MS;
	return ERROR_OK;
}

static enum error ask_one(struct run *run, struct ask *ask, bool *asked)
{
	uint64_t wait_ms = MISSING_AGAIN_MIN_MS;

	enum error error = read_ask(run, ask);
	bool too_old = error == ERROR_OK && is_too_old(ask);
	*asked = error == ERROR_OK && !too_old && !is_coming(run, &ask->missing);
	if (too_old)
		wait_ms = MISSING_AGAIN_MAX_MS;
	if (*asked)
		error = ask_for(run, ask, &wait_ms);
	if (error != ERROR_OK)
		return error;
	ask->missing.came = false;
	if (too_old || ask->missing.open || ask->row.size < end_of(&ask->row))
		ask_at(run, &ask->key, &ask->row, run_slow_ms(run) + wait_ms, &ask->missing);
	else
		forget(run, &ask->key, &ask->row);
	return log_write_row(run, &ask->key, &ask->row);
}

enum error missing_tick(struct run *run)
{
	struct row_key prefix = key_make(TABLE_MISSING);
	struct ask *ask = run_take(run, sizeof(*ask));
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	size_t count = 0;
	for (size_t i = 0; error == ERROR_OK && i < LOOKED_AT_MAX && count < ASKED_MAX; i++) {
		bool asked;
		struct key_reader reader = key_reader_make(row.key);
		if (key_read_u64(&reader) > run_slow_ms(run) + 1)
			return ERROR_OK;
		memset(ask, 0, sizeof(*ask));
		ask->key.channel = key_read_u16(&reader);
		ask->key.log = key_read_u16(&reader);
		ask->key.incarnation = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_missing, row.value, &ask->missing) != ERROR_OK)
			return ERROR_MALFORMED;
		error = ask_one(run, ask, &asked);
		count += asked;
		if (error == ERROR_OK)
			error = rows_first(run_rows(run), key_view(&prefix), &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}
