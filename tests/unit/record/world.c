#include "tests/unit/record/world.h"

#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/record/probe.h"
#include "tests/unit/record/world_inside.h"

void *world_must(void *memory)
{
	CHECK(memory != NULL);
	return memory;
}

uint8_t *world_copy_of(struct bytes bytes)
{
	uint8_t *copy = world_must(malloc(bytes.size + 1));
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

struct buffer world_allocate(size_t size)
{
	return buffer_make(world_must(malloc(size)), size);
}

uint64_t world_random(struct world *world, uint64_t below)
{
	uint8_t bytes[8];
	entropy_take(&world->random, bytes, sizeof(bytes));
	return below == 0 ? load_u64(bytes) : load_u64(bytes) % below;
}

void world_random_pair(struct world *world, struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];
	entropy_take(&world->random, seed, sizeof(seed));
	ed25519_pair_from_seed(seed, pair);
}

struct world *world_make(uint64_t seed)
{
	uint8_t bytes[ENTROPY_SEED_SIZE] = {0};
	struct world *world = world_must(calloc(1, sizeof(*world)));

	CHECK(sodium_init() >= 0);
	store_u64(bytes, seed);
	world->random = entropy_make(bytes);
	world->now_ms = UINT64_C(1795320000000);
	return world;
}

static void drop_actions(struct world_post *post)
{
	for (size_t i = 0; i < post->actions_count; i++) {
		free(post->actions[i].bytes);
		free(post->actions[i].node);
	}
	post->actions_count = 0;
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->posts_count; i++) {
		struct world_post *post = &world->posts[i];
		drop_actions(post);
		free(post->actions);
		free(post->anchor);
		free(post->memory);
		store_free(&post->store);
	}
	for (size_t i = 0; i < world->parties_count; i++)
		for (size_t j = 0; j < world->parties[i].letters_count; j++)
			free(world->parties[i].letters[j]);
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++)
		if (world->packets[i].used)
			free(world->packets[i].bytes);
	free(world);
}

/* ---- the line ---- */

static size_t post_of_node(const struct world *world, struct bytes node)
{
	for (size_t i = 0; i < world->posts_count; i++)
		if (bytes_equal(bytes_of_text(world->posts[i].node), node))
			return i;
	CHECK(false);
	return 0;
}

static void put_packet(struct world *world, size_t from, size_t to, struct bytes sealed, const uint8_t *copy,
		       uint64_t delay_ms)
{
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		struct world_packet *packet = &world->packets[i];
		if (packet->used)
			continue;
		*packet = (struct world_packet){.used = true,
						.from = from,
						.to = to,
						.bytes = world_copy_of(sealed),
						.size = sealed.size,
						.due_ms = world->now_ms + delay_ms};
		memcpy(packet->copy, copy, sizeof(packet->copy));
		return;
	}
	CHECK(false);
}

static void carry(struct world *world, size_t from, const struct record_action *action)
{
	size_t to = post_of_node(world, action->node);

	world->packets_sent++;
	if (world->cut || world_random(world, 100) < world->lose_percent)
		return;
	uint64_t delay = 5;
	if (world_random(world, 100) < world->reorder_percent)
		delay += world_random(world, 20000);
	put_packet(world, from, to, action->bytes, action->copy, delay);
	if (world_random(world, 100) < world->double_percent)
		put_packet(world, from, to, action->bytes, action->copy, delay + world_random(world, 30000));
}

/* ---- actions ---- */

static void read_state(struct world_post *post, struct cbor_reader *reader)
{
	struct world_told told;

	cbor_read_array_exact(reader, LOCAL_ENTRY_ROW_ITEMS);
	for (size_t i = 0; i < 5; i++) /* channel, log, incarnation, position, reference */
		(void)cbor_read_item(reader);
	cbor_read_bytes_exact(reader, told.identity, sizeof(told.identity));
	for (size_t i = 0; i < 7; i++) /* kind, precedence, time, subject, officer, its name, own */
		(void)cbor_read_item(reader);
	told.state = cbor_read_uint(reader);
	if (post->told_count < WORLD_NOTICES_MAX)
		post->told[post->told_count++] = told;
}

static void read_notice(struct world_post *post, struct bytes frame)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(frame.data + 4, frame.size - 4));
	CHECK(load_u32(frame.data) == frame.size - 4);
	(void)cbor_read_array(&reader, 16);
	CHECK(cbor_read_uint(&reader) == 0);
	uint64_t kind = cbor_read_uint(&reader);
	if (kind == LOCAL_ARRIVED)
		post->arrived++;
	if (kind == LOCAL_STATE)
		read_state(post, &reader);
	if (kind == LOCAL_ALERT) {
		post->alerts++;
		post->last_alert = (enum error)cbor_read_uint(&reader);
		(void)cbor_read_text(&reader, 256);
		if (!cbor_read_null(&reader))
			(void)cbor_read_bytes(&reader, CHANNEL_ID_SIZE);
		(void)cbor_read_text(&reader, NAME_SIZE_MAX);
		cbor_read_text_copy(&reader, post->last_alert_log, REFERENCE_SIZE_MAX);
		cbor_read_text_copy(&reader, post->last_alert_message, REFERENCE_SIZE_MAX);
		(void)cbor_read_end(&reader);
	}
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
	CHECK(cbor_check(bytes_make(frame.data + 4, frame.size - 4)) == ERROR_OK);
}

static void keep_anchor(struct world_post *post)
{
	for (size_t i = 0; i < post->actions_count; i++) {
		const struct record_action *action = &post->actions[i].action;
		if (action->kind != RECORD_ACTION_ANCHOR)
			continue;
		free(post->anchor);
		post->anchor = world_copy_of(action->bytes);
		post->anchor_size = action->bytes.size;
	}
}

static void keep_head(struct world_post *post, const struct record_action *action)
{
	size_t i = 0;

	while (i < post->heads_count &&
	       !bytes_equal(bytes_make(post->heads[i].origin, post->heads[i].origin_size), action->node))
		i++;
	struct world_head *head = &post->heads[i];
	CHECK(i < WORLD_HEADS_MAX && action->node.size <= sizeof(head->origin) && action->bytes.size == 96);
	if (i == post->heads_count)
		*head = (struct world_head){.origin_size = action->node.size};
	post->heads_count += i == post->heads_count;
	if (action->size <= head->size)
		return;
	memcpy(head->origin, action->node.data, action->node.size);
	head->size = action->size;
	memcpy(head->root, action->bytes.data, sizeof(head->root));
	memcpy(head->signature, action->bytes.data + sizeof(head->root), sizeof(head->signature));
}

static void perform(struct world *world, size_t index, const struct record_action *action)
{
	struct world_post *post = &world->posts[index];

	switch (action->kind) {
	case RECORD_ACTION_SEND:
		post->sends++;
		if (post->refusal == ERROR_OK)
			carry(world, index, action);
		break;
	case RECORD_ACTION_REPLY:
		CHECK(action->bytes.size <= sizeof(post->reply) && action->bytes.size > 4);
		CHECK(load_u32(action->bytes.data) == action->bytes.size - 4);
		memcpy(post->reply, action->bytes.data + 4, action->bytes.size - 4);
		post->reply_size = action->bytes.size - 4;
		post->replies++;
		break;
	case RECORD_ACTION_NOTICE:
		read_notice(post, action->bytes);
		break;
	case RECORD_ACTION_LOG:
		if (getenv("WORLD_LOG") != NULL)
			fprintf(stderr, "%llu %s: %s: %.*s\n", (unsigned long long)world->now_ms, post->name,
				error_name(action->error), (int)action->bytes.size,
				(const char *)action->bytes.data);
		post->logs++;
		post->last_log = action->error;
		break;
	case RECORD_ACTION_WIPE:
		post->wipes++;
		break;
	case RECORD_ACTION_TAKEN:
		post->taken++;
		break;
	case RECORD_ACTION_LEFT:
		post->left++;
		post->last_left = action->precedence;
		break;
	case RECORD_ACTION_CANCEL:
		post->cancels++;
		memcpy(post->last_cancel, action->copy, sizeof(post->last_cancel));
		break;
	case RECORD_ACTION_HEAD:
		keep_head(post, action);
		break;
	default:
		break;
	}
}

/* What the courier reports at once of what it was given. */
static void report_given(struct world *world, size_t index, struct world_action *actions, size_t count)
{
	size_t reported = 0;
	for (size_t i = 0; i < count; i++) {
		if (actions[i].action.kind != RECORD_ACTION_SEND)
			continue;
		struct record_event event = {.kind = RECORD_PROGRESS};
		memcpy(event.of.progress.copy, actions[i].action.copy, sizeof(event.of.progress.copy));
		event.of.progress.reason = world->posts[index].refusal;
		event.of.progress.state = event.of.progress.reason == ERROR_OK ? LOCAL_QUEUED : LOCAL_REFUSED;
		CHECK(world_event(world, index, &event) == ERROR_OK);
		reported++;
	}
	if (reported > 0)
		world_commit(world, index);
}

/* ---- events ---- */

static void keep_actions(struct world_post *post, const struct record_action *actions, size_t count)
{
	post->actions = world_must(
		realloc(post->actions, (post->actions_count + count + 1) * sizeof(*post->actions)));
	for (size_t i = 0; i < count; i++) {
		struct world_action *kept = &post->actions[post->actions_count++];
		kept->action = actions[i];
		kept->bytes = world_copy_of(actions[i].bytes);
		kept->node = world_copy_of(actions[i].node);
		kept->action.bytes.data = kept->bytes;
		kept->action.node.data = kept->node;
	}
}

static void stamp(struct world *world, size_t index, struct record_event *event)
{
	event->wall_ms = world->now_ms + (uint64_t)world->skew_ms[index];
	event->steady_ms = world->posts[index].steady_ms;
	entropy_take(&world->random, event->entropy, sizeof(event->entropy));
}

enum error world_event(struct world *world, size_t index, struct record_event *event)
{
	struct world_post *post = &world->posts[index];
	const struct record_action *actions;
	size_t count;

	stamp(world, index, event);
	if (post->process != NULL)
		return post->process->event(post->process, event);
	world_probe(world, index, event);
	record_begin(post->record, event);
	enum error error;
	while ((error = record_needs(post->record)) == ERROR_NEEDS_ROWS)
		store_load(&post->store, record_rows(post->record));
	if (error != ERROR_OK) {
		fprintf(stderr, "world: event %u at %s: %s\n", event->kind, post->name, error_name(error));
		return error;
	}
	record_step(post->record, &actions, &count);
	keep_actions(post, actions, count);
	return ERROR_OK;
}

static void end_batch(struct world *world, size_t index)
{
	struct record_event commit = {.kind = RECORD_COMMIT};
	struct record_event room = {.kind = RECORD_COURIER_ROOM};
	const struct world_post *post = &world->posts[index];

	CHECK(world_event(world, index, &commit) == ERROR_OK);
	room.of.room.copies_max = post->mute ? 0 : 64;
	CHECK(world_event(world, index, &room) == ERROR_OK);
}

void world_perform(struct world *world, size_t index, const struct record_action *action)
{
	keep_actions(&world->posts[index], action, 1);
	perform(world, index, action);
}

static void commit_elsewhere(struct world *world, size_t index)
{
	struct record_event room = {.kind = RECORD_COURIER_ROOM};
	struct world_process *process = world->posts[index].process;

	stamp(world, index, &room);
	room.of.room.copies_max = world->posts[index].mute ? 0 : 64;
	process->commit(process, &room);
}

static void commit_here(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	end_batch(world, index);
	store_commit(&post->store, record_rows(post->record));
	keep_anchor(post);
	rows_reset(record_rows(post->record));
	for (size_t i = 0; i < post->actions_count; i++)
		perform(world, index, &post->actions[i].action);
}

void world_commit(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	if (post->process != NULL)
		commit_elsewhere(world, index);
	else
		commit_here(world, index);
	struct world_action *actions = post->actions;
	size_t count = post->actions_count;
	post->actions = NULL;
	post->actions_count = 0;
	report_given(world, index, actions, count);
	for (size_t i = 0; i < count; i++) {
		free(actions[i].bytes);
		free(actions[i].node);
	}
	free(actions);
}

void world_die(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	drop_actions(post);
	post->up = false;
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	CHECK(post->record != NULL);
}

void world_crash_after_commit(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	end_batch(world, index);
	store_commit(&post->store, record_rows(post->record));
	if (world_random(world, 2) == 0)
		keep_anchor(post);
	world_die(world, index);
}

void world_crash_before_commit(struct world *world, size_t index)
{
	end_batch(world, index);
	world_die(world, index);
}

void world_start(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_START};

	post->steady_ms = world_random(world, 1000);
	event.of.start.anchor = bytes_make(post->anchor, post->anchor_size);
	CHECK(world_event(world, index, &event) == ERROR_OK);
	post->up = true;
	world_commit(world, index);
	world_connect(world, index);
}

void world_connect(struct world *world, size_t index)
{
	const struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_COURIER_HEADS};
	struct record_head_seen seen[WORLD_HEADS_MAX];

	for (size_t i = 0; i < post->heads_count; i++) {
		const struct world_head *head = &post->heads[i];
		seen[i].origin = bytes_make(head->origin, head->origin_size);
		seen[i].size = head->size;
		memcpy(seen[i].root, head->root, sizeof(seen[i].root));
		memcpy(seen[i].signature, head->signature, sizeof(seen[i].signature));
	}
	event.of.heads.count = post->heads_count;
	event.of.heads.heads = seen;
	CHECK(world_event(world, index, &event) == ERROR_OK);
	world_commit(world, index);
}

void world_tick(struct world *world, size_t index)
{
	struct record_event event = {.kind = RECORD_TICK};
	CHECK(world_event(world, index, &event) == ERROR_OK);
	world_commit(world, index);
}

void world_deliver(struct world *world, size_t index, size_t from, struct bytes sealed)
{
	struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_RECEIVED};

	event.of.received.delivery = ++post->next_delivery;
	event.of.received.source = bytes_of_text(world->posts[from].node);
	event.of.received.sealed = sealed;
	event.of.received.precedence_min = post->precedence_min;
	CHECK(world_event(world, index, &event) == ERROR_OK);
}

/* The far courier has it on disk: the near one tells its post. */
static void report_carried(struct world *world, const struct world_packet *packet)
{
	struct record_event event = {.kind = RECORD_PROGRESS};

	if (!world->posts[packet->from].up)
		return;
	memcpy(event.of.progress.copy, packet->copy, sizeof(event.of.progress.copy));
	event.of.progress.state = LOCAL_CARRIED;
	CHECK(world_event(world, packet->from, &event) == ERROR_OK);
}

static size_t deliver_due(struct world *world)
{
	size_t delivered[WORLD_POSTS_MAX] = {0};
	size_t count = 0;

	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		struct world_packet *packet = &world->packets[i];
		if (!packet->used || packet->due_ms > world->now_ms || !world->posts[packet->to].up)
			continue;
		packet->used = false;
		if (!world->cut) {
			if (!record_room(world->posts[packet->to].record))
				world_commit(world, packet->to);
			world_deliver(world, packet->to, packet->from,
				      bytes_make(packet->bytes, packet->size));
			if (!record_room(world->posts[packet->from].record))
				world_commit(world, packet->from);
			report_carried(world, packet);
			delivered[packet->from]++;
			delivered[packet->to]++;
			count++;
		}
		free(packet->bytes);
	}
	for (size_t i = 0; i < world->posts_count; i++)
		if (delivered[i] > 0 && world->posts[i].up)
			world_commit(world, i);
	return count;
}

void world_run(struct world *world, uint64_t duration_ms, uint64_t step_ms)
{
	uint64_t end = world->now_ms + duration_ms;

	while (world->now_ms < end) {
		world->now_ms += step_ms;
		for (size_t i = 0; i < world->posts_count; i++) {
			world->posts[i].steady_ms += step_ms;
			if (world->posts[i].up)
				world_tick(world, i);
		}
		while (!world->hold && deliver_due(world) > 0)
			world->now_ms++;
	}
}

static bool quiet(const struct world *world)
{
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++)
		if (world->packets[i].used)
			return false;
	for (size_t i = 0; i < world->posts_count; i++)
		if (world_count(world, i, TABLE_COPY) + world_count(world, i, TABLE_WAITING) > 0)
			return false;
	return true;
}

bool world_intercept(struct world *world, size_t from, struct world_packet *packet)
{
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		if (!world->packets[i].used || world->packets[i].from != from)
			continue;
		*packet = world->packets[i];
		world->packets[i].used = false;
		return true;
	}
	return false;
}

void world_settle(struct world *world)
{
	for (size_t i = 0; i < 400 && !quiet(world); i++)
		world_run(world, 10, 10);
	for (size_t i = 0; i < 400 && !quiet(world); i++)
		world_run(world, 600000, 20000);
}
