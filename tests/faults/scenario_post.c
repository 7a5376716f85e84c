/*
 * The post's shell: batches of what the courier brings, through transaction, store and anchor, each performed
 * only when it is on disk; and a backup of it. The record is the fake one of tests/unit/post.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "post/transaction.h"
#include "tests/faults/scenario.h"

#define STORE_PATH  "store.db"
#define ANCHOR_PATH "anchor"
#define IMAGE_PATH  "image.db"
#define PARTS       2 /* deliveries of a batch */
#define VALUE_SIZE  3000
#define KEY_PREFIX  "r"

struct post {
	struct store store;
	struct anchor_file anchor;
	struct backup backup;
	struct transaction transaction;
	void *memory;
	struct scenario_told *told;
	uint32_t taken[SCENARIO_BATCHES]; /* of each batch, actions that were performed */
};

static void perform(void *context, const struct record_action *action)
{
	struct post *post = context;
	uint64_t batch = action->number / PARTS;

	if (action->kind != RECORD_ACTION_TAKEN || batch >= SCENARIO_BATCHES)
		return;
	if (++post->taken[batch] == PARTS && post->told->batches <= batch)
		post->told->batches = (uint32_t)batch + 1;
}

static enum error post_open(struct post *post, struct scenario_told *told)
{
	enum error error;

	memset(post, 0, sizeof *post);
	post->told = told;
	post->anchor.fd = -1;
	backup_make(&post->backup);
	post->memory = malloc(RECORD_MEMORY_SIZE);
	if (post->memory == NULL)
		return ERROR_NO_MEMORY;
	error = store_open(&post->store, STORE_PATH, STORE_LIVE);
	if (error == ERROR_OK)
		error = anchor_file_open(&post->anchor, ANCHOR_PATH);
	if (error == ERROR_OK)
		error = backup_clean();
	transaction_make(&post->transaction, record_make(post->memory, RECORD_MEMORY_SIZE), &post->store,
			 &post->anchor, &post->backup);
	return error;
}

static void post_close(struct post *post)
{
	if (post->memory != NULL) {
		transaction_free(&post->transaction);
		store_close(&post->store);
	}
	backup_end(&post->backup);
	if (post->anchor.fd >= 0)
		anchor_file_close(&post->anchor);
	free(post->memory);
}

static enum error take_batch(struct post *post, unsigned batch)
{
	uint8_t value[VALUE_SIZE];
	enum error error = ERROR_OK;

	for (unsigned part = 0; part < PARTS && error == ERROR_OK; part++) {
		struct record_event event = transaction_event_now(RECORD_RECEIVED);

		scenario_value(batch, part, value, sizeof value);
		event.of.received.delivery = batch * PARTS + part;
		event.of.received.source = bytes_of_text("dtn://far/");
		event.of.received.sealed = bytes_make(value, sizeof value);
		error = transaction_event(&post->transaction, &event, sizeof value);
	}
	if (error == ERROR_OK)
		error = transaction_commit(&post->transaction, NULL);
	return error == ERROR_OK ? transaction_perform(&post->transaction, perform, post) : error;
}

static enum error take_all(struct post *post)
{
	enum error error = ERROR_OK;

	for (unsigned batch = 0; batch < SCENARIO_BATCHES && error == ERROR_OK; batch++)
		error = take_batch(post, batch);
	return error;
}

static enum error take_run(struct scenario_told *told)
{
	struct post post;
	enum error error = post_open(&post, told);

	if (error == ERROR_OK)
		error = take_all(&post);
	post_close(&post);
	return error;
}

/* ---- judging ---- */

/* Counts by batch the rows that are there as they were written. */
static const char *count_rows(struct store *store, unsigned there[SCENARIO_BATCHES])
{
	uint8_t after[ROW_KEY_SIZE_MAX];
	uint8_t expected[VALUE_SIZE];
	size_t after_size = 0;
	struct row row;
	bool found;

	memset(there, 0, SCENARIO_BATCHES * sizeof *there);
	for (;;) {
		if (store_next(store, bytes_make(after, after_size), &found, &row) != ERROR_OK)
			return "the store does not read";
		if (!found)
			break;
		if (row.key.data[0] == KEY_PREFIX[0]) {
			uint64_t delivery = load_u64(row.key.data + 2);

			if (delivery >= (uint64_t)SCENARIO_BATCHES * PARTS)
				return "a row that nobody wrote";
			scenario_value((unsigned)delivery / PARTS, delivery % PARTS, expected,
				       sizeof expected);
			if (!bytes_equal(row.value, bytes_make(expected, sizeof expected)))
				return "half: a row is otherwise than it was written";
			there[delivery / PARTS]++;
		}
		memcpy(after, row.key.data, row.key.size);
		after_size = row.key.size;
	}
	store_next_end(store);
	return NULL;
}

static const char *judge_store(const char *path, uint32_t batches, enum store_purpose purpose)
{
	unsigned there[SCENARIO_BATCHES];
	struct store store;
	const char *wrong = scenario_integrity(path);

	if (wrong != NULL)
		return wrong;
	if (store_open(&store, path, purpose) != ERROR_OK)
		wrong = "the store does not open any more";
	else
		wrong = count_rows(&store, there);
	store_close(&store);
	for (unsigned batch = 0; batch < SCENARIO_BATCHES && wrong == NULL; batch++) {
		if (there[batch] == 0 && batch < batches)
			wrong = "lost: a batch of which the courier was told that it is taken";
		else if (there[batch] != 0 && there[batch] != PARTS)
			wrong = "half: some rows of a batch are there";
	}
	return wrong;
}

/* The anchor is written after the commit and before anything is performed. */
static const char *judge_anchor(const struct scenario_told *told)
{
	uint8_t memory[ANCHOR_FILE_PAYLOAD_SIZE_MAX];
	struct buffer payload = buffer_make(memory, sizeof memory);
	struct anchor_file anchor;
	enum error error = anchor_file_open(&anchor, ANCHOR_PATH);

	if (error != ERROR_OK)
		return "the anchor does not open any more";
	error = anchor_file_read(&anchor, &payload);
	anchor_file_close(&anchor);
	if (told->batches == 0)
		return NULL;
	if (error != ERROR_OK || payload.size != 8)
		return "lost: the anchor of a batch that was performed";
	return load_u64(memory) < told->batches ? "lost: the anchor is older than what was performed" : NULL;
}

static const char *take_judge(const struct scenario_told *told)
{
	const char *wrong = judge_store(STORE_PATH, told->batches, STORE_LIVE);

	return wrong != NULL ? wrong : judge_anchor(told);
}

/* ---- a backup ---- */

/* Where the client keeps what it is given: its disk is another one and does not fail. */
static enum error keep(int fd, const uint8_t *bytes, size_t size)
{
	return syscall(SYS_write, fd, bytes, size) == (long)size ? ERROR_OK : ERROR_IO;
}

static enum error give_image(struct post *post, int fd)
{
	static uint8_t chunk[BACKUP_CHUNK_SIZE];
	size_t size;
	enum error error = backup_begin(&post->backup);

	/* A batch comes between, and is in the image as well. */
	if (error == ERROR_OK)
		error = backup_step(&post->backup, &post->store);
	if (error == ERROR_OK)
		error = take_batch(post, SCENARIO_BATCHES - 1);
	while (error == ERROR_OK && post->backup.state == BACKUP_COPYING)
		error = backup_step(&post->backup, &post->store);
	while (error == ERROR_OK) {
		error = backup_read(&post->backup, chunk, sizeof chunk, &size);
		if (error != ERROR_OK || size == 0)
			break;
		error = keep(fd, chunk, size);
	}
	return error;
}

static enum error image_run(struct scenario_told *told)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, IMAGE_PATH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600);
	struct post post;
	enum error error;

	told->images = 0;
	error = post_open(&post, told);
	if (error == ERROR_OK)
		error = take_all(&post);
	if (error == ERROR_OK)
		error = fd < 0 ? ERROR_IO : give_image(&post, fd);
	if (error == ERROR_OK)
		told->images = 1;
	post_close(&post);
	if (fd >= 0)
		close(fd);
	return error;
}

static const char *image_judge(const struct scenario_told *told)
{
	if (access(BACKUP_FILE_NAME, F_OK) == 0)
		return "a half backup is left in the folder";
	if (told->images != 0) {
		const char *wrong = judge_store(IMAGE_PATH, SCENARIO_BATCHES, STORE_IMAGE);

		if (wrong != NULL)
			return wrong;
	}
	return take_judge(told);
}

const struct scenario scenarios[] = {
	{.name = "take", .prepare = store_prepare_process, .run = take_run, .judge = take_judge},
	{.name = "image", .prepare = store_prepare_process, .run = image_run, .judge = image_judge},
	{.name = NULL},
};
