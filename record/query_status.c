#include "base/local.h"
#include "record/heads.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define COPIES_MAX 64 /* copies under way that are looked at for the oldest entry without receipt */

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

static void write_pending(struct buffer *buffer, const struct pending *pending)
{
	cbor_write_array(buffer, PRECEDENCE_COUNT);
	cbor_write_uint(buffer, pending->routine);
	cbor_write_uint(buffer, pending->priority);
	cbor_write_uint(buffer, pending->immediate);
	cbor_write_uint(buffer, pending->flash);
}

static enum error write_unread(struct run *run, uint64_t number, struct buffer *buffer)
{
	struct row_key key = key_channel(TABLE_UNREAD, number);
	struct pending unread;

	enum error error = run_get(run, &key, &schema_pending, &unread);
	write_pending(buffer, &unread);
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
	write_pending(buffer, &pending);
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
	cbor_write_array(buffer, 9);
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
	error = write_unread(run, number, buffer);
	if (!run_missing(error, &missing))
		return error;
	error = query_gaps(run, number, channel, lines, buffer);
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
	while (error == ERROR_OK && answer->count < REFUSED_REASONS_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct counter counter;
		uint64_t reason = key_read_u32(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_counter, row.value, &counter) != ERROR_OK)
			return ERROR_MALFORMED;
		cbor_write_array(&answer->list, 4);
		cbor_write_uint(&answer->list, reason);
		cbor_write_uint(&answer->list, counter.count);
		cbor_write_uint(&answer->list, counter.last_ms);
		cbor_write_text(&answer->list, counter.source);
		answer->count++;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	query_list_end(answer);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- keys ---- */

static void write_number(struct buffer *buffer, uint64_t number)
{
	if (number == 0)
		cbor_write_null(buffer);
	else
		cbor_write_uint(buffer, number);
}

static enum error write_keys_to(struct run *run, const struct post_number *number, uint64_t window_s,
				struct query_answer *answer)
{
	struct row_key key = key_party_post(TABLE_PARTY_POST, number->party, number->slot);
	struct party_post post;
	struct party party;
	struct keys_stand stand;

	enum error error = run_must(run_get(run, &key, &schema_party_post, &post));
	if (error == ERROR_OK)
		error = run_must(registry_party(run, number->party, &party));
	if (error == ERROR_OK)
		error = keys_stand(run, number, party.keying, window_s, &stand);
	if (error != ERROR_OK)
		return error;
	cbor_write_array(&answer->list, 7);
	cbor_write_text(&answer->list, party.name);
	cbor_write_text(&answer->list, post.name);
	cbor_write_uint(&answer->list, stand.state);
	write_number(&answer->list, stand.keying);
	write_number(&answer->list, stand.next_keying);
	cbor_write_uint(&answer->list, stand.epochs_left);
	write_number(&answer->list, stand.ends);
	answer->count++;
	return ERROR_OK;
}

static enum error write_keys(struct run *run, struct query_answer *answer)
{
	struct post_number *posts;
	size_t count;
	uint64_t window_s;
	bool missing = false;

	enum error error = keys_posts(run, &posts, &count);
	if (error == ERROR_OK)
		error = keys_window(run, &window_s);
	for (size_t i = 0; error == ERROR_OK && i < count; i++) {
		if (posts[i].party == 0)
			continue;
		error = write_keys_to(run, &posts[i], window_s, answer);
		if (run_missing(error, &missing))
			error = ERROR_OK;
	}
	query_list_end(answer);
	return error == ERROR_OK && missing ? ERROR_NEEDS_ROWS : error;
}

/* ---- the disk ---- */

static void write_disk(const struct record_shell *shell, struct buffer *buffer)
{
	cbor_write_uint(buffer, shell == NULL ? 0 : shell->store_size);
	cbor_write_uint(buffer, shell == NULL ? LOCAL_DISK_AMPLE : shell->disk);
	cbor_write_array(buffer, LINK_PRECEDENCE_MAX);
	for (size_t i = 0; i < LINK_PRECEDENCE_MAX; i++)
		cbor_write_uint(buffer, shell == NULL ? 0 : shell->left[i]);
	cbor_write_bool(buffer, shell != NULL && shell->routes != NULL && shell->routes->full);
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
	error = write_keys(run, &answer);
	if (!run_missing(error, &missing))
		return error;
	if (missing)
		return ERROR_NEEDS_ROWS;
	write_disk(shell, &answer.body);
	return query_answer_end(run, &answer, 9);
}
