/*
 * The anchor: a few bytes kept outside the store, by which a post notices that its store was rolled back.
 *
 * A file of two slots of ANCHOR_FILE_SLOT_SIZE bytes. Each write goes to the slot that does not hold the
 * newest bytes, so a torn write leaves the older slot whole. A slot is
 *
 *     magic "liaisonA" | version u32 = 1 | size u32 | sequence u64 | payload | SHA-256 of all before it
 *
 * all big-endian. The slot with the higher sequence whose hash matches counts. The file is written in full
 * when it is made, so that later writes change neither its size nor its blocks.
 *
 * The file may lie outside the daemon's directory (and so outside backups): the descriptor is opened before
 * the sandbox and no path is needed afterwards. It is locked while open.
 */
#ifndef POST_ANCHOR_FILE_H
#define POST_ANCHOR_FILE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

#define ANCHOR_FILE_SLOT_SIZE        16384
#define ANCHOR_FILE_SLOT_OVERHEAD    56
#define ANCHOR_FILE_PAYLOAD_SIZE_MAX (ANCHOR_FILE_SLOT_SIZE - ANCHOR_FILE_SLOT_OVERHEAD)

struct anchor_file {
	int fd;
	uint64_t sequence; /* of the newest valid slot; 0: none */
	unsigned slot;     /* that slot, 0 or 1 */
};

/*
 * Opens the file, or makes it (mode 0600, synced, its directory synced). ERROR_BUSY: another process has it
 * open; ERROR_IO with errno. anchor_file_close frees it.
 */
enum error anchor_file_open(struct anchor_file *anchor, const char *path);
void anchor_file_close(struct anchor_file *anchor);

/*
 * The newest payload, copied to `to`. ERROR_OK; ERROR_NOT_FOUND: never written; ERROR_BAD_CHECKSUM: it was
 * an anchor but neither slot is whole; ERROR_MALFORMED: the file is something else and must not be written
 * over; ERROR_IO. Call it once before anchor_file_write.
 */
enum error anchor_file_read(struct anchor_file *anchor, struct buffer *to);

/* Writes and syncs. ERROR_TOO_LARGE above ANCHOR_FILE_PAYLOAD_SIZE_MAX; ERROR_IO with errno: the daemon
 * must stop. */
enum error anchor_file_write(struct anchor_file *anchor, struct bytes payload);

/* One slot as bytes. Pure. */
void anchor_file_slot_encode(struct buffer *to, uint64_t sequence, struct bytes payload);
/* ERROR_MALFORMED (no magic), ERROR_BAD_VERSION, ERROR_BAD_CHECKSUM. The payload points into `slot`. */
enum error anchor_file_slot_decode(struct bytes slot, uint64_t *sequence, struct bytes *payload);

#endif
