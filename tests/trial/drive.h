/*
 * A drive that loses its power: what programs write into one directory is done, and followed by what stands
 * in the place of the C library's calls, for SQLite's as for ours. What was not synced when the power goes
 * is, by a seed, kept, dropped or torn: a write by its sectors, a truncation and a name that was made or
 * removed whole. A name is on the drive when its directory was synced, and not with its file.
 *
 * open, pwrite, ftruncate, unlink, fsync and fdatasync are followed. Whether anything was written by another
 * way is looked at each time that the power goes.
 */
#ifndef TESTS_TRIAL_DRIVE_H
#define TESTS_TRIAL_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVE_SECTOR_SIZE 512
#define DRIVE_NAME_SIZE   32

/* Before each sync of a file that is followed. */
typedef void drive_at_sync(void *context);

/* Makes a directory of that path and goes into it; all that is in it is followed. */
void drive_enter(const char *directory);
void drive_watch(drive_at_sync *at_sync, void *context); /* NULL: nobody */
/* From here on syncs are told to be done, and are not. */
void drive_lie(void);
/* All that was written is on the drive. */
void drive_settle(void);
/*
 * The power goes: `directory`, a new one, is made of what the drive holds, entered and followed. False if
 * something had been written past the drive.
 */
bool drive_lose_power(uint64_t seed, const char *directory);
/* A whole file on the drive in the place of one of that name. It must not be open. */
void drive_put(const char *name, const void *bytes, size_t size);
/* Removes all files, from the drive, too. None may be open. */
void drive_empty(void);
/* Removes the directory with what is in it. */
void drive_leave(void);

/* One number of another. */
static inline uint64_t drive_mix(uint64_t number)
{
	number += UINT64_C(0x9e3779b97f4a7c15);
	number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
	return number ^ (number >> 31);
}

#endif
