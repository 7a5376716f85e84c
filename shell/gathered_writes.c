#include "shell/gathered_writes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gathered_file {
	sqlite3_file file; /* first: SQLite's own part */
	sqlite3_file *below;
	uint8_t *bytes; /* NULL until the first write */
	size_t size;    /* of what is not handed on */
	sqlite3_int64 offset;
};

static size_t own_size(void)
{
	return (sizeof(struct gathered_file) + 15) / 16 * 16;
}

static struct gathered_file *own(sqlite3_file *file)
{
	return (struct gathered_file *)(void *)file;
}

/* Hands on what is gathered. Whether it can be written or not, it is gone from here: pages may hold keys. */
static int hand_on(struct gathered_file *own)
{
	size_t size = own->size;
	int result;

	if (size == 0)
		return SQLITE_OK;
	own->size = 0;
	result = own->below->pMethods->xWrite(own->below, own->bytes, (int)size, own->offset);
	explicit_bzero(own->bytes, size);
	return result;
}

static int close_file(sqlite3_file *file)
{
	struct gathered_file *gathered = own(file);
	int result = hand_on(gathered);
	int closed = gathered->below->pMethods->xClose(gathered->below);

	free(gathered->bytes);
	gathered->bytes = NULL;
	return result != SQLITE_OK ? result : closed;
}

static int read_file(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
	struct gathered_file *gathered = own(file);
	bool overlaps =
		offset < gathered->offset + (sqlite3_int64)gathered->size && gathered->offset < offset + size;
	int result = overlaps ? hand_on(gathered) : SQLITE_OK;

	return result != SQLITE_OK ? result
				   : gathered->below->pMethods->xRead(gathered->below, data, size, offset);
}

static int write_file(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
	struct gathered_file *gathered = own(file);
	bool follows = offset == gathered->offset + (sqlite3_int64)gathered->size &&
		       (size_t)size <= GATHERED_SIZE_MAX - gathered->size;
	int result = follows ? SQLITE_OK : hand_on(gathered);

	if (result != SQLITE_OK)
		return result;
	if (gathered->bytes == NULL)
		gathered->bytes = malloc(GATHERED_SIZE_MAX);
	if (gathered->bytes == NULL || (size_t)size > GATHERED_SIZE_MAX) {
		result = hand_on(gathered);
		return result != SQLITE_OK
			       ? result
			       : gathered->below->pMethods->xWrite(gathered->below, data, size, offset);
	}
	if (gathered->size == 0)
		gathered->offset = offset;
	memcpy(gathered->bytes + gathered->size, data, (size_t)size);
	gathered->size += (size_t)size;
	return SQLITE_OK;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
	int result = hand_on(own(file));

	return result != SQLITE_OK ? result : own(file)->below->pMethods->xTruncate(own(file)->below, size);
}

static int sync_file(sqlite3_file *file, int flags)
{
	int result = hand_on(own(file));

	return result != SQLITE_OK ? result : own(file)->below->pMethods->xSync(own(file)->below, flags);
}

static int size_of_file(sqlite3_file *file, sqlite3_int64 *size)
{
	int result = hand_on(own(file));

	return result != SQLITE_OK ? result : own(file)->below->pMethods->xFileSize(own(file)->below, size);
}

static int lock_file(sqlite3_file *file, int level)
{
	return own(file)->below->pMethods->xLock(own(file)->below, level);
}

static int unlock_file(sqlite3_file *file, int level)
{
	int result = hand_on(own(file));
	int unlocked = own(file)->below->pMethods->xUnlock(own(file)->below, level);

	return result != SQLITE_OK ? result : unlocked;
}

static int check_reserved_lock(sqlite3_file *file, int *reserved)
{
	return own(file)->below->pMethods->xCheckReservedLock(own(file)->below, reserved);
}

static int control_file(sqlite3_file *file, int operation, void *argument)
{
	return own(file)->below->pMethods->xFileControl(own(file)->below, operation, argument);
}

static int sector_size(sqlite3_file *file)
{
	return own(file)->below->pMethods->xSectorSize(own(file)->below);
}

static int device_characteristics(sqlite3_file *file)
{
	return own(file)->below->pMethods->xDeviceCharacteristics(own(file)->below);
}

/* The first version of the interface: neither shared memory nor mapped files. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = size_of_file,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_reserved_lock,
	.xFileControl = control_file,
	.xSectorSize = sector_size,
	.xDeviceCharacteristics = device_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	sqlite3_vfs *below = ((struct gathered_writes *)(void *)vfs)->below;
	struct gathered_file *gathered = own(file);
	int result;

	*gathered = (struct gathered_file){.below = (sqlite3_file *)(void *)((uint8_t *)file + own_size())};
	memset(gathered->below, 0, (size_t)below->szOsFile);
	result = below->xOpen(below, name, gathered->below, flags, flags_out);
	/* What sets its methods wants to be closed, even if it could not be opened. */
	if (gathered->below->pMethods != NULL)
		gathered->file.pMethods = &methods;
	return result;
}

const char *gathered_writes_add(struct gathered_writes *layer)
{
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);

	*layer = (struct gathered_writes){.below = below};
	if (below == NULL)
		return NULL;
	/* Each has a name of its own: a database finds the layer that it was opened with. */
	snprintf(layer->name, sizeof layer->name, "gathered-%p", (void *)layer);
	layer->vfs = *below; /* what concerns no open file is the same */
	layer->vfs.pNext = NULL;
	layer->vfs.zName = layer->name;
	layer->vfs.szOsFile = (int)own_size() + below->szOsFile;
	layer->vfs.xOpen = open_file;
	if (sqlite3_vfs_register(&layer->vfs, 0) == SQLITE_OK)
		return layer->name;
	layer->below = NULL;
	return NULL;
}

void gathered_writes_remove(struct gathered_writes *layer)
{
	if (layer->below != NULL)
		sqlite3_vfs_unregister(&layer->vfs);
	layer->below = NULL;
}
