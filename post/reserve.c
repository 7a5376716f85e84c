#include "post/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_NAME   "reserve"
#define KIND_LETTER 3
#define ROUTINE     1
#define IMMEDIATE   3
#define FLASH       4

static enum reserve_level level_of(uint64_t free_bytes)
{
	if (free_bytes < RESERVE_FLOOR_LAST)
		return RESERVE_LAST;
	if (free_bytes < RESERVE_FLOOR_SCARCE)
		return RESERVE_SCARCE;
	return free_bytes < RESERVE_FLOOR_LOW ? RESERVE_LOW : RESERVE_AMPLE;
}

enum reserve_level reserve_level_next(enum reserve_level before, uint64_t free_bytes)
{
	enum reserve_level without = level_of(free_bytes);
	enum reserve_level with = level_of(free_bytes < RESERVE_MARGIN ? 0 : free_bytes - RESERVE_MARGIN);

	if (without >= before)
		return without;
	return with < before ? with : before;
}

bool reserve_takes_submission(enum reserve_level level, uint64_t kind, uint64_t precedence)
{
	switch (level) {
	case RESERVE_AMPLE:
		return true;
	case RESERVE_LOW:
		return kind == KIND_LETTER || precedence > ROUTINE;
	case RESERVE_SCARCE:
		return kind == KIND_LETTER || precedence >= IMMEDIATE;
	case RESERVE_LAST:
		break;
	}
	return kind == KIND_LETTER;
}

unsigned reserve_delivery_min(enum reserve_level level)
{
	switch (level) {
	case RESERVE_AMPLE:
	case RESERVE_LOW:
		return ROUTINE;
	case RESERVE_SCARCE:
		return ROUTINE + 1;
	case RESERVE_LAST:
		break;
	}
	return FLASH + 1;
}

/* All there could be where the system does not say: then only a failed commit will tell. */
static uint64_t free_bytes(int directory)
{
	struct statvfs status;

	if (fstatvfs(directory, &status) != 0)
		return UINT64_MAX;
	return (uint64_t)status.f_bavail * status.f_frsize;
}

static bool file_is_whole(int directory)
{
	struct stat status;

	return fstatat(directory, FILE_NAME, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
	       status.st_size == RESERVE_SIZE && (uint64_t)status.st_blocks * 512 >= RESERVE_SIZE;
}

static bool make_file(int directory)
{
	int fd = openat(directory, FILE_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	bool made;

	if (fd < 0)
		return false;
	made = posix_fallocate(fd, 0, RESERVE_SIZE) == 0;
	close(fd);
	if (!made)
		unlinkat(directory, FILE_NAME, 0);
	return made;
}

void reserve_make(struct reserve *reserve, int directory)
{
	*reserve = (struct reserve){.directory = directory, .held = file_is_whole(directory)};
}

bool reserve_update(struct reserve *reserve)
{
	enum reserve_level before = reserve->level;
	uint64_t free_now = free_bytes(reserve->directory);
	uint64_t owed = reserve->held ? 0 : RESERVE_SIZE;

	/* What giving up the file has freed is for receipts: it does not raise the level again. */
	reserve->level = reserve_level_next(before, free_now < owed ? 0 : free_now - owed);
	if (reserve->level == RESERVE_LAST && reserve->held) {
		unlinkat(reserve->directory, FILE_NAME, 0);
		reserve->held = false;
	} else if (!reserve->held && free_now >= RESERVE_FLOOR_LOW + RESERVE_SIZE) {
		reserve->held = make_file(reserve->directory);
	}
	return reserve->level != before;
}
