/* What goes wrong: the shares that a seed draws, and what happens at no process's own doing. */

#include <stdlib.h>
#include <string.h>

#include "record/schema.h"
#include "sim/check.h"
#include "sim/rogue.h"
#include "sim/world.h"

#define RESTORES_MAX 12 /* of one post: nobody restores for ever */

/* The largest share that a seed draws. */
static const unsigned share_max[FAULTS] = {
	[FAULT_BAD_WORDS] = 1000,  [FAULT_CRASH] = 300,     [FAULT_LINK_DROP] = 500,
	[FAULT_LOSE] = 3000,       [FAULT_RELAY] = 5000,    [FAULT_RELAY_LOSE] = 5000,
	[FAULT_TWICE] = 3000,      [FAULT_CORRUPT] = 2000,  [FAULT_PARTITION] = 5000,
	[FAULT_JUMP] = 2000,       [FAULT_RESTORE] = 1000,  [FAULT_FULL_DISK] = 1000,
	[FAULT_NOISE] = 3000,      [FAULT_FLIP] = 3000,     [FAULT_REPLAY] = 3000,
	[FAULT_REFLECT] = 3000,    [FAULT_PIECES] = 3000,   [FAULT_FORGE] = 10000,
	[FAULT_EQUIVOCATE] = 5000, [FAULT_WITHHOLD] = 5000, [FAULT_FLOOD] = 500,
	[FAULT_FORK] = 1000,       [FAULT_FLEE] = 30,
};

#define HOSTILE_ONE_IN 4 /* seeds */
#define TICK_MS_MAX    3600000

/* A share that is none in some seeds and large in few: seeds differ in kind, not only in detail. */
static unsigned draw_share(struct world *world, unsigned max)
{
	if (random_below(&world->random, 3) == 0)
		return 0;
	return (unsigned)random_span(&world->random, 1, max);
}

void faults_draw(struct world *world, const struct forced_faults *forced)
{
	struct settings *settings = &world->settings;
	bool hostile = random_below(&world->random, HOSTILE_ONE_IN) == 0;
	size_t rogue = random_below(&world->random, settings->nodes);
	/* Some worlds are over in hours, others take months, with as many steps. */
	uint64_t pace_ms = random_span(&world->random, 1000, DAY_MS);

	settings->tick_ms = random_span(&world->random, 1000, pace_ms < TICK_MS_MAX ? pace_ms : TICK_MS_MAX);
	settings->officer_ms = random_span(&world->random, pace_ms, 4 * pace_ms);
	world->rogue = WORLD_NODES_MAX;
	for (size_t i = 0; i < FAULTS; i++) {
		unsigned share = i == FAULT_WORDS ? 10000 : draw_share(world, share_max[i]);
		if (i >= FAULT_HOSTILE_FIRST && !hostile)
			share = 0;
		settings->shares[i] = forced->forced[i] ? forced->shares[i] : share;
		if (i >= FAULT_HOSTILE_FIRST && settings->shares[i] > 0)
			world->rogue = rogue;
	}
	settings->delay_max_ms = random_span(&world->random, 1000, 21 * DAY_MS);
	settings->fault_ms = random_span(&world->random, pace_ms, 4 * pace_ms);
}

/* ---- one of each ---- */

static void partition(struct world *world)
{
	size_t from = random_below(&world->random, world->settings.nodes);
	size_t to = random_below(&world->random, world->settings.nodes);

	if (from == to || world->now_ms < world->sessions[from][to].cut_until_ms ||
	    !world_fault(world, FAULT_PARTITION))
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

	if (world->now_ms < post->jumped_ms + DAY_MS || !world_fault(world, FAULT_JUMP))
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

	if (world_chance(world, world->settings.shares[FAULT_RESTORE])) {
		take_image(world, post);
		return;
	}
	if (!post->has_image || post->restores >= RESTORES_MAX ||
	    world->now_ms < post->restored_ms + DAY_MS / 4 || !world_fault(world, FAULT_RESTORE))
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

/* ---- full disks ---- */

static void fill_disk(struct world *world)
{
	struct node *node = &world->nodes[random_below(&world->random, world->settings.nodes)];
	uint64_t until_ms = world->now_ms + random_span(&world->random, 60000, 3 * DAY_MS);
	bool is_full = node->post.precedence_min != 0 || node->courier.disk_room != UINT64_MAX;

	if (is_full || !world_fault(world, FAULT_FULL_DISK))
		return;
	if (random_below(&world->random, 2) == 0) {
		node->post.precedence_min = PRECEDENCE_PRIORITY + (unsigned)random_below(&world->random, 4);
		node->post.full_until_ms = until_ms;
	} else {
		node->courier.disk_room = random_below(&world->random, 2 * QUEUE_DISK_RESERVE_MIN);
		node->courier.full_until_ms = until_ms;
	}
}

/* A post with room again ends the stream, so that what it left with the courier is given once more. */
void faults_make_room(struct world *world, size_t node)
{
	struct node *machine = &world->nodes[node];
	bool ended = world->phase == PHASE_HEALING;

	if (machine->post.precedence_min != 0 && (ended || world->now_ms >= machine->post.full_until_ms)) {
		machine->post.precedence_min = 0;
		link_break(world, node);
	}
	if (ended || world->now_ms >= machine->courier.full_until_ms)
		machine->courier.disk_room = UINT64_MAX;
}

/* ---- bytes of a stranger on the way ---- */

const struct captured *faults_captured(struct world *world)
{
	if (world->captured_count == 0)
		return NULL;
	return &world->captured[random_below(&world->random, world->captured_count)];
}

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

void faults_inject(struct world *world, size_t from, size_t to, struct bytes sealed)
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

/* A part of a bundle whose other parts never come. */
static void inject_piece(struct world *world, const struct captured *captured)
{
	static uint8_t whole[BUNDLE_SIZE_MAX];
	static uint8_t part[BUNDLE_SIZE_MAX + BUNDLE_OVERHEAD_SIZE_MAX];
	struct buffer buffer = buffer_make(whole, sizeof(whole));
	struct buffer piece = buffer_make(part, sizeof(part));
	struct eid destination;
	static struct bundle bundle;
	struct bundle_fields fields = {.lifetime_ms = 14 * DAY_MS};
	struct bundle_forwarding forwarding = {.offset = random_below(&world->random, captured->size)};

	if (!world->nodes[captured->to].courier.up)
		return;
	fields.creation_ms = 1 + random_below(&world->random, 1000000000000);
	fields.sequence = random_next(&world->random) >> 2;
	(void)eid_from_text(bytes_of_text(world->nodes[captured->from].courier.node), &fields.source);
	(void)eid_from_text(bytes_of_text(world->nodes[captured->to].courier.node), &destination);
	fields.destination = eid_with_precedence(&destination, 1 + random_below(&world->random, 4));
	forwarding.size = 1 + random_below(&world->random, captured->size - forwarding.offset);
	if (bundle_create(&buffer, &fields, bytes_make(captured->bytes, captured->size)) == ERROR_OK &&
	    bundle_read(buffer_bytes(&buffer), &bundle) == ERROR_OK &&
	    bundle_forward(&piece, &bundle, &forwarding) == ERROR_OK)
		network_arrive(world, captured->to, captured->from,
			       network_input(QUEUE_RECEIVED, captured->from, buffer_bytes(&piece)));
}

static void interfere(struct world *world, enum fault fault, const struct captured *captured)
{
	static uint8_t memory[SEALED_SIZE_MAX];
	uint64_t count = random_span(&world->random, 1, 64);
	size_t size = captured->size;
	size_t from = captured->from;
	size_t to = captured->to;

	memcpy(memory, captured->bytes, size);
	switch (fault) {
	case FAULT_NOISE:
		random_fill(&world->random, memory, size);
		faults_inject(world, from, to, bytes_make(memory, size));
		break;
	case FAULT_FLIP:
		size = random_below(&world->random, size);
		memory[size] ^= (uint8_t)(1u << random_below(&world->random, 8));
		faults_inject(world, from, to, bytes_make(memory, captured->size));
		break;
	case FAULT_REPLAY:
		for (uint64_t i = 0; i < count; i++)
			faults_inject(world, from, to, bytes_make(memory, size));
		break;
	case FAULT_REFLECT:
		faults_inject(world, to, from, bytes_make(memory, size));
		break;
	default:
		for (uint64_t i = 0; i < count; i++)
			inject_piece(world, captured);
		break;
	}
}

void faults_happen(struct world *world)
{
	struct event event = {.kind = EVENT_FAULT};
	const struct settings *settings = &world->settings;

	partition(world);
	jump(world);
	restore(world);
	fill_disk(world);
	for (enum fault fault = FAULT_NOISE; fault <= FAULT_PIECES; fault++) {
		const struct captured *captured = faults_captured(world);
		if (captured != NULL && world_fault(world, fault))
			interfere(world, fault, captured);
	}
	size_t node = random_below(&world->random, settings->nodes);
	if (world->nodes[node].link_up && world_fault(world, FAULT_LINK_DROP))
		link_break(world, node);
	if (world->rogue < settings->nodes)
		rogue_act(world);
	if (world->phase == PHASE_FAULTS)
		world_schedule(world, random_span(&world->random, 1, settings->fault_ms), &event);
}
