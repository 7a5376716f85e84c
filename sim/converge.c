/* Whether the world has come to rest, and every end of every line holds the same. */
#include <stdio.h>
#include <string.h>

#include "record/missing.h"
#include "sim/check.h"
#include "sim/rogue.h"

static size_t unanswered(const struct world_party *party)
{
	size_t count = 0;

	for (size_t i = party->unanswered; i < party->submissions_count; i++)
		count += party->submissions[i].state < SUBMISSION_HELD;
	return count;
}

/* Which rows of a node's disks say nothing of rest: those about a hostile party, which may leave anything
 * undone. */
struct apart {
	uint64_t channel; /* with it; 0: there is none */
	uint64_t party;
	char route[32];
};

static struct apart apart_of(const struct world *world, size_t node)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	struct apart apart = {.channel = 0};
	struct row_key key = key_make(TABLE_PARTY_ID);
	struct number party;

	if (world->rogue >= world->settings.nodes || node == world->rogue)
		return apart;
	for (size_t i = 0; i < world->lines_count; i++)
		if (rogue_is_on(world, i) &&
		    (world->lines[i].nodes[0] == node || world->lines[i].nodes[1] == node))
			apart.channel = check_channel_of(disk, &world->lines[i]);
	key_bytes(&key, world->nodes[world->rogue].party.id, PARTY_ID_SIZE);
	if (check_read_row(disk, &key, &schema_number, &party))
		apart.party = party.number;
	snprintf(apart.route, sizeof(apart.route), "to %zu", world->rogue);
	return apart;
}

/*
 * Rows of a table that belong to the newest incarnations of their logs; what is missing of a former one may
 * be gone. The rows of one log stand together.
 */
static size_t count_newest(const struct disk *disk, enum table table, const struct apart *apart)
{
	uint8_t prefix[1] = {(uint8_t)table};
	struct row row;
	uint64_t channel = UINT64_MAX;
	uint64_t log = UINT64_MAX;
	uint64_t newest = 0;
	size_t at = 0;
	size_t count = 0;

	while (disk_next(disk, bytes_make(prefix, 1), &at, &row)) {
		struct key_reader reader = key_reader_make(row.key);
		uint64_t row_channel = key_read_u16(&reader);
		uint64_t row_log = key_read_u16(&reader);
		if (row_channel != channel || row_log != log) {
			struct row_key key = key_line(row_channel, row_log);
			struct line line;
			bool known = check_read_row(disk, &key, &schema_line, &line);
			newest = known ? line.incarnation : 0;
			channel = row_channel;
			log = row_log;
		}
		count += row_channel != apart->channel && key_read_u16(&reader) >= newest;
	}
	return count;
}

/* What is asked for, and not yet so often in vain that it must be gone. */
static size_t count_asking(const struct disk *disk, const struct apart *apart)
{
	uint8_t prefix[1] = {TABLE_MISSING};
	struct missing missing;
	struct row row;
	size_t at = 0;
	size_t count = 0;

	while (disk_next(disk, bytes_make(prefix, 1), &at, &row)) {
		struct key_reader reader = key_reader_make(row.key);
		(void)key_read_u64(&reader);
		bool asked = schema_read(&schema_missing, row.value, &missing) != ERROR_OK ||
			     missing.asks < MISSING_OPEN_ASKS;
		count += asked && key_read_u16(&reader) != apart->channel;
	}
	return count;
}

/* Rows of a table whose keys begin with a channel. */
static size_t count_channels(const struct disk *disk, enum table table, const struct apart *apart)
{
	uint8_t prefix[1] = {(uint8_t)table};
	struct row row;
	size_t at = 0;
	size_t count = 0;

	if (apart->channel == 0)
		return disk->tables[table];
	while (disk_next(disk, bytes_make(prefix, 1), &at, &row)) {
		struct key_reader reader = key_reader_make(row.key);
		count += key_read_u16(&reader) != apart->channel;
	}
	return count;
}

static size_t count_statements(const struct disk *disk, const struct apart *apart)
{
	uint8_t prefix[1] = {TABLE_STATEMENT};
	struct statement_copy statement;
	struct row row;
	size_t at = 0;
	size_t count = 0;

	if (apart->channel == 0)
		return disk->tables[TABLE_STATEMENT];
	while (disk_next(disk, bytes_make(prefix, 1), &at, &row))
		count += schema_read(&schema_statement_copy, row.value, &statement) != ERROR_OK ||
			 statement.party != apart->party;
	return count;
}

/* Bundles in a courier's queue: "Q", the route's name after its size (carry/queue_rows.h). */
static size_t count_queue(const struct disk *disk, const struct apart *apart)
{
	uint8_t prefix[2 + sizeof(apart->route)] = {'Q', (uint8_t)strlen(apart->route)};
	struct row row;
	size_t at = 0;
	size_t count = disk->tables['Q'];

	if (apart->channel == 0)
		return count;
	memcpy(prefix + 2, apart->route, prefix[1]);
	while (disk_next(disk, bytes_make(prefix, 2 + (size_t)prefix[1]), &at, &row))
		count--;
	return count;
}

static bool is_up(const struct node *node)
{
	return node->post.up && node->courier.up && node->link_up;
}

/* What a node still has to do. */
struct left {
	bool is_up;
	size_t unanswered;
	size_t asking;
	size_t copies;
	size_t statements;
	size_t ahead;
	size_t advancing;
	size_t queue;
	size_t deliveries;
};

static struct left left_of(const struct world *world, size_t number)
{
	const struct node *node = &world->nodes[number];
	const struct disk *disk = &node->post.disk;
	const struct apart apart = apart_of(world, number);

	return (struct left){
		.is_up = is_up(node),
		.unanswered = unanswered(&node->party),
		.asking = count_asking(disk, &apart),
		.copies = count_channels(disk, TABLE_COPY, &apart),
		.statements = count_statements(disk, &apart),
		.ahead = count_newest(disk, TABLE_AHEAD, &apart),
		.advancing = count_channels(disk, TABLE_ADVANCE, &apart),
		.queue = count_queue(&node->courier.disk, &apart),
		.deliveries = node->courier.disk.tables['D'],
	};
}

static bool is_quiet(const struct left *left)
{
	return left->is_up && left->unanswered == 0 && left->asking == 0 && left->copies == 0 &&
	       left->statements == 0 && left->ahead == 0 && left->advancing == 0 && left->queue == 0 &&
	       left->deliveries == 0;
}

/* The first that is not, in *left; false if all are. */
static bool find_restless(const struct world *world, size_t *node, struct left *left)
{
	for (*node = 0; *node < world->settings.nodes; (*node)++) {
		if (rogue_is(world, *node) && world->phase != PHASE_SETUP)
			continue;
		*left = left_of(world, *node);
		if (!is_quiet(left))
			return true;
	}
	return false;
}

bool check_quiet(const struct world *world)
{
	struct left left;
	size_t node;

	return !find_restless(world, &node, &left);
}

void check_tell_quiet(const struct world *world, char *what, size_t size)
{
	struct left left;
	size_t node;

	if (!find_restless(world, &node, &left)) {
		snprintf(what, size, "all is quiet");
		return;
	}
	snprintf(what, size,
		 "node %zu: %s, %zu unanswered, %zu asked for, %zu copies, %zu statements, %zu ahead, %zu "
		 "advancing, %zu in the queue, %zu deliveries",
		 node, left.is_up ? "up" : "not up", left.unanswered, left.asking, left.copies,
		 left.statements, left.ahead, left.advancing, left.queue, left.deliveries);
}

uint64_t check_channel_of(const struct disk *disk, const struct world_line *line)
{
	struct row_key key = key_make(TABLE_CHANNEL_ID);
	struct number number;

	key_bytes(&key, line->id, CHANNEL_ID_SIZE);
	return check_read_row(disk, &key, &schema_number, &number) ? number.number : 0;
}

/* The entries that a node holds of one incarnation, and what is told of its tree. */
struct holding {
	size_t entries;
	struct log log;
};

static void read_holding(const struct world *world, size_t node, size_t line, uint64_t log,
			 uint64_t incarnation, struct holding *holding)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	uint64_t channel = check_channel_of(disk, &world->lines[line]);
	struct row_key key = key_log(TABLE_LOG, channel, log, incarnation);
	struct row_key prefix = key_log(TABLE_ENTRY, channel, log, incarnation);
	struct row row;
	size_t at = 0;

	memset(holding, 0, sizeof(*holding));
	(void)check_read_row(disk, &key, &schema_log, &holding->log);
	while (disk_next(disk, key_view(&prefix), &at, &row))
		holding->entries++;
}

/*
 * Both ends hold the same of every incarnation: what one has lost with its disk has come back from the
 * other, and what neither holds is missing at both.
 */
static bool logs_agree(const struct world *world, size_t line, size_t author, size_t reader)
{
	uint64_t number = world_log_of(&world->lines[line], author);
	struct row_key key =
		key_line(check_channel_of(&world->nodes[author].post.disk, &world->lines[line]), number);
	struct line own;

	if (!check_read_row(&world->nodes[author].post.disk, &key, &schema_line, &own))
		return false;
	for (uint64_t incarnation = 1; incarnation <= own.incarnation; incarnation++) {
		struct holding here;
		struct holding there;
		read_holding(world, author, line, number, incarnation, &here);
		read_holding(world, reader, line, number, incarnation, &there);
		if (here.entries != there.entries || here.log.size != there.log.size)
			return false;
		if (here.log.size > 0 && !bytes_equal(here.log.frontier, there.log.frontier))
			return false;
	}
	return true;
}

/* What an author was told is held is so, there and at the reader's. */
static bool words_arrived(struct world *world, size_t node, size_t *reader)
{
	const struct world_party *party = &world->nodes[node].party;

	for (size_t i = 0; i < party->submissions_count; i++) {
		const struct submission *submission = &party->submissions[i];
		const struct world_line *line = &world->lines[submission->line];
		*reader = line->nodes[1 - world_end_of(line, node)];
		if (submission->state != SUBMISSION_HELD)
			continue;
		check_held(world, node, submission->identity);
		if (!rogue_is(world, *reader) && !check_holds(world, *reader, submission->identity))
			return false;
	}
	return true;
}

bool check_converged(struct world *world, char *what, size_t size)
{
	for (size_t i = 0; i < world->settings.nodes; i++) {
		size_t reader;
		if (rogue_is(world, i) || words_arrived(world, i, &reader))
			continue;
		snprintf(what, size, "an entry of %zu is not held by %zu", i, reader);
		return false;
	}
	for (size_t i = 0; i < world->lines_count; i++)
		for (size_t end = 0; end < 2; end++)
			if (!rogue_is_on(world, i) && !logs_agree(world, i, world->lines[i].nodes[end],
								  world->lines[i].nodes[1 - end])) {
				snprintf(what, size, "line %zu: what is held of the log of %zu differs", i,
					 world->lines[i].nodes[end]);
				return false;
			}
	return true;
}
