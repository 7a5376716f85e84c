#include "record/log.h"

#include <assert.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/query.h"
#include "record/registry.h"

#define ADVANCE_MAX  64  /* leaves that follow in the event that closed the gap */
#define ADVANCE_TICK 192 /* and in one RECORD_COMMIT or RECORD_TICK */
#define TIMES_MAX    24  /* state times that one entry keeps */

/* ---- rows ---- */

uint64_t log_own_number(struct run *run, const struct channel *channel)
{
	return log_number(channel->own_index, run_post(run)->slot);
}

enum error log_row(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation, struct log *row)
{
	struct row_key key = key_log(TABLE_LOG, channel, log, incarnation);
	enum error error = run_get(run, &key, &schema_log, row);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error read_frontier(const struct log *row, struct merkle_frontier *frontier)
{
	merkle_frontier_init(frontier);
	if (row->frontier.size == 0)
		return row->size == 0 ? ERROR_OK : ERROR_MALFORMED;
	if (merkle_frontier_read(row->frontier, frontier) != ERROR_OK || frontier->size != row->size ||
	    row->size > POSITION_MAX + 1)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

static enum error write_log(struct run *run, const struct entry_key *key, struct log *row,
			    const struct merkle_frontier *frontier)
{
	struct row_key log_key = key_log(TABLE_LOG, key->channel, key->log, key->incarnation);
	struct buffer buffer = run_buffer(run, MERKLE_FRONTIER_SIZE_MAX);

	merkle_frontier_write(frontier, &buffer);
	row->size = frontier->size;
	row->frontier = buffer_bytes(&buffer);
	enum error error = missing_note(run, key, row);
	if (error == ERROR_OK)
		run_put(run, &log_key, &schema_log, row);
	return error;
}

enum error log_write_row(struct run *run, const struct entry_key *log, struct log *row)
{
	struct merkle_frontier frontier;

	enum error error = read_frontier(row, &frontier);
	return error == ERROR_OK ? write_log(run, log, row, &frontier) : error;
}

enum error log_follow(struct run *run, const struct entry_key *key, const struct incarnation *content)
{
	struct entry_key former = *key;
	struct log row;

	enum error error = log_row(run, key->channel, key->log, key->incarnation, &row);
	if (error != ERROR_OK)
		return error;
	row.follows = content->previous;
	row.follows_size = content->size;
	error = log_write_row(run, key, &row);
	former.incarnation = content->previous;
	return error == ERROR_OK && content->size > 0 ? missing_told(run, &former, content->size) : error;
}

/*
 * Level 0 is not stored: TABLE_ENTRY has the leaves. By the last leaf below it, so that the nodes of a batch,
 * whose levels differ, stand side by side on the disk.
 */
static struct row_key key_tree(const struct entry_key *log, const struct merkle_coordinate *at)
{
	struct row_key key = key_log(TABLE_TREE, log->channel, log->log, log->incarnation);
	key_u64(&key, ((at->index + 1) << at->level) - 1);
	key_u8(&key, at->level);
	return key;
}

static void append_leaf(struct run *run, const struct entry_key *log, struct merkle_frontier *frontier,
			const struct merkle_hash *leaf)
{
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	size_t count;

	enum error error = merkle_append(frontier, leaf, nodes, &count);
	assert(error == ERROR_OK); /* positions end long before trees do */
	for (size_t i = 1; i < count; i++) {
		struct row_key key = key_tree(log, &nodes[i].at);
		rows_put(run_rows(run), key_view(&key), bytes_make(nodes[i].hash.bytes, MERKLE_HASH_SIZE));
	}
}

static struct bytes encode_leaf(struct run *run, const struct entry_key *key, const struct log_item *item,
				const struct heads_seen *heads)
{
	struct leaf *leaf = run_take(run, sizeof(*leaf));
	struct buffer buffer = run_buffer(run, LEAF_SIZE_MAX);

	leaf->position = key->position;
	memcpy(leaf->identity, item->identity, sizeof(leaf->identity));
	cose_signatures_hash(item->object, leaf->signatures_hash);
	leaf->heads = *heads;
	leaf_encode(leaf, &buffer);
	assert(buffer_error(&buffer) == ERROR_OK);
	return buffer_bytes(&buffer);
}

/* The entry is in TABLE_ACK_BY while an acknowledgment is awaited. */
static void write_ack_by(struct run *run, const struct entry_key *key, const struct entry *entry)
{
	struct row_key row_key = key_entry(TABLE_ACK_BY, key);

	if (entry->ack_by == 0)
		return;
	if (entry->state < LOCAL_READ)
		rows_put(run_rows(run), key_view(&row_key), bytes_make(NULL, 0));
	else
		run_delete(run, &row_key);
}

/* Everything of an entry but its leaf's place in the tree. */
static void write_entry(struct run *run, const struct entry_key *key, const struct log_item *item,
			struct entry *entry, bool own)
{
	struct state *state = run_state(run);
	const struct content *content = item->content;
	struct arrival arrival = {
		.key = *key, .own = own, .refused = entry->reason != ERROR_OK, .again = item->again};

	memcpy(entry->identity, item->identity, sizeof(entry->identity));
	if (content != NULL) {
		entry->kind = content->kind;
		entry->precedence = content->precedence;
		entry->time = content_time(content);
		if (content->kind == CONTENT_MESSAGE && entry->reason == ERROR_OK)
			entry->subject = content->of.message.subject;
		entry->signers = content->signers_count == 0 ? 0 : (uint64_t)content->signers[0] + 1;
	}
	bool is_new = content != NULL && entry->reason == ERROR_OK && !item->again;
	if (is_new && content->kind == CONTENT_MESSAGE && content->of.message.has_ack_by)
		entry->ack_by = content->of.message.ack_by;
	entry->held_at_ms = run_wall_ms(run);
	entry->arrival = ++state->arrivals;
	arrival.kind = entry->kind;
	struct row_key row_key = key_entry(TABLE_ENTRY, key);
	run_put(run, &row_key, &schema_entry, entry);
	row_key = key_identity(item->identity);
	if (!item->again)
		run_put(run, &row_key, &schema_entry_key, key);
	write_ack_by(run, key, entry);
	row_key = key_make(TABLE_ARRIVAL);
	key_u64(&row_key, entry->arrival);
	run_put(run, &row_key, &schema_arrival, &arrival);
	if (entry->reason == ERROR_OK) {
		row_key = key_entry(TABLE_COSE, key);
		rows_put(run_rows(run), key_view(&row_key), item->cose);
	}
}

/* ---- telling ---- */

static_assert(2 * RECEIPT_POSITIONS_MAX + 64 <= RECORD_ACTIONS_MAX,
	      "a receipt, which moves the most states, has room to tell of each and to stop a copy of each");

/* LOCAL_STATE. */
static enum error tell_state(struct run *run, const struct entry_key *key, const struct entry *entry)
{
	struct buffer *notice = run_notice_begin(run, LOCAL_STATE, 1);
	enum error error = query_entry_row(run, key, entry, notice);
	if (error == ERROR_OK)
		run_notice_end(run);
	return error;
}

/* ---- the own log ---- */

/* The heads that grew since the last own entry; those named are forgotten. */
static enum error take_seen(struct run *run, uint64_t channel, struct heads_seen *heads)
{
	struct row_key prefix = key_channel(TABLE_SEEN, channel);
	struct row row;

	heads->count = 0;
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && heads->count < HEADS_SEEN_MAX) {
		struct key_reader reader = key_reader_make(row.key);
		struct seen seen;
		(void)key_read_u16(&reader);
		uint64_t log = key_read_u16(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_seen, row.value, &seen) != ERROR_OK)
			return ERROR_MALFORMED;
		heads->heads[heads->count++] =
			(struct head_seen){.log = log, .incarnation = seen.incarnation, .size = seen.size};
		rows_delete(run_rows(run), row.key);
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* The times of an entry that has just been filed in the own log. */
static struct bytes released_now(struct run *run)
{
	struct buffer times = run_buffer(run, 32);

	cbor_write_array(&times, 1);
	cbor_write_array(&times, 3);
	cbor_write_uint(&times, LOCAL_RELEASED);
	cbor_write_uint(&times, run_wall_ms(run));
	cbor_write_text(&times, bytes_of_text(""));
	return buffer_bytes(&times);
}

enum error log_append(struct run *run, const struct log_item *item, struct entry_key *key,
		      struct entry *entry)
{
	struct heads_seen *heads = run_take(run, sizeof(*heads));
	struct merkle_frontier frontier;
	struct merkle_hash leaf;
	struct line line;
	struct log row;

	key->log = log_own_number(run, item->channel);
	struct row_key line_key = key_line(key->channel, key->log);
	enum error error = run_get(run, &line_key, &schema_line, &line);
	enum error seen_error = take_seen(run, key->channel, heads);
	if (error != ERROR_OK || seen_error != ERROR_OK)
		return seen_error == ERROR_NEEDS_ROWS || error == ERROR_OK ? seen_error : error;
	if (line.unsure != 0) /* a position might be given twice, and the state does not say so */
		return ERROR_MALFORMED;
	key->incarnation = line.incarnation == 0 ? 1 : line.incarnation;
	error = log_row(run, key->channel, key->log, key->incarnation, &row);
	if (error == ERROR_OK)
		error = read_frontier(&row, &frontier);
	if (error != ERROR_OK)
		return error;
	if (row.size > POSITION_MAX)
		return ERROR_OUT_OF_RANGE;
	key->position = row.size;
	memset(entry, 0, sizeof(*entry));
	entry->leaf = encode_leaf(run, key, item, heads);
	entry->state = LOCAL_RELEASED;
	entry->times = released_now(run);
	merkle_leaf_hash(entry->leaf, &leaf);
	append_leaf(run, key, &frontier, &leaf);
	row.end = frontier.size;
	error = write_log(run, key, &row, &frontier);
	if (error != ERROR_OK)
		return error;
	write_entry(run, key, item, entry, true);
	batch_note_channel(run, key->channel);
	error = outbox_entry(run, item->channel, key, item->content);
	return error == ERROR_OK ? tell_state(run, key, entry) : error;
}

/* ---- logs of others ---- */

enum error log_look(struct run *run, const struct entry_key *key, const uint8_t identity[IDENTITY_SIZE],
		    enum log_place *place, struct entry *held, bool *gap)
{
	struct line line;
	struct log row;
	struct row_key line_key = key_line(key->channel, key->log);

	memset(held, 0, sizeof(*held));
	enum error line_error = run_get(run, &line_key, &schema_line, &line);
	enum error row_error = log_row(run, key->channel, key->log, key->incarnation, &row);
	/* Beyond the end there is none, which needs no look at the disk. */
	bool beyond = row_error == ERROR_OK && key->position >= row.end;
	enum error error = beyond ? ERROR_NOT_FOUND : log_entry(run, key, held);
	if (line_error == ERROR_NEEDS_ROWS || row_error == ERROR_NEEDS_ROWS)
		return ERROR_NEEDS_ROWS;
	if (line_error != ERROR_OK && line_error != ERROR_NOT_FOUND)
		return line_error;
	if (row_error != ERROR_OK)
		return row_error;
	*gap = key->position > row.size;
	if (error == ERROR_OK) {
		bool same = memcmp(held->identity, identity, IDENTITY_SIZE) == 0;
		*place = same ? LOG_SAME : LOG_OTHER;
		return ERROR_OK;
	}
	uint64_t newest = line.incarnation == 0 ? 1 : line.incarnation;
	bool far = (key->incarnation > newest + LOG_INCARNATIONS_AHEAD && key->position > 0) ||
		   (key->position > row.size && key->position - row.size > LOG_AHEAD_MAX);
	*place = far ? LOG_FAR : LOG_NEW;
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

/* Lets the tree follow over entries held ahead, up to `count_max`; *more: others wait. */
static enum error follow(struct run *run, const struct entry_key *log, struct log *row,
			 struct merkle_frontier *frontier, size_t count_max, bool *more)
{
	struct row_key prefix = key_log(TABLE_AHEAD, log->channel, log->log, log->incarnation);
	size_t count = 0;

	*more = false;
	while (frontier->size < row->end) {
		struct entry_key at = *log;
		struct row found;
		struct merkle_hash leaf;
		at.position = frontier->size;
		struct row_key key = key_entry(TABLE_AHEAD, &at);
		enum error error = rows_from(run_rows(run), key_view(&prefix), key_view(&key), &found);
		if (error == ERROR_NOT_FOUND)
			return ERROR_OK;
		if (error != ERROR_OK)
			return error;
		if (!bytes_equal(found.key, key_view(&key)))
			return ERROR_OK;
		if (count++ == count_max) {
			*more = true;
			return ERROR_OK;
		}
		if (found.value.size != MERKLE_HASH_SIZE)
			return ERROR_MALFORMED;
		memcpy(leaf.bytes, found.value.data, sizeof(leaf.bytes));
		append_leaf(run, log, frontier, &leaf);
		run_delete(run, &key);
	}
	return ERROR_OK;
}

/*
 * After a tree grew: the row, what the next own entry names (of the newest incarnations of others' logs), and
 * whether more is to follow.
 */
static enum error write_grown(struct run *run, const struct entry_key *key, struct log *row,
			      const struct merkle_frontier *frontier, bool more)
{
	struct row_key seen_key = key_channel(TABLE_SEEN, key->channel);
	struct row_key advance_key = key_log(TABLE_ADVANCE, key->channel, key->log, key->incarnation);
	struct row_key line_key = key_line(key->channel, key->log);
	struct seen seen = {.incarnation = key->incarnation, .size = frontier->size};
	struct channel channel;
	struct line line;

	enum error error = run_must(run_get(run, &line_key, &schema_line, &line));
	if (error == ERROR_OK)
		error = run_must(registry_channel(run, key->channel, &channel));
	if (error != ERROR_OK)
		return error;
	key_u16(&seen_key, key->log);
	if (key->log != log_own_number(run, &channel) && key->incarnation >= line.incarnation)
		run_put(run, &seen_key, &schema_seen, &seen);
	if (more)
		rows_put(run_rows(run), key_view(&advance_key), bytes_make(NULL, 0));
	return write_log(run, key, row, frontier);
}

enum error log_take(struct run *run, const struct entry_key *key, const struct log_item *item,
		    const struct heads_seen *heads, enum error reason)
{
	struct merkle_frontier frontier;
	struct merkle_hash leaf;
	struct log row;
	struct entry entry = {.reason = (uint64_t)reason};

	enum error error = log_row(run, key->channel, key->log, key->incarnation, &row);
	if (error == ERROR_OK)
		error = missing_came(run, key, item, &row);
	if (error == ERROR_OK)
		error = read_frontier(&row, &frontier);
	if (error != ERROR_OK)
		return error;
	entry.state = reason == ERROR_OK ? LOCAL_RECEIVED : LOCAL_REFUSED;
	if (item->own) {
		entry.state = reason == ERROR_OK ? LOCAL_RELEASED : LOCAL_REFUSED;
		entry.times = released_now(run);
	}
	entry.leaf = encode_leaf(run, key, item, heads);
	merkle_leaf_hash(entry.leaf, &leaf);
	if (key->position + 1 > row.end)
		row.end = key->position + 1;
	if (key->position == row.size) {
		bool more;
		append_leaf(run, key, &frontier, &leaf);
		error = follow(run, key, &row, &frontier, ADVANCE_MAX, &more);
		if (error == ERROR_OK)
			error = write_grown(run, key, &row, &frontier, more);
	} else {
		struct row_key ahead_key = key_entry(TABLE_AHEAD, key);
		rows_put(run_rows(run), key_view(&ahead_key), bytes_make(leaf.bytes, sizeof(leaf.bytes)));
		error = write_log(run, key, &row, &frontier);
	}
	if (error == ERROR_OK)
		write_entry(run, key, item, &entry, item->own);
	return error;
}

enum error log_advance(struct run *run)
{
	struct row_key prefix = key_make(TABLE_ADVANCE);
	struct merkle_frontier frontier;
	struct log row;
	struct row found;
	bool more;

	enum error error = rows_first(run_rows(run), key_view(&prefix), &found);
	if (error != ERROR_OK)
		return error == ERROR_NOT_FOUND ? ERROR_OK : error;
	struct key_reader reader = key_reader_make(found.key);
	struct entry_key key = {
		.channel = key_read_u16(&reader),
		.log = key_read_u16(&reader),
		.incarnation = key_read_u16(&reader),
	};
	if (key_read_end(&reader) != ERROR_OK)
		return ERROR_MALFORMED;
	error = log_row(run, key.channel, key.log, key.incarnation, &row);
	if (error == ERROR_OK)
		error = read_frontier(&row, &frontier);
	if (error == ERROR_OK)
		error = follow(run, &key, &row, &frontier, ADVANCE_TICK, &more);
	if (error != ERROR_OK)
		return error;
	rows_delete(run_rows(run), found.key);
	return write_grown(run, &key, &row, &frontier, more);
}

/* ---- looking up ---- */

enum error log_entry(struct run *run, const struct entry_key *key, struct entry *entry)
{
	struct row_key row_key = key_entry(TABLE_ENTRY, key);
	return run_get(run, &row_key, &schema_entry, entry);
}

enum error log_cose(struct run *run, const struct entry_key *key, struct bytes *cose)
{
	struct row_key row_key = key_entry(TABLE_COSE, key);
	return rows_get(run_rows(run), key_view(&row_key), cose);
}

enum error log_find(struct run *run, const uint8_t identity[IDENTITY_SIZE], struct entry_key *key)
{
	struct row_key row_key = key_identity(identity);
	return run_get(run, &row_key, &schema_entry_key, key);
}

static enum error node_hash(struct run *run, const struct entry_key *log, const struct merkle_coordinate *at,
			    struct merkle_hash *hash)
{
	struct bytes value;

	if (at->level == 0) {
		struct entry_key key = *log;
		struct entry entry;
		key.position = at->index;
		enum error error = log_entry(run, &key, &entry);
		if (error == ERROR_OK)
			merkle_leaf_hash(entry.leaf, hash);
		return run_must(error);
	}
	struct row_key key = key_tree(log, at);
	enum error error = rows_get(run_rows(run), key_view(&key), &value);
	if (error != ERROR_OK)
		return run_must(error);
	if (value.size != MERKLE_HASH_SIZE)
		return ERROR_MALFORMED;
	memcpy(hash->bytes, value.data, MERKLE_HASH_SIZE);
	return ERROR_OK;
}

/* All of them asked for at once. */
static enum error node_hashes(struct run *run, const struct entry_key *log,
			      const struct merkle_coordinate *nodes, size_t count, struct merkle_hash *hashes)
{
	bool missing = false;

	for (size_t i = 0; i < count; i++) {
		enum error error = node_hash(run, log, &nodes[i], &hashes[i]);
		if (error != ERROR_OK && error != ERROR_NEEDS_ROWS)
			return error;
		missing = missing || error == ERROR_NEEDS_ROWS;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

enum error log_root_at(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation, uint64_t size,
		       struct merkle_hash *root)
{
	struct entry_key key = {.channel = channel, .log = log, .incarnation = incarnation};
	struct merkle_coordinate nodes[MERKLE_LEVELS_MAX];
	struct merkle_hash hashes[MERKLE_LEVELS_MAX];
	struct merkle_frontier frontier;
	size_t count;

	if (merkle_frontier_nodes(size, nodes, &count) != ERROR_OK)
		return ERROR_MALFORMED;
	enum error error = node_hashes(run, &key, nodes, count, hashes);
	if (error != ERROR_OK)
		return error;
	merkle_frontier_from_nodes(size, hashes, &frontier);
	merkle_frontier_root(&frontier, root);
	return ERROR_OK;
}

enum error log_consistency(struct run *run, uint64_t channel, uint64_t log, uint64_t incarnation,
			   uint64_t old_size, uint64_t new_size, struct merkle_proof *proof)
{
	struct entry_key key = {.channel = channel, .log = log, .incarnation = incarnation};
	struct merkle_proof_nodes *nodes = run_take(run, sizeof(*nodes));
	struct merkle_hash *hashes = run_take(run, MERKLE_PROOF_NODES_MAX * sizeof(*hashes));

	if (merkle_consistency_nodes(old_size, new_size, nodes) != ERROR_OK)
		return ERROR_MALFORMED;
	enum error error = node_hashes(run, &key, nodes->nodes, nodes->count, hashes);
	if (error == ERROR_OK)
		merkle_proof_from_nodes(nodes, hashes, proof);
	return error;
}

/* ---- states ---- */

/* The list of times with one more, or unchanged (false) where it is there already or the list is full. */
static bool add_time(struct run *run, struct entry *entry, uint64_t state, struct bytes detail)
{
	struct cbor_reader reader = cbor_reader_make(entry->times);
	struct buffer buffer = run_buffer(run, entry->times.size + detail.size + 32);
	size_t count = entry->times.size == 0 ? 0 : cbor_read_array(&reader, TIMES_MAX);

	if (count == TIMES_MAX)
		return false;
	cbor_write_array(&buffer, count + 1);
	for (size_t i = 0; i < count; i++) {
		struct bytes item = cbor_read_item(&reader);
		struct cbor_reader one = cbor_reader_make(item);
		cbor_read_array_exact(&one, 3);
		uint64_t item_state = cbor_read_uint(&one);
		(void)cbor_read_uint(&one);
		if (item_state == state && bytes_equal(cbor_read_text(&one, item.size), detail))
			return false;
		buffer_append(&buffer, item);
	}
	cbor_write_array(&buffer, 3);
	cbor_write_uint(&buffer, state);
	cbor_write_uint(&buffer, run_wall_ms(run));
	cbor_write_text(&buffer, detail);
	assert(buffer_error(&buffer) == ERROR_OK);
	entry->times = buffer_bytes(&buffer);
	return true;
}

static bool state_grows(uint64_t from, uint64_t to)
{
	if (from == LOCAL_REFUSED)
		return to == LOCAL_RECEIVED || to == LOCAL_READ || to == LOCAL_ANSWERED;
	if (to == LOCAL_REFUSED)
		return from < LOCAL_RECEIVED;
	return to > from;
}

enum error log_set_state(struct run *run, const struct entry_key *key, struct entry *entry, uint64_t state,
			 struct bytes detail)
{
	struct row_key row_key = key_entry(TABLE_ENTRY, key);
	bool changed = state_grows(entry->state, state);

	add_time(run, entry, state, detail);
	if (changed)
		entry->state = state;
	run_put(run, &row_key, &schema_entry, entry);
	write_ack_by(run, key, entry);
	return changed ? tell_state(run, key, entry) : ERROR_OK;
}
