#include "sim/rogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "record/registry.h"
#include "sim/check.h"
#include "sim/words.h"

#define CREDENCES_MAX 300 /* of one flood: more than a party may give */

bool rogue_is(const struct world *world, size_t node)
{
	return world->rogue == node;
}

bool rogue_is_gone(const struct world *world, size_t node)
{
	return world->fled && world->rogue == node;
}

bool rogue_is_on(const struct world *world, size_t line)
{
	const size_t *nodes = world->lines[line].nodes;
	return nodes[0] == world->rogue || nodes[1] == world->rogue;
}

bool rogue_withholds(struct world *world, size_t node, const struct record_action *action)
{
	bool leaves = action->kind == RECORD_ACTION_SEND || action->kind == RECORD_ACTION_HEAD;
	return rogue_is(world, node) && leaves && world_fault(world, FAULT_WITHHOLD);
}

bool rogue_hides_heads(const struct world *world, size_t node)
{
	return rogue_is(world, node) && world->settings.shares[FAULT_FORK] > 0;
}

/* ---- floods ---- */

/* The authority names one officer after the other, to its own post. */
static void give_credences(struct world *world, const struct liar *liar, uint64_t count)
{
	static struct content content;
	static uint8_t memory[LOCAL_FRAME_SIZE_MAX];
	struct world_line *line = &world->lines[liar->line];
	size_t end = world_end_of(line, liar->from);
	struct credence_letter *credence = &content.of.letter.of.credence;

	for (uint64_t i = 0; i < count && world->nodes[liar->from].post.up; i++) {
		struct buffer frame = buffer_make(memory, sizeof(memory));
		words_frame(world, &content, CONTENT_LETTER, PRECEDENCE_ROUTINE, 0);
		words_follow(world, liar->from, liar->line, &content.of.letter);
		content.of.letter.kind = LETTER_CREDENCE;
		credence->officer = 100 + line->chain_number[end];
		credence->name = bytes_of_text("Officer");
		memcpy(credence->key, world->nodes[liar->from].party.authority.key, PUBLIC_KEY_SIZE);
		struct bytes cose =
			words_sign_on_line(world, liar->from, liar->line, 0, &content, line->chain_head[end]);
		line->chain_number[end]++;
		check_signed(world, line->chain_head[end]);
		buffer_append_u64(&frame, UINT64_MAX);
		cbor_write_array(&frame, 4);
		cbor_write_uint(&frame, 1);
		cbor_write_uint(&frame, LOCAL_SUBMIT);
		cbor_write_bytes(&frame, bytes_make(line->id, CHANNEL_ID_SIZE));
		cbor_write_bytes(&frame, cose);
		frames_add(&world->nodes[liar->from].post.requests, buffer_bytes(&frame));
		free((void *)(uintptr_t)cose.data);
	}
	shell_wake(world, liar->from);
}

static void flood(struct world *world, const struct liar *liar)
{
	uint64_t count = random_span(&world->random, 32, CREDENCES_MAX);

	if (random_below(&world->random, 4) == 0)
		give_credences(world, liar, count);
	else
		rogue_forge(world, liar, count);
}

/* ---- two stores ---- */

/*
 * The post begins again with the other store and its anchor, as they were when it was left: each of the two
 * goes on as if it were the only one.
 */
static void fork_store(struct world *world)
{
	struct post *post = &world->nodes[world->rogue].post;
	struct fork *fork = &world->fork;

	if (!fork->is_made) {
		disk_copy(&fork->disk, &post->disk);
		fork->anchor = disk_must(malloc(post->anchor_size + 1));
		if (post->anchor_size > 0)
			memcpy(fork->anchor, post->anchor, post->anchor_size);
		fork->anchor_size = post->anchor_size;
		fork->is_made = true;
		return;
	}
	world_trace(world, "post %zu goes on with its other store", world->rogue);
	if (post->up)
		shell_crash(world, world->rogue);
	struct fork kept = {.disk = post->disk, .anchor = post->anchor, .anchor_size = post->anchor_size};
	kept.is_made = true;
	post->disk = fork->disk;
	post->anchor = fork->anchor;
	post->anchor_size = fork->anchor_size;
	post->commits++;
	*fork = kept;
}

static void flee(struct world *world)
{
	world_trace(world, "party %zu is gone for good", world->rogue);
	world->fled = true;
	if (world->nodes[world->rogue].post.up)
		shell_crash(world, world->rogue);
	if (world->nodes[world->rogue].courier.up)
		courier_crash(world, world->rogue);
}

void rogue_act(struct world *world)
{
	struct liar liar;

	if (world->fled || !rogue_liar(world, &liar))
		return;
	if (world_fault(world, FAULT_FORGE))
		rogue_forge(world, &liar, random_span(&world->random, 1, 8));
	if (world_fault(world, FAULT_EQUIVOCATE))
		rogue_contradict(world, &liar);
	if (world_fault(world, FAULT_FLOOD))
		flood(world, &liar);
	if (world_fault(world, FAULT_FORK))
		fork_store(world);
	if (world_fault(world, FAULT_FLEE))
		flee(world);
}

void rogue_free(struct world *world)
{
	disk_free(&world->fork.disk);
	free(world->fork.anchor);
}
