#include "post/loop.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "post/loop_parts.h"
#include "post/request.h"

#define POLLS_MAX      (1 + 1 + LOCAL_CLIENTS_MAX + 2)
#define REPLY_SIZE_MAX 512 /* of those that the shell gives itself, but chunks of a backup */

/* ---- stopping ---- */

bool loop_stop(struct loop *loop, enum error error)
{
	static const char safe[] =
		"Nothing of this batch has left the post; what was accepted before is safe";
	const char *what = loop->transaction.failed;
	struct logger *logger = loop->resources.logger;

	loop->failed = true;
	if (error == ERROR_FULL)
		logger_line(logger, "stopping: %s: the disk is full. %s. Free some room, then start again",
			    what, safe);
	else if (error == ERROR_IO)
		logger_line(logger, "stopping: %s: %s (%s). %s. Check the disk, then start again", what,
			    error_text(error), store_message(loop->resources.store), safe);
	else
		logger_line(logger, "stopping: %s: %s. %s. Start again; if it stops again, restore a backup",
			    what, error_text(error), safe);
	return false;
}

/* ---- events ---- */

/* True if the event joined the batch; false: it waits for the next one, or the daemon must stop. */
static bool give(struct loop *loop, const struct record_event *event, size_t size)
{
	enum error error = transaction_event(&loop->transaction, event, size);

	if (event->kind != RECORD_TICK)
		loop->event_ms = loop->steady_ms;
	if (error == ERROR_FULL)
		loop->more = true;
	else if (error != ERROR_OK)
		loop_stop(loop, error);
	return error == ERROR_OK;
}

static bool may_give(struct loop *loop)
{
	if (loop->failed)
		return false;
	if (transaction_has_room(&loop->transaction))
		return true;
	loop->more = true;
	return false;
}

static void reply_error(struct loop *loop, struct local_client *client, uint64_t number, enum error error)
{
	uint8_t memory[REPLY_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	request_reply_error(&buffer, number, error, error_text(error));
	local_server_reply(&loop->local, client, buffer_bytes(&buffer), true, loop->steady_ms);
}

static void reply_empty(struct loop *loop, struct local_client *client, uint64_t number, bool ends)
{
	uint8_t memory[REPLY_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	request_reply_empty(&buffer, number);
	local_server_reply(&loop->local, client, buffer_bytes(&buffer), ends, loop->steady_ms);
}

static void begin_backup(struct loop *loop, struct local_client *client, uint64_t number)
{
	enum error error = loop->reserve.level == RESERVE_AMPLE ? backup_begin(&loop->backup) : ERROR_FULL;

	if (error != ERROR_OK) {
		logger_refusal(loop->resources.logger, loop->steady_ms, error, bytes_of_text("a backup"));
		reply_error(loop, client, number, error);
		return;
	}
	loop->backup_client = client->number;
	loop->backup_request = number;
	reply_empty(loop, client, number, false);
}

/* What the disk has no room for is refused here, before anything is accepted. */
static bool has_room_for(const struct loop *loop, const struct request *request)
{
	switch (request->verb) {
	case LOCAL_SUBMIT:
		return reserve_takes_submission(loop->reserve.level, request->kind, request->precedence);
	case LOCAL_CARD_ACCEPT:
	case LOCAL_KEYING_ACCEPT:
		return loop->reserve.level != RESERVE_LAST;
	default:
		return true;
	}
}

/* Requests that are the shell's own, and those that are refused. True if `frame` has been dealt with. */
static bool answer_request(struct loop *loop, struct local_client *client, struct bytes frame,
			   const struct request *request)
{
	bool refused = !has_room_for(loop, request);

	if (!refused && request->verb != LOCAL_SUBSCRIBE && request->verb != LOCAL_BACKUP)
		return false;
	local_server_took(client, frame);
	if (refused) {
		logger_refusal(loop->resources.logger, loop->steady_ms, ERROR_FULL,
			       bytes_of_text("a request of an officer"));
		reply_error(loop, client, request->number, ERROR_FULL);
	} else if (request->verb == LOCAL_SUBSCRIBE) {
		client->subscribed = true;
		reply_empty(loop, client, request->number, true);
	} else {
		begin_backup(loop, client, request->number);
	}
	return true;
}

/* What STATUS tells of the shell. */
static struct record_shell shell_facts(const struct loop *loop)
{
	static const enum local_disk levels[] = {
		[RESERVE_AMPLE] = LOCAL_DISK_AMPLE,
		[RESERVE_LOW] = LOCAL_DISK_LOW,
		[RESERVE_SCARCE] = LOCAL_DISK_SCARCE,
		[RESERVE_LAST] = LOCAL_DISK_LAST,
	};
	struct record_shell shell = {
		.courier_connected = courier_link_is_up(&loop->courier),
		.routes = loop->courier.routes,
		.store_size = store_size(loop->resources.store),
		.disk = levels[loop->reserve.level],
	};

	memcpy(shell.left, loop->courier.left, sizeof shell.left);
	return shell;
}

static void gather_requests(struct loop *loop)
{
	struct local_client *client;
	struct bytes frame;

	while (may_give(loop) &&
	       (client = local_server_next(&loop->local, loop->steady_ms, &frame)) != NULL) {
		struct record_shell shell;
		struct record_event event = transaction_event_now(RECORD_REQUEST);
		struct request request;
		enum error error = request_parse(frame, &request);

		if (error != ERROR_OK) {
			local_server_drop(&loop->local, client, error, "a request at the local socket",
					  loop->steady_ms);
			continue;
		}
		if (answer_request(loop, client, frame, &request))
			continue;
		event.of.request.client = client->number;
		event.of.request.frame = frame;
		if (request.verb == LOCAL_STATUS) {
			shell = shell_facts(loop);
			event.of.request.shell = &shell;
		}
		if (!give(loop, &event, frame.size))
			return;
		local_server_took(client, frame);
	}
}

static bool give_received(struct loop *loop, const struct link_received *received)
{
	struct record_event event = transaction_event_now(RECORD_RECEIVED);

	event.of.received.delivery = received->delivery;
	event.of.received.source = received->source;
	event.of.received.sealed = received->sealed;
	event.of.received.precedence_min = reserve_delivery_min(loop->reserve.level);
	return give(loop, &event, received->sealed.size);
}

static bool give_progress(struct loop *loop, const struct link_progress *progress)
{
	static const uint32_t states[] = {
		[LINK_QUEUED] = LOCAL_QUEUED,
		[LINK_CARRIED] = LOCAL_CARRIED,
		[LINK_FAILED] = LOCAL_REFUSED,
		[LINK_EXPIRED] = LOCAL_REFUSED,
	};
	struct record_event event = transaction_event_now(RECORD_PROGRESS);

	for (unsigned i = 0; i < sizeof event.of.progress.copy; i++)
		event.of.progress.copy[i] = progress->id[i];
	event.of.progress.state = states[progress->state];
	event.of.progress.route = progress->route;
	event.of.progress.reason = progress->reason;
	return give(loop, &event, sizeof *progress);
}

static bool give_heads(struct loop *loop, const struct link_heads *heads)
{
	struct record_event event = transaction_event_now(RECORD_COURIER_HEADS);
	struct record_head_seen seen[HEADS_KEPT_MAX];

	for (size_t i = 0; i < heads->count; i++) {
		seen[i].origin = heads->heads[i].origin;
		seen[i].size = heads->heads[i].size;
		memcpy(seen[i].root, heads->heads[i].root, sizeof seen[i].root);
		memcpy(seen[i].signature, heads->heads[i].signature, sizeof seen[i].signature);
	}
	event.of.heads.count = heads->count;
	event.of.heads.heads = seen;
	return give(loop, &event, sizeof seen);
}

static bool give_message(struct loop *loop, const struct link_message *message)
{
	switch (message->type) {
	case LINK_RECEIVED:
		return give_received(loop, &message->received);
	case LINK_HEADS:
		return give_heads(loop, &message->heads);
	default: /* courier_link_next gives no others */
		return give_progress(loop, &message->progress);
	}
}

static void gather_messages(struct loop *loop)
{
	struct link_message message;
	size_t size;

	if (loop->courier.lost && may_give(loop)) {
		struct record_event event = transaction_event_now(RECORD_COURIER_LOST);

		if (give(loop, &event, 0))
			loop->courier.lost = false;
	}
	while (may_give(loop) && courier_link_next(&loop->courier, loop->steady_ms, &message, &size)) {
		if (!give_message(loop, &message))
			return;
		courier_link_took(&loop->courier, size);
	}
}

/* ---- once a second ---- */

static void look_at_disk(struct loop *loop)
{
	static const char *const words[] = {
		[RESERVE_AMPLE] = "there is room on the disk again: everything is taken",
		[RESERVE_LOW] =
			"the disk is getting full: ROUTINE messages and backups are refused. Free some room",
		[RESERVE_SCARCE] =
			"the disk is nearly full: only urgent messages and letters are taken. Free some room",
		[RESERVE_LAST] = "the disk is full: only receipts and letters are taken. Free some room",
	};

	if (reserve_update(&loop->reserve))
		logger_line(loop->resources.logger, "%s", words[loop->reserve.level]);
	/* There is room for something that was left: its next connection brings that again, by precedence. */
	if (courier_link_has_left(&loop->courier, reserve_delivery_min(loop->reserve.level)))
		courier_link_end(&loop->courier, ERROR_OK, "", loop->steady_ms);
}

static void tick(struct loop *loop)
{
	struct record_event event = transaction_event_now(RECORD_TICK);

	logger_tick(loop->resources.logger, loop->steady_ms);
	local_server_tick(&loop->local, loop->steady_ms);
	courier_link_tick(&loop->courier, loop->steady_ms);
	look_at_disk(loop);
	if (may_give(loop) && give(loop, &event, 0))
		loop->tick_ms = loop->steady_ms + LOOP_TICK_MS;
}

/* ---- the batch ---- */

static void perform(void *context, const struct record_action *action)
{
	struct loop *loop = context;
	struct local_client *client;

	switch (action->kind) {
	case RECORD_ACTION_SEND:
		courier_link_send(&loop->courier, action, loop->steady_ms);
		break;
	case RECORD_ACTION_CANCEL:
		courier_link_cancel(&loop->courier, action->copy, loop->steady_ms);
		break;
	case RECORD_ACTION_TAKEN:
		courier_link_taken(&loop->courier, action->number, loop->steady_ms);
		break;
	case RECORD_ACTION_LEFT:
		courier_link_left(&loop->courier, action, loop->steady_ms);
		logger_refusal(loop->resources.logger, loop->steady_ms, ERROR_FULL,
			       bytes_of_text("a delivery, which stays with the courier"));
		break;
	case RECORD_ACTION_REPLY:
		client = local_server_find(&loop->local, action->number);
		if (client != NULL)
			local_server_reply(&loop->local, client, action->bytes, true, loop->steady_ms);
		break;
	case RECORD_ACTION_NOTICE:
		local_server_notice(&loop->local, action->bytes, loop->steady_ms);
		break;
	case RECORD_ACTION_LOG:
		logger_event(loop->resources.logger, loop->steady_ms, action->error, action->bytes);
		break;
	case RECORD_ACTION_HEAD:
		courier_link_head(&loop->courier, action, loop->steady_ms);
		break;
	case RECORD_ACTION_ANCHOR: /* done by transaction_commit */
	case RECORD_ACTION_WIPE:   /* done by transaction_perform */
		break;
	}
}

bool loop_finish_batch(struct loop *loop)
{
	struct record_event room;
	bool has_room;
	enum error error;

	if (loop->failed || !transaction_is_open(&loop->transaction))
		return !loop->failed;
	room = transaction_event_now(RECORD_COURIER_ROOM);
	has_room = courier_link_room(&loop->courier, &room.of.room.window, &room.of.room.copies_max);
	error = transaction_commit(&loop->transaction, has_room ? &room : NULL);
	if (error != ERROR_OK)
		return loop_stop(loop, error);
	test_hooks_after_commit(loop->resources.hooks);
	error = transaction_perform(&loop->transaction, perform, loop);
	return error == ERROR_OK || loop_stop(loop, error);
}

/* Requests and messages take turns at going first: neither may fill batch after batch before the other. */
static void gather(struct loop *loop)
{
	loop->messages_first = !loop->messages_first;
	if (loop->messages_first)
		gather_messages(loop);
	gather_requests(loop);
	if (!loop->messages_first)
		gather_messages(loop);
}

static bool run_batch(struct loop *loop)
{
	bool was_up = courier_link_is_up(&loop->courier);

	loop->more = false;
	if (!loop->failed && loop->steady_ms >= loop->tick_ms)
		tick(loop); /* before anything can fill the batch */
	gather(loop);
	/* A courier that has just come is handed what waits for it. */
	if (!was_up && courier_link_is_up(&loop->courier)) {
		loop->tick_ms = loop->steady_ms;
		if (!loop->failed)
			tick(loop);
	}
	return loop_finish_batch(loop);
}

/*
 * An idle daemon holds little: between batches the record's workspace is only memory (record/record.h), and
 * giving it back also forgets what secrets were worked on in it.
 */
static void give_memory_back(struct loop *loop)
{
	int result = madvise(loop->resources.memory, RECORD_MEMORY_SIZE, MADV_DONTNEED);

	assert(result == 0);
	loop->transaction.record = record_make(loop->resources.memory, RECORD_MEMORY_SIZE);
	store_release_memory(loop->resources.store);
	malloc_trim(0);
	loop->event_ms = 0;
}

static void rest(struct loop *loop)
{
	if (loop->event_ms != 0 && loop->steady_ms - loop->event_ms >= LOOP_IDLE_MS &&
	    loop->backup.state == BACKUP_IDLE)
		give_memory_back(loop);
}

/* ---- a backup, a piece at a time ---- */

static void fail_backup(struct loop *loop, struct local_client *client, enum error error)
{
	logger_refusal(loop->resources.logger, loop->steady_ms, error, bytes_of_text("a backup"));
	backup_end(&loop->backup);
	reply_error(loop, client, loop->backup_request, error);
}

static void stream_backup(struct loop *loop, struct local_client *client)
{
	static_assert(BACKUP_CHUNK_SIZE + REPLY_SIZE_MAX <= LOCAL_FRAME_SIZE_MAX,
		      "a chunk fits into a frame");
	uint8_t *memory = malloc(2 * BACKUP_CHUNK_SIZE + REPLY_SIZE_MAX);
	struct buffer frame;
	enum error error = ERROR_NO_MEMORY;
	size_t size = 0;

	if (memory != NULL)
		error = backup_read(&loop->backup, memory, BACKUP_CHUNK_SIZE, &size);
	if (error == ERROR_OK) {
		frame = buffer_make(memory + BACKUP_CHUNK_SIZE, BACKUP_CHUNK_SIZE + REPLY_SIZE_MAX);
		request_reply_chunk(&frame, loop->backup_request, bytes_make(memory, size));
		if (size == 0)
			backup_end(&loop->backup);
		local_server_reply(&loop->local, client, buffer_bytes(&frame), size == 0, loop->steady_ms);
	} else {
		fail_backup(loop, client, error);
	}
	free(memory);
}

static void advance_backup(struct loop *loop)
{
	struct local_client *client;
	enum error error = ERROR_OK;

	if (loop->backup.state == BACKUP_IDLE)
		return;
	client = local_server_find(&loop->local, loop->backup_client);
	if (client == NULL) {
		backup_end(&loop->backup);
		return;
	}
	if (loop->backup.state == BACKUP_COPYING) {
		error = loop->reserve.level == RESERVE_AMPLE
				? backup_step(&loop->backup, loop->resources.store)
				: ERROR_FULL;
		if (error != ERROR_OK)
			fail_backup(loop, client, error);
	} else if (stream_bytes(&client->out).size == 0) {
		stream_backup(loop, client);
	}
}

/* ---- waiting ---- */

/* A backup waits for nothing but its client to read. */
static bool backup_can_advance(struct loop *loop)
{
	const struct local_client *client;

	if (loop->backup.state != BACKUP_STREAMING)
		return loop->backup.state == BACKUP_COPYING;
	client = local_server_find(&loop->local, loop->backup_client);
	return client == NULL || stream_bytes(&client->out).size == 0;
}

static int timeout_ms(struct loop *loop)
{
	if (loop->more || backup_can_advance(loop) || local_server_is_ready(&loop->local))
		return 0;
	return loop->tick_ms <= loop->steady_ms ? 0 : (int)(loop->tick_ms - loop->steady_ms);
}

/* True if a signal asks the daemon to end. */
static bool wait(struct loop *loop)
{
	struct pollfd polls[POLLS_MAX];
	size_t local_count, courier_count;
	int ready;

	polls[0] = (struct pollfd){.fd = loop->resources.signals, .events = POLLIN};
	local_count = local_server_poll(&loop->local, polls + 1);
	courier_count = courier_link_poll(&loop->courier, polls + 1 + local_count);
	ready = poll(polls, 1 + local_count + courier_count, timeout_ms(loop));
	assert(ready >= 0 || errno == EINTR || errno == ENOMEM);
	loop->steady_ms = transaction_steady_ms();
	if (ready <= 0)
		return false;
	local_server_turn(&loop->local, polls + 1, local_count, loop->steady_ms);
	courier_link_turn(&loop->courier, polls + 1 + local_count, courier_count, loop->steady_ms);
	return polls[0].revents != 0;
}

bool loop_run(struct loop *loop)
{
	for (;;) {
		bool stop = wait(loop);

		if (!run_batch(loop))
			return false;
		advance_backup(loop);
		rest(loop);
		local_server_flush(&loop->local, loop->steady_ms);
		courier_link_flush(&loop->courier, loop->steady_ms);
		if (stop)
			return true;
	}
}

void loop_end(struct loop *loop)
{
	backup_end(&loop->backup);
	local_server_close(&loop->local);
	courier_link_close(&loop->courier);
	transaction_free(&loop->transaction);
}
