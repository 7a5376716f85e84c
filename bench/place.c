#include "bench/place.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "bench/wait.h"

#define PARENT_DEFAULT   "/var/tmp"
#define OPEN_DIRECTORIES 16
#define XFS_MAGIC        0x58465342
#define ZFS_MAGIC        0x2fc12fc1
#define BCACHEFS_MAGIC   0xca451a4e

static const struct {
	uint32_t magic;
	bool in_memory;
	const char *name;
} file_systems[] = {
	{TMPFS_MAGIC, true, "tmpfs"},
	{RAMFS_MAGIC, true, "ramfs"},
	{HUGETLBFS_MAGIC, true, "hugetlbfs"},
	{EXT4_SUPER_MAGIC, false, "ext4"},
	{BTRFS_SUPER_MAGIC, false, "btrfs"},
	{XFS_MAGIC, false, "xfs"},
	{ZFS_MAGIC, false, "zfs"},
	{BCACHEFS_MAGIC, false, "bcachefs"},
	{F2FS_SUPER_MAGIC, false, "f2fs"},
	{NFS_SUPER_MAGIC, false, "nfs"},
	{OVERLAYFS_SUPER_MAGIC, false, "overlayfs"},
};

static bool check_file_system(struct place *place, const char *parent)
{
	struct statfs status;
	if (statfs(parent, &status) != 0)
		return fail("%s: %s", parent, strerror(errno));
	place->file_system = "unknown";
	for (size_t i = 0; i < sizeof file_systems / sizeof file_systems[0]; i++) {
		if ((uint32_t)status.f_type != file_systems[i].magic)
			continue;
		if (file_systems[i].in_memory)
			return fail("%s is on %s, in memory, where a sync costs nothing: name a directory on "
				    "a disk "
				    "with --dir",
				    parent, file_systems[i].name);
		place->file_system = file_systems[i].name;
	}
	return true;
}

/* The first of the folders that has the program. */
static bool find_program(const char *name, const char *const folders[], char path[PROGRAM_SIZE_MAX])
{
	for (size_t i = 0; folders[i] != NULL; i++) {
		int size = snprintf(path, PROGRAM_SIZE_MAX, "%s/%s", folders[i], name);
		if (size > 0 && size < PROGRAM_SIZE_MAX && access(path, R_OK) == 0)
			return true;
	}
	return fail("%s is missing: build it, or name its folder with --bin", name);
}

static bool find_programs(struct place *place, const char *bin)
{
	char own[PROGRAM_SIZE_MAX], cli[PROGRAM_SIZE_MAX + 16], post[PROGRAM_SIZE_MAX + 16],
		courier[PROGRAM_SIZE_MAX + 16];
	ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
	if (size <= 0)
		return fail("cannot find the folder of this program: %s", strerror(errno));
	own[size] = '\0';
	const char *folder = dirname(own);
	snprintf(cli, sizeof cli, "%s/../cli", folder);
	snprintf(post, sizeof post, "%s/../post", folder);
	snprintf(courier, sizeof courier, "%s/../courier", folder);
	const char *const own_folders[] = {folder, NULL};
	const char *const built[] = {folder, cli, post, courier, NULL};
	const char *const named[] = {bin, NULL};
	const char *const *folders = bin != NULL ? named : built;
	return find_program("bench-syncs.so", own_folders, place->preload) &&
	       find_program("liaison", folders, place->liaison) &&
	       find_program("liaisond", folders, place->liaisond) &&
	       find_program("liaison-courierd", folders, place->courierd);
}

bool place_make(struct place *place, const char *parent, const char *bin)
{
	char resolved[PATH_MAX], resolved_bin[PATH_MAX];
	*place = (struct place){0};
	if (realpath(parent != NULL ? parent : PARENT_DEFAULT, resolved) == NULL)
		return fail("%s: %s", parent != NULL ? parent : PARENT_DEFAULT, strerror(errno));
	if (bin != NULL && realpath(bin, resolved_bin) == NULL)
		return fail("%s: %s", bin, strerror(errno));
	if (!check_file_system(place, resolved) || !find_programs(place, bin != NULL ? resolved_bin : NULL))
		return false;
	int size = snprintf(place->directory, sizeof place->directory, "%s/bench-line-XXXXXX", resolved);
	if (size < 0 || (size_t)size >= sizeof place->directory) {
		place->directory[0] = '\0';
		return fail("the path of %s is too long for the sockets inside: name another directory with "
			    "--dir",
			    resolved);
	}
	if (mkdtemp(place->directory) == NULL) {
		place->directory[0] = '\0';
		return fail("no directory can be made in %s: %s", resolved, strerror(errno));
	}
	return true;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *position)
{
	(void)status;
	(void)kind;
	(void)position;
	return remove(path);
}

void place_remove(struct place *place)
{
	if (place->directory[0] != '\0')
		nftw(place->directory, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
	place->directory[0] = '\0';
}
