#include "tests/trial/tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#define CODE_SIZE (2 * crypto_hash_sha256_BYTES + 1)

/* Which code this is: what the kernel runs is what is tested. */
static bool name_code(char code[CODE_SIZE])
{
	uint8_t bytes[4096];
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	FILE *file = fopen("/proc/self/exe", "rb");
	size_t size;

	if (file == NULL)
		return false;
	crypto_hash_sha256_init(&state);
	while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
		crypto_hash_sha256_update(&state, bytes, size);
	crypto_hash_sha256_final(&state, hash);
	fclose(file);
	sodium_bin2hex(code, CODE_SIZE, hash, sizeof(hash));
	return true;
}

void tally_file_rewind(FILE *file)
{
	char held[CODE_SIZE];

	rewind(file);
	(void)!fscanf(file, "program %64s", held);
}

FILE *tally_file_open(const char *path)
{
	char code[CODE_SIZE];
	char held[CODE_SIZE] = "";
	FILE *file = fopen(path, "a+");

	if (file == NULL)
		return NULL;
	if (name_code(code)) {
		rewind(file);
		if (fscanf(file, "program %64s", held) == 1 && strcmp(held, code) == 0)
			return file;
		if (ftruncate(fileno(file), 0) == 0 && fprintf(file, "program %s\n", code) > 0 &&
		    fflush(file) == 0)
			return file;
	}
	fclose(file);
	return NULL;
}
