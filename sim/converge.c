/* Whether the world has come to rest, and every end of every line holds the same. */
#include <stdio.h>

#include "sim/check.h"

static size_t unanswered(const struct world_party *party)
{
	size_t count = 0;

	for (size_t i = party->unanswered; i < party->submissions_count; i++)
		count += party->submissions[i].state < SUBMISSION_HELD;
	return count;
}

bool check_quiet(const struct world *world, char *what, size_t size)
{
	for (size_t i = 0; i < world->settings.nodes; i++) {
		const struct node *node = &world->nodes[i];
		const size_t *post = node->post.disk.tables;
		const size_t *courier = node->courier.disk.tables;
		size_t asked = unanswered(&node->party);
		if (!node->post.up || !node->courier.up || !node->link_up) {
			snprintf(what, size, "node %zu is not up", i);
			return false;
		}
		if (asked + post[TABLE_COPY] + post[TABLE_STATEMENT] + post[TABLE_AHEAD] +
			    post[TABLE_ADVANCE] + courier['Q'] + courier['D'] ==
		    0)
			continue;
		snprintf(what, size,
			 "node %zu: %zu unanswered, %zu copies, %zu statements, %zu ahead, %zu advancing, "
			 "%zu in the queue, %zu deliveries",
			 i, asked, post[TABLE_COPY], post[TABLE_STATEMENT], post[TABLE_AHEAD],
			 post[TABLE_ADVANCE], courier['Q'], courier['D']);
		return false;
	}
	return true;
}

static bool read_log(const struct world *world, size_t node, size_t line, uint64_t log, uint64_t incarnation,
		     struct log *row)
{
	const struct disk *disk = &world->nodes[node].post.disk;
	struct row_key id_key = key_make(TABLE_CHANNEL_ID);
	struct number number;

	key_bytes(&id_key, world->lines[line].id, CHANNEL_ID_SIZE);
	if (!check_read_row(disk, &id_key, &schema_number, &number))
		return false;
	struct row_key key = key_log(TABLE_LOG, number.number, log, incarnation);
	return check_read_row(disk, &key, &schema_log, row);
}

/* The author's newest incarnation is held whole by the other end. */
static bool heads_agree(const struct world *world, size_t line, size_t author, size_t reader)
{
	uint64_t number = world_log_of(&world->lines[line], author);
	uint64_t newest = world->nodes[author].post.restores + 1;
	struct log own;
	struct log other;

	while (newest > 1 && !read_log(world, author, line, number, newest, &own))
		newest--;
	if (!read_log(world, author, line, number, newest, &own))
		return true;
	return read_log(world, reader, line, number, newest, &other) && own.size == other.size &&
	       bytes_equal(own.frontier, other.frontier);
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
			if (!heads_agree(world, i, world->lines[i].nodes[end],
					 world->lines[i].nodes[1 - end])) {
				snprintf(what, size, "line %zu: the log of %zu is not held whole", i,
					 world->lines[i].nodes[end]);
				return false;
			}
	return true;
}
