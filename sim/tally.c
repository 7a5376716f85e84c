#include "sim/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINE_FORMAT                                                                                          \
	"seed %" PRIu64 " %" PRIu64 " steps %" PRIu64 " ms digest %016" PRIx64 " %u %u %u %" PRIu64 " us"
#define LINE_PARTS 8

static bool refuse(const char *name)
{
	fprintf(stderr, "liaison-sim: --tally %s: %s\n", name, strerror(errno));
	return false;
}

/* Which code this is: what the kernel runs is what is tested. */
static bool name_code(char code[TALLY_CODE_SIZE])
{
	static const char own[] = "/proc/self/exe";
	uint8_t bytes[4096];
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	FILE *file = fopen(own, "rb");
	size_t size;

	if (file == NULL)
		return refuse(own);
	crypto_hash_sha256_init(&state);
	while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
		crypto_hash_sha256_update(&state, bytes, size);
	crypto_hash_sha256_final(&state, hash);
	bool read = !ferror(file) && fclose(file) == 0;
	for (size_t i = 0; i < (TALLY_CODE_SIZE - 1) / 2; i++)
		snprintf(code + 2 * i, 3, "%02x", hash[i]);
	return read || refuse(own);
}

/* The numbers before the counts; false where it is another line. *end is behind them. */
static bool read_numbers(const char *text, struct tally_seed *seed, const char **end)
{
	unsigned violated, unconverged, real;
	int size = 0;

	int parts = sscanf(text,
			   "seed %" SCNu64 " %" SCNu64 " steps %" SCNu64 " ms digest %" SCNx64
			   " %u %u %u %" SCNu64 " us%n",
			   &seed->seed, &seed->result.steps, &seed->result.time_ms, &seed->result.digest,
			   &violated, &unconverged, &real, &seed->cpu_us, &size);
	if (parts != LINE_PARTS || size == 0)
		return false;
	seed->result.violated = violated != 0;
	seed->result.unconverged = unconverged != 0;
	seed->real = real != 0;
	*end = text + size;
	return true;
}

static void keep(struct tally *tally, const struct tally_seed *seed)
{
	if (tally->count == tally->count_max) {
		tally->count_max = tally->count_max * 2 + 256;
		tally->seeds = disk_must(realloc(tally->seeds, tally->count_max * sizeof(tally->seeds[0])));
	}
	tally->seeds[tally->count++] = *seed;
}

/* A line that was cut off as it was written, or is of another campaign, counts for nothing. */
static void read_line(struct tally *tally, const char *line)
{
	struct tally_seed seed = {.seed = 0};
	size_t code_size = strlen(tally->code);
	size_t options_size = strlen(tally->options);
	const char *end;

	if (strncmp(line, tally->code, code_size) != 0 || line[code_size] != ' ' ||
	    strncmp(line + code_size + 1, tally->options, options_size) != 0 ||
	    line[code_size + 1 + options_size] != ' ')
		return;
	if (!read_numbers(line + code_size + options_size + 2, &seed, &end) ||
	    !counts_read(end, &seed.result.counts, &end) || strcmp(end, "\n") != 0 ||
	    tally_has(tally, seed.seed))
		return;
	keep(tally, &seed);
}

bool tally_open(struct tally *tally, const char *name, const char *options)
{
	char line[4096];
	bool ended = true;

	memset(tally, 0, sizeof(*tally));
	tally->options = options;
	tally->name = name;
	if (name == NULL)
		return true;
	if (!name_code(tally->code))
		return false;
	tally->file = fopen(name, "a+");
	if (tally->file == NULL)
		return refuse(name);
	rewind(tally->file);
	while (fgets(line, sizeof(line), tally->file) != NULL) {
		read_line(tally, line);
		ended = strchr(line, '\n') != NULL;
	}
	if (ferror(tally->file) || fseek(tally->file, 0, SEEK_END) != 0 ||
	    (!ended && fputc('\n', tally->file) == EOF))
		return refuse(name);
	return true;
}

bool tally_has(const struct tally *tally, uint64_t seed)
{
	for (size_t i = 0; i < tally->count; i++)
		if (tally->seeds[i].seed == seed)
			return true;
	return false;
}

bool tally_add(struct tally *tally, const struct tally_seed *seed)
{
	const struct result *result = &seed->result;

	keep(tally, seed);
	if (tally->file == NULL)
		return true;
	fprintf(tally->file, "%s %s " LINE_FORMAT, tally->code, tally->options, seed->seed, result->steps,
		result->time_ms, result->digest, result->violated, result->unconverged, seed->real,
		seed->cpu_us);
	counts_write(&result->counts, tally->file);
	fputc('\n', tally->file);
	return fflush(tally->file) == 0 || refuse(tally->name);
}

bool tally_close(struct tally *tally)
{
	free(tally->seeds);
	return tally->file == NULL || fclose(tally->file) == 0 || refuse(tally->name);
}

static int by_seed(const void *a, const void *b)
{
	const struct tally_seed *first = a;
	const struct tally_seed *second = b;

	return (first->seed > second->seed) - (first->seed < second->seed);
}

void tally_sum(struct tally *tally, struct tally_sums *sums)
{
	uint64_t time_ms = 0;

	*sums = (struct tally_sums){.digest = UINT64_C(0xcbf29ce484222325)};
	if (tally->count > 0)
		qsort(tally->seeds, tally->count, sizeof(tally->seeds[0]), by_seed);
	for (size_t i = 0; i < tally->count; i++) {
		const struct tally_seed *seed = &tally->seeds[i];
		sums->seeds++;
		sums->violations += seed->result.violated;
		sums->unconverged += seed->result.unconverged;
		sums->real += seed->real;
		sums->steps += seed->result.steps;
		sums->cpu_us += seed->cpu_us;
		time_ms += seed->result.time_ms;
		counts_add(&sums->counts, &seed->result.counts);
		sums->digest = (sums->digest ^ seed->result.digest) * UINT64_C(0x100000001b3);
		sums->digest ^= sums->digest >> 29;
	}
	sums->time_days = time_ms / DAY_MS;
}
