/* Both names of each call are meant as they stand: the short one is not to become the long one. */
#undef _FILE_OFFSET_BITS

#include "tests/faults/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's own, by the names that it keeps for those who stand before them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

#define FRESH         0xa5
#define FREED         0xdb
#define FILL_SIZE_MAX 65536 /* more of one piece would only take time */

/* What stands before the C library is called without a context: this is all of its state. */
static struct {
	struct fail_plan plan;
	bool armed;
	bool happened;
	unsigned calls[FAIL_CLASSES];
	long held;
	enum fail_scope scope;
} fail;

void fail_arm(struct fail_plan plan)
{
	memset(fail.calls, 0, sizeof fail.calls);
	fail.plan = plan;
	fail.happened = false;
	fail.armed = true;
}

void fail_disarm(void)
{
	fail.armed = false;
}

unsigned fail_calls(enum fail_class class)
{
	return fail.calls[class];
}

bool fail_happened(void)
{
	return fail.happened;
}

enum fail_scope fail_enter(enum fail_scope scope)
{
	enum fail_scope before = fail.scope;

	fail.scope = scope;
	return before;
}

long fail_allocations_held(void)
{
	return fail.held;
}

static void hold(long count)
{
	if (fail.scope != FAIL_OUTSIDE)
		fail.held += count;
}

/* True if this call must fail; errno is set then. */
static bool fails(enum fail_class class)
{
	unsigned call;

	if (!fail.armed || fail.scope != FAIL_TRIED)
		return false;
	call = ++fail.calls[class];
	if (fail.plan.index == 0 || fail.plan.class != class)
		return false;
	if (call != fail.plan.index && !(fail.plan.for_ever && call > fail.plan.index))
		return false;
	fail.happened = true;
	errno = fail.plan.number;
	return true;
}

static void fill(void *memory, int byte, size_t size)
{
	memset(memory, byte, size < FILL_SIZE_MAX ? size : FILL_SIZE_MAX);
}

void *malloc(size_t size)
{
	void *memory = fails(FAIL_ALLOCATION) ? NULL : __libc_malloc(size);

	if (memory != NULL) {
		hold(1);
		fill(memory, FRESH, size);
	}
	return memory;
}

void *calloc(size_t count, size_t size)
{
	void *memory = fails(FAIL_ALLOCATION) ? NULL : __libc_calloc(count, size);

	if (memory != NULL)
		hold(1);
	return memory;
}

void *realloc(void *old, size_t size)
{
	void *memory = fails(FAIL_ALLOCATION) ? NULL : __libc_realloc(old, size);

	if (old == NULL && memory != NULL)
		hold(1);
	if (old != NULL && size == 0 && memory == NULL && !fail.happened)
		hold(-1);
	return memory;
}

void free(void *memory)
{
	int number = errno;

	if (memory == NULL)
		return;
	hold(-1);
	fill(memory, FREED, malloc_usable_size(memory));
	__libc_free(memory);
	errno = number;
}

/* False: the write fails; else how many of its bytes are taken. */
static bool takes(size_t *size)
{
	if (!fails(FAIL_WRITE))
		return true;
	*size -= *size / 2;
	return fail.plan.number == FAIL_SHORT;
}

ssize_t write(int fd, const void *from, size_t size)
{
	return takes(&size) ? syscall(SYS_write, fd, from, size) : -1;
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
	return takes(&size) ? syscall(SYS_pwrite64, fd, from, size, at) : -1;
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at)
{
	return takes(&size) ? syscall(SYS_pwrite64, fd, from, size, at) : -1;
}

int ftruncate(int fd, off_t size)
{
	size_t whole = 1; /* a size is not taken by half */

	return takes(&whole) ? (int)syscall(SYS_ftruncate, fd, size) : -1;
}

int ftruncate64(int fd, off64_t size)
{
	size_t whole = 1; /* a size is not taken by half */

	return takes(&whole) ? (int)syscall(SYS_ftruncate, fd, size) : -1;
}

int fsync(int fd)
{
	return fails(FAIL_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(FAIL_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int open_at(int directory, const char *path, int flags, va_list list)
{
	int mode = (flags & O_CREAT) != 0 ? va_arg(list, int) : 0;

	return fails(FAIL_OPEN) ? -1 : (int)syscall(SYS_openat, directory, path, flags, mode);
}

#define OPEN(name)                                                                                           \
	int name(const char *path, int flags, ...)                                                           \
	{                                                                                                    \
		va_list list;                                                                                \
		int fd;                                                                                      \
		va_start(list, flags);                                                                       \
		fd = open_at(AT_FDCWD, path, flags, list);                                                   \
		va_end(list);                                                                                \
		return fd;                                                                                   \
	}

OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                         \
	int name(int directory, const char *path, int flags, ...)                                            \
	{                                                                                                    \
		va_list list;                                                                                \
		int fd;                                                                                      \
		va_start(list, flags);                                                                       \
		fd = open_at(directory, path, flags, list);                                                  \
		va_end(list);                                                                                \
		return fd;                                                                                   \
	}

OPENAT(openat)
OPENAT(openat64)
