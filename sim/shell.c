/* A post's process, as liaisond is one: in the order that record/record.h demands, and dying anywhere in it.
 */
#include "sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "sim/check.h"
#include "sim/rogue.h"

#define BATCH_EVENTS_MAX 16

static struct post *post_of(struct world *world, size_t node)
{
	return &world->nodes[node].post;
}

/* ---- one event ---- */

static void keep_actions(struct post *post, const struct record_action *actions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (post->actions_count == post->actions_max) {
			post->actions_max = post->actions_max * 2 + 64;
			post->actions =
				disk_must(realloc(post->actions, post->actions_max * sizeof(*post->actions)));
		}
		struct kept_action *kept = &post->actions[post->actions_count++];
		const struct bytes node = actions[i].node;
		const struct bytes bytes = actions[i].bytes;
		kept->action = actions[i];
		kept->memory = disk_must(malloc(node.size + bytes.size + 1));
		if (node.size > 0)
			memcpy(kept->memory, node.data, node.size);
		if (bytes.size > 0)
			memcpy(kept->memory + node.size, bytes.data, bytes.size);
		kept->action.node = bytes_make(kept->memory, node.size);
		kept->action.bytes = bytes_make(kept->memory + node.size, bytes.size);
	}
}

static void drop_actions(struct post *post)
{
	for (size_t i = 0; i < post->actions_count; i++)
		free(post->actions[i].memory);
	post->actions_count = 0;
}

static enum error give(struct world *world, size_t node, struct record_event *event)
{
	struct post *post = post_of(world, node);
	const struct record_action *actions;
	size_t count;

	event->wall_ms = world_wall_ms(world, node);
	event->steady_ms = world->now_ms - post->started_ms;
	random_fill(&world->random, event->entropy, sizeof(event->entropy));
	world->steps++;
	record_begin(post->record, event);
	enum error error;
	while ((error = record_needs(post->record)) == ERROR_NEEDS_ROWS)
		disk_load(&post->disk, record_rows(post->record));
	if (error == ERROR_FULL)
		return error;
	if (error != ERROR_OK) {
		world_violation(world, "the record handles every event", "event %u at %zu: %s", event->kind,
				node, error_name(error));
		return error;
	}
	record_step(post->record, &actions, &count);
	keep_actions(post, actions, count);
	return ERROR_OK;
}

/* ---- performing ---- */

static void send_frame(struct world *world, size_t node, const struct link_message *message)
{
	static uint8_t memory[LINK_FRAME_SIZE_MAX + 4];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	if (!world->nodes[node].link_up)
		return;
	enum error error = link_encode(&buffer, LINK_POST, message);
	if (error != ERROR_OK) {
		world_violation(world, "a post speaks the link's language", "type %u: %s", message->type,
				error_name(error));
		return;
	}
	frames_add(&world->nodes[node].to_courier, buffer_bytes(&buffer));
	courier_wake(world, node);
}

static void send_copy(struct world *world, size_t node, const struct record_action *action)
{
	struct post *post = post_of(world, node);
	struct link_message message = {.type = LINK_SEND};

	if (!world->nodes[node].link_up || post->lost)
		return;
	memcpy(message.send.id, action->copy, sizeof(message.send.id));
	message.send.destination = action->node;
	message.send.precedence = action->precedence;
	message.send.lifetime_ms = action->lifetime_ms;
	message.send.sealed = action->bytes;
	assert(post->copies_count < WORLD_COPIES_MAX);
	struct sent_copy *copy = &post->copies[post->copies_count++];
	memcpy(copy->id, action->copy, sizeof(copy->id));
	copy->precedence = action->precedence;
	copy->size = action->bytes.size;
	link_window_sent(&post->window, copy->precedence, copy->size);
	send_frame(world, node, &message);
}

static void read_notice(struct world *world, size_t node, struct bytes frame)
{
	uint8_t channel[CHANNEL_ID_SIZE];
	uint8_t identity[IDENTITY_SIZE];
	struct cbor_reader reader = cbor_reader_make(bytes_make(frame.data + 4, frame.size - 4));

	(void)cbor_read_array(&reader, 16);
	(void)cbor_read_uint(&reader);
	uint64_t kind = cbor_read_uint(&reader);
	if (kind == LOCAL_ALERT) {
		enum error reason = (enum error)cbor_read_uint(&reader);
		struct bytes text = cbor_read_text(&reader, 256);
		world_trace(world, "post %zu alert %s: %.*s", node, error_name(reason), (int)text.size,
			    (const char *)text.data);
	}
	if (kind != LOCAL_ARRIVED)
		return;
	cbor_read_array_exact(&reader, LOCAL_ENTRY_ROW_ITEMS);
	cbor_read_bytes_exact(&reader, channel, sizeof(channel));
	(void)cbor_read_uint(&reader);
	(void)cbor_read_uint(&reader);
	(void)cbor_read_uint(&reader);
	(void)cbor_read_text(&reader, 1024);
	cbor_read_bytes_exact(&reader, identity, sizeof(identity));
	uint64_t content = cbor_read_uint(&reader);
	if (cbor_reader_error(&reader) != ERROR_OK) {
		world_violation(world, "notices are of the form", "%s", error_name(reader.error));
		return;
	}
	check_shown(world, node, identity);
	for (size_t i = 0; content == CONTENT_MESSAGE && i < world->lines_count; i++)
		if (memcmp(world->lines[i].id, channel, sizeof(channel)) == 0)
			officer_arrived(world, node, i, identity);
}

static void perform(struct world *world, size_t node, const struct record_action *action)
{
	struct post *post = post_of(world, node);
	struct link_message message = {.type = LINK_CANCEL};

	switch (action->kind) {
	case RECORD_ACTION_SEND:
		send_copy(world, node, action);
		break;
	case RECORD_ACTION_CANCEL:
		memcpy(message.cancel.id, action->copy, sizeof(message.cancel.id));
		send_frame(world, node, &message);
		break;
	case RECORD_ACTION_TAKEN:
		message.type = LINK_TAKEN;
		message.taken.delivery = action->number;
		send_frame(world, node, &message);
		break;
	case RECORD_ACTION_LEFT:
		world_refused(world, ERROR_FULL);
		message.type = LINK_LEFT;
		message.left.delivery = action->number;
		send_frame(world, node, &message);
		break;
	case RECORD_ACTION_HEAD:
		message.type = LINK_HEAD;
		message.head.origin = action->node;
		message.head.size = action->size;
		memcpy(message.head.root, action->bytes.data, sizeof(message.head.root));
		memcpy(message.head.signature, action->bytes.data + sizeof(message.head.root),
		       sizeof(message.head.signature));
		send_frame(world, node, &message);
		break;
	case RECORD_ACTION_REPLY:
		free(post->reply);
		post->reply_size = action->bytes.size - 4;
		post->reply = disk_must(malloc(post->reply_size + 1));
		memcpy(post->reply, action->bytes.data + 4, post->reply_size);
		officer_reply(world, node, action->number, bytes_make(post->reply, post->reply_size));
		break;
	case RECORD_ACTION_NOTICE:
		read_notice(world, node, action->bytes);
		break;
	case RECORD_ACTION_LOG:
		world_refused(world, action->error);
		world_trace(world, "post %zu log %s: %.*s", node, error_name(action->error),
			    (int)action->bytes.size, (const char *)action->bytes.data);
		break;
	default:
		break;
	}
}

/* ---- the batch ---- */

static bool may_die(struct world *world, size_t node, const char *where)
{
	if (!world_fault(world, FAULT_CRASH))
		return false;
	world_trace(world, "post %zu dies %s", node, where);
	shell_crash(world, node);
	return true;
}

static void write_anchor(struct post *post)
{
	for (size_t i = 0; i < post->actions_count; i++) {
		const struct record_action *action = &post->actions[i].action;
		if (action->kind != RECORD_ACTION_ANCHOR)
			continue;
		free(post->anchor);
		post->anchor_size = action->bytes.size;
		post->anchor = disk_must(malloc(post->anchor_size + 1));
		memcpy(post->anchor, action->bytes.data, post->anchor_size);
	}
}

/* The actions belong to the batch: a process that dies among them performs no more of them. */
static void perform_all(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	struct kept_action *actions = post->actions;
	size_t count = post->actions_count;
	unsigned sent_min = 0;

	post->actions = NULL;
	post->actions_count = post->actions_max = 0;
	for (size_t i = 0; i < count; i++) {
		if (post->up && !may_die(world, node, "among its actions") &&
		    !rogue_withholds(world, node, &actions[i].action)) {
			check_action(world, node, &actions[i].action, &sent_min);
			perform(world, node, &actions[i].action);
		}
	}
	for (size_t i = 0; i < count; i++)
		free(actions[i].memory);
	free(actions);
	check_batch(world, node, sent_min);
}

static void commit(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);

	world_gather(world, record_rows(post->record));
	check_commit(world, node);
	disk_commit(&post->disk, &world->changes);
	post->commits++;
}

/* From RECORD_COMMIT to the actions. */
static void end_batch(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	struct record_event end = {.kind = RECORD_COMMIT};
	struct record_event room = {.kind = RECORD_COURIER_ROOM};

	if (may_die(world, node, "before the end of its batch") || give(world, node, &end) != ERROR_OK)
		return;
	room.of.room.window = post->window;
	room.of.room.copies_max = WORLD_COPIES_MAX - post->copies_count;
	const struct node *machine = &world->nodes[node];
	bool has_room = machine->link_up && machine->heads_told && !post->lost && room.of.room.copies_max > 0;
	if (has_room && record_room(post->record) && give(world, node, &room) != ERROR_OK)
		return;
	if (may_die(world, node, "before its commit"))
		return;
	commit(world, node);
	if (may_die(world, node, "after its commit, before its anchor"))
		return;
	write_anchor(post);
	if (may_die(world, node, "after its anchor"))
		return;
	rows_settle(record_rows(post->record));
	perform_all(world, node);
}

/* ---- inputs ---- */

static void answer_copy(struct post *post, const uint8_t id[LINK_ID_SIZE])
{
	for (size_t i = 0; i < post->copies_count; i++) {
		struct sent_copy *copy = &post->copies[i];
		if (memcmp(copy->id, id, LINK_ID_SIZE) != 0)
			continue;
		link_window_answered(&post->window, copy->precedence, copy->size);
		*copy = post->copies[--post->copies_count];
		return;
	}
}

static enum error give_progress(struct world *world, size_t node, const struct link_progress *progress)
{
	static const uint32_t states[] = {
		[LINK_QUEUED] = LOCAL_QUEUED,
		[LINK_CARRIED] = LOCAL_CARRIED,
		[LINK_FAILED] = LOCAL_REFUSED,
		[LINK_EXPIRED] = LOCAL_REFUSED,
	};
	struct record_event event = {.kind = RECORD_PROGRESS};

	memcpy(event.of.progress.copy, progress->id, sizeof(event.of.progress.copy));
	event.of.progress.state = states[progress->state];
	event.of.progress.route = progress->route;
	event.of.progress.reason = progress->reason;
	enum error error = give(world, node, &event);
	if (error == ERROR_OK)
		answer_copy(post_of(world, node), progress->id);
	return error;
}

static enum error give_heads(struct world *world, size_t node, const struct link_heads *heads)
{
	static struct record_head_seen seen[HEADS_KEPT_MAX];
	struct record_event event = {.kind = RECORD_COURIER_HEADS};

	for (size_t i = 0; i < heads->count; i++) {
		seen[i].origin = heads->heads[i].origin;
		seen[i].size = heads->heads[i].size;
		memcpy(seen[i].root, heads->heads[i].root, sizeof(seen[i].root));
		memcpy(seen[i].signature, heads->heads[i].signature, sizeof(seen[i].signature));
	}
	event.of.heads.count = heads->count;
	event.of.heads.heads = seen;
	return give(world, node, &event);
}

static enum error give_frame(struct world *world, size_t node, const struct frame *frame)
{
	static struct link_message message;
	struct bytes content;
	size_t size;
	struct record_event event = {.kind = RECORD_RECEIVED};

	enum error error = link_frame_next(bytes_make(frame->data, frame->size), &content, &size);
	if (error == ERROR_OK)
		error = link_decode(content, LINK_COURIER, &message);
	if (error != ERROR_OK) {
		world_violation(world, "a courier speaks the link's language", "%s", error_name(error));
		return error;
	}
	if (message.type == LINK_PROGRESS)
		return give_progress(world, node, &message.progress);
	if (message.type == LINK_HEADS) {
		world->nodes[node].heads_told = true;
		return give_heads(world, node, &message.heads);
	}
	event.of.received.delivery = message.received.delivery;
	event.of.received.source = message.received.source;
	event.of.received.sealed = message.received.sealed;
	event.of.received.precedence_min = post_of(world, node)->precedence_min;
	return give(world, node, &event);
}

static enum error give_request(struct world *world, size_t node, const struct frame *frame)
{
	struct record_event event = {.kind = RECORD_REQUEST};

	event.of.request.client = load_u64(frame->data);
	event.of.request.frame = bytes_make(frame->data + 8, frame->size - 8);
	return give(world, node, &event);
}

/* Gives what waits first; *given: there was something. */
static enum error give_next(struct world *world, size_t node, bool *given)
{
	struct post *post = post_of(world, node);
	struct frames *frames = &world->nodes[node].to_post;
	enum error error = ERROR_OK;

	*given = true;
	if (post->lost) {
		struct record_event event = {.kind = RECORD_COURIER_LOST};
		error = give(world, node, &event);
		post->lost = error != ERROR_OK;
	} else if (post->requests.first != NULL &&
		   (frames->first == NULL || random_below(&world->random, 2) == 0)) {
		error = give_request(world, node, post->requests.first);
		if (error == ERROR_OK)
			free(frames_take(&post->requests));
	} else if (frames->first != NULL) {
		error = give_frame(world, node, frames->first);
		if (error == ERROR_OK)
			free(frames_take(frames));
	} else if (post->wants_tick) {
		struct record_event event = {.kind = RECORD_TICK};
		error = give(world, node, &event);
		post->wants_tick = error != ERROR_OK;
	} else {
		*given = false;
	}
	return error;
}

void shell_run(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	size_t events_max = 1 + random_below(&world->random, BATCH_EVENTS_MAX);
	size_t count = 0;

	post->scheduled = false;
	if (!post->up)
		return;
	while (count < events_max && (count == 0 || record_room(post->record))) {
		bool given;
		enum error error = give_next(world, node, &given);
		if (error == ERROR_FULL && count > 0)
			break;
		if (error == ERROR_FULL)
			world_violation(world, "every event fits into an empty batch", "post %zu", node);
		if (error != ERROR_OK)
			return;
		if (!given)
			break;
		count++;
		if (may_die(world, node, "within its batch"))
			return;
	}
	if (count == 0)
		return;
	end_batch(world, node);
	if (post->up &&
	    (post->lost || post->requests.first != NULL || world->nodes[node].to_post.first != NULL))
		shell_wake(world, node);
}

void shell_wake(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	struct event event = {.kind = EVENT_POST_RUN, .node = node};

	if (!post->up || post->scheduled)
		return;
	post->scheduled = true;
	world_schedule(world, random_below(&world->random, 20), &event);
}

/* ---- life and death ---- */

void shell_make(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);

	post->memory = disk_must(malloc(RECORD_MEMORY_SIZE));
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	post->started_ms = world->now_ms - random_below(&world->random, 100000);
}

void shell_free(struct post *post)
{
	drop_actions(post);
	free(post->actions);
	frames_clear(&post->requests);
	disk_free(&post->disk);
	disk_free(&post->image);
	disk_free(&post->ended);
	free(post->anchor);
	free(post->reply);
	free(post->memory);
}

void shell_start(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	struct record_event event = {.kind = RECORD_START};

	post->up = true;
	post->starts++;
	officer_return(world, node);
	post->started_ms = world->now_ms - random_below(&world->random, 100000);
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	event.of.start.anchor = bytes_make(post->anchor, post->anchor_size);
	if (give(world, node, &event) != ERROR_OK || may_die(world, node, "while it starts"))
		return;
	end_batch(world, node);
	shell_wake(world, node);
}

void shell_crash(struct world *world, size_t node)
{
	struct post *post = post_of(world, node);
	struct event event = {.kind = EVENT_POST_START, .node = node};

	post->up = false;
	post->wants_tick = false;
	drop_actions(post);
	frames_clear(&post->requests);
	link_break(world, node);
	post->lost = false; /* a new process knows of no stream, and reads nothing of the old one */
	frames_clear(&world->nodes[node].to_post);
	world_schedule(world, random_span(&world->random, 10, 2 * DAY_MS), &event);
}

void link_break(struct world *world, size_t node)
{
	struct node *machine = &world->nodes[node];
	struct event event = {.kind = EVENT_LINK_UP, .node = node};

	if (!machine->link_up)
		return;
	machine->link_up = false;
	/* What was written before the end may still be read, or not. */
	if (random_below(&world->random, 2) == 0)
		frames_clear(&machine->to_post);
	if (random_below(&world->random, 2) == 0)
		frames_clear(&machine->to_courier);
	machine->post.copies_count = 0;
	memset(&machine->post.window, 0, sizeof(machine->post.window));
	machine->post.lost = machine->post.up;
	world_schedule(world, random_span(&world->random, 10, 60000), &event);
	shell_wake(world, node);
}

void link_up(struct world *world, size_t node)
{
	struct node *machine = &world->nodes[node];
	struct event event = {.kind = EVENT_LINK_UP, .node = node};

	if (machine->link_up)
		return;
	if (!machine->post.up || !machine->courier.up || machine->post.lost) {
		world_schedule(world, random_span(&world->random, 100, 60000), &event);
		return;
	}
	machine->link_up = true;
	machine->greeted = false;
	machine->heads_told = false;
	queue_post_connected(machine->courier.queue);
	machine->post.wants_tick = true;
	shell_wake(world, node);
	courier_wake(world, node);
}

/* ---- for the setup ---- */

void shell_provision(struct world *world, size_t node, struct bytes post_file)
{
	struct record_event event = {.kind = RECORD_PROVISION};

	event.of.provision.post_file = post_file;
	post_of(world, node)->up = true;
	if (give(world, node, &event) == ERROR_OK)
		end_batch(world, node);
	shell_start(world, node);
}

enum error shell_request(struct world *world, size_t node, struct bytes frame)
{
	struct post *post = post_of(world, node);
	struct record_event event = {.kind = RECORD_REQUEST};

	event.of.request.client = UINT64_MAX;
	event.of.request.frame = frame;
	post->reply_size = 0;
	if (give(world, node, &event) != ERROR_OK)
		return ERROR_MALFORMED;
	end_batch(world, node);
	struct cbor_reader reader = cbor_reader_make(bytes_make(post->reply, post->reply_size));
	(void)cbor_read_array(&reader, 32);
	(void)cbor_read_uint(&reader);
	enum error error = (enum error)cbor_read_uint(&reader);
	return cbor_reader_error(&reader) == ERROR_OK ? error : reader.error;
}

struct cbor_reader shell_results(const struct post *post)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(post->reply, post->reply_size));
	(void)cbor_read_array(&reader, 32);
	(void)cbor_read_uint(&reader);
	(void)cbor_read_uint(&reader);
	return reader;
}
