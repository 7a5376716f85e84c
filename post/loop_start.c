#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "envelope/post_file.h"
#include "post/files.h"
#include "post/loop.h"
#include "post/loop_parts.h"
#include "post/request.h"

#define POST_FILE_NAME "post.init"
#define PROVISIONED_NAME                                                                                     \
	"provisioned" /* of the store's shell value: SHA-256 of the post file that was taken in */
#define HASH_SIZE crypto_hash_sha256_BYTES

/* What the directory holds at the start. */
struct start {
	struct buffer anchor;
	struct buffer post_file;
	bool has_post_file;
	uint8_t post_file_hash[HASH_SIZE];
};

static bool refuse(const struct loop *loop, const char *sentence)
{
	logger_line(loop->resources.logger, "cannot start: %s", sentence);
	return false;
}

/* ---- the anchor ---- */

static bool read_anchor(struct loop *loop, struct start *start)
{
	switch (anchor_file_read(loop->resources.anchor, &start->anchor)) {
	case ERROR_OK:
	case ERROR_NOT_FOUND:
		return true;
	case ERROR_BAD_CHECKSUM:
	case ERROR_BAD_VERSION:
		/* A line must not fall silent because of a damaged disk. */
		logger_line(loop->resources.logger, "the anchor is damaged: continuity cannot be shown, so "
						    "each log goes on as a new incarnation");
		start->anchor.size = 0;
		return true;
	case ERROR_MALFORMED:
		return refuse(
			loop,
			"the file given as anchor is something else. Give another with --anchor, or move it");
	default:
		return refuse(loop, "the anchor cannot be read. Check the disk");
	}
}

/* ---- the post file ---- */

static bool read_post_file(const struct loop *loop, struct start *start)
{
	enum error error = file_read_small(POST_FILE_NAME, &start->post_file);

	if (error == ERROR_NOT_FOUND)
		return true;
	if (error != ERROR_OK)
		return refuse(loop,
			      "post.init cannot be read, or is not a file that `liaison post create` made");
	start->has_post_file = true;
	crypto_hash_sha256(start->post_file_hash, start->post_file.data, start->post_file.size);
	return true;
}

static bool erase_post_file(const struct loop *loop)
{
	if (file_erase(POST_FILE_NAME) == ERROR_OK)
		return true;
	return refuse(
		loop,
		"post.init has been taken in but cannot be erased. It holds the post's secrets: remove it");
}

/* ---- events ---- */

static bool give(struct loop *loop, const struct record_event *event)
{
	enum error error = transaction_event(&loop->transaction, event, 0);

	return error == ERROR_OK || loop_stop(loop, error);
}

static bool start_record(struct loop *loop, const struct start *start)
{
	struct record_event event = transaction_event_now(RECORD_START);

	event.of.start.anchor = buffer_bytes(&start->anchor);
	return give(loop, &event) && loop_finish_batch(loop);
}

/* The reply to the daemon's own HELLO. */
static void take_node(void *context, const struct record_action *action)
{
	struct loop *loop = context;
	struct bytes node;

	if (action->kind != RECORD_ACTION_REPLY || request_hello_node(action->bytes, &node) != ERROR_OK)
		return;
	if (node.size == 0 || node.size > sizeof loop->node)
		return;
	memcpy(loop->node, node.data, node.size);
	loop->node_size = node.size;
}

/* A record that holds no post has no node. */
static bool ask_for_node(struct loop *loop)
{
	struct record_event event = transaction_event_now(RECORD_REQUEST);
	const struct record_shell shell = {.courier_connected = false};
	uint8_t memory[16];
	struct buffer frame = buffer_make(memory, sizeof memory);
	enum error error;

	request_hello(&frame, 1);
	event.of.request.frame = buffer_bytes(&frame);
	event.of.request.shell = &shell;
	if (!give(loop, &event))
		return false;
	error = transaction_commit(&loop->transaction, NULL);
	if (error == ERROR_OK)
		error = transaction_perform(&loop->transaction, take_node, loop);
	return error == ERROR_OK || loop_stop(loop, error);
}

/* ---- taking the post file in ---- */

static bool refuse_post_file(const struct loop *loop, const char *reason)
{
	logger_line(loop->resources.logger,
		    "cannot start: post.init was not accepted: %s. Make the post again with `liaison post "
		    "create`",
		    reason);
	return false;
}

static bool provision(struct loop *loop, const struct start *start)
{
	struct record_event event = transaction_event_now(RECORD_PROVISION);
	enum error error;

	event.of.provision.post_file = buffer_bytes(&start->post_file);
	error = transaction_event(&loop->transaction, &event, 0);
	if (error == ERROR_IO || error == ERROR_NO_MEMORY)
		return loop_stop(loop, error);
	if (error != ERROR_OK)
		return refuse_post_file(loop, error_text(error));
	/* In the same transaction, so that after a crash the file is known again. */
	if (store_shell_put(loop->resources.store, PROVISIONED_NAME,
			    bytes_make(start->post_file_hash, HASH_SIZE)) != ERROR_OK)
		return refuse(loop, "the store cannot be written. Check the disk");
	if (!loop_finish_batch(loop) || !ask_for_node(loop))
		return false;
	if (loop->node_size == 0)
		return refuse_post_file(loop, error_text(ERROR_MALFORMED));
	return erase_post_file(loop);
}

/*
 * A post file beside a post was either taken in just before a crash, and is erased; or it belongs to another
 * post, whose only copy of its secrets it may be, and is left alone.
 */
static bool settle_old_post_file(struct loop *loop, const struct start *start)
{
	uint8_t memory[HASH_SIZE];
	struct buffer taken = buffer_make(memory, sizeof memory);
	bool found;

	if (store_shell_get(loop->resources.store, PROVISIONED_NAME, &taken, &found) != ERROR_OK)
		return refuse(loop, "the store cannot be read. Restore it from a backup");
	/* No post file begins with a zero: a crash cut off the erasing, which begins at the front. */
	bool erasing = start->post_file.size > 0 && start->post_file.data[0] == 0;
	if (found &&
	    (erasing || bytes_equal(buffer_bytes(&taken), bytes_make(start->post_file_hash, HASH_SIZE))))
		return erase_post_file(loop);
	return refuse(loop,
		      "this directory holds a post already, and post.init is of another: move post.init to a "
		      "directory of its own");
}

static bool start_with(struct loop *loop, struct start *start)
{
	if (!read_anchor(loop, start) || !read_post_file(loop, start))
		return false;
	if (!start_record(loop, start) || !ask_for_node(loop))
		return false;
	if (loop->node_size != 0)
		return !start->has_post_file || settle_old_post_file(loop, start);
	if (!start->has_post_file)
		return refuse(loop,
			      "there is no post in this directory. Make one with `liaison post create`");
	return provision(loop, start);
}

bool loop_start(struct loop *loop, const struct loop_resources *resources)
{
	uint8_t *memory = malloc(ANCHOR_FILE_PAYLOAD_SIZE_MAX + POST_FILE_SIZE_MAX);
	struct start start = {.has_post_file = false};
	bool started = false;

	*loop = (struct loop){.resources = *resources, .event_ms = 1};
	backup_make(&loop->backup);
	transaction_make(&loop->transaction, record_make(resources->memory, RECORD_MEMORY_SIZE),
			 resources->store, resources->anchor, &loop->backup);
	local_server_make(&loop->local, resources->local_listener, resources->logger);
	courier_link_make(&loop->courier, resources->courier_listener, resources->logger,
			  bytes_make(NULL, 0));
	reserve_make(&loop->reserve, resources->directory);
	if (memory == NULL)
		return refuse(loop, "the machine has no memory left");
	start.anchor = buffer_make(memory, ANCHOR_FILE_PAYLOAD_SIZE_MAX);
	start.post_file = buffer_make(memory + ANCHOR_FILE_PAYLOAD_SIZE_MAX, POST_FILE_SIZE_MAX);
	if (backup_clean() == ERROR_OK)
		started = start_with(loop, &start);
	else
		refuse(loop, "what is left of a backup cannot be removed. Check the disk");
	sodium_memzero(memory, ANCHOR_FILE_PAYLOAD_SIZE_MAX + POST_FILE_SIZE_MAX);
	free(memory);
	loop->courier.node = bytes_make(loop->node, loop->node_size);
	return started;
}
