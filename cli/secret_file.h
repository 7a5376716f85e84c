/*
 * Files that hold secrets under a passphrase: officers' keys, the authority's keys, reserved keyings,
 * backups' keys.
 *
 * One CBOR array:
 *   ["liaison secret file", 1, purpose: tstr, public: bstr, operations: uint, memory_kib: uint, salt: bstr16,
 *    nonce: bstr24, ciphertext: bstr]
 * The key is Argon2id (RFC 9106, one lane) of the passphrase; the cipher XChaCha20-Poly1305, whose additional
 * data is the encoded array's first eight elements, each as it stands: nothing in the file can be changed
 * unseen, and `public` (names and public keys, readable without the passphrase) is bound to the secret.
 */
#ifndef CLI_SECRET_FILE_H
#define CLI_SECRET_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/command.h"

#define SECRET_FILE_SIZE_MAX (2 * 1024 * 1024) /* reserved keyings of 63 slots are 1 MiB */
#define PASSPHRASE_SIZE_MAX  1024
#define PASSPHRASE_SIZE_MIN  8

struct secret_file {
	uint8_t *memory; /* locked and wiped by secret_file_close */
	size_t memory_size;
	struct bytes public_part;
	struct bytes secret;
};

struct passphrase {
	char text[PASSPHRASE_SIZE_MAX + 1];
	size_t size;
};

/*
 * The passphrase for `what`: from --passphrase-file or LIAISON_PASSPHRASE_FILE (first line), else asked on
 * the terminal without echo; twice if `is_new`. A line of more than PASSPHRASE_SIZE_MAX bytes, or with a NUL
 * in it, is refused. False after an error message. The caller wipes it with passphrase_wipe.
 */
bool passphrase_get(const struct call *call, const char *what, bool is_new, struct passphrase *passphrase);
void passphrase_wipe(struct passphrase *passphrase);

/*
 * Writes a new file (mode 0600, O_EXCL: an existing one is never overwritten), synced with its directory.
 * False after an error message, and no file is left.
 */
bool secret_file_write(const struct call *call, const char *path, const char *purpose,
		       struct bytes public_part, struct bytes secret, const struct passphrase *passphrase);

/* Reads only the public part; `memory` is freed by secret_file_close. False after an error message. */
bool secret_file_read_public(const struct call *call, const char *path, const char *purpose,
			     struct secret_file *file);

/* Opens the secret too, asking for the passphrase. False after an error message. */
bool secret_file_open(const struct call *call, const char *path, const char *purpose,
		      struct secret_file *file);
void secret_file_close(struct secret_file *file);

#endif
