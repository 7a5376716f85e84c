/*
 * A whole line: two parties, each with its authority, officer, post and courier, made through the real
 * command line and run by the real daemons, in one private directory.
 *
 *     alliance    DIR/a/{party,officer,post,courier,...}    dials
 *     federation  DIR/b/...                                 listens
 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include "bench/api.h"
#include "bench/children.h"
#include "bench/place.h"
#include "bench/syncs.h"
#include "bench/wait.h"

#define LINE_PATH_SIZE_MAX 160
#define LINE_PIN_SIZE      64

struct side {
	const char *name; /* of the party */
	const char *node; /* of its courier and post */
	char directory[LINE_PATH_SIZE_MAX];
	char post_directory[LINE_PATH_SIZE_MAX];
	char courier_directory[LINE_PATH_SIZE_MAX];
	char officer_path[LINE_PATH_SIZE_MAX];
	char passphrase_path[LINE_PATH_SIZE_MAX];
	char post_log[LINE_PATH_SIZE_MAX];
	char courier_log[LINE_PATH_SIZE_MAX];
	char pin[LINE_PIN_SIZE + 1];
	struct child *post; /* NULL: not running */
	struct child *courier;
	struct sync_table *post_syncs;
	struct sync_table *courier_syncs;
};

struct line {
	struct place *place;
	struct children children;
	struct side sides[2]; /* [0] sends */
	unsigned short port;  /* at which side 1 listens */
};

/*
 * Makes both parties, starts all four daemons and opens the channel, until an officer of side 0 may speak.
 * False after an error message. line_stop follows in either case.
 */
bool line_make(struct line *line, struct place *place, struct step *step);

/*
 * Starts both couriers; side 0 dials side 1 at `port`. Waits until the line is up. False after an error
 * message.
 */
bool line_start_couriers(struct line *line, unsigned short port);
void line_stop_couriers(struct line *line);

/* True while all daemons that should run do; false after an error message. */
bool line_runs(struct line *line);

/* Ends all daemons. */
void line_stop(struct line *line);

/* A port of the loopback interface that nobody uses now. 0 after an error message. */
unsigned short line_free_port(void);

#endif
