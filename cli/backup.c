#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "cli/progress.h"
#include "cli/secret_file.h"

/*
 * A backup file is a head, then chunks:
 *   head  = "liaison backup 1\n", operations u32 = 3, memory KiB u32 = 262144, salt 16, stream header 24
 *   chunk = size u32, that many bytes of crypto_secretstream_xchacha20poly1305 ciphertext; the head is
 *           additional data of the first; the last one bears the tag FINAL, so that a backup cut short is
 *           seen
 */
#define MAGIC                 "liaison backup 1\n"
#define MAGIC_SIZE            (sizeof MAGIC - 1)
#define SALT_SIZE             crypto_pwhash_SALTBYTES
#define STREAM_HEADER_SIZE    crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define HEAD_SIZE             (MAGIC_SIZE + 8 + SALT_SIZE + STREAM_HEADER_SIZE)
#define CHUNK_SIZE_MAX        LOCAL_FRAME_SIZE_MAX
#define SEALED_CHUNK_SIZE_MAX (CHUNK_SIZE_MAX + crypto_secretstream_xchacha20poly1305_ABYTES)
#define STORE_NAME            "store.db"
#define STORE_UNFINISHED_NAME "store.db.restoring" /* no post starts from it */
#define LOCK_NAME             "lock"
#define OPERATIONS            3 /* of Argon2id: libsodium's "moderate", for good in version 1 */
#define MEMORY_KIB            262144

struct backup {
	const struct call *call;
	FILE *file;
	uint8_t head[HEAD_SIZE];
	crypto_secretstream_xchacha20poly1305_state state;
	bool begun;         /* the first chunk is past: later ones have no additional data */
	uint64_t bytes;     /* of the image */
	uint64_t file_size; /* of a file that was read to its end */
	uint8_t sealed[SEALED_CHUNK_SIZE_MAX];
	uint8_t plain[SEALED_CHUNK_SIZE_MAX];
};

static bool derive_key(const struct backup *backup, const struct passphrase *passphrase, uint8_t key[32])
{
	if (crypto_pwhash(key, 32, passphrase->text, passphrase->size, backup->head + MAGIC_SIZE + 8,
			  OPERATIONS, (size_t)MEMORY_KIB * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
		return true;
	return call_fail(backup->call, "256 MiB of memory are needed for a moment, and are not there") == 0;
}

static bool begin_writing(struct backup *backup, const struct passphrase *passphrase)
{
	uint8_t key[32];
	memcpy(backup->head, MAGIC, MAGIC_SIZE);
	store_u32(backup->head + MAGIC_SIZE, OPERATIONS);
	store_u32(backup->head + MAGIC_SIZE + 4, MEMORY_KIB);
	randombytes_buf(backup->head + MAGIC_SIZE + 8, SALT_SIZE);
	if (!derive_key(backup, passphrase, key))
		return false;
	crypto_secretstream_xchacha20poly1305_init_push(&backup->state,
							backup->head + HEAD_SIZE - STREAM_HEADER_SIZE, key);
	sodium_memzero(key, sizeof key);
	return fwrite(backup->head, 1, HEAD_SIZE, backup->file) == HEAD_SIZE ||
	       call_fail(backup->call, "cannot write the backup: %s", strerror(errno)) == 0;
}

static bool write_chunk(struct backup *backup, struct bytes chunk)
{
	uint8_t size[4];
	unsigned long long sealed_size = 0;
	uint8_t tag = chunk.size == 0 ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
	crypto_secretstream_xchacha20poly1305_push(&backup->state, backup->sealed, &sealed_size, chunk.data,
						   chunk.size, backup->head, backup->begun ? 0 : HEAD_SIZE,
						   tag);
	backup->begun = true;
	backup->bytes += chunk.size;
	store_u32(size, (uint32_t)sealed_size);
	return fwrite(size, 1, sizeof size, backup->file) == sizeof size &&
	       fwrite(backup->sealed, 1, sealed_size, backup->file) == sealed_size;
}

/* Takes the image from the post, chunk by chunk. */
static bool receive(struct backup *backup, struct client *client)
{
	struct cbor_reader reply;
	size_t results;
	struct progress progress = progress_start("backing up, bytes", 0);
	client_begin(client, LOCAL_BACKUP, 0);
	if (!client_ask(client, backup->call, "backing up", &reply, &results))
		return false;
	for (bool more = true; more;) {
		struct bytes frame;
		enum error error = client_next(client, &frame);
		struct cbor_reader reader = cbor_reader_make(frame);
		cbor_read_array_exact(&reader, 3);
		uint64_t number = error == ERROR_OK ? cbor_read_uint(&reader) : 0;
		if (error == ERROR_OK && number == 0)
			continue; /* a notice */
		uint64_t code = cbor_read_uint_max(&reader, UINT16_MAX);
		struct bytes chunk = code == 0 ? cbor_read_bytes(&reader, CHUNK_SIZE_MAX) : bytes_make("", 0);
		if (error == ERROR_OK)
			error = code != 0 ? (enum error)code : cbor_read_end(&reader);
		if (error != ERROR_OK)
			return call_fail_error(backup->call, "the post's image", error) == 0;
		if (!write_chunk(backup, chunk))
			return call_fail(backup->call, "cannot write the backup: %s", strerror(errno)) == 0;
		progress_show(&progress, backup->bytes);
		more = chunk.size > 0;
	}
	progress_end(&progress);
	return true;
}

static bool read_head(struct backup *backup)
{
	const uint8_t *numbers = backup->head + MAGIC_SIZE;
	if (fread(backup->head, 1, HEAD_SIZE, backup->file) == HEAD_SIZE &&
	    memcmp(backup->head, MAGIC, MAGIC_SIZE) == 0 && load_u32(numbers) == OPERATIONS &&
	    load_u32(numbers + 4) == MEMORY_KIB) {
		backup->file_size = HEAD_SIZE;
		return true;
	}
	return call_fail(backup->call,
			 "this is no backup made by liaison backup, or its beginning is damaged") == 0;
}

/* Sets the stream up, after its head. */
static bool begin_reading(struct backup *backup, const struct passphrase *passphrase)
{
	uint8_t key[32];
	if (!derive_key(backup, passphrase, key))
		return false;
	crypto_secretstream_xchacha20poly1305_init_pull(&backup->state,
							backup->head + HEAD_SIZE - STREAM_HEADER_SIZE, key);
	sodium_memzero(key, sizeof key);
	return true;
}

/* The next chunk into backup->plain. False after an error message. *last: it was the last one. */
static bool read_chunk(struct backup *backup, size_t *size, bool *last)
{
	uint8_t length[4], tag = 0;
	unsigned long long plain_size = 0;
	size_t sealed_size =
		fread(length, 1, sizeof length, backup->file) == sizeof length ? load_u32(length) : 0;
	if (sealed_size < crypto_secretstream_xchacha20poly1305_ABYTES ||
	    sealed_size > SEALED_CHUNK_SIZE_MAX ||
	    fread(backup->sealed, 1, sealed_size, backup->file) != sealed_size)
		return call_fail(backup->call, "the backup is cut short, or damaged") == 0;
	if (crypto_secretstream_xchacha20poly1305_pull(&backup->state, backup->plain, &plain_size, &tag,
						       backup->sealed, sealed_size, backup->head,
						       backup->begun ? 0 : HEAD_SIZE) != 0)
		return call_fail(backup->call, backup->begun ? "the backup is damaged"
							     : "the passphrase is another, or the backup "
							       "is damaged") == 0;
	backup->begun = true;
	backup->bytes += plain_size;
	*size = (size_t)plain_size;
	*last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	backup->file_size += sizeof length + sealed_size;
	if (*last && fgetc(backup->file) != EOF)
		return call_fail(backup->call, "the backup is damaged: something follows its end") == 0;
	return true;
}

/* Opens every chunk; with `to`, writes the image there. */
static bool read_all(struct backup *backup, const struct passphrase *passphrase, FILE *to)
{
	struct progress progress = progress_start(to != NULL ? "restoring, bytes" : "verifying, bytes", 0);
	bool done = begin_reading(backup, passphrase), last = false;
	while (done && !last) {
		size_t size = 0;
		done = read_chunk(backup, &size, &last);
		if (done && to != NULL && fwrite(backup->plain, 1, size, to) != size)
			done = call_fail(backup->call, "cannot write the store: %s", strerror(errno)) == 0;
		progress_show(&progress, backup->bytes);
	}
	progress_end(&progress);
	return done;
}

static bool open_to_read(struct backup *backup, const char *path)
{
	backup->file = file_open(backup->call, path);
	return backup->file != NULL;
}

/* Never over a file that is there. */
static bool open_to_write(struct backup *backup, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	backup->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (fd < 0 && errno == EEXIST)
		call_fail(backup->call, "%s exists already: nothing was written", path);
	else if (backup->file == NULL)
		call_fail(backup->call, "cannot write %s: %s", path, strerror(errno));
	return backup->file != NULL;
}

/* `done`: all was written. If not, it was said why. */
static bool sync_and_close(struct backup *backup, FILE *file, const char *path, bool done)
{
	bool synced = fflush(file) == 0 && fsync(fileno(file)) == 0;
	int reason = errno;
	synced = fclose(file) == 0 && synced;
	if (done && !synced)
		call_fail(backup->call, "cannot write %s: %s", path, strerror(reason));
	return done && synced;
}

static bool write_backup(struct backup *backup, const char *path, const struct passphrase *passphrase)
{
	struct client client;
	if (!client_open(&client, backup->call))
		return false;
	bool done = open_to_write(backup, path);
	if (done) {
		done = begin_writing(backup, passphrase) && receive(backup, &client);
		done = sync_and_close(backup, backup->file, path, done);
		if (done && !directory_sync_of(path))
			done = call_fail(backup->call, "cannot write %s: %s", path, strerror(errno)) == 0;
		if (!done)
			unlink(path);
	}
	client_close(&client);
	return done;
}

/* Reads back what was written: a backup that cannot be opened is none. */
static bool verify_backup(struct backup *backup, const char *path, const struct passphrase *passphrase,
			  uint64_t bytes)
{
	backup->begun = false;
	backup->bytes = 0;
	if (!open_to_read(backup, path))
		return false;
	bool done = read_head(backup) && read_all(backup, passphrase, NULL);
	fclose(backup->file);
	if (done && backup->bytes != bytes)
		done = call_fail(backup->call, "the backup does not read back as it was written") == 0;
	return done;
}

static int run_backup(struct call *call)
{
	struct passphrase passphrase;
	struct backup *backup = calloc(1, sizeof *backup);
	if (backup == NULL || !passphrase_get(call, "the backup", true, &passphrase)) {
		free(backup);
		return 1;
	}
	backup->call = call;
	bool done = write_backup(backup, call->operand[0], &passphrase) &&
		    verify_backup(backup, call->operand[0], &passphrase, backup->bytes);
	passphrase_wipe(&passphrase);
	json_int_t bytes = (json_int_t)backup->file_size;
	sodium_memzero(backup, sizeof *backup);
	free(backup);
	if (done && call->json)
		return output_json(call, json_pack("{s:I, s:b}", "bytes", bytes, "verified", 1));
	if (done)
		printf("%s: %lld bytes, read back to the end: with its passphrase it can be restored\n",
		       call->operand[0], (long long)bytes);
	return done ? 0 : 1;
}

/* ---- restoring ---- */

/* True if a post runs in the directory: its daemon holds the lock. */
static bool is_running(const char *directory)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof path, "%s/%s", directory, LOCK_NAME);
	int fd = size > 0 && (size_t)size < sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	if (fd < 0)
		return false;
	bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

/* Only a directory that is empty or not there yet is taken. */
static bool take_directory(const struct backup *backup, const char *directory)
{
	if (is_running(directory))
		return call_fail(backup->call, "a post runs in %s: nothing was touched; name a new directory",
				 directory) == 0;
	return directory_create(backup->call, directory);
}

/* The store appears whole or not at all: no post can start from a part of it. */
static bool write_store(struct backup *backup, const char *directory, const struct passphrase *passphrase)
{
	char unfinished[PATH_MAX], path[PATH_MAX];
	if (!path_join(backup->call, directory, STORE_UNFINISHED_NAME, unfinished, sizeof unfinished) ||
	    !path_join(backup->call, directory, STORE_NAME, path, sizeof path))
		return false;
	int fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *store = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (store == NULL)
		return call_fail(backup->call, "%s: %s", unfinished, strerror(errno)) == 0;
	bool done = sync_and_close(backup, store, unfinished, read_all(backup, passphrase, store));
	if (done && (rename(unfinished, path) != 0 || !directory_sync_of(path)))
		done = call_fail(backup->call, "cannot write %s: %s", path, strerror(errno)) == 0;
	if (!done) {
		unlink(unfinished);
		unlink(path);
	}
	return done;
}

static bool restore_into(struct backup *backup, const char *directory, const struct passphrase *passphrase)
{
	bool was_there = access(directory, F_OK) == 0;
	if (!take_directory(backup, directory))
		return false;
	bool done = write_store(backup, directory, passphrase);
	if (!done && !was_there)
		rmdir(directory);
	return done;
}

static int run_restore(struct call *call)
{
	struct passphrase passphrase;
	struct backup *backup = calloc(1, sizeof *backup);
	if (backup == NULL)
		return call_fail_error(call, "restoring", ERROR_NO_MEMORY);
	backup->call = call;
	bool done = open_to_read(backup, call->operand[0]);
	if (done) {
		done = read_head(backup) && passphrase_get(call, "the backup", false, &passphrase);
		if (done) {
			done = restore_into(backup, call->operand[1], &passphrase);
			passphrase_wipe(&passphrase);
		}
		fclose(backup->file);
	}
	sodium_memzero(backup, sizeof *backup);
	free(backup);
	if (done && call->json)
		return output_json(call, json_pack("{s:o}", "restored",
						   output_json_text(bytes_of_text(call->operand[1]))));
	if (done)
		fprintf(stderr,
			"Now start liaisond --dir %s, and its courier with that directory's socket in its\n"
			"configuration. liaison restore --help says what comes back, and what to do next.\n",
			call->operand[1]);
	return done ? 0 : 1;
}

static const struct option no_options[] = {{NULL, 0, NULL, NULL}};

const struct command command_backup = {
	.name = "backup",
	.operands = "FILE",
	.summary = "write an encrypted backup of the post while it runs, and read it back",
	.help = "Takes a consistent image of the post's store while it works, encrypts it under a\n"
		"passphrase into FILE, and opens FILE again to the end: it returns 0, and says\n"
		"how many bytes FILE has, only for a backup that can be restored.\n\n"
		"The image holds the record, the registry, the post's own keys, its last-resort\n"
		"key and the PSKs that go with it. It never holds the keys of epochs: whoever\n"
		"finds a backup and its passphrase can speak as the post and read what is sealed\n"
		"by last resort, but not what was sealed to an epoch. It holds neither the anchor\n"
		"nor the courier's directory: keep those where they are.\n\n"
		"Make one after every keying and every channel that was opened, and then as often\n"
		"as you can do without what only this post has seen.\n\n"
		"Example: liaison backup /media/safe/embassy.backup",
	.options = no_options,
	.takes = TAKES_POST | TAKES_PASSPHRASE,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the backup was made and read back",
	.run = run_backup,
};

const struct command command_restore = {
	.name = "restore",
	.operands = "FILE DIR",
	.summary = "make a post's directory again from a backup",
	.help = "Makes DIR, which must be new or empty, with the store from the backup in FILE.\n"
		"Then:\n\n"
		"  1. Make sure that the post that was backed up runs nowhere, and never will:\n"
		"     two of one post are shown on both sides as a log that branched.\n"
		"  2. Start liaisond --dir DIR. If the old anchor survives, add --anchor FILE.\n"
		"  3. Name DIR/courier.sock as the post in the courier's configuration, and start\n"
		"     the courier, best with its old directory: it knows which numbers were used.\n"
		"     Before it is there nothing can be sent.\n"
		"  4. Watch liaison status. Sign no letters before it shows nothing as missing.\n"
		"  5. Accept the spare keying that the other side made beforehand (keying make\n"
		"     with the next number), if its file is kept here; or let a new one be\n"
		"     made, with a number that neither side has used, and carried by hand.\n\n"
		"The post opens a new incarnation of its logs (EMBASSY.2 0001/26), and the line\n"
		"goes on at once, by last resort until step 5. It asks the others for what it\n"
		"received and what it sent after the backup: that comes back to its old numbers.\n"
		"What nobody else holds, a message that had not left or was on its way, is lost:\n"
		"it is shown as missing on both sides, and accuses nobody. A backup that is older\n"
		"than the keying in use speaks at once, and hears only after step 5; one that is\n"
		"older than a channel knows nothing of it.\n\n"
		"Example: liaison restore /media/safe/embassy.backup /var/lib/liaison/embassy",
	.options = no_options,
	.takes = TAKES_PASSPHRASE,
	.operands_min = 2,
	.operands_max = 2,
	.lasting = "the post was restored",
	.run = run_restore,
};
