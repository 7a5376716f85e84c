#include "base/local.h"
#include "record/heads.h"
#include "record/log.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define GAPS_MAX     32 /* of one channel that are told: the first of each log */
#define GAP_SIZE_MAX 32 /* bytes of one */
#define AHEAD_MAX    64 /* entries beyond a log's first gap that are looked at */
#define COPIES_MAX   64 /* copies under way that are looked at for the oldest entry without receipt */
#define REASONS_MAX  256

/* ---- waiting for receipts ---- */

/* When the oldest own entry was filed that some party has not receipted: its copies are still under way. */
static enum error find_oldest(struct run *run, uint64_t number, const struct channel *channel, bool *found,
			      uint64_t *held_at_ms)
{
	struct row_key prefix = key_channel(TABLE_COPY, number);
	struct row row;
	struct entry_key before = {0};

	*found = false;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	for (size_t i = 0; error == ERROR_OK && i < COPIES_MAX; i++) {
		struct key_reader reader = key_reader_make(row.key);
		struct entry_key key = {.channel = key_read_u16(&reader),
					.log = log_own_number(run, channel)};
		struct entry entry;
		key.incarnation = key_read_u16(&reader);
		key.position = key_read_u32(&reader);
		(void)key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK)
			return ERROR_MALFORMED;
		if (key.incarnation != before.incarnation || key.position != before.position) {
			error = log_entry(run, &key, &entry);
			if (error != ERROR_OK)
				return run_must(error);
			*found = !query_is_settled(channel, &entry);
			*held_at_ms = entry.held_at_ms;
			if (*found)
				return ERROR_OK;
		}
		before = key;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error write_waiting(struct run *run, uint64_t number, const struct channel *channel,
				struct buffer *buffer)
{
	struct row_key key = key_channel(TABLE_PENDING, number);
	struct pending pending;
	bool found = false;
	uint64_t held_at_ms = 0;

	enum error error = run_get(run, &key, &schema_pending, &pending);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	cbor_write_array(buffer, PRECEDENCE_COUNT);
	cbor_write_uint(buffer, pending.routine);
	cbor_write_uint(buffer, pending.priority);
	cbor_write_uint(buffer, pending.immediate);
	cbor_write_uint(buffer, pending.flash);
	if (pending.routine != 0 || pending.priority != 0 || pending.immediate != 0 || pending.flash != 0)
		error = find_oldest(run, number, channel, &found, &held_at_ms);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (found)
		cbor_write_uint(buffer, held_at_ms);
	else
		cbor_write_null(buffer);
	return ERROR_OK;
}

/* ---- gaps ---- */

struct gaps {
	size_t count;
	struct buffer list;
};

static void write_gap(struct gaps *gaps, const struct entry_key *first, uint64_t count)
{
	if (gaps->count == GAPS_MAX)
		return;
	gaps->count++;
	cbor_write_array(&gaps->list, 4);
	cbor_write_uint(&gaps->list, first->log);
	cbor_write_uint(&gaps->list, first->incarnation);
	cbor_write_uint(&gaps->list, first->position);
	cbor_write_uint(&gaps->list, count);
}

/* What is missing between the entries that are held of one log. */
static enum error find_gaps(struct run *run, struct entry_key *at, struct gaps *gaps)
{
	struct row_key prefix = key_log(TABLE_AHEAD, at->channel, at->log, at->incarnation);
	struct row row;
	struct log log;

	enum error error = log_row(run, at->channel, at->log, at->incarnation, &log);
	if (error != ERROR_OK || log.end <= log.size)
		return error;
	at->position = log.size;
	error = rows_first(run_rows(run), key_view(&prefix), &row);
	for (size_t i = 0; error == ERROR_OK && i < AHEAD_MAX; i++) {
		struct key_reader reader = key_reader_make(row.key);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		(void)key_read_u16(&reader);
		uint64_t held = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK || held < at->position)
			return ERROR_MALFORMED;
		if (held > at->position)
			write_gap(gaps, at, held - at->position);
		at->position = held + 1;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* Of one post's log: the newest incarnation, and the one before it, which may still be filled up. */
static enum error find_gaps_of_line(struct run *run, uint64_t number, uint64_t log, const struct line *line,
				    struct gaps *gaps)
{
	struct entry_key key = {.channel = number, .log = log};
	uint64_t newest = line->incarnation == 0 ? 1 : line->incarnation;
	bool missing = false;

	for (key.incarnation = newest > 1 ? newest - 1 : 1; key.incarnation <= newest; key.incarnation++) {
		enum error error = find_gaps(run, &key, gaps);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error write_gaps(struct run *run, uint64_t number, const struct channel *channel,
			     struct query_lines *lines, struct buffer *buffer)
{
	struct gaps gaps = {.list = run_buffer(run, GAPS_MAX * GAP_SIZE_MAX)};
	bool missing = false;

	for (uint64_t i = 0; i < channel->parties.size; i++) {
		enum error error = query_lines(run, number, i, lines);
		if (!run_missing(error, &missing))
			return error;
		if (error != ERROR_OK)
			continue;
		for (size_t j = 0; j < lines->count; j++) {
			error = find_gaps_of_line(run, number, lines->logs[j], &lines->lines[j], &gaps);
			if (!run_missing(error, &missing))
				return error;
		}
	}
	cbor_write_array(buffer, gaps.count);
	buffer_append(buffer, buffer_bytes(&gaps.list));
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* ---- the whole ---- */

static enum error write_channel(struct run *run, uint64_t number, const struct channel *channel,
				struct query_lines *lines, struct buffer *buffer)
{
	struct terms terms;
	bool missing = false;
	enum local_heads heads = LOCAL_HEADS_NOT_COMPARED;
	uint64_t cosigned_at = 0;

	enum error error = registry_terms(channel, &terms);
	if (error != ERROR_OK)
		return error;
	cbor_write_array(buffer, 7);
	query_write_fixed(buffer, channel->id, sizeof(channel->id));
	cbor_write_text(buffer, terms.title);
	error = write_waiting(run, number, channel, buffer);
	if (!run_missing(error, &missing))
		return error;
	error = heads_stand(run, number, channel, &heads, &cosigned_at);
	if (!run_missing(error, &missing))
		return error;
	cbor_write_uint(buffer, heads);
	if (cosigned_at == 0)
		cbor_write_null(buffer);
	else
		cbor_write_uint(buffer, cosigned_at);
	error = write_gaps(run, number, channel, lines, buffer);
	if (!run_missing(error, &missing))
		return error;
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static void write_routes(struct run *run, struct query_answer *answer)
{
	const struct record_shell *shell = run_event(run)->of.request.shell;
	const struct link_routes *routes = shell == NULL ? NULL : shell->routes;

	cbor_write_bool(&answer->body, shell != NULL && shell->courier_connected);
	for (size_t i = 0; routes != NULL && i < routes->count; i++, answer->count++) {
		const struct link_route *route = &routes->routes[i];
		cbor_write_array(&answer->list, 5);
		cbor_write_text(&answer->list, route->route);
		cbor_write_text(&answer->list, route->neighbour);
		cbor_write_uint(&answer->list, route->state);
		cbor_write_uint(&answer->list, route->changed_ms);
		cbor_write_uint(&answer->list, route->queued_size);
	}
	query_list_end(answer);
}

static enum error write_refused(struct run *run, struct query_answer *answer)
{
	struct row_key prefix = key_make(TABLE_REFUSED);
	struct row row;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && answer->count < REASONS_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct counter counter;
		uint64_t reason = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_counter, row.value, &counter) != ERROR_OK)
			return ERROR_MALFORMED;
		cbor_write_array(&answer->list, 2);
		cbor_write_uint(&answer->list, reason);
		cbor_write_uint(&answer->list, counter.count);
		answer->count++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	query_list_end(answer);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error query_status_answer(struct run *run)
{
	const struct record_shell *shell = run_event(run)->of.request.shell;
	struct query_channels *channels = run_take(run, sizeof(*channels));
	struct query_lines *lines = run_take(run, sizeof(*lines));
	struct query_answer answer = query_answer_make(run);
	bool missing = false;

	enum error error = query_channels(run, channels);
	if (error != ERROR_OK)
		return error;
	for (size_t i = 0; i < channels->count; i++, answer.count++) {
		error = write_channel(run, channels->numbers[i], &channels->channels[i], lines, &answer.list);
		if (!run_missing(error, &missing))
			return error;
	}
	query_list_end(&answer);
	write_routes(run, &answer);
	error = write_refused(run, &answer);
	if (!run_missing(error, &missing))
		return error;
	if (missing)
		return ERROR_NEEDS_ROWS;
	cbor_write_uint(&answer.body, shell == NULL ? 0 : shell->store_size);
	return query_answer_end(run, &answer, 5);
}
