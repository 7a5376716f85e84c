/*
 * What two posts do, one of which has a drive that may lose its power at any sync; and what must be true
 * when it has power again, and at the end. The other post keeps its rows in memory, and so does what carries
 * between them: they know what they were told.
 */
#ifndef TESTS_TRIAL_SCENARIO_H
#define TESTS_TRIAL_SCENARIO_H

#include "tests/trial/machine.h"
#include "tests/unit/record/world.h"

#define WORDS_MAX    16
#define PROBLEM_SIZE 160

enum step_kind {
	STEP_END,
	STEP_SUBMIT,  /* `count` messages, in one batch */
	STEP_COMMIT,  /* what the officers wait for */
	STEP_OTHER,   /* the other side sends `count` messages */
	STEP_SETTLE,  /* until all is receipted */
	STEP_PASS,    /* `count` hours */
	STEP_BACKUP,  /* a backup is begun, and made while the next steps go on */
	STEP_WHOLE,   /* and is done */
	STEP_RESTORE, /* the store is what the backup holds; `count` 1: the anchor is gone, too */
	STEP_START,
};

struct step {
	enum step_kind kind;
	size_t count;
};

struct trial_scenario {
	const char *name;
	const char *says;
	const struct step *steps;
};

struct word {
	struct bytes cose;
	uint8_t identity[IDENTITY_SIZE];
	bool told; /* the officer was told that it is on disk, */
	struct entry_key place;
	bool is_in_backup;
};

struct trial {
	struct world_process process; /* first: the world gives it back */
	struct world *world;
	struct machine *machine;
	const struct trial_scenario *scenario;
	size_t step;
	struct word words[WORDS_MAX];
	size_t words_count;
	uint8_t others[WORDS_MAX][IDENTITY_SIZE];
	size_t others_count;
	struct bytes backup;
	bool backs_up;
	bool was_restored;
	bool is_restoring;          /* by another program, which has its own promises */
	uint64_t incarnation;       /* of the own log, as it was last seen */
	uint64_t arrivals[2];       /* before the scenario */
	char problem[PROBLEM_SIZE]; /* the first thing that is not as it must be; empty: all is */
};

extern const struct trial_scenario trial_scenarios[];
extern const size_t trial_scenarios_count;

/* A line that is open, on the drive whose directory is the current one. */
void trial_make(struct trial *trial);
/* The steps from where it is to the end. */
void trial_go_on(struct trial *trial);
/* The power has gone and is back: opens what the drive holds, and starts. False: not all is as it must be. */
bool trial_recover(struct trial *trial);
/* After the last step. */
bool trial_judge(struct trial *trial);
/* All entropy from now on comes from this seed. */
void trial_seed(struct trial *trial, uint64_t seed);
void trial_free(struct trial *trial);

#endif
