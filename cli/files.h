/*
 * Small files, read whole and written so that they survive a power cut.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "cli/command.h"

/*
 * Reads a regular file (or standard input for "-") of at most size_max bytes. *memory is malloc'ed, for the
 * caller to free. False after an error message (missing, a directory, too large, a device).
 */
bool file_read(const struct call *call, const char *path, size_t size_max, uint8_t **memory,
	       struct bytes *bytes);

/* Opens a regular file, for the caller to read and to close. NULL after an error message. */
FILE *file_open(const struct call *call, const char *path);

/* As file_read, for a file with a secret: one that others may read or change is refused. Never "-". */
bool file_read_secret(const struct call *call, const char *path, size_t size_max, uint8_t **memory,
		      struct bytes *bytes);

/* False, after an error message that says chmod 600, if others may read or change the regular file that is
 * open; what is no regular file, such as a pipe, passes. */
bool file_is_private(const struct call *call, const char *path, int fd);

/* Writes a new file with `mode`, synced with its directory. Never overwrites. False after an error message.
 */
bool file_create(const struct call *call, const char *path, struct bytes bytes, unsigned int mode);

/* Tries whether file_create would take `size` bytes at `path`; nothing stays there. False after an error
 * message. */
bool file_try(const struct call *call, const char *path, size_t size);

/* Replaces a file: a new one beside it, synced, renamed over it, directory synced. False after an error
 * message. */
bool file_replace(const struct call *call, const char *path, struct bytes bytes, unsigned int mode);

/* Makes a directory with mode 0700; one of our user that is there and empty, but for a lost+found, is taken
 * as it is and given that mode. False after an error message. */
bool directory_create(const struct call *call, const char *path);

/* Syncs the directory that holds `path`: what was made or renamed there stays. False with errno. */
bool directory_sync_of(const char *path);

/* Overwrites a file with zeros, syncs it, and removes it. False after an error message. */
bool file_erase(const struct call *call, const char *path);

/* "DIRECTORY/NAME" into `path`. False after an error message if it does not fit. */
bool path_join(const struct call *call, const char *directory, const char *name, char *path,
	       size_t path_size);

#endif
