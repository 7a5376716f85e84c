#include "sim/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope/cose.h"
#include "envelope/merkle.h"
#include "envelope/statement.h"
#include "record/outbox_rows.h"
#include "record/schema.h"
#include "sim/check_keys.h"
#include "sim/check_places.h"
#include "sim/rogue.h"

struct checker *checker_make(void)
{
	return disk_must(calloc(1, sizeof(struct checker)));
}

void checker_free(struct checker *checker)
{
	disk_free(&checker->signed_by_people);
	disk_free(&checker->committed);
	disk_free(&checker->held);
	disk_free(&checker->roots);
	disk_free(&checker->shown);
	free(checker);
}

static struct bytes identity_view(const uint8_t identity[IDENTITY_SIZE])
{
	return bytes_make(identity, IDENTITY_SIZE);
}

/* A map's value there must be this one, or there is none yet. */
static bool agree(struct disk *map, struct bytes key, struct bytes value)
{
	struct bytes held;

	if (disk_get(map, key, &held))
		return bytes_equal(held, value);
	disk_put(map, key, value);
	return true;
}

/* ---- rows of a post ---- */

bool check_read_row(const struct disk *disk, const struct row_key *key, const struct schema *schema,
		    void *value)
{
	struct bytes bytes;
	return disk_get(disk, key_view(key), &bytes) && schema_read(schema, bytes, value) == ERROR_OK;
}

/* The line of a post's local channel number; from the batch's rows if it is made in it. */
static bool line_of(const struct world *world, size_t node, uint64_t channel_number, size_t *line)
{
	struct row_key key = key_channel(TABLE_CHANNEL, channel_number);
	const struct changes *changes = &world->changes;
	struct channel channel;
	bool found = check_read_row(&world->nodes[node].post.disk, &key, &schema_channel, &channel);

	for (size_t i = 0; !found && i < changes->count; i++)
		found = bytes_equal(changes->list[i].key, key_view(&key)) &&
			schema_read(&schema_channel, changes->list[i].value, &channel) == ERROR_OK;
	for (size_t i = 0; found && i < world->lines_count; i++) {
		*line = i;
		if (memcmp(world->lines[i].id, channel.id, sizeof(channel.id)) == 0)
			return true;
	}
	return false;
}

static bool read_place(const struct world *world, size_t node, struct bytes key_bytes, size_t *line,
		       struct entry_key *key)
{
	struct key_reader reader = key_reader_make(key_bytes);

	key->channel = key_read_u16(&reader);
	key->log = key_read_u16(&reader);
	key->incarnation = key_read_u16(&reader);
	key->position = key_read_u32(&reader);
	return key_read_end(&reader) == ERROR_OK && line_of(world, node, key->channel, line);
}

/* ---- entries ---- */

/*
 * What a hostile party gives back of the own log that was lost may stand anywhere but in the newest
 * incarnation, and be gone: what was held of it before says nothing.
 */
static bool is_in_hostile_hands(const struct world *world, size_t node, size_t line)
{
	return rogue_is_on(world, line) && world->nodes[node].post.restores > 0;
}

static void check_own(struct world *world, size_t node, size_t line, const struct place *place,
		      const struct entry *entry)
{
	struct bytes nothing;
	struct bytes identity = identity_view(entry->identity);

	if (!is_in_hostile_hands(world, node, line) &&
	    !agree(&world->checker->committed, place_view(place), identity))
		world_violation(world, "a position is given once", "post %zu", node);
	if (!content_is_from_post(entry->kind) &&
	    !disk_get(&world->checker->signed_by_people, identity, &nothing))
		world_violation(world, "nothing is accepted unsigned or unaccredited",
				"in the own log of %zu", node);
}

/* What a hostile party's officers have said may stand anywhere; what they have not may not. */
static void check_hostile(struct world *world, size_t node, const struct entry *entry)
{
	struct bytes nothing;

	if (entry->state != LOCAL_REFUSED && !content_is_from_post(entry->kind) &&
	    !disk_get(&world->checker->signed_by_people, identity_view(entry->identity), &nothing))
		world_violation(world, "nothing is accepted unsigned or unaccredited",
				"by %zu, of a hostile party", node);
}

static void check_foreign(struct world *world, size_t node, const struct place *place,
			  const struct entry *entry)
{
	struct bytes committed;

	if (!disk_get(&world->checker->committed, place_view(place), &committed))
		world_violation(world, "nothing is held that its author has not on disk", "by %zu", node);
	else if (!bytes_equal(committed, identity_view(entry->identity)))
		world_violation(world, "nothing is accepted unsigned or unaccredited",
				"by %zu: another entry than the author's", node);
	/* What it answers can only have gone with an old image. */
	bool gone = entry->reason == ERROR_REFUSED_REFERENCE && world->nodes[node].post.restores > 0;
	if (entry->state == LOCAL_REFUSED && !gone)
		world_violation(world, "what is good is not refused", "by %zu: %s", node,
				error_name((enum error)entry->reason));
}

/* Who has said that it refuses may still say that it holds: but nobody honest does. */
static bool state_may_follow(const struct world *world, size_t line, uint64_t before, uint64_t after)
{
	bool changed_its_mind =
		rogue_is_on(world, line) && before == LOCAL_REFUSED && after >= LOCAL_RECEIVED;
	return before <= after || changed_its_mind;
}

static void check_entry(struct world *world, size_t node, const struct rows_change *change)
{
	struct entry_key key;
	struct entry entry;
	struct entry before;
	struct bytes old;
	size_t line;

	if (!read_place(world, node, change->key, &line, &key) ||
	    schema_read(&schema_entry, change->value, &entry) != ERROR_OK) {
		world_violation(world, "rows are of the form", "an entry at %zu", node);
		return;
	}
	struct place place = place_of(line, &key);
	if (disk_get(&world->nodes[node].post.disk, change->key, &old)) {
		if (schema_read(&schema_entry, old, &before) != ERROR_OK ||
		    memcmp(before.identity, entry.identity, IDENTITY_SIZE) != 0 ||
		    !bytes_equal(before.leaf, entry.leaf) || before.arrival != entry.arrival)
			world_violation(world, "an entry stays as it is", "at %zu", node);
		if (!state_may_follow(world, line, before.state, entry.state))
			world_violation(world, "a state only grows", "at %zu: %u to %u", node,
					(unsigned)before.state, (unsigned)entry.state);
		return;
	}
	bool own = key.log == world_log_of(&world->lines[line], node);
	if (own)
		check_own(world, node, line, &place, &entry);
	else if (rogue_is_on(world, line))
		check_hostile(world, node, &entry);
	else
		check_foreign(world, node, &place, &entry);
	struct place held = place_with_node(node, place_view(&place));
	if (!(own && is_in_hostile_hands(world, node, line)) &&
	    !agree(&world->checker->held, place_view(&held), identity_view(entry.identity)))
		world_violation(world, "a position is held once", "at %zu", node);
}

/* Words that were refused at one place, and are held at another, are found there: only a hostile party has
 * both. */
static void check_identity(struct world *world, size_t node, const struct rows_change *change)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	struct entry_key place;
	struct entry entry;
	struct bytes old;
	size_t line;

	if (!disk_get(disk, change->key, &old) || bytes_equal(old, change->value))
		return;
	bool read = schema_read(&schema_entry_key, old, &place) == ERROR_OK &&
		    line_of(world, node, place.channel, &line);
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	if (!read || !rogue_is_on(world, line) || !check_read_row(disk, &key, &schema_entry, &entry) ||
	    entry.state != LOCAL_REFUSED)
		world_violation(world, "an entry stays as it is", "it is held at %zu, and found elsewhere",
				node);
}

/* Two rows of arrival for one entry would show it twice. */
static void check_arrival(struct world *world, size_t node, const struct rows_change *change)
{
	struct arrival arrival;
	struct bytes old;

	if (schema_read(&schema_arrival, change->value, &arrival) != ERROR_OK)
		world_violation(world, "rows are of the form", "an arrival at %zu", node);
	struct row_key key = key_entry(TABLE_ENTRY, &arrival.key);
	if (disk_get(&world->nodes[node].post.disk, key_view(&key), &old))
		world_violation(world, "nothing is shown twice", "an entry arrives again at %zu", node);
}

/* ---- views ---- */

static void check_log(struct world *world, size_t node, const struct rows_change *change)
{
	struct key_reader reader = key_reader_make(change->key);
	struct entry_key key = {.channel = key_read_u16(&reader)};
	struct merkle_frontier frontier;
	struct merkle_hash root;
	struct log log;
	size_t line;

	key.log = key_read_u16(&reader);
	key.incarnation = key_read_u16(&reader);
	if (key_read_end(&reader) != ERROR_OK || !line_of(world, node, key.channel, &line) ||
	    schema_read(&schema_log, change->value, &log) != ERROR_OK ||
	    merkle_frontier_read(log.frontier, &frontier) != ERROR_OK) {
		world_violation(world, "rows are of the form", "a log at %zu", node);
		return;
	}
	key.position = frontier.size;
	struct place place = place_of(line, &key);
	merkle_frontier_root(&frontier, &root);
	bool own = key.log == world_log_of(&world->lines[line], node);
	if (!(own && is_in_hostile_hands(world, node, line)) &&
	    !agree(&world->checker->roots, place_view(&place), bytes_make(root.bytes, sizeof(root.bytes))))
		world_violation(world, "no two honest views of one log disagree",
				"log %u of line %zu at size %u", (unsigned)key.log, line,
				(unsigned)key.position);
}

/* ---- receipts ---- */

static void check_range(struct world *world, const struct receipt *receipt, size_t line,
			const struct held_range *range)
{
	const struct world_line *ends = &world->lines[line];
	size_t by = ends->nodes[log_roster_index(receipt->by)];

	for (uint64_t i = 0; i < range->count; i++) {
		struct entry_key key = {.log = receipt->log, .incarnation = receipt->incarnation};
		struct bytes identity;
		key.position = range->first + i;
		struct place place = place_of(line, &key);
		struct place held = place_with_node(by, place_view(&place));
		if (!disk_get(&world->checker->held, place_view(&held), &identity))
			world_violation(world, "no receipt before its commit", "by %zu for position %u", by,
					(unsigned)key.position);
	}
}

static void check_receipt(struct world *world, size_t node, const struct rows_change *change)
{
	static struct receipt receipt;
	struct receipt_row row;
	struct cose_signed object;
	size_t line;

	if (schema_read(&schema_receipt_row, change->value, &row) != ERROR_OK ||
	    cose_signed_decode(row.cose, &object) != ERROR_OK ||
	    receipt_decode(object.payload, &receipt) != ERROR_OK ||
	    !line_of(world, node, row.channel, &line)) {
		world_violation(world, "rows are of the form", "a receipt at %zu", node);
		return;
	}
	if (rogue_is_on(world, line))
		return; /* it says what it likes */
	for (size_t i = 0; i < receipt.held_count; i++)
		check_range(world, &receipt, line, &receipt.held[i]);
	for (size_t i = 0; i < receipt.refused_count; i++)
		if (receipt.refused[i].reason != ERROR_REFUSED_REFERENCE)
			world_violation(world, "what is good is not refused", "a receipt at %zu", node);
}

/* ---- accusations ---- */

/* Only a hostile party's log is ever two. */
static void check_accusation(struct world *world, size_t node, const struct rows_change *change)
{
	struct key_reader reader = key_reader_make(change->key);
	uint64_t channel = key_read_u16(&reader);
	uint64_t log = key_read_u16(&reader);
	size_t line;

	if (!line_of(world, node, channel, &line) || !rogue_is_on(world, line) ||
	    log != world_log_of(&world->lines[line], world->rogue))
		world_violation(world, "no false accusation", "by %zu", node);
}

/* ---- a batch ---- */

static void check_deletion(struct world *world, size_t node, const struct rows_change *change)
{
	struct bytes old;

	switch ((enum table)change->key.data[0]) {
	case TABLE_ENTRY:
	case TABLE_COSE:
	case TABLE_IDENTITY:
	case TABLE_TREE:
	case TABLE_ARRIVAL:
	case TABLE_RECEIPT:
		if (disk_get(&world->nodes[node].post.disk, change->key, &old))
			world_violation(world, "nothing acknowledged is lost",
					"a row of table %02x is deleted at %zu", change->key.data[0], node);
		break;
	default:
		break;
	}
}

static void check_change(struct world *world, size_t node, const struct rows_change *change)
{
	struct bytes old;

	switch ((enum table)change->key.data[0]) {
	case TABLE_ENTRY:
		check_entry(world, node, change);
		break;
	case TABLE_ARRIVAL:
		check_arrival(world, node, change);
		break;
	case TABLE_LOG:
		check_log(world, node, change);
		break;
	case TABLE_RECEIPT:
		check_receipt(world, node, change);
		break;
	case TABLE_EVIDENCE:
		check_accusation(world, node, change);
		break;
	case TABLE_IDENTITY:
		check_identity(world, node, change);
		break;
	case TABLE_COSE:
	case TABLE_TREE:
		if (disk_get(&world->nodes[node].post.disk, change->key, &old) &&
		    !bytes_equal(old, change->value))
			world_violation(world, "an entry stays as it is",
					"a row of table %02x changes at %zu", change->key.data[0], node);
		break;
	default:
		break;
	}
}

/* Rows of tables that do not grow with the record itself. */
static void check_bounds(struct world *world, size_t node)
{
	static const struct {
		enum table table;
		size_t rows_max;
	} bounds[] = {
		{TABLE_REFUSED, 128},
		{TABLE_ANCHOR, CHANNELS_MAX},
		{TABLE_SEEN, WORLD_NODES_MAX * 8},
		{TABLE_ADVANCE, 64},
		{TABLE_CANNOT_OPEN, WORLD_NODES_MAX},
		{TABLE_STATEMENT, 1024},
		{TABLE_QUOTA, WORLD_NODES_MAX},
		{TABLE_ANSWERED, WORLD_NODES_MAX},
		{TABLE_MISSING, WORLD_NODES_MAX * 64},
		{TABLE_HEAD, WORLD_NODES_MAX * 64},
		{TABLE_EVIDENCE, WORLD_NODES_MAX * 16},
	};
	const struct post *post = &world->nodes[node].post;
	const struct disk *disk = &post->disk;
	/* Three windows of epochs and those ahead; a clock that jumps or an image makes as many anew. */
	size_t epochs = 3 * 14 + 2 * EPOCHS_AHEAD_MAX + EPOCHS_AHEAD_MAX * (post->jumps + post->restores);
	size_t copies = disk->tables[TABLE_COPY] + disk->tables[TABLE_STATEMENT];

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (disk->tables[bounds[i].table] > bounds[i].rows_max)
			world_violation(world, "nothing is unbounded", "%zu rows of table %02x at %zu",
					disk->tables[bounds[i].table], bounds[i].table, node);
	if (disk->tables[TABLE_EPOCH] > epochs || disk->tables[TABLE_PSK] > epochs * WORLD_NODES_MAX)
		world_violation(world, "nothing is unbounded", "%zu epochs at %zu", disk->tables[TABLE_EPOCH],
				node);
	if (disk->tables[TABLE_SEALED] > copies || disk->tables[TABLE_COPY_ID] > copies ||
	    disk->tables[TABLE_DUE] > copies || disk->tables[TABLE_PLACE] > disk->tables[TABLE_RETRY] ||
	    disk->tables[TABLE_WAITING] + disk->tables[TABLE_HANDED] + disk->tables[TABLE_RETRY] > copies)
		world_violation(world, "nothing is unbounded", "the outbox of %zu has more rows than copies",
				node);
	if (disk->tables[TABLE_RECEIPT] > 2 * disk->tables[TABLE_ENTRY] + 64)
		world_violation(world, "nothing is unbounded", "%zu receipts at %zu for %zu entries",
				disk->tables[TABLE_RECEIPT], node, disk->tables[TABLE_ENTRY]);
}

void check_commit(struct world *world, size_t node)
{
	if (rogue_is(world, node))
		return;
	for (size_t i = 0; i < world->changes.count; i++) {
		const struct rows_change *change = &world->changes.list[i];
		check_keys(world, node, change);
		if (change->deleted)
			check_deletion(world, node, change);
		else
			check_change(world, node, change);
	}
}

/* ---- what leaves a post ---- */

static const char *kind_of(const struct disk *disk, const struct copy_key *copy)
{
	static const char *const names[] = {"an entry back", "a receipt",   "heads",
					    "prekeys",       "cannot open", "missing"};
	struct row_key key = key_make(TABLE_STATEMENT);
	struct statement_copy statement;

	key_u64(&key, copy->statement);
	if (copy->statement == 0)
		return "a copy";
	return check_read_row(disk, &key, &schema_statement_copy, &statement) && statement.kind <= 5
		       ? names[statement.kind]
		       : "?";
}

/* What the disk holds of a copy under way: its key and its sealed bytes. */
static bool read_sealed(const struct disk *disk, const uint8_t id[16], struct copy_key *key,
			struct bytes *sealed)
{
	struct row_key id_key = outbox_id_row(id);
	if (!check_read_row(disk, &id_key, &schema_copy_key, key))
		return false;
	struct row_key copy_key = outbox_copy_row(key);
	struct statement_copy statement;
	struct copy copy;
	bool read = key->statement == 0 ? check_read_row(disk, &copy_key, &schema_copy, &copy)
					: check_read_row(disk, &copy_key, &schema_statement_copy, &statement);
	if (!read)
		return false;
	struct row_key sealed_key = outbox_sealed_row(key->statement == 0 ? &copy : &statement.copy);
	return disk_get(disk, key_view(&sealed_key), sealed);
}

void check_action(struct world *world, size_t node, const struct record_action *action, unsigned *sent_min)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	struct copy_key key;
	struct bytes sealed;

	if (action->kind != RECORD_ACTION_SEND || rogue_is(world, node))
		return;
	if (*sent_min != 0 && action->precedence > *sent_min)
		world_violation(world, "no lower precedence starts while a higher waits",
				"post %zu sends %u after %u", node, action->precedence, *sent_min);
	*sent_min = action->precedence;
	check_window(world, node, action);
	if (!read_sealed(disk, action->copy, &key, &sealed) || !bytes_equal(sealed, action->bytes))
		world_violation(world, "nothing leaves that is not on disk", "post %zu", node);
	else
		world_trace(world, "post %zu hands over %s %u/%u, %zu bytes, precedence %u", node,
			    kind_of(disk, &key), (unsigned)key.entry.incarnation,
			    (unsigned)key.entry.position, sealed.size, action->precedence);
}

void check_batch(struct world *world, size_t node, unsigned sent_min)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	uint8_t prefix[1] = {TABLE_WAITING};
	struct row row;
	size_t at = 0;

	if (rogue_is(world, node))
		return;
	check_bounds(world, node);
	if (sent_min == 0 || !disk_next(disk, bytes_make(prefix, 1), &at, &row))
		return;
	if ((unsigned)(PRECEDENCE_COUNT - row.key.data[1]) > sent_min)
		world_violation(world, "no lower precedence starts while a higher waits", "post %zu sent %u",
				node, sent_min);
}

/* ---- what people are told ---- */

void check_signed(struct world *world, const uint8_t identity[IDENTITY_SIZE])
{
	disk_put(&world->checker->signed_by_people, identity_view(identity), bytes_make(NULL, 0));
}

bool check_holds(const struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE])
{
	const struct disk *disk = &world->nodes[node].post.disk;
	struct row_key key = key_identity(identity);
	struct entry_key place;
	struct entry entry;
	struct bytes cose;

	if (!check_read_row(disk, &key, &schema_entry_key, &place))
		return false;
	key = key_entry(TABLE_ENTRY, &place);
	if (!check_read_row(disk, &key, &schema_entry, &entry) ||
	    memcmp(entry.identity, identity, IDENTITY_SIZE) != 0)
		return false;
	key = key_entry(TABLE_COSE, &place);
	return disk_get(disk, key_view(&key), &cose);
}

void check_held(struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE])
{
	if (!rogue_is(world, node) && !check_holds(world, node, identity))
		world_violation(world, "nothing acknowledged is lost", "post %zu said that it holds an entry",
				node);
}

void check_shown(struct world *world, size_t node, const uint8_t identity[IDENTITY_SIZE])
{
	uint8_t key[1 + IDENTITY_SIZE];
	struct bytes nothing;

	key[0] = (uint8_t)node;
	memcpy(key + 1, identity, IDENTITY_SIZE);
	if (!rogue_is(world, node) &&
	    disk_get(&world->checker->shown, bytes_make(key, sizeof(key)), &nothing))
		world_violation(world, "nothing is shown twice", "a notice at %zu", node);
	disk_put(&world->checker->shown, bytes_make(key, sizeof(key)), bytes_make(NULL, 0));
}
