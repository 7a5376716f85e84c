/* Whether the world has come to rest, and every end of every line holds the same. */
#include <stdio.h>
#include <string.h>

#include "record/missing.h"
#include "sim/check.h"

static size_t unanswered(const struct world_party *party)
{
	size_t count = 0;

	for (size_t i = party->unanswered; i < party->submissions_count; i++)
		count += party->submissions[i].state < SUBMISSION_HELD;
	return count;
}

/*
 * Rows of a table that belong to the newest incarnations of their logs; what is missing of a former one may
 * be gone. The rows of one log stand together.
 */
static size_t count_newest(const struct disk *disk, enum table table)
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
		count += key_read_u16(&reader) >= newest;
	}
	return count;
}

/* What is asked for, and not yet so often in vain that it must be gone. */
static size_t count_asking(const struct disk *disk)
{
	uint8_t prefix[1] = {TABLE_MISSING};
	struct missing missing;
	struct row row;
	size_t at = 0;
	size_t count = 0;

	while (disk_next(disk, bytes_make(prefix, 1), &at, &row))
		count += schema_read(&schema_missing, row.value, &missing) != ERROR_OK ||
			 missing.asks < MISSING_OPEN_ASKS;
	return count;
}

static bool is_up(const struct node *node)
{
	return node->post.up && node->courier.up && node->link_up;
}

/* What is counted already: nothing may be quiet while there is any of it. */
static size_t count_waiting(const struct node *node)
{
	const size_t *post = node->post.disk.tables;
	const size_t *courier = node->courier.disk.tables;

	return post[TABLE_COPY] + post[TABLE_STATEMENT] + post[TABLE_ADVANCE] + courier['Q'] + courier['D'];
}

static bool is_quiet(const struct node *node)
{
	return is_up(node) && count_waiting(node) == 0 && unanswered(&node->party) == 0 &&
	       count_asking(&node->post.disk) == 0 && count_newest(&node->post.disk, TABLE_AHEAD) == 0;
}

bool check_quiet(const struct world *world)
{
	for (size_t i = 0; i < world->settings.nodes; i++)
		if (!is_quiet(&world->nodes[i]))
			return false;
	return true;
}

void check_tell_quiet(const struct world *world, char *what, size_t size)
{
	size_t i = 0;

	while (i < world->settings.nodes && is_quiet(&world->nodes[i]))
		i++;
	if (i == world->settings.nodes) {
		snprintf(what, size, "all is quiet");
		return;
	}
	const struct node *node = &world->nodes[i];
	const size_t *post = node->post.disk.tables;
	const size_t *courier = node->courier.disk.tables;
	snprintf(what, size,
		 "node %zu: %s, %zu unanswered, %zu asked for, %zu copies, %zu statements, %zu ahead, %zu "
		 "advancing, %zu in the queue, %zu deliveries",
		 i, is_up(node) ? "up" : "not up", unanswered(&node->party), count_asking(&node->post.disk),
		 post[TABLE_COPY], post[TABLE_STATEMENT], count_newest(&node->post.disk, TABLE_AHEAD),
		 post[TABLE_ADVANCE], courier['Q'], courier['D']);
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

bool check_converged(struct world *world, char *what, size_t size)
{
	for (size_t i = 0; i < world->settings.nodes; i++) {
		const struct world_party *party = &world->nodes[i].party;
		for (size_t j = 0; j < party->submissions_count; j++) {
			const struct submission *submission = &party->submissions[j];
			const struct world_line *line = &world->lines[submission->line];
			size_t other = line->nodes[1 - world_end_of(line, i)];
			if (submission->state != SUBMISSION_HELD)
				continue;
			check_held(world, i, submission->identity);
			if (!check_holds(world, other, submission->identity)) {
				snprintf(what, size, "an entry of %zu is not held by %zu", i, other);
				return false;
			}
		}
	}
	for (size_t i = 0; i < world->lines_count; i++)
		for (size_t end = 0; end < 2; end++)
			if (!logs_agree(world, i, world->lines[i].nodes[end],
					world->lines[i].nodes[1 - end])) {
				snprintf(what, size, "line %zu: what is held of the log of %zu differs", i,
					 world->lines[i].nodes[end]);
				return false;
			}
	return true;
}
