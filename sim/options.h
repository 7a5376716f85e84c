/* The command line of liaison-sim. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "sim/world.h"

#define OPTIONS_STEPS_DEFAULT 20000
#define OPTIONS_REAL_SHARE    16 /* one seed of so many has the real cryptography */
#define OPTIONS_NAME_SIZE     1024

enum crypto {
	CRYPTO_BY_SEED,
	CRYPTO_REAL,
	CRYPTO_STAND_IN,
};

struct options {
	uint64_t first;
	uint64_t last;
	uint64_t steps;
	uint64_t parties;
	enum crypto crypto;
	const char *tally; /* a file's name, or NULL */
	bool json;
	bool trace;
	bool shrink;
	bool has_only;
	struct strikes only; /* the faults that happen, by number */
	struct forced_faults forced;
};

extern const char options_help[];
bool options_ask_for_help(int count, char **arguments);
/* False after saying what is wrong. */
bool options_read(int count, char **arguments, struct options *options);

/* True if the seed has libsodium's own primitives. */
bool options_real(const struct options *options, uint64_t seed);
/* What the seed is run as; it borrows the options. */
struct seed_run options_run(const struct options *options, uint64_t seed);
/* One word for all that decides what a seed is, into OPTIONS_NAME_SIZE bytes. */
void options_name(const struct options *options, char *name, size_t size);

#endif
