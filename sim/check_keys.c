#include "sim/check_keys.h"

#include "record/clock.h"
#include "record/schema.h"
#include "sim/check.h"

/* As the terms of every line here say: so long may sealed bytes be under way. */
#define DELAY_WINDOW_MS (14 * DAY_MS)

/* Heads that are signed and cosigned only grow. */
static void check_line(struct world *world, size_t node, const struct rows_change *change)
{
	struct line before;
	struct line line;
	struct bytes old;

	if (change->deleted)
		return;
	if (schema_read(&schema_line, change->value, &line) != ERROR_OK) {
		world_violation(world, "rows are of the form", "a line at %zu", node);
		return;
	}
	if (!disk_get(&world->nodes[node].post.disk, change->key, &old) ||
	    schema_read(&schema_line, old, &before) != ERROR_OK)
		return;
	if (line.head_incarnation < before.head_incarnation ||
	    (line.head_incarnation == before.head_incarnation && line.head_size < before.head_size))
		world_violation(world, "a cosignature is over the largest head seen",
				"at %zu: size %u of incarnation %u after %u of %u", node,
				(unsigned)line.head_size, (unsigned)line.head_incarnation,
				(unsigned)before.head_size, (unsigned)before.head_incarnation);
}

/* When its end was noted is kept, in true time. */
static void check_epoch(struct world *world, size_t node, const struct rows_change *change)
{
	struct disk *ended = &world->nodes[node].post.ended;
	uint8_t now[8];
	struct epoch epoch;
	struct bytes noted;

	if (schema_read(&schema_epoch, change->value, &epoch) != ERROR_OK) {
		world_violation(world, "rows are of the form", "an epoch at %zu", node);
		return;
	}
	store_u64(now, world->now_ms);
	if (epoch.ended_ms != 0 && !disk_get(ended, change->key, &noted))
		disk_put(ended, change->key, bytes_make(now, sizeof(now)));
}

static void check_erasure(struct world *world, size_t node, struct bytes key)
{
	const struct post *post = &world->nodes[node].post;
	/* What the slow clock may gain: something at each start (record/clock.h). */
	uint64_t gained_ms = post->starts * CLOCK_RESTART_MAX_MS;
	struct bytes noted;

	if (!disk_get(&post->disk, key, &noted))
		return;
	bool ended = disk_get(&post->ended, key, &noted);
	if (!ended || world->now_ms - load_u64(noted.data) + gained_ms < DELAY_WINDOW_MS)
		world_violation(world, "no key is erased before its delay window has passed", "at %zu", node);
}

void check_keys(struct world *world, size_t node, const struct rows_change *change)
{
	switch ((enum table)change->key.data[0]) {
	case TABLE_LINE:
		check_line(world, node, change);
		break;
	case TABLE_EPOCH:
		if (change->deleted)
			check_erasure(world, node, change->key);
		else
			check_epoch(world, node, change);
		break;
	default:
		break;
	}
}

void check_window(struct world *world, size_t node, const struct record_action *action)
{
	const struct post *post = &world->nodes[node].post;
	size_t waiting = 0;

	if (!world->nodes[node].link_up || post->lost)
		return;
	for (size_t i = 0; i < post->copies_count; i++)
		if (post->copies[i].precedence >= action->precedence)
			waiting += post->copies[i].size;
	if (waiting > 0 && waiting + action->bytes.size > WINDOW_SIZE_MAX)
		world_violation(world, "no more is handed over than the window holds",
				"post %zu: %zu bytes beside %zu", node, action->bytes.size, waiting);
}
