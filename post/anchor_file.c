#include "post/anchor_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "post/files.h"

#define MAGIC_SIZE 8
#define HEAD_SIZE  (MAGIC_SIZE + 4 + 4 + 8)
#define VERSION    1

static const uint8_t magic[MAGIC_SIZE] = {'l', 'i', 'a', 'i', 's', 'o', 'n', 'A'};

static_assert(HEAD_SIZE + crypto_hash_sha256_BYTES == ANCHOR_FILE_SLOT_OVERHEAD,
	      "the overhead is what it is made of");

void anchor_file_slot_encode(struct buffer *to, uint64_t sequence, struct bytes payload)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	size_t start = to->size;

	buffer_append(to, bytes_make(magic, sizeof magic));
	buffer_append_u32(to, VERSION);
	buffer_append_u32(to, (uint32_t)payload.size);
	buffer_append_u64(to, sequence);
	buffer_append(to, payload);
	if (to->failed)
		return;
	crypto_hash_sha256(hash, to->data + start, to->size - start);
	buffer_append(to, bytes_make(hash, sizeof hash));
}

enum error anchor_file_slot_decode(struct bytes slot, uint64_t *sequence, struct bytes *payload)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	size_t size;

	if (slot.size < ANCHOR_FILE_SLOT_OVERHEAD || memcmp(slot.data, magic, sizeof magic) != 0)
		return ERROR_MALFORMED;
	if (load_u32(slot.data + MAGIC_SIZE) != VERSION)
		return ERROR_BAD_VERSION;
	size = load_u32(slot.data + MAGIC_SIZE + 4);
	if (size > slot.size - ANCHOR_FILE_SLOT_OVERHEAD)
		return ERROR_BAD_CHECKSUM;
	crypto_hash_sha256(hash, slot.data, HEAD_SIZE + size);
	if (memcmp(hash, slot.data + HEAD_SIZE + size, sizeof hash) != 0)
		return ERROR_BAD_CHECKSUM;
	*sequence = load_u64(slot.data + MAGIC_SIZE + 8);
	*payload = bytes_make(slot.data + HEAD_SIZE, size);
	return ERROR_OK;
}

/* Gives a new or short file its full size, in blocks that later writes only overwrite. */
static enum error fill(int fd, const char *path)
{
	static const uint8_t zeros[ANCHOR_FILE_SLOT_SIZE];
	struct stat status;
	enum error error = ERROR_OK;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		errno = EINVAL;
		return ERROR_IO;
	}
	for (off_t at = status.st_size; at < 2 * ANCHOR_FILE_SLOT_SIZE && error == ERROR_OK;) {
		off_t left = 2 * ANCHOR_FILE_SLOT_SIZE - at;
		size_t size = left < ANCHOR_FILE_SLOT_SIZE ? (size_t)left : ANCHOR_FILE_SLOT_SIZE;

		error = file_write_at(fd, bytes_make(zeros, size), at);
		at += (off_t)size;
	}
	if (error == ERROR_OK && fsync(fd) != 0)
		error = ERROR_IO;
	return error == ERROR_OK ? file_sync_directory_of(path) : error;
}

enum error anchor_file_open(struct anchor_file *anchor, const char *path)
{
	enum error error;

	*anchor = (struct anchor_file){
		.fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
	if (anchor->fd < 0)
		return ERROR_IO;
	if (flock(anchor->fd, LOCK_EX | LOCK_NB) != 0)
		error = errno == EWOULDBLOCK ? ERROR_BUSY : ERROR_IO;
	else
		error = fill(anchor->fd, path);
	if (error != ERROR_OK)
		anchor_file_close(anchor);
	return error;
}

void anchor_file_close(struct anchor_file *anchor)
{
	int saved = errno;

	if (anchor->fd >= 0)
		close(anchor->fd);
	anchor->fd = -1;
	errno = saved;
}

static bool all_zero(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != 0)
			return false;
	}
	return true;
}

enum error anchor_file_read(struct anchor_file *anchor, struct buffer *to)
{
	uint8_t slot[ANCHOR_FILE_SLOT_SIZE];
	enum error result = ERROR_NOT_FOUND;
	size_t start = to->size;

	for (unsigned i = 0; i < 2; i++) {
		struct bytes payload;
		uint64_t sequence;
		size_t got;
		enum error error =
			file_read_at(anchor->fd, slot, sizeof slot, (off_t)i * ANCHOR_FILE_SLOT_SIZE, &got);

		if (error != ERROR_OK)
			return error;
		error = anchor_file_slot_decode(bytes_make(slot, got), &sequence, &payload);
		if (error == ERROR_OK && sequence > anchor->sequence) {
			anchor->sequence = sequence;
			anchor->slot = i;
			to->size = start;
			buffer_append(to, payload);
			result = buffer_error(to);
		} else if (anchor->sequence == 0 && !all_zero(slot, got) && result != ERROR_BAD_CHECKSUM) {
			result = error == ERROR_MALFORMED ? ERROR_MALFORMED : ERROR_BAD_CHECKSUM;
		}
	}
	return result;
}

enum error anchor_file_write(struct anchor_file *anchor, struct bytes payload)
{
	uint8_t memory[ANCHOR_FILE_SLOT_SIZE];
	struct buffer slot = buffer_make(memory, sizeof memory);
	unsigned next = anchor->sequence == 0 ? 0 : 1 - anchor->slot;
	enum error error;

	if (payload.size > ANCHOR_FILE_PAYLOAD_SIZE_MAX)
		return ERROR_TOO_LARGE;
	anchor_file_slot_encode(&slot, anchor->sequence + 1, payload);
	error = file_write_at(anchor->fd, buffer_bytes(&slot), (off_t)next * ANCHOR_FILE_SLOT_SIZE);
	if (error != ERROR_OK)
		return error;
	if (fdatasync(anchor->fd) != 0)
		return ERROR_IO;
	anchor->sequence++;
	anchor->slot = next;
	return ERROR_OK;
}
