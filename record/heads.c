#include "record/heads.h"

#include <assert.h>
#include <string.h>

#include "envelope/statement.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox.h"
#include "record/registry.h"

#define LOOK_INTERVAL_MS  5000 /* shorter than any interval of terms */
#define SENT_MAX          16   /* statements made in one event */
#define FORMER_TOLD_TIMES 4

/* The lines of one channel, in order; the own one among them. */
struct lines {
	uint64_t number;
	struct channel channel;
	struct terms terms;
	uint64_t own_log;
	const struct line *own;
	size_t count;
	uint64_t *logs;
	struct line *lines;
};

static bool has_keys(const struct line *line)
{
	static const uint8_t zeros[PUBLIC_KEY_SIZE];
	return memcmp(line->log_key, zeros, sizeof(zeros)) != 0;
}

static enum error read_lines(struct run *run, struct lines *lines, size_t count_max)
{
	uint64_t log = LINES_START;

	lines->own = NULL;
	lines->count = 0;
	lines->own_log = log_own_number(run, &lines->channel);
	enum error error = registry_terms(&lines->channel, &lines->terms);
	while (error == ERROR_OK && lines->count < count_max) {
		struct line *line = &lines->lines[lines->count];
		error = registry_next_line(run, lines->number, &log, line);
		if (error != ERROR_OK)
			break;
		lines->logs[lines->count++] = log;
		if (log == lines->own_log)
			lines->own = line;
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* ---- making statements ---- */

static void write_head(struct head *head, uint64_t log, const struct line *line)
{
	head->log = log;
	head->incarnation = line->head_incarnation;
	head->size = line->head_size;
	memcpy(head->root.bytes, line->head_root, sizeof(head->root.bytes));
	memcpy(head->signature, line->head_signature, sizeof(head->signature));
	head->has_cosignature = line->cosigned_at != 0;
	head->cosigned_at = line->cosigned_at;
	memcpy(head->cosignature, line->cosignature, sizeof(head->cosignature));
}

/* The first few statements to a post after a new incarnation began. */
static bool tells_former(const struct lines *lines, const struct line *receiver)
{
	return receiver->former_told != lines->own->head_incarnation ||
	       receiver->former_count < FORMER_TOLD_TIMES;
}

/* What changed since: a sum does, since sizes and incarnations only grow. */
static uint64_t sum_of(const struct lines *lines)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < lines->count; i++)
		sum += (lines->lines[i].head_incarnation << 34) + lines->lines[i].head_size;
	return sum;
}

/*
 * The heads of former incarnations of one log: of the receiver's, which may have lost them and asks for them;
 * and for a while after a new one began, of the own, since the receiver may not have heard of the last ones.
 */
static enum error add_former(struct run *run, const struct lines *lines, size_t index, uint64_t first,
			     struct heads_statement *heads)
{
	const struct line *line = &lines->lines[index];
	struct entry_key log = {.channel = lines->number, .log = lines->logs[index], .incarnation = first};
	bool own = line == lines->own;
	bool missing = false;

	if (line->head_incarnation > HEADS_FORMER_MAX &&
	    log.incarnation < line->head_incarnation - HEADS_FORMER_MAX)
		log.incarnation = line->head_incarnation - HEADS_FORMER_MAX;
	for (; log.incarnation < line->head_incarnation && heads->heads_count < HEADS_STATED_MAX;
	     log.incarnation++) {
		struct former_head former;
		struct line as_line = {.head_incarnation = log.incarnation};
		enum error error = heads_former(run, &log, &former);
		if (!run_missing(error, &missing))
			return error;
		if (error != ERROR_OK || former.size == 0 || (!own && former.cosigned_at == 0))
			continue;
		as_line.head_size = former.size;
		memcpy(as_line.head_root, former.root, sizeof(former.root));
		memcpy(as_line.head_signature, former.signature, sizeof(former.signature));
		as_line.cosigned_at = own ? 0 : former.cosigned_at;
		memcpy(as_line.cosignature, former.cosignature, sizeof(former.cosignature));
		write_head(&heads->heads[heads->heads_count++], log.log, &as_line);
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* All but the own newest, in order. */
static enum error add_heads(struct run *run, const struct lines *lines, const struct line *receiver,
			    struct heads_statement *heads)
{
	for (size_t i = 0; i < lines->count && heads->heads_count < HEADS_STATED_MAX; i++) {
		const struct line *line = &lines->lines[i];
		enum error error = ERROR_OK;
		if (line == receiver && line->asked != 0)
			error = add_former(run, lines, i, line->asked, heads);
		else if (line == lines->own && tells_former(lines, receiver))
			error = add_former(run, lines, i, 1, heads);
		if (error != ERROR_OK)
			return error;
		if (line != lines->own && line->cosigned_at != 0 && heads->heads_count < HEADS_STATED_MAX)
			write_head(&heads->heads[heads->heads_count++], lines->logs[i], line);
	}
	return ERROR_OK;
}

static enum error make_statement(struct run *run, const struct lines *lines, const struct line *receiver,
				 struct bytes *cose)
{
	struct heads_statement *heads = run_take(run, sizeof(*heads));
	struct aad *aad = run_take(run, sizeof(*aad));
	const struct line *own = lines->own;

	memset(heads, 0, sizeof(*heads));
	heads->by = lines->own_log;
	heads->time = run_time_s(run);
	heads->heads_count = 1;
	write_head(&heads->heads[0], lines->own_log, own);
	heads->heads[0].has_cosignature = false;
	enum error error = add_heads(run, lines, receiver, heads);
	if (error != ERROR_OK)
		return error;
	bool same = receiver->theirs_incarnation == own->head_incarnation;
	if (same && receiver->theirs_size > 0 && receiver->theirs_size <= own->head_size) {
		heads->has_proof = true;
		heads->old_size = receiver->theirs_size;
		error = log_consistency(run, lines->number, lines->own_log, own->head_incarnation,
					heads->old_size, own->head_size, &heads->proof);
		if (error != ERROR_OK)
			return error;
	}
	struct buffer payload = run_buffer(run, HEADS_SIZE_MAX);
	heads_encode(heads, &payload);
	assert(buffer_error(&payload) == ERROR_OK);
	error = registry_aad(run, &lines->channel, AAD_HEADS, lines->channel.own_index, aad);
	if (error == ERROR_OK)
		*cose = run_sign(run, aad, buffer_bytes(&payload));
	return error;
}

static bool is_due(struct run *run, const struct lines *lines, const struct line *line)
{
	uint64_t interval_ms = lines->terms.heads_interval_s * 1000;
	uint64_t since_ms = run_slow_since(run, line->heads_sent_ms);

	if (line->heads_sent_ms == 0 || line->asked != 0)
		return true;
	if (since_ms >= interval_ms * HEADS_IDLE_INTERVALS)
		return true;
	return since_ms >= interval_ms && line->heads_sent_sum != sum_of(lines);
}

static enum error send_heads(struct run *run, const struct lines *lines, size_t index)
{
	struct line *line = &lines->lines[index];
	struct row_key key = key_line(lines->number, lines->logs[index]);
	struct outbox_statement statement = {
		.kind = STATEMENT_HEADS,
		.channel = lines->number,
		.party = registry_party_of(&lines->channel, log_roster_index(lines->logs[index])),
		.slot = log_slot(lines->logs[index]),
		.precedence = PRECEDENCE_ROUTINE,
	};
	bool waits;

	enum error error = outbox_statement_waits(run, line->heads_serial, &waits);
	if (error != ERROR_OK || waits)
		return error;
	error = make_statement(run, lines, line, &statement.cose);
	if (error == ERROR_OK)
		error = outbox_statement(run, &statement, &line->heads_serial);
	if (error != ERROR_OK)
		return error;
	line->asked = 0;
	if (line->former_told != lines->own->head_incarnation)
		line->former_count = 0;
	line->former_told = lines->own->head_incarnation;
	line->former_count++;
	line->heads_sent_ms = run_slow_ms(run) + 1;
	line->heads_sent_sum = sum_of(lines);
	run_put(run, &key, &schema_line, line);
	return ERROR_OK;
}

/*
 * True in *held if that post has receipted the first entry of the own newest incarnation as held. Before,
 * no head of it is told there: had this incarnation's number been used before, by a store that was restored
 * twice, that post would hold two heads that cannot both be true.
 */
static enum error is_held_there(struct run *run, const struct lines *lines, uint64_t log, bool *held)
{
	struct entry_key key = {
		.channel = lines->number, .log = lines->own_log, .incarnation = lines->own->head_incarnation};
	struct row_key copy = key_channel(TABLE_COPY, key.channel);
	uint64_t index = log_roster_index(log);
	struct entry entry;
	struct bytes value;

	*held = key.incarnation <= 1;
	if (*held)
		return ERROR_OK;
	key_u16(&copy, key.incarnation);
	key_u32(&copy, 0);
	key_u16(&copy, log);
	enum error copy_error = rows_get(run_rows(run), key_view(&copy), &value);
	enum error error = run_must(log_entry(run, &key, &entry));
	if (error != ERROR_OK || copy_error == ERROR_NEEDS_ROWS)
		return error != ERROR_OK ? error : copy_error;
	bool sibling = index == lines->channel.own_index;
	*held = copy_error == ERROR_NOT_FOUND && (sibling || (entry.received >> index & 1) != 0);
	return ERROR_OK;
}

static enum error tick_channel(struct run *run, struct lines *lines, size_t *sent)
{
	enum error error = read_lines(run, lines, KEYS_POSTS_MAX);

	if (error != ERROR_OK || lines->own == NULL || lines->own->head_size == 0 || lines->own->unsure != 0)
		return error;
	for (size_t i = 0; error == ERROR_OK && i < lines->count && *sent < SENT_MAX; i++) {
		const struct line *line = &lines->lines[i];
		bool held;
		if (line == lines->own || !has_keys(line) || !is_due(run, lines, line))
			continue;
		error = is_held_there(run, lines, lines->logs[i], &held);
		if (error != ERROR_OK || !held)
			continue;
		error = send_heads(run, lines, i);
		(*sent)++;
	}
	return error;
}

#define AWAITS_COURIER UINT64_MAX /* of state->heads_ms */

void heads_wait(struct run *run)
{
	run_state(run)->heads_ms = AWAITS_COURIER;
}

bool heads_awaited(struct run *run)
{
	return run_state(run)->heads_ms == AWAITS_COURIER;
}

void heads_go_on(struct run *run)
{
	if (heads_awaited(run))
		run_state(run)->heads_ms = run_slow_ms(run) + 1;
}

enum error heads_tick(struct run *run)
{
	struct state *state = run_state(run);
	struct lines *lines = run_take(run, sizeof(*lines));
	enum error error = ERROR_OK;
	size_t sent = 0;

	if (state->heads_ms != 0 && run_slow_since(run, state->heads_ms) < LOOK_INTERVAL_MS)
		return ERROR_OK;
	lines->logs = run_take(run, KEYS_POSTS_MAX * sizeof(*lines->logs));
	lines->lines = run_take(run, KEYS_POSTS_MAX * sizeof(*lines->lines));
	lines->number = 0;
	while (error == ERROR_OK && sent < SENT_MAX) {
		error = registry_next_channel(run, &lines->number, &lines->channel);
		if (error == ERROR_OK)
			error = tick_channel(run, lines, &sent);
	}
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (sent < SENT_MAX)
		state->heads_ms = run_slow_ms(run) + 1;
	return ERROR_OK;
}

/* ---- for STATUS ---- */

static enum local_heads heads_of_line(const struct line *line)
{
	if (line->forked != 0)
		return LOCAL_HEADS_FORKED;
	if (line->disagrees != 0)
		return LOCAL_HEADS_DIFFER;
	return line->cosigned_at != 0 && line->theirs_size != 0 ? LOCAL_HEADS_AGREE
								: LOCAL_HEADS_NOT_COMPARED;
}

static void add_line(const struct line *line, enum local_heads *heads, uint64_t *cosigned_at)
{
	enum local_heads one = heads_of_line(line);

	if (one > *heads)
		*heads = one;
	if (line->theirs_at < *cosigned_at)
		*cosigned_at = line->theirs_at;
}

enum error heads_stand(struct run *run, uint64_t channel_number, const struct channel *channel,
		       enum local_heads *heads, uint64_t *cosigned_at)
{
	uint64_t own_log = log_own_number(run, channel);
	uint64_t log = LINES_START;
	size_t others = 0;
	struct line line;
	enum error error;

	*heads = LOCAL_HEADS_AGREE;
	*cosigned_at = UINT64_MAX;
	while ((error = registry_next_line(run, channel_number, &log, &line)) == ERROR_OK) {
		if (log != own_log && has_keys(&line)) {
			add_line(&line, heads, cosigned_at);
			others++;
		} else if (log == own_log && line.disagrees != 0 && *heads < LOCAL_HEADS_DIFFER) {
			*heads = LOCAL_HEADS_DIFFER;
		}
	}
	if (others == 0)
		*heads = LOCAL_HEADS_NOT_COMPARED;
	if (*heads != LOCAL_HEADS_AGREE)
		*cosigned_at = 0;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}
