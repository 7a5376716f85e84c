#include "sim/counts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_names[FAULTS] = {
	[FAULT_WORDS] = "words",
	[FAULT_BAD_WORDS] = "bad-words",
	[FAULT_CRASH] = "crash",
	[FAULT_LINK_DROP] = "link-drop",
	[FAULT_LOSE] = "lose",
	[FAULT_RELAY] = "relay",
	[FAULT_RELAY_LOSE] = "relay-lose",
	[FAULT_TWICE] = "twice",
	[FAULT_CORRUPT] = "corrupt",
	[FAULT_PARTITION] = "partition",
	[FAULT_JUMP] = "jump",
	[FAULT_RESTORE] = "restore",
	[FAULT_FULL_DISK] = "full-disk",
	[FAULT_NOISE] = "noise",
	[FAULT_FLIP] = "flip",
	[FAULT_REPLAY] = "replay",
	[FAULT_REFLECT] = "reflect",
	[FAULT_PIECES] = "pieces",
	[FAULT_FORGE] = "forge",
	[FAULT_EQUIVOCATE] = "equivocate",
	[FAULT_WITHHOLD] = "withhold",
	[FAULT_FLOOD] = "flood",
	[FAULT_FORK] = "fork",
	[FAULT_FLEE] = "flee",
};

/* Reasons that travel, all of them; and what posts and couriers drop things for. */
static const enum error refusals[] = {
	ERROR_REFUSED_FORM,     ERROR_REFUSED_CHANNEL,   ERROR_REFUSED_SIGNER,
	ERROR_REFUSED_AGREMENT, ERROR_REFUSED_SIGNATURE, ERROR_REFUSED_LENGTH,
	ERROR_REFUSED_TEXT,     ERROR_REFUSED_CHAIN,     ERROR_REFUSED_AUTHORITY,
	ERROR_REFUSED_TERMS,    ERROR_REFUSED_REFERENCE, ERROR_REFUSED_QUOTA,
	ERROR_REFUSED_FORK,     ERROR_REFUSED_SCOPE,     ERROR_REFUSED_KIND,
	ERROR_REFUSED_NUMBER,   ERROR_REFUSED_NAMED,     ERROR_OUT_OF_RANGE,
	ERROR_TOO_LARGE,        ERROR_BAD_CHECKSUM,      ERROR_MALFORMED,
	ERROR_UNSUPPORTED,      ERROR_BAD_SIGNATURE,     ERROR_BAD_KEY,
	ERROR_CANNOT_OPEN,      ERROR_BAD_PROOF,         ERROR_FULL,
	ERROR_NOT_FOUND,        ERROR_AWAITS_COURIER,    ERROR_BAD_ARGUMENT,
	ERROR_TIMED_OUT,
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))
_Static_assert(REFUSALS <= COUNTS_REFUSALS, "all are counted");

const char *counts_fault_name(enum fault fault)
{
	return fault_names[fault];
}

bool counts_fault_named(struct bytes name, enum fault *fault)
{
	for (size_t i = 0; i < FAULTS; i++) {
		*fault = (enum fault)i;
		if (bytes_equal(bytes_of_text(fault_names[i]), name))
			return true;
	}
	return false;
}

void counts_refused(struct counts *counts, enum error reason)
{
	for (size_t i = 0; i < REFUSALS; i++)
		counts->refusals[i] += refusals[i] == reason;
}

void counts_add(struct counts *sum, const struct counts *counts)
{
	for (size_t i = 0; i < FAULTS; i++)
		sum->faults[i] += counts->faults[i];
	for (size_t i = 0; i < REFUSALS; i++)
		sum->refusals[i] += counts->refusals[i];
}

void counts_tell(const struct counts *counts, FILE *file)
{
	for (size_t i = 0; i < FAULTS; i++)
		fprintf(file, "%s\"%s\": %" PRIu64, i == 0 ? "\"faults\": {" : ", ", fault_names[i],
			counts->faults[i]);
	for (size_t i = 0; i < REFUSALS; i++)
		fprintf(file, "%s\"%s\": %" PRIu64, i == 0 ? "}, \"refusals\": {" : ", ",
			error_name(refusals[i]), counts->refusals[i]);
	fprintf(file, "}");
}

void counts_write(const struct counts *counts, FILE *file)
{
	for (size_t i = 0; i < FAULTS; i++)
		fprintf(file, " %" PRIu64, counts->faults[i]);
	for (size_t i = 0; i < REFUSALS; i++)
		fprintf(file, " %" PRIu64, counts->refusals[i]);
}

bool counts_read(const char *text, struct counts *counts, const char **end)
{
	char *stop;

	for (size_t i = 0; i < FAULTS + REFUSALS; i++) {
		uint64_t *number = i < FAULTS ? &counts->faults[i] : &counts->refusals[i - FAULTS];
		errno = 0;
		*number = strtoull(text, &stop, 10);
		if (errno != 0 || text[0] != ' ' || stop == text)
			return false;
		text = stop;
	}
	*end = text;
	return true;
}
