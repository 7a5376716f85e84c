/* What goes wrong: the shares that a seed draws, and what happens at no process's own doing. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "record/schema.h"
#include "sim/check.h"
#include "sim/world.h"

#define RESTORES_MAX 12 /* of one post: nobody restores for ever */

static const struct {
	const char *name;
	size_t offset; /* of its share in struct settings */
	unsigned share_max;
} faults[] = {
	{"crash", offsetof(struct settings, crash), 300},
	{"link-drop", offsetof(struct settings, link_drop), 500},
	{"lose", offsetof(struct settings, lose), 3000},
	{"relay", offsetof(struct settings, relay), 5000},
	{"relay-lose", offsetof(struct settings, relay_lose), 5000},
	{"twice", offsetof(struct settings, twice), 3000},
	{"corrupt", offsetof(struct settings, corrupt), 2000},
	{"partition", offsetof(struct settings, partition), 5000},
	{"jump", offsetof(struct settings, jump), 2000},
	{"restore", offsetof(struct settings, restore), 1000},
	{"hostile", offsetof(struct settings, hostile), 10000},
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

bool faults_named(struct bytes name, size_t *fault)
{
	for (size_t i = 0; i < FAULTS; i++) {
		*fault = i;
		if (bytes_equal(bytes_of_text(faults[i].name), name))
			return true;
	}
	return false;
}

static unsigned *share_of(struct settings *settings, size_t fault)
{
	return (unsigned *)(void *)((uint8_t *)settings + faults[fault].offset);
}

/* A share that is none in some seeds and large in few: seeds differ in kind, not only in detail. */
static unsigned draw_share(struct world *world, unsigned share_max)
{
	if (random_below(&world->random, 3) == 0)
		return 0;
	return (unsigned)random_span(&world->random, 1, share_max);
}

void faults_draw(struct world *world, const struct forced_faults *forced)
{
	struct settings *settings = &world->settings;

	settings->tick_ms = random_span(&world->random, 1000, 3600000);
	settings->officer_ms = random_span(&world->random, 1000, DAY_MS);
	for (size_t i = 0; i < FAULTS; i++)
		*share_of(settings, i) = draw_share(world, faults[i].share_max);
	for (size_t i = 0; i < forced->count; i++)
		*share_of(settings, forced->faults[i].fault) = forced->faults[i].share;
	settings->delay_max_ms = random_span(&world->random, 1000, 21 * DAY_MS);
	settings->fault_ms = random_span(&world->random, 1000, DAY_MS);
}

/* ---- one of each ---- */

static void partition(struct world *world)
{
	size_t from = random_below(&world->random, world->settings.nodes);
	size_t to = random_below(&world->random, world->settings.nodes);

	if (from == to || world->now_ms < world->sessions[from][to].cut_until_ms)
		return;
	world->sessions[from][to].cut_until_ms =
		world->now_ms + random_span(&world->random, 1000, 7 * DAY_MS);
	world_trace(world, "cut from %zu to %zu", from, to);
}

static void jump(struct world *world)
{
	size_t node = random_below(&world->random, world->settings.nodes);
	int64_t span = (int64_t)random_span(&world->random, 1000, 400 * DAY_MS);
	struct post *post = &world->nodes[node].post;

	if (world->now_ms < post->jumped_ms + DAY_MS)
		return;
	post->jumped_ms = world->now_ms;
	post->jumps++;
	post->skew_ms = random_below(&world->random, 2) == 0 ? span : -span;
	world_trace(world, "the wall clock of %zu shows %lld s beside the truth", node,
		    (long long)post->skew_ms / 1000);
}

/* What was held and is not in the image is lost, or is given again by its officer. */
static void forget_lost(struct world *world, size_t node)
{
	struct world_party *party = &world->nodes[node].party;

	for (size_t i = 0; i < party->submissions_count; i++) {
		struct submission *submission = &party->submissions[i];
		struct row_key key = key_identity(submission->identity);
		struct bytes value;
		if (submission->state != SUBMISSION_HELD ||
		    disk_get(&world->nodes[node].post.disk, key_view(&key), &value))
			continue;
		submission->state = random_below(&world->random, 2) == 0 ? SUBMISSION_NEW : SUBMISSION_LOST;
		if (submission->state == SUBMISSION_NEW && i < party->unanswered)
			party->unanswered = i;
	}
}

static bool is_in_backup(const void *context, struct bytes key)
{
	(void)context;
	return record_row_in_backup(key);
}

/* An image as a backup holds it, or a snapshot of the disk, of any moment between two batches. */
static void take_image(struct world *world, struct post *post)
{
	post->image_is_snapshot = random_below(&world->random, 3) == 0;
	if (post->has_image && post->image_commits == post->commits)
		return;
	disk_free(&post->image);
	disk_copy(&post->image, &post->disk);
	post->has_image = true;
	post->image_commits = post->commits;
}

static void restore(struct world *world)
{
	size_t node = random_below(&world->random, world->settings.nodes);
	struct post *post = &world->nodes[node].post;

	if (!post->has_image || random_below(&world->random, 2) == 0) {
		take_image(world, post);
		return;
	}
	if (post->restores >= RESTORES_MAX || world->now_ms < post->restored_ms + DAY_MS / 4)
		return;
	post->restored_ms = world->now_ms;
	world_trace(world, "post %zu is restored from an old %s", node,
		    post->image_is_snapshot ? "snapshot" : "backup");
	if (post->up)
		shell_crash(world, node);
	disk_free(&post->disk);
	disk_copy(&post->disk, &post->image);
	if (!post->image_is_snapshot)
		disk_filter(&post->disk, bytes_make(NULL, 0), is_in_backup, NULL);
	post->restores++;
	post->commits++;
	if (!post->image_is_snapshot && random_below(&world->random, 3) == 0)
		post->anchor_size = 0; /* on another machine, which has none */
	forget_lost(world, node);
	check_restored(world, node);
}

/* ---- hostile bytes ---- */

void faults_capture(struct world *world, size_t from, size_t to, struct bytes sealed)
{
	size_t at = world->captured_count;

	if (at == WORLD_CAPTURED_MAX)
		at = random_below(&world->random, WORLD_CAPTURED_MAX);
	else
		world->captured_count++;
	struct captured *captured = &world->captured[at];
	free(captured->bytes);
	captured->bytes = disk_must(malloc(sealed.size + 1));
	memcpy(captured->bytes, sealed.data, sealed.size);
	captured->size = sealed.size;
	captured->from = from;
	captured->to = to;
}

/* Sealed bytes in a new bundle of the adversary's, as if from `from`. */
static void inject(struct world *world, size_t from, size_t to, struct bytes sealed)
{
	static uint8_t memory[BUNDLE_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct eid destination;

	/* Who is not there takes no session of an adversary's. */
	if (!world->nodes[to].courier.up)
		return;
	struct bundle_fields fields = {.lifetime_ms = 14 * DAY_MS};
	fields.creation_ms = 1 + random_below(&world->random, 1000000000000);
	fields.sequence = random_next(&world->random) >> 2;
	(void)eid_from_text(bytes_of_text(world->nodes[from].courier.node), &fields.source);
	(void)eid_from_text(bytes_of_text(world->nodes[to].courier.node), &destination);
	fields.destination = eid_with_precedence(&destination, 1 + random_below(&world->random, 4));
	if (bundle_create(&buffer, &fields, sealed) == ERROR_OK)
		network_arrive(world, to, from, network_input(QUEUE_RECEIVED, from, buffer_bytes(&buffer)));
}

static void hostile(struct world *world)
{
	static uint8_t memory[SEALED_SIZE_MAX];
	const struct captured *captured;
	uint64_t count = random_span(&world->random, 1, 64);

	if (world->captured_count == 0)
		return;
	captured = &world->captured[random_below(&world->random, world->captured_count)];
	size_t size = captured->size;
	memcpy(memory, captured->bytes, size);
	switch (random_below(&world->random, 4)) {
	case 0: /* noise */
		random_fill(&world->random, memory, size);
		inject(world, captured->from, captured->to, bytes_make(memory, size));
		break;
	case 1: /* one bit off */
		memory[random_below(&world->random, size)] ^=
			(uint8_t)(1u << random_below(&world->random, 8));
		inject(world, captured->from, captured->to, bytes_make(memory, size));
		break;
	case 2: /* replayed, often */
		for (uint64_t i = 0; i < count; i++)
			inject(world, captured->from, captured->to, bytes_make(memory, size));
		break;
	default: /* reflected */
		inject(world, captured->to, captured->from, bytes_make(memory, size));
		break;
	}
}

void faults_happen(struct world *world)
{
	struct event event = {.kind = EVENT_FAULT};
	const struct settings *settings = &world->settings;

	if (world_fault(world, settings->partition))
		partition(world);
	if (world_fault(world, settings->jump))
		jump(world);
	if (world_fault(world, settings->restore))
		restore(world);
	if (world_fault(world, settings->hostile))
		hostile(world);
	if (world_fault(world, settings->link_drop))
		link_break(world, random_below(&world->random, settings->nodes));
	if (world->phase == PHASE_FAULTS)
		world_schedule(world, random_span(&world->random, 1, settings->fault_ms), &event);
}
