#include "tests/trial/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_MAX 64
#define NAMES_MAX 16

enum change_kind { WRITE, TRUNCATE, NAME };

struct image {
	uint8_t *bytes;
	size_t size;
};

struct file {
	ino_t inode; /* 0: another file has its number now */
	struct image held;
};

struct change {
	struct change *next;
	enum change_kind kind;
	struct file *file; /* NAME: what it names; NULL: nothing any more */
	char name[DRIVE_NAME_SIZE];
	size_t offset; /* TRUNCATE: the size */
	size_t size;
	uint8_t bytes[];
};

struct name {
	char name[DRIVE_NAME_SIZE];
	struct file *file; /* NULL: there is none of that name */
};

/* The C library's calls have no place for a context. */
static struct drive {
	char directory[PATH_MAX];
	struct file files[FILES_MAX];
	size_t files_count;
	struct name names[NAMES_MAX]; /* on the drive */
	size_t names_count;
	struct change *first; /* not synced, in order */
	struct change **last;
	drive_at_sync *at_sync;
	void *context;
	bool lies;
} drive = {.last = &drive.first};

static void *must(void *memory)
{
	if (memory != NULL)
		return memory;
	fputs("drive: no memory\n", stderr);
	abort();
}

static void check(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
	abort();
}

/* ---- the calls below ---- */

static int open_below(const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static ssize_t pwrite_below(int fd, const void *bytes, size_t size, off_t offset)
{
	return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

static int unlink_below(const char *path)
{
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* ---- images ---- */

static void image_resize(struct image *image, size_t size)
{
	image->bytes = must(realloc(image->bytes, size + 1));
	if (size > image->size)
		memset(image->bytes + image->size, 0, size - image->size);
	image->size = size;
}

static void image_write(struct image *image, const uint8_t *bytes, size_t size, size_t offset)
{
	if (offset + size > image->size)
		image_resize(image, offset + size);
	memcpy(image->bytes + offset, bytes, size);
}

/* Each sector of it is there or not. */
static void image_tear(struct image *image, const struct change *change, uint64_t seed)
{
	for (size_t at = 0; at < change->size; seed = drive_mix(seed)) {
		size_t left = DRIVE_SECTOR_SIZE - (change->offset + at) % DRIVE_SECTOR_SIZE;
		size_t size = left < change->size - at ? left : change->size - at;
		if (seed % 2 == 0)
			image_write(image, change->bytes + at, size, change->offset + at);
		at += size;
	}
}

/* ---- what is on the drive ---- */

static struct file *add_file(ino_t inode)
{
	for (size_t i = 0; i < drive.files_count; i++)
		if (drive.files[i].inode == inode)
			drive.files[i].inode = 0;
	check(drive.files_count < FILES_MAX, "too many files");
	drive.files[drive.files_count] = (struct file){.inode = inode};
	return &drive.files[drive.files_count++];
}

static struct file *file_of(int fd, bool *is_directory)
{
	struct stat status;

	*is_directory = false;
	if (drive.directory[0] == '\0' || fstat(fd, &status) != 0)
		return NULL;
	*is_directory = S_ISDIR(status.st_mode);
	for (size_t i = 0; i < drive.files_count; i++)
		if (drive.files[i].inode == status.st_ino)
			return &drive.files[i];
	return NULL;
}

static struct name *name_of(const char *text)
{
	for (size_t i = 0; i < drive.names_count; i++)
		if (strcmp(drive.names[i].name, text) == 0)
			return &drive.names[i];
	check(drive.names_count < NAMES_MAX, "too many names");
	struct name *name = &drive.names[drive.names_count++];
	snprintf(name->name, sizeof(name->name), "%s", text);
	return name;
}

/* The name in our directory; NULL: it is elsewhere. */
static const char *name_in(const char *path)
{
	size_t size = strlen(drive.directory);

	if (size == 0)
		return NULL;
	if (path[0] == '/' && (strncmp(path, drive.directory, size) != 0 || path[size] != '/'))
		return NULL;
	const char *name = path[0] == '/' ? path + size + 1 : path;
	return strchr(name, '/') == NULL && strlen(name) < DRIVE_NAME_SIZE ? name : NULL;
}

static struct change *add_change(enum change_kind kind, struct file *file, size_t size)
{
	struct change *change = must(calloc(1, sizeof(*change) + size));

	change->kind = kind;
	change->file = file;
	change->size = size;
	*drive.last = change;
	drive.last = &change->next;
	return change;
}

static void add_name(const char *name, struct file *file)
{
	struct change *change = add_change(NAME, file, 0);
	snprintf(change->name, sizeof(change->name), "%s", name);
}

static void apply(const struct change *change)
{
	if (change->kind == NAME)
		name_of(change->name)->file = change->file;
	else if (change->kind == TRUNCATE)
		image_resize(&change->file->held, change->offset);
	else
		image_write(&change->file->held, change->bytes, change->size, change->offset);
}

/* What it is of comes to the drive: a file, or (NULL) the directory, or everything. */
static void settle(const struct file *file, bool everything)
{
	struct change **at = &drive.first;

	while (*at != NULL) {
		struct change *change = *at;
		bool is_it =
			file == NULL ? change->kind == NAME : change->kind != NAME && change->file == file;
		if (!is_it && !everything) {
			at = &change->next;
			continue;
		}
		apply(change);
		*at = change->next;
		free(change);
	}
	drive.last = at;
}

/* ---- the calls that are followed ---- */

int open(const char *path, int flags, ...)
{
	const char *name = name_in(path);
	struct stat status;
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	bool makes = name != NULL && (flags & O_CREAT) != 0 && lstat(path, &status) != 0;
	int fd = open_below(path, flags, mode);
	if (fd < 0 || !makes)
		return fd;
	check(fstat(fd, &status) == 0, "a new file");
	add_name(name, add_file(status.st_ino));
	return fd;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	ssize_t written = pwrite_below(fd, bytes, size, offset);
	bool is_directory;
	struct file *file = file_of(fd, &is_directory);

	if (written <= 0 || file == NULL)
		return written;
	struct change *change = add_change(WRITE, file, (size_t)written);
	change->offset = (size_t)offset;
	memcpy(change->bytes, bytes, (size_t)written);
	return written;
}

int ftruncate(int fd, off_t size)
{
	int result = (int)syscall(SYS_ftruncate, fd, size);
	bool is_directory;
	struct file *file = file_of(fd, &is_directory);

	if (result == 0 && file != NULL)
		add_change(TRUNCATE, file, 0)->offset = (size_t)size;
	return result;
}

int unlink(const char *path)
{
	const char *name = name_in(path);
	int result = unlink_below(path);

	if (result == 0 && name != NULL)
		add_name(name, NULL);
	return result;
}

/* The directory below is no real disk: there is nothing to be waited for. */
static int sync_followed(int fd)
{
	bool is_directory;
	struct file *file = file_of(fd, &is_directory);

	if (file == NULL && !is_directory)
		return 0;
	if (drive.at_sync != NULL)
		drive.at_sync(drive.context);
	if (!drive.lies)
		settle(file, false);
	return 0;
}

int fsync(int fd)
{
	return sync_followed(fd);
}

int fdatasync(int fd)
{
	return sync_followed(fd);
}

/* ---- the power ---- */

void drive_enter(const char *directory)
{
	check(mkdir(directory, 0700) == 0 && chdir(directory) == 0, directory);
	check(getcwd(drive.directory, sizeof(drive.directory)) != NULL, directory);
}

void drive_watch(drive_at_sync *at_sync, void *context)
{
	drive.at_sync = at_sync;
	drive.context = context;
}

void drive_lie(void)
{
	drive.lies = true;
}

void drive_settle(void)
{
	settle(NULL, true);
}

void drive_put(const char *name, const void *bytes, size_t size)
{
	int fd = open_below(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat status;

	check(fd >= 0 && pwrite_below(fd, bytes, size, 0) == (ssize_t)size && fstat(fd, &status) == 0, name);
	close(fd);
	struct file *file = add_file(status.st_ino);
	image_write(&file->held, bytes, size, 0);
	name_of(name)->file = file;
}

void drive_empty(void)
{
	drive_settle();
	for (size_t i = 0; i < drive.names_count; i++) {
		if (drive.names[i].file != NULL)
			check(unlink_below(drive.names[i].name) == 0, drive.names[i].name);
		drive.names[i].file = NULL;
	}
}

void drive_leave(void)
{
	drive_empty();
	check(chdir("..") == 0 && rmdir(drive.directory) == 0, drive.directory);
}

static bool is_as_held(const struct name *name)
{
	const struct image *held = &name->file->held;
	uint8_t *bytes = must(malloc(held->size + 1));
	int fd = open_below(name->name, O_RDONLY | O_CLOEXEC, 0);
	bool same = fd >= 0 && pread(fd, bytes, held->size + 1, 0) == (ssize_t)held->size &&
		    memcmp(bytes, held->bytes, held->size) == 0;

	if (fd >= 0)
		close(fd);
	free(bytes);
	return same;
}

/* Had all of it come to the drive, it would be what the files are. It is done in a copy. */
static bool knows_all(void)
{
	struct drive kept = drive;
	bool well = true;

	for (size_t i = 0; i < drive.files_count; i++) {
		struct image *held = &drive.files[i].held;
		*held = (struct image){NULL, 0};
		image_write(held,
			    kept.files[i].held.size > 0 ? kept.files[i].held.bytes : (const uint8_t *)"",
			    kept.files[i].held.size, 0);
	}
	for (const struct change *change = drive.first; change != NULL; change = change->next)
		apply(change);
	for (size_t i = 0; i < drive.names_count; i++)
		well = well && (drive.names[i].file == NULL || is_as_held(&drive.names[i]));
	for (size_t i = 0; i < drive.files_count; i++)
		free(drive.files[i].held.bytes);
	drive = kept;
	return well;
}

/* How the power goes: with nothing, with everything, in order, or as it comes. */
static void lose(uint64_t seed)
{
	uint64_t way = drive_mix(seed) % 8;
	bool gone = way == 0;

	for (struct change *change = drive.first; change != NULL; change = change->next) {
		seed = drive_mix(seed);
		if (way == 2)
			gone = gone || seed % 4 == 0;
		if (way >= 3)
			gone = seed % 3 == 0;
		bool torn = change->kind == WRITE && way > 2 && seed % 3 == 1;
		if (torn)
			image_tear(&change->file->held, change, drive_mix(~seed));
		else if (!gone)
			apply(change);
	}
	while (drive.first != NULL) {
		struct change *change = drive.first;
		drive.first = change->next;
		free(change);
	}
	drive.last = &drive.first;
}

bool drive_lose_power(uint64_t seed, const char *directory)
{
	bool knew = knows_all();
	struct drive *before = must(malloc(sizeof(*before)));

	lose(seed);
	*before = drive;
	drive.files_count = 0;
	drive.names_count = 0;
	drive_enter(directory);
	for (size_t i = 0; i < before->names_count; i++) {
		const struct file *file = before->names[i].file;
		if (file != NULL)
			drive_put(before->names[i].name,
				  file->held.bytes != NULL ? file->held.bytes : (const uint8_t *)"",
				  file->held.size);
	}
	free(before);
	return knew;
}
