#include "post/backup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "post/files.h"
#include "record/record.h"

void backup_make(struct backup *backup)
{
	*backup = (struct backup){.state = BACKUP_IDLE, .fd = -1};
}

enum error backup_clean(void)
{
	return unlink(BACKUP_FILE_NAME) == 0 || errno == ENOENT ? ERROR_OK : ERROR_IO;
}

enum error backup_begin(struct backup *backup)
{
	enum error error;

	if (backup->state != BACKUP_IDLE)
		return ERROR_BUSY;
	error = backup_clean();
	if (error != ERROR_OK)
		return error;
	backup->state = BACKUP_COPYING;
	backup->after_size = 0;
	backup->failed = ERROR_OK;
	error = store_open(&backup->image, BACKUP_FILE_NAME, STORE_IMAGE);
	if (error == ERROR_OK)
		error = store_begin(&backup->image);
	if (error != ERROR_OK)
		backup_end(backup);
	return error;
}

void backup_note(struct backup *backup, const struct rows_change *change)
{
	if (backup->state != BACKUP_COPYING || backup->failed != ERROR_OK)
		return;
	if (bytes_compare(change->key, bytes_make(backup->after, backup->after_size)) > 0)
		return; /* it will be copied as it then is */
	if (record_row_in_backup(change->key))
		backup->failed = store_apply(&backup->image, change);
}

static enum error copy_row(struct backup *backup, const struct row *row)
{
	const struct rows_change change = {.key = row->key, .value = row->value};

	if (row->key.size > sizeof backup->after)
		return ERROR_MALFORMED;
	memcpy(backup->after, row->key.data, row->key.size);
	backup->after_size = row->key.size;
	return record_row_in_backup(row->key) ? store_apply(&backup->image, &change) : ERROR_OK;
}

/* The image is whole: from here on only the descriptor keeps it. */
static enum error start_streaming(struct backup *backup)
{
	enum error error = store_commit(&backup->image);

	store_close(&backup->image);
	backup->fd = open(BACKUP_FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (unlink(BACKUP_FILE_NAME) != 0 || backup->fd < 0)
		error = ERROR_IO;
	backup->at = 0;
	backup->state = BACKUP_STREAMING;
	return error;
}

enum error backup_step(struct backup *backup, struct store *store)
{
	enum error error = backup->failed;
	size_t copied = 0;

	assert(backup->state == BACKUP_COPYING);
	for (unsigned i = 0; i < BACKUP_STEP_ROWS && copied < BACKUP_STEP_BYTES && error == ERROR_OK; i++) {
		struct row row;
		bool found;

		error = store_next(store, bytes_make(backup->after, backup->after_size), &found, &row);
		if (error == ERROR_OK && !found) {
			store_next_end(store);
			return start_streaming(backup);
		}
		if (error == ERROR_OK) {
			copied += row.key.size + row.value.size;
			error = copy_row(backup, &row);
		}
	}
	store_next_end(store);
	return error;
}

enum error backup_read(struct backup *backup, uint8_t *to, size_t size_max, size_t *size)
{
	enum error error;

	assert(backup->state == BACKUP_STREAMING);
	error = file_read_at(backup->fd, to, size_max, (off_t)backup->at, size);
	backup->at += *size;
	return error;
}

void backup_end(struct backup *backup)
{
	if (backup->state == BACKUP_COPYING) {
		store_close(&backup->image);
		backup_clean();
	} else if (backup->state == BACKUP_STREAMING && backup->fd >= 0) {
		close(backup->fd);
	}
	backup_make(backup);
}
