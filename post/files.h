/*
 * Whole reads and writes, and directory syncs: a rename or a new name is durable only once its directory is.
 */
#ifndef POST_FILES_H
#define POST_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"

/* Writes all of `bytes` at `offset`. ERROR_FULL where the disk is full, else ERROR_IO; errno says more. */
enum error file_write_at(int fd, struct bytes bytes, off_t offset);

/* Reads until `size` bytes or the end of the file; *got says how many. ERROR_IO with errno. */
enum error file_read_at(int fd, uint8_t *to, size_t size, off_t offset, size_t *got);

/* Syncs the directory that holds `path`. ERROR_IO with errno. */
enum error file_sync_directory_of(const char *path);

/* Reads a small regular file whole into `to`. ERROR_NOT_FOUND, ERROR_TOO_LARGE, ERROR_MALFORMED (not a
 * regular file), ERROR_IO. */
enum error file_read_small(const char *path, struct buffer *to);

/* Overwrites a file with zeros, syncs it, removes it and syncs its directory. ERROR_OK also if it is not
 * there. */
enum error file_erase(const char *path);

#endif
