#include "bench/floor.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "shell/gathered_writes.h"

#define CORES_MAX   4 /* four daemons, of one thread each, can use no more */
#define TABLES      4 /* disks on the way of a message: two posts', two couriers' */
#define ROW_SIZE    4096
#define SIGNED_SIZE 256 /* bytes under a signature, about: it hardly matters */

struct work {
	const struct floor_counts *counts;
	const char *directory;
	unsigned number;
	int64_t end_us;
	atomic_ullong *done; /* exchanges, of all workers */
};

/* Keys of the four who sign or open, and what they sign. */
struct bare {
	uint8_t sign_key[crypto_sign_PUBLICKEYBYTES];
	uint8_t sign_secret[crypto_sign_SECRETKEYBYTES];
	uint8_t seal_key[crypto_scalarmult_BYTES];
	uint8_t seal_secret[crypto_scalarmult_SCALARBYTES];
	uint8_t bytes[ROW_SIZE];
	struct gathered_writes writes;
	sqlite3 *database;
	sqlite3_stmt *insert;
};

static bool sign_and_verify(struct bare *bare, unsigned verifications)
{
	uint8_t signature[crypto_sign_BYTES];
	bool valid = crypto_sign_detached(signature, NULL, bare->bytes, SIGNED_SIZE, bare->sign_secret) == 0;
	for (unsigned i = 0; i < verifications; i++)
		valid = valid &&
			crypto_sign_verify_detached(signature, bare->bytes, SIGNED_SIZE, bare->sign_key) == 0;
	bare->bytes[0]++;
	return valid;
}

static bool seal_and_open(struct bare *bare)
{
	uint8_t secret[crypto_scalarmult_SCALARBYTES], key[crypto_scalarmult_BYTES];
	uint8_t sent[crypto_scalarmult_BYTES], received[crypto_scalarmult_BYTES];
	randombytes_buf(secret, sizeof secret);
	return crypto_scalarmult_base(key, secret) == 0 &&
	       crypto_scalarmult(sent, secret, bare->seal_key) == 0 &&
	       crypto_scalarmult(received, bare->seal_secret, key) == 0 &&
	       memcmp(sent, received, sizeof sent) == 0;
}

static bool execute(struct bare *bare, const char *text)
{
	return sqlite3_exec(bare->database, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool open_bare(struct bare *bare, const char *path)
{
	const char *system;

	memset(bare, 0, sizeof *bare);
	system = gathered_writes_add(&bare->writes);
	randombytes_buf(bare->bytes, sizeof bare->bytes);
	crypto_sign_keypair(bare->sign_key, bare->sign_secret);
	randombytes_buf(bare->seal_secret, sizeof bare->seal_secret);
	return system != NULL && crypto_scalarmult_base(bare->seal_key, bare->seal_secret) == 0 &&
	       sqlite3_open_v2(path, &bare->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, system) ==
		       SQLITE_OK &&
	       execute(bare, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous "
			     "= FULL;"
			     "CREATE TABLE rows (number INTEGER PRIMARY KEY, value BLOB NOT NULL)") &&
	       sqlite3_prepare_v2(bare->database, "INSERT INTO rows (value) VALUES (?1)", -1, &bare->insert,
				  NULL) == SQLITE_OK;
}

static bool insert(struct bare *bare, size_t size, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		sqlite3_bind_blob(bare->insert, 1, bare->bytes, (int)(size < ROW_SIZE ? size : ROW_SIZE),
				  SQLITE_STATIC);
		bool inserted = sqlite3_step(bare->insert) == SQLITE_DONE;
		sqlite3_reset(bare->insert);
		if (!inserted)
			return false;
	}
	return true;
}

/* Adds `amount`; gives the whole part and keeps the rest for the next time. */
static unsigned whole(double *kept, double amount)
{
	*kept += amount;
	unsigned part = (unsigned)*kept;
	*kept -= part;
	return part;
}

/* One receipt's share: its messages, itself, and the commits that hold them. */
static bool one_batch(struct bare *bare, const struct floor_counts *counts, unsigned entries,
		      unsigned commits)
{
	unsigned rows = TABLES * entries, written = 0;
	for (unsigned i = 0; i < entries; i++)
		if (!sign_and_verify(bare, 2) || !seal_and_open(bare))
			return false;
	if (!sign_and_verify(bare, 1) || !seal_and_open(bare) || !sign_and_verify(bare, 0))
		return false;
	for (unsigned i = 0; i < commits; i++) {
		unsigned due = (unsigned)((unsigned long long)rows * (i + 1) / commits);
		if (!execute(bare, "BEGIN IMMEDIATE") || !insert(bare, counts->message_size, due - written) ||
		    (i < TABLES && !insert(bare, counts->receipt_size, 1)) || !execute(bare, "COMMIT"))
			return false;
		written = due;
	}
	return true;
}

static int work_until_end(void *context)
{
	const struct work *work = context;
	struct bare bare;
	char path[512];
	double entries_kept = 0, commits_kept = 0;
	snprintf(path, sizeof path, "%s/floor-%u.db", work->directory, work->number);
	bool well = open_bare(&bare, path);
	while (well && now_us() < work->end_us) {
		unsigned entries = whole(&entries_kept, work->counts->entries_per_receipt);
		unsigned commits = whole(&commits_kept, work->counts->commits_per_receipt);
		well = one_batch(&bare, work->counts, entries, commits);
		if (now_us() <= work->end_us)
			atomic_fetch_add(work->done, entries);
	}
	sqlite3_finalize(bare.insert);
	sqlite3_close(bare.database);
	gathered_writes_remove(&bare.writes);
	unlink(path);
	return well ? 0 : 1;
}

static bool run_workers(struct children *children, struct work *work, unsigned workers, unsigned first,
			unsigned seconds, struct step *step, unsigned steps_before)
{
	struct child *started[2 * CORES_MAX];
	work->end_us = now_us() + (int64_t)seconds * 1000000;
	for (unsigned i = 0; i < workers; i++) {
		work->number = first + i;
		started[i] = child_fork(children, "a worker of the floor", work_until_end, work);
		if (started[i] == NULL)
			return false;
	}
	while (now_us() < work->end_us) {
		int64_t passed = (int64_t)seconds * 1000000 - (work->end_us - now_us());
		if (!wait_ms(100))
			return false;
		step_show(step, steps_before + (unsigned)(passed * 10 / ((int64_t)seconds * 1000000)), 20);
	}
	for (unsigned i = 0; i < workers; i++)
		if (!child_finish(started[i], 30))
			return false;
	return true;
}

static double children_cpu_us(void)
{
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used);
	return 1e6 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

bool floor_measure(struct children *children, const char *directory, const struct floor_counts *counts,
		   unsigned seconds, struct step *step, struct floor_result *result)
{
	cpu_set_t set;
	unsigned cores = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	if (cores > CORES_MAX)
		cores = CORES_MAX;
	void *memory =
		mmap(NULL, sizeof(atomic_ullong), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return fail("the machine has no memory left");
	struct work work = {.counts = counts, .directory = directory, .done = memory};
	bool done = true;
	*result = (struct floor_result){0};
	for (unsigned times = 1; done && times <= 2; times++) {
		double before_us = children_cpu_us();
		atomic_store(work.done, 0);
		done = run_workers(children, &work, times * cores, 100 * times, seconds, step,
				   10 * (times - 1));
		double exchanges = (double)atomic_load(work.done);
		if (times == 1 && done && exchanges > 0) {
			result->per_second = exchanges / seconds;
			result->cpu_us = (children_cpu_us() - before_us) / exchanges;
		}
		result->overlapped_per_second = exchanges / seconds;
	}
	munmap(memory, sizeof(atomic_ullong));
	return done;
}
