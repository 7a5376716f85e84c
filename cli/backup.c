#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
 *   head  = "liaison backup 1\n", operations u32, memory KiB u32, salt 16, secretstream header 24
 *   chunk = size u32, that many bytes of crypto_secretstream_xchacha20poly1305 ciphertext; the
 *           head is additional data of the first; the last one bears the tag FINAL, so that a backup cut
 *           short is seen
 */
#define MAGIC                 "liaison backup 1\n"
#define MAGIC_SIZE            (sizeof MAGIC - 1)
#define SALT_SIZE             crypto_pwhash_SALTBYTES
#define STREAM_HEADER_SIZE    crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define HEAD_SIZE             (MAGIC_SIZE + 8 + SALT_SIZE + STREAM_HEADER_SIZE)
#define CHUNK_SIZE_MAX        LOCAL_FRAME_SIZE_MAX
#define SEALED_CHUNK_SIZE_MAX (CHUNK_SIZE_MAX + crypto_secretstream_xchacha20poly1305_ABYTES)
#define STORE_NAME "store.db"

struct backup {
	const struct call *call;
	FILE *file;
	uint8_t head[HEAD_SIZE];
	crypto_secretstream_xchacha20poly1305_state state;
	bool begun; /* the first chunk is past: later ones have no additional data */
	uint64_t bytes;
	uint8_t sealed[SEALED_CHUNK_SIZE_MAX];
	uint8_t plain[SEALED_CHUNK_SIZE_MAX];
};

static bool derive_key(const struct backup *backup, const struct passphrase *passphrase, uint8_t key[32])
{
	const uint8_t *at = backup->head + MAGIC_SIZE;
	uint32_t operations = load_u32(at), memory_kib = load_u32(at + 4);
	if (operations < 1 || operations > 64 || memory_kib < 8 || memory_kib > 4 * 1024 * 1024)
		return false;
	return crypto_pwhash(key, 32, passphrase->text, passphrase->size, at + 8, operations,
			     (size_t)memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static bool begin_writing(struct backup *backup, const struct passphrase *passphrase)
{
	uint8_t key[32];
	memcpy(backup->head, MAGIC, MAGIC_SIZE);
	store_u32(backup->head + MAGIC_SIZE, crypto_pwhash_OPSLIMIT_MODERATE);
	store_u32(backup->head + MAGIC_SIZE + 4, crypto_pwhash_MEMLIMIT_MODERATE / 1024);
	randombytes_buf(backup->head + MAGIC_SIZE + 8, SALT_SIZE);
	if (!derive_key(backup, passphrase, key))
		return call_fail_error(backup->call, "protecting the backup", ERROR_NO_MEMORY) == 0;
	crypto_secretstream_xchacha20poly1305_init_push(&backup->state,
							backup->head + HEAD_SIZE - STREAM_HEADER_SIZE, key);
	sodium_memzero(key, sizeof key);
	return fwrite(backup->head, 1, HEAD_SIZE, backup->file) == HEAD_SIZE;
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

/* Reads the head and sets the stream up. */
static bool begin_reading(struct backup *backup, const struct passphrase *passphrase)
{
	uint8_t key[32];
	if (fread(backup->head, 1, HEAD_SIZE, backup->file) != HEAD_SIZE ||
	    memcmp(backup->head, MAGIC, MAGIC_SIZE) != 0 || !derive_key(backup, passphrase, key))
		return call_fail(backup->call, "this is no backup made by liaison backup") == 0;
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
		return call_fail(backup->call, "the backup is cut short") == 0;
	if (crypto_secretstream_xchacha20poly1305_pull(&backup->state, backup->plain, &plain_size, &tag,
						       backup->sealed, sealed_size, backup->head,
						       backup->begun ? 0 : HEAD_SIZE) != 0)
		return call_fail(backup->call, "the passphrase is another, or the backup is damaged") == 0;
	backup->begun = true;
	backup->bytes += plain_size;
	*size = (size_t)plain_size;
	*last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	if (*last && fgetc(backup->file) != EOF)
		return call_fail(backup->call, "the backup has something after its end") == 0;
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

static bool open_file(struct backup *backup, const char *path, const char *mode)
{
	int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT | O_EXCL;
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	backup->file = fd >= 0 ? fdopen(fd, mode) : NULL;
	if (backup->file == NULL)
		call_fail(backup->call, "%s: %s", path, strerror(errno));
	return backup->file != NULL;
}

static bool sync_and_close(struct backup *backup, FILE *file)
{
	bool done = fflush(file) == 0 && fsync(fileno(file)) == 0;
	int reason = errno;
	done = fclose(file) == 0 && done;
	if (!done)
		call_fail(backup->call, "cannot write: %s", strerror(reason));
	return done;
}

static bool write_backup(struct backup *backup, const char *path, const struct passphrase *passphrase)
{
	struct client client;
	if (!client_open(&client, backup->call))
		return false;
	bool done = open_file(backup, path, "w");
	if (done) {
		done = begin_writing(backup, passphrase) && receive(backup, &client);
		done = sync_and_close(backup, backup->file) && done;
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
	if (!open_file(backup, path, "r"))
		return false;
	bool done = read_all(backup, passphrase, NULL);
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
	json_int_t bytes = (json_int_t)backup->bytes;
	sodium_memzero(backup, sizeof *backup);
	free(backup);
	if (done && call->json)
		return output_json(call, json_pack("{s:I, s:b}", "bytes", bytes, "verified", 1));
	return done ? 0 : 1;
}

/* The store of a new post directory, from the backup. */
static bool restore_into(struct backup *backup, const char *directory, const struct passphrase *passphrase)
{
	char path[PATH_MAX];
	if (!directory_create(backup->call, directory) ||
	    !path_join(backup->call, directory, STORE_NAME, path, sizeof path))
		return false;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *store = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (store == NULL)
		return call_fail(backup->call, "%s: %s", path, strerror(errno)) == 0;
	bool done = read_all(backup, passphrase, store);
	done = sync_and_close(backup, store) && done;
	if (!done) {
		unlink(path);
		rmdir(directory);
	}
	return done;
}

static int run_restore(struct call *call)
{
	struct passphrase passphrase;
	struct backup *backup = calloc(1, sizeof *backup);
	if (backup == NULL || !passphrase_get(call, "the backup", false, &passphrase)) {
		free(backup);
		return 1;
	}
	backup->call = call;
	bool done = open_file(backup, call->operand[0], "r");
	if (done) {
		done = restore_into(backup, call->operand[1], &passphrase);
		fclose(backup->file);
	}
	passphrase_wipe(&passphrase);
	sodium_memzero(backup, sizeof *backup);
	free(backup);
	if (done && call->json)
		return output_json(call, json_pack("{s:o}", "restored",
						   output_json_text(bytes_of_text(call->operand[1]))));
	if (done)
		fprintf(stderr,
			"Start it with liaisond --dir %s. It opens a new incarnation of its logs and says so "
			"to the\n"
			"others; what was held after the backup comes back from them.\n",
			call->operand[1]);
	return done ? 0 : 1;
}

static const struct option no_options[] = {{NULL, 0, NULL, NULL}};

const struct command command_backup = {
	.name = "backup",
	.operands = "FILE",
	.summary = "write an encrypted backup of the post while it runs, and read it back",
	.help = "Takes a consistent image of the post's store, without the keys of epochs, encrypts it under "
		"a\n"
		"passphrase into FILE, and opens FILE again to the end: it returns 0 only for a backup that "
		"can be\n"
		"restored.\n\n"
		"Example: liaison backup /media/safe/embassy.backup",
	.options = no_options,
	.operands_min = 1,
	.operands_max = 1,
	.run = run_backup,
};

const struct command command_restore = {
	.name = "restore",
	.operands = "FILE DIR",
	.summary = "make a post's directory again from a backup",
	.help = "Makes DIR with the store from the backup in FILE. The post that starts there shows no "
		"continuity with\n"
		"what was signed after the backup, so it opens a new incarnation: the line goes on at once.\n"
		"Never run it beside the post that was backed up.",
	.options = no_options,
	.operands_min = 2,
	.operands_max = 2,
	.run = run_restore,
};
